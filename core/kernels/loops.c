/* Compiled once per instruction set: LOOPS_NAME is the name of the table, and the compiler's flags are the
 * instruction set. */
#include "kernels/loops.h"

#include <math.h>
#include <stddef.h>

#include "base/interrupt.h"
#include "base/tuning.h"

#ifndef LOOPS_NAME
#define LOOPS_NAME generic
#endif
#define PASTE2(a, b) a##_##b
#define PASTE(a, b) PASTE2(a, b)
#define TEXT2(a) #a
#define TEXT(a) TEXT2(a)

/* In-place use (output over an operand of the same layout) is legal: no element depends on another one. */
#ifdef __clang__
#define INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define INDEPENDENT _Pragma("GCC ivdep")
#endif

/* ---- float32 functions without branches or calls, so that loops over them become vector loops: within 3 ulp
 * of the true value, NaN and infinities as in the C library. Polynomials: S. Moshier's Cephes library (exp,
 * tanh). ---- */
static inline float power_of_two(int32_t n) /* -126 <= n <= 127 */
{
    int32_t bits = (n + 127) << 23;
    float value;
    __builtin_memcpy(&value, &bits, sizeof value);
    return value;
}

static inline float vexpf(float x)
{
    float c = x > 89.0f ? 89.0f : x < -105.0f ? -105.0f : x; /* the result is Inf or 0 beyond; NaN stays */
    float n = (c * 1.44269504f + 12582912.0f) - 12582912.0f; /* nearest integer */
    float r = (c - n * 0.693359375f) + n * 2.12194440e-4f;
    float p =
        ((((1.9875691500e-4f * r + 1.3981999507e-3f) * r + 8.3334519073e-3f) * r + 4.1665795894e-2f) * r +
         1.6666665459e-1f) *
            r +
        5.0000001201e-1f;
    int32_t whole = n == n ? (int32_t)n : 0, half = whole / 2; /* in two factors: results may be subnormal */
    return ((p * r * r + r + 1.0f) * power_of_two(half)) * power_of_two(whole - half);
}

static inline float vtanhf(float x)
{
    float a = fabsf(x), z = x * x, e = vexpf(-2 * a), large = (1 - e) / (1 + e);
    float p =
        (((-5.70498872745e-3f * z + 2.06390887954e-2f) * z - 5.37397155531e-2f) * z + 1.33314422036e-1f) * z -
        3.33332819422e-1f;
    float small = x + x * z * p;
    return a < 0.625f ? small : x < 0 ? -large : large;
}

/* log(1 + u) for 0 <= u <= 1, which softplus needs: 2 artanh(u / (2 + u)). */
static inline float vlog1pf(float u)
{
    float s = u / (2 + u), z = s * s;
    float p =
        (((((z * (1 / 13.0f) + 1 / 11.0f) * z + 1 / 9.0f) * z + 1 / 7.0f) * z + 1 / 5.0f) * z + 1 / 3.0f) * z;
    return 2 * s + 2 * s * p;
}

#define FLOAT_exp vexpf
#define FLOAT_tanh vtanhf
#define FLOAT_log1p vlog1pf
#define FLOAT_log logf
#define FLOAT_sin sinf
#define FLOAT_cos cosf
#define FLOAT_sqrt sqrtf
#define FLOAT_pow powf
#define FLOAT_fabs fabsf
#define FN_float(name) FLOAT_##name
#define FN_double(name) name

#define UNARY_BODY(NAME, T, R, EXPRESSION)                                                                   \
    static void NAME(const int64_t n[2], const void *xv, const int64_t sx[2], void *outv)                    \
    {                                                                                                        \
        R *out = outv;                                                                                       \
        for (int64_t row = 0; row < n[0]; row++, out += n[1]) {                                              \
            const T *xs = (const T *)xv + row * sx[0];                                                       \
            if (sx[1] == 1) {                                                                                \
                INDEPENDENT for (int64_t i = 0; i < n[1]; i++)                                               \
                {                                                                                            \
                    T x = xs[i];                                                                             \
                    out[i] = (R)(EXPRESSION);                                                                \
                }                                                                                            \
            } else {                                                                                         \
                for (int64_t i = 0; i < n[1]; i++) {                                                         \
                    T x = xs[i * sx[1]];                                                                     \
                    out[i] = (R)(EXPRESSION);                                                                \
                }                                                                                            \
            }                                                                                                \
        }                                                                                                    \
    }

#define BINARY_BODY(NAME, T, R, EXPRESSION)                                                                  \
    static void NAME(const int64_t n[2], const void *xv, const int64_t sx[2], const void *yv,                \
                     const int64_t sy[2], void *outv)                                                        \
    {                                                                                                        \
        R *out = outv;                                                                                       \
        for (int64_t row = 0; row < n[0]; row++, out += n[1]) {                                              \
            const T *xs = (const T *)xv + row * sx[0], *ys = (const T *)yv + row * sy[0];                    \
            if (sx[1] == 1 && sy[1] == 1) {                                                                  \
                INDEPENDENT for (int64_t i = 0; i < n[1]; i++)                                               \
                {                                                                                            \
                    T x = xs[i], y = ys[i];                                                                  \
                    out[i] = (R)(EXPRESSION);                                                                \
                }                                                                                            \
            } else if (sx[1] == 1 && sy[1] == 0) {                                                           \
                T y = *ys;                                                                                   \
                INDEPENDENT for (int64_t i = 0; i < n[1]; i++)                                               \
                {                                                                                            \
                    T x = xs[i];                                                                             \
                    out[i] = (R)(EXPRESSION);                                                                \
                }                                                                                            \
            } else if (sx[1] == 0 && sy[1] == 1) {                                                           \
                T x = *xs;                                                                                   \
                INDEPENDENT for (int64_t i = 0; i < n[1]; i++)                                               \
                {                                                                                            \
                    T y = ys[i];                                                                             \
                    out[i] = (R)(EXPRESSION);                                                                \
                }                                                                                            \
            } else {                                                                                         \
                for (int64_t i = 0; i < n[1]; i++) {                                                         \
                    T x = xs[i * sx[1]], y = ys[i * sy[1]];                                                  \
                    out[i] = (R)(EXPRESSION);                                                                \
                }                                                                                            \
            }                                                                                                \
        }                                                                                                    \
    }

/* ---- elementwise functions for each dtype ---- */
#define FLOATS_ONLY_F(x)
#define FLOATS_ONLY_A(x) x
#define COMPARE(NAME, name, expression) BINARY_BODY(PASTE(name, SUFFIX), T, uint8_t, expression)

#define FN(f) FN_float(f)
#define W(x) (x)
#define T float
#define SUFFIX f32
#define UNARY(NAME, name, dtypes, expression) UNARY_BODY(PASTE(name, SUFFIX), T, T, expression)
#define BINARY(NAME, name, dtypes, expression) BINARY_BODY(PASTE(name, SUFFIX), T, T, expression)
#include "kernels/elementwise.def"
#undef FN
#undef T
#undef SUFFIX
#define FN(f) FN_double(f)
#define T double
#define SUFFIX f64
#include "kernels/elementwise.def"
#undef UNARY
#undef BINARY
#define UNARY(NAME, name, dtypes, expression)                                                                \
    FLOATS_ONLY_##dtypes(UNARY_BODY(PASTE(name, SUFFIX), T, T, expression))
#define BINARY(NAME, name, dtypes, expression)                                                               \
    FLOATS_ONLY_##dtypes(BINARY_BODY(PASTE(name, SUFFIX), T, T, expression))
#undef T
#undef SUFFIX
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wtype-limits"
#undef W
#define W(x) ((uint64_t)(x))
#define T int64_t
#define SUFFIX i64
#include "kernels/elementwise.def"
#undef T
#undef SUFFIX
#undef W
#define W(x) (x)
#define T uint8_t
#define SUFFIX u8
#include "kernels/elementwise.def"
#undef T
#undef SUFFIX
#pragma GCC diagnostic pop
#undef UNARY
#undef BINARY
#undef COMPARE
#undef W

/* ---- casts: a float becomes the nearest value that an integer type can hold, NaN becomes 0 ---- */
static int64_t to_i64(double x)
{
    return x != x ? 0 : x >= 0x1p63 ? INT64_MAX : x <= -0x1p63 ? INT64_MIN : (int64_t)x;
}
static uint8_t to_u8(double x) { return x > 0 ? x >= 255 ? 255 : (uint8_t)x : 0; }
UNARY_BODY(cast_f32_f32, float, float, x)
UNARY_BODY(cast_f32_f64, float, double, x)
UNARY_BODY(cast_f32_i64, float, int64_t, to_i64(x))
UNARY_BODY(cast_f32_u8, float, uint8_t, to_u8(x))
UNARY_BODY(cast_f64_f32, double, float, x)
UNARY_BODY(cast_f64_f64, double, double, x)
UNARY_BODY(cast_f64_i64, double, int64_t, to_i64(x))
UNARY_BODY(cast_f64_u8, double, uint8_t, to_u8(x))
UNARY_BODY(cast_i64_f32, int64_t, float, x)
UNARY_BODY(cast_i64_f64, int64_t, double, x)
UNARY_BODY(cast_i64_i64, int64_t, int64_t, x)
UNARY_BODY(cast_i64_u8, int64_t, uint8_t, x<0 ? 0 : x> 255 ? 255 : x)
UNARY_BODY(cast_u8_f32, uint8_t, float, x)
UNARY_BODY(cast_u8_f64, uint8_t, double, x)
UNARY_BODY(cast_u8_i64, uint8_t, int64_t, x)
UNARY_BODY(cast_u8_u8, uint8_t, uint8_t, x)

#define WHERE_BODY(NAME, T)                                                                                  \
    static void NAME(const int64_t n[2], const void *cv, const int64_t sc[2], const void *yv,                \
                     const int64_t sy[2], void *outv)                                                        \
    {                                                                                                        \
        T *out = outv;                                                                                       \
        for (int64_t row = 0; row < n[0]; row++, out += n[1]) {                                              \
            const uint8_t *c = (const uint8_t *)cv + row * sc[0];                                            \
            const T *y = (const T *)yv + row * sy[0];                                                        \
            INDEPENDENT for (int64_t i = 0; i < n[1]; i++) out[i] = c[i * sc[1]] ? y[i * sy[1]] : out[i];    \
        }                                                                                                    \
    }
WHERE_BODY(where_f32, float)
WHERE_BODY(where_f64, double)
WHERE_BODY(where_i64, int64_t)
WHERE_BODY(where_u8, uint8_t)

/* ---- reductions ---- */
#define LANES 16

/* Sixteen partial sums give the compiler vectors and fix the order of addition. */
#define SUM_BLOCK(NAME, T, ACCUMULATOR)                                                                      \
    static ACCUMULATOR NAME(int64_t n, const T *x, int64_t stride)                                           \
    {                                                                                                        \
        ACCUMULATOR lane[LANES] = {0}, sum = 0;                                                              \
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
static double sum_i64(int64_t n, const void *x, int64_t stride)
{
    return (double)(int64_t)sum_block_i64(n, x, stride);
}
static double sum_u8(int64_t n, const void *x, int64_t stride) { return (double)sum_block_u8(n, x, stride); }

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
EXTREME_BODY(max_i64, int64_t, >)
EXTREME_BODY(max_u8, uint8_t, >)
EXTREME_BODY(min_f32, float, <)
EXTREME_BODY(min_f64, double, <)
EXTREME_BODY(min_i64, int64_t, <)
EXTREME_BODY(min_u8, uint8_t, <)

#define MAX_WIDTH 256

/* Column sums of up to 128 rows, sixteen columns at a time in registers. */
#define SUM_ROWS_BODY(NAME, T, ACCUMULATOR)                                                                  \
    static void NAME##_block(int64_t rows, int64_t width, const T *x, int64_t pitch, ACCUMULATOR *sum)       \
    {                                                                                                        \
        int64_t j = 0;                                                                                       \
        for (; j + LANES <= width; j += LANES) {                                                             \
            ACCUMULATOR lane[LANES] = {0};                                                                   \
            for (int64_t i = 0; i < rows; i++)                                                               \
                for (int l = 0; l < LANES; l++) lane[l] += (ACCUMULATOR)x[i * pitch + j + l];                \
            for (int l = 0; l < LANES; l++) sum[j + l] = lane[l];                                            \
        }                                                                                                    \
        for (; j < width; j++) {                                                                             \
            sum[j] = 0;                                                                                      \
            for (int64_t i = 0; i < rows; i++) sum[j] += (ACCUMULATOR)x[i * pitch + j];                      \
        }                                                                                                    \
    }                                                                                                        \
    static void NAME##_part(int64_t rows, int64_t width, const T *x, int64_t pitch, ACCUMULATOR *sum)        \
    {                                                                                                        \
        if (rows > 16384 && interrupt_stop()) return;                                                        \
        if (rows <= 128) {                                                                                   \
            NAME##_block(rows, width, x, pitch, sum);                                                        \
            return;                                                                                          \
        }                                                                                                    \
        ACCUMULATOR right[MAX_WIDTH];                                                                        \
        NAME##_part(rows / 2, width, x, pitch, sum);                                                         \
        NAME##_part(rows - rows / 2, width, x + rows / 2 * pitch, pitch, right);                             \
        for (int64_t j = 0; j < width; j++) sum[j] += right[j];                                              \
    }                                                                                                        \
    static void NAME(int64_t rows, int64_t width, const void *x, int64_t pitch, void *outv)                  \
    {                                                                                                        \
        ACCUMULATOR sum[MAX_WIDTH];                                                                          \
        T *out = outv;                                                                                       \
        NAME##_part(rows, width, x, pitch, sum);                                                             \
        for (int64_t j = 0; j < width; j++) out[j] = (T)sum[j];                                              \
    }
SUM_ROWS_BODY(sum_rows_f32, float, double)
SUM_ROWS_BODY(sum_rows_f64, double, double)
SUM_ROWS_BODY(sum_rows_i64, int64_t, uint64_t)
SUM_ROWS_BODY(sum_rows_u8, uint8_t, int64_t)

/* ---- solver arithmetic: in blocks for the first-level cache, so each operand is read once from memory ----
 */

#define SOLVER_BODY(SUFFIX, T, FABS)                                                                         \
    static void weighted_sum_##SUFFIX(int64_t n, const T *y, int count, const double *c,                     \
                                      const void *const *k, int64_t first, T *sum)                           \
    {                                                                                                        \
        if (y)                                                                                               \
            for (int64_t i = 0; i < n; i++) sum[i] = y[i];                                                   \
        else                                                                                                 \
            for (int64_t i = 0; i < n; i++) sum[i] = 0;                                                      \
        for (int j = 0; j < count; j++) {                                                                    \
            const T *kj = (const T *)k[j] + first;                                                           \
            T cj = (T)c[j];                                                                                  \
            if (c[j] != 0)                                                                                   \
                for (int64_t i = 0; i < n; i++) sum[i] += cj * kj[i];                                        \
        }                                                                                                    \
    }                                                                                                        \
    static void combine_##SUFFIX(int64_t n, const void *y, int count, const double *c, const void *const *k, \
                                 void *out)                                                                  \
    {                                                                                                        \
        T sum[SOLVER_BLOCK_ELEMENTS];                                                                        \
        for (int64_t first = 0; first < n; first += SOLVER_BLOCK_ELEMENTS) {                                 \
            int64_t m = n - first < SOLVER_BLOCK_ELEMENTS ? n - first : SOLVER_BLOCK_ELEMENTS;               \
            weighted_sum_##SUFFIX(m, y ? (const T *)y + first : NULL, count, c, k, first, sum);              \
            for (int64_t i = 0; i < m; i++) ((T *)out)[first + i] = sum[i];                                  \
        }                                                                                                    \
    }                                                                                                        \
    static double error_sum_##SUFFIX(int64_t n, int count, const double *c, const void *const *k,            \
                                     const void *y0v, const void *y1v, double rtol, double atol)             \
    {                                                                                                        \
        T sum[SOLVER_BLOCK_ELEMENTS];                                                                        \
        double square[SOLVER_BLOCK_ELEMENTS], total = 0;                                                     \
        for (int64_t first = 0; first < n; first += SOLVER_BLOCK_ELEMENTS) {                                 \
            int64_t m = n - first < SOLVER_BLOCK_ELEMENTS ? n - first : SOLVER_BLOCK_ELEMENTS;               \
            const T *y0 = (const T *)y0v + first, *y1 = (const T *)y1v + first;                              \
            weighted_sum_##SUFFIX(m, NULL, count, c, k, first, sum);                                         \
            for (int64_t i = 0; i < m; i++) {                                                                \
                T a = FABS(y0[i]), b = FABS(y1[i]);                                                          \
                double e = (double)sum[i] / (atol + rtol * (double)(a > b ? a : b));                         \
                square[i] = e * e;                                                                           \
            }                                                                                                \
            total += sum_block_f64(m, square, 1);                                                            \
        }                                                                                                    \
        return total;                                                                                        \
    }                                                                                                        \
    static double scaled_sum_##SUFFIX(int64_t n, const void *xv, const void *yv, double rtol, double atol)   \
    {                                                                                                        \
        const T *x = xv, *y = yv;                                                                            \
        double square[SOLVER_BLOCK_ELEMENTS], total = 0;                                                     \
        for (int64_t first = 0; first < n; first += SOLVER_BLOCK_ELEMENTS) {                                 \
            int64_t m = n - first < SOLVER_BLOCK_ELEMENTS ? n - first : SOLVER_BLOCK_ELEMENTS;               \
            for (int64_t i = 0; i < m; i++) {                                                                \
                double e = (double)x[first + i] / (atol + rtol * (double)FABS(y[first + i]));                \
                square[i] = e * e;                                                                           \
            }                                                                                                \
            total += sum_block_f64(m, square, 1);                                                            \
        }                                                                                                    \
        return total;                                                                                        \
    }                                                                                                        \
    static void adam_##SUFFIX(int64_t n, void *pv, const void *gv, void *mv, void *vv,                       \
                              const struct adam_step *s)                                                     \
    {                                                                                                        \
        T *restrict p = pv, *restrict m = mv, *restrict v = vv;                                              \
        const T *restrict g = gv;                                                                            \
        T b1 = (T)s->beta1, b2 = (T)s->beta2, eps = (T)s->eps, decay = (T)s->weight_decay;                   \
        T d1 = (T)(1 - s->beta1), d2 = (T)(1 - s->beta2); /* 1 - 0.999 loses four digits in float */         \
        T keep = (T)(1 - s->lr * s->decoupled_decay), rate = (T)(s->lr / s->correction1);                    \
        T root = (T)(1 / sqrt(s->correction2));                                                              \
        for (int64_t i = 0; i < n; i++) {                                                                    \
            T gi = g[i] + decay * p[i];                                                                      \
            m[i] = b1 * m[i] + d1 * gi;                                                                      \
            v[i] = b2 * v[i] + d2 * gi * gi;                                                                 \
            p[i] = keep * p[i] - rate * m[i] / ((T)sqrt((double)v[i]) * root + eps);                         \
        }                                                                                                    \
    }
SOLVER_BODY(f32, float, fabsf)
SOLVER_BODY(f64, double, fabs)

/* Magnitudes in the order of their bits without the sign: infinity comes after every number, NaN after
 * infinity. */
#define PEAK(SUFFIX, T, BITS, MASK)                                                                          \
    typedef BITS __attribute__((may_alias)) bits_##SUFFIX;                                                   \
    static double peak_##SUFFIX(int64_t n, const void *xv)                                                   \
    {                                                                                                        \
        const bits_##SUFFIX *x = xv;                                                                         \
        BITS top = 0;                                                                                        \
        T value;                                                                                             \
        for (int64_t i = 0; i < n; i++) {                                                                    \
            BITS b = x[i] & MASK;                                                                            \
            top = b > top ? b : top;                                                                         \
        }                                                                                                    \
        __builtin_memcpy(&value, &top, sizeof value);                                                        \
        return (double)value;                                                                                \
    }
PEAK(f32, float, int32_t, INT32_MAX)
PEAK(f64, double, int64_t, INT64_MAX)

/* ---- the table ---- */
#define TABLE_F(name) [FLOAT32] = PASTE(name, f32), [FLOAT64] = PASTE(name, f64)
#define TABLE_A(name) TABLE_F(name), [INT64] = PASTE(name, i64), [UINT8] = PASTE(name, u8)

/* Those of other files. */
#define EXTERNAL(name) [FLOAT32] = PASTE(name##_f32, LOOPS_NAME), [FLOAT64] = PASTE(name##_f64, LOOPS_NAME)
extern product_loop PASTE(product_f32, LOOPS_NAME), PASTE(product_f64, LOOPS_NAME);
extern product_row_loop PASTE(product_row_f32, LOOPS_NAME), PASTE(product_row_f64, LOOPS_NAME);
extern const struct winograd_loops PASTE(winograd_loops, LOOPS_NAME);
extern const struct packing_loops PASTE(packing_loops, LOOPS_NAME);
const struct loops PASTE(loops, LOOPS_NAME) = {
    .name = TEXT(LOOPS_NAME),
    .winograd = &PASTE(winograd_loops, LOOPS_NAME),
    .packing = &PASTE(packing_loops, LOOPS_NAME),
#define UNARY(NAME, name, dtypes, expression) .unary[UNARY_##NAME] = {TABLE_##dtypes(name)},
#define BINARY(NAME, name, dtypes, expression) .binary[BINARY_##NAME] = {TABLE_##dtypes(name)},
#define COMPARE(NAME, name, expression) .binary[BINARY_##NAME] = {TABLE_A(name)},
#include "kernels/elementwise.def"
    .cast[FLOAT32] = {TABLE_A(cast_f32)},
    .cast[FLOAT64] = {TABLE_A(cast_f64)},
    .cast[INT64] = {TABLE_A(cast_i64)},
    .cast[UINT8] = {TABLE_A(cast_u8)},
    .where = {TABLE_A(where)},
    .sum = {TABLE_A(sum)},
    .max = {TABLE_A(max)},
    .min = {TABLE_A(min)},
    .sum_rows = {TABLE_A(sum_rows)},
    .combine = {TABLE_F(combine)},
    .error_sum = {TABLE_F(error_sum)},
    .scaled_sum = {TABLE_F(scaled_sum)},
    .product = {EXTERNAL(product)},
    .product_row = {EXTERNAL(product_row)},
    .adam = {TABLE_F(adam)},
    .peak = {TABLE_F(peak)},
};
