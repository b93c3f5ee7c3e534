--- How the time of a training step grows with the size of the problem: `make bench-scaling`, or `./tide
-- tests/bench/scaling.lua --csv FILE` and `./tide plots/bench_scaling.lua FOLDER`, which draws
-- FOLDER/scaling.csv.
--
-- Two models: MLP is 2-64-64-2 on the plane, conv a field of 1x1, 3x3, 1x1 convolutions on images of one
-- channel with a linear read-out. Each sweep changes one number and leaves the others as in `usual`. A step
-- is forward, loss, backward, Adam, as in bench.lua.

local here = arg[0]:match("^(.*/)") or "./"
local works = dofile(here .. "works.lua")
local machine = dofile(here .. "machine.lua")
local tide = require "tide"
local core = require "tide.core"
local csv = require "tide.csv"
local experiment = require "tide.experiment"
local files = require "tide.files"
local progress = require "tide.progress"
local nn = tide.nn

local o = experiment.parse("Time of one training step against batch, width, steps, threads and image size", {
  {"only", "", "names of sweeps, separated by commas: batch, width, steps, threads, size"},
  {"seconds", 1.2, "time for each point"},
  {"quick", false, "two points per curve and a tenth of the time, to see whether it works"},
  {"csv", "", "write the table to this file"},
  {"point", "", "measure one point and print it (for the processes of the threads sweep)"},
}, arg)

-- ---- models ----

local models = {
  MLP = {
    usual = {batch = 128, width = 64, steps = 16, size = 1},
    make = function(p)
      return {name = "MLP", loss = "mse", pretrain = 0, solver = {method = "euler", steps = p.steps},
              batch = function()
                return tide.randn({p.batch, 2}, {seed = 1}), tide.randn({p.batch, 2}, {seed = 2})
              end,
              make = function(solver)
                return nn.odeblock(nn.mlp{sizes = {2, p.width, p.width, 2}, seed = 1}, solver)
              end}
    end,
  },
  conv = {
    usual = {batch = 16, width = 32, steps = 4, size = 14},
    make = function(p)
      return {name = "conv", loss = "cross_entropy", pretrain = 0,
        solver = {method = "euler", steps = p.steps}, positions = p.size * p.size,
              batch = function()
                return tide.rand({p.batch, 1, p.size, p.size}, {seed = 1}),
                  tide.full({p.batch}, 1, {dtype = "int64"})
              end,
              make = function(solver)
                return nn.conv_odenet{image = {1, p.size, p.size}, filters = p.width, solver = solver,
                  seed = 1}
              end}
    end,
  },
}

-- 1, 2, 3, 4, then by factors of about one and a half up to all threads.
local function thread_counts()
  local all, list, n = tide.threads(), {}, 1
  while n < all do
    list[#list + 1] = n
    n = n < 4 and n + 1 or (n & (n - 1) == 0 and n * 3 // 2 or n // 3 * 4)
  end
  list[#list + 1] = all
  return list
end

-- Sweeps of one number; `with` are the numbers of a model that differ from the usual ones in that sweep:
-- threads need work to share.
local sweeps = {
  {name = "batch", curves = {{"MLP", {8, 32, 128, 512, 2048, 8192}}, {"conv", {1, 4, 16, 64, 256}}}},
  {name = "width", curves = {{"MLP", {16, 32, 64, 128, 256, 512, 1024}}, {"conv", {8, 16, 32, 64, 128}}}},
  {name = "steps", curves = {{"MLP", {2, 8, 32, 128, 512}}, {"conv", {1, 4, 16, 64}}}},
  {name = "threads", curves = {{"MLP", thread_counts(), {batch = 4096}},
    {"conv", thread_counts(), {batch = 32, size = 28}}}},
  {name = "size", curves = {{"conv", {4, 7, 14, 28, 56}}}},
}

-- ---- measuring ----

-- Medians over `runs` runs of `steps` steps each.
local function measure(model, numbers, seconds)
  local w = works.prepare(model.make(numbers))
  w:learn(0)
  w:run(1) -- records and plans
  local once = w:run(1)
  local runs = math.max(3, math.min(9, math.floor(seconds / once)))
  local steps = math.max(1, math.floor(seconds / runs / once))
  local list, nfe, nfe_backward = {}, nil, nil
  for i = 1, runs do
    local run = table.pack(w:run(steps))
    list[i], nfe, nfe_backward = run[1] / steps, run[3], run[4]
  end
  local median = machine.median(list)
  return {seconds = median, fastest = list[1], slowest = list[#list], runs = runs, steps_per_run = steps,
          gflops = w:operations(nfe, nfe_backward) / median / 1e9}
end

local results = {"seconds", "fastest", "slowest", "runs", "steps_per_run", "gflops"}

local function numbers_of(name, changes)
  local out = {}
  for k, v in pairs(models[name].usual) do out[k] = v end
  for k, v in pairs(changes or {}) do out[k] = v end
  return out
end

-- The number of threads is chosen when a process starts.
local function measure_elsewhere(name, numbers, threads, seconds)
  local point = ("%s,%d,%d,%d,%d"):format(name, numbers.batch, numbers.width, numbers.steps, numbers.size)
  local command = ("TIDE_THREADS=%d %s '%s' --point %s --seconds %.9g"):format(threads, machine.program(),
    arg[0]:gsub("'", "'\\''"), point, seconds)
  local pipe <close> = assert(io.popen(command))
  local line, out = pipe:read("l") or "", {}
  local values = {}
  for v in line:gmatch("%S+") do values[#values + 1] = tonumber(v) end
  if #values ~= #results then
    error(("the process with %d threads failed: %s"):format(threads, command), 0)
  end
  for i, key in ipairs(results) do out[key] = values[i] end
  return out
end

if o.point ~= "" then
  local name, batch, width, steps, size = o.point:match("^(%w+),(%d+),(%d+),(%d+),(%d+)$")
  if not models[name] then experiment.usage_error("--point takes MODEL,BATCH,WIDTH,STEPS,SIZE") end
  local int = math.tointeger
  local r = measure(models[name], {batch = int(batch), width = int(width), steps = int(steps),
    size = int(size)}, o.seconds)
  local line = {}
  for i, key in ipairs(results) do line[i] = ("%.9g"):format(r[key]) end
  print(table.concat(line, " "))
  os.exit(0)
end

-- ---- the list of points ----

local wanted = {}
for name in o.only:gmatch("[^,]+") do wanted[name] = true end
local points = {}
for _, sweep in ipairs(sweeps) do
  if o.only == "" or wanted[sweep.name] then
    for _, curve in ipairs(sweep.curves) do
      local values = o.quick and {curve[2][1], curve[2][math.min(3, #curve[2])]} or curve[2]
      for i, v in ipairs(values) do
        if i == 1 or v ~= values[i - 1] then
          points[#points + 1] = {sweep = sweep.name, model = curve[1], value = v, changes = curve[3]}
        end
      end
    end
  end
  wanted[sweep.name] = nil
end
if next(wanted) then
  experiment.usage_error(("no sweep %q; there are: batch, width, steps, threads, size"):format(next(wanted)))
end

-- ---- running ----

local info, load_before = core.build_info(), machine.load()
local blas = core.blas()
print(("%s; %d threads; loops %s; OpenBLAS %s (%s); load %s"):format(machine.processor(), tide.threads(),
  info.isa, blas.core, blas.why, load_before))
print(machine.environment())
local bar = progress.new{total = #points, label = "scaling"}
local seconds = o.quick and 0.1 * o.seconds or o.seconds
local rows = {}
for i, p in ipairs(points) do
  local numbers = numbers_of(p.model, p.changes)
  if p.sweep ~= "threads" then numbers[p.sweep] = p.value end
  local r = p.sweep == "threads" and measure_elsewhere(p.model, numbers, p.value, seconds)
    or measure(models[p.model], numbers, seconds)
  local row = {sweep = p.sweep, model = p.model, value = p.value, batch = numbers.batch,
    width = numbers.width, steps = numbers.steps,
               size = numbers.size, threads = p.sweep == "threads" and p.value or tide.threads()}
  for _, key in ipairs(results) do row[key] = r[key] end
  rows[i] = row
  collectgarbage() -- what the next point measures should not include this one's tensors
  bar:update(i, {{p.sweep, p.value}, {"ms", 1e3 * r.seconds}})
end
bar:finish()

local cells = {}
for i, r in ipairs(rows) do
  cells[i] = {r.sweep, r.model, r.value, ("%.4g"):format(1e3 * r.seconds),
    ("%.4g .. %.4g"):format(1e3 * r.fastest, 1e3 * r.slowest),
              ("%.1f"):format(r.gflops)}
end
experiment.print_table({"sweep", "model", "value", "ms", "range", "GFLOP/s"}, cells)

if o.csv ~= "" then
  local comments = experiment.provenance(arg)
  comments[#comments + 1] = (
    "machine: %s, %d threads, load average before the start %s, at the end %s (the measurement itself "
    .. "included)")
    :format(machine.processor(), tide.threads(), load_before, machine.load())
  comments[#comments + 1] = machine.environment()
  comments[#comments + 1] = "value: the number that the sweep changes; seconds: median over the runs of the "
    .. "time of one training step"
  comments[#comments + 1] = "model MLP: 2-width-width-2, Euler; conv: 1x1, 3x3, 1x1 convolutions on size x "
    .. "size pixels, Euler, cross-entropy"
  comments[#comments + 1] = "gflops: unavoidable matrix products only (tests/bench/README.md)"
  local folder = files.split(o.csv)
  if folder ~= "" then files.make_folder(folder) end
  local columns = {"sweep", "model", "value", "batch", "width", "steps", "size", "threads",
    table.unpack(results)}
  csv.write(o.csv, columns, rows, {comments = comments, digits = 6})
  print("table:    " .. o.csv)
end
