--- Compiled gradients equal those of evaluation op by op.
--
-- A compiled function is one tape: dead code goes, subexpressions are merged, calls are fused and write over
-- each other's memory, solves run tile by tile. The reference here has none of that. It runs each op on its
-- own when it is called, and goes back through the list of calls with the pullback of each op alone, adding
-- up cotangents by eager additions. Solves are unrolled.

local tide = require "tide"
local nn = tide.nn

local tests = {}

-- ---- the reference: T.name(...) is tide.name(...) on values, and notes how to go back ----

local Value = {}
local calls -- in order: {value, inputs = {Value, ...}, fn = function(list of tensors) -> tensor}

local function is_value(x) return getmetatable(x) == Value end

-- Arguments with the Values in them (also inside lists, for cat and stack) replaced by the tensors of a list.
local function fill(args, list)
  local next_one, out = 0, {}
  local function replace(x)
    if is_value(x) then
      next_one = next_one + 1
      return list[next_one]
    elseif type(x) == "table" and is_value(x[1]) then
      local items = {}
      for i, item in ipairs(x) do items[i] = replace(item) end
      return items
    end
    return x
  end
  for i = 1, args.n do out[i] = replace(args[i]) end
  return table.unpack(out, 1, args.n)
end

local function values_in(args)
  local found = {}
  for i = 1, args.n do
    local x = args[i]
    if is_value(x) then found[#found + 1] = x
    elseif type(x) == "table" then for _, item in ipairs(x) do if is_value(item) then found[#found
      + 1] = item end end end
  end
  return found
end

local function call(op, ...)
  local args = table.pack(...)
  local inputs, tensors = values_in(args), {}
  for i, input in ipairs(inputs) do tensors[i] = input.value end
  local result = setmetatable({value = op(fill(args, tensors))}, Value)
  calls[#calls + 1] = {result = result, inputs = inputs, tensors = tensors, fn = function(list)
    return op(fill(args, list))
  end}
  return result
end

local T = setmetatable({}, {__index = function(_, name)
  return function(...) return call(tide[name], ...) end
end})
Value.__add = function(a, b) return call(tide.add, a, b) end
Value.__sub = function(a, b) return call(tide.sub, a, b) end
Value.__mul = function(a, b) return call(tide.mul, a, b) end
Value.__div = function(a, b) return call(tide.div, a, b) end

local function is_float(x) return x:dtype() == "float32" or x:dtype() == "float64" end

-- Value and gradients of f(T, list, x): a list of parameters, other data.
local function op_by_op(f, parameters, ...)
  calls = {}
  local list, bar = {}, {}
  for i, p in ipairs(parameters) do list[i] = setmetatable({value = p}, Value) end
  local loss = f(T, list, ...)
  bar[loss] = tide.ones_like(loss.value)
  for i = #calls, 1, -1 do
    local c = calls[i]
    local own = bar[c.result]
    if own and #c.inputs > 0 and is_float(c.result.value) then
      local floats, at = {}, {}
      for k, x in ipairs(c.tensors) do if is_float(x) then floats[#floats + 1], at[#at + 1] = x, k end end
      local _, back = tide.vjp(function(xs)
        local all = table.move(c.tensors, 1, #c.tensors, 1, {})
        for k, x in ipairs(xs) do all[at[k]] = x end
        return c.fn(all)
      end, floats)
      for k, g in ipairs(back(own)) do
        local input = c.inputs[at[k]]
        bar[input] = bar[input] and bar[input] + g or g
      end
    end
  end
  local grads = {}
  for i, p in ipairs(list) do grads[i] = bar[p] or tide.zeros_like(p.value) end
  return loss.value, grads
end

-- ---- comparing ----

local function close(a, b, tolerance, what)
  assert(table.concat(a:shape(), ",") == table.concat(b:shape(), ",") and a:dtype() == b:dtype(), what
    .. ": shapes differ")
  local worst = (a - b):abs():max():item() / math.max(1, b:abs():max():item())
  assert(worst <= tolerance, ("%s: off by %g"):format(what, worst))
end

local tolerances = {float64 = 1e-12, float32 = 2e-5}

local function compare_with(step, what, f, parameters, ...)
  local value, grads = op_by_op(f, parameters, ...)
  local tolerance = tolerances[value:dtype()]
  for run = 1, 2 do -- the second run finds the arena as the first one left it
    local got, got_grads = step(parameters, ...)
    close(got, value, tolerance, ("%s, run %d, value"):format(what, run))
    for i, g in ipairs(grads) do
      close(got_grads[i], g, tolerance, ("%s, run %d, gradient %d"):format(what, run, i))
    end
  end
end

-- The same f compiled as a whole.
local function compare(what, f, parameters, ...)
  local step = tide.compile(function(p, ...)
    return tide.value_and_grad(function(q, ...) return f(tide, q, ...) end)(p, ...)
  end)
  compare_with(step, what, f, parameters, ...)
  return step
end

-- ---- models as functions of T: nn's, written out ----

local function linear(T_, w, b, x) return T_.matmul(x, T_.transpose(w, 1, 2)) + b end

local acts = {"relu", "tanh", "softplus", "sigmoid"}

-- time: a tensor {n, 1} with t in it.
local function mlp(act, layers, timed)
  return function(T_, p, t, x)
    local h = timed and T_.cat({x, t}, 2) or x
    for i = 1, layers do
      h = linear(T_, p[2 * i - 1], p[2 * i], h)
      if i < layers then h = T_[act](h) end
    end
    return h
  end
end

local function conv_field(act, dims, timed)
  local conv = dims == 1 and "conv1d" or "conv2d"
  return function(T_, p, t, x)
    for i = 1, 3 do
      local b = T_.reshape(p[2 * i], dims == 1 and {-1, 1} or {-1, 1, 1})
      x = T_[conv](timed and T_.cat({x, t}, 2) or x, p[2 * i - 1], nil, {padding = i == 2 and 1 or 0}) + b
      if i < 3 then x = T_[act](x) end
    end
    return x
  end
end

local function leaves(model)
  local list = {}
  for i, l in ipairs(model.layers) do list[2 * i - 1], list[2 * i] = l.weight, l.bias end
  return list
end

-- The end of a solve over [0, 1] in fixed steps; time(t) makes the tensor that joins the input.
local function unrolled(method, steps, field, p, x, T_, time)
  local h = 1 / steps
  for i = 0, steps - 1 do
    local t = i * h
    if method == "euler" then
      x = field(T_, p, time(t), x) * h + x
    elseif method == "midpoint" then
      x = field(T_, p, time(t + h / 2), field(T_, p, time(t), x) * (h / 2) + x) * h + x
    else
      local k1 = field(T_, p, time(t), x)
      local k2 = field(T_, p, time(t + h / 2), k1 * (h / 2) + x)
      local k3 = field(T_, p, time(t + h / 2), k2 * (h / 2) + x)
      local k4 = field(T_, p, time(t + h), k3 * h + x)
      x = (k1 + k2 * 2 + k3 * 2 + k4) * (h / 6) + x
    end
  end
  return x
end

local function plane(x, dtype)
  local shape = x:shape()
  shape[2] = 1
  return function(t) return tide.full(shape, t, {dtype = dtype}) end
end

local function mean_square(T_, y, target)
  local d = y - target
  return T_.mean(d * d)
end

-- ---- tests ----

tests["MLP field with time"] = function()
  for trial = 1, 16 do
    local dtype, act, n = trial % 2 == 0 and "float32" or "float64", acts[trial % 4 + 1],
      ({1, 7, 64, 130})[trial // 4 % 4 + 1]
    local timed = trial % 3 ~= 0
    local model = nn.mlp{sizes = {3, 17, 16, 3}, act = act, time = timed, dtype = dtype, seed = trial}
    local x, target = tide.randn({n, 3}, {seed = trial, dtype = dtype}),
      tide.randn({n, 3}, {seed = 99, dtype = dtype})
    local t = tide.full({n, 1}, 0.3, {dtype = dtype})
    local field = mlp(act, 3, timed)
    compare(("mlp %d"):format(trial),
      function(T_, p, y) return mean_square(T_, field(T_, p, t, y), target) end, leaves(model), x)
    -- the library's own model is the same function
    local step = tide.compile(function(m, y)
      local value, g = tide.value_and_grad(function(q) return mean_square(tide, q(0.3, y), target) end)(m)
      return value, leaves(g)
    end)
    compare_with(function(_, y) return step(model, y) end, "nn.mlp", function(T_, p, y)
      return mean_square(T_, field(T_, p, t, y), target)
    end,
      leaves(model), x)
  end
end

tests["convolutional field"] = function()
  for trial = 1, 16 do
    local dtype, act, size = trial % 2 == 0 and "float32" or "float64", acts[trial % 4 + 1],
      ({2, 5, 9, 14})[trial // 4 % 4 + 1]
    local dims, timed = trial % 3 == 0 and 1 or 2, trial % 5 ~= 0
    local model = nn.conv_field{channels = 2, filters = 9, dims = dims, act = act, time = timed,
      dtype = dtype, seed = trial}
    local shape = dims == 1 and {5, 2, size} or {5, 2, size, size}
    local x, target = tide.randn(shape, {seed = trial, dtype = dtype}),
      tide.randn(shape, {seed = 9, dtype = dtype})
    local t = plane(x, dtype)(0.7)
    local field = conv_field(act, dims, timed)
    local function f(T_, p, y) return mean_square(T_, field(T_, p, t, y), target) end
    compare(("conv %d"):format(trial), f, leaves(model), x)
    local step = tide.compile(function(m, y)
      local value, g = tide.value_and_grad(function(q) return mean_square(tide, q(0.7, y), target) end)(m)
      return value, leaves(g)
    end)
    compare_with(function(_, y) return step(model, y) end, "nn.conv_field", f, leaves(model), x)
  end
end

tests["convolutions with stride, dilation and groups"] = function()
  local trial = 0
  for _, o in ipairs{{stride = 2}, {stride = {1, 2}, padding = 1}, {dilation = 2, padding = 2},
    {groups = 3, padding = 1},
                     {stride = 3, groups = 3}} do
    trial = trial + 1
    local x = tide.randn({4, 6, 11, 10}, {seed = trial, dtype = "float64"})
    local w = tide.randn({9, 6 // (o.groups or 1), 3, 3}, {seed = 7, dtype = "float64"})
    compare("conv2d option " .. trial,
      function(T_, p) return T_.mean(T_.tanh(T_.conv2d(p[1], p[2], nil, o) * 0.1)) end, {x, w})
  end
end

tests["softmax losses"] = function()
  for _, dtype in ipairs{"float64", "float32"} do
    local n, classes = 33, 10
    local x = tide.randn({n, 5}, {seed = 1, dtype = dtype})
    local p = {tide.randn({classes, 5}, {seed = 2, dtype = dtype}),
      tide.randn({classes}, {seed = 3, dtype = dtype})}
    local labels = {}
    for i = 1, n do labels[i] = (3 * i) % classes + 1 end
    labels = tide.tensor(labels, {dtype = "int64"})
    local hot = tide.one_hot(labels, classes):to(dtype)
    local function written_out(T_, q)
      local z = linear(T_, q[1], q[2], x)
      local top = T_.stop_gradient(T_.max(z, 2, true)) -- a constant shift
      local shifted = z - top
      local log_sum = T_.log(T_.sum(T_.exp(shifted), 2, true))
      return T_.sum((log_sum - shifted) * hot) / n
    end
    compare("written out", written_out, p)
    compare("log_softmax", function(T_, q)
      return T_.neg(T_.mean(T_.sum(T_.log_softmax(linear(T_, q[1], q[2], x), 2) * hot, 2)))
    end, p)
    local step = tide.compile(function(q)
      return tide.value_and_grad(
        function(r) return tide.cross_entropy(linear(tide, r[1], r[2], x), labels) end)(q)
    end)
    compare_with(step, "cross_entropy", written_out, p)
  end
end

tests["solves inside a loss"] = function()
  local trial = 0
  for _, dtype in ipairs{"float64", "float32"} do
    for _, method in ipairs{"euler", "midpoint", "rk4"} do
      for _, gradient in ipairs{"direct", "checkpoint"} do
        trial = trial + 1
        local act, convolution = acts[trial % 4 + 1], trial % 2 == 0
        local shape = convolution and {6, 2, 7, 7} or {70, 3}
        local model = convolution and nn.conv_field{channels = 2, filters = 8, act = act, time = true,
          dtype = dtype, seed = trial}
          or nn.mlp{sizes = {3, 20, 3}, act = act, time = true, dtype = dtype, seed = trial}
        local field = convolution and conv_field(act, 2, true) or mlp(act, 2, true)
        local x, target = tide.randn(shape, {seed = trial, dtype = dtype}),
          tide.randn(shape, {seed = 9, dtype = dtype})
        local time, steps = plane(x, dtype), 5
        local scale = tide.tensor(1.3, {dtype = dtype}) -- a parameter before the solve
        local function f(T_, p, y)
          return mean_square(T_, T_.tanh(unrolled(method, steps, field, p, p[#p] * y, T_, time)), target)
        end
        local parameters = leaves(model)
        parameters[#parameters + 1] = scale
        compare("unrolled " .. method, f, parameters, x)
        local step = tide.compile(function(p, y)
          local value, g = tide.value_and_grad(function(q)
            local states = tide.odeint(q.field, y * q.scale, {0, 1},
              {method = method, steps = steps, gradient = gradient})
            return mean_square(tide, states[2]:tanh(), target)
          end)(p)
          local list = leaves(g.field)
          list[#list + 1] = g.scale
          return value, list
        end)
        compare_with(function(_, y) return step({field = model, scale = scale}, y) end,
          ("%s, %s, %s"):format(method, gradient, dtype), f,
          parameters, x)
      end
    end
  end
end

-- A field that is large enough for tiles, and a batch that leaves a rest.
tests["a solve that runs tile by tile"] = function()
  local model = nn.conv_field{channels = 1, filters = 24, seed = 1}
  local x, target = tide.randn({37, 1, 20, 20}, {seed = 2}), tide.randn({37, 1, 20, 20}, {seed = 3})
  local field, time = conv_field("relu", 2, false), plane(x, "float32")
  local step = tide.compile(function(m, y)
    local value, g = tide.value_and_grad(function(q)
      return mean_square(tide, tide.odeint(q, y, {0, 1}, {method = "euler", steps = 3})[2], target)
    end)(m)
    return value, leaves(g)
  end)
  compare_with(function(_, y) return step(model, y) end, "tiles", function(T_, p, y)
    return mean_square(T_, unrolled("euler", 3, field, p, y, T_, time), target)
  end, leaves(model), x)
end

-- ---- random graphs ----

-- State of a small generator, so that failures repeat.
local function dice(seed)
  local state = seed
  return function(n)
    state = (state * 6364136223846793005 + 1442695040888963407)
    return ((state >> 33) % n) + 1
  end
end

local unary = {"tanh", "sigmoid", "softplus", "relu", "sin", "square", "neg", "abs", "exp"}

-- A function that builds the same random graph each time it is called: values of shape {m, n}, rows, columns
-- and scalars, values used several times, values that nothing uses, the same expression twice, views in
-- between.
local function random_graph(seed, length)
  return function(T_, p)
    local roll = dice(seed)
    local pool = {p[1], p[2], p[1] * p[3], p[2] + p[4]}
    local function any() return pool[roll(#pool)] end
    for _ = 1, length do
      local kind, a, b = roll(12), any(), any()
      local made
      if kind <= 3 then made = T_[unary[roll(#unary)]](T_.tanh(a))
      elseif kind == 4 then made = a + b
      elseif kind == 5 then made = a * T_.tanh(b)
      elseif kind == 6 then made = a - b * 0.5
      elseif kind == 7 then made = T_.tanh(a) / (T_.square(b) + 1)
      elseif kind == 8 then made = T_.matmul(T_.matmul(a, T_.transpose(b, 1, 2) * 0.1), p[1])
      elseif kind == 9 then made = T_.broadcast_to(T_.sum(a, roll(2), true), {6, 7}) * 0.1
      elseif kind == 10 then made = T_.reshape(T_.transpose(T_.reshape(a, {7, 6}), 1, 2), {6, 7})
      elseif kind == 11 then made = T_.cat({T_.slice(a, 1, 1, 2), T_.slice(b, 1, 3, 6)}, 1)
      else made = T_.add(T_.sigmoid(a), T_.sigmoid(a)) * T_.mean(b) end
      pool[#pool + 1] = made
    end
    local total = T_.mean(T_.tanh(pool[#pool]))
    for _ = 1, 3 do total = total + T_.mean(T_.tanh(any()) * any()) end
    return total
  end
end

tests["random graphs"] = function()
  for seed = 1, 60 do
    local dtype = seed % 4 == 0 and "float32" or "float64"
    local p = {tide.randn({6, 7}, {seed = seed, dtype = dtype}),
      tide.randn({6, 7}, {seed = seed + 1000, dtype = dtype}),
               tide.randn({7}, {seed = 5, dtype = dtype}), tide.randn({6, 1}, {seed = 6, dtype = dtype})}
    -- a strided view
    if seed % 3 == 0 then p[1] = tide.randn({7, 6}, {seed = seed, dtype = dtype}):transpose(1, 2) end
    compare("graph " .. seed, random_graph(seed, 4 + seed % 20), p)
  end
end

-- The gradient of a gradient, as one tape, against differences of the op by op gradient along a direction.
tests["second derivatives of random graphs"] = function()
  for seed = 1, 8 do
    local p, v = {}, {}
    for i, shape in ipairs{{6, 7}, {6, 7}, {7}, {6, 1}} do
      p[i], v[i] = tide.randn(shape, {seed = 10 * seed + i, dtype = "float64"}),
        tide.randn(shape, {seed = 7 * seed + i, dtype = "float64"})
    end
    local graph = random_graph(seed, 8)
    local product = tide.compile(function(q)
      return tide.grad(function(r)
        local g, total = tide.grad(function(s) return graph(tide, s) end)(r), 0
        for i, gi in ipairs(g) do total = total + (gi * v[i]):sum() end
        return total
      end)(q)
    end)
    local got, h, ends = product(p), 1e-5, {}
    for _, side in ipairs{1, -1} do
      local moved = {}
      for i, x in ipairs(p) do moved[i] = x + v[i] * (side * h) end
      local _, g = op_by_op(graph, moved)
      ends[side] = g
    end
    for i, g in ipairs(got) do
      close(g, (ends[1][i] - ends[-1][i]) * (1 / (2 * h)), 1e-5,
        ("seed %d, product with the Hessian, part %d"):format(seed, i))
    end
  end
end

return tests
