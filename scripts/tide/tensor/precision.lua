--- How exactly float32 matrix products and convolutions are to be computed; PyTorch's vocabulary
-- (torch.set_float32_matmul_precision).

local core = require "tide.core"
local options = require "tide.base.options"

local M = {}
local levels = {"highest", "high", "medium"}

--- "highest": float32 accuracy. "high": at least 16 bits. "medium": at least 8 bits (bfloat16). Returns the
-- level before.
function M.set_matmul_precision(level)
  local before = M.get_matmul_precision()
  for i, name in ipairs(levels) do
    if name == level then
      core.matmul_precision(i - 1)
      return before
    end
  end
  core.raise("set_matmul_precision: " .. options.unknown("level", level, levels))
end

--- The level in force.
function M.get_matmul_precision() return levels[core.matmul_precision() + 1] end

return M
