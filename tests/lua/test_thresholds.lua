--- Where work is so large that it goes in pieces or to several threads, at odd sizes behind the bound: the
-- results are what they are of whole numbers, of copies and of parts.

local tide = require "tide"
local check = require "check"

local tests = {}

-- Whole numbers in -2..2, which follow from the seed.
local function whole(shape, dtype, seed)
  return ((tide.rand(shape, {seed = seed}) * 4.999):floor() - 2):to(dtype)
end

-- (a b) v = a (b v) and u (a b) = (u a) b, all of them exact; a and b in any layout.
local function holds(what, a, b)
  local m, n, dtype = a:shape()[1], b:shape()[2], a:dtype()
  local u, v = whole({1, m}, dtype, 3), whole({n, 1}, dtype, 4)
  local c = a:matmul(b)
  check.same_bits(c:to("int64"):matmul(v:to("int64")), a:matmul(b:matmul(v)):to("int64"), what .. " v")
  check.same_bits(u:to("int64"):matmul(c:to("int64")), u:matmul(a):matmul(b):to("int64"), "u " .. what)
end

-- Bounds in core/base/tuning.h: GEMM_PIECE_WORK, GEMM_LONG_SUM.
tests["products in pieces are exact where numbers are whole"] = function()
  for _, size in ipairs{{301, 7301, 391}, {37, 131075, 111}} do
    local m, k, n = table.unpack(size)
    local what = ("%d x %d x %d"):format(m, k, n)
    holds(what, whole({m, k}, "float32", 1), whole({k, n}, "float32", 2))
    holds(what .. " transposed", whole({k, m}, "float64", 1):transpose(1, 2),
      whole({n, k}, "float64", 2):transpose(1, 2))
  end
end

tests["functions of large views are those of their copies"] = function()
  for _, size in ipairs{{3, 270001}, {2, 3, 523, 521}} do
    local outer, fine = {}, {}
    for i, n in ipairs(size) do outer[i], fine[i] = n, 2 * n + 1 end
    outer[#size], outer[#size - 1] = outer[#size - 1], outer[#size]
    local x, y = tide.randn(fine, {seed = 1}), tide.randn(outer, {seed = 2}):transpose(-1, -2)
    for i, n in ipairs(size) do x = x:slice(i, 2, 2 * n, 2) end
    check.same_bits(x * y, x:clone() * y:clone())
    check.same_bits(x:abs(), x:clone():abs())
  end
end

tests["recurrent cells of a large batch are those of each row"] = function()
  for _, kind in ipairs{"rnn_cell", "gru_cell", "lstm_cell"} do
    local cell, n = tide.nn[kind](3, 5, {seed = 1, dtype = "float64"}), 20011
    local x = tide.randn({n, 3}, {seed = 2, dtype = "float64"})
    local h = tide.randn({n, 5}, {seed = 3, dtype = "float64"})
    local function run(first, last)
      local state = h:slice(1, first, last)
      return (cell(x:slice(1, first, last), kind == "lstm_cell" and {state, state:cos()} or state))
    end
    local all = run(1, n)
    for _, i in ipairs{1, 5000, 5461, 5462, 6554, 10923, n} do
      check.close(run(i, i), all:slice(1, i, i), 1e-15, kind .. " " .. i)
    end
  end
end

-- In one line, and along the first axis of two columns; the first of equal numbers counts.
tests["places of extremes, of every dtype and length"] = function()
  local function first(list, better)
    local best = 1
    for i, x in ipairs(list) do if better(x, list[best]) then best = i end end
    return best
  end
  local function more(a, b) return a > b end
  local function less(a, b) return a < b end
  for _, dtype in ipairs{"uint8", "int64", "float32", "float64"} do
    for _, n in ipairs{1, 2, 7, 8, 9, 31, 33, 255, 5000} do
      local x = (tide.rand({n}, {seed = n}) * (n % 2 == 0 and 255.9 or 5.9)):floor():to(dtype)
      local y, list = tide.stack({x, x:flip(1)}, 2), x:totable()
      local back = x:flip(1):totable()
      for name, better in pairs{argmax = more, argmin = less} do
        local what = ("%s %s %d"):format(name, dtype, n)
        assert(x[name](x):item() == first(list, better), what)
        check.same_bits(y[name](y, 1), tide.tensor({first(list, better), first(back, better)},
          {dtype = "int64"}), what)
      end
      table.sort(list)
      for _, at in ipairs{0, 3, 5, 100, 255} do
        local left, right = 1, 1
        for _, v in ipairs(list) do
          left, right = v < at and left + 1 or left, v <= at and right + 1 or right
        end
        local one = tide.tensor({at}, {dtype = dtype})
        assert(tide.searchsorted(x:sort(), one):item() == left, dtype)
        assert(tide.searchsorted(x:sort(), one, {right = true}):item() == right, dtype)
      end
    end
  end
end

return tests
