/* Rules of the matrix product: the last two axes are matrices, the others are broadcast. */
#include <string.h>

#include "autodiff/op_rules.h"
#include "base/interrupt.h"
#include "base/memory.h"
#include "base/tuning.h"
#include "kernels/bf16.h"
#include "kernels/bounded.h"
#include "kernels/elementwise.h"
#include "kernels/gemm.h"
#include "kernels/gemm_bf16.h"
#include "kernels/loops.h"

struct matmul_plan {
    int64_t m, n, k, batches, batch_shape[MAX_RANK], batch_stride[2][MAX_RANK], ld[2];
    int batch_rank, transpose[2],
        copy[2]; /* copy: the matrix has no unit stride; its rows are made dense first */
    size_t copy_bytes[2];
    int parts; /* bfloat16 parts of each factor; 0: float arithmetic */
};

enum status infer_matmul(struct call *c)
{
    const struct array *a = &c->in[0], *b = &c->in[1];
    char ta[SHAPE_TEXT], tb[SHAPE_TEXT];
    if (V(0) < 0 || V(0) > 1 || V(1) < 0 || V(1) > 1)
        return status_set(STATUS_ARGUMENT, "matmul: transpose is 0 or 1 for each operand");
    if (a->rank < 2 || b->rank < 2)
        return status_set(STATUS_SHAPE, "matmul needs tensors with two or more axes, got %s and %s",
                          array_shape_text(a, ta), array_shape_text(b, tb));
    if (!dtype_is_float(a->dtype) || a->dtype != b->dtype)
        return status_set(STATUS_DTYPE, "matmul needs two tensors of one float dtype, got %s and %s",
                          dtype_name(a->dtype), dtype_name(b->dtype));
    int64_t m = a->shape[a->rank - (V(0) ? 1 : 2)], k = a->shape[a->rank - (V(0) ? 2 : 1)];
    int64_t kb = b->shape[b->rank - (V(1) ? 1 : 2)], n = b->shape[b->rank - (V(1) ? 2 : 1)], shape[MAX_RANK];
    if (k != kb)
        return status_set(STATUS_SHAPE, "matmul: inner sizes differ, %lld and %lld (shapes %s%s and %s%s)",
                          (long long)k, (long long)kb, array_shape_text(a, ta), V(0) ? " transposed" : "",
                          array_shape_text(b, tb), V(1) ? " transposed" : "");
    struct array batch_a = *a, batch_b = *b;
    int rank;
    batch_a.rank -= 2;
    batch_b.rank -= 2;
    TRY(broadcast_shapes(&batch_a, &batch_b, &rank, shape));
    shape[rank] = m;
    shape[rank + 1] = n;
    return array_init(&c->out, a->dtype, rank + 2, shape);
}

static void plan_operand(const struct array *x, int transpose, struct matmul_plan *p, int which)
{
    int64_t rows = x->shape[x->rank - 2], columns = x->shape[x->rank - 1], sr = x->stride[x->rank - 2],
            sc = x->stride[x->rank - 1];
    if ((sc == 1 || columns == 1) && (sr >= (columns > 1 ? columns : 1) || rows == 1)) {
        p->ld[which] = rows == 1 ? columns : sr;
        p->transpose[which] = transpose;
    } else if ((sr == 1 || rows == 1) && (sc >= (rows > 1 ? rows : 1) || columns == 1)) {
        p->ld[which] = columns == 1 ? rows : sc;
        p->transpose[which] = !transpose;
    } else {
        p->copy[which] = 1;
        p->copy_bytes[which] = ((size_t)(rows * columns) * dtype_size(x->dtype) + 63) & ~(size_t)63;
        p->ld[which] = columns;
        p->transpose[which] = transpose;
    }
    if (p->ld[which] < 1) p->ld[which] = 1;
}

static const void *matmul_operand(const struct call *c, const struct matmul_plan *p, int which, int64_t batch)
{
    const struct array *x = &c->in[which];
    int64_t offset = 0;
    for (int axis = p->batch_rank - 1; axis >= 0; axis--) {
        offset += batch % p->batch_shape[axis] * p->batch_stride[which][axis];
        batch /= p->batch_shape[axis];
    }
    const char *data = (const char *)x->data + offset * (int64_t)dtype_size(x->dtype);
    if (!p->copy[which]) return data;
    struct array matrix = {.dtype = x->dtype, .rank = 2, .data = (void *)(uintptr_t)data};
    memcpy(matrix.shape, x->shape + x->rank - 2, 2 * sizeof(int64_t));
    memcpy(matrix.stride, x->stride + x->rank - 2, 2 * sizeof(int64_t));
    char *dense = (char *)c->scratch + (which ? p->copy_bytes[0] : 0);
    array_copy_dense(&matrix, dense);
    return dense;
}

static enum status run_matmul(struct call *c)
{
    const struct matmul_plan *p = c->plan;
    size_t bytes = (size_t)(p->m * p->n) * dtype_size(c->out.dtype);
    if (p->k == 0) {
        bounded_zero(c->out.data, array_bytes(&c->out));
        return STATUS_OK;
    }
    if (c->attrs->n > 2 && V(2)) { /* see field_abreast: it is small, the right factor dense */
        loops->product_alike[c->out.dtype](p->m, p->n, p->k, matmul_operand(c, p, 0, 0),
                                           p->transpose[0] ? 1 : p->ld[0], p->transpose[0] ? p->ld[0] : 1,
                                           matmul_operand(c, p, 1, 0), p->ld[1], c->out.data, p->n, NULL);
        return STATUS_OK;
    }
    for (int64_t i = 0; i < p->batches && p->parts > 0 && !interrupt_stop(); i++)
        gemm_bf16(p->parts, p->transpose[0], p->transpose[1], p->m, p->n, p->k, matmul_operand(c, p, 0, i),
                  p->ld[0], matmul_operand(c, p, 1, i), p->ld[1], (float *)c->out.data + i * p->m * p->n,
                  p->n, (char *)c->scratch + p->copy_bytes[0] + p->copy_bytes[1]);
    for (int64_t i = 0; i < p->batches && p->parts == 0 && !interrupt_stop(); i++)
        gemm_parallel(c->out.dtype, p->transpose[0], p->transpose[1], p->m, p->n, p->k, 1,
                      matmul_operand(c, p, 0, i), p->ld[0], matmul_operand(c, p, 1, i), p->ld[1], 0,
                      (char *)c->out.data + (size_t)i * bytes, p->n > 0 ? p->n : 1);
    return STATUS_OK;
}

enum status prepare_matmul(struct call *c)
{
    struct matmul_plan *p = c->plan = memory_zalloc(1, sizeof *p);
    if (!p) return memory_status();
    const struct array *a = &c->in[0];
    p->batch_rank = c->out.rank - 2;
    p->m = c->out.shape[c->out.rank - 2];
    p->n = c->out.shape[c->out.rank - 1];
    p->k = a->shape[a->rank - (V(0) ? 2 : 1)];
    p->batches = 1;
    for (int i = 0; i < p->batch_rank; i++) p->batches *= p->batch_shape[i] = c->out.shape[i];
    for (int which = 0; which < 2; which++) {
        struct array batch = c->in[which], view;
        batch.rank -= 2;
        broadcast_view(&batch, p->batch_rank, p->batch_shape, &view);
        memcpy(p->batch_stride[which], view.stride, sizeof view.stride);
        plan_operand(&c->in[which], (int)V(which), p, which);
    }
    TRY(gemm_open(p->transpose[1], p->m, p->n, p->k));
    c->scratch_bytes = p->copy_bytes[0] + p->copy_bytes[1];
    if (c->out.dtype == FLOAT32 && gemm_bf16_fits(p->m, p->n, p->k)) p->parts = bf16_parts(precision_get());
    if (p->parts > 0) c->scratch_bytes += gemm_bf16_scratch(p->parts, p->m, p->n, p->k);
    c->run = run_matmul;
    return STATUS_OK;
}

/* The batch are rows of the left factor, and the right one has none. One row and several are summed alike if
 * the product is told; several and more are where there are columns enough for the one way that is left. */
int cut_matmul(const struct cut *c)
{
    const struct array *a = c->in[0], *b = c->in[1];
    if (c->attrs->v[0] != 0 || b->rank != 2) return 0;
    if (!c->alike || a->rank > 2) return 1;
    if (a->shape[0] != c->batch) return c->out->shape[1] > PRODUCT_FEW_COLUMNS;
    c->attrs->n = 3;
    c->attrs->v[2] = 1;
    return 1;
}

int64_t work_matmul(const struct call *c)
{
    const struct array *a = &c->in[0];
    return 2 * array_numel(&c->out) * a->shape[a->rank - (V(0) ? 2 : 1)];
}

static int emit_matmul(struct vjp *v, int a, int b, int64_t ta, int64_t tb, int64_t alike)
{
    return tape_emit(v->tape, OP_MATMUL, &(struct attrs){.n = alike ? 3 : 2, .v = {ta, tb, alike}},
                     (int[]){a, b}, 2);
}

/* C = op(A) op(B): op(A)bar = Cbar op(B)^T, op(B)bar = op(A)^T Cbar. Rows that come out as if each were alone
 * have cotangents that do. */
void vjp_matmul(struct vjp *v)
{
    int64_t ta = v->attrs->v[0], tb = v->attrs->v[1], alike = v->attrs->n > 2 && v->attrs->v[2];
    int a = v->in[0], b = v->in[1], g = v->ybar;
    if (v->need[0]) v->xbar[0] = ta ? emit_matmul(v, b, g, tb, 1, 0) : emit_matmul(v, g, b, 0, !tb, alike);
    if (v->need[1]) v->xbar[1] = tb ? emit_matmul(v, g, a, 1, ta, 0) : emit_matmul(v, a, g, !ta, 0, 0);
}
