--- The order of every method as it is observed: forwards and backwards, on an autonomous and on a
-- time-dependent nonlinear problem, each within 0.1 up to order 4 and within 0.3 from order 5 on.
--
-- Slopes are those of the largest error over a path, between the finest grids whose error is not yet
-- rounding. Where the leading term of an error is small or changes its sign on the way, float64 has no grid
-- that is fine enough to show the order (core/NUMERICS.md); such methods have problems on which it has.

local check = require "check"
local tide = require "tide"

local tests = {}
local sin, cos = math.sin, math.cos
local POINTS, FLOOR = 4, 1e-12

-- ---- problems: f, solution, spans of both directions ----

-- From radius r0 drawn to the unit circle with strength b, turned by 1 + e cos t.
local function spiral(e, b, r0, forwards, backwards)
  local function f(t, y)
    local u, v = y[1], y[2]
    local turn, pull = e == 0 and 1 or 1 + e * t:cos(), b * (1 - u * u - v * v)
    return tide.stack{pull * u - turn * v, pull * v + turn * u}
  end
  return {f = f, spans = {forwards, backwards}, exact = function(t)
    local angle, r = t + e * sin(t), 1 / math.sqrt(1 + (1 / r0 ^ 2 - 1) * math.exp(-2 * b * t))
    return {r * cos(angle), r * sin(angle)}
  end}
end

-- Turned by r^2 times the slope of angle(t): no error dies out.
local function wheel(slope, angle, forwards, backwards)
  return {spans = {forwards, backwards}, f = function(t, y)
    local turn = (y[1] * y[1] + y[2] * y[2]) * slope(t)
    return tide.stack{-y[2] * turn, y[1] * turn}
  end, exact = function(t) return {cos(angle(t)), sin(angle(t))} end}
end

local spiral_alone = spiral(0, 1, 0.3, {0, 4}, {1, -1})
local spiral_timed = spiral(0.25, 0.7, 0.8, {0, 5.7}, {1.4, -1.4})
local wheel_alone = wheel(function() return 1 end, function(t) return t end, {0, 10}, {0, -10})
local wheel_slowing = wheel(function(t) return 1 / (1 + 0.1 * t * t) end,
  function(t) return math.atan(math.sqrt(0.1) * t) / math.sqrt(0.1) end, {-10, 10}, {10, -10})
local wheel_hastening = wheel(function(t) return t end, function(t) return t * t / 2 end, {0, 5}, {0, -5})

local problems = {
  autonomous = {spiral_alone, dopri5 = wheel_alone, dopri5_shampine = wheel_alone, tsit5 = wheel_alone,
    vern7 = wheel_alone},
  ["time-dependent"] = {spiral_timed, dopri5 = wheel_slowing, dopri5_shampine = wheel_slowing,
    tsit5 = wheel_slowing, vern7 = wheel_hastening},
}

-- ---- slopes ----

local function largest_error(p, span, o)
  local times, worst = {}, 0
  for i = 0, POINTS do times[i + 1] = span[1] + (span[2] - span[1]) * i / POINTS end
  local ys = tide.odeint(p.f, tide.tensor(p.exact(span[1]), {dtype = "float64"}), times, o):totable()
  for i = 2, POINTS + 1 do
    for j, x in ipairs(p.exact(times[i])) do
      local off = math.abs(ys[i][j] - x)
      worst = off <= worst and worst or off
    end
  end
  return worst
end

-- Of the two finest grids, some 1.5 apart, with an error above the floor.
local function observed(p, span, method, order, k)
  local errors, sizes, n = {}, {}, k <= 2 and 160 or k <= 4 and 20 or 1
  repeat
    local i = #errors + 1
    sizes[i] = n * POINTS
    errors[i] = largest_error(p, span, {method = method, order = order, steps = sizes[i],
      on_failure = "return"})
    n = math.ceil(1.25 * n)
  until errors[i] < FLOOR or n > 320
  local fine = errors[#errors] < FLOOR and #errors - 1 or #errors
  return math.log(errors[fine - 2] / errors[fine]) / math.log(sizes[fine] / sizes[fine - 2])
end

local function each(fn)
  for _, m in ipairs(check.methods()) do
    if m.family ~= "multistep" or m.least_order == m.order then
      if not m.varies then fn(m.name, nil, m.order) end
    elseif m.least_order then
      for k = m.least_order, m.order do fn(m.name, k, k) end
    end
  end
end

for kind, list in pairs(problems) do
  for direction, word in ipairs{"forwards", "backwards"} do
    tests[("the order of every method is observed, %s, %s"):format(kind, word)] = function()
      local off = {}
      each(function(name, order, k)
        local what = order and name .. " " .. order or name
        local p = list[what] or list[1]
        local got = observed(p, p.spans[direction], name, order, k)
        if not (math.abs(got - k) <= (k <= 4 and 0.1 or 0.3)) then
          off[#off + 1] = ("%s: %.2f"):format(what, got)
        end
      end)
      assert(#off == 0, table.concat(off, "; "))
    end
  end
end

return tests
