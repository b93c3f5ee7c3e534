--- The runs of images.lua as three small tables: what they were and came to, their course in stretches of
-- iterations, their tests.

local csv = require "tide.csv"
local files = require "tide.files"
local images = dofile((debug.getinfo(1, "S").source:match("^@(.*)/") or ".") .. "/images_settings.lua")

local M = {}

local STRETCHES = 120 -- of a run, at most
local nan = 0 / 0

--- Mean of list[first..last], and their largest.
function M.mean(list, first, last)
  local sum, most = 0, -math.huge
  for i = first, last do sum, most = sum + list[i], math.max(most, list[i]) end
  return sum / (last - first + 1), most
end

--- The table of a run's iterations, what its comments say by their first word, the table of its tests; nil
-- for none.
function M.read(folder)
  local train, test = folder .. "/train.csv", folder .. "/test.csv"
  if not (files.exists(train) and files.exists(test)) then return nil end
  local result, said = csv.read(train), {}
  for _, comment in ipairs(result.comments) do
    local key, value = comment:match("^(%l+): (.*)$")
    if key then said[key] = value end
  end
  return result, said, csv.read(test)
end

local settings = {"data", "filters", "augment", "weight_decay", "pictures", "seed"}

-- A row of `settings` and what more there is.
local function row_of(s, more)
  local row = more or {}
  row.data, row.filters, row.augment, row.weight_decay = s.data, s.filters, s.augment, s["weight-decay"]
  row.pictures, row.seed = s.pictures, s.seed
  return row
end

local function columns(...)
  local list = table.move(settings, 1, #settings, 1, {})
  return table.move({...}, 1, select("#", ...), #list + 1, list)
end

local function summary(run, state)
  local train, at, last = state.train.columns, state.at, state.test.rows
  local values, field, of = state.said.scale:match("(%d+) values %((%d+) of the field%), (%d+) of")
  local function final(list, i) return list[i] or nan end
  return row_of(run.s, {values = tonumber(values), field = tonumber(field), pictures_used = tonumber(of),
    iterations = at,
    of = state.total, status = state.said.status, cpu_hours = at > 0 and M.mean(train.cpu, 1,
      at) * at / 3600 or 0,
    loss = final(train.loss, at), nfe_forward = final(train.nfe_forward, at),
      nfe_backward = final(train.nfe_backward, at),
    test_loss = final(state.test.columns.loss, last), test_accuracy = final(state.test.columns.accuracy,
      last),
    command = state.said.command, commit = state.said.commit})
end

local function add_stretches(rows, run, state)
  local train, n = state.train.columns, state.at
  local size = math.max(1, math.ceil(math.max(n, state.total) / STRETCHES))
  for first = 1, n, size do
    local last = math.min(first + size - 1, n)
    local row = row_of(run.s, {iteration = train.iteration[last], epoch = train.epoch[last]})
    row.loss, row.loss_max = M.mean(train.loss, first, last)
    row.accuracy = M.mean(train.accuracy, first, last)
    row.nfe_forward, row.nfe_forward_max = M.mean(train.nfe_forward, first, last)
    row.nfe_backward, row.nfe_backward_max = M.mean(train.nfe_backward, first, last)
    row.cpu = M.mean(train.cpu, first, last)
    rows[#rows + 1] = row
  end
end

local function add_tests(rows, run, test)
  for i = 1, test.rows do
    local row = row_of(run.s)
    for _, name in ipairs(test.names) do row[name] = test.columns[name][i] end
    rows[#rows + 1] = row
  end
end

local tables = {
  runs = columns("values", "field", "pictures_used", "iterations", "of", "status", "cpu_hours", "loss",
    "nfe_forward", "nfe_backward", "test_loss", "test_accuracy", "command", "commit"),
  train = columns("iteration", "epoch", "loss", "loss_max", "accuracy", "nfe_forward", "nfe_forward_max",
    "nfe_backward", "nfe_backward_max", "cpu"),
  test = columns("iteration", "epoch", "loss", "accuracy", "nfe"),
}

local function path(folder, name) return ("%s/images-%s.csv"):format(folder, name) end

--- What was collected into `folder` before: by the name of a run its rows, {runs = {row}, train =, test =};
-- and the names in their order.
function M.collected(folder)
  local by_name, names = {}, {}
  if not files.exists(path(folder, "runs")) then return by_name, names end
  for kind in pairs(tables) do
    for _, row in ipairs(csv.read(path(folder, kind)):records()) do
      row["weight-decay"] = row.weight_decay
      local name = images.name(images.settings(row))
      row["weight-decay"] = nil
      if not by_name[name] then by_name[name] = {runs = {}, train = {}, test = {}} end
      table.insert(by_name[name][kind], row)
      if kind == "runs" then names[#names + 1] = name end
    end
  end
  return by_name, names
end

--- write(folder, list of {run =, state =}, comments) -> the files. A run that was collected before stays as
-- it was while nothing goes further; so do those that are not in the list.
function M.write(folder, list, comments)
  local before, names = M.collected(folder)
  local rows = {runs = {}, train = {}, test = {}}
  local function keep(name)
    local own = before[name]
    for kind, target in pairs(rows) do table.move(own[kind], 1, #own[kind], #target + 1, target) end
    before[name] = nil
  end
  for _, entry in ipairs(list) do
    local run, state = entry.run, entry.state
    local old = before[run.name]
    if old and not (state.train and state.at >= old.runs[1].iterations) then
      keep(run.name)
    elseif state.train then
      rows.runs[#rows.runs + 1] = summary(run, state)
      add_stretches(rows.train, run, state)
      add_tests(rows.test, run, state.test)
      before[run.name] = nil
    end
  end
  for _, name in ipairs(names) do
    if before[name] then keep(name) end
  end
  local paths = {}
  for i, kind in ipairs{"runs", "train", "test"} do
    paths[i] = path(folder, kind)
    csv.write(paths[i], tables[kind], rows[kind], {comments = comments, digits = 6})
  end
  return paths
end

return M
