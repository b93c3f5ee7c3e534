/* The right-hand sides of tests/lua/stiff.lua, and some of tests/lua/detest.lua, in C, for all programs that
 * tests/bench/stiff.sh compares: tide_<name> is a struct tide_field (core/autodiff/tide_field.h). Sources are
 * there. stiff_bench.lua compares them with the Lua functions before it measures. */
#include <math.h>

#include "autodiff/tide_field.h"

#define FIELD(name, n)                                                                                       \
    static int f_##name(const struct tide_field_call *call, double t, const double *y, double *dy);          \
    TIDE_FIELD(tide_##name) = {TIDE_FIELD_HEAD, .width = n, .n_theta = 0, .f = f_##name};                    \
    static int f_##name(const struct tide_field_call *call, double t, const double *y, double *dy)

#define PI 3.14159265358979323846

FIELD(robertson, 3)
{
    (void)call, (void)t;
    double a = 0.04 * y[0], b = 1e4 * y[1] * y[2], c = 3e7 * y[1] * y[1];
    dy[0] = b - a;
    dy[1] = a - b - c;
    dy[2] = c;
    return 0;
}

FIELD(van_der_pol, 2)
{
    (void)call, (void)t;
    dy[0] = y[1];
    dy[1] = 1000 * (1 - y[0] * y[0]) * y[1] - y[0];
    return 0;
}

FIELD(hires, 8)
{
    (void)call, (void)t;
    double a = 280 * y[5] * y[7];
    dy[0] = -1.71 * y[0] + 0.43 * y[1] + 8.32 * y[2] + 0.0007;
    dy[1] = 1.71 * y[0] - 8.75 * y[1];
    dy[2] = -10.03 * y[2] + 0.43 * y[3] + 0.035 * y[4];
    dy[3] = 8.32 * y[1] + 1.71 * y[2] - 1.12 * y[3];
    dy[4] = -1.745 * y[4] + 0.43 * y[5] + 0.43 * y[6];
    dy[5] = -a + 0.69 * y[3] + 1.71 * y[4] - 0.43 * y[5] + 0.69 * y[6];
    dy[6] = a - 1.81 * y[6];
    dy[7] = -a + 1.81 * y[6];
    return 0;
}

FIELD(oregonator, 3)
{
    (void)call, (void)t;
    dy[0] = 77.27 * (y[1] + y[0] * (1 - 8.375e-6 * y[0] - y[1]));
    dy[1] = (y[2] - (1 + y[0]) * y[1]) / 77.27;
    dy[2] = 0.161 * (y[0] - y[2]);
    return 0;
}

FIELD(e5, 4)
{
    (void)call, (void)t;
    double a = 7.89e-10 * y[0], b = 1.1e7 * y[0] * y[2], c = 1.13e9 * y[1] * y[2], d = 1.13e3 * y[3];
    dy[0] = -a - b;
    dy[1] = a - c;
    dy[2] = a - b - c + d;
    dy[3] = b - d;
    return 0;
}

FIELD(prothero_robinson, 1)
{
    (void)call;
    dy[0] = -1e6 * (y[0] - cos(t)) - sin(t);
    return 0;
}

static double diode(double u) { return 40.67286402e-9 * (exp(17.7493332 * u) - 1); }

FIELD(ring_modulator, 15)
{
    (void)call;
    double low = 0.5 * sin(2e3 * PI * t), high = 2 * sin(2e4 * PI * t);
    double a = diode(y[2] - y[4] - y[6] - high), b = diode(-y[3] + y[5] - y[6] - high);
    double c = diode(y[3] + y[4] + y[6] + high), d = diode(-y[2] - y[5] + y[6] + high);
    dy[0] = (y[7] - 0.5 * y[9] + 0.5 * y[10] + y[13] - y[0] / 25e3) / 1.6e-8;
    dy[1] = (y[8] - 0.5 * y[11] + 0.5 * y[12] + y[14] - y[1] / 25e3) / 1.6e-8;
    dy[2] = (y[9] - a + d) / 2e-12;
    dy[3] = (-y[10] + b - c) / 2e-12;
    dy[4] = (y[11] + a - c) / 2e-12;
    dy[5] = (-y[12] - b + d) / 2e-12;
    dy[6] = (-y[6] / 50 + a + b - c - d) / 1e-8;
    dy[7] = -y[0] / 4.45;
    dy[8] = -y[1] / 4.45;
    dy[9] = (0.5 * y[0] - y[2] - 17.3 * y[9]) / 5e-4;
    dy[10] = (-0.5 * y[0] + y[3] - 17.3 * y[10]) / 5e-4;
    dy[11] = (0.5 * y[1] - y[4] - 17.3 * y[11]) / 5e-4;
    dy[12] = (-0.5 * y[1] + y[5] - 17.3 * y[12]) / 5e-4;
    dy[13] = (-y[0] + low - 86.3 * y[13]) / 2e-3;
    dy[14] = (-y[1] - 636.3 * y[14]) / 2e-3;
    return 0;
}

/* ---- not stiff ---- */

FIELD(A3, 1)
{
    (void)call;
    dy[0] = y[0] * cos(t);
    return 0;
}

FIELD(B1, 2)
{
    (void)call, (void)t;
    dy[0] = 2 * (y[0] - y[0] * y[1]);
    dy[1] = -(y[1] - y[0] * y[1]);
    return 0;
}

FIELD(B5, 3)
{
    (void)call, (void)t;
    dy[0] = y[1] * y[2];
    dy[1] = -y[0] * y[2];
    dy[2] = -0.51 * y[0] * y[1];
    return 0;
}

FIELD(C1, 10)
{
    (void)call, (void)t;
    dy[0] = -y[0];
    for (int i = 1; i < 9; i++) dy[i] = y[i - 1] - y[i];
    dy[9] = y[8];
    return 0;
}

/* D1 to D5: an orbit, whose eccentricity is in y(0). */
static int orbit(const struct tide_field_call *call, double t, const double *y, double *dy)
{
    (void)call, (void)t;
    double r2 = y[0] * y[0] + y[1] * y[1], r3 = r2 * sqrt(r2);
    dy[0] = y[2];
    dy[1] = y[3];
    dy[2] = -y[0] / r3;
    dy[3] = -y[1] / r3;
    return 0;
}
TIDE_FIELD(tide_D1) = {TIDE_FIELD_HEAD, .width = 4, .n_theta = 0, .f = orbit};
TIDE_FIELD(tide_D5) = {TIDE_FIELD_HEAD, .width = 4, .n_theta = 0, .f = orbit};

FIELD(E2, 2)
{
    (void)call, (void)t;
    dy[0] = y[1];
    dy[1] = (1 - y[0] * y[0]) * y[1] - y[0];
    return 0;
}
