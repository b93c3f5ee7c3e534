--- The training loop: shuffled batches, one compiled step, records of loss, accuracy and evaluation counts.

local best = require "tide.train.best"
local checkpoint = require "tide.train.checkpoint"
local core = require "tide.core"
local evaluate = require "tide.train.evaluate"
local faults = require "tide.train.faults"
local looking_around = require "tide.train.looking_around"
local objective = require "tide.train.objective"
local one_step = require "tide.train.one_step"
local optim = require "tide.train.optim"
local options = require "tide.base.options"
local progress = require "tide.base.progress"
local records = require "tide.train.records"
local samples = require "tide.base.samples"
local show = require "tide.base.show"
local tree = require "tide.base.tree"
local windows = require "tide.train.windows"

local M = {evaluate = evaluate.evaluate, predict = evaluate.predict}
local raise, is_callable = core.raise, evaluate.is_callable

local train_spec = {
  model = {"any", required = true}, data = {"any", required = true}, optimizer = {"any", required = true},
  loss = {"string|function", default = "mse"},
  batch = {"integer", default = 64, check = options.at_least(1)},
  accumulate = {"integer", default = 1, check = options.at_least(1)}, clip = {"table"},
  epochs = {"integer", check = options.at_least(1)},
  iterations = {"integer", check = options.at_least(1)}, seed = {"integer", default = 1},
  record_every = {"integer", check = options.at_least(1)},
  validation = {"any"}, validate_every = {"integer", check = options.at_least(1)},
  early_stop = {"table|integer|boolean"}, keep_best = {"boolean|string"}, schedule = {"table|function"},
  drop_last = {"boolean", default = false}, shuffle = {"boolean", default = true}, solver = {"table"},
  callback = {"function"}, on_step = {"function"}, on_end = {"function"},
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
  if type(opts.clip) == "number" then
    raise(("tide.train: clip is a table: write clip = {norm = %s}, or {value = %s}"):format(opts.clip,
      opts.clip))
  end
  if type(opts.validation) == "number" then
    raise("tide.train: validation is a data set: local seen, held = tide.data.split(data, {0.8, 0.2}), then "
      .. "data = seen, validation = held")
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
    if type(optim[o.optimizer]) ~= "function" then
      raise("tide.train: " .. options.unknown("optimizer", o.optimizer, optim._names))
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

-- Options that need each other, or exclude each other.
local function check_together(o)
  if type(o.schedule) == "function" then o.optimizer.lr, o.schedule = o.schedule, nil end
  if (o.epochs == nil) == (o.iterations == nil) then
    raise("tide.train: give epochs or iterations, one of them")
  end
  if type(o.data) == "function" and o.epochs then
    raise("tide.train: data is a function of the iteration and has no epochs; give iterations")
  end
  if o.validate_every and not o.validation then
    raise("tide.train: validate_every needs validation, data to validate with")
  end
  if not o.adaption then return end
  if not (o.adaption.solver and o.adaption.observe) then
    raise("tide.train: adaption must have the methods solver and observe, as those of tide.step_adaption.new "
      .. "have; got another table")
  end
  if o.adaption.window and not (o.optimizer.state and o.optimizer.load_state) then
    raise("tide.train: windows go back to earlier weights, so the optimizer must have the methods state and "
      .. "load_state, as those of tide.optim have; got a table without them")
  end
  if o.solver then
    raise("tide.train: give solver or adaption, not both; the adaption chooses the solver's options")
  end
  for _, name in ipairs{"validation", "early_stop", "keep_best", "schedule"} do
    if o[name] then
      raise(("tide.train: %s does not go with adaption, whose solver changes from step to step; compare in "
        .. "callback"):format(name))
    end
  end
  if o.accumulate > 1 then raise("tide.train: accumulate does not go with adaption; give larger batches") end
end

-- Batches of the data and of how many an update is made; how long the training is.
local function plan(o, goal)
  if type(o.data) == "function" then
    o.total = o.iterations
    o.next_batch = function(i)
      local batch = o.data(i)
      samples.count(("tide.train: batch %d"):format(i), batch)
      return batch
    end
  else
    local set = goal:data(o.data)
    o.samples = samples.count("tide.train", set)
    o.batch = math.min(o.batch, o.samples)
    o.next_batch, o.batches = samples.source(set, o.samples, o)
    o.per_epoch = (o.batches + o.accumulate - 1) // o.accumulate
    o.total = o.iterations or o.epochs * o.per_epoch
  end
  o.record_every = o.record_every or (o.epochs and o.per_epoch or math.max(1, o.total // 50))
  o.validate_every = o.validation and (o.validate_every or o.record_every)
end

local function check_arguments(opts, ...)
  if type(opts) ~= "table" or select("#", ...) > 0 or is_callable(opts) then
    raise(("tide.train: expected a table of options, got %s; write %s"):format(select("#", ...) > 0
      and select("#", ...) + 1 .. " arguments"
      or is_callable(opts) and "a model" or options.show(opts), CALL))
  end
  check_slips(opts)
  local o = options.check("tide.train", opts, train_spec, 3)
  if not is_callable(o.model) and type(o.loss) ~= "function" then
    raise("tide.train: model must be called as model(x), got " .. options.show(o.model))
  end
  if type(o.model) == "function" then
    raise("tide.train: model must be a table that holds its tensors and can be called, as those of nn, got a "
      .. "function: whose tensors are to be trained?")
  end
  local goal = objective.new("tide.train", o.loss, o.data)
  check_optimizer(o)
  check_together(o)
  o.started_with = checkpoint.words(plain_options(o.optimizer))
  looking_around.check(o, opts)
  checkpoint.check_options(o)
  plan(o, goal)
  looking_around.check_whole(o)
  return o, goal
end

-- ---- the loop ----

-- What a checkpoint holds and must agree in. run: where the training stands, with the sums since the last
-- record.
local function contents(o, history, run)
  return {model = o.model, optimizer = o.optimizer, adaption = o.adaption, best = o.best,
    schedule = o.schedule,
    config = o.checkpoint_config, history = history, run = run, total = o.total,
    optimizer_options = o.started_with,
    settings = {samples = o.samples, batch = o.batch, seed = o.seed, shuffle = o.shuffle,
      drop_last = o.drop_last, optimizer = o.optimizer.kind,
      accumulate = o.accumulate > 1 and o.accumulate or nil,
      loss = type(o.loss) == "string" and o.loss or "function"}}
end

-- Go on from the checkpoint, when there is one; returns where the training stands.
local function resume(o, history)
  local run, old = nil, nil
  if o.checkpoint then run, old = checkpoint.read("tide.train", o.checkpoint, contents(o)) end
  if not run then return {iteration = 0, seconds = 0, stopped = false, sums = records.empty()} end
  for key in pairs(history) do history[key] = nil end -- it may hold what the run that was cut off left
  for i, record in ipairs(old) do
    for name, v in pairs(record) do if v ~= v and name:find("^val_") then record[name] = nil end end
    records.set(history, i, record)
  end
  run.sums = records.resumed(run)
  return run
end

local function save(o, history, i, sums, start, stopped)
  local run = {iteration = i, seconds = core.monotonic() - start, stopped = stopped}
  for key, value in pairs(sums) do run[key] = value end
  checkpoint.write(o.checkpoint, contents(o, history, run))
end

-- The numbers of the batches that update number i is made of.
local function batches_of(o, i)
  if not o.per_epoch then return (i - 1) * o.accumulate + 1, i * o.accumulate end
  local epoch, at = (i - 1) // o.per_epoch, (i - 1) % o.per_epoch
  return epoch * o.batches + at * o.accumulate + 1,
    epoch * o.batches + math.min((at + 1) * o.accumulate, o.batches)
end

-- Loss and gradient of the batches of update number i; the last of the steps taken, seen(taken, batch) each.
local function loss_of(o, s, step, i, seen)
  local grads, sizes, loss, total, taken = {}, {}, 0, 0, nil
  local first, last = batches_of(o, i)
  for k = first, last do
    s.batch = o.next_batch(k)
    taken = one_step.take(step, s)
    local size = samples.count("tide.train", s.batch)
    seen(taken, size)
    grads[#grads + 1], sizes[#sizes + 1] = taken.grads, size
    loss, total = loss + taken.value * size, total + size
  end
  return #sizes == 1 and taken.value or loss / total, one_step.accumulated(grads, sizes), taken
end

-- Update number i: batches, gradient, what the adaption sees, update. Returns the loss of the last batch.
local function advance(o, t, i)
  local buffers <close> = one_step.guard_buffers(o.model) -- luacheck: ignore buffers
  local solver, pair = o.solver, nil
  if o.adaption then solver, pair = o.adaption:solver() end
  local s = {iteration = i, model = o.model, optimizer = o.optimizer, goal = t.goal,
    call = solver and {solver = solver}, second_call = pair and {solver = pair.solver}}
  local step = t.step_for(solver, pair)
  local seed, block = core.rng_state()
  local loss, gradient, taken = loss_of(o, s, step, i, function(taken, size)
    local count = t.goal.count
    records.add(t.sums, size, taken.loss, taken.named, count and count(taken.prediction, s.batch.y),
      taken.stats)
  end)
  if o.adaption then
    o.adaption:observe(i, o.model, s.batch.x, s.batch.y, taken.prediction, taken.stats.nfe, taken.second,
      taken.stats.defect)
  end
  if o.looks_around then
    looking_around.step(s, loss, gradient, t.sums, function(seen)
      core.rng_state(seed, block)
      return loss_of(o, s, step, i, seen)
    end)
  else
    one_step.update(s, t.clip and t.clip(gradient) or gradient, taken.loss)
  end
  return taken.loss
end

-- The validation's means, into the record. It leaves the default generator as it was: a training with it
-- takes the same steps as one without.
local function validate(t, o, record)
  local seed, block = core.rng_state()
  local means = records.means(t.validate(o.model))
  core.rng_state(seed, block)
  for name, v in pairs(means) do record["val_" .. name] = v end
end

-- The record of iteration i; returns whether the training stops here.
local function take_record(o, t, i)
  local history = t.history
  local record = records.new(t.sums, i, o.per_epoch, t.start)
  local validated = t.validate and (i % o.validate_every == 0 or i == o.total)
  if validated then validate(t, o, record) end
  records.set(history, #history + 1, record)
  t.sums = records.empty()
  t.meter:update(i, records.show(record), true)
  local stopped = o.best ~= nil and o.best:observe(record, validated)
  if o.schedule then o.schedule:observe(record, o.optimizer) end
  if o.callback and o.callback(record, o.model, o.optimizer) == false then stopped = true end
  records.set(history, #history, record) -- with what the callback added
  return stopped
end

local function is_recorded(o, i)
  return i % o.record_every == 0 or i == o.total or o.validate_every and i % o.validate_every == 0
end

local function loop(o, t, run)
  local i, last, saved = run.iteration, run.stopped and run.iteration or o.total, core.monotonic()
  local window = windows.new(o, i, t.sums)
  while i < last do
    i = i + 1
    local loss = advance(o, t, i)
    local accepted, stopped = not window or window:judge(i, t.sums), false
    if o.on_step and o.on_step(i, o.model, o.optimizer, loss) == false then stopped = true end
    if accepted and (is_recorded(o, i) or stopped) then
      stopped = take_record(o, t, i) or stopped
    else
      t.meter:update(i, t.running, false)
    end
    -- The beginning of a window that is open is in no file.
    if accepted and o.checkpoint
      and (i == o.total or stopped or core.monotonic() - saved >= o.checkpoint_every) then
      save(o, t.history, i, t.sums, t.start, stopped)
      saved = core.monotonic()
    end
    if window then i, t.sums = window:next(i, t.sums) end
    if stopped then break end
  end
end

--- train{model=, data=, optimizer=, loss=, batch=, epochs= | iterations=, seed=, ...} -> history: a list of
-- records {iteration, epoch, loss, accuracy, nfe_forward, nfe_backward, seconds}, means over the batches
-- since the record before; history.loss etc. are the columns. data is {x =, y =} with a loss(prediction, y),
-- or any tree of tensors, or a function(iteration) that returns one, with a loss(model, batch) that returns
-- the loss and, if it likes, a table of named scalar tensors: columns too. validation: data of the same form,
-- columns val_...; early_stop, keep_best: see best.lua; clip, accumulate: see one_step.lua; schedule: a
-- plateau, or what the optimizer's lr becomes (schedule.lua). adaption:solver() gives the solver options of
-- the next step, adaption:observe(iteration, model, x, y, prediction, nfe, second, defect) sees each batch
-- before the
-- parameters change (see tide.step_adaption). callback(record, model, optimizer) runs at each record,
-- on_step(iteration, model, optimizer, loss) behind each update; both may return false to stop; numbers that
-- the callback adds to the record stay in the history. on_end(history, model, optimizer) runs at the end. A
-- loss, gradient, weight or moment that is not finite and a failed solve are errors that name the iteration,
-- with weights and checkpoint as before it; the records so far are in the table given as `history`.
-- checkpoint names a file that is written at the start, every so many seconds and at the end; a training that
-- finds it goes on from there, with the same bits.
function M.train(opts, ...)
  local o, goal = check_arguments(opts, ...)
  local history = o.history or {}
  o.best = best.new(o)
  local clip = one_step.clipper(o.clip)
  local validate_goal = o.validation and objective.new("tide.train: validation", o.loss, o.validation)
  local run = resume(o, history)
  local t = {goal = goal, history = history, sums = run.sums, clip = clip,
    validate = o.validation and evaluate.over(validate_goal, o.validation, o.batch, o.solver),
    step_for = one_step.by_solver(goal, o.adaption ~= nil), start = core.monotonic() - run.seconds}
  -- A name that cannot be written is noticed now, not after the first minutes.
  if o.checkpoint and run.iteration < o.total and not run.stopped then
    save(o, history, run.iteration, t.sums, t.start, false)
  end
  do
    local meter <close> = progress.new{total = o.total, initial = run.iteration, label = o.label or "train",
      unit = "it", quiet = o.quiet}
    t.meter = meter
    function t.running() return records.running(t.sums, history[#history]) end
    if run.iteration > 0 then
      meter:log(("going on from iteration %d of %s"):format(run.iteration, o.checkpoint))
    end
    loop(o, t, run)
  end
  if o.best then
    o.best:finish()
    history.best = show.printable{iteration = o.best.iteration, [o.best.by] = o.best.value}
  end
  if o.on_end then o.on_end(history, o.model, o.optimizer) end
  return history
end

return M
