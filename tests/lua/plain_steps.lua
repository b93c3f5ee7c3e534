--- The steps of solves.lua in plain Lua, for the factor y that every element of a part grows by: for a case
-- c, y' = k cos(c.w t) y. The equation is linear, so implicit stages are linear, too.

local tide = require "tide"

local M = {}

local methods = {}
for _, m in ipairs(tide.ode.methods()) do methods[m.name] = m end

-- Solve the equations in place: rows of n coefficients and a right-hand side.
local function eliminate(rows)
  local n = #rows
  for p = 1, n do
    local best = p
    for i = p + 1, n do if math.abs(rows[i][p]) > math.abs(rows[best][p]) then best = i end end
    rows[p], rows[best] = rows[best], rows[p]
    for i = 1, n do
      local factor = i ~= p and rows[i][p] / rows[p][p] or 0
      for j = p, n + 1 do rows[i][j] = rows[i][j] - factor * rows[p][j] end
    end
  end
  for i = 1, n do rows[i] = rows[i][n + 1] / rows[i][i] end
  return rows
end

-- A step of a Runge-Kutta method: k_i - h slope_i sum_j a_ij k_j = slope_i y.
local function runge_kutta(c, m, k, t, h, y)
  local rows, sum = {}, 0
  for i = 1, m.stages do
    local slope, row = k * math.cos(c.w * (t + m.c[i] * h)), m.A[i] or {}
    rows[i] = {}
    for j = 1, m.stages do rows[i][j] = (i == j and 1 or 0) - h * slope * (row[j] or 0) end
    rows[i][m.stages + 1] = slope * y
  end
  for i, stage in ipairs(eliminate(rows)) do sum = sum + m.b[i] * stage end
  return y + h * sum
end

-- A step of a Rosenbrock method: k_i = f(t_i, Y_i) + h f_y sum_(j <= i) gamma_ij k_j + h gamma_i f_t.
local function rosenbrock(c, m, k, t, h, y)
  local slope, rate, stages, next = k * math.cos(c.w * t), -k * c.w * math.sin(c.w * t) * y, {}, y
  for i = 1, m.stages do
    local input, right, sum = y, 0, m.gamma[i][i]
    for j = 1, i - 1 do
      input, right = input + h * m.A[i][j] * stages[j], right + m.gamma[i][j] * stages[j]
      sum = sum + m.gamma[i][j]
    end
    local f = k * math.cos(c.w * (t + m.c[i] * h)) * input
    stages[i] = (f + h * slope * right + h * sum * rate) / (1 - h * m.gamma[i][i] * slope)
    next = next + h * m.b[i] * stages[i]
  end
  return next
end

-- Multistep methods of order 2 in the same way: from u = h k cos(w t) at both ends and one step before, w =
-- h / that step. The first step is that of the method named.
local multistep = {
  bdf = {"sdirk2", function(w, u, y, past)
    return ((1 + w) ^ 2 * y - w ^ 2 * past) / (1 + 2 * w) / (1 - (1 + w) / (1 + 2 * w) * u.next)
  end},
  adams_bashforth = {"heun", function(w, u, y, past)
    return y + (1 + w / 2) * u.now * y - w / 2 * u.before * past
  end},
  adams_moulton = {nil, function(_, u, y) return y * (1 + u.now / 2) / (1 - u.next / 2) end},
  abm = {"heun", function(w, u, y, past)
    local predicted = y + (1 + w / 2) * u.now * y - w / 2 * u.before * past
    return y + (u.now * y + u.next * predicted) / 2
  end},
  leapfrog = {"heun", function(w, u, y, past) return w == 1 and past + 2 * u.now * y end},
}

local function multistep_growth(c, m, k, nodes, n, y, past)
  local begins, formula = table.unpack(multistep[m.name], 1, 2)
  local t, h = nodes[n], nodes[n + 1] - nodes[n]
  local function u(at) return h * k * math.cos(c.w * at) end
  local w = n > 1 and h / (t - nodes[n - 1]) or 0
  if math.abs(w - 1) < 1e-9 then w = 1 end
  local next = (n > 1 or not begins)
    and formula(w, {now = u(t), next = u(t + h), before = n > 1 and u(nodes[n - 1])}, y, past)
  return next or runge_kutta(c, methods[begins], k, t, h, y)
end

-- Both reversible methods begin with f(t, y).
local function reversible_growth(c, m, nodes, k)
  local function f(t, y) return k * math.cos(c.w * t) * y end
  local y, slope, z = 1, f(nodes[1], 1), 1
  for n = 1, #nodes - 1 do
    local t, h = nodes[n], nodes[n + 1] - nodes[n]
    if m.name == "alf" then
      local middle = f(t + h / 2, y + h / 2 * slope)
      y, slope = y + h * middle, 2 * middle - slope
    else
      z = 2 * y - z + h * slope
      local last = f(t + h, z)
      y, slope = y + h / 2 * (slope + last), last
    end
  end
  return y
end

--- The factor over a grid of nodes, of a row of ode.methods().
function M.growth(c, m, nodes, k)
  local y, past = 1, nil
  if m.family == "reversible" then return reversible_growth(c, m, nodes, k) end
  for n = 1, #nodes - 1 do
    local t, h, next = nodes[n], nodes[n + 1] - nodes[n], nil
    if m.family == "rosenbrock" then next = rosenbrock(c, m, k, t, h, y)
    elseif m.family ~= "multistep" then next = runge_kutta(c, m, k, t, h, y)
    else next = multistep_growth(c, m, k, nodes, n, y, past) end
    y, past = next, y
  end
  return y
end

return M
