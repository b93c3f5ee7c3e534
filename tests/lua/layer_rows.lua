--- Rows about layers for test_sizes (numbers at and beyond every limit) and test_empty (axes of length 0).

local tide = require "tide"
local nn = tide.nn

local M = {sizes = {}, empty = {}}
local sizes, empty = M.sizes, M.empty
local I64 = {dtype = "int64"}
local signal, image = tide.ones{1, 2, 6}, tide.ones{1, 2, 6, 6}
local nothing = {[1] = tide.zeros{0, 2, 6}, [2] = tide.zeros{0, 2, 6, 6}}

-- ---- windows ----

for dims, x in ipairs{signal, image} do
  for name, options in pairs{max_pool = {"stride", "padding", "dilation"},
    avg_pool = dims == 2 and {"stride", "padding", "divisor_override"} or {"stride", "padding"}} do
    local full = name .. dims .. "d"
    for prefix, call in pairs{[""] = tide[full],
      ["nn."] = function(y, k, o) return nn[full](k, o)(y) end} do
      sizes[prefix .. full] = {function(v) return call(x, v) end}
      sizes[prefix .. full .. ", options"] = {names = options, function(o) return call(x, 2, o) end}
      empty[prefix .. full] = {
        {function() return call(nothing[dims], 2) end, dims == 1 and {0, 2, 3} or {0, 2, 3, 3}}}
    end
  end
  local full = "adaptive_avg_pool" .. dims .. "d"
  for prefix, call in pairs{[""] = tide[full], ["nn."] = function(y, k) return nn[full](k)(y) end} do
    sizes[prefix .. full] = {function(v) return call(x, v) end}
    empty[prefix .. full] = {
      {function() return call(nothing[dims], 4) end, dims == 1 and {0, 2, 4} or {0, 2, 4, 4}}}
  end
end
for dims, x in ipairs{signal, image} do
  local full = "conv_transpose" .. dims .. "d"
  local w = dims == 1 and tide.ones{2, 3, 3} or tide.ones{2, 3, 3, 3}
  local names = {"stride", "padding", "output_padding", "dilation", "groups"}
  sizes[full] = {names = names, function(o) return tide[full](x, w, nil, o) end}
  empty[full] = {
    {function() return tide[full](nothing[dims], w) end, dims == 1 and {0, 3, 8} or {0, 3, 8, 8}}}
  sizes["nn." .. full] = {function(v) return nn[full](v, 2, 3) end, function(v) return nn[full](2, v, 3) end,
    function(v) return nn[full](2, 2, v) end}
  sizes["nn." .. full .. ", options"] = {names = names, function(o) return nn[full](2, 2, 3, o)(x) end}
  empty["nn." .. full] = {
    {function() return nn[full](2, 3, 3)(nothing[dims]) end, dims == 1 and {0, 3, 8} or {0, 3, 8, 8}}}
end

-- ---- norms, dropout ----

sizes["nn.layer_norm"] = {function(v) return nn.layer_norm(v) end, function(v)
  return nn.layer_norm{2, v}
end, function(v) return nn.layer_norm(6, {eps = v})(signal) end}
sizes["nn.group_norm"] = {function(v) return nn.group_norm(v, 2)(signal) end,
  function(v) return nn.group_norm(1, v) end, function(v) return nn.group_norm(1, 2, {eps = v})(signal) end}
for name, x in pairs{batch_norm = signal, batch_norm1d = signal, batch_norm2d = image} do
  sizes["nn." .. name] = {function(v) return nn[name](v) end}
  sizes["nn." .. name .. ", options"] = {names = {"eps", "momentum"}, function(o)
    return nn[name](2, o)(x)
  end}
end
sizes["nn.dropout"] = {function(v) return nn.dropout(v)(signal) end}
local evaluation = {training = false}
empty["nn.layer_norm"] = {{function() return nn.layer_norm(3)(tide.zeros{0, 3}) end, {0, 3}}}
empty["nn.group_norm"] = {{function() return nn.group_norm(1, 2)(nothing[2]) end, {0, 2, 6, 6}}}
empty["nn.batch_norm"] = {{function() return nn.batch_norm(2)(nothing[2], evaluation) end, {0, 2, 6, 6}}}
empty["nn.batch_norm1d"] = {
  {function() return nn.batch_norm1d(3)(tide.zeros{0, 3}, evaluation) end, {0, 3}},
  {function() return nn.batch_norm1d(3)(tide.zeros{0, 3}) end, "training needs more"}}
empty["nn.batch_norm2d"] = {
  {function() return nn.batch_norm2d(2)(nothing[2], evaluation) end, {0, 2, 6, 6}}}
empty["nn.dropout"] = {{function() return nn.dropout(0.5)(nothing[1]) end, {0, 2, 6}}}

-- ---- the rest ----

for _, kind in ipairs{"rnn", "gru", "lstm"} do
  local v, nobody = tide.ones{2, 1, 3}, tide.zeros{4, 0, 3}
  for suffix, at in pairs{[""] = v, _cell = v[1]} do
    local name = "nn." .. kind .. suffix
    local make = nn[kind .. suffix]
    sizes[name] = {function(k) return make(k, 2) end, function(k) return make(2, k) end,
      function(k) return (make(3, 2, {seed = k})(at)) end}
    empty[name] = {{function() return (make(3, 2)(suffix == "" and nobody or nobody[1])) end,
      suffix == "" and {4, 0, 2} or {0, 2}}}
  end
  sizes["nn." .. kind .. ", options"] = {names = {"num_layers", "dropout"}, function(o)
    return (nn[kind](3, 2, o)(v))
  end}
end
local state = tide.ones{1, 4}
sizes["nn.galerkin"] = {names = {"terms", "seed"}, base = {sizes = {2, 3, 2}}, function(o)
  return nn.galerkin(o)(0.5, tide.ones{1, 2})
end}
sizes["nn.galerkin, sizes"] = {function(v) return nn.galerkin{sizes = {2, v}} end,
  function(v) return nn.galerkin{sizes = {2, 2}, span = {0, v}} end}
empty["nn.galerkin"] = {{function() return nn.galerkin{sizes = {2, 3, 2}}(0.5, tide.zeros{0, 2}) end, {0, 2}}}
local function same(_, y) return y:slice(2, 1, 2) end
sizes["nn.data_controlled"] = {function(v)
  return nn.odeblock(nn.data_controlled(same, {axis = v}), {method = "euler", steps = 1})(tide.ones{1, 2})
end}
empty["nn.data_controlled"] = {{function()
  return (nn.odeblock(nn.data_controlled(same), {method = "euler", steps = 1})(tide.zeros{0, 2}))
end, {0, 2}}}
sizes["nn.second_order"] = {names = {"order", "axis"}, function(o)
  return nn.second_order(same, o)(0, state)
end}
empty["nn.second_order"] = {{function() return nn.second_order(same)(0, tide.zeros{0, 4}) end, {0, 4}}}
sizes["nn.spectral_norm"] = {names = {"eps"}, function(o)
  return nn.spectral_norm(nn.linear(4, 2), o)(state)
end}
empty["nn.spectral_norm"] = {
  {function() return nn.spectral_norm(nn.linear(3, 2))(tide.zeros{0, 3}) end, {0, 2}}}
local indices = tide.tensor({1, 2}, I64)
sizes["nn.embedding"] = {function(v) return nn.embedding(v, 2) end, function(v)
  return nn.embedding(2, v)
end, function(v) return nn.embedding(2, 2, {seed = v})(indices) end,
  function(v) return nn.embedding(2, 2)(tide.tensor({v}, I64)) end}
empty["nn.embedding"] = {{function() return nn.embedding(4, 3)(tide.zeros({0, 2}, I64)) end, {0, 2, 3}}}
sizes["nn.residual"] = {}
empty["nn.residual"] = {{function() return nn.residual(nn.linear(3, 3))(tide.zeros{0, 3}) end, {0, 3}}}
sizes["nn.concat"] = {function(v) return nn.concat({"identity", "relu"}, {axis = v})(signal) end}
empty["nn.concat"] = {
  {function() return nn.concat{"identity", nn.linear(3, 2)}(tide.zeros{0, 3}) end, {0, 5}}}
sizes["nn.conv_resnet"] = {names = {"classes", "groups", "seed"}, base = {image = {1, 4, 4}, filters = {2, 4},
  blocks = {1, 1}, norm = "group"}, nn.conv_resnet}
sizes["nn.conv_resnet, lists"] = {function(v) return nn.conv_resnet{image = {v, 4, 4}} end, function(v)
  return nn.conv_resnet{image = {1, 4, 4}, filters = {v}, blocks = {1}}
end}
empty["nn.conv_resnet"] = {{function()
  return nn.conv_resnet{image = {1, 4, 4}, filters = {2, 4}, blocks = {1, 1}}(tide.zeros{0, 1, 4, 4},
    evaluation)
end, {0, 10}}}

return M
