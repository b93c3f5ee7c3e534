--- Is a trained model the flow of an ODE? Then any solver that is at least as accurate as the one it was
-- trained with gives the same results (ResNet After All?, section 4).

local core = require "tide.core"
local adaption = require "tide.train.adaption"
local experiment = require "tide.lab.experiment"
local flow = require "tide.nn.flow"
local ode = require "tide.ode"
local options = require "tide.base.options"
local stats = require "tide.base.stats"
local tensor = require "tide.tensor"
local tree = require "tide.base.tree"

local M = {}
local raise = core.raise

-- ---- what one solver makes of the data ----

-- Predictions and final states of all samples; evaluations per solve. nil when a solve blows up.
local function solve(parts, data, solver, batch)
  local predictions, states, batches = {}, {}, 0
  local ok, nfe = adaption.measured(function()
    for first = 1, #data.x, batch do
      local z = parts.block(parts.before(data.x:slice(1, first, math.min(first + batch - 1, #data.x))),
        {solver = solver})
      predictions[#predictions + 1], states[#states + 1] = parts.after(z), z:reshape{#z, -1}
      batches = batches + 1
    end
    return true
  end)
  if not ok then return nil end
  return {prediction = tensor.cat(predictions, 1), state = tensor.cat(states, 1):to("float64"),
    nfe = nfe / batches}
end

-- Root mean square and largest distance of states, in units of the spread of the reference's states (their
-- deviation from their mean).
local function state_distance(a, b)
  local spread = math.sqrt((b - b:mean(1, true)):square():sum(2):mean():item())
  local squares = (a - b):square():sum(2)
  local unit = spread > 0 and spread or 1
  return math.sqrt(squares:mean():item()) / unit, math.sqrt(squares:max():item()) / unit
end

-- ---- the test solvers ----

local methods_by_name = {}
for _, m in ipairs(ode.methods()) do methods_by_name[m.name] = m end
local function order_of(method)
  local m = type(method) == "table" and method or methods_by_name[method]
  return m.default_order or m.order
end

-- Every test: solver options, its label, and whether it is at least as accurate as the training solver.
local function plan(o, train, steps)
  local list = {}
  if steps then
    for _, method in ipairs(o.methods or {"euler", "midpoint", "rk4"}) do
      ode.check_options("tide.ode.validity: methods", {method = method, steps = 1})
      for _, factor in ipairs(o.factors or {0.5, 0.75, 1, 1.5, 2}) do
        local n = math.max(1, math.floor(steps * factor + 0.5))
        list[#list + 1] = {method = method, factor = factor, setting = n,
          solver = {method = method, steps = n},
                           finer = order_of(method) >= order_of(train.method) and n >= steps}
      end
    end
    return list
  end
  for _, method in ipairs(o.methods or {train.method or "dopri5"}) do
    for _, factor in ipairs(o.factors or {100, 10, 1, 0.1, 0.01}) do
      local rtol, atol = (train.rtol or 1e-3) * factor, (train.atol or 1e-6) * factor
      ode.check_options("tide.ode.validity: factors", {method = method, rtol = rtol, atol = atol}, o.dtype)
      list[#list + 1] = {method = method, factor = factor, setting = rtol,
        solver = {method = method, rtol = rtol, atol = atol},
                         finer = order_of(method) >= order_of(train.method or "dopri5") and factor <= 1}
    end
  end
  return list
end

-- ---- the critical step ----

-- The coarsest setting of the training method from which on (towards finer) the labels agree with the
-- reference: a ladder, then bisection.
local function critical_steps(agrees, most)
  local fine = 1
  while fine <= most and not agrees(fine) do fine = 2 * fine end
  if fine > most then return nil end
  -- A coarse step may agree by accident: what counts is the last rung that does not.
  local last_bad = fine == 1 and 0 or fine // 2
  local n = fine
  while 2 * n <= most do
    n = 2 * n
    if not agrees(n) then last_bad = n end
  end
  local low, high = last_bad, math.max(1, 2 * last_bad)
  if high > most then return nil end
  while high - low > math.max(1, high // 16) do
    local middle = (low + high) // 2
    if agrees(middle) then high = middle else low = middle end
  end
  return high
end

local function critical_tolerance(agrees, smallest)
  local found
  for k = 0, 12 do
    local tolerance = 10 ^ (-k / 2)
    if tolerance < smallest then break end
    if agrees(tolerance) then found = found or tolerance else found = nil end
  end
  return found
end

-- ---- the report ----

local header = {"method", "setting", "factor", "at least as fine", "accuracy", "flipped", "distance",
  "largest", "NFE", "failed"}

local function plus_minus(mean, deviation, n, format)
  if mean == nil or mean ~= mean then return "-" end
  return n > 1 and (format .. " ± " .. format):format(mean, deviation) or format:format(mean)
end

local function percent(mean, deviation, n)
  return plus_minus(mean and 100 * mean, deviation and 100 * deviation, n, "%.1f") .. (mean and " %" or "")
end

local function setting_text(row)
  if row.setting ~= row.setting then return "reference" end
  return row.adaptive and ("%.1e"):format(row.setting) or ("%d steps"):format(row.setting)
end

local methods = {}

--- The rows of the report as text, with the verdict below.
function methods.text(self)
  local rows = {}
  for i, row in ipairs(self.rows) do
    local n = row.solved
    rows[i] = {tostring(row.method), setting_text(row), row.factor == row.factor and ("%g"):format(row.factor)
      or "", row.finer and "yes" or "",
      percent(row.accuracy, row.accuracy_std, n), percent(row.flips, row.flips_std, n),
      plus_minus(row.distance, row.distance_std, n, "%.2g"),
      plus_minus(row.largest, nil, 1, "%.2g"), ("%.0f"):format(row.nfe), row.failed > 0
      and tostring(row.failed) or ""}
  end
  return ("trained with %s\n\n%s\n\n%s"):format(self.trained, experiment.table_text(header, rows),
    self.summary)
end

local columns = {"method", "setting", "factor", "finer", "trained", "adaptive", "accuracy", "accuracy_std",
  "flips", "flips_std", "distance", "distance_std",
                 "largest", "nfe", "models", "failed"}

--- Write the rows as CSV, for plots/validity.lua.
function methods.write(self, path, comments)
  local csv = require "tide.lab.csv"
  local rows = {}
  for i, row in ipairs(self.rows) do
    rows[i] = {}
    for c, name in ipairs(columns) do
      local v = row[name]
      if v == nil then v = 0 / 0 end
      rows[i][c] = type(v) == "boolean" and (v and 1 or 0) or type(v) == "table" and "tableau" or v
    end
  end
  csv.write(path, columns, rows, {comments = comments or {}})
  return path
end

M.methods = methods

local report_meta = {__name = "validity report", __index = methods, __tostring = methods.text}

-- Means over the models of one test.
local function summarise(test, results)
  local row = {method = test.method, setting = test.setting, factor = test.factor, finer = test.finer,
    trained = test.trained, adaptive = test.adaptive,
               models = #results, failed = 0}
  local lists = {accuracy = {}, flips = {}, distance = {}, nfe = {}}
  for _, r in ipairs(results) do
    if r.failed then
      row.failed = row.failed + 1
    else
      for name, list in pairs(lists) do list[#list + 1] = r[name] end
      row.largest = math.max(row.largest or 0, r.largest)
    end
  end
  for name, list in pairs(lists) do row[name], row[name .. "_std"] = stats.mean_deviation(list) end
  row.solved, row.nfe = row.models - row.failed, row.nfe or 0 / 0
  return row
end

local function compare(result, trained, reference, y)
  if not result then return {failed = true, flips = 1, nfe = 0} end
  local distance, largest = state_distance(result.state, reference.state)
  local flips = adaption.flips(result.prediction, trained.prediction, y)
  return {accuracy = adaption.accuracy(result.prediction, y), flips = flips, distance = distance,
    largest = largest, nfe = result.nfe,
          change = flips or adaption.distance(result.prediction, trained.prediction, y)}
end

local spec = {
  model = {"any"}, models = {"table"}, data = {"table", required = true}, solver = {"table"},
  methods = {"table"}, factors = {"table"},
  reference = {"table"}, threshold = {"number", default = 0.05, check = options.between(0, 1)},
  critical = {"boolean", default = true},
  max_steps = {"integer", default = 1024, check = options.at_least(1)},
  batch = {"integer", default = 1000, check = options.at_least(1)},
}

local WHERE = "tide.ode.validity"

local function check_arguments(opts)
  local o = options.check(WHERE, opts, spec, 4)
  if (o.model == nil) == (o.models == nil) then
    raise(WHERE .. ": give model, or models = {model, ...} for several seeds, one of them")
  end
  o.models = o.models or {o.model}
  if #o.models == 0 then raise(WHERE .. ": models is empty; it must list the trained models") end
  local x, y = o.data.x, o.data.y
  if not tree.is_tensor(x) or not tree.is_tensor(y) or #x ~= #y or #x == 0 then
    raise(WHERE .. ": data must be a table {x = tensor, y = tensor} with as many labels as samples, and at "
      .. "least one")
  end
  o.dtype = x:dtype()
  for i, f in ipairs(o.factors or {}) do
    if type(f) ~= "number" or not options.finite(f) or f <= 0 then
      raise(("%s: factors[%d] must be a number > 0, got %s"):format(WHERE, i, options.show(f)))
    end
  end
  local tight = o.dtype == "float64" and 1e-8 or 1e-5
  o.reference = o.reference or {method = "dopri5", rtol = tight, atol = tight}
  ode.check_options(WHERE .. ": reference", o.reference, o.dtype)
  return o
end

-- Everything about one model: its results per test, the verdict, the critical step.
local function examine(o, model, tests, train, steps, span)
  local parts = flow.of(WHERE, model)
  local trained, reference = solve(parts, o.data, train, o.batch), solve(parts, o.data, o.reference, o.batch)
  if not reference then
    raise(WHERE .. ": the reference solve failed (the solution blows up, or the field is too stiff); give "
      .. "another one, e.g. reference = "
      .. '{method = "rk4", steps = 2000}')
  end
  if not trained then
    raise(WHERE .. ": the model cannot be solved with its training solver; check the option solver")
  end
  local out = {results = {}, valid = true, worst = 0}
  for i, test in ipairs(tests) do
    local result = test.setting ~= test.setting and reference or solve(parts, o.data, test.solver, o.batch)
    local r = compare(result, trained, reference, o.data.y)
    out.results[i] = r
    if test.finer then out.worst = math.max(out.worst, r.failed and 1 or r.change) end
  end
  out.valid = out.worst <= o.threshold
  out.accuracy, out.reference_accuracy = adaption.accuracy(trained.prediction, o.data.y),
    adaption.accuracy(reference.prediction, o.data.y)
  if o.critical then
    local function agrees(solver)
      local r = solve(parts, o.data, solver, o.batch)
      return r ~= nil and compare(r, reference, reference, o.data.y).change <= o.threshold
    end
    if steps then
      out.critical_steps = critical_steps(function(n) return agrees{method = train.method, steps = n} end,
        o.max_steps)
      out.critical_step = out.critical_steps and math.abs(span[2] - span[1]) / out.critical_steps
    else
      local ratio = (train.atol or 1e-6) / math.max(train.rtol or 1e-3, 1e-300)
      out.critical_tolerance = critical_tolerance(function(tol)
        return agrees{method = train.method, rtol = tol, atol = tol * ratio}
      end,
        math.max(o.reference.rtol or 0, ode.smallest_rtol(o.dtype)))
    end
  end
  return out
end

-- What the tests say, in words.
local function conclude(report, o, train, steps)
  local valid, critical = 0, {}
  for _, m in ipairs(report.models) do
    if m.valid then valid = valid + 1 end
    critical[#critical + 1] = m.critical_steps or m.critical_tolerance
  end
  report.valid = valid
  report.verdict = valid == #report.models and "valid" or valid == 0 and "not valid"
    or ("%d of %d valid"):format(valid, #report.models)
  local lines = {("%s: solvers at least as fine change up to %.1f %% of the results (worst model; the limit "
    .. "is %g %%)"):format(report.verdict,
    100 * report.worst,
    100 * o.threshold)}
  if o.critical then
    local mean, deviation = stats.mean_deviation(critical)
    report.critical, report.critical_std, report.critical_found = mean, deviation, #critical
    local what = steps and ("critical number of steps of %s"):format(tostring(train.method))
      or "critical tolerance"
    local format = steps and "%.0f" or "%.1e"
    lines[2] = mean and ("%s: %s (trained with " .. (steps and "%d" or "%g") .. ")%s"):format(what,
      plus_minus(mean, deviation, #critical, format),
      steps or train.rtol or 1e-3, #critical < #report.models and (", found for %d of %d models"):format(
      #critical, #report.models) or "")
      or what .. ": not found" .. (steps and (" up to %d steps"):format(o.max_steps) or "")
  end
  report.summary = table.concat(lines, "\n")
end

--- validity{model = | models =, data =, ...} -> report: see help("tide.ode.validity").
function M.validity(opts)
  local o = check_arguments(opts)
  local parts = flow.of(WHERE, o.models[1])
  local train, span = flow.solver(WHERE, parts, o.solver)
  local steps = flow.steps(train, span)
  local tests = plan(o, train, steps)
  for _, test in ipairs(tests) do
    test.adaptive, test.trained = not steps, test.method == (train.method or "dopri5") and test.factor == 1
  end
  tests[#tests + 1] = {method = o.reference.method or "dopri5", setting = 0 / 0, factor = 0 / 0, finer = true,
    adaptive = true, trained = false}
  local report = setmetatable({rows = {}, models = {}, worst = 0}, report_meta)
  for i, model in ipairs(o.models) do
    report.models[i] = examine(o, model, tests, train, steps, span)
    report.worst = math.max(report.worst, report.models[i].worst)
  end
  for i, test in ipairs(tests) do
    local results = {}
    for m, model in ipairs(report.models) do results[m] = model.results[i] end
    report.rows[i] = summarise(test, results)
  end
  report.trained = ("%s, %s"):format(tostring(train.method or "dopri5"), steps and steps .. " steps"
    or ("rtol = %g"):format(train.rtol or 1e-3))
  conclude(report, o, train, steps)
  return report
end

return M
