--- States of odeint: a tensor or a table of tensors, for the engine one flat vector.

local core = require "tide.core"
local options = require "tide.base.options"
local tensor = require "tide.tensor"
local tree = require "tide.base.tree"

local M = {}
local raise, show = core.raise, options.show

-- "{1, 2}" of a table of numbers (the first few), or "1" of a number, else nil.
local function array_of_numbers(v)
  if type(v) == "number" then return show(v) end
  if type(v) ~= "table" or getmetatable(v) or rawlen(v) == 0 then return nil end
  local words = {}
  for i = 1, math.min(#v, 4) do
    if type(v[i]) ~= "number" then return nil end
    words[i] = v[i] == v[i] and ("%.6g"):format(v[i]) or "nan"
  end
  return "{" .. table.concat(words, ", ") .. (#v > 4 and ", ...}" or "}")
end

--- Describe a state: {template, shapes, sizes, names, dtype, batch}, and its leaves. All have one dtype.
function M.describe(where, y0)
  local leaves = tree.tensors(y0)
  if #leaves == 0 then
    local hint = array_of_numbers(y0)
    local remedy = hint and "; write y0 = tide.tensor(%s), or plain = true for a field on Lua arrays" or ""
    raise(("%s: y0 must be a tensor or a table of tensors, got %s%s"):format(where, hint or show(y0),
      remedy:format(hint)))
  end
  if #leaves > 64 then
    raise(("%s: the state has %d tensors, at most 64 are possible; join some with tide.cat"):format(where,
      #leaves))
  end
  local state = {template = y0, shapes = {}, sizes = {}, dtype = leaves[1]:dtype()}
  if #leaves > 1 then
    state.names = {}
    tree.each(y0, function(_, path) table.insert(state.names, path) end)
  end
  for i, x in ipairs(leaves) do
    local dtype = x:dtype()
    if dtype ~= "float32" and dtype ~= "float64" then
      raise(('%s: y0 must be float32 or float64, got %s; convert with y0:to("float32")'):format(where, dtype))
    end
    if dtype ~= state.dtype then
      raise(("%s: all tensors of the state must have one dtype, got %s and %s"):format(where, state.dtype,
        dtype))
    end
    state.shapes[i], state.sizes[i] = x:shape(), x:numel()
    local batch = state.shapes[i][1]
    state.batch = (i == 1 or state.batch == batch) and batch or 0
  end
  return state, leaves
end

local blank = core.full({}, 0, "float32")

--- The same without the tensors of y0, for functions that a solve keeps: these may be recorded ones, of the
-- recording that the solve is a part of.
function M.without_tensors(state)
  local copy, blanks = {}, {}
  for key, value in pairs(state) do copy[key] = value end
  for i = 1, #state.shapes do blanks[i] = blank end
  copy.template = state.template and tree.replace(state.template, blanks)
  return copy
end

--- Until the result is closed, numbers that stand alone in a function that runs on concrete tensors (y[1] of
-- a 1-D state) become tensors of the state's dtype.
function M.with_numbers_of(dtype)
  local old = tensor._number_dtype(dtype)
  return setmetatable({}, {__close = function() tensor._number_dtype(old) end})
end

local kept

--- While the function runs at an evaluation of a solve, kept_by_solve() is the table that it was given: what
-- is to stay as it is for the whole solve. Until the result is closed.
function M.within_solve(own)
  local outer = kept
  kept = own
  return setmetatable({}, {__close = function() kept = outer end})
end
function M.kept_by_solve() return kept end

--- From here on the numbers of a sample stand together in the flat state, those of all parts.
-- wider: there will be more of them than those of the state.
function M.by_sample(where, state, wider)
  local n, shapes = state.shapes[1][1], {}
  for i, shape in ipairs(state.shapes) do
    shapes[i] = ("{%s}"):format(table.concat(shape, ", "))
    if shape[1] ~= n then n = nil end
  end
  if not n then
    raise(("%s: per_sample = true takes a state whose first axis are the samples, as many in each tensor; "
      .. "got %s"):format(where, table.concat(shapes, " and ")))
  end
  if n > 0 and (#shapes > 1 or wider) then state.samples = n end
end

--- One flat tensor of the leaves; sample by sample where the state says so (M.by_sample).
function M.flatten(leaves, state)
  local flat, n = {}, state and state.samples
  if #leaves == 1 then return leaves[1]:reshape{-1} end
  for i, x in ipairs(leaves) do flat[i] = x:reshape(n and {n, state.sizes[i] // n} or {-1}) end
  flat = core.apply("cat", {n and 1 or 0}, table.unpack(flat))
  return n and flat:reshape{-1} or flat
end

-- The parts of a flat state, behind the axes `front`.
local function parts(state, flat, front)
  if #state.shapes == 1 then return {flat} end
  local rows, n, width = {table.unpack(front)}, state.samples or 1, 0
  rows[#rows + 1] = state.samples
  for _, size in ipairs(state.sizes) do width = width + size // n end
  local list, at, axis = {}, 1, #rows + 1
  rows[axis] = width
  if axis > 1 then flat = flat:reshape(rows) end
  for i, size in ipairs(state.sizes) do
    list[i] = size == 0 and core.full({0}, 0, state.dtype) or flat:slice(axis, at, at + size // n - 1)
    at = at + size // n
  end
  return list
end

-- The columns first..last of a flat tensor of `rows` equal shares, flat.
local function columns(flat, rows, first, last)
  if rows == 1 then return flat:slice(1, first, last) end
  return flat:reshape{rows, flat:numel() // rows}:slice(2, first, last):reshape{-1}
end

--- A flat state and what stands behind it, for each sample where the state says so: joined, and each of them.
function M.join(state, flat, extra)
  local n = state.samples
  if not n then return core.apply("cat", {0}, flat, extra:reshape{-1}) end
  return core.apply("cat", {1}, flat:reshape{n, flat:numel() // n}, extra:reshape{n, extra:numel() // n})
    :reshape{-1}
end
function M.own(state, flat)
  local extra, n = state.extra, state.samples or 1
  if not extra or flat:numel() == extra.n then return flat end
  return columns(flat, n, 1, extra.n // n)
end
function M.behind(state, flat)
  local extra, n = state.extra, state.samples or 1
  return columns(flat, n, extra.n // n + 1, (extra.n + extra.size) // n)
end

--- The state from one flat tensor, where what stands behind it (quadrature.lua) is left out.
function M.unflatten(state, flat)
  flat = M.own(state, flat)
  local list = parts(state, flat, {})
  for i, shape in ipairs(state.shapes) do list[i] = list[i]:reshape(shape) end
  return tree.replace(state.template, list)
end

--- The state of one sample, without the axis of samples.
function M.unflatten_sample(state, flat)
  local n, at, list = state.shapes[1][1], 1, {}
  for i, size in ipairs(state.sizes) do
    list[i] = flat:slice(1, at, at + size // n - 1):reshape{table.unpack(state.shapes[i], 2)}
    at = at + size // n
  end
  return tree.replace(state.template, list)
end

local function check_given(where, state, given, i)
  local leaves = tree.tensors(given)
  if #leaves ~= #state.shapes then
    raise(("%s: start[%d] must be a state like y0, got %s"):format(where, i, show(given)))
  end
  for p, x in ipairs(leaves) do
    local shape, wanted = table.concat(x:shape(), ", "), table.concat(state.shapes[p], ", ")
    if core.is_symbolic(x) then
      raise(("%s: start must be made of numbers, got a tensor that is being recorded: derivatives do not go "
        .. 'through it; make it outside of the recording, or use start = "rk"'):format(where))
    end
    if shape ~= wanted or x:dtype() ~= state.dtype then
      raise(("%s: start[%d] has shape {%s} and dtype %s, y0 has {%s} and %s"):format(where, i, shape,
        x:dtype(), wanted, state.dtype))
    end
  end
  return M.flatten(leaves, state)
end

--- The states that a multistep method with a formula over `count` steps before begins with, as one flat
-- tensor; nil where a one-step method makes them.
function M.flatten_start(where, state, start, count)
  if type(start) ~= "table" then return nil end
  if #start ~= count then
    raise(("%s: start must have %d states, those behind y0 that the formula looks back at, got %d"):format(
      where, count, #start))
  end
  if count == 0 then return nil end
  local at_once <close> = core.tape_begin("nothing") -- luacheck: ignore at_once
  local flat = {}
  for i, given in ipairs(start) do flat[i] = check_given(where, state, given, i) end
  return count == 1 and flat[1]:clone() or core.apply("cat", {0}, table.unpack(flat))
end

--- Solutions at n times from the flat result: {n, shape...} for each leaf.
function M.unflatten_times(state, flat, n)
  local list = parts(state, flat, {n})
  for i, shape in ipairs(state.shapes) do list[i] = list[i]:reshape{n, table.unpack(shape)} end
  return tree.replace(state.template, list)
end

-- What to write instead of a result that holds no tensor, or too many.
local function instead(state, dy, count)
  local one = #state.shapes == 1
  if dy == nil then return "; does it end with return?" end
  if count == 0 and type(dy) == "number" then return one and ("; write %s + 0 * y"):format(show(dy)) or "" end
  if count == 0 and array_of_numbers(dy) then
    return "; write tide.stack{...} of its elements, or plain = true for a field on Lua arrays"
  end
  if one and count > 1 then
    return "; join them by tide.stack{...} (numbers and scalars) or tide.cat({...}, 1)"
  end
  return not one and "; return a table with the keys of y0" or ""
end

local function check_part(where, state, i, x, detail, who)
  local shape, wanted = table.concat(x:shape(), ", "), table.concat(state.shapes[i], ", ")
  local part = state.names and (" for y." .. state.names[i]) or ""
  if shape ~= wanted then
    local hint = x:numel() == state.sizes[i] and ("; if it is the same numbers, x:reshape{%s}"):format(wanted)
      or who == "f" and "; f is called as f(t, y) and returns dy/dt of every number of y" or ""
    raise(("%s: %s returned shape {%s}%s, the state has shape {%s}%s%s"):format(where, who, shape, part,
      wanted, detail, hint))
  end
  if core.is_weak(x) then return x:to(state.dtype) end -- of t alone
  if x:dtype() ~= state.dtype then
    raise(('%s: %s returned %s%s, the state is %s%s; convert one of them with x:to("%s")'):format(where, who,
      x:dtype(), part, state.dtype, detail, state.dtype))
  end
  return x
end

--- What f, or whoever `who` is, returned must look like the state; returns it as one flat tensor. `detail`
-- says when it was called.
function M.check_derivative(where, state, dy, detail, who)
  who = who or "f"
  local leaves = tree.tensors(dy)
  local count = #leaves
  if count == 0 then
    raise(("%s: %s must return a tensor like y, got %s%s%s"):format(where, who, show(dy), detail,
      instead(state, dy, 0)))
  end
  if count ~= #state.shapes then
    raise(("%s: %s returned %d tensors, the state has %d%s%s"):format(where, who, count, #state.shapes,
      detail, instead(state, dy, count)))
  end
  for i, x in ipairs(leaves) do
    if core.is_weak(x) then leaves[i] = x:to(state.dtype) end -- of t alone
    check_part(where, state, i, leaves[i], detail, who)
  end
  return M.flatten(leaves, state)
end

return M
