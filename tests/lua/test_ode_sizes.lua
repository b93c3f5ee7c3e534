--- Every numeric option of solves at sizes that no one means: it works, quickly and rightly, or is an error
-- that names it.

local tide = require "tide"

local tests = {}

local function f64(x) return tide.tensor(x, {dtype = "float64"}) end

local hostile = {0, 1, 2, 1 << 31, 1 << 53, 1 << 55, math.maxinteger, math.mininteger, -1, 2.0 ^ 53, 2.0 ^ 63,
  0 / 0, math.huge, -math.huge, 1e-310, 1e300,
                 0.5, "7", "x", {}, true, print}

-- fn(value) returns whether the result is right, or fails; a message has to hold one of `words`.
local function try_all(name, words, fn)
  for _, v in ipairs(hostile) do
    local start = os.clock()
    local ok, right = pcall(fn, v)
    local what = ("%s = %s"):format(name, tostring(v))
    assert(os.clock() - start < 2, what .. " takes long")
    if ok then
      assert(right, what .. " gives a wrong result")
    else
      local known = false
      for _, word in ipairs(words) do known = known or tostring(right):find(word, 1, true) ~= nil end
      assert(known, what .. ": " .. tostring(right))
    end
  end
end

-- option -> the method it is for, and how far the result may be off because of what was asked for.
local numeric = {
  steps = {"rk4", 0.2}, step_size = {"rk4", 0.2}, max_steps = {"dopri5", 1e-2}, first_step = {"dopri5", 2e-2},
  max_step = {"dopri5", 2e-2},
  min_step = {"dopri5", 2e-2}, rtol = {"dopri5", 0.2}, atol = {"dopri5", 0.2}, safety = {"dopri5", 2e-2},
  min_factor = {"dopri5", 2e-2},
  max_factor = {"dopri5", 2e-2}, checkpoint_steps = {"dopri5", 1e-2}, adjoint_rtol = {"dopri5", 0.5},
  adjoint_atol = {"dopri5", 0.5},
  reconstruction_limit = {"dopri5", 1e-2},
}

for name, case in pairs(numeric) do
  tests["odeint: " .. name] = function()
    for _, gradient in ipairs{"direct", "checkpoint", "adjoint", "interpolated"} do
      try_all(name .. ", " .. gradient, {name, "max_steps", "underflow"}, function(v)
        local function loss(p)
          return tide.odeint(function(_, y) return -p * y end, f64{1, 2}, {0, 1},
            {method = case[1], [name] = v, gradient = gradient})[2]:sum()
        end
        local value, slope = tide.value_and_grad(loss)(f64(1))
        return math.abs(value:item() - 3 * math.exp(-1)) < case[2]
          and math.abs(slope:item() + 3 * math.exp(-1)) < case[2]
      end)
    end
    try_all(name .. ", plain", {name, "max_steps", "underflow", "gradient"}, function(v)
      local ys = tide.odeint(function(_, y) return {-y[1]} end, {1}, {0, 1},
        {method = case[1], [name] = v, plain = true})
      return math.abs(ys[2][1] - math.exp(-1)) < case[2]
    end)
  end
end

tests["checkpoints of fixed steps, in tiles too, take what the steps take"] = function()
  local p = tide.randn({64, 64}, {seed = 1}) * 0.05
  local y0 = tide.randn({512, 64}, {seed = 2})
  local function gradient(every)
    return tide.grad(function(w)
      return tide.odeint(function(_, y) return y:matmul(w):tanh() end, y0, {0, 1},
        {method = "rk4", steps = 5, gradient = "checkpoint",
        checkpoint_steps = every})[2]:sum()
    end)(p)
  end
  local want = gradient(1)
  for _, every in ipairs{2, 5, 6, 10 ^ 9 | 0, 1 << 55, math.maxinteger} do
    assert((gradient(every) - want):abs():max():item() == 0, every)
  end
end

tests["both steps and max_steps without end"] = function()
  for _, n in ipairs{1 << 53, math.maxinteger} do
    local ok, message = pcall(tide.odeint, function(_, y) return {-y[1]} end, {1}, {0, 1},
      {method = "rk4", steps = n, max_steps = math.maxinteger,
      plain = true})
    assert(not ok and message:find "underflow", message)
  end
end

tests["times, stops and jumps"] = function()
  for _, name in ipairs{"stops", "jumps"} do
    try_all(name, {name}, function(v)
      local ys = tide.odeint(function(_, y) return {-y[1]} end, {1}, {0, 1}, {[name] = {v}, plain = true})
      return math.abs(ys[2][1] - math.exp(-1)) < 1e-2
    end)
  end
  try_all("t", {"t[2]", "strictly", "max_steps", "too long", "resolve"}, function(v)
    return tide.odeint(function(_, y) return {0 * y[1]} end, {1}, {0, v}, {plain = true})[2][1] == 1
  end)
end

tests["initial_step"] = function()
  local function decay(_, y) return -y end
  local arguments = {t0 = 1, p = 3, rtol = 4, atol = 5}
  for name, i in pairs(arguments) do
    try_all("initial_step, " .. name, {name}, function(v)
      local a = {0, f64{1}, 4, 1e-3, 1e-6}
      a[i] = v
      local h = tide.ode.initial_step(decay, table.unpack(a))
      return h > 0 and h < math.huge
    end)
  end
end

tests["validity and crossings"] = function()
  local data = tide.data.three_spheres{dim = 2, n = 20}
  local model = tide.nn.odenet{dim = 2, out = 2, hidden = 4, time = false, seed = 1,
    solver = {method = "euler", steps = 2}}
  for _, name in ipairs{"threshold", "max_steps", "batch"} do
    try_all("validity, " .. name, {name, "the critical"}, function(v)
      local o = {model = model, data = data, max_steps = 8}
      o[name] = v
      if name == "max_steps" and math.type(v) == "integer" and v > 1e9 then o.critical = false end
      return tide.ode.validity(o).verdict ~= nil
    end)
  end
  try_all("validity, factors", {"factors", "max_steps", "steps"}, function(v)
    return tide.ode.validity{model = model, data = data, critical = false, factors = {v}}.verdict ~= nil
  end)
  for _, name in ipairs{"points", "largest_dim", "iterations"} do
    try_all("crossings, " .. name, {name}, function(v)
      return tide.ode.crossings{model = model, data = data, [name] = v}.verdict ~= nil
    end)
  end
end

return tests
