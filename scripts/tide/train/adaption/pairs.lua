--- The rule "pairs" of step adaption: every few training steps go through two solvers at once, whose
-- difference steers the number of steps and is itself made small.

local options = require "tide.base.options"
local show = require "tide.base.show"

local M = {}

-- ---- the rule: numbers in, a number out ----

local methods = {}
local meta = {__name = "step rule", __index = methods, __tostring = show.as_table}

local PULL, RISE, JUMP = 0.2, 0.4, 0.35
local DEAD_ZONE, SMALLEST = 0.4, 0.15 -- of the signal; of a change that is made within it
local FASTEST, SLOWEST = math.log(1.5), math.log(1.015) -- up and down, in one look
local FOLLOWS = 0.5 -- of a change of the steps: what the smoothed signal is taken to have followed at once

-- The change of the log of the number of steps, from the log of the signal.
local function change(self, e)
  local before = self.signal or e
  self.signal = (1 - self.smoothing) * before + self.smoothing * e
  local off = self.signal - self.log_target
  local u = PULL * off + RISE * math.max(0, self.signal - before)
  -- One look may be an accident of the batch: the lower of two counts.
  local above = off > 0 and e > self.log_limit and e or nil
  if above and self.above then u = math.max(u, JUMP * (math.min(e, self.above) - self.log_target)) end
  self.above = above
  if math.abs(off) < DEAD_ZONE and u < SMALLEST then return 0 end
  return math.max(-SLOWEST, math.min(FASTEST, u))
end

-- The log of the number of steps grows by u, within its bounds.
local function grow(self, u)
  local least, most = math.log(self.min_steps), math.log(self.max_steps)
  self.log_steps = math.max(least, math.min(most, self.log_steps + u))
  local n = math.ceil(math.exp(self.log_steps) - 1e-9)
  if n ~= self.value then self.value, self.signal = n, self.signal and self.signal - FOLLOWS * u end
  return self.value
end

--- m.distance: how far apart the predictions of both solvers are, in 0..1; NaN counts as 1.
function methods.next(self, m)
  local e = m.distance
  e = e == e and math.max(1e-4, math.min(1, e)) or 1
  local u = change(self, math.log(e))
  return u == 0 and self.value or grow(self, u)
end

--- After a rejected window, whose error is so many times what is allowed: the next number of steps; nil where
-- there can be no more.
function methods.refine(self, times)
  if self.value >= self.max_steps then return nil end
  local u = math.max(math.log((self.value + 1) / self.value), math.min(math.log(2), math.log(1.1 * times)))
  return grow(self, math.max(u, math.log(self.value + 1) - self.log_steps))
end

M.spec = {
  value = {"integer", required = true, check = options.at_least(1)},
  target = {"number", default = 0.07, check = options.within(0, 1, true)},
  limit = {"number", check = options.positive},
  smoothing = {"number", default = 0.1, check = function(v)
    return options.finite(v) and v > 0 and v <= 1, "in (0, 1]"
  end},
  min_steps = {"integer", check = options.at_least(1)},
  max_steps = {"integer", default = 500, check = options.at_least(1)},
}

--- The rule from checked options, min_steps <= value <= max_steps among them.
function M.new(o)
  o.limit = o.limit or 2 * o.target
  o.log_target, o.log_limit, o.log_steps = math.log(o.target), math.log(o.limit), math.log(o.value)
  return setmetatable(o, meta)
end

-- ---- the penalty ----

-- How decided predictions are, 0..1: of logits 1 - entropy / log(classes), of others their size, at most 1.
local function decided(x)
  local shape = x:shape()
  if #shape == 2 and shape[2] > 1 then
    local p = x:softmax(2)
    return 1 + (p * (p + 1e-30):log()):sum(2):mean() / math.log(shape[2])
  end
  return -((1 - x:abs()):relu() - 1):mean()
end

--- penalty(weight) -> function(a, b): weight times the mean square of a - b, times how decided b is. While a
-- model is still undecided, every way out of that moves the solvers apart, and the plain square would hold it
-- back.
function M.penalty(weight)
  return function(a, b)
    return (a - b):square():mean() * (decided(b):stop_gradient() * weight)
  end
end

return M
