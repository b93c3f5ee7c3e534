--- Sweeps: one script run for every cell of a product of axes, or of a list, each a process of its own.
--
--   local s = sweep.run({title = "Widths", script = here .. "/cell.lua", out = "runs/widths",
--     axes = {{"seeds", 5, "seeds 1 to this", "seed"}, {"widths", "16,32,64", "hidden units", "width"}},
--     options = {{"epochs", 10, "of each training"}}}, arg)
--   s:write("all", s:table())
--
-- The script is called with --seed 1 --width 16 --epochs 10 --out CELLS/NAME.csv and leaves this file,
-- complete or not at all, with the comment "config: " .. sweep.config(its settings). That line says what a
-- result is of: a cell whose file has it is done. So after Ctrl-C, a kill or a crash the same command goes
-- on; results of other settings are never taken for these, nor overwritten without --anew.

local core = require "tide.core"
local csv = require "tide.lab.csv"
local experiment = require "tide.lab.experiment"
local files = require "tide.base.files"
local jobs = require "tide.lab.jobs"
local options = require "tide.base.options"

local sweep = {}

local Sweep = {__name = "tide.sweep.Sweep"}
Sweep.__index = Sweep
function Sweep:__tostring() return ("sweep: %d %s in %s"):format(#self.cells, self.unit, self.folder) end

-- "1e-3" of a command line and 0.001 are the same setting.
local function text_of(value)
  local list = type(value) == "table" and options.list("sweep.config", "a list", value, "string|number")
  if list then return table.concat(list, "x") end
  local number = tonumber(value)
  return number and ("%.15g"):format(number) or tostring(value)
end

--- Settings in one line, sorted: runs are the same when their lines are. `without`: names that do not count,
-- such as "out".
function sweep.config(settings, without)
  local words, left_out = {}, {}
  without = options.list("sweep.config", "without", without or {}, "string")
  for _, name in ipairs(without) do left_out[name] = true end
  for key, value in pairs(options.argument("sweep.config", "settings", settings, "table")) do
    if not left_out[key] then words[#words + 1] = tostring(key) .. "=" .. text_of(value) end
  end
  table.sort(words)
  return table.concat(words, " ")
end

-- ---- the cells ----

local function words(text)
  local list = {}
  for word in text:gmatch("[^,%s]+") do
    local first, last = word:match("^(%d+)%.%.(%d+)$")
    for n = math.tointeger(first or 1), math.tointeger(last or 1) do list[#list + 1] = first and n or word end
  end
  return list
end

-- The values of an axis {option, default, text, name}: those of a list "a,b" or "6..10"; where the default is
-- an integer, a single one stands for 1 to itself.
local function values_of(axis, given)
  local list = words(given)
  if math.type(axis[2]) == "integer" then
    for i, word in ipairs(list) do
      list[i] = math.tointeger(tonumber(word)) or experiment.usage_error(
        ("--%s must be an integer or a list of integers, got %q"):format(axis[1], given))
    end
    if #list == 1 and not given:find("..", 1, true) then list = words("1.." .. list[1]) end
  end
  if #list == 0 then experiment.usage_error(("--%s has no value, got %q"):format(axis[1], given)) end
  return list
end

local function product(axes, o)
  local cells = {{}}
  for _, axis in ipairs(axes) do
    local longer = {}
    for _, cell in ipairs(cells) do
      for _, value in ipairs(values_of(axis, o[axis[1]])) do
        local values = {[axis[4] or axis[1]] = value}
        for key, v in pairs(cell) do values[key] = v end
        longer[#longer + 1] = values
      end
    end
    cells = longer
  end
  return cells
end

local function name_of(values, axes)
  local parts = {}
  for i, axis in ipairs(axes) do
    local name = axis[4] or axis[1]
    parts[i] = tonumber(values[name]) and name .. values[name] or tostring(values[name])
  end
  return table.concat(parts, "-")
end

-- The words of a cell's command: its options in order of their names.
local function command(self, cell)
  local o, list = self.options, {"env", "TIDE_QUIET=1", "TIDE_THREADS=" .. self.options.threads}
  if o.nice > 0 then table.move({"nice", "-n", o.nice}, 1, 3, #list + 1, list) end
  list[#list + 1], list[#list + 2] = arg and arg[-1] or "tide", self.spec.script
  for _, name in ipairs(options.sorted_keys(cell.values)) do
    local value = cell.values[name]
    if value == true then
      list[#list + 1] = "--" .. name
    elseif value ~= false then
      if math.type(value) == "float" then value = ("%.17g"):format(value) end
      list[#list + 1] = ("--%s=%s"):format(name, value)
    end
  end
  for _, name in ipairs(options.sorted_keys(cell.outputs)) do
    list[#list + 1] = ("--%s=%s"):format(name, cell.path .. cell.outputs[name])
  end
  return list
end

local function make_cells(self)
  local spec, o, seen = self.spec, self.options, {}
  local cells = spec.cells and spec.cells(o) or product(spec.axes, o)
  for i, values in ipairs(cells) do
    for _, row in ipairs(spec.options or {}) do
      if values[row[1]] == nil then values[row[1]] = o[row[1]] end
    end
    local d = spec.describe and spec.describe(values, o) or {}
    local cell = {values = values, name = d.name or name_of(values, spec.axes or {}), cost = d.cost or 1,
      config = d.config or sweep.config(values), outputs = d.outputs or {out = ".csv"}, files = d.files or {}}
    if seen[cell.name] then
      core.raise(("sweep.run: two cells have the name %s; describe must tell them apart"):format(cell.name))
    end
    seen[cell.name], cell.path = true, self.folder .. "/" .. cell.name
    cell.log = cell.path .. ".log"
    cells[i] = cell
  end
  return cells
end

local function chosen(cells, text)
  local list = {}
  for _, cell in ipairs(cells) do
    if cell.name:find(text, 1, true) then list[#list + 1] = cell end
  end
  if #list == 0 and #cells > 0 then experiment.usage_error(("no cell has %q in its name"):format(text)) end
  return list
end

-- Dear cells first, so that none is left alone at the end: of all, or within each value of an axis.
local function order(cells, by)
  if not by then return end
  local rank, ranks = {}, 0
  for i, cell in ipairs(cells) do
    local value = by == true or cell.values[by]
    if not rank[value] then ranks = ranks + 1 rank[value] = ranks end
    cell.place, cell.rank = i, rank[value]
  end
  table.sort(cells, function(a, b)
    if a.rank ~= b.rank then return a.rank < b.rank end
    if a.cost ~= b.cost then return a.cost > b.cost end
    return a.name < b.name
  end)
end

-- ---- what is there ----

local function config_of(data)
  for _, comment in ipairs(data.comments) do
    local line = comment:match("^config: (.*)$")
    if line then return line end
  end
end

-- Which settings two lines do not share.
local function difference(there, here)
  local old = {}
  for key, value in there:gmatch("([^%s=]+)=(%S*)") do old[key] = value end
  for key, value in here:gmatch("([^%s=]+)=(%S*)") do
    if old[key] ~= value then
      return ("%s is %s there and %s here"):format(key, old[key] or "not given", value)
    end
    old[key] = nil
  end
  local key = next(old)
  return key and ("%s is %s there and not given here"):format(key, old[key]) or "they say " .. there
end

-- Sets cell.state: "missing", "other settings" (cell.why), "unfinished" or "done", and cell.tables.
local function look(self, cell)
  cell.tables, cell.state, cell.why = {}, "done", nil
  local suffixes = table.move(cell.files, 1, #cell.files, 1, {})
  for _, suffix in pairs(cell.outputs) do if suffix ~= "" then suffixes[#suffixes + 1] = suffix end end
  local there = 0
  for _, suffix in ipairs(suffixes) do
    local path = cell.path .. suffix
    if files.exists(path) then
      there = there + 1
      if suffix:find("%.csv$") then
        local data = csv.read(path)
        local config = config_of(data) or "nothing"
        if config ~= cell.config then
          cell.state, cell.why = "other settings", difference(config, cell.config)
          return
        end
        cell.tables[suffix] = data
      end
    end
  end
  if there == 0 then
    cell.state = "missing"
  elseif there < #suffixes or self.spec.done and not self.spec.done(cell) then
    cell.state = "unfinished"
  end
end

local function with_state(cells, ...)
  local list, wanted = {}, {}
  for _, state in ipairs{...} do wanted[state] = true end
  for _, cell in ipairs(cells) do if wanted[cell.state] then list[#list + 1] = cell end end
  return list
end

local function refuse(self, stale)
  local lines = {}
  for i = 1, math.min(3, #stale) do lines[i] = ("  %s: %s"):format(stale[i].name, stale[i].why) end
  if #stale > 3 then lines[4] = ("  and %d more"):format(#stale - 3) end
  experiment.usage_error(("%d %s in %s have results of other settings:\n%s\nGive another --out, or --anew to "
    .. "make these again."):format(#stale, self.unit, self.folder, table.concat(lines, "\n")))
end

-- ---- running ----

local function run_missing(self)
  local missing = with_state(self.cells, "missing", "unfinished", "other settings")
  for _, cell in ipairs(missing) do
    assert(files.make_folder((files.split(cell.path))))
    cell.command = command(self, cell)
  end
  self.failures = jobs.run(missing, {parallel = self.options.parallel, label = self.spec.label or self.unit})
  local failed = {}
  for _, failure in ipairs(self.failures) do failed[failure.job] = true end
  for _, cell in ipairs(missing) do
    look(self, cell)
    if cell.state ~= "done" and not failed[cell] then
      local why = cell.why and ": " .. cell.why or ""
      self.failures[#self.failures + 1] = {job = cell, status = 0,
        message = "it ended well, but its result is " .. cell.state .. why}
    end
  end
  if #self.failures == 0 then return end
  print(("%d of %d %s failed:"):format(#self.failures, #missing, self.unit))
  for _, failure in ipairs(self.failures) do
    print(("  %s: %s%s"):format(failure.job.name, failure.message, files.exists(failure.job.log)
      and (" (%s)"):format(failure.job.log) or ""))
  end
end

local shared = {
  {"parallel", core.threads(), "cells at a time"}, {"threads", 1, "threads of each"},
  {"nice", 0, "priority, as the program nice has it"},
  {"collect", false, "run nothing, collect what is there"},
  {"list", false, "only say what is there"}, {"only", "", "names of cells must hold this text"},
  {"anew", false, "make again what has other settings"},
}

local function parse(spec, arguments)
  local rows = {}
  for _, axis in ipairs(spec.axes or {}) do
    rows[#rows + 1] = {axis[1], tostring(axis[2]), axis[3]}
  end
  for _, list in ipairs{spec.options or {}, spec.own or {}, shared} do
    table.move(list, 1, #list, #rows + 1, rows)
  end
  rows[#rows + 1] = {"out", spec.out, "folder of the tables"}
  rows[#rows + 1] = {"cells", "", "folder of the cells' files; default: OUT/cells"}
  return experiment.parse(spec.title, rows, arguments)
end

local function check(spec)
  if type(spec) ~= "table" then core.raise("sweep.run: expected a table, got " .. options.show(spec)) end
  options.check("sweep.run", spec, {
    title = {"string", required = true}, script = {"string", required = true},
    out = {"string", required = true},
    axes = {"table"}, cells = {"function"}, options = {"table"}, own = {"table"}, describe = {"function"},
    done = {"function"}, longest_first = {"boolean|string"}, unit = {"string"}, label = {"string"}})
  if (spec.axes == nil) == (spec.cells == nil) then
    core.raise("sweep.run: give axes or cells, and not both")
  end
end

--- run(spec, arg) -> sweep. Makes the cells, says how many are done, runs the rest (not with --collect) and
-- says which failed. spec:
--   title, script, out       of --help; what is run; the default folder of the tables
--   axes                     list of {option, default list, text, name for the script}; the first is slowest
--   cells(o)                 in place of axes: a list of {name for the script = value}
--   options, own             rows {name, default, text}: handed to every cell; only for who calls
--   describe(values, o)      {name =, config =, cost =, outputs = {out = ".csv"}, files = {}} of a cell: its
--                            file's stem, its settings in a line (sweep.config), what it costs in any unit,
--                            which options of the script name files with which endings, further such endings
--   done(cell)               is the result complete? (cell.tables[".csv"]); default: when its files are there
--   longest_first            true, or the name of an axis within whose values the dear ones come first
--   unit                     what a cell is called in messages
-- The sweep has options, cells (values, name, state, tables), failures, and the methods table, write, finish.
function sweep.run(spec, arguments)
  check(spec)
  local o = parse(spec, arguments)
  local self = setmetatable({spec = spec, options = o, unit = spec.unit or "cells", arguments = arguments,
    failures = {}, folder = o.cells ~= "" and o.cells or o.out .. "/cells"}, Sweep)
  self.cells = chosen(make_cells(self), o.only)
  order(self.cells, spec.longest_first)
  for _, cell in ipairs(self.cells) do look(self, cell) end
  print(("%d %s, %d of them done"):format(#self.cells, self.unit, #with_state(self.cells, "done")))
  if o.list then
    local rows = {}
    for i, cell in ipairs(self.cells) do rows[i] = {cell.name, cell.why or "", cell.state} end
    experiment.print_table({"name", "", "state"}, rows)
    os.exit(0, true)
  end
  local stale = with_state(self.cells, "other settings")
  if #stale > 0 and not o.anew and not o.collect then refuse(self, stale) end
  experiment.folder(o.out)
  experiment.folder(self.folder)
  if not o.collect then run_missing(self) end
  return self
end

-- ---- collecting ----

-- The settings in the line "config: ..." of a cell's table.
local function settings_of(data)
  local out, line = {}, table.concat(data.comments, "\n"):match("config:([^\n]*)") or ""
  for name, value in line:gmatch("(%S+)=(%S+)") do out[name] = tonumber(value) or value end
  return out
end

local function with_settings(data, columns)
  if #columns == 0 then return data end
  local values, names, records = settings_of(data), {}, data:records()
  for i, column in ipairs(columns) do
    local pair = type(column) == "table" and column or {column, column}
    names[i] = pair[2]
    for _, row in ipairs(records) do row[pair[2]] = values[pair[1]] or 0 / 0 end
  end
  table.move(data.names, 1, #data.names, #names + 1, names)
  return csv.table(names, records)
end

--- The rows of all cells that are done, as a table of csv, in order of the cells; `ending` chooses among
-- several files of a cell (default ".csv"). settings: those that become columns, nan where a cell has none: a
-- list of names, or {setting, name of the column}.
function Sweep:table(ending, settings)
  local names, records = nil, {}
  for _, cell in ipairs(with_state(self.cells, "done")) do
    local data = cell.tables[ending or ".csv"]
    if data and data.rows > 0 then
      data = with_settings(data, settings or {})
      if names and table.concat(names, ",") ~= table.concat(data.names, ",") then
        core.raise(("sweep: %s has other columns than the %s before: %s"):format(data.path, self.unit,
          table.concat(data.names, ", ")))
      end
      names = names or data.names
      table.move(data:records(), 1, data.rows, #records + 1, records)
    end
  end
  if not names then error("no cell has a result yet", 0) end
  return csv.table(names, records)
end

--- Comment lines for collected tables: where cells and collection come from, how many have no result.
function Sweep:comments()
  local seen, commits = {}, {}
  local done = with_state(self.cells, "done")
  for _, cell in ipairs(done) do
    for _, data in pairs(cell.tables) do
      for _, comment in ipairs(data.comments) do
        local commit = comment:match("^commit: (.*)")
        if commit and not seen[commit] then seen[commit], commits[#commits + 1] = true, commit end
      end
    end
  end
  table.sort(commits)
  local comments = experiment.provenance(self.arguments)
  comments[2] = ("commit: %s %s, collected %s"):format(self.unit, table.concat(commits, " "),
    comments[2]:sub(9))
  comments[#comments + 1] = ("%d of %d %s have no result"):format(#self.cells - #done, #self.cells, self.unit)
  return comments
end

--- Write a collected table into OUT/NAME.csv, with 6 digits: a table of csv, or columns and rows.
function Sweep:write(name, columns, rows)
  if rows == nil then columns, rows = columns.names, columns:records() end
  csv.write(("%s/%s.csv"):format(self.options.out, name), columns, rows,
    {comments = self:comments(), digits = 6})
end

--- The end of a script: status 1 when a cell failed.
function Sweep:finish()
  if #self.failures > 0 then os.exit(1, true) end
end

return sweep
