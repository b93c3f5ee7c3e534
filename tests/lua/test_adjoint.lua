--- The continuous adjoint: its own method, tolerances and norm; how its error falls; flows that contract.

local cases = require "gradient_cases"
local check = require "check"
local tide = require "tide"

local tests = {}
local f64, fails, same_bits = cases.f64, check.fails, cases.same_bits

-- Gradient and evaluations of the solve backwards.
local function gradient(o, p)
  local stats
  local g = tide.grad(function(q)
    local ys
    ys, stats = tide.odeint(cases.field(q), q.y0, {0, 0.4, 2}, o)
    return cases.loss_of(ys)
  end)(p or cases.parameters())
  return g, stats.nfe_backward
end
local exact = gradient{method = "dopri8", rtol = 1e-13, atol = 1e-13}

local function off(g)
  local a, b, worst, size = cases.flat(g), cases.flat(exact), 0, 0
  for i, v in ipairs(a) do
    worst, size = math.max(worst, math.abs(v - b[i])), math.max(size, math.abs(b[i]))
  end
  return worst / size
end

tests["within 20 tolerances, and the better the tighter: every method that adapts"] = function()
  for _, m in ipairs(check.methods()) do
    local low = m.error_order < 3 or m.varying_order
    for _, kind in ipairs((m.adaptive or m.varying_order) and {"adjoint", "interpolated"} or {}) do
      local first, last
      for _, tol in ipairs(low and {1e-3, 1e-5} or {1e-3, 1e-5, 1e-7, 1e-9}) do
        local e = off(gradient{method = m.name, gradient = kind, rtol = tol, atol = tol})
        -- a method whose solution is worse than that has a gradient that is no better
        local direct = off(gradient{method = m.name, rtol = tol, atol = tol})
        assert(e <= math.max(20 * tol, direct), ("%s, %s at %g: %.3g"):format(m.name, kind, tol, e))
        first, last = first or e, e
      end
      assert(last < first / 5, ("%s, %s: %.3g and %.3g"):format(m.name, kind, first, last))
    end
  end
end

tests["its own method, tolerances and norm do what they say"] = function()
  for _, kind in ipairs{"adjoint", "interpolated"} do
    local function with(adjoint, tol)
      return gradient{gradient = kind, rtol = tol or 1e-5, atol = tol or 1e-5, adjoint = adjoint}
    end
    local plain, nfe = with()
    local g, n = with{}
    same_bits(g, plain, "nothing of its own")
    assert(n == nfe)
    for _, name in ipairs{"bosh3", "dopri8", "radau5", "bdf", "adams", "alf"} do
      g, n = with{method = name}
      assert(n ~= nfe and off(g) < 2e-4, ("%s: %.3g with %d"):format(name, off(g), n))
    end
    g, n = with{rtol = 1e-9, atol = 1e-9}
    assert(n > 1.5 * nfe, ("%d and %d"):format(n, nfe))
    same_bits(g, gradient{gradient = kind, rtol = 1e-5, atol = 1e-5, adjoint_rtol = 1e-9,
      adjoint_atol = 1e-9}, "the other names of tolerances")
    g, n = with{norm = "seminorm"}
    assert(n <= nfe and off(g) < 20e-5, ("seminorm: %d and %d, %.3g"):format(n, nfe, off(g)))
    g = with{norm = "batch"}
    assert(off(g) < 20e-5)
  end
  for _, name in ipairs{"rk4", "gauss4", "dopri5"} do
    local g = gradient{method = "dopri8", steps = 60, gradient = "adjoint", adjoint = {method = name}}
    assert(off(g) < 1e-5, name)
  end
  local tableau = {A = {{}, {0.5}}, b = {0, 1}, c = {0, 0.5}, order = 2}
  assert(off(gradient{method = "dopri8", steps = 200, gradient = "adjoint",
    adjoint = {method = tableau}}) < 1e-3)
end

-- Steps of the parameters' gradient that the others do not need: it turns often while y and its cotangent
-- are calm.
tests["seminorm: steps do not look at the parameters' gradient"] = function()
  local function count(norm)
    local stats
    tide.grad(function(k)
      local ys
      ys, stats = tide.odeint(function(t, y) return -0.1 * y + 1e-6 * k * tide.cos(40 * t) end,
        f64{1}, {0, 2}, {gradient = "interpolated", rtol = 1e-9, atol = 1e-12,
          adjoint = {norm = norm, rtol = 1e-6, atol = 1e-9}})
      return ys[2]:sum()
    end)(f64(1))
    return stats.nfe_backward
  end
  local whole, half = count(nil), count "seminorm"
  assert(half < 0.7 * whole, ("%d and %d"):format(half, whole))
end

tests["a flow that contracts: the adjoint is right, or an error says that it is not"] = function()
  local matrices = {f64{{-1, 6, 3}, {0, -10, 8}, {0, 0, -40}},
    f64{{-7, -8.1, -4.2}, {-3, -10.9, -13.8}, {1.5, -14.55, -33.1}}, f64{{-30, 1, 0}, {0, -3, 1}, {0, 0, -1}}}
  local y0 = f64{{1, 0.5, -0.7}}
  for i, matrix in ipairs(matrices) do
    for _, span in ipairs{1, 3} do
      local function loss(o)
        return function(m)
          local last = tide.odeint(function(_, y) return y:matmul(m) end, y0, {0, span}, o)[2]
          return last:sum()
        end
      end
      local want = tide.grad(loss{method = "dopri8", rtol = 1e-11, atol = 1e-13})(matrix)
      local size = want:abs():max():item()
      for _, name in ipairs(span == 1 and {"bosh3", "dopri5", "kvaerno5", "bdf", "adams"} or {"dopri5"}) do
        for _, more in ipairs(name == "bosh3" and {{}} or {{}, {method = "dopri5"}}) do
          local ok, g = pcall(tide.grad(loss{method = name, rtol = 1e-6, atol = 1e-6, gradient = "adjoint",
            adjoint = more}), matrix)
          local e = ok and (g - want):abs():max():item()
          local what = ("%s, matrix %d, until %d: %s"):format(name, i, span, e or g)
          if ok then assert(e <= 20e-6 * math.max(size, 1), what)
          else assert(tostring(g):find("backward reconstruction", 1, true), what) end
        end
      end
    end
  end
end

-- Four decades of rates, and `n` more parameters that hardly matter.
local function stiff_gradient(method, kind, n)
  local rates, stats = f64{-1e4, -100, -1}, nil
  local g = tide.grad(function(q)
    local function f(_, y) return rates * (y - q.push:tanh()) + y * q.idle:sum() end
    local ys
    ys, stats = tide.odeint(f, f64{1, 1, 1}, {0, 1},
      {method = method, gradient = kind, rtol = 1e-6, atol = 1e-8})
    return ys[2]:square():sum()
  end){push = f64{1, 2, 3}, idle = tide.zeros({n}, {dtype = "float64"})}
  return g.push, stats
end

tests["parameters are no unknowns of an implicit adjoint, and no explosion is followed"] = function()
  for _, m in ipairs{"radau5", "kvaerno5", "trbdf2", "bdf", "rodas4"} do
    local exactly, nfe = stiff_gradient(m, "direct", 1000), {}
    for _, kind in ipairs{"interpolated", "adjoint"} do
      local g, stats = stiff_gradient(m, kind, 1000)
      local _, few = stiff_gradient(m, kind, 1)
      local what = ("%s, %s: %d and %d"):format(m, kind, stats.nfe_backward, few.nfe_backward)
      assert(math.abs(stats.nfe_backward - few.nfe_backward) <= few.nfe_backward / 10, what)
      assert((g - exactly):abs():max():item() < 1e-4, what)
      nfe[kind] = stats.nfe_backward
    end
    assert(nfe.adjoint < 12 * nfe.interpolated, ("%s: %d and %d"):format(m, nfe.adjoint, nfe.interpolated))
  end
end

tests["a transient of the cotangents that t does not resolve is called that"] = function()
  local rates = f64{0.04, 3e7, 1e4} -- Robertson
  local function gradient_to(t_end, more)
    return pcall(tide.grad(function(k)
      local o = {method = "bdf", rtol = 1e-6, atol = 1e-10, gradient = "adjoint"}
      for name, v in pairs(more) do o[name] = v end
      local ys = tide.odeint(function(_, y)
        local a, b, c = k[1] * y[1], k[2] * y[2] * y[2], k[3] * y[2] * y[3]
        return tide.stack{c - a, a - b - c, b}
      end, f64{1, 0, 0}, {0, t_end}, o)
      return ys[2][1]
    end), rates)
  end
  local _, failure = gradient_to(1e5, {})
  assert(failure.status == "underflow" and failure.t == 1e5 and failure.backward, tostring(failure))
  local said = tostring(failure)
  assert(said:find("the cotangents change within less than t resolves", 1, true), said)
  assert(not said:find("discontinuous", 1, true) and said:find('gradient = "direct"', 1, true), said)
  local _, want = assert(gradient_to(1e5, {gradient = "direct"}))
  local _, g = assert(gradient_to(1e5, {adjoint = {method = "radau5"}}))
  assert(((g - want) / want):abs():max():item() < 1e-4, "as the message says")
end

tests["a field that fails on the way back alone, with no word for it, says why"] = function()
  local one, other = f64{{1, 0}, {0, 0}}, f64{{0, 0}, {0, 1}}
  for _, kind in ipairs{"adjoint", "interpolated"} do
    -- rk4 looks at t = 0.5, euler did not
    local o = {method = "euler", steps = 1, gradient = kind, adjoint = {method = "rk4"}}
    fails({"continuous adjoint, from t = 1 to 0", "matrix 1 is singular"}, tide.grad(function(y)
      return tide.odeint(function(t, z)
        return tide.linalg.solve(one + other * (t - 0.5), z)
      end, y, {0, 1}, o)[2]:sum()
    end), f64{1, 1})
  end
end

tests["options that are wrong"] = function()
  local function solve(o)
    return tide.odeint(function(_, y) return y end, tide.ones{1}, {0, 1}, o)
  end
  fails('odeint: adjoint: norm must be one of "seminorm"', solve, {adjoint = {norm = "semi"}})
  fails("adjoint: rk4 is a fixed-step method, and the solve has no grid", solve, {adjoint = {method = "rk4"}})
  fails("adjoint: adams chooses its steps", solve, {method = "rk4", steps = 3, adjoint = {method = "adams"}})
  fails("is for states {q =, p =}", solve, {adjoint = {method = "leapfrog_verlet"}})
  fails('unknown option "mehod" (did you mean "method"?)', solve, {adjoint = {mehod = "dopri5"}})
  fails("adjoint: rtol must be >= 0", solve, {adjoint = {rtol = -1}})
  fails("adjoint_rtol = 1e-30 is below what float32", solve, {adjoint = {rtol = 1e-30}})
  fails("give rtol or adjoint_rtol, not both", solve, {adjoint_rtol = 1e-3, adjoint = {rtol = 1e-3}})
  fails("adjoint must be", solve, {adjoint = "dopri5"})
end

return tests
