/* test_field.c -- what each kind of field can do: derivatives of recorded ones against each other and against differences. */
#include <math.h>
#include <string.h>

#include "autodiff/field.h"
#include "base/memory.h"
#include "base/rng.h"
#include "check.h"

enum { D = 3, W = 5, N_THETA = W * D + W * D };

static double dot(const double *x, const double *y, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += x[i] * y[i];
    return sum;
}

static double largest(const double *x, const double *y, int64_t n)
{
    double most = 0;
    for (int64_t i = 0; i < n; i++) most = fmax(most, fabs(x[i] - y[i]));
    return most;
}

static int product(struct tape *t, int a, int b, int transposed)
{
    return tape_emit(t, OP_MATMUL, &(struct attrs){.n = 2, .v = {0, transposed}}, (int[]){a, b}, 2);
}

/* tanh(y A^T t) C of rows of D; parameters A and C */
static struct field *mlp_field(int64_t rows)
{
    struct tape *t;
    struct field *f = NULL;
    int64_t n = rows * D;
    CHECK_OK(tape_new(&t, NULL));
    int time = tape_input(t, FLOAT64, 0, NULL), y = emit_reshape(t, tape_input(t, FLOAT64, 1, &n), 2, (int64_t[]){rows, D});
    int a = tape_input(t, FLOAT64, 2, (int64_t[]){W, D}), c = tape_input(t, FLOAT64, 2, (int64_t[]){W, D});
    int h = emit1(t, OP_TANH, emit2(t, OP_MUL, product(t, y, a, 1), time));
    CHECK_OK(field_from_tape(&f, t, emit_reshape(t, product(t, h, c, 0), 1, &n), rows));
    tape_release(t);
    return f;
}

/* The jvp is the vjp's transpose and what differences give; with and without a vjp beside it, whole and in tiles. */
static void recorded_jvp(void)
{
    static const int64_t sizes[] = {1, 7, 20001};
    static double theta[N_THETA + 64], thetabar[N_THETA + 64]; /* vector loads may run over the end */
    const double t = 0.7, e = 1e-6;
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        int64_t n = sizes[k] * D;
            double *y = memory_alloc((size_t)(8 * n) * sizeof *y);
        double *v = y + n, *a = v + n, *ydot = a + n, *ybar = ydot + n, *plus = ybar + n, *minus = plus + n, *alone = minus + n;
        struct rng dice = {.seed = 5};
        rng_normal_f64(&dice, N_THETA, theta);
        rng_normal_f64(&dice, 3 * n, y);
        struct field *f = mlp_field(sizes[k]), *g = mlp_field(sizes[k]);
        const void *bound[] = {theta, theta + W * D};
        CHECK_OK(field_prepare(f, FIELD_MASK(FIELD_JVP) | FIELD_MASK(FIELD_VJP) | FIELD_MASK(FIELD_EVAL_KEEP)));
        CHECK_OK(field_prepare(g, FIELD_MASK(FIELD_JVP)));
        CHECK_OK(field_bind(f, bound));
        CHECK_OK(field_bind(g, bound));
        CHECK_OK(field_jvp(f, t, y, v, ydot));
        CHECK_OK(field_jvp(g, t, y, v, alone));
        CHECK_OK(field_vjp(f, t, y, a, NULL, ybar, thetabar));
        CHECK(largest(ydot, alone, n) == 0);
        CHECK(fabs(dot(a, ydot, n) - dot(ybar, v, n)) < 1e-11 * (double)n);
        for (int64_t i = 0; i < n; i++) y[i] += e * v[i];
        CHECK_OK(field_eval(g, t, y, plus));
        for (int64_t i = 0; i < n; i++) y[i] -= 2 * e * v[i];
        CHECK_OK(field_eval(f, t, y, minus));
        for (int64_t i = 0; i < n; i++) plus[i] = (plus[i] - minus[i]) / (2 * e);
        CHECK(largest(plus, ydot, n) < 1e-7, "%g", largest(plus, ydot, n));
        CHECK(f->nfe_jvp == 1 && f->nfe == 1 && f->nfe_vjp == 1);
        field_free(f);
        field_free(g);
        memory_free(y);
    }
}

int main(int argc, char **argv)
{
    static const struct check_test tests[] = {
        {"recorded: jvp", recorded_jvp},
    };
    int failed = check_main(tests, sizeof tests / sizeof *tests, argc, argv);
    if (memory_get_stats().live_blocks != 0) printf("%lld blocks were not released\n", (long long)memory_get_stats().live_blocks);
    return failed;
}
