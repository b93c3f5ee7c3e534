--- Failures of solves say what helps: stiffness is detected and named, and what merely needs many steps is
-- not called stiff.

local tide = require "tide"
local check = require "check"

local tests = {}
local fails = check.fails

local explicit = {}
for _, m in ipairs(tide.ode.methods()) do
  local other = m.implicit or m.family == "reversible" -- these are weakly unstable where f pulls back
  if m.kind == "adaptive" and not other then explicit[#explicit + 1] = m.name end
end

local function f64(x) return tide.tensor(x, {dtype = "float64"}) end

local function repeated(n, fn)
  local list = {}
  for i = 1, n do list[i] = fn(i) end
  return list
end

local function hires(_, y)
  local a = 280 * y[6] * y[8]
  return {-1.71 * y[1] + 0.43 * y[2] + 8.32 * y[3] + 0.0007, 1.71 * y[1] - 8.75 * y[2], -10.03 * y[3] + 0.43
    * y[4] + 0.035 * y[5],
          8.32 * y[2] + 1.71 * y[3] - 1.12 * y[4], -1.745 * y[5] + 0.43 * y[6] + 0.43 * y[7],
          -a + 0.69 * y[4] + 1.71 * y[5] - 0.43 * y[6] + 0.69 * y[7], a - 1.81 * y[7], -a + 1.81 * y[7]}
end

local function robertson(_, y)
  local a, b, c = 0.04 * y[1], 1e4 * y[2] * y[3], 3e7 * y[2] ^ 2
  return {-a + b, a - b - c, c}
end

local function oregonator(_, y)
  return {77.27 * (y[2] + y[1] * (1 - 8.375e-6 * y[1] - y[2])), (y[3] - (1 + y[1]) * y[2]) / 77.27,
    0.161 * (y[1] - y[3])}
end

local function heat(_, y)
  return repeated(#y, function(i)
    return ((y[i - 1] or 0) - 2 * y[i] + (y[i + 1] or 0)) * 10 * (#y + 1) ^ 2
  end)
end

-- name -> {field, y0, end}: each needs far more than 3000 steps, because of its fast part alone.
local stiff = {
  robertson = {robertson, {1, 0, 0}, 1e4},
  ["van der Pol"] = {function(_, y) return {y[2], 1000 * (1 - y[1] ^ 2) * y[2] - y[1]} end, {2, 0}, 2000},
  ["Prothero-Robinson"] = {function(t, y) return {-1e6 * (y[1] - math.cos(t)) - math.sin(t)} end, {1}, 10},
  decay = {function(_, y) return {-1e4 * y[1]} end, {1}, 1000},
  ["Curtiss-Hirschfelder"] = {function(t, y) return {-1e5 * (y[1] - math.cos(t))} end,
    {0}, 10},
  hires = {hires, {1, 0, 0, 0, 0, 0, 0, 0.0057}, 3000}, oregonator = {oregonator, {1, 2, 3}, 360},
  heat = {heat, repeated(40, function(i) return math.sin(i * math.pi / 41) end), 10},
  ["fast and slow"] = {function(t, y) return {-y[1] + y[2] + math.sin(t), -1e4 * (y[2] - y[1])} end, {1, 1},
    1000},
}

for name, p in pairs(stiff) do
  tests["stiff: " .. name] = function()
    for _, m in ipairs{"dopri5", "tsit5", "dopri8", "dopri5_shampine"} do
      for _, tol in ipairs{{1e-3, 1e-8}, {1e-6, 1e-10}} do
        local message = fails({"looks stiff"}, tide.odeint, p[1], p[2], {0, p[3]},
          {plain = true, method = m, rtol = tol[1], atol = tol[2],
          max_steps = 3000})
        assert(message:find "max_steps" and not message:find "loosen", message)
      end
    end
    -- of low order, which stability holds down at loose tolerances only
    if name ~= "robertson" then
      for _, m in ipairs{"bosh3", "heun_euler"} do
        fails("looks stiff", tide.odeint, p[1], p[2], {0, p[3]},
          {plain = true, method = m, rtol = 1e-3, atol = 1e-6, max_steps = 3000})
      end
    end
  end
end

local mu = 0.012277471
local function arenstorf(_, y)
  local x, z = y[1], y[2]
  local d1, d2 = ((x + mu) ^ 2 + z ^ 2) ^ 1.5, ((x - 1 + mu) ^ 2 + z ^ 2) ^ 1.5
  return {y[3], y[4], x + 2 * y[4] - (1 - mu) * (x + mu) / d1 - mu * (x - 1 + mu) / d2,
    z - 2 * y[3] - (1 - mu) * z / d1 - mu * z / d2}
end

local masses = {3, 4, 5}
local function three_bodies(_, y)
  local d = {}
  for i = 1, 3 do
    local ax, ay = 0, 0
    for j = 1, 3 do
      local dx, dy = y[2 * j - 1] - y[2 * i - 1], y[2 * j] - y[2 * i]
      local r3 = (dx * dx + dy * dy) ^ 1.5
      if i ~= j then ax, ay = ax + masses[j] * dx / r3, ay + masses[j] * dy / r3 end
    end
    d[2 * i - 1], d[2 * i], d[5 + 2 * i], d[6 + 2 * i] = y[5 + 2 * i], y[6 + 2 * i], ax, ay
  end
  return d
end

local function kepler(_, y)
  local r3 = (y[1] ^ 2 + y[2] ^ 2) ^ 1.5
  return {y[3], y[4], -y[1] / r3, -y[2] / r3}
end

local many = {
  arenstorf = {arenstorf, {0.994, 0, 0, -2.00158510637908252240537862224}, 200},
  ["three bodies"] = {three_bodies, {1, 3, -2, -1, 1, -1, 0, 0, 0, 0, 0, 0}, 70},
  kepler = {kepler, {0.1, 0, 0, math.sqrt(19)}, 1e4},
  oscillator = {function(_, y) return {y[2], -1e6 * y[1]} end, {1, 0}, 1000},
  ["scaled oscillator"] = {function(_, y) return {1e3 * y[2], -1e3 * y[1]} end, {1, 0}, 1000},
  lorenz = {function(_, y) return {10 * (y[2] - y[1]), y[1] * (28 - y[3]) - y[2], y[1] * y[2] - 8 / 3
    * y[3]} end, {1, 1, 1}, 1e4},
  growth = {function(_, y) return {5 * y[1]} end, {1e-3}, 120},
  forcing = {function(t) return {math.cos(1e4 * t)} end, {0}, 1e3},
  ["driven, damped"] = {function(t, y) return {y[2], -1e4 * y[1] - y[2] + 1e4 * math.sin(90 * t)} end, {1, 0},
    1e3},
  constant = {function() return {1, 2} end, {0, 0}, 1e3, 0.01},
  ["linear in t"] = {function(t) return {t, t * t} end, {0, 0}, 1e3, 0.01},
  calm = {function(_, y) return {-y[1]} end, {1}, 1e3, 0.01}, rest = {function(_, y) return {0 * y[1]} end,
    {1}, 1e3, 0.01},
  noise = {function() return {math.random()} end, {0}, 1e3},
  square = {function(t) return {math.floor(t * 100) % 2} end, {0}, 1e3},
}

for name, p in pairs(many) do
  tests["not stiff: " .. name] = function()
    for _, m in ipairs(explicit) do
      for _, tol in ipairs{{1e-3, 1e-6}, {1e-6, 1e-9}, {1e-9, 1e-12}} do
        for _, max_steps in ipairs{300, 2000} do
          local ok, message = pcall(tide.odeint, p[1], p[2], {0, p[3]},
            {plain = true, method = m, rtol = tol[1], atol = tol[2], max_steps = max_steps,
            max_step = p[4]})
          assert(ok or not message:find "looks stiff", ("%s at %g: %s"):format(m, tol[1], message))
        end
      end
    end
  end
end

tests["looking for stiffness evaluates nothing and changes nothing"] = function()
  local calls = 0
  local _, s = tide.odeint(function(t, y) calls = calls + 1; return stiff.decay[1](t, y) end, {1}, {0, 0.2},
    {plain = true})
  assert(s.nfe == calls and s.nfe == 2 + 6 * s.steps)
  local times = {}
  for i = 0, 200 do times[i + 1] = i * 1e-3 end
  for _, m in ipairs(explicit) do
    local a = tide.odeint(stiff.decay[1], {1}, {0, 0.2}, {plain = true, method = m})
    local b = tide.odeint(stiff.decay[1], {1}, times, {plain = true, method = m})
    assert(a[2][1] == b[201][1], m)
  end
end

tests["recorded fields, float32 and both directions are looked at alike"] = function()
  fails("looks stiff", tide.odeint, function(_, y) return -1e4 * y end, tide.ones{3}, {0, 1000},
    {max_steps = 2000})
  fails("looks stiff", tide.odeint, function(_, y) return 1e4 * y end, f64{1, 2}, {1000, 0},
    {max_steps = 2000})
  fails("looks stiff", tide.odeint, function(_, y) return {a = -1e4 * y.a, b = y.b * 0} end,
    {a = f64{1}, b = tide.ones({50000}, {dtype = "float64"})},
    {0, 1000}, {max_steps = 2000})
end

-- ---- remedies ----

local function message_of(words, f, y0, t, opts)
  opts = opts or {}
  opts.plain = true
  return fails(words, tide.odeint, f, y0, t, opts)
end

tests["fehlberg21: unstable steps that its estimate does not see end the solve, growth of its own does not"] =
function()
  local grown = {"y has grown 1000-fold although f pulls back", "the problem looks stiff"}
  local function chases(sign)
    return function(t, y) return sign * (-1000 * (y - tide.exp(sign * t)) + tide.exp(sign * t)) end
  end
  local y0, o = f64{{1}, {1}}, {method = "fehlberg21", rtol = 1e-2, atol = 1e-2}
  fails(grown, tide.odeint, chases(1), y0, {0, 12}, o) -- 2e301 for e^12 without a word
  fails(grown, tide.odeint, chases(-1), y0, {0, -12}, o)
  o.per_sample, o.on_failure = true, "return"
  local ys, stats = tide.odeint(chases(1), y0, {0, 12}, o)
  assert(stats.failure.status == "stiff" and stats.failure.sample[2] == 2 and ys[2]:isnan():all():item() == 1)
  o = {method = "fehlberg21", rtol = 1e-3, atol = 1e-3}
  local at_end = tide.odeint(chases(1), y0, {0, 12}, o)[2][1][1] -- 145 tolerances off
  assert(math.abs(at_end / math.exp(12) - 1) < 0.2)
  local e20 = tide.odeint(function(_, y) return y end, y0, {0, 20}, {method = "fehlberg21", rtol = 1e-6})
  assert(math.abs(e20[2][1][1] / math.exp(20) - 1) < 0.01)
end

tests["many steps: how many it takes, and no word of stiffness"] = function()
  message_of({"max_steps", "0.0965 % of the span", "1e+06 steps", "raise max_steps", "dopri8"},
    function(_, y) return {y[2], -y[1]} end, {1, 0}, {0, 1e6},
    {max_steps = 1000})
  message_of({"most steps are rejected", "jumps"}, function(t) return {math.floor(t * 1e3) % 2} end, {0},
    {0, 1e3}, {max_steps = 2000, rtol = 1e-9,
    atol = 1e-9})
end

tests["a solution that goes to infinity"] = function()
  for _, f in ipairs{function(_, y) return {y[1] ^ 2} end, function(_, y) return {math.exp(y[1])} end,
    function(t) return {1 / (t - 0.5) ^ 2} end} do
    for _, tol in ipairs{1e-3, 1e-10} do
      message_of({"appears to go to infinity near t = ", "end the span before"}, f, {1}, {0, 2},
        {rtol = tol, atol = tol})
    end
  end
  message_of({"NaN or Inf", "go to infinity near t = 14"}, function(_, y) return {5 * y[1]} end, {1},
    {0, 1000})
  -- an error that carried the solution away, in a stiff problem: the cure is the opposite of looser
  -- tolerances
  local message = message_of({"goes to infinity", "looked stiff before", "tighten rtol and atol"}, robertson,
    {1, 0, 0}, {0, 1e4})
  assert(not message:find "loosen")
end

tests["a field that is not defined further, jumps, rounding, fixed steps"] = function()
  message_of({"NaN or Inf", "t = 2.00", "not defined beyond", "root"},
    function(_, y) return {-math.sqrt(y[1])} end, {1}, {0, 3})
  message_of({"underflow", "discontinuous or singular", "near 0.33333333", "jumps = {"},
    function(t) return {t < 1 / 3 and 0 or 1e9} end, {0}, {0, 3},
    {rtol = 1e-14, atol = 1e-14})
  message_of({"NaN or Inf in y", "too long for an explicit method", "smaller ones"}, stiff.decay[1], {1},
    {0, 10}, {method = "rk4", steps = 1000})
end

tests["NaN at the start names the element and the part"] = function()
  local y0 = {x = f64{1, 2}, c = {f64{3}, f64{4, 1, 5}}}
  local function f(_, y) return {x = y.x, c = {y.c[1], y.c[2] / (y.c[2] - 1)}} end
  fails({"NaN or Inf in f(t0, y0)", "element 2 of 3 of y.c[2]"}, tide.odeint, f, y0, {0, 1})
  fails({"NaN or Inf in f(t0, y0)", "element 2 of 3 of y.c[2]"}, tide.odeint, f, y0, {0, 1}, {eager = true})
  fails({"NaN or Inf in y0", "element 1 of 1 of y.c[1]", "check y0"}, tide.odeint, f,
    {x = f64{1, 2}, c = {f64{0 / 0}, f64{4, 1, 5}}}, {0, 1})
  fails({"NaN or Inf in f(t0, y0)", "element 2 of 2)"}, tide.odeint, function(_, y) return y / (y - 1) end,
    f64{3, 1}, {0, 1})
end

return tests
