--- Step and tolerance adaption over data sets, rules and seeds (*ResNet After All?*, section 5, appendix B.6;
-- figures 5 and 6, table 1).
--
-- Runs adapted.lua once per training, on all cores; goes on where it was cut off, as grid.lua does. Collects
-- traces.csv (a row per record), probes.csv (a row per look), runs.csv (a row per training) and summary.csv
-- (a row per data set and rule, the lines of table 1).

local here = arg[0]:match("^(.*)/") or "."
local tide = require "tide"
local experiment, files, jobs = require "tide.experiment", require "tide.files", require "tide.jobs"
local models, collect = dofile(here .. "/models.lua"), dofile(here .. "/collect.lua")

local o = experiment.parse("Train with adaptions of the solver", {
  {"data", "spheres2,landscape", "one or more of " .. table.concat(models.names, ",")},
  {"preset", "as-stated", table.concat(models.presets, " or ")},
  {"method", "euler", "euler, midpoint, rk4; fehlberg21, dopri5"},
  {"rules", "stated,published,steady", "for tolerances: published,corrected"},
  {"seeds", 5, "seeds 1 to this"}, {"iterations", 0, "0: the preset's"},
  {"train", 0, "training points; 0: the preset's"},
  {"test", 0, "test points; 0: the preset's"}, {"records", 100, "rows per training"},
  {"high", 0.0, "see adapted.lua"}, {"parallel", tide.threads(), "trainings at a time"},
  {"threads", 1, "threads of each"}, {"collect", false, "run nothing, collect what is there"},
  {"out", "runs/resnet_after_all/adaption", "output folder"},
}, arg)
local cells = experiment.folder(experiment.folder(o.out) .. "/cells")

-- A training is done when its file was made with these settings.
local function read(cell, key)
  local result = files.exists(cell[key]) and tide.csv.read(cell[key])
  for _, comment in ipairs(result and result.comments or {}) do
    if comment == cell.config then return result end
  end
end

local plan, missing = {}, {}
for seed = 1, o.seeds do
  for data in o.data:gmatch("[^,]+") do
    for rule in o.rules:gmatch("[^,]+") do
      local s = models.adapted({data = data, preset = o.preset, method = o.method, seed = seed,
        iterations = o.iterations, train = o.train,
        test = o.test}, rule, o.records, o.high)
      local path = ("%s/%s-%s-%s-%s-seed%d.csv"):format(cells, data, o.preset, o.method, rule, seed)
      local command = {"env", "TIDE_QUIET=1", "TIDE_THREADS=" .. o.threads, arg[-1] or "tide", here
        .. "/adapted.lua", "--data", data, "--preset", o.preset,
        "--method", o.method, "--rule", rule, "--seed", seed, "--iterations", o.iterations, "--train",
        o.train, "--test", o.test, "--records", o.records,
        "--high", ("%g"):format(o.high), "--out", path}
      local cell = {name = path, path = path, probes = path:gsub("%.csv$", "-probes.csv"), config = "config: "
        .. models.config(s), command = command,
                    cost = models.cost(s)}
      plan[#plan + 1] = cell
      if not read(cell, "path") then missing[#missing + 1] = cell end
    end
  end
end
print(("%d trainings, %d of them done"):format(#plan, #plan - #missing))
local failures = o.collect and {} or jobs.run(missing, {parallel = o.parallel, label = "adaption"})

local function reader(key) return function(cell) return read(cell, key) end end
local traces, trace_names, commits = collect.rows(plan, reader "path")
local probes, probe_names = collect.rows(plan, reader "probes")
local comments = experiment.provenance(arg)
comments[2] = ("commit: trainings %s, collected %s"):format(commits, comments[2]:sub(9))
local function write(name, columns, rows)
  tide.csv.write(("%s/%s.csv"):format(o.out, name), columns, rows, {comments = comments, digits = 6})
end
write("traces", trace_names, traces)
write("probes", probe_names, probes)

local runs, keys = {}, {"data", "preset", "method", "rule", "seed"}
for i, rows in ipairs(collect.grouped(traces, keys)) do runs[i] = collect.adapted(rows) end
for _, looks in ipairs(collect.grouped(probes, keys)) do
  for _, run in ipairs(runs) do
    local same = true
    for _, key in ipairs(keys) do same = same and run[key] == looks[1][key] end
    if same then run.var_log_h = collect.variance_of_log(looks) end
  end
end
write("runs", {"data", "preset", "method", "rule", "seed", "accuracy", "reference_accuracy", "worst",
  "invalid", "records", "flips", "nfe", "value",
  "var_log_h"}, runs)

local summary, lines = {}, {}
for i, rows in ipairs(collect.grouped(runs, {"data", "preset", "method", "rule"})) do
  local s = {data = rows[1].data, preset = rows[1].preset, method = rows[1].method, rule = rows[1].rule,
    seeds = #rows}
  for _, name in ipairs{"accuracy", "reference_accuracy", "worst", "invalid", "flips", "nfe", "var_log_h"} do
    local values = {}
    for k, row in ipairs(rows) do values[k] = row[name] end
    s[name], s[name .. "_std"] = collect.statistics(values)
  end
  summary[i] = s
  lines[i] = {s.data, s.rule, s.seeds, ("%.1f ± %.1f"):format(s.nfe, s.nfe_std),
    ("%.1f ± %.1f %%"):format(100 * s.accuracy, 100 * s.accuracy_std),
    ("%.1f %%"):format(100 * s.reference_accuracy), ("%.3f"):format(s.worst), ("%.1f"):format(s.invalid),
    ("%.4f"):format(s.var_log_h)}
end
local columns = {"data", "preset", "method", "rule", "seeds"}
for _, name in ipairs{"accuracy", "reference_accuracy", "worst", "invalid", "flips", "nfe", "var_log_h"} do
  columns[#columns + 1], columns[#columns + 2] = name, name .. "_std"
end
write("summary", columns, summary)
experiment.print_table({"data", "rule", "seeds", "NFE", "accuracy", "tight solver", "worst change",
  "records invalid", "var log h"}, lines)
print(("\nNFE: evaluations per iteration, looks included. worst change: largest difference of the test "
  .. "accuracies of training solver and tight solver\n"
  .. "among the %d records; invalid: how many differ by more than 0.1. var log h: variance of the log of the "
  .. "step in the second half.\n"
  .. "tables: %s"):format(o.records, o.out))
if #failures > 0 then os.exit(1) end
