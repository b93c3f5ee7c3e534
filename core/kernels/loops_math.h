/* loops_math.h -- exp, tanh and log1p of float32, without branches or calls, so that loops over them become
 * vector loops: within 3 ulp of the true value, NaN and infinities as in the C library. Polynomials: S.
 * Moshier's Cephes library (exp, tanh). */
#ifndef KERNELS_LOOPS_MATH_H
#define KERNELS_LOOPS_MATH_H

#include <math.h>
#include <stdint.h>

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

#endif
