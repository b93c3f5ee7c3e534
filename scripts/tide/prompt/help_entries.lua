--- The entries of the documentation: defined by the files of docs/, found by a name or by a value.
--
-- An entry: {name = "tide.zeros", args = "shape, opts", returns = "tensor", text = "...", example = "...",
-- topic = "..."}. Names begin with the module ("tide.", "nn.", "plot.", ...) or with the kind of object whose
-- method they are ("tensor:", "optimiser:"). `method = true` says that the function is a method of tensors as
-- well: its first argument is the tensor. `options` is a list of rows {name, default, text, required =, quote
-- = show the default in quotes, heading = above it}. `run = false`: the example is not for tests. `guide =
-- true`: a page about a subject and not about a function.

local layout = require "tide.prompt.help_text"
local search = require "tide.prompt.help_search"
local short_names = require "tide.names"

local M = {list = {}, by_name = {}, topics = {}}

local entries, by_name, topics = M.list, M.by_name, M.topics
local methods_of_tensor = "tensor:"

local last_part = layout.last_part

local current -- topic of entries that name none

--- Entries that follow belong to this topic.
function M.topic(name) current = name end

--- Rows of several option tables in one list.
function M.join(...)
  local list = {}
  for _, rows in ipairs{...} do table.move(rows, 1, #rows, #list + 1, list) end
  return list
end

--- Add an entry (or replace the one with the same name).
function M.define(entry)
  assert(type(entry.name) == "string" and type(entry.text) == "string",
    "help.define: name and text must be strings")
  entry.topic = entry.topic or current or "Other"
  local old = by_name[entry.name]
  if old then
    for k in pairs(old) do old[k] = nil end
    for k, v in pairs(entry) do old[k] = v end
    entry = old
  else
    entries[#entries + 1] = entry
    by_name[entry.name] = entry
  end
  if not topics[entry.topic] then
    topics[entry.topic] = true
    topics[#topics + 1] = entry.topic
  end
  search.forget()
  if entry.method then by_name[methods_of_tensor .. last_part(entry.name)] = entry end
end

local loaded = false

--- The documentation itself is read when somebody asks.
function M.load()
  if loaded then return end
  loaded = true
  require "tide.prompt.docs"
end

--- Where the first part of a name lives. Only what is loaded is looked at: asking for help loads nothing.
function M.root_of(name)
  local tide = package.loaded["tide"]
  if name == "tide" then return tide end
  if name == "tensor" then
    local meta = debug.getregistry()["tide.Tensor"]
    return type(meta) == "table" and rawget(meta, "methods") or nil
  end
  return package.loaded[short_names[name] or "tide." .. name] or type(tide) == "table" and rawget(tide, name)
    or nil
end

local function value_of(name)
  local value
  for part in name:gmatch("[%w_]+") do
    if value == nil then
      value = M.root_of(part)
    else
      value = type(value) == "table" and rawget(value, part) or nil
    end
    if value == nil then return nil end
  end
  return value
end

--- Entry of a value, or nil. A tensor method may be exported as a function of the same name; its entry
-- serves both.
function M.find_value(value)
  for _, entry in ipairs(entries) do
    if rawequal(value_of(entry.name), value) then return entry end
    local last = (entry.method or entry.name:find("^tensor:")) and last_part(entry.name)
    if last and (rawequal(value_of(methods_of_tensor .. last), value)
      or rawequal(value_of("tide." .. last), value)) then
      return entry
    end
  end
end

--- Entry of a name that people type, or nil: "tide.exp", "exp", "x:exp", "tide.nn.linear".
function M.find_name(name)
  local short = name:gsub("^tide%.(%w+%.)", "%1")
  local last = last_part(name)
  local is_method = name:find(":", 1, true)
  local exact = by_name[name] or by_name[short] or is_method and last and by_name[methods_of_tensor .. last]
  if exact then return exact end
  if is_method and last then -- a method of something else: "opt:step"
    for _, entry in ipairs(entries) do
      if entry.name:match(":([%w_]+)$") == last then return entry end
    end
  end
  if not last or name ~= last then return nil end
  for _, prefix in ipairs{"tide.", methods_of_tensor} do
    if by_name[prefix .. last] then return by_name[prefix .. last] end
  end
  for _, entry in ipairs(entries) do
    if last_part(entry.name) == last then return entry end
  end
end

return M
