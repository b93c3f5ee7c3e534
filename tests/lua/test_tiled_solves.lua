--- Solves tile by tile (core/solver/tiled.h): each tile goes through the whole solve, and what comes out is
-- that of the samples one by one, for any number of threads and whatever fails.

local check = require "check"
local tide = require "tide"

local tests = {}

local f64 = {dtype = "float64"}
local function randn(shape, seed, dtype)
  return tide.randn(shape, {seed = seed, dtype = dtype or "float64"})
end
local close = check.close

local function column(t, y) return t:broadcast_to{#y, 1} end

local wide = 8
local function wide_field(p)
  return function(t, y)
    local h = (tide.cat({y, column(t, y)}, 2):matmul(p.a) + p.b):tanh()
    h = (h:matmul(p.g) + p.b * p.s):softplus()
    return h:matmul(p.c:transpose())
  end
end
local function wide_parameters(dtype)
  return {a = randn({wide + 1, 64}, 1, dtype) * 0.2, b = randn({64}, 2, dtype),
    g = randn({64, 64}, 3, dtype) * 0.1, s = randn({}, 4, dtype),
    c = randn({wide, 64}, 5, dtype) * 0.1}
end

local function tiles_of(fn, ...)
  local shown = print
  -- luacheck: ignore quiet
  local quiet <close> = setmetatable({}, {__close = function() rawset(_G, "print", shown) end})
  rawset(_G, "print", function() end)
  return tide.explain(fn, ...).solves[1]
end

-- States, loss and gradients of a solve of `y0`.
local function solved(p, y0, times, opts)
  local states = tide.odeint(wide_field(p), y0, times, opts)
  local v, g = tide.value_and_grad(function(q)
    local ys = tide.odeint(wide_field(q.p), q.y0, times, opts)
    local sum = 0
    for i = 1, #ys do sum = ys[i]:sin():sum() * i + sum end
    return sum
  end){p = p, y0 = y0}
  return states, v, g.y0, tide.tree.tensors(g.p)
end

local function compare_with_slices(p, y0, times, opts, tolerance)
  local states, v, gy, gp = solved(p, y0, times, opts)
  local parts, sums, total, y0bars = {}, {}, 0, {}
  for first = 1, #y0, 10 do
    local last = math.min(first + 9, #y0)
    local s, sv, sy, sp = solved(p, y0:slice(1, first, last):clone(), times, opts)
    parts[#parts + 1], y0bars[#y0bars + 1], total = s, sy, total + sv
    for i, g in ipairs(sp) do sums[i] = sums[i] and sums[i] + g or g end
  end
  close(states, tide.cat(parts, 2), tolerance, "states")
  close(v, total, tolerance, "loss")
  close(gy, tide.cat(y0bars, 1), tolerance, "gradient by y0")
  for i, g in ipairs(gp) do close(g, sums[i], tolerance, "gradient " .. i) end
end

local batch = 131 -- tiles of 33, the last one of 32
for _, method in ipairs(check.methods()) do
  if method.varies then goto continue end -- it has no fixed steps, and is not solved in tiles
  tests["tiles equal slices: " .. method.name] = function()
    local p, y0 = wide_parameters(), randn({batch, wide}, 6)
    compare_with_slices(p, y0, {0, 0.31, 0.5, 1}, {method = method.name, steps = 4}, 1e-12)
    compare_with_slices(p, y0, {1, 0}, {method = method.name, step_size = 0.3, gradient = "checkpoint",
      checkpoint_steps = 2}, 1e-12)
  end
  ::continue::
end

tests["tiles are used where they are said to be"] = function()
  local p, y0 = wide_parameters(), randn({batch, wide}, 6)
  local function plan(opts, y)
    return tiles_of(function(q) return tide.odeint(wide_field(q), y or y0, {0, 1}, opts)[2] end, p)
  end
  local fixed = plan{steps = 4}
  assert(fixed.tiles == 4 and fixed.rows == 33, fixed.rows)
  assert(plan({steps = 4, gradient = "checkpoint"}).tiles == 4)
  assert(plan({steps = 4, gradient = "adjoint"}).tiles == 1 and plan({rtol = 1e-3}).tiles == 1)
  assert(plan({steps = 4}, y0:slice(1, 1, 10):clone()).tiles == 1)
end

tests["tiles in float32, and without samples to spare"] = function()
  local p = wide_parameters "float32"
  for _, count in ipairs{26, 27, 32, 64, 65, 136, 137, 300} do
    compare_with_slices(p, randn({count, wide}, 6, "float32"), {0, 1}, {method = "rk4", steps = 2}, 2e-5)
  end
end

local function flat(list)
  for i, x in ipairs(list) do list[i] = x:reshape{-1} end
  return tide.cat(list, 1)
end

tests["tiles: the same bits for any number of threads"] = function()
  local p, y0, before = wide_parameters(), randn({batch, wide}, 6), tide.threads()
  for _, kind in ipairs{"direct", "checkpoint"} do
    local first
    for _, threads in ipairs{1, 2, 4, 3} do
      tide.threads(threads)
      local states, v, gy, gp = solved(p, y0, {0, 0.3, 1}, {method = "rk4", steps = 5, gradient = kind})
      local all = flat{states, v, gy, table.unpack(gp)}
      first = first or all
      assert(all:ne(first):sum():item() == 0, ("differs with %d threads, %s"):format(threads, kind))
    end
  end
  tide.threads(before)
end

tests["tiles: one sample of several makes other parameters of a field"] = function()
  -- the last tile is one sample, for which the sum with a broadcast time is a row, and s * s is made as long
  -- as it
  local p = {k = randn({2, 2, 3, 3}, 1), a = randn({18, 1300}, 2) * 0.1, b = randn({1300, 18}, 4) * 0.01,
    s = randn({}, 5)}
  local function loss(q, y, count)
    return tide.odeint(function(t, z)
      local h = tide.conv2d(z, q.k, nil, {padding = 1}) + t:broadcast_to{count, 2, 3, 3}
      return (h + q.s * q.s):tanh() + z:reshape{count, 18}:matmul(q.a):tanh():matmul(q.b):reshape{count, 2, 3,
        3}
    end, y, {0, 1}, {method = "euler", steps = 3})[2]:sin():sum()
  end
  local y0 = randn({3, 2, 3, 3}, 3)
  local g, sums = tide.grad(function(q) return loss(q, y0, 3) end)(p), {}
  for i = 1, 3 do
    local one = tide.grad(function(q) return loss(q, y0:slice(1, i, i):clone(), 1) end)(p)
    for k, v in pairs(one) do sums[k] = sums[k] and sums[k] + v or v end
  end
  for k, v in pairs(g) do close(v, sums[k], 1e-12, k) end
end

tests["tiles: NaN gives the same error for any number of threads"] = function()
  local p, before, texts = wide_parameters(), tide.threads(), {}
  local y0 = randn({batch, wide}, 6)
  y0[100][3] = 0 / 0
  y0[120][1] = 0 / 0
  for _, threads in ipairs{1, 2, 4} do
    tide.threads(threads)
    local ok, message = pcall(solved, p, y0, {0, 1}, {method = "rk4", steps = 5})
    texts[#texts + 1] = tostring(message)
    assert(not ok)
  end
  tide.threads(before)
  -- samples in front of the first bad one are not to blame; NaN reaches all of its sample
  local element = tonumber(texts[1]:match("element (%d+) of " .. batch * wide))
  assert(element and element > 99 * wide and element <= 100 * wide, texts[1])
  assert(texts[1] == texts[2] and texts[1] == texts[3], table.concat(texts, "\n"))
end

tests["tiles: later trouble loses against earlier trouble"] = function()
  -- sample 2 overflows after some steps, sample 130 at once
  local y0, before = tide.zeros({batch, wide}, f64), tide.threads()
  y0[2][1], y0[130][1] = 1e50, 1e200
  local c = randn({wide, 5000}, 1)
  local function f(_, y) return y * y:abs() * 1e3 + y:matmul(c):matmul(c:transpose()) * 0 end
  local texts = {}
  for _, threads in ipairs{1, 2, 4} do
    tide.threads(threads)
    local ok, message = pcall(tide.odeint, f, y0, {0, 1}, {method = "euler", steps = 10})
    assert(not ok)
    texts[#texts + 1] = tostring(message)
  end
  tide.threads(before)
  assert(texts[1]:find(("element %%d+ of %d"):format(batch * wide)), texts[1])
  local element = tonumber(texts[1]:match("element (%d+)"))
  assert(element > 129 * wide and element <= 130 * wide, texts[1])
  assert(texts[1] == texts[2] and texts[1] == texts[3], table.concat(texts, "\n"))
end

-- Ctrl-C after half a second of a long solve, forwards and backwards, on several threads.
tests["tiles: an interrupt ends the solve with one error"] = function()
  local script = [[
    local tide = require "tide"
    tide.threads(tonumber(arg[1]))
    local a, y0 = tide.randn({8, 4000}, {seed = 1}) * 0.01, tide.randn({131, 8}, {seed = 2})
    local function loss(p)
      local function f(_, y) return y:matmul(p):tanh():matmul(p:transpose()) end
      return tide.odeint(f, y0, {0, 1}, {method = "euler", steps = tonumber(arg[2])})[2]:sum()
    end
    io.stdout:write("ready\n") io.stdout:flush()
    local ok, message
    repeat ok, message = pcall(tide.grad(loss), a) until not ok
    io.stdout:write(tostring(ok), " ", tostring(message), "\n")
    local again, y = pcall(tide.odeint, function(_, z) return -z end, y0, {0, 1}, {steps = 2})
    io.stdout:write("then ", tostring(again), " ", again and #y or tostring(y), "\n")
    os.exit(0, true)]]
  check.in_folder(function(folder, write)
    write("solve.lua", script)
    for _, how in ipairs{"1 1200000", "4 1200000", "3 40"} do
      local pipe = assert(
        io.popen(("timeout --foreground -k 5 -s INT 0.5 ./tide %s/solve.lua %s 2>&1"):format(folder, how)))
      local text = pipe:read "a"
      pipe:close()
      assert(text:find "ready" and text:find "false [^\n]*interrupted", text)
      assert(text:find "then true 2", text)
      assert(select(2, text:gsub("interrupted", "")) == 1, text)
    end
  end)
end

tests["tiles: failing allocations are errors and lose nothing"] = function()
  local p, y0 = wide_parameters(), randn({batch, wide}, 6)
  local function run() return select(3, solved(p, y0, {0, 1}, {method = "euler", steps = 2})):sum():item() end
  check.survives(run, 3000, 37, 20)
end

return tests
