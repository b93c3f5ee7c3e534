--- Determinants and singular values of small matrices, in float64.

local core = require "tide.core"
local linalg = require "tide.tensor.linalg"
local options = require "tide.base.options"
local tree = require "tide.base.tree"

local M = {}
local raise, show = core.raise, options.show

local function check_matrix(where, A, square)
  if tree.is_tensor(A) then
    if A:rank() ~= 2 then
      raise(("%s: A must be a matrix, got shape {%s}"):format(where, table.concat(A:shape(), ", ")))
    end
    A = A:to("float64"):totable()
  end
  if type(A) ~= "table" or type(A[1]) ~= "table" or #A[1] == 0 then
    raise(("%s: A must be a matrix (a tensor or rows of numbers), got %s"):format(where, show(A)))
  end
  local copy = {}
  for i, row in ipairs(A) do
    if type(row) ~= "table" or #row ~= #A[1] then
      raise(("%s: row %d of A must have %d numbers, as row 1"):format(where, i, #A[1]))
    end
    copy[i] = {}
    for j, v in ipairs(row) do
      if type(v) ~= "number" or not options.finite(v) then
        raise(("%s: A[%d][%d] must be a finite number, got %s"):format(where, i, j, show(v)))
      end
      copy[i][j] = v + 0.0
    end
  end
  if square and #copy ~= #copy[1] then
    raise(("%s: A must be square, got %d x %d"):format(where, #copy, #copy[1]))
  end
  return core.tensor_from(copy, "float64")
end

--- The determinant.
function M.determinant(A)
  A = check_matrix("crossing.determinant", A, true)
  return linalg.det(A):item()
end

--- Singular values, largest first.
function M.singular_values(A)
  return linalg.svdvals(check_matrix("crossing.singular_values", A)):totable()
end

return M
