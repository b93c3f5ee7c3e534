--- How weights begin: the options that all layers and models share, the rules, the stream of random numbers.

local core = require "tide.core"
local options = require "tide.base.options"
local tensor = require "tide.tensor"

local M = {}
local raise = core.raise

local inits = {"default", "kaiming", "xavier", "normal", "orthogonal", "zeros"}

local own = {
  init = {"string", default = "default", check = options.one_of(inits)},
  std = {"number", default = 0.02, check = options.positive},
  bias = {"boolean", default = true}, dtype = tensor._dtype_rule, seed = {"integer"},
}

--- The options of whatever has weights, beside those in `spec`.
function M.options(spec)
  for name, rule in pairs(own) do spec[name] = rule end
  return spec
end

--- Those of a model that go to each of its layers: all but the seed, of which one is enough.
function M.for_layers(o) return {init = o.init, std = o.std, bias = o.bias, dtype = o.dtype} end

--- Run make() with the default generator at the start of stream `seed`, then restore it; seed nil just runs
-- it.
function M.with_seed(seed, make)
  if seed ~= nil and (type(seed) ~= "number" or not math.tointeger(seed)) then
    raise("nn.with_seed: the seed must be an integer, got " .. options.show(seed))
  end
  local meta = getmetatable(make)
  if type(make) ~= "function" and not (type(meta) == "table" and meta.__call) then
    raise("nn.with_seed: expected a function to run, got " .. options.show(make))
  end
  if seed == nil then return make() end
  -- luacheck: ignore at_once (the same numbers at each run: no part of a recording)
  local at_once <close> = core.tape_begin("nothing")
  local old_seed, old_block = core.rng_state()
  core.rng_state(math.tointeger(seed), 0)
  local results = table.pack(pcall(make))
  core.rng_state(old_seed, old_block)
  if not results[1] then error(results[2], 0) end
  return table.unpack(results, 2, results.n)
end

-- Rows made orthonormal by the modified Gram-Schmidt process (columns where there are more rows than
-- columns).
local function orthogonal(rows, columns, dtype)
  local tall = rows > columns
  local a = core.random("normal", tall and {columns, rows} or {rows, columns}, "float64"):totable()
  for i, row in ipairs(a) do
    for j = 1, i - 1 do
      local dot = 0
      for k, v in ipairs(row) do dot = dot + v * a[j][k] end
      for k in ipairs(row) do row[k] = row[k] - dot * a[j][k] end
    end
    local norm = 0
    for _, v in ipairs(row) do norm = norm + v * v end
    for k in ipairs(row) do row[k] = row[k] / math.sqrt(norm) end
  end
  local q = core.tensor_from(a, "float64")
  return (tall and q:transpose() or q):clone():to(dtype)
end

--- Weight of the given shape (outputs first) and bias, or nil; fan_in counts the inputs of one output. o:
-- options as checked.
function M.weights(shape, fan_in, fan_out, o)
  local bound, weight, bias = 1 / math.sqrt(fan_in), nil, core.full({shape[1]}, 0, o.dtype)
  local function uniform(s, b) return (core.random("uniform", s, o.dtype) * (2 * b) - b):clone() end
  if o.init == "default" then -- PyTorch's
    weight, bias = uniform(shape, bound), uniform({shape[1]}, bound)
  elseif o.init == "kaiming" then
    weight = core.random("normal", shape, o.dtype) * math.sqrt(2 / fan_in)
  elseif o.init == "xavier" then
    weight = uniform(shape, math.sqrt(6 / (fan_in + fan_out)))
  elseif o.init == "normal" then
    weight = core.random("normal", shape, o.dtype) * o.std
  elseif o.init == "zeros" then
    weight = core.full(shape, 0, o.dtype)
  else
    local columns = 1
    for i = 2, #shape do columns = columns * shape[i] end
    weight = orthogonal(shape[1], columns, o.dtype):reshape(shape)
  end
  return weight, o.bias and bias or nil
end

return M
