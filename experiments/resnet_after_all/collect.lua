--- From the cells of a grid to tables: all rows, means over seeds, and which models are still ODEs.

local stats = require "tide.base.stats"

local M = {}

-- The lists in one.
local function joined(...)
  local out = {}
  for _, list in ipairs{...} do table.move(list, 1, #list, #out + 1, out) end
  return out
end

local scale = {"iterations", "points", "filters"} -- models.scale
local test_keys = joined(scale, {"data", "preset", "method", "setting", "test_method", "factor",
  "test_setting"})
local verdict_keys = joined(scale, {"data", "preset", "method", "setting", "data_seed"})
M.columns = joined(test_keys, {"seeds", "failed", "blown", "accuracy", "accuracy_std", "accuracy_published",
  "nfe"})
local rule_keys = joined(scale, {"data", "preset", "method", "rule"})
local run_keys = joined(rule_keys, {"seed", "data_seed"})
M.verdict_columns = joined(verdict_keys, {"seeds", "failed", "valid", "accuracy", "std", "worst", "nfe"})

-- Rows by the values of some columns, in order of first appearance.
local function grouped(rows, keys)
  local groups = {}
  for _, row in ipairs(rows) do
    local id = {}
    for k, name in ipairs(keys) do id[k] = tostring(row[name]) end
    id = table.concat(id, "\0")
    if not groups[id] then
      groups[id] = {}
      groups[#groups + 1] = groups[id]
    end
    table.insert(groups[id], row)
  end
  return groups
end
M.grouped = grouped

--- Mean and standard deviation of a list; nan for none, which a CSV file can hold.
function M.statistics(values)
  local mean, deviation = stats.mean_deviation(values)
  return mean or 0 / 0, deviation or 0 / 0
end

--- A row per training and test solver: mean and standard deviation of the accuracy over all seeds (of model
-- and data) whose training did not fail and whose test did not blow up; how many trainings failed, how many
-- tests blew up.
function M.summary(rows)
  local out = {}
  for i, group in ipairs(grouped(rows, test_keys)) do
    local row, lists = {seeds = 0, failed = 0, blown = 0}, {accuracy = {}, accuracy_published = {}, nfe = {}}
    for _, name in ipairs(test_keys) do row[name] = group[1][name] end
    for _, r in ipairs(group) do
      row.seeds = row.seeds + 1
      if r.status ~= "ok" then
        row.failed = row.failed + 1
      elseif r.accuracy ~= r.accuracy then
        row.blown = row.blown + 1
      else
        for name, list in pairs(lists) do list[#list + 1] = r[name] end
      end
    end
    for name, list in pairs(lists) do
      local mean, deviation = M.statistics(list)
      row[name], row[name .. "_std"] = mean, name == "accuracy" and deviation or nil
    end
    out[i] = row
  end
  return out
end

--- A row per training solver and data seed (M.verdict_columns): seeds that trained, their mean
-- accuracy, the mean over them of the worst accuracy among solvers at least as fine, how many of them change
-- by at most `threshold` (default 0.1, Algorithm 1) with every such solver. A test that blew up counts as an
-- accuracy of 0. finer(method, setting, test) says which are finer.
function M.verdicts(rows, finer, threshold)
  local out = {}
  for i, group in ipairs(grouped(rows, verdict_keys)) do
    local v = {seeds = 0, failed = 0, valid = 0, nfe = 0 / 0}
    for _, name in ipairs(verdict_keys) do v[name] = group[1][name] end
    local own, worst = {}, {}
    for _, seed in ipairs(grouped(group, {"seed"})) do
      if seed[1].status ~= "ok" then
        v.failed = v.failed + 1
      else
        local trained, least, largest = seed[1].accuracy, seed[1].accuracy, 0
        v.nfe = seed[1].nfe
        for _, r in ipairs(seed) do
          if finer(r.method, r.setting, {method = r.test_method, setting = r.test_setting,
            factor = r.factor}) then
            local accuracy = r.accuracy == r.accuracy and r.accuracy or 0
            least, largest = math.min(least, accuracy), math.max(largest, math.abs(accuracy - trained))
          end
        end
        v.seeds, own[#own + 1], worst[#worst + 1] = v.seeds + 1, trained, least
        if largest <= (threshold or 0.1) + 1e-9 then v.valid = v.valid + 1 end
      end
    end
    v.accuracy, v.std = M.statistics(own)
    v.worst = M.statistics(worst)
    out[i] = v
  end
  return out
end

--- A row for a training with an adaption from its records (adapted.lua): the final accuracies and evaluations
-- per iteration; the largest difference of the accuracies of the training solver and of the tight one, and
-- how many records differ by more than 0.1; the mean share of labels that differ.
function M.adapted(rows)
  local last = rows[#rows]
  local run = {accuracy = last.accuracy, reference_accuracy = last.accuracy_reference, worst = 0, invalid = 0,
    records = #rows, flips = 0, nfe = last.nfe, value = last.value, var_log_h = 0 / 0,
    restless = 0 / 0}
  for _, name in ipairs(run_keys) do run[name] = last[name] end
  for _, row in ipairs(rows) do
    local change = math.abs(row.accuracy - row.accuracy_reference)
    run.worst, run.flips = math.max(run.worst, change), run.flips + row.flips / #rows
    if change > 0.1 + 1e-9 then run.invalid = run.invalid + 1 end
  end
  return run
end

--- The variance over the iterations of the second half of the log of the value (step size, number of steps,
-- tolerance), from the rows of the looks.
function M.variance_of_log(looks)
  local last, n, sum, squares = looks[#looks].iteration, 0, 0, 0
  for i = 2, #looks do
    -- the value of look i held since the look before
    local from, v = math.max(looks[i - 1].iteration, last / 2), math.log(looks[i].value)
    local weight = looks[i].iteration - from
    if weight > 0 then n, sum, squares = n + weight, sum + weight * v, squares + weight * v * v end
  end
  return n > 0 and math.max(0, squares / n - (sum / n) ^ 2) or 0 / 0
end

--- How much of the way of the log of the value, over all looks, led nowhere: its total variation less its net
-- change.
function M.restless(looks)
  local way, first, last = 0, math.log(looks[1].value), math.log(looks[#looks].next)
  for _, look in ipairs(looks) do way = way + math.abs(math.log(look.next) - math.log(look.value)) end
  return way - math.abs(last - first)
end

M.run_columns = joined(run_keys, {"accuracy", "reference_accuracy", "worst", "invalid", "records", "flips",
  "nfe", "value", "var_log_h", "restless"})

--- A row per training, from the records and the looks of all.
function M.runs(traces, probes)
  local runs, by_key = {}, {}
  local function key_of(row)
    local words = {}
    for i, key in ipairs(run_keys) do words[i] = tostring(row[key]) end
    return table.concat(words, "\0")
  end
  for i, rows in ipairs(grouped(traces, run_keys)) do
    runs[i] = M.adapted(rows)
    by_key[key_of(runs[i])] = runs[i]
  end
  for _, looks in ipairs(grouped(probes, run_keys)) do
    local run = by_key[key_of(looks[1])]
    if run then run.var_log_h, run.restless = M.variance_of_log(looks), M.restless(looks) end
  end
  return runs
end

local measured = {"accuracy", "reference_accuracy", "worst", "invalid", "flips", "nfe", "var_log_h",
  "restless"}

--- A row per data set and rule, mean and deviation over all seeds (the lines of table 1), and its columns.
function M.adaptions(runs)
  local summary, columns = {}, joined(rule_keys, {"seeds"})
  for i, rows in ipairs(grouped(runs, rule_keys)) do
    local s = {seeds = #rows}
    for _, name in ipairs(rule_keys) do s[name] = rows[1][name] end
    for _, name in ipairs(measured) do
      local values = {}
      for k, row in ipairs(rows) do values[k] = row[name] end
      s[name], s[name .. "_std"] = M.statistics(values)
    end
    summary[i] = s
  end
  for _, name in ipairs(measured) do
    columns[#columns + 1], columns[#columns + 2] = name, name .. "_std"
  end
  return summary, columns
end

return M
