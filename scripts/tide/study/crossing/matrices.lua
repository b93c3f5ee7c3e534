--- Determinants and singular values of small matrices, in float64.

local core = require "tide.core"
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
  return copy
end

--- The determinant, by elimination with row pivots.
function M.determinant(A)
  A = check_matrix("crossing.determinant", A, true)
  local n, det = #A, 1.0
  for k = 1, n do
    local pivot = k
    for i = k + 1, n do if math.abs(A[i][k]) > math.abs(A[pivot][k]) then pivot = i end end
    if A[pivot][k] == 0 then return 0.0 end
    if pivot ~= k then
      A[pivot], A[k] = A[k], A[pivot]
      det = -det
    end
    det = det * A[k][k]
    for i = k + 1, n do
      local factor = A[i][k] / A[k][k]
      for j = k + 1, n do A[i][j] = A[i][j] - factor * A[k][j] end
    end
  end
  return det
end

--- Singular values, largest first, by one-sided Jacobi rotations (Hestenes): small ones are as accurate
-- relative to themselves as the columns allow.
function M.singular_values(A)
  A = check_matrix("crossing.singular_values", A)
  local n = #A[1]
  local columns = {}
  for j = 1, n do
    columns[j] = {}
    for i = 1, #A do columns[j][i] = A[i][j] end
  end
  local function dot(u, v)
    local s = 0.0
    for i = 1, #u do s = s + u[i] * v[i] end
    return s
  end
  for _ = 1, 60 do
    local rotated = false
    for p = 1, n - 1 do
      for q = p + 1, n do
        local u, v = columns[p], columns[q]
        local a, b, c = dot(u, u), dot(v, v), dot(u, v)
        if math.abs(c) > 1e-15 * math.sqrt(a * b) then
          rotated = true
          local zeta = (b - a) / (2 * c)
          local t = (zeta >= 0 and 1 or -1) / (math.abs(zeta) + math.sqrt(1 + zeta * zeta))
          local cosine = 1 / math.sqrt(1 + t * t)
          local sine = cosine * t
          for i = 1, #u do u[i], v[i] = cosine * u[i] - sine * v[i], sine * u[i] + cosine * v[i] end
        end
      end
    end
    if not rotated then break end
  end
  local out = {}
  for j = 1, n do out[j] = math.sqrt(dot(columns[j], columns[j])) end
  table.sort(out, function(x, y) return x > y end)
  for j = n, #A + 1, -1 do out[j] = nil end -- a wide matrix has no more than its rows
  return out
end

return M
