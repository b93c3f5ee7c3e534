--- What the prompt prints of a value: base/show.lua, with what help knows of functions and modules.

local show = require "tide.base.show"

local pretty = {keys = show.keys}

-- A function by itself: its entry in help, else where it comes from.
local function whole_function(f)
  local help = require "tide.prompt.help"
  local entry = help.find(f)
  if entry then return "function " .. help.signature(entry) end
  local info = debug.getinfo(f, "S")
  if info.what == "C" then return tostring(f) end
  return ("%s, defined at %s:%d"):format(show.signature(f), info.short_src, info.linedefined)
end

--- Text of a value; `width` is the number of columns (default 80). A string on its own is shown as it is.
function pretty.show(v, width)
  if type(v) == "function" then return whole_function(v) end
  local help = package.loaded["tide.prompt.help"]
  return help and help.module_line(v, width or 80) or show.value(v, width)
end

return pretty
