-- Figure 5: training with step adaption: test accuracy and number of steps over the iterations, all seeds, a
-- column per rule. The paper shows MNIST and CIFAR-10 for its rule; here are the synthetic data, for its
-- rule, the published code's and ours, and MNIST, whose trainings are short and few.

local common = dofile((debug.getinfo(1, "S").source:match("^@(.*/)") or "") .. "common.lua")
local plot = require "tide.plot"

local rules = {{"stated", "Algorithm 1"}, {"published", "published code"}, {"steady", "ours (steady)"}}

local function panel(rows, column, options)
  local fig = plot.figure(options)
  for _, seed in ipairs(common.split(rows, "seed")) do
    fig:add("line", {x = common.thousands(seed, "iteration"), y = common.column(seed, column),
      color = common.color(seed.key, 5), linewidth = 1.2, dash = 1})
  end
  return fig
end

-- One training per rule: test accuracy, and what each look saw and did.
local function short(panels, traces, looks)
  local title = common.titles[traces[1].data]
  local accuracy = plot.figure{title = title .. ": solid as trained, dashed a tight solver",
    xlabel = "iteration", ylabel = "test accuracy", yrange = {0, 1},
    ratio = 0.6}
  local steps = plot.figure{title = title .. ": steps after each look", xlabel = "iteration",
    ylabel = "Euler steps", ylog = true, ratio = 0.6}
  local change = plot.figure{title = title .. ": what a finer solver changes", xlabel = "iteration",
    ylabel = "change of the accuracy", ratio = 0.6}
  for i, rule in ipairs(rules) do
    local function of_rule(rows)
      local list = {}
      for _, row in ipairs(rows) do if row.rule == rule[1] then list[#list + 1] = row end end
      return list
    end
    local rows, seen = of_rule(traces), of_rule(looks)
    if #rows > 0 then
      local style = {color = i, marker = ({"circle", "diamond", "triangle"})[i], dash = 1}
      local function add(fig, x, y, dash)
        fig:add("line", {x = x, y = y, color = style.color, marker = style.marker, dash = dash or 1,
          size = 0.8})
      end
      add(accuracy, common.column(rows, "iteration"), common.column(rows, "accuracy"))
      add(accuracy, common.column(rows, "iteration"), common.column(rows, "accuracy_reference"), 2)
      local taken, changed = {}, {}
      for k, look in ipairs(seen) do
        -- a step size, or a number of steps
        taken[k] = look.next < 1 and math.ceil(1 / look.next - 1e-9) or look.next
        changed[k] = look.test - look.train
      end
      add(steps, common.column(seen, "iteration"), taken)
      add(change, common.column(seen, "iteration"), changed)
      accuracy:add("entry", {name = rule[2], color = style.color, marker = style.marker, size = 0.8})
    end
  end
  change:add("line", {x = {0, traces[#traces].iteration}, y = {-0.1, -0.1}, color = "gray", linewidth = 1,
    dash = 3})
  change:add("line", {x = {0, traces[#traces].iteration}, y = {0.1, 0.1}, color = "gray", linewidth = 1,
    dash = 3})
  for _, fig in ipairs{accuracy, steps, change} do panels[#panels + 1] = fig end
end

return common.main("figure5", function(results)
  local panels = {columns = 3, legend = "shared",
    title = "Step adaption: a colour per seed; last row one seed, a colour per rule"}
  local data = common.read(results, "adaption/traces.csv", {"data", "rule", "seed", "iteration", "steps",
    "accuracy"})
  for _, set in ipairs(data and common.split(common.rows(data), "data") or {}) do
    for _, column in ipairs{{"accuracy", "test accuracy"}, {"steps", "Euler steps"}} do
      for _, rule in ipairs(rules) do
        local rows = {}
        for _, row in ipairs(set) do if row.rule == rule[1] then rows[#rows + 1] = row end end
        if #rows > 0 then
          panels[#panels + 1] = panel(rows, column[1],
            {title = ("%s, %s"):format(common.titles[set.key], rule[2]), xlabel = "iteration / 1000",
            ylabel = column[2], ratio = 0.6, yrange = column[1] == "accuracy" and {0, 1} or nil,
            ylog = column[1] == "steps"})
        end
      end
    end
    panels.note = table.concat(data.comments, "\n")
  end
  local traces = common.read(results, "adaption-mnist/traces.csv",
    {"data", "rule", "iteration", "accuracy", "accuracy_reference"})
  local looks = common.read(results, "adaption-mnist/probes.csv",
    {"rule", "iteration", "next", "train", "test"})
  if traces and looks then short(panels, common.rows(traces), common.rows(looks)) end
  return #panels > 0 and plot.panels(panels) or nil
end, ...)
