--- The runs behind figures 10 to 14, 18, 19, 21, 24 and table 1 of *Augmented Neural ODEs*: says which are
-- there, runs the rest, collects.
--
-- Each run is images.lua in a process of its own with one thread, in RUNS/NAME with its log and checkpoint:
-- after Ctrl-C, a kill or a crash the same command goes on. Whatever is there, finished or not, is collected
-- into images-runs.csv (a row per run), images-train.csv (means over stretches of iterations) and
-- images-test.csv in OUT, from which plots/anode draws.

local here = arg[0]:match("^(.*)/") or "."
local experiment, files, jobs = require "tide.experiment", require "tide.files", require "tide.jobs"
local images = dofile(here .. "/images_settings.lua")
local collect = dofile(here .. "/images_collect.lua")

local o = experiment.parse("The image runs of Augmented Neural ODEs", {
  {"list", false, "only say what is there and what is missing"}, {"collect", false,
    "only collect what is there"},
  {"only", "", "names of runs must hold this text"}, {"parallel", 2, "runs at a time"},
  {"runs", "runs/anode/images", "folder of the runs"}, {"out", here .. "/results",
    "folder of the collected tables"},
}, arg)

-- ---- the runs, in order of their worth ----

local plan, known = {}, {}
local function add(settings, epochs, more)
  local s = images.settings(settings)
  local run = {s = s, epochs = epochs, name = images.name(s), more = more or {}}
  run.folder = o.runs .. "/" .. run.name
  if not known[run.name] or known[run.name] < epochs then plan[#plan + 1], known[run.name] = run, epochs end
end

-- A run that is listed with more epochs further on is continued then.
local function overfit(seed) -- figure 13: until a solve takes 2000 evaluations
  for _, p in ipairs{0, 5} do
    add({filters = 16, augment = p, pictures = 1000, ["test-every"] = 100, seed = seed}, 500,
      {"--nfe-stop", "2000"})
  end
end
local function sweep(seed) -- figures 10 and 18
  for _, p in ipairs{0, 5, 1, 2, 10} do add({filters = 32, augment = p, seed = seed}, 2) end
end
local function stated(seed) -- figures 11, 12, 21, table 1
  add({filters = 64, augment = 5, seed = seed}, 1)
  add({filters = 92, augment = 0, seed = seed}, 1)
end
local function decay(seed) -- figure 19; the paper names no value
  for _, p in ipairs{0, 5} do add({filters = 32, augment = p, ["weight-decay"] = 1e-3, seed = seed}, 2) end
end
local function cifar(filters, augment, seed) -- figures 10 to 12, 18, 21, table 1
  add({data = "cifar10", filters = filters, augment = augment, pictures = 10000, ["test-every"] = 40,
    seed = seed}, 5)
end
local function tiny(seed) -- figures 14 and 24
  add({data = "tiny_imagenet", filters = 64, augment = 5, ["test-every"] = 5, seed = seed}, 1)
  add({data = "tiny_imagenet", filters = 164, augment = 0, ["test-every"] = 5, seed = seed}, 1)
end
-- figures 11, 12, 21, table 1; 73 filters: 56,104 values, as many as the 56,720 of 32 + 5
local function thin(seed)
  add({filters = 32, augment = 5, seed = seed}, 5)
  add({filters = 73, augment = 0, seed = seed}, 5)
end

overfit(1) sweep(1) decay(1)
cifar(32, 10, 1) cifar(62, 0, 1)
stated(1) thin(1) tiny(1)
sweep(2) decay(2) overfit(2)
for seed = 2, 3 do
  cifar(32, 10, seed) cifar(62, 0, seed)
  stated(seed) thin(seed)
end
for seed = 1, 3 do cifar(111, 0, seed) end -- 142,510 values, as many as the 143,255 of 32 + 10

-- ---- what is there ----

-- Training pictures, channels, pixels; of Tiny ImageNet ten classes.
local sizes = {
  mnist = {60000, 1, 28 * 28}, cifar10 = {50000, 3, 32 * 32}, tiny_imagenet = {5000, 3, 64 * 64},
}

-- CPU seconds of an iteration that nothing is known of: some 26 evaluations each way, a backward one being
-- three, at 7e10 products a second.
local function guess(s)
  local channels, pixels = sizes[s.data][2] + s.augment, sizes[s.data][3]
  local products = s.batch * pixels * s.filters * (9 * s.filters + 2 * channels)
  return 104 * products / (s.filters < 32 and 4e10 or 7e10)
end

local before = collect.collected(o.out)

-- What the folder of a run holds: its tables when they are of this run, iterations done and to do, seconds of
-- an iteration, how it ended.
local function look(run)
  local pictures = run.s.pictures > 0 and run.s.pictures or sizes[run.s.data][1]
  local per_epoch = (pictures + run.s.batch - 1) // run.s.batch
  local state = {at = 0, total = run.epochs * per_epoch, cpu = guess(run.s), status = "missing"}
  local train, said, test = collect.read(run.folder)
  if not train or said.config ~= images.config(run.s) then
    local row = before[run.name] and before[run.name].runs[1]
    local status = row and row.status:match("^%l+")
    if row and (row.iterations >= state.total or status == "stopped" or status == "failed") then
      state.at, state.status, state.done = row.iterations, "collected", true
    end
    return state
  end
  state.train, state.said, state.test, state.at, state.status = train, said, test, train.rows,
    said.status:match("^%l+")
  if state.at > 0 then state.cpu = collect.mean(train.columns.cpu, math.max(1, state.at - 9), state.at) end
  state.done = state.at >= state.total or state.status == "stopped" or state.status == "failed"
  return state
end

local function matching()
  local list = {}
  for _, run in ipairs(plan) do if run.name:find(o.only, 1, true) then list[#list + 1] = run end end
  return list
end

local function show(list)
  local rows, left = {}, 0
  for i, run in ipairs(list) do
    local state = look(run)
    local hours = state.done and 0 or (state.total - state.at) * state.cpu / 3600
    left = left + hours
    rows[i] = {run.name, run.epochs, ("%d of %d"):format(math.min(state.at, state.total), state.total),
      state.done and state.train and "done" or state.status, ("%.2f"):format(state.cpu),
      ("%.2f"):format(hours)}
  end
  experiment.print_table({"run", "epochs", "iterations", "state", "CPU seconds each", "CPU hours left"}, rows)
  print(("\n%.1f CPU hours left (as fast as now; evaluations grow)\n"):format(left))
end

-- One line for the shell: nice, one thread, what it prints into the folder of the run.
local function command(run)
  local words = {"env", "TIDE_THREADS=1", "nice", "-n", "19", arg[-1] or "tide", here .. "/images.lua",
    "--epochs",
    run.epochs, "--out", run.folder}
  table.move(images.words(run.s), 1, 100, #words + 1, words)
  table.move(run.more, 1, #run.more, #words + 1, words)
  for i, word in ipairs(words) do words[i] = files.quote(tostring(word)) end
  return ("mkdir -p %s && exec %s >>%s 2>&1"):format(files.quote(run.folder), table.concat(words, " "),
    files.quote(run.folder .. "/log"))
end

local list, missing = matching(), {}
if #list == 0 then experiment.usage_error("no run has \"" .. o.only .. "\" in its name") end
show(list)
for _, run in ipairs(list) do
  local state = look(run)
  if not state.done then
    missing[#missing + 1] = {command = command(run), name = run.name,
      cost = math.max(1, (state.total - state.at) * state.cpu)}
  end
end
if o.list then return end
local failures = o.collect and {} or jobs.run(missing, {parallel = o.parallel, label = "runs"})

local seen, unique = {}, {}
for i = #list, 1, -1 do -- the longest of the same name
  if not seen[list[i].name] then table.insert(unique, 1, {run = list[i], state = look(list[i])}) end
  seen[list[i].name] = true
end
local paths = collect.write(experiment.folder(o.out), unique, experiment.provenance(arg))
for _, path in ipairs(paths) do print("table: " .. path) end
if #failures > 0 then os.exit(1) end
