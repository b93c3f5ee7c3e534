--- Which lines of Lua run, for tests/coverage.lua: with TIDE_COVERAGE=FOLDER write() leaves rows "path:line
-- line ..." there. Lines of coroutines count as well; what a program runs that a test starts does not.

local M = {}

local folder = os.getenv "TIDE_COVERAGE"
local getinfo, sethook = debug.getinfo, debug.sethook
local seen = {} -- by source: set of lines
local of_function = setmetatable({}, {__mode = "k"})

local function note(_, line)
  local f = getinfo(2, "f").func
  local lines = of_function[f]
  if not lines then
    local source = getinfo(2, "S").source
    lines = seen[source] or {}
    seen[source], of_function[f] = lines, lines
  end
  lines[line] = true
end

--- Looks from here on; to be called again where something else may have taken the hook.
function M.watch()
  if folder then sethook(note, "l") end
end

if folder then
  local create, wrap = coroutine.create, coroutine.wrap
  function coroutine.create(f) -- luacheck: ignore 122
    local thread = create(f)
    sethook(thread, note, "l")
    return thread
  end
  function coroutine.wrap(f) -- luacheck: ignore 122
    return wrap(function(...)
      sethook(note, "l")
      return f(...)
    end)
  end
end

--- Leaves what was seen, in a file named after the first test file.
function M.write(path)
  if not folder then return end
  sethook()
  local file <close> = assert(io.open(("%s/%s.lines"):format(folder, path:match("[^/]*$")), "w"))
  for source, lines in pairs(seen) do
    if source:sub(1, 1) == "@" then
      local list = {}
      for line in pairs(lines) do list[#list + 1] = line end
      file:write(source:sub(2), ":", table.concat(list, " "), "\n")
    end
  end
end

return M
