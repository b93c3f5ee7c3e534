--- What lines and points are drawn with: the options of series about it, and gnuplot's words for them.

local options = require "tide.base.options"
local style = require "tide.plot.style"

local M = {}

M.options = {
  name = {"string"},
  -- a name of style.gp, "#rrggbb" or a number
  color = {"string|number", check = style.checked(style.color)},
  style = {"integer", check = options.at_least(1)}, -- line type: colour, dash and marker at once
  -- gnuplot's dashtype: a number, a pattern of ". - _", or {on, off, ...}
  dash = {"integer|string|table", check = function(v)
    local good = type(v) == "number" and v >= 0 or type(v) == "string" and v:find("^[._%- ]+$")
    if type(v) == "table" then
      good = #v > 0 and #v <= 8 and #v % 2 == 0
      for _, length in ipairs(v) do good = good and type(length) == "number" and options.positive(length) end
    end
    return good, 'a number >= 0, a pattern of the characters ". - _" or a list of up to 4 lengths {on, off, '
      .. '...}'
  end},
  linewidth = {"number", check = options.positive},
  marker = {"string|integer", check = style.checked(style.marker)},
  size = {"number", default = 1, check = options.positive},
  alpha = {"number", default = 1, check = options.between(0, 1)},
}

--- A kind takes those options of the pen that change its picture.
function M.with(spec, names)
  for _, name in ipairs(names) do spec[name] = spec[name] or M.options[name] end
  return spec
end

--- "lt 2 lc rgb blue dt 1 lw 2": everything about a line. A colour of style.gp brings its own dash and marker
-- along.
function M.line(o, context)
  local lt = o.style or style.line_type(o.color)
  if not lt then lt = o.color and 1 or context:next_style() end
  lt = (math.tointeger(lt) - 1) % 7 + 1
  local parts = {"lt " .. lt}
  if o.color or o.alpha < 1 then parts[#parts + 1] = "lc rgb " .. style.color(o.color or lt, o.alpha) end
  local dash = o.dash
  if type(dash) == "table" then
    local lengths = {}
    for i, length in ipairs(dash) do lengths[i] = ("%g"):format(length) end
    dash = "(" .. table.concat(lengths, ",") .. ")"
  elseif type(dash) == "string" then
    dash = style.quote(dash)
  elseif dash then
    dash = ("%d"):format(dash)
  end
  if dash then parts[#parts + 1] = "dt " .. dash end
  if o.linewidth then parts[#parts + 1] = ("lw %g"):format(o.linewidth) end
  return table.concat(parts, " "), lt
end

--- Point sizes of style.gp, so that shapes look equally large
M.native_size = {0.7, 0.58, 0.8, 0.85, 0.8, 0.75, 0.8}

--- Shape and size of the points of a line type.
function M.marker(o, lt)
  local number = o.marker and style.marker(o.marker)
  return ("%sps %g"):format(number and "pt " .. number .. " " or "", M.native_size[lt] * o.size)
end

return M
