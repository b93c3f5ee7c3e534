--- tide.ode.audit: one problem through all kinds of gradients, what each costs and how right it is.

local autodiff = require "tide.tensor.autodiff"
local core = require "tide.core"
local csv = require "tide.lab.csv"
local ode = require "tide.ode"
local options = require "tide.base.options"
local states = require "tide.ode.state"
local tensor = require "tide.tensor"
local tree = require "tide.base.tree"

local M = {}
local raise = core.raise
local kinds = {"direct", "checkpoint", "reversible", "adjoint", "interpolated", "forward"}
local spec = {f = {"any", required = true}, y0 = {"any", required = true}, t = {"any", required = true},
  loss = {"function", required = true}, gradients = {"table"}, parameters = {"any"},
  probes = {"integer", default = 64, check = options.at_least(1)}}

-- ---- the problem ----

-- The audit's own options, checked; those of the solve are beside them in `given`.
local function check(given)
  local where, part = "ode.audit", {}
  if type(given) ~= "table" then
    raise(("%s: expected {f =, y0 =, t =, loss =, ...}, got %s"):format(where, options.show(given)))
  end
  for name in pairs(spec) do part[name] = given[name] end
  local o = options.check(where, part, spec, 4)
  if given.gradient then raise(where .. ": the kinds are gradients = {...}, not gradient") end
  if given.eager or given.plain then
    raise(where .. ": a field with eager or plain = true has no gradient")
  end
  states.describe(where, o.y0)
  if o.gradients and #o.gradients == 0 then
    raise(('%s: gradients is empty; leave it out for all, or give some of "%s"'):format(where,
      table.concat(kinds, '", "')))
  end
  local known = {}
  for _, kind in ipairs(kinds) do known[kind] = true end
  for _, kind in ipairs(o.gradients or {}) do
    if not known[kind] then raise(("%s: %s"):format(where, options.unknown("gradient", kind, kinds))) end
  end
  return o
end

local function solver_options(given, more)
  local o = {}
  for key, v in pairs(given) do if not spec[key] then o[key] = v end end
  for key, v in pairs(more) do o[key] = v end
  return o
end

-- What the gradient is taken by: y0, the tensors of f where it is a table, and the parameters.
local function point(given)
  return {y0 = given.y0, f = type(given.f) == "table" and given.f or nil, parameters = given.parameters}
end

local function loss_of(given, o)
  return function(p)
    local f = p.f or given.f
    local field = p.parameters and function(t, y) return f(t, y, p.parameters) end or f
    local loss = given.loss((ode.odeint(field, p.y0, given.t, o)))
    if not tree.is_tensor(loss) or loss:numel() ~= 1 then
      raise("ode.audit: loss must return a scalar tensor, got " .. (tree.is_tensor(loss)
        and ("shape {%s}"):format(table.concat(loss:shape(), ", ")) or options.show(loss)))
    end
    return loss
  end
end

-- ---- differences ----

local function float64(p)
  return tree.map(p, function(x) return x:dtype() == "float32" and x:to("float64") or x end)
end

-- The steps of an adaptive solve as times to be hit, so that differences are those of the same steps; nil:
-- the method has no such form, or they were others.
local function same_steps(given, p)
  local m
  for _, row in ipairs(ode.methods()) do if row.name == (given.method or "dopri5") then m = row end end
  if not m or m.implicit or m.varies or m.family == "auto" or given.per_sample or given.events
    or given.jumps or given.final == "interpolate" then return nil end
  local times, count = {}, 0
  local o = solver_options(given, {on_step = function(step)
    count = count + 1
    times[count] = step.t
  end})
  loss_of(given, o)(p)
  local same = {method = given.method, rtol = 1e6, atol = 1e6, first_step = 1e300, max_factor = 1e6,
    stops = times, quadrature = given.quadrature}
  local stats = ode.counted(loss_of(given, same), p)
  return stats.accepted == count and same or nil
end

-- Options of the differences, the step of these, and in words what they are of.
local function reference(given, p)
  if given.steps or given.step_size then return solver_options(given, {}), 1e-5, "the same steps" end
  local ok, same = pcall(same_steps, given, p)
  if ok and same then return same, 1e-5, "the same steps" end
  local function tight(v, default)
    return type(v) == "table" and 1e-9 or math.max(1e-4 * (type(v) == "number" and v or default), 1e-12)
  end
  local o = solver_options(given, {rtol = tight(given.rtol, 1e-3), atol = tight(given.atol, 1e-6),
    max_steps = math.max(given.max_steps or 0, 10000000)})
  return o, 1e-4, "a solve with tolerances 1e-4 times as large"
end

-- Directions to look along, by place: each number by itself where they are few, else random signs.
local function directions(leaves, probes)
  local total, list = 0, {}
  for _, x in ipairs(leaves) do total = total + x:numel() end
  for k = 1, math.min(total, probes) do
    list[k] = {}
    local first = 0
    for i, x in ipairs(leaves) do
      local n = x:numel()
      if total > probes then
        local signs = tensor.rand({n}, {dtype = "float64", seed = 7919 * k + i}) - 0.5
        list[k][i] = (signs / signs:abs()):reshape(x:shape())
      elseif k > first and k <= first + n then
        local unit = {}
        for j = 1, n do unit[j] = j == k - first and 1 or 0 end
        list[k][i] = core.tensor_from(unit, "float64"):reshape(x:shape())
      end
      first = first + n
    end
  end
  return list
end

-- Central differences along the directions.
local function differences(loss, p, leaves, list, h)
  local out = {}
  for k, d in ipairs(list) do
    local value = {}
    for side = -1, 1, 2 do
      local moved = {}
      for i, x in ipairs(leaves) do moved[i] = d[i] and x + d[i] * (side * h) or x end
      value[side] = loss(tree.replace(p, moved, true)):item()
    end
    out[k] = (value[1] - value[-1]) / (2 * h)
  end
  return out
end

local function along(leaves, list)
  local out = {}
  for k, d in ipairs(list) do
    out[k] = 0
    for i, x in ipairs(leaves) do
      if d[i] then out[k] = out[k] + (x:to("float64") * d[i]):sum():item() end
    end
  end
  return out
end

local function numbers(leaves)
  local out = {}
  for _, x in ipairs(leaves) do
    for _, v in ipairs(x:to("float64"):reshape{x:numel()}:totable()) do out[#out + 1] = v end
  end
  return out
end

-- |a - b| / |b| and the cosine of the angle between them.
local function compare(a, b)
  local off, aa, bb, ab = 0, 0, 0, 0
  for i, x in ipairs(a) do
    local y = b[i]
    off, aa, bb, ab = off + (x - y) ^ 2, aa + x * x, bb + y * y, ab + x * y
  end
  return off == 0 and 0 or math.sqrt(off / bb), ab == 0 and 0 or ab / math.sqrt(aa * bb)
end

-- ---- one kind ----

-- The gradient, its statistics, the bytes that it took beyond what was there, seconds of a run that follows.
local function measure(given, kind, p)
  local fn = autodiff.compile(autodiff.value_and_grad(loss_of(given, solver_options(given,
    {gradient = kind}))))
  collectgarbage()
  collectgarbage()
  local before = core.memory(true).live_bytes
  local stats, _, g = ode.counted(fn, p)
  local bytes, seconds = core.memory().peak_bytes - before, math.huge
  for _ = 1, 3 do
    local begun = core.monotonic()
    fn(p)
    seconds = math.min(seconds, core.monotonic() - begun)
  end
  return {leaves = tree.tensors(g, true), stats = stats, bytes = bytes, seconds = seconds}
end

local function try(given, kind, p)
  local ok, result = pcall(measure, given, kind, p)
  if ok then return result end
  if type(result) == "table" and result.status == "interrupted" then error(result, 0) end
  -- neither where it came from nor which report this is
  return nil, (tostring(result):gsub("\n.*", ""):gsub("^[^\n]-:%d+: ", ""):gsub("^ode%.audit: ", ""))
end

-- ---- the report ----

local Report = {__name = "audit of gradients"}
Report.__index = Report

local columns = {{"gradient", "%s"}, {"relative_error", "%.1e"}, {"cosine", "%.8f"},
  {"relative_error_direct", "%.1e"}, {"cosine_direct", "%.8f"}, {"nfe", "%d"}, {"nfe_backward", "%d"},
  {"bytes", "%d"}, {"seconds", "%.1e"}, {"reconstruction_error", "%.1e"}}
local titles = {relative_error = "error", relative_error_direct = "to direct", cosine_direct = "cosine",
  nfe_backward = "backward", reconstruction_error = "reconstruction"}

--- A table as text; kinds that were refused stand below it with the reason.
function Report:text()
  local cells, width, refused = {{}}, {}, {}
  for c, column in ipairs(columns) do cells[1][c] = titles[column[1]] or column[1] end
  for _, row in ipairs(self.rows) do
    local line = {}
    for c, column in ipairs(columns) do
      local v = row[column[1]]
      line[c] = v == nil and "-" or column[2]:format(v)
    end
    cells[#cells + 1] = line
    if row.refused then refused[#refused + 1] = ("%s: %s"):format(row.gradient, row.refused) end
    if row.made_again then
      refused[#refused + 1] = row.gradient .. ": y could not be reconstructed, and was made in another way"
    end
  end
  for _, line in ipairs(cells) do
    for c, cell in ipairs(line) do width[c] = math.max(width[c] or 0, #cell) end
  end
  local out = {}
  for i, line in ipairs(cells) do
    for c, cell in ipairs(line) do
      line[c] = c == 1 and cell .. (" "):rep(width[c] - #cell) or (" "):rep(width[c] - #cell) .. cell
    end
    out[i] = table.concat(line, "  ")
  end
  out[#out + 1] = ("error: against central differences through %s, in float64, along %d directions"):format(
    self.reference, self.directions)
  for _, line in ipairs(refused) do out[#out + 1] = line end
  return table.concat(out, "\n")
end
Report.__tostring = Report.text

--- One line of a CSV file for each kind.
function Report:write(path, comments)
  local names, rows = {}, {}
  for c, column in ipairs(columns) do names[c] = column[1] end
  names[#names + 1], names[#names + 2] = "made_again", "refused"
  for i, row in ipairs(self.rows) do
    rows[i] = {}
    for c, name in ipairs(names) do
      local v = row[name]
      if name == "refused" then v = v or "" elseif type(v) == "boolean" then v = v and 1 or 0 end
      rows[i][c] = v == nil and 0 / 0 or v
    end
  end
  csv.write(path, names, rows, {comments = comments or {}})
  return path
end

local function row_of(kind, result, why, list, numeric, direct)
  if not result then return {gradient = kind, refused = why} end
  local s = result.stats
  local row = {gradient = kind, nfe = s.nfe, nfe_backward = s.nfe_backward, bytes = result.bytes,
    seconds = result.seconds, reconstruction_error = s.reconstruction_error, made_again = s.made_again}
  row.relative_error, row.cosine = compare(along(result.leaves, list), numeric)
  if direct then
    row.relative_error_direct, row.cosine_direct = compare(numbers(result.leaves), numbers(direct.leaves))
  end
  return row
end

--- See help("ode.audit").
function M.audit(given)
  local own = check(given)
  local p = point(given)
  local p64 = float64(p)
  local o, h, words = reference(given, p64)
  local leaves = tree.tensors(p64, true)
  local list = directions(leaves, own.probes)
  local numeric = differences(autodiff.compile(loss_of(given, o)), p64, leaves, list, h)
  local direct, why = try(given, "direct", p)
  local report = setmetatable({rows = {}, reference = words, directions = #list}, Report)
  for i, kind in ipairs(own.gradients or kinds) do
    local result, reason = direct, why
    if kind ~= "direct" then result, reason = try(given, kind, p) end
    report.rows[i] = row_of(kind, result, reason, list, numeric, direct)
    report[i] = report.rows[i]
  end
  return report
end

return M
