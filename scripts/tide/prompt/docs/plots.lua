--- Help about plots; see tide.docs.

local help = require "tide.help"

local define = help.define
local join = help.join

help.topic "Plots"
local figure = {{"width", nil, "logical pixels (1/96 inch)"},
  {"height", nil, "default: what the panels need"}, {"scale", 2, "png pixels per logical pixel"},
  {"fontsize", 12, ""}, {"note", nil, "comment for script and data"}}
local axes = {
  {"title", nil, "shown as it is written"}, {"xlabel", nil, ""}, {"ylabel", nil, ""},
  {"zlabel", nil, "of the colour box"}, {"zlog", false, "logarithmic colours"},
  {"zrange", nil, "{low, high} of the palettes of all series"},
  {"xlog", false, "logarithmic axis"}, {"ylog", false, ""}, {"xrange", nil, "{low, high}"},
  {"yrange", nil, ""},
  {"xticks", nil, "false, {0, 1} or {{0, \"zero\"}, ...}"}, {"yticks", nil, ""},
  {"ratio", nil, [[height over width, "equal" units, or "square"]]},
  {"legend", "above", [["above", "none", "top left", "top right", "bottom left",
    "bottom right"]], quote = true},
  {"markup", false, "gnuplot's markup in title, labels, ticks: x^2, x_1; see plot.escape"},
  {"pad", nil, "room between data and axes"}, {"grid", nil, ""}, {"colorbox", true, ""},
}
local pen = {
  {"name", nil, "in the legend"}, {"color", nil, "see plot.colors(), \"#rrggbb\", or a number"},
  {"style", nil, "line type 1..7: colour, dash and marker"},
  {"dash", nil, "gnuplot's dash type; {12, 4} is 12 on, 4 off"}, {"linewidth", nil, ""},
  {"marker", nil, "circle, square, triangle, ..."},
  {"size", 1, "of markers"}, {"alpha", 1, "opacity"},
}
local function pen_of(...)
  local rows = {}
  for _, name in ipairs{...} do
    for _, row in ipairs(pen) do if row[1] == name then rows[#rows + 1] = row end end
  end
  return rows
end
local plot_text = [[Options of figure (width, height, scale, fontsize, note) and axes (title, xlabel, xlog,
  ...; see plot.figure) go into the same table. A list inside the table makes several series. What is not
  finite leaves a gap, and a note in the picture counts it.]]
define{name = "plot.line", args = "opts", returns = "figure",
  options = join({{"x", nil, "list or 1-D tensor; default 1, 2, ..."},
    {"y", nil, "list or 1-D tensor", required = true}, {"low", nil, "error bars"},
    {"high", nil, ""}, {"every", nil, "a marker at every so many-th point"}}, pen),
  text = "Curves. " .. plot_text, example = "tide.plot.line{y = {3, 1, 2}, xlabel = \"step\"}"}
define{name = "plot.scatter", args = "opts", returns = "figure",
  options = join({{"x", nil, ""}, {"y", nil, "", required = true},
    {"class", nil, "a class per point: colour and marker by class"},
    {"classes", nil, "{{value =, name =, color =, marker =}, ...}"},
    {"value", nil, "a number per point: colour by palette"},
    {"palette", "viridis", "", quote = true}, {"rim", true, "a thin light rim around each point"}},
    pen_of("name", "color", "style", "linewidth", "marker", "size", "alpha")),
  text = "Points. " .. plot_text,
  example = "tide.plot.scatter{x = {1, 2, 3}, y = {3, 1, 2}, class = {1, 1, 2}}"}
define{name = "plot.band", args = "opts", returns = "figure",
  options = join({{"x", nil, ""}, {"low", nil, ""}, {"high", nil, ""}, {"y", nil, "a line inside the band"},
    {"runs", nil, "instead: {{x =, y =}, ...}, summarised"},
    {"stat", "median", "\"median\" with 10-90 %, or \"mean\" with its deviation", quote = true},
    {"opacity", 0.2, ""}}, pen_of("name", "color", "style", "dash", "linewidth", "alpha")),
  text = "A line with a band around it. " .. plot_text,
  example = "tide.plot.band{runs = {{1, 2, 3}, {2, 2, 2}}, ylabel = \"loss\"}"}
define{name = "plot.image", args = "opts", returns = "figure",
  options = {{"z", nil, "rows of numbers, the first at the bottom", required = true},
    {"x", nil, "{low, high}: centres of the outer columns"},
    {"y", nil, "{low, high}: centres of the outer rows"},
    {"picture", false, "the first row at the top: the y axis points down, as in tables"}, {"name", nil, ""},
    {"palette", "viridis", "see plot.palettes()", quote = true},
    {"range", nil, "{low, high} of the palette"}},
  text = "A matrix in colours. " .. plot_text, example = "tide.plot.image{z = {{1, 2}, {3, 4}}}"}
define{name = "plot.heatmap", args = "opts", returns = "figure",
  options = {{"z", nil, "rows of numbers, the first at the top", required = true},
    {"rows", nil, "their names, a list of texts or numbers; default 1, 2, ..."}, {"columns", nil, ""},
    {"numbers", nil, "the values in the cells; default: up to 24 x 24 cells"},
    {"format", nil, "of the numbers, \"%.2f\"; default whole or with three digits"},
    {"palette", "viridis", "see plot.palettes()", quote = true},
    {"range", nil, "{low, high} of the palette"}, {"name", nil, ""}},
  text = "A small matrix in colours with its numbers, as a confusion matrix or a table of losses. "
  .. plot_text,
  example = "tide.plot.heatmap{z = {{9, 1}, {2, 8}}, rows = {\"cat\", \"dog\"}, xlabel = \"predicted\"}"}
define{name = "plot.histogram", args = "opts", returns = "figure",
  options = join({{"x", nil, "the values", required = true},
    {"bins", nil, "their number, or a list of edges; default: a bin for each of few whole numbers, else the "
      .. "larger of Sturges's and of Freedman and Diaconis's rule, at most 200"},
    {"range", nil, "{low, high} of the bins"}, {"density", false, "the area is 1"},
    {"weights", nil, "what each value counts"},
    {"stacked", false, "on top of the stacked ones before it; with density their area is 1 together"},
    {"step", false, "the outline alone"}, {"opacity", nil, "default 0.35, stacked 0.8"},
    {"linewidth", 1.5, ""}}, pen_of("name", "color", "style", "dash", "alpha")),
  text = [[How many values lie in which bin; a bin has its lower edge, the last one both. The histograms of
  one panel share their bins. Values outside of the bins are counted in a note. ]] .. plot_text,
  example = "tide.plot.histogram{{x = {1, 2, 2, 3}, name = \"a\"}, {x = {2, 3, 3}, name = \"b\"}}"}
define{name = "plot.errorbar", args = "opts", returns = "figure",
  options = join({{"x", nil, "default 1, 2, ..."}, {"y", nil, "", required = true},
    {"yerr", nil, "a number, a list, or {list below, list above}: distances from y"},
    {"xerr", nil, "the same from x"}, {"lines", false, "join the points"}}, pen),
  text = "Points with error bars. " .. plot_text,
  example = "tide.plot.errorbar{y = {1, 2, 3}, yerr = {{0.1, 0.2, 0.1}, {0.3, 0.2, 0.4}}, xerr = 0.1}"}
define{name = "plot.contour", args = "opts", returns = "figure",
  options = join({{"z", nil, "rows of numbers, the first at the bottom", required = true},
    {"x", nil, "{first, last} or all coordinates of the columns"}, {"y", nil, "the same of the rows"},
    {"levels", nil, "about how many, default 8, or which: a list of values"},
    {"filled", false, "the regions between the lines in colours"},
    {"labels", nil, "numbers on the lines; default: unless filled"},
    {"palette", "viridis", "see plot.palettes()", quote = true},
    {"range", nil, "{low, high} of the palette"}}, pen_of("name", "color", "dash", "linewidth", "alpha")),
  text = [[Lines of equal value, coloured by it unless color is given. With zlog = true the levels are
  decades. Where values are missing there is neither line nor region. ]] .. plot_text,
  example = "tide.plot.contour{z = {{0, 1, 2}, {1, 2, 3}, {2, 3, 5}}, filled = true}"}
local grid = {{"f", nil, "f(x, y) -> u, v: numbers, or tensors of one element"},
  {"x", nil, "{low, high}: the ends of the grid"}, {"y", nil, ""},
  {"u", nil, "instead of f: a matrix, its first row at the low end of y"}, {"v", nil, ""}}
define{name = "plot.quiver", args = "opts", returns = "figure",
  options = join(grid, {{"n", 16, "arrows along each axis, of f"},
    {"length", 0.8, "of the longest arrow, in cells of the grid"},
    {"equal", false, "all arrows equally long"}, {"speed", false, "colour by magnitude"},
    {"palette", "viridis", "", quote = true}}, pen_of("name", "color", "linewidth", "alpha")),
  text = "A vector field as arrows on a grid; see plot.field for arrows at any places. " .. plot_text,
  example = "tide.plot.quiver{f = function(x, y) return y, -x end, x = {-1, 1}, y = {-1, 1}}"}
define{name = "plot.streamlines", args = "opts", returns = "figure",
  options = join(grid, {{"n", 48, "nodes along each axis, of f"}, {"density", 1, "of the lines"},
    {"speed", false, "colour by magnitude"}, {"palette", "viridis", "", quote = true},
    {"linewidth", 1.2, ""}}, pen_of("name", "color", "style", "dash", "alpha")),
  text = [[A vector field as lines along it, evenly spaced. The field is linear between the nodes of the grid;
  give u and v for a network that takes all nodes at once. ]] .. plot_text,
  example = "tide.plot.streamlines{f = function(x, y) return y, -x end, x = {-1, 1}, y = {-1, 1}, n = 12}"}
local view_row = {"view", {58, 35}, "{from above, around}: angles in degrees"}
define{name = "plot.surface", args = "opts", returns = "figure",
  options = {{"z", nil, "rows of numbers, the first at the low end of y", required = true},
    {"x", nil, "{first, last} or all coordinates of the columns"}, {"y", nil, "the same of the rows"},
    {"mesh", true, "lines along rows and columns"}, {"palette", "viridis", "", quote = true},
    {"range", nil, "{low, high} of the palette"}, view_row, {"name", nil, ""}},
  text = "A matrix as a surface in space; zlabel and zrange are those of its third axis. " .. plot_text,
  example = "tide.plot.surface{z = {{0, 1, 0}, {1, 3, 1}, {0, 1, 0}}, zlabel = \"height\"}"}
define{name = "plot.curve", args = "opts", returns = "figure",
  options = join({{"x", nil, "", required = true}, {"y", nil, "", required = true},
    {"z", nil, "", required = true}, view_row},
    pen_of("name", "color", "style", "dash", "linewidth", "alpha")),
  text = "A curve in space. " .. plot_text,
  example = "tide.plot.curve{x = {0, 1, 1}, y = {0, 0, 1}, z = {0, 1, 2}}"}
define{name = "plot.field", args = "opts", returns = "figure",
  options = join({{"x", nil, "positions", required = true}, {"y", nil, "", required = true},
    {"u", nil, "components", required = true},
    {"v", nil, "", required = true}, {"length", 0.8, "of the longest arrow, in cells of the grid"},
    {"equal", false, "all arrows equally long"},
    {"speed", false, "colour by magnitude"}, {"palette", "viridis", "", quote = true}},
    pen_of("name", "color", "linewidth", "alpha")),
  text = "A vector field as arrows. " .. plot_text,
  example = "tide.plot.field{x = {0, 1, 0, 1}, y = {0, 0, 1, 1}, u = {1, 1, 1, 1}, v = {0, 1, 0, 1}}"}
-- The pen with another default.
local function pen_with(name, default)
  local rows = {}
  for i, row in ipairs(pen) do rows[i] = row[1] == name and {name, default, row[3]} or row end
  return rows
end
define{name = "plot.trajectories", args = "opts", returns = "figure",
  options = join({{"states", nil, "tensor {times, n, 2 or more}, as trajectory gives it; class has n"},
    {"curves", nil, "or {{x =, y =, class =}, ...}, or flat columns:"}, {"x", nil, ""},
    {"y", nil, ""},
    {"id", nil, "which curve a point belongs to"},
    {"class", nil, ""}, {"classes", nil, "{{value =, name =, color =, marker =}, ...}"},
    {"start", true, "a dot where each begins"},
    {"arrows", true, "an arrow head where each ends"}}, pen_with("linewidth", 1.3)),
  text = "Paths in the plane. " .. plot_text,
  example = "tide.plot.trajectories{curves = {{x = {0, 1}, y = {0, 1}, class = 1}}}"}
define{name = "plot.entry", args = "opts", returns = "figure", options = pen,
  text = "A line of the legend without data, for fig:add(\"entry\", {name =, ...}).",
  example = "tide.plot.line{y = {1, 2}}:add(\"entry\", {name = \"dashed: test\", dash = 2})"}
define{name = "plot.figure", args = "opts", returns = "figure", options = axes,
  text = "Axes without series yet; fig:add(kind, {...}) adds some.",
  example = "tide.plot.figure{title = \"loss\", ylog = true}:add(\"line\", {y = {1, 0.1}})"}
define{name = "plot.panels", args = "opts", returns = "figure",
  options = join({{"title", nil, ""}, {"markup", false, "as for axes, in the title"}, {"columns", nil, ""},
    {"legend", "each", "\"each\", \"shared\" or \"none\"", quote = true}}, figure),
  text = "One figure of several: plot.panels{figure, figure, columns = 2}.",
  example = "tide.plot.panels{tide.plot.line{y = {1, 2}}, tide.plot.line{y = {2, 1}}, columns = 2}"}
define{name = "plot.animation", args = "opts", returns = "animation",
  options = {{"seconds", 0.2, "that each frame is shown"}, {"loop", true, "without end"},
    {"width", nil, "logical pixels (1/96 inch); default: of the first frame"}, {"height", nil, ""},
    {"scale", 1, "pixels per logical pixel"}, {"fontsize", 12, ""},
    {"note", nil, "comment for script and data"}},
  text = [[Figures one after the other: plot.animation{figure, figure, ..., seconds = 0.1}. The panels that
  correspond have common axes and colours, so that what moves is what the data do; ranges that are given stay.
  animation:save("a.gif") draws them by gnuplot, animation:row(4) puts some side by side for paper.]],
  example = "tide.plot.animation{tide.plot.line{y = {1, 2}}, tide.plot.line{y = {2, 4}}, seconds = 0.5}"}
define{name = "animation:save", args = "path", returns = "path",
  text = "Draw all frames into a .gif, with NAME.gp and NAME.dat beside it, as figure:save does.",
  example = "tide.plot.animation{tide.plot.line{y = {1, 2}}}:save(folder .. \"/a.gif\")", run = false}
define{name = "animation:row", args = "n", returns = "figure",
  text = "At most n frames (default 6) side by side as one figure, the first and the last among them.",
  example = "tide.plot.animation{tide.plot.line{y = {1, 2}}, tide.plot.line{y = {2, 4}}}:row(2)"}
define{name = "figure:inset", args = "figure, opts", returns = "figure",
  options = {{"x", 0.58, "left end of its box, as a share of the panel's"}, {"y", 0.58, "lower end"},
    {"width", 0.38, ""}, {"height", 0.36, ""}},
  text = "Put another figure of one panel inside of this one, without its legend; as text it is left out.",
  example = "tide.plot.line{y = {9, 3, 1}}:inset(tide.plot.line{y = {3, 1}}, {x = 0.5, width = 0.45})"}
define{name = "figure:save", args = "path", returns = "path",
  text = [[Draw into path by its extension (.png without one, .svg, .pdf), with NAME.gp and NAME.dat beside
  it; `gnuplot NAME.gp` draws it again. An older picture stays when gnuplot fails or warns. The name may
  hold anything. Notes (see fig:notes) also go to standard error.]],
  example = "tide.plot.line{y = {1, 2}}:save(folder .. \"/line.svg\")", run = false}
define{name = "figure:show", args = "opts", returns = "nothing",
  options = {{"as", nil, [["kitty", "sixel", "window" or "text"; default: the best there is]]},
    {"width", 79, "characters, as text"}, {"height", 24, ""},
    {"color", nil, "of text; default: on a terminal"}},
  text = [[Show the figure and say how: as a picture in a terminal that draws (kitty's protocol, sixels), in a
  window of gnuplot where there is a display, as text otherwise. At the prompt a figure that is the value of a
  line shows itself.]], example = "tide.plot.line{y = {1, 2}}:show()", run = false}
define{name = "figure:text", args = "opts", returns = "string",
  text = "The figure as text; options width, height, color as for figure:show.",
  example = "tide.plot.line{y = {1, 2}}:text{width = 40, height = 12}", run = false}
define{name = "figure:render", args = "name, extension", returns = "script, data, notes",
  text = "The texts of NAME.gp and NAME.dat; nothing is run.",
  example = "tide.plot.line{y = {1, 2}}:render(\"a\", \"png\")"}
define{name = "figure:notes", args = "", returns = "list",
  text = "What the picture says of itself: how many points are missing and why, which series are empty.",
  example = "tide.plot.line{y = {1, 0 / 0, 3}}:notes()"}
define{name = "figure:add", args = "kind, opts", returns = "figure",
  text = "Add a series; kind may be left out for one more of the figure's own kind.",
  example = "tide.plot.line{y = {1, 2}}:add{y = {2, 1}}"}
define{name = "figure:axes", args = "opts", returns = "figure", text = "Change options of the axes.",
  example = "tide.plot.line{y = {1, 2}}:axes{xlabel = \"epoch\"}"}
define{name = "figure:raw", args = "line", returns = "figure",
  text = "A line of gnuplot in front of the plot command.",
  example = "tide.plot.line{y = {1, 2}}:raw(\"set key box\")"}
define{name = "plot.median_band", args = "runs, opts",
  returns = "{x =, y =, low =, high =, n =, missing =, total =}",
  options = {{"low", 0.1, "lower quantile"}, {"high", 0.9, "upper quantile"}},
  text = "Median and quantiles per x over runs {x =, y =} or lists of values; what is not finite is left out "
  .. "and counted.",
  example = "tide.plot.median_band({{1, 2}, {3, 4}}).y"}
define{name = "plot.mean_band", args = "runs", returns = "{x =, y =, low =, high =, n =}",
  text = "Mean, and mean -+ standard deviation.",
  example = "tide.plot.mean_band({{1, 2}, {3, 4}}).y"}
define{name = "plot.bin", args = "run, bins, low, high", returns = "{x =, y =, missing =, total =}",
  text = "Means over equal stretches of x, for noisy or very long curves; low and high give common stretches "
  .. "to several runs.",
  example = "tide.plot.bin({x = {1, 2, 3, 4}, y = {1, 2, 3, 4}}, 2).y"}
define{name = "plot.runs", args = "table, opts", returns = "list",
  options = {{"x", nil, "column", required = true}, {"y", nil, "column", required = true},
    {"by", "model", "column that names the groups", quote = true},
    {"run", "seed", "column that tells runs apart", quote = true}, {"bins", nil, "see plot.bin"}},
  text = "From a CSV table (csv.read) to {{name =, runs = {{x =, y =}, ...}}, ...}, for bands.",
  example = "tide.plot.runs(tide.csv.parse(\"model,seed,epoch,loss\\nA,1,1,0.5\\nA,2,1,0.7\"), {x = "
  .. "\"epoch\", y = \"loss\"})"}
define{name = "plot.band_caption", args = "groups", returns = "string or nil",
  text = "What line and band of plot.runs' groups are, in words.",
  example = "tide.plot.band_caption{{runs = {{}, {}}}}"}
define{name = "plot.looks", args = "names, ...", returns = "table",
  text = "One line type per name, the same in all figures: {name = number}.",
  example = "tide.plot.looks{\"NODE\", \"ANODE\"}.ANODE"}
define{name = "plot.plain", args = "text", returns = "string",
  text = "The text itself: titles and labels show what is written. Kept for older scripts.",
  example = "tide.plot.plain(\"rk4_38\")"}
define{name = "plot.escape", args = "text", returns = "string",
  text = "Text whose ^ _ { } @ & ~ are meant literally, for axes with markup = true.",
  example = "tide.plot.figure{title = tide.plot.escape(\"rk4_38\") .. \": x_1\", markup = true}"}
define{name = "plot.options", args = "kind", returns = "list, list, list",
  text = "Option names of a kind of series, of axes, of figures.",
  example = "tide.plot.options(\"band\")"}
define{name = "plot.colors", args = "", returns = "list", text = "Names of colours (plots/style.gp).",
  example = "tide.plot.colors()"}
define{name = "plot.palettes", args = "", returns = "list", text = "Names of palettes (plots/style.gp).",
  example = "tide.plot.palettes()"}
define{name = "plot.main", args = "draw, usage, ...", returns = "draw",
  text = "The end of a script that draws from a folder: started as a program it draws what its arguments "
  .. "(...) name and prints the paths, or its usage; loaded by another script it gives draw.",
  example = "tide.plot.main(function(dir) return {dir .. \"/a.png\"} end, \"DIR\")"}
define{name = "plot.figures", args = "rows, ...", returns = "list of paths",
  text = [[A group of figures as rows {number or name, draw, arguments ..., title =}: the end of
  plots/GROUP/figures.lua, whose arguments (...) are numbers, names or "all", --out FOLDER and --results
  FOLDER. rows.results and rows.out are the default folders; rows.made_by is a list of {pattern, command}:
  what makes a table that is missing. draw(source, arguments ...) gives a figure, which is saved under the
  row's name, or the paths of what it saved itself. source:path("a.csv") is a table's path, or the error that
  says what makes it; source:has("a.csv") asks; source.out is the folder of the pictures.]],
  example = "tide.plot.figures({{1, function() return tide.plot.line{y = {1, 4, 9}} end}, results = folder, "
  .. "out = folder}, \"1\")"}
define{name = "plot.check_fonts", args = "", returns = "true, or nil and what to install",
  text = "Will png and pdf have text?",
  example = "tide.plot.check_fonts()"}
