--- Time series for latent ODEs, seen at some of their times: sines of many frequencies, damped pendulums.
--
-- As in the toy data of Y. Rubanova, R. Chen, D. Duvenaud, Latent Ordinary Differential Equations for
-- Irregularly-Sampled Time Series (NeurIPS 2019): all series share one grid of irregular times, on which a
-- mask says what was observed. With own_times each series has a grid of its own.

local core = require "tide.core"
local options = require "tide.options"
local tensor = require "tide.tensor"
local tide = require "tide"

local F64 = "float64"

local function range(low)
  return function(v)
    local ok = #v == 2 and type(v[1]) == "number" and type(v[2]) == "number" and options.finite(v[1])
      and options.finite(v[2]) and v[1] <= v[2] and (not low or v[1] >= low)
    return ok, low and "{low, high} with 0 <= low <= high" or "{low, high} with low <= high"
  end
end

local function span_check(v)
  local ok, expected = range()(v)
  return ok and v[1] < v[2], (expected:gsub("<=", "<"))
end

local at_least = options.at_least

local function spec_with(own, points, irregular, finish)
  local spec = {
    n = {"integer", default = 1000, check = at_least(1)},
    points = {"integer", default = points, check = options.between(2, 100000)},
    observed = {"integer", check = at_least(1)}, span = {"table", default = {0, finish}, check = span_check},
    irregular = {"boolean", default = irregular or nil}, own_times = {"boolean", default = false},
    noise = {"number", default = 0.05, check = options.not_negative},
    seed = {"integer", default = 1}, dtype = tensor._dtype_rule,
  }
  for name, rule in pairs(own) do spec[name] = rule end
  return spec
end

-- Numbers of one of eight streams of the seed.
local function stream(o, law, shape, k) return core.random(law, shape, F64, o.seed * 8 + k) end
local function uniform(o, limits, k)
  return stream(o, "uniform", {o.n, 1}, k) * (limits[2] - limits[1]) + limits[1]
end

-- ---- times ----

-- Growing times, the first of them the beginning of the span.
local function grid(o, draws)
  local t0, t1 = o.span[1], o.span[2]
  local list = {}
  for i = 1, o.points - 1 do
    list[i] = draws and t0 + (t1 - t0) * draws[i] or t0 + (t1 - t0) * (i / (o.points - 1))
  end
  table.sort(list)
  table.insert(list, 1, t0 + 0.0)
  return list
end

-- The times of all series: a list, which batches and splits hand on whole, or, own_times, {n, points}; and
-- the same as a tensor.
local function times(where, o)
  if o.own_times and o.irregular == false then
    core.raise(where .. ": own_times are irregular times; leave out irregular = false")
  end
  if o.observed and o.observed > o.points then
    core.raise(("%s: observed must be at most points, %d, got %d"):format(where, o.points, o.observed))
  end
  if not o.own_times then
    local draws = o.irregular and stream(o, "uniform", {o.points - 1}, 0):totable()
    local list = grid(o, draws)
    return list, core.tensor_from(list, F64):reshape{1, o.points}
  end
  local rows = stream(o, "uniform", {o.n, o.points - 1}, 0):totable()
  for i, draws in ipairs(rows) do rows[i] = grid(o, draws) end
  local t = core.tensor_from(rows, F64)
  return t:to(o.dtype), t
end

-- 1 where a series is observed: in `observed` places of each row.
local function mask_of(o)
  if not o.observed or o.observed == o.points then return core.full({o.n, o.points}, 1, o.dtype) end
  local rows = stream(o, "uniform", {o.n, o.points}, 1):totable()
  for i, row in ipairs(rows) do
    local order, mask = {}, {}
    for k = 1, o.points do order[k], mask[k] = k, 0 end
    table.sort(order, function(a, b) return row[a] < row[b] or row[a] == row[b] and a < b end)
    for k = 1, o.observed do mask[order[k]] = 1 end
    rows[i] = mask
  end
  return core.tensor_from(rows, o.dtype)
end

-- What a latent ODE is given: y {n, points, channels} without noise, x with it and 0 where nothing was seen.
local function observed(o, list, y, more)
  local mask = mask_of(o)
  local shape = y:shape()
  local seen = mask:reshape{shape[1], shape[2], 1}
  local x = tensor.where(seen, y + stream(o, "normal", shape, 2) * o.noise, 0)
  more.t, more.mask, more.x, more.y = list, mask, x:to(o.dtype), y:to(o.dtype)
  return more
end

-- ---- sines ----

local sines_spec = spec_with({
  frequency = {"table", default = {0.2, 0.6}, check = range(0)},
  amplitude = {"table", default = {1, 1}, check = range(0)},
}, 100, true, 5)

local M = {}

function M.irregular_sines(opts)
  local where = "data.irregular_sines"
  local o = options.check(where, opts, sines_spec)
  o.observed = o.observed or (o.points + 1) // 2
  local list, t = times(where, o)
  local frequency, amplitude = uniform(o, o.frequency, 3), uniform(o, o.amplitude, 4)
  local phase = uniform(o, {0, 2 * math.pi}, 5)
  local y = ((t - o.span[1]) * frequency * (2 * math.pi) + phase):sin() * amplitude
  return observed(o, list, y:reshape{o.n, o.points, 1}, {frequency = frequency:to(o.dtype),
    amplitude = amplitude:to(o.dtype), phase = phase:to(o.dtype)})
end

-- ---- pendulums ----

local pendulum_spec = spec_with({
  damping = {"number", default = 0.3, check = options.not_negative},
  gravity = {"number", default = 9.81, check = options.positive},
  length = {"number", default = 1, check = options.positive},
  angle = {"table", default = {-2, 2}, check = range()},
  velocity = {"table", default = {-1, 1}, check = range()},
}, 100, false, 5)
pendulum_spec.n.default = 200

local solver = {method = "dopri8", rtol = 1e-9, atol = 1e-9, norm = "sample"}

-- States {n, points, 2} at the times t, {1, points} or {n, points}: where series have times of their own,
-- each runs from one to the next at its own speed.
local function states(field, start, list, t)
  if type(list) == "table" then return tide.odeint(field, start, list, solver):permute{2, 1, 3} end
  local y, out = start, {start}
  for k = 2, t:shape()[2] do
    local stretch = t:slice(2, k, k) - t:slice(2, k - 1, k - 1)
    y = tide.odeint(function(s, u) return field(s, u) * stretch end, y, {0, 1}, solver)[2]
    out[k] = y
  end
  return tensor.stack(out, 2)
end

function M.pendulum(opts)
  local where = "data.pendulum"
  local o = options.check(where, opts, pendulum_spec)
  local list, t = times(where, o)
  local stiffness = o.gravity / o.length
  local function field(_, u)
    local angle, velocity = u:slice(-1, 1, 1), u:slice(-1, 2, 2)
    return tensor.cat({velocity, angle:sin() * -stiffness - velocity * o.damping}, -1)
  end
  local start = tensor.cat({uniform(o, o.angle, 3), uniform(o, o.velocity, 4)}, 2)
  return observed(o, list, states(field, start, list, t), {field = field})
end

return M
