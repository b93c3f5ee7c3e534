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

tests["derivatives that are not finite: adjoints say where, the others give NaN as all of autodiff does"] =
  function()
  local function loss(o)
    return function(p)
      local ys = tide.odeint(function(t, y) return p * (y * 0):sqrt() + 0.1 * t end, f64{1}, {0, 1}, o)
      return ys[2]:sum()
    end
  end
  for _, kind in ipairs{"adjoint", "interpolated"} do
    check.fails({"continuous adjoint", "NaN or Inf", "t = "},
      tide.grad(loss{method = "rk4", steps = 4, gradient = kind}), f64(1))
  end
  for _, o in ipairs{{method = "rk4", steps = 4}, {method = "rk4", steps = 4, gradient = "checkpoint"}} do
    local g = tide.grad(function(p)
      return tide.odeint(function(_, y) return p * ((y * 0):sqrt() + p) end, f64{1}, {0, 1}, o)[2]:sum()
    end)(f64(1)):item()
    assert(g ~= g, g)
  end
  check.fails("singular or not finite", tide.grad(loss{method = "radau5", steps = 4}), f64(1))
  assert(first_number(gradient{gradient = "adjoint"}) == first_number(gradient{gradient = "adjoint"}))
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
