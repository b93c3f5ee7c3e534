-- test_io.lua -- tide.save, tide.load, tide.read_idx: round trips, files made by NumPy and safetensors,
-- refusals with the reason.
local check = require "check"
local tide = require "tide"

local function unhex(text)
  return (text:gsub("%s", ""):gsub("%x%x", function(pair) return string.char(tonumber(pair, 16)) end))
end

-- Made by numpy 2.4.6 and safetensors 0.8.0 (Python); a = np.arange(6).reshape(2, 3).
local samples = {
  npy_f4 = unhex [[
    934e554d5059010076007b276465736372273a20273c6634272c2027666f727472616e5f6f72646572273a2046616c73652c2027736861
    7065273a2028322c2033292c207d2020202020202020202020202020202020202020202020202020202020202020202020202020202020
    20202020202020202020202020202020200a000000000000003f0000803f0000c03f0000004000002040
  ]],
  npy_f8_big_fortran = unhex [[
    934e554d5059010076007b276465736372273a20273e6638272c2027666f727472616e5f6f72646572273a20547275652c202773686170
    65273a2028322c2033292c207d202020202020202020202020202020202020202020202020202020202020202020202020202020202020
    20202020202020202020202020202020200a00000000000000003fd33333333333343fb999999999999a3fd999999999999a3fc9999999
    99999a3fe0000000000000
  ]],
  npy_i4 = unhex [[
    934e554d5059010076007b276465736372273a20273c6934272c2027666f727472616e5f6f72646572273a2046616c73652c2027736861
    7065273a2028322c2033292c207d2020202020202020202020202020202020202020202020202020202020202020202020202020202020
    20202020202020202020202020202020200afdfffffffeffffffffffffff000000000100000002000000
  ]],
  npy_bool = unhex [[
    934e554d5059010076007b276465736372273a20277c6231272c2027666f727472616e5f6f72646572273a2046616c73652c2027736861
    7065273a2028322c2033292c207d2020202020202020202020202020202020202020202020202020202020202020202020202020202020
    20202020202020202020202020202020200a010001000100
  ]],
  npy_scalar_v2 = unhex [[
    934e554d50590200740000007b276465736372273a20273c6938272c2027666f727472616e5f6f72646572273a2046616c73652c202773
    68617065273a2028292c207d20202020202020202020202020202020202020202020202020202020202020202020202020202020202020
    20202020202020202020202020202020200a0700000000000000
  ]],
  npy_empty = unhex [[
    934e554d5059010076007b276465736372273a20277c7531272c2027666f727472616e5f6f72646572273a2046616c73652c2027736861
    7065273a2028302c2033292c207d2020202020202020202020202020202020202020202020202020202020202020202020202020202020
    20202020202020202020202020202020200a
  ]],
  npy_object = unhex [[
    934e554d5059010076007b276465736372273a20277c4f272c2027666f727472616e5f6f72646572273a2046616c73652c202773686170
    65273a2028322c292c207d2020202020202020202020202020202020202020202020202020202020202020202020202020202020202020
    20202020202020202020202020202020200a8004958e000000000000008c166e756d70792e5f636f72652e6d756c74696172726179948c
    0c5f7265636f6e7374727563749493948c056e756d7079948c076e6461727261799493944b0085944301629487945294284b014b028594
    68038c0564747970659493948c024f3894898887945294284b038c017c944e4e4e4affffffff4affffffff4b3f749462895d94287d944b
    01657494622e
  ]],
  npz_stored = unhex [[
    504b03042d0000000000000021000bc0b076ffffffffffffffff05001400772e6e70790100100098000000000000009800000000000000
    934e554d5059010076007b276465736372273a20273c6634272c2027666f727472616e5f6f72646572273a2046616c73652c2027736861
    7065273a2028322c2033292c207d2020202020202020202020202020202020202020202020202020202020202020202020202020202020
    20202020202020202020202020202020200a000000000000003f0000803f0000c03f0000004000002040504b03042d0000000000000021
    006202655fffffffffffffffff0e0014006c61796572732e312e622e6e70790100100082000000000000008200000000000000934e554d
    5059010076007b276465736372273a20277c7531272c2027666f727472616e5f6f72646572273a2046616c73652c20277368617065273a
    2028322c292c207d2020202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020
    202020202020202020202020200a0102504b01022d032d0000000000000021000bc0b07698000000980000000500000000000000000000
    00800100000000772e6e7079504b01022d032d0000000000000021006202655f82000000820000000e00000000000000000000008001cf
    0000006c61796572732e312e622e6e7079504b050600000000020002006f000000910100000000
  ]],
  npz_deflated = unhex [[
    504b03042d0000000800000021000bc0b076ffffffffffffffff05001400772e6e70790100100098000000000000005700000000000000
    9bec17ea1b10c9c850c650ad9e925a9c5ca46ea5a06e9366a2aea3a09e965f54529498179f5f94920a12774bcc294e058a17672416a402
    f91a463a0ac69a3a0ab50a64032e0608b067606800e20340cce0c0c0a0e00000504b03042d0000000800000021006202655fffffffffff
    ffffff0e0014006c61796572732e312e622e6e707901001000820000000000000046000000000000009bec17ea1b10c9c850c650ad9e92
    5a9c5ca46ea5a05e536aa8aea3a09e965f54529498179f5f94920a12774bcc294e058a17672416a402f91a463a9a3a0ab50a14002e4626
    00504b01022d032d0000000800000021000bc0b0765700000098000000050000000000000000000000800100000000772e6e7079504b01
    022d032d0000000800000021006202655f46000000820000000e000000000000000000000080018e0000006c61796572732e312e622e6e
    7079504b050600000000020002006f000000140100000000
  ]],
  npz_zip64 = unhex [[
    504b03042d0000000000eabb745d0bc0b076ffffffffffffffff05001400772e6e70790100100098000000000000009800000000000000
    934e554d5059010076007b276465736372273a20273c6634272c2027666f727472616e5f6f72646572273a2046616c73652c2027736861
    7065273a2028322c2033292c207d2020202020202020202020202020202020202020202020202020202020202020202020202020202020
    20202020202020202020202020202020200a000000000000003f0000803f0000c03f0000004000002040504b01022d032d0000000000ea
    bb745d0bc0b076ffffffffffffffff050014000000000000000000800100000000772e6e70790100100098000000000000009800000000
    000000504b06062c000000000000002d002d000000000000000000010000000000000001000000000000004700000000000000cf000000
    00000000504b060700000000160100000000000001000000504b0506000000000100010047000000cf0000000000
  ]],
  npz_clash = unhex [[
    504b03042d00000008000000210021fc5023ffffffffffffffff05001400612e6e70790100100088000000000000004700000000000000
    9bec17ea1b10c9c850c650ad9e925a9c5ca46ea5a06e9366a1aea3a09e965f54529498179f5f94920a12774bcc294e058a17672416a402
    f91a9a3a0ab50a14012e0630f8600f00504b03042d000000080000002100317156f7ffffffffffffffff07001400612e622e6e70790100
    1000880000000000000046000000000000009bec17ea1b10c9c850c650ad9e925a9c5ca46ea5a06e9366a1aea3a09e965f54529498179f
    5f94920a12774bcc294e058a17672416a402f91a9a3a0ab50a14012e0608700000504b01022d032d00000008000000210021fc50234700
    000088000000050000000000000000000000800100000000612e6e7079504b01022d032d000000080000002100317156f7460000008800
    000007000000000000000000000080017e000000612e622e6e7079504b0506000000000200020068000000fd0000000000
  ]],
  safetensors = unhex [[
    d8000000000000007b225f5f6d657461646174615f5f223a7b226279223a226e756d7079227d2c2277223a7b226474797065223a224633
    32222c227368617065223a5b322c335d2c22646174615f6f666673657473223a5b302c32345d7d2c226c61796572732e322e62223a7b22
    6474797065223a22493332222c227368617065223a5b315d2c22646174615f6f666673657473223a5b32342c32385d7d2c226c61796572
    732e312e62223a7b226474797065223a225538222c227368617065223a5b325d2c22646174615f6f666673657473223a5b32382c33305d
    7d7d2020000000000000003f0000803f0000c03f0000004000002040ffffffff0102
  ]],
  -- Made by hand with zlib 1.3; 3 x 2 pixels unless the test says otherwise.
  png_palette = unhex [[
    89504e470d0a1a0a0000000d4948445200000003000000020203000000e01a8e8900000009504c5445ff000000ff000000ff2d4acd8a00
    00000274524e53ff80080fb36a0000000c4944415478da63906098000000dc00a9521a138f0000000049454e44ae426082
  ]],
  png_bits = unhex [[
    89504e470d0a1a0a0000000d4948445200000003000000020100000000b50f5bb70000000c4944415478da6358c0e00000022400e14d16
    e85e0000000049454e44ae426082
  ]],
  png_interlaced = unhex [[
    89504e470d0a1a0a0000000d4948445200000003000000020800000001cf180950000000124944415478da63e06290631061d030b20100
    02b200d3e5a3a5ab0000000049454e44ae426082
  ]],
  png_16 = unhex [[
    89504e470d0a1a0a0000000d49484452000000010000000110000000006aee47160000000b4944415478da636064020000070004e5ed94
    cf0000000049454e44ae426082
  ]],
  png_rgb_filtered = unhex [[
    89504e470d0a1a0a0000000d49484452000000020000000108020000007b40e8dd0000000d74455874436f6d6d656e740068656c6c6fe6
    ffae240000000f4944415478da63646462e612910300008e00440e857f650000000049454e44ae426082
  ]],
}

local idx_bytes = "\0\0\8\2\0\0\0\2\0\0\0\3\1\2\3\4\5\6"

-- A path in a folder that is removed when the test ends, also by an error.
local function with_path(extension, fn)
  return check.in_folder(function(folder) return fn(folder .. "/file" .. extension) end)
end

local function write_file(path, bytes)
  local file = assert(io.open(path, "wb"))
  assert(file:write(bytes))
  assert(file:close())
end

local function read_file(path)
  local file = assert(io.open(path, "rb"))
  local bytes = file:read "a"
  file:close()
  return bytes
end

local function load_bytes(extension, bytes)
  local result
  with_path(extension, function(path)
    write_file(path, bytes)
    result = tide.load(path)
  end)
  return result
end

local function flat(value, out)
  out = out or {}
  if type(value) ~= "table" then
    out[#out + 1] = value
  else
    for _, item in ipairs(value) do flat(item, out) end
  end
  return out
end

-- Same dtype, shape and values?
local function is(tensor, dtype, shape, values)
  assert(tensor:dtype() == dtype, tensor:dtype())
  assert(table.concat(tensor:shape(), ",") == table.concat(shape, ","), table.concat(tensor:shape(), ","))
  local got = #shape == 0 and {tensor:item()} or flat(tensor:totable())
  assert(#got == #values, #got)
  for i, value in ipairs(values) do assert(got[i] == value, ("value %d: %s"):format(i, got[i])) end
end

local halves = {0, 0.5, 1, 1.5, 2, 2.5}

local tests = {}

tests["npy round trip"] = function()
  for _, dtype in ipairs {"float32", "float64", "int64", "uint8"} do
    local x = tide.tensor({{1, 2, 3}, {4, 5, 6}}, {dtype = dtype})
    with_path(".npy", function(path)
      tide.save(path, x)
      is(tide.load(path), dtype, {2, 3}, {1, 2, 3, 4, 5, 6})
      tide.save(path, x:transpose(1, 2))
      is(tide.load(path), dtype, {3, 2}, {1, 4, 2, 5, 3, 6})
      tide.save(path, tide.zeros({0, 2}, {dtype = dtype}))
      is(tide.load(path), dtype, {0, 2}, {})
      tide.save(path, tide.tensor(7, {dtype = dtype}))
      is(tide.load(path), dtype, {}, {7})
    end)
  end
end

tests["npy of numpy"] = function()
  is(load_bytes(".npy", samples.npy_f4), "float32", {2, 3}, halves)
  is(load_bytes(".npy", samples.npy_f8_big_fortran), "float64", {2, 3}, {0, 0.1, 0.2, 3 * 0.1, 0.4, 0.5})
  is(load_bytes(".npy", samples.npy_i4), "int64", {2, 3}, {-3, -2, -1, 0, 1, 2})
  is(load_bytes(".npy", samples.npy_bool), "uint8", {2, 3}, {1, 0, 1, 0, 1, 0})
  is(load_bytes(".npy", samples.npy_scalar_v2), "int64", {}, {7})
  is(load_bytes(".npy", samples.npy_empty), "uint8", {0, 3}, {})
  check.fails("Python objects are never loaded", load_bytes, ".npy", samples.npy_object)
end

tests["npy has numpy's bytes"] = function()
  with_path(".npy", function(path)
    tide.save(path, tide.tensor {{0, 0.5, 1}, {1.5, 2, 2.5}})
    assert(read_file(path) == samples.npy_f4)
  end)
end

tests["special values keep their bits"] = function()
  for _, extension in ipairs {".npz", ".safetensors"} do
    with_path(extension, function(path)
      local x = tide.tensor({0 / 0, 1 / 0, -1 / 0, -0.0, 5e-324, 1.7976931348623157e308}, {dtype = "float64"})
      tide.save(path, {x = x, big = tide.tensor({math.maxinteger, math.mininteger}, {dtype = "int64"})})
      local back = tide.load(path)
      local values = back.x:totable()
      assert(values[1] ~= values[1] and values[2] == 1 / 0 and values[3] == -1 / 0 and 1 / values[4] == -1
        / 0)
      assert(values[5] == 5e-324 and values[6] == 1.7976931348623157e308)
      is(back.big, "int64", {2}, {math.maxinteger, math.mininteger})
    end)
  end
end

tests["nested tables"] = function()
  for _, extension in ipairs {".npz", ".safetensors", ".NPZ"} do
    with_path(extension, function(path)
      tide.save(path, {
        layers = {{weight = tide.tensor {1, 2}, bias = tide.tensor {3}}, {weight = tide.tensor {4}}},
        step = tide.tensor(12, {dtype = "int64"}),
        odd = {[-5] = tide.tensor {6}, [0] = tide.tensor {7}, ["a-b_01"] = tide.tensor {8},
          ["007"] = tide.tensor {9}},
      })
      local back = tide.load(path)
      assert(#back.layers == 2)
      is(back.layers[1].weight, "float32", {2}, {1, 2})
      is(back.layers[1].bias, "float32", {1}, {3})
      is(back.layers[2].weight, "float32", {1}, {4})
      is(back.step, "int64", {}, {12})
      is(back.odd[-5], "float32", {1}, {6})
      is(back.odd[0], "float32", {1}, {7})
      is(back.odd["a-b_01"], "float32", {1}, {8})
      is(back.odd["007"], "float32", {1}, {9})
      tide.save(path, {})
      assert(next(tide.load(path)) == nil)
    end)
  end
end

tests["equal tables make equal files"] = function()
  for _, extension in ipairs {".npz", ".safetensors"} do
    with_path(extension, function(path)
      local forward, backward = {}, {}
      for i = 1, 20 do forward["k" .. i] = tide.tensor {i} end
      for i = 20, 1, -1 do backward["k" .. i] = tide.tensor {i} end
      tide.save(path, forward)
      local bytes = read_file(path)
      tide.save(path, backward)
      assert(read_file(path) == bytes)
    end)
  end
end

tests["models are saved without their configuration"] = function()
  local model = setmetatable({w = tide.tensor {1}, act = "relu", sizes = {2, 3},
    part = {f = print, b = tide.tensor {2}}},
    {__call = function() end})
  with_path(".npz", function(path)
    tide.save(path, {model = model, extra = tide.tensor {3}})
    local back = tide.load(path)
    is(back.model.w, "float32", {1}, {1})
    is(back.model.part.b, "float32", {1}, {2})
    assert(back.model.act == nil and back.model.sizes == nil)
    check.fails("a.b is a function", tide.save, path, {a = {b = print}})
  end)
end

tests["npz and safetensors of others"] = function()
  for _, name in ipairs {"npz_stored", "npz_deflated", "npz_zip64", "safetensors"} do
    local back = load_bytes(name == "safetensors" and ".safetensors" or ".npz", samples[name])
    is(back.w, "float32", {2, 3}, halves)
    if name ~= "npz_zip64" then is(back.layers[1].b, "uint8", {2}, {1, 2}) end
    if name == "safetensors" then is(back.layers[2].b, "int64", {1}, {-1}) end
  end
end

-- A file by hand: entries are {name, dtype, shape, data}.
local function safetensors_bytes(entries)
  local header, data = {}, ""
  for i, e in ipairs(entries) do
    header[i] = ('"%s":{"dtype":"%s","shape":[%s],"data_offsets":[%d,%d]}'):format(e[1], e[2],
      table.concat(e[3], ","), #data, #data + #e[4])
    data = data .. e[4]
  end
  return ("<s8"):pack("{" .. table.concat(header, ",") .. "}") .. data
end

tests["names that nest load flat, with their tensors"] = function()
  local back = load_bytes(".npz", samples.npz_clash)
  assert(back.a:dtype() == "float64" and back["a.b"]:dtype() == "float64")
  back = load_bytes(".safetensors", safetensors_bytes{{"m", "U8", {}, "\1"}, {"m.1.w", "U8", {}, "\2"},
    {"x.1", "U8", {}, "\3"}})
  assert(back.m:item() == 1 and back["m.1.w"]:item() == 2 and back["x.1"]:item() == 3)
  with_path(".safetensors", function(path)
    tide.save(path, {a = {tide.tensor {1}}})
    is(tide.load(path).a[1], "float32", {1}, {1})
    is(tide.load(path, {flat = true})["a.1"], "float32", {1}, {1})
  end)
end

tests["half precision widens exactly"] = function()
  local halves_bytes = "\0\60\0\192\1\0\255\123\0\252" -- 1, -2, the smallest, the largest, -inf
  local values = {1, -2, 2 ^ -24, 65504, -math.huge}
  local header = "{'descr': '<f2', 'fortran_order': False, 'shape': (5,), }\n"
  is(load_bytes(".npy", "\x93NUMPY\1\0" .. ("<s2"):pack(header) .. halves_bytes), "float32", {5}, values)
  local back = load_bytes(".safetensors", safetensors_bytes{
    {"h", "F16", {5}, halves_bytes}, {"b", "BF16", {2, 2}, "\128\63\0\192\127\127\1\0"},
    {"w", "F32", {}, "\0\0\0\63"},
    {"u", "U64", {1}, "\255\255\255\255\255\255\255\127"}, {"s", "I8", {2}, "\128\127"},
    {"t", "BOOL", {2}, "\1\0"},
  })
  is(back.h, "float32", {5}, values)
  is(back.b, "float32", {2, 2}, {1, -2, 0x1.fep+127, 0x1p-133})
  is(back.w, "float32", {}, {0.5})
  is(back.u, "int64", {1}, {math.maxinteger})
  is(back.s, "int64", {2}, {-128, 127})
  is(back.t, "uint8", {2}, {1, 0})
end

tests["a tensor that cannot be read leaves the others readable"] = function()
  with_path(".safetensors", function(path)
    write_file(path, safetensors_bytes{{"q", "F8_E5M2", {2}, "\1\2"}, {"u", "U64", {}, ("\255"):rep(8)},
      {"w", "U8", {2}, "\1\2"}})
    check.fails({'tensor "q": its dtype F8_E5M2 cannot be read', 'names = {"u", "w"}'}, tide.load, path)
    check.fails({'tensor "u": it holds the uint64 18446744073709551615', 'names = {"w"}'}, tide.load, path,
      {names = {"u", "w"}})
    local back = tide.load(path, {names = {"w"}})
    is(back.w, "uint8", {2}, {1, 2})
    assert(back.q == nil and back.u == nil and next(tide.load(path, {names = {}})) == nil)
    check.fails('no tensor "v" in it; it holds "u", "w"', tide.load, path, {names = {"w", "v"}})
    check.fails('option names: the name "w" occurs twice', tide.load, path, {names = {"w", "w"}})
    check.fails("option names must be a list of names, got string", tide.load, path, {names = "w"})
    check.fails("option names must be a list of names, got number at 1", tide.load, path, {names = {1}})
    check.fails("option flat must be true or false, got 1", tide.load, path, {flat = 1})
  end)
end

tests["every truncation is an error"] = function()
  for name, bytes in pairs(samples) do
    local extension = "." .. (name:match "^np[yz]" or name:match "^png" or "safetensors")
    with_path(extension, function(path)
      for n = 0, #bytes - 1, 7 do
        write_file(path, bytes:sub(1, n))
        check.fails(('load: cannot read "%s": '):format(path), tide.load, path)
      end
      write_file(path, bytes .. "\0")
      check.fails(('load: cannot read "%s": '):format(path), tide.load, path)
    end)
  end
end

tests["messages"] = function()
  with_path(".npy", function(path)
    write_file(path, samples.npy_f4:sub(1, -5))
    local expected = ('load: cannot read "%s": header says 6 elements of float32 (24 bytes), the file holds '
      .. '20'):format(path)
    check.fails(expected, tide.load, path)
    check.fails("test_io.lua:", function() local x = tide.load(path); return x end)
  end)
  check.fails("No such file", tide.load, "/nowhere/x.npy")
  check.fails('save: cannot write "/nowhere/x.npy": ', tide.save, "/nowhere/x.npy", tide.tensor {1})
  check.fails('valid are ".npy", ".npz", ".safetensors"', tide.load, "x.csv")
  check.fails('valid are ".npy", ".npz", ".safetensors"', tide.save, "noextension", tide.tensor {1})
  check.fails("tide.csv.read", tide.load, "x.csv")
  check.fails("safetensors.torch.save_file", tide.load, "model.PT")
  check.fails("NUL", tide.load, "a\0b.npy")
  check.fails("empty", tide.load, "")
  check.fails("load: the path must be a string, got no value", tide.load)
  check.fails("load: the path must be a string, got table", tide.load, {})
  check.fails("save: a tensor or a table of tensors is expected, got no value", tide.save, "x.npy")
  check.fails("save: a tensor or a table of tensors is expected, got number", tide.save, "x.npz", 3)
  check.fails("holds one tensor", tide.save, "x.npy", {a = tide.tensor {1}})
  check.fails("holds a table", tide.save, "x.npz", tide.tensor {1})
  check.fails("2 arguments", tide.save, "x.npy", tide.tensor {1}, 3)
end

tests["keys that would not come back are refused"] = function()
  local x = tide.tensor {1}
  for _, key in ipairs {"a.b", "", "a/b", "a b", "\0", "é", "a\n", "..", "."} do
    check.fails(("key \"%s\" in deep.1"):format(key:match "^[^\0]*"), tide.save, "/nowhere/x.npz",
      {deep = {{[key] = x}}})
  end
  check.fails('key "1" in the table would come back as an integer', tide.save, "/nowhere/x.npz", {["1"] = x})
  check.fails("key 1.5 in a must be a string or an integer", tide.save, "/nowhere/x.npz", {a = {[1.5] = x}})
  check.fails("key true", tide.save, "/nowhere/x.npz", {[true] = x})
  local cycle = {}
  cycle.again = cycle
  check.fails("nested deeper than 100", tide.save, "/nowhere/x.npz", cycle)
end

tests["a failed save keeps the old file"] = function()
  with_path(".safetensors", function(path)
    tide.save(path, {x = tide.tensor {1, 2}})
    check.fails("__metadata__", tide.save, path, {x = tide.tensor {3}, __metadata__ = tide.tensor {4}})
    is(tide.load(path).x, "float32", {2}, {1, 2})
  end)
end

tests["options"] = function()
  with_path(".npz", function(path)
    write_file(path, samples.npz_deflated)
    is(tide.load(path, {limit = 1000}).w, "float32", {2, 3}, halves)
    check.fails("limit", tide.load, path, {limit = 100})
    check.fails('unknown option limits; valid are "limit", "names", "flat"', tide.load, path, {limits = 100})
    check.fails('unknown option names; valid is "limit"', tide.load, "x.npy", {names = {}})
    check.fails('unknown option 1; valid is "limit"', tide.read_idx, path, {100})
    check.fails("got 3 arguments", tide.load, path, {}, 1)
    check.fails("option limit must be a number of bytes, got -1", tide.load, path, {limit = -1})
    check.fails("option limit must be a number of bytes, got 1000", tide.load, path, {limit = "1000"})
    check.fails("options must be a table, got number", tide.load, path, 1000)
  end)
end

tests["png"] = function()
  is(load_bytes(".png", samples.png_palette), "uint8", {4, 2, 3},
    {255, 0, 0, 0, 0, 255, 0, 255, 0, 0, 255, 0, 0, 0, 255, 255, 0, 0, 255, 128, 255, 255, 128, 255})
  is(load_bytes(".png", samples.png_bits), "uint8", {1, 2, 3}, {255, 0, 255, 0, 255, 0})
  is(load_bytes(".png", samples.png_interlaced), "uint8", {1, 2, 3}, {10, 20, 30, 40, 50, 60})
  is(load_bytes(".png", samples.png_rgb_filtered), "uint8", {3, 1, 2}, {1, 11, 2, 22, 3, 33})
  check.fails("16 bits per sample", load_bytes, ".png", samples.png_16)
  with_path(".png", function(path)
    for channels = 1, 4 do
      local x = (tide.rand({channels, 9, 5}, {seed = channels}) * 256):to "uint8"
      tide.save(path, x)
      is(tide.load(path), "uint8", {channels, 9, 5}, flat(x:totable()))
      tide.save(path, x:transpose(2, 3))
      is(tide.load(path), "uint8", {channels, 5, 9}, flat(x:transpose(2, 3):totable()))
    end
    tide.save(path, tide.tensor {{-1, 0, 0.5, 1}, {1 / 255, 1.4 / 255, 1.6 / 255, 1 / 0}})
    is(tide.load(path), "uint8", {1, 2, 4}, {0, 0, 128, 255, 1, 1, 2, 255})
    tide.save(path, tide.tensor({{{0.2}}}, {dtype = "float64"}))
    is(tide.load(path), "uint8", {1, 1, 1}, {51})
    check.fails(('save: cannot write "%s": the value in channel 1, row 1, column 2 is NaN'):format(path),
      tide.save, path,
      tide.tensor {{0, 0 / 0}})
    check.fails("C,H,W with 1 to 4 channels C, got {5, 2, 2}", tide.save, path, tide.zeros {5, 2, 2})
    check.fails("got {2}", tide.save, path, tide.zeros {2})
    check.fails("got {0, 3}", tide.save, path, tide.zeros {0, 3})
    check.fails("not of int64", tide.save, path, tide.zeros({2, 2}, {dtype = "int64"}))
    is(tide.load(path), "uint8", {1, 1, 1}, {51})
    check.fails("a .png file holds one tensor", tide.save, path, {x = tide.zeros {2, 2}})
    write_file(path, samples.png_palette)
    check.fails("3 x 2 pixels need 24 bytes; the limit is 23", tide.load, path, {limit = 23})
    check.fails(('load: cannot read "%s": it is no PNG file'):format(path), function()
      write_file(path, idx_bytes)
      tide.load(path)
    end)
  end)
end

tests["mutated png"] = function()
  local draw = check.draws(1)
  with_path(".png", function(path)
    for _, name in ipairs {"png_palette", "png_interlaced", "png_rgb_filtered"} do
      for _ = 1, 100 * math.max(1, math.tointeger(os.getenv "TIDE_FUZZ") or 1) do
        local at = draw(#samples[name])
        write_file(path, samples[name]:sub(1, at) .. string.char(draw(256)) .. samples[name]:sub(at + 2))
        local ok, message = pcall(tide.load, path)
        assert(ok or tostring(message):find "cannot read", message)
      end
    end
  end)
end

tests["read_idx"] = function()
  with_path(".idx", function(path)
    write_file(path, idx_bytes)
    is(tide.read_idx(path), "uint8", {2, 3}, {1, 2, 3, 4, 5, 6})
    write_file(path, "\0\0\x0d\1\0\0\0\2\x3f\x80\0\0\xc0\0\0\0")
    is(tide.read_idx(path), "float32", {2}, {1, -2})
    write_file(path, idx_bytes .. "\0")
    check.fails("header says 6 elements of uint8 (6 bytes), the file holds 7", tide.read_idx, path)
    write_file(path, "\0\0\8\3\x7f\xff\xff\xff\x7f\xff\xff\xff\x7f\xff\xff\xff")
    check.fails(('read_idx: cannot read "%s": header says a shape'):format(path), tide.read_idx, path)
    write_file(path, "PK\3\4")
    check.fails("it is no idx file", tide.read_idx, path)
  end)
end

tests["read_bytes"] = function()
  with_path(".bin", function(path)
    write_file(path, "\0\1\255")
    is(tide.read_bytes(path), "uint8", {3}, {0, 1, 255})
    write_file(path, "")
    assert(#tide.read_bytes(path) == 0)
    os.execute(("printf abcabcabc | gzip -c > '%s'"):format(path))
    is(tide.read_bytes(path), "uint8", {9}, {97, 98, 99, 97, 98, 99, 97, 98, 99})
    check.fails("more than 8 bytes", tide.read_bytes, path, {limit = 8})
    write_file(path, "\x1f\x8b\8oops")
    check.fails(('read_bytes: cannot read "%s"'):format(path), tide.read_bytes, path)
    check.fails("read_bytes: cannot read", tide.read_bytes, "/nowhere/x.bin")
  end)
end

tests["MNIST"] = function()
  local name, why = check.real_file("mnist/t10k-labels-idx1-ubyte")
  if not name then return why end
  local labels = tide.read_idx(name)
  assert(labels:dtype() == "uint8" and labels:shape()[1] == 10000 and #labels:shape() == 1)
  local counts = {}
  for _, label in ipairs(labels:totable()) do counts[label] = (counts[label] or 0) + 1 end
  for label, count in pairs {[0] = 980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009} do
    assert(counts[label] == count)
  end
  local images = tide.read_idx((check.real_file("mnist/t10k-images-idx3-ubyte")))
  assert(table.concat(images:shape(), "x") == "10000x28x28" and images:dtype() == "uint8")
  check.fails("limit", tide.read_idx, name, {limit = 10000})
end

tests["repeated loads and errors leave nothing behind"] = function()
  with_path(".npz", function(path)
    write_file(path, samples.npz_deflated)
    collectgarbage()
    for _ = 1, 200 do
      tide.load(path)
      pcall(tide.load, path, {limit = 100})
      pcall(tide.save, "/nowhere/x.npz", {a = tide.tensor {1}})
    end
    write_file(path, samples.npz_clash)
    for _ = 1, 200 do assert(not pcall(tide.load, path, {names = {"a", "c"}})) end
    collectgarbage()
    if tide.memory then
      local before = tide.memory()
      for _ = 1, 100 do pcall(tide.load, path) end
      collectgarbage()
      collectgarbage()
      local after = tide.memory()
      assert(type(before) ~= "table" or before.live_bytes == nil or after.live_bytes <= before.live_bytes)
    end
  end)
end

return tests
