--- Tables of the toy experiments. Of the search (F.2.1): per dimension and model the settings with the lowest
-- mean validation loss over the three folds, and where the paper's choice comes in that order. Of the others:
-- what each model came to over all seeds.

local experiment = require "tide.experiment"
local stats = require "tide.base.stats"

local M = {}

-- [F.2.1] the same in both dimensions.
local function is_theirs(row)
  return row.batch == 64 and row.lr == 1e-3 and row.hidden == 32
    and (row.model ~= "ResNet" or row.layers == 5) and (row.model ~= "ANODE" or row.augment == 5)
end

M.columns = {"task", "model", "rank", "of", "choice", "batch", "lr", "hidden", "layers", "augment", "folds",
  "validation", "validation_low", "validation_high", "loss"}

local function key(row)
  return table.concat({row.task, row.model, row.batch, row.lr, row.hidden, row.layers, row.augment}, " ")
end

-- Means over the folds, a row per setting.
local function settings(rows)
  local found, list = {}, {}
  for _, row in ipairs(rows) do
    local s = found[key(row)]
    if not s then
      s = {validations = {}, losses = {}}
      for _, name in ipairs{"task", "model", "batch", "lr", "hidden", "layers", "augment"} do
        s[name] = row[name]
      end
      found[key(row)], list[#list + 1] = s, s
    end
    table.insert(s.validations, row.validation)
    table.insert(s.losses, row.loss)
  end
  for _, s in ipairs(list) do
    s.folds = #s.losses
    s.validation, s.validation_low, s.validation_high = experiment.summary(s.validations)
    s.loss = experiment.summary(s.losses)
  end
  return list
end

--- rows of search.csv -> rows of M.columns: the best three of each model and dimension, and the paper's
-- choice. Settings whose folds are not all there do not count.
function M.best(rows)
  local groups, order, out = {}, {}, {}
  for _, s in ipairs(settings(rows)) do
    local name = s.task .. " " .. s.model
    if not groups[name] then groups[name], order[#order + 1] = {}, name end
    if s.folds == 3 then table.insert(groups[name], s) end
  end
  table.sort(order)
  for _, name in ipairs(order) do
    local list = groups[name]
    table.sort(list, function(a, b) return a.validation < b.validation end)
    for rank, s in ipairs(list) do
      if rank <= 3 or is_theirs(s) then
        s.rank, s.of, s.choice = rank, #list, is_theirs(s) and "paper" or "ours"
        s.validations, s.losses = nil, nil
        out[#out + 1] = s
      end
    end
  end
  return out
end

--- Print them.
function M.print_best(best)
  local lines = {}
  for i, s in ipairs(best) do
    lines[i] = {s.task, s.model, ("%d of %d"):format(s.rank, s.of), s.choice == "paper" and "theirs" or "",
      s.batch, ("%g"):format(s.lr), s.hidden, s.model == "ResNet" and s.layers or "-",
      s.model == "ANODE" and s.augment or "-", ("%.2e"):format(s.validation), ("%.2e"):format(s.loss)}
  end
  experiment.print_table({"data", "model", "rank", "", "batch", "lr", "hidden", "layers", "augment",
    "validation", "training"}, lines)
end

-- Values of a column in the first or last epoch, over the seeds.
local function at(group, name, epoch)
  local list = {}
  for _, row in ipairs(group) do if row.epoch == epoch then list[#list + 1] = row[name] end end
  return list
end

local function line_of(group, last)
  local losses = at(group, "loss", last)
  local sorted = table.move(losses, 1, #losses, 1, {})
  table.sort(sorted)
  local function spread(name)
    local mean, deviation = stats.mean_deviation(at(group, name, last))
    return mean == mean and ("%.4f ± %.4f"):format(mean, deviation) or "-"
  end
  local nfe = experiment.summary(at(group, "nfe_forward", 1))
  return {group[1].task, group[1].model, #losses, spread("loss"),
    ("%.1e"):format(stats.quantile(sorted, 0.5)),
    ("%.1e .. %.1e"):format(sorted[1], sorted[#sorted]), spread("validation"),
    nfe > 0 and ("%.1f -> %.1f"):format(nfe, (experiment.summary(at(group, "nfe_forward", last)))) or "-",
    nfe > 0 and ("%.3f"):format((experiment.summary(at(group, "bend", last)))) or "-"}
end

--- Print what the models came to: rows are those of curves.csv.
function M.print_models(rows)
  local groups, order, last = {}, {}, 0
  for _, row in ipairs(rows) do
    local name = row.task .. " " .. row.model
    if not groups[name] then groups[name], order[#order + 1] = {}, name end
    table.insert(groups[name], row)
    last = math.max(last, row.epoch)
  end
  table.sort(order)
  local lines = {}
  for i, name in ipairs(order) do lines[i] = line_of(groups[name], last) end
  experiment.print_table({"data", "model", "seeds", "loss, mean ± std", "median", "range", "validation",
    "NFE, first -> last", "path / chord"}, lines)
end

return M
