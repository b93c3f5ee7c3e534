#include "kernels/special.h"

#include <math.h>

#define MOST_REFLECTED 64
#define MOST 170 /* its factorial is a double */

double special_log_gamma(double x)
{
    int sign;
    return lgamma_r(x, &sign);
}

float special_log_gamma_f32(float x)
{
    int sign;
    return lgammaf_r(x, &sign);
}

/* NIST Handbook (DLMF) 5.5.2, 5.5.4 and 5.11.2: the recurrence, the reflection, the asymptotic series. */
double special_digamma(double x)
{
    static const double series[] = {1 / 12.0,  -1 / 120.0,     1 / 252.0, -1 / 240.0,
                                    1 / 132.0, -691 / 32760.0, 1 / 12.0}; /* B_2k / 2k */
    if (x == 0) return copysign(INFINITY, -x);
    if (x < 0) {
        double rest = x - nearbyint(x); /* exactly: from the nearest pole, also in front of it */
        return rest == 0 ? NAN : special_digamma(1 - x) - M_PI / tan(M_PI * rest);
    }
    double sum = 0;
    for (; x < 10; x++) sum -= 1 / x;
    double z = 1 / (x * x), power = z;
    if (!isfinite(x)) return x;
    for (int k = 0; k < 7; k++, power *= z) sum -= series[k] * power;
    return sum + (log(x) - 0.5 / x);
}

/* Sum over k >= 0 of (x + k)^-s for x > 0 by Euler and Maclaurin (DLMF 25.11.5 and 2.10.1). */
static double hurwitz_zeta(double s, double x)
{
    static const double series[] = {/* B_2k / (2k)! */
                                    1 / 12.0,          -1 / 720.0,
                                    1 / 30240.0,       -1 / 1209600.0,
                                    1 / 47900160.0,    -691 / 1307674368000.0,
                                    1 / 74724249600.0, -3617 / 10670622842880000.0};
    double sum = 0, edge = s + 12;
    for (; x < edge; x++) {
        double term = pow(x, -s);
        sum += term;
        if (term < sum * 1e-17) return sum;
    }
    double power = pow(x, -s), factor = s / x * power;
    sum += power * x / (s - 1) + 0.5 * power;
    for (int k = 0; k < 8; k++) {
        sum += series[k] * factor;
        factor *= (s + 2 * k + 1) * (s + 2 * k + 2) / (x * x);
    }
    return sum;
}

/* The derivative of order n of cot(pi x), without its factor pi^n: polynomials in c = cot, each -(1 + c^2)
 * times the derivative of the one before. */
static double cotangent_derivative(int n, double c)
{
    double p[MOST_REFLECTED + 3] = {0, 1}, value = 0;
    for (int k = 1; k <= n; k++) {
        double next[MOST_REFLECTED + 3] = {0};
        for (int i = 1; i <= k; i++) {
            next[i - 1] -= i * p[i];
            next[i + 1] -= i * p[i];
        }
        for (int i = 0; i <= k + 1; i++) p[i] = next[i];
    }
    for (int i = n + 1; i >= 0; i--) value = value * c + p[i];
    return value;
}

/* DLMF 5.15.2 and 5.15.6. */
double special_polygamma(double x, double n)
{
    if (!(n >= 0) || n != floor(n) || n > MOST || isnan(x)) return NAN;
    if (n == 0) return special_digamma(x);
    double sign = fmod(n, 2) == 0 ? -1 : 1;
    if (x <= 0 && x == floor(x)) return isinf(x) ? NAN : sign * INFINITY;
    if (x > 0) return sign * tgamma(n + 1) * hurwitz_zeta(n + 1, x);
    if (n > MOST_REFLECTED) return NAN;
    double rest = x - nearbyint(x);
    return -pow(M_PI, n + 1) * cotangent_derivative((int)n, 1 / tan(M_PI * rest)) -
           sign * special_polygamma(1 - x, n);
}

/* Winitzki's closed form (A handy approximation for the error function and its inverse, 2008), right to three
 * digits, and steps of Halley's method, each of which trebles them. */
double special_erfinv(double x)
{
    double a = fabs(x);
    if (!(a <= 1)) return NAN;
    if (a == 1 || a == 0) return a == 0 ? x : copysign(INFINITY, x);
    double l = log1p(-a * a), t = 2 / (M_PI * 0.147) + l / 2,
           y = a < 1e-3 ? a / M_2_SQRTPI : sqrt(sqrt(t * t - l / 0.147) - t);
    for (int step = 0; step < 3; step++) {
        double miss = a < 0.5 ? erf(y) - a : (1 - a) - erfc(y), u = miss / (M_2_SQRTPI * exp(-y * y));
        y -= u / (1 + y * u);
    }
    return copysign(y, x);
}
