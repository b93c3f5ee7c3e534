-- jacobian = function(t, y): the same solutions, called as often as it must be, errors of its own.

local check = require "check"
local tide = require "tide"

local fails = check.fails
local F64, F32 = {dtype = "float64"}, {dtype = "float32"}
local implicit = {}
for _, m in ipairs(tide.ode.methods()) do if m.implicit then implicit[#implicit + 1] = m end end

local tests = {}

local function distance(a, b) return (a - b):abs():max():item() end
local with = check.with

local function field(t, y) return tide.stack{y[2], 50 * (1 - y[1] * y[1]) * y[2] - y[1] + tide.sin(t)} end
local function rows(y) return {{0, 1}, {-100 * y[1] * y[2] - 1, 50 * (1 - y[1] * y[1])}} end
local y0, times = tide.tensor({2, 0}, F64), {0, 0.4, 2}

local function options_of(m)
  return {method = m.name, steps = not m.adaptive and 40 or nil, rtol = m.adaptive and 1e-6 or nil,
    atol = m.adaptive and 1e-8 or nil}
end

tests["every implicit method: the numbers of the engine's Jacobian, recorded, eager, plain"] = function()
  for _, m in ipairs(implicit) do
    local calls = 0
    local function jacobian(t, y)
      calls = calls + 1
      assert(t >= 0 and t <= 2 and y:dtype() == "float64" and #y == 2)
      return tide.tensor(rows(y), F64)
    end
    local o = options_of(m)
    local want, s = tide.odeint(field, y0, times, o)
    local got, own = tide.odeint(field, y0, times, with(o, {jacobian = jacobian}))
    assert(distance(got, want) < 1e-10, m.name .. distance(got, want))
    assert(calls > 0 and own.steps == s.steps and own.nfe == s.nfe, m.name)
    local recorded = calls
    calls = 0
    local eager = tide.odeint(field, y0, times, with(o, {jacobian = jacobian, eager = true}))
    assert(distance(eager, got) < 1e-6, m.name)
    assert(m.family == "rosenbrock" or calls == recorded, m.name) -- df/dt is a difference there
    local plain = tide.odeint(function(t, y)
      return {y[2], 50 * (1 - y[1] * y[1]) * y[2] - y[1] + math.sin(t)}
    end, {2, 0}, times, with(o, {plain = true, jacobian = function(_, y) return rows(y) end}))
    assert(distance(plain, got) < 1e-6, m.name)
  end
end

tests["a Jacobian that is kept is not asked for again"] = function()
  local calls = 0
  local _, s = tide.odeint(field, y0, times, {method = "radau5", rtol = 1e-5, atol = 1e-8,
    jacobian = function(_, y) calls = calls + 1 return tide.tensor(rows(y), F64) end})
  assert(calls >= 1 and calls <= s.steps, ("%d calls in %d steps"):format(calls, s.steps))
  calls = 0
  _, s = tide.odeint(field, y0, times, {method = "rodas4", rtol = 1e-5, atol = 1e-8,
    jacobian = function(_, y) calls = calls + 1 return tide.tensor(rows(y), F64) end})
  assert(calls == s.accepted, ("%d calls in %d steps"):format(calls, s.accepted)) -- a rejected step keeps it
end

local function loss(o)
  return function(q)
    return tide.odeint(function(t, y) return field(t, y) * q.p end, q.y, times, o):sum()
  end
end
local point = {p = tide.tensor(0.9, F64), y = y0}

tests["gradients, also second ones; float32; tables and batches as one flat state"] = function()
  local function jacobian(_, y) return tide.tensor(rows(y), F64) * 0.9 end
  for _, name in ipairs{"sdirk2", "radau5", "rodas4", "bdf"} do
    for _, gradient in ipairs{"direct", "checkpoint", "adjoint", "interpolated"} do
      local o = {method = name, steps = 200, gradient = gradient, reconstruction_limit = 1e12}
      local want = tide.grad(loss(o))(point)
      local got = tide.grad(loss(with(o, {jacobian = jacobian})))(point)
      assert(distance(got.p, want.p) < 1e-7 * want.p:abs():item(), name .. gradient)
    end
  end
  local o = {method = "rodas4", steps = 30, jacobian = jacobian}
  local second = tide.grad(function(q) return tide.grad(loss(o))(q).y:sum() end)(point).p
  o.jacobian = nil
  assert(distance(second, tide.grad(function(q) return tide.grad(loss(o))(q).y:sum() end)(point).p) < 1e-6)

  local x = tide.tensor({{1, 2}, {3, 4}})
  local got = tide.odeint(function(_, y) return -3 * y end, x, {0, 1}, {method = "sdirk2", steps = 9,
    jacobian = function(_, y)
      assert(y:dtype() == "float32" and #y:shape() == 2)
      return tide.eye(4) * -3
    end})
  local want = tide.odeint(function(_, y) return -3 * y end, x, {0, 1}, {method = "sdirk2", steps = 9})
  assert(distance(got, want) < 1e-6)
  local pair = tide.odeint(function(_, s) return {a = -s.a, b = s.a:sum() - 2 * s.b} end,
    {a = tide.ones({2}, F64), b = tide.ones({1}, F64)}, {0, 1}, {method = "radau5", jacobian = function(_, s)
      assert(#s.a == 2 and #s.b == 1)
      return tide.tensor({{-1, 0, 0}, {0, -1, 0}, {1, 1, -2}}, F64)
    end})
  check.near(pair.a[2][1], math.exp(-1), 1e-3)
end

tests["what it gives back is looked at; its errors come as they are"] = function()
  local function solve(jacobian, more)
    return tide.odeint(field, y0, times, with({method = "radau5", jacobian = jacobian}, more or {}))
  end
  fails({"odeint", "jacobian", "{2, 2}", "shape {2}"}, solve, function() return tide.ones({2}, F64) end)
  fails({"odeint", "jacobian", "{2, 2}", "{3, 3}", "2 numbers"}, solve, function() return tide.eye(3) end)
  fails({"odeint", "jacobian", "{2, 2}", "nil"}, solve, function() end)
  fails({"odeint", "jacobian", "row 2, column 1", "t = 0"}, solve, function()
    return tide.tensor({{0, 1}, {0 / 0, 1}}, F64)
  end)
  fails({"my own words"}, solve, function() error "my own words" end)
  local ok, e = pcall(solve, function() error({code = 7}) end)
  assert(not ok and type(e) == "table" and e.code == 7)
  local plain = {plain = true, method = "radau5"}
  for _, bad in ipairs{{{1, 2}}, {{1}, {2}}, {1, 2}, 3} do
    fails({"odeint", "jacobian must return 2 rows of 2 numbers"}, tide.odeint, function(_, y) return y end,
      {1, 2}, {0, 1}, with(plain, {jacobian = function() return bad end}))
  end
  -- and then the next solve is what it always was
  assert(distance(solve(function(_, y) return tide.tensor(rows(y), F64) end), solve(nil)) < 1e-3)
end

tests["an approximate one costs evaluations, and no digits of a direct gradient"] = function()
  local function diagonal(_, y)
    local m = rows(y)
    return tide.tensor({{m[1][1], 0}, {0, m[2][2]}}, F64)
  end
  for _, m in ipairs(implicit) do
    local has = m.family ~= "rosenbrock" and m.name ~= "auto"
    for _, gradient in ipairs(has and {"direct", "checkpoint"} or {}) do
      local o = {method = m.name, steps = 400, gradient = gradient, max_newton = 50}
      local want = tide.grad(loss(o))(point)
      local got = tide.grad(loss(with(o, {jacobian = diagonal})))(point)
      for k, v in pairs(want) do
        local off = distance(got[k], v) / math.max(1, v:abs():max():item())
        assert(off < 1e-9, ("%s, %s, %s: %.2g"):format(m.name, gradient, k, off))
      end
    end
  end
  local latest = 0 -- on the way back it turns bad
  local function turns_bad(t, y)
    latest = math.max(latest, t)
    return t < latest - 0.5 and tide.eye(2) * 1e4 or tide.tensor(rows(y), F64)
  end
  fails({"gradient", "jacobian", "t = ", "corrections", "nearer to df/dy"},
    tide.grad(loss{method = "radau5", steps = 30, jacobian = turns_bad}), point)
end

tests["what cannot stand beside it is refused"] = function()
  local function jacobian() return tide.eye(2) end
  local function solve(more) return tide.odeint(field, y0, times, with({jacobian = jacobian}, more)) end
  fails({"odeint", "jacobian", "implicit", "dopri5"}, solve, {})
  fails({"odeint", "jacobian", "per_sample"}, solve, {method = "radau5", per_sample = true})
  fails({"odeint", "jacobian", "quadrature"}, solve, {method = "radau5",
    quadrature = function(_, y) return y end})
  fails({"jacobian", "auto", "dense", "krylov"}, solve, {method = "radau5", jacobian = "full"})
end

tests["GMRES by differences goes down to what differences give, and no further"] = function()
  for _, kind in ipairs{{"ros3p", F64}, {"rodas4", F64}, {"sdirk2", F64}, {"gauss6", F64}, {"rodas4", F32}} do
    local method, dtype = kind[1], kind[2]
    local function stiff(t, y)
      local a, b = y:select(1, 1), y:select(1, 2)
      return tide.stack{b * b - a, -50 * (b - math.cos(t))}
    end
    local single = dtype == F32
    local o = {method = method, eager = true, rtol = single and 1e-3 or 1e-5, atol = single and 1e-4 or 1e-8,
      max_nfe = 30000}
    if method == "gauss6" then o.steps = 50 end
    local function solve(jacobian)
      return tide.odeint(stiff, tide.tensor({1, 0}, dtype), {0, 1}, with(o, {jacobian = jacobian}))
    end
    local dense, a = solve "dense"
    local krylov, b = solve "krylov"
    assert(distance(krylov, dense) < (single and 1e-3 or 1e-6), method)
    assert(single or math.abs(b.steps - a.steps) <= 1, method) -- by rounding, at a limit
    assert(b.nfe < 12 * a.nfe, ("%s: %d evaluations, dense %d"):format(method, b.nfe, a.nfe))
  end
end

tests["in ode.solution, ode.steps, with events, in a compiled function"] = function()
  local calls = 0
  local function jacobian(_, y) calls = calls + 1 return tide.tensor(rows(y), F64) end
  local o = {method = "kvaerno5", rtol = 1e-7, atol = 1e-9, jacobian = jacobian}
  local want = tide.odeint(field, y0, times, with(o, {jacobian = "dense"}))
  assert(distance(tide.ode.solution(field, y0, {0, 2}, o)(2), want[3]) < 1e-9 and calls > 0)
  local last
  for step in tide.ode.steps(field, y0, {0, 2}, o) do last = step.y end
  assert(distance(last, want[3]) < 1e-9)
  local _, s = tide.odeint(field, y0, times,
    with(o, {events = {{g = function(_, y) return y[1] - 1.999 end}}}))
  assert(#s.events >= 1)
  local compiled = tide.compile(function(y) return (tide.odeint(field, y, times, o)) end)
  for _ = 1, 3 do assert(distance(compiled(y0), want) < 1e-9) end
end

return tests
