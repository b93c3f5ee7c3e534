--- per_sample = true where samples step together (core/solver/convoy.h): the bits of each sample alone.

local check = require "check"
local van_der_pol = require "oscillators"
local tide = require "tide"

local tests = {}
local with = check.with
local f64 = {dtype = "float64"}

local function same(what, a, b)
  local got, want = a:reshape{-1}:totable(), b:reshape{-1}:totable()
  for i, v in ipairs(want) do
    if got[i] ~= v and (got[i] == got[i] or v == v) then
      error(("%s: number %d is %.17g, not %.17g"):format(what, i, got[i], v), 2)
    end
  end
end

local function equal(a, b, what)
  if a ~= b then error(("%s: %s, not %s"):format(what or "got", a, b), 2) end
end

-- So many samples step together in this solve, by what explain says.
local function abreast(f, y0, t, o)
  local lines, shown = {}, print
  -- luacheck: ignore quiet
  local quiet <close> = setmetatable({}, {__close = function() rawset(_G, "print", shown) end})
  rawset(_G, "print", function(text) lines[#lines + 1] = text end)
  tide.explain(function(y) return tide.odeint(f, y, t, with(o, {per_sample = true})) end, y0)
  return tonumber(table.concat(lines, "\n"):match("up to (%d+) abreast")) or 0
end

-- The solve beside those of the samples alone; of(i): the field of sample i, where it is not f.
local function beside(f, y0, t, o, of)
  assert(abreast(f, y0, t, o) > 0, "samples do not go abreast")
  local ys, stats = tide.odeint(f, y0, t, with(o, {per_sample = true}))
  for i = 1, #y0 do
    local alone, s = tide.odeint(of and of(i) or f, y0:slice(1, i, i), t, o)
    same(("sample %d"):format(i), ys:slice(2, i, i), alone)
    for _, count in ipairs{"nfe", "accepted", "rejected"} do
      equal(stats.samples[count][i], s[count], ("%s of sample %d"):format(count, i))
    end
  end
  return stats
end

local function start(n, dtype)
  local rows = {}
  for i = 1, n do rows[i] = {2, 0.1 * i, 10 ^ (-1 + 2 * (i * 7 % n) / math.max(1, n - 1))} end
  return tide.tensor(rows, {dtype = dtype or "float64"})
end

tests["every method that adapts, with places that are taken again"] = function()
  local y0 = start(70)
  for _, m in ipairs(tide.ode.methods()) do
    if m.family == "explicit" and m.adaptive and m.name ~= "fehlberg21" then -- each of it is watched
      beside(van_der_pol, y0:slice(1, 1, 9), {0, 0.7, 1.5, 2}, {method = m.name, rtol = 1e-5})
    end
  end
  beside(van_der_pol, y0, {0, 0.7, 2}, {})
  beside(van_der_pol, start(67, "float32"), {0, 0.7, 2}, {method = "tsit5", rtol = 1e-4})
end

tests["options about steps, both directions"] = function()
  local y0 = start(12)
  for _, o in ipairs{{method = "bosh3", controller = "PID"}, {norm = "sample", max_step = 0.3},
                     {final = "interpolate", stops = {0.3}, jumps = {1.1}},
                     {method = "tsit5", first_step = 0.01},
                     {method = "dopri8", norm = "part", rtol = 1e-8, jumps = {0.7, 1.2}},
                     {method = "dop853", norm = "sample", rtol = 1e-8, controller = "PI"},
                     {method = "vern7", controller = "PI", rtol = 1e-3}, {min_step = 1e-3, rtol = 1e-4}} do
    beside(van_der_pol, y0, {0, 0.7, 1.5, 2}, o)
  end
  beside(function(t, y) return y * y * 0.01 - y / 2 + t end, y0, {2, 1.5, 0.1}, {})
  beside(function(_, y) return -y end, y0, {0, 1}, {norm = "sample"})
  -- rtol = 0 counts as ten roundings of y, here as well
  for _, dtype in ipairs{"float32", "float64"} do
    local large = tide.rand({7, 2}, {seed = 3, dtype = dtype}) * 100 + 1
    beside(function(t, y) return tide.cos(y * 0.01) - y * tide.sin(t) * 0.5 end, large, {0, 0.7, 2},
      {method = "tsit5", rtol = 0, atol = 1e-5})
  end
end

tests["fields that look at the time"] = function()
  local y0 = tide.randn({11, 3}, {seed = 1, dtype = "float64"})
  local w = tide.randn({3}, {seed = 2, dtype = "float64"})
  local matrix = tide.randn({3, 3}, {seed = 3, dtype = "float64"})
  for name, f in pairs{
    number = function(t, y) return -y * tide.cos(3 * t) + tide.exp(-t) end,
    row = function(t, y) return -y + tide.sin(t * w) * w end,
    column = function(t, y)
      return -y + tide.cat({t * tide.ones({y:shape()[1], 1}, f64), y:slice(2, 1, 2)}, 2):tanh()
    end,
    matrix = function(t, y) return y:matmul(matrix):tanh() - y + (t * w):sin():reshape{1, 3} end,
    choice = function(t, y) return tide.where(t:lt(0.4), -y, y:sin()) end,
    reciprocal = function(t, y) return -y / (1 + t * t) end,
  } do
    local ok, message = pcall(beside, f, y0, {0, 0.4, 1}, {rtol = 1e-5})
    if not ok then error(name .. ": " .. tostring(message)) end
  end
  beside(function(t, y) return -y * tide.cos(3 * t) end, y0:to("float32"), {0, 0.4, 1}, {})
end

tests["networks"] = function()
  for _, dtype in ipairs{"float32", "float64"} do
    for _, sizes in ipairs{{2, 32, 32, 2}, {3, 16, 3}, {5, 40, 5}, {1, 8, 1}} do
      local y0 = tide.randn({19, sizes[1]}, {seed = 1, dtype = dtype})
      for _, act in ipairs{"tanh", "softplus", "relu"} do
        local net = tide.nn.mlp{sizes = sizes, act = act, seed = 2, dtype = dtype}
        beside(net, y0, {0, 1, 2}, {rtol = 1e-4})
      end
      local net = tide.nn.mlp{sizes = sizes, act = "tanh", time = true, seed = 3, dtype = dtype}
      beside(net, y0, {0, 1, 2}, {})
    end
  end
end

tests["every function of numbers, sums, choices"] = function()
  local y0 = tide.randn({13, 5}, {seed = 4, dtype = "float64"})
  for _, dtype in ipairs{"float64", "float32"} do
    local at = y0:to(dtype)
    for _, name in ipairs{"sin", "cos", "tan", "tanh", "sinh", "exp", "sigmoid", "softplus", "erf", "atan",
                          "abs", "square", "neg", "relu", "gelu", "log1p", "expm1", "sqrt"} do
      beside(function(_, y) return y:square()[name](y:square() * 0.1) * 0.1 - y end, at, {0, 1}, {})
    end
    beside(function(_, y) return y:softmax(2) - y end, at, {0, 1}, {})
    beside(function(_, y) return (y - y:mean(2, true)) * y:max(2, true) * 0.1 - y end, at, {0, 1}, {})
    beside(function(_, y) return tide.where(y:gt(0), -y, y:sin()) - y end, at, {0, 1}, {})
  end
end

tests["captured values with an entry for each sample"] = function()
  local n = 37
  local y0 = tide.randn({n, 2}, {seed = 5, dtype = "float64"})
  local rate = tide.rand({n, 1}, {seed = 6, dtype = "float64"}) * 20
  local table_of = tide.randn({2, n}, {seed = 7, dtype = "float64"})
  local shared = tide.tensor({{0.5, -1}}, f64)
  local function field(k, pushes, columns)
    return function(t, y)
      local x, v = y:slice(2, 1, 1), y:slice(2, 2, 2)
      return tide.cat({v, -k * x - 0.1 * v}, 2) + pushes * shared * tide.cos(t) + columns
    end
  end
  local pushes, columns = table_of:transpose(), (rate * 2):square() * 1e-3
  beside(field(rate, pushes, columns), y0, {0, 0.5, 2}, {rtol = 1e-6}, function(i)
    return field(rate:slice(1, i, i), pushes:slice(1, i, i), columns:slice(1, i, i))
  end)
  local solve = tide.compile(function(y, k)
    return tide.odeint(field(k, pushes, columns), y, {0, 2}, {per_sample = true})
  end)
  for _, scale in ipairs{1, 3} do
    local k = rate * scale
    local ys = solve(y0, k)
    for i = 1, n, 6 do
      same("compiled", ys:slice(2, i, i), (tide.odeint(
        field(k:slice(1, i, i), pushes:slice(1, i, i), columns:slice(1, i, i)), y0:slice(1, i, i), {0, 2})))
    end
  end
end

tests["states of several tensors, a quadrature"] = function()
  local n = 9
  local y0 = {x = tide.randn({n, 2}, {seed = 1, dtype = "float64"}),
              v = tide.randn({n}, {seed = 2, dtype = "float64"})}
  local function f(t, y) return {x = -y.x * y.v:reshape{-1, 1}, v = tide.cos(t) - y.v} end
  for _, o in ipairs{{norm = "part"}, {norm = "batch"},
                     {quadrature = function(_, y) return y.v:square() end}} do
    local ys, stats = tide.odeint(f, y0, {0, 1, 2}, with(o, {per_sample = true}))
    for i = 1, n do
      local alone, s = tide.odeint(f, {x = y0.x:slice(1, i, i), v = y0.v:slice(1, i, i)}, {0, 1, 2}, o)
      same("x", ys.x:slice(2, i, i), alone.x)
      same("v", ys.v:slice(2, i, i), alone.v)
      equal(stats.samples.nfe[i], s.nfe)
    end
  end
end

tests["failures are those of the sample alone; the others arrive"] = function()
  local rows = {}
  for i = 1, 20 do rows[i] = {i % 5 == 0 and i or 0.3} end -- y' = y^2 goes to infinity at 1 / y0
  local y0 = tide.tensor(rows, f64)
  local function f(_, y) return y * y end
  for _, o in ipairs{{}, {max_steps = 12}, {max_nfe = 40}, {min_step = 1e-3}} do
    assert(abreast(f, y0, {0, 0.05, 1}, o) > 0)
    local returned = with(o, {on_failure = "return"})
    local ys, stats = tide.odeint(f, y0, {0, 0.05, 1}, with(returned, {per_sample = true}))
    local first
    for i = 1, 20 do
      local alone, s = tide.odeint(f, y0:slice(1, i, i), {0, 0.05, 1}, returned)
      same("sample " .. i, ys:slice(2, i, i), alone)
      equal(stats.samples.nfe[i], s.nfe)
      first = first or s.failure
    end
    assert(stats.failure and first, "nothing fails")
    local ok, failure = tide.attempt(tide.odeint, f, y0, {0, 0.05, 1}, with(o, {per_sample = true}))
    assert(not ok and failure.status == first.status and #failure.sample == #stats.failure.sample)
  end
  local ok, failure = tide.attempt(tide.odeint, f, y0 * (0 / 0), {0, 1}, {per_sample = true})
  assert(not ok and failure.status == "not_finite")
  ok, failure = tide.attempt(tide.odeint, f, y0, {1, 1 + 1e-15}, {per_sample = true})
  assert(not ok and failure.status == "underflow")
end

tests["the same numbers for any number of threads, again and again"] = function()
  local before, y0, first, counts = tide.threads(), start(150), nil, nil
  for _, threads in ipairs{1, 2, 4, 3} do
    tide.threads(threads)
    local solve = tide.compile(function(y)
      return tide.odeint(van_der_pol, y, {0, 1, 2}, {per_sample = true, method = "tsit5"})
    end)
    for _ = 1, 2 do
      local ys, stats = solve(y0)
      first, counts = first or ys, counts or stats.samples.nfe
      same(threads .. " threads", ys, first)
      same("nfe", stats.samples.nfe, counts)
    end
  end
  tide.threads(before)
end

tests["what cannot go abreast goes by itself"] = function()
  local y0 = tide.randn({8, 2}, {seed = 1, dtype = "float64"})
  local w = tide.randn({2, 2}, {seed = 2, dtype = "float64"})
  local function f(_, y) return y:matmul(w):tanh() - y end
  for _, o in ipairs{{method = "rk4", steps = 9}, {method = "sdirk2"}, {max_seconds = 100},
                     {rtol = tide.full({8, 1}, 1e-4, f64)}} do
    equal(abreast(f, y0, {0, 1}, o), 0)
  end
  equal(abreast(f, y0:slice(1, 1, 3), {0, 1}, {}), 0)
  equal(abreast(function(_, y) return y:cumsum(2) - y end, y0, {0, 1}, {}), 0)
  assert(abreast(f, y0, {0, 1}, {}) > 0)
end

tests["with a gradient the steps are the same"] = function()
  local y0 = tide.randn({6, 2}, {seed = 1, dtype = "float64"})
  local w = tide.randn({2, 2}, {seed = 2, dtype = "float64"})
  for _, kind in ipairs{"direct", "adjoint", "checkpoint", "interpolated"} do
    local o = {per_sample = true, rtol = 1e-6, gradient = kind}
    local function loss(p)
      local ys = tide.odeint(function(t, y) return y:matmul(p):tanh() * (1 + t) - y end, y0, {0, 1}, o)
      return ys:square():sum()
    end
    local value, gradient = tide.value_and_grad(loss)(w)
    equal(value:item(), loss(w):item())
    assert(gradient:abs():sum():item() > 0)
  end
end

return tests
