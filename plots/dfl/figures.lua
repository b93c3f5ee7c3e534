-- The figures of Depth First Learning's sections 1, 2 and 6, from the committed results:
--
--   ./tide plots/dfl/figures.lua stability theta | all  [--out FOLDER] [--results FOLDER]
--
-- A row: the name of the exercise, drawing function, its arguments.

local here = debug.getinfo(1, "S").source:match("^@(.*/)") or ""
local plot = require "tide.plot"
local regions, curves, fields = dofile(here .. "regions.lua"), dofile(here .. "curves.lua"), dofile(here
  .. "fields.lua")
local flows = dofile(here .. "flows.lua")

return plot.figures({
  {"stability", regions.all, title = "regions of absolute stability of six families"},
  {"convergence", curves.convergence, title = "errors against step sizes, each method's order as slope"},
  {"heun", curves.heun, title = "11.12.1: the truncation error of Heun's method"},
  {"picard", curves.picard, title = "12.3: Picard's iterates"},
  {"fifth_root", curves.fifth_root, title = "12.4: explicit and implicit Euler on y' = y^(1/5)"},
  {"trapezoid", curves.trapezoid, title = "12.7: error and bound of the trapezium rule"},
  {"theta", curves.theta, title = "the theta method: error against theta"},
  {"multistep_12_11", curves.growth, "order 4, root 9.90", title = "12.11: errors that grow"},
  {"multistep_12_12", curves.growth, "order 1, root 1.62", title = "12.12: errors that grow"},
  {"gauss", regions.gauss, title = "12.19: |R(z)| of the two-stage Gauss method"},
  {"predictor_corrector", curves.predictor_corrector, title = "Adams-Bashforth, PECE, Adams-Moulton"},
  {"richardson", curves.richardson, title = "Euler's method, extrapolated"},
  {"adjoint", curves.adjoint, title = "section 5: where the way back in time fails"},
  {"audit", curves.audit, title = "section 5: every kind of gradient over the tolerance"},
  {"automatic", fields.automatic, title = "where van der Pol's oscillator is stiff"},
  {"cnf", flows.densities, title = "section 6: densities of flows on their way, and samples"},
  {"cnf_training", flows.training, title = "section 6: what their training costs"},
  {"spectra", fields.spectra, title = "h J of trained fields on the region of Euler's method"},
  results = "experiments/dfl/results", out = "runs/dfl/figures",
  made_by = {{"^([%w_]+)/", "./tide experiments/dfl/NAME.lua, with the name of the folder"}},
}, ...)
