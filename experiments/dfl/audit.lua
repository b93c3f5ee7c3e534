--- Which gradient when, over the tolerance: tide.ode.audit of a network's flow and of one that contracts, by
-- every kind, from 1e-2 to 1e-10.

local dfl = dofile((arg[0]:match("^(.*)/") or ".") .. "/common.lua")
local tide = require "tide"

local kinds = {"direct", "checkpoint", "forward", "interpolated", "adjoint"}

local function last_square(ys) return ys[2]:square():mean() end

-- What the audit is of; low: the reversible method has order 2, so its tolerances end earlier.
local function problems()
  local matrix = tide.tensor({{-1, 6, 3}, {0, -10, 8}, {0, 0, -40}}, {dtype = "float64"})
  local f = tide.nn.mlp{sizes = {2, 16, 2}, act = "tanh", time = true, seed = 1, dtype = "float64"}
  local y0 = tide.randn({16, 2}, {seed = 1, dtype = "float64"})
  local network = {f = f, y0 = y0, t = {0, 2}, loss = last_square}
  return {
    {"network", "dopri5", kinds, network},
    {"network", "reversible_heun", {"reversible"}, network, low = 1e-6},
    {"contracting", "dopri5", kinds, {f = function(_, y, p) return y:matmul(p) end, parameters = matrix,
      y0 = tide.tensor({{1, 0.5, -0.7}}, {dtype = "float64"}), t = {0, 1}, loss = last_square}},
  }
end

local columns = {"problem", "method", "tolerance", "gradient", "relative_error", "cosine", "nfe",
  "nfe_backward", "bytes", "seconds", "reconstruction_error", "made_again", "refused"}

local function audited(problem, tolerance, rows, cells)
  local o = {method = problem[2], rtol = tolerance, atol = tolerance, gradients = problem[3]}
  for k, v in pairs(problem[4]) do o[k] = v end
  for _, r in ipairs(tide.ode.audit(o).rows) do
    local row = {problem = problem[1], method = problem[2], tolerance = tolerance, refused = r.refused or "",
      made_again = r.made_again and 1 or 0}
    for _, name in ipairs(columns) do if row[name] == nil then row[name] = r[name] or 0 / 0 end end
    rows[#rows + 1] = row
    cells[#cells + 1] = {problem[1], ("%.0e"):format(tolerance), r.gradient, dfl.e(row.relative_error),
      ("%.0f"):format(row.nfe), ("%.0f"):format(row.nfe_backward), ("%.0f"):format(row.bytes),
      r.made_again and "yes" or r.refused and "refused" or ""}
  end
end

local function evidence(o, report)
  local rows, cells = {}, {}
  for _, problem in ipairs(problems()) do
    for power = 2, o.last do
      local tolerance = 10.0 ^ -power
      if tolerance >= (problem.low or 0) then audited(problem, tolerance, rows, cells) end
    end
  end
  report:say("A network 2-16-2 with tanh and t to t = 2, 16 samples, and y' = y A, A of eigenvalues -1, -10, "
    .. "-40, to t = 1, in float64. Error: against central differences of the same steps. Made again: y could "
    .. "not be reconstructed on the way back.")
  report:table({"problem", "tolerance", "gradient", "error", "forwards", "backwards", "bytes", "made again"},
    cells)
  report:csv("audit", columns, rows)
end

dfl.run({name = "audit", title = "Which gradient when: every kind over the tolerance",
  options = {{"last", 10, "the tightest tolerance is 10 to minus this"}},
  claim = [[What differentiates the steps that were taken (direct, checkpoint, reversible, forward) is exact
    at every tolerance. What solves the adjoint equation (adjoint, interpolated) is as exact as its tolerance,
    in less memory; where the flow contracts and y cannot be had back, adjoint has to solve forwards again.]],
  slip = "Not an exercise; the kinds of gradient of section 5, side by side.",
  evidence = evidence}, arg)
