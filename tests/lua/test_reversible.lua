--- Reversible methods: alf and reversible_heun step by their formulas, which algebra takes back.

local check = require "check"
local tide = require "tide"

local near = check.near
local F64 = {dtype = "float64"}
local names = {}
for _, m in ipairs(tide.ode.methods()) do if m.family == "reversible" then names[#names + 1] = m.name end end

local tests = {}

local function f(t, y) return math.sin(3 * t) * y - 0.3 * y ^ 3 end
local function field(t, y) return tide.sin(3 * t) * y - 0.3 * y * y * y end

-- The carry {y, slope, z} behind a step of size h at t.
local forwards = {
  alf = function(t, h, y, slope)
    local middle = f(t + h / 2, y + h / 2 * slope)
    return y + h * middle, 2 * middle - slope, y
  end,
  reversible_heun = function(t, h, y, slope, z)
    z = 2 * y - z + h * slope
    local last = f(t + h, z)
    return y + h / 2 * (slope + last), last, z
  end,
}
local back = {
  alf = function(t, h, y, slope)
    local middle = f(t + h / 2, y - h / 2 * slope)
    return y - h * middle, 2 * middle - slope, y
  end,
  reversible_heun = function(t, h, y, slope, z)
    local z0 = 2 * y - z - h * slope
    local first = f(t, z0)
    return y - h / 2 * (slope + first), first, z0
  end,
}

tests["they are there, with an estimate of order 1"] = function()
  assert(table.concat(names, " ") == "alf reversible_heun")
  for _, m in ipairs(tide.ode.methods()) do
    if m.family == "reversible" then
      assert(m.order == 2 and m.error_order == 1 and m.adaptive and not m.implicit and m.dense_order == 2)
      assert(m.stability == "imaginary" and not m.A)
    end
  end
end

tests["steps are those of the formulas, which go back to where they began"] = function()
  for _, name in ipairs(names) do
    local n, y, slope, z = 20, 1.2, f(0.5, 1.2), 1.2
    local h = 1.5 / n
    for i = 0, n - 1 do y, slope, z = forwards[name](0.5 + i * h, h, y, slope, z) end
    local ys, stats = tide.odeint(field, tide.tensor({1.2}, F64), {0.5, 2}, {method = name, steps = n})
    near(ys[2][1], y, 1e-14)
    assert(stats.nfe == n + 1, name) -- one a step, and the slope at the start
    for i = n - 1, 0, -1 do y, slope, z = back[name](0.5 + i * h, h, y, slope, z) end
    near(y, 1.2, 1e-12)
    near(slope, f(0.5, 1.2), 1e-12)
  end
end

tests["a step that ends at a jump is the last of its kind: the next one begins anew"] = function()
  local function kink(t, y) return y * (t > 1 and -2 or 1) end
  for _, name in ipairs(names) do
    local calls = 0
    local y, stats = tide.odeint(function(t, u)
      calls = calls + 1
      return kink(t, u)
    end, tide.tensor({1}, F64), {0, 0.7, 1, 1.3, 2},
      {method = name, eager = true, jumps = {1}, rtol = 1e-7, atol = 1e-9})
    near(y[2][1], math.exp(0.7), 1e-5)
    near(y[3][1], math.exp(1), 1e-5)
    near(y[4][1], math.exp(1 - 0.6), 1e-5)
    near(y[5][1], math.exp(-1), 1e-5)
    assert(stats.nfe == calls and stats.nfe == stats.steps + 3) -- two beginnings, and the first step size
  end
end

tests["rejected steps, loose tolerances, backwards in time"] = function()
  for _, name in ipairs(names) do
    for _, tol in ipairs{1e-3, 1e-5} do
      for _, span in ipairs{{0, 3}, {3, 0}} do
        local o = {method = name, rtol = tol, atol = tol, first_step = 1}
        local y, stats = tide.odeint(field, tide.tensor({0.8}, F64), span, o)
        local exact = tide.odeint(field, tide.tensor({0.8}, F64), span, {rtol = 1e-11, atol = 1e-11})
        assert(stats.rejected > 0)
        near(y[2][1], exact[2][1], 30 * tol)
      end
    end
  end
end

-- A derivative that was written step by step on tensors.
tests["the gradient is that of the steps, outputs between them included"] = function()
  local p = {w = tide.tensor({0.4, -0.7}, F64), y = tide.tensor({1, 0.3}, F64)}
  local function right(q) return function(t, y) return (q.w * y):sin() + tide.cos(t) * q.w end end
  local function unrolled(name, n)
    return function(q)
      local g, h, y = right(q), 1 / n, q.y
      local slope, z, inside = g(0.0, q.y), q.y, nil
      for i = 0, n - 1 do
        local t, y0, slope0, k = i * h, y, slope, nil
        if name == "alf" then
          k = g(t + h / 2, y + slope * (h / 2))
          y, slope = y + k * h, k * 2 - slope
        else
          z = y * 2 - z + slope * h
          k = g(t + h, z)
          y, slope = y + (slope + k) * (h / 2), k
        end
        if i == 2 then -- at 0.3 of the step
          local w = 0.3 * 0.3 * (name == "alf" and 1 or 0.5)
          inside = y0 + slope0 * (h * (0.3 - w)) + k * (h * w)
        end
      end
      return inside:square():sum() + y:sin():sum()
    end
  end
  for _, name in ipairs(names) do
    local value, want = tide.value_and_grad(unrolled(name, 7))(p)
    for _, gradient in ipairs{"direct", "checkpoint"} do
      local v, got = tide.value_and_grad(function(q)
        local ys = tide.odeint(right(q), q.y, {0, 2.3 / 7, 1}, {method = name, steps = 7, gradient = gradient,
          checkpoint_steps = 3})
        return ys:select(1, 2):square():sum() + ys:select(1, 3):sin():sum()
      end)(p)
      near(v:item(), value:item(), 1e-14)
      assert((got.w - want.w):abs():max():item() < 1e-14 and (got.y - want.y):abs():max():item() < 1e-14)
    end
  end
end

tests["a failure where f contracts says that it is the method"] = function()
  local function decay(_, y) return -10 * y end
  local y0 = tide.ones({1}, {dtype = "float64"})
  for _, name in ipairs(names) do
    local ok, e = tide.attempt(tide.odeint, decay, y0, {0, 40}, {method = name, max_steps = 3000})
    assert(not ok and e.status == "max_steps" and e.remedy:find(name .. " is weakly unstable", 1, true)
      and e.remedy:find("dopri5", 1, true), tostring(e))
  end
  for _, name in ipairs{"alf", "leapfrog"} do
    local ok, e = tide.attempt(tide.odeint, decay, y0, {0, 400}, {method = name, steps = 4000})
    assert(not ok and e.status == "not_finite" and e.remedy:find("weakly unstable", 1, true), tostring(e))
  end
end

return tests
