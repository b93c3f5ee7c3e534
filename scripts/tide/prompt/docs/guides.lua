--- Pages of help() about subjects rather than functions; see tide.docs. `about` names the topic whose
-- functions are listed below.

local help = require "tide.help"

help.topic "Guides"
local function guide(entry)
  entry.guide = true
  help.define(entry)
end

guide{name = "start",
  text = [[The first steps. A tensor:

  | x = tide.randn({3, 2}, {seed = 1})

  An ordinary differential equation dy/dt = -y from y(0) = 1, at three times:

  | f = function(t, y) return -y end
  | ys, stats = tide.odeint(f, tide.ones({1}), {0, 0.5, 1})

  A gradient:

  | tide.grad(function(v) return (v * v):sum() end)(x)

  A neural ODE that learns to tell a ball from the shell around it, and its picture:

  | data = tide.data.spheres{dim = 2, inner = 100, outer = 200}
  | model = tide.nn.odenet{dim = 2, augment = 1, seed = 1}
  | history = tide.train{model = model, data = data, optimizer = "adam",
  |   loss = "smooth_l1", epochs = 3}
  | tide.plot.line{y = history.loss, xlabel = "epoch", ylabel = "loss"}:show()

  From here: help "training", help "solvers", help "gradients", help "recording", help "figures", help
  "saving", help "errors". In a script, begin with local tide = require "tide".]],
  example = "tide.odeint(function(t, u) return -u end, tide.ones({1}), {0, 0.5, 1})"}

guide{name = "recording",
  text = [[How tide.grad, vjp, jvp, compile, gradcheck and odeint look at a function: they call it once with
  symbolic tensors, which have shape and dtype but no values, and note each operation on tensors. What was
  noted is then differentiated and run, without Lua.

  Recorded is every operation on tensors, also on tensors that the function takes from outside (upvalues,
  globals): when those change, later runs see it. What depends on parameters alone runs once per solve.

  Random tensors are recorded too: tide.randn inside a compiled function draws anew at each run, inside a
  field once per solve.

  Constants are numbers: what x[1] of a concrete 1-D tensor, x:item() or a Lua variable gave while recording
  stays that number. Keep a tensor instead: x:select(1, i), or a tensor of shape {}. Lua's math functions
  take numbers only: write t:sin(), or tide.sin(t), for math.sin(t).

  Lua's if and while see no values: choose with tide.where(c, a, b). A loop over i = 1, n runs while
  recording and is unrolled.

  Printing a value, or a field that no recording can express: tide.odeint(f, y0, t, {eager = true}) calls f
  with concrete tensors at each evaluation (no gradient).

  tide.compile records once for each structure, shape and dtype of its arguments; tide.grad records at each
  call. tide.explain shows what was recorded.]],
  example = "local a = tide.tensor(2)  local f = tide.compile(function(v) return a * v end)  "
  .. "a:copy_(tide.tensor(3))  f(tide.ones({2}))"}

guide{name = "gradients", about = "Derivatives",
  text = [[tide.grad(fn)(p, ...) differentiates the scalar fn(p, ...) by its first argument, a tensor or a
  table of tensors (a model); further arguments are constants. tide.value_and_grad gives the value as well.
  tide.stop_gradient(x) makes a constant of x. fn must return one number as a tensor: finish with :sum() or
  :mean().

  Several parameters: put them in a table, p = {a = ..., b = ...}; the gradient has the same keys.

  Second derivatives: tide.hessian(fn, p) and tide.jacobian(fn, p) are whole matrices, tide.hvp and
  tide.gauss_newton products with a vector, all of them through solves of any method, too. Compositions work
  to any order: tide.grad of tide.grad, tide.jvp(tide.grad(fn), p, v).

  Through a solve: gradient = "direct" (the default) differentiates the steps that were taken, exactly;
  "checkpoint" gives the same numbers with fewer states kept, for long solves: checkpoints = n states or
  memory = bytes, and steps are made again from these as rarely as can be; "adjoint" solves the adjoint
  equation backwards in constant memory and is as accurate as its tolerances (adjoint = {method =, rtol =,
  atol =, norm = "seminorm"} are those of the solve backwards); "interpolated" is the same with y from the
  recorded solve; "reversible" (alf, reversible_heun, leapfrog_verlet) takes the steps back by algebra, in
  constant memory and as exact as direct; "forward" makes a solve for each number, 256 at most. Step sizes
  count as constants; where that ruins a stiff problem's gradient, direct goes on as "interpolated" (others:
  an error), and stats.made_again says so. After "adjoint" and "reversible" it says that y had to be made in
  another way, and stats.reconstruction_error by how much, as a share, y reconstructed was off.

  By times: where t of odeint is a tensor that the loss depends on, its gradient has dL/dt of every time. On a
  grid it is exact, and the grid of steps = K stretches with the span (multistep methods: through events, and
  with step_size, it is true to their order); steps that adapt are constants, and there dL/dt of an output is
  its cotangent times dy/dt, that of t[1] less the same with the solution behind it. Second ones have f there.

  In doubt: tide.gradcheck(fn, p) compares with central differences in float64.]],
  example = "select(2, tide.jvp(tide.grad(function(v) return (v * v * v):sum() end), x, tide.ones_like(x)))"}

guide{name = "solvers", about = "Solving",
  text = [[Start with the default, dopri5 at rtol = 1e-3, atol = 1e-6, and tighten rtol until the answer no
  longer changes. "tsit5" is much the same; "dop853" pays below 1e-6 (in float64); "bosh3" at loose
  tolerances. float32 states allow rtol >= 1.2e-6: for more make y0 float64.

  atol is what counts as zero: set it well below the size of the smallest part of y that matters; the error
  of a step is compared with atol + rtol |y|. What is controlled is the error of each step; the error at the
  end is often a few times larger.

  Fixed steps, for models that shall cost the same each time: steps = K or step_size = h with "euler",
  "midpoint", "rk4". Check that they are small enough: tide.ode.validity.

  A change of the right-hand side at a known time: jumps = {t, ...}, or stops where only the time is to be
  hit; a short pulse that a long step could pass unseen: max_step. A problem that needs very many steps
  though its solution is smooth is stiff: help "stiff".

  tide.ode.methods() lists all; a tableau of your own is a table {A =, b =, c =, b_error =, order =}, b_error
  being b minus the weights of the embedded method (without it steps are fixed), a multistep method of your
  own {alpha = {a0, ..., ak}, beta = {b0, ..., bk}}, oldest first: sum a_j y_(n+j) = h sum b_j f_(n+j).
  Multistep methods have fixed steps: order = k chooses the order, start = {y1, ...} the states at the ends of
  the first steps, which a one-step method makes otherwise. What is true of any of them, its order, its
  stability, its error constant, tide.theory says: help(tide.theory).]],
  example = "for _, m in ipairs(tide.ode.methods()) do print(m.name, m.order) end"}

-- What is worth saying about a method beside its order.
local notes = {euler = "the steps of a ResNet", midpoint = "", heun = "the trapezoid rule, explicit",
  ralston = "the smallest error bound of its order", heun3 = "", kutta3 = "Simpson's rule",
  ssprk33 = "Shu and Osher: keeps what convex sums of Euler steps keep",
  rkf45 = "Fehlberg's pair, the step of order 4", cash_karp = "Cash and Karp 5(4)",
  alf = "the asynchronous leapfrog, of MALI: one evaluation a step",
  reversible_heun = "Kidger and others: one evaluation a step",
  leapfrog_verlet = "states {q, p} of H = T(p) + V(q): the energy stays",
  vern7 = "Verner's most efficient 7(6): tight tolerances", rk4 = "the classic one",
  rk4_38 = "the 3/8 rule, torchdiffeq's rk4", heun_euler = "very loose tolerances",
  fehlberg21 = "torchdiffeq's fehlberg2",
  bdf = "stiff problems; without a grid of variable order and steps",
  adams = "variable order: smooth problems whose f is dear, tight tolerances",
  bosh3 = "Bogacki and Shampine, MATLAB's ode23: loose tolerances",
  dopri5 = "Dormand and Prince 5(4): the default",
  dopri5_shampine = "torchdiffeq's dopri5: other error weights", tsit5 = "Tsitouras 5(4): much like dopri5",
  dopri8 = "Dormand and Prince 8(7): tight tolerances, in float64",
  dop853 = "Hairer's, with the steps of SciPy's DOP853: tight tolerances, in float64",
  implicit_euler = "backward Euler", implicit_midpoint = "Gauss, one stage: symplectic", trapezoid = "",
  theta = "option theta, the weight of the new end", sdirk2 = "Alexander's",
  trbdf2 = "stiff, loose tolerances",
  kvaerno3 = "Kvaerno 3(2): stiff", kvaerno5 = "Kvaerno 5(4): stiff; looks 0.23 h beyond its steps",
  ros3p = "Lang and Verwer: stiff, loose tolerances; two evaluations a step, no iterations",
  rodas4 = "Hairer and Wanner's RODAS: stiff, small states, no iterations",
  gauss4 = "symplectic", gauss6 = "symplectic", radau3 = "Radau IIA, two stages: stiff",
  radau5 = "Radau IIA, as in Hairer and Wanner's RADAU5: stiff, also where others fail",
  auto = "tsit5, and radau5 while the problem is stiff, or other pairs (nonstiff =, stiff =); stats.switches"}

-- "| dopri5           order 5, adaptive, 7 stages: the default"
local function method_lines()
  local lines = {}
  for i, method in ipairs(require("tide").ode.methods()) do
    local note = (notes[method.name] or "") ~= "" and ": " .. notes[method.name] or ""
    local least = method.least_order
    local orders = least and least < method.order and ("%d to %d"):format(least, method.order) or method.order
    lines[i] = ("  | %-16s order %s, %s%s"):format(method.name, orders, method.kind, note)
  end
  return table.concat(lines, "\n")
end

guide{name = "methods",
  text = "The values of method, for tide.odeint and the solver of a model; tide.ode.methods() has their "
  .. "tableaus.\n\n" ..
    method_lines() .. [[


  Methods marked adaptive choose their steps by rtol and atol, or take fixed ones with steps or step_size;
  the others take fixed steps only. help "solvers" says how to choose.]],
  example = "tide.odeint(function(t, u) return -u end, tide.ones({1}), {0, 1}, {method = \"rk4\", steps = "
  .. "10})"}

guide{name = "training", about = "Training",
  text = [[tide.train{model =, data = {x =, y =}, optimizer =, loss =, batch =, epochs =} does the loop,
  with progress, records and checkpoints. The loop by hand:

  | local step = tide.compile(tide.value_and_grad(loss))
  | local value, gradient = step(model, x, y)
  | opt:step(gradient)

  Learning rate: lr of the optimiser, 1e-3 for adam by default. When the loss jumps about, is not finite, or
  a solve fails in the middle of a training, divide it by ten; when it falls slowly and smoothly, raise it.
  opt.lr = 1e-4 counts from the next step on; a function of the step is a schedule, such as lr =
  optim.schedule.cosine{lr = 1e-2, steps = 1000}.

  Losses: "mse" and "smooth_l1" for numbers, "cross_entropy" for int64 class labels 1..k against logits of
  shape N,k, "binary_cross_entropy" for targets 0/1 against logits of their shape; a function(prediction, y);
  or, for all that is no pair of x and y (densities, time series), a function(model, batch), whose second
  result names further numbers for the records:
  | local loss = function(net, batch)
  |   local miss = net(batch.x) - batch.y
  |   return (miss * miss):mean(), {largest = miss:abs():max()}
  | end
  | local seen, held = tide.data.split(data, {0.8, 0.2})
  | tide.train{model = model, data = seen, validation = held, loss = loss, optimizer = "adam", epochs = 3,
  |   keep_best = true, early_stop = {patience = 5}}

  What it has learned: tide.predict(model, x), tide.evaluate(model, data) and tide.metrics. model(x) alone is
  a call of the training, which dropout and batch norm are about, unless it says {training = false}.

  Few parameters and all data at once, as when a model of ODEs is fitted: optim.lbfgs, or
  optim.levenberg_marquardt for sums of squares.

  Data: the first axis counts samples. Scale inputs to about 1: a field with large inputs needs many steps.

  Evaluations per solve that grow with training: the flow becomes hard. augment > 0, weight_decay, a smaller
  learning rate help.]],
  example = "tide.train{model = model, data = data, optimizer = tide.optim.adam(model, {lr = 1e-2}), epochs "
  .. "= 1, quiet = true}.loss"}

guide{name = "saving", about = "Files",
  text = [[A model is a table of tensors: tide.save("m.npz", model) writes its weights, and
  tide.nn.load(model, tide.load("m.npz")) puts them into a model built by the same code. The code itself is
  not saved; numbers, strings and booleans of a plain table are: tide.save("m.npz", {model = model, epoch = 3,
  name = "first"}). .npz is read by NumPy, .safetensors by PyTorch and others, .npy holds one tensor.

  A long training: checkpoint = "run.npz" among tide.train's options; the same script goes on where it was
  killed, with the same bits. By hand, save {model = model, opt = opt:state()} and use nn.load and
  opt:load_state.

  Tables of results: tide.csv. Figures: fig:save("a.png"), with the script and the data beside it.

  A file appears under its name whole or not at all; files are parsed, never executed.]],
  example = "tide.save(folder .. \"/m.npz\", model)  tide.nn.load(model, tide.load(folder .. \"/m.npz\"))"}

guide{name = "figures", about = "Plots",
  text = [[tide.plot.line{x =, y =} and its kin return a figure; fig:save("a.png"), .svg or .pdf draws it
  with gnuplot, fig:show() shows it here, fig:add{...} adds a series, tide.plot.panels{a, b, columns = 2}
  puts figures side by side. Data are lists or 1-D tensors.

  All options stand in one table: tide.plot.line{y = losses, ylog = true, xlabel = "epoch", title = "loss",
  color = "blue", name = "adam"}. xlog, ylog, xrange, yrange, xticks, legend belong to the axes: help
  "plot.figure".

  Means over seeds: plot.band{runs = ...}, plot.errorbar; samples: plot.histogram; flows in the plane:
  plot.trajectories, plot.quiver, plot.streamlines; a matrix: plot.image, plot.heatmap with its numbers,
  plot.contour, plot.surface. fig:inset(other) puts a figure into another, plot.animation{a, b, ...} makes a
  gif of several.]],
  example = "tide.plot.line{y = {1, 0.1, 0.01}, ylog = true, xlabel = \"epoch\"}"}

guide{name = "reproducibility",
  text = [[tide.seed(n) sets the generator of all random numbers: the same seed gives the same numbers with
  any number of threads. The option seed of a call (tide.randn, nn.linear, data.spheres, ...) uses numbers
  of its own and leaves the generator alone. tide.train orders its batches by its own seed, 1 unless told
  otherwise.

  Results repeat bit for bit on one machine with the same seed and do not depend on the number of threads.
  Another processor may differ in the last bits, and training amplifies that: TIDE_ISA=generic or avx2 makes
  machines more alike.

  A training that goes on from a checkpoint gives the bits of one that ran in one go.

  tide.experiment.provenance writes command, commit and engine into the head of a result file.]],
  example = "tide.seed(1)  local a = tide.randn({2})  tide.seed(1)  assert(tide.randn({2})[1] == a[1])"}

guide{name = "numbers",
  text = [[Tensors are float32 unless told otherwise: {dtype = "float64"} in calls that make them,
  x:to("float64") afterwards, tide.set_default_dtype("float64") for all that follow. float32 with float64
  gives float64; numbers never change a dtype. Axes, indices and class labels count from 1, negative ones
  from the end.

  Lua's own numbers are float64. x[1] of a 1-D tensor, and x:item(), give such a number: 0.1 in float32 is
  0.10000000149011612 then, as print shows. The prompt shows a number that a float32 holds exactly by the
  digits that tell it from other float32 numbers: 0.1. "%.17g" shows all.

  Tensors print with 4 decimals, all entries alike: fixed where no entry would show as zero, else in powers
  of ten. Fewer than 1000 elements stand there whole, of more the ends. tide.set_print{precision = 8,
  threshold = math.huge} changes that.

  NaN is a number that equals nothing, itself neither: x:ne(x) finds it. Integers wrap around at 2^63.]],
  example = "tide.tensor({0.1}, {dtype = \"float64\"})[1] == 0.1"}

guide{name = "speed",
  text = [[Compile what runs often: tide.compile(tide.value_and_grad(loss)) records once; tide.train does. A
  loop of many small operations on concrete tensors pays Lua's price for each.

  One solve of a batch beats a loop over samples. Looser tolerances and fewer output times cost less;
  stats.nfe counts evaluations.

  tide.explain(fn, ...) shows operations and bytes of each part. tide.threads(n) sets the threads,
  TIDE_THREADS at the start; small batches use one. tide.set_matmul_precision("high") trades bits of float32
  products for speed on processors that have bfloat16.

  Memory: gradient = "checkpoint" or "adjoint" keeps fewer states of a solve; a smaller batch; tide.memory()
  tells what is in use.

  Many runs: tide.sweep.run, one process each.]],
  example = "tide.explain(tide.value_and_grad(loss), model, x, y)"}

guide{name = "events",
  text = [[Events of a solve are zeros of functions g(t, y) along the solution. odeint takes a list of them:

  | events = {{g = function(t, y) return y[1] end, name = "floor", direction = -1,
  |   apply = function(t, y) return tide.stack{y[1], -0.9 * y[2]} end}}

  g returns a number or a tensor of one element. direction: 1, only where g grows along the solve; -1, only
  where it falls; 0, both. terminal = true ends the solve at the first one, terminal = n at the n-th; later
  output times repeat the state there, stats.t_end says where. apply(t, y) returns the state with which the
  solve goes on. An output exactly at an event is the state behind it.

  stats.events lists them in order, a table for each: t, y (before apply), event (its place in the list),
  name, direction (1 or -1).

  With per_sample = true each sample has its own events: g returns a number for each, see tide.odeint.

  g and apply are recorded as f is, also beside a field in C; with eager or plain they are called with what f
  gets. Events that change nothing do not change the steps, nor nfe where the method's interpolant needs no
  evaluation of its own.

  An event is a change of sign. Where g is 0 at the beginning, or just behind apply, is none; one that touches
  0 and turns back need not be found. Two zeros of one g in one step are both found when they are more than
  2 % of the step apart; max_step keeps steps short where g is wilder. t is exact, of the solution computed.
  Where an event acts, methods whose interpolant is coarse (dopri5, tsit5, ...) make its step again.

  A ball that bounces ever faster comes to events that t cannot tell apart. That is an error with the status
  "underflow": make the event terminal, or let apply bring the ball to rest.

  Gradients of every kind go through events: the state behind one and all that follows depend on when it
  happened. "forward", second derivatives and tide.jvp do so as the solution does, on a grid true to the order
  of the method. tide.ode.event gives the time of the first one, or of that of each sample.]],
  example = [[ys, stats = tide.odeint(function(t, y) return tide.stack{y[2], -9.81} end,
    tide.tensor{1, 0}, {0, 1, 2}, {events = {{g = function(t, y) return y[1] end, name = "floor",
    direction = -1, apply = function(t, y) return tide.stack{y[1], -0.9 * y[2]} end}}})
  for _, e in ipairs(stats.events) do print(e.t, e.name, e.y) end]]}

guide{name = "failures",
  text = [[A solve that cannot go on, and a training that meets numbers that are none, raise an error that
  prints as its message and is a table. Its status says what happened, for a program to act on:

  "not_finite": NaN or Inf in y0, f, y, a loss, a gradient or a weight.

  "underflow": no step is small enough, or t does not resolve the step.

  "max_steps": the solve needs more than max_steps.

  "stiff": so it does, and the problem was seen to be stiff.

  "max_nfe", "max_seconds": so many evaluations are made, or so much time has passed.

  "newton": an implicit step cannot be solved.

  "interrupted": Ctrl-C.

  Its other fields, as far as they are known: kind ("numeric" for all of these but "interrupted"), message,
  remedy; t, the last accepted time; h, the step that was tried; steps, accepted and nfe until then; element
  and part, the first one that is not finite, of the state and of a table of tensors; backward, true on the
  way back of a gradient. tide.train adds iteration, learning_rate, block (the place of the ODE block in the
  model) or loss; optimisers add step.

  With on_failure = "return" a solve that fails is no error: its failure is stats.failure, and states at times
  that were not reached are NaN. There is no gradient through it. Ctrl-C, errors of f and of wrong calls stay
  errors.

  tide.attempt(fn, ...) returns failures and lets other errors pass. Errors of wrong calls are texts; of them
  e.status is nil. As a text a failure is used by .., #, e:find and the other methods; where a string itself
  is wanted, string.find(s, ...) or io.write, write tostring(e).

  A failure can be raised again, error(e, 0), and fields can be added to it on the way.]],
  example = [[local ok, e = tide.attempt(tide.odeint, function(t, u) return u * u end, tide.ones{1}, {0, 2})
print(ok, e.status, e.t, e.steps)
print(e)
local ys, stats = tide.odeint(function(t, u) return u * u end, tide.ones{1}, {0, 0.5, 2},
  {on_failure = "return"})
print(ys, stats.failure and stats.failure.status)]]}

guide{name = "errors",
  text = [[Messages and what helps.

  "NaN or Inf in f(t0, y0)": the field gives no finite number at the start. Look at the inputs and the
  parameters: log, sqrt or division of values <= 0, weights that are NaN already. A root or a norm at 0 has
  no finite slope: add a small number inside.

  "NaN or Inf" later: with fixed steps, they are too long, or the solution grows without bound. In training:
  a smaller learning rate; weights and inputs of size 1.

  "became NaN or Inf on the way back": the loss is finite, and f has no finite derivative somewhere along the
  solution: a root or a norm at 0, also in a branch that tide.where does not take (make its argument harmless
  inside the branch). A loss that is NaN itself gives gradients that are NaN.

  "step size underflow": no step is small enough. The solution goes to infinity: end the span before. A jump
  of the field: give its times as jumps. A tolerance below what float32 holds: make y0 float64. Weights that
  diverged: a smaller learning rate.

  "the solve needs more than max_steps": a stiff problem (help "stiff"), a span far longer than the time
  scale of the field, or tolerances tighter than needed. Raise max_steps when the message says that few are
  missing.

  "the loss is inf" or "not finite" in training: nothing was changed by that step. Scale the data to size 1,
  divide the learning rate by ten.

  "a symbolic tensor has no value", "tensors are compared element by element", "number expected, got
  tide.Tensor": values were asked for while recording, or math.sin was written for t:sin(). help "recording"
  says what to write.

  "must have one shape": {n} against {n, 1} wants y:reshape{n, 1}. "labels must be int64": class labels
  count from 1, y:to("int64").

  "unknown option", "unknown field": a misspelt key; the message lists the valid ones.

  "out of memory": help "memory". "interrupted": Ctrl-C.

  A program does not read messages: help "failures".]],
  example = "select(2, pcall(tide.odeint, function(t, u) return u end, x, {0, 1}, {rtoll = 1e-3}))"}
