--- Help about tensors; see tide.docs.

local help = require "tide.help"

local define = help.define

local creation = {{"dtype", "float32", [["float32", "float64", "int64" or "uint8"]], quote = true},
  {"seed", nil, "seed of random numbers; default: the generator that tide.seed sets"}}

help.topic "Making tensors"
define{name = "tide.tensor", args = "values, opts", returns = "tensor", options = creation,
  text = [[A tensor from a number, a boolean, a nested table of them, or a copy of a tensor. A number gives
  shape {}. Ragged tables and values that the dtype cannot hold are errors.]],
  example = "tide.tensor({{1, 2}, {3, 4}}, {dtype = \"float64\"})"}
define{name = "tide.zeros", args = "shape, opts", returns = "tensor", options = creation,
  text = "Zeros; shape is a table, {} for a scalar.", example = "tide.zeros({2, 3})"}
define{name = "tide.ones", args = "shape, opts", returns = "tensor", options = creation,
  text = "Ones; shape is a table.",
  example = "tide.ones({4})"}
define{name = "tide.full", args = "shape, value, opts", returns = "tensor", options = creation,
  text = "Every element is the number value.", example = "tide.full({2, 2}, 0.5)"}
define{name = "tide.zeros_like", args = "x", returns = "tensor", text = "Zeros of x's shape and dtype.",
  example = "tide.zeros_like(x)"}
define{name = "tide.ones_like", args = "x", returns = "tensor", text = "Ones of x's shape and dtype.",
  example = "tide.ones_like(x)"}
define{name = "tide.randn", args = "shape, opts", returns = "tensor", options = creation,
  text = [[Standard normal numbers, float32 or float64. In a function that is recorded (tide.compile,
  tide.train) they are fresh at each run, in a field once per solve; with a seed they are always the same.]],
  example = "tide.randn({64, 2}, {seed = 1})"}
define{name = "tide.rand", args = "shape, opts", returns = "tensor", options = creation,
  text = "Uniform numbers in [0, 1), float32 or float64.", example = "tide.rand({3}, {seed = 1})"}
define{name = "tide.randperm", args = "n, opts", returns = "tensor", options = creation,
  text = "A random permutation of 1..n, always int64.", example = "x:take(tide.randperm(#x, {seed = 1}))"}
define{name = "tide.arange", args = "first, last, step, opts", returns = "tensor", options = creation,
  text = [[first, first + step, ... up to last, inclusive as in Lua's for; step (default 1) may be left out:
  tide.arange(1, 5, {dtype = "int64"}).]], example = "tide.arange(1, 5)"}
define{name = "tide.linspace", args = "a, b, n, opts", returns = "tensor", options = creation,
  text = "n equidistant numbers from a to b, both included.", example = "tide.linspace(0, 1, 11)"}
define{name = "tide.logspace", args = "a, b, n, opts", returns = "tensor",
  options = {creation[1], {"base", 10, "of the powers"}},
  text = "n powers base^a .. base^b, each as many times the one before.",
  example = "tide.logspace(-6, -2, 5)"}
define{name = "tide.eye", args = "n, opts", returns = "tensor", options = creation,
  text = "The n x n identity matrix.",
  example = "tide.eye(3)"}
define{name = "tide.one_hot", args = "labels, classes, opts", returns = "tensor", options = creation,
  text = [[From int64 labels 1..classes of any shape: one axis more, 1 at the label and 0 elsewhere. A label
  outside 1..classes is an error.]], example = "tide.one_hot(tide.tensor({1, 3}, {dtype = \"int64\"}), 3)"}
define{name = "tide.set_default_dtype", args = "dtype",
  text = [["float32" (at first) or "float64": the dtype of new tensors, weights of nn, means of integers and
  numbers in tide.stack where nothing else says so. Tensors that exist keep theirs.]],
  example = "tide.set_default_dtype(\"float32\")"}
define{name = "tide.get_default_dtype", args = "", returns = "string",
  text = "The dtype of new tensors; see tide.set_default_dtype.",
  example = "tide.get_default_dtype()"}
define{name = "tide.seed", args = "n",
  text = [[Set the default generator of random numbers (Philox 4x32-10). The same seed gives the same numbers
  on any number of threads; the option seed of a call overrides it.]], example = "tide.seed(42)"}

help.topic "Tensor methods"
define{name = "tensor:shape", args = "", returns = "table",
  text = "The extents of the axes; {} for a scalar.", example = "x:shape()[1]"}
define{name = "tensor:dtype", args = "", returns = "string",
  text = [["float32", "float64", "int64" or "uint8".]], example = "x:dtype()"}
define{name = "tensor:numel", args = "", returns = "integer",
  text = "The number of elements. #x is the extent of the first axis.",
  example = "x:numel(), #x"}
define{name = "tensor:rank", args = "", returns = "integer", text = "The number of axes, at most 8.",
  example = "x:rank()"}
define{name = "tensor:item", args = "", returns = "number",
  text = [[The number in a tensor of one element. A symbolic tensor (inside tide.grad, tide.compile,
  tide.odeint) has none: choose with tide.where.]], example = "x:sum():item()"}
define{name = "tensor:totable", args = "", returns = "table",
  text = "Nested Lua tables with the same numbers; a number for a scalar.",
  example = "x:totable()[1][2]"}
define{name = "tensor:to", args = "dtype", returns = "tensor",
  text = [[The same numbers in another dtype; x itself when it has it. To integers fractions are cut off, and
  what the dtype cannot hold becomes the nearest number that it can (300 is 255 in uint8), NaN 0.]],
  example = "x:to(\"float64\")"}
define{name = "tensor:clone", args = "", returns = "tensor",
  text = "A copy with storage of its own; views share theirs.",
  example = "x:clone()"}
define{name = "tensor:copy_", args = "y", returns = "tensor",
  text = "Overwrite x with the numbers of y (same shape and dtype), in place; all views of x see it.",
  example = "x:copy_(2 * x)"}
define{name = "tensor:close", args = "",
  text = [[Give the memory back now instead of when Lua collects the tensor; any use afterwards is an error.
  Rarely needed. Also local x <close> = ...]], example = "local big <close> = tide.zeros({1000, 1000})"}
define{name = "tensor:matmul", args = "y", returns = "tensor",
  text = [[Matrix product; leading axes are batches and broadcast as in NumPy, vectors are rows on the left
  and columns on the right; of integers it is int64 and exact. Elementwise are + - * / ^ and unary minus, with
  NumPy's broadcasting and with numbers, which never change a dtype.]],
  example = "x:matmul(y:transpose(1, 2))"}
define{name = "tide.einsum", args = "equation, x, y, ...", returns = "tensor",
  text = [[Sums of products of elements: "ij,jk->ik" is a matrix product, "bij,bjk->bik" a batch of them, "ii"
  a trace, "ij->ji" a transpose, "i,j" an outer product, "...ij->...ji" takes any leading axes. Labels that
  the right side lacks are summed over; without "->" it has those that appear once, by the alphabet. Axes of
  size 1 are broadcast. Operands are contracted from left to right.]],
  example = "tide.einsum(\"ij,kj->ik\", x, y)"}
define{name = "tide.outer", args = "x, y", returns = "tensor",
  text = "All products of elements of two vectors: {#x, #y}.",
  example = "tide.outer(tide.tensor{1, 2}, tide.tensor{3, 4, 5})"}
define{name = "tide.diag", args = "x, k", returns = "tensor", method = true,
  text = [[Of a matrix its diagonal k (0, the default, is the main one, 1 the one above, -1 the one below); of
  a vector the square matrix that has it there and is 0 elsewhere.]],
  example = "tide.diag(tide.tensor{1, 2, 3})"}
define{name = "tide.tril", args = "x, k", returns = "tensor", method = true,
  text = "Matrices with zeros above diagonal k (default 0, the main one).",
  example = "tide.ones{3, 3}:tril()"}
define{name = "tide.triu", args = "x, k", returns = "tensor", method = true,
  text = "Matrices with zeros below diagonal k (default 0, the main one).",
  example = "tide.ones{3, 3}:triu(1)"}
define{name = "tensor:transpose", args = "a, b", returns = "tensor",
  text = "A view with axes a and b exchanged; without arguments the last two.", example = "x:transpose(1, 2)"}
define{name = "tensor:permute", args = "order", returns = "tensor",
  text = "A view with the axes in the given order.",
  example = "tide.zeros({2, 3, 4}):permute({3, 1, 2})"}
define{name = "tensor:reshape", args = "shape", returns = "tensor",
  text = "The same elements in row-major order under another shape; one extent may be -1. A view where the "
  .. "layout allows it.",
  example = "x:reshape({2, -1})"}
define{name = "tensor:flatten", args = "first", returns = "tensor",
  text = "Axes first (default 1) to the last joined to one.",
  example = "tide.zeros({2, 3, 4}):flatten(2)"}
define{name = "tensor:broadcast_to", args = "shape", returns = "tensor",
  text = "A view repeated to a larger shape by NumPy's rules.",
  example = "tide.ones({2}):broadcast_to({3, 2})"}
define{name = "tensor:slice", args = "axis, first, last, step", returns = "tensor",
  text = [[A view of the elements first, first + step, ..., up to last (inclusive, 1-based; negative ones
  count from the end) of one axis. x[i] takes element i of the first axis; x[i] = v sets it. Where x has one
  axis x[i] is a number, which is a constant of what is being recorded; of a symbolic tensor it is a symbolic
  scalar. x:select(1, i) is a tensor of shape {} in both.]],
  example = "x:slice(1, 1, 3)"}
define{name = "tensor:select", args = "axis, i", returns = "tensor",
  text = "A view of the elements at position i (1-based; negative ones count from the end) of an axis, "
  .. "without that axis.",
  example = "x:select(2, 1)"}
define{name = "tide.cat", args = "list, axis", returns = "tensor",
  text = "Tensors joined along an existing axis (default 1).",
  example = "tide.cat({x, y}, 2)"}
define{name = "tide.stack", args = "list, axis, opts", returns = "tensor",
  options = {{"dtype", nil, "of the result"}},
  text = [[Tensors of one shape joined along a new axis (default 1, may be left out). Numbers count as scalars
  of the dtype of the tensors beside them; numbers alone take the default dtype.]],
  example = "tide.stack({x, y}, 1)"}
define{name = "tide.tostring", args = "x", returns = "string",
  text = [[Of a tensor what tostring(x) gives: dtype, shape and aligned values; long axes are elided in the
  middle. Of other values what the prompt shows: print(tide.tostring(model)) shows a table with all in it.]],
  example = "print(tide.tostring{x = x, note = \"a table\"})"}

help.topic "Reductions"
local axis_text = [[Over one axis (1-based; negative axes count from the end), a table of axes, or everything
  when axis is nil; keepdim = true keeps the axes at extent 1.]]
local one_axis_text = [[Along one axis (1-based; negative axes count from the end), or over everything when
  axis is nil; keepdim = true keeps the axis at extent 1.]]
local reductions = {
  {"sum", "Sum of the elements; uint8, as comparisons give, is counted in int64."},
  {"mean", "Mean of the elements; of integers in float32."},
  {"nansum", "Sum of the elements that are not NaN; of none it is 0."},
  {"nanmean", "Mean of the elements that are not NaN; of none it is NaN."},
  {"prod", "Product of the elements; integers exactly, modulo 2^64. Of none it is 1."},
  {"count_nonzero", "How many are not 0 (NaN is not), int64."},
  {"max", "The largest element; NaN wins."},
  {"min", "The smallest element; NaN wins."}, {"logsumexp", "log(sum(exp(x))), computed without overflow."},
  {"argmax", "The 1-based position of the first largest element, int64.", one_axis_text},
  {"argmin", "The 1-based position of the first smallest element, int64.", one_axis_text},
}
local truths = {{"all", "1 where no element is 0, else 0, as uint8; of none it is 1."},
  {"any", "1 where an element is not 0, else 0, as uint8; of none it is 0."}}
for _, row in ipairs(truths) do
  define{name = "tide." .. row[1], args = "x, axis, keepdim", returns = "tensor", method = true,
    text = row[2] .. " In a condition it is a boolean: if x:gt(0):" .. row[1] .. "() then ... " .. axis_text,
    example = ("x:gt(0):%s()"):format(row[1])}
end
for _, row in ipairs(reductions) do
  define{name = "tide." .. row[1], args = "x, axis, keepdim", returns = "tensor", method = true, text = row[2]
    .. " " .. (row[3] or axis_text),
    example = ("x:%s(1)"):format(row[1])}
end
local spread_options = {{"correction", 1, "what is taken from the count to divide by; 0: the divisor n"}}
define{name = "tide.var", args = "x, axis, keepdim, opts", returns = "tensor", method = true,
  options = spread_options, example = "x:var(1, false, {correction = 0})",
  text = "Variance: squared deviations from the mean, summed and divided by n - 1, as PyTorch; NaN of one "
  .. "element. " .. axis_text}
define{name = "tide.std", args = "x, axis, keepdim, opts", returns = "tensor", method = true,
  options = spread_options, example = "x:std(1)",
  text = "Standard deviation, the square root of tide.var; its derivative where it is 0 counts as 0. "
  .. axis_text}
define{name = "tide.norm", args = "x, p, axis, keepdim", returns = "tensor", method = true,
  text = [[(sum of |x|^p)^(1/p). p = 2 by default; 1; math.huge, the largest magnitude; -math.huge, the
  smallest; 0, how many are not 0; or another number. Squares and powers are taken in float64, so those of
  float32 neither overflow nor vanish. The derivative at 0 is 0. ]] .. axis_text, example = "x:norm(2, 1)"}
define{name = "tide.softmax", args = "x, axis", returns = "tensor", method = true,
  text = "exp(x) / sum(exp(x)) along an axis (default: the last).", example = "x:softmax(2)"}
define{name = "tide.log_softmax", args = "x, axis", returns = "tensor", method = true,
  text = "x - logsumexp(x) along an axis (default: the last).", example = "x:log_softmax(2)"}

help.topic "Elementwise functions"
local elementwise = {
  {"exp", "e^x."}, {"log", "Natural logarithm."}, {"sin", "Sine."}, {"cos", "Cosine."},
  {"tanh", "Hyperbolic tangent."},
  {"sigmoid", "1 / (1 + exp(-x))."}, {"relu", "max(x, 0); its derivative at 0 is 0."},
  {"softplus", "log(1 + exp(x)), without overflow."},
  {"sqrt", "Square root."}, {"abs", "Absolute value; its derivative at 0 is 0."}, {"square", "x * x."},
  {"neg", "-x."},
  {"reciprocal", "1 / x."}, {"sign", "1, 0 or -1; its derivative is 0."}, {"rsqrt", "1 / sqrt(x)."},
  {"floor", "The largest whole number <= x; its derivative is 0."},
  {"ceil", "The smallest whole number >= x; its derivative is 0."},
  {"trunc", "x without its fraction; its derivative is 0."}, {"frac", "x - trunc(x)."},
  {"tan", "Tangent."}, {"asin", "Arc sine."}, {"acos", "Arc cosine."}, {"atan", "Arc tangent."},
  {"sinh", "Hyperbolic sine."}, {"cosh", "Hyperbolic cosine."}, {"asinh", "Inverse hyperbolic sine."},
  {"acosh", "Inverse hyperbolic cosine."}, {"atanh", "Inverse hyperbolic tangent."}, {"exp2", "2^x."},
  {"expm1", "exp(x) - 1, exact for small x."}, {"log1p", "log(1 + x), exact for small x."},
  {"log2", "Logarithm to base 2."}, {"log10", "Logarithm to base 10."}, {"erf", "The error function."},
  {"erfc", "1 - erf(x), exact for large x."}, {"erfinv", "The y with erf(y) = x."},
  {"lgamma", "log |Gamma(x)|."}, {"digamma", "The derivative of lgamma."},
  {"gelu_tanh", "gelu by tanh, as tide.gelu(x, {approximate = \"tanh\"})."},
  {"silu", "x sigmoid(x), also called swish."}, {"log_sigmoid", "log(sigmoid(x)), without overflow."},
  {"selu", "The self-normalising unit: 1.0507 elu(x, 1.67326)."}, {"mish", "x tanh(softplus(x))."},
  {"softsign", "x / (1 + |x|)."}, {"relu6", "x limited to 0..6."},
  {"hardsigmoid", "x / 6 + 1/2, limited to 0..1."}, {"hardswish", "x hardsigmoid(x)."},
}
for _, row in ipairs(elementwise) do
  define{name = "tide." .. row[1], args = "x", returns = "tensor", method = true,
    text = row[2] .. (" Elementwise; tide.%s of a number is a number, computed in float64."):format(row[1]),
    example = ("x:%s()"):format(row[1])}
end
define{name = "tide.round", args = "x, decimals", returns = "tensor", method = true,
  text = "The nearest whole number, halves to the even one; with decimals, so many of them, -30 to 30. Its "
  .. "derivative is 0.", example = "x:round(2)"}
define{name = "tide.gelu", args = "x, opts", returns = "tensor", method = true,
  options = {{"approximate", "none",
    [["none", or "tanh" for x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2]],
    quote = true}},
  text = "x Phi(x), Phi the normal distribution function.", example = "x:gelu()"}
for _, row in ipairs{{"elu", "x where x > 0, else alpha (exp(x) - 1)", "alpha", 1},
  {"leaky_relu", "x where x > 0, else slope x", "slope", 0.01},
  {"celu", "x where x > 0, else alpha (exp(x / alpha) - 1)", "alpha", 1}} do
  define{name = "tide." .. row[1], args = "x, " .. row[3], returns = "tensor", method = true,
    text = ("%s; %s is %g unless given%s."):format(row[2], row[3], row[4],
      row[1] ~= "celu" and ", and may be a tensor, with a derivative of its own" or ""),
    example = ("x:%s(0.2)"):format(row[1])}
end
define{name = "tide.hardtanh", args = "x, low, high", returns = "tensor", method = true,
  text = "x limited to low..high, -1..1 unless given.", example = "x:hardtanh()"}
define{name = "tide.logit", args = "x, eps", returns = "tensor", method = true,
  text = "log(x / (1 - x)), the inverse of tide.sigmoid; eps keeps x in eps..1 - eps.",
  example = "x:sigmoid():logit()"}
define{name = "tide.polygamma", args = "n, x", returns = "tensor",
  text = "Derivative n of tide.digamma: an integer of 0..170, 0..64 where x < 0.",
  example = "tide.polygamma(1, x)"}
define{name = "tensor:polygamma", args = "n", returns = "tensor", text = "As tide.polygamma(n, x).",
  example = "x:polygamma(1)"}
define{name = "tide.lerp", args = "x, y, weight", returns = "tensor", method = true,
  text = "x + weight (y - x); each a tensor or a number.", example = "x:lerp(y, 0.3)"}
define{name = "tide.nan_to_num", args = "x, nan, high, low", returns = "tensor", method = true,
  text = "NaN, infinity and -infinity replaced, by 0 and the largest numbers of the dtype unless given.",
  example = "x:nan_to_num()"}
local predicates = {{"isnan", "x is not a number"}, {"isinf", "x is infinite"},
  {"isfinite", "x is neither NaN nor infinite"}, {"logical_not", "x is 0"}}
for _, row in ipairs(predicates) do
  define{name = "tide." .. row[1], args = "x", returns = "tensor", method = true,
    text = ("1 where %s, else 0, as uint8. Of a number it is true or false; in a condition as tide.gt.")
    :format(row[2]), example = ("x:%s():any()"):format(row[1])}
end
local closeness = {{"rtol", 1e-5, "relative to |y|"}, {"atol", 1e-8, "absolute"},
  {"equal_nan", false, "whether NaN is close to NaN"}}
define{name = "tide.isclose", args = "x, y, opts", returns = "tensor", method = true, options = closeness,
  text = "1 where |x - y| <= atol + rtol |y|, or both are the same infinity, else 0, as uint8.",
  example = "x:isclose(x + 1e-9)"}
define{name = "tide.allclose", args = "x, y, opts", returns = "boolean", method = true, options = closeness,
  text = "Whether all are close, see tide.isclose.", example = "x:allclose(x + 1e-9)"}
define{name = "tide.equal", args = "x, y", returns = "boolean", method = true,
  text = "Whether shapes and numbers are the same.", example = "x:equal(x)"}
local pairwise = {{"add", "x + y"}, {"sub", "x - y"}, {"mul", "x * y"}, {"div", "x / y"},
  {"pow", "x ^ y; integers to a whole number > 0 stay integers, to tensors they become floats"},
  {"maximum", "the larger of x and y (NaN wins)"}, {"minimum", "the smaller of x and y (NaN wins)"},
  {"remainder", "x % y, with the sign of y as in Lua and Python; an integer y of 0 is an error"},
  {"fmod", "the rest of x / y with the sign of x, as C; an integer y of 0 is an error"},
  {"floor_divide", "x // y, the quotient rounded down, exactly of integers; an integer y of 0 is an error"},
  {"atan2", "the angle of the point (y, x), -pi to pi"}, {"hypot", "sqrt(x^2 + y^2), without overflow"},
  {"logaddexp", "log(exp(x) + exp(y)), without overflow"},
  {"xlogy", "x log(y), and 0 where x is 0; at x = 0, y <= 0 its derivative by x is 0, at (0, 0) that by y is "
    .. "NaN, both as in PyTorch (JAX: -inf and NaN)"}}
for _, row in ipairs(pairwise) do
  define{name = "tide." .. row[1], args = "x, y", returns = "tensor", method = true,
    text = row[2] .. ", elementwise with NumPy's broadcasting; one of the two may be a number. Of two "
    .. "numbers it is a number, in float64.",
    example = ("x:%s(2)"):format(row[1])}
end
define{name = "tide.clamp", args = "x, low, high", returns = "tensor", method = true,
  text = "x limited to low..high; either may be nil. Of numbers it is a number. The derivative at a bound "
  .. "that is a number is 0.", example = "x:clamp(-1, 1)"}
define{name = "tide.where", args = "condition, a, b", returns = "tensor", method = true,
  text = [[a where condition is not zero, else b, elementwise with broadcasting; a and b are tensors or
  numbers. Inside tide.grad and tide.odeint it takes the place of Lua's if.]],
  example = "tide.where(x:gt(0), x, 0.1 * x)"}
local comparisons = {{"gt", ">"}, {"ge", ">="}, {"lt", "<"}, {"le", "<="}, {"eq", "=="}, {"ne", "~="}}
for _, row in ipairs(comparisons) do
  define{name = "tide." .. row[1], args = "x, y", returns = "tensor", method = true,
    text = ([[
    1 where x %s y, else 0, as uint8; elementwise with broadcasting. Of two numbers it is true or false.
    Called in a condition (if, while, until, not, and, or, assert), as x < y is anywhere, the comparison of
    one element is a boolean; of more it is an error: ask :all() or :any(); of what is being recorded as well:
    use tide.where. A variable that holds a comparison is a tensor, and every tensor is true to Lua. x == y
    asks whether they are one tensor.]]):format(row[2]),
    example = ("x:%s(0)"):format(row[1])}
end
local connectives = {{"logical_and", "both are not 0"}, {"logical_or", "one is not 0"},
  {"logical_xor", "exactly one is not 0"}}
for _, row in ipairs(connectives) do
  define{name = "tide." .. row[1], args = "x, y", returns = "tensor", method = true,
    text = ([[1 where %s, else 0, as uint8; NaN is not 0. Elementwise with broadcasting. Masks (uint8)
    also take x & y, x | y, x ~ y (one but not both) and ~x.]]):format(row[2]),
    example = ("x:gt(0):%s(x:lt(1))"):format(row[1])}
end
local slopes = {{"relu_grad", "y where x > 0, else 0"}, {"tanh_grad", "y (1 - x^2)"},
  {"sigmoid_grad", "y x (1 - x)"}, {"gelu_grad", "y gelu'(x)"}, {"silu_grad", "y silu'(x)"}}
for _, row in ipairs(slopes) do
  define{name = "tide." .. row[1], args = "x, y", returns = "tensor", method = true,
    text = row[2] .. (": the cotangent y taken back through an activation whose %s is x. Derivative rules "
    .. "use it; scripts hardly need it."):format(row[1]:find "lu_grad" and row[1] ~= "relu_grad" and "input"
      or "output"), example = ("x:%s(y)"):format(row[1])}
end

help.topic "Files"
define{name = "tide.save", args = "path, tensors",
  text = [[Write one tensor (.npy) or a nested table of tensors, a model or opt:state() for instance (.npz,
  .safetensors). The file appears whole or not at all. Keys are integers or words of letters, digits, "_" and
  "-". Numbers, strings (UTF-8) and booleans beside the tensors come back exactly as what they were: NumPy
  reads them as arrays without axes (z["lr"].item()), safetensors as metadata, as texts. Of a model only its
  tensors are saved. A picture (.png) is a tensor H,W or C,H,W with 1 to 4 channels (grey, grey and alpha,
  RGB, RGBA), uint8 or floats in [0, 1]; floats outside are clamped, NaN is an error.]],
  example = "tide.save(folder .. \"/model.npz\", {model = model, epoch = 3, name = \"first\"})"}
define{name = "tide.load", args = "path, opts", returns = "tensor or table",
  options = {{"limit", 2 ^ 31, "bytes that a compressed file may unpack to"},
    {"names", nil, "read these tensors only, a list of names as in the file"},
    {"flat", false, "names of the file as keys, no nested tables"}},
  text = [[Read what tide.save, NumPy, PyTorch or Hugging Face wrote (.npy, .npz, .safetensors) and real
  arrays of MATLAB 5 to 7 (.mat): a tensor from .npy, .png and .jpg, a nested table from the others; a flat
  one when a name goes through another ("a" and "a.b"). A str that numpy.savez wrote is a string; metadata of
  other programs in .safetensors are left alone.
  Files are checked and never executed; pickled objects are refused. float16 and bfloat16 come as float32,
  narrow integers as int64, bool as uint8, all exactly; what has another dtype is an error, and names reads
  the rest. A picture (.png of at most 8 bits per sample, .jpg, .jpeg) comes as uint8 C,H,W; palettes are
  resolved, and a file that states another gamma is converted to sRGB.]],
  example = "tide.save(folder .. \"/x.npy\", x)  print(tide.load(folder .. \"/x.npy\"):shape()[1])"}
define{name = "tide.read_idx", args = "path, opts", returns = "tensor",
  options = {{"limit", 2 ^ 31, "bytes that a compressed file may unpack to"}},
  text = "Read one tensor from an idx file, the format of MNIST, gzip or not. Narrow integers come as int64, "
  .. "bytes as uint8.",
  example = "tide.read_idx(\"train-labels-idx1-ubyte.gz\", {limit = 1e6})", run = false}
define{name = "tide.read_bytes", args = "path, opts", returns = "tensor",
  options = {{"limit", 2 ^ 31, "bytes that a compressed file may unpack to"}},
  text = "A whole file as uint8 numbers, unpacked if it is gzip: for formats that a script parses.",
  example = "tide.read_bytes(\"test_batch.bin.gz\", {limit = 3e7})", run = false}
