--- Every size, count, axis, index and seed of the tensors, layers, data sets, optimisers and the trainer,
-- tried with numbers at and beyond every limit: each answers soon and right, or raises an error in words. A
-- function without a row fails the last test.

local tide = require "tide"
local core, nn, optim, data = tide.core, tide.nn, tide.optim, tide.data
local tests = {}

local values = {0, 1, -1, 1.5, -0.0, 0 / 0, math.huge, -math.huge, "3", 2 ^ 31, 1 << 31, 2 ^ 53, 1 << 53,
  math.maxinteger, math.mininteger}
local MOST_BYTES, MOST_INSTRUCTIONS = 1 << 28, 50000000

local I64 = {dtype = "int64"}
local x, image, weight = tide.tensor{{1, 2, 3}, {4, 5, 6}}, tide.ones{1, 2, 6, 6}, tide.ones{2, 2, 3, 3}
local signal, taps, label = tide.ones{1, 2, 6}, tide.ones{2, 2, 3}, tide.tensor({1}, I64)
local pairs_of = {x = tide.ones{4, 2}, y = tide.ones{4, 1}}

local function train(o)
  o.model = nn.linear(2, 1)
  o.data, o.loss, o.optimizer, o.batch = pairs_of, "mse", optim.sgd(o.model, {lr = 0.1}), o.batch or 2
  if not o.iterations then o.epochs = o.epochs or 1 end
  o.quiet = true
  return tide.train(o)
end

-- {v} -> call; several for one function. `names = {...}` says which options take the number in turn, each in
-- a table of its own.
local rows = {
  zeros = {function(v) return tide.zeros{v} end, function(v) return tide.zeros{2, v} end},
  ones = {function(v) return tide.ones{v} end}, full = {function(v) return tide.full({v}, 2) end},
  zeros_like = {}, ones_like = {},
  rand = {function(v) return tide.rand{v} end, function(v) return tide.rand({2}, {seed = v}) end},
  randn = {function(v) return tide.randn{v} end, function(v) return tide.randn({2}, {seed = v}) end},
  randperm = {function(v) return tide.randperm(v) end, function(v) return tide.randperm(3, {seed = v}) end},
  eye = {function(v) return tide.eye(v) end}, linspace = {function(v) return tide.linspace(0, 1, v) end},
  arange = {function(v) return tide.arange(1, v) end, function(v) return tide.arange(v, v) end,
    function(v) return tide.arange(0, 3, v) end,
    function(v) return tide.arange(v, v, 1, I64) end},
  seed = {function(v) tide.seed(v) end},
  tensor = {function(v) return tide.tensor({v}, I64) end},
  reshape = {function(v) return x:reshape{v} end, function(v) return x:reshape{v, -1} end,
    function(v) return x:reshape{v, v, v} end},
  broadcast_to = {function(v) return tide.ones{1}:broadcast_to{v} end, function(v)
    return tide.ones{1}:broadcast_to{v, v, v}:clone()
  end},
  transpose = {function(v) return x:transpose(v, 1) end}, permute = {function(v) return x:permute{v, 1} end},
  slice = {function(v) return x:slice(2, v) end, function(v) return x:slice(2, 1, v) end, function(v)
    return x:slice(2, 1, 3, v)
  end,
    function(v) return x:slice(2, nil, nil, v) end, function(v) return x:slice(v, 1, 1) end,
    function(v) return x:slice(1, 2, 1, v):slice(1, 1, -1, v) end},
  select = {function(v) return x:select(2, v) end, function(v) return x:select(v, 1) end},
  take = {function(v) return x:take{v} end, function(v) return x:take({1}, v) end},
  cat = {function(v) return tide.cat({x, x}, v) end}, stack = {function(v) return tide.stack({x, x}, v) end},
  diag = {function(v) return x:diag(v) end, function(v) return tide.zeros{0}:diag(v) end},
  round = {function(v) return x:round(v) end}, polygamma = {function(v) return tide.polygamma(v, x) end},
  norm = {function(v) return x:norm(v) end, function(v) return x:norm(2, v) end},
  tril = {function(v) return x:tril(v) end}, triu = {function(v) return x:triu(v) end},
  flatten = {function(v) return x:flatten(v) end}, one_hot = {function(v) return tide.one_hot(label, v) end},
  conv1d = {names = {"stride", "padding", "dilation", "groups"}, function(o)
    return tide.conv1d(signal, taps, nil, o)
  end},
  conv2d = {names = {"stride", "padding", "dilation", "groups"}, function(o)
    return tide.conv2d(image, weight, nil, o)
  end},
  clamp = {function(v) return x:clamp(v, 3) end}, threads = {function(v)
    local before = tide.threads()
    local ok, message = pcall(tide.threads, v)
    tide.threads(before)
    if not ok then error(message, 0) end
  end},
  index = {function(v) return x[v] end, function(v) tide.zeros{3}[v] = 1 end, function(v)
    tide.zeros({3}, I64)[1] = v
  end},
  numbers = {function(v) return x + v end, function(v) return x ^ v end, function(v)
    return tide.ones({2}, I64) * v
  end,
    function(v) return tide.ones({2}, {dtype = "uint8"}) - v end},
  ["nn.linear"] = {function(v) return nn.linear(v, 2) end, function(v) return nn.linear(2, v) end,
    function(v) return nn.linear(2, 2, {seed = v}) end},
  ["nn.conv1d"] = {function(v) return nn.conv1d(v, 2, 3) end, function(v) return nn.conv1d(2, v, 3) end,
    function(v) return nn.conv1d(2, 2, v) end},
  ["nn.conv2d"] = {names = {"stride", "padding", "dilation", "groups", "seed"}, function(o)
    return nn.conv2d(2, 2, 3, o)(image)
  end},
  ["nn.mlp"] = {function(v) return nn.mlp{sizes = {2, v, 2}} end, function(v) return nn.mlp{sizes = {v}} end},
  ["nn.augment"] = {function(v) return nn.augment(v)(tide.ones{1, 2}) end, function(v)
    return nn.augment(v)(image)
  end},
  ["nn.with_seed"] = {function(v) return nn.with_seed(v, function() return 1 end) end},
  ["nn.odenet"] = {names = {"dim", "hidden", "augment", "out", "seed"}, base = {dim = 2, hidden = 3},
    nn.odenet},
  ["nn.conv_odenet"] = {names = {"filters", "augment", "classes", "seed"},
    base = {image = {1, 4, 4}, filters = 2, classes = 2}, nn.conv_odenet},
  ["nn.conv_odenet, image"] = {function(v)
    return nn.conv_odenet{image = {v, 4, 4}, filters = 2, classes = 2}
  end,
    function(v) return nn.conv_odenet{image = {1, v, 4}, filters = 2, classes = 2} end},
  ["nn.conv_field"] = {names = {"channels", "filters", "seed"}, base = {channels = 2, filters = 2},
    nn.conv_field},
  ["nn.resnet"] = {names = {"dim", "hidden", "layers", "out", "seed"},
    base = {dim = 2, hidden = 2, layers = 2, out = 1}, nn.resnet},
  ["data.spheres"] = {names = {"dim", "inner", "outer", "seed"}, base = {dim = 2, inner = 3, outer = 3},
    data.spheres},
  ["data.flip1d"] = {names = {"n", "seed"}, data.flip1d}, ["data.sines"] = {names = {"n", "dim", "seed"},
    base = {n = 20}, data.sines},
  ["data.three_spheres"] = {names = {"dim", "n", "seed"}, base = {dim = 2, n = 3}, data.three_spheres},
  ["data.irregular_sines"] = {names = {"n", "points", "observed", "seed"}, base = {n = 3, points = 4},
    data.irregular_sines},
  ["data.pendulum"] = {names = {"n", "points", "observed", "seed"}, base = {n = 3, points = 4},
    data.pendulum},
  ["distributions.independent"] = {function(v)
    return tide.distributions.independent(tide.distributions.normal(tide.ones{2, 3}, 1), v)
  end},
  ["distribution:sample"] = {function(v) return tide.distributions.normal(0, 1):sample(v) end, function(v)
    return tide.distributions.categorical{probs = tide.ones{2}}:sample{v}
  end, function(v) return tide.distributions.normal(0, 1):sample(2, {seed = v}) end, function(v)
    local two = tide.distributions.normal(tide.ones{2}, 1)
    return tide.distributions.mixture(tide.ones{2}, two):sample(2, {seed = v})
  end},
  ["metrics.top_k"] = {function(v) return tide.metrics.top_k(tide.ones{1, 3}, label, v) end},
  ["metrics.confusion_matrix"] = {names = {"classes"}, function(o)
    return tide.metrics.confusion_matrix(label, label, o)
  end},
  ["nn.cnf"] = {names = {"dim", "hidden", "augment", "seed"}, base = {dim = 2, hidden = 3}, nn.cnf},
  ["cnf:sample"] = {function(v) return nn.cnf{dim = 2, hidden = 3}:sample(v) end},
  ["cnf:log_prob"] = {names = {"samples", "seed"}, function(o)
    return nn.cnf{dim = 2, hidden = 3, augment = 1}:log_prob(tide.ones{1, 2}, o)
  end},
  ["data.landscape"] = {names = {"n", "seed"}, base = {n = 2}, data.landscape},
  train = {names = {"batch", "seed"}, train, endless = {"epochs", "iterations"}},
  predict = {names = {"batch"}, function(o) return tide.predict(nn.linear(2, 1), x, o) end},
  evaluate = {names = {"batch"}, function(o)
    o.loss = "mse"
    return tide.evaluate(nn.linear(2, 1), pairs_of, o)
  end},
}
for name, row in pairs(require("layer_rows").sizes) do rows[name] = row end
for name in ([[sum nansum nanmean prod
  mean var std count_nonzero max min all any argmax argmin softmax log_softmax
  logsumexp]]):gmatch("[%a_]+") do
  rows[name] = {function(v) return x[name](x, v) end, function(v) return x[name](x, {v}) end}
end
for name in ("moons circles eight_gaussians pinwheel checkerboard spirals"):gmatch("[%a_]+") do
  rows["data." .. name] = {names = {"n", "seed"}, base = {n = 3}, data[name]}
end
for name, list in pairs{sgd = {"lr", "momentum", "weight_decay"}, adam = {"lr", "eps", "weight_decay"},
  adamw = {"lr", "eps", "weight_decay"},
  rmsprop = {"lr", "eps", "weight_decay", "momentum"},
  adagrad = {"lr", "lr_decay", "eps", "weight_decay"}, adadelta = {"lr", "eps", "weight_decay"}} do
  rows["optim." .. name] = {names = list, base = {lr = 0.1}, function(o)
    local model = {w = tide.ones{2}}
    optim[name](model, o):step{w = tide.ones{2}}
  end}
end

rows["optim.lbfgs"] = {names = {"lr", "max_iter", "max_eval", "tolerance_grad", "tolerance_change",
  "history_size"}, function(o)
  local model = {w = tide.ones{2}}
  optim.lbfgs(model, o):step(function() return (model.w * model.w):sum():item(), {w = model.w * 2} end)
end}
rows["optim.levenberg_marquardt"] = {names = {"damping", "max_iter", "tolerance_grad", "tolerance_change",
  "cg_tolerance", "cg_iterations"}, function(o)
  optim.levenberg_marquardt({w = tide.ones{2}}, o):step(function(m) return m.w - 3 end)
end}
for name, list in pairs(require "indexing_cases".sizes) do rows[name] = list end

-- Without looking at a clock: neither many instructions of Lua nor much memory.
local function attempt(label_of, call, v)
  core.memory(true)
  local before = core.memory().live_bytes
  debug.sethook(function() error("too many instructions: " .. label_of, 0) end, "", MOST_INSTRUCTIONS)
  local ok, message = pcall(call, v)
  debug.sethook()
  assert(ok or type(message) == "string" and not message:find("too many instructions"), label_of .. ": "
    .. tostring(message))
  assert(ok or not message:find("number has no integer representation") and not message:find("attempt to"),
    label_of .. ": " .. tostring(message))
  local bytes = core.memory().peak_bytes - before
  assert(bytes < MOST_BYTES, ("%s took %d bytes"):format(label_of, bytes))
  return ok
end

local function with(base, name, v)
  local o = {}
  for k, given in pairs(base or {}) do o[k] = given end
  o[name] = v
  return o
end

for name, row in pairs(rows) do
  tests["sizes: " .. name] = function()
    for _, v in ipairs(values) do
      if row.names then
        for _, option in ipairs(row.names) do
          attempt(("%s, %s = %s"):format(name, option, v), row[1], with(row.base, option, v))
        end
      else
        for i, call in ipairs(row) do attempt(("%s (%d), %s"):format(name, i, v), call, v) end
      end
      for _, option in ipairs(row.endless or {}) do
        local refused = not (math.type(v) == "float" and v % 1 == 0 or math.type(v) == "integer") or v < 2
        if refused then attempt(("%s, %s = %s"):format(name, option, v), row[1], {[option] = v}) end
      end
      collectgarbage()
    end
  end
end

tests["every function that takes a size has a row"] = function()
  local none = {} -- functions without one, or whose options others test
  for name in ([[
    add sub mul div pow maximum minimum relu_grad sigmoid_grad tanh_grad eq ne lt le gt ge abs cos exp log
    neg reciprocal relu sigmoid sign sin softplus sqrt square tanh clone stop_gradient dtype shape rank
    numel item totable copy_ to tostring where matmul einsum outer mse smooth_l1 binary_cross_entropy
    cross_entropy grad value_and_grad vjp jvp compile floor ceil trunc frac rsqrt tan asin acos atan sinh
    cosh asinh acosh atanh exp2 expm1 log1p log2 log10 erf erfc erfinv lgamma digamma gelu gelu_tanh silu
    log_sigmoid selu celu mish softsign hardtanh relu6 hardsigmoid hardswish logit nan_to_num isnan isinf
    isfinite logical_not remainder fmod floor_divide atan2 hypot logaddexp xlogy leaky_relu elu gelu_grad
    silu_grad logical_and logical_or logical_xor isclose allclose equal lerp jacobian hessian hvp
    gauss_newton gradcheck odeint attempt save load read_bytes read_idx memory machine set_matmul_precision
    get_matmul_precision set_print get_print set_default_dtype get_default_dtype explain nn.activation
    nn.chain nn.count nn.flatten nn.load nn.odeblock nn.penalised nn.parameters data.folder data.mnist
    data.cifar10 data.svhn data.tiny_imagenet data.names]]):gmatch("[%w_.]+") do none[name] = true end
  local lacking = {}
  local function look(prefix, module)
    for name, f in pairs(module) do
      local full = prefix .. name
      if type(f) == "function" and name:sub(1, 1) ~= "_" and not rows[full] and not none[full] then
        lacking[#lacking + 1] = full
      end
    end
  end
  look("", tide)
  look("nn.", nn)
  look("optim.", optim)
  for _, name in ipairs(data.names and data.names() or {}) do
    if not rows["data." .. name] and not none["data." .. name] then
      lacking[#lacking + 1] = "data." .. name
    end
  end
  table.sort(lacking)
  assert(#lacking == 0, "no row for " .. table.concat(lacking, ", "))
end

return tests
