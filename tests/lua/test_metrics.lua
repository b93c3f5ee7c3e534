-- tide.metrics: what scikit-learn gives, and what counting by hand gives; what is refused.
local check = require "check"
local tide = require "tide"
local metrics = tide.metrics

local I64, F64 = {dtype = "int64"}, {dtype = "float64"}
local y = tide.tensor({1, 2, 3, 3, 1, 2, 4, 4, 1, 3}, I64)
local p = tide.tensor({1, 2, 1, 3, 1, 3, 4, 2, 2, 3}, I64)
local beyond = tide.tensor({1, 2, 1, 3, 1, 3, 5, 2, 2, 3}, I64) -- a class that is never there
local logits = tide.one_hot(p, 4, F64) * 2 + tide.rand({10, 4}, {seed = 1, dtype = "float64"})

local function all_near(got, want)
  for i, v in ipairs(got:totable()) do check.near(v, want[i]) end
  assert(#got == #want)
end

local tests = {}

tests["accuracy: logits, labels, -1/+1, further axes, recorded"] = function()
  check.near(metrics.accuracy(p, y), 0.6)
  check.near(metrics.accuracy(logits, y), 0.6)
  local signs = tide.tensor{{1}, {-1}, {1}, {-1}}
  check.near(metrics.accuracy(tide.tensor{{0.3}, {-2}, {-0.1}, {0}}, signs), 0.75)
  local image = logits:reshape{2, 5, 4}:permute{1, 3, 2}
  check.near(metrics.accuracy(image, y:reshape{2, 5}), 0.6)
  check.near(metrics.top_k(image, y:reshape{2, 5}, 1), 0.6)
  local recorded = tide.compile(function(a, b) return metrics.accuracy(a, b), metrics.f1(a, b) end)
  local accuracy, f1 = recorded(logits, y)
  check.near(accuracy:item(), 0.6)
  check.near(f1:item(), metrics.f1(logits, y))
end

tests["a loss may name a metric as a column"] = function()
  local model = tide.nn.linear(4, 4, {seed = 1, dtype = "float64"})
  local history = tide.train{model = model, data = {x = logits, y = y}, optimizer = "adam", epochs = 1,
    batch = 10, quiet = true, loss = function(m, b)
      local out = m(b.x)
      return tide.cross_entropy(out, b.y), {top2 = metrics.top_k(out, b.y, 2)}
    end}
  assert(history.top2[1] >= 0 and history.top2[1] <= 1)
end

tests["top k counts ranks"] = function()
  local scores = tide.tensor{{4, 3, 2, 1}, {1, 2, 3, 4}, {1, 1, 1, 1}}
  local target = tide.tensor({2, 2, 4}, I64)
  for k, want in ipairs{1 / 3, 2 / 3, 1, 1} do check.near(metrics.top_k(scores, target, k), want) end
end

tests["the confusion matrix: rows are true classes"] = function()
  local report = metrics.confusion_matrix(p, y)
  local want = {{2, 1, 0, 0}, {0, 1, 1, 0}, {1, 0, 2, 0}, {0, 1, 0, 1}}
  for i, row in ipairs(report.counts:totable()) do
    for j, v in ipairs(row) do assert(v == want[i][j] and math.type(v) == "integer") end
  end
  check.near(report.accuracy, 0.6)
  local text = tostring(metrics.confusion_matrix(p, y, {names = {"cat", "dog", "owl", "fox"}}))
  assert(text:find("cat    2    1    0    0", 1, true) and text:find("accuracy 0.6000", 1, true), text)
  assert(metrics.confusion_matrix(p, y, {classes = 6}).counts:shape()[1] == 6)
  local script, data = report:figure():render("cm", "png")
  assert(script:find("predicted class", 1, true) and script:find("true class", 1, true))
  assert(data:find("\n1 4 0\n", 1, true) and data:find("\n2 4 0.5\n", 1, true), data) -- class 4, drawn below
  assert(select(2, report:figure{share = false}:render("cm", "png")):find("\n1 1 2\n", 1, true))
  assert(#metrics.confusion_matrix(tide.tensor{1, -1}, tide.tensor{1, 1}).names == 2)
end

-- numbers of scikit-learn 1.7
local golden = {
  {p, "macro", 0.6666666666666666, 0.5833333333333333, 0.6}, {p, "micro", 0.6, 0.6, 0.6},
  {p, "weighted", 0.6666666666666666, 0.6, 0.6133333333333333},
  {beyond, "macro", 0.3333333333333333, 0.3666666666666666, 0.3466666666666667},
  {beyond, "micro", 0.5, 0.5, 0.5}, {beyond, "weighted", 0.4666666666666666, 0.5, 0.48},
}
tests["precision, recall and F1 are those of scikit-learn"] = function()
  for _, row in ipairs(golden) do
    local opts = {average = row[2]}
    check.near(metrics.precision(row[1], y, opts), row[3])
    check.near(metrics.recall(row[1], y, opts), row[4])
    check.near(metrics.f1(row[1], y, opts), row[5])
  end
  all_near(metrics.precision(p, y, {average = "none"}), {2 / 3, 1 / 3, 2 / 3, 1})
  all_near(metrics.recall(p, y, {average = "none"}), {2 / 3, 0.5, 2 / 3, 0.5})
  all_near(metrics.precision(beyond, y, {average = "none", zero_division = 1, classes = 6}),
    {2 / 3, 1 / 3, 2 / 3, 1, 0, 1})
  check.near(metrics.precision(p, y), 0.6666666666666666)
end

tests["the positive class"] = function()
  local found, target = tide.tensor{1, 1, -1, -1, 1}, tide.tensor{1, -1, -1, 1, 1}
  check.near(metrics.precision(found, target), 2 / 3)
  check.near(metrics.recall(found, target, {positive = -1}), 1 / 2)
  check.near(metrics.f1(p, y, {positive = 3}), 2 / 3)
  local two = tide.tensor({1, 2, 2}, I64)
  check.near(metrics.recall(tide.tensor({2, 2, 1}, I64), two, {average = "binary"}), 0.5)
end

tests["errors of numbers"] = function()
  local target = tide.tensor({{0.5, 1}, {-1, 1.5}, {7, -6}}, F64)
  local found = tide.tensor({{0, 2}, {-1, 2}, {8, -5}}, F64)
  check.near(metrics.r2(found, target), 0.9507283726822023)
  check.near(metrics.mse(found, target), 0.5833333333333334)
  check.near(metrics.rmse(found, target), 0.5833333333333334 ^ 0.5)
  check.near(metrics.mae(found, target), 2 / 3)
  check.near(metrics.mse(found:to "float32", target), 0.5833333333333334)
end

tests["what is refused"] = function()
  local bad, nan = tide.rand{10}, tide.full({10, 4}, 0 / 0)
  local cases = {
    {"metrics.accuracy: the prediction must be a tensor, got 3", metrics.accuracy, 3, y},
    {"classes count from 1 to 4: add 1", metrics.accuracy, logits, y - 1},
    {"holds the class 5; classes count from 1 to 4", metrics.accuracy, logits, y + 1},
    {"p:gt(0.5)", metrics.accuracy, bad, y}, {"argmax(2)", metrics.accuracy, logits, logits},
    {"got {9} (int64) and {10} (int64)", metrics.accuracy, p:slice(1, 1, 9), y},
    {"the prediction holds nan", metrics.accuracy, nan, y},
    {"is empty", metrics.accuracy, tide.zeros{0, 3}, y},
    {"k must be an integer in 1..4", metrics.top_k, logits, y, 5},
    {"expected logits", metrics.top_k, p, y, 1},
    {"classes = 3, but there are 4", metrics.confusion_matrix, logits, y, {classes = 3}},
    {"classes count from 1 to 3", metrics.confusion_matrix, p, y, {classes = 3}},
    {"names has 1 entries for 4 classes", metrics.confusion_matrix, p, y, {names = {"a"}}},
    {"did you mean \"names\"", metrics.confusion_matrix, p, y, {name = {"a"}}},
    {"of 4 classes none is the positive one", metrics.f1, p, y, {average = "binary"}},
    {'positive is for average = "binary"', metrics.f1, p, y, {average = "macro", positive = 1}},
    {"positive must be in 1..4", metrics.f1, p, y, {positive = 0}},
    {"one shape, got {10, 1} and {10}", metrics.mse, tide.rand{10, 1}, bad},
    {"output 2 of the target is constant", metrics.r2, tide.rand{3, 2}, tide.tensor{{1, 2}, {2, 2}, {3, 2}}},
    {"of one sample", metrics.r2, tide.rand{1, 2}, tide.rand{1, 2}},
  }
  for _, case in ipairs(cases) do check.fails(table.unpack(case)) end
  check.fails("give classes = n", tide.compile(function(a, b) return metrics.f1(a, b) end), p, y)
  check.fails("not in a recording", tide.compile(function(a, b) return metrics.confusion_matrix(a, b) end), p,
    y)
  check.fails('unknown function "recal" (did you mean "recall"?)', function() return metrics.recal end)
  check.fails("with a colon", metrics.confusion_matrix(p, y).figure)
end

return tests
