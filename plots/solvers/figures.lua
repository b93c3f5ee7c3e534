-- What accuracy costs, Tide's solvers beside those of SciPy and CVODE, from the committed results:
--
--   ./tide plots/solvers/figures.lua stiff seconds nonstiff | all  [--out FOLDER] [--results FOLDER]
--
-- A row: name, drawing function, its arguments.

local here = debug.getinfo(1, "S").source:match("^@(.*/)") or ""
local plot = require "tide.plot"
local precision = dofile(here .. "precision.lua")

local stiff = {{"tide", "radau5"}, {"tide", "bdf"}, {"tide", "rodas4"}, {"scipy", "Radau"}, {"scipy", "BDF"},
  {"scipy", "LSODA"}, {"cvode", "bdf"}}
local seconds = {{"tide", "radau5"}, {"tide", "bdf"}, {"tide", "rodas4"}, {"cvode", "bdf"}}
local nonstiff = {{"tide", "dopri5"}, {"tide", "dop853"}, {"tide", "vern7"}, {"tide", "adams"},
  {"scipy", "RK45"}, {"scipy", "DOP853"}, {"scipy", "LSODA"}, {"cvode", "adams"}}

return plot.figures({
  {"stiff", precision.draw, {stiff = true, oscillating = true}, stiff, "evaluations",
    title = "stiff problems: evaluations over errors"},
  {"seconds", precision.draw, {stiff = true, oscillating = true}, seconds, "seconds",
    title = "stiff problems: time over errors"},
  {"nonstiff", precision.draw, {nonstiff = true}, nonstiff, "evaluations",
    title = "nonstiff problems: evaluations over errors"},
  results = "tests/bench/results", out = "runs/solvers/figures",
  made_by = {{"^stiff%.csv", "sh tests/bench/stiff.sh --csv tests/bench/results/stiff.csv"}},
}, ...)
