--- Neural ODE against Augmented Neural ODE on MNIST digits (Augmented Neural ODEs, section 5.2, figures 10 to
-- 12, table 1).
--
-- TIDE_DATA=FOLDER ./tide experiments/anode/mnist.lua (FOLDER holds mnist/; `tide data/fetch.lua mnist` gets
-- it) Trains for a chosen number of iterations; writes train.csv and test.csv and draws mnist.png.

local tide = require "tide"
local experiment = require "tide.experiment"
local nn, csv = tide.nn, tide.csv

local o = experiment.parse("MNIST: Neural ODE and Augmented Neural ODE, convolutional", {
  {"iterations", 100, "iterations per model"}, {"batch", 64, "batch size (the paper's is 256)"},
  {"lr", 1e-3, "learning rate of Adam"},
  {"seeds", 1, "number of seeds"},
  {"node-filters", 92, "filters of the NODE (92: as many values as the ANODE)"},
  {"anode-filters", 64, "filters of the ANODE"}, {"augment", 5, "augmented channels of the ANODE"},
  {"time", false, "time-dependent fields"},
  {"tol", 1e-3, "rtol = atol of dopri5"}, {"gradient", "adjoint", "adjoint (as the authors) or direct"},
  {"test-every", 25, "iterations between tests"},
  {"test-images", 2000, "test images used (10000 are there)"},
  {"records", 50, "records of the training loss"}, {"dir", "", "folder with the four idx files"},
  {"out", "runs/anode/mnist", "output folder"},
}, arg)
local out = experiment.folder(o.out)
local dir = o.dir ~= "" and o.dir or nil
local train_data, test_data = tide.data.mnist{split = "train", dir = dir},
  tide.data.mnist{split = "test", dir = dir, n = o["test-images"]}

local solver = {method = "dopri5", rtol = o.tol, atol = o.tol, gradient = o.gradient}
local function make(filters, augment)
  return function(seed)
    return nn.conv_odenet{image = {1, 28, 28}, filters = filters, augment = augment, time = o.time,
      solver = solver, seed = seed}
  end
end
local models = {{"NODE", make(o["node-filters"], 0)},
  {("ANODE, p = %d"):format(o.augment), make(o["anode-filters"], o.augment)}}

local comments = experiment.provenance(arg)
local train_csv <close> = csv.writer(out .. "/train.csv", {"model", "seed", "iteration", "loss", "accuracy",
  "nfe_forward", "nfe_backward", "seconds"},
  {comments = comments})
local test_csv <close> = csv.writer(out .. "/test.csv", {"model", "seed", "iteration", "loss", "accuracy"},
  {comments = comments})
local rows, failures = {}, {}
for _, entry in ipairs(models) do
  local name, new_model = entry[1], entry[2]
  for seed = 1, o.seeds do
    local model = new_model(seed)
    local tested, last_test, first = 0, nil, nil
    local function test(iteration)
      last_test = tide.evaluate(model, test_data, {loss = "cross_entropy", batch = 500})
      test_csv:row{model = name, seed = seed, iteration = iteration, loss = last_test.loss,
        accuracy = last_test.accuracy}
      tested = iteration
    end
    local last
    local ok, message = pcall(tide.train,
      {model = model, data = train_data, optimizer = tide.optim.adam(model, {lr = o.lr}),
        loss = "cross_entropy",
      batch = o.batch, iterations = o.iterations, seed = seed, label = ("%s seed %d"):format(name, seed),
      record_every = math.max(1, o.iterations // o.records),
      callback = function(r)
        train_csv:row{model = name, seed = seed, iteration = r.iteration, loss = r.loss,
          accuracy = r.accuracy, nfe_forward = r.nfe_forward,
                      nfe_backward = r.nfe_backward, seconds = r.seconds}
        first, last = first or r, r
        if r.iteration - tested >= o["test-every"] then test(r.iteration) end
      end})
    if not ok then failures[#failures + 1] = ("%s, seed %d: %s"):format(name, seed, message) end
    if last and tested < last.iteration then test(last.iteration) end
    if last then
      rows[#rows + 1] = {name, seed, nn.count(model), last.iteration, ("%.4f"):format(last.loss),
        ("%.4f"):format(last_test.loss),
        ("%.2f %%"):format(100 * last_test.accuracy), ("%.0f -> %.0f"):format(first.nfe_forward,
          last.nfe_forward), ("%.0f"):format(last.nfe_backward),
        ("%.0f"):format(last.seconds)}
    end
  end
end
train_csv:close() test_csv:close()

print(("\nMNIST, batches of %d, dopri5 at %g, %s gradient; accuracy on %d test images\n"):format(o.batch,
  o.tol, o.gradient, #test_data.x))
experiment.print_table({"model", "seed", "values", "iterations", "train loss", "test loss", "test accuracy",
  "NFE", "NFE back", "seconds"}, rows)
for _, failure in ipairs(failures) do print("  failed: " .. failure) end
print("\ntables:   " .. out .. "/*.csv")
for _, picture in ipairs(experiment.draw("anode_mnist", out)) do print("picture:  " .. picture) end
