-- Random programs (programs.lua) against what must hold for each of them (program_checks.lua). A failure
-- prints its seed and the smallest program that still fails. TIDE_PROGRAMS = n takes n programs,
-- TIDE_PROGRAMS_SEED = the first seed (make fuzz-programs).
local check = require "check"
local tide = require "tide"
local programs = require "programs"
local checks = require "program_checks"

local COUNT = math.tointeger(os.getenv "TIDE_PROGRAMS") or 400
local FIRST = math.tointeger(os.getenv "TIDE_PROGRAMS_SEED") or 1
local MOST_FAILURES = 5

local tests = {}

tests["random programs"] = function()
  local failures, used = {}, {}
  for seed = FIRST, FIRST + COUNT - 1 do
    local p = programs.new(seed)
    for name, n in pairs(p.used) do used[name] = (used[name] or 0) + n end
    failures[#failures + 1] = checks.failure(p)
    if #failures == MOST_FAILURES then break end
  end
  if #failures > 0 then error(table.concat(failures, "\n\n"), 0) end
  for name in pairs(programs.ops) do assert(used[name], "no program of these has the op " .. name) end
  -- nothing is left out without a word: few programs cannot be judged
  local dropped = 0
  for reason, n in pairs(checks.dropped) do
    assert(n <= 0.04 * COUNT, ("%d of %d programs could not be judged: %s"):format(n, COUNT, reason))
    dropped = dropped + n
  end
  assert(dropped <= 0.06 * COUNT, ("%d of %d programs could not be judged"):format(dropped, COUNT))
  assert((checks.judged["float32 cannot resolve it"] or 0) < 0.1 * checks.judged["near float64"],
    "few programs are compared with float64")
  assert(checks.judged.gradient >= 0.5 * COUNT, "few programs have a gradient")
end

-- Leaves of a tape, and what the engine makes of ops that programs have.
local made = {input = true, constant = true, literal = true, custom = "odeint", layer = "matmul",
  conv_layer = "conv"}
-- Methods and functions that compute no tensor from tensors.
local plain = {shape = true, dtype = true, numel = true, rank = true, item = true, totable = true,
  copy_ = true, close = true, seed = true, allclose = true, equal = true,
  -- the shapes of their results depend on numbers, so they cannot be recorded: test_indexing.lua
  nonzero = true, unique = true, masked_select = true, bincount = true,
  gradcheck = true, set_default_dtype = true, get_default_dtype = true}

tests["every op, method and function is part of the programs"] = function()
  for _, name in ipairs(check.op_names()) do
    assert(programs.ops[name] or made[name], "the op " .. name .. " is not among the random programs")
  end
  for _, functions in ipairs{tide.core.methods, (require "tide.tensor"), (require "tide.autodiff"),
    (require "tide.convolution")} do
    for name, value in pairs(functions) do
      if type(value) == "function" and not name:find("^_") then
        assert(programs.ops[name] or plain[name], "the function " .. name
          .. " is not among the random programs")
      end
    end
  end
end

tests["programs follow from their seed, and shrink"] = function()
  for seed = 1, 20 do assert(programs.text(programs.new(seed)) == programs.text(programs.new(seed))) end
  local function run(q)
    assert(load(programs.header .. "\n" .. programs.text(q) .. "\nreturn fn(args(0))"))()
  end
  -- pretend that a program with a cosine fails, while it runs
  local p
  for seed = 1, 1000 do
    p = programs.new(seed)
    if p.used.cos and programs.text(programs.prune(p)):find(":cos()", 1, true) then break end
  end
  local small = programs.shrink(p, function(q)
    programs.load(q)
    return programs.text(q):find(":cos()", 1, true) and pcall(run, q)
  end)
  assert(#programs.text(small) < 900, programs.text(small))
  run(small)
end

return tests
