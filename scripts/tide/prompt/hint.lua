--- A line to print below a message of Lua's, at the prompt and under scripts: what a name that is nil may
-- have been meant to be, and how Lua writes what other languages write otherwise.

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

-- Of tensors and models elsewhere.
local elsewhere = {T = "x:transpose()", mT = "x:transpose(-2, -1)", numpy = "x:totable()",
  parameters = "nn.parameters(model)", zero_grad = "nothing: gradients are what tide.grad returns"}

-- Patterns of messages, and what to write.
local spelling = {
  {"'%)' expected near '='", "a function's options stand in a table, f(x, {name = value}); what is no option "
    .. "goes by its place; equal is =="},
  {"'%]' expected near ','", "one axis in brackets: x[1][2]; parts by x:slice(axis, first, last)"},
  {"unexpected symbol near ':'", "a part of a tensor is x:slice(axis, first, last) or x:select(axis, i)"},
  {"near '@'", "the matrix product is x:matmul(y)"},
  {"near '!'", "not equal is ~=, and not is a word"},
  {"syntax error near '[%+%-%*/]'", "there is no +=: write x = x + y"},
}

-- Lua's own functions of numbers that met a tensor.
local function of_numbers(message)
  local name = message:match("bad argument #%d to '(%w+)' %(number expected, got tide.Tensor%)")
  if not name or not math[name] then return nil end
  local ours = ({max = "maximum", min = "minimum"})[name] or name
  return require("tide")[ours] and ("  (math.%s takes numbers; tide.%s takes tensors)"):format(name, ours)
end

local separators = {method = ":", field = ".", global = "."}

--- The line below a message, or nil. `env` has the globals.
function M.of(message, env)
  if message:find("attempt to index a number value", 1, true) then return NUMBER end
  for _, row in ipairs(spelling) do
    if message:find(row[1]) then return ("  (%s)"):format(row[2]) end
  end
  local numbers = of_numbers(message)
  if numbers then return numbers end
  local kind, name = message:match("%((%a+) '([%w_]+)'%)")
  if not kind then kind, name = message:match("(global) '([%w_]+)' is nil") end
  local global = kind == "global"
  if not separators[kind] or not message:find("nil", 1, true) or global and rawget(env, name) ~= nil then
    return nil
  end
  local here = not global and elsewhere[name]
  if here then return ("  (%s is nil; here it is %s)"):format(name, here) end
  if kind == "method" and name:find("%w_$") then
    return ("  (%s is nil; in place there are x:copy_(y) and x[i] = y)"):format(name)
  end
  require "tide" -- for the names of its modules
  local meant = near(name, separators[kind], global and env)
  if meant then return ("  (%s is nil; did you mean %s?)"):format(name, meant) end
  if said_elsewhere(name) then return ("  (%s is nil; help %q says what there is)"):format(name, name) end
end

return M
