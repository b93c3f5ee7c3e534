-- The contract's section "Tensors": every call, its forms, dtypes, views, memory, randomness, threads.
local tide = require "tide"
local core = tide.core

local F64, I64, U8 = {dtype = "float64"}, {dtype = "int64"}, {dtype = "uint8"}

local function same(a, b, path)
  path = path or "value"
  if type(b) ~= "table" then
    assert(a == b or (a ~= a and b ~= b), ("%s: %s, expected %s"):format(path, tostring(a), tostring(b)))
    return
  end
  assert(type(a) == "table" and #a == #b, path .. ": another length")
  for i = 1, #b do same(a[i], b[i], path .. "[" .. i .. "]") end
end

-- x has the values of a nested table (or the number) and optionally a dtype.
local function equals(x, values, dtype)
  same(x:totable(), values)
  if dtype then assert(x:dtype() == dtype, "dtype " .. x:dtype() .. ", expected " .. dtype) end
end
local function near(x, values, tolerance)
  local want = tide.tensor(values, F64)
  same(x:shape(), want:shape())
  local err = (x:to("float64") - want):abs():reshape{-1}
  for i = 1, #err do assert(err[i] <= (tolerance or 1e-6), ("element %d is off by %g"):format(i, err[i])) end
end

local tests = {}

tests["creation"] = function()
  equals(tide.tensor{{1, 2}, {3, 4}}, {{1, 2}, {3, 4}}, "float32")
  equals(tide.tensor(3), 3, "float32")
  equals(tide.tensor({true, false}, U8), {1, 0}, "uint8")
  equals(tide.tensor({1 << 62, -5}, I64), {1 << 62, -5}, "int64")
  same(tide.tensor{{}, {}}:shape(), {2, 0})
  same(tide.tensor{}:shape(), {0})
  same(tide.tensor(3):shape(), {})
  local x = tide.tensor{1, 2}
  local y = tide.tensor(x)
  y[1] = 7
  equals(x, {1, 2})
  equals(tide.tensor(x, F64), {1, 2}, "float64")
  equals(tide.zeros{2, 1}, {{0}, {0}}, "float32")
  equals(tide.ones({2}, F64), {1, 1}, "float64")
  equals(tide.full({2}, 2.5), {2.5, 2.5})
  equals(tide.full({}, 7, I64), 7, "int64")
  equals(tide.arange(1, 5), {1, 2, 3, 4, 5})
  equals(tide.arange(5, 1, -2), {5, 3, 1})
  equals(tide.arange(1, 3, I64), {1, 2, 3}, "int64")
  equals(tide.arange(3, 1), {})
  assert(#tide.arange(0, 1, 0.1) == 11)
  near(tide.linspace(0, 1, 5, F64), {0, 0.25, 0.5, 0.75, 1}, 0)
  equals(tide.linspace(3, 9, 1), {3})
  assert(tide.linspace(0, 1, 0, F64):numel() == 0 and tide.linspace(0, 1, 0, F64):dtype() == "float64")
  equals(tide.eye(2), {{1, 0}, {0, 1}}, "float32")
  equals(tide.eye(1, I64), {{1}}, "int64")
  same(tide.zeros{0, 3}:shape(), {0, 3})
  equals(tide.zeros_like(tide.ones({2}, I64)), {0, 0}, "int64")
end

tests["random numbers follow their seed"] = function()
  local a, b = tide.randn({1000}, {seed = 5}), tide.randn({1000}, {seed = 5})
  same(a:totable(), b:totable())
  tide.seed(9)
  local u, v = tide.rand{3}, tide.rand{3}
  tide.seed(9)
  same(tide.rand{3}:totable(), u:totable())
  same(tide.rand{3}:totable(), v:totable())
  assert(u[1] ~= v[1])
  local r = tide.rand({10000}, {dtype = "float64", seed = 1})
  assert(r:min():item() >= 0 and r:max():item() < 1 and math.abs(r:mean():item() - 0.5) < 0.02)
  local p = tide.randperm(50, {seed = 2})
  assert(p:dtype() == "int64" and p:sum():item() == 1275 and p:min():item() == 1)
  same(tide.rand{0}:shape(), {0})
end

tests["reading"] = function()
  local x = tide.tensor{{1, 2, 3}, {4, 5, 6}}
  same(x:shape(), {2, 3})
  assert(x:dtype() == "float32" and x:numel() == 6 and #x == 2 and x:rank() == 2)
  assert(tide.tensor(4):item() == 4 and tide.tensor{{5}}:item() == 5)
  assert(math.type(tide.tensor({5}, I64):item()) == "integer" and math.type(tide.tensor{5}[1]) == "float")
  assert(x:to("float32") == x)
  equals(x:to("int64"), {{1, 2, 3}, {4, 5, 6}}, "int64")
  local y = x:clone()
  y[1] = 0
  equals(x, {{1, 2, 3}, {4, 5, 6}})
end

tests["elements and views"] = function()
  local x = tide.arange(1, 24):reshape{2, 3, 4}
  same(x[2]:shape(), {3, 4})
  assert(x[2][3][4] == 24 and x[-1][-1][-1] == 24 and x[1][1][1] == 1)
  x[1][2][3] = 100 -- views share memory
  assert(x:reshape{24}[7] == 100 and x:transpose(1, 3)[3][2][1] == 100)
  x[1] = 5
  equals(x[1], {{5, 5, 5, 5}, {5, 5, 5, 5}, {5, 5, 5, 5}})
  x[2] = tide.tensor{1, 2, 3, 4}
  equals(x[2], {{1, 2, 3, 4}, {1, 2, 3, 4}, {1, 2, 3, 4}})
  local back = tide.arange(1, 5):slice(1, -1, 1, -1)
  equals(back, {5, 4, 3, 2, 1})
  back[1] = 50
  equals(back:slice(1, 2, 4), {4, 3, 2})
  equals(back:slice(1, 4, 2, -1), {2, 3, 4})
  equals(back:slice(1, 1, 5, 2), {50, 3, 1})
  equals(back:slice(1, 3, 2), {})
  equals(back:slice(1), {50, 4, 3, 2, 1})
  local i = tide.tensor({1, 2}, I64)
  i[1] = (1 << 53) + 1
  assert(i[1] == (1 << 53) + 1)
  i[2] = tide.tensor(7.9)
  assert(i[2] == 7)
  -- assignment from the same memory
  local m = tide.tensor{{1, 2}, {3, 4}}
  m[1] = m:transpose()[1]
  equals(m, {{1, 3}, {3, 4}})
  local r = tide.tensor{{1, 2, 3}}
  r[1] = r[1]:slice(1, -1, 1, -1)
  equals(r, {{3, 2, 1}})
  local big = tide.tensor({{1, 2}, {(1 << 53) + 1, 0}}, I64)
  big[1] = big[2]
  assert(big[1][1] == (1 << 53) + 1)
end

tests["shapes"] = function()
  local x = tide.arange(1, 6):reshape{2, 3}
  equals(x:transpose(1, 2), {{1, 4}, {2, 5}, {3, 6}})
  equals(x:transpose(-1, 1), {{1, 4}, {2, 5}, {3, 6}})
  equals(x:transpose():reshape{6}, {1, 4, 2, 5, 3, 6})
  equals(x:slice(1, -1, 1, -1):reshape{3, 2}, {{4, 5}, {6, 1}, {2, 3}})
  equals(x:slice(2, 1, 3, 2):reshape{-1}, {1, 3, 4, 6})
  equals(x:reshape{3, -1}, {{1, 2}, {3, 4}, {5, 6}})
  equals(x:permute{2, 1}:clone(), {{1, 4}, {2, 5}, {3, 6}})
  equals(tide.cat({x, x}, 1), {{1, 2, 3}, {4, 5, 6}, {1, 2, 3}, {4, 5, 6}})
  equals(tide.cat({x, x:slice(2, 1, 1)}, -1), {{1, 2, 3, 1}, {4, 5, 6, 4}})
  equals(tide.cat{tide.tensor{1}, tide.tensor({2}, F64)}, {1, 2}, "float64")
  equals(tide.stack({x[1], x[2]}, 2), {{1, 4}, {2, 5}, {3, 6}})
  equals(tide.stack{tide.tensor(1), tide.tensor(2)}, {1, 2})
  equals(x:take({2, 1, 2}), {{4, 5, 6}, {1, 2, 3}, {4, 5, 6}})
  equals(tide.take(x, tide.tensor({3}, I64), 2), {{3}, {6}})
  equals(x:flatten(), {1, 2, 3, 4, 5, 6})
  equals(tide.zeros{0, 3}:transpose():reshape{0}, {})
end

tests["arithmetic and broadcasting"] = function()
  local x, y = tide.tensor{{1, 2}, {3, 4}}, tide.tensor{10, 20}
  equals(x + y, {{11, 22}, {13, 24}})
  equals(y - x, {{9, 18}, {7, 16}})
  equals(x * y:reshape{2, 1}, {{10, 20}, {60, 80}})
  equals(2 / tide.tensor{1, 2, 4}, {2, 1, 0.5})
  equals(x / 2, {{0.5, 1}, {1.5, 2}})
  equals(-x, {{-1, -2}, {-3, -4}})
  equals(x ^ 2, {{1, 4}, {9, 16}})
  near(x ^ 0.5, {{1, 2 ^ 0.5}, {3 ^ 0.5, 2}})
  near(2 ^ x, {{2, 4}, {8, 16}})
  equals(tide.zeros{0, 2} + y, {})
  same((tide.zeros{0, 1} + tide.ones{1, 3}):shape(), {0, 3})
  equals(tide.tensor(2) * tide.tensor(3), 6)
  equals(x:transpose() - x, {{0, 1}, {-1, 0}})
  equals(x:matmul(x), {{7, 10}, {15, 22}})
  equals(x:matmul(y), {50, 110})
  equals(y:matmul(x), {70, 100})
  assert(y:matmul(y):item() == 500)
  equals(tide.matmul(x:transpose(), x), {{10, 14}, {14, 20}})
end

tests["dtypes"] = function()
  local f, d, i, u = tide.ones{2}, tide.ones({2}, F64), tide.ones({2}, I64), tide.ones({2}, U8)
  local promote = {{f, f, "float32"}, {f, d, "float64"}, {f, i, "float32"}, {d, i, "float64"},
    {f, u, "float32"}, {i, u, "int64"}, {u, u, "uint8"}}
  for _, case in ipairs(promote) do
    assert((case[1] + case[2]):dtype() == case[3] and (case[2] * case[1]):dtype() == case[3])
    assert(tide.where(u, case[1], case[2]):dtype() == case[3])
    assert(tide.cat{case[1], case[2]}:dtype() == case[3])
    assert(case[1]:gt(case[2]):dtype() == "uint8")
  end
  assert((f + 1.5):dtype() == "float32" and (i + 1):dtype() == "int64" and (u * 2):dtype() == "uint8"
    and (d / 3):dtype() == "float64")
  assert((i / i):dtype() == "float32" and i:exp():dtype() == "float32" and i:mean():dtype() == "float32")
  assert((i:reshape{1, 2}:matmul(d:reshape{2, 1})):dtype() == "float64")
  assert(u:sum():dtype() == "int64" and tide.ones{1000}:gt(0):sum():item() == 1000)
  assert(i:argmax():dtype() == "int64")
  local big = tide.tensor({(1 << 53) + 1, 3}, I64)
  assert(big:max():item() == (1 << 53) + 1 and big:sum():item() == (1 << 53) + 4)
  equals(tide.tensor{300, -3, 0.5}:to("uint8"), {255, 0, 0})
  assert(tide.tensor{0 / 0}:to("int64")[1] == 0)
end

tests["reductions"] = function()
  local x = tide.tensor{{1, 5, 3}, {4, 2, 6}}
  assert(x:sum():item() == 21 and tide.sum(x):item() == 21)
  equals(x:sum(1), {5, 7, 9})
  equals(x:sum(-1), {9, 12})
  equals(x:sum(2, true), {{9}, {12}})
  equals(x:mean(1), {2.5, 3.5, 4.5})
  equals(x:max(2), {5, 6})
  equals(x:min(1, true), {{1, 2, 3}})
  equals(x:argmax(2), {2, 3})
  equals(x:argmin(1), {1, 2, 1})
  assert(x:argmax():item() == 6)
  equals(x:transpose():argmax(1, true), {{2, 3}})
  assert(tide.zeros{0}:sum():item() == 0)
  equals(tide.zeros{0, 2}:sum(1), {0, 0})
  local m = tide.zeros{0}:mean():item()
  assert(m ~= m)
  assert(tide.tensor(3):sum():item() == 3 and tide.tensor(3):max():item() == 3)
  for n = 1, 200 do assert(tide.ones({n}, F64):mean():item() == 1) end
  local nan = tide.tensor{1, 0 / 0, 3}
  assert(nan:max():item() ~= nan:max():item() and nan:argmax():item() == 2)
  equals(tide.broadcast_to(tide.tensor{1, 2}, {3, 2}):sum(1), {3, 6})
end

tests["functions of elements"] = function()
  local values = {-2, -0.5, 0, 0.5, 3}
  local x = tide.tensor(values, F64)
  local want = {
    exp = math.exp, sin = math.sin, cos = math.cos, abs = math.abs, square = function(v) return v * v end,
    tanh = function(v) return (math.exp(2 * v) - 1) / (math.exp(2 * v) + 1) end,
    sigmoid = function(v) return 1 / (1 + math.exp(-v)) end,
    relu = function(v) return math.max(v, 0) end, softplus = function(v) return math.log(1 + math.exp(v)) end,
  }
  for name, f in pairs(want) do
    local expected = {}
    for i, v in ipairs(values) do expected[i] = f(v) end
    near(x[name](x), expected, 1e-14)
    near(tide[name](x), expected, 1e-14)
  end
  near(tide.tensor({1, 4}, F64):sqrt(), {1, 2}, 0)
  near(tide.log(tide.tensor({1, 2}, F64)), {0, math.log(2)}, 1e-15)
  equals(tide.where(x:gt(0), x, -1), {-1, -1, -1, 0.5, 3})
  equals(x:gt(0):where(x, -1), {-1, -1, -1, 0.5, 3})
  equals(tide.where(x:ge(0), 1, 0), {0, 0, 1, 1, 1}, "float32")
  equals(x:eq(0) + x:lt(0) + x:le(-3), {1, 1, 1, 0, 0}, "uint8")
  equals(tide.ne(x, 0.5), {1, 1, 1, 0, 1})
  equals(x:maximum(0), {0, 0, 0, 0.5, 3})
  equals(x:clamp(-1, 1), {-1, -0.5, 0, 0.5, 1})
end

tests["softmax and losses"] = function()
  local x = tide.tensor({{1000, -1000, 0}, {1, 2, 3}}, F64)
  near(x:softmax(2):sum(2), {1, 1}, 1e-15)
  near(x:softmax(2)[1], {1, 0, 0}, 0)
  near(x:log_softmax(-1)[1], {0, -2000, -1000}, 0)
  near(x:logsumexp(2), {1000, 3 + math.log(1 + math.exp(-1) + math.exp(-2))}, 1e-13)
  assert(tide.tensor({-math.huge, -math.huge}, F64):logsumexp():item() == -math.huge)
  assert(tide.tensor({math.huge, 1}, F64):logsumexp():item() == math.huge)
  local labels = tide.tensor({1, 3}, I64)
  local loss = tide.cross_entropy(x, labels):item()
  assert(math.abs(loss - 0.5 * math.log(1 + math.exp(-1) + math.exp(-2))) < 1e-14)
  assert(tide.cross_entropy(tide.tensor({{0, -math.huge}}, F64), tide.tensor({1}, I64)):item() == 0)
  local worst = tide.grad(tide.cross_entropy)(x * 1, labels)
  assert(worst:sum():item() == worst:sum():item())
  assert(tide.mse(tide.tensor{1, 3}, tide.tensor{0, 1}):item() == 2.5)
  near(tide.smooth_l1(tide.tensor({0.5, 3}, F64), tide.tensor({0, 0}, F64)), (0.125 + 2.5) / 2, 1e-15)
  local logits, coins = tide.tensor({0, 2, -3, 800, -800}, F64), tide.tensor({1, 0, 1, 1, 0}, I64)
  local terms = {math.log(2), 2 + math.log(1 + math.exp(-2)), 3 + math.log(1 + math.exp(-3)), 0, 0}
  near(tide.binary_cross_entropy(logits, coins), (terms[1] + terms[2] + terms[3]) / 5, 1e-15)
  near(tide.grad(tide.binary_cross_entropy)(logits, coins), ((logits:sigmoid() - coins) / 5):totable(), 1e-16)
  local rare = tide.binary_cross_entropy(tide.tensor({50}, F64), tide.tensor({1}, I64)):item()
  assert(math.abs(rare / math.exp(-50) - 1) < 1e-14) -- nothing cancels
  assert(not pcall(tide.binary_cross_entropy, logits, tide.ones{2}))
  local images = tide.randn({2, 3, 2}, F64)
  local pixel = tide.cross_entropy(images, tide.tensor({{1, 2}, {3, 1}}, I64)):item()
  assert(pixel > 0 and pixel == pixel)
end

tests["convolution"] = function()
  local x = tide.arange(1, 5):reshape{1, 1, 5}
  local w = tide.tensor{{{1, 0, -1}}}
  equals(tide.conv1d(x, w), {{{-2, -2, -2}}})
  equals(tide.conv1d(x, w, tide.tensor{10}, {padding = 1, stride = 2}), {{{8, 8, 14}}})
  equals(tide.conv1d(x, w, nil, {dilation = 2}), {{{-4}}})
  equals(tide.conv1d(x, w, nil, {padding = 4, stride = {3}}), {{{0, -2, -2, 0}}})
  same(tide.conv2d(tide.zeros{2, 4, 7, 9}, tide.zeros{6, 2, 3, 2}, nil,
    {groups = 2, stride = {2, 3}, padding = {1, 0}, dilation = {1, 2}}):shape(),
    {2, 6, 4, 3})
  equals(tide.conv2d(tide.ones{1, 1, 2, 2}, tide.ones{1, 1, 2, 2}), {{{{4}}}})
  same(tide.conv2d(tide.ones{0, 2, 4, 4}, tide.ones{3, 2, 3, 3}):shape(), {0, 3, 2, 2})
  local g = tide.grad(function(p) return tide.conv2d(tide.ones{0, 2, 4, 4}, p):sum() end)(
    tide.ones{3, 2, 3, 3})
  assert(g:abs():sum():item() == 0)
end

tests["printing"] = function()
  local text = tostring(tide.tensor{{1, -2.5}, {100, 0}})
  assert(text:find("float32 {2, 2}", 1, true) and text:find("-2.5", 1, true))
  local lines = {}
  for line in text:gmatch("[^\n]+") do lines[#lines + 1] = line end
  assert(#lines == 3 and #lines[2] == #lines[3], text)
  assert(#tostring(tide.zeros{1000, 1000, 10}) < 4000)
  assert(tostring(tide.zeros{1000}):find("...", 1, true))
  assert(tostring(tide.zeros{0, 2}):find("empty"))
  assert(tostring(tide.tensor(2)):find("2.0000"))
  assert(tostring(tide.tensor({5}, I64)):find("int64 {1}", 1, true))
  assert(tostring(tide.tensor{0 / 0, math.huge, 1e-9}):find("nan"))
  local x <close> = tide.ones{2}
  x:close()
  assert(tostring(x) == "tensor (closed)")
  tide.grad(function(q) assert(tostring(q):find("symbolic")) return q:sum() end)(tide.ones{2})
end

tests["same bits for any number of threads"] = function()
  local threads = core.threads()
  local x, w = tide.randn({33, 8, 12, 12}, {seed = 1}), tide.randn({8, 8, 3, 3}, {seed = 2})
  local a = tide.randn({500, 400}, {seed = 3})
  local function work(p)
    local y = tide.conv2d(x, p, nil, {padding = 1}):tanh()
    return (y:square()):mean() + (a:matmul(a:transpose())):sigmoid():sum() * 1e-3
      + (p * a:sum(1):mean()):sum()
  end
  local first
  for n = 1, 4 do
    core.threads(n)
    local v, g = tide.value_and_grad(work)(w)
    local bits = ("%a "):format(v:item()) .. ("%a"):format(g:square():sum():item())
      .. table.concat(g:reshape{-1}:totable(), ",")
    first = first or bits
    assert(bits == first, n .. " threads")
  end
  core.threads(threads)
end

-- ---- memory ----

local function blocks()
  collectgarbage()
  collectgarbage()
  return tide.memory().live_blocks
end

tests["dropped tensors do not pile up"] = function()
  collectgarbage()
  core.memory(true)
  local keep
  for i = 1, 4000 do keep = tide.full({500000}, i) end
  assert(keep[1] == 4000)
  assert(tide.memory().peak_bytes < 500e6, tide.memory().peak_bytes)
  local status = io.open("/proc/self/status")
  if status then
    local peak = tonumber(status:read("a"):match("VmHWM:%s*(%d+)"))
    status:close()
    assert(peak < 1500e3, peak)
  end
end

tests["nothing leaks, after errors neither"] = function()
  local function round()
    local x = tide.randn{4, 3}
    local g = tide.grad(function(p) return (p:matmul(p:transpose())):exp():sum() end)(x)
    tide.compile(function(p) return p:sin() end)(g)
    pcall(function() return x + tide.ones{7} end)
    pcall(tide.grad(function(p) return p:sum() + p:matmul(p) end), x)
    pcall(tide.grad(function() error{} end), x)
    pcall(tide.compile(function(p) return tide.grad(function(q) return (q * p):nonsense() end)(p) end), x)
    pcall(tide.tensor, {1, {2}})
    pcall(tide.take, x, {9})
    local co = coroutine.wrap(function()
      return tide.grad(function(p) coroutine.yield() return p:sum() end)(x)
    end)
    co()
  end
  round()
  local before = blocks()
  for _ = 1, 50 do round() end
  assert(blocks() == before, blocks() - before)
  assert(not core.is_recording())
end

tests["functions of numbers"] = function()
  local function is(got, want)
    assert(math.type(got) == "float" and (got == want or math.abs(got - want) < 1e-15 * math.abs(want)), got)
  end
  is(tide.exp(0.5), math.exp(0.5))
  is(tide.log(2), math.log(2))
  is(tide.sqrt(2), math.sqrt(2))
  is(tide.sin(1), math.sin(1))
  is(tide.cos(1), math.cos(1))
  is(tide.tanh(0.5), (math.exp(1) - 1) / (math.exp(1) + 1))
  is(tide.sigmoid(0), 0.5)
  is(tide.softplus(0), math.log(2))
  is(tide.relu(-2), 0.0)
  is(tide.abs(-2), 2.0)
  is(tide.square(3), 9.0)
  is(tide.neg(3), -3.0)
  is(tide.reciprocal(4), 0.25)
  is(tide.sign(-7), -1.0)
  is(tide.exp(math.huge), math.huge)
  is(tide.add(1, 2), 3.0)
  is(tide.sub(1, 2), -1.0)
  is(tide.mul(3, 2), 6.0)
  is(tide.div(3, 2), 1.5)
  is(tide.pow(2, 10), 1024.0)
  is(tide.pow(2, 2), 4.0)
  is(tide.pow(2, 0.5), math.sqrt(2))
  is(tide.maximum(1, 2), 2.0)
  is(tide.minimum(1, 2), 1.0)
  is(tide.relu_grad(1, 5), 5.0)
  is(tide.tanh_grad(0.5, 4), 3.0)
  is(tide.sigmoid_grad(0.5, 4), 1.0)
  is(tide.clamp(5, 0, 1), 1.0)
  is(tide.clamp(-5, nil, 1), -5.0)
  assert(tide.log(-1) ~= tide.log(-1) and tide.maximum(0 / 0, 1) ~= 1)
end

tests["comparisons of numbers"] = function()
  for name, want in pairs{gt = {false, false, true}, ge = {false, true, true}, lt = {true, false, false},
    le = {true, true, false},
    eq = {false, true, false}, ne = {true, false, true}} do
    for i, x in ipairs{1, 2, 3} do assert(tide[name](x, 2) == want[i], name) end
    assert(tide[name](0 / 0, 1) == (name == "ne"))
    equals(tide[name](tide.tensor{1, 2, 3}, 2), {want[1] and 1 or 0, want[2] and 1 or 0, want[3] and 1 or 0},
      "uint8")
  end
end

tests["one tensor among numbers gives a tensor, also while a function is recorded"] = function()
  equals(tide.maximum(2, tide.tensor{1, 3}), {2, 3}, "float32")
  equals(tide.exp(tide.zeros({}, F64)), 1, "float64")
  equals(tide.grad(function(v) return (v * tide.exp(0)):sum() + tide.maximum(v, 2):sum() end)(
    tide.tensor{1, 3}), {1, 2})
end

tests["functions of numbers say what they want"] = function()
  local ok, message = pcall(tide.exp, "2")
  assert(not ok and message:find("exp: operand 1 must be a tensor, got string", 1, true), message)
  ok, message = pcall(tide.add, 1)
  assert(not ok and message:find("add: operand 2 must be a tensor or a number, got nil", 1, true), message)
  ok, message = pcall(tide.clamp, 1, tide.ones{2})
  assert(not ok and message:find("clamp: expected a tensor, got 1", 1, true), message)
end

-- Operations under failing allocations: every failure is a Lua error that says "memory", and nothing is lost.
local x3 = tide.randn({3, 3}, {seed = 4})
local operations = {
  creation = function()
    return tide.zeros{5}, tide.tensor{{1, 2}}, tide.randn{4}, tide.arange(1, 9), tide.eye(3),
      tide.linspace(0, 1, 4)
  end,
  arithmetic = function()
    return x3 + x3 * 2 - x3 / 3, x3 ^ 2, -x3, x3:matmul(x3), x3 + tide.ones({3}, F64)
  end,
  shapes = function()
    return x3:transpose():reshape{9}, x3:slice(1, 3, 1, -1):clone(), tide.cat{x3, x3}, tide.stack{x3, x3},
      x3:take({1, 3})
  end,
  reductions = function()
    return x3:sum(), x3:max(1), x3:argmax(2), x3:mean(2, true), x3:logsumexp(1), x3:softmax(1)
  end,
  selection = function()
    return tide.where(x3:gt(0), x3, 0), x3:clamp(0, 1), tide.one_hot(tide.tensor({1, 2}, I64), 3)
  end,
  convolution = function()
    return tide.conv2d(x3:reshape{1, 1, 3, 3}, tide.ones{2, 1, 2, 2}, tide.ones{2}, {padding = 1})
  end,
  planes = function()
    return tide.conv2d(tide.ones{2, 8, 8, 8}, tide.ones{8, 8, 3, 3}, nil, {padding = 1})
  end,
  indexing = function()
    local y = x3:clone()
    y[1] = y[2]
    y[2] = 5
    return y[3][1], tostring(y), y:totable()
  end,
  many = function()
    local list = {}
    for i = 1, 12 do list[i] = x3 end
    return tide.cat(list, 2)
  end,
  gradient = function()
    return tide.value_and_grad(function(p) return (p:matmul(p):sin() * x3):sum() end)(x3)
  end,
  second = function()
    return tide.grad(
      function(p) return tide.grad(function(q) return (q ^ 3 * p):sum() end)(x3):square():sum() end)(x3)
  end,
  vjp = function()
    local _, pullback = tide.vjp(function(p) return p:exp() end, x3)
    return pullback(x3), tide.jvp(function(p) return p:exp() end, x3, x3)
  end,
  compile = function()
    local f = tide.compile(function(p, q) return tide.cat({p, q, p}):tanh(), p:max(1) end)
    return f(x3, x3:transpose()), f(x3, x3)
  end,
  loss = function()
    return tide.cross_entropy(x3, tide.tensor({1, 2, 3}, I64)), tide.mse(x3, x3), tide.smooth_l1(x3, x3 + 2)
  end,
  strided = function()
    return x3:transpose():exp(), x3:transpose():matmul(x3:broadcast_to{2, 3, 3}), x3:permute{2, 1}:sum(1)
  end,
}
for name, operation in pairs(operations) do
  tests["failing memory: " .. name] = function()
    operation()
    local before = blocks()
    for sticky = 0, 1 do
      local k, failures = 0, 0
      repeat
        core.memory_fail_after(k, sticky == 1)
        local ok, message = pcall(operation)
        core.memory_fail_after(-1, false)
        if not ok then
          failures = failures + 1
          assert(type(message) == "string" and message:find("memory"), message)
        end
        assert(not core.is_recording())
        message = nil -- luacheck: ignore
        if k % 16 == 0 then assert(blocks() == before, ("allocation %d leaks"):format(k)) end
        k = k + 1
      until (ok and sticky == 1) or k > 400
      assert(sticky == 0 or failures > 0)
    end
    assert(blocks() == before)
    operation()
  end
end

-- As NumPy's and Lua's integers: sums, products, negation and absolute values of int64 wrap around.
tests["int64 wraps around"] = function()
  local max, min = math.maxinteger, math.mininteger
  local a, b = tide.tensor({max, min, min, 3}, {dtype = "int64"}),
    tide.tensor({1, -1, min, max}, {dtype = "int64"})
  local function holds(x, want)
    for i, v in ipairs(want) do assert(x[i] == v, ("entry %d: got %s, expected %d"):format(i, x[i], v)) end
  end
  for _ = 1, 2 do -- dense, then with strides
    holds(a + b, {max + 1, min - 1, 0, 3 + max})
    holds(a - b, {max - 1, min + 1, 0, 3 - max})
    holds(a * b, {max, min * -1, min * min, 3 * max})
    holds(-a, {-max, min, min, -3})
    holds(a:abs(), {max, min, min, 3})
    holds(a:square(), {max * max, 0, 0, 9})
    assert(tide.cat({a, a, a}):sum():item() == 3 * (max + min + min + 3))
    holds(tide.stack({a, a, a}):sum(1), {3 * max, 3 * min, 3 * min, 9})
    assert(a:max():item() == max and a:min():item() == min and a:argmin():item() == 2)
    a, b = tide.stack({a, a}, 2):transpose()[1], tide.stack({b, b}, 2):transpose()[1]
  end
end

-- What no integer can hold becomes the nearest one that can; NaN becomes 0.
tests["casts to integers saturate"] = function()
  local x = tide.tensor({0 / 0, math.huge, -math.huge, 1e300, -1e300, 2 ^ 63, -2 ^ 63, 2.9, -2.9, 300},
    {dtype = "float64"})
  local max, min = math.maxinteger, math.mininteger
  for _, dtype in ipairs{"float64", "float32"} do
    local whole, byte = x:to(dtype):to("int64"), x:to(dtype):to("uint8")
    for i, want in ipairs{0, max, min, max, min, max, min, 2, -2, 300} do
      assert(whole[i] == want, dtype .. i)
    end
    for i, want in ipairs{0, 255, 0, 255, 0, 255, 0, 2, 0, 255} do assert(byte[i] == want, dtype .. i) end
  end
  for i, want in ipairs{0, 255, 7} do
    assert(tide.tensor({min, max, 7}, {dtype = "int64"}):to("uint8")[i] == want)
  end
end

return tests
