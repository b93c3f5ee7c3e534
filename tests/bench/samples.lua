--- Tide's side of samples.py: answers "run WORK k" with the seconds of k runs, and those of the processor,
-- "save WORK FILE" with its inputs, the solution at the last time and the gradients in an .npz. A work is
-- NAME, a solve, or NAME:gradient, the value and the gradient by the parameters of the sum of squares of all
-- its states; with common steps both have :together behind them.

local tide = require "tide"
local core = tide.core

local works = {}

-- Van der Pol's oscillators of very different stiffness.
function works.oscillators(o)
  local n, list, times = 256, {}, {}
  for i = 1, n do list[i] = 10 ^ (-1 + 3 * (i - 1) / (n - 1)) end
  for i = 0, 10 do times[i + 1] = i end
  o.method, o.rtol, o.atol = "tsit5", 1e-6, 1e-6
  local function field(p)
    return function(_, z)
      local x, v = z:slice(2, 1, 1), z:slice(2, 2, 2)
      return tide.cat({v, p.mu * (1 - x * x) * v - x}, 2)
    end
  end
  local y0 = tide.cat({tide.full({n, 1}, 2, {dtype = "float64"}), tide.zeros({n, 1}, {dtype = "float64"})}, 2)
  local mu = tide.tensor(list, {dtype = "float64"}):reshape{n, 1}
  return field, y0, {mu = mu}, times, function(p) return {mu = p.mu} end
end

-- A batch through a network of the size that the toy trainings have, at random weights.
function works.net(o)
  o.method, o.rtol, o.atol = "tsit5", 1e-4, 1e-4
  local net = tide.nn.mlp{sizes = {2, 32, 32, 2}, act = "tanh", seed = 2}
  local function named(model)
    local given = {}
    for _, p in ipairs(tide.nn.parameters(model)) do
      local layer, kind = p.name:match("layers%[(%d+)%]%.(%a)")
      given[kind .. layer] = p.tensor
    end
    return given
  end
  return function(p) return p end, tide.randn({64, 2}, {seed = 1}), net, {0, 5, 10}, named
end

-- What a work runs, and its inputs, the last states and gradients by name.
local function make(name)
  local o = {per_sample = not name:find(":together", 1, true), max_steps = 1000000}
  local field, y0, p, times, named = works[name:match("^%w+")](o)
  local solve = tide.compile(function(y) return tide.odeint(field(p), y, times, o) end)
  local gradient = tide.compile(tide.value_and_grad(function(q)
    return tide.odeint(field(q), y0, times, o):square():sum()
  end))
  local function save(path)
    local ys, stats = solve(y0)
    local _, g = gradient(p)
    local file = {last = ys[#ys], nfe = tide.tensor{stats.nfe}, y0 = y0}
    for key, x in pairs(named(p)) do file[key] = x end
    for key, x in pairs(named(g)) do file["gradient_" .. key] = x end
    tide.save(path, file)
  end
  local gradients = name:find(":gradient", 1, true)
  return {run = gradients and function() gradient(p) end or function() solve(y0):close() end, save = save}
end

local ready = {}
for line in io.lines() do
  local command, name, rest = line:match("^(%w+) (%S+) (%S+)$")
  if not ready[name] then
    ready[name] = make(name)
    ready[name].run()
  end
  if command == "run" then
    local start, cpu = core.monotonic(), os.clock()
    for _ = 1, tonumber(rest) do ready[name].run() end
    print(("%.9g %.9g"):format(core.monotonic() - start, os.clock() - cpu))
  else
    ready[name].save(rest)
    print("saved")
  end
  io.stdout:flush()
end
