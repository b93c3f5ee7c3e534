--- Optimisers with PyTorch's formulas and defaults. opt:step(grads) updates the model's float tensors in
-- place.
--
-- Options are fields, checked whenever they are set: opt.lr = 1e-4 counts from the next step on. lr may be a
-- function of the step, counted from 1.

local core = require "tide.core"
local leaves = require "tide.train.leaves"
local optimiser = require "tide.train.optimiser"
local options = require "tide.base.options"

local M = {}
local raise = core.raise

local function zeros(list)
  local out = {}
  for i, x in ipairs(list) do out[i] = core.full(x:shape(), 0, x:dtype()) end
  return out
end

local function default(v) return {"number", default = v, check = options.not_negative} end
local function rate(v)
  return {"number|function", default = v, required = v == nil, check = optimiser.check_rate}
end
local beta_check = function(b)
  local ok = #b == 2
  for _, v in ipairs(b) do ok = ok and type(v) == "number" and v >= 0 and v < 1 end
  return ok, "{beta1, beta2} with both in [0, 1)"
end

local flag = {"boolean", default = false}

local function adam(weight_decay, decoupled)
  return {
    spec = {lr = rate(1e-3), betas = {"table", default = {0.9, 0.999}, check = beta_check},
      eps = default(1e-8), weight_decay = default(weight_decay), amsgrad = flag},
    slots = function(o) return {"m", "v", o.amsgrad and "largest" or nil} end,
    update = function(self, o, lr, grads, step)
      local slots, decay = self.slots, o.weight_decay
      return core.adam(self.kind, self.parameters, grads, slots.m, slots.v, o.amsgrad and slots.largest
        or nil,
        self.known, step, lr, o.betas[1], o.betas[2], o.eps, decoupled and 0 or decay, decoupled and decay
          or 0)
    end,
  }
end

-- Each kind: options, names of the tensors it keeps per parameter, and the update of all parameters, which
-- checks everything before anything changes (bindings/optim.c). check: of options together, when it is made.
local kinds = {
  adam = adam(0, false),
  adamw = adam(1e-2, true),
  sgd = {
    spec = {lr = rate(1e-3), momentum = default(0), weight_decay = default(0), nesterov = flag},
    check = function(o)
      if o.nesterov and o.momentum == 0 then raise("optim.sgd: nesterov needs a momentum, such as 0.9") end
    end,
    slots = function(o) return {o.momentum > 0 and "momentum" or nil} end,
    update = function(self, o, lr, grads, step)
      return core.sgd(self.kind, self.parameters, grads, self.slots.momentum, self.known, step == 1, lr,
        o.momentum, o.weight_decay, o.nesterov)
    end,
  },
  rmsprop = {
    spec = {lr = rate(1e-2), alpha = {"number", default = 0.99, check = options.between(0, 1)},
      eps = default(1e-8), weight_decay = default(0), momentum = default(0), centered = flag},
    slots = function(o)
      local names = {"square"}
      if o.centered then names[2] = "mean" end
      if o.momentum > 0 then names[#names + 1] = "momentum" end
      return names
    end,
    update = function(self, o, lr, grads)
      local slots = self.slots
      return core.rmsprop(self.kind, self.parameters, grads, slots.square, o.centered and slots.mean or nil,
        slots.momentum, self.known, lr, o.alpha, o.eps, o.weight_decay, o.momentum)
    end,
  },
  adagrad = {
    spec = {lr = rate(1e-2), lr_decay = default(0), weight_decay = default(0), eps = default(1e-10)},
    slots = function() return {"sum"} end,
    update = function(self, o, lr, grads, step)
      return core.adagrad(self.kind, self.parameters, grads, self.slots.sum, self.known,
        lr / (1 + (step - 1) * o.lr_decay), o.eps, o.weight_decay)
    end,
  },
  adadelta = {
    spec = {lr = rate(1), rho = {"number", default = 0.9, check = options.between(0, 1)}, eps = default(1e-6),
      weight_decay = default(0)},
    slots = function() return {"square", "moved"} end,
    update = function(self, o, lr, grads)
      return core.adadelta(self.kind, self.parameters, grads, self.slots.square, self.slots.moved, self.known,
        lr, o.rho, o.eps, o.weight_decay)
    end,
  },
}

local methods = {}

-- ---- steps ----

methods.rate = optimiser.rate

local faults = {
  gradient = "the gradient of %s is %s; the loss has no finite derivative here (a root or a power of 0, a "
  .. "division by 0, exp of a large number?)",
  parameter = "%s is %s before the step; the model was given such a number",
  state = "what the optimiser keeps for %s is %s before the step; it was given such a number",
  moment = "the gradient of %s is so large that what the optimiser keeps for it would be %s; scale the loss "
  .. "or the gradient down, or use float64",
  update = "the step would make %s %s; lower the learning rate (now %g)",
}

-- What core.adam and the others report: no number was changed.
local function fault_text(self, what, i, index, value, lr)
  return faults[what]:format(leaves.name(self, i, index), options.show(value), lr)
    .. ". Weights and moments are as before the step"
end

--- What train calls: a step, or what is wrong with it as a text; then nothing has changed.
function methods:_try(grads)
  local step = self.steps + 1
  local lr = self:rate(step)
  local list = leaves.gradients(self, grads)
  local known, i, index, value = kinds[self.kind].update(self, self.values, lr, list, step)
  if i then return fault_text(self, known, i, index, value, lr) end
  self.known, self.steps = known, step
end

--- Update the parameters with gradients of the model's structure (as tide.grad returns them).
function methods:step(grads)
  local fault = self:_try(grads)
  if fault then
    core.fail{status = "not_finite", kind = "numeric", step = self.steps + 1,
      message = ("%s: step %d: %s"):format(self.kind, self.steps + 1, fault)}
  end
end

-- ---- states ----

--- What is needed to go on later, as a table of tensors that tide.save takes: the step count, the moments,
-- the options as they are now. An option that is a function is marked by NaN: whoever goes on must have it
-- too.
function methods:state()
  local out = {steps = core.full({}, self.steps, "int64"), options = optimiser.options_state(self)}
  for name, list in pairs(self.slots) do
    out[name] = {}
    for i, x in ipairs(list) do out[name][i] = x:clone() end
  end
  return out
end

local function check_slot(self, state, name)
  local list, shapes = state[name], self.parameters
  if type(list) ~= "table" or #list ~= #shapes then
    raise(("%s: the state has no \"%s\" for %d tensors; it belongs to another optimiser or model"):format(
      self.kind, name, #shapes))
  end
  for i, x in ipairs(shapes) do
    local got = optimiser.describe(list[i])
    if not got then
      raise(("%s: state %s[%d] must be a tensor, got %s"):format(self.kind, name, i, options.show(list[i])))
    end
    if got ~= optimiser.describe(x) then
      raise(("%s: state %s[%d] has shape %s, expected %s"):format(self.kind, name, i, got,
        optimiser.describe(x)))
    end
    local largest = optimiser.largest(list[i])
    if largest ~= largest or largest == math.huge then
      raise(("%s: state %s[%d], of %s, is not finite"):format(self.kind, name, i, leaves.name(self, i)))
    end
  end
end

--- Go on from a state; it must come from the same kind of optimiser of a model with the same shapes.
function methods:load_state(state)
  optimiser.check_state(self, state)
  local o = optimiser.state_options(self, state, kinds[self.kind].spec)
  local wanted = {}
  for _, name in ipairs(kinds[self.kind].slots(o)) do
    wanted[name] = true
    check_slot(self, state, name)
  end
  optimiser.check_state_names(self, state, wanted, o)
  for name, v in pairs(o) do self.options[name] = v end -- all was checked: here everything begins to change
  for name in pairs(wanted) do
    for i, x in ipairs(self.slots[name]) do x:copy_(state[name][i]) end
  end
  self.steps, self.known = state.steps:item(), false
end

-- ---- objects ----

optimiser.methods(methods)

local function make(kind)
  local rules = kinds[kind]
  local meta = optimiser.class(kind, rules.spec, methods)
  return function(model, opts)
    local where = "optim." .. kind
    local values = optimiser.check(where, opts, rules.spec)
    if rules.check then rules.check(values) end
    local self = leaves.of(where, model)
    local slots = {}
    local function keep(o) -- sgd keeps a buffer from when its momentum is not 0
      for _, name in ipairs(rules.slots(o)) do slots[name] = slots[name] or zeros(self.parameters) end
    end
    keep(values)
    self.options, self.values = options.record(where, values, rules.spec, keep)
    -- known: do all numbers in the slots lie in their usual range? See bindings/optim.c.
    self.kind, self.slots, self.steps, self.known = kind, slots, 0, false
    return setmetatable(self, meta)
  end
end

M._kinds = options.sorted_keys(kinds)
M._names = table.move({"lbfgs", "levenberg_marquardt"}, 1, 2, #M._kinds + 1, options.sorted_keys(kinds))
for kind in pairs(kinds) do M[kind] = make(kind) end
M.lbfgs = require "tide.train.lbfgs"
M.levenberg_marquardt = require "tide.train.levenberg_marquardt"
M.schedule = require "tide.train.schedule"

return M
