--- The training loop: shuffled batches, one compiled step, records of loss, accuracy and evaluation counts.

local core = require "tide.core"
local autodiff = require "tide.tensor.autodiff"
local checkpoint = require "tide.train.checkpoint"
local ode = require "tide.ode"
local one_step = require "tide.train.one_step"
local optim = require "tide.train.optim"
local options = require "tide.base.options"
local progress = require "tide.base.progress"
local tensor = require "tide.tensor"
local faults = require "tide.train.faults"
local tree = require "tide.base.tree"
local windows = require "tide.train.windows"

local M = {}
local raise = core.raise

local losses = {mse = tensor.mse, smooth_l1 = tensor.smooth_l1, cross_entropy = tensor.cross_entropy}

-- Of a model of a density, whose predictions are log p(x).
function losses.nll(log_p) return -log_p:mean() end

local function find_loss(where, loss)
  if type(loss) == "function" then return loss end
  if not losses[loss] then
    raise(("%s: %s"):format(where, options.unknown("loss", loss, options.sorted_keys(losses))))
  end
  return losses[loss]
end

-- How many predictions are right: the largest logit for class labels, the sign for targets -1/+1. nil when
-- neither makes sense.
local function counter(y, loss)
  if loss == "nll" then return nil end
  if y:dtype() == "int64" then
    return function(prediction, target) return prediction:argmax(2):eq(target):to("float32"):sum():item() end
  end
  if y:numel() > 0 and y:abs():ne(1):to("float32"):sum():item() == 0 then
    return function(prediction, target)
      return (prediction * target):gt(0):to("float32"):sum():item() / (target:numel() // #target)
    end
  end
  return nil
end

local function is_callable(v)
  local meta = getmetatable(v)
  return type(v) == "function" or type(meta) == "table" and meta.__call ~= nil
end

local function check_data(where, data, loss)
  if type(data) ~= "table" or not tree.is_tensor(data.x) or not tree.is_tensor(data.y) then
    local lack = type(data) == "table" and tree.is_tensor(data.x)
      and ("; data.y is %s"):format(options.show(data.y)) or ""
    raise(where .. ": data must be a table {x = tensor, y = tensor}, as the generators of tide.data return"
      .. lack)
  end
  for _, name in ipairs{"x", "y"} do
    if data[name]:rank() == 0 then
      raise(("%s: data.%s is a scalar; samples lie along the first axis"):format(where, name))
    end
  end
  if #data.x ~= #data.y then
    raise(("%s: data.x has %d samples, data.y %d"):format(where, #data.x, #data.y))
  end
  if #data.x == 0 then raise(where .. ": the data set is empty") end
  local fault = loss == "cross_entropy" and faults.of_labels(data.y)
  if fault then raise(("%s: %s"):format(where, fault)) end
  return data
end

local evaluate_spec = {
  batch = {"integer", default = 256, check = options.at_least(1)},
  loss = {"string|function", default = "cross_entropy"}, solver = {"table"},
}

--- evaluate(model, data, {batch=, loss=, solver=}) -> {loss=, accuracy=, nfe=}: means over all samples; nfe
-- per batch.
function M.evaluate(model, data, opts)
  if not is_callable(model) then
    raise("tide.evaluate: model must be called as model(x), got " .. options.show(model))
  end
  local o = options.check("tide.evaluate", opts, evaluate_spec)
  check_data("tide.evaluate", data, o.loss)
  local loss, count = find_loss("tide.evaluate", o.loss), counter(data.y, o.loss)
  local call = o.solver and {solver = o.solver} or nil
  local forward = autodiff.compile(function(m, x, y)
    local prediction = m(x, call)
    return prediction, loss(prediction, y)
  end)
  local total, right, batches, n, nfe = 0, 0, 0, #data.x, 0
  for first = 1, n, o.batch do
    local last = math.min(first + o.batch - 1, n)
    local y = data.y:slice(1, first, last)
    local stats, prediction, value = ode.counted(forward, model, data.x:slice(1, first, last), y)
    nfe = nfe + stats.nfe
    total = total + value:item() * (last - first + 1)
    if count then right = right + count(prediction, y) end
    batches = batches + 1
  end
  return {loss = total / n, accuracy = count and right / n or nil, nfe = nfe / batches}
end

local train_spec = {
  model = {"any", required = true}, data = {"table", required = true}, optimizer = {"any", required = true},
  loss = {"string|function", default = "mse"},
  batch = {"integer", default = 64, check = options.at_least(1)},
  epochs = {"integer", check = options.at_least(1)},
  iterations = {"integer", check = options.at_least(1)}, seed = {"integer", default = 1},
  record_every = {"integer", check = options.at_least(1)},
  drop_last = {"boolean", default = false}, shuffle = {"boolean", default = true}, solver = {"table"},
  callback = {"function"},
  quiet = {"boolean", default = false}, label = {"string"}, history = {"table"}, adaption = {"table"},
  checkpoint = {"string"}, checkpoint_every = {"number", default = 60, check = options.not_negative},
  checkpoint_config = {"string"},
}

local CALL = "tide.train{model = model, data = data, optimizer = \"adam\", epochs = 10}"

local OPTIMIZER = 'optimizer = tide.optim.adam(model, {lr = 1e-3}), or optimizer = "adam"'

-- What is no option of train and often taken for one.
local function check_slips(opts)
  if opts[1] ~= nil then
    raise(("tide.train: options have names, got a list that begins with %s; write %s"):format(
      options.show(opts[1]), CALL))
  end
  for _, name in ipairs{"lr", "learning_rate", "momentum", "betas", "weight_decay"} do
    if opts[name] ~= nil then
      raise(("tide.train: %s belongs to the optimizer; write %s"):format(name, OPTIMIZER))
    end
  end
end

-- An optimiser of this library holds the tensors that it changes: they must be those of the model.
local function check_optimizer(o)
  if type(o.optimizer) == "string" then
    if not optim[o.optimizer] then
      raise("tide.train: " .. options.unknown("optimizer", o.optimizer, options.sorted_keys(optim)))
    end
    o.optimizer = optim[o.optimizer](o.model)
  elseif type(o.optimizer) ~= "table" or not o.optimizer.step then
    raise(("tide.train: optimizer must be one of tide.optim or its name, got %s; write %s"):format(
      options.show(o.optimizer), OPTIMIZER))
  end
  local own, places = rawget(o.optimizer, "parameters"), rawget(o.optimizer, "at")
  if type(own) ~= "table" or type(places) ~= "table" then return end
  local names = tree._names(o.model)
  for i, x in ipairs(core.tree_structure(o.model)) do
    if not rawequal(x, own[places[i]]) then
      raise(("tide.train: the optimizer was made for another model: it does not hold %s; make it by "
        .. "tide.optim.%s(model, ...) when the model is complete")
        :format(faults.in_model(names[i]), o.optimizer.kind))
    end
    if #places > #names then
      raise(("tide.train: the optimizer holds %d tensors, the model has %d; make it for this model"):format(
        #places, #names))
    end
  end
end

-- The options of an optimiser as one word each; a schedule is only known to be one.
local function plain_options(optimizer)
  local out = {}
  for name, v in pairs(rawget(optimizer, "values") or {}) do
    out[name] = type(v) == "table" and table.concat(v, ",") or type(v) == "function" and "function" or v
  end
  return out
end

local function check_arguments(opts, ...)
  if type(opts) ~= "table" or select("#", ...) > 0 or is_callable(opts) then
    raise(("tide.train: expected a table of options, got %s; write %s"):format(select("#", ...) > 0
      and select("#", ...) + 1 .. " arguments"
      or is_callable(opts) and "a model" or options.show(opts), CALL))
  end
  check_slips(opts)
  local o = options.check("tide.train", opts, train_spec, 3)
  if not is_callable(o.model) then
    raise("tide.train: model must be called as model(x), got " .. options.show(o.model))
  end
  if type(o.model) == "function" then
    raise("tide.train: model must be a table that holds its tensors and can be called, as those of nn, got a "
      .. "function: whose tensors are to be trained?")
  end
  check_data("tide.train", o.data, o.loss)
  if (o.epochs == nil) == (o.iterations == nil) then
    raise("tide.train: give epochs or iterations, one of them")
  end
  check_optimizer(o)
  o.started_with = checkpoint.words(plain_options(o.optimizer))
  if o.adaption and not (o.adaption.solver and o.adaption.observe) then
    raise("tide.train: adaption must have the methods solver and observe, as those of tide.step_adaption.new "
      .. "have; got another table")
  end
  checkpoint.check_options(o)
  if o.adaption and o.adaption.window and not (o.optimizer.state and o.optimizer.load_state) then
    raise("tide.train: windows go back to earlier weights, so the optimizer must have the methods state and "
      .. "load_state, as those of tide.optim have; got a table without them")
  end
  if o.adaption and o.solver then
    raise("tide.train: give solver or adaption, not both; the adaption chooses the solver's options")
  end
  local n = #o.data.x
  o.batch = math.min(o.batch, n)
  o.per_epoch = o.drop_last and n // o.batch or (n + o.batch - 1) // o.batch
  o.total = o.iterations or o.epochs * o.per_epoch
  o.record_every = o.record_every or (o.epochs and o.per_epoch or math.max(1, o.total // 50))
  return o
end

-- Put a record at place i of the history, and its numbers into the columns: history.loss[i] is
-- history[i].loss.
local function set_record(history, i, record)
  history[i] = record
  for key, value in pairs(record) do
    history[key] = history[key] or {}
    history[key][i] = value
  end
  return record
end

-- Means of what happened since the last record.
local function new_record(sums, iteration, o, start)
  return {iteration = iteration, epoch = iteration / o.per_epoch, loss = sums.loss / sums.samples,
          accuracy = sums.right and sums.right / sums.samples or nil, nfe_forward = sums.nfe / sums.batches,
          nfe_backward = sums.nfe_backward / sums.batches,
          defect = sums.defects > 0 and sums.defect / sums.defects or nil, seconds = core.monotonic() - start}
end

local function empty_sums(count)
  return {loss = 0, samples = 0, batches = 0, nfe = 0, nfe_backward = 0, defect = 0, defects = 0,
    right = count and 0 or nil}
end

local function add_batch(sums, value, prediction, y, count, stats)
  local size = #y
  sums.loss, sums.samples, sums.batches = sums.loss + value * size, sums.samples + size, sums.batches + 1
  sums.nfe, sums.nfe_backward = sums.nfe + stats.nfe, sums.nfe_backward + stats.nfe_backward
  if stats.defect then sums.defect, sums.defects = sums.defect + stats.defect, sums.defects + 1 end
  if count then sums.right = sums.right + count(prediction, y) end
end

local function show(record)
  local fields = {{"loss", ("%.4g"):format(record.loss)}}
  if record.accuracy then fields[#fields + 1] = {"acc", ("%.3f"):format(record.accuracy)} end
  if record.nfe_forward > 0 then
    fields[#fields + 1] = {"nfe", ("%.0f+%.0f"):format(record.nfe_forward, record.nfe_backward)}
  end
  return fields
end

-- ---- the loop ----

-- Batches in the order of the training: a function of seed and epoch alone, so that a resumed run sees the
-- same ones.
local function batches(o)
  local order, epoch
  return function(i)
    local at, n = (i - 1) % o.per_epoch, #o.data.x
    local first, last = at * o.batch + 1, math.min((at + 1) * o.batch, n)
    if not o.shuffle then return o.data.x:slice(1, first, last), o.data.y:slice(1, first, last) end
    if epoch ~= (i - 1) // o.per_epoch then
      epoch = (i - 1) // o.per_epoch
      order = core.permutation(n, o.seed * 1000003 + epoch)
    end
    local positions = order:slice(1, first, last)
    return o.data.x:take(positions), o.data.y:take(positions)
  end
end

-- What a checkpoint holds and must agree in. run: where the training stands, with the sums since the last
-- record.
local function contents(o, history, run)
  return {model = o.model, optimizer = o.optimizer, adaption = o.adaption, config = o.checkpoint_config,
    history = history, run = run, total = o.total,
          optimizer_options = o.started_with,
          settings = {samples = #o.data.x, batch = o.batch, seed = o.seed, shuffle = o.shuffle,
            drop_last = o.drop_last, optimizer = o.optimizer.kind,
                      loss = type(o.loss) == "string" and o.loss or "function"}}
end

-- Go on from the checkpoint, when there is one; returns where the training stands.
local function resume(o, history, count)
  local run, records = nil, nil
  if o.checkpoint then run, records = checkpoint.read("tide.train", o.checkpoint, contents(o)) end
  if not run then return {iteration = 0, seconds = 0, stopped = false, sums = empty_sums(count)} end
  for key in pairs(history) do history[key] = nil end -- it may hold what the run that was cut off left
  for i, record in ipairs(records) do set_record(history, i, record) end
  run.sums = {loss = run.loss, samples = run.samples, batches = run.batches, nfe = run.nfe,
    nfe_backward = run.nfe_backward, defect = run.defect or 0, defects = run.defects or 0, right = run.right}
  return run
end

local function save(o, history, i, sums, start, stopped)
  local run = {iteration = i, seconds = core.monotonic() - start, stopped = stopped}
  for key, value in pairs(sums) do run[key] = value end
  checkpoint.write(o.checkpoint, contents(o, history, run))
end

-- Step number i: batch, gradient, what the adaption sees, update.
local function advance(o, t, i)
  local x, y = t.batch(i)
  local solver, pair = o.solver, nil
  if o.adaption then solver, pair = o.adaption:solver() end
  local s = {iteration = i, model = o.model, optimizer = o.optimizer, loss = t.loss, x = x, y = y,
    call = solver and {solver = solver}, second_call = pair and {solver = pair.solver}}
  local stats, number, grads, prediction, second = one_step.take(t.step_for(solver, pair), s)
  add_batch(t.sums, number, prediction, y, t.count, stats)
  if o.adaption then o.adaption:observe(i, o.model, x, y, prediction, stats.nfe, second, stats.defect) end
  one_step.update(s, grads, number)
end

-- The record of iteration i; returns whether the callback stops the training.
local function take_record(o, t, i)
  local history = t.history
  local record = set_record(history, #history + 1, new_record(t.sums, i, o, t.start))
  t.sums = empty_sums(t.count)
  t.meter:update(i, show(record), true)
  local stopped = o.callback ~= nil and o.callback(record, o.model, o.optimizer) == false
  set_record(history, #history, record) -- with what the callback added
  return stopped
end

--- train{model=, data=, optimizer=, loss=, batch=, epochs= | iterations=, seed=, ...} -> history: a list of
-- records {iteration, epoch, loss, accuracy, nfe_forward, nfe_backward, seconds}, means over the batches
-- since the record before; history.loss etc. are the columns. adaption:solver() gives the solver options of
-- the next step, adaption:observe(iteration, model, x, y, prediction, nfe, second, defect) sees each batch
-- before the parameters change (see tide.step_adaption). callback(record, model, optimizer) runs at each
-- record and may return false to stop; numbers that it adds to the record stay in the history. A loss,
-- gradient, weight or moment that is not finite and a failed solve are errors that name the iteration, with
-- weights and checkpoint as before it; the records so far are in the table given as `history`. checkpoint
-- names a file that is written at the start, every so many seconds and at the end; a training that finds it
-- goes on from there, with the same bits.
function M.train(opts, ...)
  local o = check_arguments(opts, ...)
  local loss, count, history = find_loss("tide.train", o.loss), counter(o.data.y, o.loss),
    o.history or {}
  local run = resume(o, history, count)
  local t = {loss = loss, count = count, history = history, sums = run.sums, batch = batches(o),
    step_for = one_step.by_solver(loss), start = core.monotonic() - run.seconds}
  local i, last, saved = run.iteration, run.stopped and run.iteration or o.total, core.monotonic()
  local window = windows.new(o, i, t.sums)
  -- A name that cannot be written is noticed now, not after the first minutes.
  if o.checkpoint and i < last then save(o, history, i, t.sums, t.start, false) end
  local meter <close> = progress.new{total = o.total, initial = i, label = o.label or "train", unit = "it",
    quiet = o.quiet}
  t.meter = meter
  if i > 0 then meter:log(("going on from iteration %d of %s"):format(i, o.checkpoint)) end
  while i < last do
    i = i + 1
    advance(o, t, i)
    local accepted, stopped = not window or window:judge(i, t.sums), false
    if accepted and (i % o.record_every == 0 or i == o.total) then
      stopped = take_record(o, t, i)
    else
      meter:update(i, nil, false)
    end
    -- The beginning of a window that is open is in no file.
    if accepted and o.checkpoint
      and (i == o.total or stopped or core.monotonic() - saved >= o.checkpoint_every) then
      save(o, history, i, t.sums, t.start, stopped)
      saved = core.monotonic()
    end
    if window then i, t.sums = window:next(i, t.sums) end
    if stopped then break end
  end
  return history
end

return M
