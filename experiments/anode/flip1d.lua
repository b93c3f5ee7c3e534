--- Figure 3 of Augmented Neural ODEs: a flow on the line cannot map -1 to 1 and 1 to -1, its Euler
-- discretisation can.
--
-- Trains a Neural ODE without read-out on the identity and on g_1d, solves the authors' hand-made field
-- exactly and with coarse Euler steps, writes crossing.csv, euler.csv, field.csv, trajectories.csv and
-- losses.csv, and draws flip1d.png.

local tide = require "tide"
local experiment = require "tide.experiment"
local nn, csv = tide.nn, tide.csv

local o = experiment.parse("Figure 3: flows on the line cannot cross", {
  {"seed", 1, "seed of weights and batches"}, {"n", 500, "points"}, {"hidden", 16, "hidden width"},
  {"batch", 32, "batch size"},
  {"identity-epochs", 10, "epochs for the identity (lr 1e-3)"},
  {"flip-epochs", 50, "epochs for g_1d (lr 5e-4)"},
  {"loss", "smooth_l1", "smooth_l1 (the authors' code) or mse (the paper's words)"},
  {"tol", 1e-3, "rtol = atol of dopri5"},
  {"euler-steps", 5, "Euler steps over the unit time of the hand-made field"},
  {"out", "runs/anode/flip1d", "output folder"},
}, arg)
local out = experiment.folder(o.out)
local comments = experiment.provenance(arg)

-- Top left: any two continuous curves with these ends meet; here x = -+cos(pi t).
local times = tide.linspace(0, 1, 61, {dtype = "float64"}):totable()
do
  local crossing <close> = csv.writer(out .. "/crossing.csv", {"t", "x", "curve"}, {comments = comments})
  for curve = 1, 2 do
    for _, t in ipairs(times) do
      crossing:row{t = t, x = (curve == 1 and -1 or 1) * math.cos(math.pi * t), curve = curve}
    end
  end
  crossing:close()
end

-- Top right: the field that the authors drew by hand (facts read from an early version of their code). It
-- pulls everything to the middle, and has short kicks near x = 0 that a solver resolves but coarse Euler
-- steps jump over.
local function tanh(x) return 1 - 2 / (math.exp(2 * x) + 1) end

local function hand_made(t, y)
  local x = y[1]
  local u = 12 * tanh(3 * x) * math.sin(2 * math.pi / 10 * (t - 0.5))
  local side = x > 0 and 1 or -1
  if math.abs(x) > 0 and math.abs(x) < 0.1 and t > 0.2 and t < 0.3 then u = u - 0.5 * side end
  if math.abs(x) < 0.18 and t > 0.5 then u = u + 2 * side end
  return {u}
end

do
  local euler <close> = csv.writer(out .. "/euler.csv", {"kind", "curve", "t", "x"}, {comments = comments})
  local grid = tide.linspace(0, 1, o["euler-steps"] + 1, {dtype = "float64"}):totable()
  for curve, x0 in ipairs{-1, 1} do
    local exact = tide.odeint(hand_made, {x0}, times, {plain = true, rtol = 1e-6, atol = 1e-9}):totable()
    for i, t in ipairs(times) do euler:row{kind = "ode", curve = curve, t = t, x = exact[i][1]} end
    local coarse = tide.odeint(hand_made, {x0}, grid,
      {plain = true, method = "euler", steps = o["euler-steps"]}):totable()
    for i, t in ipairs(grid) do euler:row{kind = "euler", curve = curve, t = t, x = coarse[i][1]} end
  end
  euler:close()
end

-- Bottom: learned flows.
local field_csv <close> = csv.writer(out .. "/field.csv", {"task", "t", "x", "u"}, {comments = comments})
local paths_csv <close> = csv.writer(out .. "/trajectories.csv", {"task", "curve", "t", "x"},
  {comments = comments})
local losses <close> = csv.writer(out .. "/losses.csv", {"task", "epoch", "loss", "nfe_forward"},
  {comments = comments})
local rows = {}
for _, task in ipairs{{"identity", o["identity-epochs"], 1e-3}, {"flip", o["flip-epochs"], 5e-4}} do
  local name, epochs, lr = table.unpack(task)
  local model = nn.odenet{dim = 1, hidden = o.hidden, readout = false, seed = o.seed,
    solver = {method = "dopri5", rtol = o.tol, atol = o.tol}}
  local history = tide.train{model = model, data = tide.data.flip1d{n = o.n, task = name},
    optimizer = tide.optim.adam(model, {lr = lr}),
    loss = o.loss, batch = o.batch, epochs = epochs, seed = o.seed, label = name}
  for _, r in ipairs(history) do
    losses:row{task = name, epoch = math.floor(r.epoch), loss = r.loss, nfe_forward = r.nfe_forward}
  end
  for _, t in ipairs(tide.linspace(0, 1, 10):totable()) do
    for _, x in ipairs(tide.linspace(-1.5, 1.5, 10):totable()) do
      field_csv:row{task = name, t = t, x = x, u = model.block.field(t, tide.tensor{{x}}):item()}
    end
  end
  local starts = tide.linspace(-1, 1, 8):reshape{8, 1}
  local states = model:trajectory(starts, times):totable()
  for curve = 1, 8 do
    for i, t in ipairs(times) do paths_csv:row{task = name, curve = curve, t = t, x = states[i][curve][1]} end
  end
  local ends = model(tide.tensor{{-1}, {1}}):totable()
  local last = history[#history]
  rows[#rows + 1] = {name, epochs, ("%.4f"):format(last.loss), ("%.0f -> %.0f"):format(history[1].nfe_forward,
    last.nfe_forward),
                     ("%.3f"):format(ends[1][1]), ("%.3f"):format(ends[2][1])}
end
field_csv:close() paths_csv:close() losses:close()

print()
experiment.print_table({"task", "epochs", "loss", "NFE first -> last", "-1 goes to", "1 goes to"}, rows)
print("\ntables:   " .. out .. "/*.csv")
for _, picture in ipairs(experiment.draw("anode/flip1d", out)) do print("picture:  " .. picture) end
