--- Programs on few numbers, which go through them one by one (core/autodiff/program_small.c), give what the
-- ops give one after the other, to the last bit.

local tide = require "tide"

local tests = {}

local function same(what, got, want)
  local a, b = got:reshape{-1}:totable(), want:reshape{-1}:totable()
  assert(#a == #b, what)
  for i, v in ipairs(b) do
    local equal = a[i] == v and 1 / a[i] == 1 / v or a[i] ~= a[i] and v ~= v -- signs of 0 count
    if not equal then error(("%s: number %d is %.17g, not %.17g"):format(what, i, a[i], v), 2) end
  end
end

-- Arithmetic, broadcasts, views of all kinds that are read and that are results, joins, calls between them.
local functions = {
  arithmetic = function(x, y) return -(x + y) * (x - y) / (y * y + 2) + x:square() - y:reciprocal() end,
  broadcast = function(x, y) return x:reshape{4, 1}:slice(1, 1, 2) * y:reshape{1, 4}:slice(2, 3, 4) - 0.5 end,
  columns = function(x, y)
    local m = x:reshape{2, 2}
    return tide.cat({m:slice(2, 2, 2), y:reshape{2, 2}:slice(2, 1, 1) * m:slice(2, 2, 2)}, 2)
  end,
  row = function(x, y) return tide.cat({x:slice(1, 4, 4), y:slice(1, 2, 2) * 2, x:slice(1, 1, 2)}, 1) end,
  transposed = function(x, y)
    return tide.cat({x:reshape{2, 2}:permute{2, 1}:reshape{4}, -y}, 1):slice(1, 2, 5)
  end,
  calls = function(x, y)
    return (x:sin() * y + x:tanh()):sum() * (x - y):exp() / y:reshape{2, 2}:sum(1)[2]
  end,
  chosen = function(x, y) return tide.where(tide.gt(x, y), x * y, y - x) + tide.gt(x, 0):to("float64") end,
  twice = function(x, y) local z = x * y return z + z * z - z / z, z, x:slice(1, 2, 3) end,
}

local function inputs()
  local f64 = {dtype = "float64"}
  return {{tide.randn({4}, {seed = 1, dtype = "float64"}), tide.randn({4}, {seed = 2, dtype = "float64"})},
    {tide.tensor({0, -0.0, 1e308, 3}, f64), tide.tensor({-1, 2, 1e308, -0.0}, f64)},
    {tide.tensor({0 / 0, 1 / 0, -1 / 0, 1}, f64), tide.tensor({1, 1 / 0, 2, 0 / 0}, f64)}}
end

tests["compiled is as computed"] = function()
  for name, fn in pairs(functions) do
    local compiled = tide.compile(fn)
    for k, pair in ipairs(inputs()) do
      local got, want = {compiled(pair[1], pair[2])}, {fn(pair[1], pair[2])}
      for i in ipairs(want) do same(("%s of pair %d, result %d"):format(name, k, i), got[i], want[i]) end
      got, want = compiled(pair[2]:clone(), pair[1]:clone()), fn(pair[2], pair[1]) -- other addresses
      same(name, got, want)
    end
  end
end

tests["gradients, and more numbers than few"] = function()
  for name, fn in pairs(functions) do
    if name ~= "chosen" then
      local function loss(p)
        local r = fn(p.x, p.y)
        return r:sum()
      end
      local gradient = tide.compile(function(p) return tide.grad(loss)(p) end)
      local pair = inputs()[1]
      local p = {x = pair[1], y = pair[2]}
      local g, h = gradient(p), 1e-6
      for _, key in ipairs{"x", "y"} do
        local step = tide.randn({4}, {seed = 7, dtype = "float64"})
        local function at(by)
          local q = {x = p.x, y = p.y}
          q[key] = q[key] + step * by
          return loss(q):item()
        end
        local want = (at(h) - at(-h)) / (2 * h)
        local got = (g[key] * step):sum():item()
        if math.abs(got - want) > 1e-6 * (1 + math.abs(want)) then error(name .. ": " .. got) end
      end
    end
  end
  for n = 1, 9 do
    local x = tide.randn({n}, {seed = n, dtype = "float64"})
    local y = tide.randn({n}, {seed = 99, dtype = "float64"})
    local fn = function(a, b) return tide.cat({a * b - a / b, -a}, 1) end
    same(n .. " numbers", tide.compile(fn)(x, y), fn(x, y))
  end
end

return tests
