--- The adjoint method (section 5): exercises 2 and 3 about equations 14 to 17 of CSE 8.7, what the reverse
-- mode costs, and where the way back in time fails.

local dfl = dofile((arg[0]:match("^(.*)/") or ".") .. "/common.lua")
local tide = require "tide"
local linalg = tide.linalg

local F64 = {dtype = "float64"}
local function tensor(x) return tide.tensor(x, F64) end

local A0 = tensor{{-0.4, 1, 0.2}, {-1, -0.3, 0.5}, {0.1, -0.6, -0.2}}
local A1 = tensor{{0, 0.5, 0}, {0.2, 0, -0.3}, {0, 0.4, 0.1}}
local b0, b1, c = tensor{1, 0.5, -0.3}, tensor{0.3, -0.2, 0.4}, tensor{0.7, -1.1, 0.4}
local T, P = 2, tensor{0.8}

local function matrix(p) return A0 + A1 * p end
local function start(p) return b0 + b1 * p end
local function goal(y) return (y * c):sum() + (y * y):sum() * 0.5 end
local function flow(A, t) return linalg.matrix_exp(A * t) end
local function times(A, v) return A:matmul(v:reshape{3, 1}):reshape{3} end

-- dg/dp by the chain rule through the matrix exponential.
local function exact()
  return tide.grad(function(p) return goal(times(flow(matrix(p), T), start(p))) end)(P)[1]
end

-- Equation 17: lambda(0) . db/dp + the integral of lambda . (dA/dp) y, lambda(t) = e^{A^T (T - t)} dg/dy.
local function by_equation_17()
  local A = matrix(P)
  local slope = tide.grad(goal)(times(flow(A, T), start(P)))
  local function lambda(t) return times(flow(A:transpose(), T - t), slope) end
  local sum, n = 0, 200 -- Simpson's rule
  for i = 0, n do
    local t = T * i / n
    local weight = (i == 0 or i == n) and 1 or i % 2 == 1 and 4 or 2
    sum = sum + weight * (lambda(t) * times(A1, times(flow(A, t), start(P)))):sum():item()
  end
  return (lambda(0) * b1):sum():item() + sum * T / n / 3
end

-- The curriculum's closed form: T dg/dy (dA/dp) e^{TA} b in place of the integral.
local function by_closed_form()
  local A = matrix(P)
  local y = times(flow(A, T), start(P))
  local slope = tide.grad(goal)(y)
  return (slope * times(flow(A, T), b1)):sum():item() + T * (slope * times(A1, y)):sum():item()
end

local function by_solver(gradient)
  return tide.grad(function(p)
    local A = matrix(p)
    local y = tide.odeint(function(_, u) return times(A, u) end, start(p), {0, T},
      {rtol = 1e-9, atol = 1e-11, gradient = gradient})
    return goal(y:slice(1, 2, 2):reshape{3})
  end)(P)[1]
end

local function linear(report)
  local want, cells = exact(), {}
  for i, row in ipairs{{"chain rule through e^{TA}", want}, {"equation 17, by Simpson's rule",
    by_equation_17()},
    {"the closed form of the curriculum", by_closed_form()}, {"engine, direct", by_solver "direct"},
    {"engine, adjoint (equations 16, 17)", by_solver "adjoint"}} do
    cells[i] = {row[1], ("%.9f"):format(row[2]), dfl.e(math.abs(row[2] - want))}
  end
  report:say("y' = A(p) y, y(0) = b(p), three numbers, A(p) = A0 + p A1; g of y(2); dg/dp:")
  report:table({"by", "dg/dp", "off"}, cells)
  report:say("A0 A1 and A1 A0 differ by up to %.2f.", (A0:matmul(A1) - A1:matmul(A0)):abs():max():item())
end

-- Equations 14, 15: lambda' = -f_u^T lambda - g_u^T, lambda(T) = 0; dG/dp = lambda(0) . u_p(0) + the integral
-- of g_p + lambda . f_p, for u' = -p u + sin t, u(0) = p, G the integral of p u^2.
local function integral(report)
  local o = {rtol = 1e-10, atol = 1e-12}
  local p, one = 0.7, tensor{1}
  local function f(q) return function(t, u) return -q * u + tide.sin(t) end end
  local function G(q)
    local _, _, total = tide.odeint(f(q), one * q, {0, T}, {rtol = 1e-10, atol = 1e-12,
      quadrature = function(_, u) return (q * u * u):sum() end})
    return total[2]
  end
  local u = tide.ode.solution(f(p), one * p, {0, T}, o)
  -- back in time, with the integral of g_p + lambda f_p beside; s = T - t
  local back = tide.odeint(function(s, z)
    local now = u(T - s)[1]
    return tensor{2 * p * now - p * z[1], now * now - z[1] * now}
  end, tensor{0, 0}, {0, T}, {rtol = 1e-10, atol = 1e-12, eager = true})
  local by_hand = back[2][1] + back[2][2]
  local engine = tide.grad(function(q) return G(q):sum() end)(tensor(p)):item()
  report:say("Equations 14, 15 on u' = -p u + sin t, u(0) = p, G = integral of p u^2 to t = 2: dG/dp by hand "
    .. "%.9f, by the engine's quadrature %.9f: off by %.1e.", by_hand, engine, math.abs(by_hand - engine))
end

-- Reverse mode: one sweep however many parameters; forward mode: a solve for each.
local function cost(report, rows)
  local cells = {}
  for i, n in ipairs{1, 4, 16, 64} do
    local weights = tide.randn({n, 2}, {dtype = "float64", seed = 1}) * 0.3
    local one = {i, n}
    for k, kind in ipairs{"direct", "adjoint", "forward"} do
      local stats = tide.ode.counted(tide.grad(function(w)
        local ys = tide.odeint(function(t, y)
          return tide.tanh(y * w):sum(1) - y * tide.cos(t)
        end, tensor{1, 0.5}, {0, 1}, {method = "rk4", steps = 20, gradient = kind})
        return ys:slice(1, 2, 2):sum()
      end), weights)
      one[k + 2] = stats.nfe_backward
      rows[#rows + 1] = {parameters = 2 * n, gradient = kind, nfe = stats.nfe,
        nfe_backward = stats.nfe_backward}
    end
    cells[i] = {2 * n, 80, one[3], one[4], one[5]}
  end
  report:say("Evaluations of f or its derivative on the way back, rk4 with 20 steps, against parameters:")
  report:table({"parameters", "forwards", "direct", "adjoint", "forward mode"}, cells)
end

-- y' = -k y: back in time errors grow by e^k. By hand: y and a = dL/dy from T to 0 at a tolerance.
local function contraction(report, rows)
  local cells = {}
  for i, k in ipairs{1, 5, 10, 15, 20, 25, 30} do
    local o = {rtol = 1e-6, atol = 1e-12}
    local function f(w) return function(_, y) return -k * y * w end end
    local want = -k * math.exp(-k) -- d y(1) / dw at w = 1
    local ys = tide.odeint(f(1), tensor{1}, {0, 1}, o)
    local back = tide.odeint(function(_, z)
      local y, a = z:slice(1, 1, 1), z:slice(1, 2, 2)
      return tide.cat({-k * y, k * a, k * y * a}, 1)
    end, tensor{ys[2][1], 1, 0}, {1, 0}, o)[2]
    local by_hand = back[3]
    local engine = tide.grad(function(w)
      local y = tide.odeint(f(w), tensor{1}, {0, 1}, {rtol = 1e-6, atol = 1e-12, gradient = "adjoint"})
      return y:slice(1, 2, 2):sum()
    end)(tensor(1)):item()
    local off = {math.abs(by_hand / want - 1), math.abs(engine / want - 1), math.abs(back[1] - 1)}
    cells[i] = {k, dfl.e(off[3]), dfl.e(off[1]), dfl.e(off[2])}
    rows[i] = {k = k, reconstructed = off[3], by_hand = off[1], engine = off[2]}
  end
  report:say("y' = -k w y to t = 1, tolerance 1e-6: y(0) as found again from y(1), and relative errors of "
    .. "dy(1)/dw:")
  report:table({"k", "y(0) off by", "way back by hand", "engine, adjoint"}, cells)
end

local function evidence(_, report)
  linear(report)
  integral(report)
  local counts, errors = {}, {}
  cost(report, counts)
  contraction(report, errors)
  report:csv("cost", {"parameters", "gradient", "nfe", "nfe_backward"}, counts)
  report:csv("adjoint", {"k", "reconstructed", "by_hand", "engine"}, errors)
end

dfl.run({name = "adjoint", title = "The adjoint method (section 5; CSE 8.7, equations 14 to 17)",
  claim = [[One solve of lambda' = -A^T lambda backwards gives dg/dp for all parameters at once: the cost does
    not grow with their number. Its integrand needs y(t),
      which the continuous adjoint finds again by going back
    in time; where the flow contracts, that way is unstable.]],
  slip = [[Exercise 2: the chain rule's second term, T dg/dy (dA/dp) e^{TA} b, is right only if A and dA/dp
    commute; the derivative of e^{TA} is the integral that equation 17 has,
      which "coincides" with it in that case
    alone. Exercise 3: in the equality that is used,
      the derivative of u by p on the left lacks its derivative by
    time.]],
  evidence = evidence}, arg)
