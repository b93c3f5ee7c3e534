/* Rules of the ops that move data: views, slices, joins. */
#include <string.h>

#include "autodiff/op_rules.h"
#include "base/memory.h"
#include "base/tuning.h"
#include "kernels/bounded.h"
#include "kernels/elementwise.h"

enum status infer_literal(struct call *c) { return array_init(&c->out, (enum dtype)V(0), 0, NULL); }

void literal_write(const struct attrs *a, const struct array *out)
{
    if (out->dtype == INT64)
        *(int64_t *)out->data = a->v[1];
    else
        array_set(out, 0, a->value);
}

static enum status run_literal(struct call *c)
{
    literal_write(c->attrs, &c->out);
    return STATUS_OK;
}

enum status prepare_literal(struct call *c)
{
    c->run = run_literal;
    return STATUS_OK;
}

enum status infer_same(struct call *c)
{
    return array_init(&c->out, c->in[0].dtype, c->in[0].rank, c->in[0].shape);
}

int view_same(struct call *c, int64_t *offset)
{
    *offset = 0;
    memcpy(c->out.stride, c->in[0].stride, sizeof c->out.stride);
    return 1;
}

/* ---- reshape ---- */
enum status infer_reshape(struct call *c)
{
    TRY(array_init(&c->out, c->in[0].dtype, c->attrs->n, c->attrs->v));
    if (array_numel(&c->out) != array_numel(&c->in[0])) {
        char from[SHAPE_TEXT], to[SHAPE_TEXT];
        return status_set(STATUS_SHAPE,
                          "a tensor of shape %s (%lld elements) cannot be reshaped to %s (%lld elements)",
                          array_shape_text(&c->in[0], from), (long long)array_numel(&c->in[0]),
                          array_shape_text(&c->out, to), (long long)array_numel(&c->out));
    }
    return STATUS_OK;
}

int view_reshape(struct call *c, int64_t *offset)
{
    *offset = 0;
    return array_is_contiguous(&c->in[0]);
}

void vjp_reshape(struct vjp *v)
{
    struct array x = *tape_spec(v->tape, v->in[0]);
    v->xbar[0] = emit_reshape(v->tape, v->ybar, x.rank, x.shape);
}

/* `extent` of an axis that the batch is part of, for fewer samples. */
static int64_t fewer(const struct cut *c, int64_t extent) { return extent / c->batch * c->rows; }

static int is_first_kept(const struct cut *c)
{
    return c->in[0]->rank > 0 && c->out->rank > 0 && c->in[0]->shape[0] == c->out->shape[0];
}

int cut_reshape(const struct cut *c)
{
    if (c->out->rank == 0 || c->out->shape[0] % c->batch != 0) return 0;
    c->attrs->v[0] = fewer(c, c->out->shape[0]);
    return 1;
}

/* ---- permute: axis i of the result is axis v[i] of the input ---- */
enum status infer_permute(struct call *c)
{
    int64_t shape[MAX_RANK];
    unsigned seen = 0;
    int rank = c->in[0].rank;
    for (int i = 0; i < rank && i < c->attrs->n; i++) {
        if (V(i) < 0 || V(i) >= rank)
            return status_set(STATUS_ARGUMENT, "permute: axis %lld does not exist",
                              (long long)((uint64_t)V(i) + 1));
        seen |= 1u << V(i);
        shape[i] = c->in[0].shape[V(i)];
    }
    if (c->attrs->n != rank || seen != (1u << rank) - 1)
        return status_set(STATUS_ARGUMENT, "permute: the order must name each of the %d axes once", rank);
    return array_init(&c->out, c->in[0].dtype, rank, shape);
}

int view_permute(struct call *c, int64_t *offset)
{
    *offset = 0;
    for (int i = 0; i < c->out.rank; i++) c->out.stride[i] = c->in[0].stride[V(i)];
    return 1;
}

void vjp_permute(struct vjp *v)
{
    struct attrs inverse = {.n = v->attrs->n};
    for (int i = 0; i < inverse.n; i++) inverse.v[v->attrs->v[i]] = i;
    v->xbar[0] = tape_emit(v->tape, OP_PERMUTE, &inverse, &v->ybar, 1);
}

int cut_permute(const struct cut *c) { return c->in[0]->rank > 0 && c->attrs->v[0] == 0; }

/* ---- broadcast ---- */
enum status infer_broadcast(struct call *c)
{
    TRY(array_init(&c->out, c->in[0].dtype, c->attrs->n, c->attrs->v));
    int rank;
    int64_t shape[MAX_RANK];
    enum status status = broadcast_shapes(&c->in[0], &c->out, &rank, shape);
    if (status != STATUS_OK || rank != c->out.rank ||
        memcmp(shape, c->out.shape, (size_t)rank * sizeof *shape) != 0) {
        char from[SHAPE_TEXT], to[SHAPE_TEXT];
        return status_set(STATUS_SHAPE, "a tensor of shape %s cannot be broadcast to %s",
                          array_shape_text(&c->in[0], from), array_shape_text(&c->out, to));
    }
    return STATUS_OK;
}

int view_broadcast(struct call *c, int64_t *offset)
{
    struct array view;
    broadcast_view(&c->in[0], c->out.rank, c->out.shape, &view);
    memcpy(c->out.stride, view.stride, sizeof view.stride);
    *offset = 0;
    return 1;
}

int cut_broadcast(const struct cut *c)
{
    if (!is_first_kept(c) || c->in[0]->rank != c->out->rank) return 0;
    c->attrs->v[0] = fewer(c, c->out->shape[0]);
    return 1;
}

/* ---- slice: start, step, length per axis; steps may be negative ---- */

/* Where a slice lies: length elements from start, step apart, in 0 .. n-1. A step of 0 would show one element
 * many times, which has another derivative: that is what broadcast is for. */
static enum status check_slice(const struct call *c, int axis, int64_t length, int64_t n)
{
    int64_t start = V(3 * axis), step = V(3 * axis + 1);
    if (step < -MAX_DIM || step > MAX_DIM || length > MAX_DIM || start < -MAX_DIM || start > MAX_DIM ||
        (step == 0 && length > 1))
        return status_set(STATUS_ARGUMENT, "%s: start, step or length of axis %d is out of range",
                          c->op->name, axis + 1);
    int64_t last = length > 0 ? start + (length - 1) * step : start;
    if (length < 0 || (length > 0 && (start < 0 || start >= n || last < 0 || last >= n)))
        return status_set(STATUS_ARGUMENT, "%s: elements %lld..%lld of axis %d lie outside 1..%lld",
                          c->op->name, (long long)start + 1, (long long)last + 1, axis + 1, (long long)n);
    return STATUS_OK;
}

/* Strides and offset, in elements, of the slice of an array with these strides. Of one element no step is
 * taken. */
static int64_t slice_layout(const struct call *c, const int64_t *length, const int64_t *stride, int64_t *out)
{
    int64_t offset = 0;
    for (int i = 0; i < c->out.rank; i++) {
        if (length[i] > 0) offset += V(3 * i) * stride[i];
        out[i] = length[i] > 1 ? stride[i] * V(3 * i + 1) : stride[i];
    }
    return offset;
}

enum status infer_slice(struct call *c)
{
    int64_t shape[MAX_RANK];
    if (c->attrs->n != 3 * c->in[0].rank)
        return status_set(STATUS_ARGUMENT, "slice: the tensor has %d axes, the slice describes %d",
                          c->in[0].rank, c->attrs->n / 3);
    for (int i = 0; i < c->in[0].rank; i++) {
        TRY(check_slice(c, i, V(3 * i + 2), c->in[0].shape[i]));
        shape[i] = V(3 * i + 2);
    }
    return array_init(&c->out, c->in[0].dtype, c->in[0].rank, shape);
}

int view_slice(struct call *c, int64_t *offset)
{
    *offset =
        slice_layout(c, c->out.shape, c->in[0].stride, c->out.stride) * (int64_t)dtype_size(c->out.dtype);
    return 1;
}

void vjp_slice(struct vjp *v)
{
    struct array x = *tape_spec(v->tape, v->in[0]);
    struct attrs embed = *v->attrs;
    for (int i = 0; i < x.rank; i++) embed.v[3 * i + 2] = x.shape[i];
    v->xbar[0] = tape_emit(v->tape, OP_EMBED, &embed, &v->ybar, 1);
}

int cut_slice(const struct cut *c)
{
    if (!is_first_kept(c) || c->attrs->v[0] != 0 || c->attrs->v[1] != 1) return 0;
    c->attrs->v[2] = fewer(c, c->out->shape[0]);
    return 1;
}

/* ---- embed: the transpose of slice ---- */
enum status infer_embed(struct call *c)
{
    int64_t shape[MAX_RANK];
    if (c->attrs->n != 3 * c->in[0].rank)
        return status_set(STATUS_ARGUMENT, "embed: the tensor has %d axes, the slice describes %d",
                          c->in[0].rank, c->attrs->n / 3);
    for (int i = 0; i < c->in[0].rank; i++) {
        shape[i] = V(3 * i + 2);
        TRY(check_slice(c, i, c->in[0].shape[i], shape[i]));
    }
    return array_init(&c->out, c->in[0].dtype, c->in[0].rank, shape);
}

static enum status run_embed(struct call *c)
{
    struct array window = c->out;
    bounded_zero(c->out.data, array_bytes(&c->out));
    if (array_numel(&c->in[0]) == 0) return STATUS_OK;
    int64_t offset = slice_layout(c, c->in[0].shape, c->out.stride, window.stride);
    window.data = (char *)c->out.data + offset * (int64_t)dtype_size(c->out.dtype);
    array_copy_strided(&c->in[0], &window);
    return STATUS_OK;
}

enum status prepare_embed(struct call *c)
{
    c->run = run_embed;
    return STATUS_OK;
}

void vjp_embed(struct vjp *v)
{
    struct array x = *tape_spec(v->tape, v->in[0]);
    struct attrs slice = *v->attrs;
    for (int i = 0; i < x.rank; i++) slice.v[3 * i + 2] = x.shape[i];
    v->xbar[0] = tape_emit(v->tape, OP_SLICE, &slice, &v->ybar, 1);
}

/* ---- cat ---- */
enum status infer_cat(struct call *c)
{
    int64_t axis = V(0), shape[MAX_RANK], total = 0;
    const struct array *first = &c->in[0];
    if (axis < 0 || axis >= first->rank)
        return status_set(STATUS_ARGUMENT, "cat: axis %lld does not exist in a tensor with %d axes",
                          (long long)((uint64_t)axis + 1), first->rank);
    memcpy(shape, first->shape, sizeof shape);
    for (int i = 0; i < c->n_in; i++) {
        const struct array *x = &c->in[i];
        int fits = x->rank == first->rank && x->dtype == first->dtype;
        for (int j = 0; fits && j < x->rank; j++) fits = j == axis || x->shape[j] == first->shape[j];
        if (!fits) {
            char a[SHAPE_TEXT], b[SHAPE_TEXT];
            return status_set(STATUS_SHAPE,
                              "cat along axis %lld: tensor %d has shape %s (%s), the first one %s (%s)",
                              (long long)((uint64_t)axis + 1), i + 1, array_shape_text(x, b),
                              dtype_name(x->dtype), array_shape_text(first, a), dtype_name(first->dtype));
        }
        total += x->shape[axis];
    }
    shape[axis] = total;
    return array_init(&c->out, first->dtype, first->rank, shape);
}

/* Inputs that lie one behind the other in the result as they are in themselves. */
static enum status run_cat_dense(struct call *c)
{
    const size_t *bytes = c->plan;
    char *out = c->out.data;
    for (int i = 0; i < c->n_in; out += bytes[i++])
        if (bytes[i] == sizeof(double))
            memcpy(out, c->in[i].data, sizeof(double));
        else if (bytes[i] > 0)
            memcpy(out, c->in[i].data, bytes[i]);
    return STATUS_OK;
}

static enum status run_cat(struct call *c)
{
    int64_t at = 0;
    for (int i = 0; i < c->n_in; i++) {
        struct array window = c->out;
        window.data = (char *)c->out.data + at * c->out.stride[V(0)] * (int64_t)dtype_size(c->out.dtype);
        array_copy_strided(&c->in[i], &window);
        at += c->in[i].shape[V(0)];
    }
    return STATUS_OK;
}

enum status prepare_cat(struct call *c)
{
    int dense = array_bytes(&c->out) <= CAT_AT_ONCE_BYTES;
    c->run = run_cat;
    for (int j = 0; j < V(0); j++) dense &= c->out.shape[j] == 1;
    for (int i = 0; i < c->n_in; i++) dense &= array_is_contiguous(&c->in[i]);
    if (!dense) return STATUS_OK;
    size_t *bytes = c->plan = memory_alloc((size_t)c->n_in * sizeof *bytes);
    if (!bytes) return memory_status();
    for (int i = 0; i < c->n_in; i++) bytes[i] = array_bytes(&c->in[i]);
    c->run = run_cat_dense;
    return STATUS_OK;
}

void vjp_cat(struct vjp *v)
{
    int64_t axis = v->attrs->v[0], at = 0;
    for (int i = 0; i < v->n_in; i++) {
        struct array x = *tape_spec(v->tape, v->in[i]);
        struct attrs slice = {.n = 3 * x.rank};
        for (int j = 0; j < x.rank; j++) {
            slice.v[3 * j] = j == axis ? at : 0;
            slice.v[3 * j + 1] = 1;
            slice.v[3 * j + 2] = x.shape[j];
        }
        if (v->need[i]) v->xbar[i] = tape_emit(v->tape, OP_SLICE, &slice, &v->ybar, 1);
        at += x.shape[axis];
    }
}

/* Of ops along one axis, a: {axis}: any but the batch's. */
int cut_axis(const struct cut *c) { return c->attrs->v[0] != 0; }
