--- Help about linear algebra; see tide.docs.

local help = require "tide.help"

local define = help.define

local singular = " A singular matrix is an error, also one that is singular to working precision."

help.topic "Linear algebra"
define{name = "linalg.solve", args = "A, B", returns = "tensor",
  text = [[X with A X = B. A is {..., n, n}, B {..., n} or {..., n, k}; axes before these are a batch and
  broadcast. All of tide.linalg follows torch.linalg, is recorded, and has derivatives of any order but for
  eigvals.]] .. singular,
  example = "tide.linalg.solve(tide.tensor{{2, 1}, {1, 3}}, tide.tensor{3, 5})"}
define{name = "linalg.solve_triangular", args = "A, B, opts", returns = "tensor",
  options = {{"upper", true, "which triangle of A counts; the rest is not read"}},
  text = "As linalg.solve, with a triangular matrix; B is one vector {n} or matrices {..., n, k}.",
  example = "tide.linalg.solve_triangular(tide.tensor{{2, 1}, {0, 3}}, tide.tensor{3, 6})"}
define{name = "linalg.inv", args = "A", returns = "tensor",
  text = "The inverse of each matrix; linalg.solve is faster and more exact where a product with it is meant."
  .. singular,
  example = "tide.linalg.inv(tide.tensor{{2, 1}, {1, 3}})"}
define{name = "linalg.inverse", args = "A", returns = "tensor", text = "The same as linalg.inv.",
  example = "tide.linalg.inverse(tide.tensor{{2, 0}, {0, 4}})"}
define{name = "linalg.lstsq", args = "A, B", returns = "tensor",
  text = [[X that makes the sum of squares of A X - B least, A {..., m, n}, B {..., m} or {..., m, k}; with
  fewer rows than columns, of all X with A X = B the smallest. By QR: A must have full rank.]],
  example = "tide.linalg.lstsq(tide.tensor{{1, 0}, {1, 1}, {1, 2}}, tide.tensor{1, 3, 5})"}
define{name = "linalg.det", args = "A", returns = "tensor",
  text = "The determinant of each matrix. Its gradient is the matrix of cofactors, which a singular matrix "
  .. "has as well; second derivatives it has not.",
  example = "tide.linalg.det(tide.tensor{{2, 1}, {1, 3}})"}
define{name = "linalg.slogdet", args = "A", returns = "sign, log of |det A|",
  text = "The determinant where it may be too large or too small for a number; 0, -inf of a singular matrix.",
  example = "tide.linalg.slogdet(tide.eye(100) * 1e-3)"}
define{name = "linalg.logdet", args = "A", returns = "tensor",
  text = "The logarithm of the determinant, NaN where that is negative.",
  example = "tide.linalg.logdet(tide.tensor{{2, 1}, {1, 3}})"}
define{name = "linalg.cholesky", args = "A", returns = "tensor",
  text = [[L, lower triangular, with A = L L^T; A symmetric (its lower triangle is read, its gradient is
  symmetric) and positive definite, or it is an error.]],
  example = "tide.linalg.cholesky(tide.tensor{{4, 2}, {2, 3}})"}
define{name = "linalg.qr", args = "A", returns = "Q, R",
  text = "A = Q R with Q {..., m, k}, its columns orthonormal, and R {..., k, n}, upper triangular, "
  .. "k = min(m, n).",
  example = "tide.linalg.qr(tide.tensor{{3, 1}, {4, 2}})"}
define{name = "linalg.eigh", args = "A", returns = "values, vectors",
  text = [[Eigenvalues, growing, and orthonormal eigenvectors (columns) of a symmetric matrix; its lower
  triangle is read, its gradient is symmetric. Vectors of values that are equal, but for rounding, have no
  derivative: NaN. Where their cotangent is exactly 0 they count as not used, unless the loss tells such
  values apart, too. So V f(w) V^T with f(w) = 0 there, such as a logarithm at the identity, has a gradient of
  NaN or one that lacks a part; linalg.matrix_exp, inv, solve and products have theirs everywhere.]],
  example = "tide.linalg.eigh(tide.tensor{{2, 1}, {1, 2}})"}
define{name = "linalg.eigvalsh", args = "A", returns = "tensor",
  text = "The eigenvalues of linalg.eigh alone; differentiable also where they are equal.",
  example = "tide.linalg.eigvalsh(tide.tensor{{2, 1}, {1, 2}})"}
define{name = "linalg.eigvals", args = "A", returns = "tensor {..., n, 2}",
  text = [[Eigenvalues of any square matrix as pairs (real part, imaginary part), by growing real part, of a
  pair of conjugates the lower one first. Without derivatives: a gradient through it is an error.]],
  example = "tide.linalg.eigvals(tide.tensor{{0, 1}, {-4, 0}})"}
define{name = "linalg.svd", args = "A, opts", returns = "U, S, Vh",
  options = {{"full_matrices", true, "whole orthogonal U and Vh; false: as many vectors as singular values"}},
  text = [[A = U diag(S) Vh, S falling. Derivatives of vectors need full_matrices = false, or a square
  matrix; where their values are equal they are NaN.]],
  example = "tide.linalg.svd(tide.tensor{{3, 0}, {4, 5}})"}
define{name = "linalg.svdvals", args = "A", returns = "tensor",
  text = "The singular values of linalg.svd alone; differentiable also where they are equal.",
  example = "tide.linalg.svdvals(tide.tensor{{3, 0}, {4, 5}})"}
define{name = "linalg.matrix_exp", args = "A", returns = "tensor",
  text = "e^A of each matrix, by Pade approximants with scaling and squaring.",
  example = "tide.linalg.matrix_exp(tide.tensor{{0, -1}, {1, 0}})"}
