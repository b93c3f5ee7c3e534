--- What must hold for every random program (programs.lua). Each check raises where it does not; `dropped`
-- counts what could not be judged.

local tide = require "tide"
local programs = require "programs"

local M = {dropped = {}, judged = {}}
local core, tree = tide.core, tide.tree
local EPS = {float32 = 2.0 ^ -23, float64 = 2.0 ^ -52}

local function count(t, what) t[what] = (t[what] or 0) + 1 end

-- ---- comparing ----

local function elements(x) return x:reshape{-1}:totable() end

local function same_kind(x, y)
  if x:dtype() ~= y:dtype() or table.concat(x:shape(), ",") ~= table.concat(y:shape(), ",") then
    return ("%s{%s} for %s{%s}"):format(y:dtype(), table.concat(y:shape(), ","), x:dtype(),
      table.concat(x:shape(), ","))
  end
end

--- nil where x and y have the same bits (NaN is NaN), else what differs.
function M.differs(x, y)
  local kind = same_kind(x, y)
  if kind then return kind end
  if x:numel() > 1000 then -- quicker, but blind for the sign of zero
    local other = (x:ne(y) * (x:eq(x) + y:eq(y))):sum():item()
    return other > 0 and ("%d of %d elements differ"):format(other, x:numel()) or nil
  end
  local a, b = elements(x), elements(y)
  for i, u in ipairs(a) do
    local v = b[i]
    if u ~= v and (u == u or v == v) or u == 0 and v == 0 and 1 / u ~= 1 / v then
      return ("element %d: %.17g for %.17g"):format(i, v, u)
    end
  end
end

local function each_pair(want, got, compare)
  if #want ~= #got then return ("%d tensors for %d"):format(#got, #want) end
  for i, x in ipairs(want) do
    local message = compare(x, got[i], i)
    if message then return ("tensor %d: %s"):format(i, message) end
  end
end

local function expect(what, message) if message then error(what .. ": " .. message, 0) end end

--- The same bits, else an error that begins with `what`.
function M.same(what, want, got) expect(what, each_pair(want, got, M.differs)) end

local function largest(x) return x:numel() == 0 and 0 or x:abs():max():item() end

-- ---- running ----

local function tensors_of(...) return tree.tensors(table.pack(...)) end

local function run(fn, ...)
  tide.seed(5)
  return tensors_of(fn(...))
end

local function floats(list)
  local out = {}
  for _, x in ipairs(list) do if EPS[x:dtype()] then out[#out + 1] = x end end
  return out
end

-- Sum of the float results with fixed random weights, as float64.
local function loss_of(fn)
  return function(...)
    local sum
    for i, y in ipairs(tree.tensors(table.pack(fn(...)), true)) do
      local part = (y:to("float64") * tide.randn(y:shape(), {dtype = "float64", seed = 100 + i})):sum()
      sum = sum and sum + part or part
    end
    return sum or tide.zeros({}, {dtype = "float64"})
  end
end

-- fn, where float64 is the default dtype (the mean of integers has it).
local function in_float64(fn)
  return function(...)
    tide.set_default_dtype "float64"
    local results = table.pack(pcall(fn, ...))
    tide.set_default_dtype "float32"
    if not results[1] then error(results[2], 0) end
    return table.unpack(results, 2, results.n)
  end
end

-- ---- rounding ----

--- How far rounding can move the results: the program runs again with every intermediate result (and
-- argument) off by a few units in the last place, at random; the bound is a multiple of what that did.
-- Whatever order a sum is taken in, or what is fused, is off by less.
local function rounding_bounds(p, what, base, k, mode)
  local bounds = {}
  mode = mode or {eps = EPS}
  for i, x in ipairs(base) do bounds[i] = 64 * (mode.eps[x:dtype()] or 0) * largest(x) end
  for trial = 1, 3 do
    local at = 1000 * trial
    local function noise(x)
      local eps = mode.eps[x:dtype()]
      if not eps then return x end
      at = at + 1
      if core.is_weak(x) or x:rank() == 0 then return x * (1 + 4 * eps * ((at * 7919) % 13 - 6) / 3) end
      return x * (tide.randn(x:shape(), {dtype = x:dtype(), seed = at}) * (4 * eps) + 1)
    end
    local fn, args, change = programs.load(p, {noise = noise, float32 = mode.float32})
    if k > 0 then change() end
    for i, y in ipairs(what(fn, args(k))) do
      local moved = EPS[y:dtype()] and largest(y - base[i])
        or (y:to("float64") - base[i]:to("float64")):abs():gt(0):sum():item() > 0 and math.huge or 0
      if moved == moved then bounds[i] = math.max(bounds[i], 16 * moved) else bounds[i] = math.huge end
    end
  end
  return bounds
end

-- The same bits, or within rounding (worked out only if bits differ).
local function near(p, what, compute, want, got, k)
  local message = each_pair(want, got, M.differs)
  if not message then return count(M.judged, "same bits") end
  local bounds = rounding_bounds(p, compute, want, k)
  expect(what, each_pair(want, got, function(x, y, i)
    local different = M.differs(x, y)
    if not different then return end
    if same_kind(x, y) or bounds[i] == 0 then return different end
    if bounds[i] > 1e-2 * largest(x) and bounds[i] > 1e-2 then return count(M.dropped, "ill-conditioned") end
    local distance = largest(x - y)
    if not (distance <= bounds[i]) then
      return ("%s, rounding explains %.3g, distance %.3g"):format(different, bounds[i], distance)
    end
    count(M.judged, "within rounding")
  end))
end

-- A program may fail (with other captured tensors it divides by zero in front of a solve): then it fails
-- alike when compiled.
local function same_error(message, recorded, fine, ok)
  local function plain(text)
    return (tostring(text):gsub("^[^ ]*program %d+:%d+: ", ""):gsub("^[^ ]*%.lua:%d+: ", ""))
  end
  if fine then error("fails when compiled: " .. plain(recorded), 0) end
  -- it does not run
  if ok and plain(message):find("^odeint: ") then
    return count(M.dropped, "a solve that nothing reads fails")
  end
  if ok then error("fails, but not when compiled: " .. plain(message), 0) end
  if plain(message) ~= plain(recorded) then
    error(("at once:  %s\n  compiled: %s"):format(plain(message), plain(recorded)), 0)
  end
  count(M.judged, "errors")
end

-- With other captured tensors, or with float64 for float32, a program may fail.
local function runs(fn, args)
  local ok = pcall(fn, args(0))
  if not ok then count(M.dropped, "fails in this mode") end
  return ok
end

-- ---- checks: each gets a program ----

local checks = {}
M.checks = checks

checks["compiled = eager"] = function(p)
  local fn, args, change = programs.load(p)
  local compiled = tide.compile(fn)
  local first, kept
  for k = 0, 2 do -- the third time with other arguments as well
    if k == 1 then change() end
    local fine, want = pcall(run, fn, args(k // 2))
    local ok, got = pcall(run, compiled, args(k // 2))
    if not fine or not ok then return same_error(want, got, fine, ok) end
    near(p, k == 0 and "first run" or k == 1 and "captured tensors changed" or "other arguments", run, want,
      got, k)
    if k == 0 then
      first, kept = got, {}
      for i, x in ipairs(got) do kept[i] = x:clone() end
    end
  end
  M.same("results of an earlier run changed", kept, first)
end

checks["threads"] = function(p)
  local fn, args = programs.load(p)
  local before, results = core.threads(), {}
  for n = 1, 2 do
    core.threads(n)
    results[n] = run(tide.compile(fn), args(0))
    for _, x in ipairs(run(tide.grad(loss_of(fn)), args(0))) do table.insert(results[n], x) end
  end
  core.threads(before)
  M.same("two threads", results[1], results[2])
end

checks["gradient: compiled = at once, value_and_grad = grad"] = function(p)
  local fn, args, change = programs.load(p)
  local grad = tide.grad(loss_of(fn))
  local both = tide.value_and_grad(loss_of(fn))
  local compiled, around = tide.compile(both), tide.grad(tide.compile(loss_of(fn)))
  local function gradients(f, ...) return run(tide.value_and_grad(loss_of(f)), ...) end
  for k = 0, 1 do
    if k == 1 then change() end
    if not runs(fn, args) then return end
    local want, value_and_grad = run(grad, args(0)), run(both, args(0))
    local values = table.move(value_and_grad, 2, #value_and_grad, 1, {})
    M.same("value_and_grad", want, values)
    M.same("grad of compile", want, run(around, args(0)))
    near(p, "value", function(f, ...) return run(loss_of(f), ...) end, run(loss_of(fn), args(0)),
      {value_and_grad[1]}, 0 * k)
    near(p, k == 0 and "compiled" or "compiled, captured tensors changed", gradients, value_and_grad,
      run(compiled, args(0)), k)
  end
end

local function directions(leaves)
  local list = {}
  for i, x in ipairs(leaves) do list[i] = tide.randn(x:shape(), {dtype = x:dtype(), seed = 300 + i}) end
  return list
end

local function dot(a, b)
  local sum, size = 0, 0
  for i, x in ipairs(a) do
    local product = x:to("float64") * b[i]:to("float64")
    sum, size = sum + product:sum():item(), size + product:abs():sum():item()
  end
  return sum, size
end

-- In float64 throughout.
checks["jvp = transposed vjp"] = in_float64(function(p)
  local fn, args = programs.load(p, {float32 = "float64"})
  if not runs(fn, args) then return end
  local a, b, s = args(0)
  local function of(q) return floats(tensors_of(fn(q, b, s))) end
  local v = directions(tree.tensors(a, true))
  tide.seed(5)
  local ok, y, dy = pcall(tide.jvp, of, a, tree.replace(a, v, true))
  if not ok and tostring(y):find("NaN", 1, true) then return count(M.dropped, "not finite") end
  if not ok then error(y, 0) end
  tide.seed(5)
  local z, pullback = tide.vjp(of, a)
  M.same("values of jvp and vjp", tree.tensors(y), tree.tensors(z))
  local w = directions(tree.tensors(y))
  local left, size = dot(tree.tensors(dy), w)
  local right, size2 = dot(tree.tensors(pullback(w), true), v)
  if left ~= left or right ~= right or size + size2 == math.huge then
    return count(M.dropped, "not finite")
  end
  -- sizes of sums bound their rounding, not that inside: a program that loses ten digits inside is caught by
  -- nothing here and by differences
  if math.abs(left - right) > 1e-7 * (size + size2) + 1e-12 then
    local values = run(fn, args(0)) -- the logarithm of a sum that is zero but for rounding?
    local bounds = rounding_bounds(p, run, values, 0, {float32 = "float64", eps = EPS})
    for i, x in ipairs(values) do
      if bounds[i] > 1e-6 * largest(x) and bounds[i] > 1e-6 then
        return count(M.dropped, "ill-conditioned")
      end
    end
    error(("<w, J v> = %.15g, <J'w, v> = %.15g"):format(left, right), 0)
  end
  count(M.judged, "jvp")
end)

-- A loss along a direction: its difference quotients with steps h, and what they cannot tell.
local function quotients(value, h)
  local at, above, below = value(0), value(h), value(-h)
  return {central = (above - below) / (2 * h), bend = math.abs(above - 2 * at + below) / h, rounding = 1e-14
    * (math.abs(above) + math.abs(below)) / h}
end

-- In float64 throughout; what is stopped keeps the value that it has at the point.
-- Is `along` the derivative of value(h) at 0? size: of the sum that it is.
local function judge_derivative(value, along, size)
  local report, judged = {}, false
  for _, h in ipairs{1e-5, 1e-6, 1e-4, 1e-7} do
    local ok, q, half = pcall(function() return quotients(value, h), quotients(value, h / 2) end)
    if not ok and tostring(q):find("NaN", 1, true) then return count(M.dropped, "not finite") end
    if not ok then error(q, 0) end
    local scale = size + math.abs(half.central) + 1e-6
    local wrong = math.abs(half.central - along)
    if along == 0 and q.central == 0 and q.bend == 0 then return count(M.judged, "gradient zero") end
    if q.central ~= q.central then return count(M.dropped, "not finite") end
    local uncertain = 3 * math.abs(half.central - q.central) + half.rounding
    if wrong <= uncertain + 1e-6 * scale and uncertain <= 1e-3 * scale then
      return count(M.judged, "gradient")
    end
    -- a kink within h leaves a bend that does not halve with h, a jump one that grows; too steep or too flat:
    -- the quotients disagree
    local kink = half.bend > 0.7 * q.bend and half.bend > 1e-6 * scale
    if not kink and uncertain <= 1e-3 * scale then judged = true end
    report[#report + 1] = ("h = %g: %.10g and %.10g, bend %.3g, %.3g"):format(h, q.central, half.central,
      q.bend, half.bend)
  end
  if not judged then return count(M.dropped, "kink or ill-conditioned") end
  error(("along a direction %.10g, differences\n  %s"):format(along, table.concat(report, "\n  ")), 0)
end

checks["gradient = central differences"] = in_float64(function(p)
  local text = programs.text(p)
  local stops = {}
  local fn, args, change = programs.load(p, {float32 = "float64", stop = function(x)
    if core.is_recording() then return x:stop_gradient() end
    stops.at = stops.at + 1
    if not stops.done then stops[stops.at] = x:clone() end
    return stops[stops.at]
  end})
  for line in text:gmatch("[^\n]+") do
    if line:find("^    .*STOP") then return count(M.dropped, "stopped inside a function of a function") end
  end
  change()
  local a, b, s = args(0)
  -- off the places where one argument is given twice: min(max(x, y), y) has no derivative that rules could
  -- find where x = y
  local off = 0
  a = tree.map(a, function(x)
    off = off + 1
    return EPS[x:dtype()] and x + tide.randn(x:shape(), {dtype = x:dtype(), seed = 200 + off}) * 0.01 or x
  end)
  if not runs((programs.load(p, {float32 = "float64"})), function() return a, b, s end) then return end
  tide.seed(5)
  local leaves, gradient = tree.tensors(a, true), tree.tensors(tide.grad(loss_of(fn))(a, b, s), true)
  local v = directions(leaves)
  local along, size = dot(gradient, v)
  if along ~= along or size == math.huge then return count(M.dropped, "not finite") end
  local function value(h)
    local moved = {}
    for i, x in ipairs(leaves) do moved[i] = x + v[i] * h end
    stops.at = 0
    tide.seed(5)
    local y = loss_of(fn)(tree.replace(a, moved, true), b, s):item()
    stops.done = true
    return y
  end
  judge_derivative(value, along, size)
end)

-- With float32 in it a program, and its gradient, are near what float64 gives; how near, rounding to float32
-- anywhere in it tells.
checks["near float64"] = function(p)
  local wide = {float32 = "float64", eps = {float64 = EPS.float32}}
  local fn, args = programs.load(p)
  local reference = in_float64((programs.load(p, wide)))
  if not runs(fn, args) or not runs(reference, select(2, programs.load(p, wide))) then return end
  if not programs.text(p):find("F32", 1, true) then return end
  local function both(f, ...)
    local out = run(f, ...)
    return table.move(run(tide.value_and_grad(loss_of(f)), ...), 1, 1000, #out + 1, out)
  end
  local want, got = both(reference, select(2, programs.load(p, wide))(0)), both(fn, args(0))
  local bounds = in_float64(rounding_bounds)(p, both, want, 0, wide)
  local floor = 1 -- numbers of this size cancel inside derivatives, where no noise is added
  for _, x in ipairs(want) do floor = math.max(floor, EPS[x:dtype()] and largest(x) or 0) end
  floor = floor < math.huge and 16 * EPS.float32 * floor or 0
  for i, x in ipairs(want) do
    local y, size = got[i]:to("float64"), largest(x)
    if not x:dtype():find("float") then bounds[i] = math.huge end
    if size ~= size or size == math.huge or bounds[i] > 1e-2 * size
      and bounds[i] > 1e-2 then count(M.judged, "float32 cannot resolve it")
    else
      local distance = largest(x:to("float64") - y)
      if not (distance <= bounds[i] + floor) then
        error(("tensor %d: off by %.3g, rounding explains %.3g, size %.3g"):format(i, distance, bounds[i],
          size), 0)
      end
      count(M.judged, "near float64")
    end
  end
end

-- What is an error at once is the same error while it is recorded.
checks["errors"] = function(p)
  if not p.failing then return end
  local lines, outputs = table.move(p.lines, 1, p.failing.at, 1, {}), {"wrong"}
  lines[#lines + 1] = {name = "wrong", text = p.failing.text}
  local q = setmetatable({lines = lines, outputs = outputs}, {__index = p})
  local fn, args = programs.load(q)
  local fine, message = pcall(fn, args(0))
  if fine then error("an error that comes and goes: " .. p.failing.text, 0) end
  local ok, recorded = pcall(tide.compile(fn), args(0))
  same_error(message, recorded, false, ok)
end

-- ---- all of them on one program ----

M.names = {}
for name in pairs(checks) do M.names[#M.names + 1] = name end
table.sort(M.names)

local tails = {
  ["compiled = eager"] = [[
for k = 0, 1 do
  if k == 1 then change() end
  tide.seed(5) print("eager", fn(args(0)))
  tide.seed(5) print("compiled", (compiled or tide.compile(fn))(args(0)))
end]],
}

-- A message without its numbers and the line it came from: does a smaller program fail in the same way?
local function kind(message)
  return (tostring(message):gsub("^[^ ]*program %d+:%d+: ", ""):gsub("^[^ ]*%.lua:%d+: ", ""):gsub(
    "%-?[%d.]+e?[-+]?%d*", "N"):sub(1, 50))
end

--- nil, or a text: which check fails, how, and the smallest program found that still fails.
function M.failure(p, only)
  for _, name in ipairs(M.names) do
    if not only or only == name then
      local ok, message = pcall(checks[name], p)
      collectgarbage "step"
      if not ok then
        local small = programs.shrink(p, function(q)
          local fine, other = pcall(checks[name], q)
          return not fine and kind(other) == kind(message)
        end)
        local _, last = pcall(checks[name], small)
        return ("seed %d, %s: %s\n%s\n%s\n%s"):format(p.seed, name, tostring(last or message),
          programs.header, programs.text(small),
          tails[name] or 'print(fn(args(0)))\nprint(tide.grad(function(...) return '
          .. '(fn(...)):to("float64"):sum() end)(args(0)))')
      end
    end
  end
end

return M
