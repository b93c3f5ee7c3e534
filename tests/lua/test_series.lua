-- data.irregular_sines and data.pendulum: what they promise about times, masks and noise, and that a training
-- gets all of it.
local check = require "check"
local tide = require "tide"
local data = tide.data

local function largest(x) return x:abs():max():item() end
local makers = {irregular_sines = data.irregular_sines, pendulum = data.pendulum}

local tests = {}

tests["shapes, times, masks"] = function()
  for name, make in pairs(makers) do
    local d = make{n = 7, points = 12, observed = 5, span = {1, 3}, dtype = "float64"}
    local channels = name == "pendulum" and 2 or 1
    assert(table.concat(d.x:shape(), " ") == "7 12 " .. channels and #d.t == 12, name)
    assert(d.t[1] == 1 and d.t[12] <= 3)
    for i = 2, 12 do assert(d.t[i] > d.t[i - 1]) end
    for _, n in ipairs(d.mask:sum(2):totable()) do assert(n == 5) end
    assert(largest(d.x * (1 - d.mask:reshape{7, 12, 1})) == 0)
    local off = ((d.x - d.y) * d.mask:reshape{7, 12, 1}):square():sum():item() / (7 * 5 * channels)
    assert(off > 0.03 ^ 2 and off < 0.08 ^ 2, off)
    assert(largest(make{n = 3, noise = 0, observed = 100}.x - make{n = 3}.y) == 0)
  end
  check.near(data.pendulum{n = 1, points = 5}.t[2], 1.25, 1e-15)
end

tests["seeds and dtypes"] = function()
  for _, make in pairs(makers) do
    tide.seed(3)
    local a = make{n = 3, points = 5, observed = 2, seed = 4}
    local after = tide.rand{1}:item()
    tide.seed(3)
    assert(tide.rand{1}:item() == after)
    local b = make{n = 3, points = 5, observed = 2, seed = 4}
    local c = make{n = 3, points = 5, observed = 2, seed = 5}
    assert(largest(a.x - b.x) == 0 and largest(a.y - c.y) > 0 and largest(a.mask - b.mask) == 0)
    local wide = make{n = 3, points = 5, observed = 2, seed = 4, dtype = "float64"}
    assert(a.x:dtype() == "float32" and wide.mask:dtype() == "float64" and largest(a.x - wide.x) < 1e-6)
  end
end

tests["sines are sines"] = function()
  local d = data.irregular_sines{n = 50, points = 20, amplitude = {0.5, 2}, span = {-1, 4}, dtype = "float64"}
  local t = tide.tensor(d.t, {dtype = "float64"}):reshape{1, 20}
  local y = d.amplitude * ((t + 1) * 2 * math.pi * d.frequency + d.phase):sin()
  assert(largest(y - d.y:select(3, 1)) < 1e-13)
  assert(d.frequency:min():item() >= 0.2 and d.frequency:max():item() <= 0.6)
  assert(d.amplitude:max():item() > 1.5 and d.phase:max():item() > 5)
end

tests["pendulums obey their equation, with common times and with their own"] = function()
  for _, own in ipairs{false, true} do
    local d = data.pendulum{n = 4, points = 9, own_times = own, damping = 0.5, length = 2, dtype = "float64"}
    for i = 1, 4 do
      local t = own and d.t[i]:totable() or d.t
      local function field(_, u) return tide.stack{u[2], u[1]:sin() * (-9.81 / 2) - u[2] * 0.5} end
      local ys = tide.odeint(field, d.y[i][1], t, {method = "dopri8", rtol = 1e-11, atol = 1e-11})
      assert(largest(ys - d.y[i]) < 1e-7)
    end
    local energy = 9.81 / 2 * (1 - d.y:select(3, 1):cos()) + d.y:select(3, 2):square() / 2
    assert((energy:slice(2, 2, 9) - energy:slice(2, 1, 8)):max():item() < 0)
  end
  local a = data.irregular_sines{n = 3, points = 4, observed = 4, own_times = true}
  assert(table.concat(a.t:shape(), " ") == "3 4" and largest(a.t[1] - a.t[2]) > 0)
end

tests["a loss of (model, batch) gets mask and times, splits keep them"] = function()
  local d = data.irregular_sines{n = 12, points = 6, observed = 3}
  local train, held = data.split(d, {8, 4})
  assert(#train.mask == 8 and #held.mask == 4 and train.t[6] == d.t[6])
  local model, seen = {w = tide.zeros{1}}, nil
  tide.train{model = model, data = train, validation = held, batch = 4, epochs = 1, optimizer = "adam",
    quiet = true, loss = function(m, b)
      seen = {table.concat(b.mask:shape(), " "), #b.t, b.t[3]}
      return ((b.x - m.w).square(b.x - m.w) * b.mask:reshape{#b.mask, 6, 1}):sum() / b.mask:sum()
    end}
  assert(seen[1] == "4 6" and seen[2] == 6 and seen[3] == d.t[3])
end

tests["what is refused"] = function()
  check.fails("data.pendulum: observed must be at most points, 5, got 6", data.pendulum,
    {points = 5, observed = 6})
  check.fails("own_times are irregular times", data.pendulum, {own_times = true, irregular = false})
  check.fails("data.irregular_sines: span must be {low, high} with low < high", data.irregular_sines,
    {span = {1, 1}})
  check.fails("frequency must be {low, high} with 0 <= low <= high", data.irregular_sines,
    {frequency = {-1, 1}})
  check.fails('did you mean "damping"', data.pendulum, {dampin = 1})
end

return tests
