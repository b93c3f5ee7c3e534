--- The integral of a function of the solution, beside the solve: its values are elements behind those of the
-- state, which neither f nor the norm of the error sees.

local core = require "tide.core"
local options = require "tide.base.options"
local states = require "tide.ode.state"
local tree = require "tide.base.tree"

local M = {}
local raise, is_tensor, show = core.raise, tree.is_tensor, options.show

local function check(where, o)
  local fn, meta = o.quadrature, getmetatable(o.quadrature)
  if type(fn) ~= "function" and not (type(meta) == "table" and meta.__call) then
    raise(("%s: quadrature must be a function (t, y) -> tensor, got %s"):format(where, show(fn)))
  end
  if type(o.start) == "table" then
    raise(where .. ": with states given as start there is no quadrature: its values at their times are not "
      .. "known")
  end
  if o.quadrature_control and o.norm_function then
    raise(where .. ": quadrature_control and a norm that is a function exclude each other: the norm gets "
      .. "states alone")
  end
end

-- A number or a tensor, as a tensor.
local function as_tensor(where, dtype, value)
  if type(value) == "number" then return core.full({}, value, dtype) end
  if is_tensor(value) then
    if core.is_weak(value) then value = value:to(dtype) end -- of t alone
    if value:dtype() == dtype then return value end
    raise(('%s: quadrature returned %s, the state is %s; convert with x:to("%s")'):format(where,
      value:dtype(), dtype, dtype))
  end
  raise(("%s: quadrature must return a number or a tensor, got %s%s"):format(where, show(value),
    value == nil and "; does it end with return?" or ""))
end

-- The same for plain fields, where lists of numbers are vectors.
local function plain_numbers(where, value)
  if type(value) == "number" then return {value}, {} end
  if is_tensor(value) and value:rank() <= 1 then value = value:totable() end
  if type(value) == "number" then return {value}, {} end
  for i = 1, type(value) == "table" and #value or 0 do
    if type(value[i]) ~= "number" then value = nil break end
  end
  if type(value) ~= "table" then
    raise(("%s: quadrature of a plain field must return a number or an array of numbers, got %s"):format(
      where, show(value)))
  end
  return value, {#value}
end

-- The shape of what fn returns: it is called once for that, as f will be.
local function shape_of(where, state, o, y0, times)
  if o.eager then
    local guard <close> = states.with_numbers_of(state.dtype) -- luacheck: ignore guard
    local at_once <close> = core.tape_begin("nothing") -- luacheck: ignore at_once
    local t0 = times:slice(1, 1, 1):item()
    return as_tensor(where, state.dtype, o.quadrature(t0, states.unflatten(state, y0:clone()))):shape()
  end
  local tape <close> = core.tape_begin("field")
  local t = tape:input("float64", {}, state.dtype == "float32")
  local y = tape:input(state.dtype, {y0:numel()})
  return as_tensor(where, state.dtype, o.quadrature(t, states.unflatten(state, y))):shape()
end

local function size_of(shape)
  local size = 1
  for _, n in ipairs(shape) do size = size * n end
  return size
end

local function extend_tolerances(o, size, state)
  local at_once <close> = core.tape_begin("nothing") -- luacheck: ignore at_once
  for _, name in ipairs{"rtol", "atol"} do
    local each = o[name .. "_each"]
    if each then o[name .. "_each"] = states.join(state, each, core.full({size}, o[name], "float64")) end
  end
end

--- The problem with room for the integral: the state, with `extra`, and the flat y0.
function M.extend(where, state, o, y0, times)
  check(where, o)
  if #state.shapes == 64 then raise(where .. ": with a quadrature the state can have 63 tensors") end
  local shape = shape_of(where, state, o, y0, times)
  local size = size_of(shape)
  if size == 0 then raise(where .. ": quadrature returned a tensor without elements") end
  if o.per_sample and shape[1] ~= state.shapes[1][1] then
    raise(("%s: with per_sample = true quadrature must return one value, or more, for each sample: a tensor "
      .. "whose first axis is %d, got shape {%s}"):format(where, state.shapes[1][1],
      table.concat(shape, ", ")))
  end
  local wider = {}
  for key, value in pairs(state) do wider[key] = value end
  wider.engine_sizes = table.move(state.sizes, 1, #state.sizes, 1, {})
  wider.engine_sizes[#state.sizes + 1] = size
  wider.extra = {shape = shape, size = size, n = y0:numel()}
  wider.batch = o.quadrature_control and shape[1] ~= state.batch and 0 or state.batch
  o.part_names = {}
  for i = 1, #state.sizes do o.part_names[i] = state.names and state.names[i] or "" end
  table.insert(o.part_names, "quadrature")
  o.uncontrolled = o.quadrature_control and 0 or size
  extend_tolerances(o, size, state)
  return wider, states.join(state, y0, core.full({size}, 0, state.dtype))
end

--- dy/dt and behind it what is to be integrated, flat. y: the state as f got it, the same tensors.
function M.derivative(where, state, o, dy, t, y, detail)
  if not state.extra then return dy end
  local value = as_tensor(where, state.dtype, o.quadrature(t, y))
  local shape, wanted = table.concat(value:shape(), ", "), table.concat(state.extra.shape, ", ")
  if shape ~= wanted then
    raise(("%s: quadrature returned shape {%s}%s, at first it was {%s}"):format(where, shape, detail, wanted))
  end
  return states.join(state, dy, value)
end

--- The flat states at n times without the integrals, and these.
function M.split(state, flat, n)
  local extra = state.extra
  if not extra then return flat, nil end
  local rows = n * (state.samples or 1)
  local width, own = flat:numel() // rows, extra.n * n // rows
  local matrix = flat:reshape{rows, width}
  return matrix:slice(2, 1, own):reshape{-1},
    matrix:slice(2, own + 1, width):reshape{n, table.unpack(extra.shape)}
end

--- A plain problem with room for the integral: f, the flat y0, the shape of the integral; and how its states
-- at the times are to be split.
function M.plain(where, f, o, y0, times)
  check(where, o)
  local n, quadrature = y0:numel(), o.quadrature
  local _, shape = plain_numbers(where, quadrature(times:slice(1, 1, 1):item(), y0:totable()))
  local size = size_of(shape)
  local function own(y) return table.move(y, 1, n, 1, {}) end
  local function wider(t, y)
    local state = own(y)
    local dy, values = f(t, state), plain_numbers(where, quadrature(t, own(y)))
    if type(dy) ~= "table" or #dy ~= n or #values ~= size then return #values == size and dy or nil end
    return table.move(values, 1, size, n + 1, own(dy))
  end
  for _, row in ipairs(o.events or {}) do
    local g, apply = row.g, row.apply
    row.g = function(t, y) return g(t, own(y)) end
    row.apply = apply and function(t, y)
      local after = apply(t, own(y))
      return type(after) == "table" and #after == n and table.move(y, n + 1, n + size, n + 1, own(after))
        or after
    end
  end
  o.uncontrolled = o.quadrature_control and 0 or size
  extend_tolerances(o, size, {})
  return wider, core.apply("cat", {0}, y0, core.full({size}, 0, "float64")), shape, size
end

return M
