--- CIFAR-10 from its binary version, in the folder `dir`, else TIDE_DATA/cifar10. x: float32 N,3,32,32 in [0,
-- 1]; y: label + 1, int64.
--
-- Files: data_batch_1.bin to data_batch_5.bin and test_batch.bin, gzip or not, 10,000 records each: one label
-- byte, then 3 planes (red, green, blue) of 32 x 32 bytes. Batches are read in order until there are n
-- pictures, so that a part of the data set serves small experiments.

local core = require "tide.core"
local options = require "tide.options"
local tensor = require "tide.tensor"

local RECORD = 1 + 3 * 32 * 32
local LIMIT = 10000 * RECORD -- bytes of a batch

local spec = {split = {"string", default = "train", check = options.one_of{"train", "test"}},
  dir = {"string"}, n = {"integer", check = options.at_least(1)}}

local batches = {train = {"data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5"},
  test = {"test_batch"}}

local function read(folder, stem)
  local path = folder .. "/" .. stem .. ".bin"
  for _, name in ipairs{path, path .. ".gz"} do
    if core.exists(name) then
      local bytes = core.read_bytes(name, {limit = LIMIT})
      if #bytes == 0 or #bytes % RECORD ~= 0 then
        core.raise(("data.cifar10: %s holds %d bytes; a batch is a multiple of %d"):format(name, #bytes,
          RECORD))
      end
      local records = bytes:reshape{#bytes // RECORD, RECORD}
      local y = records:slice(2, 1, 1):reshape{-1}:to("int64") + 1
      if y:max():item() > 10 then
        core.raise(("data.cifar10: %s holds labels outside 0..9; it is not CIFAR-10"):format(name))
      end
      return records:slice(2, 2, RECORD), y
    end
  end
  core.raise(("data.cifar10: %s[.gz] was not found; get the files with `tide data/fetch.lua cifar10 "
    .. "[FOLDER]`, or point TIDE_DATA at the folder that holds "
    .. "cifar10/"):format(path))
end

return {
  cifar10 = function(opts)
    local o = options.check("data.cifar10", opts, spec)
    local folder = require("tide.data").folder("cifar10", o.dir)
    local xs, ys, have = {}, {}, 0
    for _, stem in ipairs(batches[o.split]) do
      if o.n and have >= o.n then break end
      local x, y = read(folder, stem)
      if o.n then x, y = x:slice(1, 1, math.min(#x, o.n - have)), y:slice(1, 1, math.min(#y, o.n - have)) end
      xs[#xs + 1], ys[#ys + 1], have = x:to("float32"):reshape{#x, 3, 32, 32} * (1 / 255), y, have + #x
    end
    return {x = tensor.cat(xs, 1), y = tensor.cat(ys, 1)}
  end,
}
