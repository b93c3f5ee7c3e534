-- nn.load: state dicts of other programs by a map of names; what does not fit is listed in one error, and
-- nothing has changed then.

local check = require "check"
local tide = require "tide"
local nn = tide.nn

local tests = {}

local function new_model(seed) return nn.mlp{sizes = {2, 3, 1}, act = "tanh", seed = seed} end

-- As PyTorch names the weights of nn.Sequential(Linear(2, 3), Tanh(), Linear(3, 1)), with a counter of
-- batches.
local function state_dict(model, prefix)
  return {[prefix .. "0.weight"] = model.layers[1].weight:clone(),
    [prefix .. "0.bias"] = model.layers[1].bias:clone(),
    [prefix .. "2.weight"] = model.layers[2].weight:clone(),
    [prefix .. "2.bias"] = model.layers[2].bias:clone(),
    [prefix .. "norm.num_batches_tracked"] = tide.tensor(5, {dtype = "int64"})}
end

-- What tide.load makes of them: names that nest, with integers as keys.
local function through_file(weights)
  return check.in_folder(function(folder)
    local nested = {}
    for name, tensor in pairs(weights) do
      local at = nested
      for part in name:gmatch("([^.]*)%.") do
        local key = math.tointeger(part) or part
        at[key] = at[key] or {}
        at = at[key]
      end
      at[name:match("[^.]*$")] = tensor
    end
    tide.save(folder .. "/w.safetensors", nested)
    return tide.load(folder .. "/w.safetensors"), tide.load(folder .. "/w.safetensors", {flat = true})
  end)
end

local x = tide.randn({5, 2}, {seed = 1})
local function differ(a, b) return (a(x) - b(x)):abs():max():item() > 0 end

tests["a table of names, or of their beginnings"] = function()
  local a = new_model(1)
  local nested, flat = through_file(state_dict(a, "net."))
  local maps = {
    {["net.0"] = "layers.1", ["net.2"] = "layers[2]", ["net.norm"] = false},
    {["net.0.weight"] = "layers.1.weight", ["net.0.bias"] = "layers[1].bias", ["net.2"] = "layers.2",
      ["net.norm.num_batches_tracked"] = false},
    -- the longest beginning counts
    {net = "layers.1", ["net.0"] = "layers.1", ["net.2"] = "layers.2", ["net.norm"] = false},
  }
  maps[3].net = nil
  for i, map in ipairs(maps) do
    for _, weights in ipairs{nested, flat, state_dict(a, "net.")} do
      local b = new_model(2)
      assert(differ(a, b))
      assert(nn.load(b, weights, {map = map}) == b and not differ(a, b), i)
    end
  end
end

tests["a function of names, which may give another tensor"] = function()
  local a = new_model(1)
  local weights = state_dict(a, "")
  for name, w in pairs(weights) do
    if name:find("weight", 1, true) then weights[name] = w:transpose(1, 2) end
  end
  local b, seen = new_model(2), 0
  nn.load(b, weights, {map = function(name, w)
    seen = seen + 1
    if name:find("num_batches_tracked$") then return false end
    local ours = name:gsub("^(%d)", function(i) return "layers." .. i // 2 + 1 end)
    return ours, w:rank() == 2 and w:transpose(1, 2) or nil
  end})
  assert(seen == 5 and not differ(a, b))
  nn.load(b, a, {map = function() end}) -- nil: the same name
end

tests["all that is wrong stands in one error, and nothing has changed"] = function()
  local a, b = new_model(1), new_model(2)
  local before = b(x)
  local weights = state_dict(a, "net.")
  local map = {["net.0"] = "layers.1", ["net.2"] = "layers.2"}
  check.fails("nn.load: the model has no net.norm.num_batches_tracked; the weights are of another model",
    nn.load, b, weights, {map = map})
  weights["net.0.bias"], weights["net.2.weight"] = nil, tide.ones{3, 1}
  weights["net.2.bias"] = weights["net.2.bias"]:to("float64")
  map["net.4"] = "layers.3"
  local message = check.fails("nn.load: the weights are of another model:\n", nn.load, b, weights,
    {map = map})
  for _, words in ipairs{"weights lack layers[1].bias, float32 {3}",
    "the weights have no net.4, which the map names",
    "layers[2].weight must be float32 {1, 3}, got float32 {3, 1} from net.2.weight",
    "layers[2].bias must be float32 {1}, got float64 {1} from net.2.bias",
    "the model has no net.norm.num_batches_tracked"} do
    assert(message:find(words, 1, true), words .. " is not in: " .. message)
  end
  check.fails("net.0.weight and net.2.weight are both for layers.1.weight", nn.load, b,
    state_dict(a, "net."), {map = {["net.0"] = "layers.1", ["net.2"] = "layers.1", ["net.norm"] = false}})
  check.fails("the model has no layers.7.weight, where the map puts net.0.weight", nn.load, b,
    state_dict(a, "net."), {map = {["net.0"] = "layers.7", ["net.2"] = "layers.2", ["net.norm"] = false}})
  local many = {}
  for i = 1, 40 do many["w" .. i] = tide.ones{1} end
  check.fails("and 24 more", nn.load, b, many)
  assert((before - b(x)):abs():max():item() == 0)
end

tests["misuse"] = function()
  local a = new_model(1)
  check.fails("nn.load: option map must be a table or a function, got 3", nn.load, a, a, {map = 3})
  check.fails('unknown option "maps" (did you mean "map"?)', nn.load, a, a, {maps = {}})
  check.fails('map["a"] must be a name, or false for weights to leave out, got 3', nn.load, a, a,
    {map = {a = 3}})
  check.fails("map[1] must be a name", nn.load, a, a, {map = {"a"}})
  check.fails('map("layers.1.bias") must give a name', nn.load, a, a, {map = function() return 3 end})
  check.fails("test_load_map.lua", nn.load, a, a, {map = function() error("no") end})
end

return tests
