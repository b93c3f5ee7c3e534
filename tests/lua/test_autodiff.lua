-- The contract's section "Derivatives": forms, compositions, compile, and the recorder after errors.
local check = require "check"
local tide = require "tide"
local core = tide.core

local F64 = {dtype = "float64"}

local function close(a, b, tolerance)
  assert(math.abs(a - b) <= (tolerance or 1e-12) * math.max(1, math.abs(b)), ("%g, expected %g"):format(a, b))
end
local function vector(...) return tide.tensor({...}, F64) end
local function same(x, values)
  assert(#x == #values)
  for i, v in ipairs(values) do close(x[i], v) end
end
local fails = check.raises

local tests = {}

tests["grad and value_and_grad"] = function()
  same(tide.grad(function(x) return x:square():sum() end)(vector(1, -2)), {2, -4})
  local v, g = tide.value_and_grad(function(x, k) return (x * k):sum() end)(vector(1, 2), 3)
  assert(v:item() == 9)
  same(g, {3, 3})
  assert(tide.grad(function(x) return x:sum() end)(tide.ones{2}):dtype() == "float32")
  -- only the first argument counts; the others are constants, tensors too
  same(tide.grad(function(x, y) return (x * y):sum() end)(vector(1, 2), vector(5, 6)), {5, 6})
  -- a parameter reached in a second way, as an upvalue, is a constant there
  local p = vector(3)
  same(tide.grad(function(x) return (x * p):sum() end)(p), {3})
  -- no dependence: zeros
  same(tide.grad(function() return tide.tensor(1.0) end)(vector(1, 2)), {0, 0})
  same(tide.grad(function(x) return (x * 0 + x:stop_gradient() * x):sum() end)(vector(4)), {4})
  -- one element of any rank is a scalar
  same(tide.grad(function(x) return (x * x):sum(1, true) end)(vector(2, 3)), {4, 6})
end

tests["parameters are trees"] = function()
  local meta = {__call = function(self, x) return (self.w * x + self.layers[1].b):sum() end}
  local model = setmetatable({w = vector(2, 3), layers = {{b = vector(1)}}, name = "m", n = 4,
    steps = tide.tensor({7}, {dtype = "int64"})}, meta)
  local g = tide.grad(function(m, x) return m(x) end)(model, vector(5, 6))
  assert(getmetatable(g) == meta and g.name == "m" and g.n == 4 and g.steps[1] == 7)
  same(g.w, {5, 6})
  same(g.layers[1].b, {2})
  local ok = tide.gradcheck(function(m) return m(vector(5, 6)):exp() * 1e-6 end, model)
  assert(ok)
end

tests["vjp and jvp"] = function()
  local y, pullback = tide.vjp(function(x) return x:square() end, vector(1, 2, 3))
  same(y, {1, 4, 9})
  same(pullback(vector(1, 0, 2)), {2, 0, 12})
  same(pullback(vector(0, 1, 0)), {0, 4, 0})
  fails("cotangent 1 must have shape {3} %(float64%), got {2}", pullback, vector(1, 2))
  fails("cotangents", pullback, 1)
  same(pullback(vector(1, 1, 1)), {2, 4, 6}) -- works after the failures
  local pair, back = tide.vjp(function(p) return {sum = p.a + p.b, twice = p.a * 2} end,
    {a = vector(1), b = vector(2)})
  assert(pair.sum[1] == 3)
  local g = back{sum = vector(1), twice = vector(10)}
  assert(g.a[1] == 21 and g.b[1] == 1)
  local v, dv = tide.jvp(function(x) return x:sin() end, vector(0, 1), vector(2, 3))
  same(v, {0, math.sin(1)})
  same(dv, {2, 3 * math.cos(1)})
  fails("tangent 1 has shape", tide.jvp, function(x) return x end, vector(1, 2), vector(1))
end

tests["higher derivatives"] = function()
  local function cube(x) return (x ^ 3):sum() end
  local function first(x) return tide.grad(cube)(x):sum() end
  local function second(x) return tide.grad(first)(x):sum() end
  same(tide.grad(first)(vector(2, -1)), {12, -6})
  same(tide.grad(second)(vector(2, -1)), {6, 6})
  -- Hessian-vector product: jvp of grad, and jvp of vjp
  local function f(x) return (x:sin() * x:slice(1, -1, 1, -1)):sum() end
  local x, v = vector(0.3, -0.7, 1.1), vector(1, 2, -1)
  local _, hv = tide.jvp(tide.grad(f), x, v)
  local h = 1e-5
  local difference = (tide.grad(f)(x + v * h) - tide.grad(f)(x - v * h)) / (2 * h)
  for i = 1, 3 do close(hv[i], difference[i], 1e-8) end
  local _, again = tide.jvp(function(q)
    local _, pullback = tide.vjp(f, q)
    return pullback(tide.tensor(1, F64))
  end, x, v)
  for i = 1, 3 do close(again[i], hv[i]) end
  assert(tide.gradcheck(tide.grad(f), x))
  assert(tide.gradcheck(function(q) local _, d = tide.jvp(f, q, q * 2) return d end, x))
end

tests["gradients of closures over symbolic parameters"] = function()
  -- the penalty on the gradient of a model with respect to its data
  local data = vector(1, 5)
  local function penalty(w)
    return tide.grad(function(q) return (q * q * w):sum() end)(data):square():sum()
  end
  same(tide.grad(penalty)(vector(2, 3)), {16, 600})
  assert(tide.gradcheck(penalty, vector(2, 3)))
  assert(tide.gradcheck(
    function(w) local _, g = tide.value_and_grad(function(q) return (q * w):exp():sum() end)(
      data * 0.1) return g end, vector(2, 3)))
  local function by_jvp(w) local _, d = tide.jvp(function(q) return q:sin() * w end, data, data) return d end
  assert(tide.gradcheck(by_jvp, vector(2, 3)))
  local function by_vjp(w)
    local y, pullback = tide.vjp(function(q) return q:sin() * w end, data)
    return y + pullback(w * w)
  end
  assert(tide.gradcheck(by_vjp, vector(2, 3)))
  local scale = tide.compile(function(q) return q * 2 end)
  local function by_compile(w)
    return tide.compile(function(q) return (q * w):sin() end)(data) + scale(data)
  end
  assert(tide.gradcheck(by_compile, vector(2, 3)))
  -- three levels, the innermost one reaching through the middle one
  local function deep(a)
    return tide.grad(
      function(b) return tide.grad(function(c) return (c * b * a):sin():sum() end)(data):sum() + (
        a * b):sum() end)(data):sum()
  end
  assert(tide.gradcheck(deep, vector(0.2, 0.3)))
  same(tide.compile(tide.grad(penalty))(vector(2, 3)), {16, 600})
  -- a pullback made outside, used inside
  local _, pullback = tide.vjp(function(q) return q:square() end, data)
  same(tide.grad(function(w) return pullback(w):sum() end)(vector(1, 1)), {2, 10})
end

tests["compile replays by structure, shape, dtype and other values"] = function()
  local calls = 0
  local f = tide.compile(function(p, k, opts)
    calls = calls + 1 return p.x * k + (opts and opts.shift or 0), "kept", k
  end)
  local y, kept, k = f({x = vector(1, 2)}, 3)
  same(y, {3, 6})
  assert(kept == "kept" and k == 3 and calls == 1)
  same((f({x = vector(5, 6)}, 3)), {15, 18})
  assert(calls == 1)
  same((f({x = vector(5, 6)}, 4)), {20, 24})
  same((f({x = vector(5)}, 4)), {20})
  f({x = tide.tensor{1, 2}}, 3)
  same((f({x = vector(1, 2)}, 3, {shift = 1})), {4, 7})
  assert(calls == 5)
  f({x = vector(1, 2)}, 3.0)
  same((f({x = vector(9, 2)}, 3, {shift = 1})), {28, 7})
  assert(calls <= 6)
  assert(select("#", tide.compile(function() return nil, 1, nil end)()) == 3)
  -- strings that look like the key's own separators
  local g = tide.compile(function(t) return tide.tensor(#t) end)
  assert(g{"a;number1:2string1:b"}:item() == 1 and g{"a", "b"}:item() == 2)
  -- strided arguments, captured tensors read anew
  local captured = vector(1, 1)
  local h = tide.compile(function(x) return x:sum(1) + captured end)
  same(h(tide.tensor({{1, 2}, {3, 4}}, F64):transpose()), {4, 8})
  captured[1] = 100
  same(h(tide.tensor({{1, 2}, {3, 4}}, F64)), {104, 7})
end

tests["compiled closures are told apart after their collection"] = function()
  local f = tide.compile(function(x, g) return g(x) end)
  for i = 1, 200 do
    local y = f(vector(1), function(x) return x * i end)
    assert(y[1] == i, i)
    if i % 7 == 0 then collectgarbage() end
  end
end

tests["compile and grad compose"] = function()
  local function loss(p, x) return (p.w:matmul(x):tanh() + p.b):square():sum() end
  local p = {w = tide.randn({2, 3}, F64), b = vector(0.5, -1)}
  local x = vector(1, 2, 3)
  local fast, slow = tide.compile(tide.value_and_grad(loss)), tide.value_and_grad(loss)
  for _ = 1, 3 do
    local v1, g1 = fast(p, x)
    local v2, g2 = slow(p, x)
    assert(v1:item() == v2:item())
    assert((g1.w - g2.w):abs():sum():item() == 0 and (g1.b - g2.b):abs():sum():item() == 0)
    p.w[1] = p.w[1] - g1.w[1] * 0.1
  end
  local inner = tide.compile(loss)
  local g = tide.grad(function(q) return inner(q, x) * 2 end)(p)
  local want = tide.grad(loss)(p, x)
  close(g.b[1], 2 * want.b[1])
  assert(tide.gradcheck(function(q) return tide.grad(inner)(q, x).w end, p))
end

tests["gradcheck says where float32 is what differs"] = function()
  local start = tide.ones{1} -- float32, as the solve and its result then are
  local function loss(p)
    return (tide.odeint(function(_, y) return p:to(y:dtype()) * y end, start, {0, 1},
      {method = "rk4", steps = 10}))
  end
  local ok, _, report = tide.gradcheck(loss, vector(0.3))
  assert(not ok and tostring(report):find("fn returned float32", 1, true), tostring(report))
  start = start:to("float64")
  assert(tide.gradcheck(loss, vector(0.3)))
end

tests["gradcheck finds a wrong derivative"] = function()
  local ok, worst = tide.gradcheck(function(x) return (x.stop_gradient(x) * x):sum() end, vector(2))
  assert(not ok and worst > 0.1)
  local bad, nan = tide.gradcheck(
    function(x) return tide.cat({x:slice(1, 1, 1):sqrt(), x:slice(1, 2, 2)}):sum() end, vector(-1, 1))
  assert(not bad and nan ~= nan)
end

tests["errors leave the recorder usable and pass unchanged"] = function()
  local thrown = {}
  for _, transform in ipairs{tide.grad, tide.value_and_grad, tide.compile} do
    local ok, caught = pcall(transform(function() error(thrown) end), vector(1))
    assert(not ok and caught == thrown)
  end
  for _, call in ipairs{tide.vjp, tide.jvp} do
    local ok, caught = pcall(call, function() error(thrown) end, vector(1), vector(1))
    assert(not ok and caught == thrown)
  end
  local ok, caught = pcall(tide.grad(function() error(nil) end), vector(1))
  assert(not ok and caught == nil)
  assert(not core.is_recording())
  fails("inner sizes differ",
    tide.grad(function(x) return x:reshape{1, 2}:matmul(tide.ones({3, 1}, F64)) end), vector(1, 2))
  -- an error caught inside the recorded function is no error
  same(tide.grad(function(x)
    pcall(function() return x + tide.ones{7} end)
    pcall(tide.grad(function(q) return q:matmul(x) end), x)
    return (x * x):sum()
  end)(vector(3)), {6})
  assert(not core.is_recording())
end

tests["symbols do not outlive their recording"] = function()
  local stolen
  tide.grad(function(x) stolen = x return x:sum() end)(vector(1, 2))
  local ended = "recording that has ended"
  fails(ended, function() return stolen + 1 end)
  fails(ended, function() return tide.ones({2}, F64) * stolen end)
  fails("symbolic", function() return stolen:item() end)
  fails(ended, tide.grad(function(x) return (x * stolen):sum() end), vector(1, 2))
  fails(ended, tide.grad(function() return stolen:sum() end), vector(1, 2))
  fails("ended", tide.grad(function(x) return x:sum() end), stolen)
  assert(stolen:numel() == 2 and stolen:dtype() == "float64" and tostring(stolen):find("symbolic"))
  same(tide.grad(function(x) return x:sum() end)(vector(1, 2)), {1, 1})
  stolen:close()
  fails("tensor is closed", function() return stolen + 1 end)
end

tests["recordings in coroutines"] = function()
  -- suspended and dropped, suspended and resumed out of order
  local function suspended()
    return coroutine.wrap(function(p)
      return tide.grad(function(x) coroutine.yield() return (x * x):sum() end)(p)
    end)
  end
  local dropped = suspended()
  dropped(vector(1))
  local a, b = suspended(), suspended()
  a(vector(3))
  b(vector(4))
  same(b(), {8})
  same(tide.grad(function(x) return (x * 2):sum() end)(vector(1)), {2})
  same(a(), {6})
  dropped = nil -- luacheck: ignore
  collectgarbage()
  collectgarbage()
  assert(not core.is_recording())
  local co = coroutine.create(function()
    return tide.grad(function(x) coroutine.yield() return x:sum() end)(vector(1))
  end)
  coroutine.resume(co)
  -- it waits: what others do meanwhile is no part of its recording
  assert(not core.is_recording() and (vector(1) + 1):item() == 2)
  coroutine.close(co)
  assert(not core.is_recording())
  -- a coroutine that the recorded function resumes is part of it
  local function by_coroutine(x)
    return coroutine.wrap(function() assert(core.is_recording()) return (x * x):sum() end)()
  end
  same(tide.grad(by_coroutine)(vector(3)), {6})
end

tests["long chains"] = function()
  local function f(x)
    local y = x
    for _ = 1, 20000 do y = y + x end
    return y:sum()
  end
  same(tide.grad(f)(vector(1, 2)), {20001, 20001})
end

return tests
