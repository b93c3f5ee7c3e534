-- Figure 5: training with step adaption: test accuracy and number of steps over the iterations, all seeds, a
-- column per rule; a row's panels have the same axes. The paper shows MNIST and CIFAR-10 for its rule; here
-- are the synthetic data and MNIST, for its rule, the published code's and ours.

local common = dofile((debug.getinfo(1, "S").source:match("^@(.*/)") or "") .. "common.lua")
local plot = require "tide.plot"

local rules = {{"stated", "Algorithm 1"}, {"published", "published code"}, {"steady", "ours (steady)"},
  {"pairs", "ours (pairs)"}}

local function of_rule(data, rule)
  return data:where(function(r) return r.rule == rule[1] and (r.data_seed or 1) == 1 end)
end

-- The number of steps behind each look; from the records where the looks are not there.
local function steps_of(seed, looks)
  local seen = looks and looks:where(function(r)
    return r.rule == seed:column("rule")[1] and r.seed == seed.key.seed and r.data == seed:column("data")[1]
      and (r.data_seed or 1) == 1
  end)
  if not seen or seen.rows == 0 then return seed:column("iteration"), seed:column("steps") end
  local taken = {}
  for k, look in ipairs(seen:records()) do
    taken[k] = look.next <= 1 and math.ceil(1 / look.next - 1e-9) or look.next -- a step size, or a number
  end
  return seen:column("iteration"), taken
end

-- Accuracies of a rule with all seeds, and their steps.
local function pair_of(rows, looks, rule, last)
  local set = rows:column("data")[1]
  local unit = last > 2000 and 1000 or 1
  local xlabel, range = unit > 1 and "iteration / 1000" or "iteration", {0, last / unit}
  local accuracy = plot.figure{title = ("%s, %s\n%s"):format(common.titles[set], rule[2],
    common.scale(rows, "\n")), xlabel = xlabel, ylabel = "test accuracy", xrange = range, yrange = {0, 1},
    ratio = 0.6}
  local steps = plot.figure{xlabel = xlabel, ylabel = "Euler steps", ylog = true, xrange = range,
    yrange = {1, 256},  yticks = {{1, "1"}, {4, "4"}, {16, "16"}, {64, "64"}, {256, "256"}}, ratio = 0.6}
  for _, seed in ipairs(common.split(rows, "seed")) do
    local look = {color = seed.key.seed, linewidth = 1.2, dash = 1}
    local function line(fig, x, y)
      local scaled = {}
      for i, v in ipairs(x) do scaled[i] = v / unit end
      fig:add("line", {x = scaled, y = y, color = look.color, linewidth = look.linewidth, dash = look.dash})
    end
    line(accuracy, seed:column("iteration"), seed:column("accuracy"))
    line(steps, steps_of(seed, looks))
  end
  return accuracy, steps
end

-- In the place of a rule that was not run.
local function nothing(set, rule)
  local function blank(title)
    local fig = plot.figure{title = title, xticks = false, yticks = false, grid = false, ratio = 0.6}
    return fig:add("line", {x = {0, 1}, y = {0, 1}, alpha = 0})
  end
  return blank(("%s, %s: not run"):format(common.titles[set:column("data")[1]], rule[2])), blank()
end

-- Two rows of panels for a data set.
local function add_set(panels, set, looks, shown)
  local found, last = {}, math.max(table.unpack(set:column("iteration")))
  for i, rule in ipairs(shown) do
    local rows = of_rule(set, rule)
    found[i] = rows.rows > 0 and {pair_of(rows, looks, rule, last)} or {nothing(set, rule)}
  end
  for row = 1, 2 do for _, panel in ipairs(found) do panels[#panels + 1] = panel[row] end end
end

return function(source)
  local columns = {"data", "rule", "seed", "iteration", "steps", "accuracy"}
  local all = {}
  for i, folder in ipairs{"adaption", "adaption-mnist"} do
    all[i] = {traces = common.read(source, folder .. "/traces.csv", columns),
      looks = source:has(folder .. "/probes.csv") and common.read(source, folder .. "/probes.csv",
        {"data", "rule", "seed", "iteration", "next"})}
  end
  local shown = {}
  for _, rule in ipairs(rules) do
    if of_rule(all[1].traces, rule).rows > 0 then shown[#shown + 1] = rule end
  end
  local panels = {columns = #shown, legend = "shared",
    note = common.note(all[1].traces, all[2].traces)}
  for _, part in ipairs(all) do
    for _, set in ipairs(common.split(part.traces, "data")) do add_set(panels, set, part.looks, shown) end
  end
  for seed = 1, 5 do
    panels[1]:add("entry", {name = ("seed %d"):format(seed), color = seed, dash = 1})
  end
  return plot.panels(panels)
end
