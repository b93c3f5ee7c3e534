/* Compiled once per instruction set: LOOPS_NAME is the name of the table, and the compiler's flags are the instruction set. */
#include "kernels/loops.h"

#include <math.h>
#include <stddef.h>

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

/* ---- float32 functions without branches or calls, so that loops over them become vector loops: within 3 ulp of the true value, NaN and
 * infinities as in the C library. Polynomials: S. Moshier's Cephes library (exp, tanh). ---- */
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
    float p = ((((1.9875691500e-4f * r + 1.3981999507e-3f) * r + 8.3334519073e-3f) * r + 4.1665795894e-2f) * r + 1.6666665459e-1f) * r +
              5.0000001201e-1f;
    int32_t whole = n == n ? (int32_t)n : 0, half = whole / 2; /* in two factors: results may be subnormal */
    return ((p * r * r + r + 1.0f) * power_of_two(half)) * power_of_two(whole - half);
}

static inline float vtanhf(float x)
{
    float a = fabsf(x), z = x * x, e = vexpf(-2 * a), large = (1 - e) / (1 + e);
    float p = (((-5.70498872745e-3f * z + 2.06390887954e-2f) * z - 5.37397155531e-2f) * z + 1.33314422036e-1f) * z - 3.33332819422e-1f;
    float small = x + x * z * p;
    return a < 0.625f ? small : x < 0 ? -large : large;
}

/* log(1 + u) for 0 <= u <= 1, which softplus needs: 2 artanh(u / (2 + u)). */
static inline float vlog1pf(float u)
{
    float s = u / (2 + u), z = s * s;
    float p = (((((z * (1 / 13.0f) + 1 / 11.0f) * z + 1 / 9.0f) * z + 1 / 7.0f) * z + 1 / 5.0f) * z + 1 / 3.0f) * z;
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

#define UNARY_BODY(NAME, T, R, EXPRESSION)                                                                                    \
    static void NAME(const int64_t n[2], const void *xv, const int64_t sx[2], void *outv)                                     \
    {                                                                                                                         \
        R *out = outv;                                                                                                        \
        for (int64_t row = 0; row < n[0]; row++, out += n[1]) {                                                               \
            const T *xs = (const T *)xv + row * sx[0];                                                                        \
            if (sx[1] == 1) {                                                                                                 \
                INDEPENDENT for (int64_t i = 0; i < n[1]; i++) { T x = xs[i]; out[i] = (R)(EXPRESSION); }                     \
            } else {                                                                                                          \
                for (int64_t i = 0; i < n[1]; i++) { T x = xs[i * sx[1]]; out[i] = (R)(EXPRESSION); }                         \
            }                                                                                                                 \
        }                                                                                                                     \
    }

#define BINARY_BODY(NAME, T, R, EXPRESSION)                                                                                   \
    static void NAME(const int64_t n[2], const void *xv, const int64_t sx[2], const void *yv, const int64_t sy[2], void *outv) \
    {                                                                                                                         \
        R *out = outv;                                                                                                        \
        for (int64_t row = 0; row < n[0]; row++, out += n[1]) {                                                               \
            const T *xs = (const T *)xv + row * sx[0], *ys = (const T *)yv + row * sy[0];                                     \
            if (sx[1] == 1 && sy[1] == 1) {                                                                                   \
                INDEPENDENT for (int64_t i = 0; i < n[1]; i++) { T x = xs[i], y = ys[i]; out[i] = (R)(EXPRESSION); }          \
            } else if (sx[1] == 1 && sy[1] == 0) {                                                                            \
                T y = *ys;                                                                                                    \
                INDEPENDENT for (int64_t i = 0; i < n[1]; i++) { T x = xs[i]; out[i] = (R)(EXPRESSION); }                     \
            } else if (sx[1] == 0 && sy[1] == 1) {                                                                            \
                T x = *xs;                                                                                                    \
                INDEPENDENT for (int64_t i = 0; i < n[1]; i++) { T y = ys[i]; out[i] = (R)(EXPRESSION); }                     \
            } else {                                                                                                          \
                for (int64_t i = 0; i < n[1]; i++) {                                                                          \
                    T x = xs[i * sx[1]], y = ys[i * sy[1]];                                                                   \
                    out[i] = (R)(EXPRESSION);                                                                                 \
                }                                                                                                             \
            }                                                                                                                 \
        }                                                                                                                     \
    }

/* ---- elementwise functions for each dtype ---- */
#define FLOATS_ONLY_F(x)
#define FLOATS_ONLY_A(x) x
#define COMPARE(NAME, name, expression) BINARY_BODY(PASTE(name, SUFFIX), T, uint8_t, expression)

#define FN(f) FN_float(f)
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
#define UNARY(NAME, name, dtypes, expression) FLOATS_ONLY_##dtypes(UNARY_BODY(PASTE(name, SUFFIX), T, T, expression))
#define BINARY(NAME, name, dtypes, expression) FLOATS_ONLY_##dtypes(BINARY_BODY(PASTE(name, SUFFIX), T, T, expression))
#undef T
#undef SUFFIX
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wtype-limits"
#define T int64_t
#define SUFFIX i64
#include "kernels/elementwise.def"
#undef T
#undef SUFFIX
#define T uint8_t
#define SUFFIX u8
#include "kernels/elementwise.def"
#undef T
#undef SUFFIX
#pragma GCC diagnostic pop
#undef UNARY
#undef BINARY
#undef COMPARE

/* ---- casts: a float that an integer type cannot hold becomes the nearest value it can hold, NaN becomes 0 ---- */
static int64_t to_i64(double x) { return x != x ? 0 : x >= 0x1p63 ? INT64_MAX : x <= -0x1p63 ? INT64_MIN : (int64_t)x; }
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
UNARY_BODY(cast_i64_u8, int64_t, uint8_t, x < 0 ? 0 : x > 255 ? 255 : x)
UNARY_BODY(cast_u8_f32, uint8_t, float, x)
UNARY_BODY(cast_u8_f64, uint8_t, double, x)
UNARY_BODY(cast_u8_i64, uint8_t, int64_t, x)
UNARY_BODY(cast_u8_u8, uint8_t, uint8_t, x)

#define WHERE_BODY(NAME, T)                                                                                                   \
    static void NAME(const int64_t n[2], const void *cv, const int64_t sc[2], const void *yv, const int64_t sy[2], void *outv) \
    {                                                                                                                         \
        T *out = outv;                                                                                                        \
        for (int64_t row = 0; row < n[0]; row++, out += n[1]) {                                                               \
            const uint8_t *c = (const uint8_t *)cv + row * sc[0];                                                             \
            const T *y = (const T *)yv + row * sy[0];                                                                         \
            INDEPENDENT for (int64_t i = 0; i < n[1]; i++) out[i] = c[i * sc[1]] ? y[i * sy[1]] : out[i];                     \
        }                                                                                                                     \
    }
WHERE_BODY(where_f32, float)
WHERE_BODY(where_f64, double)
WHERE_BODY(where_i64, int64_t)
WHERE_BODY(where_u8, uint8_t)

/* ---- reductions ---- */
#define LANES 16

/* Sixteen partial sums give the compiler vectors and fix the order of addition. */
#define SUM_BLOCK(NAME, T, ACCUMULATOR)                                                                                       \
    static ACCUMULATOR NAME(int64_t n, const T *x, int64_t stride)                                                            \
    {                                                                                                                         \
        ACCUMULATOR lane[LANES] = {0}, sum = 0;                                                                               \
        int64_t i = 0;                                                                                                        \
        if (stride == 1)                                                                                                      \
            for (; i + LANES <= n; i += LANES)                                                                                \
                for (int j = 0; j < LANES; j++) lane[j] += (ACCUMULATOR)x[i + j];                                             \
        for (; i < n; i++) sum += (ACCUMULATOR)x[i * stride];                                                                 \
        for (int width = LANES / 2; width > 0; width /= 2)                                                                    \
            for (int j = 0; j < width; j++) lane[j] += lane[j + width];                                                       \
        return sum + lane[0];                                                                                                 \
    }
SUM_BLOCK(sum_block_f32, float, double)
SUM_BLOCK(sum_block_f64, double, double)
SUM_BLOCK(sum_block_i64, int64_t, int64_t)
SUM_BLOCK(sum_block_u8, uint8_t, int64_t)

/* Pairwise summation (Higham, Accuracy and Stability, 4.2): the error grows with log n. */
static double sum_pairwise(int64_t n, const double *x, int64_t stride)
{
    if (n <= 1024) return sum_block_f64(n, x, stride);
    int64_t half = n / 2 / LANES * LANES;
    return sum_pairwise(half, x, stride) + sum_pairwise(n - half, x + half * stride, stride);
}
static double sum_f32(int64_t n, const void *x, int64_t stride) { return sum_block_f32(n, x, stride); }
static double sum_f64(int64_t n, const void *x, int64_t stride) { return sum_pairwise(n, x, stride); }
static double sum_i64(int64_t n, const void *x, int64_t stride) { return (double)sum_block_i64(n, x, stride); }
static double sum_u8(int64_t n, const void *x, int64_t stride) { return (double)sum_block_u8(n, x, stride); }

#define EXTREME_BODY(NAME, T, COMPARISON)                                                                                     \
    static double NAME(int64_t n, const void *xv, int64_t stride)                                                             \
    {                                                                                                                         \
        const T *x = xv;                                                                                                      \
        T best = x[0];                                                                                                        \
        for (int64_t i = 1; i < n; i++) {                                                                                     \
            T v = x[i * stride];                                                                                              \
            best = (v COMPARISON best || v != v) ? v : best;                                                                  \
            if (best != best) break;                                                                                          \
        }                                                                                                                     \
        return (double)best;                                                                                                  \
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
#define SUM_ROWS_BODY(NAME, T, ACCUMULATOR)                                                                                   \
    static void NAME##_block(int64_t rows, int64_t width, const T *x, int64_t pitch, ACCUMULATOR *sum)                        \
    {                                                                                                                         \
        int64_t j = 0;                                                                                                        \
        for (; j + LANES <= width; j += LANES) {                                                                              \
            ACCUMULATOR lane[LANES] = {0};                                                                                    \
            for (int64_t i = 0; i < rows; i++)                                                                                \
                for (int l = 0; l < LANES; l++) lane[l] += (ACCUMULATOR)x[i * pitch + j + l];                                 \
            for (int l = 0; l < LANES; l++) sum[j + l] = lane[l];                                                             \
        }                                                                                                                     \
        for (; j < width; j++) {                                                                                              \
            sum[j] = 0;                                                                                                       \
            for (int64_t i = 0; i < rows; i++) sum[j] += (ACCUMULATOR)x[i * pitch + j];                                       \
        }                                                                                                                     \
    }                                                                                                                         \
    static void NAME##_part(int64_t rows, int64_t width, const T *x, int64_t pitch, ACCUMULATOR *sum)                         \
    {                                                                                                                         \
        if (rows <= 128) {                                                                                                    \
            NAME##_block(rows, width, x, pitch, sum);                                                                         \
            return;                                                                                                           \
        }                                                                                                                     \
        ACCUMULATOR right[MAX_WIDTH];                                                                                         \
        NAME##_part(rows / 2, width, x, pitch, sum);                                                                          \
        NAME##_part(rows - rows / 2, width, x + rows / 2 * pitch, pitch, right);                                              \
        for (int64_t j = 0; j < width; j++) sum[j] += right[j];                                                               \
    }                                                                                                                         \
    static void NAME(int64_t rows, int64_t width, const void *x, int64_t pitch, void *outv)                                   \
    {                                                                                                                         \
        ACCUMULATOR sum[MAX_WIDTH];                                                                                           \
        T *out = outv;                                                                                                        \
        NAME##_part(rows, width, x, pitch, sum);                                                                              \
        for (int64_t j = 0; j < width; j++) out[j] = (T)sum[j];                                                               \
    }
SUM_ROWS_BODY(sum_rows_f32, float, double)
SUM_ROWS_BODY(sum_rows_f64, double, double)
SUM_ROWS_BODY(sum_rows_i64, int64_t, int64_t)
SUM_ROWS_BODY(sum_rows_u8, uint8_t, int64_t)

/* ---- solver arithmetic: blocks that stay in the first-level cache, so each operand is read once from memory ---- */
#define BLOCK 512

#define SOLVER_BODY(SUFFIX, T, FABS)                                                                                          \
    static void weighted_sum_##SUFFIX(int64_t n, const T *y, int count, const double *c, const void *const *k, int64_t first, \
                                      T *sum)                                                                                 \
    {                                                                                                                         \
        if (y)                                                                                                                \
            for (int64_t i = 0; i < n; i++) sum[i] = y[i];                                                                    \
        else                                                                                                                  \
            for (int64_t i = 0; i < n; i++) sum[i] = 0;                                                                       \
        for (int j = 0; j < count; j++) {                                                                                     \
            const T *kj = (const T *)k[j] + first;                                                                            \
            T cj = (T)c[j];                                                                                                   \
            if (c[j] != 0)                                                                                                    \
                for (int64_t i = 0; i < n; i++) sum[i] += cj * kj[i];                                                         \
        }                                                                                                                     \
    }                                                                                                                         \
    static void combine_##SUFFIX(int64_t n, const void *y, int count, const double *c, const void *const *k, void *out)       \
    {                                                                                                                         \
        T sum[BLOCK];                                                                                                         \
        for (int64_t first = 0; first < n; first += BLOCK) {                                                                  \
            int64_t m = n - first < BLOCK ? n - first : BLOCK;                                                                \
            weighted_sum_##SUFFIX(m, y ? (const T *)y + first : NULL, count, c, k, first, sum);                               \
            for (int64_t i = 0; i < m; i++) ((T *)out)[first + i] = sum[i];                                                   \
        }                                                                                                                     \
    }                                                                                                                         \
    static double error_sum_##SUFFIX(int64_t n, int count, const double *c, const void *const *k, const void *y0v,            \
                                     const void *y1v, double rtol, double atol)                                               \
    {                                                                                                                         \
        T sum[BLOCK];                                                                                                         \
        double square[BLOCK], total = 0;                                                                                      \
        for (int64_t first = 0; first < n; first += BLOCK) {                                                                  \
            int64_t m = n - first < BLOCK ? n - first : BLOCK;                                                                \
            const T *y0 = (const T *)y0v + first, *y1 = (const T *)y1v + first;                                               \
            weighted_sum_##SUFFIX(m, NULL, count, c, k, first, sum);                                                          \
            for (int64_t i = 0; i < m; i++) {                                                                                 \
                T a = FABS(y0[i]), b = FABS(y1[i]);                                                                           \
                double e = (double)sum[i] / (atol + rtol * (double)(a > b ? a : b));                                          \
                square[i] = e * e;                                                                                            \
            }                                                                                                                 \
            total += sum_block_f64(m, square, 1);                                                                             \
        }                                                                                                                     \
        return total;                                                                                                         \
    }                                                                                                                         \
    static double scaled_sum_##SUFFIX(int64_t n, const void *xv, const void *yv, double rtol, double atol)                    \
    {                                                                                                                         \
        const T *x = xv, *y = yv;                                                                                             \
        double square[BLOCK], total = 0;                                                                                      \
        for (int64_t first = 0; first < n; first += BLOCK) {                                                                  \
            int64_t m = n - first < BLOCK ? n - first : BLOCK;                                                                \
            for (int64_t i = 0; i < m; i++) {                                                                                 \
                double e = (double)x[first + i] / (atol + rtol * (double)FABS(y[first + i]));                                 \
                square[i] = e * e;                                                                                            \
            }                                                                                                                 \
            total += sum_block_f64(m, square, 1);                                                                             \
        }                                                                                                                     \
        return total;                                                                                                         \
    }                                                                                                                         \
    static void adam_##SUFFIX(int64_t n, void *pv, const void *gv, void *mv, void *vv, const struct adam_step *s)             \
    {                                                                                                                         \
        T *restrict p = pv, *restrict m = mv, *restrict v = vv;                                                               \
        const T *restrict g = gv;                                                                                             \
        T b1 = (T)s->beta1, b2 = (T)s->beta2, eps = (T)s->eps, decay = (T)s->weight_decay;                                    \
        T d1 = (T)(1 - s->beta1), d2 = (T)(1 - s->beta2); /* 1 - 0.999 loses four digits in float */                           \
        T keep = (T)(1 - s->lr * s->decoupled_decay), rate = (T)(s->lr / s->correction1);                                     \
        T root = (T)(1 / sqrt(s->correction2));                                                                               \
        for (int64_t i = 0; i < n; i++) {                                                                                     \
            T gi = g[i] + decay * p[i];                                                                                       \
            m[i] = b1 * m[i] + d1 * gi;                                                                                       \
            v[i] = b2 * v[i] + d2 * gi * gi;                                                                                  \
            p[i] = keep * p[i] - rate * m[i] / ((T)sqrt((double)v[i]) * root + eps);                                          \
        }                                                                                                                     \
    }
SOLVER_BODY(f32, float, fabsf)
SOLVER_BODY(f64, double, fabs)

/* ---- matrix products: a register block of MR x two vectors of C, fed by one row of B and MR scalars of A per k ---- */
#if defined(__AVX512F__)
#define VECTOR_BYTES 64
#define MR 12
#elif defined(__AVX__)
#define VECTOR_BYTES 32
#define MR 6
#else
#define VECTOR_BYTES 16
#define MR 6
#endif
typedef float vector_f32 __attribute__((vector_size(VECTOR_BYTES), aligned(4), may_alias));
typedef double vector_f64 __attribute__((vector_size(VECTOR_BYTES), aligned(8), may_alias));

/* Sums of W vectors of W lanes as one vector: lane r is the sum over vector r. Each step adds halves of groups and packs two vectors in one. */
#if defined(__has_builtin)
#if __has_builtin(__builtin_shufflevector)
#define HAVE_SHUFFLES
#endif
#endif
#ifdef HAVE_SHUFFLES
#define HALVES_16_8(u, v)                                                                                                     \
    (__builtin_shufflevector(u, v, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23) +                                  \
     __builtin_shufflevector(u, v, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31))
#define HALVES_16_4(u, v)                                                                                                     \
    (__builtin_shufflevector(u, v, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27) +                                \
     __builtin_shufflevector(u, v, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31))
#define HALVES_16_2(u, v)                                                                                                     \
    (__builtin_shufflevector(u, v, 0, 1, 4, 5, 8, 9, 12, 13, 16, 17, 20, 21, 24, 25, 28, 29) +                                \
     __builtin_shufflevector(u, v, 2, 3, 6, 7, 10, 11, 14, 15, 18, 19, 22, 23, 26, 27, 30, 31))
#define HALVES_16_1(u, v)                                                                                                     \
    (__builtin_shufflevector(u, v, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30) +                               \
     __builtin_shufflevector(u, v, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31))
#define HALVES_8_4(u, v) (__builtin_shufflevector(u, v, 0, 1, 2, 3, 8, 9, 10, 11) + __builtin_shufflevector(u, v, 4, 5, 6, 7, 12, 13, 14, 15))
#define HALVES_8_2(u, v) (__builtin_shufflevector(u, v, 0, 1, 4, 5, 8, 9, 12, 13) + __builtin_shufflevector(u, v, 2, 3, 6, 7, 10, 11, 14, 15))
#define HALVES_8_1(u, v) (__builtin_shufflevector(u, v, 0, 2, 4, 6, 8, 10, 12, 14) + __builtin_shufflevector(u, v, 1, 3, 5, 7, 9, 11, 13, 15))
#define HALVES_4_2(u, v) (__builtin_shufflevector(u, v, 0, 1, 4, 5) + __builtin_shufflevector(u, v, 2, 3, 6, 7))
#define HALVES_4_1(u, v) (__builtin_shufflevector(u, v, 0, 2, 4, 6) + __builtin_shufflevector(u, v, 1, 3, 5, 7))
#define HALVES_2_1(u, v) (__builtin_shufflevector(u, v, 0, 2) + __builtin_shufflevector(u, v, 1, 3))
#define FOLD_2 s[0] = HALVES_2_1(s[0], s[1]);
#define FOLD_4                                                                                                                \
    for (int q = 0; q < 2; q++) s[q] = HALVES_4_2(s[2 * q], s[2 * q + 1]);                                                    \
    s[0] = HALVES_4_1(s[0], s[1]);
#define FOLD_8                                                                                                                \
    for (int q = 0; q < 4; q++) s[q] = HALVES_8_4(s[2 * q], s[2 * q + 1]);                                                    \
    for (int q = 0; q < 2; q++) s[q] = HALVES_8_2(s[2 * q], s[2 * q + 1]);                                                    \
    s[0] = HALVES_8_1(s[0], s[1]);
#define FOLD_16                                                                                                               \
    for (int q = 0; q < 8; q++) s[q] = HALVES_16_8(s[2 * q], s[2 * q + 1]);                                                   \
    for (int q = 0; q < 4; q++) s[q] = HALVES_16_4(s[2 * q], s[2 * q + 1]);                                                   \
    for (int q = 0; q < 2; q++) s[q] = HALVES_16_2(s[2 * q], s[2 * q + 1]);                                                   \
    s[0] = HALVES_16_1(s[0], s[1]);
#if VECTOR_BYTES == 64
#define FOLD_f32 FOLD_16
#define FOLD_f64 FOLD_8
#elif VECTOR_BYTES == 32
#define FOLD_f32 FOLD_8
#define FOLD_f64 FOLD_4
#else
#define FOLD_f32 FOLD_4
#define FOLD_f64 FOLD_2
#endif
#else
#define FOLD_f32                                                                                                              \
    for (int q = 0; q < VECTOR_BYTES / 4; q++)                                                                                \
        for (int l = 1; l < VECTOR_BYTES / 4; l++) s[q][0] += s[q][l];                                                        \
    for (int q = 1; q < VECTOR_BYTES / 4; q++) s[0][q] = s[q][0];
#define FOLD_f64                                                                                                              \
    for (int q = 0; q < VECTOR_BYTES / 8; q++)                                                                                \
        for (int l = 1; l < VECTOR_BYTES / 8; l++) s[q][0] += s[q][l];                                                        \
    for (int q = 1; q < VECTOR_BYTES / 8; q++) s[0][q] = s[q][0];
#endif

#define FEW 4            /* columns that do not fill a vector worth the name */
#define FEW_DEPTH 512    /* longest sum of dot products */
#define FEW_ROWS 256     /* rows of a turned product at a time */

/* `rows` and `wide` (two vectors of columns rather than one) are constants where this is inlined, so the accumulators live in registers.
 * start: added at the end, rows `pitch` apart (0: one row for all), or NULL. */
#define PRODUCT_BODY(SUFFIX, T)                                                                                               \
    __attribute__((always_inline)) static inline void block_##SUFFIX(int rows, int wide, int64_t count, const T *a, int64_t rs, \
                                                                     int64_t ks, const T *b, const int64_t *offset, int64_t ldb, \
                                                                     T *c, int64_t ldc, const T *start, int64_t pitch)        \
    {                                                                                                                         \
        enum { W = VECTOR_BYTES / sizeof(T) };                                                                                \
        vector_##SUFFIX sum[MR][2];                                                                                           \
        _Pragma("GCC unroll 16") for (int i = 0; i < rows; i++) sum[i][0] = sum[i][1] = (vector_##SUFFIX){0};                 \
        for (int64_t k = 0; k < count; k++) {                                                                                 \
            const T *row = b + (offset ? offset[k] : k * ldb), *ak = a + k * ks;                                              \
            vector_##SUFFIX b0 = *(const vector_##SUFFIX *)row, b1 = wide ? *(const vector_##SUFFIX *)(row + W) : b0;         \
            _Pragma("GCC unroll 16") for (int i = 0; i < rows; i++)                                                           \
            {                                                                                                                 \
                vector_##SUFFIX x = ak[i * rs] - (vector_##SUFFIX){0};                                                        \
                sum[i][0] += x * b0;                                                                                          \
                if (wide) sum[i][1] += x * b1;                                                                                \
            }                                                                                                                 \
        }                                                                                                                     \
        _Pragma("GCC unroll 16") for (int i = 0; i < rows; i++)                                                               \
        {                                                                                                                     \
            vector_##SUFFIX *out = (vector_##SUFFIX *)(c + i * ldc), *from = (vector_##SUFFIX *)(uintptr_t)(start + i * pitch); \
            if (start) sum[i][0] += from[0];                                                                                  \
            out[0] = sum[i][0];                                                                                               \
            if (!wide) continue;                                                                                              \
            if (start) sum[i][1] += from[1];                                                                                  \
            out[1] = sum[i][1];                                                                                               \
        }                                                                                                                     \
    }                                                                                                                         \
    static void rows_##SUFFIX(int rows, int64_t count, const T *a, int64_t rs, int64_t ks, const T *b, const int64_t *offset, \
                              int64_t ldb, T *c, int64_t ldc, const T *start, int64_t pitch)                                  \
    {                                                                                                                         \
        switch (rows) {                                                                                                       \
            PRODUCT_CASES(SUFFIX, 1)                                                                                          \
        }                                                                                                                     \
    }                                                                                                                         \
    static void narrow_rows_##SUFFIX(int rows, int64_t count, const T *a, int64_t rs, int64_t ks, const T *b,                 \
                                     const int64_t *offset, int64_t ldb, T *c, int64_t ldc, const T *start, int64_t pitch)    \
    {                                                                                                                         \
        switch (rows) {                                                                                                       \
            PRODUCT_CASES(SUFFIX, 0)                                                                                          \
        }                                                                                                                     \
    }                                                                                                                         \
    static void product_from_##SUFFIX(int64_t m, int64_t n, int64_t count, const T *av, int64_t rs, int64_t ks, const T *b,   \
                                      const int64_t *offset, int64_t ldb, T *cv, int64_t ldc, const T *from, int64_t pitch)   \
    {                                                                                                                         \
        enum { W = VECTOR_BYTES / sizeof(T) };                                                                                \
        T edge[MR * 2 * W];                                                                                                   \
        int64_t blocks = (m + MR - 1) / MR; /* of about the same number of rows */                                            \
        for (int64_t block = 0; block < blocks; block++) {                                                                    \
            int64_t i = block * m / blocks;                                                                                   \
            int rows = (int)((block + 1) * m / blocks - i);                                                                   \
            const T *a = av + i * rs, *start = from ? from + i * pitch : NULL;                                                \
            T *c = cv + i * ldc;                                                                                              \
            int64_t j = 0;                                                                                                    \
            for (; j + 2 * W <= n; j += 2 * W)                                                                                \
                rows_##SUFFIX(rows, count, a, rs, ks, b + j, offset, ldb, c + j, ldc, start ? start + j : NULL, pitch);       \
            if (j + W <= n) {                                                                                                 \
                narrow_rows_##SUFFIX(rows, count, a, rs, ks, b + j, offset, ldb, c + j, ldc, start ? start + j : NULL, pitch); \
                j += W;                                                                                                       \
            }                                                                                                                 \
            if (j == n) continue;                                                                                             \
            narrow_rows_##SUFFIX(rows, count, a, rs, ks, b + j, offset, ldb, edge, W, NULL, 0);                               \
            for (int r = 0; r < rows; r++)                                                                                    \
                for (int64_t q = 0; q < n - j; q++) c[r * ldc + j + q] = edge[r * W + q] + (start ? start[r * pitch + j + q] : 0); \
        }                                                                                                                     \
    }                                                                                                                         \
    /* Few columns and A by columns: the transpose of the result has long rows. */                                            \
    static void turned_##SUFFIX(int64_t m, int64_t n, int64_t count, const T *a, int64_t ks, const T *b, int64_t ldb, T *c,   \
                                int64_t ldc, const T *start, int64_t pitch)                                                   \
    {                                                                                                                         \
        T turned[FEW * FEW_ROWS];                                                                                             \
        for (int64_t first = 0; first < m; first += FEW_ROWS) {                                                               \
            int64_t rows = m - first < FEW_ROWS ? m - first : FEW_ROWS;                                                       \
            product_from_##SUFFIX(n, rows, count, b, 1, ldb, a + first, NULL, ks, turned, rows, NULL, 0);                     \
            for (int64_t i = 0; i < rows; i++)                                                                                \
                for (int64_t j = 0; j < n; j++)                                                                               \
                    c[(first + i) * ldc + j] = turned[j * rows + i] + (start ? start[(first + i) * pitch + j] : 0);           \
        }                                                                                                                     \
    }                                                                                                                         \
    /* Few columns and A by rows: dot products, as many rows at once as a vector has lanes. */                                \
    static void dots_##SUFFIX(int64_t m, int64_t n, int64_t count, const T *a, int64_t rs, const T *b, int64_t ldb, T *c,     \
                              int64_t ldc, const T *start, int64_t pitch)                                                     \
    {                                                                                                                         \
        enum { W = VECTOR_BYTES / sizeof(T) };                                                                                \
        T columns[FEW][FEW_DEPTH + W], tail[W][W];                                                                            \
        int64_t whole = count / W * W;                                                                                        \
        for (int64_t j = 0; j < n; j++)                                                                                       \
            for (int64_t k = 0; k < count + W; k++) columns[j][k] = k < count ? b[k * ldb + j] : 0;                           \
        for (int r = 0; r < W; r++)                                                                                           \
            for (int l = 0; l < W; l++) tail[r][l] = 0;                                                                       \
        for (int64_t i = 0; i < m; i += W) {                                                                                  \
            const T *row[W];                                                                                                  \
            for (int r = 0; r < W; r++) row[r] = a + (i + r < m ? i + r : m - 1) * rs;                                        \
            for (int r = 0; r < W; r++)                                                                                       \
                for (int64_t k = whole; k < count; k++) tail[r][k - whole] = row[r][k];                                       \
            for (int64_t j = 0; j < n; j++) {                                                                                 \
                vector_##SUFFIX s[W];                                                                                         \
                _Pragma("GCC unroll 16") for (int r = 0; r < W; r++) s[r] = (vector_##SUFFIX){0};                             \
                for (int64_t k = 0; k < whole; k += W) {                                                                      \
                    vector_##SUFFIX x = *(const vector_##SUFFIX *)(columns[j] + k);                                           \
                    _Pragma("GCC unroll 16") for (int r = 0; r < W; r++) s[r] += x * *(const vector_##SUFFIX *)(row[r] + k);  \
                }                                                                                                             \
                if (whole < count) {                                                                                          \
                    vector_##SUFFIX x = *(const vector_##SUFFIX *)(columns[j] + whole);                                       \
                    _Pragma("GCC unroll 16") for (int r = 0; r < W; r++) s[r] += x * *(const vector_##SUFFIX *)tail[r];       \
                }                                                                                                             \
                FOLD_##SUFFIX                                                                                                 \
                for (int r = 0; r < W && i + r < m; r++)                                                                      \
                    c[(i + r) * ldc + j] = s[0][r] + (start ? start[(i + r) * pitch + j] : 0);                                \
            }                                                                                                                 \
        }                                                                                                                     \
    }                                                                                                                         \
    static void start_product_##SUFFIX(int64_t m, int64_t n, int64_t count, const void *a, int64_t rs, int64_t ks, const void *b, \
                                       const int64_t *offset, int64_t ldb, void *c, int64_t ldc, const void *start, int64_t pitch) \
    {                                                                                                                         \
        enum { W = VECTOR_BYTES / sizeof(T) };                                                                                \
        if (n <= FEW && !offset && rs == 1 && m >= W) turned_##SUFFIX(m, n, count, a, ks, b, ldb, c, ldc, start, pitch);      \
        else if (n <= FEW && !offset && ks == 1 && m >= W && count >= W && count <= FEW_DEPTH)                                \
            dots_##SUFFIX(m, n, count, a, rs, b, ldb, c, ldc, start, pitch);                                                  \
        else product_from_##SUFFIX(m, n, count, a, rs, ks, b, offset, ldb, c, ldc, start, pitch);                             \
    }                                                                                                                         \
    static void product_##SUFFIX(int64_t m, int64_t n, int64_t count, const void *a, int64_t rs, int64_t ks, const void *b,   \
                                 const int64_t *offset, int64_t ldb, void *c, int64_t ldc, int accumulate)                    \
    {                                                                                                                         \
        start_product_##SUFFIX(m, n, count, a, rs, ks, b, offset, ldb, c, ldc, accumulate ? c : NULL, ldc);                   \
    }                                                                                                                         \
    static void product_row_##SUFFIX(int64_t m, int64_t n, int64_t count, const void *a, int64_t rs, int64_t ks, const void *b, \
                                     int64_t ldb, void *c, int64_t ldc, const void *row)                                      \
    {                                                                                                                         \
        start_product_##SUFFIX(m, n, count, a, rs, ks, b, NULL, ldb, c, ldc, row, 0);                                         \
    }
#define PRODUCT_CASE(SUFFIX, ROWS, WIDE)                                                                                      \
    case ROWS: block_##SUFFIX(ROWS, WIDE, count, a, rs, ks, b, offset, ldb, c, ldc, start, pitch); break;
#define PRODUCT_CASES_6(SUFFIX, WIDE)                                                                                         \
    PRODUCT_CASE(SUFFIX, 1, WIDE) PRODUCT_CASE(SUFFIX, 2, WIDE) PRODUCT_CASE(SUFFIX, 3, WIDE) PRODUCT_CASE(SUFFIX, 4, WIDE)   \
    PRODUCT_CASE(SUFFIX, 5, WIDE) PRODUCT_CASE(SUFFIX, 6, WIDE)
#if MR == 12
#define PRODUCT_CASES(SUFFIX, WIDE)                                                                                           \
    PRODUCT_CASES_6(SUFFIX, WIDE)                                                                                             \
    PRODUCT_CASE(SUFFIX, 7, WIDE) PRODUCT_CASE(SUFFIX, 8, WIDE) PRODUCT_CASE(SUFFIX, 9, WIDE) PRODUCT_CASE(SUFFIX, 10, WIDE)  \
    PRODUCT_CASE(SUFFIX, 11, WIDE) PRODUCT_CASE(SUFFIX, 12, WIDE)
#else
#define PRODUCT_CASES(SUFFIX, WIDE) PRODUCT_CASES_6(SUFFIX, WIDE)
#endif
PRODUCT_BODY(f32, float)
PRODUCT_BODY(f64, double)

/* ---- the table ---- */
#define TABLE_F(name) [FLOAT32] = PASTE(name, f32), [FLOAT64] = PASTE(name, f64)
#define TABLE_A(name) TABLE_F(name), [INT64] = PASTE(name, i64), [UINT8] = PASTE(name, u8)

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
    .product = {TABLE_F(product)},
    .product_row = {TABLE_F(product_row)},
    .adam = {TABLE_F(adam)},
};
