--- The 25 non-stiff test problems of Hull, Enright, Fellen, Sedgwick, Comparing numerical methods for
-- ordinary differential equations, SIAM J. Numer. Anal. 9 (1972), p. 603, as plain Lua: each is {name, f(t,
-- y) -> dy, y0, exact(t) -> y or nil, invariant(t, y) or nil, at20 = y(20) where no closed form is at hand}.
-- All run over 0 <= t <= 20. Values at20: B1, B3, B5, E2, E3 by mpmath 1.3 odefun (Taylor series, 40 digits);
-- C5 by Richardson extrapolation of the classic Runge-Kutta method in 64-bit-mantissa arithmetic with 1000,
-- 2000 and 4000 steps (digits agree with scipy's DOP853 to 1e-12).

local problems = {}

local function add(name, y0, f, more)
  local p = {name = name, class = name:sub(1, 1), y0 = y0, f = f}
  for k, v in pairs(more) do p[k] = v end
  problems[#problems + 1], problems[name] = p, p
end

local exp, log, sin, cos, sqrt, pi = math.exp, math.log, math.sin, math.cos, math.sqrt, math.pi

add("A1", {1}, function(_, y) return {-y[1]} end, {exact = function(t) return {exp(-t)} end})
add("A2", {1}, function(_, y) return {-y[1] ^ 3 / 2} end, {exact = function(t) return {1 / sqrt(1 + t)} end})
add("A3", {1}, function(t, y) return {y[1] * cos(t)} end, {exact = function(t) return {exp(sin(t))} end})
add("A4", {1}, function(_, y) return {y[1] / 4 * (1 - y[1] / 20)} end, {exact = function(t)
  return {20 / (1 + 19 * exp(-t / 4))}
end})
-- A5: along the solution, in polar coordinates of (t, y), log r + angle is constant; solved by Newton's
-- method for y.
add("A5", {4}, function(t, y) return {(y[1] - t) / (y[1] + t)} end, {
  exact = function(t)
    local y, c = 4.0, log(4) + pi / 2
    for _ = 1, 100 do
      local g = 0.5 * log(t * t + y * y) + math.atan(y, t) - c
      y = y - g * (t * t + y * y) / (y + t)
    end
    return {y}
  end})

add("B1", {1, 3}, function(_, y) return {2 * (y[1] - y[1] * y[2]), -(y[2] - y[1] * y[2])} end, {
  invariant = function(_, y) return y[1] - log(y[1]) + 2 * (y[2] - log(y[2])) end,
  at20 = {0.67618760085766066, 0.18608160996400298}})
-- B2: eigenvalues 0, -1, -3 with eigenvectors (1, 1, 1), (1, 0, -1), (1, -2, 1).
add("B2", {2, 0, 1}, function(_, y) return {-y[1] + y[2], y[1] - 2 * y[2] + y[3], y[2] - y[3]} end, {
  exact = function(t)
    local a, b = exp(-t) / 2, exp(-3 * t) / 2
    return {1 + a + b, 1 - 2 * b, 1 - a + b}
  end})
add("B3", {1, 0, 0}, function(_, y) return {-y[1], y[1] - y[2] ^ 2, y[2] ^ 2} end, {
  invariant = function(_, y) return y[1] + y[2] + y[3] end,
  at20 = {2.0611536224385578e-9, 0.052572280220485125, 0.94742771771836125}})
add("B4", {3, 0, 0}, function(_, y)
  local r = sqrt(y[1] ^ 2 + y[2] ^ 2)
  return {-y[2] - y[1] * y[3] / r, y[1] - y[2] * y[3] / r, y[1] / r}
end, {exact = function(t) return {(2 + cos(t)) * cos(t), (2 + cos(t)) * sin(t), sin(t)} end})
-- B5: the Jacobi functions sn, cn, dn with k^2 = 0.51.
add("B5", {0, 1, 1}, function(_, y) return {y[2] * y[3], -y[1] * y[3], -0.51 * y[1] * y[2]} end, {
  invariant = function(_, y) return 1.51 * y[1] ^ 2 + y[2] ^ 2 + y[3] ^ 2 end,
  at20 = {-0.9396570798729204, -0.34211777540007491, 0.7414126596199953}})

local function unit(n)
  local y = {1}
  for i = 2, n do y[i] = 0 end
  return y
end

add("C1", unit(10), function(_, y)
  local dy = {-y[1]}
  for i = 2, 9 do dy[i] = y[i - 1] - y[i] end
  dy[10] = y[9]
  return dy
end, {exact = function(t)
  local y, term, rest = {}, exp(-t), 1
  for i = 1, 9 do
    y[i], rest = term, rest - term
    term = term * t / i
  end
  y[10] = rest
  return y
end})
-- C2: a pure birth process, y_i = exp(-t) (1 - exp(-t))^(i - 1).
add("C2", unit(10), function(_, y)
  local dy = {-y[1]}
  for i = 2, 9 do dy[i] = (i - 1) * y[i - 1] - i * y[i] end
  dy[10] = 9 * y[9]
  return dy
end, {exact = function(t)
  local y, e = {}, exp(-t)
  for i = 1, 9 do y[i] = e * (1 - e) ^ (i - 1) end
  y[10] = (1 - e) ^ 9
  return y
end})
for name, n in pairs{C3 = 10, C4 = 51} do
  add(name, unit(n), function(_, y)
    local dy = {}
    for i = 1, n do dy[i] = (y[i - 1] or 0) - 2 * y[i] + (y[i + 1] or 0) end
    return dy
  end, {exact = function(t)
    local y = {}
    for i = 1, n do
      local sum = 0
      for k = 1, n do
        local x = k * pi / (n + 1)
        sum = sum + sin(x) * sin(i * x) * exp(-4 * sin(x / 2) ^ 2 * t)
      end
      y[i] = 2 / (n + 1) * sum
    end
    return y
  end})
end

-- C5: the five outer planets, positions y_1 .. y_15, then velocities.
local k2, m0 = 2.95912208286, 1.00000597682
local m = {0.000954786104043, 0.000285583733151, 0.0000437273164546, 0.0000517759138449, 0.00000277777777778}
add("C5", {3.42947415189, 3.35386959711, 1.35494901715, 6.64145542550, 5.97156957878, 2.18231499728,
  11.2630437207, 14.6952576794,
  6.27960525067, -30.1552268759, 1.65699966404, 1.43785752721, -21.1238353380, 28.4465098142, 15.3882659679,
  -0.557160570446, 0.505696783289, 0.230578543901, -0.415570776342, 0.365682722812, 0.169143213293,
  -0.325325669158, 0.189706021964,
  0.0877265322780, -0.0240476254170, -0.287659532608, -0.117219543175, -0.176860753121, -0.216393453025,
  -0.0148647893090},
function(_, y)
  local dy, r3 = {}, {}
  for j = 0, 4 do
    local a, b, c = y[3 * j + 1], y[3 * j + 2], y[3 * j + 3]
    r3[j] = (a * a + b * b + c * c) ^ 1.5
  end
  for j = 0, 4 do
    for i = 1, 3 do
      dy[3 * j + i] = y[15 + 3 * j + i]
      dy[15 + 3 * j + i] = -k2 * (m0 + m[j + 1]) * y[3 * j + i] / r3[j]
    end
    for k = 0, 4 do
      if k ~= j then
        local a, b, c = y[3 * k + 1] - y[3 * j + 1], y[3 * k + 2] - y[3 * j + 2], y[3 * k + 3] - y[3 * j + 3]
        local d3 = (a * a + b * b + c * c) ^ 1.5
        for i = 1, 3 do
          local at = 15 + 3 * j + i
          dy[at] = dy[at] + k2 * m[k + 1] * ((y[3 * k + i] - y[3 * j + i]) / d3 - y[3 * k + i] / r3[k])
        end
      end
    end
  end
  return dy
end, {at20 = {-4.7927302243236, -2.4205507254490, -0.92125093060151, -4.2173104040352, 7.3562029474990,
  3.2237859854212, 4.0355594432623,
  17.198655286706, 7.4789107942337, -29.987593263248, -4.1073109375509, -0.92770083217544, -24.421253025185,
  23.814590457466,
  14.920963069514, 0.34992089630640, -0.57484876879128, -0.25516940208791, -0.52370409789033,
  -0.24930004635797, -0.080453416420445,
  -0.38752892373341, 0.056486032887679, 0.030236064721433, 0.041338565467124, -0.28623930298414,
  -0.11830324051362,
  -0.15119864573592, -0.24600688943188, -0.031896874113239},
  -- energy of the planets about a sun that is not fixed: kinetic and potential energy in barycentric
  -- coordinates
  invariant = function(_, y)
    local total, px, energy = m0, {0, 0, 0}, 0
    for j = 0, 4 do
      total = total + m[j + 1]
      local r2, v2 = 0, 0
      for i = 1, 3 do
        r2, v2 = r2 + y[3 * j + i] ^ 2, v2 + y[15 + 3 * j + i] ^ 2
        px[i] = px[i] + m[j + 1] * y[15 + 3 * j + i]
      end
      energy = energy + m[j + 1] * (v2 / 2 - k2 * m0 / sqrt(r2))
      for k = j + 1, 4 do
        local d2 = 0
        for i = 1, 3 do d2 = d2 + (y[3 * k + i] - y[3 * j + i]) ^ 2 end
        energy = energy - k2 * m[j + 1] * m[k + 1] / sqrt(d2)
      end
    end
    return energy - (px[1] ^ 2 + px[2] ^ 2 + px[3] ^ 2) / (2 * total)
  end})

for i, e in ipairs{0.1, 0.3, 0.5, 0.7, 0.9} do
  add("D" .. i, {1 - e, 0, 0, sqrt((1 + e) / (1 - e))}, function(_, y)
    local r3 = (y[1] ^ 2 + y[2] ^ 2) ^ 1.5
    return {y[3], y[4], -y[1] / r3, -y[2] / r3}
  end, {exact = function(t) -- Kepler's equation
    local u = t
    for _ = 1, 200 do u = u - (u - e * sin(u) - t) / (1 - e * cos(u)) end
    local rate, b = 1 / (1 - e * cos(u)), sqrt(1 - e * e)
    return {cos(u) - e, b * sin(u), -sin(u) * rate, b * cos(u) * rate}
  end})
end

-- E1: y = J_1/2 (t + 1).
local function bessel(x)
  return sqrt(2 / (pi * x)) * sin(x), sqrt(2 / (pi * x)) * (cos(x) - sin(x) / (2 * x))
end
add("E1", {bessel(1)}, function(t, y) return {y[2], -(y[2] / (t + 1) + (1 - 0.25 / (t + 1) ^ 2) * y[1])} end,
  {exact = function(t) return {bessel(t + 1)} end})
add("E2", {2, 0}, function(_, y) return {y[2], (1 - y[1] ^ 2) * y[2] - y[1]} end,
  {at20 = {2.0081497621749486, -0.042508875273202147}})
add("E3", {0, 0}, function(t, y) return {y[2], y[1] ^ 3 / 6 - y[1] + 2 * sin(2.78535 * t)} end,
  {at20 = {-0.10041788586472407, 0.24114001320959556}})
add("E4", {30, 0}, function(_, y) return {y[2], 0.032 - 0.4 * y[2] ^ 2} end, {
  exact = function(t)
    local a = sqrt(0.08)
    local e = exp(-0.8 * a * t)
    return {30 + (0.4 * a * t + log((1 + e) / 2)) / 0.4, a * (1 - e) / (1 + e)}
  end})
add("E5", {0, 0}, function(t, y) return {y[2], sqrt(1 + y[2] ^ 2) / (25 - t)} end, {
  exact = function(t)
    local s = (25 - t) / 25
    return {0.5 * (-25 * log(s) - (t - t * t / 50)), 0.5 * (1 / s - s)}
  end})

table.sort(problems, function(a, b) return a.name < b.name end)
for _, p in ipairs(problems) do p.at20 = p.at20 or p.exact(20) end

return problems
