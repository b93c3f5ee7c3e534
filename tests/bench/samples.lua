--- Tide's side of samples.py: answers "run WORK k" with the seconds of k solves, and those of the processor,
-- "save WORK FILE" with its inputs and the solution at the last time in an .npz. A work is NAME, or
-- NAME:together with common steps.

local tide = require "tide"
local core = tide.core

local works = {}

-- Van der Pol's oscillators of very different stiffness.
function works.oscillators(o)
  local n, list = 256, {}
  for i = 1, n do list[i] = 10 ^ (-1 + 3 * (i - 1) / (n - 1)) end
  local mu = tide.tensor(list, {dtype = "float64"}):reshape{n, 1}
  local y0 = tide.cat({tide.full({n, 1}, 2, {dtype = "float64"}), tide.zeros({n, 1}, {dtype = "float64"})}, 2)
  local times = {}
  for i = 0, 10 do times[i + 1] = i end
  o.method, o.rtol, o.atol = "tsit5", 1e-6, 1e-6
  local solve = tide.compile(function(y)
    return tide.odeint(function(_, z)
      local x, v = z:slice(2, 1, 1), z:slice(2, 2, 2)
      return tide.cat({v, mu * (1 - x * x) * v - x}, 2)
    end, y, times, o)
  end)
  return solve, y0, {mu = mu, y0 = y0}
end

-- A batch through a network of the size that the toy trainings have, at random weights.
function works.net(o)
  local y0 = tide.randn({64, 2}, {seed = 1})
  local net = tide.nn.mlp{sizes = {2, 32, 32, 2}, act = "tanh", seed = 2}
  o.method, o.rtol, o.atol = "tsit5", 1e-4, 1e-4
  local given = {y0 = y0}
  for _, p in ipairs(tide.nn.parameters(net)) do
    local layer, kind = p.name:match("layers%[(%d+)%]%.(%a)")
    given[kind .. layer] = p.tensor
  end
  return tide.compile(function(y) return tide.odeint(net, y, {0, 5, 10}, o) end), y0, given
end

local ready = {}
local function get(name)
  if not ready[name] then
    local work, together = name:match("^(%w+)(:?%w*)$")
    ready[name] = table.pack(works[work]({per_sample = together == "", max_steps = 1000000}))
  end
  return table.unpack(ready[name])
end

for line in io.lines() do
  local command, name, rest = line:match("^(%w+) (%S+) (%S+)$")
  local solve, y0, given = get(name)
  local ys, stats = solve(y0)
  if command == "run" then
    local start, cpu = core.monotonic(), os.clock()
    for _ = 1, tonumber(rest) do solve(y0):close() end
    print(("%.9g %.9g"):format(core.monotonic() - start, os.clock() - cpu))
  else
    local file = {last = ys[#ys], nfe = tide.tensor{stats.nfe}}
    for key, x in pairs(given) do file[key] = x end
    tide.save(rest, file)
    print("saved")
  end
  io.stdout:flush()
end
