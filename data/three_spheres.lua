--- Concentric spheres of *ResNet After All?* (section 3.1): an inner and an outer shell of one class, a shell
-- of the other between them.
--
-- Radii and sizes are those of the authors' code, as the paper states none. Radius r_min + (r_max - r_min)
-- u^(1/dim), direction uniform. Classes are equally large, as are the shells of a class: a quarter, a half, a
-- quarter. The order is random, so that any stretch is a fair sample.

local core = require "tide.core"
local options = require "tide.options"
local tensor = require "tide.tensor"

local spec = {
  dim = {"integer", default = 2, check = options.at_least(1)},
  n = {"integer", default = 2000, check = options.at_least(1)},
  radii = {"table", default = {{0.1, 0.15}, {0.25, 0.3}, {0.4, 0.45}}},
  classes = {"table", default = {1, 2, 1}},
  seed = {"integer", default = 1}, dtype = tensor._dtype_rule,
}

local function check_shells(o)
  if #o.radii == 0 then
    core.raise("data.three_spheres: radii must be a list of {low, high}, one per shell, got an empty table")
  end
  if #o.classes ~= #o.radii then
    core.raise((
      "data.three_spheres: classes must name a class for each of the %d shells of radii, got %d"):format(
      #o.radii, #o.classes))
  end
  local before = 0
  for i, r in ipairs(o.radii) do
    local pair = type(r) == "table" and #r == 2 and type(r[1]) == "number" and type(r[2]) == "number"
    if not (pair and before <= r[1] and r[1] <= r[2] and r[2] > 0 and options.finite(r[2])) then
      core.raise(("data.three_spheres: radii[%d] must be {low, high} with %g <= low <= high (shells from the "
        .. "inside out, none inside another), got %s"):format(
        i, before, pair and ("{%g, %g}"):format(r[1], r[2]) or options.show(r)))
    end
    before = r[2]
    if math.type(o.classes[i]) ~= "integer" or o.classes[i] < 1 then
      core.raise(("data.three_spheres: classes[%d] must be an integer >= 1, got %s"):format(
        i, options.show(o.classes[i])))
    end
  end
end

-- n in `parts` parts that differ by one at most.
local function share(n, parts, i) return n // parts + (i <= n % parts and 1 or 0) end

-- How many points each shell gets.
local function sizes(o)
  local members, order = {}, {}
  for i, class in ipairs(o.classes) do
    if not members[class] then
      members[class] = {}
      order[#order + 1] = class
    end
    table.insert(members[class], i)
  end
  local out = {}
  for c, class in ipairs(order) do
    for k, shell in ipairs(members[class]) do
      out[shell] = share(share(o.n, #order, c), #members[class], k)
    end
  end
  return out
end

return {
  three_spheres = function(opts)
    local o = options.check("data.three_spheres", opts, spec)
    check_shells(o)
    local direction = core.random("normal", {o.n, o.dim}, "float64", o.seed * 4)
    local low, high, label = {}, {}, {}
    for shell, count in ipairs(sizes(o)) do
      for _ = 1, count do
        low[#low + 1], high[#high + 1], label[#label + 1] = o.radii[shell][1], o.radii[shell][2],
          o.classes[shell]
      end
    end
    local u = core.random("uniform", {o.n, 1}, "float64", o.seed * 4 + 1)
    local r0, r1 = core.tensor_from(low, "float64"):reshape{o.n, 1},
      core.tensor_from(high, "float64"):reshape{o.n, 1}
    local x = direction / direction:square():sum(2, true):sqrt() * (u ^ (1 / o.dim) * (r1 - r0) + r0)
    local order = core.permutation(o.n, o.seed * 4 + 2)
    return {x = x:take(order):to(o.dtype), y = tensor.tensor(label, {dtype = "int64"}):take(order)}
  end,
}
