-- The toy experiments of *Augmented Neural ODEs*: what they train, what they leave, what is drawn from it.
local check = require "check"
local tide = require "tide"
local files = require "tide.files"

local tests = {}

local folder_of = "experiments/anode/"
local here = files.exists(folder_of .. "toy_models.lua")

local function in_checkout(test)
  return function()
    if not here then return "skip: not in a checkout" end
    return test(dofile(folder_of .. "toy_models.lua"))
  end
end

tests["groups: 84 settings x 3 folds x 2 dimensions; 20 seeds x 3 data sets x 4 models; no name twice"] =
  in_checkout(function(models)
    assert(#models.groups.search() == 84 * 3 * 2 and #models.groups.curves(20) == 240)
    local seen, settings = {}, {}
    for _, s in ipairs(models.groups.search()) do
      local name = models.name(s)
      assert(not seen[name], name)
      seen[name], s.fold, s.task = true, 0, "spheres2"
      settings[models.config(s)] = true
    end
    local n = 0
    for _ in pairs(settings) do n = n + 1 end
    assert(n == 84, n)
  end)

tests["folds and the slice cut the points in two, without loss"] = in_checkout(function(models)
  local held = 0
  for fold = 1, 3 do
    local train, validation = models.data(models.settings{fold = fold})
    assert(#train.x == 2000 and #validation.x == 1000)
    held = held + validation.x:sum():item()
  end
  check.near(held, tide.data.spheres{}.x:sum():item(), 1e-2)
  local train, slice = models.data(models.settings{slice = true})
  assert(#train.x + #slice.x == 3000 and #slice.x > 250 and #slice.x < 350)
  for _, x in ipairs(slice.x:totable()) do assert(x[2] >= 0 and math.atan(x[2], x[1]) <= math.pi / 5) end
end)

tests["without its last ReLU the ResNet can make features smaller; its first weights are the same"] =
  in_checkout(function(models)
    local x = models.data(models.settings{}).x
    local published = models.model(models.settings{model = "ResNet"})
    local linear = models.model(models.settings{model = "ResNet-linear"})
    assert((published:features(x) - x):ge(0):all():item() == 1)
    assert((linear:features(x) - x):ge(0):all():item() == 0)
    assert(published.blocks[1][1].weight:eq(linear.blocks[1][1].weight):all():item() == 1)
  end)

tests["a cell leaves a row per epoch, its settings, the loss of what was left out"] = in_checkout(function()
  check.in_folder(function(folder)
    local command = {"./tide", folder_of .. "toy_cell.lua", "--epochs=1", "--slice=true", "--out",
      folder .. "/cell.csv"}
    assert(files.run(command))
    local cell = tide.csv.read(folder .. "/cell.csv")
    assert(cell.rows == 1 and cell:column("validation")[1] > 0 and cell:column("bend")[1] >= 1)
    assert(table.concat(cell.comments, "\n"):find("config: task=spheres2 model=NODE seed=1 epochs=1", 1,
      true))
  end)
end)

tests["all figures are drawn from the committed results"] = in_checkout(function()
  check.in_folder(function(folder)
    local print_before = print
    rawset(_G, "print", function() end)
    local back <close> = setmetatable({}, {__close = function() -- luacheck: ignore back
      rawset(_G, "print", print_before)
    end})
    local paths = assert(loadfile("plots/anode/figures.lua"))("2", "3", "4", "6", "9", "15", "16", "20", "25",
      "--out=" .. folder)
    assert(#paths == 9)
    for _, path in ipairs(paths) do assert(files.exists(path), path) end
  end)
end)

return tests
