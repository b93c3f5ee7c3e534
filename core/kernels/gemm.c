#include "kernels/gemm.h"

#include "base/interrupt.h"
#include "base/memory.h"
#include "base/threads.h"
#include "base/tuning.h"
#include "kernels/blas.h"
#include "kernels/loops.h"

/* op(B) by rows for a transposed B. */
static void pack_rows(enum dtype dtype, const void *b, int64_t ldb, int64_t k, int64_t n, void *packed)
{
    if (dtype == FLOAT32)
        loops->winograd->transpose(n, k, b, ldb, packed, n);
    else
        for (int64_t j = 0; j < n; j++)
            for (int64_t i = 0; i < k; i++) ((double *)packed)[i * n + j] = ((const double *)b)[j * ldb + i];
}

static int is_small(int tb, int64_t m, int64_t n, int64_t k)
{
    return (double)m * (double)n * (double)(k > 0 ? k : 1) <= GEMM_SMALL_WORK &&
           (!tb || (double)k * (double)n <= GEMM_PACKED_ELEMENTS);
}

static int small_product(enum dtype dtype, int ta, int tb, int64_t m, int64_t n, int64_t k, double alpha,
                         const void *a, int64_t lda, const void *b, int64_t ldb, double beta, void *c,
                         int64_t ldc)
{
    _Alignas(64) char packed[GEMM_PACKED_ELEMENTS * sizeof(double) + MEMORY_SLACK];
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

/* Pieces of rows and columns; sums are cut only where they are so long that a few of them are too much
 * work. */
void gemm(enum dtype dtype, int ta, int tb, int64_t m, int64_t n, int64_t k, double alpha, const void *a,
          int64_t lda, const void *b, int64_t ldb, double beta, void *c, int64_t ldc)
{
    if (m == 0 || n == 0) return;
    if (small_product(dtype, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc)) return;
    int64_t size = (int64_t)dtype_size(dtype), rows = m, columns = n,
            depth = k < 2 * GEMM_LONG_SUM ? k : GEMM_LONG_SUM;
    while ((double)rows * (double)columns * (double)depth > GEMM_PIECE_WORK &&
           (rows > GEMM_TILE_ROWS / 4 || columns > GEMM_TILE_COLUMNS / 4)) {
        if (rows * GEMM_TILE_COLUMNS > columns * GEMM_TILE_ROWS)
            rows = rows > GEMM_TILE_ROWS ? (rows / 2 + GEMM_TILE_ROWS - 1) / GEMM_TILE_ROWS * GEMM_TILE_ROWS
                                         : rows / 2;
        else
            columns = columns > GEMM_TILE_COLUMNS
                          ? (columns / 2 + GEMM_TILE_COLUMNS - 1) / GEMM_TILE_COLUMNS * GEMM_TILE_COLUMNS
                          : columns / 2;
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

int64_t gemm_task_rows(int64_t m, int64_t most)
{
    int64_t rows = (m + GEMM_TASKS - 1) / GEMM_TASKS;
    rows = (rows + LAYER_BLOCK_ROWS - 1) / LAYER_BLOCK_ROWS * LAYER_BLOCK_ROWS;
    return rows < most ? rows : most;
}

struct gemm_job {
    enum dtype dtype;
    int ta, tb;
    int64_t m, n, k, lda, ldb, ldc, rows, columns, tiles_n;
    double alpha, beta;
    const char *a, *b;
    char *c;
};

static void gemm_task(void *context, int64_t task)
{
    const struct gemm_job *j = context;
    int64_t i0 = task / j->tiles_n * j->rows, j0 = task % j->tiles_n * j->columns,
            size = (int64_t)dtype_size(j->dtype);
    int64_t m = j->m - i0 < j->rows ? j->m - i0 : j->rows,
            n = j->n - j0 < j->columns ? j->n - j0 : j->columns;
    gemm(j->dtype, j->ta, j->tb, m, n, j->k, j->alpha, j->a + (j->ta ? i0 : i0 * j->lda) * size, j->lda,
         j->b + (j->tb ? j0 * j->ldb : j0) * size, j->ldb, j->beta, j->c + (i0 * j->ldc + j0) * size, j->ldc);
}

void gemm_parallel(enum dtype dtype, int ta, int tb, int64_t m, int64_t n, int64_t k, double alpha,
                   const void *a, int64_t lda, const void *b, int64_t ldb, double beta, void *c, int64_t ldc)
{
    if ((double)m * (double)n * (double)k < PRODUCT_PARALLEL_WORK) {
        gemm(dtype, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
        return;
    }
    struct gemm_job job = {.dtype = dtype,
                           .ta = ta,
                           .tb = tb,
                           .m = m,
                           .n = n,
                           .k = k,
                           .lda = lda,
                           .ldb = ldb,
                           .ldc = ldc,
                           .rows = GEMM_TILE_ROWS,
                           .columns = GEMM_TILE_COLUMNS,
                           .alpha = alpha,
                           .beta = beta,
                           .a = a,
                           .b = b,
                           .c = c};
    if (is_small(tb, m, n, k)) { /* all columns, which decide on the way that it is made */
        job.rows = gemm_task_rows(m, GEMM_TILE_ROWS);
        job.columns = n;
    }
    job.tiles_n = (n + job.columns - 1) / job.columns;
    threads_for((m + job.rows - 1) / job.rows * job.tiles_n, gemm_task, &job);
}
