--- The prompt. `require("tide.prompt.repl").start()` works under `tide` and under stock lua5.4.
--
-- A line is tried as an expression first and prints its values; then as statements. ";" at the end prints
-- nothing. Locals of a line become globals when it has run, so that lines pasted from a script go on working;
-- closures of that line keep their own variable.

local complete = require "tide.prompt.complete"
local core = require "tide.core"
local help = require "tide.prompt.help"
local hint = require "tide.prompt.hint"
local history = require "tide.prompt.history"
local pager = require "tide.prompt.pager"
local pretty = require "tide.prompt.pretty"
local question = require "tide.prompt.question"
local typed = require "tide.prompt.typed"

local repl = {compile = typed.compile, about = question.about, escape = history.escape,
  unescape = history.unescape}

local slow_seconds = 0.5 -- lines that take longer show their time
local max_frames = 12

-- ---- errors ----

local own_source = debug.getinfo(1, "S").source
local library = own_source:match("^(.*/)prompt/[^/]*$") or own_source

local function error_text(err)
  if type(err) == "string" then return err end
  if err == nil then return "nil (an error without a message)" end
  return pretty.show(err)
end

local function frame_text(info)
  local place = ("%s:%d"):format(info.short_src, info.currentline)
  if info.what == "main" then return place .. ": in main chunk" end
  if info.name then
    return ("%s: in %s '%s'"):format(place, info.namewhat ~= "" and info.namewhat or "function", info.name)
  end
  return ("%s: in function <%s:%d>"):format(place, info.short_src, info.linedefined)
end

-- Frames of the user's code: neither C nor our library nor what called the chunk.
local function user_frames()
  local frames = {}
  local level = 3
  while true do
    local info = debug.getinfo(level, "Snl")
    if not info or info.source == own_source then return frames end
    if info.what ~= "C" and info.source:sub(1, #library) ~= library then
      frames[#frames + 1] = frame_text(info)
    end
    level = level + 1
  end
end

local function on_error(err)
  core.hold_interrupts(true)
  return {message = error_text(err), frames = user_frames(), interrupted = core.is_failure(err)
    and err.status == "interrupted"}
end

local function error_report(failure, env)
  if type(failure) ~= "table" then return tostring(failure) end -- out of memory, or an error while reporting
  local lines = {failure.message}
  lines[2] = hint.of(failure.message, env)
  if #failure.frames > 1 then -- a single frame is the line itself
    for i = 1, math.min(#failure.frames, max_frames) do lines[#lines + 1] = "  " .. failure.frames[i] end
    if #failure.frames > max_frames then
      lines[#lines + 1] = ("  ... %d more"):format(#failure.frames - max_frames)
    end
  end
  return table.concat(lines, "\n")
end

-- ---- one step ----

local colours = {error = "31", dim = "2", prompt = "36"}

local function paint(session, colour, text)
  return session.colour and ("\27[%sm%s\27[0m"):format(colours[colour], text) or text
end

-- The prompt, with colours marked as taking no room. Only the native editor strips the marks.
local function prompt(session, text)
  if not session.colour or not session.editor:native() then return text end
  -- libedit sends such a sequence with the character after it, hence the blank at the end.
  return ("\1\27[%sm\1%s\1\27[0m\1 "):format(colours.prompt, (text:gsub(" $", "")))
end

-- What can show itself (a figure) does so on a terminal. Returns what is left to print of it, nil when that
-- is nothing.
local function text_of(v, width)
  local meta = debug.getmetatable(v)
  local display = type(meta) == "table" and core.isatty(1) and rawget(meta, "__display")
  if not display then return pretty.show(v, width) end
  local good, message = pcall(display, v)
  return not good and ("%s\n%s"):format(pretty.show(v, width), message) or nil
end

local function show(values)
  local width = core.terminal_width()
  local out, simple = {}, true
  for i = 1, values.n do
    out[#out + 1] = text_of(values[i], width)
    simple = simple and not (out[#out] or ""):find("\n", 1, true)
  end
  if #out > 0 then print(table.concat(out, simple and "\t" or "\n")) end
end

-- Run a compiled chunk; everything of the user's, printing included, can be interrupted and fails without
-- ending the session.
local function evaluate(session, chunk, kind)
  local started = core.monotonic()
  core.interrupt(true)
  local good, failure = xpcall(function()
    core.hold_interrupts(false)
    local values = table.pack(chunk(session.keep))
    if values.n > 0 then session.env._ = values[1] end
    if values.n > 0 and kind ~= "quiet" then show(values) end
    core.hold_interrupts(true)
  end, on_error)
  core.hold_interrupts(true)
  io.stdout:flush()
  if not good then
    local report = error_report(failure, session.env)
    -- the terminal wrote ^C
    local after_echo = session.terminal and type(failure) == "table" and failure.interrupted and "\n" or ""
    io.stderr:write(after_echo, paint(session, "error", report), "\n")
  end
  local elapsed = core.monotonic() - started
  if elapsed > slow_seconds and session.colour then
    print(paint(session, "dim", ("%.2f s"):format(elapsed)))
  end
end

local commands = {exit = "end", quit = "end", ["exit()"] = "end", ["quit()"] = "end"}

-- What is no Lua: "exit", "help", "?name". Returns "end", true when handled, or nil.
local function command(session, text)
  local asked = question.of(text, session.env)
  if asked and rawequal(session.env.help, help) then
    local width = help.width()
    local good, answer = pcall(function()
      return asked == "" and help.overview(width) or question.about(asked, session.env, width)
    end)
    pager.print(good and answer or tostring(answer))
    return true
  end
  local word = text:match("^%s*(.-)%s*;?%s*$")
  if commands[word] == "end" and rawget(session.env, word:match("^%a+")) == nil then return "end" end
end

-- Read lines until they compile: chunk, kind; nil after something else was done; or nil, "end".
local function read_chunk(session)
  local text
  while true do
    local line, why = session.editor:read(prompt(session, text and "   >> " or "tide> "))
    if not line then
      if why == "eof" and text then
        local _, _, message = typed.compile(text, session.env)
        io.stderr:write(paint(session, "error", message or ""), "\n")
      end
      return nil, why == "eof" and "end" or nil
    end
    text = text and text .. "\n" .. line or line
    if not text:find("%S") then return nil end
    local done = not text:find("\n", 1, true) and command(session, text)
    local chunk, kind, message
    if not done then chunk, kind, message = typed.compile(text, session.env) end
    if done or kind ~= "incomplete" then
      history.add(session, text)
      if done then return nil, done == "end" and "end" or nil end
      if chunk then return chunk, kind end
      local said = hint.of(message, session.env)
      io.stderr:write(paint(session, "error", said and message .. "\n" .. said or message), "\n")
      return nil
    end
  end
end

-- ---- sessions ----

local function xdg_path(variable, fallback, name)
  local base = os.getenv(variable)
  if base and base:sub(1, 1) == "/" then return base .. "/tide/" .. name end
  local home = os.getenv("HOME")
  return home and home .. fallback .. "/tide/" .. name or nil
end

-- Put tide and its sub-modules into env, by the names that help shows; a library that does not load is
-- reported, and the prompt works without it.
local function fill(session)
  local env = session.env
  env.help = help
  local good, tide = pcall(require, "tide")
  if not good then
    io.stderr:write(paint(session, "error", "the library does not load: " .. tostring(tide)), "\n")
    return
  end
  env.tide = tide
  for _, name in ipairs(help.modules()) do
    local found, module = pcall(function() return tide[name] end)
    if found and module then env[name] = module end
  end
end

local function run_init(session)
  local path = xdg_path("XDG_CONFIG_HOME", "/.config", "init.lua")
  if not path or not core.exists(path) then return end
  local chunk, message = loadfile(path, "t", session.env)
  if chunk then return evaluate(session, chunk, "statements") end
  io.stderr:write(paint(session, "error", message), "\n")
end

local function banner()
  local version = core.build_info and core.build_info().version or ""
  print(("Tide %s, %s: a workbench for neural ODEs."):format(version, _VERSION))
  print('TAB completes, help() lists topics, ?x explains x, ?words search, Ctrl-C interrupts, Ctrl-D ends.')
end

local function open_session(opts)
  local terminal = core.isatty(1)
  local session = {
    env = opts.env or _G,
    editor = core.editor(),
    terminal = terminal,
    colour = terminal and (os.getenv("NO_COLOR") or "") == "" and os.getenv("TERM") ~= "dumb",
  }
  session.keep = typed.keeper(session.env)
  if opts.history ~= false and core.isatty(0) then
    session.history_path = xdg_path("XDG_STATE_HOME", "/.local/state", "history")
    if session.history_path then core.mkdir(session.history_path:match("^(.*)/")) end
  end
  for _, entry in ipairs(history.read(session.history_path)) do
    session.editor:add(entry)
    session.last_entry = entry
  end
  session.editor:completer(function(line) return complete.tab(line, session.env, core.terminal_width()) end)
  return session
end

--- Read, evaluate and print until the end of the input. Options: env (default _G), init, banner, history
-- (default true).
function repl.start(opts)
  opts = opts or {}
  local handled, before = pcall(core.on_interrupt, true)
  core.hold_interrupts(true)
  local nested = core.at_prompt(true)
  local session = open_session(opts)
  fill(session)
  if opts.init ~= false then run_init(session) end
  if opts.banner ~= false and core.isatty(0) then banner() end
  local ended = false
  repeat
    local good, message = pcall(function()
      local chunk, kind = read_chunk(session)
      ended = kind == "end"
      if chunk then evaluate(session, chunk, kind) end
    end)
    if not good then io.stderr:write(tostring(message), "\n") end
  until ended
  session.editor:close()
  core.at_prompt(nested)
  core.interrupt(true) -- pressed at the prompt, which is no more
  core.hold_interrupts(false)
  if handled and not before then core.on_interrupt(false) end
end

return repl
