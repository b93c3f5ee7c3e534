--- Figure 9 of Augmented Neural ODEs: what NODE and ANODE make of the plane, also where they saw nothing.
--
-- g(x) is -1 in a ball, +1 in the shell around it. Angles in [0, pi/5] are left out of the training.
-- At full scale, with 20 seeds: experiments/anode/toy.lua.

local tide = require "tide"
local experiment, nn, plot = tide.experiment, tide.nn, tide.plot

local o = experiment.parse("Figure 9 of Augmented Neural ODEs", {
  {"small", false, "a few seconds' worth, for a test"}, {"out", "runs/examples", "folder of the picture"},
}, arg)

local all = tide.data.spheres{dim = 2, inner = 1000, outer = 2000}
local angle = tide.atan2(all.x:column(2), all.x:column(1))
local held = angle:ge(0) * angle:le(math.pi / 5)
local train = {x = all.x[held:eq(0)], y = all.y[held:eq(0)]}
local validation = {x = all.x[held:eq(1)], y = all.y[held:eq(1)]}

-- The plane as a batch of points, row by row from below.
local side = o.small and 21 or 81
local Y, X = tide.meshgrid(tide.linspace(-2, 2, side), tide.linspace(-2, 2, side))
local plane = tide.stack({X, Y}, 3):reshape{-1, 2}

local panels = {columns = 2, width = 900, legend = "shared"}
local rows = {}
for column, augment in ipairs{0, 5} do
  local name = augment == 0 and "NODE" or "ANODE"
  local model = nn.odenet{dim = 2, augment = augment, hidden = 32, seed = 1}
  local history = tide.train{model = model, data = train, validation = validation, loss = "smooth_l1",
    optimizer = tide.optim.adam(model, {lr = 1e-3}), batch = 64, epochs = o.small and 3 or 50, label = name}
  local last = history[#history]
  rows[column] = {name, nn.count(model), ("%.1e"):format(last.loss), ("%.1e"):format(last.val_loss),
    ("%.3f"):format(last.val_accuracy), ("%.0f -> %.0f"):format(history[1].nfe_forward, last.nfe_forward)}
  local map = plot.image{z = model(plane):clamp(-2, 2):reshape{side, side}, x = {-2, 2}, y = {-2, 2},
    palette = "diverging", range = {-2, 2}, title = name .. ": prediction", xlabel = "x₁", ylabel = "x₂",
    ratio = "equal"}
  for _, r in ipairs{0.5, 1, 1.5} do
    local turn = tide.linspace(0, 2 * math.pi, 90)
    map:add("line", {x = r * turn:cos(), y = r * turn:sin(), color = "black", dash = 2, linewidth = 1})
  end
  panels[column] = map
  panels[column + 2] = plot.line{{y = history.loss, name = "training"},
    {y = history.val_loss, name = "validation: the angles left out"}, ylog = true, xlabel = "epoch",
    ylabel = "smooth L1 loss", title = name, yrange = {1e-5, 1}}
end
experiment.print_table({"model", "values", "loss", "validation", "accuracy there", "NFE"}, rows)
print("picture: " .. plot.panels(panels):save(o.out .. "/figure9.png"))
