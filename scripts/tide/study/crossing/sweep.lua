--- Points that change order on a line, paths that cross in the plane: found by a sweep.

local core = require "tide.core"
local options = require "tide.base.options"
local predicates = require "tide.study.crossing.predicates"
local tree = require "tide.base.tree"

local M = {}
local raise, show = core.raise, options.show
local orientation = predicates.orientation

-- States as states[time][point][coordinate], numbers, from a tensor {times, points, dim}, {times, points} or
-- nested tables.
local function check_states(where, states, dim)
  local shape = tree.is_tensor(states) and states:shape()
  if shape then
    local size = 1
    for i = 3, #shape do size = size * shape[i] end
    if #shape < 2 or size ~= dim then
      raise(("%s: states must have shape {times, points, %d}, got {%s}; take them from model:trajectory(x, "
        .. "times)"):format(where, dim, table.concat(shape, ", ")))
    end
    states = states:reshape{shape[1], shape[2], dim}:to("float64"):totable()
  elseif type(states) ~= "table" or type(states[1]) ~= "table" or type(states[1][1]) ~= "table"
    or #states[1][1] ~= dim then
    raise(("%s: states must be a tensor {times, points, %d} or nested tables like it, got %s"):format(where,
      dim, show(states)))
  end
  if #states < 2 then raise(("%s: states at two or more times are needed, got %d"):format(where, #states)) end
  for k, points in ipairs(states) do
    if #points ~= #states[1] then
      raise(("%s: states at time %d have %d points, at time 1 %d"):format(where, k, #points, #states[1]))
    end
    for n, p in ipairs(points) do
      for j = 1, dim do
        if type(p[j]) ~= "number" or not options.finite(p[j]) then
          raise(("%s: state %d at time %d must be finite numbers, got %s; use a smaller step"):format(where,
            n, k, show(p[j])))
        end
      end
    end
  end
  return states
end

-- Pairs i < j with list[i] > list[j], by merging.
local function count_inversions(list)
  local n, source, target, count, width = #list, list, {}, 0, 1
  while width < n do
    for first = 1, n, 2 * width do
      local middle, last = math.min(first + width, n + 1), math.min(first + 2 * width, n + 1)
      local i, j = first, middle
      for k = first, last - 1 do
        if i < middle and (j >= last or source[i] <= source[j]) then
          target[k], i = source[i], i + 1
        else
          target[k], j = source[j], j + 1
          count = count + middle - i
        end
      end
    end
    source, target, width = target, source == list and {} or source, 2 * width
  end
  return count
end

local function pairs_of(n) return n * (n - 1) // 2 end

-- Pairs that are equal in b but not in a: groups of equal b, less the groups of equal (a, b).
local function count_merged(a, b)
  local groups, both = {}, {}
  for i = 1, #a do
    groups[b[i]] = (groups[b[i]] or 0) + 1
    local row = both[b[i]] or {}
    both[b[i]] = row
    row[a[i]] = (row[a[i]] or 0) + 1
  end
  local count = 0
  for value, n in pairs(groups) do
    count = count + pairs_of(n)
    for _, m in pairs(both[value]) do count = count - pairs_of(m) end
  end
  return count
end

--- inversions(states) -> {count =, merged =, pairs =, first =}: in one dimension, pairs of points whose order
-- a step reverses, and pairs that a step puts on one spot, summed over the steps; pairs = points (points - 1)
-- / 2; first: the first step (1, 2, ...) that does so, or nil.
function M.inversions(states)
  states = check_states("crossing.inversions", states, 1)
  local out = {count = 0, merged = 0, pairs = pairs_of(#states[1]), by_step = {}}
  for k = 1, #states - 1 do
    local a, b, order = {}, {}, {}
    for n = 1, #states[k] do a[n], b[n], order[n] = states[k][n][1], states[k + 1][n][1], n end
    table.sort(order, function(i, j)
      if a[i] ~= a[j] then return a[i] < a[j] end
      return b[i] < b[j] -- points that start together reverse nothing
    end)
    local after = {}
    for i, n in ipairs(order) do after[i] = b[n] end
    local merged, count = count_merged(a, b), count_inversions(after)
    out.by_step[k] = count
    out.count, out.merged = out.count + count, out.merged + merged
    if count + merged > 0 then out.first = out.first or k end
  end
  return out
end

local function segments_of(states)
  local list = {}
  for k = 1, #states - 1 do
    for n, p in ipairs(states[k]) do
      local q = states[k + 1][n]
      list[#list + 1] = {step = k, point = n, ax = p[1], ay = p[2], bx = q[1], by = q[2],
        low = math.min(p[1], q[1]), high = math.max(p[1], q[1]),
        bottom = math.min(p[2], q[2]), top = math.max(p[2], q[2])}
    end
  end
  return list
end

-- Call visit(s, t) for all pairs of segments whose boxes meet: a sweep over x.
local function sweep(list, visit)
  table.sort(list, function(s, t) return s.low < t.low end)
  local active = {}
  for _, s in ipairs(list) do
    local kept = 0
    for i = 1, #active do
      local t = active[i]
      if t.high >= s.low then
        kept = kept + 1
        active[kept] = t
        if t.bottom <= s.top and s.bottom <= t.top then visit(t, s) end
      end
    end
    for i = #active, kept + 1, -1 do active[i] = nil end
    active[kept + 1] = s
  end
end

-- Samples that start a step, or end it, on the same spot follow one path from or to there; only what is
-- between counts.
local function same_end(s, t) return s.ax == t.ax and s.ay == t.ay or s.bx == t.bx and s.by == t.by end

-- The angle in degrees (0..180) between the directions of two segments.
local function angle_between(s, t)
  local ux, uy, vx, vy = s.bx - s.ax, s.by - s.ay, t.bx - t.ax, t.by - t.ay
  return math.deg(math.atan(math.abs(ux * vy - uy * vx), ux * vx + uy * vy))
end

local intersection_spec = {
  same_step = {"boolean", default = false}, angle = {"number", default = 30, check = options.between(0, 180)},
  keep = {"integer", default = 100, check = options.at_least(0)},
}

-- Segments in the lists within which they are compared: those of one step, or all.
local function compared(states, same_step)
  local all, lists = segments_of(states), {}
  if not same_step then return {all} end
  for _, s in ipairs(all) do
    lists[s.step] = lists[s.step] or {}
    table.insert(lists[s.step], s)
  end
  return lists
end

-- The crossing of s and t as a row for people.
local function described(s, t, angle)
  local a = orientation(t.ax, t.ay, t.bx, t.by, s.ax, s.ay)
  local w = a / (a - orientation(t.ax, t.ay, t.bx, t.by, s.bx, s.by))
  return {step_a = s.step, point_a = s.point, step_b = t.step, point_b = t.point,
    x = s.ax + w * (s.bx - s.ax), y = s.ay + w * (s.by - s.ay), angle = angle}
end

local counted = {cross = "crossings", touch = "touches", overlap = "overlaps"}

-- Count in `out` how s and t meet; involved, steeply: sets of the points on paths that cross.
local function meet(out, o, involved, steeply, s, t)
  if s.point == t.point or same_end(s, t) then return end
  local kind = predicates.segments(s.ax, s.ay, s.bx, s.by, t.ax, t.ay, t.bx, t.by)
  if not kind then return end
  out[counted[kind]] = out[counted[kind]] + 1
  if kind ~= "cross" then return end
  involved[s.point], involved[t.point] = true, true
  local angle = angle_between(s, t)
  if angle > o.angle then
    out.steep = out.steep + 1
    steeply[s.point], steeply[t.point] = true, true
  end
  out.first = math.min(out.first or math.huge, math.max(s.step, t.step))
  if #out.list < o.keep then out.list[#out.list + 1] = described(s, t, angle) end
end

local function size(set)
  local count = 0
  for _ in pairs(set) do count = count + 1 end
  return count
end

--- intersections(states, {same_step =, angle =, keep =}) -> {crossings =, steep =, touches =, overlaps =,
-- points =, share =, steep_share =, first =, list =}: pairs of segments of different points' paths in the
-- plane that meet, decided exactly. share: of the points, those on a path that crosses another one. list: the
-- first crossings {step_a =, point_a =, step_b =, point_b =, x =, y =, angle =}. Overlaps are no violation:
-- two points may follow one path. And two polygons along nearly the same path, with corners at different
-- places, weave through each other at angles of about h times the change of the field, however small h: only
-- steep crossings, by more than angle degrees, tell of steps too long. A field that depends on time may send
-- paths through one place at different times: then use same_step = true.
function M.intersections(states, opts)
  local o = options.check("crossing.intersections", opts, intersection_spec)
  states = check_states("crossing.intersections", states, 2)
  local out = {crossings = 0, steep = 0, touches = 0, overlaps = 0, points = #states[1], list = {}}
  local involved, steeply = {}, {}
  for _, list in ipairs(compared(states, o.same_step)) do
    sweep(list, function(s, t) meet(out, o, involved, steeply, s, t) end)
  end
  out.share, out.steep_share = size(involved) / out.points, size(steeply) / out.points
  return out
end

return M
