--- Options that say where adaptive steps go: max_step, min_step, stops, jumps; forwards, in gradients,
-- compiled.

local tide = require "tide"
local check = require "check"

local tests = {}
local fails, near = check.fails, check.near

local adaptive = {}
for _, m in ipairs(tide.ode.methods()) do
  if m.kind == "adaptive" and not check.looks_outside(m) then adaptive[#adaptive + 1] = m end
end

local function f64(x) return tide.tensor(x, {dtype = "float64"}) end

-- The sizes of the steps, read from the times at which a field is evaluated: each step of dopri5 ends with c
-- = 1.
local function ends_of(f, y0, span, opts)
  local seen = {}
  opts.plain = true
  local ys, stats = tide.odeint(function(t, y) seen[t] = true; return f(t, y) end, y0, span, opts)
  return ys, stats, seen
end

tests["max_step: no step is longer, a pulse is found"] = function()
  local function pulse(t, y) return {(t > 5 and t < 5.05 and 20 or 0) - y[1]} end
  for _, m in ipairs(adaptive) do
    for _, span in ipairs{{0, 10}, {0, 1}, {1, 0}} do
      local low, high, last = math.huge, -math.huge, nil
      local _, s = tide.odeint(function(t, y)
        low, high, last = math.min(low, t), math.max(high, t), t
        return {-y[1]}
      end, {1}, span, {plain = true, method = m.name, max_step = 0.3, rtol = 1e-2, atol = 1e-2})
      assert(s.accepted >= math.abs(span[2] - span[1]) / 0.3, m.name)
      assert(low >= 0 and high <= math.max(span[1], span[2]) and last)
    end
  end
  near(tide.odeint(pulse, {1}, {0, 10}, {plain = true, max_step = 0.02, rtol = 1e-5, atol = 1e-7})[2][1],
    0.00695464, 2e-4)
  -- exactly: steps of 0.3 and less over 0.9005, whose rest of 0.0005 must not be a step of its own, nor
  -- lengthen one
  local previous, longest, shortest = 0, 0, 1
  tide.odeint(function(t)
    if t > previous then
      longest, shortest, previous = math.max(longest, t - previous), math.min(shortest, t - previous), t
    end
    return {0}
  end, {1}, {0, 0.6003}, {plain = true, method = "heun_euler", max_step = 0.3, first_step = 0.3})
  assert(longest <= 0.3 * (1 + 1e-12) and shortest > 1e-3, longest)
end

tests["min_step: shorter steps are an error that names it"] = function()
  local function jump(t) return {t < 1 / 3 and 0 or 1} end
  fails({"underflow", "min_step = 0.001", "lower min_step", "jumps"}, tide.odeint, jump, {0}, {0, 1},
    {plain = true, min_step = 1e-3, rtol = 1e-9,
    atol = 1e-9})
  local smallest, last = 1, 0
  local ys = tide.odeint(function(t, y)
    if t > last and t < 1 then smallest, last = math.min(smallest, t - last), t end
    return {-y[1]}
  end, {1}, {0, 1}, {plain = true, min_step = 0.05, method = "heun_euler", rtol = 1e-2, atol = 1e-2,
    first_step = 0.05})
  near(ys[2][1], math.exp(-1), 1e-2)
  assert(smallest >= 0.049, smallest)
  near(tide.odeint(function(_, y) return {-y[1]} end, {1}, {0, 1e-3}, {plain = true, min_step = 0.05})[2][1],
    math.exp(-1e-3), 1e-8)
end

tests["stops are hit exactly, in both directions, and cost little"] = function()
  local function f(_, y) return {y[2], -y[1]} end
  for _, m in ipairs(adaptive) do
    if m.fsal and not m.implicit then
      for _, span in ipairs{{0, 7}, {7, 0}} do
        local stops = {0.1, 0.1 + 0.2, 0.3, 1 / 3, 5, 6.999999, 7, 0, -3, 12}
        local ys, s,
          seen = ends_of(f, {1, 0}, span, {method = m.name, stops = stops, rtol = 1e-6, atol = 1e-6})
        for i = 1, 8 do assert(seen[stops[i]], ("%s misses %.17g"):format(m.name, stops[i])) end
        assert(not seen[-3] and not seen[12])
        local _, without = tide.odeint(f, {1, 0}, span, {method = m.name, rtol = 1e-6, atol = 1e-6,
          plain = true})
        assert(s.steps <= without.steps + 2 * #stops and s.nfe == 2 + (m.stages - 1) * s.steps, m.name)
        near(ys[2][1], span[2] > 0 and math.cos(7) or math.cos(-7), 1e-4)
      end
    end
  end
  -- output times between and at stops
  local ys = tide.odeint(f, {1, 0}, {0, 0.5, 1, 2},
    {plain = true, stops = tide.tensor({0.5, 1.5}, {dtype = "float64"}), rtol = 1e-9, atol = 1e-9})
  for i, t in ipairs{0, 0.5, 1, 2} do near(ys[i][1], math.cos(t), 1e-7) end
end

-- y' = p between a and b, -p / 2 elsewhere; `where` f counts a and b does not matter.
local function switched(p, a, b, closed)
  return function(t)
    local inside = closed and t >= a and t <= b or not closed and t > a and t < b
    return {inside and p or -p / 2}
  end
end

tests["jumps: no step looks across, whichever side f counts the time to"] = function()
  local a, b = 0.3, 0.61
  for _, m in ipairs(adaptive) do
    for _, closed in ipairs{true, false} do
      for _, span in ipairs{{0, 1}, {1, 0}, {a, b}, {b, a}, {a, 1}} do
        local ys, s = tide.odeint(switched(2, a, b, closed), {0}, span,
          {plain = true, method = m.name, jumps = {b, a}, rtol = 1e-10, atol = 1e-10})
        local low, high = math.min(span[1], span[2]), math.max(span[1], span[2])
        local inside = math.max(0, math.min(high, b) - math.max(low, a))
        local want = (2 * inside - (high - low - inside)) * (span[2] > span[1] and 1 or -1)
        near(ys[2][1], want, 1e-13)
        assert(s.rejected == 0, m.name)
      end
    end
  end
  -- f is evaluated anew: one evaluation more for each jump of an FSAL method
  local function decay(_, y) return {-y[1]} end
  local _, stop = tide.odeint(decay, {1}, {0, 1}, {plain = true, stops = {0.2, 0.7}})
  local _, jump = tide.odeint(decay, {1}, {0, 1}, {plain = true, jumps = {0.2, 0.7}})
  assert(jump.steps == stop.steps and jump.nfe == stop.nfe + 2)
end

tests["a time that is both a stop and a jump is a jump; neighbours do not break"] = function()
  local a = 0.3
  local near_a = a + 2 ^ -54
  for _, opts in ipairs{{stops = {a, near_a}, jumps = {a}}, {jumps = {a, near_a}},
    {jumps = {a, near_a}, stops = {near_a + 2 ^ -54}}} do
    opts.plain = true
    near(tide.odeint(switched(2, a, 5, true), {0}, {0, 1}, opts)[2][1], 2 * 0.7 - 0.3, 1e-3)
  end
end

tests["gradients run over the same stops, jumps and step limits"] = function()
  local a, b = f64(0.3), f64(0.61)
  local function solve(p, opts)
    return tide.odeint(function(t, y)
      return tide.where(tide.gt(t, a), tide.where(tide.lt(t, b), 3, -1), -1) * p - y * p
    end, f64{1, 2}, {0, 0.3, 0.5, 1}, opts)
  end
  local function exact(y, p) -- y' = p (c - y) piecewise
    for _, piece in ipairs{{-1, 0.3}, {3, 0.31}, {-1, 0.39}} do
      y = piece[1] + (y - piece[1]) * math.exp(-p * piece[2])
    end
    return y
  end
  local e = 1e-6
  local want = (exact(1, 1.5 + e) + exact(2, 1.5 + e) - exact(1, 1.5 - e) - exact(2, 1.5 - e)) / (2 * e)
  for _, gradient in ipairs{"direct", "checkpoint", "adjoint", "interpolated"} do
    for _, m in ipairs{"dopri5", "tsit5", "bosh3", "dopri8"} do
      local opts = {gradient = gradient, method = m, jumps = {0.3, 0.61}, stops = {0.9}, max_step = 0.2,
        checkpoint_steps = 3, rtol = 1e-8,
                    atol = 1e-8}
      local function loss(p) return solve(p, opts)[4]:sum() end
      near(tide.grad(loss)(f64(1.5)):item(), want, 1e-5)
      near(tide.compile(tide.grad(loss))(f64(1.5)):item(), want, 1e-5)
    end
  end
  -- the discrete gradient is the derivative of the steps taken, and has a derivative itself
  local opts = {jumps = {0.3, 0.61}, max_step = 0.2, rtol = 1e-10, atol = 1e-10}
  local function loss(p) return (solve(p, opts)[4] ^ 2):sum() end
  assert(tide.gradcheck(loss, f64(1.5)))
  local second = tide.grad(tide.grad(loss))(f64(1.5)):item()
  near(second, (tide.grad(loss)(f64(1.5 + 1e-5)):item() - tide.grad(loss)(f64(1.5 - 1e-5)):item()) / 2e-5,
    1e-4)
end

tests["a training block takes them as solver options"] = function()
  local block = tide.nn.odeblock(function(_, u) return -u end, {max_step = 0.1, stops = {0.5}})
  local _, stats = block(tide.ones{3, 2})
  assert(stats.accepted >= 10)
end

tests["wrong values are refused with what is wrong"] = function()
  local function try(words, opts)
    opts.plain = true
    fails(words, tide.odeint, function(_, y) return {-y[1]} end, {1}, {0, 1}, opts)
  end
  try("stops must be a list of finite numbers, got stops[2] = \"x\"", {stops = {0.1, "x"}})
  try("jumps must be a list of finite numbers, got jumps[1] = nan", {jumps = {0 / 0}})
  try("got stops[a] = \"0.5\"", {stops = {a = "0.5"}})
  try("stops", {stops = 0.5})
  try("min_step = 0.5 is longer than max_step = 0.1", {min_step = 0.5, max_step = 0.1})
  for _, name in ipairs{"max_step", "min_step"} do
    for _, v in ipairs{0, -1, 0 / 0, math.huge, "1"} do try(name, {[name] = v}) end
    try({name .. " is for steps that adapt", "grid"}, {[name] = 0.1, method = "rk4", steps = 3})
  end
  for _, name in ipairs{"stops", "jumps"} do
    try({name .. " is for steps that adapt", "grid"}, {[name] = {0.1}, step_size = 0.1})
  end
  try({"max_step is shorter than t resolves", "raise it"}, {max_step = 1e-310})
  fails({"max_step is shorter than t resolves", "raise it"}, tide.odeint, function(_, y) return {-y[1]} end,
    {1}, {1e8, 1e8 + 1}, {plain = true, max_step = 1e-10}) -- t + h is t there
  try({"max_step keeps the steps short", "1e+05 steps"}, {max_step = 1e-5, max_steps = 1000})
end

return tests
