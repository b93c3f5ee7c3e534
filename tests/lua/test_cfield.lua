-- Fields in C (tests/cfield): solved, with gradients, beside the same field recorded in Lua; those that
-- misbehave are errors with words.

local tide = require "tide"
local check = require "check"
local files = require "tide.files"

local tests = {}
local fails, near = check.fails, check.near
local float64 = {dtype = "float64"}
local core = package.searchpath("tide.core", package.cpath)
local folder = core:gsub("/lib/lua/5.4/tide/core.so$", ""):gsub("/tide/core.so$", "") .. "/tests/cfield/"
assert(io.open(folder .. "wrong.so"), folder .. "wrong.so is not there: make test-fields compiles it")

local pendulum = tide.ode.cfield(folder .. "pendulum.so", "pendulum")
local function wrong(symbol, opts) return tide.ode.cfield(folder .. "wrong.so", symbol, opts) end
local function recorded(p)
  return function(_, y)
    local angle, speed = y:slice(-1, 1, 1), y:slice(-1, 2, 2)
    return tide.cat({speed, -p:slice(1, 1, 1) * angle:sin() - p:slice(1, 2, 2) * speed}, -1)
  end
end

local theta = tide.tensor({9.81, 0.3}, float64)
local y0 = tide.tensor({{0.5, 0}, {3, 0.2}, {-1, 2}}, float64)
local span = {0, 0.4, 1}

local function largest(a, b) return (a - b):abs():max():item() end

tests["numbers of a C field that are none are a failure with a status"] = function()
  local good, e = tide.attempt(tide.odeint, pendulum(theta * (0 / 0)), y0, span)
  assert(not good and e.status == "not_finite" and e.steps == 0 and e.nfe == 1, e)
end

tests["a solve gives what the same field in Lua gives"] = function()
  for _, m in ipairs(check.methods()) do
    local o = {method = m.name, steps = m.kind == "fixed" and 50 or nil, rtol = m.kind ~= "fixed" and 1e-7
      or nil, atol = m.kind ~= "fixed" and 1e-9 or nil}
    local a, s = tide.odeint(pendulum(theta), y0, span, o)
    local b, r = tide.odeint(recorded(theta), y0, span, o)
    assert(largest(a, b) < 1e-12, m.name)
    -- a C field has no df/dt, which a Rosenbrock method then takes from one more evaluation, on a grid from
    -- four
    local more = m.family == "rosenbrock" and s.accepted * (m.kind == "fixed" and 4 or 1) + s.rejected or 0
    for key, value in pairs(r) do
      if key == "switches" then s[key], value = #s[key], #value end
      assert(s[key] == value + (key == "nfe" and more or 0), m.name .. " " .. key)
    end
  end
  local counts, ys = tide.ode.counted(tide.odeint, pendulum(theta), y0, {1, 0})
  assert(counts.nfe > 10 and table.concat(ys:shape(), " ") == "2 3 2")
end

tests["states: one sample, a batch, tables; samples must be whole"] = function()
  local p = pendulum(theta)
  local whole = tide.odeint(p, y0, span, {method = "rk4", steps = 20})
  local one = tide.odeint(p, y0[2], span, {method = "rk4", steps = 20})
  local pair = tide.odeint(p, {y0[2]:slice(1, 1, 1), y0[2]:slice(1, 2, 2)}, span,
    {method = "rk4", steps = 20})
  for i = 1, 3 do
    assert(largest(whole[i][2], one[i]) == 0)
    assert(pair[1][i]:item() == one[i][1] and pair[2][i]:item() == one[i][2])
  end
  assert(#tide.odeint(p, tide.zeros({0, 2}, float64), {0, 1}):reshape{-1} == 0)
  fails({"{2, 3}", "samples of 2 numbers", "{batch, 2}"}, tide.odeint, p, tide.ones({2, 3}, float64), {0, 1})
  fails({"6 numbers together", "one sample of 2"}, tide.odeint, p,
    {a = tide.ones({3}, float64), b = tide.ones({3}, float64)}, {0, 1})
  fails({"float32", 'to("float64")'}, tide.odeint, p, tide.ones{2}, {0, 1})
end

tests["gradients by y0 and theta, each kind: differences and the recorded field"] = function()
  local function loss(make, o)
    return function(v)
      return (tide.odeint(make(v.theta), v.y0, span, o) * tide.tensor({{1, 2}, {-1, 0.5}, {2, 1}},
        float64)):square():mean()
    end
  end
  local at = {theta = theta, y0 = y0}
  for _, kind in ipairs{"direct", "checkpoint", "adjoint", "interpolated"} do
    for _, method in ipairs{"dopri5", "dopri8", "heun_euler"} do
      local o = {method = method, rtol = method == "heun_euler" and 1e-6 or 1e-10, atol = 1e-10,
        gradient = kind, checkpoint_steps = 3}
      local a, b = tide.grad(loss(pendulum, o))(at), tide.grad(loss(recorded, o))(at)
      local name = kind .. " " .. method
      local worst = math.max(largest(a.theta, b.theta), largest(a.y0, b.y0))
      assert(worst < 1e-6, name .. " " .. worst) -- rounding can change a step
    end
  end
  for _, kind in ipairs{"direct", "checkpoint"} do
    local o = {method = "rk4", steps = 40, gradient = kind}
    local ok, worst = tide.gradcheck(loss(pendulum, o), at)
    assert(ok, worst)
    local a, b = tide.grad(loss(pendulum, o))(at), tide.grad(loss(recorded, o))(at)
    assert(largest(a.theta, b.theta) < 1e-12 and largest(a.y0, b.y0) < 1e-12)
  end
end

tests["evaluated by itself: values, derivatives, in Lua fields"] = function()
  local p = pendulum(theta)
  assert(largest(p(0, y0), recorded(theta)(0, y0)) < 1e-15)
  assert(largest(p(tide.tensor(0.5, float64), y0), p(7, y0)) == 0)
  local parts = p(0, {a = y0[1]:slice(1, 1, 1), b = y0[1]:slice(1, 2, 2)})
  assert(parts.a:item() == y0[1][2])
  assert(tide.gradcheck(function(v) return pendulum(v.theta)(0, v.y) end, {theta = theta, y = y0}))
  -- a part in C, a part in Lua, in one field
  local w = tide.randn({2, 2}, {seed = 4, dtype = "float64"})
  local function hybrid(make)
    return function(v) return tide.odeint(
      function(t, y) return make(v.theta)(t, y) + y:matmul(v.w):tanh() * t end, y0, span, {method = "rk4",
      steps = 20}):square():sum() end
  end
  local at = {theta = theta, w = w}
  local a, b = tide.grad(hybrid(pendulum))(at), tide.grad(hybrid(recorded))(at)
  assert(largest(a.theta, b.theta) < 1e-10 and largest(a.w, b.w) < 1e-10)
  fails({"no derivative by t", "stop_gradient"}, tide.grad(function(t) return p(t, y0):sum() end),
    tide.tensor(1, float64))
  fails("call it as f(t, y)", p, "0", y0)
  near(tide.ode.initial_step(p, 0, y0, 4, 1e-3, 1e-6), tide.ode.initial_step(recorded(theta), 0, y0, 4, 1e-3,
    1e-6), 1e-15)
end

tests["per_sample"] = function()
  local y = tide.tensor({{1, 0}, {3, 0}, {0.1, 2}}, float64)
  local o = {method = "dopri5", rtol = 1e-6}
  local apart = {method = "dopri5", rtol = 1e-6, per_sample = true}
  local ys, stats = tide.odeint(pendulum(theta), y, span, apart)
  local function loss(options)
    return function(v) return tide.odeint(pendulum(v.theta), v.y, span, options):square():sum() end
  end
  local g, sum = tide.grad(loss(apart)){theta = theta, y = y}, 0
  for i = 1, 3 do
    local one = y:slice(1, i, i)
    local alone, s = tide.odeint(pendulum(theta), one, span, o)
    assert(largest(ys:slice(2, i, i), alone) == 0 and stats.samples.nfe[i] == s.nfe)
    local h = tide.grad(loss(o)){theta = theta, y = one}
    assert(largest(g.y:slice(1, i, i), h.y) == 0)
    local sol = tide.ode.solution(pendulum(theta), y, {0, 1}, apart)
    local own = tide.ode.solution(pendulum(theta), one, {0, 1}, o)
    assert(largest(sol(0.4):slice(1, i, i), own(0.4)) == 0 and #sol.t[i] == #own.t)
    sum = h.theta + sum
  end
  assert(largest(g.theta, sum) < 1e-12)
  fails("samples of the first axis independently", tide.odeint, wrong "any", tide.ones({3, 1}, float64), span,
    apart)
  local seen = {}
  tide.odeint(pendulum(theta), y, span, check.with(apart, {on_step = function(step)
    seen[step.sample] = (seen[step.sample] or 0) + 1
  end}))
  for step in tide.ode.steps(pendulum(theta), y, {0, 1}, apart) do
    seen[step.sample] = seen[step.sample] + 1
  end
  for i = 1, 3 do assert(seen[i] == 2 * stats.samples.accepted[i]) end
  fails("fields in C", tide.ode.event, pendulum(theta), y, 0, function(_, x) return x:select(2, 1) end, apart)
end

tests["compiled: new parameters and states, statistics; gone fields stay loaded"] = function()
  local field = tide.ode.cfield(folder .. "pendulum.so", "pendulum")
  local f = tide.compile(tide.value_and_grad(function(v, y)
    return tide.odeint(field(v), y, {0, 1}, {method = "tsit5", rtol = 1e-6}):square():sum()
  end))
  local stats = tide.compile(function(v, y) return tide.odeint(field(v), y, {0, 1}) end)
  for k = 1, 3 do
    local v = theta * k
    local l, g = f(v, y0)
    local want = tide.grad(
      function(u) return tide.odeint(recorded(u), y0, {0, 1},
        {method = "tsit5", rtol = 1e-6}):square():sum() end)(v)
    assert(largest(g, want) < 1e-8 * (1 + want:abs():max():item()) and l:item() > 0)
    assert(select(2, stats(v, y0)).nfe > 6)
    field = k > 1 and field or pendulum
    collectgarbage() collectgarbage()
  end
end

tests["a bound field is a model: trained until it swings as the true one"] = function()
  local truth = tide.tensor({4, 0.5}, float64)
  local x = tide.rand({40, 2}, {seed = 3, dtype = "float64"}) * 2 - 1
  local function flow(p) return tide.odeint(p, x, {0, 1.5}, {method = "rk4", steps = 15})[2] end
  local target = flow(pendulum(truth))
  local model = pendulum(tide.tensor({2.5, 0}, float64))
  assert(tide.nn.count(model) == 2)
  local step = tide.compile(tide.value_and_grad(function(m) return (flow(m) - target):square():mean() end))
  local opt = tide.optim.adam(model, {lr = 0.1})
  local loss
  for _ = 1, 150 do
    local l, g = step(model)
    opt:step(g)
    loss = l:item()
  end
  assert(loss < 1e-4 and largest(model.theta, truth) < 0.1, loss)
  local block = tide.nn.odeblock(model, {method = "rk4", steps = 10})
  assert(table.concat(block(x):shape(), " ") == "40 2")
end

tests["what cannot be loaded says why"] = function()
  local here = folder .. "wrong.so"
  fails({"nothing.so", "No such file"}, tide.ode.cfield, "nothing.so", "f")
  fails({"is no file"}, tide.ode.cfield, folder, "f")
  fails({'exports no symbol "nothing"', "TIDE_FIELD(nothing)"}, wrong, "nothing")
  fails({here, "other_version", "version 2", "this is version 1", "compile it anew"}, wrong, "other_version")
  fails({"text is no struct tide_field", "TIDE_FIELD_HEAD"}, wrong, "text")
  fails("too few for f", wrong, "too_short")
  fails("no_function has no f", wrong, "no_function")
  fails({"width = 0", "TIDE_ANY"}, wrong, "no_width")
  fails({'unknown option "constant"', 'did you mean "constants"'}, wrong, "any", {constant = {1}})
  fails({"constants[1] = \"a\"", "list of numbers"}, wrong, "any", {constants = {"a"}})
  fails("path must be a string", tide.ode.cfield, nil, "f")
  fails({"symbol must be a string", "TIDE_FIELD(name)"}, tide.ode.cfield, here)
  check.in_folder(function(temporary, write)
    write("text.so", "no object at all")
    fails({"text.so", "cannot be loaded", "file too short"}, tide.ode.cfield, temporary .. "/text.so", "f")
  end)
end

tests["older and newer headers"] = function()
  local older, newer = wrong "older", wrong "newer"
  local y = tide.ones({1}, float64)
  near(tide.odeint(older, y, {0, 1}, {rtol = 1e-9})[2]:item(), math.exp(-1), 1e-6)
  fails("exports no vjp", tide.grad(function(v) return tide.odeint(older, v, {0, 1})[2]:sum() end), y)
  near(tide.grad(function(v) return tide.odeint(newer, v, {0, 1}, {rtol = 1e-9})[2]:sum() end)(y):item(),
    math.exp(-1), 1e-6)
end

tests["what a field cannot do is an error"] = function()
  local y = tide.ones({2}, float64)
  for _, kind in ipairs{"direct", "checkpoint", "adjoint", "interpolated"} do
    fails({"forward_only", "exports no vjp"},
      tide.grad(function(v) return tide.odeint(wrong "forward_only", v, {0, 1},
        {gradient = kind})[2]:sum() end), y)
  end
  fails("exports no vjp", tide.grad(function(v) return wrong "forward_only"(0, v):sum() end), y)
  local function slope(make) return tide.grad(function(v) return make(v):sum() end) end
  fails({"C field", "no second derivative"}, tide.grad(function(v)
    return slope(function(u) return tide.odeint(pendulum(theta), u, {0, 1})[2]:square() end)(v):square():sum()
  end), y)
  fails("no second derivative",
    tide.grad(function(v) return slope(function(u) return pendulum(theta)(0, u):square() end)(
      v):square():sum() end), y)
  fails({"leave out plain"}, tide.odeint, wrong "any", y, {0, 1}, {plain = true})
  fails({"leave out eager"}, tide.odeint, wrong "any", y, {0, 1}, {eager = true})
end

tests["implicit methods: the Jacobian by vjp, by jvp, by differences, in a field in Lua as well"] = function()
  local y = tide.tensor({1, 2}, float64)
  local a = tide.tensor({{-1, 0.3}, {0.2, -50}}, float64)
  for _, method in ipairs{"sdirk2", "implicit_midpoint", "bdf"} do
    local o = {method = method, steps = 20}
    local function mixed(part) return function(t, z) return part(t, z) + z:matmul(a):tanh() end end
    local want = tide.odeint(function(_, z) return -z end, y, {0, 1}, o)
    local want_mixed = tide.odeint(mixed(function(_, z) return -z end), y, {0, 1}, o)
    for _, symbol in ipairs{"any", "directional", "forward_only"} do
      local c = wrong(symbol)
      local off = largest(tide.odeint(c, y, {0, 1}, o), want)
      local mixed_off = largest(tide.odeint(mixed(c), y, {0, 1}, o), want_mixed)
      assert(off < 1e-12 and mixed_off < 1e-12, ("%s %s: %g, %g"):format(method, symbol, off, mixed_off))
    end
    -- the gradient itself needs the vjp
    for _, symbol in ipairs{"directional", "forward_only"} do
      fails({symbol, "exports no vjp"},
        tide.grad(function(v) return tide.odeint(wrong(symbol), v, {0, 1}, o)[2]:sum() end), y)
    end
  end
  -- products with a direction of a part in C
  local function twice(v) return wrong "directional"(0, v) * 2 end
  local _, ydot = tide.jvp(twice, y, tide.tensor({1, -3}, float64))
  assert(largest(ydot, tide.tensor({-2, 6}, float64)) == 0)
  fails({"exports no jvp"}, tide.jvp, function(v) return wrong "any"(0, v) end, y, y)
end

tests["parameters: how many, which dtype"] = function()
  fails({"odeint", "takes 2 parameters", "pendulum(theta)"}, tide.odeint, pendulum, y0, {0, 1})
  fails({"takes 2 parameters", "pendulum(theta)"}, pendulum, 0, y0)
  fails({"takes 2 parameters, got 3"}, pendulum, {1, 2, 3})
  fails({"float64", "float32", 'to("float64")'}, pendulum, tide.ones{2})
  fails({"1-D", "{1, 2}"}, pendulum, tide.ones({1, 2}, float64))
  fails({"list of numbers", "theta[2]"}, pendulum, {1, "2"})
  fails("got nil", pendulum)
  assert(largest(pendulum{9.81, 0.3}(0, y0), pendulum(theta)(0, y0)) == 0)
  for _, text in ipairs{"pendulum", "2 numbers", "2 parameters", "vjp and jvp"} do
    assert(tostring(pendulum):find(text, 1, true) and tostring(pendulum(theta)):find(text, 1, true))
  end
  -- any number of them, and constants
  local field = wrong("drifting", {constants = {2, 5}})
  local v = tide.tensor({1, 2, 3}, float64)
  local y = tide.zeros({3}, float64)
  assert(largest(tide.odeint(field(v), y, {0, 1})[2], v * 2) < 1e-12)
  assert(largest(tide.grad(function(u) return tide.odeint(field(u), y, {0, 1})[2]:sum() end)(v),
    tide.full({3}, 2, float64)) < 1e-12)
  assert(largest(wrong "drifting"{3}(0, y), tide.full({3}, 3, float64)) == 0)
  assert(largest(wrong("drifting", {constants = tide.tensor({4}, float64)}){3}(0, y),
    tide.full({3}, 12, float64)) == 0)
end

tests["what fails while it runs: the function, t, the code, its words"] = function()
  local y = tide.ones({1}, float64)
  fails({"failing", "f returned 7 at t = 0.", "y[0] = 0.", "is not for me"}, tide.odeint, wrong "failing", y,
    {0, 1})
  fails({"silent", "f returned -1"}, tide.odeint, wrong "silent", y, {0, 1}, {method = "rk4", steps = 10})
  fails({"long_message", "returned 1", ("x"):rep(200)}, tide.odeint, wrong "long_message", y, {0, 1})
  fails({"NaN", "t = 0.5"}, tide.odeint, wrong "not_a_number", y, {0, 1})
  fails({"one_way", "vjp returned 3", "no way back"},
    tide.grad(function(v) return tide.odeint(wrong "one_way", v, {0, 1})[2]:sum() end), y)
  -- NaN: smaller steps
  near(tide.odeint(wrong "square_root", y, {0, 0.99}, {first_step = 0.9, rtol = 1e-8, atol = 1e-8})[2]:item(),
    0.1, 1e-6)
  fails({"forgetful", "f has not written dy[1]"}, tide.odeint, wrong "forgetful", tide.ones({2}, float64),
    {0, 1})
  local one = tide.ones({1}, float64)
  fails({"adding", "vjp has not written thetabar[0]"},
    tide.grad(function(v) return tide.odeint(wrong "adding"(v), y, {0, 1})[2]:sum() end), one)
  near(tide.odeint(wrong "any", y, {0, 1}, {rtol = 1e-9})[2]:item(), math.exp(-1), 1e-6) -- and life goes on
end

tests["a path without a slash is a file of the current folder; a file that was compiled anew is noticed"] =
  function()
  fails("No such file", tide.ode.cfield, "libm.so.6", "sin")
  check.in_folder(function(temporary)
    local path = temporary .. "/field.so"
    local function place(from) -- as a compiler does: a new file
      os.remove(path)
      files.write(path, files.read(folder .. from))
    end
    place "pendulum.so"
    local held = tide.ode.cfield(path, "pendulum")
    assert(tide.ode.cfield(path, "pendulum")(theta))
    place "wrong.so"
    fails({"has changed since it was loaded", "collectgarbage()"}, tide.ode.cfield, path, "any")
    near(held(theta)(0, y0[1])[2], -9.81 * math.sin(0.5), 1e-12)
    held = nil -- luacheck: ignore held
    assert(tide.ode.cfield(path, "any"))
  end)
end

return tests
