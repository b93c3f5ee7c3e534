/* loops_reduce.h -- sums and extremes, a part of loops.c. */
#ifndef KERNELS_LOOPS_REDUCE_H
#define KERNELS_LOOPS_REDUCE_H

#include <stdint.h>

#include "base/interrupt.h"
#include "base/tuning.h"
#include "kernels/paste.h"

#define LANES 16

/* Sixteen partial sums give the compiler vectors and fix the order of addition. */
#define SUM_BLOCK(NAME, T, ACCUMULATOR)                                                                      \
    static ACCUMULATOR NAME(int64_t n, const T *x, int64_t stride)                                           \
    {                                                                                                        \
        ACCUMULATOR sum = 0;                                                                                 \
        if (n < LANES) { /* as below, where the lanes are 0 */                                               \
            for (int64_t i = 0; i < n; i++) sum += (ACCUMULATOR)x[i * stride];                               \
            return sum;                                                                                      \
        }                                                                                                    \
        ACCUMULATOR lane[LANES] = {0};                                                                       \
        int64_t i = 0;                                                                                       \
        if (stride == 1)                                                                                     \
            for (int64_t end; i + LANES <= n && !interrupt_stop();)                                          \
                for (end = n - i < SUM_PIECE_ELEMENTS ? n : i + SUM_PIECE_ELEMENTS; i + LANES <= end;        \
                     i += LANES)                                                                             \
                    for (int j = 0; j < LANES; j++) lane[j] += (ACCUMULATOR)x[i + j];                        \
        for (int64_t end; i < n && !interrupt_stop();)                                                       \
            for (end = n - i < SUM_PIECE_ELEMENTS ? n : i + SUM_PIECE_ELEMENTS; i < end; i++)                \
                sum += (ACCUMULATOR)x[i * stride];                                                           \
        for (int width = LANES / 2; width > 0; width /= 2)                                                   \
            for (int j = 0; j < width; j++) lane[j] += lane[j + width];                                      \
        return sum + lane[0];                                                                                \
    }
SUM_BLOCK(sum_block_f32, float, double)
SUM_BLOCK(sum_block_f64, double, double)
SUM_BLOCK(sum_block_i64, int64_t, uint64_t) /* wraps around */
SUM_BLOCK(sum_block_u8, uint8_t, int64_t)

/* Pairwise summation (Higham, Accuracy and Stability, 4.2): the error grows with log n. */
static double sum_pairwise(int64_t n, const double *x, int64_t stride)
{
    if (n <= 1024) return sum_block_f64(n, x, stride);
    if (n > SUM_PIECE_ELEMENTS / 4 && interrupt_stop()) return 0;
    int64_t half = n / 2 / LANES * LANES;
    return sum_pairwise(half, x, stride) + sum_pairwise(n - half, x + half * stride, stride);
}
static double sum_f32(int64_t n, const void *x, int64_t stride) { return sum_block_f32(n, x, stride); }
static double sum_f64(int64_t n, const void *x, int64_t stride) { return sum_pairwise(n, x, stride); }
static double sum_u8(int64_t n, const void *x, int64_t stride) { return (double)sum_block_u8(n, x, stride); }
static int64_t sum_whole(int64_t n, const int64_t *x, int64_t stride)
{
    return (int64_t)sum_block_i64(n, x, stride);
}

#define EXTREME_BODY(NAME, T, COMPARISON)                                                                    \
    static double NAME(int64_t n, const void *xv, int64_t stride)                                            \
    {                                                                                                        \
        const T *x = xv;                                                                                     \
        T best = x[0];                                                                                       \
        for (int64_t i = 1; i < n; i++) {                                                                    \
            T v = x[i * stride];                                                                             \
            best = (v COMPARISON best || v != v) ? v : best;                                                 \
            if (best != best) break;                                                                         \
        }                                                                                                    \
        return (double)best;                                                                                 \
    }
EXTREME_BODY(max_f32, float, >)
EXTREME_BODY(max_f64, double, >)
EXTREME_BODY(max_u8, uint8_t, >)
EXTREME_BODY(min_f32, float, <)
EXTREME_BODY(min_f64, double, <)
EXTREME_BODY(min_u8, uint8_t, <)

#define EXTREME_WHOLE(NAME, COMPARISON)                                                                      \
    static int64_t NAME(int64_t n, const int64_t *x, int64_t stride)                                         \
    {                                                                                                        \
        int64_t best = x[0];                                                                                 \
        if (stride == 1)                                                                                     \
            for (int64_t i = 1; i < n; i++) best = x[i] COMPARISON best ? x[i] : best;                       \
        else                                                                                                 \
            for (int64_t i = 1; i < n; i++) best = x[i * stride] COMPARISON best ? x[i * stride] : best;     \
        return best;                                                                                         \
    }
EXTREME_WHOLE(max_whole, >)
EXTREME_WHOLE(min_whole, <)

#define T float
#define SUFFIX f32
#define ACCUMULATOR double
#include "kernels/loops_rows_body.h"
#define T double
#define SUFFIX f64
#define ACCUMULATOR double
#include "kernels/loops_rows_body.h"
#define T int64_t
#define SUFFIX i64
#define ACCUMULATOR uint64_t
#include "kernels/loops_rows_body.h"
#define T uint8_t
#define SUFFIX u8
#define ACCUMULATOR int64_t
#include "kernels/loops_rows_body.h"

#endif
