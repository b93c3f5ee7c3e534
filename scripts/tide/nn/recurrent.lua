--- Recurrent cells and sequences, with PyTorch's formulas, gates and names of weights.
--
-- Source: J. Elman (1990): rnn; S. Hochreiter, J. Schmidhuber (1997): lstm; K. Cho et al. (2014): gru.

local arguments = require "tide.nn.arguments"
local class = require "tide.nn.model_class"
local core = require "tide.core"
local initial = require "tide.nn.initial"
local norms = require "tide.nn.norms"
local options = require "tide.base.options"
local tensor = require "tide.tensor"
local tree = require "tide.base.tree"

local M = {}
local raise, apply = core.raise, core.apply

-- ---- steps ----

local function linear(x, weight, bias)
  local y = apply("matmul", {0, 1}, x, weight)
  return bias and y + bias or y
end

-- Of each kind: gates, parts of the state, and step(gx, gh, state, act) -> the new parts. gx, gh: what the
-- weights made of input and hidden state.
local kinds = {
  rnn = {gates = 1, parts = 1, step = function(gx, gh, _, act)
    local sum = gx + gh
    return {sum[act](sum)}
  end},
  gru = {gates = 3, parts = 1, step = function(gx, gh, state)
    return {apply("gru_cell", {}, gx, gh, state[1]):slice(2, 1, state[1]:shape()[2])}
  end},
  lstm = {gates = 4, parts = 2, step = function(gx, gh, state)
    local n = state[2]:shape()[2]
    local all = apply("lstm_cell", {}, gx, gh, state[2])
    return {all:slice(2, 1, n), all:slice(2, n + 1, 2 * n)}
  end},
}

-- weight_ih {gates n, n_in}, weight_hh {gates n, n} and two biases, uniform within 1 / sqrt(n); their names
-- end in `suffix`.
local function weights(into, suffix, gates, n_in, n, o)
  into["weight_ih" .. suffix], into["bias_ih" .. suffix] = initial.weights({gates * n, n_in}, n, gates * n, o)
  into["weight_hh" .. suffix], into["bias_hh" .. suffix] = initial.weights({gates * n, n}, n, gates * n, o)
end

local act_rule = {"string", default = "tanh", check = options.one_of{"tanh", "relu"}}

local function sizes(where, n_in, n)
  return arguments.size(where, "n_in", n_in), arguments.size(where, "n_hidden", n)
end

-- A state of `kind` as a list of its parts: given as a tensor or a list of them, zeros where it is nil.
local function state_of(where, kind, given, shape, dtype)
  local state = given
  if given == nil then
    state = {}
    for i = 1, kind.parts do state[i] = core.full(shape, 0, dtype) end
  elseif tree.is_tensor(given) then
    state = {given}
  end
  local fits = type(state) == "table" and #state == kind.parts
  for i = 1, fits and kind.parts or 0 do
    fits = fits and tree.is_tensor(state[i])
      and table.concat(state[i]:shape(), ",") == table.concat(shape, ",")
  end
  if not fits then
    raise(("%s: the state must be %s of shape {%s}, got %s"):format(where, kind.parts == 1 and "a tensor"
      or "two tensors {h, c}", table.concat(shape, ", "), tree.is_tensor(given) and "a tensor of shape {"
      .. table.concat(given:shape(), ", ") .. "}" or options.show(given)))
  end
  return state
end

-- ---- cells ----

for name, kind in pairs(kinds) do
  local where = "nn." .. name .. "_cell"
  local spec = initial.options{nonlinearity = name == "rnn" and act_rule or nil}
  local make = class(where, "weight_ih weight_hh bias_ih bias_hh nonlinearity", function(self, x, state)
    local n_in, n = self.weight_ih:shape()[2], self.weight_hh:shape()[2]
    local shape = tree._check_tensor(x, where):shape()
    if #shape ~= 2 or shape[2] ~= n_in then
      raise(("%s: x must have shape {N, %d}, got {%s}"):format(where, n_in, table.concat(shape, ", ")))
    end
    state = state_of(where, kind, state, {shape[1], n}, x:dtype())
    return table.unpack(kind.step(linear(x, self.weight_ih, self.bias_ih),
      linear(state[1], self.weight_hh, self.bias_hh), state, self.nonlinearity))
  end)
  --- rnn_cell, gru_cell, lstm_cell(n_in, n_hidden, opts): cell(x, h) -> h; lstm: cell(x, {h, c}) -> h, c.
  M[name .. "_cell"] = function(n_in, n_hidden, opts)
    local o = options.check(where, opts, spec, 3)
    n_in, n_hidden = sizes(where, n_in, n_hidden)
    return initial.with_seed(o.seed, function()
      local own = {nonlinearity = o.nonlinearity}
      weights(own, "", kind.gates, n_in, n_hidden, o)
      return make(own)
    end)
  end
end

-- ---- sequences ----

-- All hidden states of one direction of a layer, {T, N, n}, and the parts of the last state.
local function run(self, kind, suffix, x, state, reversed)
  local shape, n, list = x:shape(), self.hidden, {}
  local steps, batch = shape[1], shape[2]
  local gx = linear(x:reshape{steps * batch, shape[3]}, self["weight_ih" .. suffix],
    self["bias_ih" .. suffix])
  local weight, bias = self["weight_hh" .. suffix], self["bias_hh" .. suffix]
  for i = 1, steps do
    local t = reversed and steps + 1 - i or i
    state = kind.step(gx:slice(1, (t - 1) * batch + 1, t * batch), linear(state[1], weight, bias), state,
      self.nonlinearity)
    list[t] = state[1]
  end
  return tensor.cat(list, 1):reshape{steps, batch, n}, state
end

-- x as {T, N, n_in}.
local function sequence(where, self, x)
  local shape, n_in = tree._check_tensor(x, where):shape(), self.weight_ih_l0:shape()[2]
  local order = self.batch_first and "N, T" or "T, N"
  if #shape ~= 3 or shape[3] ~= n_in then
    raise(("%s: x must have shape {%s, %d}, got {%s}"):format(where, order, n_in, table.concat(shape, ", ")))
  end
  if shape[self.batch_first and 2 or 1] == 0 then
    raise(("%s: the sequence is empty, x has shape {%s}"):format(where, table.concat(shape, ", ")))
  end
  return self.batch_first and x:transpose(1, 2) or x
end

-- The layers one after the other, each in one or two directions; initial and last states are lists of parts
-- {layers directions, N, n}, in PyTorch's order.
local function forward(where, kind, self, x, state)
  local directions = self.bidirectional and 2 or 1
  local count, batch = self.num_layers * directions, x:shape()[2]
  state = state_of(where, kind, state, {count, batch, self.hidden}, x:dtype())
  local last = {}
  for p = 1, kind.parts do last[p] = {} end
  for layer = 1, self.num_layers do
    if layer > 1 and self.dropout then x = self.dropout(x) end
    local outputs = {}
    for direction = 1, directions do
      local at, own = (layer - 1) * directions + direction, {}
      for p = 1, kind.parts do own[p] = state[p]:select(1, at) end
      local suffix = ("_l%d%s"):format(layer - 1, direction == 2 and "_reverse" or "")
      outputs[direction], own = run(self, kind, suffix, x, own, direction == 2)
      for p = 1, kind.parts do last[p][at] = own[p]:reshape{1, batch, self.hidden} end
    end
    x = directions == 2 and tensor.cat(outputs, 3) or outputs[1]
  end
  for p = 1, kind.parts do last[p] = tensor.cat(last[p], 1) end
  return x, last
end

local function is_options(v)
  return type(v) == "table" and not tree.is_tensor(v) and v[1] == nil
end

local fields = "num_layers hidden batch_first bidirectional nonlinearity dropout"

for name, kind in pairs(kinds) do
  local where = "nn." .. name
  local spec = initial.options{nonlinearity = name == "rnn" and act_rule or nil,
    num_layers = {"integer", default = 1, check = options.between(1, 1000)},
    batch_first = {"boolean", default = false}, bidirectional = {"boolean", default = false},
    dropout = {"number", default = 0, check = options.between(0, 1)}}
  local make = class(where, fields, function(self, x, state)
    if is_options(state) then state = nil end -- layers of a chain get the options of the call
    local y, last = forward(where, kind, self, sequence(where, self, x), state)
    return self.batch_first and y:transpose(1, 2) or y, table.unpack(last)
  end)
  --- rnn, gru, lstm(n_in, n_hidden, opts): model(x, h0) -> hidden states {T, N, n} of x {T, N, n_in}, the
  -- last state of each layer {layers, N, n}; lstm: model(x, {h0, c0}) -> hidden states, h, c.
  M[name] = function(n_in, n_hidden, opts)
    local o = options.check(where, opts, spec, 3)
    n_in, n_hidden = sizes(where, n_in, n_hidden)
    local directions = o.bidirectional and 2 or 1
    return initial.with_seed(o.seed, function()
      local own = {num_layers = o.num_layers, hidden = n_hidden, batch_first = o.batch_first,
        bidirectional = o.bidirectional, nonlinearity = o.nonlinearity,
        dropout = o.dropout > 0 and norms.dropout(o.dropout) or nil}
      for layer = 0, o.num_layers - 1 do
        for direction = 1, directions do
          weights(own, ("_l%d%s"):format(layer, direction == 2 and "_reverse" or ""), kind.gates,
            layer == 0 and n_in or directions * n_hidden, n_hidden, o)
        end
      end
      return make(own)
    end)
  end
end

return M
