--- Why is a trained model no flow? Its paths and steps, looked at one by one (tide.ode.crossings).

local core = require "tide.core"
local crossing = require "tide.study.crossing"
local flow = require "tide.nn.flow"
local ode = require "tide.ode"
local options = require "tide.base.options"
local tensor = require "tide.tensor"
local tree = require "tide.base.tree"

local M = {}
local raise = core.raise
local WHERE = "tide.ode.crossings"

local spec = {
  model = {"any", required = true}, x = {"tensor"}, data = {"table"}, solver = {"table"},
  points = {"integer", default = 200, check = options.at_least(1)},
  same_step = {"boolean"}, largest_dim = {"integer", default = 16, check = options.at_least(1)},
  iterations = {"integer", default = 50, check = options.between(1, 1e6)},
}

local report_meta = {__name = "crossings report", __tostring = function(r)
  return table.concat(r.lines, "\n")
end}

local function depends_on_time(field) return type(field) ~= "table" or field.time == true end

-- One line per finding.
local function describe(r)
  local lines = {("%d points, %d steps of %s, h = %.4g"):format(r.points, r.steps, r.method, r.h)}
  local function say(...) lines[#lines + 1] = string.format(...) end
  if r.inversions then
    say("order: %d inversions, %d merged pairs of %d pairs", r.inversions.count, r.inversions.merged,
      r.inversions.pairs)
  end
  if r.intersections then
    say("paths: %d crossings%s, %d of them steep (above 30 degrees); %.1f %% of the points are on a path "
      .. "with a steep one", r.intersections.crossings, r.same_step and " within the same step" or "",
      r.intersections.steep, 100 * r.intersections.steep_share)
  end
  if r.orientation then
    say("steps: %d of %d have det <= 0 (least %.3g); smallest singular value %.3g", r.orientation.negative,
      r.orientation.points, r.orientation.least_det, r.orientation.smallest)
  end
  say("h L: %.3g (L = %.3g, largest singular value of the field's Jacobian met)", r.h_lipschitz, r.lipschitz)
  lines[#lines + 1] = r.verdict
  return lines
end

local function conclusion(r)
  local broken = {}
  if r.inversions and r.inversions.count + r.inversions.merged > 0 then
    broken[#broken + 1] = "points change order"
  end
  if r.intersections and r.intersections.steep > 0 then broken[#broken + 1] = "paths cross" end
  if r.orientation and r.orientation.negative > 0 then broken[#broken + 1] = "steps turn space inside out" end
  if #broken > 0 then return "no flow: " .. table.concat(broken, ", ") end
  if r.method == "euler" and r.h_lipschitz < 1 then
    return "h L < 1 at all points met: each step is one to one near them"
  end
  return "nothing that a flow could not do was met"
end

-- The points to start from, at most as many as asked for.
local function points_of(o)
  local x = o.x or o.data and o.data.x
  if not tree.is_tensor(x) or #x == 0 then
    raise(WHERE .. ": give points to start from, x = tensor or data = {x = tensor}")
  end
  if o.points < #x then x = x:take(tensor.randperm(#x, {seed = 1}):slice(1, 1, o.points)) end
  return x
end

-- Times at which the fixed steps of the solver begin, and the last one's end; how long the longest is. With
-- step_size the last one may be shorter.
local function times_of(solver, span)
  local steps, times = flow.steps(solver, span), {span[1]}
  if not steps then
    raise(WHERE .. ": the solver must have fixed steps; give solver = {method =, steps =}")
  end
  local length = math.abs(span[2] - span[1])
  local h = solver.steps and length / steps or math.min(solver.step_size, length)
  local forth = span[2] < span[1] and -h or h
  for k = 1, steps do times[k + 1] = k == steps and span[2] or span[1] + k * forth end
  return times, h
end

local function joined(all, turn)
  return {negative = all.negative + turn.negative, points = all.points + turn.points,
    smallest = math.min(all.smallest, turn.smallest), least_det = math.min(all.least_det, turn.least_det)}
end

-- What the derivatives of field and step say at the states where step k begins, added to the report.
local function add_step(r, o, field, k, times, y)
  local t, h = times[k], times[k + 1] - times[k]
  local function at_t(z) return field(t, z) end
  local at = {t = t, lipschitz = crossing.lipschitz(at_t, y, {iterations = o.iterations}):max():item()}
  r.lipschitz, r.profile[k] = math.max(r.lipschitz, at.lipschitz), at
  if r.dim > o.largest_dim then return end
  local turn = crossing.orientation_of(crossing.step_jacobians(field, t, h, y, o.method))
  at.negative, at.smallest, at.least_det = turn.negative, turn.smallest, turn.least_det
  r.orientation = joined(r.orientation
    or {negative = 0, points = 0, smallest = math.huge, least_det = math.huge}, turn)
end

--- crossings{model =, x = | data =, ...} -> report: see help("tide.ode.crossings").
function M.crossings(opts)
  local o = options.check(WHERE, opts, spec, 3)
  local x, parts = points_of(o), flow.of(WHERE, o.model)
  local solver, span = flow.solver(WHERE, parts, o.solver)
  local times, h = times_of(solver, span)
  local field, y0 = flow.to_float64(parts.block.field), parts.before(x):to("float64")
  local steps, dim = #times - 1, y0:numel() // #y0
  local states = ode.odeint(field, y0, times, {method = solver.method, steps = solver.steps,
    step_size = solver.step_size})
  local r = setmetatable({points = #y0, steps = steps, h = h, method = tostring(solver.method),
    dim = dim, same_step = o.same_step, lipschitz = 0, profile = {}}, report_meta)
  if r.same_step == nil then r.same_step = depends_on_time(parts.block.field) end
  if dim == 1 then r.inversions = crossing.inversions(states) end
  if dim == 2 then r.intersections = crossing.intersections(states, {same_step = r.same_step}) end
  o.method = solver.method
  for k = 1, steps do add_step(r, o, field, k, times, states[k]) end
  r.h_lipschitz = r.h * r.lipschitz
  r.verdict = conclusion(r)
  r.lines = describe(r)
  return r
end

return M
