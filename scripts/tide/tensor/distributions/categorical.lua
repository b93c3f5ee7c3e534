--- Classes 1, 2, ... with probabilities; and mixtures, which choose one of several laws of a kind.

local core = require "tide.core"
local creation = require "tide.tensor.creation"
local elementwise = require "tide.tensor.elementwise"
local law = require "tide.tensor.distributions.law"
local scalar = require "tide.tensor.distributions.scalar"
local tree = require "tide.base.tree"

local M = {}
local raise, where = core.raise, elementwise.where

local function all_but_last(shape) return table.move(shape, 1, #shape - 1, 1, {}) end

-- A shape with n put in at place i, or without place i.
local function inserted(shape, i, n)
  local out = table.move(shape, 1, #shape, 1, {})
  table.insert(out, i, n)
  return out
end

-- ---- categorical ----

local categorical = {}

local function chances(self) return rawget(self, "logits") or self.probs end
local function log_chances(self)
  local logits = rawget(self, "logits")
  return logits and logits:log_softmax(-1) or (self.probs / self.probs:sum(-1, true)):log()
end

function categorical:batch_shape() return all_but_last(chances(self):shape()) end
function categorical.event_shape() return {} end
function categorical:classes()
  local shape = chances(self):shape()
  return shape[#shape]
end

function categorical:log_prob(x)
  local name = law.name "categorical" .. ":log_prob"
  if tree._check_tensor(x, name):dtype() ~= "int64" then
    raise(('%s: x must be class numbers 1, 2, ..., int64, got %s'):format(name, x:dtype()))
  end
  law.check_fit(name, x, self)
  local log_p, count = log_chances(self), self:classes()
  if not law.holds(x:ge(1) * x:le(count)) then
    raise(("%s: x must lie in 1..%d, the classes"):format(name, count))
  end
  -- chosen, not multiplied: 0 * -inf of a class that is ruled out would be NaN
  return where(creation.one_hot(x, count, {dtype = log_p:dtype()}), log_p, 0):sum(-1)
end

-- The largest of the logarithms with noise of Gumbel's law is a sample (Maddison, Tarlow, Minka 2014).
function categorical:sample(shape, opts)
  local whole, seed = law.draw(self, shape, opts)
  local log_p = log_chances(self):stop_gradient():to "float64"
  local u = core.random("uniform", inserted(whole, #whole + 1, self:classes()), "float64", seed)
  return (log_p - (-u:log()):log()):argmax(-1)
end

function categorical:entropy()
  local log_p = log_chances(self)
  return 0 - scalar._weighted(log_p:exp(), log_p):sum(-1)
end

function categorical:mean() -- of class numbers, as of any whole numbers
  local log_p = log_chances(self)
  return (log_p:exp() * core.arange(1, 1, self:classes(), log_p:dtype())):sum(-1)
end
function categorical:variance()
  local log_p = log_chances(self)
  local k = core.arange(1, 1, self:classes(), log_p:dtype())
  local p = log_p:exp()
  return (p * (k - (p * k):sum(-1, true)):square()):sum(-1)
end

function categorical._kl(p, q)
  if p:classes() ~= q:classes() then
    raise(("%s: the laws have %d and %d classes"):format(law.name "kl", p:classes(), q:classes()))
  end
  local log_p = log_chances(p)
  return scalar._weighted(log_p:exp(), log_p - log_chances(q)):sum(-1)
end

local make_categorical = law.class("categorical", categorical)

--- categorical{probs =} or {logits =}: classes along the last axis.
function M.categorical(opts)
  local name, d = law.name "categorical", scalar.chances("categorical", opts)
  local x = d.probs or d.logits
  local shape = x:shape()
  if #shape == 0 or shape[#shape] == 0 then
    raise(("%s: the classes lie along the last axis, got shape %s"):format(name, law.text(shape)))
  end
  if d.probs and not (law.holds(x:ge(0)) and law.holds(x:sum(-1):gt(0))) then
    raise(name .. ": probs must be >= 0 and not all 0; any numbers may be logits")
  end
  if d.logits and not law.holds(x:max(-1):abs():lt(math.huge)) then
    raise(name .. ": logits must hold a finite number for each law, and no inf")
  end
  return make_categorical(d)
end

-- ---- mixtures ----

local mixture = {}

function mixture:event_shape() return self.components:event_shape() end
function mixture:batch_shape() return all_but_last(self.components:batch_shape()) end

-- x {..., event} with an axis for the components in front of the event.
local function with_component_axis(self, x)
  local shape = x:shape()
  return x:reshape(inserted(shape, #shape - #self:event_shape() + 1, 1))
end

-- {..., K} with axes behind for the event.
local function over_event(self, w)
  local shape = w:shape()
  for _ = 1, #self:event_shape() do shape[#shape + 1] = 1 end
  return w:reshape(shape)
end

function mixture:log_prob(x)
  local name = law.name "mixture" .. ":log_prob"
  x = law.check_fit(name, law.value(name, x, self), self)
  local each = self.components:log_prob(with_component_axis(self, x))
  return (each + log_chances(self.weights)):logsumexp(-1)
end

function mixture:sample(shape, opts)
  local _, seed, wanted = law.draw(self, shape, opts)
  local function own(k) return seed and {seed = seed * 2 + k} or nil end
  local all = self.components:sample(wanted, own(0)):stop_gradient()
  local count = self.weights:classes()
  -- weights that several laws of the batch share are drawn from for each of them
  local log_p = log_chances(self.weights):broadcast_to(law.join(self:batch_shape(), {count}))
  local chosen = creation.one_hot(make_categorical{logits = log_p}:sample(wanted, own(1)), count)
  local axis = -1 - #self:event_shape()
  return where(over_event(self, chosen), all, 0):sum(axis)
end

local function over_components(self, x)
  local w = over_event(self, log_chances(self.weights):exp())
  return (x * w):sum(-1 - #self:event_shape())
end

function mixture:mean() return over_components(self, self.components:mean()) end
function mixture:variance()
  local mean = self.components:mean()
  local square = over_components(self, self.components:variance() + mean:square())
  return square - self:mean():square()
end

function mixture.entropy()
  raise(law.name "mixture" .. ":entropy: a mixture has no closed form of it; estimate it by "
    .. "-d:log_prob(d:sample(1000)):mean(1)")
end

local make_mixture = law.class("mixture", mixture)

--- mixture(weights, components): weights a categorical, or probabilities {..., K}; components a distribution
-- whose last batch axis are the K laws.
function M.mixture(weights, components)
  local name = law.name "mixture"
  if not law.is_law(weights) then weights = M.categorical{probs = weights} end
  if type(components) == "table" and law.is_law(components[1]) then
    raise(name .. ": the components are one distribution with an axis of laws, as "
      .. "tide.distributions.normal(tide.tensor{-1, 1}, 0.5) is, got a list of distributions")
  end
  law.check_law(name, components)
  if weights.kind ~= "categorical" then
    raise(("%s: the weights must be a categorical or probabilities, got a %s"):format(name, weights.kind))
  end
  local batch, count = components:batch_shape(), weights:classes()
  local rest = all_but_last(batch)
  local joined = law.broadcast(rest, weights:batch_shape())
  if batch[#batch] ~= count or not joined or law.text(joined) ~= law.text(rest) then
    raise(("%s: %d weights of batch shape %s do not go with components of batch shape %s, whose last axis "
      .. "are the laws"):format(name, count, law.text(weights:batch_shape()), law.text(batch)))
  end
  return make_mixture{weights = weights, components = components}
end

return M
