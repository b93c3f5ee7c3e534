--- Where stability begins and ends: the boundary locus, and the modulus on a grid.
--
-- Source: Hairer, Wanner, Solving ODEs II, V.1 (root locus curve).

local characteristic = require "tide.theory.characteristic"

local M = {}

-- Distance on Riemann's sphere, squared; infinity is a point of it.
local function apart(ar, ai, br, bi)
  if ar == math.huge and br == math.huge then return 0 end
  if ar == math.huge then ar, ai, br, bi = br, bi, ar, ai end
  local a = 1 + ar * ar + ai * ai
  if br == math.huge then return 1 / a end
  return ((ar - br) ^ 2 + (ai - bi) ^ 2) / (a * (1 + br * br + bi * bi))
end

-- Number of the point of a list (lists of parts) that is nearest to (x, y), leaving out those in `taken`.
local function nearest(zr, zi, x, y, taken)
  local best, least
  for k = 1, #zr do
    local d = not taken[k] and apart(zr[k], zi[k], x, y)
    if d and (not best or d < least) then best, least = k, d end
  end
  return best
end

local function points_at(p, turn)
  local angle = 2 * math.pi * (turn % 1)
  return characteristic.points(p, math.cos(angle), math.sin(angle))
end

-- The points z over one turn of zeta, followed from angle to angle: sheets[k][g] = {re, im}, g = 0 .. grid;
-- and which sheet goes on where sheet k ends.
local function follow(p, grid)
  local sheets, following, taken = {}, {}, {}
  local zr, zi = points_at(p, 0)
  for k = 1, #zr do sheets[k] = {[0] = {zr[k], zi[k]}} end
  for g = 1, grid do
    zr, zi = points_at(p, g / grid)
    taken = {}
    for _, sheet in ipairs(sheets) do
      local at = nearest(zr, zi, sheet[g - 1][1], sheet[g - 1][2], taken)
      taken[at] = true
      sheet[g] = {zr[at], zi[at]}
    end
  end
  local first_r, first_i = {}, {}
  for k, sheet in ipairs(sheets) do first_r[k], first_i[k] = sheet[0][1], sheet[0][2] end
  taken = {}
  for k, sheet in ipairs(sheets) do
    following[k] = nearest(first_r, first_i, sheet[grid][1], sheet[grid][2], taken)
    taken[following[k]] = true
  end
  return sheets, following
end

-- The sheets one behind the other, closed curve after closed curve, from z = 0 on.
local function in_order(sheets, following)
  local order, seen, at = {}, {}, 1
  for k, sheet in ipairs(sheets) do
    if math.abs(sheet[0][1]) + math.abs(sheet[0][2]) < math.abs(sheets[at][0][1]) + math.abs(sheets[at][0][2])
    then
      at = k
    end
  end
  while #order < #sheets do
    if seen[at] then
      at = 1
      while seen[at] do at = at + 1 end
    end
    order[#order + 1], seen[at] = sheets[at], true
    at = following[at]
  end
  return order
end

--- n points z at which a root zeta lies on the unit circle, as rows {re, im}: zeta goes around as many times
-- as there are z for one zeta (once for linear multistep methods), in equal steps, the last as the first; a
-- point at infinity is {math.huge, 0}.
function M.boundary(p, n)
  local turns = characteristic.degree(p)
  if turns == 1 then
    local rows = {}
    for i = 1, n do
      local zr, zi = points_at(p, (i - 1) / (n - 1))
      rows[i] = {zr[1], zi[1]}
    end
    return rows
  end
  local grid = math.max(256, 2 * n // turns)
  local order, rows = in_order(follow(p, grid)), {}
  for i = 1, n do
    local turn = turns * (i - 1) / (n - 1)
    local k = math.min(turns, math.floor(turn) + 1)
    local part = turn - (k - 1)
    local near = order[k][math.floor(part * grid + 0.5)]
    local zr, zi = points_at(p, part)
    local at = nearest(zr, zi, near[1], near[2], {})
    rows[i] = {zr[at], zi[at]}
  end
  return rows
end

--- The largest modulus of a root at every point of a grid: a list of rows, one for each of `im`.
function M.grid(p, re, im)
  local rows = {}
  for i, y in ipairs(im) do
    local row, state = {}, {}
    for j, x in ipairs(re) do row[j] = characteristic.largest(p, x, y, state) end
    rows[i] = row
  end
  return rows
end

return M
