-- Numbers, strings and booleans beside tensors in files: what is saved comes back as what it was, and other
-- programs read it as theirs.

local check = require "check"
local tide = require "tide"

local tests = {}
local extensions = {".npz", ".safetensors"}

local function each_format(fn)
  return function()
    check.in_folder(function(folder)
      for _, extension in ipairs(extensions) do fn(folder .. "/values" .. extension, folder) end
    end)
  end
end

local function bytes_of(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read "a"
end

local function write(path, bytes)
  local file <close> = assert(io.open(path, "wb"))
  assert(file:write(bytes))
end

-- Equal as values: the kind of number, the sign of zero and nan count.
local function same(a, b, where)
  if type(a) == "table" then
    assert(type(b) == "table", where)
    for key, value in pairs(a) do same(value, b[key], where .. "." .. tostring(key)) end
    for key in pairs(b) do assert(a[key] ~= nil, where .. "." .. tostring(key)) end
  elseif type(a) == "userdata" then
    assert(type(b) == "userdata" and a:dtype() == b:dtype() and #a:shape() == #b:shape(), where)
  else
    local equal = a == b and (a ~= 0 or 1 / a == 1 / b) or a ~= a and b ~= b
    if not (equal and type(a) == type(b) and math.type(a) == math.type(b)) then
      error(("%s: %s ~= %s"):format(where, tostring(a), tostring(b)))
    end
  end
end

local function sample()
  return {
    weight = tide.tensor{1, 2, 3}, step = tide.tensor(4, {dtype = "int64"}), loss = tide.tensor(0.5, {
      dtype = "float64"}), flag = tide.tensor(1, {dtype = "uint8"}),
    epoch = 3, lr = 0.1, third = 1 / 3, one = 1.0, huge = 1e300, tiny = 5e-324, large = 2.0 ^ 53,
    most = math.maxinteger, least = math.mininteger, nan = 0 / 0, inf = math.huge, ninf = -math.huge,
    zero = 0, minus = -0.0, exact = 0.1 + 0.2, done = true, never = false,
    name = "spheres", empty = "", text = "é_ß \u{1F600}", lines = "a\nb\t\"c\\ {}_%s", blank = " ",
    quoted = '"quoted"', quote = '"', truth = "true", number = "3", float = "0.1", octal = "007",
    hex = "0x10", infinite = "inf", exponent = "1e5", mark = "tide:values", spaced = " 3", short = "3.",
    config = {solver = {method = "dopri5", steps = 4, rtol = 1e-3}, list = {1, 2.5, "x", true, {"y"}}},
  }
end

tests["plain values come back as what they were"] = each_format(function(path)
  tide.save(path, sample())
  same(sample(), tide.load(path), "")
  local flat = tide.load(path, {flat = true})
  assert(flat["config.solver.method"] == "dopri5" and flat["config.list.2"] == 2.5)
  local few = tide.load(path, {names = {"epoch", "weight", "config.solver.rtol"}})
  same({epoch = 3, weight = tide.zeros{3}, config = {solver = {rtol = 1e-3}}}, few, "")
  check.fails('there is no tensor "epochs" in it', tide.load, path, {names = {"epochs"}})
  -- the same again, and values alone
  local first = bytes_of(path)
  tide.save(path, tide.load(path))
  assert(bytes_of(path) == first)
  tide.save(path, {a = 1, b = {c = "d"}})
  same({a = 1, b = {c = "d"}}, tide.load(path), "")
end)

tests["random numbers come back to the bit"] = each_format(function(path)
  math.randomseed(5)
  local values = {}
  for i = 1, 300 do
    local v = string.unpack("<d", string.pack("<i8", math.random(0)))
    values[i] = i % 3 == 0 and math.random(0) or v == v and v or i
  end
  tide.save(path, {values = values})
  same(values, tide.load(path).values, "values")
end)

tests["a model's own fields are configuration and stay out"] = each_format(function(path)
  local model = tide.nn.mlp{sizes = {2, 3, 1}, seed = 1}
  tide.save(path, {model = model, epoch = 7, name = "mlp"})
  local back = tide.load(path)
  assert(back.epoch == 7 and back.name == "mlp")
  tide.nn.load(model, back.model)
end)

tests["what would not come back is refused before the old file is touched"] = each_format(function(path)
  tide.save(path, {a = 1})
  local before = bytes_of(path)
  check.fails("b.2 is a function; a file holds tensors, numbers, strings, booleans and tables of them only",
    tide.save, path, {b = {1, print}})
  check.fails({"cannot write", "b.name: a text in a file is UTF-8"}, tide.save, path, {b = {name = "\255"}})
  check.fails("b.name: a text in a file has no NUL bytes", tide.save, path, {b = {name = "a\0b"}})
  check.fails('key "a b"', tide.save, path, {["a b"] = 1})
  check.fails('key "1" in the table would come back as an integer', tide.save, path, {["1"] = 1})
  assert(bytes_of(path) == before)
end)

tests["damaged files of values are errors, or still values"] = each_format(function(path)
  tide.save(path, sample())
  local bytes, draw = bytes_of(path), check.draws(1)
  for _ = 1, 200 do
    local at = draw(math.min(#bytes, 3000))
    write(path, bytes:sub(1, at) .. string.char(draw(256)) .. bytes:sub(at + 2))
    local ok, message = pcall(tide.load, path)
    assert(ok or tostring(message):find "cannot read", message)
  end
end)

-- {name = bytes of a .npy file} as a zip file without compression, as numpy.savez makes one; `comments` by
-- name.
local function zip_of(members, comments)
  local parts, directory, offset = {}, {}, 0
  local function crc(text)
    local c = 0xffffffff
    for i = 1, #text do
      c = c ~ text:byte(i)
      for _ = 1, 8 do c = c & 1 == 1 and c >> 1 ~ 0xedb88320 or c >> 1 end
    end
    return c ~ 0xffffffff
  end
  for _, member in ipairs(members) do
    local name, data = member[1] .. ".npy", member[2]
    local common = string.pack("<I2I2I2I2I2I4I4I4I2I2", 20, 0, 0, 0, 0x21, crc(data), #data, #data, #name, 0)
    parts[#parts + 1] = "PK\3\4" .. common .. name .. data
    local comment = comments and comments[member[1]] or ""
    directory[#directory + 1] = "PK\1\2\20\3" .. common
      .. string.pack("<I2I2I2I4I4", #comment, 0, 0, 0, offset) .. name .. comment
    offset = offset + #parts[#parts]
  end
  local central = table.concat(directory)
  return table.concat(parts) .. central
    .. string.pack("<c4I2I2I2I2I4I4I2", "PK\5\6", 0, 0, #members, #members, #central, offset, 0)
end

local function npy(descr, shape, data)
  local header = ("{'descr': '%s', 'fortran_order': False, 'shape': %s, }"):format(descr, shape)
  header = header .. (" "):rep(-(#header + 11) % 64) .. "\n"
  return "\147NUMPY\1\0" .. string.pack("<I2", #header) .. header .. data
end

local function utf32(text)
  local out = {}
  for _, code in utf8.codes(text) do out[#out + 1] = string.pack("<I4", code) end
  return table.concat(out)
end

tests["npz: a text is NumPy's str, and comments are believed only where they are true"] = function()
  check.in_folder(function(folder)
    local path = folder .. "/numpy.npz"
    write(path, zip_of{{"name", npy("<U5", "()", utf32 "aé\u{1F600}b" .. "\0\0\0\0")},
      {"n", npy("<i8", "()", string.pack("<i8", 7))}})
    local back = tide.load(path)
    assert(back.name == "aé\u{1F600}b" and back.n:item() == 7) -- a 0-d array of NumPy is a tensor
    write(path, zip_of({{"n", npy("<i8", "()", string.pack("<i8", 7))}, {"b", npy("|b1", "()", "\1")},
      {"t", npy("|u1", "()", "\2")}, {"x", npy("<f4", "()", string.pack("<f", 1))},
      {"y", npy("<f8", "(1,)", string.pack("<d", 1))}},
      {n = "number", b = "boolean", t = "boolean", x = "number", y = "number"}))
    back = tide.load(path)
    assert(back.n == 7 and back.b == true)
    assert(back.t:dtype() == "uint8" and back.x:dtype() == "float32" and back.y:shape()[1] == 1)
    write(path, zip_of{{"name", npy("<U1", "()", string.pack("<I4", 0xd800))}})
    check.fails({'entry "name.npy"', "character 1 of its text is no code point"}, tide.load, path)
    write(path, zip_of{{"names", npy("<U1", "(2,)", utf32 "ab")}})
    check.fails("unknown dtype '<U1'", tide.load, path)
    -- what is written is what NumPy writes
    tide.save(path, {name = "aé\u{1F600}b", yes = true})
    local bytes = bytes_of(path)
    assert(bytes:find(npy("<U4", "()", utf32 "aé\u{1F600}b"), 1, true))
    assert(bytes:find(npy("|b1", "()", "\1"), 1, true))
  end)
end

tests["safetensors: values are the strings of __metadata__, those of others are left alone"] = function()
  check.in_folder(function(folder)
    local path = folder .. "/hub.safetensors"
    local function file(header, data) write(path, string.pack("<s8", header) .. data) end
    file('{"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"__metadata__":{"format":"pt","n":"3"}}', "\5")
    local back = tide.load(path)
    assert(back.w:item() == 5 and back.format == nil and back.n == nil)
    -- in whatever order
    file('{"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"__metadata__":{"n":"3","a.b":"\\"3\\"",'
      .. '"tide:values":"1","c":"x"}}', "\5")
    same({n = 3, a = {b = "3"}, c = "x", w = tide.tensor({1}, {dtype = "uint8"})}, tide.load(path), "")
    tide.save(path, {w = tide.tensor{1}, n = 3, s = "3", lr = 0.1, q = 'a"b\\\n'})
    local header = string.unpack("<s8", bytes_of(path))
    assert(header:find('{"__metadata__":{"tide:values":"1","lr":"0.1","n":"3","q":"a\\u0022b\\u005c\\u000a",'
      .. '"s":"\\u00223\\u0022"},"w":{', 1, true), header)
    tide.save(path, {w = tide.tensor{1}})
    assert(not bytes_of(path):find("__metadata__", 1, true)) -- without values nothing has changed
  end)
end

return tests
