--- Choices entry by entry: where, clamp. The elementwise functions themselves are the engine's.

local arguments = require "tide.tensor.arguments"
local core = require "tide.core"
local tree = require "tide.base.tree"

local M = {}           -- functions of the module
local T = core.methods -- methods of tensors
local is_tensor, check_tensor = tree.is_tensor, tree._check_tensor

function M.where(condition, a, b)
  if type(condition) == "boolean" then -- not taken: == between tensors gives false, whatever they hold
    core.raise(("tide.where: expected a tensor, got %s; == never looks into tensors: write x:eq(y). Two "
      .. "numbers compare to a boolean: write c and a or b"):format(condition))
  end
  if is_tensor(condition) and condition:dtype() ~= "uint8" then condition = condition:ne(0) end
  if not is_tensor(a) and not is_tensor(b) then
    a = arguments.scalar(arguments.number("tide.where", "value", a))
  end
  return core.apply("where", {}, check_tensor(condition, "tide.where"), a, b)
end

function T.clamp(x, low, high)
  check_tensor(x, "clamp")
  if low then x = x:maximum(low) end
  return high and x:minimum(high) or x
end

--- As the method; of numbers alone a number.
function M.clamp(x, low, high)
  if type(x) ~= "number" or is_tensor(low) or is_tensor(high) then return T.clamp(x, low, high) end
  if low then x = T.maximum(x, low) end
  return high and T.minimum(x, high) or x
end

return M
