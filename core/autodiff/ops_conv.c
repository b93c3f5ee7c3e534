/* Rules of convolutions. */
#include "autodiff/op_rules.h"
#include "base/memory.h"
#include "base/threads.h"
#include "base/tuning.h"
#include "kernels/conv.h"

/* All that the kernels compute with: padded images, padded cotangents and unrolled kernels stay far below
 * what an int64 can count. */
static enum status conv_size(const struct conv *s)
{
    double taps = (double)s->kh * (double)s->kw, pixels = (double)s->oh * (double)s->ow,
           channels = (double)(s->c > s->o ? s->c : s->o);
    double padded = (double)(s->h + 2 * s->ph) * (double)(s->w + 2 * s->pw);
    double back = (double)(s->oh + 2 * s->dh * s->kh) * (double)(s->ow + 2 * s->dw * s->kw);
    double most = channels * (padded + back + taps * (pixels + channels + CONV_COLUMNS_PIXELS));
    if (most < 0x1p48) return STATUS_OK;
    return status_set(STATUS_SHAPE,
                      "conv: padding %lld x %lld, kernel %lld x %lld and dilation %lld x %lld need work "
                      "space for %.0f numbers",
                      (long long)s->ph, (long long)s->pw, (long long)s->kh, (long long)s->kw,
                      (long long)s->dh, (long long)s->dw, most);
}

struct conv conv_described(enum dtype dtype, const int64_t x[4], const int64_t w[4], const int64_t *a)
{
    return (struct conv){.dtype = dtype,
                         .n = x[0],
                         .c = x[1],
                         .h = x[2],
                         .w = x[3],
                         .o = w[0],
                         .kh = w[2],
                         .kw = w[3],
                         .sh = a[0],
                         .sw = a[1],
                         .ph = a[2],
                         .pw = a[3],
                         .dh = a[4],
                         .dw = a[5],
                         .groups = a[6],
                         .lanes = 1,
                         .precision = PRECISION_HIGHEST};
}

/* s: without the size of the result. channels: second axis of w. */
static enum status check_operands(const struct conv *s, int64_t channels)
{
    if (s->sh < 1 || s->sw < 1 || s->dh < 1 || s->dw < 1 || s->groups < 1 || s->ph < 0 || s->pw < 0)
        return status_set(STATUS_ARGUMENT, "conv: stride, dilation and groups must be >= 1 and padding >= 0");
    if (s->c % s->groups || s->o % s->groups || channels != s->c / s->groups)
        return status_set(STATUS_SHAPE,
                          "conv: x has %lld channels and w is for %lld (x groups %lld) with %lld filters; w "
                          "must have shape O, C/groups, kernel and groups must divide both C and O",
                          (long long)s->c, (long long)channels, (long long)s->groups, (long long)s->o);
    if (s->kh < 1 || s->kw < 1) return status_set(STATUS_SHAPE, "conv: the kernel is empty");
    return STATUS_OK;
}

/* x: N,C,H,W and w: O,C/groups,KH,KW with attrs (stride, padding, dilation, groups): fill everything and
 * check it. */
static enum status conv_geometry(const struct call *c, const int64_t x[4], const int64_t w[4], struct conv *s)
{
    *s = conv_described(c->in[0].dtype, x, w, c->attrs->v);
    TRY(check_operands(s, w[1]));
    int64_t rest_h = s->h + 2 * s->ph - s->dh * (s->kh - 1) - 1,
            rest_w = s->w + 2 * s->pw - s->dw * (s->kw - 1) - 1;
    if (rest_h < 0 || rest_w < 0)
        return status_set(
            STATUS_SHAPE,
            "conv: the kernel (%lld x %lld, dilated) is larger than the padded input (%lld x %lld)",
            (long long)(s->dh * (s->kh - 1) + 1), (long long)(s->dw * (s->kw - 1) + 1),
            (long long)(s->h + 2 * s->ph), (long long)(s->w + 2 * s->pw));
    s->oh = rest_h / s->sh + 1;
    s->ow = rest_w / s->sw + 1;
    return conv_size(s);
}

static enum status conv_operands(const struct call *c)
{
    char a[SHAPE_TEXT], b[SHAPE_TEXT];
    for (int i = 0; i < 9; i++)
        if (V(i) < 0 || V(i) > MAX_DIM)
            return status_set(
                STATUS_ARGUMENT,
                "conv: stride, dilation and groups must be >= 1 and padding >= 0, %lld is too %s",
                (long long)V(i), V(i) < 0 ? "small" : "large");
    if (c->in[0].rank != 4 || c->in[1].rank != 4)
        return status_set(STATUS_SHAPE,
                          "conv needs x of shape N,C,H,W and w of shape O,C/groups,KH,KW, got %s and %s",
                          array_shape_text(&c->in[0], a), array_shape_text(&c->in[1], b));
    if (c->in[0].dtype != c->in[1].dtype || !dtype_is_float(c->in[0].dtype))
        return status_set(STATUS_DTYPE, "conv needs two tensors of one float dtype, got %s and %s",
                          dtype_name(c->in[0].dtype), dtype_name(c->in[1].dtype));
    return STATUS_OK;
}

/* The geometry of any of the three ops, and the kind. */
static enum status conv_of(const struct call *c, struct conv *s, enum conv_kind *kind)
{
    const int64_t *a = c->in[0].shape, *b = c->in[1].shape;
    const struct op *op = c->op == &op_table[OP_CONV_LAYER] ? &op_table[V(LAYER_ATTRS + LAYER_BASE)] : c->op;
    TRY(conv_operands(c));
    if (op == &op_table[OP_CONV]) {
        *kind = CONV_FORWARD;
        return conv_geometry(c, a, b, s);
    }
    int64_t x[4] = {a[0], b[1] * V(6), V(7), V(8)}, w[4] = {b[1], a[1] / (V(6) > 0 ? V(6) : 1), V(7), V(8)};
    *kind = op == &op_table[OP_CONV_DX] ? CONV_INPUT_GRADIENT : CONV_WEIGHT_GRADIENT;
    TRY(*kind == CONV_INPUT_GRADIENT ? conv_geometry(c, x, b, s) : conv_geometry(c, a, w, s));
    const int64_t *dy = *kind == CONV_INPUT_GRADIENT ? a : b;
    if (dy[0] != s->n || dy[1] != s->o || dy[2] != s->oh || dy[3] != s->ow)
        return status_set(
            STATUS_SHAPE,
            "%s: the cotangent has shape {%lld, %lld, %lld, %lld}, expected {%lld, %lld, %lld, %lld}",
            op->name, (long long)dy[0], (long long)dy[1], (long long)dy[2], (long long)dy[3], (long long)s->n,
            (long long)s->o, (long long)s->oh, (long long)s->ow);
    return STATUS_OK;
}

enum status infer_conv(struct call *c)
{
    struct conv s;
    enum conv_kind kind;
    TRY(conv_of(c, &s, &kind));
    return array_init(&c->out, s.dtype, 4, (int64_t[]){s.n, s.o, s.oh, s.ow});
}

enum status infer_conv_dx(struct call *c)
{
    struct conv s;
    enum conv_kind kind;
    TRY(conv_of(c, &s, &kind));
    return array_init(&c->out, s.dtype, 4, (int64_t[]){s.n, s.c, s.h, s.w});
}

enum status infer_conv_dw(struct call *c)
{
    struct conv s;
    enum conv_kind kind;
    TRY(conv_of(c, &s, &kind));
    return array_init(&c->out, s.dtype, 4, (int64_t[]){s.o, s.c / s.groups, s.kh, s.kw});
}

enum status infer_conv_layer(struct call *c)
{
    return V(LAYER_ATTRS + LAYER_BASE) == OP_CONV ? infer_conv(c) : infer_conv_dx(c);
}

struct conv_plan {
    struct conv shape;
    enum conv_kind kind;
    struct conv_finish finish;
};

static enum status run_conv(struct call *c)
{
    const struct conv_plan *p = c->plan;
    conv_run(&p->shape, p->kind, c->in[0].data, c->in[1].data, c->out.data, c->scratch);
    return STATUS_OK;
}

enum status prepare_conv(struct call *c)
{
    struct conv_plan *p = c->plan = memory_zalloc(1, sizeof *p);
    if (!p) return memory_status();
    TRY(conv_of(c, &p->shape, &p->kind));
    p->shape.lanes = threads_count();
    p->shape.precision = precision_get();
    TRY(conv_open(&p->shape, p->kind));
    c->scratch_bytes = conv_scratch(&p->shape, p->kind);
    c->run = run_conv;
    return STATUS_OK;
}

static enum status run_conv_layer(struct call *c)
{
    struct conv_plan *p = c->plan;
    int bias = (int)V(LAYER_ATTRS + LAYER_BIAS);
    p->finish.bias = bias ? c->in[2].data : NULL;
    p->finish.other = p->finish.binary ? c->in[2 + bias].data : NULL;
    return run_conv(c);
}

enum status prepare_conv_layer(struct call *c)
{
    TRY(prepare_conv(c));
    struct conv_plan *p = c->plan;
    enum op_id post = (enum op_id)V(LAYER_ATTRS + LAYER_POST);
    p->finish.second = (int)V(LAYER_ATTRS + LAYER_SECOND);
    elementwise_kernel(post, c->out.dtype, &p->finish.unary, &p->finish.binary);
    p->shape.finish = &p->finish;
    c->run = run_conv_layer;
    return STATUS_OK;
}

const char *op_way(const struct call *c)
{
    if (c->run != run_conv && c->run != run_conv_layer) return NULL;
    return conv_way(&((const struct conv_plan *)c->plan)->shape);
}

/* Each number of y is a sum over one filter, and so is what goes back from it. */
static int64_t conv_work(const struct array *y, const struct array *w)
{
    return 2 * array_numel(y) * w->shape[1] * w->shape[2] * w->shape[3];
}
int64_t work_conv(const struct call *c) { return conv_work(&c->out, &c->in[1]); }
int64_t work_conv_dx(const struct call *c) { return conv_work(&c->in[0], &c->in[1]); }
int64_t work_conv_dw(const struct call *c) { return conv_work(&c->in[1], &c->out); }

/* The three ops are the three ways to contract the trilinear form sum(y conv(x, w)); each one's derivatives
 * are the other two. */
static int emit_conv(struct vjp *v, enum op_id op, int a, int b, int64_t p, int64_t q)
{
    struct attrs attrs = *v->attrs;
    attrs.n = op == OP_CONV ? 7 : 9;
    attrs.v[7] = p;
    attrs.v[8] = q;
    return tape_emit(v->tape, op, &attrs, (int[]){a, b}, 2);
}

static int emit_conv_dx(struct vjp *v, int dy, int w, int x)
{
    struct array like = *tape_spec(v->tape, x);
    return emit_conv(v, OP_CONV_DX, dy, w, like.shape[2], like.shape[3]);
}

static int emit_conv_dw(struct vjp *v, int x, int dy, int w)
{
    struct array like = *tape_spec(v->tape, w);
    return emit_conv(v, OP_CONV_DW, x, dy, like.shape[2], like.shape[3]);
}

void vjp_conv(struct vjp *v)
{
    int x = v->in[0], w = v->in[1];
    if (v->need[0]) v->xbar[0] = emit_conv_dx(v, v->ybar, w, x);
    if (v->need[1]) v->xbar[1] = emit_conv_dw(v, x, v->ybar, w);
}

void vjp_conv_dx(struct vjp *v)
{
    int dy = v->in[0], w = v->in[1], xbar = v->ybar;
    if (v->need[0]) v->xbar[0] = emit_conv(v, OP_CONV, xbar, w, 0, 0);
    if (v->need[1]) v->xbar[1] = emit_conv_dw(v, xbar, dy, w);
}

void vjp_conv_dw(struct vjp *v)
{
    int x = v->in[0], dy = v->in[1], wbar = v->ybar;
    if (v->need[0]) v->xbar[0] = emit_conv_dx(v, dy, wbar, x);
    if (v->need[1]) v->xbar[1] = emit_conv(v, OP_CONV, x, wbar, 0, 0);
}
