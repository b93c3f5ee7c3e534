-- Figures 10 to 14, 18, 19, 21 to 24 and table 1 of Dupont, Doucet & Teh, "Augmented Neural ODEs": pictures.
--
-- From the three tables that experiments/anode/images_runs.lua collects, whatever they hold by now; each
-- picture says how wide its nets are, how long and with how many seeds they were trained, and what is not
-- there yet.

local csv = require "tide.csv"
local files = require "tide.files"
local plot = require "tide.plot"

local M = {}

M.names = {
  mnist = "MNIST", cifar10 = "CIFAR-10", svhn = "SVHN", tiny_imagenet = "Tiny ImageNet, ten classes",
}

-- ---- choosing runs ----

-- A selection: data, epochs (none: all) and its nets, {filters, augment, weight decay = 0, name =}; all of
-- whose rows are to be shown. pictures = 0: all.
local function net_of(selection, row)
  if row.data ~= selection.data or row.pictures ~= (selection.pictures or 0) then return nil end
  if selection.epochs and row.epoch and row.epoch > selection.epochs + 1e-9 then return nil end
  for i, net in ipairs(selection.nets) do
    if row.filters == net[1] and row.augment == net[2] and row.weight_decay == (net[3] or 0) then return i end
  end
end

local function row_at(data, i)
  local row = {}
  for _, name in ipairs(data.names) do row[name] = data.columns[name][i] end
  return row
end

--- By net: {name =, style =, runs = {{rows of a seed}, ...}}, for those nets that have rows.
local function chosen(data, selection)
  local list = {}
  for i, net in ipairs(selection.nets) do
    list[i] = {name = net.name, style = net.style or i, runs = {}, by_seed = {}}
  end
  for i = 1, data.rows do
    local row = row_at(data, i)
    local entry = list[net_of(selection, row) or 0]
    if entry then
      local run = entry.by_seed[row.seed]
      if not run then
        run = {}
        entry.by_seed[row.seed], entry.runs[#entry.runs + 1] = run, run
      end
      run[#run + 1] = row
    end
  end
  return list
end

local function series(run, x, y, scale)
  local out = {x = {}, y = {}}
  for i, row in ipairs(run) do out.x[i], out.y[i] = row[x], (scale or 1) * row[y] end
  return out
end

-- ---- panels ----

local labels = {
  loss = "training loss", nfe_forward = "NFE (forward)", nfe_forward_max = "NFE (forward), largest",
  iteration = "iteration",
  accuracy = "training accuracy (%)", loss_max = "training loss, largest",
  nfe_backward_max = "NFE (backward), largest",
}

-- Curves over iterations (false: none): median and band of the seeds. y of the tests is marked, since they
-- are few.
local function course(tables, selection, y, axes, tests)
  local scale = y == "accuracy" and 100 or 1
  local what = (tests and "test " or "") .. (tests and labels[y]:gsub("^training ", "") or labels[y])
  local any = false
  local level = y:find("^nfe") ~= nil -- such curves run along their extremes, where the axes would hide them
  local fig = plot.figure{xlabel = "iteration", ylabel = what, title = axes.title, ylog = axes.ylog,
    pad = level or nil}
  for _, net in ipairs(chosen(tests and tables.test or tables.train, selection)) do
    local runs = {}
    for i, run in ipairs(net.runs) do runs[i] = series(run, "iteration", y, scale) end
    if #runs > 0 then fig:add("band", {runs = runs, name = net.name, style = net.style}) end
    any = any or #runs > 0
    for _, run in ipairs(tests and runs or {}) do
      fig:add("scatter", {x = run.x, y = run.y, style = net.style})
    end
  end
  return any and fig
end

-- A point per stretch of iterations and seed.
local function against(tables, selection, x, y, axes)
  local fig = plot.figure{xlabel = labels[x], ylabel = labels[y], title = axes.title, xlog = axes.xlog,
    ylog = axes.ylog}
  for _, net in ipairs(chosen(tables.train, selection)) do
    local all = {x = {}, y = {}}
    for _, run in ipairs(net.runs) do
      local s = series(run, x, y, y == "accuracy" and 100 or 1)
      table.move(s.x, 1, #s.x, #all.x + 1, all.x)
      table.move(s.y, 1, #s.y, #all.y + 1, all.y)
    end
    if #all.x > 0 then
      fig:add("scatter", {x = all.x, y = all.y, name = net.name, style = net.style, size = 0.6})
    end
  end
  return fig
end

-- ---- what is written on a picture ----

-- Says in the legend how wide a net is and which seeds were trained, in the titles of the panels on how much,
-- for how long; returns a copy of the selection with these words and the nets of which nothing has been run.
local function described(tables, selection)
  local s, seeds, state, most = {}, {}, {}, 0
  for key, value in pairs(selection) do s[key] = value end
  s.nets = {}
  for i = 1, tables.runs.rows do
    local row = row_at(tables.runs, i)
    local n = net_of(selection, row)
    if n then
      seeds[n] = (seeds[n] and seeds[n] .. " " or "") .. row.seed
      most = math.max(most, row.pictures_used)
      local ended = row.status:match("^stopped") or row.status:match("^failed")
      if ended then
        state[n] = (", %s at iteration %d"):format(ended, row.iterations)
      elseif row.iterations < (selection.iterations or row.of) then
        state[n] = (", %d of %d so far"):format(row.iterations, selection.iterations or row.of)
      end
    end
  end
  local missing = {}
  for n, net in ipairs(selection.nets) do
    if not seeds[n] then missing[#missing + 1] = ("%s with %d filters"):format(net.name, net[1]) end
    s.nets[n] = {net[1], net[2], net[3], style = n,
      name = ("%s, %d filters, seeds %s%s"):format(net.name, net[1], seeds[n] or "none", state[n] or "")}
  end
  s.title = ("%s, %d pictures%s"):format(M.names[s.data], most, s.epochs
    and (", epochs: %d"):format(s.epochs) or "")
  return s, missing
end

-- ---- the runs of the figures (experiments/anode/images_runs.lua) ----

local sweep = {data = "mnist", epochs = 2, iterations = 470, nets = {{32, 0, name = "p = 0"}, {32, 1,
  name = "p = 1"},
  {32, 2, name = "p = 2"}, {32, 5, name = "p = 5"}, {32, 10, name = "p = 10"}}}
local cifar = {data = "cifar10", pictures = 10000, epochs = 5, nets = {{62, 0, name = "NODE"}, {32, 10,
  name = "ANODE, p = 10"}}}
local cifar_equal = {data = "cifar10", pictures = 10000, epochs = 5,
  nets = {{111, 0, name = "NODE"}, {32, 10, name = "ANODE, p = 10"}}}
local stated = {data = "mnist", epochs = 1, nets = {{92, 0, name = "NODE"}, {64, 5, name = "ANODE, p = 5"}}}
local thin = {data = "mnist", epochs = 5, nets = {{73, 0, name = "NODE"}, {32, 5, name = "ANODE, p = 5"}}}
local decay = {data = "mnist", epochs = 2, iterations = 470, nets = {{32, 0, name = "NODE"}, {32, 0, 1e-3,
  name = "NODE, decay 0.001"},
  {32, 5, name = "ANODE"}, {32, 5, 1e-3, name = "ANODE, decay 0.001"}}}
local overfit = {data = "mnist", pictures = 1000, nets = {{16, 0, name = "NODE"}, {16, 5,
  name = "ANODE, p = 5"}}}
local imagenet = {data = "tiny_imagenet", nets = {{164, 0, name = "NODE"}, {64, 5, name = "ANODE, p = 5"}}}
local svhn = {data = "svhn", nets = {{125, 0, name = "NODE"}, {64, 10, name = "ANODE, p = 10"}}}
local in_table = {stated, thin, cifar, cifar_equal, imagenet, svhn}

local function losses(tables, s)
  return course(tables, s, "loss", {title = s.title, ylog = true}), course(tables, s, "nfe_forward",
    {title = s.title}),
    against(tables, s, "loss", "nfe_forward", {title = s.title, xlog = true})
end

-- draw(tables, selection) -> panels, for each selection; nets of which nothing has been run are named only.
local function each(list, draw, columns)
  return function(tables)
    local figs = {columns = columns, width = 420 * columns, note = table.concat(tables.runs.comments, "\n")}
    local absent = {}
    for _, selection in ipairs(list) do
      local s, missing = described(tables, selection)
      local drawn = #missing < #selection.nets and table.pack(draw(tables, s)) or {n = 0}
      for i = 1, drawn.n do figs[#figs + 1] = drawn[i] or nil end
      if #missing > 0 then
        absent[#absent + 1] = ("%s, %s"):format(M.names[selection.data], table.concat(missing, " and "))
      end
    end
    figs.title = "batches of 256, dopri5 with tolerance 0.001; median and 10–90 % of the seeds"
      .. (#absent > 0 and "\nnot run yet: " .. table.concat(absent, "; ") or "")
    if #figs == 0 then return nil, list[1].data end
    return plot.panels(figs)
  end
end

--- What each figure is drawn with: name -> function(tables) -> a figure, or nil while nothing of it has been
-- run.
local drawing = {
  [10] = each({sweep, cifar}, losses, 3),
  [11] = each({stated, cifar}, function(tables, s)
    return against(tables, s, "nfe_forward", "accuracy", {title = s.title})
  end, 2),
  [12] = each({stated, thin, cifar}, function(tables, s)
    return course(tables, s, "accuracy", {title = s.title}, true), course(tables, s, "loss",
      {title = s.title}, true)
  end, 2),
  [13] = each({overfit}, function(tables, s)
    return course(tables, s, "loss_max", {title = s.title, ylog = true}),
      course(tables, s, "nfe_forward_max", {title = s.title}),
      course(tables, s, "nfe_backward_max", {title = s.title})
  end, 3),
  [14] = each({imagenet}, function(tables, s)
    return course(tables, s, "accuracy", {title = s.title}), course(tables, s, "loss", {title = s.title})
  end, 2),
  [18] = each({thin, cifar_equal}, losses, 3),
  [19] = each({decay}, function(tables, s)
    return course(tables, s, "loss", {title = s.title, ylog = true}), course(tables, s, "nfe_forward",
      {title = s.title})
  end, 2),
  [21] = each({stated, thin, cifar}, function(tables, s) return course(tables, s, "accuracy",
    {title = s.title}) end, 3),
  [22] = each({svhn}, function(tables, s)
    return course(tables, s, "loss", {title = s.title}, true), course(tables, s, "accuracy",
      {title = s.title}, true)
  end, 2),
  [23] = each({svhn}, losses, 3),
  [24] = each({imagenet}, function(tables, s)
    return course(tables, s, "nfe_forward", {title = s.title}),
      against(tables, s, "loss", "nfe_forward", {title = s.title}),
      against(tables, s, "nfe_forward", "accuracy", {title = s.title})
  end, 3),
}

local function read(source)
  local tables = {}
  for _, name in ipairs{"runs", "train", "test"} do
    tables[name] = csv.read(source:path(("images-%s.csv"):format(name)))
  end
  return tables
end

--- Draws figure `number` from what has been collected.
function M.draw(source, number)
  local fig, data = drawing[number](read(source))
  return fig or source:path(("images/%s-*"):format(data))
end

-- Table 1 of the paper: mean and standard deviation in per cent.
local published = {mnist = {{96.4, 0.5}, {98.2, 0.1}}, cifar10 = {{53.7, 0.2}, {60.6, 0.4}}, svhn = {{81.0,
  0.6}, {83.5, 0.5}}}

local function mean_deviation(list)
  local sum, squares = 0, 0
  for _, v in ipairs(list) do sum = sum + v end
  local mean = sum / #list
  for _, v in ipairs(list) do squares = squares + (v - mean) ^ 2 end
  return mean, #list > 1 and math.sqrt(squares / (#list - 1)) or 0 / 0
end

-- Rows of table 1: the last tests of all finished seeds, ours beside theirs. An unfinished seed does not
-- count.
local function table_rows(tables)
  local rows = {}
  for _, selection in ipairs(in_table) do
    for n, net in ipairs(selection.nets) do
      local accuracies, values, used = {}, 0 / 0, 0
      for i = 1, tables.runs.rows do
        local row = row_at(tables.runs, i)
        if net_of(selection, row) == n and row.iterations >= row.of then
          accuracies[#accuracies + 1], values, used = 100 * row.test_accuracy, row.values, row.pictures_used
        end
      end
      local mean, deviation = mean_deviation(accuracies)
      local paper = (published[selection.data] or {})[n] or {0 / 0, 0 / 0}
      rows[#rows + 1] = {data = M.names[selection.data], model = net[2] == 0 and "NODE" or "ANODE",
        filters = net[1], p = net[2],
        values = values, pictures = used, epochs = selection.epochs or 1, seeds = #accuracies,
          accuracy = mean, std = deviation,
        paper = paper[1], paper_std = paper[2]}
    end
  end
  return rows
end

local function percent(mean, deviation)
  if mean ~= mean then return "-" end
  return deviation == deviation and ("%.1f ± %.1f %%"):format(mean, deviation) or ("%.1f %%"):format(mean)
end

--- Writes table 1 and prints it.
function M.table1(source)
  local tables = read(source)
  local path, rows = files.join(source.out, "images-table1.csv"), table_rows(tables)
  csv.write(path, {"data", "model", "filters", "p", "values", "pictures", "epochs", "seeds", "accuracy",
    "std",
    "paper", "paper_std"}, rows, {comments = tables.runs.comments, digits = 5})
  for _, row in ipairs(rows) do
    print(("%-28s%-6s%3d filters, p = %2d, seeds: %d   ours %-14s the paper's %s"):format(row.data, row.model,
      row.filters, row.p, row.seeds, percent(row.accuracy, row.std), percent(row.paper, row.paper_std)))
  end
  return {path}
end

return M
