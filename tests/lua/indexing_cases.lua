--- What tests of all ops ask of positions, order, arrangement and draws: gradients (test_ops.lua), axes of
-- length 0 (test_empty.lua), sizes at and beyond every limit (test_sizes.lua).

local tide = require "tide"
local op_checks = require "op_checks"

local core = tide.core
local randn, layouts, check_all = op_checks.randn, op_checks.layouts, op_checks.check_all
local I64 = {dtype = "int64"}
local M = {}

-- ---- gradients ----

-- fn(q, axis) along each axis, on all layouts, and on tensors of one element.
local function along(fn, make)
  return function(name)
    for axis = 1, 3 do
      for _, x in ipairs(layouts((make or randn){2, 3, 2})) do
        check_all(name, function(q) return fn(q, axis) end, x)
      end
    end
    check_all(name, function(q) return fn(q, -1) end, randn{1})
    check_all(name, function(q) return fn(q, 1) end, randn{5})
    check_all(name, function(q) return fn(q, 2) end, randn{2, 0, 3}, true)
    check_all(name, function(q) return fn(q, -1) end, randn{3, 0}, true)
  end
end

-- Values in random order, 0.37 apart, so that differences do not change the order.
local function apart(shape)
  local n = 1
  for _, k in ipairs(shape) do n = n * k end
  return (tide.randperm(n, {seed = 3}):to("float64") * 0.37 - 1):reshape(shape)
end

local function views(fn, shapes)
  return function(name)
    for _, shape in ipairs(shapes or {{2, 3}, {3}, {2, 1, 3}}) do
      for _, x in ipairs(layouts(randn(shape))) do check_all(name, fn, x) end
    end
  end
end

local function weighted(y) return y * tide.arange(1, y:numel(), 1, {dtype = "float64"}):reshape(y:shape()) end

local function order(name) -- positions have no derivative
  local x = randn{3, 4}
  local g = tide.grad(function(q) return (q[name](q, 1):to("float64") * q):sum() end)(x)
  assert((g - x[name](x, 1):to("float64")):abs():sum():item() == 0)
end

M.gradients = {
  gather = function(name)
    local at = tide.randint(1, 3, {2, 4, 2}, {seed = 1})
    for _, x in ipairs(layouts(randn{2, 3, 2})) do
      check_all(name, function(q) return q:gather(2, at):sin() end, x)
      check_all(name, function(q) return q:gather(-1, {{{1, 2, 2}}, {{2, 1, 1}}}):sin() end, x)
    end
    check_all(name, function(q) return q:gather(1, {3, 3, 1, 2}) * 2 end, randn{3})
    check_all(name, function(q) return q:gather(1, {1, 1}):sin() end, randn{})
    check_all(name, function(q) return q:gather(1, tide.zeros({0, 2}, I64)):sin() end, randn{3, 2}, true)
    check_all(name, function(q) return q:gather(2, at:transpose(2, 3):clone():transpose(2, 3)) end,
      randn{2, 3, 2})
  end,
  scatter_add = function(name)
    local at = tide.randint(1, 4, {2, 3}, {seed = 2})
    for _, x in ipairs(layouts(randn{2, 4})) do
      for _, src in ipairs(layouts(randn({2, 3}, 4))) do
        check_all(name, function(p) return p[1]:scatter_add(2, at, p[2]):sin() end, {x, src})
      end
    end
    check_all(name, function(p) return p[1]:scatter_add(1, {{1, 3}}, p[2]):sin() end, {randn{3, 3}, randn{2,
      4}})
    check_all(name, function(p) return p[1]:scatter_add(1, {1, 1}, p[2]) end, {randn{}, randn{2}})
    check_all(name, function(q) return q:scatter_add(1, tide.zeros({0}, I64), q):sin() end, randn{3})
  end,
  index_select = views(function(q) return q:index_select(-1, {1, 3, 3, 2}):sin() end),
  masked_fill = function(name)
    local mask = tide.tensor({{1, 0, 1}}, {dtype = "uint8"})
    check_all(name, function(q) return q:masked_fill(mask, 2):sin() end, randn{2, 3})
    check_all(name, function(p) return p[1]:masked_fill(mask, p[2]):sin() end, {randn{2, 3}, randn{}})
  end,
  cumsum = along(function(q, axis) return q:cumsum(axis):sin() end),
  cumprod = along(function(q, axis) return q:cumprod(axis) end),
  recurrence = along(function(q, axis)
    local at = axis > 0 and axis - 1 or q:rank() + axis
    return core.apply("recurrence", {at, 0}, q, q * 0.5) + core.apply("recurrence", {at, 1}, q:sin(), q)
  end),
  sort = along(function(q, axis)
    local values = q:sort(axis)
    return weighted(values) + q:sort(axis, {descending = true, indices = false}):sin()
  end, apart),
  argsort = order,
  topk = function(name)
    for _, x in ipairs(layouts(apart{3, 4})) do
      check_all(name, function(q) return weighted((q:topk(2))) + weighted((q:topk(2, -1,
        {largest = false}))) end,
        x)
      check_all(name, function(q) return (q:topk(3, 1)):sin() end, x)
    end
  end,
  quantile = function(name)
    for _, x in ipairs(layouts(apart{3, 4})) do
      check_all(name, function(q) return q:quantile({0.2, 0.5, 0.9}, 2):sin() end, x)
      check_all(name, function(q) return q:quantile(0.3, 1, true) * q end, x)
    end
  end,
  median = function(name)
    for _, x in ipairs(layouts(apart{3, 4})) do
      check_all(name, function(q) return q:median(1):sin() + q:median(2):sum() * q:median() end, x)
    end
  end,
  cov = views(function(q) return q:cov():sin() end, {{2, 3}, {3, 2}, {4}}),
  corrcoef = views(function(q) return q:corrcoef():slice(1, 1, 1):slice(2, 2, -1):sin() end,
    {{2, 3}, {3, 4}}),
  diff = views(function(q) return q:diff(1, -1):sin() + q:diff(1, -1) ^ 2 end),
  trapezoid = views(function(q) return q:trapezoid(0.5):sin() * q:trapezoid(q:sin()) end),
  trace = views(function(q) return q:square():trace():sin() end, {{2, 3}, {3, 3}, {2, 3, 2}}),
  kron = views(function(q) return q:kron(q:sin()) end, {{2, 3}, {3}}),
  cross = views(function(q) return q:cross(q:sin() * 2):cos() end),
  searchsorted = function()
    local x = randn{5}
    local g = tide.grad(function(q)
      return (tide.searchsorted(tide.tensor({-1, 0, 1}, {dtype = "float64"}), q):to("float64") * q):sum()
    end)(x)
    for i = 1, 5 do assert(g[i] == 1 + (x[i] > -1 and 1 or 0) + (x[i] > 0 and 1 or 0) + (x[i] > 1 and 1
      or 0)) end
  end,
  masked_select = function() -- in a function that is recorded anew at each call: test_indexing.lua
    local mask = tide.tensor({1, 0, 1}, {dtype = "uint8"})
    for _, x in ipairs(layouts(randn{2, 3})) do
      local g = tide.grad(function(q) return q:masked_select(mask):square():sum() end)(x)
      assert((g - 2 * x * mask):abs():sum():item() == 0)
      local second = tide.grad(function(p)
        return (tide.grad(function(q) return (q:masked_select(mask) ^ 3):sum() end)(p) * x):sum()
      end)(x)
      assert((second - 6 * x * x * mask):abs():max():item() < 1e-12)
    end
  end,
  squeeze = views(function(q) return q:squeeze():sin() end, {{2, 1, 3}, {1}, {1, 1}}),
  unsqueeze = views(function(q) return weighted(q:unsqueeze(1):sin()):sum() + q:unsqueeze(-1):cos() end),
  movedim = views(function(q) return q:movedim(1, -1):sin() end),
  expand = views(function(q) return q:expand{2, 2, -1, -1}:sin() end, {{1, 3}, {2, 1}}),
  column = views(function(q) return q:column(-1):sin() end),
  split = views(function(q) return weighted(tide.cat(q:split(2, -1), -1):sin()) + q:split({1, 2},
    -1)[2]:sum() end),
  chunk = views(function(q) return q:chunk(2, -1)[2]:sin() end),
  flip = views(function(q) return weighted(q:flip()) + q:flip(1):sin() end),
  roll = views(function(q) return weighted(q:roll(1, -1)) + q:roll(-2):sin() end),
  tile = views(function(q) return weighted(q:tile{2, 3}) end),
  repeat_interleave = views(function(q)
    return weighted(q:repeat_interleave(2, -1)):sum() + weighted(q:repeat_interleave({2, 0, 1}, -1)):sin()
  end),
  pad = function(name)
    for _, mode in ipairs{"constant", "reflect", "replicate", "circular"} do
      for _, x in ipairs(layouts(randn{3, 4})) do
        check_all(name, function(q) return weighted(q:pad({2, 1, 0, 2}, {mode = mode})):sin() end, x)
      end
    end
    check_all(name, function(q) return q:pad({-1, 2}, {value = 0.5}):sin() end, randn{2, 3})
  end,
}
M.plain = {nonzero = true, unique = true, bincount = true, histogram = true}

-- ---- axes of length 0 ----

local e, m, n = tide.zeros{0}, tide.zeros{0, 3}, tide.zeros{2, 0}
local none = tide.zeros({0}, {dtype = "uint8"})

M.empty = {
  quantile = {{function() return m:quantile(0.5, 2) end, {0}},
    {function() return m:quantile({0, 1}, 2, true) end, {2, 0, 1}},
    {function() return e:quantile(0.5) end, "there are no elements"}},
  median = {{function() return n:median(1) end, {0}}, {function() return n:median(2) end, "no elements"}},
  cov = {{function() return m:cov() end, {0, 0}}, {function() return n:cov() end, {2, 2}, 0 / 0}},
  corrcoef = {{function() return m:corrcoef() end, {0, 0}},
    {function() return n:corrcoef() end, {2, 2}, 0 / 0}},
  bincount = {{function() return none:bincount() end, {0}},
    {function() return none:bincount{minlength = 2} end, {2}, 0}},
  histogram = {{function() return (e:histogram(3)) end, {3}, 0},
    {function() return (select(2, n:histogram({1, 2}))) end, {2}}},
  diff = {{function() return m:diff() end, {0, 2}}, {function() return m:diff(1, 1) end, {0, 3}}},
  trapezoid = {{function() return m:trapezoid() end, {0}}, {function() return m:trapezoid(2, 1) end, {3}, 0}},
  trace = {{function() return m:trace() end, {}, 0},
    {function() return tide.zeros{0, 2, 2}:trace() end, {0}}},
  kron = {{function() return m:kron(tide.ones{2, 2}) end, {0, 6}}},
  cross = {{function() return m:cross(tide.ones{3}) end, {0, 3}}},
  gather = {{function() return m:gather(1, tide.zeros({0, 3}, I64)) end, {0, 3}},
    {function() return tide.ones{2, 3}:gather(2, tide.zeros({2, 0}, I64)) end, {2, 0}},
    {function() return e:gather(1, {1}) end, "position 1 (entry {1}) lies outside 1..0 of axis 1"}},
  scatter_add = {{function() return e:scatter_add(1, {}, e) end, {0}},
    {function() return tide.ones{3}:scatter_add(1, {}, e) end, {3}, 1},
    {function() return e:scatter_add(1, {1}, tide.ones{1}) end, "lies outside 1..0"}},
  index_select = {{function() return m:index_select(2, {1}) end, {0, 1}},
    {function() return tide.ones{2}:index_select(1, {}) end, {0}}},
  masked_fill = {{function() return m:masked_fill(m:gt(0), 1) end, {0, 3}}},
  masked_select = {{function() return m:masked_select(m:gt(0)) end, {0}},
    {function() return tide.ones{2}:masked_select(tide.zeros({2}, {dtype = "uint8"})) end, {0}},
    {function() return e[none] end, {0}}, {function() return m[none] end, {0, 3}}},
  nonzero = {{function() return m:nonzero() end, {0, 2}}, {function() return tide.zeros{2}:nonzero() end, {0,
    1}},
    {function() return tide.tensor(1):nonzero() end, {1, 0}}, {function() return tide.tensor(0):nonzero() end,
      {0, 0}}},
  sort = {{function() return (m:sort(1)) end, {0, 3}}, {function() return (select(2, n:sort())) end, {2, 0}},
    {function() return n:sort{indices = false} end, {2, 0}}},
  argsort = {{function() return n:argsort(1) end, {2, 0}}},
  topk = {{function() return (n:topk(0)) end, {2, 0}}, {function() return (tide.ones{3}:topk(0)) end, {0}},
    {function() return (e:topk(1)) end, "k must be an integer in 0..0"}},
  unique = {{function() return (m:unique()) end, {0}}, {function() return (select(2, m:unique())) end, {0}},
    {function() return (select(3, m:unique())) end, {0, 3}}},
  cumsum = {{function() return m:cumsum(1) end, {0, 3}}, {function() return e:cumsum() end, {0}}},
  cumprod = {{function() return m:cumprod(1) end, {0, 3}}, {function() return m:cumprod(2) end, {0, 3}}},
  squeeze = {{function() return tide.zeros{1, 0, 1}:squeeze() end, {0}}},
  unsqueeze = {{function() return m:unsqueeze(2) end, {0, 1, 3}}},
  movedim = {{function() return m:movedim(1, 2) end, {3, 0}}},
  expand = {{function() return tide.ones{1, 3}:expand{0, -1} end, {0, 3}}},
  column = {{function() return m:column(2) end, {0}}, {function() return n:column(1) end, "is empty"}},
  split = {{function() return m:split(2)[1] end, {0, 3}}, {function() return tide.ones{2}:split{0, 2}[1] end,
    {0}}},
  chunk = {{function() return m:chunk(3)[1] end, {0, 3}}},
  flip = {{function() return m:flip() end, {0, 3}}}, roll = {{function() return m:roll(2, 1) end, {0, 3}},
    {function() return m:roll(1) end, {0, 3}}},
  tile = {{function() return m:tile{2, 2} end, {0, 6}}, {function() return tide.ones{2}:tile{0} end, {0}}},
  repeat_interleave = {{function() return m:repeat_interleave(2, 2) end, {0, 6}},
    {function() return e:repeat_interleave({}, 1) end, {0}}, {function() return e:repeat_interleave(3) end,
      {0}}},
  pad = {{function() return e:pad{2, 1} end, {3}, 0}, {function() return m:pad({0, 0, 1, 0}, {value = 2}) end,
    {1, 3}, 2},
    {function() return e:pad({1, 0}, {mode = "replicate"}) end, "needs more elements than the 0 of axis 1"}},
}

-- ---- sizes ----

local x, v3 = tide.tensor{{1, 2, 3}, {4, 5, 6}}, tide.tensor{1, 2, 3}

M.sizes = {
  quantile = {function(v) return x:quantile(v) end, function(v) return x:quantile(0.5, v) end,
    function(v) return x:quantile({v}, 1) end},
  median = {function(v) return x:median(v) end}, cov = {function(v) return x:cov{correction = v} end},
  corrcoef = {function(v) return (x * v):corrcoef() end},
  bincount = {names = {"minlength"}, function(o) return tide.tensor({1, 2}, I64):bincount(o) end},
  histogram = {function(v) return x:histogram(v) end, function(v) return x:histogram(2, {range = {0, v}}) end,
    function(v) return x:histogram{v, 3} end},
  diff = {function(v) return x:diff(v) end, function(v) return x:diff(1, v) end},
  trapezoid = {function(v) return x:trapezoid(v) end, function(v) return x:trapezoid(1, v) end,
    function(v) return x:trapezoid{0, v, 1} end},
  trace = {}, kron = {}, cross = {function(v) return v3:cross(v3, v) end},
  logspace = {function(v) return tide.logspace(0, 1, v) end, function(v) return tide.logspace(v, 1, 3) end,
    function(v) return tide.logspace(0, 1, 3, {base = v}) end},
  gather = {function(v) return x:gather(v, {{1}, {1}}) end, function(v) return x:gather(2, {{v}, {1}}) end},
  scatter_add = {function(v) return x:scatter_add(v, {{1}, {1}}, x) end,
    function(v) return x:scatter_add(2, {{v}, {1}}, x) end},
  index_select = {function(v) return x:index_select(v, {1}) end, function(v) return x:index_select(2,
    {v}) end},
  masked_fill = {function(v) return x:masked_fill(x:gt(2), v) end}, masked_select = {}, nonzero = {},
    unique = {},
  searchsorted = {function(v) return tide.searchsorted(v3, v) end}, meshgrid = {}, interp = {},
  topk = {function(v) return x:topk(v) end, function(v) return x:topk(1, v) end},
  squeeze = {function(v) return x:squeeze(v) end, function(v) return x:squeeze{v, 1} end},
  unsqueeze = {function(v) return x:unsqueeze(v) end},
  movedim = {function(v) return x:movedim(v, 1) end, function(v) return x:movedim({1, 2}, {2, v}) end},
  expand = {function(v) return x:expand{v, 3} end, function(v) return tide.ones{1}:expand{v, -1} end},
  column = {function(v) return x:column(v) end},
  split = {function(v) return x:split(v) end, function(v) return x:split({v, 1}, 2) end,
    function(v) return x:split(1, v) end},
  chunk = {function(v) return x:chunk(v) end, function(v) return x:chunk(2, v) end},
  roll = {function(v) return x:roll(v) end, function(v) return x:roll(1, v) end},
  tile = {function(v) return tide.zeros{0}:tile{v} end, function(v) return x:tile{1, v} end},
  repeat_interleave = {function(v) return x:repeat_interleave(v) end,
    function(v) return x:repeat_interleave({1, v}, 1) end, function(v) return x:repeat_interleave(1, v) end},
  pad = {function(v) return x:pad{v, 0} end, function(v) return x:pad({0, v}, {mode = "reflect"}) end,
    function(v) return x:pad({1, 1}, {value = v}) end},
  randint = {function(v) return tide.randint(v, 3, {2}) end, function(v) return tide.randint(-2, v, {2}) end,
    function(v) return tide.randint(1, 2, {v}) end, function(v) return tide.randint(1, 2, {2},
      {seed = v}) end},
  bernoulli = {function(v) return tide.bernoulli(v, {2}) end, function(v) return tide.bernoulli(0.5, {v}) end,
    function(v) return tide.bernoulli(v3 * 0.2, {seed = v}) end},
  multinomial = {function(v) return tide.multinomial(v3, v) end,
    function(v) return tide.multinomial(v3, v, {replacement = true}) end,
    function(v) return tide.multinomial(v3, 2, {seed = v}) end},
}
for name in ("sort argsort cumsum cumprod flip"):gmatch("%a+") do
  M.sizes[name] = {function(v) return x[name](x, v) end}
end

return M
