--- Names of core/ and bindings/ that a debugger, a search or a reader could take for another: a struct, enum
-- or union is defined in one file, and a function is declared in one header.

return function(tree)
  local problems, home = {}, {}
  local function claim(path, number, what, name)
    local key = what .. " " .. name
    if home[key] and home[key] ~= path then
      problems[#problems + 1] = ("%s:%d: %s stands in %s, too: give one of them a name that tells them "
        .. "apart"):format(path, number, key, home[key])
    end
    home[key] = home[key] or path
  end
  for _, path in ipairs(tree.matching("%.[ch]$")) do
    if path:find("^core/") or path:find("^bindings/") then
      for number, line in tree.lines(path) do
        local kind, tag = line:gsub("^typedef ", ""):match("^%s*(%l+) ([%w_]+) {")
        if kind == "struct" or kind == "enum" or kind == "union" then claim(path, number, kind, tag) end
        local name = path:find("%.h$") and not line:find("^static") and not line:find("^typedef")
          and line:match("^%a[%w_ ]*[ *]+([%w_]+)%(")
        if name then claim(path, number, "function", name) end
      end
    end
  end
  return problems
end
