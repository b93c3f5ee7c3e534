--- What was typed, compiled: as an expression first, then as statements.

local M = {}

--- What Lua calls the text of the prompt in messages.
M.name = "=input"

-- More lines could make it complete. A short string cannot go on in the next line.
local function is_incomplete(message)
  return message:sub(-5) == "<eof>" and not message:find("unfinished string near", 1, true)
end

-- Does the text end in ";" (and not just a comment that does)? A "]" after it is an error unless a comment
-- swallows it.
local function is_quiet(text)
  return text:find(";%s*$") ~= nil and load("return " .. text .. "]") == nil
end

-- Statements and an expression behind them, "x = 3; x": a chunk that runs them and returns its values, or
-- nil. By itself Lua would wait for more.
local function with_value(text, env)
  local from = #text + 1
  for _ = 1, 20 do
    from = text:sub(1, from - 1):find("[;\n][^;\n]*$")
    if not from then return nil end
    local statements, expression = text:sub(1, from - 1), text:sub(from + 1)
    local both = expression:find("%S") and load(statements, M.name, "t", env)
      and load("return " .. expression, M.name, "t", env)
    if both then
      local keeps = statements:find("%f[%w_]local%f[^%w_]") and ";(...)()" or ""
      return load(statements .. keeps .. text:sub(from, from) .. "return " .. expression, M.name, "t",
        env)
    end
  end
end

--- Compile what was typed: chunk and kind ("values", "quiet" or "statements"), or nil, "incomplete" or
-- "error", and the message.
function M.compile(text, env)
  local expression = text:match("^%s*=(.*)$") or text
  local chunk, message = load("return " .. expression, M.name, "t", env)
  if chunk then return chunk, is_quiet(expression) and "quiet" or "values" end
  local statements, problem = load(text, M.name, "t", env)
  if statements then
    -- The call appended here sees the locals of the chunk while they live.
    local keeping = text:find("%f[%w_]local%f[^%w_]") and load(text .. "\n;(...)()", M.name, "t", env)
    return keeping or statements, "statements"
  end
  local mixed = with_value(text, env)
  if mixed then return mixed, "values" end
  if is_incomplete(problem) or is_incomplete(message) then return nil, "incomplete", problem end
  return nil, "error", problem
end

--- A function for a chunk to call at its end: copies the chunk's locals to env.
function M.keeper(env)
  return function()
    local i = 1
    while true do
      local name, value = debug.getlocal(2, i)
      if not name then return end
      if name:find("^[%a_]") then env[name] = value end
      i = i + 1
    end
  end
end

return M
