--- The tensors of a model: counted, listed, loaded.

local core = require "tide.core"
local options = require "tide.base.options"
local tree = require "tide.base.tree"

local M = {}
local raise = core.raise

--- Number of trainable values: the elements of all float tensors but buffers.
function M.count(model)
  if type(model) ~= "table" and type(model) ~= "function" and not tree.is_tensor(model) then
    raise("nn.count: model must be a table of tensors, got " .. options.show(model))
  end
  local n, seen = 0, {}
  for _, x in ipairs(tree.tensors(model, true)) do
    if not seen[x] then n = n + x:numel() end -- a layer that is used twice is counted once
    seen[x] = true
  end
  return n
end

--- Names of the model's trainable tensors with shape and number of values, in order, as a table of {name=,
-- shape=, count=}.
function M.parameters(model)
  local list = {}
  tree._each_parameter(model, function(x, path)
    list[#list + 1] = {name = path, shape = x:shape(), count = x:numel(), tensor = x}
  end)
  return list
end

local function shape_text(x) return x:dtype() .. " {" .. table.concat(x:shape(), ", ") .. "}" end

-- "layers[1].weight" as other programs write it: "layers.1.weight".
local function dotted(path) return (path:gsub("%[([^%]]*)%]", ".%1"):gsub("^%.", "")) end

-- The tensors of t as a list of {name = dotted, path =, tensor =}, and by dotted name.
local function named(t)
  local list, by_name = {}, {}
  tree.each(t, function(x, path)
    if not tree.is_tensor(x) then return end
    local entry = {name = dotted(path), path = path, tensor = x}
    list[#list + 1], by_name[entry.name] = entry, entry
  end)
  return list, by_name
end

-- ---- names of others ----

-- The name that a table of names or of their beginnings ("fc" for "fc.weight") gives; the longest counts.
local function look_up(map, name, used)
  local part = name
  while part do
    local ours = map[part]
    if ours ~= nil then
      used[part] = true
      return ours and ours .. name:sub(#part + 1)
    end
    part = part:match("^(.*)%.[^.]*$")
  end
end

local function check_map(map)
  for theirs, ours in pairs(type(map) == "table" and map or {}) do
    if type(theirs) ~= "string" or ours and type(ours) ~= "string" then
      raise(("nn.load: map[%s] must be a name, or false for weights to leave out, got %s"):format(
        options.show(theirs), options.show(ours)))
    end
  end
end

-- What the map makes of one weight: our name (false: left out) and the tensor.
local function mapped(map, entry, used)
  local ours, tensor
  if type(map) == "function" then
    ours, tensor = map(entry.name, entry.tensor)
    if ours and type(ours) ~= "string" or tensor ~= nil and not tree.is_tensor(tensor) then
      raise(("nn.load: map(%q) must give a name (nil: the same, false: leave it out), and a tensor if "
        .. "another one is to be used; got %s, %s"):format(entry.name, options.show(ours),
        options.show(tensor)))
    end
  elseif map then
    ours = look_up(map, entry.name, used)
  end
  if ours == nil then ours = entry.name end
  return ours and dotted(ours), tensor or entry.tensor
end

-- The weights by our names; what is wrong with the names is added to `problems`.
local function translate(weights, map, problems)
  local list, from, given, used = named(weights), {}, {}, {}
  for _, entry in ipairs(list) do
    local ours, tensor = mapped(map, entry, used)
    if ours and from[ours] then
      problems[#problems + 1] = ("%s and %s are both for %s"):format(from[ours].path, entry.path, ours)
    elseif ours then
      from[ours] = {path = entry.path, tensor = tensor}
      given[#given + 1] = ours
    end
  end
  for _, theirs in ipairs(type(map) == "table" and options.sorted_keys(map) or {}) do
    if not used[theirs] then
      problems[#problems + 1] = ("the weights have no %s, which the map names"):format(theirs)
    end
  end
  return from, given
end

local MOST = 20 -- problems that an error lists

local function refuse(problems)
  local text = problems[1] .. "; the weights are of another model"
  if #problems > 1 then
    local shown = table.concat(problems, "\n  ", 1, math.min(#problems, MOST))
    text = ("the weights are of another model:\n  %s%s"):format(shown, #problems > MOST
      and ("\n  and %d more"):format(#problems - MOST) or "")
  end
  raise("nn.load: " .. text)
end

local load_spec = {map = {"table|function"}}

--- load(model, weights, {map =}) -> model: put weights, as tide.load returns what tide.save wrote of a model
-- like this one, or a state dict of PyTorch, into its tensors, in place. `map` gives our names for those of
-- the weights: a table of names or of their beginnings, or a function(name, tensor) -> name, tensor; false
-- leaves a weight out. Names are written with dots ("layers.1.weight" for layers[1].weight). Every name,
-- shape and dtype is checked before anything changes, and the error lists all that is wrong.
function M.load(model, weights, opts)
  if type(model) ~= "table" or type(weights) ~= "table" then
    raise(("nn.load: expected a model and a table of weights (tide.load), got %s and %s"):format(
      options.show(model), options.show(weights)))
  end
  local o = options.check("nn.load", opts, load_spec)
  check_map(o.map)
  local into, places = named(model)
  local problems = {}
  local from, given = translate(weights, o.map, problems)
  for _, place in ipairs(into) do
    local weight, wanted = from[place.name], shape_text(place.tensor)
    if not weight then
      problems[#problems + 1] = ("weights lack %s, %s"):format(place.path, wanted)
    elseif shape_text(weight.tensor) ~= wanted then
      problems[#problems + 1] = ("%s must be %s, got %s%s"):format(place.path, wanted,
        shape_text(weight.tensor), dotted(weight.path) ~= place.name and " from " .. weight.path or "")
    end
  end
  for _, ours in ipairs(given) do
    if not places[ours] then
      local path = from[ours].path
      problems[#problems + 1] = ("the model has no %s%s"):format(dotted(path) == ours and path or ours,
        dotted(path) ~= ours and (", where the map puts " .. path) or "")
    end
  end
  if #problems > 0 then refuse(problems) end
  for _, place in ipairs(into) do place.tensor:copy_(from[place.name].tensor) end
  return model
end

return M
