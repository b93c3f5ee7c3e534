/* accuracy.h -- operands with guards, instruction sets, and errors in units: for tests of kernels against a
 * reference of higher precision.
 *
 * Errors are measured in units of eps * sum |a| |b|: what rounding may do to a sum of products, however its
 * terms cancel. For random signs the error of a sum carried in one accumulator is about half a unit whatever
 * its length, so bounds of a few units hold for all sizes and catch a lost bit. Each test prints the worst
 * that it met, so that a change of a kernel shows its price. */
#ifndef TESTS_ACCURACY_H
#define TESTS_ACCURACY_H

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/rng.h"
#include "check.h"
#include "kernels/blas.h"
#include "kernels/loops.h"

static struct rng dice = {.seed = 20261121};

static inline int64_t pick(int64_t low, int64_t high)
{
    return low + (int64_t)rng_below(&dice, (uint64_t)(high - low + 1));
}
static inline double epsilon(enum dtype dtype)
{
    return dtype == FLOAT32 ? (double)FLT_EPSILON : DBL_EPSILON;
}
static const char *const type_name[] = {"float32", "float64"};

static inline double at(enum dtype dtype, const void *x, int64_t i)
{
    return dtype == FLOAT32 ? (double)((const float *)x)[i] : ((const double *)x)[i];
}

static inline void put(enum dtype dtype, void *x, int64_t i, double v)
{
    if (dtype == FLOAT32)
        ((float *)x)[i] = (float)v;
    else
        ((double *)x)[i] = v;
}

/* ---- operands ---- */

/* n elements inside a block that begins with one of padding, so that `x` need not be aligned, and ends with
 * guards. */
struct operand {
    void *block, *x;
    int64_t n;
    enum dtype dtype;
};

#define GUARDS 40
static const double guard = 12345;

static inline struct operand operand(enum dtype dtype, int64_t n)
{
    struct operand o = {
        .n = n, .dtype = dtype, .block = memory_alloc((size_t)(n + 1 + GUARDS) * dtype_size(dtype))};
    o.x = (char *)o.block + (size_t)pick(0, 1) * dtype_size(dtype);
    for (int64_t i = 0; i < GUARDS; i++) put(dtype, o.x, n + i, guard);
    return o;
}

static inline struct operand random_operand(enum dtype dtype, int64_t n)
{
    struct operand o = operand(dtype, n);
    if (dtype == FLOAT32)
        rng_normal_f32(&dice, n, o.x);
    else
        rng_normal_f64(&dice, n, o.x);
    return o;
}

/* NaN everywhere: what a kernel must write, and may not read. */
static inline struct operand blank_operand(enum dtype dtype, int64_t n)
{
    struct operand o = operand(dtype, n);
    memset(o.x, 0xff, (size_t)n * dtype_size(dtype));
    return o;
}

static inline struct operand copy_operand(const struct operand *from)
{
    struct operand o = operand(from->dtype, from->n);
    memcpy(o.x, from->x, (size_t)from->n * dtype_size(from->dtype));
    return o;
}

static inline void release(struct operand *o)
{
    int kept = 1;
    for (int64_t i = 0; i < GUARDS; i++) kept &= at(o->dtype, o->x, o->n + i) == guard;
    CHECK(kept, "something was written behind an operand of %lld elements", (long long)o->n);
    memory_free(o->block);
}

/* ---- instruction sets, and what was measured on them ---- */

static const char *const sets[] = {"generic", "avx2", "avx512", "amx"};
#define SETS ((int)(sizeof sets / sizeof *sets))

static double worst[2]; /* per dtype, in units */

static inline void measure(enum dtype dtype, long double got, long double want, long double scale,
                           double limit, const char *what)
{
    long double unit = (long double)epsilon(dtype) * scale, off = fabsl(got - want);
    double units = unit > 0 ? (double)(off / unit) : off == 0 ? 0 : INFINITY;
    if (!(units <= worst[dtype])) worst[dtype] = units;
    CHECK(units <= limit, "%s, %s, %s: %Lg, want %Lg: %g units, limit %g", loops->name, type_name[dtype],
          what, got, want, units, limit);
}

static inline void for_each_set(void (*test)(void))
{
    const struct loops *best = loops;
    CHECK_OK(blas_open());
    for (int s = 0; s < SETS; s++) {
        if (loops_select(sets[s]) != STATUS_OK) continue;
        worst[FLOAT32] = worst[FLOAT64] = 0;
        test();
        printf("     %-8s worst: float32 %.2f, float64 %.2f\n", sets[s], worst[FLOAT32], worst[FLOAT64]);
    }
    loops = best;
}

/* Sizes where a block of rows or a vector of columns ends, on each set; and others. */
static inline int64_t edge(int64_t largest)
{
    static const int64_t edges[] = {1, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128};
    if (pick(0, 2) == 0) return pick(1, largest);
    int64_t n = edges[pick(0, sizeof edges / sizeof *edges - 1)] + pick(-1, 1);
    return n < 1 ? 1 : n > largest ? largest : n;
}

#endif
