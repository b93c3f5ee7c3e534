--- tide.ode.audit: rows, numbers, refusals, text and file.

local tide = require "tide"
local csv = require "tide.csv"

local tests = {}

local function loss(ys) return ys[2]:square():sum() end
local function problem(more)
  local o = {f = tide.nn.mlp{sizes = {2, 4, 2}, act = "tanh", time = true},
    y0 = tide.randn({3, 2}, {seed = 1}), t = {0, 1}, loss = loss}
  for k, v in pairs(more or {}) do o[k] = v end
  return o
end

tests["a row of each kind, all of them right, refused ones with the reason"] = function()
  for _, o in ipairs{{method = "alf", steps = 20}, {rtol = 1e-5}, {method = "sdirk2", rtol = 1e-4}} do
    local report = tide.ode.audit(problem(o))
    assert(#report.rows == 6 and report[1] == report.rows[1] and report[1].gradient == "direct")
    for _, row in ipairs(report) do
      local exact = row.gradient ~= "adjoint" and row.gradient ~= "interpolated"
      if row.refused then
        assert(row.gradient == "reversible" or row.gradient == "forward")
        assert(row.refused:find("^odeint: gradient = ") and not row.nfe)
      else
        assert(row.relative_error < (exact and o.method ~= "sdirk2" and 1e-5 or 1e-2), row.gradient)
        assert(row.cosine > 0.9999 and row.relative_error_direct < (exact and 1e-5 or 1e-2))
        assert(row.nfe > 0 and row.nfe_backward > 0 and row.bytes > 0 and row.seconds > 0)
        local rebuilds = row.gradient == "adjoint" or row.gradient == "reversible"
        assert((row.reconstruction_error ~= nil) == rebuilds)
      end
    end
  end
end

tests["captured numbers as parameters, chosen kinds, random directions"] = function()
  local report = tide.ode.audit{f = function(t, y, p) return tide.sin(y * p.a) * t end,
    parameters = {a = tide.tensor(0.7, {dtype = "float64"})},
    y0 = tide.randn({100}, {dtype = "float64", seed = 2}), t = {0, 1},
    loss = loss, gradients = {"direct", "checkpoint"}, probes = 8, method = "rk4", steps = 10}
  assert(#report == 2 and report.directions == 8)
  assert(report[1].relative_error < 1e-8 and report[2].relative_error_direct == 0)
end

tests["a contracting flow is seen: y was made in another way"] = function()
  local report = tide.ode.audit{f = function(_, y) return y * -20 end,
    y0 = tide.tensor({1}, {dtype = "float64"}), t = {0, 2},
    loss = function(ys) return ys[2]:sum() end, method = "alf", steps = 400,
    gradients = {"reversible"}}
  assert(report[1].made_again and report[1].relative_error_direct < 1e-6)
  assert(report:text():find("could not be reconstructed"))
end

tests["text and file"] = function()
  local path = os.tmpname()
  local report = tide.ode.audit(problem{steps = 4, method = "rk4"})
  assert(report:text():find("to direct", 1, true) and tostring(report) == report:text())
  assert(report:write(path) == path)
  local data = csv.read(path)
  assert(data.rows == 6 and data:column("nfe")[1] == report[1].nfe)
  os.remove(path)
end

tests["what is wrong is said"] = function()
  local function refused(words, more, without)
    local o = problem(more)
    if without then o[without] = nil end
    local ok, message = pcall(tide.ode.audit, o)
    assert(not ok and tostring(message):find(words, 1, true), message)
  end
  refused("loss", nil, "loss")
  refused('unknown gradient "ajoint" (did you mean "adjoint"?)', {gradients = {"ajoint"}})
  refused("gradients = {...}", {gradient = "direct"})
  refused("probes", {probes = 0})
  refused("rtoll", {rtoll = 1})
  refused("y0 must be a tensor", {y0 = false})
  refused("gradients is empty", {gradients = {}})
  refused("loss must return a scalar tensor, got nil", {loss = function() end})
  refused("loss must return a scalar tensor, got shape {3}", {loss = function() return tide.ones{3} end})
end

return tests
