--- Files and functions that have grown too long to read in one go.
--
-- A file has at most as many lines as its folder allows, a function in C or Lua 40 between its first and
-- last. What must be longer stands below with its reason; a line there that is no longer needed is a problem,
-- too.

local most_lines = {
  {"^core/.*%.[ch]$", 400}, {"^bindings/.*%.[ch]$", 400}, {"^scripts/.*%.lua$", 400},
  {"^data/.*%.lua$", 400}, {"^plots/.*%.lua$", 400}, {"^experiments/.*%.lua$", 200},
  {"^tests/.*%.[ch]$", 700}, {"^tests/.*%.lua$", 700},
}
local FUNCTION = 40

-- "path" or "path: function" -> why it may be longer.
local exceptions = {
  ["tests/c/test_io_safetensors.c: test_safetensors_refused"] = "a table: one header a line",
}

-- Each {name, first line, lines between the head and the end} of functions in C: bodies begin and end in the
-- first column.
local function functions_of_c(tree, path)
  local list, head, start = {}, "", nil
  for number, line in tree.lines(path) do
    if line:find("^[%a_].*%(") and not line:find(";$") then head = line end
    if line == "{" then
      start = number
    elseif start and line == "}" then
      local name = head:match("TYPED%((%w+)%)") or head:match("([%w_]+)%(") or "line " .. start
      list[#list + 1] = {name, start, number - start - 1}
      start = nil
    end
  end
  return list
end

-- Functions in Lua, nested ones as well: each ends with the first `end` that is indented as its head is.
local function functions_of_lua(tree, path)
  local list, open = {}, {}
  for number, line in tree.lines(path) do
    local indent, rest = line:match("^(%s*)(.*)")
    while #open > 0 and rest ~= "" and #indent <= open[#open].indent do
      local f = table.remove(open)
      list[#list + 1] = {f.name, f.line, number - f.line - 1}
    end
    local begins = rest:find("%f[%w_]function%s*[%w_.:]*%s*%(") and not rest:find("^%-%-")
    if begins and not rest:find("%f[%w_]end%f[^%w_]") then
      local name = rest:match("function%s+([%w_.:]+)") or rest:match("([%w_.]+)%s*=%s*function")
        or rest:match('"(.-)"') or open[#open] and open[#open].name or "a function"
      open[#open + 1] = {name = name, line = number, indent = #indent}
    end
  end
  return list
end

return function(tree)
  local problems, used = {}, {}
  local function check(key, place, what, lines, most)
    if lines <= most then return end
    used[key] = true
    if exceptions[key] then return end
    problems[#problems + 1] = ("%s: %s has %d lines; more than %d are hard to read: cut it by subject, "
      .. "or give the reason in tests/lint/sizes.lua"):format(place, what, lines, most)
  end
  for _, limit in ipairs(most_lines) do
    for _, path in ipairs(tree.matching(limit[1])) do
      local _, count = tree.read(path):gsub("\n", "")
      check(path, path, "the file", count, limit[2])
      for _, f in ipairs((path:find("%.lua$") and functions_of_lua or functions_of_c)(tree, path)) do
        check(path .. ": " .. f[1], ("%s:%d"):format(path, f[2]), f[1], f[3], FUNCTION)
      end
    end
  end
  for key in pairs(exceptions) do
    if not used[key] then
      problems[#problems + 1] = ("tests/lint/sizes.lua: the exception for %s is no longer needed"):format(key)
    end
  end
  table.sort(problems)
  return problems
end
