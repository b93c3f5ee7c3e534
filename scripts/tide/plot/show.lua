--- How a figure comes before the eyes of who sits at the terminal: a picture in the terminal (kitty's
-- protocol or sixels), a window of gnuplot, or characters.

local core = require "tide.core"
local files = require "tide.base.files"
local gnuplot = require "tide.plot.gnuplot"
local options = require "tide.base.options"
local script = require "tide.plot.script"

local show = {}

show.text_spec = {
  width = {"integer", default = 79, check = options.between(20, 1000)},
  height = {"integer", default = 24, check = options.between(8, 1000)},
  color = {"boolean"},
}
show.spec = {as = {"string", check = options.one_of{"kitty", "sixel", "window", "text"}}}
for key, rule in pairs(show.text_spec) do show.spec[key] = rule end

-- Run fn(path without extension) in a folder that is gone afterwards.
local function in_folder(fn)
  local temporary <close> = files.temporary_folder()
  return fn(temporary.path)
end

-- Draw `figure` into a temporary file and return its bytes.
local function bytes_of(figure, extension, terminal)
  return in_folder(function(folder)
    local text, data, notes = script.render(figure, "figure", extension, terminal)
    assert(files.write(folder .. "/figure.dat", data))
    assert(files.write(folder .. "/figure.gp", text))
    local ok, message = gnuplot.run(folder, "figure.gp", "picture")
    if not ok then error("plot: " .. message:gsub("\nthe script is .*", ""), 0) end
    return assert(files.read(folder .. "/picture")), notes
  end)
end

--- The figure as characters, and its notes below.
function show.text(figure, o)
  local terminal = ("dumb noenhanced size %d,%d %s"):format(o.width, o.height, o.color and "ansi256"
    or "mono")
  local text, notes = bytes_of(figure, "txt", function() return terminal end)
  text = text:gsub("\f", ""):gsub("\n*$", "\n")
  for _, note in ipairs(notes) do text = text .. "  " .. note .. "\n" end
  return text
end

-- ---- which way ----

local function any(text, words)
  for _, word in ipairs(words) do if text:find(word, 1, true) then return true end end
  return false
end

--- The ways to try, best first, from the environment alone: `get` is os.getenv, `terminal` whether standard
-- output is one, `asks` a function that asks the terminal whether it draws sixels.
function show.ways(get, terminal, asks)
  if not terminal then return {"text"} end
  local function value(name) return get(name) or "" end
  local term, program = value("TERM"), value("TERM_PROGRAM"):lower()
  local ways = {}
  if term ~= "dumb" then
    -- these hand no pictures on unless they say so themselves
    local inside = value("TMUX") ~= "" or term:find("^screen") or term:find("^tmux")
    if not inside and (value("KITTY_WINDOW_ID") ~= "" or any(term, {"kitty", "ghostty"})
      or program == "ghostty") then
      ways[#ways + 1] = "kitty"
    elseif not inside and (any(term, {"sixel", "mlterm", "foot", "contour"})
      or any(program, {"iterm", "wezterm", "mintty"})) or asks() then
      ways[#ways + 1] = "sixel"
    end
  end
  if value("DISPLAY") ~= "" or value("WAYLAND_DISPLAY") ~= "" then ways[#ways + 1] = "window" end
  ways[#ways + 1] = "text"
  return ways
end

local sixels -- what the terminal answered, asked once

-- The terminal's answer to "what are you" (DA1) lists 4 when it draws sixels.
local function terminal_draws_sixels()
  if sixels == nil then
    local answer = core.isatty(0) and core.ask_terminal("\27[c", "c", 0.2) or ""
    sixels = (answer:match("\27%[%?([%d;]*)c") or ""):find("%f[%d]4%f[%D]") ~= nil
  end
  return sixels
end

local known_terminals

--- Ask terminal and gnuplot anew (for tests).
function show.forget() sixels, known_terminals = nil, nil end

-- Can this gnuplot draw for terminal `name`?
local function has_terminal(name)
  if not known_terminals then
    local _, output = files.run{gnuplot.program, "-d", "-e", "print GPVAL_TERMINALS"}
    known_terminals = " " .. output:gsub("%s+", " ") .. " "
  end
  return known_terminals:find(" " .. name .. " ", 1, true) ~= nil
end

-- ---- each way: true, or nil and why not ----

-- Wider pictures than the terminal are made smaller.
local function fitting(figure)
  local pixels = core.terminal_pixels()
  local width = figure.options.width or math.max(640, 330 * figure.columns)
  return pixels > 0 and math.min(1, (pixels - 8) / width) or 1
end

local ways = {}

local letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

local function base64(bytes)
  local out = {}
  for i = 1, #bytes, 3 do
    local a, b, c = bytes:byte(i, i + 2)
    local n = a << 16 | (b or 0) << 8 | (c or 0)
    for k = 0, 3 do
      local at = (n >> (18 - 6 * k) & 63) + 1
      out[#out + 1] = (k == 2 and not b or k == 3 and not c) and "=" or letters:sub(at, at)
    end
  end
  return table.concat(out)
end

function ways.kitty(figure)
  local code = base64((bytes_of(figure, "png", script.terminal("png", fitting(figure)))))
  for at = 1, #code, 4096 do
    local last = at + 4096 > #code
    io.stdout:write("\27_G", at == 1 and "a=T,f=100," or "", "m=", last and 0 or 1, ";",
      code:sub(at, at + 4095), "\27\\")
  end
  io.stdout:write("\n")
  return true
end

function ways.sixel(figure)
  if not has_terminal("sixelgd") then return nil, "this gnuplot draws no sixels" end
  io.stdout:write((bytes_of(figure, "png", script.terminal("sixel", fitting(figure)))), "\n")
  return true
end

function ways.window(figure)
  local kind = has_terminal("qt") and "qt" or has_terminal("wxt") and "wxt" or has_terminal("x11") and "x11"
  if not kind then return nil, "this gnuplot opens no windows (apt install gnuplot-qt)" end
  return in_folder(function(folder)
    local text, data = script.render(figure, "figure", "window", script.terminal(kind, 1))
    assert(files.write(folder .. "/figure.dat", data))
    assert(files.write(folder .. "/figure.gp", text))
    local message = gnuplot.open(folder, "figure.gp", folder .. "/log")
    if message then return nil, message end
    return true
  end)
end

function ways.text(figure, o)
  if o.color == nil then
    o.color = core.isatty(1) and (os.getenv("NO_COLOR") or "") == "" and os.getenv("TERM") ~= "dumb"
  end
  io.stdout:write(show.text(figure, o))
  return true
end

local said = {kitty = "kitty's graphics", sixel = "sixels", window = "a window of gnuplot", text = "text"}

--- Show a figure the best way there is, and say which.
function show.show(figure, o)
  local reasons = {}
  for _, way in ipairs(o.as and {o.as} or show.ways(os.getenv, core.isatty(1), terminal_draws_sixels)) do
    local ok, why = ways[way](figure, o)
    if ok then
      local tried = #reasons > 0 and "; " .. table.concat(reasons, "; ") or ""
      print(("(shown as %s%s; fig:save(\"figure.png\") makes a file)"):format(said[way], tried))
      return
    end
    reasons[#reasons + 1] = why
  end
  error("plot: " .. table.concat(reasons, "; "), 0)
end

return show
