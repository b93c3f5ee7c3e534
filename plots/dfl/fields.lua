-- What methods see of a field along its solutions.

local csv = require "tide.csv"
local plot = require "tide.plot"

local M = {}

function M.automatic(source)
  local data = csv.read(source:path("automatic/automatic.csv"), {"t", "y", "stable", "accurate", "stiff"})
  local t = data:column("t")
  local above = plot.figure{title = "(a) Van der Pol's oscillator", xlabel = "t", ylabel = "y",
    xrange = {t[1], t[#t]}, ratio = 0.4}
  above:add("line", {x = t, y = data:column("y"), color = "black", dash = 1})
  local below = plot.figure{title = "(b) The step that each asks for", xlabel = "t", ylabel = "step",
    ylog = true, xrange = {t[1], t[#t]}, ratio = 0.4}
  below:add("line", {x = t, y = data:column("accurate"), color = "blue", dash = 1, name = "accuracy"})
  below:add("line", {x = t, y = data:column("stable"), color = "vermillion", dash = {8, 4},
    name = "stability of dopri5"})
  local made = csv.read(source:path("automatic/steps.csv"), {"t", "h", "stiff"}):sorted "stiff":group "stiff"
  for _, group in ipairs(made) do
    local stiff = group.key.stiff == 1
    below:add("scatter", {x = group:column "t", y = group:column "h", color = stiff and "orange" or "green",
      marker = stiff and "square" or "circle", size = 0.5, rim = false,
      name = stiff and "auto, by radau5" or "auto, by tsit5"})
  end
  return plot.panels{above, below, columns = 1, width = 720, note = table.concat(data.comments, "\n")}
end

local function circle()
  local x, y = {}, {}
  for i = 0, 120 do
    local angle = 2 * math.pi * i / 120
    x[i + 1], y[i + 1] = -1 + math.cos(angle), math.sin(angle)
  end
  return x, y
end

local function spectrum(rows, steps, letter)
  local re, im, reach = rows:column("re"), rows:column("im"), 2.5
  for i = 1, #re do reach = math.max(reach, 1.05 * math.abs(re[i] + 1), 1.05 * math.abs(im[i])) end
  local fig = plot.figure{title = ("(%s) trained with %d Euler steps"):format(letter, steps),
    xlabel = "Re h lambda",
    ylabel = "Im h lambda", ratio = 1, xrange = {-1 - reach, -1 + reach}, yrange = {-reach, reach},
      grid = true}
  fig:add("scatter", {x = re, y = im, color = "blue", marker = "circle", size = 0.5, alpha = 0.5, rim = false,
    name = "eigenvalues"})
  local x, y = circle()
  return fig:add("line", {x = x, y = y, color = "vermillion", linewidth = 2, dash = 1, name = "|1 + z| = 1"})
end

function M.spectra(source)
  local data = csv.read(source:path("spectra/spectra.csv"), {"steps", "re", "im"})
  local panels = {columns = 3, legend = "shared", note = table.concat(data.comments, "\n")}
  for i, group in ipairs(data:sorted("steps"):group("steps")) do
    panels[i] = spectrum(group, group.key.steps, ("abcdef"):sub(i, i))
  end
  return plot.panels(panels)
end

return M
