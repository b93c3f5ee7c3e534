--- Every function that users can call has an entry in scripts/tide/docs.lua.

return function()
  local found, tide = pcall(require, "tide")
  if not found then return nil, "the engine is not built: make" end
  local help = require "tide.help"
  local missing = help.missing("tide.", tide)
  local function add(list) table.move(list, 1, #list, #missing + 1, missing) end
  for _, name in ipairs{"nn", "ode", "optim", "data", "plot"} do
    local good, module = pcall(function() return tide[name] end)
    if good and type(module) == "table" then add(help.missing(name .. ".", module))
    else missing[#missing + 1] = ("tide.%s cannot be loaded: %s"):format(name, tostring(module)) end
  end
  add(help.missing("tensor:", debug.getregistry()["tide.Tensor"].methods))
  local problems = {}
  if #missing > 0 then problems[1] = "scripts/tide/docs.lua lacks an entry for: " .. table.concat(missing, " ") end
  return problems
end
