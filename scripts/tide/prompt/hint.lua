--- A line to print below a message of Lua's, at the prompt and under scripts: what a name that is nil may
-- have been meant to be.

local help = require "tide.prompt.help"
local options = require "tide.base.options"

local M = {}

local function last_of(entry) return not entry.guide and entry.name:match("[.:]([%w_]+)$") end

-- What functions and modules (of = ".") or methods (":") are called: by their last part how to write them,
-- and a list of these parts.
local function known(of)
  local written, parts = {}, {}
  local function add(part, text)
    if not written[part] then parts[#parts + 1] = part end
    written[part] = written[part] or text
  end
  for _, name in ipairs(of == "." and help.modules() or {}) do
    add(name, name == "tide" and 'local tide = require "tide"' or "tide." .. name)
  end
  for _, entry in ipairs(help.entries()) do
    local last = last_of(entry)
    if last and of == ":" and (entry.method or entry.name:find(":", 1, true)) then
      add(last, "x:" .. last)
    elseif last and of == "." and not entry.name:find(":", 1, true) then
      add(last, entry.name:find("^tide%.") and entry.name or "tide." .. entry.name)
    end
  end
  return written, parts
end

-- Do other libraries say so? Then help knows what it is here.
local function said_elsewhere(name)
  local words = name:lower():gsub("_", " ")
  for _, row in ipairs(require "tide.prompt.docs.words") do
    for _, text in ipairs(row) do if text == words then return true end end
  end
end

-- How to write what `name` is a slip for: three of them at most.
local function near(name, of, env)
  local written, parts = known(of)
  local exact = written[name] or written[name:lower()]
  if exact then return exact end
  if said_elsewhere(name) then return nil end
  local found = {}
  repeat
    local part = #name > 2 and options.slip(name, parts)
    if part and #name < 5 and #part > #name + 1 then part = nil end -- of short names many are two edits away
    for i, p in ipairs(parts) do if p == part then table.remove(parts, i) end end
    found[#found + 1] = part and written[part]
  until not part or #found == 3
  if env and not found[1] and #name > 3 then
    return options.nearest(name, require("tide.prompt.complete").fields(env))
  end
  return found[1] and table.concat(found, " or ")
end

local NUMBER = "  (an element x[i] of a 1-D tensor is a number; x:select(1, i) is a tensor of its own)"

local separators = {method = ":", field = ".", global = "."}

--- The line below a message, or nil. `env` has the globals.
function M.of(message, env)
  if message:find("attempt to index a number value", 1, true) then return NUMBER end
  local kind, name = message:match("%((%a+) '([%w_]+)'%)")
  if not kind then kind, name = message:match("(global) '([%w_]+)' is nil") end
  local global = kind == "global"
  if not separators[kind] or not message:find("nil", 1, true) or global and rawget(env, name) ~= nil then
    return nil
  end
  require "tide" -- for the names of its modules
  local meant = near(name, separators[kind], global and env)
  if meant then return ("  (%s is nil; did you mean %s?)"):format(name, meant) end
  if said_elsewhere(name) then return ("  (%s is nil; help %q says what there is)"):format(name, name) end
end

return M
