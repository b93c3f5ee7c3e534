--- Misuse of odeint: hostile arguments, hostile callbacks, fields that blow up; every failure is a clear
-- error and the library goes on working.

local check = require "check"
local tide = require "tide"

local tests = {}

local function f64(x) return tide.tensor(x, {dtype = "float64"}) end
local function decay(_, y) return -y end
local function plain_decay(_, y) return {-y[1]} end

local function message_of(...)
  local ok, message = pcall(...)
  assert(not ok, "expected an error")
  return message
end
local function raises(patterns, ...)
  local message = tostring(message_of(...))
  for _, p in ipairs(type(patterns) == "table" and patterns or {patterns}) do
    assert(message:find(p), ("expected %q in %q"):format(p, message))
  end
  return message
end
local function works()
  local ys = tide.odeint(decay, f64{1}, {0, 1}, {rtol = 1e-8, atol = 1e-8})
  assert(math.abs(ys[2]:totable()[1] - math.exp(-1)) < 1e-7, "the solver is broken afterwards")
end

local evil_index = setmetatable({}, {__index = function() error "evil index" end, __len = function()
  return 3
end})
local cyclic = {}
cyclic[1] = cyclic
local deep = {}
for _ = 1, 300 do deep = {deep} end
local hostile = {true, "1e9", 42, function() end, coroutine.create(function() end), io.stdout, evil_index,
  cyclic, deep, {}, {{}}, {"x"}, {0 / 0}}

tests["hostile values for f, y0, t and options are errors that name odeint"] = function()
  for i, v in ipairs(hostile) do
    if type(v) ~= "function" then raises("odeint", tide.odeint, v, f64{1}, {0, 1}) end
    for _, opts in ipairs{{}, {eager = true}, {plain = true}} do
      local ok, message = pcall(tide.odeint, decay, v, {0, 1}, opts)
      message = not ok and tostring(message)
      local empty = opts.plain and type(v) == "table" and rawlen(v) == 0 -- a state of no numbers is valid
      assert(not ok or empty, "y0 " .. i)
      assert(ok or (message:find "odeint" or message:find "evil" or message:find "nested"
        or message:find "tensor"
        or message:find "number" or message:find "arithmetic"), message)
      ok, message = pcall(tide.odeint, decay, f64{1}, v, opts)
      assert(not ok, "t " .. i)
      assert(type(message) == "string" and (message:find "odeint" or message:find "evil"), message)
    end
    if type(v) ~= "table" then raises("options must be a table", tide.odeint, decay, f64{1}, {0, 1}, v) end
  end
  raises("t is a table or a 1%-D tensor of times; write {0, 1}", tide.odeint, decay, f64{1}, 0, 1)
  raises('got "rk4"; write {method = "rk4"}', tide.odeint, decay, f64{1}, {0, 1}, "rk4")
  raises("f must be a function", tide.odeint)
  raises("f must be a function", tide.odeint, nil, f64{1}, {0, 1})
  raises("y0 must be", tide.odeint, decay, nil, {0, 1})
  raises("t must be", tide.odeint, decay, f64{1})
  works()
end

tests["a recorder without a tape is no field"] = function()
  local odeint, given = tide.core.odeint, nil
  tide.core.odeint = function(...)
    given = table.pack(...)
    return odeint(...)
  end
  tide.odeint(decay, f64{1}, {0, 1})
  tide.core.odeint = odeint
  local nothing <close> = tide.core.tape_begin("nothing")
  raises("the tape is closed", odeint, nothing, f64{1}, f64{1}, table.unpack(given, 4, given.n))
end

tests["times"] = function()
  local function try(t, ...) raises({"odeint", ...}, tide.odeint, decay, f64{1}, t) end
  try({}, "two or more")
  try({0}, "two or more")
  try({0, 0}, "strictly", "t%[2%]")
  try({0, 1, 1}, "strictly", "t%[3%]")
  try({0, 1, 0.5}, "strictly", "t%[3%]")
  try({1, 0, 0.5}, "strictly")
  try({0, 0 / 0}, "t%[2%] must be a finite number")
  try({0, math.huge}, "t%[2%] must be a finite number")
  try({-math.huge, 0}, "t%[1%] must be a finite number")
  try({0, "1"}, "t%[2%]")
  try({0, {1}}, "t%[2%]")
  try({f64(0), f64(1)}, "t%[1%]")
  try(f64{{0, 1}}, "1%-D")
  try(f64(1), "1%-D")
  try(5, "table or a 1%-D tensor")
  try({-1.7e308, 1.7e308}, "too long")
  assert(#tide.odeint(decay, f64{1}, {1, 0, -2}) == 3)
  assert(#tide.odeint(decay, f64{1}, {0, 1, 2.5}) == 3)
  works()
end

tests["tolerances and other numbers"] = function()
  local function try(opts, ...)
    for _, more in ipairs{{}, {eager = true}} do
      local o = {}
      for k, v in pairs(opts) do o[k] = v end
      for k, v in pairs(more) do o[k] = v end
      raises({"odeint", ...}, tide.odeint, decay, f64{1}, {0, 1}, o)
    end
  end
  for _, name in ipairs{"rtol", "atol"} do
    for _, v in ipairs{-1e-3, 0 / 0, math.huge, -math.huge} do try({[name] = v}, name .. " must be") end
    for _, v in ipairs{"1e-3", {a = 1e-3}, true} do try({[name] = v}, name) end
  end
  try({rtol = -0.001}, "rtol must be >= 0", "%-0.001")
  try({rtol = 0, atol = 0}, "both 0")
  try({rtol = 1e-300, atol = 0}, "below what float64 can resolve")
  try({rtol = 1e-17}, "below what float64")
  raises("below what float32", tide.odeint, decay, tide.tensor{1}, {0, 1}, {rtol = 1e-9})
  for name, list in pairs{first_step = {0, -1, 0 / 0, math.huge, "x"},
    step_size = {0, -0.1, 0 / 0, math.huge, {}},
    steps = {0, -1, 2.5, 0 / 0, math.huge, "3"}, max_steps = {0, -1, 0.5, 0 / 0, math.huge},
    safety = {0, -1, 1.5, 0 / 0},
    min_factor = {0, 2, 0 / 0}, max_factor = {0.5, 0, math.huge, 0 / 0}, checkpoint_steps = {0, -1, 1.5},
    adjoint_rtol = {-1, 0 / 0}, reconstruction_limit = {0, -1, 0 / 0}} do
    for _, v in ipairs(list) do
      try({[name] = v, method = (name == "step_size" or name == "steps") and "rk4" or nil}, name)
    end
  end
  try({step_size = 0.1, steps = 3}, "not both")
  try({norm = "max"}, "norm", "part", "batch", "sample")
  try({controller = "pid"}, "controller", "PID")
  try({final = "x"}, "final")
  try({gradient = "backprop"}, "gradient", "direct")
  works()
end

tests["options that are tensors or functions, and no good ones"] = function()
  local function refused(opts, ...) raises({"odeint", ...}, tide.odeint, decay, f64{1}, {0, 1}, opts) end
  local closed = f64{1}
  closed:close()
  for _, name in ipairs{"rtol", "atol", "stops", "jumps"} do
    refused({[name] = closed}, name .. " is a tensor that is closed")
  end
  refused({stops = tide.ones{2, 2}}, "stops must be a list of finite numbers, got a tensor of rank 2")
  refused({rtol = f64{0 / 0}, method = "rk4", steps = 3}, "rtol must be finite and >= 0, got nan")
  for _, method in ipairs{"dopri5", "bdf"} do
    refused({method = method, norm = function() return 0 / 0 end}, "norm returned nan of errors")
  end
end

tests["the smallest tolerance is where smallest_rtol and help say"] = function()
  for _, dtype in ipairs{"float32", "float64"} do
    local least, y0 = tide.ode.smallest_rtol(dtype), tide.ones({1}, {dtype = dtype})
    raises("below what " .. dtype, tide.odeint, decay, y0, {0, 1}, {rtol = 0.999 * least})
    assert(tide.odeint(decay, y0, {0, 1}, {rtol = least}))
    local help, text = require("tide.help").find("tide.odeint"), ("%.1e for %s"):format(least, dtype):gsub(
      "e%-0", "e-")
    assert(require("tide.help_text").entry(help, 1000):find(text, 1, true), text)
  end
end

tests["unknown options and methods suggest the nearest"] = function()
  raises('unknown option "rtoll" %(did you mean "rtol"', tide.odeint, decay, f64{1}, {0, 1}, {rtoll = 1})
  raises('unknown option "stepsize" %(did you mean "step_size"', tide.odeint, decay, f64{1}, {0, 1},
    {stepsize = 1})
  raises("unknown option", tide.odeint, decay, f64{1}, {0, 1}, {[1] = 1})
  raises('did you mean "dopri5"', tide.odeint, decay, f64{1}, {0, 1}, {method = "Dopri5"})
  raises({'did you mean "rk4"', "bosh3", "tsit5"}, tide.odeint, decay, f64{1}, {0, 1}, {method = "rkk4"})
  raises("unknown method", tide.odeint, decay, f64{1}, {0, 1}, {method = ""})
  for others, ours in pairs{RK45 = "dopri5", DOP853 = "dop853", ode23 = "bosh3"} do
    raises({"unknown method", ours}, tide.odeint, decay, f64{1}, {0, 1}, {method = others})
  end
  raises("unknown method", tide.odeint, decay, f64{1}, {0, 1}, {method = 5})
  raises("unknown method", tide.odeint, decay, f64{1}, {0, 1}, {method = true})
  raises({"fixed%-step method", "step_size"}, tide.odeint, decay, f64{1}, {0, 1}, {method = "rk4"})
  raises("eager or plain", tide.odeint, plain_decay, {1}, {0, 1}, {eager = true, plain = true})
  raises("no gradient", tide.odeint, decay, f64{1}, {0, 1}, {eager = true, gradient = "adjoint"})
end

tests["kinds of y0"] = function()
  raises({"float32 or float64", "int64", "to%(\"float32\"%)"}, tide.odeint, decay,
    tide.tensor({1}, {dtype = "int64"}), {0, 1})
  raises("float32 or float64", tide.odeint, decay, tide.tensor({1}, {dtype = "uint8"}), {0, 1})
  raises("one dtype", tide.odeint, decay, {f64{1}, tide.tensor{1}}, {0, 1})
  for _, opts in ipairs{{}, {eager = true}} do
    raises({"NaN or Inf in y0", "element 2"}, tide.odeint, decay, f64{1, 0 / 0}, {0, 1}, opts)
    raises("NaN or Inf in y0", tide.odeint, decay, f64{math.huge}, {0, 1}, opts)
  end
  raises("NaN or Inf in y0", tide.odeint, plain_decay, {0 / 0}, {0, 1}, {plain = true})
  local many = {}
  for i = 1, 65 do many[i] = f64{1} end
  raises("at most 64", tide.odeint, function(_, y) return y end, many, {0, 1})
  many[65] = nil
  assert(#tide.odeint(function(_, y) return y end, many, {0, 1}) == 64)
  raises("plain", tide.odeint, plain_decay, {{1}}, {0, 1}, {plain = true})
  raises(".", tide.odeint, plain_decay, {"a"}, {0, 1}, {plain = true})
  local big = f64{1e308, -1e308}
  assert(tide.odeint(function(_, y) return y * 0 end, big, {0, 1})[2]:totable()[1] == 1e308)
  works()
end

-- ---- callbacks ----

tests["errors in a callback pass through unchanged"] = function()
  local token = {}
  for _, opts in ipairs{{}, {eager = true}} do
    assert(message_of(tide.odeint, function() error(token) end, f64{1}, {0, 1}, opts) == token)
    assert(message_of(tide.odeint, function() error() end, f64{1}, {0, 1}, opts) == nil)
    assert(message_of(tide.odeint, function() error("plain text", 0) end, f64{1}, {0, 1},
      opts) == "plain text")
    assert(message_of(tide.odeint, function() error(42, 0) end, f64{1}, {0, 1}, opts) == 42)
  end
  local calls = 0
  assert(message_of(tide.odeint, function(_, y)
    calls = calls + 1
    if calls == 7 then error(token) end
    return {-y[1]}
  end, {1}, {0, 1}, {plain = true}) == token)
  local trace
  xpcall(tide.odeint, function(e) trace = debug.traceback(e) end, function() local x = nil; return x.y end,
    f64{1}, {0, 1}, {eager = true})
  assert(trace:find "test_ode_misuse", trace)
  works()
end

tests["wrong returns name the expectation, t and the evaluation"] = function()
  local function wrong(patterns, value, y0)
    raises(patterns, tide.odeint, function() return value end, y0 or f64{1, 2}, {0, 1})
    local n = 0
    local expected = {"t = ", "evaluation 4", table.unpack(type(patterns) == "table" and patterns
      or {patterns})}
    raises(expected, tide.odeint, function(_, y)
      n = n + 1
      if n == 4 then return value end
      return type(y) == "table" and {y[1], y[2]} or y * 1
    end, y0 or f64{1, 2}, {0, 1}, {eager = true})
  end
  wrong({"must return a tensor", "nil"}, nil)
  wrong({"must return a tensor", "true"}, true)
  wrong({"must return a tensor", "3"}, 3)
  wrong({"must return a tensor"}, "x")
  wrong({"must return a tensor"}, {})
  wrong({"shape {3}", "shape {2}"}, f64{1, 2, 3})
  wrong({"shape {2, 1}"}, f64{{1}, {2}})
  wrong({"float32", "float64", "to%("}, tide.tensor{1, 2})
  wrong({"int64"}, tide.tensor({1, 2}, {dtype = "int64"}))
  wrong({"2 tensors, the state has 1"}, {f64{1, 2}, f64{1, 2}})
  wrong({"1 tensors, the state has 2"}, {f64{1}}, {f64{1}, f64{2}})
  raises({"array of 1 numbers", "nil", "t = "}, tide.odeint, function() end, {1}, {0, 1}, {plain = true})
  raises({"another length"}, tide.odeint, function() return {1, 2} end, {1}, {0, 1}, {plain = true})
  raises({"array of 1 numbers"}, tide.odeint, function() return {} end, {1}, {0, 1}, {plain = true})
  raises({"element 2", "string"}, tide.odeint, function() return {1, "2"} end, {1, 2}, {0, 1}, {plain = true})
  raises({"array of 1 numbers", "number"}, tide.odeint, function() return 5 end, {1}, {0, 1}, {plain = true})
  works()
end

tests["usual slips are told what to write instead"] = function()
  local function try(words, f, y0, opts) raises(words, tide.odeint, f, y0 or f64{1, 2}, {0, 1}, opts) end
  try({"bad argument #1 to 'sin'", "write tide.sin%(x%) in place of math.sin", "eager = true"},
    function(t, y) return math.sin(t) * y end)
  try({"bad argument #1 to 'floor'", "tide.where%(condition"}, function(t, y) return math.floor(t) * y end)
  try({"bad argument #1 to 'sin'", "write tide.sin"}, function(_, y) return {y[1], math.sin(y[2])} end)
  try({"{1, 2}", "y0 = tide.tensor%({1, 2}%)", "plain = true"}, decay, {1, 2})
  try({"got 3", "y0 = tide.tensor%(3%)"}, decay, 3)
  try({"got nil", "end with return"}, function(_, y) y = y * 2 end) -- luacheck: ignore y
  try({"2 tensors, the state has 1", "tide.stack{"}, function(_, y) return {y[2], -y[1]} end)
  try({"got a table", "tide.stack{", "plain = true"}, function() return {1, 2} end)
  try({"got 3", "write 3 %+ 0 %* y"}, function() return 3 end)
  try({"shape {2, 1}", "x:reshape{2}"}, function(_, y) return y:reshape{2, 1} end)
  try({"1 tensors, the state has 2", "keys of y0"}, function(_, y) return y.a end, {a = f64{1}, b = f64{2}})
  try({"shape {1} for y.b", "shape {2}"}, function(_, y) return {a = y.a, b = y.a} end,
    {a = f64{1}, b = f64{2, 3}})
  try({"got nil", "end with return"}, function() end, {1}, {plain = true})
  try({"got number", "write return {value}"}, function(_, y) return -y[1] end, {1}, {plain = true})
  -- the user's own error keeps its words, and errors of other kinds their value
  try("^bad argument #1 to 'f' %(number expected, got tide.Tensor%)$", function()
    error("bad argument #1 to 'f' (number expected, got tide.Tensor)", 0)
  end)
  works()
end

tests["NaN and Inf in f or y: t, h, steps and a remedy, and soon"] = function()
  local remedy = {"odeint", "NaN or Inf", "t = ", "h = ", "steps", "check the field"}
  for _, v in ipairs{0 / 0, math.huge, -math.huge} do
    raises(remedy, tide.odeint, function(_, y) return y * 0 + v end, f64{1, 1}, {0, 1})
    raises(remedy, tide.odeint, function() return f64{1, v} end, f64{1, 1}, {0, 1}, {eager = true})
    raises(remedy, tide.odeint, function() return {v} end, {1}, {0, 1}, {plain = true})
    raises(remedy, tide.odeint, function() return {v} end, {1}, {0, 1},
      {plain = true, method = "rk4", steps = 3})
    -- after a while
    raises({"NaN or Inf", "t = 0.[45]"}, tide.odeint, function(t) return {t > 0.5 and v or 1} end, {1},
      {0, 1}, {plain = true})
    local n = 0
    local ys, s = tide.odeint(function(_, y) n = n + 1; return {n == 5 and v or -y[1]} end, {1}, {0, 1},
      {plain = true})
    assert(s.rejected >= 1 and math.abs(ys[2]:totable()[1] - math.exp(-1)) < 1e-3,
      "one bad value only costs a step")
  end
  raises("element 2 of 2", tide.odeint, function(_, y) return {-y[1], math.log(-1)} end, {1, 1}, {0, 1},
    {plain = true})
  raises("element 2 of 2", tide.odeint, function(_, y) return {-y[1], math.log(-1)} end, {1, 1}, {0, 1},
    {plain = true, method = "euler", steps = 2})
  works()
end

tests["NaN in a quadrature is said to be of the quadrature"] = function()
  local nan = {quadrature = function(_, y) return y.q and y.q * (0 / 0) or y * (0 / 0) end}
  raises("NaN or Inf in f%(t0, y0%) %(element 1 of 1 of the quadrature%)", tide.odeint, decay, f64{1},
    {0, 1}, nan)
  raises("element 1 of 2 of the quadrature", tide.odeint, function(_, s) return {p = -s.p, q = s.q} end,
    {p = f64{1}, q = f64{1, 2}}, {0, 1}, nan)
  raises("%(element 2 of 2%)", tide.odeint, function(_, y) return y * f64{1, 0 / 0} end, f64{1, 2}, {0, 1},
    {quadrature = function(_, y) return y end})
end

tests["stops that are a tensor, inside a derivative"] = function()
  local g = tide.grad(function(y) return tide.odeint(decay, y, {0, 1}, {stops = f64{0.5}}):sum() end)(f64{1})
  assert(math.abs(g:sum():item() - 1 - math.exp(-1)) < 1e-3)
end

tests["blow-up, huge fields and stiffness stop in time"] = function()
  local start = os.clock()
  raises({"odeint", "t = ", "h = ", "steps", "underflow"}, tide.odeint, function(_, y) return {y[1] ^ 2} end,
    {1}, {0, 2}, {plain = true})
  raises("odeint", tide.odeint, function(_, y) return y * y end, f64{1}, {0, 2})
  raises("odeint", tide.odeint, function(_, y) return {math.exp(y[1])} end, {1}, {0, 2}, {plain = true})
  raises("odeint", tide.odeint, function(_, y) return {y[1] * 1e300} end, {1}, {0, 1}, {plain = true})
  raises("odeint", tide.odeint, function(_, y) return {-1e308 * y[1]} end, {1e300}, {0, 1}, {plain = true})
  raises({"max_steps", "t = ", "h = "}, tide.odeint, function(_, y) return {-1e9 * (y[1] - 1)} end, {0},
    {0, 1}, {plain = true, max_steps = 2000})
  raises("max_steps", tide.odeint, function() return {math.random()} end, {0}, {0, 1},
    {plain = true, max_steps = 500, rtol = 1e-9, atol = 1e-9})
  pcall(tide.odeint, function(t) return {t < 0.5 and 0 or 1e200 * math.random()} end, {1}, {0, 1},
    {plain = true, max_steps = 10000})
  raises("odeint", tide.odeint, function(_, y) return {1e10 * y[1]} end, {1}, {0, 1},
    {plain = true, method = "rk4", steps = 200})
  for _, m in ipairs(check.methods()) do
    if m.kind == "adaptive" then
      pcall(tide.odeint, function(_, y) return {-1e6 * y[1] ^ 3, math.tan(y[1] * 1e5)} end, {3, 1}, {0, 10},
        {plain = true, method = m.name, max_steps = 5000})
      -- a pole is an error, or, when a step of a few ulps happens to get over it (rounding decides), leaves
      -- some state; it does not hang
      local ok, ys = pcall(tide.odeint, function(t) return {1 / (t - 0.5) ^ 2} end, {0}, {0, 1},
        {plain = true, method = m.name, max_steps = 20000})
      assert(ok and ys[2][1] == ys[2][1] or not ok and ys:find "odeint: ", m.name)
    end
  end
  assert(os.clock() - start < 5, "took too long")
  works()
end

tests["a discontinuous field is solved"] = function()
  local ys, s = tide.odeint(function(t) return {t < 1 / 3 and 0 or 1} end, {0}, {0, 1},
    {plain = true, rtol = 1e-8, atol = 1e-8})
  assert(math.abs(ys[2]:totable()[1] - 2 / 3) < 1e-6 and s.rejected > 0)
end

tests["yield inside a callback is an error, and the coroutine's caller goes on"] = function()
  for _, opts in ipairs{{eager = true}, {plain = true}} do
    local co = coroutine.create(function()
      return tide.odeint(function(_, y) coroutine.yield(1); return y end, opts.plain and {1} or f64{1},
        {0, 1}, opts)
    end)
    local ok, message = coroutine.resume(co)
    assert(not ok and tostring(message):find "yield", message)
  end
  -- a recorded field is called once, by Lua: yielding there is harmless or an error, never a crash
  local co = coroutine.create(function()
    return (tide.odeint(function(_, y) coroutine.yield(1); return -y end, f64{1}, {0, 1}))
  end)
  local ok = coroutine.resume(co)
  if ok then ok = coroutine.resume(co) end
  co = nil
  collectgarbage()
  works()
  -- solving in a coroutine works
  local value = coroutine.wrap(
    function() return tide.odeint(decay, f64{1}, {0, 1}, {eager = true})[2]:totable()[1] end)()
  assert(math.abs(value - math.exp(-1)) < 1e-3)
end

tests["a coroutine that is dropped or closed during recording leaves the library usable"] = function()
  local co = coroutine.create(function()
    return tide.odeint(function(_, y) coroutine.yield(); return -y end, f64{1}, {0, 1})
  end)
  coroutine.resume(co)
  coroutine.close(co)
  works()
end

tests["odeint inside callbacks to depth 50"] = function()
  local function nested(depth, opts)
    return function(t, y)
      if depth == 0 then return y * 0 + 1 end
      return tide.odeint(nested(depth - 1, opts), y, {t, t + 0.5}, opts)[2]
    end
  end
  local ys = tide.odeint(nested(50, {eager = true, method = "euler", steps = 1}), f64{0}, {0, 1},
    {eager = true, method = "euler", steps = 1})
  assert(ys[2]:totable()[1] > 0)
  local function recorded(depth)
    return function(t, y)
      if depth == 0 then return y * 0 + 1 end
      return tide.odeint(recorded(depth - 1), y, {0, 0.5}, {method = "euler", steps = 1})[2] + t * 0
    end
  end
  local zs = tide.odeint(recorded(50), f64{0}, {0, 1}, {method = "euler", steps = 1})
  assert(math.abs(zs[2]:totable()[1] - ys[2]:totable()[1]) < 1e-12)
  -- without an end: an error, not a crash
  local function endless(t, y)
    return tide.odeint(endless, y, {t, t + 1}, {eager = true, method = "euler", steps = 1})[2]
  end
  raises("overflow", tide.odeint, endless, f64{0}, {0, 1}, {eager = true, method = "euler", steps = 1})
  local function endless_recording(_, y)
    return tide.odeint(endless_recording, y, {0, 1}, {method = "euler", steps = 1})[2]
  end
  assert(not pcall(tide.odeint, endless_recording, f64{0}, {0, 1}, {method = "euler", steps = 1}))
  works()
end

tests["garbage collection, changed arguments and kept states inside callbacks"] = function()
  local kept = {}
  local y0, times = f64{1, 2}, {0, 0.5, 1}
  local want = tide.odeint(function(_, y) return -y end, y0, times, {eager = true})
  local got = tide.odeint(function(_, y)
    collectgarbage()
    kept[#kept + 1] = y
    times[2], times[3] = nil, nil
    y0[1] = 77
    return -y
  end, y0, times, {eager = true})
  assert((got - want):abs():max():item() == 0)
  for _, y in ipairs(kept) do y[1] = 0 end -- states handed out are the callback's own
  y0 = f64{1, 2}
  got = tide.odeint(function(_, y)
    local dy = -y
    y[1] = 1e9
    return dy
  end, y0, {0, 0.5, 1}, {eager = true})
  assert((got - want):abs():max():item() == 0)
  assert(tide.odeint(function(_, y) return y end, f64{1}, {0, 1}, {eager = true})[1]:totable()[1] == 1)
  local ys = tide.odeint(function(_, y) collectgarbage "step"; y[1] = -y[1]; return y end, {1}, {0, 1},
    {plain = true})
  assert(math.abs(ys[2]:totable()[1] - math.exp(-1)) < 1e-3)
  works()
end

tests["symbolic tensors: eager fields refuse, values are refused with a reason"] = function()
  raises({"eager", "no gradient"},
    tide.grad(function(y) return tide.odeint(decay, y, {0, 1}, {eager = true}):sum() end), f64{1})
  raises(".", tide.odeint, function(_, y) if y[1] > 0 then return y end return -y end, f64{1}, {0, 1})
  local leaked
  tide.odeint(function(_, y) leaked = y; return -y end, f64{1}, {0, 1})
  raises(".", function() return (leaked + 1):item() end)
  raises("eager", tide.odeint, function(_, y) return y * y:sum():item() end, f64{1}, {0, 1})
  works()
end

tests["a solution that leaves the range of its dtype is told so"] = function()
  for _, row in ipairs{{50, 1, 100}, {1, 3e38, 1}} do
    local ok, message = pcall(tide.odeint, function(_, y) return row[1] * y end, tide.full({1}, row[2]),
      {0, row[3]}, {max_steps = 3000})
    assert(not ok and tostring(message):find("largest numbers of float32", 1, true)
      and tostring(message):find('dtype "float64"', 1, true), message)
  end
end

tests["a callable table is a field"] = function()
  local field = setmetatable({rate = f64{2}}, {__call = function(self, _, y) return -(y * self.rate) end})
  local ys = tide.odeint(field, f64{1}, {0, 1}, {rtol = 1e-9, atol = 1e-9})
  assert(math.abs(ys[2]:totable()[1] - math.exp(-2)) < 1e-8)
end

tests["initial_step refuses nonsense"] = function()
  raises("f must be a function", tide.ode.initial_step, 1, 0, f64{1}, 4, 1e-3, 1e-3)
  raises("t0", tide.ode.initial_step, decay, "0", f64{1}, 4, 1e-3, 1e-3)
  raises("arguments are", tide.ode.initial_step, decay, 0, f64{1})
  raises("rtol", tide.ode.initial_step, decay, 0, f64{1}, 4, -1, 1)
  raises("both 0", tide.ode.initial_step, decay, 0, f64{1}, 4, 0, 0)
  raises("p must", tide.ode.initial_step, decay, 0, f64{1}, -1, 1e-3, 1e-3)
  raises("y0", tide.ode.initial_step, decay, 0, 5, 4, 1e-3, 1e-3)
  raises("NaN or Inf", tide.ode.initial_step, function(_, y) return y * (0 / 0) end, 0, f64{1}, 4, 1e-3, 1e-3)
end

tests["interrupts stop a solve"] = function()
  local script = [[
    local tide = require "tide"
    local kind = arg[1]
    io.stdout:write("ready\n") io.stdout:flush()
    local ok, message
    if kind == "plain" then
      ok, message = pcall(tide.odeint, function(t, y) return {-y[1]} end, {1}, {0, 1},
        {plain = true, method = "euler", steps = 90000000})
    elseif kind == "samples" or kind == "samples backward" then
      local o = {method = "euler", steps = kind == "samples" and 90000000 or 1000000, per_sample = true}
      if kind ~= "samples" then o.gradient, o.checkpoint_steps = "checkpoint", 1000 end
      local y = tide.ones({4, 1}, {dtype = "float64"})
      local function solve(x)
        return tide.odeint(function(t, z) return -z end, x, {0, 1}, o):sum()
      end
      ok, message = true, ""
      while ok do ok, message = pcall(kind == "samples" and solve or tide.grad(solve), y) end
    else
      local y = tide.ones({4}, {dtype = "float64"})
      ok, message = pcall(tide.odeint, function(t, z) return -z end, y, {0, 1},
        {method = "euler", steps = 90000000})
    end
    io.stdout:write(tostring(ok), " ", tostring(message), "\n")
    os.exit(0, true)]]
  check.in_folder(function(folder, write)
    write("solve.lua", script)
    for _, kind in ipairs{"plain", "recorded", "samples", "samples backward"} do
      local command = ("timeout --foreground -k 2 -s INT 0.5 ./tide %s/solve.lua '%s' 2>&1"):format(folder,
        kind)
      local pipe = assert(io.popen(command))
      local text = pipe:read "a"
      pipe:close()
      assert(text:find "ready", text)
      assert(text:find "false" and text:find "interrupted", kind .. ": " .. text)
    end
  end)
end

return tests
