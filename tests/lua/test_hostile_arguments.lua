--- Every function with an example, called as there but for one argument, one entry or one option that is
-- something else. What comes is an answer or an error in the words of the function: never one of Lua's own
-- ("attempt to index a nil value") out of the library, and no endless loop.

local tide = require "tide"
local check = require "check"
local help = require "tide.help"

local tests = {}

local cyclic, deep = {}, {}
cyclic[1] = cyclic
do
  local t = deep
  for _ = 1, 300 do t[1] = {} t = t[1] end
end
local closed = tide.ones{2}
closed:close()
local hostile = {
  {"nil"}, {"true", true}, {"text", "1e9"}, {"a function", function() end}, {"a file", io.stdout},
  {"a thread", coroutine.create(math.type)}, {"a cycle", cyclic}, {"a deep table", deep}, {"{}", {}},
  {"nan", 0 / 0}, {"-1", -1}, {"1.5", 1.5}, {"2^53 + 1", 2 ^ 53 + 1}, {"mininteger", math.mininteger},
  {"numbers", {1, nil, 3}}, {"a closed tensor", closed}, {"no numbers", tide.zeros{0}},
  {"integers", tide.tensor({1, 2}, {dtype = "int64"})},
}
local words = {"attempt to ", "bad argument #", "stack overflow", "invalid value", "has no integer",
  "without an end", "index is NaN"}

-- Those that would write, run programs or end this one, and those that work long with what they get.
local left_out = {}
for name in ([[tide.train tide.threads sweep.run ode.validity ode.counted ode.solution ode.steps
    jobs.run experiment.parse experiment.draw experiment.folder experiment.provenance plot.main
    plot.figures nn.save tide.save csv.write csv.writer]]):gmatch("%S+") do left_out[name] = true end

local function copy(t)
  local out = {}
  for k, v in pairs(t) do out[k] = v end
  return setmetatable(out, getmetatable(t))
end
local function is_plain(v) return type(v) == "table" and getmetatable(v) == nil end

-- Put `wrap(name, f)` in the place of every function that has an entry; returns what puts them back.
local function replace_functions(wrap)
  local undo = {}
  for _, entry in ipairs(help.entries()) do
    local module, key = entry.name:match("^([%w_.]+)[.:]([%w_]+)$")
    local t = module == "tensor" and tide.core.methods or module == "tide" and tide or module and tide
    for part in (t == tide and module ~= "tide" and module or ""):gmatch("[^.]+") do
      t = type(t) == "table" and t[part] or nil
    end
    local f = type(t) == "table" and rawget(t, key)
    if type(f) == "function" and not left_out[entry.name] then
      undo[#undo + 1] = function() t[key] = f end
      t[key] = wrap(entry.name, f)
    end
  end
  return function() for i = #undo, 1, -1 do undo[i]() end end
end

-- {{name, function, arguments}, ...}: the first call of each function in an example.
local function calls_of_examples(folder)
  local calls, known, inside = {}, {}, false
  local restore = replace_functions(function(name, f)
    return function(...)
      if inside then return f(...) end
      if not known[name] then
        local arguments = table.pack(...)
        for i = 1, arguments.n do if is_plain(arguments[i]) then arguments[i] = copy(arguments[i]) end end
        known[name], calls[#calls + 1] = true, {name, f, arguments}
      end
      inside = true
      local results = table.pack(pcall(f, ...))
      inside = false
      if not results[1] then error(results[2], 0) end
      return table.unpack(results, 2, results.n)
    end
  end)
  for _, entry in ipairs(help.entries()) do
    if entry.example and entry.run ~= false and not left_out[entry.name] then
      local env = setmetatable({tide = tide, help = help.answer, folder = folder, print = function() end,
        x = tide.randn({4, 2}, {seed = 1}), y = tide.randn({4, 2}, {seed = 2}),
        model = tide.nn.linear(2, 2, {seed = 3})}, {__index = _G})
      env.data, env.loss = {x = env.x, y = env.y}, function(m, a, b) return tide.mse(m(a), b) end
      local chunk = load("return " .. entry.example, "=example", "t", env) or load(entry.example, "=example",
        "t", env)
      inside = false
      pcall(chunk)
    end
  end
  restore()
  return calls
end

-- What is wrong with the outcome of f(...), or nil.
local function judged(f, arguments)
  debug.sethook(function() error("a loop without an end") end, "", 20000000)
  local ok, message = pcall(f, table.unpack(arguments, 1, arguments.n))
  debug.sethook()
  if ok then return nil end
  message = tostring(message)
  if message:find("^example:") then return nil end -- a function of the example's, which got it
  for _, word in ipairs(words) do if message:find(word, 1, true) then return message end end
end

tests["a wrong argument is an error in the words of the function"] = function()
  local shown, problems, tried = print, {}, 0
  check.in_folder(function(folder)
    rawset(_G, "print", function() end)
    local calls = calls_of_examples(folder)
    for _, call in ipairs(calls) do
      local name, f, given = table.unpack(call)
      local function try(what, arguments)
        tried = tried + 1
        local wrong = judged(f, arguments)
        if wrong then problems[#problems + 1] = ("%s, %s: %s"):format(name, what, wrong:match("^[^\n]*")) end
      end
      for i = 1, given.n do
        for _, h in ipairs(hostile) do
          local arguments = copy(given)
          arguments[i] = h[2]
          try(("argument %d is %s"):format(i, h[1]), arguments)
          for key in pairs(is_plain(given[i]) and given[i] or {}) do
            arguments[i] = copy(given[i])
            arguments[i][key] = h[2]
            try(("%s of argument %d is %s"):format(key, i, h[1]), arguments)
          end
        end
      end
    end
    rawset(_G, "print", shown)
  end)
  rawset(_G, "print", shown)
  assert(tried > 5000, tried)
  assert(#problems == 0, ("%d of %d:\n%s"):format(#problems, tried, table.concat(problems, "\n", 1,
    math.min(#problems, 20))))
end

return tests
