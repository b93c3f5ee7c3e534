--- The synthetic data sets of *ResNet After All?* (section 3, figure 2): the potential, the classes of
-- starts, the spheres; and the true flow of the energy landscape (figure 22 a).

local here = arg[0]:match("^(.*)/") or "."
local tide = require "tide"
local experiment = require "tide.experiment"
local models = dofile(here .. "/models.lua")

local o = experiment.parse("Data sets of the step-size paper, as tables", {
  {"points", 2000, "points of each data set"}, {"paths", 40, "paths of the true flow"},
  {"end", 12, "time at which they end"},
  {"out", "runs/resnet_after_all/datasets", "output folder"},
}, arg)
local out = experiment.folder(o.out)
local comments = experiment.provenance(arg)

local function write(name, columns, rows)
  tide.csv.write(out .. "/" .. name, columns, rows, {comments = comments, digits = 5})
end

local function points(d)
  local rows, x, y = {}, d.x:reshape{#d.x, -1}:totable(), d.y:totable()
  for i, row in ipairs(x) do rows[i] = {row[1], row[2], y[i]} end
  return rows
end

local landscape = tide.data.landscape{n = o.points, seed = 2} -- the training points of data-seed 1
write("landscape.csv", {"x", "v", "class"}, points(landscape))
write("spheres.csv", {"x", "y", "class"},
  points(models.data(models.settings{data = "spheres2", method = "euler", setting = 1, seed = 1,
    train = o.points})))

local xs = tide.linspace(-1.35, 2.35, 371, {dtype = "float64"})
local rows, values = {}, landscape.potential(xs):totable()
for i, x in ipairs(xs:totable()) do rows[i] = {x, values[i]} end
write("potential.csv", {"x", "potential"}, rows)

local times, paths = tide.linspace(0, o["end"], 121, {dtype = "float64"}):totable(), {}
local states = tide.odeint(landscape.field, landscape.x:slice(1, 1, o.paths):to("float64"), times,
  {method = "tsit5", rtol = 1e-8, atol = 1e-8}):totable()
local class = landscape.y:totable()
for p = 1, o.paths do
  for k, t in ipairs(times) do paths[#paths + 1] = {p, class[p], t, states[k][p][1], states[k][p][2]} end
end
write("true_flow.csv", {"point", "class", "t", "x", "y"}, paths)
print("tables: " .. out .. "/landscape.csv, spheres.csv, potential.csv, true_flow.csv")
