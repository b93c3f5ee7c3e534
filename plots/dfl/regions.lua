-- Regions of absolute stability.

local csv = require "tide.csv"
local plot = require "tide.plot"

local M = {}

local frames = {
  explicit = {"Explicit Runge-Kutta: stable inside", {-8, 4}, {-6, 6}},
  adams_bashforth = {"Adams-Bashforth: stable inside", {-2.2, 0.6}, {-1.4, 1.4}},
  adams_moulton = {"Adams-Moulton: stable inside", {-7, 1}, {-4, 4}},
  abm = {"PECE of Adams methods: stable inside", {-3, 1}, {-2, 2}},
  bdf = {"BDF: stable outside", {-10, 30}, {-20, 20}},
  implicit = {"Implicit Runge-Kutta: stable outside", {-4, 14}, {-9, 9}},
}
local order = {"explicit", "adams_bashforth", "adams_moulton", "abm", "bdf", "implicit"}

local colors = {"blue", "vermillion", "green", "orange", "pink", "sky", "black", "#7F7F7F"}
local dashed, dotted = {8, 4}, {8, 4, 2, 4}
local dashes = {1, dashed, 1, dotted, 1, dashed, 1, dotted}

-- The curve of one method, its pieces apart.
local function boundary(fig, rows, k, name)
  fig:add("trajectories", {x = rows:column("re"), y = rows:column("im"), id = rows:column("piece"),
    name = name,
    start = false, arrows = false, color = colors[k], dash = dashes[k], linewidth = 1.6})
end

local function panel(data, group)
  local frame = frames[group]
  local fig = plot.figure{title = frame[1], xlabel = "Re h lambda", ylabel = "Im h lambda", xrange = frame[2],
    yrange = frame[3], ratio = "equal", legend = "above", grid = true}
  fig:add("line", {x = {0, 0}, y = frame[3], color = "#B0B0B0", linewidth = 1, dash = 1})
  fig:add("line", {x = frame[2], y = {0, 0}, color = "#B0B0B0", linewidth = 1, dash = 1})
  local seen, k = {}, 0
  for _, name in ipairs(data:column("method")) do
    if not seen[name] then
      seen[name], k = true, k + 1
      boundary(fig, data:where(function(r) return r.method == name end), k, name)
    end
  end
  return fig
end

function M.all(source)
  local data = csv.read(source:path("stability/stability.csv"), {"group", "method", "piece", "re", "im"})
  local panels = {columns = 3, note = table.concat(data.comments, "\n")}
  for i, group in ipairs(order) do
    panels[i] = panel(data:where(function(r) return r.group == group end), group)
  end
  return plot.panels(panels)
end

-- log10 |R|: 0 is the imaginary axis, zeros are dark, poles light.
function M.gauss(source)
  local data = csv.read(source:path("gauss/gauss.csv"), {"re", "im", "value"})
  local rows, at = {}, {}
  for _, r in ipairs(data:records()) do
    if not at[r.im] then
      rows[#rows + 1] = {}
      at[r.im] = rows[#rows]
    end
    table.insert(at[r.im], math.max(-1, math.min(1, math.log(math.max(r.value, 1e-300), 10))))
  end
  local re = data:column("re")
  local reach = {re[1], re[#re]}
  local fig = plot.figure{title = "Two-stage Gauss: log10 |R(z)|, cut at -1 and 1", xlabel = "Re z",
    ylabel = "Im z",
    ratio = "equal", width = 560, note = table.concat(data.comments, "\n")}
  fig:add("image", {z = rows, x = reach, y = reach, range = {-1, 1}})
  fig:add("line", {x = {0, 0}, y = reach, color = "black", linewidth = 2, dash = 1, name = "|R| = 1"})
  local w = math.sqrt(3)
  fig:add("scatter", {x = {-3, -3}, y = {w, -w}, marker = "ring", color = "sky", name = "zeros -3 +- 1.732 i",
    rim = false, size = 1.5})
  return fig:add("scatter", {x = {3, 3}, y = {w, -w}, marker = "cross", color = "black",
    name = "poles 3 +- 1.732 i",
    rim = false, size = 1.5})
end

return M
