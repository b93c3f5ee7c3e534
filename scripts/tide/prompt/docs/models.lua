--- Help about convolution, models and losses; see tide.docs.

local help = require "tide.help"
local shared = require "tide.prompt.docs.shared"

local define = help.define
local join = help.join
local convolution, layer = shared.convolution, shared.layer

help.topic "Convolution"
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
  text = [[A layer: relu, tanh, sigmoid, softplus, gelu, silu, elu, selu, celu, leaky_relu, mish, relu6,
  hardtanh, hardsigmoid, hardswish, log_sigmoid, softsign, erf, atan, sin, cos, exp, abs, square or
  identity, each with its defaults.]],
  example = "tide.nn.activation(\"tanh\")(x)"}
define{name = "nn.chain", args = "layers", returns = "model",
  text = "Layers one after another; a name stands for an activation, a function for itself.",
  example = "tide.nn.chain{tide.nn.linear(2, 8), \"tanh\", tide.nn.linear(8, 1)}(x)"}
define{name = "nn.flatten", args = "", returns = "model", text = "Joins all axes but the first.",
  example = "tide.nn.flatten()(tide.ones({2, 3, 4}))"}
define{name = "nn.odeblock", args = "field, solver", returns = "model",
  text = [[block(x) gives y(1) of dy/dt = field(t, y), y(0) = x, and the statistics. solver: options of
  tide.odeint, and t = {t0, t1} for another span. block(x, {solver = {...}}) overrides some for one call.

  solver may have regularise = {...}, penalties that tide.train and nn.penalised ask for, integrals over the
  span by the solve's own steps, means over the samples and the numbers of each, with a weight each: kinetic
  (|f|^2), jacobian (|e^T df/dy|^2 with random e, whose mean is the squared Frobenius norm), derivative (the
  square of the derivative of the given order of y(t), 2 unless order says otherwise); noise = "rademacher" or
  "gaussian" is the law of e. end_time = b lets the span end at random, uniform within b around its end.
  Elsewhere the block is as without.]],
  example = "tide.nn.odeblock(function(t, u) return -u end, {method = \"rk4\", steps = 10})(x)"}
define{name = "nn.penalised", args = "fn, ...", returns = "penalty, what fn returns",
  text = [[Call fn(...), a model or a function, with the regularisers of the ODE blocks in it: the penalty is
  their weighted sum, a scalar, or 0 where there are none. tide.train adds it to what it makes small (the loss
  of its records is without). Inside tide.grad and tide.compile, not around them.]],
  example = [[block = tide.nn.odeblock(tide.nn.mlp{sizes = {2, 8, 2}}, {regularise = {kinetic = 0.1}})
  penalty, prediction = tide.nn.penalised(block, x)]]}
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
local cnf_call = {{"solver", nil, "overrides options of the solver; t = {t0, t} asks for the density at t"},
  {"divergence", nil, '"exact" or "hutchinson", for this call'}, {"noise", nil, "or a tensor like the state"}}
local cnf_seed = {"seed", nil, "of the random numbers; default: the generator that tide.seed sets"}
define{name = "nn.cnf", args = "opts", returns = "model",
  options = join({{"dim", nil, "features of the data", required = true},
    {"hidden", 64, "width of the two hidden layers of the field, or a list of widths"},
    {"augment", 0, "random numbers appended to the data"}, {"time", true, "the field sees t"},
    {"act", "tanh", "activation between the layers, see nn.activation", quote = true},
    {"field", nil, "f(t, z) in place of the multilayer perceptron; z {N, dim + augment}"},
    {"divergence", "exact", '"exact" or "hutchinson", as in ode.divergence', quote = true},
    {"noise", "rademacher", '"rademacher" or "gaussian", for "hutchinson"', quote = true},
    {"solver", nil, "options of nn.odeblock; default dopri5, rtol = atol = 1e-5"}}, layer),
  text = [[A continuous normalizing flow: dz/dt = f(t, z) carries a standard normal distribution, at the
  beginning of the span, to the data at its end. model(x) is log p(x), so that tide.train{model = model, data
  = data, loss = "nll"} fits it. The logarithm of the density is a part of the state of the solve, under its
  tolerances.

  With augment = p the flow is one of {x, e}, e normal, and log_prob is log p(x, e) - log q(e), whose mean is
  a lower bound of log p(x); samples = k takes the logarithm of the mean over k draws, nearer to it.]],
  example = [[flow = tide.nn.cnf{dim = 2, hidden = 16}
  moons = tide.data.moons{n = 64}
  tide.train{model = flow, data = moons, loss = "nll", optimizer = "adam", epochs = 1, quiet = true}
  print(flow:log_prob(moons.x):mean(), flow:sample(4))]]}
define{name = "cnf:log_prob", args = "x, opts", returns = "log p, stats",
  options = join(cnf_call, {{"samples", 1, "draws for a point, where the flow is augmented"}, cnf_seed}),
  text = "log p(x) of x {N, dim}, shape {N}; of an augmented flow an estimate, see nn.cnf.",
  example = "tide.nn.cnf{dim = 2}:log_prob(x)"}
define{name = "cnf:sample", args = "n, opts", returns = "x, stats", options = {cnf_call[1], cnf_seed},
  text = "n samples, {n, dim}.", example = "tide.nn.cnf{dim = 2}:sample(4)"}
define{name = "cnf:forward", args = "z, opts", returns = "x, log |det dx/dz|, stats", options = cnf_call,
  text = "From the base to the data, {N, dim + augment}, with the logarithm of the determinant, {N}.",
  example = "tide.nn.cnf{dim = 2}:forward(x)"}
define{name = "cnf:inverse", args = "x, opts", returns = "z, log |det dz/dx|, stats", options = cnf_call,
  text = "From the data to the base: log p(x) is that of the normal distribution at z, plus the logarithm.",
  example = "tide.nn.cnf{dim = 2}:inverse(x)"}
define{name = "cnf:trajectory", args = "n, times, opts", returns = "states, stats",
  options = {cnf_call[1], cnf_seed},
  text = "n samples on their way from the base, {#times, n, dim + augment}; the first time is the base's.",
  example = "tide.nn.cnf{dim = 2}:trajectory(4, {0, 0.5, 1})"}
define{name = "nn.resnet", args = "opts", returns = "model",
  options = join({{"dim", nil, "features of the data", required = true},
    {"hidden", 32, "width of the blocks"}, {"layers", 5, "number of blocks"},
    {"out", 1, "features of the result"}}, field_options, layer),
  text = "The ResNet of the ANODE paper: blocks x + act(W2 act(W1 x)), then a linear layer.",
  example = "tide.nn.resnet{dim = 2}(x)"}
define{name = "resnet:features", args = "x", returns = "tensor", text = "The state before the linear layer.",
  example = "tide.nn.resnet{dim = 2}:features(x)"}
define{name = "nn.count", args = "model", returns = "integer",
  text = "The number of trainable values: elements of float tensors that are no buffers.",
  example = "tide.nn.count(model)"}
define{name = "nn.parameters", args = "model", returns = "list",
  text = "Trainable tensors of a model in order: {name = \"layers[1].weight\", shape =, count =, tensor =}.",
  example = "for _, p in ipairs(tide.nn.parameters(model)) do print(p.name, p.count) end"}
define{name = "nn.load", args = "model, weights, opts", returns = "model",
  options = {{"map", nil, "our names for those of the weights: a table of names or of their beginnings "
    .. "({fc = \"out\"}), or a function(name, tensor) -> name, tensor; false leaves a weight out, nil keeps "
    .. "its name"}},
  text = [[Put weights that tide.load returns into the tensors of a model like the one that was saved, in
  place. State dicts of PyTorch (safetensors.torch.save_file) are loaded by a map; the layouts of layers are
  the same, and where one differs the map's function gives the tensor to use: return name,
  tensor:transpose(1, 2). Names have dots and count as there: layers.1.weight is layers[1].weight. All
  names, shapes and dtypes are checked before anything changes, and one error lists what is missing,
  unexpected or of another shape.

    local weights = tide.load("resnet.safetensors")
    tide.nn.load(model, weights, {map = function(name)
      if name:find "num_batches_tracked$" then return false end
      return (name:gsub("^net%.(%d+)", function(i) return "layers." .. tostring(i + 1) end))
    end})]],
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
define{name = "tide.binary_cross_entropy", args = "logits, targets", returns = "scalar",
  text = "Mean of -log of the probability that sigmoid(logits) gives to targets in 0..1, of one shape "
  .. "(PyTorch's binary_cross_entropy_with_logits).",
  example = "tide.binary_cross_entropy(x, y:gt(0))"}
define{name = "tide.cross_entropy", args = "logits, labels", returns = "scalar",
  text = "Mean over the samples of -log softmax(logits)[label]; logits N,classes,...; labels 1-based int64 "
  .. "of shape N,...",
  example = "tide.cross_entropy(x, tide.tensor({1, 2, 2, 1}, {dtype = \"int64\"}))"}
