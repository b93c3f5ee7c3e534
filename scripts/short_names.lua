--- For stock Lua, which knows no rooms: a file of one line in FOLDER for each short name of a module
-- (tide/names.lua), so that `require "tide.csv"` finds tide.lab.csv. `./tide scripts/short_names.lua FOLDER`;
-- used by `make env` and `make install`.

local files = require "tide.base.files"

local folder = assert(arg[1], "usage: ./tide scripts/short_names.lua FOLDER")
for name, module in pairs(require "tide.names") do
  local path = files.join(folder, name:gsub("%.", "/") .. ".lua")
  files.make_folder(files.split(path))
  files.write(path, ('return require "%s"\n'):format(module))
end
