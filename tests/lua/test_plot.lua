-- Figures: what is written, what gnuplot's failures become, and that nothing half-drawn replaces a good
-- picture.

local check = require "check"
local csv = require "tide.csv"
local files = require "tide.files"
local gnuplot = require "tide.plot.gnuplot"
local options = require "tide.options"
local plot = require "tide.plot"
local series = require "tide.plot.series"

local tests = {}
local has_gnuplot = files.run{"gnuplot", "--version"}

-- Run `fn(folder)` in a fresh folder; skipped where gnuplot is missing unless `pure`.
local function in_folder(fn, pure)
  return function()
    if not (has_gnuplot or pure) then return "skip: no gnuplot" end
    return check.in_folder(fn)
  end
end

local function equal(a, b) assert(a == b, ("%s ~= %s"):format(tostring(a), tostring(b))) end

local function near(a, b) assert(math.abs(a - b) < 1e-12, ("%g ~= %g"):format(a, b)) end

local function sample() return plot.line{x = {1, 2, 3}, y = {1, 4, 9}, name = "squares", xlabel = "n"} end

tests["median and quantiles per x"] = function()
  local runs = {}
  for r = 0, 10 do runs[r + 1] = {x = {1, 2}, y = {r, 10 * r}} end
  local band = plot.median_band(runs)
  equal(#band.x, 2)
  near(band.y[1], 5)
  near(band.low[1], 1)
  near(band.high[2], 90)
  equal(band.n[1], 11)
  local short = plot.median_band{{x = {1, 2}, y = {1, 0 / 0}}, {x = {1, 2, 3}, y = {3, 4, 5}},
    {x = {3}, y = {7}}}
  near(short.y[1], 2)
  near(short.y[2], 4)
  near(short.y[3], 6)
  equal(short.n[2], 1)
  near(plot.median_band({{1}, {2}}, {low = 0, high = 1}).high[1], 2)
  check.fails("x has 1 values, y has 2", plot.median_band, {{x = {1}, y = {1, 2}}})
end

tests["mean and standard deviation per x"] = function()
  local band = plot.mean_band{{2}, {4}, {4}, {4}, {5}, {5}, {7}, {9}}
  near(band.y[1], 5)
  near(band.high[1] - band.y[1], math.sqrt(32 / 7))
  near(band.y[1] - band.low[1], math.sqrt(32 / 7))
  local one = plot.mean_band{{3}}
  near(one.low[1], 3)
end

tests["binning takes means over stretches of x"] = function()
  local x, y = {}, {}
  for i = 1, 100 do x[i], y[i] = i, i end
  local run = plot.bin({x = x, y = y}, 10)
  equal(#run.x, 10)
  near(run.y[1], 5.5)
  near(run.x[1], 1 + 99 / 20)
  equal(#plot.bin({x = {1}, y = {3}}, 10, 0, 100).x, 1)
  equal(plot.bin({x = {1, 2}, y = {3, 4}}, 10).y[2], 4)
end

tests["unknown names come with suggestions"] = function()
  local message = check.fails('unknown option "xlable" (did you mean "xlabel"?)', plot.line,
    {y = {1, 2}, xlable = "t"})
  assert(message:find("plot.line", 1, true))
  check.fails('did you mean "name"', plot.line, {{y = {1}, nme = "a"}})
  check.fails('did you mean "scatter"', function() sample():add("scater", {y = {1}}) end)
  check.fails('did you mean "legend"', plot.panels, {sample(), legnd = "shared"})
  check.fails('unknown color "blu" (did you mean "blue"?)', plot.line, {y = {1, 2}, color = "blu"})
  check.fails('did you mean "viridis"', plot.image, {z = {{1, 2}, {3, 4}}, palette = "viridi"})
  check.fails('did you mean "circle"', plot.line, {y = {1, 2}, marker = "cirle"})
  local classes = {{value = 1, color = "blu"}}
  local wrong = select(2, pcall(function()
    plot.scatter{x = {1, 2}, y = {1, 2}, class = {1, 2}, classes = classes}:render()
  end))
  assert(select(2, wrong:gsub("%.lua:%d+:", "")) == 1 and wrong:find("unknown color", 1, true), wrong)
  assert(plot.line{y = {1, 2}, color = "grey"}:render() == plot.line{y = {1, 2}, color = "gray"}:render())
  check.fails('unknown extension "gif"', function() sample():save("x.gif") end)
  check.fails("legend must be one of", plot.line, {y = {1}, legend = "middle"})
  check.fails("is 3, no figure", plot.panels, {3})
end

tests["no option name means two things"] = function()
  for _, kind in ipairs(options.sorted_keys(series.kinds)) do
    local seen = {}
    for _, list in ipairs{plot.options(kind)} do
      for _, name in ipairs(list) do
        assert(not seen[name], kind .. " has two options " .. name)
        seen[name] = true
      end
    end
  end
end

tests["data are checked and named before gnuplot runs"] = function()
  local function drawn(fn) return function(t) return fn(t):render() end end
  check.fails('series "NODE": y has 2 values where the column before has 3', drawn(plot.line),
    {x = {1, 2, 3}, y = {1, 2}, name = "NODE"})
  check.fails('series "line 1": y[2] must be a number, got "a"', drawn(plot.line), {y = {1, "a"}})
  check.fails("must be a list or a tensor, got 3", drawn(plot.line), {y = 3})
  check.fails('series "line 1": y[2] must be a number, got nil; write 0/0', drawn(plot.line),
    {y = {1, nil, 3}})
  check.fails("os.time", drawn(plot.line), {x = {"2024-01-31"}, y = {3}})
  check.fails('series "band 1" has no high', drawn(plot.band), {y = {1}})
  check.fails("z has 1 values", drawn(plot.image), {z = {{1, 2}, {3}}})
  check.fails("z must be rows of numbers; row 1 is 1", drawn(plot.image), {z = {1, 2}})
  check.fails("cannot be logarithmic", drawn(plot.image), {z = {{1, 2}, {3, 4}}, xlog = true})
  check.fails("class has 1 values for 2 points", drawn(plot.scatter), {y = {1, 2}, class = {1}})
  check.fails("must be > 0 for a log axis", drawn(plot.line), {y = {1, 2}, ylog = true, yrange = {0, 1}})
  check.fails("a panel has no series", drawn(plot.figure), {})
  check.fails("no room for", drawn(plot.line), {y = {1, 2}, width = 60})
end

tests["tensors are taken by their totable method"] = function()
  local tensor = {totable = function() return {1, 2, 3} end}
  local _, data = plot.line{x = tensor, y = tensor, name = "t"}:render("f")
  assert(data:find("# block 0: panel 1, t\n# x y\n1 1\n2 2\n3 3\n", 1, true), data)
end

tests["constant and log data get ranges that gnuplot accepts silently"] = in_folder(function(folder)
  plot.line{x = {1, 2}, y = {3, 3}}:save(files.join(folder, "constant.svg"))
  plot.scatter{x = {0}, y = {0}}:save(files.join(folder, "single.svg"))
  plot.line{y = {0.2, 0.3, 0 / 0, -1}, ylog = true}:save(files.join(folder, "log.svg"))
  plot.band{x = {1, 2}, low = {-1, 0.1}, high = {1, 2}, ylog = true}:save(files.join(folder, "band.svg"))
  plot.image{z = {{1, 1}, {1, 1}}}:save(files.join(folder, "flat.svg"))
  plot.line{x = {10, 1}, y = {1, 2}, xlog = true, xrange = {10, 1}}:save(files.join(folder, "backwards.svg"))
end)

-- One figure of every kind.
local function everything()
  local x, y, u, v = {}, {}, {}, {}
  for i = -2, 2 do
    for j = -2, 2 do
      x[#x + 1], y[#y + 1], u[#u + 1], v[#v + 1] = i, j, -j, i
    end
  end
  local field = plot.field{x = x, y = y, u = u, v = v, ratio = "equal", title = "field"}
  field:add("trajectories",
    {curves = {{x = {0, 1, 1}, y = {0, 0, 1}, class = -1}, {x = {0, -1}, y = {0, 1}, class = 1}}})
  field:add("trajectories", {x = {0, 1, 0, 1}, y = {1, 1, 2, 2}, id = {1, 1, 2, 2}, name = "flat",
    color = "green"})
  local image = plot.image{z = {{0, 1, 2}, {3, 4, 5}}, picture = true, zlabel = "value",
    palette = "diverging", range = {-5, 5}}
  image:add("scatter", {x = {1, 2}, y = {1, 2}, class = {"in", "out"}})
  local bands = plot.band{{runs = {{1, 2, 3}, {2, 3, 5}}, name = "median"},
    {runs = {{1, 1, 1}, {2, 2, 4}}, stat = "mean", name = "mean"}}
  local lines = plot.line{{y = {1, 10, 100}, low = {0.5, 5, 50}, high = {2, 20, 200}, name = "bars"},
    {y = {3, 2, 1}, every = 2},
    ylog = true, legend = "top left", xticks = {1, {2, "two"}, 3}}
  lines:add("entry", {name = "only a name", color = "gray"})
  local speed = plot.field{x = x, y = y, u = u, v = v, speed = true, equal = true, ratio = "square"}
  local values = plot.scatter{x = x, y = y, value = u, name = "by value", rim = false}:raw(
    "set label 'raw' at 0,0")
  local heat = plot.heatmap{z = {{1, 2}, {3, 4}}, columns = {"a", "b"}, zlog = true}
  local function f(a, b) return b, -a end
  local lens = {x = {-2, 2}, y = {-1, 1}, f = f, n = 8}
  local hill = {{0, 1, 2, 1}, {1, 3, 4, 2}, {0, 2, 3, 1}}
  local hist = plot.histogram{{x = {1, 2, 2, 3.5}, name = "a"},
    {x = {2, 3}, stacked = true, weights = {1, 2}}}
  return plot.panels{field, image, bands, lines, speed, values, heat, hist, plot.quiver(lens),
    plot.streamlines(lens), plot.contour{z = hill}, plot.contour{z = hill, filled = true, levels = 3},
    plot.errorbar{y = {1, 2}, yerr = 0.5, xerr = {{0, 0.1}, {0.2, 0.1}}, lines = true},
    columns = 3, title = "all kinds"}
end

tests["every kind draws, in every format and as text"] = in_folder(function(folder)
  for _, extension in ipairs{"png", "svg", "pdf"} do
    local path = files.join(folder, "sub/all." .. extension)
    equal(everything():save(path), path)
    assert(#files.read(path) > 5000)
  end
  equal(sample():save(files.join(folder, "plain")), files.join(folder, "plain.png"))
  assert(files.read(files.join(folder, "plain.png")):sub(1, 4) == "\137PNG")
  local text = sample():text{width = 60, height = 12}
  assert(text:find("squares", 1, true) and text:find("*", 1, true), text)
  everything():text{height = 60}
  equal(tostring(sample()), "figure: line (:show(), :save(path))")
end)

tests["a script runs alone from its folder and remakes the same bytes"] = in_folder(function(folder)
  local path = files.join(folder, "it's.svg")
  everything():save(path)
  local first = files.read(path)
  os.remove(path)
  local ok, output = check.sh(("cd %s && LC_ALL=C.UTF-8 gnuplot -d %s"):format(files.quote(folder),
    files.quote("it's.gp")))
  assert(ok, output)
  equal(files.read(path), first)
  everything():save(path)
  equal(files.read(path), first)
end)

tests["a script runs from any folder, and draws beside itself or where OUT says"] = in_folder(function(folder)
  local inside, elsewhere = files.join(folder, "é b"), files.join(folder, "elsewhere")
  assert(files.make_folder(elsewhere))
  local path, script = files.join(inside, "it's.svg"), files.join(inside, "it's.gp")
  everything():save(path)
  local first = files.read(path)
  local function run(from, arguments, made)
    os.remove(path)
    local ok, output = check.sh(("cd %s && LC_ALL=C.UTF-8 gnuplot -d %s"):format(files.quote(from),
      arguments))
    assert(ok and output == "", output)
    equal(files.read(made), first)
    if made ~= path then
      assert(not files.exists(path))
      os.remove(made)
    end
  end
  run(elsewhere, files.quote(script), path)
  run(elsewhere, files.quote("../é b/it's.gp"), path)
  run(folder, files.quote("é b/it's.gp"), path)
  run(inside, files.quote("it's.gp"), path)
  run(inside, "< " .. files.quote("it's.gp"), path)
  run(elsewhere, "-e " .. files.quote("load '" .. script:gsub("'", "''") .. "'"), path)
  run(elsewhere, "-e \"OUT='mine.svg'\" " .. files.quote(script), files.join(elsewhere, "mine.svg"))
  local _, left = files.run{"ls", "-A", elsewhere}
  equal(left, "")
end)

tests["a failing script keeps the old picture and says where it failed"] = in_folder(function(folder)
  local path = files.join(folder, "a.svg")
  sample():save(path)
  local before = files.read(path)
  local message = check.fails("gnuplot failed:", function() sample():raw("set nonsense 3"):save(path) end)
  assert(message:find("a.gp", 1, true) and message:find("line ", 1, true), message)
  assert(message:find("test_plot.lua", 1, true), "the error should point at the caller: " .. message)
  equal(files.read(path), before)
  assert(not files.exists(path .. ".part"))
end)

tests["a warning of gnuplot is an error"] = in_folder(function(folder)
  local path = files.join(folder, "a.svg")
  sample():save(path)
  local before = files.read(path)
  -- A missing second curve: gnuplot warns, draws the rest and exits with 0.
  assert(files.write(files.join(folder, "b.gp"),
    "set terminal svg\nset output OUT\nset output OUT\nplot x, 'missing.dat' using 1:2\n"))
  local ok, message = gnuplot.run(folder, "b.gp", "a.svg")
  assert(not ok and message:find("gnuplot warned:", 1, true) and message:find("missing.dat", 1, true),
    message)
  equal(files.read(path), before)
  assert(files.write(files.join(folder, "b.gp"), "print 'nothing drawn'\n"))
  ok, message = gnuplot.run(folder, "b.gp", "a.svg")
  assert(not ok and message:find("gnuplot drew nothing", 1, true), message)
  equal(files.read(path), before)
end)

tests["a missing gnuplot says what to install"] = in_folder(function(folder)
  -- luacheck: ignore real
  local real <close> = setmetatable({gnuplot.program}, {__close = function(t) gnuplot.program = t[1] end})
  gnuplot.program = "no-such-gnuplot"
  check.fails("gnuplot not found: apt install gnuplot-nox", function()
    sample():save(files.join(folder, "a.svg"))
  end)
  assert(files.exists(files.join(folder, "a.gp")))
end, true)

tests["a killed gnuplot is reported by its signal"] = in_folder(function(folder)
  local fake = files.join(folder, "gnuplot")
  assert(files.write(fake, "#!/bin/sh\nkill -9 $$\n"))
  assert(files.run{"chmod", "+x", fake})
  local real = gnuplot.program
  gnuplot.program = fake
  local ok, message = pcall(function() sample():save(files.join(folder, "a.svg")) end)
  gnuplot.program = real
  assert(not ok and message:find("killed by signal 9", 1, true), message)
end, true)

tests["missing fonts are noticed"] = function()
  if not files.run{"fc-match", "--version"} then return "skip: no fc-match" end
  local ok, message = gnuplot.check_fonts("No Such Family")
  assert(not ok and message:find("fonts-dejavu-core", 1, true), message)
end

tests["how a figure is shown follows from the terminal"] = function()
  local show = require "tide.plot.show"
  for _, case in ipairs{
    -- no terminal: text, into whatever reads it
    {{}, false, false, "text"}, {{TERM = "xterm-kitty", DISPLAY = ":0"}, false, true, "text"},
    {{TERM = "xterm"}, true, false, "text"}, {{TERM = "xterm"}, true, true, "sixel text"},
    {{TERM = "dumb"}, true, true, "text"},
    {{TERM = "xterm-kitty"}, true, false, "kitty text"}, {{KITTY_WINDOW_ID = "1", WAYLAND_DISPLAY = "w"},
      true, false, "kitty window text"},
    {{TERM = "tmux-256color", KITTY_WINDOW_ID = "1"}, true, false, "text"},
    {{TERM = "screen", KITTY_WINDOW_ID = "1"}, true, true, "sixel text"},
    {{TERM = "foot"}, true, false, "sixel text"}, {{TERM = "xterm", TERM_PROGRAM = "iTerm.app"}, true, false,
      "sixel text"},
    {{TERM = "xterm", DISPLAY = ":0"}, true, false, "window text"},
    {{TERM = "xterm", DISPLAY = ""}, true, false, "text"},
  } do
    local environment, terminal, sixels, wanted = table.unpack(case)
    local ways = show.ways(function(name) return environment[name] end, terminal, function()
      return sixels
    end)
    equal(table.concat(ways, " "), wanted)
  end
  check.fails('as must be one of "kitty", "sixel", "window", "text"', function()
    sample():show{as = "picture"}
  end)
end

tests["a window is opened by gnuplot's own terminal"] = in_folder(function(folder, write)
  local show = require "tide.plot.show"
  write("gnuplot", ([[#!/bin/sh
case "$*" in *GPVAL_TERMINALS*) echo " dumb qt svg "; exit;; esac
cp figure.gp figure.dat %s
]]):format(files.quote(folder)))
  assert(files.run{"chmod", "+x", folder .. "/gnuplot"})
  local real, print_before = gnuplot.program, print
  local back <close> = setmetatable({}, {__close = function() -- luacheck: ignore back
    gnuplot.program = real
    rawset(_G, "print", print_before)
    show.forget()
  end})
  local said
  gnuplot.program = folder .. "/gnuplot"
  show.forget()
  rawset(_G, "print", function(text) said = text end)
  sample():show{as = "window"}
  equal(said, '(shown as a window of gnuplot; fig:save("figure.png") makes a file)')
  local script = files.read(folder .. "/figure.gp")
  assert(script:find("set terminal qt 0 enhanced", 1, true) and script:find("persist", 1, true)
    and not script:find("set output OUT", 1, true), script)
  assert(files.exists(folder .. "/figure.dat"))
end, true)

-- The pipelines, on the smallest tables that have every column.
local pipeline_folder = "plots"

local function run_pipeline(name, folder, outdir)
  local draw = assert(loadfile(files.join(pipeline_folder, name .. ".lua")))()
  return draw(folder, outdir)
end

tests["plots/anode/spheres.lua draws what is there"] = in_folder(function(folder)
  if not files.exists(pipeline_folder .. "/anode/spheres.lua") then
    return "skip: not run from the top folder"
  end
  check.fails("holds none of loss.csv", run_pipeline, "anode/spheres", folder)
  local function put(name, columns, rows)
    csv.write(files.join(folder, name), columns, rows, {comments = {"command: test"}})
  end
  local loss = {}
  for _, model in ipairs{"NODE", "ResNet"} do
    for seed = 1, 2 do
      for epoch = 1, 3 do
        loss[#loss + 1] = {model, seed, epoch, 1 / (epoch + seed), model == "NODE" and 20 or 0 / 0, 20, 0.1}
      end
    end
  end
  put("loss.csv", {"model", "seed", "epoch", "loss", "nfe_forward", "nfe_backward", "seconds"}, loss)
  equal(#run_pipeline("anode/spheres", folder, files.join(folder, "out")), 2)
  put("flows.csv", {"model", "point", "class", "t", "x", "y"},
    {{"NODE", 1, -1, 0, 0, 0}, {"NODE", 1, -1, 1, 1, 1},
    {"NODE", 2, 1, 0, 2, 0}, {"NODE", 2, 1, 1, 2, 1}, {"line", 1, 1, 0, 0, 0 / 0},
    {"line", 1, 1, 1, 1, 0 / 0}})
  put("field.csv", {"model", "t", "x", "y", "u", "v"}, {{"NODE", 0, 0, 0, 1, 1}, {"NODE", 0, 1, 0, 1, 1},
    {"NODE", 0, 0, 1, 1, 1},
    {"NODE", 0.5, 0, 1, 9, 9}, {"NODE", 0, 1, 1, 1, 1}})
  put("features.csv", {"model", "stage", "class", "x", "y"},
    {{"NODE", "input", 1, 0, 0}, {"NODE", "input", -1, 1, 0},
    {"NODE", "features", 1, 0, 0}, {"NODE", "features", -1, 1, 2}})
  local drawn = run_pipeline("anode/spheres", folder)
  equal(#drawn, 4)
  equal(drawn[3], files.join(folder, "flows.png"))
  assert(files.read(files.join(folder, "flows.gp")):find("# command: test", 1, true))
end)

tests["plots/anode/flip1d.lua draws"] = in_folder(function(folder)
  if not files.exists(pipeline_folder .. "/anode/flip1d.lua") then
    return "skip: not run from the top folder"
  end
  local function put(name, columns, rows) csv.write(files.join(folder, name), columns, rows) end
  put("crossing.csv", {"t", "x", "curve"}, {{0, -1, 1}, {1, 1, 1}, {0, 1, 2}, {1, -1, 2}})
  put("euler.csv", {"kind", "curve", "t", "x"}, {{"ode", 1, 0, -1}, {"ode", 1, 1, -0.1}, {"euler", 1, 0, -1},
    {"euler", 1, 1, 1}})
  put("field.csv", {"task", "t", "x", "u"}, {{"identity", 0, 0, 1}, {"identity", 1, 1, 1}, {"g1d", 0, 0, 1},
    {"g1d", 1, 1, 1}})
  put("trajectories.csv", {"task", "curve", "t", "x"}, {{"identity", 1, 0, 1}, {"identity", 1, 1, 1},
    {"g1d", 1, 0, 1}, {"g1d", 1, 1, 0}})
  equal(run_pipeline("anode/flip1d", folder)[1], files.join(folder, "flip1d.png"))
end)

tests["plots/bench_scaling.lua draws what is there"] = in_folder(function(folder)
  if not files.exists(pipeline_folder .. "/bench_scaling.lua") then
    return "skip: not run from the top folder"
  end
  local columns = {"sweep", "model", "value", "seconds", "fastest", "slowest", "gflops"}
  local rows = {}
  for _, sweep in ipairs{"batch", "threads"} do
    for i = 1, 3 do rows[#rows + 1] = {sweep, "MLP", 2 ^ i, 1e-3 * i, 0.9e-3 * i, 1.2e-3 * i, 10} end
  end
  rows[#rows + 1] = {"width", "conv", 8, 1e-3, 1e-3, 1e-3, 10} -- one point is no line
  csv.write(files.join(folder, "scaling.csv"), columns, rows)
  equal(run_pipeline("bench_scaling", folder)[1], files.join(folder, "scaling.png"))
  csv.write(files.join(folder, "scaling.csv"), columns, {{"colour", "MLP", 1, 1, 1, 1, 1}})
  check.fails("no sweep that is known", run_pipeline, "bench_scaling", folder)
end)

return tests
