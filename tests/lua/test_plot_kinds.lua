-- Histograms, error bars, contours, heatmaps, streamlines: what is drawn is what the numbers say.

local check = require "check"
local files = require "tide.files"
local pictures = require "pictures"
local plot = require "tide.plot"
local tide = require "tide"

local tests = {}
local equal, has, lacks, pixels, with_gnuplot = pictures.equal, pictures.has, pictures.lacks, pictures.pixels,
  pictures.with_gnuplot
local nan = 0 / 0

tests["a heatmap has its first row at the top, names, and numbers that can be read"] =
  with_gnuplot(function(folder)
  local fig = plot.heatmap{z = {{9, 1.5}, {nan, 0.03456}}, rows = {"cat", "a {b}_c"}, columns = {0, 1}}
  local script, data = fig:render("h", "svg")
  has(script, "set yrange [2.5:0.5]")
  has(script, 'set ytics ("cat" 1, "a ')
  has(script, 'set xtics ("0" 1, "1" 2)')
  -- dark numbers on light cells, light ones on dark cells; none where there is no value
  has(data, "# x y text\n1 1 9\n\n")
  has(data, "# x y text\n2 1 1.5\n2 2 0.0346\n")
  has(files.read(fig:save(files.join(folder, "h.svg"))):gsub("<[^>]->", ""), "0.0346")
  has(select(2, plot.heatmap{z = {{1, 2}}, format = "%.1f"}:render()), "1 1 1.0\n")
  lacks(plot.heatmap{z = {{1, 2}}, numbers = false}:render(), "with labels")
  local wide = {{}}
  for i = 1, 25 do wide[1][i] = i end
  lacks(plot.heatmap{z = wide}:render(), "with labels")
  has(plot.heatmap{z = wide, numbers = true}:render(), "with labels")
  has(plot.heatmap{z = {{1, 2}}, columns = {("long "):rep(20), "b"}}:render(), "rotate by 40 right")
  check.fails('rows has 1 names for 2 rows', fig.render, plot.heatmap{z = {{1}, {2}}, rows = {"a"}})
  check.fails('columns[1] must be a text or a number', fig.render, plot.heatmap{z = {{1}}, columns = {{}}})
  check.fails('format must give digits', fig.render, plot.heatmap{z = {{1}}, format = "%d'\nsystem('P')"})
  check.fails('cannot write 1.5', fig.render, plot.heatmap{z = {{1.5}}, format = "%d"})
end)

tests["log colours: the box has the decades, and values that have no logarithm are gaps"] = function()
  local script, _, notes = plot.image{z = {{1, 10}, {1000, 0}}, zlog = true}:render()
  has(script, "set logscale cb")
  has(script, "set cbrange [1:1000]")
  equal(notes[1], "1 of 4 cells missing: not positive in a log colour scale")
  script, _, notes = plot.scatter{y = {1, 2, 3}, value = {-1, 1, 100}, zlog = true}:render()
  has(script, "set logscale cb")
  equal(notes[1], "1 of 3 points missing: not positive in a log colour scale")
  check.fails("range must be > 0 for a log colour scale", function()
    plot.image{z = {{1, 2}, {3, 4}}, zlog = true, range = {0, 1}}:render()
  end)
  has(plot.image{z = {{3, 3}, {3, 3}}, zlog = true}:render(), "set cbrange [1.5:6]")
end

tests["a histogram counts what NumPy counts"] = function()
  local x = {1, 1.5, 2, 2.5, 3, 3.5, 4}
  local function heights(o)
    local _, data = plot.histogram(o):render()
    local block = data:match("# x low high\n(.-)\n\n\n") or data:match("# x low high\n(.*)")
    local out = {}
    for row in block:gmatch("[^\n]+") do out[#out + 1] = row:match("%S+$") end
    local every = {}
    for i = 1, #out, 2 do every[#every + 1] = out[i] end
    return table.concat(every, " "), data
  end
  equal(heights{x = x, bins = 3}, "2 2 3") -- the last bin has both its ends
  equal(heights{x = x, bins = {1, 2, 4}}, "2 5")
  equal(heights{x = x, bins = {1, 2, 4}, density = true}, "0.285714285714286 0.357142857142857")
  equal(heights{x = x, bins = 3, weights = {1, 1, 1, 1, 1, 1, 4}}, "2 2 6")
  equal(heights{x = {1, 1, 4, 2}}, "2 1 0 1") -- few whole numbers: a bin each
  equal(plot.histogram{x = x, bins = {2, 3}}:notes()[1], "4 of 7 values missing: outside of the bins")
  equal(plot.histogram{x = x, bins = 2, range = {3, 2}}:notes()[1],
    "4 of 7 values missing: outside of the bins")
  -- two of one panel share their bins; stacked ones stand on each other, and have the area 1 together
  local _, data = heights{{x = {0, 1, 2.5}, bins = 2}, {x = {2, 4}}}
  has(data, "histogram 1\n# x low high\n0 0 2\n2 0 2\n2 0 1\n4 0 1\n")
  has(data, "histogram 2\n# x low high\n0 0 0\n2 0 0\n2 0 2\n4 0 2\n")
  _, data = heights{{x = {0, 1, 2.5}, bins = 2}, {x = {2, 4}}, stacked = true, density = true}
  has(data, "histogram 2\n# x low high\n0 0.2 0.2\n2 0.2 0.2\n2 0.1 0.3\n4 0.1 0.3\n")
  check.fails("stacked histograms need the same bins", function()
    plot.histogram{{x = {1, 2}, bins = 2}, {x = {1, 2}, bins = 3}, stacked = true}:render()
  end)
  check.fails("bins must be a number of bins in 1..100000, or a list of their edges in ascending order",
    plot.histogram, {x = {1}, bins = {2, 1}})
  check.fails("weights has 1 values", function() plot.histogram{x = {1, 2}, weights = {1}}:render() end)
  has(plot.histogram{x = x, density = true}:render(), 'set ylabel "density"')
  has(plot.histogram{x = x, ylabel = "mine"}:render(), 'set ylabel "mine"')
end

tests["error bars reach where they say"] = function()
  local function rows(o) return (select(2, plot.errorbar(o):render()):match("# x y [^\n]*\n(.*)")) end
  equal(rows{y = {5, 6}, yerr = 1}, "1 5 4 6\n2 6 5 7\n")
  equal(rows{y = {5, 6}, yerr = {1, 2}}, "1 5 4 6\n2 6 4 8\n")
  equal(rows{y = {5, 6}, yerr = {{1, 2}, {0, 3}}}, "1 5 4 5\n2 6 4 9\n")
  equal(rows{y = {5, 6}, yerr = tide.tensor{{1, 2}, {0, 3}}}, "1 5 4 5\n2 6 4 9\n")
  equal(rows{x = {1, 2}, y = {5, 6}, xerr = 0.5}, "1 5 0.5 1.5\n2 6 1.5 2.5\n")
  equal(rows{x = {1, 2}, y = {5, 6}, xerr = 0.5, yerr = {1, 1}}, "1 5 0.5 1.5 4 6\n2 6 1.5 2.5 5 7\n")
  has(rows{y = {1}, yerr = 2, ylog = true}, "1 1 1e-306 3\n") -- down to the end of the axis
  check.fails("has neither xerr nor yerr", function() plot.errorbar{y = {1}}:render() end)
  check.fails("yerr[2] is a distance and cannot be negative, got -1", function()
    plot.errorbar{y = {1, 2}, yerr = {1, -1}}:render()
  end)
  check.fails("yerr has 3 values for 2 points", function()
    plot.errorbar{y = {1, 2}, yerr = {1, 2, 3}}:render()
  end)
end

tests["contours lie where the values say"] = function()
  local _, data = plot.contour{z = {{0, 1, 2}, {0, 1, 2}}, x = {0, 2}, y = {10, 20}, levels = {0.5, 1.5}}
    :render()
  has(data, "# x y value\n0.5 20 0.5\n0.5 10 0.5\n\n1.5 20 1.5\n1.5 10 1.5\n")
  -- all coordinates, and from right to left
  _, data = plot.contour{z = {{2, 1, 0}, {2, 1, 0}}, x = {5, 1, 0}, y = {0, 1}, levels = {1.5}}:render()
  has(data, "3 1 1.5\n3 0 1.5\n")
  -- a circle is closed; its numbers stand on white
  local z, n = {}, 21
  for r = 1, n do
    z[r] = {}
    for c = 1, n do z[r][c] = (c - 11) ^ 2 + (r - 11) ^ 2 end
  end
  local script
  script, data = plot.contour{z = z, x = {-1, 1}, y = {-1, 1}, levels = {25}}:render()
  local first, last, count_of = nil, nil, 0
  for x, y in data:match("# x y value\n(.-)\n\n"):gmatch("(%S+) (%S+) 25") do
    first, last, count_of = first or x .. " " .. y, x .. " " .. y, count_of + 1
    assert(math.abs(math.sqrt(x ^ 2 + y ^ 2) - 0.5) < 0.01)
  end
  equal(first, last)
  assert(count_of > 20)
  has(script, "with labels boxed")
  has(script, "set style textbox opaque")
  lacks(plot.contour{z = z, labels = false}:render(), "with labels")
  -- a cell with a missing node has no line
  _, data = plot.contour{z = {{0, 1}, {0, nan}}, levels = {0.5}}:render()
  lacks(data, "# x y value")
  equal(plot.contour{z = {{2, 2}, {2, 2}}}:notes()[1], "contour 1: 2 everywhere")
  check.fails("x must be {first, last} or 3 numbers, got 4", function()
    plot.contour{z = {{1, 2, 3}}, x = {1, 2, 3, 4}}:render()
  end)
  check.fails("x must ascend or descend, 1 follows 1", function()
    plot.contour{z = {{1, 2, 3}}, x = {1, 1, 3}}:render()
  end)
  check.fails("levels must be about how many", plot.contour, {z = z, levels = {}})
end

tests["each region between contours has the colour of its values"] = with_gnuplot(function(folder)
  local z, n = {}, 31
  for r = 1, n do
    z[r] = {}
    for c = 1, n do z[r][c] = math.abs(c - 16) > 4 and 1 or math.abs(r - 16) > 4 and 1 or nan end
  end
  for r = 3, 7 do for c = 3, 7 do z[r][c] = 3 end end
  z[5][5] = 0 -- a pit in the hill
  for r = 25, 29 do for c = 3, 7 do z[r][c] = -1 end end
  local fig = plot.contour{z = z, x = {0, 30}, y = {0, 30}, filled = true, levels = {0, 2}, range = {-1, 3},
    palette = "grayscale", colorbox = false, xticks = false, yticks = false, width = 324, height = 362,
    scale = 1, linewidth = 0.1}
  local at, height = pixels(fig, folder)
  local top = height - 12 - 38 - 300 -- a note of two lines below
  local function color(x, y)
    return at(math.floor(top + 300 - 10 * y + 0.5), math.floor(12 + 10 * x + 0.5))
  end
  local low, middle, high = color(4, 26), color(22, 4), color(3, 3)
  equal(low .. middle .. high, "#202020#808080#DFDFDF")
  equal(color(15, 15), "#FFFFFF")
  equal(color(4, 4), middle)
end)

tests["streamlines follow the field"] = function()
  local _, data = plot.streamlines{f = function(x, y) return -y, x end, x = {-1, 1}, y = {-1, 1}, n = 33}
    :render()
  local lines, longest = 0, 0
  for line in (data:match("# x y speed\n(.-)\n\n\n") .. "\n\n"):gmatch("(.-)\n\n") do
    local least, most, k = math.huge, 0, 0
    for x, y in line:gmatch("(%S+) (%S+) %S+") do
      local r = math.sqrt(x ^ 2 + y ^ 2)
      least, most, k = math.min(least, r), math.max(most, r), k + 1
    end
    assert(most - least < 1e-3, most - least)
    lines, longest = lines + 1, math.max(longest, k)
  end
  assert(lines > 5 and longest > 50)
  local calls = 0
  local fig = plot.quiver{f = function(x, y)
    calls = calls + 1
    return tide.tensor{x + y}, x
  end, x = {0, 1}, y = {0, 1}, n = 3}
  fig:render()
  equal(calls, 9)
  check.fails("give either f = function(x, y)", function() plot.quiver{x = {0, 1}, y = {0, 1}}:render() end)
  check.fails("f(0, 0) must give two numbers u, v; got nil", function()
    plot.streamlines{f = function() end, x = {0, 1}, y = {0, 1}}:render()
  end)
  check.fails("x must be {low, high}", function()
    plot.streamlines{f = function() return 1, 1 end, x = {0, 1, 2}, y = {0, 1}}:render()
  end)
  check.fails("u and v must have the same rows and columns", function()
    plot.quiver{u = {{1, 2}}, v = {{1, 2}, {3, 4}}}:render()
  end)
end

tests["surfaces and curves are drawn in space, by themselves"] = with_gnuplot(function(folder)
  local fig = plot.surface{z = {{0, 1, 2}, {1, 2, 3}, {2, nan, 5}}, x = {0, 1}, y = {5, 7}, zlabel = "u_1"}
  fig:add("curve", {x = {0, 1}, y = {5, 7}, z = {0, 5}, name = "up"})
  local script, data, notes = fig:render()
  has(script, "\nsplot DATA index 0")
  has(script, "set zrange")
  has(script, 'set zlabel "u\\134_1" rotate by 90')
  has(data, "0 5 0\n0.5 5 1\n1 5 2\n\n0 6 1\n")
  equal(notes[1], "1 of 9 values missing: not finite")
  for _, extension in ipairs{"svg", "png", "pdf"} do fig:save(files.join(folder, "s." .. extension)) end
  plot.panels{fig, plot.line{y = {1, 2}}}:save(files.join(folder, "p.svg"))
  check.fails("a panel cannot hold surface and line", function()
    plot.surface{z = {{1, 2}, {3, 4}}}:add("line", {y = {1}}):render()
  end)
  check.fails("the z axis of a panel in space cannot be logarithmic", function()
    plot.surface{z = {{1, 2}, {3, 4}}, zlog = true}:render()
  end)
  check.fails("view must be {angle from above", plot.surface, {z = {{1}}, view = {200, 0}})
end)

-- ---- figures of figures ----

local function waves()
  local list = {}
  for i = 1, 5 do list[i] = plot.line{x = {0, 1, 2}, y = {0, i, 2 * i}, title = ("t = %d"):format(i)} end
  return list
end

tests["an animation has all frames, on common axes"] = with_gnuplot(function(folder)
  local animation = plot.animation(waves())
  local path = animation:save(files.join(folder, "sub/wave"))
  equal(path, files.join(folder, "sub/wave.gif"))
  local gif, frames = files.read(path), 0
  assert(gif:find("^GIF89a"))
  for _ in gif:gmatch("\33\249\4") do frames = frames + 1 end -- graphic control extensions
  equal(frames, 5)
  has(gif, "NETSCAPE2.0")
  local script = files.read(files.join(folder, "sub/wave.gp"))
  local _, ranges = script:gsub("set yrange %[0:10.5%]", "")
  equal(ranges, 5)
  has(script, "animate delay 20 loop 0")
  has(files.read(files.join(folder, "sub/wave.dat")), "# block 4: frame 5, panel 1, line 1\n")
  -- alone, too
  assert(files.run({"gnuplot", "-d", "./wave.gp"}, {folder = folder .. "/sub"}))
  equal(files.read(path), gif)
  lacks(plot.line{y = {1, 2}}:render(), "set yrange") -- the frames were copies
  check.fails('unknown extension "png"', function() animation:save(files.join(folder, "a.png")) end)
  check.fails("plot.animation: frame 2 is 3, no figure", plot.animation, {plot.line{y = {1}}, 3})
  check.fails("plot.animation: expected a list of figures", plot.animation, {})
  check.fails("plot.animation: expected a list of figures", plot.animation, plot.line{y = {1}})
  check.fails("frame 2 has 2 panels, the first has 1", plot.animation, {plot.line{y = {1}},
    plot.panels{plot.line{y = {1}}, plot.line{y = {1}}}})
  check.fails('did you mean "seconds"', plot.animation, {plot.line{y = {1}}, second = 1})
end)

tests["frames side by side: the first, the last, and some between"] = function()
  local animation = plot.animation(waves())
  local script = animation:row(3):render()
  has(script, '"t = 1"')
  has(script, '"t = 3"')
  has(script, '"t = 5"')
  lacks(script, '"t = 2"')
  equal(select(2, animation:row():render():gsub("set yrange %[0:10.5%]", "")), 5)
  has(animation:row(1):render(), '"t = 1"')
  -- colours are common, given ranges stay
  local images = plot.animation{plot.image{z = {{0, 1}, {2, 3}}}, plot.image{z = {{5, 9}, {2, 3}}}}
  equal(select(2, images:row():render():gsub("set cbrange %[0:9%]", "")), 2)
  has(plot.animation{plot.line{y = {1, 2}, yrange = {0, 50}}, plot.line{y = {1, 99}}}:row():render(),
    "set yrange [0:50]")
  equal(tostring(animation), "animation of 5 frames (:save(path.gif), :row(n))")
  check.fails("row(n) takes the number of frames", animation.row, animation, 0)
  check.fails("no field", function() animation.second = 3 end)
end

tests["an inset lies inside, is counted in the notes and left out of text"] = with_gnuplot(function(folder)
  local fig = plot.line{y = {9, 3, 1}, name = "a"}
  equal(fig:inset(plot.line{y = {3, nan, 1}, name = "b", title = "in_{side}"}, {x = 0.5, y = 0.5,
    width = 0.4, height = 0.3}), fig)
  local script, data, notes = fig:render()
  has(script, "set multiplot")
  has(script, "behind fillcolor rgb white")
  has(data, "# block 1: panel 1, inset, b\n")
  equal(notes[1], "inset: 1 of 3 points missing: not finite")
  for _, extension in ipairs{"svg", "png", "pdf"} do fig:save(files.join(folder, "i." .. extension)) end
  has(fig:text(), "insets are left out")
  plot.panels{fig, plot.line{y = {1, 2}}}:save(files.join(folder, "p.svg"))
  plot.animation{fig, fig}:save(files.join(folder, "p.gif"))
  check.fails("fig:inset takes another figure, got 3", fig.inset, fig, 3)
  check.fails("fig:inset takes another figure", fig.inset, fig, fig)
  check.fails("x + width and y + height are at most 1, got 1.3 and", fig.inset, fig, plot.line{y = {1}},
    {x = 0.9, width = 0.4})
  check.fails('did you mean "width"', fig.inset, fig, plot.line{y = {1}}, {widht = 0.4})
end)

return tests
