--- Solves, derivatives and trainings keep their bits: the works of same_bits.lua, against same_bits.csv.
--
-- They run in a child with TIDE_ISA=generic. Where the C library or the compiler computes other bits than
-- those that wrote the table, works may differ without anyone's fault: nothing is compared then, and the test
-- is skipped and says what differs. The head of same_bits.lua says when the table may be written anew, and
-- how to compare two builds.

local files = require "tide.files"
local core = require "tide.core"

local tests = {}
local here = debug.getinfo(1, "S").source:match("^@(.*)tests/lua/[^/]*$")
local MACHINE = "^machine: (.*)"

-- The program under test; stock Lua has no launcher, and ours is beside it.
local function program()
  local i = 0
  while arg[i - 1] do i = i - 1 end
  return arg[i]:find("tide$") and arg[i] or here .. "./tide"
end

-- {name = hash}, and the names in order.
local function parse(text)
  local hashes, names = {}, {}
  for name, hash in text:gmatch("([^\n]*),(%x+)\n") do
    assert(not hashes[name], "two rows are called " .. name)
    hashes[name], names[#names + 1] = hash, name
  end
  return hashes, names
end

local done = {}
local function computed(threads)
  if not done[threads] then
    local ok, text = files.run({program(), here .. "tests/lua/same_bits.lua", "--print"},
      {environment = {"TIDE_ISA=generic", "TIDE_THREADS=" .. threads, "TIDE_QUIET=1"}, show_errors = true})
    assert(ok, "same_bits.lua --print failed, see above")
    done[threads] = text
  end
  return parse(done[threads])
end

-- Names, one a line, under a title; nothing where there are none.
local function listed(title, names)
  return #names == 0 and "" or ("%s (%d):\n  %s\n"):format(title, #names, table.concat(names, "\n  "))
end

local module = package.searchpath("tide.core", package.cpath)
local objects = module:gsub("/tide/core.so$", ""):gsub("/lib/lua/5.4$", "") .. "/tests/cfield/"
local function missing()
  if not core.exists(program()) then return ("skip: %s is not built"):format(program()) end
  for _, name in ipairs{"machine.so", "pendulum.so"} do
    if not core.exists(objects .. name) then
      return ("skip: %s%s is not built: make test-fields builds it"):format(objects, name)
    end
  end
end

tests["one thread and two give the same bits"] = function()
  if missing() then return missing() end
  local one, names = computed(1)
  local two, differ = computed(2), {}
  for _, name in ipairs(names) do if one[name] ~= two[name] then differ[#differ + 1] = name end end
  assert(#names > 500 and #differ == 0, listed("these works depend on the number of threads", differ))
end

tests["the bits are those of the table"] = function()
  if missing() then return missing() end
  local wanted, wanted_names = parse(assert(files.read(here .. "tests/lua/same_bits.csv")))
  local got, got_names = computed(1)
  local machine, changed, gone, new = {}, {}, {}, {}
  for _, name in ipairs(wanted_names) do
    local of_machine = name:match(MACHINE)
    local list = not got[name] and gone or of_machine and machine or changed
    if got[name] ~= wanted[name] then list[#list + 1] = of_machine or name end
  end
  for _, name in ipairs(got_names) do if not wanted[name] then new[#new + 1] = name end end
  if #machine > 0 then
    return "skip: nothing was compared, for the C library or the compiler has other bits than the table's of "
      .. table.concat(machine, ", ")
  end
  local problems = listed("bits changed", changed) .. listed("rows without a work", gone)
    .. listed("works without a row", new)
  assert(problems == "", problems .. "The head of same_bits.lua says when the table may be written anew")
end

return tests
