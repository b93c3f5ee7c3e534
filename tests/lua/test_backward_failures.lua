--- What goes wrong on the way back through a solve: allocations that fail, derivatives that are not finite,
-- errors of f. Nothing is left behind, and the next gradient is right.

local cases = require "gradient_cases"
local check = require "check"
local tide = require "tide"

local tests = {}
local f64 = cases.f64

local function gradient(o, p)
  return tide.grad(cases.solve_loss({0, 0.4, 1}, o))(p or cases.parameters())
end
local function first_number(g) return cases.flat(g)[1] end

tests["allocations that fail, every kind of gradient and every family"] = function()
  for _, o in ipairs{
    {rtol = 1e-4}, {rtol = 1e-4, gradient = "checkpoint", checkpoints = 2},
    {rtol = 1e-4, gradient = "checkpoint", memory = 8000}, {rtol = 1e-4, gradient = "adjoint"},
    {rtol = 1e-4, gradient = "interpolated"}, {method = "bdf", gradient = "checkpoint", checkpoints = 3},
    {method = "radau5", rtol = 1e-4}, {method = "trbdf2", steps = 6, gradient = "checkpoint"},
    {method = "alf", steps = 7, gradient = "checkpoint", checkpoints = 2}, {method = "adams", rtol = 1e-4},
    {method = "rodas4", rtol = 1e-4}, {per_sample = true, gradient = "checkpoint", checkpoints = 2},
    {rtol = 1e-4, gradient = "adjoint", adjoint = {method = "radau5", norm = "seminorm"}}} do
    check.survives_lack_of_memory(function() return first_number(gradient(o)) end)
  end
end

local every = {{method = "rk4", steps = 4}, {method = "rk4", steps = 4, gradient = "checkpoint"},
  {method = "rk4", steps = 4, gradient = "adjoint"}, {method = "rk4", steps = 4, gradient = "interpolated"},
  {method = "alf", steps = 4, gradient = "reversible"}, {method = "rk4", steps = 4, gradient = "forward"},
  {method = "radau5", steps = 4}, {method = "trbdf2", rtol = 1e-4}, {method = "rodas4", rtol = 1e-4},
  {method = "bdf"}, {method = "adams"}, {method = "auto"}, {rtol = 1e-4, per_sample = true},
  {method = "trbdf2", steps = 4, jacobian = "krylov"}}

tests["derivatives that become NaN on the way back are errors that say where, of every kind"] = function()
  local function loss(o, root)
    return function(p)
      return tide.odeint(function(t, y)
        return p * root(y * 0) * y:sin() + 0.1 * t - y
      end, f64{1, 2}, {0, 1}, o)[2]:sum()
    end
  end
  for i, o in ipairs(every) do
    local message = check.fails("", tide.grad(loss(o, tide.sqrt)), f64(1))
    assert(i > 6 or message:find("NaN or Inf", 1, true), i .. ": " .. message) -- implicit ones need it
  end
  -- The place, and what to do.
  check.fails({"the cotangent of y became NaN or Inf on the way back", "from t = 0.75 to 1", "sqrt",
    "tide.where"}, tide.grad(loss(every[1], tide.sqrt)), f64(1))
  -- By a parameter alone.
  for _, o in ipairs{every[1], every[2], every[5]} do
    check.fails({"the gradient by parameters", "became NaN or Inf"}, tide.grad(function(p)
      return tide.odeint(function(_, y) return (p * 0):sqrt() - y end, f64{1}, {0, 1}, o)[2]:sum()
    end), f64(1))
  end
  local ok, failure = pcall(tide.grad(loss(every[1], tide.sqrt)), f64(1))
  assert(not ok and failure.status == "not_finite" and failure.backward and failure.t == 0.75)
  assert(first_number(gradient{gradient = "adjoint"}) == first_number(gradient{gradient = "adjoint"}))
end

tests["NaN or Inf that comes from the loss makes the gradient NaN, of every kind"] = function()
  local function field(p) return function(_, y) return -p * y end end
  for i, o in ipairs(every) do
    for _, bad in ipairs{0 / 0, math.huge} do
      local p = {p = f64(1), y = f64{1, 2}}
      local g = tide.grad(function(q)
        return (tide.odeint(field(q.p), q.y, {0, 1}, o)[2] * f64{bad, 1}):sum()
      end)(p)
      for _, x in ipairs{g.p:item(), g.y[1], g.y[2]} do assert(x ~= x, i) end
    end
  end
  -- and by times; but not what on_step has cut off
  local t = tide.grad(function(times)
    return (tide.odeint(field(f64(1)), f64{1, 2}, times, {method = "rk4", steps = 4})[2] * (0 / 0)):sum()
  end)(f64{0, 1})
  assert(t[1] ~= t[1] and t[2] ~= t[2])
  local g = tide.grad(function(p)
    local ys = tide.odeint(field(p), f64{1, 2}, {0, 0.25, 1}, {method = "rk4", steps = 4,
      on_step = function(step) return step.t > 0.4 and "stop" or nil end})
    return ys[2]:sum() + ys[3]:square():sum()
  end)(f64(1))
  check.near(g:item(), -0.25 * 3 * math.exp(-0.25), 1e-3)
end

tests["solves backwards that give up: steps, evaluations, underflow"] = function()
  local before = tide.memory().live_blocks
  -- forwards a few steps do; backwards the cotangent turns fast
  local function loss(o)
    return function(p)
      local function f(t, y) return tide.stack{0 * y[1], p * y[1] * tide.cos(300 * t) * y[2]} end
      return tide.odeint(f, f64{1, 0}, {0, 3}, o)[2]:sum()
    end
  end
  for _, kind in ipairs{"adjoint", "interpolated"} do
    check.fails({"continuous adjoint", "max_steps"}, tide.grad(loss{gradient = kind, rtol = 1e-10,
      atol = 1e-10, max_steps = 20, adjoint = {rtol = 1e-12, atol = 1e-14}}), f64(1))
  end
  for _, kind in ipairs{"direct", "checkpoint", "adjoint", "interpolated"} do
    local ok, message = pcall(tide.grad(function(p)
      return tide.odeint(function(_, y) return p * y * y end, f64{1}, {0, 2}, {gradient = kind})[2]:sum()
    end), f64(1))
    assert(not ok and tostring(message):find("t = 1", 1, true) or tostring(message):find("t = 0.99", 1, true),
      message)
  end
  collectgarbage() collectgarbage()
  assert(tide.memory().live_blocks <= before + 20, tide.memory().live_blocks - before)
end

return tests
