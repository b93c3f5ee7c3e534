--- Hostile calls of everything that a script can reach (tests/fuzz/api.lua), few of them; `make fuzz-api`
-- makes a million, under a sanitizer.

local check = require "check"
local core, files = require "tide.core", require "tide.files"
local here = debug.getinfo(1, "S").source:match("^@(.*)lua/[^/]*$")
local tests = {}

for seed = 1, 2 do
  tests["hostile calls, seed " .. seed] = function()
    check.in_folder(function(folder)
      local program, script = core.realpath(arg[-1]), core.realpath(here .. "fuzz/api.lua")
      local pipe = assert(
        io.popen(("cd %s && timeout 300 %s %s %d 3000 2>&1"):format(files.quote(folder), files.quote(program),
          files.quote(script), seed)))
      local text = pipe:read("a")
      pipe:close()
      assert(text:find("\n1 passed, 0 failed\n$"), text:sub(-3000))
    end)
  end
end

return tests
