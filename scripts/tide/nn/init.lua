--- Models: plain tables of tensors with a __call metamethod. No registration, no hidden state.
--
-- A layer is called as layer(x, opts); a field as field(t, y). opts.solver overrides solver options for that
-- call only.

local convolution = require "tide.tensor.convolution"
local core = require "tide.core"
local options = require "tide.base.options"
local ode = require "tide.ode"
local tensor = require "tide.tensor"
local tree = require "tide.base.tree"
local class = require "tide.nn.model_class"

local M = {}
local raise = core.raise

-- ---- helpers ----

local function size_check(where, name, v)
  if type(v) ~= "number" or not math.tointeger(v) or v < 1 then
    raise(("%s: %s must be an integer >= 1, got %s"):format(where, name, options.show(v)))
  end
  return math.tointeger(v)
end

--- Run make() with the default generator at the start of stream `seed`, then restore it; seed nil just runs
-- it.
function M.with_seed(seed, make)
  if seed ~= nil and (type(seed) ~= "number" or not math.tointeger(seed)) then
    raise("nn.with_seed: the seed must be an integer, got " .. options.show(seed))
  end
  local meta = getmetatable(make)
  if type(make) ~= "function" and not (type(meta) == "table" and meta.__call) then
    raise("nn.with_seed: expected a function to run, got " .. options.show(make))
  end
  if seed == nil then return make() end
  -- luacheck: ignore at_once (the same numbers at each run: no part of a recording)
  local at_once <close> = core.tape_begin("nothing")
  local old_seed, old_block = core.rng_state()
  core.rng_state(math.tointeger(seed), 0)
  local results = table.pack(pcall(make))
  core.rng_state(old_seed, old_block)
  if not results[1] then error(results[2], 0) end
  return table.unpack(results, 2, results.n)
end

--- Number of trainable values: the elements of all float tensors.
function M.count(model)
  local n, seen = 0, {}
  for _, x in ipairs(tree.tensors(model, true)) do
    if not seen[x] then n = n + x:numel() end -- a layer that is used twice is counted once
    seen[x] = true
  end
  return n
end

--- Names of the model's float tensors with shape and number of values, in order, as a table of {name=,
-- shape=, count=}.
function M.parameters(model)
  local list = {}
  tree.each(model, function(x, path)
    if tree.is_tensor(x) and (x:dtype() == "float32" or x:dtype() == "float64") then
      list[#list + 1] = {name = path, shape = x:shape(), count = x:numel(), tensor = x}
    end
  end)
  return list
end

local function tensors_by_path(t)
  local out, paths = {}, {}
  tree.each(t, function(x, path)
    if tree.is_tensor(x) then out[path], paths[#paths + 1] = x, path end
  end)
  return out, paths
end

local function shape_text(x) return x:dtype() .. " {" .. table.concat(x:shape(), ", ") .. "}" end

--- load(model, weights) -> model: put weights, as tide.load returns what tide.save wrote of a model like this
-- one, into its tensors, in place. Every name, shape and dtype is checked before anything changes.
function M.load(model, weights)
  if type(model) ~= "table" or type(weights) ~= "table" then
    raise(("nn.load: expected a model and a table of weights (tide.load), got %s and %s"):format(
      options.show(model), options.show(weights)))
  end
  local into, paths = tensors_by_path(model)
  local from, given = tensors_by_path(weights)
  for _, path in ipairs(paths) do
    if not from[path] then
      raise(("nn.load: weights lack %s, %s; they are of another model"):format(path, shape_text(into[path])))
    end
    if shape_text(from[path]) ~= shape_text(into[path]) then
      raise(("nn.load: %s must be %s, got %s; the weights are of another model"):format(path,
        shape_text(into[path]), shape_text(from[path])))
    end
  end
  for _, path in ipairs(given) do
    if not into[path] then
      raise(("nn.load: the model has no %s; the weights are of another model"):format(path))
    end
  end
  for _, path in ipairs(paths) do into[path]:copy_(from[path]) end
  return model
end

-- ---- activations ----

local activations = {"relu", "tanh", "sigmoid", "softplus", "sin", "cos", "exp", "abs", "square", "identity"}

local function activation(where, name)
  for _, a in ipairs(activations) do if a == name then return name end end
  raise(("%s: %s"):format(where, options.unknown("activation", name, activations)))
end

local function activate(x, name)
  if name == "identity" then return x end
  return x[activation("nn", name)](x)
end

M.activation = (function()
  local make = class("nn.activation", "act", function(self, x)
    return activate(tree._check_tensor(x, "nn.activation"), self.act)
  end)
  return function(name) return make{act = activation("nn.activation", name)} end
end)()

-- ---- initialisation ----

local inits = {"default", "kaiming", "xavier", "normal", "orthogonal", "zeros"}
local count = options.at_least(1)
local layer_spec = {
  init = {"string", default = "default", check = options.one_of(inits)},
  std = {"number", default = 0.02, check = options.positive},
  bias = {"boolean", default = true}, dtype = tensor._dtype_rule, seed = {"integer"},
}

-- Rows made orthonormal by the modified Gram-Schmidt process (columns where there are more rows than
-- columns).
local function orthogonal(rows, columns, dtype)
  local tall = rows > columns
  local a = core.random("normal", tall and {columns, rows} or {rows, columns}, "float64"):totable()
  for i, row in ipairs(a) do
    for j = 1, i - 1 do
      local dot = 0
      for k, v in ipairs(row) do dot = dot + v * a[j][k] end
      for k in ipairs(row) do row[k] = row[k] - dot * a[j][k] end
    end
    local norm = 0
    for _, v in ipairs(row) do norm = norm + v * v end
    for k in ipairs(row) do row[k] = row[k] / math.sqrt(norm) end
  end
  local q = core.tensor_from(a, "float64")
  return (tall and q:transpose() or q):clone():to(dtype)
end

-- Weight of the given shape (outputs first) and bias; fan_in counts the inputs of one output.
local function initial(shape, fan_in, fan_out, o)
  local bound, weight, bias = 1 / math.sqrt(fan_in), nil, core.full({shape[1]}, 0, o.dtype)
  local function uniform(s, b) return (core.random("uniform", s, o.dtype) * (2 * b) - b):clone() end
  if o.init == "default" then -- PyTorch's
    weight, bias = uniform(shape, bound), uniform({shape[1]}, bound)
  elseif o.init == "kaiming" then
    weight = core.random("normal", shape, o.dtype) * math.sqrt(2 / fan_in)
  elseif o.init == "xavier" then
    weight = uniform(shape, math.sqrt(6 / (fan_in + fan_out)))
  elseif o.init == "normal" then
    weight = core.random("normal", shape, o.dtype) * o.std
  elseif o.init == "zeros" then
    weight = core.full(shape, 0, o.dtype)
  else
    local columns = 1
    for i = 2, #shape do columns = columns * shape[i] end
    weight = orthogonal(shape[1], columns, o.dtype):reshape(shape)
  end
  return weight, o.bias and bias or nil
end

-- ---- layers ----

local function check_features(where, x, axis, wanted)
  local shape = tree._check_tensor(x, where):shape()
  if shape[axis < 0 and #shape + 1 + axis or axis] ~= wanted then
    raise(("%s: x must have %d %s, got shape {%s}"):format(where, wanted, axis < 0
      and "features on its last axis" or "channels",
      table.concat(shape, ", ")))
  end
end

local make_linear = class("nn.linear", "weight bias", function(self, x)
  if not tree.is_tensor(self.weight) then
    raise("nn.linear: the layer's weight must be a tensor of shape n_out, n_in, got "
      .. options.show(self.weight))
  end
  check_features("nn.linear", x, -1, self.weight:shape()[2])
  local y = core.apply("matmul", {0, 1}, x:rank() == 1 and x:reshape{1, -1} or x, self.weight)
  if x:rank() == 1 then y = y:reshape{-1} end
  return self.bias and y + self.bias or y
end)

--- y = x W^T + b, W of shape n_out, n_in.
function M.linear(n_in, n_out, opts)
  local o = options.check("nn.linear", opts, layer_spec)
  n_in, n_out = size_check("nn.linear", "n_in", n_in), size_check("nn.linear", "n_out", n_out)
  local weight, bias = M.with_seed(o.seed, function() return initial({n_out, n_in}, n_in, n_out, o) end)
  return make_linear{weight = weight, bias = bias}
end

local conv_spec = {
  stride = {"integer|table", default = 1}, padding = {"integer|table", default = 0},
  dilation = {"integer|table", default = 1},
  groups = {"integer", default = 1, check = count},
}
for name, rule in pairs(layer_spec) do conv_spec[name] = rule end

local make_conv1d = class("nn.conv1d", "weight bias conv", function(self, x)
  return convolution.conv1d(x, self.weight, self.bias, self.conv)
end)
local make_conv2d = class("nn.conv2d", "weight bias conv", function(self, x)
  return convolution.conv2d(x, self.weight, self.bias, self.conv)
end)

local function conv_layer(where, make, c_in, c_out, k, opts, axes)
  local o = options.check(where, opts, conv_spec, 3)
  c_in, c_out = size_check(where, "c_in", c_in), size_check(where, "c_out", c_out)
  if type(k) ~= "table" then k = axes == 2 and {k, k} or {k} end
  local groups, taps, shape = math.tointeger(o.groups), 1, {c_out, 0}
  if c_in % groups ~= 0 or c_out % groups ~= 0 then
    raise(("%s: groups = %d must divide c_in = %d and c_out = %d"):format(where, groups, c_in, c_out))
  end
  shape[2] = c_in // groups
  for i = 1, axes do
    shape[2 + i] = size_check(where, "kernel size", k[i])
    taps = taps * shape[2 + i]
  end
  local weight, bias = M.with_seed(o.seed, function()
    return initial(shape, shape[2] * taps, c_out // groups * taps, o)
  end)
  return make{weight = weight, bias = bias, conv = {stride = o.stride, padding = o.padding,
    dilation = o.dilation, groups = groups}}
end

function M.conv1d(c_in, c_out, k, opts)
  return conv_layer("nn.conv1d", make_conv1d, c_in, c_out, k, opts, 1)
end
function M.conv2d(c_in, c_out, k, opts)
  return conv_layer("nn.conv2d", make_conv2d, c_in, c_out, k, opts, 2)
end

local make_flatten = class("nn.flatten", "", function(_, x)
  return tree._check_tensor(x, "nn.flatten"):rank() == 1 and x:reshape{#x, 1} or x:flatten(2)
end)
--- N,... to N,features.
function M.flatten() return make_flatten{} end

-- Zeros beside the features (N,d) or channels (N,C,...) of x, after them.
local make_augment = class("nn.augment", "p", function(self, x)
  tree._check_tensor(x, "nn.augment")
  if self.p == 0 then return x end
  local shape = x:shape()
  if #shape < 2 then
    raise(("nn.augment: x must have shape N,d or N,C,..., got {%s}"):format(table.concat(shape, ", ")))
  end
  shape[2] = self.p
  return tensor.cat({x, core.full({}, 0, x:dtype()):broadcast_to(shape)}, 2)
end)
--- Append p zero features (N,d) or channels (N,C,...): the A of ANODE.
function M.augment(p)
  if type(p) ~= "number" or not math.tointeger(p) or p < 0 then
    raise("nn.augment: p must be an integer >= 0, got " .. options.show(p))
  end
  return make_augment{p = math.tointeger(p)}
end

local make_chain = class("nn.chain", "", function(self, x, opts)
  for _, layer in ipairs(self) do x = layer(x, opts) end
  return x
end)
--- Layers one after the other; a name ("relu") stands for that activation.
function M.chain(layers)
  if type(layers) ~= "table" then
    raise("nn.chain: expected a list of layers, got " .. options.show(layers))
  end
  local list = {}
  for i, layer in ipairs(layers) do
    list[i] = type(layer) == "string" and M.activation(layer) or layer
    local meta = getmetatable(list[i])
    if type(list[i]) ~= "function" and not (type(meta) == "table" and meta.__call) then
      raise(("nn.chain: layer %d must be a layer, a function or the name of an activation, got %s"):format(
        i, options.show(layer)))
    end
  end
  return make_chain(list)
end

-- ---- fields ----

-- t as one more entry of an axis of y, after the others: a feature of the last axis (mlp), a plane of
-- channels (axis 2, convolutions).
local function with_time(t, y, axis)
  local shape = y:shape()
  if not tree.is_tensor(t) then t = core.full({}, t, y:dtype()) end
  shape[axis] = 1
  return tensor.cat({y, t:to(y:dtype()):broadcast_to(shape)}, axis)
end

-- A model that is called as f(t, y) when it depends on time, and as f(y) or f(t, y) when it does not.
local function field_arguments(where, self, a, b)
  if tree.is_tensor(b) then return a, b end
  if not tree.is_tensor(a) then
    raise(("%s: y of field(t, y) or field(y) must be a tensor, got %s"):format(where,
      options.show(b == nil and a or b)))
  end
  if self.time then raise(where .. ": this field depends on time; call it as field(t, y)") end
  return nil, a
end

local make_mlp = class("nn.mlp", "layers act time", function(self, a, b)
  local t, y = field_arguments("nn.mlp", self, a, b)
  local x = self.time and with_time(t, y, y:rank()) or y
  for i, layer in ipairs(self.layers) do
    x = layer(x)
    if i < #self.layers then x = activate(x, self.act) end
  end
  return x
end)

local mlp_spec = {sizes = {"table", required = true}, act = {"string", default = "relu"},
  time = {"boolean", default = false}}
for name, rule in pairs(layer_spec) do mlp_spec[name] = rule end

local function layer_options(o) return {init = o.init, std = o.std, bias = o.bias, dtype = o.dtype} end

--- A multilayer perceptron, activation between the layers. time = true: t joins the input of the first layer
-- (sizes[1] + 1 inputs).
function M.mlp(opts)
  local o = options.check("nn.mlp", opts, mlp_spec)
  if #o.sizes < 2 then raise("nn.mlp: sizes needs two or more entries, got " .. #o.sizes) end
  local layers = M.with_seed(o.seed, function()
    local list = {}
    for i = 1, #o.sizes - 1 do
      list[i] = M.linear(o.sizes[i] + (i == 1 and o.time and 1 or 0), o.sizes[i + 1], layer_options(o))
    end
    return list
  end)
  return make_mlp{layers = layers, act = activation("nn.mlp", o.act), time = o.time}
end

local make_conv_field = class("nn.conv_field", "layers act time", function(self, a, b)
  local t, x = field_arguments("nn.conv_field", self, a, b)
  for i, layer in ipairs(self.layers) do
    x = layer(self.time and with_time(t, x, 2) or x)
    if i < #self.layers then x = activate(x, self.act) end
  end
  return x
end)

local conv_field_spec = {
  channels = {"integer", required = true, check = count},
  filters = {"integer", required = true, check = count},
  act = {"string", default = "relu"}, time = {"boolean", default = false},
  dims = {"integer", default = 2, check = options.one_of{1, 2}},
}
for name, rule in pairs(layer_spec) do conv_field_spec[name] = rule end

--- The convolutional field of both papers: 1 -> 3 (padding 1) -> 1, activation between; time = true adds t as
-- a plane to every input.
function M.conv_field(opts)
  local o = options.check("nn.conv_field", opts, conv_field_spec)
  local extra, conv, lo = o.time and 1 or 0, o.dims == 1 and M.conv1d or M.conv2d, layer_options(o)
  local middle = layer_options(o)
  middle.padding = 1
  local layers = M.with_seed(o.seed, function()
    return {conv(o.channels + extra, o.filters, 1, lo), conv(o.filters + extra, o.filters, 3, middle),
            conv(o.filters + extra, o.channels, 1, lo)}
  end)
  return make_conv_field{layers = layers, act = activation("nn.conv_field", o.act), time = o.time}
end

-- ---- ODE blocks ----

-- Options for one call: the block's own with those of the call on top. A new step rule replaces the old one.
local function merged(base, over)
  if not over then return base end
  local o = {}
  for k, v in pairs(base) do o[k] = v end
  if over.steps or over.step_size or over.method then o.steps, o.step_size = nil, nil end
  for k, v in pairs(over) do o[k] = v end
  return o
end

local function solver_of(opts)
  if opts == nil then return nil end
  if type(opts) ~= "table" then
    raise("nn.odeblock: options must be a table {solver = {...}}, got " .. options.show(opts))
  end
  for key in pairs(opts) do
    if key ~= "solver" then raise("nn.odeblock: " .. options.unknown("option", key, {"solver"})) end
  end
  return opts.solver
end

local watcher

--- For the library: call seen(block) before each solve of a block, until the result is closed.
function M._watch(seen)
  watcher = seen
  return setmetatable({}, {__close = function() watcher = nil end})
end

local function solve(self, x, times, over)
  if watcher then watcher(self) end
  local o = merged(self.solver, over)
  local rest = {}
  for k, v in pairs(o) do if k ~= "t" then rest[k] = v end end
  return ode.odeint(self.field, x, times or o.t or {0, 1}, rest)
end

local make_odeblock = class("nn.odeblock", "field solver", function(self, x, opts)
  local ys, stats = solve(self, x, nil, solver_of(opts))
  return tree.map(ys, function(y) return y[-1] end), stats
end, {
  --- States at the given times, {n_times, N, ...}, and statistics.
  trajectory = function(self, x, times, opts) return solve(self, x, times, solver_of(opts)) end,
})

--- block(x) -> state at the end of the span (solver option t, default {0, 1}), statistics.
function M.odeblock(field, solver)
  if solver ~= nil and type(solver) ~= "table" then
    raise("nn.odeblock: solver options must be a table, got " .. options.show(solver))
  end
  local own, check = {}, {}
  for k, v in pairs(solver or {}) do own[k] = v if k ~= "t" then check[k] = v end end
  ode.check_options("nn.odeblock", check)
  return make_odeblock{field = field, solver = own}
end

-- The input of a whole model, N and the extents of one sample that it was made for (self.input).
local function check_input(where, self, x)
  local wanted = self.input
  local shape = tree.is_tensor(x) and x:shape() or {}
  local fits = #shape == #wanted + 1
  for i, n in ipairs(wanted) do fits = fits and shape[i + 1] == n end
  if not fits then
    local text = table.concat(wanted, ", ")
    raise(("%s: x must have shape {N, %s}, got %s; the model was made for %s"):format(where, text,
      tree.is_tensor(x) and ("{%s}"):format(table.concat(shape, ", ")) or options.show(x),
      #wanted == 1 and "dim = " .. text or "image = {" .. text .. "}"))
  end
  return x
end

-- Nets of augment -> odeblock -> read-out, with access to what happens inside.
local function start_of(self, x)
  return self.augment(check_input(self.flatten and "nn.conv_odenet" or "nn.odenet", self, x))
end
local odenet_methods = {}
--- Features: the state at the end of the ODE block, before the read-out.
function odenet_methods.features(self, x, opts) return (self.block(start_of(self, x), opts)) end
--- States of the ODE block at the given times, {n_times, N, ...}.
function odenet_methods.trajectory(self, x, times, opts)
  return self.block:trajectory(start_of(self, x), times, opts)
end

local make_odenet = class("nn.odenet", "input augment block flatten out", function(self, x, opts)
  local h = self.block(start_of(self, x), opts)
  if self.flatten then h = h:flatten(2) end
  return self.out and self.out(h) or h
end, odenet_methods, {solver = "block.solver", field = "block.field"})

local paper_solver = {method = "dopri5", rtol = 1e-3, atol = 1e-3}

local odenet_spec = {
  dim = {"integer", required = true, check = count}, hidden = {"integer", default = 32, check = count},
  augment = {"integer", default = 0, check = options.at_least(0)},
  out = {"integer", default = 1, check = count},
  time = {"boolean", default = true}, act = {"string", default = "relu"}, solver = {"table"},
  readout = {"boolean", default = true},
}
for name, rule in pairs(layer_spec) do odenet_spec[name] = rule end

--- The toy architecture of Augmented Neural ODEs (appendix F): MLP field d+p -> hidden -> hidden -> d+p, then
-- a linear read-out. augment = p zero dimensions; readout = false: the state itself is the prediction (figure
-- 3).
function M.odenet(opts)
  local o = options.check("nn.odenet", opts, odenet_spec)
  local width = o.dim + o.augment
  return M.with_seed(o.seed, function()
    local lo = layer_options(o)
    local field = M.mlp{sizes = {width, o.hidden, o.hidden, width}, act = o.act, time = o.time, init = o.init,
      std = o.std, bias = o.bias,
                        dtype = o.dtype}
    return make_odenet{input = {o.dim}, augment = M.augment(o.augment),
      block = M.odeblock(field, o.solver or paper_solver),
                       out = o.readout and M.linear(width, o.out, lo) or nil}
  end)
end

local conv_odenet_spec = {
  image = {"table", required = true}, filters = {"integer", required = true, check = count},
  augment = {"integer", default = 0, check = options.at_least(0)},
  classes = {"integer", default = 10, check = count},
  time = {"boolean", default = false}, act = {"string", default = "relu"}, solver = {"table"},
}
for name, rule in pairs(layer_spec) do conv_odenet_spec[name] = rule end

--- The image architecture of Augmented Neural ODEs: 1x1 -> 3x3 -> 1x1 convolutions on the pixels and p zero
-- channels, flatten, linear. The published parameter counts are those of time = false (the default); the
-- published configurations say true. image = {channels, length} is a signal, with convolutions along its
-- length.
function M.conv_odenet(opts)
  local o = options.check("nn.conv_odenet", opts, conv_odenet_spec)
  local input, dims = {}, #o.image - 1
  if dims ~= 1 and dims ~= 2 then
    raise("nn.conv_odenet: image must be {channels, height, width}, or {channels, length} for signals, got a "
      .. "table of " .. #o.image)
  end
  for i = 1, #o.image do input[i] = size_check("nn.conv_odenet", "image[" .. i .. "]", o.image[i]) end
  local channels = input[1] + o.augment
  return M.with_seed(o.seed, function()
    local field = M.conv_field{channels = channels, filters = o.filters, act = o.act, time = o.time,
      init = o.init, std = o.std,
                               bias = o.bias, dtype = o.dtype, dims = dims}
    return make_odenet{input = input, augment = M.augment(o.augment),
      block = M.odeblock(field, o.solver or paper_solver),
                       flatten = true, out = M.linear(channels * input[2] * (input[3] or 1), o.classes,
                         layer_options(o))}
  end)
end

-- ---- ResNet ----

local function resnet_features(self, x)
  check_input("nn.resnet", self, x)
  for _, block in ipairs(self.blocks) do
    x = x + activate(block[2](activate(block[1](x), self.act)), self.act)
  end
  return x
end

local make_resnet = class("nn.resnet", "input blocks act out",
  function(self, x) return self.out(resnet_features(self, x)) end, {features = resnet_features})

local resnet_spec = {
  dim = {"integer", required = true, check = count}, hidden = {"integer", default = 32, check = count},
  layers = {"integer", default = 5, check = options.between(0, 10000)},
  out = {"integer", default = 1, check = count},
  act = {"string", default = "relu"},
}
for name, rule in pairs(layer_spec) do resnet_spec[name] = rule end

--- The paper's ResNet: blocks x + relu(W2 relu(W1 x)), then a linear read-out. The branch ends in an
-- activation, as in the authors' code.
function M.resnet(opts)
  local o = options.check("nn.resnet", opts, resnet_spec)
  return M.with_seed(o.seed, function()
    local lo, blocks = layer_options(o), {}
    for i = 1, o.layers do blocks[i] = {M.linear(o.dim, o.hidden, lo), M.linear(o.hidden, o.dim, lo)} end
    return make_resnet{input = {o.dim}, blocks = blocks, act = activation("nn.resnet", o.act),
      out = M.linear(o.dim, o.out, lo)}
  end)
end

return M
