--- Small helpers around files that plain Lua 5.4 lacks: paths, whole-file reads, atomic writes, temporary
-- folders, other programs.

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

--- Remove a file, or a folder with all that is in it; links are removed, never followed. True, or nil and a
-- message.
function files.remove_tree(path)
  local ok, message = core.remove(path)
  if ok then return true end
  -- a link to a folder was removed above: only a folder is left that is not empty
  local names = core.listdir(path) or {}
  for _, name in ipairs(names) do files.remove_tree(path .. "/" .. name) end
  if #names > 0 then ok, message = core.remove(path) end
  return ok, message
end

--- A fresh folder that nobody else can enter (mkdtemp, mode 0700): {path =}. `local t <close> =
-- files.temporary_folder()` removes it at the end of the block, after an error too.
function files.temporary_folder()
  local path, message = core.mkdtemp()
  if not path then core.raise("cannot make a temporary folder: " .. message) end
  return setmetatable({path = path}, {__close = function() files.remove_tree(path) end})
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

--- Run a program: run({name, argument, ...}, {folder =, input =, output =, environment =, show_errors =}) ->
-- success, everything it printed, exit status or signal, "exit" | "signal". No shell takes part, so an
-- argument may hold anything. See core.spawn for the options; a program that is not there gives false, the
-- reason, 127, "exit".
function files.run(argv, opts)
  local process <close>, message = core.spawn(argv, opts)
  if not process then return false, message, 127, "exit" end
  local pieces = {}
  for bytes in process.read, process do pieces[#pieces + 1] = bytes end
  local how, status = process:wait()
  return how == "exit" and status == 0, table.concat(pieces), status, how
end

return files
