--- tide.plot: figures as gnuplot scripts with their data beside them.
--
--   local plot = require "tide.plot"
--   local fig = plot.line{x = t, y = loss, name = "NODE", xlabel = "epoch", ylabel = "loss", ylog = true}
--   fig:add("band", {runs = runs, name = "ANODE"})
--   fig:save("runs/a/loss.png")       -- also loss.gp (runs alone: `gnuplot loss.gp`) and loss.dat
--   fig:show()                        -- as text, in the terminal
--
-- Kinds: line, scatter, band, image, field, trajectories. Their options and those of the axes are the tables `spec` and `axes_spec`
-- of plot/series.lua, plot/flows.lua and plot/panel.lua; `plot.options(kind)` lists them. A list inside the table adds several
-- series: plot.line{{y = a, name = "a"}, {y = b, name = "b"}, xlabel = "step"}. plot.panels{fig, fig, columns = 2} puts figures
-- together.

local files = require "tide.files"
local gnuplot = require "tide.plot.gnuplot"
local options = require "tide.options"
local panel = require "tide.plot.panel"
local progress = require "tide.progress"
local runs = require "tide.plot.runs"
local script = require "tide.plot.script"
local series = require "tide.plot.series"
local stats = require "tide.plot.stats"
local style = require "tide.plot.style"

local plot = {}

plot.median_band, plot.mean_band, plot.bin = stats.median_band, stats.mean_band, stats.bin
plot.runs, plot.looks, plot.band_caption = runs.split, runs.looks, runs.caption
plot.plain = style.plain

local figure_spec = {
  width = {"number", check = options.positive},  -- logical pixels, 1/96 inch
  height = {"number", check = options.positive}, -- nil: what the aspect ratios ask for
  scale = {"number", default = 2, check = options.positive}, -- png pixels per logical pixel
  fontsize = {"number", default = 12, check = options.positive},
  note = {"string"}, -- comment for script and data: command, run ids, ...
}

local panels_spec = {
  title = {"string"},
  columns = {"integer", check = options.at_least(1)},
  legend = {"string", default = "each", check = options.one_of{"each", "shared", "none"}},
}
for key, rule in pairs(figure_spec) do panels_spec[key] = rule end

local Figure = {}
Figure.__index = Figure

local function kind_of(kind, level)
  if not series.kinds[kind] then
    error("plot: " .. options.unknown("kind of series", kind, options.sorted_keys(series.kinds)), level + 1)
  end
  return series.kinds[kind]
end

-- One table holds the keys of figure, axes and series; sort them apart. Unknown keys fall to `rest`, for the final check to name.
local function sort_keys(given, rest_spec)
  local parts, rest = {figure = {}, axes = {}}, {}
  for key, value in pairs(given) do
    if math.type(key) ~= "integer" then
      if rest_spec[key] then
        rest[key] = value
      elseif figure_spec[key] then
        parts.figure[key] = value
      elseif panel.axes_spec[key] then
        parts.axes[key] = value
      else
        rest[key] = value
      end
    end
  end
  return parts.figure, parts.axes, rest
end

-- All keys that one call of plot.KIND takes, so that a suggestion finds the near one whatever it belongs to.
local function all_keys(spec)
  local keys = {}
  for _, part in ipairs{spec, figure_spec, panel.axes_spec} do
    for key in pairs(part) do keys[key] = true end
  end
  return options.sorted_keys(keys)
end

local function new_figure(where, kind, given, level)
  level = level + 1
  if type(given) ~= "table" then error(("%s: expected a table of options, got %s"):format(where, options.show(given)), level) end
  local spec = kind and series.kinds[kind].spec or {}
  local figure, axes, rest = sort_keys(given, spec)
  for key in pairs(rest) do
    if not spec[key] then error(("%s: %s"):format(where, options.unknown("option", key, all_keys(spec))), level) end
  end
  local self = setmetatable({kind = kind, columns = 1, options = options.check(where, figure, figure_spec, level)}, Figure)
  self.panels = {{axes = options.check(where, axes, panel.axes_spec, level), series = {}, raw = {}}}
  -- What stands beside a list of series (a colour, say) is the default of each.
  if given[1] ~= nil and kind then
    for _, item in ipairs(given) do
      local merged = {}
      for key, value in pairs(rest) do merged[key] = value end
      for key, value in pairs(item) do merged[key] = value end
      self:add_at(level, kind, merged)
    end
  elseif next(rest) ~= nil then
    self:add_at(level, kind, rest)
  end
  return self
end

function Figure:one_panel(level)
  if #self.panels > 1 then error("plot: this figure has several panels; add to one of them before plot.panels", level + 1) end
  return self.panels[1]
end

function Figure:add_at(level, kind, given)
  level = level + 1
  local target = self:one_panel(level)
  local checked = options.check("plot." .. kind, given, kind_of(kind, level).spec, level)
  table.insert(target.series, {kind = kind, options = checked})
  return self
end

--- Add a series: fig:add("band", {...}), or fig:add{...} for one more of the figure's own kind.
function Figure:add(kind, given)
  if type(kind) == "table" then kind, given = self.kind, kind end
  if not kind then error("plot: say which kind of series to add, as in fig:add(\"line\", {...})", 2) end
  return self:add_at(2, kind, given)
end

--- Change axes after the fact: fig:axes{xlabel = "epoch"}.
function Figure:axes(given)
  local target = self:one_panel(2)
  options.check("plot axes", given, panel.axes_spec, 2)
  for key, value in pairs(given) do target.axes[key] = value end
  return self
end

--- A line of gnuplot, placed just before the plot command; in a figure of panels give it to the panel.
function Figure:raw(line)
  if type(line) ~= "string" then error("plot: raw takes a line of gnuplot, got " .. options.show(line), 2) end
  table.insert(self:one_panel(2).raw, line)
  return self
end

local function raise(level, ok, ...)
  if not ok then error(..., level + 1) end
  return ...
end

--- The texts of NAME.gp and NAME.dat without running anything.
function Figure:render(name, extension)
  return raise(2, pcall(script.render, self, name or "figure", extension or "png"))
end

local function must(level, ok, message)
  if not ok then error("plot: " .. message, level + 1) end
end

--- Draw into `path` (png, svg or pdf by extension; png without one), with the script and the data beside it. On failure an older
-- picture stays, and script and data show what went wrong. Returns the path.
function Figure:save(path)
  if type(path) ~= "string" then error("plot: save needs a file name, got " .. options.show(path), 2) end
  local folder, last = files.split(path)
  local name, extension = files.stem(path)
  if extension == "" then
    extension, last = "png", last .. ".png"
  elseif not script.can_write(extension) then
    error("plot: " .. options.unknown("extension", extension, script.extensions), 2)
  end
  local text, data = raise(2, pcall(script.render, self, name, extension))
  must(2, files.make_folder(folder))
  must(2, files.write(files.join(folder, name .. ".dat"), data))
  must(2, files.write(files.join(folder, name .. ".gp"), text))
  if extension ~= "svg" then gnuplot.warn_fonts(script.font) end -- an svg brings no fonts
  must(2, gnuplot.run(folder, name .. ".gp", last))
  return files.join(folder, last)
end

local text_spec = {
  width = {"integer", default = 79, check = options.at_least(20)},
  height = {"integer", default = 24, check = options.at_least(8)},
  color = {"boolean"},
}

--- The figure as text of width x height characters.
function Figure:text(opts)
  opts = options.check("plot text", opts, text_spec, 2)
  local terminal = ("dumb size %d,%d %s"):format(opts.width, opts.height, opts.color and "ansi256" or "mono")
  local base = os.tmpname()
  local folder, name = files.split(base)
  local ok, result = pcall(function()
    local text, data = script.render(self, name, "txt", terminal)
    assert(files.write(base .. ".dat", data))
    assert(files.write(base .. ".gp", text))
    assert(gnuplot.run(folder, name .. ".gp", name .. ".txt"))
    return files.read(base .. ".txt")
  end)
  for _, suffix in ipairs{"", ".gp", ".dat", ".txt"} do os.remove(base .. suffix) end
  if not ok then error(result, 2) end
  return (result:gsub("\f", ""))
end

--- Print the figure as text; in colour on a terminal, unless NO_COLOR is set.
function Figure:show(opts)
  local copy = {}
  for key, value in pairs(opts or {}) do copy[key] = value end
  if copy.color == nil then copy.color = progress.is_terminal(1) and (os.getenv("NO_COLOR") or "") == "" end
  io.stdout:write(self:text(copy))
  return self
end

Figure.__name = "tide.plot.Figure"
Figure.__tostring = function(self)
  local kinds = {}
  for i, p in ipairs(self.panels) do
    local names = {}
    for j, item in ipairs(p.series) do names[j] = item.kind end
    kinds[i] = table.concat(names, " + ")
  end
  return "figure: " .. table.concat(kinds, " | ") .. " (:show(), :save(path))"
end

--- plot.line{...}, plot.scatter{...}, plot.band{...}, plot.image{...}, plot.field{...}, plot.trajectories{...}.
for kind in pairs(series.kinds) do
  plot[kind] = function(given) return new_figure("plot." .. kind, kind, given, 2) end
end

--- Axes without series yet.
function plot.figure(given) return new_figure("plot.figure", nil, given or {}, 2) end

--- One figure of several: plot.panels{figure, figure, ..., columns = 2, legend = "each" | "shared" | "none", title =, width =}.
function plot.panels(given)
  if type(given) ~= "table" or #given == 0 then error("plot.panels: expected a list of figures", 2) end
  local rest, self = {}, setmetatable({panels = {}}, Figure)
  for key, value in pairs(given) do if math.type(key) ~= "integer" then rest[key] = value end end
  self.options = options.check("plot.panels", rest, panels_spec, 2)
  for i, figure in ipairs(given) do
    if getmetatable(figure) ~= Figure then error(("plot.panels: item %d is %s, no figure"):format(i, options.show(figure)), 2) end
    for _, p in ipairs(figure.panels) do table.insert(self.panels, p) end
  end
  local n = #self.panels
  self.columns = math.min(n, self.options.columns or (n <= 3 and n or math.ceil(math.sqrt(n))))
  return self
end

--- Sorted option names of a kind: its own, then those of axes and figure.
function plot.options(kind)
  return options.sorted_keys(kind_of(kind, 2).spec), options.sorted_keys(panel.axes_spec), options.sorted_keys(figure_spec)
end

--- Colours and palettes by name, as style.gp lists them.
function plot.colors() return style.colors() end
function plot.palettes() return style.palettes() end

--- Whether pictures will have text: true, or nil and what to install.
function plot.check_fonts() return gnuplot.check_fonts(script.font) end

return plot
