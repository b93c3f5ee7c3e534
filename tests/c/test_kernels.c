/* test_kernels.c -- floors 0 to 2: generator, threads, loops, reductions, matrix products, convolutions, each
 * against a naive loop. */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/rng.h"
#include "base/threads.h"
#include "check.h"
#include "dice.h"
#include "kernels/blas.h"
#include "kernels/conv.h"
#include "kernels/elementwise.h"
#include "kernels/gemm.h"
#include "kernels/reduce.h"

/* ---- generator ---- */

static void philox_vectors(void)
{
    static const struct {
        uint32_t counter[4], key[2], out[4];
    } known[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        uint32_t out[4];
        rng_philox(known[i].counter, known[i].key, out);
        CHECK(memcmp(out, known[i].out, sizeof out) == 0, "vector %zu", i);
    }
}

/* Bounds are four standard errors: of the mean 1/sqrt(n), of the variance sqrt(2/n), of the fourth moment
 * sqrt(96/n). */
static void normal_moments(void)
{
    enum { CHUNK = 100000, CHUNKS = 100 };
    struct rng rng = {.seed = 7};
    double *x = memory_alloc(CHUNK * sizeof *x), m1 = 0, m2 = 0, m3 = 0, m4 = 0, n = (double)CHUNK * CHUNKS;
    for (int c = 0; c < CHUNKS; c++) {
        rng_normal_f64(&rng, CHUNK, x);
        for (int i = 0; i < CHUNK; i++) {
            double v = x[i], s = v * v;
            m1 += v;
            m2 += s;
            m3 += s * v;
            m4 += s * s;
        }
    }
    CHECK(fabs(m1 / n) < 4 / sqrt(n), "mean %g", m1 / n);
    CHECK(fabs(m2 / n - 1) < 4 * sqrt(2 / n), "variance %g", m2 / n);
    CHECK(fabs(m3 / n) < 4 * sqrt(15 / n), "third moment %g", m3 / n);
    CHECK(fabs(m4 / n - 3) < 4 * sqrt(96 / n), "fourth moment %g", m4 / n);
    memory_free(x);
}

static void uniform_and_permutation(void)
{
    struct rng a = {.seed = 3}, b = {.seed = 3}, c = {.seed = 4};
    enum { N = 100001 };
    double *x = memory_alloc(N * sizeof *x), *y = memory_alloc(N * sizeof *y), mean = 0;
    rng_uniform_f64(&a, N, x);
    rng_uniform_f64(&b, N, y);
    CHECK(memcmp(x, y, N * sizeof *x) == 0);
    rng_uniform_f64(&c, N, y);
    CHECK(memcmp(x, y, N * sizeof *x) != 0);
    for (int i = 0; i < N; i++) {
        CHECK(x[i] >= 0 && x[i] < 1);
        mean += x[i] / N;
    }
    CHECK(fabs(mean - 0.5) < 4 / sqrt(12.0 * N), "mean %g", mean);
    int64_t order[500], seen[501] = {0};
    rng_permutation(&a, 500, 1, order);
    for (int i = 0; i < 500; i++) seen[order[i]]++;
    for (int i = 1; i <= 500; i++) CHECK(seen[i] == 1);
    for (uint64_t n = 1; n < 50; n++) CHECK(rng_below(&a, n) < n);
    memory_free(x);
    memory_free(y);
}

/* ---- threads ---- */

static void count_task(void *context, int64_t task) { ((_Atomic int *)context)[task]++; }

static void nested_task(void *context, int64_t task)
{
    threads_for(3, count_task, (_Atomic int *)context + 3 * task);
}

static void denormal_task(void *context, int64_t task)
{
    volatile double tiny = 5e-324, one = 1;
    ((double *)context)[task] = tiny * one;
}

static void thread_pool(void)
{
    for (int n = 1; n <= 5; n++) {
        _Atomic int counts[300] = {0};
        double tiny[64] = {0};
        threads_set(n);
        for (int repeat = 0; repeat < 200; repeat++) threads_for(100, count_task, counts);
        for (int i = 0; i < 100; i++) CHECK(counts[i] == 200);
        memset((void *)counts, 0, sizeof counts);
        threads_for(100, nested_task, counts);
        for (int i = 0; i < 300; i++) CHECK(counts[i] == 1);
        threads_for(64, denormal_task, tiny);
        for (int i = 0; i < 64; i++) CHECK(tiny[i] == 5e-324);
    }
    threads_set(4);
}

/* ---- memory ---- */

static void failing_memory(void)
{
    struct memory_stats before = memory_get_stats();
    memory_fail_after(2, 0);
    void *a = memory_alloc(10), *b = memory_alloc(10), *c = memory_alloc(10), *d = memory_alloc(10);
    CHECK(a && b && !c && d);
    CHECK(strstr(status_message(), "memory") != NULL);
    memory_fail_after(0, 1);
    CHECK(!memory_alloc(1) && !memory_zalloc(1, 1) && !memory_strdup("x"));
    memory_fail_after(-1, 0);
    CHECK(!memory_alloc(SIZE_MAX) && !memory_zalloc(SIZE_MAX, 2));
    char *text = memory_strdup("tide");
    text = memory_realloc(text, 100);
    CHECK(strcmp(text, "tide") == 0);
    memory_free(text);
    memory_free(a);
    memory_free(b);
    memory_free(d);
    memory_free(NULL);
    CHECK(memory_get_stats().live_blocks == before.live_blocks &&
          memory_get_stats().live_bytes == before.live_bytes);
}

/* ---- layouts ---- */

/* A strided view with random shape, and the memory it lies in: permuted, sliced, reversed or broadcast
 * axes. */
static struct array random_view(enum dtype dtype, int rank, const int64_t *shape, void **block)
{
    struct array a = {.dtype = dtype, .rank = rank};
    int order[MAX_RANK];
    int64_t total = 1, first = 0;
    for (int i = 0; i < rank; i++) order[i] = i;
    for (int i = rank - 1; i > 0; i--) {
        int j = (int)pick(0, i), swap = order[i];
        if (pick(0, 1)) continue;
        order[i] = order[j];
        order[j] = swap;
    }
    for (int i = rank - 1; i >= 0; i--) {
        int axis = order[i];
        int64_t n = shape[axis] > 0 ? shape[axis] : 1, kind = pick(0, 5);
        a.shape[axis] = shape[axis];
        if (kind == 0) { /* reversed */
            a.stride[axis] = -total;
            first += total * (n - 1);
            total *= n;
        } else if (kind == 1) { /* every second one */
            a.stride[axis] = 2 * total;
            total *= 2 * n;
        } else if (kind == 2) { /* repeated */
            a.stride[axis] = 0;
        } else {
            a.stride[axis] = total;
            total *= n;
        }
    }
    *block = fresh(dtype, total);
    a.data = (char *)*block + first * (int64_t)dtype_size(dtype);
    return a;
}

static int random_shape(int64_t *shape, int64_t largest)
{
    int rank = (int)pick(0, 5);
    for (int i = 0; i < rank; i++) shape[i] = pick(0, 9) == 0 ? 0 : pick(0, 3) == 0 ? 1 : pick(1, largest);
    return rank;
}

static void strided_copies(void)
{
    for (int trial = 0; trial < 3000; trial++) {
        int64_t shape[MAX_RANK];
        int rank = random_shape(shape, 5);
        enum dtype dtype = (enum dtype)pick(0, 3);
        void *block;
        struct array a = random_view(dtype, rank, shape, &block), dense;
        CHECK_OK(array_init(&dense, dtype, rank, shape));
        dense.data = memory_alloc(array_bytes(&dense));
        array_copy_dense(&a, dense.data);
        for (int64_t i = 0; i < array_numel(&a); i++) CHECK(array_get(&a, i) == array_get(&dense, i));
        memory_free(block);
        memory_free(dense.data);
    }
}

static void bad_layouts(void)
{
    struct array a;
    CHECK(array_init(&a, FLOAT32, 9, (int64_t[9]){1}) == STATUS_SHAPE);
    CHECK(array_init(&a, FLOAT32, 1, (int64_t[]){-1}) == STATUS_SHAPE);
    CHECK(array_init(&a, FLOAT32, 2, (int64_t[]){INT64_MAX, 2}) == STATUS_SHAPE);
    CHECK(array_init(&a, FLOAT64, 4, (int64_t[]){MAX_DIM, MAX_DIM, MAX_DIM, 1}) == STATUS_SHAPE);
    CHECK(array_init(&a, FLOAT64, 4, (int64_t[]){0, MAX_DIM, MAX_DIM, MAX_DIM}) == STATUS_SHAPE);
    CHECK(array_init(&a, FLOAT32, 2, (int64_t[]){0, 5}) == STATUS_OK && array_numel(&a) == 0);
    enum dtype dtype;
    CHECK(dtype_find("float32", &dtype) == STATUS_OK && dtype == FLOAT32);
    CHECK(dtype_find("F32", &dtype) == STATUS_DTYPE && strstr(status_message(), "float64"));
}

/* ---- elementwise ---- */

static void broadcast_loops(void)
{
    for (int trial = 0; trial < 3000; trial++) {
        int64_t shape[MAX_RANK], part[2][MAX_RANK], full[MAX_RANK];
        int rank = random_shape(shape, trial % 100 == 0 ? 40 : 4), full_rank;
        struct array in[2], out;
        void *block[2];
        for (int k = 0; k < 2; k++) { /* operands may miss leading axes and have size 1 anywhere */
            int skip = (int)pick(0, pick(0, rank));
            for (int i = skip; i < rank; i++) part[k][i - skip] = pick(0, 2) == 0 ? 1 : shape[i];
            in[k] = random_view(FLOAT64, rank - skip, part[k], &block[k]);
        }
        CHECK_OK(broadcast_shapes(&in[0], &in[1], &full_rank, full));
        CHECK_OK(array_init(&out, FLOAT64, full_rank, full));
        double *got = out.data = memory_alloc(array_bytes(&out) + 8);
        struct loop_plan plan;
        struct array view[2];
        for (int k = 0; k < 2; k++) broadcast_view(&in[k], full_rank, full, &view[k]);
        loop_plan(&plan, &out, (const struct array *[]){&in[0], &in[1]}, 2);
        loop_run_binary(&plan, loops->binary[BINARY_SUB][FLOAT64], in[0].data, in[1].data, got);
        for (int64_t i = 0; i < array_numel(&out); i++)
            CHECK(got[i] == array_get(&view[0], i) - array_get(&view[1], i));
        loop_plan(&plan, &out, (const struct array *[]){&in[1]}, 1);
        loop_run_unary(&plan, loops->unary[UNARY_NEG][FLOAT64], in[1].data, got);
        for (int64_t i = 0; i < array_numel(&out); i++) CHECK(got[i] == -array_get(&view[1], i));
        memory_free(block[0]);
        memory_free(block[1]);
        memory_free(got);
    }
}

/* Every instruction set computes nearly the same as the generic loops: 4 units in the last place, except
 * where cancellation in the expression itself magnifies a fused multiply-add. */
/* Two sets may differ by fused multiply-adds. */
static void check_same(enum dtype dtype, int64_t n, const void *a, const void *b, const char *what, int op)
{
    double eps = dtype == FLOAT32 ? FLT_EPSILON : DBL_EPSILON;
    for (int64_t i = 0; i < n; i++) {
        double u = at(dtype, a, i), v = at(dtype, b, i);
        CHECK((u != u && v != v) || fabs(u - v) <= 4 * eps * fmax(1, fabs(u)), "%s %s %d: %g %g", loops->name,
              what, op, u, v);
    }
}

static void instruction_sets(void)
{
    static const char *const names[] = {"avx2", "avx512"};
    const struct loops *best = loops;
    enum { N = 1037 };
    int64_t n[2] = {1, N}, unit[2] = {0, 1};
    CHECK_OK(loops_select("generic"));
    const struct loops *generic = loops;
    CHECK(loops_select("sse9") == STATUS_ARGUMENT);
    for (int s = 0; s < 2; s++) {
        if (loops_select(names[s]) != STATUS_OK) continue;
        for (int dtype = FLOAT32; dtype <= FLOAT64; dtype++) {
            void *x = fresh((enum dtype)dtype, N), *y = fresh((enum dtype)dtype, N),
                 *a = fresh((enum dtype)dtype, N), *b = fresh((enum dtype)dtype, N);
            for (int op = 0; op < UNARY_COUNT; op++) {
                generic->unary[op][dtype](n, x, unit, a);
                loops->unary[op][dtype](n, x, unit, b);
                check_same((enum dtype)dtype, N, a, b, "unary", op);
            }
            for (int op = 0; op < BINARY_EQ; op++) {
                generic->binary[op][dtype](n, x, unit, y, unit, a);
                loops->binary[op][dtype](n, x, unit, y, unit, b);
                check_same((enum dtype)dtype, N, a, b, "binary", op);
            }
            double u = generic->sum[dtype](N, x, 1), v = loops->sum[dtype](N, x, 1);
            CHECK(fabs(u - v) <= 1e-12 * N);
            CHECK(generic->max[dtype](N, x, 1) == loops->max[dtype](N, x, 1) &&
                  generic->min[dtype](N, x, 1) == loops->min[dtype](N, x, 1));
            memory_free(x);
            memory_free(y);
            memory_free(a);
            memory_free(b);
        }
    }
    loops = best;
}

static void casts(void)
{
    const double in[] = {-1e30, -1.5, -0.0, 0.9, 254.9, 256, 1e30, NAN, INFINITY, -INFINITY};
    enum { N = sizeof in / sizeof *in };
    const int64_t want[] = {INT64_MIN, -1, 0, 0, 254, 256, INT64_MAX, 0, INT64_MAX, INT64_MIN};
    const uint8_t bytes[] = {0, 0, 0, 0, 254, 255, 255, 0, 255, 0};
    int64_t n[2] = {1, N}, unit[2] = {0, 1}, out[N];
    uint8_t small[N];
    loops->cast[FLOAT64][INT64](n, in, unit, out);
    loops->cast[FLOAT64][UINT8](n, in, unit, small);
    CHECK(memcmp(out, want, sizeof out) == 0);
    CHECK(memcmp(small, bytes, sizeof small) == 0);
    for (int from = 0; from < DTYPE_COUNT; from++)
        for (int to = 0; to < DTYPE_COUNT; to++) CHECK(loops->cast[from][to] != NULL);
}

static void special_values(void)
{
    const double x[] = {1000, -1000, 745, -745, 0, NAN, INFINITY, -INFINITY};
    double y[8];
    int64_t n[2] = {1, 8}, unit[2] = {0, 1};
    loops->unary[UNARY_SOFTPLUS][FLOAT64](n, x, unit, y);
    CHECK(y[0] == 1000 && y[1] == 0 && y[2] == 745 && y[3] > 0 && y[4] == log1p(1) && y[5] != y[5] &&
          y[6] == INFINITY && y[7] == 0);
    loops->unary[UNARY_SIGMOID][FLOAT64](n, x, unit, y);
    CHECK(y[0] == 1 && y[1] == 0 && y[4] == 0.5 && y[5] != y[5] && y[6] == 1 && y[7] == 0);
    loops->unary[UNARY_RELU][FLOAT64](n, x, unit, y);
    CHECK(y[0] == 1000 && y[1] == 0 && y[5] != y[5] && y[6] == INFINITY && y[7] == 0);
    loops->unary[UNARY_TANH][FLOAT64](n, x, unit, y);
    CHECK(y[0] == 1 && y[1] == -1 && y[5] != y[5]);
    double z[8] = {NAN, NAN, 1, 1, NAN, 1, NAN, NAN};
    loops->binary[BINARY_MAXIMUM][FLOAT64](n, x, unit, z, unit, y);
    for (int i = 0; i < 8; i++) CHECK((x[i] != x[i] || z[i] != z[i]) == (y[i] != y[i]), "NaN %d", i);
    /* float32 softplus against double: within 4 units in the last place */
    for (float v = -90; v < 90; v += 0.37f) {
        float got;
        int64_t one[2] = {1, 1};
        loops->unary[UNARY_SOFTPLUS][FLOAT32](one, &v, unit, &got);
        double want = (v > 0 ? (double)v : 0) + log1p(exp(-fabs((double)v)));
        CHECK(fabs((double)got - want) <= 4 * (double)FLT_EPSILON * want + 1e-44, "softplus(%g)", (double)v);
    }
}

/* ---- reductions ---- */

/* The reduction over the axes in `mask`, and sums of magnitudes. */
static void reduce_plainly(const struct array *a, enum reduction kind, unsigned mask, const int64_t *kept,
                           int64_t outputs, double *want, double *size)
{
    char *started = memory_zalloc((size_t)outputs + 1, 1);
    for (int64_t i = 0; i < array_numel(a); i++) {
        int64_t rest = i, index = 0, stride = 1;
        for (int axis = a->rank - 1; axis >= 0; axis--) {
            int64_t position = rest % a->shape[axis];
            rest /= a->shape[axis];
            if (!(mask >> axis & 1)) index += position * stride;
            stride *= kept[axis];
        }
        double v = array_get(a, i), *w = &want[index];
        if (kind == REDUCE_SUM)
            *w += v;
        else if (!started[index] || (kind == REDUCE_MAX ? v > *w : v < *w))
            *w = v;
        size[index] += fabs(v);
        started[index] = 1;
    }
    memory_free(started);
}

static void reductions_against_loops(void)
{
    for (int trial = 0; trial < 4000; trial++) {
        int64_t shape[MAX_RANK];
        int rank = random_shape(shape, trial % 50 == 0 ? 30 : 4);
        enum dtype dtype = (enum dtype)pick(0, 2);
        enum reduction kind = (enum reduction)pick(0, 2);
        unsigned mask = (unsigned)pick(0, (1 << rank) - 1);
        void *block;
        struct array a = random_view(dtype, rank, shape, &block), out;
        int64_t kept[MAX_RANK], numel = array_numel(&a);
        for (int i = 0; i < rank; i++) kept[i] = mask >> i & 1 ? 1 : shape[i];
        CHECK_OK(array_init(&out, dtype, rank, kept));
        int64_t outputs = array_numel(&out);
        int empty = numel == 0 && outputs > 0;
        if (empty && kind != REDUCE_SUM) {
            memory_free(block);
            continue;
        }
        out.data = memory_alloc(array_bytes(&out) + 8);
        double *want = memory_zalloc((size_t)outputs + 1, sizeof *want),
               *size = memory_zalloc((size_t)outputs + 1, sizeof *size);
        reduce_plainly(&a, kind, mask, kept, outputs, want, size);
        struct reduce_plan plan;
        reduce_plan(&plan, kind, &a, mask);
        reduce_run(&plan, a.data, out.data);
        for (int64_t i = 0; i < outputs; i++) {
            double slack = kind == REDUCE_SUM ? (dtype == FLOAT32 ? 1e-6 : 1e-14) * size[i] : 0;
            CHECK(fabs(array_get(&out, i) - want[i]) <= slack, "dtype %d kind %d: %g, want %g", dtype, kind,
                  array_get(&out, i), want[i]);
        }
        memory_free(block);
        memory_free(out.data);
        memory_free(want);
        memory_free(size);
    }
}

static void sums_of_ten_million(void)
{
    enum { N = 10000000 };
    double *x = memory_alloc(N * sizeof *x), got;
    float *f = memory_alloc(N * sizeof *f), got32;
    rng_uniform_f64(&dice, N, x);
    long double exact = 0, exact32 = 0;
    for (int i = 0; i < N; i++) {
        f[i] = (float)x[i];
        exact += x[i];
        exact32 += f[i];
    }
    struct reduce_plan plan;
    struct array a = {.dtype = FLOAT64, .rank = 1, .shape = {N}, .stride = {1}, .data = x}, b = a;
    reduce_plan(&plan, REDUCE_SUM, &a, 1);
    reduce_run(&plan, x, &got);
    CHECK(fabsl(got - exact) <= 1e-14L * exact, "relative %Lg", fabsl(got - exact) / exact);
    /* the same numbers as a transposed matrix, and as columns added up */
    b.rank = 2;
    b.shape[0] = 1000;
    b.shape[1] = N / 1000;
    b.stride[0] = 1;
    b.stride[1] = 1000;
    reduce_plan(&plan, REDUCE_SUM, &b, 3);
    reduce_run(&plan, x, &got);
    CHECK(fabsl(got - exact) <= 1e-14L * exact, "relative %Lg", fabsl(got - exact) / exact);
    double columns[10];
    struct array c = {.dtype = FLOAT64, .rank = 2, .shape = {N / 10, 10}, .stride = {10, 1}, .data = x};
    reduce_plan(&plan, REDUCE_SUM, &c, 1);
    reduce_run(&plan, x, columns);
    long double column = 0;
    for (int i = 0; i < N; i += 10) column += x[i];
    CHECK(fabsl(columns[0] - column) <= 1e-14L * column);
    a.dtype = FLOAT32;
    a.data = f;
    reduce_plan(&plan, REDUCE_SUM, &a, 1);
    reduce_run(&plan, f, &got32);
    CHECK(fabsl(got32 - exact32) <= 1e-6L * exact32);
    memory_free(x);
    memory_free(f);
}

static void integer_reductions_are_exact(void)
{
    int64_t x[] = {(INT64_C(1) << 53) + 1, 1, -(INT64_C(1) << 53) - 7, 5}, out;
    struct array a = {.dtype = INT64, .rank = 1, .shape = {4}, .stride = {1}, .data = x};
    static const int64_t want[] = {0, (INT64_C(1) << 53) + 1, -(INT64_C(1) << 53) - 7};
    for (int kind = 0; kind < 3; kind++) {
        struct reduce_plan plan;
        reduce_plan(&plan, (enum reduction)kind, &a, 1);
        reduce_run(&plan, x, &out);
        CHECK(out == want[kind], "kind %d", kind);
    }
}

/* ---- products ---- */

static void gemm_case(enum dtype dtype, int ta, int tb, int64_t m, int64_t n, int64_t k)
{
    int64_t lda = (ta ? m : k) + pick(0, 2), ldb = (tb ? k : n) + pick(0, 2), ldc = n + pick(0, 2);
    void *a = fresh(dtype, (ta ? k : m) * lda + 1), *b = fresh(dtype, (tb ? n : k) * ldb + 1),
         *c = fresh(dtype, m * ldc + 1);
    gemm_parallel(dtype, ta, tb, m, n, k, 1, a, lda, b, ldb, 0, c, ldc);
    double eps = dtype == FLOAT32 ? FLT_EPSILON : DBL_EPSILON;
    int64_t step = m * n * k > 300000 ? m * n / 400 + 1 : 1; /* of a large one, a sample */
    for (int64_t e = 0; e < m * n; e += step) {
        int64_t i = e / n, j = e % n;
        double want = 0, size = 0;
        for (int64_t l = 0; l < k; l++) {
            double term =
                at(dtype, a, ta ? l * lda + i : i * lda + l) * at(dtype, b, tb ? j * ldb + l : l * ldb + j);
            want += term;
            size += fabs(term);
        }
        CHECK(fabs(at(dtype, c, i * ldc + j) - want) <= 3 * (double)k * eps * size + 1e-300,
              "m %lld n %lld k %lld", (long long)m, (long long)n, (long long)k);
    }
    memory_free(a);
    memory_free(b);
    memory_free(c);
}

static void gemm_residuals(void)
{
    static const int64_t primes[] = {1, 2, 7, 31, 61, 67, 127, 131, 191, 193, 383, 389, 509};
    CHECK_OK(blas_open());
    for (int trial = 0; trial < 4000; trial++)
        gemm_case((enum dtype)pick(0, 1), (int)pick(0, 1), (int)pick(0, 1), pick(1, 70), pick(1, 70),
                  pick(1, 70));
    for (int trial = 0; trial < 120; trial++)
        gemm_case((enum dtype)pick(0, 1), (int)pick(0, 1), (int)pick(0, 1), primes[pick(0, 12)],
                  primes[pick(0, 12)], primes[pick(0, 12)]);
}

/* ---- the number of threads does not change a bit ---- */

static void same_bits_for_any_threads(void)
{
    CHECK_OK(blas_open());
    enum { N = 300 };
    struct conv s = {FLOAT32,           20,  16, 12, 12, 16, 3, 3, 1, 1, 1, 1, 1, 1, 1, 12, 12, 1,
                     PRECISION_HIGHEST, NULL},
                t = {FLOAT32,           37,  3, 28, 28, 5, 3, 3, 2, 2, 1, 1, 1, 1, 1, 14, 14, 1,
                     PRECISION_HIGHEST, NULL};
    float *a = fresh(FLOAT32, 400000), *b = fresh(FLOAT32, 400000), *first = memory_zalloc(1200000, 4),
          *now = memory_zalloc(1200000, 4);
    for (int threads = 1; threads <= 4; threads++) {
        float *out = threads == 1 ? first : now;
        threads_set(threads);
        s.lanes = t.lanes = threads;
        gemm_parallel(FLOAT32, 0, 1, N, N + 200, N, 1, a, N, b, N, 0, out, N + 200);
        out += N * (N + 200);
        for (int kind = 0; kind < 3; kind++) {
            const struct conv *shapes[] = {&s, &t};
            for (int i = 0; i < 2; i++) {
                void *scratch = memory_alloc(conv_scratch(shapes[i], (enum conv_kind)kind));
                conv_run(shapes[i], (enum conv_kind)kind, a, b, out, scratch);
                out += 90000;
                memory_free(scratch);
            }
        }
        struct array x = {.dtype = FLOAT32, .rank = 2, .shape = {400, 1000}, .stride = {1000, 1}, .data = a};
        for (unsigned mask = 0; mask < 4; mask++) {
            struct reduce_plan plan;
            reduce_plan(&plan, REDUCE_SUM, &x, mask);
            reduce_run(&plan, a, out);
            out += mask == 0 ? 0 : 1000;
        }
        struct loop_plan plan;
        loop_plan(&plan, &x, (const struct array *[]){&x, &x}, 2);
        loop_run_unary(&plan, loops->unary[UNARY_TANH][FLOAT32], a, out);
        if (threads > 1) CHECK(memcmp(first, now, 1200000 * 4) == 0, "%d threads", threads);
    }
    threads_set(4);
    memory_free(a);
    memory_free(b);
    memory_free(first);
    memory_free(now);
}

int main(int argc, char **argv)
{
    static const struct check_test tests[] = {
        {"philox vectors", philox_vectors},
        {"normal moments", normal_moments},
        {"uniform and permutation", uniform_and_permutation},
        {"thread pool", thread_pool},
        {"failing memory", failing_memory},
        {"strided copies", strided_copies},
        {"bad layouts", bad_layouts},
        {"broadcast loops", broadcast_loops},
        {"instruction sets", instruction_sets},
        {"casts", casts},
        {"special values", special_values},
        {"reductions against loops", reductions_against_loops},
        {"sums of ten million", sums_of_ten_million},
        {"integer reductions are exact", integer_reductions_are_exact},
        {"gemm residuals", gemm_residuals},
        {"same bits for any number of threads", same_bits_for_any_threads},
    };
    return check_main(tests, sizeof tests / sizeof *tests, argc, argv);
}
