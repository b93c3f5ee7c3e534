--- Options of odeint. The table of them, with types, defaults, ranges and help, is core/solver/options.c.

local core = require "tide.core"
local events = require "tide.ode.events"
local jacobian = require "tide.ode.jacobian"
local methods = require "tide.ode.methods"
local options = require "tide.base.options"
local tolerances = require "tide.ode.tolerances"
local tree = require "tide.base.tree"

local M = {}
local raise, show = core.raise, options.show

-- ---- the table ----

local rows = core.solve_options()

local function check_of(row)
  local check = row.choices and options.one_of(row.choices)
    or row.low and options.within(row.low, row.high, row.open)
  if not (check and row.also) then return check end
  return function(v)
    if type(v) ~= "number" and type(v) ~= "string" then return true end
    return check(v)
  end
end

local spec, inherited, refused, fixed = {}, {}, {}, {}
for _, row in ipairs(rows) do
  local kinds = row.also and row.type .. "|" .. row.also or row.type
  spec[row.name] = {kinds, default = row.default, check = check_of(row)}
  inherited[row.name], fixed[row.name] = row.same_as, row.default_fixed
  if row.grid == "refuses" then refused[#refused + 1] = row.name end
end

--- The table as rows of a help entry.
function M.help()
  local list = {}
  for i, row in ipairs(rows) do
    local more = row.same_as and "; default: " .. row.same_as
      or row.default_fixed and ("; on a grid %g"):format(row.default_fixed) or ""
    list[i] = {row.name, row.default, row.help .. more, quote = true, heading = row.heading}
  end
  return list
end

-- ---- what a row alone does not say ----

-- Times to hit, ascending, and which of them are jumps of f.
local function times_to_hit(where, o)
  local jump, times, jumps = {}, {}, {}
  for _, name in ipairs{"stops", "jumps"} do
    local list = o[name] or {}
    if tree.is_tensor(list) then
      if core.is_symbolic(list) then
        raise(("%s: %s must be numbers, got a tensor that is being recorded"):format(where, name))
      end
      if list:rank() > 1 then
        raise(("%s: %s must be a list of finite numbers, got a tensor of rank %d"):format(where, name,
          list:rank()))
      end
      list = list:totable()
      if type(list) == "number" then list = {list} end
    end
    for key, v in pairs(list) do
      if type(v) ~= "number" or not options.finite(v) then
        raise(("%s: %s must be a list of finite numbers, got %s[%s] = %s"):format(where, name, name,
          tostring(key), show(v)))
      end
      jump[v + 0.0] = jump[v + 0.0] or name == "jumps"
    end
  end
  for t in pairs(jump) do times[#times + 1] = t end
  table.sort(times)
  for i, t in ipairs(times) do jumps[i] = jump[t] end
  return times, jumps
end

local function check_order(where, order, method)
  if method.family ~= "multistep" then
    raise(("%s: order is an option of multistep methods; the order of %s is %d"):format(where, method.name,
      method.order))
  end
  if method.varies then
    raise(("%s: %s varies its order; max_order = %d sets the highest"):format(where, method.name, order))
  end
  local least, most = method.least_order or method.order, method.order
  if order < least or order > most then
    local there = least < most and ("%d to %d"):format(least, most) or tostring(most)
    raise(("%s: order = %d of %s is not there, only %s"):format(where, order, method.name, there))
  end
end

local function check_max_order(where, most, method)
  if not (method.family == "multistep" and (method.varies or method.varying_order)) then
    raise(("%s: max_order is an option of methods that vary their order, which %s does not"):format(where,
      method.name))
  end
  local has = method.varying_order or method.order
  if most > has then
    raise(("%s: max_order = %d is more than %s has, %d"):format(where, most, method.name, has))
  end
end

-- The highest order of methods that vary it, parts of a pair.
local function check_varies(where, o, method)
  local name_of_half = method.family == "automatic" and o.stiff
  local half = name_of_half and methods.find(where, name_of_half)
  if o.max_order then
    check_max_order(where, o.max_order, half and half.varying_order and half or method)
  end
  for _, name in ipairs{"nonstiff", "stiff"} do
    if o[name] and method.family ~= "automatic" then
      raise(('%s: %s = "%s" is an option of the method "auto", not of %s'):format(where, name, o[name],
        method.name))
    end
  end
end

-- A method with two forms, in the one that chooses its order and its steps.
local function check_varying(where, o, method)
  local name = method.name
  if o.order then
    raise(("%s: order = %d of %s is for fixed steps (steps = n); where it chooses its steps it chooses its "
      .. "order, too: max_order = %d sets the highest"):format(where, o.order, name,
      math.min(o.order, method.varying_order)))
  end
  if o.start and o.start ~= "rk" then
    raise(("%s: start is for fixed steps; where %s chooses its steps it begins with order 1"):format(where,
      name))
  end
end

local function check_start(where, start, method)
  if start == nil or start == "rk" then return end
  if type(start) == "string" then
    raise(('%s: start must be "rk" or a list of states, got "%s"'):format(where, start))
  end
  if method.family ~= "multistep" then
    raise(("%s: start is an option of multistep methods; %s needs no states before y0"):format(where,
      method.name))
  end
end

-- Gains by number.
local function check_controller(where, k)
  local sum = 0
  for key, v in pairs(k) do
    if not options.integer(key) or key < 1 or key > 3 or type(v) ~= "number" or not options.finite(v) then
      raise(("%s: controller must be a word or three finite numbers {k1, k2, k3}, got controller[%s] = %s")
        :format(where, tostring(key), show(v)))
    end
    sum = sum + v
  end
  if #k ~= 3 then
    raise(("%s: controller must be a word or three numbers {k1, k2, k3}, got %d"):format(where, #k))
  end
  if sum <= 0 then
    raise(("%s: controller: k1 + k2 + k3 must be > 0, got %g; steps would not follow the error"):format(where,
      sum))
  end
end

-- prefix: of the names of the options.
local function check_resolved(where, prefix, rtol, atol, dtype)
  if rtol == 0 and atol == 0 then
    raise(("%s: %srtol and %satol are both 0; at least one must be > 0"):format(where, prefix, prefix))
  end
  local smallest = dtype and core.smallest_rtol(dtype) or 0
  if rtol < smallest and rtol > 0 then
    raise(("%s: %srtol = %g is below what %s can resolve (%.1e); loosen it%s"):format(where, prefix, rtol,
      dtype, smallest, dtype == "float32" and ' or use dtype "float64"' or ""))
  end
end

local function check_tolerances(where, o, dtype)
  tolerances.check(where, o)
  if not (o.rtol_each or o.atol_each) then check_resolved(where, "", o.rtol, o.atol, dtype) end
end

-- What steers steps that adapt means nothing on a fixed grid, which is what the user asked for.
local function check_grid(where, o, given)
  if o.step_size and o.steps then raise(where .. ": give step_size or steps, not both") end
  for _, name in ipairs(refused) do
    if o[name] then
      raise(("%s: %s is for steps that adapt; the grid of step_size or steps is fixed. Choose a grid with "
        .. "nodes there, solve the pieces one after the other, or leave out step_size and steps"):format(
        where, name))
    end
  end
  for name, default in pairs(fixed) do
    if given[name] == nil then o[name] = default end
  end
  tolerances.check(where, o)
  o.rtol_each, o.atol_each = nil, nil
end

local function check_adaptive(where, o, method, dtype)
  if method.kind == "fixed" then
    raise(("%s: %s is a fixed-step method; give step_size = h or steps = n"):format(where, method.name))
  end
  check_tolerances(where, o, dtype)
  if o.min_step and o.max_step and o.min_step > o.max_step then
    raise(("%s: min_step = %g is longer than max_step = %g"):format(where, o.min_step, o.max_step))
  end
end

local adjoint_spec = {
  method = {"any"}, norm = {"string", check = options.one_of{"seminorm", "part", "batch", "sample"}},
  rtol = {"number", check = options.not_negative}, atol = {"number", check = options.not_negative},
}

local function check_adjoint_method(where, o, method)
  local grid = o.step_size or o.steps
  if method.family == "symplectic" then
    raise(("%s: %s is for states {q =, p =}, and that of an adjoint is another"):format(where, method.name))
  elseif grid and method.varies then
    raise(("%s: %s chooses its steps, and the grid of step_size or steps is fixed"):format(where,
      method.name))
  elseif not grid and method.kind == "fixed" and not method.varying_order then
    raise(("%s: %s is a fixed-step method, and the solve has no grid; take one with an error estimate")
      :format(where, method.name))
  end
end

-- Of the solve backwards of a continuous adjoint. Its tolerances become those options that are so called.
local function check_adjoint(where, o, given)
  if not o.adjoint then return end
  where = where .. ": adjoint"
  local a = options.check(where, o.adjoint, adjoint_spec, 3)
  for _, name in ipairs{"rtol", "atol"} do
    local long = "adjoint_" .. name
    if a[name] and given[long] then raise(("%s: give %s or %s, not both"):format(where, name, long)) end
    o[long] = a[name] or o[long]
  end
  if a.method ~= nil then
    local method = methods.find(where, a.method)
    check_adjoint_method(where, o, method)
    a.method = methods.is_listed(method) and method.name or method
  end
  o.adjoint = a
end

local function check_callback(where, o, given)
  if o.eager and o.plain then raise(where .. ": give eager or plain, not both") end
  if (o.eager or o.plain) and o.per_sample then
    raise(("%s: per_sample = true is for recorded fields, in which the engine sees that samples are "
      .. "independent; leave out %s = true, or solve the samples one by one"):format(where,
      o.eager and "eager" or "plain"))
  end
  if (o.eager or o.plain) and given.gradient then
    raise(("%s: a field with %s = true has no gradient; leave out gradient"):format(where,
      o.eager and "eager" or "plain"))
  end
end

-- Of a user's own method: those of any.
local own_gradients = {"direct", "adjoint", "checkpoint", "interpolated", "forward"}

local function check_forward(where, o, method)
  if method.implicit and method.family ~= "rosenbrock" and not (o.steps or o.step_size) then
    raise(('%s: gradient = "forward" of %s is for fixed steps, where Newton\'s method goes down to rounding; '
      .. 'where it adapts its steps take "direct" or "checkpoint"'):format(where, method.name))
  end
end

local function check_gradient(where, gradient, method)
  local list = method.gradients or own_gradients
  for _, name in ipairs(list) do if name == gradient then return end end
  raise(('%s: gradient = "%s" does not work with %s, only "%s"'):format(where, gradient, method.name,
    table.concat(list, '", "')))
end

-- What is kept of a solve with gradient = "checkpoint": one of three ways to say it.
local function check_checkpoints(where, o, given)
  local named
  for _, name in ipairs{"checkpoint_steps", "checkpoints", "memory"} do
    if given[name] and named then
      raise(("%s: give %s or %s, not both: each says which states are kept"):format(where, named, name))
    end
    named = given[name] and name or named
  end
  if named and named ~= "checkpoint_steps" and o.gradient ~= "checkpoint" then
    raise(('%s: %s goes with gradient = "checkpoint", got %s'):format(where, named, show(o.gradient)))
  end
end

-- Two formulas whose difference is an error, and the direct gradient that goes through the steps: see
-- core/solver/defect.h.
local function check_defect(where, o, method)
  if o.eager or o.plain then
    raise(("%s: defect comes with the gradient, and a field with %s = true has none"):format(where,
      o.eager and "eager" or "plain"))
  end
  if o.gradient ~= "direct" and o.gradient ~= "checkpoint" then
    raise(('%s: defect goes with gradient = "direct" or "checkpoint", got %s'):format(where,
      show(o.gradient)))
  end
  local own = type(o.method) == "table"
  local explicit = own or method.family == "explicit"
  if not explicit or not method.b_error and #method.b > 1 then
    raise(("%s: defect is for euler and explicit methods with an error estimate (heun_euler, bosh3, dopri5, "
      .. "...), got %s"):format(where, own and "a tableau without b_error" or method.name))
  end
end

local function check_quadrature(where, o, method)
  if not o.quadrature or method.family ~= "symplectic" then return end
  raise(("%s: a quadrature is a third part of the state, and %s is for states {q =, p =}; take another "
    .. "method, or sum up the integral from the outputs"):format(where, method.name))
end

local function check_per_sample(where, o)
  if type(o.norm) == "function" then
    raise(where .. ": norm as a function is of the whole batch; with per_sample = true choose \"part\" or "
      .. "\"batch\", which are then those of a sample")
  end
end

--- No other names than those of solves and the list `more`: for who takes options of its own beside them.
function M.check_names(where, given, more)
  local all = {}
  for name in pairs(spec) do all[name] = true end
  for _, name in ipairs(more) do all[name] = true end
  for key in pairs(given) do
    if not all[key] then
      raise(("%s: %s"):format(where, options.unknown("option", key, options.sorted_keys(all))))
    end
  end
end

--- Check options without solving: see help("ode.check_options").
function M.check(where, given, dtype)
  local o = options.check(where, given, spec, 3)
  given = given or {}
  local method = methods.find(where, o.method, o.theta)
  o.method = methods.is_listed(method) and method.name or method
  if o.order then check_order(where, o.order, method) end
  check_start(where, o.start, method)
  check_callback(where, o, given)
  check_gradient(where, o.gradient, method)
  if o.gradient == "forward" then check_forward(where, o, method) end
  jacobian.check(where, o, method)
  check_checkpoints(where, o, given)
  if type(o.controller) == "table" then check_controller(where, o.controller) end
  check_varies(where, o, method)
  if method.varying_order and not (o.step_size or o.steps) then check_varying(where, o, method) end
  if (o.step_size or o.steps) and method.varies then
    raise(("%s: %s chooses its steps, it has no form with fixed steps; take %s instead, or leave "
      .. "out step_size and steps"):format(where, method.name, method.instead))
  end
  if o.step_size or o.steps then
    check_grid(where, o, given)
  else
    check_adaptive(where, o, method, dtype)
  end
  check_adjoint(where, o, given)
  local adjoint_own = o.adjoint_rtol or o.adjoint_atol
  for name, source in pairs(inherited) do
    if o[name] == nil then o[name] = o[source] end
  end
  if adjoint_own and not (o.step_size or o.steps) then
    check_resolved(where, "adjoint_", o.adjoint_rtol, o.adjoint_atol, dtype)
  end
  if o.defect then check_defect(where, o, method) end
  o.events = events.check(where, o.events)
  check_quadrature(where, o, method)
  if o.per_sample then check_per_sample(where, o) end
  o.hit_times, o.hit_jumps = times_to_hit(where, o)
  return o
end

return M
