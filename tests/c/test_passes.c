/* test_passes.c -- what the passes make of tapes, node by node; fields made by them against plain programs;
 * every allocation may fail. */
#include <math.h>
#include <string.h>

#include "autodiff/field.h"
#include "autodiff/passes.h"
#include "autodiff/program.h"
#include "autodiff/staged.h"
#include "autodiff/vjp.h"
#include "base/memory.h"
#include "base/rng.h"
#include "check.h"

enum {
    BATCH = 6,
    D = 3,
    W = 5,
    MOST = 512
}; /* MOST: elements of arrays, with room behind for vector loads (MEMORY_SLACK) */

static int count(const struct tape *t, enum op_id op)
{
    int n = 0;
    for (int i = 0; i < t->n; i++) n += t->nodes[i].op == op;
    return n;
}

/* Those of results of that many elements. */
static int count_of_size(const struct tape *t, enum op_id op, int64_t numel)
{
    int n = 0;
    for (int i = 0; i < t->n; i++) n += t->nodes[i].op == op && array_numel(&t->nodes[i].spec) == numel;
    return n;
}

static int input2(struct tape *t, int64_t rows, int64_t columns)
{
    return tape_input(t, FLOAT64, 2, (int64_t[]){rows, columns});
}
static int input1(struct tape *t, int64_t n) { return tape_input(t, FLOAT64, 1, &n); }
static int product(struct tape *t, int a, int b, int transposed)
{
    return tape_emit(t, OP_MATMUL, &(struct attrs){.n = 2, .v = {0, transposed}}, (int[]){a, b}, 2);
}

/* t, y of BATCH samples of D; *y: as a matrix */
static struct tape *field_tape(int *time, int *y)
{
    struct tape *t;
    CHECK_OK(tape_new(&t, NULL));
    *time = tape_input(t, FLOAT64, 0, NULL);
    *y = emit_reshape(t, input1(t, BATCH * D), 2, (int64_t[]){BATCH, D});
    return t;
}

static int flat(struct tape *t, int x) { return emit_reshape(t, x, 1, (int64_t[]){BATCH * D}); }

/* tanh(cat(y, t) A^T + b) C + e, D -> W -> D; parameters A, b, C, e */
static struct tape *mlp_tape(int *dy)
{
    int time, y;
    struct tape *t = field_tape(&time, &y);
    int column = emit_broadcast(t, time, 2, (int64_t[]){BATCH, 1});
    int x = tape_emit(t, OP_CAT, &(struct attrs){.n = 1, .v = {1}}, (int[]){y, column}, 2);
    int a = input2(t, W, D + 1), b = input1(t, W), c = input2(t, W, D), e = input1(t, D);
    int h = emit1(t, OP_TANH, emit2(t, OP_ADD, product(t, x, a, 1), b));
    *dy = flat(t, emit2(t, OP_ADD, product(t, h, c, 0), e));
    CHECK_OK(tape_status(t));
    return t;
}

static const char varies[16] = {1, 1};

static void layers_of_an_mlp_with_time(void)
{
    int dy, simple_dy, out;
    struct tape *t = mlp_tape(&dy), *simple, *fused;
    struct tape_split split;
    CHECK_OK(tape_simplify(&simple, t, dy, &simple_dy));
    CHECK(count_of_size(simple, OP_MATMUL, BATCH * W) == 1 && count(simple, OP_MATMUL) == 2,
          "time costs no product");
    CHECK(simple->n_inputs == t->n_inputs);
    CHECK_OK(tape_split(&split, simple, varies, &simple_dy, 1, 1));
    CHECK(!split.trivial);
    CHECK(count(split.body, OP_CAT) == 0 && count(split.body, OP_COPY) == 0 &&
          count(split.body, OP_SLICE) == 0);
    CHECK(split.body->n_inputs == 2 + split.n_results);
    CHECK(count(split.setup, OP_MATMUL) == 0 && count(split.setup, OP_COPY) > 0);
    for (int i = 0; i < split.body->n; i++)
        if (split.body->nodes[i].op == OP_MATMUL)
            CHECK(split.body->nodes[i].attrs->v[1] == 0, "a product reads its factor by columns");
    CHECK_OK(tape_fuse(&fused, split.body, split.outputs, 1, &out, NULL));
    CHECK(count(fused, OP_LAYER) == 2 && count(fused, OP_MATMUL) == 0 && count(fused, OP_TANH) == 0);
    CHECK(count(fused, OP_ADD) == 1 && count_of_size(fused, OP_ADD, W) == 1,
          "one row is the bias and the time's part");
    CHECK(fused->nodes[out].op == OP_RESHAPE && fused->n_inputs == split.body->n_inputs);
    tape_release(fused);
    tape_split_free(&split);
    tape_release(simple);
    tape_release(t);
}

static void nothing_to_set_up(void)
{
    int time, y;
    struct tape *t = field_tape(&time, &y);
    int w = input2(t, D, D), unused = input1(t, 4), dy = flat(t, emit1(t, OP_SIN, product(t, y, w, 0)));
    struct tape_split split;
    CHECK_OK(tape_split(&split, t, varies, &dy, 1, 0));
    CHECK(split.trivial && split.n_results == 1 && split.setup->n_inputs == 2 && split.body->n_inputs == 3,
          "%d results", split.n_results);
    CHECK(unused >= 0 && split.setup->nodes[split.results[0]].op == OP_INPUT &&
          split.results[0] == split.setup->inputs[0]);
    tape_split_free(&split);
    CHECK_OK(tape_split(&split, t, varies, &dy, 1, 1)); /* the factor is dense already */
    CHECK(split.trivial);
    tape_split_free(&split);
    tape_release(t);
}

static void what_moves_to_the_setup(void)
{
    int time, y;
    struct tape *t = field_tape(&time, &y);
    int s = emit1(t, OP_SQUARE, input2(t, D, D)),
        both = emit2(t, OP_ADD, product(t, y, s, 0), product(t, y, s, 1));
    int out[2] = {flat(t, both), s};
    struct tape_split split;
    CHECK_OK(tape_status(t));
    CHECK_OK(tape_split(&split, t, varies, out, 2, 0));
    CHECK(split.n_results == 1 && !split.trivial);
    CHECK(count(split.body, OP_SQUARE) == 0 && count(split.setup, OP_SQUARE) == 1, "read thrice, made once");
    CHECK(split.outputs[1] == split.body->inputs[2], "an output that does not vary");
    tape_split_free(&split);
    CHECK_OK(tape_split(&split, t, varies, out, 2, 1)); /* once more transposed */
    CHECK(split.n_results == 2 && count(split.setup, OP_PERMUTE) == 1 && count(split.body, OP_PERMUTE) == 0);
    tape_split_free(&split);
    tape_release(t);
}

/* Float results have the state's dtype; what has another is made in the body. */
static void dtypes_of_results(void)
{
    int time, y;
    struct tape *t = field_tape(&time, &y);
    int w = input1(t, D), narrow = emit_cast(t, emit1(t, OP_SIN, w), FLOAT32),
        twice = emit2(t, OP_ADD, narrow, narrow);
    int dy = flat(
        t, emit2(t, OP_MUL, y, emit_cast(t, emit2(t, OP_MUL, emit_cast(t, y, FLOAT32), twice), FLOAT64)));
    struct tape_split split;
    CHECK_OK(tape_status(t));
    for (int any = 0; any < 2; any++) {
        CHECK_OK(tape_split(&split, t, varies, &dy, 1, any));
        CHECK(split.n_results == 1);
        CHECK(tape_spec(split.setup, split.results[0])->dtype == (any ? FLOAT32 : FLOAT64));
        tape_split_free(&split);
    }
    tape_release(t);
}

/* What is made of constants alone is nothing to take gradients by; the derivative's own setup makes it. */
static void constants_stay(void)
{
    int time, y;
    struct tape *t = field_tape(&time, &y);
    struct tensor *c;
    CHECK_OK(tensor_new(&c, FLOAT64, 2, (int64_t[]){D, D}));
    int w = emit1(t, OP_SIN, tape_constant(t, c)), p = emit2(t, OP_ADD, w, input1(t, D));
    int dy = flat(t, emit2(t, OP_MUL, product(t, y, w, 0), product(t, y, p, 0)));
    struct tape_split split;
    CHECK_OK(tape_status(t));
    CHECK_OK(tape_split(&split, t, varies, &dy, 1, 0));
    CHECK(split.n_results == 1 && count(split.body, OP_SIN) == 1 &&
          split.setup->nodes[split.results[0]].op == OP_ADD);
    tape_split_free(&split);
    CHECK_OK(tape_split(&split, t, varies, &dy, 1, 1));
    CHECK(split.n_results == 2 && count(split.body, OP_SIN) == 0);
    tape_split_free(&split);
    tensor_release(c);
    tape_release(t);
}

/* Two products a, b of y, what `kind` makes of them, and how many layers and products that leaves. */
static void fuse_case(const char *name, int kind, int layers, int products)
{
    int time, y, outputs[2], n_outputs = 1, moved[2];
    struct tape *t = field_tape(&time, &y), *fused;
    int row = input1(t, D), v = input2(t, D, D), w = input2(t, D, D), a = product(t, y, v, 0), b = -1;
    if (kind >= 3) b = product(t, y, w, 0);
    switch (kind) {
    case 0: outputs[0] = emit1(t, OP_TANH, emit2(t, OP_ADD, row, a)); break;
    case 1: outputs[0] = emit2(t, OP_MUL, a, a); break;
    case 2:
        outputs[0] = emit1(t, OP_TANH, a);
        outputs[n_outputs++] = a;
        break;
    case 3: outputs[0] = emit1(t, OP_TANH, emit2(t, OP_ADD, a, b)); break;
    case 4: outputs[0] = emit2(t, OP_SUB, emit2(t, OP_ADD, a, row), emit1(t, OP_SIN, b)); break;
    case 5: outputs[0] = emit2(t, OP_GT, a, b); break;
    case 6: outputs[0] = emit2(t, OP_TANH_GRAD, y, a); break;
    default: outputs[0] = emit2(t, OP_ADD, emit2(t, OP_ADD, a, row), row);
    }
    CHECK_OK(tape_status(t));
    CHECK_OK(tape_fuse(&fused, t, outputs, n_outputs, moved, NULL));
    CHECK(count(fused, OP_LAYER) == layers && count(fused, OP_MATMUL) == products,
          "%s: %d layers, %d products", name, count(fused, OP_LAYER), count(fused, OP_MATMUL));
    for (int i = 0; i < n_outputs; i++)
        CHECK(moved[i] >= 0 && array_same_shape(tape_spec(fused, moved[i]), tape_spec(t, outputs[i])), "%s",
              name);
    tape_release(fused);
    tape_release(t);
}

static void what_is_fused(void)
{
    fuse_case("bias and activation", 0, 1, 0);
    fuse_case("a square", 1, 0, 1);
    fuse_case("an output on the way", 2, 0, 1);
    fuse_case("two products", 3, 1, 1);
    fuse_case("two chains that meet", 4, 2, 0);
    fuse_case("a comparison", 5, 0, 2);
    fuse_case("the gradient of an activation", 6, 1, 0);
    fuse_case("two rows", 7, 1, 0);
}

/* One sample: a sum of two products may count as a product with a bias, for one of them. */
static void sums_of_rows(void)
{
    struct tape *t, *fused;
    int out;
    CHECK_OK(tape_new(&t, NULL));
    int y = input2(t, 1, D), sum = -1;
    for (int i = 0; i < 4; i++) {
        int z = product(t, y, input2(t, D, D), 0);
        sum = i == 0 ? z : emit2(t, OP_ADD, sum, z);
    }
    int last = emit1(t, OP_TANH, sum);
    CHECK_OK(tape_fuse(&fused, t, &last, 1, &out, NULL));
    CHECK(out >= 0 && count(fused, OP_LAYER) + count(fused, OP_MATMUL) == 4, "every product is there once");
    CHECK(count(fused, OP_TANH) + count(fused, OP_ADD) < 4);
    tape_release(fused);
    tape_release(t);
}

static void tiny_convolutions_are_products(void)
{
    struct tape *t, *simple;
    int out;
    CHECK_OK(tape_new(&t, NULL));
    tape_input(t, FLOAT64, 0, NULL);
    int y = emit_reshape(t, input1(t, BATCH * 18), 4, (int64_t[]){BATCH, 2, 3, 3});
    int w = tape_input(t, FLOAT64, 4, (int64_t[]){2, 2, 3, 3}),
        b = tape_input(t, FLOAT64, 3, (int64_t[]){2, 1, 1});
    struct attrs attrs = {.n = 7, .v = {1, 1, 1, 1, 1, 1, 1}};
    int h = emit1(t, OP_RELU, emit2(t, OP_ADD, tape_emit(t, OP_CONV, &attrs, (int[]){y, w}, 2), b));
    int dy = emit_reshape(t, tape_emit(t, OP_CONV, &attrs, (int[]){h, w}, 2), 1, (int64_t[]){BATCH * 18});
    CHECK_OK(tape_simplify(&simple, t, dy, &out));
    CHECK(count(simple, OP_CONV) == 0 && count(simple, OP_CONV_MATRIX) == 2 && count(simple, OP_MATMUL) == 2);
    CHECK(count_of_size(simple, OP_RELU, BATCH * 18) == 1);
    for (int i = 0; i < simple->n; i++)
        if (simple->nodes[i].op == OP_RELU) CHECK(simple->nodes[i].spec.rank == 2, "reshape comes last");
    tape_release(simple);
    tape_release(t);
}

/* ---- fields ---- */

static double memory[MOST];

/* Numbers for the parameters, one after the other; returns how many. */
static int64_t parameters(const struct tape *t, const void **address)
{
    int64_t at = 0;
    struct rng dice = {.seed = 7};
    rng_normal_f64(&dice, MOST, memory);
    for (int i = 2; i < t->n_inputs; i++) {
        address[i - 2] = memory + at;
        at += array_numel(tape_spec(t, t->inputs[i]));
    }
    return at;
}

/* dy, ybar and thetabar by the field, for y and the cotangent a. */
static enum status by_field(struct tape *t, int dy, const double *y, const double *a, double *out,
                            double *own)
{
    struct field *f = NULL;
    const void *address[8];
    int64_t n = tape_spec(t, t->inputs[1])->shape[0];
    char residual[8192];
    parameters(t, address);
    enum status status = field_from_tape(&f, t, dy, BATCH);
    unsigned works = FIELD_MASK(FIELD_VJP) | FIELD_MASK(FIELD_VJP_AND_EVAL) | FIELD_MASK(FIELD_EVAL_KEEP) |
                     FIELD_MASK(FIELD_JVP);
    if (status == STATUS_OK) status = field_prepare(f, works);
    if (status == STATUS_OK) status = field_bind(f, address);
    if (status == STATUS_OK) status = field_eval(f, 0.7, y, out);
    if (status == STATUS_OK) status = field_vjp(f, 0.7, y, a, out, out + n, own);
    int keeps = status == STATUS_OK && f->kept_bytes > 0 && f->kept_bytes <= (int64_t)sizeof residual;
    if (keeps) status = field_eval_keep(f, 0.7, y, out, residual);
    if (status == STATUS_OK && keeps) status = field_vjp_kept(f, 0.7, y, a, residual, out + n, own);
    if (status == STATUS_OK) status = field_theta_gradient(f, own, out + 2 * n);
    field_free(f);
    return status;
}

/* The same by programs of the tape as it is. */
static void by_program(const struct tape *t, int dy, const double *y, const double *a, double *out)
{
    struct tape *copy;
    struct program *p = NULL;
    int inputs[8], nodes[8], wrt[8], n_wrt = 0;
    const void *address[9];
    void *results[8];
    double time = 0.7;
    CHECK_OK(tape_new(&copy, NULL));
    for (int i = 0; i < t->n_inputs; i++) {
        const struct array *spec = tape_spec(t, t->inputs[i]);
        inputs[i] = tape_input(copy, spec->dtype, spec->rank, spec->shape);
        if (i > 0) wrt[n_wrt++] = inputs[i];
    }
    int bar = input1(copy, tape_spec(t, t->inputs[1])->shape[0]);
    CHECK_OK(tape_inline_outputs(copy, t, inputs, &dy, 1, nodes));
    CHECK_OK(tape_vjp(copy, nodes, &bar, 1, wrt, n_wrt, nodes + 1));
    CHECK_OK(program_new(&p, copy, nodes, 1 + n_wrt));
    address[0] = &time;
    address[1] = y;
    parameters(t, address + 2);
    address[t->n_inputs] = a;
    for (int i = 0; i <= n_wrt; i++) {
        results[i] = out;
        out += array_numel(program_output(p, i));
    }
    CHECK_OK(program_run(p, address, results));
    program_free(p);
    tape_release(copy);
}

static void fields_equal_programs(void)
{
    double y[MOST], a[MOST], got[MOST] = {0}, want[MOST] = {0}, own[MOST];
    struct rng dice = {.seed = 3};
    const void *address[8];
    rng_normal_f64(&dice, BATCH * D, y);
    rng_normal_f64(&dice, BATCH * D, a);
    int dy;
    struct tape *t = mlp_tape(&dy);
    int64_t n = 2 * BATCH * D + parameters(t, address);
    CHECK_OK(by_field(t, dy, y, a, got, own));
    by_program(t, dy, y, a, want);
    for (int64_t i = 0; i < n; i++)
        CHECK(fabs(got[i] - want[i]) < 1e-12, "%d: %g %g", (int)i, got[i], want[i]);
    tape_release(t);
}

static void every_allocation_fails(void)
{
    double y[MOST] = {0.5}, a[MOST] = {1}, out[MOST], own[MOST];
    int dy;
    struct tape *t = mlp_tape(&dy);
    CHECK_OK(by_field(t, dy, y, a, out, own));
    int64_t blocks = memory_get_stats().live_blocks;
    for (int sticky = 0; sticky < 2; sticky++) {
        int failures = 0;
        for (int64_t k = 0; k < 5000; k++) {
            memory_fail_after(k, sticky);
            enum status status = by_field(t, dy, y, a, out, own);
            memory_fail_after(-1, 0);
            CHECK(status == STATUS_OK || (status == STATUS_MEMORY && strstr(status_message(), "memory")),
                  "allocation %d", (int)k);
            CHECK(memory_get_stats().live_blocks == blocks, "allocation %d leaks", (int)k);
            if (status == STATUS_OK) break;
            failures++;
        }
        CHECK(failures > 100 && failures < 5000, "%d failures", failures);
    }
    tape_release(t);
}

int main(int argc, char **argv)
{
    static const struct check_test tests[] = {
        {"layers of an mlp with time", layers_of_an_mlp_with_time},
        {"nothing to set up", nothing_to_set_up},
        {"what moves to the setup", what_moves_to_the_setup},
        {"dtypes of results", dtypes_of_results},
        {"constants stay", constants_stay},
        {"what is fused", what_is_fused},
        {"sums of rows", sums_of_rows},
        {"tiny convolutions are products", tiny_convolutions_are_products},
        {"fields equal programs", fields_equal_programs},
        {"every allocation fails", every_allocation_fails},
    };
    int failed = check_main(tests, sizeof tests / sizeof *tests, argc, argv);
    if (memory_get_stats().live_blocks != 0)
        printf("%lld blocks were not released\n", (long long)memory_get_stats().live_blocks);
    return failed;
}
