--- df/dy as a function of the user's: what odeint's option jacobian calls, and what it gives back.

local core = require "tide.core"
local options = require "tide.base.options"
local states = require "tide.ode.state"
local tree = require "tide.base.tree"

local M = {}
local raise, show = core.raise, options.show

--- Options that cannot stand beside it.
function M.check(where, o, method)
  if type(o.jacobian) ~= "function" then return end
  if method.implicit == false then
    raise(("%s: jacobian as a function is for implicit methods, and %s solves no equations; leave it out")
      :format(where, method.name))
  end
  if o.per_sample then
    raise(where .. ": jacobian as a function is of the whole state, and with per_sample = true each sample "
      .. "has a solve of its own; leave it out, the engine then makes a matrix for each sample")
  end
  if o.quadrature then
    raise(where .. ": jacobian as a function is that of the state alone, and a quadrature is a part that it "
      .. "knows nothing of; leave out one of them")
  end
end

-- A table of rows of numbers.
local function rows_of(where, list, n, when)
  for i = 1, n do
    local row = type(list) == "table" and list[i]
    if type(row) ~= "table" or #row ~= n or #list ~= n then
      local width = type(row) == "table" and "of " .. #row or "is " .. show(row)
      local got = type(list) ~= "table" and show(list) or ("%d rows, row %d %s"):format(#list, i, width)
      raise(("%s: jacobian must return %d rows of %d numbers, df_i/dy_j in row i, got %s%s"):format(where, n,
        n, got, when))
    end
  end
  return core.tensor_from(list, "float64")
end

local function matrix_of(where, given, n, dtype, when)
  if not tree.is_tensor(given) then
    raise(("%s: jacobian must return a tensor of shape {%d, %d}, df_i/dy_j in row i, got %s%s"):format(where,
      n, n, show(given), when))
  end
  if core.is_symbolic(given) then
    raise(("%s: jacobian is called while the solve runs, on numbers, and returned a tensor that is being "
      .. "recorded%s"):format(where, when))
  end
  local shape = given:shape()
  if #shape ~= 2 or shape[1] ~= n or shape[2] ~= n then
    raise(("%s: jacobian must return a tensor of shape {%d, %d}, for the %d numbers of the state one after "
      .. "the other, got shape {%s}%s"):format(where, n, n, n, table.concat(shape, ", "), when))
  end
  return given:to(dtype)
end

local function check_finite(where, flat, n, when)
  if options.finite(flat:sum():item()) then return end
  for i, v in ipairs(flat:totable()) do
    if not options.finite(v) then
      raise(("%s: jacobian returned %s in row %d, column %d%s"):format(where, show(v), (i - 1) // n + 1,
        (i - 1) % n + 1, when))
    end
  end
end

--- Make checked options ready for a state (states.describe): jacobian_function(t, flat) -> n * n numbers, by
-- rows.
function M.of_state(where, state, o)
  local given, plain, n = o.jacobian, o.plain, 0
  if type(given) ~= "function" then return end
  state = states.without_tensors(state)
  for _, size in ipairs(state.sizes) do n = n + size end
  o.jacobian = "dense"
  o.jacobian_function = function(t, flat)
    local number_guard <close> = states.with_numbers_of(state.dtype) -- luacheck: ignore number_guard
    local at_once <close> = core.tape_begin("nothing") -- luacheck: ignore at_once
    local when, matrix = (" at t = %.6g"):format(t), nil
    if plain then matrix = rows_of(where, given(t, flat:totable()), n, when)
    else matrix = matrix_of(where, given(t, states.unflatten(state, flat)), n, state.dtype, when) end
    matrix = matrix:reshape{-1}
    check_finite(where, matrix, n, when)
    return matrix:clone()
  end
end

return M
