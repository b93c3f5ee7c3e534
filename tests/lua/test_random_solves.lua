-- Random combinations of odeint's options (solves.lua): each is refused as documented or gives what it must.
-- A failure prints its seed and the smallest case that still fails. TIDE_PROGRAMS = n takes n cases,
-- TIDE_PROGRAMS_SEED = the first seed (make fuzz-programs).
local solves = require "solves"

local COUNT = math.tointeger(os.getenv "TIDE_PROGRAMS") or 500
local FIRST = math.tointeger(os.getenv "TIDE_PROGRAMS_SEED") or 1
local MOST_FAILURES = 5

local tests = {}

tests["random solves"] = function()
  local failures = {}
  for seed = FIRST, FIRST + COUNT - 1 do
    failures[#failures + 1] = solves.failure(solves.new(seed))
    if #failures == MOST_FAILURES then break end
  end
  if #failures > 0 then error(table.concat(failures, "\n\n"), 0) end
  local checked = solves.checked
  for _, name in ipairs(solves.option_names()) do
    assert(checked["option " .. name], "no solve of these has the option " .. name)
  end
  assert(checked.recorded > 0.7 * COUNT and checked.refused < 0.2 * COUNT and (checked.stopped or 0) < 0.13
    * COUNT, ("few cases were solved: %d, %d refused, %d stopped"):format(checked.recorded, checked.refused,
    checked.stopped or 0))
  for _, what in ipairs{"eager", "plain", "checkpoint = direct", "gradient = differences",
    "method in plain Lua", "samples", "steps of samples"} do
    assert(checked[what], "never checked: " .. what)
  end
end

tests["every option is part of the solves"] = function()
  for _, name in ipairs(solves.option_names()) do
    assert(solves.options[name], "the option " .. name .. " is not among the random solves")
  end
end

return tests
