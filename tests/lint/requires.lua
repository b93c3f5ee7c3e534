--- Arrows between Lua folders and between the rooms of the library:
--
--   experiments -> library, data;   data -> library;   plots -> CSV files and drawing only
--   prompt -> study -> train -> nn -> ode -> tensor -> base;   lab -> base;   plot -> base;
--   study -> lab, plot;   theory -> ode
--
-- A room knows itself and what is listed; scripts/tide/*.lua (init, loader, names) tie the rooms together.
-- Short names of modules ("tide.csv") count as what they stand for (scripts/tide/names.lua).

local short_names = dofile("scripts/tide/names.lua")

-- The first row whose `files` matches decides. `may` and `not_` are lists of patterns of module names.
local rules = {
  {files = "^plots/", may = {"^tide%.lab%.csv$", "^tide%.base%.", "^tide%.plot$", "^tide%.plot%."},
    why = "plots read CSV files only, so that a figure can be drawn again without its experiment"},
  {files = "^data/", not_ = {"^tide%.nn", "^tide%.train", "^tide%.study", "^tide%.plot", "^tide%.prompt"},
    may = {"^tide$", "^tide%."}, why = "data generators know tensors, solves and files only"},
  {files = "^experiments/", may = {"^tide$", "^tide%.", "^experiments%."},
    why = "experiments use the library"},
  {files = "^scripts/tide/prompt/", may = {"^tide$", "^tide%."}, why = "the prompt knows the library"},
  {files = "^scripts/tide/[%w_]+%.lua$", may = {"^tide$", "^tide%."}, why = "the library knows only itself"},
}

-- Which rooms a room may know besides itself.
local rooms = {base = "", tensor = "base", ode = "base tensor", nn = "base tensor ode",
  theory = "base tensor ode", train = "base tensor ode nn", lab = "base",
  study = "base tensor ode nn train lab plot", plot = "base"}

for room, known in pairs(rooms) do
  local rule = {files = "^scripts/tide/" .. room .. "/", may = {"^tide%.core$", "^tide%.names$"},
    why = ("the room %s knows %s"):format(room, known == "" and "tide.core only" or "tide.core and the rooms "
      .. known)}
  for name in (room .. " " .. known):gmatch("%a+") do
    table.insert(rule.may, "^tide%." .. name .. "$")
    table.insert(rule.may, "^tide%." .. name .. "%.")
  end
  table.insert(rules, rule)
end

local function matches_any(name, patterns)
  for _, pattern in ipairs(patterns or {}) do
    if name:find(pattern) then return true end
  end
  return false
end

local function full_name(name) return short_names[name:match("^tide%.(.*)$")] or name end

local function rule_of(path)
  for _, rule in ipairs(rules) do
    if path:find(rule.files) then return rule end
  end
end

return function(tree)
  local problems = {}
  for _, path in ipairs(tree.matching("%.lua$")) do
    local rule = rule_of(path)
    if not rule and path:find("^scripts/tide/") then
      problems[#problems + 1] = path .. ": lies in no room of the library; see the list here"
    end
    for number, line in tree.lines(path) do
      local code = line:gsub("^%s*%-%-.*$", "")
      for before, name in (" " .. code):gmatch("(%S*)%s*%f[%w_]require%s*%(?%s*[\"']([%w_.]+)[\"']") do
        -- "prints, or require "x"" in a text is not code
        local is_code = before == "" or before:find("[=(,{]$") or before == "return" or before == "and"
          or before == "or"
        if rule and is_code and (not matches_any(full_name(name), rule.may)
          or matches_any(full_name(name), rule.not_)) then
          problems[#problems + 1] = ('%s:%d: may not require "%s": %s'):format(path, number, name, rule.why)
        end
      end
    end
  end
  return problems
end
