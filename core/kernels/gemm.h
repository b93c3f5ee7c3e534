/* gemm.h -- matrix products through OpenBLAS: C = alpha op(A) op(B) + beta C, row-major.
 *
 * OpenBLAS always runs single-threaded here; larger products are cut into tiles of fixed size that the engine's own threads take, so the
 * result does not depend on the number of threads. The library is opened at the first product: start-up stays fast, and its choice of
 * kernels can be corrected where it does not know a newer processor (see gemm.c). */
#ifndef KERNELS_GEMM_H
#define KERNELS_GEMM_H

#include <stdint.h>

#include "base/status.h"
#include "tensor/tensor.h"

/* Make the library ready; STATUS_UNSUPPORTED with the remedy when it cannot be opened. Cheap after the first call. */
enum status gemm_open(void);

/* One product on the calling thread: op(A) is m x k, op(B) is k x n. `ta`, `tb`: use the transpose. dtype is a float type. */
void gemm(enum dtype dtype, int ta, int tb, int64_t m, int64_t n, int64_t k, double alpha, const void *a, int64_t lda, const void *b,
          int64_t ldb, double beta, void *c, int64_t ldc);

/* The same, tiles over the threads when it is large. */
void gemm_parallel(enum dtype dtype, int ta, int tb, int64_t m, int64_t n, int64_t k, double alpha, const void *a, int64_t lda,
                   const void *b, int64_t ldb, double beta, void *c, int64_t ldc);

/* Kernel set that OpenBLAS uses ("SkylakeX", ...), for diagnostics; "none" when the library cannot be opened. */
const char *gemm_core_name(void);

#endif
