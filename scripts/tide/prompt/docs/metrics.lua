--- Help about metrics; see tide.docs.

local help = require "tide.help"

local define = help.define
local classes = "tide.tensor({1, 2, 2, 1}, {dtype = \"int64\"})"

help.topic "Metrics"
define{name = "metrics.accuracy", args = "prediction, target", returns = "number",
  text = [[The share of predictions that are right. Predictions are logits {N, classes, ...} or class numbers,
  targets class numbers 1, 2, ... (int64), or both are of one shape and the targets -1/+1, where the sign of a
  prediction counts. What tide.metrics returns is a number, within a recording a scalar tensor: a loss of
  (model, batch) may name it as a column.]],
  example = "tide.metrics.accuracy(x, " .. classes .. ")"}
define{name = "metrics.top_k", args = "logits, target, k", returns = "number",
  text = "The share of targets that are among the k largest logits {N, classes, ...}.",
  example = "tide.metrics.top_k(x, " .. classes .. ", 2)"}
define{name = "metrics.confusion_matrix", args = "prediction, target, opts",
  returns = "{counts =, names =, accuracy =}",
  options = {{"classes", nil, "how many; default: the logits' or the largest number"},
    {"names", nil, "a list of their names"}},
  text = [[The confusion matrix: counts, int64, has a row for each true class and a column for each predicted
  one. The report prints itself; report:figure() is its picture.]],
  example = "print(tide.metrics.confusion_matrix(x, " .. classes .. "))"}
define{name = "confusion:figure", args = "opts", returns = "figure",
  options = {{"share", true, "colours are shares of the true class; false: counts"},
    {"title", nil, "default: the accuracy"}},
  text = "The matrix as a picture, true classes from top to bottom.",
  example = "tide.metrics.confusion_matrix(x, " .. classes .. "):figure()"}
local rates = {{"average", nil, [["macro" (default): the mean over the classes; "weighted": by their numbers;
  "micro": of all samples; "none": a tensor, one number for each class; "binary" (default for -1/+1): of the
  positive class]]},
  {"positive", nil, "class for \"binary\"; default 2 of two, +1 of -1/+1"},
  {"classes", nil, "how many; default: the logits' or the largest number"},
  {"zero_division", 0, "what the rate of a class is of which there is nothing to divide by"}}
local function define_rate(name, text)
  define{name = "metrics." .. name, args = "prediction, target, opts", returns = "number", options = rates,
    text = text .. " Averages are those of scikit-learn.",
    example = "tide.metrics." .. name .. "(x, " .. classes .. ")"}
end
define_rate("precision", "Of the samples that were taken for a class, the share that is of it.")
define_rate("recall", "Of the samples of a class, the share that was taken for it.")
define_rate("f1", "The harmonic mean of precision and recall.")
local function define_error(name, text)
  define{name = "metrics." .. name, args = "prediction, target", returns = "number", text = text,
    example = "tide.metrics." .. name .. "(x, y)"}
end
define_error("mse", "The mean of the squared differences, over everything.")
define_error("rmse", "The root of their mean.")
define_error("mae", "The mean of the absolute differences.")
define_error("r2", [[The coefficient of determination: 1 less the sum of squares that is left, over that of
  the target around its mean; of each output {N, ...}, and the mean of these. A constant target has none: an
  error.]])
