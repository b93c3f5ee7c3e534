--- tide.distributions: laws of random numbers, vectors and classes with log_prob, sample, entropy, and the
-- Kullback-Leibler divergence of two of them. Names and parameters are PyTorch's; formulas: C. Bishop,
-- Pattern Recognition and Machine Learning (2006), appendix B.

local categorical = require "tide.tensor.distributions.categorical"
local core = require "tide.core"
local law = require "tide.tensor.distributions.law"
local options = require "tide.base.options"
local scalar = require "tide.tensor.distributions.scalar"
local vector = require "tide.tensor.distributions.vector"

local M = {
  normal = scalar.normal, uniform = scalar.uniform, bernoulli = scalar.bernoulli,
  categorical = categorical.categorical, mixture = categorical.mixture, independent = vector.independent,
  diagonal_normal = vector.diagonal_normal, multivariate_normal = vector.multivariate_normal,
}

-- Two laws of one kind with a closed form, or nil.
local function comparable(p, q)
  if p.kind ~= q.kind then
    p, q = vector.as_multivariate(p), vector.as_multivariate(q)
    if not (p and q) then return nil end
  end
  return p, q
end

local function closed_form(p, q)
  local a, b = comparable(p, q)
  if not a or a.kind == "mixture" then return nil end
  if a.kind ~= "independent" then return a._kl(a, b) end
  if a.axes ~= b.axes then return nil end
  local inner = closed_form(a.base, b.base)
  local shape = law.broadcast(a.base:batch_shape(), b.base:batch_shape())
  return inner and vector._summed(a, inner:broadcast_to(shape))
end

--- kl(p, q) -> the mean of log p(x) - log q(x) for x of p, of each law of the batch; inf where p has values
-- that q rules out.
function M.kl(p, q)
  local name = law.name "kl"
  law.check_law(name, p)
  law.check_law(name, q)
  if law.text(p:event_shape()) ~= law.text(q:event_shape())
    or not law.broadcast(p:batch_shape(), q:batch_shape()) then
    core.raise(("%s: %s and %s do not go together"):format(name, tostring(p), tostring(q)))
  end
  local value = closed_form(p, q)
  if not value then
    core.raise(("%s: there is no closed form for a %s and a %s; estimate it: local x = p:sample(1000), then "
      .. "(p:log_prob(x) - q:log_prob(x)):mean(1)"):format(name, p.kind, q.kind))
  end
  return value
end

return options.strict("tide.distributions", M)
