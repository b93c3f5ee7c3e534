-- experiments/resnet_after_all: presets against the paper and the published code, test solvers, collecting
-- and verdicts by hand.
local check = require "check"
local tide = require "tide"
local folder = "experiments/resnet_after_all/"

local tests = {}
if not tide.core.exists(folder .. "models.lua") then
  return {["experiments"] = function() return "skip: not in a checkout" end}
end
local models, collect = dofile(folder .. "models.lua"), dofile(folder .. "collect.lua")

local function near(a, b)
  assert(math.abs(a - b) <= 1e-12 * math.max(1, math.abs(b)), ("%.17g, expected %.17g"):format(a, b))
end

local function settings(data, method, setting, preset)
  return models.settings{data = data, method = method, setting = setting, preset = preset, seed = 1}
end

tests["presets: architectures of appendix A, Kaiming weights, zero biases"] = function()
  local counts = {spheres2 = 3201 + 6, landscape = 2 * 48 + 48 + 48 * 48 + 48 + 48 * 2 + 2 + 9,
    mnist = 96 * 2 + 96 * 96 * 9 + 96 + 97 + 7850,
                  cifar10 = 148483 + 30730}
  for name, count in pairs(counts) do
    local model = models.model(settings(name, "euler", 4))
    assert(tide.nn.count(model) == count, name .. " " .. tide.nn.count(model))
    for _, p in ipairs(tide.nn.parameters(model)) do
      if p.name:find("bias") then
        assert(p.tensor:abs():max():item() == 0)
      elseif p.count > 5000 then
        local fan_in = p.count / p.shape[1]
        -- variance 2 / fan in
        assert(math.abs(p.tensor:square():mean():item() * fan_in / 2 - 1) < 0.1, p.name)
      end
    end
    local f, y = model.block.field, models.model(settings(name, "euler", 1)).block
    assert(y and (type(f) ~= "table" or not f.time)) -- autonomous
  end
  local s = settings("landscape", "rk4", 8)
  assert(s.batch == 128 and s.optimizer == "adam" and s.lr == 5e-4 and s.iterations == 30000
    and s.rk4 == "rk4")
  assert(settings("spheres2", "rk4", 8, "as-published").rk4 == "rk4_38"
    and settings("mnist", "euler", 1).optimizer == "sgd")
end

tests["settings: misuse"] = function()
  check.fails("data must be one of", settings, "sphere2", "euler", 1)
  check.fails("method must be one of", settings, "spheres2", "heun", 1)
  check.fails("setting must be a number of steps for euler, an integer >= 1, got 0.5", settings, "spheres2",
    "euler", 0.5)
  check.fails("setting must be a tolerance for dopri5, in (0, 1], got 2", settings, "spheres2", "dopri5", 2)
end

local function list(s)
  local out = {}
  for i, test in ipairs(models.tests(s)) do
    out[i] = ("%s:%g:%g"):format(test.method, test.factor, test.setting)
  end
  return table.concat(out, " ")
end

tests["test solvers: factors of the steps, the training's own first"] = function()
  assert(list(settings("spheres2", "rk4", 8)) == "rk4:1:8 rk4:0.5:4 rk4:0.75:6 rk4:1.5:12 rk4:2:16")
  -- half a step is one, 1.5 rounds to 2 as 2 does
  assert(list(settings("spheres2", "rk4", 1)) == "rk4:1:1 rk4:1.5:2")
  assert(list(settings("spheres2", "euler", 4)):find("euler:1:4 .* midpoint:1:4 .* rk4:2:8$"))
  -- as published: the last step is cut off
  local published = models.tests(settings("spheres2", "rk4", 2, "as-published"))
  for _, test in ipairs(published) do
    if test.factor == 0.75 then
      near(test.solver.step_size, 2 / 3) assert(test.setting == 2 and test.solver.method == "rk4_38")
    end
  end
  assert(list(settings("spheres2", "dopri5", 1e-3)) == "dopri5:1:0.001 dopri5:0.01:1e-05 dopri5:0.1:0.0001 "
    .. "dopri5:10:0.01 dopri5:100:0.1")
end

tests["runs are the same when their settings are"] = function()
  local a, b = settings("spheres2", "euler", 4), settings("spheres2", "euler", 4)
  assert(models.config(a) == models.config(b)
    and models.config(a) ~= models.config(settings("spheres2", "euler", 8)))
  b.lr = 2e-4
  assert(models.config(a) ~= models.config(b))
end

-- Two seeds, and one that failed, of a model trained with 4 Euler steps.
local function rows()
  local out = {}
  for seed, accuracies in ipairs{{0.9, 0.8, 0.85}, {1.0, 0.85, 1.0}, {0.5, 0.5, 0.5}} do
    for i, test in ipairs{{"euler", 1, 4}, {"rk4", 1, 4}, {"euler", 0.5, 2}} do
      out[#out + 1] = {data = "d", preset = "p", method = "euler", setting = 4, seed = seed,
        status = seed == 3 and "chance" or "ok", test_method = test[1],
                       factor = test[2], test_setting = test[3], accuracy = accuracies[i],
                       accuracy_published = 0 / 0, nfe = test[3]}
    end
  end
  return out
end

tests["collect: means over the seeds that trained"] = function()
  local summary = collect.summary(rows())
  assert(#summary == 3 and summary[1].seeds == 3 and summary[1].failed == 1)
  near(summary[1].accuracy, 0.95)
  near(summary[1].accuracy_std, math.sqrt(0.005)) -- (0.05^2 + 0.05^2) / (2 - 1)
  near(summary[2].accuracy, 0.825)
end

tests["collect: verdicts count finer solvers only"] = function()
  local v = collect.verdicts(rows(), models.finer)[1]
  -- 0.1 is still valid, 0.15 is not; half the steps does not count
  assert(v.seeds == 2 and v.failed == 1 and v.valid == 1)
  near(v.accuracy, 0.95)
  near(v.worst, 0.825)
end

tests["collect: an adapted training"] = function()
  local records = {{accuracy = 0.9, accuracy_reference = 0.9, flips = 0.1},
    {accuracy = 0.9, accuracy_reference = 0.75, flips = 0.3},
                   {accuracy = 0.95, accuracy_reference = 0.85, flips = 0.2, nfe = 12, value = 8}}
  local run = collect.adapted(records)
  near(run.worst, 0.15)
  near(run.flips, 0.2)
  assert(run.invalid == 1 and run.nfe == 12 and run.records == 3)
  -- looks at 0, 50, 100: in the second half the value was that of the look at 100
  near(collect.restless{{value = 4, next = 4}, {value = 4, next = 8}, {value = 8, next = 6},
    {value = 6, next = 6}}, 2 * math.log(8 / 6)) -- up and partly back
  near(collect.restless{{value = 4, next = 8}, {value = 8, next = 16}}, 0)
  near(collect.variance_of_log{{iteration = 0, value = 3}, {iteration = 50, value = 5},
    {iteration = 100, value = 8}}, 0)
  -- halves of equal length at 2 and 8: the variance of the log is (log 4 / 2)^2
  near(collect.variance_of_log{{iteration = 0, value = 9}, {iteration = 50, value = 7},
    {iteration = 75, value = 2}, {iteration = 100, value = 8}},
    (math.log(4) / 2) ^ 2)
end

tests["the defect of an untrained model is the change of its loss"] = function()
  if not tide.core.exists("./tide") then return "skip: ./tide is not built" end
  check.in_folder(function(out)
    assert(os.execute(("TIDE_QUIET=1 ./tide %sdefect.lua --data spheres2 --iterations 4 --every 2 "
      .. "--train 200 --test 50 --out %s/defect.csv >%s/log 2>&1"):format(folder, out, out)) == true)
    local found = tide.csv.read(out .. "/defect.csv"):records()
    assert(#found == 2 and found[2].iteration == 4)
    for _, r in ipairs(found) do assert(math.abs(r.defect / r.change - 1) < 0.1, r.defect) end
  end)
end

-- The table cannot be written at first, where a folder stands in its place: that ends the run after its
-- training. The second run trains no more.
tests["a cell and an adapted training go on from their checkpoint"] = function()
  if not tide.core.exists("./tide") then return "skip: ./tide is not built" end
  check.in_folder(function(out)
    for script, options in pairs{cell = "--method euler --setting 2",
      adapted = "--rule steady --records 3"} do
      local function run(name)
        return os.execute(("TIDE_QUIET=1 ./tide %s%s.lua --data spheres2 --iterations 60 --train 200 --test "
          .. "50 %s --out %s/%s.csv >%s/log 2>&1"):format(folder,
          script, options, out, name, out)) == true
      end
      local path, unfinished = ("%s/%s.csv"):format(out, script), ("%s/%s-unfinished.npz"):format(out, script)
      assert(tide.core.mkdir(path))
      assert(not run(script) and tide.core.exists(unfinished))
      local first = tide.load(unfinished).run.seconds:item()
      os.remove(path)
      assert(run(script) and not tide.core.exists(unfinished) and run("whole"))
      local resumed, whole = tide.csv.read(path), tide.csv.read(out .. "/whole.csv")
      assert(resumed.rows == whole.rows and resumed.rows > 0)
      for _, name in ipairs(whole.names) do
        for i, v in ipairs(whole.columns[name]) do
          local got = resumed.columns[name][i]
          assert(name == "seconds" or got == v or got ~= got and v ~= v,
            ("%s, row %d: %s, expected %s"):format(name, i, got, v))
        end
      end
      assert(resumed.columns.seconds[resumed.rows] <= first)
    end
  end)
end

return tests
