--- Tableaus: order conditions of those built in, a user's own, and what is wrong with one.

local check = require "check"
local tide = require "tide"
local tableau = tide.ode.tableau
local trees = require "tide.ode.trees"

local tests = {}

local methods, tableaus = {}, {}
for _, m in ipairs(tide.ode.methods()) do
  methods[#methods + 1], methods[m.name] = m, m
  if m.b then tableaus[#tableaus + 1] = m end
end

local close, same_bits, raises = check.near, check.same_bits, check.raises

tests["rooted trees: 1, 1, 2, 4, 9, 20, 48, 115"] = function()
  for i, n in ipairs{1, 1, 2, 4, 9, 20, 48, 115, 286} do
    assert(tableau.count(i) == n)
    local labellings, factorial = 0, 1 -- n! / (gamma sigma) is the number of monotone labellings
    for k = 2, i do factorial = factorial * k end
    for _, t in ipairs(trees.with(i)) do
      assert(t.size == i)
      labellings = labellings + factorial / (t.gamma * t.sigma)
    end
    close(labellings, factorial / i, 1e-9 * factorial, "labellings") -- there are (n - 1)!
  end
end

tests["conditions as text"] = function()
  local said = {}
  for i, t in ipairs(trees.with(4)) do said[i] = t.text .. " " .. trees.formula(t) end
  table.sort(said)
  assert(table.concat(said, "; ") == "[[[t]]] b_i a_ij a_jk c_k; [[t]t] b_i c_i (a_ij c_j); "
    .. "[[tt]] b_i a_ij c_j^2; [ttt] b_i c_i^3", table.concat(said, "; "))
end

tests["error constants: those of the book and of the papers"] = function()
  local function constant(name) return trees.error_constant(methods[name].A, methods[name].b,
    methods[name].order) end
  close(constant "euler", 1 / 2, 1e-15, "euler")
  close(constant "rk4", 1.45e-2, 5e-5, "rk4") -- Butcher, Numerical Methods for ODEs
  close(constant "dopri5", 3.99e-4, 5e-7, "dopri5") -- Dormand, Prince 1980
  close(constant "dopri8", 4.51e-6, 5e-9, "dopri8") -- Prince, Dormand 1981
end

-- A with what trees.lua takes for nodes with one branch: of a Rosenbrock method A + Gamma (Hairer, Wanner,
-- Solving ODEs II, IV.7).
local function matrix_of(m)
  local A = table.move(m.A, 1, #m.A, 1, {})
  if not m.gamma then return A end
  A.single = {}
  for i, row in ipairs(m.gamma) do
    A.single[i] = {}
    for j, gamma in ipairs(row) do A.single[i][j] = gamma + (m.A[i][j] or 0) end
  end
  return A
end

-- Orders of the embedded methods of those that have two; the estimate's is 2p - q.
local two = {dop853 = {5, 3}}

-- Matrix, and weights and orders of the embedded methods; f at the beginning, where the estimate has a part
-- of it, is one more stage.
local function embedded_in(m)
  local A, list = matrix_of(m), {}
  for k, e in ipairs{m.b_error, m.b_error_low} do
    local weights = {}
    for i = 1, m.stages do weights[i] = m.b[i] - e[i] end
    if m.b_error_start then A[m.stages + 1], weights[m.stages + 1] = {}, -m.b_error_start[1] end
    list[k] = {weights = weights, order = two[m.name] and two[m.name][k] or m.error_order}
  end
  return A, list
end

tests["order conditions of all methods and their embedded weights"] = function()
  for _, m in ipairs(tableaus) do
    local tolerance = m.name == "dopri8" and 1e-13 or 1e-14
    for p = 1, m.order do
      local r = tableau.residual(matrix_of(m), m.b, p)
      assert(r < tolerance, ("%s: order %d violated by %.3g"):format(m.name, p, r))
    end
    assert(tableau.residual(matrix_of(m), m.b, m.order + 1) > 1e-6, m.name .. " has a higher order")
    if m.kind == "adaptive" then
      local A, embedded = embedded_in(m)
      for _, e in ipairs(embedded) do
        for p = 1, e.order do
          local r = tableau.residual(A, e.weights, p)
          assert(r < tolerance, ("%s embedded: order %d violated by %.3g"):format(m.name, p, r))
        end
        -- the estimate is as good as the worse of the two
        assert(e.order == m.order or tableau.residual(A, e.weights, e.order + 1) > 1e-7,
          m.name .. ": the embedded method has a higher order")
      end
      assert(#embedded == (two[m.name] and 2 or 1), m.name)
      if embedded[2] then assert(m.error_order == 2 * embedded[1].order - embedded[2].order, m.name) end
    end
  end
end

tests["order conditions of the interpolants"] = function()
  for _, m in ipairs(tableaus) do
    local A, memo = matrix_of(m), {}
    table.move(m.extra.A, 1, #m.extra.A, #A + 1, A)
    assert(#m.extra.A == #m.extra.c)
    for i, row in ipairs(m.extra.A) do
      local sum = 0
      for _, a in ipairs(row) do sum = sum + a end
      close(sum, m.extra.c[i], 1e-13, m.name .. ": extra row " .. i)
    end
    local missed = 0
    for _, theta in ipairs{0.1, 0.37, 0.5, 0.81, 0.96} do
      local w = tide.core.ode_dense_weights(m.name, theta)
      assert(#w <= #A, m.name)
      for p = 1, m.dense_order do
        local r, tree = trees.worst(A, w, p, memo, theta)
        assert(r < 1e-12, ("%s at %g: %s is violated by %.3g"):format(m.name, theta, tree.text, r))
      end
      missed = math.max(missed, (trees.worst(A, w, m.dense_order + 1, memo, theta)))
    end
    assert(missed > 1e-7 or m.stages == 1, m.name .. ": the interpolant has a higher order than its row says")
    assert(m.dense_order >= m.order - 1, m.name)
    local ends = tide.core.ode_dense_weights(m.name, 1)
    for j, w in ipairs(ends) do
      close(w, m.b[j] or 0, 1e-13, ("%s: weight %d of the interpolant at the end"):format(m.name, j))
    end
  end
end

tests["row sums are c, and FSAL is set only where the last row is b"] = function()
  local fsal = {bosh3 = true, dopri5 = true, dopri5_shampine = true, tsit5 = true, fehlberg21 = true,
    ros3p = true}
  for _, m in ipairs(tableaus) do
    for i = 1, m.stages do
      local sum, size = 0, 0
      for _, a in ipairs(m.A[i]) do sum, size = sum + a, size + math.abs(a) end
      close(sum, m.c[i], 1e-15 * math.max(1, size) + (m.name == "dopri8" and 1e-14 or 0), m.name .. " row "
        .. i)
    end
    local equal = m.b[m.stages] == 0 and m.stages > 1
    for j, a in ipairs(m.A[m.stages]) do equal = equal and a == m.b[j] end
    assert(m.fsal == equal, m.name)
    assert(m.fsal == (fsal[m.name] or false) or m.name == "fehlberg21", m.name)
  end
end

-- What the row sums and the order conditions of a method and its embedded weights leave, in tolerances.
local function violation(m)
  local memo, worst = {}, 0
  for i = 1, m.stages do
    local sum = 0
    for _, a in ipairs(m.A[i]) do sum = sum + a end
    worst = math.max(worst, math.abs(sum - m.c[i]))
  end
  local A = matrix_of(m)
  for p = 1, m.order do worst = math.max(worst, (trees.worst(A, m.b, p, memo))) end
  for i, row in ipairs(m.gamma or {}) do worst = math.max(worst, math.abs(row[i] - m.gamma[1][1])) end
  if m.b_error then
    local all, embedded = embedded_in(m)
    for _, e in ipairs(embedded) do
      for p = 1, e.order do worst = math.max(worst, (trees.worst(all, e.weights, p))) end
    end
  end
  return worst / (m.name == "dopri8" and 1e-13 or 1e-14)
end

tests["a change of any coefficient by a millionth is seen"] = function()
  for _, m in ipairs(tableaus) do
    assert(violation(m) < 1, m.name)
    local rows = {m.b, m.c, m.b_error}
    rows[#rows + 1] = m.b_error_start or m.b_error_low
    table.move(m.A, 1, #m.A, #rows + 1, rows)
    table.move(m.gamma or {}, 1, m.gamma and #m.gamma or 0, #rows + 1, rows)
    for _, row in ipairs(rows) do
      for i, v in ipairs(row) do
        row[i] = v * (1 + 1e-6)
        assert(v == 0 or violation(m) > 1, ("%s: %g"):format(m.name, v))
        row[i] = v
      end
    end
  end
end

local function copy(t)
  if type(t) ~= "table" then return t end
  local c = {}
  for k, v in pairs(t) do c[k] = copy(v) end
  return c
end

local function user(name)
  local m = methods[name]
  return {A = copy(m.A), b = copy(m.b), c = copy(m.c), order = m.order, b_error = m.kind == "adaptive"
    and copy(m.b_error) or nil}
end

tests["the engine refuses what is no tableau"] = function()
  raises("a table of rows A", tide.core.multistep_past, {b = {1}, A = 3})
  raises("stages", tide.core.multistep_past, {b = 1, A = {}})
end

local function pendulum(_, y) return {y[2], -math.sin(y[1])} end

tests["a user's tableau does what the built-in one does"] = function()
  for _, name in ipairs{"euler", "heun", "rk4", "rk4_38", "bosh3", "dopri8"} do
    for _, opts in ipairs{{}, {steps = 7}} do
      if methods[name].kind == "adaptive" or opts.steps then
        local a, b = {plain = true, method = name, steps = opts.steps},
          {plain = true, method = user(name), steps = opts.steps}
        local t = name == "dopri8" and {0, 2} or {0, 0.3, 1.1, 2} -- it has an interpolant of its own
        local ya, sa = tide.odeint(pendulum, {1, 0.5}, t, a)
        local yb, sb = tide.odeint(pendulum, {1, 0.5}, t, b)
        same_bits(ya, yb, name)
        assert(sa.nfe == sb.nfe, name)
      end
    end
  end
end

-- FSAL of order 5 as a user's tableau has no interpolant of its own: outputs come from extra steps, which
-- must not disturb the solve.
tests["a user's FSAL tableau of order 5 with outputs between the steps"] = function()
  local opts = {plain = true, method = user "dopri5", rtol = 1e-8, atol = 1e-8}
  local end_only = tide.odeint(pendulum, {1, 0.5}, {0, 2}, opts)
  local times = {0}
  for i = 1, 40 do times[#times + 1] = i / 20 end
  local calls = 0
  local ys, stats = tide.odeint(function(t, y) calls = calls + 1; return pendulum(t, y) end, {1, 0.5}, times,
    opts)
  same_bits(end_only[2], ys[#times], "end")
  assert(stats.nfe == calls)
  local builtin = tide.odeint(pendulum, {1, 0.5}, times, {plain = true, method = "dopri5", rtol = 1e-8,
    atol = 1e-8})
  assert((ys - builtin):abs():max():item() < 1e-6)
  same_bits(builtin[#times], ys[#times], "end, built-in")
end

-- The estimate is of the order of the worse of the two, which may be the one that goes on.
tests["a user's pair that goes on with the lower order"] = function()
  for _, name in ipairs{"rkf45", "heun_euler", "bosh3"} do
    assert(tableau.check("test", user(name)).error_order == methods[name].error_order, name)
  end
  local opts = {plain = true, rtol = 1e-6, atol = 1e-6}
  opts.method = user "rkf45"
  local a, sa = tide.odeint(pendulum, {1, 0.5}, {0, 2}, opts)
  opts.method = "rkf45"
  local b, sb = tide.odeint(pendulum, {1, 0.5}, {0, 2}, opts)
  same_bits(a, b, "rkf45")
  assert(sa.nfe == sb.nfe)
end

tests["c and the order of a user's tableau are found where they are not given"] = function()
  local m = user "bosh3"
  local checked = tableau.check("mine", {A = m.A, b = m.b})
  assert(checked.order == 3)
  for i = 1, 4 do close(checked.c[i], m.c[i], 1e-15) end
  local opts = {plain = true, method = {A = m.A, b = m.b}, steps = 5}
  local ys = tide.odeint(pendulum, {1, 0.5}, {0, 2}, opts)
  same_bits(ys, tide.odeint(pendulum, {1, 0.5}, {0, 2}, {plain = true, method = "bosh3", steps = 5}), "bosh3")
  raises("b must sum to 1, it misses that by 0.1", tableau.check, "mine", {A = {{}, {1}}, b = {0.5, 0.4}})
  raises("A%[2%]%[1%] must be a finite number", tableau.check, "mine", {A = {{}, {"x"}}, b = {0.5, 0.5}})
  raises("row 2 is missing", tableau.check, "mine", {A = {{}}, b = {0.5, 0.5}})
end

tests["wrong tableaus are refused with what is wrong"] = function()
  local function try(change, pattern)
    local m = user "bosh3"
    change(m)
    raises(pattern, tide.odeint, pendulum, {1, 0}, {0, 1}, {plain = true, method = m})
  end
  try(function(m) m.A[3][2] = 0.7 end, "row 3 of A sums to 0.7")
  try(function(m) m.b[1], m.b[2] = m.b[1] + 0.01, m.b[2] - 0.01 end,
    "order conditions hold only up to order 1")
  try(function(m) m.order = 4 end, "order 4 was stated, but the order conditions hold only up to order 3")
  try(function(m) m.order = 0 end, "order must be in 1%.%.8")
  try(function(m) m.order = 2.5 end, "order")
  try(function(m) m.A = nil end, "A is missing")
  try(function(m) m.b = nil end, "b is missing")
  try(function(m) m.c[4] = nil end, "c must have 4 entries, got 3")
  try(function(m) m.b[2] = "x" end, 'b%[2%] must be a finite number, got "x"')
  try(function(m) m.b[2] = 0 / 0 end, "b%[2%] must be a finite number")
  try(function(m) m.A[2][1] = 0 / 0 end, "A%[2%]%[1%]")
  try(function(m) m.A[2][5] = 0.5 end, "A%[2%]%[5%] is none of the 4 stages")
  try(function(m) m.A[4] = nil end, "row 4 is missing")
  try(function(m) m.A[2] = 3 end, "row 2")
  try(function(m) m.b_error[1] = 0.5 end, "b_error must sum to 0")
  try(function(m) m.b_error = {0, 0, 0, 0} end, "b_error")
  try(function(m) m.stages = 4 end, 'unknown option "stages"')
  try(function(m) m.b_error = nil end, "fixed%-step")
  local big = {A = {}, b = {}, c = {}, order = 1}
  for i = 1, 17 do big.A[i], big.b[i], big.c[i] = {}, i == 1 and 1 or 0, 0 end
  raises("1 to 16 stages", tide.odeint, pendulum, {1, 0}, {0, 1}, {plain = true, method = big, steps = 1})
  raises("b must sum to 1", tide.odeint, pendulum, {1, 0}, {0, 1},
    {plain = true, method = {A = {}, b = {}, c = {}, order = 1}, steps = 1})
end

return tests
