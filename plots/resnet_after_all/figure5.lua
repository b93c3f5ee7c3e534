-- Figure 5: training with step adaption: test accuracy and number of steps over the iterations, all seeds, a
-- column per rule. The paper shows MNIST and CIFAR-10 for its rule; here are the synthetic data, for its
-- rule, the published code's and ours, and MNIST, whose trainings are short and few.

local common = dofile((debug.getinfo(1, "S").source:match("^@(.*/)") or "") .. "common.lua")
local plot = require "tide.plot"

local rules = {{"stated", "Algorithm 1"}, {"published", "published code"}, {"steady", "ours (steady)"}}

local function of_rule(data, rule) return data:where(function(r) return r.rule == rule[1] end) end

local function panel(rows, column, options)
  local fig = plot.figure(options)
  for _, seed in ipairs(common.split(rows, "seed")) do
    fig:add("line", {x = seed:column("iteration", 1000), y = seed:column(column),
      color = common.color(seed.key.seed, 5), linewidth = 1.2, dash = 1})
  end
  return fig
end

-- Steps after each look, and what its finer solver changed.
local function looks_of(seen)
  local taken, changed = {}, {}
  for k, look in ipairs(seen:records()) do
    taken[k] = look.next < 1 and math.ceil(1 / look.next - 1e-9) or look.next -- a step size, or a number
    changed[k] = look.test - look.train
  end
  return taken, changed
end

local function short_axes(set)
  local title = common.titles[set]
  return plot.figure{title = title .. ": solid as trained, dashed a tight solver", xlabel = "iteration",
      ylabel = "test accuracy", yrange = {0, 1}, ratio = 0.6},
    plot.figure{title = title .. ": steps after each look", xlabel = "iteration", ylabel = "Euler steps",
      ylog = true, ratio = 0.6},
    plot.figure{title = title .. ": what a finer solver changes", xlabel = "iteration",
      ylabel = "change of the accuracy", ratio = 0.6}
end

-- One training per rule: test accuracy, and what each look saw and did.
local function short(panels, traces, looks)
  local accuracy, steps, change = short_axes(traces:column("data")[1])
  for i, rule in ipairs(rules) do
    local rows, seen = of_rule(traces, rule), of_rule(looks, rule)
    if rows.rows > 0 then
      local marker = ({"circle", "diamond", "triangle"})[i]
      local function add(fig, x, y, dash)
        fig:add("line", {x = x, y = y, color = i, marker = marker, dash = dash or 1, size = 0.8})
      end
      add(accuracy, rows:column("iteration"), rows:column("accuracy"))
      add(accuracy, rows:column("iteration"), rows:column("accuracy_reference"), 2)
      local taken, changed = looks_of(seen)
      add(steps, seen:column("iteration"), taken)
      add(change, seen:column("iteration"), changed)
      accuracy:add("entry", {name = rule[2], color = i, marker = marker, size = 0.8})
    end
  end
  local last = traces:column("iteration")[traces.rows]
  for _, limit in ipairs{-0.1, 0.1} do
    change:add("line", {x = {0, last}, y = {limit, limit}, color = "gray", linewidth = 1, dash = 3})
  end
  for _, fig in ipairs{accuracy, steps, change} do panels[#panels + 1] = fig end
end

return function(source)
  local data = common.read(source, "adaption/traces.csv", {"data", "rule", "seed", "iteration", "steps",
    "accuracy"})
  local panels = {columns = 3, legend = "shared", note = common.note(data),
    title = "Step adaption: a colour per seed; last row one seed, a colour per rule"}
  for _, set in ipairs(common.split(data, "data")) do
    for _, column in ipairs{{"accuracy", "test accuracy"}, {"steps", "Euler steps"}} do
      for _, rule in ipairs(rules) do
        local rows = of_rule(set, rule)
        if rows.rows > 0 then
          panels[#panels + 1] = panel(rows, column[1],
            {title = ("%s, %s"):format(common.titles[set.key.data], rule[2]), xlabel = "iteration / 1000",
            ylabel = column[2], ratio = 0.6, yrange = column[1] == "accuracy" and {0, 1} or nil,
            ylog = column[1] == "steps"})
        end
      end
    end
  end
  short(panels, common.read(source, "adaption-mnist/traces.csv",
    {"data", "rule", "iteration", "accuracy", "accuracy_reference"}),
    common.read(source, "adaption-mnist/probes.csv", {"rule", "iteration", "next", "train", "test"}))
  return plot.panels(panels)
end
