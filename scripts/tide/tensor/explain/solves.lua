--- A solve in an explanation: what is computed once, what each evaluation runs, forwards and backwards.

local core = require "tide.core"
local page = require "tide.tensor.explain.page"
local listing = require "tide.tensor.explain.listing"

local M = {}

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

-- What is computed once per solve: {rows, n = results so far, inner = other values so far, total}.
local function new_setup()
  return {rows = {page.head "read+written"}, n = 0, inner = 0, total = {calls = 0, operations = 0, bytes = 0,
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
    local names = listing.input_names(stage.program, given)
    local total = listing.program(setup.rows, stage.program, names, captured, name)
    for key, n in pairs(total) do setup.total[key] = setup.total[key] + n end
  end
  for i, source in ipairs(stage.sources) do handed[i] = source > 0 and given[source] or results[-source] end
  return handed
end

local function setup_lines(out, setup, threads)
  if setup.total.calls == 0 then
    out[#out + 1] = "Once per solve: nothing; no part of the field depends on parameters alone"
  else
    listing.add_total(setup.rows, setup.total)
    out[#out + 1] = ("Once per solve%s: %s"):format(threads and " and thread" or "",
      page.plural(setup.total.calls, "call"))
    page.align(out, setup.rows)
  end
  out[#out + 1] = ""
  return setup.total
end

-- What runs at each evaluation. inputs, outputs: names of the program's.
local function work_lines(out, title, program, captured, inputs, outputs)
  local rows, count = {page.head "read+written"}, 0
  local function name(_, result)
    count = count + 1
    return result.kind == "output" and outputs[result.slot] or "v" .. count
  end
  local total = listing.program(rows, program, listing.input_names(program, inputs), captured, name)
  out[#out + 1] = ("%s: %s, arena %s"):format(title, page.plural(total.calls, "call"),
    page.bytes(total.arena_bytes))
  listing.add_total(rows, total)
  page.align(out, rows)
  out[#out + 1] = ""
  return total
end

local function steps_text(o)
  if o.steps then return page.plural(o.steps, "fixed step") end
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
  if plan.abreast > 0 then
    local alone = plan.backward and "; the way back is one by one" or ""
    local back = plan.returns and ", forwards and back" or alone
    return ("Samples: up to %d abreast, each with steps of its own%s"):format(plan.abreast, back)
  end
  if plan.tiles > 1 then
    return ("Tiles: %d of up to %s, each goes through the whole solve"):format(plan.tiles,
      page.plural(plan.rows, "sample"))
  end
  if work.tiles > 1 then
    return ("Tiles: each evaluation is cut into %d of up to %s"):format(work.tiles,
      page.plural(work.rows, "sample"))
  end
  return "Tiles: none, the batch is solved at once"
end

-- Names of the parts of y, and of what is like it: "dy", or "dy1", "dy2".
local function parts(work, name, suffix)
  suffix = suffix or ""
  if work.parts == 1 then return {name .. suffix} end
  local list = numbered(name, work.parts)
  for i, part in ipairs(list) do list[i] = part .. suffix end
  return list
end

-- Names of the inputs of an evaluation that are not fixed; those beside y have numbers for each sample.
local function input_names(work, directed)
  local direction = directed and parts(work, "dy", "_bar") or {}
  return join({"t"}, parts(work, "y"), numbered("e", work.entries), direction)
end

-- Names of a vjp's outputs: gradients by y and by the field's float parameters, then dy where it is computed
-- as well.
local function bar_names(plan, own)
  local list = parts(plan.forward, "y", "_bar")
  for i, name in ipairs(own) do
    if plan.parameters.floats[i] then list[#list + 1] = name .. "_bar" end
  end
  return join(list, parts(plan.forward, "dy"))
end

local function field_input(slot) return slot == 1 and "t" or slot == 2 and "y" or "p" .. slot - 2 end

--- One solve: the field as recorded, what is computed once, what runs at each evaluation, forwards and
-- backwards.
function M.lines(out, plan, number, solves)
  local o, n_parameters = plan.options, 0
  for _, node in ipairs(plan.tape.nodes) do n_parameters = math.max(n_parameters, (node.input or 0) - 2) end
  out[#out + 1] = ("SOLVE %d: %s, %s%s%s"):format(number, o.method, steps_text(o),
    plan.backward and ", gradient " .. o.gradient or "", other_options(o))
  out[#out + 1] = tiles_text(plan)
  out[#out + 1] = ""
  out[#out + 1] = ("The field as recorded: %s%s"):format(page.plural(#plan.tape.nodes, "node"),
    n_parameters > 0 and "; p1, ... are its parameters" or "")
  local names, notes = listing.describe_nodes(plan.tape, solves, field_input)
  local totals = {tiles = plan.tiles, rows = plan.tiles > 1 and plan.rows or plan.batch,
    recorded = listing.tape(out, plan.tape, names, notes)}
  out[#out + 1] = ""
  local setup = new_setup()
  local own = setup_rows(setup, plan.parameters, numbered("p", n_parameters), solves.captured)
  local fixed = setup_rows(setup, plan.forward.setup, own, solves.captured)
  local fixed_back = plan.backward and setup_rows(setup, plan.backward.setup, own, solves.captured)
  totals.setup = setup_lines(out, setup, plan.tiles > 1)
  local scope = (plan.tiles > 1 or plan.forward.tiles > 1) and " (one tile)" or ""
  local without = input_names(plan.forward)
  local first = input_names(plan.forward, plan.forward.given > #without)
  local kept = numbered("k", math.max(plan.forward.kept, plan.backward and plan.backward.kept or 0))
  totals.evaluation = work_lines(out, ("Each evaluation%s%s"):format(scope, #kept > 0
    and ", which keeps k1, ... for the gradient" or ""),
    plan.forward.program, solves.captured, join(first, fixed), join(parts(plan.forward, "dy"), kept))
  if plan.backward then
    totals.backward = work_lines(out, ("Each evaluation backwards%s, from dy_bar, the gradient by dy"):format(
      scope), plan.backward.program,
      solves.captured,
      join(input_names(plan.backward, true), plan.backward.kept > 0 and kept or {}, fixed_back),
      bar_names(plan, own))
  end
  return totals
end

return M
