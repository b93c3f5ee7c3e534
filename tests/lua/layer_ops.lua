--- Cases of test_ops about the ops that layers are made of.

local tide = require "tide"
local op_checks = require "op_checks"
local core = tide.core
local randn, layouts, check_all = op_checks.randn, op_checks.layouts, op_checks.check_all
local M = {}

function M.pool_pick(name)
  for _, o in ipairs{{}, {stride = 1, padding = 1}, {stride = {2, 1}, dilation = {1, 2}, ceil_mode = true}} do
    for _, x in ipairs(layouts(randn{2, 2, 5, 6})) do
      check_all(name, function(q) return tide.max_pool2d(q, {2, 3}, o) end, x)
    end
  end
  check_all(name, function(q) return tide.max_pool1d(q, 3, {stride = 2}):sin() end, randn{2, 2, 7})
  check_all(name, function(q) return tide.max_pool2d(q, 1) end, randn{1, 1, 1, 1})
end

function M.pool_put(name)
  local at = tide.tensor({{{{1, 9}}, {{9, 9}}}}, {dtype = "int64"})
  check_all(name, function(q) return core.apply("pool_put", {4, 3}, q, at):sin() end, randn{1, 2, 1, 2})
  check_all(name, function(q) return core.apply("pool_pick", {}, q, at):sin() end, randn{1, 2, 4, 3})
end

-- Where numbers are has no derivative: it is constant, and 1 of 1.
function M.pool_positions()
  local function at(x) return core.apply("pool_positions", {1, 2, 1, 2, 0, 0, 1, 1, 0, 0, 0, 0}, x) end
  local x = tide.tensor({{{{3, 1, 2, 2, 0 / 0, 9}}}}, {dtype = "float64"})
  assert(at(x):eq(tide.tensor({{{{1, 3, 5}}}}, {dtype = "int64"})):all())
  local g = tide.grad(function(q) return (q * 2):sum() + at(q):to("float64"):sum() end)(x)
  assert(g:eq(2):all())
end

function M.avg_pool(name)
  for _, o in ipairs{{}, {stride = 1, padding = {1, 0}}, {padding = 1, ceil_mode = true},
    {padding = 1, count_include_pad = false}, {divisor_override = 5}} do
    for _, x in ipairs(layouts(randn{2, 2, 5, 4})) do
      check_all(name, function(q) return tide.avg_pool2d(q, {3, 2}, o) end, x)
      check_all(name, function(q) return tide.adaptive_avg_pool2d(q, {2, 3}):sin() end, x)
    end
  end
  check_all(name, function(q) return tide.avg_pool1d(q, 3, {stride = 2}):sin() end, randn{2, 2, 7})
  check_all(name, function(q) return tide.adaptive_avg_pool1d(q, 9):sin() end, randn{2, 2, 7})
end

function M.avg_pool_grad(name)
  local a = {3, 2, 2, 1, 1, 0, 1, 1, 0, 0, 1, 0, 5, 4}
  check_all(name, function(q) return core.apply("avg_pool_grad", a, q):sin() end, randn{1, 2, 3, 3})
end

-- Mean and 1 / sqrt(variance + eps) of the channels of x, as the op wants them.
local function scales(x)
  local m = core.apply("moments", {}, x)
  return tide.cat{m:slice(1, 1, 1), (m:slice(1, 2, 2) + 1e-3) ^ -0.5}
end
local batches = {{3, 2, 1}, {2, 3, 17}, {1, 1, 2}}

function M.moments()
  local x = randn{3, 2, 19}
  local m = core.apply("moments", {}, x)
  local centred = x - x:mean({1, 3}, true)
  assert((m[1] - x:mean{1, 3}):abs():max():item() < 1e-14)
  assert((m[2] - centred:square():mean{1, 3}):abs():max():item() < 1e-14)
  assert(tide.grad(function(q) return core.apply("moments", {}, q):sum() end)(x):abs():max():item() == 0)
end
function M.normalise(name)
  for _, shape in ipairs(batches) do
    local w = randn({2, shape[2]}, 3)
    for _, x in ipairs(layouts(randn(shape))) do
      check_all(name, function(p) return core.apply("normalise", {}, p[1], scales(p[1]), p[2]) end, {x, w})
    end
  end
  local x, w = randn{2, 2, 0}, randn{2, 2}
  local function sum(q) return core.apply("normalise", {}, q[1], scales(q[1]), q[2]):sum() end
  assert(table.concat(tide.grad(sum){x, w}[1]:shape(), " ") == "2 2 0")
end
function M.normalise_sums(name)
  for _, shape in ipairs(batches) do
    local x, g = randn(shape, 1), randn(shape, 2)
    check_all(name, function(p) return core.apply("normalise_sums", {}, p[1], scales(p[1]), p[2]) end, {x, g})
  end
end
function M.normalise_grad(name)
  for _, shape in ipairs(batches) do
    local x, w, sums, g = randn(shape, 1), randn({2, shape[2]}, 2), randn({2, shape[2]}, 3), randn(shape, 4)
    check_all(name, function(p)
      return core.apply("normalise_grad", {}, p[1], scales(p[1]), p[2], p[3], p[4])
    end, {x, w, sums, g})
  end
end

for name, row in pairs{gru_cell = {6, 6, 2}, gru_cell_grad = {8, 6, 2, 2}, lstm_cell = {8, 8, 2},
  lstm_cell_grad = {14, 2, 4}} do
  M[name] = function(full)
    local function fn(p) return core.apply(name, {}, table.unpack(p)) end
    for rows = 0, 3 do
      local p = {}
      for i, columns in ipairs(row) do p[i] = randn({rows, columns}, i) * 0.5 end
      check_all(full, fn, p, rows == 0)
      if not name:find("grad") then
        check_all(full, function(q) return fn(q):slice(2, 1, 2):sin() end, p, rows == 0)
      end
      local strided = {}
      for i, x in ipairs(p) do strided[i] = layouts(x)[4] end
      check_all(full, fn, strided, true)
    end
    local p = {} -- one tensor in two places
    for i, columns in ipairs(row) do p[i] = randn({2, columns}, i) end
    check_all(full, function(q)
      local list = table.move(p, 1, #p, 1, {})
      list[name == "lstm_cell_grad" and 2 or 3] = q
      if name == "gru_cell_grad" then list[4] = q end
      return core.apply(name, {}, table.unpack(list))
    end, randn({2, 2}, 9))
  end
end

return M
