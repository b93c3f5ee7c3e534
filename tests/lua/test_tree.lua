-- tree: the order of keys, walks, copies and signatures over tables of every kind.
local check = require "check"
local tide = require "tide"
local core = require "tide.core"
local tree = tide.tree

-- ---- the order of keys, told in Lua ----

local function before(a, b)
  local ta, tb = type(a), type(b)
  if ta ~= tb then return ta < tb end
  if ta == "number" or ta == "string" then return a < b end
  return tostring(a) < tostring(b)
end

local function ordered(t)
  local keys, rest, n = {}, {}, rawlen(t)
  for i = 1, n do keys[i] = i end
  for k in next, t do
    if not (math.type(k) == "integer" and k >= 1 and k <= n) then rest[#rest + 1] = k end
  end
  table.sort(rest, before)
  return table.move(rest, 1, #rest, n + 1, keys)
end

local function check_order(t)
  local want, got = ordered(t), core.tree_keys(t)
  assert(#want == #got, ("%d keys, expected %d"):format(#got, #want))
  for i, k in ipairs(want) do
    local g = got[i]
    assert(rawequal(g, k) and math.type(g) == math.type(k),
      ("key %d is %s, expected %s"):format(i, tostring(g), tostring(k)))
  end
end

local function named(name) return setmetatable({}, {__tostring = function() return name end}) end

local odd_keys = {true, false, "", "a", "A", "a\0", "a\0b", "a\0a", "ab", "\255", "n", "10", 0, -1, -2.5, 2.5,
  1e300, -1e300, math.huge, -math.huge,
  7, 2^53 + 0.0, 2^63, -2^63 - 2048, math.maxinteger, math.mininteger, math.maxinteger - 1, 0.5, 1e15 + 0.5,
  10^15, -0.5, {}, {}, named "x", named "b",
  print, check.fails, coroutine.create(print), coroutine.create(print), io.stdout, io.stderr}

local tests = {}

tests["keys: array part, then by type and name"] = function()
  check_order{}
  check_order{1, 2, 3}
  check_order{1, 2, 3, x = 1, a = 2, [0] = 3, [-1] = 4, [2.5] = 5, [true] = 6}
  check_order{n = 4, nil, nil, 3, nil}
  check_order{[3] = 1, [5] = 2}
  local draw = check.draws(1)
  local function roll(n) return draw(n) + 1 end
  for size = 0, 60 do
    for _ = 1, 10 do
      local t = {}
      for i = 1, roll(6) - 1 do t[i] = i end
      for _ = 1, size do t[odd_keys[roll(#odd_keys)]] = true end
      if size > 30 then for i = 1, size do t["key" .. roll(1000)] = i end end
      if size % 7 == 0 and #t > 1 then t[roll(#t)] = nil end
      check_order(t)
    end
  end
  local large = {}
  for i = 1, 3000 do large[i] = i; large["k" .. i] = i; large[i + 0.5] = i; large[-i] = i end
  check_order(large)
  check.fails("table expected", core.tree_keys, 3)
end

tests["keys of one name have an order all the same"] = function()
  local t = {[named "same"] = 1, [named "same"] = 2, [named "same"] = 3}
  local first = core.tree_keys(t)
  assert(#first == 3)
  for _ = 1, 5 do
    local copy = {}
    for k, v in pairs(t) do copy[k] = v end
    for i, k in ipairs(core.tree_keys(copy)) do assert(rawequal(k, first[i])) end
  end
end

tests["every walk has one order"] = function()
  local t = {n = 2, [true] = {}, [2.5] = {}, b = {}, a = {}, [{}] = {}, {}, {}, [7] = {}}
  local i = 0
  for _, k in ipairs(core.tree_keys(t)) do
    if type(t[k]) == "table" then
      i = i + 1
      t[k].x = tide.tensor(i)
    end
  end
  for j, x in ipairs(tree.tensors(t)) do assert(x:item() == j) end
  local seen = 0
  tree.each(t, function(x) if tree.is_tensor(x) then seen = seen + 1; assert(x:item() == seen) end end)
  assert(seen == i)
  seen = 0
  tree.map(t, function(x) seen = seen + 1; assert(x:item() == seen) return x end)
  local leaves, numbers = {"kept"}, {}
  tree.signature(t, leaves)
  assert(leaves[1] == "kept" and #leaves == i + 1)
  for j = 1, i do assert(leaves[j + 1]:item() == j); numbers[j] = -j end
  local copy = tree.replace(t, numbers)
  for k, v in pairs(t) do
    if type(v) == "table" then assert(copy[k].x == -v.x:item()) else assert(copy[k] == v) end
  end
end

-- ---- copies ----

tests["replace: structure, metatables, other leaves"] = function()
  local meta = {__index = function() error "read" end, __newindex = function() error "written" end,
    __pairs = function() error "walked" end,
    __len = function() error "measured" end, __metatable = "locked"}
  local x, y, whole = tide.ones{2}, tide.zeros({3}, {dtype = "float64"}), tide.ones({2}, {dtype = "int64"})
  local t = setmetatable({x, n = 3, name = "m", deep = {{y, whole}, flag = false}, f = print, [2.5] = whole},
    meta)
  local copy = tree.replace(t, {1, 2, 3, 4})
  assert(debug.getmetatable(copy) == meta and rawget(copy, 1) == 1 and rawget(copy, 2.5) == 2
    and copy.deep[1][1] == 3 and copy.deep[1][2] == 4)
  assert(copy.n == 3 and copy.name == "m" and copy.f == print and copy.deep.flag == false and copy ~= t
    and copy.deep ~= t.deep)
  copy = tree.replace(t, {"a", "b"}, true)
  assert(rawget(copy, 1) == "a" and copy.deep[1][1] == "b" and rawequal(copy.deep[1][2], whole)
    and rawequal(rawget(copy, 2.5), whole))
  copy = tree.map(t, function(v) return v:dtype() end)
  assert(debug.getmetatable(copy) == meta and rawget(copy, 1) == "float32" and copy.deep[1][1] == "float64")
  assert(tree.replace(x, {7}) == 7 and tree.replace(5, {}) == 5 and tree.replace(nil, {}) == nil
    and tree.replace("s") == "s")
  copy = tree.replace({a = x, b = y}, {1})
  assert(copy.a == 1 and copy.b == nil)
  check.fails("tree.replace: expected a list of tensors, got nil", tree.replace, {x})
  local list = tree.replace(table.pack(nil, x, nil, y, nil), {1, 2})
  assert(list.n == 5 and list[1] == nil and list[2] == 1 and list[3] == nil and list[4] == 2)
end

tests["replace reads snapshots"] = function()
  local runs = 0
  local live = setmetatable({hidden = tide.ones{1}}, {__snapshot = function()
    runs = runs + 1 return {run = runs}
  end})
  local copy = tree.replace({a = tide.ones{1}, live = live, z = tide.ones{1}}, {1, 2})
  assert(copy.a == 1 and copy.live.run == 1 and copy.z == 2)
  assert(tree.replace(live, {}).run == 2)
  check.fails("no snapshot", tree.replace,
    {setmetatable({}, {__snapshot = function() error "no snapshot" end})}, {})
end

tests["tensors: all or the float ones"] = function()
  local x, whole, closed = tide.ones{2}, tide.ones({2}, {dtype = "uint8"}), tide.ones{1}
  closed:close()
  assert(#tree.tensors{x, whole, {x}, 3, "s"} == 3 and #tree.tensors({x, whole, {x}}, true) == 2)
  assert(rawequal(tree.tensors(x)[1], x) and #tree.tensors(whole, true) == 0 and #tree.tensors(nil) == 0
    and #tree.tensors(io.stdout) == 0)
  assert(#tree.tensors{closed} == 1)
  check.fails("tensor is closed", tree.tensors, {closed}, true)
  check.fails("tensor is closed", tree.signature, {closed}, {})
end

-- ---- depth and size ----

local function nested(depth, leaf)
  for _ = 1, depth do leaf = {leaf} end
  return leaf
end

tests["depth: 100 levels below the top, no more"] = function()
  local walks = {
    tensors = function(t) return tree.tensors(t) end, replace = function(t) return tree.replace(t, {1}) end,
    signature = function(t) return tree.signature(t, {}) end, map = function(t)
      return tree.map(t, function(v) return v end)
    end,
  }
  local ring = {}
  ring.ring = ring
  for name, walk in pairs(walks) do
    walk(nested(101, tide.ones{1}))
    check.fails("a table is nested more than 100 deep", walk, nested(102, tide.ones{1}))
    check.fails("or contains itself", walk, ring)
    assert(coroutine.wrap(function() return pcall(walk, nested(101, tide.ones{1})) end)(), name)
  end
  local function visit() end
  tree.each(nested(100, 1), visit)
  check.fails("a table is nested more than 100 deep", tree.each, nested(101, 1), visit)
end

tests["many keys at every depth"] = function()
  for _, keys in ipairs{23, 24, 25, 60} do
    local t = {tide.tensor(0)}
    for depth = 1, 99 do
      t = {["in"] = t}
      for i = 1, keys do
        t["k" .. i] = tide.tensor(depth)
        if i % 3 == 0 then t[named("n" .. i)] = i end
      end
    end
    local list, leaves = tree.tensors(t), {}
    assert(#list == 99 * keys + 1)
    assert(#coroutine.wrap(tree.tensors)(t) == #list)
    local signature = tree.signature(t, leaves)
    assert(#leaves == #list and signature == tree.signature(t, {}))
    for i = 1, #list do assert(rawequal(list[i], leaves[i])) end
    local again = tree.tensors(tree.replace(t, list))
    for i = 1, #list do assert(rawequal(list[i], again[i])) end
  end
  local wide, total = {}, 200000
  for i = 1, total do wide["k" .. i] = i end
  assert(#core.tree_keys(wide) == total and #tree.tensors(wide) == 0)
  local copy = tree.replace(wide, {})
  for k, v in next, wide do assert(copy[k] == v) end
end

tests["errors and changes in the middle of a walk"] = function()
  local function bad() error "no name" end
  local t = {a = tide.ones{1}, [setmetatable({}, {__tostring = bad})] = 1}
  for _ = 1, 50 do
    for _, walk in ipairs{tree.tensors, function(v) return tree.replace(v, {1}) end,
      function(v) return tree.signature(v, {}) end} do
      check.fails("no name", walk, t)
    end
  end
  -- a name that empties the table while it is being walked
  for _, n in ipairs{3, 100} do
    local victim = {}
    for i = 1, n do victim["k" .. i], victim[i] = tide.tensor(i), tide.tensor(i) end
    victim[setmetatable({}, {__tostring = function()
      for k in next, victim do victim[k] = nil end
      collectgarbage()
      return "x"
    end})] = 1
    local first = {table.unpack(victim)}
    pcall(tree.tensors, victim)
    for i, x in ipairs(first) do victim[i] = x end
    pcall(tree.replace, victim, {})
    pcall(tree.signature, victim, {})
    collectgarbage()
  end
end

-- ---- signatures ----

tests["signatures tell structures apart"] = function()
  local function f() end
  local object, other = {}, {}
  local meta, same_name = {__name = "m"}, {__name = "m"}
  local float, double = tide.ones{2, 3}, tide.ones({2, 3}, {dtype = "float64"})
  local different = {
    {}, {{}}, {{}, {}}, {{{}}}, {1}, {1.0}, {"1"}, {true}, {false}, {-1}, {0.0}, {-0.0}, {0}, {0 / 0},
    {math.huge}, {-math.huge}, {0.1},
    {0.1 + 1e-17 * 8}, {math.maxinteger}, {math.mininteger}, {2^63}, {1, 2}, {12}, {n = 1}, {n = 2}, {m = 1},
    {n = 1, 1}, {[2] = 1},
    {[2.5] = 1}, {["2"] = 1}, {[true] = 1}, {[false] = 1}, {""}, {"a"}, {"ab"}, {"a", "b"}, {"a;b"}, {"a}"},
    {"}"}, {"{"}, {{"}"}},
    {"s1:a"}, {"as1:b"}, {a = "b"}, {ab = ""}, {[""] = "ab"}, {a = {b = "c"}}, {a = {}, b = "c"},
    {a = {b = {}}}, {"a\0"}, {"a\0b"},
    {a = "s1:bs1:cs1:d"}, {a = "b", c = "d"}, {a = "bs1:cs1:d"}, {f}, {print}, {[f] = 1}, {other, 1},
    {[object] = 1}, {[other] = 1},
    {io.stdout}, {io.stderr}, {[io.stdout] = 1}, {nil, 1}, {nil, nil, 1}, {float}, {double},
    {tide.ones({2, 3}, {dtype = "int64"})},
    {tide.ones({2, 3}, {dtype = "uint8"})}, {tide.ones{3, 2}}, {tide.ones{6}}, {tide.ones{2, 3, 1}},
    {tide.ones{23}}, {tide.ones{2}},
    {tide.tensor(1)}, {tide.ones{}, 1}, {float, float}, {{float}}, {a = float}, {b = float}, {"t023;"},
    {"t022;3;"}, setmetatable({}, meta),
    setmetatable({}, same_name), {setmetatable({}, meta)}, {coroutine.create(f)}, 1, 2, "1", true, float,
    double, print,
    {"m" .. ("0"):rep(16)}, {("x"):rep(5000)}, {("x"):rep(5001)}, {("x"):rep(4999) .. "y"}, {("x"):rep(2048)},
    {("x"):rep(2047)},
  }
  local seen = {}
  for i, t in ipairs(different) do
    local signature = tree.signature(t, {})
    assert(not seen[signature], ("%d and %s have one signature: %q"):format(i, seen[signature], signature))
    seen[signature] = i
    assert(signature == tree.signature(t, {}))
  end
  assert(tree.signature(nil, {}) ~= tree.signature({}, {}))
  assert(tree.signature({a = 1, b = {float, x = "s"}}, {}) == tree.signature(
    {b = {x = "s", tide.zeros{2, 3}}, a = 1}, {}))
  assert(tree.signature({0 / 0}, {}) == tree.signature({-(0 / 0)}, {}))
  check.fails("list must be a table", tree.signature, {})
end

tests["signatures of built keys do not depend on how a table was filled"] = function()
  local names = {}
  for i = 1, 40 do names[i] = "key" .. i * 7919 % 101 end
  local one, two = {}, {}
  for i = 1, #names do one[names[i]] = i end
  for i = #names, 1, -1 do two["gone" .. i] = true end
  for i = #names, 1, -1 do two["gone" .. i] = nil; two[names[i]] = i end
  assert(tree.signature(one, {}) == tree.signature(two, {}))
end

tests["signature knows symbolic tensors"] = function()
  local x = tide.ones{2}
  assert(select(2, tree.signature({x}, {})) == false and select(2, tree.signature({}, {})) == false)
  local inside
  tide.grad(function(p)
    inside = select(2, tree.signature({a = {p}}, {}))
    assert(select(2, tree.signature({x}, {})) == false)
    return p:sum()
  end)(x)
  assert(inside == true)
end

-- ---- compiled functions ----

tests["compile: one program for each structure"] = function()
  local recorded = 0
  local scaled = tide.compile(function(t, k)
    recorded = recorded + 1
    return {y = t.x * k, k = k, list = {t.x + 1}}
  end)
  local x = tide.tensor{1, 2}
  for _ = 1, 3 do
    for k = 1, 4 do
      local out = scaled({x = x}, k)
      assert(out.y[2] == 2 * k and out.k == k and out.list[1][1] == 2)
    end
  end
  assert(recorded == 4)
  scaled({x = tide.ones{2, 2}:transpose()}, 1)
  scaled({x = tide.ones{2, 2}}, 1)
  assert(recorded == 5)
end

tests["compile: strided, repeated and many inputs"] = function()
  local base = tide.arange(1, 12):reshape{3, 4}
  local sum = tide.compile(function(list)
    local total = list[1]
    for i = 2, #list do total = total + list[i] end
    return total
  end)
  local turned = base:transpose()
  local got = sum{turned, turned, turned:clone(), turned}
  assert((got - turned * 4):abs():max():item() == 0)
  local many = {}
  for i = 1, 150 do many[i] = i % 2 == 0 and turned or turned:clone() end
  assert((sum(many) - turned * 150):abs():max():item() == 0)
  many[77] = tide.ones{4, 3}
  many[77]:close()
  check.fails("tensor is closed", sum, many)
end

tests["a program's inputs may be closed by finalisers"] = function()
  local add = tide.compile(function(x, y) return x + y, x * y, x - y end)
  local old = collectgarbage("setpause", 100)
  for i = 1, 300 do
    local x, y = tide.full({4, 5}, i):transpose(), tide.full({5, 4}, 2)
    local victim = i % 2 == 0 and x or y
    for _ = 1, 20 do setmetatable({}, {__gc = function() victim:close() end}) end
    local ok, z = pcall(add, x, y)
    if ok then assert(z[1][1] == i + 2) else assert(tostring(z):find "tensor is closed", z) end
  end
  collectgarbage("setpause", old)
end

tests["a steady training step takes no blocks from the system"] = function()
  local model = {w = tide.randn({8, 8}, {seed = 1}), b = tide.zeros{8}}
  local step = tide.compile(tide.value_and_grad(function(m, x)
    return (x:matmul(m.w) + m.b):tanh():square():mean()
  end))
  local opt, x = tide.optim.adam(model), tide.randn({16, 8}, {seed = 2})
  local function run(n)
    for _ = 1, n do
      local _, grads = step(model, x)
      opt:step(grads)
    end
  end
  run(3000)
  local start = tide.memory()
  if start.system_allocations == start.allocations then return "skip: this build keeps no freed blocks" end
  run(3000)
  local after = tide.memory()
  assert(after.allocations - start.allocations > 3000)
  local taken = after.system_allocations - start.system_allocations
  assert(taken < 300, ("%d blocks came from the system"):format(taken))
end

return tests
