-- Why an ODE cannot map -1 to 1 and 1 to -1 (figure 3 of Dupont, Doucet & Teh, "Augmented Neural ODEs").
--
--   ./tide plots/anode/flip1d.lua DIR [OUTDIR]
--   dofile("plots/anode/flip1d.lua")(dir, outdir, name, title) -> list of pictures
--
-- Reads from DIR, draws flip1d.png into OUTDIR (default: DIR). Rows of a curve stand together, in order of t:
--   crossing.csv      t,x,curve         top left: the two curves that would have to cross
--   euler.csv         kind,curve,t,x    top right: kind is ode (solid) | euler (dashed, one row per step)
--   field.csv         task,t,x,u        bottom: the learned field dx/dt = u on a grid; a panel per task
--   trajectories.csv  task,curve,t,x    bottom: learned trajectories
-- Curves that start at the same side have the same colour: below zero vermillion, above blue, as in the
-- paper.

local csv = require "tide.csv"
local files = require "tide.files"
local plot = require "tide.plot"

local titles = {identity = "Learned flow, identity", g1d = "Learned flow, g_{1d}(x)",
  g_1d = "Learned flow, g_{1d}(x)",
  flip = "Learned flow, g_{1d}(x)"}
local classes = {{value = "up", name = "starts at x < 0", color = "vermillion"},
  {value = "down", name = "starts at x > 0", color = "blue"}}

local function curves_of(data)
  local out = {}
  for i, curve in ipairs(data:group("curve")) do
    local t, x = curve:column("t"), curve:column("x")
    out[i] = {x = t, y = x, class = x[1] < 0 and "up" or "down"}
  end
  return out
end

local function axes(title)
  return plot.figure{title = title, markup = true, xlabel = "time t", ylabel = "x(t)", ratio = 0.8,
    pad = true}
end

local function crossing_panel(data)
  return axes("Required trajectories cross"):add("trajectories", {curves = curves_of(data), classes = classes,
    linewidth = 2})
end

local function euler_panel(data)
  local fig = axes("ODE solutions and Euler steps")
  for _, group in ipairs(data:group("kind")) do
    local kind = group.key.kind
    if kind ~= "ode" and kind ~= "euler" then
      error(("%s: kind must be ode or euler, got %s"):format(data.path, kind), 0)
    end
    for _, curve in ipairs(curves_of(group)) do
      local color = curve.class == "up" and "vermillion" or "blue"
      local look = kind == "ode" and {dash = 1, linewidth = 2}
        or {dash = {8, 4}, linewidth = 1.5, marker = "circle", size = 0.9}
      fig:add("line", {x = curve.x, y = curve.y, color = color, dash = look.dash, linewidth = look.linewidth,
        marker = look.marker,
        size = look.size})
    end
  end
  -- In gray: what these entries tell is the dash, not the colour.
  fig:add("entry", {name = "ODE solution", color = "gray", dash = 1})
  return fig:add("entry", {name = "Euler steps", color = "gray", dash = {8, 4}, marker = "circle",
    linewidth = 1.5})
end

local function task_panel(field, trajectories)
  local task = field.key.task
  local ones = {}
  for i = 1, field.rows do ones[i] = 1 end
  local fig = axes(titles[task] or ("Learned flow, " .. plot.escape(task)))
  fig:add("field", {x = field:column("t"), y = field:column("x"), u = ones, v = field:column("u"),
    equal = true})
  if trajectories then
    fig:add("trajectories", {curves = curves_of(trajectories), classes = classes, linewidth = 2})
  end
  return fig
end

local function draw(dir, outdir, name, title)
  local function read(file, columns) return csv.read(files.join(dir, file), columns) end
  local crossing = read("crossing.csv", {"t", "x", "curve"})
  local trajectories = {}
  for _, group in ipairs(read("trajectories.csv", {"task", "curve", "t", "x"}):group("task")) do
    trajectories[group.key.task] = group
  end
  local panels = {crossing_panel(crossing), euler_panel(read("euler.csv", {"kind", "curve", "t", "x"}))}
  for _, field in ipairs(read("field.csv", {"task", "t", "x", "u"}):group("task")) do
    panels[#panels + 1] = task_panel(field, trajectories[field.key.task])
  end
  panels.columns, panels.legend, panels.note = 2, "shared", table.concat(crossing.comments, "\n")
  panels.width, panels.title = 700, title
  return {plot.panels(panels):save(files.join(outdir or dir, (name or "flip1d") .. ".png"))}
end

return plot.main(draw, "DIR [OUTDIR]", ...)
