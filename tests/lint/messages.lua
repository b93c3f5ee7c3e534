--- Programs ask an error for its status (help "failures") and do not read its message.

local words = {"NaN", "Inf", "not finite", "the loss is", "underflow", "max_steps", "interrupted", "stiff",
  "Newton"}
local searches = {"[:.]find(%b())", "[:.]g?match(%b())"}

return function(tree)
  local problems = {}
  local function look(path, number, line)
    for _, search in ipairs(searches) do
      for arguments in line:gmatch(search) do
        for _, word in ipairs(words) do
          if arguments:find(word, 1, true) then
            problems[#problems + 1] = ('%s:%d: looks for "%s" in a text: ask err.status'):format(path, number,
              word)
          end
        end
      end
    end
  end
  for _, folder in ipairs{"scripts", "experiments", "data", "plots"} do
    for _, path in ipairs(tree.matching("^" .. folder .. "/.*%.lua$")) do
      for number, line in tree.lines(path) do look(path, number, line) end
    end
  end
  return problems
end
