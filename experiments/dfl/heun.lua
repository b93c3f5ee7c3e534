--- Quarteroni, Sacco, Saleri, exercise 11.12.1: the truncation error of Heun's method.

local dfl = dofile((arg[0]:match("^(.*)/") or ".") .. "/common.lua")
local tide = require "tide"

-- y' = y cos t, y = exp(sin t): f is Lipschitz in y with L = 1.
local function f(t, y) return y * math.cos(t) end
local function exact(t) return math.exp(math.sin(t)) end

local function evidence(o, report)
  local t, rows, cells = 0.5, {}, {}
  local lists = {E1 = {}, E2 = {}, tau = {}}
  for i = 1, o.halvings do
    local h = 0.5 ^ i
    local y0, y1 = exact(t), exact(t + h)
    local f0, f1 = f(t, y0), f(t + h, y1)
    local euler = y0 + h * f0
    local E1 = y1 - y0 - h / 2 * (f0 + f1) -- the integral of y' is y1 - y0
    local E2 = h / 2 * (f1 - f(t + h, euler))
    rows[i] = {h = h, E1 = math.abs(E1), E2 = math.abs(E2), bound = h / 2 * math.abs(y1 - euler),
      tau = math.abs((E1 + E2) / h)}
    for name, list in pairs(lists) do list[i] = rows[i][name] end
  end
  local p1, p2, p = dfl.orders(lists.E1), dfl.orders(lists.E2), dfl.orders(lists.tau)
  for i, r in ipairs(rows) do
    cells[i] = {("%g"):format(r.h), dfl.e(r.E1), p1[i], dfl.e(r.E2), dfl.e(r.bound), p2[i], dfl.e(r.tau),
      p[i]}
  end
  report:say("One step of y' = y cos t from the exact value at t = 0.5:")
  report:table({"h", "|E1|", "order", "|E2|", "its bound", "order", "|tau|", "order"}, cells)
  local order, missed = tide.theory.order "heun"
  report:say("tide.theory.order \"heun\": %d; %s.", order, missed)
  report:csv("heun", {"h", "E1", "E2", "bound", "tau"}, rows)
end

dfl.run({name = "heun", title = "Heun's method: the truncation error (Quarteroni 11.12.1)",
  options = {{"halvings", 10, "of the step"}},
  claim = [[h tau = E1 + E2, E1 the error of the trapezium rule, E2 what comes of taking f at Euler's point.
    E1 = O(h^3); |E2| <= h L / 2 |y(t + h) - y(t) - h f| = O(h^3). So tau = O(h^2): Heun's method has order
    2.]],
  slip = [[Right. The proof of E1 = O(h^3) is behind a link; it is the remainder of the trapezium rule, E1 =
    -h^3 / 12 y'''(xi). In the first display of E2 a bracket is not closed.]],
  evidence = evidence}, arg)
