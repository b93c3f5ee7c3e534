--- What the exercises share: how one is stated, run, printed, written down and drawn.

local here = debug.getinfo(1, "S").source:match("^@(.*)/") or "."
local tide = require "tide"
local experiment, csv = require "tide.experiment", require "tide.csv"

local M = {}

local function wrapped(text, indent)
  local lines, line = {}, ""
  for word in text:gmatch("%S+") do
    if #line + #word + 1 > 98 then lines[#lines + 1], line = line, "" end
    line = line == "" and word or line .. " " .. word
  end
  lines[#lines + 1] = line
  return indent .. table.concat(lines, "\n" .. indent)
end

local Report = {}
Report.__index = Report

--- A line of the evidence.
function Report.say(_, text, ...) print(wrapped(select("#", ...) > 0 and text:format(...) or text, "  ")) end

--- Rows of cells under a header.
function Report.table(_, header, rows)
  print()
  experiment.print_table(header, rows)
  print()
end

--- A result: OUT/NAME.csv with where it comes from.
function Report:csv(name, columns, rows)
  csv.write(self.out .. "/" .. name .. ".csv", columns, rows, {comments = self.comments, digits = 6})
end

local function draw(name, out)
  local script = here .. "/../../plots/dfl/figures.lua"
  if not tide.core.exists(script) then return end
  local before = print
  rawset(_G, "print", function() end)
  local ok, result = pcall(assert(loadfile(script, "t")), name, "--results", out .. "/..", "--out", out)
  rawset(_G, "print", before)
  if not ok then
    io.stderr:write("The picture could not be drawn: " .. tostring(result) .. "\n")
    return
  end
  for _, path in ipairs(result) do print("picture:  " .. path) end
end

--- run(exercise, arguments): `name` of the folder below runs/dfl and of the figure, `title`, `claim`, `slip`
-- (of the source, or what to note), `options` as for experiment.parse, `evidence(o, report)`.
function M.run(exercise, arguments)
  local rows = table.move(exercise.options or {}, 1, #(exercise.options or {}), 1, {})
  rows[#rows + 1] = {"out", "runs/dfl/" .. exercise.name, "output folder, named as the exercise"}
  rows[#rows + 1] = {"draw", true, "draw the picture (--draw=false: tables only)"}
  local o = experiment.parse(exercise.title, rows, arguments)
  local report = setmetatable({out = experiment.folder(o.out), comments = experiment.provenance(arguments)},
    Report)
  print(exercise.title .. "\n")
  print("Claim.\n" .. wrapped(exercise.claim, "  ") .. "\n\nEvidence.")
  exercise.evidence(o, report)
  if exercise.slip then print("\nThe source.\n" .. wrapped(exercise.slip, "  ")) end
  print("\ntables:   " .. o.out .. "/*.csv")
  if o.draw then draw(exercise.name, o.out) end
end

--- The order observed between neighbours of a list of errors whose h is halved each time, as text.
function M.orders(errors)
  local out = {}
  for i, e in ipairs(errors) do
    out[i] = i == 1 and "" or ("%.2f"):format(math.log(math.abs(errors[i - 1] / e)) / math.log(2))
  end
  return out
end

--- A number for a table.
function M.e(v) return ("%.3e"):format(v) end

return M
