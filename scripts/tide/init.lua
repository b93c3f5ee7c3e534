--- Tide: a workbench for continuous-depth models. `local tide = require "tide"` sets no globals.

local core = require "tide.core"
local names = require "tide.names"

-- Errors name the user's line, not one of the library; see bindings/binding.c.
local here = debug.getinfo(1, "S").source:match("^@(.*)init%.lua$")
if here then core.library_root(here) end

-- A wrong value of a variable that the engine reads when it is loaded must not pass for the default.
local function check_environment()
  local isa, threads = os.getenv("TIDE_ISA") or "", os.getenv("TIDE_THREADS") or ""
  local valid = {generic = true, avx2 = true, avx512 = true, amx = true}
  if isa ~= "" and not valid[isa] then
    core.raise(('TIDE_ISA must be generic, avx2, avx512 or amx, got "%s"'):format(isa))
  end
  if isa ~= "" and isa ~= core.build_info().isa then
    core.raise((
      'TIDE_ISA is "%s", which this processor or this build lacks; unset it for the best there is'):format(
      isa))
  end
  local n = threads:find("^%d+$") and tonumber(threads)
  if threads ~= "" and not (n and n >= 1 and n <= 256) then
    core.raise(('TIDE_THREADS must be an integer in 1..256, got "%s"'):format(threads))
  end
end
check_environment()

-- Under stock Lua the short names of modules are found here (under the program `tide` by loader.lua).
table.insert(package.searchers, function(name)
  local new = names[name:match("^tide%.(.*)$")]
  return new and function() return require(new) end
end)

local tide = {_VERSION = core.build_info().version, core = core}

local function include(module)
  for name, value in pairs(module) do
    if tide[name] == nil then tide[name] = value end
  end
end

include(require "tide.tensor")
include(require "tide.tensor.convolution")
include(require "tide.tensor.pooling")
include(require "tide.tensor.autodiff")
include(require "tide.tensor.second_order")
include(require "tide.tensor.precision")
include(require "tide.base.machine")
include(require "tide.base.failure")

tide.ode = require "tide.ode"
tide.odeint = tide.ode.odeint
-- Of the room study, which knows solves and models; under tide.ode, where people look for them.
for name, module in pairs{validity = "tide.study.validity", audit = "tide.study.audit",
  crossings = "tide.study.crossing.report"} do
  tide.ode[name] = function(opts)
    local evaluation <close> = require("tide.nn.mode").within(false) -- luacheck: ignore evaluation
    return require(module)[name](opts)
  end
end
tide.save, tide.load, tide.read_idx, tide.read_bytes = core.save, core.load, core.read_idx, core.read_bytes
tide.memory = function(...) return require("tide.base.show").printable(core.memory(...)) end
tide.threads = core.threads
tide.tree = require "tide.base.tree"

-- Sub-modules load on first use, so that a short script starts at once.
local lazy = {}
for name in ("nn optim data plot csv help progress jobs sweep step_adaption tolerance_adaption crossing "
  .. "experiment theory linalg metrics distributions"):gmatch("%S+") do
  lazy[name] = names[name] or "tide." .. name
end
local lazy_functions = {train = "tide.train", evaluate = "tide.train", predict = "tide.train",
  explain = "tide.tensor.explain", tostring = "tide.tensor.text", set_print = "tide.tensor.text",
  get_print = "tide.tensor.text"}
setmetatable(tide, {__index = function(t, key)
  local name = lazy[key]
  if lazy_functions[key] then
    rawset(t, key, require(lazy_functions[key])[key])
    return rawget(t, key)
  end
  if not name then return nil end
  local module = require(name)
  rawset(t, key, module)
  return module
end, submodules = lazy, functions = lazy_functions})

return tide
