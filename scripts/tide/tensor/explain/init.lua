--- tide.explain: what a function records and what then runs, as text.
--
-- The engine supplies tables (bindings/explain.c); this names values and lays out lines.

local core = require "tide.core"
local expressions = require "tide.tensor.explain.expressions"
local options = require "tide.base.options"
local page = require "tide.tensor.explain.page"
local listing = require "tide.tensor.explain.listing"
local solve = require "tide.tensor.explain.solves"
local tree = require "tide.base.tree"
local updates = require "tide.tensor.updates"

local M = {}

-- What is recorded, as tide.compile does it.
local function record(fn, ...)
  local arguments, leaves = {n = select("#", ...), ...}, {}
  local _, symbolic = tree.signature(arguments, leaves)
  if symbolic then
    core.raise("tide.explain: the arguments must be tensors with values, not symbolic ones")
  end
  if core.is_recording() then
    core.raise("tide.explain: it cannot be called from inside a function that is being recorded")
  end
  local tape <close> = core.tape_begin("program")
  local kept <close> = updates.collect()
  local inputs = {}
  for i, x in ipairs(leaves) do inputs[i] = tape:input(x) end
  local outputs = tree.tensors(table.pack(fn(table.unpack(tree.replace(arguments, inputs), 1, arguments.n))))
  updates.outputs(kept, outputs, inputs)
  return core.explain(tape, outputs)
end

-- Names of the program's values: those of the recorded nodes (numbers stand for themselves). also[v]: other
-- nodes that it stands for.
local function recorded_names(data)
  local names, also = {}, {}
  for i, v in ipairs(data.value_of) do
    local node = data.tape.nodes[i]
    if v > 0 and not names[v] and node.op ~= "literal" and not node.address then names[v] = "%" .. i
    elseif v > 0 and #node.inputs > 0 then
      also[v] = also[v] or {}
      table.insert(also[v], "%" .. i)
    end
  end
  return names, also
end

local function program_lines(out, data, solves)
  local names, also = recorded_names(data)
  local rows = {page.head "read+written"}
  -- a copy that was put in: of a result, or of an operand that has to be dense
  local function name(call, result)
    if result.kind == "output" then return "%" .. data.tape.outputs[result.slot] end
    return listing.operand(data.program, call.inputs[1], names, solves.captured):gsub("~$", "") .. "'"
  end
  local function note(call, result)
    local list = {}
    if call.solve then
      list[1] = (call.backward and "gradient of solve " or "solve ") .. solves[call.solve]
    end
    if result.kind == "output" then list[#list + 1] = "result " .. result.slot end
    if also[call.result] then list[#list + 1] = "also " .. expressions.list(also[call.result]) end
    return list
  end
  local total = listing.program(rows, data.program, names, solves.captured, name, note)
  out[#out + 1] = (
    "OPTIMISED: %s, arena %s; nodes that cost nothing: common %s, dead %s, views %s, fused %s"):format(
    page.plural(total.calls, "call"), page.bytes(total.arena_bytes), page.grouped(data.common),
    page.grouped(data.dead), page.grouped(data.views), page.grouped(data.fused))
  listing.add_total(rows, total)
  page.align(out, rows)
  out[#out + 1] = ""
  total.common, total.dead, total.views, total.fused = data.common, data.dead, data.views, data.fused
  return total
end

local explanation = {__name = "tide.explanation"}

function explanation.__tostring(e)
  return ("explanation: %s, %s operations -> %s, %s operations%s"):format(
    page.plural(e.recorded.nodes, "node"), page.amount(e.recorded.operations),
    page.plural(e.optimised.calls, "call"), page.amount(e.optimised.operations),
    #e.solves > 0 and "; " .. page.plural(#e.solves, "solve") or "")
end

--- explain(fn, ...): record fn on the arguments, print what is recorded and what runs, return the totals; see
-- help("tide.explain").
function M.explain(fn, ...)
  local meta = getmetatable(fn)
  if type(fn) ~= "function" and not (type(meta) == "table" and meta.__call) then
    core.raise("tide.explain: expected a function, got " .. options.show(fn))
  end
  local data = record(fn, ...)
  local solves, out = {captured = {n = 0}}, {}
  local names, notes = listing.describe_nodes(data.tape, solves)
  out[1] = "RECORDED: " .. page.plural(#data.tape.nodes, "node")
  local result = {recorded = listing.tape(out, data.tape, names, notes), solves = {}}
  out[#out + 1] = ""
  result.optimised = program_lines(out, data, solves)
  local i = 1
  while solves[i] do -- a field may have solves of its own, which are added on the way
    result.solves[i] = solve.lines(out, solves[i], i, solves)
    i = i + 1
  end
  out[#out + 1] = "x~: a view of x; c1, ...: captured tensors; over x: in the memory of x; a multiply-add "
    .. "counts as two operations"
  print(table.concat(out, "\n"))
  return setmetatable(result, explanation)
end

return M
