--- Every function that users reach through tide, its modules and its tensors has an entry in
-- scripts/tide/prompt/docs.

return function()
  local found = pcall(require, "tide")
  if not found then return nil, "the engine is not built: make" end
  local good, missing = pcall(function() return require("tide.help").undocumented() end)
  if not good then return {"a module of tide cannot be loaded: " .. tostring(missing)} end
  return #missing > 0 and {"scripts/tide/prompt/docs lacks an entry for: " .. table.concat(missing, " ")}
    or {}
end
