--- Fields that are large run tile by tile (core/autodiff/batch.c, tiles.c): the same numbers as sample by
-- sample, for any number of threads, and fields whose samples depend on each other stay whole.

local tide = require "tide"
local check = require "check"
local nn = tide.nn

local tests = {}

local close = check.close

-- Value of a loss over the batch, its gradients, and the end states.
local function run(field, x, opts)
  local states
  local function loss(p)
    local ys = tide.odeint(p, x, {0, 0.4, 1}, opts)
    return (ys[2]:square():sum() + ys[3]:sin():sum())
  end
  states = tide.odeint(field, x, {0, 0.4, 1}, opts)
  local value, grads = tide.value_and_grad(loss)(field)
  return states, value, tide.tree.tensors(grads, true)
end

-- Sums over samples solved one by one.
local function one_by_one(field, x, opts)
  local total, sums, ends = 0, nil, {}
  for i = 1, #x do
    local states, value, grads = run(field, x:slice(1, i, i), opts)
    total = total + value:item()
    ends[i] = states
    for j, g in ipairs(grads) do
      sums = sums or {}
      sums[j] = sums[j] and sums[j] + g or g
    end
  end
  return tide.cat(ends, 2), total, sums
end

local function compare(field, x, opts, tolerance)
  local states, value, grads = run(field, x, opts)
  local states1, value1, grads1 = one_by_one(field, x, opts)
  close(states, states1, tolerance, "states")
  assert(math.abs(value:item() - value1) <= tolerance * math.max(1, math.abs(value1)))
  for i, g in ipairs(grads) do close(g, grads1[i], tolerance, "gradient " .. i) end
end

tests["convolutional field with time, rest tile, float64"] = function()
  local field = nn.conv_field{channels = 3, filters = 8, time = true, act = "tanh", dtype = "float64",
    seed = 1}
  compare(field, tide.randn({37, 3, 12, 12}, {seed = 2, dtype = "float64"}), {method = "rk4", steps = 3},
    1e-11)
end

tests["mlp over many samples"] = function()
  local field = nn.mlp{sizes = {3, 40, 40, 3}, act = "softplus", time = true, dtype = "float64", seed = 3}
  local x = tide.randn({3001, 3}, {seed = 4, dtype = "float64"})
  local states = tide.odeint(field, x, {0, 1}, {method = "midpoint", steps = 4})
  for _, i in ipairs{1, 2, 1500, 3000, 3001} do
    close(states:slice(2, i, i), tide.odeint(field, x:slice(1, i, i), {0, 1},
      {method = "midpoint", steps = 4}), 1e-12, "sample " .. i)
  end
end

tests["same bits for 1, 2, 3, 4 threads"] = function()
  local field = nn.conv_field{channels = 2, filters = 12, seed = 5}
  local x = tide.randn({50, 2, 14, 14}, {seed = 6})
  check.same_for_threads(function()
    local states, value, grads = run(field, x, {method = "dopri5", rtol = 1e-3, atol = 1e-3})
    return {states, value, table.unpack(grads)}
  end)
end

-- Each of these mixes samples or has data per sample, so that it may not be cut.
local n, c = 64, 6000
local coupled = {
  ["mean over the batch"] = function(_, y) return y:tanh() - y:mean(1, true) end,
  ["a constant per sample"] = function(_, y)
    return y:tanh() * tide.randn({n, 1}, {seed = 9, dtype = "float64"})
  end,
  ["reversed samples"] = function(_, y) return y:tanh() - y:slice(1, -1, 1, -1) end,
  ["largest of the batch"] = function(_, y) return y:sin() - y:max(1, true) end,
  ["transposed"] = function(_, y) return (y:transpose(1, 2):softmax(1) - 0.5):transpose(1, 2) end,
  ["samples joined"] = function(_, y) return tide.cat({y:slice(1, 2, -1), y:slice(1, 1, 1)}, 1):cos() end,
  ["gram matrix"] = function(_, y) return (y:matmul(y:transpose(1, 2)) * (1 / c)):matmul(y) - y end,
}

for name, f in pairs(coupled) do
  tests["coupled samples stay whole: " .. name] = function()
    local y0 = tide.randn({n, c}, {seed = 8, dtype = "float64"})
    local got = tide.odeint(f, y0, {0, 0.2}, {method = "euler", steps = 2})[2]
    local y = y0
    for step = 0, 1 do y = y + f(step * 0.1, y) * 0.1 end -- at once, outside any field
    close(got, y, 1e-12, name)
  end
end

tests["parameters that look like a batch are shared"] = function()
  -- 64 samples and a 64 x 64 weight: only the left operand of the product is the batch
  local w = tide.randn({64, 64}, {seed = 11, dtype = "float64"})
  local y0 = tide.randn({64, 64}, {seed = 12, dtype = "float64"})
  local big = y0:reshape{64, 64, 1}:broadcast_to{64, 64, 80}:clone()
  local function f(_, y) return w:matmul(y):tanh() end -- w times each sample's 64 x 80 matrix
  local got = tide.odeint(f, big, {0, 1}, {method = "euler", steps = 2})[2]
  local y = big
  for _ = 1, 2 do y = y + f(0, y) * 0.5 end
  close(got, y, 1e-12, "left product")
end

-- A solve is one object with a state of its own: threads that work on tiles used to meet in it.
tests["a solve inside, of nothing that is batched, keeps the batch whole"] = function()
  local start = tide.full({4}, 0.5, {dtype = "float64"})
  local function f(_, y)
    return -y * tide.odeint(function(_, z) return -z end, start, {0, 1}, {rtol = 1e-9, atol = 1e-9}):slice(
      1, 2, 2):sum()
  end
  local ys = tide.odeint(f, tide.ones({40000, 8}, {dtype = "float64"}), {0, 1}, {method = "rk4", steps = 20})
  check.near(ys[2]:mean():item(), math.exp(-2 * math.exp(-1)), 1e-7)
end

tests["an error in a tile arrives with its message"] = function()
  local labels = tide.full({64}, 3, {dtype = "int64"})
  local ok, message = pcall(function()
    return tide.odeint(function(_, y) return y:take(labels, 2):sum(2, true) * 0 + y end,
      tide.ones{64, 2, 4000}:sum(3, true):broadcast_to{64, 2, 4000}
      :clone(), {0, 1}, {method = "euler", steps = 1})
  end)
  assert(not ok and tostring(message):find("position 3", 1, true), tostring(message))
end

tests["failing allocations: an error or the right gradient, and nothing is lost"] = function()
  local field = nn.conv_field{channels = 2, filters = 12, seed = 5, dtype = "float64"}
  local x = tide.randn({40, 2, 14, 14}, {seed = 6, dtype = "float64"})
  local function gradient(kind)
    local g = tide.grad(function(p)
      return tide.odeint(p, x, {0, 0.3, 1}, {method = "bosh3", rtol = 1e-2, atol = 1e-2,
        gradient = kind}):square():sum()
    end)(field)
    return tide.tree.tensors(g)[1]:sum():item()
  end
  for _, kind in ipairs{"direct", "adjoint"} do
    check.survives(function() return gradient(kind) end, 440, 11, 20)
  end
end

return tests
