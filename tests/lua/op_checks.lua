--- What the tests of ops share: tensors, layouts, and the check of an op's derivatives of both orders.

local tide = require "tide"

local M = {}

function M.randn(shape, seed) return tide.randn(shape, {dtype = "float64", seed = seed or 11}) end
local randn = M.randn
function M.positive(shape, seed) return randn(shape, seed):abs() + 0.5 end
-- Away from zero, where relu, abs and sign have kinks.
function M.apart(shape, seed)
  local x = randn(shape, seed)
  return x + tide.where(x:gt(0), 0.3, -0.3)
end

-- Views of the same shape and values as x, but laid out differently.
function M.layouts(x)
  local list = {x}
  local rank = x:rank()
  if rank >= 1 then
    list[#list + 1] = x:slice(1, -1, 1, -1):clone():slice(1, -1, 1, -1)        -- negative stride
    list[#list + 1] = tide.stack({x, x + 1}, rank + 1):slice(rank + 1, 1, 1):reshape(x:shape())
  end
  if rank >= 2 then list[#list + 1] = x:transpose(1, -1):clone():transpose(1, -1) end
  return list
end

function M.check(name, fn, p, tolerance)
  local ok, worst = tide.gradcheck(fn, p, {tolerance = tolerance or 1e-6})
  if not ok then error(("%s: worst relative error %g"):format(name, worst), 2) end
end

-- First order on every layout, second order (the gradient of a weighted sum) on the plain one, jvp against
-- vjp.
function M.check_all(name, fn, p, once)
  M.check(name, fn, p)
  local first = tide.tree.tensors(p, true)
  if not once and #first > 0 then
    local function scalar(q)
      local y = fn(q) return (y * (y:stop_gradient() * 0 + 0.7)):sum() + (y:square()):sum() * 0.3
    end
    M.check(name .. " (second order)", function(q)
      local g = tide.grad(scalar)(q)
      local sum
      for i, t in ipairs(tide.tree.tensors(g, true)) do
        local part = (t * tide.randn(t:shape(), {dtype = "float64", seed = 100 + i})):sum()
        sum = sum and sum + part or part
      end
      return sum
    end, p, 2e-6)
  end
  -- <ybar, J v> = <J^T ybar, v>
  local v = tide.tree.map(p, function(x) return randn(x:shape(), 5) end)
  local y, dy = tide.jvp(fn, p, v)
  local ybar = randn(y:shape(), 6)
  local y2, pullback = tide.vjp(fn, p)
  local left = (ybar * dy):sum():item()
  local right, size = 0, 0
  local vs = tide.tree.tensors(v, true)
  for i, g in ipairs(tide.tree.tensors(pullback(ybar), true)) do
    right = right + (g * vs[i]):sum():item()
    size = size + (g * vs[i]):abs():sum():item()
  end
  assert(math.abs(left - right) <= 1e-10 * (1 + size), ("%s: jvp %g, vjp %g"):format(name, left, right))
  assert((y - y2):abs():sum():item() == 0, name .. ": values of jvp and vjp differ")
  -- recorded equals at once, to the last bit on dense arguments (programs copy strided ones, and sums depend
  -- on the layout)
  p = tide.tree.map(p, function(x) return x:clone() end)
  local eager, compiled = fn(p), tide.compile(fn)
  for _ = 1, 2 do
    local again = compiled(p)
    assert(again:dtype() == eager:dtype() and table.concat(again:shape(), ",") == table.concat(eager:shape(),
      ","), name)
    assert((again - eager):abs():sum():item() == 0, name .. ": compiled and eager values differ")
  end
end

-- ---- cases: functions of a method's name ----

local unary_shapes = {{}, {1}, {0}, {5}, {2, 3}, {1, 3, 1}, {2, 0, 3}, {2, 1, 2, 2}}
local binary_shapes = {
  {{}, {}}, {{3}, {}}, {{}, {3}}, {{2, 3}, {3}}, {{3}, {2, 3}}, {{2, 1}, {1, 3}}, {{1, 1}, {2, 3}},
  {{2, 3}, {2, 3}},
  {{0, 3}, {1, 3}}, {{2, 1, 3}, {4, 1}}, {{1}, {1}},
}

function M.unary(make, shapes, fn)
  return function(name)
    for _, shape in ipairs(shapes or unary_shapes) do
      for _, x in ipairs(M.layouts(make(shape))) do
        M.check_all(name .. " {" .. table.concat(shape, ",") .. "}",
          fn or function(q) return q[name](q) end, x,
          x:numel() == 0)
      end
    end
  end
end

function M.binary(make, fn, second)
  return function(name)
    fn = fn or function(a, b) return a[name](a, b) end
    for _, shapes in ipairs(binary_shapes) do
      local a, b = make(shapes[1], 3), (second or make)(shapes[2], 4)
      for i, x in ipairs(M.layouts(a)) do
        local ys = M.layouts(b)
        M.check_all(name .. " both", function(p) return fn(p[1], p[2]) end, {x, ys[(i - 1) % #ys + 1]},
          x:numel() == 0)
      end
      M.check_all(name .. " left", function(q) return fn(q, b) end, a)
      M.check_all(name .. " right", function(q) return fn(a, q) end, b)
    end
    local x = make({2, 3}, 8)
    if not second then M.check_all(name .. " with itself", function(q) return fn(q, q * 1.25) end, x) end
    M.check_all(name .. " with a number", function(q) return fn(q, 1.7) end, x)
  end
end

-- Within -0.9..0.9.
function M.inside(shape, seed) return randn(shape, seed):tanh() * 0.9 end

-- Functions of an op that has no gradient, or a zero one: the value must be right and the gradient zero.
function M.no_gradient(fn)
  return function(name)
    local x = M.apart{2, 3}
    local g = tide.grad(function(q) return (fn(q):to("float64") * q):sum() end)(x)
    assert((g - fn(x):to("float64")):abs():sum():item() == 0, name)
  end
end

function M.compare(f)
  return function(name)
    for _, shapes in ipairs(binary_shapes) do
      local a, b = randn(shapes[1], 1), randn(shapes[2], 2)
      for _, x in ipairs(M.layouts(a)) do
        local c = x[name](x, b)
        assert(c:dtype() == "uint8")
        local full = (a + b):shape()
        local u, v, w = x:broadcast_to(full):reshape{-1}, b:broadcast_to(full):reshape{-1}, c:reshape{-1}
        for i = 1, #u do assert(w[i] == (f(u[i], v[i]) and 1 or 0), name) end
      end
    end
    M.no_gradient(function(q) return q[name](q, 0.1) end)(name)
  end
end

return M
