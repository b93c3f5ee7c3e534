-- The figures of *Augmented Neural ODEs*, from the tables that the experiments have left in runs/anode:
--
--   ./tide plots/anode/figures.lua 3 spheres-d2 | all  [--out FOLDER] [--results FOLDER]
--
-- A row: number or name, drawing function, its arguments. Pictures lie in a folder per row, beside the tables
-- unless --out names another place.

local here = debug.getinfo(1, "S").source:match("^@(.*/)") or ""
local files = require "tide.files"
local plot = require "tide.plot"

-- Drawn by a pipeline of this folder from a folder of tables.
local function pipeline(name)
  local draw = dofile(here .. name .. ".lua")
  return function(source, folder) return draw(source:path(folder), files.join(source.out, folder)) end
end
local flip1d, spheres = pipeline "flip1d", pipeline "spheres"

return plot.figures({
  {3, flip1d, "flip1d", title = "a flow on the line cannot swap two points"},
  {"spheres-d1", spheres, "spheres-d1", title = "g(x) on the line: losses, evaluations, flows"},
  {"spheres-d2", spheres, "spheres-d2", title = "g(x) in the plane: the same and features (figures 5 to 8)"},
  results = "runs/anode", out = "runs/anode",
  made_by = {
    {"^flip1d", "./tide experiments/anode/flip1d.lua"},
    {"^spheres%-d1", "./tide experiments/anode/spheres.lua --dim 1"},
    {"^spheres%-d2", "./tide experiments/anode/spheres.lua"},
  },
}, ...)
