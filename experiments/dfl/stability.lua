--- Boundaries of stability regions, for the figures: explicit, implicit, Adams, predictor-corrector, BDF.

local dfl = dofile((arg[0]:match("^(.*)/") or ".") .. "/common.lua")
local tide = require "tide"
local theory = tide.theory

local r = math.sqrt(6)
local typed = {
  radau3 = {A = {{5 / 12, -1 / 12}, {3 / 4, 1 / 4}}, b = {3 / 4, 1 / 4}},
  radau5 = {A = {{(88 - 7 * r) / 360, (296 - 169 * r) / 1800, (-2 + 3 * r) / 225},
    {(296 + 169 * r) / 1800, (88 + 7 * r) / 360, (-2 - 3 * r) / 225}, {(16 - r) / 36, (16 + r) / 36, 1 / 9}},
    b = {(16 - r) / 36, (16 + r) / 36, 1 / 9}},
  lobatto3c = {A = {{1 / 6, -1 / 3, 1 / 6}, {1 / 6, 5 / 12, -1 / 12}, {1 / 6, 2 / 3, 1 / 6}},
    b = {1 / 6, 2 / 3, 1 / 6}},
}

local groups = {
  {"explicit", "euler", "heun", "bosh3", "rk4", "dopri5", "dopri8"},
  {"implicit", {"theta", theta = 0.6}, {"theta", theta = 1}, "sdirk2", typed.radau3, typed.radau5,
    typed.lobatto3c,
    names = {"theta 0.6", "theta 1", "sdirk2", "radau3", "radau5", "Lobatto"}},
}
for _, row in ipairs{{"adams_bashforth", 1, 6}, {"adams_moulton", 3, 8}, {"abm", 1, 6}, {"bdf", 1, 6}} do
  local group = {row[1], names = {}}
  for k = row[2], row[3] do
    group[#group + 1], group.names[#group] = {row[1], order = k}, "order " .. k
  end
  groups[#groups + 1] = group
end

local function distance(a, b) return math.sqrt((a[1] - b[1]) ^ 2 + (a[2] - b[2]) ^ 2) end

-- A step between neighbours that is longer than this leads to another closed curve.
local function longest_step(points)
  local list = {}
  for i = 2, #points do list[i - 1] = distance(points[i], points[i - 1]) end
  table.sort(list)
  return 40 * list[#list // 2]
end

-- The part of the locus at which no other root is larger, in pieces.
local function boundary(method, n, note)
  local locus = theory.boundary_locus(method, n)
  local modulus, points = theory.stability(method, locus):totable(), locus:totable()
  local piece, before, most = 0, nil, longest_step(points)
  for i, z in ipairs(points) do
    local on = modulus[i] < 1 + 1e-6 and math.abs(z[1]) + math.abs(z[2]) < 100
    if on and not (before and distance(z, before) < most) then piece = piece + 1 end
    before = on and z or nil
    if on then note(piece, z[1], z[2]) end
  end
end

local function evidence(o, report)
  local rows, cells = {}, {}
  for _, group in ipairs(groups) do
    for k = 2, #group do
      local method, name = group[k], group.names and group.names[k - 1] or group[k]
      local stages = type(method) == "table" and method.b and #method.b or 1
      if type(method) == "string" then stages = #theory.coefficients(method).b end
      boundary(method, math.max(2, o.n, o.n * stages // 2), function(piece, re, im)
        rows[#rows + 1] = {group = group[1], method = name, piece = piece, re = re, im = im}
      end)
      local stable, angle = theory.a_stable(method)
      local real, imaginary = theory.intervals(method)
      local p = theory.order(method)
      cells[#cells + 1] = {group[1] .. ", " .. name, p, stable and "A" or ("%.2f"):format(angle),
        ("%.3f"):format(real), ("%.3f"):format(imaginary), ("%.4g"):format(theory.error_constant(method))}
    end
  end
  report:table({"method", "order", "degrees", "stable to -", "to i", "error constant"}, cells)
  report:csv("stability", {"group", "method", "piece", "re", "im"}, rows)
end

dfl.run({name = "stability", title = "Regions of absolute stability",
  options = {{"n", 120, "points of a boundary locus, for each two stages"}},
  claim = [[Explicit methods are stable in bounded regions only. Of the implicit ones some are stable in the
    whole left half-plane (A), BDF of order 3 to 6 in a sector; Adams-Moulton methods from order 3 on are
    not.]],
  evidence = evidence}, arg)
