--- The models of *ResNet After All?* (appendix A), their data and how they are trained: what the experiments of this folder share.
--
-- preset "as-stated": what the paper says. Where it is silent, the authors' code decides (numbers of points) or the plain reading (all
-- batches are used; the number of test steps is rounded). preset "as-published": the code, with its habits. Marked below:
-- [A.n] appendix A of the paper, [code] the published code, [ours] said nowhere.

local tide = require "tide"

local M = {}

-- [A.3] 1-32-32-1 with kernels 1, 3, 1 along the coordinates as a signal of one channel; [code] 2000 and 1000 points. The paper gives
-- settings for dim 2 only; [ours] the other dimensions have the same. (The first release of the code halves their radii; the second does not.)
local function spheres(dim)
  return {kind = "signal", dim = dim, classes = 2, filters = 32, train = 2000, test = 1000, batch = 128, optimizer = "adam", lr = 1e-4, iterations = 10000}
end

local function stated()
  return {
    spheres2 = spheres(2), spheres3 = spheres(3), spheres10 = spheres(10), spheres900 = spheres(900),
    -- [A.4]; [ours] the numbers of points, as for the spheres
    landscape = {kind = "vector", dim = 2, classes = 3, hidden = 48, train = 2000, test = 1000, batch = 128, optimizer = "adam", lr = 5e-4,
                 iterations = 30000},
    -- [A.1], [A.2]: 30 epochs of 234 full batches, 40 of 195
    mnist = {kind = "image", image = {1, 28, 28}, classes = 10, filters = 96, train = 60000, test = 10000, batch = 256, optimizer = "sgd",
             lr = 1e-2, iterations = 7020},
    cifar10 = {kind = "image", image = {3, 32, 32}, classes = 10, filters = 128, train = 50000, test = 10000, batch = 256, optimizer = "adam",
               lr = 1e-3, iterations = 7800},
  }
end

local presets = {["as-stated"] = stated(), ["as-published"] = stated()}
for _, row in pairs(presets["as-stated"]) do
  row.drop_last = false       -- the text names no such thing
  row.rk4 = "rk4"             -- "detailed descriptions ... in Hairer et al." (section 4.1): the classical method
  row.dopri5 = "dopri5"
  row.test_rule = "steps"     -- "a factor of 0.5 ... 2 of the original step size": equal steps, whole numbers of them
end
for name, row in pairs(presets["as-published"]) do
  row.drop_last = true        -- [code] the last incomplete batch of an epoch is left out (spheres: 15 batches of 128)
  row.rk4 = "rk4_38"          -- [code] torchdiffeq's "rk4" is the 3/8 rule
  row.dopri5, row.final = "dopri5_shampine", "interpolate" -- [code] torchdiffeq's error weights; it steps over t = 1 and interpolates
  row.test_rule = "step_size" -- [code] a grid of step 1/(factor steps), the last step cut off at 1: 0.75 of 2 steps is 2/3 and 1/3
  -- [code] says 1/(h factor), a single step for every h < 1, since its option turned from a number of steps into a step size; the paper's
  -- figures show what was meant, and so do we.
  -- [code] spheres: the mean over 8 test batches of correct/128, the last of 104 points, so correct/1024; images: the last is left out. Kept
  -- in a column of its own; accuracy is correct/N always.
  row.counted = name:find("spheres", 1, true) and 1024 or row.test
  -- [code] the seed sets the shuffling only; weights and points came from unseeded generators and cannot be had again. Ours are seeded.
end

M.presets = {"as-stated", "as-published"}
M.names = {"spheres2", "spheres3", "spheres10", "spheres900", "landscape", "mnist", "cifar10"}

local function member(what, name, names)
  for _, candidate in ipairs(names) do if candidate == name then return end end
  error(("models.settings: %s must be one of %s, got %s"):format(what, table.concat(names, ", "), tostring(name)), 3)
end

local fixed = {euler = 1, midpoint = 2, rk4 = 4}     -- methods with a number of steps, and their orders
local adaptive = {fehlberg21 = 2, dopri5 = 5}         -- methods with a tolerance

local function check_setting(method, v)
  if fixed[method] and (math.type(v) ~= "integer" or v < 1) then
    error(("models.settings: setting must be a number of steps for %s, an integer >= 1, got %s"):format(method, tostring(v)), 3)
  elseif adaptive[method] and not (type(v) == "number" and v > 0 and v <= 1) then
    error(("models.settings: setting must be a tolerance for %s, in (0, 1], got %s"):format(method, tostring(v)), 3)
  end
end

--- All settings of one run. o: data, preset, method, setting (number of steps, or tolerance), seed; data_seed (default 1), and numbers > 0
-- that replace the preset's: iterations, train, test.
function M.settings(o)
  member("data", o.data, M.names)
  member("preset", o.preset or "as-stated", M.presets)
  member("method", o.method, {"euler", "midpoint", "rk4", "fehlberg21", "dopri5"})
  check_setting(o.method, o.setting)
  for name, least in pairs{seed = 0, data_seed = 0, iterations = 0, train = 0, test = 0} do
    local v = o[name]
    if v ~= nil and (math.type(v) ~= "integer" or v < least) or v == nil and name == "seed" then
      error(("models.settings: %s must be an integer >= %d, got %s"):format(name, least, tostring(v)), 2)
    end
  end
  local s = {data = o.data, preset = o.preset or "as-stated", method = o.method, seed = o.seed, data_seed = o.data_seed or 1}
  s[fixed[o.method] and "steps" or "tolerance"] = o.setting
  for key, value in pairs(presets[s.preset][s.data]) do s[key] = value end
  for _, key in ipairs{"iterations", "train", "test"} do
    if o[key] and o[key] > 0 then s[key] = o[key] end
  end
  if s.counted and not s.data:find("spheres", 1, true) then s.counted = s.test end
  if s.steps then s.dopri5, s.final = nil, nil else s.rk4, s.test_rule = nil, nil end -- what the run does not use
  return s
end

--- Everything that the numbers of a run depend on, in one line: runs are the same when their lines are.
function M.config(s)
  local words = {}
  for key, value in pairs(s) do
    words[#words + 1] = ("%s=%s"):format(key, type(value) == "table" and table.concat(value, "x") or type(value) == "number" and ("%.15g"):format(value)
      or tostring(value))
  end
  table.sort(words)
  return table.concat(words, " ")
end

--- The settings of a training with an adaption: it starts with what its rule says, not with a number of steps.
function M.adapted(o, rule, records, high)
  local adaptive_method = adaptive[o.method] ~= nil
  o.setting = adaptive_method and 1e-6 or 1
  local s = M.settings(o)
  s.steps, s.tolerance, s.rule, s.records, s.high = nil, nil, rule, records, high
  return s
end

--- Training and test set. The points depend on data_seed alone, so that seeds differ in weights and order of the batches.
function M.data(s)
  local function make(n, seed, split)
    if s.kind == "signal" then
      local d = tide.data.three_spheres{dim = s.dim, n = n, seed = seed}
      return {x = d.x:reshape{n, 1, s.dim}, y = d.y}
    end
    if s.kind == "vector" then return tide.data.landscape{n = n, seed = seed} end
    return tide.data[s.data]{split = split, n = n}
  end
  return make(s.train, 2 * s.data_seed, "train"), make(s.test, 2 * s.data_seed + 1, "test")
end

--- Solver options for so many steps of a method, or a tolerance; "rk4" and "dopri5" are the preset's.
function M.solver(s, method, setting)
  if fixed[method] then return {method = method == "rk4" and s.rk4 or method, steps = setting} end
  return {method = method == "dopri5" and s.dopri5 or method, rtol = setting, atol = setting, final = s.final}
end

--- The model, untrained: an autonomous field with Kaiming initialisation (zero biases), then a linear layer. No upstream layers (section 4.1).
function M.model(s)
  local solver = M.solver(s, s.method, s.steps or s.tolerance or adaptive[s.method] and 1e-6 or 1)
  if s.kind == "vector" then
    return tide.nn.odenet{dim = s.dim, hidden = s.hidden, out = s.classes, time = false, init = "kaiming", solver = solver, seed = s.seed}
  end
  return tide.nn.conv_odenet{image = s.image or {1, s.dim}, filters = s.filters, classes = s.classes, init = "kaiming", solver = solver, seed = s.seed}
end

--- Train to the end of the preset's iterations; returns history. more: further options of tide.train.
function M.train(s, model, data, more)
  local options = {model = model, data = data, optimizer = tide.optim[s.optimizer](model, {lr = s.lr}), loss = "cross_entropy", batch = s.batch,
                   iterations = s.iterations, drop_last = s.drop_last, seed = s.seed}
  for key, value in pairs(more or {}) do options[key] = value end
  return tide.train(options)
end

M.factors = {0.5, 0.75, 1, 1.5, 2}
local tolerance_factors = {0.01, 0.1, 1, 10, 100}
local SMALLEST_TOLERANCE = 2e-6 -- of float32

--- Is a test at least as accurate as the training solver? test: {method =, setting =, factor =}.
function M.finer(method, setting, test)
  if fixed[method] then return fixed[test.method] >= fixed[method] and test.setting >= setting end
  return adaptive[test.method] >= adaptive[method] and test.factor <= 1
end

-- At another tolerance, as far as float32 resolves it.
local function tolerance_tests(s)
  local list = {}
  for _, method in ipairs(s.method == "dopri5" and {"dopri5"} or {s.method, "dopri5"}) do
    for _, factor in ipairs{1, table.unpack(tolerance_factors)} do
      local tolerance = factor * s.tolerance
      if tolerance >= SMALLEST_TOLERANCE and tolerance <= 1 and (factor ~= 1 or #list == 0 or list[#list].method ~= method) then
        list[#list + 1] = {method = method, factor = factor, setting = tolerance, solver = M.solver(s, method, tolerance)}
      end
    end
  end
  return list
end

-- Number of steps and solver options for a factor of the steps; a key that tells equal ones.
local function fixed_test(s, method, factor)
  if s.test_rule == "steps" then
    local steps = math.max(1, math.floor(factor * s.steps + 0.5))
    return steps, M.solver(s, method, steps), steps
  end
  local solver, h = M.solver(s, method), math.min(1, 1 / (factor * s.steps))
  solver.step_size = h
  return math.ceil(1 / h - 1e-9), solver, h
end

--- Solvers to test with (section 4.1): trained with Euler, Euler, midpoint and rk4; else the same method; at M.factors times the
-- steps, or other tolerances. A list of {method =, factor =, setting =, solver =}; the training's own is the first, factors that rounding makes
-- equal appear once.
function M.tests(s)
  if s.tolerance then return tolerance_tests(s) end
  local list = {}
  for _, method in ipairs(s.method == "euler" and {"euler", "midpoint", "rk4"} or {s.method}) do
    local seen = {}
    for _, factor in ipairs{1, table.unpack(M.factors)} do
      local steps, solver, key = fixed_test(s, method, factor)
      if not seen[key] then
        seen[key] = true
        list[#list + 1] = {method = method, factor = factor, setting = steps, solver = solver}
      end
    end
  end
  return list
end

--- What a run costs, in evaluations of the field weighed by its size: for estimates of time.
function M.cost(s)
  local evaluations = s.steps and s.steps * fixed[s.method] or 30
  local size = s.kind == "image" and 500 * s.image[2] or s.kind == "signal" and 2 * s.dim ^ 1.5 or 3
  return s.iterations * (evaluations + 4) * size * s.batch
end

return M
