--- Animations: figures one after the other in a .gif, or side by side as one figure.

local core = require "tide.core"
local options = require "tide.base.options"
local panel = require "tide.plot.panel"
local script = require "tide.plot.script"

local M = {}

-- ---- what all frames show ----

-- The ends of an axis in one frame.
local function ends(built, axis)
  local range = built.range[axis] or built.extent[axis]
  return math.min(range[1], range[2]), math.max(range[1], range[2])
end

-- The range of an axis over the same panel of all frames, so that what moves is the curves.
local function common(panels, builts, axis)
  local axes, low, high = panels[1].axes, math.huge, -math.huge
  if axes[axis .. "range"] then return nil end
  local automatic = false
  for _, built in ipairs(builts) do
    if not built.empty then
      local a, b = ends(built, axis)
      low, high = math.min(low, a), math.max(high, b)
      automatic = automatic or not built.range[axis]
    end
  end
  if low > high then return nil end
  if automatic then -- where gnuplot would have rounded it to whole ticks
    local room = 0.05 * (high - low)
    low, high = low == 0 and 0 or low - room, high + room
  end
  local range = builts[1].range[axis]
  return range and range[1] > range[2] and {high, low} or {low, high}
end

local function common_colors(panels, builts)
  if panels[1].axes.zrange then return nil end
  local low, high = math.huge, -math.huge
  for _, built in ipairs(builts) do
    local colors = built.colors
    if colors then low, high = math.min(low, colors.low), math.max(high, colors.high) end
  end
  return low < high and {low, high} or nil
end

-- Copies of the figures, whose panels have common ranges.
local function aligned(figures)
  local frames = {}
  for i, figure in ipairs(figures) do
    frames[i] = setmetatable({kind = figure.kind, columns = figure.columns, options = figure.options,
      panels = {}}, getmetatable(figure))
  end
  for k = 1, #figures[1].panels do
    local panels, builts = {}, {}
    for i, figure in ipairs(figures) do
      panels[i] = figure.panels[k]
      builts[i] = panel.build(panels[i].axes, panels[i].series)
    end
    local shared = {xrange = common(panels, builts, "x"), yrange = common(panels, builts, "y"),
      zrange = common_colors(panels, builts)}
    for i, p in ipairs(panels) do
      local axes = setmetatable({}, getmetatable(p.axes))
      for key, value in pairs(p.axes) do axes[key] = value end
      for key, value in pairs(shared) do axes[key] = value end
      frames[i].panels[k] = {axes = axes, series = p.series, raw = p.raw, insets = p.insets}
    end
  end
  return frames
end

-- ---- the object ----

local Animation = {__name = "tide.plot.Animation"}
Animation.__index = Animation

Animation.__newindex = options.seal("plot.animation", {}, Animation)

local spec = {
  seconds = {"number", default = 0.2, check = options.between(0.01, 600)}, -- that each frame is shown
  loop = {"boolean", default = true},                                     -- without end
  scale = {"number", default = 1, check = options.between(0.01, 100)},
}

local function check_frames(given, is_figure)
  local figures = {}
  for i, figure in ipairs(given) do
    if not is_figure(figure) then
      core.raise(("plot.animation: frame %d is %s, no figure"):format(i, options.show(figure)))
    end
    if #figure.panels ~= #given[1].panels then
      core.raise(("plot.animation: frame %d has %d panels, the first has %d"):format(i, #figure.panels,
        #given[1].panels))
    end
    figures[i] = figure
  end
  if #figures == 0 then core.raise("plot.animation: expected a list of figures, the frames") end
  return figures
end

--- The function plot.animation; `tools` are {is_figure =, panels = plot.panels, file =}: file(path,
-- extension, render) writes what render(name) gives and draws it. `figure_spec` has the options of every
-- figure.
function M.maker(tools, figure_spec)
  for key, rule in pairs(figure_spec) do spec[key] = spec[key] or rule end
  M.spec = spec

  --- Draw into a .gif, with the script and the data beside it; returns the path.
  function Animation:save(path)
    return tools.file(path, {"gif"}, function(name) return script.render_animation(self, name) end)
  end

  --- Frames side by side as one figure: at most n of them, the first and the last among them.
  function Animation:row(n)
    n = n == nil and math.min(6, #self.frames) or options.integer(n)
    if not n or n < 1 then core.raise("plot.animation: row(n) takes the number of frames to show") end
    n = math.min(n, #self.frames)
    local list = {columns = #self.frames[1].panels > 1 and self.frames[1].columns or n}
    for i = 1, n do
      list[i] = self.frames[n == 1 and 1 or 1 + ((i - 1) * (#self.frames - 1) + (n - 1) // 2) // (n - 1)]
    end
    return tools.panels(list)
  end

  return function(given)
    if type(given) ~= "table" or tools.is_figure(given) then
      core.raise("plot.animation: expected a list of figures, the frames")
    end
    local rest = {}
    for key, value in pairs(given) do if math.type(key) ~= "integer" then rest[key] = value end end
    local o = options.check("plot.animation", rest, spec)
    local figures = check_frames(given, tools.is_figure)
    local ok, frames = pcall(aligned, figures)
    if not ok then core.raise(frames) end
    for _, frame in ipairs(frames) do
      local own = setmetatable({}, {__index = frame.options})
      own.width, own.height = o.width or frame.options.width, o.height or frame.options.height
      own.scale, own.fontsize = o.scale, o.fontsize
      frame.options = own
    end
    return setmetatable({frames = frames, options = o}, Animation)
  end
end

Animation.__display = function(self) self:row():show() end

Animation.__tostring = function(self)
  return ("animation of %d frames (:save(path.gif), :row(n))"):format(#self.frames)
end

return M
