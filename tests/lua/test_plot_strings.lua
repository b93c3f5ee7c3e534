-- Whatever a user or a table calls a figure, its parts and its file is shown as it is, and none of it is a
-- command to gnuplot.

local check = require "check"
local core = require "tide.core"
local files = require "tide.files"
local plot = require "tide.plot"
local style = require "tide.plot.style"

local tests = {}
local has_gnuplot = files.run{"gnuplot", "--version"}

local function with_gnuplot(fn)
  return function()
    if not has_gnuplot then return "skip: no gnuplot" end
    return check.in_folder(fn)
  end
end

local hostile = {"|touch P1;.png", "a\nsystem('touch P2')#", "1); system('touch P3'); set xtics (1",
  "<touch P4", "`touch P5`", "$(touch P6)",
  "'; system('touch P7'); '", '"; system("touch P8"); "', "\\'; system('touch P9'); '", "!touch P10",
  "\n!touch P11\n", "a\r!touch P12", "@macro",
    "#", "\\", "a\\\\",
  "{", "}{", "-e", "-", "--", "+", "~root", "%s %d %n", "50 %", "it's", "\\141\\U+0041",
  "a_b^c{/Symbol d}&{e}~f{.5g}", "é_ß 0x41", "\1\0021",
    " two  blanks ", "+", "++",
  "load 'x'", "'", '"', "''", '""', "`", "a`b", "$x", "name.gp", "\u{202e}x"}

-- Random strings of characters that mean something to gnuplot, Lua, a shell.
local function random_strings(n, alphabet)
  math.randomseed(7)
  local out = {}
  for i = 1, n do
    local text = {}
    for k = 1, math.random(1, 14) do
      local at = math.random(#alphabet)
      text[k] = alphabet:sub(at, at)
    end
    out[i] = table.concat(text)
  end
  return out
end

tests["a quoted string comes back from gnuplot byte for byte"] = with_gnuplot(function(folder, write)
  local samples = random_strings(1500, "`'\"\\@#{}$;|!\n\r\t%&~^_ab01789()<>-\200\255\1\27")
  for byte = 1, 255 do
    for _, form in ipairs{"%s", "a%s1 b%s%s", "%s01", "x%s"} do
      samples[#samples + 1] = (form:gsub("%%s", {["%s"] = string.char(byte)}))
    end
  end
  table.move(hostile, 1, #hostile, #samples + 1, samples)
  local lines, wanted = {"set print 'out'", "macro = 'expanded'"}, {}
  for i, text in ipairs(samples) do
    lines[#lines + 1] = "print " .. style.quote(text) .. ".'<END>'"
    wanted[i] = text .. "<END>\n"
  end
  write("q.gp", table.concat(lines, "\n") .. "\n")
  local ok, output = files.run({"gnuplot", "-d", "q.gp"}, {folder = folder})
  assert(ok and output == "", output)
  assert(files.read(folder .. "/out") == table.concat(wanted))
  assert(#core.listdir(folder) == 2)
  check.fails("NUL", style.quote, "a\0b")
end)

-- The texts of an svg file, in order; its own blanks do not break.
local function texts_of(svg)
  local list = {}
  for text in svg:gmatch("<text[^>]*>(.-)</text>") do
    text = text:gsub("<[^>]->", "")
    list[#list + 1] = text:gsub("&lt;", "<"):gsub("&gt;", ">"):gsub("&quot;", '"'):gsub("&apos;", "'"):gsub(
      "&amp;", "&"):gsub("\u{A0}", " ")
  end
  return list
end

local function contains(list, wanted)
  for _, text in ipairs(list) do if text == wanted then return true end end
  return false
end

tests["title, labels, ticks and legend show what was written"] = with_gnuplot(function(folder)
  local samples = random_strings(60, "\\\\{}{}^_@&~ab01/*:%|<>\"'`=;.,U+x")
  for _, text in ipairs(hostile) do if not text:find("[%c]") then samples[#samples + 1] = text end end
  local panels = {}
  for i = 1, #samples, 4 do
    local function text(k) return "<" .. (samples[i + k] or "-") .. ">" end
    panels[#panels + 1] = plot.image{z = {{1, 2}, {3, 4}}, title = text(0), xlabel = text(1),
      ylabel = text(2), zlabel = text(3), width = 900,
      xticks = {{1, text(0)}, {2, text(1)}}, yticks = {{1, text(2)}}}:add("entry", {name = text(3)})
  end
  for k, fig in ipairs(panels) do
    local shown = texts_of(files.read(fig:save(files.join(folder, k .. ".svg"))))
    for j = 0, 3 do
      local wanted = "<" .. (samples[4 * k - 3 + j] or "-") .. ">"
      assert(contains(shown, wanted), ("%q is not among %q"):format(wanted, table.concat(shown, "  ")))
    end
    assert(#shown >= 8)
  end
  local one = plot.panels{plot.line{y = {1, 2}}, plot.line{y = {1, 2}}, title = "{\\x_1} 50 %"}:save(
    files.join(folder, "p.svg"))
  assert(contains(texts_of(files.read(one)), "{\\x_1} 50 %"))
end)

tests["markup is there for those who ask for it"] = with_gnuplot(function(folder)
  local fig = plot.line{y = {1, 2}, title = "g_{1} " .. plot.escape("a_{b}"), markup = true}
  local svg = files.read(fig:save(files.join(folder, "m.svg")))
  assert(not svg:find("g_", 1, true) and svg:find("a_{b}", 1, true))
  assert(plot.plain("rk4_38") == "rk4_38")
end)

-- A figure with `text` wherever a text can stand.
local function named(text)
  local class = text == "" and "-" or text
  local first = plot.scatter{x = {1, 2, 3}, y = {1, 2, 3}, class = {class, class, "other"}, title = text,
    xlabel = text, ylabel = text, note = text,
    xticks = {{1, text}, 2, {3, text}}, classes = {{value = class, name = text}}}
  first:add("line", {y = {1, 0 / 0, 2}, name = text}):add("entry", {name = text, dash = "-."})
  local second = plot.image{z = {{1, 0 / 0}, {3, 4}}, zlabel = text, title = text, name = text,
    yticks = {{1, text}}}
  second:add("trajectories", {x = {1, 2}, y = {1, 2}, id = {text, text}, class = {class, class}})
  return plot.panels{first, second, title = text, note = text .. "\n" .. text}
end

tests["no text and no file name is a command"] = with_gnuplot(function(folder)
  local home = files.join(folder, "out")
  for _, text in ipairs(hostile) do
    local name = text:gsub("/", "-")
    local path = files.join(home, name .. ".svg")
    assert(named(text):save(path) == path)
    for _, extension in ipairs{".svg", ".gp", ".dat"} do
      assert(files.exists(files.join(home, name .. extension)), name)
    end
    -- Alone, too, the script draws the same and nothing else.
    local before = files.read(path)
    assert(core.remove(path))
    local ok, output = files.run({"gnuplot", "-d", "./" .. name .. ".gp"},
      {folder = home, environment = {"LC_ALL=C.UTF-8"}})
    assert(ok and files.read(path) == before, output)
    assert(#core.listdir(home) == 3, table.concat(core.listdir(home), " "))
    for _, extension in ipairs{".svg", ".gp", ".dat"} do
      assert(core.remove(files.join(home, name .. extension)))
    end
  end
  named(table.concat(hostile)):text()
  assert(#core.listdir(folder) == 1)
end)

tests["a column of a table that looks like a command is a name"] = with_gnuplot(function(folder)
  local data = require("tide.csv").parse(
    "x,y,label\n1,2,\"1); system('touch P3'); set xtics (1\"\n2,3,`touch P`\n")
  local ticks = {}
  for i, label in ipairs(data:column("label")) do ticks[i] = {data:column("x")[i], label} end
  plot.line{x = data:column("x"), y = data:column("y"), xticks = ticks, title = data:column("label")[2]}:save(
    files.join(folder, "a.png"))
  check.fails("xticks must be true, false, or a list of numbers and {number", plot.line,
    {y = {1, 2}, xticks = data:column("label")})
  check.fails("dash must be", plot.line, {y = {1, 2}, dash = {"1); system('touch P')", 2}})
  check.fails("dash must be", plot.line, {y = {1, 2}, dash = "`touch P`"})
  check.fails("unknown color", plot.line, {y = {1, 2}, color = "red'; system('touch P')"})
  check.fails("unknown color", plot.line, {y = {1, 2}, color = "#1234567"})
  check.fails("unknown marker", plot.line, {y = {1, 2}, marker = "7 ; system('touch P')"})
  check.fails("unknown palette", plot.image,
    {z = {{1, 2}, {3, 4}}, palette = "viridis; system('touch P')"})
  check.fails("unknown palette", plot.streamlines, {f = function(x, y) return -y, x end, xrange = {0, 1},
    yrange = {0, 1}, palette = "viridis; system('touch P')"})
  check.fails("legend must be one of", plot.line, {y = {1, 2}, legend = "above; system('touch P')"})
  check.fails('y[1] must be a number, got "1 ; system', function()
    plot.line{y = {"1 ; system('touch P')"}}:render()
  end)
  check.fails("unknown extension", function()
    plot.line{y = {1, 2}}:render("a", "svg'; system('touch P')")
  end)
  check.fails("NUL", function() plot.line{y = {1, 2}}:render("a\0b") end)
  for _, name in ipairs{"a\0b.png", "", "x/", ".", ".."} do
    check.fails("save needs the name of a file", function() plot.line{y = {1, 2}}:save(name) end)
  end
  assert(#core.listdir(folder) == 3)
end)

tests["gnuplot reads no settings of the user"] = with_gnuplot(function(folder, write)
  write(".gnuplot", "system('touch P')\n")
  write("use.lua", 'require("tide").plot.line{y = {1, 2}}:save("a.svg")')
  local i = 0
  while arg[i - 1] do i = i - 1 end
  local environment = {"HOME=" .. folder, "GNUPLOT_LIB=" .. folder, "GNUTERM=dumb", "LUA_PATH="
    .. package.path, "LUA_CPATH=" .. package.cpath}
  local ok, output = files.run({core.realpath(arg[i]) or arg[i], "use.lua"},
    {folder = folder, environment = environment})
  assert(ok, output)
  assert(files.exists(folder .. "/a.svg") and not files.exists(folder .. "/P"))
end)

return tests
