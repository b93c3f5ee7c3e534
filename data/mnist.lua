--- MNIST from its four idx files (gzip or not), in the folder `dir`, else TIDE_DATA/mnist. x: float32
-- N,1,28,28 in [0, 1]; y: digit + 1, int64.

local core = require "tide.core"
local options = require "tide.options"

local spec = {split = {"string", default = "train", check = options.one_of{"train", "test"}},
  dir = {"string"}, n = {"integer", check = options.at_least(1)}}

local function find(folder, stem)
  for _, name in ipairs{folder .. "/" .. stem .. ".gz", folder .. "/" .. stem} do
    local file = io.open(name, "rb")
    if file then
      file:close()
      return name
    end
  end
  core.raise(("data.mnist: %s/%s[.gz] was not found; get the files with `tide data/fetch.lua mnist`, or "
    .. "point TIDE_DATA at the folder that holds mnist/")
    :format(folder, stem))
end

local function expect(what, path, shape, ...)
  local wanted = {...}
  for i, n in ipairs(wanted) do
    if #shape ~= #wanted or n and shape[i] ~= n then
      core.raise(("data.mnist: %s holds %s of shape {%s}; it is not MNIST"):format(path, what,
        table.concat(shape, ", ")))
    end
  end
end

return {
  mnist = function(opts)
    local o = options.check("data.mnist", opts, spec)
    local folder = require("tide.data").folder("mnist", o.dir)
    local prefix = o.split == "train" and "train" or "t10k"
    local image_path, label_path = find(folder, prefix .. "-images-idx3-ubyte"),
      find(folder, prefix .. "-labels-idx1-ubyte")
    local images, labels = core.read_idx(image_path), core.read_idx(label_path)
    expect("images", image_path, images:shape(), false, 28, 28)
    expect("labels", label_path, labels:shape(), #images)
    if images:dtype() ~= "uint8" or labels:dtype() ~= "uint8" or #images == 0 then
      core.raise((
        "data.mnist: %s and its labels must hold bytes, and one picture or more; it is not MNIST"):format(
        image_path))
    end
    if o.n then
      images, labels = images:slice(1, 1, math.min(o.n, #images)), labels:slice(1, 1, math.min(o.n, #labels))
    end
    local y = labels:to("int64") + 1
    if y:min():item() < 1 or y:max():item() > 10 then
      core.raise(("data.mnist: %s holds labels outside 0..9"):format(label_path))
    end
    return {x = images:to("float32"):reshape{#images, 1, 28, 28} * (1 / 255), y = y}
  end,
}
