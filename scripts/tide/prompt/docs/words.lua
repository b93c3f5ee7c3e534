--- What people call things, for the search of help(): rows {words, words, ..., see = names of entries, best
-- first, text = what to say}.
--
-- A row answers when all words of one of its texts are asked for. `absent` is a function: the row counts
-- only while it returns true, that is as long as Tide does not have the thing; its text says so and names
-- the nearest that there is.

local function lacks(module, name)
  return function() return (require "tide")[module][name] == nil end
end

return {
  -- derivatives
  {"gradient", "derivative", "differentiate", "autograd", "autodiff", "backward", "backprop",
    "backpropagation", see = {"gradients", "tide.grad", "tide.value_and_grad", "tide.vjp"}},
  {"hessian", "second derivative", "second order", "hvp", "curvature", see = {"tide.hessian", "tide.hvp",
    "tide.gauss_newton", "gradients", "tide.grad"},
    text = [[Whole: tide.hessian(fn, p). Times a vector: tide.hvp(fn, p, v).]]},
  {"gauss newton", "levenberg marquardt", "fisher", see = {"tide.gauss_newton", "tide.hvp"}},
  {"jacobian", see = {"tide.jacobian", "tide.vjp", "tide.jvp", "crossing.jacobians", "gradients"},
    text = [[tide.jacobian(fn, x) is the whole matrix, tide.vjp and tide.jvp give products with it;
      crossing.jacobians gives a matrix per sample.]]},
  {"adjoint", "backsolve", see = {"gradients", "tide.odeint"}},
  {"detach", "no grad", "freeze", "frozen", "requires grad", "constant", see = {"tide.stop_gradient",
    "gradients", "recording"}},
  {"gradient clipping", "clip gradient", see = {"training", "tree.map", "tide.value_and_grad",
    "optimiser:step"},
    text = [[There is no option for it: scale the gradient with tide.tree.map between tide.value_and_grad
      and opt:step.]]},
  {"jit", "trace", "tape", "symbolic", "graph", "compile", "record", see = {"recording", "tide.compile",
    "tide.explain"}},
  {"condition", "branch", "mask", "piecewise", "while loop", see = {"tide.where", "recording", "tide.gt"}},
  -- solving
  {"stiff", "stiffness", "implicit", "bdf", "backward euler", "newton", "radau", "kvaerno", "trapezoid",
    "krylov", "gmres", "rosenbrock", see = {"solvers", "methods", "tide.odeint", "errors"},
    text = [[Stiff problems want an implicit method: "radau5" for tight tolerances and hard cases, "kvaerno5"
      and "kvaerno3" for larger states, "trbdf2" at loose tolerances, "rodas4" for small states that are
      solved often: it iterates nothing. "auto" takes "tsit5" and changes to "radau5" and back as the problem
      does. jacobian = "krylov" is for states so
      large that a matrix of them is not to be had.]]},
  {"quadrature", "integral", "running cost", see = {"tide.odeint"}},
  {"event", "events", "terminal", "root finding", "zero crossing", "stop condition", "bounce", "hybrid",
    see = {"events", "ode.event", "tide.odeint"}},
  {"tolerance", "rtol", "atol", "error control", "accuracy solver", see = {"solvers", "tide.odeint"}},
  {"step size", "time step", "dt", "fixed step", see = {"tide.odeint", "solvers", "step_adaption.new"}},
  {"underflow", "step size underflow", "too many steps", "max steps", see = {"errors", "failures", "solvers",
    "tide.odeint"}},
  {"runge kutta", "integrator", "solver", "method", "ode solver", "tableau", see = {"methods",
    "solvers", "ode.methods", "tide.odeint"}},
  {"stability region", "stability function", "a stable", "l stable", "absolute stability", "boundary locus",
    see = {"theory.region", "theory.stability", "theory.a_stable", "theory.boundary_locus"}},
  {"zero stable", "root condition", "consistent", "order condition", "error constant", "convergence order",
    "rooted tree", see = {"theory.order", "theory.zero_stable", "theory.error_constant",
    "theory.convergence"}},
  {"eigenvalue", "spectrum", "stiffness ratio", see = {"linalg.eigh", "linalg.eigvals", "theory.spectrum",
    "theory.stiffness_ratio"},
    text = "tide.theory.spectrum gives the eigenvalues of h df/dy along paths; with h = 1 those of df/dy."},
  {"discontinuity", "jump", "pulse", "kick", "forcing", see = {"tide.odeint", "solvers"}},
  {"dense output", "interpolate", "interpolation", "continuous solution", see = {"ode.solution",
    "tide.odeint", "solvers"}},
  {"each step", "callback", "monitor", "observer", "step by step", "stop early", see = {"ode.steps",
    "tide.odeint", "ode.solution"}},
  {"sde", "stochastic differential", "brownian", "dde", "delay", "dae", "pde", see = {"tide.odeint",
    "solvers"},
    text = [[Tide solves ordinary differential equations; a PDE works once space is discretised, a
      constraint once it is differentiated away.]]},
  {"cnf", "normalizing flow", "normalising flow", "divergence", "hutchinson", absent = lacks("ode",
    "divergence"), see = {"tide.jvp", "tide.vjp", "tide.odeint"},
    text = [[There is no ready divergence in this version: tide.jvp of the field with unit vectors (exact)
      or random ones (Hutchinson) gives it.]]},
  {"nfe", "function evaluation", "statistics", "stats", see = {"tide.odeint", "tide.train"}},
  -- models and training
  {"learning rate", "lr", see = {"optim.adam", "optim.sgd", "training", "tide.train"}},
  {"schedule", "scheduler", "warmup", "annealing", "learning rate decay", see = {"training", "optim.sgd",
    "optim.adam", "tide.train"}},
  {"optimizer", "optimiser", "optimise", "optimize", "minimize", "minimise", "lbfgs", see = {"optim.adam",
    "optim.sgd", "optim.adamw", "optim.rmsprop", "training"}},
  {"regularisation", "regularization", "weight decay", "l2", see = {"optim.adamw", "optim.adam",
    "optim.sgd"}},
  {"batch", "minibatch", "mini batch", "data loader", "dataloader", "batch size", see = {"tide.train",
    "tide.evaluate", "tensor:take"}},
  {"loss", "criterion", "objective", "cost", see = {"tide.mse", "tide.cross_entropy", "tide.smooth_l1",
    "training"}},
  {"accuracy", "metric", "validation", "evaluate", see = {"tide.evaluate", "tide.train", "ode.validity"}},
  {"train", "fit", "epoch", "training loop", see = {"training", "tide.train", "tide.value_and_grad"}},
  {"dropout", absent = lacks("nn", "dropout"), see = {"tide.rand", "tide.where", "optim.adamw"},
    text = [[There is no dropout layer: weight_decay regularises, and a mask tide.rand(shape):ge(0.5)
      times 2 x does what dropout does. Inside a field noise would make the solver's work harder.]]},
  {"batch norm", "batchnorm", "layer norm", "group norm", "normalisation", "normalization", absent =
    lacks("nn", "layer_norm"), see = {"tide.mean", "tide.var", "nn.chain"},
    text = "There is no normalisation layer: a function in nn.chain with x:mean, x:var does it."},
  {"attention", "transformer", "lstm", "gru", "rnn", "recurrent", "embedding", "pooling", "max pool", see
    = {"nn.chain", "nn.mlp", "nn.conv2d", "tide.one_hot"},
    text = [[There is no such layer. A model is any table of tensors with a function over them; nn.chain
      takes functions as layers.]]},
  {"neural ode", "node", "anode", "augment", see = {"nn.odenet", "nn.odeblock", "nn.augment",
    "nn.conv_odenet"}},
  {"parameter", "number of parameters", "weights", "summary", see = {"nn.parameters", "nn.count"}},
  {"initialisation", "initialization", "init", "xavier", "kaiming", see = {"nn.linear", "nn.mlp",
    "nn.odenet"}},
  {"activation", "nonlinearity", "relu", "gelu", "elu", see = {"nn.activation", "tide.relu", "tide.tanh"}},
  -- files
  {"save model", "load model", "save", "store", "weights", "state dict", "pickle", "export",
    "load weights", see = {"saving", "tide.save", "nn.load", "tide.load" }},
  {"checkpoint", "resume", "restart", "continue training", see = {"saving", "tide.train",
    "optimiser:state", "tide.odeint"}},
  {"numpy", "torch", "pytorch", "jax", "python", "npy", "npz", "safetensors", see = {"saving",
    "tide.load", "tide.save"}},
  {"csv", "spreadsheet", "pandas", "table of results", see = {"csv.read", "csv.writer", "csv.write"}},
  {"image", "png", "picture", see = {"tide.load", "tide.save", "plot.image"}},
  {"dataset", "data set", "download", "mnist", "cifar", "svhn", "imagenet",
    see = {"data.names", "data.mnist", "data.cifar10", "data.svhn", "data.tiny_imagenet", "data.spheres"}},
  -- tensors
  {"gather", "fancy index", "index select", "select rows", "permutation", "shuffle", see = {"tensor:take",
    "tensor:slice", "tide.randperm"}},
  {"slice", "part of axis", "subset", "crop", "submatrix", see = {"tensor:slice", "tensor:take"}},
  {"concatenate", "concat", "append", "join", "hstack", "vstack", see = {"tide.cat", "tide.stack"}},
  {"unsqueeze", "squeeze", "expand dims", "view", "resize", "repeat", "tile", see = {"tensor:reshape",
    "tensor:broadcast_to"}},
  {"matrix product", "matrix multiply", "dot", "dot product", "mm", "bmm", "einsum", "outer product",
    "inner product", see = {"tensor:matmul"}},
  {"inverse", "linear system", "eigenvector", "svd", "cholesky", "qr", "linear algebra", "determinant",
    "least squares", "lapack", "linalg", see = {"linalg.solve", "linalg.inv", "linalg.lstsq", "linalg.svd",
    "linalg.eigh", "linalg.cholesky"}},
  {"std", "standard deviation", "variance", see = {"tide.var", "tide.sqrt"}},
  {"norm", "euclidean", "distance", see = {"tide.square", "tide.sum", "tide.sqrt"},
    text = "The Euclidean norm is x:square():sum():sqrt()."},
  {"clip", see = {"tide.clamp", "tide.maximum"}},
  {"label", "class", "one based", "index from", see = {"numbers", "tide.cross_entropy", "tide.one_hot"}},
  {"double", "float64", "dtype", "single precision", "double precision", "float16", "half", "cast",
    "convert", see = {"numbers", "tensor:to", "tide.tensor"}},
  {"print", "digits", "format", "display", "show tensor", see = {"tide.set_print", "numbers",
    "tensor:item"}},
  -- random numbers, speed, failures
  {"seed", "random", "reproducible", "deterministic", "repeatable", "noise", see = {"reproducibility",
    "tide.seed", "tide.randn", "tide.rand"}},
  {"gpu", "cuda", "device", "tpu", "accelerator", "metal", see = {"speed", "tide.threads",
    "tide.set_matmul_precision"},
    text = [[Tide computes on the processor, with all its cores and vector instructions; there are no
      devices to choose.]]},
  {"grid search", "hyperparameter", "sweep", "resume", see = {"sweep.run", "jobs.run"}},
  {"thread", "core", "cpu", "parallel", "multiprocessing",
    see = {"tide.threads", "sweep.run", "jobs.run", "speed"}},
  {"slow", "fast", "speed", "performance", "profile", "flops", see = {"speed", "tide.explain",
    "tide.threads", "tide.set_matmul_precision"}},
  {"memory", "out of memory", "leak", see = {"tide.memory", "speed", "tide.odeint", "tensor:close"}},
  {"nan", "inf", "infinite", "not finite", "diverge", "explode", "overflow", see = {"errors", "failures",
    "training", "tide.odeint", "tide.train"}},
  {"bad argument", "number expected", "symbolic tensor", "compared element", "must have one shape",
    "unknown option",
    "unknown field", "needs more max steps", see = {"errors", "recording"}},
  {"error", "message", "fail", "remedy", "debug", "crash", see = {"errors", "failures"}},
  {"pcall", "catch", "exception", "try", "status", see = {"failures", "tide.attempt"}},
  -- figures and tools
  {"plot", "figure", "draw", "chart", "curve", "gnuplot", see = {"figures", "plot.line", "plot.scatter",
    "figure:save", "figure:show"}},
  {"phase portrait", "vector field", "quiver", "stream", see = {"plot.field", "plot.trajectories",
    "odenet:trajectory"}},
  {"histogram", "heatmap", "contour", "colormap", see = {"plot.image", "plot.bin", "plot.palettes"}},
  {"progress bar", "tqdm", see = {"progress.new", "meter:update"}},
  {"command line", "argument", "argparse", "script option", see = {"experiment.parse"}},
  {"tutorial", "introduction", "first steps", "getting started", "begin", "example", "quick start",
    see = {"start"}},
  {"interrupt", "ctrl c", "stop run", see = {"repl", "tide.train"}},
  {"history", "completion", "prompt", "multi line", see = {"repl"}},
}
