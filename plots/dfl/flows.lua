-- Continuous normalizing flows: densities and samples on their way, what the training costs.

local csv = require "tide.csv"
local plot = require "tide.plot"

local M = {}

local titles = {moons = "moons", eight_gaussians = "eight normal distributions", pinwheel = "pinwheel",
  checkerboard = "checkerboard"}

-- Rows of the matrix of p over x and y, which come line by line; how far it reaches.
local function matrix(rows)
  local z, last = {}, nil
  local y, p = rows:column("y"), rows:column("p")
  for i, v in ipairs(p) do
    if y[i] ~= last then
      z[#z + 1], last = {}, y[i]
    end
    table.insert(z[#z], v)
  end
  return z, {y[1], y[#y]}
end

local function axes(title, reach)
  return plot.figure{title = title, ratio = "equal", xrange = reach, yrange = reach}
end

function M.densities(source)
  local data = csv.read(source:path("cnf/density.csv"), {"set", "t", "x", "y", "p"})
  local samples = csv.read(source:path("cnf/samples.csv"), {"set", "t", "x", "y"})
  local panels = {columns = 4, width = 1200, note = table.concat(data.comments, "\n")}
  for _, group in ipairs(data:group("set")) do
    local set, reach = group.key.set, nil
    for _, moment in ipairs(group:group("t")) do
      local z
      z, reach = matrix(moment)
      local fig = axes(("%s, t = %.2f"):format(titles[set] or set, moment.key.t), reach)
      panels[#panels + 1] = fig:add("image", {z = z, x = reach, y = reach})
    end
    local last = samples:where(function(r) return r.set == set and r.t == 1 end)
    panels[#panels + 1] = axes("samples", reach):add("scatter", {x = last:column("x"), y = last:column("y"),
      color = "blue", size = 0.5, rim = false, alpha = 0.6})
  end
  return plot.panels(panels)
end

local colors = {"blue", "vermillion", "green", "orange", "pink", "sky", "black"}

function M.training(source)
  local data = csv.read(source:path("cnf/training.csv"), {"set", "augment", "iteration", "nll",
    "nfe_forward"})
  local left = plot.figure{title = "(a) -log p of the batches", xlabel = "iteration", ylabel = "nats"}
  local right = plot.figure{title = "(b) evaluations of a forward solve", xlabel = "iteration",
    ylabel = "NFE"}
  local plain = data:where(function(r) return r.augment == 0 end)
  for k, group in ipairs(plain:group("set")) do
    local name = titles[group.key.set] or group.key.set
    local x = group:column("iteration")
    left:add("line", {x = x, y = group:column("nll"), color = colors[k], dash = 1, name = name})
    right:add("line", {x = x, y = group:column("nfe_forward"), color = colors[k], dash = 1, name = name})
  end
  return plot.panels{left, right, columns = 2, legend = "shared", note = table.concat(data.comments, "\n")}
end

return M
