/* Rules of normalising over a batch. x: {outer, channels, inner}; a channel's numbers are those of all outer
 * and inner places.
 *
 * MOMENTS(x) is {2, channels}: mean, and the mean of squared deviations. NORMALISE(x, s, w), s = {mean, 1 /
 * sqrt(variance + eps)} of the same x, w = {bias, weight}, is (x - mean) / sqrt(variance + eps) weight +
 * bias, and its derivative is that of the whole: s counts as a function of x and gets no cotangent of its
 * own. What w gets, NORMALISE_SUMS(x, s, g), is what the gradient by x, NORMALISE_GRAD(x, s, w, sums, g),
 * needs, too. */
#include "autodiff/op_rules.h"
#include "autodiff/rule_formula.h"
#include "base/interrupt.h"
#include "base/threads.h"
#include "base/tuning.h"

static enum status check_channels(const struct call *c, int which)
{
    char text[SHAPE_TEXT];
    const struct array *x = &c->in[which];
    if (x->rank == 3 && dtype_is_float(x->dtype)) return STATUS_OK;
    return status_set(STATUS_SHAPE, "%s: x must be a float tensor {outer, channels, inner}, got %s",
                      c->op->name, array_shape_text(x, text));
}

enum status infer_moments(struct call *c)
{
    TRY(check_channels(c, 0));
    return array_init(&c->out, c->in[0].dtype, 2, (int64_t[]){2, c->in[0].shape[1]});
}

/* Input `which` must have a row of channels for each of two things. */
static enum status check_pair(const struct call *c, int which, const char *what)
{
    char text[SHAPE_TEXT];
    const struct array *x = &c->in[0], *pair = &c->in[which];
    if (pair->rank == 2 && pair->shape[0] == 2 && pair->shape[1] == x->shape[1] && pair->dtype == x->dtype)
        return STATUS_OK;
    return status_set(STATUS_SHAPE, "%s: %s must be {2, %lld}, got %s", c->op->name, what,
                      (long long)x->shape[1], array_shape_text(pair, text));
}

static enum status check_cotangent(const struct call *c, int which)
{
    char text[SHAPE_TEXT];
    if (array_same_shape(&c->in[which], &c->in[0])) return STATUS_OK;
    return status_set(STATUS_SHAPE, "%s: the cotangent must have the shape of x, got %s", c->op->name,
                      array_shape_text(&c->in[which], text));
}

enum status infer_normalise(struct call *c)
{
    TRY(check_channels(c, 0));
    TRY(check_pair(c, 1, "mean and scale"));
    TRY(check_pair(c, 2, "bias and weight"));
    if (c->n_in == 5) TRY(check_pair(c, 3, "sums"));
    if (c->n_in == 5) TRY(check_cotangent(c, 4));
    return array_init(&c->out, c->in[0].dtype, 3, c->in[0].shape);
}

enum status infer_normalise_sums(struct call *c)
{
    TRY(check_channels(c, 0));
    TRY(check_pair(c, 1, "mean and scale"));
    TRY(check_cotangent(c, 2));
    return array_init(&c->out, c->in[0].dtype, 2, (int64_t[]){2, c->in[0].shape[1]});
}

/* ---- running ---- */

struct channels {
    const struct call *c;
    int64_t outer, count, inner, per_task;
    size_t size;
};

static const char *slab(const struct channels *p, const void *data, int64_t i, int64_t channel)
{
    return (const char *)data + (size_t)((i * p->count + channel) * p->inner) * p->size;
}

static void moments_of(const struct channels *p, int64_t k)
{
    const struct call *c = p->c;
    enum dtype dtype = c->out.dtype;
    double sum = 0, square = 0, n = (double)p->outer * (double)p->inner;
    for (int64_t i = 0; i < p->outer && !interrupt_stop(); i++)
        sum += loops->sum[dtype](p->inner, slab(p, c->in[0].data, i, k), 1);
    for (int64_t i = 0; i < p->outer && !interrupt_stop(); i++)
        square += loops->deviations[dtype](p->inner, slab(p, c->in[0].data, i, k), sum / n);
    array_set(&c->out, k, sum / n);
    array_set(&c->out, p->count + k, square / n);
}

static double at(const struct array *s, int64_t i)
{
    return s->dtype == FLOAT32 ? (double)((const float *)s->data)[i] : ((const double *)s->data)[i];
}

static void normalised(const struct channels *p, int64_t k)
{
    const struct call *c = p->c;
    enum dtype dtype = c->out.dtype;
    double mean = at(&c->in[1], k), scale = at(&c->in[1], p->count + k) * at(&c->in[2], p->count + k),
           bias = at(&c->in[2], k);
    for (int64_t i = 0; i < p->outer && !interrupt_stop(); i++)
        loops->normalise[dtype](p->inner, slab(p, c->in[0].data, i, k), mean, scale, bias,
                                (void *)slab(p, c->out.data, i, k));
}

static void sums_of(const struct channels *p, int64_t k)
{
    const struct call *c = p->c;
    double mean = at(&c->in[1], k), scale = at(&c->in[1], p->count + k), sum[2] = {0, 0};
    for (int64_t i = 0; i < p->outer && !interrupt_stop(); i++)
        loops->normalise_sums[c->out.dtype](p->inner, slab(p, c->in[0].data, i, k),
                                            slab(p, c->in[2].data, i, k), mean, sum);
    array_set(&c->out, k, sum[0]);
    array_set(&c->out, p->count + k, sum[1] * scale);
}

static void gradient_of(const struct channels *p, int64_t k)
{
    const struct call *c = p->c;
    enum dtype dtype = c->out.dtype;
    double n = (double)p->outer * (double)p->inner, mean = at(&c->in[1], k),
           scale = at(&c->in[1], p->count + k),
           ab[2] = {at(&c->in[3], k) / n, at(&c->in[3], p->count + k) / n * scale};
    for (int64_t i = 0; i < p->outer && !interrupt_stop(); i++)
        loops->normalise_back[dtype](p->inner, slab(p, c->in[0].data, i, k), slab(p, c->in[4].data, i, k),
                                     mean, scale * at(&c->in[2], p->count + k), ab,
                                     (void *)slab(p, c->out.data, i, k));
}

static void run_channels(void *context, int64_t task)
{
    const struct channels *p = context;
    int64_t first = task * p->per_task, end = first + p->per_task < p->count ? first + p->per_task : p->count;
    for (int64_t k = first; k < end && !interrupt_stop(); k++)
        (p->c->op == &op_table[OP_MOMENTS]          ? moments_of
         : p->c->op == &op_table[OP_NORMALISE]      ? normalised
         : p->c->op == &op_table[OP_NORMALISE_SUMS] ? sums_of
                                                    : gradient_of)(p, k);
}

static enum status run_moments(struct call *c)
{
    const int64_t *shape = c->in[0].shape;
    struct channels p = {
        .c = c, .outer = shape[0], .count = shape[1], .inner = shape[2], .size = dtype_size(c->out.dtype)};
    p.per_task = ELEMENTWISE_TASK_ELEMENTS / (shape[0] * shape[2] + 1) + 1;
    threads_for((p.count + p.per_task - 1) / p.per_task, run_channels, &p);
    return STATUS_OK;
}

enum status prepare_moments(struct call *c)
{
    c->run = run_moments;
    return STATUS_OK;
}

/* ---- derivatives ---- */

void vjp_normalise(struct vjp *v)
{
    struct tape *t = v->tape;
    int x = v->in[0], s = v->in[1], w = v->in[2];
    if (!v->need[0] && !v->need[2]) return;
    int sums = tape_emit(t, OP_NORMALISE_SUMS, NULL, (int[]){x, s, v->ybar}, 3);
    if (v->need[2]) v->xbar[2] = sums;
    if (v->need[0]) v->xbar[0] = tape_emit(t, OP_NORMALISE_GRAD, NULL, (int[]){x, s, w, sums, v->ybar}, 5);
}

static int sum_of(struct tape *t, int x)
{
    return tape_emit(t, OP_SUM, &(struct attrs){.n = 1, .v = {5}}, &x, 1); /* axes 1 and 3 */
}

static int mean_of(struct tape *t, int x)
{
    struct array spec = *tape_spec(t, x);
    int sum = sum_of(t, x);
    return emit2(t, OP_DIV, sum, emit_like(t, sum, (double)spec.shape[0] * (double)spec.shape[2]));
}

/* Row `row` of a pair, beside x. */
static int row_of(struct tape *t, int pair, int64_t row)
{
    int64_t channels = tape_spec(t, pair)->shape[1];
    struct attrs rows = {.n = 6, .v = {row, 1, 1, 0, 1, channels}};
    return emit_reshape(t, tape_emit(t, OP_SLICE, &rows, &pair, 1), 3, (int64_t[]){1, channels, 1});
}

/* (x - mean) scale and scale = (variance + eps)^(-1/2), as functions of x: eps is what the given s says it
 * is. */
static int normal_of(struct tape *t, int x, int s, int *scale)
{
    int centred = emit2(t, OP_SUB, x, mean_of(t, x));
    int variance = mean_of(t, emit1(t, OP_SQUARE, centred));
    int whole = emit1(t, OP_RECIPROCAL, emit1(t, OP_SQUARE, row_of(t, s, 1)));
    int eps = emit1(t, OP_STOP_GRADIENT, emit2(t, OP_SUB, whole, variance));
    *scale = emit1(t, OP_RECIPROCAL, emit1(t, OP_SQRT, emit2(t, OP_ADD, variance, eps)));
    return emit2(t, OP_MUL, centred, *scale);
}

/* {sum g, sum (g y)}, y as above. */
static int sums_formula(struct tape *t, const int *in)
{
    int64_t channels = tape_spec(t, in[0])->shape[1], row[] = {1, channels};
    int scale, y = normal_of(t, in[0], in[1], &scale);
    int both[] = {emit_reshape(t, sum_of(t, in[2]), 2, row),
                  emit_reshape(t, sum_of(t, emit2(t, OP_MUL, in[2], y)), 2, row)};
    return tape_emit(t, OP_CAT, &(struct attrs){.n = 1, .v = {0}}, both, 2);
}

void vjp_normalise_sums(struct vjp *v) { vjp_formula(v, sums_formula); }

/* scale weight (g - sums[0] / n - y sums[1] / n) */
static int grad_formula(struct tape *t, const int *in)
{
    const struct array *spec = tape_spec(t, in[0]);
    double n = (double)spec->shape[0] * (double)spec->shape[2];
    int scale, y = normal_of(t, in[0], in[1], &scale);
    int plain = row_of(t, in[3], 0), product = row_of(t, in[3], 1);
    plain = emit2(t, OP_DIV, plain, emit_like(t, plain, n));
    product = emit2(t, OP_DIV, product, emit_like(t, product, n));
    int rest = emit2(t, OP_SUB, emit2(t, OP_SUB, in[4], plain), emit2(t, OP_MUL, y, product));
    return emit2(t, OP_MUL, emit2(t, OP_MUL, scale, row_of(t, in[2], 1)), rest);
}

void vjp_normalise_grad(struct vjp *v) { vjp_formula(v, grad_formula); }
