--- Long texts, a screen at a time. Only where a person reads and types: both ends a terminal, more lines
-- than it has rows, and no input waiting that was meant for somebody else. Everything shown stays in the
-- terminal's history; no program is started.

local core = require "tide.core"

local pager = {}

local keys = {[" "] = "page", f = "page", ["\27[6~"] = "page",
  ["\r"] = "line", ["\n"] = "line", j = "line", ["\27[B"] = "line",
  G = "rest", ["\27[F"] = "rest", q = "end", Q = "end", ["\3"] = "end", ["\4"] = "end", ["\27"] = "end"}

-- Rows of the screen that a line takes.
local function rows_of(line, width)
  local columns = utf8.len(line) or #line
  return math.max(1, (columns + width - 1) // width)
end

local function split(text)
  local lines = {}
  for line in (text .. "\n"):gmatch("(.-)\n") do lines[#lines + 1] = line end
  return lines
end

-- Ask at the bottom of the screen: "page", "line", "rest" or "end"; keys without a meaning are ignored.
local function ask(shown, count)
  if core.input_waits() then return "rest" end
  local question = ("-- %d %% -- space: next page, enter: next line, q: end "):format(100 * shown // count)
  local action
  repeat
    local key = core.ask_key(question)
    question = ""
    action = key and keys[key] or not key and "end"
  until action
  io.stdout:write("\r\27[K")
  return action
end

--- Print a text, in pages where that helps.
function pager.print(text)
  local height = core.isatty(0) and core.isatty(1) and os.getenv("TERM") ~= "dumb" and core.terminal_height()
  local lines, width = split(text), core.terminal_width()
  local room = height and math.max(2, height - 1) or math.huge
  local left, total = room, 0
  for _, line in ipairs(lines) do total = total + rows_of(line, width) end
  if total <= room then left = math.huge end
  for i, line in ipairs(lines) do
    if rows_of(line, width) > left then
      local action = ask(i - 1, #lines)
      if action == "end" then return end
      left = action == "page" and room or action == "line" and rows_of(line, width) or math.huge
    end
    print(line)
    left = left - rows_of(line, width)
  end
end

return pager
