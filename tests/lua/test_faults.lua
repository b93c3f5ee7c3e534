-- The system fails: every call of every reader and writer in turn. An error names file and reason, the old
-- file stays, nothing is left behind.
local check = require "check"
local tide = require "tide"
local checkpoint = require "tide.checkpoint"
local csv = require "tide.csv"
local files = require "tide.files"
local core = tide.core

local tests = {}

local reasons = {ENOSPC = "No space left on device", EIO = "Input/output error",
  EMFILE = "Too many open files", EACCES = "Permission denied",
  EROFS = "Read-only file system"}

local function state(value)
  local model = tide.nn.linear(2, 2, {seed = value})
  return {model = model, optimizer = tide.optim.adam(model), settings = {seed = 5}, total = 9,
    run = {iteration = 1}, history = {}}
end

-- write(path, value) leaves other bytes for other values; read gives them back somehow, or raises.
local x = tide.rand({30, 70}, {seed = 1})
local kinds = {
  npy = {write = function(path, value) tide.save(path, x + value) end, read = tide.load},
  npz = {write = function(path, value) tide.save(path, {x = x + value}) end, read = tide.load},
  safetensors = {write = function(path, value) tide.save(path, {x = x + value}) end, read = tide.load},
  png = {write = function(path, value) tide.save(path, (x * 0 + value / 9)) end, read = tide.load},
  csv = {write = function(path, value) csv.write(path, {"a"}, {{value}, {value + 1}}) end, read = csv.read},
  txt = {write = function(path, value) assert(files.write(path, ("text"):rep(50000) .. value)) end,
    read = function(path) return assert(files.read(path)) end},
  idx = {read = tide.read_idx}, bin = {read = tide.read_bytes},
  ["checkpoint.npz"] = {write = function(path, value) checkpoint.write(path, state(value)) end,
    read = function(path) return checkpoint.read("test", path, state(1)) end},
  ["checkpoint.safetensors"] = {write = function(path, value) checkpoint.write(path, state(value)) end,
    read = function(path) return checkpoint.read("test", path, state(1)) end},
}

local function bytes_of(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read("a")
end

local function open_files() return #core.listdir("/proc/self/fd") end

-- fn() with its k-th call failing: did the fault happen, ok, message.
local function with_fault(faults, fn, ...)
  core.calls_inject(faults)
  local ok, message = pcall(fn, ...)
  local calls = core.calls_inject()
  return calls > faults.fail_at, ok, tostring(message)
end

local function each_fault(fn)
  for name, reason in pairs(reasons) do
    for _, sticky in ipairs{false, true} do
      local k = 0
      while fn({fail_at = k, error = name, sticky = sticky}, reason, name .. " at call " .. k) do
        k = k + 1
      end
      assert(k > 2 and k < 60, k)
    end
  end
end

local function each_kind(fn)
  for kind, k in pairs(kinds) do
    check.in_folder(function(folder, write) fn(k, folder .. "/a." .. kind, folder, write) end)
  end
end

tests["every call of every writer fails once, or from then on"] = function()
  each_kind(function(k, path, folder)
    if not k.write then return end
    k.write(path, 1)
    local old = bytes_of(path)
    k.write(path, 2)
    local new, before = bytes_of(path), open_files()
    k.write(path, 1)
    assert(old ~= new)
    each_fault(function(faults, reason, where)
      where = path .. ", " .. where
      local happened, ok, message = with_fault(faults, k.write, path, 2)
      assert(ok or message:find(path, 1, true) and message:find(reason, 1, true), where .. ": " .. message)
      assert(happened or ok, where)
      assert(#core.listdir(folder) == 1, where .. ": something was left behind")
      assert(open_files() == before, where .. ": a file stayed open")
      -- Only what comes after the rename may fail with the new file in place: fsync of the folder, and then
      -- the message says so.
      assert(bytes_of(path) == (not (ok or message:find("in place", 1, true)) and old or new), where)
      k.write(path, 1)
      assert(bytes_of(path) == old, where)
      return happened
    end)
  end)
end

tests["every call of every reader fails"] = function()
  each_kind(function(k, path, _, write)
    if k.write then k.write(path, 1) else write(path:match("[^/]*$"), "\0\0\8\1\0\0\0\2ab") end
    local before = open_files()
    each_fault(function(faults, reason, where)
      local happened, ok, message = with_fault(faults, k.read, path)
      assert(ok or happened and message:find(path, 1, true) and message:find(reason, 1, true), where .. ": "
        .. message)
      assert(open_files() == before, where .. ": a file stayed open")
      assert(pcall(k.read, path), where)
      return happened
    end)
  end)
end

tests["short and interrupted calls change nothing"] = function()
  each_kind(function(k, path, folder)
    if not k.write then return end
    k.write(path, 1)
    local whole = bytes_of(path)
    for mode = 1, 3 do
      core.calls_inject{partial = mode ~= 1, interrupts = mode ~= 2}
      local ok, message = pcall(function()
        k.write(path, 1)
        k.read(path)
      end)
      core.calls_inject()
      assert(ok, message)
      assert(bytes_of(path) == whole and #core.listdir(folder) == 1)
    end
  end)
end

tests["a full disk is an error of flush, and close installs nothing"] = function()
  check.in_folder(function(folder)
    local path = folder .. "/a.csv"
    csv.write(path, {"a"}, {{1}})
    local writer = csv.writer(path, {"a"})
    for i = 1, 100 do writer:row{i} end
    core.calls_inject{fail_at = 0, error = "ENOSPC"}
    local ok, message = pcall(writer.flush, writer)
    core.calls_inject()
    assert(not ok and message:find(path .. ": write: No space left on device", 1, true), message)
    check.fails("No space left on device", writer.row, writer, {101})
    check.fails("No space left on device", writer.flush, writer)
    check.fails("No space left on device", writer.close, writer)
    assert(bytes_of(path) == "a\n1\n" and #core.listdir(folder) == 1)
    writer:close():discard()
    check.fails("flush after close", writer.flush, writer)
    check.fails("row after close", writer.row, writer, {1})
  end)
end

tests["a writer that is dropped leaves nothing, nor does a program that ends"] = function()
  check.in_folder(function(folder, write)
    local path = folder .. "/a.csv"
    csv.writer(path, {"a"}):row{1}:flush()
    collectgarbage()
    collectgarbage()
    assert(#core.listdir(folder) == 0)
    local first, second = csv.writer(path, {"a"}), csv.writer(path, {"a"})
    first:row{1}
    second:row{2}:close()
    first:close()
    assert(bytes_of(path) == "a\n1\n" and #core.listdir(folder) == 1)
    if not core.exists("./tide") then return end
    for _, ending in ipairs{"error 'stop'", "os.exit(3)", "os.exit(3, true)", "return"} do
      write("end.lua", ("W = tide.csv.writer(%q, {'a'}) W:row{3}:flush() %s"):format(path, ending))
      local _, output = check.sh(
        ("F=%s ./tide -e 'tide = require \"tide\"  dofile(os.getenv(\"F\"))'"):format(
        files.quote(folder .. "/end.lua")))
      assert(#core.listdir(folder) == 2 and bytes_of(path) == "a\n1\n", ending .. output)
    end
  end)
end

-- A file must not take the place of a closed standard output, and what cannot be printed must not pass for
-- success.
tests["standard output that is closed or full"] = function()
  if not core.exists("./tide") then return "skip: ./tide is not built" end
  check.in_folder(function(folder, write)
    local out, script = folder .. "/out", folder .. "/x.lua"
    write("x.lua", ('local f = assert(io.open(%q, "w")) print("lost") io.stdout:flush() f:write("x") '
      .. 'f:close() os.exit(0)'):format(out))
    local function status(command)
      local _, _, code = os.execute(command)
      return code
    end
    assert(status(("./tide %s >&- 2>&-"):format(script)) == 1 and bytes_of(out) == "x")
    assert(status(("./tide %s <&- >&- 2>&-"):format(script)) == 1 and bytes_of(out) == "x")
    local _, output = check.sh("./tide -e 'print(1)' >/dev/full")
    assert(output:find("tide: standard output: ", 1, true), output)
    assert(status("./tide -e 'x = 1' >&-") == 0
      and status("./tide -e 'print(1) os.exit(0)' >/dev/full 2>&1") == 1)
    local limited = (
      "(ulimit -f 4; ./tide -e 'tide = require \"tide\" tide.save(%q, tide.zeros{100000})')"):format(folder
      .. "/big.npy"):gsub("\\n", "")
    local ok, message = check.sh(limited)
    assert(not ok and message:find("big.npy\": write: File too large", 1, true)
      and #core.listdir(folder) == 2, message)
    if check.sh("command -v lua5.4") and core.exists("build/tide/core.so") then
      write("y.lua", 'package.path, package.cpath = "scripts/?.lua;scripts/?/init.lua", "build/?.so" require '
        .. '"tide"\n' .. bytes_of(script))
      os.remove(out)
      status(("lua5.4 %s/y.lua >&- 2>&-"):format(folder))
      assert(bytes_of(out) == "x")
    end
  end)
end

return tests
