--- The history of the prompt: a file with one entry per line, in the state folder of the user.

local core = require "tide.core"

local M = {}

local history_size = 5000

--- One entry on one line: newlines and backslashes escaped.
function M.escape(text)
  return (text:gsub("[\\\n\r]", {["\\"] = "\\\\", ["\n"] = "\\n", ["\r"] = "\\r"}))
end

function M.unescape(line)
  return (line:gsub("\\(.)", {["\\"] = "\\", n = "\n", r = "\r"}))
end

--- Entries of the history file, oldest first; a file that has grown far too long is rewritten.
function M.read(path)
  local entries = {}
  local text = path and core.read_file(path)
  for line in (text or ""):gmatch("[^\n]+") do entries[#entries + 1] = M.unescape(line) end
  local surplus = #entries - history_size
  if surplus <= 0 then return entries end
  entries = table.move(entries, surplus + 1, #entries, 1, {})
  if surplus > history_size // 10 then
    local lines = {}
    for i, entry in ipairs(entries) do lines[i] = M.escape(entry) .. "\n" end
    local part = path .. "." .. core.getpid()
    if core.append_private(part, table.concat(lines)) then core.rename(part, path) end
  end
  return entries
end

local full_disk = {[5] = true, [27] = true, [28] = true, [122] = true} -- EIO, EFBIG, ENOSPC, EDQUOT

--- Add the text to the history of the session, unless it is the entry before; a full disk is told once.
function M.add(session, text)
  if text == session.last_entry then return end
  session.last_entry = text
  session.editor:add(text)
  if not session.history_path then return end
  local kept, message, code = core.append_private(session.history_path, M.escape(text) .. "\n")
  if kept or not full_disk[code] or session.warned then return end
  session.warned = true -- once; where there can be no history at all, nobody waits for a word about it
  io.stderr:write("the history of this session is not kept: ", message, "\n")
end

return M
