/* loops_math_f64.h -- exp, expm1, tanh and log1p of float64 as loops_math.h has them of float32: without
 * branches or calls, within 1 ulp of the true value (expm1, tanh 2). Polynomials of least relative error by
 * Remez's algorithm (exp, log1p) and S. Moshier's Cephes library (tanh); exp's rounds to 2^-58. */
#ifndef KERNELS_LOOPS_MATH_F64_H
#define KERNELS_LOOPS_MATH_F64_H

#include <math.h>
#include <stdint.h>

#define WHOLE_F64 0x1.8p52 /* a sum with it has its nearest integer, in two's complement, in its low bits */

static inline double power_of_two_f64(double n) /* whole, -1022 <= n <= 1023 */
{
    double sum = n + WHOLE_F64, value;
    uint64_t bits;
    __builtin_memcpy(&bits, &sum, sizeof bits);
    bits = (bits + 1023) << 52;
    __builtin_memcpy(&value, &bits, sizeof value);
    return value;
}

/* x = n log 2 + r + *rest, |r| < 0.347, with the nearest whole n. */
static inline double reduced_f64(double x, double *n, double *rest)
{
    *n = (x * 0x1.71547652b82fep0 + WHOLE_F64) - WHOLE_F64;
    double high = x - *n * 0x1.62e42feep-1, r = high - *n * 0x1.a39ef35793c76p-33; /* log 2 in two parts */
    *rest = (high - r) - *n * 0x1.a39ef35793c76p-33;
    return r;
}

/* (exp(r) - 1 - r) / r^2 */
static inline double exp_series_f64(double r)
{
    double q = 2.5000014454542966651e-8;
    q = q * r + 2.7630305529603302268e-7;
    q = q * r + 2.7557586815410308700e-6;
    q = q * r + 2.4801492951817238807e-5;
    q = q * r + 1.9841269505766421966e-4;
    q = q * r + 1.3888888943757701107e-3;
    q = q * r + 8.3333333334949759446e-3;
    q = q * r + 4.1666666666529737395e-2;
    q = q * r + 1.6666666666666411522e-1;
    return q * r + 5.0000000000000106676e-1;
}

static inline double vexp(double x)
{
    double c = x > 710 ? 710 : x < -746 ? -746 : x, n; /* the result is Inf or 0 beyond; NaN stays */
    double rest, r = reduced_f64(c, &n, &rest), half = (n * 0.5 + WHOLE_F64) - WHOLE_F64;
    double e = 1 + (exp_series_f64(r) * (r * r) + r);
    return (e * power_of_two_f64(half)) * power_of_two_f64(n - half); /* may be subnormal */
}

/* a (1 + a^2 P / Q) of small a, else 1 - 2 / (exp(2 a) + 1): one division for both. */
static inline double vtanh(double x)
{
    double a = fabs(x), z = a * a, c = a > 20 ? 40 : 2 * a, n, rest;
    double r = reduced_f64(c, &n, &rest), e = 1 + (exp_series_f64(r) * (r * r) + r);
    double p = (-9.64399179425052238628e-1 * z - 9.92877231001918586564e1) * z - 1.61468768441708447952e3;
    double q = ((z + 1.12811678491632931402e2) * z + 2.23548839060100448583e3) * z + 4.84406305325125486048e3;
    int small = a < 0.625;
    double above = small ? a * z * p : -2, below = small ? q : e * power_of_two_f64(n) + 1;
    return copysign((small ? a : 1) + above / below, x);
}

/* log(1 + u) for 0 <= u <= 1, which softplus needs: 2 artanh(s), s = u / (2 + u), where 2 s = u - (1 - s) u^2
 * / 2 loses less. */
static inline double vlog1p(double u)
{
    double s = u / (2 + u), z = s * s, half = 0.5 * u * u;
    double p = 0.085056543523490174645;
    p = p * z + 0.041721401749680801974;
    p = p * z + 0.060525298979510670682;
    p = p * z + 0.066505570177507537978;
    p = p * z + 0.076932741104205783142;
    p = p * z + 0.090908722670853159845;
    p = p * z + 0.11111111975095552053;
    p = p * z + 0.14285714274109433129;
    p = p * z + 0.20000000000076871651;
    p = p * z + 0.33333333333333158168;
    return u - (half - s * (half + 2 * z * p));
}

static inline double vexpm1(double x)
{
    double c = x > 60 ? 60 : x < -60 ? -60 : x, n, rest, r = reduced_f64(c, &n, &rest);
    double scale = power_of_two_f64(n), curve = exp_series_f64(r) * (r * r) + (rest + rest * r);
    return copysign(x > 60 ? vexp(x) : ((scale - 1) + scale * r) + scale * curve, x);
}

#endif
