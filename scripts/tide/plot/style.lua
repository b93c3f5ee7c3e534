--- The shared style (plots/style.gp) and how options name its colours, line types, markers and palettes.

local files = require "tide.files"
local options = require "tide.options"

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

local marker_numbers = {circle = 7, square = 5, triangle = 9, diamond = 13, wedge = 11, pentagon = 15, cross = 2, plus = 1,
  ring = 6, dot = 0}

local function contains(list, name)
  for _, candidate in ipairs(list) do if candidate == name then return true end end
  return false
end

--- gnuplot's expression for a colour: a name of style.gp, "#rrggbb", or the number of a line type. `alpha` is opacity in 0..1.
function style.color(color, alpha)
  local veil = ""
  if alpha and alpha < 1 then veil = (" + 0x%02X000000"):format(math.floor(255 * (1 - alpha) + 0.5)) end
  if math.type(color) then color = style.colors()[(math.tointeger(color) - 1) % 7 + 1] end
  if color:match("^#%x%x%x%x%x%x$") then return "0x" .. color:sub(2) .. veil end
  if not contains(style.colors(), color) then
    error("plot: " .. options.unknown("color", color, style.colors()) .. ', or "#rrggbb"', 0)
  end
  return color .. veil
end

--- gnuplot's point type for a marker name or number.
function style.marker(marker)
  if math.type(marker) then return math.tointeger(marker) end
  local number = marker_numbers[marker]
  if not number then error("plot: " .. options.unknown("marker", marker, options.sorted_keys(marker_numbers)), 0) end
  return number
end

function style.palette(name)
  if not contains(style.palettes(), name) then
    error("plot: " .. options.unknown("palette", name, style.palettes()), 0)
  end
  return "@" .. name
end

--- A string as gnuplot code. Single quotes: inside double ones gnuplot would run what stands in backquotes.
function style.quote(text)
  local pieces = {}
  for piece in (text .. "\n"):gmatch("([^\n]*)\n") do pieces[#pieces + 1] = "'" .. piece:gsub("'", "''") .. "'" end
  return table.concat(pieces, '."\\n".')
end

--- Text whose ^ _ { } @ & ~ are meant literally, for titles and labels (which understand gnuplot's enhanced text).
function style.plain(text)
  return (tostring(text):gsub("[%^_{}@&~\\]", "\\%0"))
end

return style
