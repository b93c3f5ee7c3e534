--- The list of methods: what its rows say is what the methods do.

local check = require "check"
local tide = require "tide"

local F64 = {dtype = "float64"}
local methods = tide.ode.methods()

local tests = {}

local columns = {
  name = "string", family = "string", order = "integer", error_order = "integer", stages = "integer",
  adaptive = "boolean", implicit = "boolean", dense = "boolean", dense_order = "integer",
  gradients = "table", stability = "string", kind = "string",
}

tests["every row has every column"] = function()
  local seen = {}
  for _, m in ipairs(methods) do
    for name, kind in pairs(columns) do
      assert(type(m[name]) == kind or math.type(m[name]) == kind, ("%s.%s"):format(m.name, name))
    end
    assert(not seen[m.name], m.name)
    seen[m.name] = true
    assert(m.order >= 1 and m.stages >= 1 and m.error_order >= 0, m.name)
    assert(m.dense == (m.dense_order > 0) and m.kind == (m.adaptive and "adaptive" or "fixed"), m.name)
  end
end

local words = {A = true, L = true, bounded = true, imaginary = true}
tests["stability is one of the words that help explains"] = function()
  for _, m in ipairs(methods) do
    local angle = m.stability:match "^A%((.+)%)$"
    assert(words[m.stability] or angle and tonumber(angle) < 90, m.name .. ": " .. m.stability)
    assert(m.implicit or not (m.stability == "A" or m.stability == "L"), m.name)
  end
end

-- A step of y' = lambda y, h = 1: |R(lambda)|; lambda = x + iy is a matrix.
local function growth(method, x, y)
  local function f(_, u) return tide.stack{x * u[1] - y * u[2], y * u[1] + x * u[2]} end
  local u = tide.odeint(f, tide.tensor({1, 0}, F64), {0, 1}, {method = method, steps = 1})[2]
  return math.sqrt(u[1] ^ 2 + u[2] ^ 2)
end

tests["one-step methods are as stable as their rows say"] = function()
  for _, m in ipairs(methods) do
    if m.family ~= "explicit" and m.family ~= "implicit" and m.family ~= "rosenbrock" then goto continue end
    local bounded, decays = true, growth(m.name, -1e8, 0) < 1e-6
    for _, z in ipairs{{-1, 0}, {-30, 5}, {-1e4, 0}, {-0.01, 3}, {-0.01, 30}, {-1, 1e4}} do
      bounded = bounded and growth(m.name, z[1], z[2]) <= 1 + 1e-9
    end
    assert(bounded == (m.stability == "A" or m.stability == "L"), m.name)
    assert(decays == (m.stability == "L"), m.name)
    ::continue::
  end
end

tests["each kind of gradient that a row lists is there, and no other"] = function()
  local y0 = tide.tensor({1, 0.5}, F64)
  local function loss(method, gradient)
    return function(p)
      local function f(t, y) return (p * y):sin() - 0.3 * t * y end
      return tide.odeint(f, y0, {0, 0.4, 1}, {method = method.name, steps = not method.varies and 40 or nil,
        gradient = gradient}):sum()
    end
  end
  local p, kinds = tide.tensor({0.7, -0.4}, F64), {}
  for _, m in ipairs(methods) do for _, kind in ipairs(m.gradients) do kinds[kind] = true end end
  assert(kinds.direct and kinds.adjoint and kinds.checkpoint and kinds.interpolated)
  for _, m in ipairs(check.methods()) do
    local listed = {}
    for _, kind in ipairs(m.gradients) do listed[kind] = true end
    assert(listed.direct, m.name)
    local exact = tide.grad(loss(m))(p)
    for kind in pairs(kinds) do
      if listed[kind] then
        local g = tide.grad(loss(m, kind))(p)
        local tolerance = m.order == 1 and 0.1 or 5e-3 -- the continuous adjoint is another discretisation
        if kind == "direct" or kind == "checkpoint" then tolerance = 0 end
        assert((g - exact):abs():max():item() <= tolerance, ("%s, %s"):format(m.name, kind))
      else
        check.fails({"gradient"}, tide.grad(loss(m, kind)), p)
      end
    end
  end
end

-- "| dopri5 | explicit | 5 | 4 | 7 | adaptive | | 4 | bounded |"
local function line(m)
  local gradients = table.concat(m.gradients, ", ")
  local whole = {["direct, adjoint, checkpoint, interpolated, forward"] = "",
    ["direct, adjoint, checkpoint, interpolated, reversible, forward"] = "and reversible"}
  gradients = whole[gradients] or gradients
  local cells = {m.name, m.family, m.order, m.error_order > 0 and m.error_order or "", m.stages,
    m.adaptive and (m.varies and "adaptive only" or "adaptive") or "fixed", m.implicit and "implicit" or "",
    m.dense_order, m.stability, gradients}
  return ("| " .. table.concat(cells, " | ") .. " |"):gsub("%s+", " ")
end

tests["the table of core/NUMERICS.md is the list"] = function()
  local file <close> = assert(io.open("core/NUMERICS.md"))
  local page = file:read "a"
  local section, missing, count = page:match "\n# Methods\n(.-)\n# ", {}, 0
  for _, m in ipairs(methods) do
    if not section:find(line(m), 1, true) then missing[#missing + 1] = line(m) end
  end
  assert(#missing == 0, "rows that the page lacks:\n" .. table.concat(missing, "\n"))
  for _ in section:gmatch "\n| [^\n]+" do count = count + 1 end
  assert(count == #methods + 1, "the page has rows of no method")
end

return tests
