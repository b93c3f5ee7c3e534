--- Losses: means over everything.

local arguments = require "tide.tensor.arguments"
local core = require "tide.core"
local creation = require "tide.tensor.creation"
local elementwise = require "tide.tensor.elementwise"
local tree = require "tide.base.tree"

local M = {}
local T = core.methods
local raise, check_tensor = core.raise, tree._check_tensor

local function same_shape(where, a, b)
  local sa, sb = check_tensor(a, where):shape(), check_tensor(b, where):shape()
  if table.concat(sa, ",") ~= table.concat(sb, ",") then
    raise(("%s: prediction and target must have one shape, got {%s} and {%s}"):format(where,
      table.concat(sa, ", "), table.concat(sb, ", ")))
  end
end

-- Of integers the exact one, as floats.
local function difference(where, prediction, target)
  same_shape(where, prediction, target)
  return arguments.float(arguments.wide(prediction) - arguments.wide(target))
end

function M.mse(prediction, target)
  return difference("tide.mse", prediction, target):square():mean()
end

--- Huber's loss with beta = 1 (PyTorch's smooth_l1): d^2/2 where |d| < 1, else |d| - 1/2.
function M.smooth_l1(prediction, target)
  local d = difference("tide.smooth_l1", prediction, target):abs()
  return elementwise.where(d:lt(1), d:square() * 0.5, d - 0.5):mean()
end

--- Of probabilities sigmoid(logits) for targets in 0..1; both terms are >= 0, so that nothing cancels.
function M.binary_cross_entropy(logits, targets)
  same_shape("tide.binary_cross_entropy", logits, targets)
  local x, y = arguments.float(logits), arguments.float(targets)
  return (y * (0 - x):softplus() + (1 - y) * x:softplus()):mean()
end

--- logits N,classes,...; labels 1-based int64 of shape N,...: mean of -log softmax at the label.
function M.cross_entropy(logits, labels)
  local shape, wanted = check_tensor(logits, "tide.cross_entropy"):shape(),
    check_tensor(labels, "tide.cross_entropy"):shape()
  local expected = table.move(shape, 3, #shape, 2, {shape[1]})
  if #shape < 2 or table.concat(wanted, ",") ~= table.concat(expected, ",") then
    raise(("tide.cross_entropy: logits have shape {%s}, so labels must have shape {%s}, got {%s}"):format(
      table.concat(shape, ", "), table.concat(expected, ", "), table.concat(wanted, ", ")))
  end
  local rank = #shape
  local order = {}
  for i = 1, rank do order[i] = i end
  table.insert(order, table.remove(order, 2))
  local log_p = T.log_softmax(rank > 2 and logits:permute(order) or logits, -1)
  -- chosen, not multiplied: 0 * -inf of a class that is ruled out would be NaN
  local picked = elementwise.where(creation.one_hot(labels, shape[2], {dtype = log_p:dtype()}), log_p, 0)
  return (0 - picked:sum()) / labels:numel() -- not -0.0 where all is certain
end

return M
