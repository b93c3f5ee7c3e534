--- What the benchmarks share: medians, clocks, and what they say about the machine that they ran on.

local core = require "tide.core"

local M = {}

function M.median(list)
  table.sort(list)
  local n = #list
  return n % 2 == 1 and list[n // 2 + 1] or (list[n // 2] + list[n // 2 + 1]) / 2
end

function M.timed(fn)
  local start = core.monotonic()
  fn()
  return core.monotonic() - start
end

local function first_match(path, pattern)
  local file <close> = io.open(path)
  return file and file:read("a"):match(pattern) or nil
end

function M.processor()
  return first_match("/proc/cpuinfo", "model name%s*:%s*([^\n]+)") or "unknown processor"
end

--- Load average over the last minute.
function M.load() return first_match("/proc/loadavg", "^%S+") or "?" end

--- Variables that a user chose in place of our defaults, as a line.
function M.environment()
  local list = {}
  for _, name in ipairs{"OPENBLAS_CORETYPE", "OPENBLAS_NUM_THREADS", "TIDE_ISA", "TIDE_THREADS"} do
    if os.getenv(name) then list[#list + 1] = name .. "=" .. os.getenv(name) end
  end
  return "environment: " .. (#list > 0 and table.concat(list, " ") or "nothing that chooses kernels or "
    .. "threads")
end

--- The program that runs this script, quoted for the shell.
function M.program() return ("'%s'"):format(((arg[-1] or "./tide"):gsub("'", "'\\''"))) end

return M
