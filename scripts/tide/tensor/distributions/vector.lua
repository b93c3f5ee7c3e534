--- Laws of vectors: numbers side by side (independent), normal with any covariance.

local core = require "tide.core"
local creation = require "tide.tensor.creation"
local law = require "tide.tensor.distributions.law"
local linalg = require "tide.tensor.linalg"
local options = require "tide.base.options"
local scalar = require "tide.tensor.distributions.scalar"

local M = {}
local raise = core.raise

-- ---- independent ----

local independent = {}

-- The last axes of the batch become the event.
local function split(self)
  local batch = self.base:batch_shape()
  local first = #batch - self.axes
  return table.move(batch, 1, first, 1, {}), table.move(batch, first + 1, #batch, 1, {})
end
local function summed(self, x)
  for _ = 1, self.axes do x = x:sum(-1) end
  return x
end

function independent:batch_shape() return (split(self)) end
function independent:event_shape()
  return law.join(select(2, split(self)), self.base:event_shape())
end
function independent:log_prob(x)
  local name = law.name "independent" .. ":log_prob"
  return summed(self, self.base:log_prob(law.check_fit(name, law.value(name, x, self), self)))
end
function independent:sample(shape, opts) return self.base:sample(shape, opts) end
function independent:entropy()
  return summed(self, self.base:entropy():broadcast_to(self.base:batch_shape()))
end
function independent:mean() return self.base:mean() end
function independent:variance() return self.base:variance() end

local make_independent = law.class("independent", independent)

--- independent(base, axes = 1): the last batch axes of a distribution are one vector.
function M.independent(base, axes)
  local name = law.name "independent"
  law.check_law(name, base)
  local n = axes == nil and 1 or options.integer(axes)
  if not n or n < 0 or n > #base:batch_shape() then
    raise(("%s: axes must be an integer in 0..%d, the batch axes of the distribution, got %s"):format(name,
      #base:batch_shape(), options.show(axes)))
  end
  return make_independent{base = base, axes = n}
end

--- diagonal_normal(loc, scale): vectors along the last axis.
function M.diagonal_normal(loc, scale)
  local base = scalar.normal(loc, scale)
  if #base:batch_shape() == 0 then
    raise(law.name "diagonal_normal" .. ": loc or scale must be a tensor with an axis, that of the vectors")
  end
  return M.independent(base, 1)
end

-- ---- normal with any covariance ----

local normal = {reparametrised = true}
local LOG_2PI = math.log(2 * math.pi)

local function matrix(self)
  return rawget(self, "covariance") or rawget(self, "scale_tril") or self.precision
end

-- L, lower triangular, with covariance L L^T.
local function factor(self)
  if rawget(self, "scale_tril") then return self.scale_tril end
  if rawget(self, "covariance") then return linalg.cholesky(self.covariance) end
  return linalg.cholesky(linalg.inv(self.precision))
end

local function sizes(shape, drop) return table.move(shape, 1, #shape - drop, 1, {}) end

function normal:batch_shape()
  return law.broadcast(sizes(self.loc:shape(), 1), sizes(matrix(self):shape(), 2))
end
function normal:event_shape()
  local shape = matrix(self):shape()
  return {shape[#shape]}
end

-- L x for x {..., d}; one matrix takes all vectors at once.
local function times(L, x)
  if L:rank() == 2 and x:rank() >= 2 then return x:matmul(L:transpose()) end
  local shape = x:shape()
  table.insert(shape, #shape, 1)
  return (L * x:reshape(shape)):sum(-1)
end

-- L^-1 x: by the inverse, made once, for there may be any number of vectors.
local function unscaled(L, x)
  local one = creation.eye(L:shape()[L:rank()], {dtype = L:dtype()})
  return times(linalg.solve_triangular(L, one, {upper = false}), x)
end

-- The logarithms of L's diagonal, added up.
local function log_det(L)
  local shape = L:shape()
  local diagonal = (L * creation.eye(shape[#shape], {dtype = L:dtype()})):sum(-1)
  return diagonal:abs():log():sum(-1)
end

function normal:log_prob(x)
  local name = law.name "multivariate_normal" .. ":log_prob"
  x = law.check_fit(name, law.value(name, x, self), self)
  local L = factor(self)
  local z = unscaled(L, x - self.loc)
  return z:square():sum(-1) * -0.5 - log_det(L) - 0.5 * LOG_2PI * self:event_shape()[1]
end

function normal:sample(shape, opts)
  local whole, seed = law.draw(self, shape, opts)
  local L = factor(self)
  return times(L, core.random("normal", whole, law.dtype(self.loc, L), seed)) + self.loc
end

local function spread(self, x) return x:broadcast_to(law.join(self:batch_shape(), self:event_shape())) end
function normal:mean() return spread(self, self.loc) end
function normal:variance() return spread(self, factor(self):square():sum(-1)) end

function normal:entropy()
  local value = log_det(factor(self)) + 0.5 * (1 + LOG_2PI) * self:event_shape()[1]
  return value:broadcast_to(self:batch_shape())
end

function normal._kl(p, q)
  local d = p:event_shape()[1]
  if d ~= q:event_shape()[1] then
    raise(("%s: the laws are of vectors of %d and %d numbers"):format(law.name "kl", d, q:event_shape()[1]))
  end
  local Lp, Lq = factor(p), factor(q)
  local ratio = linalg.solve_triangular(Lq, Lp, {upper = false}):square():sum{-2, -1}
  local off = unscaled(Lq, p.loc - q.loc):square():sum(-1)
  return (ratio + off - d) * 0.5 + log_det(Lq) - log_det(Lp)
end

local make_normal = law.class("multivariate_normal", normal)
local spec = {covariance = {"tensor"}, scale_tril = {"tensor"}, precision = {"tensor"}}

local function check_matrix(name, key, A, d)
  local shape = A:shape()
  if #shape < 2 or shape[#shape] ~= shape[#shape - 1] or shape[#shape] ~= d then
    raise(("%s: %s must be {..., %d, %d}, as loc has %d numbers, got %s"):format(name, key, d, d, d,
      law.text(shape)))
  end
  if key == "scale_tril" then
    if not law.holds(A:triu(1):eq(0)) then
      raise(name .. ": scale_tril must be lower triangular: A:tril()")
    end
    if not law.holds((A * creation.eye(d, {dtype = A:dtype()})):sum(-1):gt(0)) then
      raise(name .. ": scale_tril must have a diagonal > 0")
    end
  elseif not law.holds((A - A:transpose()):abs():le(A:abs() * 1e-4 + 1e-6)) then
    raise(("%s: %s must be symmetric: (A + A:transpose()) / 2"):format(name, key))
  end
end

--- multivariate_normal(loc, {covariance =}), {scale_tril =} (a Cholesky factor) or {precision =}.
function M.multivariate_normal(loc, opts)
  local name = law.name "multivariate_normal"
  if type(opts) ~= "table" then
    raise(("%s: say what the matrix is: tide.distributions.multivariate_normal(loc, {covariance = A}), or "
      .. "scale_tril, or precision; got %s"):format(name, options.show(opts)))
  end
  local o, d = options.check(name, opts, spec), {loc = law.parameter(name, "loc", loc)}
  local key
  for given in pairs(o) do
    if key then raise(name .. ": give one of covariance, scale_tril and precision") end
    key = given
  end
  if not key then raise(name .. ": give covariance, scale_tril or precision, a matrix") end
  local shape = d.loc:shape()
  if #shape == 0 then raise(name .. ": loc must be a vector, or a batch of them {..., d}") end
  d[key] = law.parameter(name, key, o[key])
  check_matrix(name, key, d[key], shape[#shape])
  if not law.broadcast(sizes(shape, 1), sizes(d[key]:shape(), 2)) then
    raise(("%s: loc %s and %s %s are batches that do not broadcast"):format(name, law.text(shape), key,
      law.text(d[key]:shape())))
  end
  return make_normal(d)
end

--- A diagonal normal law as one of these; nil for others.
function M.as_multivariate(d)
  if d.kind == "multivariate_normal" then return d end
  if d.kind ~= "independent" or d.axes ~= 1 or d.base.kind ~= "normal" then return nil end
  local base, event = d.base, d:event_shape()
  local scale = base.scale:broadcast_to(base:batch_shape())
  local L = scale:reshape(law.join(scale:shape(), {1})) * creation.eye(event[1], {dtype = scale:dtype()})
  return make_normal{loc = base.loc:broadcast_to(base:batch_shape()), scale_tril = L}
end

M._summed = summed

return M
