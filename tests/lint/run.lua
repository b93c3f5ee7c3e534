--- Rules of the sources that no compiler checks: `./tide tests/lint/run.lua [names]`, from the root of the
-- checkout.
--
-- Each other file here returns function(tree): a list of problems ("file:line: what, and the remedy"), and
-- perhaps a note. A rule that cannot be checked here returns nil and the reason. A problem that begins with
-- "warning:" is shown and does not fail.

local rules = {"includes", "calls", "requires", "docs", "messages", "paths", "shell", "luacheck", "page",
  "sizes", "names"}

local function lines_of(command)
  local list = {}
  local pipe <close> = assert(io.popen(command))
  for line in pipe:lines() do list[#list + 1] = line end
  return list
end

-- All files that are or could be committed; without git (an exported tree), all but what is built.
local function list_files()
  local files = lines_of("git ls-files --cached --others --exclude-standard 2>/dev/null")
  if #files == 0 then
    files = lines_of("find . -type f -not -path './.git/*' -not -path './build/*' -not -path './runs/*' -not "
      .. "-path './data/cache/*' "
      .. "-not -path ./tide | sed 's,^[.]/,,'")
  end
  table.sort(files)
  return files
end

local tree = {files = list_files(), lines_of = lines_of, exists = {}}
for _, path in ipairs(tree.files) do tree.exists[path] = true end

--- Files whose path matches a pattern.
function tree.matching(pattern)
  local list = {}
  for _, path in ipairs(tree.files) do
    if path:find(pattern) then list[#list + 1] = path end
  end
  return list
end

--- Whole text of a file; "" when it was deleted meanwhile.
function tree.read(path)
  local file <close> = io.open(path, "rb")
  return file and file:read("a") or ""
end

--- for number, line in tree.lines(path)
function tree.lines(path)
  local number = 0
  local next_line = tree.read(path):gmatch("([^\n]*)\n?")
  return function()
    number = number + 1
    local line = next_line()
    if line then return number, line end
  end
end

local here = arg[0]:match("^(.*)/") or "."
local passed, failed, skipped = 0, 0, 0
for _, name in ipairs(#arg > 0 and arg or rules) do
  local problems, note = dofile(here .. "/" .. name .. ".lua")(tree)
  local errors = 0
  for _, problem in ipairs(problems or {}) do
    if not problem:find("^warning:") then errors = errors + 1 end
    print("  " .. problem)
  end
  if not problems then
    skipped = skipped + 1
    print(("skip %s (%s)"):format(name, note))
  elseif errors > 0 then
    failed = failed + 1
    print(("FAIL %s: %d problems"):format(name, errors))
  else
    passed = passed + 1
    print("ok   " .. name .. (note and " (" .. note .. ")" or ""))
  end
end
print(("%d passed, %d failed%s"):format(passed, failed, skipped > 0 and (", %d skipped"):format(skipped)
  or ""))
os.exit(failed == 0, true)
