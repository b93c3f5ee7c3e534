--- One training of a convolutional Neural ODE or Augmented Neural ODE on pictures (Augmented Neural ODEs,
-- section 5.2, appendix F.2.2).
--
-- Writes train.csv, a row per iteration, and test.csv, a row per test, into OUT; checkpoint.npz there lets a
-- run that was killed go on with the same bits, and a finished one go on for more epochs. The first comments
-- say settings, scale and how it ended: a training that diverges or whose solves need too many steps is a
-- result. images_runs.lua lists the runs behind the figures and runs them.

local here = arg[0]:match("^(.*)/") or "."
local tide = require "tide"
local experiment, files = require "tide.experiment", require "tide.files"
local images = dofile(here .. "/images_settings.lua")
local nn, csv, d = tide.nn, tide.csv, images.defaults

local o = experiment.parse("Train a convolutional Neural ODE or Augmented Neural ODE on pictures", {
  {"data", d.data, "mnist, cifar10, svhn or tiny_imagenet"},
  {"model", "anode", "node or anode: filters and channels of the paper, unless given"},
  {"filters", 0, "filters k of the field; 0: the paper's"}, {"augment", -1,
    "augmented channels p; -1: the paper's"},
  {"epochs", 1, "length of the training"}, {"iterations", 0, "its length in batches instead"},
  {"batch", d.batch, "batch size"}, {"lr", d.lr, "learning rate of Adam"},
  {"weight-decay", d["weight-decay"], "L2 weight decay of Adam"}, {"seed", d.seed, "of weights and order"},
  {"pictures", d.pictures, "training pictures, the first so many; 0: all"},
  {"test-pictures", d["test-pictures"], "test pictures; 0: all"},
  {"test-every", d["test-every"], "iterations between tests; 0: at the end only"},
  {"time", d.time, "time as a channel of each convolution"}, {"tol", d.tol, "rtol = atol of dopri5"},
  {"max-steps", d["max-steps"], "steps of a solve at most"},
  {"gradient", d.gradient, "adjoint (as the authors) or direct"},
  {"nfe-stop", 0, "stop when a solve takes so many evaluations; 0: never"},
  {"dir", "", "folder of the data; default: in TIDE_DATA"},
  {"out", "", "folder of the results; default: runs/anode/images/NAME"},
}, arg)
local stated = images.stated[o.data]
  or experiment.usage_error("--data must be mnist, cifar10, svhn or tiny_imagenet, got " .. o.data)
local pair = stated[o.model] or experiment.usage_error("--model must be node or anode, got " .. o.model)
if o.filters == 0 then o.filters = pair[1] end
if o.augment < 0 then o.augment = pair[2] end
local s = images.settings(o)

local dir = o.dir ~= "" and o.dir or nil
local function read(split, n) return tide.data[s.data]{split = split, dir = dir, n = n > 0 and n or nil} end
local train_data, test_data = read("train", s.pictures), read("test", s["test-pictures"])
local shape = train_data.x:shape()
local model = nn.conv_odenet{image = {shape[2], shape[3], shape[4]}, filters = s.filters, augment = s.augment,
  classes = train_data.y:max():item(), time = s.time, seed = s.seed,
  solver = {method = "dopri5", rtol = s.tol, atol = s.tol, gradient = s.gradient, max_steps = s["max-steps"]}}
local per_epoch = (shape[1] + s.batch - 1) // s.batch
local total = o.iterations > 0 and o.iterations or o.epochs * per_epoch

local out = experiment.folder(o.out ~= "" and o.out or "runs/anode/images/" .. images.name(s))
local scale = ("scale: %d filters, p = %d, %d values (%d of the field), %d of %s's pictures, batches of %d")
  :format(s.filters, s.augment, nn.count(model), nn.count(model.block.field), shape[1], s.data, s.batch)
local comments = experiment.provenance(arg)
if files.exists(out .. "/checkpoint.npz") and files.exists(out .. "/train.csv") then -- it goes on
  for _, comment in ipairs(csv.read(out .. "/train.csv").comments) do
    local earlier, now = comment:match("^commit: (.*)"), comments[2]:match("^commit: (.*)")
    if earlier then
      comments[2] = "commit: " .. (earlier:find(now, 1, true) and earlier or earlier .. ", " .. now)
    end
  end
end
table.move({"config: " .. images.config(s), scale, ""}, 1, 3, #comments + 1, comments)

-- A checkpoint keeps nan for none.
local function is_tested(r) return r.test_loss and r.test_loss == r.test_loss end

-- What there is so far, at any time, with how far the training has come.
local history = {}
local function write(status)
  comments[#comments] = "status: " .. status
  local train, tests = {}, {}
  for i, r in ipairs(history) do
    train[i] = {r.iteration, r.epoch, r.loss, r.accuracy, r.nfe_forward, r.nfe_backward, r.cpu}
    if is_tested(r) then
      tests[#tests + 1] = {r.iteration, r.epoch, r.test_loss, r.test_accuracy, r.test_nfe}
    end
  end
  csv.write(out .. "/train.csv", {"iteration", "epoch", "loss", "accuracy", "nfe_forward", "nfe_backward",
    "cpu"},
    train, {comments = comments, digits = 7})
  csv.write(out .. "/test.csv", {"iteration", "epoch", "loss", "accuracy", "nfe"}, tests,
    {comments = comments, digits = 7})
end

local function test(r)
  local result = tide.evaluate(model, test_data, {loss = "cross_entropy", batch = s.batch})
  r.test_loss, r.test_accuracy, r.test_nfe = result.loss, result.accuracy, result.nfe
end

local written, spent = tide.progress.clock(), os.clock()
local function observe(r)
  r.cpu = os.clock() - spent -- seconds of this iteration, whatever else the machine does
  if s["test-every"] > 0 and r.iteration % s["test-every"] == 0 then test(r) end
  if tide.progress.clock() - written >= 60 then
    written = tide.progress.clock()
    write(("running, iteration %d of %d"):format(r.iteration, total))
  end
  spent = os.clock()
  if o["nfe-stop"] > 0 and r.nfe_forward >= o["nfe-stop"] then return false end
end

-- A flow that became too hard for its solver is a result.
local ok, failure = tide.attempt(tide.train, {model = model, data = train_data,
  optimizer = tide.optim.adam(model, {lr = s.lr, weight_decay = s["weight-decay"]}), loss = "cross_entropy",
  batch = s.batch, iterations = total, seed = s.seed, record_every = 1, history = history, callback = observe,
  checkpoint = out .. "/checkpoint.npz", checkpoint_config = images.config(s), label = images.name(s)})
local last, stopped = history[#history], nil
if not ok then
  stopped = "failed: " .. failure:gsub("^.-tide%.train: ", ""):gsub("%s+", " ")
elseif last.iteration < total then
  stopped = ("stopped: a solve took %d evaluations"):format(last.nfe_forward)
end
-- not in the checkpoint: a longer run is the same without it
if ok and not is_tested(last) then
  test(last)
end
write(stopped or "complete")

local tested, cpu = nil, 0
for _, r in ipairs(history) do
  cpu = cpu + r.cpu
  if is_tested(r) then tested = r end
end
print(("\n%s: %s\n%s\n"):format(images.name(s), stopped or "complete", scale))
if last then
  local function show(format, v) return v and format:format(v) or "-" end
  experiment.print_table({"iterations", "train loss", "test loss", "test accuracy", "NFE", "NFE back",
    "CPU hours"}, {{
    last.iteration, show("%.4f", last.loss), show("%.4f", tested and tested.test_loss),
    show("%.2f %%", tested and 100 * tested.test_accuracy), show("%.0f", last.nfe_forward),
    show("%.0f", last.nfe_backward), show("%.2f", cpu / 3600)}})
end
print("tables: " .. out .. "/train.csv, test.csv")
