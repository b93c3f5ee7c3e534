--- In steady state the engine allocates nothing: the counter of base/memory.h before and after calls of
-- compiled training steps.
--
-- The tensors that a call returns are the caller's, two blocks each (tensor, storage with its numbers), and
-- are not counted.

local check = require "check"
local tide = require "tide"
local core = require "tide.core"
local nn = tide.nn

local tests = {}

local BLOCKS_OF_A_TENSOR = 2
local CALLS = 5

local adaptive = {method = "dopri5", rtol = 1e-3, atol = 1e-3}

local with = check.with

local function toy(solver)
  return nn.odenet{dim = 2, hidden = 32, time = true, solver = solver, seed = 1},
    tide.randn({64, 2}, {seed = 1}),
    tide.randn({64, 1}, {seed = 2}), tide.smooth_l1
end

local function mlp(solver)
  return nn.odeblock(nn.mlp{sizes = {2, 48, 48, 2}, seed = 1}, solver), tide.randn({128, 2}, {seed = 3}),
    tide.randn({128, 2}, {seed = 4}),
    tide.mse
end

-- 28 x 28 pixels: a field that runs tile by tile; 2 x 2: the convolution as one matrix.
local function conv(size, samples, filters)
  return function(solver)
    return nn.conv_odenet{image = {1, size, size}, filters = filters, solver = solver, seed = 1},
      tide.rand({samples, 1, size, size}, {seed = 5}), tide.full({samples}, 1, {dtype = "int64"}),
        tide.cross_entropy
  end
end

-- Many tensors of parameters.
local function deep(solver)
  local sizes = {}
  for i = 1, 18 do sizes[i] = 2 end
  return nn.odeblock(nn.mlp{sizes = sizes, act = "tanh", seed = 1}, solver), tide.randn({8, 2}, {seed = 3}),
    tide.randn({8, 2}, {seed = 4}),
    tide.mse
end

local euler = {method = "euler", steps = 4}
local cases = {
  {name = "toy NODE, dopri5, direct", make = toy, solver = adaptive},
  {name = "toy NODE, dopri5, checkpoint", make = toy, solver = with(adaptive, {gradient = "checkpoint"})},
  {name = "toy NODE, dopri5, adjoint", make = toy, solver = with(adaptive, {gradient = "adjoint"})},
  {name = "toy NODE, dopri5, interpolated", make = toy, solver = with(adaptive, {gradient = "interpolated"})},
  {name = "toy NODE, rk4, direct", make = toy, solver = {method = "rk4", steps = 6}},
  {name = "MLP, Euler, direct", make = mlp, solver = {method = "euler", steps = 32}},
  {name = "MLP, Euler, checkpoint", make = mlp,
    solver = {method = "euler", steps = 32, gradient = "checkpoint"}},
  {name = "MLP, Euler, adjoint", make = mlp, solver = {method = "euler", steps = 32, gradient = "adjoint"}},
  {name = "conv field, 12 x 12", make = conv(12, 16, 8), solver = euler},
  {name = "conv field, 28 x 28, tiles", make = conv(28, 32, 32), solver = euler},
  {name = "conv field, 28 x 28, checkpoint", make = conv(28, 32, 32),
    solver = with(euler, {gradient = "checkpoint"})},
  -- The flow cannot be run backwards: the adjoint is tried, then its states are solved for once more and it
  -- runs anew.
  {name = "conv field, 28 x 28, adjoint", make = conv(28, 16, 16),
    solver = with(euler, {gradient = "adjoint"})},
  {name = "conv field, 2 x 2", make = conv(2, 64, 16), solver = euler},
  {name = "34 tensors of parameters", make = deep, solver = euler},
}

-- Allocations per call of fn, which returns how many tensors it makes; after calls that let work space grow.
local function count(fn)
  for _ = 1, 3 do fn() end
  local before, results = core.memory(), nil
  for _ = 1, CALLS do results = fn() end
  return (core.memory().allocations - before.allocations) / CALLS - BLOCKS_OF_A_TENSOR * results
end

local function compare(name, got, want)
  assert(got == want, ("%s: %g allocations per call beside the results, expected %g"):format(name, got, want))
end

local function new_step(loss)
  return tide.compile(function(model, x, y)
    return tide.value_and_grad(function(m) return loss(m(x), y) end)(model)
  end)
end

for _, case in ipairs(cases) do
  tests["training step: " .. case.name] = function()
    local before = tide.threads()
    for _, threads in ipairs{1, 3} do -- work spaces of threads are made once as well
      tide.threads(threads)
      local model, x, y, loss = case.make(case.solver)
      -- 0: each step is the same step
      local step, optimizer = new_step(loss), tide.optim.adam(model, {lr = 0})
      local got = count(function()
        local _, grads = step(model, x, y)
        optimizer:step(grads)
        return 1 + #tide.tree.tensors(grads, true)
      end)
      compare(("%s, %d threads"):format(case.name, threads), got, 0)
    end
    tide.threads(before)
  end
end

tests["program_run allocates nothing"] = function()
  local model, x, y = nn.mlp{sizes = {5, 32, 3}, seed = 1}, tide.randn({40, 5}, {seed = 2}),
    tide.full({40}, 2, {dtype = "int64"})
  local step = new_step(tide.cross_entropy)
  compare("step without a solve", (count(function()
    local _, grads = step(model, x, y)
    return 1 + #tide.tree.tensors(grads, true)
  end)), 0)
  -- product, convolution, reductions, where, softmax, cat, a transposed result
  local image = tide.randn({6, 3, 9, 9}, {seed = 3})
  local many = tide.compile(function(a, w)
    local h = tide.conv2d(a, w, nil, {padding = 1}):relu()
    local top = h:max(2):reshape{6, 81}
    return tide.where(top:gt(0), top, tide.exp(top)):matmul(top:transpose(1, 2)):softmax(2):sum(),
      tide.cat({top, top}, 2):mean(1),
      h:transpose(2, 3):sum{1, 3}
  end)
  local w = tide.randn({4, 3, 3, 3}, {seed = 4})
  compare("mixed program", (count(function() return select("#", many(image, w)) end)), 0)
end

-- An input that is not dense is copied for the call: bindings/compiled.c, push_dense_copies. It costs what a
-- tensor costs.
tests["a strided input costs one tensor"] = function()
  local x = tide.randn({30, 20}, {seed = 1})
  local f = tide.compile(function(a) return a:square():sum() end)
  local view = x:transpose(1, 2)
  compare("strided input", (count(function() f(view) return 1 end)), BLOCKS_OF_A_TENSOR)
end

-- A solve without derivatives: the record of steps is not kept.
tests["a compiled solve allocates nothing"] = function()
  local field, x = nn.mlp{sizes = {2, 32, 2}, time = true, seed = 1}, tide.randn({64, 2}, {seed = 2})
  for _, solver in ipairs{adaptive, {method = "rk4", steps = 5},
    {method = "dopri8", rtol = 1e-4, atol = 1e-4}} do
    local f = tide.compile(function(m, y) return tide.odeint(m, y, {0, 0.3, 1}, solver)[-1] end)
    compare(solver.method, (count(function() f(field, x) return 1 end)), 0)
  end
end

-- Blocks live after many steps are those after few: nothing piles up, whatever the collector does. Programs
-- that are made and dropped, with arenas of 10 MB each: Lua's collector, which sees small userdata only, is
-- told about them.
tests["dropped programs do not pile up"] = function()
  local x = tide.ones{20000, 16}
  local most = 0
  for i = 1, 80 do
    tide.compile(function(v) return (v:matmul(tide.full({16, 64}, i)):tanh() * i):sum() end)(x)
    most = math.max(most, tide.memory().live_bytes)
  end
  assert(most < 250e6, most) -- 140 MB; 410 MB if it were not told
end

-- Functions that the engine calls are kept with the solve, and the solve by its recording: they must not hold
-- what is recorded in turn, no collector would find that circle.
tests["recordings whose solves call Lua go away"] = function()
  local y0 = tide.ones{2}
  local function solve(y, p, options)
    local ys, _, q = tide.odeint(function(_, v) return v * p end, y, {0, 1}, options)
    return ((q or ys):sum())
  end
  local function norm(err, scale) return (err / scale):abs():max():item() end
  local works = {
    on_step = function(y) return solve(y, 0.5, {on_step = function() end}) end,
    norm = function(y) return solve(y, 0.5, {norm = norm}) end,
    jacobian = function(y)
      return solve(y, 0.5, {method = "sdirk2", jacobian = function() return tide.eye(2) * 0.5 end})
    end,
    ["a quadrature beside"] = function(y)
      return solve(y0, y, {on_step = function() end, quadrature = function(_, v) return v * y end})
    end,
    ["an event beside"] = function(y)
      return solve(y0, y, {norm = norm, events = {{g = function(_, v) return (v - y):sum() end}}})
    end,
  }
  for name, work in pairs(works) do
    local function blocks(n)
      for _ = 1, n do tide.grad(work)(y0) end
      for _ = 1, 3 do collectgarbage() end
      return core.memory().live_blocks
    end
    local few = blocks(2)
    assert(blocks(5) == few, name)
  end
end

tests["live memory does not grow"] = function()
  local model, x, y, loss = toy(adaptive)
  local step, optimizer = new_step(loss), tide.optim.adam(model, {lr = 0})
  local function run(n)
    for _ = 1, n do
      local _, grads = step(model, x, y)
      optimizer:step(grads)
    end
    collectgarbage()
    collectgarbage()
    return core.memory()
  end
  local few = run(5)
  local many = run(60)
  assert(many.live_blocks == few.live_blocks and many.live_bytes == few.live_bytes,
    ("%d blocks after 5 steps, %d after 65"):format(few.live_blocks, many.live_blocks))
end

return tests
