-- Curves: errors against step sizes, iterates, solutions.

local csv = require "tide.csv"
local plot = require "tide.plot"

local M = {}

local colors = {"blue", "vermillion", "green", "orange", "pink", "sky", "black"}
local markers = {"circle", "square", "triangle", "diamond", "wedge", "pentagon", "cross"}

local function read(source, name, columns)
  local data = csv.read(source:path(name), columns)
  return data, table.concat(data.comments, "\n")
end

-- A line with a look of its own for the k-th of many: seven colours, then again with open dashes.
local function look(k, options)
  options.color, options.marker = colors[(k - 1) % 7 + 1], markers[(k - 1) % 7 + 1]
  options.dash, options.size = k > 14 and {6, 3, 2, 3} or k > 7 and {6, 3} or 1, 0.8
  return options
end

-- The parts of a table with one value of a column, in the order of their first rows.
local function parts(data, name)
  local seen, out = {}, {}
  for _, v in ipairs(data:column(name)) do
    if not seen[v] then
      seen[v] = true
      out[#out + 1] = {v, data:where(function(r) return r[name] == v end)}
    end
  end
  return out
end

local function error_axes(options)
  options.xlog, options.ylog, options.ratio = true, true, options.ratio or 0.75
  options.ylabel = options.ylabel or "error"
  options.xlabel = options.xlabel or "step size"
  return plot.figure(options)
end

local families = {explicit = "(a) Explicit Runge-Kutta", implicit = "(b) Implicit",
  multistep = "(c) Multistep"}

-- A panel for each family that is there; Rosenbrock methods stand with the implicit ones.
function M.convergence(source)
  local data, note = read(source, "convergence/convergence.csv", {"family", "method", "h", "error"})
  local panels = {columns = 3, note = note}
  for i, family in ipairs{"explicit", "implicit", "multistep"} do
    panels[i] = error_axes{title = families[family], ratio = 1.2, yrange = {1e-16, 1}}
    local rows = data:where(function(r) return r.family == family or r.family == "rosenbrock"
      and family == "implicit" end)
    for k, part in ipairs(parts(rows, "method")) do
      panels[i]:add("line", look(k, {x = part[2]:column("h"), y = part[2]:column("error"),
        name = part[1]:gsub("^implicit_", "")}))
    end
  end
  return plot.panels(panels)
end

function M.heun(source)
  local data, note = read(source, "heun/heun.csv", {"h", "E1", "E2", "bound", "tau"})
  local fig = error_axes{title = "Heun's method: h tau = E1 + E2", note = note, width = 560, ylabel = "size"}
  local names = {{"E1", "|E1|, slope 3"}, {"E2", "|E2|, slope 3"}, {"bound", "bound of |E2|"}, {"tau",
    "|tau|, slope 2"}}
  for k, row in ipairs(names) do
    fig:add("line", look(k, {x = data:column("h"), y = data:column(row[1]), name = row[2]}))
  end
  return fig
end

function M.picard(source)
  local data, note = read(source, "picard/picard.csv", {"n", "t", "y", "exact"})
  local fig = plot.figure{title = "Picard's iterates of y' = p y + q", xlabel = "t", ylabel = "y",
    note = note,
    width = 560, ratio = 0.75, yrange = {-2, 3}}
  local list = parts(data, "n")
  for k, part in ipairs(list) do
    local shade = math.floor(210 - 170 * (k - 1) / math.max(1, #list - 1))
    fig:add("line", {x = part[2]:column("t"), y = part[2]:column("y"), dash = k % 2 == 0 and 2 or 1,
      color = ("#%02X%02X%02X"):format(shade, shade, 255 - (210 - shade) // 2),
        name = ("n = %d"):format(part[1])})
  end
  local first = list[1][2]
  return fig:add("line", {x = first:column("t"), y = first:column("exact"), color = "vermillion",
    linewidth = 3,
    dash = 1, name = "exact"})
end

function M.fifth_root(source)
  local paths, note = read(source, "fifth_root/paths.csv", {"t", "implicit", "explicit", "exact"})
  local errors = read(source, "fifth_root/fifth_root.csv", {"h", "error"})
  local fig = plot.figure{title = "(a) y' = y^{1/5}, y(0) = 0, ten steps", markup = true, xlabel = "t",
    ylabel = "y",
    ratio = 0.75}
  for k, row in ipairs{{"exact", "(4t/5)^{5/4}"}, {"implicit", "implicit Euler"}, {"explicit", "Euler"}} do
    fig:add("line", look(k, {x = paths:column("t"), y = paths:column(row[1]), name = row[1] == "exact"
      and "exact" or row[2]}))
  end
  local right = error_axes{title = "(b) implicit Euler: largest error on [0, 1]"}
  right:add("line", look(2, {x = errors:column("h"), y = errors:column("error"), name = "implicit Euler"}))
  return plot.panels{fig, right, columns = 2, note = note}
end

function M.trapezoid(source)
  local data, note = read(source, "trapezoid/trapezoid.csv", {"h", "error", "bound"})
  local fig = error_axes{title = "Trapezium rule: error at the end and its bound", note = note, width = 560}
  fig:add("line", look(1, {x = data:column("h"), y = data:column("error"), name = "error"}))
  return fig:add("line", look(2, {x = data:column("h"), y = data:column("bound"), name = "bound of 12.7"}))
end

function M.theta(source)
  local data, note = read(source, "theta/theta.csv", {"steps", "theta", "error"})
  local fig = plot.figure{title = "theta method on logistic growth, t = 4",
    xlabel = "theta (weight of the old end)",
    ylabel = "error", ylog = true, note = note, width = 560, ratio = 0.75}
  for k, part in ipairs(parts(data, "steps")) do
    fig:add("line", look(k, {x = part[2]:column("theta"), y = part[2]:column("error"), every = 4,
      name = ("%d steps"):format(part[1])}))
  end
  return fig
end

function M.growth(source, title)
  local data, note = read(source, source.name .. "/" .. source.name .. ".csv", {"steps", "error"})
  local fig = plot.figure{title = ("y' = -y to t = 1: %s"):format(title), xlabel = "steps", ylabel = "error",
    ylog = true, note = note, width = 560, ratio = 0.75}
  return fig:add("line", look(2, {x = data:column("steps"), y = data:column("error"),
    name = "error at t = 1"}))
end

function M.predictor_corrector(source)
  local data, note = read(source, "predictor_corrector/predictor_corrector.csv",
    {"method", "order", "h", "error"})
  local names = {adams_bashforth = "Adams-Bashforth", abm = "PECE", adams_moulton = "Adams-Moulton"}
  local fig = plot.figure{title = "y' = y (1 - y) to t = 4, equal steps", xlabel = "order", ylabel = "error",
    ylog = true,
    note = note, width = 560, ratio = 0.75, xticks = {1, 2, 3, 4, 5}, xrange = {0.8, 5.2}}
  for k, part in ipairs(parts(data, "method")) do
    fig:add("line", look(k, {x = part[2]:column("order"), y = part[2]:column("error"),
      name = names[part[1]]}))
  end
  return fig
end

function M.richardson(source)
  local data, note = read(source, "richardson/richardson.csv", {"k", "h", "error"})
  local fig = error_axes{title = "Euler with 1 .. k steps, extrapolated", note = note, width = 560}
  for k, part in ipairs(parts(data, "k")) do
    fig:add("line", look(k, {x = part[2]:column("h"), y = part[2]:column("error"),
      name = ("k = %d"):format(part[1])}))
  end
  return fig
end

function M.adjoint(source)
  local data, note = read(source, "adjoint/adjoint.csv", {"k", "reconstructed", "by_hand", "engine"})
  local fig = plot.figure{title = "y' = -k w y to t = 1, tolerance 1e-6", xlabel = "k", ylabel = "relative "
    .. "error",
    ylog = true, note = note, width = 560, ratio = 0.75}
  for i, row in ipairs{{"reconstructed", "y(0), found again from y(1)"},
    {"by_hand", "dy(1)/dw, the way back by hand"}, {"engine", "dy(1)/dw, gradient = adjoint"}} do
    fig:add("line", look(i, {x = data:column("k"), y = data:column(row[1]), name = row[2]}))
  end
  return fig
end

-- Errors and evaluations of every kind of gradient over the tolerance; a line that is the tolerance.
function M.audit(source)
  local data, note = read(source, "audit/audit.csv", {"problem", "tolerance", "gradient", "relative_error",
    "nfe", "nfe_backward"})
  local function panel(title, problem, ylabel, of)
    local fig = plot.figure{title = title, xlabel = "tolerance", ylabel = ylabel, xlog = true, ylog = true,
      xrange = {1.3e-2, 3e-11}, xticks = {1e-2, 1e-4, 1e-6, 1e-8, 1e-10}, ratio = 0.85}
    for k, part in ipairs(parts(data:where(function(r) return r.problem == problem end), "gradient")) do
      local line = look(k, {x = part[2]:column("tolerance"), y = part[2]:column(of), name = part[1]})
      line.size = k < 4 and 2.2 - 0.5 * k or 0.7 -- some coincide
      fig:add("line", line)
    end
    return fig
  end
  local panels = {panel("(a) a network's flow", "network", "relative error", "relative_error"),
    panel("(b) a flow that contracts", "contracting", "relative error", "relative_error"),
    panel("(c) the network's, evaluations back", "network", "evaluations", "nfe_backward"),
    columns = 3, legend = "shared", note = note}
  for i = 1, 2 do
    panels[i]:add("line", {x = {1e-2, 1e-10}, y = {1e-2, 1e-10}, dash = 3, color = "gray",
      name = "the tolerance"})
  end
  return plot.panels(panels)
end

return M
