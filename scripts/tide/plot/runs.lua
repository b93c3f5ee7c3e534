--- From a CSV table with one row per run and step to series per group, for bands and scatters.

local core = require "tide.core"
local options = require "tide.base.options"
local stats = require "tide.base.stats"

local runs = {}

local spec = {
  x = {"string", required = true}, y = {"string", required = true}, -- columns
  by = {"string", default = "model"},
  run = {"string", default = "seed"}, -- a table without this column holds one run per group
  -- replace each run by its means over this many stretches of x
  bins = {"integer", check = options.at_least(1)},
}

--- plot.runs(csv_table, {x = "epoch", y = "loss"}) -> {{name = "NODE", runs = {{x =, y =}, ...}}, ...} in
-- order of appearance. Groups whose y is nan or not positive throughout (function evaluations of a ResNet,
-- say) are left out.
function runs.split(data, opts)
  opts = options.check("plot.runs", opts, spec)
  if type(data) ~= "table" or type(data.group) ~= "function" then
    core.raise("plot.runs: expected a table as csv.read gives it, got " .. options.show(data))
  end
  local groups, all_x, longest = {}, {}, 0
  for g, group in ipairs(data:group(opts.by)) do
    groups[g] = {group = group, runs = group:has(opts.run) and group:group(opts.run) or {group}}
    for _, run in ipairs(groups[g].runs) do
      all_x[#all_x + 1], longest = run:column(opts.x), math.max(longest, run.rows)
    end
  end
  local low, high = stats.extent(all_x)
  local out = {}
  for _, item in ipairs(groups) do
    local group = item.group
    local entry, any = {name = tostring(group.key[opts.by]), runs = {}}, false
    for _, y in ipairs(group:column(opts.y)) do any = any or (options.finite(y) and y > 0) end
    for i, run in ipairs(item.runs) do
      local series = {x = run:column(opts.x), y = run:column(opts.y)}
      entry.runs[i] = opts.bins and longest > opts.bins and stats.bin(series, opts.bins, low, high) or series
    end
    if any then out[#out + 1] = entry end
  end
  return out
end

--- "median and 10–90 % of 20 runs": what line and band of these groups are; nil when every group has a single
-- run.
function runs.caption(groups)
  local least, most = math.huge, 0
  options.list("plot.band_caption", "groups", groups, "table")
  for i, group in ipairs(groups) do
    options.argument("plot.band_caption", ("groups[%d].runs"):format(i), group.runs, "table")
  end
  for _, group in ipairs(groups) do
    least, most = math.min(least, #group.runs), math.max(most, #group.runs)
  end
  if most <= 1 then return nil end
  return ("median and 10–90 %% of %s runs"):format(least == most and most or least .. " to " .. most)
end

--- One line type per name, the same in all figures of a pipeline: looks(list of names, ...) -> {name =
-- number}.
function runs.looks(...)
  local looks, n = {}, 0
  local lists = table.pack(...)
  for i = 1, lists.n do
    for _, name in ipairs(options.list("plot.looks", "list " .. i, lists[i], "any")) do
      name = tostring(name)
      if not looks[name] then
        n = n + 1
        looks[name] = n
      end
    end
  end
  return looks
end

return runs
