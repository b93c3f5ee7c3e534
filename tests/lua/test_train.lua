-- tide.train and tide.evaluate: learning, records, reproducibility, what stops and what fails.
local check = require "check"
local tide = require "tide"
local core, nn = tide.core, tide.nn

-- y = 2 x1 - x2 + 1
local function linear_data(n)
  local x = tide.randn({n, 2}, {seed = 1})
  return {x = x, y = 2 * x:slice(2, 1, 1) - x:slice(2, 2, 2) + 1}
end

local function train(opts)
  opts.quiet = true
  return tide.train(opts)
end

-- A small neural ODE on spheres; returns history and model.
local function spheres(o)
  local model = nn.odenet{dim = 2, hidden = 8, augment = 1, seed = 1}
  local opts = {model = model, data = tide.data.spheres{inner = 30, outer = 60, seed = 1},
    optimizer = tide.optim.adam(model, {lr = 0.02}),
    loss = "smooth_l1", batch = 32, epochs = 3}
  for k, v in pairs(o or {}) do opts[k] = v end
  return train(opts), model
end

local function parameters(model)
  local list = {}
  for i, x in ipairs(tide.tree.tensors(model, true)) do list[i] = x:reshape{-1} end
  return tide.cat(list):totable()
end

local function same(a, b)
  assert(#a == #b)
  for i, v in ipairs(a) do
    assert(v == b[i] or (v ~= v and b[i] ~= b[i]), ("entry %d: %.17g and %.17g"):format(i, v, b[i]))
  end
end

local tests = {}

tests["learns a line"] = function()
  local model = nn.linear(2, 1, {seed = 1})
  local history = train{model = model, data = linear_data(100),
    optimizer = tide.optim.adam(model, {lr = 0.05}), epochs = 100, batch = 20}
  assert(history[#history].loss < 1e-6 and history[1].loss > 0.1, history[#history].loss)
  local w = model.weight:totable()[1]
  assert(math.abs(w[1] - 2) < 1e-2 and math.abs(w[2] + 1) < 1e-2 and math.abs(model.bias[1] - 1) < 1e-2)
end

tests["learns the spheres and a classification"] = function()
  local history, model = spheres{epochs = 60}
  assert(history[60].accuracy > 0.95 and history[60].loss < 0.3 * history[1].loss, history[60].loss)
  local result = tide.evaluate(model, tide.data.spheres{inner = 30, outer = 60, seed = 2},
    {loss = "smooth_l1"})
  assert(result.accuracy > 0.9 and result.loss < 0.2 and result.nfe > 0)
  local x = tide.randn({90, 2}, {seed = 3})
  local y = x:slice(2, 1, 1):reshape{-1}:gt(0):to("int64") + 1
  local net = nn.mlp{sizes = {2, 8, 2}, seed = 1}
  local records = train{model = net, data = {x = x, y = y}, optimizer = tide.optim.adam(net, {lr = 0.02}),
    loss = "cross_entropy",
    epochs = 40, batch = 30}
  assert(records[40].accuracy > 0.95 and records[40].nfe_forward == 0)
  assert(tide.evaluate(net, {x = x, y = y}).accuracy > 0.95)
end

tests["history: records and columns"] = function()
  local history = spheres()
  assert(#history == 3)
  for i, r in ipairs(history) do
    -- 90 samples in 32 + 32 + 26
    assert(r.iteration == 3 * i and r.epoch == i and r.loss > 0 and r.accuracy >= 0 and r.accuracy <= 1, i)
    assert(r.nfe_forward >= 7 and r.nfe_backward > 0 and r.seconds >= 0)
    local names = {}
    for key, value in pairs(r) do
      names[#names + 1] = key
      assert(history[key][i] == value, key)
    end
    table.sort(names)
    assert(table.concat(names, " ") == "accuracy epoch iteration loss nfe_backward nfe_forward seconds")
  end
  assert(#history.loss == 3 and history.loss[2] == history[2].loss)
  -- no accuracy for other targets
  local model = nn.linear(2, 1, {seed = 1})
  local records = train{model = model, data = linear_data(10), optimizer = "adam", epochs = 1}
  assert(records[1].accuracy == nil and records.accuracy == nil and #records.loss == 1)
end

tests["the loss of a record is the mean over its samples"] = function()
  local data = linear_data(10)
  local model = nn.linear(2, 1, {seed = 1})
  local history = train{model = model, data = data, optimizer = tide.optim.sgd(model, {lr = 0}), epochs = 2,
    batch = 4}
  local whole = tide.mse(model(data.x), data.y):item()
  for i = 1, 2 do assert(math.abs(history[i].loss - whole) < 1e-6 * whole) end
  local result = tide.evaluate(model, data, {loss = "mse", batch = 3})
  assert(math.abs(result.loss - whole) < 1e-6 * whole and result.accuracy == nil and result.nfe == 0)
end

tests["epochs and iterations"] = function()
  local function run(o)
    local model = nn.linear(2, 1, {seed = 1})
    o.model, o.data, o.optimizer = model, linear_data(10), tide.optim.sgd(model, {lr = 0.01})
    return train(o), model
  end
  local function iterations(o)
    local list = {}
    for i, r in ipairs((run(o))) do list[i] = r.iteration end
    return table.concat(list, " ")
  end
  assert(iterations{epochs = 3, batch = 4} == "3 6 9")
  assert(iterations{epochs = 3, batch = 4, drop_last = true} == "2 4 6")
  assert(iterations{epochs = 2, batch = 1000} == "1 2")
  assert(iterations{iterations = 5, batch = 4} == "1 2 3 4 5")
  assert(iterations{iterations = 5, batch = 4, record_every = 2} == "2 4 5")
  assert(#(run{iterations = 100, batch = 4}) == 50)
  local _, a = run{epochs = 2, batch = 4}
  local _, b = run{iterations = 6, batch = 4}
  same(parameters(a), parameters(b))
  local _, c = run{iterations = 6, batch = 4, shuffle = false}
  assert(parameters(c)[1] ~= parameters(a)[1])
  local _, d = run{iterations = 6, batch = 4, seed = 2}
  assert(parameters(d)[1] ~= parameters(a)[1])
end

tests["same seed, same numbers, on any number of threads"] = function()
  local before = core.threads()
  local columns, weights = {}, {}
  local images = {x = tide.rand({48, 1, 12, 12}, {seed = 1})}
  images.y = images.x:reshape{48, -1}:sum(2):gt(72):to("int64") + 1
  for _, threads in ipairs{1, 3, 1} do
    core.threads(threads)
    local history, model = spheres{epochs = 4}
    local net = nn.conv_odenet{image = {1, 12, 12}, filters = 16, augment = 2, classes = 2, seed = 1,
      solver = {method = "rk4", steps = 3}}
    local second = train{model = net, data = images, optimizer = tide.optim.adam(net), loss = "cross_entropy",
      epochs = 2, batch = 24}
    columns[#columns + 1] = table.move(second.loss, 1, 2, 5, history.loss)
    weights[#weights + 1] = table.move(parameters(net), 1, nn.count(net), nn.count(model) + 1,
      parameters(model))
  end
  core.threads(before)
  for i = 2, 3 do
    same(columns[1], columns[i])
    same(weights[1], weights[i])
  end
end

tests["resumed training sees the same batches"] = function()
  local data = linear_data(10)
  local function start() return nn.linear(2, 1, {seed = 1}) end
  local whole, parts = start(), start()
  local opt = tide.optim.adam(whole, {lr = 0.1})
  train{model = whole, data = data, optimizer = opt, epochs = 1, batch = 4}
  train{model = whole, data = data, optimizer = opt, epochs = 1, batch = 4}
  opt = tide.optim.adam(parts, {lr = 0.1})
  train{model = parts, data = data, optimizer = opt, epochs = 1, batch = 4}
  local state = opt:state()
  opt = tide.optim.adam(parts, {lr = 0.1})
  opt:load_state(state)
  train{model = parts, data = data, optimizer = opt, epochs = 1, batch = 4}
  same(parameters(whole), parameters(parts))
end

tests["callback"] = function()
  local seen = {}
  local history, model = spheres{epochs = 5, callback = function(record, m)
    seen[#seen + 1] = record
    assert(m.field == nil and m.block)
    if #seen == 2 then return false end
  end}
  assert(#history == 2 and #seen == 2 and rawequal(seen[2], history[2]))
  local _, two = spheres{epochs = 2}
  same(parameters(model), parameters(two))
  check.fails("from the callback", spheres, {callback = function() error("from the callback") end})
  assert(#(spheres{epochs = 2, callback = function() return nil end}) == 2)
end

tests["a loss that is no number"] = function()
  local data = linear_data(8)
  local model, history, calls = nn.linear(2, 1, {seed = 1}), {}, 0
  local function run(bad)
    calls = 0
    train{model = model, data = data, optimizer = tide.optim.sgd(model, {lr = 0.01}), iterations = 9,
      batch = 4, record_every = 1,
      history = history, loss = function(p, y) return tide.mse(p, y) end, callback = function()
        calls = calls + 1
        if calls == 4 then model.bias[1] = bad end
      end}
  end
  for _, bad in ipairs{0 / 0, math.huge} do
    history = {}
    model = nn.linear(2, 1, {seed = 1})
    check.fails({"at iteration 5, learning rate 0.01", "model.bias holds "
      .. (bad ~= bad and "nan" or "inf")}, run, bad)
    assert(#history == 4 and #history.loss == 4 and history[4].iteration == 4
      and history.loss[4] == history[4].loss)
  end
  model = nn.linear(2, 1, {seed = 1})
  check.fails("the loss is -inf at iteration 1", train,
    {model = model, data = data, optimizer = tide.optim.sgd(model, {lr = 1}),
    epochs = 1, loss = function(p, y) return tide.mse(p, y) - math.huge end})
  -- a step that is refused leaves the parameters as they were
  assert(model.bias[1] == nn.linear(2, 1, {seed = 1}).bias[1])
end

tests["why the loss is no number"] = function()
  local x = tide.randn({8, 2}, {seed = 1})
  local model = nn.linear(2, 2, {seed = 1})
  local function with(words, o)
    local before = parameters(model)
    local opts = {model = model, data = {x = x, y = x}, optimizer = tide.optim.sgd(model, {lr = 0.1}),
      epochs = 9}
    for k, v in pairs(o) do opts[k] = v end
    check.fails(words, train, opts)
    if opts.epochs == 9 then same(parameters(model), before) end
  end
  with({"the loss is nan at iteration 1, learning rate 0.1", "data.x holds nan (element 1 of this batch)"},
    {data = {x = x / 0 * 0, y = x}})
  with({"data.y holds inf"}, {data = {x = x, y = x:abs() / 0}})
  with({"it is the loss function that gives it"}, {loss = function(p) return (p - p):log():sum() end})
  with({"the training has diverged; lower the learning rate"},
    {optimizer = tide.optim.sgd(model, {lr = 1e25}), epochs = 10})
end

tests["a gradient that is no number"] = function()
  local model = nn.linear(1, 1, {seed = 1})
  local opt = tide.optim.adam(model)
  local before = parameters(model)
  check.in_folder(function(folder)
    local file = folder .. "/c.npz"
    check.fails({"tide.train: iteration 1, learning rate 0.001, loss 0: the gradient of bias[1] is nan",
      "Weights and moments are as before"}, train,
      {model = model, data = {x = tide.zeros{8, 1}, y = tide.zeros{8, 1}}, optimizer = opt, epochs = 1,
        checkpoint = file,
        loss = function(p, y) return (p * 0 - y):square():sum(2):sqrt():mean() end})
    same(parameters(model), before)
    same(parameters(tide.load(file).model), before)
    assert(opt.steps == 0 and opt.slots.m[1]:abs():max():item() == 0)
  end)
  -- weights that would overflow
  local wide = nn.linear(1, 1, {seed = 1})
  check.fails({"tide.train: iteration 1", "would make", "lower the learning rate (now 1e+38)"}, train,
    {model = wide, loss = "mse", epochs = 1,
    data = {x = tide.ones{4, 1}, y = tide.full({4, 1}, 1e3)}, optimizer = tide.optim.sgd(wide, {lr = 1e38})})
  same(parameters(wide), parameters(nn.linear(1, 1, {seed = 1})))
end

tests["a learning rate that changes during training counts"] = function()
  local data = linear_data(16)
  local function run(o)
    local model = nn.linear(2, 1, {seed = 1})
    o.model, o.data, o.batch, o.iterations, o.record_every = model, data, 4, 6, 1
    o.optimizer = tide.optim.sgd(model, {lr = o.lr})
    o.lr = nil
    train(o)
    return parameters(model)
  end
  local function rate(step) return step <= 3 and 0.1 or 0.01 end
  local scheduled = run{lr = rate}
  same(scheduled, run{lr = 0.1, callback = function(r, _, opt)
    if r.iteration == 3 then opt.lr = 0.01 end
  end})
  assert(scheduled[1] ~= run{lr = 0.1}[1])
  -- beside an adaption too
  local model = nn.odenet{dim = 2, hidden = 4, seed = 1, solver = {method = "euler", steps = 4}}
  local opt, rates = tide.optim.adam(model, {lr = 0.1}), {}
  train{model = model, data = tide.data.spheres{inner = 8, outer = 16, seed = 1}, optimizer = opt,
    iterations = 4, batch = 8, record_every = 1,
    loss = "smooth_l1", adaption = tide.step_adaption.new{model = model, x = tide.randn{4, 2}},
    callback = function(_, m)
      rates[#rates + 1] = parameters(m)
      opt.lr = 0
    end}
  same(rates[2], rates[4])
  same(rates[1], rates[4])
end

tests["an optimizer of another model"] = function()
  local a, b = nn.linear(1, 1, {seed = 1}), nn.linear(1, 1, {seed = 2})
  local data = {x = tide.ones{8, 1}, y = tide.ones{8, 1}}
  check.fails({"tide.train: the optimizer was made for another model", "model.bias",
    "tide.optim.adam(model, ...)"}, train,
    {model = a, data = data, optimizer = tide.optim.adam(b), epochs = 1})
  local opt = tide.optim.adam(a)
  a.extra = tide.ones{1}
  check.fails("does not hold model.extra", train, {model = a, data = data, optimizer = opt, epochs = 1})
  check.fails("the optimizer holds 5 tensors, the model has 2", train,
    {model = b, data = data, optimizer = tide.optim.adam{b.bias, b.weight, a}, epochs = 1})
  train{model = a, data = data, optimizer = {step = function() end}, epochs = 1} -- one of the user's own
end

tests["a failed solve says where"] = function()
  local function chain(solver)
    return nn.chain{nn.odeblock(nn.mlp{sizes = {2, 4, 2}, seed = 1}),
      nn.odeblock(nn.mlp{sizes = {2, 4, 2}, seed = 1}, solver), nn.linear(2, 2, {seed = 1})}
  end
  local x = tide.randn({6, 2}, {seed = 1})
  local function fails(words, model, loss)
    check.fails(words, train,
      {model = model, data = {x = x, y = x}, optimizer = tide.optim.sgd(model, {lr = 0.25}), epochs = 1,
        loss = loss or "mse"})
  end
  fails({"tide.train: iteration 1, learning rate 0.25, in the ODE block model[2]: odeint:", "max_steps at t"},
    chain{max_steps = 1})
  fails({"in the ODE block model.block: odeint:"}, nn.odenet{dim = 2, out = 2, solver = {max_steps = 1}})
  fails({"in the ODE block model: odeint:"}, nn.odeblock(nn.mlp{sizes = {2, 2}}, {max_steps = 1}))
  fails({"in the loss function: odeint: step size underflow"}, chain(), function(p)
    return tide.odeint(function(_, u) return u * u end, 1 + p:square(), {0, 100})[2]:sum()
  end)
  -- outside of a training nothing is added
  assert(not check.fails("odeint:", chain{max_steps = 1}, x):find("tide.train", 1, true))
end

tests["labels, and calls that are no calls"] = function()
  local model, x = nn.mlp{sizes = {2, 4, 3}, seed = 1}, tide.randn({6, 2}, {seed = 1})
  local int64 = {dtype = "int64"}
  for words, y in pairs{['write y = y:to("int64")'] = tide.tensor{1, 2, 3, 1, 2, 3},
    ["write y = y + 1"] = tide.tensor({0, 1, 2, 0, 1, 2}, int64),
    ["write y = y:reshape{-1}"] = tide.ones({6, 1}, int64), ["write y = y:argmax(2)"] = tide.ones{6, 3},
    ["data.y holds the class -1"] = -tide.ones({6}, int64),
    ["label 4"] = tide.tensor({1, 2, 3, 1, 2, 4}, int64), ["data.x has 6 samples, data.y 5"] = tide.ones({5},
      int64)} do
    check.fails(words, train, {model = model, data = {x = x, y = y}, optimizer = "adam", epochs = 1,
      loss = "cross_entropy"})
    check.fails(words, tide.evaluate, model, {x = x, y = y})
  end
  local data = {x = x, y = tide.ones({6}, int64)}
  for _, arguments in ipairs{{model, data}, {model}, {data, "adam"}, {3}} do
    check.fails({"tide.train: expected a table of options", "tide.train{model = model, data = data, "
      .. "optimizer ="}, tide.train, table.unpack(arguments))
  end
  check.fails("model must be called as model(x), got a table", train,
    {model = {w = x}, data = data, optimizer = "adam", epochs = 1})
  check.fails("data.y is nil", train, {model = model, data = {x = x}, optimizer = "adam", epochs = 1})
  check.fails("epochs must be >= 1, got 0", train, {model = model, data = data, optimizer = "adam",
    epochs = 0})
end

tests["checkpoint names and files that cannot be"] = function()
  local model, data = nn.linear(2, 1, {seed = 1}), linear_data(6)
  local before, batches = parameters(model), 0
  local function with(name)
    return train{model = model, data = data, optimizer = "adam", epochs = 1, checkpoint = name,
      loss = function(p, y)
      batches = batches + 1
      return tide.mse(p, y)
    end}
  end
  check.in_folder(function(folder, write)
    check.fails("cannot open its folder", with, folder .. "/none/c.npz")
    check.fails("checkpoint must be the name of a .npz or .safetensors file", with, folder .. "/c.txt")
    write("c.npz", "garbage")
    check.fails({"tide.train: the checkpoint", "cannot be read (cannot read", "remove it to start anew"},
      with, folder .. "/c.npz")
    local file <close> = io.open(folder .. "/c.npz", "rb")
    assert(file:read("a") == "garbage" and batches == 0)
    same(parameters(model), before)
    -- options that another run began with
    local function resumed(rate)
      return train{model = model, data = data, optimizer = tide.optim.sgd(model, {lr = rate}),
        epochs = rate == 0.5 and 1 or 2, checkpoint = folder .. "/d.npz"}
    end
    resumed(0.5)
    check.fails({"belongs to another training: it has lr=0.5, this one has lr=0.25"}, resumed, 0.25)
  end)
end

tests["a checkpoint from before an option that is off"] = function()
  local difference = require "tide.train.checkpoint".difference
  assert(difference("lr=0.5", "amsgrad=false lr=0.5") == nil)
  assert(difference("amsgrad=false lr=0.5", "lr=0.5") == nil)
  assert(difference("lr=0.5", "amsgrad=true lr=0.5") == "it has nothing else, this one has amsgrad=true")
  assert(difference("amsgrad=true", "amsgrad=false") == "it has amsgrad=true, this one has nothing else")
end

tests["a solve that fails"] = function()
  check.fails("max_steps", spheres, {solver = {max_steps = 1}})
end

tests["solver options for the calls of the model"] = function()
  local history = spheres{epochs = 1, solver = {method = "euler", steps = 5}}
  assert(history[1].nfe_forward == 5)
  local _, model = spheres{epochs = 1}
  local data = tide.data.spheres{inner = 3, outer = 7}
  local result = tide.evaluate(model, data, {loss = "mse", solver = {method = "euler", steps = 4}, batch = 5})
  assert(result.nfe == 4)
end

tests["misuse"] = function()
  local model, data = nn.linear(2, 1), linear_data(6)
  local function with(o)
    local opts = {model = model, data = data, optimizer = "adam", epochs = 1, quiet = true}
    for k, v in pairs(o) do opts[k] = v end
    for k, v in pairs(opts) do if v == "nothing" then opts[k] = nil end end
    return tide.train(opts)
  end
  check.fails("tide.train: expected a table of options, got nil", tide.train)
  check.fails('tide.train: unknown option "epoch" (did you mean "epochs"?)', with, {epoch = 3})
  check.fails("tide.train: option model is missing", with, {model = "nothing"})
  check.fails("tide.train: option data is missing", with, {data = "nothing"})
  check.fails("tide.train: option optimizer is missing", with, {optimizer = "nothing"})
  check.fails("give epochs or iterations, one of them", with, {epochs = "nothing"})
  check.fails("give epochs or iterations, one of them", with, {iterations = 3})
  check.fails("epochs must be >= 1, got 0", with, {epochs = 0})
  check.fails("option epochs must be an integer, got 1.5", with, {epochs = 1.5})
  check.fails("batch must be >= 1, got 0", with, {batch = 0})
  check.fails('unknown optimizer "adma"', with, {optimizer = "adma"})
  check.fails("optimizer must be one of tide.optim or its name, got 3", with, {optimizer = 3})
  check.fails("the loss function must return a scalar tensor, got nil", with, {loss = function() end})
  check.fails('unknown loss "mses" (did you mean "mse"?)', with, {loss = "mses"})
  check.fails("data must be a table {x = tensor, y = tensor}", with, {data = {x = data.x}})
  check.fails("data must be a table", with, {data = {x = {1}, y = {2}}})
  check.fails("data.x has 6 samples, data.y 5", with, {data = {x = data.x, y = data.y:slice(1, 1, 5)}})
  check.fails("the data set is empty", with, {data = {x = tide.zeros{0, 2}, y = tide.zeros{0, 1}}})
  check.fails("prediction and target must have one shape, got {6, 1} and {6}", with,
    {data = {x = data.x, y = data.y:reshape{-1}}})
  check.fails("the function must return a scalar, got shape {6, 1}", with, {loss = function(p) return p end})
  check.fails("x must have 2 features on its last axis", with, {data = {x = tide.ones{6, 3}, y = data.y}})
  check.fails("option callback must be a function, got 3", with, {callback = 3})
  check.fails("test_train.lua:", function() local h = tide.train{model = model} return h end)
  check.fails("data must be a table", tide.evaluate, model, {})
  check.fails('tide.evaluate: unknown option "bach" (did you mean "batch"?)', tide.evaluate, model, data,
    {bach = 1})
  check.fails('tide.evaluate: unknown loss "crossentropy" (did you mean "cross_entropy"?)', tide.evaluate,
    model, data,
    {loss = "crossentropy"})
  check.fails("write y = y:reshape{-1}", tide.evaluate, model, data)
end

tests["options of the optimizer, a list, a solve that fails later"] = function()
  local model = nn.linear(2, 1, {seed = 1})
  local data = {x = tide.ones{4, 2}, y = tide.ones{4, 1}}
  for _, name in ipairs{"lr", "learning_rate", "weight_decay"} do
    check.fails({name .. " belongs to the optimizer", "tide.optim.adam(model, {lr = 1e-3})"}, tide.train,
      {model = model, data = data, epochs = 1, optimizer = "adam", [name] = 0.1})
  end
  check.fails({"options have names", "tide.train{model = model"}, tide.train, {model, data})
  check.fails({"got a function", "tide.optim.adam(model"}, tide.train,
    {model = model, data = data, epochs = 1, optimizer = tide.optim.adam})
  check.fails("a table that holds its tensors", tide.train,
    {model = function(x) return model(x) end, data = data, epochs = 1, optimizer = "adam"})
  check.fails("option optimizer is missing", tide.train, {model = model, data = data, epochs = 1})
  local net = nn.odenet{dim = 2, seed = 1, solver = {rtol = 1e-3, atol = 1e-3, max_steps = 50}}
  check.fails({"max_steps", "earlier iterations did not fail", "a lower learning rate"}, tide.train,
    {model = net, data = data, epochs = 20, optimizer = tide.optim.sgd(net, {lr = 1e3}), quiet = true})
end

return tests
