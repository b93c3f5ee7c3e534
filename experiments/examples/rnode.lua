--- RNODE: flows that are cheap to solve (Finlay et al., How to Train Your Neural ODE, 2020).
--
-- The same flow, trained without and with the integrals of |f|^2 (kinetic) and |e^T df/dy|^2 (jacobian) in
-- the loss: particles that go straight at constant speed need few steps.

local tide = require "tide"
local experiment, nn, plot = tide.experiment, tide.nn, tide.plot

local o = experiment.parse("Regularised continuous normalizing flows", {
  {"small", false, "a few seconds' worth, for a test"}, {"out", "runs/examples", "folder of the picture"},
}, arg)

local train = tide.data.moons{n = 10000, seed = 1}
local test = tide.data.moons{n = 2000, seed = 2}
local iterations = o.small and 40 or 1500
local lr = tide.optim.schedule.cosine{lr = 5e-3, steps = iterations}

local rows, panels = {}, {columns = 2, width = 900, legend = "shared"}
local evaluations = plot.figure{xlabel = "iteration", ylabel = "evaluations of a training step",
  title = "NFE, forwards"}
local losses = plot.figure{xlabel = "iteration", ylabel = "nats", title = "−log p"}
for i, row in ipairs{{"plain"}, {"regularised", {kinetic = 0.1, jacobian = 0.1}}} do
  local name, regularise = row[1], row[2]
  local flow = nn.cnf{dim = 2, hidden = 64, divergence = "hutchinson", seed = 1,
    solver = {rtol = 1e-5, atol = 1e-5, regularise = regularise}}
  local history = tide.train{model = flow, data = train, loss = "nll", batch = 256, iterations = iterations,
    optimizer = tide.optim.adam(flow, {lr = lr}), label = name}

  -- Elsewhere than in a training the block is as without: tests are of the density alone.
  local log_p, stats = flow:log_prob(test.x, {divergence = "exact"})
  local path = flow:trajectory(200, tide.linspace(0, 1, 30):totable(), {seed = 1})
  local step = path:slice(1, 2) - path:slice(1, 1, -2)
  local length, chord = step:square():sum(3):sqrt():sum(1), (path[-1] - path[1]):square():sum(2):sqrt()
  rows[i] = {name, ("%.3f"):format(-log_p:mean():item()), stats.nfe, ("%.3f"):format(length:mean():item()),
    ("%.3f"):format((length / chord):mean():item()),
    ("%.0f s"):format(history[#history].seconds)}
  panels[i] = plot.trajectories{states = path, title = name .. ": from normal to the data", alpha = 0.5,
    xrange = {-3.5, 3.5}, yrange = {-3.5, 3.5}, xlabel = "x₁", ylabel = "x₂", ratio = 1}
  losses:add("line", {x = history.iteration, y = history.loss, name = name, style = i})
  evaluations:add("line", {x = history.iteration, y = history.nfe_forward, name = name, style = i})
end
experiment.print_table({"flow", "−log p of test points", "NFE", "path", "path over chord", "training"}, rows)
panels[3], panels[4] = losses, evaluations
print("picture: " .. plot.panels(panels):save(o.out .. "/rnode.png"))
