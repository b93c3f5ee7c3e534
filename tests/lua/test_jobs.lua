-- tide.jobs, and what experiments build on it: grids that were killed go on where they stopped.
local check = require "check"
local tide = require "tide"
local files = require "tide.files"

local tests = {}

local function lines_of(command)
  local list, pipe = {}, io.popen(command)
  for line in pipe:lines() do list[#list + 1] = line end
  pipe:close()
  return list
end

tests["all jobs run; failures carry status and last line"] = function()
  check.in_folder(function(folder)
    local list = {}
    for i = 1, 5 do list[i] = {command = ("echo it\\'s %d > %s/%d"):format(i, folder, i)} end
    list[6] = {command = "echo first; echo 'the reason' >&2; exit 3", name = "bad"}
    list[7] = {command = "kill -9 $$", name = "killed"}
    local failures = tide.jobs.run(list, {parallel = 3, quiet = true})
    for i = 1, 5 do assert(files.read(("%s/%d"):format(folder, i)) == ("it's %d\n"):format(i)) end
    table.sort(failures, function(a, b) return a.status < b.status end)
    assert(#failures == 2 and failures[1].job.name == "bad" and failures[1].status == 3
      and failures[1].message == "the reason")
    assert(failures[2].job.name == "killed" and failures[2].status == 137)
  end)
end

tests["so many at a time, and no more"] = function()
  check.in_folder(function(folder)
    local list = {}
    for i = 1, 6 do
      list[i] = {command = ("cd %s && mkdir run%d && ls -d run* | wc -l >> counts && sleep 0.15 && rmdir "
        .. "run%d"):format(files.quote(folder), i, i)}
    end
    assert(#tide.jobs.run(list, {parallel = 2, quiet = true}) == 0)
    local most = 0
    for word in files.read(folder .. "/counts"):gmatch("%d+") do most = math.max(most, tonumber(word)) end
    assert(most == 2, most)
  end)
end

tests["nothing to do, and misuse"] = function()
  assert(#tide.jobs.run({}) == 0)
  check.fails("jobs.run: list must be a list", tide.jobs.run, 3)
  check.fails("jobs.run: job 1 must be a table with command = string", tide.jobs.run, {"ls"})
  check.fails("jobs.run: cost of job 1 must be a number > 0, got 0", tide.jobs.run,
    {{command = "true", cost = 0}})
  check.fails("parallel must be >= 1, got 0", tide.jobs.run, {{command = "true"}}, {parallel = 0})
end

-- Strings that mean something to a shell, and every byte that an argument can hold.
local function hostile()
  local list = {"", "-n", "$(touch P)", "`touch P`", "; touch P", "|touch P", "&& touch P", "a\ntouch P",
    "'; touch P; '", '"; touch P; "', "$HOME",
    "~", "*", "\\",
    "<P", ">P", "#", "!!", "{a,b}", "it's"}
  for byte = 1, 255 do list[#list + 1] = string.char(byte, byte) end
  return list
end

tests["no shell sees the arguments of a program"] = function()
  check.in_folder(function(folder)
    for _, word in ipairs(hostile()) do
      local ok, output = files.run({"printf", "%s", word}, {folder = folder})
      assert(ok and output == word, ("%q gives %q"):format(word, output))
    end
    assert(#tide.core.listdir(folder) == 0)
  end)
end

tests["a word for the shell is one word, whatever it holds"] = function()
  check.in_folder(function(folder)
    local words = hostile()
    for i, word in ipairs(words) do words[i] = files.quote(word) end
    local ok, output = files.run({"sh", "-c", "printf '%s\\n' " .. table.concat(words, " ")},
      {folder = folder})
    assert(ok and output == table.concat(hostile(), "\n") .. "\n")
    assert(#tide.core.listdir(folder) == 0)
  end)
end

tests["a job is a line for the shell or a list of words"] = function()
  check.in_folder(function(folder)
    local list = {}
    for i, word in ipairs(hostile()) do
      list[i] = {command = {"sh", "-c", 'printf %s "$1" > "$0"', folder .. "/" .. i, word}}
    end
    assert(#tide.jobs.run(list, {parallel = 4, quiet = true}) == 0)
    for i, word in ipairs(hostile()) do
      assert(files.read(folder .. "/" .. i) == word, ("%q"):format(word))
    end
    assert(#tide.core.listdir(folder) == #list)
  end)
end

tests["jobs work in a folder with any name, that nobody else can enter, and leave nothing"] = function()
  if not tide.core.exists("./tide") then return "skip: ./tide is not built" end
  check.in_folder(function(folder)
    local strange = folder .. "/it's $(touch P)\n; a 'b'"
    assert(files.make_folder(strange))
    local code = [[
      local list = {{command = "stat -c %a \"$TMPDIR\"/tide-* >&2; exit 1"}, {command = "exit 2"}}
      local f = require("tide").jobs.run(list, {quiet = true})
      print(#f, f[1].status == 1 and f[1].message or f[2].message)
      pcall(require("tide").jobs.run, {{command = "true"}}, {parallel = 1, quiet = true})]]
    local ok, output = files.run({"./tide", "-e", code}, {environment = {"TMPDIR=" .. strange}})
    assert(ok and output == "2\t700\n", output)
    assert(#tide.core.listdir(strange) == 0)
    assert(not files.exists("P"))
  end)
end

tests["a temporary folder is private and goes, with what is in it, after an error too"] = function()
  local path
  local ok = pcall(function()
    local temporary <close> = files.temporary_folder()
    path = temporary.path
    local _, mode = files.run{"stat", "-c", "%a", path}
    assert(mode == "700\n")
    assert(files.make_folder(path .. "/a/b c") and files.write(path .. "/a/x", "1"))
    assert(files.run{"ln", "-s", "/", path .. "/a/link"} and files.run{"ln", "-s", ".", path .. "/self"})
    error("stop")
  end)
  assert(not ok and not tide.core.exists(path) and tide.core.exists("/") == "directory")
  local one, other = tide.core.mkdtemp(), tide.core.mkdtemp()
  assert(one ~= other and files.remove_tree(one) and files.remove_tree(other))
end

tests["programs: streams, folder, environment, status"] = function()
  check.in_folder(function(folder, write)
    local function run(...) return table.pack(files.run(...)) end
    local function expect(result, ...)
      for i, v in ipairs{...} do assert(result[i] == v, ("%s ~= %s"):format(result[i], v)) end
    end
    expect(run({"sh", "-c", "pwd; echo err >&2; exit 3"}, {folder = folder}), false,
      tide.core.realpath(folder) .. "\nerr\n", 3, "exit")
    expect(run{"sh", "-c", "kill -9 $$"}, false, "", 9, "signal")
    expect(run{"no-such-program"}, false, "no-such-program: No such file or directory", 127, "exit")
    expect(run({"pwd"}, {folder = folder .. "/none"}), false, "pwd: No such file or directory", 127)
    write("in", "line\n")
    expect(run({"cat"}, {input = folder .. "/in"}), true, "line\n", 0, "exit")
    expect(run{"cat"}, true, "")
    expect(run({"cat"}, {input = folder .. "/in", output = folder .. "/out"}), true, "")
    assert(files.read(folder .. "/out") == "line\n")
    expect(run({"sh", "-c", "echo $A$HOME"}, {environment = {"A=x", "HOME=y"}}), true, "xy\n")
    local _, long = files.run{"sh", "-c", "head -c 300000 /dev/zero"}
    assert(long == ("\0"):rep(300000))
    check.fails("names no program", tide.core.spawn, {})
    check.fails("argument 2 must be a string without NUL", tide.core.spawn, {"echo", "a\0b"})
    check.fails("folder must be a string", tide.core.spawn, {"echo"}, {folder = 1})
    local process = tide.core.spawn{"sleep", "100"}
    getmetatable(process).__close(process) -- ends it
    check.fails("waited for", process.wait, process)
    assert(process:read() == nil)
  end)
end

-- A grid of six cells, killed after the first; the second run makes the others only, and the tables are
-- complete.
tests["a killed grid resumes"] = function()
  if not tide.core.exists("./tide") then return "skip: ./tide is not built" end
  check.in_folder(function(folder)
    local command = ("./tide experiments/resnet_after_all/grid.lua --data spheres2 --methods euler "
      .. "--settings 1,2,4 --seeds 2 --iterations 400 "
      .. "--train 200 --test 50 --parallel 1 --out %s"):format(files.quote(folder))
    local pid = lines_of(("TIDE_QUIET=1 %s >/dev/null 2>&1 & echo $!"):format(command))[1]
    -- a cell that runs has a checkpoint there
    local list = "ls -i " .. files.quote(folder) .. "/cells 2>/dev/null | grep '[.]csv$'"
    for _ = 1, 200 do
      if #lines_of(list) >= 1 then break end
      os.execute("sleep 0.05")
    end
    os.execute("kill -9 " .. pid)
    local runs = ("pgrep -f '[c]ell.*%s' >/dev/null"):format((folder:gsub("%W", ".")))
    -- the cell that ran comes to its end, no new one starts
    while os.execute(runs) do os.execute("sleep 0.2") end
    local before = lines_of(list)
    assert(#before >= 1 and #before < 6, #before)
    local output = table.concat(lines_of("TIDE_QUIET=1 " .. command .. " 2>&1"), "\n")
    assert(output:find(("6 cells, %d of them done"):format(#before), 1, true), output)
    local after = {}
    for _, line in ipairs(lines_of(list)) do after[line] = true end
    -- same file, not a new one
    for _, line in ipairs(before) do assert(after[line], "made again: " .. line) end
    local grid, seeds = tide.csv.read(folder .. "/grid.csv"), tide.csv.read(folder .. "/seeds.csv")
    assert(#grid:group("setting") == 3 and #seeds:group("setting", "seed") == 6)
    -- nothing half-written
    for _, name in ipairs(lines_of("ls " .. files.quote(folder) .. "/cells")) do
      assert(name:find("%.csv$"), name)
    end
    local again = table.concat(lines_of("TIDE_QUIET=1 " .. command .. " --collect 2>&1"), "\n")
    assert(again:find("6 cells, 6 of them done", 1, true))
    -- other settings are other cells: what is there does not count
    assert(table.concat(lines_of("TIDE_QUIET=1 " .. command:gsub("400", "401") .. " --collect 2>&1"),
      "\n"):find("6 cells, 0 of them done", 1, true))
  end)
end

return tests
