/* Rules of the ops along an axis where each element depends on those before it: sums, linear recurrences,
 * order. */
#include <string.h>

#include "autodiff/op_rules.h"
#include "base/interrupt.h"
#include "base/memory.h"
#include "kernels/scan.h"
#include "kernels/sort.h"

/* ---- cumsum, recurrence ---- */
enum status infer_scan(struct call *c)
{
    char a[SHAPE_TEXT], b[SHAPE_TEXT];
    TRY(check_axis(c));
    if (c->in[0].dtype == UINT8)
        return status_set(STATUS_DTYPE, "%s: uint8 numbers would overflow; convert with x:to(\"int64\")",
                          c->op->name);
    if (c->n_in == 2 && !array_same_shape(&c->in[0], &c->in[1]))
        return status_set(STATUS_SHAPE, "%s: shapes %s and %s differ", c->op->name,
                          array_shape_text(&c->in[0], a), array_shape_text(&c->in[1], b));
    return infer_same(c);
}

static enum status run_scan(struct call *c)
{
    int64_t outer, inner;
    axis_blocks(&c->out, (int)V(0), &outer, &inner);
    scan_run(c->out.dtype, outer, c->out.shape[V(0)], inner, V(1) != 0, c->n_in == 2 ? c->in[0].data : NULL,
             c->in[c->n_in - 1].data, c->out.data);
    return STATUS_OK;
}

enum status prepare_scan(struct call *c)
{
    c->run = run_scan;
    return STATUS_OK;
}

int64_t work_recurrence(const struct call *c) { return 2 * array_numel(&c->out); }

/* Neighbours of x along the axis, 0 at the end: element i is x[i + 1], or x[i - 1]. */
static int emit_neighbour(struct tape *t, int x, int64_t axis, int before)
{
    struct array spec = *tape_spec(t, x);
    struct attrs slice = {.n = 3 * spec.rank}, embed = {.n = 3 * spec.rank};
    int64_t n = spec.shape[axis], rest = n > 0 ? n - 1 : 0;
    for (int i = 0; i < spec.rank; i++) {
        slice.v[3 * i + 1] = embed.v[3 * i + 1] = 1;
        slice.v[3 * i + 2] = i == axis ? rest : spec.shape[i];
        embed.v[3 * i + 2] = spec.shape[i];
    }
    if (rest > 0) (before ? &embed : &slice)->v[3 * axis] = 1;
    return tape_emit(t, OP_EMBED, &embed, (int[]){tape_emit(t, OP_SLICE, &slice, &x, 1)}, 1);
}

void vjp_cumsum(struct vjp *v)
{
    v->xbar[0] = tape_emit(v->tape, OP_CUMSUM,
                           &(struct attrs){.n = 2, .v = {v->attrs->v[0], !v->attrs->v[1]}}, &v->ybar, 1);
}

/* bbar runs the other way: bbar[i] = ybar[i] + a[i + 1] bbar[i + 1]; abar[i] = bbar[i] y[i - 1]. */
void vjp_recurrence(struct vjp *v)
{
    int64_t axis = v->attrs->v[0];
    int backwards = v->attrs->v[1] != 0, a = emit_neighbour(v->tape, v->in[0], axis, backwards);
    v->xbar[1] = tape_emit(v->tape, OP_RECURRENCE, &(struct attrs){.n = 2, .v = {axis, !backwards}},
                           (int[]){a, v->ybar}, 2);
    if (v->need[0])
        v->xbar[0] = emit2(v->tape, OP_MUL, v->xbar[1], emit_neighbour(v->tape, v->y, axis, !backwards));
}

/* ---- sort, argsort ---- */
enum status infer_sort(struct call *c)
{
    TRY(check_axis(c));
    return infer_same(c);
}

enum status infer_argsort(struct call *c)
{
    int64_t shape[MAX_RANK];
    TRY(check_axis(c));
    memcpy(shape, c->in[0].shape, sizeof shape);
    if (c->attrs->n > 2) {
        if (V(2) < 0 || V(2) > shape[V(0)])
            return status_set(STATUS_ARGUMENT, "argsort: the count must lie in 0..%lld",
                              (long long)shape[V(0)]);
        shape[V(0)] = V(2);
    }
    return array_init(&c->out, INT64, c->in[0].rank, shape);
}

static enum status run_sort(struct call *c)
{
    sort_run(c->plan, c->in[0].data, c->out.data, c->scratch);
    return STATUS_OK;
}

enum status prepare_sort(struct call *c)
{
    int64_t outer, inner;
    struct sort_plan *p = c->plan = memory_alloc(sizeof *p);
    if (!p) return memory_status();
    axis_blocks(&c->out, (int)V(0), &outer, &inner);
    sort_plan(p, c->in[0].dtype, c->op == &op_table[OP_ARGSORT], V(1) != 0, outer, c->in[0].shape[V(0)],
              inner, c->out.shape[V(0)]);
    c->scratch_bytes = sort_scratch(p);
    c->run = run_sort;
    return STATUS_OK;
}

void vjp_sort(struct vjp *v)
{
    int64_t axis = v->attrs->v[0], size = tape_spec(v->tape, v->y)->shape[axis];
    int at = tape_emit(v->tape, OP_ARGSORT, v->attrs, v->in, 1);
    v->xbar[0] = tape_emit(v->tape, OP_SCATTER_ADD, &(struct attrs){.n = 2, .v = {axis, size}},
                           (int[]){v->ybar, at}, 2);
}

/* ---- searchsorted ---- */
enum status infer_searchsorted(struct call *c)
{
    const struct array *sorted = &c->in[0], *x = &c->in[1];
    char a[SHAPE_TEXT], b[SHAPE_TEXT];
    int fits = sorted->rank == 1 || sorted->rank == x->rank;
    for (int i = 0; fits && i < sorted->rank - 1; i++) fits = sorted->shape[i] == x->shape[i];
    if (!fits || sorted->rank == 0)
        return status_set(
            STATUS_SHAPE,
            "searchsorted: the sorted numbers, of shape %s, must be a vector, or agree with the "
            "others, of shape %s, in all axes but the last",
            array_shape_text(sorted, a), array_shape_text(x, b));
    return array_init(&c->out, INT64, x->rank, x->shape);
}

static enum status run_searchsorted(struct call *c)
{
    const struct array *sorted = &c->in[0], *x = &c->in[1];
    int64_t n = sorted->shape[sorted->rank - 1], numel = array_numel(x),
            row = sorted->rank == 1 ? numel : x->shape[x->rank - 1];
    int64_t size = (int64_t)dtype_size(x->dtype), *out = c->out.data;
    for (int64_t i = 0; i < numel && !(i % 65536 == 0 && interrupt_stop()); i++)
        out[i] = 1 + sort_place(x->dtype, n, (const char *)sorted->data + i / row * n * size,
                                (const char *)x->data + i * size, V(0) != 0);
    return STATUS_OK;
}

enum status prepare_searchsorted(struct call *c)
{
    c->run = run_searchsorted;
    return STATUS_OK;
}
