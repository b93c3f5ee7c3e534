--- SVHN (Netzer et al. 2011), house numbers in the format of 32 x 32 pictures, from its MATLAB files in the
-- folder `dir`, else TIDE_DATA/svhn. x: float32 N,3,32,32 in [0, 1]; y: digit + 1, int64.
--
-- Files: train_32x32.mat and test_32x32.mat with X, uint8 of shape {32, 32, 3, N}, and y, {N, 1}, in which
-- 10 stands for the digit 0. A file is read whole before it is cut to n pictures.

local core = require "tide.core"
local options = require "tide.options"

local spec = {
  split = {"string", default = "train", check = options.one_of{"train", "test"}}, dir = {"string"},
  n = {"integer", check = options.at_least(1)},
}

local function refuse(path, why) core.raise(("data.svhn: %s %s; it is not SVHN"):format(path, why)) end

local function check(path, x, y)
  local shape = x:shape()
  local text = table.concat(shape, ", ")
  if x:dtype() ~= "uint8" or #shape ~= 4 or not text:find("^32, 32, 3, ") or shape[4] == 0 then
    refuse(path, ("holds X of shape {%s} (%s)"):format(text, x:dtype()))
  end
  if y:numel() ~= shape[4] then
    refuse(path, ("holds %d pictures and %d labels"):format(shape[4], y:numel()))
  end
  local labels = y:reshape{-1}:to("int64")
  if labels:min():item() < 1 or labels:max():item() > 10 then refuse(path, "holds labels outside 1..10") end
  return labels, shape[4]
end

return {
  svhn = function(opts)
    local o = options.check("data.svhn", opts, spec)
    local path = ("%s/%s_32x32.mat"):format(require("tide.data").folder("svhn", o.dir), o.split)
    if not core.exists(path) then
      core.raise(("data.svhn: %s was not found; get the file from http://ufldl.stanford.edu/housenumbers, or "
        .. "point TIDE_DATA at the folder that holds svhn/"):format(path))
    end
    local held = core.load(path, {names = {"X", "y"}})
    local labels, n = check(path, held.X, held.y)
    n = math.min(o.n or n, n)
    local x = held.X:slice(4, 1, n):permute{4, 3, 1, 2}:to("float32") * (1 / 255)
    local y = labels:slice(1, 1, n)
    return {x = x, y = y - y:eq(10):to("int64") * 10 + 1}
  end,
}
