--- What the program `tide` does: its command line. Called by bindings/launcher.c.

local options = require "tide.base.options"

local main = {}

local usage = [=[
usage: tide [options] [script [arguments]]

  -e code        run code (may be repeated); tide, its modules and help are there as at the prompt
  -l name        require "name" into the global name (may be repeated; also -l global=name)
  -i             open the prompt after the script or the code
  -, --          run standard input; end of the options
  --no-init      the prompt does not read ~/.config/tide/init.lua
  --version, -v  versions of Tide, Lua and the libraries in use
  --help, -h     this text

Without a script or code: the prompt when standard input is a terminal, else standard input is run as a
script.
In a script: local tide = require "tide". Exit status: 0, 1 after an error, 2 for a wrong command line,
130 after Ctrl-C.
]=]

local flags = {["-i"] = "interactive", ["--no-init"] = "no_init", ["--version"] = "version",
  ["-v"] = "version",
  ["--help"] = "help", ["-h"] = "help"}
local with_value = {["-e"] = "code", ["-l"] = "module"}

--- Split the command line (argv[0] is the program): options, or nil and what is wrong with it.
-- `script` is the index of the script's name in argv; actions (-e, -l) keep their order.
function main.parse(argv)
  local parsed = {actions = {}}
  local i = 1
  while argv[i] do
    local word = argv[i]
    local kind = with_value[word:sub(1, 2)]
    if word:sub(1, 1) ~= "-" or word == "-" then
      parsed.script = i
      return parsed
    elseif word == "--" then
      parsed.script = argv[i + 1] and i + 1
      return parsed
    elseif flags[word] then
      parsed[flags[word]] = true
    elseif kind then
      local value = word:sub(3)
      if value == "" then
        i = i + 1
        value = argv[i]
      end
      if not value then return nil, ("option %s needs a value"):format(word) end
      table.insert(parsed.actions, {kind = kind, value = value})
    else
      local names = options.sorted_keys(flags)
      table.insert(names, "-e")
      table.insert(names, "-l")
      return nil, options.unknown("option", word, names)
    end
    i = i + 1
  end
  return parsed
end

local function complain(message)
  io.stdout:flush()
  io.stderr:write("tide: ", message, "\n")
end

-- While help is loaded something may fail, memory for one: then there is no hint.
local function with_hint(text)
  local good, hint = pcall(function() return require("tide.prompt.hint").of(text, _G) end)
  return good and hint and text .. "\n" .. hint or text
end

-- Message with traceback, without the frames of this file: the last ones, from its xpcall on.
local function describe(err)
  local text = err
  if type(err) ~= "string" then
    local meta = debug.getmetatable(err)
    if meta and meta.__tostring then
      text = tostring(err)
    else
      text = type(err) == "number" and tostring(err) or ("(error object is a %s value)"):format(type(err))
    end
  end
  local trace = debug.traceback(with_hint(text), 2)
  local here = debug.getinfo(1, "S").short_src
  local lines, last = {}, nil
  for line in (trace .. "\n"):gmatch("(.-)\n") do
    table.insert(lines, line)
    if line:find("in function 'xpcall'", 1, true) then last = #lines end
  end
  if last and lines[last + 1] and lines[last + 1]:find(here, 1, true) then
    trace = table.concat(lines, "\n", 1, last - 1) .. "\n\t[C]: in ?"
  end
  return {trace = trace, status = type(err) == "table" and rawget(err, "status") == "interrupted" and 130
    or 1}
end

-- Run a chunk (or report why there is none): exit status, 0 when all went well.
local function call(chunk, message, ...)
  if not chunk then
    complain(with_hint(message))
    return 1
  end
  local good, failure = xpcall(chunk, describe, ...)
  if good then return 0 end
  if type(failure) ~= "table" then -- out of memory, or an error in the handler: its words only
    failure = {trace = tostring(failure), status = 1}
  end
  complain(failure.trace)
  return failure.status
end

-- The table `arg` of stock Lua: the script at 0, its arguments after, the program and its options before.
local function script_arguments(argv, script)
  local arguments = {}
  for i = 0, #argv do arguments[i - (script or 0)] = argv[i] end
  return arguments
end

local function show_version(core, release)
  local info = core.build_info and core.build_info() or {}
  print("Tide " .. (info.version or "(unknown version)"))
  print(release)
  print("line editing: " .. (core.has_libedit and "libedit" or "none"))
  info.version = nil
  for _, key in ipairs(options.sorted_keys(info)) do print(key .. ": " .. tostring(info[key])) end
end

-- What code on the command line finds beside Lua's globals, loaded when it is read: the names of the prompt.
-- A script that follows gets none of it.
local function offered(name)
  local help = require "tide.prompt.help"
  if name == "help" then return help end
  local tide = require "tide"
  for _, known in ipairs(help.modules()) do
    if name == known then return name == "tide" and tide or tide[name] end
  end
end

local function with_globals(run)
  if getmetatable(_G) then return run() end -- the code before this one made rules of its own
  local meta = {__index = function(_, name) return offered(name) end}
  setmetatable(_G, meta)
  local status = run()
  if getmetatable(_G) == meta then setmetatable(_G, nil) end
  return status
end

local function run_action(action)
  if action.kind == "code" and action.value:byte() == 27 then
    return call(nil, "-e takes Lua text, this is bytecode")
  end
  if action.kind == "code" then
    return with_globals(function() return call(load(action.value, "=(command line)", "t")) end)
  end
  local global, name = action.value:match("^([%a_][%w_]*)=(.+)$")
  name = name or action.value
  return call(load("local global, name = ... _G[global] = require(name)", "=(command line)", "t"), nil, global
    or name, name)
end

local function run_script(argv, script)
  local name = script and argv[script] or "-"
  local chunk, message
  if name == "-" then
    chunk, message = loadfile()
  else
    chunk, message = loadfile(name)
  end
  return call(chunk, message, table.unpack(argv, (script or #argv) + 1))
end

--- Run the program: its exit status.
function main.run(argv, release)
  local parsed, message = main.parse(argv)
  if not parsed then
    complain(message .. "\nTry: tide --help")
    return 2
  end
  if parsed.help then
    io.write(usage)
    return 0
  end
  local good, core = pcall(require, "tide.core")
  if not good then
    complain("the engine cannot be loaded; was `make` run?\n" .. tostring(core))
    return 1
  end
  if parsed.version then
    show_version(core, release)
    if not parsed.script and #parsed.actions == 0 and not parsed.interactive then return 0 end
  end
  core.on_interrupt(true)
  _G.arg = script_arguments(argv, parsed.script)
  local status = 0
  for _, action in ipairs(parsed.actions) do
    status = run_action(action)
    if status ~= 0 then break end
  end
  local idle = not parsed.script and #parsed.actions == 0 and not parsed.interactive
  local prompt = parsed.interactive or idle and core.isatty(0)
  if status == 0 and (parsed.script or idle and not prompt) then status = run_script(argv, parsed.script) end
  if prompt then
    require("tide.prompt.repl").start{init = not parsed.no_init}
    return 0
  end
  return status
end

return main
