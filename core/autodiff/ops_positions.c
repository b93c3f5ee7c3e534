/* Rules of the ops where each element has a position of its own: gather, and scatter_add, its transpose. */
#include <string.h>

#include "autodiff/op_rules.h"
#include "base/interrupt.h"
#include "kernels/bounded.h"
#include "kernels/places.h"

void axis_blocks(const struct array *x, int axis, int64_t *outer, int64_t *inner)
{
    *outer = *inner = 1;
    for (int i = 0; i < x->rank; i++) *(i < axis ? outer : inner) *= i == axis ? 1 : x->shape[i];
}

enum status check_axis(const struct call *c)
{
    if (V(0) >= 0 && V(0) < c->in[0].rank) return STATUS_OK;
    return status_set(STATUS_ARGUMENT, "%s: axis %lld does not exist in a tensor with %d axes", c->op->name,
                      (long long)((uint64_t)V(0) + 1), c->in[0].rank);
}

/* Positions of the first operand's shape but for the axis, which has their extent in the result of gather. */
static enum status infer_at(struct call *c, int64_t extent)
{
    const struct array *x = &c->in[0], *positions = &c->in[1];
    int64_t shape[MAX_RANK];
    char a[SHAPE_TEXT], b[SHAPE_TEXT];
    TRY(check_axis(c));
    if (positions->dtype != INT64)
        return status_set(STATUS_DTYPE, "%s: positions must be int64, got %s", c->op->name,
                          dtype_name(positions->dtype));
    int fits = positions->rank == x->rank;
    for (int i = 0; fits && i < x->rank; i++) fits = i == V(0) || positions->shape[i] == x->shape[i];
    if (!fits)
        return status_set(STATUS_SHAPE,
                          "%s: positions of shape %s do not fit a tensor of shape %s: all axes but axis %d "
                          "must agree",
                          c->op->name, array_shape_text(positions, a), array_shape_text(x, b), (int)V(0) + 1);
    memcpy(shape, x->shape, sizeof shape);
    shape[V(0)] = extent;
    return array_init(&c->out, x->dtype, x->rank, shape);
}

enum status infer_gather(struct call *c)
{
    return infer_at(c, c->in[1].rank > V(0) && V(0) >= 0 ? c->in[1].shape[V(0)] : 0);
}

enum status infer_scatter_add(struct call *c)
{
    TRY(infer_at(c, V(1)));
    if (array_same_shape(&c->in[0], &c->in[1])) return STATUS_OK;
    return status_set(STATUS_SHAPE, "scatter_add: there are %lld positions for %lld elements",
                      (long long)array_numel(&c->in[1]), (long long)array_numel(&c->in[0]));
}

/* "{2, 1}": where the element at i of a dense array lies, 1-based. */
static void place_text(const struct array *a, int64_t i, char text[SHAPE_TEXT])
{
    struct array place = *a;
    for (int axis = a->rank - 1; axis >= 0; i /= a->shape[axis--]) place.shape[axis] = i % a->shape[axis] + 1;
    array_shape_text(&place, text);
}

static enum status outside(const struct call *c, int64_t i, int64_t size)
{
    const int64_t *position = c->in[1].data;
    char place[SHAPE_TEXT];
    place_text(&c->in[1], i, place);
    return status_set(STATUS_ARGUMENT, "%s: position %lld (entry %s) lies outside 1..%lld of axis %d",
                      c->op->name, (long long)position[i], place, (long long)size, (int)V(0) + 1);
}

/* all {outer, n, inner}, some {outer, m, inner}. */
static enum status run_rows(const struct call *c, places_function *run, void *all, int64_t n, void *some)
{
    int64_t outer, inner, line = 1, size = (int64_t)dtype_size(c->out.dtype);
    axis_blocks(&c->in[1], (int)V(0), &outer, &inner);
    line = c->in[1].shape[V(0)] * inner;
    for (int64_t i = 0; i < outer; i++)
        for (int64_t first = 0, end; first < line; first = end) {
            end = line - first < PLACES_AT_ONCE ? line : first + PLACES_AT_ONCE;
            struct places r = {(const int64_t *)c->in[1].data + i * line + first, end - first, first, n,
                               inner};
            if (interrupt_stop()) return STATUS_OK;
            int64_t done = run(&r, (char *)all + i * n * inner * size,
                               (char *)some + (i * line + first) * size, c->out.dtype);
            if (done < r.count) return outside(c, i * line + first + done, n);
        }
    return STATUS_OK;
}

static enum status run_gather(struct call *c)
{
    return run_rows(c, places_gather, c->in[0].data, c->in[0].shape[V(0)], c->out.data);
}

enum status prepare_gather(struct call *c)
{
    c->run = run_gather;
    return STATUS_OK;
}

static enum status run_scatter_add(struct call *c)
{
    bounded_zero(c->out.data, array_bytes(&c->out));
    return run_rows(c, places_scatter, c->out.data, V(1), c->in[0].data);
}

enum status prepare_scatter_add(struct call *c)
{
    c->run = run_scatter_add;
    return STATUS_OK;
}

void vjp_gather(struct vjp *v)
{
    int64_t axis = v->attrs->v[0], size = tape_spec(v->tape, v->in[0])->shape[axis];
    v->xbar[0] = tape_emit(v->tape, OP_SCATTER_ADD, &(struct attrs){.n = 2, .v = {axis, size}},
                           (int[]){v->ybar, v->in[1]}, 2);
}

void vjp_scatter_add(struct vjp *v)
{
    v->xbar[0] = tape_emit(v->tape, OP_GATHER, &(struct attrs){.n = 1, .v = {v->attrs->v[0]}},
                           (int[]){v->ybar, v->in[1]}, 2);
}
