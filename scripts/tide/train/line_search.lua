--- A step length that satisfies the strong Wolfe conditions: a function of one number falls enough, and its
-- slope is small.
--
-- Source: J. Nocedal, S. Wright, Numerical Optimization (2nd ed., 2006), algorithms 3.5 and 3.6; the cubic
-- through two points is equation 3.59.

local M = {}

local FALL, SLOPE = 1e-4, 0.9 -- c1 and c2 there, for quasi-Newton directions
local EPSILON = 2 ^ -52

-- Where the cubic with the values and slopes of a and b has its minimum; nil where there is none.
local function cubic(a, b)
  local d1 = a.slope + b.slope - 3 * (a.value - b.value) / (a.t - b.t)
  local square = d1 * d1 - a.slope * b.slope
  if not (square >= 0) then return nil end
  local d2 = (b.t > a.t and 1 or -1) * square ^ 0.5
  local t = b.t - (b.t - a.t) * (b.slope + d2 - d1) / (b.slope - a.slope + 2 * d2)
  return t == t and math.abs(t) < math.huge and t or nil
end

local function clamp(t, low, high) return math.max(low, math.min(high, t)) end

-- Between a and b, not nearer to an end than a tenth.
local function inside(a, b)
  local low, high = math.min(a.t, b.t), math.max(a.t, b.t)
  local t = b.slope and cubic(a, b) or (low + high) / 2
  return clamp(t, low + 0.1 * (high - low), high - 0.1 * (high - low))
end

--- strong_wolfe(look, start, t, most, least) -> the point to go to, or nil when no t is better than 0, and
-- how many looks it took. look(t) -> {t =, value =, slope =, ...}, without value where the function has none;
-- start is look(0), with slope < 0. At most `most` looks; brackets shorter than `least` are as good as found.
function M.strong_wolfe(look, start, t, most, least)
  local looks, slack = 0, 4 * EPSILON * math.abs(start.value)
  local function at(place)
    looks = looks + 1
    return look(place)
  end
  local function too_high(p)
    return not p.value or p.value > start.value + FALL * p.t * start.slope + slack
  end
  local function is_flat(p) return math.abs(p.slope) <= -SLOPE * start.slope end
  -- a is the best point so far, the minimum lies between a and b
  local function zoom(a, b)
    while looks < most and math.abs(a.t - b.t) > least do
      local p = at(inside(a, b))
      if too_high(p) or p.value > a.value + slack then
        b = p
      elseif is_flat(p) then
        return p
      else
        if p.slope * (b.t - a.t) >= 0 then b = a end
        a = p
      end
    end
    return a.t > 0 and a or nil
  end
  local before, p = start, at(t)
  while true do
    if too_high(p) or looks > 1 and p.value >= before.value then return zoom(before, p), looks end
    if is_flat(p) then return p, looks end
    if p.slope >= 0 then return zoom(p, before), looks end
    if looks >= most then return p, looks end
    local far = cubic(before, p)
    t = far and far > p.t and clamp(far, p.t + 0.01 * (p.t - before.t), 10 * p.t) or 10 * p.t
    before, p = p, at(t)
  end
end

return M
