--- luacheck finds nothing in any Lua file; see .luacheckrc.

return function(tree)
  if not os.execute("command -v luacheck >/dev/null 2>&1") then
    return nil, "luacheck is not installed: apt install lua-check"
  end
  local words = {}
  for _, path in ipairs(tree.matching("%.lua$")) do words[#words + 1] = "'" .. path .. "'" end
  local problems = {}
  for _, line in ipairs(tree.lines_of("mkdir -p build && luacheck --codes --no-color --formatter plain "
    .. "--cache build/luacheck " .. table.concat(words, " ") .. " 2>&1")) do
    problems[#problems + 1] = line
  end
  return problems, #words .. " files"
end
