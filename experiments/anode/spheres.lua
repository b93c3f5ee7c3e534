--- Can a flow represent g(x), a ball of -1 inside a shell of +1? (Augmented Neural ODEs, sections 3 to 5,
-- figures 5 to 8)
--
-- Trains the paper's ResNet, Neural ODE and Augmented Neural ODE on the same points with several seeds;
-- writes loss.csv, flows.csv, field.csv and features.csv into the output folder and draws them.

local tide = require "tide"
local experiment = require "tide.experiment"
local nn, csv = tide.nn, tide.csv

local o = experiment.parse("g(x) in d dimensions: ResNet, Neural ODE, Augmented Neural ODE", {
  {"dim", 2, "dimension of the data"},
  {"seeds", 10, "number of seeds (weights and order of the batches; the points stay)"},
  {"epochs", 50, "epochs"}, {"batch", 64, "batch size"}, {"lr", 1e-3, "learning rate of Adam"},
  {"hidden", 32, "hidden width"},
  {"augment", 5, "augmented dimensions of the ANODE"}, {"layers", 5, "blocks of the ResNet"},
  {"inner", 1000, "points of the ball"},
  {"outer", 2000, "points of the shell"}, {"loss", "smooth_l1", "smooth_l1 (the authors' code) or mse"},
  {"tol", 1e-3, "rtol = atol of dopri5"},
  {"gradient", "direct", "direct or adjoint"}, {"out", "", "output folder (default runs/anode/spheres-dD)"},
}, arg)
local out = experiment.folder(o.out ~= "" and o.out or ("runs/anode/spheres-d%d"):format(o.dim))

local data = tide.data.spheres{dim = o.dim, inner = o.inner, outer = o.outer}
local solver = {method = "dopri5", rtol = o.tol, atol = o.tol, gradient = o.gradient}
local models = {
  {"ResNet", function(seed)
    return nn.resnet{dim = o.dim, hidden = o.hidden, layers = o.layers, seed = seed}
  end},
  {"NODE", function(seed) return nn.odenet{dim = o.dim, hidden = o.hidden, solver = solver, seed = seed} end},
  {"ANODE", function(seed)
    return nn.odenet{dim = o.dim, hidden = o.hidden, augment = o.augment, solver = solver, seed = seed}
  end},
}

-- Train everything; a seed that fails (its solve underflows, its loss is NaN) is reported, not hidden.
local comments = experiment.provenance(arg)
local losses <close> = csv.writer(out .. "/loss.csv", {"model", "seed", "epoch", "loss", "nfe_forward",
  "nfe_backward", "seconds"}, {comments = comments})
local summary <close> = csv.writer(out .. "/summary.csv", {"model", "seed", "values", "loss", "nfe_first",
  "nfe_last", "seconds"}, {comments = comments})
local trained, table_rows, failures = {}, {}, {}
for _, entry in ipairs(models) do
  local name, make = entry[1], entry[2]
  local final, first_nfe, last_nfe, seconds, parameters = {}, {}, {}, {}, 0
  for seed = 1, o.seeds do
    local model, history = make(seed), {}
    local ok, message = tide.attempt(tide.train,
      {model = model, data = data, optimizer = tide.optim.adam(model, {lr = o.lr}), loss = o.loss,
        batch = o.batch,
      epochs = o.epochs, seed = seed, history = history, label = ("%-6s seed %d"):format(name, seed),
      quiet = not tide.progress.is_terminal(2)})
    for _, r in ipairs(history) do
      losses:row{model = name, seed = seed, epoch = math.floor(r.epoch), loss = r.loss,
        nfe_forward = r.nfe_forward, nfe_backward = r.nfe_backward,
                 seconds = r.seconds}
    end
    if ok then
      local last = history[#history]
      final[#final + 1], seconds[#seconds + 1] = last.loss, last.seconds
      first_nfe[#first_nfe + 1], last_nfe[#last_nfe + 1] = history[1].nfe_forward, last.nfe_forward
      summary:row{model = name, seed = seed, values = nn.count(model), loss = last.loss,
        nfe_first = history[1].nfe_forward,
                  nfe_last = last.nfe_forward, seconds = last.seconds}
      trained[name] = trained[name] or model
      if not tide.progress.is_terminal(2) then
        print(("%-6s seed %2d: loss %.4f, %.1f s"):format(name, seed, last.loss, last.seconds))
      end
    else
      failures[#failures + 1] = ("%s, seed %d: %s"):format(name, seed, message)
    end
    parameters = nn.count(model)
  end
  local mean, low, high = experiment.summary(final)
  local nfe = name ~= "ResNet" and ("%.0f -> %.0f"):format(experiment.summary(first_nfe),
    (experiment.summary(last_nfe))) or "-"
  table_rows[#table_rows + 1] = {name, parameters, ("%d/%d"):format(#final, o.seeds), ("%.4f"):format(mean),
    ("%.4f .. %.4f"):format(low, high), nfe,
                                 ("%.1f"):format((experiment.summary(seconds)))}
end
losses:close() summary:close()

-- What the first seed's models do: trajectories of some points, the field, and the features that the read-out
-- sees.
local function subset(n)
  local picked = tide.randperm(#data.x, {seed = 1}):slice(1, 1, math.min(n, #data.x))
  return data.x:take(picked), data.y:take(picked):reshape{-1}:totable()
end

local function write_flows(name, model, flows, field)
  local x, class = subset(60)
  local times = tide.linspace(0, 1, 25, {dtype = "float64"}):totable()
  local states = model:trajectory(x, times):totable()
  for point = 1, #class do
    for i, t in ipairs(times) do
      flows:row{model = name, point = point, class = class[point], t = t, x = states[i][point][1],
        y = o.dim > 1 and states[i][point][2] or 0 / 0}
    end
  end
  -- The field over the first coordinates, other coordinates zero: at t = 0 in the plane, over time on the
  -- line.
  local width, grid, ts = o.dim + model.augment.p, tide.linspace(-2, 2, 17):totable(), o.dim == 1
    and tide.linspace(0, 1, 13):totable() or {0}
  for _, t in ipairs(ts) do
    for _, a in ipairs(grid) do
      for _, b in ipairs(o.dim == 1 and {0} or grid) do
        local point = {a, o.dim > 1 and b or nil}
        for k = #point + 1, width do point[k] = 0 end
        local u = model.block.field(t, tide.tensor{point})[1]
        field:row{model = name, t = t, x = a, y = o.dim > 1 and b or 0 / 0, u = u[1], v = o.dim > 1 and u[2]
          or 0 / 0}
      end
    end
  end
end

-- Two coordinates of the features: the data's own two, or, where there are augmented ones, the first and the
-- most spread augmented one.
local function write_features(name, model, features)
  local x, class = subset(600)
  local h = model:features(x)
  local second = 2
  if #h[1] > o.dim then
    local spread = h:slice(2, o.dim + 1):var(1)
    second = o.dim + spread:argmax():item()
  end
  local before, after = x:totable(), h:totable()
  for i, c in ipairs(class) do
    features:row{model = name, stage = "input", class = c, x = before[i][1], y = before[i][2]}
    features:row{model = name, stage = "features", class = c, x = after[i][1], y = after[i][second]}
  end
end

do
  local flows <close> = csv.writer(out .. "/flows.csv", {"model", "point", "class", "t", "x", "y"},
    {comments = comments})
  local field <close> = csv.writer(out .. "/field.csv", {"model", "t", "x", "y", "u", "v"},
    {comments = comments})
  local features <close> = csv.writer(out .. "/features.csv", {"model", "stage", "class", "x", "y"},
    {comments = comments})
  for _, name in ipairs{"NODE", "ANODE"} do
    if trained[name] then write_flows(name, trained[name], flows, field) end
  end
  for _, entry in ipairs(models) do
    if trained[entry[1]] and o.dim > 1 then write_features(entry[1], trained[entry[1]], features) end
  end
  flows:close() field:close() features:close()
end

print(("\ng(x), d = %d: %d + %d points, %d epochs of batches of %d, %s loss, dopri5 at %g\n"):format(o.dim,
  o.inner, o.outer, o.epochs, o.batch, o.loss, o.tol))
experiment.print_table({"model", "values", "seeds", "final loss", "range", "NFE first -> last epoch",
  "seconds"}, table_rows)
for _, failure in ipairs(failures) do print("  failed: " .. failure) end
print("\ntables:   " .. out .. "/*.csv")
for _, picture in ipairs(experiment.draw("anode/spheres", out)) do print("picture:  " .. picture) end
