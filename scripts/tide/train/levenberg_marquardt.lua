--- Levenberg and Marquardt's method for least squares: Gauss-Newton steps, damped until they gain what the
-- model of the residuals foretells.
--
-- Sources: J. Nocedal, S. Wright, Numerical Optimization (2nd ed., 2006), section 10.3; D. Marquardt, An
-- algorithm for least-squares estimation of nonlinear parameters (1963); the scaling by the largest norms of
-- the Jacobian's columns so far: J. More, The Levenberg-Marquardt algorithm (1978), section 6; the damping by
-- the gain: H. Nielsen, Damping parameter in Marquardt's method (1999), equation 2.5.

local autodiff = require "tide.tensor.autodiff"
local core = require "tide.core"
local linalg = require "tide.tensor.linalg"
local optimiser = require "tide.train.optimiser"
local options = require "tide.base.options"
local second_order = require "tide.tensor.second_order"
local tree = require "tide.base.tree"

local raise = core.raise
local KIND = "levenberg_marquardt"
local FEW = 500            -- parameters whose Jacobian is made
local MOST_ENTRIES = 1 << 25 -- of that Jacobian
local LEAST_DAMPING, MOST_DAMPING = 1e-20, 1e60 -- beyond the latter no step is left

local spec = {
  damping = {"number", default = 1e-3, check = options.positive},
  max_iter = {"integer", default = 20, check = options.at_least(1)},
  tolerance_grad = {"number", default = 1e-8, check = options.not_negative},
  tolerance_change = {"number", default = 1e-9, check = options.not_negative},
  solver = {"string", default = "auto", check = options.one_of{"auto", "dense", "cg"}},
  cg_tolerance = {"number", default = 1e-3, check = options.between(0, 1)},
  cg_iterations = {"integer", default = 100, check = options.at_least(1)},
}

local dot, largest = optimiser.dot, optimiser.largest

-- ---- the residuals ----

-- residuals(model) as a function of the list of the model's tensors that returns one vector.
local function flat_function(self, residuals)
  local where, dtype = self.kind, self.vector.dtype
  return function(list)
    local all = {}
    for i, at in ipairs(self.at) do all[i] = list[at] end
    local y = residuals(tree.replace(self.model, all, true))
    local parts = tree.tensors(y, true)
    if #parts == 0 then
      raise(("%s: the function must return the residuals, a float tensor or a table of them, got %s"):format(
        where, options.show(y)))
    end
    for i, x in ipairs(parts) do parts[i] = x:reshape{x:numel()}:to(dtype) end
    return #parts == 1 and parts[1] or core.apply("cat", {0}, table.unpack(parts))
  end
end

-- {r = residuals, value = half their sum of squares} at x.
local function evaluate(self, problem, x)
  local r = problem.residuals(self.vector:cut(x))
  if r:numel() == 0 then raise(self.kind .. ": there are no residuals") end
  return {r = r, value = dot(r, r) / 2}
end

local function is_dense(self, rows)
  local kind, n = self.values.solver, self.vector.length
  if kind ~= "auto" then return kind == "dense" end
  return n <= FEW and n * rows <= MOST_ENTRIES
end

-- ---- steps by a Jacobian ----

-- Steps for any damping from one QR factorisation: least |J d + r|^2 + damping |D d|^2, D the largest norms
-- of J's columns so far. In terms of D d, and in float64 whatever the model's dtype: with little damping the
-- matrix is as ill-conditioned as J.
local function dense_steps(self, problem, x, here)
  local m, n = self.memory, self.vector.length
  local J = second_order.jacobian(problem.flat, self.vector:cut(x), {flat = true}):to "float64"
  local squares, r = J:square():sum(1), here.r:to "float64"
  m.scale = m.scale and squares:maximum(m.scale) or squares
  local D = core.apply("where", {}, m.scale:gt(0), m.scale, 1):sqrt()
  m.damping = m.damping or self.values.damping
  local gradient = J:transpose():matmul(r)
  local Q, R = linalg.qr(J / D)
  local right = core.apply("cat", {0}, -(Q:transpose():matmul(r)), core.full({n}, 0, "float64"))
  local one = core.full({n}, 1, "float64"):diag()
  return gradient:to(self.vector.dtype), function(damping)
    local z = linalg.lstsq(core.apply("cat", {0}, R, one * damping ^ 0.5), right)
    local Rz = R:matmul(z)
    return (z / D):to(self.vector.dtype), -dot(gradient / D, z) - dot(Rz, Rz) / 2
  end
end

-- ---- steps by products ----

-- Conjugate gradients for (G + damping) d = -gradient (Nocedal and Wright, algorithm 5.2); also the gain that
-- the model foretells, from the residual that is left.
local function conjugate(self, product, gradient, damping)
  local o = self.values
  local d, res = gradient * 0, -gradient
  local p, now = res, dot(gradient, gradient)
  local stop = o.cg_tolerance ^ 2 * now
  for _ = 1, math.min(o.cg_iterations, self.vector.length) do
    if now <= stop then break end
    local Gp = product(p) + p * damping
    local curve = dot(p, Gp)
    if not (curve > 0) then break end
    local step = now / curve
    d, res = d + p * step, res - Gp * step
    local before = now
    now = dot(res, res)
    p = res + p * (now / before)
  end
  local Gd = -gradient - res - d * damping
  return d, -dot(gradient, d) - dot(d, Gd) / 2
end

local function product_steps(self, problem, x)
  local v, m = self.vector, self.memory
  local list = v:cut(x)
  local gradient = v:join(problem.gradient(list))
  local function product(p) return v:join(problem.product(list, v:cut(p))) end
  if not m.damping then -- in units of the curvature along the gradient
    local square = dot(gradient, gradient)
    local curve = square > 0 and dot(gradient, product(gradient)) / square or 0
    m.damping = self.values.damping * (curve > 0 and curve or 1)
  end
  return gradient, function(damping) return conjugate(self, product, gradient, damping) end
end

-- What a step asks of the residuals, recorded once.
local function problem_of(self, residuals)
  local flat = flat_function(self, residuals)
  local problem = {flat = flat, residuals = autodiff.compile(flat)}
  problem.gradient = autodiff.compile(function(list)
    local r, pull = autodiff.vjp(flat, list)
    return pull(r)
  end)
  problem.product = autodiff.compile(function(list, p)
    return (select(2, second_order.gauss_newton(flat, list, p)))
  end)
  return problem
end

-- ---- one iteration ----

-- Nielsen's rule: less damping after a good gain, more and more after bad ones.
local function adapt(m, gain)
  if gain > 0 then
    m.damping, m.growth = math.max(LEAST_DAMPING, m.damping * math.max(1 / 3, 1 - (2 * gain - 1) ^ 3)), 2
  else
    m.damping, m.growth = m.damping * m.growth, m.growth * 2
  end
end

-- Damps until the sum of squares falls. Returns why the search ends here, or nil.
local function search(self, problem, run, steps)
  local m, tolerance = self.memory, self.values.tolerance_change
  local before = run.here.value
  while m.damping < MOST_DAMPING do
    local d, foretold = steps(m.damping)
    if dot(d, d) ^ 0.5 <= tolerance * (dot(run.x, run.x) ^ 0.5 + tolerance) then return "tolerance_change" end
    local x = run.x + d
    self.vector:write(x)
    local there = optimiser.attempt(evaluate, self, problem, x)
    run.evaluations = run.evaluations + 1
    local fits = there and options.finite(there.value) and foretold > 0
    local gain = fits and (before - there.value) / foretold or -1
    adapt(m, gain)
    if gain > 0 then
      run.x, run.here = x, there
      return before - there.value <= tolerance * before and gain > 0.25 and "tolerance_change" or nil
    end
  end
  return "no_gain"
end

local function iterate(self, problem, run)
  local o = self.values
  local gradient, steps = (is_dense(self, run.here.r:numel()) and dense_steps or product_steps)(self, problem,
    run.x, run.here)
  run.gradient = largest(gradient)
  if self.vector:fault(gradient) then
    local place, number = self.vector:fault(gradient)
    optimiser.not_finite(self, ("the gradient of %s is %s"):format(place, options.show(number)))
  end
  if run.gradient <= o.tolerance_grad then return "tolerance_grad" end
  if run.iterations >= o.max_iter then return "max_iter" end
  run.iterations = run.iterations + 1
  local reason = search(self, problem, run, steps)
  self.vector:write(run.x)
  return reason
end

-- ---- methods ----

local methods = {}

--- step(residuals) -> half the sum of squares before, and a report {loss, gradient = its largest entry,
-- iterations, evaluations, damping, reason}. residuals(model) -> a tensor or a table of them, written on
-- tensors as what tide.grad differentiates. After an error the model is as before.
function methods.step(self, residuals)
  local meta = getmetatable(residuals)
  if type(residuals) ~= "function" and not (type(meta) == "table" and meta.__call) then
    raise(("%s: step takes the function of the residuals, opt:step(function(model) return model(x) - y end); "
      .. "got %s"):format(self.kind, options.show(residuals)))
  end
  return optimiser.guarded(self, function()
    local x, problem = self.vector:join(self.parameters), problem_of(self, residuals)
    local place, number = self.vector:fault(x)
    if place then optimiser.not_finite(self, ("%s is %s"):format(place, options.show(number))) end
    local run = {x = x, here = evaluate(self, problem, x), iterations = 0, evaluations = 1}
    local first, reason = run.here.value, nil
    if not options.finite(first) then
      optimiser.not_finite(self, "the sum of the squared residuals is " .. options.show(first))
    end
    while not reason do reason = iterate(self, problem, run) end
    rawset(self, "steps", self.steps + 1)
    return first, optimiser.report{loss = run.here.value, gradient = run.gradient,
      iterations = run.iterations, evaluations = run.evaluations, damping = self.memory.damping,
      reason = reason}
  end)
end

function methods.state(self)
  local m = self.memory
  return {steps = core.full({}, self.steps, "int64"), options = optimiser.options_state(self),
    damping = m.damping and core.full({}, m.damping, "float64"), growth = core.full({}, m.growth, "float64"),
    scale = m.scale and m.scale:clone()}
end

function methods.load_state(self, state)
  optimiser.check_state(self, state)
  local o = optimiser.state_options(self, state, spec)
  optimiser.check_state_names(self, state, {damping = true, growth = true, scale = true}, o)
  if optimiser.describe(state.growth) ~= "{} (float64)"
    or state.damping and optimiser.describe(state.damping) ~= "{} (float64)" then
    raise(self.kind .. ": this is not a state that opt:state() returned")
  end
  local memory = {growth = state.growth:item(), damping = state.damping and state.damping:item(),
    scale = state.scale and optimiser.check_vector(self, "scale", state.scale, "float64")}
  optimiser.adopt(self, state, o, memory)
end

--- levenberg_marquardt(model, opts) -> optimiser; see help("optim.levenberg_marquardt").
return optimiser.maker(KIND, spec, methods, "residuals", function() return {growth = 2} end)
