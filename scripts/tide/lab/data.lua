--- Data sets. Each lives in a file of its own in the folder data/ of the project (a generator or a reader)
-- that returns a table {name = function(options) -> {x = tensor, y = tensor}, ...}; it is loaded when one of
-- its names is first used.

local core = require "tide.core"
local options = require "tide.base.options"
local samples = require "tide.base.samples"
local show = require "tide.base.show"

local M = {split = samples.split, batches = samples.batches}

-- Which file makes which data set: the one list; adding a data set is one line here and one file.
local files = {
  spheres = "spheres", flip1d = "flip1d", sines = "sines", three_spheres = "three_spheres",
  landscape = "landscape", moons = "planar", circles = "planar", eight_gaussians = "planar",
  pinwheel = "planar", checkerboard = "planar", spirals = "planar", irregular_sines = "series",
  pendulum = "series", mnist = "mnist",
  cifar10 = "cifar10", svhn = "svhn", tiny_imagenet = "tiny_imagenet",
}

-- In a checkout the files are in ROOT/data, installed they are in a folder of the library.
local here = debug.getinfo(1, "S").source:match("^@(.*)lab/data%.lua$") or ""
local folders = {here .. "../../data/", here .. "data/"}
for _, folder in ipairs(folders) do core.library_root(folder) end

local function load_file(stem)
  for _, folder in ipairs(folders) do
    local chunk = loadfile(folder .. stem .. ".lua", "t")
    if chunk then return chunk() end
  end
  core.raise(("tide.data: the file data/%s.lua was not found beside the library; reinstall Tide"):format(
    stem))
end

--- Names of all data sets.
function M.names() return options.sorted_keys(files) end

--- Folder of real data set `name`: option dir, else TIDE_DATA/name, else $XDG_DATA_HOME/tide/datasets/name.
function M.folder(name, dir)
  if type(name) ~= "string" then
    core.raise("data.folder: name must be a string, got " .. options.show(name))
  end
  if dir then return dir end
  local root = os.getenv("TIDE_DATA")
  if not root or root == "" then
    root = (os.getenv("XDG_DATA_HOME") or (os.getenv("HOME") or ".") .. "/.local/share") .. "/tide/datasets"
  end
  return root .. "/" .. name
end

setmetatable(M, {__index = function(t, name)
  local stem = files[name]
  if not stem then
    if type(name) == "string" and not name:match("^_") then
      core.raise("tide.data: " .. options.unknown("data set", name, options.sorted_keys(files)))
    end
    return nil
  end
  for key, make in pairs(load_file(stem)) do
    rawset(t, key, function(...) return show.plainly(make(...)) end)
  end
  return rawget(t, name)
end, names = files})

return M
