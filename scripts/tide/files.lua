--- Small helpers around files that plain Lua 5.4 lacks: paths, whole-file reads, atomic writes, shell words.

local files = {}

local part_count = 0

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

function files.exists(path)
  local file = io.open(path, "rb")
  if file then file:close() end
  return file ~= nil
end

--- Whole contents of a file, or nil and a message.
function files.read(path)
  local file, message = io.open(path, "rb")
  if not file then return nil, message end
  local text
  text, message = file:read("a")
  file:close()
  if not text then return nil, ("%s: %s"):format(path, message or "cannot be read") end
  return text
end

--- Make a folder and its parents; true, or nil and a message.
function files.make_folder(path)
  local ok, output = files.run("mkdir -p -- " .. files.quote(path))
  if ok then return true end
  return nil, ("cannot make the folder %s: %s"):format(path, output)
end

--- A name in the same folder as `path`: os.rename is atomic only within one file system.
-- It ends in ".part", which .gitignore knows. The table's address tells processes apart, as Lua knows no process id.
function files.part_name(path)
  part_count = part_count + 1
  local address = ("%p"):format({}):gsub("^0x0*", "")
  return ("%s.%s%d.part"):format(path, address, part_count)
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
  local part = files.part_name(path)
  local file, message = io.open(part, "wb")
  if not file then return nil, message end
  local ok
  ok, message = file:write(text)
  if ok then ok, message = file:close() else file:close() end
  if not ok then
    os.remove(part)
    return nil, ("%s: %s"):format(path, message)
  end
  return files.replace(part, path)
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
