--- One toy training of *Augmented Neural ODEs*: a row per epoch with training and validation loss,
-- evaluations and how bent the paths are. toy.lua starts these.

local here = arg[0]:match("^(.*)/") or "."
local tide = require "tide"
local experiment, files = require "tide.experiment", require "tide.files"
local models = dofile(here .. "/toy_models.lua")

local spec = {{"out", "cell.csv", "the file to write"}}
for _, row in ipairs(models.defaults) do spec[#spec + 1] = {row[1], row[2], "setting"} end
local o = experiment.parse("Train a toy model", spec, arg)
local s = models.settings(o)
experiment.folder((files.split(o.out)))

local data, held = models.data(s)
local model = models.model(s)
local every = (#data.x + 59) // 60
local probe = data.x:take(tide.arange(1, #data.x, every, {dtype = "int64"}))

local comments = experiment.provenance(arg)
comments[#comments + 1] = "config: " .. models.config(s)
comments[#comments + 1] = ("values: %d"):format(tide.nn.count(model))
local writer <close> = tide.csv.writer(o.out, {"epoch", "loss", "validation", "nfe_forward", "nfe_backward",
  "bend", "seconds"}, {comments = comments, digits = 6})
models.train(s, model, data, function(r)
  local validation = held and tide.evaluate(model, held, {loss = s.loss}).loss or 0 / 0
  writer:row{epoch = math.floor(r.epoch + 0.5), loss = r.loss, validation = validation,
    nfe_forward = r.nfe_forward, nfe_backward = r.nfe_backward, bend = models.bend(model, probe),
    seconds = r.seconds}
end)
