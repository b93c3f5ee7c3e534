--- How weights begin: the options that all layers and models share, the rules, the stream of random numbers.

local core = require "tide.core"
local initialisers = require "tide.nn.initialisers"
local options = require "tide.base.options"
local tensor = require "tide.tensor"

local M = {}
local raise = core.raise

local inits = {"default", "kaiming", "xavier", "normal", "orthogonal", "zeros", "ones", "kaiming_uniform",
  "kaiming_normal", "xavier_uniform", "xavier_normal", "trunc_normal"}

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

--- Weight of the given shape (outputs first) and bias of so many outputs (default shape[1]), or nil; fan_in
-- counts the inputs of one output. o: options as checked.
function M.weights(shape, fan_in, fan_out, o, outputs)
  local biases = {outputs or shape[1]}
  local bound, weight, bias = 1 / math.sqrt(fan_in), nil, core.full(biases, 0, o.dtype)
  local function uniform(s, b) return (core.random("uniform", s, o.dtype) * (2 * b) - b):clone() end
  if o.init == "default" then -- PyTorch's
    weight, bias = uniform(shape, bound), uniform(biases, bound)
  elseif o.init == "kaiming" then
    weight = core.random("normal", shape, o.dtype) * math.sqrt(2 / fan_in)
  elseif o.init == "xavier" then
    weight = uniform(shape, math.sqrt(6 / (fan_in + fan_out)))
  elseif o.init == "normal" then
    weight = core.random("normal", shape, o.dtype) * o.std
  elseif o.init == "zeros" then
    weight = core.full(shape, 0, o.dtype)
  elseif o.init == "trunc_normal" then
    weight = initialisers.trunc_normal(core.full(shape, 0, o.dtype):clone(), {std = o.std})
  else -- PyTorch's of that name
    weight = initialisers[o.init](core.full(shape, 0, o.dtype):clone())
  end
  return weight, o.bias and bias or nil
end

return M
