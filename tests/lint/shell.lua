--- Shell scripts parse, as POSIX sh unless they name bash.

return function(tree)
  local problems = {}
  local scripts = tree.matching("%.sh$")
  table.move(tree.matching("^%.ci/"), 1, #tree.matching("^%.ci/"), #scripts + 1, scripts)
  for _, path in ipairs(scripts) do
    local shell = tree.read(path):find("^#![^\n]*bash") and "bash" or "sh"
    for _, line in ipairs(tree.lines_of(("%s -n '%s' 2>&1"):format(shell, path))) do
      problems[#problems + 1] = line
    end
  end
  return problems, #scripts .. " scripts"
end
