--- Help about convolution, models and losses; see tide.docs.

local help = require "tide.help"

local define = help.define
local join = help.join

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
