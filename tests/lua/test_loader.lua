-- Where the program `tide` takes modules from, and that it takes text alone; see scripts/tide/loader.lua.

local check = require "check"
local core = require "tide.core"
local files = require "tide.files"

local tests = {}

local function lowest_argument()
  local i = 0
  while arg[i - 1] do i = i - 1 end
  return arg[i]
end

-- Run fn(folder, write, run) in a fresh folder; run(list of arguments, options) runs this `tide` there and
-- returns output and status.
local function with_tide(fn)
  return function()
    local program = core.realpath(lowest_argument())
    if not (program and program:find("tide$")) then return "skip: for the program tide" end
    return check.in_folder(function(folder, write)
      local function run(arguments, opts)
        opts = opts or {}
        opts.folder = opts.folder or folder
        local _, output, status = files.run({opts.program or program, table.unpack(arguments)}, opts)
        return output, status
      end
      fn(folder, write, run, program)
    end)
  end
end

tests["a script that fails on a name says which one may have been meant; -e knows the prompt's names"] =
  with_tide(function(_, write, run)
  write("slip.lua", 'local tide = require "tide"\ntide.zero{2}')
  local output, status = run{"slip.lua"}
  assert(status == 1 and output:find("(field 'zero')\n  (zero is nil; did you mean tide.zeros?)\nstack trace",
    1, true), output)
  write("named.lua", 'require "tide".zeros{2}:sum(dim = 1)')
  output, status = run{"named.lua"}
  assert(status == 1 and output:find("f(x, {name = value})", 1, true), output)
  write("bare.lua", "tide.zeros{2}")
  output = run{"bare.lua"}
  assert(output:find('did you mean local tide = require "tide"?', 1, true), output)
  assert(run{"-e", "print(nn.count(nn.linear(2, 1)), nothing)"}:find("^3\tnil"))
end)

tests["no folder and no variable replaces a part of Tide"] = with_tide(function(folder, write, run)
  assert(files.make_folder(folder .. "/tide/plot") and files.make_folder(folder .. "/tide/docs")
    and files.make_folder(folder .. "/data"))
  local names = {"core", "init", "main", "options", "loader", "files", "tensor", "plot", "train", "nn",
    "data", "help", "repl", "csv",
    "plot/series", "plot/show",
    "docs/tools", "data/spheres"}
  for _, name in ipairs(names) do
    write("tide/" .. name:gsub("^data/", "../data/") .. ".lua", 'print("REPLACED") os.exit(7)')
  end
  write("tide.lua", 'print("REPLACED") os.exit(7)')
  write("style.gp", "REPLACED")
  write("use.lua", [[
    local tide = require "tide"
    package.path = "./?.lua;./?/init.lua"
    assert(tide.ones({2, 2}):sum():item() == 4)
    assert(tide.nn.linear(2, 1) and tide.plot.line{y = {1, 2}}:render() and tide.train and tide.csv)
    assert(#tide.help.entries() > 10)
    assert(#tide.data.spheres{dim = 2, inner = 5, outer = 10}.x == 15)
    assert(not pcall(require, "tide.mine"))
    print("fine")
  ]])
  write("tide/mine.lua", 'print("REPLACED") os.exit(7)')
  local path = folder .. "/?.lua;" .. folder .. "/?/init.lua"
  for _, environment in ipairs{{}, {"LUA_PATH=" .. path}, {"LUA_PATH_5_4=" .. path .. ";;", "LUA_CPATH="
    .. folder .. "/?.so"},
    {"LUA_INIT=print('REPLACED')"}} do
    local output, status = run({"use.lua"}, {environment = environment})
    assert(status == 0 and output == "fine\n", output)
    output, status = run({"-e", 'print(pcall(require, "tide.mine"))'}, {environment = environment})
    assert(status == 0 and output:find("come from", 1, true) and not output:find("REPLACED", 1, true), output)
  end
end)

tests["a link to the program, from another folder"] = with_tide(function(folder, _, run, program)
  assert(files.run{"ln", "-s", program, folder .. "/renamed"})
  local output, status = run({"-e", 'print(require("tide").ones{1}:item())'},
    {program = folder .. "/renamed", folder = "/"})
  assert(status == 0 and output == "1.0\n", output)
end)

tests["modules of the user are found as ever"] = with_tide(function(folder, write, run)
  write("beside.lua", "return {name = ..., file = select(2, ...)}")
  assert(files.make_folder(folder .. "/lib/deep"))
  write("lib/deep/far.lua", "return 'far'")
  write("lib/init.lua", "return 'init'")
  local output = run{"-e",
    'local m = require "beside" print(m.name, m.file, (require "lib"), (require "lib.deep.far"))'}
  assert(output == "beside\t./beside.lua\tinit\tfar\n", output)
  output = run({"-e", 'print((require "far"))'},
    {folder = "/", environment = {"LUA_PATH=" .. folder .. "/lib/deep/?.lua"}})
  assert(output == "far\n", output)
  output = run{"-e", 'package.preload.mine = function() return "preloaded" end print((require "mine"), '
    .. 'select(2, pcall(require, "no.such")))'}
  assert(output:find("^preloaded\tmodule 'no.such' not found:") and output:find("no file './no/such.lua'", 1,
    true), output)
  write("wrong.lua", "return +")
  output = run{"-e", 'print(pcall(require, "wrong"))'}
  assert(output:find("error loading module 'wrong' from file './wrong.lua':", 1, true)
    and output:find("unexpected symbol", 1, true), output)
end)

tests["code of the command line finds tide and help, loaded when it reads them; a script that follows does "
  .. "not"] = with_tide(function(_, write, run)
  write("after.lua", "print(tide, help, getmetatable(_G))")
  local output = run{"-e", "print(package.loaded.tide, package.loaded['tide.help'])",
    "-e", "print(tide.ones{1}:item(), #help.entries() > 10, nothing)", "after.lua"}
  assert(output == "nil\tnil\n1.0\ttrue\tnil\nnil\tnil\tnil\n", output)
  output = run{"-e", "tide = 5", "-e", "print(tide)", "-e",
    "setmetatable(_G, {__index = function() return 7 end})", "-e", "print(any)"}
  assert(output == "5\n7\n", output)
end)

tests["bytecode is refused, and says why"] = with_tide(function(folder, write, run)
  local code = string.dump(function() print("ran") end)
  write("code.lua", code)
  write("commented.lua", "# a first line that Lua skips\n" .. code)
  write("main.lua", 'print(loadfile("code.lua")) print(pcall(dofile, "code.lua")) print(pcall(require, '
    .. '"code"))')
  for _, case in ipairs{{{"code.lua"}}, {{"commented.lua"}}, {{"-"}, {input = folder .. "/code.lua"}},
    {{"-l", "code"}}, {{"-e", "\27Lua"}},
    {{"--", "code.lua"}}} do
    local output, status = run(table.unpack(case))
    assert(status == 1 and output:find("bytecode", 1, true) and not output:find("^ran"), output)
  end
  local output, status = run{"main.lua"}
  local _, count = output:gsub("Lua bytecode; tide loads Lua text only", "")
  assert(status == 0 and count == 3 and not output:find("ran\n", 1, true), output)
  -- Damaged bytecode cannot crash what does not run it.
  math.randomseed(1)
  for _ = 1, 20 do
    local bytes = {code:byte(1, -1)}
    for _ = 1, 3 do bytes[math.random(20, #bytes)] = math.random(0, 255) end
    write("code.lua", string.char(table.unpack(bytes)))
    output, status = run{"code.lua"}
    assert(status == 1 and output:find("bytecode", 1, true), output)
  end
end)

return tests
