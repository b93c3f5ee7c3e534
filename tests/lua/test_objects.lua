-- Objects that cannot lie: arguments that only look true, fields that nothing reads.
local check = require "check"
local tide = require "tide"

local tests = {}

tests["keepdim is true or false"] = function()
  local x = tide.tensor{{1, 2}, {3, 4}}
  for _, name in ipairs{"sum", "mean", "max", "min", "var", "logsumexp", "argmax", "argmin", "all", "any"} do
    local op = tide[name]
    check.fails({name, "keepdim must be true or false, got a table"}, op, x, 2, {keepdim = false})
    check.fails('keepdim must be true or false, got "true"', op, x, 1, "true")
    check.fails("keepdim must be true or false, got 1", op, x, nil, 1)
    if name:sub(1, 3) ~= "arg" then
      check.fails({name, "key \"keepdim\"", ("x:%s(axis, true)"):format(name)}, op, x, {keepdim = true})
      check.fails("axis -1 is given twice", op, x, {2, -1})
      assert(#op(x, {1, 2}):shape() == 0 and #op(x, {}):shape() == 2)
    end
    assert(table.concat(op(x, 2, true):shape(), " ") == "2 1"
      and table.concat(op(x, 2, false):shape(), " ") == "2")
    assert(table.concat(op(x, nil, true):shape(), " ") == "1 1" and #op(x, nil, false):shape() == 0, name)
  end
end

tests["other arguments that are true or false"] = function()
  local t = {tide.ones{2}}
  check.fails("tree.tensors: float_only must be true or false, got a string", tide.tree.tensors, t, "float32")
  check.fails("tree.replace: float_only must be true or false, got a table", tide.tree.replace, t, {}, {})
  check.fails("tide.memory: reset_peak must be true or false", tide.memory, 1)
  check.fails('meter:update: line must be true or false, got "now"', function()
    tide.progress.new{quiet = true}:update(1, nil, "now")
  end)
  tide.memory(true)
  local live = tide.memory().live_bytes
  tide.zeros{1000000}:close()
  for _ = 1, 2 do assert(tide.memory().peak_bytes >= live + 4000000, "reading the peak must not reset it") end
end

tests["a meter advances, and has no fields to set"] = function()
  local meter = tide.progress.new{total = 10, quiet = true}
  for _ = 1, 4 do meter:advance() end
  assert(meter.n == 4 and meter:advance(3).n == 7 and meter:update(1).n == 1)
  check.fails("meter:advance: n, how many more are done, must be a number", meter.advance, meter, "3")
  check.fails("meter:update: n, how many are done, must be a number, got nil", meter.update, meter)
  check.fails({'meter: no field "updat" can be set (did you mean "update"?)', "advance"}, function()
    meter.updat = 3
  end)
end

tests["models: what nothing reads cannot be set"] = function()
  local nn = tide.nn
  local model = nn.odenet{dim = 2, hidden = 4, seed = 1}
  local function set(m, name, v) return function() m[name] = v end end
  for _, name in ipairs{"hiden", "hidden", "dim", "name", "training"} do
    check.fails({("nn.odenet: unknown field %q"):format(name),
      "it reads: input, augment, block, flatten, out"}, set(model, name, 3))
    check.fails("unknown field", set(model, name, "x"))
  end
  check.fails('nn.mlp: unknown field "tim" (did you mean "time"?)', set(model.block.field, "tim", true))
  check.fails('nn.linear: unknown field "weights" (did you mean "weight"?)',
    set(nn.linear(2, 2), "weights", tide.ones{2, 2}))
  check.fails('nn.odeblock: unknown field "slover" (did you mean "solver"?)',
    set(model.block, "slover", {method = "rk4"}))
  check.fails("unknown activation \"rleu\" (did you mean \"relu\"?)", function()
    model.block.field.act = "rleu"
    model.block.field(0, tide.ones{1, 2})
  end)
  -- what may be added: tensors, layers, tables, functions; the fields of the class, numbers too; layers of a
  -- chain
  model = nn.linear(2, 2, {seed = 1})
  model.bias = nil
  model.bias = tide.zeros{2}
  model.scale, model.out2, model.weight_b, model.notes = tide.ones{2}, nn.linear(2, 2), tide.ones{1},
    {made = "today"}
  function model.features() end
  assert(#tide.tree.tensors(model, true) == 6 and nn.count(model) == 15)
  local chain = nn.chain{nn.linear(2, 2), "relu"}
  chain[3] = nn.linear(2, 1)
  local conv = nn.odenet{dim = 2, hidden = 4}
  conv.flatten = true
  local copy = tide.tree.map(conv, function(x) return x:clone() end)
  assert(copy.flatten and getmetatable(copy) == getmetatable(conv) and #chain == 3)
end

tests["gradcheck says where"] = function()
  local function wrong(p) return (p.layers[1].w * p.layers[1].w:stop_gradient()):sum() + p.b:sum() end
  local p = {layers = {{w = tide.tensor{{1, 2, 3}, {4, 9, 6}}}}, b = tide.ones{}}
  local ok, worst, report = tide.gradcheck(wrong, p)
  assert(ok == false and math.abs(worst - 0.5) < 1e-6)
  assert(report.name == "layers[1].w" and math.abs(report.gradient * 2 - report.difference) < 1e-6)
  assert(tostring(report):find("^layers%[1%]%.w%[%d%]%[%d%]: gradient [%d.]+, central difference [%d.]+$"),
    tostring(report))
  assert(select("#", tide.gradcheck(function(v) return v:sin() end, tide.ones{2})) == 2)
  assert(tostring(
    select(3, tide.gradcheck(function(v) return v:stop_gradient() + 0 * v end, tide.ones{}))):find(
    "^the tensor: gradient 0"))
end

tests["assignment while a function is recorded"] = function()
  local kept = tide.zeros{3}
  local function store(x) kept[1] = x[1] return x:sum() end
  local function number(x) kept[1] = 3 return x:sum() end
  local function own(x) x[1] = 3 return x:sum() end
  local function copy(x) kept:copy_(tide.ones{3}) return x:sum() end
  for _, fn in ipairs{store, number, own} do
    for _, run in ipairs{tide.grad(fn), tide.compile(fn),
      function(x) tide.odeint(function(_, y) fn(y) return y end, x, {0, 1}) end} do
      check.fails({"a tensor cannot be changed while a function is being recorded", "tide.stack",
        "tide.where"}, run, tide.ones{3})
    end
  end
  check.fails("copy_: a tensor cannot be changed while", tide.grad(copy), tide.ones{3})
  check.fails({"element 2 is a tensor, not a number", "tide.stack{...}"},
    tide.grad(function(x) return tide.tensor{1, x[1]}:sum() end), tide.ones{3})
  assert(kept:abs():max():item() == 0)
  -- eager fields run on numbers
  tide.odeint(function(_, y) kept[1] = 3 return -y end, tide.ones{1}, {0, 1}, {eager = true})
  assert(kept[1] == 3)
end

tests["methods that are called with a dot, fields that belong to a part"] = function()
  local model = tide.nn.odenet{dim = 2, seed = 1}
  local opt, x = tide.optim.adam(model), tide.ones{1, 2}
  for name, argument in pairs{step = x, state = false, load_state = {}, rate = 1} do
    check.fails({name .. " is a method", ("opt:%s(...)"):format(name)}, opt[name], argument)
  end
  for name in pairs{trajectory = true, features = true} do
    check.fails({"nn.odenet: " .. name, "model:" .. name}, model[name], x, {0, 1})
  end
  check.fails({"nn.odeblock", "model:trajectory"}, model.block.trajectory, x, {0, 1})
  check.fails("write model.block.solver = ...", function() model.solver = {method = "rk4", steps = 2} end)
  local before = model(x):item()
  model.block.solver = {method = "euler", steps = 1}
  assert(model(x):item() ~= before)
  local figure = tide.plot.line{y = {1, 2}}
  check.fails({'no field "titel" (did you mean "title"?)', "fig:axes{title = ...}"}, function()
    figure.titel = "x"
  end)
  check.fails({"y[1] must be a number, got a table", "x:reshape{-1}"}, function()
    tide.plot.line{y = tide.ones{2, 1}}:render()
  end)
end

return tests
