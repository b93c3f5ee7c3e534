/* Rules of reductions. */
#include <string.h>

#include "autodiff/op_rules.h"
#include "base/memory.h"
#include "kernels/reduce.h"

enum status infer_reduce(struct call *c)
{
    int64_t shape[MAX_RANK];
    memcpy(shape, c->in[0].shape, sizeof shape);
    for (int i = 0; i < c->in[0].rank; i++) {
        if (!(V(0) >> i & 1)) continue;
        if (shape[i] == 0 && c->op != &op_table[OP_SUM])
            return status_set(STATUS_SHAPE, "%s: axis %d is empty, so it has no extreme value", c->op->name,
                              i + 1);
        shape[i] = 1;
    }
    enum reduction kind = c->op == &op_table[OP_SUM] ? REDUCE_SUM : REDUCE_MAX;
    return array_init(&c->out, reduce_dtype(kind, c->in[0].dtype), c->in[0].rank, shape);
}

static enum status run_reduce(struct call *c)
{
    reduce_run(c->plan, c->in[0].data, c->out.data);
    return STATUS_OK;
}

static enum status prepare_reduce(struct call *c, enum reduction kind)
{
    if (!(c->plan = memory_alloc(sizeof(struct reduce_plan)))) return memory_status();
    reduce_plan(c->plan, kind, &c->in[0], (unsigned)V(0));
    c->run = run_reduce;
    return STATUS_OK;
}

enum status prepare_sum(struct call *c) { return prepare_reduce(c, REDUCE_SUM); }
enum status prepare_max(struct call *c) { return prepare_reduce(c, REDUCE_MAX); }
enum status prepare_min(struct call *c) { return prepare_reduce(c, REDUCE_MIN); }

void vjp_sum(struct vjp *v)
{
    struct array x = *tape_spec(v->tape, v->in[0]);
    v->xbar[0] = emit_broadcast(v->tape, v->ybar, x.rank, x.shape);
}

/* Axes that are reduced cannot be the batch's; sums over several are folded where there is one sample. */
int cut_reduce(const struct cut *c)
{
    int64_t mask = c->attrs->v[0];
    return (mask & 1) == 0 && (!c->alike || (mask & (mask - 1)) == 0);
}
int64_t work_read(const struct call *c) { return array_numel(&c->in[0]); }

/* Elements equal to the extreme value share the cotangent equally. */
void vjp_extreme(struct vjp *v)
{
    struct tape *t = v->tape;
    enum dtype dtype = tape_spec(t, v->in[0])->dtype;
    int winners = emit_cast(t, emit2(t, OP_EQ, v->in[0], v->y), dtype);
    int count = tape_emit(t, OP_SUM, v->attrs, &winners, 1);
    v->xbar[0] = emit2(t, OP_MUL, winners, emit2(t, OP_DIV, v->ybar, count));
}

enum status infer_arg(struct call *c)
{
    int64_t shape[MAX_RANK];
    if (V(0) < 0 || V(0) >= c->in[0].rank)
        return status_set(STATUS_ARGUMENT, "%s: axis %lld does not exist in a tensor with %d axes",
                          c->op->name, (long long)((uint64_t)V(0) + 1), c->in[0].rank);
    memcpy(shape, c->in[0].shape, sizeof shape);
    if (shape[V(0)] == 0)
        return status_set(STATUS_SHAPE, "%s: axis %lld is empty", c->op->name,
                          (long long)((uint64_t)V(0) + 1));
    shape[V(0)] = 1;
    return array_init(&c->out, INT64, c->in[0].rank, shape);
}

static enum status run_arg(struct call *c)
{
    arg_extreme(&c->in[0], (int)V(0), c->op == &op_table[OP_ARGMAX], c->out.data);
    return STATUS_OK;
}

enum status prepare_arg(struct call *c)
{
    c->run = run_arg;
    return STATUS_OK;
}
