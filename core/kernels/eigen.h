/* eigen.h -- eigenvalues of many small matrices. */
#ifndef KERNELS_EIGEN_H
#define KERNELS_EIGEN_H

#include <stdint.h>

#include "base/status.h"

/* The eigenvalues of `count` real n x n matrices that lie one behind the other, a row at a time: out gets n
 * pairs (real part, imaginary part) for each, by growing real part, of a conjugate pair the lower one first.
 * The matrices are overwritten. STATUS_NUMERIC when a number is not finite or the iteration does not
 * converge; STATUS_UNSUPPORTED without LAPACK. */
enum status eigenvalues(int64_t count, int64_t n, double *matrices, double *out);

#endif
