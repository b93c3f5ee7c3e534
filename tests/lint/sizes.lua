--- Files that have grown too long to read in one go: warnings only.

local limits = {{"^core/.*%.[ch]$", 500}, {"^bindings/.*%.[ch]$", 500}, {"^scripts/.*%.lua$", 500},
  {"^experiments/.*%.lua$", 200}}

return function(tree)
  local problems = {}
  for _, limit in ipairs(limits) do
    for _, path in ipairs(tree.matching(limit[1])) do
      local _, count = tree.read(path):gsub("\n", "")
      if count > limit[2] then
        problems[#problems + 1] = ("warning: %s has %d lines; more than %d are hard to read"):format(path,
          count, limit[2])
      end
    end
  end
  return problems
end
