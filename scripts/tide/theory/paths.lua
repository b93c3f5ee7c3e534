--- Methods and fields along solutions: eigenvalues of h J, stiffness, observed orders.

local autodiff = require "tide.tensor.autodiff"
local core = require "tide.core"
local linalg = require "tide.tensor.linalg"
local ode = require "tide.ode"
local options = require "tide.base.options"
local tensor = require "tide.tensor"
local text = require "tide.theory.text"
local tree = require "tide.base.tree"

local M = {}
local raise, show, is_tensor = core.raise, options.show, tree.is_tensor

local function check_function(where, f)
  local meta = getmetatable(f)
  if type(f) ~= "function" and not (type(meta) == "table" and meta.__call) then
    raise(("%s: f must be a function f(t, y), got %s"):format(where, show(f)))
  end
end

local function number_list(where, name, v, n)
  if is_tensor(v) then v = v:to("float64"):reshape{-1}:totable() end
  if type(v) == "number" and n then
    local list = {}
    for i = 1, n do list[i] = v end
    v = list
  end
  if type(v) ~= "table" or n and #v ~= n then
    raise(("%s: %s must be a list of %snumbers, got %s"):format(where, name, n and n .. " " or "",
      type(v) == "table" and #v .. " of them" or show(v)))
  end
  for i, x in ipairs(v) do
    if type(x) ~= "number" or not options.finite(x) then
      raise(("%s: %s[%d] must be a finite number, got %s"):format(where, name, i, show(x)))
    end
  end
  return v
end

-- ---- spectra ----

local SPECTRUM = "theory.spectrum"

-- Rows of the Jacobians of the samples at once, a pullback each: that says nothing where samples influence
-- each other, so one product with the whole Jacobian is compared.
local function jacobians(map, y, n, d)
  local out, pull = autodiff.vjp(map, y)
  if not is_tensor(out) or table.concat(out:shape(), ",") ~= table.concat(y:shape(), ",") then
    raise(("%s: f must return a tensor of the state's shape {%s}, got %s"):format(SPECTRUM,
      table.concat(y:shape(), ", "), is_tensor(out) and ("{%s}"):format(table.concat(out:shape(), ", "))
      or show(out)))
  end
  local rows, unit = {}, tensor.eye(d, {dtype = y:dtype()})
  for r = 1, d do
    rows[r] = pull(unit[r]:reshape{1, d}:broadcast_to{n, d}:reshape(y:shape()):clone()):reshape{n, d}
  end
  return tensor.stack(rows, 2):to("float64")
end

local function check_samples(map, y, J, n, d)
  local v = tensor.randn({n, d}, {dtype = "float64", seed = 1})
  local _, whole = autodiff.jvp(map, y, v:to(y:dtype()):reshape(y:shape()))
  local own = J:matmul(v:reshape{n, d, 1}):reshape{n, d}
  local off = (whole:to("float64"):reshape{n, d} - own):abs():max():item()
  local size = own:abs():max():item()
  if not (off <= (y:dtype() == "float64" and 1e-9 or 1e-4) * math.max(size, 1e-30)) then
    raise(SPECTRUM .. ": the samples of y influence each other in f, so they have no spectra of their own; "
      .. "give y {#t, d} for a state that is one sample")
  end
end

local spectrum_spec = {f = {"any", required = true}, t = {"any", required = true},
  y = {"tensor", required = true}, h = {"any", required = true}}

local function check_states(y, n)
  local shape = y:shape()
  local text_of = table.concat(shape, ", ")
  if #shape < 2 or shape[1] ~= n then
    raise(("%s: y must be a tensor {#t, samples, d} or {#t, d} with #t = %d, got {%s}"):format(SPECTRUM, n,
      text_of))
  end
  if y:dtype() ~= "float32" and y:dtype() ~= "float64" then
    raise(("%s: y must be a float tensor, got %s"):format(SPECTRUM, y:dtype()))
  end
  if #shape == 2 then return 1, shape[2] end
  return shape[2], shape[2] == 0 and 0 or y:numel() // (shape[1] * shape[2])
end

--- spectrum{f =, t =, y =, h =} -> {#t, N, d, 2}: see help("tide.theory.spectrum").
function M.spectrum(opts)
  local o = options.check(SPECTRUM, opts, spectrum_spec, 3)
  check_function(SPECTRUM, o.f)
  local t = number_list(SPECTRUM, "t", o.t)
  if #t == 0 then raise(SPECTRUM .. ": t is empty") end
  local h = number_list(SPECTRUM, "h", o.h, #t)
  local n, d = check_states(o.y, #t)
  if n * d == 0 then return core.full({#t, n, d, 2}, 0, "float64") end
  local out = {}
  for i = 1, #t do
    local function map(z) return o.f(t[i], z) end
    local y = o.y[i]:clone()
    local J = jacobians(map, y, n, d)
    out[i] = linalg.eigvals(J * h[i]) -- refuses what is not finite
    if i == 1 and n > 1 then check_samples(map, y, J, n, d) end
  end
  return tensor.stack(out, 1)
end

--- stiffness_ratio(spectrum) -> {#t, N}: see help("tide.theory.stiffness_ratio").
function M.stiffness_ratio(spectrum)
  local where = "theory.stiffness_ratio"
  if not is_tensor(spectrum) or spectrum:rank() ~= 4 or spectrum:shape()[4] ~= 2 then
    raise(where .. ": expected a tensor {#t, N, d, 2}, as theory.spectrum returns, got " .. show(spectrum))
  end
  local out = {}
  for i, samples in ipairs(spectrum:totable()) do
    out[i] = {}
    for k, values in ipairs(samples) do
      local least, most = math.huge, 0
      for _, z in ipairs(values) do
        if z[1] < 0 then least, most = math.min(least, -z[1]), math.max(most, -z[1]) end
      end
      out[i][k] = most > 0 and most / least or 0 / 0
    end
  end
  return tensor.tensor(out, {dtype = "float64"})
end

-- ---- convergence ----

local CONVERGENCE = "theory.convergence"

local convergence_spec = {f = {"any", required = true}, exact = {"any", required = true},
  y0 = {"any", required = true}, t = {"any", required = true},
  method = {"string|table", required = true}, steps = {"table", required = true},
  plain = {"boolean"}, eager = {"boolean"}, start = {"any"}}

local function is_numbers(v)
  if type(v) ~= "table" or #v == 0 then return false end
  for _, x in ipairs(v) do if type(x) ~= "number" then return false end end
  return true
end

-- What odeint is told of a method.
local function solver_of(method)
  if type(method) == "string" then return {method = method} end
  if type(method[1]) == "string" then
    return {method = method[1], order = method.order, theta = method.theta}
  end
  return {method = method}
end

-- A list of numbers as y0 goes with a field on lists or with one on tensors; a call tells which.
local function state_of(o, t0)
  local y0 = o.y0
  if type(y0) == "number" then y0 = {y0} end
  if is_tensor(y0) then return y0:to("float64"), false end
  if not is_numbers(y0) then
    raise(("%s: y0 must be a tensor, a number or a list of numbers, got %s"):format(CONVERGENCE, show(o.y0)))
  end
  local plain = o.plain
  if plain == nil and not o.eager then
    local ok, dy = pcall(o.f, t0, table.move(y0, 1, #y0, 1, {}))
    plain = ok and is_numbers(dy)
  end
  if plain then return y0, true end
  return tensor.tensor(y0, {dtype = "float64"}), false
end

-- The exact solution at the end, as a list.
local function exact_list(exact, t, n)
  local v = exact
  if type(exact) == "function" then
    local ok, result = pcall(exact, t)
    v = ok and result or exact(tensor.tensor(t, {dtype = "float64"})) -- one that is written for tensors
  end
  if type(v) == "number" then v = {v} end
  if is_tensor(v) then v = v:to("float64"):reshape{-1}:totable() end
  if not is_numbers(v) or #v ~= n then
    raise(("%s: exact must be the solution at the end, or a function of t that gives it: a number, a list or "
      .. "a tensor with %d numbers, got %s"):format(CONVERGENCE, n, is_numbers(v) and #v .. " numbers"
      or show(v)))
  end
  return v
end

local function check_steps(steps)
  if #steps == 0 then raise(CONVERGENCE .. ": steps is empty; give numbers of steps, {10, 20, 40}") end
  for i, n in ipairs(steps) do
    if not options.integer(n) or n < 1 then
      raise(("%s: steps[%d] must be an integer >= 1, got %s"):format(CONVERGENCE, i, show(n)))
    end
  end
end

--- convergence{f =, exact =, y0 =, t =, method =, steps =} -> rows: see help("tide.theory.convergence").
function M.convergence(opts)
  local o = options.check(CONVERGENCE, opts, convergence_spec, 3)
  check_function(CONVERGENCE, o.f)
  check_steps(o.steps)
  local t = number_list(CONVERGENCE, "t", o.t)
  if #t < 2 then raise(("%s: t must be {t0, t1}, got %d times"):format(CONVERGENCE, #t)) end
  local span, y0, plain = {t[1], t[#t]}, state_of(o, t[1])
  local solver, rows = solver_of(o.method), {}
  solver.plain, solver.eager, solver.start = plain or nil, o.eager, o.start
  for i, n in ipairs(o.steps) do
    solver.steps = options.integer(n)
    local y = ode.odeint(o.f, y0, span, solver)[-1]:to("float64"):reshape{-1}:totable()
    local exact, worst = exact_list(o.exact, span[2], #y), 0
    for k = 1, #y do
      local off = math.abs(y[k] - exact[k])
      if not (off <= worst) then worst = off end
    end
    local row, before = {h = (span[2] - span[1]) / n, error = worst}, rows[i - 1]
    if before then row.order = math.log(before.error / worst) / math.log(before.h / row.h) end
    rows[i] = row
  end
  return text.rows(rows)
end

return M
