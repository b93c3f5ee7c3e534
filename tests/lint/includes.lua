--- A file of core/ includes its own floor or lower ones, by path from core/; Lua and BLAS are met in one place each.

local allowed = {
  base = "base",
  tensor = "tensor base",
  kernels = "kernels tensor base",
  io = "io tensor base",
  autodiff = "autodiff kernels tensor base",
  solver = "solver autodiff kernels tensor base",
}
-- Headers of other projects that one file or folder alone may see.
local reserved = {["cblas.h"] = "^core/kernels/blas%.c$", ["lua.h"] = "^bindings/", ["lauxlib.h"] = "^bindings/",
  ["lualib.h"] = "^bindings/", ["histedit.h"] = "^bindings/", ["png.h"] = "^core/io/", ["zlib.h"] = "^core/io/"}

return function(tree)
  local problems = {}
  for _, path in ipairs(tree.matching("%.[chd][ef]?f?$")) do
    local floor = path:match("^core/(%a+)/")
    local ours = path:find("^core/") or path:find("^bindings/")
    for number, line in tree.lines(path) do
      local function complain(what) problems[#problems + 1] = ("%s:%d: %s"):format(path, number, what) end
      local kind, header = line:match('^%s*#%s*include%s*([<"])([^>"]+)[>"]')
      if ours and reserved[header] and not path:find(reserved[header]) then
        complain(("<%s> belongs to %s alone"):format(header, reserved[header]:gsub("[%^%$%%]", "")))
      end
      if kind == '"' and floor then
        local target = header:match("^(%a+)/[%w_]+%.%a+$")
        if not target then
          complain(('include "%s" by its path from core/'):format(header))
        elseif not (" " .. (allowed[floor] or floor) .. " "):find(" " .. target .. " ", 1, true) then
          complain(('core/%s may not include "%s": it may know %s'):format(floor, header, allowed[floor] or floor))
        end
      end
    end
  end
  return problems
end
