/* test_field.c -- what each kind of field can do: derivatives of recorded ones against each other and against
 * differences, C. */
#include <math.h>
#include <string.h>

#include "autodiff/c_field.h"
#include "autodiff/field_op.h"
#include "autodiff/program.h"
#include "autodiff/vjp.h"
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
    int time = tape_input(t, FLOAT64, 0, NULL),
        y = emit_reshape(t, tape_input(t, FLOAT64, 1, &n), 2, (int64_t[]){rows, D});
    int a = tape_input(t, FLOAT64, 2, (int64_t[]){W, D}), c = tape_input(t, FLOAT64, 2, (int64_t[]){W, D});
    int h = emit1(t, OP_TANH, emit2(t, OP_MUL, product(t, y, a, 1), time));
    CHECK_OK(field_from_tape(&f, t, emit_reshape(t, product(t, h, c, 0), 1, &n), rows));
    tape_release(t);
    return f;
}

/* The jvp is the vjp's transpose and what differences give; with and without a vjp beside it, whole and in
 * tiles. */
static void recorded_jvp(void)
{
    static const int64_t sizes[] = {1, 7, 20001};
    static double theta[N_THETA + 64], thetabar[N_THETA + 64]; /* vector loads may run over the end */
    const double t = 0.7, e = 1e-6;
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        int64_t n = sizes[k] * D;
        double *y = memory_alloc((size_t)(8 * n) * sizeof *y);
        double *v = y + n, *a = v + n, *ydot = a + n, *ybar = ydot + n, *plus = ybar + n, *minus = plus + n,
               *alone = minus + n;
        struct rng dice = {.seed = 5};
        rng_normal_f64(&dice, N_THETA, theta);
        rng_normal_f64(&dice, 3 * n, y);
        struct field *f = mlp_field(sizes[k]), *g = mlp_field(sizes[k]);
        const void *bound[] = {theta, theta + W * D};
        CHECK_OK(
            field_prepare(f, FIELD_MASK(FIELD_JVP) | FIELD_MASK(FIELD_VJP) | FIELD_MASK(FIELD_EVAL_KEEP)));
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

/* ---- C ---- */

/* y' = theta y of samples of one number */
static int growth(const struct tide_field_call *call, double t, const double *y, double *dy)
{
    (void)t;
    for (int64_t i = 0; i < call->rows; i++) dy[i] = call->theta[0] * y[i];
    return 0;
}

static int growth_vjp(const struct tide_field_call *call, double t, const double *y, const double *a,
                      double *ybar, double *thetabar)
{
    growth(call, t, a, ybar);
    thetabar[0] = dot(y, a, call->n);
    return 0;
}

static int growth_jvp(const struct tide_field_call *call, double t, const double *y, const double *v,
                      double *ydot)
{
    (void)y;
    return growth(call, t, v, ydot);
}

static int growth_jvp_forgets(const struct tide_field_call *call, double t, const double *y, const double *v,
                              double *ydot)
{
    (void)call, (void)t, (void)y, (void)v, (void)ydot;
    return 0;
}

TIDE_FIELD(example) = {TIDE_FIELD_HEAD, 1, 1, growth, growth_vjp, growth_jvp};

static int codes; /* alive */
static void code_free(struct object *self) { codes -= self->refs == 0; }

static void c_code(void)
{
    struct c_code code = {.base = {1, code_free}, .name = "example"};
    struct field *f = NULL, *g = NULL;
    double y[] = {1, 2, 3}, v[] = {1, 0, -1}, theta[] = {0.5}, out[3], bar[1], own[1];
    codes = 1;
    CHECK_OK(c_code_read(&code, &example));
    CHECK(field_from_c(&g, &code, 3, 2) == STATUS_SHAPE &&
          strstr(status_message(), "takes 1 parameters, got 2"));
    CHECK_OK(field_from_c(&f, &code, 3, 1));
    CHECK_OK(field_prepare(f, FIELD_MASK(FIELD_EVAL) | FIELD_MASK(FIELD_VJP) | FIELD_MASK(FIELD_JVP)));
    CHECK_OK(field_bind(f, (const void *[]){theta}));
    CHECK_OK(field_jvp(f, 0, y, v, out));
    CHECK(out[0] == 0.5 && out[1] == 0 && out[2] == -0.5);
    CHECK_OK(field_vjp(f, 0, y, v, NULL, out, own));
    CHECK_OK(field_theta_gradient(f, own, bar));
    CHECK(out[2] == -0.5 && bar[0] == -2);
    CHECK(field_tangent(f, (struct field_pairs){.samples = 1}, &g) == STATUS_UNSUPPORTED &&
          strstr(status_message(), "second derivative"));
    CHECK_OK(field_cut(f, 1, 0, &g));
    CHECK(g == NULL);
    field_free(f);
    code.functions.jvp = growth_jvp_forgets;
    CHECK_OK(field_from_c(&f, &code, 3, 1));
    CHECK(field_jvp(f, 0, y, v, out) == STATUS_CALLBACK &&
          strstr(status_message(), "jvp has not written ydot[0]"));
    code.functions.jvp = NULL;
    CHECK(field_prepare(f, FIELD_MASK(FIELD_JVP)) == STATUS_UNSUPPORTED &&
          strstr(status_message(), "exports no jvp"));
    field_free(f);
    object_release(&code.base);
    CHECK(codes == 0);
}

/* The gradients of sum(f) by an op of a tape, in out: ybar, thetabar. */
static enum status by_op(struct c_code *code, const double *y, const double *theta, double *out)
{
    const double time = 0;
    struct field *f;
    struct object *op = NULL;
    struct tape *t = NULL;
    struct program *p = NULL;
    TRY(field_from_c(&f, code, 3, 1));
    TRY(field_op_new(&op, f));
    enum status status = tape_new(&t, NULL);
    if (status == STATUS_OK) {
        int in[] = {tape_input(t, FLOAT64, 0, NULL), tape_input(t, FLOAT64, 1, (int64_t[]){3}),
                    tape_input(t, FLOAT64, 1, (int64_t[]){1})};
        int dy = tape_emit(t, OP_CUSTOM, &(struct attrs){.n = 0, .object = op}, in, 3), bars[2];
        int one = emit_broadcast(t, tape_literal(t, FLOAT64, 1), 1, (int64_t[]){3});
        status = tape_vjp(t, &dy, &one, 1, in + 1, 2, bars);
        if (status == STATUS_OK) status = program_new(&p, t, bars, 2);
        if (status == STATUS_OK)
            status = program_run(p, (const void *[]){&time, y, theta}, (void *[]){out, out + 3});
    }
    program_free(p);
    tape_release(t);
    object_release(op);
    return status;
}

static void op_of_a_field(void)
{
    struct c_code code = {.base = {1, code_free}, .name = "example"};
    static double y[64] = {1, 2, 3}, theta[64] = {0.5}, out[64];
    codes = 1;
    CHECK_OK(c_code_read(&code, &example));
    CHECK_OK(by_op(&code, y, theta, out));
    CHECK(out[0] == 0.5 && out[2] == 0.5 && out[3] == 6);
    int64_t blocks = memory_get_stats().live_blocks;
    int failures = 0;
    for (int64_t k = 0; k < 1000; k++) {
        memory_fail_after(k, 0);
        enum status status = by_op(&code, y, theta, out);
        memory_fail_after(-1, 0);
        CHECK(status == STATUS_OK || status == STATUS_MEMORY, "allocation %d", (int)k);
        CHECK(memory_get_stats().live_blocks == blocks && code.base.refs == 1, "allocation %d leaks", (int)k);
        if (status == STATUS_OK) break;
        failures++;
    }
    CHECK(failures > 20);
    object_release(&code.base);
    CHECK(codes == 0);
}

int main(int argc, char **argv)
{
    static const struct check_test tests[] = {
        {"recorded: jvp", recorded_jvp},
        {"C: derivatives, errors, life", c_code},
        {"an op of a field", op_of_a_field},
    };
    int failed = check_main(tests, sizeof tests / sizeof *tests, argc, argv);
    if (memory_get_stats().live_blocks != 0)
        printf("%lld blocks were not released\n", (long long)memory_get_stats().live_blocks);
    return failed;
}
