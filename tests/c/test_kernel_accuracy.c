/* test_kernel_accuracy.c -- every kernel on every instruction set of this machine against a reference of
 * higher precision.
 *
 * float32 is compared with double, float64 with long double. Shapes are random from a fixed seed, with the
 * sizes at which kernels change their way among them; operands start one element off an aligned address as
 * often as not. Errors are measured in units of eps * sum |a| |b|: what rounding may do to a sum of products,
 * however its terms cancel. For random signs the error of a sum carried in one accumulator is about half a
 * unit whatever its length, so bounds of a few units hold for all sizes and catch a lost bit. Each test
 * prints the worst that it met, so that a change of a kernel shows its price. */
#include <math.h>
#include <string.h>

#include "accuracy.h"
#include "kernels/gemm.h"

/* ---- products ---- */

static void product_case(enum dtype dtype, int64_t m, int64_t n, int64_t k)
{
    int64_t rs, ks, sort = pick(0, 2), ldb = n + pick(0, 3), ldc = n + pick(0, 3);
    if (sort == 0)
        rs = k + pick(0, 2), ks = 1; /* by rows */
    else if (sort == 1)
        rs = 1, ks = m + pick(0, 2); /* transposed */
    else
        ks = 2, rs = 2 * k + pick(0, 3); /* every second one */
    int accumulate = (int)pick(0, 1), listed = (int)pick(0, 1);
    struct operand a = random_operand(dtype, (m - 1) * rs + (k > 0 ? k - 1 : 0) * ks + 1),
                   b = random_operand(dtype, (k > 0 ? k : 1) * ldb);
    struct operand c = accumulate ? random_operand(dtype, m * ldc) : blank_operand(dtype, m * ldc),
                   before = copy_operand(&c);
    int64_t *offset =
        memory_alloc((size_t)(k + 1) * sizeof *offset); /* rows anywhere in b, also overlapping ones */
    for (int64_t l = 0; l < k; l++) offset[l] = listed ? pick(0, b.n - n) : l * ldb;
    loops->product[dtype](m, n, k, a.x, rs, ks, b.x, listed ? offset : NULL, ldb, c.x, ldc, accumulate);
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < ldc; j++) {
            double old = at(dtype, before.x, i * ldc + j), got = at(dtype, c.x, i * ldc + j);
            if (j >= n) { /* between the rows nothing changes */
                CHECK(got == old || (got != got && old != old));
                continue;
            }
            long double want = accumulate ? (long double)old : 0, scale = fabsl(want);
            for (int64_t l = 0; l < k; l++) {
                long double term =
                    (long double)at(dtype, a.x, i * rs + l * ks) * at(dtype, b.x, offset[l] + j);
                want += term;
                scale += fabsl(term);
            }
            measure(dtype, got, want, scale, 4, "product");
        }
    memory_free(offset);
    release(&a);
    release(&b);
    release(&c);
    release(&before);
}

static void products_on_one_set(void)
{
    for (int trial = 0; trial < 1200; trial++)
        product_case((enum dtype)(trial % 2), edge(40), edge(100), pick(0, 20) == 0 ? 0 : edge(60));
    for (int trial = 0; trial < 12; trial++)
        product_case((enum dtype)(trial % 2), edge(130), edge(130), pick(300, 800));
}

static void products(void) { for_each_set(products_on_one_set); }

static void gemm_case(enum dtype dtype, int parallel, int ta, int tb, int64_t m, int64_t n, int64_t k,
                      double alpha, double beta)
{
    int64_t lda = (ta ? m : k) + pick(0, 3), ldb = (tb ? k : n) + pick(0, 3), ldc = n + pick(0, 3);
    struct operand a = random_operand(dtype, (ta ? k : m) * lda),
                   b = random_operand(dtype, (tb ? n : k) * ldb);
    struct operand c = beta != 0 ? random_operand(dtype, m * ldc) : blank_operand(dtype, m * ldc),
                   before = copy_operand(&c);
    (parallel ? gemm_parallel : gemm)(dtype, ta, tb, m, n, k, alpha, a.x, lda, b.x, ldb, beta, c.x, ldc);
    int64_t step = m * n * k > 200000 ? m * n / 300 + 1
                                      : 1; /* of a large one, a sample that walks through all residues */
    for (int64_t e = pick(0, step - 1); e < m * n; e += step) {
        int64_t i = e / n, j = e % n;
        long double want = 0, scale = 0, old = at(dtype, before.x, i * ldc + j);
        for (int64_t l = 0; l < k; l++) {
            long double term = (long double)at(dtype, a.x, ta ? l * lda + i : i * lda + l) *
                               at(dtype, b.x, tb ? j * ldb + l : l * ldb + j);
            want += term;
            scale += fabsl(term);
        }
        want = alpha * want + (beta != 0 ? beta * old : 0);
        scale = fabs(alpha) * scale + (beta != 0 ? fabsl(beta * old) : 0);
        measure(dtype, at(dtype, c.x, i * ldc + j), want, scale, 4, "gemm");
    }
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = n; j < ldc; j++) {
            double old = at(dtype, before.x, i * ldc + j), got = at(dtype, c.x, i * ldc + j);
            CHECK(got == old || (got != got && old != old), "gemm wrote between the rows of C");
        }
    release(&a);
    release(&b);
    release(&c);
    release(&before);
}

static void gemm_on_one_set(void)
{
    static const double alphas[] = {1, 1, 1, 0.5, -2, 0}, betas[] = {0, 0, 1, 1, -1, 0.25};
    for (int trial = 0; trial < 1500; trial++)
        gemm_case((enum dtype)(trial % 2), (int)pick(0, 1), (int)pick(0, 1), (int)pick(0, 1), edge(70),
                  edge(70), edge(70), alphas[pick(0, 5)], betas[pick(0, 5)]);
    /* At the limits of gemm.c: work for the engine's own kernel (2^22), elements of a turned B (16384), tiles
     * of 192 x 384, work for threads. */
    static const int64_t limits[][3] = {
        {128, 128, 256}, {129, 128, 256}, {128, 129, 256}, {128, 128, 257}, {16, 128, 128},  {16, 129, 128},
        {16, 128, 129},  {1, 16384, 1},   {1, 16385, 1},   {191, 383, 30},  {192, 384, 40},  {193, 385, 40},
        {385, 769, 33},  {1, 3000, 900},  {3000, 1, 900},  {700, 900, 2},   {128, 128, 127}, {128, 128, 129}};
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
        for (int way = 0; way < 8; way++)
            gemm_case((enum dtype)(way % 2), (int)pick(0, 1), way >> 1 & 1, way >> 2, limits[i][0],
                      limits[i][1], limits[i][2], pick(0, 3) ? 1 : 0.5, betas[pick(0, 5)]);
}

static void gemms(void) { for_each_set(gemm_on_one_set); }

/* ---- the solver's arithmetic ---- */

enum { MOST = 9 };

struct combination {
    int64_t n;
    int count;
    double c[MOST];
    const void *k[MOST];
    struct operand held[MOST];
};

static struct combination combination(enum dtype dtype, int count)
{
    struct combination p = {.n = pick(0, 3) ? pick(1, 1100) : 512 * pick(1, 3) + pick(-1, 1), .count = count};
    for (int j = 0; j < p.count; j++) {
        p.held[j] = random_operand(dtype, p.n);
        p.k[j] = p.held[j].x;
        rng_normal_f64(&dice, 1, &p.c[j]);
        if (pick(0, 5) == 0) p.c[j] = 0;
    }
    return p;
}

static void combination_free(struct combination *p)
{
    for (int j = 0; j < p->count; j++) release(&p->held[j]);
}

static long double combined(const struct combination *p, enum dtype dtype, int64_t i, long double *scale)
{
    long double sum = 0;
    for (int j = 0; j < p->count; j++) {
        long double term = (long double)p->c[j] * at(dtype, p->k[j], i);
        sum += term;
        *scale += fabsl(term);
    }
    return sum;
}

static void solver_on_one_set(void)
{
    for (int trial = 0; trial < 600; trial++) {
        enum dtype dtype = (enum dtype)(trial % 2);
        struct combination p = combination(dtype, (int)pick(0, MOST));
        int with_y = (int)pick(0, 2); /* none, another one, in place */
        struct operand y = random_operand(dtype, p.n), copy = copy_operand(&y),
                       out = blank_operand(dtype, p.n);
        void *to = with_y == 2 ? y.x : out.x;
        loops->combine[dtype](p.n, with_y ? y.x : NULL, p.count, p.c, p.k, to);
        for (int64_t i = 0; i < p.n; i++) {
            long double first = with_y ? at(dtype, copy.x, i) : 0, scale = fabsl(first),
                        want = first + combined(&p, dtype, i, &scale);
            measure(dtype, at(dtype, to, i), want, scale, 0.5 * (p.count + 2),
                    "combine"); /* c is rounded as well */
        }
        struct operand *all[] = {&y, &copy, &out};
        for (int i = 0; i < 3; i++) release(all[i]);
        combination_free(&p);
    }
}

static void norms_on_one_set(void)
{
    for (int trial = 0; trial < 600; trial++) {
        enum dtype dtype = (enum dtype)(trial % 2);
        struct combination p = combination(dtype, (int)pick(1, MOST));
        struct operand y0 = random_operand(dtype, p.n), y1 = random_operand(dtype, p.n);
        double rtol = pow(10, -(double)pick(1, 6)), atol = pow(10, -(double)pick(1, 6));
        double got = loops->error_sum[dtype](p.n, p.count, p.c, p.k, y0.x, y1.x, rtol, atol);
        double scaled = loops->scaled_sum[dtype](p.n, y1.x, y0.x, rtol, atol);
        long double want = 0, scale = 0, want_scaled = 0;
        for (int64_t i = 0; i < p.n; i++) {
            long double size = 0, a = fabs(at(dtype, y0.x, i)), b = fabs(at(dtype, y1.x, i)),
                        e = combined(&p, dtype, i, &size);
            long double tolerance = atol + rtol * (a > b ? a : b), s = b / (atol + rtol * a);
            want += e / tolerance * (e / tolerance);
            scale += size / tolerance * (size / tolerance);
            want_scaled += s * s;
        }
        measure(dtype, got, want, scale, p.count + 2,
                "error_sum"); /* the square doubles the error of a combination */
        measure(FLOAT64, scaled, want_scaled, want_scaled, 16, "scaled_sum"); /* in double for both */
        release(&y0);
        release(&y1);
        combination_free(&p);
    }
}

static void adam_on_one_set(void)
{
    for (int trial = 0; trial < 200; trial++) {
        enum dtype dtype = (enum dtype)(trial % 2);
        int64_t n = pick(1, 300);
        int step = (int)pick(1, 30);
        struct adam_step s = {.lr = 1e-2,
                              .beta1 = 0.9,
                              .beta2 = 0.999,
                              .eps = 1e-8,
                              .weight_decay = pick(0, 1) ? 0 : 0.1,
                              .decoupled_decay = pick(0, 1) ? 0 : 0.1,
                              .correction1 = 1 - pow(0.9, step),
                              .correction2 = 1 - pow(0.999, step)};
        struct operand p = random_operand(dtype, n), g = random_operand(dtype, n),
                       m = random_operand(dtype, n), v = random_operand(dtype, n);
        for (int64_t i = 0; i < n; i++) {
            put(dtype, v.x, i, step == 1 ? 0 : at(dtype, v.x, i) * at(dtype, v.x, i) + 0.01);
            if (step == 1) put(dtype, m.x, i, 0);
        }
        struct operand p0 = copy_operand(&p), m0 = copy_operand(&m), v0 = copy_operand(&v);
        loops->adam[dtype](n, p.x, g.x, m.x, v.x, &s);
        for (int64_t i = 0; i < n; i++) {
            long double old = at(dtype, p0.x, i), grad = at(dtype, g.x, i), gi = grad + s.weight_decay * old;
            long double size = fabsl(grad) + s.weight_decay * fabsl(old);
            long double m1 = at(dtype, m0.x, i), v1 = at(dtype, v0.x, i),
                        m_size = s.beta1 * fabsl(m1) + (1 - s.beta1) * size;
            long double v_size = s.beta2 * v1 + (1 - s.beta2) * size * size;
            m1 = s.beta1 * m1 + (1 - s.beta1) * gi;
            v1 = s.beta2 * v1 + (1 - s.beta2) * gi * gi;
            long double below = sqrtl(v1 / s.correction2) + s.eps, rate = s.lr / s.correction1;
            measure(dtype, at(dtype, m.x, i), m1, m_size, 4, "adam, first moment");
            measure(dtype, at(dtype, v.x, i), v1, v_size, 4, "adam, second moment");
            measure(dtype, at(dtype, p.x, i), (1 - s.lr * s.decoupled_decay) * old - rate * m1 / below,
                    fabsl(old) + rate * m_size / below, 4, "adam, parameter");
        }
        struct operand *all[] = {&p, &g, &m, &v, &p0, &m0, &v0};
        for (int i = 0; i < 7; i++) release(all[i]);
    }
}

static void solver_arithmetic(void) { for_each_set(solver_on_one_set); }
static void solver_norms(void) { for_each_set(norms_on_one_set); }
static void adam(void) { for_each_set(adam_on_one_set); }

/* ---- sums and extremes ---- */

static void sums_and_extremes(void)
{
    for (int trial = 0; trial < 800; trial++) {
        enum dtype dtype = (enum dtype)(trial % 2);
        int64_t strides[] = {1, 1, 2, 3, 7, -1, 0}, stride = strides[pick(0, 6)],
                n = pick(0, 9) ? edge(130) : pick(1000, 5000);
        int64_t extent = stride == 0 ? 1 : (n - 1) * llabs(stride) + 1;
        struct operand x = random_operand(dtype, extent);
        const char *first = (const char *)x.x + (stride < 0 ? extent - 1 : 0) * (int64_t)dtype_size(dtype);
        long double want = 0, scale = 0;
        double largest = -INFINITY, smallest = INFINITY;
        for (int64_t i = 0; i < n; i++) {
            double v = at(dtype, first, i * stride);
            want += v;
            scale += fabs(v);
            largest = v > largest ? v : largest;
            smallest = v < smallest ? v : smallest;
        }
        /* Carried in double for both. Of equal terms (stride 0) the roundings are equal too and add up. */
        measure(FLOAT64, loops->sum[dtype](n, first, stride), want, scale, stride ? 8 : 8 + (double)n / 2,
                "sum");
        CHECK(loops->max[dtype](n, first, stride) == largest &&
              loops->min[dtype](n, first, stride) == smallest);
        put(dtype, x.x, stride == 0 ? 0 : pick(0, n - 1) * llabs(stride), NAN);
        CHECK(isnan(loops->max[dtype](n, first, stride)) && isnan(loops->min[dtype](n, first, stride)),
              "n %lld, stride %lld", (long long)n, (long long)stride);
        CHECK(isnan(loops->sum[dtype](n, first, stride)));
        release(&x);
    }
}

static void sums_of_rows(void)
{
    for (int trial = 0; trial < 200; trial++) {
        enum dtype dtype = (enum dtype)(trial % 2);
        int64_t rows = pick(0, 3) ? pick(1, 140) : pick(200, 700),
                width = pick(0, 3) ? edge(100) : pick(200, 256), pitch = width + pick(0, 5);
        struct operand x = random_operand(dtype, rows * pitch), out = blank_operand(dtype, width);
        loops->sum_rows[dtype](rows, width, x.x, pitch, out.x);
        for (int64_t j = 0; j < width; j++) {
            long double want = 0, scale = 0;
            for (int64_t i = 0; i < rows; i++) {
                want += at(dtype, x.x, i * pitch + j);
                scale += fabs(at(dtype, x.x, i * pitch + j));
            }
            /* float32: carried in double and rounded once */
            if (dtype == FLOAT32)
                measure(dtype, at(dtype, out.x, j), want, fabsl(want) + scale * 1e-8L, 0.51, "sum_rows");
            else
                measure(dtype, at(dtype, out.x, j), want, scale, 8, "sum_rows");
        }
        release(&x);
        release(&out);
    }
}

static void sums_on_one_set(void)
{
    sums_and_extremes();
    sums_of_rows();
}

static void sums(void) { for_each_set(sums_on_one_set); }

/* ---- elementwise functions, in units in the last place of the exact result ---- */

static long double sigmoid_exact(long double x)
{
    return x < 0 ? expl(x) / (1 + expl(x)) : 1 / (1 + expl(-x));
}
static long double softplus_exact(long double x) { return (x > 0 ? x : 0) + log1pl(expl(-fabsl(x))); }
static long double log_sigmoid_exact(long double x) { return -softplus_exact(-x); }
static long double silu_exact(long double x) { return x * sigmoid_exact(x); }
static long double gelu_exact(long double x) { return x / 2 * erfcl(-x / sqrtl(2)); }
static long double selu_exact(long double x)
{
    return 1.0507009873554804934193349852946L * (x > 0 ? x : 1.6732632423543772848170429916717L * expm1l(x));
}
static long double reciprocal_exact(long double x) { return 1 / x; }
static long double rsqrt_exact(long double x) { return 1 / sqrtl(x); }
static long double log_gamma_exact(long double x)
{
    int sign;
    return lgammal_r(x, &sign);
}

static double ulps(enum dtype dtype, double got, long double want)
{
    int digits = dtype == FLOAT32 ? FLT_MANT_DIG : DBL_MANT_DIG,
        smallest = (dtype == FLOAT32 ? FLT_MIN_EXP : DBL_MIN_EXP) - digits, exponent;
    double largest = dtype == FLOAT32 ? (double)FLT_MAX : DBL_MAX;
    if (isnan(want) || isnan(got)) return isnan(want) && isnan(got) ? 0 : INFINITY;
    if (isinf(got))
        return fabsl(want) > largest * (1 - 4 * epsilon(dtype)) && (got > 0) == (want > 0)
                   ? 0
                   : INFINITY; /* at the edge either */
    frexpl(want, &exponent);
    exponent -= digits;
    return want == 0 && got == 0
               ? 0
               : (double)(fabsl(got - want) / ldexpl(1, exponent > smallest ? exponent : smallest));
}

static const struct {
    enum unary op;
    const char *name;
    long double (*exact)(long double);
    double low, high; /* of the arguments */
    double limit[2];
} functions[] = {
    {UNARY_EXP, "exp", expl, -110, 95, {2.5, 1.5}},
    {UNARY_TANH, "tanh", tanhl, -12, 12, {3, 3}},
    {UNARY_SIGMOID, "sigmoid", sigmoid_exact, -105, 40, {4, 4}},
    {UNARY_SOFTPLUS, "softplus (exp, log1p)", softplus_exact, -104, 100, {4, 4}},
    {UNARY_LOG, "log", logl, 1e-30, 50, {1, 1}},
    {UNARY_SIN, "sin", sinl, -30, 30, {1, 1}},
    {UNARY_COS, "cos", cosl, -30, 30, {1, 1}},
    {UNARY_SQRT, "sqrt", sqrtl, 0, 1e6, {0.5, 0.5}},
    {UNARY_RECIPROCAL, "reciprocal", reciprocal_exact, -50, 50, {0.5, 0.5}},
    {UNARY_RSQRT, "rsqrt", rsqrt_exact, 1e-3, 1e6, {1.5, 1.5}},
    {UNARY_TAN, "tan", tanl, -30, 30, {1.5, 1}}, /* glibc with FMA: 1.2 beside a pole */
    {UNARY_ASIN, "asin", asinl, -1, 1, {1, 1}},
    {UNARY_ACOS, "acos", acosl, -1, 1, {1, 1}},
    {UNARY_ATAN, "atan", atanl, -50, 50, {1, 1}},
    {UNARY_SINH, "sinh", sinhl, -85, 85, {2.5, 2.5}},
    {UNARY_COSH, "cosh", coshl, -85, 85, {2.5, 2.5}},
    {UNARY_ASINH, "asinh", asinhl, -1e6, 1e6, {2, 2}},
    {UNARY_ACOSH, "acosh", acoshl, 1, 1e6, {2.5, 2.5}},
    {UNARY_ATANH, "atanh", atanhl, -1, 1, {2.5, 2.5}},
    {UNARY_EXP2, "exp2", exp2l, -140, 127, {1, 1}},
    {UNARY_EXPM1, "expm1", expm1l, -60, 88, {2.5, 1.5}},
    {UNARY_LOG1P, "log1p", log1pl, -1, 50, {1.5, 1.5}},
    {UNARY_LOG2, "log2", log2l, 1e-30, 50, {1, 1}},
    {UNARY_LOG10, "log10", log10l, 1e-30, 50, {2, 2}},
    {UNARY_ERF, "erf", erfl, -6, 6, {3, 1.5}},
    {UNARY_ERFC, "erfc", erfcl, -6, 10, {7, 5}},
    {UNARY_LGAMMA, "lgamma", log_gamma_exact, -10, 100, {7, 7}},
    {UNARY_GELU, "gelu", gelu_exact, -3, 20, {20, 20}},
    {UNARY_SILU, "silu", silu_exact, -80, 80, {5, 5}},
    {UNARY_LOG_SIGMOID, "log_sigmoid", log_sigmoid_exact, -80, 80, {4, 4}},
    {UNARY_SELU, "selu", selu_exact, -80, 80, {3, 3.5}},
};

static double off[sizeof functions / sizeof *functions][2];

static void function_case(size_t f, enum dtype dtype, int64_t n, int64_t stride, int tiny)
{
    struct operand x = operand(dtype, (n - 1) * stride + 1), y = blank_operand(dtype, n);
    for (int64_t i = 0; i < x.n; i++) {
        double u;
        rng_uniform_f64(&dice, 1, &u);
        double v = functions[f].low + u * (functions[f].high - functions[f].low);
        if (tiny) v = (functions[f].low < 0 && pick(0, 1) ? -1 : 1) * exp2(-60 * u); /* 1 to 1e-18 */
        put(dtype, x.x, i, v);
    }
    int64_t size[2] = {1, n}, step[2] = {0, stride};
    loops->unary[functions[f].op][dtype](size, x.x, step, y.x);
    for (int64_t i = 0; i < n; i++) {
        double in = at(dtype, x.x, i * stride), got = at(dtype, y.x, i),
               error = ulps(dtype, got, functions[f].exact(in));
        if (!(error <= off[f][dtype])) off[f][dtype] = error;
        CHECK(error <= functions[f].limit[dtype], "%s %s %s(%.9g) = %.9g: %.2f ulp", loops->name,
              type_name[dtype], functions[f].name, in, got, error);
    }
    release(&x);
    release(&y);
}

static void functions_on_one_set(void)
{
    memset(off, 0, sizeof off);
    for (size_t f = 0; f < sizeof functions / sizeof *functions; f++)
        for (int dtype = FLOAT32; dtype <= FLOAT64; dtype++) {
            for (int trial = 0; trial < 60; trial++)
                function_case(f, (enum dtype)dtype, edge(130), pick(0, 2) ? 1 : pick(2, 3), trial % 4 == 0);
            function_case(f, (enum dtype)dtype, dtype == FLOAT32 ? 200000 : 20000, 1, 0);
            function_case(f, (enum dtype)dtype, 20000, 1, 1);
            worst[dtype] = fmax(worst[dtype], off[f][dtype]);
        }
    for (size_t f = 0; f < sizeof functions / sizeof *functions; f++)
        printf("     %-8s %-22s ulp: float32 %.2f, float64 %.2f\n", loops->name, functions[f].name, off[f][0],
               off[f][1]);
}

static void unary_functions(void) { for_each_set(functions_on_one_set); }

/* Sums, differences, products and quotients are rounded correctly: in double and rounded again gives the
 * float32 result. */
static void binary_on_one_set(void)
{
    for (int trial = 0; trial < 600; trial++) {
        enum dtype dtype = (enum dtype)(trial % 2);
        int64_t n = edge(130), strides[] = {0, 1, 1, 2}, sx[2] = {0, strides[pick(0, 3)]},
                sy[2] = {0, strides[pick(0, 3)]}, size[2] = {1, n};
        struct operand x = random_operand(dtype, 2 * n), y = random_operand(dtype, 2 * n),
                       out = blank_operand(dtype, n);
        static const enum binary ops[] = {BINARY_ADD,       BINARY_SUB,       BINARY_MUL,
                                          BINARY_DIV,       BINARY_MAXIMUM,   BINARY_MINIMUM,
                                          BINARY_RELU_GRAD, BINARY_TANH_GRAD, BINARY_SIGMOID_GRAD};
        for (size_t k = 0; k < sizeof ops / sizeof *ops; k++) {
            loops->binary[ops[k]][dtype](size, x.x, sx, y.x, sy, out.x);
            for (int64_t i = 0; i < n; i++) {
                long double u = at(dtype, x.x, i * sx[1]), v = at(dtype, y.x, i * sy[1]), want, scale;
                switch (ops[k]) {
                case BINARY_ADD: want = u + v; break;
                case BINARY_SUB: want = u - v; break;
                case BINARY_MUL: want = u * v; break;
                case BINARY_DIV: want = u / v; break;
                case BINARY_MAXIMUM: want = u > v ? u : v; break;
                case BINARY_MINIMUM: want = u < v ? u : v; break;
                case BINARY_RELU_GRAD: want = u > 0 ? v : 0; break;
                case BINARY_TANH_GRAD: want = v * (1 - u * u); break;
                default: want = v * u * (1 - u);
                }
                int cancels = ops[k] == BINARY_TANH_GRAD || ops[k] == BINARY_SIGMOID_GRAD;
                scale = !cancels                     ? fabsl(want)
                        : ops[k] == BINARY_TANH_GRAD ? fabsl(v) * (1 + u * u)
                                                     : fabsl(v * u) * (1 + fabsl(u));
                measure(dtype, at(dtype, out.x, i), want, scale, cancels ? 2 : 0.51, "binary");
            }
        }
        release(&x);
        release(&y);
        release(&out);
    }
}

static void binary_functions(void) { for_each_set(binary_on_one_set); }

int main(int argc, char **argv)
{
    static const struct check_test tests[] = {
        {"products", products},
        {"gemm", gemms},
        {"combinations of stages", solver_arithmetic},
        {"norms of errors", solver_norms},
        {"adam", adam},
        {"sums and extremes", sums},
        {"unary functions", unary_functions},
        {"binary functions", binary_functions},
    };
    return check_main(tests, sizeof tests / sizeof *tests, argc, argv);
}
