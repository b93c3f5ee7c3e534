--- Classes of models: plain tables of tensors with a metatable.

local core = require "tide.core"
local mode = require "tide.nn.mode"
local options = require "tide.base.options"
local show = require "tide.base.show"

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

-- fn(self, a, b, c) in the mode that one of its tables of options asks for; a state may come before them.
local function in_mode(name, fn)
  return function(self, a, b, c, ...)
    -- luacheck: ignore mode_b mode_c
    local mode_b <close> = mode.of(name, b)
    local mode_c <close> = mode.of(name, c)
    return fn(self, a, b, c, ...)
  end
end

local function words(text)
  local list = {}
  for word in (text or ""):gmatch("%S+") do list[#list + 1] = word end
  return list
end

--- class(name, "field field", call, methods, elsewhere, "buffer buffer") -> function that makes a model of a
-- table of its fields. elsewhere: where fields are that belong to a part of the model, such as {solver =
-- "block.solver"}. Buffers are fields whose tensors are not trained.
return function(name, fields, call, methods, elsewhere, buffers)
  local names, meta = words(fields), nil
  local checked, untrained = {}, nil
  for method, fn in pairs(methods or {}) do
    local within = in_mode(name, fn)
    checked[method] = function(self, ...)
      if getmetatable(self) ~= meta then
        core.raise(("%s: %s is a method; call it with a colon, model:%s(...)"):format(name, method, method))
      end
      return within(self, ...)
    end
  end
  for _, buffer in ipairs(words(buffers)) do
    untrained = untrained or {}
    untrained[buffer], names[#names + 1] = true, buffer
  end
  meta = {__name = name, __call = in_mode(name, call), __index = checked, __buffers = untrained,
    __tostring = show.as_table,
    __newindex = function(self, key, value)
      check_field(name, names, elsewhere or {}, key, value)
      rawset(self, key, value)
    end}
  return function(own) return setmetatable(own, meta) end
end
