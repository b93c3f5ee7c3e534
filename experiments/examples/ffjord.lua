--- FFJORD: a density in the plane by a continuous normalizing flow (Grathwohl et al., 2019).
--
-- dz/dt = f(t, z) carries a normal distribution to the data; log p changes by the divergence of f on the way,
-- which one product with the Jacobian estimates without bias (Hutchinson).

local tide = require "tide"
local experiment, nn, plot = tide.experiment, tide.nn, tide.plot

local o = experiment.parse("FFJORD on two moons", {
  {"small", false, "a few seconds' worth, for a test"}, {"out", "runs/examples", "folder of the picture"},
}, arg)

local train = tide.data.moons{n = 10000, noise = 0.08, seed = 1}
local test = tide.data.moons{n = 2000, noise = 0.08, seed = 2}
local flow = nn.cnf{dim = 2, hidden = 64, divergence = "hutchinson", seed = 1,
  solver = {rtol = 1e-4, atol = 1e-4}}

local iterations = o.small and 60 or 2000
local lr = tide.optim.schedule.cosine{lr = 5e-3, steps = iterations}
local history = tide.train{model = flow, data = train, loss = "nll", batch = 256, iterations = iterations,
  optimizer = tide.optim.adam(flow, {lr = lr})}

-- The divergence is estimated for training alone: tests take the exact one, and tighter tolerances.
local exact = {divergence = "exact", solver = {rtol = 1e-5, atol = 1e-5}}
local nll = -flow:log_prob(test.x, exact):mean():item()
print(("-log p in nats: training %.3f -> %.3f, test points %.3f"):format(history[1].loss,
  history[#history].loss, nll))

-- A density integrates to one: rectangles of a fine grid say how nearly this one does.
local ends, side = {-3.5, 3.5}, o.small and 36 or 141
local Y, X = tide.meshgrid(tide.linspace(-3.5, 3.5, side), tide.linspace(-3.5, 3.5, side))
local points = tide.stack({X, Y}, 3):reshape{-1, 2} -- row by row, from below
local density = flow:log_prob(points, exact):exp():reshape{side, side}
print(("integral of the density over the picture: %.4f"):format(density:sum():item() * (7 / (side - 1)) ^ 2))

local axes = {xrange = ends, yrange = ends, xlabel = "x₁", ylabel = "x₂", ratio = 1}
local function scatter(title, x)
  return plot.scatter{x = x:column(1), y = x:column(2), size = 0.35, rim = false, alpha = 0.6,
    title = title}:axes(axes)
end
local path = flow:trajectory(150, tide.linspace(0, 1, 30):totable(), {seed = 1})
print("picture: " .. plot.panels{columns = 2, width = 900, scatter("data", test.x),
  scatter("samples of the flow", flow:sample(2000, {seed = 1})),
  plot.image{z = density, x = ends, y = ends, title = "density of the flow"}:axes(axes),
  plot.trajectories{states = path, title = "from normal to the data", alpha = 0.5}:axes(axes),
}:save(o.out .. "/ffjord.png"))
