--- Get a real data set: `tide data/fetch.lua NAME [FOLDER]` downloads its files with curl, or, given a
-- folder, imports them from there (as they are, or packed: FILE.gz, FILE.xz). Either way every file is
-- checked against its md5 before it appears under its name. Target: TIDE_DATA/NAME, else the XDG data folder.

local core = require "tide.core"
local data = require "tide.data"
local files = require "tide.files"
local options = require "tide.options"

local sets = {
  mnist = {
    licence = "CC BY-SA 3.0 (Y. LeCun, C. Cortes)",
    mirrors = {"https://ossci-datasets.s3.amazonaws.com/mnist/",
      "https://storage.googleapis.com/cvdf-datasets/mnist/"},
    files = {
      {"train-images-idx3-ubyte.gz", "f68b3c2dcbeaaa9fbdd348bbdeb94873"},
      {"train-labels-idx1-ubyte.gz", "d53e105ee54ea40749a09fcbcd1e9432"},
      {"t10k-images-idx3-ubyte.gz", "9fb629c4189551a2d022fa330f9573f3"},
      {"t10k-labels-idx1-ubyte.gz", "ec29112dd5afa0611ce80d1b7f02629c"},
    },
  },
  cifar10 = {
    licence = "none stated (A. Krizhevsky, V. Nair, G. Hinton)",
    mirrors = {"https://www.cs.toronto.edu/~kriz/"}, archive = "cifar-10-binary.tar.gz",
    inside = "cifar-10-batches-bin/",
    files = {
      {"data_batch_1.bin", "5dd7e06a14cb22eb9f671a540d1b7c25"},
      {"data_batch_2.bin", "5ea93a67294ea407fff1d09f752e9692"},
      {"data_batch_3.bin", "942cd6a4bcdd0dd3c604fbe906cb4421"},
      {"data_batch_4.bin", "ae636b3ba5c66a11e91e8cb52e771fcb"},
      {"data_batch_5.bin", "53f37980c15c3d472c316c40844f3f0d"},
      {"test_batch.bin", "803d5f7f4d78ea53de84dbe85f74fb6d"},
    },
  },
}

local function md5(path)
  local _, output = files.run{"md5sum", path}
  return output:match("^\\?(%x+)")
end

-- Programs by their list of arguments; their own words go to the terminal.
local function succeeds(argv, output)
  local ok, _, status = files.run(argv, {output = output, show_errors = true})
  if status == 127 then io.stderr:write(argv[1], " is not installed\n") end
  return ok
end

-- A file of a folder, packed or not, as `part`.
local function import(folder, name, part)
  for ending, command in pairs{[""] = {"cat"}, [".gz"] = {"gzip", "-dc"}, [".xz"] = {"xz", "-dc"}} do
    local path = folder .. "/" .. name .. ending
    table.insert(command, "--")
    table.insert(command, path)
    if core.exists(path) then return succeeds(command, part) end
  end
end

local function download(set, name, part)
  for _, mirror in ipairs(set.mirrors) do
    if succeeds{"curl", "-fL", "--retry", "3", "-o", part, mirror .. name} then return true end
  end
end

-- An archive is downloaded once, beside the files that are taken out of it.
local function obtain(set, name, part, folder)
  if folder then return import(folder, name, part) end
  if not set.archive then return download(set, name, part) end
  local archive = part:match("^(.*/)") .. set.archive
  if not core.exists(archive) then
    if not download(set, set.archive, archive .. ".part") then
      os.remove(archive .. ".part")
      return nil
    end
    assert(os.rename(archive .. ".part", archive))
  end
  return succeeds({"tar", "-xzO", "--file=" .. archive, "--", set.inside .. name}, part)
end

local name, folder = arg[1], arg[2]
local set = sets[name]
if not set then
  io.stderr:write("usage: tide data/fetch.lua NAME [FOLDER]   (NAME: "
    .. table.concat(options.sorted_keys(sets), ", ") .. ")\n")
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
      io.stderr:write(("%s could not be %s, or its md5 is not %s\n"):format(file[1], folder
        and "imported from " .. folder or "downloaded", file[2]))
      os.exit(3)
    end
    assert(os.rename(part, path))
    print("got   " .. path)
  end
end
if set.archive then os.remove(target .. "/" .. set.archive) end
print(("%s is in %s; licence: %s"):format(name, target, set.licence))
