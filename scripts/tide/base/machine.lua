--- What the engine found on this machine and chose for it.

local core = require "tide.core"

local M = {}

local described = {__tostring = function(info)
  local blas = info.blas
  return ("Tide %s (compiler %s), %s loops, %d threads on %d cores; OpenBLAS %s: kernels for %s (%s)"):format(
    info.version, info.compiler,
    info.isa, info.threads, info.cores, blas.version or "not found", blas.core or "-", blas.why or "-")
end}

--- {version, compiler, isa, threads, cores, blas = {library, version, core, why}}; opens OpenBLAS to ask it.
function M.machine()
  local info = core.build_info()
  info.threads, info.cores, info.blas = core.threads(), core.cpu_count(), core.blas()
  return setmetatable(info, described)
end

return M
