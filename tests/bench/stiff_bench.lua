--- Solvers of Tide, SciPy and SUNDIALS' CVODE on stiff and nonstiff problems: what which accuracy costs. Run
-- by stiff.sh, which makes what --fields, --cvode and --scipy name; engines without a command are left out.
--
-- All evaluate the same functions in C (stiff_fields.c) and take Jacobians from differences of them. An error
-- is the largest over the components of |y - exact| / (scale + |exact|) at the end of the span, the tolerance
-- atol = tol scale, rtol = tol. Costs at equal error: a parabola through log cost against log error of each
-- method, compared where both have been, which evens out the luck that errors at one time have. Where errors
-- are accidents, with Prothero and Robinson's problem, the ratio is not part of the mean.

local here = debug.getinfo(1, "S").source:match("^@(.*)/") or "."
local csv = require "tide.csv"
local experiment = require "tide.experiment"
local tide = require "tide"
local machine = dofile(here .. "/machine.lua")
local stiff, nonstiff = dofile(here .. "/../lua/stiff.lua"), dofile(here .. "/../lua/detest.lua")

local o = experiment.parse("Stiff and nonstiff solvers beside SciPy and CVODE; see stiff.sh",
  {{"fields", "", "shared object of stiff_fields.c"}, {"cvode", "", "command of stiff_cvode.c"},
    {"scipy", "", "command of stiff_scipy.py"}, {"csv", "", "file for the numbers"},
    {"only", "", "names of problems, with commas between them"},
    {"seconds", 0.1, "how long a solve is repeated for its time"},
    {"read", "", "a file that was written before: its ratios alone"}}, arg)

-- ---- works ----

local function halves(first, last)
  local out = {}
  for i = 2 * first, 2 * last do out[#out + 1] = tonumber(("%.4g"):format(10 ^ (-i / 2))) end
  return out
end

local methods = {
  stiff = {tide = {"radau5", "bdf", "auto", "auto-bdf", "rodas4", "kvaerno5"},
    scipy = {"Radau", "BDF", "LSODA"}, cvode = {"bdf"}},
  oscillating = {tide = {"radau5", "bdf", "rodas4"}, scipy = {"LSODA"}, cvode = {"bdf"}},
  nonstiff = {tide = {"dopri5", "tsit5", "dopri8", "dop853", "vern7", "adams", "auto"}, cvode = {"adams"},
    scipy = {"RK45", "DOP853", "LSODA"}},
}
-- What has to be compared: cost of the first over that of the second.
local pairs_of = {
  stiff = {{"tide", "radau5", "scipy", "Radau"}, {"tide", "bdf", "scipy", "BDF"},
    {"tide", "bdf", "scipy", "LSODA"}, {"tide", "auto", "scipy", "LSODA"},
    {"tide", "auto-bdf", "scipy", "LSODA"},
    {"tide", "bdf", "cvode", "bdf"},
    {"tide", "radau5", "cvode", "bdf"}, {"tide", "rodas4", "cvode", "bdf"}},
  nonstiff = {{"tide", "dopri5", "scipy", "RK45"}, {"tide", "dopri8", "scipy", "DOP853"},
    {"tide", "dop853", "scipy", "DOP853"},
    {"tide", "adams", "scipy", "LSODA"}, {"tide", "adams", "cvode", "adams"},
    {"tide", "vern7", "cvode", "adams"}},
}
pairs_of.oscillating = pairs_of.stiff

local works = {}
local function add(p, kind, field, tolerances)
  if o.only ~= "" and not ("," .. o.only .. ","):find("," .. p.name .. ",", 1, true) then return end
  works[#works + 1] = {name = p.name, kind = kind, field = field, tolerances = tolerances, y0 = p.y0,
    t = p.t or 20, f = p.f, at_end = p.at_end or p.at20 or p.exact(20), scale = p.scale or 1}
end
add(stiff["Robertson"], "stiff", "robertson", halves(2, 8))
add(stiff["van der Pol"], "stiff", "van_der_pol", halves(2, 8))
add(stiff["HIRES"], "stiff", "hires", halves(2, 8))
add(stiff["Oregonator"], "stiff", "oregonator", halves(2, 8))
add(stiff["E5"], "stiff", "e5", halves(2, 8))
add(stiff["Prothero-Robinson"], "stiff", "prothero_robinson", halves(2, 8))
add(stiff["ring modulator"], "oscillating", "ring_modulator", halves(4, 6))
for _, name in ipairs{"A3", "B1", "B5", "C1", "D1", "D5", "E2"} do
  add(nonstiff[name], "nonstiff", name, halves(3, 10))
end

local function scale_of(w, i) return type(w.scale) == "table" and w.scale[i] or w.scale end

local function atol_of(w, tol)
  local out = {}
  for i = 1, #w.y0 do out[i] = tol * scale_of(w, i) end
  return out
end

local function error_of(w, y)
  local worst = 0
  for i, want in ipairs(w.at_end) do
    local e = math.abs(y[i] - want) / (scale_of(w, i) + math.abs(want))
    worst = e <= worst and worst or e
  end
  return worst
end

-- ---- engines: each calls row(method, tolerance, {evaluations, jacobians, steps, rejected, seconds}, y) ----

local engines = {}

local function f64(x) return tide.tensor(x, {dtype = "float64"}) end

function engines.tide(w, row)
  local f = tide.ode.cfield(o.fields, "tide_" .. w.field)
  local dy, want = f(0, f64(w.at_end)):totable(), w.f(0, w.at_end)
  for i = 1, #dy do
    assert(math.abs(dy[i] - want[i]) <= 1e-9 * (1 + math.abs(want[i])), w.name .. ": two right-hand sides")
  end
  for _, method in ipairs(methods[w.kind].tide) do
    for _, tol in ipairs(w.tolerances) do
      local y0, best, spent = f64(w.y0), math.huge, 0
      local options = {method = method, rtol = tol, atol = f64(atol_of(w, tol)), max_steps = 10 ^ 7}
      options.method, options.stiff = method:match("^(%w+)%-?(%w*)$") -- "auto-bdf": a pair
      if options.stiff == "" then options.stiff = nil end
      local ys, stats = tide.odeint(f, y0, {0, w.t}, options)
      local again = tide.compile(function(y) return (tide.odeint(f, y, {0, w.t}, options)) end)
      again(y0)
      repeat
        local start = os.clock()
        again(y0):close()
        local seconds = os.clock() - start
        best, spent = math.min(best, seconds), spent + seconds
      until spent >= o.seconds
      row(method, tol, {stats.nfe, stats.jacobians or 0, stats.accepted, stats.rejected, best},
        ys[2]:totable())
    end
  end
end

local function peer(engine)
  return function(w, row)
    local jobs, list = os.tmpname(), {}
    local file = assert(io.open(jobs, "w"))
    for _, method in ipairs(methods[w.kind][engine]) do
      for _, tol in ipairs(w.tolerances) do
        list[#list + 1] = {method, tol}
        local words = {method, w.field, #w.y0, w.t, tol, o.seconds}
        for _, x in ipairs(w.y0) do words[#words + 1] = ("%.17g"):format(x) end
        for _, x in ipairs(atol_of(w, tol)) do words[#words + 1] = ("%.17g"):format(x) end
        file:write(table.concat(words, " "), "\n")
      end
    end
    file:close()
    local answers <close> = io.popen(("%s '%s' < '%s'"):format(o[engine], o.fields, jobs))
    for _, job in ipairs(list) do
      local numbers = {}
      local answer = answers:read("l")
      for word in (answer or "failed"):gmatch("%S+") do numbers[#numbers + 1] = tonumber(word) end
      if #numbers > 5 then
        row(job[1], job[2], numbers, table.move(numbers, 6, #numbers, 1, {}))
      else
        io.stderr:write(("%s: %s by %s at %.2g failed\n"):format(w.name, engine, job[1], job[2]))
      end
    end
    os.remove(jobs)
  end
end
engines.scipy, engines.cvode = peer("scipy"), peer("cvode")

-- ---- costs at equal error ----

-- Coefficients of the parabola (the line, through fewer than 5 points) that fits best.
local function fit(xs, ys)
  local degree = #xs < 5 and 1 or 2
  local a, b = {}, {}
  for i = 1, #xs do
    a[i] = degree == 2 and {1, xs[i], xs[i] ^ 2} or {1, xs[i]}
    b[i] = {ys[i]}
  end
  return tide.linalg.lstsq(f64(a), f64(b)):reshape{-1}:totable()
end

local function value(c, x) return c[1] + c[2] * x + (c[3] or 0) * x * x end

-- log10 of errors and costs of a method on a problem, of errors that are no accident.
local function curve(records, problem, engine, method, cost)
  local xs, ys = {}, {}
  for _, r in ipairs(records) do
    local it = r.problem == problem and r.engine == engine and r.method == method
    if it and r.error > 1e-10 and r.error < 0.3 then
      xs[#xs + 1], ys[#ys + 1] = math.log(r.error, 10), math.log(r[cost], 10)
    end
  end
  return #xs > 2 and {c = fit(xs, ys), low = math.min(table.unpack(xs)), high = math.max(table.unpack(xs))}
end

-- Mean (geometric) of cost over cost at equal errors, or nil: they have none in common.
local function ratio(records, problem, pair, cost)
  local a = curve(records, problem, pair[1], pair[2], cost)
  local b = curve(records, problem, pair[3], pair[4], cost)
  if not (a and b) then return nil end
  local low, high = math.max(a.low, b.low), math.min(a.high, b.high)
  if high - low < 0.5 then return nil end
  local sum, n = 0, 20
  for i = 0, n do
    local x = low + (high - low) * i / n
    sum = sum + value(a.c, x) - value(b.c, x)
  end
  return 10 ^ (sum / (n + 1))
end

local function report(records)
  for _, kind in ipairs{"stiff", "nonstiff"} do
    for _, cost in ipairs{"evaluations", "seconds"} do
      print(("\n%s, %s at equal error, as a share of those of the other"):format(kind, cost))
      for _, pair in ipairs(pairs_of[kind]) do
        if cost == "evaluations" or pair[3] == "cvode" then
          local line, sum, n = {("%-24s"):format(("%s / %s %s"):format(pair[2], pair[3], pair[4]))}, 0, 0
          for _, w in ipairs(works) do
            if pairs_of[w.kind] == pairs_of[kind] then
              local r = ratio(records, w.name, pair, cost)
              if r and w.name ~= "Prothero-Robinson" then sum, n = sum + math.log(r), n + 1 end
              line[#line + 1] = ("%s %s"):format(w.name:sub(1, 10), r and ("%.2f"):format(r) or "-")
            end
          end
          if n > 0 then line[#line + 1] = ("mean %.2f"):format(math.exp(sum / n)) end
          if n > 0 then print(table.concat(line, "  ")) end
        end
      end
    end
  end
end

-- ---- all of it ----

local columns = {"problem", "kind", "engine", "method", "tolerance", "error", "evaluations", "jacobians",
  "steps", "rejected", "seconds"}

local function measure()
  local records = {}
  for _, w in ipairs(works) do
    for _, engine in ipairs{"tide", "cvode", "scipy"} do
      if engine == "tide" or o[engine] ~= "" then
        engines[engine](w, function(method, tol, n, y)
          records[#records + 1] = {problem = w.name, kind = w.kind, engine = engine, method = method,
            tolerance = tol, error = error_of(w, y), evaluations = math.tointeger(n[1]),
            jacobians = math.tointeger(n[2]), steps = math.tointeger(n[3]), rejected = math.tointeger(n[4]),
            seconds = n[5]}
        end)
      end
    end
    io.stderr:write(w.name, " done\n")
  end
  return records
end

local records
if o.read ~= "" then
  records = csv.read(o.read):records()
else
  local comments = experiment.provenance(arg)
  comments[1] = ("command: sh tests/bench/stiff.sh --seconds %g --csv %s"):format(o.seconds, o.csv)
  comments[#comments + 1] = ("machine: %s, load average before the start %s"):format(machine.processor(),
    machine.load())
  comments[#comments + 1] = "seconds: of the processor, the least of several solves, one thread; Tide's are "
    .. "compiled once"
  comments[#comments + 1] = "jacobians, steps: 0 where the engine does not say"
  records = measure()
  if o.csv ~= "" then csv.write(o.csv, columns, records, {comments = comments, digits = 6}) end
end
report(records)
