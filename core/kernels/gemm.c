#include "kernels/gemm.h"

#include <cblas.h>
#include <dlfcn.h>
#include <stdlib.h>

#include "base/interrupt.h"
#include "base/memory.h"
#include "base/threads.h"
#include "kernels/loops.h"

static struct {
    void *library;
    __typeof__(&cblas_sgemm) sgemm;
    __typeof__(&cblas_dgemm) dgemm;
    void (*set_threads)(int);
    char *(*core_name)(void);
} blas;

/* OpenBLAS reads its environment while it is loaded. A release older than the processor falls back to a slower kernel set (0.3.21
 * runs AVX2 kernels on AMD Zen 4 and 5, half the speed of its AVX-512 ones), so its choice is named here unless the user made one. */
static const char *better_core(void)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (!__builtin_cpu_is("intel") && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl"))
        return "SkylakeX";
#endif
    return NULL;
}

/* The variables are set for the time of loading only, so that programs started later see the user's environment. */
static void load_library(void)
{
    const char *core = getenv("OPENBLAS_CORETYPE") ? NULL : better_core();
    int own_threads = getenv("OPENBLAS_NUM_THREADS") == NULL;
    if (core) setenv("OPENBLAS_CORETYPE", core, 1);
    if (own_threads) setenv("OPENBLAS_NUM_THREADS", "1", 1);
    static const char *const names[] = {"libopenblas.so.0", "libopenblas.so"};
    for (int i = 0; i < 2 && !blas.library; i++) blas.library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
    if (core) unsetenv("OPENBLAS_CORETYPE");
    if (own_threads) unsetenv("OPENBLAS_NUM_THREADS");
}

enum status gemm_open(void)
{
    if (blas.sgemm) return STATUS_OK;
    if (!blas.library) load_library();
    if (!blas.library)
        return status_set(STATUS_UNSUPPORTED, "OpenBLAS cannot be opened (%s); install it, e.g. apt install libopenblas0", dlerror());
    blas.dgemm = (__typeof__(blas.dgemm))dlsym(blas.library, "cblas_dgemm");
    blas.set_threads = (void (*)(int))dlsym(blas.library, "openblas_set_num_threads");
    blas.core_name = (char *(*)(void))dlsym(blas.library, "openblas_get_corename");
    blas.sgemm = (__typeof__(blas.sgemm))dlsym(blas.library, "cblas_sgemm");
    if (!blas.sgemm || !blas.dgemm || !blas.set_threads) {
        blas.sgemm = NULL;
        return status_set(STATUS_UNSUPPORTED, "the installed libopenblas lacks cblas_sgemm; install libopenblas0");
    }
    blas.set_threads(1);
    return STATUS_OK;
}

const char *gemm_core_name(void) { return gemm_open() == STATUS_OK && blas.core_name ? blas.core_name() : "none"; }

#define SMALL_WORK (1 << 22)  /* multiply-adds up to which the engine's own kernel beats the library's preparations */
#define PACKED_ELEMENTS 16384

/* op(B) by rows for a transposed B. */
static void pack_rows(enum dtype dtype, const void *b, int64_t ldb, int64_t k, int64_t n, void *packed)
{
    for (int64_t j = 0; j < n; j++)
        for (int64_t i = 0; i < k; i++) {
            if (dtype == FLOAT32) ((float *)packed)[i * n + j] = ((const float *)b)[j * ldb + i];
            else ((double *)packed)[i * n + j] = ((const double *)b)[j * ldb + i];
        }
}

static int small_product(enum dtype dtype, int ta, int tb, int64_t m, int64_t n, int64_t k, double alpha, const void *a, int64_t lda,
                         const void *b, int64_t ldb, double beta, void *c, int64_t ldc)
{
    _Alignas(64) char packed[PACKED_ELEMENTS * sizeof(double) + MEMORY_SLACK];
    if (m * n > SMALL_WORK || m * n * k > SMALL_WORK || alpha != 1 || (beta != 0 && beta != 1)) return 0;
    if (tb) {
        if (k * n > PACKED_ELEMENTS) return 0;
        pack_rows(dtype, b, ldb, k, n, packed);
        b = packed;
        ldb = n;
    }
    loops->product[dtype](m, n, k, a, ta ? 1 : lda, ta ? lda : 1, b, NULL, ldb, c, ldc, beta == 1);
    return 1;
}

static void library_product(enum dtype dtype, int ta, int tb, int64_t m, int64_t n, int64_t k, double alpha, const void *a, int64_t lda,
                            const void *b, int64_t ldb, double beta, void *c, int64_t ldc)
{
    enum CBLAS_TRANSPOSE opa = ta ? CblasTrans : CblasNoTrans, opb = tb ? CblasTrans : CblasNoTrans;
    if (dtype == FLOAT32)
        blas.sgemm(CblasRowMajor, opa, opb, (blasint)m, (blasint)n, (blasint)k, (float)alpha, a, (blasint)lda, b, (blasint)ldb,
                   (float)beta, c, (blasint)ldc);
    else
        blas.dgemm(CblasRowMajor, opa, opb, (blasint)m, (blasint)n, (blasint)k, alpha, a, (blasint)lda, b, (blasint)ldb, beta, c,
                   (blasint)ldc);
}

#define TILE_M 192
#define TILE_N 384
#define PIECE_WORK (1 << 29) /* multiply-adds of one call of the library, which cannot be interrupted */
#define LONG_SUM 65536

/* Pieces of rows and columns; sums are cut only where they are so long that a few of them are too much work. */
void gemm(enum dtype dtype, int ta, int tb, int64_t m, int64_t n, int64_t k, double alpha, const void *a, int64_t lda, const void *b,
          int64_t ldb, double beta, void *c, int64_t ldc)
{
    if (m == 0 || n == 0) return;
    if (small_product(dtype, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc)) return;
    int64_t size = (int64_t)dtype_size(dtype), rows = m, columns = n, depth = k < 2 * LONG_SUM ? k : LONG_SUM;
    while ((double)rows * (double)columns * (double)depth > PIECE_WORK && (rows > TILE_M / 4 || columns > TILE_N / 4)) {
        if (rows * TILE_N > columns * TILE_M) rows = rows > TILE_M ? (rows / 2 + TILE_M - 1) / TILE_M * TILE_M : rows / 2;
        else columns = columns > TILE_N ? (columns / 2 + TILE_N - 1) / TILE_N * TILE_N : columns / 2;
    }
    for (int64_t i = 0; i < m; i += rows)
        for (int64_t j = 0; j < n; j += columns)
            for (int64_t l = 0, part; l < k || l == 0; l += part) {
                part = k - l < 2 * depth ? k - l : depth;
                if (interrupt_stop()) return;
                library_product(dtype, ta, tb, m - i < rows ? m - i : rows, n - j < columns ? n - j : columns, part, alpha,
                                (const char *)a + (ta ? l * lda + i : i * lda + l) * size, lda,
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
    int64_t i0 = task / j->tiles_n * TILE_M, j0 = task % j->tiles_n * TILE_N, size = (int64_t)dtype_size(j->dtype);
    int64_t m = j->m - i0 < TILE_M ? j->m - i0 : TILE_M, n = j->n - j0 < TILE_N ? j->n - j0 : TILE_N;
    gemm(j->dtype, j->ta, j->tb, m, n, j->k, j->alpha, j->a + (j->ta ? i0 : i0 * j->lda) * size, j->lda,
         j->b + (j->tb ? j0 * j->ldb : j0) * size, j->ldb, j->beta, j->c + (i0 * j->ldc + j0) * size, j->ldc);
}

void gemm_parallel(enum dtype dtype, int ta, int tb, int64_t m, int64_t n, int64_t k, double alpha, const void *a, int64_t lda,
                   const void *b, int64_t ldb, double beta, void *c, int64_t ldc)
{
    if ((double)m * (double)n * (double)k < PARALLEL_WORK) {
        gemm(dtype, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
        return;
    }
    struct gemm_job job = {dtype, ta, tb, m, n, k, lda, ldb, ldc, (n + TILE_N - 1) / TILE_N, alpha, beta, a, b, c};
    threads_for((m + TILE_M - 1) / TILE_M * job.tiles_n, gemm_task, &job);
}
