--- What a value is, in words: the part of help(x) about values that are no documented function.

local layout = require "tide.prompt.help_text"
local options = require "tide.base.options"

local M = {}

local max_rows, max_keys, max_lines = 40, 20, 12

-- "nn.odenet" and "odenet" for a model that nn.odenet made: what metatables of our objects are called.
function M.kind_of(value)
  local meta = debug.getmetatable(value)
  local name = type(meta) == "table" and rawget(meta, "__name")
  if type(name) == "string" then return name, (name:match("[%w_]+$") or ""):lower() end
end

local function parameters(value)
  local tree = package.loaded["tide.base.tree"]
  local good, list = pcall(function()
    local found = {}
    tree.each(value, function(x, path)
      if tree.is_tensor(x) then
        found[#found + 1] = {path, ("%s {%s}"):format(x:dtype(), table.concat(x:shape(), ", ")), x:numel()}
      end
    end)
    return found
  end)
  return good and list or {}
end

-- Rows of the tensors in a model or a table: name, shape, number of values; and the sum.
local function tensor_rows(list)
  local lines, total, widest, shapes = {}, 0, 0, 0
  for i, row in ipairs(list) do
    total = total + row[3]
    if i <= max_rows then widest, shapes = math.max(widest, #row[1]), math.max(shapes, #row[2]) end
  end
  for i = 1, math.min(#list, max_rows) do
    local row = list[i]
    local name, shape = row[1] .. (" "):rep(widest - #row[1]), row[2] .. (" "):rep(shapes - #row[2])
    lines[i] = ("  %s  %s  %d"):format(name, shape, row[3])
  end
  if #list > max_rows then lines[#lines + 1] = ("  ... %d more"):format(#list - max_rows) end
  return lines, total
end

local function keys_text(value, width)
  local keys, n = require("tide.prompt.pretty").keys(value)
  local words = {}
  if n > 0 then words[1] = n == 1 and "[1]" or ("[1] to [%d]"):format(n) end
  for i, key in ipairs(keys) do
    if i > max_keys then
      words[#words + 1] = ("... %d more"):format(#keys - max_keys)
      break
    end
    words[#words + 1] = tostring(key)
  end
  if #words == 0 then return nil end
  return layout.indented(layout.wrapped("keys: " .. table.concat(words, ", "), width - 4))
end

-- "1 tensor", "2 tensors"
local function counted(n, word) return ("%d %s%s"):format(n, word, n == 1 and "" or "s") end

local function plain_table(value, width)
  if next(value) == nil then return "an empty table" end
  local list = parameters(value)
  if #list == 0 then
    local whole = require("tide.prompt.pretty").show(value, width)
    return "a table\n" .. (select(2, whole:gsub("\n", "")) <= max_lines and whole or keys_text(value, width))
  end
  local lines, total = tensor_rows(list)
  table.insert(lines, 1, ("a table with %s, %d values"):format(counted(#list, "tensor"), total))
  return table.concat(lines, "\n")
end

local function with_article(name) return (name:find("^[aeiouAEIOU]") and "an " or "a ") .. name end

-- An object, which has a metatable with a name; `ours`: its methods are documented, its fields are its own
-- affair.
local function object(value, name, kind, width, ours)
  if name:find("^nn%.") then
    local list = parameters(value)
    local lines, total = tensor_rows(list)
    table.insert(lines, 1, ("%s: a model of %d values in %s"):format(name, total, counted(#list, "tensor")))
    return table.concat(lines, "\n")
  end
  local meta = debug.getmetatable(value)
  local good, text = pcall(tostring, value)
  local lines = {good and rawget(meta, "__tostring") and text or with_article(ours and kind or name)}
  if not ours and type(value) == "table" then lines[2] = keys_text(value, width) end
  return table.concat(lines, "\n")
end

local standard = {"string", "table", "math", "io", "os", "coroutine", "utf8", "debug", "package"}
local manual = "https://www.lua.org/manual/5.4/manual.html#pdf-"

-- "string.rep" for a function of Lua itself, by value or by name.
local function standard_name(what)
  for _, module in ipairs(standard) do
    local library = package.loaded[module]
    for name, value in pairs(type(library) == "table" and library or {}) do
      local full = module .. "." .. tostring(name)
      if type(value) == "function" and (rawequal(value, what) or full == what) then return full end
    end
  end
  local base = package.loaded._G
  for name, value in pairs(base) do
    local is_meant = rawequal(value, what) or name == what
    if type(value) == "function" and is_meant and debug.getinfo(value, "S").what == "C" then return name end
  end
end

--- A line about a function of Lua itself (given as a value or by name), or nil.
function M.standard(what)
  local name = standard_name(what)
  return name and ("%s is a function of Lua 5.4: %s%s"):format(name, manual, name)
end

local function tensor(value, width, methods)
  local symbolic = package.loaded["tide.core"].is_symbolic(value)
  local shape = table.concat(value:shape(), ", ")
  local head = ("tensor %s {%s}: %s"):format(value:dtype(), shape, counted(value:numel(), "element"))
  if symbolic then head = head .. ", symbolic: a value of a recording, see help \"recording\"" end
  return head .. "\n" .. methods(width)
end

--- Text about a value. `ours`: an object whose methods are documented. tensor_methods(width) lists the
-- methods of tensors.
function M.describe(value, width, ours, tensor_methods)
  local kind = options.typename(value)
  if value == nil then
    return "the value is nil: nothing has that name, or a field that is not there was read; " ..
      "help() lists what there is"
  elseif kind == "tensor" then
    local good, text = pcall(tensor, value, width, tensor_methods)
    return good and text or "a tensor that was closed: its memory has been given back, and it has no values"
  elseif type(value) == "number" then
    if math.type(value) == "integer" then return ("a number: the integer %d"):format(value) end
    return ("a number: %s, a float (64 bits)"):format(value ~= value and "nan" or ("%.17g"):format(value))
  elseif type(value) == "string" then
    local quoted = require("tide.prompt.pretty").show({value}, math.huge):sub(2, -2)
    return ("a string of %s: %s"):format(counted(#value, "byte"), quoted)
  elseif type(value) == "boolean" then
    return "a boolean: " .. tostring(value)
  elseif type(value) == "function" then
    if debug.getinfo(value, "S").what ~= "C" then return require("tide.prompt.pretty").show(value) end
    return M.standard(value) or "a function written in C, without help"
  elseif type(value) == "thread" then
    return "a coroutine: " .. coroutine.status(value)
  end
  local name, class = M.kind_of(value)
  if name then return object(value, name, class, width, ours) end
  return type(value) == "table" and plain_table(value, width) or "a " .. kind
end

return M
