--- tide.explain: what a function records and what then runs, as text.
--
-- The engine supplies tables (bindings/explain.c); this names values and lays out lines.

local core = require "tide.core"
local tree = require "tide.base.tree"
local options = require "tide.base.options"

local M = {}

local WIDTH, MAX_OPERANDS = 120, 8

-- ---- expressions ----

local function list_text(names)
  if #names <= MAX_OPERANDS then return table.concat(names, ", ") end
  return ("%s, ... (%d in all)"):format(table.concat(names, ", ", 1, MAX_OPERANDS - 2), #names)
end

local function axes_of(mask)
  local axes = {}
  for i = 0, 7 do if mask >> i & 1 == 1 then axes[#axes + 1] = i + 1 end end
  return #axes > 1 and "over axes " .. table.concat(axes, ", ") or #axes == 1 and "over axis " .. axes[1]
    or "over no axis"
end

local function factors(names, attrs)
  return ("%s%s %s%s"):format(names[1], attrs[1] ~= 0 and "^T" or "", names[2], attrs[2] ~= 0 and "^T" or "")
end

local function slice(names, row)
  local parts, a = {}, row.attrs
  for i = 1, #row.shape do
    local start, step, length = a[3 * i - 2], a[3 * i - 1], a[3 * i]
    parts[i] = ("%d:%d%s"):format(start + 1, start + 1 + step * (length - 1), step ~= 1 and ":" .. step or "")
  end
  return ("%s[%s]"):format(names[1], table.concat(parts, ", "))
end

local function convolution(names, row)
  local a, notes = row.attrs, {}
  local function note(word, first, default)
    if a[first] == a[first + 1] and a[first] ~= default then notes[#notes + 1] = word .. " " .. a[first]
    elseif a[first] ~= a[first + 1] then notes[#notes + 1] = ("%s %dx%d"):format(word, a[first],
      a[first + 1]) end
  end
  note("stride", 1, 1)
  note("padding", 3, 0)
  note("dilation", 5, 1)
  if a[7] ~= 1 then notes[#notes + 1] = "groups " .. a[7] end
  return table.concat(names, ", ") .. (#notes > 0 and "  " .. table.concat(notes, ", ") or "")
end

-- relu(x W + c), relu(conv(x, w) + c)
local function layer(names, row)
  local operands, next_name = {names[1], names[2]}, 3
  local text = row.base == "matmul" and factors(operands, row.attrs)
    or ("%s(%s)"):format(row.base, convolution(operands, row))
  if row.bias ~= 0 then text, next_name = text .. " + " .. names[3], 4 end
  if not row.post then return text end
  local other = names[next_name]
  if not other then return ("%s(%s)"):format(row.post, text) end
  return row.second ~= 0 and ("%s(%s, %s)"):format(row.post, other, text)
    or ("%s(%s, %s)"):format(row.post, text, other)
end

local function along(names, row) return ("%s along axis %d"):format(list_text(names), row.attrs[1] + 1) end
local function over(names, row) return names[1] .. " " .. axes_of(row.attrs[1]) end
local expressions = {
  matmul = function(names, row) return factors(names, row.attrs) end, layer = layer, conv_layer = layer,
  slice = slice,
  cat = along, argmax = along, argmin = along,
  take = along, take_grad = along, sum = over, max = over, min = over, conv = convolution,
  conv_dx = convolution, conv_dw = convolution,
  conv_matrix = convolution, conv_matrix_grad = convolution,
  literal = function(_, row) return ("%.6g"):format(row.value) end,
  permute = function(names, row)
    local order = {}
    for i, axis in ipairs(row.attrs) do order[i] = axis + 1 end
    return ("%s axes %s"):format(names[1], table.concat(order, ", "))
  end,
}

local function expression(row, names) return (expressions[row.op] or list_text)(names, row) end

-- ---- laying out ----

local function grouped(n)
  local text = ("%d"):format(n)
  while true do
    local longer, count = text:gsub("^(%d+)(%d%d%d)", "%1,%2")
    if count == 0 then return text end
    text = longer
  end
end

--- 12,345 or 1.23 M.
local function amount(n)
  if n < 1e6 then return grouped(n) end
  for _, unit in ipairs{{1e12, "T"}, {1e9, "G"}, {1e6, "M"}} do
    if n >= unit[1] then return ("%.2f %s"):format(n / unit[1], unit[2]) end
  end
end

local function bytes_text(n)
  if n < 10000 then return grouped(n) .. " B" end
  for _, unit in ipairs{{2 ^ 30, "GiB"}, {2 ^ 20, "MiB"}, {2 ^ 10, "KiB"}} do
    if n >= unit[1] then return ("%.1f %s"):format(n / unit[1], unit[2]) end
  end
end

local function spec_text(row) return ("%s {%s}"):format(row.dtype, table.concat(row.shape, ", ")) end

local FLUSH_RIGHT, LONG = {[5] = true, [6] = true}, 3

-- Lines of equal columns. What does not fit is cut from the long column.
local function align(out, rows)
  local widths, sum = {}, 0
  for _, row in ipairs(rows) do
    for i, cell in ipairs(row) do widths[i] = math.max(widths[i] or 0, #cell) end
  end
  for _, width in ipairs(widths) do sum = sum + width + 2 end
  widths[LONG] = math.max(16, math.min(widths[LONG], widths[LONG] - sum + WIDTH))
  for _, row in ipairs(rows) do
    local cells = {}
    for i, cell in ipairs(row) do
      if #cell > widths[i] then cell = cell:sub(1, widths[i] - 4) .. " ..." end
      local pad = (" "):rep(widths[i] - #cell)
      cells[i] = FLUSH_RIGHT[i] and pad .. cell or cell .. pad
    end
    out[#out + 1] = ("  " .. table.concat(cells, "  ")):gsub("%s+$", "")
  end
end

local function head(bytes) return {"value", "op", "of", "dtype and shape", "operations", bytes, ""} end

local function plural(n, one, many)
  return ("%s %s"):format(grouped(n), n == 1 and one or many or one .. "s")
end

-- ---- tapes ----

-- Lines of a recorded tape; names[i] is the name of node i, notes[i] what to say about it. Returns its
-- totals.
local function tape_lines(out, tape, names, notes)
  local rows, total = {head "bytes"}, {nodes = #tape.nodes, operations = 0, bytes = 0}
  for i, node in ipairs(tape.nodes) do
    local inputs = {}
    for j, k in ipairs(node.inputs) do inputs[j] = names[k] end
    local n, view, bytes = node.operations, node.view, node.view and 0 or node.bytes
    total.operations, total.bytes = total.operations + n, total.bytes + bytes
    rows[#rows + 1] = {names[i], node.op, expression(node, inputs), spec_text(node), n > 0 and amount(n)
      or "-", view and "view" or bytes_text(bytes),
      notes[i] or ""}
  end
  rows[#rows + 1] = {"total", "", "", "", amount(total.operations), bytes_text(total.bytes), ""}
  align(out, rows)
  return total
end

-- ---- programs ----

-- How the operand `v` reads: the name of its memory's value, with ~ for a view of it. names[address]: of
-- captured tensors.
local function operand(program, v, names, captured)
  local root = program.values[v].root
  local value = program.values[root]
  local name = names[root] or captured[value.address]
  local number = not name and value.number
  if not name then name = ("%.6g"):format(number or 0 / 0) end
  return (v == root or number) and name or name .. "~"
end

-- Rows of a program's calls. names: of its values, by the engine's numbers; name(call, value) names the
-- others. captured: names of tensors that were captured, by address. note(call) is what to say about a call.
-- Returns the totals.
local function program_rows(rows, program, names, captured, name, note)
  local total = {calls = #program.calls, operations = 0, bytes = 0, arena_bytes = program.arena_bytes}
  for _, call in ipairs(program.calls) do
    local inputs = {}
    for j, v in ipairs(call.inputs) do inputs[j] = operand(program, v, names, captured) end
    local n = call.operations
    total.operations, total.bytes = total.operations + n, total.bytes + call.bytes
    names[call.result] = names[call.result] or name(call, program.values[call.result])
    local notes = note and note(call, program.values[call.result]) or {}
    if call.over then table.insert(notes, 1, "over " .. operand(program, call.over, names, captured)) end
    rows[#rows + 1] = {names[call.result], call.op, expression(call, inputs), spec_text(call), n > 0
      and amount(n) or "-", bytes_text(call.bytes),
      table.concat(notes, ", ")}
  end
  return total
end

local function add_total(rows, total)
  rows[#rows + 1] = {"total", "", "", "", amount(total.operations), bytes_text(total.bytes), ""}
  return total
end

-- Names of values that are inputs, from the names of the program's inputs.
local function input_names(program, list)
  local names = {}
  for v, value in pairs(program.values) do
    if value.kind == "input" and value.root == v then names[v] = list[value.slot] end
  end
  return names
end

local function join(...)
  local list = {}
  for _, part in ipairs{...} do table.move(part, 1, #part, #list + 1, list) end
  return list
end

local function numbered(prefix, n)
  local list = {}
  for i = 1, n do list[i] = prefix .. i end
  return list
end

-- ---- solves ----

-- What is computed once per solve: {rows, n = results so far, inner = other values so far, total}.
local function new_setup()
  return {rows = {head "read+written"}, n = 0, inner = 0, total = {calls = 0, operations = 0, bytes = 0,
    arena_bytes = 0}}
end

-- Rows of a setup whose inputs are called `given`; returns the names of what it hands on.
local function setup_rows(setup, stage, given, captured)
  local results, handed = {}, {}
  if stage.program then
    local function name(_, result)
      if result.kind ~= "output" then
        setup.inner = setup.inner + 1
        return "u" .. setup.inner
      end
      setup.n = setup.n + 1
      results[result.slot] = "s" .. setup.n
      return results[result.slot]
    end
    local total = program_rows(setup.rows, stage.program, input_names(stage.program, given), captured, name)
    for key, n in pairs(total) do setup.total[key] = setup.total[key] + n end
  end
  for i, source in ipairs(stage.sources) do handed[i] = source > 0 and given[source] or results[-source] end
  return handed
end

local function setup_lines(out, setup, threads)
  if setup.total.calls == 0 then
    out[#out + 1] = "Once per solve: nothing; no part of the field depends on parameters alone"
  else
    add_total(setup.rows, setup.total)
    out[#out + 1] = ("Once per solve%s: %s"):format(threads and " and thread" or "",
      plural(setup.total.calls, "call"))
    align(out, setup.rows)
  end
  out[#out + 1] = ""
  return setup.total
end

-- What runs at each evaluation. inputs, outputs: names of the program's.
local function work_lines(out, title, program, captured, inputs, outputs)
  local rows, count = {head "read+written"}, 0
  local total = program_rows(rows, program, input_names(program, inputs), captured, function(_, result)
    count = count + 1
    return result.kind == "output" and outputs[result.slot] or "v" .. count
  end)
  out[#out + 1] = ("%s: %s, arena %s"):format(title, plural(total.calls, "call"),
    bytes_text(total.arena_bytes))
  add_total(rows, total)
  align(out, rows)
  out[#out + 1] = ""
  return total
end

local function steps_text(o)
  if o.steps then return plural(o.steps, "fixed step") end
  if o.step_size then return ("fixed steps of %.6g"):format(o.step_size) end
  return ("adaptive steps, rtol %.3g, atol %.3g"):format(o.rtol, o.atol)
end

-- What else was not left at its default and matters: ", max_step 0.1, norm batch".
local said = {method = true, steps = true, step_size = true, rtol = true, atol = true, gradient = true}
local function other_options(o)
  local grid, out = o.steps or o.step_size, {}
  for _, row in ipairs(core.solve_options()) do
    local value, usual = o[row.name], grid and row.default_fixed or row.default
    if row.same_as then usual = o[row.same_as] end
    if not said[row.name] and value ~= nil and value ~= usual and not (grid and row.grid ~= "uses") then
      out[#out + 1] = (", %s %s"):format(row.name, math.type(value) == "float" and ("%.6g"):format(value)
        or tostring(value))
    end
  end
  return table.concat(out)
end

local function tiles_text(plan)
  local work = plan.forward
  if plan.tiles > 1 then
    return ("Tiles: %d of up to %s, each goes through the whole solve"):format(plan.tiles,
      plural(plan.rows, "sample"))
  end
  if work.tiles > 1 then
    return ("Tiles: each evaluation is cut into %d of up to %s"):format(work.tiles,
      plural(work.rows, "sample"))
  end
  return "Tiles: none, the batch is solved at once"
end

-- Names of a vjp's outputs: gradients by y and by the field's float parameters, then dy where it is computed
-- as well.
local function bar_names(plan, own)
  local list = {"y_bar"}
  for i, name in ipairs(own) do
    if plan.parameters.floats[i] then list[#list + 1] = name .. "_bar" end
  end
  list[#list + 1] = "dy"
  return list
end

-- Names and notes of the nodes of a tape. solves: the plans so far and, by identity, their numbers; those of
-- this tape are added, and the tensors that it captured to solves.captured.
local function describe_nodes(tape, solves, input_name)
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

local function field_input(slot) return slot == 1 and "t" or slot == 2 and "y" or "p" .. slot - 2 end

-- One solve: the field as recorded, what is computed once, what runs at each evaluation, forwards and
-- backwards.
local function solve_lines(out, plan, number, solves)
  local o, n_parameters = plan.options, 0
  for _, node in ipairs(plan.tape.nodes) do n_parameters = math.max(n_parameters, (node.input or 0) - 2) end
  out[#out + 1] = ("SOLVE %d: %s, %s%s%s"):format(number, o.method, steps_text(o), plan.backward
    and ", gradient " .. o.gradient or "",
    other_options(o))
  out[#out + 1] = tiles_text(plan)
  out[#out + 1] = ""
  out[#out + 1] = ("The field as recorded: %s%s"):format(plural(#plan.tape.nodes, "node"), n_parameters > 0
    and "; p1, ... are its parameters" or "")
  local names, notes = describe_nodes(plan.tape, solves, field_input)
  local totals = {tiles = plan.tiles, rows = plan.tiles > 1 and plan.rows or plan.batch,
    recorded = tape_lines(out, plan.tape, names, notes)}
  out[#out + 1] = ""
  local setup = new_setup()
  local own = setup_rows(setup, plan.parameters, numbered("p", n_parameters), solves.captured)
  local fixed = setup_rows(setup, plan.forward.setup, own, solves.captured)
  local fixed_back = plan.backward and setup_rows(setup, plan.backward.setup, own, solves.captured)
  totals.setup = setup_lines(out, setup, plan.tiles > 1)
  local scope = (plan.tiles > 1 or plan.forward.tiles > 1) and " (one tile)" or ""
  local first = plan.forward.given > 2 and {"t", "y", "dy_bar"} or {"t", "y"}
  local kept = numbered("k", math.max(plan.forward.kept, plan.backward and plan.backward.kept or 0))
  totals.evaluation = work_lines(out, ("Each evaluation%s%s"):format(scope, #kept > 0
    and ", which keeps k1, ... for the gradient" or ""),
    plan.forward.program, solves.captured, join(first, fixed), join({"dy"}, kept))
  if plan.backward then
    totals.backward = work_lines(out, ("Each evaluation backwards%s, from dy_bar, the gradient by dy"):format(
      scope), plan.backward.program,
      solves.captured, join({"t", "y", "dy_bar"}, plan.backward.kept > 0 and kept or {}, fixed_back),
      bar_names(plan, own))
  end
  return totals
end

-- ---- the whole ----

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
  local inputs = {}
  for i, x in ipairs(leaves) do inputs[i] = tape:input(x) end
  local outputs = tree.tensors(table.pack(fn(table.unpack(tree.replace(arguments, inputs), 1, arguments.n))))
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
  local rows = {head "read+written"}
  -- a copy that was put in: of a result, or of an operand that has to be dense
  local function name(call, result)
    if result.kind == "output" then return "%" .. data.tape.outputs[result.slot] end
    return operand(data.program, call.inputs[1], names, solves.captured):gsub("~$", "") .. "'"
  end
  local function note(call, result)
    local list = {}
    if call.solve then
      list[1] = (call.backward and "gradient of solve " or "solve ") .. solves[call.solve]
    end
    if result.kind == "output" then list[#list + 1] = "result " .. result.slot end
    if also[call.result] then list[#list + 1] = "also " .. list_text(also[call.result]) end
    return list
  end
  local total = program_rows(rows, data.program, names, solves.captured, name, note)
  out[#out + 1] = (
    "OPTIMISED: %s, arena %s; nodes that cost nothing: common %s, dead %s, views %s, fused %s"):format(
    plural(total.calls, "call"),
    bytes_text(total.arena_bytes), grouped(data.common), grouped(data.dead), grouped(data.views),
    grouped(data.fused))
  add_total(rows, total)
  align(out, rows)
  out[#out + 1] = ""
  total.common, total.dead, total.views, total.fused = data.common, data.dead, data.views, data.fused
  return total
end

local explanation = {__name = "tide.explanation"}

function explanation.__tostring(e)
  return ("explanation: %s, %s operations -> %s, %s operations%s"):format(plural(e.recorded.nodes, "node"),
    amount(e.recorded.operations),
    plural(e.optimised.calls, "call"), amount(e.optimised.operations), #e.solves > 0 and "; "
    .. plural(#e.solves, "solve") or "")
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
  local names, notes = describe_nodes(data.tape, solves)
  out[1] = "RECORDED: " .. plural(#data.tape.nodes, "node")
  local result = {recorded = tape_lines(out, data.tape, names, notes), solves = {}}
  out[#out + 1] = ""
  result.optimised = program_lines(out, data, solves)
  local i = 1
  while solves[i] do -- a field may have solves of its own, which are added on the way
    result.solves[i] = solve_lines(out, solves[i], i, solves)
    i = i + 1
  end
  out[#out + 1] = "x~: a view of x; c1, ...: captured tensors; over x: in the memory of x; a multiply-add "
    .. "counts as two operations"
  print(table.concat(out, "\n"))
  return setmetatable(result, explanation)
end

return M
