--- Where modules come from under the program `tide`. bindings/launcher.c runs this file first, by its full
-- path, with the folder that holds tide/*.lua and the one that holds tide/core.so, both known from where the
-- program lies.
--
-- `tide` and `tide.*` come from there and from nowhere else: not from the working directory, LUA_PATH or a
-- package.path that changed since. Everything else is found as usual, by package.path (our folder, then
-- LUA_PATH_5_4 or LUA_PATH, else Lua's default) and package.cpath (Lua's default without the working
-- directory; LUA_CPATH and LUA_INIT are not read: what they name would run before anything could be checked).
-- Files are loaded as text only. Nobody has checked bytecode, and what is damaged or made up can crash Lua.

local scripts, libraries = ...
local loadfile, loadlib, searchpath = loadfile, package.loadlib, package.searchpath

-- A chunk of text; nil and a message that says why bytecode is refused.
local function load_text(path, ...)
  local chunk, message = loadfile(path, "t", ...)
  if chunk then return chunk end
  if message:find("attempt to load a binary chunk", 1, true) then
    message = ("%s is Lua bytecode; tide loads Lua text only, since damaged bytecode can crash it: use the "
      .. "source"):format(path or "standard input")
  end
  return nil, message
end

local names = assert(loadfile(scripts .. "/tide/names.lua", "t"))()

local function load_own(name)
  if name == "tide.core" then
    local path = libraries .. "/tide/core.so"
    local open, message = loadlib(path, "luaopen_tide_core")
    if not open then
      error(("error loading module '%s' from file '%s':\n\t%s"):format(name, path, message), 0)
    end
    return open, path
  end
  local place = not name:find("[^%w_.]") and not name:find("..", 1, true)
    and scripts .. "/" .. name:gsub("%.", "/")
  for _, path in ipairs(place and {place .. ".lua", place .. "/init.lua"} or {}) do
    local chunk, message = load_text(path)
    if chunk then return chunk, path end
    if not message:find("^cannot open ") then
      error(("error loading module '%s':\n\t%s"):format(name, message), 0)
    end
  end
  local new = names[name:match("^tide%.(.*)$")]
  if new then return function() return require(new) end, new end
  error(("module '%s' not found: modules named tide.* are part of Tide and come from %s/tide alone"):format(
    name, scripts), 0)
end

-- After package.preload, which a script fills itself, and before any path.
local function search_own(name)
  if name == "tide" or name:find("^tide%.") then return load_own(name) end
  return nil
end

-- Lua's own search for modules of the user, for text only.
local function search_path(name)
  local path, message = searchpath(name, package.path)
  if not path then return message end
  local chunk, problem = load_text(path)
  if not chunk then
    error(("error loading module '%s' from file '%s':\n\t%s"):format(name, path, problem), 0)
  end
  return chunk, path
end

package.searchers[2] = search_path
table.insert(package.searchers, 2, search_own)

local given = os.getenv("LUA_PATH_5_4") or os.getenv("LUA_PATH")
local default = package.path -- of the build: the launcher sets LUA_NOENV
local user = given and given:gsub(";;", function() return ";" .. default .. ";" end) or default
package.path = ("%s/?.lua;%s/?/init.lua;"):format(scripts, scripts) .. user
package.cpath = libraries .. "/?.so;" .. package.cpath:gsub(";?%./%?%.so", "")

-- loadfile and dofile take text unless the caller names another mode.
function _G.loadfile(path, mode, ...)
  if mode ~= nil then return loadfile(path, mode, ...) end
  return load_text(path, ...)
end

function _G.dofile(path)
  local chunk, message = load_text(path)
  if not chunk then error(message, 0) end
  return chunk()
end
