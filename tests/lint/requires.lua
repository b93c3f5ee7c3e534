--- Arrows between the Lua folders: experiments -> library and data; data -> library; plots -> CSV files only.

-- The first row whose `files` matches decides. `may` and `not_` are lists of patterns of module names.
local rules = {
  {files = "^plots/", may = {"^tide%.csv$", "^tide%.files$", "^tide%.options$", "^tide%.plot$", "^tide%.plot%."},
    why = "plots read CSV files only, so that a figure can be drawn again without its experiment"},
  {files = "^data/", not_ = {"^tide%.nn", "^tide%.train", "^tide%.optim", "^tide%.plot", "^tide%.repl"},
    may = {"^tide$", "^tide%."}, why = "data generators know tensors, solves and files only"},
  {files = "^experiments/", may = {"^tide$", "^tide%.", "^experiments%."}, why = "experiments use the library"},
  {files = "^scripts/tide/plot/", may = {"^tide%.plot", "^tide%.csv$", "^tide%.files$", "^tide%.options$", "^tide%.core$"},
    why = "drawing knows files, programs and the terminal (tide.core), no tensors"},
  {files = "^scripts/tide/[%w_]+%.lua$", may = {"^tide$", "^tide%."}, why = "the library knows only itself"},
}

local function matches_any(name, patterns)
  for _, pattern in ipairs(patterns or {}) do
    if name:find(pattern) then return true end
  end
  return false
end

local function rule_of(path)
  for _, rule in ipairs(rules) do
    if path:find(rule.files) then return rule end
  end
end

return function(tree)
  local problems = {}
  for _, path in ipairs(tree.matching("%.lua$")) do
    local rule = rule_of(path)
    for number, line in tree.lines(path) do
      local code = line:gsub("^%s*%-%-.*$", "")
      for before, name in (" " .. code):gmatch("(%S*)%s*%f[%w_]require%s*%(?%s*[\"']([%w_.]+)[\"']") do
        -- "prints, or require "x"" in a text is not code
        local is_code = before == "" or before:find("[=(,{]$") or before == "return" or before == "and" or before == "or"
        if rule and is_code and (not matches_any(name, rule.may) or matches_any(name, rule.not_)) then
          problems[#problems + 1] = ('%s:%d: may not require "%s": %s'):format(path, number, name, rule.why)
        end
      end
    end
  end
  return problems
end
