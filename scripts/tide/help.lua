--- Documentation, kept once as data (tide.docs) and shown by help().
--
-- An entry: {name = "tide.zeros", args = "shape, opts", returns = "tensor", text = "...", example = "...", topic = "..."}.
-- Names begin with the module ("tide.", "nn.", "plot.", ...) or with the kind of object whose method they are ("tensor:", "optimiser:").
-- `method = true` says that the function is a method of tensors as well: its first argument is the tensor. `options` is a list of rows
-- {name, default, text, required =, quote = show the default in quotes}. `run = false`: the example is not for tests. help(x) takes the
-- function itself, a name, a model, a module or a topic.

local options = require "tide.options"

local help = {}

local entries, by_name, topics = {}, {}, {}
local methods_of_tensor = "tensor:"

local function last_part(name) return name:match("[%w_]+$") end

local current -- topic of entries that name none

--- Entries that follow belong to this topic.
function help.topic(name) current = name end

--- Rows of several option tables in one list.
function help.join(...)
  local list = {}
  for _, rows in ipairs{...} do table.move(rows, 1, #rows, #list + 1, list) end
  return list
end

--- Add an entry (or replace the one with the same name).
function help.define(entry)
  assert(type(entry.name) == "string" and type(entry.text) == "string", "help.define: name and text must be strings")
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
  if entry.method then by_name[methods_of_tensor .. last_part(entry.name)] = entry end
end

-- The documentation itself is read when somebody asks.
local loaded = false
local function load_docs()
  if loaded then return end
  loaded = true
  require "tide.docs"
end

--- All entries, in the order of definition.
function help.entries()
  load_docs()
  return entries
end

-- Where the first part of a name lives. Only what is loaded is looked at: asking for help loads nothing.
local function root_of(name)
  local tide = package.loaded["tide"]
  if name == "tide" then return tide end
  if name == "tensor" then
    local meta = debug.getregistry()["tide.Tensor"]
    return type(meta) == "table" and rawget(meta, "methods") or nil
  end
  return package.loaded["tide." .. name] or type(tide) == "table" and rawget(tide, name) or nil
end

local function value_of(name)
  local value
  for part in name:gmatch("[%w_]+") do
    if value == nil then
      value = root_of(part)
    else
      value = type(value) == "table" and rawget(value, part) or nil
    end
    if value == nil then return nil end
  end
  return value
end

-- A tensor method may be exported as a function of the same name; its entry serves both.
local function find_value(value)
  for _, entry in ipairs(entries) do
    if rawequal(value_of(entry.name), value) then return entry end
    local last = (entry.method or entry.name:find("^tensor:")) and last_part(entry.name)
    if last and (rawequal(value_of(methods_of_tensor .. last), value) or rawequal(value_of("tide." .. last), value)) then
      return entry
    end
  end
end

-- Names that people type: "tide.exp", "exp", "x:exp", "tide.nn.linear".
local function find_name(name)
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

--- Entry of a function or a name, or nil.
function help.find(what)
  load_docs()
  if type(what) == "string" then return find_name(what) end
  return find_value(what)
end

--- "tide.sum(x, axis, keepdim) -> tensor"
function help.signature(entry)
  local text = entry.args and ("%s(%s)"):format(entry.name, entry.args) or entry.name
  return entry.returns and text .. " -> " .. entry.returns or text
end

-- Words filled into lines; an empty line separates paragraphs.
local function wrapped(text, width)
  local first, rest = text:match("^(.-)\n%s*\n(.*)$")
  if first then return wrapped(first, width) .. "\n" .. wrapped(rest, width) end
  local lines, line = {}, ""
  for word in text:gmatch("%S+") do
    if #line + #word + 1 > width and line ~= "" then
      lines[#lines + 1] = line
      line = word
    else
      line = line == "" and word or line .. " " .. word
    end
  end
  lines[#lines + 1] = line
  return table.concat(lines, "\n")
end

local function indented(text) return "  " .. text:gsub("\n", "\n  ") end

local function default_text(v, quote)
  if type(v) == "table" then return "{" .. table.concat(v, ", ") .. "}" end
  if quote then return '"' .. v .. '"' end
  return math.type(v) == "float" and ("%.10g"):format(v) or tostring(v)
end

-- "rtol = 0.001"
local function option_head(row)
  if row.required then return row[1] .. " (required)" end
  return row[2] == nil and row[1] or ("%s = %s"):format(row[1], default_text(row[2], row.quote))
end

--- Signature and options of an entry, for whoever is typing a call.
function help.hint(entry, width)
  if not entry.options then return help.signature(entry) end
  local heads = {}
  for i, row in ipairs(entry.options) do heads[i] = option_head(row) end
  return help.signature(entry) .. "\n" .. indented(wrapped("opts: " .. table.concat(heads, ", "), width - 4))
end

-- "rtol = 0.001      relative tolerance of adaptive steps"
local function option_lines(rows, width, lines)
  local heads, widest = {}, 0
  for i, row in ipairs(rows) do
    heads[i] = option_head(row)
    widest = math.max(widest, #heads[i])
  end
  for i, row in ipairs(rows) do
    local text = wrapped(row[3], math.max(20, width - widest - 6)):gsub("\n", "\n" .. (" "):rep(widest + 6))
    lines[#lines + 1] = ("    %s%s  %s"):format(heads[i], (" "):rep(widest - #heads[i]), text):gsub("%s+$", "")
  end
end

--- What help(x) prints for an entry.
function help.text(entry, width)
  local lines = {help.signature(entry)}
  if entry.method then
    local rest = entry.args:match("^[^,]*,%s*(.*)$") or ""
    lines[2] = ("x:%s(%s)"):format(last_part(entry.name), rest)
  end
  width = width or 80
  lines[#lines + 1] = indented(wrapped(entry.text, width - 4))
  if entry.options then
    lines[#lines + 1] = "options:"
    option_lines(entry.options, width, lines)
  end
  if entry.example then lines[#lines + 1] = "example:\n" .. indented(entry.example) end
  return table.concat(lines, "\n")
end

--- Names of the functions in table `t` that have no entry under `prefix` ("tide.", "tensor:"): the list should be empty.
function help.missing(prefix, t)
  load_docs()
  local names = {}
  for k, v in pairs(t) do
    local known = by_name[prefix .. tostring(k)] or prefix == "tide." and by_name[methods_of_tensor .. tostring(k)]
    if type(k) == "string" and type(v) == "function" and k:sub(1, 1) ~= "_" and not known then
      names[#names + 1] = prefix .. k
    end
  end
  table.sort(names)
  return names
end

local function of_topic(topic)
  local names = {}
  for _, entry in ipairs(entries) do
    if entry.topic == topic then names[#names + 1] = entry.name end
  end
  return names
end

local function overview(width)
  local lines = {}
  for _, topic in ipairs(topics) do
    lines[#lines + 1] = topic
    lines[#lines + 1] = indented(wrapped(table.concat(of_topic(topic), " "), width - 4))
  end
  lines[#lines + 1] = 'help(tide.odeint), help "odeint", help "x:sum" or help "Solving" tell more.'
  return table.concat(lines, "\n")
end

local function find_topic(name)
  for _, topic in ipairs(topics) do
    if topic:lower() == name:lower() then return topic end
  end
end

local function topic_text(topic)
  local lines = {topic}
  for _, name in ipairs(of_topic(topic)) do lines[#lines + 1] = "  " .. help.signature(by_name[name]) end
  return table.concat(lines, "\n")
end

local function unknown(what)
  if type(what) ~= "string" then return "no help for this " .. options.typename(what) end
  local names = {}
  for name in pairs(by_name) do
    names[#names + 1] = name
    names[#names + 1] = last_part(name)
  end
  table.sort(names)
  local near = options.nearest(what, names)
  return ('no help for "%s"%s; help() lists what there is'):format(what, near and (' (did you mean "%s"?)'):format(near) or "")
end

local modules = {"tide", "nn", "ode", "optim", "data", "plot", "csv", "tree", "progress"}

-- Entries whose name begins with a module or with the kind of an object: "nn.", "optimiser:".
local function entries_of(prefix)
  local list = {}
  for _, entry in ipairs(entries) do
    if entry.name:sub(1, #prefix) == prefix then list[#list + 1] = entry end
  end
  return list
end

local function add_signatures(lines, list)
  for _, entry in ipairs(list) do lines[#lines + 1] = help.signature(entry) end
  return lines
end

-- The name of a module of ours, or nil.
local function module_name(value)
  for _, name in ipairs(type(value) == "table" and modules or {}) do
    if rawequal(root_of(name), value) then return name end
  end
end

-- "nn.odenet" and "odenet" for a model that nn.odenet made: what metatables of our objects are called.
local function kind_of(value)
  local meta = debug.getmetatable(value)
  local name = type(meta) == "table" and rawget(meta, "__name")
  if type(name) == "string" then return name, (name:match("[%w_]+$") or ""):lower() end
end

--- Names of the functions in a module of ours, loaded or not; an empty list for other values.
function help.names(value)
  load_docs()
  local name, names = module_name(value), {}
  for i, entry in ipairs(name and entries_of(name .. ".") or {}) do names[i] = entry.name:match("%.([%w_]+)") end
  return names
end

--- Entry of a method of an object of ours, or nil.
function help.find_method(object, method)
  load_docs()
  local _, kind = kind_of(object)
  return kind and by_name[kind .. ":" .. method]
end

local function module_text(value)
  local name = module_name(value)
  if not name then return nil end
  local lines = add_signatures({}, entries_of(name .. "."))
  if name == "tide" then lines[#lines + 1] = "sub-modules: nn, ode, optim, data, plot, csv, tree, progress; help(tide.nn) lists one" end
  return table.concat(lines, "\n")
end

local function tensor_text(width)
  local names = {}
  for _, entry in ipairs(entries) do
    if entry.method then names[#names + 1] = last_part(entry.name) end
  end
  return topic_text("Tensor methods") .. "\nalso, as x:name(...) and tide.name(x, ...):\n" .. indented(wrapped(table.concat(names, " "), width - 4))
end

-- What made a model, and the methods of an object.
local function object_text(value, width)
  local name, kind = kind_of(value)
  if not name then return nil end
  local lines = add_signatures({by_name[name] and help.text(by_name[name], width)}, entries_of(kind .. ":"))
  return #lines > 0 and table.concat(lines, "\n") or nil
end

--- Text that answers help(what); `what` nil asks for the overview.
function help.answer(what, width)
  load_docs()
  width = width or 80
  if what == nil then return overview(width) end
  local entry = help.find(what)
  if entry then return help.text(entry, width) end
  if type(what) == "string" then
    local topic = find_topic(what)
    return topic and topic_text(topic) or unknown(what)
  end
  if options.typename(what) == "tensor" then return tensor_text(width) end
  return type(what) == "table" and (module_text(what) or object_text(what, width)) or unknown(what)
end

local function terminal_width()
  local core = package.loaded["tide.core"]
  return core and math.min(core.terminal_width(), 132) or 80
end

return setmetatable(help, {__call = function(_, what) print(help.answer(what, terminal_width())) end})
