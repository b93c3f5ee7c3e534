--- Tensors as text: what print, tostring and the prompt show.

local core = require "tide.core"
local tree = require "tide.tree"

local M = {}

local function format_number(v, dtype)
  if dtype == "int64" or dtype == "uint8" then return ("%d"):format(v) end
  if v ~= v then return "nan" end
  if v == math.huge then return "inf" elseif v == -math.huge then return "-inf" end
  local a = math.abs(v)
  if a ~= 0 and (a < 1e-4 or a >= 1e6) then return ("%.4e"):format(v) end
  return ("%.4f"):format(v)
end

-- At most 6 entries of an axis: the first and last three.
local EDGE = 3
local function shown(n)
  local list = {}
  for i = 1, n do if n <= 2 * EDGE + 1 or i <= EDGE or i > n - EDGE then list[#list + 1] = i end end
  return list
end

local function rows(x, depth, out, width)
  if x:rank() == 1 then
    local cells, previous = {}, 0
    for _, i in ipairs(shown(#x)) do
      if i > previous + 1 then cells[#cells + 1] = "..." end
      cells[#cells + 1] = (" "):rep(width - #format_number(x[i], x:dtype())) .. format_number(x[i], x:dtype())
      previous = i
    end
    out[#out + 1] = (" "):rep(depth) .. table.concat(cells, "  ")
    return
  end
  local previous = 0
  for _, i in ipairs(shown(#x)) do
    if i > previous + 1 then out[#out + 1] = (" "):rep(depth) .. "..." end
    if x:rank() > 2 then out[#out + 1] = (" "):rep(depth) .. ("[%d]"):format(i) end
    rows(x[i], x:rank() > 2 and depth + 1 or depth, out, width)
    previous = i
  end
end

local function widest(x)
  if x:rank() == 0 then return #format_number(x:item(), x:dtype()) end
  local w = 0
  for _, i in ipairs(shown(#x)) do
    w = math.max(w, x:rank() == 1 and #format_number(x[i], x:dtype()) or widest(x[i]))
  end
  return w
end

--- Values aligned, with dtype and shape; long axes are elided in the middle.
function M.tostring(x)
  local shape = tree._check_tensor(x, "tide.tostring"):shape()
  local head = ("tensor %s {%s}"):format(x:dtype(), table.concat(shape, ", "))
  if core.is_symbolic(x) then return head .. " (symbolic)" end
  if #shape == 0 then return ("%s  %s"):format(format_number(x:item(), x:dtype()), head) end
  if x:numel() == 0 then return head .. " (empty)" end
  local out = {head}
  rows(x, 1, out, widest(x))
  return table.concat(out, "\n")
end

local meta = debug.getregistry()["tide.Tensor"]
meta.__tostring = function(x)
  if not pcall(core.methods.rank, x) then return "tensor (closed)" end
  return M.tostring(x)
end
-- Concatenation with strings is a common slip that deserves a helpful message.
meta.__concat = function() core.raise("a tensor cannot be joined to a string with ..; use tostring(x) or x:item()") end

return M
