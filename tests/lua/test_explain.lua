--- tide.explain: what it counts, checked by hand on small functions, and what it prints.

local tide = require "tide"
local nn = tide.nn

local tests = {}

-- Totals and text of tide.explain.
local function explained(...)
  local lines, shown = {}, print
  -- luacheck: ignore quiet
  local quiet <close> = setmetatable({}, {__close = function() rawset(_G, "print", shown) end})
  rawset(_G, "print", function(text) lines[#lines + 1] = text end)
  return tide.explain(...), table.concat(lines, "\n")
end

local function equal(got, want, what)
  if got ~= want then error(("%s: %s, expected %s"):format(what, tostring(got), tostring(want)), 2) end
end

local function has(text, piece)
  if not text:find(piece, 1, true) then error(("%q is missing in\n%s"):format(piece, text), 2) end
end

tests["a product: operations and bytes"] = function()
  local e, text = explained(function(x, w) return x:matmul(w) end, tide.ones{4, 3}, tide.ones{3, 5})
  equal(e.recorded.nodes, 3, "nodes")
  equal(e.recorded.operations, 2 * 4 * 3 * 5, "operations")
  equal(e.recorded.bytes, 4 * (12 + 15 + 20), "bytes of the results")
  equal(e.optimised.calls, 1, "calls")
  equal(e.optimised.bytes, 4 * (12 + 15 + 20), "bytes read and written")
  equal(e.optimised.arena_bytes, 0, "the result goes to where it is wanted")
  has(text, "matmul  %1 %2             float32 {4, 5}          120   80 B  result 1")
end

tests["common subexpressions, dead code, views"] = function()
  local e, text = explained(function(x)
    local a, b, unused = (x + 1):sin(), (x + 1):sin(), x:cos() -- luacheck: ignore unused
    return a * b, x:transpose(1, 2):matmul(x)
  end, tide.ones({3, 3}, {dtype = "float64"}))
  -- input; 1, +, sin; 1, +, sin; cos; *; transpose, matmul
  equal(e.recorded.nodes, 11, "nodes")
  equal(e.recorded.operations, 9 * 6 + 2 * 27, "recorded operations")
  equal(e.optimised.common, 3, "common")
  equal(e.optimised.dead, 1, "dead")
  equal(e.optimised.views, 1, "views")
  equal(e.optimised.calls, 4, "calls")
  equal(e.optimised.operations, 9 * 3 + 2 * 27, "optimised operations")
  has(text, "also %6")
  has(text, "over %3")
  has(text, "result 2")
  has(text, "%1~ %1")
end

tests["operations of the other ops"] = function()
  local x = tide.ones{2, 3, 8, 8}
  local function operations(fn, ...) return explained(fn, ...).recorded.operations end
  equal(operations(function(v) return v:sum() end, x), 384, "sum")
  equal(operations(
    function(v) return v:reshape{-1}, v:transpose(1, 2):clone(), v:slice(1, 1, 1), tide.cat({v, v}, 1) end,
    x), 0, "moving data")
  equal(operations(function(v, w) return tide.conv2d(v, w, nil, {padding = 1}) end, x, tide.ones{5, 3, 3, 3}),
    2 * (2 * 5 * 64) * 27, "convolution")
  -- a gradient of a product is two products of the same size; the loss adds its sum
  local a, b = tide.ones{4, 3}, tide.ones{3, 5}
  equal(operations(tide.grad(function(p) return p[1]:matmul(p[2]):sum() end), {a, b}), 3 * 120 + 20,
    "gradient of a product")
  equal(operations(function(v, i) return v:take(i, 1), v:max(1), v:argmax(1) end, a,
    tide.tensor({1, 1}, {dtype = "int64"})), 24, "take, max, argmax")
end

tests["a call on tables, numbers and callable models"] = function()
  local model = nn.linear(3, 2)
  local e = explained(model, tide.ones{5, 3})
  equal(e.recorded.operations, 2 * 5 * 3 * 2 + 10, "linear layer")
  local again = explained(function(p, k) return p.a * k + p.b end, {a = tide.ones{4}, b = tide.ones{4}}, 3)
  equal(again.optimised.operations, 8, "a table and a number")
  equal(explained(tide.compile(model), tide.ones{5, 3}).recorded.operations, e.recorded.operations,
    "a compiled function")
  equal(explained(function() return 1 end).optimised.calls, 0, "nothing recorded")
end

local function training(field, opts)
  return tide.value_and_grad(function(p, x) return tide.odeint(p, x, {0, 1}, opts)[2]:square():sum() end),
    field, tide.randn({64, 2}, {seed = 1})
end

tests["a step of training through a solve"] = function()
  local e, text = explained(training(nn.mlp{sizes = {2, 16, 2}, act = "relu", time = true, seed = 1},
    {rtol = 1e-3, atol = 1e-3}))
  equal(#e.solves, 1, "solves")
  local s = e.solves[1]
  equal(s.tiles, 1, "tiles")
  -- {64, 3} x {3, 16} + bias, relu, {64, 16} x {16, 2} + bias
  equal(s.recorded.operations, 2 * 64 * 3 * 16 + 2 * 64 * 16 + 2 * 64 * 16 * 2 + 64 * 2, "field as recorded")
  -- time is part of the bias: {64, 2} x {2, 16}, and 2 x 16 for the row
  equal(s.evaluation.operations, 2 * 64 * 2 * 16 + 2 * 64 * 16 + 2 * 64 * 16 * 2 + 64 * 2 + 2 * 16,
    "field as it runs")
  equal(s.evaluation.calls, 4, "calls of an evaluation")
  assert(s.setup.calls > 0 and s.backward.calls > 4)
  has(text, "relu(y~ s3 + v2)")
  has(text, "relu_grad(")
  has(text, "SOLVE 1: dopri5, adaptive steps, rtol 0.001, atol 0.001, gradient direct")
  has(text, "y_bar")
  assert(tostring(e):find("^explanation: %d+ nodes, 512 operations %-> %d+ calls, 512 operations; 1 solve$"),
    tostring(e))
end

tests["a solve's options are told where they are not the usual ones"] = function()
  local function told(opts)
    local function solve(y0) return (tide.odeint(function(_, y) return -y end, y0, {0, 1}, opts)) end
    return select(2, explained(solve, tide.ones{3})):match("SOLVE 1: ([^\n]*)")
  end
  equal(told(), "dopri5, adaptive steps, rtol 0.001, atol 1e-06", "nothing given")
  equal(told{adjoint_rtol = 1e-3, norm = "part", max_steps = 100000, gradient = "direct"}, told(),
    "defaults given")
  equal(told{adjoint_rtol = 1e-5, max_step = 0.1, controller = "PI", norm = "batch"},
    told() .. ", norm batch, max_step 0.1, controller PI, adjoint_rtol 1e-05", "others")
  equal(told{method = "rk4", steps = 10, rtol = 1e-2, controller = "PI", checkpoint_steps = 5},
    "rk4, 10 fixed steps, checkpoint_steps 5", "a grid")
end

tests["solves tile by tile, convolutions, solves inside of solves"] = function()
  local field = nn.conv_field{channels = 3, filters = 16, time = true, seed = 1}
  local e, text = explained(tide.grad(function(p, x)
    return tide.odeint(p, x, {0, 1}, {method = "euler", steps = 8})[2]:square():mean()
  end), field, tide.randn({64, 3, 16, 16}, {seed = 2}))
  equal(e.solves[1].tiles, 16, "tiles")
  equal(e.solves[1].rows, 4, "samples")
  has(text, "Tiles: 16 of up to 4 samples, each goes through the whole solve")
  local inner, inner_text = explained(function(x)
    return tide.odeint(
      function(_, y) return -tide.odeint(function(_, z) return z:sin() end, y, {0, 1}, {steps = 2})[2] end, x,
      {0, 1}, {steps = 3})
  end, tide.ones{4})
  equal(#inner.solves, 2, "solves")
  has(inner_text, "SOLVE 2: dopri5, 2 fixed steps")
  for kind, word in pairs{adjoint = "dy", checkpoint = "y_bar", interpolated = "y_bar"} do
    local _, shown = explained(training(nn.mlp{sizes = {2, 16, 2}, seed = 1}, {gradient = kind}))
    has(shown, "gradient " .. kind)
    has(shown, word)
  end
end

-- Two activations and a product; the two matrices that come of that product would take more memory.
tests["what is kept for the gradient is little, and activations are among it"] = function()
  local model = nn.cnf{dim = 2, hidden = 64, divergence = "hutchinson", solver = {method = "rk4", steps = 2}}
  local x, noise = tide.ones{512, 2}, tide.ones{512, 2}
  local _, text = explained(tide.grad(function(m) return (m:log_prob(x, {noise = noise})):sum() end), model)
  local forwards, backwards = text:match("(Each evaluation[^\n]*which keeps.-)(Each evaluation backwards.*)")
  local _, kept = forwards:gsub("\n  k%d", "")
  local _, activations = backwards:gsub("tanh%(", "")
  equal(kept, 3, "values that are kept")
  equal(activations, 0, "activations that are computed again")
end

tests["the way that each convolution takes"] = function()
  local x, w, small = tide.ones{2, 32, 16, 16}, tide.ones{32, 32, 3, 3}, tide.ones{2, 3, 4, 4}
  local function conv(a, b) return tide.conv2d(a, b, nil, {padding = 1}) end
  local function two(...) return conv(...), conv(small, tide.ones{5, 3, 3, 3}):relu() end
  local _, text = explained(two, x, w)
  has(text, "result 1, by winograd")
  has(text, "result 2, by dense")
  _, text = explained(tide.grad(function(v) return conv(x, v):square():sum() end), tide.ones{4, 32, 5, 5})
  assert(text:find("conv_dw [^\n]*, by planes"), text)
  _, text = explained(function(a, b) return a:matmul(b) end, tide.ones{4, 3}, tide.ones{3, 5})
  assert(not text:find(" by "), text)
end

tests["weights that are captured have no gradient"] = function()
  local field = nn.mlp{sizes = {2, 16, 2}, act = "tanh", time = true, seed = 1}
  local e, text = explained(
    tide.grad(function(y) return tide.odeint(field, y, {0, 1}, {steps = 3})[2]:sum() end),
    tide.randn({64, 2}, {seed = 1}))
  -- the hidden layer again (time is a row of 2 x 16), then back through both
  equal(e.solves[1].backward.operations, 2 * 64 * 2 * 16 + 2 * 64 * 16 + 2 * 16
    + (2 * 64 * 2 * 16 + 64 * 16) + 2 * 64 * 16 * 2, "operations")
  assert(not text:find("c%d+_bar") and not text:find("s%d+_bar"), text)
end

tests["lines are of moderate width and explaining computes nothing"] = function()
  local fn, field, x = training(nn.mlp{sizes = {2, 40, 40, 40, 2}, time = true, seed = 1}, {steps = 4})
  local stats, _, text = tide.ode.counted(explained, fn, field, x)
  for line in text:gmatch("[^\n]+") do assert(#line <= 120, line) end
  equal(stats.nfe, 0, "evaluations")
end

tests["what cannot be explained says so"] = function()
  local function refuses(piece, ...)
    local ok, message = pcall(tide.explain, ...)
    assert(not ok and tostring(message):find(piece, 1, true), tostring(message))
  end
  refuses("tide.explain: expected a function, got", 1)
  refuses("tide.explain: expected a function, got", {})
  refuses("shape", function(x) return x:matmul(tide.ones{7, 7}) end, tide.ones{2, 2})
  local ended
  tide.grad(function(v) ended = v return v:sum() end)(tide.ones{2})
  refuses("symbolic", tide.sin, ended)
  local ok, message = pcall(function()
    tide.grad(function(v) tide.explain(function() return v * 2 end) return v:sum() end)(tide.ones{2})
  end)
  assert(not ok and message:find("being recorded", 1, true), message)
end

tests["failing allocations lose nothing"] = function()
  local core = tide.core
  local fn, field, x = training(nn.mlp{sizes = {2, 8, 2}, time = true, seed = 1}, {steps = 4})
  explained(fn, field, x)
  collectgarbage() collectgarbage()
  local blocks, failed = core.memory().live_blocks, 0
  for k = 0, 1200, 13 do
    core.memory_fail_after(k, false)
    local ok, message = pcall(explained, fn, field, x)
    core.memory_fail_after(-1, false)
    assert(ok or tostring(message):find "memory", tostring(message))
    failed = failed + (ok and 0 or 1)
    collectgarbage() collectgarbage()
    assert(core.memory().live_blocks <= blocks + 2, "blocks are lost after failure " .. k)
  end
  assert(failed > 20)
end

return tests
