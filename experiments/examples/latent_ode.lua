--- A latent ODE (Rubanova et al., 2019): sines of many frequencies, seen at a few irregular times.
--
-- A GRU reads what was observed, backwards, and gives a normal distribution of the latent state at t = 0;
-- from there an ODE and a decoder say what was to be seen, at any time.

local tide = require "tide"
local experiment, nn, plot, distributions = tide.experiment, tide.nn, tide.plot, tide.distributions

local o = experiment.parse("A latent ODE on irregular sines", {
  {"small", false, "a few seconds' worth, for a test"}, {"out", "runs/examples", "folder of the picture"},
}, arg)

-- x {n, 50, 1} holds the observations, 0 where mask {n, 50} is 0; y has all values, without noise.
local noise, latent, n = 0.05, 4, o.small and 80 or 1200
local set = tide.data.irregular_sines{n = n, points = 50, observed = 20, noise = noise}
local train, test = tide.data.split(set, {0.8, 0.2})
tide.seed(1)
local model = {encoder = nn.gru(3, 32, {batch_first = true}), posterior = nn.linear(32, 2 * latent),
  decoder = nn.mlp{sizes = {latent, 32, 1}, act = "tanh"},
  field = nn.mlp{sizes = {latent, 64, 64, latent}, act = "tanh"}}

-- The GRU sees value, mask and time of each point, from the last one to the first.
local function encode(m, batch)
  local clock = tide.tensor(set.t):reshape{1, -1, 1}:broadcast_to(batch.x:shape())
  local input = tide.cat({batch.x, batch.mask:unsqueeze(3), clock}, 3)
  local both = m.posterior(m.encoder(input:flip(2)):select(2, -1))
  return distributions.diagonal_normal(both:slice(2, 1, latent), both:slice(2, latent + 1):exp())
end
local function decode(m, z, t) return m.decoder((tide.odeint(m.field, z, t))):select(3, 1):transpose() end

-- The evidence bound: how likely what was seen is, less how far the posterior is from the prior.
local function loss(m, batch)
  local posterior = encode(m, batch)
  local law = distributions.normal(decode(m, posterior:sample(), set.t), noise)
  local fit = -(law:log_prob(batch.x:select(3, 1)) * batch.mask):sum(2):mean()
  local kl = distributions.kl(posterior, distributions.diagonal_normal(tide.zeros{latent}, 1)):mean()
  return fit + kl, {fit = fit, kl = kl} -- columns of the history
end
local steps = o.small and 60 or 2500
local history = tide.train{model = model, data = train, loss = loss, iterations = steps, clip = {norm = 5},
  optimizer = tide.optim.adam(model, {lr = tide.optim.schedule.cosine{lr = 1e-2, steps = steps}})}

local posterior = encode(model, test)
local miss = (decode(model, posterior:mean(), set.t) - test.y:select(3, 1))[test.mask:eq(0)]
print(("minus the evidence bound %.1f -> %.1f; on new series, where nothing was observed, error %.3f"):format(
  history[1].loss, history[#history].loss, miss:square():mean():sqrt():item()))

-- Draws for new series, and where they go behind the end of all data, at t = 5.
local panels, later, draws = {columns = 2, width = 1000, legend = "shared"}, tide.linspace(0, 7, 141), {}
for k = 1, 5 do draws[k] = decode(model, posterior:sample({seed = k}), later) end
for i = 1, 4 do
  local seen = test.mask[i]:gt(0)
  local fig = plot.line{x = set.t, y = test.y[i]:column(1), style = 2, name = "truth", xlabel = "time",
    ylabel = "y", yrange = {-1.7, 1.7}, ratio = 0.45}
  for k, y in ipairs(draws) do fig:add{x = later, y = y[i], color = "sky", name = k < 2 and "draw" or nil} end
  panels[i] = fig:add("scatter", {x = tide.tensor(set.t)[seen], y = test.x[i]:column(1)[seen], style = 1,
    name = "observed"})
end
print("picture: " .. plot.panels(panels):save(o.out .. "/latent_ode.png"))
