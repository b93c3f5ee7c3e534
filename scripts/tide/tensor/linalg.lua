--- tide.linalg: linear algebra on LAPACK, with the names and the meaning of torch.linalg. The last two axes
-- are matrices, those before them a batch. All of it is recorded and differentiated, but for eigvals.

local core = require "tide.core"
local options = require "tide.base.options"
local tree = require "tide.base.tree"

local M = {}
local apply, raise = core.apply, core.raise

-- Whom the engine's messages name, where one op is what several functions are made of (autodiff/linalg.h).
local ITSELF, INV, INVERSE, LSTSQ, TRIANGULAR, EIGVALSH, SVDVALS, LOGDET = 0, 1, 2, 3, 4, 5, 6, 7

local function matrix(where, A, square)
  local shape = tree._check_tensor(A, "tide.linalg." .. where):shape()
  if #shape < 2 or square and shape[#shape] ~= shape[#shape - 1] then
    raise(("tide.linalg.%s: expected a %smatrix or a batch of them, {..., %s}, got shape {%s}"):format(where,
      square and "square " or "", square and "n, n" or "m, n", table.concat(shape, ", ")))
  end
  return shape
end

local function sizes(shape)
  local m, n = shape[#shape - 1], shape[#shape]
  return m, n, math.min(m, n)
end

local function with_last(shape, drop, ...)
  local out = table.move(shape, 1, #shape - drop, 1, {})
  return table.move({...}, 1, select("#", ...), #out + 1, out)
end

-- A piece of a flat result: elements first + 1 .. first + numel of its last axis as these axes.
local function piece(flat, shape, first, ...)
  local numel = 1
  for _, n in ipairs{...} do numel = numel * n end
  return flat:slice(-1, first + 1, first + numel):reshape(with_last(shape, 2, ...))
end

-- ---- systems ----

-- Is B one vector for each matrix, as torch.linalg.solve decides it?
local function is_vector(A, B)
  local a, b = A:shape(), B:shape()
  if #b == 1 then return true end
  return #a - 1 == #b and table.concat(b, ",") == table.concat(a, ",", 1, #a - 1)
end

local function solve_as(where, A, B, structure)
  local shape = matrix(where, A, true)
  tree._check_tensor(B, "tide.linalg." .. where .. ": B")
  local vector = B:rank() == 1 or structure == 0 and is_vector(A, B)
  local rows = vector and B:shape()[B:rank()] or B:rank() >= 2 and B:shape()[B:rank() - 1]
  if rows ~= shape[#shape] then
    raise(("tide.linalg.%s: A of shape {%s} needs B of shape {%s%d} or {..., %d, k}, got {%s}"):format(
      where, table.concat(shape, ", "), structure == 0 and "..., " or "", shape[#shape], shape[#shape],
      table.concat(B:shape(), ", ")))
  end
  local caller = structure == 0 and ITSELF or TRIANGULAR
  if not vector then return apply("solve", {0, structure, caller}, A, B) end
  local x = apply("solve", {0, structure, caller}, A, B:reshape(with_last(B:shape(), 0, 1)))
  return x:reshape(with_last(x:shape(), 1))
end

--- solve(A, B) -> X with A X = B; B {..., n} or {..., n, k}. A singular A is an error.
function M.solve(A, B) return solve_as("solve", A, B, 0) end

local triangular_options = {upper = {"boolean", default = true}}

--- solve_triangular(A, B, {upper = true}) -> X with A X = B, of A only that triangle. B of two or more axes
-- is a matrix, as for torch: {n, n} beside a batch of n is not taken for its vectors.
function M.solve_triangular(A, B, opts)
  local o = options.check("tide.linalg.solve_triangular", opts, triangular_options)
  return solve_as("solve_triangular", A, B, o.upper and 2 or 1)
end

--- inv(A), inverse(A) -> A^-1.
function M.inv(A)
  matrix("inv", A, true)
  return apply("inverse", {INV}, A)
end

function M.inverse(A)
  matrix("inverse", A, true)
  return apply("inverse", {INVERSE}, A)
end

-- Q {..., m, k}, R {..., k, n}
local function factors(A, caller)
  local shape = A:shape()
  local m, n, k = sizes(shape)
  local flat = apply("qr", {caller}, A)
  return piece(flat, shape, 0, k, m):transpose(), piece(flat, shape, m * k, n, k):transpose()
end

--- lstsq(A, B) -> X that makes |A X - B| least; of all X with A X = B (fewer rows than columns) the smallest.
-- A has full rank, or it is an error.
function M.lstsq(A, B)
  local m, n = sizes(matrix("lstsq", A))
  tree._check_tensor(B, "tide.linalg.lstsq: B")
  local vector = B:rank() == 1 or is_vector(A, B)
  if B:shape()[vector and B:rank() or B:rank() - 1] ~= m then
    raise(("tide.linalg.lstsq: A of shape {%s} needs B of shape {..., %d} or {..., %d, k}, got {%s}"):format(
      table.concat(A:shape(), ", "), m, m, table.concat(B:shape(), ", ")))
  end
  if vector then
    local x = M.lstsq(A, B:reshape(with_last(B:shape(), 0, 1)))
    return x:reshape(with_last(x:shape(), 1))
  end
  -- R is solved with as a general matrix: that looks at its condition
  if m >= n then
    local Q, R = factors(A, LSTSQ)
    return apply("solve", {0, 0, LSTSQ}, R, Q:transpose():matmul(B))
  end
  local Q, R = factors(A:transpose(), LSTSQ)
  return Q:matmul(apply("solve", {1, 0, LSTSQ}, R, B))
end

-- ---- determinants ----

--- det(A) -> the determinant of each matrix.
function M.det(A)
  matrix("det", A, true)
  return apply("det", {}, A)
end

local function sign_and_log(where, A, caller)
  matrix(where, A, true)
  local both = apply("slogdet", {caller}, A)
  return both:select(-1, 1), both:select(-1, 2)
end

--- slogdet(A) -> the sign of the determinant, the logarithm of its absolute value (-inf where it is 0).
function M.slogdet(A)
  return sign_and_log("slogdet", A, ITSELF)
end

--- logdet(A) -> the logarithm of the determinant, NaN where that is negative.
function M.logdet(A)
  local sign, log_size = sign_and_log("logdet", A, LOGDET)
  return core.apply("where", {}, sign:lt(0), core.full({}, 0 / 0, log_size:dtype()), log_size)
end

-- ---- factorisations ----

--- cholesky(A) -> L, lower triangular, with A = L L^T; of A the lower triangle is read.
function M.cholesky(A)
  matrix("cholesky", A, true)
  return apply("cholesky", {}, A)
end

--- qr(A) -> Q {..., m, k}, R {..., k, n} with A = Q R, k = min(m, n).
function M.qr(A)
  matrix("qr", A)
  return factors(A, ITSELF)
end

--- eigh(A) -> eigenvalues {..., n}, growing, and vectors, the columns of V, of a symmetric matrix, of which
-- the lower triangle is read.
function M.eigh(A)
  local _, n = sizes(matrix("eigh", A, true))
  local both = apply("eigh", {}, A)
  return both:select(-2, 1), both:slice(-2, 2, n + 1):transpose()
end

--- eigvalsh(A) -> the eigenvalues alone.
function M.eigvalsh(A)
  matrix("eigvalsh", A, true)
  return apply("eigh", {EIGVALSH}, A):select(-2, 1)
end

--- eigvals(A) -> {..., n, 2}: eigenvalues of any square matrix as pairs (real part, imaginary part), by
-- growing real part. Without derivatives.
function M.eigvals(A)
  matrix("eigvals", A, true)
  return apply("eigvals", {}, A)
end

local svd_options = {full_matrices = {"boolean", default = true}}

--- svd(A, {full_matrices = true}) -> U, S, Vh with A = U diag(S) Vh, S falling.
function M.svd(A, opts)
  local o = options.check("tide.linalg.svd", opts, svd_options)
  local shape = matrix("svd", A)
  local m, n, k = sizes(shape)
  local columns, rows = o.full_matrices and m or k, o.full_matrices and n or k
  local flat = apply("svd", {o.full_matrices and 1 or 0, ITSELF}, A)
  return piece(flat, shape, 0, m, columns), piece(flat, shape, m * columns, k),
    piece(flat, shape, m * columns + k, rows, n)
end

--- svdvals(A) -> the singular values {..., k}, falling.
function M.svdvals(A)
  local shape = matrix("svdvals", A)
  local m, _, k = sizes(shape)
  return piece(apply("svd", {0, SVDVALS}, A), shape, m * k, k)
end

--- matrix_exp(A) -> e^A of each matrix.
function M.matrix_exp(A)
  matrix("matrix_exp", A, true)
  return apply("matrix_exp", {}, A)
end

return M
