-- Checkpoints of tide.train: a training that was cut off anywhere goes on with the same bits; files of other
-- trainings are refused.
local check = require "check"
local tide = require "tide"
local checkpoint = require "tide.checkpoint"
local files = require "tide.files"
local nn = tide.nn

local tests = {}

local function data() return tide.data.three_spheres{dim = 2, n = 50, seed = 3} end

local function new_model(seed)
  return nn.odenet{dim = 2, hidden = 4, out = 2, time = false, solver = {method = "euler", steps = 3},
    seed = seed}
end

-- One training from its own fresh parts; `more` goes to tide.train. Iterations stay below two epochs and a
-- half, with a last batch of 2.
local function train(seed, make_optimizer, adaption, more)
  local model = new_model(seed)
  local options = {model = model, data = data(), optimizer = make_optimizer(model), loss = "cross_entropy",
    batch = 12, iterations = 12, record_every = 1,
                   seed = 5, quiet = true, adaption = adaption and adaption()}
  for key, value in pairs(more or {}) do options[key] = value end
  local history = tide.train(options)
  return {model = model, optimizer = options.optimizer, adaption = options.adaption, history = history}
end

local function same_bits(a, b, where)
  local p, q = tide.tree.tensors(a), tide.tree.tensors(b)
  assert(#p == #q, where)
  for i in ipairs(p) do
    assert(p[i]:ne(q[i]):to("float64"):sum():item() == 0, ("%s: tensor %d differs"):format(where, i))
  end
end

-- Records without the time they took.
local function same_records(a, b, where)
  assert(#a == #b, ("%s: %d records, expected %d"):format(where, #a, #b))
  for i, record in ipairs(a) do
    for name, v in pairs(record) do
      assert(name == "seconds" or v == b[i][name] and math.type(v) == math.type(b[i][name]),
        ("%s: record %d, %s"):format(where, i, name))
    end
    assert(b.loss[i] == record.loss)
  end
end

local function adam(model) return tide.optim.adam(model, {lr = 0.01}) end

local optimizers = {
  adam = adam,
  adamw = function(model) return tide.optim.adamw(model, {lr = 0.01}) end,
  sgd = function(model) return tide.optim.sgd(model, {lr = 0.1}) end,
  momentum = function(model)
    return tide.optim.sgd(model, {lr = 0.1, momentum = 0.9, weight_decay = 1e-3})
  end,
  rmsprop = function(model) return tide.optim.rmsprop(model, {lr = 0.01}) end,
}
local adaptions = {
  stated = function() return tide.step_adaption.new{rule = "stated", value = 0.5, every = 2} end,
  steady = function() return tide.step_adaption.new{rule = "steady", value = 2, every = 2, mix = 3} end,
  pairs = function() return tide.step_adaption.new{rule = "pairs", value = 2, every = 2} end,
  windows = function()
    return tide.step_adaption.new{rule = "pairs", value = 2, every = 3, target = 0.9, window = 2}
  end,
  tolerances = function()
    return tide.tolerance_adaption.new{rule = "corrected", method = "dopri5", value = 1e-2, every = 2}
  end,
}

local function cut_at(iteration)
  return function(record) if record.iteration == iteration then error("cut off") end end
end

local function cut_and_resumed(folder, make_optimizer, adaption, where)
  local whole = train(1, make_optimizer, adaption)
  -- the checkpoint is of the iteration before: in an epoch, at its end, ...
  for _, at in ipairs{2, 5, 6, 12} do
    local path = ("%s/%s-%d.npz"):format(folder, where, at)
    check.fails("cut off", train, 1, make_optimizer, adaption,
      {checkpoint = path, checkpoint_every = 0, callback = cut_at(at)})
    -- other weights at first: all of them must come from the file
    local resumed = train(2, make_optimizer, adaption, {checkpoint = path})
    same_bits(whole.model, resumed.model, where)
    same_bits(whole.optimizer:state(), resumed.optimizer:state(), where)
    same_records(whole.history, resumed.history, where)
    if adaption then
      assert(#whole.adaption.history == #resumed.adaption.history)
      same_bits(whole.adaption:state(), resumed.adaption:state(), where)
    end
  end
end

tests["cut off anywhere, with any optimiser: the same bits"] = function()
  check.in_folder(function(folder)
    for name, make in pairs(optimizers) do cut_and_resumed(folder, make, nil, name) end
  end)
end

tests["with an adaption: the same bits, looks and solvers"] = function()
  check.in_folder(function(folder)
    for name, make in pairs(adaptions) do cut_and_resumed(folder, adam, make, name) end
  end)
end

tests["random numbers of the model go on where they were"] = function()
  check.in_folder(function(folder)
    local function run(iterations, path)
      local model = nn.linear(2, 1, {seed = 1})
      local drawn = {}
      tide.train{model = model, data = {x = tide.ones{6, 2}, y = tide.ones{6, 1}},
        optimizer = tide.optim.sgd(model, {lr = 0.1}), iterations = iterations,
        batch = 3, record_every = 1, quiet = true, checkpoint = path,
        callback = function(record)
          record.drawn = tide.rand({}):item()
          drawn[#drawn + 1] = record.drawn
        end}
      return drawn
    end
    tide.seed(11)
    local whole = run(6)
    tide.seed(11)
    local first = run(4, folder .. "/a.npz")
    tide.seed(99)
    local rest = run(6, folder .. "/a.npz")
    for i = 1, 4 do assert(first[i] == whole[i]) end
    for i = 1, 2 do assert(rest[i] == whole[4 + i]) end
  end)
end

tests["what the callback adds comes back; an ended training returns at once, a stopped one stays stopped"] =
  function()
  check.in_folder(function(folder)
    local path = folder .. "/a.npz"
    local calls = 0
    local function callback(record)
      calls = calls + 1
      record.twice, record.note = 2 * record.iteration, "text"
      if record.iteration % 2 == 0 then record.sometimes = 0.5 end
    end
    local first = train(1, adam, nil, {checkpoint = path, callback = callback}).history
    local again = train(2, adam, nil, {checkpoint = path, callback = callback}).history
    assert(calls == 12 and #again == 12)
    for i = 1, 12 do
      assert(again[i].twice == 2 * i and again.twice[i] == 2 * i and math.type(again[i].twice) == "integer"
        and first.twice[i] == 2 * i)
      assert(again[i].note == nil and again[i].seconds == first[i].seconds)
      if i % 2 == 0 then
        assert(again[i].sometimes == 0.5)
      else
        assert(again[i].sometimes ~= again[i].sometimes)
      end
    end
    -- longer than at first
    assert(#train(1, adam, nil, {checkpoint = path, iterations = 15, callback = callback}).history == 15
      and calls == 15)
    check.fails("is at iteration 15, past the 12 asked for", train, 1, adam, nil, {checkpoint = path})

    path = folder .. "/stopped.npz"
    local function stop(record) return record.iteration < 4 end
    assert(#train(1, adam, nil, {checkpoint = path, callback = stop}).history == 4)
    assert(#train(1, adam, nil, {checkpoint = path, callback = function() error("not called") end}).history
      == 4)
  end)
end

tests["the file is an ordinary one: weights for nn.load; a history of what was cut off is replaced"] =
  function()
  check.in_folder(function(folder)
    for _, extension in ipairs{"npz", "safetensors"} do
      local path, history = folder .. "/a." .. extension, {}
      check.fails("cut off", train, 1, adam, nil, {checkpoint = path, checkpoint_every = 0, history = history,
        callback = cut_at(5)})
      assert(#history == 5)
      local done = train(1, adam, nil, {checkpoint = path, history = history})
      assert(rawequal(done.history, history) and #history == 12 and #history.loss == 12
        and history[5].iteration == 5)
      same_bits(nn.load(new_model(9), tide.load(path).model), done.model, extension)
    end
  end)
end

-- fn(folder, write, path, refused) beside the checkpoint of a training at `path`, and refused(words, ...):
-- another training fails to go on from it, with these words, and its model stays as it was.
local function beside_a_checkpoint(fn)
  check.in_folder(function(folder, write)
    local path = folder .. "/a.npz"
    train(1, adam, nil, {checkpoint = path, checkpoint_config = "lr=0.01 data=spheres"})
    local function refused(words, make_optimizer, adaption, more)
      local model = new_model(4)
      local before = tide.tree.map(model, function(x) return x:clone() end)
      local options = {checkpoint = path, checkpoint_config = "lr=0.01 data=spheres", model = model,
        optimizer = make_optimizer(model)}
      for key, value in pairs(more or {}) do options[key] = value end
      check.fails(words, train, 1, make_optimizer, adaption, options)
      same_bits(before, model, "refused")
    end
    fn(folder, write, path, refused)
  end)
end

tests["files of other trainings are refused, and nothing changes"] = function()
  beside_a_checkpoint(function(_, _, path, refused)
    refused({'the checkpoint "' .. path .. '" belongs to another training',
      "it has seed=5, this one has seed=6", "remove it"}, adam, nil, {seed = 6})
    refused("it has batch=12, this one has batch=10", adam, nil, {batch = 10})
    refused("it has optimizer=adam, this one has optimizer=sgd", optimizers.sgd)
    refused("it has lr=0.01, this one has lr=0.02", adam, nil, {checkpoint_config = "lr=0.02 data=spheres"})
    refused("it has lr=0.01 data=spheres, this one has nothing else", adam, nil,
      {checkpoint_config = "", checkpoint = path})
    refused("is at iteration 12, past the 9 asked for", adam, nil, {iterations = 9})
    refused("belongs to a training without an adaption, this one is with", adam, adaptions.steady)
    refused("shape", adam, nil, (function()
      local wide = nn.odenet{dim = 2, hidden = 5, out = 2, time = false,
        solver = {method = "euler", steps = 3}, seed = 1}
      return {model = wide, optimizer = adam(wide)}
    end)())
  end)
end

tests["files that are no checkpoints, or damaged ones, are refused"] = function()
  beside_a_checkpoint(function(folder, write, path, refused)
    tide.save(folder .. "/weights.npz", new_model(1))
    refused("was not written by tide.train", adam, nil, {checkpoint = folder .. "/weights.npz"})
    tide.save(folder .. "/x.npy", tide.ones{3})
    refused("must be the name of a .npz or .safetensors file", adam, nil, {checkpoint = folder .. "/x.npy"})
    local future = tide.load(path)
    future.version = tide.tensor(7, {dtype = "int64"})
    tide.save(folder .. "/future.npz", future)
    refused("has the format 7, this program reads 2", adam, nil, {checkpoint = folder .. "/future.npz"})
    local bytes = files.read(path)
    write("cut.npz", bytes:sub(1, -100))
    refused("cut.npz", adam, nil, {checkpoint = folder .. "/cut.npz"})
    local middle = #bytes // 3
    write("bit.npz", bytes:sub(1, middle) .. string.char(bytes:byte(middle + 1) ~ 1) .. bytes:sub(middle + 2))
    refused("bit.npz", adam, nil, {checkpoint = folder .. "/bit.npz"})
  end)
end

tests["files of other adaptions are refused"] = function()
  check.in_folder(function(folder)
    local path = folder .. "/adapted.npz"
    train(1, adam, adaptions.steady, {checkpoint = path})
    check.fails("belongs to a training with an adaption, this one is without", train, 1, adam, nil,
      {checkpoint = path})
    check.fails("of another adaption: it has mix=3 rule=steady", train, 1, adam, adaptions.stated,
      {checkpoint = path})
    check.fails("this is not a state that adaption:state() returned", function()
      adaptions.steady():load_state{}
    end)
  end)
end

-- Every byte of a checkpoint is changed in turn: the file is refused, or it goes on with the same bits.
tests["one bit wrong anywhere: refused, or the same bits"] = function()
  check.in_folder(function(folder, write)
    for _, extension in ipairs{"npz", "safetensors"} do
      local path, mutant = folder .. "/a." .. extension, "m." .. extension
      local s = {settings = {seed = 5}, config = "c", total = 12, history = {{iteration = 1, loss = 0.5}},
        run = {iteration = 1, stopped = false}}
      s.model = nn.linear(2, 2, {seed = 1})
      s.optimizer = adam(s.model)
      checkpoint.write(path, s)
      local bytes, refused = files.read(path), 0
      local function state()
        return {model = s.model, optimizer = s.optimizer:state(),
          generator = tide.tensor({tide.core.rng_state()}, {dtype = "int64"})}
      end
      local function fresh()
        s.model = nn.linear(2, 2, {seed = 1})
        s.optimizer = adam(s.model)
        tide.seed(1)
      end
      fresh()
      local run, records = checkpoint.read("test", path, s)
      local whole = state()
      for i = 1, #bytes do
        write(mutant, bytes:sub(1, i - 1) .. string.char(bytes:byte(i) ~ (1 << i % 8)) .. bytes:sub(i + 1))
        fresh()
        local ok, run_again, records_again = pcall(checkpoint.read, "test", folder .. "/" .. mutant, s)
        if not ok then
          refused = refused + 1
          s.model = nn.linear(2, 2, {seed = 1})
        else
          same_bits(whole, state(), ("%s byte %d"):format(extension, i))
          assert(run_again.iteration == run.iteration and run_again.stopped == run.stopped
            and records_again[1].loss == records[1].loss)
        end
      end
      assert(refused > 0.8 * #bytes, ("%s: %d of %d refused"):format(extension, refused, #bytes))
    end
  end)
end

-- The process ends in place of its n-th system call, for every n: the old checkpoint is there or the new one.
tests["killed at every system call: old or new, never mixed"] = function()
  if not tide.core.exists("./tide") then return "skip: ./tide is not built" end
  check.in_folder(function(folder, write)
    write("train.lua", [=[
local tide = require "tide"
local model = tide.nn.linear(2, 1, {seed = 1})
if arg[3] then tide.core.calls_inject{die_at = tonumber(arg[3])} end
tide.train{model = model, data = {x = tide.ones{6, 2}, y = tide.ones{6, 1}},
  optimizer = tide.optim.adam(model), iterations = tonumber(arg[2]), batch = 3,
  quiet = true, checkpoint = arg[1]}
]=])
    local path, seen, kills = folder .. "/a.npz", {}, 0
    local function run(iterations, die_at)
      return check.sh(("./tide %s %s %d %s"):format(files.quote(folder .. "/train.lua"), files.quote(path),
        iterations, die_at or ""))
    end
    assert(run(2))
    local old = files.read(path)
    for n = 0, 100 do
      local ok, _, status = run(4, n)
      local iteration = tide.load(path).run.iteration:item()
      assert(iteration == 2 or iteration == 4, iteration)
      seen[iteration] = true
      if ok then break end
      assert(status == 128 + 9, status)
      kills = kills + 1
      write("a.npz", old)
    end
    assert(seen[2] and seen[4] and kills > 8, kills)
  end)
end

tests["misuse"] = function()
  check.fails("checkpoint must be a string, got 3", train, 1, adam, nil, {checkpoint = 3})
  check.fails("checkpoint_every must be >= 0, got -1", train, 1, adam, nil,
    {checkpoint = "x.npz", checkpoint_every = -1})
  check.fails("checkpoint_config needs checkpoint", train, 1, adam, nil, {checkpoint_config = "x"})
  check.fails("with checkpoint, adaption must have the methods state and load_state", train, 1, adam,
    function() return {solver = print, observe = print} end, {checkpoint = "x.npz"})
  check.fails("optimizer must have the methods state and load_state", train, 1,
    function() return {step = print} end, nil, {checkpoint = "x.npz"})
  check.fails("/nowhere/x.npz", train, 1, adam, nil, {checkpoint = "/nowhere/x.npz"})
end

local script = [=[
local tide = require "tide"
local solver = {method = "euler", steps = 4}
local model = tide.nn.odenet{dim = 2, hidden = 8, out = 2, time = false, solver = solver, seed = 1}
local data = tide.data.three_spheres{dim = 2, n = 300, seed = 3}
tide.train{model = model, data = data, optimizer = tide.optim.adam(model), loss = "cross_entropy",
  batch = 128, iterations = 300, quiet = true,
  adaption = tide.step_adaption.new{rule = "steady", value = 4, every = 5}, checkpoint = arg[1],
  checkpoint_every = 0}
tide.save(arg[2], model)
]=]

-- Killed again and again while it saves after every iteration, with other numbers of threads: the weights are
-- those of a run in one go.
tests["kill -9 while saving"] = function()
  if not tide.core.exists("./tide") then return "skip: ./tide is not built" end
  check.in_folder(function(folder, write)
    write("train.lua", script)
    local quoted = files.quote(folder)
    local function command(threads, name, limit)
      return ("TIDE_THREADS=%d %s ./tide %s/train.lua %s/%s.npz %s/%s-weights.npz >%s/log 2>&1"):format(
        threads, limit, quoted, quoted, name, quoted,
        name, quoted)
    end
    assert(os.execute(command(1, "whole", "")), "the training failed")
    local kills, done = 0, false
    for attempt = 1, 40 do
      done = os.execute(
        command(1 + attempt % 4, "killed", ("timeout -s KILL %.2f"):format(attempt < 20 and 0.05 + 0.03
          * attempt or 60))) == true
      if done then break end
      kills = kills + 1
      if files.exists(folder .. "/killed.npz") then
        assert(tide.load(folder .. "/killed.npz").run.iteration:item() >= 0)
      end
    end
    assert(done, files.read(folder .. "/log"))
    assert(kills >= 1, "nothing was killed")
    assert(files.read(folder .. "/whole-weights.npz") == files.read(folder .. "/killed-weights.npz"),
      "the weights differ")
  end)
end

return tests
