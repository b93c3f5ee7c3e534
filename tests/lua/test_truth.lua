-- Comparisons in conditions: Lua takes every tensor for true, so the library looks at the call. One element
-- gives a boolean, more raise, a tensor that is being recorded raises; where a comparison is no condition it
-- stays a tensor.
local check = require "check"
local tide = require "tide"

local many, one = tide.tensor{1, 2, 3}, tide.tensor(3)
local is_tensor = tide.tree.is_tensor

local tests = {}

-- Each with one element that is not greater than 5: what would come out if it were taken for true is "wrong".
local conditions = {
  ["if"] = function(x) if x:gt(5) then return "wrong" end return "right" end,
  ["elseif"] = function(x)
    if x == nil then return elseif x:gt(5) then return "wrong" else return "right" end
  end,
  ["not"] = function(x) return not x:gt(5) and "right" or "wrong" end,
  ["not, kept"] = function(x) local b = not x:gt(5) return b and "right" or "wrong" end,
  ["and"] = function(x) return x:gt(5) and "wrong" or "right" end,
  ["or"] = function(x) local r = x:gt(5) or "right" return r end,
  ["and in an argument"] = function(x) return tostring(x:gt(5) and "wrong" or "right") end,
  ["second of two"] = function(x) if x and x:gt(5) then return "wrong" end return "right" end,
  ["while"] = function(x) local n = 0 while x:gt(5) and n < 3 do n = n + 1 end return n == 0 and "right" end,
  ["until"] = function(x)
    local n = 0 repeat n = n + 1 until x:le(5) or n > 3 return n == 1 and "right" or "wrong"
  end,
  ["function of the module"] = function(x) if tide.gt(x, 5) then return "wrong" end return "right" end,
  ["under another name"] = function(x)
    local larger = x.gt if larger(x, 5) then return "wrong" end return "right"
  end,
  ["several lines"] = function(x)
    if x
      :gt(
        5)
    then return "wrong" end
    return "right"
  end,
  ["all"] = function(x) if x:gt(5):all() then return "wrong" end return "right" end,
  ["any"] = function(x) if tide.any(x:gt(5)) then return "wrong" end return "right" end,
  ["returned by a function"] = function(x)
    local function large(v) return v:gt(5) end
    if large(x) then return "wrong" end
    return "right"
  end,
  ["two on a line"] = function(x)
    local keep = x:gt(5) if x:gt(5) then return "wrong" end return is_tensor(keep) and "right"
  end,
  ["vararg"] = function(...) if (...):gt(5) then return "wrong" end return "right" end,
  ["coroutine"] = coroutine.wrap(function(x)
    while true do x = coroutine.yield(x:gt(5) and "wrong" or "right") end
  end),
  ["assert"] = function(x)
    return pcall(function() assert(x:gt(5), "as it should") end) and "wrong" or "right"
  end,
  ["<"] = function(x) if x > 5 then return "wrong" end return x < 5 and 5 > x and "right" end,
  ["<="] = function(x) if 5 <= x then return "wrong" end return x <= 5 and x <= x and "right" end,
}

tests["one element gives a boolean"] = function()
  for _, x in ipairs{one, tide.tensor{{3}}, tide.tensor(3, {dtype = "float64"}),
    tide.tensor(3, {dtype = "int64"})} do
    for name, fn in pairs(conditions) do
      for _ = 1, 2 do -- the second time what was found is looked up
        local got = fn(x)
        assert(got == "right", name .. ": " .. tostring(got))
      end
    end
  end
end

tests["more than one element, or none, is an error"] = function()
  local reductions = {all = true, any = true, coroutine = true, assert = true}
  for name, fn in pairs(conditions) do
    if not reductions[name] then
      check.fails({"needs one truth value", "shape {3}", ":any()", "tide.where"}, fn, many)
      check.fails("shape {0}", fn, tide.zeros{0})
    end
  end
  check.fails("gt: a condition", function() assert(many:gt(0)) end)
  check.fails("as it should", function() assert(one:lt(5) and one:lt(0), "as it should") end)
  check.fails("symbolic tensor", tide.compile(function(v)
    assert(v:eq(v):all() and v:gt(v):all(), "a label")
    return v
  end), many)
  check.fails("x < y: a condition", function() return many > 0 end)
  check.fails("x <= y: a condition", function() return many <= 0 end)
end

tests["a tensor that is being recorded is an error"] = function()
  for name, fn in pairs(conditions) do
    if name ~= "coroutine" and name ~= "assert" then
      local function run(p)
        fn(p)
        return p:sum()
      end
      check.fails({"symbolic tensor has no value", "tide.where"}, tide.grad(run), one)
      check.fails("tide.where", tide.compile(run), one)
      check.fails("tide.where", tide.odeint, function(_, y) fn(y) return y end, one, {0, 1})
      check.fails("tide.where", tide.odeint, function(t, y) fn(t) return y end, one, {0, 1})
    end
  end
end

tests["what is no condition stays a tensor"] = function()
  local function same(x) return x end
  local mask = one:gt(5)
  assert(is_tensor(mask) and is_tensor(same(one:gt(5))) and is_tensor((one:gt(5)))
    and is_tensor(one:gt(5):to("float32")))
  if mask then mask = mask:to("float32") end -- a variable: Lua's business
  assert(is_tensor(mask) and tide.where(one:gt(5), 1, 2):item() == 2 and #{one:gt(5), one:lt(5)} == 2)
  local list = {one:gt(5), kept = one:gt(5)}
  assert(is_tensor(list[1]) and is_tensor(list.kept))
  local a = many and one:gt(5)
  assert(is_tensor(a))
  assert(is_tensor(many:gt(1):all()) and many:gt(1):any():item() == 1)
  assert(is_tensor(select(2, pcall(one.gt, one, 5))))
  assert((many == many) and not (many == many:clone()), "== compares identity")
end

tests["chunks of the same name and line are told apart"] = function()
  for _ = 1, 3 do
    assert(load("local x = ... if x:gt(5) then return 'wrong' end return 'right'", "=stdin")(one) == "right")
    assert(is_tensor(load("local x = ... local y = x:gt(5) return (y)", "=stdin")(one)))
    assert(load("local x = ... return x:gt(5) and 'wrong' or 'right'", "=stdin")(one) == "right")
    collectgarbage()
  end
end

tests["all and any"] = function()
  local x = tide.tensor{{1, 0, 2}, {3, 4, 5}}
  local function list(t) return table.concat(t:reshape{-1}:totable(), " ") end
  assert(list(x:all(2)) == "0 1" and list(x:any(1)) == "1 1 1" and list(x:all(1)) == "1 0 1"
    and x:all():item() == 0)
  assert(table.concat(x:all(2, true):shape(), " ") == "2 1" and x:all():dtype() == "uint8")
  assert(tide.zeros{0}:all():item() == 1 and tide.zeros{0}:any():item() == 0
    and tide.tensor{0 / 0}:any():item() == 1)
  assert(list(tide.compile(function(v) return v:gt(2):any(2) end)(x)) == "0 1")
end

return tests
