--- Help about derivatives, solving, models, training and data; see tide.docs.

local help = require "tide.help"
local ode_options = require "tide.ode.options"

local define = help.define
local join = help.join

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
  floating-point operations (a multiply-add is two) and bytes; for each ODE solve inside also what is computed
  once per solve and what each evaluation runs, forwards and backwards. Nothing is computed. The totals:
  recorded.nodes, .operations, .bytes; optimised.calls, .operations, .bytes, .arena_bytes, .common, .dead,
  .views; solves[i].recorded, .setup, .evaluation and .backward alike, .tiles, .rows.]],
  example = "tide.explain(tide.value_and_grad(loss), model, x, y)"}
define{name = "tide.gradcheck", args = "fn, p, opts", returns = "boolean, worst relative error, report",
  options = {{"tolerance", 1e-6, "largest error |a - n| / max(1, |n|) that passes"},
    {"step", 1e-6, "of the differences"}},
  text = [[Does the gradient of fn agree with central differences in float64? fn may return any tensor; p is
  copied to float64. If not, the report says where: name, index, gradient, difference; it prints itself.]],
  example = "tide.gradcheck(function(v) return v:sin() end, x)"}

help.topic "Solving"
define{name = "tide.attempt", args = "fn, ...", returns = "boolean, what fn returns | a failure",
  text = [[Call fn(...) as pcall does, where a solve that fails is a result: true and what fn returned, or
  false and the failure, an error with a status (help "failures"). Every other error, of a wrong call or
  Ctrl-C, goes on. Failures of a training count as well: a loss, a gradient or a weight that is not finite.]],
  example = "tide.attempt(tide.odeint, function(t, u) return u * u end, tide.ones{1}, {0, 2})"}
define{name = "tide.odeint", args = "f, y0, t, opts", returns = "ys, stats", options = ode_options.help(),
  text = [[Solve dy/dt = f(t, y) from y(t[1]) = y0. y0 is a float tensor or a table of up to 64 (one dtype). t
  is a table or a 1-D tensor of two or more strictly monotone times, up or down; times between the first and
  the last come from the interpolant and do not change adaptive steps. ys has shape {#t, ...}; its first entry
  is y0.

  f is recorded once: inside it t is a scalar tensor, and Lua's if sees no values (use tide.where, or eager =
  true).

  stats: nfe (evaluations of f), steps (accepted + rejected), nfe_backward. Give rtol and atol, or step_size,
  or steps. While a solve is only recorded, its stats are not known yet; a compiled function returns those of
  each run.

  Errors name t, h and a remedy: too many steps, step size underflow, NaN or Inf. Where the problem looks
  stiff (the steps of an explicit method are held down by stability, so that tolerances do not matter) they
  say so. The error of each step is controlled; the error at the end is often a few times larger, and much
  larger for unstable problems.]],
  example = [[tide.odeint(function(t, u) return -u end, tide.ones({1}), {0, 1}, {rtol = 1e-5})
  local function dose(t, u) return tide.where(tide.gt(t, 5), tide.where(tide.lt(t, 5.05), 20, 0), 0) - u end
  tide.odeint(dose, tide.ones({1}), {0, 10}, {jumps = {5, 5.05}})   -- the times are known
  tide.odeint(dose, tide.ones({1}), {0, 10}, {max_step = 0.02})     -- only that it is short]]}
define{name = "ode.odeint", args = "f, y0, t, opts", returns = "ys, stats",
  text = "The same function as tide.odeint."}
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
  text = [[The methods that odeint knows: name, order, error_order, stages, kind ("fixed" or "adaptive"),
  fsal, and the tableau A, b, c, b_error. "rk4" is the classic one, "rk4_38" the 3/8 rule; "dopri5" has the
  error weights of 1980, "dopri5_shampine" those of torchdiffeq. The error estimate of "fehlberg21" is 1/512
  of a difference of slopes and all but blind where the method is about to become unstable: at tolerances
  looser than 1e-4 its results can be wrong by powers of ten where "heun_euler" and "bosh3" are right.]],
  example = "for _, m in ipairs(tide.ode.methods()) do print(m.name, m.order, m.kind) end"}
define{name = "ode.initial_step", args = "f, t0, y0, p, rtol, atol", returns = "number",
  text = [[Hairer's starting step (Solving ODEs I, p. 169) for an error estimate of order p, with sc = atol +
  rtol |y0| in the RMS norm and exponent 1/(p+1). f runs on concrete tensors.]],
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
    {"c", nil, "nodes, the row sums of A", required = true},
    {"b_error", nil, "b minus the weights of the embedded method"},
    {"order", nil, "order, which must hold", required = true}, {"name", nil, "for messages"}},
  text = "What odeint does with a tableau given as method: it must be explicit, consistent, and of the order "
  .. "stated.",
  example = "tide.ode.tableau.check(\"mine\", {A = {{}, {0.5}}, b = {0, 1}, c = {0, 0.5}, order = 2}).order"}

help.topic "Convolution"
local convolution = {{"stride", 1, "distance between positions of the filter"},
  {"padding", 0, "zeros added at both ends of an axis"},
  {"dilation", 1, "distance between taps of the filter"},
  {"groups", 1, "channels are cut into so many independent groups"}}
define{name = "tide.conv1d", args = "x, w, b, opts", returns = "tensor", options = convolution,
  text = [[Cross-correlation with zero padding and PyTorch's output sizes. x N,C,L; w O,C/groups,k; b O or
  nil; the result N,O,(L + 2 padding - dilation (k - 1) - 1) // stride + 1.]],
  example = "tide.conv1d(tide.ones({1, 2, 8}), tide.ones({3, 2, 3}), nil, {padding = 1})"}
define{name = "tide.conv2d", args = "x, w, b, opts", returns = "tensor", options = convolution,
  text = [[Cross-correlation with zero padding and PyTorch's output sizes. x N,C,H,W; w O,C/groups,kh,kw; b O
  or nil. Options are integers or {h, w}.]],
  example = "tide.conv2d(tide.ones({1, 2, 8, 8}), tide.ones({3, 2, 3, 3}), tide.zeros({3}), {stride = 2, "
  .. "padding = {1, 1}})"}

help.topic "Models"
local layer = {
  {"init", "default", [["default": PyTorch's, uniform within 1/sqrt(fan_in); "kaiming" (normal, zero bias),
    "xavier", "normal", "orthogonal",
    "zeros"]], quote = true},
  {"std", 0.02, "standard deviation for init = \"normal\""}, {"bias", true, "false: no bias"},
  {"dtype", "float32", "\"float32\" or \"float64\"", quote = true},
  {"seed", nil, "seed of the weights; default: the generator that tide.seed sets"},
}
local field_options = {{"act", "relu", "activation between the layers, see nn.activation", quote = true}}
define{name = "nn.linear", args = "n_in, n_out, opts", returns = "model", options = layer,
  text = [[x W^T + b over the last axis; weight has shape {n_out, n_in}. A model is a plain table of tensors
  that can be called: model(x).]], example = "tide.nn.linear(2, 32)(x):shape()"}
define{name = "nn.conv1d", args = "c_in, c_out, k, opts", returns = "model",
  options = join(layer, convolution),
  text = "A layer around tide.conv1d: N,c_in,L to N,c_out,L'.",
  example = "tide.nn.conv1d(1, 4, 3, {padding = 1})"}
define{name = "nn.conv2d", args = "c_in, c_out, k, opts", returns = "model",
  options = join(layer, convolution),
  text = "A layer around tide.conv2d: N,c_in,H,W to N,c_out,H',W'; k is an integer or {kh, kw}.",
  example = "tide.nn.conv2d(1, 4, 3, {padding = 1})"}
define{name = "nn.mlp", args = "opts", returns = "model",
  options = join({{"sizes", nil, "features of input, hidden layers and output", required = true}},
    field_options,
    {{"time", false, "true: a field f(t, y) that gets t as one more input"}}, layer),
  text = "Linear layers with an activation between them, none at the end. Called as f(t, y), or f(y) without "
  .. "time.",
  example = "tide.nn.mlp{sizes = {2, 32, 32, 2}, act = \"tanh\", time = true}"}
define{name = "nn.conv_field", args = "opts", returns = "model",
  options = join({{"channels", nil, "of the state", required = true},
    {"filters", nil, "of the hidden layers", required = true}}, field_options,
    {{"time", false, "true: t is one more channel of every layer"},
      {"dims", 2, "2 for images, 1 for signals"}}, layer),
  text = "The convolutional field of the ANODE paper: kernels 1, 3 (padding 1), 1.",
  example = "tide.nn.conv_field{channels = 3, filters = 8}"}
define{name = "nn.activation", args = "name", returns = "model",
  text = "A layer: relu, tanh, sigmoid, softplus, sin, cos, exp, abs, square or identity.",
  example = "tide.nn.activation(\"tanh\")(x)"}
define{name = "nn.chain", args = "layers", returns = "model",
  text = "Layers one after another; a name stands for an activation, a function for itself.",
  example = "tide.nn.chain{tide.nn.linear(2, 8), \"tanh\", tide.nn.linear(8, 1)}(x)"}
define{name = "nn.flatten", args = "", returns = "model", text = "Joins all axes but the first.",
  example = "tide.nn.flatten()(tide.ones({2, 3, 4}))"}
define{name = "nn.augment", args = "p", returns = "model",
  text = "Appends p zero features (N,d) or channels (N,C,...): the A of ANODE.",
  example = "tide.nn.augment(3)(x):shape()"}
define{name = "nn.odeblock", args = "field, solver", returns = "model",
  text = [[block(x) gives y(1) of dy/dt = field(t, y), y(0) = x, and the statistics. solver: options of
  tide.odeint, and t = {t0, t1} for another span. block(x, {solver = {...}}) overrides some for one call.]],
  example = "tide.nn.odeblock(function(t, u) return -u end, {method = \"rk4\", steps = 10})(x)"}
define{name = "odeblock:trajectory", args = "x, times, opts", returns = "states, stats",
  text = "The states at the given times, {#times, N, ...}; opts as in the call of the block.",
  example = "tide.nn.odeblock(function(t, u) return -u end):trajectory(x, {0, 0.5, 1})"}
define{name = "nn.odenet", args = "opts", returns = "model",
  options = join({{"dim", nil, "features of the data", required = true}, {"hidden", 32, "width of the field"},
    {"augment", 0, "zero features appended"}, {"out", 1, "features of the result"},
    {"time", true, "the field sees t"}}, field_options,
    {{"solver", nil, "options of tide.odeint; default dopri5, rtol = atol = 1e-3"},
      {"readout", true, "false: no linear layer at the end, the result is the state"}}, layer),
  text = [[The (augmented) neural ODE of the ANODE paper for vectors: augment, an ODE block over a field with
  two hidden layers, a linear layer. model(x, {solver = {...}}) overrides solver options for one call.]],
  example = "tide.nn.odenet{dim = 2, augment = 1}(x)"}
define{name = "odenet:features", args = "x, opts", returns = "tensor",
  text = "The state at the end of the ODE block, before the linear layer.",
  example = "tide.nn.odenet{dim = 2}:features(x)"}
define{name = "odenet:trajectory", args = "x, times, opts", returns = "states, stats",
  text = "The states of the ODE block at the given times, {#times, N, ...}.",
  example = "tide.nn.odenet{dim = 2}:trajectory(x, {0, 0.5, 1})"}
define{name = "nn.conv_odenet", args = "opts", returns = "model",
  options = join(
  {{"image", nil, "{channels, height, width}, or {channels, length} for signals", required = true},
    {"filters", nil, "of the field", required = true},
    {"augment", 0, "zero channels appended"}, {"classes", 10, "features of the result"},
    {"time", false, "the field sees t; the paper's counts of parameters are without"}}, field_options,
    {{"solver", nil, "options of tide.odeint; default dopri5, rtol = atol = 1e-3"}}, layer),
  text = "The (augmented) neural ODE of the ANODE paper for images; it has the methods of nn.odenet.",
  example = "tide.nn.count(tide.nn.conv_odenet{image = {1, 28, 28}, filters = 92})"}
define{name = "nn.resnet", args = "opts", returns = "model",
  options = join({{"dim", nil, "features of the data", required = true},
    {"hidden", 32, "width of the blocks"}, {"layers", 5, "number of blocks"},
    {"out", 1, "features of the result"}}, field_options, layer),
  text = "The ResNet of the ANODE paper: blocks x + act(W2 act(W1 x)), then a linear layer.",
  example = "tide.nn.resnet{dim = 2}(x)"}
define{name = "resnet:features", args = "x", returns = "tensor", text = "The state before the linear layer.",
  example = "tide.nn.resnet{dim = 2}:features(x)"}
define{name = "nn.count", args = "model", returns = "integer",
  text = "The number of trainable values: elements of float tensors.",
  example = "tide.nn.count(model)"}
define{name = "nn.parameters", args = "model", returns = "list",
  text = "Float tensors of a model in order: {name = \"layers[1].weight\", shape =, count =, tensor =}.",
  example = "for _, p in ipairs(tide.nn.parameters(model)) do print(p.name, p.count) end"}
define{name = "nn.load", args = "model, weights", returns = "model",
  text = "Put weights that tide.load returns into the tensors of a model like the one that was saved, in "
  .. "place; all names and shapes are checked first.",
  example = "tide.save(folder .. \"/weights.npz\", model)  tide.nn.load(model, tide.load(folder .. "
  .. "\"/weights.npz\"))"}
define{name = "nn.with_seed", args = "seed, make", returns = "what make() returns",
  text = "Run make() with the default generator set to seed, then put the generator back; seed nil just runs "
  .. "it.",
  example = "tide.nn.with_seed(1, function() return tide.nn.linear(2, 2) end)"}

help.topic "Losses"
define{name = "tide.mse", args = "prediction, target", returns = "scalar",
  text = "Mean of (prediction - target)^2; shapes must be equal.",
  example = "tide.mse(x, y)"}
define{name = "tide.smooth_l1", args = "prediction, target", returns = "scalar",
  text = "Mean of d^2 / 2 where d = |prediction - target| < 1, of d - 1/2 elsewhere (PyTorch's, beta = 1).",
  example = "tide.smooth_l1(x, y)"}
define{name = "tide.cross_entropy", args = "logits, labels", returns = "scalar",
  text = "Mean over the samples of -log softmax(logits)[label]; logits N,classes,...; labels 1-based int64 "
  .. "of shape N,...",
  example = "tide.cross_entropy(x, tide.tensor({1, 2, 2, 1}, {dtype = \"int64\"}))"}

help.topic "Training"
local rate_text = "learning rate, or a function(step) that returns it; steps count from 1"
local rate = {"lr", nil, rate_text, required = true}
local adam = {{"lr", 1e-3, rate_text}, {"betas", {0.9, 0.999}, "decay of the two moments"},
  {"eps", 1e-8, "added to the root"}}
define{name = "optim.sgd", args = "model, opts", returns = "optimiser",
  options = {rate, {"momentum", 0, "no dampening, no Nesterov"}, {"weight_decay", 0, "L2 penalty"}},
  text = [[PyTorch's SGD. Its options are fields, as those of every optimiser: opt.lr is read and set, opt.lr
  = 0.01 counts from the next step on. A number that is not finite (gradient, weight or moment) is an error
  that names its place and changes nothing.]],
  example = "tide.optim.sgd(model, {lr = 0.1, momentum = 0.9})"}
define{name = "optim.adam", args = "model, opts", returns = "optimiser",
  options = join(adam, {{"weight_decay", 0, "L2 penalty"}}),
  text = "PyTorch's Adam.",
  example = "tide.optim.adam(model, {lr = function(step) return 1e-2 * 0.5 ^ (step // 100) end})"}
define{name = "optim.adamw", args = "model, opts", returns = "optimiser",
  options = join(adam, {{"weight_decay", 1e-2, "decoupled from the gradient"}}), text = "PyTorch's AdamW.",
  example = "tide.optim.adamw(model)"}
define{name = "optim.rmsprop", args = "model, opts", returns = "optimiser",
  options = {{"lr", 1e-2, rate_text}, {"alpha", 0.99, "decay of the mean square"},
    {"eps", 1e-8, "added to the root"},
    {"weight_decay", 0, "L2 penalty"}}, text = "PyTorch's RMSprop, without momentum and not centred.",
    example = "tide.optim.rmsprop(model)"}
define{name = "optimiser:step", args = "grads",
  text = "Update the model in place with gradients of its structure, as tide.grad returns them.",
  example = "tide.optim.adam(model):step(tide.grad(loss)(model, x, y))"}
define{name = "optimiser:rate", args = "step", returns = "number",
  text = "The learning rate of a step, counted from 1; default the next one.",
  example = "tide.optim.sgd(model, {lr = function(step) return 1 / step end}):rate(4)"}
define{name = "optimiser:state", args = "", returns = "table",
  text = [[What must be saved to resume exactly: step count, moments, options as they are now; tide.save takes
  it. An option that is a function is not in it: whoever goes on gives it anew.]],
  example = "tide.save(folder .. \"/adam.npz\", tide.optim.adam(model):state())"}
define{name = "optimiser:load_state", args = "state",
  text = "Go on from what optimiser:state() returned, for the same kind of optimiser and a model of the same "
  .. "shapes.",
  example = "local opt = tide.optim.adam(model)  opt:load_state(opt:state())"}
define{name = "tide.train", args = "opts", returns = "history",
  options = {{"model", nil, "called as model(x)", required = true},
    {"data", nil, "{x =, y =}, samples along the first axis", required = true},
    {"optimizer", nil, "from tide.optim, or a name for its defaults", required = true},
    {"loss", "mse", [["mse", "smooth_l1", "cross_entropy" or a function(prediction, y)]], quote = true},
    {"batch", 64, "samples per step"},
    {"epochs", nil, "passes over the data; give this or iterations"}, {"iterations", nil, "steps"},
    {"seed", 1, "order of the batches"},
    {"shuffle", true, "false: the order of the data"},
    {"drop_last", false, "true: leave out a last incomplete batch"},
    {"solver", nil, "solver options for the calls of the model"},
    {"record_every", nil, "steps per record; default an epoch, or 1/50 of the steps"},
    {"callback", nil, "function(record, model, optimizer) at each record; returning false stops"},
    {"quiet", false, "true: no progress"},
    {"label", nil, "in front of the progress"},
    {"history", nil, "a table for the records, so that they survive an error"},
    {"adaption", nil,
      "chooses the solver's options from step to step, see step_adaption.new; not with solver"},
    {"checkpoint", nil, "a file (.npz, .safetensors) from which a training that was cut off goes on, with "
    .. "the same bits"},
    {"checkpoint_every", 60, "seconds between checkpoints; there is one at the start and at the end as well"},
    {"checkpoint_config", nil, "a text, settings of your own say: a checkpoint with another one is refused"}},
  text = [[Train in place, by one compiled step. history is a list of records iteration, epoch, loss, accuracy
  (for int64 labels and for targets -1/+1), nfe_forward, nfe_backward, seconds: means over the batches since
  the record before. history.loss and so on are the columns; numbers that the callback adds to a record are
  kept there. A checkpoint holds weights (.model, for nn.load), optimizer, adaption, history, generator and
  place; remove the file to start anew. Progress goes to standard error: a bar on a terminal, else lines. A
  loss, gradient, weight or moment that is not finite and a failed solve are errors that say where; weights,
  moments and checkpoint are as before the step.]],
  example = "tide.train{model = model, data = data, optimizer = \"adam\", loss = \"smooth_l1\", epochs = 2, "
  .. "quiet = true}.loss"}
define{name = "tide.evaluate", args = "model, data, opts", returns = "{loss =, accuracy =, nfe =}",
  options = {{"loss", "cross_entropy", "as in tide.train", quote = true}, {"batch", 256, "samples per step"},
    {"solver", nil, "solver options for the calls of the model"}},
  text = "Means over all samples; nfe is per batch.",
  example = "tide.evaluate(model, data, {loss = \"mse\"}).loss"}

help.topic "Data"
local float = {"dtype", "float32", "\"float32\" or \"float64\"", quote = true}
define{name = "data.spheres", args = "opts", returns = "{x =, y =}",
  options = {{"dim", 2, "dimension"}, {"inner", 1000, "points of the ball"},
    {"outer", 2000, "points of the shell"},
    {"r1", 0.5, "radius of the ball"}, {"r2", 1.0, "inner radius of the shell"},
    {"r3", 1.5, "outer radius of the shell"}, {"seed", 1, ""}, float},
  text = "g(x) of the ANODE paper: x {n, dim}; y {n, 1} is -1 for |x| <= r1 and +1 for r2 <= |x| <= r3.",
  example = "tide.data.spheres{dim = 2, inner = 10, outer = 20}.x:shape()"}
define{name = "data.flip1d", args = "opts", returns = "{x =, y =}",
  options = {{"n", 500, "points, half on each side"},
    {"task", "flip", [["flip": -1 to 1 and 1 to -1; "identity"]], quote = true},
    {"noise", 0, "standard deviation of x"}, {"seed", 1, ""}, float},
  text = "The one-dimensional tasks of figure 3 of the ANODE paper; x and y {n, 1}.",
  example = "tide.data.flip1d{n = 4}.y"}
define{name = "data.sines", args = "opts", returns = "{x =, y =}",
  options = {{"dim", 2, "dimension; further ones are noise"}, {"n", 3000, "points"},
    {"shift", 1.4, "distance of the curves"},
    {"noise", 0.1, "standard deviation of the height"}, {"seed", 1, ""}, float},
  text = "Two sine curves, one above the other: x {n, dim}; y {n, 1} is +1 for the upper and -1 for the "
  .. "lower one.",
  example = "tide.data.sines{n = 10}.x:shape()"}
define{name = "data.three_spheres", args = "opts", returns = "{x =, y =}",
  options = {{"dim", 2, "dimension"}, {"n", 2000, "points"},
    {"radii", {{0.1, 0.15}, {0.25, 0.3}, {0.4, 0.45}},
    "{low, high} of each shell, from the inside out"},
    {"classes", {1, 2, 1}, "class of each shell"}, {"seed", 1, ""}, float},
  text = [[Concentric shells of the step-size paper (section 3.1): x {n, dim}; y {n}, int64, 2 for the shell
  in the middle. Classes are equally large; so are the shells of a class.]],
  example = "tide.data.three_spheres{dim = 3, n = 8}.y"}
define{name = "data.landscape", args = "opts",
  returns = "{x =, y =, minima =, barriers =, potential =, field =}",
  options = {{"n", 2000, "particles"}, {"friction", 0.2, "of the motion"},
    {"x_range", {-1, 2}, "of the starts"}, {"v_range", {-2, 2}, "of the starts"},
    {"minima", {-0.85, 0.269, 1.839}, "of the potential, any number"},
    {"barriers", nil, "between them; default half way"}, {"scale", 2, "of its slope"},
    {"potential", nil, "function(x) on tensors, in place of minima, barriers, scale"},
    {"starts", nil, "tensor {n, 2} of x and v, in place of random ones"},
    {"rest", 0.01, "at rest: this share of the energy needed to leave the minimum is left"}, {"seed", 1, ""},
    float},
  text = [[A particle rolls in a potential with friction until it rests (the step-size paper, equation 4): x
  {n, 2} holds place and velocity at the start, y {n} the minimum where it ends, counted from the left. Starts
  too near a separatrix to be sure are solved with a tighter solver; what stays unsure is an error.
  potential(x) and field(t, y), the right-hand side for float64 y {n, 2}, come along.]],
  example = "tide.data.landscape{n = 5}.y"}
define{name = "data.mnist", args = "opts", returns = "{x =, y =}",
  options = {{"split", "train", "\"train\" (60000) or \"test\" (10000)", quote = true},
    {"dir", nil, "folder of the four idx files, gzip or not"},
    {"n", nil, "only the first n"}},
  text = [[MNIST: x float32 N,1,28,28 in [0, 1]; y int64, digit + 1. Looks in dir, else TIDE_DATA/mnist, else
  the user's data folder; `tide data/fetch.lua mnist` gets the files.]],
  example = "tide.data.mnist{split = \"test\", n = 100}.x:shape()", run = false}
define{name = "data.cifar10", args = "opts", returns = "{x =, y =}",
  options = {{"split", "train", "\"train\" (50000) or \"test\" (10000)", quote = true},
    {"dir", nil, "folder of the .bin files, gzip or not"},
    {"n", nil, "only the first n; reads no more batches than that takes"}},
  text = [[CIFAR-10 from its binary version: x float32 N,3,32,32 in [0, 1]; y int64, label + 1. Looks in dir,
  else TIDE_DATA/cifar10, else the user's data folder; `tide data/fetch.lua cifar10 [FOLDER]` gets the
  files.]], example = "tide.data.cifar10{split = \"test\", n = 100}.x:shape()", run = false}
define{name = "data.svhn", args = "opts", returns = "{x =, y =}",
  options = {{"split", "train", "\"train\" (73257) or \"test\" (26032)", quote = true},
    {"dir", nil, "folder of train_32x32.mat and test_32x32.mat"}, {"n", nil, "only the first n"}},
  text = [[SVHN, house numbers, from its MATLAB files: x float32 N,3,32,32 in [0, 1]; y int64, digit + 1 (the
  files say 10 for the digit 0). Looks in dir, else TIDE_DATA/svhn, else the user's data folder.]],
  example = "tide.data.svhn{split = \"test\", n = 100}.x:shape()", run = false}
define{name = "data.tiny_imagenet", args = "opts", returns = "{x =, y =}",
  options = {{"split", "train", "\"train\" (500 of a class) or \"test\" (val/, 50 of a class)", quote = true},
    {"dir", nil, "folder that holds wnids.txt, train/ and val/"},
    {"n", nil, "only the first n, one of each class in turn"}},
  text = [[Tiny ImageNet from its JPEG files: x float32 N,3,64,64 in [0, 1], grey pictures in three equal
  channels; y int64, the line of the class in wnids.txt. Classes without a folder are left out. Looks in dir,
  else TIDE_DATA/tiny-imagenet-200, else the user's data folder.]],
  example = "tide.data.tiny_imagenet{split = \"test\", n = 100}.x:shape()", run = false}
define{name = "data.names", args = "", returns = "list", text = "Names of the data sets.",
  example = "tide.data.names()"}
define{name = "data.folder", args = "name, dir", returns = "path",
  text = "Folder of a real data set: dir, else TIDE_DATA/name, else $XDG_DATA_HOME/tide/datasets/name.",
  example = "tide.data.folder(\"mnist\")"}
