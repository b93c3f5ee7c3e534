#include "kernels/blas.h"

#include <cblas.h>
#include <dlfcn.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>

#include "base/threads.h"

#define BUFFER_BYTES                                                                                         \
    ((size_t)192 << 20) /* more than any release takes (128 MiB), with what its functions need besides */
#define MOST_BUFFERS 64 /* that a library for 32 threads has places for */

static struct {
    void *library;
    __typeof__(&cblas_sgemm) sgemm;
    __typeof__(&cblas_dgemm) dgemm;
    void (*factor[2][2])(int *, int *, void *, int *, int *, int *); /* by dtype, complex: getrf, getrs */
    void (*solve[2][2])(char *, int *, int *, const void *, int *, const int *, void *, int *, int *, size_t);
    char *(*core_name)(void), *(*config)(void);
    void *(*take)(int);
    void (*give)(void *);
    const char *file;
    char version[32], why[128];
    unsigned openings; /* how often it was loaded */
    int buffers;       /* reserved */
    sem_t waiting;     /* counts those that no product uses */
} blas;

/* ---- which kernels ---- */

int blas_ability(void)
{
#if defined(__x86_64__)
    __builtin_cpu_init(); /* asks the system too, whether it saves the registers */
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("fma"))
        return 3;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return 2;
    if (__builtin_cpu_supports("avx")) return 1;
#endif
    return 0;
}

static const char *const sse_cores[] = {"Prescott", "Core2",   "Penryn",       "Dunnington", "Nehalem",
                                        "Atom",     "Opteron", "Opteron_SSE3", "Barcelona",  "Bobcat",
                                        "Nano",     "Katmai",  "Coppermine",   "Northwood",  "Banias"};
static const char *const avx_cores[] = {"Sandybridge", "Bulldozer", "Piledriver", "Steamroller"};
static const char *const avx2_cores[] = {"Haswell", "Zen", "Excavator"};

static int is_one_of(const char *name, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcasecmp(name, list[i]) == 0) return 1;
    return 0;
}
#define IS_ONE_OF(name, list) is_one_of(name, list, sizeof(list) / sizeof *(list))

const char *blas_better_core(const char *core, int ability)
{
    static const char *const best[] = {NULL, "Sandybridge", "Haswell", "SkylakeX"};
    int level = IS_ONE_OF(core, sse_cores)    ? 0
                : IS_ONE_OF(core, avx_cores)  ? 1
                : IS_ONE_OF(core, avx2_cores) ? 2
                                              : 3;
    return level < ability ? best[ability] : NULL;
}

/* ---- loading ---- */

/* The variables are set for the time of loading only, so that programs started later see the user's
 * environment. */
static void load(const char *core)
{
    static const char *const names[] = {"libopenblas.so.0", "libopenblas.so"};
    int own_threads = getenv("OPENBLAS_NUM_THREADS") == NULL;
    if (core) setenv("OPENBLAS_CORETYPE", core, 1);
    if (own_threads) setenv("OPENBLAS_NUM_THREADS", "1", 1);
    for (int i = 0; i < 2 && !blas.library; i++)
        blas.library = dlopen(blas.file = names[i], RTLD_NOW | RTLD_LOCAL);
    if (core) unsetenv("OPENBLAS_CORETYPE");
    if (own_threads) unsetenv("OPENBLAS_NUM_THREADS");
    if (!blas.library) return;
    blas.openings++;
    blas.sgemm = (__typeof__(blas.sgemm))dlsym(blas.library, "cblas_sgemm");
    blas.dgemm = (__typeof__(blas.dgemm))dlsym(blas.library, "cblas_dgemm");
    static const char *const factors[2][2] = {{"sgetrf_", "cgetrf_"}, {"dgetrf_", "zgetrf_"}};
    static const char *const solves[2][2] = {{"sgetrs_", "cgetrs_"}, {"dgetrs_", "zgetrs_"}};
    for (int i = 0; i < 4; i++) { /* FLOAT32, FLOAT64 */
        blas.factor[i / 2][i % 2] = (__typeof__(blas.factor[0][0]))dlsym(blas.library, factors[i / 2][i % 2]);
        blas.solve[i / 2][i % 2] = (__typeof__(blas.solve[0][0]))dlsym(blas.library, solves[i / 2][i % 2]);
    }
    blas.core_name = (char *(*)(void))dlsym(blas.library, "openblas_get_corename");
    blas.config = (char *(*)(void))dlsym(blas.library, "openblas_get_config");
    blas.take = (void *(*)(int))dlsym(blas.library, "blas_memory_alloc");
    blas.give = (void (*)(void *))dlsym(blas.library, "blas_memory_free");
    void (*set_threads)(int) = (void (*)(int))dlsym(blas.library, "openblas_set_num_threads");
    if (set_threads) set_threads(1);
}

static void unload(void)
{
    if (blas.library) dlclose(blas.library);
    blas.library = NULL;
    if (blas.buffers > 0) sem_destroy(&blas.waiting);
    blas.buffers = 0;
}

static const char *core_of_library(void) { return blas.core_name ? blas.core_name() : "unknown"; }

/* Is there memory for one more buffer? */
static int room_for_buffer(void)
{
    void *probe = mmap(NULL, BUFFER_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (probe == MAP_FAILED) return 0;
    munmap(probe, BUFFER_BYTES);
    return 1;
}

/* As many as there are threads. All are held before the first is given back: so each is another one. */
static enum status reserve_buffers(void)
{
    void *held[MOST_BUFFERS];
    int wanted = threads_count() < MOST_BUFFERS ? threads_count() : MOST_BUFFERS, n = 0;
    if (blas.buffers >= wanted) return STATUS_OK;
    while (n < wanted && room_for_buffer()) held[n++] = blas.take ? blas.take(1) : NULL;
    for (int i = 0; i < n; i++)
        if (held[i]) blas.give(held[i]);
    if (n == 0 && blas.buffers == 0)
        return status_set(STATUS_MEMORY,
                          "out of memory: OpenBLAS needs %zu MiB of address space for a product of this size",
                          BUFFER_BYTES >> 20);
    if (blas.buffers > 0 && n > blas.buffers) sem_destroy(&blas.waiting);
    if (n > blas.buffers) sem_init(&blas.waiting, 0, (unsigned)n);
    if (n > blas.buffers) blas.buffers = n;
    return STATUS_OK;
}

#define SIDE 96 /* too large for the library's shortcuts for small products */

static int product_is_right(enum dtype dtype)
{
    static double a[SIDE * SIDE], b[SIDE * SIDE], c[SIDE * SIDE];
    float *fa = (float *)a, *fb = (float *)b, *fc = (float *)c;
    for (int i = 0; i < SIDE * SIDE; i++) {
        if (dtype == FLOAT32)
            fa[i] = (float)(i * 7 % 13 - 6), fb[i] = (float)(i * 5 % 11 - 5);
        else
            a[i] = i * 7 % 13 - 6, b[i] = i * 5 % 11 - 5;
    }
    blas_product(dtype, 0, 0, SIDE, SIDE, SIDE, 1, a, SIDE, b, SIDE, 0, c, SIDE);
    for (int i = 0; i < SIDE; i++)
        for (int j = 0; j < SIDE; j++) {
            int sum = 0;
            for (int k = 0; k < SIDE; k++)
                sum += ((i * SIDE + k) * 7 % 13 - 6) * ((k * SIDE + j) * 5 % 11 - 5);
            if ((dtype == FLOAT32 ? (double)fc[i * SIDE + j] : c[i * SIDE + j]) != sum) return 0;
        }
    return 1;
}

static enum status open_failed(void)
{
    const char *reason = dlerror();
    if (!reason) reason = "it lacks cblas_sgemm or LAPACK";
    if (strstr(reason, "failed to map") || strstr(reason, "allocate memory"))
        return status_set(STATUS_MEMORY, "out of memory: OpenBLAS cannot be loaded (%s)", reason);
    return status_set(STATUS_UNSUPPORTED,
                      "OpenBLAS cannot be opened (%s); install it, e.g. apt install libopenblas0", reason);
}

/* Replace the choice that the library made by a better one, unless that turns out not to be there or not to
 * work. */
static enum status correct_choice(void)
{
    char first[32];
    snprintf(first, sizeof first, "%s", core_of_library());
    const char *better = blas_better_core(first, blas_ability());
    snprintf(blas.why, sizeof blas.why, "the library's choice");
    if (!better) return STATUS_OK;
    unload();
    load(better);
    if (!blas.library || !blas.sgemm || !blas.dgemm) return open_failed();
    TRY(reserve_buffers());
    if (!blas_better_core(core_of_library(), blas_ability()) && product_is_right(FLOAT32) &&
        product_is_right(FLOAT64)) {
        snprintf(blas.why, sizeof blas.why,
                 "asked for: the library by itself took %s, slower than this processor can do", first);
        return STATUS_OK;
    }
    unload();
    load(NULL);
    snprintf(blas.why, sizeof blas.why, "the library's choice; it has no %s that works", better);
    return STATUS_OK;
}

static void read_version(void)
{
    const char *text = blas.config ? blas.config() : "";
    if (sscanf(text, "OpenBLAS %31s", blas.version) != 1)
        snprintf(blas.version, sizeof blas.version, "unknown");
}

static enum status open_as(const char *core)
{
    const char *user = getenv("OPENBLAS_CORETYPE");
    load(core);
    if (!blas.library || !blas.sgemm || !blas.dgemm) return open_failed();
    enum status status = STATUS_OK;
    if (user && *user && !core)
        snprintf(blas.why, sizeof blas.why, "OPENBLAS_CORETYPE=%.40s is set", user);
    else
        status = correct_choice();
    if (status == STATUS_OK && (!blas.library || !blas.sgemm || !blas.dgemm)) status = open_failed();
    read_version();
    return status;
}

enum status blas_open(void)
{
    enum status status = blas.library ? STATUS_OK : open_as(NULL);
    if (status == STATUS_OK) status = reserve_buffers();
    if (status != STATUS_OK && blas.buffers == 0) unload();
    return status;
}

enum status blas_reopen(const char *core)
{
    unload();
    TRY(open_as(core));
    return blas_open();
}

struct blas_choice blas_choice(void)
{
    if (blas_open() != STATUS_OK) return (struct blas_choice){"none", "none", "none", status_message()};
    return (struct blas_choice){blas.file, blas.version, core_of_library(), blas.why};
}

/* Wait for a buffer where there are fewer than threads; returns whether to give it back. */
static int take_turn(void)
{
    if (blas.buffers >= threads_count()) return 0;
    while (sem_wait(&blas.waiting) != 0) { /* a signal came */
    }
    return 1;
}

static void end_turn(int queue)
{
    if (queue) sem_post(&blas.waiting);
}

/* By columns the matrix is the transpose. */
int blas_factor(enum dtype dtype, int pairs, int64_t n, void *a, int *pivot)
{
    int size = (int)n, info = 0, queue = take_turn();
    blas.factor[dtype][pairs](&size, &size, a, &size, pivot, &info);
    end_turn(queue);
    return info == 0;
}

void blas_factor_solve(enum dtype dtype, int pairs, int64_t n, const void *a, const int *pivot, int transpose,
                       void *x)
{
    char op = transpose ? 'N' : 'T';
    int size = (int)n, one = 1, info = 0, queue = take_turn();
    blas.solve[dtype][pairs](&op, &size, &one, a, &size, pivot, x, &size, &info, 1);
    end_turn(queue);
}

void *blas_symbol(const char *name) { return blas.library ? dlsym(blas.library, name) : NULL; }
unsigned blas_openings(void) { return blas.openings; }
int blas_begin(void) { return take_turn(); }
void blas_end(int queue) { end_turn(queue); }

void blas_product(enum dtype dtype, int ta, int tb, int64_t m, int64_t n, int64_t k, double alpha,
                  const void *a, int64_t lda, const void *b, int64_t ldb, double beta, void *c, int64_t ldc)
{
    enum CBLAS_TRANSPOSE opa = ta ? CblasTrans : CblasNoTrans, opb = tb ? CblasTrans : CblasNoTrans;
    int queue = take_turn();
    if (dtype == FLOAT32)
        blas.sgemm(CblasRowMajor, opa, opb, (blasint)m, (blasint)n, (blasint)k, (float)alpha, a, (blasint)lda,
                   b, (blasint)ldb, (float)beta, c, (blasint)ldc);
    else
        blas.dgemm(CblasRowMajor, opa, opb, (blasint)m, (blasint)n, (blasint)k, alpha, a, (blasint)lda, b,
                   (blasint)ldb, beta, c, (blasint)ldc);
    end_turn(queue);
}
