--- Flows that contract, where the way back in time grows what is wrong: a continuous adjoint is right there,
-- or an error, by every method, with every norm of its own.

local tide = require "tide"

local tests = {}

local function f64(x) return tide.tensor(x, {dtype = "float64"}) end
local function normal(shape, seed) return tide.randn(shape, {dtype = "float64", seed = seed}) end
local matrix = f64{{-1, 6, 3}, {0, -10, 8}, {0, 0, -40}}

-- Field of the parameters, these, y0, the end of the span.
local systems = {
  linear = {function(p) return function(_, y) return y:matmul(p) end end, matrix, f64{{1, 0.5, -0.7}}, 1},
  forced = {function(p)
    return function(t, y) return p * (y - tide.cos(t)) * -30 - tide.sin(t) end
  end, f64(1), f64{2, 0, 1.001}, 2},
  cubic = {function(p) return function(_, y) return p * (y - y * y * y) * 10 end end, f64(1),
    f64{0.1, -0.5, 2}, 2},
  ["a sink"] = {function(p) return function(_, y) return -p * y * (1 + y * y) end end, f64{5, 15, 25},
    f64{1, 2, 3}, 1.5},
  ["one of many"] = {function(p) return function(_, y) return y * p end end,
    tide.cat({f64{-25}, normal({40}, 1) * 0}, 1), normal({41}, 2), 1},
  small = {function(p) return function(_, y) return -p * y end end, f64{40, 1}, f64{1e-4, 1}, 1},
  tanh = {function(p) return function(_, y) return y:matmul(p):tanh() * 5 - y * 12 end end, normal({4, 4}, 2),
    normal({3, 4}, 1), 2},
}

local ways = {{method = "dopri5"}, {method = "dopri5", per_sample = true},
  {method = "dopri5", adjoint = {norm = "seminorm"}}, {method = "dopri5", adjoint = {method = "kvaerno5"}},
  {method = "kvaerno5"}, {method = "kvaerno5", adjoint = {norm = "seminorm"}}, {method = "rodas4"},
  {method = "adams"}, {method = "auto"},
  {method = "bdf", adjoint = {norm = "seminorm"}}}

local function gradient(system, o)
  local f, p, y0, span = table.unpack(system)
  local g = tide.grad(function(q)
    local y = tide.odeint(f(q.p), q.y, {0, span}, o)[2]
    return y:sin():sum() + y:square():sum()
  end){p = p, y = y0}
  return tide.cat({g.p:reshape{-1}, g.y:reshape{-1}}, 1)
end

local tol = 1e-6

for name, system in pairs(systems) do
  tests["contracting: " .. name] = function()
    local want = gradient(system, {method = "dopri8", rtol = 1e-12, atol = 1e-14})
    local size = math.max(1, want:abs():max():item())
    for _, kind in ipairs{"adjoint", "interpolated"} do
      for i, way in ipairs(ways) do
        local o = {rtol = tol, atol = tol, gradient = kind}
        for k, v in pairs(way) do o[k] = v end
        -- the solution of bdf is itself off by as much (D6 of such methods: 200)
        local limit = (way.method == "bdf" and 200 or 30) * tol * size
        local ok, g = tide.attempt(gradient, system, o)
        local off = ok and (g - want):abs():max():item()
        assert(not ok or off <= limit, ("%s, %s, way %d: off by %s of %g"):format(name, kind, i, off, size))
        assert(ok or tostring(g):find("backward reconstruction", 1, true), tostring(g))
      end
    end
  end
end

return tests
