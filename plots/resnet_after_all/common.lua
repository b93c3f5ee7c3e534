-- What the figures of *ResNet After All?* share: reading results, colours of numbers of steps, panels that
-- several figures have.
--
-- figures.lua lists them. Each is drawn from CSV alone by a function of where its tables are (`source`).

local csv = require "tide.csv"
local plot = require "tide.plot"

local M = {}

M.titles = {spheres2 = "Spheres, 2 dimensions", spheres3 = "Spheres, 3 dimensions",
  spheres10 = "Spheres, 10 dimensions", spheres900 = "Spheres, 900 dimensions",
  landscape = "Energy landscape", mnist = "MNIST", cifar10 = "CIFAR-10"}
M.methods = {euler = "Euler", midpoint = "midpoint", rk4 = "rk4", dopri5 = "dopri5",
  fehlberg21 = "fehlberg21"}
local markers = {euler = "circle", midpoint = "cross", rk4 = "triangle", dopri5 = "circle",
  fehlberg21 = "diamond"}

--- A table of the results.
function M.read(source, name, columns) return csv.read(source:path(name), columns) end

--- Parts of a table whose rows agree in a column, in ascending order of it.
function M.split(data, name) return data:sorted(name):group(name) end

--- The comments of tables, for the note of a figure.
function M.note(...)
  local out = {}
  for i, data in ipairs{...} do out[i] = table.concat(data.comments, "\n") end
  return table.concat(out, "\n")
end

local viridis = {{68, 1, 84}, {71, 45, 123}, {59, 82, 139}, {44, 114, 142}, {33, 145, 140}, {40, 174, 128},
  {94, 201, 98}, {173, 220, 48}}

--- Colour of the i-th of n: viridis without its yellow, which is too light for thin lines.
function M.color(i, n)
  local at = n > 1 and (i - 1) / (n - 1) * (#viridis - 1) or 0
  local k = math.min(math.floor(at), #viridis - 2)
  local parts = {}
  for c = 1, 3 do
    parts[c] = math.floor(viridis[k + 1][c] + (at - k) * (viridis[k + 2][c] - viridis[k + 1][c]) + 0.5)
  end
  return ("#%02X%02X%02X"):format(table.unpack(parts))
end

-- Powers of two or ten that lie in the data, as plain numbers.
local function ticks(values, tolerances)
  local low, high, out = math.huge, 0, {}
  for _, v in ipairs(values) do low, high = math.min(low, v), math.max(high, v) end
  local v = tolerances and 10 ^ math.floor(math.log(low, 10)) or 1
  while v <= high * 1.01 do
    if v >= low * 0.99 then
      out[#out + 1] = {v, tolerances and ("10^{%d}"):format(math.floor(math.log(v, 10) + 0.5))
        or ("%d"):format(v)}
    end
    v = v * (tolerances and 10 or high > 16 * low and 4 or 2)
  end
  return out
end

local function is_own(row) return row.test_method == row.method and row.factor == 1 end

-- A line per test method, in order of its steps.
local function add_tests(fig, rows, method, look)
  for _, test in ipairs(rows:sorted("test_method", "test_setting"):group("test_method")) do
    local own = test.key.test_method
    fig:add("line", {x = test:column("test_setting"), y = test:column("accuracy"), size = 0.9,
      linewidth = 0.8, marker = markers[own], color = look.color, alpha = look.alpha,
      dash = own ~= method and {3, 3} or 1})
  end
end

--- A panel like those of figure 3: accuracy against the test solver's steps; a colour per training solver,
-- marked where it tests itself.
function M.overview(data, method, title)
  local rows = data:where(function(r) return r.method == method and r.accuracy == r.accuracy end)
  local tolerances = method == "dopri5" or method == "fehlberg21"
  local fig = plot.figure{title = title, xlabel = tolerances and "tolerance of the test"
    or "steps of the test", ylabel = "test accuracy", xlog = true, yrange = {0, 1},
    xticks = ticks(rows:column("test_setting"), tolerances), markup = tolerances, ratio = 0.75}
  local trained = M.split(rows, "setting")
  for i, group in ipairs(trained) do
    add_tests(fig, group, method, {color = M.color(i, #trained), alpha = 0.55})
  end
  for i, group in ipairs(trained) do
    for _, row in ipairs(group:records()) do
      if is_own(row) then
        local deviation = row.accuracy_std == row.accuracy_std and row.accuracy_std or 0
        fig:add("line", {x = {row.test_setting}, y = {row.accuracy}, low = {row.accuracy - deviation},
          high = {row.accuracy + deviation}, color = M.color(i, #trained), marker = "circle", size = 2.1,
          linewidth = 1.5})
      end
    end
  end
  return fig
end

--- Entries that explain markers: methods is a list of test methods.
function M.explain(fig, methods, own)
  fig:add("entry", {name = own or "tested as trained (mean ± deviation of the seeds)", color = own and "blue"
    or "gray", marker = "circle", size = 2.1})
  for _, method in ipairs(methods) do
    fig:add("entry", {name = "tested with " .. M.methods[method], color = "gray", marker = markers[method],
      size = 0.9, linewidth = 0.8, dash = method ~= methods[1] and {3, 3} or nil})
  end
end

--- Panels for data sets x training methods of DATA/grid.csv.
function M.grids(source, sets, methods)
  local panels, notes = {columns = #methods, legend = "shared"}, {}
  for _, set in ipairs(sets) do
    local data = M.read(source, set .. "/grid.csv", {"method", "setting", "test_method", "factor",
      "test_setting", "accuracy", "accuracy_std"})
    for _, method in ipairs(methods) do
      if data:where(function(r) return r.method == method end).rows > 0 then
        local fig = M.overview(data, method, ("%s, trained with %s"):format(M.titles[set], M.methods[method]))
        if #panels == 0 then M.explain(fig, {"euler", "midpoint", "rk4"}) end
        panels[#panels + 1] = fig
        notes[#notes + 1] = data
      end
    end
  end
  panels.note = M.note(table.unpack(notes))
  return plot.panels(panels)
end

--- A training method with tolerances, tested with `tests`.
function M.tolerances(source, method, tests)
  local data = M.read(source, "tolerances/grid.csv", {"method", "setting", "test_method", "factor",
    "test_setting", "accuracy"})
  local fig = M.overview(data, method, "Spheres, 2 dimensions, trained with " .. method)
  M.explain(fig, tests)
  return plot.panels{fig, legend = "shared", width = 640, note = M.note(data)}
end

-- One panel of figures 7 to 12: all seeds of one training solver; those that failed in grey.
local function seeds_panel(rows, title)
  local fig = plot.figure{title = title, xlabel = "steps of the test", ylabel = "test accuracy", xlog = true,
    yrange = {0, 1}, xticks = ticks(rows:column("test_setting")), ratio = 0.75}
  for _, seed in ipairs(M.split(rows, "seed")) do
    local failed = seed:column("status")[1] ~= "ok"
    add_tests(fig, seed, seed:column("method")[1], {color = failed and "gray" or "sky",
      alpha = failed and 0.5 or 0.8})
    for _, row in ipairs(seed:records()) do
      if is_own(row) then
        fig:add("scatter", {x = {row.test_setting}, y = {row.accuracy}, color = failed and "gray" or "blue",
          marker = "circle", size = 1.6})
      end
    end
  end
  return fig
end

--- Figures 7 to 12: panels for numbers of training steps x methods of DATA/seeds.csv.
function M.seeds(source, set, settings)
  local data = M.read(source, set .. "/seeds.csv", {"method", "setting", "seed", "status", "test_method",
    "factor", "test_setting", "accuracy"})
  local panels = {columns = 2, legend = "shared", title = M.titles[set], note = M.note(data)}
  for _, setting in ipairs(settings) do
    for _, method in ipairs{"euler", "rk4"} do
      local rows = data:where(function(r) return r.method == method and r.setting == setting end)
      if rows.rows > 0 then
        local fig = seeds_panel(rows, ("%s, %d step%s"):format(M.methods[method], setting, setting > 1 and "s"
          or ""))
        if #panels == 0 then
          M.explain(fig, {"euler", "midpoint", "rk4"}, "tested as trained, one point per seed")
          fig:add("entry", {name = "seed whose training failed", color = "gray", marker = "circle",
            size = 1.6})
        end
        panels[#panels + 1] = fig
      end
    end
  end
  return plot.panels(panels)
end

return M
