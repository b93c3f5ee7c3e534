--- Trees of tensors whose samples lie along the first axis (data sets, batches): counted, cut, shuffled.

local core = require "tide.core"
local options = require "tide.base.options"
local show = require "tide.base.show"
local tree = require "tide.base.tree"

local M = {}
local raise = core.raise

local function place(path) return path == "" and "data" or path:sub(1, 1) == "[" and "data" .. path
  or "data." .. path end

--- How many samples `data`, a tensor or a table of them, has; an error in the name of `where` when its
-- tensors disagree or there are none. What is no tensor is left alone.
function M.count(where, data)
  local n, first
  tree.each(data, function(x, path)
    if not tree.is_tensor(x) then return end
    if x:rank() == 0 then
      raise(("%s: %s is a scalar; samples lie along the first axis"):format(where, place(path)))
    end
    if n and #x ~= n then
      raise(("%s: %s has %d samples, %s %d"):format(where, first, n, place(path), #x))
    end
    n, first = n or #x, first or place(path)
  end)
  if not n then
    raise(("%s: data holds no tensor, got %s; samples lie along the first axis of tensors"):format(where,
      options.show(data)))
  end
  if n == 0 then raise(where .. ": the data set is empty") end
  return n
end

--- Samples first..last of `data`: views.
function M.cut(data, first, last)
  return tree.map(data, function(x) return x:slice(1, first, last) end)
end

--- Samples by their positions, an int64 tensor: copies.
function M.take(data, positions)
  return tree.map(data, function(x) return x:take(positions) end)
end

-- ---- split ----

local split_spec = {seed = {"integer", default = 1}, shuffle = {"boolean", default = true}}

-- How many samples each part has: counts, or fractions whose sum is 1; the last one takes what rounding
-- leaves.
local function counts(parts, n)
  local sum, whole = 0, true
  for i, v in ipairs(parts) do
    if type(v) ~= "number" or not options.positive(v) then
      raise(("data.split: parts[%d] must be a number > 0, a count or a fraction, got %s"):format(i,
        options.show(v)))
    end
    sum, whole = sum + v, whole and math.type(v) == "integer"
  end
  if whole and sum == n then return parts end
  if whole or math.abs(sum - 1) > 1e-9 then
    raise(("data.split: the parts add up to %s; counts must add up to the %d samples, fractions to 1"):format(
      options.show(sum), n))
  end
  local out, left = {}, n
  for i, v in ipairs(parts) do
    out[i] = i == #parts and left or math.floor(v * n + 0.5)
    left = left - out[i]
    if out[i] < 1 or left < 0 then
      raise(("data.split: part %d of %d samples, a share of %s, would be empty"):format(i, n,
        options.show(v)))
    end
  end
  return out
end

--- split(data, {0.8, 0.2}, {seed = 1, shuffle = true}) -> a data set for each part, without common samples;
-- a share of the first alone, 0.8, gives two.
function M.split(data, parts, opts)
  local o, n = options.check("data.split", opts, split_spec), M.count("data.split", data)
  if type(parts) == "number" and parts > 0 and parts < 1 then parts = {parts, 1 - parts} end
  if type(parts) ~= "table" or #parts == 0 then
    raise("data.split: parts must be a list of counts or fractions, such as {0.8, 0.2}, or one fraction, got "
      .. options.show(parts))
  end
  local order, out, first = o.shuffle and core.permutation(n, o.seed), {}, 1
  for i, size in ipairs(counts(parts, n)) do
    local last = first + size - 1
    out[i] = show.plainly(order and M.take(data, order:slice(1, first, last)) or M.cut(data, first, last))
    first = last + 1
  end
  return table.unpack(out)
end

-- ---- batches ----

--- batches(data, o) -> function(i) -> the i-th batch, and how many an epoch has. o = {batch =, seed =,
-- shuffle =, drop_last =}. The order of an epoch is a function of the seed and the epoch alone, so whoever
-- goes on at batch i sees what an uninterrupted run would have seen.
function M.source(data, n, o)
  local size = math.min(o.batch, n)
  local per_epoch = o.drop_last and n // size or (n + size - 1) // size
  local order, epoch
  return function(i)
    local at = (i - 1) % per_epoch
    local first, last = at * size + 1, math.min((at + 1) * size, n)
    if not o.shuffle then return M.cut(data, first, last) end
    if epoch ~= (i - 1) // per_epoch then
      epoch = (i - 1) // per_epoch
      order = core.permutation(n, o.seed * 1000003 + epoch)
    end
    return M.take(data, order:slice(1, first, last))
  end, per_epoch
end

local batches_spec = {batch = {"integer", default = 64, check = options.at_least(1)},
  seed = {"integer", default = 1}, epoch = {"integer", default = 1, check = options.at_least(1)},
  shuffle = {"boolean", default = true}, drop_last = {"boolean", default = false}}

--- for i, batch in batches(data, {batch = 64, seed = 1, epoch = 1}) do: one epoch, in the order in which
-- tide.train sees it. The iterator alone, called with a number, gives that batch, of any epoch: so it is data
-- for tide.train.
function M.batches(data, opts)
  local o = options.check("data.batches", opts, batches_spec)
  local batch, per_epoch = M.source(data, M.count("data.batches", data), o)
  local before = (o.epoch - 1) * per_epoch
  return function(number, i)
    if i == nil then return batch(before + number) end
    if i < per_epoch then return i + 1, batch(before + i + 1) end
  end, nil, 0
end

return M
