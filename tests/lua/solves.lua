--- Random solves: y' = k cos(w t) y in parts of a state, with any combination of odeint's options; what must
-- hold for each of them. A case is a table of plain values, so that a failure can be printed, run again and
-- made smaller.

local tide = require "tide"
local checks = require "program_checks" -- comparing, bit for bit
local plain_steps = require "plain_steps"

local M = {checked = {}}
local tree = tide.tree
local EPS = {float32 = 2.0 ^ -23, float64 = 2.0 ^ -52}

local methods, names = {}, {}
for i, m in ipairs(require("check").methods()) do
  methods[m.name], names[i] = m, m.name
  m.order = m.default_order or m.order
end

-- ---- chance ----

local G = setmetatable({}, require "dice")
G.__index = G

function G:real(a, b) return a + (b - a) * self:int(0, 1000) / 1000 end

-- ---- options ----

--- Functions of events, by name, so that a case can be printed.
M.g = {
  time = function(t) return t - 0.31 end,
  wave = function(t) return tide.cos(9 * t) end,
}

-- For each option of odeint a random value; c is the case so far, a third argument its options. Options that
-- are not given keep their default.
M.options = {
  method = function(g, _, o) return o.method or g:pick(names) end,
  order = function(g, _, o) -- of another method it is refused
    local m = methods[o.method or "dopri5"]
    return (m.family == "multistep" and not m.varies or g:chance(0.02)) and 2
  end,
  start = function() return "rk" end,
  max_order = function(g, _, o) -- drawn before the method, of which few take it
    if g:chance(0.9) and not (o.nonstiff or o.stiff) then o.method = g:pick{"adams", "bdf"} end
    return g:pick(o.method == "adams" and {1, 3, 12} or {1, 3})
  end,
  nonstiff = function(g, _, o)
    if g:chance(0.9) and not o.max_order then o.method = "auto" end
    return g:pick{"tsit5", "bosh3", "vern7", "dopri8"}
  end,
  stiff = function(g, _, o)
    if g:chance(0.9) and not o.max_order then o.method = "auto" end
    return g:pick{"radau5", "radau3", "trbdf2", "bdf"}
  end,
  steps = function(g) return g:pick{1, 2, 3, 7, 12} end,
  step_size = function(g) return g:pick{0.05, 0.1, 0.13, 0.3, 5} end,
  rtol = function(g) return g:pick{1e-3, 1e-5, 1e-8, 0, 1e-9} end,
  atol = function(g) return g:pick{1e-3, 1e-6, 1e-9, 0} end,
  first_step = function(g) return g:pick{1e-3, 0.1, 10} end,
  max_steps = function(g) return g:pick{1, 5, 10000} end,
  max_nfe = function(g) return g:pick{1, 20, 100000} end,
  max_seconds = function(g) return g:pick{1e-9, 100} end,
  on_step = function(g) return g:pick{"look", "look inside"} end,
  on_failure = function(g) return g:pick{"error", "return"} end,
  min_step = function(g) return g:pick{1e-9, 1e-3, 0.2} end,
  max_step = function(g) return g:pick{0.01, 0.1, 10} end,
  stops = function(g, c) return {g:real(-2, 2), c.t[1] + 0.4 * (c.t[#c.t] - c.t[1]), c.t[#c.t]} end,
  jumps = function(g, c) return {g:real(-2, 2), c.t[1] + 0.7 * (c.t[#c.t] - c.t[1])} end,
  safety = function(g) return g:pick{0.5, 0.8, 0.95} end,
  min_factor = function(g) return g:pick{0.1, 0.5} end,
  max_factor = function(g) return g:pick{1.5, 5, 100} end,
  controller = function(g) return g:pick{"I", "PI", "PID", {0.6, -0.2, 0}} end,
  norm = function(g) return g:pick{"part", "batch", "sample", "largest"} end,
  final = function(g) return g:pick{"clip", "interpolate"} end,
  gradient = function(g, _, o)
    if methods[o.method or "dopri5"].family == "reversible" and g:chance(0.5) then return "reversible" end
    local kind = g:pick{"direct", "adjoint", "checkpoint", "interpolated"}
    if kind == "checkpoint" and not o.checkpoint_steps then
      if g:chance(0.4) then o.checkpoints = g:pick{1, 2, 3, 100} else o.memory = 10000000 end
    end
    return kind
  end,
  checkpoint_steps = function(g) return g:pick{1, 2, 3, 100} end,
  checkpoints = function() return false end, -- these come with the gradient
  memory = function() return false end,
  adjoint = function(g) return g:pick{{}, {norm = "batch"}, {norm = "part"}} end,
  adjoint_rtol = function(g, c) return math.max(g:pick{1e-6, 1e-9}, c.dtype == "float32" and 1e-5 or 0) end,
  adjoint_atol = function(g) return g:pick{1e-6, 1e-9} end,
  reconstruction_limit = function(g) return g:pick{1, 10, 1e6} end,
  jacobian = function(g) return g:pick{"auto", "dense", "krylov"} end,
  newton_tol = function() return 1e-12 end, -- as good as to rounding, of which the checks know
  max_newton = function(g) return g:pick{30, 60} end,
  theta = function(_, _, o) return o.method == "theta" and 0.5 end, -- others: test_implicit
  defect = function(g) return g:chance(0.5) end,
  events = function(g) return {{g = M.g[g:pick{"time", "wave"}], direction = g:int(-1, 1)}} end,
  quadrature = function(g) return M.g[g:pick{"time", "wave"}] end,
  quadrature_control = function(g) return g:chance(0.5) end,
  per_sample = function(g, _, o) return g:chance(o.quadrature and 0.05 or 0.8) end,
  eager = function(g) return g:chance(0.5) end,
  plain = function(g) return g:chance(0.5) end,
}
local often = {method = 0.9, theta = 0.9, steps = 0.35, step_size = 0.15, rtol = 0.5, atol = 0.4,
  gradient = 0.5, eager = 0.1, plain = 0.06, max_order = 0.06, max_steps = 0.06, order = 0.5, max_nfe = 0.05,
  max_seconds = 0.05, min_step = 0.1, nonstiff = 0.03, stiff = 0.03}

--- The names of the options that odeint has, from what it says about an unknown one.
function M.option_names()
  local _, message = pcall(tide.odeint, function(_, y) return y end, tide.ones{1}, {0, 1},
    {no_such_option = 1})
  local list = {}
  for name in tostring(message):match("valid are: ([%w_, ]+)"):gmatch("[%w_]+") do list[#list + 1] = name end
  return list
end

-- Shapes of the parts of a state; batches lie around the sizes where work is cut into tiles.
local function random_parts(g)
  local batch = g:pick{1, 2, 3, 15, 16, 17, 31, 33, 64, 65, 256, 257}
  local way = g:int(1, 8)
  if way <= 3 then return {{batch, g:int(1, 5)}} end
  if way == 4 then return {{}} end
  if way == 5 then return {{g:int(1, 4)}} end
  if way == 6 then return {{batch, 2}, {batch}} end
  if way == 7 then return {{2, 0}, {3}, {}} end
  return {{batch, 2, 3}, {0}}
end

local function random_times(g)
  local a, b = g:pick{0, -0.5, 1}, nil
  b = a + g:pick{1, -1} * g:pick{0.2, 0.75, 1.5}
  local t, n = {a}, g:pick{0, 0, 1, 5}
  for i = 1, n do t[#t + 1] = a + (b - a) * (i - g:real(0, 0.9)) / n end
  while #t > 1 and t[#t] == b do t[#t] = nil end
  t[#t + 1] = b
  return t
end

local function random_options(g, c)
  local out = {}
  for _, name in ipairs(M.option_names()) do
    local make = M.options[name]
    if make and g:chance(often[name] or 0.12) then
      local value = make(g, c, out)
      if value ~= false then out[name] = value end
    end
  end
  return out
end

-- ---- text ----

local function show(v)
  if type(v) == "number" then return math.type(v) == "integer" and tostring(v) or ("%.17g"):format(v) end
  for name, fn in pairs(M.g) do
    if v == fn then return ('require("solves").g.%s'):format(name) end
  end
  if type(v) ~= "table" then return type(v) == "string" and ("%q"):format(v) or tostring(v) end
  local out, keys = {}, {}
  for i, x in ipairs(v) do out[i] = show(x) end
  for key in pairs(v) do if type(key) == "string" then keys[#keys + 1] = key end end
  table.sort(keys)
  for _, key in ipairs(keys) do out[#out + 1] = key .. " = " .. show(v[key]) end
  return "{" .. table.concat(out, ", ") .. "}"
end

function M.text(c)
  return 'package.path = "tests/lua/?.lua;" .. package.path\nrequire("solves").check' .. show(c)
end

-- ---- the problem ----

-- State, parameter, field and times of a case. Parts have factors 1, 1/2, 1/3 of k.
local function build(c)
  local list = {}
  for i, shape in ipairs(c.parts) do
    list[i] = (tide.rand(shape, {dtype = "float64", seed = 10 + i}) + 0.5):to(c.dtype)
  end
  local y0 = #list == 1 and list[1] or {first = list[1], {list[2]}, last = list[3]}
  local k = tide.tensor(c.k, {dtype = c.dtype})
  local function field_of(p)
    return function(t, y)
      local speed = p * tide.cos(c.w * t)
      local leaves, out = tree.tensors(y), {}
      for i, x in ipairs(leaves) do out[i] = x * speed / i end
      return tree.replace(y, out)
    end
  end
  return y0, k, field_of, c.tensor_times and tide.tensor(c.t, {dtype = "float64"}) or c.t
end

local function integral(c, t) return c.w == 0 and t or math.sin(c.w * t) / c.w end

local function grid(c)
  local a, b, o = c.t[1], c.t[#c.t], c.options
  local nodes = {a}
  local n = o.steps or math.max(1, math.ceil(math.abs(b - a) / o.step_size - 1e-9))
  for i = 1, n - 1 do
    nodes[#nodes + 1] = o.steps and a + (b - a) * i / n or a + (b > a and 1 or -1) * o.step_size * i
  end
  nodes[#nodes + 1] = b
  return nodes
end

-- ---- what may fail ----

-- Two formulas that differ by an error, and the gradient that goes back through the steps.
local function refused_defect(o, m)
  if o.eager or o.plain then return "defect comes with the gradient" end
  local kind = o.gradient or "direct"
  if kind ~= "direct" and kind ~= "checkpoint" then return "defect goes with gradient" end
  local estimate = m.b_error or m.name == "euler"
  if m.family ~= "explicit" or not estimate then return "defect is for euler and explicit methods" end
end

local function refused_options(c)
  local o = c.options
  local m, fixed = methods[o.method or "dopri5"], o.steps or o.step_size
  if o.order and m.family ~= "multistep" then return "order is an option of multistep methods" end
  if o.eager and o.plain then return "not both" end
  if (o.eager or o.plain) and o.per_sample then return "per_sample = true is for recorded fields" end
  if (o.eager or o.plain) and o.gradient then return "no gradient" end
  local varies = m.varying_order or m.varies and (m.family ~= "automatic" or o.stiff == "bdf")
  if o.max_order and not varies then return "methods that vary their order" end
  if o.quadrature and o.quadrature_control and o.norm == "largest" then return "exclude each other" end
  if (o.nonstiff or o.stiff) and m.family ~= "automatic" then return 'is an option of the method "auto"' end
  if m.varying_order and not fixed then
    if o.max_order and o.max_order > m.varying_order then return "more than bdf has" end
    if o.order then return "is for fixed steps" end
  end
  if m.varies and o.order then return "varies its order" end
  if m.varies and fixed then return "no form with fixed steps" end
  if o.steps and o.step_size then return "not both" end
  if m.kind == "fixed" and not fixed then return "fixed-step method" end
  if fixed then
    for _, name in ipairs{"max_step", "min_step", "stops", "jumps"} do
      if o[name] then return "steps that adapt" end
    end
    return o.defect and refused_defect(o, m)
  end
  local rtol, atol = o.rtol or 1e-3, o.atol or 1e-6
  if rtol == 0 and atol == 0 then return "both 0" end
  local least = 10 * EPS[o.plain and "float64" or c.dtype]
  if rtol < least and (rtol > 0 or atol == 0) then return "can resolve" end
  if o.min_step and o.max_step and o.min_step > o.max_step then return "longer than max_step" end
  return o.defect and refused_defect(o, m)
end

-- Words of the error that the options must lead to before anything is solved, or nil.
local function refused(c)
  local o = c.options
  local words = refused_options(c)
    or o.per_sample and (o.norm == "largest" or type(o.norm) == "function") and "norm as a function"
  for _, shape in ipairs(not words and o.per_sample and c.parts or {}) do
    if not shape[1] or shape[1] ~= c.parts[1][1] then return "whose first axis are the samples" end
  end
  return words or o.per_sample and o.quadrature and "quadrature must return one value" or nil
end

--- The case of a seed. Options that contradict each other come too, but not often.
function M.new(seed)
  local g = setmetatable({state = seed * 104729 + 5}, G)
  local c = {seed = seed, dtype = g:pick{"float32", "float64"}, parts = random_parts(g),
    k = g:pick{0.8, -1.2}, w = g:pick{0, 1, 3}, t = random_times(g),
             tensor_times = g:chance(0.3)}
  for _ = 1, 8 do
    c.options = random_options(g, c)
    if not refused(c) or g:chance(0.1) then break end
  end
  -- A matrix of the whole state is factored in most steps: few numbers will do. R(z) has poles from 1 on.
  if methods[c.options.method or "dopri5"].implicit then
    local o = c.options
    if o.steps then o.steps = math.max(o.steps, math.ceil(2.4 * math.abs(c.t[#c.t] - c.t[1]))) end
    if o.step_size then o.step_size = math.min(o.step_size, 0.4) end
    for _, shape in ipairs(c.parts) do for i, n in ipairs(shape) do shape[i] = math.min(n, 9) end end
  end
  return c
end

-- What a solve may say while it runs.
local function may_stop(message, c)
  if message:find("max_steps", 1, true) then -- few are allowed, the order is low, or float32 cannot follow
    return (c.options.max_steps or math.huge) < 1000 or methods[c.options.method or "dopri5"].order <= 2
      or c.dtype == "float32" and c.options.rtol == 0
  end
  if message:find("Newton's method", 1, true) then return c.options.newton_tol ~= nil end
  if message:find("max_nfe", 1, true) then return (c.options.max_nfe or math.huge) < 1000 end
  if message:find("max_seconds", 1, true) then return c.options.max_seconds == 1e-9 end
  if message:find("give adjoint_atol > 0", 1, true) then
    return c.options.atol == 0 and not c.options.adjoint_atol
  end
  return message:find("min_step", 1, true) and c.options.min_step ~= nil
    or message:find("step size", 1, true) and (c.dtype == "float32" or (c.options.atol or 1e-6) < 1e-8
      or c.options.min_step)
end

-- ---- checks ----

local function fail(...) error(string.format(...), 0) end
local function count(what) M.checked[what] = (M.checked[what] or 0) + 1 end

local function leaves_of(y) return tree.tensors(y) end

-- A failure that was returned is raised here, when the times that were not reached are NaN and the others are
-- not.
local function check_reached(c, stats, ys)
  if not stats.failure then return end
  local samples = stats.failure.sample
  for _, y in ipairs(leaves_of(ys)) do
    for _, i in ipairs(y:numel() > 0 and samples or {}) do -- the others have their values
      local sum = y:select(1, #c.t):slice(1, i, i):sum():item()
      if sum == sum then fail("sample %d failed, its end is %g", i, sum) end
    end
    for j = 1, not samples and y:numel() > 0 and #c.t or 0 do
      local behind = (c.t[j] - stats.failure.t) * (c.t[#c.t] - c.t[1])
      local sum = y:select(1, j):sum():item()
      if math.abs(behind) > 1e-9 and (sum ~= sum) ~= (behind > 0) then
        fail("failed at %g, y at %g is %g", stats.failure.t, c.t[j], sum)
      end
    end
  end
  count "failures returned"
  error("solves.lua:0: " .. stats.failure.message, 0)
end

local function snapshot(stats)
  return {nfe = stats.nfe, steps = stats.steps, accepted = stats.accepted, rejected = stats.rejected}
end

local function with(o, changes)
  local out = {}
  for name, v in pairs(o) do out[name] = v end
  for name, v in pairs(changes) do out[name] = v ~= "none" and v or nil end
  return out
end

-- How far the results may be off: relative to the largest number.
local function bound(c, steps)
  local o = c.options
  local m, span = methods[o.method or "dopri5"], math.abs(c.t[#c.t] - c.t[1])
  local rounding = 200 * EPS[c.dtype]
  if o.steps or o.step_size then
    local h = math.min(span, o.step_size or span / o.steps)
    return rounding + 4 * ((1.2 + c.w) * h) ^ m.order, rounding + 4 * ((1.2 + c.w) * h) ^ math.min(m.order, 2)
  end
  -- an error of a tolerance in each step; fehlberg21's estimate has weights of 1/512 and may see nothing of a
  -- long step
  local tolerance = (o.rtol or 1e-3) + (o.atol or 1e-6)
  steps = o.method == "fehlberg21" and math.huge or math.max(steps or 0, 4 + span * 20)
  return rounding * 20 + steps * 10 * tolerance, rounding * 20 + steps * 30 * tolerance
end

local function close(what, got, want, limit)
  local size = math.max(1, want:numel() > 0 and want:abs():max():item() or 0)
  local off = got:numel() > 0 and (got:to("float64") - want):abs():max():item() or 0
  if not (off <= limit * size) then
    fail("%s is off by %.3g, at most %.3g was expected", what, off, limit * size)
  end
end

-- Against the closed form at all times, and on a grid against the method in plain Lua.
local function check_values(c, ys, y0, steps)
  local at_end, between = bound(c, steps)
  for i, y in ipairs(leaves_of(ys)) do
    local start = leaves_of(y0)[i]:to("float64")
    for j = 1, #c.t do
      local growth = math.exp(c.k / i * (integral(c, c.t[j]) - integral(c, c.t[1])))
      close(("part %d at time %d"):format(i, j), y:select(1, j), start * growth, j == #c.t and at_end
        or between)
    end
    if c.options.steps or c.options.step_size then
      local growth = plain_steps.growth(c, methods[c.options.method or "dopri5"], grid(c),
        leaves_of(tide.tensor(c.k, {dtype = c.dtype}))[1]:item() / i)
      -- a tolerance of Newton's is one of atol and rtol, down to 10 epsilon / rtol of them
      close(("part %d, against the method in plain Lua,"):format(i), y:select(1, #c.t), start * growth,
        (c.options.newton_tol and 1e5 or 200) * EPS[c.dtype])
      count "method in plain Lua"
    end
    if checks.differs(y:select(1, 1), leaves_of(y0)[i]) then fail("the first output is not y0") end
  end
end

local function check_statistics(s, calls)
  if s.accepted + s.rejected ~= s.steps then
    fail("%d accepted, %d rejected, %d steps", s.accepted, s.rejected, s.steps)
  end
  if calls and s.nfe ~= calls then fail("nfe = %d, f was called %d times", s.nfe, calls) end
end

-- Along a direction: the gradient against differences of the same steps, or against the derivative of the
-- closed form.
local function check_gradient(c, gradient, loss, k, y0, steps)
  local o = c.options
  local kind, fixed = o.gradient or "direct", o.steps or o.step_size
  if c.dtype == "float64" and fixed and kind ~= "adjoint" and kind ~= "interpolated" then
    local h = 1e-5
    local function moved(by)
      return loss{k = k + by, y0 = tree.map(y0, function(x) return x * (1 + by) end)}:item()
    end
    local along = gradient.k:item()
    for i, x in ipairs(leaves_of(gradient.y0)) do along = along + (x * leaves_of(y0)[i]):sum():item() end
    local numeric = (moved(h) - moved(-h)) / (2 * h)
    local size = math.abs(numeric) + math.abs(along) + math.abs(moved(0))
    if not (math.abs(along - numeric) <= 1e-8 * size) then
      fail("gradient along a direction %.12g, differences %.12g", along, numeric)
    end
    return count "gradient = differences"
  end
  local exact, size = 0, 1
  local limit, wider = bound(c, steps)
  if kind == "adjoint" or kind == "interpolated" then limit = wider end
  for i, x in ipairs(leaves_of(y0)) do
    local span = (integral(c, c.t[#c.t]) - integral(c, c.t[1])) / i
    local y = x:to("float64") * math.exp(c.k * span)
    exact, size = exact + 2 * span * y:square():sum():item(), size + y:square():sum():item()
    close(("gradient of part %d"):format(i), leaves_of(gradient.y0)[i], y * (2 * math.exp(c.k * span)),
      20 * limit)
  end
  if not (math.abs(gradient.k:item() - exact) <= 20 * limit * size) then
    fail("dL/dk = %.9g, closed form %.9g", gradient.k:item(), exact)
  end
  count("gradient near the closed form, " .. kind)
end

local function loss_of(c, field_of, t, options)
  return function(p)
    local sum
    for _, y in ipairs(leaves_of((tide.odeint(field_of(p.k), p.y0, t, options)))) do
      local part = y:select(1, #c.t):square():sum()
      sum = sum and sum + part or part
    end
    return sum
  end
end

local function same_gradients(what, a, b)
  checks.same(what, tree.tensors(a), tree.tensors(b))
end

local function check_compiled(solve, p, ys, s)
  local compiled = tide.compile(solve)
  for _ = 1, 2 do
    local again, live = compiled(p)
    checks.same("compiled", leaves_of(ys), leaves_of(again))
    for name, v in pairs(s) do
      if live[name] ~= v then fail("compiled: %s = %d for %d", name, live[name], v) end
    end
  end
end

local function check_eager(c, y0, eager_field, t, ys, s)
  local o, calls = c.options, 0
  if o.max_nfe and methods[o.method or "dopri5"].implicit then return end -- differences spend more
  local eager, eager_stats = tide.odeint(function(...) calls = calls + 1 return eager_field(...) end, y0, t,
    with(o, {eager = true, gradient = "none", checkpoints = "none", memory = "none", defect = "none"}))
  check_statistics(snapshot(eager_stats), calls)
  local at_end = bound(c, s.accepted)
  local fixed = o.steps or o.step_size
  -- as exact as their Jacobian
  local by_differences = methods[o.method or "dopri5"].family == "rosenbrock" and
    (o.jacobian == "krylov" and 1e7 or 1e5)
  local identical = true
  for i, y in ipairs(leaves_of(ys)) do
    identical = identical and not checks.differs(y, leaves_of(eager)[i])
    local limit = fixed and (by_differences or 100) * EPS[c.dtype] or at_end
    close("eager", leaves_of(eager)[i], y:to("float64"), limit)
  end
  if identical or fixed then
    for name, v in pairs(s) do -- differences for a Jacobian are evaluations, too
      local free = name == "nfe" and methods[o.method or "dopri5"].implicit
      if eager_stats[name] ~= v and not free then
        fail("eager: %s = %d for %d", name, eager_stats[name], v)
      end
    end
  end
end

-- Output times do not change the steps; what lies between steps may take evaluations that max_nfe counts.
local function check_output_times(c, y0, field, ys)
  if c.options.max_nfe then return end
  for _, n in ipairs{1, 30} do
    local times = {c.t[1]}
    for i = 1, n do times[i + 1] = i == n and c.t[#c.t] or c.t[1] + (c.t[#c.t] - c.t[1]) * (i / n) end
    local other = tide.odeint(field, y0, times, c.options)
    for i, y in ipairs(leaves_of(other)) do
      checks.same(("the end with %d output times"):format(n), {leaves_of(ys)[i]:select(1, #c.t)},
        {y:select(1, n + 1)})
    end
  end
end

local function check_gradients(c, p, field_of, t, accepted)
  local o = c.options
  local loss = loss_of(c, field_of, t, o)
  local value, gradient = tide.value_and_grad(loss)(p)
  local again, compiled_gradient = tide.compile(tide.value_and_grad(loss))(p)
  checks.same("compiled value", {value}, {again})
  same_gradients("compiled gradient", gradient, compiled_gradient)
  check_gradient(c, gradient, loss, p.k, p.y0, accepted)
  if o.gradient == nil or o.gradient == "direct" then
    for _, few in ipairs{{checkpoint_steps = 3}, {checkpoint_steps = "none", checkpoints = 2}} do
      local kept = tide.grad(loss_of(c, field_of, t, with(o, with(few, {gradient = "checkpoint"}))))(p)
      same_gradients("checkpoint", gradient, kept)
    end
    count "checkpoint = direct"
  end
end

-- The steps of each sample, as texts; where there are no samples, of the one.
local function steps_of(field, y0, t, o)
  local seen = {}
  tide.odeint(field, y0, t, with(o, {on_step = function(step)
    local i, y = step.sample or 1, leaves_of(step:at((step.start + step.t) / 2))[1]
    seen[i] = seen[i] or {}
    table.insert(seen[i], ("%.17g %.17g %.17g %.17g"):format(step.t, step.h, step.error or 0,
      y:numel() > 0 and y:sum():item() or 0))
  end}))
  return seen
end

-- Samples with steps of their own are the samples solved one by one.
local function check_samples(c, y0, field, t, ys, stats)
  local n = leaves_of(y0)[1]:shape()[1]
  local seen = c.options.on_step and steps_of(field, y0, t, c.options)
  for i = 1, n, math.max(1, n - 1) do
    local one, o = tree.map(y0, function(x) return x:slice(1, i, i) end), with(c.options,
      {per_sample = "none"})
    local alone, s = tide.odeint(field, one, t, o)
    if seen then
      local want = table.concat(steps_of(field, one, t, o)[1] or {}, "\n")
      if table.concat(seen[i] or {}, "\n") ~= want then fail("steps of sample %d are others alone", i) end
      count "steps of samples"
    end
    for j, y in ipairs(leaves_of(ys)) do
      checks.same(("sample %d alone"):format(i), {y:slice(2, i, i)}, {leaves_of(alone)[j]})
    end
    if s.switches then s.switches = #s.switches end
    for name, counts in pairs(stats.samples) do
      if s[name] ~= counts[i] then fail("sample %d: %s = %d for %d", i, name, counts[i], s[name]) end
    end
  end
  count "samples"
end

local function check_recorded(c, y0, k, field_of, t)
  local o, p = c.options, {k = k, y0 = y0}
  local function solve(q)
    local ys, stats = tide.odeint(field_of(q.k), q.y0, t, o)
    return ys, stats
  end
  local ys, stats = solve(p)
  local s = snapshot(stats)
  check_reached(c, stats, ys)
  local accepted = o.per_sample and #stats.samples.accepted > 0 and stats.samples.accepted:max():item()
    or s.accepted
  check_values(c, ys, y0, accepted)
  check_statistics(s)
  check_compiled(solve, p, ys, s)
  if o.per_sample then
    check_samples(c, y0, field_of(k), t, ys, stats)
  else
    check_eager(c, y0, field_of(k), t, ys, s)
  end
  if not (o.steps or o.step_size) then check_output_times(c, y0, field_of(k), ys) end
  check_gradients(c, p, field_of, t, accepted)
  count "recorded"
end

local function check_plain(c, y0, k)
  local flat, numbers = {}, k:item()
  for i, x in ipairs(leaves_of(y0)) do
    for _, v in ipairs(x:reshape{-1}:totable()) do flat[#flat + 1] = {v, i} end
  end
  local start, calls = {}, 0
  for i, pair in ipairs(flat) do start[i] = pair[1] end
  local ys, stats = tide.odeint(function(t, y)
    calls = calls + 1
    local out = {}
    for i, v in ipairs(y) do out[i] = numbers * math.cos(c.w * t) * v / flat[i][2] end
    return out
  end, start, c.t, c.options)
  check_reached(c, stats, ys)
  check_statistics(snapshot(stats), calls)
  local at_end = bound(with(c, {dtype = "float64"}), stats.accepted)
  for i, pair in ipairs(flat) do
    local want = pair[1] * math.exp(numbers / pair[2] * (integral(c, c.t[#c.t]) - integral(c, c.t[1])))
    if not (math.abs(ys[#c.t][i] - want) <= at_end * math.max(1, math.abs(want)) * 1.01) then
      fail("plain: %.9g for %.9g", ys[#c.t][i], want)
    end
  end
  count "plain"
end

-- The norm that "largest" stands for: of the element whose error is largest.
local function largest(err, scale)
  local most, scales = 0, leaves_of(scale)
  for i, e in ipairs(leaves_of(err)) do
    if e:numel() > 0 then most = math.max(most, (e / scales[i]):abs():max():item()) end
  end
  return most
end

-- Somebody who looks at the steps, and at what is in them, and changes nothing by it.
local function looking(inside)
  return function(step)
    if inside and step:at((step.start + step.t) / 2) == nil then fail("no state inside a step") end
    if step.t == step.start or (step.error or 0) > 1 then fail("a step of no length, or not good enough") end
  end
end

--- Raises where something does not hold.
function M.check(c)
  if c.options.norm == "largest" then c = with(c, {options = with(c.options, {norm = largest})}) end
  if c.options.on_step then
    c = with(c, {options = with(c.options, {on_step = looking(c.options.on_step == "look inside")})})
  end
  local y0, k, field_of, t = build(c)
  local words = refused(c)
  local o = c.options
  local ok, message = pcall(function()
    if o.plain then return check_plain(c, y0, k) end
    if not o.eager then return check_recorded(c, y0, k, field_of, t) end
    local calls, field = 0, field_of(k)
    local ys, stats = tide.odeint(function(...) calls = calls + 1 return field(...) end, y0, t, o)
    check_reached(c, stats, ys)
    check_values(c, ys, y0, stats.accepted)
    check_statistics(snapshot(stats), calls)
    count "eager"
  end)
  message = tostring(message)
  if words then
    if ok then fail("an error was expected: %s", words) end
    if not message:find(words, 1, true) then fail("%s\n  lacks: %s", message, words) end
    return count "refused"
  end
  if ok then
    for name in pairs(o) do count("option " .. name) end
    return
  end
  if message:find("lua:%d+: odeint[:,] ")
    or message:find("lua:%d+: continuous adjoint, from t = [^:]*: odeint: ") then
    if may_stop(message, c) then return count "stopped" end
  end
  error(message, 0)
end

--- nil, or a text: what fails, and the smallest case found that still fails.
function M.failure(c)
  local ok, message = pcall(M.check, c)
  if ok then return nil end
  local function kind(text) return tostring(text):gsub("%-?[%d.]+e?[-+]?%d*", "N"):sub(1, 40) end
  local function still(smaller)
    local fine, other = pcall(M.check, smaller)
    return not fine and kind(other) == kind(message)
  end
  local changed = true
  while changed do
    changed = false
    local options_left = {}
    for name in pairs(c.options) do options_left[#options_left + 1] = name end
    table.sort(options_left)
    local tries = {}
    for _, name in ipairs(options_left) do
      tries[#tries + 1] = with(c, {options = with(c.options, {[name] = "none"})})
    end
    if #c.t > 2 then tries[#tries + 1] = with(c, {t = {c.t[1], c.t[#c.t]}}) end
    if #c.parts > 1 then tries[#tries + 1] = with(c, {parts = {c.parts[1]}}) end
    if #c.parts[1] > 0 then tries[#tries + 1] = with(c, {parts = {{}}}) end
    for _, smaller in ipairs(tries) do
      if still(smaller) then
        c, changed = smaller, true
        break
      end
    end
  end
  local _, last = pcall(M.check, c)
  return ("seed %d: %s\n%s"):format(c.seed, tostring(last), M.text(c))
end

return M
