--- What the engine found on this machine and chose for it.

local core = require "tide.core"

local M = {}

--- {version, compiler, isa, threads, cores, blas = {library, version, core, why}}; opens OpenBLAS to ask it.
function M.machine()
  local info = core.build_info()
  info.threads, info.cores, info.blas = core.threads(), core.cpu_count(), core.blas()
  return info
end

return M
