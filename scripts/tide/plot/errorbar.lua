--- Points with what is uncertain about them. See series.lua for what an element is.

local options = require "tide.base.options"
local series = require "tide.plot.series"
local stats = require "tide.base.stats"

-- The ends of the bars: an error is a number, a list, or a pair of lists {below, above}; all are distances.
local function ends(context, label, name, given, values)
  local below, above = given, given
  local list = math.type(given) == nil and stats.list(given) or nil
  if list and #list == 2 and math.type(list[1]) == nil then below, above = list[1], list[2] end
  local out = {}
  for side, error_of in ipairs{below, above} do
    local distances = {}
    if math.type(error_of) then
      for i = 1, #values do distances[i] = error_of end
    else
      distances = series.column(context, label, name, error_of)
    end
    if #distances ~= #values then
      context:fail(('series "%s": %s has %d values for %d points; for each side one list: {below, above}')
        :format(label, name, #distances, #values))
    end
    out[side] = {}
    for i, v in ipairs(values) do
      local d = distances[i]
      if d < 0 then
        context:fail(('series "%s": %s[%d] is a distance and cannot be negative, got %s'):format(label, name,
          i, options.show(d)))
      end
      local value = v + 0.0 -- whole numbers would wrap
      out[side][i] = side == 1 and value - d or value + d
    end
  end
  return out[1], out[2]
end

-- On a log axis what reaches down to 0 or less reaches down to the end of the axis.
local function reach_down(context, log, low, values)
  if not log then return low end
  for i, v in ipairs(low) do if v <= 0 and values[i] > 0 then low[i] = context:bottom() end end
  return low
end

series.kinds.errorbar = {
  usage = "{x = x, y = y, yerr = e}",
  spec = series.with_pen({
    x = {"any"}, y = {"any", required = true},
    xerr = {"any"}, yerr = {"any"},          -- a number, a list, or {list below, list above}
    lines = {"boolean", default = false},    -- join the points
  }, {"name", "color", "style", "dash", "linewidth", "marker", "size", "alpha"}),
  build = function(o, context, label)
    if o.xerr == nil and o.yerr == nil then
      context:fail(('series "%s" has neither xerr nor yerr'):format(label))
    end
    local y = series.column(context, label, "y", o.y)
    local x = series.column(context, label, "x", o.x or series.count_from_one(#y), #y)
    local cols, names, style = {x, y}, {"x", "y"}, ""
    for _, side in ipairs{{"xerr", x, "left", "right", "x"}, {"yerr", y, "low", "high", "y"}} do
      local name, values, low_name, high_name, axis = table.unpack(side)
      if o[name] ~= nil then
        local low, high = ends(context, label, name, o[name], values)
        cols[#cols + 1] = reach_down(context, context.axes[axis .. "log"], low, values)
        cols[#cols + 1] = high
        names[#names + 1], names[#names + 2] = low_name, high_name
        style = style .. axis
      end
    end
    local segments = series.drawable(context, label, cols, names)
    local line, lt = series.pen({color = o.color, style = o.style, dash = o.dash or not o.lines and 1 or nil,
      linewidth = o.linewidth or 1.5, alpha = o.alpha}, context)
    local mark = series.marker({marker = o.marker or not o.lines and lt == 7 and "circle" or nil,
      size = o.size}, lt)
    context:pad()
    local block = {names = names, segments = segments}
    -- bars are whole, whatever the line
    local solid = line:gsub(" dt %b()", ""):gsub(" dt %S+", "") .. " dt 1"
    local elements = {{layer = series.layers.point, block = block, using = #cols == 6 and "1:2:3:4:5:6"
      or "1:2:3:4", code = ("with %serrorbars %s %s"):format(style, solid, mark)}}
    if o.lines then
      table.insert(elements, 1, {layer = series.layers.line, block = block, using = "1:2",
        code = "with lines " .. line})
    end
    elements[1].legend = o.name and {name = o.name,
      code = ("with %s %s %s"):format(o.lines and "linespoints" or "yerrorbars", line, mark)}
    return elements
  end,
}
