/* exp, expm1, tanh, sigmoid and softplus of float32 and float64 on every instruction set, over all
 * magnitudes: errors, ends, signs, and no steps down where ways meet. */
#include "accuracy.h"

static long double sigmoid_exact(long double x)
{
    return x < 0 ? expl(x) / (1 + expl(x)) : 1 / (1 + expl(-x));
}
static long double softplus_exact(long double x) { return (x > 0 ? x : 0) + log1pl(expl(-fabsl(x))); }

static const struct {
    enum unary op;
    const char *name;
    long double (*exact)(long double);
    double limit[2]; /* in units in the last place */
    double slack[2]; /* of how many of them it may fall while x grows */
} functions[] = {
    {UNARY_EXP, "exp", expl, {1.5, 1.1}, {1, 1}},
    {UNARY_TANH, "tanh", tanhl, {2, 1.5}, {2, 1}},
    {UNARY_SIGMOID, "sigmoid", sigmoid_exact, {4, 3}, {2, 2}},
    {UNARY_SOFTPLUS, "softplus", softplus_exact, {4, 2}, {2, 2}},
    {UNARY_EXPM1, "expm1", expm1l, {2.5, 2}, {2, 2}},
};
#define FUNCTIONS (sizeof functions / sizeof *functions)
#define MANY 4096

static union {
    float f32[MANY];
    double f64[MANY];
} x, y;
static double off;

static void run(size_t f, enum dtype dtype)
{
    loops->unary[functions[f].op][dtype]((int64_t[]){1, MANY}, &x, (int64_t[]){0, 1}, &y);
}

/* Units in the last place of a number; of a subnormal one they are the smallest number. */
static double unit_of(enum dtype dtype, long double value)
{
    int digits = dtype == FLOAT32 ? FLT_MANT_DIG : DBL_MANT_DIG, exponent,
        least = (dtype == FLOAT32 ? FLT_MIN_EXP : DBL_MIN_EXP) - digits;
    frexpl(value, &exponent);
    return ldexp(1, exponent - digits > least ? exponent - digits : least);
}

static void check_errors(size_t f, enum dtype dtype)
{
    long double largest = dtype == FLOAT32 ? (long double)FLT_MAX : (long double)DBL_MAX;
    run(f, dtype);
    for (int64_t i = 0; i < MANY; i++) {
        double in = at(dtype, &x, i), got = at(dtype, &y, i);
        long double want = functions[f].exact(in);
        if (fabsl(want) > largest * (1 - 4 * (long double)epsilon(dtype))) {
            CHECK(got > 0 && got >= (double)(largest / 2), "%s(%.17g) = %.17g", functions[f].name, in, got);
            continue;
        }
        double error = (double)(fabsl(got - want) / unit_of(dtype, want));
        if (!(error <= off)) off = error;
        CHECK(error <= functions[f].limit[dtype], "%s %s %s(%.17g) = %.17g: %.2f ulp", loops->name,
              type_name[dtype], functions[f].name, in, got, error);
    }
}

static double uniform(double low, double high)
{
    double u;
    rng_uniform_f64(&dice, 1, &u);
    return low + u * (high - low);
}

static void errors_on_one_set(void)
{
    for (size_t f = 0; f < FUNCTIONS; f++)
        for (enum dtype dtype = FLOAT32; dtype <= FLOAT64; dtype++) {
            double wide = dtype == FLOAT32 ? 110 : 760, least = dtype == FLOAT32 ? -149 : -1074;
            off = 0;
            for (int trial = 0; trial < 24; trial++) {
                for (int64_t i = 0; i < MANY; i++) {
                    double sign = pick(0, 1) ? -1 : 1, v = uniform(-wide, wide);
                    if (trial % 3 == 1) v = uniform(-2, 2);
                    if (trial % 3 == 2) v = sign * exp2(uniform(least, dtype == FLOAT32 ? 128 : 1024));
                    put(dtype, &x, i, v);
                }
                check_errors(f, dtype);
            }
            printf("     %-8s %-8s %s: %.2f ulp\n", loops->name, functions[f].name, type_name[dtype], off);
        }
}

/* Numbers one after the other around places where a way ends: none falls by more than rounding. */
static void steps_on_one_set(void)
{
    static const double places[] = {0,
                                    1e-8,
                                    0.3465735902799726,
                                    0.625,
                                    1.0397207708399179,
                                    9,
                                    10,
                                    18.714973875118524,
                                    19,
                                    20,
                                    22,
                                    36.7,
                                    40,
                                    60,
                                    700,
                                    708.4,
                                    709,
                                    745};
    for (size_t f = 0; f < FUNCTIONS; f++)
        for (enum dtype dtype = FLOAT32; dtype <= FLOAT64; dtype++)
            for (size_t k = 0; k < 2 * sizeof places / sizeof *places; k++) {
                double v = k % 2 ? -places[k / 2] : places[k / 2];
                for (int i = 0; i < MANY / 2; i++)
                    v = dtype == FLOAT32 ? (double)nextafterf((float)v, -INFINITY) : nextafter(v, -INFINITY);
                for (int64_t i = 0; i < MANY; i++) {
                    put(dtype, &x, i, v);
                    v = dtype == FLOAT32 ? (double)nextafterf((float)v, INFINITY) : nextafter(v, INFINITY);
                }
                run(f, dtype);
                for (int64_t i = 1; i < MANY; i++) {
                    double before = at(dtype, &y, i - 1), now = at(dtype, &y, i);
                    if (isinf(before) && before == now) continue;
                    CHECK(before - now <= functions[f].slack[dtype] * unit_of(dtype, before),
                          "%s %s %s(%.17g): %.17g after %.17g", loops->name, type_name[dtype],
                          functions[f].name, at(dtype, &x, i), now, before);
                }
            }
}

static int same(double a, double b) { return (isnan(a) && isnan(b)) || (a == b && signbit(a) == signbit(b)); }

static void ends_on_one_set(void)
{
    static const double in[] = {INFINITY, -INFINITY, NAN,    0,   1e-300, -1e-300,
                                1e-320,   1e300,     -1e300, 800, -800};
    static const double out[FUNCTIONS][11] = {
        {INFINITY, 0, NAN, 1, 1, 1, 1, INFINITY, 0, INFINITY, 0},
        {1, -1, NAN, 0, 1e-300, -1e-300, 1e-320, 1, -1, 1, -1},
        {1, 0, NAN, 0.5, 0.5, 0.5, 0.5, 1, 0, 1, 0},
        {INFINITY, 0, NAN, M_LN2, M_LN2, M_LN2, M_LN2, 1e300, 0, 800, 0},
        {INFINITY, -1, NAN, 0, 1e-300, -1e-300, 1e-320, INFINITY, -1, INFINITY, -1},
    };
    for (size_t f = 0; f < FUNCTIONS; f++)
        for (enum dtype dtype = FLOAT32; dtype <= FLOAT64; dtype++)
            for (int k = 0; k < 11; k++) {
                double want = dtype == FLOAT32 ? (double)(float)out[f][k] : out[f][k], got;
                for (int64_t i = 0; i < MANY; i++) put(dtype, &x, i, in[k]);
                run(f, dtype);
                got = at(dtype, &y, k);
                CHECK(same(got, want), "%s %s %s(%g) = %.17g", loops->name, type_name[dtype],
                      functions[f].name, in[k], got);
            }
}

/* tanh(-x) = -tanh(x), of zeros as well, and no magnitude above 1. */
static void signs_on_one_set(void)
{
    for (enum dtype dtype = FLOAT32; dtype <= FLOAT64; dtype++)
        for (int trial = 0; trial < 8; trial++) {
            for (int64_t i = 0; i < MANY; i += 2) {
                double v = i == 0 ? 0 : trial % 2 ? uniform(0, 25) : exp2(uniform(-140, 100));
                put(dtype, &x, i, v);
                put(dtype, &x, i + 1, -v);
            }
            run(1, dtype);
            for (int64_t i = 0; i < MANY; i += 2) {
                double a = at(dtype, &y, i), b = at(dtype, &y, i + 1);
                CHECK(same(a, -b) && a <= 1, "%s %s tanh(%.17g) = %.17g, of its negative %.17g", loops->name,
                      type_name[dtype], at(dtype, &x, i), a, b);
            }
        }
}

static void errors(void) { for_each_set(errors_on_one_set); }
static void steps(void) { for_each_set(steps_on_one_set); }
static void ends(void) { for_each_set(ends_on_one_set); }
static void signs(void) { for_each_set(signs_on_one_set); }

int main(int argc, char **argv)
{
    static const struct check_test tests[] = {
        {"errors at all magnitudes", errors}, {"no steps down", steps}, {"ends", ends}, {"signs", signs}};
    return check_main(tests, sizeof tests / sizeof *tests, argc, argv);
}
