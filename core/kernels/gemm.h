/* gemm.h -- matrix products: C = alpha op(A) op(B) + beta C, row-major.
 *
 * Small ones by the engine's own kernel, large ones by OpenBLAS (blas.h), which runs single-threaded here:
 * they are cut into tiles of fixed size that the engine's own threads take, so the result does not depend on
 * the number of threads. */
#ifndef KERNELS_GEMM_H
#define KERNELS_GEMM_H

#include <stdint.h>

#include "base/status.h"
#include "tensor/tensor.h"

/* Make ready what a product of this size, or several no larger ones, may need; see blas_open. */
enum status gemm_open(int tb, int64_t m, int64_t n, int64_t k);

/* One product on the calling thread: op(A) is m x k, op(B) is k x n. `ta`, `tb`: use the transpose. dtype is
 * a float type. */
void gemm(enum dtype dtype, int ta, int tb, int64_t m, int64_t n, int64_t k, double alpha, const void *a,
          int64_t lda, const void *b, int64_t ldb, double beta, void *c, int64_t ldc);

/* The same, tiles over the threads when it is large. */
void gemm_parallel(enum dtype dtype, int ta, int tb, int64_t m, int64_t n, int64_t k, double alpha,
                   const void *a, int64_t lda, const void *b, int64_t ldb, double beta, void *c, int64_t ldc);

/* Rows of a task of a product by the engine's own kernel, whose bits do not depend on it: `most`, or fewer so
 * that there are tasks enough for some threads. */
int64_t gemm_task_rows(int64_t m, int64_t most);

#endif
