-- CSV round trips and errors, atomic files, the progress meter.

local check = require "check"
local csv = require "tide.csv"
local files = require "tide.files"
local progress = require "tide.progress"

local tests = {}

local function in_folder(fn) return function() return check.in_folder(fn) end end

local function equal(a, b) assert(a == b, ("%s ~= %s"):format(tostring(a), tostring(b))) end

tests["numbers, strings and comments survive a round trip"] = in_folder(function(folder)
  local path = files.join(folder, "a.csv")
  local columns = {"name", "n", "value"}
  local rows = {
    {"plain", 1, 0.1}, {"with, comma", -7, 1 / 3}, {'with "quotes"', 2 ^ 53 | 0, 1e-300}, {"12", 0, 0 / 0},
    {"", 5, math.huge}, {" padded ", 6, -math.huge}, {"# no comment", 7, -0.0}, {"nan", 8, 1.5}, {"ünïcode", 9, 6.02e23},
  }
  csv.write(path, columns, rows, {comments = {"command: ./tide x.lua", "two\nlines"}, digits = 17})
  local data = csv.read(path)
  equal(data.rows, #rows)
  equal(table.concat(data.names, " "), "name n value")
  equal(table.concat(data.comments, "|"), "command: ./tide x.lua|two|lines")
  for i, row in ipairs(rows) do
    equal(data:column("name")[i], row[1])
    equal(data:column("n")[i], row[2])
    equal(math.type(data:column("n")[i]), "integer")
    local value = data:column("value")[i]
    assert(value == row[3] or (value ~= value and row[3] ~= row[3]))
  end
end)

tests["nine digits by default, integers stay integers"] = in_folder(function(folder)
  local path = files.join(folder, "a.csv")
  csv.write(path, {"a", "b"}, {{a = 1 / 3, b = 123456789012}})
  equal(files.read(path), "a,b\n0.333333333,123456789012\n")
end)

tests["rows by name need every column and no other"] = in_folder(function(folder)
  local path = files.join(folder, "a.csv")
  local writer = csv.writer(path, {"loss", "nfe"})
  check.fails("column nfe must be a number, a string or a boolean, got nil", writer.row, writer, {loss = 1})
  check.fails('did you mean "loss"', writer.row, writer, {loss = 1, nfe = 2, los = 3})
  check.fails("unknown column", writer.row, writer, {1, 2, 3})
  check.fails("holds a line break", writer.row, writer, {1, "a\nb"})
  writer:discard()
  check.fails("appears twice", csv.writer, path, {"a", "a"})
  check.fails('did you mean "digits"', csv.writer, path, {"a"}, {digit = 3})
end)

tests["a file appears only when complete"] = in_folder(function(folder)
  local path = files.join(folder, "a.csv")
  csv.write(path, {"a"}, {{1}})
  local writer = csv.writer(path, {"a"})
  writer:row{2}:flush()
  equal(files.read(path), "a\n1\n")
  equal(files.read(writer.part), "a\n2\n")
  writer:close():close()
  equal(files.read(path), "a\n2\n")
  check.fails("row 2", csv.write, path, {"a"}, {{3}, {print}})
  equal(files.read(path), "a\n2\n")
  pcall(function()
    local w <close> = csv.writer(path, {"a"})
    w:row{4}
    error("stop")
  end)
  equal(files.read(path), "a\n2\n")
  local _, listing = files.run("ls " .. files.quote(folder))
  equal(listing, "a.csv\n")
end)

tests["reading errors name file and line"] = function()
  local function parse(text) return csv.parse(text, "x.csv") end
  check.fails("x.csv:3: 1 fields where the header names 2", parse, "a,b\n1,2\n3\n")
  check.fails("x.csv:4: column b held numbers so far, got \"oops\"", parse, "# c\na,b\n1,2\n1,oops\n")
  check.fails("x.csv:2: a quoted field does not end", parse, 'a\n"b\n')
  check.fails('x.csv:2: unexpected "x" after a quoted field', parse, 'a\n"b"x\n')
  check.fails('x.csv:2: a quote inside the bare field', parse, 'a\nb"c\n')
  check.fails("x.csv:1: column a appears twice", parse, "a,a\n")
  check.fails("x.csv:1: column 2 has no name", parse, "a,,b\n")
  check.fails("x.csv:1: the file is empty", parse, "")
  check.fails("x.csv:1: no header", parse, "# only this\n")
  check.fails("x.csv:2: 1 fields", parse, "a,b\n\n1,2\n")
  check.fails('held numbers so far, got "0x10"', parse, "a\n1\n0x10\n")
  check.fails("No such file", csv.read, "/nonexistent/x.csv")
end

tests["line ends, byte order mark, empty fields"] = function()
  local data = csv.parse("\239\187\191a,b\r\n1,\r\n,2\r\n")
  equal(data.rows, 2)
  equal(data:column("a")[1], 1)
  assert(data:column("a")[2] ~= data:column("a")[2])
  assert(data:column("b")[1] ~= data:column("b")[1])
end

tests["missing columns are reported with what is there"] = in_folder(function(folder)
  local path = files.join(folder, "a.csv")
  csv.write(path, {"epoch", "loss"}, {{1, 2}})
  check.fails("column nfe is missing; the file has: epoch, loss", csv.read, path, {"nfe"})
  local data = csv.read(path)
  check.fails('unknown column "los" (did you mean "loss"?)', data.column, data, "los")
end)

tests["groups keep the order of first appearance"] = function()
  local data = csv.parse("model,seed,y\nb,1,10\na,1,20\nb,2,30\nb,1,40\n")
  local groups = data:group("model")
  equal(#groups, 2)
  equal(groups[1].key.model, "b")
  equal(table.concat(groups[1]:column("y"), " "), "10 30 40")
  local runs = data:group("model", "seed")
  equal(#runs, 3)
  equal(runs[3].key.seed, 2)
end

tests["atomic writes, paths and shell words"] = in_folder(function(folder)
  equal(files.join("a", "b", "c.txt"), "a/b/c.txt")
  equal(files.join("a/", "./x"), "a/./x")
  equal(files.join(".", "x"), "x")
  equal(files.join("a", "/b"), "/b")
  equal(files.stem("x/y.tar.png"), "y.tar")
  equal(select(2, files.stem("x/y.PNG")), "png")
  equal(select(2, files.stem("x.d/y")), "")
  local nasty = "it's $HOME `date` \"x\""
  local ok, output = files.run("printf %s " .. files.quote(nasty))
  assert(ok)
  equal(output, nasty)
  local path = files.join(folder, nasty)
  assert(files.write(path, "one"))
  assert(files.write(path, "two"))
  equal(files.read(path), "two")
  local done, message = files.write(files.join(folder, "no/such/folder"), "x")
  assert(not done and message:find("No such file"))
  assert(not files.make_folder(path .. "/below a file"))
end)

-- A stream and a clock that the test holds.
local function meter(opts)
  local out, now = {}, {0}
  opts.stream = {write = function(_, ...) for _, s in ipairs{...} do out[#out + 1] = s end end, flush = function() end}
  opts.clock = function() return now[1] end
  return progress.new(opts), now, function() return table.concat(out) end
end

tests["plain progress: a line per ten percent, then the total time"] = function()
  local bar, now, text = meter{total = 100, label = "NODE", bar = false}
  for i = 1, 100 do
    now[1] = i * 0.5
    bar:update(i, {{"loss", 0.25}})
  end
  bar:finish()
  local lines = select(2, text():gsub("\n", ""))
  equal(lines, 10)
  assert(text():find("NODE   50%  50/100  2 it/s  left 0:25  loss 0.25\n", 1, true), text())
  assert(not text():find("\r", 1, true))
end

tests["plain progress: every 30 s when slow, and ends with a line"] = function()
  local bar, now, text = meter{total = 1000, bar = false}
  for i = 1, 7 do
    now[1] = i * 10
    bar:update(i)
  end
  bar:finish("stopped")
  equal(select(2, text():gsub("\n", "")), 3)
  assert(text():find("took 1:10  stopped\n$"), text())
end

tests["the bar is redrawn ten times a second at most and fits its width"] = function()
  local bar, now, text = meter{total = 1000, label = "x", bar = true, width = 40}
  for i = 1, 1000 do
    now[1] = i * 0.001
    bar:update(i, {loss = 0.123456789, nfe = 26})
  end
  bar:log("a line")
  bar:finish()
  bar:finish()
  local draws = select(2, text():gsub("\r", ""))
  assert(draws <= 15, draws)
  for line in text():gmatch("[^\r\n]+") do assert(#line <= 39, line) end
  equal(text():sub(-1), "\n")
end

tests["quiet progress says nothing; unknown totals count"] = function()
  local bar, _, text = meter{total = 10, quiet = true, bar = true}
  bar:update(5):log("x"):finish()
  equal(text(), "")
  local counter, now, counted = meter{bar = false, unit = "steps"}
  now[1] = 2
  counter:update(8)
  counter:finish()
  assert(counted():find("8 steps  4 steps/s  took 0:02", 1, true), counted())
  check.fails('did you mean "total"', progress.new, {totl = 3})
end

tests["durations"] = function()
  equal(progress.duration(75), "1:15")
  equal(progress.duration(3675.4), "1:01:15")
  equal(progress.duration(0 / 0), "-:--")
  equal(progress.duration(math.huge), "-:--")
end

return tests
