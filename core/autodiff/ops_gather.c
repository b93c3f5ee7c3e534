/* Rules of the ops that look at their operands' numbers to know where to go: take, gather, one_hot. */
#include <string.h>

#include "autodiff/op_rules.h"
#include "base/interrupt.h"
#include "base/memory.h"
#include "kernels/bounded.h"
#include "kernels/elementwise.h"
#include "kernels/places.h"

/* ---- take: rows at 1-based positions along one axis ---- */
static enum status infer_positions(struct call *c, int64_t size)
{
    int64_t axis = V(0), shape[MAX_RANK];
    const struct array *x = &c->in[0], *positions = &c->in[1];
    if (positions->dtype != INT64 || positions->rank != 1)
        return status_set(STATUS_DTYPE, "%s: positions must be a 1-D int64 tensor, got %d-D %s", c->op->name,
                          positions->rank, dtype_name(positions->dtype));
    if (axis < 0 || axis >= x->rank)
        return status_set(STATUS_ARGUMENT, "%s: axis %lld does not exist in a tensor with %d axes",
                          c->op->name, (long long)((uint64_t)axis + 1), x->rank);
    memcpy(shape, x->shape, sizeof shape);
    shape[axis] = size;
    return array_init(&c->out, x->dtype, x->rank, shape);
}

enum status infer_take(struct call *c)
{
    return infer_positions(c, c->in[1].rank == 1 ? c->in[1].shape[0] : 0);
}

enum status infer_take_grad(struct call *c)
{
    TRY(infer_positions(c, V(1)));
    if (c->in[0].shape[V(0)] != c->in[1].shape[0])
        return status_set(STATUS_SHAPE, "take_grad: there are %lld positions for %lld rows",
                          (long long)c->in[1].shape[0], (long long)c->in[0].shape[V(0)]);
    return STATUS_OK;
}

/* After each million or so of elements: is the user waiting for the end? */
static int piece_ends(int64_t *done, int64_t elements)
{
    if ((*done += elements + 8) < 1 << 20) return 0;
    *done = 0;
    return interrupt_stop();
}

static enum status check_positions(const struct call *c, int64_t size)
{
    const int64_t *position = c->in[1].data;
    for (int64_t i = 0, done = 0; i < c->in[1].shape[0] && !piece_ends(&done, 0); i++)
        if (position[i] < 1 || position[i] > size)
            return status_set(STATUS_ARGUMENT, "take: position %lld (entry %lld) lies outside 1..%lld",
                              (long long)position[i], (long long)i + 1, (long long)size);
    return STATUS_OK;
}

/* Rows of one element. */
static enum status run_elements(const struct call *c, places_function *run, void *all, int64_t n, void *some)
{
    int64_t outer, inner, m = c->in[1].shape[0], size = (int64_t)dtype_size(c->out.dtype);
    axis_blocks(&c->out, (int)V(0), &outer, &inner);
    for (int64_t i = 0; i < outer; i++)
        for (int64_t first = 0; first < m; first += PLACES_AT_ONCE) {
            int64_t count = m - first < PLACES_AT_ONCE ? m - first : PLACES_AT_ONCE;
            struct places p = {(const int64_t *)c->in[1].data + first, count, 0, n, 1};
            if (interrupt_stop()) return STATUS_OK;
            if (run(&p, (char *)all + i * n * size, (char *)some + (i * m + first) * size, c->out.dtype) <
                count)
                return check_positions(c, n);
        }
    return STATUS_OK;
}

static enum status run_take(struct call *c)
{
    int64_t outer, inner, n = c->in[0].shape[V(0)], m = c->in[1].shape[0], done = 0;
    const int64_t *position = c->in[1].data;
    axis_blocks(&c->out, (int)V(0), &outer, &inner);
    if (inner == 1) return run_elements(c, places_gather, c->in[0].data, n, c->out.data);
    TRY(check_positions(c, n));
    if (interrupt_stop()) return STATUS_OK;
    size_t row = (size_t)inner * dtype_size(c->out.dtype);
    for (int64_t i = 0; i < outer; i++)
        for (int64_t j = 0; j < m; j++) {
            if (piece_ends(&done, inner)) return STATUS_OK;
            memcpy((char *)c->out.data + (size_t)(i * m + j) * row,
                   (const char *)c->in[0].data + (size_t)(i * n + position[j] - 1) * row, row);
        }
    return STATUS_OK;
}

enum status prepare_take(struct call *c)
{
    c->run = run_take;
    return STATUS_OK;
}

static enum status run_take_grad(struct call *c)
{
    int64_t outer, inner, n = V(1), m = c->in[1].shape[0], done = 0;
    const int64_t *position = c->in[1].data;
    axis_blocks(&c->out, (int)V(0), &outer, &inner);
    bounded_zero(c->out.data, array_bytes(&c->out));
    if (inner == 1) return run_elements(c, places_scatter, c->out.data, n, c->in[0].data);
    TRY(check_positions(c, n));
    if (interrupt_stop()) return STATUS_OK;
    binary_loop add = loops->binary[BINARY_ADD][c->out.dtype];
    int64_t size = (int64_t)dtype_size(c->out.dtype), shape[2] = {1, inner}, unit[2] = {0, 1};
    for (int64_t i = 0; i < outer; i++)
        for (int64_t j = 0; j < m; j++) {
            if (piece_ends(&done, inner)) return STATUS_OK;
            char *to = (char *)c->out.data + (i * n + position[j] - 1) * inner * size;
            add(shape, to, unit, (const char *)c->in[0].data + (i * m + j) * inner * size, unit, to);
        }
    return STATUS_OK;
}

enum status prepare_take_grad(struct call *c)
{
    c->run = run_take_grad;
    return STATUS_OK;
}

void vjp_take(struct vjp *v)
{
    int64_t axis = v->attrs->v[0], size = tape_spec(v->tape, v->in[0])->shape[axis];
    v->xbar[0] = tape_emit(v->tape, OP_TAKE_GRAD, &(struct attrs){.n = 2, .v = {axis, size}},
                           (int[]){v->ybar, v->in[1]}, 2);
}

void vjp_take_grad(struct vjp *v)
{
    v->xbar[0] = tape_emit(v->tape, OP_TAKE, &(struct attrs){.n = 1, .v = {v->attrs->v[0]}},
                           (int[]){v->ybar, v->in[1]}, 2);
}

/* ---- one_hot: labels 1..classes to rows of zeros with a one ---- */
enum status infer_one_hot(struct call *c)
{
    int64_t shape[MAX_RANK];
    if (c->in[0].dtype != INT64)
        return status_set(
            STATUS_DTYPE,
            "one_hot: labels must be int64 (1 for the first class), got %s; convert with y:to(\"int64\")",
            dtype_name(c->in[0].dtype));
    if (c->in[0].rank >= MAX_RANK)
        return status_set(STATUS_SHAPE, "one_hot: labels have too many axes (%d)", c->in[0].rank);
    if (V(1) != FLOAT32 && V(1) != FLOAT64)
        return status_set(STATUS_DTYPE, "one_hot: the dtype must be float32 or float64");
    memcpy(shape, c->in[0].shape, sizeof shape);
    shape[c->in[0].rank] = V(0);
    return array_init(&c->out, (enum dtype)V(1), c->in[0].rank + 1, shape);
}

static enum status run_one_hot(struct call *c)
{
    int64_t n = array_numel(&c->in[0]), classes = V(0);
    const int64_t *label = c->in[0].data;
    bounded_zero(c->out.data, array_bytes(&c->out));
    for (int64_t i = 0, done = 0; i < n; i++) {
        if (piece_ends(&done, 8)) return STATUS_OK;
        if (label[i] < 1 || label[i] > classes)
            return status_set(STATUS_ARGUMENT,
                              "label %lld (entry %lld) lies outside 1..%lld; class labels are 1-based, and "
                              "here are %lld classes",
                              (long long)label[i], (long long)i + 1, (long long)classes, (long long)classes);
        array_set(&c->out, i * classes + label[i] - 1, 1);
    }
    return STATUS_OK;
}

enum status prepare_one_hot(struct call *c)
{
    c->run = run_one_hot;
    return STATUS_OK;
}
