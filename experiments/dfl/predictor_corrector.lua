--- Predictor and corrector (Quarteroni, Sacco, Saleri 11.7): order, error estimate, stability.

local dfl = dofile((arg[0]:match("^(.*)/") or ".") .. "/common.lua")
local tide = require "tide"
local theory = tide.theory

-- Logistic growth.
local function f(_, y) return y * (1 - y) end
local function exact(t) return 1 / (1 + 4 * math.exp(-t)) end

local function accuracy(report, n)
  local cells, rows = {}, {}
  for k = 1, 5 do
    local list = {}
    for i, method in ipairs{{"adams_bashforth", order = k}, {"abm", order = k}, {"adams_moulton",
      order = k}} do
      list[i] = theory.convergence{f = f, exact = exact, y0 = exact(0), t = {0, 4}, method = method,
        steps = {n,
        2 * n}}
      rows[#rows + 1] = {method = method[1], order = k, h = list[i][2].h, error = list[i][2].error,
        observed = list[i][2].order}
    end
    cells[k] = {k, dfl.e(list[1][2].error), ("%.2f"):format(list[1][2].order), dfl.e(list[2][2].error),
      ("%.2f"):format(list[2][2].order), dfl.e(list[3][2].error), ("%.2f"):format(list[3][2].order)}
  end
  report:table({"k", "AB", "order", "PECE", "order", "AM", "order"}, cells)
  report:csv("predictor_corrector", {"method", "order", "h", "error", "observed"}, rows)
end

-- Milne's device: one step from exact values, AB2 predicts, AM2 (order 2) corrects.
local function milne(report)
  local cp, cc = theory.error_constant{"adams_bashforth", order = 2}, theory.error_constant{"adams_moulton",
    order = 2}
  local cells = {}
  for i = 1, 6 do
    local h, t = 0.2 * 0.5 ^ i, 0.7
    local y0, y1 = exact(t - h), exact(t)
    local f0, f1 = f(t - h, y0), f(t, y1)
    local predicted = y1 + h * (3 * f1 - f0) / 2
    local corrected = y1 + h * (f1 + f(t + h, predicted)) / 2
    local estimate, true_error = cc / (cp - cc) * (corrected - predicted), exact(t + h) - corrected
    cells[i] = {("%g"):format(h), dfl.e(true_error), dfl.e(estimate), ("%.3f"):format(estimate / true_error)}
  end
  report:say("Milne's device, C_c / (C_p - C_c) (y_c - y_p) with C_p = %.4f, C_c = %.4f, in one step from "
    .. "exact values:",
    cp, cc)
  report:table({"h", "error of the step", "estimate", "ratio"}, cells)
end

local function stability(report)
  local cells = {}
  for k = 1, 5 do
    local row = {k}
    for i, name in ipairs{"adams_bashforth", "abm", "adams_moulton"} do
      row[i + 1] = ("%.3f"):format((theory.intervals{name, order = k}))
    end
    cells[k] = row
  end
  report:say("Interval of stability on the negative axis, from 0 to minus:")
  report:table({"k", "AB", "PECE", "AM"}, cells)
end

local function evidence(o, report)
  report:say("y' = y (1 - y), y(0) = 1/5, to t = 4, %d steps, and the order observed from half as many:",
    2 * o.n)
  accuracy(report, o.n)
  milne(report)
  stability(report)
end

dfl.run({name = "predictor_corrector", title = "Predictor and corrector, PECE (Quarteroni 11.7)",
  options = {{"n", 160, "steps of the coarser of two solves"}},
  claim = [[An Adams-Bashforth predictor of order k and one correction by Adams-Moulton of order k have order
    k and the error constant of the corrector, for two evaluations a step and without solving equations. The
    difference of the two estimates the error (Milne). The region of stability is not the corrector's.]],
  slip = [[Optional reading without exercise. Worth seeing: from k = 2 on PECE is stable further than
    Adams-Bashforth, but far from the implicit corrector; its stability polynomial has z^2 in it.]],
  evidence = evidence}, arg)
