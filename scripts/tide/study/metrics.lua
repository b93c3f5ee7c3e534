--- tide.metrics: how good predictions are, in numbers.
--
-- Predictions are logits {N, classes, ...} or class numbers, targets class numbers 1, 2, ... (int64), or both
-- are of one shape and the targets -1/+1: then the sign of a prediction counts. Results are Lua numbers, and
-- scalar tensors inside of a recording, so that a loss can name them as columns of a training.
--
-- Formulas and defaults of averages: scikit-learn (sklearn.metrics).

local core = require "tide.core"
local options = require "tide.base.options"
local plot = require "tide.plot"
local tensor = require "tide.tensor"
local tree = require "tide.base.tree"

local M = {}
local raise, is_tensor = core.raise, tree.is_tensor

local function shape_text(x) return ("{%s} (%s)"):format(table.concat(x:shape(), ", "), x:dtype()) end
local function is_float(x) return x:dtype() == "float32" or x:dtype() == "float64" end
local function same_shape(a, b) return table.concat(a:shape(), ",") == table.concat(b:shape(), ",") end

local recording = core.is_recording
local function number(x) return recording() and x or x:item() end

-- Both are tensors with numbers in them, all of them numbers indeed (which a recording cannot know).
local function check_pair(where, prediction, target)
  local given = {prediction = prediction, target = target}
  for _, name in ipairs{"prediction", "target"} do
    local x = given[name]
    if not is_tensor(x) then
      raise(("metrics.%s: the %s must be a tensor, got %s"):format(where, name, options.show(x)))
    end
    if x:numel() == 0 then
      raise(("metrics.%s: the %s is empty, {%s}; there is nothing to count"):format(where, name,
        table.concat(x:shape(), ", ")))
    end
    if is_float(x) and not recording() and x:ne(x):max():item() == 1 then
      raise(("metrics.%s: the %s holds nan"):format(where, name))
    end
  end
end

-- ---- classes ----

-- The shape of labels for these logits.
local function label_shape(logits)
  local shape = logits:shape()
  return table.move(shape, 3, #shape, 2, {shape[1]})
end

local function refuse(where, prediction, target)
  local got = (", got %s and %s"):format(shape_text(prediction), shape_text(target))
  local hint = ""
  if is_float(target) then
    hint = '; class numbers 1, 2, ... are int64: y:to("int64"), one-hot rows become them by y:argmax(2)'
  elseif prediction:rank() == target:rank() and is_float(prediction) then
    hint = '; of one probability p for each sample make class numbers: p:gt(0.5):to("int64") + 1'
  end
  raise(("metrics.%s: expected logits {N, classes, ...} or class numbers {N, ...} with class numbers {N, ...}"
    .. " (int64), or both of one shape and targets -1/+1%s%s"):format(where, got, hint))
end

local function outside(x, low, high)
  if recording() then return nil end
  for _, v in ipairs{x:min():item(), x:max():item()} do
    if v < low or high and v > high then return v end
  end
end

-- Class numbers of `x`, at least 1, at most `most`.
local function check_classes(where, name, x, most)
  local v = outside(x, 1, most)
  if v then
    raise(("metrics.%s: the %s holds the class %d; classes count from 1%s%s"):format(where, name, v,
      most and (" to %d"):format(most) or "", v == 0 and ": add 1 to them" or ""))
  end
end

local function signs(where, prediction, target)
  if not recording() and target:abs():ne(1):max():item() == 1 then
    refuse(where, prediction, target)
  end
  return prediction:gt(0):to("int64") + 1, target:gt(0):to("int64") + 1, 2, true
end

-- Class numbers of both, how many classes there are (nil: not known), and whether they are -1/+1.
local function classes_of(where, prediction, target)
  check_pair(where, prediction, target)
  if is_float(target) then
    if not same_shape(prediction, target) then refuse(where, prediction, target) end
    return signs(where, prediction, target)
  end
  if prediction:rank() == target:rank() + 1 and is_float(prediction)
    and table.concat(label_shape(prediction), ",") == table.concat(target:shape(), ",") then
    local count = prediction:shape()[2]
    check_classes(where, "target", target, count)
    return prediction:argmax(2), target, count
  end
  if is_float(prediction) or not same_shape(prediction, target) then refuse(where, prediction, target) end
  check_classes(where, "target", target)
  check_classes(where, "prediction", prediction)
  return prediction, target
end

--- The share of predictions that are right.
function M.accuracy(prediction, target)
  local found, wanted = classes_of("accuracy", prediction, target)
  return number(found:eq(wanted):to "float64":mean())
end

--- The share of targets that are among the k largest logits {N, classes, ...}; of equal logits all count as
-- one rank, the better one.
function M.top_k(logits, target, k)
  local where, n = "top_k", options.integer(k)
  check_pair(where, logits, target)
  if not is_float(logits) or is_float(target) or logits:rank() ~= target:rank() + 1
    or table.concat(label_shape(logits), ",") ~= table.concat(target:shape(), ",") then
    raise(("metrics.top_k: expected logits {N, classes, ...} and class numbers {N, ...} (int64), got %s and "
      .. "%s"):format(shape_text(logits), shape_text(target)))
  end
  local count = logits:shape()[2]
  if not n or n < 1 or n > count then
    raise(("metrics.top_k: k must be an integer in 1..%d, the number of classes, got %s"):format(count,
      options.show(k)))
  end
  check_classes(where, "target", target, count)
  local order = {1}
  for axis = 3, logits:rank() do order[#order + 1] = axis end
  order[#order + 1] = 2
  local rows = logits:permute(order)
  local own = tensor.where(tensor.one_hot(target, count), rows, -math.huge):max(-1, true)
  return number(rows:gt(own):sum(-1):lt(n):to "float64":mean())
end

-- ---- counts ----

local MOST_CLASSES = 2000 -- a matrix of 32 MB

local confusion_spec = {classes = {"integer", check = options.at_least(1)}, names = {"table"}}

-- counts[true class][predicted class], float64 {C, C}: a product of one-hot rows.
local function counts_of(found, wanted, count)
  local a = tensor.one_hot(wanted:reshape{wanted:numel()}, count, {dtype = "float64"})
  local b = tensor.one_hot(found:reshape{found:numel()}, count, {dtype = "float64"})
  return a:transpose():matmul(b)
end

-- Class numbers and how many classes there are, which a recording must be told.
local function counted(where, prediction, target, told)
  local found, wanted, count, sides = classes_of(where, prediction, target)
  if not count and not told then
    if recording() then
      raise(("metrics.%s: of class numbers in a recording nobody knows how many classes there are; give "
        .. "classes = n"):format(where))
    end
    told = math.max(found:max():item(), wanted:max():item())
  end
  if told and count and told ~= count then
    raise(("metrics.%s: classes = %d, but there are %d"):format(where, told, count))
  end
  count = count or told
  if count > MOST_CLASSES then
    raise(("metrics.%s: %d classes are more than the %d that it counts"):format(where, count, MOST_CLASSES))
  end
  check_classes(where, "prediction", found, count)
  check_classes(where, "target", wanted, count)
  return found, wanted, count, sides
end

local Confusion = {}
local confusion_meta = {__name = "confusion matrix", __index = Confusion}

--- confusion_matrix(prediction, target, {classes =, names =}) -> report: counts, int64 {classes, classes}, a
-- row for each true class and a column for each predicted one; names; accuracy; report:figure().
function M.confusion_matrix(prediction, target, opts)
  local where = "confusion_matrix"
  local o = options.check("metrics.confusion_matrix", opts, confusion_spec)
  if recording() then
    raise("metrics.confusion_matrix: a report is made of numbers, not in a recording")
  end
  local found, wanted, count, sides = counted(where, prediction, target, o.classes)
  local names = o.names
  if not names then
    names = {}
    for i = 1, count do names[i] = sides and ({"-1", "+1"})[i] or tostring(i) end
  elseif #names ~= count then
    raise(("metrics.confusion_matrix: names has %d entries for %d classes"):format(#names, count))
  end
  local counts = counts_of(found, wanted, count)
  return setmetatable({counts = counts:to "int64", names = names,
    accuracy = (counts:diag():sum() / counts:sum()):item()}, confusion_meta)
end

-- Rows of texts with columns of one width, the last one not padded.
local function aligned(rows)
  local width, lines = {}, {}
  for _, row in ipairs(rows) do
    for c, text in ipairs(row) do width[c] = math.max(width[c] or 0, utf8.len(text) or #text) end
  end
  for i, row in ipairs(rows) do
    local cells = {}
    for c, text in ipairs(row) do
      cells[c] = (" "):rep(width[c] - (utf8.len(text) or #text)) .. text
    end
    lines[i] = table.concat(cells, "  ")
  end
  return lines
end

function confusion_meta.__tostring(self)
  local rows = {{"true \\ predicted"}}
  for i, name in ipairs(self.names) do rows[1][i + 1] = tostring(name) end
  for i, row in ipairs(self.counts:totable()) do
    rows[i + 1] = {tostring(self.names[i])}
    for j, v in ipairs(row) do rows[i + 1][j + 1] = tostring(v) end
  end
  local lines = aligned(rows)
  lines[#lines + 1] = ("accuracy %.4f"):format(self.accuracy)
  return table.concat(lines, "\n")
end

local figure_spec = {share = {"boolean", default = true}, title = {"string"}}

--- figure({share = true, title =}): the matrix as a picture, true classes from top to bottom; colours are
-- shares of the true class, or, share = false, counts.
function Confusion.figure(self, opts)
  if getmetatable(self) ~= confusion_meta then
    raise("confusion matrix: write report:figure(), with a colon")
  end
  local o = options.check("confusion:figure", opts, figure_spec)
  local counts = self.counts:to "float64"
  local total = counts:sum(2, true)
  return plot.heatmap{z = o.share and counts / tensor.maximum(total, 1) or counts, rows = self.names,
    columns = self.names, range = o.share and {0, 1} or nil, format = o.share and "%.2f" or nil,
    title = o.title or ("accuracy %.4f"):format(self.accuracy), xlabel = "predicted class",
    ylabel = "true class", zlabel = o.share and "share of the true class" or "samples"}
end

-- ---- precision, recall, F1 ----

local averages = options.one_of{"macro", "micro", "weighted", "none", "binary"}
local rate_spec = {average = {"string", check = averages}, positive = {"integer"},
  classes = {"integer", check = options.at_least(1)}, zero_division = {"number", default = 0}}

-- Which class counts as positive: its number among 1..count.
local function positive_of(where, o, count, sides)
  local p = o.positive
  if sides then
    if p ~= nil and p ~= 1 and p ~= -1 then
      raise(("metrics.%s: positive must be -1 or 1, got %d"):format(where, p))
    end
    return p == -1 and 1 or 2
  end
  if p == nil and count ~= 2 then
    raise(("metrics.%s: of %d classes none is the positive one; give positive = class, or another average")
      :format(where, count))
  end
  if p and (p < 1 or p > count) then
    raise(("metrics.%s: positive must be in 1..%d, got %d"):format(where, count, p))
  end
  return p or 2
end

local function check_average(where, o, sides)
  o.average = o.average or (sides or o.positive) and "binary" or "macro"
  if o.positive and o.average ~= "binary" then
    raise(('metrics.%s: positive is for average = "binary"'):format(where))
  end
end

-- rate(hits, predicted, wanted) -> numerator, denominator of each class.
local function make_rate(where, rate)
  return function(prediction, target, opts)
    local o = options.check("metrics." .. where, opts, rate_spec)
    local found, wanted, count, sides = counted(where, prediction, target, o.classes)
    check_average(where, o, sides)
    local counts = counts_of(found, wanted, count)
    local hits, predicted, there = counts:diag(), counts:sum(1), counts:sum(2)
    local function ratio(...)
      local above, below = rate(...)
      return tensor.where(below:gt(0), above / tensor.maximum(below, 1), o.zero_division)
    end
    if o.average == "micro" then return number(ratio(hits:sum(), predicted:sum(), there:sum())) end
    local each = ratio(hits, predicted, there)
    if o.average == "none" then return each end
    if o.average == "binary" then
      return number(each:select(1, positive_of(where, o, count, sides)))
    elseif o.average == "weighted" then
      return number((each * there):sum() / there:sum())
    end
    -- classes that are neither there nor predicted do not count, as in scikit-learn
    local seen = (predicted + there):gt(0):to "float64"
    return number((each * seen):sum() / seen:sum())
  end
end

--- Of the samples that were taken for a class, the share that is of it.
M.precision = make_rate("precision", function(hits, predicted) return hits, predicted end)
--- Of the samples of a class, the share that was taken for it.
M.recall = make_rate("recall", function(hits, _, there) return hits, there end)
--- The harmonic mean of both.
M.f1 = make_rate("f1", function(hits, predicted, there) return hits * 2, predicted + there end)

-- ---- numbers ----

local function differences(where, prediction, target)
  check_pair(where, prediction, target)
  if not same_shape(prediction, target) then
    raise(("metrics.%s: prediction and target must have one shape, got {%s} and {%s}"):format(where,
      table.concat(prediction:shape(), ", "), table.concat(target:shape(), ", ")))
  end
  return target:to "float64" - prediction:to "float64"
end

--- The mean of the squared errors, over everything; their root; the mean of their absolute values.
function M.mse(prediction, target) return number(differences("mse", prediction, target):square():mean()) end
function M.rmse(prediction, target)
  return number(differences("rmse", prediction, target):square():mean():sqrt())
end
function M.mae(prediction, target) return number(differences("mae", prediction, target):abs():mean()) end

--- The coefficient of determination, 1 - residual / total sum of squares, of each output {N, ...}, and the
-- mean of these.
function M.r2(prediction, target)
  local d, n = differences("r2", prediction, target), prediction:rank() > 0 and #prediction or 1
  if n < 2 then raise("metrics.r2: of one sample there is no variance; give two samples or more") end
  d = d:reshape{n, -1}
  local y = target:to "float64":reshape{n, -1}
  local total = (y - y:mean(1, true)):square():sum(1)
  if not recording() and total:min():item() == 0 then
    raise(("metrics.r2: output %d of the target is constant, so that r2 is not defined; take mse"):format(
      total:argmin():item()))
  end
  return number((1 - d:square():sum(1) / total):mean())
end

return options.strict("tide.metrics", M)
