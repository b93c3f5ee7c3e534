--- A file of core/ includes its own floor or lower ones, by path from core/; Lua and BLAS are met in one
-- place each. Nothing includes itself by way of others; a source file and its header count as one, so that
-- two of them cannot each call the other.

local allowed = {
  base = "base",
  tensor = "tensor base",
  kernels = "kernels tensor base",
  io = "io tensor base",
  autodiff = "autodiff kernels tensor base",
  solver = "solver autodiff kernels tensor base",
}
-- Headers of other projects that one file or folder alone may see.
local reserved = {["cblas.h"] = "^core/kernels/blas%.c$", ["lua.h"] = "^bindings/",
  ["lauxlib.h"] = "^bindings/",
  ["lualib.h"] = "^bindings/", ["histedit.h"] = "^bindings/", ["png.h"] = "^core/io/",
  ["zlib.h"] = "^core/io/", ["jpeglib.h"] = "^core/io/", ["jerror.h"] = "^core/io/"}

-- Circles that are still there: those that lie within one of these are not complained about.
local known = {"^core/solver/"}
local function is_known(circle)
  for _, pattern in ipairs(known) do
    local inside = true
    for _, node in ipairs(circle) do inside = inside and node:find(pattern) end
    if inside then return true end
  end
end

-- What the include in the file at `path` means: a node of the graph, or nil for other people's headers.
local function node_of(path) return path:match("%.def$") and path or path:match("^(.*)%.[ch]$") end
local function included(tree, path, header)
  for _, folder in ipairs{"core/", path:match("^(.*/)")} do
    if tree.exists[folder .. header] then return node_of(folder .. header) end
  end
end

-- {node = {nodes that it includes, in the order of the files}}, and the nodes in order
local function graph(tree)
  local edges, order = {}, {}
  for _, path in ipairs(tree.matching("%.[chd][ef]?f?$")) do
    local from = (path:find("^core/") or path:find("^bindings/")) and node_of(path)
    if from and not edges[from] then edges[from], order[#order + 1] = {}, from end
    for _, line in tree.lines(from and path or "") do
      local header = line:match('^%s*#%s*include%s*"([^"]+)"')
      local to = header and included(tree, path, header)
      if to and to ~= from then table.insert(edges[from], to) end
    end
  end
  return edges, order
end

-- Circles of the graph, each as the list of its nodes; one for each edge that closes one.
local function circles(edges, order)
  local found, state, walk = {}, {}, {}
  local function visit(node)
    state[node], walk[#walk + 1] = "open", node
    for _, next_node in ipairs(edges[node] or {}) do
      if state[next_node] == "open" then
        local first = #walk
        while walk[first] ~= next_node do first = first - 1 end
        found[#found + 1] = table.move(walk, first, #walk, 1, {})
      elseif not state[next_node] then
        visit(next_node)
      end
    end
    state[node], walk[#walk] = "done", nil
  end
  for _, node in ipairs(order) do if not state[node] then visit(node) end end
  return found
end

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
          complain(('core/%s may not include "%s": it may know %s'):format(floor, header, allowed[floor]
            or floor))
        end
      end
    end
  end
  for _, circle in ipairs(circles(graph(tree))) do
    if not is_known(circle) then
      problems[#problems + 1] = (
        "%s: a circle of includes: %s -> %s; what several of these need belongs into a file below them")
        :format(circle[1], table.concat(circle, " -> "), circle[1])
    end
  end
  return problems
end
