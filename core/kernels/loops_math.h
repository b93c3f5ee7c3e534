/* loops_math.h -- exp, expm1, tanh, log1p, erf and erfc of float32, without branches or calls, so that loops
 * over them become vector loops: within 3 ulp of the true value (erfc 7), NaN and infinities as in the C
 * library. Polynomials: S. Moshier's Cephes library (exp, tanh); least relative error by Lawson's iteration
 * (erf, erfc). */
#ifndef KERNELS_LOOPS_MATH_H
#define KERNELS_LOOPS_MATH_H

#include <math.h>
#include <stdint.h>

#include "kernels/loops_math_f64.h"
#include "kernels/special.h"

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

/* vexpf(x), bit for bit, of -87 <= x <= 0 with less work; of smaller x that of -87. The sum that rounds to an
 * integer has it in its low bits. */
static inline float exp_of_negative(float x)
{
    float c = x < -87.0f ? -87.0f : x, sum = c * 1.44269504f + 12582912.0f, n = sum - 12582912.0f;
    float r = (c - n * 0.693359375f) + n * 2.12194440e-4f, power;
    float p =
        ((((1.9875691500e-4f * r + 1.3981999507e-3f) * r + 8.3334519073e-3f) * r + 4.1665795894e-2f) * r +
         1.6666665459e-1f) *
            r +
        5.0000001201e-1f;
    uint32_t bits;
    __builtin_memcpy(&bits, &sum, sizeof bits);
    bits = (bits + 127) << 23;
    __builtin_memcpy(&power, &bits, sizeof power);
    return (p * r * r + r + 1.0f) * power;
}

static inline float vtanhf(float x)
{
    float a = fabsf(x), z = x * x, e = exp_of_negative(-2 * a), large = (1 - e) / (1 + e);
    float p =
        (((-5.70498872745e-3f * z + 2.06390887954e-2f) * z - 5.37397155531e-2f) * z + 1.33314422036e-1f) * z -
        3.33332819422e-1f;
    float small = a + a * z * p;
    return copysignf(a < 0.625f ? small : large, x);
}

/* log(1 + u) for 0 <= u <= 1, which softplus needs: 2 artanh(u / (2 + u)). */
static inline float vlog1pf(float u)
{
    float s = u / (2 + u), z = s * s;
    float p =
        (((((z * (1 / 13.0f) + 1 / 11.0f) * z + 1 / 9.0f) * z + 1 / 7.0f) * z + 1 / 5.0f) * z + 1 / 3.0f) * z;
    return 2 * s + 2 * s * p;
}

/* exp(r) - 1 for the rest r of the nearest multiple of log 2, scaled. */
static inline float vexpm1f(float x)
{
    float c = x > 60.0f ? 60.0f : x < -40.0f ? -40.0f : x;
    float n = (c * 1.44269504f + 12582912.0f) - 12582912.0f;
    float r = (c - n * 0.693359375f) + n * 2.12194440e-4f;
    float p =
        ((((1.9875691500e-4f * r + 1.3981999507e-3f) * r + 8.3334519073e-3f) * r + 4.1665795894e-2f) * r +
         1.6666665459e-1f) *
            r +
        5.0000001201e-1f;
    float scale = power_of_two(n == n ? (int32_t)n : 0);
    return copysignf(x > 60.0f ? vexpf(x) : (p * r * r + r) * scale + (scale - 1), x);
}

/* exp(-a^2) t Q(t), t = 2 / (2 + a), for a >= 0. The square of the upper half of a's digits is exact, and
 * what it lacks, at most 0.06, is a power series. */
static inline float verfc_positive(float a)
{
    float c = a > 10.5f ? 10.5f : a, h = c; /* the result is 0 beyond; NaN stays */
    int32_t bits;
    __builtin_memcpy(&bits, &h, sizeof bits);
    bits &= ~0xfff;
    __builtin_memcpy(&h, &bits, sizeof h);
    float d = (c - h) * (c + h), t = 2 / (2 + c);
    float tail = (((d * (1 / 24.0f) - 1 / 6.0f) * d + 0.5f) * d - 1) * d + 1;
    float q = (((((((-0.05912435354365988f * t + 0.2848458555155605f) * t - 0.48776223523389034f) * t +
                   0.2787122837882092f) *
                      t -
                  0.027071430494805038f) *
                     t +
                 0.20287610293134548f) *
                    t +
                0.24305576302291176f) *
                   t +
               0.28238193230139924f) *
                  t +
              0.2820860386089939f;
    return vexpf(-h * h) * (t * q * tail);
}

static inline float verfcf(float x)
{
    float p = verfc_positive(fabsf(x));
    return x < 0 ? 2 - p : p;
}

static inline float verff(float x)
{
    float z = x * x, large = 1 - verfc_positive(fabsf(x));
    float p = ((((-0.0006315128951075557f * z + 0.005051094753785108f) * z - 0.026802547725071374f) * z +
                0.11282717399822566f) *
                   z -
               0.37612571836570663f) *
                  z +
              1.1283791602302184f;
    return z < 0.7225f ? x * p : x < 0 ? -large : large;
}

/* ---- division with a whole result, and its rest ---- */
#define DIVISION_OF_FLOATS(T, SUFFIX, FMOD, FLOOR, COPYSIGN)                                                 \
    static inline T of_fmod_##SUFFIX(T x, T y) { return FMOD(x, y); }                                        \
    static inline T of_remainder_##SUFFIX(T x, T y)                                                          \
    {                                                                                                        \
        T rest = FMOD(x, y);                                                                                 \
        return rest != 0 && (rest < 0) != (y < 0) ? rest + y : rest;                                         \
    }                                                                                                        \
    static inline T of_floor_divide_##SUFFIX(T x, T y) /* floor(x / y) could be one too much */              \
    {                                                                                                        \
        T rest = FMOD(x, y), quotient = (x - rest) / y;                                                      \
        if (y == 0) return x / y;                                                                            \
        if (rest != 0 && (rest < 0) != (y < 0)) quotient -= 1;                                               \
        T whole = FLOOR(quotient);                                                                           \
        if (quotient == 0) return COPYSIGN(0, x / y);                                                        \
        return quotient - whole > (T)0.5 ? whole + 1 : whole;                                                \
    }
DIVISION_OF_FLOATS(float, f32, fmodf, floorf, copysignf)
DIVISION_OF_FLOATS(double, f64, fmod, floor, copysign)

/* A divisor of 0 gives 0 here: whoever calls has looked for one. The most negative number by -1 wraps
 * around. */
static inline int64_t of_fmod_i64(int64_t x, int64_t y) { return y == 0 || y == -1 ? 0 : x % y; }
static inline int64_t of_remainder_i64(int64_t x, int64_t y)
{
    int64_t rest = of_fmod_i64(x, y);
    return rest != 0 && (rest < 0) != (y < 0) ? rest + y : rest;
}
static inline int64_t of_floor_divide_i64(int64_t x, int64_t y)
{
    if (y == 0 || y == -1) return y == 0 ? 0 : (int64_t) - (uint64_t)x;
    return x / y - (x % y != 0 && (x < 0) != (y < 0));
}
static inline uint8_t of_fmod_u8(uint8_t x, uint8_t y) { return y == 0 ? 0 : x % y; }
static inline uint8_t of_remainder_u8(uint8_t x, uint8_t y) { return of_fmod_u8(x, y); }
static inline uint8_t of_floor_divide_u8(uint8_t x, uint8_t y) { return y == 0 ? 0 : x / y; }

/* y times the derivative of x sigmoid(x). */
#define SILU_GRAD(T, SUFFIX, EXP, FABS)                                                                      \
    static inline T of_silu_grad_##SUFFIX(T x, T y)                                                          \
    {                                                                                                        \
        T e = EXP(-FABS(x)), s = (x < 0 ? e : 1) / (1 + e);                                                  \
        return y * s * (1 + x * ((x < 0 ? 1 : e) / (1 + e)));                                                \
    }
SILU_GRAD(float, f32, vexpf, fabsf)
SILU_GRAD(double, f64, vexp, fabs)

#define FLOAT_exp vexpf
#define FLOAT_tanh vtanhf
#define FLOAT_log1p_unit vlog1pf
#define FLOAT_floor floorf
#define FLOAT_ceil ceilf
#define FLOAT_rint rintf
#define FLOAT_trunc truncf
#define FLOAT_tan tanf
#define FLOAT_asin asinf
#define FLOAT_acos acosf
#define FLOAT_atan atanf
#define FLOAT_sinh sinhf
#define FLOAT_cosh coshf
#define FLOAT_asinh asinhf
#define FLOAT_acosh acoshf
#define FLOAT_atanh atanhf
#define FLOAT_exp2 exp2f
#define FLOAT_expm1 vexpm1f
#define FLOAT_log1p log1pf
#define FLOAT_log2 log2f
#define FLOAT_log10 log10f
#define FLOAT_erf verff
#define FLOAT_erfc verfcf
#define FLOAT_atan2 atan2f
#define FLOAT_hypot hypotf
#define FLOAT_special_log_gamma special_log_gamma_f32
#define FLOAT_special_digamma (float)special_digamma
#define FLOAT_special_polygamma (float)special_polygamma
#define FLOAT_special_erfinv (float)special_erfinv
#define FLOAT_log logf
#define FLOAT_sin sinf
#define FLOAT_cos cosf
#define FLOAT_sqrt sqrtf
#define FLOAT_pow powf
#define FLOAT_fabs fabsf

#define DOUBLE_exp vexp
#define DOUBLE_tanh vtanh
#define DOUBLE_log1p_unit vlog1p
#define DOUBLE_floor floor
#define DOUBLE_ceil ceil
#define DOUBLE_rint rint
#define DOUBLE_trunc trunc
#define DOUBLE_tan tan
#define DOUBLE_asin asin
#define DOUBLE_acos acos
#define DOUBLE_atan atan
#define DOUBLE_sinh sinh
#define DOUBLE_cosh cosh
#define DOUBLE_asinh asinh
#define DOUBLE_acosh acosh
#define DOUBLE_atanh atanh
#define DOUBLE_exp2 exp2
#define DOUBLE_expm1 vexpm1
#define DOUBLE_log1p log1p
#define DOUBLE_log2 log2
#define DOUBLE_log10 log10
#define DOUBLE_erf erf
#define DOUBLE_erfc erfc
#define DOUBLE_atan2 atan2
#define DOUBLE_hypot hypot
#define DOUBLE_special_log_gamma special_log_gamma
#define DOUBLE_special_digamma special_digamma
#define DOUBLE_special_polygamma special_polygamma
#define DOUBLE_special_erfinv special_erfinv
#define DOUBLE_log log
#define DOUBLE_sin sin
#define DOUBLE_cos cos
#define DOUBLE_sqrt sqrt
#define DOUBLE_pow pow
#define DOUBLE_fabs fabs
#define FN_float(name) FLOAT_##name
#define FN_double(name) DOUBLE_##name

#endif
