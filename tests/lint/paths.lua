--- No file names a folder of the machine that it was written on.

local machine_folders = {"work", "farm", "root", "home"}

return function(tree)
  local problems = {}
  for _, path in ipairs(tree.files) do
    local text = tree.read(path)
    if not path:find("%.csv$") and not text:find("\0", 1, true) then
      for number, line in tree.lines(path) do
        for _, folder in ipairs(machine_folders) do
          local at = (" " .. line):match("[^%w_.]()/" .. folder .. "/[%w_.-]")
          if at then
            problems[#problems + 1] = ("%s:%d: %s: name it relative to the checkout"):format(path, number,
              line:sub(at - 1, at + 40))
          end
        end
      end
    end
  end
  return problems
end
