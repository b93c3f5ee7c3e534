-- The diagrams of *Augmented Neural ODEs* (figures 2, 4, 15, 16), drawn by gnuplot; they need no data.

local plot = require "tide.plot"

local M = {}

local function canvas(title, xrange, yrange)
  return plot.figure{title = title, xrange = xrange, yrange = yrange, ratio = "equal", xticks = false,
    yticks = false, grid = false, legend = "none"}:raw("unset border"):raw("unset label"):raw("unset arrow")
end

local function label(fig, x, y, text, place)
  return fig:raw(('set label "%s" at %g,%g %s front'):format(text, x, y, place or "center"))
end

local function arrow(fig, x1, y1, x2, y2)
  return fig:raw(("set arrow from %g,%g to %g,%g filled size graph 0.02,20 lw 1.5 front"):format(x1, y1, x2,
    y2))
end

-- A closed curve r(angle) around a centre, filled.
local function blob(fig, cx, cy, radius, color, opacity)
  local x, low, high, n = {}, {}, {}, 120
  for i = 0, n do -- its upper and lower halves over the same x
    local angle = math.pi * i / n
    x[i + 1] = cx + radius(0) * math.cos(angle)
    high[i + 1] = cy + radius(angle) * math.sin(angle)
    low[i + 1] = cy - radius(-angle) * math.sin(angle)
  end
  fig:add("band", {x = x, low = low, high = high, color = color, opacity = opacity})
  fig:add("line", {x = x, y = high, color = color == "white" and "vermillion" or color, linewidth = 1.5})
  return fig:add("line", {x = x, y = low, color = color == "white" and "vermillion" or color,
    linewidth = 1.5})
end

local function round(r) return function() return r end end

-- The data of g(x): inner ball A, white gap, shell B.
local function regions(fig)
  blob(fig, 0, 0, round(1.5), "vermillion", 0.35)
  blob(fig, 0, 0, round(1), "white", 1)
  blob(fig, 0, 0, round(0.5), "blue", 0.35)
  return label(label(fig, 0, 0.25, "A"), 0, 1.25, "B")
end

local function box(fig, x, text)
  fig:add("line", {x = {x - 0.8, x + 0.8, x + 0.8, x - 0.8, x - 0.8}, y = {-0.4, -0.4, 0.4, 0.4, -0.4},
    color = "blue", linewidth = 2})
  return label(fig, x, 0, text)
end

--- Figure 2: an ODE layer, then a linear one.
function M.architecture()
  local fig = canvas("g(x) = L({/Symbol f}(x)): an ODE layer, then a linear layer", {-0.6, 7.6}, {-0.8, 0.8})
  fig:axes{markup = true}
  box(fig, 2, "ODE layer")
  box(fig, 5, "linear layer L")
  for _, at in ipairs{{0.1, 1.1}, {2.9, 4.1}, {5.9, 6.7}} do arrow(fig, at[1], 0, at[2], 0) end
  label(label(label(fig, -0.2, 0, "x"), 3.5, 0.25, "{/Symbol f}(x)"), 7.1, 0, "g(x)")
  return plot.panels{fig, width = 640}
end

local function radii(fig)
  for i, r in ipairs{0.5, 1, 1.5} do
    local angle = math.rad(20 - 45 * i)
    arrow(fig, 0, 0, r * math.cos(angle), r * math.sin(angle))
    label(fig, (r + 0.16) * math.cos(angle), (r + 0.16) * math.sin(angle), "r_" .. i)
  end
  return fig
end

--- Figure 4: g(x) in the plane.
function M.g()
  local fig = canvas("g(x) = −1 in A (|x| ≤ r_1), 1 in B (r_2 ≤ |x| ≤ r_3)", {-1.9, 1.9}, {-1.9, 1.9})
  fig:axes{markup = true}
  return plot.panels{radii(regions(fig)), width = 480}
end

--- Figure 15: g(x), and features that a linear layer could read.
function M.needed_map()
  local before = regions(canvas("(a) input: A inside B", {-1.9, 1.9}, {-1.9, 1.9}))
  local after = canvas("(b) features that could be read", {-1.9, 1.9}, {-1.9, 1.9})
  blob(after, -1, -0.3, round(0.5), "blue", 0.35)
  blob(after, 1, 0.3, round(0.75), "vermillion", 0.35)
  after:add("line", {x = {-0.5, 0.2}, y = {1.7, -1.7}, color = "black", dash = {8, 5}})
  label(label(label(after, -1, -0.3, "{/Symbol f}(A)"), 1, 0.3, "{/Symbol f}(B)"), 0.3, -1.5, "a hyperplane",
    "left")
  return plot.panels{before, after, columns = 2, width = 760}
end

--- Figure 16: why a homeomorphism cannot do it: the inside stays inside.
function M.disk()
  local function bent(a) return 1 + 0.22 * math.sin(2 * a) * math.sin(a) ^ 2 end
  local a = canvas("(a) the disk D and its boundary", {-1.6, 1.6}, {-1.9, 1.6})
  label(label(blob(a, 0, 0, round(1), "vermillion", 0.2), 0, 0, "int(D)"), 0.78, -0.78, "∂D", "left")
  local b = canvas("(b) a homeomorphism of it", {-1.6, 1.6}, {-1.9, 1.6})
  label(label(blob(b, 0, 0, bent, "vermillion", 0.2), 0, 0, "int({/Symbol f}(D))"), 0.88, -0.78,
    "∂{/Symbol f}(D)", "left")
  local c = canvas("(c) boundary above a hyperplane: so is the inside", {-1.6, 1.6}, {-1.9, 1.6})
  blob(c, 0, 0, bent, "vermillion", 0.2)
  c:add("line", {x = {-1.5, 1.5}, y = {-1.2, -1.5}, color = "black", dash = {8, 5}})
  c:add("line", {x = {-0.866, 0.06, 0.985}, y = {0.476, 0.15, -0.173}, color = "blue", marker = "circle",
    size = 1.4})
  label(label(label(c, -0.95, 0.62, "x_1"), 0.1, 0.35, "x"), 1.15, -0.1, "x_2")
  for _, fig in ipairs{a, b, c} do fig:axes{markup = true} end
  return plot.panels{a, b, c, columns = 3, width = 1000}
end

return M
