-- data.svhn and data.tiny_imagenet: small files of our own, files that lie, the real ones where TIDE_DATA has
-- them; tide.load of .jpg and .mat.
local check = require "check"
local tide = require "tide"
local data = tide.data

local tests = {}

local function unhex(text)
  return (text:gsub("%s", ""):gsub("%x%x", function(pair) return string.char(tonumber(pair, 16)) end))
end

-- 64 x 64, made by libjpeg: grey 40 on the left and 200 on the right; 220, 30, 60 in the upper half and 220,
-- 120, 60 in the lower.
local grey = unhex [[
  ffd8ffe000104a46494600010100000100010000ffdb0043000302020302020303030304030304050805050404050a070706080c0a
  0c0c0b0a0b0b0d0e12100d0e110e0b0b1016101113141515150c0f171816141812141514ffc0000b080040004001011100ffc40016
  0001010100000000000000000000000000000908ffc40014100100000000000000000000000000000000ffda0008010100003f00c2
  802d5808a802d5808a802d5808a802d5808a802d5808a802d5808a802d5808a802d580ffd9]]
local colour = unhex [[
  ffd8ffe000104a46494600010100000100010000ffdb0043000302020302020303030304030304050805050404050a070706080c0a
  0c0c0b0a0b0b0d0e12100d0e110e0b0b1016101113141515150c0f171816141812141514ffdb00430103040405040509050509140d
  0b0d1414141414141414141414141414141414141414141414141414141414141414141414141414141414141414141414141414ff
  c00011080040004003012200021101031101ffc400160001010100000000000000000000000000000708ffc4001410010000000000
  0000000000000000000000ffc40017010101010100000000000000000000000000070608ffc4001411010000000000000000000000
  0000000000ffda000c03010002110311003f008d00c93be0000000000000000000001a3404bd1a0000000000000000000007ffd9]]

local function shape_is(x, ...)
  assert(table.concat(x:shape(), " ") == table.concat({...}, " "), table.concat(x:shape(), " "))
end
local function near(x, want) check.near(x * 255, want, 4) end

tests["a .jpg is bytes C,H,W, and is not written"] = function()
  check.in_folder(function(folder, write)
    write("a.JPG", colour)
    write("b.jpeg", grey)
    local x, g = tide.load(folder .. "/a.JPG"), tide.load(folder .. "/b.jpeg")
    shape_is(x, 3, 64, 64)
    shape_is(g, 1, 64, 64)
    assert(x:dtype() == "uint8" and math.abs(x[1][1][1] - 220) < 5 and math.abs(g[1][64][64] - 200) < 5)
    check.fails({"a.JPG", "need 12288 bytes; the limit is 100"}, tide.load, folder .. "/a.JPG", {limit = 100})
    check.fails(".jpg files are only read; use .png, which keeps every value", tide.save, folder
      .. "/c.jpg", x)
    check.fails(".mat files are only read; use .npz or .safetensors", tide.save, folder .. "/c.mat", {x = x})
    write("c.jpg", colour:sub(1, -20))
    check.fails({"load: cannot read", "c.jpg"}, tide.load, folder .. "/c.jpg")
  end)
end

-- ---- MATLAB files ----

local function element(kind, bytes)
  return string.pack("<I4I4", kind, #bytes) .. bytes .. ("\0"):rep(-#bytes % 8)
end
local function array(name, class, dims, kind, bytes)
  return element(14, element(6, string.pack("<I4I4", class, 0)) .. element(5, string.pack(("<"
    .. ("i4"):rep(#dims)), table.unpack(dims)))
    .. element(1, name) .. element(kind, bytes))
end

-- zlib's frame around blocks that are stored as they are.
local function packed(bytes)
  local a, b, blocks = 1, 0, {}
  for i = 1, #bytes do
    a = (a + bytes:byte(i)) % 65521
    b = (b + a) % 65521
  end
  for first = 1, #bytes, 60000 do
    local block = bytes:sub(first, first + 59999)
    blocks[#blocks + 1] = string.pack("<BI2I2", first + 60000 > #bytes and 1 or 0, #block, #block ~ 0xffff)
      .. block
  end
  local stream = "\x78\x01" .. table.concat(blocks) .. string.pack(">I2I2", b, a)
  return string.pack("<I4I4", 15, #stream) .. stream
end
local header = ("MATLAB 5.0 MAT-file"):rep(1) .. (" "):rep(105) .. "\0\1IM"

tests["a .mat is a table of arrays with MATLAB's axes"] = function()
  check.in_folder(function(folder, write)
    local path = folder .. "/a.mat"
    write("a.mat", header .. array("X", 9, {2, 3}, 2, "\1\2\3\4\5\6") .. packed(array("d", 6, {1, 2}, 9,
      string.pack("<dd", 0.5, -2)))
      .. array("i", 12, {3, 1}, 3, string.pack("<i2i2i2", -1, 0, 300)))
    local t = tide.load(path)
    assert(t.X:dtype() == "uint8" and t.X[2][1] == 2 and t.X[1][3] == 5)
    assert(t.d:dtype() == "float64" and t.d[1][2] == -2 and t.i:dtype() == "int64" and t.i[3][1] == 300)
    assert(tide.load(path, {names = {"i"}}).X == nil)
    check.fails('there is no tensor "y" in it; it holds "X", "d", "i"', tide.load, path, {names = {"y"}})
    local text = array("t", 4, {1, 2}, 4, string.pack("<I2I2", 72, 105))
    write("a.mat", header .. text .. array("X", 9, {1, 1}, 2, "\1"))
    check.fails('array "t": it is a text', tide.load, path)
    assert(tide.load(path, {names = {"X"}}).X:item() == 1)
    write("a.mat", header:gsub("IM", "XX"))
    check.fails("it is no MATLAB 5 file", tide.load, path)
    write("a.mat", ("x"):rep(512) .. "\x89HDF\r\n\x1a\n")
    check.fails("version 7.3 (HDF5)", tide.load, path)
    write("a.mat", header .. array("X", 9, {2, 3}, 2, "\1\2\3\4\5"))
    check.fails('array "X"', tide.load, path)
  end)
end

-- ---- SVHN ----

-- Picture k is k everywhere but for its first pixel: row 1, column 2 of channel 3 is 255 - k.
local function svhn_file(labels, side)
  local pictures = {}
  side = side or 32
  for k = 1, #labels do
    local at = 2 * side * side + side -- column-major: rows run fastest
    local all = string.char(k):rep(3 * side * side)
    pictures[k] = all:sub(1, at) .. string.char(255 - k) .. all:sub(at + 2)
  end
  return header .. packed(array("X", 9, {side, side, 3, #labels}, 2, table.concat(pictures)))
    .. packed(array("y", 6, {#labels, 1}, 2, string.char(table.unpack(labels))))
end

tests["svhn: files of our own"] = function()
  check.in_folder(function(folder, write)
    write("train_32x32.mat", svhn_file{1, 10, 9})
    local d = data.svhn{dir = folder}
    shape_is(d.x, 3, 3, 32, 32)
    assert(d.x:dtype() == "float32" and d.y:dtype() == "int64" and table.concat(d.y:totable(),
      " ") == "2 1 10")
    near(d.x[2][1][1][1], 2)
    near(d.x[2][3][1][2], 253)
    near(d.x[2][3][2][1], 2)
    d = data.svhn{dir = folder, n = 2}
    shape_is(d.x, 2, 3, 32, 32)
    shape_is(d.y, 2)
    check.fails({folder .. "/test_32x32.mat was not found", "housenumbers", "TIDE_DATA"}, data.svhn,
      {dir = folder, split = "test"})
    write("train_32x32.mat", svhn_file{1, 11})
    check.fails("holds labels outside 1..10; it is not SVHN", data.svhn, {dir = folder})
    write("train_32x32.mat", svhn_file({1, 2}, 16))
    check.fails("holds X of shape {16, 16, 3, 2} (uint8); it is not SVHN", data.svhn, {dir = folder})
    write("train_32x32.mat", svhn_file({1, 2}):sub(1, 4000))
    check.fails({'array "X": it has shape {32, 32, 3, 2} and is cut off', "train_32x32.mat"}, data.svhn,
      {dir = folder})
  end)
end

tests["svhn: the beginning of the real file"] = function()
  local real, why = check.real_file("svhn/train_32x32.mat.first712704")
  if not real then return why end
  check.in_folder(function(folder)
    assert(os.execute(("cp '%s' '%s/train_32x32.mat'"):format(real, folder)))
    check.fails({'array "X": it has shape {32, 32, 3, 73257} and is cut off',
      "712568 of its 182004347 packed bytes"}, data.svhn, {dir = folder})
  end)
end

-- ---- Tiny ImageNet ----

local function tiny(write, folder)
  assert(os.execute(("mkdir -p '%s'/train/a/images '%s'/train/b/images '%s'/val/images"):format(folder,
    folder, folder)))
  write("wnids.txt", "b\nc\na\n")
  write("train/a/images/a_0.JPEG", colour)
  write("train/b/images/b_0.JPEG", grey)
  write("train/b/images/b_1.JPEG", colour)
  write("train/b/images/notes.txt", "no picture")
  write("val/images/val_0.JPEG", grey)
  write("val/images/val_1.JPEG", colour)
  write("val/val_annotations.txt", "val_0.JPEG\ta\t0\t0\t62\t62\nval_1.JPEG\tz\t0\t0\t62\t62\n")
end

tests["tiny_imagenet: files of our own"] = function()
  check.in_folder(function(folder, write)
    tiny(write, folder)
    local d = data.tiny_imagenet{dir = folder}
    shape_is(d.x, 3, 3, 64, 64)
    -- one of each class in turn, by wnids.txt
    assert(d.x:dtype() == "float32" and table.concat(d.y:totable(), " ") == "1 3 1")
    for channel = 1, 3 do near(d.x[1][channel][1][64], 200) end -- grey
    near(d.x[2][2][64][1], 120)
    d = data.tiny_imagenet{dir = folder, n = 1}
    shape_is(d.x, 1, 3, 64, 64)
    d = data.tiny_imagenet{dir = folder, split = "test"}
    assert(#d.y == 1 and d.y:item() == 3) -- class z is none of ours
    write("val/val_annotations.txt", "no tabs\n")
    check.fails({"val_annotations.txt, line 1", "no tabs"}, data.tiny_imagenet, {dir = folder,
      split = "test"})
    write("train/b/images/b_0.JPEG", grey:sub(1, 150))
    check.fails({"cannot read", "b_0.JPEG"}, data.tiny_imagenet, {dir = folder})
    write("train/b/images/b_0.JPEG", (grey:gsub("\x08\0\x40\0\x40", "\x08\0\x20\0\x20", 1)))
    check.fails("b_0.JPEG", data.tiny_imagenet, {dir = folder})
    write("wnids.txt", "q\n")
    check.fails("holds no pictures of the classes of wnids.txt", data.tiny_imagenet, {dir = folder})
    check.fails("wnids.txt was not found", data.tiny_imagenet, {dir = folder .. "/nowhere"})
  end)
end

tests["tiny_imagenet: the real files"] = function()
  local real, why = check.real_file("tiny-imagenet-200/wnids.txt")
  if not real then return why end
  local d = data.tiny_imagenet{n = 200}
  shape_is(d.x, 200, 3, 64, 64)
  for i = 1, 20 do assert(d.y[i] == (i - 1) % 10 + 1) end
  assert(d.x:min():item() >= 0 and d.x:max():item() == 1)
  local grey_ones = (d.x:slice(2, 1, 1) - d.x:slice(2, 2, 2)):abs():reshape{200,
    -1}:max(2):eq(0):to("int64"):sum():item()
  assert(grey_ones < 10)
  shape_is(data.tiny_imagenet{split = "test"}.x, 500, 3, 64, 64)
end

tests["mutated files give errors, never a crash"] = function()
  local draw = check.draws(7)
  check.in_folder(function(folder, write)
    for name, whole in pairs{["a.jpg"] = colour, ["a.mat"] = svhn_file{1, 2}} do
      for _ = 1, 100 * math.max(1, math.tointeger(os.getenv "TIDE_FUZZ") or 1) do
        local at = draw(name == "a.mat" and 400 or #whole)
        write(name, whole:sub(1, at) .. string.char(draw(256)) .. whole:sub(at + 2, draw(2) == 0
          and draw(#whole) or -1))
        local ok, message = pcall(tide.load, folder .. "/" .. name)
        assert(ok or tostring(message):find("cannot read", 1, true), message)
      end
    end
  end)
end

return tests
