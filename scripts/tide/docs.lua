--- The documentation of every public function, as data for help(); see tide.help for the fields of an entry.
--
-- tests/lua/test_docs.lua checks that every function has an entry, that the options listed are those that the code takes, with its
-- defaults, and runs every example as if typed at the prompt. The examples may use what the test's prelude defines: x and y
-- (tensors of shape {4, 2}), model and loss (a linear layer and its loss), data (a small data set), folder (a temporary one). An
-- example with `run = false` needs something that a test cannot count on; it is only compiled.

local help = require "tide.help"

local topic
local function define(entry)
  entry.topic = topic
  help.define(entry)
end

-- Rows of several option tables in one list.
local function join(...)
  local list = {}
  for _, rows in ipairs{...} do table.move(rows, 1, #rows, #list + 1, list) end
  return list
end

local creation = {{"dtype", "float32", [["float32", "float64", "int64" or "uint8"]], quote = true},
  {"seed", nil, "seed of random numbers; default: the generator that tide.seed sets"}}

topic = "Making tensors"
define{name = "tide.tensor", args = "values, opts", returns = "tensor", options = creation,
  text = [[A tensor from a number, a boolean, a nested table of them, or a copy of a tensor. A number gives shape {}. Ragged tables
  and values that the dtype cannot hold are errors.]], example = "tide.tensor({{1, 2}, {3, 4}}, {dtype = \"float64\"})"}
define{name = "tide.zeros", args = "shape, opts", returns = "tensor", options = creation,
  text = "Zeros; shape is a table, {} for a scalar.", example = "tide.zeros({2, 3})"}
define{name = "tide.ones", args = "shape, opts", returns = "tensor", options = creation, text = "Ones; shape is a table.",
  example = "tide.ones({4})"}
define{name = "tide.full", args = "shape, value, opts", returns = "tensor", options = creation,
  text = "Every element is the number value.", example = "tide.full({2, 2}, 0.5)"}
define{name = "tide.zeros_like", args = "x", returns = "tensor", text = "Zeros of x's shape and dtype.", example = "tide.zeros_like(x)"}
define{name = "tide.ones_like", args = "x", returns = "tensor", text = "Ones of x's shape and dtype.", example = "tide.ones_like(x)"}
define{name = "tide.randn", args = "shape, opts", returns = "tensor", options = creation,
  text = "Standard normal numbers, float32 or float64.", example = "tide.randn({64, 2}, {seed = 1})"}
define{name = "tide.rand", args = "shape, opts", returns = "tensor", options = creation,
  text = "Uniform numbers in [0, 1), float32 or float64.", example = "tide.rand({3}, {seed = 1})"}
define{name = "tide.randperm", args = "n, opts", returns = "tensor", options = creation,
  text = "A random permutation of 1..n, always int64.", example = "x:take(tide.randperm(#x, {seed = 1}))"}
define{name = "tide.arange", args = "first, last, step, opts", returns = "tensor", options = creation,
  text = [[first, first + step, ... up to last, inclusive as in Lua's for; step (default 1) may be left out: tide.arange(1, 5, {dtype
  = "int64"}).]], example = "tide.arange(1, 5)"}
define{name = "tide.linspace", args = "a, b, n, opts", returns = "tensor", options = creation,
  text = "n equidistant numbers from a to b, both included.", example = "tide.linspace(0, 1, 11)"}
define{name = "tide.eye", args = "n, opts", returns = "tensor", options = creation, text = "The n x n identity matrix.",
  example = "tide.eye(3)"}
define{name = "tide.one_hot", args = "labels, classes, opts", returns = "tensor", options = creation,
  text = [[From int64 labels 1..classes of any shape: one axis more, 1 at the label and 0 elsewhere. A label outside 1..classes is an
  error.]], example = "tide.one_hot(tide.tensor({1, 3}, {dtype = \"int64\"}), 3)"}
define{name = "tide.seed", args = "n",
  text = [[Set the default generator of random numbers (Philox 4x32-10). The same seed gives the same numbers on any number of
  threads; the option seed of a call overrides it.]], example = "tide.seed(42)"}

topic = "Tensor methods"
define{name = "tensor:shape", args = "", returns = "table", text = "The extents of the axes; {} for a scalar.", example = "x:shape()[1]"}
define{name = "tensor:dtype", args = "", returns = "string", text = [["float32", "float64", "int64" or "uint8".]], example = "x:dtype()"}
define{name = "tensor:numel", args = "", returns = "integer", text = "The number of elements. #x is the extent of the first axis.",
  example = "x:numel(), #x"}
define{name = "tensor:rank", args = "", returns = "integer", text = "The number of axes, at most 8.", example = "x:rank()"}
define{name = "tensor:item", args = "", returns = "number",
  text = [[The number in a tensor of one element. A symbolic tensor (inside tide.grad, tide.compile, tide.odeint) has none: choose
  with tide.where.]], example = "x:sum():item()"}
define{name = "tensor:totable", args = "", returns = "table", text = "Nested Lua tables with the same numbers; a number for a scalar.",
  example = "x:totable()[1][2]"}
define{name = "tensor:to", args = "dtype", returns = "tensor", text = "The same numbers in another dtype; x itself when it has it.",
  example = "x:to(\"float64\")"}
define{name = "tensor:clone", args = "", returns = "tensor", text = "A copy with storage of its own; views share theirs.",
  example = "x:clone()"}
define{name = "tensor:copy_", args = "y", returns = "tensor",
  text = "Overwrite x with the numbers of y (same shape and dtype), in place; all views of x see it.", example = "x:copy_(2 * x)"}
define{name = "tensor:close", args = "",
  text = [[Give the memory back now instead of when Lua collects the tensor; any use afterwards is an error. Rarely needed. Also
  local x <close> = ...]], example = "local big <close> = tide.zeros({1000, 1000})"}
define{name = "tensor:matmul", args = "y", returns = "tensor",
  text = [[Matrix product; leading axes are batches and broadcast as in NumPy, vectors are rows on the left and columns on the right.
  Elementwise are + - * / ^ and unary minus, with NumPy's broadcasting and with numbers, which never change a dtype.]],
  example = "x:matmul(y:transpose(1, 2))"}
define{name = "tensor:transpose", args = "a, b", returns = "tensor",
  text = "A view with axes a and b exchanged; without arguments the last two.", example = "x:transpose(1, 2)"}
define{name = "tensor:permute", args = "order", returns = "tensor", text = "A view with the axes in the given order.",
  example = "tide.zeros({2, 3, 4}):permute({3, 1, 2})"}
define{name = "tensor:reshape", args = "shape", returns = "tensor",
  text = "The same elements in row-major order under another shape; one extent may be -1. A view where the layout allows it.",
  example = "x:reshape({2, -1})"}
define{name = "tensor:flatten", args = "first", returns = "tensor", text = "Axes first (default 1) to the last joined to one.",
  example = "tide.zeros({2, 3, 4}):flatten(2)"}
define{name = "tensor:broadcast_to", args = "shape", returns = "tensor", text = "A view repeated to a larger shape by NumPy's rules.",
  example = "tide.ones({2}):broadcast_to({3, 2})"}
define{name = "tensor:slice", args = "axis, first, last, step", returns = "tensor",
  text = [[A view of the elements first, first + step, ..., up to last (inclusive, 1-based; negative ones count from the end) of one
  axis. x[i] takes element i of the first axis (a number when x has one axis); x[i] = v sets it.]], example = "x:slice(1, 1, 3)"}
define{name = "tensor:take", args = "positions, axis", returns = "tensor",
  text = "The rows (along axis, default 1) at 1-based positions: a table or an int64 tensor; repeats are fine.",
  example = "x:take({1, 1, 3})"}
define{name = "tide.cat", args = "list, axis", returns = "tensor", text = "Tensors joined along an existing axis (default 1).",
  example = "tide.cat({x, y}, 2)"}
define{name = "tide.stack", args = "list, axis", returns = "tensor", text = "Tensors of one shape joined along a new axis (default 1).",
  example = "tide.stack({x, y}, 1)"}
define{name = "tide.tostring", args = "x", returns = "string",
  text = "What tostring(x) gives: dtype, shape and aligned values; long axes are elided in the middle.", example = "tide.tostring(x)"}

topic = "Reductions"
local axis_text = [[ Over one axis (1-based; negative axes count from the end), a table of axes, or everything when axis is nil; keepdim
  = true keeps the axes at extent 1.]]
local one_axis_text = [[ Along one axis (1-based; negative axes count from the end), or over everything when axis is nil; keepdim = true
  keeps the axis at extent 1.]]
local reductions = {
  {"sum", "Sum of the elements; uint8, as comparisons give, is counted in int64."}, {"mean", "Mean of the elements; of integers in float32."},
  {"var", "Mean squared deviation from the mean (divisor n, as NumPy)."}, {"max", "The largest element; NaN wins."},
  {"min", "The smallest element; NaN wins."}, {"logsumexp", "log(sum(exp(x))), computed without overflow."},
  {"argmax", "The 1-based position of the first largest element, int64.", one_axis_text},
  {"argmin", "The 1-based position of the first smallest element, int64.", one_axis_text},
}
for _, row in ipairs(reductions) do
  define{name = "tide." .. row[1], args = "x, axis, keepdim", returns = "tensor", method = true, text = row[2] .. (row[3] or axis_text),
    example = ("x:%s(1)"):format(row[1])}
end
define{name = "tide.softmax", args = "x, axis", returns = "tensor", method = true,
  text = "exp(x) / sum(exp(x)) along an axis (default: the last).", example = "x:softmax(2)"}
define{name = "tide.log_softmax", args = "x, axis", returns = "tensor", method = true,
  text = "x - logsumexp(x) along an axis (default: the last).", example = "x:log_softmax(2)"}

topic = "Elementwise functions"
local elementwise = {
  {"exp", "e^x."}, {"log", "Natural logarithm."}, {"sin", "Sine."}, {"cos", "Cosine."}, {"tanh", "Hyperbolic tangent."},
  {"sigmoid", "1 / (1 + exp(-x))."}, {"relu", "max(x, 0); its derivative at 0 is 0."}, {"softplus", "log(1 + exp(x)), without overflow."},
  {"sqrt", "Square root."}, {"abs", "Absolute value; its derivative at 0 is 0."}, {"square", "x * x."}, {"neg", "-x."},
  {"reciprocal", "1 / x."}, {"sign", "1, 0 or -1; its derivative is 0."},
}
for _, row in ipairs(elementwise) do
  define{name = "tide." .. row[1], args = "x", returns = "tensor", method = true, text = row[2] .. " Elementwise; x is a tensor.",
    example = ("x:%s()"):format(row[1])}
end
local pairwise = {{"add", "x + y"}, {"sub", "x - y"}, {"mul", "x * y"}, {"div", "x / y"}, {"pow", "x ^ y"},
  {"maximum", "the larger of x and y (NaN wins)"}, {"minimum", "the smaller of x and y (NaN wins)"}}
for _, row in ipairs(pairwise) do
  define{name = "tide." .. row[1], args = "x, y", returns = "tensor", method = true,
    text = row[2] .. ", elementwise with NumPy's broadcasting; one of the two may be a number.", example = ("x:%s(2)"):format(row[1])}
end
define{name = "tide.clamp", args = "x, low, high", returns = "tensor", method = true,
  text = "x limited to low..high; either may be nil.", example = "x:clamp(-1, 1)"}
define{name = "tide.where", args = "condition, a, b", returns = "tensor",
  text = [[a where condition is not zero, else b, elementwise with broadcasting; a and b are tensors or numbers. Inside tide.grad and
  tide.odeint it takes the place of Lua's if.]], example = "tide.where(x:gt(0), x, 0.1 * x)"}
local comparisons = {{"gt", ">"}, {"ge", ">="}, {"lt", "<"}, {"le", "<="}, {"eq", "=="}, {"ne", "~="}}
for _, row in ipairs(comparisons) do
  define{name = "tide." .. row[1], args = "x, y", returns = "tensor", method = true,
    text = ("1 where x %s y, else 0, as uint8; elementwise with broadcasting. (x == y asks whether they are one tensor.)"):format(row[2]),
    example = ("x:%s(0)"):format(row[1])}
end
local slopes = {{"relu_grad", "y where x > 0, else 0"}, {"tanh_grad", "y (1 - x^2)"}, {"sigmoid_grad", "y x (1 - x)"}}
for _, row in ipairs(slopes) do
  define{name = "tide." .. row[1], args = "x, y", returns = "tensor", method = true,
    text = row[2] .. [[: the cotangent y taken back through an activation whose output is x. Derivative rules use it; scripts hardly need
  it.]], example = ("x:%s(y)"):format(row[1])}
end

topic = "Convolution"
local convolution = {{"stride", 1, "distance between positions of the filter"}, {"padding", 0, "zeros added at both ends of an axis"},
  {"dilation", 1, "distance between taps of the filter"}, {"groups", 1, "channels are cut into so many independent groups"}}
define{name = "tide.conv1d", args = "x, w, b, opts", returns = "tensor", options = convolution,
  text = [[Cross-correlation with zero padding and PyTorch's output sizes. x N,C,L; w O,C/groups,k; b O or nil; the result
  N,O,(L + 2 padding - dilation (k - 1) - 1) // stride + 1.]],
  example = "tide.conv1d(tide.ones({1, 2, 8}), tide.ones({3, 2, 3}), nil, {padding = 1})"}
define{name = "tide.conv2d", args = "x, w, b, opts", returns = "tensor", options = convolution,
  text = [[Cross-correlation with zero padding and PyTorch's output sizes. x N,C,H,W; w O,C/groups,kh,kw; b O or nil. Options are
  integers or {h, w}.]],
  example = "tide.conv2d(tide.ones({1, 2, 8, 8}), tide.ones({3, 2, 3, 3}), tide.zeros({3}), {stride = 2, padding = {1, 1}})"}

topic = "Files"
define{name = "tide.save", args = "path, tensors",
  text = [[Write one tensor (.npy) or a nested table of tensors, a model or opt:state() for instance (.npz, .safetensors). The file
  appears whole or not at all. Keys are integers or words of letters, digits, "_" and "-".]],
  example = "tide.save(folder .. \"/model.npz\", {model = model})"}
define{name = "tide.load", args = "path, opts", returns = "tensor or table",
  options = {{"limit", 2 ^ 31, "bytes that a compressed file may unpack to"}},
  text = [[Read what tide.save, NumPy or safetensors wrote: a tensor from .npy, a nested table from the others. Files are checked and
  never executed; pickled objects are refused. Narrow integers come as int64, bool as uint8.]],
  example = "tide.save(folder .. \"/x.npy\", x)  print(tide.load(folder .. \"/x.npy\"):shape()[1])"}

topic = "Derivatives"
define{name = "tide.grad", args = "fn", returns = "function(p, ...) -> gradient",
  text = [[The gradient of the scalar fn(p, ...) with respect to p, a float tensor or any nested table of them (a model); it has p's
  structure. Further arguments are constants; leaves that are no float tensors pass through. fn is recorded at each call, so Lua
  values are always current. Compositions (grad of grad, compile of grad) work.]],
  example = "tide.grad(function(v) return (v * v):sum() end)(tide.ones({3}))"}
define{name = "tide.value_and_grad", args = "fn", returns = "function(p, ...) -> value, gradient", text = "As tide.grad, with the value of fn.",
  example = "local l, g = tide.value_and_grad(loss)(model, x, y)"}
define{name = "tide.vjp", args = "fn, x", returns = "y, pullback",
  text = "y = fn(x), and pullback(ybar) = the vector-Jacobian product ybar^T J. x and y are tensors or tables of them.",
  example = "local v, pull = tide.vjp(tide.sin, x)  print(pull(tide.ones(v:shape())))"}
define{name = "tide.jvp", args = "fn, x, v", returns = "y, dy", text = "y = fn(x) and the Jacobian-vector product dy = J v, v like x.",
  example = "tide.jvp(tide.sin, x, tide.ones_like(x))"}
define{name = "tide.stop_gradient", args = "x", returns = "tensor", method = true, text = "x as a constant of derivatives.",
  example = "tide.grad(function(v) return (v * v:stop_gradient()):sum() end)(x)"}
define{name = "tide.compile", args = "fn", returns = "function",
  text = [[fn, recorded once for each structure, shape and dtype of its arguments and replayed without Lua afterwards. Numbers and strings
  in the arguments are part of the structure. Other Lua values that fn reads are those of the recording; tensors that it reads are read
  anew at each call.]],
  example = "local step = tide.compile(tide.value_and_grad(loss))  print(step(model, x, y))"}
define{name = "tide.gradcheck", args = "fn, p, opts", returns = "boolean, worst relative error",
  options = {{"tolerance", 1e-6, "largest error |a - n| / max(1, |n|) that passes"}, {"step", 1e-6, "of the differences"}},
  text = "Does the gradient of fn agree with central differences in float64? fn may return any tensor; p is copied to float64.",
  example = "tide.gradcheck(function(v) return v:sin() end, x)"}

topic = "Losses"
define{name = "tide.mse", args = "prediction, target", returns = "scalar", text = "Mean of (prediction - target)^2; shapes must be equal.",
  example = "tide.mse(x, y)"}
define{name = "tide.smooth_l1", args = "prediction, target", returns = "scalar",
  text = "Mean of d^2 / 2 where d = |prediction - target| < 1, of d - 1/2 elsewhere (PyTorch's, beta = 1).", example = "tide.smooth_l1(x, y)"}
define{name = "tide.cross_entropy", args = "logits, labels", returns = "scalar",
  text = "Mean over the samples of -log softmax(logits)[label]; logits N,classes,...; labels 1-based int64 of shape N,...",
  example = "tide.cross_entropy(x, tide.tensor({1, 2, 2, 1}, {dtype = \"int64\"}))"}

topic = "Solving"
local solving = {
  {"method", "dopri5", "a name of ode.methods() or a tableau {A =, b =, c =, b_error =, order =}", quote = true},
  {"step_size", nil, "fixed steps t0 + k h; the last one is shortened to land on the end"},
  {"steps", nil, "so many equal fixed steps over the span"},
  {"rtol", 1e-3, "relative tolerance of adaptive steps; at least 1.2e-6 for float32, 2.2e-15 for float64"},
  {"atol", 1e-6, "absolute tolerance; rtol or atol may be 0, not both"},
  {"first_step", nil, "default: Hairer's rule, one more evaluation"},
  {"max_steps", 100000, "attempted steps before the solve gives up (fixed grids: 1e8)"},
  {"safety", 0.9, "of the next step size"},
  {"min_factor", 0.2, "smallest change of the step size"},
  {"max_factor", 10, "largest change of the step size"},
  {"controller", "I", [["I", "PI" or "PID" control of the step size]], quote = true},
  {"norm", "batch", [["batch": RMS of err / (atol + rtol max(|y0|, |y1|)) over everything; "sample": its largest over the first axis]],
    quote = true},
  {"final", "clip", [["clip": the last step ends at the end; "interpolate": step past it and interpolate back]], quote = true},
  {"gradient", "direct", [["direct": exact derivative of the steps taken; "checkpoint": the same with fewer states kept; "adjoint":
    continuous, by a solve backwards]], quote = true},
  {"checkpoint_steps", 10, "with \"checkpoint\" every so many-th state is kept"},
  {"adjoint_rtol", nil, "tolerances of the solve backwards; default: those of the solve"},
  {"adjoint_atol", nil, ""},
  {"reconstruction_limit", 10, "\"adjoint\" is refused when y, solved backwards, misses by more tolerances than this"},
  {"eager", false, "f runs on concrete tensors at each call: any Lua inside, no gradient"},
  {"plain", false, "f(t, y) takes and returns Lua arrays of numbers, in float64: no gradient"},
}
define{name = "tide.odeint", args = "f, y0, t, opts", returns = "ys, stats", options = solving,
  text = [[Solve dy/dt = f(t, y) from y(t[1]) = y0. y0 is a float tensor or a table of up to 64 (one dtype). t is a table or a 1-D tensor
  of two or more strictly monotone times, up or down; times between the first and the last come from the interpolant and do not change
  adaptive steps. ys has shape {#t, ...}; its first entry is y0.

  f is recorded once: inside it t is a scalar tensor, and Lua's if sees no values (use tide.where, or eager = true).

  stats: nfe (evaluations of f), steps (accepted + rejected), nfe_backward. Give rtol and atol, or step_size, or steps.

  Errors name t, h and a remedy: too many steps, step size underflow, NaN or Inf. The error of each step is controlled; the error at the
  end is often a few times larger, and much larger for unstable problems.]],
  example = "tide.odeint(function(t, u) return -u end, tide.ones({1}), {0, 1}, {rtol = 1e-5})"}
define{name = "ode.odeint", args = "f, y0, t, opts", returns = "ys, stats", text = "The same function as tide.odeint."}
define{name = "ode.methods", args = "", returns = "list",
  text = [[The methods that odeint knows: name, order, error_order, stages, kind ("fixed" or "adaptive"), fsal, and the tableau A, b, c,
  b_error. "rk4" is the classic one, "rk4_38" the 3/8 rule; "dopri5" has the error weights of 1980, "dopri5_shampine" those of
  torchdiffeq.]], example = "for _, m in ipairs(tide.ode.methods()) do print(m.name, m.order, m.kind) end"}
define{name = "ode.initial_step", args = "f, t0, y0, p, rtol, atol", returns = "number",
  text = [[Hairer's starting step (Solving ODEs I, p. 169) for an error estimate of order p, with sc = atol + rtol |y0| in the RMS norm and
  exponent 1/(p+1). f runs on concrete tensors.]],
  example = "tide.ode.initial_step(function(t, u) return -u end, 0, tide.ones({1}), 4, 1e-3, 1e-6)"}
define{name = "ode.totals", args = "", returns = "table",
  text = "Counts of all solves so far: nfe, steps, accepted, rejected, nfe_backward. Subtract two readings.",
  example = "local before = tide.ode.totals().nfe"}
define{name = "ode.check_options", args = "where, opts, dtype", returns = "table",
  text = "Check options of odeint without solving; `where` begins the error message. Returns them with the defaults filled in.",
  example = "tide.ode.check_options(\"my solver\", {rtol = 1e-4})"}
define{name = "ode.tableau.order", args = "A, b, most, tolerance", returns = "integer, residual",
  text = [[The order that weights b reach with the matrix A, up to most (8), by the conditions of all rooted trees; and the residual of
  the first order missed.]], example = "tide.ode.tableau.order({{}, {0.5}}, {0, 1})"}
define{name = "ode.tableau.residual", args = "A, b, order", returns = "number", text = "Largest violation of the conditions of exactly that order.",
  example = "tide.ode.tableau.residual({{}, {0.5}}, {0, 1}, 3)"}
define{name = "ode.tableau.count", args = "n", returns = "integer", text = "Number of rooted trees with n nodes: 1, 1, 2, 4, 9, 20, 48, 115, ...",
  example = "tide.ode.tableau.count(8)"}
define{name = "ode.tableau.check", args = "where, tableau", returns = "table",
  options = {{"A", nil, "rows of the matrix, the first may be empty", required = true}, {"b", nil, "weights", required = true},
    {"c", nil, "nodes, the row sums of A", required = true}, {"b_error", nil, "b minus the weights of the embedded method"},
    {"order", nil, "order, which must hold", required = true}, {"name", nil, "for messages"}},
  text = "What odeint does with a tableau given as method: it must be explicit, consistent, and of the order stated.",
  example = "tide.ode.tableau.check(\"mine\", {A = {{}, {0.5}}, b = {0, 1}, c = {0, 0.5}, order = 2}).order"}

topic = "Models"
local layer = {
  {"init", "default", [["default": PyTorch's, uniform within 1/sqrt(fan_in); "kaiming" (normal, zero bias), "xavier", "normal", "orthogonal",
    "zeros"]], quote = true},
  {"std", 0.02, "standard deviation for init = \"normal\""}, {"bias", true, "false: no bias"},
  {"dtype", "float32", "\"float32\" or \"float64\"", quote = true}, {"seed", nil, "seed of the weights; default: the generator that tide.seed sets"},
}
local field_options = {{"act", "relu", "activation between the layers, see nn.activation", quote = true}}
define{name = "nn.linear", args = "n_in, n_out, opts", returns = "model", options = layer,
  text = [[x W^T + b over the last axis; weight has shape {n_out, n_in}. A model is a plain table of tensors that can be called:
  model(x).]], example = "tide.nn.linear(2, 32)(x):shape()"}
define{name = "nn.conv1d", args = "c_in, c_out, k, opts", returns = "model", options = join(layer, convolution),
  text = "A layer around tide.conv1d: N,c_in,L to N,c_out,L'.", example = "tide.nn.conv1d(1, 4, 3, {padding = 1})"}
define{name = "nn.conv2d", args = "c_in, c_out, k, opts", returns = "model", options = join(layer, convolution),
  text = "A layer around tide.conv2d: N,c_in,H,W to N,c_out,H',W'; k is an integer or {kh, kw}.",
  example = "tide.nn.conv2d(1, 4, 3, {padding = 1})"}
define{name = "nn.mlp", args = "opts", returns = "model",
  options = join({{"sizes", nil, "features of input, hidden layers and output", required = true}}, field_options,
    {{"time", false, "true: a field f(t, y) that gets t as one more input"}}, layer),
  text = "Linear layers with an activation between them, none at the end. Called as f(t, y), or f(y) without time.",
  example = "tide.nn.mlp{sizes = {2, 32, 32, 2}, act = \"tanh\", time = true}"}
define{name = "nn.conv_field", args = "opts", returns = "model",
  options = join({{"channels", nil, "of the state", required = true}, {"filters", nil, "of the hidden layers", required = true}}, field_options,
    {{"time", false, "true: t is one more channel of every layer"}, {"dims", 2, "2 for images, 1 for signals"}}, layer),
  text = "The convolutional field of the ANODE paper: kernels 1, 3 (padding 1), 1.",
  example = "tide.nn.conv_field{channels = 3, filters = 8}"}
define{name = "nn.activation", args = "name", returns = "model",
  text = "A layer: relu, tanh, sigmoid, softplus, sin, cos, exp, abs, square or identity.", example = "tide.nn.activation(\"tanh\")(x)"}
define{name = "nn.chain", args = "layers", returns = "model",
  text = "Layers one after another; a name stands for an activation, a function for itself.",
  example = "tide.nn.chain{tide.nn.linear(2, 8), \"tanh\", tide.nn.linear(8, 1)}(x)"}
define{name = "nn.flatten", args = "", returns = "model", text = "Joins all axes but the first.", example = "tide.nn.flatten()(tide.ones({2, 3, 4}))"}
define{name = "nn.augment", args = "p", returns = "model", text = "Appends p zero features (N,d) or channels (N,C,...): the A of ANODE.",
  example = "tide.nn.augment(3)(x):shape()"}
define{name = "nn.odeblock", args = "field, solver", returns = "model",
  text = [[block(x) gives y(1) of dy/dt = field(t, y), y(0) = x, and the statistics. solver: options of tide.odeint, and t = {t0, t1} for
  another span. block(x, {solver = {...}}) overrides some for one call.]],
  example = "tide.nn.odeblock(function(t, u) return -u end, {method = \"rk4\", steps = 10})(x)"}
define{name = "odeblock:trajectory", args = "x, times, opts", returns = "states, stats",
  text = "The states at the given times, {#times, N, ...}; opts as in the call of the block.",
  example = "tide.nn.odeblock(function(t, u) return -u end):trajectory(x, {0, 0.5, 1})"}
define{name = "nn.odenet", args = "opts", returns = "model",
  options = join({{"dim", nil, "features of the data", required = true}, {"hidden", 32, "width of the field"},
    {"augment", 0, "zero features appended"}, {"out", 1, "features of the result"}, {"time", true, "the field sees t"}}, field_options,
    {{"solver", nil, "options of tide.odeint; default dopri5, rtol = atol = 1e-3"},
      {"readout", true, "false: no linear layer at the end, the result is the state"}}, layer),
  text = [[The (augmented) neural ODE of the ANODE paper for vectors: augment, an ODE block over a field with two hidden layers, a linear
  layer. model(x, {solver = {...}}) overrides solver options for one call.]], example = "tide.nn.odenet{dim = 2, augment = 1}(x)"}
define{name = "odenet:features", args = "x, opts", returns = "tensor", text = "The state at the end of the ODE block, before the linear layer.",
  example = "tide.nn.odenet{dim = 2}:features(x)"}
define{name = "odenet:trajectory", args = "x, times, opts", returns = "states, stats",
  text = "The states of the ODE block at the given times, {#times, N, ...}.",
  example = "tide.nn.odenet{dim = 2}:trajectory(x, {0, 0.5, 1})"}
define{name = "nn.conv_odenet", args = "opts", returns = "model",
  options = join({{"image", nil, "{channels, height, width}", required = true}, {"filters", nil, "of the field", required = true},
    {"augment", 0, "zero channels appended"}, {"classes", 10, "features of the result"},
    {"time", false, "the field sees t; the paper's counts of parameters are without"}}, field_options,
    {{"solver", nil, "options of tide.odeint; default dopri5, rtol = atol = 1e-3"}}, layer),
  text = "The (augmented) neural ODE of the ANODE paper for images; it has the methods of nn.odenet.",
  example = "tide.nn.count(tide.nn.conv_odenet{image = {1, 28, 28}, filters = 92})"}
define{name = "nn.resnet", args = "opts", returns = "model",
  options = join({{"dim", nil, "features of the data", required = true}, {"hidden", 32, "width of the blocks"}, {"layers", 5, "number of blocks"},
    {"out", 1, "features of the result"}}, field_options, layer),
  text = "The ResNet of the ANODE paper: blocks x + act(W2 act(W1 x)), then a linear layer.", example = "tide.nn.resnet{dim = 2}(x)"}
define{name = "resnet:features", args = "x", returns = "tensor", text = "The state before the linear layer.",
  example = "tide.nn.resnet{dim = 2}:features(x)"}
define{name = "nn.count", args = "model", returns = "integer", text = "The number of trainable values: elements of float tensors.",
  example = "tide.nn.count(model)"}
define{name = "nn.parameters", args = "model", returns = "list",
  text = "Float tensors of a model in order: {name = \"layers[1].weight\", shape =, count =, tensor =}.",
  example = "for _, p in ipairs(tide.nn.parameters(model)) do print(p.name, p.count) end"}
define{name = "nn.with_seed", args = "seed, make", returns = "what make() returns",
  text = "Run make() with the default generator set to seed, then put the generator back; seed nil just runs it.",
  example = "tide.nn.with_seed(1, function() return tide.nn.linear(2, 2) end)"}

topic = "Training"
local rate = {"lr", nil, "learning rate", required = true}
local adam = {{"lr", 1e-3, "learning rate"}, {"betas", {0.9, 0.999}, "decay of the two moments"}, {"eps", 1e-8, "added to the root"}}
define{name = "optim.sgd", args = "model, opts", returns = "optimiser",
  options = {rate, {"momentum", 0, "no dampening, no Nesterov"}, {"weight_decay", 0, "L2 penalty"}}, text = "PyTorch's SGD.",
  example = "tide.optim.sgd(model, {lr = 0.1, momentum = 0.9})"}
define{name = "optim.adam", args = "model, opts", returns = "optimiser", options = join(adam, {{"weight_decay", 0, "L2 penalty"}}),
  text = "PyTorch's Adam.", example = "tide.optim.adam(model, {lr = 1e-2})"}
define{name = "optim.adamw", args = "model, opts", returns = "optimiser",
  options = join(adam, {{"weight_decay", 1e-2, "decoupled from the gradient"}}), text = "PyTorch's AdamW.", example = "tide.optim.adamw(model)"}
define{name = "optim.rmsprop", args = "model, opts", returns = "optimiser",
  options = {{"lr", 1e-2, "learning rate"}, {"alpha", 0.99, "decay of the mean square"}, {"eps", 1e-8, "added to the root"},
    {"weight_decay", 0, "L2 penalty"}}, text = "PyTorch's RMSprop, without momentum and not centred.", example = "tide.optim.rmsprop(model)"}
define{name = "optimiser:step", args = "grads", text = "Update the model in place with gradients of its structure, as tide.grad returns them.",
  example = "tide.optim.adam(model):step(tide.grad(loss)(model, x, y))"}
define{name = "optimiser:state", args = "", returns = "table", text = "What must be saved to resume exactly; tide.save takes it.",
  example = "tide.save(folder .. \"/adam.npz\", tide.optim.adam(model):state())"}
define{name = "optimiser:load_state", args = "state",
  text = "Go on from what optimiser:state() returned, for the same kind of optimiser and a model of the same shapes.",
  example = "local opt = tide.optim.adam(model)  opt:load_state(opt:state())"}
define{name = "tide.train", args = "opts", returns = "history",
  options = {{"model", nil, "called as model(x)", required = true}, {"data", nil, "{x =, y =}, samples along the first axis", required = true},
    {"optimizer", nil, "from tide.optim, or a name for its defaults", required = true},
    {"loss", "mse", [["mse", "smooth_l1", "cross_entropy" or a function(prediction, y)]], quote = true}, {"batch", 64, "samples per step"},
    {"epochs", nil, "passes over the data; give this or iterations"}, {"iterations", nil, "steps"}, {"seed", 1, "order of the batches"},
    {"shuffle", true, "false: the order of the data"}, {"drop_last", false, "true: leave out a last incomplete batch"},
    {"solver", nil, "solver options for the calls of the model"}, {"record_every", nil, "steps per record; default an epoch, or 1/50 of the steps"},
    {"callback", nil, "function(record, model) at each record; returning false stops"}, {"quiet", false, "true: no progress"},
    {"label", nil, "in front of the progress"}, {"history", nil, "a table for the records, so that they survive an error"}},
  text = [[Train in place, by one compiled step. history is a list of records iteration, epoch, loss, accuracy (for int64 labels and for
  targets -1/+1), nfe_forward, nfe_backward, seconds: means over the batches since the record before. history.loss and so on are
  the columns. Progress goes to standard error: a bar on a terminal, else lines. A loss that is NaN or infinite and a failed solve are
  errors.]],
  example = "tide.train{model = model, data = data, optimizer = \"adam\", loss = \"smooth_l1\", epochs = 2, quiet = true}.loss"}
define{name = "tide.evaluate", args = "model, data, opts", returns = "{loss =, accuracy =, nfe =}",
  options = {{"loss", "cross_entropy", "as in tide.train", quote = true}, {"batch", 256, "samples per step"},
    {"solver", nil, "solver options for the calls of the model"}},
  text = "Means over all samples; nfe is per batch.", example = "tide.evaluate(model, data, {loss = \"mse\"}).loss"}

topic = "Data"
local float = {"dtype", "float32", "\"float32\" or \"float64\"", quote = true}
define{name = "data.spheres", args = "opts", returns = "{x =, y =}",
  options = {{"dim", 2, "dimension"}, {"inner", 1000, "points of the ball"}, {"outer", 2000, "points of the shell"},
    {"r1", 0.5, "radius of the ball"}, {"r2", 1.0, "inner radius of the shell"}, {"r3", 1.5, "outer radius of the shell"}, {"seed", 1, ""}, float},
  text = "g(x) of the ANODE paper: x {n, dim}; y {n, 1} is -1 for |x| <= r1 and +1 for r2 <= |x| <= r3.",
  example = "tide.data.spheres{dim = 2, inner = 10, outer = 20}.x:shape()"}
define{name = "data.flip1d", args = "opts", returns = "{x =, y =}",
  options = {{"n", 500, "points, half on each side"}, {"task", "flip", [["flip": -1 to 1 and 1 to -1; "identity"]], quote = true},
    {"noise", 0, "standard deviation of x"}, {"seed", 1, ""}, float},
  text = "The one-dimensional tasks of figure 3 of the ANODE paper; x and y {n, 1}.", example = "tide.data.flip1d{n = 4}.y"}
define{name = "data.sines", args = "opts", returns = "{x =, y =}",
  options = {{"dim", 2, "dimension; further ones are noise"}, {"n", 3000, "points"}, {"shift", 1.4, "distance of the curves"},
    {"noise", 0.1, "standard deviation of the height"}, {"seed", 1, ""}, float},
  text = "Two sine curves, one above the other: x {n, dim}; y {n, 1} is +1 for the upper and -1 for the lower one.",
  example = "tide.data.sines{n = 10}.x:shape()"}
define{name = "data.mnist", args = "opts", returns = "{x =, y =}",
  options = {{"split", "train", "\"train\" (60000) or \"test\" (10000)", quote = true}, {"dir", nil, "folder of the four idx files, gzip or not"},
    {"n", nil, "only the first n"}},
  text = [[MNIST: x float32 N,1,28,28 in [0, 1]; y int64, digit + 1. Looks in dir, else TIDE_DATA/mnist, else the user's data folder; `tide
  data/fetch.lua mnist` gets the files.]], example = "tide.data.mnist{split = \"test\", n = 100}.x:shape()", run = false}
define{name = "data.names", args = "", returns = "list", text = "Names of the data sets.", example = "tide.data.names()"}
define{name = "data.folder", args = "name, dir", returns = "path",
  text = "Folder of a real data set: dir, else TIDE_DATA/name, else $XDG_DATA_HOME/tide/datasets/name.", example = "tide.data.folder(\"mnist\")"}

topic = "Plots"
local figure = {{"width", nil, "logical pixels (1/96 inch)"}, {"height", nil, "default: what the panels need"}, {"scale", 2, "png pixels per logical pixel"},
  {"fontsize", 12, ""}, {"note", nil, "comment for script and data"}}
local axes = {
  {"title", nil, "enhanced text: x^2, x_1"}, {"xlabel", nil, ""}, {"ylabel", nil, ""}, {"zlabel", nil, "of the colour box"},
  {"xlog", false, "logarithmic axis"}, {"ylog", false, ""}, {"xrange", nil, "{low, high}"}, {"yrange", nil, ""},
  {"xticks", nil, "false, {0, 1} or {{0, \"zero\"}, ...}"}, {"yticks", nil, ""}, {"ratio", nil, [[height over width, "equal" units, or "square"]]},
  {"legend", "above", [["above", "none", "top left", "top right", "bottom left", "bottom right"]], quote = true},
  {"pad", nil, "room between data and axes"}, {"grid", nil, ""}, {"colorbox", true, ""},
}
local pen = {
  {"name", nil, "in the legend"}, {"color", nil, "see plot.colors(), \"#rrggbb\", or a number"}, {"style", nil, "line type 1..7: colour, dash and marker"},
  {"dash", nil, "gnuplot's dash type; {12, 4} is 12 on, 4 off"}, {"linewidth", nil, ""}, {"marker", nil, "circle, square, triangle, ..."},
  {"size", 1, "of markers"}, {"alpha", 1, "opacity"},
}
local plot_text = [[ Options of figure (width, height, scale, fontsize, note) and axes (title, xlabel, xlog, ...; see plot.figure) go into the
  same table. A list inside the table makes several series.]]
define{name = "plot.line", args = "opts", returns = "figure",
  options = join({{"x", nil, "list or 1-D tensor; default 1, 2, ..."}, {"y", nil, "list or 1-D tensor", required = true}, {"low", nil, "error bars"},
    {"high", nil, ""}, {"every", nil, "a marker at every so many-th point"}}, pen),
  text = "Curves." .. plot_text, example = "tide.plot.line{y = {3, 1, 2}, xlabel = \"step\"}"}
define{name = "plot.scatter", args = "opts", returns = "figure",
  options = join({{"x", nil, ""}, {"y", nil, "", required = true}, {"class", nil, "a class per point: colour and marker by class"},
    {"classes", nil, "{{value =, name =, color =, marker =}, ...}"}, {"value", nil, "a number per point: colour by palette"},
    {"palette", "viridis", "", quote = true}, {"rim", true, "a thin light rim around each point"}}, pen),
  text = "Points." .. plot_text, example = "tide.plot.scatter{x = {1, 2, 3}, y = {3, 1, 2}, class = {1, 1, 2}}"}
define{name = "plot.band", args = "opts", returns = "figure",
  options = join({{"x", nil, ""}, {"low", nil, ""}, {"high", nil, ""}, {"y", nil, "a line inside the band"},
    {"runs", nil, "instead: {{x =, y =}, ...}, summarised"}, {"stat", "median", "\"median\" with 10-90 %, or \"mean\" with its deviation", quote = true},
    {"opacity", 0.2, ""}}, pen),
  text = "A line with a band around it." .. plot_text, example = "tide.plot.band{runs = {{1, 2, 3}, {2, 2, 2}}, ylabel = \"loss\"}"}
define{name = "plot.image", args = "opts", returns = "figure",
  options = {{"z", nil, "rows of numbers, the first at the bottom", required = true}, {"x", nil, "{low, high}: centres of the outer columns"},
    {"y", nil, "{low, high}: centres of the outer rows"}, {"picture", false, "the first row at the top"}, {"name", nil, ""},
    {"palette", "viridis", "see plot.palettes()", quote = true}, {"range", nil, "{low, high} of the palette"}},
  text = "A matrix in colours." .. plot_text, example = "tide.plot.image{z = {{1, 2}, {3, 4}}}"}
define{name = "plot.field", args = "opts", returns = "figure",
  options = join({{"x", nil, "positions", required = true}, {"y", nil, "", required = true}, {"u", nil, "components", required = true},
    {"v", nil, "", required = true}, {"length", 0.8, "of the longest arrow, in cells of the grid"}, {"equal", false, "all arrows equally long"},
    {"speed", false, "colour by magnitude"}, {"palette", "viridis", "", quote = true}}, pen),
  text = "A vector field as arrows." .. plot_text,
  example = "tide.plot.field{x = {0, 1, 0, 1}, y = {0, 0, 1, 1}, u = {1, 1, 1, 1}, v = {0, 1, 0, 1}}"}
define{name = "plot.trajectories", args = "opts", returns = "figure",
  options = join({{"curves", nil, "{{x =, y =, class =}, ...}, or flat columns:"}, {"x", nil, ""}, {"y", nil, ""}, {"id", nil, "which curve a point belongs to"},
    {"class", nil, ""}, {"classes", nil, "{{value =, name =, color =, marker =}, ...}"}, {"start", true, "a dot where each begins"},
    {"arrows", true, "an arrow head where each ends"}}, pen),
  text = "Paths in the plane." .. plot_text, example = "tide.plot.trajectories{curves = {{x = {0, 1}, y = {0, 1}, class = 1}}}"}
define{name = "plot.entry", args = "opts", returns = "figure", options = pen,
  text = "A line of the legend without data, for fig:add(\"entry\", {name =, ...}).",
  example = "tide.plot.line{y = {1, 2}}:add(\"entry\", {name = \"dashed: test\", dash = 2})"}
define{name = "plot.figure", args = "opts", returns = "figure", options = axes, text = "Axes without series yet; fig:add(kind, {...}) adds some.",
  example = "tide.plot.figure{title = \"loss\", ylog = true}:add(\"line\", {y = {1, 0.1}})"}
define{name = "plot.panels", args = "opts", returns = "figure",
  options = join({{"title", nil, ""}, {"columns", nil, ""}, {"legend", "each", "\"each\", \"shared\" or \"none\"", quote = true}}, figure),
  text = "One figure of several: plot.panels{figure, figure, columns = 2}.",
  example = "tide.plot.panels{tide.plot.line{y = {1, 2}}, tide.plot.line{y = {2, 1}}, columns = 2}"}
define{name = "figure:save", args = "path", returns = "path",
  text = [[Draw into path by its extension (.png, .svg, .pdf), with NAME.gp and NAME.dat beside it; `gnuplot NAME.gp` draws it again. An
  older picture stays when gnuplot fails or warns.]],
  example = "tide.plot.line{y = {1, 2}}:save(folder .. \"/line.svg\")", run = false}
define{name = "figure:show", args = "opts", returns = "figure",
  options = {{"width", 79, "characters"}, {"height", 24, ""}, {"color", nil, "default: on a terminal"}},
  text = "Print the figure as text.", example = "tide.plot.line{y = {1, 2}}:show()", run = false}
define{name = "figure:text", args = "opts", returns = "string", text = "The figure as text; options as figure:show.",
  example = "tide.plot.line{y = {1, 2}}:text{width = 40, height = 12}", run = false}
define{name = "figure:render", args = "name, extension", returns = "script, data", text = "The texts of NAME.gp and NAME.dat; nothing is run.",
  example = "tide.plot.line{y = {1, 2}}:render(\"a\", \"png\")"}
define{name = "figure:add", args = "kind, opts", returns = "figure", text = "Add a series; kind may be left out for one more of the figure's own kind.",
  example = "tide.plot.line{y = {1, 2}}:add{y = {2, 1}}"}
define{name = "figure:axes", args = "opts", returns = "figure", text = "Change options of the axes.",
  example = "tide.plot.line{y = {1, 2}}:axes{xlabel = \"epoch\"}"}
define{name = "figure:raw", args = "line", returns = "figure", text = "A line of gnuplot in front of the plot command.",
  example = "tide.plot.line{y = {1, 2}}:raw(\"set key box\")"}
define{name = "plot.median_band", args = "runs, opts", returns = "{x =, y =, low =, high =, n =}",
  options = {{"low", 0.1, "lower quantile"}, {"high", 0.9, "upper quantile"}},
  text = "Median and quantiles per x over runs {x =, y =} or lists of values.", example = "tide.plot.median_band({{1, 2}, {3, 4}}).y"}
define{name = "plot.mean_band", args = "runs", returns = "{x =, y =, low =, high =, n =}", text = "Mean, and mean -+ standard deviation.",
  example = "tide.plot.mean_band({{1, 2}, {3, 4}}).y"}
define{name = "plot.bin", args = "run, bins, low, high", returns = "{x =, y =}",
  text = "Means over equal stretches of x, for noisy or very long curves; low and high give common stretches to several runs.",
  example = "tide.plot.bin({x = {1, 2, 3, 4}, y = {1, 2, 3, 4}}, 2).y"}
define{name = "plot.runs", args = "table, opts", returns = "list",
  options = {{"x", nil, "column", required = true}, {"y", nil, "column", required = true}, {"by", "model", "column that names the groups", quote = true},
    {"run", "seed", "column that tells runs apart", quote = true}, {"bins", nil, "see plot.bin"}},
  text = "From a CSV table (csv.read) to {{name =, runs = {{x =, y =}, ...}}, ...}, for bands.",
  example = "tide.plot.runs(tide.csv.parse(\"model,seed,epoch,loss\\nA,1,1,0.5\\nA,2,1,0.7\"), {x = \"epoch\", y = \"loss\"})"}
define{name = "plot.band_caption", args = "groups", returns = "string or nil", text = "What line and band of plot.runs' groups are, in words.",
  example = "tide.plot.band_caption{{runs = {{}, {}}}}"}
define{name = "plot.looks", args = "names, ...", returns = "table", text = "One line type per name, the same in all figures: {name = number}.",
  example = "tide.plot.looks{\"NODE\", \"ANODE\"}.ANODE"}
define{name = "plot.plain", args = "text", returns = "string", text = "Text whose ^ _ { } @ & ~ are meant literally in titles and labels.",
  example = "tide.plot.plain(\"rk4_38\")"}
define{name = "plot.options", args = "kind", returns = "list, list, list", text = "Option names of a kind of series, of axes, of figures.",
  example = "tide.plot.options(\"band\")"}
define{name = "plot.colors", args = "", returns = "list", text = "Names of colours (plots/style.gp).", example = "tide.plot.colors()"}
define{name = "plot.palettes", args = "", returns = "list", text = "Names of palettes (plots/style.gp).", example = "tide.plot.palettes()"}
define{name = "plot.check_fonts", args = "", returns = "true, or nil and what to install", text = "Will png and pdf have text?",
  example = "tide.plot.check_fonts()"}

topic = "Tables of numbers (CSV)"
local writer_options = {{"comments", {}, "lines for the top of the file"}, {"digits", 9, "significant digits; 17 for exact float64"}}
define{name = "csv.writer", args = "path, columns, opts", returns = "writer", options = writer_options,
  text = [[A table to be written row by row; the file appears under its name when it is closed. local w <close> = csv.writer(...) closes it,
  or discards it after an error.]],
  example = "local w <close> = tide.csv.writer(folder .. \"/a.csv\", {\"epoch\", \"loss\"})  w:row{epoch = 1, loss = 0.5}"}
define{name = "writer:row", args = "row", returns = "writer",
  text = "Append a row: a table by column name, or a list in order; numbers, strings, booleans. Every column must be there.",
  example = "tide.csv.writer(folder .. \"/b.csv\", {\"a\"}):row{1}:close()"}
define{name = "writer:flush", args = "", returns = "writer", text = "Hand the rows so far to the system (into the temporary file).",
  example = "tide.csv.writer(folder .. \"/c.csv\", {\"a\"}):flush():close()"}
define{name = "writer:close", args = "", returns = "writer", text = "Finish: the file appears. A second close does nothing.",
  example = "tide.csv.writer(folder .. \"/d.csv\", {\"a\"}):close()"}
define{name = "writer:discard", args = "", text = "Give up: nothing appears, an older file stays.",
  example = "tide.csv.writer(folder .. \"/e.csv\", {\"a\"}):discard()"}
define{name = "csv.write", args = "path, columns, rows, opts", options = writer_options, text = "A whole table at once.",
  example = "tide.csv.write(folder .. \"/f.csv\", {\"a\", \"b\"}, {{1, 2}, {a = 3, b = 4}})"}
define{name = "csv.read", args = "path, wanted", returns = "table",
  text = [[{names =, columns = {name = values}, rows =, comments =, path =}; wanted lists columns that must be there. A column holds numbers or
  strings; nan and inf are numbers.]],
  example = "tide.csv.write(folder .. \"/g.csv\", {\"a\"}, {{1}})  print(tide.csv.read(folder .. \"/g.csv\", {\"a\"}).rows)"}
define{name = "csv.parse", args = "text, where", returns = "table", text = "As csv.read, from a string; where names it in messages.",
  example = "tide.csv.parse(\"a,b\\n1,2\").columns.b[1]"}
define{name = "table:column", args = "name", returns = "list", text = "The values of a column.", example = "tide.csv.parse(\"a,b\\n1,2\"):column(\"a\")"}
define{name = "table:has", args = "name", returns = "boolean", text = "Is there such a column?", example = "tide.csv.parse(\"a,b\\n1,2\"):has(\"c\")"}
define{name = "table:group", args = "name, ...", returns = "list of tables",
  text = "Split by the values of columns, in order of appearance; each part has key = {name = value}.",
  example = "tide.csv.parse(\"a,b\\n1,2\\n2,3\"):group(\"a\")[2].key.a"}

topic = "Tools"
define{name = "tide.memory", args = "reset_peak", returns = "table",
  text = "Memory of tensors: live_bytes, peak_bytes, live_blocks, allocations; true as argument starts peak_bytes anew.",
  example = "tide.memory().live_bytes"}
define{name = "tide.threads", args = "n", returns = "integer",
  text = "Threads in use; n sets their number (at the start: TIDE_THREADS, else all cores). Results do not depend on it.",
  example = "tide.threads()"}
define{name = "tree.map", args = "t, fn", returns = "table", text = "A copy of nested tables with every tensor x replaced by fn(x, path).",
  example = "tide.tree.map(model, function(v) return v * 2 end)"}
define{name = "tree.each", args = "t, visit", text = "visit(leaf, path) for every leaf, tensors and others, always in the same order.",
  example = "tide.tree.each(model, function(leaf, path) print(path, leaf) end)"}
define{name = "tree.tensors", args = "t, float_only", returns = "list", text = "The tensors of nested tables, in order; true: the float ones.",
  example = "#tide.tree.tensors(model)"}
define{name = "tree.replace", args = "t, list, float_only", returns = "table", text = "A copy with the tensors replaced by those of list, in order.",
  example = "tide.tree.replace({x, y}, {y, x})"}
define{name = "tree.is_tensor", args = "v", returns = "boolean", text = "Is v a tensor?", example = "tide.tree.is_tensor(x)"}
define{name = "tree.signature", args = "t, list", returns = "string",
  text = "What tide.compile tells structures apart by: keys, dtypes, shapes and other values. The tensors are appended to list.",
  example = "tide.tree.signature({x, 1}, {})"}
define{name = "progress.new", args = "opts", returns = "meter",
  options = {{"total", nil, "nil: the end is not known"}, {"initial", 0, "done before, does not count for the rate"}, {"label", "", "", quote = true},
    {"unit", "it", "", quote = true}, {"every", 10, "percent between plain lines"}, {"quiet", false, "print nothing"},
    {"bar", nil, "force or forbid the bar; default: on a terminal, unless CI is set"}, {"width", nil, "columns"},
    {"stream", nil, "default: standard error"}, {"clock", nil, "function that gives seconds"}},
  text = "A progress meter: a bar on a terminal, else a line now and then. TIDE_QUIET=1 silences all.",
  example = "local meter <close> = tide.progress.new{total = 10, quiet = true}  meter:update(1)"}
define{name = "meter:update", args = "n, fields", returns = "meter", text = "n are done; fields: a string, {{name, value}, ...} or a table by name.",
  example = "tide.progress.new{total = 2, quiet = true}:update(1, {{\"loss\", 0.5}})"}
define{name = "meter:log", args = "line", returns = "meter", text = "Print a line above the bar.",
  example = "tide.progress.new{quiet = true}:log(\"half way\")"}
define{name = "meter:finish", args = "fields", returns = "meter", text = "Draw the last state and end the line.",
  example = "tide.progress.new{quiet = true}:finish()"}
define{name = "meter:rate", args = "", returns = "number", text = "Steps per second, smoothed over 30 s.",
  example = "tide.progress.new{quiet = true}:rate()"}
define{name = "progress.clock", args = "", returns = "number", text = "Seconds of a clock that never goes back.", example = "tide.progress.clock()"}
define{name = "progress.duration", args = "seconds", returns = "string", text = "75 as \"1:15\".", example = "tide.progress.duration(75)"}
define{name = "progress.is_terminal", args = "descriptor", returns = "boolean", text = "Is 0, 1 or 2 a terminal?",
  example = "tide.progress.is_terminal(1)"}

topic = "Prompt"
define{name = "help", args = "x",
  text = [[Explain a function, a name ("x:sum", "nn.linear"), a model, a module or a topic; without argument, list everything. ?name is
  short for it.]], example = "help(tide.odeint)"}
define{name = "repl",
  text = [[At the prompt expressions print themselves; ";" at the end prints nothing; _ is the last value. A chunk goes on over
  several lines until it is complete; Ctrl-C drops it, or interrupts what runs; Ctrl-D ends. Locals of a line become globals
  when the line has run, so that they are there for the next. TAB completes names, files in strings and modules after require,
  and shows the arguments of a function after "(". Ctrl-R searches the history. ~/.config/tide/init.lua runs first (not with
  --no-init). From a script: require("tide.repl").start().]]}
