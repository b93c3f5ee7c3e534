-- The parts of the prompt that need no terminal: what a line means, completion, printing, history, help, the
-- command line.

local complete = require "tide.complete"
local help = require "tide.help"
local main = require "tide.main"
local pretty = require "tide.pretty"
local repl = require "tide.repl"

local tests = {}

local function equal(got, expected, what)
  if got ~= expected then
    error(("%s: expected %s, got %s"):format(what or "value", tostring(expected), tostring(got)), 2)
  end
end

local function kind(text)
  local chunk, k = repl.compile(text, {})
  return chunk and k or k
end

tests["lines are expressions first, then statements"] = function()
  equal(kind("1 + 1"), "values")
  equal(kind("=1 + 1"), "values")
  equal(kind("f(x), g"), "values")
  equal(kind("x = 1"), "statements")
  equal(kind("return 5"), "statements")
  equal(kind("local x = 1"), "statements")
end

tests["a semicolon at the end asks for silence, in a comment it does not"] = function()
  equal(kind("x;"), "quiet")
  equal(kind("x ;  "), "quiet")
  equal(kind("x -- note;"), "values")
  equal(kind("'a;'"), "values")
end

tests["incomplete chunks are told from wrong ones"] = function()
  for _, text in ipairs{"for i = 1, 3 do", "x = ", "f(", "x +", "{1,", "[[text", "--[[ note",
    "function f()\n", "if a then\nb()"} do
    equal(kind(text), "incomplete", text)
  end
  for _, text in ipairs{"x = = 2", "end", "'abc", "1 + * 2", "for i = 1 do"} do
    equal(kind(text), "error", text)
  end
end

tests["statements with an expression behind them show its value"] = function()
  local env = {print = function() end}
  local function value(text)
    local chunk, k = repl.compile(text, env)
    equal(k, "values", text)
    return chunk(function() end)
  end
  equal(value("x = 3; x"), 3)
  equal(value("x = 4; y = 5; x + y"), 9)
  equal(value("local z = 6; z * 2"), 12)
  equal(value("for i = 1, 3 do x = i end\nx"), 3)
  equal(value("s = 'a;b'; s"), "a;b")
  equal(kind("x = 3; y"), "values")
  equal(kind("x = 3; y = "), "incomplete")
  equal(kind("for i = 1, 3 do x = i; x"), "incomplete")
  equal(kind("f(1; 2"), "error")
  equal(kind("x = 3; y ="), "incomplete")
  equal(kind("x = 1;"), "statements")
end

tests["a name that is nil: what it may have been meant to be"] = function()
  local hint = require "tide.prompt.hint"
  local function says(message, expected) equal(hint.of(message, {mine = 1}), expected, message) end
  says("a.lua:1: attempt to call a nil value (field 'zero')", "  (zero is nil; did you mean tide.zeros?)")
  says("attempt to call a nil value (field 'Linear')", "  (Linear is nil; did you mean tide.nn.linear?)")
  says("attempt to call a nil value (field 'mpl')", "  (mpl is nil; did you mean tide.mul or tide.nn.mlp?)")
  says("attempt to call a nil value (method 'reshap')", "  (reshap is nil; did you mean x:reshape?)")
  says("attempt to call a nil value (method 'view')", '  (view is nil; help "view" says what there is)')
  says("attempt to index a nil value (global 'nn')", "  (nn is nil; did you mean tide.nn?)")
  says("attempt to index a nil value (field 'optimm')", "  (optimm is nil; did you mean tide.optim?)")
  for _, what in ipairs{"field 'integer index'", "field '?'", "local 'k'"} do
    local text = hint.of(("attempt to index a number value (%s)"):format(what), {})
    assert(text:find("x:select(1, i)", 1, true), text)
  end
  says("attempt to index a nil value (field 'T')", "  (T is nil; here it is x:transpose())")
  says("attempt to call a nil value (method 'add_')",
    "  (add_ is nil; in place there are x:copy_(y) and x[i] = y)")
  says("bad argument #1 to 'sin' (number expected, got tide.Tensor)",
    "  (math.sin takes numbers; tide.sin takes tensors)")
  says("bad argument #2 to 'max' (number expected, got tide.Tensor)",
    "  (math.max takes numbers; tide.maximum takes tensors)")
  for source, words in pairs{["x:mean(dim = 1)"] = "f(x, {name = value})", ["y = x[1, 2]"] = "x[1][2]",
    ["y = x[:, 1]"] = "x:slice", ["y = x @ x"] = "x:matmul(y)", ["x += 1"] = "x = x + y",
    ["if x != y then end"] = "not equal is ~="} do
    local _, message = load(source)
    assert(hint.of(message, {}):find(words, 1, true), message)
  end
  for _, message in ipairs{"anything", "bad argument #1 to 'rep' (string expected, got tide.Tensor)",
    "attempt to call a nil value (field 'flotilla')",
    "attempt to call a nil value (local 'f')", "attempt to call a nil value (global 'mine')"} do
    says(message, nil)
  end
end

tests["history entries survive on one line"] = function()
  for _, text in ipairs{"x = 1", "for i = 1, 2 do\n  print(i)\nend", [[print("a\n\\b")]],
    "\\", "a\\nb", "\r\n", "\\\n\\"} do
    local line = repl.escape(text)
    assert(not line:find("[\r\n]"), "a newline is left in " .. line)
    equal(repl.unescape(line), text)
  end
end

tests["values are printed nested, sorted and bounded"] = function()
  equal(pretty.show("text"), "text")
  equal(pretty.show(0.5), "0.5")
  equal(pretty.show(0 / 0), "nan") -- the sign of the C library's "-nan" says nothing
  equal(pretty.show({-(0 / 0)}), "{nan}")
  equal(pretty.show({}), "{}")
  equal(pretty.show({1, 2, b = "x", a = {true}}), '{1, 2, a = {true}, b = "x"}')
  equal(pretty.show({[2.5] = 1, ["a b"] = 2, [10] = 3}), '{[2.5] = 1, [10] = 3, ["a b"] = 2}')
  equal(pretty.show({"line\n\ttab"}), '{"line\\n\\ttab"}')
  local deep = {}
  for _ = 1, 20 do deep = {deep} end
  assert(pretty.show(deep):find("{...}", 1, true))
  local long = {}
  for i = 1, 10000 do long[i] = i end
  local text = pretty.show(long)
  assert(#text < 1000 and text:find("... 9950 more", 1, true), text)
  for _, line in ipairs{pretty.show({("x"):rep(60), ("y"):rep(60)}):match("^({)\n  ")} do equal(line, "{") end
end

tests["cycles, metatables and failing __tostring are harmless when printed"] = function()
  local t = {}
  t.self = t
  equal(pretty.show(t), "{self = <cycle>}")
  local shared = {1}
  equal(pretty.show({shared, shared}), "{{1}, {1}}")
  local function bomb() error("called") end
  local guarded = setmetatable({1}, {__index = bomb, __pairs = bomb, __len = bomb, __name = "model"})
  equal(pretty.show(guarded), "model {1}")
  equal(pretty.show(setmetatable({}, {__tostring = function() return "me" end})), "me")
  assert(pretty.show({setmetatable({}, {__tostring = bomb})}):find("__tostring failed", 1, true))
  equal(pretty.show({setmetatable({}, {__metatable = "locked"})}), "{{}}")
end

local env = {
  alpha = 1, alphabet = 2, string = string,
  model = {layers = {{weight = 1, bias = 2}}, fit = function() end, _hidden = 1},
}

local function candidates(line) return table.concat(select(2, complete.find(line, env)), " ") end

tests["completion of globals, fields, methods and keywords"] = function()
  equal(candidates("print(alp"), "alpha alphabet")
  equal(candidates("x = wh"), "while")
  equal(candidates("model."), "fit( layers")
  equal(candidates("model._"), "_hidden")
  equal(candidates("model:"), "fit(")
  equal(candidates("model.layers[1].w"), "weight")
  equal(candidates("model['layers'][1].b"), "bias")
  equal(candidates("a .. alp"), "alpha alphabet")
  equal(candidates("a..alp"), "alpha alphabet")
  equal(candidates("string.rep"), "rep(")
  equal(candidates("nothing.x"), "")
  equal(candidates("f().x"), "")
  equal(candidates("-- alp"), "")
end

tests["completion follows __index tables and methods, and calls nothing"] = function()
  local function bomb() error("called") end
  local base = {forward = function() end}
  local class = setmetatable({step = function() end}, {__index = base})
  env.object = setmetatable({}, {__index = class})
  equal(candidates("object:"), "forward( step(")
  env.strict = setmetatable({here = 1}, {__index = bomb, __pairs = bomb})
  equal(candidates("strict."), "here")
  equal(candidates("strict.missing."), "")
  env.published = setmetatable({}, {__index = bomb, methods = {sum = function() end}})
  equal(candidates("published:s"), "sum(")
  env.text = "abc"
  assert(candidates("text:up") == "upper(")
  local loop = {}
  setmetatable(loop, {__index = setmetatable({}, {__index = loop})})
  env.loop = loop
  equal(candidates("loop.x"), "")
end

tests["completion shows the methods that help knows, of objects of ours; all of others"] = function()
  local tide = require "tide"
  env.fig, env.meter = tide.plot.line{y = {1, 2}}, tide.progress.new{quiet = true}
  equal(candidates("fig:add"), "add(")
  equal(candidates("fig.o"), "options")
  equal(candidates("fig:o"), "")
  assert(not candidates("meter:"):find("plain", 1, true) and candidates("meter:"):find("update(", 1, true))
  env.other = setmetatable({}, {__name = "Figure", __index = {add = print, one_panel = function() end}})
  equal(candidates("other:"), "add( one_panel(")
end

tests["completion inside strings: modules after require, else files"] = function()
  equal(candidates('require "tide.optio'), 'tide.options"')
  equal(candidates("require('tide.optio"), "tide.options'")
  assert(candidates('require "tide.').find and candidates('require "tide.'):find("tide.repl", 1, true))
  local core = require "tide.core"
  local folder = assert(core.mkdtemp())
  assert(core.mkdir(folder .. "/sub"))
  equal(candidates(("open('%s/s"):format(folder)), folder .. "/sub/")
  core.remove(folder .. "/sub")
  core.remove(folder)
end

tests["TAB inserts what is common, then lists"] = function()
  local insert, listing = complete.tab("alp", env, 80)
  equal(insert, "ha")
  equal(listing, nil)
  insert, listing = complete.tab("alpha", env, 80)
  equal(insert, nil)
  equal(listing, "alpha     alphabet")
  equal(complete.tab("  ", env, 80), "  ")
  equal(complete.tab("x = ", env, 80), "  ")
  equal(complete.tab("zzz", env, 80), nil)
end

tests["columns fill downwards and fit the width"] = function()
  equal(complete.columns({"a", "b", "c", "d", "e"}, 7), "a  d\nb  e\nc")
  local names = {}
  for i = 1, 500 do names[i] = "name" .. i end
  assert(complete.columns(names, 80):find("... 300 more", 1, true))
end

tests["help finds names, methods, topics, and suggests"] = function()
  equal(help.find("odeint").name, "tide.odeint")
  equal(help.find("x:sum").name, "tide.sum")
  equal(help.find("tide.nn.linear").name, "nn.linear")
  equal(help.find("x:reshape").name, "tensor:reshape")
  equal(help.find("no such thing"), nil)
  assert(help.answer("odeitn"):find('did you mean "odeint"', 1, true))
  assert(help.answer("solving"):find("initial_step", 1, true))
  assert(help.answer():find("tide.zeros", 1, true))
  local signature = help.text(help.find("tide.mean"))
  assert(signature:find("tide.mean(x, axis, keepdim) -> tensor\nx:mean(axis, keepdim)", 1, true), signature)
end

tests["every entry is complete, and every name stands once"] = function()
  local seen = {}
  for _, entry in ipairs(help.entries()) do
    assert(not seen[entry.name], "defined twice: " .. entry.name)
    seen[entry.name] = true
    assert(#entry.text > 5 and entry.topic ~= "Other", entry.name)
    if entry.example then
      assert(load(entry.example) or load("return " .. entry.example), "example of " .. entry.name)
    end
  end
end

tests["the command line"] = function()
  local p = main.parse{[0] = "tide", "-e", "x=1", "-lm", "s.lua", "-e"}
  equal(p.script, 4)
  equal(p.actions[1].value, "x=1")
  equal(p.actions[2].kind .. p.actions[2].value, "modulem")
  equal(main.parse{[0] = "tide", "--", "-x"}.script, 2)
  equal(main.parse{[0] = "tide", "-i", "-"}.script, 2)
  local none, message = main.parse{[0] = "tide", "--vresion"}
  equal(none, nil)
  assert(message:find('did you mean "--version"', 1, true), message)
  assert(select(2, main.parse{[0] = "tide", "-e"}):find("needs a value", 1, true))
end

tests["a line of the history that does not fit on the disk leaves no half of it"] = function()
  local check = require "check"
  check.in_folder(function(folder, write)
    write("append.lua", [[
      local core, lengths = require("tide.core"), {}
      for i = 1, 20 do
        local kept, message = core.append_private(arg[1], ("%d"):format(i % 10):rep(30 * i) .. "\n")
        lengths[i] = kept and 30 * i or message
      end
      for i = 1, 20 do print(lengths[i]) end]])
    local history = folder .. "/history"
    local pipe = assert(io.popen(("ulimit -f 2; ./tide %s/append.lua %s"):format(folder, history)))
    local kept, refused = {}, 0
    for line in pipe:lines() do
      kept[#kept + 1] = math.tointeger(line)
      refused = refused + (line:find(history, 1, true) and 1 or 0)
    end
    pipe:close()
    assert(#kept > 3 and refused > 0 and #kept + refused == 20)
    local text = require("tide.files").read(history)
    for line in text:gmatch("(.-)\n") do equal(#line, table.remove(kept, 1)) end
    equal(#kept, 0)
    equal(text:sub(-1), "\n")
  end)
end

tests["the operating system: expected failures return nil and a message"] = function()
  local core = require "tide.core"
  local folder = assert(core.mkdtemp())
  assert(core.mkdir(folder .. "/a/b") and core.mkdir(folder .. "/a/b/"))
  assert(core.append_private(folder .. "/f", "one") and core.append_private(folder .. "/f", "two"))
  equal(io.open(folder .. "/f"):read("a"), "onetwo")
  local names = core.listdir(folder)
  table.sort(names)
  equal(table.concat(names, " "), "a f")
  equal(core.exists(folder), "directory")
  equal(core.exists(folder .. "/f"), "file")
  equal(core.exists(folder .. "/nothing"), false)
  assert(core.rename(folder .. "/f", folder .. "/g"))
  equal(core.realpath(folder .. "/a/../g"), core.realpath(folder) .. "/g")
  for _, call in ipairs{
    {core.mkdir, folder .. "/g"}, {core.mkdir, "/proc/no/such"}, {core.listdir, folder .. "/none"},
    {core.remove, folder .. "/none"}, {core.realpath, folder .. "/none"},
    {core.rename, folder .. "/none", folder .. "/x"},
    {core.tempname, folder .. "/none"},
  } do
    local result, message = call[1](call[2], call[3])
    assert(result == nil and type(message) == "string" and #message > 5)
  end
  for _, name in ipairs{"/g", "/a/b", "/a", ""} do assert(core.remove(folder .. name)) end
  local before = core.monotonic()
  core.sleep(0.02)
  assert(core.monotonic() - before >= 0.02)
  assert(not pcall(core.sleep, -1) and not pcall(core.sleep, 0 / 0))
  assert(core.cpu_count() >= 1 and core.getpid() > 1 and core.terminal_width() > 0
    and core.isatty(-1) == false)
end

tests["coroutines behave the same while Ctrl-C is handled"] = function()
  local core = require "tide.core"
  local function trial()
    local log = {}
    local function note(...)
      for i = 1, select("#", ...) do log[#log + 1] = tostring((select(i, ...))):gsub("0x%x+", "") end
    end
    local co = coroutine.create(function(...)
      note(coroutine.yield(...))
      error({})
    end)
    note(coroutine.resume(co, 1, nil, 3))
    note(coroutine.resume(co, "back"))
    note(coroutine.resume(co))
    note(coroutine.resume(coroutine.running()))
    note(pcall(coroutine.resume, 1))
    note(pcall(coroutine.wrap(function() error("inside") end)))
    local closing = coroutine.wrap(function()
      local _ <close> = setmetatable({}, {__close = function(_, err) note("closed", err) end})
      coroutine.yield(1)
      error("late")
    end)
    note(closing())
    note(pcall(closing))
    note(pcall(closing))
    for k in coroutine.wrap(function() for i = 1, 3 do coroutine.yield(i) end end) do note(k) end
    return table.concat(log, " ")
  end
  local before = core.on_interrupt(true)
  local with = trial()
  core.on_interrupt(false)
  local without = trial()
  core.on_interrupt(before)
  equal(with, without)
end

return tests
