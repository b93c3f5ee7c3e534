--- Completion of names at the prompt.
--
-- Completing calls no function of the user: paths such as a.b[1].c are followed with raw access, through
-- tables in __index and the tables `methods` and `fields` (whose keys alone count) of a metatable, which
-- our objects publish because their __index is a function.

local core = require "tide.core"
local help = require "tide.prompt.help"
local short_names = require "tide.names"

local complete = {}

local keywords = {"and", "break", "do", "else", "elseif", "end", "false", "for", "function", "goto", "if",
  "in", "local", "nil",
  "not", "or", "repeat", "return", "then", "true", "until", "while"}

local max_chain, max_listed = 10, 200

-- The tables in which a value's fields are looked up, nearest first.
local function sources(value, out, depth)
  out, depth = out or {}, depth or 0
  if depth > max_chain then return out end
  if type(value) == "table" then out[#out + 1] = value end
  local meta = debug.getmetatable(value)
  if type(meta) ~= "table" then return out end
  for _, name in ipairs{"__index", "methods"} do
    local t = rawget(meta, name)
    if type(t) == "table" and not rawequal(t, value) then sources(t, out, depth + 1) end
  end
  return out
end

local function field(value, key)
  for _, t in ipairs(sources(value)) do
    local v = rawget(t, key)
    if v ~= nil then return v end
  end
end

--- Value of a path (a list of names and indices, the first a global of env), or nil.
function complete.follow(path, env)
  local value = env
  for _, key in ipairs(path) do
    value = field(value, key)
    if value == nil then return nil end
  end
  return value
end

--- Take a path off the end of a text: a list of keys, or nil when there is none. "x = a.b[1]" gives {"a",
-- "b", 1}.
function complete.path(text)
  local keys = {}
  while true do
    local head, number = text:match("^(.*)%[%s*(%-?%d+)%s*%]$")
    if not head then head, number = text:match("^(.*)%[%s*[\"']([^\"'%]]*)[\"']%s*%]$") end
    if head then
      table.insert(keys, 1, math.tointeger(number) or number)
      text = head
    else
      local name = text:match("[%a_][%w_]*$")
      if not name then return nil end
      table.insert(keys, 1, name)
      text = text:sub(1, -#name - 1)
      local before = text:match("^(.*)[.:]$")
      if not before or text:find("%.%.$") then return keys end
      text = before
    end
  end
end

-- Is the end of the text inside a string? Then where it begins and its quote; "comment" inside a comment.
local function string_at_end(text)
  local quote, start
  local i = 1
  while i <= #text do
    local c = text:sub(i, i)
    if quote then
      if c == "\\" then
        i = i + 1
      elseif c == quote or c == "\n" then
        quote = nil
      end
    elseif c == '"' or c == "'" then
      quote, start = c, i + 1
    elseif c == "-" and text:sub(i, i + 1) == "--" then
      local stop = text:find("\n", i, true)
      if not stop then return nil, "comment" end
      i = stop
    end
    i = i + 1
  end
  return quote and start, quote
end

--- Names of the fields of a value that can be typed, sorted; of an environment: its globals.
function complete.fields(value)
  local names = {}
  for _, t in ipairs(sources(value)) do
    for name in next, t do
      if type(name) == "string" and name:find("^[%a_][%w_]*$") then names[#names + 1] = name end
    end
  end
  table.sort(names)
  return names
end

local function starts_with(s, prefix) return s:sub(1, #prefix) == prefix end

local function sorted(set)
  local names = {}
  for name in pairs(set) do names[#names + 1] = name end
  table.sort(names)
  return names
end

local function is_callable(v)
  if type(v) == "function" then return true end
  local meta = type(v) == "table" and debug.getmetatable(v)
  return type(meta) == "table" and rawget(meta, "__call") ~= nil
end

-- Fields of a value whose names begin with prefix; functions get "(". Names that begin with "_" only when
-- asked for, methods that objects of ours use among themselves never.
local function add_fields(found, value, prefix, only_functions)
  for _, t in ipairs(sources(value)) do
    for k, v in next, t do
      if type(k) == "string" and starts_with(k, prefix) and k:find("^[%a_][%w_]*$")
        and (prefix ~= "" or k:sub(1, 1) ~= "_")
        and not help.is_private(value, k, v) then
        if type(v) == "function" then
          found[k .. "("] = true
        elseif not only_functions or is_callable(v) then
          found[k] = true
        end
      end
    end
  end
end

-- Names that an object takes as fields without holding them, or nil: what it holds is its own affair then.
local function published(value)
  local meta = debug.getmetatable(value)
  local fields = type(meta) == "table" and rawget(meta, "fields")
  return type(fields) == "table" and fields or nil
end

local function add_members(found, value, prefix, only_functions)
  local fields = published(value)
  if not fields then return add_fields(found, value, prefix, only_functions) end
  add_fields(found, debug.getmetatable(value).methods, prefix, only_functions)
  for name in next, only_functions and {} or fields do
    if type(name) == "string" and starts_with(name, prefix) then found[name] = true end
  end
end

local function list_folder(dir)
  return core.listdir(dir == "" and "." or dir) or {}
end

local function module_names(prefix)
  local found = {}
  for _, t in ipairs{package.loaded, package.preload} do
    for k in next, t do
      if type(k) == "string" and starts_with(k, prefix) then found[k] = true end
    end
  end
  for name in pairs(short_names) do
    if starts_with("tide." .. name, prefix) then found["tide." .. name] = true end
  end
  local parent = prefix:match("^(.*%.)") or ""
  for template in package.path:gmatch("[^;]+") do
    local dir, tail = template:match("^([^?]*)%?(.*)$")
    for _, entry in ipairs(dir and list_folder(dir .. parent:gsub("%.", "/")) or {}) do
      local name = tail == ".lua" and entry ~= "init.lua" and entry:match("^([%w_%-]+)%.lua$")
      if not name and tail == "/init.lua" and core.exists(dir .. parent:gsub("%.", "/") .. entry .. tail) then
        name = entry
      end
      if name and starts_with(parent .. name, prefix) then found[parent .. name] = true end
    end
  end
  return sorted(found)
end

local function file_names(prefix)
  local dir, base = prefix:match("^(.*/)([^/]*)$")
  dir, base = dir or "", base or prefix
  local found = {}
  for _, entry in ipairs(list_folder(dir)) do
    if starts_with(entry, base) and (base ~= "" or entry:sub(1, 1) ~= ".") then
      found[dir .. entry .. (core.exists(dir .. entry) == "directory" and "/" or "")] = true
    end
  end
  return sorted(found)
end

-- Names that help knows, for help "...".
local function help_names(prefix)
  local found = {}
  for _, entry in ipairs(help.entries()) do
    if starts_with(entry.name, prefix) then found[entry.name] = true end
    local last = entry.name:match("[%w_]+$")
    if starts_with(last, prefix) then found[last] = true end
  end
  return sorted(found)
end

-- Inside a string: module names after require, entries after help, else files. A single module closes its
-- string.
local function in_string(line, start, quote)
  local typed, before = line:sub(start), line:sub(1, start - 2)
  if before:find("^%s*help%s*%(?%s*$") then return start, help_names(typed) end
  if not before:find("require%s*%(?%s*$") then return start, file_names(typed) end
  local names = module_names(typed)
  if #names == 1 then names[1] = names[1] .. quote end
  return start, names
end

--- Candidates for the text before the cursor: the position where they begin, and a sorted list.
function complete.find(line, env)
  local start, quote = string_at_end(line)
  if quote == "comment" then return #line + 1, {} end
  if start then return in_string(line, start, quote) end
  local typed = line:match("[%a_][%w_]*$") or ""
  local before = line:sub(1, #line - #typed)
  local found = {}
  local object, separator = before:match("^(.-)([.:])$")
  if separator and not before:find("%.%.$") then
    local path = complete.path(object)
    local value = path and complete.follow(path, env)
    if value ~= nil then add_members(found, value, typed, separator == ":") end
    local unloaded = value == nil and path and path[1] == "tide" and #path == 2 and path[2]
    local module = unloaded or type(value) == "table" and value or nil
    for _, name in ipairs(separator == "." and help.names(module) or {}) do -- also what loads on first use
      if starts_with(name, typed) then
        found[name] = nil
        found[name .. "("] = true
      end
    end
  elseif typed ~= "" then
    add_fields(found, env, typed)
    for _, word in ipairs(keywords) do
      if starts_with(word, typed) then found[word] = true end
    end
  end
  return #before + 1, sorted(found)
end

local function common_prefix(names)
  local first, last = names[1], names[#names] -- sorted: these two differ most
  local n = 0
  while n < #first and n < #last and first:byte(n + 1) == last:byte(n + 1) do n = n + 1 end
  return first:sub(1, n)
end

--- Names in columns, sorted downwards.
function complete.columns(names, width)
  local shown, longest = math.min(#names, max_listed), 0
  for i = 1, shown do longest = math.max(longest, #names[i]) end
  local columns = math.max(1, (width - 1) // (longest + 2))
  local rows = (shown + columns - 1) // columns
  local lines = {}
  for row = 1, rows do
    local cells = {}
    for i = row, shown, rows do cells[#cells + 1] = names[i] .. (" "):rep(longest + 2 - #names[i]) end
    lines[row] = table.concat(cells):gsub("%s+$", "")
  end
  if shown < #names then lines[#lines + 1] = ("... %d more"):format(#names - shown) end
  return table.concat(lines, "\n")
end

-- The help entry of the function that a text ends with: by its value, as a method of an object of ours, or,
-- before it is loaded, by name.
local function documented(call, env)
  local path = complete.path(call)
  if not path then return nil end
  local value = complete.follow(path, env)
  local entry = value ~= nil and help.find(value)
  if entry or #path == 1 then return entry end
  if value == nil then return help.find(table.concat(path, ".")) end
  local method = table.remove(path)
  local object = complete.follow(path, env)
  return object ~= nil and help.find_method(object, method) or nil
end

--- What TAB does: text to insert or nil, and text to show below the line or nil.
function complete.tab(line, env, width)
  if line:find("^%s*$") or line:find("%s$") then return "  " end
  local call = line:match("^(.*)%($")
  if call then -- the arguments of a documented function
    local entry = documented(call, env)
    return nil, entry and help.hint(entry, width) or nil
  end
  local start, names = complete.find(line, env)
  if #names == 0 then return nil end
  local rest = common_prefix(names):sub(#line - start + 2)
  if rest ~= "" then return rest end
  if #names > 1 then return nil, complete.columns(names, width) end
end

return complete
