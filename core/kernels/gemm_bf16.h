/* gemm_bf16.h -- large float32 matrix products by bfloat16 parts, see bf16.h. */
#ifndef KERNELS_GEMM_BF16_H
#define KERNELS_GEMM_BF16_H

#include <stddef.h>
#include <stdint.h>

/* Is the product (m x k times k x n) large enough to pay for the packing? */
int gemm_bf16_fits(int64_t m, int64_t n, int64_t k);

size_t gemm_bf16_scratch(int parts, int64_t m, int64_t n, int64_t k);

/* C = op(A) op(B), row-major, tiles over the threads. */
void gemm_bf16(int parts, int ta, int tb, int64_t m, int64_t n, int64_t k, const float *a, int64_t lda,
               const float *b, int64_t ldb, float *c, int64_t ldc, void *scratch);

#endif
