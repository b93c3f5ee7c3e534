--- What all optimisers are: options as fields, checked whenever they are set, methods, and options in states.

local core = require "tide.core"
local leaves = require "tide.train.leaves"
local options = require "tide.base.options"
local tree = require "tide.base.tree"

local M = {}
local raise = core.raise

function M.check_rate(v) return type(v) == "function" or options.not_negative(v), ">= 0" end

--- Options of a new optimiser, checked.
function M.check(where, opts, spec)
  if type(opts) == "table" and type(opts.lr) == "table" then
    raise(("%s: lr must be a number or a function of the step, got a table; a plateau is for tide.train"
      .. "{schedule = ...}"):format(where))
  end
  return options.check(where, opts, spec, 3)
end

--- The learning rate of a step (default: the next one), counted from 1.
function M.rate(self, step)
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

-- ---- options in states ----

--- Options as tensors. One that is a function is marked by NaN: whoever goes on must have it too.
function M.options_state(self)
  local out = {}
  for name, v in pairs(self.values) do
    if type(v) == "function" then v = 0 / 0 end
    if type(v) == "boolean" then v = v and 1 or 0 end
    if type(v) == "string" then
      out[name] = core.tensor_from({v:byte(1, -1)}, "uint8")
    else
      out[name] = core.tensor_from(v, "float64")
    end
  end
  return out
end

local function value_of(x, own)
  if x:dtype() == "uint8" then return string.char(table.unpack(x:totable())) end
  local v = x:totable()
  if type(own) == "boolean" then return v ~= 0 end
  return v
end

--- The options of a state, checked; a state of before options were kept has none: those of the optimiser.
-- Options of another kind are left to the checks that follow.
function M.state_options(self, state, spec)
  local out, own = {}, self.values
  for name, v in pairs(own) do out[name] = v end
  for name, x in pairs(state.options or {}) do
    if not spec[name] then return own end
    if not tree.is_tensor(x) then raise(self.kind .. ": this is not a state that opt:state() returned") end
    local v, is_function = value_of(x, own[name]), type(own[name]) == "function"
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
  return options.check("optim." .. self.kind, out, spec)
end

--- Refuses a state with names other than those of the set `wanted`, or options of another kind.
function M.check_state_names(self, state, wanted, o)
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
end

--- Shape and dtype of a tensor as a text; false for anything else.
function M.describe(x)
  return tree.is_tensor(x) and ("{%s} (%s)"):format(table.concat(x:shape(), ", "), x:dtype())
end

function M.check_state(self, state)
  if type(state) ~= "table" or M.describe(state.steps) ~= "{} (int64)" or state.steps:item() < 0 then
    raise(self.kind .. ": this is not a state that opt:state() returned")
  end
end

-- ---- objects ----

--- Methods that say so when they are called without an optimiser in front.
function M.methods(methods)
  for name, method in pairs(methods) do
    methods[name] = function(self, ...)
      local meta = getmetatable(self)
      if type(meta) ~= "table" or meta.methods ~= methods then
        raise(("optimiser: %s is a method; call it with a colon, opt:%s(...)"):format(name, name))
      end
      return method(self, ...)
    end
  end
  return methods
end

--- The metatable of a kind. The fields that are set from outside are the options.
function M.class(kind, spec, methods)
  local names = options.sorted_keys(spec)
  local fields = table.move(names, 1, #names, 1, {})
  for _, name in ipairs(options.sorted_keys(methods)) do
    if name:sub(1, 1) ~= "_" then fields[#fields + 1] = name end
  end
  return {
    __name = "optimiser", methods = methods, fields = spec,
    __index = function(self, key)
      if methods[key] then return methods[key] end
      if not spec[key] then raise(("optim.%s: %s"):format(kind, options.unknown("field", key, fields))) end
      return self.options[key]
    end,
    __newindex = function(self, key, value) self.options[key] = value end,
    __pairs = function(self) return pairs(self.options) end,
    __tostring = function(self)
      local words = {}
      for _, name in ipairs(names) do
        local v = self.options[name]
        if v ~= nil then
          words[#words + 1] = name .. " = " .. (type(v) == "function" and "a function of the step"
            or tostring(v))
        end
      end
      return ("optim.%s: %s (%d steps, %d tensors)"):format(kind, table.concat(words, ", "), self.steps,
        #self.parameters)
    end,
  }
end

-- ---- optimisers that look around before they step ----

function M.dot(a, b) return (a * b):sum():item() end
function M.largest(a) return a:numel() > 0 and a:abs():max():item() or 0 end

--- Their constructor: the model is one vector, `takes` what a step is given, memory() what a new one knows.
function M.maker(kind, spec, methods, takes, memory)
  local meta, where = M.class(kind, spec, M.methods(methods)), "optim." .. kind
  return function(model, opts)
    local values = M.check(where, opts, spec)
    local self = leaves.of(where, model)
    self.options, self.values = options.record(where, values, spec)
    self.kind, self.steps, self.memory, self.takes = kind, 0, memory(), takes
    self.vector, self.model = leaves.vector(self), model
    return setmetatable(self, meta)
  end
end

--- The end of load_state: all was checked, here everything begins to change.
function M.adopt(self, state, o, memory)
  for name, v in pairs(o) do self.options[name] = v end
  rawset(self, "memory", memory)
  rawset(self, "steps", state.steps:item())
end

local function copy(memory)
  local out = {}
  for name, v in pairs(memory) do
    out[name] = type(v) == "table" and table.move(v, 1, #v, 1, {}) or v
  end
  return out
end

--- run() of an optimiser that changes the model while it searches: after an error model and memory are as
-- before.
function M.guarded(self, run)
  local x, memory = self.vector:join(self.parameters), copy(self.memory)
  local results = table.pack(pcall(run))
  if results[1] then return table.unpack(results, 2, results.n) end
  self.vector:write(x)
  rawset(self, "memory", memory)
  error(results[2], 0)
end

--- fn(...), or nil where the numbers there are none: a solve that fails, a loss that is not finite.
function M.attempt(fn, ...)
  local results = table.pack(pcall(fn, ...))
  if results[1] then return table.unpack(results, 2, results.n) end
  local failure = results[2]
  if not (core.is_failure(failure) and failure.kind == "numeric") then error(failure, 0) end
end

local report_meta = {__name = "report", __tostring = function(r)
  return ("loss %.6g, gradient %.3g, %d iterations, %d evaluations, ended by %s"):format(r.loss, r.gradient,
    r.iterations, r.evaluations, r.reason)
end}

--- What a step came to, which prints itself.
function M.report(r) return setmetatable(r, report_meta) end

--- Ends the step: what is not finite at its beginning.
function M.not_finite(self, words)
  core.fail{status = "not_finite", kind = "numeric", step = self.steps + 1,
    message = ("%s: step %d: %s. The model is as before the step"):format(self.kind, self.steps + 1, words)}
end

--- A flat tensor of a state, checked.
function M.check_vector(self, name, x, dtype)
  local v = self.vector
  local want = ("{%d} (%s)"):format(v.length, dtype or v.dtype)
  if M.describe(x) ~= want then
    raise(("%s: state %s has %s, expected %s; it belongs to another optimiser or model"):format(self.kind,
      name, M.describe(x) or options.show(x), want))
  end
  if x:numel() > 0 and not options.finite((x * 0):sum():item()) then
    raise(("%s: state %s is not finite"):format(self.kind, name))
  end
  return x:clone()
end

return M
