/* loops_elementwise.h -- elementwise functions, casts and choices, a part of loops.c. */
#ifndef KERNELS_LOOPS_ELEMENTWISE_H
#define KERNELS_LOOPS_ELEMENTWISE_H

#include "kernels/loops_math.h"
#include "kernels/paste.h"

/* In-place use (output over an operand of the same layout) is legal: no element depends on another one. */
#ifdef __clang__
#define INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define INDEPENDENT _Pragma("GCC ivdep")
#endif

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

#define BINARY_LOOP(T, R, X, Y, EXPRESSION)                                                                  \
    for (int64_t i = 0; i < n[1]; i++) {                                                                     \
        T x = X, y = Y;                                                                                      \
        out[i] = (R)(EXPRESSION);                                                                            \
    }

#define BINARY_BODY(NAME, T, R, EXPRESSION)                                                                  \
    static void NAME(const int64_t n[2], const void *xv, const int64_t sx[2], const void *yv,                \
                     const int64_t sy[2], void *outv)                                                        \
    {                                                                                                        \
        R *out = outv;                                                                                       \
        for (int64_t row = 0; row < n[0]; row++, out += n[1]) {                                              \
            const T *xs = (const T *)xv + row * sx[0], *ys = (const T *)yv + row * sy[0];                    \
            if (sx[1] == 1 && sy[1] == 1) {                                                                  \
                INDEPENDENT BINARY_LOOP(T, R, xs[i], ys[i], EXPRESSION)                                      \
            } else if (sx[1] == 1 && sy[1] == 0) {                                                           \
                T y0 = *ys;                                                                                  \
                INDEPENDENT BINARY_LOOP(T, R, xs[i], y0, EXPRESSION)                                         \
            } else if (sx[1] == 0 && sy[1] == 1) {                                                           \
                T x0 = *xs;                                                                                  \
                INDEPENDENT BINARY_LOOP(T, R, x0, ys[i], EXPRESSION)                                         \
            } else {                                                                                         \
                BINARY_LOOP(T, R, xs[i * sx[1]], ys[i * sy[1]], EXPRESSION)                                  \
            }                                                                                                \
        }                                                                                                    \
    }

/* ---- elementwise functions for each dtype ---- */
#define FLOATS_ONLY_F(x)
#define FLOATS_ONLY_A(x) x
#define FLOATS_ONLY_D(x) x
#define PREDICATE(NAME, name, expression) UNARY_BODY(PASTE(name, SUFFIX), T, uint8_t, expression)
#define COMPARE(NAME, name, expression) BINARY_BODY(PASTE(name, SUFFIX), T, uint8_t, expression)
#define BY(f) PASTE(of_##f, SUFFIX)(x, y)

#define FN(f) FN_float(f)
#define WHOLE(f) FN(f)(x)
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
#undef WHOLE
#define W(x) ((uint64_t)(x))
#define WHOLE(f) x
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
#undef PREDICATE
#undef COMPARE
#undef BY
#undef W
#undef WHOLE

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

#endif
