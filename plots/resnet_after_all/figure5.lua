-- Figure 5: training with step adaption: test accuracy and number of steps over the iterations, all seeds, a column per rule. The paper shows MNIST and
-- CIFAR-10 for its rule; here are all data sets of results/adaption*, for its rule, the published code's and ours.

local common = dofile((debug.getinfo(1, "S").source:match("^@(.*/)") or "") .. "common.lua")
local plot = require "tide.plot"

local rules = {{"stated", "Algorithm 1"}, {"published", "published code"}, {"steady", "ours (steady)"}}

local function panel(rows, column, options)
  local fig = plot.figure(options)
  for _, seed in ipairs(common.split(rows, "seed")) do
    fig:add("line", {x = common.thousands(seed, "iteration"), y = common.column(seed, column), color = common.color(seed.key, 5), linewidth = 1.2, dash = 1})
  end
  return fig
end

return common.main("figure5", function(results)
  local panels = {columns = 3, legend = "none", title = "Step adaption: a colour per seed"}
  for _, folder in ipairs{"adaption", "adaption-mnist"} do
    local data = common.read(results, folder .. "/traces.csv", {"data", "method", "rule", "seed", "iteration", "steps", "accuracy"})
    for _, set in ipairs(data and common.split(common.rows(data), "data") or {}) do
      for _, column in ipairs{{"accuracy", "test accuracy"}, {"steps", "Euler steps"}} do
        for _, rule in ipairs(rules) do
          local rows = {}
          for _, row in ipairs(set) do if row.rule == rule[1] then rows[#rows + 1] = row end end
          if #rows > 0 then
            panels[#panels + 1] = panel(rows, column[1], {title = ("%s, %s"):format(common.titles[set.key], rule[2]), xlabel = "iteration / 1000",
              ylabel = column[2], ratio = 0.6,
              yrange = column[1] == "accuracy" and {0, 1} or nil, ylog = column[1] == "steps"})
          end
        end
      end
      panels.note = table.concat(data.comments, "\n")
    end
  end
  return #panels > 0 and plot.panels(panels) or nil
end, ...)
