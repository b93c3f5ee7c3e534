/* matrix_exp.h -- exponentials of matrices. */
#ifndef KERNELS_MATRIX_EXP_H
#define KERNELS_MATRIX_EXP_H

#include <stddef.h>

#include "tensor/tensor.h"

/* Numbers of work space for one n x n matrix, beside n ints. */
size_t matrix_exp_work(int n);

/* out = e^a, both n x n by rows, of a float dtype, n >= 1; after lapack_open. What is not finite gives NaN.
 *
 * Diagonal Pade approximants with scaling and squaring. Sources: N. Higham, The scaling and squaring method
 * for the matrix exponential revisited, SIAM J. Matrix Anal. Appl. 26 (2005), algorithm 2.3, tables 2.3 and
 * A.1 (single precision); A. Al-Mohy and N. Higham, A new scaling and squaring algorithm for the matrix
 * exponential, SIAM J. Matrix Anal. Appl. 31 (2009), section 5: the norms of powers say how often to halve,
 * because halvings that are not needed cost digits where |a| is much larger than its eigenvalues. */
void matrix_exp(enum dtype dtype, int n, const void *a, void *out, void *work, int *pivot);

#endif
