--- Help about distributions; see tide.docs.

local help = require "tide.help"

local define = help.define
local made = "tide.distributions.normal(tide.tensor{0, 1}, 2)"

help.topic "Distributions"
define{name = "distributions.normal", args = "loc, scale", returns = "distribution",
  text = [[Each entry a number of its own, with mean loc and standard deviation scale, which broadcast;
  numbers do for tensors. Distributions have PyTorch's names, a batch shape and an event shape: log_prob of x
  {..., batch, event} is {..., batch}. They are tables of their parameters: tide.grad and tide.compile take
  them as they take models, everything is recorded and differentiated. d.reparametrised says whether a
  gradient goes through d:sample(). Vectors: diagonal_normal, independent, multivariate_normal.]],
  example = "tide.distributions.normal(0, 1):log_prob(0.5)"}
define{name = "distributions.uniform", args = "low, high", returns = "distribution",
  text = "Numbers between low and high, ends included; elsewhere log_prob is -inf.",
  example = "tide.distributions.uniform(-1, 1):entropy()"}
local chances = {{"probs", nil, "probabilities; give this or logits"}, {"logits", nil, "any numbers"}}
define{name = "distributions.bernoulli", args = "opts", returns = "distribution", options = chances,
  text = "1 with this probability, else 0, in the dtype of the parameter; its samples have no gradient.",
  example = "tide.distributions.bernoulli{probs = 0.3}:sample{5}"}
define{name = "distributions.categorical", args = "opts", returns = "distribution", options = chances,
  text = [[Classes 1, 2, ... (int64) along the last axis of the parameter; probs are divided by their sum. A
  logit of -inf rules a class out. Samples have no gradient.]],
  example = "tide.distributions.categorical{logits = tide.tensor{0, 1, 2}}:sample{5}"}
define{name = "distributions.independent", args = "base, axes", returns = "distribution",
  text = "The last axes (default 1) of base's batch become one vector, whose log_prob is the sum.",
  example = "tide.distributions.independent(" .. made .. "):log_prob(x)"}
define{name = "distributions.diagonal_normal", args = "loc, scale", returns = "distribution",
  text = "Vectors along the last axis, of independent normal numbers: independent(normal(loc, scale)).",
  example = "tide.distributions.diagonal_normal(tide.zeros{2}, 1):log_prob(x)"}
define{name = "distributions.multivariate_normal", args = "loc, opts", returns = "distribution",
  options = {{"covariance", nil, "symmetric, positive definite {..., d, d}; give one of the three"},
    {"scale_tril", nil, "lower triangular L with covariance L L^T: the fastest"},
    {"precision", nil, "the inverse of the covariance"}},
  text = "Normal vectors with mean loc {..., d} and any covariance.",
  example = "tide.distributions.multivariate_normal(tide.zeros{2}, {covariance = tide.eye(2)}):log_prob(x)"}
define{name = "distributions.mixture", args = "weights, components", returns = "distribution",
  text = [[One of several laws of a kind: weights are probabilities {..., K} or a categorical, the last batch
  axis of the components are the K laws. Samples have no gradient; entropy and kl have no
  closed form.]],
  example = "tide.distributions.mixture(tide.tensor{0.3, 0.7}, " .. made .. "):log_prob(0)"}
define{name = "distributions.kl", args = "p, q", returns = "tensor",
  text = [[The Kullback-Leibler divergence, the mean of log p(x) - log q(x) for x of p, of each law of the
  batch: closed forms for two laws of a kind, and a diagonal with any normal one. Where there is none, the
  error says how to estimate it.]],
  example = "tide.distributions.kl(" .. made .. ", tide.distributions.normal(0, 1)):sum()"}

local function define_method(name, args, text, example, options)
  define{name = "distribution:" .. name, args = args, returns = name:find("shape") and "table" or "tensor",
    text = text, example = made .. ":" .. example, options = options}
end
define_method("log_prob", "x", "The logarithm of the density, or of the probability, at x.", "log_prob(x)")
define_method("sample", "shape, opts", [[Random values {shape, batch, event}; shape is a table, a number, or
  nothing for one of each law. Inside a recording that is run many times they are fresh at each run, unless
  there is a seed.]], "sample(3)", {{"seed", nil, "of a generator of its own"}})
define_method("entropy", "", "The mean of -log_prob, of each law.", "entropy()")
define_method("mean", "", "{batch, event}.", "mean()")
define_method("variance", "", "Of each number, {batch, event}.", "variance()")
define_method("stddev", "", "The root of the variance.", "stddev()")
define_method("batch_shape", "", "The shape of the batch of laws.", "batch_shape()")
define_method("event_shape", "", "The shape of one value: {} for numbers, {d} for vectors.", "event_shape()")
define{name = "distribution:classes", args = "", returns = "integer", text = "Of a categorical: how many.",
  example = "tide.distributions.categorical{probs = tide.tensor{0.2, 0.8}}:classes()"}
