/* Shapes and kernels of the elementwise ops: the loops are in kernels/loops.c, the list in
 * kernels/elementwise.def, derivatives in elementwise_rules.c. */
#include "autodiff/op_rules.h"
#include "base/interrupt.h"
#include "base/memory.h"
#include "base/tuning.h"
#include "kernels/elementwise.h"

struct elementwise_plan {
    struct loop_plan loop;
    unary_loop unary;
    binary_loop binary;
};

static enum status no_kernel(const struct call *c)
{
    return status_set(STATUS_DTYPE, "%s is not defined for %s; convert with x:to(\"float32\")", c->op->name,
                      dtype_name(c->in[0].dtype));
}

enum status infer_unary(struct call *c)
{
    if (!loops->unary[c->op->kernel][c->in[0].dtype]) return no_kernel(c);
    return array_init(&c->out, c->op->elementwise == ELEMENTWISE_PREDICATE ? UINT8 : c->in[0].dtype,
                      c->in[0].rank, c->in[0].shape);
}

enum status infer_binary(struct call *c)
{
    int rank;
    int64_t shape[MAX_RANK];
    if (c->in[0].dtype != c->in[1].dtype)
        return status_set(STATUS_DTYPE, "%s needs operands of one dtype, got %s and %s", c->op->name,
                          dtype_name(c->in[0].dtype), dtype_name(c->in[1].dtype));
    if (!loops->binary[c->op->kernel][c->in[0].dtype]) return no_kernel(c);
    TRY(broadcast_shapes(&c->in[0], &c->in[1], &rank, shape));
    return array_init(&c->out, c->op->elementwise == ELEMENTWISE_COMPARE ? UINT8 : c->in[0].dtype, rank,
                      shape);
}

static enum status run_unary(struct call *c)
{
    const struct elementwise_plan *p = c->plan;
    loop_run_unary(&p->loop, p->unary, c->in[0].data, c->out.data);
    return STATUS_OK;
}

static enum status run_binary(struct call *c)
{
    const struct elementwise_plan *p = c->plan;
    loop_run_binary(&p->loop, p->binary, c->in[0].data, c->in[1].data, c->out.data);
    return STATUS_OK;
}

/* The number of a 0 among integers, counted from 0; -1: there is none. */
static int64_t first_zero(const struct array *y)
{
    int dense = array_is_contiguous(y);
    for (int64_t i = 0, n = array_numel(y); i < n; i++) {
        if (i % ELEMENTWISE_PIECE_ELEMENTS == 0 && interrupt_stop()) return -1;
        const char *at = dense ? (const char *)y->data + i * (int64_t)dtype_size(y->dtype) : array_at(y, i);
        if (y->dtype == INT64 ? *(const int64_t *)(const void *)at == 0 : *at == 0) return i;
    }
    return -1;
}

/* Integers have no infinity to give. */
static enum status run_divide(struct call *c)
{
    int64_t zero = array_numel(&c->out) > 0 ? first_zero(&c->in[1]) : -1;
    if (zero < 0) return run_binary(c);
    return status_set(STATUS_ARGUMENT,
                      "%s: element %lld of the divisor is 0, and %s has no infinity; convert with "
                      "x:to(\"float64\"), or replace the zeros with tide.where",
                      c->op->name, (long long)zero + 1, dtype_name(c->in[1].dtype));
}

static enum status new_plan(struct call *c, int n_in)
{
    struct elementwise_plan *p = c->plan = memory_zalloc(1, sizeof *p);
    if (!p) return memory_status();
    if (n_in > 0) loop_plan(&p->loop, &c->out, (const struct array *[]){&c->in[0], &c->in[n_in - 1]}, n_in);
    return STATUS_OK;
}

enum status prepare_unary(struct call *c)
{
    TRY(new_plan(c, 1));
    ((struct elementwise_plan *)c->plan)->unary = loops->unary[c->op->kernel][c->in[0].dtype];
    c->run = run_unary;
    return STATUS_OK;
}

enum status prepare_binary(struct call *c)
{
    TRY(new_plan(c, 2));
    ((struct elementwise_plan *)c->plan)->binary = loops->binary[c->op->kernel][c->in[0].dtype];
    c->run = c->op->flags & OP_DIVIDES && !dtype_is_float(c->in[0].dtype) ? run_divide : run_binary;
    return STATUS_OK;
}

void elementwise_kernel(enum op_id op, enum dtype dtype, unary_loop *unary, binary_loop *binary)
{
    const struct op *row = &op_table[op];
    *unary = row->elementwise && row->max_in == 1 ? loops->unary[row->kernel][dtype] : NULL;
    *binary = row->elementwise && row->max_in == 2 ? loops->binary[row->kernel][dtype] : NULL;
}

int cut_nothing(const struct cut *c) { return c != NULL; } /* no attribute knows of the batch */
int64_t work_written(const struct call *c) { return array_numel(&c->out); }

/* The loop runs over the input's shape: a reshape has another one, but the same elements in the same
 * order. */
enum status prepare_copy(struct call *c)
{
    TRY(new_plan(c, 0));
    loop_plan(&((struct elementwise_plan *)c->plan)->loop, &c->in[0], &(const struct array *){&c->in[0]}, 1);
    ((struct elementwise_plan *)c->plan)->unary = loops->cast[c->in[0].dtype][c->in[0].dtype];
    c->run = run_unary;
    return STATUS_OK;
}

enum status infer_cast(struct call *c)
{
    if (V(0) < 0 || V(0) >= DTYPE_COUNT)
        return status_set(STATUS_DTYPE, "cast: there is no dtype number %lld", (long long)V(0));
    return array_init(&c->out, (enum dtype)V(0), c->in[0].rank, c->in[0].shape);
}

enum status prepare_cast(struct call *c)
{
    TRY(new_plan(c, 1));
    ((struct elementwise_plan *)c->plan)->unary = loops->cast[c->in[0].dtype][c->out.dtype];
    c->run = run_unary;
    return STATUS_OK;
}

/* ---- where(condition, a, b) ---- */
struct where_plan {
    struct loop_plan otherwise, chosen;
};

enum status infer_where(struct call *c)
{
    int rank;
    int64_t shape[MAX_RANK];
    struct array both;
    if (c->in[0].dtype != UINT8)
        return status_set(STATUS_DTYPE,
                          "where: the condition must be uint8 (a comparison gives that), got %s",
                          dtype_name(c->in[0].dtype));
    if (c->in[1].dtype != c->in[2].dtype)
        return status_set(STATUS_DTYPE, "where needs both values in one dtype, got %s and %s",
                          dtype_name(c->in[1].dtype), dtype_name(c->in[2].dtype));
    TRY(broadcast_shapes(&c->in[1], &c->in[2], &rank, shape));
    TRY(array_init(&both, c->in[1].dtype, rank, shape));
    TRY(broadcast_shapes(&c->in[0], &both, &rank, shape));
    return array_init(&c->out, c->in[1].dtype, rank, shape);
}

static enum status run_where(struct call *c)
{
    const struct where_plan *p = c->plan;
    enum dtype dtype = c->out.dtype;
    loop_run_unary(&p->otherwise, loops->cast[dtype][dtype], c->in[2].data, c->out.data);
    loop_run_binary(&p->chosen, loops->where[dtype], c->in[0].data, c->in[1].data, c->out.data);
    return STATUS_OK;
}

enum status prepare_where(struct call *c)
{
    struct where_plan *p = c->plan = memory_zalloc(1, sizeof *p);
    if (!p) return memory_status();
    loop_plan(&p->otherwise, &c->out, (const struct array *[]){&c->in[2]}, 1);
    loop_plan(&p->chosen, &c->out, (const struct array *[]){&c->in[0], &c->in[1]}, 2);
    c->run = run_where;
    return STATUS_OK;
}

void vjp_where(struct vjp *v)
{
    struct tape *t = v->tape;
    int zero = emit_like(t, v->ybar, 0);
    if (v->need[1]) v->xbar[1] = tape_emit(t, OP_WHERE, NULL, (int[]){v->in[0], v->ybar, zero}, 3);
    if (v->need[2]) v->xbar[2] = tape_emit(t, OP_WHERE, NULL, (int[]){v->in[0], zero, v->ybar}, 3);
}
