--- Scripts of plots/: a group of figures as a table of rows, and pipelines that draw from a folder.

local core = require "tide.core"
local files = require "tide.base.files"
local options = require "tide.base.options"
local show = require "tide.base.show"

local figures = {}

local function usage_error(message)
  io.stderr:write(message, "\n")
  os.exit(2, true)
end

--- The end of a script that draws what it is told: `return plot.main(draw, "DIR [OUTDIR]", ...)`. Started as
-- a program it calls draw(...) and prints the paths that come back; without arguments it prints its usage and
-- ends with status 2. Loaded by another script it returns draw.
function figures.main(draw, usage, ...)
  if not (arg and debug.getinfo(draw, "S").source == "@" .. tostring(arg[0])) then return draw end
  if ... == nil then usage_error(("usage: ./tide %s %s"):format(arg[0], usage)) end
  local paths = draw(...)
  for _, path in ipairs(type(paths) == "table" and paths or {paths}) do print(path) end
  return draw
end

-- What a drawing function is given.
local Source = {__name = "tide.plot.Source"}
Source.__index = Source

local Missing = {__tostring = function(m) return m.message end}

--- Is a table of the results there?
function Source:has(name) return files.exists(files.join(self.results, name)) end

--- Ends a drawing for which there are no results yet: `all` says so and goes on.
function Source.missing(_, message) error(setmetatable({message = message}, Missing), 0) end

--- Path of a table or folder of the results; where it is missing, the error says which command makes it.
function Source:path(name)
  local path = files.join(self.results, name)
  if files.exists(path) then return path end
  local message = path .. " is not there"
  for _, row in ipairs(self.made_by) do
    if name:find(row[1]) then message = ("%s; this makes it: %s"):format(message, row[2]) break end
  end
  self:missing(message)
end

local function name_of(row)
  return math.type(row[1]) and ("figure%d"):format(row[1]) or row[1]
end

local function draw_row(row, spec, o)
  local out = o.out or spec.out
  local source = setmetatable({results = o.results or spec.results, made_by = spec.made_by or {}, out = out,
    name = name_of(row)}, Source)
  local made, message = files.make_folder(out)
  if not made then error("plot.figures: " .. message, 0) end
  local drawn = row[2](source, table.unpack(row, 3, row.n or #row))
  if type(drawn) ~= "table" or drawn.panels == nil then return drawn end -- it has saved its pictures itself
  return {drawn:save(files.join(out, source.name .. ".png"))}
end

local function list_of(spec)
  local rows = {}
  for i, row in ipairs(spec) do rows[i] = {row[1], row.title or ""} end
  return show.names(rows)
end

local function find(spec, name)
  for _, row in ipairs(spec) do
    if tostring(row[1]) == name or name_of(row) == name then return row end
  end
  local names = {}
  for i, row in ipairs(spec) do names[i] = tostring(row[1]) end
  -- a number is near no other one
  error("plot.figures: " .. (name:find("^%d+$") and ("there is no figure %s; valid are: %s"):format(name,
    table.concat(names, ", ")) or options.unknown("figure", name, names)), 0)
end

-- Whatever is there. A figure whose results are missing is said and left out; one that fails is an error at
-- the end.
local function draw_all(spec, o, paths)
  local failed = {}
  for _, row in ipairs(spec) do
    local ok, result = xpcall(draw_row, function(e)
      return getmetatable(e) == Missing and e or debug.traceback(tostring(e), 2)
    end, row, spec, o)
    if ok then
      for _, path in ipairs(result) do
        paths[#paths + 1] = path
        print(path)
      end
    elseif getmetatable(result) == Missing then
      print(("%s is not drawn: %s"):format(row[1], result))
    else
      failed[#failed + 1] = tostring(row[1])
      io.stderr:write(("%s failed: %s\n"):format(row[1], result))
    end
  end
  if #failed > 0 then error("plot.figures: failed: " .. table.concat(failed, ", "), 0) end
  return paths
end

local function parse(words)
  local o, names = {}, {}
  local i = 1
  while words[i] do
    local word = tostring(words[i])
    local key, value = word:match("^%-%-(%w+)=?(.*)$")
    if word == "--help" or word == "-h" then
      o.help = true
    elseif key == "out" or key == "results" then
      if not word:find("=", 1, true) then
        i = i + 1
        value = words[i]
      end
      if not value or value == "" then error(("plot.figures: --%s needs a folder"):format(key), 0) end
      o[key] = value
    elseif word:find("^%-") then
      error("plot.figures: " .. options.unknown("option", word, {"--out", "--results", "--help"}), 0)
    else
      names[#names + 1] = word
    end
    i = i + 1
  end
  return o, names
end

local function usage(spec)
  return ("usage: ./tide %s N... | all [--out FOLDER] [--results FOLDER]\n\n%s\n\nresults:  %s\npictures: %s")
    :format(arg and arg[0] or "figures.lua", list_of(spec), spec.results, spec.out)
end

local function run(spec, ...)
  local o, names = parse{...}
  if o.help then
    print(usage(spec))
    return {}
  end
  if #names == 0 then error(usage(spec), 0) end
  local rows, paths = {}, {}
  for i, name in ipairs(names) do
    if name == "all" then return draw_all(spec, o, paths) end
    rows[i] = find(spec, name)
  end
  for _, row in ipairs(rows) do
    for _, path in ipairs(draw_row(row, spec, o)) do
      paths[#paths + 1] = path
      print(path)
    end
  end
  return paths
end

local function check(spec)
  for _, key in ipairs{"results", "out"} do
    if type(spec[key]) ~= "string" then
      core.raise(("plot.figures: %s must be a folder's name, got %s"):format(key, options.show(spec[key])))
    end
  end
  for i, row in ipairs(spec) do
    if not (type(row) == "table" and row[1] and type(row[2]) == "function") then
      core.raise(("plot.figures: row %d must be {number or name, drawing function, arguments ...}"):format(i))
    end
  end
end

--- A group of figures as rows {number or name, draw, arguments ..., title =}; `return plot.figures(rows,
-- ...)` is the end of plots/GROUP/figures.lua, which is then called with names, or "all", and --out FOLDER,
-- --results FOLDER. `results` and `out` are the default folders, `made_by` a list of {pattern, command} for
-- tables that are missing. draw(source, arguments ...) gives a figure, which is saved under the row's name,
-- or the paths of what it saved itself; source:path(name) and source:has(name) look for tables,
-- source:missing(why) says that there are none yet, source.out is the folder of the pictures. Returns the
-- list of paths.
function figures.figures(spec, ...)
  if type(spec) ~= "table" then
    core.raise("plot.figures: expected a table of rows, got " .. options.show(spec))
  end
  check(spec)
  local ok, result = pcall(run, spec, ...)
  if ok then return result end
  if arg and tostring(arg[0]):find("figures%.lua$") then usage_error(tostring(result)) end
  error(getmetatable(result) == Missing and result.message or result, 0)
end

return figures
