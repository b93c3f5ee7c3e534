-- tide.einsum against the sum that its equation writes down, and its derivatives of both orders; outer.
local check = require "check"
local tide = require "tide"
local op_checks = require "op_checks"

local randn, layouts, check_all = op_checks.randn, op_checks.layouts, op_checks.check_all
local tests = {}

local fails = check.fails

-- The sum, element by element; letters alone.
local function sum_of(equation, operands, sizes)
  local inputs, output = equation:match("(.*)%->(.*)")
  local labels, parts = {}, {}
  for part in (inputs .. ","):gmatch("(.-),") do parts[#parts + 1] = part end
  for label in pairs(sizes) do labels[#labels + 1] = label end
  table.sort(labels)
  local shape = {}
  for label in output:gmatch("%a") do shape[#shape + 1] = sizes[label] end
  local total, at = {}, {}
  local function element(x, part)
    for label in part:gmatch("%a") do x = type(x) == "number" and x or x[math.min(at[label], #x)] end
    return type(x) == "number" and x or x:item()
  end
  local function walk(i)
    if i <= #labels then
      for v = 1, sizes[labels[i]] do
        at[labels[i]] = v
        walk(i + 1)
      end
      return
    end
    local place, product = 0, 1
    for label in output:gmatch("%a") do place = place * sizes[label] + at[label] - 1 end
    for k, part in ipairs(parts) do product = product * element(operands[k], part) end
    total[place + 1] = (total[place + 1] or 0) + product
  end
  walk(1)
  return tide.tensor(total, {dtype = "float64"}):reshape(shape)
end

local sizes = {i = 2, j = 3, k = 4, b = 2}
local equations = {"ij,jk->ik", "ij,jk->ki", "bij,bjk->bik", "ij,ij->", "ij->ji", "ij->j", "ij->", "i,j->ij",
  "ib,ib->ib", "bij,k,jk->bi", "ii->i", "ii->", "iji->j", "bbij->jbi", "ij,kj,i->k", "b,bi,bij,k->jk",
  "ij,ji->i", "jj,jk->kj"}

local function operands_of(equation)
  local operands, seed = {}, 3
  for part in (equation:match("(.*)%->") .. ","):gmatch("(.-),") do
    local shape = {}
    for label in part:gmatch("%a") do shape[#shape + 1] = sizes[label] end
    operands[#operands + 1], seed = randn(shape, seed), seed + 1
  end
  return operands
end

for _, equation in ipairs(equations) do
  tests["einsum " .. equation] = function()
    local operands, used = operands_of(equation), {}
    for label in equation:gmatch("%a") do used[label] = sizes[label] end
    local want = sum_of(equation, operands, used)
    local got = tide.einsum(equation, table.unpack(operands))
    assert(table.concat(got:shape(), ",") == table.concat(want:shape(), ","))
    assert((got - want):abs():max():item() < 1e-13)
    local function fn(p) return tide.einsum(equation, table.unpack(p)) end
    check_all(equation, fn, operands)
    for _, view in ipairs(layouts(operands[1])) do
      check_all(equation, fn, {view, table.unpack(operands, 2)}, true)
    end
  end
end

local function same(a, b)
  assert(a:dtype() == b:dtype() and table.concat(a:shape(), ",") == table.concat(b:shape(), ","))
  assert((a - b):abs():max():item() < 1e-13)
end

tests["implied right sides, leading axes, sizes of 1, integers"] = function()
  local a, b = randn({2, 3}, 1), randn({3, 4}, 2)
  same(tide.einsum("ij,jk", a, b), a:matmul(b))
  same(tide.einsum("ba", a), a:transpose())
  same(tide.einsum(" i j , j k -> i k ", a, b), a:matmul(b))
  local x, y = randn({5, 1, 2, 3}, 3), randn({6, 3, 4}, 4)
  same(tide.einsum("...ij,...jk->...ik", x, y), x:matmul(y))
  same(tide.einsum("...ij,...jk", x, y), x:matmul(y))
  same(tide.einsum("i...->...i", x), x:permute{2, 3, 4, 1})
  same(tide.einsum("i...->...", x), x:sum(1))
  local column = randn({4, 1}, 5)
  same(tide.einsum("ij,kj->ik", a, column), a:matmul(column:broadcast_to{4, 3}:transpose()))
  local i = tide.tensor({{1, 2}, {3, 4}}, {dtype = "int64"})
  local big = tide.tensor({(1 << 53) + 1, 1}, {dtype = "int64"})
  assert(tide.einsum("ij,j->i", i, big):dtype() == "int64")
  assert(tide.einsum("ij,j->i", i, big)[1] == (1 << 53) + 3) -- exact
  same(tide.einsum("ij,j->i", i, tide.tensor{1, 0.5}), tide.tensor{2, 5})
  same(tide.outer(a[1], b[1]), a[1]:reshape{3, 1} * b[1])
  check_all("outer", function(p) return tide.outer(p[1], p[2]) end, {randn({3}, 1), randn({2}, 2)})
end

tests["products of integer matrices are integers and exact"] = function()
  local I64, U8 = {dtype = "int64"}, {dtype = "uint8"}
  local a, big = tide.tensor({{1, 2}, {3, 4}}, I64), tide.tensor({{(1 << 53) + 1, 1}, {1, 1}}, I64)
  local product = a:matmul(big)
  assert(product:dtype() == "int64" and product[1][1] == (1 << 53) + 3 and product[2][2] == 7)
  local bytes = tide.tensor({{200, 2}}, U8)
  local square = bytes:matmul(bytes:transpose())
  assert(square:dtype() == "int64" and square:item() == 40004)
  assert(tide.einsum("ij,kj->ik", bytes, bytes):item() == 40004)
  assert(bytes[1]:matmul(bytes[1]):item() == 40004)
  same(bytes:matmul(tide.tensor{{0.5}, {1}}), tide.tensor{{102}})
  same(tide.compile(tide.matmul)(a, big), product)
  local left, right = tide.arange(1, 30, I64):reshape{5, 1, 2, 3}, tide.arange(1, 24, I64):reshape{2, 3, 4}
  same(left:matmul(right), left:to("float64"):matmul(right:to "float64"):to "int64")
  -- more at once than is made at a time
  local wide = tide.arange(1, 200 * 300, I64):reshape{200, 300}
  same(wide:matmul(wide:transpose()), wide:to("float64"):matmul(wide:to("float64"):transpose()):to "int64")
  same(tide.zeros({2, 0}, I64):matmul(tide.zeros({0, 3}, I64)), tide.zeros({2, 3}, I64))
  fails("matmul: inner sizes differ, 2 and 1 (shapes {1, 2} and {1, 2})", tide.matmul, bytes, bytes)
end

tests["what is wrong is said in words"] = function()
  local a = tide.ones{2, 3}
  fails('such as "ij,jk->ik", got 3', tide.einsum, 3)
  fails('"ijk" names 3 axes of a tensor with 2', tide.einsum, "ijk", a)
  fails('"i" names 1 axes of a tensor with 2', tide.einsum, "i", a)
  fails('"i1" is no list of letters', tide.einsum, "i1", a)
  fails('"j" has size 2 in operand 2, and 3 before', tide.einsum, "ij,jk", a, a)
  fails('"i" has sizes 2 and 3 in one operand', tide.einsum, "ii", a)
  fails('"k" on the right side is in no operand', tide.einsum, "ij->k", a)
  fails('"i" on the right side is there twice', tide.einsum, "ij->ii", a)
  fails("the equation has 1 operands, 2 tensors were given", tide.einsum, "ij", a, a)
  fails("operand 2: expected a tensor, got nil", tide.einsum, "ij,jk", a)
  fails("argument 2 must be a vector, got shape {2, 3}", tide.outer, a[1], a)
  fails("tril: expected a matrix", tide.tril, a[1])
  fails("diag: expected a vector or a matrix, got shape {1, 2, 3}", tide.diag, tide.ones{1, 2, 3})
  fails("the diagonal must be an integer", tide.triu, a, 0.5)
end

return tests
