--- Which numbers stand at an axis: round steps that leave each label enough room, and the digits that tell
-- neighbours apart.

local style = require "tide.plot.style"

local ticks = {}

-- At least three round numbers between two that are so close that their logarithm is next to straight.
local function round_numbers(low, high)
  local power = 10.0 ^ math.floor(math.log(high - low, 10))
  while true do
    for _, m in ipairs{5, 2, 1} do
      local step = m * power
      local first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
      if last - first >= 2 then
        local marks = {}
        for k = first, last do marks[#marks + 1] = tonumber(("%.12g"):format(k * step)) end
        return marks
      end
    end
    power = power / 10
  end
end

--- Positions and format of a log axis: powers of ten, or 1, 2, 5 where too few of them lie in the range, or
-- equal steps where too few of those do.
function ticks.log(range)
  local low, high = math.min(range[1], range[2]), math.max(range[1], range[2])
  local powers, marks = 0, {}
  for k = math.floor(math.log(low, 10)) - 1, math.ceil(math.log(high, 10)) + 1 do
    for _, m in ipairs{1, 2, 5} do
      local v = m * 10.0 ^ k
      if v >= low * (1 - 1e-9) and v <= high * (1 + 1e-9) then
        marks[#marks + 1] = tonumber(("%g"):format(v)) -- 0.2, not 0.20000000000000001
        if m == 1 then powers = powers + 1 end
      end
    end
  end
  if powers >= 2 then return nil, "10^{%T}" end
  if #marks < 2 and high > low * (1 + 1e-9) then marks = round_numbers(low, high) end
  local form = "%g"
  for _, v in ipairs(marks) do
    if tonumber(("%g"):format(v)) ~= v then form = "%.12g" end
  end
  return #marks > 0 and marks or nil, form
end

--- The list of ticks {0, {1, "one"}, ...} as gnuplot code.
function ticks.list(list, opts)
  local out = {}
  for i, tick in ipairs(list) do
    out[i] = type(tick) == "table" and style.text_of(tick[2], opts) .. " " .. style.number(tick[1])
      or style.number(tick)
  end
  return "(" .. table.concat(out, ", ") .. ")"
end

-- Digits that tell neighbouring ticks apart.
local function tick_digits(low, high, step)
  local largest = math.max(math.abs(low), math.abs(high))
  return math.max(1, math.min(16, math.floor(math.log(math.max(1, largest / step), 10)) + 2))
end

--- Characters of the longest label that an axis of this range may get.
function ticks.label_width(low, high)
  local step, longest = 10.0 ^ math.floor(math.log(math.abs(high - low) / 10, 10)), 6
  local form = ("%%.%dg"):format(math.max(6, tick_digits(low, high, step)))
  for _, v in ipairs{low, high, low + step, high - step} do
    v = math.floor(v / step + 0.5) * step
    local text = form:format(v)
    longest = math.max(longest, text:find("e", 1, true) and v ~= 0 and #("%.3g"):format(v) + 3 or #text)
  end
  return longest
end

-- A round step between ticks that leaves each label enough pixels, and the digits that the labels need;
-- gnuplot's own choice crowds small panels and shows six digits, whatever they hide.
local function tick_step(low, high, pixels, upright)
  local power = 10.0 ^ (math.floor(math.log(math.abs(high - low), 10)) - 2)
  while true do
    for _, m in ipairs{1, 2, 5} do
      local step = m * power
      local longest, digits = 0, math.max(6, tick_digits(low, high, step))
      for _, v in ipairs{low, high, low + step, high - step} do
        longest = math.max(longest, #("%%.%dg"):format(digits):format(math.floor(v / step + 0.5) * step))
      end
      local room = upright and 28 or math.max(34, 7.5 * longest + 12)
      if step / math.abs(high - low) * pixels >= room then return step, digits end
    end
    power = 10 * power
  end
end

--- Lines that set the ticks of a linear axis over `span`, `pixels` long.
function ticks.linear(axis, span, pixels, lines)
  local step, digits = tick_step(span[1], span[2], pixels, axis ~= "x")
  lines[#lines + 1] = ("set %stics %.9g"):format(axis, step)
  if digits > 6 then lines[#lines + 1] = ("set format %s '%%.%dg'"):format(axis, digits) end
end

return ticks
