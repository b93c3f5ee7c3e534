--- Help about tables, tools and the prompt; see tide.docs.

local help = require "tide.help"

local define = help.define

help.topic "Tables of numbers (CSV)"
local writer_options = {{"comments", {}, "lines for the top of the file"},
  {"digits", nil, "significant digits, 1 to 17 (default: as many as a value needs)"}}
local reader_options = {{"separator", nil, "\",\", \";\", \"\\t\" or \" \" (runs of blanks)"},
  {"decimal", nil, "\".\" or \",\""},
  {"header", nil, "true: the first line names the columns; false: column1, column2, ...; or a list of names"},
  {"comment", nil, "are lines that begin with # comments?"}}
define{name = "csv.writer", args = "path, columns, opts", returns = "writer", options = writer_options,
  text = [[A table to be written row by row; the file appears under its name when it is closed. local w
  <close> = csv.writer(...) closes it, or discards it after an error. What is written comes back equal, but
  for booleans, which come back as "true" and "false". A full disk is an error of row, flush or close, and
  then nothing appears.]],
  example = "local w <close> = tide.csv.writer(folder .. \"/a.csv\", {\"epoch\", \"loss\"})  w:row{epoch = "
  .. "1, loss = 0.5}"}
define{name = "writer:row", args = "row", returns = "writer",
  text = "Append a row: a table by column name, or a list in order; numbers, strings, booleans. Every column "
  .. "must be there.",
  example = "tide.csv.writer(folder .. \"/b.csv\", {\"a\"}):row{1}:close()"}
define{name = "writer:flush", args = "", returns = "writer",
  text = "Hand the rows so far to the system (into the temporary file).",
  example = "tide.csv.writer(folder .. \"/c.csv\", {\"a\"}):flush():close()"}
define{name = "writer:close", args = "", returns = "writer",
  text = "Finish: the file appears. A second close does nothing.",
  example = "tide.csv.writer(folder .. \"/d.csv\", {\"a\"}):close()"}
define{name = "writer:discard", args = "", text = "Give up: nothing appears, an older file stays.",
  example = "tide.csv.writer(folder .. \"/e.csv\", {\"a\"}):discard()"}
define{name = "csv.write", args = "path, columns, rows, opts", options = writer_options,
  text = "A whole table at once.",
  example = "tide.csv.write(folder .. \"/f.csv\", {\"a\", \"b\"}, {{1, 2}, {a = 3, b = 4}})"}
define{name = "csv.read", args = "path, wanted, opts", returns = "table", options = reader_options,
  text = [[{names =, columns = {name = values}, rows =, comments =, path =}; wanted lists columns that must be
  there. Reads what csv.writer, pandas, NumPy, MATLAB, R, Julia and gnuplot write: separators, decimal commas
  (with ";"), headers, comments are found out; what could be read in two ways is an error, and an option
  decides. A column holds numbers or strings; quoted fields are strings; nan, inf in any spelling are numbers;
  a missing value (nothing, NA, N/A, <NA>, missing, null) is nan in a column of numbers. Blanks around fields
  and empty lines do not count; a row of another length is an error.]],
  example = "tide.csv.write(folder .. \"/g.csv\", {\"a\"}, {{1}})  print(tide.csv.read(folder .. \"/g.csv\", "
  .. "{\"a\"}).rows)"}
define{name = "csv.parse", args = "text, where, opts", returns = "table", options = reader_options,
  text = "As csv.read, from a string; where names it in messages.",
  example = "tide.csv.parse(\"a,b\\n1,2\").columns.b[1]"}
define{name = "csv.table", args = "names, records", returns = "table",
  text = "A table as csv.read gives one, from a list of {column = value}.",
  example = "tide.csv.table({\"a\"}, {{a = 1}, {a = 2}}):column(\"a\")"}
define{name = "table:column", args = "name, unit", returns = "list",
  text = "The values of a column, by name or by number; divided by unit if there is one.",
  example = "tide.csv.parse(\"a,b\\n1,2\"):column(\"a\")"}
define{name = "table:has", args = "name", returns = "boolean", text = "Is there such a column?",
  example = "tide.csv.parse(\"a,b\\n1,2\"):has(\"c\")"}
define{name = "table:records", args = "", returns = "list",
  text = "The rows as {column = value}.", example = "tide.csv.parse(\"a,b\\n1,2\"):records()[1].b"}
define{name = "table:where", args = "keep", returns = "table",
  text = "The rows for which keep({column = value}) is true.",
  example = "tide.csv.parse(\"a,b\\n1,2\\n2,3\"):where(function(r) return r.a > 1 end).rows"}
define{name = "table:sorted", args = "name, ...", returns = "table",
  text = "The rows in ascending order of columns, nan last; equal ones stay in their order.",
  example = "tide.csv.parse(\"a,b\\n2,1\\n1,2\"):sorted(\"a\").columns.b[1]"}
define{name = "table:group", args = "name, ...", returns = "list of tables",
  text = "Split by the values of columns, in order of appearance; each part has key = {name = value}.",
  example = "tide.csv.parse(\"a,b\\n1,2\\n2,3\"):group(\"a\")[2].key.a"}

help.topic "Tools"
define{name = "tide.memory", args = "reset_peak", returns = "table",
  text = [[Memory of tensors: live_bytes, peak_bytes, live_blocks, allocations, system_allocations (those that
  freed blocks could not serve); true as argument starts peak_bytes anew.]],
  example = "tide.memory().live_bytes"}
define{name = "tide.threads", args = "n", returns = "integer",
  text = "Threads in use; n sets their number (at the start: TIDE_THREADS, else all cores). Results do not "
  .. "depend on it.",
  example = "tide.threads()"}
define{name = "tide.machine", returns = "table",
  text = [[What the engine found and chose: version, compiler, isa (instruction set of its loops), threads,
  cores, and blas = {library, version, core, why}: the kernels of OpenBLAS that large products use, and
  whether the library took them by itself, was told to, or a user's OPENBLAS_CORETYPE.]],
  example = "tide.machine().blas.core"}
define{name = "tide.set_matmul_precision", args = "level", returns = "the level before",
  text = [[How exactly float32 products and convolutions are computed from now on: "highest" (the default:
  float32 accuracy), "high" (at least 16 bits survive) or "medium" (at least 8). A level is what may be lost,
  not what will be: 3 x 3 convolutions lose about one bit at "high" and become faster; what is not faster
  stays exact. float64 is never affected. Compiled functions are compiled anew for another level.]],
  example = "local before = tide.set_matmul_precision(\"high\")  tide.set_matmul_precision(before)"}
define{name = "tide.get_matmul_precision", args = "", returns = "string",
  text = "The level of float32 products; see tide.set_matmul_precision.",
  example = "tide.get_matmul_precision()"}
local print_options = {{"precision", 4, "decimals of floats; in powers of ten as many behind the point"},
  {"threshold", 1000, "elements from which on only the ends are printed; math.huge: never"},
  {"edge", 3, "entries at both ends of a long axis"},
  {"width", "auto", "columns of a line; \"auto\": those of the terminal, else 80", quote = true},
  {"scientific", "auto", "true: powers of ten; false: never; \"auto\": where fixed decimals would hide an "
  .. "entry or run long", quote = true}}
define{name = "tide.set_print", args = "opts", returns = "the settings before", options = print_options,
  text = [[How print, tostring and the prompt show tensors from now on; what is not given stays, and
  tide.set_print() goes back to the defaults.]],
  example = "local before = tide.set_print{precision = 8, threshold = math.huge}  print(x)  "
  .. "tide.set_print(before)"}
define{name = "tide.get_print", args = "", returns = "table",
  text = "The settings of tide.set_print, in the form that it takes.",
  example = "tide.get_print().precision"}
define{name = "tree.map", args = "t, fn", returns = "table",
  text = "A copy of nested tables with every tensor x replaced by fn(x, path).",
  example = "tide.tree.map(model, function(v) return v * 2 end)"}
define{name = "tree.each", args = "t, visit",
  text = "visit(leaf, path) for every leaf, tensors and others, always in the same order.",
  example = "tide.tree.each(model, function(leaf, path) print(path, leaf) end)"}
define{name = "tree.tensors", args = "t, float_only", returns = "list",
  text = "The tensors of nested tables, in order; true: the float ones.",
  example = "#tide.tree.tensors(model)"}
define{name = "tree.replace", args = "t, list, float_only", returns = "table",
  text = "A copy with the tensors replaced by those of list, in order.",
  example = "tide.tree.replace({x, y}, {y, x})"}
define{name = "tree.is_tensor", args = "v", returns = "boolean", text = "Is v a tensor?",
  example = "tide.tree.is_tensor(x)"}
define{name = "tree.signature", args = "t, list", returns = "string, boolean",
  text = [[What tide.compile tells structures apart by (bytes, not text): keys, dtypes, shapes and other
  values. The tensors are appended to list. Second result: is one of them symbolic?]],
  example = "tide.tree.signature({x, 1}, {})"}
define{name = "progress.new", args = "opts", returns = "meter",
  options = {{"total", nil, "nil: the end is not known"},
    {"initial", 0, "done before, does not count for the rate"}, {"label", "", "", quote = true},
    {"unit", "it", "", quote = true}, {"every", 10, "percent between plain lines"},
    {"memory", 30, "seconds over which the rate is smoothed"},
    {"quiet", false, "print nothing"},
    {"bar", nil, "force or forbid the bar; default: on a terminal, unless CI is set"},
    {"width", nil, "columns"},
    {"stream", nil, "default: standard error"}, {"clock", nil, "function that gives seconds"}},
  text = "A progress meter: a bar on a terminal, else a line now and then. TIDE_QUIET=1 silences all.",
  example = "local meter <close> = tide.progress.new{total = 10, quiet = true}  meter:advance(1)"}
define{name = "meter:update", args = "n, fields, line", returns = "meter",
  text = [[Sets how many are done: n of the total (meter:advance adds to it). fields: a string, {{name,
  value}, ...}, a table by name, or a function that returns one of these, called when they are shown. Without
  a bar: line = true prints a line, false none.]],
  example = "tide.progress.new{total = 2, quiet = true}:update(1, {{\"loss\", 0.5}})"}
define{name = "meter:advance", args = "n, fields, line", returns = "meter",
  text = "Adds n (default 1) to what is done, where meter:update sets it; fields and line as there.",
  example = "local meter = tide.progress.new{total = 3, quiet = true}  for i = 1, 3 do meter:advance() end  "
  .. "print(meter.n)"}
define{name = "meter:log", args = "line", returns = "meter", text = "Print a line above the bar.",
  example = "tide.progress.new{quiet = true}:log(\"half way\")"}
define{name = "meter:finish", args = "fields", returns = "meter",
  text = "Draw the last state and end the line.",
  example = "tide.progress.new{quiet = true}:finish()"}
define{name = "meter:rate", args = "", returns = "number", text = "Steps per second, smoothed over 30 s.",
  example = "tide.progress.new{quiet = true}:rate()"}
define{name = "progress.clock", args = "", returns = "number",
  text = "Seconds of a clock that never goes back.", example = "tide.progress.clock()"}
define{name = "progress.duration", args = "seconds", returns = "string", text = "75 as \"1:15\".",
  example = "tide.progress.duration(75)"}
define{name = "progress.is_terminal", args = "descriptor", returns = "boolean",
  text = "Is 0, 1 or 2 a terminal?",
  example = "tide.progress.is_terminal(1)"}

help.topic "Prompt"
define{name = "help", args = "x",
  text = [[Explain x: a function, a module, a model, a tensor or any other value; of a text what it names
  ("x:sum", "nn.linear", a topic), else what a search for its words finds: help "learning rate". Without
  argument, list everything.

  At the prompt ?m is short for help(m), and ?learning rate for a search. Long texts come in pages on a
  terminal: space goes on, q ends. In a script it is tide.help; tide.help.answer(x) returns the text.]],
  example = "help(tide.odeint)"}
define{name = "repl",
  text = [[At the prompt expressions print themselves; ";" at the end prints nothing; _ is the last value. A
  chunk goes on over several lines until it is complete; Ctrl-C drops it, or interrupts what runs; Ctrl-D
  ends. Locals of a line become globals when the line has run, so that they are there for the next. TAB
  completes names, files in strings, modules after require and names after help, and shows the arguments of a
  function after "(". Ctrl-R searches the history. ~/.config/tide/init.lua runs first (not with --no-init).
  tide, nn, ode, data, plot, optim and help are globals here, tide and help also in `tide -e`. From a script:
  require("tide.repl").start().]]}

help.topic "Experiments"
define{name = "experiment.parse", args = "title, spec, arguments", returns = "table",
  text = [[Options of a script from its command line: spec lists {name, default, text}; the default decides
  the type. --name value and --name=value; a boolean needs no value. --help prints the list and ends the
  script; an unknown name or a value that does not fit ends it with status 2.]],
  example = "tide.experiment.parse(\"Training\", {{\"epochs\", 10, \"passes over the data\"}}, "
  .. "{\"--epochs\", \"20\"}).epochs"}
define{name = "experiment.usage_error", args = "message",
  text = "Print a message to standard error and end the script with status 2.",
  example = "tide.experiment.usage_error(\"give a folder\")", run = false}
define{name = "experiment.provenance", args = "arguments", returns = "list",
  text = "Comment lines for a result file: the command (arguments: the table arg), the commit with + for "
  .. "changes, engine, OpenBLAS and threads.",
  example = "tide.csv.write(folder .. \"/p.csv\", {\"a\"}, {{1}}, {comments = "
  .. "tide.experiment.provenance(arg)})"}
define{name = "experiment.folder", args = "path", returns = "path",
  text = "Make a folder, and those above it, where they are not there.",
  example = "tide.experiment.folder(folder .. \"/runs/first\")"}
define{name = "experiment.table_text", args = "header, rows", returns = "string",
  text = "Rows of cells in aligned columns under a header; all but the first column stand right.",
  example = "tide.experiment.table_text({\"model\", \"loss\"}, {{\"NODE\", 0.5}, {\"ANODE\", 0.1}})"}
define{name = "experiment.print_table", args = "header, rows", text = "Print experiment.table_text.",
  example = "tide.experiment.print_table({\"seed\", \"loss\"}, {{1, 0.5}})"}
define{name = "experiment.summary", args = "list", returns = "mean, smallest, largest",
  text = "Of a list of numbers; of an empty one nan, inf, -inf.",
  example = "tide.experiment.summary{1, 2, 6}"}
define{name = "experiment.draw", args = "pipeline, folder", returns = "list of paths",
  text = "Draw the pictures of plots/PIPELINE.lua from the CSV files in a folder, into it; without gnuplot "
  .. "it says so and returns an empty list.",
  example = "tide.experiment.draw(\"anode/spheres\", \"runs/anode/spheres\")", run = false}
