--- Failures that a program can ask: every status word by a solve that earns it, its fields, and that the
-- error still prints as a message.

local check = require "check"
local tide = require "tide"
local files = require "tide.files"
local tests = {}

local odeint, one = tide.odeint, tide.ones({1}, {dtype = "float64"})
local function square(_, y) return y * y end
local function decay(_, y) return -y end

-- The failure of fn(...), with the fields of a solve checked.
local function failure(word, fn, ...)
  local good, e = pcall(fn, ...)
  assert(not good and tide.core.is_failure(e), tostring(e))
  assert(e.status == word and e.kind == "numeric", ("%s, expected %s: %s"):format(e.status, word, e))
  assert(e.message == tostring(e) and e:find(e.remedy, 1, true), e.message)
  return e
end

local solves = { -- word, f, y0, span, options, fields
  max_steps = {{decay, one, {0, 100}, {max_steps = 3}, {steps = 3, accepted = 3}},
    {decay, one, {0, 100}, {steps = 300, max_steps = 3}, {t = 0, steps = 0, nfe = 0, h = 1 / 3}}},
  max_nfe = {{decay, one, {0, 100}, {max_nfe = 20}, {nfe = 20, steps = 3}},
    {decay, one, {0, 100}, {max_nfe = 20, steps = 10, method = "rk4"}, {t = 50, nfe = 20, steps = 5}},
    -- the first step costs two, and a step is made whole
    {decay, one, {0, 100}, {max_nfe = 3, eager = true}, {nfe = 8, steps = 1}},
    {decay, one, {0, 100}, {max_nfe = 1}, {nfe = 2, steps = 0}}},
  max_seconds = {{decay, one, {0, 100}, {max_seconds = 1e-9}, {steps = 0, t = 0}},
    {decay, tide.full({8000, 2}, 2, {dtype = "float64"}), {0, 9}, {max_seconds = 1e-9, steps = 10},
      {steps = 0, t = 0}}},
  stiff = {{function(_, y) return -1e6 * y end, one, {0, 100}, {max_steps = 3000}, {steps = 3000}}},
  underflow = {{square, one, {0, 2}, {}, {}}, {square, one, {0, 2}, {min_step = 1e-3}, {}},
    {decay, one, {1, 1 + 1e-15}, {}, {t = 1, steps = 0}},
    {function(_, y) return {a = -y.a, b = y.b * y.b} end, {a = one, b = one}, {0, 2}, {}, {part = "b"}},
    {square, one, {0, 2}, {eager = true}, {}}, {function(_, y) return {y[1] ^ 2} end, {1}, {0, 2},
      {plain = true}, {}}},
  not_finite = {{decay, one * (0 / 0), {0, 1}, {}, {element = 1, steps = 0, nfe = 0, t = 0}},
    {function(_, y) return (y - 2):sqrt() end, one, {0, 1}, {}, {element = 1, steps = 0, nfe = 1}},
    {square, one, {0, 2}, {method = "euler", steps = 1000}, {element = 1}},
    {function(_, y) return {a = y.a, b = (y.b - 2):sqrt()} end,
      {a = one, b = tide.tensor({3, 1}, {dtype = "float64"})}, {1, 2}, {steps = 3},
      {part = "b", element = 2, t = 1, h = 1 / 3, steps = 1, accepted = 0}},
    {function(_, y) return {y[1], (y[2] - 2):sqrt()} end, {one, one}, {1, 2}, {steps = 3},
      {part = 2, element = 1}},
    -- in tiles, by several threads
    {function(_, y) return -y:sqrt() end, tide.full({8000, 2}, 2, {dtype = "float64"}), {0, 9}, {}, {}}},
  newton = {{square, one, {0, 2}, {method = "implicit_midpoint", steps = 3},
    {steps = 1, accepted = 0, h = 2 / 3}},
    {function(_, y) return (y - 2):sqrt() end, one, {0, 1}, {method = "implicit_midpoint", steps = 3},
      {steps = 1, accepted = 0}}},
}

for word, list in pairs(solves) do
  tests["a failure without its message has a text"] = function()
  local _, e = pcall(tide.odeint, function(_, y) return y * (0 / 0) end, tide.ones{1}, {0, 1})
  e.message = nil
  assert(tostring(e) == "a failure whose message was taken away" and (e .. "!"):sub(-1) == "!" and #e > 0)
end

tests["a solve fails with the status " .. word] = function()
    for _, row in ipairs(list) do
      local f, y0, span, options, fields = table.unpack(row)
      local e = failure(word, odeint, f, y0, span, options)
      for name, value in pairs(fields) do
        assert(e[name] == value or type(value) == "number" and math.abs(e[name] - value) < 1e-12,
          ("%s = %s: %s"):format(name, e[name], e))
      end
      assert(e.t >= span[1] and e.t <= span[2] and not e.backward)
      assert(math.type(e.steps) == "integer" and e.accepted <= e.steps and e.nfe >= e.accepted)
      assert(e:find(("odeint"), 1, true) and e:match("^tests/lua/test_failures%.lua:%d+: "), e.message)
      if e:find("after", 1, true) then
        assert(e:find(("after %d steps (%d accepted)"):format(e.steps, e.accepted), 1, true), e.message)
      end
    end
  end
end

local function is_nan(x) return x ~= x end

tests["on_failure = \"return\": the same failure beside the states that were reached"] = function()
  for word, list in pairs(solves) do
    for _, row in ipairs(list) do
      local f, y0, span, options = table.unpack(row)
      local more = {on_failure = "return"}
      for name, value in pairs(options) do more[name] = value end
      local e = failure(word, odeint, f, y0, span, options)
      local early = span[1] + 1e-9 * (span[2] - span[1])
      local times = early > span[1] and {span[1], early, span[2]} or span
      local ys, stats = odeint(f, y0, times, more)
      local got = stats.failure
      assert(tide.core.is_failure(got) and got.status == word and got.steps == stats.steps
        and got.nfe == stats.nfe and tostring(got) == got.message and got:find("^odeint: "))
      if options.steps and options.max_steps then -- refused before any step, or made as far as it goes
        assert(got.t == 1 and got.steps == 3 and got.h == e.h and got.nfe > 0)
      elseif word ~= "max_seconds" then
        for _, name in ipairs{"status", "t", "h", "steps", "accepted", "part", "element"} do
          assert(got[name] == e[name], name)
        end
      end
      for _, y in ipairs(tide.tree.tensors(ys)) do
        for i, t in ipairs(times) do
          local sum = y:select(1, i):sum():item()
          assert(t <= got.t or is_nan(sum) or y:select(1, i):numel() == 0, word)
          assert(t > got.t or not is_nan(sum) or e.t == span[1], word)
        end
      end
    end
  end
end

tests["values between the steps are numbers: f at the end of a step, which is a part of them, may be none"] =
  function()
  local y0 = tide.rand({3, 2}, {seed = 1})
  local function breaks(t, y) return tide.where(tide.ge(t, 1), 0 / 0, -y) end
  local own = {A = {{}, {1 / 3}, {0, 2 / 3}}, b = {1 / 4, 0, 3 / 4}, c = {0, 1 / 3, 2 / 3},
    b_error = {3 / 4, -3 / 2, 3 / 4}, order = 3}
  for _, o in ipairs{{method = "heun3", steps = 2}, {method = "bosh3", steps = 2}, {method = own},
    {method = own, per_sample = true}} do
    for _, t in ipairs{{0, 0.99, 1}, {0, 0.2, 0.99, 1}} do
      assert(failure("not_finite", odeint, breaks, y0, t, o):find("y inside the step", 1, true))
    end
    odeint(breaks, y0, {0, 1}, o)
    failure("not_finite", tide.ode.solution, breaks, y0, {0, 1}, o)
    local function look(step) step:at(step.t - step.h / 2) end
    local f = failure("not_finite", odeint, breaks, y0, {0, 1}, {method = o.method, steps = o.steps,
      per_sample = o.per_sample, on_step = look})
    assert(f:find("y inside the step", 1, true) and f.t < 1 and f.t + f.h == 1)
    failure("not_finite", function()
      for step in tide.ode.steps(breaks, y0, {0, 1}, o) do look(step) end
    end)
    -- a zero between the steps as well: whatever g looks at
    for _, terminal in ipairs{false, true} do
      local e = failure("not_finite", odeint, breaks, y0, {0, 1}, {method = o.method, steps = o.steps,
        per_sample = o.per_sample, events = {{g = function(t) return t - 0.99 end, terminal = terminal}}})
      assert(e:find("y inside the step", 1, true))
    end
  end
end

tests["on_failure = \"return\": gradients refuse, compiled solves know for each run"] = function()
  local options = {on_failure = "return"}
  local function end_of(y) return (odeint(square, y, {0, 0.5, 2}, options)):sum() end
  for _, kind in ipairs{"direct", "checkpoint", "adjoint", "interpolated"} do
    options.gradient = kind
    local e = failure("underflow", tide.grad(end_of), one)
    assert(e.backward and e:find("no gradient through a solve that failed", 1, true), e.message)
    assert(tide.grad(end_of)(one * 0.1):item() > 0)
  end
  local solve = tide.compile(function(y) return odeint(square, y, {0, 0.5, 2}, {on_failure = "return"}) end)
  for i = 1, 3 do
    local ys, stats = solve(one * (i == 2 and 0.1 or 1))
    assert((stats.failure == nil) == (i == 2) and is_nan(ys[3]:item()) == (i ~= 2))
    assert(is_nan(solve(one * (0 / 0))[3]:item()))
  end
  -- a solve inside the field has failed: that is an error of the field
  local function inner(_, y) return odeint(square, y, {0, 2})[2] end
  for _, eager in ipairs{false, true} do
    failure("underflow", odeint, inner, one, {0, 1}, {steps = 4, eager = eager, on_failure = "return"})
  end
  -- and where it returns its failure, what it gives is NaN
  local function quiet(_, y) return (odeint(square, y, {0, 2}, {on_failure = "return"})):select(1, 2) end
  failure("not_finite", odeint, quiet, one, {0, 1}, {steps = 4})
  local counted = tide.ode.counted(odeint, square, one, {0, 2}, {on_failure = "return"})
  assert(counted.nfe > 100 and counted.failure == nil)
  for _, wrong in ipairs{{on_failure = "nan"}, {on_failure = true}, {max_nfe = 0}, {max_nfe = 1.5},
    {max_nfe = "1"}, {max_seconds = 0}, {max_seconds = -1}, {max_seconds = 0 / 0}, {max_seconds = {}}} do
    check.fails(next(wrong), odeint, decay, one, {0, 1}, wrong)
  end
end

tests["a failure passes for its message"] = function()
  local _, e = pcall(odeint, square, one, {0, 2})
  local text = tostring(e)
  assert(e .. "!" == text .. "!" and "x: " .. e == "x: " .. text and e .. e == text .. text and 1 .. e == "1"
    .. text)
  assert(#e == #text and ("%s"):format(e) == text and e:sub(1, 5) == text:sub(1, 5) and e:len() == #text)
  assert(e:match("h = (%S+)") and e:gsub("odeint", "x") and e:upper() == text:upper())
  assert(e.nothing == nil and e:find("no such words", 1, true) == nil)
  check.fails("attempt to concatenate a nil value", function() return e .. nil end)
  check.fails("attempt to concatenate a table value", function() return {} .. e end)
  local good, again = pcall(error, e, 0) -- raised again it is the same one
  assert(not good and rawequal(again, e) and tostring(again) == text)
  local lines = {pcall(assert, false, e)}
  assert(rawequal(lines[2], e))
  assert(require "tide.pretty".show(e) == text and tide.help.describe(e):find("underflow", 1, true))
end

tests["errors of a call are texts, and have no status"] = function()
  local _, e = pcall(odeint, decay, one, {0, 1}, {rtoll = 1})
  assert(type(e) == "string" and e.status == nil and not tide.core.is_failure(e)
    and not tide.core.is_failure(nil))
end

tests["compiled solves, gradients and coroutines fail with the same table"] = function()
  local solve = tide.compile(function(y) return odeint(square, y, {0, 2}) end)
  for _ = 1, 2 do failure("underflow", solve, one) end
  failure("underflow", tide.grad(function(y) return odeint(square, y, {0, 2}):sum() end), one)
  failure("underflow", coroutine.wrap(function() odeint(square, one, {0, 2}) end))
  local thread = coroutine.create(function() odeint(square, one, {0, 2}) end)
  assert(select(2, coroutine.resume(thread)).status == "underflow")
  -- a solve inside a field: its own time and steps
  local function inner(_, y) return odeint(square, y, {0, 2})[2] end
  for _, options in ipairs{{steps = 4}, {steps = 4, eager = true}} do
    local e = failure("underflow", odeint, inner, one, {10, 11}, options)
    assert(e.t > 0.9 and e.t < 1 and e.steps > 4, e.message)
  end
end

tests["a gradient that fails on its way back says so"] = function()
  local gradient = tide.grad(function(y)
    return odeint(function(_, u) return -300 * u end, y, {0, 1}, {gradient = "interpolated", max_steps = 200,
      adjoint_rtol = 1e-10,
      adjoint_atol = 1e-10}):sum()
  end)
  local good, e = pcall(gradient, one) -- whether it is called stiff hangs on the last bits
  assert(not good and (e.status == "stiff" or e.status == "max_steps"), e)
  assert(e.backward and e.h < 0 and e.t > 0 and e.t < 1 and e.steps == 200
    and e:find("continuous adjoint, from t = 1 to 0: odeint", 1, true))
end

-- ---- attempt ----

tests["attempt returns results and failures, and lets every other error pass"] = function()
  local good, a, b = tide.attempt(function(...) return ... end, 1, nil)
  assert(good and a == 1 and b == nil)
  local ok, e = tide.attempt(odeint, square, one, {0, 2})
  assert(ok == false and e.status == "underflow" and e:find("test_failures.lua", 1, true))
  check.fails("unknown option", tide.attempt, odeint, square, one, {0, 2}, {rtoll = 1})
  for _, value in ipairs{{}, 1, "text", false} do
    local good_, got = pcall(tide.attempt, error, value)
    assert(not good_ and got == value)
  end
  check.fails("expected a function", tide.attempt, 3)
  check.fails("expected a function", tide.attempt, nil)
  assert(tide.attempt(tide.nn.linear(1, 1), tide.ones{1, 1}))
end

-- ---- training ----

local function train(given)
  local model = tide.nn.odenet{dim = 1, hidden = 2, seed = 1, solver = given.solver}
  local data = {x = tide.randn({8, 1}, {seed = 1}), y = tide.randn({8, 1}, {seed = 2})}
  return tide.train{model = model, data = data, optimizer = tide.optim.sgd(model, {lr = given.lr or 0.1}),
    loss = given.loss or "mse", batch = 8,
    iterations = given.iterations or 1, quiet = true}
end

tests["a training adds where it was"] = function()
  local e = failure("max_steps", train, {solver = {max_steps = 1}})
  assert(e.iteration == 1 and e.learning_rate == 0.1 and e.block == "block" and e.steps == 1 and e.t > 0)
  assert(e:find("tide.train: iteration 1, learning rate 0.1, in the ODE block model.block: odeint: the solve",
    1, true), e.message)
  for _, loss in ipairs{function(p) return (p - 10):log():sum() end,
    function(p) return p:sum() * 0 + (p * 0):sqrt():sum() end} do
    local good, other = tide.attempt(train, {loss = loss})
    assert(not good and other.status == "not_finite" and other.iteration == 1 and other.loss
      and other:find("iteration 1", 1, true), other)
  end
  local model = {w = tide.ones{2}}
  local ok, step = tide.attempt(function() tide.optim.sgd(model, {lr = 1}):step{w = tide.ones{2} / 0} end)
  assert(not ok and step.status == "not_finite" and step.step == 1 and step:find("sgd: step 1", 1, true),
    step)
  failure("underflow", odeint, square, one, {0, 2}) -- not part of the training any more
  assert(not select(2, pcall(odeint, square, one, {0, 2})):find("tide.train", 1, true))
end

-- ---- programs ----

local blows_up = "tide.odeint(function(t, y) return y * y end, tide.ones{1}, {0, 2})"

tests["a script prints the message and a traceback, a prompt the message; a job keeps it"] = function()
  if not tide.core.exists("./tide") then return "skip: ./tide is not built" end
  check.in_folder(function(folder, write)
    write("fails.lua", "local tide = require 'tide'\n" .. blows_up)
    local path = files.join(folder, "fails.lua")
    local _, output, status = check.sh(("./tide %s 2>&1"):format(files.quote(path)))
    assert(output:find("tide: " .. path .. ":2: odeint: step size underflow at t = ", 1, true)
      and status == 1, output)
    assert(output:find("stack traceback:", 1, true) and output:find("in main chunk", 1, true), output)
    write("lines", "ok, e = pcall(function() " .. blows_up .. " end)\ne.status\ne\n" .. blows_up .. "\n")
    _, output = check.sh(("./tide -i <%s 2>&1"):format(files.quote(files.join(folder, "lines"))))
    local status_at = output:find("underflow\n", 1, true)
    assert(status_at and output:find("odeint: step size underflow at t = ", status_at, true), output)
    local code = "local good, e = pcall(function() " .. blows_up .. " end) print(e) os.exit(1)"
    local failures = tide.jobs.run({{command = {"./tide", "-e", code}}}, {quiet = true})
    assert(failures[1].message:find("odeint: step size underflow at t = ", 1, true), failures[1].message)
  end)
end

return tests
