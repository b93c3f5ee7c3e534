--- The works that are measured: each is one training step (forward, backward, Adam) on one batch that stays
-- the same.
--
-- Used by bench.lua (Tide alone) and worker.lua (side by side with peers). peers.py holds the same works for
-- PyTorch and JAX; a work's shape is told to them in the file that `export` writes, together with the data
-- and the weights.

local tide = require "tide"
local core = require "tide.core"
local nn = tide.nn

local M = {}

-- ---- batches ----

local function spheres(n)
  return function()
    local d = tide.data.spheres{dim = 2, inner = n // 3, outer = n - n // 3}
    return d.x, d.y
  end
end

-- Targets of the state's own shape, not far from it: what a flow can learn.
local function near(shape, seed)
  return function()
    local x = tide.randn(shape, {seed = seed})
    return x, tide.sin(x)
  end
end

local function images(n, c, size)
  return function()
    local labels = {}
    for i = 1, n do labels[i] = (7 * i) % 10 + 1 end
    return tide.rand({n, c, size, size}, {seed = 3}), tide.tensor(labels, {dtype = "int64"})
  end
end

-- ---- the list ----

-- What torchdiffeq does: its error weights, and the end of the span by interpolation from a step beyond it.
-- The steps are then the same.
local adaptive = {method = "dopri5_shampine", final = "interpolate", rtol = 1e-3, atol = 1e-3}
-- The peers do not check how well the adjoint rebuilds y, and which step first fails the check depends on
-- rounding: switched off.
local function with_gradient(solver, gradient)
  local o = {gradient = gradient, reconstruction_limit = math.huge}
  for k, v in pairs(solver) do o[k] = v end
  return o
end
local function euler(steps) return {method = "euler", steps = steps} end

-- pretrain: steps of Tide's own training before the weights are handed out, so that adaptive solves need as
-- many steps as they do in training. alone: not for peers. positions: pixels that one image's weights are
-- used for, for counting operations. precision: of matrix products.
local function toy(name, title, augment, gradient)
  return {name = name, title = title, loss = "smooth_l1", pretrain = 150, batch = spheres(64),
    solver = with_gradient(adaptive, gradient),
          spec = {kind = "mlp", augment = augment, time = 1, readout = 1},
          make = function(solver)
            return nn.odenet{dim = 2, hidden = 32, augment = augment, time = true, solver = solver, seed = 1}
          end}
end

-- The toy by a gradient that no peer has. Forward mode takes 256 parameters at most: a smaller field.
local function kind_of_gradient(gradient, title)
  local work = toy("toy-" .. gradient, title or "NODE 2-32-32-2 + t, dopri5, " .. gradient, 0, gradient)
  work.alone = true
  if gradient == "reversible" then
    work.solver = {method = "reversible_heun", rtol = 1e-3, atol = 1e-3, gradient = gradient}
  elseif gradient == "forward" then
    work.make = function(solver)
      return nn.odenet{dim = 2, hidden = 4, time = true, solver = solver, seed = 1}
    end
  end
  return work
end

local function image(name, title, c, size, filters, precision)
  return {name = name, title = title, loss = "cross_entropy", pretrain = 0, batch = images(64, c, size),
    solver = euler(8), heavy = true,
          positions = size * size, precision = precision, spec = {kind = "conv2d", augment = 0, time = 0,
            readout = 1},
          make = function(solver)
            return nn.conv_odenet{image = {c, size, size}, filters = filters, solver = solver, seed = 1}
          end}
end

-- A flow 2-w-w-2 with tanh and t; its loss is -log p, by noise that stays the same where it is estimated.
local function flow(name, title, divergence, hidden, batch)
  local noise = divergence == "hutchinson" and tide.randn({batch, 2}, {seed = 4}) or nil
  return {name = name, title = title, loss = "nll", pretrain = 150, noise = noise,
    solver = {method = "dopri5_shampine", final = "interpolate", rtol = 1e-4, atol = 1e-4},
    spec = {kind = "flow", augment = 0, time = 1, readout = 0},
    batch = function()
      local x = tide.data.moons{n = batch}.x
      return x, x
    end,
    call = function(model, x) return (model:log_prob(x, {noise = noise})) end,
    make = function(solver)
      return nn.cnf{dim = 2, hidden = hidden, divergence = divergence, solver = solver, seed = 1}
    end}
end

M.list = {
  toy("toy", "NODE 2-32-32-2 + t, dopri5", 0, "direct"),
  toy("toy-adjoint", "the same, continuous adjoint", 0, "adjoint"),
  kind_of_gradient("checkpoint"), kind_of_gradient("interpolated"),
  kind_of_gradient("reversible", "NODE 2-32-32-2 + t, reversible_heun, reversible"),
  kind_of_gradient("forward", "NODE 2-4-4-2 + t, dopri5, forward"),
  toy("anode", "ANODE 2+5, dopri5", 5, "direct"),
  {name = "conv1d", title = "Conv1d 1-32-32-1, length 2, Euler 64", loss = "mse", pretrain = 0,
    batch = near({128, 1, 2}, 5), positions = 2,
   solver = euler(64), spec = {kind = "conv1d", augment = 0, time = 0, readout = 0},
   make = function(solver)
     return nn.odeblock(nn.conv_field{channels = 1, filters = 32, dims = 1, seed = 1}, solver)
   end},
  {name = "mlp", title = "MLP 2-48-48-2, Euler 32", loss = "mse", pretrain = 0, batch = near({128, 2}, 7),
    solver = euler(32),
   spec = {kind = "mlp", augment = 0, time = 0, readout = 0},
   make = function(solver) return nn.odeblock(nn.mlp{sizes = {2, 48, 48, 2}, seed = 1}, solver) end},
  flow("cnf", "CNF 2-32-32-2 + t, exact divergence, batch 64", "exact", 32, 64),
  flow("ffjord", "the same, Hutchinson's divergence", "hutchinson", 32, 64),
  flow("ffjord-wide", "CNF 2-64-64-2 + t, Hutchinson's, batch 512", "hutchinson", 64, 512),
  image("mnist", "MNIST 96 filters, Euler 8", 1, 28, 96),
  image("mnist-high", 'the same, precision "high"', 1, 28, 96, "high"),
  image("mnist-medium", 'the same, precision "medium"', 1, 28, 96, "medium"),
  image("cifar", "CIFAR 128 filters, Euler 8", 3, 32, 128),
  image("cifar-high", 'the same, precision "high"', 3, 32, 128, "high"),
  image("cifar-medium", 'the same, precision "medium"', 3, 32, 128, "medium"),
}

--- Works that this build can do: those of another precision need tide.set_matmul_precision.
function M.available()
  local list = {}
  for _, work in ipairs(M.list) do
    if not work.precision or tide.set_matmul_precision then list[#list + 1] = work end
  end
  return list
end

--- The step whose memory memory.py measures: the field of `mnist` with another batch, number of steps and
-- gradient.
function M.memory_work(batch, steps, gradient)
  local work = image("memory", "MNIST 96 filters", 1, 28, 96)
  work.batch, work.solver = images(batch, 1, 28), with_gradient(euler(steps), gradient)
  return work
end

function M.find(name)
  for _, work in ipairs(M.available()) do if work.name == name then return work end end
  error(("no work %q"):format(name), 0)
end

-- ---- a work that has been set up ----

local of_densities = {nll = function(log_p) return -log_p:mean() end}

local function new_step(work)
  local loss, call = of_densities[work.loss] or tide[work.loss], work.call or function(m, x) return m(x) end
  return tide.compile(function(model, x, y)
    local value, grads = tide.value_and_grad(function(m) return loss(call(m, x), y) end)(model)
    return value, grads
  end)
end

local methods = {}
local meta = {__index = methods}

function M.prepare(work)
  local x, y = work.batch()
  local model = work.make(work.solver)
  local self = setmetatable({work = work, model = model, x = x, y = y, step = new_step(work)},
    meta)
  self:learn(1e-3)
  if work.pretrain > 0 then self:run(work.pretrain) end
  return self
end

--- Go on with a fresh optimiser. With lr = 0 each further step is the same step: all of the arithmetic, no
-- change of the weights.
function methods:learn(lr) self.optimizer = tide.optim.adam(self.model, {lr = lr}) end

--- k steps as tide.train makes them: the loss is read each time. Returns seconds, the losses, and evaluations
-- per step (forward, backward).
function methods:run(k)
  if tide.set_matmul_precision then tide.set_matmul_precision(self.work.precision or "highest") end
  local losses, nfe, nfe_backward, start = {}, 0, 0, core.monotonic()
  for i = 1, k do
    local stats, value, grads = tide.ode.counted(self.step, self.model, self.x, self.y)
    nfe, nfe_backward = nfe + stats.nfe, nfe_backward + stats.nfe_backward
    losses[i] = value:item()
    self.optimizer:step(grads)
  end
  return core.monotonic() - start, losses, nfe / k, nfe_backward / k
end

--- Floating-point operations of one evaluation of the field for the whole batch: matrix products only, a
-- multiply-add counts as two.
function methods:field_operations()
  local weights = 0
  for _, p in ipairs(nn.parameters(self.model)) do
    if p.name:find("field", 1, true) and p.name:find("weight", 1, true) then weights = weights + p.count end
  end
  return 2 * weights * #self.x * (self.work.positions or 1)
end

--- Operations of one step that no method of computing it can avoid: an evaluation once forwards, twice as
-- much backwards; the continuous adjoint evaluates the field anew on its way back. What an engine recomputes
-- is not counted.
function methods:operations(nfe, nfe_backward)
  local f = self:field_operations()
  return self.work.solver.gradient == "adjoint" and f * (nfe + 3 * nfe_backward) or 3 * f * nfe
end

--- Write data, weights and shape for the peers: x, y, layer1_weight, ..., out_weight, and `spec`, numbers in
-- the order of spec_names.
M.spec_names = {"augment", "time", "readout", "steps"}
function methods:export(path)
  local file, spec = {x = self.x, y = self.y, noise = self.work.noise}, {}
  for _, p in ipairs(nn.parameters(self.model)) do
    local index, kind = p.name:match("layers%[(%d+)%]%.(%a+)$")
    file[index and ("layer%s_%s"):format(index, kind) or p.name:gsub("%.", "_")] = p.tensor
  end
  for i, name in ipairs(M.spec_names) do spec[i] = self.work.spec[name] or self.work.solver[name] or 0 end
  file.spec = tide.tensor(spec, {dtype = "int64"})
  tide.save(path, file)
end

return M
