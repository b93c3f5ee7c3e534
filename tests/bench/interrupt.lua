--- How long after Ctrl-C each sort of long work stops: `tide tests/bench/interrupt.lua [--ops] [name ...]`.
-- Every op runs in a program of its own, gets SIGINT at a random moment and reports the milliseconds until
-- the error is there. Then it must be as if nothing had happened: no memory held, the generator where it was,
-- the next operation right. Test_interrupt.lua asserts that, without looking at the times.

local tide = require "tide"
local core = tide.core

local M = {}
local F64, I64 = {dtype = "float64"}, {dtype = "int64"}

-- One number seen as so many: no memory, but all the work.
local function many(shape, opts) return tide.ones({1}, opts):broadcast_to(shape) end

-- Each makes its operands and returns the work, some seconds of one call.
M.ops = {
  matmul = function() local a = tide.ones{6000, 6000} return function() return a:matmul(a) end end,
  matmul_f64 = function()
    local a = tide.ones({5000, 5000}, F64):transpose() return function() return a:matmul(a) end
  end,
  matmul_long_sums = function()
    local a = tide.ones{48, 2000000} return function() return a:matmul(a:transpose()) end
  end,
  matmul_batches = function()
    local a, b = many{3000000, 8, 8}, many{3000000, 8, 1}
    return function() return a:matmul(b) end
  end,
  randn = function() return function() return tide.randn{150000000} end end,
  randperm = function() return function() return tide.randperm(60000000) end end,
  arange = function() return function() return tide.arange(1, 150000000) end end,
  transposed_copy = function()
    local a = tide.ones{16000, 16000}:transpose() return function() return a:clone() end
  end,
  sin = function() local a = tide.ones({60000000}, F64) return function() return a:sin():cos():sin() end end,
  outer_product = function()
    local a = tide.ones{20000, 1} return function() return (a * a:transpose()) ^ 2.5 end
  end,
  sum = function() local a = many{2147483647} return function() return a:sum() end end,
  sum_f64 = function() local a = many({2000000000}, F64) return function() return a:sum() end end,
  sum_int64 = function() local a = many({1000000000}, I64) return function() return a:sum() end end,
  sum_rows = function()
    local a = tide.ones{1, 200}:broadcast_to{10000000, 200} return function() return a:sum(1) end
  end,
  max = function() local a = many{2147483647} return function() return a:max() end end,
  argmax = function() local a = many{1000000000} return function() return a:argmax(1) end end,
  argmax_rows = function() local a = many{60000000, 4} return function() return a:argmax(2) end end,
  cat = function()
    local a = tide.ones{50000000, 1} return function() return tide.cat({a, a, a, a}, 2) end
  end,
  take = function()
    local a, at = tide.ones{1000}, tide.full({60000000}, 7, I64) return function() return a:take(at) end
  end,
  take_grad = function()
    local g, at = tide.ones{60000000}, tide.full({60000000}, 7, I64)
    return function() return core.apply("take_grad", {0, 1000}, g, at) end
  end,
  one_hot = function() local at = many({60000000}, I64) return function() return tide.one_hot(at, 4) end end,
  conv1d = function()
    local x, w = tide.ones{1, 32, 1000000}, tide.ones{64, 32, 65} return function()
      return tide.conv1d(x, w)
    end
  end,
  conv1d_stride = function()
    local x, w = tide.ones{4, 32, 200000}, tide.ones{256, 32, 33}
    return function() return tide.conv1d(x, w, nil, {stride = 2}) end
  end,
  conv2d = function()
    local x, w = tide.ones{4, 64, 256, 256}, tide.ones{128, 64, 5, 5}
    return function() return tide.conv2d(x, w, nil, {padding = 2}) end
  end,
  conv2d_winograd = function()
    local x, w = tide.ones{8, 128, 256, 256}, tide.ones{128, 128, 3, 3}
    return function() return tide.conv2d(x, w, nil, {padding = 1}) end
  end,
  conv2d_gradient = function()
    local x, w = tide.ones({1, 64, 512, 512}, F64), tide.ones({128, 64, 5, 5}, F64)
    return function()
      return tide.grad(function(v) return tide.conv2d(x, v, nil, {padding = 1}):sum() end)(w)
    end
  end,
  conv2d_input_gradient = function()
    local x, w = tide.ones{4, 64, 256, 256}, tide.ones{128, 64, 5, 5}
    return function()
      return tide.grad(function(v) return tide.conv2d(v, w, nil, {padding = 1}):sum() end)(x)
    end
  end,
  compiled_layer = function()
    local a, w, b = tide.ones{40000, 2000}, tide.ones{2000, 2000}, tide.ones{2000}
    local f = tide.compile(function(x) return (x:matmul(w) + b):tanh():sum() end)
    return function() return f(a) end
  end,
  -- the way back, where all steps are made again from the first state
  odeint_backward = function()
    local w, y = tide.randn({64, 64}, {seed = 1}) * 0.01, tide.ones{64, 64}
    local g = tide.compile(tide.grad(function(v)
      return tide.odeint(function(_, u) return u:matmul(v) end, y, {0, 1},
        {method = "rk4", steps = 300, gradient = "checkpoint", checkpoints = 1})[2]:sum()
    end))
    return function() return g(w) end
  end,
  odeint = function()
    local y, w = tide.ones{1000, 1000}, tide.zeros{1000, 1000}
    return function()
      return tide.odeint(function(_, v) return v:matmul(w) end, y, {0, 1}, {method = "rk4", steps = 1000})
    end
  end,
}

local function wall_clock()
  local pipe = io.popen("date +%s.%N")
  local seconds = tonumber(pipe:read("l"))
  pipe:close()
  return seconds
end

--- In a program of its own: one line "interrupted MS", "finished" where the work was done before the signal
-- came, or what went wrong.
function M.one(name)
  local stamp = os.tmpname()
  tide.seed(1)
  local random = tide.rand{1}[1]
  tide.seed(1)
  collectgarbage()
  local before, run = core.memory().live_bytes, M.ops[name]()
  os.execute(("(sleep 0.%02d; date +%%s.%%N > %s; kill -INT $PPID 2> /dev/null) &"):format(math.random(5, 35),
    stamp))
  local ok, message = pcall(run)
  local in_time, now = pcall(wall_clock)
  if ok or not in_time then -- the signal may be yet to come
    pcall(function()
      os.execute("sleep 0.1")
      for _ = 1, 1e5 do end
    end)
    os.remove(stamp)
    return print("finished")
  end
  local file = io.open(stamp)
  local sent = file and tonumber(file:read("l"))
  if file then file:close() end
  os.remove(stamp)
  if not tostring(message):find("interrupted$") then return print("wrong: " .. tostring(message)) end
  run = nil -- luacheck: ignore
  collectgarbage()
  collectgarbage()
  if core.memory().live_bytes > before then return print("wrong: memory is held") end
  if tide.rand{1}[1] ~= random then return print("wrong: the generator has moved") end
  if tide.arange(1, 100000, I64):sum():item() ~= 5000050000 then return print("wrong: the next sum") end
  print(("interrupted %.0f"):format((now - sent) * 1000))
end

function M.run(name)
  local here = debug.getinfo(1, "S").source:sub(2)
  local pipe = assert(io.popen(("TIDE_THREADS=1 '%s' '%s' --one %s 2>&1"):format(arg[-1], here, name)))
  local text = pipe:read("a")
  pipe:close()
  return text:match("^%s*(.-)%s*$")
end

function M.names()
  local names = {}
  for name in pairs(M.ops) do names[#names + 1] = name end
  table.sort(names)
  return names
end

if arg[1] == "--one" then M.one(arg[2])
elseif arg[0]:find("bench/interrupt.lua$") then
  for _, name in ipairs(arg[1] and arg or M.names()) do print(("%-24s %s"):format(name, M.run(name))) end
end

return M
