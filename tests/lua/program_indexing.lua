--- Positions, order, arrangement and draws in random programs (program_ops.lua).

local M = {}

local function f(...) return string.format(...) end
local function show(list) return "{" .. table.concat(list, ", ") .. "}" end

local function extent(g, x, axis)
  local v = g.values[x]
  return v.shape[axis > 0 and axis or axis + v.rank + 1]
end
local function filled(v) return v.rank >= 1 and v.numel > 0 end

-- Positions in an axis of x for each element of a tensor of x's shape but for the axis.
local function positions(g, x, axis, n, count)
  local shape = table.move(g.values[x].shape, 1, g.values[x].rank, 1, {})
  shape[axis > 0 and axis or axis + #shape + 1] = count
  return f("tide.randint(1, %d, %s, {seed = %d})", n, show(shape), g:seed())
end

function M.gather(g)
  local x = g:any(filled)
  local axis = g:axis(x)
  return f("%s:gather(%d, %s)", x, axis, positions(g, x, axis, extent(g, x, axis), g:int(0, 4)))
end
function M.scatter_add(g)
  local x = g:any(filled)
  local axis, key = g:axis(x), g.values[x].key
  local n = extent(g, x, axis)
  return f("%s:scatter_add(%d, %s, %s)", x, axis, positions(g, x, axis, n, g:int(0, n)),
    g:any(function(v) return v.key == key end))
end
function M.index_select(g)
  local x = g:any(filled)
  local axis = g:axis(x)
  local n = extent(g, x, axis)
  return f("%s:index_select(%d, {%d, %d})", x, axis, g:int(1, n), g:int(1, n))
end
function M.masked_fill(g)
  local x = g:any()
  local mask = g:any(function(v) return v.dtype == "uint8" and v.key:match(":(.*)") == g.values[x].key:match(
    ":(.*)") end, true)
  return f("%s:masked_fill(%s, %s)", x, mask or f("%s:gt(0)", x), g:number(x))
end

-- Order tells numbers apart that are equal to float32, so most of these stay alone.
function M.sort(g)
  local x = g:any(filled)
  local descending = g:chance(0.4) and ", {descending = true}"
  if g:chance(0.1) then return f("select(2, %s:sort(%d%s))", x, g:axis(x), descending or "") end
  return f("(%s:sort(%d%s))", x, g:axis(x), g:chance(0.1) and "" or descending or ", {indices = false}")
end
function M.argsort(g)
  local x = g:any(filled)
  return f("%s:argsort(%d, {descending = %s})", x, g:axis(x), tostring(g:chance(0.5)))
end
function M.topk(g)
  local x = g:any(filled)
  local axis = g:axis(x)
  return f("(%s:topk(%d, %d, {largest = %s}))", x, g:int(0, extent(g, x, axis)), axis,
    tostring(g:chance(0.7)))
end
function M.searchsorted(g)
  return f("tide.searchsorted(tide.linspace(-1, 1, 5, {dtype = %s}), %s)", g:dtype_name(), g:any())
end
function M.interp(g)
  local points = f("tide.linspace(-1, 1, 5, {dtype = %s})", g:dtype_name())
  return f("tide.interp(%s, %s, %s:sin())", g:any(), points, points)
end
for _, name in ipairs{"cumsum", "cumprod"} do
  M[name] = function(g)
    local x = g:any(g.has_axes)
    return f("%s:%s(%d)", name == "cumprod" and g:chance(0.7) and f("%s:clamp(-1, 1)", x) or x, name,
      g:axis(x))
  end
end
function M.recurrence(g)
  local x = g:any(function(v) return v.rank >= 1 and v.dtype ~= "uint8" end)
  local key = g.values[x].key
  return f('core.apply("recurrence", {%d, %d}, %s:clamp(-1, 1), %s)', g:int(1, g.values[x].rank) - 1,
    g:int(0, 1), x, g:any(function(v) return v.key == key end))
end

function M.quantile(g)
  local x = g:any(filled)
  return f("%s:quantile(%s, %d)", x, g:pick{"0.3", "{0, 0.5}", "1"}, g:axis(x))
end
function M.median(g) local x = g:any(filled) return f("%s:median(%d)", x, g:axis(x)) end
function M.histogram(g) return f("(%s:histogram(3, {range = {-1, 1}}))", g:any()) end
function M.diff(g) local x = g:any(g.has_axes) return f("%s:diff(%d, %d)", x, g:int(0, 2), g:axis(x)) end
function M.trapezoid(g)
  local x = g:any(g.has_axes)
  return f("%s:trapezoid(%s, %d)", x, g:pick{"0.5", x .. ":sin()"}, g:axis(x))
end
function M.logspace(g) return f("tide.logspace(-1, 0.5, %d, {dtype = %s})", g:int(1, 5), g:dtype_name()) end

-- ---- arrangement ----

function M.squeeze(g)
  local x = g:any()
  return g:chance(0.4) and g.values[x].rank > 0 and f("%s:squeeze(%d)", x, g:axis(x)) or f("%s:squeeze()", x)
end
function M.unsqueeze(g)
  local x = g:any()
  local n = g.values[x].rank + 1
  return f("%s:unsqueeze(%d)", x, g:chance(0.5) and g:int(1, n) or -g:int(1, n))
end
function M.movedim(g) local x = g:any(g.has_axes) return f("%s:movedim(%d, %d)", x, g:axis(x), g:axis(x)) end
function M.expand(g)
  local x = g:any()
  local shape = {}
  for i, n in ipairs(g.values[x].shape) do shape[i] = n == 1 and g:int(1, 3) or -1 end
  if #shape < 4 and g:chance(0.5) then table.insert(shape, 1, g:int(0, 3)) end
  return f("%s:expand(%s)", x, show(shape))
end
function M.column(g) local x = g:any(filled) return f("%s:column(%d)", x, g:int(1, extent(g, x, -1))) end
function M.split(g)
  local x = g:any(filled)
  local axis = g:axis(x)
  local n = extent(g, x, axis)
  local size = g:int(1, n)
  return f("%s:split(%d, %d)[%d]", x, size, axis, g:int(1, (n + size - 1) // size))
end
function M.chunk(g) local x = g:any(filled) return f("%s:chunk(2, %d)[1]", x, g:axis(x)) end
function M.flip(g)
  local x = g:any()
  return g.values[x].rank > 0 and g:chance(0.7) and f("%s:flip(%d)", x, g:axis(x)) or f("%s:flip()", x)
end
function M.roll(g)
  local x = g:any()
  return g.values[x].rank > 0 and g:chance(0.7) and f("%s:roll(%d, %d)", x, g:int(-3, 3), g:axis(x))
    or f("%s:roll(%d)", x, g:int(-3, 3))
end
function M.tile(g)
  local x = g:any()
  return f("%s:tile{%d, %d}", x, g:int(0, 2), g:int(1, 3))
end
function M.repeat_interleave(g)
  local x = g:any(g.has_axes)
  return f("%s:repeat_interleave(%d, %d)", x, g:int(0, 3), g:axis(x))
end
function M.pad(g)
  local x = g:any(filled)
  local n = extent(g, x, -1)
  local mode = g:pick{"constant", "replicate", n > 2 and "reflect" or "constant", "circular"}
  local most = math.min(2, n)
  return f('%s:pad({%d, %d}, {mode = "%s"%s})', x, g:int(mode == "constant" and -1 or 0, most),
    g:int(0, most), mode, mode == "constant" and g:chance(0.5) and f(", value = %s", g:number(x)) or "")
end
function M.meshgrid(g)
  local x = g:any(function(v) return v.rank == 1 end, true) or f("tide.linspace(0, 1, 3, {dtype = %s})",
    g:dtype_name())
  return f("(select(%d, tide.meshgrid(%s, %s)))", g:int(1, 2), x, x)
end

-- ---- draws ----

local function seed(g) return g:chance(0.4) and f("{seed = %d}", g:seed()) or "{}" end
function M.randint(g) return f("tide.randint(%d, %d, %s, %s)", g:int(-3, 0), g:int(0, 3), show(g:shape()),
  seed(g)) end
function M.bernoulli(g) return f("tide.bernoulli(tide.full(%s, 0.5, {dtype = %s}), %s)", show(g:shape()),
  g:dtype_name(), seed(g)) end
function M.multinomial(g)
  return f("tide.multinomial(tide.tensor{1, 2, 0.5, 3}, %d, %s)", g:int(0, 4), seed(g))
end

return M
