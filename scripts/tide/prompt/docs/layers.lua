--- Help about pools, norms, dropout, embeddings, what joins layers, initialisers; see tide.docs.

local help = require "tide.help"
local shared = require "tide.prompt.docs.shared"

local define = help.define
local join = help.join

help.topic "Pools"
local function window(...)
  local rows = {stride = {"stride", nil, "distance between windows; default: the kernel's size"},
    padding = {"padding", 0, "pixels beside the image, at most half of the kernel"},
    dilation = {"dilation", 1, "distance between the pixels of a window"},
    ceil_mode = {"ceil_mode", false, "true: windows that lie only partly in the image count, too"},
    count_include_pad = {"count_include_pad", true, "false: an average divides by the image's pixels alone"},
    divisor_override = {"divisor_override", nil, "what averages divide by instead"}}
  local list = {}
  for i, name in ipairs{...} do list[i] = rows[name] end
  return list
end
local of_max = window("stride", "padding", "dilation", "ceil_mode")
local of_avg1 = window("stride", "padding", "ceil_mode", "count_include_pad")
local of_avg2 = window("stride", "padding", "ceil_mode", "count_include_pad", "divisor_override")
local sizes = " The length of the result is (n + 2 padding - dilation (k - 1) - 1) // stride + 1, rounded up "
  .. "in ceil_mode."

define{name = "tide.max_pool1d", args = "x, kernel_size, opts", returns = "tensor", options = of_max,
  text = "The largest number of each window, x N,C,L; NaN if there is one." .. sizes,
  example = "tide.max_pool1d(tide.ones({1, 2, 8}), 2)"}
define{name = "tide.max_pool2d", args = "x, kernel_size, opts", returns = "tensor", options = of_max,
  text = "The largest number of each window, x N,C,H,W; kernel and options are integers or {h, w}." .. sizes
  .. " The derivative goes to the first of equal numbers.",
  example = "tide.max_pool2d(tide.ones({1, 2, 8, 8}), 3, {stride = 2, padding = 1})"}
define{name = "tide.avg_pool1d", args = "x, kernel_size, opts", returns = "tensor", options = of_avg1,
  text = "The mean of each window, x N,C,L; padding counts as zeros.",
  example = "tide.avg_pool1d(tide.ones({1, 2, 8}), 2)"}
define{name = "tide.avg_pool2d", args = "x, kernel_size, opts", returns = "tensor", options = of_avg2,
  text = "The mean of each window, x N,C,H,W; padding counts as zeros. Options are integers or {h, w}.",
  example = "tide.avg_pool2d(tide.ones({1, 2, 8, 8}), {2, 4}, {count_include_pad = false})"}
define{name = "tide.adaptive_avg_pool1d", args = "x, size", returns = "tensor",
  text = "Means of as many windows as size says: window i has the pixels from (i - 1) n / size to i n / "
  .. "size.",
  example = "tide.adaptive_avg_pool1d(tide.ones({1, 2, 8}), 3)"}
define{name = "tide.adaptive_avg_pool2d", args = "x, size", returns = "tensor",
  text = "Means of size (an integer or {h, w}) windows, x N,C,H,W; size 1 is the mean over all pixels.",
  example = "tide.adaptive_avg_pool2d(tide.ones({1, 2, 8, 8}), {3, 4})"}
for _, row in ipairs{{"max_pool1d", of_max, "8"}, {"max_pool2d", of_max, "8, 8"},
  {"avg_pool1d", of_avg1, "8"}, {"avg_pool2d", of_avg2, "8, 8"}} do
  define{name = "nn." .. row[1], args = "kernel_size, opts", returns = "model", options = row[2],
    text = ("A layer around tide.%s."):format(row[1]),
    example = ("tide.nn.%s(2)(tide.ones({1, 2, %s}))"):format(row[1], row[3])}
end
define{name = "nn.adaptive_avg_pool1d", args = "size", returns = "model",
  text = "A layer around tide.adaptive_avg_pool1d.",
  example = "tide.nn.adaptive_avg_pool1d(3)(tide.ones({1, 2, 8}))"}
define{name = "nn.adaptive_avg_pool2d", args = "size", returns = "model",
  text = "A layer around tide.adaptive_avg_pool2d.",
  example = "tide.nn.adaptive_avg_pool2d({3, 4})(tide.ones({1, 2, 8, 8}))"}

help.topic "Convolution"
local transposed = {shared.convolution[1], {"padding", 0, "taken from both ends of the result"},
  {"output_padding", 0, "added to one end of the result, less than the stride"}, shared.convolution[3],
  shared.convolution[4]}
define{name = "tide.conv_transpose1d", args = "x, w, b, opts", returns = "tensor", options = transposed,
  text = [[The transpose of tide.conv1d as a map of x, with PyTorch's sizes: (n - 1) stride - 2 padding +
  dilation (k - 1) + output_padding + 1. x N,C_in,L; w C_in,C_out/groups,k; b C_out or nil.]],
  example = "tide.conv_transpose1d(tide.ones({1, 2, 4}), tide.ones({2, 3, 3}), nil, {stride = 2})"}
define{name = "tide.conv_transpose2d", args = "x, w, b, opts", returns = "tensor", options = transposed,
  text = [[The transpose of tide.conv2d as a map of x: x N,C_in,H,W; w C_in,C_out/groups,kh,kw; b C_out or
  nil; sizes as those of tide.conv_transpose1d. Options are integers or {h, w}.]],
  example = "tide.conv_transpose2d(tide.ones({1, 2, 4, 4}), tide.ones({2, 3, 3, 3}), nil, {stride = 2, "
  .. "padding = 1, output_padding = 1})"}
define{name = "nn.conv_transpose1d", args = "c_in, c_out, k, opts", returns = "model",
  options = join(shared.layer, transposed), text = "A layer around tide.conv_transpose1d.",
  example = "tide.nn.conv_transpose1d(2, 3, 4, {stride = 2, padding = 1})(tide.ones({1, 2, 4}))"}
define{name = "nn.conv_transpose2d", args = "c_in, c_out, k, opts", returns = "model",
  options = join(shared.layer, transposed),
  text = "A layer around tide.conv_transpose2d; k is an integer or {kh, kw}.",
  example = "tide.nn.conv_transpose2d(2, 3, 4, {stride = 2, padding = 1})(tide.ones({1, 2, 4, 4}))"}

help.topic "Norms and dropout"
local affine = {{"eps", 1e-5, "added to the variance"},
  {"affine", true, "false: no weight and no bias, both trained from 1 and 0"}, shared.dtype}
local running = {{"momentum", 0.1, "share of a batch in the running statistics"},
  {"track_running_stats", true, "false: evaluation uses statistics of the batch, too"}}
define{name = "nn.layer_norm", args = "shape, opts", returns = "model",
  options = join(affine, {{"bias", true, "false: no bias"}}),
  text = "(x - mean) / sqrt(variance + eps) over the last axes, of the given lengths (an integer: one axis); "
  .. "then weight and bias for each of their elements.",
  example = "tide.nn.layer_norm(2)(x)"}
define{name = "nn.group_norm", args = "groups, channels, opts", returns = "model", options = affine,
  text = "The same for each sample and group of channels, x N,C,...; a weight and a bias for each channel.",
  example = "tide.nn.group_norm(2, 4)(tide.ones({1, 4, 3, 3}))"}
local batch_text = [[(x - mean) / sqrt(variance + eps) over the batch and all pixels, then a weight and a bias
for each channel. Training (the default) uses the batch's statistics and moves running_mean and running_var
towards them (the variance with n - 1); model(x, {training = false}) uses those. The two are buffers: tensors
of the model that are saved and loaded, but not counted, differentiated or given to an optimiser. A compiled
function and tide.train update them with each run that succeeds; tide.predict, tide.evaluate and validation
only read them.
Statistics cannot leave a solve: in a field take nn.group_norm.]]
define{name = "nn.batch_norm", args = "channels, opts", returns = "model", options = join(affine, running),
  text = batch_text .. " x is N,C, N,C,L or N,C,H,W.", example = "tide.nn.batch_norm(2)(x)"}
define{name = "nn.batch_norm1d", args = "channels, opts", returns = "model", options = join(affine, running),
  text = batch_text .. " x is N,C or N,C,L.", example = "tide.nn.batch_norm1d(2)(x)"}
define{name = "nn.batch_norm2d", args = "channels, opts", returns = "model", options = join(affine, running),
  text = batch_text .. " x is N,C,H,W.",
  example = "bn = tide.nn.batch_norm2d(2)  y = bn(tide.randn({4, 2, 3, 3}))  print(bn.running_mean)"}
define{name = "nn.dropout", args = "p", returns = "model",
  text = [[Each number is 0 with probability p (0.5), else divided by 1 - p. New numbers are drawn at each run
  of a compiled function, and once per solve inside of a field. model(x, {training = false}) leaves x as it
  is, so do tide.predict, tide.evaluate and validation.]], example = "tide.nn.dropout(0.2)(x)"}

help.topic "Recurrent layers"
local nonlinearity = {"nonlinearity", "tanh", '"tanh" or "relu"', quote = true}
local deep = {{"num_layers", 1, "layers, each on the hidden states of the one before"},
  {"batch_first", false, "true: x and the result are {N, T, ...}"},
  {"bidirectional", false, "true: each layer goes forwards and backwards, their states side by side"},
  {"dropout", 0, "between layers, in training"}}
local weights_text = " Weights have PyTorch's names and gates: weight_ih_l0, weight_hh_l0, bias_ih_l0, "
  .. "bias_hh_l0 (cells: without _l0; backwards: _reverse), uniform within 1 / sqrt(n_hidden)."
local formulas = {
  rnn = "h' = tanh(W_ih x + b_ih + W_hh h + b_hh).",
  gru = "r, z = sigmoid(W x + b + W' h + b'), s = tanh(W_s x + b_s + r (W'_s h + b'_s)), h' = (1 - z) s + "
    .. "z h.",
  lstm = "i, f, o = sigmoid(W x + b + W' h + b'), g = tanh(the same), c' = f c + i g, h' = o tanh(c')."}
for _, kind in ipairs{"rnn", "gru", "lstm"} do
  local own = kind == "rnn" and {nonlinearity} or {}
  define{name = ("nn.%s_cell"):format(kind), args = "n_in, n_hidden, opts", returns = "model",
    options = join(own, shared.layer),
    text = ("One step: cell(x, %s, x {N, n_in}, states {N, n_hidden}; no state: zeros. %s%s"):format(
      kind == "lstm" and "{h, c}) -> h, c" or "h) -> h", formulas[kind], weights_text),
    example = ("cell = tide.nn.%s_cell(2, 3)  h = cell(x)"):format(kind)}
  define{name = "nn." .. kind, args = "n_in, n_hidden, opts", returns = "model",
    options = join(own, deep, shared.layer),
    text = ("A sequence: model(x, %s -> hidden states {T, N, n_hidden} of x {T, N, n_in}, and the last %s. "
      .. "%s%s"):format(kind == "lstm" and "{h0, c0})" or "h0)", kind == "lstm"
      and "states h and c, {layers, N, n_hidden}" or "state of each layer, {layers, N, n_hidden}",
      formulas[kind], weights_text),
    example = ("states, last = tide.nn.%s(2, 3)(tide.randn({5, 4, 2}))"):format(kind)}
end

help.topic "Models"
define{name = "nn.embedding", args = "n, dim, opts", returns = "model",
  options = {shared.dtype, shared.seed},
  text = "Rows of a table of n rows: 1-based int64 indices of any shape to that shape and dim. The rows "
  .. "begin as normal numbers.",
  example = "tide.nn.embedding(10, 3)(tide.tensor({1, 10, 2}, {dtype = \"int64\"}))"}
define{name = "nn.augment", args = "p", returns = "model",
  text = "Appends p zero features (N,d) or channels (N,C,...): the A of ANODE. p may be a layer: what it "
  .. "makes of x is appended.", example = "tide.nn.augment(3)(x):shape()"}
define{name = "nn.residual", args = "layer, opts", returns = "model",
  options = {{"shortcut", nil, "a layer for the way beside; default: x itself"}},
  text = "x + layer(x).", example = "tide.nn.residual(tide.nn.linear(2, 2))(x)"}
define{name = "nn.concat", args = "layers, opts", returns = "model",
  options = {{"axis", 2, "along which their results are joined"}},
  text = 'What several layers make of x, side by side: tide.nn.concat{"identity", layer} keeps x.',
  example = 'tide.nn.concat{"identity", tide.nn.linear(2, 3)}(x):shape()'}
define{name = "nn.galerkin", args = "opts", returns = "model",
  options = join({{"sizes", nil, "features of input, hidden layers and output", required = true},
    {"act", "tanh", "activation between the layers, see nn.activation", quote = true},
    {"basis", "fourier", '"fourier" (1, cos, sin, ...), "polynomial", "chebyshev" or "gaussian" (bumps)',
      quote = true},
    {"terms", 3, "functions of the basis"}, {"span", {0, 1}, "times over which the basis is meant"}},
    shared.layer),
  text = "A field f(t, y) whose weights vary with t: a multilayer perceptron whose weights and biases are "
  .. "sums of functions of t with trained coefficients, {terms, n_out, n_in}.",
  example = "tide.nn.odeblock(tide.nn.galerkin{sizes = {2, 8, 2}})(x)"}
define{name = "nn.data_controlled", args = "field, opts", returns = "field",
  options = {{"axis", 2, "along which state and input are joined"}},
  text = "In an ODE block the field sees the state beside the block's input, f(t, {y, x}): twice the "
  .. "features in, as many as the state out.",
  example = "tide.nn.odeblock(tide.nn.data_controlled(tide.nn.mlp{sizes = {4, 8, 2}}))(x)"}
define{name = "nn.second_order", args = "field, opts", returns = "field",
  options = {{"order", 2, "parts of the state: x, x', ..."}, {"axis", 2, "along which they lie"}},
  text = "The state is {x, v}, dx/dt = v, dv/dt = field(t, {x, v}). A layer that makes the first v: "
  .. "tide.nn.augment(layer) before the block.",
  example = "tide.nn.chain{tide.nn.augment(tide.nn.linear(2, 2)), tide.nn.odeblock(tide.nn.second_order("
  .. "tide.nn.mlp{sizes = {4, 8, 2}}))}(x)"}
define{name = "nn.spectral_norm", args = "layer, opts", returns = "model",
  options = {{"iterations", 1, "of the power method in each call in training"},
    {"eps", 1e-12, "least length of a vector"},
    {"exact", false, "true: by a singular value decomposition, without buffers; in fields"}},
  text = "The layer with its weight divided by its largest singular value (as a matrix, outputs first); the "
  .. "vectors of the power method are buffers.",
  example = "tide.nn.spectral_norm(tide.nn.linear(2, 3))(x)"}
local resnet_layer = {}
for i, row in ipairs(shared.layer) do resnet_layer[i] = row end
resnet_layer[1] = {"init", "kaiming", "of the convolutions: " .. shared.layer[1][3], quote = true}
define{name = "nn.conv_resnet", args = "opts", returns = "model",
  options = join({{"image", nil, "{channels, height, width}", required = true},
    {"classes", 10, "features of the result"},
    {"filters", {16, 32, 64}, "channels of each stage"},
    {"blocks", {1, 1, 1}, "basic blocks of each stage"},
    {"stem", "3x3", '"3x3", or "7x7": stride 2 and a pool, as for ImageNet', quote = true},
    {"norm", "batch", '"batch", "group" or "none"', quote = true},
    {"groups", 8, "of the group norm"}, {"act", "relu", "activation, see nn.activation", quote = true}},
    resnet_layer),
  text = [[A ResNet for images: a stem, stages of basic blocks (two 3 x 3 convolutions with norms beside a
  shortcut) of which all but the first halve the image, the mean over the pixels, a linear layer.]],
  example = "tide.nn.conv_resnet{image = {1, 8, 8}, filters = {4, 8}, blocks = {1, 1}}(tide.rand({2, 1, 8, "
  .. "8}))"}
define{name = "conv_resnet:features", args = "x, opts", returns = "tensor",
  text = "The means over the pixels before the linear layer, {N, filters}.",
  example = "tide.nn.conv_resnet{image = {1, 8, 8}}:features(tide.rand({2, 1, 8, 8})):shape()"}

help.topic "Initialisers"
define{name = "nn.init.uniform", args = "x, opts", returns = "x",
  options = {{"a", 0, "least number"}, {"b", 1, "largest"}},
  text = "Put uniform numbers into x, in place, as all of nn.init: PyTorch's functions without the "
  .. "underscore.",
  example = "tide.nn.init.uniform(tide.ones({2, 3}), {a = -1})"}
define{name = "nn.init.normal", args = "x, opts", returns = "x",
  options = {{"mean", 0, "mean"}, {"std", 1, "standard deviation"}}, text = "Normal numbers.",
  example = "tide.nn.init.normal(tide.ones({2, 3}), {std = 0.1})"}
define{name = "nn.init.trunc_normal", args = "x, opts", returns = "x",
  options = {{"mean", 0, "mean"}, {"std", 1, "standard deviation"}, {"a", -2, "least number"},
    {"b", 2, "largest"}}, text = "Normal numbers, drawn anew until they lie in a..b.",
  example = "tide.nn.init.trunc_normal(tide.ones({2, 3}))"}
define{name = "nn.init.constant", args = "x, value", returns = "x", text = "One number everywhere.",
  example = "tide.nn.init.constant(tide.ones({2}), 3)"}
define{name = "nn.init.ones", args = "x", returns = "x", text = "All ones.",
  example = "tide.nn.init.ones(tide.zeros({2}))"}
define{name = "nn.init.zeros", args = "x", returns = "x", text = "All zeros.",
  example = "tide.nn.init.zeros(tide.ones({2}))"}
define{name = "nn.init.eye", args = "x", returns = "x", text = "The unit matrix.",
  example = "tide.nn.init.eye(tide.ones({2, 3}))"}
define{name = "nn.init.dirac", args = "x", returns = "x",
  text = "A convolution (O,C,k...) that gives its channels back.",
  example = "tide.nn.init.dirac(tide.ones({2, 2, 3}))"}
define{name = "nn.init.sparse", args = "x, opts", returns = "x",
  options = {{"sparsity", nil, "share of each column that is 0", required = true},
    {"std", 0.01, "of the others"}}, text = "A matrix of few normal numbers.",
  example = "tide.nn.init.sparse(tide.ones({4, 3}), {sparsity = 0.5})"}
local gain = {{"gain", 1, "factor; see nn.init.calculate_gain"}}
local kaiming = {{"a", 0, "slope of the leaky ReLU behind"}, {"mode", "fan_in", '"fan_in" or "fan_out"',
  quote = true}, {"nonlinearity", "leaky_relu", "what follows, see nn.init.calculate_gain", quote = true}}
define{name = "nn.init.xavier_uniform", args = "x, opts", returns = "x", options = gain,
  text = "Uniform numbers of variance gain^2 2 / (fan_in + fan_out).",
  example = "tide.nn.init.xavier_uniform(model.weight)"}
define{name = "nn.init.xavier_normal", args = "x, opts", returns = "x", options = gain,
  text = "Normal numbers of variance gain^2 2 / (fan_in + fan_out).",
  example = "tide.nn.init.xavier_normal(model.weight)"}
define{name = "nn.init.kaiming_uniform", args = "x, opts", returns = "x", options = kaiming,
  text = "Uniform numbers of variance gain^2 / fan.",
  example = "tide.nn.init.kaiming_uniform(model.weight, {nonlinearity = \"relu\"})"}
define{name = "nn.init.kaiming_normal", args = "x, opts", returns = "x", options = kaiming,
  text = "Normal numbers of variance gain^2 / fan.", example = "tide.nn.init.kaiming_normal(model.weight)"}
define{name = "nn.init.orthogonal", args = "x, opts", returns = "x", options = gain,
  text = "Orthonormal rows, or columns where there are fewer.",
  example = "tide.nn.init.orthogonal(tide.ones({2, 3}))"}
define{name = "nn.init.calculate_gain", args = "nonlinearity, slope", returns = "number",
  text = "PyTorch's gain of linear, sigmoid, tanh (5/3), relu (sqrt 2), selu (3/4), leaky_relu.",
  example = "tide.nn.init.calculate_gain(\"relu\")"}
