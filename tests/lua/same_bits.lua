--- Works whose results must keep their bits, as lines "name,hash": solves by every method and gradient with
-- their statistics, derivatives of other kinds, trainings.
--
--   ./tide tests/lua/same_bits.lua --print   the lines, with the ISA and the threads in force
--   ./tide tests/lua/same_bits.lua --write   tests/lua/same_bits.csv anew, with TIDE_ISA=generic
--
-- Two builds on one machine compute the same where `diff` finds no difference between what --print says in
-- either (built with `make all test-fields`). The program of another checkout, one without this file perhaps,
-- takes this very file: OTHER/tide tests/lua/same_bits.lua --print
--
-- test_same_bits.lua compares with the table. It may be written anew where rows are new (a method, a work) or
-- where a change of bits is meant: a commit of its own then says which rows changed, and why the new bits are
-- as good or better. It is never written to make a test pass.
--
-- The first rows are the machine's: what its C library and its compiler compute without the engine
-- (tests/cfield/machine.c). Works stay so small that nothing goes to OpenBLAS, whose bits depend on the
-- processor.

local here = arg[0]:match("^(.*/)") or "./"
package.path = here .. "?.lua;" .. package.path
local check = require "check"
local tide = require "tide"
local tree, nn = tide.tree, tide.nn

local rows = {}

-- ---- hashes ----

local formats = {float32 = "<f", float64 = "<d", int64 = "<i8", uint8 = "<B"}

-- 64-bit FNV-1a over the bytes of tensors, numbers and texts, in the order of their keys.
local function hash(value)
  local h = 0xcbf29ce484222325
  local function bytes(text)
    for i = 1, #text do h = (h ~ text:byte(i)) * 0x100000001b3 end
  end
  local function add(v)
    if tree.is_tensor(v) then
      bytes(v:dtype() .. " " .. table.concat(v:shape(), " ") .. ";")
      local format = formats[v:dtype()]
      for _, x in ipairs(v:reshape{-1}:totable()) do bytes(format:pack(x)) end
    elseif type(v) == "table" then
      local keys = {}
      for key in pairs(v) do keys[#keys + 1] = key end
      table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
      for _, key in ipairs(keys) do
        bytes(tostring(key) .. "=")
        add(v[key])
      end
    else
      bytes((math.type(v) == "float" and ("%a"):format(v) or tostring(v)) .. ";")
    end
  end
  add(value)
  return ("%016x"):format(h)
end

local function work(name, fn, ...)
  local ok, result = xpcall(fn, debug.traceback, ...)
  if not ok then error(("%s: %s"):format(name, result), 0) end
  rows[#rows + 1] = name .. "," .. hash(result)
end

-- ---- the machine ----

local function shared_object(name) -- make test-fields compiles it
  local module = package.searchpath("tide.core", package.cpath)
  return module:gsub("/tide/core.so$", ""):gsub("/lib/lua/5.4$", "") .. "/tests/cfield/" .. name .. ".so"
end

local function machine()
  local path = shared_object("machine")
  if not tide.core.exists(path) then return end -- the test is skipped without it
  local x = tide.linspace(-12, 12, 4001, {dtype = "float64"}):reshape{-1, 1}
  local functions = "exp expf log logf log1p log1pf sin sinf cos cosf tanh tanhf pow powf arithmetic"
  for name in functions:gmatch("%w+") do
    work("machine: " .. name, function() return tide.ode.cfield(path, "machine_" .. name)(0, x) end)
  end
end

-- ---- problems ----

local with = check.with

local function random(shape, dtype, seed)
  return (tide.rand(shape, {dtype = "float64", seed = seed}) * 2 - 1):to(dtype)
end

local function network(state, make)
  return function(dtype)
    return {y0 = random(state, dtype, 3), net = make(dtype)}, function(p)
      return function(t, y) return p.net(t, y) end
    end
  end
end
local function mlp(state, sizes, act)
  return network(state, function(dtype)
    return nn.mlp{sizes = sizes, act = act, time = true, dtype = dtype, seed = 4}
  end)
end
local function convolutions(state, filters, act)
  return network(state, function(dtype)
    local o = {channels = state[2], filters = filters, dims = #state - 2, act = act, time = true, seed = 5}
    return nn.conv_field(with(o, {dtype = dtype}))
  end)
end

-- name -> function(dtype) -> parameters with y0, function(parameters) -> field
local problems = {
  point = function(dtype)
    return {y0 = random({3, 2}, dtype, 1), k = random({2}, dtype, 2)}, function(p)
      return function(_, y) return (y * p.k + 0.5):sin() - y * y:square() / 8 end
    end
  end,
  timed = function(dtype)
    return {y0 = random({4}, dtype, 6), k = random({4}, dtype, 7)}, function(p)
      return function(t, y) return p.k * tide.cos(3 * t) * y - tide.exp(-t) * y:tanh() + t end
    end
  end,
  pair = function(dtype)
    local y0 = {q = random({2, 2}, dtype, 8), {random({2}, dtype, 9)}}
    return {y0 = y0, k = random({}, dtype, 10)}, function(p)
      return function(_, y)
        local v = y[1][1]
        return {q = v * p.k - y.q / 4, {-(y.q:sin():sum(1)) + v:sigmoid()}}
      end
    end
  end,
  chain = function(dtype)
    return {y0 = {q = random({2, 3}, dtype, 11), p = random({2, 3}, dtype, 12)}, k = random({3}, dtype, 13)},
      function(p)
        return function(t, y) return {q = y.p / 2, p = tide.cos(t) - p.k * y.q:sin()} end
      end
  end,
  oscillator = function(dtype) -- whose steps change, and are rejected
    return {y0 = tide.tensor({2, 0.1}, {dtype = dtype}), k = tide.tensor(4, {dtype = dtype})}, function(p)
      return function(_, y) return tide.stack{y[2], p.k * (1 - y[1] * y[1]) * y[2] - y[1]} end
    end
  end,
  mlp = mlp({5, 2}, {2, 8, 8, 2}, "tanh"),
  relu = mlp({3, 3}, {3, 12, 3}, "relu"),
  conv = convolutions({2, 2, 2, 4}, 3, "relu"),
  conv1d = convolutions({3, 1, 5}, 4, "softplus"),
  tiles = mlp({333, 2}, {2, 32, 32, 2}, "tanh"),
  images = convolutions({9, 3, 8, 8}, 16, "relu"),
}

local forwards, backwards = {0, 0.3, 0.31, 1}, {0.5, 0.2, -0.1, -0.4}

local dtypes = {"float32", "float64"}
local tolerances = {float32 = {rtol = 1e-4, atol = 1e-5}, float64 = {rtol = 1e-6, atol = 1e-8}}

local function counts(stats)
  return {stats.nfe, stats.steps, stats.accepted, stats.rejected, stats.nfe_backward}
end

local function loss_of(make, t, o)
  return function(p)
    local sum
    for _, y in ipairs(tree.tensors((tide.odeint(make(p), p.y0, t, o)))) do
      local part = (y * y:tanh()):sum()
      sum = sum and sum + part or part
    end
    return sum
  end
end

-- States, statistics, value and gradient of a loss of all states.
local function solve(problem, dtype, t, o)
  local p, make = problems[problem](dtype)
  if not (o.steps or o.step_size) then o = with(tolerances[dtype], o) end
  local ys, stats = tide.odeint(make(p), p.y0, t, o)
  local counted, value, gradient = tide.ode.counted(tide.value_and_grad(loss_of(make, t, o)), p)
  return {ys, counts(stats), value, gradient, counts(counted)}
end

local function solves(label, list, t, o)
  for _, problem in ipairs(list) do
    for _, dtype in ipairs(dtypes) do
      work(("%s; %s %s"):format(label, problem, dtype), solve, problem, dtype, t, o)
    end
  end
end

-- ---- works ----

-- Its stages are one system, which OpenBLAS would solve where it is large.
local function coupled(m)
  if m.family == "automatic" then return true end -- those of its stiff method
  local last = m.A and m.A[1] and m.A[1][#m.A]
  return m.stages > 1 and last and last ~= 0
end

local function methods()
  local all = {"point", "timed", "mlp", "conv"}
  for _, m in ipairs(tide.ode.methods()) do
    if m.family == "symplectic" then goto continue end -- works of their own, below
    local small = coupled(m) and {"point", "timed", "mlp"} or all
    if not m.varies then
      solves(m.name .. " 4 steps", small, forwards, {method = m.name, steps = 4})
      solves(m.name .. " step_size backwards", {"pair"}, backwards, {method = m.name, step_size = 0.21})
    end
    if m.kind == "adaptive" then
      solves(m.name .. " adaptive", small, forwards, {method = m.name})
      solves(m.name .. " adaptive backwards", {"pair"}, backwards, {method = m.name})
      if m.family ~= "reversible" then -- they blow up where f contracts for long
        solves(m.name .. " long", {"oscillator"}, {0, 2, 5, 8}, {method = m.name, rtol = 1e-3, atol = 1e-4})
      end
    end
    ::continue::
  end
  solves("leapfrog_verlet 4 steps", {"chain"}, forwards, {method = "leapfrog_verlet", steps = 4})
  solves("leapfrog_verlet step_size backwards", {"chain"}, backwards,
    {method = "leapfrog_verlet", step_size = 0.21})
  local ralston = {A = {{}, {2 / 3}}, b = {0.25, 0.75}, c = {0, 2 / 3}, order = 2, b_error = {-0.75, 0.75}}
  solves("own tableau 5 steps", {"timed", "mlp"}, forwards, {method = ralston, steps = 5})
  solves("own tableau adaptive", {"timed", "mlp"}, forwards, {method = ralston})
end

local function gradients()
  local ways = {
    {"dopri5 adaptive", {}}, {"dopri8 adaptive", {method = "dopri8"}},
    {"dop853 adaptive", {method = "dop853"}},
    {"tsit5 interpolate", {method = "tsit5", final = "interpolate"}},
    {"rk4 9 steps", {method = "rk4", steps = 9}}, {"sdirk2 5 steps", {method = "sdirk2", steps = 5}, "point"},
    {"bdf 7 steps", {method = "bdf", steps = 7}, "point"},
  }
  for _, gradient in ipairs{"adjoint", "checkpoint", "interpolated"} do
    for _, way in ipairs(ways) do
      local o = with(way[2], {gradient = gradient, checkpoint_steps = gradient == "checkpoint" and 2 or nil})
      solves(way[1] .. " " .. gradient, {"timed", way[3] or "mlp", way[3] and "pair" or "conv"}, forwards, o)
      solves(way[1] .. " " .. gradient .. " backwards", {"pair", way[3] or "relu"}, backwards, o)
    end
  end
  solves("adjoint_rtol", {"mlp"}, forwards, {gradient = "adjoint", adjoint_rtol = 1e-3, adjoint_atol = 1e-4})
  solves("reconstruction_limit", {"mlp"}, forwards, {gradient = "adjoint", reconstruction_limit = 1e-9})
  solves("checkpoint_steps 1", {"mlp"}, forwards, {gradient = "checkpoint", checkpoint_steps = 1})
end

local function options()
  local many = {}
  for i = 0, 40 do many[i + 1] = i / 40 end
  for _, row in ipairs{
    {"stops", {stops = {0.33, 0.7, 3}}}, {"jumps", {jumps = {0.25, 0.5}}}, {"max_step", {max_step = 0.07}},
    {"min_step", {min_step = 1e-5}}, {"first_step", {first_step = 0.9}}, {"PI", {controller = "PI"}},
    {"PID", {controller = "PID"}}, {"norm batch", {norm = "batch"}}, {"norm sample", {norm = "sample"}},
    {"factors", {safety = 0.7, min_factor = 0.5, max_factor = 2}},
  } do
    local name, o = row[1], row[2]
    for _, method in ipairs{"dopri5", "bosh3"} do
      solves(method .. " " .. name, {"timed", "pair", "conv1d"}, forwards, with(o, {method = method}))
    end
    solves("adjoint " .. name, {"mlp"}, forwards, with(o, {gradient = "adjoint"}))
  end
  for _, method in ipairs{"dopri5", "dopri8", "dop853", "tsit5", "bosh3", "heun_euler"} do
    solves(method .. " 41 times", {"timed", "mlp"}, many, {method = method, rtol = 1e-3})
  end
  for _, method in ipairs{"rk4", "bdf", "sdirk2"} do
    solves(method .. " 41 times", {"timed"}, many, {method = method, steps = 3})
  end
end

-- Batches that are cut into tiles, images that are no matrices.
local function larger()
  for _, gradient in ipairs{"direct", "checkpoint", "adjoint"} do
    solves("dopri5 " .. gradient, {"tiles"}, {0, 1}, {rtol = 1e-3, atol = 1e-3, gradient = gradient})
    solves("rk4 3 steps " .. gradient, {"tiles"}, {0, 1}, {method = "rk4", steps = 3, gradient = gradient})
    local o = {method = "euler", steps = 2, gradient = gradient}
    solves("euler 2 steps " .. gradient, {"images"}, {0, 1}, o)
  end
  for _, level in ipairs{"high", "medium"} do
    local before = tide.set_matmul_precision(level)
    work("precision " .. level, solve, "images", "float32", {0, 1}, {method = "euler", steps = 2})
    tide.set_matmul_precision(before or "highest")
  end
end

local function callbacks()
  for _, m in ipairs{"dopri5", "rk4", "sdirk2", "bdf"} do
    local o = {method = m, steps = m ~= "dopri5" and 6 or nil}
    for _, dtype in ipairs(dtypes) do
      work(("eager %s %s"):format(m, dtype), function()
        local p, make = problems.pair(dtype)
        local ys, stats = tide.odeint(make(p), p.y0, forwards, with(o, {eager = true}))
        return {ys, counts(stats)}
      end)
    end
    work("plain " .. m, function()
      local function f(t, y) return {y[2], (1 - y[1] * y[1]) * y[2] - y[1] + t} end
      local ys, stats = tide.odeint(f, {2, 0.5}, forwards, with(o, {plain = true}))
      return {ys, counts(stats)}
    end)
    work("C field " .. m, function()
      local f = tide.ode.cfield(shared_object("pendulum"), "pendulum")
      local p = {y0 = random({3, 2}, "float64", 11), theta = tide.tensor({9.81, 0.3}, {dtype = "float64"})}
      local function make(q) return f(q.theta) end
      local ys, stats = tide.odeint(make(p), p.y0, forwards, o)
      return {ys, counts(stats), tide.grad(loss_of(make, forwards, o))(p)}
    end)
  end
  work("initial_step", function()
    local p, make = problems.mlp("float32")
    return tide.ode.initial_step(make(p), 0, p.y0, 4, 1e-3, 1e-6)
  end)
end

local function derivatives()
  for _, o in ipairs{
    {method = "dopri5"}, {method = "rk4", steps = 4}, {method = "bdf", steps = 4},
    {method = "tsit5", gradient = "adjoint"},
  } do
    local label = table.concat({o.method, o.gradient}, " ")
    for _, dtype in ipairs(dtypes) do
      for _, problem in ipairs{"point", "mlp"} do
        local p, make = problems[problem](dtype)
        local loss = loss_of(make, forwards, o)
        local v = tree.map(p, function(x) return x * 0.5 + 0.25 end)
        local function squared(q) -- of the first gradient
          local sum
          for _, x in ipairs(tree.tensors(tide.grad(loss)(q))) do
            local part = x:square():sum()
            sum = sum and sum + part or part
          end
          return sum
        end
        work(("second order %s; %s %s"):format(label, problem, dtype), tide.grad(squared), p)
        work(("jvp %s; %s %s"):format(label, problem, dtype), function() return {tide.jvp(loss, p, v)} end)
        work(("compiled %s; %s %s"):format(label, problem, dtype), function()
          local step = tide.compile(tide.value_and_grad(loss))
          return {{step(p)}, {step(v)}}
        end)
      end
    end
  end
end

local function trained(model, o)
  local history = tide.train(with({model = model, batch = 16, iterations = 20, seed = 2, quiet = true}, o))
  local losses = {}
  for i, r in ipairs(history) do losses[i] = {r.loss, r.accuracy or 0, r.nfe_forward, r.nfe_backward} end
  return {tree.tensors(model), losses}
end

local function trainings()
  local spheres = tide.data.spheres{dim = 2, inner = 30, outer = 60}
  local labelled = tide.data.three_spheres{dim = 2, n = 80}
  local images, labels = tide.rand({40, 1, 6, 6}, {seed = 3}), {}
  for i = 1, 40 do labels[i] = 7 * i % 3 + 1 end
  for _, gradient in ipairs{"direct", "adjoint"} do
    work("training ANODE " .. gradient, function()
      local solver = {rtol = 1e-3, atol = 1e-3, gradient = gradient}
      local model = nn.odenet{dim = 2, hidden = 12, augment = 1, seed = 1, solver = solver}
      local optimizer = tide.optim.adam(model, {lr = 1e-2})
      return trained(model, {data = spheres, optimizer = optimizer, loss = "smooth_l1"})
    end)
  end
  work("training MLP", function()
    local model = nn.mlp{sizes = {2, 16, 16, 2}, act = "tanh", seed = 1}
    local optimizer = tide.optim.sgd(model, {lr = 0.1, momentum = 0.9})
    return trained(model, {data = labelled, optimizer = optimizer, loss = "cross_entropy"})
  end)
  work("training ResNet float64", function()
    local model = nn.resnet{dim = 2, hidden = 8, layers = 2, out = 2, dtype = "float64", seed = 1}
    local data = {x = labelled.x:to("float64"), y = labelled.y}
    local optimizer = tide.optim.rmsprop(model, {lr = 1e-3})
    return trained(model, {data = data, optimizer = optimizer, loss = "cross_entropy"})
  end)
  work("training convolutions", function()
    local solver = {method = "rk4", steps = 2}
    local shape = {image = {1, 6, 6}, filters = 6, augment = 1, classes = 3}
    local model = nn.conv_odenet(with(shape, {seed = 1, solver = solver}))
    local data = {x = images, y = tide.tensor(labels, {dtype = "int64"})}
    local optimizer = tide.optim.adamw(model, {lr = 1e-2})
    return trained(model, {data = data, optimizer = optimizer, loss = "cross_entropy"})
  end)
end

-- ---- the program ----

local function everything()
  local parts = {machine, methods, gradients, options, larger, callbacks, derivatives, trainings}
  for _, part in ipairs(parts) do part() end
  return table.concat(rows, "\n") .. "\n"
end

local function print_rows()
  local text = everything()
  local maps <close> = io.open("/proc/self/maps")
  if maps and maps:read("a"):find("openblas", 1, true) then
    error("same_bits.lua: a work went to OpenBLAS, whose bits depend on the processor; make it smaller", 0)
  end
  io.write(text)
end

-- The table anew, and how it differs from the one before.
local function write_table()
  local files = require "tide.files"
  local ok, text = files.run({here .. "../../tide", here .. "same_bits.lua", "--print"},
    {environment = {"TIDE_ISA=generic", "TIDE_THREADS=1"}, show_errors = true})
  if not ok then error("same_bits.lua: --print failed; nothing is written", 0) end
  local path = here .. "same_bits.csv"
  local before, changed, new = {}, 0, 0
  for name, value in (files.read(path) or ""):gmatch("([^\n]*),(%x+)\n") do before[name] = value end
  for name, value in text:gmatch("([^\n]*),(%x+)\n") do
    if not before[name] then new = new + 1
    elseif before[name] ~= value then changed = changed + 1 end
    before[name] = nil
  end
  local gone = 0
  for _ in pairs(before) do gone = gone + 1 end
  assert(files.write(path, "work,hash\n" .. text))
  print(("%s: %d rows new, %d changed, %d gone"):format(path, new, changed, gone))
end

if arg[1] == "--write" then write_table()
elseif arg[1] == "--print" then print_rows()
else error("same_bits.lua: give --print or --write; the head of the file says what they do", 0) end
