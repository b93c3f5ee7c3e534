-- nn: counts of parameters, shapes, values, initialisation, ODE blocks and models, gradients, errors that
-- name the model.
local check = require "check"
local tide = require "tide"
local nn = tide.nn

local F64 = {dtype = "float64"}
local function t64(values) return tide.tensor(values, F64) end

local function shape_is(x, ...)
  local got, want = table.concat(x:shape(), ","), table.concat({...}, ",")
  assert(got == want, ("shape {%s}, expected {%s}"):format(got, want))
end

local function near(x, values, tolerance)
  local want = type(values) == "userdata" and values:to("float64") or t64(values)
  shape_is(x, table.unpack(want:shape()))
  local worst = x:numel() == 0 and 0 or (x:to("float64") - want):abs():max():item()
  assert(worst <= (tolerance or 1e-12), ("off by %g"):format(worst))
end

local function identical(a, b) near(a, b, 0) end

local function set(model, weight, bias)
  model.weight:copy_(tide.tensor(weight, {dtype = model.weight:dtype()}))
  if bias then model.bias:copy_(tide.tensor(bias, {dtype = model.bias:dtype()})) end
  return model
end

local tests = {}

tests["parameter counts of the paper"] = function()
  local function count(image, filters, augment)
    return nn.count(nn.conv_odenet{image = image, filters = filters, augment = augment})
  end
  assert(count({1, 28, 28}, 92, 0) == 84395)
  assert(count({1, 28, 28}, 64, 5) == 84816)
  assert(count({3, 32, 32}, 125, 0) == 172358)
  assert(count({3, 32, 32}, 64, 10) == 171799)
  assert(count({3, 64, 64}, 164, 0) == 366269)
  assert(count({3, 64, 64}, 64, 5) == 365714)
  -- the toy nets: (d + p + 1) h + h + h h + h + h (d + p) + (d + p) in the field, (d + p) + 1 in the read-out
  assert(nn.count(nn.odenet{dim = 2, hidden = 32}) == 3 * 32 + 32 + 32 * 32 + 32 + 32 * 2 + 2 + 3)
  assert(nn.count(nn.odenet{dim = 2, hidden = 32, augment = 3, time = false}) == 5 * 32 + 32 + 32 * 32 + 32
    + 32 * 5 + 5 + 6)
  assert(nn.count(nn.odenet{dim = 1, hidden = 4, readout = false}) == 2 * 4 + 4 + 4 * 4 + 4 + 4 + 1)
  assert(nn.count(nn.resnet{dim = 2, hidden = 8, layers = 3, out = 2}) == 3 * (2 * 8 + 8 + 8 * 2 + 2) + 2 * 2
    + 2)
  local list = nn.parameters(nn.resnet{dim = 2, hidden = 3, layers = 1})
  local names = {}
  for i, p in ipairs(list) do names[i] = ("%s:%d"):format(p.name, p.count) end
  names = table.concat(names, " ")
  assert(names == "blocks[1][1].bias:3 blocks[1][1].weight:6 blocks[1][2].bias:2 blocks[1][2].weight:6 "
    .. "out.bias:1 out.weight:2", names)
end

tests["layers: shapes"] = function()
  shape_is(nn.linear(3, 5)(tide.ones{4, 3}), 4, 5)
  shape_is(nn.linear(3, 5)(tide.ones{3}), 5)
  shape_is(nn.linear(3, 5)(tide.ones{2, 7, 3}), 2, 7, 5)
  shape_is(nn.linear(3, 5)(tide.ones{0, 3}), 0, 5)
  assert(nn.linear(3, 5, {bias = false}).bias == nil)
  shape_is(nn.conv1d(2, 4, 3, {padding = 1, stride = 2})(tide.ones{5, 2, 9}), 5, 4, 5)
  shape_is(nn.conv2d(2, 4, 3)(tide.ones{5, 2, 9, 8}), 5, 4, 7, 6)
  shape_is(nn.conv2d(2, 4, {3, 1}, {padding = {1, 0}, stride = {2, 1}})(tide.ones{5, 2, 9, 8}), 5, 4, 5, 8)
  shape_is(nn.conv2d(4, 6, 3, {groups = 2}).weight, 6, 2, 3, 3)
  shape_is(nn.flatten()(tide.ones{2, 3, 4}), 2, 12)
  shape_is(nn.augment(2)(tide.ones{3, 4}), 3, 6)
  shape_is(nn.augment(2)(tide.ones{3, 4, 5, 6}), 3, 6, 5, 6)
  shape_is(nn.conv_field{channels = 2, filters = 3}(tide.ones{1, 2, 4, 5}), 1, 2, 4, 5)
  shape_is(nn.conv_field{channels = 2, filters = 3, time = true, dims = 1}(0, tide.ones{1, 2, 4}), 1, 2, 4)
  shape_is(nn.odenet{dim = 2, augment = 1, out = 3}(tide.ones{4, 2}), 4, 3)
  shape_is(nn.odenet{dim = 2, augment = 1, readout = false}(tide.ones{4, 2}), 4, 3)
  shape_is(nn.resnet{dim = 2, out = 3}(tide.ones{4, 2}), 4, 3)
  local net = nn.conv_odenet{image = {1, 4, 5}, filters = 3, augment = 1, classes = 7}
  shape_is(net(tide.ones{2, 1, 4, 5}), 2, 7)
  shape_is(net:features(tide.ones{2, 1, 4, 5}), 2, 2, 4, 5)
  shape_is((net:trajectory(tide.ones{2, 1, 4, 5}, {0, 0.5, 1})), 3, 2, 2, 4, 5)
end

tests["layers: values by hand"] = function()
  near(set(nn.linear(2, 3, F64), {{1, 2}, {3, 4}, {5, 6}}, {0.5, 0, -1})(t64{{1, -1}, {0, 2}}),
    {{-0.5, -1, -2}, {4.5, 8, 11}})
  near(set(nn.conv1d(1, 1, 2, F64), {{{2, -1}}}, {10})(t64{{{1, 4, 9}}}), {{{8, 9}}})
  local conv = nn.conv2d(1, 1, 2, {dtype = "float64", padding = 1, stride = 2})
  near(set(conv, {{{{1, 2}, {3, 4}}}}, {1})(t64{{{{1, 2}, {3, 4}}}}), {{{{5, 7}, {7, 5}}}})
  near(nn.flatten()(t64{{{1, 2}, {3, 4}}}), {{1, 2, 3, 4}})
  near(nn.augment(2)(t64{{1}, {2}}), {{1, 0, 0}, {2, 0, 0}})
  near(nn.augment(1)(t64{{{{1, 2}}}}), {{{{1, 2}}, {{0, 0}}}})
  local x = t64{{1}}
  assert(rawequal(nn.augment(0)(x), x))
  local twice = function(v) return v * 2 end
  near(nn.chain{twice, "relu", set(nn.linear(2, 1, F64), {{1, 1}}, {1}), "square"}(t64{{-1, 3}}), {{49}})
  -- time is the last input of the first layer, and the last channel of every convolution
  local mlp = nn.mlp{sizes = {1, 1, 1}, time = true, dtype = "float64"}
  set(mlp.layers[1], {{2, 10}}, {1})
  set(mlp.layers[2], {{3}}, {-1})
  near(mlp(0.5, t64{{1}, {-9}}), {{23}, {-1}})
  local field = nn.conv_field{channels = 1, filters = 1, time = true, dims = 1, dtype = "float64"}
  set(field.layers[1], {{{1}, {100}}}, {0})
  set(field.layers[2], {{{1, 1, 1}, {0, 0, 1}}}, {0})
  set(field.layers[3], {{{2}, {1}}}, {0.25})
  near(field(0.5, t64{{{1, 2, 3}}}), {{{2 * (103 + 0.5) + 0.75, 2 * (156 + 0.5) + 0.75, 2 * 105 + 0.75}}})
  local resnet = nn.resnet{dim = 1, hidden = 1, layers = 2, dtype = "float64"}
  for i = 1, 2 do
    set(resnet.blocks[i][1], {{2}}, {0})
    set(resnet.blocks[i][2], {{1}}, {-1})
  end
  set(resnet.out, {{1}}, {100})
  near(resnet(t64{{1}, {-5}}), {{105}, {95}}) -- 1, 2, 5; -5 stays, since the branch ends in relu
end

tests["activations"] = function()
  local x = t64{-1, 0.5, 2}
  local expected = {relu = function(v) return math.max(v, 0) end, tanh = function(v)
    return 1 - 2 / (math.exp(2 * v) + 1)
  end,
    sigmoid = function(v) return 1 / (1 + math.exp(-v)) end,
    softplus = function(v) return math.log(1 + math.exp(v)) end, sin = math.sin,
    cos = math.cos, exp = math.exp, abs = math.abs, square = function(v) return v * v end,
    identity = function(v) return v end}
  for name, f in pairs(expected) do
    near(nn.activation(name)(x), {f(-1), f(0.5), f(2)}, 1e-15)
    local mlp = nn.mlp{sizes = {1, 1, 1}, act = name, dtype = "float64"}
    set(mlp.layers[1], {{1}}, {0})
    set(mlp.layers[2], {{1}}, {0})
    near(mlp(t64{{0.5}}), {{f(0.5)}}, 1e-15)
  end
  check.fails('nn.activation: unknown activation "tahn"', nn.activation, "tahn")
  check.fails('did you mean "sigmoid"?', nn.activation, "sigmoud")
  check.fails('nn.mlp: unknown activation "rellu" (did you mean "relu"?)', nn.mlp,
    {sizes = {1, 1}, act = "rellu"})
  check.fails('nn.conv_field: unknown activation', nn.conv_field, {channels = 1, filters = 1, act = "step"})
  check.fails('unknown activation "nil"', nn.activation)
  check.fails("nn.resnet: unknown activation", nn.resnet, {dim = 1, act = "step"})
end

-- mean, standard deviation and largest size of the elements
local function moments(x)
  x = x:to("float64"):reshape{-1}
  return x:mean():item(), math.sqrt(x:var():item()), x:abs():max():item()
end

local function is_about(value, want, relative)
  assert(math.abs(value - want) <= relative * want, ("%g, expected %g"):format(value, want))
end

tests["initialisation"] = function()
  local function layer(init, more)
    local o = {init = init, seed = 3}
    for k, v in pairs(more or {}) do o[k] = v end
    return nn.linear(200, 300, o)
  end
  local function zero_bias(model) assert(model.bias:abs():max():item() == 0) end
  local model = layer("default")
  local mean, deviation, largest, _ = moments(model.weight)
  local bound = 1 / math.sqrt(200)
  assert(math.abs(mean) < 5e-4 and largest <= bound and largest > 0.999 * bound)
  is_about(deviation, bound / math.sqrt(3), 0.01)
  _, deviation, largest = moments(model.bias)
  assert(largest <= bound)
  is_about(deviation, bound / math.sqrt(3), 0.15)
  model = layer("kaiming")
  zero_bias(model)
  mean, deviation = moments(model.weight)
  assert(math.abs(mean) < 2e-3)
  is_about(deviation, math.sqrt(2 / 200), 0.01)
  model = layer("xavier")
  zero_bias(model)
  _, deviation, largest = moments(model.weight)
  is_about(deviation, math.sqrt(2 / 500), 0.01)
  assert(largest <= math.sqrt(6 / 500))
  model = layer("normal")
  zero_bias(model)
  _, deviation = moments(model.weight)
  is_about(deviation, 0.02, 0.01)
  _, deviation = moments(layer("normal", {std = 3}).weight)
  is_about(deviation, 3, 0.01)
  assert(layer("zeros").weight:abs():max():item() == 0)
  -- fans of a convolution: inputs of one output, outputs of one input
  _, deviation = moments(nn.conv2d(8, 64, {3, 5}, {init = "kaiming", groups = 2, seed = 1}).weight)
  is_about(deviation, math.sqrt(2 / (4 * 15)), 0.03)
  _, _, largest = moments(nn.conv2d(8, 64, {3, 5}, {init = "xavier", groups = 2, seed = 1}).weight)
  is_about(largest, math.sqrt(6 / ((4 + 32) * 15)), 0.01)
  _, _, largest = moments(nn.conv1d(8, 64, 3, {seed = 1}).weight)
  is_about(largest, 1 / math.sqrt(24), 0.01)
  check.fails('init must be one of "default", "kaiming"', nn.linear, 1, 1, {init = "he"})
end

tests["orthogonal weights"] = function()
  for _, sizes in ipairs{{5, 3}, {3, 5}, {4, 4}} do
    local w = nn.linear(sizes[1], sizes[2], {init = "orthogonal", dtype = "float64", seed = 2}).weight
    shape_is(w, sizes[2], sizes[1])
    near(sizes[2] <= sizes[1] and w:matmul(w:transpose()) or w:transpose():matmul(w),
      tide.eye(math.min(sizes[1], sizes[2])), 1e-13)
  end
  local w = nn.conv2d(2, 3, 3, {init = "orthogonal", seed = 2}).weight:reshape{3, 18}
  near(w:matmul(w:transpose()), tide.eye(3), 1e-6)
  -- such weights are dense, so that optimisers can write to them
  local model = nn.linear(2, 5, {init = "orthogonal"})
  tide.optim.sgd(model, {lr = 1}):step(tide.grad(function(m) return m(tide.ones{1, 2}):sum() end)(model))
end

tests["seeds"] = function()
  local makers = {
    function(o) return nn.linear(3, 4, o) end, function(o) return nn.conv1d(2, 3, 3, o) end,
    function(o) return nn.conv2d(2, 3, 3, o) end,
    function(o) o.sizes = {2, 3, 1} return nn.mlp(o) end, function(o)
      o.channels, o.filters = 1, 2 return nn.conv_field(o)
    end,
    function(o) o.dim = 2 return nn.odenet(o) end, function(o)
      o.image, o.filters = {1, 3, 3}, 2 return nn.conv_odenet(o)
    end,
    function(o) o.dim = 2 return nn.resnet(o) end,
  }
  local function list(model) return tide.tree.tensors(model, true) end
  for _, make in ipairs(makers) do
    for _, init in ipairs{"default", "orthogonal"} do
      tide.seed(77)
      local a = list(make{seed = 5, init = init})
      local after = tide.rand{1}:item()
      tide.seed(77)
      assert(after == tide.rand{1}:item(), "a seed of its own must leave the default generator alone")
      local b, other = list(make{seed = 5, init = init}), list(make{seed = 6, init = init})
      local differ = false
      for i, x in ipairs(a) do
        identical(x, b[i])
        differ = differ or (x - other[i]):abs():max():item() > 0
      end
      assert(differ)
    end
    tide.seed(9)
    local a = list(make{})
    tide.seed(9)
    local b = list(make{})
    for i, x in ipairs(a) do identical(x, b[i]) end
  end
  assert(select("#", nn.with_seed(1, function() return 1, nil, nil end)) == 3)
  check.fails("boom", nn.with_seed, 1, function() error("boom") end)
  check.fails("seed must be an integer, got 1.5", nn.with_seed, 1.5, print)
  check.fails('seed must be an integer, got "1"', nn.with_seed, "1", print)
end

tests["ODE block: options of one call"] = function()
  local calls = 0
  local function decay(_, y) calls = calls + 1 return -y end
  local block = nn.odeblock(decay, {method = "rk4", steps = 4})
  local x = t64{{1}, {2}}
  local y, stats, _ = block(x)
  assert(stats.nfe == 16, stats.nfe)
  near(y, {{math.exp(-1)}, {2 * math.exp(-1)}}, 1e-4)
  _, stats = block(x, {solver = {steps = 10}})
  assert(stats.nfe == 40)
  _, stats = block(x, {solver = {step_size = 0.5}}) -- replaces steps
  assert(stats.nfe == 8)
  y, stats = block(x, {solver = {method = "dopri5", rtol = 1e-10, atol = 1e-10}})
  assert(stats.steps > 5)
  near(y, {{math.exp(-1)}, {2 * math.exp(-1)}}, 1e-9)
  near(block(x, {solver = {t = {0, 2}, steps = 50}}), {{math.exp(-2)}, {2 * math.exp(-2)}}, 1e-6)
  _, stats = block(x)
  assert(stats.nfe == 16, "an override must hold for one call only")
  near(nn.odeblock(decay, {method = "rk4", steps = 60, t = {1, 0}})(x), {{math.exp(1)}, {2 * math.exp(1)}},
    1e-6)
  local ys = block:trajectory(x, {0, 0.5, 1}, {solver = {steps = 20}})
  shape_is(ys, 3, 2, 1)
  near(ys[2], {{math.exp(-0.5)}, {2 * math.exp(-0.5)}}, 1e-6)
  local both = nn.odeblock(function(_, s) return {-s[1], s[2]} end, {method = "rk4", steps = 40})({x, x})
  near(both[2], {{math.exp(1)}, {2 * math.exp(1)}}, 1e-5)
  check.fails('nn.odeblock: unknown option "solvr" (did you mean "solver"?)', block, x, {solvr = {}})
  check.fails("nn.odeblock: options must be a table", block, x, 3)
  check.fails('unknown option "rtoll" (did you mean "rtol"?)', nn.odeblock, decay, {rtoll = 1})
  check.fails("nn.odeblock: solver options must be a table, got 3", nn.odeblock, decay, 3)
  check.fails('unknown option "stepz"', block, x, {solver = {stepz = 3}})
  for _, wrong in ipairs{3, "dopri5", false, tide.ones{1}, math.abs} do
    check.fails("solver options must be a table, got", block, x, {solver = wrong})
  end
end

tests["models pass solver options on"] = function()
  local x = tide.randn({3, 2}, {seed = 1, dtype = "float64"})
  local model = nn.odenet{dim = 2, hidden = 4, augment = 1, seed = 1, dtype = "float64"}
  local function nfe(fn, ...) return (tide.ode.counted(fn, ...)).nfe end
  local own = nfe(model, x)
  assert(nfe(model, x, {solver = {method = "euler", steps = 7}}) == 7)
  assert(nfe(model, x) == own)
  assert(nfe(model.features, model, x, {solver = {method = "euler", steps = 5}}) == 5)
  assert(nfe(model.trajectory, model, x, {0, 1}, {solver = {method = "euler", steps = 3}}) == 3)
  near(model.out(model:features(x)), model(x), 0)
  near((model:trajectory(x, {0, 1}))[2], model:features(x), 0)
  near((model:trajectory(x, {0, 1}))[1], tide.cat({x, tide.zeros({3, 1}, F64)}, 2), 0)
  local block = nn.chain{nn.augment(1), model.block, model.out}
  near(block(x), model(x), 0)
  assert(nfe(block, x, {solver = {method = "euler", steps = 6}}) == 6)
  local resnet = nn.resnet{dim = 2, seed = 1, dtype = "float64"}
  near(resnet.out(resnet:features(x)), resnet(x), 0)
end

tests["wrong input: the error names the model"] = function()
  local net, conv, res = nn.odenet{dim = 2, augment = 3}, nn.conv_odenet{image = {1, 4, 5}, filters = 2},
    nn.resnet{dim = 2}
  -- solver options too are those of the model that was called
  local wrong = {solver = {rtoll = 1}}
  check.fails('nn.odenet: unknown option "rtoll"', nn.odenet, {dim = 2, solver = wrong.solver})
  check.fails('nn.conv_odenet: unknown option "rtoll"', nn.conv_odenet,
    {image = {1, 4, 5}, filters = 2, solver = wrong.solver})
  check.fails('nn.odeblock: unknown option "rtoll"', nn.odeblock, function(_, y) return y end, wrong.solver)
  local x = tide.ones{1, 2}
  for _, call in ipairs{function(o) net(x, o) end, function(o) net:features(x, o) end,
    function(o) net:trajectory(x, {0, 1}, o) end} do
    check.fails('nn.odenet: unknown option "solvr"', call, {solvr = {}})
    check.fails("nn.odenet: options must be a table {solver = {...}}, got 5", call, 5)
  end
  check.fails('nn.conv_odenet: unknown option "solvr"', conv, tide.ones{1, 1, 4, 5}, {solvr = {}})
  check.fails("nn.odenet: x must have shape {N, 2}, got {3, 5}; the model was made for dim = 2", net,
    tide.ones{3, 5})
  check.fails("nn.odenet: x must have shape {N, 2}, got {2}", net, tide.ones{2})
  check.fails("nn.odenet: x must have shape {N, 2}, got {4, 3, 2}", net.trajectory, net, tide.ones{4, 3, 2},
    {0, 1})
  check.fails("nn.odenet: x must have shape {N, 2}, got {3, 1}", net.features, net, tide.ones{3, 1})
  check.fails("nn.odenet: x must have shape {N, 2}, got nil", net)
  check.fails("test_nn.lua:", function() local y = net(tide.ones{3, 5}) return y end)
  check.fails("nn.odenet: x must have shape {N, 2}, got {3, 5}",
    tide.grad(function(m) return m(tide.ones{3, 5}):sum() end), net)
  check.fails("nn.conv_odenet: x must have shape {N, 1, 4, 5}, got {2, 1, 5, 4}; the model was made for "
    .. "image = {1, 4, 5}", conv,
    tide.ones{2, 1, 5, 4})
  check.fails("nn.conv_odenet: x must have shape {N, 1, 4, 5}, got {2, 20}", conv.features, conv,
    tide.ones{2, 20})
  check.fails("nn.resnet: x must have shape {N, 2}, got {3, 5}; the model was made for dim = 2", res,
    tide.ones{3, 5})
  check.fails("nn.resnet: x must have shape {N, 2}, got {5}", res.features, res, tide.ones{5})
end

tests["weights that were saved come back"] = function()
  local a, b = nn.odenet{dim = 2, hidden = 3, seed = 1}, nn.odenet{dim = 2, hidden = 3, seed = 2}
  local x = tide.randn({4, 2}, {seed = 3})
  assert(tide.tree.is_tensor(a(x)) and (a(x) - b(x)):abs():max():item() > 0)
  local weights = check.in_folder(function(folder)
    tide.save(folder .. "/a.safetensors", a)
    return tide.load(folder .. "/a.safetensors")
  end)
  assert(nn.load(b, weights) == b and (a(x) - b(x)):abs():max():item() == 0)
  local before = b(x)
  check.fails({"nn.load: the weights are of another model:\n",
    "block.field.layers[1].bias must be float32 {4}, got float32 {3}\n"}, nn.load,
    nn.odenet{dim = 2, hidden = 4}, weights)
  weights.out.bias = nil
  check.fails("nn.load: weights lack out.bias, float32 {1}; the weights are of another model", nn.load, b,
    weights)
  check.fails("nn.load: the model has no scale; the weights are of another model", nn.load, nn.linear(2, 2),
    {weight = tide.ones{2, 2},
    bias = tide.ones{2}, scale = tide.ones{2}})
  check.fails("nn.load: expected a model and a table of weights", nn.load, b, 3)
  assert((before - b(x)):abs():max():item() == 0) -- a refused load changes nothing
end

tests["misuse"] = function()
  check.fails("nn.linear: n_in must be an integer >= 1, got 0", nn.linear, 0, 1)
  check.fails('nn.linear: n_out must be an integer >= 1, got "3"', nn.linear, 1, "3")
  check.fails("nn.linear: x must have 2 features on its last axis, got shape {3}", nn.linear(2, 1),
    tide.ones{3})
  check.fails("nn.linear: expected a tensor, got 3", nn.linear(2, 1), 3)
  check.fails('unknown option "sed" (did you mean "seed"?)', nn.linear, 1, 1, {sed = 1})
  check.fails("kernel size must be an integer >= 1, got nil", nn.conv2d, 1, 1, {3})
  check.fails("groups = 2 must divide c_in = 3 and c_out = 4", nn.conv2d, 3, 4, 1, {groups = 2})
  check.fails("nn.mlp: sizes needs two or more entries, got 1", nn.mlp, {sizes = {1}})
  check.fails("option sizes is missing", nn.mlp, {})
  check.fails("this field depends on time; call it as field(t, y)", nn.mlp{sizes = {1, 1}, time = true},
    tide.ones{1, 1})
  check.fails("nn.augment: p must be an integer >= 0, or a layer that makes features of x, got -1",
    nn.augment, -1)
  check.fails("nn.augment: x must have shape N,d or N,C,..., got {3}", nn.augment(1), tide.ones{3})
  check.fails("layer 2 must be a layer, a function or the name of an activation, got 3", nn.chain,
    {"relu", 3})
  check.fails("nn.odenet: dim must be >= 1, got 0", nn.odenet, {dim = 0})
  check.fails("nn.odenet: augment must be >= 0, got -1", nn.odenet, {dim = 1, augment = -1})
  check.fails("nn.conv_odenet: image must be {channels, height, width}", nn.conv_odenet,
    {image = {28}, filters = 1})
  check.fails("nn.conv_odenet: image[2] must be an integer >= 1, got 0", nn.conv_odenet,
    {image = {1, 0, 28}, filters = 1})
  check.fails("nn.resnet: layers must be in 0..10000, got -1", nn.resnet, {dim = 1, layers = -1})
end

tests["gradients"] = function()
  local solver = {method = "rk4", steps = 3} -- fixed steps: adaptive ones move with the parameters
  local x, signal, image = tide.randn({3, 2}, {seed = 1}), tide.randn({2, 2, 5}, {seed = 2}),
    tide.randn({2, 2, 3, 4}, {seed = 3})
  local function smooth(o)
    o.act, o.seed = "tanh", 4
    return o
  end
  local cases = {
    linear = {nn.linear(2, 3, {seed = 1}), x}, ["no bias"] = {nn.linear(2, 3, {seed = 1, bias = false}), x},
    conv1d = {nn.conv1d(2, 3, 3, {seed = 1, padding = 1, stride = 2}), signal},
    conv2d = {nn.conv2d(2, 4, {3, 2}, {seed = 1, padding = {1, 0}, groups = 2}), image},
    flatten = {nn.chain{nn.flatten(), nn.linear(24, 2, {seed = 1})}, image},
    augment = {nn.chain{nn.augment(2), nn.linear(4, 1, {seed = 1})}, x},
    chain = {nn.chain{nn.linear(2, 3, {seed = 1}), "softplus", nn.linear(3, 1, {seed = 2})}, x},
    mlp = {nn.mlp(smooth{sizes = {2, 3, 2}}), x}, field = {nn.conv_field(smooth{channels = 2, filters = 2}),
      image},
    signals = {nn.conv_field(smooth{channels = 2, filters = 2, dims = 1}), signal},
    resnet = {nn.resnet(smooth{dim = 2, hidden = 3, layers = 2}), x},
    odenet = {nn.odenet(smooth{dim = 2, hidden = 3, augment = 1, solver = solver}), x},
    ["no time"] = {nn.odenet(smooth{dim = 2, hidden = 3, time = false, readout = false, solver = solver}), x},
    conv_odenet = {
    nn.conv_odenet(smooth{image = {2, 3, 4}, filters = 2, augment = 1, classes = 3, solver = solver}), image},
    ["conv_odenet with time"] = {
    nn.conv_odenet(smooth{image = {2, 3, 4}, filters = 2, classes = 2, time = true, solver = solver}), image},
  }
  for name, case in pairs(cases) do
    local ok, worst = tide.gradcheck(function(p) return p.model(p.x) end, {model = case[1], x = case[2]},
      {tolerance = 1e-7})
    assert(ok, ("%s: off by %g"):format(name, worst))
  end
end

return tests
