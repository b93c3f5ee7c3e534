--- "auto": a nonstiff and a stiff method, and changes between them.

local tide = require "tide"
local check = require "check"
local detest = require "detest"

local tests = {}
local near, fails = check.near, check.fails
local F64 = {dtype = "float64"}
local row
for _, m in ipairs(tide.ode.methods()) do if m.name == "auto" then row = m end end

local function f64(x) return tide.tensor(x, F64) end
local function distance(a, b) return (a - b):abs():max():item() end
local function with(o, more)
  local all = {method = "auto"}
  for k, v in pairs(o) do all[k] = v end
  for k, v in pairs(more or {}) do all[k] = v end
  return all
end

local function van_der_pol(mu)
  return function(_, y) return tide.stack{y[2], mu * ((1 - y[1] * y[1]) * y[2]) - y[1]} end
end

-- Stiff around the odd multiples of pi / 2, nonstiff around those of pi.
local function pulses(t, y) return -(1e4 * tide.sin(t) ^ 8 + 1) * (y - tide.cos(3 * t)) end

tests["the list says what it is; steps on a grid are refused"] = function()
  assert(row.family == "automatic" and row.implicit and row.adaptive and row.varies and row.dense
    and #row.gradients == 4 and row.order == 5 and not row.A and row.dense_order == 4)
  local function solve(o) return tide.odeint(van_der_pol(1), f64{2, 0}, {0, 1}, with(o)) end
  fails({"auto chooses its steps", '"radau5"', "step_size"}, solve, {steps = 10})
  fails({"auto chooses its steps"}, solve, {step_size = 0.1})
  fails({"max_order", "auto does not"}, solve, {max_order = 3})
  fails({"max_order", "auto does not"}, solve, {max_order = 3, stiff = "radau3"})
  fails({"order is an option of multistep methods"}, solve, {order = 3})
  fails({"defect"}, solve, {defect = true})
end

tests["nonstiff problems are left to the nonstiff method: its numbers, its evaluations"] = function()
  local own, all = 0, 0
  for _, p in ipairs(detest) do
    for _, tol in ipairs{1e-3, 1e-6} do
      local o = {plain = true, rtol = tol, atol = tol}
      local ys, s = tide.odeint(p.f, p.y0, {0, 20}, with(o))
      local want, r = tide.odeint(p.f, p.y0, {0, 20}, with(o, {method = "tsit5"}))
      own, all = own + r.nfe, all + s.nfe
      if #s.switches == 0 then assert(distance(ys, want) == 0 and s.nfe == r.nfe, p.name) end
    end
  end
  assert(all < 1.03 * own, ("%d for %d evaluations"):format(all, own))
end

tests["van der Pol, mu = 1000: right, at the price of the stiff method"] = function()
  for _, tol in ipairs{1e-4, 1e-6} do
    local o = {rtol = tol, atol = tol}
    local ys, s = tide.odeint(van_der_pol(1000), f64{2, 0}, {0, 2000}, with(o))
    local _, r = tide.odeint(van_der_pol(1000), f64{2, 0}, {0, 2000}, with(o, {method = "radau5"}))
    near(ys[2][1], 1.706167732170483, 30 * tol) -- the initial value test set's
    assert(s.nfe < 1.1 * r.nfe and #s.switches >= 1 and #s.switches < 10)
  end
end

tests["both ways, forwards and backwards, once for each change of the problem"] = function()
  for _, to in ipairs{20, -20} do
    local o = {rtol = 1e-6, atol = 1e-6}
    local way = to > 0 and 1 or -1
    local ys, s = tide.odeint(function(t, y) return way * pulses(way * t, y) end, f64{2}, {0, to}, with(o))
    local want = tide.odeint(pulses, f64{2}, {0, 20}, {method = "radau5", rtol = 1e-9, atol = 1e-9})
    near(ys[2][1], want[2][1], 1e-5)
    local list = s.switches
    assert(#list == 13, #list) -- there are 6 pulses, and half of one at the end
    for i, change in ipairs(list) do
      assert(change.method == (i % 2 == 1 and "radau5" or "tsit5") and change.step <= s.accepted)
      local stiff = math.sin(change.t) ^ 8 > 0.02
      assert(i % 2 == 0 or stiff, change.t)
      assert(i == 1 or math.abs(change.t) > math.abs(list[i - 1].t) and change.step > list[i - 1].step)
    end
  end
  local _, s = tide.odeint(van_der_pol(100), f64{2, 0}, {0, 500}, with{rtol = 1e-6, atol = 1e-6})
  assert(#s.switches >= 5 and #s.switches <= 15) -- six fast changes of sign
end

tests["other pairs: nonstiff and stiff; every gradient has the bits of checkpoints"] = function()
  local want = tide.odeint(pulses, f64{2}, {0, 5}, {method = "radau5", rtol = 1e-10, atol = 1e-10})[2][1]
  for _, nonstiff in ipairs{"tsit5", "dopri5", "bosh3", "vern7", "dopri8", "dop853"} do
    for _, stiff in ipairs{"radau5", "radau3", "trbdf2", "bdf"} do
      local o = with{nonstiff = nonstiff, stiff = stiff, rtol = 1e-4, atol = 1e-4}
      local ys, s = tide.odeint(pulses, f64{2}, {0, 5}, o)
      near(ys[2][1], want, 1e-3)
      for i, change in ipairs(s.switches) do assert(change.method == (i % 2 == 1 and stiff or nonstiff)) end
      assert(#s.switches >= 2)
      local function loss(more)
        return function(y) return tide.odeint(pulses, y, {0, 1}, with(o, more))[2]:sum() end
      end
      local direct = tide.grad(loss())(f64{2})
      for _, every in ipairs{1, 7} do
        local kept = tide.grad(loss{gradient = "checkpoint", checkpoint_steps = every})(f64{2})
        assert(distance(direct, kept) == 0, nonstiff .. stiff)
      end
    end
  end
  local function solve(o) return tide.odeint(pulses, f64{2}, {0, 1}, o) end
  fails({'"auto"', "dopri5", 'stiff = "radau5"'}, solve, {method = "dopri5", stiff = "radau5"})
  fails({"stiff", '"kvaerno5"', "radau5"}, solve, with{stiff = "kvaerno5"})
end

tests["bdf as stiff half: right, at fewer evaluations; its order varies"] = function()
  for _, tol in ipairs{1e-4, 1e-6} do
    local o = {rtol = tol, atol = tol}
    local ys, s = tide.odeint(van_der_pol(1000), f64{2, 0}, {0, 2000}, with(o, {stiff = "bdf"}))
    local _, r = tide.odeint(van_der_pol(1000), f64{2, 0}, {0, 2000}, with(o))
    near(ys[2][1], 1.706167732170483, 200 * tol)
    assert(s.nfe < 0.85 * r.nfe and #s.switches >= 3 and #s.switches < 10)
  end
  local own, all = 0, 0
  for _, p in ipairs(detest) do
    for _, tol in ipairs{1e-3, 1e-6} do
      local o = {plain = true, rtol = tol, atol = tol}
      local _, s = tide.odeint(p.f, p.y0, {0, 20}, with(o, {stiff = "bdf"}))
      local _, r = tide.odeint(p.f, p.y0, {0, 20}, with(o, {method = "tsit5"}))
      own, all = own + r.nfe, all + s.nfe
    end
  end
  assert(all < 1.03 * own, ("%d for %d evaluations"):format(all, own))
  -- With order 1 alone each stiff stretch takes many more steps.
  local o = with{stiff = "bdf", rtol = 1e-5, atol = 1e-5}
  local _, s = tide.odeint(pulses, f64{2}, {0, 5}, o)
  local _, low = tide.odeint(pulses, f64{2}, {0, 5}, with(o, {max_order = 1}))
  assert(low.accepted > 2 * s.accepted)
  fails({"max_order = 6", "bdf", "5"}, tide.odeint, pulses, f64{2}, {0, 5}, with(o, {max_order = 6}))
end

tests["the error follows the tolerance; between the steps as well; float32"] = function()
  local times = {}
  for i = 0, 40 do times[i + 1] = i / 5 end
  local want = tide.odeint(pulses, f64{2}, times, {method = "radau5", rtol = 1e-11, atol = 1e-11})
  for _, tol in ipairs{1e-3, 1e-5, 1e-7} do
    local o = with{rtol = tol, atol = tol}
    local ys, s = tide.odeint(pulses, f64{2}, times, o)
    assert(distance(ys, want) < 30 * tol, distance(ys, want) / tol)
    local ends = tide.odeint(pulses, f64{2}, {0, 8}, o)
    assert(distance(ends[2], ys[41]) == 0) -- looking does not change the steps
    local path = tide.ode.solution(pulses, f64{2}, {0, 8}, o)
    for i = 1, 41 do near(path(times[i])[1], ys[i][1], 1e-12) end
    local exact = tide.odeint(pulses, f64{2}, path.t, {method = "radau5", rtol = 1e-11, atol = 1e-11})
    assert(distance(path(path.t), exact) < 30 * tol) -- at the ends of the steps
    assert(#path.stats.switches == #s.switches)
  end
  local single = tide.odeint(pulses, tide.tensor{2}, times, with{rtol = 1e-4, atol = 1e-4})
  assert(distance(single:to "float64", want) < 1e-2)
end

tests["fields of all kinds; the Jacobian by products; on_failure, steps, statistics"] = function()
  local o = {rtol = 1e-6, atol = 1e-6}
  local want, s = tide.odeint(pulses, f64{2}, {0, 5}, with(o))
  local function plain(t, y) return {-(1e4 * math.sin(t) ^ 8 + 1) * (y[1] - math.cos(3 * t))} end
  local calls = 0
  local ys, r = tide.odeint(function(t, y) calls = calls + 1 return plain(t, y) end, {2}, {0, 5},
    with(o, {plain = true}))
  assert(distance(ys, want) < 1e-5 and #r.switches == #s.switches and r.nfe == calls)
  for _, more in ipairs{{eager = true}, {jacobian = "krylov"}, {controller = "PI"}, {norm = "batch"}} do
    ys, r = tide.odeint(pulses, f64{2}, {0, 5}, with(o, more))
    assert(distance(ys, want) < 1e-5 and #r.switches == #s.switches)
  end
  local n, steps = 0, tide.ode.steps(pulses, f64{2}, {0, 5}, with(o))
  for step in steps do n = n + (step.t > 0 and 1 or 0) end
  assert(n == s.accepted and #steps.stats.switches == #s.switches)
  local _, failed = tide.odeint(pulses, f64{2}, {0, 5}, with(o, {max_steps = 150, on_failure = "return"}))
  assert(failed.failure.status == "max_steps" and #failed.switches >= 1)
end

tests["stops, jumps, events and changes of the state"] = function()
  local o = with{rtol = 1e-7, atol = 1e-7, stops = {1.4, 2.9}, jumps = {3.3}}
  local function jumping(t, y) return pulses(t, y) + tide.where(tide.gt(t, 3.3), 5, 0) end
  local want = tide.odeint(jumping, f64{2}, {0, 5}, with(o, {method = "radau5", rtol = 1e-9, atol = 1e-9}))
  near(tide.odeint(jumping, f64{2}, {0, 5}, o)[2][1], want[2][1], 1e-5)
  local seen = {}
  for _, method in ipairs{"auto", "radau5"} do
    local tight = method == "auto" and 1e-7 or 1e-9
    local ys, s = tide.odeint(pulses, f64{2}, {0, 8}, {method = method, rtol = tight, atol = tight,
      events = {{g = function(_, y) return y[1] - 0.5 end},
        {g = function(t) return tide.sin(5 * t) end, apply = function(_, y) return y + 0.3 end}}})
    seen[method] = {y = ys[2][1], n = #s.events, t = s.events[2].t}
  end
  assert(seen.auto.n == seen.radau5.n and seen.auto.n == 20)
  near(seen.auto.t, seen.radau5.t, 1e-5)
  near(seen.auto.y, seen.radau5.y, 1e-5)
end

tests["per_sample: the bits and the changes of each sample alone"] = function()
  local rates = f64{{1}, {1e4}, {30}}
  local function field(t, s)
    return {y = -s.rate * tide.sin(t) ^ 8 * (s.y - tide.cos(3 * t)), rate = s.rate * 0}
  end
  local y0, o = tide.ones({3, 1}, F64), with{rtol = 1e-6, atol = 1e-6}
  local ys, s = tide.odeint(field, {y = y0, rate = rates}, {0, 4}, with(o, {per_sample = true}))
  for i = 1, 3 do
    local one, r = tide.odeint(field, {y = y0:slice(1, i, i), rate = rates:slice(1, i, i)}, {0, 4}, o)
    assert(distance(one.y[2], ys.y[2]:slice(1, i, i)) == 0)
    assert(s.samples.switches[i] == #r.switches and s.samples.nfe[i] == r.nfe)
  end
  assert(s.samples.switches[1] == 0 and s.samples.switches[2] >= 2 and s.switches == nil)
end

-- ---- gradients ----

local function field_of(p)
  return function(t, y)
    return tide.stack{y[2], p[1] * ((1 - y[1] * y[1]) * y[2]) - p[2] * y[1] + 0.1 * tide.sin(t)}
  end
end
local function point() return {p = f64{60, 1.1}, y = f64{1.9, 0.1}} end

-- The steps that a solve has made, each by its method as a solve of one step: what is left of them when
-- nothing is chosen any more.
local function steps_of(o)
  local ends, made_by = {0}, {}
  local point_at = point()
  local _, s = tide.odeint(field_of(point_at.p), point_at.y, {0, 100}, with(o, {on_step = function(step)
    ends[#ends + 1] = step.t
  end}))
  local method, at = "tsit5", 1
  for i = 1, #ends - 1 do
    if s.switches[at] and s.switches[at].step == i - 1 then method, at = s.switches[at].method, at + 1 end
    made_by[i] = method
  end
  assert(at >= 3 and at == #s.switches + 1)
  return ends, made_by
end

local function frozen(ends, made_by)
  return function(q)
    local y, f = q.y, field_of(q.p)
    for i, method in ipairs(made_by) do
      y = tide.odeint(f, y, {ends[i], ends[i + 1]}, {method = method, steps = 1})[2]
    end
    return y:square():sum()
  end
end

tests["the direct gradient is that of the steps taken, of whichever method"] = function()
  local o = {rtol = 1e-4, atol = 1e-4, newton_tol = 1e-9}
  local ends, made_by = steps_of(o)
  local function loss(q) return tide.odeint(field_of(q.p), q.y, {0, 100}, with(o))[2]:square():sum() end
  local steps = frozen(ends, made_by)
  local value, direct = tide.value_and_grad(loss)(point())
  near(value:item(), steps(point()):item(), 1e-7)
  local exact = tide.grad(steps)(point())
  for _, key in ipairs{"p", "y"} do
    assert(distance(direct[key], exact[key]) < 1e-8 * exact[key]:abs():max():item())
    for i = 1, 2 do
      local function shifted(h)
        local q = point()
        q[key] = q[key] + f64(i == 1 and {h, 0} or {0, h})
        return steps(q):item()
      end
      local h = 2e-7 -- with four points: the third derivative is large
      local want = (8 * (shifted(h) - shifted(-h)) - shifted(2 * h) + shifted(-2 * h)) / (12 * h)
      near(direct[key][i], want, 1e-6 * math.max(1, math.abs(want)))
    end
  end
end

tests["checkpoints give its bits, the others the true one; quadrature"] = function()
  local times = {0, 11, 30, 50.5, 100}
  local function loss(o)
    return function(q)
      local ys, _, area = tide.odeint(field_of(q.p), q.y, times, with(o))
      return area and area:sum() or (ys * f64{{1, 0.3}}):sin():sum()
    end
  end
  local want = tide.grad(loss{method = "radau5", rtol = 1e-10, atol = 1e-10})(point())
  local size = math.max(1, want.p:abs():max():item(), want.y:abs():max():item())
  local integral = {quadrature = function(_, y) return y[1] * y[1] end, rtol = 1e-9, atol = 1e-9}
  local true_one = tide.grad(loss(with(integral, {method = "radau5"})))(point())
  for _, stiff in ipairs{"radau5", "bdf"} do
    local o = {rtol = 1e-7, atol = 1e-7, stiff = stiff}
    local direct = tide.grad(loss(o))(point())
    for _, every in ipairs{1, 2, 7, 1000} do
      local kept = tide.grad(loss(with(o, {gradient = "checkpoint", checkpoint_steps = every})))(point())
      assert(distance(direct.p, kept.p) == 0 and distance(direct.y, kept.y) == 0)
    end
    for _, kind in ipairs{"direct", "interpolated", "adjoint"} do
      local got = tide.grad(loss(with(o, {gradient = kind})))(point())
      local off = math.max(distance(got.p, want.p), distance(got.y, want.y)) / size
      assert(off < 1e-3, ("%s, %s: %g"):format(stiff, kind, off))
    end
    local got = tide.grad(loss(with(integral, {stiff = stiff})))(point())
    assert(distance(got.p, true_one.p) < 1e-4 * true_one.p:abs():max():item())
  end
end

return tests
