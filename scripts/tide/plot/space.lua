--- Surfaces and curves in space. See series.lua for what an element is. A panel that holds one is drawn in
-- perspective and holds nothing else.

local cells = require "tide.plot.cells"
local contour = require "tide.plot.contour"
local options = require "tide.base.options"
local series = require "tide.plot.series"
local style = require "tide.plot.style"

local layers = series.layers

local function good_view(v)
  local good = #v == 2
  for i = 1, 2 do good = good and math.type(v[i]) ~= nil and options.finite(v[i]) end
  return good and v[1] >= 0 and v[1] <= 180 and v[2] >= 0 and v[2] <= 360,
    "{angle from above in 0..180, angle around in 0..360}"
end

-- Degrees, as gnuplot counts them: from above, around the z axis.
local view = {"table", default = {58, 35}, check = good_view}

local function enter(context, label, o)
  if context.axes.zlog then
    context:fail(('series "%s": the z axis of a panel in space cannot be logarithmic; take the logarithm of '
      .. 'z'):format(label))
  end
  context:enter_space(o.view)
  context:default("ratio", 0.8)
end

series.kinds.surface = {
  usage = "{z = matrix}", in_space = true,
  spec = {
    name = {"string"},
    z = {"any", required = true},  -- rows of numbers, the first at the low end of y
    x = {"any"}, y = {"any"},      -- {first, last} or all coordinates of columns and rows
    mesh = {"boolean", default = true}, -- lines along rows and columns
    palette = style.palette_option,
    range = {"table", check = options.pair}, -- values at the ends of the palette
    view = view,
  },
  build = function(o, context, label)
    enter(context, label, o)
    context:tight()
    context:default("grid", true)
    local rows = cells.rows(context, label, o.z)
    local width = rows[1] and #rows[1] or 0
    local x = contour.coordinates(context, label, "x", o.x, width)
    local y = contour.coordinates(context, label, "y", o.y, #rows)
    local segments, values = {}, {}
    for r, row in ipairs(rows) do
      segments[r] = {{}, {}, {}}
      for c, v in ipairs(row) do
        local reason = series.trouble(v)
        if reason then context:miss("values", reason) else table.insert(values, v) end
        for k, w in ipairs{x[c], y[r], reason and 0 / 0 or v} do table.insert(segments[r][k], w) end
      end
    end
    context:count(label, "values", width * #rows)
    if #values == 0 then return {} end
    context:see("x", x)
    context:see("y", y)
    context:see("z", values)
    context:palette(o.palette, o.range, values)
    if #rows < 2 or width < 2 then
      context:remark(("%s: no surface over a grid of %d x %d nodes"):format(label, width, #rows))
      return {}
    end
    context.mesh = context.mesh or o.mesh
    return {{layer = layers.image, block = {names = {"x", "y", "z"}, segments = segments}, using = "1:2:3",
      code = "with pm3d"}}
  end,
}

series.kinds.curve = {
  usage = "{x = x, y = y, z = z}", in_space = true,
  spec = series.with_pen({
    x = {"any", required = true}, y = {"any", required = true}, z = {"any", required = true},
    view = view,
  }, {"name", "color", "style", "dash", "linewidth", "alpha"}),
  build = function(o, context, label)
    enter(context, label, o)
    local names = {"x", "y", "z"}
    local segments = series.drawable(context, label, series.columns(context, label, o, names), names)
    local line = series.pen({color = o.color, style = o.style, dash = o.dash or 1, linewidth = o.linewidth,
      alpha = o.alpha}, context)
    local code = "with lines " .. line
    return {{layer = layers.line, block = {names = names, segments = segments}, using = "1:2:3", code = code,
      legend = o.name and {name = o.name, code = code}}}
  end,
}
