--- Runs test files: each returns a table of named functions. `run.lua [-v] file.lua ... ` or every
-- tests/lua/test_*.lua. A test fails by raising; it is skipped by returning a string "skip: reason". The last
-- line is "N passed, N failed[, N skipped]".

local here = arg[0]:match("^(.*)/") or "."
package.path = here .. "/?.lua;" .. package.path -- require "check"
local lines = require "lines"
local verbose, files, filter = false, {}, nil
for _, a in ipairs(arg) do
  if a == "-v" then verbose = true
  elseif a:match("^%-k=") then filter = a:sub(4)
  else files[#files + 1] = a end
end
if #files == 0 then
  for name in io.popen("ls " .. here .. "/test_*.lua"):lines() do files[#files + 1] = name end
end

local passed, failed, skipped = 0, 0, 0
lines.watch()
for _, file in ipairs(files) do
  local tests = dofile(file)
  local names = {}
  for name in pairs(tests) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do
    if not filter or name:find(filter, 1, true) then
      local start = os.clock()
      lines.watch()
      local ok, result = xpcall(tests[name], function(e) return debug.traceback(tostring(e), 2) end)
      local label = file:match("([^/]+)%.lua$") .. ": " .. name
      if not ok then
        failed = failed + 1
        print("FAIL " .. label .. "\n     " .. tostring(result):gsub("\n", "\n     "))
      elseif type(result) == "string" and result:match("^skip") then
        skipped = skipped + 1
        print("skip " .. label .. " (" .. result:gsub("^skip:?%s*", "") .. ")")
      else
        passed = passed + 1
        if verbose then print(("ok   %s (%.2f s)"):format(label, os.clock() - start)) end
      end
      collectgarbage()
    end
  end
end
print(("%d passed, %d failed%s"):format(passed, failed, skipped > 0 and (", %d skipped"):format(skipped)
  or ""))
lines.write(files[1])
os.exit(failed == 0 and 0 or 1, true)
