-- tide.sweep: cells from axes or a list, what is done and what is not, kills, failures, other settings.
local check = require "check"
local tide = require "tide"
local files = require "tide.files"

local tests = {}

-- A cell: y = factor x, after a while; x = 13 is bad luck.
local cell = [[
local tide = require "tide"
local o = tide.experiment.parse("A product", {{"x", 1, ""}, {"kind", "a", ""}, {"factor", 1.0, ""},
  {"wait", 0.0, ""}, {"out", "", ""}}, arg)
if o.wait > 0 then os.execute("sleep " .. o.wait) end
if o.x == 13 then error("bad luck", 0) end
if o.kind == "liar" then os.exit(0) end
tide.csv.write(o.out, {"x", "kind", "y"}, {{o.x, o.kind, o.factor * o.x}},
  {comments = {"commit: c" .. o.x, "config: " .. tide.sweep.config(o, {"out", "wait"})}})]]

-- The script that sweeps: `more` are further fields of its specification.
local driver = [[
local tide = require "tide"
local here = arg[0]:match("^(.*)/")
local spec = {title = "Products", script = here .. "/cell.lua", out = here .. "/out",
  options = {{"factor", 2.0, "of x"}, {"wait", 0.0, "seconds"}},
  axes = {{"xs", 3, "1 to this", "x"}, {"kinds", "a", "words", "kind"}},
  describe = function(v)
    local s = {x = v.x, kind = v.kind, factor = v.factor}
    return {config = tide.sweep.config(s), cost = v.x}
  end, longest_first = true}
%s
local s = tide.sweep.run(spec, arg)
local y = s:table():column("y")
for i = 1, #y do y[i] = ("%%g"):format(y[i]) end
print("y: " .. table.concat(y, " "))
s:write("all", s:table())
s:finish()]]

tests["command lines: the nearest option, the list, values of the wrong type"] = function()
  if not tide.core.exists("./tide") then return "skip: ./tide is not built" end
  local code = [[local o = tide.experiment.parse("A title", {{"seed", 1, "of weights"},
    {"a-rather-long-name", 0.5, ""}, {"draw", true, "pictures"}, {"out", "", "a folder"}}, arg)
    print(o.seed, o.draw)]]
  local function says(word, text, wanted)
    local _, output, status = files.run{"./tide", "-e", "arg = {" .. ("%q"):format(word) .. "} " .. code}
    assert(output:find(text, 1, true), output)
    assert(status == wanted, status)
  end
  says("--sede=3", 'unknown option "--sede" (did you mean "--seed"?); valid are: --seed, --a-', 2)
  says("--seed=x", '--seed must be a number, got "x"', 2)
  says("--seed=1.5", '--seed must be an integer, got "1.5"', 2)
  says("--draw=flase", '--draw must be true or false, got "flase"', 2)
  says("--draw=0", "1\tfalse", 0)
  says("--help", "A title\n\n  --seed                of weights (default 1)\n  --a-rather-long-name  ", 0)
  says("--help", "  --out                 a folder\n", 0)
end

local function in_folder(fn)
  return function()
    if not tide.core.exists("./tide") then return "skip: ./tide is not built" end
    check.in_folder(function(folder, write)
      write("cell.lua", cell)
      write("sweep.lua", driver:format(""))
      return fn(folder, function(...)
        local ok, output, status = files.run({"./tide", folder .. "/sweep.lua", ...},
          {environment = {"TIDE_QUIET=1"}})
        return ok, output, status
      end, write)
    end)
  end
end

local function has(text, ...)
  for _, part in ipairs{...} do assert(text:find(part, 1, true), ("%s\n  lacks: %s"):format(text, part)) end
end

local function inode(path)
  local _, output = files.run{"stat", "-c", "%i", path}
  return output
end

for parallel = 1, 2 do
  tests[("the cells run and are collected, %d at a time; what is done stays"):format(parallel)] =
    in_folder(function(folder, run)
      local ok, output = run("--parallel=" .. parallel, "--kinds=a,b")
      assert(ok, output)
      has(output, "6 cells, 0 of them done", "y: 6 6 4 4 2 2")
      local before = inode(folder .. "/out/cells/x2-b.csv")
      ok, output = run("--parallel=" .. parallel, "--xs", "2..4", "--kinds", "b,a")
      assert(ok, output)
      has(output, "6 cells, 4 of them done", "y: 8 8 6 6 4 4")
      assert(inode(folder .. "/out/cells/x2-b.csv") == before)
      ok, output = run("--kinds", "a,b", "--only", "x3")
      assert(ok, output)
      has(output, "2 cells, 2 of them done", "y: 6 6")
      ok, output = run("--only", "y")
      assert(not ok)
      has(output, 'no cell has "y" in its name')
      assert(run("--xs", "2..4", "--kinds", "b,a"))
      local all = tide.csv.read(folder .. "/out/all.csv")
      assert(all.rows == 6 and table.concat(all:column("kind")) == "ababab")
      has(table.concat(all.comments, "\n"), "commit: cells c2 c3 c4, collected ",
        "0 of 6 cells have no result")
      for _, name in ipairs(tide.core.listdir(folder .. "/out/cells")) do
        assert(name:find("%.csv$"), name)
      end
    end)
end

tests["a sweep that was killed goes on"] = in_folder(function(folder, run)
  local command = ("TIDE_QUIET=1 ./tide %s/sweep.lua --xs 4 --parallel 1 --wait 0.3"):format(
    files.quote(folder))
  local pipe = io.popen(command .. " >/dev/null 2>&1 & echo $!")
  local pid = pipe:read("l")
  pipe:close()
  local first = folder .. "/out/cells/x4-a.csv" -- the dearest
  for _ = 1, 200 do
    if files.exists(first) then break end
    os.execute("sleep 0.05")
  end
  os.execute("kill -9 " .. pid)
  os.execute("sleep 0.8") -- the cell that ran comes to its end
  local before = inode(first)
  local ok, output = run("--xs", "4", "--list")
  local done = tonumber(output:match("(%d) of them done"))
  assert(ok and done >= 1 and done < 4, output)
  ok, output = run("--xs", "4", "--wait", "0.3")
  assert(ok, output)
  has(output, "y: 8 6 4 2")
  assert(inode(first) == before)
end)

tests["a cell that fails is named, with its reason and its log; the others are collected"] =
  in_folder(function(folder, run)
    local ok, output, status = run("--xs", "12..14", "--parallel", "2")
    assert(not ok and status == 1, output)
    has(output, "1 of 3 cells failed:", "x13-a: tide: bad luck (" .. folder .. "/out/cells/x13-a.log)",
      "y: 28 24")
    has(files.read(folder .. "/out/cells/x13-a.log"), "bad luck")
    has(table.concat(tide.csv.read(folder .. "/out/all.csv").comments, "\n"), "1 of 3 cells have no result")
    ok, output, status = run("--kinds", "liar", "--xs", "1")
    assert(not ok and status ~= 0)
    has(output, "x1-liar: it ended well, but its result is missing", "no cell has a result yet")
  end)

tests["results of other settings are refused, or made anew"] = in_folder(function(folder, run)
  assert(run())
  local ok, output, status = run("--factor", "3")
  assert(not ok and status == 2, output)
  has(output, "3 cells in " .. folder .. "/out/cells have results of other settings",
    "x3-a: factor is 2 there and 3 here", "Give another --out, or --anew")
  ok, output = run("--factor", "3", "--list")
  assert(ok)
  has(output, "other settings")
  ok, output = run("--factor", "3", "--collect")
  assert(not ok)
  has(output, "3 cells, 0 of them done", "no cell has a result yet")
  ok, output = run("--factor", "3", "--anew")
  assert(ok, output)
  has(output, "y: 9 6 3")
  ok, output = run("--factor", "3.0", "--collect") -- another way to write the same
  assert(ok)
  has(output, "3 cells, 3 of them done")
end)

tests["a list in place of axes; several files; done decides"] = in_folder(function(folder, run, write)
  write("sweep.lua", driver:format([[
    spec.axes, spec.longest_first = nil, nil
    spec.cells = function() return {{x = 2, kind = "b"}, {x = 5, kind = "a"}} end
    spec.own = {{"enough", 0, "least x"}}
    local enough
    spec.describe = function(v, o)
      enough = o.enough
      return {name = "run" .. v.x, config = tide.sweep.config{x = v.x, kind = v.kind, factor = v.factor},
        outputs = {out = "/table.csv"}}
    end
    spec.done = function(c) return c.tables["/table.csv"]:column("x")[1] >= enough end
    spec.unit = "runs"
  ]]):gsub("s:table%(%)", 's:table("/table.csv")'))
  assert(files.make_folder(folder .. "/out/cells/run2") and files.make_folder(folder .. "/out/cells/run5"))
  local ok, output = run()
  assert(ok, output)
  has(output, "2 runs, 0 of them done", "y: 4 10")
  ok, output = run("--enough", "3", "--list")
  assert(ok)
  has(output, "2 runs, 1 of them done", "unfinished")
end)

tests["misuse"] = function()
  local spec = {title = "t", script = "s", out = "o", axes = {{"a", "1,1", "x"}}}
  check.fails("two cells have the name a1; describe must tell them apart", tide.sweep.run, spec, {})
  check.fails("expected a table, got nil", tide.sweep.run)
  check.fails("script", tide.sweep.run, {title = "t", out = "o", axes = {}}, {})
  check.fails("give axes or cells, and not both", tide.sweep.run, {title = "t", script = "s", out = "o"}, {})
  check.fails('unknown option "axis" (did you mean "axes"?)', tide.sweep.run,
    {title = "t", script = "s", out = "o", axis = {}}, {})
  assert(tide.sweep.config({b = "1e-3", a = {1, 2}, c = "x", d = true}, {"d"}) == "a=1x2 b=0.001 c=x")
end

return tests
