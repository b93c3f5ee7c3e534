-- How the time of a training step grows: log-log curves with ideal slopes as guides.
--
--   ./tide plots/bench_scaling.lua DIR [OUTDIR]
--   dofile("plots/bench_scaling.lua")(dir, outdir) -> list of pictures
--
-- Reads DIR/scaling.csv (tests/bench/scaling.lua): sweep,model,value,seconds,fastest,slowest,gflops; draws
-- scaling.png into OUTDIR (default: DIR). A panel per sweep that is there; the last one shows the speed
-- against the width. Bars reach from the fastest to the slowest run.

local csv = require "tide.csv"
local files = require "tide.files"
local plot = require "tide.plot"

-- slope: of the time where all of it is arithmetic that the sweep multiplies. The guide goes through the
-- point at the end where that holds best: the largest problem, one thread.
local panels = {
  {sweep = "batch", title = "Batch", xlabel = "samples", slope = 1},
  {sweep = "width", title = "Width", xlabel = "hidden units, filters", slope = 2},
  {sweep = "steps", title = "Steps", xlabel = "Euler steps", slope = 1},
  {sweep = "threads", title = "Threads", xlabel = "threads", slope = -1},
  {sweep = "size", title = "Image size", xlabel = "pixels per side", slope = 2},
}
local looks = {MLP = {color = "blue", marker = "circle"}, conv = {color = "vermillion", marker = "square",
  dash = {12, 4}}}
local names = {MLP = "MLP 2-w-w-2", conv = "convolutions 1x1, 3x3, 1x1"}

local function scaled(list, factor)
  local out = {}
  for i, v in ipairs(list) do out[i] = v * factor end
  return out
end

-- Ticks at values that were measured, as numbers rather than powers of ten, and no more of them than have
-- room.
local function ticks(values)
  local list, out, last = {}, {}, 0
  for i, v in ipairs(values) do list[i] = v end
  table.sort(list)
  local apart = math.max(1.3, (list[#list] / list[1]) ^ (1 / 5.5))
  for _, v in ipairs(list) do
    if v >= apart * last then
      out[#out + 1], last = {v, ("%g"):format(v)}, v
    end
  end
  return out
end

-- The ideal line through point `at`, as far as the picture reaches anyway.
local function add_guide(fig, x, y, at, slope)
  local low, high = math.min(table.unpack(y)), math.max(table.unpack(y))
  local ends, heights = {x[1], x[#x]}, {}
  for i, v in ipairs(ends) do
    local height = math.max(low / 2, math.min(2 * high, y[at] * (v / x[at]) ^ slope))
    ends[i], heights[i] = x[at] * (height / y[at]) ^ (1 / slope), height
  end
  fig:add("line", {x = ends, y = heights, color = "gray", dash = {2, 4}, linewidth = 1.5,
    name = "ideal slope"})
end

local function add_curve(fig, model, x, y, low, high)
  local look = looks[model] or {}
  fig:add("line", {x = x, y = y, low = low, high = high, name = names[model] or model, color = look.color,
    dash = look.dash, marker = look.marker})
end

local function time_panel(group, spec)
  local fig = plot.figure{title = spec.title, xlabel = spec.xlabel, ylabel = "time of a step (ms)",
    xlog = true, ylog = true, ratio = 0.8, pad = true,
    xticks = ticks(group:column("value"))}
  for _, curve in ipairs(group:group("model")) do
    local x, y = curve:column("value"), scaled(curve:column("seconds"), 1e3)
    add_curve(fig, curve.key.model, x, y, scaled(curve:column("fastest"), 1e3),
      scaled(curve:column("slowest"), 1e3))
    if #x > 1 then add_guide(fig, x, y, spec.slope > 0 and #x or 1, spec.slope) end
  end
  return fig
end

local function speed_panel(group)
  local fig = plot.figure{title = "Speed", xlabel = "hidden units, filters", ylabel = "GFLOP/s", xlog = true,
    ylog = true, ratio = 0.8, pad = true,
    xticks = ticks(group:column("value"))}
  for _, curve in ipairs(group:group("model")) do
    add_curve(fig, curve.key.model, curve:column("value"), curve:column("gflops"))
  end
  return fig
end

local function draw(dir, outdir)
  local data = csv.read(files.join(dir, "scaling.csv"), {"sweep", "model", "value", "seconds", "fastest",
    "slowest", "gflops"})
  local by_sweep, figure = {}, {legend = "shared", note = table.concat(data.comments, "\n")}
  for _, group in ipairs(data:group("sweep")) do by_sweep[group.key.sweep] = group end
  for _, spec in ipairs(panels) do
    if by_sweep[spec.sweep] then figure[#figure + 1] = time_panel(by_sweep[spec.sweep], spec) end
  end
  if by_sweep.width then figure[#figure + 1] = speed_panel(by_sweep.width) end
  if #figure == 0 then error(data.path .. " holds no sweep that is known here", 0) end
  figure.columns = math.min(3, #figure)
  figure.width = 300 * figure.columns
  return {plot.panels(figure):save(files.join(outdir or dir, "scaling.png"))}
end

return plot.main(draw, "DIR [OUTDIR]", ...)
