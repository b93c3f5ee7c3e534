-- tide.predict: a trained model's outputs, batch by batch, in evaluation mode.

local tide = require "tide"
local check = require "check"
local nn = tide.nn
local tests = {}

local x = tide.randn({10, 3}, {seed = 1})

local function equal(a, b) return (a - b):abs():max():item() == 0 end

tests["evaluation mode: no draws, running statistics are used and stay"] = function()
  local model = nn.chain{nn.linear(3, 4, {seed = 1}), nn.batch_norm1d(4), nn.dropout(0.5)}
  model(x) -- a call of the training moves the statistics
  local mean = model[2].running_mean:clone()
  local whole = model(x, {training = false})
  assert(not equal(model(x), whole) and not equal(model[2].running_mean, mean))
  whole, mean = model(x, {training = false}), model[2].running_mean:clone()
  for _, batch in ipairs{1, 3, 10, 256} do
    local y = tide.predict(model, x, {batch = batch})
    check.near((y - whole):abs():max():item(), 0, 1e-6)
    assert(table.concat(y:shape(), ",") == "10,4")
  end
  assert(equal(model[2].running_mean, mean))
  assert(nn.dropout(0.5)(x):eq(0):any():item() == 1) -- and the mode is what it was
end

tests["tables of tensors go in and come out, a row for each sample; the solver is of this call"] = function()
  local function model(part) return {sum = part.a + part.b, {part.a:argmax(2)}, name = "pair"} end
  local y = tide.predict(model, {a = x, b = x * 2}, {batch = 4})
  assert(equal(y.sum, x + x * 2) and equal(y[1][1], x:argmax(2)) and y.name == "pair")
  local flow = nn.odenet{dim = 3, out = 2, hidden = 8, seed = 1}
  local solver = {method = "euler", steps = 2}
  local stats, rough = tide.ode.counted(tide.predict, flow, x, {batch = 5, solver = solver})
  check.near((rough - flow(x, {solver = solver})):abs():max():item(), 0, 1e-6)
  assert(stats.nfe == 4)
  local fn = tide.grad(function(v) return tide.predict(flow, v, {batch = 7, solver = solver}):sum() end)
  local plain = tide.grad(function(v) return flow(v, {solver = solver}):sum() end)
  check.near((fn(x) - plain(x)):abs():max():item(), 0, 1e-5)
end

tests["what is no model, no data and no prediction"] = function()
  local model = nn.linear(3, 2)
  check.fails("tide.predict: model must be called as model(x), got 3", tide.predict, 3, x)
  check.fails("tide.predict: data holds no tensor, got 3", tide.predict, model, 3)
  check.fails("the data set is empty", tide.predict, model, tide.zeros{0, 3})
  check.fails("must return a row for each sample, got {} for 10 samples", tide.predict,
    function(v) return v:sum() end, x)
  check.fails("must return a row for each sample, got {1, 3} for 10 samples", tide.predict,
    function(v) return v:sum(1, true) end, x)
  check.fails("must return a tensor or a table of them, got nil", tide.predict, function() end, x)
  check.fails('tide.predict: unknown option "bach" (did you mean "batch"?)', tide.predict, model, x,
    {bach = 1})
end

return tests
