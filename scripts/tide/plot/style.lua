--- The shared style (plots/style.gp) and how options name its colours, line types, markers and palettes.

local files = require "tide.base.files"
local options = require "tide.base.options"

local style = {}

-- In a checkout the file lies in plots/; an installation keeps a copy beside this module.
local here = files.split(debug.getinfo(1, "S").source:gsub("^@", ""))
style.candidates = {files.join(here, "../../../plots/style.gp"), files.join(here, "style.gp")}

local loaded

-- {text =, colors = {names}, palettes = {names}}; the file itself is the only list of colours and palettes.
local function load_style()
  if loaded then return loaded end
  for _, path in ipairs(style.candidates) do
    local text = files.read(path)
    if text then
      loaded = {text = text, colors = {}, palettes = {}}
      for name in text:gmatch("\n(%a%w*) = 0x%x+") do table.insert(loaded.colors, name) end
      for name in text:gmatch('\n(%a%w*) = "defined ') do table.insert(loaded.palettes, name) end
      return loaded
    end
  end
  error("plot: style.gp not found; looked at " .. table.concat(style.candidates, " and "), 0)
end

function style.text() return load_style().text end
function style.colors() return load_style().colors end
function style.palettes() return load_style().palettes end

local marker_numbers = {circle = 7, square = 5, triangle = 9, diamond = 13, wedge = 11, pentagon = 15,
  cross = 2, plus = 1,
  ring = 6, dot = 0}

local function contains(list, name)
  for _, candidate in ipairs(list) do if candidate == name then return true end end
  return false
end

-- A colour by its name in style.gp.
local function named(color) return color == "grey" and "gray" or color end

--- The number of the line type that has the colour, nil where none has.
function style.line_type(color)
  for i, name in ipairs(style.colors()) do if name == named(color) then return i end end
end

--- gnuplot's expression for a colour: a name of style.gp, "#rrggbb", or the number of a line type. `alpha` is
-- opacity in 0..1.
function style.color(color, alpha)
  local veil = ""
  if alpha and alpha < 1 then veil = (" + 0x%02X000000"):format(math.floor(255 * (1 - alpha) + 0.5)) end
  if math.type(color) then
    if not math.tointeger(color) then
      error(("plot: a colour by number must be a whole one, got %s"):format(options.show(color)), 0)
    end
    color = style.colors()[(math.tointeger(color) - 1) % 7 + 1]
  end
  if color:match("^#%x%x%x%x%x%x$") then return "0x" .. color:sub(2) .. veil end
  color = named(color)
  if not contains(style.colors(), color) then
    error("plot: " .. options.unknown("color", color, style.colors()) .. ', or "#rrggbb"', 0)
  end
  return color .. veil
end

--- gnuplot's point type for a marker name or number.
function style.marker(marker)
  if math.type(marker) then return ("%d"):format(marker) end
  local number = marker_numbers[marker]
  if not number then
    error("plot: " .. options.unknown("marker", marker, options.sorted_keys(marker_numbers)), 0)
  end
  return number
end

function style.palette(name)
  if not contains(style.palettes(), name) then
    error("plot: " .. options.unknown("palette", name, style.palettes()), 0)
  end
  return "@" .. name
end

--- For specs of options: nothing is drawn before the names are right. of: style.color, .marker or .palette.
function style.checked(of)
  return function(v)
    local ok, message = pcall(of, v)
    return ok, nil, not ok and message:gsub("^plot: ", "") or nil
  end
end

style.palette_option = {"string", default = "viridis", check = style.checked(style.palette)}

-- ---- colours as numbers ----

local stops_of = {}

--- The colours of a palette in 0..1: a list of {share, red, green, blue}, each in 0..1.
function style.palette_stops(name)
  style.palette(name)
  if stops_of[name] then return stops_of[name] end
  local list = {}
  local code = style.text():match("\n" .. name .. ' = "defined (.-)%)"')
  for at, red, green, blue in code:gmatch("([%-%d.]+) '#(%x%x)(%x%x)(%x%x)'") do
    list[#list + 1] = {tonumber(at), tonumber(red, 16) / 255, tonumber(green, 16) / 255,
      tonumber(blue, 16) / 255}
  end
  local first, last = list[1][1], list[#list][1]
  for _, stop in ipairs(list) do stop[1] = (stop[1] - first) / (last - first) end
  stops_of[name] = list
  return list
end

--- Where a value lies between the ends of a palette, in 0..1.
function style.share(v, low, high, log)
  if log then v, low, high = math.log(v), math.log(low), math.log(high) end
  return math.max(0, math.min(1, (v - low) / (high - low)))
end

--- Red, green and blue at a share of a palette, as gnuplot mixes them.
function style.mix(stops, share)
  local i = 1
  while i < #stops - 1 and share > stops[i + 1][1] do i = i + 1 end
  local a, b = stops[i], stops[i + 1]
  local t = (share - a[1]) / (b[1] - a[1])
  return a[2] + t * (b[2] - a[2]), a[3] + t * (b[3] - a[3]), a[4] + t * (b[4] - a[4])
end

--- "#rrggbb" of shares of red, green and blue.
function style.hex(red, green, blue)
  local function byte(v) return math.floor(255 * math.max(0, math.min(1, v)) + 0.5) end
  return ("#%02X%02X%02X"):format(byte(red), byte(green), byte(blue))
end

--- How light a palette is at a share, in 0..1 (Rec. 709 weights of what the eye sees as bright).
function style.luminance(stops, share)
  local red, green, blue = style.mix(stops, share)
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue
end

-- ---- strings: whatever reaches gnuplot goes through one of these ----

local function octal(run)
  return (run:gsub(".", function(byte) return ("\\%03o"):format(byte:byte()) end))
end

--- A string as gnuplot code, byte for byte. What means anything to gnuplot (quotes, backquotes, macros,
-- comments, braces, line ends) is written in octal, and so are the digits behind it, which gnuplot would take
-- for more of the number.
function style.quote(text)
  if text:find("\0", 1, true) then error("plot: a text for gnuplot cannot hold NUL bytes", 0) end
  return '"' .. text:gsub("[%c\"\\'`$@#{}\127]%d*", octal) .. '"'
end

-- Valid UTF-8 without control characters other than line ends: terminals differ in what they do with the
-- rest.
local function printable(text)
  local pieces, at = {}, 1
  while at <= #text do
    local good, bad = utf8.len(text, at)
    local stop = good and #text or bad - 1
    pieces[#pieces + 1] = text:sub(at, stop)
    if not good then pieces[#pieces + 1] = "\u{FFFD}" end
    at = stop + (good and 1 or 2)
  end
  return (table.concat(pieces):gsub("\r\n?", "\n"):gsub("\t", " "):gsub("[%z\1-\9\11-\31\127]", "\u{FFFD}"))
end

--- Text in which gnuplot's markup is escaped, for texts of axes that have markup = true.
function style.escape(text)
  return (tostring(text):gsub("[%^_{}@&~\\]", "\\%0"):gsub("\\U%+", "\\{}U+"))
end

--- Text on one line, fit for a terminal.
function style.one_line(text) return (printable(tostring(text)):gsub("\n", " ")) end

-- As much of a text as characters leave room for.
local function cut(text, most)
  if utf8.len(text) <= most then return text end
  return text:sub(1, utf8.offset(text, most) - 1) .. "…"
end

--- A text of the picture as gnuplot code, shown as it is written, or with gnuplot's markup where that was
-- asked for. `form` is set for labels of ticks, which gnuplot takes for formats of numbers; `raw` for a
-- picture of characters, without markup.
function style.text_of(text, opts)
  text = printable(tostring(text))
  if opts.raw then
    text = cut((text:gsub("\n", " ")), opts.form and 12 or 40)
  elseif not opts.markup then
    text = style.escape(text)
  end
  if opts.form then text = text:gsub("%%", "%%%%") end
  return style.quote(text)
end

--- A line of comment, for scripts and data: no text ends it, and none goes on in the next line, which a
-- backslash at the end would do.
function style.comment(text)
  return (("# " .. style.one_line(text)):gsub("\\$", "\\ "))
end

--- The text of a number with the minus signs that gnuplot gives to ticks.
function style.minus(text) return (text:gsub("-", "\u{2212}")) end

--- A number as gnuplot reads it: 15 digits, so that no two that an axis can tell apart become one.
function style.number(v)
  if math.type(v) == "integer" then return ("%d"):format(v) end
  if v ~= v then return "nan" end
  if v == math.huge then return "inf" elseif v == -math.huge then return "-inf" end
  return ("%.15g"):format(v)
end

--- Kept for scripts from the time when titles had markup of their own accord: titles and labels show what is
-- written.
function style.plain(text) return tostring(text) end

return style
