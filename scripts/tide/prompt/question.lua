--- Questions at the prompt: "?m", "help stiff problem", "help(m)" of a name that has no value.

local typed = require "tide.prompt.typed"
local complete = require "tide.prompt.complete"
local help = require "tide.prompt.help"

local M = {}

-- A name with fields, as one types it before a question: "m.block", "x:sum", "layers[1]".
local function is_path(text)
  return text:find("^[%a_][%w_.:%[%]\"']*$") ~= nil and complete.path(text) ~= nil
end

-- The value of such a name, or nil; fields that an object works out are asked for, but nothing is called.
local function value_of(name, env)
  local value = complete.follow(complete.path(name), env)
  if value ~= nil then return value end
  local chunk = load("return " .. name:gsub(":", "."), typed.name, "t", env)
  local good, found = pcall(chunk or error)
  if good then return found end
end

--- Text that answers "?asked": about the value of that name in env, else about the name or the words.
function M.about(asked, env, width)
  if asked == "nil" then return help.describe(nil, width) end
  if not is_path(asked) then return help.answer(asked, width) end
  local value = value_of(asked, env)
  if value ~= nil then return help.describe(value, width) end
  local path = complete.path(asked)
  local field = table.remove(path)
  local holder = complete.follow(path, env)
  return help.unnamed(asked, tostring(field), holder ~= nil and complete.fields(holder) or {}, width)
end

--- The question in "?m", "? stiff problem", "help stiff problem", "help(m)" of a name without a value; nil
-- when it is none. What Lua can run, it runs.
function M.of(text, env)
  local asked = text:match("^%s*%?%s*(.-)%s*$")
  if asked then return asked end
  local word = text:match("^%s*(.-)%s*;?%s*$")
  if word == "help" then return "" end
  local name = word:match("^help%s*%(%s*([%a_][%w_.:]*)%s*%)$")
  if name and name ~= "nil" and is_path(name) then
    return value_of(name, env) == nil and name or nil
  end
  local words = word:match("^help%s+([%a_].*)$")
  local is_lua = load("return " .. word, typed.name, "t", {}) or load(word, typed.name, "t", {})
  return not is_lua and words or nil
end

return M
