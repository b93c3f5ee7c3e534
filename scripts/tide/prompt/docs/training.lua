--- Help about training and data; see tide.docs.

local help = require "tide.help"

local define = help.define
local join = help.join

help.topic "Training"
local rate_text = "learning rate, or a function(step) that returns it; steps count from 1"
local rate = {"lr", 1e-3, rate_text}
local adam = {{"lr", 1e-3, rate_text}, {"betas", {0.9, 0.999}, "decay of the two moments"},
  {"eps", 1e-8, "added to the root"},
  {"amsgrad", false, "true: the second moment never shrinks (Reddi et al. 2018)"}}
define{name = "optim.sgd", args = "model, opts", returns = "optimiser",
  options = {rate, {"momentum", 0, "without dampening"}, {"nesterov", false, "true: Nesterov's momentum"},
    {"weight_decay", 0, "L2 penalty"}},
  text = [[PyTorch's SGD. Its options are fields, as those of every optimiser: opt.lr is read and set, opt.lr
  = 0.01 counts from the next step on. A number that is not finite (gradient, weight or moment) is an error
  that names its place and changes nothing.]],
  example = "tide.optim.sgd(model, {lr = 0.1, momentum = 0.9})"}
define{name = "optim.adam", args = "model, opts", returns = "optimiser",
  options = join(adam, {{"weight_decay", 0, "L2 penalty"}}),
  text = "PyTorch's Adam.",
  example = "tide.optim.adam(model, {lr = function(step) return 1e-2 * 0.5 ^ (step // 100) end})"}
define{name = "optim.adamw", args = "model, opts", returns = "optimiser",
  options = join(adam, {{"weight_decay", 1e-2, "decoupled from the gradient"}}), text = "PyTorch's AdamW.",
  example = "tide.optim.adamw(model)"}
define{name = "optim.rmsprop", args = "model, opts", returns = "optimiser",
  options = {{"lr", 1e-2, rate_text}, {"alpha", 0.99, "decay of the mean square"},
    {"eps", 1e-8, "added to the root"},
    {"centered", false, "true: less the square of the mean"}, {"momentum", 0, "of the steps"},
    {"weight_decay", 0, "L2 penalty"}}, text = "PyTorch's RMSprop.",
    example = "tide.optim.rmsprop(model)"}
define{name = "optim.adagrad", args = "model, opts", returns = "optimiser",
  options = {{"lr", 1e-2, rate_text}, {"lr_decay", 0, "lr falls as 1 / (1 + lr_decay (step - 1))"},
    {"eps", 1e-10, "added to the root"}, {"weight_decay", 0, "L2 penalty"}},
  text = "PyTorch's Adagrad: lr over the root of the sum of all squares so far.",
  example = "tide.optim.adagrad(model)"}
define{name = "optim.adadelta", args = "model, opts", returns = "optimiser",
  options = {{"lr", 1, rate_text}, {"rho", 0.9, "decay of the mean squares"}, {"eps", 1e-6, "under the "
    .. "roots"},
    {"weight_decay", 0, "L2 penalty"}},
  text = "PyTorch's Adadelta: steps as large as those before, in relation to the gradients.",
  example = "tide.optim.adadelta(model)"}
define{name = "optim.lbfgs", args = "model, opts", returns = "optimiser",
  options = {{"lr", 1, "first step length that is tried: a number, or a function(step)"},
    {"max_iter", 20, "iterations of a step"},
    {"max_eval", nil, "evaluations, compared behind each iteration; default max_iter * 5 / 4"},
    {"tolerance_grad", 1e-7, "a step ends where no entry of the gradient is larger"},
    {"tolerance_change", 1e-9, "or where parameters or loss change by no more"},
    {"history_size", 10, "changes of the gradient that are remembered"},
    {"line_search_fn", "strong_wolfe", [["strong_wolfe", or "none": always the length lr]], quote = true}},
  text = [[L-BFGS, for whole data sets and fits: opt:step(closure) calls closure(model), which returns the
  loss and its gradients as tide.value_and_grad(loss) does, several times, and returns the loss before and a
  report {loss, gradient, iterations, evaluations, reason}. Options and tests of convergence are PyTorch's,
  but for the search, which is the default, and the history. With "none" its iterates are PyTorch's where the
  curvature is > 0; where it is not, and no other is remembered, a step is min(1, 1 / |gradient|) lr long, for
  PyTorch in the very first iteration alone. A loss that is not finite, or a solve that
  fails, within the search only shortens the step; after an error the model is as before. In tide.train all
  samples are the batch.]],
  example = "tide.optim.lbfgs(model):step(tide.value_and_grad(function(m) return loss(m, x, y) end))"}
define{name = "optim.levenberg_marquardt", args = "model, opts", returns = "optimiser",
  options = {{"damping", 1e-3, "the first one, in units of the curvature"},
    {"max_iter", 20, "iterations of a step"},
    {"tolerance_grad", 1e-8, "a step ends where no entry of the gradient is larger"},
    {"tolerance_change", 1e-9, "or where parameters or the sum of squares change by no larger share"},
    {"solver", "auto", [["dense" (the Jacobian and its QR factors), "cg" (conjugate gradients with products,
      see tide.gauss_newton), "auto": dense up to 500 parameters]], quote = true},
    {"cg_tolerance", 1e-3, "of a system's residual"}, {"cg_iterations", 100, "at most, and no more than "
    .. "parameters"}},
  text = [[Least squares by damped Gauss-Newton steps: opt:step(residuals), where residuals(model) returns a
  tensor, or a table of them, whose sum of squares is to be small; it is recorded, so it works on tensors. A
  step is max_iter iterations at most and returns half the sum of squares before and a report {loss, gradient,
  iterations, evaluations, damping, reason}. Parameters that a solve fails for are trials that are refused.]],
  example = "tide.optim.levenberg_marquardt(model):step(function(m) return m(x) - y end)"}
define{name = "optimiser:step", args = "grads",
  text = [[Update the model in place with gradients of its structure, as tide.grad returns them. optim.lbfgs
  and optim.levenberg_marquardt take a function instead, which they call as often as they need.]],
  example = "tide.optim.adam(model):step(tide.grad(loss)(model, x, y))"}
define{name = "optimiser:rate", args = "step", returns = "number",
  text = "The learning rate of a step, counted from 1; default the next one.",
  example = "tide.optim.sgd(model, {lr = function(step) return 1 / step end}):rate(4)"}
define{name = "optimiser:state", args = "", returns = "table",
  text = [[What must be saved to resume exactly: step count, moments, options as they are now; tide.save takes
  it. An option that is a function is not in it: whoever goes on gives it anew.]],
  example = "tide.save(folder .. \"/adam.npz\", tide.optim.adam(model):state())"}
define{name = "optimiser:load_state", args = "state",
  text = "Go on from what optimiser:state() returned, for the same kind of optimiser and a model of the same "
  .. "shapes.",
  example = "local opt = tide.optim.adam(model)  opt:load_state(opt:state())"}
define{name = "tide.train", args = "opts", returns = "history",
  options = {{"model", nil, "called as model(x)", required = true},
    {"data", nil, "{x =, y =}, samples along the first axis; with a loss of (model, batch) any table of "
    .. "tensors, or a function(iteration) that returns one", required = true},
    {"optimizer", nil, "from tide.optim, or a name for its defaults", required = true},
    {"loss", "mse", [["mse", "smooth_l1", "cross_entropy", "binary_cross_entropy", "nll" (of nn.cnf: the mean
    of -prediction), a function(prediction, y), or a function(model,
    batch, options); a function may return a table of named scalar tensors beside the loss]], quote = true},
    {"batch", 64, "samples per step"},
    {"accumulate", 1, "batches per step: their mean gradient"},
    {"clip", nil, "{norm =} (of all gradients together) or {value =} (of each number)"},
    {"epochs", nil, "passes over the data; give this or iterations"}, {"iterations", nil, "steps"},
    {"seed", 1, "order of the batches"},
    {"shuffle", true, "false: the order of the data"},
    {"drop_last", false, "true: leave out a last incomplete batch"},
    {"solver", nil, "solver options for the calls of the model"},
    {"record_every", nil, "steps per record; default an epoch, or 1/50 of the steps"},
    {"validation", nil, "data of the same form: columns val_loss, val_accuracy, ..."},
    {"validate_every", nil, "steps; default record_every"},
    {"early_stop", nil, [[true, a patience, or {patience = 10, by = "val_loss", min_delta = 0, mode =}: end
      after so many records that are no better; mode "max" (default for accuracies): larger is better]]},
    {"keep_best", nil, "true, or the column to go by: the model ends with the weights of its best record"},
    {"schedule", nil, "an optim.schedule, or a function(step): the optimizer's lr from here on"},
    {"callback", nil, "function(record, model, optimizer) at each record; returning false stops"},
    {"on_step", nil, "function(step, model, optimizer, loss) behind each step; returning false stops"},
    {"on_end", nil, "function(history, model, optimizer)"},
    {"quiet", false, "true: no progress"},
    {"label", nil, "in front of the progress"},
    {"history", nil, "a table for the records, so that they survive an error"},
    {"adaption", nil,
      "chooses the solver's options from step to step, see step_adaption.new; not with solver"},
    {"checkpoint", nil, "a file (.npz, .safetensors) from which a training that was cut off goes on, with "
    .. "the same bits"},
    {"checkpoint_every", 60, "seconds between checkpoints; there is one at the start and at the end as well"},
    {"checkpoint_config", nil, "a text, settings of your own say: a checkpoint with another one is refused"}},
  text = [[Train in place, by one compiled step. history is a list of records iteration, epoch, loss, accuracy
  (for int64 labels and for targets -1/+1), nfe_forward, nfe_backward, seconds, and defect where the solver
  options ask for it: means over the batches since the record before. history.loss and so on are the columns;
  numbers that the callback adds to a record are kept there, those that the loss names are means like it.
  history.best says iteration and value of the best record where early_stop
    or keep_best asked for it. A checkpoint holds weights (.model, for nn.load),
  optimizer, adaption, history, generator and place; remove the file to start anew. Progress goes to standard
  error: a bar on a terminal, else lines. A loss, gradient, weight or moment that is not finite and a failed
  solve are errors that say where; weights,
  moments and checkpoint are as before the step.]],
  example = "tide.train{model = model, data = data, optimizer = \"adam\", loss = \"smooth_l1\", epochs = 2, "
  .. "quiet = true}.loss"}
define{name = "tide.evaluate", args = "model, data, opts", returns = "{loss =, accuracy =, nfe =}",
  options = {{"loss", "cross_entropy", "as in tide.train", quote = true}, {"batch", 256, "samples per step"},
    {"solver", nil, "solver options for the calls of the model"}},
  text = "Means over all samples, also of the numbers that a loss of (model, batch) names; nfe is per batch.",
  example = "tide.evaluate(model, data, {loss = \"mse\"}).loss"}

define{name = "tide.predict", args = "model, x, opts", returns = "what model(x) returns",
  options = {{"batch", 256, "samples per call"},
    {"solver", nil, "solver options for the calls of the model"}},
  text = [[The predictions of a trained model for any number of samples: model(x) in evaluation mode, batch
  by batch, recorded once. (model(x) alone is a call of the training: dropout draws, batch norm uses the batch
  and moves its running statistics, unless it says {training = false}.) x is a tensor or a table of them,
  samples along the first axis; what the model returns has a row for each.]],
  example = "tide.predict(model, data.x, {batch = 2})"}

local lr = {"lr", nil, "the highest rate", required = true}
local function define_schedule(name, options, text, example)
  define{name = "optim.schedule." .. name, args = "opts", returns = "function(step)", options = options,
    text = text,
    example = example}
end
define_schedule("cosine", {lr, {"steps", nil, "from lr to final", required = true}, {"final", 0, ""}},
  "For the optimizer's lr: half a cosine from lr to final, then final (PyTorch's CosineAnnealingLR).",
  "tide.optim.schedule.cosine{lr = 1e-2, steps = 100}(51)")
define_schedule("step", {lr, {"every", nil, "steps", required = true}, {"factor", 0.1, ""}},
  "For the optimizer's lr: times factor after every so many steps (StepLR).",
  "tide.optim.schedule.step{lr = 1e-2, every = 100}(101)")
define_schedule("warmup", {lr, {"steps", nil, "up to lr", required = true},
  {"next", nil, "a schedule for the steps behind; default lr"}},
  "For the optimizer's lr: lr / steps, 2 lr / steps, ... up to lr.",
  "tide.optim.schedule.warmup{lr = 1e-2, steps = 10}(5)")
define_schedule("one_cycle", {lr, {"steps", nil, "of the cycle", required = true},
  {"up", 0.3, "share of the steps in which the rate rises"}, {"start", 25, "begins at lr / start"},
  {"finish", 1e4, "ends at lr / start / finish"}},
  "For the optimizer's lr: up to lr and down again along half cosines (Smith and Topin 2018; OneCycleLR).",
  "tide.optim.schedule.one_cycle{lr = 1e-2, steps = 100}(30)")
define{name = "optim.schedule.plateau", args = "opts", returns = "schedule",
  options = {{"by", "val_loss", "column of the records", quote = true}, {"factor", 0.1, "of the rate"},
    {"patience", 10, "records that are no better before the rate falls"},
    {"threshold", 1e-4, "share by which better is better"}, {"cooldown", 0, "records of rest after a fall"},
    {"least", 0, "rate"}, {"mode", nil, "\"min\", or \"max\" (default for accuracies): larger is better"}},
  text = "For tide.train{schedule =}: the rate falls where a column gets no better (ReduceLROnPlateau), "
  .. "below 0 as well.",
  example = "tide.optim.schedule.plateau{by = \"loss\", factor = 0.5}"}

help.topic "Data"
define{name = "data.split", args = "data, parts, opts", returns = "a data set for each part",
  options = {{"shuffle", true, "false: in the order of the data"}, {"seed", 1, "of the order"}},
  text = [[Parts without common samples, of a tensor
    or a table of tensors: parts are fractions with the sum 1, one fraction
  (the rest is the second part), or counts. What is no tensor goes to each.]],
  example = "tide.data.split(data, {0.8, 0.2})"}
define{name = "data.batches", args = "data, opts", returns = "an iterator",
  options = {{"batch", 64, "samples; the last one may have fewer"}, {"seed", 1, "of the order"},
    {"epoch", 1, "each has an order of its own"}, {"shuffle", true, "false: the order of the data"},
    {"drop_last", false, "true: leave out a last incomplete batch"}},
  text = [[For loops of your own: for i, batch in data.batches(set, opts) do, in the order of tide.train.
  What it returns is also data for tide.train{data =, iterations =}.]],
  example = "tide.data.batches(data, {batch = 32})"}
local float = {"dtype", "float32", "\"float32\" or \"float64\"", quote = true}
define{name = "data.spheres", args = "opts", returns = "{x =, y =}",
  options = {{"dim", 2, "dimension"}, {"inner", 1000, "points of the ball"},
    {"outer", 2000, "points of the shell"},
    {"r1", 0.5, "radius of the ball"}, {"r2", 1.0, "inner radius of the shell"},
    {"r3", 1.5, "outer radius of the shell"}, {"seed", 1, ""}, float},
  text = "g(x) of the ANODE paper: x {n, dim}; y {n, 1} is -1 for |x| <= r1 and +1 for r2 <= |x| <= r3.",
  example = "tide.data.spheres{dim = 2, inner = 10, outer = 20}.x:shape()"}
define{name = "data.flip1d", args = "opts", returns = "{x =, y =}",
  options = {{"n", 500, "points, half on each side"},
    {"task", "flip", [["flip": -1 to 1 and 1 to -1; "identity"]], quote = true},
    {"noise", 0, "standard deviation of x"}, {"seed", 1, ""}, float},
  text = "The one-dimensional tasks of figure 3 of the ANODE paper; x and y {n, 1}.",
  example = "tide.data.flip1d{n = 4}.y"}
define{name = "data.sines", args = "opts", returns = "{x =, y =}",
  options = {{"dim", 2, "dimension; further ones are noise"}, {"n", 3000, "points"},
    {"shift", 1.4, "distance of the curves"},
    {"noise", 0.1, "standard deviation of the height"}, {"seed", 1, ""}, float},
  text = "Two sine curves, one above the other: x {n, dim}; y {n, 1} is +1 for the upper and -1 for the "
  .. "lower one.",
  example = "tide.data.sines{n = 10}.x:shape()"}
define{name = "data.three_spheres", args = "opts", returns = "{x =, y =}",
  options = {{"dim", 2, "dimension"}, {"n", 2000, "points"},
    {"radii", {{0.1, 0.15}, {0.25, 0.3}, {0.4, 0.45}},
    "{low, high} of each shell, from the inside out"},
    {"classes", {1, 2, 1}, "class of each shell"}, {"seed", 1, ""}, float},
  text = [[Concentric shells of the step-size paper (section 3.1): x {n, dim}; y {n}, int64, 2 for the shell
  in the middle. Classes are equally large; so are the shells of a class.]],
  example = "tide.data.three_spheres{dim = 3, n = 8}.y"}
local planar = {{"n", 1000, "points"}, {"noise", nil, "deviation of a normal distribution that is added"},
  {"seed", 1, ""}, {"dtype", "float32", "", quote = true}}
-- The options of a distribution in the plane: with another noise, or without, and its own.
local function planar_with(noise, ...)
  local rows = {planar[1], ...}
  if noise then rows[#rows + 1] = {"noise", noise, planar[2][3]} end
  rows[#rows + 1], rows[#rows + 2] = planar[3], planar[4]
  return rows
end
define{name = "data.moons", args = "opts", returns = "{x =, y =}", options = planar_with(0.1),
  text = [[Two half circles that interlock. x {n, 2}, y int64 1 or 2, as of the other distributions in the
  plane; classes are as equally large as n allows, the order is random.]],
  example = "tide.data.moons{n = 8}.x"}
define{name = "data.circles", args = "opts", returns = "{x =, y =}", options = planar_with(0.05),
  text = "A circle of radius 1 and, class 2, one of radius 1/2.", example = "tide.data.circles{n = 8}.x"}
define{name = "data.eight_gaussians", args = "opts", returns = "{x =, y =}",
  options = planar_with(0.35, {"radius", 2.8, "of the circle that they stand on"}),
  text = "Eight normal distributions on a circle.", example = "tide.data.eight_gaussians{n = 8}.y"}
define{name = "data.pinwheel", args = "opts", returns = "{x =, y =}",
  options = planar_with(nil, {"radial", 0.3, "deviation along an arm, of its length"},
    {"tangential", 0.1, "deviation across it"}, {"rate", 0.25, "how much the arms bend"}),
  text = "Five bent arms.", example = "tide.data.pinwheel{n = 8}.x"}
define{name = "data.checkerboard", args = "opts", returns = "{x =, y =}", options = planar_with(),
  text = "Uniform on every other square of a board of 4 x 4 squares, 2 wide; each of the eight is a class.",
  example = "tide.data.checkerboard{n = 8}.x"}
define{name = "data.spirals", args = "opts", returns = "{x =, y =}", options = planar_with(0.1),
  text = "Two spirals of one and a half turns.", example = "tide.data.spirals{n = 8}.x"}
local function series_with(n, irregular, shown, ...)
  return join({{"n", n, "series"}, {"points", 100, "of the grid of times"},
    {"observed", nil, "how many of them each series shows, at random; default " .. shown},
    {"span", {0, 5}, "of time; the first time is its beginning"},
    {"irregular", irregular, "random times, or evenly spaced ones; default: as own_times"},
    {"own_times", false, "true: every series has times of its own"},
    {"noise", 0.05, "standard deviation of what is added to x"}}, {...},
    {{"seed", 1, ""}, {"dtype", "float32", "", quote = true}})
end
define{name = "data.irregular_sines", args = "opts",
  returns = "{x =, y =, mask =, t =, frequency =, amplitude =, phase =}",
  options = series_with(1000, true, "half",
    {"frequency", {0.2, 0.6}, "{low, high}: turns for each unit of time, a number of each series"},
    {"amplitude", {1, 1}, "{low, high}"}),
  text = [[Sines of random frequency and phase, seen at some of the times, as latent ODEs are tried on
  (Rubanova, Chen and Duvenaud 2019). x {n, points, 1} is what was observed, 0 where the mask {n, points} is
  0; y is x without noise and everywhere. t is a list of the times that all share, for tide.odeint; with
  own_times a tensor {n, points}. A loss of (model, batch) gets the mask and t as well.]],
  example = "tide.data.irregular_sines{n = 4, points = 10, observed = 5}.x:shape()"}
define{name = "data.pendulum", args = "opts", returns = "{x =, y =, mask =, t =, field =}",
  options = series_with(200, nil, "all", {"damping", 0.3, "of the velocity"},
    {"gravity", 9.81, "over length: the square of the frequency of small swings"}, {"length", 1, ""},
    {"angle", {-2, 2}, "{low, high} of the starts"}, {"velocity", {-1, 1}, "{low, high} of the starts"}),
  text = [[Damped pendulums: angle'' = -gravity / length sin(angle) - damping angle'. x and y {n, points, 2}
  are angle and velocity, the rest as in data.irregular_sines; field(t, u) is the right-hand side for u
  {..., 2}.]],
  example = "tide.data.pendulum{n = 4, points = 10}.y:shape()"}
define{name = "data.landscape", args = "opts",
  returns = "{x =, y =, minima =, barriers =, potential =, field =}",
  options = {{"n", 2000, "particles"}, {"friction", 0.2, "of the motion"},
    {"x_range", {-1, 2}, "of the starts"}, {"v_range", {-2, 2}, "of the starts"},
    {"minima", nil, "of the potential, any number; default: the authors' potential"},
    {"barriers", nil, "between them; default half way"}, {"scale", 1.2, "of its slope"},
    {"potential", nil, "function(x) on tensors, in place of minima, barriers, scale"},
    {"starts", nil, "tensor {n, 2} of x and v, in place of random ones"},
    {"rest", 0.01, "at rest: this share of the energy needed to leave the minimum is left"}, {"seed", 1, ""},
    float},
  text = [[A particle rolls in a potential with friction until it rests (the step-size paper, equation 4): x
  {n, 2} holds place and velocity at the start, y {n} the minimum where it ends, counted from the left. Starts
  too near a separatrix to be sure are solved with a tighter solver; what stays unsure is an error. The paper
  names no potential; the default is V = 0.2 (x - 2) (x - 1/2) (x + 1) (x + 3/5) (x - 8/5) x, which its
  authors published later. potential(x) and field(t, y), the right-hand side for float64 y {n, 2}, come
  along.]],
  example = "tide.data.landscape{n = 5}.y"}
define{name = "data.mnist", args = "opts", returns = "{x =, y =}",
  options = {{"split", "train", "\"train\" (60000) or \"test\" (10000)", quote = true},
    {"dir", nil, "folder of the four idx files, gzip or not"},
    {"n", nil, "only the first n"}},
  text = [[MNIST: x float32 N,1,28,28 in [0, 1]; y int64, digit + 1. Looks in dir, else TIDE_DATA/mnist, else
  the user's data folder; `tide data/fetch.lua mnist` gets the files.]],
  example = "tide.data.mnist{split = \"test\", n = 100}.x:shape()", run = false}
define{name = "data.cifar10", args = "opts", returns = "{x =, y =}",
  options = {{"split", "train", "\"train\" (50000) or \"test\" (10000)", quote = true},
    {"dir", nil, "folder of the .bin files, gzip or not"},
    {"n", nil, "only the first n; reads no more batches than that takes"}},
  text = [[CIFAR-10 from its binary version: x float32 N,3,32,32 in [0, 1]; y int64, label + 1. Looks in dir,
  else TIDE_DATA/cifar10, else the user's data folder; `tide data/fetch.lua cifar10 [FOLDER]` gets the
  files.]], example = "tide.data.cifar10{split = \"test\", n = 100}.x:shape()", run = false}
define{name = "data.svhn", args = "opts", returns = "{x =, y =}",
  options = {{"split", "train", "\"train\" (73257) or \"test\" (26032)", quote = true},
    {"dir", nil, "folder of train_32x32.mat and test_32x32.mat"}, {"n", nil, "only the first n"}},
  text = [[SVHN, house numbers, from its MATLAB files: x float32 N,3,32,32 in [0, 1]; y int64, digit + 1 (the
  files say 10 for the digit 0). Looks in dir, else TIDE_DATA/svhn, else the user's data folder.]],
  example = "tide.data.svhn{split = \"test\", n = 100}.x:shape()", run = false}
define{name = "data.tiny_imagenet", args = "opts", returns = "{x =, y =}",
  options = {{"split", "train", "\"train\" (500 of a class) or \"test\" (val/, 50 of a class)", quote = true},
    {"dir", nil, "folder that holds wnids.txt, train/ and val/"},
    {"n", nil, "only the first n, one of each class in turn"}},
  text = [[Tiny ImageNet from its JPEG files: x float32 N,3,64,64 in [0, 1], grey pictures in three equal
  channels; y int64, the line of the class in wnids.txt. Classes without a folder are left out. Looks in dir,
  else TIDE_DATA/tiny-imagenet-200, else the user's data folder.]],
  example = "tide.data.tiny_imagenet{split = \"test\", n = 100}.x:shape()", run = false}
define{name = "data.names", args = "", returns = "list", text = "Names of the data sets.",
  example = "tide.data.names()"}
define{name = "data.folder", args = "name, dir", returns = "path",
  text = "Folder of a real data set: dir, else TIDE_DATA/name, else $XDG_DATA_HOME/tide/datasets/name.",
  example = "tide.data.folder(\"mnist\")"}
