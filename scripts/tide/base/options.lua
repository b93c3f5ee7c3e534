--- Option tables: defaults, types, and "did you mean" for unknown keys.
--
-- A specification is a table  name -> {type, default = value, check = function(v) -> true | nil, "what was
--                             expected" | nil, nil, "what is wrong"}.
-- `type` is one of Lua's type names, "integer", "tensor", "any", or several joined by "|" ("number|table").

local options = {}

-- The engine knows how to name the user's line; without it (the pure parts of the library can be used alone)
-- the level counts.
local has_core, core = pcall(require, "tide.core")
local function raise(message, level)
  if has_core and core.raise then core.raise(message) end
  error(message, level + 1)
end

-- Edits from a to b (a swap of neighbours is one), used only to suggest names.
local function distance(a, b)
  local before, previous = nil, {}
  for j = 0, #b do previous[j] = j end
  for i = 1, #a do
    local current = {[0] = i}
    for j = 1, #b do
      local cost = a:byte(i) == b:byte(j) and 0 or 1
      current[j] = math.min(previous[j] + 1, current[j - 1] + 1, previous[j - 1] + cost)
      if i > 1 and j > 1 and a:byte(i) == b:byte(j - 1) and a:byte(i - 1) == b:byte(j) then
        current[j] = math.min(current[j], before[j - 2] + 1)
      end
    end
    before, previous = previous, current
  end
  return previous[#b]
end

--- The whole number that v is, or nil; unlike math.tointeger it takes no strings.
function options.integer(v) return type(v) == "number" and math.tointeger(v) or nil end

--- The one of `names` that `name` surely is a slip for: an edit or two away, and no extension such as out2 or
-- out_b.
function options.slip(name, names)
  if type(name) ~= "string" then return nil end
  for _, known in ipairs(names) do
    local extended = name:sub(1, #known) == known and name:find("^[%d_]", #known + 1)
    if not extended and distance(name:lower(), known) <= (#known > 4 and 2 or 1) then return known end
  end
end

-- Is `short` what people write for `long`: its initials (lr, learning_rate) or its beginning (eps, epsilon)?
local function abbreviates(short, long)
  return #short > 1 and short == long:gsub("(%a)%a*_?", "%1") or #short > 2 and long:sub(1, #short) == short
end

--- The name of `names` (a list) that is nearest to `name`, or nil when none is near enough to be a likely
-- slip.
function options.nearest(name, names)
  name = tostring(name):lower()
  local best, best_distance = nil, math.max(2, #name // 2)
  for _, candidate in ipairs(names) do
    local d = distance(name, candidate:lower())
    if d < best_distance then best, best_distance = candidate, d end
  end
  if best_distance <= 1 then return best end
  for _, candidate in ipairs(names) do
    local other = candidate:lower()
    if abbreviates(name, other) or abbreviates(other, name) then return candidate end
  end
  return best
end

--- Sorted keys of a table whose keys are strings.
function options.sorted_keys(t)
  local keys = {}
  for k in pairs(t) do keys[#keys + 1] = tostring(k) end
  table.sort(keys)
  return keys
end

--- "unknown <what> "name" (did you mean "x"?); valid are a, b, c"
function options.unknown(what, name, names)
  local near = options.nearest(tostring(name), names)
  return ('unknown %s "%s"%s; valid are: %s'):format(what, tostring(name),
    near and (' (did you mean "%s"?)'):format(near) or "", table.concat(names, ", "))
end

--- Type name of a value as option tables use it: "integer" for whole numbers is accepted wherever "number"
-- is.
function options.typename(v)
  local t = type(v)
  if t == "userdata" then
    local meta = getmetatable(v)
    local name = type(meta) == "table" and meta.__name or t
    return name == "tide.Tensor" and "tensor" or name
  end
  return t
end

local function show(v)
  if type(v) == "string" then return ("%q"):format(v) end
  if v ~= v and type(v) == "number" then return "nan" end -- printf may say "-nan"
  if type(v) == "number" or type(v) == "boolean" or v == nil then return tostring(v) end
  return "a " .. options.typename(v)
end
options.show = show

local function type_matches(v, wanted)
  local t = options.typename(v)
  for name in wanted:gmatch("[^|]+") do
    if name == "any" or name == t then return true end
    if name == "integer" and math.type(v) == "integer" then return true end
    if name == "integer" and math.type(v) == "float" and v == math.floor(v) and math.abs(v) < 2 ^ 53 then
      return true
    end
  end
  return false
end

-- "an integer or a table" of "integer|table".
local function described(wanted)
  local words = {}
  for name in wanted:gmatch("[^|]+") do
    if name == "any" then return "a value" end
    words[#words + 1] = (name:find("^[aeiou]") and "an " or "a ") .. name
  end
  return table.concat(words, " or ")
end

local function check_value(where, key, value, rule, level)
  if not type_matches(value, rule[1]) then
    raise(("%s: option %s must be %s, got %s"):format(where, key, described(rule[1]), show(value)), level)
  end
  if has_core and options.typename(value) == "tensor" and not pcall(value.dtype, value) then
    raise(("%s: option %s is a tensor that is closed"):format(where, key), level)
  end
  if rule.check then
    local ok, expected, wrong = rule.check(value)
    if not ok then
      wrong = wrong or ("%s must be %s, got %s"):format(key, expected, show(value))
      raise(where .. ": " .. wrong, level)
    end
  end
end

--- An argument that is true, false or left out; every other value would count as true.
function options.flag(where, name, v)
  if v ~= nil and type(v) ~= "boolean" then
    raise(("%s: %s must be true or false, got %s"):format(where, name, show(v)), 2)
  end
  return v
end

--- An argument of a type that option tables name, too ("string", "number|tensor"); returns it.
function options.argument(where, name, v, wanted)
  if not type_matches(v, wanted) then
    raise(("%s: %s must be %s, got %s"):format(where, name, described(wanted), show(v)), 2)
  end
  return v
end

--- An argument that is a list without holes, of entries of such a type; returns it.
function options.list(where, name, v, wanted)
  if type(v) ~= "table" then raise(("%s: %s must be a list, got %s"):format(where, name, show(v)), 2) end
  for i = 1, #v do options.argument(where, ("%s[%d]"):format(name, i), v[i], wanted) end
  return v
end

--- "options must be a table, got 0.1; write {lr = 0.1}": in its place is most often the option that comes
-- first to mind.
function options.no_table(where, given, spec)
  local key = type(given) == "number" and "lr" or type(given) == "string" and (spec.dtype and "dtype"
    or "method")
  return ("%s: options must be a table, got %s%s"):format(where, show(given),
    key and spec[key] and ("; write {%s = %s}"):format(key, show(given)) or "")
end

--- Check `given` (a table or nil) against `spec`; returns a fresh table with defaults filled in.
-- `where` names the function in messages. Raises at `level` (default: the caller's caller).
function options.check(where, given, spec, level)
  level = (level or 2) + 1
  if given == nil then given = {} end
  if type(given) ~= "table" then
    raise(options.no_table(where, given, spec), level)
  end
  local out = {}
  for key, value in pairs(given) do
    local rule = spec[key]
    if not rule then
      local names = options.sorted_keys(spec)
      local what = math.type(key) and "option in a list, where options have names:" or "option"
      raise(("%s: %s"):format(where, options.unknown(what, key, names)), level)
    end
    check_value(where, key, value, rule, level + 1)
    out[key] = value
  end
  for key, rule in pairs(spec) do
    if out[key] == nil then
      if rule.required then
        raise(("%s: option %s is missing%s"):format(where, key, rule[1] ~= "any" and "; it must be "
          .. described(rule[1]) or ""), level)
      end
      out[key] = rule.default
    end
  end
  return out
end

-- A list that can be read but not written, so that whoever holds it cannot change what was checked.
local function frozen(copy, where, key)
  return setmetatable({}, {
    __index = copy, __len = function() return #copy end, __name = "list",
    __tostring = function() return "{" .. table.concat(copy, ", ") .. "}" end,
    __newindex = function()
      raise(("%s: %s is replaced as a whole: %s = {...}"):format(where, key, key), 2)
    end,
  })
end

--- A table of options that stays checked: `values`, as options.check returned them, are read and written as
-- fields by the rules of `spec`; an unknown name raises. `changed(values)`, if given, is called after each
-- change. Also returns the plain values, for the owner to read.
function options.record(where, values, spec, changed)
  local names = options.sorted_keys(spec)
  local own = {}
  local function store(key, value)
    own[key] = type(value) == "table" and table.move(value, 1, #value, 1, {}) or value
  end
  local function shown(key) return type(own[key]) == "table" and frozen(own[key], where, key) or own[key] end
  for key, value in pairs(values) do store(key, value) end
  local function known(key)
    if not spec[key] then raise(("%s: %s"):format(where, options.unknown("field", key, names)), 3) end
    return spec[key]
  end
  return setmetatable({}, {
    __name = "options",
    __index = function(_, key) return known(key) and shown(key) end,
    __newindex = function(_, key, value)
      check_value(where, key, value, known(key), 3)
      store(key, value)
      if changed then changed(own) end
    end,
    __pairs = function()
      return function(_, key)
        local following = next(own, key)
        return following, following and shown(following)
      end
    end,
  }), own
end

--- For __newindex of an object that has nothing to be set from outside: raises for every name but those of
-- the list `own`, which the object sets itself. `methods` is the table of what it can do, for the message.
function options.seal(where, own, methods)
  local allowed = {}
  for _, name in ipairs(own) do allowed[name] = true end
  return function(object, key, value)
    if allowed[key] then return rawset(object, key, value) end
    local names = {}
    for _, name in ipairs(options.sorted_keys(methods)) do
      if type(methods[name]) == "function" and name:sub(1, 1) ~= "_" then names[#names + 1] = name end
    end
    local near = options.nearest(key, names)
    raise(('%s: no field "%s" can be set%s; it has the methods %s'):format(where, tostring(key), near
      and (' (did you mean "%s"?)'):format(near) or "",
      table.concat(names, ", ")), 2)
  end
end

--- For a module: a name that it lacks is an error that suggests the nearest. Names that begin with _ are nil.
function options.strict(where, module)
  return setmetatable(module, {__index = function(_, name)
    if type(name) ~= "string" or name:find("^_") then return nil end
    local names = {}
    for _, known in ipairs(options.sorted_keys(module)) do
      if known:sub(1, 1) ~= "_" then names[#names + 1] = known end
    end
    raise(("%s: %s"):format(where, options.unknown("function", name, names)), 2)
  end})
end

-- Ready-made checks.
local function finite(v) return v == v and v ~= math.huge and v ~= -math.huge end
options.finite = finite
--- Numbers in low..high; `open`: without low itself. A high of math.huge takes infinity too.
function options.within(low, high, open)
  local expected = high < 1e308 and ("in %g..%g"):format(low, high)
    or ("%s %g"):format(open and ">" or ">=", low)
  return function(v) return (v > low or v == low and not open) and v <= high, expected end
end
local largest = 0x1.fffffffffffffp+1023
options.positive, options.not_negative = options.within(0, largest, true), options.within(0, largest)
function options.at_least(n) return options.within(n, largest) end
function options.between(a, b) return options.within(a, b) end
--- A list of two different finite numbers.
function options.pair(v)
  return #v == 2 and math.type(v[1]) ~= nil and math.type(v[2]) ~= nil and finite(v[1]) and finite(v[2])
    and v[1] ~= v[2], "{low, high}"
end
function options.one_of(names)
  return function(v)
    for _, name in ipairs(names) do if v == name then return true end end
    return false, 'one of "' .. table.concat(names, '", "') .. '"'
  end
end

return options
