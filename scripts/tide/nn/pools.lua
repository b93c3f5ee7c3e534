--- Windows over signals and images as layers: tensor/pooling.lua.

local class = require "tide.nn.model_class"
local pooling = require "tide.tensor.pooling"

local M = {}

for kind, name in pairs{_max = "max_pool", _avg = "avg_pool"} do
  for dims = 1, 2 do
    local where = ("nn.%s%dd"):format(name, dims)
    local pool, check = pooling[kind](where, dims)
    local make = class(where, "kernel pool", function(self, x) return pool(x, self.kernel, self.pool) end)
    --- max_pool1d(k, opts), max_pool2d, avg_pool1d, avg_pool2d: as tide.max_pool1d and the others.
    M[name .. dims .. "d"] = function(kernel, opts)
      check(kernel, opts)
      local own = {}
      for key, v in pairs(opts or {}) do own[key] = v end
      return make{kernel = kernel, pool = own}
    end
  end
end

for dims = 1, 2 do
  local name = ("adaptive_avg_pool%dd"):format(dims)
  local pool, check = pooling._adaptive("nn." .. name, dims)
  local make = class("nn." .. name, "size", function(self, x) return pool(x, self.size) end)
  --- adaptive_avg_pool1d(size), adaptive_avg_pool2d(size): results of this size, whatever that of x is.
  M[name] = function(size)
    check(size)
    return make{size = size}
  end
end

return M
