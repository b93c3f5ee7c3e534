--- Training steps of recurrent layers and a ResNet, for layers.py: lines "work seconds" on standard input,
-- the least CPU time of a step back.

local tide = require "tide"
local nn = tide.nn

local function step_of(model, loss)
  local adam = tide.optim.adam(model)
  local both = tide.compile(function(m) return tide.value_and_grad(loss)(m) end)
  return function()
    local value, gradient = both(model)
    adam:step(gradient)
    return value:item()
  end
end

-- 50 steps of 64 sequences of 32 features, 32 units; the last state is read out.
local function recurrent(kind)
  local model = {sequence = nn[kind](32, 32, {seed = 1}), out = nn.linear(32, 1, {seed = 2})}
  local x, y = tide.randn({50, 64, 32}, {seed = 1}), tide.randn({64, 1}, {seed = 2})
  return step_of(model, function(m)
    local _, last = m.sequence(x)
    return tide.mse(m.out(last[1]), y)
  end)
end

local works = {
  gru = function() return recurrent("gru") end, lstm = function() return recurrent("lstm") end,
  rnn = function() return recurrent("rnn") end,
  resnet = function()
    local model, labels = nn.conv_resnet{image = {1, 28, 28}, seed = 1}, {}
    for i = 1, 64 do labels[i] = i % 10 + 1 end
    local x, y = tide.rand({64, 1, 28, 28}, {seed = 1}), tide.tensor(labels, {dtype = "int64"})
    return step_of(model, function(m) return tide.cross_entropy(m(x), y) end)
  end,
}

local steps = {}
for line in io.lines() do
  local name, seconds = line:match("(%S+) (%S+)")
  if not steps[name] then
    steps[name] = works[name]()
    for _ = 1, 3 do steps[name]() end
  end
  local best, begin = math.huge, os.clock()
  repeat
    local before = os.clock()
    steps[name]()
    best = math.min(best, os.clock() - before)
  until os.clock() - begin > tonumber(seconds)
  print(("%.9g"):format(best))
  io.stdout:flush()
end
