-- Work-precision diagrams: a panel for each problem, a line for each method, a point for each tolerance.

local csv = require "tide.csv"
local plot = require "tide.plot"

local M = {}

-- The same colour for the same idea; Tide's lines are whole, those of others dashed.
local colors = {radau5 = "blue", Radau = "blue", bdf = "vermillion", BDF = "vermillion", rodas4 = "green",
  LSODA = "black", dopri5 = "blue", RK45 = "blue", dop853 = "vermillion", DOP853 = "vermillion",
  vern7 = "green", adams = "orange"}
local markers = {tide = "circle", scipy = "square", cvode = "triangle"}
local names = {tide = "Tide", scipy = "SciPy", cvode = "CVODE"}
local labels = {evaluations = "evaluations of f", seconds = "seconds"}

local function line(rows, engine, method, cost)
  local own = rows:where(function(r)
    return r.engine == engine and r.method == method and r.error > 1e-10 and r.error < 0.3
  end):sorted("tolerance")
  return {x = own:column("error"), y = own:column(cost), color = colors[method], marker = markers[engine],
    dash = engine == "tide" and 1 or engine == "scipy" and {6, 3} or {6, 3, 2, 3}, size = 0.7,
    name = names[engine] .. " " .. method}
end

local ticks = {}
for k = 1, 5 do ticks[k] = {10.0 ^ (2 * k - 12), ("10^{\u{2212}%d}"):format(12 - 2 * k)} end

--- draw(source, kinds of problems, {{engine, method}, ...}, a column): a panel for each problem, but for that
-- of Prothero and Robinson, whose errors at the end are accidents: every step falls back on the solution.
function M.draw(source, kinds, methods, cost)
  local data = csv.read(source:path("stiff.csv"), {"problem", "kind", "engine", "method", "tolerance",
    "error", cost})
  local panels = {columns = 3, legend = "shared", note = table.concat(data.comments, "\n")}
  local shown = data:where(function(r) return kinds[r.kind] and r.problem ~= "Prothero-Robinson" end)
  for i, rows in ipairs(shown:group("problem")) do
    panels[i] = plot.figure{title = rows:column("problem")[1], xlog = true, ylog = true, ratio = 0.9,
      xrange = {1e-10, 0.3}, xticks = ticks, markup = true,
      xlabel = "error at the end", ylabel = labels[cost]}
    for _, m in ipairs(methods) do
      local curve = line(rows, m[1], m[2], cost)
      if #curve.x > 0 then panels[i]:add("line", curve) end
    end
  end
  return plot.panels(panels)
end

return M
