-- CSV round trips and errors, atomic files, the progress meter.

local check = require "check"
local csv = require "tide.csv"
local files = require "tide.files"
local progress = require "tide.progress"
require "tide" -- says where the library lies, so that errors name lines of others

local tests = {}

local function in_folder(fn) return function() return check.in_folder(fn) end end

local function equal(a, b) assert(a == b, ("%s ~= %s"):format(tostring(a), tostring(b))) end

tests["numbers, strings and comments survive a round trip"] = in_folder(function(folder)
  local path = files.join(folder, "a.csv")
  local columns = {"name", "n", "value"}
  local rows = {
    {"plain", 1, 0.1}, {"with, comma", -7, 1 / 3}, {'with "quotes"', 2 ^ 53 | 0, 1e-300}, {"12", 0, 0 / 0},
    {"", 5, math.huge}, {" padded ", 6, -math.huge}, {"# no comment", 7, -0.0}, {"nan", 8, 1.5},
    {"ünïcode", 9, 6.02e23},
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

tests["as many digits as a value needs, or as asked for; integers stay integers, floats floats"] =
  in_folder(function(folder)
  local path = files.join(folder, "a.csv")
  csv.write(path, {"a", "b", "c", "d"}, {{a = 1 / 3, b = 123456789012, c = 0.1, d = -2.0}})
  equal(files.read(path), "a,b,c,d\n0.3333333333333333,123456789012,0.1,-2.0\n")
  csv.write(path, {"a", "b"}, {{a = 1 / 3, b = 123456789012}}, {digits = 9})
  equal(files.read(path), "a,b\n0.333333333,123456789012\n")
end)

tests["every value comes back: floats of any bits, every byte in strings"] = in_folder(function(folder)
  local path, rows, state = files.join(folder, "a.csv"), {}, 88172645463325252
  local function draw()
    state = state ~ (state << 13)
    state = state ~ (state >> 7)
    state = state ~ (state << 17)
    return state
  end
  local odd = {'"', "\n", "\r", "\r\n", ",", ";", "\t", "#x", " ", "", "NA", "nan", "null", "1,5", "1", "0x1",
    "\0", "true", "a b", "''", "\239\187\191"}
  for i = 1, 600 do
    local word = odd[i % #odd + 1] .. (i % 3 == 0 and string.char(i % 256) or "")
      .. (i % 5 == 0 and odd[draw() % #odd + 1] or "")
    rows[i] = {("<d"):unpack(("<i8"):pack(draw())), draw(), word, i % 2 == 0}
  end
  rows[601] = {5e-324, math.mininteger, "x", true}
  rows[602] = {-0.0, math.maxinteger, "", false}
  rows[603], rows[604], rows[605] = {math.huge, 0, "x", true}, {-math.huge, 0, "x", true},
    {0 / 0, 0, "x", true}
  csv.write(path, {"float,", "\"int\"", "# word", "flag\n"}, rows)
  local t = csv.read(path, {"float,", "\"int\"", "# word", "flag\n"})
  equal(t.rows, #rows)
  for i, row in ipairs(rows) do
    for c, v in ipairs(row) do
      local got = t:column(c)[i]
      local same = type(v) == "boolean" and got == tostring(v) or got == v and math.type(got) == math.type(v)
        or v ~= v and got ~= got
      assert(same, ("row %d, column %d: %s for %s"):format(i, c, got, v))
    end
  end
  assert(1 / t:column(1)[602] == -math.huge)
  -- a table of one column, where a blank line would be nothing and a blank a separator
  for _, word in ipairs(odd) do
    csv.write(path, {"a word"}, {{word}, {"1 2"}, {word}})
    local back = csv.read(path):column("a word")
    equal(#back, 3)
    assert(back[1] == word and back[2] == "1 2" and back[3] == word, ("%q"):format(word))
  end
end)

tests["a locale with a decimal comma changes nothing"] = in_folder(function(folder)
  local before, path = os.setlocale(nil, "numeric"), files.join(folder, "a.csv")
  local found
  for _, name in ipairs{"de_DE.UTF-8", "de_DE", "fr_FR.UTF-8", "fr_FR", "nl_NL.UTF-8", "ru_RU.UTF-8"} do
    found = found or os.setlocale(name, "numeric")
  end
  if not found then return "skip: no such locale is installed" end
  local ok, message = pcall(function()
    csv.write(path, {"a"}, {{0.5}, {1e300}})
    equal(files.read(path), "a\n0.5\n1e+300\n")
    equal(csv.read(path).columns.a[1], 0.5)
  end)
  os.setlocale(before, "numeric")
  assert(ok, message)
end)

-- {text, options or nil, column = values, ...}: 0/0 and strings as such.
local nan = 0 / 0
local foreign = {
  ["pandas"] = {"t,loss,name\n0,0.5,a\n1,,b\n2,0.25,\"c, d\"\n", t = {0, 1, 2}, loss = {0.5, nan, 0.25},
    name = {"a", "b", "c, d"}},
  ["pandas, missing values in quotes"] = {'x\n1.5\n""\n2.5\n', x = {1.5, nan, 2.5}},
  ["nothing but empty texts"] = {'x,y\n"",1\n"",2\n', x = {"", ""}, y = {1, 2}},
  ["savetxt, complex"] = {" (1.0e+00+2.0e+00j)\n", column1 = {"(1.0e+00+2.0e+00j)"}},
  ["pandas, index"] = {",a,b\n0,1.5,x\n1,2.5,y\n", column1 = {0, 1}, a = {1.5, 2.5}, b = {"x", "y"}},
  ["pandas, index and no names"] = {",0,1\n0,1.5,2\n", column1 = {0}, ["0"] = {1.5}, ["1"] = {2}},
  ["pandas, no names, said so"] = {"0,1\n1.5,2\n", {header = true}, ["0"] = {1.5}, ["1"] = {2}},
  ["NaN in any spelling"] = {"v\n1\nNaN\nnan\n-nan\nNA\n<NA>\nmissing\nn/a\nNULL\n",
    v = {1, nan, nan, nan, nan, nan, nan, nan, nan}},
  ["infinities"] = {"v\nInf\n-Inf\n+inf\ninfinity\n-Infinity\n", v = {1 / 0, -1 / 0, 1 / 0, 1 / 0, -1 / 0}},
  ["savetxt, header"] = {"# t, y\n1.0, 2.0\n3.0, 4.0\n", t = {1, 3}, y = {2, 4}},
  ["savetxt, blanks, no header"] = {"1.000e+00 2.000e+00\n3.000e+00 nan\n", column1 = {1, 3},
    column2 = {2, nan}},
  ["savetxt, comments, header, footer"] = {"# run 7\n# t y\n1.0 2.0\n# end\n", t = {1}, y = {2}},
  ["loadtxt of one column"] = {"0.5\n1.5\n", column1 = {0.5, 1.5}},
  ["MATLAB writetable"] = {"t,y,s\r\n1,NaN,on\r\n2,-Inf,off\r\n", t = {1, 2}, y = {nan, -1 / 0},
    s = {"on", "off"}},
  ["MATLAB writematrix"] = {"0.81,0.9\n0.91,0.63\n", column1 = {0.81, 0.91}, column2 = {0.9, 0.63}},
  ["R write.csv"] = {'"","x","g"\n"1",5.1,"a"\n"2",NA,NA\n', column1 = {"1", "2"}, x = {5.1, nan},
    g = {"a", "NA"}},
  ["R write.csv2"] = {'"x";"y"\n1,5;2\n-3,25;NA\n', x = {1.5, -3.25}, y = {2, nan}},
  ["R write.table"] = {'"x" "y"\n"1" 5.1 3.5\n"2" 4.9 NA\n', column1 = {"1", "2"}, x = {5.1, 4.9},
    y = {3.5, nan}},
  ["R write.table, tabs"] = {'"x"\t"y"\n"a b"\t5.1\t3.5\n', column1 = {"a b"}, x = {5.1}, y = {3.5}},
  ["Julia CSV.write"] = {"t,y,ok\n0.0,1.0,true\n0.1,missing,false\n", t = {0, 0.1}, y = {1, nan},
    ok = {"true", "false"}},
  ["Julia writedlm"] = {"1.0\t2.0\nNaN\tInf\n", column1 = {1, nan}, column2 = {2, 1 / 0}},
  ["gnuplot set table"] = {"# Curve 0 of 1, 3 points\n# x y type\n 0 0 i\n 1 2 i\n\n\n 3 4 o\n",
    x = {0, 1, 3}, y = {0, 2, 4}, type = {"i", "i", "o"}},
  ["decimal commas without a header"] = {"1,5;2,5\n3,5;4\n", column1 = {1.5, 3.5}, column2 = {2.5, 4}},
  ["decimal commas between tabs, said so"] = {"a\tb\n1,5\t2\n", {decimal = ","}, a = {1.5}, b = {2}},
  ["tabs with missing values"] = {"a\tb\n1\t\n\t\n2\t3\n", a = {1, nan, 2}, b = {nan, nan, 3}},
  ["commas in a file of tabs"] = {"a,b\tc\nx,y\t1\n", ["a,b"] = {"x,y"}, c = {1}},
  ["separator said"] = {"a;b,c\n1;2,3\n", {separator = ","}, ["a;b"] = {"1;2"}, c = {3}},
  ["line break in quotes"] = {'a,b\r\n"two\r\nlines ""x""",2\r\n', a = {'two\r\nlines "x"'}, b = {2}},
  ["blanks behind commas"] = {'a, b, c\n1, 2 , "x, y"\n', a = {1}, b = {2}, c = {"x, y"}},
  ["old Macintosh"] = {"a,b\r1,2\r3,4\r", a = {1, 3}, b = {2, 4}},
  ["no last line end"] = {"a,b\n1,2", a = {1}, b = {2}},
  ["blank lines"] = {"\n\na,b\n1,2\n\n3,4\n  \n\n", a = {1, 3}, b = {2, 4}},
  ["header of a comment without a blank"] = {"#id,name\n1,cd\n2,gh\n", id = {1, 2}, name = {"cd", "gh"}},
  ["comment = false"] = {"a,b\n#x,1\n", {comment = false}, a = {"#x"}, b = {1}},
  ["comment = true"] = {"a,b\nx,1\n#y,2\n", {comment = true}, a = {"x"}, b = {1}},
  ["names said"] = {"0,1\n1.5,2\n", {header = {"t", "y"}}, t = {0, 1.5}, y = {1, 2}},
  ["no header, said so"] = {"NODE,0.5\nANODE,1\n", {header = false}, column1 = {"NODE", "ANODE"},
    column2 = {0.5, 1}},
  ["missing values in a column of words"] = {"name,v\nNA,1\n,2\nbob,\n", name = {"NA", "", "bob"},
    v = {1, 2, nan}},
  ["nothing but missing values"] = {"a,b\n,NA\n", a = {nan}, b = {nan}},
  ["quoted numbers are words"] = {'a\n"12"\n', a = {"12"}},
  ["names only"] = {"a,b\n", a = {}, b = {}},
}

tests["tables of pandas, NumPy, MATLAB, R, Julia and gnuplot"] = function()
  for title, row in pairs(foreign) do
    local opts = row[2]
    local t = csv.parse(row[1], title, opts)
    local columns, count = 0, nil
    for name, values in pairs(row) do
      if type(name) == "string" then
        columns, count = columns + 1, #values
        local got = t:column(name)
        equal(#got, #values)
        for i, v in ipairs(values) do
          assert(got[i] == v or v ~= v and got[i] ~= got[i], ("%s: %s[%d] is %s"):format(title, name, i,
            got[i]))
        end
      end
    end
    assert(columns == #t.names and t.rows == count, title)
  end
  equal(table.concat(csv.parse("# run 7\n# t y\n1.0 2.0\n# end\n").comments, "|"), "run 7|end")
end

-- A table that was read comes back from what is written of it.
local function check_round_trip(t, path, text)
  local rows = {}
  for r = 1, t.rows do
    rows[r] = {}
    for c in ipairs(t.names) do rows[r][c] = t:column(c)[r] end
    assert(#rows[r] == #t.names, ("%q"):format(text))
  end
  csv.write(path, t.names, rows)
  local back = csv.read(path, t.names)
  assert(back.rows == t.rows, ("%q"):format(text))
  for c in ipairs(t.names) do
    assert(#t:column(c) == t.rows)
    for r, v in ipairs(t:column(c)) do
      local w = back:column(c)[r]
      assert(v == w and math.type(v) == math.type(w) or v ~= v and w ~= w,
        ("%q: %s for %s"):format(text, w, v))
    end
  end
end

tests["names that look like numbers or separators come back"] = in_folder(function(folder)
  local path = files.join(folder, "a.csv")
  for _, names in ipairs{{"1 2"}, {"1\t2"}, {"1"}, {"1;2"}, {"1,5"}, {"nan"}, {"a b"}, {"# a"}, {"1", "2"},
    {"1 2", "3 4"}} do
    for n = 0, 2 do
      local rows = {}
      for r = 1, n do rows[r] = #names == 1 and {r} or {r, 0.5} end
      csv.write(path, names, rows)
      local back = csv.read(path, names)
      assert(back.rows == n and back.names[1] == names[1], ("%q, %d rows"):format(names[1], n))
    end
  end
end)

-- Whatever comes in: a table, which comes back when it is written, or an error that names the line.
tests["mutated tables"] = in_folder(function(folder)
  local texts, state, path = {}, 1, files.join(folder, "a.csv")
  for _, row in pairs(foreign) do texts[#texts + 1] = row[1] end
  table.sort(texts)
  local function draw(n)
    state = (state * 6364136223846793005 + 1442695040888963407)
    return (state >> 33) % n
  end
  local words = {",", ";", "\t", '"', '""', "\n", "\r\n", "\r", " ", "#", "# ", "0", "-", "1e5", "NaN", "NA",
    ".", "\0", "\255", "a", "1,5", "\n\n", '"\n"'}
  local read, refused = 0, 0
  for _ = 1, 3000 * math.max(1, math.tointeger(os.getenv "TIDE_FUZZ") or 1) do
    local text = texts[draw(#texts) + 1]
    for _ = 0, draw(4) do
      local at, word = draw(#text + 1), words[draw(#words) + 1]
      text = text:sub(1, at) .. (draw(2) == 0 and word or "")
        .. text:sub(at + 1 + (draw(3) == 0 and draw(4) or 0))
    end
    local ok, t = pcall(csv.parse, text, "x.csv")
    if not ok then
      refused = refused + 1
      assert(t:find("^x%.csv:%d+: ") or t:find("UTF-16", 1, true), ("%q: %s"):format(text, t))
    else
      read = read + 1
      check_round_trip(t, path, text)
    end
  end
  assert(read > 500 and refused > 500)
end)

tests["what could be read in two ways is an error that says how to decide"] = function()
  for text, words in pairs{
    ["0,1\n1.5,2\n"] = "x.csv:1: this line counts 0, 1, ...",
    ["0\n2\n"] = "counts 0, 1",
    ["NODE,0.5\nANODE,0.25\n"] =
    "words and numbers: names or data? Say header = true (names), header = false (data)",
    ["model,2019\nx,5\n"] = "look alike",
    ["#id,name\nab,cd\nef,gh\n"] = "or the comment before it?",
    ["a\n1\n\n2\n"] = "x.csv:3: an empty line in a table of one column",
    ["a,b\nx,1\n#y,2\n"] = "x.csv:3: a comment or a row?",
    ["a;b\n1,5;2.5\n"] = 'x.csv:2: "2.5": so far the decimal sign of this file was ","',
    ["\255\254a\0"] = "UTF-16",
  } do
    check.fails(words, csv.parse, text, "x.csv")
  end
  check.fails("so far the decimal sign", csv.parse, "a;b\n1.5;2\n", "x", {decimal = ","})
  check.fails('separator must be one of ",", ";", "\\t", " ", got "|"', csv.parse, "a|b", "x",
    {separator = "|"})
  check.fails('did you mean "separator"', csv.parse, "a", "x", {seperator = ","})
  check.fails("header must be a list of names", csv.parse, "1,2\n", "x", {header = {1, 2}})
  check.fails("2 fields where the header names 1", csv.parse, "1,2\n", "x", {header = {"a"}})
  check.fails("csv.parse: a text is expected, got nil", csv.parse)
end

tests["files that never end are refused at once"] = in_folder(function(folder)
  assert(check.sh("mkfifo " .. files.quote(folder .. "/fifo")))
  for _, path in ipairs{folder .. "/fifo", "/dev/zero", folder} do
    check.fails("not a regular file", csv.read, path)
    local text, message = files.read(path)
    assert(not text and message:find("not a regular file", 1, true) and message:find(path, 1, true))
  end
end)

tests["rows by name need every column and no other"] = in_folder(function(folder)
  local path = files.join(folder, "a.csv")
  local writer = csv.writer(path, {"loss", "nfe"})
  check.fails("column nfe must be a number, a string or a boolean, got nil", writer.row, writer, {loss = 1})
  check.fails('did you mean "loss"', writer.row, writer, {loss = 1, nfe = 2, los = 3})
  check.fails("unknown column", writer.row, writer, {1, 2, 3})
  writer:discard()
  check.fails("appears twice", csv.writer, path, {"a", "a"})
  check.fails('did you mean "digits"', csv.writer, path, {"a"}, {digit = 3})
  check.fails("csv.write(path, columns, rows): rows must be a list of rows, got nil", csv.write, path, {{1}})
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
  local _, listing = files.run{"ls", folder}
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
  check.fails("x.csv:1: the file is empty", parse, "")
  check.fails("x.csv:1: no header", parse, "# only this\n")
  check.fails("x.csv:3: 3 fields", parse, "a,b\n1,2\n1,2,\n")
  check.fails("x.csv:4: 1 fields", parse, 'a,b\n"1\n",2\n3\n')
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

tests["rows chosen, sorted, as records, and back"] = function()
  local data = csv.parse("# c\nm,v\nb,2\na,nan\nb,1\na,2\n")
  local some = data:where(function(r) return r.m == "b" end)
  equal(some.rows, 2)
  equal(table.concat(some:column("v", 2), " "), "1.0 0.5")
  equal(some.comments[1], "c")
  equal(table.concat(data:sorted("v", "m"):column("m"), ""), "baba") -- 1, 2 a, 2 b, nan
  equal(table.concat(data:sorted("m"):column("m"), ""), "aabb")
  local records = data:records()
  equal(#records, 4)
  equal(records[3].m .. records[3].v, "b1")
  local again = csv.table({"v", "m"}, records)
  equal(again.rows, 4)
  equal(#again:group("m"), 2)
  check.fails("row 2 has no v", csv.table, {"v"}, {{v = 1}, {m = 1}})
end

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
  local ok, output = check.sh("printf %s " .. files.quote(nasty))
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
  opts.stream = {write = function(_, ...) for _, s in ipairs{...} do out[#out + 1] = s end end,
    flush = function() end}
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

tests["fields may be a function, called only where they are shown"] = function()
  local bar, now, text = meter{total = 100, bar = true, width = 80}
  local calls = 0
  for i = 1, 50 do
    now[1] = i * 0.01
    bar:update(i, function()
      calls = calls + 1
      return {{"loss", i}}
    end)
  end
  assert(calls >= 3 and calls < 10 and text():find("loss 1", 1, true), calls)
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

tests["errors name the line of the user"] = function()
  local here = debug.getinfo(1, "S").short_src
  for _, call in ipairs{
    function() csv.write("/nowhere/a.csv", {"a"}, {{1}}) end,
    function() csv.write("/nowhere/a.csv", {"a", "a"}, {}) end,
    function() csv.read("/nowhere/a.csv") end,
    function() csv.parse(1) end,
    function() csv.parse("a\n1"):column("b") end,
  } do
    local ok, message = pcall(call)
    local line = debug.getinfo(call, "S").linedefined
    assert(not ok and message:find(("%s:%d: "):format(here, line), 1, true) == 1, message)
  end
end

-- What a parse gives, as one text; `taker` makes the function that reads plain rows, or nil.
local function outcome(text, plain_rows, taker)
  plain_rows.taker = taker
  local ok, t = pcall(csv.parse, text)
  if not ok then return tostring(t) end
  local out = {table.concat(t.names, "|"), t.rows, #t.comments}
  for _, name in ipairs(t.names) do
    for row = 1, t.rows do
      local v = t.columns[name][row]
      out[#out + 1] = (math.type(v) or type(v)) .. (v == 0 and 1 / v < 0 and "-0" or tostring(v))
    end
  end
  return table.concat(out, "\n")
end

-- Rows that are plain are read by a way of their own; whatever the text, the result is that of the other way.
tests["plain rows and others give one table"] = function()
  local plain_rows = require "tide.lab.csv.plain_rows"
  local taker, taken = plain_rows.taker, 0
  -- luacheck: ignore back
  local back <close> = setmetatable({}, {__close = function() plain_rows.taker = taker end})
  local function counting(reader)
    local take = taker(reader)
    return take and function(from, line)
      local rows = reader.rows
      local at, next_line = take(from, line)
      taken = taken + reader.rows - rows
      return at, next_line
    end
  end
  math.randomseed(11)
  local odd = {"", "NA", "-0", "-0.0", "1e5", "nan", "inf", " 3", "3 ", "abc", "a b", '"q"', '"1"', "# c",
    "#c", "1,5", ".5", "+7", "0x10", "é", "a,b", "\n", '"two\nlines"', "x ", "9007199254740993",
    "1e999", "--1"}
  for _ = 1, 400 do
    local lines, ends = {"n,x,s"}, math.random(2) == 1 and "\n" or "\r\n"
    for r = 1, math.random(2, 12) do
      local fields = {tostring(r), ("%.3f"):format(r / 7), "word" .. r}
      if math.random(6) == 1 then fields[math.random(3)] = odd[math.random(#odd)] end
      lines[r + 1] = table.concat(fields, ",")
    end
    local text = table.concat(lines, ends) .. (math.random(2) == 1 and ends or "")
    local a, b = outcome(text, plain_rows, function() end), outcome(text, plain_rows, counting)
    if a ~= b then error(("%q\n%s\n%s"):format(text, a, b)) end
  end
  assert(taken > 1000, taken)
end

return tests
