--- Laws of numbers: normal, uniform, bernoulli.

local core = require "tide.core"
local elementwise = require "tide.tensor.elementwise"
local law = require "tide.tensor.distributions.law"
local options = require "tide.base.options"

local M = {}
local raise, where = core.raise, elementwise.where

local function batch_of(kind, first, second, names)
  local shape = law.broadcast(first:shape(), second:shape())
  if not shape then
    raise(("%s: %s have shapes %s and %s, which do not broadcast"):format(law.name(kind), names,
      law.text(first:shape()), law.text(second:shape())))
  end
  return shape
end

local function no_event() return {} end

local function number_of(self, x)
  local name = law.name(self.kind) .. ":log_prob"
  return law.check_fit(name, law.value(name, x, self), self)
end

-- ---- normal ----

local normal = {reparametrised = true, event_shape = no_event}
local HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)

function normal:batch_shape() return batch_of("normal", self.loc, self.scale, "loc and scale") end

function normal:log_prob(x)
  local z = (number_of(self, x) - self.loc) / self.scale
  return z:square() * -0.5 - self.scale:log() - HALF_LOG_2PI
end

function normal:sample(shape, opts)
  local whole, seed = law.draw(self, shape, opts)
  return core.random("normal", whole, law.dtype(self.loc, self.scale), seed) * self.scale + self.loc
end

local function spread(self, x) return x:broadcast_to(self:batch_shape()) end
function normal:mean() return spread(self, self.loc) end
function normal:variance() return spread(self, self.scale:square()) end
function normal:entropy() return spread(self, self.scale:log() + (0.5 + HALF_LOG_2PI)) end

function normal._kl(p, q)
  local ratio = (p.scale / q.scale):square()
  return (ratio + ((p.loc - q.loc) / q.scale):square() - 1 - ratio:log()) * 0.5
end

local make_normal = law.class("normal", normal)

--- normal(loc, scale): each entry a number with this mean and standard deviation.
function M.normal(loc, scale)
  local name = law.name "normal"
  local d = {loc = law.parameter(name, "loc", loc, scale),
    scale = law.parameter(name, "scale", scale, loc)}
  if not law.holds(d.scale:gt(0)) then
    raise(name .. ": scale, the standard deviation, must be > 0; of any number tide.softplus(s) makes one")
  end
  batch_of("normal", d.loc, d.scale, "loc and scale")
  return make_normal(d)
end

-- ---- uniform ----

local uniform = {reparametrised = true, event_shape = no_event}

function uniform:batch_shape() return batch_of("uniform", self.low, self.high, "low and high") end

function uniform:log_prob(x)
  x = number_of(self, x)
  local inside = x:ge(self.low) * x:le(self.high)
  return where(inside:gt(0), -(self.high - self.low):log(), -math.huge)
end

function uniform:sample(shape, opts)
  local whole, seed = law.draw(self, shape, opts)
  local u = core.random("uniform", whole, law.dtype(self.low, self.high), seed)
  return self.low + u * (self.high - self.low)
end

function uniform:mean() return (self.low + self.high) * 0.5 end
function uniform:variance() return (self.high - self.low):square() / 12 end
function uniform:entropy() return (self.high - self.low):log() end

function uniform._kl(p, q)
  local inside = p.low:ge(q.low) * p.high:le(q.high)
  return where(inside:gt(0), ((q.high - q.low) / (p.high - p.low)):log(), math.huge)
end

local make_uniform = law.class("uniform", uniform)

--- uniform(low, high): numbers between.
function M.uniform(low, high)
  local name = law.name "uniform"
  local d = {low = law.parameter(name, "low", low, high), high = law.parameter(name, "high", high, low)}
  batch_of("uniform", d.low, d.high, "low and high")
  if not law.holds(d.high:gt(d.low)) then raise(name .. ": low must be less than high") end
  return make_uniform(d)
end

-- ---- bernoulli ----

local bernoulli = {event_shape = no_event}

function bernoulli:batch_shape() return (rawget(self, "logits") or self.probs):shape() end
function bernoulli:mean() return rawget(self, "probs") or self.logits:sigmoid() end
function bernoulli:variance()
  local p = self:mean()
  return p * (1 - p)
end

-- log p and log (1 - p)
local function logs(self)
  local logits = rawget(self, "logits")
  if logits then return -(-logits):softplus(), -logits:softplus() end
  return self.probs:log(), (1 - self.probs):log()
end

function bernoulli:log_prob(x)
  x = number_of(self, x)
  if not law.holds((x * (x - 1)):eq(0)) then
    raise(law.name "bernoulli" .. ":log_prob: x must be 0 or 1 everywhere")
  end
  local logits = rawget(self, "logits")
  -- one logarithm of what happened, so that the other one cannot be infinite
  if logits then return -where(x:gt(0), -logits, logits):softplus() end
  return where(x:gt(0), self.probs, 1 - self.probs):log()
end

function bernoulli:sample(shape, opts)
  local whole, seed = law.draw(self, shape, opts)
  local p = self:mean():stop_gradient()
  return core.random("uniform", whole, "float64", seed):lt(p):to(p:dtype())
end

-- p times a logarithm that is infinite where p is 0.
local function weighted(p, log)
  local some = p:gt(0)
  return where(some, p * where(some, log, 0), 0)
end

function bernoulli:entropy()
  local p, yes, no = self:mean(), logs(self)
  return 0 - (weighted(p, yes) + weighted(1 - p, no))
end

function bernoulli._kl(p, q)
  local own, p1, p0 = p:mean(), logs(p)
  local q1, q0 = logs(q)
  return weighted(own, p1 - q1) + weighted(1 - own, p0 - q0)
end

local make_bernoulli = law.class("bernoulli", bernoulli)
local chances_spec = {probs = {"tensor|number"}, logits = {"tensor|number"}}

--- {probs = or logits =}, one of them, as parameters.
function M.chances(kind, opts)
  local name = law.name(kind)
  if type(opts) ~= "table" or opts[1] ~= nil then
    raise(("%s: say what is given: tide.distributions.%s{probs = p} or {logits = x}, tensors; got %s"):format(
      name, kind, options.show(opts)))
  end
  local o = options.check(name, opts, chances_spec)
  if (o.probs == nil) == (o.logits == nil) then
    raise(("%s: give probs or logits, one of them: tide.distributions.%s{logits = x}"):format(name, kind))
  end
  local key = o.probs and "probs" or "logits"
  return {[key] = law.parameter(name, key, o[key])}
end

--- bernoulli{probs =} or {logits =}: 1 with this probability, else 0.
function M.bernoulli(opts)
  local d = M.chances("bernoulli", opts)
  if d.probs and not law.holds(d.probs:ge(0) * d.probs:le(1)) then
    raise(law.name "bernoulli" .. ": probs must lie in 0..1; any numbers may be logits")
  end
  return make_bernoulli(d)
end

M._weighted = weighted

return M
