-- The data of the step-size paper: concentric spheres; the energy landscape, its labels against an
-- independent solve; CIFAR-10's files.
local check = require "check"
local tide = require "tide"
local data = tide.data

local tests = {}
local float64 = {dtype = "float64"}

local function count(y, class) return math.tointeger(y:eq(class):sum():item()) end

tests["three spheres: radii, classes, balance, order"] = function()
  for _, dim in ipairs{1, 2, 3, 10, 900} do
    local d = data.three_spheres{dim = dim, n = 403, dtype = "float64"}
    assert(table.concat(d.x:shape(), " ") == "403 " .. dim and d.y:dtype() == "int64" and #d.y == 403)
    local r, y, shells = d.x:square():sum(2):sqrt():totable(), d.y:totable(), {0, 0, 0}
    for i, radius in ipairs(r) do
      local shell = radius < 0.2 and 1 or radius < 0.35 and 2 or 3
      local low = ({0.1, 0.25, 0.4})[shell]
      assert(radius >= low - 1e-12 and radius <= low + 0.05 + 1e-12 and y[i] == ({1, 2, 1})[shell], radius)
      shells[shell] = shells[shell] + 1
    end
    assert(shells[1] + shells[3] == 202 and shells[2] == 201 and math.abs(shells[1] - shells[3]) <= 1)
    local first = 0 -- the order is random: the first half has both classes about equally
    for i = 1, 200 do first = first + (y[i] == 1 and 1 or 0) end
    assert(first > 70 and first < 130, first)
  end
end

tests["three spheres: radii follow the authors' law, directions are uniform"] = function()
  local d = data.three_spheres{dim = 3, n = 20000, dtype = "float64", radii = {{0.5, 1.5}}, classes = {1}}
  local r = d.x:square():sum(2):sqrt()
  assert(math.abs(r:mean():item() - (0.5 + 3 / 4)) < 0.01) -- r = low + u^(1/3): the mean of u^(1/3) is 3/4
  assert(d.x:mean(1):abs():max():item() < 0.02)
end

tests["three spheres: seeds"] = function()
  local a, b, c = data.three_spheres{n = 50, seed = 3}, data.three_spheres{n = 50, seed = 3},
    data.three_spheres{n = 50, seed = 4}
  assert((a.x - b.x):abs():max():item() == 0 and (a.x - c.x):abs():max():item() > 0.01)
end

tests["three spheres: misuse"] = function()
  check.fails('data.three_spheres: unknown option "m"', data.three_spheres, {m = 1})
  check.fails("dim must be >= 1, got 0", data.three_spheres, {dim = 0})
  check.fails("radii[2] must be {low, high} with 0.3 <= low <= high", data.three_spheres,
    {radii = {{0.1, 0.3}, {0.2, 0.4}}, classes = {1, 2}})
  check.fails("classes must name a class for each of the 3 shells of radii, got 2", data.three_spheres,
    {classes = {1, 2}})
  check.fails("classes[2] must be an integer >= 1, got 0", data.three_spheres, {classes = {1, 0, 1}})
end

-- ---- energy landscape ----

-- The default is the authors' published potential; its stationary points and their heights.
local minima, tops = {-0.8501528674434504, 0.2689497848188247, 1.8394495326393767},
  {-0.3294892824715106, 1.1545761657900933}
local heights = {[minima[1]] = -0.0601, [tops[1]] = 0.0446, [minima[2]] = -0.0316, [tops[2]] = 0.2152,
  [minima[3]] = -0.1312}

-- An independent solve: classical Runge-Kutta with a fixed small step in plain Lua, long enough to come to
-- rest; the nearest minimum.
local function slope(x)
  return 1.2 * (x - minima[1]) * (x - tops[1]) * (x - minima[2]) * (x - tops[2]) * (x - minima[3])
end

local function roll(x, v, friction, h)
  for _ = 1, math.floor(100 / h) do
    local a1 = -slope(x) - friction * v
    local x2, v2 = x + h / 2 * v, v + h / 2 * a1
    local a2 = -slope(x2) - friction * v2
    local x3, v3 = x + h / 2 * v2, v + h / 2 * a2
    local a3 = -slope(x3) - friction * v3
    local x4, v4 = x + h * v3, v + h * a3
    local a4 = -slope(x4) - friction * v4
    x, v = x + h / 6 * (v + 2 * v2 + 2 * v3 + v4), v + h / 6 * (a1 + 2 * a2 + 2 * a3 + a4)
  end
  assert(math.abs(v) < 1e-2, v)
  local best = 1
  for k = 2, 3 do if math.abs(x - minima[k]) < math.abs(x - minima[best]) then best = k end end
  assert(math.abs(x - minima[best]) < 0.05)
  return best
end

tests["landscape: labels are those of an independent solve"] = function()
  local d = data.landscape{n = 60, seed = 5, dtype = "float64"}
  local x, y = d.x:totable(), d.y:totable()
  for i, start in ipairs(x) do
    assert(start[1] >= -1 and start[1] <= 2 and start[2] >= -2 and start[2] <= 2)
    assert(roll(start[1], start[2], 0.2, 0.01) == y[i], i)
  end
  for class = 1, 3 do assert(count(d.y, class) > 5) end
end

-- Starts on both sides of a separatrix, nearer and nearer: right as long as float64 can tell, then refused.
tests["landscape: near a separatrix"] = function()
  local function label(v)
    return data.landscape{starts = tide.tensor({{0, v}}, float64), dtype = "float64"}.y[1]
  end
  local low, high = 0.0, 2.0
  local low_label, refused = label(low), false
  for v = 0.05, 2, 0.05 do
    if label(v) ~= low_label then
      low, high = v - 0.05, v
      break
    end
  end
  low_label = label(low)
  local high_label = label(high)
  assert(low_label ~= high_label)
  for _ = 1, 60 do
    local middle = (low + high) / 2
    local ok, result = pcall(label, middle)
    if not ok then
      assert(tostring(result):find(
        "is too near a separatrix to be sure where it ends; take another seed or other starts", 1, true),
        result)
      refused = true
      break
    end
    if result == low_label then low = middle else high = middle end
    if high - low > 1e-7 and high - low < 1e-5 then -- where a fixed step of 0.002 can still tell
      assert(roll(0, low, 0.2, 0.002) == low_label and roll(0, high, 0.2, 0.002) == high_label)
    end
  end
  assert(refused and high - low < 1e-6, high - low)
end

tests["landscape: other potentials, any number of minima"] = function()
  local two = data.landscape{n = 40, potential = function(x) return (x:square() - 1):square() end,
    x_range = {-2, 2}, v_range = {-0.1, 0.1}}
  assert(#two.minima == 2 and #two.barriers == 1)
  assert(math.abs(two.minima[1] + 1) < 1e-6 and math.abs(two.barriers[1]) < 1e-6
    and math.abs(two.minima[2] - 1) < 1e-6)
  for k, start in ipairs(two.x:totable()) do
    -- without speed a particle stays on its side of the barrier, unless it starts above it
    if math.abs(start[1]) < 1 and math.abs(start[1]) > 0.2 then
      assert(two.y[k] == (start[1] < 0 and 1 or 2))
    end
  end
  local one = data.landscape{n = 10, minima = {0.5}}
  assert(count(one.y, 1) == 10 and #one.minima == 1 and #one.barriers == 0)
  local five = data.landscape{n = 60, minima = {-2, -1, 0, 1, 2}, x_range = {-2.2, 2.2},
    v_range = {-0.2, 0.2}, scale = 5, friction = 0.5}
  for class = 1, 5 do assert(count(five.y, class) > 0, class) end
end

tests["landscape: potential and field come along"] = function()
  local d = data.landscape{n = 3}
  for place, height in pairs(heights) do
    local x = tide.tensor({place}, float64)
    assert(math.abs(d.potential(x):item() - height) < 5e-5)
    local published = 0.2 * (x - 2) * (x - 0.5) * (x + 1) * (x + 0.6) * (x - 1.6) * x
    assert((d.potential(x) - published):abs():max():item() < 1e-14)
  end
  for k = 1, 3 do assert(math.abs(d.minima[k] - minima[k]) < 1e-9) end
  for k = 1, 2 do assert(math.abs(d.barriers[k] - tops[k]) < 1e-9) end
  local x = tide.tensor({minima[1], minima[2], minima[3]}, float64)
  assert(tide.grad(function(z) return d.potential(z):sum() end)(x):abs():max():item() < 1e-12)
  local f = d.field(0, tide.tensor({{0.1, 0.7}}, float64)):totable()[1]
  assert(math.abs(f[1] - 0.7) < 1e-15 and math.abs(f[2] - (-slope(0.1) - 0.2 * 0.7)) < 1e-12)
end

tests["landscape: misuse"] = function()
  check.fails('data.landscape: unknown option "gamma"', data.landscape, {gamma = 1})
  check.fails("friction", data.landscape, {friction = 0})
  check.fails("x_range must be {low, high} with low < high", data.landscape, {x_range = {2, 1}})
  check.fails("starts must be a tensor of shape {n, 2}", data.landscape, {starts = tide.ones{3}})
  check.fails("does not hold a particle", data.landscape, {n = 3, potential = function(x)
    return -x:square()
  end})
  check.fails("minima and barriers must be numbers that rise in turn", data.landscape, {minima = {1, 0}})
end

-- ---- CIFAR-10 ----

local function record(label, red, green, blue)
  return string.char(label) .. string.char(red):rep(1024) .. string.char(green):rep(1024)
    .. string.char(blue):rep(1024)
end

tests["cifar10: files of our own"] = function()
  check.in_folder(function(folder, write)
    write("data_batch_1.bin", record(0, 0, 51, 255) .. record(9, 255, 0, 0))
    write("data_batch_2.bin", record(3, 1, 2, 3))
    local d = data.cifar10{dir = folder, n = 2}
    assert(table.concat(d.x:shape(), " ") == "2 3 32 32" and d.y[1] == 1 and d.y[2] == 10)
    assert(d.x[1][1]:max():item() == 0 and math.abs(d.x[1][2]:min():item() - 0.2) < 1e-7
      and d.x[1][3]:min():item() == 1)
    assert(#data.cifar10{dir = folder, n = 3}.y == 3 and data.cifar10{dir = folder, n = 3}.y[3] == 4)
    check.fails(folder .. "/data_batch_3.bin[.gz] was not found; get the files with `tide data/fetch.lua "
      .. "cifar10", data.cifar10, {dir = folder})
    check.fails("test_batch.bin", data.cifar10, {dir = folder, split = "test"})
    write("test_batch.bin", record(0, 0, 0, 0):sub(1, 3000))
    check.fails("holds 3000 bytes; a batch is a multiple of 3073", data.cifar10,
      {dir = folder, split = "test"})
    write("test_batch.bin", record(10, 0, 0, 0))
    check.fails("holds labels outside 0..9", data.cifar10, {dir = folder, split = "test"})
  end)
end

tests["cifar10: the real files"] = function()
  local real, why = check.real_file("cifar10/test_batch.bin")
  if not real then return why end
  local d = data.cifar10{split = "test"}
  assert(#d.x == 10000)
  for class = 1, 10 do assert(count(d.y, class) == 1000) end
  assert(math.abs(d.x:mean():item() - 0.4766) < 1e-3)
end

return tests
