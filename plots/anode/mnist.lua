-- Training of augmented models on MNIST or another image set (figures 10 and 12 of Dupont, Doucet & Teh,
-- "Augmented Neural ODEs").
--
--   ./tide plots/anode/mnist.lua DIR [OUTDIR]
--   dofile("plots/anode/mnist.lua")(dir, outdir) -> list of pictures
--
-- Reads from DIR, draws mnist.png into OUTDIR (default: DIR), median and 10-90 % band over seeds:
--   train.csv  model,seed,iteration,loss,accuracy,nfe_forward,nfe_backward,seconds
--   test.csv   model,seed,iteration,loss,accuracy           accuracy is a fraction in 0..1

local csv = require "tide.csv"
local files = require "tide.files"
local plot = require "tide.plot"

-- Batch losses are noisy: curves show means over this many stretches of the training, dots of the scatter
-- over fewer.
local CURVE_BINS, DOT_BINS = 60, 40

local function bands(data, looks, y, axes)
  local fig = plot.figure(axes)
  for _, group in ipairs(plot.runs(data, {x = "iteration", y = y, bins = CURVE_BINS})) do
    fig:add("band", {runs = group.runs, name = group.name, style = looks[group.name]})
  end
  return fig
end

-- Tests are few, so each is marked; a single one would not show as a line.
local function with_points(fig, data, looks, y)
  for _, group in ipairs(plot.runs(data, {x = "iteration", y = y})) do
    for _, run in ipairs(group.runs) do
      fig:add("scatter", {x = run.x, y = run.y, style = looks[group.name]})
    end
  end
  return fig
end

-- Means of both over the same stretches of iterations, so that a dot pairs what belongs together.
local function nfe_against_loss(train, looks)
  local fig = plot.figure{xlabel = "training loss", ylabel = "NFE (forward)", xlog = true}
  local losses = plot.runs(train, {x = "iteration", y = "loss", bins = DOT_BINS})
  local by_name = {}
  for _, group in ipairs(losses) do by_name[group.name] = group end
  for _, group in ipairs(plot.runs(train, {x = "iteration", y = "nfe_forward", bins = DOT_BINS})) do
    local x, y = {}, {}
    for r, run in ipairs(group.runs) do
      local loss, loss_at = by_name[group.name].runs[r], {}
      for i, iteration in ipairs(loss.x) do loss_at[iteration] = loss.y[i] end
      for i, iteration in ipairs(run.x) do
        x[#x + 1], y[#y + 1] = loss_at[iteration] or 0 / 0, run.y[i]
      end
    end
    fig:add("scatter", {x = x, y = y, name = group.name, style = looks[group.name], size = 0.65})
  end
  return fig
end

local function percent(data)
  local accuracy = data:column("accuracy")
  for i, v in ipairs(accuracy) do accuracy[i] = 100 * v end
  return data
end

local function draw(dir, outdir)
  local train = csv.read(files.join(dir, "train.csv"), {"model", "seed", "iteration", "loss", "nfe_forward"})
  local test = percent(csv.read(files.join(dir, "test.csv"), {"model", "seed", "iteration", "accuracy"}))
  local looks = plot.looks(train:column("model"), test:column("model"))
  local caption = plot.band_caption(plot.runs(train, {x = "iteration", y = "loss"}))
  local fig = plot.panels{
    bands(train, looks, "loss", {xlabel = "iteration", ylabel = "training loss", ylog = true}),
    bands(train, looks, "nfe_forward", {xlabel = "iteration", ylabel = "NFE (forward)"}),
    nfe_against_loss(train, looks),
    with_points(bands(test, looks, "accuracy", {xlabel = "iteration", ylabel = "test accuracy (%)"}), test,
      looks, "accuracy"),
    title = caption, columns = 2, legend = "shared", width = 760, note = table.concat(train.comments, "\n")}
  return {fig:save(files.join(outdir or dir, "mnist.png"))}
end

return plot.main(draw, "DIR [OUTDIR]", ...)
