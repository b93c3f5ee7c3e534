--- Continuous normalizing flows (section 6): four densities in the plane, what they cost, and whether
-- augmentation, which *Augmented Neural ODEs* leaves open for densities, helps.

local dfl = dofile((arg[0]:match("^(.*)/") or ".") .. "/common.lua")
local tide = require "tide"
local tree = require "tide.tree"

local TIMES = {0, 1 / 3, 2 / 3, 1}
local BOX = 4.5 -- of the pictures; the integral goes over a box half as large again

-- Training and test points of a data set, of comparable size.
local function data_of(name, n, seed)
  local d = tide.data[name]{n = n, seed = seed}
  if name == "moons" then d.x = d.x * 2 - tide.tensor{1, 0.5} end
  return d
end

local function flow_of(o, augment)
  return tide.nn.cnf{dim = 2, augment = augment, hidden = o.hidden, act = "tanh", seed = o.seed,
    divergence = augment > 0 and "hutchinson" or "exact",
    solver = {method = "dopri5", rtol = o.tolerance, atol = o.tolerance}}
end

-- The learning rate falls to 1 % of its first value along half a cosine.
local function schedule(o)
  return function(step)
    return o.lr * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * math.min(1, step / o.iterations))))
  end
end

local function train(o, name, augment, rows)
  local model = flow_of(o, augment)
  local history = tide.train{model = model, data = data_of(name, o.n, o.seed), loss = "nll",
    optimizer = tide.optim.adam(model, {lr = schedule(o)}), batch = o.batch, iterations = o.iterations,
    record_every = math.max(1, o.iterations // 40), quiet = true, seed = o.seed}
  for _, r in ipairs(history) do
    rows[#rows + 1] = {set = name, augment = augment, iteration = r.iteration, nll = r.loss,
      nfe_forward = r.nfe_forward, nfe_backward = r.nfe_backward}
  end
  return model, history[#history].seconds
end

-- ---- what is asked of a trained flow ----

local function grid(points, box)
  local g = tide.linspace(-box, box, points, {dtype = "float64"})
  local function along(shape) return g:reshape(shape):broadcast_to{points, points}:reshape{-1} end
  return tide.stack({along{1, points}, along{points, 1}}, 2)
end

-- log p of points of any number, some at a time.
local function log_density(model, x, opts)
  local parts, nfe = {}, 0
  for first = 1, #x, 10000 do
    local own, stats = model:log_prob(x:slice(1, first, math.min(#x, first + 9999)), opts)
    parts[#parts + 1], nfe = own, math.max(nfe, stats.nfe)
  end
  return tide.cat(parts, 1), nfe
end

local fine = {solver = {rtol = 1e-6, atol = 1e-6}}

local function density_rows(model, name, points, rows)
  local x = grid(points, BOX)
  local list = x:totable()
  for k = 2, #TIMES do
    local t = TIMES[k]
    local log = log_density(model, x, {solver = {t = {0, t}, rtol = 1e-6, atol = 1e-6}})
    for i, v in ipairs(log:exp():totable()) do
      rows[#rows + 1] = {name, t, list[i][1], list[i][2], math.floor(v * 1e5 + 0.5) / 1e5}
    end
  end
end

local function sample_rows(model, name, n, rows)
  local path = model:trajectory(n, TIMES, {seed = 7}):totable()
  for k, states in ipairs(path) do
    for i, p in ipairs(states) do rows[#rows + 1] = {name, TIMES[k], i, p[1], p[2]} end
  end
end

-- The mean over points of the logarithm of the density that they come from, where that is a formula: no
-- density has a larger one, but for what the points happen to be.
local function truth(name, x)
  if name == "checkerboard" then return -math.log(32) end
  if name ~= "eight_gaussians" then return nil end
  local logs = {}
  for k = 0, 7 do
    local center = tide.tensor({2.8 * math.cos(k * math.pi / 4), 2.8 * math.sin(k * math.pi / 4)},
      {dtype = "float64"})
    logs[k + 1] = (x:to("float64") - center):square():sum(2) * (-0.5 / 0.35 ^ 2)
  end
  return tide.stack(logs, 2):logsumexp(2):mean():item() - math.log(8) - math.log(2 * math.pi * 0.35 ^ 2)
end

local function evidence(o, report)
  local training, density, samples, summary, cells = {}, {}, {}, {}, {}
  for name in o.sets:gmatch("[%a_]+") do
    local test = data_of(name, o.test, o.seed + 1000).x
    local model, seconds = train(o, name, 0, training)
    local exact = tree.map(model, function(x) return x:to("float64") end)
    local log = log_density(exact, test:to("float64"), fine)
    local n = o.integral
    local total = log_density(exact, grid(n, 1.5 * BOX), fine):exp():sum():item() * (3 * BOX / (n - 1)) ^ 2
    local start = tide.core.monotonic()
    local _, nfe = log_density(model, test)
    local rate = #test / (tide.core.monotonic() - start)
    local wide, wide_seconds = train(o, name, 1, training)
    local lower, wide_nfe = log_density(wide, test, {divergence = "exact", samples = o.samples, seed = 5})
    density_rows(exact, name, o.points, density)
    sample_rows(model, name, o.drawn, samples)
    local most = truth(name, test)
    local row = {set = name, log_likelihood = log:mean():item(), truth = most or 0 / 0,
      integral = total, nfe = nfe, per_second = rate, seconds = seconds,
      augmented = lower:mean():item(), augmented_nfe = wide_nfe, augmented_seconds = wide_seconds}
    summary[#summary + 1] = row
    cells[#cells + 1] = {name, ("%.3f"):format(row.log_likelihood),
      most and ("%.3f"):format(most) or "", ("%.2e"):format(total - 1), nfe,
      ("%.0f"):format(rate), ("%.3f"):format(row.augmented), wide_nfe}
    report:say("%s: trained in %.0f s, augmented in %.0f s.", name, seconds, wide_seconds)
  end
  report:table({"density", "log p of test points", "true log p", "integral - 1", "NFE", "points / s",
    "augmented: bound of log p", "NFE"}, cells)
  local columns = {"set", "log_likelihood", "truth", "integral", "nfe", "per_second", "seconds", "augmented",
    "augmented_nfe", "augmented_seconds"}
  report:csv("cnf", columns, summary)
  report:csv("training", {"set", "augment", "iteration", "nll", "nfe_forward", "nfe_backward"}, training)
  report:csv("density", {"set", "t", "x", "y", "p"}, density)
  report:csv("samples", {"set", "t", "sample", "x", "y"}, samples)
end

dfl.run({name = "cnf", title = "Section 6: continuous normalizing flows",
  options = {{"sets", "moons,eight_gaussians,pinwheel,checkerboard", "names of tide.data"},
    {"n", 10000, "training points"}, {"test", 2000, "test points"}, {"hidden", 64, "width of both layers"},
    {"iterations", 1500, "of the training"}, {"batch", 128, "points of a step"},
    {"lr", 5e-3, "learning rate of Adam at the beginning"}, {"tolerance", 1e-4, "of the training"},
    {"integral", 201, "points per side of the integral"}, {"points", 41, "per side of the pictures"},
    {"drawn", 250, "samples in the picture"},
    {"samples", 20, "draws of the augmented dimension for a test point"}, {"seed", 1, "of data and weights"}},
  claim = [[Along a solution of dz/dt = f(t, z) the logarithm of the density changes by -div f (Chen et al.
    2018, theorem 1). A field that carries a normal distribution to the data therefore has an exact density:
    its integral is 1, and maximum likelihood trains it.]],
  slip = [[Section 6 reads Chen et al. and FFJORD and sets no exercise. Augmented Neural ODEs leaves open how
    augmentation goes with densities: with zeros appended the data lie on a plane of the larger space and have
    no density there. With random numbers in place of the zeros they have one, and it gives a lower bound of
    log p(x): the last columns.]],
  evidence = evidence}, arg)
