--- Help about derivatives and solving; see tide.docs.

local help = require "tide.help"
local ode_options = require "tide.ode.options"

local define = help.define

help.topic "Derivatives"
define{name = "tide.grad", args = "fn", returns = "function(p, ...) -> gradient",
  text = [[The gradient of the scalar fn(p, ...) with respect to p, a float tensor or any nested table of them
  (a model); it has p's structure. Further arguments are constants; leaves that are no float tensors pass
  through. fn is recorded at each call, so Lua values are always current. Compositions (grad of grad, compile
  of grad) work.]],
  example = "tide.grad(function(v) return (v * v):sum() end)(tide.ones({3}))"}
define{name = "tide.value_and_grad", args = "fn", returns = "function(p, ...) -> value, gradient",
  text = "As tide.grad, with the value of fn.",
  example = "local l, g = tide.value_and_grad(loss)(model, x, y)"}
define{name = "tide.vjp", args = "fn, x", returns = "y, pullback",
  text = "y = fn(x), and pullback(ybar) = the vector-Jacobian product ybar^T J. x and y are tensors or "
  .. "tables of them. " ..
    "The pullback reads x and captured tensors as they are when it is called: call it before they change.",
  example = "local v, pull = tide.vjp(tide.sin, x)  print(pull(tide.ones(v:shape())))"}
define{name = "tide.jvp", args = "fn, x, v", returns = "y, dy",
  text = "y = fn(x) and the Jacobian-vector product dy = J v, v like x.",
  example = "tide.jvp(tide.sin, x, tide.ones_like(x))"}
define{name = "tide.jacobian", args = "fn, p, opts", returns = "tensor or nested table",
  options = {{"by", "auto", '"rows", by pullbacks; "columns", by directions; "auto": whichever are fewer, '
    .. "rows where fn has first derivatives only (a field in C), or exact ones (through events of a grid)"},
    {"flat", false, "one matrix over all tensors, in the order of tide.tree.tensors"}},
  text = [[dy/dp of y = fn(p), both tensors or tables of tensors: y's structure, in it p's, each block of the
  shape of that part of y followed by that of p. Without p, tide.jacobian(fn) is a function of (p, ...),
  further arguments constants. Several rows share a pass: fn, with all solves in it, runs once for each
  pass.]],
  example = "tide.jacobian(function(v) return v * v:sum() end, tide.ones{3})"}
define{name = "tide.hessian", args = "fn, p, opts", returns = "tensor or nested table",
  options = {{"flat", false, "one matrix over all tensors, in the order of tide.tree.tensors"}},
  text = [[Second derivatives of the scalar fn(p), a tensor or a table of tensors: p's structure of p's
  structure, each block of both shapes. Without p, tide.hessian(fn) is a function of (p, ...). It goes through
  solves of every method and gradient = "direct", "checkpoint", "adjoint" or "interpolated", with steps as
  constants; not through events, nor by the times of a solve.]],
  example = "tide.hessian(function(v) return (v ^ 3):sum() * v:sum() end, tide.ones{3})"}
define{name = "tide.hvp", args = "fn, p, v", returns = "y, H v",
  text = [[The scalar y = fn(p) and the product of its Hessian with v, which is like p; the matrix is not
  made. In a loop wrap it in tide.compile, which records it once.]],
  example = "tide.hvp(function(u) return (u ^ 3):sum() end, x, tide.ones_like(x))"}
define{name = "tide.gauss_newton", args = "fn, p, v, opts", returns = "y, G v",
  options = {{"loss", nil, "function(y) -> scalar; its Hessian at y is H. Without one H = 1"}},
  text = [[y = fn(p) and the product of the Gauss-Newton matrix G = J^T H J with v, J the Jacobian of fn at p;
  fn gives residuals, or predictions whose loss is convex. G is positive semidefinite where H is, and equals
  the Hessian of the loss where residuals or curvature of fn vanish. In a loop wrap it in tide.compile.]],
  example = "tide.gauss_newton(function(u) return u:sin() - 0.5 end, x, tide.ones_like(x))"}
define{name = "tide.stop_gradient", args = "x", returns = "tensor", method = true,
  text = "x as a constant of derivatives.",
  example = "tide.grad(function(v) return (v * v:stop_gradient()):sum() end)(x)"}
define{name = "tide.compile", args = "fn", returns = "function",
  text = [[fn, recorded once for each structure, shape and dtype of its arguments and replayed without Lua
  afterwards. Numbers and strings in the arguments are part of the structure. Other Lua values that fn reads
  are those of the recording, also numbers that it reads from a tensor (x[1], x:item()). Every operation on
  tensors is recorded, on captured ones too, so tensors are read anew at each call; random tensors without a
  seed are drawn anew. x:shape(), x:dtype() and #x have values; comparisons, if and x:item() need
  tide.where.]],
  example = "local step = tide.compile(tide.value_and_grad(loss))  print(step(model, x, y))"}
define{name = "tide.explain", args = "fn, ...", returns = "totals",
  text = [[Print what tide.compile(fn) records for these arguments and what then runs: operations, shapes,
  floating-point operations (a multiply-add is two), bytes and the way that a convolution takes; for each ODE
  solve inside also what is computed once per solve and what each evaluation runs, forwards and backwards.
  Nothing is computed. The totals: recorded.nodes, .operations, .bytes; optimised.calls, .operations, .bytes,
  .arena_bytes, .common, .dead, .views; solves[i].recorded, .setup, .evaluation and .backward alike, .tiles,
  .rows.]],
  example = "tide.explain(tide.value_and_grad(loss), model, x, y)"}
define{name = "tide.gradcheck", args = "fn, p, opts", returns = "boolean, worst relative error, report",
  options = {{"tolerance", 1e-6, "largest error |a - n| / max(1, |n|) that passes"},
    {"step", 1e-6, "of the differences"}},
  text = [[Does the gradient of fn agree with central differences in float64? fn may return any tensor; p is
  copied to float64, what fn captures is not. If not, the report says where: name, index, gradient,
  difference; it prints itself. Differences of a solve that adapts see its steps change: they agree with the
  gradient of the steps taken to its tolerances only, those of steps = n to rounding.]],
  example = "tide.gradcheck(function(v) return v:sin() end, x)"}

help.topic "Solving"
define{name = "tide.attempt", args = "fn, ...", returns = "boolean, what fn returns | a failure",
  text = [[Call fn(...) as pcall does, where a solve that fails is a result: true and what fn returned, or
  false and the failure, an error with a status (help "failures"). Every other error, of a wrong call or
  Ctrl-C, goes on. Failures of a training count as well: a loss, a gradient or a weight that is not finite.]],
  example = "tide.attempt(tide.odeint, function(t, u) return u * u end, tide.ones{1}, {0, 2})"}
define{name = "tide.odeint", args = "f, y0, t, opts", returns = "ys, stats, q", options = ode_options.help(),
  text = [[Solve dy/dt = f(t, y) from y(t[1]) = y0. y0 is a float tensor or a table of up to 64 (one dtype). t
  is a table or a 1-D tensor of two or more strictly monotone times, up or down; times between the first and
  the last come from the interpolant and do not change adaptive steps. ys has shape {#t, ...}; its first entry
  is y0.

  f is recorded once: inside it t is a scalar tensor, and Lua's if sees no values (use tide.where, or eager =
  true).

  stats: nfe (evaluations of f), steps (accepted + rejected), nfe_backward, of implicit methods jacobians and
  factorizations (of df/dy and of I - g df/dy, where these are matrices), and unrefined where in so many steps
  a stage that only values inside need had no solution, as where f jumps: these have fewer orders. Give rtol
  and atol, or step_size, or steps. While a solve is only recorded, its stats are not known yet; a compiled
  function returns those of each run. With defect = true there is stats.defect once the gradient has run
  (tide.ode.counted): the sum over the steps of dL/dy . (y by the better of two formulas - y by the other), by
  how much the loss would differ, to leading order; positive where the loss gains by the errors of the steps.
  euler is compared with the trapezoidal rule, an explicit method that has an error estimate with its embedded
  one. It costs at most two evaluations per solve; errors of outputs between the steps are not in it.

  quadrature = function(t, y) asks for an integral of what it returns: q of shape {#t, ...} is that from t[1]
  to each time, by the solve's own steps, at their cost and with their order. It changes no step unless
  quadrature_control = true, and takes part in derivatives.

  method = "auto" begins with "tsit5" and changes to "radau5" where stability rather than accuracy holds the
  steps down, and back where "tsit5" would be stable with the steps at hand. stats.switches lists the changes:
  {t =, step = (accepted until then), method = (that goes on)}; with per_sample stats.samples.switches counts
  them. A nonstiff problem is solved as by "tsit5", to the bit. nonstiff and stiff name other halves; with
  stiff = "bdf", which begins with order 1 at each change, van der Pol's oscillator takes two thirds of the
  evaluations, with larger errors for the same tolerance.

  per_sample = true: every sample (first axis) takes its own steps and has its own error norm, as if it were
  solved alone, with the same numbers to the last bit; limits (max_steps, max_nfe) are of a sample.
  stats.samples = {nfe =, accepted =, rejected =} are int64 tensors of N; stats.nfe (and nfe_backward) is the
  most of a sample: so often the batch calls f, for samples that are done leave it; steps, accepted and
  rejected are sums. When samples fail, failure.sample lists them (the first 32), and with on_failure =
  "return" the others keep their values. f must treat samples independently, which the engine sees in what was
  recorded; a field in C has a width (beside events or a quadrature it is a part of what is recorded, where
  the engine does not see through it: an error). Tensors from outside may have an entry for each sample (their
  first axis). Events and a quadrature get the batch as f does and give a value for each sample: g a tensor
  {N} or {N, 1}, q has shape {#t, N, ...}; an event of stats.events says its sample, its y has no axis of
  samples, and stats.t_end is a tensor of N. on_step sees the steps of sample 1, in order, then those of
  sample 2, and so on (one thread makes them): step.sample is its number, step.y and step:at(t) have no axis
  of samples, and "stop" ends that sample alone; stats.t_end is then a tensor of N.

  Errors name t, h and a remedy: too many steps, step size underflow, NaN or Inf. Where the problem looks
  stiff (the steps of an explicit method are held down by stability, so that tolerances do not matter) they
  say so. on_failure = "return" gives them back as stats.failure. The error of each step is controlled; the
  error at the end is often a few times larger, and much larger for unstable problems.]],
  example = [[tide.odeint(function(t, u) return -u end, tide.ones({1}), {0, 1}, {rtol = 1e-5})
  local function dose(t, u) return tide.where(tide.gt(t, 5), tide.where(tide.lt(t, 5.05), 20, 0), 0) - u end
  tide.odeint(dose, tide.ones({1}), {0, 10}, {jumps = {5, 5.05}})   -- the times are known
  tide.odeint(dose, tide.ones({1}), {0, 10}, {max_step = 0.02})     -- only that it is short
  ys, stats, q = tide.odeint(dose, tide.ones({1}), {0, 10}, {quadrature = function(t, u) return u end})
  tide.odeint(function(t, u) return -u * u end, tide.rand{64, 1}, {0, 9}, {per_sample = true})
  ys, stats = tide.odeint(function(t, u) return -u end, tide.rand{64, 1}, {0, 9}, {per_sample = true,
    events = {{g = function(t, u) return u - 0.1 end, terminal = true}}}) -- stats.t_end, stats.events]]}
define{name = "ode.odeint", args = "f, y0, t, opts", returns = "ys, stats",
  text = "The same function as tide.odeint."}
define{name = "ode.event", args = "f, y0, t0, g, opts", returns = "t, y, stats",
  text = [[The first zero of g(t, y) behind t0 on the solution from y(t0) = y0. t is a scalar tensor of
  float64, y the state there, with the structure of y0. Both take part in derivatives by y0, by what f and
  g have from outside, and by t0, which may be a scalar tensor: by the implicit function theorem, exact
  for the steps that were taken where gradient = "direct" or "checkpoint". g is as in help "events": 0 at t0
  is no zero.

  opts are those of odeint but events and on_failure, with direction (1: where g grows along the solve,
  -1: where it falls, 0: both) and max_time, where to give up; before t0, the solve goes backwards.

  Without max_time the solve goes on until there is a zero, or max_steps are made. None until max_time is
  an error with the status "no_event".

  per_sample = true: each of N samples (first axis) solves until its own first zero, as if it were alone. g
  gets the whole batch and returns a number for each sample; t is a tensor of N, y[i] the state of sample i at
  t[i]. t0 and max_time are those of all. A sample without a zero is an error that names it; with on_failure =
  "return" its t and y are NaN, and stats.failure.sample lists such samples.]],
  example = [[local function fall(t, y) return tide.stack{y[2], -9.81} end
  local function floor(t, y) return y[1] end
  t, y = tide.ode.event(fall, tide.tensor{1, 0}, 0, floor)
  -- how much longer does it take from higher up?
  tide.grad(function(y0) return (tide.ode.event(fall, y0, 0, floor)) end)(tide.tensor{1, 0})
  -- when does each of 64 decay to a half?
  t = tide.ode.event(function(t, u) return -u * u end, 1 + tide.rand{64, 1}, 0,
    function(t, u) return u - 0.5 end, {per_sample = true})]]}
define{name = "ode.steps", args = "f, y0, {t0, t1}, opts", returns = "iterator",
  text = [[The accepted steps of a solve, one at a time: each is made when the loop asks for it, and the loop
  may be left at any one. A step has t and y where it ends, start, h = t - start, error (the norm of the
  error, at most 1; nil where steps are fixed) and step:at(t), y at a time in it, until the next step is made.
  The options are those of tide.odeint; so are the steps. `iterator.stats` counts so far. on_step is the
  same in a solve that goes on by itself. With per_sample = true come the steps of sample 1, then those of
  sample 2, and so on; step.sample is the number.]],
  example = [[local steps = tide.ode.steps(function(t, u) return -u end, tide.ones{1}, {0, 50})
  for step in steps do
    print(step.t, step.h, step.y:item())
    if step.y:item() < 0.01 then break end
  end
  print(steps.stats.nfe)]]}
define{name = "ode.divergence", args = "f, opts", returns = "function(t, y) -> tensor",
  options = {{"kind", "exact", '"exact" or "hutchinson"', quote = true},
    {"noise", nil, [[of "hutchinson": "rademacher" (-1 or 1; the default), "gaussian", or a tensor like y]]},
    {"independent", false, [[of "exact": you promise that samples do not influence each other in f]]}},
  text = [[The divergence of the field f(t, y), the sum of df_i/dy_i over the numbers of a sample. y is one
  tensor whose first axis are the samples: of N of them N values; a y of one axis is one sample, and the value
  a scalar.

  "exact" makes a product with the Jacobian for each number of a sample (at most 1024), for all samples at
  once. Where they influence each other in f (a mean over the first axis, batch statistics), or it cannot be
  seen that they do not (a solve inside f), that is an error. "hutchinson" makes one product, e^T df/dy e,
  whose mean over the noise e is the divergence of each sample, of such fields too. Noise that is not given is
  drawn at each call; within a solve, as quadrature or in the field, once. Differentiable, also twice.]],
  example = [[local function f(t, y) return tide.sin(y) * t end
  print(tide.ode.divergence(f)(2, tide.ones{3, 2}))
  ys, stats, q = tide.odeint(f, tide.rand{64, 2}, {0, 1}, {quadrature = tide.ode.divergence(f,
    {kind = "hutchinson"})})]]}
define{name = "ode.solution", args = "f, y0, {t0, t1}, opts", returns = "sol",
  text = [[Solve and keep the steps, so that y is known at any time of the span: sol(t) for a number gives a
  state like y0, for a list or a 1-D tensor of times, in any order, {#t, ...} as tide.odeint does.
  sol:derivative(t) is the slope of y there. It is the solver's own interpolant: at the times of the accepted
  steps, sol.t, it is what the solver has, between them it has the order of the method's dense output, and
  nothing is solved again. sol.stats: the statistics. A time outside of the span is an error.

  The options are those of tide.odeint. After a stop, or a failure with on_failure = "return", sol goes as far
  as the solve did; behind a change of the state by an event it is the state after it. Memory: a few states
  for each step. A solution holds numbers: inside tide.grad or tide.compile use tide.odeint.

  per_sample = true: sol(t) and sol:derivative(t) are those of all samples; sol.t is a list, for each sample
  its accepted times. A sample that ends early (a terminal event, "stop", a failure) is NaN behind its end.]],
  example = [[local sol = tide.ode.solution(function(t, u) return -u end, tide.ones{1}, {0, 5}, {rtol = 1e-5})
  print(sol(2.5), sol{0.1, 4.9, 2}, sol:derivative(2.5), #sol.t, sol.stats.nfe)
  local each = tide.ode.solution(function(t, u) return -u * u end, tide.rand{64, 1}, {0, 5},
    {per_sample = true})
  print(each(2.5):shape(), each.t[64]) -- the accepted times of sample 64]]}
define{name = "ode.cfield", args = "path, symbol, opts", returns = "field, or function(theta) -> field",
  run = false,
  options = {{"constants", nil,
    "numbers that the functions find in call->constants; no derivatives by them"}},
  text = [[A right-hand side in C or C++: a shared object that exports a struct tide_field under the name
  `symbol` (tide/field.h, installed in PREFIX/include; tests/cfield/pendulum.c is a whole example). It has f
  and, if there are to be gradients, vjp. A path without a slash is a file of the current folder; folders are
  never searched.

  A field without parameters is given to odeint as it is, else field(theta), theta a 1-D float64 tensor or a
  list of numbers. It takes part in derivatives, in tide.compile, and is a model whose only tensor is theta,
  so that optimisers train it. The state is float64: a tensor {batch, width} or {width}, or a table of tensors
  that are one sample together. field(theta)(t, y) evaluates it, on tensors or inside another field: a part of
  f in C, a part in Lua. There are no second derivatives.

  tide.gradcheck compares the vjp with differences. A result that is not 0 ends the solve with the text in
  call->message; results that f or vjp did not write are an error. Ctrl-C is noticed between evaluations.]],
  example = [[-- cc -O2 -shared -fPIC -o pendulum.so pendulum.c -lm
  local pendulum = tide.ode.cfield("pendulum.so", "pendulum")
  local theta, y0 = tide.tensor({9.81, 0.1}, {dtype = "float64"}), tide.tensor({0.5, 0}, {dtype = "float64"})
  tide.odeint(pendulum(theta), y0, {0, 1})
  assert(tide.gradcheck(function(p) return pendulum(p)(0, y0) end, theta))]]}
define{name = "ode.methods", args = "", returns = "list",
  text = [[The methods that odeint knows, a row for each; print(tide.ode.methods()) shows the most of it as a
  table.

  | name, family         how it steps: "explicit", "implicit", "rosenbrock", "multistep", ...; "automatic": it
  |                      changes between two methods, and its row has the stages of the nonstiff one
  | order, error_order   of the method (of a multistep method: its highest) and of its error estimate, 0
  |                      where there is none
  | stages               evaluations of a step, those that its neighbour shares (fsal) included
  | adaptive             it can choose its steps; kind says the same: "fixed" or "adaptive"
  | implicit             it solves equations with the Jacobian of f
  | dense, dense_order   there are values between the steps, and their order
  | gradients            list of the values of the option gradient that work with it
  | stability            "A": for y' = lambda y it decays at every step size, where Re lambda < 0; "L": at
  |                      once where -h lambda is large; "A(alpha)": within that many degrees of the negative
  |                      axis; "bounded": only where h lambda is small; "imaginary": for oscillations whose
  |                      h lambda is small, with neither growth nor decay
  | A, b, c, b_error     the tableau of a Runge-Kutta method
  | b_error_low          of one whose error is made of two estimates, e and this one, e_low: |e|^2 /
  |                      sqrt(|e|^2 + 0.01 |e_low|^2)
  | gamma                of a Rosenbrock method, beside it, with k_i = f(t + c_i h, y + h sum_(j < i) A_ij k_j)
  |                      + h df/dy sum_(j <= i) gamma_ij k_j + h df/dt sum_j gamma_ij
  | extra                {A =, c =}: the rows that values between the steps add to it, in steps that have any;
  |                      those of Gauss's and Radau's methods are implicit stages, each by itself
  | varies               it chooses its order, or its method, from step to step, and has no form with fixed
  |                      steps
  | varying_order        of a method that takes fixed steps of one order, or else chooses both: the highest then
  | least_order,         of a multistep method that comes in several orders: the lowest one, and that which
  | default_order        it has unless told by the option order

  "alf" and "reversible_heun" can be taken back by algebra, whatever f is. What they carry beside y has a
  rounding or an error of its own that grows where f contracts, as e^(span |lambda|): they are for short spans
  and for oscillations. "leapfrog_verlet" is for H(q, p) = T(p) + V(q): the state is {q = tensor, p = tensor},
  f(t, {q =, p =}) returns {q = dT/dp, p = -dV/dq}; the energy swings with the square of the step and does not
  drift. What depends otherwise (a damping) is refused.

  "rk4" is the classic one, "rk4_38" the 3/8 rule; "dopri5" has the error weights of 1980, "dopri5_shampine"
  those of torchdiffeq. The error estimate of "fehlberg21" is 1/512
  of a difference of slopes and all but blind where the method is about to become unstable: at tolerances
  looser than 1e-4 its results can be 40,000 tolerances off where those of "heun_euler" and "bosh3" are 200
  off (D5 of DETEST at 1e-3). Where y has grown 1000-fold although f pulls back the solve ends with status
  "stiff".]],
  example = "for _, m in ipairs(tide.ode.methods()) do print(m.name, m.order, m.stability) end"}
define{name = "ode.initial_step", args = "f, t0, y0, p, rtol, atol", returns = "number",
  text = [[Hairer's starting step (Solving ODEs I, p. 169) for an error estimate of order p, with sc = atol +
  rtol |y0| in the RMS norm and exponent 1/(p+1). f runs on concrete tensors. An rtol below
  ode.smallest_rtol, such as 0, counts as this: so it is the step that a solve with rtol = 0 begins with.]],
  example = "tide.ode.initial_step(function(t, u) return -u end, 0, tide.ones({1}), 4, 1e-3, 1e-6)"}
define{name = "ode.smallest_rtol", args = "dtype", returns = "number",
  text = "The smallest rtol above 0 that odeint takes for states of a dtype: ten roundings. \"float32\" is "
  .. "the default.",
  example = "tide.ode.smallest_rtol(\"float64\")"}
define{name = "ode.counted", args = "fn, ...", returns = "statistics, what fn returns",
  text = [[Call fn(...) and add up the statistics of the solves that run in it, compiled ones included: nfe,
  steps, accepted, rejected, nfe_backward. A solve inside the field of another one does not count by
  itself.]],
  example = "local stats, y = tide.ode.counted(model, x)"}
define{name = "ode.audit", args = "opts", returns = "report",
  options = {{"f", nil, "the field, a function(t, y) or a model", required = true},
    {"y0", nil, "the state at the beginning", required = true}, {"t", nil, "times", required = true},
    {"loss", nil, "function(ys) -> scalar tensor", required = true},
    {"gradients", nil, "a list of values of the option gradient; all of them unless given"},
    {"parameters", nil, "a tensor or a table of tensors that f gets as its third argument"},
    {"probes", 64, "directions of the differences: all numbers one by one where these are not more"}},
  text = [[The same problem through all kinds of gradients and by central differences in float64; further
  options are those of odeint. Taken by y0, the tensors of f where it is a model, and parameters. report[i] is
  {gradient =, relative_error =, cosine = (against the differences), relative_error_direct =, cosine_direct =,
  nfe =, nfe_backward =, bytes = (what making and running it takes at most), seconds =,
  reconstruction_error =, made_again =, and
  refused = (why there is none)}; report:text() is a table, report:write(path) a CSV
  file. Where steps adapt the differences go through the same steps, too, if the method can be
  made to take them, else through a solve with tighter tolerances: report.reference says which.]],
  example = [[print(tide.ode.audit{f = tide.nn.mlp{sizes = {2, 4, 2}, act = "tanh", time = true},
    y0 = tide.ones{3, 2}, t = {0, 1}, loss = function(ys) return ys[2]:square():sum() end, method = "alf",
    steps = 8})]]}
define{name = "ode.check_options", args = "where, opts, dtype", returns = "table",
  text = "Check options of odeint without solving; `where` begins the error message. Returns them with the "
  .. "defaults filled in.",
  example = "tide.ode.check_options(\"my solver\", {rtol = 1e-4})"}
define{name = "ode.tableau.order", args = "A, b, most, tolerance", returns = "integer, residual",
  text = [[The order that weights b reach with the matrix A, up to most (8), by the conditions of all rooted
  trees; and the residual of the first order missed.]],
  example = "tide.ode.tableau.order({{}, {0.5}}, {0, 1})"}
define{name = "ode.tableau.residual", args = "A, b, order", returns = "number",
  text = "Largest violation of the conditions of exactly that order.",
  example = "tide.ode.tableau.residual({{}, {0.5}}, {0, 1}, 3)"}
define{name = "ode.tableau.count", args = "n", returns = "integer",
  text = "Number of rooted trees with n nodes: 1, 1, 2, 4, 9, 20, 48, 115, ...",
  example = "tide.ode.tableau.count(8)"}
define{name = "ode.tableau.check", args = "where, tableau", returns = "table",
  options = {{"A", nil, "rows of the matrix, the first may be empty", required = true},
    {"b", nil, "weights", required = true},
    {"c", nil, "nodes; the row sums of A, which are the default"},
    {"b_error", nil, "b minus the weights of the embedded method"},
    {"order", nil, "which must hold; default: what the order conditions say, up to 8"},
    {"name", nil, "for messages"}},
  text = "What odeint does with a tableau given as method: it must be explicit, consistent, and of the order "
  .. "stated.",
  example = "tide.ode.tableau.check(\"mine\", {A = {{}, {0.5}}, b = {0, 1}, c = {0, 0.5}, order = 2}).order"}
