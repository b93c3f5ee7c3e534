--- Control of adaptive steps beyond words and numbers: controllers by their gains, tolerances of each
-- element, norms that are functions; and what controllers do with hostile errors.

local check = require "check"
local core = require "tide.core"
local tide = require "tide"

local tests = {}
local fails = check.fails
local odeint = tide.odeint

local function f64(x) return tide.tensor(x, {dtype = "float64"}) end
local function spiral(t, y) return tide.stack{y[2] + tide.sin(t), -y[1] - 0.1 * y[2]} end
local y0 = f64{1, 0.5}
local function solve(options) return odeint(spiral, y0, {0, 1, 6}, options) end
local with = check.with
local function same(a, b) return a:sub(b):abs():max():item() == 0 end
local function rms(e, s) return (e / s):square():mean():sqrt() end

-- ---- controllers ----

tests["controller = {k1, k2, k3}: the words are three numbers each"] = function()
  local words = {I = {1, 0, 0}, PI = {0.7, -0.4, 0}, PID = {0.58, -0.21, 0.1}}
  local seen = {}
  for word, k in pairs(words) do
    local a, s = solve{controller = word, rtol = 1e-5}
    local b, r = solve{controller = k, rtol = 1e-5}
    assert(same(a, b) and s.nfe == r.nfe and s.steps == r.steps, word)
    seen[s.nfe] = true
  end
  assert(next(seen, next(seen)), "all controllers take the same steps")
  local _, s = solve{controller = {0.4, 0.2, 0.1}, rtol = 1e-5}
  assert(s.steps > 5)
  for _, wrong in ipairs{{}, {1}, {1, 0}, {1, 0, 0, 0}, {1, 0, "0"}, {0 / 0, 0, 0}, {1 / 0, 0, 0}, {0, 0, 0},
    {-1, 0, 0}, {1, 0, 0, name = 1}} do
    fails("controller", solve, {controller = wrong})
  end
  fails({"controller must be one of", "\"PID\""}, solve, {controller = "P"})
  fails("controller must be a string or a table", solve, {controller = 1})
end

-- ---- tolerances of each element ----

tests["rtol and atol of each element: equal numbers are the number"] = function()
  for _, norm in ipairs{"part", "batch", "sample"} do
    local a, s = solve{rtol = 1e-6, atol = 1e-8, norm = norm}
    for _, o in ipairs{{rtol = f64{1e-6, 1e-6}, atol = 1e-8}, {rtol = 1e-6, atol = f64(1e-8)},
      {rtol = {1e-6, 1e-6}, atol = {1e-8, 1e-8}}, {rtol = f64{1e-6}, atol = {1e-8}}} do
      o.norm = norm
      local b, r = solve(o)
      assert(s.nfe == r.nfe and a:sub(b):abs():max():item() < 1e-13, norm)
    end
  end
  local y32 = y0:to("float32")
  local a, s = odeint(spiral, y32, {0, 6}, {rtol = 1e-4, atol = 1e-6})
  local b, r = odeint(spiral, y32, {0, 6}, {rtol = tide.full({2}, 1e-4), atol = 1e-6})
  assert(s.nfe == r.nfe and a:sub(b):abs():max():item() < 1e-6)
end

tests["rtol and atol of each element: each is held, and costs what it asks for"] = function()
  local function f(_, y) return tide.stack{-y[1], 3 * y[1]:cos() - y[2]} end
  local exact = odeint(f, y0, {0, 5}, {rtol = 1e-13, atol = 1e-13})[2]
  local function solved(rtol, atol)
    local ys, s = odeint(f, y0, {0, 5}, {rtol = rtol, atol = atol})
    local e = (ys[2] - exact):abs():totable()
    return e[1], e[2], s.nfe
  end
  local first, _, cost = solved({0, 0}, {1e-10, 1})
  assert(first < 1e-9)
  local _, second, other = solved({0, 0}, {1, 1e-10})
  assert(second < 1e-8 and other > cost)
  local _, _, both = solved(0, 1e-10)
  local _, _, loose = solved(0, 1)
  assert(both >= other and loose < cost / 3)
  local strict, _, dear = solved({1e-10, 1}, 1e-12)
  assert(strict < 1e-9 and dear > loose)
end

tests["rtol and atol of each element: shapes, tables, kinds of fields"] = function()
  local function f(_, y) return {p = -y.p, q = {y.q[1] * -2}} end
  local state = {p = f64{1, 2}, q = {f64{{1, 2}, {3, 4}}}}
  local _, s = odeint(f, state, {0, 3}, {rtol = 1e-7, atol = 1e-9})
  for _, rtol in ipairs{{p = 1e-7, q = 1e-7}, {p = f64{1e-7}, q = {1e-7}},
    {p = {1e-7, 1e-7}, q = {f64(1e-7)}}, {p = 1e-7, q = {f64{{1e-7}, {1e-7}}}}} do
    local _, r = odeint(f, state, {0, 3}, {rtol = rtol, atol = 1e-9})
    assert(r.nfe == s.nfe)
  end
  local function given(rtol) return odeint, f, state, {0, 3}, {rtol = rtol} end
  fails("rtol.q is missing", given{p = 1e-7})
  fails("rtol.q must be a number or a table like that of the state", given{p = 1e-7, q = f64{1e-7}})
  fails({"rtol.q[1] has shape {3}", "shape {2, 2}"}, given{p = 1e-7, q = {f64{1, 1, 1}}})
  fails("rtol must be a number or a table like that of the state", given(f64{1e-7}))
  fails("rtol.q[1] must be finite and >= 0", given{p = 1e-7, q = {f64{-1}}})
  -- the same numbers reach every kind of field
  local o = {rtol = {1e-9, 1e-3}, atol = {1e-9, 1e-2}}
  local ys, r = odeint(function(_, y) return -y end, y0, {0, 3}, o)
  local eager, e = odeint(function(_, y) return -y end, y0, {0, 3}, with(o, {eager = true}))
  local plain, p = odeint(function(_, y) return {-y[1], -y[2]} end, {1, 0.5}, {0, 3}, with(o, {plain = true}))
  assert(r.nfe == e.nfe and r.nfe == p.nfe and same(ys, eager) and same(ys, plain))
end

tests["rtol and atol of each element: misuse"] = function()
  fails({"rtol has shape {3}", "does not broadcast"}, solve, {rtol = f64{1, 1, 1}})
  fails("rtol must be finite and >= 0, got -1", solve, {rtol = f64{-1, 1}})
  fails("atol must be finite and >= 0, got nan", solve, {atol = f64{0 / 0, 1}})
  fails("atol must be finite and >= 0, got inf", solve, {atol = f64{1 / 0, 1}})
  fails("rtol has no numbers", solve, {rtol = {}})
  fails("rtol[1] must be finite and >= 0, got \"a\"", solve, {rtol = {"a", "b"}})
  fails("rtol must be a number, a tensor or lists", solve, {rtol = {a = 1}})
  fails({"both 0 for element 2"}, solve, {rtol = f64{1e-3, 0}, atol = f64{0, 0}})
  fails({"rtol = 1e-17 of element 1", "can resolve"}, solve, {rtol = f64{1e-17, 1}})
  fails("option rtol must be a number or a tensor or a table", solve, {rtol = "1e-3"})
  fails("rtol must be numbers, got a tensor that is being recorded", tide.grad(function(r)
    return solve{rtol = r}:sum()
  end), f64{1e-3, 1e-3})
end

tests["rtol and atol of each element: gradients, and an ODE block that does not train them"] = function()
  local function loss(o) return function(y) return odeint(spiral, y, {0, 6}, o)[2]:square():sum() end end
  local exact = tide.grad(loss{rtol = 1e-12, atol = 1e-12})(y0)
  for _, kind in ipairs{"direct", "checkpoint", "adjoint", "interpolated"} do
    local g = tide.grad(loss{rtol = {1e-7, 1e-9}, atol = f64{1e-8, 1e-9}, gradient = kind})(y0)
    assert((g - exact):abs():max():item() < 1e-5, kind)
  end
  local options = {rtol = tide.tensor{1e-4, 1e-5}, atol = tide.full({2}, 1e-6), stops = tide.tensor{0.5}}
  local block = tide.nn.odeblock(tide.nn.mlp{sizes = {2, 4, 2}}, options)
  assert(tide.nn.count(block) == 22 and #tide.tree.tensors(block, true) == 4)
  local step = tide.compile(tide.value_and_grad(function(m, x) return m(x):square():sum() end))
  local _, g = step(block, tide.ones{4, 2})
  assert(#tide.tree.tensors(g, true) == 4)
end

-- ---- tolerances at rounding ----

local function stiff(_, y)
  return tide.stack{998 * y[1] + 1998 * y[2], -999 * y[1] - 1999 * y[2]}
end

tests["an atol below what y resolves counts as ten roundings of y, whatever method and norm"] = function()
  for _, method in ipairs{"bdf", "radau5", "radau3", "kvaerno5", "kvaerno3", "trbdf2", "rodas4", "ros3p",
    "auto", "dopri5", "dopri8", "adams"} do
    for _, o in ipairs{{rtol = 0, atol = 1e-9}, {rtol = 0, atol = 1e-30},
      {rtol = {0, 0}, atol = {1e-30, 1e-12}},
      {rtol = 0, atol = 1e-30, norm = function(e, s) return rms(e, s) end}} do
      o.method, o.max_steps = method, 20000
      local y, s = odeint(stiff, tide.tensor{1, 1}, {0, 0.1}, o)
      local off = (y[2][1] / (4 * math.exp(-0.1) - 3 * math.exp(-100)) - 1)
      assert(math.abs(off) < 3e-5 and s.steps < 4000,
        ("%s: off by %g, %d steps"):format(method, off, s.steps))
    end
  end
  for _, method in ipairs{"bdf", "radau5", "dopri8", "adams"} do
    local o = {method = method, rtol = 0, atol = 1e-25}
    local y = odeint(stiff, f64{1, 1}, {0, 0.1}, o)
    check.near(y[2][1], 4 * math.exp(-0.1) - 3 * math.exp(-100), 1e-11)
  end
end

tests["tolerances that no dtype resolves are refused, in whatever way they are given"] = function()
  local y32 = y0:to("float32")
  local function refused(words, options) fails(words, odeint, spiral, y32, {0, 1}, options) end
  local words = "below what float32 can resolve (1.2e-06)"
  for _, r in ipairs{1e-7, tide.full({2}, 1e-7), f64{1e-3, 1e-7}, {1e-3, 1e-7}} do
    refused({"rtol = 1e-07", words}, {rtol = r})
  end
  for _, o in ipairs{{adjoint_rtol = 1e-7}, {adjoint = {rtol = 1e-7}}, {adjoint = {rtol = 1e-7, atol = 1}}} do
    refused("adjoint_rtol = 1e-07 is " .. words, o)
    o.steps, o.method = 3, "rk4"
    odeint(spiral, y32, {0, 1}, o)
  end
  refused("adjoint_rtol and adjoint_atol are both 0", {adjoint = {rtol = 0, atol = 0}})
  refused("adjoint_rtol and adjoint_atol are both 0", {adjoint_rtol = 0, rtol = 1e-3, atol = 0})
  refused("both 0 for element 2", {rtol = {1e-3, 0}, atol = {0, 0}})
  fails({"rtol = 1e-07 of element 1 is below"}, odeint, function(_, s) return {a = -s.a} end,
    {a = tide.ones{2}}, {0, 1}, {rtol = {a = 1e-7}})
end

tests["an element that is 0 without an atol is named"] = function()
  for _, method in ipairs{"dopri5", "bdf", "radau5"} do
    fails({"element 2 of y is 0 there and has no tolerance", "give atol > 0"}, odeint,
      function(_, y) return -y end, f64{1, 0}, {0, 1}, {method = method, atol = 0})
  end
end

-- ---- two estimates ----

-- One step of size h of the field sin(y) w, from each tensor of a list: sums of its slopes with the weights.
local function sums_of(m, f, y, h)
  local k, e, low = {}, tide.zeros_like(y), tide.zeros_like(y)
  for i = 1, m.stages do
    local at = y
    for j, a in ipairs(m.A[i]) do at = at + h * a * k[j] end
    k[i] = f(at)
    e, low = e + h * m.b_error[i] * k[i], low + h * m.b_error_low[i] * k[i]
  end
  return e, low
end

local function of_two(e, low)
  local size, lower = e:square():mean():sqrt():item(), low:square():mean():sqrt():item()
  return size ^ 2 / math.sqrt(size ^ 2 + 0.01 * lower ^ 2)
end

tests["dop853: one error of two estimates, of each part and of each sample"] = function()
  local m
  for _, row in ipairs(tide.ode.methods()) do if row.name == "dop853" then m = row end end
  local function f(y) return tide.sin(y * 3) * y + tide.exp(-y) end
  local h, a, b = 0.3, f64{{0.1, 2}, {1.5, -0.3}}, f64{{1.1}, {0.4}}
  local ea, la = sums_of(m, f, a, h)
  local eb, lb = sums_of(m, f, b, h)
  local e, low = tide.cat({ea, eb}, 2), tide.cat({la, lb}, 2)
  local samples = math.max(of_two(e[1], low[1]), of_two(e[2], low[2]))
  local parts, whole = math.max(of_two(ea, la), of_two(eb, lb)), of_two(e, low)
  assert(samples / whole > 1.1 and parts / whole > 1.01)
  local function field(_, y) return {a = f(y.a), b = f(y.b)} end
  local function steps(norm, atol)
    local o = {method = "dop853", rtol = 0, atol = atol, first_step = h, norm = norm}
    return select(2, odeint(field, {a = a, b = b}, {0, h}, o)).steps
  end
  local function own(x, s)
    return (((x.a / s.a):square():sum() + (x.b / s.b):square():sum()) / 6):sqrt()
  end
  for norm, error in pairs{part = parts, sample = samples, batch = whole, [own] = whole} do
    assert(steps(norm, error * 1.001) == 1, norm)
    assert(steps(norm, error * 0.999) > 1, norm)
  end
end

-- ---- norms that are functions ----

tests["norm = function: the root mean square is \"batch\", in every kind of solve"] = function()
  local o = {rtol = 1e-6, atol = 1e-8}
  local ys, s = solve(with(o, {norm = "batch"}))
  local calls = 0
  local own = with(o, {norm = function(e, sc)
    calls = calls + 1
    assert(e:shape()[1] == 2 and e:dtype() == "float64" and sc:min():item() >= 1e-8)
    return rms(e, sc)
  end})
  local got, r = solve(own)
  assert(calls == s.steps and r.nfe == s.nfe and got:sub(ys):abs():max():item() < 1e-12)
  local eager, e = solve(with(own, {eager = true}))
  assert(e.nfe == s.nfe and eager:sub(ys):abs():max():item() < 1e-12)
  local function numbers(t, y) return {y[2] + math.sin(t), -y[1] - 0.1 * y[2]} end
  local plain, p = odeint(numbers, {1, 0.5}, {0, 1, 6}, with(own, {plain = true}))
  assert(p.nfe == s.nfe and plain:sub(ys):abs():max():item() < 1e-12)
  local compiled = tide.compile(function(y) return odeint(spiral, y, {0, 1, 6}, own) end)
  calls = 0
  for _ = 1, 3 do
    local again, live = compiled(y0)
    assert(same(again, got) and live.nfe == s.nfe)
    collectgarbage()
  end
  assert(calls == 3 * s.steps)
  local in_coroutine = coroutine.wrap(function() return (compiled(y0)) end)()
  assert(same(in_coroutine, got))
end

tests["norm = function: what it leaves out is not controlled; parts, gradients"] = function()
  local function f(_, y) return {slow = -y.slow, fast = -40 * y.fast} end
  local state = {slow = f64{1}, fast = f64{1, 2}}
  local _, s = odeint(f, state, {0, 1}, {rtol = 1e-6})
  local _, r = odeint(f, state, {0, 1}, {rtol = 1e-6, norm = function(e, sc) return rms(e.slow, sc.slow) end})
  assert(r.steps < s.steps / 2)
  local function loss(o) return function(y) return odeint(spiral, y, {0, 6}, o)[2]:square():sum() end end
  for _, kind in ipairs{"direct", "checkpoint", "adjoint", "interpolated"} do
    local o = {rtol = 1e-8, atol = 1e-8, gradient = kind}
    local g = tide.grad(loss(with(o, {norm = rms})))(y0)
    assert((g - tide.grad(loss(o))(y0)):abs():max():item() < 1e-10, kind)
  end
  local function twice(o)
    return tide.grad(function(y) return tide.grad(loss(o))(y):square():sum() end)(y0)
  end
  assert((twice{norm = rms, rtol = 1e-6} - twice{rtol = 1e-6}):abs():max():item() < 1e-9)
end

tests["norm = function: its errors pass as they are, and all works afterwards"] = function()
  local value, armed = {"mine"}, true
  local o = {norm = function(e, s)
    if armed then error(value) end
    return rms(e, s)
  end}
  local compiled = tide.compile(function(y) return (odeint(spiral, y, {0, 6}, o)) end)
  local gradient = tide.grad(function(y) return (odeint(spiral, y, {0, 6}, o)):sum() end)
  local function eager() return solve(with(o, {eager = true})) end
  for _, job in ipairs{function() return solve(o) end, eager, function() return compiled(y0) end,
    function() return gradient(y0) end} do
    for i = 1, 3 do
      armed = i ~= 2
      local good, e = pcall(job)
      assert(good == not armed and (good or rawequal(e, value)), tostring(e))
    end
  end
  armed = false
  fails("norm must return a number, got nil", solve, {norm = function() end})
  fails("norm must return a number, got a tensor", solve, {norm = function(e) return e end})
  fails("norm returned -1", solve, {norm = function() return -1 end})
  fails("norm returned nan of errors that are numbers", solve, {norm = function() return 0 / 0 end})
  fails("norm, a function of yours, gives infinity", solve, {norm = function() return 1 / 0 end})
  fails("yield", coroutine.wrap(function() return solve{norm = function() coroutine.yield() end} end))
  fails("option norm must be a string or a function", solve, {norm = 2})
  fails("norm must be one of", solve, {norm = "max"})
  -- a norm may solve, in a coroutine of its own as well
  local inner = 0
  local ys = solve{norm = function(e, s)
    inner = inner + coroutine.wrap(function() return select(2, solve{norm = rms}).steps end)()
    return rms(e, s)
  end}
  assert(inner > 20 and same(ys, (solve{norm = rms})))
end

tests["norm = function and tolerances of each element: memory that fails"] = function()
  local o = {rtol = {1e-3, 1e-4}, norm = rms}
  local gradient = tide.compile(tide.grad(function(y) return (odeint(spiral, y, {0, 2}, o)):sum() end))
  local jobs = {function() return (solve(o)) end, function() return gradient(y0) end,
    function() return (solve(with(o, {eager = true}))) end}
  for _, job in ipairs(jobs) do
    local want = job()
    for k = 1, 120 do
      core.memory_fail_after(k, k % 2 == 0)
      local good, got = pcall(job)
      core.memory_fail_after(-1, false)
      assert(good and same(got, want) or tostring(got):find "memory", tostring(got))
    end
    assert(same(job(), want))
  end
end

return tests
