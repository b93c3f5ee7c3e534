--- Layers beyond the contract's: values that PyTorch gives for the same numbers, buffers, modes, words.

local tide = require "tide"
local check = require "check"
local nn = tide.nn
local tests = {}

local F64, I64 = {dtype = "float64"}, {dtype = "int64"}
local fails = check.fails

-- Are all numbers equal to those of b, a tensor or a number?
local function same(a, b) return a:eq(b):min():item() == 1 end

-- The sine of 1, 2, ... in this shape.
local function grid(...)
  local n = 1
  for _, k in ipairs{...} do n = n * k end
  return tide.arange(1, n, 1, F64):sin():reshape{...}
end

-- Shape, sum, and sum with weights cos(0.7 k), of PyTorch 2 in double precision.
local wanted = {
  ["max_pool2d"] = {{2, 3, 4, 3}, 42.3617216296049, 0.437842794420318},
  ["max_pool2d dilated"] = {{2, 3, 3, 3}, 42.7708324803525, -0.498995795362438},
  ["max_pool1d"] = {{2, 3, 5}, 8.22848823767444, -0.214152658596211},
  ["avg_pool2d ceil"] = {{2, 3, 4, 4}, 0.12373617854278, 0.104568615843006},
  ["avg_pool2d inside"] = {{2, 3, 4, 3}, 0.145336910867342, 0.310843478029983},
  ["avg_pool2d divisor"] = {{2, 3, 3, 3}, 0.170791593732215, 0.365096051166553},
  ["avg_pool1d"] = {{2, 3, 4}, 0.516321451138626, 0.821205900302801},
  ["adaptive_avg_pool2d"] = {{2, 3, 3, 4}, 0.166891161576945, 0.771426486605688},
  ["adaptive_avg_pool2d larger"] = {{2, 3, 9, 4}, 0.484087081143178, 0.335550529941403},
  ["adaptive_avg_pool1d"] = {{2, 3, 4}, 0.426713600748881, -0.532216270880082},
  ["conv_transpose2d"] = {{2, 2, 14, 11}, -152.411726265858, 7.0032745455938},
  ["conv_transpose2d asymmetric"] = {{2, 2, 23, 11}, -4.10723762776736, 0.701530589988793},
  ["conv_transpose2d groups"] = {{2, 4, 9, 7}, 2.45343014337727, 0.22066382213205},
  ["conv_transpose1d"] = {{2, 2, 28}, -1.20210222849995, 0.911564637963165},
  ["layer_norm"] = {{2, 3, 7, 6}, -4.94702331270285, 0.755042220622287},
  ["layer_norm of two axes"] = {{2, 3, 7, 6}, -1.54895674657735, 1.39924563498083},
  ["group_norm"] = {{2, 6, 4, 3}, -0.261686578317726, -0.880105742347325},
  ["batch_norm1d"] = {{5, 3}, 0.945944209846723, 0.322569179529877},
  ["batch_norm1d mean"] = {{3}, 0.412269873802039, 0.2744048266316},
  ["batch_norm1d var"] = {{3}, 3.3598431908322, 2.2699965784662},
  ["batch_norm1d evaluated"] = {{5, 3}, 0.811347853234697, 0.275847017514438},
  ["batch_norm1d signals"] = {{2, 3, 9}, 3.4053991554482, 2.1047560900002},
  ["batch_norm1d signals mean"] = {{3}, 0.962769153136775, 0.576734625465677},
  ["batch_norm1d signals var"] = {{3}, 3.6700370205277, 2.38280953220544},
  ["batch_norm1d signals evaluated"] = {{2, 3, 9}, -15.6432599983199, 1.2715010746262},
  ["batch_norm2d"] = {{2, 3, 7, 6}, 15.8918627254249, 0.859708385506261},
  ["batch_norm2d mean"] = {{3}, 0.301763597489349, 0.202155396253754},
  ["batch_norm2d var"] = {{3}, 3.17284446662037, 2.05007705424176},
  ["batch_norm2d evaluated"] = {{2, 3, 7, 6}, -15.0204679267681, 0.694042116401555},
  ["batch_norm2d gradient"] = {{2, 3, 7, 6}, 6.38378239159465e-15, -0.0245389636901958},
}

local function holds(name, y, tolerance)
  local shape, sum, weighted = table.unpack(wanted[name])
  assert(table.concat(y:shape(), ",") == table.concat(shape, ","), name)
  local weights = (tide.arange(0, y:numel() - 1, 1, F64) * 0.7):cos():reshape(y:shape())
  for i, v in ipairs{y:sum():item(), (y * weights):sum():item()} do
    local want = i == 1 and sum or weighted
    assert(math.abs(v - want) <= (tolerance or 1e-12) * (1 + math.abs(want)),
      ("%s: %.17g, PyTorch %.17g"):format(name, v, want))
  end
end

local x, signal = grid(2, 3, 7, 6), grid(2, 3, 9)

tests["batch_norm is that of the signals and of the pictures"] = function()
  local pictures, signals = tide.randn({4, 3, 5, 5}, {seed = 1}), tide.randn({4, 3, 5}, {seed = 2})
  assert(nn.batch_norm(3)(pictures):eq(nn.batch_norm2d(3)(pictures)):min():item() == 1)
  assert(nn.batch_norm(3)(signals):eq(nn.batch_norm1d(3)(signals)):min():item() == 1)
  check.fails("x must have shape N,3, N,C,L or N,C,H,W", nn.batch_norm(3), tide.ones{3})
end

tests["pools in ceil_mode: a kernel larger than the image is one window"] = function()
  local one = tide.tensor{{{3, 1, 2}}}
  assert(tide.max_pool1d(one, 4, {ceil_mode = true}):item() == 3)
  assert(tide.avg_pool1d(one, 4, {stride = 2, ceil_mode = true}):item() == 2)
  local g = tide.grad(function(z) return tide.max_pool1d(z, 4, {ceil_mode = true}):sum() end)(one)
  assert(g:eq(tide.tensor{{{1, 0, 0}}}):all():item() == 1)
end

tests["pools give PyTorch's numbers"] = function()
  holds("max_pool2d", tide.max_pool2d(x, 3, {stride = 2, padding = 1}))
  holds("max_pool2d dilated", nn.max_pool2d(3, {stride = 2, padding = 1, dilation = 2, ceil_mode = true})(x))
  holds("max_pool1d", nn.max_pool1d(2, {ceil_mode = true})(signal))
  holds("avg_pool2d ceil", tide.avg_pool2d(x, {3, 2}, {stride = 2, padding = 1, ceil_mode = true}))
  holds("avg_pool2d inside", nn.avg_pool2d({3, 2}, {stride = 2, padding = {1, 0},
    count_include_pad = false})(x))
  holds("avg_pool2d divisor", tide.avg_pool2d(x, 2, {divisor_override = 3}))
  holds("avg_pool1d", nn.avg_pool1d(4, {stride = 3, padding = 2})(signal))
  holds("adaptive_avg_pool2d", nn.adaptive_avg_pool2d({3, 4})(x))
  holds("adaptive_avg_pool2d larger", tide.adaptive_avg_pool2d(x, {9, 4}))
  holds("adaptive_avg_pool1d", nn.adaptive_avg_pool1d(4)(signal))
end

tests["the largest number of a window: NaN, equal ones, infinities, integers"] = function()
  local nan, inf = 0 / 0, math.huge
  local y = tide.max_pool1d(tide.tensor({{{1, nan, 2, 3, -inf, -inf}}}, F64), 2)
  assert(y[1][1][1] ~= y[1][1][1] and y[1][1][2] == 3 and y[1][1][3] == -inf)
  local g = tide.grad(function(q) return tide.max_pool1d(q, 3):sum() end)(tide.tensor({{{5, 5, 1}}}, F64))
  assert(g[1][1][1] == 1 and g[1][1][2] == 0)
  assert(tide.max_pool1d(tide.tensor({{{1, 2, 3, 4}}}, I64), 2):dtype() == "float32")
  assert(tide.max_pool1d(tide.tensor({{{1, 2, 3, 4}}}, F64), 2):dtype() == "float64")
end

tests["transposed convolutions give PyTorch's numbers"] = function()
  local w = grid(3, 2, 3, 2)
  holds("conv_transpose2d", tide.conv_transpose2d(x, w, tide.tensor({0.5, -1}, F64),
    {stride = 2, padding = 1, output_padding = 1}))
  holds("conv_transpose2d asymmetric", tide.conv_transpose2d(x, w, nil,
    {stride = {3, 2}, padding = {0, 1}, output_padding = {2, 0}, dilation = {1, 2}}))
  holds("conv_transpose2d groups", tide.conv_transpose2d(grid(2, 4, 5, 4), grid(4, 2, 3, 3), nil,
    {stride = 2, padding = 1, groups = 2}))
  holds("conv_transpose1d", tide.conv_transpose1d(signal, grid(3, 2, 4), nil,
    {stride = 3, padding = 1, output_padding = 2}))
  local layer = nn.conv_transpose2d(4, 6, {3, 2}, {groups = 2, seed = 1})
  assert(table.concat(layer.weight:shape(), ",") == "4,3,3,2" and #layer.bias == 6)
  assert(layer.weight:abs():max():item() <= 1 / math.sqrt(3 * 6))
end

-- The layer with weights 1 + sin / 2 and biases sin / 10.
local function filled(layer)
  layer.weight:copy_(grid(table.unpack(layer.weight:shape())) * 0.5 + 1)
  layer.bias:copy_(grid(table.unpack(layer.bias:shape())) * 0.1)
  return layer
end

tests["norms give PyTorch's numbers"] = function()
  holds("layer_norm", filled(nn.layer_norm(6, F64))(x))
  holds("layer_norm of two axes", filled(nn.layer_norm({7, 6}, F64))(x))
  holds("group_norm", filled(nn.group_norm(3, 6, F64))(grid(2, 6, 4, 3)))
  assert(nn.count(nn.layer_norm(6, {bias = false})) == 6 and nn.layer_norm(6, {affine = false}).weight == nil)
end

local batch_norms = {
  ["batch_norm1d"] = {function() return nn.batch_norm1d(3, F64) end, grid(5, 3)},
  ["batch_norm1d signals"] = {function()
    return nn.batch_norm1d(3, {dtype = "float64", momentum = 0.3, eps = 1e-3})
  end, signal},
  ["batch_norm2d"] = {function() return nn.batch_norm2d(3, F64) end, x},
}
for name, row in pairs(batch_norms) do
  tests[name .. " gives PyTorch's numbers, at once and compiled"] = function()
    local ways = {function(m, v, o) return m(v, o) end, tide.compile(function(m, v, o) return m(v, o) end)}
    for _, call in ipairs(ways) do
      local m, v = filled(row[1]()), row[2]
      holds(name, call(m, v))
      call(m, v * 2 + 1)
      holds(name .. " mean", m.running_mean)
      holds(name .. " var", m.running_var)
      holds(name .. " evaluated", call(m, v, {training = false}))
      holds(name .. " mean", m.running_mean) -- evaluation only reads it
    end
  end
end

tests["gradients of norms"] = function()
  local layers = {nn.layer_norm(6, F64), nn.layer_norm({7, 6}, F64), nn.group_norm(3, 3, F64),
    nn.batch_norm2d(3, F64), nn.batch_norm2d(3, {dtype = "float64", affine = false})}
  for i, layer in ipairs(layers) do
    local function fn(p) return p.layer(p.x) end
    local p = {layer = layer.weight and filled(layer) or layer, x = x}
    local ok, worst = tide.gradcheck(fn, p)
    assert(ok, ("layer %d: %g"):format(i, worst))
    ok, worst = tide.gradcheck(function(q)
      local g = tide.grad(function(r) return fn(r):sin():sum() end)(q)
      return g.x:square():sum() + (g.layer.weight and (g.layer.weight * g.layer.bias):sum() or 0)
    end, p, {tolerance = 1e-5})
    assert(ok, ("layer %d, second order: %g"):format(i, worst))
  end
  local bn = nn.batch_norm2d(3, F64)
  holds("batch_norm2d gradient", tide.grad(function(v) return (bn(v) * x:cos()):sum() end)(x), 1e-9)
end

tests["buffers are no parameters, and go with their model"] = function()
  local bn = nn.batch_norm1d(3)
  assert(nn.count(bn) == 6 and #nn.parameters(bn) == 2 and #tide.tree.tensors(bn) == 4)
  local model = nn.chain{nn.linear(2, 3, {seed = 1}), bn, nn.linear(3, 1, {seed = 2})}
  local data = {x = tide.randn({32, 2}, {seed = 1}), y = tide.randn({32, 1}, {seed = 2})}
  local adam = tide.optim.adam(model, {lr = 0.01})
  local value, g = tide.value_and_grad(function(m) return tide.mse(m(data.x), data.y) end)(model)
  assert(value:item() > 0 and g[2].running_mean == bn.running_mean) -- passed through
  local mean = bn.running_mean:clone()
  adam:step(g)
  assert(same(bn.running_mean, mean) and not same(mean, 0))
  local copy = tide.tree.map(model, function(v) return v:clone() end)
  assert(nn.count(copy) == nn.count(model))
  copy(data.x)
  assert(same(bn.running_mean, mean) and not same(copy[2].running_mean, mean))
  check.in_folder(function(folder)
    tide.save(folder .. "/m.npz", model)
    nn.load(copy, tide.load(folder .. "/m.npz"))
    assert(same(copy[2].running_mean, mean) and same(copy[2].running_var, bn.running_var))
  end)
  local own = setmetatable({w = tide.ones{2}, kept = tide.ones{2}}, {__buffers = {kept = true},
    __call = function(self, v) return v * self.w + self.kept end})
  assert(nn.count(own) == 2 and nn.count{inner = own} == 2)
end

tests["a run that fails leaves buffers as they are; a vjp, a jvp update once"] = function()
  local bn, v = nn.batch_norm1d(3), tide.randn({8, 3}, {seed = 1})
  local once = nn.batch_norm1d(3)
  once(v)
  local _, pullback = tide.vjp(function(q) return bn(q) end, v)
  pullback(v)
  pullback(v)
  assert(same(bn.running_mean, once.running_mean))
  once(v)
  tide.jvp(function(q) return bn(q) end, v, v)
  assert(same(bn.running_mean, once.running_mean))
  local failing = tide.compile(function(m, q, at) return m(q):take(at) end)
  failing(bn, v, tide.tensor({1}, I64))
  once(v)
  fails("lies outside", failing, bn, v, tide.tensor({9}, I64))
  assert(same(bn.running_mean, once.running_mean))
  local twice = tide.compile(function(m, q) return m(q) + m(q * 2) end)
  twice(bn, v)
  once(v)
  once(v * 2)
  assert(same(bn.running_mean, once.running_mean) and same(bn.running_var, once.running_var))
end

local function normed(seed)
  return nn.with_seed(seed, function()
    return nn.chain{nn.linear(2, 8), nn.batch_norm1d(8), "tanh", nn.dropout(0.2), nn.linear(8, 1)}
  end)
end
local set = {x = tide.randn({48, 2}, {seed = 3}), y = tide.randn({48, 1}, {seed = 4})}

tests["a training with running statistics and dropout goes on with the same bits"] = function()
  check.in_folder(function(folder)
    local function run(path, stop)
      local model = normed(1)
      tide.seed(7)
      local ok = pcall(tide.train, {model = model, data = set, optimizer = "adam", batch = 16,
        iterations = 12, validation = set, record_every = 4, quiet = true, checkpoint = path,
        checkpoint_every = 0,
        on_step = stop and function(i) if i == stop then error("stopped") end end or nil})
      assert(ok == not stop)
      return model
    end
    local whole = run(folder .. "/a.npz")
    run(folder .. "/b.npz", 6)
    local resumed = run(folder .. "/b.npz")
    for i, v in ipairs(tide.tree.tensors(whole)) do assert(same(v, tide.tree.tensors(resumed)[i])) end
  end)
end

tests["validation and evaluation use running statistics and leave them alone"] = function()
  local model = normed(1)
  model(set.x)
  local mean = model[2].running_mean:clone()
  local a, b = tide.evaluate(model, set, {loss = "mse"}), tide.evaluate(model, set, {loss = "mse", batch = 7})
  assert(math.abs(a.loss - b.loss) < 1e-6 and same(model[2].running_mean, mean))
  assert(math.abs(tide.mse(model(set.x, {training = false}), set.y):item() - a.loss) < 1e-6)
  local own = tide.evaluate(model, set, {loss = function(m, part) return tide.mse(m(part.x), part.y) end})
  assert(math.abs(own.loss - a.loss) < 1e-6)
end

tests["an update that fails changes no statistics"] = function()
  local model = normed(1)
  local before = model[2].running_mean:clone()
  local bad = {x = set.x, y = set.y * 1e30}
  fails("the loss is inf", tide.train, {model = model, data = bad, optimizer = "adam", iterations = 2,
    batch = 16, quiet = true})
  assert(same(model[2].running_mean, before))
end

tests["dropout: fresh numbers at each run, none in evaluation, once per solve in a field"] = function()
  local drop, v = nn.dropout(0.25), tide.ones{200, 50}
  local run = tide.compile(function(q) return drop(q) end)
  for _, call in ipairs{drop, run} do
    local a, b = call(v), call(v)
    assert(not same(a, b))
    assert(math.abs(a:eq(0):sum():item() / 10000 - 0.25) < 0.02 and math.abs(a:max():item() - 4 / 3) < 1e-6)
  end
  assert(same(drop(v, {training = false}), v) and nn.dropout(0)(v) == v and same(nn.dropout(1)(v), 0))
  local evaluated = tide.compile(function(q, o) return drop(q, o) end)
  assert(not same(evaluated(v), v) and same(evaluated(v, {training = false}), v))
  local block = nn.odeblock(function(_, y) return -drop(y) end, {method = "euler", steps = 4})
  local end_state = block(v)
  local kinds = {}
  for _, s in ipairs(end_state:reshape{-1}:totable()) do kinds[("%.5f"):format(s)] = true end
  assert(kinds["1.00000"] and kinds[("%.5f"):format((2 / 3) ^ 4)])
  local n = 0
  for _ in pairs(kinds) do n = n + 1 end
  assert(n == 2) -- dropped in the whole solve, or in none of its steps
  local still = block(v, {training = false})
  assert(math.abs(still[1][1] - 0.75 ^ 4) < 1e-6 and still:max():item() == still:min():item())
end

tests["embedding: rows at indices of any shape, their gradients added up"] = function()
  local e = nn.embedding(4, 3, {seed = 1, dtype = "float64"})
  local at = tide.tensor({{1, 4}, {4, 2}}, I64)
  local y = e(at)
  assert(table.concat(y:shape(), ",") == "2,2,3" and same(y[1][2], e.weight[4]))
  local g = tide.grad(function(m) return m(at):sum() end)(e)
  assert(same(g.weight:sum(2), tide.tensor({3, 3, 0, 6}, F64)))
  assert(tide.gradcheck(function(m) return m(at):sin() end, e))
  fails("nn.embedding: x must be an int64 tensor of indices, 1..4, got float32", e, tide.ones{2})
  fails("position 5 (entry 1) lies outside 1..4", e, tide.tensor({5}, I64))
end

tests["residual, concat, learned augmentation"] = function()
  local inner, v = nn.linear(3, 3, {seed = 1}), tide.randn({4, 3}, {seed = 2})
  assert(same(nn.residual(inner)(v), v + inner(v)))
  local short = nn.linear(3, 2, {seed = 3})
  local narrow = nn.linear(3, 2, {seed = 4})
  assert(same(nn.residual(narrow, {shortcut = short})(v), short(v) + narrow(v)))
  local both = nn.concat{"identity", narrow}(v)
  assert(same(both:slice(2, 1, 3), v) and same(both:slice(2, 4, 5), narrow(v)))
  assert(same(nn.augment(narrow)(v), both) and nn.count(nn.augment(narrow)) == 8)
  fails("nn.residual: the layer makes shape {4, 2} of x, and x is {4, 3}; give a shortcut",
    nn.residual(narrow), v)
  fails("nn.concat: layer 1 must be a layer", nn.concat, {3})
end

tests["conv_resnet: shapes, counts, gradients, modes"] = function()
  assert(nn.count(nn.conv_resnet{image = {1, 28, 28}}) == 77754) -- as the same modules of PyTorch
  local v = tide.rand({4, 3, 8, 8}, {seed = 1, dtype = "float64"})
  for _, norm in ipairs{"batch", "group", "none"} do
    local m = nn.conv_resnet{image = {3, 8, 8}, filters = {4, 6}, blocks = {1, 2}, norm = norm, groups = 2,
      classes = 3, act = "tanh", dtype = "float64", seed = 1}
    assert(table.concat(m(v):shape(), ",") == "4,3" and m:features(v):shape()[2] == 6)
    m(v)
    assert(same(m(v, {training = false}), m(v)) == (norm ~= "batch"))
    local small = {model = m}
    local g = tide.grad(function(p) return p.model(v):sin():sum() end)(small).model.stem[1].weight
    local w, at = m.stem[1].weight, g[2][1][3]
    local function loss(h)
      w[2][1][3][1] = w[2][1][3][1] + h
      local value = m(v):sin():sum():item()
      w[2][1][3][1] = w[2][1][3][1] - h
      return value
    end
    assert(math.abs((loss(1e-5) - loss(-1e-5)) / 2e-5 - at[1]) < 1e-6 * (1 + math.abs(at[1])), norm)
  end
  local wide = nn.conv_resnet{image = {3, 32, 32}, stem = "7x7", filters = {4}, blocks = {1}}
  assert(table.concat(wide:features(tide.rand{2, 3, 32, 32}):shape(), ",") == "2,4")
  fails("nn.conv_resnet: filters and blocks have one entry for each stage, got 2 and 1", nn.conv_resnet,
    {image = {1, 8, 8}, filters = {2, 4}, blocks = {1}})
end

tests["initialisers: ranges, spreads, shapes"] = function()
  tide.seed(1)
  local init = nn.init
  local function fresh(...) return tide.zeros({...}, F64) end
  local function spread(w) return math.sqrt(w:square():mean():item()) end
  local function near(a, b) assert(math.abs(a - b) < 0.05 * b, ("%g, wanted %g"):format(a, b)) end
  local w = init.xavier_uniform(fresh(60, 40, 3, 3), {gain = 2})
  local bound = 2 * math.sqrt(6 / (100 * 9))
  assert(w:abs():max():item() <= bound and w:abs():max():item() > 0.99 * bound)
  near(spread(init.xavier_normal(fresh(100, 80))), math.sqrt(2 / 180))
  near(spread(init.kaiming_normal(fresh(100, 80), {nonlinearity = "relu"})), math.sqrt(2 / 80))
  near(spread(init.kaiming_uniform(fresh(100, 80), {mode = "fan_out", a = math.sqrt(5)})),
    math.sqrt(2 / 6 / 100))
  near(spread(init.normal(fresh(100, 80), {std = 3})), 3)
  w = init.trunc_normal(fresh(100, 80), {std = 2, a = -1})
  assert(w:min():item() >= -1 and w:max():item() <= 2)
  w = init.orthogonal(fresh(4, 3, 2), {gain = 2}):reshape{4, 6}
  assert((w:matmul(w:transpose()) - tide.eye(4, F64) * 4):abs():max():item() < 1e-12)
  assert(same(init.eye(fresh(2, 3)), tide.tensor({{1, 0, 0}, {0, 1, 0}}, F64)))
  local dirac = tide.conv2d(x, init.dirac(fresh(3, 3, 3, 3)), nil, {padding = 1})
  assert(same(dirac, x))
  assert(same(init.sparse(fresh(10, 4), {sparsity = 0.3}):eq(0):sum(1), 3))
  assert(same(init.constant(fresh(2), 3), 3) and same(init.ones(fresh(2)), 1)
    and same(init.zeros(init.ones(fresh(2))), 0) and init.uniform(fresh(9), {a = 2, b = 3}):min():item() >= 2)
  assert(init.calculate_gain("tanh") == 5 / 3 and init.calculate_gain("relu") == math.sqrt(2))
  fails('unknown nonlinearity "rel" (did you mean "relu"?)', init.calculate_gain, "rel")
  fails("nn.init.xavier_uniform: x must have 2 axes or more", init.xavier_uniform, fresh(3))
  for _, name in ipairs{"kaiming_uniform", "kaiming_normal", "xavier_uniform", "xavier_normal",
    "trunc_normal", "ones"} do
    local layer = nn.conv2d(2, 3, 3, {init = name, seed = 1})
    assert(same(layer.bias, 0) and layer.weight:abs():sum():item() > 0)
  end
end

tests["misuse is told in words"] = function()
  fails("nn.batch_norm2d: x must have shape N,3,H,W, got {2, 3, 9}", nn.batch_norm2d(3), signal)
  fails("nn.batch_norm1d: x must have shape N,4 or N,C,L with these channels", nn.batch_norm1d(4), signal)
  fails("nn.batch_norm1d: the variance of one number for each channel is 0; training needs more",
    nn.batch_norm1d(3), tide.ones{1, 3})
  fails("nn.group_norm: groups = 4 must divide channels = 6", nn.group_norm, 4, 6)
  fails("nn.layer_norm: x must end in the axes {5}, got shape {2, 3, 9}", nn.layer_norm(5), signal)
  fails('nn.layer_norm: unknown option "epsilon"', nn.layer_norm, 5, {epsilon = 1})
  fails("nn.dropout: p must be a number in 0..1, got 2", nn.dropout, 2)
  fails("training must be true or false, got 1", nn.dropout(0.5), signal, {training = 1})
  fails("tide.max_pool2d: x must have shape N,C,H,W, got {2, 3, 9}", tide.max_pool2d, signal, 2)
  fails("nn.max_pool2d: kernel_size must be an integer or {h, w}", nn.max_pool2d, {1, 2, 3})
  fails("padding 2 is more than half of the kernel of 3", tide.max_pool1d, signal, 3, {padding = 2})
  fails("the kernel of 12 is larger than the padded image of 9", tide.avg_pool1d, signal, 12)
  fails("max_pool: the kernel of 12 is larger", tide.max_pool1d, signal, 12, {stride = 3, ceil_mode = true})
  fails("tide.conv_transpose1d: output_padding must be at least 0 and less than the stride of 2, got 2",
    tide.conv_transpose1d, signal, grid(3, 2, 4), nil, {stride = 2, output_padding = 2})
  fails("tide.conv_transpose1d: w must have shape C_in,C_out/groups,k with C_in = 3", tide.conv_transpose1d,
    signal, grid(2, 2, 4))
  local inside = nn.odeblock(function(_, y) return nn.batch_norm1d(3)(y) end)
  fails("running statistics cannot leave a solve", inside, tide.ones{4, 3})
  assert(inside(tide.ones{4, 3}, {training = false}):shape()[1] == 4)
  fails('did you mean "training"', nn.odeblock(function(_, y) return y end), tide.ones{2}, {trainin = true})
end

return tests
