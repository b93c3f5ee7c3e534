--- What a run leaves behind in tensors that are no results: running statistics. A layer says what the new
-- value of a buffer is; at once it is copied there, in a recording it is one more output of the program, and
-- each run copies it when it has succeeded. So a replay does what the first run did, and a run that fails
-- changes nothing.

local core = require "tide.core"

local M = {}
local raise = core.raise

-- Of the recording that is open: {current = {[tensor] = value}, order = {tensor, ...}}, or {refused = why}.
local open

local function opened(own)
  local outer = open
  open = own
  return setmetatable(own, {__close = function() open = outer end})
end

--- What follows is recorded: a list to be closed, for M.outputs.
function M.collect() return opened{current = {}, order = {}} end

--- What follows is recorded where no value can leave; why: for the error.
function M.refuse(why) return opened{refused = why} end

--- The value that x has by now.
function M.current(x)
  return core.is_recording() and open and open.current and open.current[x] or x
end

--- x, a buffer of a layer (where: its name), becomes value.
function M.assign(where, x, value)
  if not core.is_recording() then return x:copy_(value) end
  if not open or open.refused then
    raise(("%s: %s"):format(where, open and open.refused or "its buffers cannot change in this recording"))
  end
  if not open.current[x] then open.order[#open.order + 1] = x end
  open.current[x] = value
end

--- The values that list `own` collected, behind those of outputs; returns what will be changed: tensors, or
-- numbers of the recording's inputs.
function M.outputs(own, outputs, inputs)
  local targets, places = {}, {}
  for i, x in ipairs(inputs or {}) do places[x] = i end
  for i, x in ipairs(own.order) do
    targets[i] = places[x] or x
    if not places[x] and core.is_symbolic(x) then
      raise("a buffer of a layer (running statistics) was computed inside of the recording, so that its new "
        .. "value has no place to go; pass the model as an argument, or call it with {training = false}")
    end
    outputs[#outputs + 1] = own.current[x]
  end
  return targets
end

--- Copy the values, which stand behind the first n of results; leaves: the inputs of the run.
function M.apply(targets, results, n, leaves)
  for i, target in ipairs(targets) do
    local x = type(target) == "number" and leaves[target] or target
    x:copy_(results[n + i])
    results[n + i] = nil
  end
  return results
end

return M
