--- Seconds of each function of tide.linalg, for linalg.py: lines "name size batch dtype seconds" on standard
-- input, the least CPU time of the rounds back.

local tide = require "tide"
local linalg = tide.linalg

-- What is solved must be well conditioned; the same matrices as in linalg.py, but for their random numbers.
local function matrix(n, batch, dtype)
  local f64 = {dtype = "float64"}
  local diagonal = tide.arange(1, n, 1, f64) / n + n ^ 0.5 * 0.3
  local x = tide.randn({batch, n, n}, {dtype = "float64", seed = 1}) * 0.1 + diagonal * tide.eye(n, f64)
  return (batch == 1 and x[1] or x):to(dtype):clone()
end

local calls = {
  solve = function(a, b) return linalg.solve(a, b) end,
  inv = linalg.inv, det = linalg.det, matrix_exp = linalg.matrix_exp, qr = linalg.qr,
  cholesky = function(_, _, s) return linalg.cholesky(s) end,
  eigh = function(_, _, s) return linalg.eigh(s) end,
  eigvals = linalg.eigvals,
  svd = function(a) return linalg.svd(a, {full_matrices = false}) end,
  lstsq = function(a, b) return linalg.lstsq(a, b) end,
}

for line in io.lines() do
  local name, n, batch, dtype, seconds = line:match("(%S+) (%d+) (%d+) (%S+) (%S+)")
  local a = matrix(tonumber(n), tonumber(batch), dtype)
  local shape = a:shape()
  shape[#shape] = 8
  local b, s = tide.randn(shape, {dtype = dtype, seed = 2}), a:matmul(a:transpose())
  calls[name](a, b, s)
  local best, spent, rounds = math.huge, 0, 0
  while spent < tonumber(seconds) or rounds < 3 do
    local begin = os.clock()
    calls[name](a, b, s)
    local one = os.clock() - begin
    best, spent, rounds = math.min(best, one), spent + one, rounds + 1
    collectgarbage()
  end
  print(("%.9g"):format(best))
  io.stdout:flush()
end
