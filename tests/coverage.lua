--- Which lines the tests reached: `make coverage` runs them with gcov's counters and Lua's line hook and then
-- this. A row for each folder and file: lines that could run, lines that did.
--
--   ./tide tests/coverage.lua                      the table
--   ./tide tests/coverage.lua PATTERN              the lines not reached of files whose path matches
--
-- Loops compiled once per instruction set have a row for each. What programs do that a test starts counts for
-- C, not for Lua (lua/lines.lua). Needs gcc's gcov and, for Lua, luac5.4.

local build = "build/coverage"

local function lines_of(command)
  local pipe <close> = assert(io.popen(command))
  local list = {}
  for line in pipe:lines() do list[#list + 1] = line end
  return list
end

local files = {} -- path: {line number: was it reached}

local function note(path, number, reached)
  local lines = files[path] or {}
  files[path] = lines
  lines[number] = lines[number] or reached
end

-- C: what gcov says of each object; "count:line:text", where "-" is no code and # or = were not reached.
local function read_c()
  for _, object in ipairs(lines_of("find " .. build .. "/core " .. build .. "/bindings -name '*.gcno'")) do
    local isa = object:match("loops_(%w+)%.gcno$")
    local path
    for _, line in ipairs(lines_of("gcov -t '" .. object .. "' 2>/dev/null")) do
      local count, number, text = line:match("^%s*([^:]+):%s*(%d+):(.*)$")
      if number == "0" and text:find("^Source:") then
        path = text:match("^Source:(.*)$")
        local ours = path:find("^core/") or path:find("^bindings/")
        path = ours and path .. (isa and path:find("loops") and " " .. isa or "")
      elseif path and count and count ~= "-" then
        note(path, tonumber(number), not count:find("^[#=]"))
      end
    end
  end
end

-- Lua: lines that have instructions, from luac; lines that ran, from what lines.lua left.
local function read_lua()
  local found = "find scripts/tide data plots -name '*.lua' -not -path 'data/cache/*'"
  for _, path in ipairs(lines_of(found)) do
    for _, line in ipairs(lines_of("luac5.4 -p -l '" .. path .. "'")) do
      local number, op = line:match("^%s+%d+%s+%[(%d+)%]%s+(%u+)")
      if number and op ~= "VARARGPREP" then note(path, tonumber(number), false) end
    end
  end
  for _, name in ipairs(lines_of("ls " .. build .. "/lua/*.lines")) do
    for line in io.lines(name) do
      local path, numbers = line:match("^(.*):([%d ]*)$")
      path = path:gsub("^.*/lua/5.4/tide/", "scripts/tide/"):gsub("^.*/%.%./", "")
      path = path:match("/(scripts/tide/.*)$") or path
      for number in numbers:gmatch("%d+") do
        number = math.tointeger(number)
        if files[path] and files[path][number] ~= nil then files[path][number] = true end
      end
    end
  end
end

local function count(path)
  local all, reached = 0, 0
  for _, hit in pairs(files[path]) do
    all, reached = all + 1, reached + (hit and 1 or 0)
  end
  return all, reached
end

local function row(name, all, reached)
  print(("%-44s %6d %6d %6.1f %%"):format(name, all, reached, 100 * reached / math.max(all, 1)))
end

-- The table: folders with their files.
local function show_table(paths)
  local folders, list = {}, {}
  for _, path in ipairs(paths) do
    local folder = path:match("^(.*)/")
    if not folders[folder] then
      folders[folder] = {all = 0, reached = 0}
      list[#list + 1] = folder
    end
    local all, reached = count(path)
    local sum = folders[folder]
    sum.all, sum.reached = sum.all + all, sum.reached + reached
    sum[#sum + 1] = {"  " .. path:match("[^/]*$"), all, reached}
  end
  local all, reached = 0, 0
  print(("%-44s %6s %6s"):format("", "lines", "run"))
  for _, folder in ipairs(list) do
    local sum = folders[folder]
    row(folder, sum.all, sum.reached)
    for _, file in ipairs(sum) do row(table.unpack(file)) end
    all, reached = all + sum.all, reached + sum.reached
  end
  row("all", all, reached)
end

-- Lines not reached, with their text.
local function show_lines(path)
  local number = 0
  for text in io.lines((path:gsub(" .*", ""))) do
    number = number + 1
    if files[path][number] == false then print(("%s:%d: %s"):format(path, number, text)) end
  end
end

read_c()
read_lua()
local paths = {}
for path in pairs(files) do paths[#paths + 1] = path end
table.sort(paths)
if not arg[1] then return show_table(paths) end
for _, path in ipairs(paths) do
  if path:find(arg[1]) then show_lines(path) end
end
