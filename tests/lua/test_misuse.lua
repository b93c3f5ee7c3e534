-- Misuse of tensors and derivatives: each error says which argument, what came and what was expected; nothing
-- crashes.
local check = require "check"
local tide = require "tide"
local core = tide.core

local x = tide.tensor{{1, 2, 3}, {4, 5, 6}}
local closed = tide.ones{2}
closed:close()
local deep = {}
do
  local t = deep
  for _ = 1, 300 do t[1] = {} t = t[1] end
end
local cyclic = {}
cyclic[1] = cyclic
local hostile = setmetatable({}, {__index = function() error("index") end, __len = function()
  error("length")
end})
local junk = {false, true, "1e9", "x", math.type, coroutine.create(math.type), io.stdout, hostile, cyclic,
  deep, 1.5, -1, 0 / 0, math.huge,
  -math.huge, math.mininteger, math.maxinteger, 2 ^ 53 + 1, {}, {0}, {-1, 4}, {2.5}, {2 ^ 31, 2 ^ 31},
  {1 << 62, 4}, {0 / 0},
  {1, 1, 1, 1, 1, 1, 1, 1, 1}, {1, nil, 3}, {n = 1}, closed, core}

-- {text that the message must hold, function}
local rows = {
  -- shapes
  ["shape: number"] = {"shape must be a table such as {2, 3}, got 3", function() tide.zeros(3) end},
  ["shape: nil"] = {"shape must be a table", function() tide.ones() end},
  ["shape: negative"] = {"axis 1 has size %-1", function() tide.zeros{-1, 4} end},
  ["shape: fraction"] = {"shape: entry 1 must be an integer, got 2.5", function() tide.zeros{2.5} end},
  ["shape: NaN"] = {"shape: entry 1 must be an integer", function() tide.zeros{0 / 0} end},
  ["shape: string"] = {"shape: entry 1 must be an integer, got 3", function() tide.zeros{"3"} end},
  ["shape: huge"] = {"sizes lie in 0..2147483647", function() tide.zeros{1 << 62, 4} end},
  ["shape: overflow"] = {"more than 2%^63 bytes", function()
    tide.zeros{2147483647, 2147483647, 2147483647}
  end},
  ["shape: more than there is memory"] = {"out of memory", function() tide.zeros{2147483647, 1048576} end},
  ["shape: rank 9"] = {"9 entries, at most 8", function() tide.zeros{1, 1, 1, 1, 1, 1, 1, 1, 1} end},
  ["shape: holes"] = {"shape", function() tide.zeros{1, nil, 3} end},
  ["shape: names"] = {"without holes or names; it has a key n", function() tide.zeros{1, n = 2} end},
  -- indices
  ["index: 0"] = {"index 0 out of range %[1, 2%]", function() return x[0] end},
  ["index: n + 1"] = {"index 3 out of range", function() return x[3] end},
  ["index: -n - 1"] = {"index %-3 out of range", function() return x[-3] end},
  ["index: 2^53 + 1"] = {"out of range", function() return x[2 ^ 53 + 1] end},
  ["index: mininteger"] = {"out of range", function() return x[math.mininteger] end},
  ["index: 1.5"] = {"indexed by integers, got 1.5", function() return x[1.5] end},
  ["index: NaN"] = {"indexed by integers", function() return x[0 / 0] end},
  ["index: table"] = {"a list of numbers was expected, got a table with the key a", function()
    return x[{a = 1}]
  end},
  ["index: scalar"] = {"scalar tensor .* cannot be indexed; use x:item", function()
    return tide.tensor(1)[1]
  end},
  ["assign: string"] = {"set to a number or a tensor, got string", function() x[1] = "a" end},
  ["assign: field"] = {"only elements x%[i%]", function() x.name = 1 end},
  ["assign: shape"] = {"cannot assign a tensor of shape {2} to an element of shape {3}", function()
    x[1] = tide.ones{2}
  end},
  ["assign: does not fit"] = {"number 300.0 does not fit a tensor of dtype uint8", function()
    tide.zeros({2}, {dtype = "uint8"})[1] = 300
  end},
  ["length of a scalar"] = {"no length; use x:item", function() return #tide.tensor(1) end},
  ["item of many"] = {"exactly one element, it has shape {2, 3}", function() return x:item() end},
  -- dtypes
  ["dtype: unknown"] = {'unknown dtype "f16"; valid are "float32"', function()
    tide.zeros({1}, {dtype = "f16"})
  end},
  ["dtype: case"] = {'unknown dtype "F32"', function() return x:to("F32") end},
  ["dtype: empty"] = {'unknown dtype ""', function() return x:to("") end},
  ["dtype: number"] = {"dtype must be a string", function() return x:to(32) end},
  ["dtype: missing"] = {"to: a dtype is missing", function() return x:to() end},
  ["dtype: option type"] = {"option dtype must be a string, got 3", function()
    tide.zeros({1}, {dtype = 3})
  end},
  ["dtype: random integers"] = {'random numbers are float32 or float64, got dtype "int64"',
    function() tide.randn({1}, {dtype = "int64"}) end},
  ["options: unknown"] = {'unknown option "dtyp" %(did you mean "dtype"%?%)', function()
    tide.zeros({1}, {dtyp = "float32"})
  end},
  ["options: a list"] = {"nn.mlp: unknown option in a list, where options have names: ", function()
    tide.nn.mlp{2, 32, 2}
  end},
  ["ipairs over a tensor"] = {"a loop over it is for i = 1, #x, not ipairs", function()
    for _ in ipairs(tide.ones{2}) do end -- luacheck: ignore
  end},
  ["options: no table"] = {"options must be a table, got \"float64\"; write {dtype = \"float64\"}", function()
    tide.zeros({1}, "float64")
  end},
  ["number does not fit"] = {"number 1.5 does not fit a tensor of dtype int64", function()
    return tide.ones({1}, {dtype = "int64"}) + 1.5
  end},
  ["full does not fit"] = {"number %-1.0 does not fit a tensor of dtype uint8", function()
    tide.full({1}, -1, {dtype = "uint8"})
  end},
  ["arange does not fit"] = {"number 300.0 does not fit", function()
    tide.arange(1, 300, {dtype = "uint8"})
  end},
  ["arange of fractions"] = {"number 0.5 does not fit", function()
    tide.arange(0, 1, 0.5, {dtype = "int64"})
  end},
  -- creation
  ["tensor: nil"] = {"expected a nested table, a number or a tensor, got nil", function() tide.tensor() end},
  ["tensor: string"] = {'got "1e9"', function() tide.tensor("1e9") end},
  ["tensor: ragged"] = {"ragged: at depth 2 a list of 2 elements was expected", function()
    tide.tensor{{1, 2}, {3}}
  end},
  ["tensor: mixed depth"] = {"ragged", function() tide.tensor{{1, 2}, 3} end},
  ["tensor: element"] = {"element 2 must be a number, got a string", function() tide.tensor{1, "2"} end},
  ["tensor: names"] = {"a list of numbers was expected, got a table with the key a", function()
    tide.tensor{a = 1}
  end},
  ["tensor: too deep"] = {"nested more than 8 deep", function() tide.tensor(deep) end},
  ["tensor: cyclic"] = {"nested more than 8 deep", function() tide.tensor(cyclic) end},
  ["tensor: fraction"] = {"element 1 is 1.5, which int64 cannot hold", function()
    tide.tensor({1.5}, {dtype = "int64"})
  end},
  ["tensor: 2^63"] = {"int64 cannot hold", function() tide.tensor({2 ^ 63}, {dtype = "int64"}) end},
  ["tensor: 256"] = {"uint8 cannot hold", function() tide.tensor({256}, {dtype = "uint8"}) end},
  ["full: value"] = {"tide.full: value must be a number, got \"a\"", function() tide.full({1}, "a") end},
  ["arange: nil"] = {"tide.arange: last must be a number, got nil", function() tide.arange(1) end},
  ["arange: step 0"] = {"step must not be 0", function() tide.arange(1, 2, 0) end},
  ["arange: endless"] = {"too many elements", function() tide.arange(1, math.huge) end},
  ["arange: NaN"] = {"too many elements", function() tide.arange(1, 0 / 0) end},
  ["linspace: n"] = {"n must be an integer >= 0, got %-1", function() tide.linspace(0, 1, -1) end},
  ["linspace: string"] = {'n must be an integer >= 0, got "5"', function() tide.linspace(0, 1, "5") end},
  ["eye"] = {"tide.eye: n must be an integer >= 0, got %-1", function() tide.eye(-1) end},
  ["seed"] = {"the seed must be an integer, got 1.5", function() tide.seed(1.5) end},
  ["randperm"] = {"n must be an integer >= 0, got \"3\"", function() tide.randperm("3") end},
  -- shapes that do not fit
  ["broadcast"] = {"shapes {2, 3} and {4} cannot be broadcast together: axis %-1 has sizes 3 and 4",
    function() return x + tide.ones{4} end},
  ["matmul"] = {"inner sizes differ, 3 and 2", function() return x:matmul(x) end},
  ["matmul: scalar"] = {"scalars .* multiplied with", function() return x:matmul(tide.tensor(1)) end},
  ["matmul: number"] = {"matmul: expected a tensor, got 2", function() return x:matmul(2) end},
  ["reshape"] = {"shape {2, 3} %(6 elements%) cannot be reshaped to {4}", function() return x:reshape{4} end},
  ["reshape: -1 twice"] = {"only one axis can be %-1", function() return x:reshape{-1, -1} end},
  ["reshape: -1"] = {"6 elements cannot be arranged as {%-1, 4}", function() return x:reshape{-1, 4} end},
  ["reshape: number"] = {"shape must be a table", function() return x:reshape(6) end},
  ["axis: 0"] = {"sum: axis must be an integer in 1..2 or %-2..%-1, got 0", function() return x:sum(0) end},
  ["axis: 3"] = {"axis must be an integer in 1..2 .* got 3", function() return x:max(3) end},
  ["axis: string"] = {'axis must be .* got "1"', function() return x:mean("1") end},
  ["axis: fraction"] = {"got 1.5", function() return x:argmax(1.5) end},
  ["transpose"] = {"transpose: axis must be", function() return x:transpose(1, 5) end},
  ["permute"] = {"name each of the 2 axes once", function() return x:permute{1, 1} end},
  ["slice: outside"] = {"positions 1..4 lie outside 1..3 %(axis 2 of shape {2, 3}%)", function()
    return x:slice(2, 1, 4)
  end},
  ["slice: step 0"] = {"step must not be 0", function() return x:slice(1, 1, 2, 0) end},
  ["slice: string"] = {'slice: first must be an integer .* got "a"', function() return x:slice(1, "a") end},
  ["slice: step"] = {'slice: step must be an integer .* got "1"', function()
    return x:slice(1, 1, 2, "1")
  end},
  ["slice: wrap"] = {"slice: first must be an integer", function()
    return x:slice(1, math.mininteger, math.maxinteger)
  end},
  ["take: position"] = {"position 3 %(entry 2%) lies outside 1..2", function() return x:take{1, 3} end},
  ["take: position 0"] = {"position 0 .* lies outside", function() return x:take{0} end},
  ["take: floats"] = {"positions must be a 1%-D int64 tensor", function() return x:take(tide.ones{2}) end},
  ["reshape: no tensor"] = {"reshape: expected a tensor, got 3", function() tide.reshape(3, {1}) end},
  ["transpose: no tensor"] = {"transpose: expected a tensor, got nil", function() tide.transpose() end},
  ["permute: no tensor"] = {"permute: expected a tensor, got a table", function()
    tide.permute({1, 2}, {1})
  end},
  ["argmax: no tensor"] = {"argmax: expected a tensor, got a table", function() tide.argmax{1, 2} end},
  ["argmin: no tensor"] = {"argmin: expected a tensor, got 3", function() tide.argmin(3) end},
  ["flatten: no tensor"] = {'flatten: expected a tensor, got "x"', function() tide.flatten("x") end},
  -- layers
  ["nn.flatten: no tensor"] = {"nn.flatten: expected a tensor, got a table", function()
    tide.nn.flatten(){1}
  end},
  ["nn.augment: no tensor"] = {"nn.augment: expected a tensor, got 3", function() tide.nn.augment(1)(3) end},
  ["nn.augment by 0: no tensor"] = {"nn.augment: expected a tensor, got nil", function()
    tide.nn.augment(0)()
  end},
  ["nn.activation: no tensor"] = {"nn.activation: expected a tensor, got 3", function()
    tide.nn.activation("relu")(3)
  end},
  ["nn.mlp: no tensor"] = {"nn.mlp: y of field%(t, y%) or field%(y%) must be a tensor, got 3",
    function() tide.nn.mlp{sizes = {2, 2}}(3) end},
  ["nn.mlp: no tensor at t"] = {"nn.mlp: y of .* must be a tensor, got a table", function()
    tide.nn.mlp{sizes = {2, 2}, time = true}(0, {1})
  end},
  ["nn.linear: no weight"] = {"nn.linear: the layer's weight must be a tensor of shape n_out, n_in, got nil",
    function()
    local layer = tide.nn.linear(2, 2)
    layer.weight = nil
    layer(tide.ones{1, 2})
  end},
  ["nn.with_seed: no function"] = {"nn.with_seed: expected a function to run, got nil", function()
    tide.nn.with_seed(1)
  end},
  ["nn.with_seed: no seed, no function"] = {"nn.with_seed: expected a function to run, got 3",
    function() tide.nn.with_seed(nil, 3) end},
  -- words
  ["option: an integer"] = {"option seed must be an integer, got 1.5", function()
    tide.zeros({1}, {seed = 1.5})
  end},
  ["option: swapped letters"] = {'did you mean "relu"', function() tide.nn.activation("rleu") end},
  ["number: nan"] = {"got nan", function()
    tide.odeint(function(_, y) return y end, tide.ones{1}, {0, 0 / 0})
  end},
  ["cat: empty"] = {"tide.cat: expected a list of tensors", function() tide.cat{} end},
  ["cat: number"] = {"tide.cat: expected a tensor, got 1", function() tide.cat{x, 1} end},
  ["cat: shapes"] = {"cat along axis 1: tensor 2 has shape {1, 2}", function()
    tide.cat{x, tide.ones{1, 2}}
  end},
  ["stack: shapes"] = {"cat along axis", function() tide.stack{x, tide.ones{3}} end},
  ["max of nothing"] = {"axis 1 is empty", function() return tide.zeros{0}:max() end},
  ["argmax of nothing"] = {"axis 1 is empty", function() return tide.zeros{0}:argmax(1) end},
  ["where: condition"] = {"tide.where: expected a tensor, got true", function() tide.where(true, x, x) end},
  ["where: values"] = {"where: operand 3 must be a tensor or a number, got nil", function()
    tide.where(x:gt(0), x)
  end},
  ["operand: string"] = {"add: operand 2 must be a tensor or a number, got string", function()
    return x + "1"
  end},
  ["operand: nil"] = {"mul: operand 1 must be a tensor or a number, got nil", function() return nil * x end},
  ["no tensor"] = {"exp needs at least one tensor", function() return core.apply("exp", {}, 2) end},
  ["concatenation"] = {"use tostring%(x%) or x:item", function() return "x = " .. x end},
  ["x < y"] = {"element by element with x:lt", function() return x < x end},
  ["x >= number"] = {"element by element", function() return x >= 1 end},
  ["one_hot: floats"] = {"labels must be int64", function() tide.one_hot(tide.ones{2}, 3) end},
  ["one_hot: label"] = {"label 4 %(entry 1%) lies outside 1..3; class labels are 1%-based",
    function() tide.one_hot(tide.full({1}, 4, {dtype = "int64"}), 3) end},
  ["cross_entropy: shapes"] = {"labels must have shape {2}, got {3}", function()
    tide.cross_entropy(x, tide.ones({3}, {dtype = "int64"}))
  end},
  ["cross_entropy: label 0"] = {"label 0 .* 1%-based", function()
    tide.cross_entropy(x, tide.zeros({2}, {dtype = "int64"}))
  end},
  ["mse: shapes"] = {"one shape, got {2, 3} and {3}", function() tide.mse(x, tide.ones{3}) end},
  -- convolution
  ["conv: rank"] = {"tide.conv2d: x must have shape N,C,H,W, got {2, 3}", function() tide.conv2d(x, x) end},
  ["conv: channels"] = {"x has 2 channels and w is for 3", function()
    tide.conv2d(tide.ones{1, 2, 4, 4}, tide.ones{1, 3, 2, 2})
  end},
  ["conv: kernel too large"] = {"kernel %(5 x 5, dilated%) is larger than the padded input %(4 x 4%)",
    function() tide.conv2d(tide.ones{1, 1, 4, 4}, tide.ones{1, 1, 3, 3}, nil, {dilation = 2}) end},
  ["conv: stride 0"] = {"stride must be at least 1, got 0", function()
    tide.conv1d(tide.ones{1, 1, 4}, tide.ones{1, 1, 3}, nil, {stride = 0})
  end},
  ["conv: groups 0"] = {"must be >= 1", function()
    tide.conv1d(tide.ones{1, 1, 4}, tide.ones{1, 1, 3}, nil, {groups = 0})
  end},
  ["conv: padding"] = {"padding must be at least 0, got %-1", function()
    tide.conv1d(tide.ones{1, 1, 4}, tide.ones{1, 1, 3}, nil, {padding = -1})
  end},
  ["conv: huge padding"] = {"too large", function()
    tide.conv1d(tide.ones{1, 1, 4}, tide.ones{1, 1, 3}, nil, {padding = 1 << 62})
  end},
  ["conv: option"] = {'unknown option "pad"', function()
    tide.conv1d(tide.ones{1, 1, 4}, tide.ones{1, 1, 3}, nil, {pad = 1})
  end},
  ["conv: pair"] = {"stride must be an integer or {h, w}", function()
    tide.conv2d(tide.ones{1, 1, 4, 4}, tide.ones{1, 1, 3, 3}, nil, {stride = {1, 2, 3}})
  end},
  ["conv: one axis"] = {"stride must be an integer, got a table of 2", function()
    tide.conv1d(tide.ones{1, 1, 4}, tide.ones{1, 1, 3}, nil, {stride = {1, 2}})
  end},
  ["nn.conv: when it is made"] = {"nn.conv2d: padding must be at least 0, got %-1", function()
    tide.nn.conv2d(1, 1, 3, {padding = {1, -1}})
  end},
  ["conv: bias"] = {"b must have shape {1}, got {2}", function()
    tide.conv1d(tide.ones{1, 1, 4}, tide.ones{1, 1, 3}, tide.ones{2})
  end},
  -- handles
  ["closed: arithmetic"] = {"tensor is closed", function() return closed + 1 end},
  ["closed: power"] = {"tensor is closed", function() return closed ^ 2 end},
  ["closed: division"] = {"tensor is closed", function() return closed // 2 end},
  ["closed: remainder"] = {"tensor is closed", function() return 2 % closed end},
  ["closed: mask"] = {"tensor is closed", function() return closed & closed end},
  ["closed: not"] = {"tensor is closed", function() return ~closed end},
  ["closed: by a mask"] = {"tensor is closed", function() return x[closed] end},
  ["closed: method"] = {"tensor is closed", function() return closed:shape() end},
  ["closed: index"] = {"tensor is closed", function() return closed[1] end},
  ["closed: assign"] = {"tensor is closed", function() closed[1] = 1 end},
  ["closed: as value"] = {"tensor is closed", function() x[1] = closed end},
  ["closed: grad"] = {"tensor is closed", function() tide.grad(function(p) return p:sum() end)(closed) end},
  ["closed: in a list"] = {"tensor is closed", function() tide.cat{x, closed} end},
  ["no tensor: method"] = {"expected a tensor", function() x.shape(io.stdout) end},
  -- derivatives
  ["grad: no function"] = {"tide.grad: expected a function, got 3", function() tide.grad(3) end},
  ["compile: no function"] = {"tide.compile: expected a function, got nil", function() tide.compile() end},
  ["grad: number"] = {"must be a float tensor or a table of them, got 1", function()
    tide.grad(function(p) return p end)(1)
  end},
  ["grad: integers"] = {"got dtype int64", function()
    tide.grad(function(p) return p end)(tide.ones({1}, {dtype = "int64"}))
  end},
  ["grad: empty model"] = {"must be a float tensor or a table of them, got a table", function()
    tide.grad(function(p) return p end){}
  end},
  ["grad: not scalar"] = {"must return a scalar, got shape {2, 3}; reduce it", function()
    tide.grad(function(p) return p end)(x)
  end},
  ["grad: returns number"] = {"must return a scalar tensor, got 1", function()
    tide.grad(function() return 1 end)(x)
  end},
  ["grad: returns nil"] = {"must return a scalar tensor, got nil", function()
    tide.grad(function() end)(x)
  end},
  ["grad: returns integers"] = {"must return a float scalar, got int64", function()
    tide.grad(function(p) return p:argmax() end)(x)
  end},
  ["grad: item inside"] = {"no value while it is being recorded .* tide.where", function()
    tide.grad(function(p) return p:sum():item() end)(x)
  end},
  ["grad: totable inside"] = {"no value while it is being recorded", function()
    tide.grad(function(p) return p:totable() end)(x)
  end},
  ["grad: comparison inside"] = {"tide.where", function()
    tide.grad(function(p) if p:sum() > 0 then return p:sum() end end)(x)
  end},
  ["grad: assignment inside"] = {"cannot be changed while a function is being recorded", function()
    tide.grad(function(p) p[1] = 0 return p:sum() end)(x)
  end},
  ["grad: storing a symbol"] = {"cannot be changed while a function", function()
    tide.grad(function(p) x[1] = p[1] return p:sum() end)(x)
  end},
  ["grad: cyclic table"] = {"nested more than 100 deep", function()
    tide.grad(function(p) return p end)(cyclic)
  end},
  ["gradcheck: option"] = {"tolerance must be > 0, got %-1", function()
    tide.gradcheck(function(p) return p end, x, {tolerance = -1})
  end},
  ["threads: 0"] = {"count must lie in 1..256, got 0", function() core.threads(0) end},
}

-- The inner form of the ops takes bare numbers: each rule checks them all.
do
  local v, m, image = tide.ones{3}, tide.ones{2, 3}, tide.ones{1, 1, 4, 4}
  local at = tide.tensor({1, 2, 3, 1}, {dtype = "int64"})
  local big, huge = 2147483647, math.maxinteger
  for name, row in pairs{
    ["take_grad: rows"] = {"4 positions for 3 rows", "take_grad", {0, 3}, v, at},
    ["take_grad: size"] = {"sizes lie in", "take_grad", {0, huge}, tide.ones{4}, at},
    ["take: axis"] = {"axis 2 does not exist", "take", {1}, v, at},
    ["slice: step 0"] = {"out of range", "slice", {0, 0, 3}, v},
    ["slice: too few"] = {"describes 1", "slice", {0, 1, 1}, m},
    ["slice: far"] = {"out of range", "slice", {huge, huge, huge}, v},
    ["embed: outside"] = {"lie outside 1..3", "embed", {1, 1, 3}, v},
    ["embed: too few"] = {"describes 0", "embed", {}, v},
    ["embed: step 0"] = {"out of range", "embed", {0, 0, 9}, v},
    ["matmul: transpose"] = {"transpose is 0 or 1", "matmul", {1 << 32, 0}, m, m},
    ["cast: dtype"] = {"no dtype number 4", "cast", {4}, v},
    ["one_hot: dtype"] = {"must be float32 or float64", "one_hot", {3, 2}, at},
    ["one_hot: classes"] = {"sizes lie in", "one_hot", {huge, 0}, at},
    ["broadcast: overflow"] = {"more than 2%^63 bytes", "broadcast", {big, big, big}, tide.ones{1, 1, 1}},
    ["permute: twice"] = {"each of the 2 axes once", "permute", {0, 0}, m},
    ["conv: work space"] = {"need work space", "conv", {big, big, big, big, big, big, 1}, image,
      tide.ones{1, 1, 2, 2}},
    ["conv_dx: groups"] = {"too small", "conv_dx", {1, 1, 0, 0, 1, 1, math.mininteger, 4, 4}, image,
      tide.ones{1, 2, 1, 1}},
    ["conv_dx: no size"] = {"kernel .* is larger", "conv_dx", {1, 1, 0, 0, 1, 1, 1, 0, 0}, image,
      tide.ones{1, 1, 1, 1}},
    ["conv_dw: cotangent"] = {"the cotangent has shape", "conv_dw", {1, 1, 0, 0, 1, 1, 1, 2, 2}, image,
      image},
    ["conv_matrix: shape"] = {"four axes", "conv_matrix", {1, 1, 0, 0, 1, 1, 1, 4, 4}, m},
    ["conv_matrix: groups"] = {"groups", "conv_matrix", {1, 1, 0, 0, 1, 1, 2, 4, 4}, tide.ones{2, 1, 2, 2}},
    ["conv_matrix_grad: shape"] = {"a matrix of 16 x 9", "conv_matrix_grad",
      {1, 1, 0, 0, 1, 1, 1, 4, 4, 1, 1, 2, 2}, m},
    ["layer"] = {"by the engine alone", "layer", {0, 0}, m, m},
    ["custom"] = {"by the engine alone", "custom", {}, m},
    ["literal"] = {"takes 0 to 0 tensors", "literal", {7}, m},
  } do
    rows["apply, " .. name] = {row[1], function() local _ = core.apply(table.unpack(row, 2)) end}
  end
end

local tests = {}

for name, row in pairs(rows) do
  tests["misuse: " .. name] = function()
    local ok, message = pcall(row[2])
    assert(not ok, "no error")
    assert(type(message) == "string" and message:find(row[1]), "the message was: " .. tostring(message))
    assert(message:find("^[^:]*test_misuse.lua:%d+:"), "no position of the user's line: " .. message)
    assert(not core.is_recording())
  end
end

-- Wrong values of the engine's variables: require "tide" says so. Another program run has another
-- environment.
tests["environment variables that are wrong"] = function()
  local here = debug.getinfo(1, "S").source:match("^@(.*)tests/lua/[^/]*$")
  for setting, wanted in pairs{
    ["TIDE_ISA=foo"] = 'TIDE_ISA must be generic, avx2, avx512 or amx, got "foo"',
    ["TIDE_THREADS=x"] = 'TIDE_THREADS must be an integer in 1..256, got "x"',
    ["TIDE_THREADS=0"] = 'TIDE_THREADS must be an integer in 1..256, got "0"',
    ["TIDE_THREADS=257"] = "1..256",
    ["TIDE_THREADS=2 TIDE_ISA=generic"] = "fine generic 2",
    ["TIDE_THREADS= TIDE_ISA="] = "fine",
  } do
    local code = [[local t = require "tide" print("fine", t.core.build_info().isa, t.threads())]]
    local pipe = assert(io.popen(("%s %s./tide -e '%s' 2>&1"):format(setting, here, code)))
    local text = pipe:read("a"):gsub("\t", " ")
    pipe:close()
    assert(text:find(wanted, 1, true), setting .. ": " .. text)
  end
end

tests["closing twice is harmless"] = function()
  closed:close()
  local y <close> = tide.ones{2}
  y:close()
end

tests["a finalizer that closes an operand"] = function()
  for _ = 1, 300 do
    local victim = tide.ones{8}
    for _ = 1, 5 do setmetatable({}, {__gc = function() victim:close() end}) end
    pcall(function() for _ = 1, 50 do local _ = (victim:transpose(1, 1) + victim):sum() end end)
    pcall(function() for _ = 1, 50 do tide.grad(function(p) return (p * victim):sum() end)(victim) end end)
  end
end

-- Junk in every argument of every function: an error or a result, never a crash.
tests["hostile arguments"] = function()
  local draw = check.draws(12345)
  local function pick(list) return list[draw(#list) + 1] end
  local functions, good = {}, {x, tide.tensor(2), tide.ones{1, 1, 3, 3},
    tide.tensor({1, 2}, {dtype = "int64"}), 1, 2, -1, {1, 2}, "sum", nil}
  local skip = {library_root = true, memory_fail_after = true, sleep = true, threads = true,
    library_loader = true, interrupt_request = true}
  for name, f in pairs(core.methods) do functions[#functions + 1] = {name, f} end
  for _, name in ipairs{"tensor", "zeros", "full", "randn", "rand", "arange", "linspace", "eye", "randperm",
    "cat", "stack", "where", "take",
    "slice", "conv1d", "conv2d", "one_hot", "mse", "smooth_l1", "binary_cross_entropy", "cross_entropy",
    "grad", "value_and_grad", "vjp", "jvp", "compile", "gradcheck"} do
    functions[#functions + 1] = {name, tide[name]}
  end
  for _, name in ipairs{"full", "random", "arange", "tensor_from", "vjp", "jvp", "program", "is_symbolic",
    "tree_keys", "tree_tensors",
    "tree_replace", "tree_signature", "adam", "sgd", "rmsprop"} do
    if not skip[name] then functions[#functions + 1] = {name, core[name]} end
  end
  local ops = {"cat", "slice", "embed", "reshape", "permute", "broadcast", "cast", "one_hot", "take",
    "take_grad", "sum", "max", "argmax",
    "matmul", "conv", "conv_dx", "conv_dw", "where", "custom", "input", "constant", "literal", "alias"}
  local attrs = {{}, {0}, {1}, {-1}, {99}, {0, 1, 2}, {1, 1, 0, 0, 1, 1, 1, 3, 3}, {0, 1, 2, 0, 1, 3},
    {math.maxinteger}, {math.mininteger, 5}}
  for _ = 1, 15000 do
    local entry = pick(functions)
    local a, b, c, d = pick(junk), pick(junk), pick(junk), pick(junk)
    if pick{1, 2} == 1 then a = pick(good) end
    if pick{1, 2} == 1 then b = pick(good) end
    pcall(entry[2], a, b, c, d)
    pcall(core.apply, pick(ops), pick(attrs), pick(good), pick(good), pick(good))
    pcall(core.apply, pick(ops), pick(attrs), pick(good))
    pcall(core.apply, pick(ops), pick(attrs), pick(good), pick(good))
  end
  collectgarbage()
  x = tide.tensor{{1, 2, 3}, {4, 5, 6}}
end

tests["an error names the function that was called, however deep it comes from"] = function()
  local span = {0, 1}
  local function same(p) return p end
  for _, case in ipairs{{"nn.count", tide.nn.count, cyclic}, {"nn.count", tide.nn.count, "model"},
    {"nn.count", tide.nn.count, 3}, {"optim.sgd", tide.optim.sgd, deep},
    {"optim.lbfgs", tide.optim.lbfgs, deep}, {"tide.vjp", tide.vjp, same, cyclic},
    {"tide.jvp", tide.jvp, same, x, tide.ones{3}},
    {"tide.mse", tide.mse, x, closed}, {"tide.odeint", tide.odeint, same, cyclic, span},
    {"ode.solution", tide.ode.solution, 3, x, span}, {"ode.solution", tide.ode.solution, same, x, span, 3},
    {"ode.steps", tide.ode.steps, same, 3, span}, {"ode.audit", tide.ode.audit, {f = 3, y0 = x, t = span,
      loss = same}}, {"nn.linear", tide.nn.linear, 2 ^ 53 + 2, 3}, {"nn.odeblock", tide.nn.odeblock, 3},
    {"nn.mlp", tide.nn.mlp, {sizes = {1, nil, 3}}}, {"metrics.mse", tide.metrics.mse, x},
    {"metrics.accuracy", tide.metrics.accuracy}, {"softmax", tide.softmax, "x"},
    {"log_softmax", tide.log_softmax}, {"tide.outer", tide.outer}, {"split", tide.split, x, {1, nil, 1}},
    {"tile", tide.tile, x, {1, nil, 1}}, {"pad", tide.pad, tide.ones{1, 1}, {1, nil, 1, 1}},
    {"csv.read", tide.csv.read, x}, {"csv.read", tide.csv.read, "a\0b"},
    {"load", tide.load, "a\0b.npy"}, {"load", tide.load, ""}, {"save", tide.save, "a\0b.npy", x},
    {"csv.table", tide.csv.table, {}}, {"data.folder", tide.data.folder, x},
    {"tree.map", tide.tree.map, x, 3}, {"tree.each", tide.tree.each, x}, {"tide.gt", tide.gt, x, closed}} do
    local ok, e = pcall(table.unpack(case, 2))
    assert(not ok and tostring(e):find("^%S+:%d+: " .. case[1]:gsub("%.", "%%.") .. ": "),
      case[1] .. ": " .. tostring(e))
  end
end

return tests
