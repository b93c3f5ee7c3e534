--- Small helpers around files that plain Lua 5.4 lacks: paths, whole-file reads, atomic writes, shell words.

local core = require "tide.core"

local files = {}

--- `word` as one word for /bin/sh, whatever it holds.
function files.quote(word)
  return "'" .. tostring(word):gsub("'", "'\\''") .. "'"
end

--- Join path parts with one slash; an absolute part starts anew, empty parts and "." are dropped.
function files.join(...)
  local path
  for _, part in ipairs({...}) do
    if part:sub(1, 1) == "/" or not path then
      if part ~= "" and part ~= "." then path = part end
    elseif part ~= "" and part ~= "." then
      path = path:gsub("/+$", "") .. "/" .. part
    end
  end
  return path or "."
end

--- Folder of a path ("." when it names none), and its last part.
function files.split(path)
  local folder, name = path:match("^(.*)/([^/]*)$")
  if not folder then return ".", path end
  return folder == "" and "/" or folder, name
end

--- Last part of a path without its extension, and the extension in lower case ("" when there is none).
function files.stem(path)
  local _, name = files.split(path)
  local stem, extension = name:match("^(.+)%.([^.]+)$")
  if not stem then return name, "" end
  return stem, extension:lower()
end

--- Is there anything of that name, whether it can be read or not?
function files.exists(path) return core.exists(path) ~= false end

--- Whole contents of a regular file (a FIFO or a device never ends), or nil and a message.
function files.read(path) return core.read_file(path) end

--- Make a folder and its parents; true, or nil and a message.
function files.make_folder(path)
  local ok, message = core.mkdir(path)
  if ok then return true end
  return nil, "cannot make the folder " .. message
end

--- Move a finished part over its target; readers see the old file or the new one, never a torn one.
function files.replace(part, path)
  local ok, message = os.rename(part, path)
  if ok then return true end
  os.remove(part)
  return nil, message
end

--- Write a whole file atomically; true, or nil and a message (then the old file, if any, is untouched).
function files.write(path, text)
  local writer, message = core.file_writer(path)
  if not writer then return nil, message end
  local ok
  ok, message = writer:write(text)
  if ok then ok, message = writer:close() else writer:discard() end
  return ok, message
end

--- Run a shell command without input; returns success, everything it printed, exit status, "exit" | "signal".
-- A file collects the output: with a pipe a dying child could take this process along by SIGPIPE.
function files.run(command)
  local log = os.tmpname()
  local ok, how, status = os.execute(("{ %s\n} </dev/null >%s 2>&1"):format(command, files.quote(log)))
  local output = files.read(log) or ""
  os.remove(log)
  return ok == true, output, status, how
end

return files
