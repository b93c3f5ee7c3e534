-- Figures of the experiment on nested spheres (figures 5 to 8 of Dupont, Doucet & Teh, "Augmented Neural
-- ODEs").
--
--   ./tide plots/anode/spheres.lua DIR [OUTDIR]
--   dofile("plots/anode/spheres.lua")(dir, outdir) -> list of pictures
--
-- Reads from DIR those files that are there, and draws into OUTDIR (default: DIR):
--   loss.csv      model,seed,epoch,loss,nfe_forward,nfe_backward,seconds   -> loss.png, nfe.png
--   flows.csv     model,point,class,t,x,y rows of a point in order of t; y absent or nan: one dimension,
--                 drawn over t
--   field.csv     model,t,x,y,u,v          the field on a grid; in the plane the smallest t is drawn;
--                 y, v absent or nan as above   -> flows.png (from flows.csv, field.csv if there)
--   features.csv  model,stage,class,x,y    stage is input | features       -> features.png
-- Classes -1 and 1 are the two values of g; nfe of models that are no ODE is nan or 0.

local csv = require "tide.csv"
local files = require "tide.files"
local plot = require "tide.plot"

local sign_classes = {{value = -1, name = "g(x) = −1", color = "blue"},
  {value = 1, name = "g(x) = 1", color = "vermillion"}}

local function classes_of(data)
  for _, class in ipairs(data:column("class")) do
    if class ~= -1 and class ~= 1 then return nil end
  end
  return sign_classes
end

local function has_numbers(data, name)
  if not data:has(name) then return false end
  for _, v in ipairs(data:column(name)) do if v == v then return true end end
  return false
end

local function band_figure(data, looks, y, axes)
  local fig = plot.figure(axes)
  local groups = plot.runs(data, {x = "epoch", y = y, bins = 300})
  if groups[1] then fig:axes{title = plot.band_caption(groups)} end
  for _, group in ipairs(groups) do
    fig:add("band", {runs = group.runs, name = group.name, style = looks[group.name]})
  end
  return #groups > 0 and fig or nil
end

-- Rows of the field that belong to one panel: all of them over t, the earliest time in the plane.
local function add_field(fig, field, planar)
  if not field then return end
  local t, x, u = field:column("t"), field:column("x"), field:column("u")
  if not planar then
    local ones = {}
    for i = 1, #t do ones[i] = 1 end
    fig:add("field", {x = t, y = x, u = ones, v = u, equal = true})
    return
  end
  local first, y, v = t[1], field:column("y"), field:column("v")
  for _, time in ipairs(t) do first = math.min(first, time) end
  local rows = {x = {}, y = {}, u = {}, v = {}}
  for i = 1, #t do
    if t[i] == first then
      local k = #rows.x + 1
      rows.x[k], rows.y[k], rows.u[k], rows.v[k] = x[i], y[i], u[i], v[i]
    end
  end
  fig:add("field", rows)
end

local function by_model(data)
  local found = {}
  if data then for _, group in ipairs(data:group("model")) do found[group.key.model] = group end end
  return found
end

local function flow_figure(flows, field, note)
  local panels, fields = {}, by_model(field)
  for _, group in ipairs(flows:group("model")) do
    local planar = has_numbers(group, "y")
    local fig = plot.figure{title = plot.escape(group.key.model), markup = true, ratio = planar and "square"
      or 0.9,
      xlabel = planar and "x_1" or "time t", ylabel = planar and "x_2" or "x(t)"}
    add_field(fig, fields[group.key.model], planar)
    fig:add("trajectories", {x = group:column(planar and "x" or "t"), y = group:column(planar and "y" or "x"),
      id = group:column("point"), class = group:column("class"), classes = classes_of(flows), alpha = 0.85})
    panels[#panels + 1] = fig
  end
  panels.legend, panels.note = "shared", note
  return plot.panels(panels)
end

local function zeros(n)
  local out = {}
  for i = 1, n do out[i] = 0 end
  return out
end

local stages = {{"input", "before the flow", "x_%d"}, {"features", "after the flow", "feature %d"}}

local function feature_figure(features, note)
  local panels = {columns = 2, legend = "shared", note = note, width = 640}
  for _, group in ipairs(features:group("model")) do
    local by_stage = {}
    for _, stage in ipairs(group:group("stage")) do by_stage[stage.key.stage] = stage end
    for _, stage in ipairs(stages) do
      local points = by_stage[stage[1]]
      if not points then
        error(("%s: model %s has no stage %s"):format(features.path, group.key.model, stage[1]), 0)
      end
      local planar = has_numbers(points, "y")
      local label = stage[3]
      local fig = plot.figure{title = ("%s, %s"):format(plot.escape(group.key.model), stage[2]),
        markup = true, ratio = planar and 0.9 or 0.22,
        xlabel = label:format(1), ylabel = planar and label:format(2) or nil}
      if not planar then fig:axes{yrange = {-1, 1}, yticks = false} end
      fig:add("scatter", {x = points:column("x"), y = planar and points:column("y") or zeros(points.rows),
        class = points:column("class"), classes = classes_of(features), size = 0.9})
      panels[#panels + 1] = fig
    end
  end
  return plot.panels(panels)
end

local function draw(dir, outdir)
  outdir = outdir or dir
  local drawn = {}
  local function read(name, columns)
    local path = files.join(dir, name)
    if files.exists(path) then return csv.read(path, columns) end
  end
  local function save(fig, name) drawn[#drawn + 1] = fig and fig:save(files.join(outdir, name)) end
  local function note(data) return table.concat(data.comments, "\n") end

  local loss = read("loss.csv", {"model", "seed", "epoch", "loss", "nfe_forward"})
  if loss then
    local looks = plot.looks(loss:column("model"))
    save(band_figure(loss, looks, "loss", {xlabel = "epoch", ylabel = "training loss", ylog = true,
      note = note(loss)}), "loss.png")
    save(band_figure(loss, looks, "nfe_forward", {xlabel = "epoch", ylabel = "function evaluations (forward)",
      note = note(loss)}),
      "nfe.png")
  end
  local flows = read("flows.csv", {"model", "point", "class", "t", "x"})
  local field = read("field.csv", {"model", "t", "x", "u"})
  if flows then save(flow_figure(flows, field, note(flows)), "flows.png") end
  local features = read("features.csv", {"model", "stage", "class", "x"})
  if features and features.rows > 0 then save(feature_figure(features, note(features)), "features.png") end
  if #drawn == 0 then error(dir .. " holds none of loss.csv, flows.csv, features.csv", 0) end
  return drawn
end

return plot.main(draw, "DIR [OUTDIR]", ...)
