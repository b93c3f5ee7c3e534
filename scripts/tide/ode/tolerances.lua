--- How large errors may be, and how they are measured, where that is more than a number or a word: tolerances
-- of each element of the state, norms that are functions.

local core = require "tide.core"
local jacobian = require "tide.ode.jacobian"
local options = require "tide.base.options"
local states = require "tide.ode.state"
local tree = require "tide.base.tree"

local M = {}
local raise, is_tensor, show = core.raise, tree.is_tensor, options.show

-- ---- tolerances of each element ----

local function check_number(where, name, v)
  if type(v) ~= "number" or not options.finite(v) or v < 0 then
    raise(("%s: %s must be finite and >= 0, got %s"):format(where, name, show(v)))
  end
  return v
end

-- The smallest number of a tolerance that is a tensor, or a table of tensors and numbers.
local function smallest(where, name, v)
  local least = math.huge
  tree.each(v, function(leaf, path)
    local place = path == "" and name or path:sub(1, 1) == "[" and name .. path or name .. "." .. path
    if not is_tensor(leaf) then
      least = math.min(least, check_number(where, place, leaf))
      return
    end
    if core.is_symbolic(leaf) then
      raise(("%s: %s must be numbers, got a tensor that is being recorded"):format(where, place))
    end
    for _, x in ipairs(leaf:to("float64"):reshape{-1}:totable()) do
      least = math.min(least, check_number(where, place, x))
    end
  end)
  if least == math.huge then raise(("%s: %s has no numbers"):format(where, name)) end
  return least
end

--- Options rtol and atol that are tensors are set aside as rtol_each, atol_each; in their place stays the
-- smallest number, which is what a solve backwards takes.
function M.check(where, o)
  local at_once <close> = core.tape_begin("nothing") -- luacheck: ignore at_once
  for _, name in ipairs{"rtol", "atol"} do
    if type(o[name]) ~= "number" then
      o[name .. "_each"], o[name] = o[name], smallest(where, name, o[name])
    end
  end
end

local function is_list(v)
  if type(v) ~= "table" then return type(v) == "number" end
  for key, inner in pairs(v) do
    if not options.integer(key) or key < 1 or key > #v or not is_list(inner) then return false end
  end
  return true
end

local function broadcasts(from, to)
  for i = 1, #from do
    local n = from[#from + 1 - i]
    if n ~= 1 and n ~= to[#to + 1 - i] then return false end
  end
  return #from <= #to
end

-- v in the shape of a tensor of the state, flat.
local function spread(where, name, v, shape)
  local text = table.concat(shape, ", ")
  if not (is_tensor(v) or is_list(v)) then
    raise(("%s: %s must be a number, a tensor or lists of numbers for a state of shape {%s}"):format(where,
      name, text))
  end
  local x = is_tensor(v) and v:to("float64") or core.tensor_from(v, "float64")
  if not broadcasts(x:shape(), shape) then
    raise(("%s: %s has shape {%s}, which does not broadcast to the shape {%s} of the state"):format(where,
      name, table.concat(x:shape(), ", "), text))
  end
  return x:broadcast_to(shape):reshape{-1}
end

-- What v has for each tensor of the state, one flat tensor after the other in `out`.
local function collect(where, name, y, v, out)
  if is_tensor(y) then
    out[#out + 1] = spread(where, name, v, y:shape())
    return out
  end
  if type(y) ~= "table" then return out end
  if type(v) ~= "number" and (type(v) ~= "table" or is_tensor(v)) then
    raise(("%s: %s must be a number or a table like that of the state, got %s"):format(where, name, show(v)))
  end
  for _, key in ipairs(core.tree_keys(y)) do
    local inner, place = v, tree._join(name, key)
    if type(v) == "table" then inner = rawget(v, key) end
    if inner == nil then raise(("%s: %s is missing; the state has it"):format(where, place)) end
    collect(where, place, y[key], inner, out)
  end
  return out
end

local function check_elements(where, dtype, rtol, atol)
  local least = core.smallest_rtol(dtype)
  for i, r in ipairs(rtol) do
    if r == 0 and atol[i] == 0 then
      raise(("%s: rtol and atol are both 0 for element %d of the state; at least one must be > 0"):format(
        where, i))
    end
    if r < least and r > 0 then
      raise(("%s: rtol = %g of element %d is below what %s can resolve (%.1e); loosen it"):format(where, r, i,
        dtype, least))
    end
  end
end

-- Tolerances of each element become flat tensors.
local function of_elements(where, state, o)
  local at_once <close> = core.tape_begin("nothing") -- luacheck: ignore at_once
  local numbers = {}
  for _, name in ipairs{"rtol", "atol"} do
    local v = states.flatten(collect(where, name, state.template, o[name .. "_each"] or o[name], {}), state)
    o[name .. "_each"], numbers[name] = v:clone(), v:totable()
  end
  check_elements(where, state.dtype, numbers.rtol, numbers.atol)
end

-- ---- norms that are functions ----

-- A function as norm gets errors and scales like the state, and gives a number.
local function own_norm(where, state, o)
  local norm = o.norm
  state = states.without_tensors(state)
  o.norm = "part" -- of the first step, and of solves backwards
  o.norm_function = function(err, scale)
    local number_guard <close> = states.with_numbers_of(state.dtype) -- luacheck: ignore number_guard
    local at_once <close> = core.tape_begin("nothing") -- luacheck: ignore at_once
    local size = norm(states.unflatten(state, err), states.unflatten(state, scale))
    if is_tensor(size) and size:numel() == 1 then size = size:item() end
    if type(size) ~= "number" then
      raise(("%s: norm must return a number, got %s"):format(where, show(size)))
    end
    if size < 0 then raise(("%s: norm returned %g; it must be >= 0"):format(where, size)) end
    if size ~= size and err:eq(err):min():item() == 1 then
      raise(where .. ": norm returned nan of errors that are numbers; what does it divide by?")
    end
    return size
  end
end

--- Make checked options ready for a state (states.describe); a Jacobian that is a function as well.
function M.of_state(where, state, o)
  if o.rtol_each or o.atol_each then of_elements(where, state, o) end
  if type(o.norm) == "function" then own_norm(where, state, o) end
  jacobian.of_state(where, state, o)
end

return M
