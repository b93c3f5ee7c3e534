--- How fast the engine is here, alone and in under a minute: `make bench` or `./tide tests/bench/bench.lua
-- --csv FILE`.
--
-- Measures the machine's ceilings (a large matrix product, a copy), then the works of works.lua; medians of
-- repeated runs.

local here = arg[0]:match("^(.*/)") or "./"
local works = dofile(here .. "works.lua")
local machine = dofile(here .. "machine.lua")
local tide = require "tide"
local core = require "tide.core"
local csv = require "tide.csv"
local experiment = require "tide.experiment"

local o = experiment.parse("Tide alone: time per training step, medians", {
  {"only", "", "names of works, separated by commas"}, {"seconds", 2.5, "time for each small work"},
  {"runs", 9, "runs per work, at least 3; the image works get 3"},
  {"csv", "", "write the table to this file"},
  {"list", false, "list the works"},
}, arg)

local median, timed = machine.median, machine.timed

-- ---- ceilings ----

-- GFLOP/s of a square product of the given size through the same path that models use, and GB/s of a copy far
-- larger than the caches.
local function product_ceiling(n, repeats)
  local a, b = tide.randn({n, n}, {seed = 1}), tide.randn({n, n}, {seed = 2})
  local multiply = tide.compile(function(x, y) return x:matmul(y) end)
  local list = {}
  multiply(a, b)
  for i = 1, repeats do list[i] = timed(function() multiply(a, b):close() end) end
  return 2 * n ^ 3 / median(list) / 1e9
end

local function copy_ceiling(megabytes, repeats)
  local n = megabytes * 2 ^ 20 // 4 | 0
  local a, b, list = tide.ones{n}, tide.zeros{n}, {}
  for i = 1, repeats + 1 do list[i] = timed(function() b:copy_(a) end) end
  table.remove(list, 1)
  a:close() b:close()
  return 2 * 4 * n / median(list) / 1e9
end

-- Start-up: a process that loads the library and ends.
local function start_up(repeats)
  local command, list = machine.program() .. " -e ''", {}
  for i = 1, repeats do
    list[i] = timed(function() if not os.execute(command) then error("cannot start " .. command) end end)
  end
  return median(list)
end

-- ---- works ----

local function measure(work)
  local w = works.prepare(work)
  w:learn(0)
  w:run(1) -- records and plans
  local once = work.heavy and o.seconds or w:run(1)
  local runs = work.heavy and 3 or math.max(3, o.runs)
  local steps = work.heavy and 1 or math.max(1, math.floor(o.seconds / runs / once))
  local list, nfe, nfe_backward = {}, nil, nil
  for i = 1, runs do
    local run = table.pack(w:run(steps))
    list[i], nfe, nfe_backward = run[1] / steps, run[3], run[4]
  end
  local seconds = median(list)
  return {work = work.name, title = work.title, seconds = seconds, fastest = list[1], slowest = list[#list],
    runs = runs, steps = steps,
          nfe_forward = nfe, nfe_backward = nfe_backward, gflops = w:operations(nfe, nfe_backward) / seconds
          / 1e9}
end

if o.list then
  for _, work in ipairs(works.available()) do print(("  %-14s %s"):format(work.name, work.title)) end
  os.exit(0)
end

local chosen = {}
for name in o.only:gmatch("[^,]+") do chosen[#chosen + 1] = works.find(name) end
if #chosen == 0 then chosen = works.available() end

local info = core.build_info()
local cpu, load_before, environment = machine.processor(), machine.load(), machine.environment()
local product, copy, start = product_ceiling(2048, 7), copy_ceiling(256, 5), start_up(9)
local function ceilings(form) return form:format(product, copy, 1e3 * start) end
print(("%s; %d threads; loops %s; OpenBLAS %s (%s); load %s"):format(cpu, tide.threads(), info.isa,
  core.blas().core, core.blas().why, load_before))
print(environment)
print(ceilings("ceilings: matrix product 2048^3 %.0f GFLOP/s; copy of 256 MiB %.1f GB/s (read + written, one "
  .. "thread); start-up %.1f ms\n"))

local rows, results = {}, {}
for _, work in ipairs(chosen) do
  local r = measure(work)
  results[#results + 1] = r
  r.share = r.gflops / product
  rows[#rows + 1] = {r.work, r.title, ("%.4g"):format(1e3 * r.seconds),
    ("%.4g .. %.4g"):format(1e3 * r.fastest, 1e3 * r.slowest),
    ("%.0f+%.0f"):format(r.nfe_forward, r.nfe_backward),
    ("%.2f"):format(1e6 * r.seconds / (r.nfe_forward + r.nfe_backward)),
    ("%.1f"):format(r.gflops), ("%.0f %%"):format(100 * r.share)}
  collectgarbage()
end
experiment.print_table({"work", "one training step", "ms", "range", "NFE", "us/NFE", "GFLOP/s", "of ceiling"},
  rows)
print("\nNFE: evaluations per step, forward + backward. GFLOP/s: unavoidable matrix products only (see "
  .. "tests/bench/README.md).")

if o.csv ~= "" then
  local comments = experiment.provenance(arg)
  comments[#comments + 1] = ("machine: %s, %d threads, load average before the start %s"):format(cpu,
    tide.threads(), load_before)
  comments[#comments + 1] = environment
  comments[#comments + 1] = ceilings(
    "ceilings: matrix product %.1f GFLOP/s, copy %.1f GB/s (read + written, one thread), start-up %.1f ms")
  comments[#comments + 1] = "seconds: median over the runs of the time of one training step"
  local columns = {"work", "seconds", "fastest", "slowest", "runs", "steps", "nfe_forward", "nfe_backward",
    "gflops", "share"}
  local out = {}
  for i, r in ipairs(results) do
    out[i] = {}
    for _, name in ipairs(columns) do out[i][name] = r[name] end
  end
  csv.write(o.csv, columns, out, {comments = comments, digits = 6})
  print("table:    " .. o.csv)
end
