--- tide.train beyond pairs {x, y}: losses of (model, batch), any data, validation, early stopping, the best
-- weights, clipping, accumulation, schedules, callbacks, and that all of it resumes with the same bits.
local check = require "check"
local tide = require "tide"
local nn, optim = tide.nn, tide.optim
local schedule = optim.schedule

local function data(n, seed)
  local x = tide.randn({n, 2}, {seed = seed or 1, dtype = "float64"})
  return {x = x, y = x:slice(2, 1, 1) * 2 - x:slice(2, 2, 2) + tide.randn({n, 1}, {seed = 9,
    dtype = "float64"}) * 0.1}
end

local function model(seed) return nn.mlp{sizes = {2, 4, 1}, act = "tanh", seed = seed or 1,
  dtype = "float64"} end

local function train(o)
  o.quiet = true
  o.optimizer = o.optimizer or optim.adam(o.model, {lr = 0.05})
  return tide.train(o)
end

local function weights(m)
  local list = {}
  for i, x in ipairs(tide.tree.tensors(m, true)) do list[i] = x:reshape{-1} end
  return tide.cat(list):totable()
end

local function same(a, b)
  assert(#a == #b, ("%d and %d numbers"):format(#a, #b))
  for i, v in ipairs(a) do assert(v == b[i], ("number %d: %.17g and %.17g"):format(i, v, b[i])) end
end

local function near(a, b, tolerance)
  assert(#a == #b)
  for i, v in ipairs(a) do check.near(v, b[i], tolerance) end
end

local tests = {}

tests["a loss of (model, batch) is the same training as one of (prediction, y) and one by name"] = function()
  local set, found = data(20), {}
  for i, loss in ipairs{"mse", function(p, y) return tide.mse(p, y) end,
    function(m, b) return tide.mse(m(b.x), b.y) end} do
    local m = model()
    local history = train{model = m, data = set, loss = loss, batch = 8, epochs = 3}
    found[i] = weights(m)
    check.near(history.loss[3], train{model = model(), data = set, loss = "mse", batch = 8,
      epochs = 3}.loss[3], 0)
  end
  same(found[1], found[2])
  same(found[1], found[3])
end

tests["accuracy by the sign of logits for targets 0/1, of each place for labels of images"] = function()
  local x = tide.randn({60, 2}, {seed = 1})
  local set = {x = x, y = x:slice(2, 1, 1):gt(0)}
  local m = nn.mlp{sizes = {2, 8, 1}, seed = 1}
  local history = train{model = m, data = set, loss = "binary_cross_entropy", epochs = 40}
  assert(history[#history].accuracy > 0.95 and history[1].loss > history[#history].loss)
  check.near(tide.evaluate(m, set, {loss = "binary_cross_entropy"}).accuracy,
    m(x):gt(0):eq(set.y):to("float32"):mean():item(), 1e-7)
  assert(not train{model = m, data = {x = x, y = set.y:to("float32") * 0.5}, loss = "binary_cross_entropy",
    epochs = 1}[1].accuracy)
  local images = {x = tide.randn({4, 1, 3, 3}, {seed = 2}), y = tide.ones({4, 3, 3}, {dtype = "int64"})}
  local pixels = train{model = nn.conv2d(1, 2, 1, {seed = 1}), data = images, loss = "cross_entropy",
    epochs = 1}[1].accuracy
  assert(pixels >= 0 and pixels <= 1, pixels)
end

tests["labels are no accuracy where a loss of (model, batch) makes no prediction"] = function()
  local set, m = {x = tide.randn({6, 3}, {seed = 1}), y = tide.ones({6}, {dtype = "int64"})}, nn.linear(3, 2)
  local function loss(net, b) return tide.cross_entropy(net(b.x), b.y) end
  local history = train{model = m, data = set, validation = set, loss = loss, epochs = 2}
  assert(not history.accuracy and not history.val_accuracy, tostring(history))
  assert(not tide.evaluate(m, set, {loss = loss}).accuracy)
end

tests["numbers beside the loss are columns, means over the samples"] = function()
  local set, m = data(10), model()
  local seen = {}
  local history = train{model = m, data = set, batch = 4, epochs = 1, shuffle = false,
    optimizer = optim.sgd(m, {lr = 0}), callback = function(r) seen[#seen + 1] = r.size end,
    loss = function(net, b)
      local miss = net(b.x) - b.y
      return (miss * miss):mean(), {size = b.y:abs():mean(), bias = miss:mean()}
    end}
  check.near(history.size[1], set.y:abs():mean():item(), 1e-12)
  check.near(history.bias[1], (m(set.x) - set.y):mean():item(), 1e-12)
  assert(seen[1] == history.size[1] and history.accuracy == nil)
  local result = tide.evaluate(m, set, {batch = 4, loss = function(net, b)
    return tide.mse(net(b.x), b.y), {size = b.y:abs():mean()}
  end})
  check.near(result.size, history.size[1], 1e-12)
  check.near(result.loss, history.loss[1], 1e-12)
end

tests["data without y: a tensor, a table, a list, a function of the iteration"] = function()
  local x = data(12).x
  local function rebuilt(net, z) return tide.mse(net(z), z:slice(2, 1, 1)) end
  local found = {}
  for i, case in ipairs{{x, function(net, b) return rebuilt(net, b) end},
    {{x = x, note = "kept"}, function(net, b)
      assert(b.note == "kept")
      return rebuilt(net, b.x)
    end}, {{{x}, {x, 3}}, function(net, b) return rebuilt(net, b[2][1]) end}} do
    local m = model()
    train{model = m, data = case[1], loss = case[2], batch = 5, epochs = 2}
    found[i] = weights(m)
  end
  same(found[1], found[2])
  same(found[1], found[3])
  local asked, m = {}, model()
  train{model = m, iterations = 4, loss = rebuilt, data = function(i)
    asked[#asked + 1] = i
    return x:slice(1, i, i + 2)
  end}
  same(asked, {1, 2, 3, 4})
end

tests["accumulated batches are one large batch"] = function()
  for _, n in ipairs{24, 21} do -- 21: the last update has two batches, the second of 1 sample
    local set, one, many = data(n), model(), model()
    local a = train{model = one, data = set, batch = 12, epochs = 3, loss = "mse"}
    local b = train{model = many, data = set, batch = 4, accumulate = 3, epochs = 3, loss = "mse"}
    near(weights(one), weights(many), 1e-13)
    near(a.loss, b.loss, 1e-13)
    assert(#a == 3 and #b == 3 and b[3].iteration == 6 and b[3].epoch == 3)
  end
end

tests["clipping by norm and by value"] = function()
  local set = data(16)
  local function moved(clip)
    local m = model()
    local before = weights(m)
    train{model = m, data = set, batch = 16, iterations = 1, clip = clip, optimizer = optim.sgd(m, {lr = 1})}
    local out = {}
    for i, v in ipairs(weights(m)) do out[i] = before[i] - v end
    return out
  end
  local whole, norm = moved(nil), 0
  for _, v in ipairs(whole) do norm = norm + v * v end
  norm = norm ^ 0.5
  local wanted, cut = {}, {}
  for i, v in ipairs(whole) do
    wanted[i] = v * math.min(1, 0.1 / (norm + 1e-6))
    cut[i] = math.max(-0.05, math.min(0.05, v))
  end
  near(moved{norm = 0.1}, wanted, 1e-12)
  near(moved{norm = 100}, whole, 1e-12)
  near(moved{value = 0.05}, cut, 1e-12)
end

tests["validation: columns as tide.evaluate gives, and no other training"] = function()
  local set, held, plain, m = data(20), data(11, 2), model(), model()
  local function noisy(net, b) return tide.mse(net(b.x + tide.randn(b.x:shape(),
    {dtype = "float64"}) * 0.01), b.y) end
  tide.seed(4)
  train{model = plain, data = set, loss = noisy, batch = 8, epochs = 4}
  tide.seed(4)
  local history = train{model = m, data = set, loss = noisy, batch = 8, epochs = 4, validation = held,
    validate_every = 6}
  same(weights(plain), weights(m))
  local at = {}
  for i, r in ipairs(history) do at[i] = ("%d %s"):format(r.iteration, r.val_loss ~= nil) end
  assert(table.concat(at, ", ") == "3 false, 6 true, 9 false, 12 true", table.concat(at, ", "))
  history = train{model = m, data = set, loss = "mse", batch = 8, epochs = 1, validation = held}
  check.near(history.val_loss[1], tide.evaluate(m, held, {loss = "mse"}).loss, 1e-13)
end

tests["early stopping waits, and the best weights come back"] = function()
  local set, m, kept, i = data(8), model(), {}, 0
  local values = {3, 2, 2.5, 1, 1, 0 / 0, 4, 0}
  local history = train{model = m, data = set, batch = 8, epochs = 8, keep_best = true,
    early_stop = {by = "mark", patience = 3},
    loss = function(net, b) return tide.mse(net(b.x), b.y), {mark = b.y:sum() * 0} end,
    on_step = function() end, validation = nil,
    callback = function(record, net)
      i = i + 1
      kept[i] = weights(net)
      record.callback_value = values[i]
    end}
  assert(#history == 4, #history) -- a mark that never gets better: the first and three more
  same(weights(m), kept[1])
  assert(history.best.iteration == 1 and history.best.mark == 0)
  -- by the validation, of a training that gets worse on purpose
  m = model()
  local best, worst = math.huge, nil
  history = train{model = m, data = set, batch = 8, epochs = 30, validation = data(8, 5), keep_best = true,
    optimizer = optim.sgd(m, {lr = 0.3, momentum = 0.97}), loss = "mse"}
  for _, v in ipairs(history.val_loss) do best, worst = math.min(best, v), v end
  assert(best < worst, "the training does not get worse, so this shows nothing")
  check.near(tide.evaluate(m, data(8, 5), {loss = "mse"}).loss, best, 1e-12)
  assert(history.best.val_loss == best)
end

tests["schedules"] = function()
  local function rates(s, n)
    local out = {}
    for k = 1, n do out[k] = s(k) end
    return out
  end
  near(rates(schedule.cosine{lr = 1, steps = 4, final = 0.2}, 6), {1, 0.6 + 0.4 * 0.5 ^ 0.5, 0.6,
    0.6 - 0.4 * 0.5 ^ 0.5, 0.2, 0.2}, 1e-15)
  near(rates(schedule.step{lr = 1, every = 2, factor = 0.5}, 5), {1, 1, 0.5, 0.5, 0.25}, 0)
  near(rates(schedule.warmup{lr = 1, steps = 4}, 5), {0.25, 0.5, 0.75, 1, 1}, 0)
  near(rates(schedule.warmup{lr = 1, steps = 2, next = schedule.step{lr = 1, every = 1}}, 4), {0.5, 1, 1,
    0.1}, 1e-17)
  local cycle = rates(schedule.one_cycle{lr = 1, steps = 10}, 12)
  near({cycle[1], cycle[2], cycle[3], cycle[10], cycle[12]}, {0.04, 0.52, 1, 4e-6, 4e-6}, 1e-15)
  for k = 4, 10 do assert(cycle[k] < cycle[k - 1]) end
  local s, opt = schedule.plateau{patience = 1, factor = 0.5, cooldown = 1, least = 0.3}, {lr = 1}
  local seen = {}
  for i, v in ipairs{5, 5, 5, 5, 5, 5, 5, 4} do
    s:observe({val_loss = v}, opt)
    seen[i] = opt.lr
  end
  same(seen, {1, 1, 0.5, 0.5, 0.5, 0.3, 0.3, 0.3})
  check.fails("have no column \"val_loss\"; they have loss", function()
    schedule.plateau{}:observe({loss = 1}, opt)
  end)
  local m = model()
  local history = train{model = m, data = data(8), batch = 8, epochs = 6, loss = "mse",
    optimizer = optim.sgd(m, {lr = 0}), schedule = schedule.plateau{by = "loss", patience = 1},
    callback = function(r, _, o) r.lr = o.lr end}
  assert(history.lr[6] == 0)
  local function rates_of(lr, more)
    local o = {model = model(), data = data(8), batch = 8, epochs = 4, loss = "mse", quiet = true}
    o.optimizer, o.schedule = optim.sgd(o.model, {lr = lr}), more
    o.callback = function(r, _, sgd) r.lr = sgd.lr(r.iteration) end
    return train(o).lr
  end
  local falling = schedule.cosine{lr = 1, steps = 4}
  same(rates_of(0.5, falling), rates_of(falling))
  check.fails("schedule.cosine: option steps is missing", schedule.cosine, {lr = 1})
end

tests["on_step may stop, on_end sees the end"] = function()
  local m, steps, ended = model(), {}, 0
  local history = train{model = m, data = data(8), batch = 4, epochs = 9, loss = "mse",
    on_step = function(i, net, opt, loss)
      assert(net == m and opt.lr == 0.05 and loss > 0)
      steps[#steps + 1] = i
      return i < 5
    end,
    on_end = function(h, net) ended = #h + (net == m and 0 or 100) end}
  same(steps, {1, 2, 3, 4, 5})
  assert(#history == 3 and history[3].iteration == 5 and ended == 3)
end

tests["everything resumes with the same bits"] = function()
  check.in_folder(function(folder)
    local set, held = data(21), data(9, 2)
    local function run(m, path, last)
      tide.seed(3)
      local opt = optim.adam(m, {lr = 0.05})
      return train{model = m, data = set, batch = 4, accumulate = 2, epochs = 8, validation = held,
        clip = {norm = 0.5},
        early_stop = {patience = 6}, keep_best = true, optimizer = opt, checkpoint = path,
          checkpoint_every = 0,
        schedule = schedule.plateau{patience = 0, threshold = 0.2, factor = 0.5},
        loss = function(net, b)
          local noise = tide.randn(b.x:shape(), {dtype = "float64"}) * 0.01
          return tide.mse(net(b.x + noise), b.y), {size = noise:abs():mean()}
        end,
        on_step = function(i) if i == last then error("cut off", 0) end end,
        callback = function(r, _, o) r.lr = o.lr end}
    end
    local whole, cut = model(), model()
    local a = run(whole, folder .. "/a.npz")
    for _, last in ipairs{1, 8, 17} do check.fails("cut off", run, cut, folder .. "/b.npz", last) end
    cut = model(7) -- all comes from the file
    local b = run(cut, folder .. "/b.npz")
    same(weights(whole), weights(cut))
    for _, name in ipairs{"loss", "size", "val_loss", "lr", "iteration"} do same(a[name], b[name]) end
    assert(a.best.iteration == b.best.iteration and a.best.val_loss == b.best.val_loss and a.lr[#a] < a.lr[1])
    local other = model()
    check.fails("belongs to a training with early_stop or keep_best, this one is without", train,
      {model = other,
      data = set, batch = 4, accumulate = 2, epochs = 8, checkpoint = folder .. "/a.npz",
      loss = function(net, batch) return tide.mse(net(batch.x), batch.y) end, schedule = schedule.plateau{}})
  end)
end

tests["data.split and data.batches"] = function()
  local x = tide.arange(1, 10):reshape{10, 1}
  local a, b = tide.data.split({x = x, y = x * 2, name = "n"}, {0.7, 0.3}, {seed = 2})
  assert(#a.x == 7 and #b.x == 3 and a.name == "n")
  local all = tide.cat{a.x, b.x}:reshape{-1}:totable()
  table.sort(all)
  same(all, x:reshape{-1}:totable())
  same(a.y:reshape{-1}:totable(), (a.x * 2):reshape{-1}:totable())
  local first, second, third = tide.data.split(x, {5, 4, 1}, {shuffle = false})
  same(second:reshape{-1}:totable(), x:slice(1, 6, 9):reshape{-1}:totable())
  assert(#first == 5 and #third == 1)
  local m, seen, mine = model(), {}, {}
  local set = data(10)
  train{model = m, data = set, batch = 4, epochs = 2, seed = 5, loss = function(net, batch)
    return tide.mse(net(batch.x), batch.y), {mark = batch.x:sum()}
  end, record_every = 1, callback = function(r) seen[#seen + 1] = r.mark end}
  for epoch = 1, 2 do
    for i, batch in tide.data.batches(set, {batch = 4, seed = 5, epoch = epoch}) do
      assert(i == #mine % 3 + 1)
      mine[#mine + 1] = batch.x:sum():item()
    end
  end
  near(seen, mine, 1e-14)
  check.fails("the parts add up to 0.9", tide.data.split, x, {0.5, 0.4})
  local most, rest = tide.data.split(x, 0.7)
  assert(#most == 7 and #rest == 3)
  check.fails("parts must be a list", tide.data.split, x, 1.5)
  check.fails("data holds no tensor", tide.data.split, {}, {1})
  check.fails('unknown option "size"', tide.data.batches, x, {size = 3})
end

tests["numbers beside a loss of (prediction, y) are columns, too"] = function()
  local m, set = model(), data(8)
  local history = train{model = m, data = set, batch = 4, epochs = 1, validation = set,
    loss = function(p, y) return tide.mse(p, y), {off = (p - y):mean()} end}
  assert(type(history.off[1]) == "number")
  check.near(history.val_off[1], (m(set.x) - set.y):mean():item(), 1e-12)
end

tests["between records the progress shows running means, and what the last record has beside"] = function()
  local records = require "tide.train.records"
  local sums = records.empty()
  records.add(sums, 4, 0.5, {extra = tide.tensor(2)}, 3, {nfe = 10, nfe_backward = 12})
  records.add(sums, 4, 1.5, {extra = tide.tensor(4)}, 4, {nfe = 12, nfe_backward = 14})
  local shown = {}
  for i, pair in ipairs(records.running(sums, {val_loss = 7, loss = 9, seconds = 1, iteration = 3})) do
    shown[i] = pair[1] .. " " .. pair[2]
  end
  assert(table.concat(shown, ", ") == "loss 1, acc 0.875, nfe 11+13, extra 3, val_loss 7",
    table.concat(shown, ", "))
end

tests["early_stop by a number; a model that is a plain table is evaluated; batches are data"] = function()
  local set = data(8)
  local m = model()
  local history = train{model = m, data = set, loss = "mse", batch = 8, epochs = 50, early_stop = 2,
    optimizer = optim.sgd(m, {lr = 0})}
  assert(#history == 3)
  local plain = {w = tide.zeros({2, 1}, {dtype = "float64"})}
  local function loss(p, b) return tide.mse(b.x:matmul(p.w), b.y) end
  check.near(tide.evaluate(plain, set, {loss = loss}).loss, set.y:square():mean():item(), 1e-12)
  check.fails("model must be called as model(x)", tide.evaluate, plain, set, {loss = "mse"})
  local one, other = {w = plain.w:clone()}, {w = plain.w:clone()}
  train{model = one, data = set, loss = loss, batch = 3, epochs = 2, seed = 4}
  train{model = other, data = tide.data.batches(set, {batch = 3, seed = 4}), loss = loss, iterations = 6}
  same(weights(one), weights(other))
end

tests["misuse"] = function()
  local set = data(8)
  local function with(o)
    local m = model()
    local opts = {model = m, data = set, epochs = 1, batch = 4, loss = "mse"}
    for k, v in pairs(o) do opts[k] = v end
    return train(opts)
  end
  local function own(m, b) return tide.mse(m(b.x), b.y) end
  check.fails("clip needs norm or value", with, {clip = {}})
  check.fails("write clip = {norm = 1}", with, {clip = 1})
  check.fails("tide.data.split(data, {0.8, 0.2})", with, {validation = 0.2})
  check.fails("a plateau is for tide.train{schedule", optim.adam, model(), {lr = schedule.plateau{}})
  check.fails('unknown option "norms" (did you mean "norm"?)', with, {clip = {norms = 1}})
  check.fails("validate_every needs validation", with, {validate_every = 2})
  check.fails("data is a function of the iteration and has no epochs", with, {data = function() end,
    loss = own})
  check.fails("need a loss of (model, batch)", with, {data = function() end})
  check.fails("tide.train: batch 1: data holds no tensor, got nil", tide.train, {model = model(),
    quiet = true,
    optimizer = "adam", data = function() end, loss = own, iterations = 2})
  check.fails("data.a has 8 samples, data.b 7", with, {data = {a = set.x, b = set.x:slice(1, 1, 7)},
    loss = own})
  check.fails("data.x is a scalar", with, {data = {x = tide.tensor(3.0)}, loss = own})
  check.fails("there is no column \"val_los\"", with, {keep_best = "val_los", validation = set})
  check.fails("early_stop goes by loss, keep_best by val_loss", with, {keep_best = "val_loss",
    validation = set,
    early_stop = {by = "loss"}})
  check.fails({"mark beside the loss must be a scalar float tensor", "is not computed anew"}, with,
    {data = {set.x}, loss = function(m, b) return m(b[1]):sum(), {mark = 3} end})
  check.fails('names a number "loss"', with, {data = {set.x}, loss = function(m, b)
    return m(b[1]):sum(), {loss = m(b[1]):sum()}
  end})
  check.fails({"attempt to call", "as loss(model, batch)", "wrong here"}, with, {loss = function(m, b)
    if type(m) == "table" then error("wrong here") end
    return m(b)
  end})
  check.fails("accumulate must be >= 1", with, {accumulate = 0})
  check.fails("adaption compares predictions", with, {loss = own,
    adaption = tide.step_adaption.new{value = 4}})
end

return tests
