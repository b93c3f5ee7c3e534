-- Tensors and values as text: one format for a tensor, aligned columns, what is left out, the settings;
-- numbers at the prompt.

local tide = require "tide"
local check = require "check"
local pretty = require "tide.pretty"

local tests = {}

local float64 = {dtype = "float64"}

local function shows(x, expected)
  local got = tostring(x)
  if got ~= expected then error(("expected\n%s\ngot\n%s"):format(expected, got), 2) end
end

-- Run with settings, then put back those before.
local function with(settings, run)
  local before = tide.set_print(settings)
  local good, message = pcall(run)
  tide.set_print(before)
  if not good then error(message, 0) end
end

local function count_lines(x) return select(2, tostring(x):gsub("\n", "")) + 1 end

tests["digits that matter, one format for all entries"] = function()
  shows(tide.tensor{0.1, 0.25}, "tensor float32 {2}\n 0.1000  0.2500")
  shows(tide.tensor{1, -20}, "tensor float32 {2}\n   1.0000  -20.0000")
  shows(tide.tensor{1, -2000}, "tensor float32 {2}\n     1.0  -2000.0")
  shows(tide.tensor{1e-9, 1, 1e9}, "tensor float32 {3}\n 1.0000e-09  1.0000e+00  1.0000e+09")
  shows(tide.tensor{1.23456789e-5}, "tensor float32 {1}\n 1.2346e-05")
  shows(tide.tensor{0.00123, -0.05}, "tensor float32 {2}\n  0.00123  -0.05000")
  shows(tide.tensor{0, 0.5}, "tensor float32 {2}\n 0.0000  0.5000")
  shows(tide.tensor(2.5), "2.5000  tensor float32 {}")
  shows(tide.tensor(1e-9), "1.0000e-09  tensor float32 {}")
  shows(tide.tensor({{1e300, 1}, {-1e-300, 0}}, float64),
    "tensor float64 {2, 2}\n  1.0000e+300    1.0000e+00\n -1.0000e-300    0.0000e+00")
end

tests["what is not finite, integers, empty tensors"] = function()
  shows(tide.tensor{0 / 0, 1 / 0, -1 / 0, 1}, "tensor float32 {4}\n    nan     inf    -inf  1.0000")
  shows(tide.tensor{0 / 0}, "tensor float32 {1}\n nan")
  shows(tide.tensor({math.maxinteger, -1}, {dtype = "int64"}),
    "tensor int64 {2}\n 9223372036854775807                   -1")
  shows(tide.tensor({255, 0}, {dtype = "uint8"}), "tensor uint8 {2}\n 255    0")
  shows(tide.zeros{0, 3}, "tensor float32 {0, 3} (empty)")
  shows(tide.zeros{2, 0, 4}, "tensor float32 {2, 0, 4} (empty)")
end

tests["tensors of less than 1000 elements stand there whole, in blocks of columns where they are wide"] =
  function()
  local x = tide.randn({12, 12}, {seed = 1})
  local text = tostring(x)
  assert(not text:find("...", 1, true) and count_lines(x) == 1 + 2 * 13, text)
  assert(text:find("\n columns 1 to 9:\n", 1, true) and text:find("\n columns 10 to 12:\n", 1, true), text)
  for line in text:gmatch("[^\n]+") do assert(#line <= 80, line) end
  local seen = 0
  for number in text:gsub("columns[^\n]*", ""):gmatch("%-?%d+%.%d+") do
    seen = seen + 1
    assert(tonumber(number))
  end
  assert(seen == 144)
  with({width = 200}, function() assert(count_lines(x) == 13) end)
  with({width = 20}, function() assert(tostring(x):find("\n columns 11 to 12:\n", 1, true), tostring(x)) end)
  assert(count_lines(tide.arange(1, 30)) == 5)
  assert(count_lines(tide.zeros{999}) == 1 + math.ceil(999 / 10))
  shows(tide.zeros{1000}, "tensor float32 {1000}\n 0.0000  0.0000  0.0000  ...  0.0000  0.0000  0.0000")
end

tests["of large tensors the ends are shown, with their places"] = function()
  local x = tide.arange(1, 10000):reshape{10, 10, 100}
  local text = tostring(x)
  for _, words in ipairs{"\n [3]\n", "\n ...\n [8]\n", "9998.0   9999.0  10000.0",
    "1.0      2.0      3.0  ...     98.0"} do
    assert(text:find(words, 1, true), words .. "\n" .. text)
  end
  assert(not text:find("[4]", 1, true))
  local tall = tostring(tide.arange(1, 2000):reshape{1000, 2})
  assert(tall == "tensor float32 {1000, 2}\n    1.0     2.0\n    3.0     4.0\n    5.0     6.0\n ...\n 1995.0 "
    .. " 1996.0\n 1997.0  1998.0" ..
    "\n 1999.0  2000.0", tall)
  local view = tide.arange(1, 4000):reshape{2000, 2}:transpose(1, 2)
  assert(tostring(view):find("   1.0     3.0     5.0  ...  3995.0  3997.0  3999.0", 1, true), tostring(view))
  with({threshold = 5, edge = 1}, function()
    shows(tide.arange(1, 9):reshape{3, 3},
      "tensor float32 {3, 3}\n 1.0000  ...  3.0000\n ...\n 7.0000  ...  9.0000")
  end)
end

tests["what is left out is more where the ends do not fit"] = function()
  local x = tide.full({2, 2000}, 1e-300, float64)
  shows(x, "tensor float64 {2, 2000}" .. ("\n 1.0000e-300  1.0000e-300  ...  1.0000e-300  1.0000e-300"):rep(
    2))
end

tests["settings: some are changed, all come back, wrong ones change nothing"] = function()
  local defaults = tide.get_print()
  with({precision = 8}, function()
    shows(tide.tensor({1 / 3}, float64), "tensor float64 {1}\n 0.33333333")
    assert(tide.get_print().precision == 8 and tide.get_print().threshold == 1000)
    tide.set_print{scientific = true}
    shows(tide.tensor({1 / 3}, float64), "tensor float64 {1}\n 3.33333333e-01")
    check.fails({"tide.set_print: precision must be an integer in 0..17", "got 1.5"}, tide.set_print,
      {edge = 2, precision = 1.5})
    assert(tide.get_print().edge == 3)
  end)
  with({scientific = false}, function()
    shows(tide.tensor({1e-9, 1e9}, float64), "tensor float64 {2}\n          0.0000  1000000000.0000")
  end)
  check.fails('did you mean "edge"', tide.set_print, {edges = 1})
  check.fails('width must be "auto" or an integer in 20..100000', tide.set_print, {width = "wide"})
  check.fails("threshold must be a number >= 0", tide.set_print, {threshold = 0 / 0})
  check.fails("options must be a table", tide.set_print, 8)
  tide.set_print{precision = 2, edge = 1}
  tide.set_print()
  for k, v in pairs(defaults) do assert(tide.get_print()[k] == v, k) end
end

tests["printing a tensor inside a recording adds nothing to it"] = function()
  local big = tide.ones{40, 50}
  local texts = {}
  local gradient = tide.grad(function(x)
    texts[1], texts[2] = tostring(big), tostring(x)
    return (x * x):sum()
  end)(tide.ones{3})
  assert(texts[1] == tostring(big) and texts[2] == "tensor float32 {3} (symbolic)" and gradient[1] == 2)
  local closed = tide.ones{1}
  closed:close()
  assert(tostring(closed) == "tensor (closed)")
end

tests["numbers at the prompt: those of float32 by their digits, others as Lua prints them"] = function()
  local x = tide.tensor{0.1, 1e-9, 1.23456789e-5, 3, 1 / 3, 16777216}
  local expected = {"0.1", "1e-09", "1.2345679e-05", "3.0", "0.33333334", "16777216.0"}
  for i, text in ipairs(expected) do
    assert(pretty.show(x[i]) == text, pretty.show(x[i]))
    assert(tide.tensor{tonumber(text)}[1] == x[i], "the digits do not give the number back")
  end
  for _, v in ipairs{0.1, 1 / 3, 1e300, 2 ^ 53, 2 ^ 100, 1e15, -0.0, 123456789.123, math.huge, 7,
    math.mininteger} do
    assert(pretty.show(v) == tostring(v), pretty.show(v))
  end
  assert(pretty.show({x[1], 2 ^ 53}) == "{0.1, 9.007199254741e+15}", pretty.show({x[1], 2 ^ 53}))
end

tests["print and tide.tostring show statistics, records, models and plain tables as the prompt does"] =
  function()
  local function f(_, y) return -y end
  local _, stats = tide.odeint(f, tide.ones{2}, {0, 1}, {method = "rk4", steps = 2})
  local text = "{accepted = 2, nfe = 8, nfe_backward = 0, rejected = 0, steps = 2}"
  assert(tostring(stats) == text and pretty.show(stats) == text, tostring(stats))
  assert(pretty.show{stats = stats} == "{stats = " .. text .. "}")
  local _, plain = tide.odeint(function(_, y) return {-y[1]} end, {1}, {0, 1}, {plain = true})
  local run = tide.compile(function(y) return select(2, tide.odeint(f, y, {0, 1})) end)
  assert(tostring(plain):find("nfe = ", 1, true) and tostring(run(tide.ones{2})):find("nfe = ", 1, true))
  local m = tide.nn.linear(2, 1)
  assert(tostring(m) == "nn.linear (3 values) {bias = tensor float32 {1}, weight = tensor float32 {1, 2}}")
  assert(pretty.show{m}:find("^{nn.linear {bias"), pretty.show{m})
  local history = tide.train{model = m, data = {x = tide.ones{2, 2}, y = tide.ones{2, 1}}, epochs = 1,
    optimizer = "adam", quiet = true}
  assert(tostring(history[1]):find("epoch = 1", 1, true), tostring(history[1]))
  local lines = {}
  for line in (tostring(history) .. "\n"):gmatch("(.-)\n") do lines[#lines + 1] = line end
  assert(#lines == 3 and lines[1]:find("iteration +epoch .*loss") and lines[3]:find("^ +1 +1 "), lines[3])
  assert(tostring(history.epoch) == "{1.0}", tostring(history.epoch))
  history = tide.train{model = m, data = {x = tide.ones{2, 2}, y = tide.ones{2, 1}}, epochs = 1,
    optimizer = "adam", quiet = true, keep_best = true}
  assert(tostring(history):find("\n  best: {iteration = 1, loss = ", 1, true), tostring(history))
  assert(not tostring(history):match("[^\n]+"):find("best", 1, true), tostring(history))
  for step in tide.ode.steps(function(_, y) return -y end, tide.ones{1}, {0, 1}) do
    assert(tostring(step):find("y = tensor float32 {1}", 1, true), tostring(step))
  end
  local falls = {events = {{g = function(_, y) return y[1] - 0.5 end, name = "half"}}}
  local steps = tide.ode.steps(f, tide.ones{1}, {0, 1}, falls)
  while steps() do end
  local _, seen = tide.odeint(f, tide.ones{1}, {0, 1}, falls)
  falls.plain = true
  local _, numbers = tide.odeint(function(_, y) return {-y[1]} end, {1}, {0, 1}, falls)
  for i, s in ipairs{steps.stats, seen, numbers} do
    assert(tostring(s):find("^{.*nfe = ") and tostring(s.events):find("^{%s*{.*name = \"half\"")
      and tostring(s.events[1]):find("^{.*name = \"half\""), i)
  end
  assert(tide.tostring{a = 1, m} == pretty.show{a = 1, m} and tide.tostring(nil) == "nil")
  local methods = tostring(tide.ode.methods())
  assert(methods:find("\n  bdf +multistep +1..6 ") and #methods:match("[^\n]+") < 110, methods)
end

tests["tables: lists fill lines, models say how many values, modules and functions say what they are"] =
  function()
  local list = {}
  for i = 1, 60 do list[i] = i end
  local text = pretty.show(list, 40)
  assert(text:find("{\n  1, 2, 3,", 1, true) and text:find("... 10 more", 1, true), text)
  for line in text:gmatch("[^\n]+") do assert(#line <= 41, line) end
  local records = {}
  for i = 1, 200 do records[i] = {epoch = i, loss = 1 / i} end
  text = pretty.show(records)
  assert(select(2, text:gsub("\n", "")) < 10 and text:find("... 194 more", 1, true)
    and text:find("epoch = 200", 1, true), text)
  local model = tide.nn.mlp{sizes = {2, 3, 1}}
  text = pretty.show(model)
  assert(text:find("^nn.mlp %(13 values%) {") and text:find("weight = tensor float32 {3, 2}", 1, true), text)
  require "tide.help"
  assert(pretty.show(tide.csv):find("^module csv: writer, write, read, parse, table; help%(tide.csv%)"),
    pretty.show(tide.csv))
  assert(pretty.show(tide.seed) == "function tide.seed(n)", pretty.show(tide.seed))
  assert(pretty.show({f = function(a, ...) return a, ... end, g = print}) == "{f = function(a, ...), g = "
    .. "function}")
  assert(pretty.show(function() end):find("^function%(%), defined at .*test_print.lua:%d+$"))
end

-- What print shows of it; no address is of use to anybody.
local function told(what, v)
  local text = tostring(v)
  assert(not text:find("0x%x%x%x%x"), what .. ": " .. text)
  return text
end

tests["nothing that the library makes prints as an address: what examples return"] = function()
  local help, nn = require "tide.help", tide.nn
  local temporary <close> = require("tide.files").temporary_folder()
  local seed, block = tide.core.rng_state()
  local env = setmetatable({tide = tide, help = help.answer, folder = temporary.path, print = function() end,
    x = tide.randn({4, 2}, {seed = 1}), y = tide.randn({4, 2}, {seed = 2}), model = nn.linear(2, 2),
    loss = function(m, a, b) return tide.mse(m(a), b) end}, {__index = _G})
  env.data = {x = env.x, y = env.y}
  local shown, count = print, 0
  local quiet <close> = setmetatable({}, {__close = function() rawset(_G, "print", shown) end})
  rawset(_G, "print", function() end)
  for _, entry in ipairs(help.entries()) do
    local chunk = entry.example and entry.run ~= false and load("return " .. entry.example, "=x", "t", env)
    local results = chunk and table.pack(pcall(chunk)) or {false}
    for i = 2, results[1] and results.n or 0 do
      if debug.getmetatable(results[i]) and type(results[i]) ~= "string" then
        told(entry.name, results[i])
        count = count + 1
      end
    end
  end
  rawset(_G, "print", shown)
  tide.core.rng_state(seed, block)
  assert(quiet and count > 300, count)
end

tests["data sets, records, rules, what walks along a solve"] = function()
  local samples = tide.data.spheres{dim = 2, inner = 5, outer = 5}
  assert(told("data", samples) == "{x = tensor float32 {10, 2}, y = tensor float32 {10, 1}}")
  for _, name in ipairs{"flip1d", "sines", "three_spheres", "landscape", "moons", "pendulum"} do
    told(name, tide.data[name]{n = 12})
  end
  local part, rest = tide.data.split({x = tide.ones{4, 1}}, 0.5)
  assert(told("split", part) == "{x = tensor float32 {2, 1}}" and told("split", rest))
  local model = tide.nn.odenet{dim = 2, out = 2, time = false, solver = {method = "euler", steps = 4}}
  local x = tide.randn({6, 2}, {seed = 1})
  told("memory", tide.memory())
  local labelled = {x = x, y = tide.ones({6}, {dtype = "int64"})}
  told("evaluate", tide.evaluate(model, labelled, {loss = "cross_entropy"}))
  for _, rule in ipairs{"published", "stated", "steady", "pairs"} do
    local adaption = tide.step_adaption.new{model = model, x = x, rule = rule}
    assert(told(rule, adaption):find("^adaption: step rule {") and told(rule, adaption.rule))
  end
  told("tolerances", tide.tolerance_adaption.rule("published", {}))
  assert(told("plateau", tide.optim.schedule.plateau()):find('by = "val_loss"', 1, true))
  local steps = tide.ode.steps(function(_, y) return -y end, x, {0, 1})
  assert(told("steps", steps):find("t = 0 to 1, 0 so far") and told("step", steps()))
  told("a row of the methods", tide.ode.methods()[1])
  assert(told("coefficients", tide.theory.coefficients("euler")):find("b = {1.0}", 1, true))
end

return tests
