-- tide.data: what the generators promise about radii, sides and labels; MNIST's files, real and broken.
local check = require "check"
local tide = require "tide"
local data = tide.data

local function shape_is(x, ...)
  local got, want = table.concat(x:shape(), ","), table.concat({...}, ",")
  assert(got == want, ("shape {%s}, expected {%s}"):format(got, want))
end

local function is_near(value, want, tolerance)
  assert(math.abs(value - want) <= tolerance, ("%g, expected %g"):format(value, want))
end

local function same(a, b) return a:dtype() == b:dtype() and (a - b):abs():max():item() == 0 end

local function sorted(x)
  local list = x:reshape{-1}:totable()
  table.sort(list)
  return list
end

local tests = {}

tests["spheres: radii, labels, shapes"] = function()
  for dim = 1, 3 do
    local d = data.spheres{dim = dim, inner = 200, outer = 300, dtype = "float64"}
    shape_is(d.x, 500, dim)
    shape_is(d.y, 500, 1)
    assert(d.x:dtype() == "float64" and d.y:dtype() == "float64")
    local r = d.x:square():sum(2):sqrt()
    local inner, outer = r:slice(1, 1, 200), r:slice(1, 201, 500)
    assert(inner:max():item() <= 0.5 and outer:min():item() >= 1 - 1e-12 and outer:max():item() <= 1.5
      + 1e-12)
    assert(d.y:slice(1, 1, 200):eq(-1):sum():item() == 200
      and d.y:slice(1, 201, 500):eq(1):sum():item() == 300)
  end
  local d = data.spheres()
  shape_is(d.x, 3000, 2)
  assert(d.x:dtype() == "float32" and d.y:dtype() == "float32" and d.y:sum():item() == 1000)
  d = data.spheres{r1 = 1, r2 = 2, r3 = 4, inner = 0, outer = 50}
  shape_is(d.x, 50, 2)
  local r = d.x:square():sum(2):sqrt()
  assert(r:min():item() >= 2 - 1e-5 and r:max():item() <= 4 + 1e-5)
  shape_is(data.spheres{inner = 5, outer = 0}.x, 5, 2)
  shape_is(data.spheres{inner = 0, outer = 0}.x, 0, 2)
end

tests["spheres: the law of the radius and of the direction"] = function()
  for dim = 1, 3 do
    local n = 20000
    local d = data.spheres{dim = dim, inner = n, outer = n, seed = 4, dtype = "float64"}
    local r = d.x:square():sum(2):sqrt()
    local inner, outer = sorted(r:slice(1, 1, n)), sorted(r:slice(1, n + 1, 2 * n))
    for _, q in ipairs{0.1, 0.25, 0.5, 0.75, 0.9} do
      local s = q ^ (1 / dim)
      is_near(inner[math.floor(q * n)], 0.5 * s, 0.01)
      is_near(outer[math.floor(q * n)], 1 + 0.5 * s, 0.01)
    end
    local unit = d.x / r:reshape{2 * n, 1}
    for axis = 1, dim do
      local c = unit:slice(2, axis, axis)
      is_near(c:mean():item(), 0, 0.02)
      is_near(c:square():mean():item(), 1 / dim, 0.01)
    end
  end
end

tests["seeds"] = function()
  for _, name in ipairs{"spheres", "sines", "flip1d"} do
    local function make(seed) return data[name]{seed = seed, noise = name == "flip1d" and 0.1 or nil} end
    tide.seed(3)
    local a = make(7)
    local after = tide.rand{1}:item()
    tide.seed(3)
    assert(tide.rand{1}:item() == after, "a data set must leave the default generator alone")
    local b, c = make(7), make(8)
    assert(same(a.x, b.x) and same(a.y, b.y) and not same(a.x, c.x), name)
  end
  local narrow, wide = data.spheres{seed = 2}, data.spheres{seed = 2, dtype = "float64"}
  assert(same(narrow.x, wide.x:to("float32")))
end

tests["flip1d"] = function()
  local d = data.flip1d{n = 4}
  shape_is(d.x, 4, 1)
  shape_is(d.y, 4, 1)
  assert(table.concat(sorted(d.x), " ") == "-1.0 -1.0 1.0 1.0" and (d.x + d.y):abs():max():item() == 0)
  d = data.flip1d{n = 5, task = "identity"}
  assert(same(d.x, d.y) and d.x:gt(0):sum():item() == 3)
  d = data.flip1d{n = 20000, noise = 0.1, dtype = "float64"}
  local deviation = d.x + d.y -- y is the other side
  is_near(math.sqrt(deviation:var():item()), 0.1, 0.003)
  is_near(deviation:mean():item(), 0, 0.003)
  check.fails('task must be one of "flip", "identity"', data.flip1d, {task = "swap"})
  check.fails("n must be >= 2, got 1", data.flip1d, {n = 1})
  check.fails("noise must be >= 0", data.flip1d, {noise = -1})
end

tests["sines"] = function()
  local d = data.sines{n = 20001, dim = 4, noise = 0.1, shift = 1.4, dtype = "float64"}
  shape_is(d.x, 20001, 4)
  shape_is(d.y, 20001, 1)
  assert(d.y:eq(1):sum():item() == 10001 and d.y:eq(-1):sum():item() == 10000)
  local noise = d.x:slice(2, 2, 2) - (d.x:slice(2, 1, 1) * math.pi):sin() - d.y * 0.7
  is_near(noise:mean():item(), 0, 0.003)
  is_near(math.sqrt(noise:var():item()), 0.1, 0.003)
  for _, axis in ipairs{1, 3, 4} do
    local c = d.x:slice(2, axis, axis)
    assert(c:min():item() >= -1 and c:max():item() < 1)
    is_near(c:var():item(), 1 / 3, 0.01)
  end
  assert((d.x:slice(2, 3, 3) - d.x:slice(2, 4, 4)):abs():max():item() > 0.1)
  shape_is(data.sines{n = 10}.x, 10, 2)
  check.fails("dim must be >= 2, got 1", data.sines, {dim = 1})
end

-- Does each point lie where its class is?
local planar = {
  moons = function(x, y, class) -- on a half circle, below or above
    local upper = class:eq(1)
    local r = ((tide.where(upper, x, x - 1)):square() + tide.where(upper, y, y - 0.5):square()):sqrt()
    return tide.where(upper, y, -y + 0.5):min():item() > -1e-12 and (r - 1):abs():max():item() < 1e-12
  end,
  circles = function(x, y, class)
    local r = (x:square() + y:square()):sqrt()
    return (r - tide.where(class:eq(1), 1, 0.5)):abs():max():item() < 1e-12
  end,
  eight_gaussians = function(x, y, class)
    local angle = (class:to "float64" - 1) * (math.pi / 4)
    return ((x - angle:cos() * 2.8):square() + (y - angle:sin() * 2.8):square()):max():item() < 1e-24
  end,
  checkerboard = function(x, y, class) -- (floor(x / 2) + floor(y / 2)) is even
    local list, px, py = class:totable(), x:totable(), y:totable()
    for i, k in ipairs(list) do
      local column, row = math.floor(px[i] / 2) + 2, math.floor(py[i] / 2) + 2
      if column ~= (k - 1) % 4 or row ~= 2 * ((k - 1) // 4) + column % 2 then return false end
    end
    return x:abs():max():item() <= 4 and x:abs():max():item() > 3.9 and y:abs():max():item() > 3.9
  end,
  spirals = function(x, y) return (x:square() + y:square()):sqrt():max():item() < math.pi + 0.3 end,
  pinwheel = function(x, y) -- 2 |r| along an arm, r normal of mean 1
    local r = (x:square() + y:square()):mean():item()
    return math.abs(r - 4 * (1 + 0.3 ^ 2 + 0.1 ^ 2)) < 0.3
  end,
}

tests["distributions in the plane"] = function()
  local classes = {moons = 2, circles = 2, eight_gaussians = 8, checkerboard = 8, spirals = 2, pinwheel = 5}
  for name, holds in pairs(planar) do
    local exact = name ~= "checkerboard" and name ~= "pinwheel" and 0 or nil
    local d = data[name]{n = 1003, noise = exact, dtype = "float64", seed = 3}
    shape_is(d.x, 1003, 2)
    shape_is(d.y, 1003)
    assert(d.y:dtype() == "int64" and holds(d.x:slice(2, 1, 1):reshape{-1}, d.x:slice(2, 2, 2):reshape{-1},
      d.y), name)
    for k = 1, classes[name] do
      assert(math.abs(d.y:eq(k):sum():item() - 1003 / classes[name]) < 1, name)
    end
    assert(data[name]().x:dtype() == "float32" and #data[name]().x == 1000)
    local a, b, c = data[name]{n = 9, seed = 4}, data[name]{n = 9, seed = 4}, data[name]{n = 9, seed = 5}
    assert(same(a.x, b.x) and same(a.y, b.y) and not same(a.x, c.x), name)
    check.fails("n must be >= 1, got 0", data[name], {n = 0})
  end
  local noisy, plain = data.moons{n = 4000, noise = 0.3}, data.moons{n = 4000, noise = 0}
  is_near((noisy.x - plain.x):square():mean():sqrt():item(), 0.3, 0.01)
  check.fails('unknown option "noise"', data.pinwheel, {noise = 0.1})
end

tests["misuse"] = function()
  check.fails('tide.data: unknown data set "mnst" (did you mean "mnist"?); valid are: checkerboard, '
    .. 'cifar10, circles, eight_gaussians, flip1d, irregular_sines, landscape, mnist, moons, pendulum, '
    .. 'pinwheel, sines, spheres, spirals, svhn, three_spheres, tiny_imagenet',
    function()
    return data.mnst
  end)
  check.fails('did you mean "spheres"?', function() return data.sphere end)
  check.fails('data.spheres: unknown option "iner" (did you mean "inner"?)', data.spheres, {iner = 3})
  check.fails("data.spheres: the radii must satisfy r1 < r2 < r3, got 2, 1, 1.5", data.spheres, {r1 = 2})
  check.fails("dim must be >= 1, got 0", data.spheres, {dim = 0})
  check.fails("option dim must be an integer, got 2.5", data.spheres, {dim = 2.5})
  check.fails("options must be a table, got 3", data.spheres, 3)
  check.fails('unknown dtype "f32"', data.spheres, {dtype = "f32"})
  check.fails('split must be one of "train", "test"', data.mnist, {split = "valid"})
  check.fails("n must be >= 1, got 0", data.mnist, {n = 0})
  assert(table.concat(data.names(), " ") ==
    "checkerboard cifar10 circles eight_gaussians flip1d irregular_sines landscape mnist moons pendulum "
    .. "pinwheel sines spheres spirals svhn three_spheres tiny_imagenet")
  assert(data.folder("mnist", "/x") == "/x" and data.folder("mnist"):find("/mnist$"))
end

-- ---- MNIST ----

local function images(n, height)
  height = height or 28
  return string.pack(">I4I4I4I4", 0x0803, n, height, 28) .. ("\0\128\255\7"):rep(n * height * 7)
end
local function labels(text) return string.pack(">I4I4", 0x0801, #text) .. text end

tests["mnist: files of our own"] = function()
  check.in_folder(function(folder, write)
    write("train-images-idx3-ubyte", images(3))
    write("train-labels-idx1-ubyte", labels("\0\9\4"))
    local d = data.mnist{dir = folder}
    shape_is(d.x, 3, 1, 28, 28)
    assert(d.x:dtype() == "float32" and d.y:dtype() == "int64"
      and table.concat(d.y:totable(), " ") == "1 10 5")
    local row = d.x[2][1][1]
    assert(row[1] == 0 and row[3] == 1)
    is_near(row[2], 128 / 255, 1e-7)
    d = data.mnist{dir = folder, n = 2}
    shape_is(d.x, 2, 1, 28, 28)
    shape_is(d.y, 2)
    shape_is(data.mnist{dir = folder, n = 100}.y, 3)
    check.fails(folder .. "/t10k-images-idx3-ubyte[.gz] was not found; get the files with `tide "
      .. "data/fetch.lua mnist`", data.mnist,
      {dir = folder, split = "test"})
  end)
end

tests["mnist: files that lie"] = function()
  check.in_folder(function(folder, write)
    local function fails(words, image_bytes, label_bytes)
      write("train-images-idx3-ubyte", image_bytes)
      write("train-labels-idx1-ubyte", label_bytes)
      check.fails(words, data.mnist, {dir = folder})
    end
    local good = images(2)
    for _, n in ipairs{0, 3, 8, 15, 16, 17, 800, #good - 1} do
      fails("read_idx: cannot read", good:sub(1, n), labels("\1\2"))
    end
    fails("the file holds", good .. "\0", labels("\1\2"))
    fails("read_idx: cannot read", good, labels("\1\2"):sub(1, 9))
    fails("it is no idx file", "\1" .. good:sub(2), labels("\1\2"))
    fails("images of shape {2, 27, 28}; it is not MNIST", images(2, 27), labels("\1\2"))
    fails("labels of shape {3}; it is not MNIST", good, labels("\1\2\3"))
    fails("images of shape {2}; it is not MNIST", labels("\1\2"), labels("\1\2"))
    fails("labels of shape {2, 28, 28}", good, good)
    fails("holds labels outside 0..9", good, labels("\1\10"))
    fails("must hold bytes", "\0\0\x09\3" .. good:sub(5), labels("\1\2"))
    fails("one picture or more", images(0), labels(""))
    fails("read_idx: cannot read", "\0\0\8\3" .. ("\x7f\xff\xff\xff"):rep(3), labels("\1\2"))
    fails("read_idx: cannot read", "\x1f\x8b\8" .. good:sub(4), labels("\1\2")) -- says gzip
    write("train-images-idx3-ubyte", good)
    write("train-labels-idx1-ubyte", labels("\1\2"))
    shape_is(data.mnist{dir = folder}.x, 2, 1, 28, 28)
    write("train-images-idx3-ubyte.gz", "\x1f\x8b\8") -- the packed one comes first
    check.fails("train-images-idx3-ubyte.gz", data.mnist, {dir = folder})
  end)
end

tests["mnist: a missing folder names the remedy"] = function()
  check.fails("/nowhere/train-images-idx3-ubyte[.gz] was not found; get the files with `tide data/fetch.lua "
    .. "mnist`, or point TIDE_DATA at",
    data.mnist, {dir = "/nowhere"})
end

tests["mnist: the real files"] = function()
  local real, why = check.real_file("mnist/train-images-idx3-ubyte")
  if not real then return why end
  local counts = {train = {5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949},
                  test = {980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009}}
  for split, want in pairs(counts) do
    local n = split == "train" and 60000 or 10000
    local d = data.mnist{split = split}
    shape_is(d.x, n, 1, 28, 28)
    shape_is(d.y, n)
    for label = 1, 10 do assert(d.y:eq(label):sum():item() == want[label]) end
    assert(d.x:min():item() == 0 and d.x:max():item() == 1)
    is_near(d.x:mean():item(), split == "train" and 0.1306604 or 0.1325145, 1e-5)
  end
  shape_is(data.mnist{split = "test", n = 7}.x, 7, 1, 28, 28)
end

return tests
