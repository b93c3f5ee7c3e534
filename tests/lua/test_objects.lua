-- Objects that cannot lie: arguments that only look true, fields that nothing reads.
local check = require "check"
local tide = require "tide"

local tests = {}

tests["keepdim is true or false"] = function()
  local x = tide.tensor{{1, 2}, {3, 4}}
  for _, name in ipairs{"sum", "mean", "max", "min", "var", "logsumexp", "argmax", "argmin", "all", "any"} do
    local op = tide[name]
    check.fails({name, "keepdim must be true or false, got a table"}, op, x, 2, {keepdim = false})
    check.fails('keepdim must be true or false, got "true"', op, x, 1, "true")
    check.fails("keepdim must be true or false, got 1", op, x, nil, 1)
    if name:sub(1, 3) ~= "arg" then
      check.fails({name, "key \"keepdim\"", ("x:%s(axis, true)"):format(name)}, op, x, {keepdim = true})
      check.fails("axis -1 is given twice", op, x, {2, -1})
      assert(#op(x, {1, 2}):shape() == 0 and #op(x, {}):shape() == 2)
    end
    assert(table.concat(op(x, 2, true):shape(), " ") == "2 1" and table.concat(op(x, 2, false):shape(), " ") == "2")
    assert(table.concat(op(x, nil, true):shape(), " ") == "1 1" and #op(x, nil, false):shape() == 0, name)
  end
end

tests["other arguments that are true or false"] = function()
  local t = {tide.ones{2}}
  check.fails("tree.tensors: float_only must be true or false, got a string", tide.tree.tensors, t, "float32")
  check.fails("tree.replace: float_only must be true or false, got a table", tide.tree.replace, t, {}, {})
  check.fails("tide.memory: reset_peak must be true or false", tide.memory, 1)
  check.fails('meter:update: line must be true or false, got "now"', function() tide.progress.new{quiet = true}:update(1, nil, "now") end)
  tide.memory(true)
  local live = tide.memory().live_bytes
  tide.zeros{1000000}:close()
  for _ = 1, 2 do assert(tide.memory().peak_bytes >= live + 4000000, "reading the peak must not reset it") end
end

tests["a meter advances, and has no fields to set"] = function()
  local meter = tide.progress.new{total = 10, quiet = true}
  for _ = 1, 4 do meter:advance() end
  assert(meter.n == 4 and meter:advance(3).n == 7 and meter:update(1).n == 1)
  check.fails("meter:advance: n, how many more are done, must be a number", meter.advance, meter, "3")
  check.fails("meter:update: n, how many are done, must be a number, got nil", meter.update, meter)
  check.fails({'meter: no field "updat" can be set (did you mean "update"?)', "advance"}, function() meter.updat = 3 end)
end

return tests
