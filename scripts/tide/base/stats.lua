--- Summaries of several runs of one experiment, for bands.

local core = require "tide.core"
local options = require "tide.base.options"

local stats = {}
local max_bins = 1000000

--- A plain Lua list from a list or anything with :totable() (a tensor); nil for anything else.
function stats.list(v)
  if type(v) ~= "table" and type(v) ~= "userdata" then return nil end
  if type(v) == "userdata" and type(v.totable) ~= "function" then return nil end
  if type(v.totable) == "function" then
    local list = v:totable()
    return type(list) == "table" and list or {list} -- a scalar tensor gives a number
  end
  return v
end

-- Such a list, of numbers.
local function numbers(where, name, v)
  return options.list(where, name, v ~= nil and stats.list(v) or v, "number")
end

--- The q-quantile of sorted numbers, linear between neighbours (NumPy's default).
function stats.quantile(sorted, q)
  local position = 1 + q * (#sorted - 1)
  local below = math.floor(position)
  local above = math.min(below + 1, #sorted)
  return sorted[below] + (position - below) * (sorted[above] - sorted[below])
end

-- x -> finite numbers of all runs there, and how many were left out. A run that stopped early simply has no
-- value at later x.
local function gather(where, runs)
  local at, xs, missing, total = {}, {}, 0, 0
  if type(runs) ~= "table" or #runs == 0 then core.raise(where .. ": expected a list of one or more runs") end
  for r, run in ipairs(runs) do
    if type(run) ~= "table" and type(run) ~= "userdata" then
      core.raise(("%s: run %d must be {x =, y =} or a list of numbers, got %s"):format(where, r,
        options.show(run)))
    end
    local y = numbers(where, ("y of run %d"):format(r), type(run) == "table" and run.y or run)
    local x = type(run) == "table" and run.x and numbers(where, ("x of run %d"):format(r), run.x)
    if x and #x ~= #y then core.raise(("%s: run %d: x has %d values, y has %d"):format(where, r, #x, #y)) end
    missing, total = missing + (type(run) == "table" and rawget(run, "missing") or 0),
      total + (type(run) == "table" and rawget(run, "total") or #y)
    for i, value in ipairs(y) do
      local key = x and x[i] or i
      if options.finite(key) and not at[key] then
        at[key] = {}
        xs[#xs + 1] = key
      end
      if options.finite(value) and options.finite(key) then
        table.insert(at[key], value)
      else
        missing = missing + 1
      end
    end
  end
  table.sort(xs)
  return xs, at, missing, total
end

local function summarise(where, runs, fn)
  local xs, at, missing, total = gather(where, runs)
  local out = {x = {}, y = {}, low = {}, high = {}, n = {}, missing = missing, total = total}
  for i, x in ipairs(xs) do
    local values = at[x]
    table.sort(values)
    out.x[i], out.n[i] = x, #values
    if #values > 0 then
      out.y[i], out.low[i], out.high[i] = fn(values)
    else
      out.y[i], out.low[i], out.high[i] = 0 / 0, 0 / 0, 0 / 0 -- a gap, not a bridge
    end
  end
  return out
end

local band_spec = {
  low = {"number", default = 0.1, check = options.between(0, 1)},
  high = {"number", default = 0.9, check = options.between(0, 1)},
}

--- Median and quantiles per x over runs: {x, y = median, low, high, n, missing, total}. What is not finite is
-- left out and counted (missing of total); where all runs lack a value, the result is nan. A run is {x =, y
-- =} or a list of values. Unlike mean and standard deviation it means the same on a log axis.
function stats.median_band(runs, opts)
  opts = options.check("plot.median_band", opts, band_spec)
  return summarise("plot.median_band", runs, function(sorted)
    return stats.quantile(sorted, 0.5), stats.quantile(sorted, opts.low), stats.quantile(sorted, opts.high)
  end)
end

--- Mean and standard deviation of a list (n - 1 in the denominator; 0 for a single value); nothing for an
-- empty one.
function stats.mean_deviation(values)
  local n, mean, squares = #values, 0, 0
  if n == 0 then return end
  for _, v in ipairs(values) do mean = mean + v / n end
  for _, v in ipairs(values) do squares = squares + (v - mean) ^ 2 end
  return mean, n > 1 and math.sqrt(squares / (n - 1)) or 0
end

--- Mean and mean -+ standard deviation per x: {x, y, low, high, n}.
function stats.mean_band(runs)
  return summarise("plot.mean_band", runs, function(values)
    local mean, deviation = stats.mean_deviation(values)
    return mean, mean - deviation, mean + deviation
  end)
end

--- Smallest and largest finite number of some lists.
function stats.extent(lists)
  local low, high = math.huge, -math.huge
  for _, list in ipairs(lists) do
    for _, v in ipairs(list) do
      if options.finite(v) then low, high = math.min(low, v), math.max(high, v) end
    end
  end
  return low, high
end

--- Means over `bins` equal stretches of x, for noisy or very long curves: {x = middle of the stretch, y,
-- missing = values left out that are not finite, total}. A run of no more than `bins` values stays as it is,
-- unless `low` and `high` give common stretches for several runs: bands need the same x in all.
function stats.bin(run, bins, low, high)
  local whole = options.integer(bins)
  if not whole or whole < 1 or whole > max_bins then
    core.raise(("plot.bin: bins must be an integer in 1..%d, got %s"):format(max_bins, options.show(bins)))
  end
  bins = whole
  options.argument("plot.bin", "run", run, "table")
  local x, y = numbers("plot.bin", "x", run.x), numbers("plot.bin", "y", run.y)
  if #x ~= #y then core.raise(("plot.bin: x has %d values, y has %d"):format(#x, #y)) end
  if low ~= nil or high ~= nil then
    options.argument("plot.bin", "low", low, "number")
    options.argument("plot.bin", "high", high, "number")
  end
  if not low then
    if #x <= bins then return {x = x, y = y} end
    low, high = stats.extent{x}
  end
  if high <= low then return {x = x, y = y} end
  local sums, counts, out = {}, {}, {x = {}, y = {}, missing = 0, total = #x}
  for i, v in ipairs(x) do
    if options.finite(y[i]) and options.finite(v) then
      local b = math.min(bins, 1 + math.floor(bins * (v - low) / (high - low)))
      sums[b], counts[b] = (sums[b] or 0) + y[i], (counts[b] or 0) + 1
    else
      out.missing = out.missing + 1
    end
  end
  for b = 1, bins do
    if counts[b] then
      table.insert(out.x, low + (b - 0.5) * (high - low) / bins)
      table.insert(out.y, sums[b] / counts[b])
    end
  end
  return out
end

return stats
