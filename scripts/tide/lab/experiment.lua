--- What experiment scripts share: command-line options, the output folder, where results come from, and a
-- table on the terminal.

local core = require "tide.core"
local files = require "tide.base.files"
local options = require "tide.base.options"
local show = require "tide.base.show"

local M = {}

local truth = {["true"] = true, ["1"] = true, ["false"] = false, ["0"] = false}

local function convert(name, text, default)
  if type(default) == "number" then
    local v = tonumber(text)
    if not v then M.usage_error(("--%s must be a number, got %q"):format(name, text)) end
    if math.type(default) == "integer" then
      if not math.tointeger(v) then M.usage_error(("--%s must be an integer, got %q"):format(name, text)) end
      return math.tointeger(v)
    end
    return v
  end
  if type(default) == "boolean" then
    if truth[text] == nil then M.usage_error(("--%s must be true or false, got %q"):format(name, text)) end
    return truth[text]
  end
  return text
end

function M.usage_error(message)
  io.stderr:write(message, "\n")
  os.exit(2)
end

local function print_help(title, spec)
  local rows = {}
  for i, row in ipairs(spec) do
    local default = tostring(row[2])
    rows[i] = {"--" .. row[1], row[3] .. (default ~= "" and (" (default %s)"):format(default) or "")}
  end
  print(title .. "\n\n" .. show.names(rows))
end

--- parse(title, {{name, default, text}, ...}, arg) -> table of options. `--name value`, `--name=value`; a
-- boolean needs no value. --help prints the list; unknown names end the program with a suggestion and status
-- 2.
function M.parse(title, spec, arguments)
  local out, rules, names = {}, {}, {}
  options.argument("experiment.parse", "title", title, "string")
  options.list("experiment.parse", "the options", spec, "table")
  options.list("experiment.parse", "the arguments", arguments, "string")
  for i, row in ipairs(spec) do
    options.argument("experiment.parse", ("the name of option %d"):format(i), row[1], "string")
    options.argument("experiment.parse", "the default of " .. row[1], row[2], "string|number|boolean")
    options.argument("experiment.parse", "the text of " .. row[1], row[3], "string")
  end
  for i, row in ipairs(spec) do
    out[row[1]], rules[row[1]], names[i] = row[2], row, "--" .. row[1]
  end
  local i = 1
  while arguments[i] do
    local name, value = arguments[i]:match("^%-%-([%w_-]+)=?(.*)$")
    if name == "help" or arguments[i] == "-h" then
      print_help(title, spec)
      os.exit(0)
    end
    if not name or not rules[name] then
      M.usage_error(options.unknown("option", arguments[i]:match("^[^=]+") or "", names))
    end
    if not arguments[i]:find("=", 1, true) then
      if type(rules[name][2]) == "boolean" then
        value = "true"
      else
        i = i + 1
        value = arguments[i] or M.usage_error("--" .. name .. " needs a value")
      end
    end
    out[name] = convert(name, value, rules[name][2])
    i = i + 1
  end
  return out
end

-- The first line that git prints; nil when it prints none or fails. A folder's own configuration may name a
-- program as its monitor.
local function git_line(...)
  local ok, output = files.run{"git", "-c", "core.fsmonitor=false", ...}
  return ok and output:match("^[^\n]+") or nil
end

-- A path below the current folder without it, so that results do not name a machine.
local function relative(text)
  local here = core.realpath and core.realpath(".")
  if here and text:sub(1, #here + 1) == here .. "/" then return text:sub(#here + 2) end
  return text
end

--- Comment lines for result files: the command, the commit (with + when there are changes), the engine.
function M.provenance(arguments)
  options.list("experiment.provenance", "the arguments", arguments, "string|number")
  options.argument("experiment.provenance", "the script, argument 0,", arguments[0] or "?", "string")
  local words = {"tide", relative(arguments[0] or "?")}
  for _, a in ipairs(arguments) do words[#words + 1] = a end
  local commit = git_line("rev-parse", "--short", "HEAD") or "unknown"
  if git_line("status", "--porcelain", "--untracked-files=no") then commit = commit .. "+" end
  local info = core.build_info()
  return {"command: " .. table.concat(words, " "), "commit: " .. commit,
          ("tide %s, %s, OpenBLAS %s, %d threads"):format(info.version, info.isa, core.blas().core,
            core.threads())}
end

--- Make the output folder and return it; an error when it cannot be made, before anything was computed for
-- it.
function M.folder(path)
  options.argument("experiment.folder", "path", path, "string")
  local ok, message = files.make_folder(path)
  if not ok then error(message, 2) end
  return path
end

local function table_of(name, header, rows)
  local where = "experiment." .. name
  options.list(where, "header", header, "string|number")
  return header, options.list(where, "rows", rows, "table")
end

--- Rows of cells in aligned columns under a header, as text.
function M.table_text(header, rows) return show.columns(table_of("table_text", header, rows)) end

--- Print rows of cells as such a table.
function M.print_table(header, rows) print(show.columns(table_of("print_table", header, rows))) end

--- Mean, smallest and largest of a list.
function M.summary(list)
  options.list("experiment.summary", "the argument", list, "number")
  local sum, low, high = 0, math.huge, -math.huge
  for _, v in ipairs(list) do sum, low, high = sum + v, math.min(low, v), math.max(high, v) end
  return #list > 0 and sum / #list or 0 / 0, low, high
end

--- Draw with a pipeline of plots/: returns the pictures, or prints why not (no gnuplot, for instance) and
-- returns an empty list.
function M.draw(pipeline, folder)
  local here = debug.getinfo(1, "S").source:match("^@(.*)lab/experiment%.lua$") or ""
  for _, path in ipairs{here .. "../../plots/" .. pipeline .. ".lua", here .. "plots/" .. pipeline
    .. ".lua"} do
    if core.exists(path) then
      local ok, result = pcall(assert(loadfile(path, "t"))(), folder, folder)
      if ok then return result end
      io.stderr:write("The pictures could not be drawn: " .. tostring(result) .. "\n")
      return {}
    end
  end
  io.stderr:write("The pictures could not be drawn: plots/" .. pipeline .. ".lua was not found\n")
  return {}
end

return M
