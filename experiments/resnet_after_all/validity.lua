--- Is it still an ODE, and if not, why? (*ResNet After All?*, sections 1 and 4; figures 1 and 22)
--
-- Takes trained models of a grid (grid.lua --models) and writes, per data set: validity-DATA.csv, tests by
-- finer solvers over the seeds; critical-DATA.csv, verdict and critical number of steps of each model;
-- crossings-DATA.csv, what a flow could not do; steps-DATA.csv, accuracy with other numbers of steps;
-- flows-DATA.csv, paths of some points.

local here = arg[0]:match("^(.*)/") or "."
local tide = require "tide"
local experiment = require "tide.experiment"
local models = dofile(here .. "/models.lua")

local o = experiment.parse("Tests that tell flows from ResNets", {
  {"data", "spheres2", "one of spheres2, landscape, ..."},
  {"preset", "as-stated", table.concat(models.presets, " or ")}, {"method", "euler",
    "of the training"},
  {"settings", "2,8,64,256", "numbers of steps"}, {"seeds", 5, "seeds 1 to this"},
  {"points", 200, "points whose paths are compared"},
  {"paths", 40, "paths to draw; all seeds of the largest setting, the first seed of the others"},
  {"models", "runs/resnet_after_all/grid",
    "folder of the grid"}, {"out", "runs/resnet_after_all/validity", "output folder"},
}, arg)
local out = experiment.folder(o.out)
local comments = experiment.provenance(arg)
local function settings(steps, seed)
  return models.settings{data = o.data, preset = o.preset, method = o.method, setting = steps, seed = seed}
end

-- The weights of a cell, and the commit that trained them.
local function load(s)
  local name = ("%s/cells/%s"):format(o.models, models.name(s, s.steps))
  return tide.nn.load(models.model(s), tide.load(name .. ".safetensors"))
end

local function writer(name, columns)
  return tide.csv.writer(("%s/%s-%s.csv"):format(out, name, o.data), columns,
    {comments = comments, digits = 6})
end
local tests <close> = writer("validity", {"setting", "method", "steps", "factor", "finer", "accuracy",
  "accuracy_std", "flips", "flips_std", "distance",
  "distance_std", "nfe", "models", "failed"})
local critical <close> = writer("critical", {"setting", "seed", "valid", "accuracy", "reference_accuracy",
  "worst", "critical_steps"})
local crossings <close> = writer("crossings", {"setting", "seed", "points", "steep", "share", "negative",
  "steps_checked", "smallest", "lipschitz",
  "h_lipschitz"})
local solves <close> = writer("steps", {"setting", "seed", "steps", "accuracy"})
local flows <close> = writer("flows", {"setting", "seed", "point", "class", "t", "x", "y"})

local function number(v) return v == nil and 0 / 0 or v end

local function write_paths(s, model, data)
  local times = {}
  local shown = math.min(s.steps, 32) -- more points than that do not show
  for k = 0, shown do times[k + 1] = k / shown end
  local states, class = model:trajectory(data.x:slice(1, 1, o.paths), times):reshape{#times, o.paths,
    -1}:totable(), data.y:totable()
  for p = 1, o.paths do
    for k, t in ipairs(times) do
      flows:row{s.steps, s.seed, p, class[p], t, states[k][p][1], states[k][p][2]}
    end
  end
end

-- The accuracy with 1, 2, 4, ... steps of the training's method (figure 1 c, d).
local function write_steps(s, model, data)
  for power = 0, 10 do
    local ok, result = tide.attempt(tide.evaluate, model, data,
      {solver = models.solver(s, s.method, 1 << power), batch = #data.x})
    solves:row{s.steps, s.seed, 1 << power, ok and result.accuracy or 0}
  end
end

local _, data = models.data(settings(1, 1))
local rows, largest = {}, o.settings:match("(%d+)%s*$")
for word in o.settings:gmatch("%d+") do
  local trained, steps = {}, math.tointeger(tonumber(word))
  for seed = 1, o.seeds do trained[seed] = load(settings(steps, seed)) end
  local report = tide.ode.validity{models = trained, data = data}
  for _, r in ipairs(report.rows) do
    tests:row{steps, r.method, number(r.setting), number(r.factor), r.finer and 1 or 0, number(r.accuracy),
      number(r.accuracy_std), number(r.flips),
      number(r.flips_std),
      number(r.distance), number(r.distance_std), r.nfe, r.models, r.failed}
  end
  local steep, negative, lipschitz = 0, 0, 0
  for seed, model in ipairs(trained) do
    local m, why = report.models[seed], tide.ode.crossings{model = model, x = data.x, points = o.points}
    critical:row{steps, seed, m.valid and 1 or 0, m.accuracy, m.reference_accuracy, m.worst,
      number(m.critical_steps)}
    local paths, turns = why.intersections or {}, why.orientation or {}
    crossings:row{steps, seed, why.points, number(paths.steep), number(paths.steep_share),
      number(turns.negative), number(turns.points), number(turns.smallest),
      why.lipschitz, why.h_lipschitz}
    steep, negative, lipschitz = steep + (paths.steep or 0) / o.seeds,
      negative + (turns.negative or 0) / (turns.points or 1) / o.seeds,
      lipschitz + why.h_lipschitz / o.seeds
    if seed == 1 or word == largest then write_paths(settings(steps, seed), model, data) end
    write_steps(settings(steps, seed), model, data)
  end
  rows[#rows + 1] = {steps, report.verdict, ("%.1f %%"):format(100 * report.worst), report.critical
    and ("%.0f"):format(report.critical) or "-",
    ("%.0f"):format(steep), ("%.1f %%"):format(100 * negative), ("%.2f"):format(lipschitz)}
  print(("%s, %d steps: %s"):format(o.data, steps, report.summary:gsub("\n", "; ")))
end
print()
experiment.print_table({"steps", "verdict", "labels changed, worst", "critical steps", "steep crossings",
  "det <= 0", "h L"}, rows)
print(("\nmeans over the seeds, %d points; tables: %s"):format(o.points, out))
