/* test_autodiff.c -- random expressions: a program gives the same bits as the
 * ops applied at once, derivatives agree with differences, and every allocation
 * may fail. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "autodiff/passes.h"
#include "autodiff/program.h"
#include "autodiff/vjp.h"
#include "base/memory.h"
#include "base/rng.h"
#include "check.h"

#define MOST 40

static struct rng dice = {.seed = 99};

static int64_t pick(int64_t low, int64_t high)
{
    return low + (int64_t)rng_below(&dice, (uint64_t)(high - low + 1));
}

/* An expression under construction: node i has the value of tensor i. */
struct expression {
    struct tape *tape;
    int n, n_inputs;
    int node[MOST];
    struct tensor *value[MOST];
};

static struct tensor *normal_tensor(int rank, const int64_t *shape)
{
    struct tensor *t;
    CHECK_OK(tensor_new(&t, FLOAT64, rank, shape));
    rng_normal_f64(&dice, array_numel(&t->array), t->array.data);
    return t;
}

static void random_shape(int *rank, int64_t *shape)
{
    *rank = (int)pick(0, 3);
    for (int i = 0; i < *rank; i++) shape[i] = pick(0, 15) == 0 ? 0 : pick(1, 3);
}

static void expression_leaf(struct expression *e, int constant)
{
    int rank;
    int64_t shape[MAX_RANK];
    random_shape(&rank, shape);
    struct tensor *t = normal_tensor(rank, shape);
    e->value[e->n] = t;
    e->node[e->n++] = constant ? tape_constant(e->tape, t) : tape_input(e->tape, FLOAT64, rank, shape);
}

/* Apply an op to the nodes in[]; when its shape rule refuses them, nothing
 * happens. */
static void expression_apply(struct expression *e, enum op_id op, const struct attrs *attrs, const int *in,
                             int n_in)
{
    struct tensor *values[8];
    int nodes[8];
    for (int i = 0; i < n_in; i++) {
        values[i] = e->value[in[i]];
        nodes[i] = e->node[in[i]];
    }
    int node = tape_emit(e->tape, op, attrs, nodes, n_in);
    struct tensor *out = NULL;
    enum status status = op_apply(op, attrs, values, n_in, &out);
    CHECK((node >= 0) == (status == STATUS_OK), "%s", op_table[op].name);
    if (node < 0) {
        tape_take_status(e->tape);
        tensor_release(out);
        return;
    }
    e->value[e->n] = out;
    e->node[e->n++] = node;
}

static void random_view_op(struct expression *e, int x)
{
    const struct array *a = &e->value[x]->array;
    struct attrs attrs = {0};
    switch (pick(0, 4)) {
    case 0:
        attrs.n = 1;
        attrs.v[0] = array_numel(a);
        expression_apply(e, OP_RESHAPE, &attrs, &x, 1);
        return;
    case 1:
        attrs.n = a->rank;
        for (int i = 0; i < a->rank; i++) attrs.v[i] = a->rank - 1 - i;
        expression_apply(e, OP_PERMUTE, &attrs, &x, 1);
        return;
    case 2:
        attrs.n = a->rank < 4 ? a->rank + 1 : a->rank;
        attrs.v[0] = 2;
        for (int i = 0; i < a->rank; i++)
            attrs.v[i + attrs.n - a->rank] = a->shape[i] == 1 ? pick(1, 3) : a->shape[i];
        expression_apply(e, OP_BROADCAST, &attrs, &x, 1);
        return;
    case 3:
        attrs.n = 3 * a->rank;
        for (int i = 0; i < a->rank; i++) {
            int64_t n = a->shape[i], backwards = pick(0, 1);
            attrs.v[3 * i] = backwards && n > 0 ? n - 1 : 0;
            attrs.v[3 * i + 1] = backwards ? -1 : 1;
            attrs.v[3 * i + 2] = pick(n > 1, n);
        }
        expression_apply(e, OP_SLICE, &attrs, &x, 1);
        return;
    default: expression_apply(e, OP_ALIAS, &attrs, &x, 1);
    }
}

static void random_op(struct expression *e)
{
    static const enum op_id smooth[] = {OP_NEG,  OP_SQUARE,  OP_SIN,      OP_COS,
                                        OP_TANH, OP_SIGMOID, OP_SOFTPLUS, OP_COPY};
    static const enum op_id binary[] = {OP_ADD, OP_SUB, OP_MUL, OP_MUL, OP_TANH_GRAD, OP_SIGMOID_GRAD};
    int in[3] = {(int)pick(0, e->n - 1), (int)pick(0, e->n - 1), (int)pick(0, e->n - 1)};
    const struct array *a = &e->value[in[0]]->array;
    switch (pick(0, 6)) {
    case 0: expression_apply(e, smooth[pick(0, 7)], NULL, in, 1); return;
    case 1:
    case 2: expression_apply(e, binary[pick(0, 5)], NULL, in, 2); return;
    case 3:
    case 4: random_view_op(e, in[0]); return;
    case 5:
        expression_apply(e, OP_SUM, &(struct attrs){.n = 1, .v = {pick(0, (1 << a->rank) - 1)}}, in, 1);
        return;
    default:
        if (pick(0, 1))
            expression_apply(e, OP_MATMUL, &(struct attrs){.n = 2, .v = {pick(0, 1), pick(0, 1)}}, in, 2);
        else
            expression_apply(e, OP_CAT, &(struct attrs){.n = 1, .v = {pick(0, 2)}}, in, 3);
    }
}

static void expression_new(struct expression *e)
{
    *e = (struct expression){0};
    CHECK_OK(tape_new(&e->tape, NULL));
    e->n_inputs = (int)pick(1, 3);
    for (int i = 0; i < e->n_inputs; i++) expression_leaf(e, 0);
    expression_leaf(e, 1);
    while (e->n < MOST - 2 && pick(0, 30)) random_op(e);
}

static void expression_free(struct expression *e)
{
    for (int i = 0; i < e->n; i++) tensor_release(e->value[i]);
    tape_release(e->tape);
}

/* Run nodes as a program with the given inputs; results are dense tensors. */
static enum status run(const struct tape *t, const int *outputs, int n_outputs, struct tensor **in, int n_in,
                       struct tensor **out)
{
    struct program *p = NULL;
    const void *inputs[16];
    void *results[16];
    memset(out, 0, (size_t)n_outputs * sizeof *out);
    enum status status = program_new(&p, t, outputs, n_outputs);
    for (int i = 0; i < n_outputs && status == STATUS_OK; i++) {
        const struct array *a = program_output(p, i);
        status = tensor_new(&out[i], a->dtype, a->rank, a->shape);
        if (status == STATUS_OK) results[i] = out[i]->array.data;
    }
    for (int i = 0; i < n_in; i++) inputs[i] = in[i]->array.data;
    for (int repeat = 0; repeat < 2 && status == STATUS_OK; repeat++)
        status = program_run(p, inputs, results);
    program_free(p);
    return status;
}

static void programs_equal_eager_ops(void)
{
    for (int trial = 0; trial < 20000; trial++) {
        struct expression e;
        struct tensor *out[16];
        int pickd[16], nodes[16], n = (int)pick(1, 6);
        expression_new(&e);
        for (int i = 0; i < n; i++) {
            pickd[i] = (int)pick(i % 2 ? e.n - 1 - (e.n > 4 ? 3 : 0) : 0, e.n - 1);
            nodes[i] = e.node[pickd[i]];
        }
        CHECK_OK(run(e.tape, nodes, n, e.value, e.n_inputs, out));
        for (int i = 0; i < n && out[i]; i++) {
            const struct array *want = &e.value[pickd[i]]->array;
            CHECK(array_same_shape(want, &out[i]->array));
            for (int64_t j = 0; j < array_numel(want); j++) {
                double a = array_get(want, j), b = array_get(&out[i]->array, j);
                CHECK(a == b || (a != a && b != b), "trial %d output %d: %.17g %.17g", trial, i, a, b);
            }
            tensor_release(out[i]);
        }
        expression_free(&e);
    }
}

static double total(const struct tensor *t)
{
    double sum = 0;
    for (int64_t i = 0; i < array_numel(&t->array); i++) sum += array_get(&t->array, i);
    return sum;
}

/* An expression with random directions v of its inputs and a random cotangent
 * ybar: in holds the inputs, v and ybar; out the values of y, dy along v, and
 * the gradients by the inputs. */
struct derivatives {
    struct expression e;
    struct tensor *in[16], *out[5];
    int y;
};

static void derivatives_new(struct derivatives *d)
{
    int ydot, ybar, xbar[3], v[3], x[3];
    *d = (struct derivatives){0};
    expression_new(&d->e);
    struct expression *e = &d->e;
    int n = e->n_inputs;
    const struct array *spec = &e->value[e->n - 1]->array;
    for (int i = 0; i < n; i++) {
        const struct array *a = &e->value[i]->array;
        x[i] = e->node[i];
        d->in[i] = e->value[i];
        v[i] = tape_input(e->tape, FLOAT64, a->rank, a->shape);
        d->in[n + i] = normal_tensor(a->rank, a->shape);
    }
    d->y = e->node[e->n - 1];
    ybar = tape_input(e->tape, FLOAT64, spec->rank, spec->shape);
    d->in[2 * n] = normal_tensor(spec->rank, spec->shape);
    CHECK_OK(tape_jvp(e->tape, &d->y, 1, x, v, n, &ydot));
    CHECK_OK(tape_vjp(e->tape, &d->y, &ybar, 1, x, n, xbar));
    int outputs[5] = {d->y, ydot, xbar[0], n > 1 ? xbar[1] : xbar[0], n > 2 ? xbar[2] : xbar[0]};
    CHECK_OK(run(e->tape, outputs, 5, d->in, 2 * n + 1, d->out));
}

static void derivatives_free(struct derivatives *d)
{
    int n = d->e.n_inputs;
    for (int i = 0; i < 5; i++) tensor_release(d->out[i]);
    for (int i = n; i <= 2 * n; i++) tensor_release(d->in[i]);
    expression_free(&d->e);
}

/* <ybar, dy> = <xbar, v>. Returns the size of the terms. */
static double check_products(const struct derivatives *d, int trial)
{
    int n = d->e.n_inputs;
    double left = 0, right = 0, size = 1e-300;
    for (int64_t j = 0; j < array_numel(&d->in[2 * n]->array); j++)
        left += array_get(&d->in[2 * n]->array, j) * array_get(&d->out[1]->array, j);
    for (int i = 0; i < n; i++)
        for (int64_t j = 0; j < array_numel(&d->in[i]->array); j++) {
            double term = array_get(&d->out[2 + i]->array, j) * array_get(&d->in[n + i]->array, j);
            right += term;
            size += fabs(term);
        }
    if (size < 1e8)
        CHECK(fabs(left - right) <= 1e-9 * (1 + size), "trial %d: <ybar, dy> %g, <xbar, v> %g", trial, left,
              right);
    return size;
}

/* The sum of y at the inputs + h v. */
static double shifted_total(const struct derivatives *d, double h)
{
    int n = d->e.n_inputs;
    struct tensor *shifted[16], *value[1];
    memcpy(shifted, d->in, sizeof d->in);
    for (int i = 0; i < n; i++) {
        const struct array *a = &d->in[i]->array;
        CHECK_OK(tensor_new(&shifted[i], FLOAT64, a->rank, a->shape));
        for (int64_t j = 0; j < array_numel(a); j++)
            array_set(&shifted[i]->array, j, array_get(a, j) + h * array_get(&d->in[n + i]->array, j));
    }
    CHECK_OK(run(d->e.tape, &d->y, 1, shifted, 2 * n + 1, value));
    double sum = total(value[0]);
    tensor_release(value[0]);
    for (int i = 0; i < n; i++) tensor_release(shifted[i]);
    return sum;
}

/* dy along random directions v of the inputs: by jvp, by differences, and,
 * against random ybar, by vjp: <ybar, dy> = <xbar, v>. */
static void derivatives_of_random_expressions(void)
{
    int compared = 0;
    for (int trial = 0; trial < 6000; trial++) {
        struct derivatives d;
        derivatives_new(&d);
        double size = check_products(&d, trial), h = 1e-6;
        double above = shifted_total(&d, h), below = shifted_total(&d, -h);
        double numeric = (above - below) / (2 * h), exact = total(d.out[1]);
        if (fabs(above) < 1e3 && fabs(exact) < 1e3 && size < 1e4) {
            CHECK(fabs(numeric - exact) <= 1e-4 * (1 + fabs(exact)), "trial %d: numeric %g, jvp %g", trial,
                  numeric, exact);
            compared++;
        }
        derivatives_free(&d);
    }
    CHECK(compared > 2000, "only %d compared", compared);
}

/* What may fail at every allocation: recording, differentiating, making a
 * program, running it, inlining it. */
static enum status everything(struct tensor *a, struct tensor *b)
{
    struct tape *t = NULL, *child = NULL;
    struct tensor *out[3] = {0}, *at_once = NULL;
    enum status status;
    TRY_GOTO_DONE(tape_new(&t, NULL));
    TRY_GOTO_DONE(tape_new(&child, t));
    int x = tape_input(t, FLOAT64, a->array.rank, a->array.shape), inner = tape_import(child, t, x);
    int c = tape_constant(child, b),
        product = tape_emit(child, OP_MATMUL, &(struct attrs){.n = 2}, (int[]){inner, c}, 2);
    int many[10];
    for (int i = 0; i < 10; i++) many[i] = emit1(child, i % 2 ? OP_SIN : OP_TANH, product);
    int joined = tape_emit(child, OP_CAT, &(struct attrs){.n = 1}, many, 10);
    int sum = tape_emit(child, OP_SUM, &(struct attrs){.n = 1, .v = {3}}, &joined, 1);
    TRY_GOTO_DONE(tape_status(child));
    int y = -1, one, xbar, ydot;
    TRY_GOTO_DONE(tape_inline_outputs(t, child, &x, &sum, 1, &y));
    one = emit_like(t, y, 1);
    one = emit_broadcast(t, one, 2, (int64_t[]){1, 1});
    TRY_GOTO_DONE(tape_vjp(t, &y, &one, 1, &x, 1, &xbar));
    TRY_GOTO_DONE(tape_jvp(t, &xbar, 1, &x, &x, 1, &ydot));
    TRY_GOTO_DONE(run(t, (int[]){y, xbar, ydot}, 3, &a, 1, out));
    struct tensor *list[10] = {a, a, a, a, a, a, a, a, a, a};
    TRY_GOTO_DONE(op_apply(OP_CAT, &(struct attrs){.n = 1}, list, 10, &at_once));
done:
    for (int i = 0; i < 3; i++) tensor_release(out[i]);
    tensor_release(at_once);
    tape_release(child);
    tape_release(t);
    return status;
}

static void every_allocation_fails(void)
{
    struct tensor *a = normal_tensor(2, (int64_t[]){3, 3}), *b = normal_tensor(2, (int64_t[]){3, 3});
    CHECK_OK(everything(a, b));
    int64_t blocks = memory_get_stats().live_blocks;
    for (int sticky = 0; sticky < 2; sticky++) {
        int failures = 0;
        for (int64_t k = 0; k < 2000; k++) {
            memory_fail_after(k, sticky);
            enum status status = everything(a, b);
            memory_fail_after(-1, 0);
            CHECK(status == STATUS_OK || (status == STATUS_MEMORY && strstr(status_message(), "memory")),
                  "allocation %d", (int)k);
            CHECK(memory_get_stats().live_blocks == blocks, "allocation %d leaks", (int)k);
            if (status == STATUS_OK) break;
            failures++;
        }
        CHECK(failures > 100, "%d failures", failures);
    }
    tensor_release(a);
    tensor_release(b);
}

/* 100,000 nodes in a row: nothing recurses and nothing is quadratic. */
static void deep_tapes(void)
{
    struct tape *t;
    struct tensor *in = normal_tensor(0, NULL), *out[2];
    CHECK_OK(tape_new(&t, NULL));
    int x = tape_input(t, FLOAT64, 0, NULL), y = x, xbar;
    for (int i = 0; i < 100000; i++) y = emit1(t, OP_SIN, y);
    int one = emit_like(t, y, 1);
    CHECK_OK(tape_vjp(t, &y, &one, 1, &x, 1, &xbar));
    CHECK_OK(run(t, (int[]){y, xbar}, 2, &in, 1, out));
    CHECK(fabs(array_get(&out[0]->array, 0)) < 1);
    tensor_release(out[0]);
    tensor_release(out[1]);
    tensor_release(in);
    tape_release(t);
}

int main(int argc, char **argv)
{
    static const struct check_test tests[] = {
        {"programs equal eager ops", programs_equal_eager_ops},
        {"derivatives of random expressions", derivatives_of_random_expressions},
        {"every allocation fails once", every_allocation_fails},
        {"deep tapes", deep_tapes},
    };
    int failed = check_main(tests, sizeof tests / sizeof *tests, argc, argv);
    if (memory_get_stats().live_blocks != 0)
        printf("%lld blocks were not released\n", (long long)memory_get_stats().live_blocks);
    return failed;
}
