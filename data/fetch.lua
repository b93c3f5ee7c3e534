--- Get a real data set: `tide data/fetch.lua mnist [FOLDER]` downloads its files with curl, or, given a folder, imports them from there.
-- Either way every file is checked against its md5 before it appears under its name. Target: TIDE_DATA/NAME, else the XDG data folder.

local core = require "tide.core"
local data = require "tide.data"
local files = require "tide.files"

local sets = {
  mnist = {
    licence = "CC BY-SA 3.0 (Y. LeCun, C. Cortes)",
    mirrors = {"https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/"},
    files = {
      {"train-images-idx3-ubyte.gz", "f68b3c2dcbeaaa9fbdd348bbdeb94873"}, {"train-labels-idx1-ubyte.gz", "d53e105ee54ea40749a09fcbcd1e9432"},
      {"t10k-images-idx3-ubyte.gz", "9fb629c4189551a2d022fa330f9573f3"}, {"t10k-labels-idx1-ubyte.gz", "ec29112dd5afa0611ce80d1b7f02629c"},
    },
  },
}

local function md5(path)
  local pipe = assert(io.popen("md5sum " .. files.quote(path)))
  local sum = pipe:read("a"):match("^\\?(%x+)")
  pipe:close()
  return sum
end

local function obtain(set, name, part, folder)
  if folder then return os.execute(("cp %s %s"):format(files.quote(folder .. "/" .. name), files.quote(part))) end
  for _, mirror in ipairs(set.mirrors) do
    if os.execute(("curl -fL --retry 3 -o %s %s"):format(files.quote(part), files.quote(mirror .. name))) then return true end
  end
end

local name, folder = arg[1], arg[2]
local set = sets[name]
if not set then
  io.stderr:write("usage: tide data/fetch.lua NAME [FOLDER]   (NAME: " .. table.concat({"mnist"}, ", ") .. ")\n")
  os.exit(2)
end
local target = data.folder(name)
assert(core.mkdir(target))
for _, file in ipairs(set.files) do
  local path = target .. "/" .. file[1]
  if core.exists(path) and md5(path) == file[2] then
    print("have  " .. path)
  else
    local part = path .. ".part"
    local ok = obtain(set, file[1], part, folder)
    if not ok or md5(part) ~= file[2] then
      os.remove(part)
      io.stderr:write(("%s could not be %s, or its md5 is not %s\n"):format(file[1], folder and "imported from " .. folder or "downloaded", file[2]))
      os.exit(3)
    end
    assert(os.rename(part, path))
    print("got   " .. path)
  end
end
print(("%s is in %s; licence: %s"):format(name, target, set.licence))
