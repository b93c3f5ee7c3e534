--- Random programs: straight-line functions of tensors, made of the expressions of program_ops.lua, as Lua
-- texts that can be printed, run, shrunk. A program: params (arguments), captures (tensors from outside that
-- change between calls), lines (name, text, block), outputs (names).

local tide = require "tide"
local program_ops = require "program_ops"

local ops = program_ops.make
local M = {ops = ops}
local core = tide.core
local BODY, TOO_LARGE = "@", 1e3
local SMALL, LARGE = 5000, 100000 -- elements of a tensor; the latter is cut into tasks for threads

local keys = {}
for name in pairs(ops) do
  for _ = 1, program_ops.rare[name] and 1 or 5 do keys[#keys + 1] = name end
end
table.sort(keys)
-- Functions of functions cost more and make more, so they come as often as all of these together let them.
local functional = {"grad", "value_and_grad", "vjp", "jvp", "compile", "odeint", "odeint", "odeint"}
local is_functional = {}
for _, name in ipairs(functional) do is_functional[name] = true end

-- ---- chance ----

local G = setmetatable({}, require "dice")
G.__index = G

function G:seed() return self:int(1, 10 ^ 6 // 1) end
function G:shuffled(n)
  local list = {}
  for i = 1, n do table.insert(list, self:int(1, i), i) end
  return list
end
function G:dim()
  local way = self:int(1, 100)
  if self.most > SMALL and way > 50 then return self:pick{64, 100, 257, 300} end
  return way <= 4 and 0 or way <= 25 and 1 or way <= 94 and self:int(2, 5) or way <= 98 and self:int(6, 19)
    or self:pick{32, 33, 65}
end
function G:shape(least)
  local shape, n = {}, 1
  for i = 1, self:int(least or 0, self:pick{2, 3, 4}) do
    shape[i] = self:dim()
    if n * shape[i] > self.most // 2 then shape[i] = 1 end
    n = n * math.max(1, shape[i])
  end
  return shape
end
function G:divisor(n)
  local list = {}
  for d = 1, math.min(n, 70) do if n % d == 0 then list[#list + 1] = d end end
  return self:pick(list)
end
function G:dtype_name() return self:chance(0.15) and self:pick{"F32", "F64"} or self.main end

-- ---- operands ----

-- The names of values in a text, into a set.
local function uses(text, set)
  for name in text:gmatch("%f[%w_][vcxq]%d+[_%d]*%f[^%w_]") do set[name] = true end
end

function G.is_float(v) return v.float end
function G.has_axes(v) return v.rank >= 1 end

-- How often a value is picked: more where nothing uses it yet, and where it depends on the arguments.
function G:weight(name)
  local w = self.touched[name] and 1 or name:find("^q") and 25 or 6
  return self.values[name].active and 3 * w or w
end

--- The name of a value that fits; those that nothing uses yet come more often, so that programs hang
-- together.
function G:any(fits, may_fail)
  local list = {}
  for _, name in ipairs(self.scope) do
    if not fits or fits(self.values[name]) then
      for _ = 1, self:weight(name) do list[#list + 1] = name end
    end
  end
  if #list == 0 then
    if may_fail then return nil end
    error("no value fits", 0)
  end
  return self:pick(list)
end

--- A value that broadcasts against x to as many elements as a program may have, or nil.
function G:fitting(x)
  local a, other = self.values[x], self:chance(0.9)
  return self:any(function(b)
    local n = 1
    if other and a == b then return false end
    for i = 0, math.max(a.rank, b.rank) - 1 do
      local p, q = a.shape[a.rank - i] or 1, b.shape[b.rank - i] or 1
      if p ~= q and p ~= 1 and q ~= 1 then return false end
      n = n * math.max(p, q)
    end
    return n <= self.most
  end, true)
end
function G:number(x, first)
  local dtype = self.values[x].dtype
  if dtype == "float32" or dtype == "float64" then return tostring(self:pick{0.5, 1.25, 0, 1, 2, 0.1}) end
  if dtype == "uint8" or first then return tostring(self:int(0, 3)) end
  return tostring(self:int(0, 5))
end
function G:axis(x)
  local rank = self.values[x].rank
  return self:chance(0.3) and -self:int(1, rank) or self:int(1, rank)
end

local function describe(x)
  local dtype = x:dtype()
  local v = {shape = x:shape(), dtype = dtype, rank = x:rank(), numel = x:numel(),
    float = dtype:find("float") ~= nil}
  v.key = dtype .. ":" .. table.concat(v.shape, ",")
  return v
end

function G:add(name, x)
  self.env[name] = x
  self.values[name] = describe(x)
  self.scope[#self.scope + 1] = name
end

function G:capture(text)
  for i, c in ipairs(self.program.captures) do if c.text == text then return "c" .. i end end
  local list = self.program.captures
  local name = "c" .. #list + 1
  list[#list + 1] = {name = name, text = text}
  -- made outside of what is being recorded
  local nothing <close> = core.tape_begin("nothing") -- luacheck: ignore nothing
  self:add(name, self:evaluate(text))
  return name
end

function G:evaluate(text) return assert(load("return " .. text, "=line", "t", self.env))() end

-- ---- lines ----

local function acceptable(g, x)
  if x:numel() > g.most or x:rank() > 4 then return false end
  if core.is_symbolic(x) or not x:dtype():find("float") or x:numel() == 0 then return true end
  local nothing <close> = core.tape_begin("nothing") -- luacheck: ignore nothing
  local top = x:abs():max():item()
  return top < TOO_LARGE or g:chance(0.002)
end

-- The last value of a body: what the function around it must return.
local function body_result(g, op, state)
  local own = g.scope[#g.scope]
  local x = g.values[own].float and own or g:any(g.is_float)
  if op == "odeint" then
    local y = g.values[state.q1]
    local same = g:any(function(v) return v.key == y.key end)
    local dtype = y.dtype == "float64" and "F64" or "F32"
    return g:chance(0.6) and ("%s:tanh()"):format(same) or ("(%s * 0.5 - %s:sum():tanh():to(%s))"):format(
      state.q1, x, dtype)
  end
  if op == "grad" or op == "value_and_grad" then
    return g:pick{"%s:sum()", "%s:square():mean()", "(%s * 0.3):sin():sum()"}:format(x)
  end
  return x
end

-- Records the body of a function of functions in the place where it runs, so that shapes and dtypes (of weak
-- times, for instance) are right.
local function body_maker(g, op, params, names, wrap)
  local block
  return function(...)
    local values = {...}
    local outer_scope, outer_symbolic = g.scope, g.symbolic
    g.scope, g.symbolic = table.move(outer_scope, 1, #outer_scope, 1, {}), core.is_recording()
    for i, name in ipairs(params) do
      g:add(name, values[i])
      g.values[name].active = true
    end
    local result
    if block then -- called again
      for _, line in ipairs(block.lines) do g:add(line.name, g:evaluate(line.text)) end
      result = g:evaluate(block.result)
    else
      block = {lines = {}}
      local lines = g.lines
      g.lines, g.depth = block.lines, g.depth + 1
      for _ = 1, g:int(1, 4) do g:line() end
      block.result = wrap and wrap:format(body_result(g, op, names)) or body_result(g, op, names)
      g.lines, g.depth = lines, g.depth - 1
      result = g:evaluate(block.result)
      g.block = block
    end
    g.scope, g.symbolic = outer_scope, outer_symbolic
    return result
  end
end

local function functional_line(g, op, text, params, wrap)
  local id = g.counter + 1
  g.counter = id
  local names, order = {}, {}
  for _, q in ipairs{"q1", "q2"} do
    if params[q] then
      names[q] = q:gsub("q", "q" .. id .. "_")
      text = text:gsub("%f[%w_]" .. q .. "%f[^%w_]", names[q])
      order[#order + 1] = names[q]
    end
  end
  if op == "odeint" then
    text = text:gsub("function%(t,", "function(t" .. id .. ",")
    order[#order + 1] = "t" .. id
  end
  if wrap and names.q2 then wrap = wrap:gsub("q2", names.q2) end
  g.env.BODY = body_maker(g, op, order, names, wrap)
  local call = "return BODY(" .. table.concat(order, ", ") .. ")"
  local value = g:evaluate((text:gsub(BODY, call)))
  return text, value, g.block
end

-- Does a gradient by the arguments reach it, as far as dtypes tell?
function G:is_active(name, text, block)
  local set = {}
  uses(text, set)
  if block then
    uses(block.result, set)
    for _, line in ipairs(block.lines) do uses(line.text, set) end
  end
  for other in pairs(set) do
    if self.values[name].float and self.values[other] and self.values[other].active then return true end
  end
  return false
end

-- A line of this op, when what it gives is acceptable; attempt.text is what was tried, for a report.
local function attempt_line(self, op, attempt)
  local text, params, wrap = ops[op](self)
  attempt.text = not params and text
  if not text then return false end
  local value, block
  if params then text, value, block = functional_line(self, op, text, params, wrap)
  else value = self:evaluate(text) end
  if not acceptable(self, value) then return false end
  self.counter = self.counter + 1
  local name = "v" .. self.counter
  self.lines[#self.lines + 1] = {name = name, text = text, block = block, op = op}
  uses(text, self.touched)
  self:add(name, value)
  self.values[name].active = self:is_active(name, text, block)
  self.used[op] = (self.used[op] or 0) + 1
  return true
end

-- After an attempt that came to nothing the scope is as before, but captures stay for later lines. length,
-- captures: how many there were.
local function clear_scope(self, length, captures)
  local scope = self.scope
  for i = #scope, length + 1, -1 do
    if not scope[i]:find("^c") then table.remove(scope, i) end
  end
  for i = #self.program.captures, captures + 1, -1 do
    local name = self.program.captures[i].name
    local known = false
    for _, s in ipairs(scope) do known = known or s == name end
    if not known then scope[#scope + 1] = name end
  end
end

--- One more line at the end of g.lines, if an attempt succeeds.
function G:line(key)
  for _ = 1, key and 5 or 20 do
    local op = key or (self.depth < 2 and self:chance(0.15)) and self:pick(functional) or self:pick(keys)
    if not is_functional[op] or self.depth < 2 then
      local scope, symbolic, lines, depth = self.scope, self.symbolic, self.lines, self.depth
      local length, captures, attempt = #scope, #self.program.captures, {}
      local ok, added = pcall(attempt_line, self, op, attempt)
      if ok and added then return true end
      if not ok then
        self.errors[op] = tostring(added)
        if depth == 0 and attempt.text then self.program.failing = {text = attempt.text, at = #lines} end
      end
      self.scope, self.symbolic, self.lines, self.depth = scope, symbolic, lines, depth
      clear_scope(self, length, captures)
    end
  end
  return false
end

-- ---- whole programs ----

local structures = {
  {"%s", {"a"}}, {"{%s, %s}", {"a[1]", "a[2]"}}, {"{%s, {w = %s, n = 2, name = \"m\"}, k = %s}",
    {"a[1]", "a[2].w", "a.k"}},
  {"{{{%s}}, %s}", {"a[1][1][1]", "a[2]"}}, {"{%s, twice = %s}", {"a[1]", "a.twice"}, true},
}
local layouts = {"%s", "%s", "%s", "%s:transpose()", "%s:slice(1, -1, 1, -1)", "%s:slice(-1, 1, -1, 2)",
  "%s[1]"}

local function argument(g, float)
  local shape, main = g:shape(), g:dtype_name()
  if not float and g:chance(0.4) then
    return ('(tide.rand(%s, {dtype = "float64", seed = %d + k}) * 4):to("int64")'):format(
      "{" .. table.concat(shape, ", ") .. "}", g:seed())
  end
  local text = ('tide.%s(%s, {dtype = "float32", seed = %d + k}):to(%s)'):format(g:chance(0.8) and "randn"
    or "rand",
    "{" .. table.concat(shape, ", ") .. "}", g:seed(), main)
  local layout = g:pick(layouts)
  if layout:find("transpose") and #shape < 2 or layout:find("%[1%]") and (#shape < 2 or shape[1] == 0)
    or #shape == 0 or shape[1] == 0 then
    layout = "%s"
  end
  if layout:find("%-1, 1, %-1, 2") and shape[#shape] < 3 then layout = "%s" end
  return layout:format(text)
end

local function make_params(g)
  local structure = g:pick(structures)
  local params, names = {}, {}
  for i, access in ipairs(structure[2]) do
    local same = structure[3] and i == 2
    params[i] = {name = "x" .. i, access = access, text = same and "x1" or argument(g, true)}
    names[i] = "x" .. i
  end
  local shown = structure[1]:format(table.unpack(names))
  if g:chance(0.4) then
    params[#params + 1] = {name = "x" .. #params + 1, access = "b", text = argument(g, g:chance(0.5))}
    shown = shown .. ", x" .. #params
  else
    shown = shown .. ", nil"
  end
  return params, shown .. ", 0.75"
end

--- A random program of a seed. `focus`: an op that must be in it, if that is possible.
function M.new(seed, focus)
  local g = setmetatable(
    {state = seed * 7919 + 17, values = {}, env = {tide = tide, core = core, F32 = "float32", F64 = "float64",
      select = select},
    scope = {}, lines = {}, used = {}, touched = {}, errors = {}, counter = 0, depth = 0}, G)
  g.env.STOP = function(x) return x:stop_gradient() end
  g.main, g.most = g:pick{"F32", "F64"}, g:chance(0.025) and LARGE or SMALL
  local p = {seed = seed, captures = {}, lines = g.lines, outputs = {}}
  g.program = p
  tide.seed(1)
  p.params, p.shown = make_params(g)
  g.env.k = 0
  for _, param in ipairs(p.params) do
    g:add(param.name, g:evaluate(param.text))
    g.values[param.name].active = param.access ~= "b" and g.values[param.name].float
  end
  for _ = 1, g:int(0, 2) do
    g:capture(('tide.randn({%s}, {dtype = "float32", seed = %d}):to(%s)'):format(
      table.concat(g:shape(), ", "), g:seed(), g:dtype_name()))
  end
  local n = g:int(2, 12)
  local at = focus and g:int(1, n)
  for i = 1, n do
    g:line()
    if i == at then g:line(focus) end
  end
  for _, name in ipairs(g.scope) do -- what nothing uses, so that nearly every line counts
    if not g.touched[name] and (name:find("^v") and g:chance(0.85) or g:chance(0.2)) and #p.outputs < 6 then
      p.outputs[#p.outputs + 1] = name
    end
  end
  if #p.outputs == 0 or g:chance(0.3) then p.outputs[#p.outputs + 1] = g:any() end
  p.used, p.errors = g.used, g.errors
  return p
end

-- ---- text ----

local function mark(lines, set) -- what is needed, from the end
  local kept = {}
  for i = #lines, 1, -1 do
    local line = lines[i]
    if set[line.name] then
      uses(line.text, set)
      if line.block then
        uses(line.block.result, set)
        line.block.lines = mark(line.block.lines, set)
      end
      table.insert(kept, 1, line)
    end
  end
  return kept
end

--- Leave out what no output needs.
function M.prune(p)
  local set = {}
  for _, name in ipairs(p.outputs) do set[name] = true end
  p.lines = mark(p.lines, set)
  local captures = {}
  for _, c in ipairs(p.captures) do if set[c.name] then captures[#captures + 1] = c end end
  p.captures = captures
  return p
end

local function write_lines(out, lines, indent, noise)
  for _, line in ipairs(lines) do
    local text = line.text
    if line.block then
      local inner = {""}
      write_lines(inner, line.block.lines, indent .. "  ", noise)
      inner[#inner + 1] = indent .. "  return " .. line.block.result
      inner[#inner + 1] = indent
      local body = table.concat(inner, "\n")
      text = text:gsub(BODY, function() return body end)
    end
    if noise then text = "NOISE(" .. text .. ")" end
    out[#out + 1] = ("%slocal %s = %s"):format(indent, line.name, text)
  end
end

--- The text of a program: a chunk that returns fn, args(k) and change(). It reads F32, F64 and STOP (and
-- NOISE), which `header` can give.
function M.text(p, noise)
  local out = {}
  local function add(s, ...) out[#out + 1] = select("#", ...) > 0 and s:format(...) or s end
  for _, c in ipairs(p.captures) do add("local %s = %s", c.name, c.text) end
  add "local function fn(a, b, s)"
  for _, x in ipairs(p.params) do add("  local %s = %s", x.name, x.access) end
  write_lines(out, p.lines, "  ", noise)
  local shown = {}
  for i, name in ipairs(p.outputs) do shown[i] = i % 2 == 0 and "{x = " .. name .. "}" or name end
  add("  return %s", table.concat(shown, ", "))
  add "end"
  add "local function args(k)"
  for _, x in ipairs(p.params) do
    local text = x.text
    add("  local %s = %s", x.name, noise and text ~= "x1" and "NOISE(" .. text .. ")" or text)
  end
  add("  return %s", p.shown)
  add "end"
  add "local function change()"
  for i, c in ipairs(p.captures) do
    if c.text:find("int64", 1, true) then add("  %s:copy_(%s * 0 + 1)", c.name, c.name)
    else
      add('  %s:copy_(tide.randn(%s:shape(), {dtype = "float32", seed = %d}):to(%s:dtype()))', c.name, c.name,
        1000 + i, c.name)
      add("  if %s:rank() > 0 and #%s > 0 then %s[1] = 0.25 end", c.name, c.name, c.name)
    end
  end
  add "end"
  return table.concat(out, "\n")
end

M.header = [[
local tide = require "tide"
local core = tide.core
local F32, F64 = "float32", "float64"
local function STOP(x) return x:stop_gradient() end]]

--- fn, args, change of a program. mode: float32 = what "float32" stands for, noise = function, stop =
-- function.
function M.load(p, mode)
  mode = mode or {}
  local env = {tide = tide, core = core, F32 = mode.float32 or "float32", F64 = "float64", select = select,
    NOISE = mode.noise,
    STOP = mode.stop or function(x) return x:stop_gradient() end}
  return assert(load(M.text(p, mode.noise ~= nil) .. "\nreturn fn, args, change", "=program " .. p.seed, "t",
    env))()
end

-- ---- shrinking ----

local function copy(v)
  if type(v) ~= "table" then return v end
  local c = {}
  for k, x in pairs(v) do c[k] = copy(x) end
  return c
end

local function each_line(lines, visit)
  for i = #lines, 1, -1 do
    visit(lines, i)
    if lines[i].block then each_line(lines[i].block.lines, visit) end
  end
end

-- The names that a line uses, in order.
local function operands_of(line)
  local set, names = {}, {}
  uses(line.text, set)
  for name in pairs(set) do names[#names + 1] = name end
  table.sort(names)
  return names
end

-- Smaller programs than p, the boldest first.
local function candidates(p)
  local list = {}
  local function try(change)
    local q = copy(p)
    change(q)
    list[#list + 1] = M.prune(q)
  end
  for i = 1, #p.outputs do
    if #p.outputs > 1 then try(function(q) table.remove(q.outputs, i) end) end
  end
  for _, line in ipairs(p.lines) do
    if #p.outputs == 1 and p.outputs[1] ~= line.name then try(function(q) q.outputs = {line.name} end) end
  end
  local count = 0
  each_line(p.lines, function() count = count + 1 end)
  for at = 1, count do
    local function change_line(change)
      try(function(q)
        local i = 0
        each_line(q.lines, function(lines, j)
          i = i + 1
          if i == at then change(lines[j]) end
        end)
      end)
    end
    change_line(function(line) line.text, line.block = "x1", nil end)
    for which = 1, 2 do -- an operand in its place
      change_line(function(line)
        local name = operands_of(line)[which]
        if name then line.text, line.block = name, nil end
      end)
    end
  end
  return list
end

local function size(p) return #M.text(p) end

--- The smallest program found for which still_fails(program) holds.
function M.shrink(p, still_fails)
  p = M.prune(copy(p))
  for _ = 1, 60 do
    local smaller
    for _, q in ipairs(candidates(p)) do
      if size(q) < size(p) then
        local ok, fails = pcall(still_fails, q)
        if ok and fails then
          smaller = q
          break
        end
      end
    end
    if not smaller then break end
    p = smaller
  end
  return p
end

return M
