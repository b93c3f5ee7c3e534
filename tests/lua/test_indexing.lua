-- Positions, order, arrangement and random choices: their values beside loops that say what is meant;
-- layouts, dtypes, recordings, errors. Gradients are in indexing_cases.lua.

local tide = require "tide"
local check = require "check"
local op_checks = require "op_checks"

local fails, layouts = check.fails, op_checks.layouts
local I64, U8, F64 = {dtype = "int64"}, {dtype = "uint8"}, {dtype = "float64"}
local nan, inf = 0 / 0, math.huge
local tests = {}

local function shape_of(x) return table.concat(x:shape(), ",") end

-- Equal to the last bit, NaN like NaN.
local function same(x, want, what)
  if type(want) == "table" then want = tide.tensor(want, {dtype = x:dtype()}) end
  assert(shape_of(x) == shape_of(want) and x:dtype() == want:dtype(),
    ("%s: {%s} (%s), expected {%s} (%s)"):format(
    what or "", shape_of(x), x:dtype(), shape_of(want), want:dtype()))
  local a, b = x:reshape{x:numel()}:totable(), want:reshape{want:numel()}:totable()
  for i, v in ipairs(a) do
    assert(v == b[i] or v ~= v and b[i] ~= b[i], ("%s: element %d is %s, expected %s"):format(what or "", i,
      v,
      b[i]))
  end
end

-- All elements of all dtypes: small whole numbers, many of them equal.
local dtypes = {"float32", "float64", "int64", "uint8"}
local function whole(shape, dtype, seed) return tide.randint(0, 9, shape, {seed = seed or 5}):to(dtype) end

-- fn at once, recorded, compiled, on every layout: one result.
local function everywhere(fn, x, what)
  local want = fn(x)
  for i, view in ipairs(layouts(x)) do same(fn(view), want, what .. ", layout " .. i) end
  local compiled = tide.compile(fn)
  for _ = 1, 2 do same(compiled(x), want, what .. ", compiled") end
  return want
end

-- ---- order ----

local function before(a, b) -- NaN is the largest
  if a ~= a then return false end
  return b ~= b or a < b
end

-- Stable, by insertion: values and positions.
local function sorted(list, descending)
  local order = {}
  for i = 1, #list do
    local at = #order + 1
    while at > 1 do
      local other = order[at - 1]
      local smaller
      if descending then smaller = before(list[other], list[i]) else smaller = before(list[i],
        list[other]) end
      if not smaller then break end
      at = at - 1
    end
    table.insert(order, at, i)
  end
  local values = {}
  for i, at in ipairs(order) do values[i] = list[at] end
  return values, order
end

local function check_sort(list, dtype, what)
  local x = tide.tensor(list, {dtype = dtype})
  list = x:totable()
  for _, descending in ipairs{false, true} do
    local values, order = sorted(list, descending)
    local got, at = x:sort{descending = descending}
    same(got, values, what)
    same(at, order, what .. ", positions")
    same(x:sort(1, {descending = descending, indices = false}), values, what .. ", values alone")
    same(x:argsort{descending = descending}, order, what .. ", argsort")
  end
end

tests["many lines along any axis: each is sorted by itself, values alone and positions"] = function()
  local x = tide.randint(0, 200, {3, 5, 4}, {seed = 1})
  for _, dtype in ipairs{"float32", "float64", "int64", "uint8"} do
    local y = x:to(dtype)
    for axis = 1, 3 do
      local alone, values, at = y:sort(axis, {indices = false}), y:sort(axis)
      local lines = y:transpose(axis, 3):reshape{-1, y:shape()[axis]}
      for name, got in pairs{alone = alone, values = values, gathered = y:gather(axis, at)} do
        local found = got:transpose(axis, 3):reshape{-1, y:shape()[axis]}
        for i = 1, #lines do same(found[i], (sorted(lines[i]:totable())), dtype .. axis .. name) end
      end
    end
  end
end

tests["sort is stable, NaN is the largest, zeros are equal"] = function()
  local special = {nan, 1, inf, -0.0, -inf, 0.0, -nan, 1, -1e-310, 1e-310, 0.0, -0.0, 2}
  for _, dtype in ipairs{"float32", "float64"} do check_sort(special, dtype, dtype) end
  check_sort({math.mininteger, 3, math.maxinteger, -1, 0, 3, -1}, "int64", "int64")
  check_sort({255, 0, 3, 3, 254, 0}, "uint8", "uint8")
  for _, dtype in ipairs(dtypes) do
    check_sort({}, dtype, "none")
    check_sort({7}, dtype, "one")
    for _, n in ipairs{39, 41, 300} do check_sort(whole({n}, dtype, n):totable(), dtype, dtype .. " "
      .. n) end
  end
  local zeros = tide.tensor{0.0, -0.0, 0.0}:sort()
  assert(1 / zeros[2] == -inf and 1 / zeros[1] == inf, "the sign of a zero is kept")
end

-- What is in order and a permutation is sorted; positions of equal ones must grow.
local function check_order(x, what)
  local n = #x
  for _, descending in ipairs{false, true} do
    local values, at = x:sort{descending = descending}
    same(x:take(at), values, what)
    same(x:sort{descending = descending, indices = false}, values, what)
    local a, b = values:slice(1, 1, n - 1), values:slice(1, 2, n)
    local low, high = a, b
    if descending then low, high = b, a end
    assert(low:le(high):all(), what)
    local grows = at:slice(1, 1, n - 1):lt(at:slice(1, 2, n))
    assert(tide.where(a:eq(b), grows, 1):all(), what .. ": equal ones changed their order")
    same(at:sort{indices = false}, tide.arange(1, n, I64), what)
  end
end

tests["long lines: digits that agree, long runs, narrow ranges, all dtypes"] = function()
  local n = 30000
  local u = tide.rand({n}, {dtype = "float64", seed = 1})
  local kinds = {
    normal = tide.randn({n}, {dtype = "float64", seed = 2}) * 50, narrow = 1 + u * 1e-12,
    ["few values"] = tide.randint(0, 3, {n}, {seed = 3}):to "float64", falling = tide.arange(n, 1, -1, F64),
    ["two scales"] = tide.where(u:gt(0.5), u, u * 1e-300), ["wide"] = (u * 700 - 350):exp(), equal = u * 0,
    ["low bits"] = tide.where(tide.arange(1, n, F64):lt(n / 2), 1 + u * 2 ^ -30, 2 - u * 2 ^ -35),
  }
  for name, x in pairs(kinds) do
    check_order(x, name)
    check_order(x:to "float32", name .. ", float32")
  end
  check_order(tide.randint(math.mininteger, math.maxinteger, {n}, {seed = 4}), "all of int64")
  check_order(tide.randint(-50, 50, {n}, {seed = 4}), "small int64")
  check_order(tide.randint(0, 255, {n}, {seed = 4}):to "uint8", "uint8")
  local before_threads = tide.threads()
  local m = tide.randn({40, 3000}, {seed = 5})
  local one = (tide.threads(1) or true) and m:argsort(2)
  tide.threads(3)
  same(m:argsort(2), one, "threads")
  same(m:transpose():clone():argsort(1), one:transpose():clone(), "threads, columns")
  tide.threads(before_threads)
end

tests["sort, argsort, topk along axes, recorded, of scalars"] = function()
  for _, dtype in ipairs(dtypes) do
    local x = whole({3, 4, 5}, dtype)
    for axis = 1, 3 do
      local function rows(y) return y:movedim(axis, -1):flatten():reshape{-1, y:shape()[axis]} end
      local values = everywhere(function(y) return (y:sort(axis)) end, x, "sort")
      local order = everywhere(function(y) return y:argsort(axis, {descending = true}) end, x, "argsort")
      local top = everywhere(function(y) return (y:topk(2, axis - 4)) end, x, "topk")
      for i, row in ipairs(rows(x):totable()) do
        same(rows(values)[i], (sorted(row)))
        same(rows(order)[i], (select(2, sorted(row, true))))
        same(rows(top)[i], (table.move(sorted(row, true), 1, 2, 1, {})))
      end
    end
  end
  local values, at = tide.tensor({3, 1, 2}):topk(2, {largest = false})
  same(values, {1, 2})
  same(at, {2, 3})
  local scalar, position = tide.tensor(4):sort()
  assert(scalar:rank() == 0 and scalar:item() == 4 and position:item() == 1 and position:rank() == 0)
  assert(tide.tensor(4):topk(1):item() == 4 and tide.tensor(4):cumsum(1):item() == 4)
  same(tide.tensor{1, nan, 3}:topk(1), {nan})
  fails("argsort: the count must lie in 0..3", tide.core.apply, "argsort", {0, 0, 4}, tide.ones{3})
  -- of long lines only what may be among the first ones is sorted
  for name, x in pairs{normal = tide.randn({2, 30000}, {seed = 1}), equal = tide.zeros{2, 20000},
    few = tide.randint(0, 3, {2, 30000}, {seed = 2}), bytes = tide.randint(0, 255, {2, 30000}):to "uint8",
    unlucky = tide.randn({2, 30000}, {seed = 4}):abs() -- a sample of every seventh sees the least ones alone
      * (1 - 2 * (tide.arange(1, 30000) % 7):eq(1):to "float32"),
    far = tide.cat({tide.full({2, 1}, inf), tide.full({2, 1}, nan), tide.randn({2, 30000}, {seed = 3}):exp()},
      2),
    double = tide.randn({2, 30000}, {seed = 1, dtype = "float64"})} do
    for _, k in ipairs{0, 1, 5, 1000, 20000} do
      for _, largest in ipairs{true, false} do
        local _, order = x:topk(k, 2, {largest = largest})
        same(order, x:argsort(2, {descending = largest}):slice(2, 1, k), name .. " " .. k)
        same(select(2, x:transpose():clone():topk(k, 1, {largest = largest})), order:transpose(), name)
      end
    end
  end
end

tests["unique: values, counts, inverse"] = function()
  local x = tide.tensor({{3, 1, 3}, {2, 1, 3}}, I64)
  local values, counts, inverse = x:unique()
  same(values, {1, 2, 3})
  same(counts, {2, 1, 3})
  same(inverse, {{3, 1, 3}, {2, 1, 3}})
  same(tide.unique(tide.tensor{nan, 1, nan, 1}), {1, nan, nan})
  for _, dtype in ipairs(dtypes) do
    local y = whole({500}, dtype)
    local v, c, i = y:unique()
    same(v:take(i), y)
    assert(v:dtype() == dtype and c:sum():item() == 500 and #v == 10)
    for k = 1, #v do assert(y:eq(v[k]):sum():item() == c[k]) end
  end
end

tests["searchsorted"] = function()
  local edges = tide.tensor({1, 3, 3, 5}, I64)
  same(tide.searchsorted(edges, tide.tensor({0, 1, 2, 3, 4, 5, 6}, I64)), tide.tensor({1, 1, 2, 2, 4, 4, 5},
    I64))
  same(tide.searchsorted(edges, tide.tensor({0, 1, 2, 3, 4, 5, 6}, I64), {right = true}),
    tide.tensor({1, 2, 2, 4, 4, 5, 5}, I64))
  same(tide.searchsorted(tide.tensor{{1, 2}, {5, 6}}, tide.tensor{{1.5}, {1.5}}), tide.tensor({{2}, {1}},
    I64))
  assert(tide.searchsorted(tide.tensor{1, 2}, 1.5):item() == 2)
  same(tide.searchsorted(tide.tensor{0, 1, inf, nan}, tide.tensor{nan, -0.0}), tide.tensor({4, 1}, I64))
  fails("must be a vector, or agree", tide.searchsorted, tide.ones{2, 3}, tide.ones{3})
end

tests["interp: NumPy's numbers, further axes, its derivatives, a forcing"] = function()
  local xp, fp = tide.tensor{-1, 0, 2, 3}, tide.tensor{1, 3, -1, 0}
  same(tide.interp(tide.tensor{{-5, -1, -0.5}, {0, 0.5, 2}, {2.5, 3, 9}}, xp, fp),
    tide.tensor{{1, 1, 2}, {3, 2, -1}, {-0.5, 0, 0}})
  assert(tide.interp(0.5, xp, fp):item() == 2 and #tide.interp(1, xp, fp):shape() == 0)
  local two = tide.stack({fp, 10 * fp}, 2)
  same(tide.interp(tide.tensor{0.5, 9}, xp, two), tide.tensor{{2, 20}, {0, 0}})
  same(tide.interp(0.5, xp, two), tide.tensor{2, 20})
  assert(tide.interp(nan, xp, fp):isnan():item() == 1)
  assert(tide.interp(tide.tensor(0.5), xp, fp:to("float64")):dtype() == "float64")
  local p = {x = tide.tensor({-3, -0.3, 0.4, 2.7}, F64), xp = xp:to("float64"), fp = two:to("float64")}
  assert(tide.gradcheck(function(q) return tide.interp(q.x, q.xp, q.fp):sin():sum() end, p))
  local function f(t, y) return tide.interp(t, p.xp, p.fp:select(2, 1)) + 0 * y end
  local y = tide.odeint(f, tide.zeros({1}, F64), {-1, 3}, {jumps = {0, 2}})
  check.near(y[2]:item(), 2 + 2 - 0.5, 1e-9)
  y = tide.odeint(f, tide.zeros({1}, F64), {-1, 3}, {jumps = {0, 2}, method = "radau5"})
  check.near(y[2]:item(), 3.5, 1e-9)
  fails("must grow strictly", tide.interp, 1, tide.tensor{0, 0, 1}, tide.ones{3})
  fails("must grow strictly", tide.interp, 1, tide.tensor{1, 0}, tide.ones{2})
  fails("got shapes {3} and {2}", tide.interp, 1, tide.tensor{0, 1, 2}, tide.ones{2})
  fails("two numbers or more", tide.interp, 1, tide.tensor{0}, tide.ones{1})
  fails("tide.interp", tide.interp, 1, {0, 1}, tide.ones{2})
end

-- ---- running totals ----

tests["cumsum and cumprod beside loops"] = function()
  for _, dtype in ipairs(dtypes) do
    local x = whole({3, 4, 5}, dtype) - (dtype == "uint8" and 0 or 4)
    for axis = 1, 3 do
      local sums = everywhere(function(y) return y:cumsum(axis) end, x, "cumsum")
      local products = everywhere(function(y) return y:cumprod(axis - 4) end, x, "cumprod")
      assert(sums:dtype() == (dtype == "uint8" and "int64" or dtype) and products:dtype() == sums:dtype())
      local function rows(y) return y:movedim(axis, -1):flatten():reshape{-1, y:shape()[axis]} end
      for i, row in ipairs(rows(x):totable()) do
        local sum, product, want_sums, want_products = 0, 1, {}, {}
        for k, v in ipairs(row) do
          sum, product = sum + v, product * v
          want_sums[k], want_products[k] = sum, product
        end
        same(rows(sums)[i], want_sums)
        same(rows(products)[i], want_products)
      end
    end
  end
  same(tide.tensor({math.maxinteger, 1}, I64):cumsum(), tide.tensor({math.maxinteger, math.mininteger}, I64))
  -- float32 is carried in float64
  local long = tide.full({100000}, 0.1):cumsum()
  assert(math.abs(long[-1] - 10000) < 1e-2)
  same(tide.randn({70, 40, 33}, {seed = 1}):cumsum(1)[70], tide.randn({70, 40, 33}, {seed = 1}):movedim(1, -1)
    :cumsum(-1):select(-1, -1))
end

tests["the derivative of cumprod where elements are 0"] = function()
  -- d/dx_i of the sum of all products up to each element, by leaving out the factor
  for _, list in ipairs{{2, 0, 3, 4}, {0, 0, 5}, {0}, {1, -2, 3, 0}} do
    local g = tide.grad(function(x) return x:cumprod():sum() end)(tide.tensor(list, F64))
    for i = 1, #list do
      local want = 0
      for j = i, #list do
        local product = 1
        for k = 1, j do product = k == i and product or product * list[k] end
        want = want + product
      end
      assert(g[i] == want, ("%d: %g, expected %g"):format(i, g[i], want))
    end
  end
end

-- ---- positions and masks ----

tests["take, gather, scatter_add beside loops"] = function()
  for _, dtype in ipairs(dtypes) do
    local x = whole({4, 3}, dtype)
    local at = tide.tensor({{1, 4}, {2, 2}}, I64)
    local taken = everywhere(function(y) return y:take(at) end, x, "take")
    local columns = everywhere(function(y) return y:take(at:clamp(1, 3), 2) end, x, "take")
    same(x[at], taken)
    assert(shape_of(taken) == "2,2,3" and shape_of(columns) == "4,2,2")
    for i = 1, 2 do
      for j = 1, 2 do
        same(taken[i][j], x[at[i][j]])
        same(columns:select(2, i):select(2, j), x:column(math.min(3, at[i][j])))
      end
    end
    same(x:index_select(-1, {3, 1}), x:take({3, 1}, 2))
    local down = everywhere(function(y) return y:gather(1, {{4, 1, 2}, {1, 1, 3}}) end, x, "gather")
    for j, row in ipairs{{4, 1, 2}, {1, 1, 3}} do for k = 1, 3 do assert(down[j][k] == x[row[k]][k]) end end
    same(x:gather(2, {{3}, {1}}), {{x[1][3]}, {x[2][1]}}) -- shorter along the other axis
    local src = whole({2, 3}, dtype, 8)
    local sum = everywhere(function(y) return y:scatter_add(1, {{4, 1, 2}, {4, 1, 3}}, src) end, x,
      "scatter_add")
    local want = x:clone()
    for j, row in ipairs{{4, 1, 2}, {4, 1, 3}} do
      for k = 1, 3 do want[row[k]][k] = want[row[k]][k] + src[j][k] end
    end
    same(sum, want)
    same(x:take(tide.tensor(2, I64)), x[2])
  end
  same(tide.zeros{2, 3}:scatter_add(2, {{3}}, tide.ones{2, 2}), {{0, 0, 1}, {0, 0, 0}})
end

tests["masks: select, fill, x[mask], nonzero"] = function()
  for _, dtype in ipairs(dtypes) do
    local x = whole({3, 4}, dtype)
    local mask, wanted, places = x:gt(4), {}, {}
    for i = 1, 3 do
      for j = 1, 4 do
        if x[i][j] > 4 then wanted[#wanted + 1], places[#places + 1] = x[i][j], {i, j} end
      end
    end
    assert(#wanted > 2)
    for _, view in ipairs(layouts(x)) do
      same(view:masked_select(view:gt(4)), wanted)
      same(view[view:gt(4)], wanted)
      same(view:gt(4):nonzero(), places)
    end
    same(everywhere(function(y) return y:masked_fill(y:gt(4), 0) end, x, "masked_fill"), tide.where(mask, 0,
      x))
    local rows = tide.tensor({1, 0, 1}, U8)
    same(x[rows], tide.stack{x[1], x[3]})
    same(x:masked_select(tide.tensor({1, 0, 0, 1}, U8)), {x[1][1], x[1][4], x[2][1], x[2][4], x[3][1],
      x[3][4]})
    same(tide.tensor(3):masked_select(tide.tensor({1, 0, 1}, U8)), {3, 3})
  end
  assert(shape_of(tide.ones{2, 3, 4}[tide.ones({2, 3}, U8)]) == "6,4")
  assert(tide.tensor{1, nan, 0}:nonzero():numel() == 2)
end

tests["copy_ between views of one tensor, and into what shares memory"] = function()
  local x = tide.arange(1, 5)
  x:copy_(x:flip(1))
  same(x, {5, 4, 3, 2, 1})
  x:slice(1, 1, 4):copy_(x:slice(1, 2, 5))
  same(x, {4, 3, 2, 1, 1})
  local square = tide.arange(1, 4):reshape{2, 2}
  square:copy_(square:transpose())
  same(square, {{1, 3}, {2, 4}})
  local row = tide.zeros{3}
  local view = row:broadcast_to{2, 3}
  fails("x[i] = v: the elements of this view of shape {2, 3} share memory along axis 1", function()
    view[1] = 5
  end)
  fails("copy_: the elements of this view of shape {2, 3} share memory", view.copy_, view, tide.ones{2, 3})
  fails("share memory", function() view[tide.tensor({1}, I64)] = 5 end)
  same(row, {0, 0, 0}, "nothing is half done")
  view:slice(1, 2, 2)[1] = 5
  same(row, {5, 5, 5})
end

tests["x[{i, j}]: positions in a table"] = function()
  local x = tide.tensor{{1, 2}, {3, 4}, {5, 6}}
  same(x[{3, 1, 3}], {{5, 6}, {1, 2}, {5, 6}})
  same(tide.compile(function(y) return y[{2, 1}] end)(x), {{3, 4}, {1, 2}})
  x[{1, 3}] = tide.tensor{{0, 1}, {2, 3}}
  same(x, {{0, 1}, {3, 4}, {2, 3}})
  fails("position 4 (entry 1) lies outside 1..3", function() return x[{4}] end)
  fails("index 4 out of range", function() x[{4}] = 0 end)
end

tests["scalars: all axes of none"] = function()
  local x = tide.tensor(3)
  assert(x:softmax():item() == 1 and x:softmax():rank() == 0 and x:log_softmax():item() == 0)
  assert(shape_of(x:flatten()) == "1")
  fails("sum: a scalar (shape {}) has no axes, got axis 1", tide.sum, x, 1)
  fails("softmax: a scalar (shape {}) has no axes, got axis -1", tide.softmax, x, -1)
end

tests["x[mask] = v, x[positions] = v"] = function()
  for _, dtype in ipairs(dtypes) do
    local x = tide.arange(1, 6, {dtype = "float64"}):reshape{2, 3}:to(dtype):clone()
    x[x:gt(4)] = 0
    same(x, {{1, 2, 3}, {4, 0, 0}})
    x[x:eq(0)] = tide.tensor{7, 8}
    same(x, {{1, 2, 3}, {4, 7, 8}})
    x[tide.tensor({0, 1}, U8)] = tide.tensor({1, 2, 3}, F64)
    same(x, {{1, 2, 3}, {1, 2, 3}})
    x[tide.tensor({2, 1}, I64)] = tide.tensor{{4, 4, 4}, {5, 6, 7}}
    same(x, {{5, 6, 7}, {4, 4, 4}})
    x:transpose()[tide.tensor({{3}, {1}}, I64)] = 9
    same(x, {{9, 6, 9}, {9, 4, 9}})
    x[x:gt(100)] = tide.ones{}
    fails("index 3 out of range [1, 2]", function() x[tide.tensor({1, 3}, I64)] = 0 end)
    fails("2 places of shape {} cannot be set to a tensor of shape {3}",
      function() x[x:lt(8)] = tide.ones{3} end)
    fails("v must be a number, got \"a\"", function() x[x:gt(8)] = "a" end)
    same(x, {{9, 6, 9}, {9, 4, 9}}, "nothing is half done")
  end
  fails("cannot be changed while a function is being recorded", tide.grad(function(y)
    y[tide.tensor({1}, U8)] = 1
    return y:sum()
  end), tide.ones{1})
  fails("x[positions] and x[mask] of a tensor can be assigned; the key was a string", function()
    tide.ones{1}.a = 1
  end)
end

tests["what has no fixed shape is refused where it would be recorded"] = function()
  local x = tide.randn({4}, {seed = 1})
  local mask = x:gt(0)
  for name, fn in pairs{nonzero = function(y) return y:nonzero() end,
    unique = function(y) return (y:unique()) end,
    masked_select = function(y) return y:masked_select(y:gt(0)) end,
      ["x[mask]"] = function(y) return y[y:gt(0)] end} do
    fails({name .. ": the size of the result depends on numbers", "tide.where"},
      tide.grad(function(y) return fn(y):to("float32"):sum() + y:sum() end), x)
    fails({name, "depends on numbers"}, tide.compile(fn), x)
  end
  -- known masks: while a function is recorded anew at each call, not in a program that is run often
  same(tide.grad(function(y) return y:masked_select(mask):sum() end)(x), mask:to "float32")
  same(tide.grad(function(y) return (y[mask] * mask:nonzero():sum()):sum() end)(x),
    mask:to "float32" * mask:nonzero():sum())
  fails({"masked_select", "the first call", "mask:nonzero()"}, tide.compile(function(y)
    return y:masked_select(mask)
  end), x)
  local at = mask:nonzero():column(1)
  same(tide.compile(function(y) return y:take(at) end)(x), x[mask])
end

-- ---- arrangement ----

tests["squeeze, unsqueeze, movedim, expand, column, split, chunk"] = function()
  local x = tide.arange(1, 24):reshape{2, 3, 4}
  assert(shape_of(tide.ones{1, 2, 1}:squeeze()) == "2" and shape_of(tide.ones{1, 2, 1}:squeeze(1)) == "2,1")
  assert(shape_of(tide.ones{1, 2, 1}:squeeze{1, -1}) == "2" and shape_of(tide.ones{1, 2,
    1}:squeeze(2)) == "1,2,1")
  assert(shape_of(x:unsqueeze(1)) == "1,2,3,4" and shape_of(x:unsqueeze(-1)) == "2,3,4,1"
    and shape_of(x:unsqueeze(3)) == "2,3,1,4" and shape_of(tide.tensor(1):unsqueeze(1)) == "1")
  same(x:movedim(1, -1), x:permute{2, 3, 1})
  same(x:movedim({1, 2}, {2, 3}), x:permute{3, 1, 2})
  same(x:movedim(3, 1), x:permute{3, 1, 2})
  same(tide.tensor{{1}, {2}}:expand{-1, 3}, {{1, 1, 1}, {2, 2, 2}})
  assert(shape_of(tide.ones{3}:expand{2, -1}) == "2,3")
  same(x:column(2), x:select(3, 2))
  local parts = x:split(2, 3)
  assert(#parts == 2)
  same(tide.cat(parts, 3), x)
  same(x:split({1, 2}, 2)[2], x:slice(2, 2, 3))
  local sizes = {}
  for i, part in ipairs(tide.arange(1, 11):chunk(6)) do sizes[i] = #part end
  assert(table.concat(sizes, " ") == "2 2 2 2 2 1") -- as PyTorch documents it
  assert(#tide.ones{2}:chunk(5) == 2)
end

tests["flip, roll, tile, repeat_interleave, meshgrid"] = function()
  for _, dtype in ipairs(dtypes) do
    local x = whole({2, 3}, dtype)
    local t = x:totable()
    local a, b, c, d, e, f = t[1][1], t[1][2], t[1][3], t[2][1], t[2][2], t[2][3]
    same(everywhere(function(y) return y:flip(2) end, x, "flip"), {{c, b, a}, {f, e, d}})
    same(x:flip(), {{f, e, d}, {c, b, a}})
    same(everywhere(function(y) return y:roll(1, 2) end, x, "roll"), {{c, a, b}, {f, d, e}})
    same(x:roll(-1), {{b, c, d}, {e, f, a}})
    same(x:roll({1, -4}, {1, 2}), {{e, f, d}, {b, c, a}})
    same(everywhere(function(y) return y:tile{2, 2} end, x, "tile"), {{a, b, c, a, b, c}, {d, e, f, d, e, f},
      {a, b, c, a, b, c}, {d, e, f, d, e, f}})
    same(everywhere(function(y) return y:repeat_interleave(2, 1) end, x, "repeat"), {{a, b, c}, {a, b, c},
      {d, e, f}, {d, e, f}})
    same(x:repeat_interleave({1, 0, 2}, 2), {{a, c, c}, {d, f, f}})
    same(x:repeat_interleave(tide.tensor({2, 1}, I64), 1), {{a, b, c}, {a, b, c}, {d, e, f}})
  end
  assert(shape_of(tide.ones{2}:tile{3, 1, 2}) == "3,1,4" and shape_of(tide.ones{2, 3}:tile(2)) == "2,6")
  assert(shape_of(tide.ones{1, 1, 1, 1, 1, 1, 1, 2}:tile{2, 1, 1, 1, 1, 1, 1, 2}) == "2,1,1,1,1,1,1,4")
  local x, y = tide.meshgrid(tide.tensor{1, 2}, tide.tensor{3, 4, 5})
  same(x, {{1, 1, 1}, {2, 2, 2}})
  same(y, {{3, 4, 5}, {3, 4, 5}})
  local u, v = tide.meshgrid(tide.tensor{1, 2}, tide.tensor{3, 4, 5}, {indexing = "xy"})
  same(u, x:transpose())
  same(v, y:transpose())
  assert(select("#", tide.meshgrid(x[1], x[1], x[1])) == 3)
  local r, s = tide.meshgrid({tide.tensor{1, 2}, tide.tensor{3, 4, 5}}, {indexing = "xy"})
  assert(r:equal(u) and s:equal(v) and tide.meshgrid{x[1]}:equal(x[1]))
end

tests["pad: constant, reflect, replicate, circular, negative widths"] = function()
  local x = tide.tensor({1, 2, 3, 4}, I64)
  same(x:pad{2, 1}, {0, 0, 1, 2, 3, 4, 0})
  same(x:pad({1, 0}, {value = 7}), {7, 1, 2, 3, 4})
  same(x:pad({3, 2}, {mode = "reflect"}), {4, 3, 2, 1, 2, 3, 4, 3, 2})
  same(x:pad({2, 5}, {mode = "replicate"}), {1, 1, 1, 2, 3, 4, 4, 4, 4, 4, 4})
  same(x:pad({4, 1}, {mode = "circular"}), {1, 2, 3, 4, 1, 2, 3, 4, 1})
  same(x:pad{-1, -2}, {2})
  same(x:pad{-1, 2}, {2, 3, 4, 0, 0})
  local m = tide.tensor{{1, 2}, {3, 4}}
  same(m:pad{1, 0, 0, 1}, {{0, 1, 2}, {0, 3, 4}, {0, 0, 0}})
  same(everywhere(function(y) return y:pad({1, 1, 1, 0}, {mode = "reflect"}) end, m, "pad"), {{4, 3, 4, 3},
    {2, 1, 2, 1}, {4, 3, 4, 3}})
  same(tide.tensor{inf}:pad({1, 0}, {value = -inf}), {-inf, inf})
  fails({"reflect", "more elements than the 4 of axis 1"}, tide.pad, x, {4, 0}, {mode = "reflect"})
  fails("cuts more than the 4 elements", tide.pad, x, {-3, -2})
  fails({"widths must be a table of two numbers for each axis", "at most 2"}, tide.pad, x, {1})
  fails({"mode", '"circular"', '"wrap"'}, tide.pad, x, {1, 0}, {mode = "wrap"})
end

-- ---- draws ----

local function make_draws(n)
  return {
    randint = function(seed) return tide.randint(1, 6, {n}, {seed = seed}) end,
    bernoulli = function(seed) return tide.bernoulli(tide.linspace(0, 1, n), {seed = seed}) end,
    multinomial = function(seed) return tide.multinomial(tide.tensor{1, 2, 0, 5}, n, {replacement = true,
      seed = seed}) end,
    ["without replacement"] = function(seed) return tide.multinomial(tide.ones{n}, n, {seed = seed}) end,
  }
end

tests["draws: one seed one stream, whatever the threads"] = function()
  local threads = tide.threads()
  local draws = make_draws(100000)
  for name, draw in pairs(draws) do
    tide.threads(1)
    local one = draw(3)
    tide.threads(4)
    same(draw(3), one, name)
    assert((draw(4) - one):abs():max():item() > 0, name)
    tide.seed(11)
    local first, second = draw(), draw()
    tide.seed(11)
    same(draw(), first, name)
    same(draw(), second, name)
    assert((first - second):abs():max():item() > 0, name)
  end
  tide.threads(threads)
end

tests["draws: ranges and frequencies"] = function()
  local n = 100000
  local draws = make_draws(n)
  local counts = select(2, draws.randint(3):unique())
  assert(#counts == 6 and counts:min():item() > n / 6 - 600 and counts:max():item() < n / 6 + 600)
  local values, weights = draws.multinomial(3):unique()
  same(values, {1, 2, 4})
  for i, p in ipairs{1 / 8, 2 / 8, 5 / 8} do assert(math.abs(weights[i] / n - p) < 0.006) end
  same(draws["without replacement"](3):sort{indices = false}, tide.arange(1, n, I64))
  assert(math.abs(draws.bernoulli(3):mean():item() - 0.5) < 0.01)
  local all = tide.randint(math.mininteger, math.maxinteger, {1000}, {seed = 1})
  assert(all:min():item() < -2 ^ 62 and all:max():item() > 2 ^ 62)
  same(tide.randint(5, 5, {3}), {5, 5, 5})
  -- the first of two without replacement is as likely as its weight
  local firsts, m = {0, 0, 0}, 3000
  local pairs_of = tide.multinomial(tide.tensor{{1, 2, 5}}:expand{m, 3}, 2, {seed = 9})
  for _, row in ipairs(pairs_of:totable()) do
    assert(row[1] ~= row[2])
    firsts[row[1]] = firsts[row[1]] + 1
  end
  for i, p in ipairs{1 / 8, 2 / 8, 5 / 8} do assert(math.abs(firsts[i] / m - p) < 0.03) end
end

tests["draws are ops of what is compiled: fresh at each run"] = function()
  local draw = tide.compile(function(p)
    return p + tide.randint(0, 1000000, {4}):to "float32", tide.bernoulli(p), tide.multinomial(p + 1, 3)
  end)
  local p = tide.full({4}, 0.5)
  tide.seed(1)
  local a = draw(p)
  local b = draw(p)
  tide.seed(1)
  same(draw(p), a)
  assert(not a:eq(b):all())
  assert(tide.bernoulli(p:to "float64"):dtype() == "float64" and tide.bernoulli(0.5, {2},
    F64):dtype() == "float64")
  assert(tide.bernoulli(tide.tensor({0, 1}, I64)):totable()[2] == 1)
end

tests["draws say what is wrong"] = function()
  fails("there is no integer in 3..2", tide.randint, 3, 2, {1})
  fails("low must be an integer, got 0.5", tide.randint, 0.5, 2, {1})
  fails("probabilities must lie in 0..1, there is 1.5", tide.bernoulli, tide.tensor{0.5, 1.5})
  fails("probabilities must lie in 0..1, there is nan", tide.bernoulli, tide.tensor{nan, 0})
  fails("shape must be a table", tide.bernoulli, 0.5)
  fails("the shape is that of the probabilities", tide.bernoulli, tide.ones{2}, {2}, {})
  fails("weights must lie in 0..infinity, there is -1", tide.multinomial, tide.tensor{1, -1}, 1)
  fails("weights must lie in 0..infinity, there is inf", tide.multinomial, tide.tensor{1, inf}, 1)
  fails("3 draws without replacement need 3 weights above 0, there are 2", tide.multinomial, tide.tensor{1, 0,
    2}, 3)
  fails("4 draws with replacement need 1 weights above 0, there are 0", tide.multinomial, tide.zeros{2}, 4,
    {replacement = true})
  fails("must be a vector or a matrix, got shape {}", tide.multinomial, tide.tensor(1), 1)
  fails("number of draws", tide.multinomial, tide.ones{2}, -1)
end

-- ---- errors ----

tests["positions out of range name the value and the place"] = function()
  local x = tide.ones{3, 4}
  fails("gather: position 5 (entry {2, 1}) lies outside 1..4 of axis 2", tide.gather, x, 2, {{1, 2}, {5, 1},
    {1, 1}})
  fails("gather: position 0 (entry {1, 2}) lies outside 1..3 of axis 1", tide.gather, x, 1, {{1, 0, 1, 1}})
  fails("gather: position -1 (entry {1, 1})", tide.gather, x, -2, {{-1}})
  fails("scatter_add: position 9 (entry {1, 1}) lies outside 1..4 of axis 2", tide.scatter_add, x, 2, {{9}},
    x)
  fails("take: position 4 (entry 3) lies outside 1..3", tide.take, x, {{1, 2}, {4, 1}})
  local far = tide.ones({5000}, I64)
  far[4321] = 7
  fails("gather: position 7 (entry {4321}) lies outside 1..3 of axis 1", tide.gather, tide.ones{3}, 1, far)
  fails("gather: positions must be int64, got float32", tide.gather, x, 2, tide.ones{3, 1})
  fails("both need the same number of axes", tide.gather, x, 2, {1, 2})
  fails("are more along axis 1 than a tensor of shape {3, 4}", tide.gather, x, 2, {{1}, {1}, {1}, {1}})
  fails("axis must be an integer in 1..2 or -2..-1, got 3", tide.gather, x, 3, {{1}})
  fails("are more along axis 2 than src", tide.scatter_add, x, 1, {{1, 1}}, tide.ones{1, 1})
  fails('src must be float32 as the tensor is, got float64; convert it with src:to("float32")',
    tide.scatter_add,
    x, 1, {{1}}, tide.ones({1, 1}, F64))
  fails("positions must have one axis, got shape {1, 1}", tide.index_select, x, 1, {{1}})
  -- recorded, the position is looked at when the program runs
  local compiled = tide.compile(function(y, at) return y:gather(1, at) end)
  compiled(tide.ones{3}, tide.tensor({1, 3}, I64))
  fails("gather: position 4 (entry {2}) lies outside 1..3", compiled, tide.ones{3}, tide.tensor({1, 4}, I64))
end

tests["wrong arguments are named"] = function()
  local x = tide.ones{3, 4}
  fails("the mask must be uint8, as comparisons give, got float32; mask:ne(0) makes one", tide.masked_select,
    x, x)
  fails("x[mask]: the mask must be uint8", function() return x[tide.ones{3}] end)
  fails("a mask of shape {2} does not fit the first axes of a tensor of shape {3, 4}", function()
    return x[tide.ones({2}, U8)]
  end)
  fails("a mask of shape {2} does not broadcast with a tensor of shape {3, 4}", tide.masked_select, x,
    tide.ones({2}, U8))
  fails("masked_fill: value must be a number, got", tide.masked_fill, x, x:gt(0))
  fails("k must be an integer in 0..4, the length of axis 2, got 5", tide.topk, x, 5)
  fails({"descending", "decending"}, tide.sort, x, {decending = true})
  fails("axis must be an integer in 1..2 or -2..-1, got nil", tide.cumsum, x)
  fails("the sizes must add up to 3, the length of axis 1, got {2, 2}", tide.split, x, {2, 2})
  fails("axis 1 is given twice", tide.flip, x, {1, 1})
  fails("there are 2 shifts for 1 axes", tide.roll, x, {1, 2}, 1)
  fails("there are 2 axes and 1 places for them", tide.movedim, x, {1, 2}, 1)
  fails("axis 1 is new, so -1 says nothing about it", tide.expand, x, {-1, 3, 4})
  fails("there are 2 counts for the 3 elements of axis 1", tide.repeat_interleave, x, {1, 2}, 1)
  fails("argument 2 must be a vector, got shape {3, 4}", tide.meshgrid, x[1], x)
  fails('"ij" or "xy"', tide.meshgrid, x[1], x[1], {indexing = "yx"})
  fails("column: a scalar", tide.column, tide.tensor(1))
  fails("cumsum: uint8 numbers would overflow", tide.core.apply, "cumsum", {0, 0}, tide.ones({2}, U8))
  fails("recurrence: shapes {3, 4} and {4} differ", tide.core.apply, "recurrence", {0, 0}, x, x[1])
  fails("gather: axis 4 does not exist", tide.core.apply, "gather", {3}, x, tide.ones({3, 4}, I64))
end

return tests
