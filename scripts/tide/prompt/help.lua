--- Documentation, kept once as data (tide.docs) and shown by help().
--
-- What an entry is: help_entries.lua. help(x) takes the function itself, any other value, a name, a topic, or
-- words to search for.

local layout = require "tide.prompt.help_text"
local short_names = require "tide.names"
local options = require "tide.base.options"
local search = require "tide.prompt.help_search"
local store = require "tide.prompt.help_entries"
local values = require "tide.prompt.help_value"

local help = {topic = store.topic, define = store.define, join = store.join}

local entries, by_name, topics = store.list, store.by_name, store.topics
local find_name, find_value = store.find_name, store.find_value
local methods_of_tensor = "tensor:"

-- What people call things; see tide.docs.words.
local function words() return require "tide.prompt.docs.words" end

--- All entries, in the order of definition.
function help.entries()
  store.load()
  return entries
end

--- Entry of a function or a name, or nil.
function help.find(what)
  store.load()
  if type(what) == "string" then return find_name(what) end
  return find_value(what)
end

help.signature, help.hint, help.text = layout.signature, layout.hint, layout.entry

-- ---- modules ----

-- Names of tables in tide that are no modules for users.
local not_modules = {core = true, help = true}

--- Names of the modules, "tide" first, loaded or not.
function help.modules()
  local tide, found = package.loaded["tide"], {}
  if type(tide) ~= "table" then return {"tide"} end
  for name in pairs(getmetatable(tide).submodules) do found[name] = true end
  for name, value in pairs(tide) do
    if type(value) == "table" and rawequal(value, package.loaded[short_names[name] or "tide." .. name]) then
      found[name] = true
    end
  end
  local names = {}
  for name in pairs(found) do names[#names + 1] = not not_modules[name] and name or nil end
  table.sort(names)
  table.insert(names, 1, "tide")
  return names
end

local function is_ours(name) return type(name) == "string" and name:sub(1, 1) ~= "_" end

-- Functions in a table and in the plain tables inside it, as full names; "ode.tableau.order".
local function functions_in(t, prefix, out, skip)
  for name, value in pairs(t) do
    if is_ours(name) and not (skip and skip[name]) then
      if type(value) == "function" then
        out[#out + 1] = prefix .. name
      elseif type(value) == "table" and not debug.getmetatable(value) then
        functions_in(value, prefix .. name .. ".", out)
      end
    end
  end
  return out
end

--- Names of all functions that users reach through tide, as entries name them; this loads every module.
function help.reachable()
  local tide, skip, out = require "tide", {core = true, help = true}, {}
  for _, name in ipairs(help.modules()) do skip[name] = name ~= "tide" or nil end
  for name in pairs(getmetatable(tide).functions or {}) do out[#out + 1] = tide[name] and "tide." .. name end
  functions_in(tide, "tide.", out, skip)
  for _, name in ipairs(help.modules()) do
    if name ~= "tide" then functions_in(tide[name], name .. ".", out) end
  end
  functions_in(tide.core.methods, methods_of_tensor, out)
  table.sort(out)
  return out
end

--- Those of them that have no entry: the list should be empty. A method of tensors and a function of the
-- same name share one.
function help.undocumented()
  store.load()
  local names = {}
  for _, name in ipairs(help.reachable()) do
    local twin = name:find("^tide%.[%w_]+$") and name:gsub("^tide%.", methods_of_tensor) or name
    if not (by_name[name] or by_name[twin]) and names[#names] ~= name then names[#names + 1] = name end
  end
  return names
end

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
  for _, name in ipairs(type(value) == "table" and help.modules() or {}) do
    if rawequal(store.root_of(name), value) then return name end
  end
end

local function is_module(what)
  local short = what:gsub("^tide%.", "")
  for _, name in ipairs(help.modules()) do if name == short then return true end end
  return false
end

--- Names of the functions in a module of ours, by the module or by its name; an empty list for other values.
function help.names(value)
  store.load()
  local name, names = type(value) == "string" and is_module(value) and value or module_name(value), {}
  for i, entry in ipairs(name and entries_of(name .. ".") or {}) do
    names[i] = entry.name:match("%.([%w_]+)")
  end
  return names
end

--- Entry of a method of an object of ours, or nil.
function help.find_method(object, method)
  store.load()
  local _, kind = values.kind_of(object)
  return kind and by_name[kind .. ":" .. method]
end

local library = debug.getinfo(1, "S").source:match("^(.*/)prompt/[^/]*$") or ""

--- Is f a method that objects of ours use among themselves: one of the library, without an entry, of an
-- object whose methods have entries?
function help.is_private(object, method, f)
  local _, kind = values.kind_of(object)
  if not kind or help.find_method(object, method) or type(f) ~= "function" then return false end
  if debug.getinfo(f, "S").source:sub(1, #library) ~= library then return false end
  return #entries_of(kind .. ":") > 0
end

local function module_text(name)
  local lines = add_signatures({}, entries_of(name .. "."))
  if name == "tide" then
    local others = table.concat(help.modules(), ", ", 2)
    lines[#lines + 1] = "modules in tide: " .. others .. "; help(tide.nn) lists one"
  end
  return table.concat(lines, "\n")
end

--- "module nn: activation, augment, ..." for a module of ours, or nil.
function help.module_line(value, width)
  local name = module_name(value)
  if not name then return nil end
  local path = name == "tide" and name or "tide." .. name
  local list = table.concat(help.names(value), ", ")
  return layout.wrapped(("module %s: %s; help(%s) tells more"):format(name, list, path), width)
end

-- ---- topics ----

local function of_topic(topic)
  local list = {}
  for _, entry in ipairs(entries) do
    if entry.topic == topic then list[#list + 1] = entry end
  end
  return list
end

--- All names by topic.
function help.overview(width)
  store.load()
  local lines = {}
  for _, topic in ipairs(topics) do
    local names = {}
    for i, entry in ipairs(of_topic(topic)) do names[i] = entry.name end
    lines[#lines + 1] = topic
    lines[#lines + 1] = layout.indented(layout.wrapped(table.concat(names, " "), width - 4))
  end
  lines[#lines + 1] = 'help "start" shows the first steps, help "odeint", help(x) and help "Solving" tell '
    .. 'more,\n' ..
    'help "learning rate" searches.'
  return table.concat(lines, "\n")
end

local function find_topic(name)
  for _, topic in ipairs(topics) do
    if topic:lower() == name:lower() then return topic end
  end
end

-- Signatures of a topic, below the guide about it.
local function topic_text(topic, width)
  local lines = {}
  for _, entry in ipairs(entries) do
    if entry.about == topic then lines = {help.text(entry, width), ""} end
  end
  lines[#lines + 1] = topic
  for _, entry in ipairs(of_topic(topic)) do
    local about = entry.guide and ": " .. layout.first_sentence(entry) or ""
    lines[#lines + 1] = layout.cut("  " .. help.signature(entry) .. about, width)
  end
  return table.concat(lines, "\n")
end

local function tensor_methods(width)
  local names = {}
  for _, entry in ipairs(entries) do
    if entry.method then names[#names + 1] = layout.last_part(entry.name) end
  end
  return topic_text("Tensor methods", width) .. "\nalso, as x:name(...) and tide.name(x, ...):\n" ..
    layout.indented(layout.wrapped(table.concat(names, " "), width - 4))
end

-- ---- answers ----

-- What is typed as a name: entry, topic, module or a function of Lua; else what the search finds.
local function answer_text(what, width)
  local entry, also = find_name(what), nil
  local module = is_module(what) and what:gsub("^tide%.", "")
  local function shown(other)
    return other == entry or module and other.name:sub(1, #module + 1) == module .. "."
  end
  local certain = entry and (entry.name == what or entry.guide)
  if not certain then also = search.also(entries, words(), what, shown) end
  also = also and "\n" .. layout.wrapped(also, width) or ""
  if entry and entry.about then return topic_text(entry.about, width) end
  if entry then return help.text(entry, width) .. also end
  local topic = find_topic(what)
  if topic then return topic_text(topic, width) end
  if module then return module_text(module) .. also end
  if values.standard(what) then return values.standard(what) .. also end
  local near = search.corrected(entries, words(), what)
  if near and find_name(near) then
    return ('no help for "%s" (did you mean "%s"?)\n%s'):format(what, near, answer_text(near, width))
  end
  local found, problems = search.answer(entries, words(), what, width)
  if found then return found end
  if #problems == 0 then problems[1] = ('no help for "%s"'):format(what) end
  return table.concat(problems, "\n") .. "; help() lists what there is"
end

--- What a value is: the entry of a documented function, else its kind, shape or parameters, and its methods.
function help.describe(value, width)
  store.load()
  width = width or 80
  local entry = value ~= nil and type(value) ~= "string" and find_value(value)
  if entry then return help.text(entry, width) end
  local module = module_name(value)
  if module then return module_text(module) end
  local name, kind = values.kind_of(value)
  local methods = kind and kind ~= "tensor" and entries_of(kind .. ":") or {}
  local lines = {values.describe(value, width, #methods > 0, tensor_methods)}
  if #methods > 0 then lines[2] = "methods:" end
  for _, method in ipairs(methods) do lines[#lines + 1] = "  " .. help.signature(method) end
  local maker = name and by_name[name]
  if maker then
    lines[#lines + 1] = ('made by %s; help "%s" explains its options:'):format(help.signature(maker), name)
    lines[#lines + 1] = layout.indented(layout.wrapped(maker.text, width - 4))
  end
  return table.concat(lines, "\n")
end

--- Text that answers help(what): for a string what it names or what a search for its words finds. Without
-- argument: the overview.
function help.answer(...)
  store.load()
  local what, width = ...
  width = width or 80
  if select("#", ...) == 0 then return help.overview(width) end
  if type(what) == "string" then return answer_text(what:match("^%s*(.-)%s*$"), width) end
  return help.describe(what, width)
end

--- The same about a name that was typed and has no value (?a.b): what help knows by that name; else that it
-- is nil, and which of `names`, those of the fields beside it, may have been meant by its last part.
function help.unnamed(name, last, names, width)
  store.load()
  if find_name(name) or find_topic(name) or is_module(name) or values.standard(name) then
    return answer_text(name, width)
  end
  local near = options.nearest(last, names)
  local line = ("%s is nil%s"):format(name, near and (' (did you mean "%s"?)'):format(near) or "")
  return name == last and line .. "\n" .. answer_text(name, width) or line
end

--- Columns that help prints in.
function help.width()
  local core = package.loaded["tide.core"]
  return core and math.min(core.terminal_width(), 132) or 80
end

local function show(_, ...)
  local width = help.width()
  require("tide.prompt.pager").print(select("#", ...) == 0 and help.overview(width)
    or help.answer((...), width))
end

return setmetatable(help, {__call = show})
