/* Ops that are not recorded but made from others by the passes (passes.h): products with what follows them,
 * convolutions as matrices. */
#include <string.h>

#include "autodiff/op_rules.h"
#include "base/memory.h"
#include "base/tuning.h"
#include "kernels/conv_dense.h"
#include "kernels/gemm.h"
#include "kernels/layer.h"

#define L(which) c->attrs->v[LAYER_ATTRS + which]

enum status infer_layer(struct call *c)
{
    const struct array *a = &c->in[0], *b = &c->in[1];
    return array_init(&c->out, a->dtype, 2, (int64_t[]){a->shape[V(0) ? 1 : 0], b->shape[V(1) ? 0 : 1]});
}

/* That of the product, and one for each number and each thing that is done to it then. */
int64_t work_layer(const struct call *c)
{
    struct call product = *c;
    product.op = &op_table[L(LAYER_BASE)];
    return op_work(&product) + array_numel(&c->out) * (L(LAYER_BIAS) + (L(LAYER_POST) != 0));
}

static enum status run_layer(struct call *c)
{
    const struct layer *l = c->plan;
    const void *bias = L(LAYER_BIAS) ? c->in[2].data : NULL,
               *other = l->binary ? c->in[2 + L(LAYER_BIAS)].data : NULL;
    layer_run(l, c->in[0].data, c->in[1].data, bias, other, c->out.data);
    return STATUS_OK;
}

enum status prepare_layer(struct call *c)
{
    struct layer *l = c->plan = memory_zalloc(1, sizeof *l);
    if (!l) return memory_status();
    *l = (struct layer){.dtype = c->out.dtype,
                        .ta = (int)V(0),
                        .tb = (int)V(1),
                        .m = c->out.shape[0],
                        .n = c->out.shape[1],
                        .k = c->in[0].shape[V(0) ? 0 : 1],
                        .second = (int)L(LAYER_SECOND),
                        .alike = L(LAYER_BASE) == OP_MATMUL && V(2)};
    TRY(gemm_open(l->tb, l->m, l->n, l->k));
    enum op_id post = (enum op_id)L(LAYER_POST);
    elementwise_kernel(post, l->dtype, &l->unary, &l->binary);
    l->finish = l->unary && (op_table[post].flags & OP_FLOAT) ? LAYER_FUNCTION_WORK : 0;
    c->run = run_layer;
    return STATUS_OK;
}

/* ---- CONV_MATRIX(w) and its transpose; a: the convolution's seven, H, W, the transpose: w's shape ---- */

/* Whatever the rule of the convolution itself refuses is refused here. */
static enum status check_matrix(const struct call *c, int64_t rank, const int64_t w[4])
{
    struct array in[2];
    struct call conv = {.op = &op_table[OP_CONV], .attrs = c->attrs, .n_in = 2, .in = in};
    if (rank != 4) return status_set(STATUS_SHAPE, "%s: w must have four axes", c->op->name);
    TRY(array_init(&in[0], c->in[0].dtype, 4, (int64_t[]){1, w[1], V(7), V(8)}));
    TRY(array_init(&in[1], c->in[0].dtype, 4, w));
    return infer_conv(&conv);
}

static struct conv matrix_geometry(const struct call *c, const int64_t w[4])
{
    struct conv s = conv_described(c->in[0].dtype, (int64_t[]){1, w[1], V(7), V(8)}, w, c->attrs->v);
    s.oh = (s.h + 2 * s.ph - s.dh * (s.kh - 1) - 1) / s.sh + 1;
    s.ow = (s.w + 2 * s.pw - s.dw * (s.kw - 1) - 1) / s.sw + 1;
    return s;
}

enum status infer_conv_matrix(struct call *c)
{
    TRY(check_matrix(c, c->in[0].rank, c->in[0].shape));
    struct conv s = matrix_geometry(c, c->in[0].shape);
    return array_init(&c->out, s.dtype, 2, (int64_t[]){s.c * s.h * s.w, s.o * s.oh * s.ow});
}

enum status infer_conv_matrix_grad(struct call *c)
{
    TRY(check_matrix(c, 4, &V(9)));
    struct conv s = matrix_geometry(c, &V(9));
    const struct array *g = &c->in[0];
    if (g->rank != 2 || g->shape[0] != s.c * s.h * s.w || g->shape[1] != s.o * s.oh * s.ow)
        return status_set(STATUS_SHAPE, "%s: the cotangent must be a matrix of %lld x %lld", c->op->name,
                          (long long)(s.c * s.h * s.w), (long long)(s.o * s.oh * s.ow));
    return array_init(&c->out, g->dtype, 4, &V(9));
}

static enum status run_conv_matrix(struct call *c)
{
    conv_dense_matrix(c->plan, c->in[0].data, 0, c->out.data);
    return STATUS_OK;
}

static enum status run_conv_matrix_grad(struct call *c)
{
    conv_dense_gather(c->plan, c->in[0].data, c->out.data);
    return STATUS_OK;
}

static enum status prepare_matrix(struct call *c, const int64_t *w)
{
    struct conv *s = c->plan = memory_alloc(sizeof *s);
    if (!s) return memory_status();
    *s = matrix_geometry(c, w);
    return STATUS_OK;
}

enum status prepare_conv_matrix(struct call *c)
{
    c->run = run_conv_matrix;
    return prepare_matrix(c, c->in[0].shape);
}

enum status prepare_conv_matrix_grad(struct call *c)
{
    c->run = run_conv_matrix_grad;
    return prepare_matrix(c, &V(9));
}

void vjp_conv_matrix(struct vjp *v)
{
    struct attrs attrs = *v->attrs;
    const struct array *w = tape_spec(v->tape, v->in[0]);
    attrs.n = 13;
    memcpy(attrs.v + 9, w->shape, 4 * sizeof *attrs.v);
    v->xbar[0] = tape_emit(v->tape, OP_CONV_MATRIX_GRAD, &attrs, &v->ybar, 1);
}

void vjp_conv_matrix_grad(struct vjp *v)
{
    struct attrs attrs = *v->attrs;
    attrs.n = 9;
    v->xbar[0] = tape_emit(v->tape, OP_CONV_MATRIX, &attrs, &v->ybar, 1);
}
