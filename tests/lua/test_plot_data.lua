-- What a picture says is what the data are: gaps where there are none, a note that counts them, ranges for
-- everything that can be drawn, options that do what they say.

local check = require "check"
local files = require "tide.files"
local plot = require "tide.plot"
local tide = require "tide"

local tests = {}
local pictures = require "pictures"
local equal, has, lacks, pixels, with_gnuplot = pictures.equal, pictures.has, pictures.lacks, pictures.pixels,
  pictures.with_gnuplot
local nan, inf = 0 / 0, math.huge

-- Columns that figures get: values, and how many of them have no place on a linear and on a log axis.
local columns = {
  plain = {{1, 2, 3, 4}, 0, 0}, nan = {{1, nan, 3, 4}, 1, 1}, inf = {{1, inf, -inf, 4}, 2, 2},
  ["all nan"] = {{nan, nan}, 2, 2}, empty = {{}, 0, 0},
  one = {{3}, 0, 0}, constant = {{2, 2, 2}, 0, 0}, zero = {{0, 0, 0}, 0, 3},
  huge = {{1e300, -1e300, 5e299}, 0, 1}, ["too huge"] = {{1e308, -1e308, 1}, 2, 2},
  tiny = {{1e-300, 2e-300, 3e-300}, 0, 0}, denormal = {{5e-324, 1e-320, 0}, 0, 1},
  wide = {{1e-300, 1, 1e300}, 0, 0},
  int64 = {{(1 << 53) + 1, (1 << 53) + 3, (1 << 53) + 1000}, 0, 0},
  extremes = {{math.mininteger, math.maxinteger, 0}, 0, 2},
  seconds = {{1706659200, 1706659201, 1706659203}, 0, 0}, offset = {{1e9 + 0.001, 1e9 + 0.002, 1e9 + 0.004},
    0, 0}, near = {{1, 1 + 1e-15, 1}, 0, 0},
  negative = {{-1, 0, 5, -3}, 0, 3}, tensor = {tide.tensor{1, 2, nan, 4}, 1, 1},
  ["empty tensor"] = {tide.zeros{0}, 0, 0},
  ["one-element tensor"] = {tide.ones{1}, 0, 0},
  ["int64 tensor"] = {tide.tensor({1, 2, 3}, {dtype = "int64"}), 0, 0},
}

local function count(y)
  local x = {}
  for i = 1, #y do x[i] = i end
  return x
end

-- Each kind from one column: figure, and what it calls the things that are missing; `times`: how often each
-- value is a thing.
local kinds = {
  line = {function(y) return plot.line{y = y} end, "points", 1},
  ["line over x"] = {function(y) return plot.line{x = y, y = count(y)} end, "points", 1},
  bars = {function(y) return plot.line{y = y, low = y, high = y} end, "points", 1},
  markers = {function(y) return plot.line{y = y, marker = "circle", every = 2} end, "points", 1},
  scatter = {function(y) return plot.scatter{x = y, y = y} end, "points", 1},
  ["scatter by value"] = {function(y) return plot.scatter{y = count(y), value = y} end, "points", 1,
    linear = true},
  classes = {function(y) return plot.scatter{y = y, class = count(y)} end, "points", 1},
  band = {function(y) return plot.band{low = y, high = y, y = y} end, "points", 1},
  runs = {function(y) return plot.band{runs = {y, y}} end, nil, 1},
  image = {function(y) return plot.image{z = {y, y}} end, "cells", 2, image = true},
  row = {function(y) return plot.image{z = {y}} end, "cells", 1, image = true},
  picture = {function(y) return plot.image{z = {y, y, y}, picture = true} end, "cells", 3, image = true},
  heatmap = {function(y) return plot.heatmap{z = {y, y}} end, "cells", 2, image = true},
  ["log colours"] = {function(y) return plot.image{z = {y, y}, zlog = true} end, "cells", 2, image = true,
    positive = true},
  histogram = {function(y) return plot.histogram{x = y} end, "values", 1},
  weights = {function(y) return plot.histogram{x = count(y), weights = y} end, "values", 1, linear = true},
  errors = {function(y) return plot.errorbar{y = y, x = count(y), yerr = count(y)} end, "points", 1},
  ["both errors"] = {function(y) return plot.errorbar{y = y, x = y, yerr = 1, xerr = 1, lines = true} end,
    "points", 1},
  contour = {function(y) return plot.contour{z = {y, y}} end, "values", 2, linear = true},
  regions = {function(y) return plot.contour{z = {y, y}, filled = true} end, "values", 2,
    linear = true},
  ["log regions"] = {function(y) return plot.contour{z = {y, y}, filled = true, zlog = true} end, "values", 2,
    positive = true, grid = true},
  surface = {function(y) return plot.surface{z = {y, y}} end, "values", 2, grid = true, gaps = true},
  curve = {function(y) return plot.curve{x = count(y), y = y, z = y} end, "points", 1},
  quiver = {function(y) return plot.quiver{u = {y, y}, v = {y, y}} end, "arrows", 2, grid = true},
  streamlines = {function(y) return plot.streamlines{u = {y, y}, v = {y, y}} end, "nodes", 2, image = true},
  field = {function(y) return plot.field{x = count(y), y = count(y), u = y, v = y, speed = true} end,
    "arrows", 1, linear = true},
  trajectories = {function(y) return plot.trajectories{x = y, y = y} end, "points", 1},
  curves = {function(y) return plot.trajectories{
    curves = {{x = y, y = y, class = 1}, {x = count(y), y = y, class = 2}}} end, "points", 2},
}

-- The number in "3 of 120 points missing: ..."; 0 without such a note.
local function missing(notes, noun)
  for _, note in ipairs(notes) do
    local n = note:match("^(%d+) of %d+ " .. noun .. " missing: ")
    if n then return tonumber(n) end
  end
  return 0
end

tests["every kind takes every column, and counts what it cannot draw"] = with_gnuplot(function(folder)
  for kind, row in pairs(kinds) do
    local panels = {}
    for name, case in pairs(columns) do
      for _, log in ipairs{false, true} do
        if not (log and (row.image or row.grid)) then
          local fig = row[1](case[1])
          if log then fig:axes{xlog = true, ylog = true} end
          fig:axes{legend = "none"}
          local where = ("%s, %s, %s"):format(kind, name, log and "log" or "linear")
          local ok, script, data, notes = pcall(fig.render, fig)
          assert(ok, where .. ": " .. tostring(script))
          local wanted = row[3] * case[(log or row.positive) and not row.linear and 3 or 2]
          if row[2] and missing(notes, row[2]) ~= wanted then
            error(("%s: %d missing in: %s"):format(where, wanted, table.concat(notes, "; ")))
          end
          if not (row.image or row.gaps) then
            assert(not data:find("%f[%a]n?a?i?nf?%f[%A]", 1), where .. ": " .. data)
          end
          local empty = #case[1] == 0
          assert(empty == (table.concat(notes, "; "):find("no data", 1, true) ~= nil), where .. ": "
            .. table.concat(notes, "; "))
          if empty or wanted == row[3] * #case[1] and not row.image then
            has(script, '"no data"')
          else
            lacks(script, '"no data"')
          end
          panels[#panels + 1] = fig
        end
      end
    end
    panels.columns, panels.width = 6, 3000
    plot.panels(panels):save(files.join(folder, kind .. ".svg"))
    panels[1]:text{width = 40, height = 10}
  end
end)

-- ---- pixels ----

-- Columns and rows in which a colour stands.
local function reach(at, height, width, color)
  local columns_of, rows_of = {}, {}
  for row = 1, height do
    for column = 1, width do
      if at(row, column) == color then
        columns_of[column], rows_of[row] = true, true
      end
    end
  end
  return columns_of, rows_of
end

local function bare(fig)
  return fig:axes{xticks = false, yticks = false, grid = false, legend = "none"}
end

tests["a line has a gap where a value is missing, and its lone points are dots"] =
  with_gnuplot(function(folder)
  for _, y in ipairs{{1, 1, nan, 1, 1, inf, 1}, {1, 1, 1e308, 1, 1, nan, 1}} do
    local fig = bare(plot.line{y = y, color = "#FF0000", yrange = {0, 2}, xrange = {1, 7}, width = 400,
      height = 200, scale = 1, linewidth = 3})
    local at, height, width = pixels(fig, folder)
    local red = reach(at, height, width, "#FF0000")
    local first, last = 13, width - 13 -- the box, from x = 1 to 7
    local function drawn(x) return red[math.floor(first + (last - first) * (x - 1) / 6 + 0.5)] end
    for _, x in ipairs{1.2, 1.8, 4.1, 4.5, 4.9} do assert(drawn(x), "no line at " .. x) end
    for _, x in ipairs{2.2, 2.5, 3, 3.5, 3.8, 5.2, 5.5, 6, 6.5, 6.8} do
      assert(not drawn(x), "a line at " .. x)
    end
    assert(red[last] or red[last - 1], "no dot at the end")
  end
end)

tests["a band has a gap, and reaches down to the end of a log axis"] = with_gnuplot(function(folder)
  local fig = bare(plot.band{low = {1, 1, nan, 1, 1}, high = {2, 2, 2, 2, 2}, color = "#FF0000", opacity = 1,
    yrange = {0, 3}, xrange = {1, 5}, width = 400,
    height = 200, scale = 1})
  local at, height, width = pixels(fig, folder)
  local red = reach(at, height, width, "#FF0000")
  for x = 2.2, 3.8, 0.2 do assert(not red[math.floor(13 + (width - 26) * (x - 1) / 4 + 0.5)], x) end
  assert(red[20] and red[width - 20])
  fig = bare(plot.band{low = {-1, 0}, high = {2, 2}, color = "#FF0000", opacity = 1, yrange = {0.01, 10},
    ylog = true, width = 400, height = 200, scale = 1})
  equal(#fig:notes(), 0)
  at, height, width = pixels(fig, folder)
  local _, rows = reach(at, height, width, "#FF0000")
  assert(rows[height - 16] and not rows[20])
end)

tests["an image shows each value where its ticks say, whichever way it is turned"] =
  with_gnuplot(function(folder)
  local function corner(opts)
    opts.z, opts.palette, opts.range, opts.colorbox = {{0, 0, 0}, {0.5, 0.5, 0.5}, {1, 1, 1}}, "grayscale",
      {0, 1}, false
    opts.width, opts.height, opts.scale, opts.title = 300, 300, 1, nil
    local at, height, width = pixels(plot.image(opts), folder)
    return at(40, width // 2), at(height - 60, width // 2)
  end
  local black, white = "#000000", "#FFFFFF"
  local top, bottom = corner{}
  equal(bottom .. top, black .. white)
  top, bottom = corner{picture = true}
  equal(top .. bottom, black .. white)
  top, bottom = corner{picture = true, yrange = {0.5, 3.5}} -- the caller's range, but still from above
  equal(top .. bottom, black .. white)
  top, bottom = corner{y = {30, 10}} -- the first row at 30, and 30 is above
  equal(top .. bottom, black .. white)

  -- A confusion matrix: the texts of the ticks stand beside the rows that they name.
  local fig = plot.image{z = {{9, 1}, {2, 8}}, picture = true, yticks = {{1, "cat"}, {2, "dog"}},
    xticks = {{1, "cat"}, {2, "dog"}}}
  local script, data = fig:render("c", "svg")
  has(script, "set yrange [2.5:0.5]")
  has(data, "1 1 9\n2 1 1\n1 2 2\n2 2 8\n")
  local svg = files.read(fig:save(files.join(folder, "c.svg")))
  local heights = {}
  for y, text in svg:gmatch('translate%([%d.]+,([%d.]+)%)"[^>]*>%s*<text><tspan[^>]*>(%a+)</tspan>') do
    heights[text] = math.min(heights[text] or inf, tonumber(y))
  end
  assert(heights.cat and heights.dog and heights.cat < heights.dog, "cat is not above dog")
  -- What is added on top lies where the ticks say too.
  data = select(2, plot.image{z = {{9, 1}, {2, 8}}, picture = true}:add("scatter",
    {x = {1}, y = {2}}):render())
  has(data, "\n1 2\n")
end)

tests["a missing cell of an image is no colour"] = with_gnuplot(function(folder)
  for _, z in ipairs{{{0, nan}, {1, 0}}, {{0, -inf}, {1, inf}}, {{0, nan}}} do
    local fig = plot.image{z = z, colorbox = false, xticks = false, yticks = false, width = 200, height = 200,
      scale = 1}
    local at, height, width = pixels(fig, folder)
    local row, seen, left = height, {}, #z == 2 and "#440154" or "#21918C"
    repeat row = row - 1 until at(row, 40) == left or row < height // 2 -- the note is below
    equal(at(row - 5, 40), left)
    for column = width // 2 + 5, width - 18 do seen[at(row - 5, column)] = true end
    assert(not seen["#440154"] and not seen["#FDE725"] and not seen["#21918C"],
      "the gap has a colour of the palette")
  end
end)

tests["trajectories of the states of a batch are those of their curves"] = function()
  local states = tide.tensor{{{0, 1, 9}, {2, 3, 9}}, {{4, 5, 9}, {6, 7, 9}}} -- two times, two samples
  local curves = {{x = {0, 4}, y = {1, 5}, class = "a"}, {x = {2, 6}, y = {3, 7}, class = "b"}}
  local want = select(2, plot.trajectories{curves = curves}:render())
  assert(select(2, plot.trajectories{states = states, class = {"a", "b"}}:render()) == want)
  has(select(2, plot.trajectories{states = states}:render()), "0 1\n4 5\n\n2 3\n6 7\n")
  check.fails("states must be a tensor {times, n, 2 or more}, got {2, 3}", function()
    plot.trajectories{states = states[1]}:render()
  end)
  check.fails("class has 1 values for 2 points", function()
    plot.trajectories{states = states, class = {1}}:render()
  end)
end

tests["trajectories neither start nor end where only a gap does"] = function()
  local fig = plot.trajectories{curves = {{x = {nan, 1, 2, nan, 5, 6}, y = {0, 1, 2, 3, 5, 6}},
    {x = {0, 1, nan, 9, inf}, y = {0, 1, 2, 9, 4}}}}
  local _, data, notes = fig:render()
  has(data, "trajectories 1\n# x y\n1 1\n2 2\n\n5 5\n6 6\n\n0 0\n1 1\n\n9 9\n")
  has(data, "starts\n# x y\n0 0\n")
  has(data, "tips\n# x y dx dy\n5 5 1 1\n")
  has(data, "points without neighbours\n# x y\n9 9\n")
  equal(notes[1], "4 of 11 points missing: not finite")
end

tests["runs that diverged are counted"] = function()
  local band = plot.median_band{{1, nan, 3}, {3, nan, inf}}
  equal(band.missing .. " of " .. band.total, "3 of 6")
  assert(band.y[2] ~= band.y[2] and band.n[2] == 0 and band.y[3] == 3)
  local notes = plot.band{runs = {{1, nan, 3}, {3, nan, inf}}}:notes()
  equal(notes[1], "3 of 6 values missing: not finite")
  local binned = plot.bin({x = {1, 2, 3, 4}, y = {1, nan, 3, inf}}, 2)
  equal(binned.missing, 2)
  equal(plot.band{runs = {binned, binned}}:notes()[1], "4 of 8 values missing: not finite")
end

tests["notes name their panel, stand in the picture and go to standard error"] = with_gnuplot(function(folder)
  local fig = plot.panels{plot.line{y = {1, nan, 2, -1}, ylog = true, title = "loss"}, plot.line{y = {1, 2}},
    plot.scatter{y = {}, name = "none"}
    :add("line", {y = {1, 2}})}
  local notes = fig:notes()
  equal(#notes, 2)
  equal(notes[1], 'panel 1 "loss": 2 of 4 points missing: 1 not finite, 1 not positive on a log axis')
  equal(notes[2], "panel 3: none: no data")
  local svg = files.read(fig:save(files.join(folder, "a.svg"))):gsub("\u{A0}", " ")
  has(svg, "none: no data")
  has(svg, "2 of 4 points missing: 1 not")
  has(plot.line{y = {1, nan}}:text(), "1 of 2 points missing: not finite\n")
end)

-- ---- ranges and ticks ----

tests["ticks of close or large numbers can be told apart"] = function()
  local function y_format(y) return (plot.line{y = y}:render():match("set format y '([^']*)'")) end
  equal(y_format{1706659200, 1706659203}, "%.11g")
  equal(y_format{1, 2, 3}, nil)
  equal(y_format{1e300, 2e300}, nil)
  assert(#y_format{1e9 + 0.001, 1e9 + 0.004} >= 5)
  local _, data = plot.line{y = {1e9 + 0.001, 123456789012345, 0.1}}:render()
  has(data, "1 1000000000.001\n2 123456789012345\n3 0.1\n")
end

tests["a log axis has numbers, however little it spans"] = function()
  local function y_ticks(low, high)
    local script = plot.line{y = {low, high}, ylog = true, yrange = {low, high}}:render()
    return (script:match("set ytics %(([^)]*)"))
  end
  equal(y_ticks(1.42, 3.08), "1.5, 2, 2.5, 3")
  equal(y_ticks(1.42, 1.49), "1.42, 1.44, 1.46, 1.48")
  equal(y_ticks(1.00001, 1.00005), "1.00001, 1.00002, 1.00003, 1.00004, 1.00005")
  equal(y_ticks(0.2, 2.5), "0.2, 0.5, 1, 2")
  equal(y_ticks(0.2, 25), nil)
end

-- ---- options ----

-- Each option of each kind changes what it says in the script; one line per option: kind, option, value, what
-- the script then holds.
local list = {y = {1, 2, 3}}
local options_of = {
  line = {{"name", "N", 'title "N"'}, {"color", "green", "lc rgb green"}, {"color", 2, "lc rgb vermillion"},
    {"color", "#102030", "lc rgb 0x102030"},
    {"style", 3, "lines lt 3"}, {"dash", {12, 4}, "dt (12,4)"}, {"dash", 3, "dt 3"},
    {"dash", "-.", 'dt "-."'}, {"linewidth", 2.5, "lw 2.5"},
    {"marker", "square", "linespoints lt 1 pt 5"}, {"size", 2, "ps 1.4", {marker = 7}},
    {"alpha", 0.5, "0x80000000"}, {"every", 2, "pi -2"},
    {"low", {0, 1, 2}, "yerrorlines", {high = {2, 3, 4}}}, {"x", {5, 6, 7}, data = "\n5 1\n"}},
  scatter = {{"class", {1, 2, 1}, 'title "class 2"'}, {"value", {1, 2, 3}, "lc palette"},
    {"palette", "diverging", "set palette @diverging",
    {value = {1, 2, 3}}},
    {"rim", false, lacks = "lc rgb white"},
    {"classes", {{value = 1, name = "one", color = "pink", marker = "plus"}}, "lc rgb pink pt 1",
      {class = {1, 1, 1}}},
    {"linewidth", 3, "lw 3"}, {"size", 2, "ps 1.4"}, {"marker", "ring", "pt 6"}, {"alpha", 0.5, "0x80000000"},
    {"style", 4, "lt 4"}},
  band = {{"opacity", 0.5, "solid 0.50"},
    {"stat", "mean", data = "1 0 2 1\n", given = {runs = {{0}, {1}, {2}}}}, {"color", "sky", "lc rgb sky"},
    {"dash", 2, "dt 2"}, {"linewidth", 3, "lw 3"}, {"style", 2, "lt 2"}, {"name", "N", 'title "N"'}},
  image = {{"palette", "grayscale", "@grayscale"}, {"range", {-1, 9}, "set cbrange [-1:9]"},
    {"picture", true, "set yrange [2.5:0.5]"},
    {"x", {10, 20}, "set xrange [5:25]"}, {"y", {10, 20}, "set yrange [5:25]"}},
  heatmap = {{"palette", "grayscale", "@grayscale"}, {"range", {-1, 9}, "set cbrange [-1:9]"},
    {"rows", {"a", "b"}, 'set ytics ("a" 1, "b" 2)'},
    {"columns", {"a", "b"}, 'set xtics ("a" 1, "b" 2)'},
    {"numbers", false, lacks = "with labels"}, {"format", "%.1f", data = "1 1 1.0\n"}},
  histogram = {{"bins", 1, data = "\n1 0 3\n"}, {"bins", {0, 2, 9}, data = "\n0 0 1\n"},
    {"range", {1, 2}, data = "2 0 2\n", given = {x = {1, 2, 3}, bins = 1}},
    {"density", true, 'set ylabel "density"'}, {"weights", {1, 2, 5}, data = "2.5 0 5\n"},
    {"stacked", true, "solid 0.80"}, {"step", true, lacks = "filledcurves"}, {"opacity", 0.5, "solid 0.50"},
    {"linewidth", 3, "lw 3"}, {"color", "green", "lc rgb green"}, {"style", 3, "lines lt 3"},
    {"dash", 2, "dt 2"}, {"alpha", 0.5, "0x80000000"}, {"name", "N", 'title "N"'}},
  errorbar = {{"xerr", 0.5, "with xyerrorbars"}, {"yerr", 2, data = "1 1 -1 3\n"},
    {"lines", true, "with lines lt 1"}, {"color", "green", "lc rgb green"}, {"style", 3, "bars lt 3"},
    {"dash", 3, "dt 3", {lines = true}}, {"linewidth", 3, "lw 3"}, {"marker", "square", "pt 5"},
    {"size", 2, "ps 1.4"}, {"alpha", 0.5, "0x80000000"}, {"name", "N", 'title "N"'}},
  contour = {{"levels", {2.5}, data = "2.5\n"}, {"levels", 2, data = " 2\n"},
    {"filled", true, "filledcurves"},
    {"labels", true, "with labels", {filled = true, levels = {2.5}}}, {"palette", "grayscale", "@grayscale"},
    {"range", {-1, 9}, "set cbrange [-1:9]"}, {"x", {10, 20}, "set xrange [10:20]"},
    {"y", {10, 20}, "set yrange [10:20]"}, {"color", "green", "lc rgb green"},
    {"dash", 3, "dt 3", {color = "green"}}, {"linewidth", 3, "lw 3"},
    {"alpha", 0.5, "0x80000000", {color = "green"}}, {"name", "N", 'title "N"'}},
  surface = {{"mesh", false, "set pm3d depthorder noborder"}, {"palette", "grayscale", "@grayscale"},
    {"range", {-1, 9}, "set cbrange [-1:9]"}, {"x", {10, 20}, "set xrange [10:20]"},
    {"y", {10, 20}, "set yrange [10:20]"}, {"view", {30, 60}, "set view 30,60;"}},
  curve = {{"view", {30, 60}, "set view 30,60;"}, {"color", "green", "lc rgb green"},
    {"style", 3, "lines lt 3"}, {"dash", 3, "dt 3"}, {"linewidth", 3, "lw 3"}, {"alpha", 0.5, "0x80000000"},
    {"name", "N", 'title "N"'}},
  quiver = {{"n", 2, data = "-0.4 0 0.8 0 1\n"}, {"length", 0.4, data = "-0.2 0 0.4 0 1\n", [4] = {n = 2}},
    {"equal", true, data = "-0.4 0 0.8 0 1\n",
      given = {u = {{1, 2}}, v = {{0, 0}}, x = {0, 1}, y = {0, 1}}}, {"speed", true, "lc palette"},
    {"palette", "diverging", "@diverging", {speed = true}}, {"color", "blue", "lc rgb blue"},
    {"linewidth", 2, "lw 2"}, {"alpha", 0.5, "0x80000000"}, {"name", "N", 'title "N"'}},
  streamlines = {{"n", 3, data = "# x y speed"}, {"density", 0.2, data = "# x y speed"},
    {"speed", true, "lc palette"}, {"palette", "diverging", "@diverging", {speed = true}},
    {"color", "green", "lc rgb green"}, {"style", 3, "lines lt 3"}, {"dash", 3, "dt 3"},
    {"linewidth", 2, "lw 2"}, {"alpha", 0.5, "0x80000000"}, {"name", "N", 'title "N"'}},
  field = {{"length", 0.4, data = "0.8 0 0.4 0 1\n"}, {"equal", true, data = "0.6 0 0.8 0 1\n"},
    {"speed", true, "lc palette"}, {"palette",
    "diverging", "@diverging", {speed = true}},
    {"color", "blue", "lc rgb blue"}, {"linewidth", 2, "lw 2"}, {"alpha", 0.5, "0x80000000"},
    {"name", "N", 'title "N"'}},
  trajectories = {{"states", tide.tensor{{{0, 1}}, {{4, 5}}}, data = "0 1\n4 5\n"},
    {"start", false, lacks = "pt 7"}, {"arrows", false, lacks = "vectors"},
    {"marker", "cross", "pt 2"}, {"size", 2, "ps 1.19"},
    {"color", "green", "lc rgb green"},
    {"linewidth", 2, "lw 2"}, {"dash", 3, "dt 3"}, {"style", 5, "lt 5"}, {"alpha", 0.5, "0x80000000"},
    {"name", "N", 'title "N"'},
    {"id", {1, 1, 2}, data = "1 1\n2 2\n\n3 3"}, {"class", {"a", "a", "b"}, 'title "a"'},
    {"classes", {{value = 1, name = "one", marker = "square"}}, "pt 5", {class = {1, 1, 1}}}},
  entry = {{"name", "N", 'title "N"'}, {"color", "sky", "lc rgb sky"}, {"dash", 2, "dt 2"},
    {"linewidth", 3, "lw 3"}, {"style", 2, "lt 2"},
    {"alpha", 0.5, "0x80000000"},
    {"marker", "cross", "pt 2"}, {"size", 2, "ps 1.16", {marker = 7}}},
}
local bases = {
  line = list, scatter = list, band = {y = {1, 2, 3}, low = {0, 1, 2}, high = {2, 3, 4}},
  image = {z = {{1, 2}, {3, 4}}}, heatmap = {z = {{1, 2}, {3, 4}}},
  histogram = {x = {1, 2, 3}}, errorbar = {y = {1, 2, 3}, yerr = 1}, contour = {z = {{1, 2, 3}, {2, 3, 4}}},
  surface = {z = {{1, 2, 3}, {2, 3, 4}}}, curve = {x = {1, 2}, y = {1, 2}, z = {1, 2}},
  quiver = {f = function() return 1, 0 end, x = {0, 1}, y = {0, 1}},
  streamlines = {f = function() return 1, 0 end, x = {0, 1}, y = {0, 1}},
  field = {x = {0, 1, 0, 1}, y = {0, 0, 1, 1}, u = {1, 1, 1, 1}, v = {0, 0, 0, 0}},
  trajectories = {x = {1, 2, 3}, y = {1, 2, 3}}, entry = {name = "e"},
}
local required = {line = {y = 1}, scatter = {x = 1, y = 1, name = 1, color = 1},
  band = {x = 1, y = 1, low = 1, high = 1, runs = 1, alpha = 1},
  image = {z = 1, name = 1}, heatmap = {z = 1, name = 1},
  histogram = {x = 1}, errorbar = {x = 1, y = 1}, contour = {z = 1},
  surface = {z = 1, name = 1}, curve = {x = 1, y = 1, z = 1},
  quiver = {f = 1, x = 1, y = 1, u = 1, v = 1}, streamlines = {f = 1, x = 1, y = 1, u = 1, v = 1},
  field = {x = 1, y = 1, u = 1, v = 1}, trajectories = {x = 1, y = 1, curves = 1}, entry = {}}

local function merged(...)
  local out = {}
  for _, part in ipairs{...} do for key, value in pairs(part) do out[key] = value end end
  return out
end

tests["each option of each kind does what it says"] = function()
  for kind, rows in pairs(options_of) do
    local tried = merged(required[kind])
    for _, row in ipairs(rows) do
      local option, value, wanted, more = row[1], row[2], row[3], row[4] or {}
      tried[option] = true
      local given = merged(row.given or bases[kind], more, {[option] = value})
      for key in pairs(more) do tried[key] = true end
      local function draw(o)
        return kind == "entry" and plot.line{y = {1, 2}, name = "l"}:add("entry", o) or plot[kind](o)
      end
      local script, data = draw(given):render()
      local where = ("%s, %s = %s: "):format(kind, option, tostring(value))
      if wanted and not script:find(wanted, 1, true) then error(where .. script:sub(-900)) end
      if row.data and not data:find(row.data, 1, true) then error(where .. data) end
      if row.lacks and script:match("\ns?plot .*"):find(row.lacks, 1, true) then
        error(where .. script:sub(-900))
      end
      if row.lacks then has(draw(merged(bases[kind], more)):render(), row.lacks) end
    end
    for _, option in ipairs((plot.options(kind))) do
      assert(tried[option], kind .. ": option " .. option .. " is not tried")
    end
  end
end

tests["each option of the axes and of figures does what it says"] = function()
  for _, row in ipairs{
    {"title", "T", 'set title "T"'}, {"xlabel", "X", 'set xlabel "X"'}, {"ylabel", "Y", 'set ylabel "Y"'},
    {"xlog", true, "set logscale x"},
      {"ylog", true, "set logscale y"},
    {"xrange", {0, 9}, "set xrange [0:9]"}, {"xrange", {9, 0}, "set xrange [9:0]"},
    {"yrange", {-1, 4}, "set yrange [-1:4]"}, {"legend", "none", "unset key"},
    {"legend", "top left", "set key inside top left"}, {"xticks", false, "unset xtics"},
    {"yticks", {1, {2, "two"}}, 'set ytics (1, "two" 2)'},
      {"grid", false, "unset grid"},
    {"xticks", {1, 3}, "set xtics (1, 3)"}, {"xticks", true, "set xtics"},
    {"pad", true, "set xrange [0.9:3.1]"},
      {"markup", true, 'set title "a_1"', {title = "a_1"}},
    {"markup", false, 'set title "a\\134_1"', {title = "a_1"}}, {"ratio", "square", "set yrange [0.9:3.1]"},
    {"scale", 1, "size 640,"},
      {"width", 500, "size 1000,"},
    {"height", 500, ",1000 font"}, {"fontsize", 24, '"DejaVu Sans,18"'}, {"note", "remark", "# remark"},
  } do
    has(plot.line(merged({y = {1, 2, 3}, name = "n"}, row[4] or {}, {[row[1]] = row[2]})):render("a", "png"),
      row[3])
  end
  local image = {z = {{1, 2}, {3, 4}}}
  has(plot.image(merged(image, {zlabel = "Z"})):render(), 'set cblabel "Z"')
  has(plot.image(merged(image, {colorbox = false})):render(), "unset colorbox")
  has(plot.image(merged(image, {zlog = true})):render(), "set logscale cb")
  has(plot.image(merged(image, {zrange = {0, 9}})):render(), "set cbrange [0:9]")
  has(plot.panels{plot.line(list), plot.line(list), title = "P"}:render(), 'set multiplot title "P"')
end

-- ---- calls that are wrong ----

tests["a wrong call says what to write"] = function()
  local x, y = {1, 2}, {3, 4}
  local t = tide.ones{2}
  local line = "plot.line takes one table of options: write plot.line{x = x, y = y}"
  for _, call in ipairs{{x, y}, {t, t}, {t}, {x}, {{x, y}}, {{t, t}}, {3}, {x, "r-"}, {{y = y},
    {y = x}}} do check.fails(line, plot.line, table.unpack(call)) end
  check.fails("write plot.image{z = matrix}", plot.image, tide.ones{2, 2})
  check.fails("write plot.band{x = x, low = low, high = high}", plot.band, x, y)
  check.fails("write plot.field{x = x, y = y, u = u, v = v}", plot.field, x, y, x, y)
  check.fails("write fig:add(\"line\", ...){x = x, y = y}", function() plot.line{y = y}:add("line", t) end)
  check.fails("plot.line: expected a table of options, got nil", plot.line)
  check.fails('unknown function "plt"', function() return plot.plt end)
  check.fails('did you mean "scatter"', function() return plot.scater{} end)
  local fig = plot.line{y = y}
  check.fails('no field "title": write fig:axes{title = ...}', function() fig.title = "x" end)
  check.fails('no field "width": give width when the figure is made', function() fig.width = 3 end)
  check.fails('no field "colour"', function() fig.colour = 3 end)
  check.fails("write fig:save(...) with a colon", fig.save, "a.png")
  check.fails("write fig:axes(...) with a colon", fig.axes, {title = "x"})
  check.fails("save takes a file name alone", function() fig:save("a.png", {width = 3}) end)
  check.fails("xlabel is no option of a series: write it beside the list of series", plot.line,
    {{y = y, xlabel = "a"}})
  check.fails("width is no option of a series", function() fig:add("line", {y = y, width = 3}) end)
  local message = check.fails("save needs a file name, got nil", function() fig:save() end)
  assert(message:find("test_plot_data.lua", 1, true) or not message:find("plot.lua:", 1, true), message)
  check.fails("xrange must be {low, high}", plot.line, {y = y, xrange = {0, inf}})
  check.fails("width must be > 0 and at most 20000", plot.line, {y = y, width = 1e9})
  check.fails("curve 1 must be {x =, y =, class =}", function() plot.trajectories{curves = {1}}:render() end)
  check.fails("run 1 must be {x =, y =} or a list", plot.median_band, {1, 2})
end

tests["bins: a number that can be meant"] = function()
  local run = {x = {1, 2, 3, 4}, y = {1, 2, 3, 4}}
  for _, bins in ipairs{0, -1, 2.5, 0 / 0, 1 << 31, 1 << 53, math.maxinteger, "2", {}} do
    check.fails("plot.bin: bins must be an integer in 1..1000000, got ", tide.plot.bin, run, bins, 0, 5)
  end
  assert(#tide.plot.bin(run, 1000000, 0, 5).y == 4 and #tide.plot.bin(run, 2.0, 0, 5).y == 2)
end

return tests
