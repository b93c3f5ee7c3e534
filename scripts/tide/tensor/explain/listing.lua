--- Tapes and programs as rows of an explanation, with names for their values.

local expressions = require "tide.tensor.explain.expressions"
local page = require "tide.tensor.explain.page"

local M = {}

--- Lines of a recorded tape; names[i] is the name of node i, notes[i] what to say about it. Returns its
-- totals.
function M.tape(out, tape, names, notes)
  local rows, total = {page.head "bytes"}, {nodes = #tape.nodes, operations = 0, bytes = 0}
  for i, node in ipairs(tape.nodes) do
    local inputs = {}
    for j, k in ipairs(node.inputs) do inputs[j] = names[k] end
    local n, view, bytes = node.operations, node.view, node.view and 0 or node.bytes
    total.operations, total.bytes = total.operations + n, total.bytes + bytes
    rows[#rows + 1] = {names[i], node.op, expressions.of(node, inputs), page.spec(node),
      n > 0 and page.amount(n) or "-", view and "view" or page.bytes(bytes), notes[i] or ""}
  end
  rows[#rows + 1] = {"total", "", "", "", page.amount(total.operations), page.bytes(total.bytes), ""}
  page.align(out, rows)
  return total
end

--- How the operand `v` reads: the name of its memory's value, with ~ for a view of it. names[address]: of
-- captured tensors.
function M.operand(program, v, names, captured)
  local root = program.values[v].root
  local value = program.values[root]
  local name = names[root] or captured[value.address]
  local number = not name and value.number
  if not name then name = ("%.6g"):format(number or 0 / 0) end
  return (v == root or number) and name or name .. "~"
end

--- Rows of a program's calls. names: of its values, by the engine's numbers; name(call, value) names the
-- others. captured: names of tensors that were captured, by address. note(call) is what to say about a call.
-- Returns the totals.
function M.program(rows, program, names, captured, name, note)
  local total = {calls = #program.calls, operations = 0, bytes = 0, arena_bytes = program.arena_bytes}
  for _, call in ipairs(program.calls) do
    local inputs = {}
    for j, v in ipairs(call.inputs) do inputs[j] = M.operand(program, v, names, captured) end
    local n = call.operations
    total.operations, total.bytes = total.operations + n, total.bytes + call.bytes
    names[call.result] = names[call.result] or name(call, program.values[call.result])
    local notes = note and note(call, program.values[call.result]) or {}
    if call.over then table.insert(notes, 1, "over " .. M.operand(program, call.over, names, captured)) end
    if call.way then notes[#notes + 1] = "by " .. call.way end
    rows[#rows + 1] = {names[call.result], call.op, expressions.of(call, inputs), page.spec(call),
      n > 0 and page.amount(n) or "-", page.bytes(call.bytes), table.concat(notes, ", ")}
  end
  return total
end

function M.add_total(rows, total)
  rows[#rows + 1] = {"total", "", "", "", page.amount(total.operations), page.bytes(total.bytes), ""}
  return total
end

--- Names of values that are inputs, from the names of the program's inputs.
function M.input_names(program, list)
  local names = {}
  for v, value in pairs(program.values) do
    if value.kind == "input" and value.root == v then names[v] = list[value.slot] end
  end
  return names
end

--- Names and notes of the nodes of a tape. solves: the plans so far and, by identity, their numbers; those of
-- this tape are added, and the tensors that it captured to solves.captured.
function M.describe_nodes(tape, solves, input_name)
  local names, notes = {}, {}
  local function note(i, text) notes[i] = notes[i] and notes[i] .. ", " .. text or text end
  for i, node in ipairs(tape.nodes) do
    names[i] = input_name and node.input and input_name(node.input) or "%" .. i
    if node.address then
      local captured = solves.captured
      captured.n = captured.n + (captured[node.address] and 0 or 1)
      captured[node.address] = captured[node.address] or "c" .. captured.n
      names[i] = captured[node.address]
    end
    if node.input and not input_name then note(i, "argument " .. node.input) end
    if node.plan and not solves[node.solve] then
      solves[#solves + 1] = node.plan
      solves[node.solve] = #solves
    end
    if node.solve then
      note(i, (node.backward and "gradient of solve " or "solve ") .. (solves[node.solve] or "?"))
    end
  end
  for slot, i in ipairs(tape.outputs) do note(i, input_name and "dy" or "result " .. slot) end
  return names, notes
end

return M
