--- Tensors for Lua: creation, indexing arithmetic (1-based, negative axes from the end), and everything
-- composed of the engine's ops. Each subject has a file; here they become tide's functions and methods.

local arguments = require "tide.tensor.arguments"
local core = require "tide.core"
require "tide.tensor.reductions" -- methods alone
require "tide.tensor.statistics"

local M = {
  set_default_dtype = arguments.set_default_dtype, get_default_dtype = arguments.get_default_dtype,
  -- for the library
  _dtype_rule = arguments.dtype_rule, _number_dtype = arguments.number_dtype,
}

for _, subject in ipairs{"creation", "shape", "arranging", "positions", "ordering", "elementwise", "losses",
  "products", "draws"} do
  for name, value in pairs(require("tide.tensor." .. subject)) do M[name] = value end
end

-- Every method is a function too: tide.sum(x) is x:sum(). Elementwise functions of numbers alone give a
-- number, comparisons a boolean, because 0 is true in Lua.
for name, method in pairs(core.methods) do
  if M[name] == nil and name ~= "close" then M[name] = method end
end

-- How tensors are written is read when one is.
local meta = debug.getregistry()["tide.Tensor"]
meta.__tostring = function(x)
  if not pcall(core.methods.rank, x) then return "tensor (closed)" end
  return require("tide.tensor.text").tostring(x)
end
-- Concatenation with strings is a common slip that deserves a helpful message.
meta.__concat = function()
  core.raise("a tensor cannot be joined to a string with ..; use tostring(x) or x:item()")
end

return M
