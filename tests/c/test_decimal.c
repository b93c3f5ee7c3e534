/* test_decimal.c -- texts of numbers are those of printf, for numbers of all kinds. */
#include <locale.h>
#include <math.h>
#include <stdlib.h>

#include "check.h"
#include "dice.h"
#include "io/decimal.h"

static void expect(double v)
{
    char text[DECIMAL_TEXT], want[DECIMAL_TEXT];
    if (!isfinite(v)) return;
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(want, sizeof want, "%.*g", digits, v);
        if (strtod(want, NULL) == v) break;
    }
    int n = decimal_shortest(v, text);
    CHECK(strcmp(text, want) == 0 && n == (int)strlen(text), "%s, expected %s", text, want);
}

static double uniform(void) { return (double)pick(0, (INT64_C(1) << 53) - 1) * 0x1p-53; }

static void test_known(void)
{
    const double list[] = {0,     -0.0,  0.1,       1,    0.5,     123456,     99999999999999.99,
                           1e14,  1e15,  1e16,      1e17, 1e-4,    9.99e-5,    1e-10,
                           1e-11, 1e22,  1e23,      0.3,  1.0 / 3, 5e-324,     1.7976931348623157e308,
                           1e100, 1e-99, 0.1 + 0.2, 4.35, 0x1p-30, 0x1p53 + 2, 9.5367431640625e-07};
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        expect(list[i]);
        expect(-list[i]);
        expect(nextafter(list[i], INFINITY));
        expect(nextafter(list[i], -INFINITY));
    }
    for (int power = -30; power < 30; power++) expect(pow(10, power)), expect(9.5 * pow(10, power));
}

static void test_random(void)
{
    for (int i = 0; i < 20000; i++) {
        double u = uniform();
        int64_t bits = pick(INT64_MIN / 2, INT64_MAX / 2);
        expect(u);
        expect(-1e-5 * u);
        expect(exp(70 * (u - 0.5)));
        expect((double)(float)u);
        expect(round(1e6 * u) / 1e3);
        expect((double)(bits >> (i % 60)));
        memcpy(&u, &bits, sizeof u);
        expect(u);
    }
}

/* 16 digits and a five behind them: which side printf rounds to depends on what follows. */
static void test_ties(void)
{
    for (int i = 0; i < 20000; i++)
        expect(((double)pick(1, 1 << 20) + 0.5) / (double)(INT64_C(1) << pick(20, 60)));
}

static void test_locale(void)
{
    char text[DECIMAL_TEXT];
    if (!setlocale(LC_NUMERIC, "de_DE.UTF-8")) return; /* not installed */
    decimal_shortest(0.25, text);                      /* a power of two is left to printf */
    CHECK(strcmp(text, "0.25") == 0, "%s", text);
    setlocale(LC_NUMERIC, "C");
}

int main(int argc, char **argv)
{
    static const struct check_test tests[] = {
        {"known", test_known}, {"random", test_random}, {"ties", test_ties}, {"locale", test_locale}};
    return check_main(tests, sizeof tests / sizeof *tests, argc, argv);
}
