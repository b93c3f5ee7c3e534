-- The report of tide.ode.validity as a picture: accuracy, labels that differ from the training solver's, and
-- distance of the final states to a tight reference solve, against the test solvers' steps or tolerances;
-- means over the models, bars are one deviation.
--
--   ./tide plots/validity.lua FILE.csv [PICTURE]
--
-- FILE.csv is written by report:write("FILE.csv"); PICTURE is FILE.png unless given.

local csv = require "tide.csv"
local plot = require "tide.plot"

local looks = {{color = "blue", marker = "circle", dash = 1},
  {color = "vermillion", marker = "square", dash = {12, 4}},
               {color = "green", marker = "triangle", dash = {4, 3}},
               {color = "pink", marker = "diamond", dash = {12, 4, 3, 4}}}
local columns = {{"accuracy", "accuracy"}, {"flips", "share of changed labels"},
  {"distance", "distance to the reference"}}

-- x, y and bars of one method, in order of x; what has no number is left out.
local function curve(group, name)
  local order, out = {}, {x = {}, y = {}, low = {}, high = {}}
  for i = 1, group.rows do order[i] = i end
  local x, y, deviation = group:column("setting"), group:column(name), group:column(name .. "_std")
  table.sort(order, function(a, b) return x[a] < x[b] end)
  for _, i in ipairs(order) do
    if y[i] == y[i] then
      local k = #out.x + 1
      local bar = deviation[i] == deviation[i] and deviation[i] or 0
      out.x[k], out.y[k], out.low[k], out.high[k] = x[i], y[i], math.max(0, y[i] - bar), y[i] + bar
    end
  end
  return out
end

-- The steps that were tested, as numbers: there are few, and none is a power of ten.
local function ticks(data)
  local seen, out = {}, {}
  for _, v in ipairs(data:column("setting")) do
    if v == v and not seen[v] then
      seen[v], out[#out + 1] = true, {v, ("%d"):format(v)}
    end
  end
  return out
end

local function draw(path, picture)
  local data = csv.read(path, {"method", "setting", "trained", "adaptive", "accuracy", "accuracy_std",
    "flips", "flips_std", "distance", "distance_std"})
  local panels = {columns = 3, legend = "shared", note = table.concat(data.comments, "\n")}
  local adaptive = data:column("adaptive")[1] == 1
  for p, column in ipairs(columns) do
    local fig = plot.figure{xlabel = adaptive and "tolerance of the test" or "steps of the test",
      ylabel = column[2], xlog = true, ratio = 0.8,
      yrange = p < 3 and {0, 1} or nil, xticks = not adaptive and ticks(data) or nil}
    local some = false
    for i, group in ipairs(data:group("method")) do
      local c = curve(group, column[1])
      if #c.x > 0 and c.x[1] == c.x[1] then
        local look = looks[(i - 1) % #looks + 1]
        fig:add("line", {x = c.x, y = c.y, low = c.low, high = c.high, name = tostring(group.key.method),
          color = look.color, marker = look.marker,
          dash = look.dash})
        some = true
      end
      for k = 1, group.rows do
        if group:column("trained")[k] == 1 and group:column(column[1])[k] == group:column(column[1])[k] then
          fig:add("scatter", {x = {group:column("setting")[k]}, y = {group:column(column[1])[k]},
            color = "black", marker = "circle", size = 2,
            name = p == 1 and "solver of the training" or nil})
        end
      end
    end
    if some then panels[#panels + 1] = fig end
  end
  return plot.panels(panels):save(picture or path:gsub("%.csv$", "") .. ".png")
end

return plot.main(draw, "FILE.csv [PICTURE]", ...)
