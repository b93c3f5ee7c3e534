--- MNIST by a convolutional ResNet: batch norm, one cycle of the learning rate, a confusion matrix.

local tide = require "tide"
local experiment, nn, plot = tide.experiment, tide.nn, tide.plot

local o = experiment.parse("A ResNet on MNIST (./tide data/fetch.lua mnist gets the files)", {
  {"small", false, "a few seconds' worth, for a test"}, {"out", "runs/examples", "folder of the picture"},
  {"epochs", 1, "passes over the training images"},
}, arg)

local train = tide.data.mnist{split = "train", n = o.small and 1000 or nil}
local test = tide.data.mnist{split = "test", n = o.small and 200 or nil}

-- A 3 x 3 stem and three stages of one basic block, each on images half as large as those before.
local model = nn.conv_resnet{image = {1, 28, 28}, filters = o.small and {4, 8, 16} or {16, 32, 64},
  blocks = {1, 1, 1}, classes = 10, seed = 1}
local batch = o.small and 25 or 100
local steps = o.epochs * #train.x // batch
local lr = tide.optim.schedule.one_cycle{lr = 1e-2, steps = steps}
local history = tide.train{model = model, data = train, loss = "cross_entropy", batch = batch,
  iterations = steps, record_every = steps // 40, optimizer = tide.optim.adamw(model, {lr = lr})}

local confusion = tide.metrics.confusion_matrix(tide.predict(model, test.x), test.y,
  {names = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}})
print(confusion)
print(("%d values, %.0f s; accuracy on %d images that were not in the training: %.4f"):format(nn.count(model),
  history[#history].seconds, #test.x, confusion.accuracy))

local curve = plot.line{x = history.iteration, y = history.loss, ylog = true, xlabel = "iteration",
  ylabel = "cross entropy", title = "training, means of " .. steps // 40 .. " batches"}
print("picture: " .. plot.panels{curve, confusion:figure(), columns = 2, width = 1100}:save(
  o.out .. "/resnet.png"))
