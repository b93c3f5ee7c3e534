--- Optimisers with PyTorch's formulas and defaults. opt:step(grads) updates the model's float tensors in
-- place.
--
-- Options are fields, checked whenever they are set: opt.lr = 1e-4 counts from the next step on. lr may be a
-- function of the step, counted from 1.

local core = require "tide.core"
local options = require "tide.base.options"
local tree = require "tide.base.tree"

local M = {}
local raise = core.raise

local function zeros(list)
  local out = {}
  for i, x in ipairs(list) do out[i] = core.full(x:shape(), 0, x:dtype()) end
  return out
end

local function default(v) return {"number", default = v, check = options.not_negative} end
local function check_rate(v) return type(v) == "function" or options.not_negative(v), ">= 0" end
local function rate(v) return {"number|function", default = v, required = v == nil, check = check_rate} end
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
    spec = {lr = rate(), momentum = default(0), weight_decay = default(0), nesterov = flag},
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

local function describe(x)
  return tree.is_tensor(x) and ("{%s} (%s)"):format(table.concat(x:shape(), ", "), x:dtype())
end

-- ---- steps ----

--- The learning rate of a step (default: the next one), counted from 1.
function methods:rate(step)
  local lr = self.values.lr
  if type(lr) ~= "function" then return lr end
  step = step or self.steps + 1
  local v = lr(step)
  if type(v) ~= "number" or not options.not_negative(v) then
    raise(("%s: lr, a function of the step, must return a number >= 0, got %s at step %d"):format(self.kind,
      options.show(v), step))
  end
  return v
end

-- The tensor number `i` of the model by its place in it, in words.
local function name_of(self, i) return self.names[i] == "" and "the tensor" or self.names[i] end

-- Position i (from 0) of a tensor's elements as {row, column, ...}.
local function position(x, i)
  local at, shape = {}, x:shape()
  for axis = #shape, 1, -1 do
    at[axis] = i % shape[axis] + 1
    i = i // shape[axis]
  end
  return #at > 0 and ("[%s]"):format(table.concat(at, "][")) or ""
end

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
  local at = name_of(self, i) .. position(self.parameters[i], index)
  return faults[what]:format(at, options.show(value), lr) .. ". Weights and moments are as before the step"
end

-- Gradients of the right number and of other names: of another model. A single tensor has no name.
local function check_names(self, grads)
  for i, name in ipairs(tree._names(grads)) do
    if name ~= self.places[i] then
      raise(("%s: the gradient has \"%s\" where the model has \"%s\"; pass what tide.grad returned for this "
        .. "model"):format(self.kind, name,
        self.places[i]))
    end
  end
end

-- The tensors of a list, each once; at[i] is the place of list[i] among them. shared: does one stand in
-- several places, as a layer used twice?
local function once(list)
  local unique, at, seen = {}, {}, {}
  for i, x in ipairs(list) do
    if not seen[x] then
      unique[#unique + 1] = x
      seen[x] = #unique
    end
    at[i] = seen[x]
  end
  return unique, at, #unique < #list
end

-- The gradient of a tensor that stands in several places is the sum of theirs.
local function summed(self, list)
  if #list ~= #self.places then
    raise(("%s: the model has %d float tensors, the gradient %d; pass what tide.grad returned for this model")
      :format(self.kind, #self.places, #list))
  end
  local out = {}
  for i, g in ipairs(list) do
    local j = self.at[i]
    out[j] = out[j] and out[j] + g or g
  end
  return out
end

--- What train calls: a step, or what is wrong with it as a text; then nothing has changed.
function methods:_try(grads)
  local step = self.steps + 1
  local lr = self:rate(step)
  local list, structure = core.tree_structure(grads)
  if structure ~= self.structure and #list == #self.places then check_names(self, grads) end
  if self.shared then list = summed(self, list) end
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
  local out = {steps = core.full({}, self.steps, "int64"), options = {}}
  for name, v in pairs(self.values) do
    if type(v) == "function" then v = 0 / 0 end
    if type(v) == "boolean" then v = v and 1 or 0 end
    out.options[name] = core.tensor_from(v, "float64")
  end
  for name, list in pairs(self.slots) do
    out[name] = {}
    for i, x in ipairs(list) do out[name][i] = x:clone() end
  end
  return out
end

-- The options of a state, checked; a state of before options were kept has none: those of the optimiser.
-- Options of another kind are left to the checks that follow.
local function state_options(self, state)
  local out, own = {}, self.values
  for name, v in pairs(own) do out[name] = v end
  for name, x in pairs(state.options or {}) do
    if own[name] == nil then return own end
    if not tree.is_tensor(x) then raise(self.kind .. ": this is not a state that opt:state() returned") end
    local v, is_function = x:totable(), type(own[name]) == "function"
    if type(own[name]) == "boolean" then v = v ~= 0 end
    if v ~= v and not is_function then
      raise(("%s: the state was made with a function as %s, this optimiser has %s; give it the function as "
        .. "well"):format(self.kind, name,
        options.show(own[name])))
    elseif v == v and is_function then
      raise(("%s: the state was made with %s = %s, this optimiser has a function; one of them is not what is "
        .. "meant"):format(self.kind, name,
        options.show(v)))
    end
    out[name] = is_function and own[name] or v
  end
  return options.check("optim." .. self.kind, out, kinds[self.kind].spec)
end

local function check_slot(self, state, name)
  local list, shapes = state[name], self.parameters
  if type(list) ~= "table" or #list ~= #shapes then
    raise(("%s: the state has no \"%s\" for %d tensors; it belongs to another optimiser or model"):format(
      self.kind, name, #shapes))
  end
  for i, x in ipairs(shapes) do
    local got = describe(list[i])
    if not got then
      raise(("%s: state %s[%d] must be a tensor, got %s"):format(self.kind, name, i, options.show(list[i])))
    end
    if got ~= describe(x) then
      raise(("%s: state %s[%d] has shape %s, expected %s"):format(self.kind, name, i, got, describe(x)))
    end
    if list[i]:ne(list[i]):max():item() == 1 or list[i]:abs():max():item() == math.huge then
      raise(("%s: state %s[%d], of %s, is not finite"):format(self.kind, name, i, name_of(self, i)))
    end
  end
end

--- Go on from a state; it must come from the same kind of optimiser of a model with the same shapes.
function methods:load_state(state)
  if type(state) ~= "table" or describe(state.steps) ~= "{} (int64)" or state.steps:item() < 0 then
    raise(self.kind .. ": this is not a state that opt:state() returned")
  end
  local o = state_options(self, state)
  local wanted = {}
  for _, name in ipairs(kinds[self.kind].slots(o)) do
    wanted[name] = true
    check_slot(self, state, name)
  end
  for _, name in ipairs(options.sorted_keys(state)) do
    if name ~= "steps" and name ~= "options" and not wanted[name] then
      raise(("%s: the state has \"%s\", which this optimiser does not keep; it belongs to another kind, or "
        .. "to other options")
        :format(self.kind, name))
    end
  end
  for _, name in ipairs(options.sorted_keys(state.options or {})) do
    if o[name] == nil then
      raise(("%s: the state has the option %s; it belongs to another kind of optimiser"):format(self.kind,
        name))
    end
  end
  for name, v in pairs(o) do self.options[name] = v end -- all was checked: here everything begins to change
  for name in pairs(wanted) do
    for i, x in ipairs(self.slots[name]) do x:copy_(state[name][i]) end
  end
  self.steps, self.known = state.steps:item(), false
end

-- ---- objects ----

for name, method in pairs(methods) do
  methods[name] = function(self, ...)
    local meta = getmetatable(self)
    if type(meta) ~= "table" or meta.methods ~= methods then
      raise(("optimiser: %s is a method; call it with a colon, opt:%s(...)"):format(name, name))
    end
    return method(self, ...)
  end
end

-- The fields that are set from outside are the options.
local function class(kind)
  local names = options.sorted_keys(kinds[kind].spec)
  local fields = table.move(names, 1, #names, 1, {})
  for _, name in ipairs(options.sorted_keys(methods)) do
    if name:sub(1, 1) ~= "_" then fields[#fields + 1] = name end
  end
  return {
    __name = "optimiser", methods = methods, fields = kinds[kind].spec,
    __index = function(self, key)
      if methods[key] then return methods[key] end
      if not kinds[kind].spec[key] then
        raise(("optim.%s: %s"):format(kind, options.unknown("field", key, fields)))
      end
      return self.options[key]
    end,
    __newindex = function(self, key, value) self.options[key] = value end,
    __pairs = function(self) return pairs(self.options) end,
    __tostring = function(self)
      local words = {}
      for i, name in ipairs(names) do
        local v = self.options[name]
        words[i] = name .. " = " .. (type(v) == "function" and "a function of the step" or tostring(v))
      end
      return ("optim.%s: %s (%d steps, %d tensors)"):format(kind, table.concat(words, ", "), self.steps,
        #self.parameters)
    end,
  }
end

local function make(kind)
  local meta, rules = class(kind), kinds[kind]
  return function(model, opts)
    local where = "optim." .. kind
    local values = options.check(where, opts, rules.spec)
    if rules.check then rules.check(values) end
    local all, structure = core.tree_structure(model)
    local parameters, at, shared = once(all)
    local places, names = tree._names(model), {}
    for i = #places, 1, -1 do names[at[i]] = places[i] end
    if #parameters == 0 then
      raise(("%s: the model has no float tensors, got %s"):format(where, options.show(model)))
    end
    local slots = {}
    local function keep(o) -- sgd keeps a buffer from when its momentum is not 0
      for _, name in ipairs(rules.slots(o)) do slots[name] = slots[name] or zeros(parameters) end
    end
    keep(values)
    local record, own = options.record(where, values, rules.spec, keep)
    -- known: do all numbers in the slots lie in their usual range? See bindings/optim.c.
    return setmetatable({kind = kind, options = record, values = own, parameters = parameters, names = names,
      structure = structure,
                         places = places, at = at, shared = shared, slots = slots, steps = 0, known = false},
                         meta)
  end
end

M._kinds = options.sorted_keys(kinds)
for kind in pairs(kinds) do M[kind] = make(kind) end
M.schedule = require "tide.train.schedule"

return M
