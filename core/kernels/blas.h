/* blas.h -- OpenBLAS: opened when the first large product needs it, with its best kernels, its memory
 * reserved.
 *
 * The library chooses its kernels by processor while it is loaded. A release older than the processor falls
 * back to slow ones: 0.3.21 takes SSE3 kernels ("Prescott") on a Sapphire Rapids, AVX2 ones on AMD Zen 4. So
 * its choice is compared with the instructions that are there, and if it stays behind, the library is loaded
 * once more and told. A choice of the user (OPENBLAS_CORETYPE) stands.
 *
 * Each product that runs needs a buffer of the library's own, and where the library cannot get one it tries
 * for ever. So buffers are made beforehand, as many as there are threads, each after a look at whether there
 * is memory for it; products wait where they are too few. */
#ifndef KERNELS_BLAS_H
#define KERNELS_BLAS_H

#include <stdint.h>

#include "base/status.h"
#include "tensor/tensor.h"

/* Make the library ready. STATUS_UNSUPPORTED with the remedy when it is not there, STATUS_MEMORY when it or
 * its buffers cannot be loaded. Cheap after the first call. */
enum status blas_open(void);

/* C = alpha op(A) op(B) + beta C, row-major, on the calling thread; after blas_open. */
void blas_product(enum dtype dtype, int ta, int tb, int64_t m, int64_t n, int64_t k, double alpha,
                  const void *a, int64_t lda, const void *b, int64_t ldb, double beta, void *c, int64_t ldc);

/* LU factors of an n x n matrix by rows, in place (LAPACK's getrf), and x = A^-1 x or A^-T x (getrs); after
 * blas_open. pairs: of complex numbers, which are pairs of the dtype. Returns 0 when it is singular. */
int blas_factor(enum dtype dtype, int pairs, int64_t n, void *a, int *pivot);
void blas_factor_solve(enum dtype dtype, int pairs, int64_t n, const void *a, const int *pivot, int transpose,
                       void *x);

/* For lapack.c: a function of the library that is open, NULL if it has none of that name; a number that
 * changes when another one was opened; around each call of one: wait for a buffer, and give it back. */
void *blas_symbol(const char *name);
unsigned blas_openings(void);
int blas_begin(void);
void blas_end(int queue);

/* What was opened, for people: file, version, kernel set, and why that one. Opens the library; core is "none"
 * when that fails, why the reason. */
struct blas_choice {
    const char *library, *version, *core, *why;
};
struct blas_choice blas_choice(void);

/* The kernel set to ask for instead of `core` on a processor of this ability (0: SSE, 1: AVX, 2: AVX2 and
 * FMA, 3: AVX-512); NULL: `core` is good enough, or unknown, hence newer than this list. */
const char *blas_better_core(const char *core, int ability);
int blas_ability(void);

/* For tests: close the library and open it as if it had chosen `core` by itself. */
enum status blas_reopen(const char *core);

#endif
