--- The toy trainings of *Augmented Neural ODEs* (sections 4 and 5.1, appendix F): settings of one, its data,
-- its model, and the groups of trainings that the figures are drawn from.

local tide = require "tide"

local M = {}

M.tasks = {"spheres1", "spheres2", "sines"}
M.models = {"ResNet", "ResNet-linear", "NODE", "ANODE"}

--- Default of each setting, in the order of a configuration. [F.2.1] epochs, batch, lr, hidden, layers,
-- augment; [F] tol; [code] smooth_l1. fold 1 to 3: trained without that third of the points; slice: without
-- the points whose angle is in [0, pi/5]. What is left out is the validation set.
local defaults = {
  {"task", "spheres2"}, {"model", "NODE"}, {"seed", 1}, {"epochs", 50}, {"batch", 64}, {"lr", 1e-3},
  {"hidden", 32}, {"layers", 5}, {"augment", 5}, {"act", "relu"}, {"loss", "smooth_l1"}, {"tol", 1e-3},
  {"fold", 0}, {"slice", false},
}
M.defaults = defaults

function M.settings(given)
  local s = {}
  for _, row in ipairs(defaults) do
    if given[row[1]] == nil then s[row[1]] = row[2] else s[row[1]] = given[row[1]] end
  end
  return s
end

local function text(v) return math.type(v) == "float" and ("%.10g"):format(v) or tostring(v) end

--- Everything that the numbers depend on, in one line.
function M.config(s)
  local words = {}
  for i, row in ipairs(defaults) do words[i] = row[1] .. "=" .. text(s[row[1]]) end
  return table.concat(words, " ")
end

--- A file's name: task, model, what is no default, seed.
function M.name(s)
  local words = {s.task, s.model}
  for i = 4, #defaults do
    local key, default = table.unpack(defaults[i])
    if s[key] ~= default then words[#words + 1] = key .. text(s[key]) end
  end
  words[#words + 1] = "s" .. s.seed
  return table.concat(words, "-")
end

-- ---- groups ----

local function product(fixed, axes, k, out)
  if k > #axes then
    out[#out + 1] = M.settings(fixed)
    return out
  end
  for _, v in ipairs(axes[k][2]) do
    fixed[axes[k][1]] = v
    product(fixed, axes, k + 1, out)
  end
  return out
end

local function seeds(n)
  local list = {}
  for i = 1, n do list[i] = i end
  return {"seed", list}
end

-- [F.2.1] 12 settings of the NODE, 36 of the ANODE, 36 of the ResNet; 3 folds in each dimension.
local function search()
  local common = {{"fold", {1, 2, 3}}, {"task", {"spheres1", "spheres2"}}, {"batch", {64, 128}},
    {"lr", {1e-3, 5e-4, 1e-4}}, {"hidden", {16, 32}}}
  local list = product({model = "NODE"}, common, 1, {})
  for _, own in ipairs{{"ANODE", "augment", {1, 2, 5}}, {"ResNet", "layers", {2, 5, 10}}} do
    local axes = table.move(common, 1, #common, 1, {})
    axes[#axes + 1] = {own[2], own[3]}
    product({model = own[1]}, axes, 1, list)
  end
  return list
end

--- Groups by name: function(number of seeds) -> list of settings, first seeds first.
M.groups = {
  curves = function(n) return product({}, {seeds(n), {"task", M.tasks}, {"model", M.models}}, 1, {}) end,
  slices = function(n)
    return product({slice = true}, {seeds(n), {"model", {"NODE", "ANODE"}}}, 1, {})
  end,
  softplus = function(n)
    return product({act = "softplus"}, {seeds(n), {"model", {"NODE", "ANODE"}}}, 1, {})
  end,
  search = search,
}

-- ---- data ----

local function all_points(task)
  if task == "sines" then return tide.data.sines{} end
  return tide.data.spheres{dim = task == "spheres1" and 1 or 2}
end

local function part(data, rows)
  local positions = tide.tensor(rows, {dtype = "int64"})
  return {x = data.x:take(positions), y = data.y:take(positions)}
end

-- Points for which held(i, x) is true, and the others.
local function split(data, held)
  local kept, out = {}, {}
  for i, x in ipairs(data.x:totable()) do table.insert(held(i, x) and out or kept, i) end
  return part(data, kept), part(data, out)
end

--- Training and validation points; no validation points (nil) when nothing is left out.
function M.data(s)
  local data = all_points(s.task)
  if s.slice then
    return split(data, function(_, x)
      local angle = math.atan(x[2], x[1])
      return angle >= 0 and angle <= math.pi / 5
    end)
  end
  if s.fold == 0 then return data end
  local place = {}
  for i, p in ipairs(tide.randperm(#data.x, {seed = 1}):totable()) do place[p] = i end
  return split(data, function(i) return place[i] % 3 == s.fold - 1 end)
end

-- ---- models ----

-- The published ResNet's branch ends in a ReLU, so that a block can only make features larger; this one's
-- does not. Its first weights are the same.
local linear_branch = {__name = "anode.resnet_linear"}
linear_branch.__index = linear_branch
function linear_branch:__call(x) return self.out(self:features(x)) end
function linear_branch:features(x)
  for _, block in ipairs(self.blocks) do x = x + block[2](block[1](x):relu()) end
  return x
end

function M.model(s)
  local dim = s.task == "spheres1" and 1 or 2
  if s.model == "NODE" or s.model == "ANODE" then
    return tide.nn.odenet{dim = dim, hidden = s.hidden, augment = s.model == "ANODE" and s.augment or 0,
      act = s.act, seed = s.seed,
      solver = {method = "dopri5", rtol = s.tol, atol = s.tol, gradient = "direct"}}
  end
  local net = tide.nn.resnet{dim = dim, hidden = s.hidden, layers = s.layers, act = s.act, seed = s.seed}
  if s.model == "ResNet" then return net end
  return setmetatable({blocks = net.blocks, out = net.out}, linear_branch)
end

--- Train; callback as that of tide.train.
function M.train(s, model, data, callback)
  return tide.train{model = model, data = data, optimizer = tide.optim.adam(model, {lr = s.lr}),
    loss = s.loss, batch = s.batch, epochs = s.epochs, seed = s.seed, callback = callback,
    label = ("%s %s seed %d"):format(s.task, s.model, s.seed)}
end

--- Length of the paths of these points over the distance between their ends, in all coordinates of the flow:
-- means over the points, so 1 is straight. nan for what is no flow.
function M.bend(model, x)
  if not model.block then return 0 / 0 end
  local states = model:trajectory(x, tide.linspace(0, 1, 41, {dtype = "float64"}):totable())
  local n = #states
  local function lengths(d) return d:square():sum(3):sqrt():sum():item() end
  return lengths(states:slice(1, 2, n) - states:slice(1, 1, n - 1))
    / lengths(states:slice(1, n, n) - states:slice(1, 1, 1))
end

return M
