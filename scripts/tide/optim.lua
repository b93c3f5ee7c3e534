--- Optimisers with PyTorch's formulas and defaults. opt:step(grads) updates the model's float tensors in place.

local core = require "tide.core"
local options = require "tide.options"
local tree = require "tide.tree"

local M = {}
local raise = core.raise

local function zeros(list)
  local out = {}
  for i, x in ipairs(list) do out[i] = core.full(x:shape(), 0, x:dtype()) end
  return out
end

local number = {"number", check = options.not_negative}
local function default(v) return {number[1], default = v, check = number.check} end
local beta_check = function(b)
  local ok = #b == 2
  for _, v in ipairs(b) do ok = ok and type(v) == "number" and v >= 0 and v < 1 end
  return ok, "{beta1, beta2} with both in [0, 1)"
end

-- Each kind: options, names of the tensors it keeps per parameter, and the update of all parameters, which checks everything before
-- anything changes.
local kinds = {
  sgd = {
    spec = {lr = {"number", required = true, check = options.not_negative}, momentum = default(0), weight_decay = default(0)},
    slots = function(o) return o.momentum > 0 and {"momentum"} or {} end,
    update = function(self, grads, step)
      local o = self.options
      core.sgd(self.kind, self.parameters, grads, self.slots.momentum, step == 1, o.lr, o.momentum, o.weight_decay)
    end,
  },
  adam = {
    spec = {lr = default(1e-3), betas = {"table", default = {0.9, 0.999}, check = beta_check}, eps = default(1e-8),
            weight_decay = default(0)},
    slots = function() return {"m", "v"} end,
    update = function(self, grads, step)
      local o, s = self.options, self.slots
      core.adam(self.kind, self.parameters, grads, s.m, s.v, step, o.lr, o.betas[1], o.betas[2], o.eps, o.weight_decay, 0)
    end,
  },
  adamw = {
    spec = {lr = default(1e-3), betas = {"table", default = {0.9, 0.999}, check = beta_check}, eps = default(1e-8),
            weight_decay = default(1e-2)},
    slots = function() return {"m", "v"} end,
    update = function(self, grads, step)
      local o, s = self.options, self.slots
      core.adam(self.kind, self.parameters, grads, s.m, s.v, step, o.lr, o.betas[1], o.betas[2], o.eps, 0, o.weight_decay)
    end,
  },
  rmsprop = {
    spec = {lr = default(1e-2), alpha = {"number", default = 0.99, check = options.between(0, 1)}, eps = default(1e-8),
            weight_decay = default(0)},
    slots = function() return {"square"} end,
    update = function(self, grads)
      local o = self.options
      core.rmsprop(self.kind, self.parameters, grads, self.slots.square, o.lr, o.alpha, o.eps, o.weight_decay)
    end,
  },
}

local methods = {}

local function describe(x) return tree.is_tensor(x) and ("{%s} (%s)"):format(table.concat(x:shape(), ", "), x:dtype()) end

--- Update the parameters with gradients of the model's structure (as tide.grad returns them).
function methods:step(grads)
  local step = self.steps + 1
  kinds[self.kind].update(self, tree.tensors(grads, true), step)
  self.steps = step
end

--- What is needed to go on later, as a table of tensors that tide.save takes: the step count and the moments.
function methods:state()
  local out = {steps = core.full({}, self.steps, "int64")}
  for name, list in pairs(self.slots) do
    out[name] = {}
    for i, x in ipairs(list) do out[name][i] = x:clone() end
  end
  return out
end

--- Go on from a state; it must come from the same kind of optimiser of a model with the same shapes.
function methods:load_state(state)
  if type(state) ~= "table" or describe(state.steps) ~= "{} (int64)" then
    raise(self.kind .. ": this is not a state that opt:state() returned")
  end
  for _, name in ipairs(options.sorted_keys(self.slots)) do
    local list = self.slots[name]
    if type(state[name]) ~= "table" or #state[name] ~= #list then
      raise(("%s: the state has no \"%s\" for %d tensors; it belongs to another optimiser or model"):format(self.kind, name, #list))
    end
    for i, x in ipairs(list) do -- check everything before anything changes
      local got = describe(state[name][i])
      if not got then raise(("%s: state %s[%d] must be a tensor, got %s"):format(self.kind, name, i, options.show(state[name][i]))) end
      if got ~= describe(x) then raise(("%s: state %s[%d] has shape %s, expected %s"):format(self.kind, name, i, got, describe(x))) end
    end
  end
  for _, name in ipairs(options.sorted_keys(state)) do
    if name ~= "steps" and not self.slots[name] then
      raise(("%s: the state has \"%s\", which this optimiser does not keep; it belongs to another kind, or to other options")
        :format(self.kind, name))
    end
  end
  for name, list in pairs(self.slots) do
    for i, x in ipairs(list) do x:copy_(state[name][i]) end
  end
  self.steps = state.steps:item()
end

local meta = {__name = "optimiser", __index = methods}

local function make(kind)
  return function(model, opts)
    local rules = kinds[kind]
    local o = options.check("optim." .. kind, opts, rules.spec)
    local parameters = tree.tensors(model, true)
    if #parameters == 0 then raise(("optim.%s: the model has no float tensors, got %s"):format(kind, options.show(model))) end
    local slots = {}
    for _, name in ipairs(rules.slots(o)) do slots[name] = zeros(parameters) end
    return setmetatable({kind = kind, options = o, parameters = parameters, slots = slots, steps = 0}, meta)
  end
end

for kind in pairs(kinds) do M[kind] = make(kind) end

return M
