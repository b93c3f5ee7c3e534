--- Pages are 110 columns wide, and C is laid out by .clang-format (release 14, Debian 12's: others differ in
-- details).
--
-- Rows of tables in Markdown, lines with an address and words without a space (dumps of bytes) may be longer.

local WIDTH, RELEASE = 110, "14"

local pages = {"%.[ch]$", "%.def$", "%.lua$", "%.sh$", "%.md$"}

local function width(line) return utf8.len(line) or #line end

local function too_wide(tree, problems)
  for _, pattern in ipairs(pages) do
    for _, path in ipairs(tree.matching(pattern)) do
      for number, line in tree.lines(path) do
        local free = line:find("^%s*|") or line:find("https?://") or not line:find("%S%s+%S")
        if width(line) > WIDTH and not free then
          problems[#problems + 1] = ("%s:%d: %d columns; a page has %d"):format(path, number, width(line),
            WIDTH)
        end
      end
    end
  end
end

-- nil, or why the layout cannot be checked here.
local function not_laid_out(tree, problems)
  local version = table.concat(tree.lines_of("clang-format --version 2>/dev/null"), " "):match(
    "version (%d+)")
  if version ~= RELEASE then
    return ("layout not checked: it needs clang-format %s, here is %s"):format(RELEASE, version or "none")
  end
  local words = {}
  for _, path in ipairs(tree.matching("%.[ch]$")) do words[#words + 1] = "'" .. path .. "'" end
  local seen = {}
  for _, line in ipairs(tree.lines_of("clang-format --dry-run " .. table.concat(words, " ") .. " 2>&1")) do
    local place = line:match("^(%S+:%d+):%d+: ")
    if place and not seen[place] then
      seen[place] = true
      problems[#problems + 1] = place .. ": is not laid out as .clang-format says: make format"
    end
  end
end

return function(tree)
  local problems = {}
  too_wide(tree, problems)
  return problems, not_laid_out(tree, problems)
end
