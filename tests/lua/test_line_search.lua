-- The search for a step of optim.lbfgs (train/line_search.lua): where it looks, from values that are known.

local check = require "check"
local line_search = require "tide.train.line_search"
local tests = {}

-- What a search along value(t), slope(t) finds, and where it looked.
local function search(value, slope, first, most, least)
  local places = {}
  local function look(t)
    places[#places + 1] = t
    return {t = t, value = value(t), slope = value(t) and slope(t)}
  end
  local start = {t = 0, value = value(0), slope = slope(0)}
  local p, looks = line_search.strong_wolfe(look, start, first, most or 25, least or 1e-9)
  assert(looks == #places)
  return p, places
end

local function looked(places, want)
  assert(#places == #want, table.concat(places, " "))
  for i, t in ipairs(want) do check.near(places[i], t, 1e-9 * math.abs(t)) end
end

tests["a parabola: the cubic through two points finds its minimum"] = function()
  local p, places = search(function(t) return (t - 3) ^ 2 end, function(t) return 2 * (t - 3) end, 20)
  looked(places, {20, 3})
  assert(p.t == places[2])
end

tests["where the function has no value, the middle; then a tenth from either end at least"] = function()
  local _, places = search(function(t) if t < 0.4 then return -t end end, function() return -1 end, 1, 3)
  looked(places, {1, 0.5, 0.25})
  -- the cubic's minimum is at 0.01: a tenth of the bracket is the least
  _, places = search(function(t) return (t - 0.01) ^ 2 end, function(t) return 2 * (t - 0.01) end, 1, 2)
  looked(places, {1, 0.1})
end

tests["longer steps: by the cubic, by ten at most, by a hundredth of the last at least"] = function()
  local function straight(t) return -t + 1e-6 * t * t end
  local p, places = search(straight, function(t) return -1 + 2e-6 * t end, 1)
  looked(places, {1, 10, 100, 1000, 10000, 100000})
  assert(p.t == 100000)
  -- the slopes -1 at 0 and -0.95 at 1 of a cubic with its minimum at 1.005
  local _, near = search(function(t) return -t - 94.475 * t ^ 2 + 63 * t ^ 3 end,
    function(t) return -1 - 188.95 * t + 189 * t ^ 2 end, 1, 2)
  looked(near, {1, 1.01})
  _, places = search(straight, function() return -1 end, 1, 4) -- no more than so many looks
  assert(#places == 4)
end

tests["no better place is none"] = function()
  local p, places = search(function(t) return t end, function(t) return t == 0 and -1 or 1 end, 1, 25, 1e-3)
  assert(p == nil and #places < 25 and places[#places] < 0.01)
end

return tests
