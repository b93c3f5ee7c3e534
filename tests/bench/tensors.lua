--- CPU seconds of operations on tensors, for tensors.py: lines "name dtype seconds" on standard input, the
-- least of the rounds back.

local tide = require "tide"

local N = 1000000

local function numbers(shape, dtype, seed)
  return (tide.randn(shape, {dtype = "float64", seed = seed}) * (dtype == "int64" and 1e6 or 1)):to(dtype)
end

local function products(shapes, call)
  return function(dtype)
    local list = {}
    for i, shape in ipairs(shapes) do list[i] = numbers(shape, dtype, i) end
    return function() return call(table.unpack(list)) end
  end
end

local function matmul(a, b) return a:matmul(b) end
local function einsum(equation) return function(...) return tide.einsum(equation, ...) end end
local function of_numbers(call)
  return function(dtype)
    local x, at = numbers({N}, dtype, 1), tide.randperm(N, {seed = 2})
    return function() return call(x, at) end
  end
end

local works = {
  sort = of_numbers(function(x) return x:sort{indices = false} end),
  ["sort with positions"] = of_numbers(function(x) return x:sort() end),
  argsort = of_numbers(function(x) return x:argsort() end),
  cumsum = of_numbers(function(x) return x:cumsum() end),
  gather = of_numbers(function(x, at) return x:gather(1, at) end),
  take = of_numbers(function(x, at) return x:take(at) end),
  ["scatter_add"] = of_numbers(function(x, at) return x:scatter_add(1, at, x) end),
  unique = of_numbers(function(x) return x:unique() end),
  topk = of_numbers(function(x) return x:topk(100) end),
  nonzero = of_numbers(function(x) return x:nonzero() end),
  ["matmul 64 x 32 32 32"] = products({{64, 32, 32}, {64, 32, 32}}, matmul),
  ["matmul 1000 x 4 4 4"] = products({{1000, 4, 4}, {1000, 4, 4}}, matmul),
  ["matmul 16 x 128 128 128"] = products({{16, 128, 128}, {16, 128, 128}}, matmul),
  ["matmul 8 x 1 x 64 64 64, 6 x 64 64"] = products({{8, 1, 64, 64}, {6, 64, 64}}, matmul),
  ["bij,bjk->bik 32 64 64 64"] = products({{32, 64, 64}, {32, 64, 64}}, einsum "bij,bjk->bik"),
  ["bhqd,bhkd->bhqk 4 8 64 32"] = products({{4, 8, 64, 32}, {4, 8, 64, 32}}, einsum "bhqd,bhkd->bhqk"),
  ["bqhd,bkhd->bhqk 4 64 8 32"] = products({{4, 64, 8, 32}, {4, 64, 8, 32}}, einsum "bqhd,bkhd->bhqk"),
  ["ij,kj->ik 300 300 300"] = products({{300, 300}, {300, 300}}, einsum "ij,kj->ik"),
  ["bi,bj->bij 256 64 64"] = products({{256, 64}, {256, 64}}, einsum "bi,bj->bij"),
  ["ijk,k->ij 64 64 64"] = products({{64, 64, 64}, {64}}, einsum "ijk,k->ij"),
  ["bi,ij,bj->b 256 64 64"] = products({{256, 64}, {64, 64}, {256, 64}}, einsum "bi,ij,bj->b"),
}

for line in io.lines() do
  local name, dtype, seconds = line:match("^(.*) (%S+) (%S+)$")
  local run = works[name](dtype)
  run()
  local best, spent = math.huge, 0
  while spent < tonumber(seconds) do
    local begin = os.clock()
    run()
    local one = os.clock() - begin
    best, spent = math.min(best, one), spent + one
    collectgarbage()
  end
  print(("%.9g"):format(best))
  io.stdout:flush()
end
