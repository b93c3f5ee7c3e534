--- Hostile calls of everything that a script can reach: every function of tide, its modules, tide.core and
-- every method, with arguments that fit and arguments that do not, results fed back. `tide tests/fuzz/api.lua
-- [seed [calls]]`; under a sanitizer a crash is a report. An error is a fine answer, a crash, a loop or
-- growing memory is not. Prints the last call before a crash with VERBOSE=1.

local tide = require "tide"
local core = tide.core

local seed, calls = math.tointeger(tonumber(arg[1] or 1)), math.tointeger(tonumber(arg[2] or 20000))
math.randomseed(seed)
local verbose = os.getenv("VERBOSE")

-- What would end or change the process, write where it likes, or wait.
local skip = {}
for name in ([[
    library_root memory_fail_after calls_inject sleep threads ask_key input_waits on_interrupt hold_interrupts
    at_prompt interrupt editor rename remove append_private mkdir tempname file_writer save write writer
    core.raise read_file run draw folder report clock temporary_folder mkdtemp run_process spawn
    process]]):gmatch("%S+") do skip[name] = true end

local functions, seen = {}, {}
local function collect(prefix, t)
  local names = {}
  for name, f in pairs(t) do
    if type(name) == "string" and type(f) == "function" and not skip[name] and not seen[f] then
      names[#names + 1] = name
    end
  end
  table.sort(names)
  for _, name in ipairs(names) do
    seen[t[name]] = true
    functions[#functions + 1] = {prefix .. name, t[name]}
  end
end
collect("tensor:", core.methods)
collect("tide.", tide)
collect("core.", core)
for _, module in ipairs{"nn", "optim", "ode", "tree", "csv", "crossing", "progress", "step_adaption",
  "tolerance_adaption"} do
  local ok, m = pcall(function() return tide[module] or require("tide." .. module) end)
  if ok and type(m) == "table" then collect(module .. ".", m) end
end
for name, f in pairs(debug.getmetatable(tide.ones{1})) do
  if type(f) == "function" and name ~= "__gc" and name ~= "__close" then
    functions[#functions + 1] = {name, f}
  end
end
table.sort(functions, function(a, b) return a[1] < b[1] end)

local ops = {"alias", "stop_gradient", "reshape", "permute", "broadcast", "slice", "copy", "cast", "embed",
  "cat", "take", "take_grad", "one_hot",
  "where", "sum", "max", "min", "argmax", "argmin", "matmul", "conv", "conv_dx", "conv_dw", "conv_matrix",
  "conv_matrix_grad", "layer", "conv_layer",
  "custom", "input", "literal", "constant", "random", "add", "pow", "eq", "exp"}

local function pick(list) return list[math.random(#list)] end

local closed = tide.ones{2}
closed:close()
local deep, cyclic = {}, {}
do
  local t = deep
  for _ = 1, 300 do t[1] = {} t = t[1] end
end
cyclic[1], cyclic.x = cyclic, cyclic
local hostile = setmetatable({}, {__index = function() error("index") end, __len = function()
  error("length")
end})
-- Sizes are small or absurd: what lies between may be asked for in earnest.
local numbers = {0, 1, 2, 3, -1, -2, 5, 64, 0.5, 1.5, -0.0, 0 / 0, math.huge, -math.huge, 2 ^ 31, 2 ^ 53,
  2 ^ 53 + 1, 2 ^ 63, 1e308, 5e-324, -1e308,
  1 << 31, 1 << 32, 1 << 40, 1 << 53, 1 << 62, math.maxinteger, math.mininteger}
local words = {"", "x", "1e9", "float32", "float64", "int64", "uint8", "sum", "relu", "dopri5", "euler",
  "normal", "uniform", "direct", "adjoint",
  "checkpoint", ("x"):rep(5000), "a\0b", "%s%n", "f\xff"}
local keys = {"dtype", "seed", "stride", "padding", "dilation", "groups", "method", "steps", "step_size",
  "rtol", "atol", "max_steps", "gradient",
  "sizes", "act", "time", "dim", "hidden", "out", "lr", "momentum", "betas", "eps", "weight_decay",
  "tolerance", "solver", "init", "checkpoint_steps",
  "first_step", "eager", "plain", "norm", "image", "filters", "keepdim", 1, 2, "n"}
local functions_of_user = {
  function(x) return x end, function(x) return x:sum() end, function(_, y) return y end, function(_, y)
    return -y * y
  end,
  function(x) x:close() return x end, function() error({}) end, function() error() end, function()
    return coroutine.yield()
  end,
  function() end, function(x) return tide.grad(function(p) return (p * p):sum() end)(x):sum() end, math.type,
  print == nil and error or tostring,
  function(x) return x:matmul(x):tanh():sum() end, function(x) return {x, x} end,
}
local dtypes = {"float32", "float64", "int64", "uint8"}
local pool = {}

local function shape(rank)
  local s = {}
  for i = 1, rank or math.random(0, 4) do s[i] = pick{0, 1, 1, 2, 2, 3, 4, 5} end
  return s
end

local value
local function tensor()
  local kind = math.random(8)
  if kind == 1 and #pool > 0 then return pick(pool) end
  local s, dtype = shape(), pick(dtypes)
  local x = tide.rand(s, {dtype = "float64", seed = math.random(100)}) * 4 - 1
  x = x:to(dtype)
  if kind == 2 and #s > 1 then x = x:transpose(1, -1) end
  if kind == 3 and #s > 0 and s[1] > 1 then x = x:slice(1, -1, 1, -1) end
  if kind == 4 then x = x:broadcast_to(table.move(s, 1, #s, 2, {3})) end
  if kind == 5 then return tide.tensor({1, 2, 3, 1}, {dtype = "int64"}) end
  return x
end

local function list(n, of)
  local t = {}
  for i = 1, n do t[i] = of() end
  return t
end

local function options_table()
  local t = {}
  for _ = 1, math.random(0, 3) do t[pick(keys)] = value() end
  return t
end

function value()
  local kind = math.random(20)
  if kind <= 7 then return tensor() end
  if kind <= 10 then return pick(numbers) end
  if kind <= 12 then return list(math.random(0, 4), function() return pick(numbers) end) end
  if kind == 13 then return shape() end
  if kind == 14 then return pick(words) end
  if kind == 15 then return pick(functions_of_user) end
  if kind == 16 then return options_table() end
  if kind == 17 then return list(math.random(0, 3), tensor) end
  if kind == 18 and #pool > 0 then return pick(pool) end
  if kind == 19 then return {a = tensor(), b = {tensor(), tensor()}} end
  return pick{true, false, closed, deep, cyclic, hostile, io.stdout, coroutine.create(math.type), math.type,
    core, {}, {n = 1}, {1, nil, 3}}
end

local function describe(v)
  return type(v) == "number" and tostring(v) or type(v) == "string" and ("%q"):format(v):sub(1, 40) or type(v)
end

local function attempt(name, f, ...)
  if verbose then
    local texts = {}
    for i = 1, select("#", ...) do texts[i] = describe((select(i, ...))) end
    io.stderr:write(name, "(", table.concat(texts, ", "), ")\n")
  end
  local start = core.monotonic()
  debug.sethook(function() error("a loop in Lua without an end: " .. name) end, "", 50000000)
  local results = table.pack(pcall(f, ...))
  debug.sethook()
  if not results[1] and tostring(results[2]):find("without an end", 1, true) then
    io.stderr:write("slow: ", name, "\n")
  end
  local seconds = core.monotonic() - start
  if seconds > 5 then io.stderr:write(("slow: %s took %.1f s\n"):format(name, seconds)) end
  for i = 2, results[1] and math.min(results.n, 4) or 0 do
    local r = results[i]
    local small = core.methods and type(r) == "userdata" and pcall(function() assert(r:numel() <= 4096) end)
    if small or type(r) == "function" or type(r) == "table" and r ~= core and r ~= core.methods then
      pool[#pool % 40 + 1] = r
    end
  end
  if #pool == 40 then pool[math.random(40)] = pool[40] pool[40] = nil end
  return results[1]
end

local standard_print, answered, collected = print, 0, 0
print = function() end -- luacheck: ignore
local real_write = io.write
io.write = function() return io.stdout end -- luacheck: ignore
for i = 1, calls do
  local good
  if math.random(4) == 1 then
    local attrs = list(math.random(0, 13), function()
      return math.random(3) == 1 and pick(numbers) or math.random(-1, 4)
    end)
    good = attempt("core.apply", core.apply, pick(ops), attrs, table.unpack(list(math.random(1, 3), tensor)))
  elseif math.random(12) == 1 and #pool > 0 and type(pool[1]) == "function" then
    good = attempt("a result", pool[1], value(), value())
  else
    local entry = pick(functions)
    local arguments = list(math.random(0, 4), value)
    if math.random(2) == 1 then arguments[1] = tensor() end
    good = attempt(entry[1], entry[2], table.unpack(arguments, 1, 4))
  end
  if good then answered = answered + 1 end
  if core.is_recording() then error("call " .. i .. " left a recording open") end
  if i % 500 == 0 then
    collectgarbage()
    if core.memory().live_bytes > 256 << 20 then
      pool = {} collected = collected + 1 collectgarbage() collectgarbage()
    end
    if core.memory().live_bytes > 512 << 20 then error("call " .. i .. ": memory is not given back") end
  end
end
print, io.write = standard_print, real_write -- luacheck: ignore
pool = nil -- luacheck: ignore
collectgarbage()
print(("%d functions, %d calls, %d of them answered without an error; %d bytes live at the end"):format(
  #functions, calls, answered,
  core.memory().live_bytes))
print("1 passed, 0 failed")
