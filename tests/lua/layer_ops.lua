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

return M
