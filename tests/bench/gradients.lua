--- Which gradient when: a field 2-64-64-2 with time, batch 64, in float64, through every kind of gradient;
-- each is one tide.ode.audit. Prints the reports; --csv FILE writes them.
--
--   ./tide tests/bench/gradients.lua [--csv FILE]

local csv = require "tide.csv"
local experiment = require "tide.experiment"
local tide = require "tide"

local o = experiment.parse("Gradients of a solve: errors, evaluations, memory, time",
  {{"csv", "", "file for the numbers"}}, arg)

local model = tide.nn.mlp{sizes = {2, 64, 64, 2}, act = "tanh", time = true, seed = 1, dtype = "float64"}
local y0 = tide.randn({64, 2}, {seed = 1, dtype = "float64"})

local works = {
  {"dopri5, tolerance 1e-5", {method = "dopri5", rtol = 1e-5, atol = 1e-5},
    {"direct", "checkpoint", "interpolated", "adjoint"}},
  {"rk4, 200 steps", {method = "rk4", steps = 200}, {"direct", "checkpoint", "interpolated", "adjoint"}},
  {"reversible_heun, 200 steps", {method = "reversible_heun", steps = 200},
    {"direct", "checkpoint", "reversible"}},
  {"kvaerno5, tolerance 1e-5", {method = "kvaerno5", rtol = 1e-5, atol = 1e-5},
    {"direct", "checkpoint", "interpolated", "adjoint"}},
}

local columns, rows = {"work", "gradient", "relative_error", "relative_error_direct", "nfe", "nfe_backward",
  "bytes", "seconds"}, {}
for _, work in ipairs(works) do
  local options = {f = model, y0 = y0, t = {0, 1}, gradients = work[3],
    loss = function(ys) return ys:slice(1, 2, 2):square():mean() end}
  for name, v in pairs(work[2]) do options[name] = v end
  local report = tide.ode.audit(options)
  print(("%s\n%s\n"):format(work[1], report:text()))
  for _, row in ipairs(report.rows) do
    local out = {work = work[1]}
    for i = 2, #columns do out[columns[i]] = row[columns[i]] end
    rows[#rows + 1] = out
  end
end
if o.csv ~= "" then csv.write(o.csv, columns, rows) end
