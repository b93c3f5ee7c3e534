--- Help about what tells whether a model is an ODE, and about grids of runs; see tide.docs.

local help = require "tide.help"

local define = help.define

help.topic "Is it still an ODE?"
define{name = "ode.validity", args = "opts", returns = "report",
  options = {{"model", nil, "trained; holds one ODE block"}, {"models", nil, "or several seeds of it"},
    {"data", nil, "{x =, y =}", required = true},
    {"solver", nil, "that it was trained with; default that of its block"},
    {"methods", nil, "to test with; default euler, midpoint, rk4, or the adaptive one"},
    {"factors", nil, "of the steps; default 0.5, 0.75, 1, 1.5, 2; of tolerances 100 to 0.01"},
    {"reference", nil, "solver options; default dopri5 with rtol = atol = 1e-5, float64: 1e-8"},
    {"threshold", 0.05, "largest share of results that finer solvers may change"},
    {"critical", true, "look for the critical step"},
    {"max_steps", 1024, "of that search"}, {"batch", 1000, "samples per solve"}},
  text = [[Does the model give the same results with every solver that is at least as accurate as the one it
  was trained with (ResNet After All?, section 4)? report.verdict is "valid", "not valid" or "k of n valid";
  report.rows has a row per test solver: accuracy, flips (share of labels that differ from the training
  solver's), distance and largest (root mean square and largest distance of final states to the reference
  solve, in units of their spread), nfe, with _std over models; report.models has accuracy, valid,
  critical_steps, critical_step. print(report) shows the table.]],
  example = [[local m = tide.nn.odenet{dim = 2, out = 2, solver = {method = "euler", steps = 4}}
  local data = {x = x, y = tide.tensor({1, 2, 1, 2}, {dtype = "int64"})}
  print(tide.ode.validity{model = m, data = data, max_steps = 32})]]}
define{name = "report:text", args = "", returns = "string",
  text = "The table and the verdict, as print(report) shows them.",
  example = "local report = tide.ode.validity  -- report:text()"}
define{name = "report:write", args = "path, comments", returns = "path",
  text = "The rows of ode.validity's report as CSV; plots/validity.lua draws it.",
  example = "local report = tide.ode.validity  -- report:write(\"validity.csv\")"}
define{name = "ode.crossings", args = "opts", returns = "report",
  options = {{"model", nil, "trained; holds one ODE block with a fixed-step solver", required = true},
    {"x", nil, "points to start from"},
    {"data", nil, "or {x =}"}, {"solver", nil, "in place of the block's"},
    {"points", 200, "of x that are looked at"},
    {"same_step", nil, "compare only paths within a step; default where the field depends on time"},
    {"largest_dim", 16, "for determinants"},
    {"iterations", 50, "of the power iteration"}},
  text = [[Why a model is no flow: in one dimension points that change order, in two crossings of paths
  (decided exactly), in up to largest_dim the sign of det(I + h J) (of the method's step) and the smallest
  singular value along the paths, in any h times a Lipschitz estimate of the field.]],
  example = [[local m = tide.nn.odenet{dim = 2, solver = {method = "euler", steps = 4}}
  print(tide.ode.crossings{model = m, x = x}.verdict)]]}
define{name = "crossing.orientation", args = "ax, ay, bx, by, cx, cy", returns = "number",
  text = "> 0 when c lies left of the line from a to b, < 0 right, 0 on it; the sign is exact (Shewchuk "
  .. "1997).",
  example = "tide.crossing.orientation(0, 0, 1, 0, 0.5, 1)"}
define{name = "crossing.segments", args = "ax, ay, bx, by, cx, cy, dx, dy", returns = "string or nil",
  text = "How the segments a b and c d meet: \"cross\", \"touch\", \"overlap\" or nil; exact.",
  example = "tide.crossing.segments(0, 0, 1, 1, 0, 1, 1, 0)"}
define{name = "crossing.inversions", args = "states", returns = "table",
  text = "states {times, points} or {times, points, 1}: count of pairs whose order a step reverses, merged "
  .. "pairs, pairs, the first such step.",
  example = "tide.crossing.inversions(tide.tensor{{0, 1}, {1, 0}}).count"}
define{name = "crossing.intersections", args = "states, opts", returns = "table",
  options = {{"same_step", false, "only paths within one step"},
    {"angle", 30, "degrees from which a crossing is steep"}, {"keep", 100, "crossings listed"}},
  text = [[states {times, points, 2}: crossings, steep ones, touches, overlaps, share of the points on a path
  with a crossing. Polygons along one smooth path may weave at small angles; steep crossings tell of steps too
  long.]],
  example = "tide.crossing.intersections(tide.tensor{{{0, 0}, {0, 1}}, {{1, 1}, {1, 0}}}).crossings"}
define{name = "crossing.determinant", args = "A", returns = "number",
  text = "Of a square matrix, tensor or rows; tide.linalg.det for batches.",
  example = "tide.crossing.determinant{{1, 2}, {3, 4}}"}
define{name = "crossing.singular_values", args = "A", returns = "list",
  text = "Of a matrix, tensor or rows, largest first; tide.linalg.svd for batches.",
  example = "tide.crossing.singular_values{{3, 0}, {0, -2}}"}
define{name = "crossing.jacobians", args = "map, y", returns = "tensor",
  text = "{points, dim, dim}: the Jacobian of map at each state of y {points, ...}; samples must not "
  .. "influence each other.",
  example = "tide.crossing.jacobians(function(u) return u * u end, x)"}
define{name = "crossing.step_jacobians", args = "field, t, h, y, method", returns = "tensor",
  text = "{points, dim, dim}: the derivative of one step of the method from y(t) to t + h; for \"euler\", "
  .. "the default, I + hJ.",
  example = "tide.crossing.step_jacobians(function(t, u) return -u end, 0, 0.5, x)"}
define{name = "crossing.orientation_of", args = "jacobians", returns = "table",
  text = "{negative =, smallest =, least_det =, points =}: matrices with a determinant <= 0, the smallest "
  .. "singular value, the least determinant.",
  example = "tide.crossing.orientation_of(tide.eye(2):reshape{1, 2, 2}).negative"}
define{name = "crossing.lipschitz", args = "map, y, opts", returns = "tensor",
  options = {{"iterations", 50, "of the power iteration"}, {"seed", 1, "of its start"}},
  text = "{points}: the largest singular value of the Jacobian of map at each state, from below.",
  example = "tide.crossing.lipschitz(function(u) return 3 * u end, x)"}

help.topic "Adaption of steps and tolerances"
define{name = "step_adaption.new", args = "opts", returns = "adaption",
  options = {{"rule", "pairs",
    "\"stated\", \"published\", \"steady\", \"pairs\", or a table {value =, next = function(self, m)}",
    quote = true},
    {"method", "euler", "of the training", quote = true}, {"model", nil, "for the starting step"},
    {"x", nil, "a batch, for the starting step"},
    {"value", nil, "or the first step size, for \"steady\" and \"pairs\" number of steps"},
    {"every", nil, "iterations between looks; 50, \"pairs\" 5"},
    {"mix", 20, "\"steady\": every so many-th step is taken with a finer solver, every second while above "
    .. "the band; 0: none"},
    {"threshold", nil, "\"stated\", \"published\": change of the accuracy that counts; 0.1"},
    {"span", nil, "the same: of the integration; 1"},
    {"max_steps", nil, "500"}, {"min_steps", nil, [["steady", "pairs": half the first value; of "pairs" that
    begin with Hairer's step also no fewer than 8 evaluations]]},
    {"high", nil, "\"steady\": refine above this distance; 0.1"},
    {"low", nil, "\"steady\": coarsen below it; 0.05"},
    {"patience", nil, "\"steady\": full intervals below low before coarsening; 4"},
    {"gain", nil, "\"steady\": power of the ratio that the steps follow; 0.7"}, {"healing", nil,
      "\"steady\": a fall by this factor since a refinement is waited for; 0.8"},
    {"smallest_change", nil, "\"steady\": of the number of steps; 1.1"},
    {"target", nil, "\"pairs\": the distance that it steers to; 0.07"},
    {"limit", nil, "\"pairs\": two looks in a row above it refine at once; twice the target"},
    {"smoothing", nil, "\"pairs\": weight of the last look; 0.1"},
    {"penalty", nil, "\"pairs\": weight of the mean square of the difference of the predictions; 0.3"},
    {"window", nil, [["pairs": so many iterations are accepted or rejected together; after a rejection the
    training goes on from their beginning with more steps]]}},
  text = [[Keeps a model an ODE while it is trained with a fixed-step method: tide.train{adaption = ...} asks
  it for the solver and shows it every batch. "stated" is Algorithm 1 of ResNet After All?, "published" the
  authors' code, "steady" ours: it looks at a continuous distance between the predictions of the training
  solver and a finer one, holds a whole number of steps while that lies in a band, and coarsens with growing
  patience.

  "pairs" takes every fifth training step through two solvers at once (the method and the next better one, rk4
  below 8 steps): the mean of both losses, and a penalty on the difference of their predictions that counts as
  far as the model has decided. The same pair is the look. The log of the number of steps follows the
  logarithm of the distance, smoothed: 0.2 (s - log target) + 0.4 max(0, ds), nothing while that is small and
  s within 0.4 of the target, 1.5 % fewer steps at most in one look, 1.5 times as many; two looks in a row
  above the limit count at once. The distance is the mean total variation of the predicted probabilities, or
  1.5 times the change of the accuracy where that is more.

  With window = n the ends of every n iterations and all records are checked: 256 samples by a tight solver
  must not change the accuracy by more than 0.07. Else weights and optimizer go back to the window's
  beginning, with more steps; after four times in a row the window is taken as it is. A rule of your own needs
  refine(self, times) -> the next value, or nil; rejected counts them. history lists the looks, those of
  rejected windows as well.]],
  example = "tide.step_adaption.new{rule = \"stated\", value = 0.25}:solver()"}
define{name = "adaption:solver", args = "", returns = "table",
  text = [[Solver options for the next training step; the same table while nothing has changed. Of a step
  that is taken by two solvers (rule "pairs") a second table comes along: {solver = options of the other one,
  penalty = function(a, b) -> what the difference of the predictions adds to the mean of both losses}.]],
  example = "tide.step_adaption.new{value = 8}:solver().steps"}
define{name = "adaption:observe", args = "iteration, model, x, y, prediction, nfe, second, defect",
  returns = "boolean",
  text = [[Show it a batch before the parameters change; true when the solver has changed. second: the
  prediction by the other solver of a pair; defect: stats.defect, where the solver options ask for it.]],
  example = "local adaption = tide.step_adaption.new{value = 8}  -- adaption:observe(1, model, x, y, "
  .. "prediction, 8)"}
define{name = "adaption:judge", args = "iteration, model, data, spent", returns = "boolean",
  text = [[Accept or reject the window that ends with an iteration (option window). spent: {from = iteration
  before the window, batch = size of the batches, nfe = its evaluations}.]],
  example = "local adaption = tide.step_adaption.new{rule = \"pairs\", value = 8, window = 25}  -- "
  .. "adaption:judge(25, model, data, {from = 0, batch = 64, nfe = 200})"}
define{name = "adaption:state", args = "", returns = "table",
  text = "What must be saved to resume exactly; tide.train{checkpoint =} does.",
  example = "tide.step_adaption.new{value = 8}:state().rule.value"}
define{name = "adaption:load_state", args = "state",
  text = "Go on from what adaption:state() returned, for an adaption made with the same options.",
  example = "local adaption = tide.step_adaption.new{value = 8}  adaption:load_state(adaption:state())"}
define{name = "step_adaption.rule", args = "name, opts", returns = "rule",
  text = "A rule alone, without solves: rule:next(m) -> the next value. m: train, test (accuracies), "
  .. "retest(h) for \"published\"; distance for \"steady\" and \"pairs\".",
  example = "tide.step_adaption.rule(\"stated\", {value = 0.5}):next{train = 0.9, test = 0.7}"}
define{name = "step_adaption.finer", args = "rule, method, value", returns = "table",
  text = "Solver options of the finer solver that a rule tests with.",
  example = "tide.step_adaption.finer(\"published\", \"euler\", 0.25)"}
define{name = "step_adaption.initial_step", args = "model, x, opts", returns = "number",
  options = {{"method", "euler", "whose order counts", quote = true},
    {"published", false, "with the norms of the authors' code"}},
  text = "Hairer's starting step for a model and a batch, with scale 1 in place of tolerances, at most the "
  .. "span.",
  example = "tide.step_adaption.initial_step(tide.nn.odenet{dim = 2}, x)"}
define{name = "tolerance_adaption.new", args = "opts", returns = "adaption",
  options = {{"rule", "corrected", "\"published\", \"corrected\", or a table {value =, next =}",
    quote = true},
    {"method", "dopri5", "\"dopri5\" or \"fehlberg21\"", quote = true},
    {"value", nil, "first tolerance; 1e-6"}, {"every", 50, "iterations between looks"},
    {"dtype", "float32", "\"float32\" or \"float64\"", quote = true}, {"threshold", nil, "0.1"},
    {"smallest", nil, "1e-8"}, {"largest", nil, "1"},
    {"smallest_rtol", nil, "rtol stays above this; default: ode.smallest_rtol(dtype)"}},
  text = "The same for adaptive solvers: rtol = atol follow the rule (ResNet After All?, appendix B.6). See "
  .. "help(\"step_adaption.new\").",
  example = "tide.tolerance_adaption.new{value = 1e-4}:solver().rtol"}
define{name = "tolerance_adaption.rule", args = "name, opts", returns = "rule",
  text = "A rule alone, without solves; m as for step_adaption.rule, retest gives accuracy and nfe.",
  example = "tide.tolerance_adaption.rule(\"corrected\", {value = 1e-4}):next{train = 0.9, test = 0.7}"}

help.topic "Grids of runs"
define{name = "jobs.run", args = "list, opts", returns = "list of failures",
  options = {{"parallel", nil, "processes at a time; default tide.threads()"},
    {"label", "jobs", "in front of the progress", quote = true},
    {"quiet", false, "print nothing"}},
  text = [[Run commands {command = a line for the shell or a list of words, name =, cost =, log =} as
  independent processes with a progress bar and the time left, weighed by cost. Ctrl-C ends them all. What a
  command prints stays in the file log until it ends well. Let each write one file, complete or not at all,
  and list those that are missing: so a grid resumes; tide.sweep does it.]],
  example = "tide.jobs.run({{command = \"true\"}, {command = \"exit 3\", name = \"b\"}}, {quiet = "
  .. "true})[1].status"}
define{name = "sweep.run", args = "spec, arguments", returns = "sweep",
  options = {{"title", nil, "for --help", required = true},
    {"script", nil, "the file that makes one cell", required = true},
    {"out", nil, "default folder of the tables", required = true},
    {"axes", nil, "list of {option, default values, text, name for the script}; the first varies slowest"},
    {"cells", nil, "in place of axes: function(o) that gives a list of {name for the script = value}"},
    {"options", nil, "rows {name, default, text} that every cell gets"},
    {"own", nil, "rows of options that the script does not get"},
    {"describe", nil, "function(values, o) -> {name =, config =, cost =, outputs =, files =} of a cell"},
    {"done", nil, "function(cell): is its result complete? cell.tables[\".csv\"]"},
    {"longest_first", nil, "true, or the name of an axis within whose values the dear cells come first"},
    {"unit", nil, "what a cell is called; \"cells\""}, {"label", nil, "in front of the progress"}},
  text = [[Run a script for every cell of a product of axes, each in a process of its own, and collect.
  arguments is the table arg: axes and options are options of the command line, and --parallel, --threads,
  --nice, --collect (run nothing), --list, --only TEXT (in the name), --anew, --out and --cells. An axis
  takes "a,b", "6..10", and, where its default is an integer, n for 1 to n. The script gets --NAME=VALUE of
  each and --out=CELLS/NAME.csv, and leaves this file, complete or not at all, with the comment "config: "
  .. sweep.config(settings): then the cell is done. After a kill the same command goes on. Results of other
  settings are refused, unless --anew. What failed is named at the end, with the last line that it printed
  and its log.]],
  example = [[require("tide.files").write(folder .. "/square.lua", [=[
local tide = require "tide"
local o = tide.experiment.parse("A square", {{"x", 1, "a number"}, {"out", "", "a file"}}, arg)
local config = "config: " .. tide.sweep.config(o, {"out"})
tide.csv.write(o.out, {"x", "y"}, {{o.x, o.x ^ 2}}, {comments = {config}})]=])
local squares = tide.sweep.run({title = "Squares", script = folder .. "/square.lua", out = folder,
  axes = {{"xs", 3, "1 to this", "x"}}}, {})
squares:write("squares", squares:table())]]}
define{name = "sweep.config", args = "settings, without", returns = "string",
  text = "Settings in one line, sorted: runs are the same when their lines are. without: names that do not "
  .. "count.",
  example = "tide.sweep.config({lr = 1e-3, out = \"a.csv\"}, {\"out\"})"}
define{name = "sweep:table", args = "ending, settings", returns = "table",
  text = "The rows of all cells that are done, in order, as csv.read gives a table; ending names one of "
  .. "several files of a cell (default \".csv\"). settings: those that become columns, a list of names or "
  .. "{setting, name of the column}.", example = "squares:table():column(\"y\")", run = false}
define{name = "sweep:write", args = "name, columns, rows",
  text = "Write OUT/NAME.csv: a table, or columns and rows. The comments say which commits made the cells "
  .. "and how many have no result.", example = "squares:write(\"squares\", squares:table())", run = false}
define{name = "sweep:comments", args = "", returns = "list",
  text = "These comments.", example = "squares:comments()", run = false}
define{name = "sweep:finish", args = "", text = "The end of a script: status 1 where a cell failed.",
  example = "squares:finish()", run = false}
