--- Tide's side of peers.py: reads commands from standard input, answers each with one line, "ok ..." or
-- "error ...".
--
--   works                       the names of the works, their kinds, losses and gradients as
--                               name:kind:loss:gradient
--   prepare NAME FILE           set up a work, write its data and weights for the peers
--   check NAME k                k steps of training; first and last loss, evaluations per step forward and
--                               backward. After it the weights stay as they are (learning rate 0), so that
--                               each run does the same work
--   run NAME k                  seconds for k steps, evaluations per step forward and backward
--   memory GRADIENT BATCH STEPS FILE   one step of works.memory_work, written to FILE for the peers;
--                                      resident KiB before it, its peak, seconds, loss
--   info                        what is running

local here = arg[0]:match("^(.*/)") or "./"
local works = dofile(here .. "works.lua")
local tide = require "tide"
local experiment = require "tide.experiment"

local ready = {}
local function get(name)
  return ready[name] or error(("work %s is not prepared"):format(tostring(name)), 0)
end
-- Resident memory of this process in KiB: VmRSS now, VmHWM the peak since the last reset.
local function resident(name)
  local file <close> = assert(io.open("/proc/self/status"))
  return tonumber(file:read("a"):match(name .. ":%s*(%d+) kB"))
    or error("no " .. name .. " in /proc/self/status", 0)
end

local function reset_peak()
  local file <close> = assert(io.open("/proc/self/clear_refs", "w"))
  assert(file:write("5"))
end

local function count(text)
  return math.tointeger(tonumber(text)) or error("a number of steps is missing", 0)
end

local commands = {
  works = function()
    local list = {}
    for _, w in ipairs(works.available()) do
      if not w.alone then
        list[#list + 1] = table.concat({w.name, w.spec.kind, w.loss, w.solver.gradient or "direct",
          w.solver.method, w.precision or "highest"}, ":")
      end
    end
    return table.concat(list, " ")
  end,
  prepare = function(name, path)
    ready[name] = works.prepare(works.find(name))
    ready[name]:export(path)
    return ("%d"):format(ready[name]:operations(1, 1))
  end,
  check = function(name, k)
    local work = get(name)
    work:learn(1e-4)
    local _, losses, nfe, nfe_backward = work:run(count(k))
    work:learn(0)
    return ("%.9g %.9g %.6g %.6g"):format(losses[1], losses[#losses], nfe, nfe_backward)
  end,
  run = function(name, k)
    local seconds, _, nfe, nfe_backward = get(name):run(count(k))
    return ("%.9g %.6g %.6g"):format(seconds, nfe, nfe_backward)
  end,
  memory = function(gradient, batch, steps, path)
    local work = works.prepare(works.memory_work(count(batch), count(steps), gradient))
    work:export(path)
    collectgarbage()
    reset_peak()
    local before = resident("VmRSS")
    local seconds, losses = work:run(1)
    return ("%d %d %.6g %.9g"):format(before, resident("VmHWM"), seconds, losses[1])
  end,
  title = function(name) return works.find(name).title end,
  forget = function(name)
    ready[name] = nil
    collectgarbage()
    return ""
  end,
  info = function()
    local info = tide.core.build_info()
    local commit = experiment.provenance{[0] = "worker"}[2]:match("commit: (.*)")
    return ("Tide %s (%s), %s, OpenBLAS %s, %d threads"):format(info.version, commit, info.isa,
      tide.core.blas().core, tide.threads())
  end,
}

for line in io.lines() do
  local words = {}
  for word in line:gmatch("%S+") do words[#words + 1] = word end
  local command = commands[words[1]]
  if command then
    local ok, answer = pcall(command, table.unpack(words, 2))
    io.write(ok and "ok " or "error ", (tostring(answer):gsub("\n", " | ")), "\n")
  else
    io.write("error unknown command\n")
  end
  io.flush()
end
