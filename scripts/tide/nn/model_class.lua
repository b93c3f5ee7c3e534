--- Classes of models: plain tables of tensors with a metatable.

local core = require "tide.core"
local options = require "tide.base.options"

-- What may be added to a model: tensors, tables (layers of the user's own) and functions, under any name that
-- is no slip for a field that the class reads; a number, string or boolean only where it reads one.
-- Everything else would be set and never looked at.
local function check_field(name, names, elsewhere, key, value)
  if math.type(key) == "integer" then return end
  if elsewhere[key] then
    core.raise(("%s: %s belongs to a part of the model; write model.%s = ..."):format(name, key,
      elsewhere[key]))
  end
  for _, known in ipairs(names) do if key == known then return end end
  local kind, slip = options.typename(value), options.slip(key, names)
  if (kind == "tensor" or kind == "table" or kind == "function" or value == nil) and not slip then return end
  core.raise(("%s: unknown field %s%s; it reads: %s. Tensors, layers and tables of your own can be added "
    .. "under other names"):format(name, options.show(key),
    slip and (' (did you mean "%s"?)'):format(slip) or "", #names > 0 and table.concat(names, ", ")
    or "nothing"))
end

--- class(name, "field field", call, methods, elsewhere) -> function that makes a model of a table of its
-- fields. elsewhere: where fields are that belong to a part of the model, such as {solver = "block.solver"}.
return function(name, fields, call, methods, elsewhere)
  local names = {}
  for word in fields:gmatch("%a+") do names[#names + 1] = word end
  local meta
  local checked = {}
  for method, fn in pairs(methods or {}) do
    checked[method] = function(self, ...)
      if getmetatable(self) ~= meta then
        core.raise(("%s: %s is a method; call it with a colon, model:%s(...)"):format(name, method, method))
      end
      return fn(self, ...)
    end
  end
  meta = {__name = name, __call = call, __index = checked, __newindex = function(self, key, value)
    check_field(name, names, elsewhere or {}, key, value)
    rawset(self, key, value)
  end}
  return function(own) return setmetatable(own, meta) end
end
