--- gradient = "checkpoint" with few states kept (checkpoints =, memory =): the bits of "direct", how many
-- steps are made again, and what is kept.

local cases = require "gradient_cases"
local check = require "check"
local tide = require "tide"

local tests = {}
local f64, fails, same_bits = cases.f64, check.fails, cases.same_bits
local methods = check.methods()
local with = check.with

local FEW = {{checkpoints = 1}, {checkpoints = 2}, {checkpoints = 3}, {checkpoints = 7}, {memory = 20000}}

-- solve(options) -> loss(p): its gradient with few states kept is the direct one.
local function as_direct(what, solve, p, o, list)
  local value, direct = tide.value_and_grad(solve(o))(p)
  for _, few in ipairs(list or FEW) do
    local name, n = next(few)
    local v, g = tide.value_and_grad(solve(with(o, with(few, {gradient = "checkpoint"}))))(p)
    same_bits(v, value, what)
    same_bits(g, direct, ("%s, %s = %d"):format(what, name, n))
  end
end

local grids = {{steps = 11}, {step_size = 0.13}, {rtol = 1e-4, atol = 1e-4},
  {rtol = 1e-4, atol = 1e-4, stops = {0.2}, jumps = {0.5}}}
local function fits(m, o)
  if o.rtol then return m.kind ~= "fixed" or m.varying_order end
  return not m.varies
end

tests["it is direct, bit for bit: all methods, grids and steps that adapt, outputs inside steps"] = function()
  for _, m in ipairs(methods) do
    for i, grid in ipairs(grids) do
      local function solve(o) return cases.solve_loss(cases.spans[2], o) end
      if fits(m, grid) then
        as_direct(("%s, grid %d"):format(m.name, i), solve, cases.parameters(), with({method = m.name}, grid))
      end
    end
  end
end

tests["of stiff solves whose Jacobians serve many steps"] = function()
  local function solve(o)
    return function(p)
      local ys = tide.odeint(function(t, y)
        return tide.stack{y[2], p[1] * (1 - y[1] ^ 2) * y[2] - y[1] + tide.sin(t)}
      end, tide.stack{p[2], p[3]}, {0, 1, 4}, o)
      return (ys * ys):sum()
    end
  end
  for _, name in ipairs{"bdf", "trbdf2", "kvaerno5", "radau5", "adams"} do
    for _, tol in ipairs{1e-3, 1e-6} do
      for _, more in ipairs{{}, {jacobian = "krylov"}, {jumps = {0.7, 2}}} do
        as_direct(name, solve, f64{name == "adams" and 5 or 60, 2, 0.1},
          with({method = name, rtol = tol, atol = tol}, more), {{checkpoints = 1}, {checkpoints = 4}})
      end
    end
  end
end

tests["with events that change the state or end the solve, and quadratures"] = function()
  local function solve(o)
    return function(p)
      local fall = function(t, y) return tide.stack{y[2], p[1] - 0.1 * y[2] * tide.cos(t)} end
      local bounce = {g = function(_, y) return y[1] end, direction = -1,
        apply = function(_, y) return tide.stack{0 * y[1], -p[2] * y[2]} end}
      local high = {g = function(_, y) return y[1] - 5 end, terminal = true}
      local ys, _, q = tide.odeint(fall, tide.stack{p[3], 0 * p[3]}, {0, 0.4, 1.1, 2},
        with(o, {events = {bounce, high}, quadrature = function(t, y) return y[1] * y[1] * t end}))
      return (ys * ys):sum() + (q * q):sum()
    end
  end
  for _, o in ipairs{{}, {method = "bosh3", rtol = 1e-5}, {method = "bdf"}, {method = "adams"},
                     {method = "radau5"}, {method = "rk4", steps = 12}, {method = "alf", steps = 12},
                     {method = "bdf", steps = 30}} do
    as_direct(o.method or "dopri5", solve, f64{-9.8, 0.8, 1}, o)
  end
end

tests["of batches in tiles and of samples with steps of their own"] = function()
  local y0 = tide.randn({40, 2}, {seed = 3, dtype = "float64"})
  local function solve(o)
    return function(p)
      local ys = tide.odeint(cases.field(p), y0 * p.scale, {0, 0.3, 1}, o)
      return (ys * ys):sum()
    end
  end
  local p = cases.parameters()
  p.y0, p.scale = nil, f64(1.1)
  local list = {{checkpoints = 2}, {memory = 200000}, {checkpoint_steps = 3}}
  for _, o in ipairs{{method = "rk4", steps = 20}, {per_sample = true}, {per_sample = true, method = "bdf"},
                     {per_sample = true, method = "heun", steps = 9}} do
    as_direct("batch", solve, p, o, list)
  end
end

tests["other numbers of steps after another, and a second gradient of the same solve"] = function()
  local p = cases.parameters()
  local function loss(span, o)
    return tide.compile(tide.grad(function(q)
      local last = tide.odeint(cases.field(q), q.y0, span, o)[2]
      return (last * last):sum()
    end))
  end
  for _, few in ipairs{{checkpoints = 3}, {memory = 4000}} do
    local o = with(few, {gradient = "checkpoint", method = "bosh3", rtol = 1e-5, atol = 1e-5})
    local many, direct = loss(f64{0, 1}, o), loss(f64{0, 1}, {method = "bosh3", rtol = 1e-5, atol = 1e-5})
    for _, scale in ipairs{1, 3, 0.1, 2} do
      local q = with(p, {w = p.w * scale})
      same_bits(many(q), direct(q), "scaled")
    end
    local function two(options)
      local y, pullback = tide.vjp(function(q)
        return tide.odeint(cases.field(q), q.y0, {0, 1}, options)[2]
      end, p)
      return pullback(y), pullback(y * y)
    end
    local a, b = two(o)
    local c, d = two{method = "bosh3", rtol = 1e-5, atol = 1e-5}
    same_bits(a, c, "first")
    same_bits(b, d, "second")
  end
end

-- C(n, k)
local function binomial(n, k)
  local product = 1
  for i = 1, k do product = product * (n - k + i) // i end
  return product
end
-- Steps that go back through l steps takes, with s states in memory: Griewank, Walther 2000.
local function least(l, s)
  local r = 0
  while binomial(s + r, s) < l do r = r + 1 end
  return l > 1 and r * l - binomial(s + r, r - 1) or 0
end

local function counted(loss_of, o, p)
  local stats
  tide.grad(function(q)
    local ys
    ys, stats = tide.odeint(cases.field(q), q.y0, {0, 1}, o)
    return loss_of(ys)
  end)(p)
  return stats
end

tests["steps made again are as many as the binomial formula says"] = function()
  local p = cases.parameters()
  for _, n in ipairs{1, 2, 3, 7, 20, 57, 200} do
    for _, s in ipairs{1, 2, 3, 5, 12, 50, 200, 1000} do
      local again = least(n + 1, s) - n
      for name, stages in pairs{euler = 1, rk4 = 4} do
        local stats = counted(cases.loss_of, {method = name, steps = n, gradient = "checkpoint",
          checkpoints = s}, p)
        local own = stages > 1 and 2 * stages or 1 -- of a step that is gone back through
        assert(stats.nfe_backward == n * own + again * stages, ("%s, %d steps, %d states: %d"):format(name, n,
          s, stats.nfe_backward))
      end
    end
  end
  for _, s in ipairs{1, 2, 3, 5, 12, 50} do
    local stats = counted(cases.loss_of, {method = "bosh3", rtol = 1e-7, atol = 1e-7,
      gradient = "checkpoint", checkpoints = s}, p)
    local n, again = stats.accepted, (stats.nfe_backward - 6 * stats.accepted) // 3
    assert(n > 20 and again <= least(n, s) and (n > s or again == 0), ("%d steps, %d states: %d"):format(n, s,
      again))
  end
end

-- Bytes of a gradient beyond those of one with a single step.
local STATE = 1500
local function peak(o, p)
  local function loss(q)
    local last = tide.odeint(function(t, y) return (y * q + t):sin() end, q, {0, 1}, o)[2]
    return (last * last):sum()
  end
  local g = tide.compile(tide.grad(loss))
  collectgarbage()
  collectgarbage()
  local before = tide.memory(true).live_bytes
  g(p)
  local bytes = tide.memory().peak_bytes - before
  return bytes
end

tests["memory: direct grows with the steps, checkpoint keeps its budget, adjoint is constant"] = function()
  local p = tide.full({STATE}, 0.3, {dtype = "float64"})
  for _, name in ipairs{"heun_euler", "bdf"} do
    local function bytes(more, n)
      return peak(with({method = name, steps = n, jacobian = "krylov"}, more), p)
    end
    local vector = STATE * 8
    local few, many = bytes({}, 50), bytes({}, 150)
    assert(math.abs((many - few) / (100 * vector) - 3) < 0.1, ("%s: direct, %.3f"):format(name,
      (many - few) / 100 / vector))
    local none = bytes({gradient = "checkpoint", checkpoints = 1}, 50)
    for _, n in ipairs{50, 150} do
      for _, budget in ipairs{2e5, 5e5} do
        local more = bytes({gradient = "checkpoint", memory = math.tointeger(budget)}, n) - none
        assert(more <= budget and more > 0.6 * budget, ("%s: %d of %d"):format(name, more, budget))
      end
      local more = bytes({gradient = "checkpoint", checkpoints = 11}, n) - none
      assert(more > 0 and more < 10 * (name == "bdf" and 2 or 1) * (vector + 200) + 300 * 100,
        ("%s: 11 states, %d"):format(name, more))
      assert(math.abs(bytes({gradient = "adjoint"}, n) - bytes({gradient = "adjoint"}, 50)) < 2000)
    end
  end
end

tests["steps that adapt keep the budget, too, whatever they are"] = function()
  local p = tide.full({50}, 0.3, {dtype = "float64"})
  local function bytes(more) return peak(with({method = "bosh3", rtol = 1e-9, atol = 1e-9}, more), p) end
  local one = bytes{gradient = "checkpoint", memory = 40000}
  for _, budget in ipairs{45000, 60000, 100000} do
    local more = bytes{gradient = "checkpoint", memory = budget} - one
    assert(math.abs(more - (budget - 40000)) < 0.05 * budget, ("%d more for %d"):format(more, budget - 40000))
  end
end

tests["a budget that is too small says what the least is"] = function()
  local p = cases.parameters()
  for _, o in ipairs{{method = "rk4", steps = 40}, {rtol = 1e-9, atol = 1e-9}, {method = "bdf", rtol = 1e-6},
                     {per_sample = true, method = "rk4", steps = 30}} do
    local function grad(memory)
      return tide.grad(cases.solve_loss({0, 1}, with(o, {gradient = "checkpoint", memory = memory})))(p)
    end
    local message = fails({"memory = 1 is too little", "bytes at least"}, grad, 1)
    local bytes = math.tointeger(tonumber(message:match("(%d+) bytes at least")))
    fails(("%d bytes at least"):format(bytes), grad, bytes - 1)
    same_bits(grad(bytes), tide.grad(cases.solve_loss({0, 1}, o))(p), "the least")
  end
end

tests["options that do not go together"] = function()
  local function solve(o)
    return tide.odeint(function(_, y) return y end, tide.ones{1}, {0, 1}, o)
  end
  fails('odeint: memory goes with gradient = "checkpoint", got "direct"', solve, {memory = 1000})
  fails('checkpoints goes with gradient = "checkpoint", got "adjoint"', solve,
    {checkpoints = 2, gradient = "adjoint"})
  fails("give checkpoints or memory, not both", solve, {checkpoints = 2, memory = 9, gradient = "checkpoint"})
  fails("give checkpoint_steps or checkpoints, not both", solve,
    {checkpoint_steps = 2, checkpoints = 9, gradient = "checkpoint"})
  for _, bad in ipairs{0, -1, 1.5, "many", 1 / 0} do
    fails("checkpoints must be", solve, {checkpoints = bad, gradient = "checkpoint"})
    fails("memory must be", solve, {memory = bad, gradient = "checkpoint"})
  end
end

return tests
