#include "io/decimal.h"

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int by_printf(double v, char *text)
{
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, DECIMAL_TEXT, "%.*g", digits, v);
        if (strtod(text, NULL) == v) break;
    }
    char *point = text + strspn(text, "-0123456789");
    size_t bytes = strcspn(point, "0123456789e"); /* of a locale with another point, too */
    if (bytes > 0) {
        *point = '.';
        memmove(point + 1, point + bytes, strlen(point + bytes) + 1);
    }
    return (int)strlen(text);
}

/* Digits of a number >= 1, without the zeros at their end, and its exponent, as %g shows them. */
static int show(int minus, uint64_t number, int exponent, char *text)
{
    char digits[20];
    int n = 0, at = 0;
    while (number % 10 == 0) number /= 10;
    for (; number > 0; number /= 10) digits[n++] = (char)('0' + number % 10); /* the last one first */
    if (minus) text[at++] = '-';
    int shift = exponent < -4 ? 0 : exponent;
    if (shift < 0) {
        memcpy(text + at, "0.000", 5);
        at += 1 - shift;
    }
    for (int i = 0; i < n || i <= shift; i++) {
        if (i > 0 && i == shift + 1) text[at++] = '.';
        text[at++] = i < n ? digits[n - 1 - i] : '0';
    }
    if (exponent < -4) at += snprintf(text + at, 8, "e-%02d", -exponent);
    text[at] = 0;
    return at;
}

/* A product of long doubles below 1e17 < 2^57 with 64 bits is off by 2^-8 at most. */
#define DOUBT 0.015625L

/* 17 digits of v are those of an integer in long double, so that fewer digits read back when what they leave
 * out is less than half of the distance to the next float64. Returns 0 where that is too close to call, and
 * where powers of ten are not exact. */
static int by_long_double(double v, char *text)
{
    static const long double tens[] = {1e0L,  1e1L,  1e2L,  1e3L,  1e4L,  1e5L,  1e6L,  1e7L,  1e8L,  1e9L,
                                       1e10L, 1e11L, 1e12L, 1e13L, 1e14L, 1e15L, 1e16L, 1e17L, 1e18L, 1e19L,
                                       1e20L, 1e21L, 1e22L, 1e23L, 1e24L, 1e25L, 1e26L, 1e27L};
    double a = fabs(v);
    int two;
    if (LDBL_MANT_DIG < 64 || !(a >= 1e-10 && a < 1e14) || frexp(a, &two) == 0.5) return 0;
    int exponent = (int)floor(log10(a)), power = 16 - exponent;
    long double x = a * tens[power], half = ldexpl(tens[power], two - 54);
    uint64_t whole = (uint64_t)x;
    long double rest = x - (long double)whole;
    if (x < 1e16L || x >= 1e17L - 100 || fabsl(rest - 0.5L) < DOUBT) return 0;
    whole += rest > 0.5L;
    for (uint64_t left_out = 100; left_out > 1; left_out /= 10) {
        uint64_t fewer = (whole + left_out / 2) / left_out * left_out;
        long double off = fabsl(x - (long double)fewer) - half;
        int tie = whole % left_out == left_out / 2; /* which of two is nearer to v is not seen here */
        if (tie ? off < 1 : fabsl(off) < DOUBT) return 0;
        if (off < 0) return show(v < 0, fewer, exponent, text);
    }
    return show(v < 0, whole, exponent, text);
}

int decimal_shortest(double v, char text[DECIMAL_TEXT])
{
    int n = by_long_double(v, text);
    return n > 0 ? n : by_printf(v, text);
}
