--- Recurrent cells and sequences: PyTorch's numbers, derivatives, cotangents of slices, words.

local tide = require "tide"
local check = require "check"
local op_checks = require "op_checks"
local core, nn = tide.core, tide.nn
local tests = {}

local F64 = {dtype = "float64"}
local fails, with = check.fails, check.with
local function grid(...)
  local n = 1
  for _, k in ipairs{...} do n = n * k end
  return tide.arange(1, n, 1, F64):sin():reshape{...}
end

-- Shape, sum, and sum with weights cos(0.7 k), of PyTorch 2 in double precision.
local wanted = {
  ["rnn"] = {{5, 3, 4}, 14.1843956895623, 0.653551307778554},
  ["rnn h"] = {{1, 3, 4}, 2.98889713235615, 1.22439242665243},
  ["rnn stacked"] = {{5, 3, 8}, 24.6266407651343, 1.72901790172467},
  ["rnn stacked h"] = {{4, 5, 4}, 18.3145231774424, 0.108226785128069},
  ["gru"] = {{5, 3, 4}, -7.84007390614198, 0.533519925752488},
  ["gru h"] = {{1, 3, 4}, -2.02708224147088, 0.233709913795961},
  ["gru stacked"] = {{5, 3, 8}, -14.4218871837641, -0.537166777021304},
  ["gru stacked h"] = {{4, 5, 4}, -11.9622926785005, -0.100491348430702},
  ["lstm"] = {{5, 3, 4}, -9.56822946189599, 0.461697722663301},
  ["lstm h"] = {{1, 3, 4}, -2.32454114369777, -0.261399127721395},
  ["lstm c"] = {{1, 3, 4}, -4.63505675357705, -0.608951655242181},
  ["lstm stacked"] = {{5, 3, 8}, 5.37412389917756, 0.670260993061916},
  ["lstm stacked h"] = {{4, 5, 4}, -6.79807837096109, 0.0108663201764746},
  ["lstm stacked c"] = {{4, 5, 4}, -10.7919599392372, 0.0797913876765838},
  ["rnn relu"] = {{5, 3, 4}, 9.63576439945421, -0.0215882143237065},
  ["rnn_cell"] = {{3, 4}, 1.03322636508063, 0.796360747558963},
  ["gru_cell"] = {{3, 4}, -0.348333402872018, 0.98022310240191},
  ["lstm_cell h"] = {{3, 4}, 1.68780755699275, 0.259879177146991},
  ["lstm_cell c"] = {{3, 4}, 3.55780079651032, 0.705652926031008},
}

local function holds(name, y)
  local shape, sum, weighted = table.unpack(wanted[name])
  assert(table.concat(y:shape(), ",") == table.concat(shape, ","), name)
  local weights = (tide.arange(0, y:numel() - 1, 1, F64) * 0.7):cos():reshape(y:shape())
  for i, v in ipairs{y:sum():item(), (y * weights):sum():item()} do
    local want = i == 1 and sum or weighted
    assert(math.abs(v - want) <= 1e-12 * (1 + math.abs(want)), ("%s: %.17g, PyTorch %.17g"):format(name, v,
      want))
  end
end

local function filled(model)
  for _, p in ipairs(nn.parameters(model)) do p.tensor:copy_(grid(table.unpack(p.shape)) * 0.4) end
  return model
end

local x = grid(5, 3, 2)

for _, kind in ipairs{"rnn", "gru", "lstm"} do
  tests[kind .. " gives PyTorch's numbers, at once and compiled"] = function()
    for _, way in ipairs{function(m, v, s) return m(v, s) end,
      tide.compile(function(m, v, s) return m(v, s) end)} do
      local y, h, c = way(filled(nn[kind](2, 4, F64)), x)
      holds(kind, y)
      holds(kind .. " h", h)
      if kind == "lstm" then holds("lstm c", c) end
      local o = {num_layers = 2, bidirectional = true, batch_first = true, dtype = "float64"}
      local h0 = grid(4, 5, 4) * 0.3
      y, h, c = way(filled(nn[kind](2, 4, o)), x, kind == "lstm" and {h0, h0:cos()} or h0)
      holds(kind .. " stacked", y)
      holds(kind .. " stacked h", h)
      if kind == "lstm" then holds("lstm stacked c", c) end
    end
  end

  tests[kind .. ": derivatives of both orders, cell and sequence"] = function()
    local v, m = grid(3, 2, 2), filled(nn[kind](2, 3, F64))
    local cell = filled(nn[kind .. "_cell"](2, 3, F64))
    for name, fn in pairs{sequence = function(p)
      local y, h, c = p.m(p.x)
      return (y * 0.5):sin() + h + (c or h)
    end, cell = function(p)
      local h, c = p.cell(p.x:select(1, 1))
      h, c = p.cell(p.x:select(1, 2), c and {h, c} or h)
      return h + (c or 0)
    end} do
      local p = {m = name == "sequence" and m or nil, cell = name == "cell" and cell or nil, x = v}
      op_checks.check(kind .. " " .. name, fn, p)
      op_checks.check(kind .. " " .. name .. ", second order", function(q)
        local sum
        local gradient = tide.grad(function(r) return fn(r):square():sum() end)(q)
        for i, g in ipairs(tide.tree.tensors(gradient, true)) do
          local part = (g * grid(table.unpack(g:shape()))):sum() * (i % 3 + 1)
          sum = sum and sum + part or part
        end
        return sum
      end, p, 2e-6)
    end
  end
end

tests["allocations that fail: second derivatives"] = function()
  local p = {cell = filled(nn.gru_cell(2, 3, F64)), x = grid(3, 2)}
  check.survives(function()
    local function first(q)
      return tide.grad(function(r) return r.cell(r.x):square():sum() end)(q).x:square():sum()
    end
    return tide.grad(first)(p).x:sum():item()
  end, 900, 1, 300)
end

tests["cells give PyTorch's numbers; without a state it is zero"] = function()
  local h0 = grid(3, 4)
  holds("rnn_cell", filled(nn.rnn_cell(2, 4, F64))(x[1], h0))
  holds("gru_cell", filled(nn.gru_cell(2, 4, F64))(x[1], h0))
  local h, c = filled(nn.lstm_cell(2, 4, F64))(x[1], {h0, h0:cos()})
  holds("lstm_cell h", h)
  holds("lstm_cell c", c)
  holds("rnn relu", (filled(nn.rnn(2, 4, {nonlinearity = "relu", bias = false, dtype = "float64"}))(x)))
  local cell = nn.gru_cell(2, 4, F64)
  assert((cell(x[1]) - cell(x[1], tide.zeros({3, 4}, F64))):abs():max():item() == 0)
  assert(nn.count(nn.lstm(3, 5, {num_layers = 2, bidirectional = true})) == 4 * 5 * (3 + 5 + 2) * 2
    + 4 * 5 * (10 + 5 + 2) * 2)
  assert(nn.gru(3, 5).weight_ih_l0:abs():max():item() <= 1 / math.sqrt(5))
end

tests["a sequence is what its cell does step by step; chains take it as a layer"] = function()
  local m, cell = filled(nn.gru(2, 4, F64)), filled(nn.gru_cell(2, 4, F64))
  local h
  for t = 1, 5 do h = cell(x[t], h) end
  assert((select(2, m(x))[1] - h):abs():max():item() < 1e-15)
  local chain = nn.chain{m, nn.linear(4, 1, with(F64, {seed = 1}))}
  assert(table.concat(chain(x, {training = false}):shape(), ",") == "5,3,1")
  local deep = nn.gru(2, 4, {num_layers = 2, dropout = 0.5, dtype = "float64"})
  local a, b = deep(x), deep(x)
  assert((a - b):abs():max():item() > 0)
  a, b = deep(x, nil, {training = false}), deep(x, {training = false})
  assert((a - b):abs():max():item() == 0)
end

tests["float32 agrees with float64; a cell is a field"] = function()
  local m = filled(nn.lstm(2, 4, F64))
  local small = tide.tree.map(m, function(v) return v:to("float32") end)
  assert((m(x):to("float32") - (small(x:to("float32")))):abs():max():item() < 1e-6)
  local cell = filled(nn.gru_cell(2, 2, F64)) -- GRU-ODE: dh/dt = cell(h) - h
  local block = nn.odeblock(function(_, h) return cell(h, h) - h end, {method = "rk4", steps = 4})
  assert(tide.gradcheck(function(p)
    cell = p
    return (block(x[1]))
  end, cell))
end

-- The cotangents of slices that lie side by side are joined, not embedded in zeros and added: as many ops as
-- slices, and the same derivatives in any order, with gaps and overlaps.
tests["cotangents of slices"] = function()
  local v = op_checks.randn{6, 4}
  local orders = {{1, 2, 3, 4, 5, 6}, {6, 5, 4, 3, 2, 1}, {3, 1, 2, 6, 5, 4}, {1, 3, 5}, {2, 2, 3}, {4}}
  for _, order in ipairs(orders) do
    for axis = 1, 2 do
      op_checks.check_all("slices", function(q)
        local y
        for i, at in ipairs(order) do
          local part = q:transpose(1, axis):slice(1, (at - 1) % (axis == 1 and 6 or 4) + 1,
            (at - 1) % (axis == 1 and 6 or 4) + 1):sin() * (i + 0.5)
          y = y and y * 0.5 + part or part
        end
        return y
      end, v)
    end
  end
  op_checks.check_all("steps", function(q)
    return q:slice(1, 1, 6, 2):sin() * q:slice(1, 2, 6, 2) + q:slice(1, 1, 3) * q:slice(1, 4, 6):cos()
  end, v)
  local long = tide.randn({400, 3}, {seed = 1, dtype = "float64"})
  local g = tide.grad(function(q)
    local y = tide.zeros({3}, F64)
    for i = 1, 400 do y = (y * 0.5 + q:select(1, i)):tanh() end
    return y:sum()
  end)(long)
  assert(g[400]:abs():min():item() > 0.01 and g[1]:abs():max():item() < 1e-30)
end

tests["misuse is told in words"] = function()
  fails("nn.gru: x must have shape {T, N, 2}, got {3, 2}", nn.gru(2, 4), x[1])
  fails("nn.gru: x must have shape {N, T, 3}", nn.gru(3, 4, {batch_first = true}), x)
  fails("nn.lstm: the state must be two tensors {h, c} of shape {1, 3, 4}, got a tensor of shape {3, 4}",
    nn.lstm(2, 4, F64), x, grid(3, 4))
  fails("nn.gru_cell: the state must be a tensor of shape {3, 4}", nn.gru_cell(2, 4, F64), x[1], grid(3, 3))
  fails("nn.gru: the sequence is empty", nn.gru(2, 4), tide.zeros{0, 3, 2})
  fails('unknown option "layers"', nn.gru, 2, 4, {layers = 2})
  fails("nonlinearity", nn.rnn, 2, 4, {nonlinearity = "gelu"})
  fails("operand 1 must have 3 columns for each unit", core.apply, "gru_cell", {}, grid(2, 2), grid(2, 3),
    grid(2, 1))
end

return tests
