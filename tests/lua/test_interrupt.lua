--- Ctrl-C during one long operation of each kind (tests/bench/interrupt.lua, which also measures how soon):
-- an error, and nothing else changed.

local here = debug.getinfo(1, "S").source:match("^@(.*)lua/[^/]*$")
local interrupt = dofile(here .. "bench/interrupt.lua")
local tests = {}

for _, name in ipairs(interrupt.names()) do
  tests["interrupted: " .. name] = function()
    local report = interrupt.run(name)
    if report:find("^finished") then return "skip: this machine was done before the signal came" end
    assert(report:find("^interrupted %d+$"), report)
  end
end

return tests
