-- experiments/anode/images*.lua: counts of the paper, a run that is cut off and goes on, what the list of
-- runs says and collects.
local check = require "check"
local tide = require "tide"
local files = require "tide.files"
local folder = "experiments/anode/"

local tests = {}
if not tide.core.exists(folder .. "images.lua") then
  return {["experiments"] = function() return "skip: not in a checkout" end}
end
local images = dofile(folder .. "images_settings.lua")

-- Appendix F.2.2; Tiny ImageNet's with ten classes, as published.
tests["as many values as the paper says"] = function()
  local image = {mnist = {1, 28, 28}, cifar10 = {3, 32, 32}, svhn = {3, 32, 32}, tiny_imagenet = {3, 64, 64}}
  local counts = {
    mnist = {84395, 84816}, cifar10 = {172358, 171799}, svhn = {172358, 171799}, tiny_imagenet = {366269,
      365714},
  }
  for data, shape in pairs(image) do
    for i, name in ipairs{"node", "anode"} do
      local stated = images.stated[data][name]
      local count = tide.nn.count(tide.nn.conv_odenet{image = shape, filters = stated[1],
        augment = stated[2]})
      assert(count == counts[data][i], ("%s %s: %d"):format(data, name, count))
    end
  end
  local thin = {{"mnist", 73, 0, 56104}, {"mnist", 32, 5, 56720}, {"cifar10", 111, 0, 142510}, {"cifar10",
    32, 10, 143255}}
  for _, net in ipairs(thin) do
    assert(tide.nn.count(tide.nn.conv_odenet{image = image[net[1]], filters = net[2],
      augment = net[3]}) == net[4])
  end
end

tests["a run's name and command words say what is no default"] = function()
  local s = images.settings{filters = 16, augment = 0, pictures = 1000, ["weight-decay"] = 1e-3, seed = 2}
  assert(images.name(s) == "mnist-k16-p0-n1000-wd0.001-s2")
  local words = " " .. table.concat(images.words(s), " ") .. " "
  for _, word in ipairs{" --filters 16 ", " --augment 0 ", " --pictures 1000 ", " --weight-decay 0.001 ",
    " --seed 2 "} do
    assert(words:find(word, 1, true), words)
  end
  assert(not words:find("batch", 1, true)
    and images.config(s) ~= images.config(images.settings{filters = 16}))
end

local function run(script, words, log)
  return os.execute(("TIDE_QUIET=1 ./tide %s%s.lua %s >%s 2>&1"):format(folder, script, words, log)) == true
end

local function same(a, b, names)
  assert(a.rows == b.rows and a.rows > 0, a.rows .. " and " .. b.rows)
  for _, name in ipairs(names) do
    for i, v in ipairs(a.columns[name]) do
      assert(b.columns[name][i] == v, ("%s, row %d: %s, %s"):format(name, i, v, b.columns[name][i]))
    end
  end
end

tests["a run goes on with the same bits, longer or after it was cut off"] = function()
  if not tide.core.exists("./tide") then return "skip: ./tide is not built" end
  check.in_folder(function(out)
    check.make_mnist(out .. "/mnist", 40, 20)
    local words = ("--dir %s/mnist --filters 3 --augment 1 --batch 15 --test-every 2 --lr 0.01 "):format(out)
    local function go(name, more)
      return run("images", ("%s%s --out %s/%s"):format(words, more, out, name), out .. "/log")
    end
    assert(go("whole", "--epochs 3"), files.read(out .. "/log"))
    assert(go("longer", "--epochs 1") and go("longer", "--epochs 3"))
    -- A folder stands where the test table is to be: the run ends by an error once it has trained 5
    -- iterations.
    assert(files.make_folder(out .. "/cut/test.csv"))
    assert(not go("cut", "--iterations 5") and os.remove(out .. "/cut/test.csv") and go("cut", "--epochs 3"))
    for _, name in ipairs{"longer", "cut"} do
      same(tide.csv.read(out .. "/whole/train.csv"), tide.csv.read(("%s/%s/train.csv"):format(out, name)),
        {"iteration", "epoch", "loss", "accuracy", "nfe_forward", "nfe_backward"})
    end
    local test = tide.csv.read(out .. "/whole/test.csv")
    for _, name in ipairs{"longer", "cut"} do
      same(test, tide.csv.read(("%s/%s/test.csv"):format(out, name)), test.names)
    end
    assert(test.rows == 5 and test.columns.iteration[5] == 9) -- every 2 and the last
    assert(not go("whole", "--epochs 3 --seed 2"))
    assert(files.read(out .. "/log"):find("belongs to another training", 1, true))
    -- A solve that needs too many steps is a result.
    assert(go("steps", "--max-steps 1"))
    assert(table.concat(tide.csv.read(out .. "/steps/train.csv").comments,
      "\n"):find("status: failed: iteration 1.*max_steps"))
  end)
end

tests["the list of runs says what is missing and collects what is there"] = function()
  if not tide.core.exists("./tide") then return "skip: ./tide is not built" end
  check.in_folder(function(out)
    local words = ("--only mnist-k16-p5-n1000-s1 --runs %s/runs --out %s/results"):format(out, out)
    assert(run("images_runs", words .. " --list", out .. "/log"), files.read(out .. "/log"))
    local said = files.read(out .. "/log")
    assert(said:find("mnist%-k16%-p5%-n1000%-s1 +500 +0 of 2000 +missing") and not said:find("cifar"), said)
    check.make_mnist(out .. "/mnist", 40, 20)
    local settings = "--filters 16 --pictures 1000 --test-every 100 --iterations 2"
    assert(run("images", ("%s --dir %s/mnist --out %s/runs/mnist-k16-p5-n1000-s1"):format(settings, out,
      out), out .. "/log"))
    assert(run("images_runs", words .. " --collect", out .. "/log"), files.read(out .. "/log"))
    local runs = tide.csv.read(out .. "/results/images-runs.csv")
    local train = tide.csv.read(out .. "/results/images-train.csv")
    local want = {values = 49584, field = 2534, iterations = 2, of = 2000, pictures_used = 40,
      status = "complete"}
    assert(runs.rows == 1)
    for name, value in pairs(want) do assert(runs.columns[name][1] == value, name) end
    local own = tide.csv.read(out .. "/runs/mnist-k16-p5-n1000-s1/train.csv").columns.loss
    check.near((own[1] + own[2]) / 2, train.columns.loss[1], 1e-5)
    assert(train.rows == 1 and train.columns.loss_max[1] >= train.columns.loss[1])
    -- Where the folders of the runs are gone, what was collected stays; what goes further replaces it.
    local function collect(runs_folder)
      assert(run("images_runs", ("--collect --only mnist-k16 --runs %s/%s --out %s/results"):format(out,
        runs_folder, out), out .. "/log"), files.read(out .. "/log"))
      local tables = {}
      for _, kind in ipairs{"runs", "train", "test"} do
        tables[kind] = tide.csv.read(("%s/results/images-%s.csv"):format(out, kind))
      end
      return tables
    end
    local first = collect("runs")
    for kind, again in pairs(collect("elsewhere")) do same(first[kind], again, again.names) end
    settings = settings:gsub("iterations 2", "iterations 3")
    assert(run("images", ("%s --dir %s/mnist --out %s/more/mnist-k16-p5-n1000-s1"):format(settings, out,
      out), out .. "/log"))
    local more = collect("more")
    assert(more.runs.rows == 1 and more.runs.columns.iterations[1] == 3 and more.train.rows == 1)
    assert(collect("runs").runs.columns.iterations[1] == 3)
    assert(run("images_runs", "--only no-such-run --list", out .. "/log") == false)
  end)
end

-- Two seeds of two nets, three points each, and one test.
local function make_tables(out)
  local runs, train, test = {}, {}, {}
  for _, p in ipairs{0, 5} do
    for seed = 1, 2 do
      local common = {"mnist", 32, p, 0, 0, seed}
      local function add(list, ...)
        list[#list + 1] = table.move({...}, 1, select("#", ...), 7, table.move(common, 1, 6, 1, {}))
      end
      add(runs, 17195, 9345, 60000, seed == 1 and 470 or 3, 470, "complete", 0.1, 0.5, 20, 20, 0.4, 0.9,
        "tide x", "abc")
      for i = 1, 3 do add(train, i, i / 235, 2 / i, 2.5 / i, 0.3 * i, 20 + i, 26, 20, 26, 1) end
      add(test, 3, 3 / 235, 0.4, 0.9, 20)
    end
  end
  local function put(name, text, rows)
    local columns = {"data", "filters", "augment", "weight_decay", "pictures", "seed"}
    for word in text:gmatch("%S+") do columns[#columns + 1] = word end
    tide.csv.write(("%s/images-%s.csv"):format(out, name), columns, rows)
  end
  put("runs", "values field pictures_used iterations of status cpu_hours loss nfe_forward nfe_backward "
    .. "test_loss test_accuracy command commit", runs)
  put("train", "iteration epoch loss loss_max accuracy nfe_forward nfe_forward_max nfe_backward "
    .. "nfe_backward_max cpu", train)
  put("test", "iteration epoch loss accuracy nfe", test)
end

tests["figures are drawn from what there is, and say which command makes the rest"] = function()
  if not tide.core.exists("./tide") then return "skip: ./tide is not built" end
  if not require("tide.files").run{"gnuplot", "--version"} then return "skip: gnuplot is not installed" end
  check.in_folder(function(out)
    make_tables(out)
    local function draw(what)
      local line = "./tide plots/anode/figures.lua %s --results %s --out %s/figures >%s/log 2>&1"
      return os.execute(line:format(what, out, out, out)) == true, files.read(out .. "/log")
    end
    local ok, said = draw("10")
    assert(ok and tide.core.exists(out .. "/figures/figure10.png"), said)
    local script = files.read(out .. "/figures/figure10.gp")
    for _, words in ipairs{"p = 0, 32 filters, seeds 1 2, 3 of 470 so far",
      "MNIST, 60000 pictures, epochs: 2"} do
      assert(script:find(words, 1, true), words)
    end
    ok, said = draw("14")
    assert(not ok and said:find("images/tiny_imagenet-* is not there; this makes it", 1, true), said)
    ok, said = draw("all")
    assert(ok and said:find("22 is not drawn", 1, true) and tide.core.exists(out
      .. "/figures/images-table1.csv"), said)
    ok, said = draw("99")
    assert(not ok and said:find("there is no figure 99", 1, true))
  end)
end

return tests
