-- Crossing tests on constructed cases: exact predicates, order on the line, paths in the plane, determinants,
-- singular values, Lipschitz constants.
local check = require "check"
local tide = require "tide"
local crossing = require "tide.crossing"

local tests = {}
local float64 = {dtype = "float64"}

local function near(a, b, tolerance, what)
  assert(math.abs(a - b) <= (tolerance or 1e-12) * math.max(1, math.abs(b)),
    ("%s: %.17g, expected %.17g"):format(what or "value", a, b))
end

local function sign(x) return x > 0 and 1 or x < 0 and -1 or 0 end

-- ---- predicates ----

tests["orientation: sign of the area"] = function()
  assert(crossing.orientation(0, 0, 1, 0, 0, 1) > 0 and crossing.orientation(0, 0, 1, 0, 0, -1) < 0)
  assert(crossing.orientation(0, 0, 1, 0, 5, 0) == 0 and crossing.orientation(1, 1, 1, 1, 2, 3) == 0)
end

-- Coordinates are integers times 2^-53: the exact determinant is an integer that Lua can count, since
-- products of 26-bit offsets fit in 63 bits.
tests["orientation: exact where the rounded determinant is noise"] = function()
  local wrong_when_rounded, u = 0, 2.0 ^ -53
  for i = 0, 31 do
    for j = 0, 31 do
      -- Kettner's example: a point near 0.5, 0.5 against the line through 12, 12 and 24, 24; the exact sign
      -- is that of y - x.
      local x, y = 0.5 + i * u, 0.5 + j * u
      assert(sign(crossing.orientation(x, y, 12, 12, 24, 24)) == sign(i - j) * sign(
        crossing.orientation(1, 0, 12, 12, 24, 24)), i .. " " .. j)
      local rounded = (12 - x) * (24 - y) - (12 - y) * (24 - x)
      if sign(rounded) ~= sign(i - j) * sign((12 - 1) * (24 - 0) - (12 - 0) * (24 - 1)) then
        wrong_when_rounded = wrong_when_rounded + 1
      end
    end
  end
  assert(wrong_when_rounded > 50, wrong_when_rounded) -- otherwise this proves nothing
end

tests["orientation: swaps change the sign, cycles do not; large integers"] = function()
  local random = tide.rand({200, 6}, {dtype = "float64", seed = 3}):totable()
  for _, r in ipairs(random) do
    local base = math.floor(r[1] * 2 ^ 26)
    local function whole(v) return base + math.floor(v * 5) end
    local ax, ay, bx, by, cx, cy = whole(r[1]), whole(r[2]), whole(r[3]), whole(r[4]), whole(r[5]),
      whole(r[6])
    local exact = (ax - cx) * (by - cy) - (ay - cy) * (bx - cx) -- integers
    local s = sign(crossing.orientation(ax + 0.0, ay + 0.0, bx + 0.0, by + 0.0, cx + 0.0, cy + 0.0))
    assert(s == sign(exact))
    assert(s == sign(crossing.orientation(bx + 0.0, by + 0.0, cx + 0.0, cy + 0.0, ax + 0.0, ay + 0.0)))
    assert(s == -sign(crossing.orientation(bx + 0.0, by + 0.0, ax + 0.0, ay + 0.0, cx + 0.0, cy + 0.0)))
  end
end

-- Every way to say the same pair: ends swapped, segments swapped, axes swapped.
local function meet(want, ax, ay, bx, by, cx, cy, dx, dy)
  local s = crossing.segments
  for i, got in ipairs{s(ax, ay, bx, by, cx, cy, dx, dy) or "none", s(bx, by, ax, ay, cx, cy, dx, dy)
    or "none", s(ax, ay, bx, by, dx, dy, cx, cy) or "none",
    s(cx, cy, dx, dy, ax, ay, bx, by) or "none", s(ay, ax, by, bx, cy, cx, dy, dx) or "none"} do
    assert(got == want, ("%s, expected %s (variant %d)"):format(got, want, i))
  end
end

tests["segments: crossing, touching, overlapping, apart"] = function()
  meet("cross", 0, 0, 2, 2, 0, 2, 2, 0)
  meet("cross", 0, 0, 1, 1e-300, 0.5, -1, 0.5, 1)
  meet("none", 0, 0, 1, 0, 0, 1, 1, 1)           -- parallel
  meet("none", 0, 0, 1, 1, 3, 0, 2, 1.5)         -- boxes apart
  meet("none", 0, 0, 4, 4, 3, 2, 4, 0)           -- boxes overlap
  meet("touch", 0, 0, 2, 0, 1, 0, 1, 1)          -- an end inside the other
  meet("touch", 0, 0, 1, 1, 1, 1, 2, 0)          -- a shared end
  meet("touch", 0, 0, 1, 0, 1, 0, 2, 0)          -- one line, one point
  meet("overlap", 0, 0, 2, 0, 1, 0, 3, 0)
  meet("overlap", 0, 0, 3, 3, 1, 1, 2, 2)        -- inside
  meet("overlap", 0, 0, 0, 2, 0, 1, 0, 3)        -- vertical
  meet("overlap", 0, 0, 1, 1, 0, 0, 1, 1)        -- the same
  meet("none", 0, 0, 1, 0, 2, 0, 3, 0)           -- one line, apart
  meet("touch", 1, 0, 1, 0, 0, 0, 2, 0)          -- a point on a segment
  meet("none", 1, 1, 1, 1, 0, 0, 2, 0)           -- a point beside it
  meet("none", 1, 1, 1, 1, 2, 2, 2, 2)           -- two points
  meet("touch", 1, 1, 1, 1, 1, 1, 1, 1)
  local u = 2.0 ^ -53
  meet("touch", 0, 0, 1, 1, 0.5, 0.5, 0, 1)
  meet("none", 0, 0, 1, 1, 0.5 - u, 0.5, 0, 1)   -- one unit in the last place beside it
  meet("cross", 0, 0, 1, 1, 0.5 + 2 * u, 0.5, 0, 1)
end

-- ---- paths ----

tests["inversions on the line"] = function()
  local r = crossing.inversions{{{1}, {2}, {3}}, {{3}, {2}, {1}}, {{3}, {2}, {1}}}
  assert(r.count == 3 and r.pairs == 3 and r.first == 1 and r.merged == 0 and r.by_step[1] == 3
    and r.by_step[2] == 0)
  r = crossing.inversions(tide.tensor{{1, 2, 3}, {1.5, 2.5, 3.5}, {1.5, 4, 3.5}})
  assert(r.count == 1 and r.first == 2)
  r = crossing.inversions{{{0}, {1}}, {{0.5}, {0.5}}, {{0}, {1}}} -- merged, then apart: a flow does neither
  assert(r.merged == 1 and r.count == 0 and r.first == 1)
  r = crossing.inversions{{{0}, {0}, {1}}, {{2}, {2}, {3}}} -- two that start together
  assert(r.count == 0 and r.merged == 0 and r.first == nil)
  r = crossing.inversions(tide.randn({5, 1, 1}, {seed = 1}))
  assert(r.count == 0 and r.pairs == 0)
end

tests["inversions agree with counting all pairs"] = function()
  for n = 1, 20 do
    local states = (tide.rand({2, n, 1}, {seed = n}) * 7):to("int64"):to("float32") -- with ties
    local a, b = states[1]:reshape{-1}:totable(), states[2]:reshape{-1}:totable()
    local count, merged = 0, 0
    for i = 1, n do
      for j = i + 1, n do
        if (a[i] - a[j]) * (b[i] - b[j]) < 0 then count = count + 1 end
        if a[i] ~= a[j] and b[i] == b[j] then merged = merged + 1 end
      end
    end
    local r = crossing.inversions(states)
    assert(r.count == count and r.merged == merged, n)
  end
end

tests["intersections of paths in the plane"] = function()
  local cross = {{{0, 0}, {0, 2}}, {{2, 2}, {2, 0}}}
  local r = crossing.intersections(cross)
  assert(r.crossings == 1 and r.touches == 0 and r.overlaps == 0 and r.share == 1 and r.first == 1
    and r.points == 2)
  near(r.list[1].x, 1) near(r.list[1].y, 1) near(r.list[1].angle, 90)
  assert(r.steep == 1 and r.steep_share == 1 and crossing.intersections(cross, {angle = 91}).steep == 0)
  assert(crossing.intersections(cross, {keep = 0}).list[1] == nil)
  -- the second point goes where the first has been, one step later: a crossing unless only equal steps count
  local later = {{{0, 0}, {1, -3}}, {{2, 0}, {1, -1}}, {{4, 0}, {1, 1}}}
  assert(crossing.intersections(later).crossings == 1)
  assert(crossing.intersections(later, {same_step = true}).crossings == 0)
  assert(crossing.intersections(cross, {same_step = true}).crossings == 1)
  -- touching, one path followed by two points, parallel paths, a path that crosses itself
  r = crossing.intersections{{{0, 0}, {1, 0}}, {{2, 0}, {1, 1}}}
  assert(r.crossings == 0 and r.touches == 1 and r.share == 0 and r.first == nil)
  r = crossing.intersections{{{0, 0}, {1, 0}}, {{2, 0}, {3, 0}}}
  assert(r.crossings == 0 and r.overlaps == 1)
  r = crossing.intersections(tide.tensor{{{0, 0}, {0, 1}}, {{2, 0}, {2, 1}}, {{3, 1}, {3, 2}}})
  assert(r.crossings + r.touches + r.overlaps == 0)
  assert(crossing.intersections{{{0, 0}, {9, 9}}, {{2, 2}, {9, 9}}, {{2, 0}, {9, 9}},
    {{0, 2}, {9, 9}}}.crossings == 0)
  -- points that merge at the end of a step are left out (the paper's definition wants different ends)
  assert(crossing.intersections{{{0, 0}, {0, 2}}, {{1, 1}, {1, 1}}}.touches == 0)
end

-- Two polygons on one circle with corners at different places weave through each other: crossings, but flat
-- ones.
tests["polygons along one path cross, at small angles"] = function()
  local states, h = {}, math.pi / 20
  for k = 0, 12 do
    states[k + 1] = {{math.cos(k * h), math.sin(k * h)}, {math.cos((k + 0.4) * h), math.sin((k + 0.4) * h)}}
  end
  local r = crossing.intersections(states)
  assert(r.crossings > 10 and r.steep == 0 and r.share == 1 and r.steep_share == 0)
  for _, c in ipairs(r.list) do assert(c.angle <= math.deg(h) + 1e-9) end
end

tests["intersections agree with trying all pairs"] = function()
  local states = tide.rand({4, 25, 2}, {dtype = "float64", seed = 8}):totable()
  local count = 0
  for n = 1, 25 do
    for m = n + 1, 25 do
      for k = 1, 3 do
        for l = 1, 3 do
          local a, b, c, d = states[k][n], states[k + 1][n], states[l][m], states[l + 1][m]
          if crossing.segments(a[1], a[2], b[1], b[2], c[1], c[2], d[1], d[2]) == "cross" then
            count = count + 1
          end
        end
      end
    end
  end
  assert(count > 100 and crossing.intersections(states).crossings == count)
end

-- ---- matrices ----

tests["determinants"] = function()
  near(crossing.determinant{{2, 1}, {1, 3}}, 5)
  near(crossing.determinant{{0, 1}, {1, 0}}, -1)
  assert(crossing.determinant{{1, 2}, {2, 4}} == 0 and crossing.determinant{{0, 0}, {0, 0}} == 0)
  near(crossing.determinant(tide.tensor({{1, 2, 3}, {4, 5, 6}, {7, 8, 10}}, float64)), -3)
  near(crossing.determinant{{-2}}, -2)
end

tests["singular values"] = function()
  local function values(A, ...)
    local got, want = crossing.singular_values(A), {...}
    assert(#got == #want, #got)
    for i, v in ipairs(want) do near(got[i], v, 1e-13, "singular value " .. i) end
  end
  values({{3, 0}, {0, -4}}, 4, 3)
  values({{0, 0}, {0, 0}}, 0, 0)
  values({{3, 0}, {4, 5}}, math.sqrt(45), math.sqrt(5))
  values({{1, 1}, {1, 1}, {1, 1}}, math.sqrt(6), 0)
  values({{3, 4}}, 5)
  values({{3}, {4}}, 5)
  local c, s = math.cos(0.3), math.sin(0.3)
  values({{2 * c, -s * 1e-9}, {2 * s, c * 1e-9}}, 2, 1e-9)
  -- Hilbert's matrix of order 3
  local h = crossing.singular_values{{1, 1 / 2, 1 / 3}, {1 / 2, 1 / 3, 1 / 4}, {1 / 3, 1 / 4, 1 / 5}}
  near(h[1], 1.408318927123654, 1e-13) near(h[2], 0.122327065853906, 1e-12) near(h[3] / 0.002687340355773529,
    1, 1e-11)
  for seed = 1, 5 do -- the product is the determinant, the squares sum to the squares of the entries
    local A = tide.randn({6, 6}, {dtype = "float64", seed = seed})
    local product, squares = 1, 0
    for _, v in ipairs(crossing.singular_values(A)) do product, squares = product * v, squares + v * v end
    near(product, math.abs(crossing.determinant(A)), 1e-11) near(squares, A:square():sum():item(), 1e-12)
  end
end

-- ---- along paths ----

local function linear(A)
  A = tide.tensor(A, float64)
  return function(_, y) return y:matmul(A:transpose()) end
end

tests["Jacobians and steps of a linear field"] = function()
  local field, y = linear{{1, 2}, {3, 4}}, tide.randn({5, 2}, {dtype = "float64", seed = 1})
  local J = crossing.jacobians(function(z) return field(0, z) end, y)
  assert(table.concat(J:shape(), ",") == "5,2,2")
  for i = 1, 5 do
    near(J[i][1][1], 1) near(J[i][1][2], 2) near(J[i][2][1], 3) near(J[i][2][2], 4)
  end
  local M = crossing.step_jacobians(field, 0, 0.1, y, "euler")[3] -- I + hJ
  near(M[1][1], 1.1) near(M[1][2], 0.2) near(M[2][1], 0.3) near(M[2][2], 1.4)
  M = crossing.step_jacobians(field, 0.5, 0.1, y, "midpoint")[1] -- I + hJ + h^2 J^2 / 2
  near(M[1][1], 1 + 0.1 + 0.005 * 7) near(M[2][1], 0.3 + 0.005 * 15)
end

tests["Jacobians of states that are signals, at their own points"] = function()
  local y = tide.tensor({{{1, 2}}, {{3, 5}}}, float64)
  local J = crossing.jacobians(function(z) return z:square() end, y)
  near(J[1][1][1], 2) near(J[1][2][2], 4) near(J[2][1][1], 6) near(J[2][2][2], 10) near(J[1][1][2], 0)
end

tests["the determinant of I + hJ turns at h lambda = -1"] = function()
  local y = tide.randn({4, 2}, {dtype = "float64", seed = 2})
  local function negative(rates, h)
    return crossing.orientation_of(crossing.step_jacobians(linear(rates), 0, h, y, "euler"))
  end
  local r = negative({{-3, 0}, {0, -1}}, 0.25)
  assert(r.negative == 0 and r.points == 4)
  near(r.least_det, 0.25 * 0.75) near(r.smallest, 0.25)
  assert(negative({{-3, 0}, {0, -1}}, 0.5).negative == 4)
  near(negative({{-3, 0}, {0, -1}}, 0.5).least_det, -0.25)
  assert(negative({{-2, 0}, {0, -1}}, 0.5).negative == 4)  -- singular counts
  -- two reflections are a rotation: the sign alone does not see it
  assert(negative({{-3, 0}, {0, -3}}, 0.5).negative == 0)
  near(negative({{0, -1}, {1, 0}}, 1).least_det, 2)
end

tests["Lipschitz constants of linear fields"] = function()
  local y = tide.randn({6, 2}, {dtype = "float64", seed = 4})
  local function largest(A)
    return crossing.lipschitz(function(z) return linear(A)(0, z) end, y, {iterations = 200}):totable()
  end
  for _, v in ipairs(largest{{3, 0}, {4, 5}}) do near(v, math.sqrt(45), 1e-10) end
  for _, v in ipairs(largest{{0, -2}, {2, 0}}) do near(v, 2, 1e-12) end
  for _, v in ipairs(largest{{0, 0}, {0, 0}}) do assert(v == 0) end
  -- from below, at each point for itself
  local L = crossing.lipschitz(function(z) return z:square() end,
    tide.tensor({{1, 2}, {5, 3}, {0, 0}}, float64), {iterations = 100})
  near(L[1], 4, 1e-9) near(L[2], 10, 1e-9) near(L[3], 0, 1e-12)
end

tests["misuse"] = function()
  check.fails("states must have shape {times, points, 2}, got {3, 4, 3}", crossing.intersections,
    tide.ones{3, 4, 3})
  check.fails("crossing.inversions: states must be a tensor {times, points, 1} or nested tables like it, got "
    .. "3", crossing.inversions, 3)
  check.fails("states at two or more times are needed, got 1", crossing.inversions, {{{1}}})
  check.fails("states at time 2 have 1 points, at time 1 2", crossing.inversions, {{{1}, {2}}, {{1}}})
  check.fails("state 1 at time 2 must be finite numbers, got nan; use a smaller step", crossing.inversions,
    {{{1}}, {{0 / 0}}})
  check.fails('unknown option "same_steps" (did you mean "same_step"?)', crossing.intersections,
    {{{0, 0}}, {{1, 1}}}, {same_steps = true})
  check.fails("A must be square, got 1 x 2", crossing.determinant, {{1, 2}})
  check.fails("row 2 of A must have 2 numbers", crossing.determinant, {{1, 2}, {3}})
  check.fails("A[1][2] must be a finite number, got nan", crossing.singular_values, {{1, 0 / 0}})
  check.fails("A must be a matrix", crossing.singular_values, 4)
  check.fails("y must be a tensor of states", crossing.jacobians, function(z) return z end, tide.ones{3})
  check.fails("map must keep the shape {2, 2}, it gave {2}", crossing.jacobians,
    function(z) return z:sum(2) end, tide.ones{2, 2})
  check.fails("expected a tensor {points, dim, dim}", crossing.orientation_of, tide.ones{2, 2})
  check.fails("iterations must be >= 1, got 0", crossing.lipschitz, function(z) return z end, tide.ones{2, 2},
    {iterations = 0})
end

return tests
