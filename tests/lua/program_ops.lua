--- What random programs are made of: for each op and method a function that writes one expression of it, or
-- nil where no value fits. g (programs.lua) picks operands among the values that the program has so far.
-- Expressions are texts, so that a program can be printed.

local M, rare = {}, {}

local function show(list) return "{" .. table.concat(list, ", ") .. "}" end
local function f(...) return string.format(...) end

-- ---- shapes ----

function M.reshape(g)
  local x = g:any()
  local n, shape = g.values[x].numel, {}
  while #shape < 4 and (n > 1 and g:chance(0.7) or n <= 1 and g:chance(0.3)) do
    local d = n == 0 and g:int(0, 3) or g:divisor(n)
    table.insert(shape, g:int(1, #shape + 1), d)
    n = d > 0 and n // d or 1
  end
  if n ~= 1 or g.values[x].numel == 0 then
    table.insert(shape, g:int(1, #shape + 1), g.values[x].numel == 0 and 0 or n)
  end
  if #shape > 0 and g.values[x].numel > 0 and g:chance(0.3) then shape[g:int(1, #shape)] = -1 end
  return f("%s:reshape(%s)", x, show(shape))
end
function M.flatten(g) local x = g:any(g.has_axes) return f("%s:flatten(%d)", x, g:axis(x)) end
function M.transpose(g)
  local x = g:any(g.has_axes)
  if g.values[x].rank >= 2 and g:chance(0.5) then return f("%s:transpose()", x) end
  return f("%s:transpose(%d, %d)", x, g:axis(x), g:axis(x))
end
function M.permute(g) local x = g:any() return f("%s:permute(%s)", x, show(g:shuffled(g.values[x].rank))) end
function M.broadcast_to(g)
  local x = g:any()
  local shape = {}
  for i, n in ipairs(g.values[x].shape) do shape[i] = n == 1 and g:chance(0.7) and g:dim() or n end
  while #shape < 4 and g:chance(0.4) do table.insert(shape, 1, g:dim()) end
  return f("%s:broadcast_to(%s)", x, show(shape))
end
M.broadcast = M.broadcast_to

local function bounds(g, n) -- first, last, step of a slice of an axis of n elements
  if n == 0 or g:chance(0.05) then return 1, 0, 1 end
  local a, b, step = g:int(1, n), g:int(1, n), g:pick{1, 1, 1, 2, 3}
  if g:chance(0.3) then a, b = 1, n end
  if a > b then
    if g:chance(0.5) then return b, a, step end
    step = -step
  end
  if g:chance(0.2) then a, b = a - n - 1, b - n - 1 end
  return a, b, step
end
function M.slice(g)
  local x = g:any(g.has_axes)
  local axis = g:int(1, g.values[x].rank)
  return f("%s:slice(%d, %d, %d, %d)", x, axis, bounds(g, g.values[x].shape[axis]))
end
function M.index(g) -- x[i]: of a vector it would be a number
  local x = g:any(function(v) return v.rank >= 2 and v.shape[1] > 0 end)
  local n = g.values[x].shape[1]
  return f("%s[%d]", x, g:chance(0.3) and -g:int(1, n) or g:int(1, n))
end
function M.select(g)
  local x = g:any(function(v) return v.rank >= 1 and v.numel > 0 end)
  local axis = g:axis(x)
  return f("%s:select(%d, %d)", x, axis,
    g:int(1, g.values[x].shape[axis > 0 and axis or axis + g.values[x].rank + 1]))
end
function M.own_view(g) -- a tensor with another view of its own memory
  local x = g:any(function(v) return v.rank >= 1 and v.numel > 0 end)
  local axis, view = g:int(1, g.values[x].rank), nil
  local shape = g.values[x].shape
  if #shape >= 2 and shape[#shape] == shape[#shape - 1] and g:chance(0.6) then view = "%s:transpose()"
  else view = "%s:slice(" .. axis .. ", -1, 1, -1)" end
  return f(g:pick{"%s + %s", "%s * %s", "%s:maximum(%s)", "%s - %s"}, g:pick{x, f("(%s * 2)", x)}, f(view, x))
end
function M.embed(g)
  local x = g:any()
  local attrs = {}
  for _, n in ipairs(g.values[x].shape) do
    local start, step = g:int(0, 2), g:int(1, 2)
    local size = start + (n > 0 and (n - 1) * step + 1 or 0) + g:int(0, 1)
    if g:chance(0.3) and n > 0 then start, step = start + (n - 1) * step, -step end
    for _, a in ipairs{start, step, size} do attrs[#attrs + 1] = a end
  end
  return f('core.apply("embed", %s, %s)', show(attrs), x)
end

local function joined(g, name, same)
  local x = g:any(name == "cat" and g.has_axes or nil)
  local rank, axis = g.values[x].rank, nil
  axis = name == "cat" and g:int(1, rank) or g:int(1, rank + 1)
  local list = {x}
  for _ = 1, g:int(0, 3) do
    list[#list + 1] = g:any(function(v)
      if v.rank ~= rank then return false end
      for i, n in ipairs(v.shape) do
        if n ~= g.values[x].shape[i] and (same or i ~= axis) then return false end
      end
      return true
    end)
  end
  return f("tide.%s(%s, %d)", name, show(list), g:chance(0.3) and axis - rank - (name == "cat" and 1 or 2)
    or axis)
end
function M.cat(g) return joined(g, "cat") end
function M.stack(g) return joined(g, "stack", true) end

local function positions(n, g, count)
  local list = {}
  for i = 1, count or g:int(0, 5) do list[i] = g:int(1, n) end
  return list
end
function M.take(g)
  local x = g:any(function(v) return v.rank >= 1 and v.numel > 0 end)
  local axis = g:axis(x)
  local n = g.values[x].shape[axis > 0 and axis or axis + g.values[x].rank + 1]
  local at = show(positions(n, g))
  if g:chance(0.4) then at = g:capture("tide.tensor(" .. at .. ', {dtype = "int64"})') end
  return f("%s:take(%s, %d)", x, at, axis)
end
function M.take_grad(g)
  local x = g:any(function(v) return v.rank >= 1 end)
  local axis, size = g:int(1, g.values[x].rank), g:int(1, 5)
  local at = show(positions(size, g, g.values[x].shape[axis]))
  return f('core.apply("take_grad", {%d, %d}, %s, tide.tensor(%s, {dtype = "int64"}))', axis - 1, size, x, at)
end
function M.one_hot(g)
  local classes = g:int(1, 5)
  local n = g:dim()
  local labels = g:capture(f('tide.tensor(%s, {dtype = "int64"})', show(positions(classes, g, n))))
  return f("tide.one_hot(%s, %d, {dtype = %s})", labels, classes, g:dtype_name())
end
function M.where(g)
  local c = g:any(g:chance(0.8) and function(v) return v.dtype == "uint8" end or nil)
  local a = g:fitting(c) or g:number(c)
  local b = g:fitting(c) or g:number(c)
  if g:chance(0.2) then a = g:number(c) end
  if g:chance(0.2) then b = g:number(c) end
  return f("tide.where(%s, %s, %s)", c, a, b)
end
function M.cast(g) return f("%s:to(%s)", g:any(), g:pick{"F32", "F64", '"int64"'}) end
M.to = M.cast
-- ---- reductions ----

local function axes(g, x)
  local rank = g.values[x].rank
  if rank == 0 or g:chance(0.3) then return "nil" end
  if rank >= 2 and g:chance(0.3) then
    local order = g:shuffled(rank)
    return f("{%d, %d}", order[1], order[2])
  end
  return tostring(g:axis(x))
end
local function keepdim(g) return g:chance(0.4) and ", true" or "" end
local floats_only = {var = true, std = true, logsumexp = true}
for _, name in ipairs{"sum", "mean", "var", "std", "logsumexp", "max", "min", "any", "all",
  "count_nonzero"} do
  M[name] = function(g)
    local x = g:any(function(v)
      return (name ~= "max" and name ~= "min" or v.numel > 0) and (not floats_only[name] or v.float)
    end)
    return f("%s:%s(%s%s)", x, name, axes(g, x), keepdim(g))
  end
end
function M.prod(g) -- near 1, so that many of them neither vanish nor overflow
  local x = g:any(g.is_float)
  return f("(%s:tanh() * 0.3 + 1):prod(%s%s)", x, axes(g, x), keepdim(g))
end
for _, name in ipairs{"nansum", "nanmean"} do
  M[name], rare[name] = function(g)
    local x = g:any(g.is_float)
    return f("%s:%s(%s%s)", x, name, axes(g, x), keepdim(g))
  end, true
end
function M.norm(g)
  local x = g:any(function(v) return v.float and v.numel > 0 end)
  return f("%s:norm(%s, %s%s)", x, g:pick{"nil", "1", "2", "3", "math.huge"}, axes(g, x), keepdim(g))
end
for _, name in ipairs{"argmax", "argmin"} do
  M[name] = function(g)
    local x = g:any(function(v) return v.numel > 0 end)
    if g.values[x].rank == 0 or g:chance(0.3) then return f("%s:%s()", x, name) end
    return f("%s:%s(%d%s)", x, name, g:axis(x), keepdim(g))
  end
end
for _, name in ipairs{"softmax", "log_softmax"} do
  M[name] = function(g)
    local x = g:any(function(v) return v.rank >= 1 and v.float and v.numel > 0 end)
    return f("%s:%s(%d)", x, name, g:axis(x))
  end
end

-- ---- products ----

function M.matmul(g)
  local x = g:any(function(v) return v.rank >= 1 end)
  local shape = g.values[x].shape
  local n = shape[#shape]
  local y = g:any(function(v)
    if v.rank == 0 or v.shape[math.max(1, v.rank - 1)] ~= n then return false end
    for i = 1, math.min(v.rank, #shape) - 2 do -- leading axes broadcast
      local a, b = shape[#shape - 1 - i], v.shape[v.rank - 1 - i]
      if a ~= b and a ~= 1 and b ~= 1 then return false end
    end
    return true
  end, true)
  if not y or g:chance(0.3) then -- a weight that fits, as a layer has it
    local m = g:dim()
    local weight = g:capture(f("tide.randn({%d, %d}, {dtype = \"float32\", seed = %d}):to(%s)", n, m,
      g:seed(), g:dtype_name()))
    if g:chance(0.3) then weight = f("%s:transpose():clone():transpose()", weight) end
    local layer = f("%s:matmul(%s)", x, weight)
    if g:chance(0.5) then
      layer = f("(%s + tide.linspace(-1, 1, %d, {dtype = %s}))", layer, math.max(m, 1), g:dtype_name())
    end
    return g:chance(0.5) and layer .. g:pick{":relu()", ":tanh()", ":sigmoid()", ":softplus()"} or layer
  end
  return f("%s:matmul(%s)", x, y)
end

local function filters(g, c, sizes)
  local groups = c % 2 == 0 and g:chance(0.3) and 2 or 1
  local shape = {groups * g:int(1, 3), c // groups}
  for _, k in ipairs(sizes) do shape[#shape + 1] = k end
  return shape, groups
end
local function convolution(g, name, rank)
  local function fits(v) return v.rank == rank and v.float and v.numel > 0 end
  local x = g:any(fits, true)
  local shape
  if x then shape = g.values[x].shape
  else
    shape = {g:int(1, 2), g:int(1, 3), g:int(1, 6), rank == 4 and g:int(1, 6) or nil}
    x = g:capture(f('tide.randn(%s, {dtype = "float32", seed = %d}):to(%s)', show(shape), g:seed(),
      g:dtype_name()))
  end
  local sizes, padding = {g:int(1, 3), rank == 4 and g:int(1, 3) or nil}, g:int(0, 2)
  local w, groups = filters(g, shape[2], sizes)
  local weight = g:capture(f('tide.randn(%s, {dtype = "float32", seed = %d}):to(%s)', show(w), g:seed(),
    g:dtype_name()))
  local bias = g:chance(0.5) and f("tide.linspace(-1, 1, %d, {dtype = %s})", w[1], g:dtype_name()) or "nil"
  local text = f("tide.%s(%s, %s, %s, {stride = %d, padding = %d, dilation = %d, groups = %d})", name, x,
    weight, bias, g:int(1, 2), padding,
    g:int(1, 2), groups)
  return g:chance(0.3) and text .. ":relu()" or text
end
function M.conv(g) return convolution(g, "conv2d", 4) end
M.conv2d = M.conv
function M.conv1d(g) return convolution(g, "conv1d", 3) end

local function fresh(g, shape)
  return f('tide.randn(%s, {dtype = "float32", seed = %d}):to(%s)', show(shape), g:seed(), g:dtype_name())
end
function M.conv_dx(g) -- stride 2, 1; padding 1, 0; kernel 3 x 2; image 4 x 3, output 2 x 2
  return f('core.apply("conv_dx", {2, 1, 1, 0, 1, 1, 1, 4, 3}, %s, %s)', g:capture(fresh(g, {1, 2, 2, 2})),
    g:capture(fresh(g, {2, 2, 3, 2})))
end
function M.conv_dw(g)
  return f('core.apply("conv_dw", {2, 1, 1, 0, 1, 1, 1, 3, 2}, %s, %s)', g:capture(fresh(g, {1, 2, 4, 3})),
    g:capture(fresh(g, {1, 2, 2, 2})))
end
function M.conv_matrix(g)
  return f('core.apply("conv_matrix", {2, 1, 0, 2, 1, 2, 1, 3, 3}, %s)', g:capture(fresh(g, {2, 3, 3, 2})))
end
function M.conv_matrix_grad(g)
  return f('core.apply("conv_matrix_grad", {1, 1, 1, 1, 1, 1, 1, 2, 3, 2, 3, 3, 2}, %s)',
    g:capture(fresh(g, {18, 16})))
end

-- ---- losses ----

local function like(g, x) return g:any(function(v) return v.key == g.values[x].key end) end
for _, name in ipairs{"mse", "smooth_l1", "binary_cross_entropy"} do
  M[name] = function(g)
    local x = g:any(g.is_float)
    local same = g:any(function(v)
      return table.concat(v.shape, ",") == table.concat(g.values[x].shape, ",") and v.float
    end)
    return f("tide.%s(%s, %s)", name, x, same)
  end
end
function M.cross_entropy(g)
  local x = g:any(function(v) return v.rank == 2 and v.float and v.numel > 0 end, true)
  if not x then return nil end
  local shape = g.values[x].shape
  return f('tide.cross_entropy(%s, %s)', x,
    g:capture(f('tide.tensor(%s, {dtype = "int64"})', show(positions(shape[2], g, shape[1])))))
end

-- ---- new tensors ----

for _, name in ipairs{"zeros", "ones"} do
  M[name] = function(g) return f("tide.%s(%s, {dtype = %s})", name, show(g:shape()), g:dtype_name()) end
  M[name .. "_like"] = function(g) return f("tide.%s_like(%s)", name, g:any()) end
end
function M.full(g)
  return f("tide.full(%s, %g, {dtype = %s})", show(g:shape()), g:int(-3, 3) / 2, g:dtype_name())
end
function M.arange(g)
  return f("tide.arange(%d, %d, {dtype = %s})", g:int(-2, 1), g:int(1, 4), g:pick{"F32", "F64", '"int64"'})
end
function M.linspace(g) return f("tide.linspace(-1, 1.5, %d, {dtype = %s})", g:int(1, 5), g:dtype_name()) end
function M.eye(g) return f("tide.eye(%d, {dtype = %s})", g:int(0, 4), g:dtype_name()) end
function M.tensor(g)
  return f("tide.tensor({%d, %d}, {dtype = %s})", g:int(-3, 3), g:int(-3, 3), g:pick{"F32", "F64", '"int64"'})
end
local function random(name)
  return function(g)
    local seed = g:chance(0.4) and f(", seed = %d", g:seed()) or ""
    local dtype = g:chance(0.5) and "float32" or "float64"
    local shape = g:chance(0.6) and g.values[g:any()].shape or g:shape()
    local text = f('tide.%s(%s, {dtype = "%s"%s})%s', name, show(shape), dtype, seed, dtype == "float32"
      and ":to(F32)" or "")
    return g:chance(0.3) and f("%s - %s", text, text) or text
  end
end
M.randn, M.rand = random "randn", random "rand"
M.random = M.randn
function M.randperm(g)
  return f("tide.randperm(%d%s)", g:int(0, 5), g:chance(0.4) and f(", {seed = %d}", g:seed()) or "")
end

-- ---- functions of functions: @ is the body, its last value a scalar, or the derivative of a state ----

local function differentiable(g) return g:any(g.is_float) end
function M.grad(g) local x = differentiable(g) return f("tide.grad(function(q1) @ end)(%s)", x), {q1 = x} end
function M.value_and_grad(g)
  local x, y = differentiable(g), differentiable(g)
  local call = f("tide.value_and_grad(function(q) local q1, q2 = q.a, q[1] @ end)({%s, a = %s})", y, x)
  return g:chance(0.3) and f("(%s)", call) or f("select(2, %s)%s", call, g:pick{"[1]", ".a"}),
    {q1 = x, q2 = y}
end
function M.vjp(g)
  local x = differentiable(g)
  return f("(function() local z, back = tide.vjp(function(q1) @ end, %s) return back(z * 0.5) end)()", x),
    {q1 = x}
end
function M.jvp(g)
  local x = differentiable(g)
  return f("select(%d, tide.jvp(function(q1) @ end, %s, %s))", g:int(1, 2), x, like(g, x)), {q1 = x}
end
function M.compile(g) local x = g:any() return f("tide.compile(function(q1) @ end)(%s)", x), {q1 = x} end

local solvers = {'method = "euler", steps = 2', 'method = "rk4", steps = 2',
  'method = "midpoint", step_size = 0.3',
  'method = "heun", steps = 3, gradient = "checkpoint", checkpoint_steps = 2',
  'method = "dopri5", steps = 1', 'method = "bosh3", steps = 2',
  'method = "tsit5", steps = 1, gradient = "checkpoint"'}
function M.odeint(g)
  local x = g:any(g.is_float)
  local times = g:pick{"{0, 0.5}", "{0.5, 0}", "{0, 0.2, 0.7}",
    "tide.tensor({0, 0.4}, {dtype = \"float64\"})"}
  if g:chance(0.3) then
    local y = like(g, x)
    return f("tide.odeint(function(t, q) local q1, q2 = q.u, q[1][1] @ end, {u = %s, {%s}}, %s, {%s})%s", x,
      y, times, g:pick(solvers),
      g:pick{".u", "[1][1]"}), {q1 = x, q2 = y}, "{u = %s, {q2 * -0.3}}"
  end
  return f("(tide.odeint(function(t, q1) @ end, %s, %s, {%s}))", x, times, g:pick(solvers)), {q1 = x}, "%s"
end

--- Ops that make tensors of nothing, or end every derivative, come less often, or programs fall apart.
for _, name in ipairs{"zeros", "ones", "zeros_like", "ones_like", "full", "arange", "linspace", "eye",
  "tensor", "randperm", "one_hot", "conv_dx",
  "conv_dw", "conv_matrix", "conv_matrix_grad", "argmax", "argmin", "any", "all", "count_nonzero"} do
  rare[name] = true
end

local elementwise = require "program_elementwise"
for name, make in pairs(elementwise.make) do M[name], rare[name] = make, elementwise.rare[name] end
for name, make in pairs(require "program_indexing") do M[name], rare[name] = make, true end
for name, make in pairs(require "program_linalg") do M[name], rare[name] = make, name ~= "einsum" end

return {make = M, rare = rare}
