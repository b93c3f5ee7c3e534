/* lapack.h -- the LAPACK inside OpenBLAS, for matrices by rows.
 *
 * LAPACK has matrices by columns; a matrix by rows is its transpose there. Each function says what it makes
 * of that, so that as little as possible is transposed. All work on one matrix of a float dtype, on the
 * calling thread, in memory of the caller, which has no size 0; after lapack_open. */
#ifndef KERNELS_LAPACK_H
#define KERNELS_LAPACK_H

#include "kernels/blas.h"

/* OpenBLAS is open and has all that is used here; STATUS_UNSUPPORTED with the remedy where not. */
enum status lapack_open(void);

/* Largest number of rows or columns, so that all products of them that LAPACK makes are ints. */
#define LAPACK_MOST 16384

/* LU factors in place, n pivots. 0, or the place of a pivot that is 0. */
int lapack_lu(enum dtype dtype, int n, void *a, int *pivot);
/* 1 / (|A| |A^-1|) in the norm of the largest sum of a row; `norm` is |A|. work: 4 n numbers, integers: n. */
double lapack_rcond(enum dtype dtype, int n, const void *lu, double norm, void *work, int *integers);
double lapack_norm(enum dtype dtype, int n, const void *a);
/* x = A^-1 x, or with A^T; k right-hand sides, one behind the other (x by columns). */
void lapack_lu_solve(enum dtype dtype, int n, int k, const void *lu, const int *pivot, int transpose,
                     void *x);
/* The same with a triangle of A. 0, or the place of a 0 in its diagonal. */
int lapack_triangle_solve(enum dtype dtype, int n, int k, const void *a, int upper, int transpose, void *x);
/* The inverse, in place, from LU factors. */
int lapack_inverse(enum dtype dtype, int n, void *lu, const int *pivot, void *work, int n_work);
/* The lower triangle of A becomes that of L with A = L L^T, what is above it stays. 0, or the order of a
 * minor that is not positive. */
int lapack_cholesky(enum dtype dtype, int n, void *a);
/* Symmetric, of which the lower triangle is read: n eigenvalues, growing, and A becomes the eigenvectors, a
 * row each. 0: they were found. */
int lapack_eigh(enum dtype dtype, int n, void *a, void *values, void *work, int n_work, int *integers,
                int n_integers);
/* The eigenvalues' real and imaginary parts, n each; A is overwritten. 0: they were found. */
int lapack_eigenvalues(enum dtype dtype, int n, void *a, void *re, void *im, void *work, int n_work);
/* a by COLUMNS, m x n, k = min(m, n): r gets R, k x n by columns with zeros below the diagonal, and the first
 * k columns of a become Q. tau: k numbers. */
void lapack_qr(enum dtype dtype, int m, int n, void *a, void *r, void *tau, void *work, int n_work);
/* A = U diag(s) Vh, all by rows; full: U is m x m and Vh n x n, else m x k and k x n. A is overwritten.
 * integers: 8 k. 0: they were found. */
int lapack_svd(enum dtype dtype, int m, int n, int full, void *a, void *u, void *s, void *vh, void *work,
               int n_work, int *integers);

/* Numbers of `work` that the functions above want. */
int lapack_work_inverse(enum dtype dtype, int n);
int lapack_work_eigh(enum dtype dtype, int n, int *n_integers);
int lapack_work_eigenvalues(enum dtype dtype, int n);
int lapack_work_qr(enum dtype dtype, int m, int n);
int lapack_work_svd(enum dtype dtype, int m, int n, int full);

/* to = from^T, `from` rows x columns by rows. */
void lapack_transpose(enum dtype dtype, int64_t rows, int64_t columns, const void *from, void *to);

#endif
