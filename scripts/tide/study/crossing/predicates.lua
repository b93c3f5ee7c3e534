--- Which side of a line is a point on, how do two segments meet? Decided exactly.

local M = {}

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

return M
