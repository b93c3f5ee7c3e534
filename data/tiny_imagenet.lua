--- Tiny ImageNet (Stanford CS231n): 64 x 64 JPEG pictures of up to 200 classes, in the folder `dir`, else
-- TIDE_DATA/tiny-imagenet-200. x: float32 N,3,64,64 in [0, 1], grey pictures three times the same; y: the
-- place of the class in wnids.txt, int64.
--
-- Layout: train/CLASS/images/*.JPEG; val/images/*.JPEG with val/val_annotations.txt, a line "file, class,
-- box" each (the pictures of test/ have no labels, so split "test" is val/). Classes of wnids.txt without a
-- folder are left out, a part of the data set is fine. Pictures come in the order of their names; n takes as
-- many of each class as of any other, or one more.

local core = require "tide.core"
local options = require "tide.options"
local tensor = require "tide.tensor"

local SIDE = 64

local spec = {
  split = {"string", default = "train", check = options.one_of{"train", "test"}}, dir = {"string"},
  n = {"integer", check = options.at_least(1)},
}

local function raise(...) core.raise("data.tiny_imagenet: " .. (...):format(select(2, ...))) end

local function lines_of(path)
  local bytes = core.exists(path) and io.open(path, "rb") or nil
  if not bytes then
    raise("%s was not found; get http://cs231n.stanford.edu/tiny-imagenet-200.zip, or point TIDE_DATA at the "
      .. "folder that holds tiny-imagenet-200/", path)
  end
  local text, list = bytes:read("a"), {}
  bytes:close()
  for line in text:gmatch("[^\r\n]+") do list[#list + 1] = line end
  if #list == 0 then raise("%s is empty", path) end
  return list
end

-- {path of a picture, class number} of the classes that are there, one of each class in turn.
local function interleaved(by_class)
  local list, longest = {}, 0
  for _, paths in ipairs(by_class) do longest = math.max(longest, #paths) end
  for i = 1, longest do
    for _, paths in ipairs(by_class) do
      if paths[i] then list[#list + 1] = {paths[i], paths.class} end
    end
  end
  return list
end

local function training(folder, classes)
  local by_class = {}
  for class, name in ipairs(classes) do
    local images = ("%s/train/%s/images"):format(folder, name)
    local names = core.exists(images) and core.listdir(images) or {}
    local paths = {class = class}
    table.sort(names)
    for _, file in ipairs(names) do if file:lower():find("%.jpe?g$") then paths[#paths + 1] = images .. "/"
      .. file end end
    by_class[#by_class + 1] = #paths > 0 and paths or nil
  end
  if #by_class == 0 then raise("%s/train holds no pictures of the classes of wnids.txt", folder) end
  return interleaved(by_class)
end

local function validation(folder, classes)
  local by_class, of = {}, {}
  for class, name in ipairs(classes) do
    by_class[class] = {class = class}
    of[name] = by_class[class]
  end
  local path = folder .. "/val/val_annotations.txt"
  for i, line in ipairs(lines_of(path)) do
    local file, name = line:match("^([^\t/]+)\t([^\t]+)")
    if not file then
      raise("%s, line %d: a file name and a class are expected, got %s", path, i, options.show(line))
    end
    local paths = of[name]
    if paths then paths[#paths + 1] = ("%s/val/images/%s"):format(folder, file) end
  end
  local list = interleaved(by_class)
  if #list == 0 then raise("%s names no pictures of the classes of wnids.txt", path) end
  return list
end

-- 3,64,64 bytes.
local function read(path)
  local x = core.load(path)
  local shape = x:shape()
  if shape[2] ~= SIDE or shape[3] ~= SIDE then
    raise("%s has %d x %d pixels, not 64 x 64", path, shape[3], shape[2])
  end
  return shape[1] == 3 and x or tensor.cat({x, x, x}, 1)
end

return {
  tiny_imagenet = function(opts)
    local o = options.check("data.tiny_imagenet", opts, spec)
    local folder = require("tide.data").folder("tiny-imagenet-200", o.dir)
    local list = (o.split == "train" and training or validation)(folder, lines_of(folder .. "/wnids.txt"))
    local pictures, y = {}, {}
    for i = 1, math.min(o.n or #list, #list) do pictures[i], y[i] = read(list[i][1]), list[i][2] end
    return {x = tensor.stack(pictures):to("float32") * (1 / 255), y = core.tensor_from(y, "int64")}
  end,
}
