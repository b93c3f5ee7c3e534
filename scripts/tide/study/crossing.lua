--- Why a model is no flow: paths that cross, steps that fold space over, steps too long for the field.
--
-- Two solutions of an ODE never meet. So in one dimension the order of the points stays, in two dimensions
-- paths do not cross, and in any dimension one step z -> Psi_h(z) must keep orientation: det DPsi_h > 0 (for
-- Euler's method DPsi_h = I + hJ). h times a Lipschitz constant of the field below 1 is enough for that with
-- Euler's method: then I + hJ cannot be singular.

local core = require "tide.core"
local autodiff = require "tide.tensor.autodiff"
local ode = require "tide.ode"
local options = require "tide.base.options"
local tensor = require "tide.tensor"
local tree = require "tide.base.tree"

local M = {}
local raise, show = core.raise, options.show

-- ---- exact arithmetic: which side of a line is a point on? ----

-- a + b and a * b as value and rounding error, exactly (Knuth; Dekker with Veltkamp's splitting).
local function two_sum(a, b)
  local s = a + b
  local v = s - a
  return s, (a - (s - v)) + (b - v)
end

local function split(a)
  local c = 134217729 * a -- 2^27 + 1
  local high = c - (c - a)
  return high, a - high
end

local function two_product(a, b)
  local p = a * b
  local ah, al = split(a)
  local bh, bl = split(b)
  return p, al * bl - (((p - ah * bh) - al * bh) - ah * bl)
end

-- Add b to an expansion (numbers of growing magnitude that do not overlap; their sum is exact), leaving out
-- zeros.
local function grow(expansion, b)
  local out, sum = {}, b
  for _, e in ipairs(expansion) do
    local low
    sum, low = two_sum(sum, e)
    if low ~= 0 then out[#out + 1] = low end
  end
  if sum ~= 0 then out[#out + 1] = sum end
  return out
end

local function exact_orientation(ax, ay, bx, by, cx, cy)
  local sum = {}
  -- The determinant without differences, which would round: ax by - ay bx + bx cy - by cx + cx ay - cy ax.
  for _, pair in ipairs{{ax, by}, {-ay, bx}, {bx, cy}, {-by, cx}, {cx, ay}, {-cy, ax}} do
    local p, e = two_product(pair[1], pair[2])
    sum = grow(grow(sum, e), p)
  end
  return sum[#sum] or 0 -- the largest component carries the sign
end

local EPSILON = 2.0 ^ -53
local ORIENTATION_BOUND = (3 + 16 * EPSILON) * EPSILON -- Shewchuk 1997, ccwerrboundA

--- A number with the sign of twice the area of the triangle a b c: > 0 when c lies left of the line from a to
-- b. The sign is exact for float64 coordinates, unless products underflow or overflow (coordinates within
-- about 1e-140 and 1e140, or 0).
function M.orientation(ax, ay, bx, by, cx, cy)
  local left, right = (ax - cx) * (by - cy), (ay - cy) * (bx - cx)
  local det = left - right
  local bound = ORIENTATION_BOUND * (math.abs(left) + math.abs(right))
  if det > bound or -det > bound then return det end
  return exact_orientation(ax, ay, bx, by, cx, cy)
end
local orientation = M.orientation

-- Is p, which lies on the line through a and b, between them (ends included)?
local function between(ax, ay, bx, by, px, py)
  return math.min(ax, bx) <= px and px <= math.max(ax, bx) and math.min(ay, by) <= py
    and py <= math.max(ay, by)
end

-- Segments on one line: do they share more than a point, one point, or none? Compared along the longer axis.
local function collinear_kind(ax, ay, bx, by, cx, cy, dx, dy)
  local a, b, c, d = ax, bx, cx, dx
  if math.max(math.abs(ax - bx), math.abs(cx - dx)) < math.max(math.abs(ay - by), math.abs(cy - dy)) then
    a, b, c, d = ay, by, cy, dy
  end
  local low, high = math.max(math.min(a, b), math.min(c, d)), math.min(math.max(a, b), math.max(c, d))
  if low > high then return nil end
  return low < high and "overlap" or "touch"
end

--- How do the segments a-b and c-d meet? "cross" (in one point inside both), "touch" (an end point of one
-- lies on the other), "overlap" (they share a stretch of a line), or nil. Exact, as orientation.
function M.segments(ax, ay, bx, by, cx, cy, dx, dy)
  local c_side, d_side = orientation(ax, ay, bx, by, cx, cy), orientation(ax, ay, bx, by, dx, dy)
  if c_side > 0 and d_side > 0 or c_side < 0 and d_side < 0 then return nil end
  local a_side, b_side = orientation(cx, cy, dx, dy, ax, ay), orientation(cx, cy, dx, dy, bx, by)
  if a_side > 0 and b_side > 0 or a_side < 0 and b_side < 0 then return nil end
  if c_side == 0 and d_side == 0 and a_side == 0 and b_side == 0 then
    return collinear_kind(ax, ay, bx, by, cx, cy, dx, dy)
  end
  if c_side ~= 0 and d_side ~= 0 and a_side ~= 0 and b_side ~= 0 then return "cross" end
  if c_side == 0 and between(ax, ay, bx, by, cx, cy) or d_side == 0 and between(ax, ay, bx, by, dx, dy) or
    a_side == 0 and between(cx, cy, dx, dy, ax, ay) or b_side == 0
      and between(cx, cy, dx, dy, bx, by) then return "touch" end
  return nil
end

-- ---- paths ----

-- States as states[time][point][coordinate], numbers, from a tensor {times, points, dim}, {times, points} or
-- nested tables.
local function check_states(where, states, dim)
  local shape = tree.is_tensor(states) and states:shape()
  if shape then
    local size = 1
    for i = 3, #shape do size = size * shape[i] end
    if #shape < 2 or size ~= dim then
      raise(("%s: states must have shape {times, points, %d}, got {%s}; take them from model:trajectory(x, "
        .. "times)"):format(where, dim,
        table.concat(shape, ", ")))
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
  local involved, involved_steeply, lists = {}, {}, {}
  local names = {cross = "crossings", touch = "touches", overlap = "overlaps"}
  local all = segments_of(states)
  if o.same_step then
    for _, s in ipairs(all) do
      lists[s.step] = lists[s.step] or {}
      table.insert(lists[s.step], s)
    end
  else
    lists[1] = all
  end
  for _, list in ipairs(lists) do
    sweep(list, function(s, t)
      if s.point == t.point or same_end(s, t) then return end
      local kind = M.segments(s.ax, s.ay, s.bx, s.by, t.ax, t.ay, t.bx, t.by)
      if not kind then return end
      out[names[kind]] = out[names[kind]] + 1
      if kind ~= "cross" then return end
      involved[s.point], involved[t.point] = true, true
      local angle = angle_between(s, t)
      if angle > o.angle then
        out.steep = out.steep + 1
        involved_steeply[s.point], involved_steeply[t.point] = true, true
      end
      out.first = math.min(out.first or math.huge, math.max(s.step, t.step))
      if #out.list < o.keep then
        local a, b = orientation(t.ax, t.ay, t.bx, t.by, s.ax, s.ay),
          orientation(t.ax, t.ay, t.bx, t.by, s.bx, s.by)
        local w = a / (a - b)
        out.list[#out.list + 1] = {step_a = s.step, point_a = s.point, step_b = t.step, point_b = t.point,
          x = s.ax + w * (s.bx - s.ax),
                                   y = s.ay + w * (s.by - s.ay), angle = angle}
      end
    end)
  end
  local function share(set)
    local count = 0
    for _ in pairs(set) do count = count + 1 end
    return count / out.points
  end
  out.share, out.steep_share = share(involved), share(involved_steeply)
  return out
end

-- ---- small matrices ----

local function check_matrix(where, A, square)
  if tree.is_tensor(A) then
    if A:rank() ~= 2 then
      raise(("%s: A must be a matrix, got shape {%s}"):format(where, table.concat(A:shape(), ", ")))
    end
    A = A:to("float64"):totable()
  end
  if type(A) ~= "table" or type(A[1]) ~= "table"
    or #A[1] == 0 then raise(("%s: A must be a matrix (a tensor or rows of numbers), got %s"):format(where,
    show(A))) end
  local copy = {}
  for i, row in ipairs(A) do
    if type(row) ~= "table" or #row ~= #A[1] then
      raise(("%s: row %d of A must have %d numbers, as row 1"):format(where, i, #A[1]))
    end
    copy[i] = {}
    for j, v in ipairs(row) do
      if type(v) ~= "number" or not options.finite(v) then
        raise(("%s: A[%d][%d] must be a finite number, got %s"):format(where, i, j, show(v)))
      end
      copy[i][j] = v + 0.0
    end
  end
  if square and #copy ~= #copy[1] then
    raise(("%s: A must be square, got %d x %d"):format(where, #copy, #copy[1]))
  end
  return copy
end

--- The determinant, by elimination with row pivots.
function M.determinant(A)
  A = check_matrix("crossing.determinant", A, true)
  local n, det = #A, 1.0
  for k = 1, n do
    local pivot = k
    for i = k + 1, n do if math.abs(A[i][k]) > math.abs(A[pivot][k]) then pivot = i end end
    if A[pivot][k] == 0 then return 0.0 end
    if pivot ~= k then
      A[pivot], A[k] = A[k], A[pivot]
      det = -det
    end
    det = det * A[k][k]
    for i = k + 1, n do
      local factor = A[i][k] / A[k][k]
      for j = k + 1, n do A[i][j] = A[i][j] - factor * A[k][j] end
    end
  end
  return det
end

--- Singular values, largest first, by one-sided Jacobi rotations (Hestenes): small ones are as accurate
-- relative to themselves as the columns allow.
function M.singular_values(A)
  A = check_matrix("crossing.singular_values", A)
  local n = #A[1]
  local columns = {}
  for j = 1, n do
    columns[j] = {}
    for i = 1, #A do columns[j][i] = A[i][j] end
  end
  local function dot(u, v)
    local s = 0.0
    for i = 1, #u do s = s + u[i] * v[i] end
    return s
  end
  for _ = 1, 60 do
    local rotated = false
    for p = 1, n - 1 do
      for q = p + 1, n do
        local u, v = columns[p], columns[q]
        local a, b, c = dot(u, u), dot(v, v), dot(u, v)
        if math.abs(c) > 1e-15 * math.sqrt(a * b) then
          rotated = true
          local zeta = (b - a) / (2 * c)
          local t = (zeta >= 0 and 1 or -1) / (math.abs(zeta) + math.sqrt(1 + zeta * zeta))
          local cosine = 1 / math.sqrt(1 + t * t)
          local sine = cosine * t
          for i = 1, #u do u[i], v[i] = cosine * u[i] - sine * v[i], sine * u[i] + cosine * v[i] end
        end
      end
    end
    if not rotated then break end
  end
  local out = {}
  for j = 1, n do out[j] = math.sqrt(dot(columns[j], columns[j])) end
  table.sort(out, function(x, y) return x > y end)
  for j = n, #A + 1, -1 do out[j] = nil end -- a wide matrix has no more than its rows
  return out
end

-- ---- derivatives along paths ----

local function check_state(where, y)
  if not tree.is_tensor(y) or y:rank() < 2 then
    raise(("%s: y must be a tensor of states, {points, ...}, got %s"):format(where, tree.is_tensor(y)
      and ("shape {%s}"):format(table.concat(y:shape(), ", "))
      or show(y)))
  end
  return #y, y:numel() // math.max(1, #y)
end

--- jacobians(map, y) -> {points, dim, dim}: the Jacobian of map (for instance a field at one time) at each
-- state of y {points, ...}, a row per pullback. The samples must not influence each other.
function M.jacobians(map, y)
  local points, dim = check_state("crossing.jacobians", y)
  local out, pull = autodiff.vjp(map, y)
  if out:numel() ~= y:numel() then
    raise(("crossing.jacobians: map must keep the shape {%s}, it gave {%s}"):format(
      table.concat(y:shape(), ", "), table.concat(out:shape(), ", ")))
  end
  local rows, unit = {}, tensor.eye(dim, {dtype = y:dtype()})
  for r = 1, dim do
    rows[r] = pull(unit[r]:reshape{1, dim}:broadcast_to{points, dim}:reshape(y:shape()):clone()):reshape{
      points, dim}
  end
  return tensor.stack(rows, 2)
end

--- step_jacobians(field, t, h, y, method) -> {points, dim, dim}: the derivative of one step from y(t) to t +
-- h; for "euler" it is I + hJ.
function M.step_jacobians(field, t, h, y, method)
  return M.jacobians(
    function(z) return ode.odeint(field, z, {t, t + h}, {method = method or "euler", steps = 1})[-1] end, y)
end

--- orientation_of(jacobians) -> {negative =, smallest =, least_det =, points =}: how many of the matrices
-- {points, dim, dim} have a determinant <= 0, the smallest singular value of all, the least determinant.
function M.orientation_of(jacobians)
  if not tree.is_tensor(jacobians) or jacobians:rank() ~= 3 then
    raise("crossing.orientation_of: expected a tensor {points, dim, dim}, as crossing.step_jacobians "
      .. "returns, got " .. show(jacobians))
  end
  local out = {negative = 0, smallest = math.huge, least_det = math.huge, points = #jacobians}
  for _, A in ipairs(jacobians:to("float64"):totable()) do
    local det, values = M.determinant(A), M.singular_values(A)
    if det <= 0 then out.negative = out.negative + 1 end
    out.least_det, out.smallest = math.min(out.least_det, det), math.min(out.smallest, values[#values])
  end
  return out
end

local lipschitz_spec = {iterations = {"integer", default = 50, check = options.at_least(1)},
  seed = {"integer", default = 1}}

--- lipschitz(map, y, {iterations =, seed =}) -> {points}: the largest singular value of the Jacobian of map
-- at each state of y {points, ...}, from below, by power iteration on J^T J (a jvp and a pullback each); any
-- dimension.
function M.lipschitz(map, y, opts)
  local o = options.check("crossing.lipschitz", opts, lipschitz_spec)
  local points = check_state("crossing.lipschitz", y)
  local function norm(v) return v:reshape{points, -1}:square():sum(2, true):sqrt() end
  local function normalised(v) return (v:reshape{points, -1} / (norm(v) + 1e-30)):reshape(y:shape()) end
  local _, pull = autodiff.vjp(map, y)
  local v, length = normalised(tensor.randn(y:shape(), {dtype = y:dtype(), seed = o.seed})), nil
  local push = autodiff.compile(function(x, direction) return select(2, autodiff.jvp(map, x, direction)) end)
  for _ = 1, o.iterations do
    local u = push(y, v)
    length = norm(u)
    v = normalised(pull(u))
  end
  return length:reshape{-1}
end

return M
