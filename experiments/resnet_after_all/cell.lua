--- One cell of the grids of *ResNet After All?* (figures 3, 4, 7 to 19): train one model with one solver and
-- one seed, test it with many.
--
-- Writes one CSV file, complete or not at all, a row per test solver; a cell that was killed goes on from a
-- checkpoint beside it. A seed that fails is a result: its status is "nan" (the training met NaN or Inf) or
-- "chance" (with its own solver it is no better than naming the largest class, within three standard errors),
-- and its rows are there.

local here = arg[0]:match("^(.*)/") or "."
local tide = require "tide"
local experiment = require "tide.experiment"
local models = dofile(here .. "/models.lua")

local o, s, train_data, test_data, model = models.start("Train with one solver, test with many", {
  {"data", "spheres2", table.concat(models.names, ", ")},
  {"method", "euler", "solver of the training: euler, midpoint, rk4, fehlberg21 or dopri5"},
  {"setting", "8", "its number of steps, or the tolerance of an adaptive one"},
  {"seed", 1, "of weights and order of the batches"}, {"out", "cell.csv", "the file to write"},
  {"model", "", "also save the trained weights (.safetensors, .npz)"},
}, models.from, arg)

-- Runs that diverge are results; every other error ends the cell.
local function attempt(fn, ...)
  local ok, result = tide.attempt(fn, ...)
  if ok then return result end
  if result.status ~= "not_finite" then error(result, 0) end
  return nil, result
end

local history, unfinished = {}, models.unfinished(o.out)
local trained, message = attempt(models.train, s, model, train_data,
  {history = history, checkpoint = unfinished, checkpoint_config = models.config(s),
  label = ("%s %s %s seed %d"):format(s.data, s.method, o.setting, s.seed)})
if trained and o.model ~= "" then tide.save(o.model, model) end

local largest = 0
for class = 1, s.classes do largest = math.max(largest, test_data.y:eq(class):to("float64"):mean():item()) end

-- What naming the largest class would reach with luck.
local luck = largest + 3 * math.sqrt(largest * (1 - largest) / #test_data.x)

local nan = 0 / 0
local last = history[#history] or {loss = nan, accuracy = nan, seconds = nan}
local rows, status = {}, trained and "ok" or "nan"
for i, test in ipairs(models.tests(s)) do
  local result = trained and attempt(tide.evaluate, model, test_data, {solver = test.solver}) or {}
  -- the first is the training's own solver
  if i == 1 and trained and not (result.accuracy and result.accuracy > luck) then status = "chance" end
  rows[i] = {data = s.data, preset = s.preset, method = s.method, setting = s.steps or s.tolerance,
    seed = s.seed, data_seed = s.data_seed, status = status, test_method = test.method,
    factor = test.factor, test_setting = test.setting, accuracy = result.accuracy or nan,
    accuracy_published = s.counted and result.accuracy and result.accuracy * #test_data.x / s.counted or nan,
    loss = result.loss or nan,
    nfe = result.nfe or nan, chance = largest, train_loss = last.loss, train_accuracy = last.accuracy,
    seconds = last.seconds}
end

tide.csv.write(o.out, {"data", "preset", "method", "setting", "seed", "data_seed", "status", "test_method",
  "factor", "test_setting", "accuracy", "accuracy_published", "loss", "nfe", "chance", "train_loss",
  "train_accuracy", "seconds"}, rows,
  {comments = models.comments(s, arg, message)})
os.remove(unfinished)

local lines = {}
for i, row in ipairs(rows) do
  local finer = models.finer(s.method, s.steps or s.tolerance,
    {method = row.test_method, setting = row.test_setting, factor = row.factor})
  lines[i] = {row.test_method, ("%g"):format(row.test_setting), finer and "yes" or "",
    row.accuracy == row.accuracy
    and ("%.1f %%"):format(100 * row.accuracy) or "-",
    ("%g"):format(row.nfe)}
end
print(("%s, trained with %s, %s, seed %d: %s"):format(s.data, s.method, o.setting, s.seed, status))
experiment.print_table({"tested with", "setting", "at least as fine", "accuracy", "NFE"}, lines)
print("table: " .. o.out)
