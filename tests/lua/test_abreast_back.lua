--- Direct gradients of per_sample = true where samples go back together (core/solver/convoy_back.c): by what
-- belongs to a sample the bits of each alone, by what all share a sum in an order that threads do not change.

local check = require "check"
local van_der_pol = require "oscillators"
local tide = require "tide"

local tests = {}
local with, same = check.with, check.same_bits
local f64 = {dtype = "float64"}

local function start(n, dtype)
  local rows = {}
  for i = 1, n do rows[i] = {2, 0.1 * i, 10 ^ (-1 + 2 * (i * 7 % n) / math.max(1, n - 1))} end
  return tide.tensor(rows, {dtype = dtype or "float64"})
end

-- What explain says of the samples of the solve of loss(p), with its gradient.
local function samples_of(loss, p)
  local lines, shown = {}, print
  -- luacheck: ignore quiet
  local quiet <close> = setmetatable({}, {__close = function() rawset(_G, "print", shown) end})
  rawset(_G, "print", function(text) lines[#lines + 1] = text end)
  tide.explain(function(q) return tide.grad(loss)(q) end, p)
  return table.concat(lines, "\n"):match("Samples: [^\n]*")
end

local function goes_back(loss, p)
  local said = samples_of(loss, p) or "nothing about samples"
  assert(said:find("abreast, each with steps of its own, forwards and back", 1, true), said)
end

-- The gradient of loss(p, o), which is a sum over the n samples, beside those of the samples alone; cut(p, i)
-- is what sample i has.
local function beside(loss, p, o, cut, n)
  local together = with(o, {per_sample = true})
  goes_back(function(q) return loss(q, together) end, p)
  local g, back
  local counts = tide.ode.counted(function() g = tide.grad(function(q) return loss(q, together) end)(p) end)
  local sums = {}
  for i = 1, n do
    local alone
    local of = tide.ode.counted(function()
      alone = tide.grad(function(q) return loss(q, o) end)(cut(p, i))
    end)
    back = math.max(back or 0, of.nfe_backward)
    for name, x in pairs(alone) do
      if p[name]:shape()[1] == n then
        same(g[name]:slice(1, i, i), x, ("%s of sample %d"):format(name, i))
      else
        sums[name] = sums[name] and sums[name] + x or x
      end
    end
  end
  local rounding = p.y0:dtype() == "float32" and 2e-4 or 1e-11
  for name, sum in pairs(sums) do check.close(g[name], sum, rounding, name) end
  if counts.nfe_backward ~= back then
    error(("%d evaluations on the way back, alone %d at most"):format(counts.nfe_backward, back), 2)
  end
  return g
end

local function cut_y0(p, i) return with(p, {y0 = p.y0:slice(1, i, i)}) end

local function oscillators(t)
  return function(p, o)
    local ys = tide.odeint(function(s, y) return van_der_pol(s, y) * p.k end, p.y0, t, o)
    return (ys * ys:slice(3, 2, 2):sin()):sum()
  end
end

tests["every method that adapts, with outputs inside of steps, many in one, and none"] = function()
  local p, tried = {y0 = start(9), k = tide.tensor(1, f64)}, 0
  for _, m in ipairs(tide.ode.methods()) do
    if m.family == "explicit" and m.adaptive and m.name ~= "fehlberg21" then -- each of it is watched
      for _, t in ipairs{{0, 0.7, 0.701, 0.7011, 0.702, 1.5, 2}, {0, 1}} do
        beside(oscillators(t), p, {method = m.name, rtol = 1e-5}, cut_y0, 9)
      end
      tried = tried + 1
    end
  end
  assert(tried > 8)
end

tests["options about steps, backwards in time, steps that differ a hundredfold"] = function()
  local p = {y0 = start(21), k = tide.tensor(1, f64)}
  for _, o in ipairs{{method = "bosh3", controller = "PID"}, {norm = "sample", max_step = 0.3},
                     {final = "interpolate", stops = {0.3}, jumps = {1.1}}} do
    beside(oscillators{0, 0.5, 1}, p, o, cut_y0, 21)
  end
  beside(oscillators{2, 1.5, 0.1}, {y0 = start(9) * 0.1, k = tide.tensor(1, f64)}, {}, cut_y0, 9)
  local rows = {}
  for i = 1, 70 do rows[i] = {2, 0, 10 ^ (-1 + 3 * (i * 31 % 70) / 69)} end
  beside(oscillators{0, 3}, {y0 = tide.tensor(rows, f64), k = tide.tensor(1, f64)}, {rtol = 1e-4}, cut_y0, 70)
end

tests["networks, which keep nothing here, and fields that look at the time"] = function()
  for _, dtype in ipairs{"float32", "float64"} do
    for _, sizes in ipairs{{2, 32, 32, 2}, {3, 16, 3}, {1, 8, 1}, {5, 120, 5}} do
      local y0 = tide.randn({19, sizes[1]}, {seed = 1, dtype = dtype})
      for _, act in ipairs{"tanh", "softplus", "relu"} do
        for _, time in ipairs{false, true} do
          local net = tide.nn.mlp{sizes = sizes, act = act, time = time, seed = 2, dtype = dtype}
          local p = {y0 = y0}
          for i, x in ipairs(tide.nn.parameters(net)) do p["p" .. i] = x.tensor end
          local function loss(q, o)
            local model = tide.nn.mlp{sizes = sizes, act = act, time = time, seed = 2, dtype = dtype}
            for i, x in ipairs(tide.nn.parameters(model)) do
              local layer, kind = x.name:match("layers%[(%d+)%]%.(%a)")
              model.layers[tonumber(layer)][kind] = q["p" .. i]
            end
            return tide.odeint(model, q.y0, {0, 1, 2}, o):sin():sum()
          end
          beside(loss, p, {rtol = 1e-4}, cut_y0, 19)
        end
      end
    end
  end
end

tests["fields of all sorts"] = function()
  for _, dtype in ipairs{"float32", "float64"} do
    local o = {dtype = dtype}
    local p = {y0 = tide.randn({13, 5}, with(o, {seed = 4})), w = tide.randn({5, 5}, with(o, {seed = 3})),
               b = tide.randn({5}, with(o, {seed = 5}))}
    for name, f in pairs{
      residual = function(q, _, y)
        local h = (y:matmul(q.w) + y:sin()):tanh()
        return h:matmul(q.w) + h - 3 * y + q.b
      end,
      softmax = function(q, _, y) return y:softmax(2) * q.b - y end,
      extremes = function(q, _, y) return (y - y:mean(2, true)) * y:max(2, true) * 0.1 * q.b - y end,
      choice = function(q, t, y) return tide.where(y:gt(0), -y, y:sin() * q.b) - y * t end,
      row = function(q, t, y) return -y + (t * q.b):sin() * y * q.b end,
      column = function(q, t, y)
        return tide.cat({t * tide.ones({y:shape()[1], 1}, o), y:slice(2, 1, 4)}, 2):matmul(q.w):tanh() - y
      end,
      parts = function(q, _, y)
        local a, c = y:slice(2, 1, 2), y:slice(2, 3, 5)
        return tide.cat({c:slice(2, 1, 2) - a * q.b[1], a:sum(2, true) * c * 0.1 - c}, 2)
      end,
      functions = function(q, _, y)
        local x = y:square() * 0.1
        local sum = x:exp() + x:atan() + y:erf() + (1 + x):sqrt() + x:log1p()
        return (sum + y:sigmoid() / (2 + x)) * q.b - 2 * y
      end,
    } do
      local ok, message = pcall(beside, function(q, options)
        local ys = tide.odeint(function(t, y) return f(q, t, y) end, q.y0, {0, 0.4, 1}, options)
        return (ys * ys:cos()):sum()
      end, p, {rtol = 1e-5}, cut_y0, 13)
      if not ok then error(("%s, %s: %s"):format(name, dtype, message)) end
    end
  end
end

-- Parameters with an entry for each sample; one that is made from what all share as well.
local function springs(p, o)
  local rate = p.stiffness * p.scale
  return tide.odeint(function(t, y)
    local x, v = y:slice(2, 1, 1), y:slice(2, 2, 2)
    return tide.cat({v, -rate * x - 0.1 * v * p.damping}, 2) + p.pushes * tide.cos(t)
  end, p.y0, {0, 0.5, 2}, o):square():sum()
end

local function many_springs(n)
  return {y0 = tide.randn({n, 2}, {seed = 5, dtype = "float64"}),
          stiffness = tide.rand({n, 1}, {seed = 6, dtype = "float64"}) * 400,
          pushes = tide.randn({n, 2}, {seed = 7, dtype = "float64"}),
          scale = tide.tensor({1.5}, f64), damping = tide.tensor({{0.3}}, f64)}
end

tests["parameters with an entry for each sample"] = function()
  local p = many_springs(37)
  local g = beside(springs, p, {rtol = 1e-6}, function(q, i)
    local one = {scale = q.scale, damping = q.damping}
    for _, name in ipairs{"y0", "stiffness", "pushes"} do one[name] = q[name]:slice(1, i, i) end
    return one
  end, 37)
  local compiled = tide.compile(function(q)
    return tide.grad(function(x) return springs(x, {rtol = 1e-6, per_sample = true}) end)(q)
  end)
  for _ = 1, 2 do
    for name, x in pairs(compiled(p)) do same(x, g[name], "compiled " .. name) end
  end
  compiled(with(p, {stiffness = p.stiffness * 0.1}))
  for name, x in pairs(compiled(p)) do same(x, g[name], "compiled, after others, " .. name) end
end

tests["beside finite differences"] = function()
  local p = many_springs(5)
  p.stiffness = p.stiffness * 0.05
  assert(tide.gradcheck(function(q)
    return springs(q, {method = "dop853", rtol = 1e-12, atol = 1e-12, per_sample = true})
  end, p))
end

tests["the same bits for any number of threads, and where places are taken again"] = function()
  local p = {y0 = start(150), k = tide.tensor(1, f64)}
  local q = many_springs(67)
  check.same_for_threads(function()
    local o, all = {per_sample = true}, {}
    local list = {tide.grad(function(x) return oscillators{0, 3}(x, o) end)(p),
                  tide.grad(function(x) return springs(x, o) end)(q)}
    for _, g in ipairs(list) do
      for _, name in ipairs{"y0", "k", "stiffness", "pushes", "scale", "damping"} do
        all[#all + 1] = g[name]
      end
    end
    return all
  end)
end

tests["stages beyond what a record holds are made again"] = function()
  local n = 3000 -- of 64 MiB a sample has a share for some 50 steps
  local p = {y0 = tide.randn({n, 8}, {seed = 1, dtype = "float64"})}
  local function f(t, y) return tide.sin(3 * t) * y:cos() - y end
  local function loss(q, o) return tide.odeint(f, q.y0, {0, 2.5, 5}, o):sin():sum() end
  local o = {rtol = 1e-11, atol = 1e-11}
  local g = tide.grad(function(q) return loss(q, with(o, {per_sample = true})) end)(p)
  for _, i in ipairs{1, 700, n} do
    same(g.y0:slice(1, i, i), tide.grad(function(q) return loss(q, o) end)(cut_y0(p, i)).y0, "sample " .. i)
  end
  local _, stats = tide.odeint(f, p.y0:slice(1, 1, 1), {0, 5}, o)
  assert(stats.accepted > 100)
end

tests["checkpoints: the bits of a direct gradient, by what is shared as well"] = function()
  local p, q = {y0 = start(21), k = tide.tensor(1, f64)}, many_springs(23)
  local direct = tide.grad(function(x) return oscillators{0, 0.7, 2}(x, {per_sample = true}) end)(p)
  local by_springs = tide.grad(function(x) return springs(x, {per_sample = true}) end)(q)
  for _, kept in ipairs{{}, {checkpoint_steps = 1}, {checkpoint_steps = 3}, {checkpoints = 1},
                        {checkpoints = 4}, {memory = 100000}} do
    local o = with(kept, {gradient = "checkpoint"})
    if not kept.memory then beside(oscillators{0, 0.7, 2}, p, o, cut_y0, 21) end
    local together = with(o, {per_sample = true})
    local g = tide.grad(function(x) return oscillators{0, 0.7, 2}(x, together) end)(p)
    for name, x in pairs(direct) do same(g[name], x, name) end
    g = tide.grad(function(x) return springs(x, together) end)(q)
    for name, x in pairs(by_springs) do same(g[name], x, name) end
  end
  check.fails("memory = 4000 is too little", tide.grad(function(x)
    return oscillators{0, 0.7, 2}(x, {per_sample = true, gradient = "checkpoint", memory = 4000})
  end), p)
  check.same_for_threads(function()
    local o = {per_sample = true, gradient = "checkpoint", checkpoints = 3}
    return {tide.grad(function(x) return springs(x, o) end)(q).stiffness}
  end)
end

tests["a derivative that is not finite is the error of the sample alone"] = function()
  local y0 = tide.tensor({{1}, {2}, {0}, {3}, {0.5}}, f64)
  local function loss(y, o)
    return tide.odeint(function(_, x) return -x:sqrt() * 0.1 end, y, {0, 1}, o):sum()
  end
  local function together(y) return loss(y, {per_sample = true}) end
  goes_back(together, y0)
  local alone = check.fails("NaN or Inf on the way back", tide.grad(function(y) return loss(y, {}) end),
    y0:slice(1, 3, 3))
  local message = check.fails("sample 3 of 5 (1 failed: 3)", tide.grad(together), y0)
  local said = alone:match("the cotangent of y.*loss[^\n]*")
  assert(said and message:find(said, 1, true), message)
  -- and a loss that is none gives NaN
  local g = tide.grad(function(y) return together(y) * (0 / 0) end)(y0)
  assert(g:isnan():all():item())
end

tests["where one sample is left to a solve of its own"] = function()
  local y0 = tide.tensor({{1}, {2}, {30}, {3}, {0.5}}, f64) -- the third one grows without bound
  local function solve(y, o)
    return tide.odeint(function(_, x) return x * x * 0.1 end, y, {0, 1}, with(o, {per_sample = true}))
  end
  local ok, message = pcall(tide.grad(function(y) return solve(y, {}):sum() end), y0)
  assert(not ok and tostring(message):find("sample 3 of 5", 1, true), tostring(message))
  -- a budget that one of them spends
  local few = tide.tensor({{1}, {2}, {2.9}, {3}, {0.5}}, f64)
  local g = tide.grad(function(y) return solve(y, {})[2]:sum() end)(few)
  for i, x in ipairs{1, 2, 2.9, 3, 0.5} do check.near(g[i][1], 1 / (1 - 0.1 * x) ^ 2, 1e-4) end
end

tests["what goes back one by one says so, and has the same steps"] = function()
  local w = tide.randn({2, 2}, {seed = 2, dtype = "float64"})
  local y0 = tide.randn({6, 2}, {seed = 1, dtype = "float64"})
  local function loss(p, o)
    local ys = tide.odeint(function(t, y) return y:matmul(p):tanh() * (1 + t) - y end, y0, {0, 1}, o)
    return ys:square():sum()
  end
  for _, kind in ipairs{"adjoint", "interpolated"} do
    local said = samples_of(function(p) return loss(p, {per_sample = true, gradient = kind}) end, w) or ""
    assert(not said:find("forwards and back", 1, true), said)
  end
  -- a vjp that adds up by positions
  local places = tide.tensor({2, 1}, {dtype = "int64"})
  local function turned(y, o)
    return tide.odeint(function(_, x) return x:take(places, 2):sin() - x end, y, {0, 1}, o):square():sum()
  end
  local said = samples_of(function(y) return turned(y, {per_sample = true}) end, y0)
  assert(said:find("the way back is one by one", 1, true), said)
  local g = tide.grad(function(y) return turned(y, {per_sample = true}) end)(y0)
  for i = 1, 6 do
    same(g:slice(1, i, i), tide.grad(function(y) return turned(y, {}) end)(y0:slice(1, i, i)))
  end
  -- by the times: steps that adapt are constants, and outputs move along f
  local t = tide.tensor({0, 0.4, 1}, f64)
  local function by_times(at, o)
    local function f(_, y) return y:matmul(w):tanh() end
    return tide.grad(function(x) return tide.odeint(f, at, x, o):sum() end)(t)
  end
  local sum = 0
  for i = 1, 6 do sum = by_times(y0:slice(1, i, i), {}) + sum end
  check.close(by_times(y0, {per_sample = true}), sum, 1e-11, "by times")
end

tests["failing allocations: an error or the right one, and nothing is lost"] = function()
  local p = {y0 = start(9), k = tide.tensor(1, f64)}
  local function of()
    local sum = 0
    for _, kind in ipairs{"direct", "checkpoint"} do
      local o = {per_sample = true, gradient = kind}
      sum = sum + tide.grad(function(q) return oscillators{0, 1}(q, o) end)(p).y0:sum():item()
    end
    return sum
  end
  check.survives(of, 2400, 29, 10)
end

return tests
