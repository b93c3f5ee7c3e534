--- RealNVP: a normalizing flow of affine coupling layers (Dinh et al., 2017), built of pieces of nn.
--
-- A layer scales and shifts one half of x by what a network makes of the other half: easy to invert, and the
-- logarithm of its determinant is the sum of the logarithms of the scales.

local tide = require "tide"
local experiment, nn, plot, distributions = tide.experiment, tide.nn, tide.plot, tide.distributions

local o = experiment.parse("RealNVP on eight Gaussians", {
  {"small", false, "a few seconds' worth, for a test"}, {"out", "runs/examples", "folder of the picture"},
}, arg)

-- A model is any table of tensors and models.
local model = {}
for i = 1, 8 do model[i] = nn.mlp{sizes = {1, 64, 64, 2}, act = "tanh", seed = i} end
local base = distributions.diagonal_normal(tide.zeros{2}, 1)
local function halves(x) return x:slice(2, 1, 1), x:slice(2, 2, 2) end

-- From the base to the data. The halves change places from layer to layer.
local function generate(z)
  local a, b = halves(z)
  for _, net in ipairs(model) do
    local log_scale, shift = halves(net(a))
    a, b = b * log_scale:exp() + shift, a
  end
  return tide.cat({a, b}, 2)
end

-- Back, with the logarithm of the density at x.
local function log_prob(m, x)
  local a, b = halves(x)
  local log = 0
  for i = #m, 1, -1 do
    local log_scale, shift = halves(m[i](b))
    a, b, log = b, (a - shift) / log_scale:exp(), log - log_scale:select(2, 1)
  end
  return base:log_prob(tide.cat({a, b}, 2)) + log
end

local iterations = o.small and 100 or 5000
tide.train{model = model, data = tide.data.eight_gaussians{n = 10000, seed = 1}, batch = 256,
  iterations = iterations, loss = function(m, batch) return -log_prob(m, batch.x):mean() end,
  optimizer = tide.optim.adam(model, {lr = tide.optim.schedule.cosine{lr = 3e-3, steps = iterations}})}

-- The density that the points come from is known; only by chance can another one be better on them.
local test, angle = tide.data.eight_gaussians{n = 2000, seed = 2}.x, tide.arange(0, 7) * (math.pi / 4)
local truth = distributions.mixture(tide.ones{8} / 8,
  distributions.diagonal_normal(2.8 * tide.stack({angle:cos(), angle:sin()}, 2), 0.35))
print(("-log p of test points: %.3f; of the true density %.3f"):format(-log_prob(model, test):mean():item(),
  -truth:log_prob(test):mean():item()))

local box, line, x = {-5, 5}, tide.linspace(-5, 5, o.small and 31 or 151), generate(base:sample(2000))
local Y, X = tide.meshgrid(line, line)
local density = log_prob(model, tide.stack({X, Y}, 3):reshape{-1, 2}):exp():reshape{#line, #line}
print("picture: " .. plot.panels{columns = 2, width = 900,
  plot.scatter{x = x:column(1), y = x:column(2), size = 0.35, rim = false, alpha = 0.6, xrange = box,
    yrange = box, ratio = 1, title = "samples of the model", xlabel = "x₁", ylabel = "x₂"},
  plot.image{z = density, x = box, y = box, ratio = 1, title = "its density", xlabel = "x₁", ylabel = "x₂"},
}:save(o.out .. "/realnvp.png"))
