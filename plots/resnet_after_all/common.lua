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

local function thousands(n)
  local text = ("%d"):format(n)
  return (text:reverse():gsub("(%d%d%d)(%d)", "%1,%2", 1):reverse())
end

-- Iterations and filters of the paper.
local lengths = {landscape = 30000, mnist = 7020, cifar10 = 7800}
local widths = {mnist = 96, cifar10 = 128}

local function whole(list) -- how many values a column has
  local seen, n = {}, 0
  for _, v in ipairs(list) do
    if not seen[v] then seen[v], n = true, n + 1 end
  end
  return n
end

local function counted(n, noun) return ("%d %s%s"):format(n, noun, n == 1 and "" or "s") end

--- How large the runs of a table were: iterations, points, seeds, filters of images (beside those of the
-- paper where they are others) behind `between`, which also follows a length that is not the paper's.
function M.scale(rows, between)
  local set, iterations = rows:column("data")[1], rows:column("iterations")[1]
  local paper, filters = lengths[set] or 10000, rows:column("filters")[1]
  local parts = {iterations == paper and thousands(iterations) .. " iterations"
    or ("%s of %s iterations"):format(thousands(iterations), thousands(paper)),
    thousands(rows:column("points")[1]) .. " points"}
  local n = rows:has("seed") and whole(rows:column("seed")) or math.max(table.unpack(rows:column("seeds")))
  local draws = rows:has("data_seed") and whole(rows:column("data_seed")) or 1
  parts[#parts + 1] = counted(n, "seed") .. (draws > 1 and (" x %d draws of the data"):format(draws) or "")
  local behind = between and iterations ~= paper and between or ", "
  local text = parts[1] .. behind .. table.concat(parts, ", ", 2)
  if not widths[set] then return text end
  return ("%s%s%s"):format(text, between or ", ", filters == widths[set] and ("%d filters"):format(filters)
    or ("%d filters (the paper: %d)"):format(filters, widths[set]))
end

--- The scale of the grid that the models of validity.lua come from.
function M.scale_of(source, set)
  return ("%s: %s"):format(M.titles[set], M.scale(M.read(source, set .. "/seeds.csv", {"data", "seed"})))
end

--- The colour of a number of training steps, the same in all panels: 1 to 256.
function M.step_color(steps) return M.color(1 + math.log(steps, 2), 9) end

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

-- Tests whose solve blew up have no accuracy: they are marked below the axis.
local BLOWN, ROOM = -0.05, {-0.1, 1.02}
local function add_blown(fig, rows, color)
  local x, y = {}, {}
  for _, row in ipairs(rows:records()) do
    if row.accuracy ~= row.accuracy or (row.blown or 0) > 0 then
      x[#x + 1], y[#y + 1] = row.test_setting, BLOWN
    end
  end
  if #x > 0 then fig:add("scatter", {x = x, y = y, color = color, marker = "wedge", size = 1}) end
  return #x > 0
end

-- A line per test method, in order of its steps.
local function add_tests(fig, rows, method, look)
  local seen = rows:where(function(r) return r.accuracy == r.accuracy end)
  for _, test in ipairs(seen:sorted("test_method", "test_setting"):group("test_method")) do
    local own = test.key.test_method
    fig:add("line", {x = test:column("test_setting"), y = test:column("accuracy"), size = 1.3,
      linewidth = 1.4, marker = markers[own], color = look.color, alpha = look.alpha,
      dash = own ~= method and {4, 3} or 1})
  end
  return add_blown(fig, rows, look.color)
end

local function is_tolerance(method) return method == "dopri5" or method == "fehlberg21" end

local function test_axes(rows, title)
  local tolerances = is_tolerance(rows:column("method")[1])
  return plot.figure{title = title, xlabel = tolerances and "tolerance of the test" or "steps of the test",
    ylabel = "test accuracy", xlog = true, yrange = ROOM, yticks = {0, 0.2, 0.4, 0.6, 0.8, 1},
    xticks = ticks(rows:column("test_setting"), tolerances), markup = tolerances, ratio = 0.8}
end

-- Where the training solver tests itself, mean and deviation of the seeds.
local function add_own(fig, rows, color)
  for _, row in ipairs(rows:records()) do
    if is_own(row) and row.accuracy == row.accuracy then
      local deviation = row.accuracy_std == row.accuracy_std and row.accuracy_std or 0
      fig:add("line", {x = {row.test_setting}, y = {row.accuracy}, low = {row.accuracy - deviation},
        high = {row.accuracy + deviation}, color = color, marker = "circle", size = 2.3, linewidth = 1.5})
    end
  end
end

--- A panel like those of figure 3: accuracy against the test solver's steps; a colour per training solver,
-- marked where it tests itself. Returns it, and whether a test blew up.
function M.overview(data, method)
  local rows = data:where(function(r) return r.method == method end)
  local fig = test_axes(rows, ("%s, trained with %s\n%s"):format(M.titles[rows:column("data")[1]],
    M.methods[method], M.scale(rows, "\n")))
  local trained, blown = M.split(rows, "setting"), false
  for _, group in ipairs(trained) do
    blown = add_tests(fig, group, method, {color = M.step_color(group.key.setting), alpha = 0.7}) or blown
  end
  for _, group in ipairs(trained) do add_own(fig, group, M.step_color(group.key.setting)) end
  return fig, blown, trained
end

--- Entries that explain markers: methods is a list of test methods.
function M.explain(fig, methods, own, blown)
  fig:add("entry", {name = own or "as trained, mean ± deviation", color = "gray",
    marker = "circle", size = 2.1})
  for _, method in ipairs(methods) do
    fig:add("entry", {name = "tested with " .. M.methods[method], color = "gray", marker = markers[method],
      size = 1.3, linewidth = 1.4, dash = method ~= methods[1] and {4, 3} or nil})
  end
  if blown then
    fig:add("entry", {name = "a solve blew up (NaN)", color = "gray", marker = "wedge", size = 1})
  end
end

--- Panels for data sets x training methods of DATA/grid.csv.
function M.grids(source, sets, methods)
  local panels, notes, steps, any = {columns = #methods, legend = "shared"}, {}, {}, false
  for _, set in ipairs(sets) do
    local data = M.read(source, set .. "/grid.csv", {"method", "setting", "test_method", "factor",
      "test_setting", "accuracy", "accuracy_std", "blown"})
    for _, method in ipairs(methods) do
      if data:where(function(r) return r.method == method end).rows > 0 then
        local fig, blown, trained = M.overview(data, method)
        panels[#panels + 1], notes[#notes + 1], any = fig, data, any or blown
        for _, group in ipairs(trained) do steps[group.key.setting] = true end
      end
    end
  end
  M.explain(panels[1], {"euler", "midpoint", "rk4"}, nil, any)
  for k = 0, 10 do
    if steps[2 ^ k] then
      panels[1]:add("entry", {name = ("%d training step%s"):format(2 ^ k, k > 0 and "s" or ""),
        color = M.step_color(2 ^ k), marker = "circle", size = 1.8})
    end
  end
  panels.note = M.note(table.unpack(notes))
  return plot.panels(panels)
end

-- One panel of figures 7 to 16, 20 and 21: all seeds of one training solver; those that failed in grey.
local function seeds_panel(rows, title)
  local fig, blown = test_axes(rows, title), false
  local method = rows:column("method")[1]
  for _, seed in ipairs(M.split(rows, "seed")) do
    local failed = seed:column("status")[1] ~= "ok"
    local color = failed and "gray" or seed.key.seed
    blown = add_tests(fig, seed, method, {color = color, alpha = failed and 0.5 or 0.8}) or blown
    for _, row in ipairs(seed:records()) do
      if is_own(row) and row.accuracy == row.accuracy then
        fig:add("scatter", {x = {row.test_setting}, y = {row.accuracy}, color = color, marker = "circle",
          size = 2})
      end
    end
  end
  return fig, blown
end

-- Panels of seeds_panel with one legend: markers, seeds.
local function all_seeds(source, data, chosen, tests, title)
  local panels, any, failed, seeds = {columns = 2, legend = "shared", note = M.note(data)}, false, false, {}
  for _, choice in ipairs(chosen) do
    local rows = data:where(function(r) return r.method == choice.method and r.setting == choice.setting end)
    if rows.rows > 0 then
      local fig, blown = seeds_panel(rows, choice.title)
      panels[#panels + 1], any = fig, any or blown
      for _, row in ipairs(rows:records()) do
        if row.status == "ok" then seeds[row.seed] = true else failed = true end
      end
    end
  end
  if #panels == 0 then source:missing(title .. " was not trained with these steps yet") end
  panels.title = ("%s: %s"):format(title, M.scale(data))
  M.explain(panels[1], tests, "tested as trained", any)
  for seed = 1, 7 do
    if seeds[seed] then
      panels[1]:add("entry", {name = ("seed %d"):format(seed), color = seed, marker = "circle", size = 2})
    end
  end
  if failed then
    panels[1]:add("entry", {name = "seed whose training failed", color = "gray", marker = "circle",
      size = 2})
  end
  return plot.panels(panels)
end

local seed_columns = {"method", "setting", "seed", "status", "test_method", "factor", "test_setting",
  "accuracy"}

--- Figures 7 to 16: panels for numbers of training steps x methods of DATA/seeds.csv.
function M.seeds(source, set, settings)
  local chosen = {}
  for _, setting in ipairs(settings) do
    for _, method in ipairs{"euler", "rk4"} do
      chosen[#chosen + 1] = {method = method, setting = setting,
        title = ("%s, %s"):format(M.methods[method], counted(setting, "step"))}
    end
  end
  return all_seeds(source, M.read(source, set .. "/seeds.csv", seed_columns), chosen,
    {"euler", "midpoint", "rk4"}, M.titles[set])
end

--- Figures 20 and 21: a training method with tolerances, tested with `tests`; a panel per tolerance.
function M.tolerances(source, method, tests)
  local data = M.read(source, "tolerances/seeds.csv", seed_columns):where(function(r)
    return r.method == method
  end)
  local chosen = {}
  for k = 1, 5 do
    chosen[k] = {method = method, setting = 10 ^ -k, title = ("trained with tolerance 1e-%d"):format(k)}
  end
  return all_seeds(source, data, chosen, tests, ("Spheres, %s"):format(method))
end

return M
