--- The documentation of every public function, as data for help(); see tide.help for the fields of an entry.

local help = require "tide.help"

local topic
local function define(entry)
  entry.topic = topic
  help.define(entry)
end

topic = "Making tensors"
define{name = "tide.tensor", args = "values, {dtype =}", returns = "tensor",
  text = [[A tensor from a number or a nested table of numbers. dtypes: "float32" (default), "float64", "int64", "uint8". A
  number gives shape {}.]],
  example = "tide.tensor({{1, 2}, {3, 4}}, {dtype = \"float64\"})"}
define{name = "tide.zeros", args = "shape, {dtype =}", returns = "tensor", text = "A tensor of zeros; shape is a table.",
  example = "tide.zeros({2, 3})"}
define{name = "tide.ones", args = "shape, {dtype =}", returns = "tensor", text = "A tensor of ones.", example = "tide.ones({4})"}
define{name = "tide.full", args = "shape, value, {dtype =}", returns = "tensor", text = "A tensor in which every element is value.",
  example = "tide.full({2, 2}, 0.5)"}
define{name = "tide.randn", args = "shape, {seed =, dtype =}", returns = "tensor",
  text = "Standard normal numbers. Without seed they come from the default generator, see tide.seed.",
  example = "tide.randn({64, 2}, {seed = 1})"}
define{name = "tide.rand", args = "shape, {seed =, dtype =}", returns = "tensor", text = "Uniform numbers in [0, 1).",
  example = "tide.rand({3}, {seed = 1})"}
define{name = "tide.arange", args = "first, last, step, {dtype =}", returns = "tensor", text = [[first, first + step, ... up to last
  inclusive, as Lua's for; step is 1 when nil.]], example = "tide.arange(1, 5)"}
define{name = "tide.linspace", args = "a, b, n, {dtype =}", returns = "tensor",
  text = "n equidistant numbers from a to b, both included.",
  example = "tide.linspace(0, 1, 11)"}
define{name = "tide.eye", args = "n, {dtype =}", returns = "tensor", text = "The n x n identity matrix.", example = "tide.eye(3)"}
define{name = "tide.seed", args = "n",
  text = [[Set the default generator of random numbers. The same seed gives the same numbers on any number of threads; the
  option seed of a call overrides it.]], example = "tide.seed(42)"}

topic = "Tensor methods"
define{name = "tensor:shape", args = "", returns = "table", text = "The extents of the axes; {} for a scalar.",
  example = "x:shape()[1]"}
define{name = "tensor:dtype", args = "", returns = "string", text = "\"float32\", \"float64\", \"int64\" or \"uint8\"."}
define{name = "tensor:numel", args = "", returns = "integer", text = "The number of elements. #x is the extent of the first axis."}
define{name = "tensor:item", args = "", returns = "number", text = "The number in a tensor of one element.",
  example = "loss:item()"}
define{name = "tensor:totable", args = "", returns = "table", text = "Nested Lua tables with the same numbers."}
define{name = "tensor:to", args = "dtype", returns = "tensor", text = "The same numbers in another dtype.",
  example = "x:to(\"float64\")"}
define{name = "tensor:clone", args = "", returns = "tensor", text = "A copy with storage of its own; views share theirs."}
define{name = "tensor:matmul", args = "y", returns = "tensor",
  text = [[Matrix product; leading axes are batches and broadcast as in NumPy. Elementwise are + - * / ^ and unary minus, with
  NumPy's broadcasting and with numbers.]], example = "x:matmul(w)"}
define{name = "tensor:transpose", args = "a, b", returns = "tensor", text = "A view with axes a and b exchanged.",
  example = "x:transpose(1, 2)"}
define{name = "tensor:reshape", args = "shape", returns = "tensor",
  text = "The same elements in row-major order under another shape.",
  example = "x:reshape({2, 6})"}
define{name = "tensor:slice", args = "axis, first, last, step", returns = "tensor",
  text = [[A view of the elements first, first + step, ..., up to last (inclusive, 1-based) of one axis. x[i] takes element i of
  the first axis.]], example = "x:slice(2, 1, 10)"}
define{name = "tide.cat", args = "list, axis", returns = "tensor", text = "Tensors joined along an existing axis.",
  example = "tide.cat({a, b}, 1)"}
define{name = "tide.stack", args = "list, axis", returns = "tensor", text = "Tensors of one shape joined along a new axis.",
  example = "tide.stack({a, b}, 1)"}

topic = "Reductions"
local axis_text = [[ Over one axis (1-based; negative axes count from the end), or over everything when axis is nil;
  keepdim = true keeps an axis of extent 1.]]
local reductions = {
  {"sum", "Sum of the elements."}, {"mean", "Mean of the elements."}, {"max", "The largest element."},
  {"min", "The smallest element."}, {"argmax", "The 1-based index of the largest element, int64."},
  {"logsumexp", "log(sum(exp(x))), computed without overflow."},
}
for _, row in ipairs(reductions) do
  define{name = "tide." .. row[1], args = "x, axis, keepdim", returns = "tensor", method = true, text = row[2] .. axis_text,
    example = ("x:%s(1)"):format(row[1])}
end
define{name = "tide.softmax", args = "x, axis", returns = "tensor", method = true, text = "exp(x) / sum(exp(x)) along an axis.",
  example = "logits:softmax(2)"}
define{name = "tide.log_softmax", args = "x, axis", returns = "tensor", method = true, text = "x - logsumexp(x) along an axis.",
  example = "logits:log_softmax(2)"}

topic = "Elementwise functions"
local elementwise = {
  {"exp", "e^x."}, {"log", "Natural logarithm."}, {"sin", "Sine."}, {"cos", "Cosine."}, {"tanh", "Hyperbolic tangent."},
  {"sigmoid", "1 / (1 + exp(-x))."}, {"relu", "max(x, 0)."}, {"softplus", "log(1 + exp(x))."}, {"sqrt", "Square root."},
  {"abs", "Absolute value."}, {"square", "x * x."},
}
for _, row in ipairs(elementwise) do
  define{name = "tide." .. row[1], args = "x", returns = "tensor", method = true,
  text = row[2] .. " Elementwise, for a tensor or a number.",
    example = ("x:%s()"):format(row[1])}
end
define{name = "tide.where", args = "condition, a, b", returns = "tensor",
  text = [[a where condition is not zero, else b, elementwise with broadcasting. Inside tide.grad and tide.odeint it takes the
  place of Lua's if.]], example = "tide.where(x:gt(0), x, 0.1 * x)"}
local comparisons = {{"gt", ">"}, {"ge", ">="}, {"lt", "<"}, {"le", "<="}, {"eq", "=="}, {"ne", "~="}}
for _, row in ipairs(comparisons) do
  define{name = "tide." .. row[1], args = "x, y", returns = "tensor", method = true,
    text = ("1 where x %s y, else 0; elementwise with broadcasting."):format(row[2]), example = ("x:%s(0)"):format(row[1])}
end

topic = "Convolution"
define{name = "tide.conv1d", args = "x, w, b, {stride =, padding =, dilation =, groups =}", returns = "tensor",
  text = [[Cross-correlation with zero padding and PyTorch's output sizes. x N,C,L; w O,C/groups,k; b O or nil.]],
  example = "tide.conv1d(x, w, nil, {padding = 1})"}
define{name = "tide.conv2d", args = "x, w, b, {stride =, padding =, dilation =, groups =}", returns = "tensor",
  text = [[Cross-correlation with zero padding and PyTorch's output sizes. x N,C,H,W; w O,C/groups,kh,kw; b O or nil. Options
  are numbers or {h, w}.]],
  example = "tide.conv2d(x, w, b, {stride = 2, padding = {1, 1}})"}

topic = "Files"
define{name = "tide.save", args = "path, tensors", text = [[Write a tensor or a table of named tensors; the extension says how:
  .npy (one tensor), .npz, .safetensors.]], example = "tide.save(\"w.npz\", {w = w, b = b})"}
define{name = "tide.load", args = "path", returns = "tensor or table",
  text = "Read what tide.save (or NumPy, or safetensors) wrote.",
  example = "local t = tide.load(\"w.npz\")"}

topic = "Derivatives"
define{name = "tide.grad", args = "fn", returns = "function(p, ...) -> gradient",
  text = [[The gradient of the scalar fn(p, ...) with respect to p, a tensor or any nested table of tensors (a model); it has
  p's structure. Further arguments are constants; other leaves pass through. fn is recorded at each call. Compositions (grad of
  grad) work.]],
  example = "tide.grad(function(x) return (x * x):sum() end)(tide.ones({3}))"}
define{name = "tide.value_and_grad", args = "fn", returns = "function(p, ...) -> value, gradient",
  text = "As tide.grad, with the value of fn.",
  example = "local loss, g = tide.value_and_grad(f)(model, x, y)"}
define{name = "tide.vjp", args = "fn, x", returns = "y, pullback",
  text = "y = fn(x), and pullback(ybar) = the vector-Jacobian product ybar^T J.",
  example = "local y, pull = tide.vjp(f, x)  local xbar = pull(tide.ones(y:shape()))"}
define{name = "tide.jvp", args = "fn, x, v", returns = "y, dy", text = "y = fn(x) and the Jacobian-vector product dy = J v."}
define{name = "tide.stop_gradient", args = "x", returns = "tensor", text = "x as a constant of derivatives."}
define{name = "tide.compile", args = "fn", returns = "function",
  text = [[fn, recorded once for each structure, shape and dtype of its arguments and replayed without Lua afterwards: values
  that fn reads from Lua variables are those of the recording.]],
  example = "local step = tide.compile(tide.grad(loss))"}
define{name = "tide.gradcheck", args = "fn, p", returns = "boolean, worst relative error",
  text = "Does the gradient of fn agree with central differences in float64?"}

topic = "Losses"
define{name = "tide.mse", args = "pred, target", returns = "scalar", text = "Mean of (pred - target)^2."}
define{name = "tide.smooth_l1", args = "pred, target", returns = "scalar",
  text = "Mean of d^2 / 2 where d = |pred - target| < 1, of d - 1/2 elsewhere (beta = 1)."}
define{name = "tide.cross_entropy", args = "logits, labels", returns = "scalar",
  text = "Mean over the batch of -log softmax(logits)[label]; logits N,classes; labels 1-based int64."}

topic = "Solving"
define{name = "tide.odeint", args = "f, y0, t, opts", returns = "ys, stats",
  text = [[Solve dy/dt = f(t, y) from y(t[1]) = y0; ys has shape {#t, ...}, its first entry is y0. y0 is a tensor or a table of
  tensors; t has two or more strictly monotone times.

  method (default "dopri5"; see ode.methods) or a tableau {A =, b =, c =, b_error =, order =}.

  Fixed step: step_size = h, or steps = K. Adaptive: rtol 1e-3, atol 1e-6, first_step, max_steps 100000, safety 0.9, min_factor
  0.2, max_factor 10, norm "batch" or "sample".

  gradient: "direct" (default), "adjoint", "checkpoint", "interpolated".

  eager = true runs f on concrete tensors at each call, plain = true on Lua arrays of numbers (both without gradient).

  stats: nfe, steps, accepted, rejected, nfe_backward.]],
  example = "tide.odeint(function(t, y) return -y end, tide.ones({1}), {0, 1}, {rtol = 1e-6})"}
define{name = "ode.methods", args = "", returns = "list", text = "The methods that odeint knows: name, order, stages, kind.",
  example = "for _, m in ipairs(tide.ode.methods()) do print(m.name, m.order) end"}
define{name = "ode.initial_step", args = "f, t0, y0, p, rtol, atol", returns = "number",
  text = [[Hairer's starting step (Solving ODEs I, p. 169) for an error estimate of order p, with sc = atol + rtol |y0| in the
  RMS norm.]],
  example = "tide.ode.initial_step(f, 0, y0, 4, 1e-3, 1e-6)"}

topic = "Models"
define{name = "nn.linear", args = "n_in, n_out, {init =}", returns = "model",
  text = [[x W^T + b. A model is a table of tensors that can be called. init: PyTorch's default (uniform +-1/sqrt(n_in)),
  "kaiming", "xavier", "normal", "orthogonal".]],
  example = "local layer = tide.nn.linear(2, 32)  print(layer(x):shape())"}
define{name = "nn.conv1d", args = "c_in, c_out, k, {stride =, padding =, dilation =, groups =, init =}", returns = "model",
  text = "A layer around tide.conv1d."}
define{name = "nn.conv2d", args = "c_in, c_out, k, {stride =, padding =, dilation =, groups =, init =}", returns = "model",
  text = "A layer around tide.conv2d."}
define{name = "nn.mlp", args = "{sizes =, act =, time =}", returns = "model",
  text = [[Linear layers with an activation between them; time = true makes it a field f(t, y) that sees t as one more input.]],
  example = "tide.nn.mlp{sizes = {2, 32, 32, 2}, act = \"relu\", time = true}"}
define{name = "nn.chain", args = "{layer, ...}", returns = "model", text = "Layers one after another; a name is an activation.",
  example = "tide.nn.chain{tide.nn.linear(2, 8), \"tanh\", tide.nn.linear(8, 1)}"}
define{name = "nn.flatten", args = "", returns = "model", text = "Joins all axes but the first."}
define{name = "nn.augment", args = "p", returns = "model", text = "Appends p zero features (N,D) or channels (N,C,H,W)."}
define{name = "nn.odeblock", args = "field, solver_opts", returns = "model",
  text = "y(1) of dy/dt = field(t, y), y(0) = x, by tide.odeint.",
  example = "tide.nn.odeblock(field, {method = \"rk4\", steps = 10})"}
define{name = "nn.count", args = "model", returns = "integer", text = "The number of trainable values."}
define{name = "nn.odenet", args = "{dim =, hidden =, augment =, out =, time =, act =, solver =}", returns = "model",
  text = "The (augmented) neural ODE of the ANODE paper for vectors; model(x, {solver = {...}}) overrides solver options once.",
  example = "tide.nn.odenet{dim = 2, hidden = 32, augment = 1, out = 1}"}
define{name = "nn.conv_odenet", args = "{image =, filters =, augment =, classes =, time =, act =, solver =}", returns = "model",
  text = "The convolutional (augmented) neural ODE of the ANODE paper; image is {channels, height, width}.",
  example = "tide.nn.conv_odenet{image = {1, 28, 28}, filters = 92, classes = 10}"}
define{name = "nn.resnet", args = "{dim =, hidden =, layers =, out =}", returns = "model", text = "The ResNet of the ANODE paper."}

topic = "Training"
define{name = "optim.sgd", args = "model, {lr =, momentum =, weight_decay =}", returns = "optimiser", text = "PyTorch's SGD.",
  example = "local opt = tide.optim.sgd(model, {lr = 0.1, momentum = 0.9})"}
define{name = "optim.adam", args = "model, {lr =, betas =, eps =, weight_decay =}", returns = "optimiser", text = "PyTorch's Adam.",
  example = "local opt = tide.optim.adam(model, {lr = 1e-3})"}
define{name = "optim.adamw", args = "model, {lr =, betas =, eps =, weight_decay =}", returns = "optimiser",
  text = "PyTorch's AdamW."}
define{name = "optim.rmsprop", args = "model, {lr =, alpha =, eps =, weight_decay =, momentum =}", returns = "optimiser",
  text = "PyTorch's RMSprop."}
define{name = "optimiser:step", args = "grads",
  text = "Update the model in place with gradients of its structure (from tide.grad)."}
define{name = "optimiser:state", args = "", returns = "table", text = "What must be saved to resume exactly."}
define{name = "optimiser:load_state", args = "state", text = "Go on from what optimiser:state() returned."}
define{name = "tide.train", args = "{model =, data =, optimizer =, loss =, batch =, epochs = or iterations =, seed =, ...}",
  returns = "history",
  text = [[Train: history has a record of loss, accuracy, nfe_forward and nfe_backward for each epoch. A progress bar on a
  terminal, else a line per epoch.]],
  example = "tide.train{model = m, data = d, optimizer = opt, loss = tide.smooth_l1, batch = 64, epochs = 10, seed = 1}"}

topic = "Data"
define{name = "data.spheres", args = "{dim =, inner =, outer =, r1 =, r2 =, r3 =, seed =}", returns = "{x =, y =}",
  text = [[The concentric spheres g(x) of the ANODE paper: y is -1 for |x| <= r1 and +1 for r2 <= |x| <= r3, of shape {n, 1};
  inner and outer count points.]],
  example = "local d = tide.data.spheres{dim = 2, seed = 1}"}
define{name = "data.flip1d", args = "{n =, seed =}", returns = "{x =, y =}",
  text = "The one-dimensional g(-1) = 1, g(1) = -1 of the ANODE paper."}
define{name = "data.sines", args = "{n =, seed =, ...}", returns = "{x =, y =}", text = "Sine curves as a regression data set."}
define{name = "data.three_spheres", args = "{dim =, n =, seed =}", returns = "{x =, y =}",
  text = "Three concentric spheres of the step-size paper; y are class labels."}
define{name = "data.landscape", args = "{n =, seed =}", returns = "{x =, y =}",
  text = "The landscape data set of the step-size paper; y are class labels."}
local images = {{"mnist", "MNIST"}, {"cifar10", "CIFAR-10"}, {"svhn", "SVHN"}, {"tiny_imagenet", "Tiny ImageNet"}}
for _, row in ipairs(images) do
  define{name = "data." .. row[1], args = "{split =, dir =}", returns = "{x =, y =}",
    text = row[2] .. ": x float32 in [0, 1], N,C,H,W; y 1-based labels. split is \"train\" or \"test\"; dir defaults to TIDE_DATA.",
    example = ("tide.data.%s{split = \"train\"}"):format(row[1])}
end

topic = "Prompt"
define{name = "help", args = "x",
  text = [[Explain a function, a name ("x:sum", "nn.linear"), a module or a topic; without argument, list everything. ?name is
  short for it.]], example = "help(tide.odeint)"}
define{name = "repl",
  text = [[At the prompt expressions print themselves; ";" at the end prints nothing; _ is the last value. A chunk goes on over
  several lines until it is complete; Ctrl-C drops it, or interrupts what runs; Ctrl-D ends. Locals of a line become globals
  when the line has run, so that they are there for the next. TAB completes names, files in strings and modules after require,
  and shows the arguments of a function after "(". Ctrl-R searches the history. ~/.config/tide/init.lua runs first (not with
  --no-init). From a script: require("tide.repl").start().]]}
