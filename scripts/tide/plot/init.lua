--- tide.plot: figures as gnuplot scripts with their data beside them.
--
--   local plot = require "tide.plot"
--   local fig = plot.line{x = t, y = loss, name = "NODE", xlabel = "epoch", ylabel = "loss", ylog = true}
--   fig:add("band", {runs = runs, name = "ANODE"})
--   fig:save("runs/a/loss.png")       -- also loss.gp (runs alone: `gnuplot loss.gp`) and loss.dat
--   fig:show()                        -- in the terminal, in a window, or as text: what there is
--   fig:notes()                       -- what is missing from the picture, as it says itself
--
-- Kinds: line, scatter, band, errorbar, histogram, image, heatmap, contour, surface, curve, field, quiver,
-- streamlines, trajectories. Their options and those of the axes are the tables `spec` of each (series,
-- flows, cells, contour, errorbar, histogram, space, streams) and `axes_spec` of panel.lua;
-- `plot.options(kind)` lists them. A list inside the table adds several series: plot.line{{y = a, name =
-- "a"}, {y = b, name = "b"}, xlabel = "step"}. plot.panels{fig, fig, columns = 2} puts figures together.

local animation = require "tide.plot.animation"
local core = require "tide.core"
local figures = require "tide.plot.figures"
local files = require "tide.base.files"
local gnuplot = require "tide.plot.gnuplot"
local options = require "tide.base.options"
local panel = require "tide.plot.panel"
local runs = require "tide.plot.runs"
local script = require "tide.plot.script"
local series = require "tide.plot.series"
local show = require "tide.plot.show"
local stats = require "tide.base.stats"
local style = require "tide.plot.style"

local plot = {}

-- Errors name the user's line, also where only this part of Tide was loaded.
local here = debug.getinfo(1, "S").source:match("^@(.*)plot/init%.lua$")
if here then core.library_root(here) end

plot.median_band, plot.mean_band, plot.bin = stats.median_band, stats.mean_band, stats.bin
plot.runs, plot.looks, plot.band_caption = runs.split, runs.looks, runs.caption
plot.plain, plot.escape = style.plain, style.escape
plot.main, plot.figures = figures.main, figures.figures

local function size(v) return options.positive(v) and v <= 20000, "> 0 and at most 20000" end

local figure_spec = {
  width = {"number", check = size},  -- logical pixels, 1/96 inch
  height = {"number", check = size}, -- nil: what the aspect ratios ask for
  scale = {"number", default = 2, check = options.between(0.01, 100)}, -- png pixels per logical pixel
  fontsize = {"number", default = 12, check = options.between(1, 1000)},
  note = {"string"}, -- comment for script and data: command, run ids, ...
}

local panels_spec = {
  title = {"string"}, markup = {"boolean", default = false},
  columns = {"integer", check = options.at_least(1)},
  legend = {"string", default = "each", check = options.one_of{"each", "shared", "none"}},
}
for key, rule in pairs(figure_spec) do panels_spec[key] = rule end

local Figure = {__name = "tide.plot.Figure"}
Figure.__index = Figure

function Figure.__newindex(_, key)
  local hint = panel.axes_spec[key] and (": write fig:axes{%s = ...}"):format(key)
    or figure_spec[key] and (": give %s when the figure is made"):format(key)
  if not hint then
    local near = options.nearest(tostring(key), options.sorted_keys(panel.axes_spec))
    hint = near and (' (did you mean "%s"?): write fig:axes{%s = ...}'):format(near, near)
      or "; it is changed by :add, :axes and :raw"
  end
  core.raise(('plot: a figure has no field "%s"%s'):format(tostring(key), hint))
end

local function check_self(self, method)
  if getmetatable(self) ~= Figure then
    core.raise(("plot: write fig:%s(...) with a colon; it was called on %s"):format(method,
      options.show(self)))
  end
end

-- Numbers where options were expected: a tensor, or a list of numbers or of tensors.
local function is_data(v)
  if type(v) == "userdata" or type(v) == "number" then return true end
  return type(v) == "table" and getmetatable(v) ~= Figure
    and (type(v[1]) == "number" or type(v[1]) == "userdata" or type(v.totable) == "function")
end

local function kind_of(kind)
  if not series.kinds[kind] then
    core.raise("plot: " .. options.unknown("kind of series", kind, options.sorted_keys(series.kinds)))
  end
  return series.kinds[kind]
end

-- One table holds the keys of figure, axes and series; sort them apart. Unknown keys fall to `rest`, for the
-- final check to name.
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

local function check_call(where, kind, given, others)
  local data = is_data(given) or others > 0
  if type(given) == "table" then
    for _, item in ipairs(given) do
      data = data or is_data(item) or type(item) == "table" and kind and not series.kinds[kind].spec.z
        and type(item[1]) == "table"
    end
  end
  if data and kind then
    core.raise(("%s takes one table of options: write %s%s"):format(where, where,
      series.kinds[kind].usage))
  end
end

local function new_figure(where, kind, given, others)
  check_call(where, kind, given, others)
  if type(given) ~= "table" then
    core.raise(("%s: expected a table of options, got %s"):format(where, options.show(given)))
  end
  local spec = kind and series.kinds[kind].spec or {}
  local figure, axes, rest = sort_keys(given, spec)
  for key in pairs(rest) do
    if not spec[key] then
      core.raise(("%s: %s"):format(where, options.unknown("option", key, all_keys(spec))))
    end
  end
  local panels = {{axes = options.check(where, axes, panel.axes_spec), series = {}, raw = {}}}
  local self = setmetatable({kind = kind, columns = 1, options = options.check(where, figure, figure_spec),
    panels = panels}, Figure)
  -- What stands beside a list of series (a colour, say) is the default of each.
  if given[1] ~= nil and kind then
    for _, item in ipairs(given) do
      if type(item) ~= "table" then
        core.raise(("%s: each item of the list must be a table of options, got %s"):format(where,
          options.show(item)))
      end
      local merged = {}
      for key, value in pairs(rest) do merged[key] = value end
      for key, value in pairs(item) do merged[key] = value end
      self:add_at(kind, merged)
    end
  elseif next(rest) ~= nil then
    self:add_at(kind, rest)
  end
  return self
end

function Figure:one_panel()
  if #self.panels > 1 then
    core.raise("plot: this figure has several panels; add to one of them before plot.panels")
  end
  return self.panels[1]
end

function Figure:add_at(kind, given)
  local target = self:one_panel()
  local spec = kind_of(kind).spec
  check_call(("fig:add(\"%s\", ...)"):format(kind), kind, given, 0)
  for key in pairs(type(given) == "table" and given or {}) do
    if not spec[key] and (panel.axes_spec[key] or figure_spec[key]) then
      core.raise(("plot.%s: %s is no option of a series: write it beside the list of series%s"):format(kind,
        key,
        panel.axes_spec[key] and (", or fig:axes{%s = ...}"):format(key) or ""))
    end
  end
  local checked = options.check("plot." .. kind, given, spec)
  table.insert(target.series, {kind = kind, options = checked})
  return self
end

--- Add a series: fig:add("band", {...}), or fig:add{...} for one more of the figure's own kind.
function Figure:add(kind, given)
  check_self(self, "add")
  if type(kind) == "table" then kind, given = self.kind, kind end
  if type(kind) ~= "string" then
    core.raise("plot: say which kind of series to add, as in fig:add(\"line\", {...})")
  end
  return self:add_at(kind, given)
end

--- Change axes after the fact: fig:axes{xlabel = "epoch"}.
function Figure:axes(given)
  check_self(self, "axes")
  local target = self:one_panel()
  options.check("plot axes", given, panel.axes_spec)
  for key, value in pairs(given) do target.axes[key] = value end
  return self
end

--- A line of gnuplot, placed just before the plot command; in a figure of panels give it to the panel.
function Figure:raw(line)
  check_self(self, "raw")
  if type(line) ~= "string" then
    core.raise("plot: raw takes a line of gnuplot, got " .. options.show(line))
  end
  table.insert(self:one_panel().raw, line)
  return self
end

-- What a pcall returned, or its error with the user's line in front, which those of options have already.
local function checked(ok, ...)
  if ok then return ... end
  local message = ...
  if not tostring(message):find("^[^\n]*:%d+: plot") then core.raise(message) end
  error(message, 0)
end

--- The texts of NAME.gp and NAME.dat without running anything, and the notes.
function Figure:render(name, extension)
  check_self(self, "render")
  if extension ~= nil and not script.can_write(extension) then
    core.raise("plot: " .. options.unknown("extension", extension, script.extensions))
  end
  return checked(pcall(script.render, self, name or "figure", extension or "png"))
end

--- What a reader of the picture must know, as the picture says it: points that are missing because they are
-- not finite, empty series.
function Figure:notes()
  check_self(self, "notes")
  local _, _, notes = checked(pcall(script.render, self, "figure", "png"))
  return notes
end

local function must(ok, message)
  if not ok then core.raise("plot: " .. message) end
end

local function report(where, notes)
  for i = 1, math.min(#notes, 4) do io.stderr:write(("plot: %s: %s\n"):format(where, notes[i])) end
  if #notes > 4 then
    io.stderr:write(("plot: %s: %d notes more; fig:notes() lists them\n"):format(where, #notes - 4))
  end
end

-- Write what render(name, extension) gives beside `path` and draw it. The extension is one of the list, whose
-- first is that of names without one.
local function draw_file(path, extensions, render)
  if type(path) ~= "string" then core.raise("plot: save needs a file name, got " .. options.show(path)) end
  local folder, last = files.split(path)
  if path:find("\0", 1, true) or last == "" or last == "." or last == ".." then
    core.raise("plot: save needs the name of a file, got " .. options.show(path))
  end
  local name, extension = files.stem(path)
  if extension == "" then
    extension = extensions[1]
    last = last .. "." .. extension
  elseif not options.one_of(extensions)(extension) then
    core.raise("plot: " .. options.unknown("extension", extension, extensions))
  end
  local text, data, notes = checked(pcall(render, name, extension))
  must(files.make_folder(folder))
  must(files.write(files.join(folder, name .. ".dat"), data))
  must(files.write(files.join(folder, name .. ".gp"), text))
  if extension ~= "svg" then gnuplot.warn_fonts(script.font) end -- an svg brings no fonts
  must(gnuplot.run(folder, name .. ".gp", last))
  report(style.one_line(files.join(folder, last)), notes)
  return files.join(folder, last)
end

--- Draw into `path` (png, svg or pdf by extension; png without one), with the script and the data beside it.
-- On failure an older picture stays, and script and data show what went wrong. Returns the path.
function Figure:save(path, ...)
  check_self(self, "save")
  if select("#", ...) > 0 then
    core.raise("plot: save takes a file name alone; width, height and scale are given when the figure is "
      .. "made")
  end
  return draw_file(path, script.extensions, function(name, extension)
    return script.render(self, name, extension)
  end)
end

local share = options.between(0, 1)
local inset_spec = {
  x = {"number", default = 0.58, check = share}, y = {"number", default = 0.58, check = share},
  width = {"number", default = 0.38, check = share}, height = {"number", default = 0.36, check = share},
}

--- Put another figure of one panel inside of this one: its left and bottom, width and height as shares of the
-- panel's box. Its legend is left out.
function Figure:inset(figure, at)
  check_self(self, "inset")
  if getmetatable(figure) ~= Figure or figure == self then
    core.raise("plot: fig:inset takes another figure, got " .. options.show(figure))
  end
  local o = options.check("fig:inset", at, inset_spec)
  if o.x + o.width > 1 or o.y + o.height > 1 then
    core.raise(("fig:inset: x + width and y + height are at most 1, got %g and %g"):format(o.x + o.width,
      o.y + o.height))
  end
  local target = self:one_panel()
  target.insets = target.insets or {}
  table.insert(target.insets, {panel = figure:one_panel(), at = o})
  return self
end

--- The figure as text of width x height characters, with its notes below.
function Figure:text(opts)
  check_self(self, "text")
  return checked(pcall(show.text, self, options.check("plot text", opts, show.text_spec)))
end

--- Show the figure: in the terminal where that can draw (kitty, sixel), in a window of gnuplot where there is
-- a display, as text otherwise, and say which.
function Figure:show(opts)
  check_self(self, "show")
  checked(pcall(show.show, self, options.check("plot show", opts, show.spec)))
end

--- What the prompt does with a figure that is the value of a line.
Figure.__display = function(self) self:show() end

Figure.__tostring = function(self)
  local kinds = {}
  for i, p in ipairs(self.panels) do
    local names = {}
    for j, item in ipairs(p.series) do names[j] = item.kind end
    kinds[i] = table.concat(names, " + ")
  end
  return "figure: " .. table.concat(kinds, " | ") .. " (:show(), :save(path))"
end

--- plot.line{...}, plot.scatter{...} and the other kinds.
for kind in pairs(series.kinds) do
  plot[kind] = function(given, ...) return new_figure("plot." .. kind, kind, given, select("#", ...)) end
end

--- Axes without series yet.
function plot.figure(given) return new_figure("plot.figure", nil, given or {}, 0) end

--- One figure of several: plot.panels{figure, figure, ..., columns = 2, legend = "each" | "shared" | "none",
-- title =, width =}.
function plot.panels(given)
  if type(given) ~= "table" or #given == 0 then core.raise("plot.panels: expected a list of figures") end
  local rest, panels = {}, {}
  for key, value in pairs(given) do if math.type(key) ~= "integer" then rest[key] = value end end
  local o = options.check("plot.panels", rest, panels_spec)
  for i, figure in ipairs(given) do
    if getmetatable(figure) ~= Figure then
      core.raise(("plot.panels: item %d is %s, no figure"):format(i, options.show(figure)))
    end
    for _, p in ipairs(figure.panels) do table.insert(panels, p) end
  end
  local n = #panels
  local columns = math.min(n, o.columns or (n <= 3 and n or math.ceil(math.sqrt(n))))
  return setmetatable({panels = panels, options = o, columns = columns}, Figure)
end

--- plot.animation{figure, figure, ..., seconds = 0.2, loop = true}: an object with :save("a.gif"), and
-- :row(n), a figure of n frames side by side. Panels that correspond have common axes and colours.
plot.animation = animation.maker({panels = plot.panels, file = draw_file,
  is_figure = function(v) return getmetatable(v) == Figure end}, figure_spec)

--- Sorted option names of a kind: its own, then those of axes and figure.
function plot.options(kind)
  return options.sorted_keys(kind_of(kind).spec), options.sorted_keys(panel.axes_spec),
    options.sorted_keys(figure_spec)
end

--- Colours and palettes by name, as style.gp lists them.
function plot.colors() return style.colors() end
function plot.palettes() return style.palettes() end

--- Whether pictures will have text: true, or nil and what to install.
function plot.check_fonts() return gnuplot.check_fonts(script.font) end

return options.strict("tide.plot", plot)
