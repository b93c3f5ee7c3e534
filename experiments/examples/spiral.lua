--- Fit a Neural ODE to a spiral (the demonstration of Chen et al., Neural Ordinary Differential Equations).
--
-- The model sees short noisy pieces of one path, never the field. Then it has to follow the whole path.

local tide = require "tide"
local experiment, nn, plot = tide.experiment, tide.nn, tide.plot

local o = experiment.parse("Fit a Neural ODE to a spiral", {
  {"small", false, "a few seconds' worth, for a test"}, {"out", "runs/examples", "folder of the picture"},
}, arg)

-- The truth: dy/dt = A^T y^3, seen at 1000 times. A state is a row, so that a batch of states is a matrix.
local A = tide.tensor{{-0.1, 2}, {-2, -0.1}}
local function truth(_, y) return (y ^ 3):matmul(A) end
local start, times = tide.tensor{{2, 0}}, tide.linspace(0, 25, 1000)
local path = tide.odeint(truth, start, times, {rtol = 1e-5}):select(2, 1)
local seen = path + 0.01 * tide.randn(path:shape(), {seed = 1})

-- Pieces of 30 points, one from each place: {971, 30, 2}. They are the samples of the data set.
local length, columns = 30, {}
for k = 1, length do columns[k] = seen:slice(1, k, k - length - 1) end
local data = {piece = tide.stack(columns, 2)}

-- The field is a network. A loss of (model, batch) can be anything: here a solve from the first points.
local field = nn.mlp{sizes = {2, 64, 64, 2}, act = "tanh", seed = 1}
local step = times:slice(1, 1, length)
local function loss(model, batch)
  local ys = tide.odeint(model, batch.piece:select(2, 1), step, {rtol = 1e-4})
  return tide.mse(ys, batch.piece:transpose(1, 2))
end

-- How far is the model's own path from the true one, from one start over all of the span?
local function distance()
  local ys = tide.odeint(field, start, times):select(2, 1)
  return (ys - path):square():sum(2):sqrt():mean():item(), ys
end

local before, epochs = distance(), o.small and 20 or 200
local schedule = tide.optim.schedule.cosine{lr = 5e-3, steps = epochs * 16}
local history = tide.train{model = field, data = data, loss = loss, epochs = epochs,
  optimizer = tide.optim.adam(field, {lr = schedule})}
local after, ys = distance()
print(("loss %.5f -> %.5f"):format(history[1].loss, history[#history].loss))
print(("mean distance from the true path over the whole span: %.3f -> %.3f"):format(before, after))

local X, Y = tide.meshgrid(tide.linspace(-2.2, 2.2, 17), tide.linspace(-2.2, 2.2, 17))
local points = tide.stack({X, Y}, 3):reshape{-1, 2}
local slope = field(0, points)
local plane = plot.field{x = points:column(1), y = points:column(2), u = slope:column(1), v = slope:column(2),
  equal = true, color = "gray", name = "learned field", xlabel = "y₁", ylabel = "y₂", ratio = "equal"}
plane:add("scatter", {x = seen:column(1), y = seen:column(2), size = 0.4, rim = false, name = "data"})
plane:add("line", {x = ys:column(1), y = ys:column(2), name = "model", linewidth = 2})
local curve = plot.line{y = history.loss, ylog = true, xlabel = "epoch", ylabel = "mean squared error"}
print("picture: " .. plot.panels{plane, curve, columns = 2, width = 1000}:save(
  o.out .. "/spiral.png"))
