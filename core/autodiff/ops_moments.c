/* Rules of normalising over a batch. x: {outer, channels, inner}; a channel's numbers are those of all outer
 * and inner places.
 *
 * MOMENTS(x) is {2, channels}: mean, and the mean of squared deviations. NORMALISE(x, s), s = {mean, 1 /
 * sqrt(variance + eps)} of the same x, is (x - mean) / sqrt(variance + eps), and its derivative is that of
 * the whole: s counts as a function of x and gets no cotangent of its own. */
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

/* x, s and, of the gradient, the cotangent. */
enum status infer_normalise(struct call *c)
{
    char text[SHAPE_TEXT];
    const struct array *x = &c->in[0], *s = &c->in[1];
    TRY(check_channels(c, 0));
    if (s->rank != 2 || s->shape[0] != 2 || s->shape[1] != x->shape[1] || s->dtype != x->dtype)
        return status_set(STATUS_SHAPE, "%s: mean and scale must be {2, %lld}, got %s", c->op->name,
                          (long long)x->shape[1], array_shape_text(s, text));
    for (int i = 0; c->n_in == 3 && i < 3; i++)
        if (c->in[2].rank != 3 || c->in[2].shape[i] != x->shape[i])
            return status_set(STATUS_SHAPE, "%s: the cotangent must have the shape of x, got %s", c->op->name,
                              array_shape_text(&c->in[2], text));
    return array_init(&c->out, x->dtype, 3, x->shape);
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

static void normalise_channel(const struct channels *p, int64_t k)
{
    const struct call *c = p->c;
    const void *x = c->in[0].data, *g = c->n_in == 3 ? c->in[2].data : NULL;
    enum dtype dtype = c->out.dtype;
    double mean = at(&c->in[1], k), scale = at(&c->in[1], p->count + k), sum[2] = {0, 0};
    double n = (double)p->outer * (double)p->inner;
    for (int64_t i = 0; g && i < p->outer && !interrupt_stop(); i++)
        loops->normalise_sums[dtype](p->inner, slab(p, x, i, k), slab(p, g, i, k), mean, sum);
    double ab[2] = {sum[0] / n, sum[1] / n * scale * scale};
    for (int64_t i = 0; i < p->outer && !interrupt_stop(); i++) {
        void *out = (void *)slab(p, c->out.data, i, k);
        if (g)
            loops->normalise_back[dtype](p->inner, slab(p, x, i, k), slab(p, g, i, k), mean, scale, ab, out);
        else
            loops->normalise[dtype](p->inner, slab(p, x, i, k), mean, scale, out);
    }
}

static void run_channels(void *context, int64_t task)
{
    const struct channels *p = context;
    int64_t first = task * p->per_task, end = first + p->per_task < p->count ? first + p->per_task : p->count;
    for (int64_t k = first; k < end && !interrupt_stop(); k++)
        (p->c->op == &op_table[OP_MOMENTS] ? moments_of : normalise_channel)(p, k);
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
    if (v->need[0])
        v->xbar[0] = tape_emit(v->tape, OP_NORMALISE_GRAD, NULL, (int[]){v->in[0], v->in[1], v->ybar}, 3);
}

static int mean_of(struct tape *t, int x)
{
    struct array spec = *tape_spec(t, x);
    int sum = tape_emit(t, OP_SUM, &(struct attrs){.n = 1, .v = {5}}, &x, 1);
    return emit2(t, OP_DIV, sum, emit_like(t, sum, (double)spec.shape[0] * (double)spec.shape[2]));
}

/* scale (g - mean g - y mean (g y)), with scale = (variance + eps)^(-1/2) as a function of x: eps is what the
 * given scale says it is. */
static int grad_formula(struct tape *t, const int *in)
{
    int64_t channels = tape_spec(t, in[0])->shape[1];
    struct attrs last = {.n = 6, .v = {1, 1, 1, 0, 1, channels}};
    int given = emit_reshape(t, tape_emit(t, OP_SLICE, &last, &in[1], 1), 3, (int64_t[]){1, channels, 1});
    int centred = emit2(t, OP_SUB, in[0], mean_of(t, in[0]));
    int variance = mean_of(t, emit1(t, OP_SQUARE, centred));
    int whole = emit1(t, OP_RECIPROCAL, emit1(t, OP_SQUARE, given));
    int eps = emit1(t, OP_STOP_GRADIENT, emit2(t, OP_SUB, whole, variance));
    int scale = emit1(t, OP_RECIPROCAL, emit1(t, OP_SQRT, emit2(t, OP_ADD, variance, eps)));
    int y = emit2(t, OP_MUL, centred, scale);
    int rest = emit2(t, OP_SUB, emit2(t, OP_SUB, in[2], mean_of(t, in[2])),
                     emit2(t, OP_MUL, y, mean_of(t, emit2(t, OP_MUL, in[2], y))));
    return emit2(t, OP_MUL, scale, rest);
}

void vjp_normalise_grad(struct vjp *v) { vjp_formula(v, grad_formula); }
