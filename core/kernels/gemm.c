#include "kernels/gemm.h"

#include "base/interrupt.h"
#include "base/memory.h"
#include "base/threads.h"
#include "kernels/blas.h"
#include "kernels/loops.h"

#define SMALL_WORK                                                                                           \
    (1 << 22) /* multiply-adds up to which the engine's own kernel beats the library's preparations */
#define PACKED_ELEMENTS 16384

/* op(B) by rows for a transposed B. */
static void pack_rows(enum dtype dtype, const void *b, int64_t ldb, int64_t k, int64_t n, void *packed)
{
    for (int64_t j = 0; j < n; j++)
        for (int64_t i = 0; i < k; i++) {
            if (dtype == FLOAT32)
                ((float *)packed)[i * n + j] = ((const float *)b)[j * ldb + i];
            else
                ((double *)packed)[i * n + j] = ((const double *)b)[j * ldb + i];
        }
}

static int is_small(int tb, int64_t m, int64_t n, int64_t k)
{
    return (double)m * (double)n * (double)(k > 0 ? k : 1) <= SMALL_WORK &&
           (!tb || (double)k * (double)n <= PACKED_ELEMENTS);
}

static int small_product(enum dtype dtype, int ta, int tb, int64_t m, int64_t n, int64_t k, double alpha,
                         const void *a, int64_t lda, const void *b, int64_t ldb, double beta, void *c,
                         int64_t ldc)
{
    _Alignas(64) char packed[PACKED_ELEMENTS * sizeof(double) + MEMORY_SLACK];
    if (!is_small(tb, m, n, k) || alpha != 1 || (beta != 0 && beta != 1)) return 0;
    if (tb) {
        pack_rows(dtype, b, ldb, k, n, packed);
        b = packed;
        ldb = n;
    }
    loops->product[dtype](m, n, k, a, ta ? 1 : lda, ta ? lda : 1, b, NULL, ldb, c, ldc, beta == 1);
    return 1;
}

enum status gemm_open(int tb, int64_t m, int64_t n, int64_t k)
{
    return is_small(tb, m, n, k) ? STATUS_OK : blas_open();
}

#define TILE_M 192
#define TILE_N 384
#define PIECE_WORK (1 << 29) /* multiply-adds of one call of the library, which cannot be interrupted */
#define LONG_SUM 65536

/* Pieces of rows and columns; sums are cut only where they are so long that a few of them are too much
 * work. */
void gemm(enum dtype dtype, int ta, int tb, int64_t m, int64_t n, int64_t k, double alpha, const void *a,
          int64_t lda, const void *b, int64_t ldb, double beta, void *c, int64_t ldc)
{
    if (m == 0 || n == 0) return;
    if (small_product(dtype, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc)) return;
    int64_t size = (int64_t)dtype_size(dtype), rows = m, columns = n, depth = k < 2 * LONG_SUM ? k : LONG_SUM;
    while ((double)rows * (double)columns * (double)depth > PIECE_WORK &&
           (rows > TILE_M / 4 || columns > TILE_N / 4)) {
        if (rows * TILE_N > columns * TILE_M)
            rows = rows > TILE_M ? (rows / 2 + TILE_M - 1) / TILE_M * TILE_M : rows / 2;
        else
            columns = columns > TILE_N ? (columns / 2 + TILE_N - 1) / TILE_N * TILE_N : columns / 2;
    }
    for (int64_t i = 0; i < m; i += rows)
        for (int64_t j = 0; j < n; j += columns)
            for (int64_t l = 0, part; l < k || l == 0; l += part) {
                part = k - l < 2 * depth ? k - l : depth;
                if (interrupt_stop()) return;
                blas_product(dtype, ta, tb, m - i < rows ? m - i : rows, n - j < columns ? n - j : columns,
                             part, alpha, (const char *)a + (ta ? l * lda + i : i * lda + l) * size, lda,
                             (const char *)b + (tb ? j * ldb + l : l * ldb + j) * size, ldb, l > 0 ? 1 : beta,
                             (char *)c + (i * ldc + j) * size, ldc);
                if (part == 0) break;
            }
}

#define PARALLEL_WORK (1 << 21) /* multiply-adds below which one thread is faster */

struct gemm_job {
    enum dtype dtype;
    int ta, tb;
    int64_t m, n, k, lda, ldb, ldc, tiles_n;
    double alpha, beta;
    const char *a, *b;
    char *c;
};

static void gemm_task(void *context, int64_t task)
{
    const struct gemm_job *j = context;
    int64_t i0 = task / j->tiles_n * TILE_M, j0 = task % j->tiles_n * TILE_N,
            size = (int64_t)dtype_size(j->dtype);
    int64_t m = j->m - i0 < TILE_M ? j->m - i0 : TILE_M, n = j->n - j0 < TILE_N ? j->n - j0 : TILE_N;
    gemm(j->dtype, j->ta, j->tb, m, n, j->k, j->alpha, j->a + (j->ta ? i0 : i0 * j->lda) * size, j->lda,
         j->b + (j->tb ? j0 * j->ldb : j0) * size, j->ldb, j->beta, j->c + (i0 * j->ldc + j0) * size, j->ldc);
}

void gemm_parallel(enum dtype dtype, int ta, int tb, int64_t m, int64_t n, int64_t k, double alpha,
                   const void *a, int64_t lda, const void *b, int64_t ldb, double beta, void *c, int64_t ldc)
{
    if ((double)m * (double)n * (double)k < PARALLEL_WORK) {
        gemm(dtype, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
        return;
    }
    struct gemm_job job = {dtype, ta,   tb, m, n, k, lda, ldb, ldc, (n + TILE_N - 1) / TILE_N,
                           alpha, beta, a,  b, c};
    threads_for((m + TILE_M - 1) / TILE_M * job.tiles_n, gemm_task, &job);
}
