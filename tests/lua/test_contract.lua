-- The contract, executable: each call as a new user would write it, with an assertion on what it means.
-- Details are tested elsewhere.
local check = require "check"
local tide = require "tide"
local nn, optim, data = tide.nn, tide.optim, tide.data

local F64 = {dtype = "float64"}
local function t64(values) return tide.tensor(values, F64) end
local function decay(_, y) return -y end

local fails, near = check.fails, check.near
local function equal(got, want) assert(got == want, ("got %s, expected %s"):format(got, want)) end
local function shape_is(x, ...) equal(table.concat(x:shape(), ","), table.concat({...}, ",")) end

-- Dense values (nested or flat), within a tolerance; numbers as they come from reshape.
local function holds(x, want, tolerance)
  local got, flat = x:to("float64"):reshape{-1}:totable(), {}
  local function walk(v)
    if type(v) == "table" then for _, u in ipairs(v) do walk(u) end else flat[#flat + 1] = v end
  end
  walk(want)
  equal(#got, #flat)
  for i, v in ipairs(flat) do near(got[i], v, tolerance or 1e-6) end
end

-- Evaluations of f that a call cost.
local function evaluations(fn, ...)
  return tide.ode.counted(fn, ...).nfe
end

local tests = {}

-- ---- running ----

-- The interpreter that runs this test, `tide` or stock lua5.4: standard output and error, and the exit
-- status.
local function interpreter(arguments, before)
  local i = 0
  while arg[i - 1] do i = i - 1 end
  local pipe = io.popen(("%s '%s' %s 2>&1; echo \"status $?\""):format(before or "", arg[i], arguments))
  local text = pipe:read("a")
  pipe:close()
  return text:match("^(.*)status (%d+)%s*$")
end

tests["running: arguments, exit status, traceback"] = function()
  check.in_folder(function(folder)
    local script = folder .. "/script.lua"
    local file = assert(io.open(script, "w"))
    file:write('local tide = require "tide"\n',
      'print(arg[0], arg[1], #arg, select("#", ...), tide.ones{2}[1])\n',
      'if arg[1] == "fail" then error("as asked") end\nos.exit(tonumber(arg[1]))\n')
    file:close()
    local out, status = interpreter(script .. " 7 b")
    equal(out, script .. "\t7\t2\t2\t1.0\n")
    equal(status, "7")
    out, status = interpreter(script .. " fail")
    assert(out:find(script .. ":3: as asked", 1, true) and out:find("stack traceback", 1, true), out)
    equal(status, "1")
  end)
  local out, status = interpreter([[-e 'print(require("tide").arange(1, 3):sum():item())']])
  equal(out, "6.0\n")
  equal(status, "0")
end

tests["running: sub-modules"] = function()
  for _, name in ipairs{"nn", "optim", "data", "plot", "ode"} do equal(type(tide[name]), "table") end
  equal(type(tide.train), "function")
end

-- ---- tensors ----

tests["tensors: creation"] = function()
  equal(tide.tensor({1, 2}):dtype(), "float32")
  for _, dtype in ipairs{"float32", "float64", "int64", "uint8"} do
    local o = {dtype = dtype}
    for _, x in ipairs{tide.tensor({1}, o), tide.zeros({1}, o), tide.ones({1}, o), tide.full({1}, 3, o),
      tide.arange(1, 2, 1, o),
                       tide.linspace(1, 2, 2, o), tide.eye(1, o)} do equal(x:dtype(), dtype) end
  end
  holds(tide.tensor{{1, 2}, {3, 4}}, {{1, 2}, {3, 4}})
  shape_is(tide.tensor(2.5))
  equal(tide.tensor(2.5):item(), 2.5)
  shape_is(tide.zeros{})
  holds(tide.full({2, 2}, 7), {7, 7, 7, 7})
  holds(tide.arange(1, 5), {1, 2, 3, 4, 5})
  holds(tide.arange(1, 5, 2), {1, 3, 5})
  holds(tide.arange(3, 1, -1), {3, 2, 1})
  equal(#tide.arange(0, 1, 0.1), 11)
  holds(tide.linspace(0, 1, 5), {0, 0.25, 0.5, 0.75, 1})
  holds(tide.eye(2), {1, 0, 0, 1})
  for _, dtype in ipairs{"float32", "float64"} do
    for _, make in ipairs{tide.randn, tide.rand} do
      tide.seed(11)
      local a, b = make({4}, {dtype = dtype}), make({4}, {dtype = dtype})
      tide.seed(11)
      holds(make({4}, {dtype = dtype}), a:totable(), 0)
      local own = make({4}, {dtype = dtype, seed = 5}) -- must not disturb the default generator
      holds(make({4}, {dtype = dtype}), b:totable(), 0)
      holds(make({4}, {dtype = dtype, seed = 5}), own:totable(), 0)
      assert((a - own):abs():max():item() > 0)
    end
  end
end

tests["tensors: access"] = function()
  local x = tide.tensor{{1, 2, 3}, {4, 5, 6}}
  equal(type(x:shape()), "table")
  equal(x:numel(), 6)
  equal(#x, 2)
  holds(x[2], {4, 5, 6})
  holds(x[-2], {1, 2, 3})
  equal(type(x[1][2]), "number")
  equal(math.type(tide.tensor({1, 2}, {dtype = "int64"})[1]), "integer")
  equal(x:totable()[2][3], 6)
  equal(x:to("float64"):dtype(), "float64")
  local copy = x:clone()
  copy[1] = 0
  equal(x[1][1], 1)
  fails({"one element"}, x.item, x)
  fails({"out of range"}, function() return x[3] end)
end

tests["tensors: arithmetic, broadcasting, dtypes"] = function()
  local x = tide.tensor{{1, 2}, {3, 4}}
  holds(10 - x * 2 + x / 2, {8.5, 7, 5.5, 4})
  holds(2 ^ x + -(x ^ 2), {1, 0, -1, 0})
  holds(x + tide.tensor{10, 20}, {11, 22, 13, 24})
  holds(x + tide.tensor{{10}, {20}}, {11, 12, 23, 24})
  shape_is(tide.ones{2, 1, 4} * tide.ones{3, 1}, 2, 3, 4)
  fails({"broadcast"}, function() return tide.ones{2} + tide.ones{3} end)
  local f32, f64, int, byte = tide.ones{2}, t64{1, 1}, tide.ones({2}, {dtype = "int64"}),
    tide.ones({2}, {dtype = "uint8"})
  equal((f32 + f64):dtype(), "float64")
  equal((f32 * int):dtype(), "float32")
  equal((f64 - byte):dtype(), "float64")
  equal((f32 * 1.5):dtype(), "float32")
  equal((f64 + 1):dtype(), "float64")
  equal((int * 2):dtype(), "int64")
  equal((byte + 1):dtype(), "uint8")
end

tests["tensors: shapes"] = function()
  local x = tide.arange(1, 24):reshape{2, 3, 4}
  shape_is(x:transpose(1, 3), 4, 3, 2)
  shape_is(x:transpose(-1, -2), 2, 4, 3)
  shape_is(x:reshape{-1, 4}, 6, 4)
  holds(x:slice(3, 2, 4, 2)[1][1], {2, 4})
  holds(x:slice(-1, -2, -1)[1][1], {3, 4})
  shape_is(tide.cat({x, x}, 2), 2, 6, 4)
  shape_is(tide.cat({x, x}, -1), 2, 3, 8)
  shape_is(tide.stack({x, x}, 1), 2, 2, 3, 4)
  shape_is(tide.stack({x, x}, -1), 2, 3, 4, 2)
  holds(tide.tensor{{1, 2}, {3, 4}}:matmul(tide.tensor{{1}, {10}}), {21, 43})
  shape_is(tide.ones{5, 2, 3}:matmul(tide.ones{3, 4}), 5, 2, 4)
end

tests["tensors: reductions and functions, as methods and as functions"] = function()
  local x = t64{{1, 5, 3}, {4, 2, 6}}
  equal(x:sum():item(), 21)
  holds(x:sum(1), {5, 7, 9})
  holds(x:mean(-1), {3, 4})
  shape_is(x:max(2, true), 2, 1)
  holds(x:min(1), {1, 2, 3})
  holds(x:argmax(2), {2, 3})
  equal(x:argmax(2):dtype(), "int64")
  local e = {math.exp(1), math.exp(5), math.exp(3)}
  local total = e[1] + e[2] + e[3]
  near(x:logsumexp(2)[1], math.log(total))
  holds(x:softmax(2)[1], {e[1] / total, e[2] / total, e[3] / total}, 1e-12)
  holds(x:log_softmax(2)[1], {1 - math.log(total), 5 - math.log(total), 3 - math.log(total)}, 1e-12)
  holds(tide.where(x:gt(3), x, -x), {-1, 5, -3, 4, -2, 6})
  holds(x:le(tide.ones({2, 3}, F64) * 3), {1, 0, 1, 0, 1, 0})
  for name, fn in pairs{exp = math.exp, log = math.log, sin = math.sin, cos = math.cos, sqrt = math.sqrt,
    abs = math.abs,
                        relu = function(v) return math.max(v, 0) end, square = function(v) return v * v end,
                        sigmoid = function(v) return 1 / (1 + math.exp(-v)) end,
                        softplus = function(v) return math.log(1 + math.exp(v)) end,
                        tanh = function(v) return 1 - 2 / (math.exp(2 * v) + 1) end} do
    near(x[name](x)[1][3], fn(3))
    near(tide[name](x)[2][1], fn(4))
  end
  for _, name in ipairs{"sum", "mean", "max", "min", "argmax", "logsumexp", "softmax", "log_softmax"} do
    holds(tide[name](x, 2), x[name](x, 2):totable(), 0)
  end
  for _, name in ipairs{"gt", "lt", "ge", "le", "eq", "ne"} do
    holds(tide[name](x, 3), x[name](x, 3):totable(), 0)
  end
  holds(tide.matmul(x, tide.transpose(x, 1, 2)), {35, 32, 32, 56})
  shape_is(tide.reshape(tide.slice(x, 1, 1, 1), {3}), 3)
end

tests["tensors: convolution"] = function()
  local x = tide.arange(1, 5, 1, F64):reshape{1, 1, 5}
  local w = t64{{{1, 0, -1}}}
  -- cross-correlation
  holds(tide.conv1d(x, w, nil), {-2, -2, -2})
  holds(tide.conv1d(x, w, t64{10}, {stride = 2, padding = 1, dilation = 1, groups = 1}), {8, 8, 14})
  holds(tide.conv1d(x, w, nil, {dilation = 2}), {-4})
  shape_is(tide.conv1d(tide.ones{2, 4, 9}, tide.ones{6, 2, 3}, nil, {groups = 2}), 2, 6, 7)
  local image = tide.arange(1, 12, 1, F64):reshape{1, 1, 3, 4}
  holds(tide.conv2d(image, t64{{{{1, 2}, {3, 4}}}}, t64{0.5}), {44.5, 54.5, 64.5, 84.5, 94.5, 104.5})
  shape_is(tide.conv2d(tide.ones{2, 4, 9, 8}, tide.ones{6, 2, 3, 2}, tide.ones{6},
    {stride = {2, 1}, padding = {0, 2}, dilation = {1, 2},
    groups = 2}), 2, 6, 4, 10)
  shape_is(tide.conv2d(tide.ones{1, 3, 8, 8}, tide.ones{5, 3, 3, 3}, nil, {stride = 2, padding = 1}), 1, 5, 4,
    4)
end

tests["tensors: printing"] = function()
  local text = tostring(tide.tensor({{1, -200.25}, {3, 4}}, F64))
  assert(text:find("float64", 1, true) and text:find("{2, 2}", 1, true), text)
  local width = {}
  for line in text:gmatch("\n([^\n]*)") do width[#width + 1] = #line end
  equal(#width, 2)
  equal(width[1], width[2])
  assert(#tostring(tide.ones{1000, 1000}) < 2000)
end

tests["tensors: save and load"] = function()
  check.in_folder(function(folder)
    local t = {w = tide.randn({2, 3}, {seed = 1}), list = {t64{1, 2}, tide.tensor({1, 2}, {dtype = "int64"})},
      s = tide.tensor(3),
               bytes = tide.tensor({0, 255}, {dtype = "uint8"})}
    for _, extension in ipairs{".npz", ".safetensors"} do
      tide.save(folder .. "/t" .. extension, t)
      local back = tide.load(folder .. "/t" .. extension)
      tide.tree.each(t, function(x, path)
        local y = back
        for key in path:gmatch("[^.%[%]]+") do y = y[tonumber(key) or key] end
        equal(y:dtype(), x:dtype())
        holds(y:reshape(x:shape()), x:to("float64"):reshape{-1}:totable(), 0)
        equal(#y:shape(), #x:shape())
      end)
    end
    tide.save(folder .. "/w.npy", t.w)
    holds(tide.load(folder .. "/w.npy"), t.w:totable(), 0)
    fails({".npz", ".safetensors"}, tide.save, folder .. "/t.pickle", t)
    fails({"absent.npz"}, tide.load, folder .. "/absent.npz")
  end)
end

-- ---- derivatives ----

tests["derivatives: grad of a nested table"] = function()
  local p = {w = t64{1, 2}, list = {t64{3}, "name", 7}, flag = true, call = print,
    int = tide.tensor({1}, {dtype = "int64"})}
  local function loss(q, x, k) return (q.w * x):sum() * k + q.list[1]:square():sum() end
  local g = tide.grad(loss)(p, t64{5, 6}, 2)
  holds(g.w, {10, 12})
  holds(g.list[1], {6})
  equal(g.list[2], "name")
  equal(g.list[3], 7)
  equal(g.flag, true)
  equal(g.call, print)
  equal(g.int:dtype(), "int64")
  local value, same = tide.value_and_grad(loss)(p, t64{5, 6}, 2)
  near(value:item(), 43)
  holds(same.w, {10, 12})
  local model = nn.linear(2, 1)
  holds(tide.grad(function(m, x) return m(x):sum() end)(model, tide.ones{3, 2}).bias, {3})
  fails({"scalar"}, tide.grad(function(x) return x end), tide.ones{2})
end

tests["derivatives: vjp, jvp, stop_gradient, compositions"] = function()
  local function cube(x) return x ^ 3 end
  local y, pullback = tide.vjp(cube, t64{1, 2})
  holds(y, {1, 8})
  holds(pullback(t64{1, 0}), {3, 0})
  holds(pullback(t64{0, 1}), {0, 12})
  local dy
  y, dy = tide.jvp(cube, t64{1, 2}, t64{1, 10})
  holds(y, {1, 8})
  holds(dy, {3, 120})
  near(tide.grad(function(x) return x * tide.stop_gradient(x) end)(t64(3)):item(), 3)
  near(tide.grad(tide.grad(cube))(t64(2)):item(), 12)
  near(tide.compile(tide.grad(cube))(t64(2)):item(), 12)
  near(tide.grad(tide.compile(cube))(t64(2)):item(), 12)
  local _, product = tide.jvp(tide.grad(function(x) return (x ^ 3):sum() end), t64{1, 2}, t64{1, 1})
  holds(product, {6, 12})
end

tests["derivatives: compile records once per argument structure"] = function()
  local recordings = 0
  local fn = tide.compile(function(p, k)
    recordings = recordings + 1
    return p.w:sum() * k, {twice = p.w * 2, name = "n"}
  end)
  near(fn({w = t64{1, 2}}, 3):item(), 9)
  local y, more = fn({w = t64{4, 5}}, 3)
  near(y:item(), 27)
  holds(more.twice, {8, 10})
  equal(more.name, "n")
  equal(recordings, 1)
  near(fn({w = t64{4, 5}}, 2):item(), 18)
  near(fn({w = t64{1, 2, 3}}, 2):item(), 12)
  near(fn({w = t64{4, 5}}, 3):item(), 27)
  equal(recordings, 3)
end

tests["derivatives: gradcheck"] = function()
  local ok, worst = tide.gradcheck(function(p) return (p.a:sin() * p.b[1]):sum() end,
    {a = tide.randn({3}, {seed = 1}), b = {tide.ones{3}}})
  equal(ok, true)
  equal(math.type(worst), "float")
  ok, worst = tide.gradcheck(function(x) return (x * tide.stop_gradient(x)):sum() end, tide.ones{2})
  equal(ok, false)
  near(worst, 0.5, 1e-6)
end

tests["losses"] = function()
  local p, t = t64{{1, -2}, {0.5, 4}}, t64{{0, 0}, {0, 0}}
  near(tide.mse(p, t):item(), (1 + 4 + 0.25 + 16) / 4)
  near(tide.smooth_l1(p, t):item(), (0.5 + 1.5 + 0.125 + 3.5) / 4)
  local labels = tide.tensor({2, 1}, {dtype = "int64"})
  near(tide.cross_entropy(p, labels):item(), (math.log(1 + math.exp(3)) + math.log(1 + math.exp(3.5))) / 2)
  fails({"1-based"}, tide.cross_entropy, p, tide.tensor({0, 1}, {dtype = "int64"}))
end

-- ---- solving ----

tests["odeint: form of the call, of ys and of stats"] = function()
  local ys, stats = tide.odeint(decay, tide.ones({2, 3}, F64), {0, 0.5, 1}, {rtol = 1e-8, atol = 1e-8})
  shape_is(ys, 3, 2, 3)
  equal(ys[1][2][3], 1)
  near(ys[3][1][1], math.exp(-1), 1e-7)
  equal(stats.nfe, 2 + 6 * stats.steps)
  equal(stats.steps, stats.accepted + stats.rejected)
  equal(stats.nfe_backward, 0)
  local state = tide.odeint(function(_, s) return {x = s.v, v = -s.x} end, {x = t64{1}, v = t64{0}},
    tide.tensor{0, 1, 2}, {rtol = 1e-9})
  shape_is(state.x, 3, 1)
  near(state.x[3][1], math.cos(2), 1e-6)
  near(state.v[3][1], -math.sin(2), 1e-6)
  near(tide.odeint(decay, t64{1}, {1, 0.5, 0}, {rtol = 1e-9})[3][1], math.exp(1), 1e-6)          -- decreasing
  equal(tide.odeint(decay, tide.ones{2}, {0, 1}):dtype(), "float32")
  -- t takes part in arithmetic
  for _, eager in ipairs{false, true} do
    local y = tide.odeint(function(t, y) return y * 0 + (t * t + 2 / (1 + t) - t) + tide.cos(t) end, t64{0},
      {0, 1},
      {rtol = 1e-10, atol = 1e-10, eager = eager})
    near(y[2][1], 1 / 3 + 2 * math.log(2) - 0.5 + math.sin(1), 1e-8)
  end
end

tests["odeint: intermediate times do not change adaptive steps"] = function()
  local times = {}
  for i = 0, 50 do times[i + 1] = 3 * i / 50 end
  for _, method in ipairs{"dopri5", "tsit5", "bosh3", "heun_euler", "fehlberg21"} do
    local a, s = tide.odeint(decay, t64{1}, {0, 3}, {method = method})
    local b, r = tide.odeint(decay, t64{1}, times, {method = method})
    equal(a[2][1], b[51][1])
    equal(s.nfe, r.nfe)
    equal(s.steps, r.steps)
  end
end

tests["odeint: methods"] = function()
  local listed = {}
  for _, m in ipairs(tide.ode.methods()) do listed[m.name] = m end
  local orders = {euler = 1, midpoint = 2, heun = 2, rk4 = 4, rk4_38 = 4, bosh3 = 3, fehlberg21 = 2,
    heun_euler = 2, dopri5 = 5,
                  dopri5_shampine = 5, tsit5 = 5, dopri8 = 8}
  for name, order in pairs(orders) do
    local m = listed[name]
    equal(m.order, order)
    assert(math.type(m.stages) == "integer" and (m.kind == "fixed" or m.kind == "adaptive"))
    local _, stats = tide.odeint(decay, t64{1}, {0, 1}, {method = name, steps = 7})
    equal(stats.steps, 7)
  end
  local function one(method, f) return tide.odeint(f, t64{0}, {0, 1}, {method = method, steps = 1})[2][1] end
  local function quartic(t, y) return y * 0 + t ^ 4 end
  near(one("rk4", quartic), (4 / 16 + 1) / 6)
  near(one("rk4_38", quartic), (3 / 81 + 3 * 16 / 81 + 1) / 8)
  local heun = {A = {{}, {1}}, b = {0.5, 0.5}, c = {0, 1}, b_error = {-0.5, 0.5}, order = 2}
  local a, s = tide.odeint(decay, t64{1}, {0, 1}, {method = heun})
  local b, r = tide.odeint(decay, t64{1}, {0, 1}, {method = "heun_euler"})
  near(a[2][1], b[2][1])
  equal(s.nfe, r.nfe)
end

tests["odeint: fixed steps"] = function()
  local function grow(_, y) return y end
  local ys, stats = tide.odeint(grow, t64{1}, {0, 0.5, 1}, {method = "euler", step_size = 0.4})
  near(ys[3][1], 1.4 * 1.4 * 1.2)
  equal(stats.steps, 3)
  near(tide.odeint(grow, t64{1}, {1, 0}, {method = "euler", step_size = 0.4})[2][1], 0.6 * 0.6 * 0.8)
  near(tide.odeint(grow, t64{1}, {0, 2}, {method = "euler", steps = 4})[2][1], 1.5 ^ 4)
end

tests["odeint: adaptive options and their defaults"] = function()
  local function field(_, y) return tide.stack{y[2], 5 * (1 - y[1] * y[1]) * y[2] - y[1]} end
  local function steps(opts) return select(2, tide.odeint(field, t64{2, 0}, {0, 10}, opts)) end
  local default = steps()
  for name, value in pairs{method = "dopri5", rtol = 1e-3, atol = 1e-6, max_steps = 100000, safety = 0.9,
    min_factor = 0.2, max_factor = 10,
                           norm = "part", gradient = "direct"} do equal(steps({[name] = value}).nfe,
                           default.nfe) end
  assert(steps{rtol = 1e-6}.steps > default.steps)
  assert(steps{atol = 1e-1}.steps < default.steps)
  assert(steps{safety = 0.5}.steps > default.steps)
  assert(steps{max_factor = 1.2}.steps > default.steps)
  assert(steps{min_factor = 0.9}.rejected > default.rejected)
  local first = steps{first_step = 1e-4}
  equal(first.nfe, 1 + 6 * first.steps)
  equal(steps{max_steps = default.steps}.steps, default.steps)
  fails({"max_steps", "t = ", "h = ", "after 10 steps", "raise"}, steps, {max_steps = 10})
  local far = t64{{1e-3, 0}, {2, 0}}
  local function batch(opts)
    return select(2, tide.odeint(function(_, y) return -y * y * y end, far, {0, 1}, opts))
  end
  assert(batch{norm = "sample"}.steps >= batch{norm = "batch"}.steps)
end

tests["odeint: starting step"] = function()
  local seen
  local h = tide.ode.initial_step(function(t, y)
    seen = math.type(t) == "float" and type(y[1]) == "number"
    return -2 * y + t
  end, 1, t64{0.3}, 4, 1e-6, 1e-8)
  assert(seen, "f must run on concrete tensors")
  local scale = 1e-8 + 1e-6 * 0.3
  local f0 = -2 * 0.3 + 1
  local h0 = 0.01 * (0.3 / scale) / (f0 / scale)
  local f1 = -2 * (0.3 + h0 * f0) + 1 + h0
  local d2 = math.abs(f1 - f0) / scale / h0
  near(h, math.min(100 * h0, (0.01 / math.max(f0 / scale, d2)) ^ 0.2), 1e-15)
end

tests["odeint: eager and plain"] = function()
  local calls = 0
  local function eager(t, y)
    calls = calls + 1
    if y[1] > 0 and t >= 0 then return tide.stack{y[2], -y[1]} end
    return tide.stack{y[2], -y[1]}
  end
  local ys, stats = tide.odeint(eager, t64{1, 0}, {0, 1, 2}, {eager = true, rtol = 1e-8})
  equal(stats.nfe, calls)
  near(ys[3][1], math.cos(2), 1e-6)
  tide.odeint(eager, tide.tensor{1, 0}, {0, 1}, {eager = true})
  calls = 0
  ys, stats = tide.odeint(function(t, y)
    calls = calls + 1
    assert(math.type(t) == "float" and type(y) == "table")
    return {y[2], -y[1]}
  end, {1, 0}, {0, 1, 2}, {plain = true, rtol = 1e-8})
  equal(stats.nfe, calls)
  shape_is(ys, 3, 2)
  near(ys[3][1], math.cos(2), 1e-6)
end

tests["odeint: gradients"] = function()
  local p = {k = t64(0.7), y0 = t64{1, 2}}
  for _, kind in ipairs{"direct", "adjoint", "checkpoint", "interpolated"} do
    local stats
    local function loss(q)
      local ys
      ys, stats = tide.odeint(function(t, y) return -q.k * y * t end, q.y0, {0, 1, 2},
        {rtol = 1e-10, atol = 1e-10, gradient = kind})
      return ys:sum()
    end
    local g = tide.grad(loss)(p)
    local e1, e2 = math.exp(-0.35), math.exp(-1.4)
    near(g.k:item(), 3 * (-0.5 * e1 - 2 * e2), 1e-7)
    near(g.y0[2], 1 + e1 + e2, 1e-7)
    assert(stats.nfe > 0 and stats.nfe_backward > 0, kind)
    near(tide.compile(tide.grad(loss))(p).k:item(), g.k:item(), 1e-12)
  end
  local function last(q)
    return tide.odeint(function(_, y) return -q * y end, t64{1}, {0, 1},
      {rtol = 1e-10, atol = 1e-10})[2]:sum()
  end
  near(tide.grad(tide.grad(last))(t64(1)):item(), math.exp(-1), 1e-7)
end

tests["odeint: statistics of a compiled solve belong to one call"] = function()
  local solve = tide.compile(function(k)
    return tide.odeint(function(_, y) return -k * y end, t64{1}, {0, 1})
  end)
  local _, calm = solve(t64(1))
  local nfe = calm.nfe
  local _, stiff = solve(t64(100))
  assert(stiff.nfe > nfe)
  equal(calm.nfe, nfe)
  local fields = 0
  for _ in pairs(stiff) do fields = fields + 1 end
  assert(fields >= 5, "pairs must see the fields")
end

tests["odeint: failures name t, h, the steps and a remedy"] = function()
  fails({"underflow", "t = ", "h = ", "steps", "loosen"}, tide.odeint, function(_, y) return y * y end,
    t64{1}, {0, 2})
  fails({"NaN or Inf in f", "t = 0", "h = ", "steps", "check"}, tide.odeint, function(_, y) return y / 0 end,
    t64{1}, {0, 2})
  fails({"NaN or Inf in y", "t = ", "h = ", "steps"}, tide.odeint, function(_, y) return y * 1e200 end,
    t64{1}, {0, 1},
    {method = "euler", steps = 4})
  fails({"strictly"}, tide.odeint, decay, t64{1}, {0, 1, 0.5})
  fails({"two or more"}, tide.odeint, decay, t64{1}, {0})
  fails({"rtol", "-1"}, tide.odeint, decay, t64{1}, {0, 1}, {rtol = -1})
  fails({"did you mean", "dopri5"}, tide.odeint, decay, t64{1}, {0, 1}, {method = "Dopri5"})
  fails({"did you mean", "rtol"}, tide.odeint, decay, t64{1}, {0, 1}, {rtl = 1})
end

-- ---- models ----

tests["models: layers"] = function()
  local x = tide.ones{4, 2}
  shape_is(nn.linear(2, 3)(x), 4, 3)
  shape_is(nn.conv1d(2, 5, 3, {padding = 1, stride = 2})(tide.ones{1, 2, 8}), 1, 5, 4)
  shape_is(nn.conv2d(2, 4, 3, {padding = 1, groups = 2})(tide.ones{1, 2, 8, 8}), 1, 4, 8, 8)
  local field = nn.mlp{sizes = {2, 32, 32, 2}, act = "relu", time = true}
  shape_is(field(0.5, x), 4, 2)
  shape_is(field(0.5, tide.ones{2}), 2)
  shape_is(tide.odeint(field, tide.ones{2}, {0, 1}), 2, 2)
  equal(nn.count(field), 3 * 32 + 32 + 32 * 32 + 32 + 32 * 2 + 2)
  shape_is(nn.chain{nn.linear(2, 3), "relu", nn.linear(3, 1)}(x), 4, 1)
  shape_is(nn.chain{nn.conv2d(1, 2, 3), "tanh", nn.flatten(), nn.linear(2 * 16, 3)}(tide.ones{5, 1, 6, 6}), 5,
    3)
  holds(nn.augment(2)(tide.ones{1, 2}), {1, 1, 0, 0})
  shape_is(nn.augment(2)(tide.ones{3, 1, 4, 4}), 3, 3, 4, 4)
  near(nn.odeblock(decay, {method = "rk4", steps = 20})(t64{{1}})[1][1], math.exp(-1), 1e-6)
end

tests["models: initialisation"] = function()
  local default = nn.linear(100, 400)
  near(default.weight:abs():max():item(), 0.1, 1e-3)
  near(default.weight:square():mean():item(), 0.01 / 3, 2e-4)
  assert(default.bias:abs():max():item() > 0)
  local deviation = {kaiming = math.sqrt(2 / 100), xavier = math.sqrt(2 / 500)}
  for _, init in ipairs{"kaiming", "xavier", "normal", "orthogonal"} do
    local layer = nn.linear(100, 400, {init = init, dtype = "float64"})
    equal(layer.bias:abs():max():item(), 0)
    if deviation[init] then near(layer.weight:square():mean():sqrt():item(), deviation[init], 2e-3) end
    if init == "orthogonal" then
      near((layer.weight:transpose(1, 2):matmul(layer.weight) - tide.eye(100, F64)):abs():max():item(), 0)
    end
    nn.mlp{sizes = {2, 3}, init = init}
    nn.conv2d(2, 3, 3, {init = init})
  end
end

tests["models: nets, counts and solver options of one call"] = function()
  local solver = {method = "rk4", steps = 4}
  local model = nn.odenet{dim = 2, hidden = 8, augment = 3, out = 2, time = true, act = "tanh",
    solver = solver}
  local x = tide.ones{5, 2}
  shape_is(model(x), 5, 2)
  equal(evaluations(model, x), 16)
  equal(evaluations(model, x, {solver = {method = "euler", steps = 3}}), 3)
  equal(evaluations(model, x), 16)
  equal(evaluations(nn.chain{nn.augment(1), nn.odeblock(nn.mlp{sizes = {3, 3}}, solver)}, x,
    {solver = {steps = 2}}), 8)
  shape_is(nn.conv_odenet{image = {1, 8, 8}, filters = 4, augment = 1, classes = 3, time = true, act = "relu",
    solver = solver}(
    tide.ones{2, 1, 8, 8}), 2, 3)
  shape_is(nn.resnet{dim = 2, hidden = 8, layers = 3, out = 4}(x), 5, 4)
  for _, c in ipairs{{1, 28, 92, 0, 84395}, {1, 28, 64, 5, 84816}, {3, 32, 125, 0, 172358},
    {3, 32, 64, 10, 171799},
                     {3, 64, 164, 0, 366269}, {3, 64, 64, 5, 365714}} do
    equal(nn.count(nn.conv_odenet{image = {c[1], c[2], c[2]}, filters = c[3], augment = c[4], time = false}),
      c[5])
  end
end

-- ---- optimisers, training, data ----

tests["optimisers: PyTorch's first step, defaults, state through a file"] = function()
  local first = {sgd = 0.1, adam = 1e-3 / (1 + 1e-8), adamw = 1e-3 / (1 + 1e-8) + 1e-5, rmsprop = 1e-2
    / (0.1 + 1e-8)}
  for kind, change in pairs(first) do
    local opts = kind == "sgd" and {lr = 0.1} or nil
    local model = {w = t64{1, 1}}
    local opt = optim[kind](model, opts)
    opt:step{w = t64{1, -1}}
    near(model.w[1], 1 - change)
  end
  check.in_folder(function(folder)
    for kind in pairs(first) do
      local function run(parts)
        local model = {w = t64{1, 2}}
        local opts = kind == "sgd" and {lr = 0.01, momentum = 0.9} or {lr = 0.01, weight_decay = 0.1}
        local opt = optim[kind](model, opts)
        for i = 1, 6 do
          if parts and i == 4 then
            tide.save(folder .. "/state.safetensors", opt:state())
            tide.save(folder .. "/model.npz", model)
            model = tide.load(folder .. "/model.npz")
            opt = optim[kind](model, opts)
            opt:load_state(tide.load(folder .. "/state.safetensors"))
          end
          opt:step(tide.grad(function(m) return (m.w ^ 4):sum() end)(model))
        end
        return model.w:totable()
      end
      holds(t64(run(true)), run(false), 0)
    end
  end)
end

tests["training: history, epochs, iterations, seed"] = function()
  local set = data.spheres{dim = 2, inner = 40, outer = 60, seed = 2}
  local function train(opts)
    local model = nn.odenet{dim = 2, augment = 1, hidden = 8, seed = 1}
    opts.model, opts.data, opts.optimizer, opts.quiet = model, set, optim.adam(model, {lr = 1e-2}), true
    return tide.train(opts)
  end
  local history = train{loss = "smooth_l1", batch = 32, epochs = 3, seed = 4}
  equal(#history, 3)
  for _, record in ipairs(history) do
    for _, key in ipairs{"loss", "accuracy", "nfe_forward", "nfe_backward"} do
      equal(math.type(record[key]), "float")
    end
    assert(record.nfe_forward >= 8 and record.nfe_backward > 0)
  end
  assert(history[3].loss < history[1].loss)
  equal(train{loss = tide.smooth_l1, batch = 32, epochs = 3, seed = 4}[3].loss, history[3].loss)
  equal(train{loss = "mse", batch = 32, iterations = 5}[5].iteration, 5)
end

tests["training: one line per epoch without a terminal"] = function()
  local out, status = interpreter([[-e '
    local tide = require "tide"
    local m = tide.nn.linear(2, 1)
    tide.train{model = m, data = tide.data.spheres{inner = 100, outer = 200},
      optimizer = tide.optim.adam(m), loss = "mse", epochs = 4}']],
    "TIDE_QUIET=")
  equal(status, "0")
  equal(select(2, out:gsub("\n", "")), 4)
end

tests["data: generators"] = function()
  local s = data.spheres{dim = 3, inner = 50, outer = 70, r1 = 0.3, r2 = 0.6, r3 = 0.9, seed = 2}
  shape_is(s.x, 120, 3)
  shape_is(s.y, 120, 1)
  for i, r in ipairs(s.x:square():sum(2):sqrt():totable()) do
    local label = s.y[i][1]
    assert(label == -1 and r <= 0.3 + 1e-6 or label == 1 and r >= 0.6 - 1e-6 and r <= 0.9 + 1e-6)
  end
  equal(s.y:lt(0):sum():item(), 50)
  for name, opts in pairs{spheres = {dim = 1}, flip1d = {n = 10}, sines = {n = 20}} do
    opts.seed = 3
    local a, b = data[name](opts), data[name](opts)
    equal(a.x:dtype(), "float32")
    equal((a.x - b.x):abs():max():item(), 0)
    holds(a.y:abs():max(), {1})
  end
  local flip = data.flip1d{n = 10}
  shape_is(flip.x, 10, 1)
  equal((flip.x + flip.y):abs():max():item(), 0)
  fails({"mnist", "TIDE_DATA"}, data.mnist, {split = "test", dir = "/nonexistent"})
end

tests["memory: garbage does not pile up"] = function()
  local most = 0
  for _ = 1, 4000 do
    local _ = tide.zeros{524288}
    most = math.max(most, tide.memory().live_bytes)
  end
  assert(most < 400e6, most)
end

return tests
