-- What the draw of the data does (not in the paper): (a) how many model seeds are ODEs, (b) what the
-- adaptions take, for five draws of the spheres with five model seeds each.

local common = dofile((debug.getinfo(1, "S").source:match("^@(.*/)") or "") .. "common.lua")
local plot = require "tide.plot"

local rules = {{"stated", "Algorithm 1", "blue", "circle"},
  {"steady", "ours (steady)", "vermillion", "square"}, {"pairs", "ours (pairs)", "green", "triangle"}}
local PAPER = 100.5 -- evaluations of its table 1

-- Rows of two tables, of the first draw and of the others, with a column for the draw.
local function both(source, first, others, columns)
  local one, more = common.read(source, first, columns), common.read(source, others, columns)
  local list = one:where(function(r) return r.data == "spheres2" and r.method == "euler" end):records()
  table.move(more:records(), 1, more.rows, #list + 1, list)
  for _, r in ipairs(list) do r.draw = r.data_seed or 1 end
  return list, common.note(one, more),
    ("%d iterations, %d points"):format(list[1].iterations, list[1].points)
end

local function critical(list)
  local fig = plot.figure{title = "(a) ODEs among five model seeds", xlabel = "Euler steps of the training",
    ylabel = "model seeds that are ODEs", xlog = true, yrange = {-0.2, 5.2}, ratio = 0.7,
    xticks = {{32, "32"}, {64, "64"}, {128, "128"}}}
  local draws = {}
  for _, r in ipairs(list) do
    if r.setting >= 32 and r.setting <= 128 then
      draws[r.draw] = draws[r.draw] or {x = {}, y = {}}
      table.insert(draws[r.draw].x, r.setting)
      table.insert(draws[r.draw].y, r.valid)
    end
  end
  for draw, d in ipairs(draws) do
    fig:add("line", {x = d.x, y = d.y, style = draw, marker = "circle", name = ("data seed %d"):format(draw)})
  end
  return fig
end

local function evaluations(list)
  local fig = plot.figure{title = "(b) Step adaption", xlabel = "data seed",
    ylabel = "evaluations per iteration", xrange = {0.5, 5.5}, yrange = {0, 110},
    xticks = {1, 2, 3, 4, 5}, ratio = 0.7}
  fig:add("line", {x = {0.5, 5.5}, y = {PAPER, PAPER}, color = "black", dash = 2,
    name = "paper's mean"})
  for k, rule in ipairs(rules) do
    local seeds, means = {x = {}, y = {}}, {x = {}, y = {}}
    for draw = 1, 5 do
      local sum, n, at = 0, 0, draw + 0.22 * (k - 2)
      for _, r in ipairs(list) do
        if r.rule == rule[1] and r.draw == draw then
          sum, n = sum + r.nfe, n + 1
          table.insert(seeds.x, at)
          table.insert(seeds.y, r.nfe)
        end
      end
      means.x[draw], means.y[draw] = at, sum / n
    end
    fig:add("scatter", {x = seeds.x, y = seeds.y, color = rule[3], marker = rule[4], name = rule[2],
      size = 0.8})
    fig:add("scatter", {x = means.x, y = means.y, color = rule[3], marker = "plus", size = 2})
  end
  return fig
end

return function(source)
  local verdicts, grid, scale = both(source, "spheres2/verdicts.csv", "spheres2-data/verdicts.csv",
    {"data", "method", "setting", "valid"})
  local runs, adaption = both(source, "adaption/runs.csv", "adaption-draws/runs.csv",
    {"data", "method", "rule", "seed", "nfe"})
  return plot.panels{critical(verdicts), evaluations(runs), columns = 2, note = grid .. "\n" .. adaption,
    title = ("%s, %s, 5 draws x 5 model seeds\n(b) a mark per model seed, a plus for their mean"):format(
      common.titles.spheres2, scale)}
end
