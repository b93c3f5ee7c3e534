/* Rules of the elementwise ops: the kernels are in kernels/loops.c, the list in kernels/elementwise.def. */
#include "autodiff/op_rules.h"
#include "base/memory.h"
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
    return array_init(&c->out, c->in[0].dtype, c->in[0].rank, c->in[0].shape);
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
    c->run = run_binary;
    return STATUS_OK;
}

void elementwise_kernel(enum op_id op, enum dtype dtype, unary_loop *unary, binary_loop *binary)
{
    const struct op *row = &op_table[op];
    *unary = row->elementwise == ELEMENTWISE_UNARY ? loops->unary[row->kernel][dtype] : NULL;
    *binary = row->elementwise > ELEMENTWISE_UNARY ? loops->binary[row->kernel][dtype] : NULL;
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

/* ---- derivative rules, one line each where it can be: g the cotangent, x and z the inputs, y the output
 * ---- */
#define RULE(name) void vjp_##name(struct vjp *v)
#define T v->tape
#define G v->ybar
#define X v->in[0]
#define Z v->in[1]
#define Y v->y
#define MUL(a, b) emit2(T, OP_MUL, a, b)
#define DIV(a, b) emit2(T, OP_DIV, a, b)
#define NEG(a) emit1(T, OP_NEG, a)
#define NUMBER(value) emit_like(T, G, value)

RULE(alias) { v->xbar[0] = G; }
RULE(cast) { v->xbar[0] = emit_cast(T, G, tape_spec(T, X)->dtype); }
RULE(neg) { v->xbar[0] = NEG(G); }
RULE(abs) { v->xbar[0] = MUL(G, emit1(T, OP_SIGN, X)); }
RULE(square) { v->xbar[0] = MUL(G, MUL(NUMBER(2), X)); }
RULE(sign) { (void)v; }
RULE(relu) { v->xbar[0] = emit2(T, OP_RELU_GRAD, Y, G); }
RULE(exp) { v->xbar[0] = MUL(G, Y); }
RULE(log) { v->xbar[0] = DIV(G, X); }
RULE(sin) { v->xbar[0] = MUL(G, emit1(T, OP_COS, X)); }
RULE(cos) { v->xbar[0] = NEG(MUL(G, emit1(T, OP_SIN, X))); }
RULE(tanh) { v->xbar[0] = emit2(T, OP_TANH_GRAD, Y, G); }
RULE(sigmoid) { v->xbar[0] = emit2(T, OP_SIGMOID_GRAD, Y, G); }
RULE(softplus) { v->xbar[0] = MUL(G, emit1(T, OP_SIGMOID, X)); }
RULE(sqrt) { v->xbar[0] = DIV(MUL(NUMBER(0.5), G), Y); }
RULE(reciprocal) { v->xbar[0] = NEG(MUL(G, emit1(T, OP_SQUARE, Y))); }

RULE(add) { v->xbar[0] = v->xbar[1] = G; }

RULE(sub)
{
    v->xbar[0] = G;
    if (v->need[1]) v->xbar[1] = NEG(G);
}

RULE(mul)
{
    if (v->need[0]) v->xbar[0] = MUL(G, Z);
    if (v->need[1]) v->xbar[1] = MUL(G, X);
}

RULE(div)
{
    if (v->need[0]) v->xbar[0] = DIV(G, Z);
    if (v->need[1]) v->xbar[1] = NEG(DIV(MUL(G, Y), Z));
}

/* d x^z = z x^(z-1) dx + x^z log x dz. Where z = 0 the first factor is 0 for every x, also where x^-1 is
 * infinite; the second term is taken as zero where x <= 0, as it has no real value there. */
RULE(pow)
{
    if (v->need[0]) {
        int constant = emit2(T, OP_EQ, Z, NUMBER(0));
        int less =
            tape_emit(T, OP_WHERE, NULL, (int[]){constant, NUMBER(1), emit2(T, OP_SUB, Z, NUMBER(1))}, 3);
        v->xbar[0] = MUL(G, MUL(Z, emit2(T, OP_POW, X, less)));
    }
    if (!v->need[1]) return;
    int positive = emit2(T, OP_GT, X, NUMBER(0));
    int safe = tape_emit(T, OP_WHERE, NULL, (int[]){positive, X, NUMBER(1)}, 3);
    v->xbar[1] = MUL(G, MUL(Y, emit1(T, OP_LOG, safe)));
}

/* Each winner takes the cotangent; equals share it. */
static void vjp_select(struct vjp *v, enum op_id wins)
{
    for (int i = 0; i < 2; i++) {
        if (!v->need[i]) continue;
        int won = emit2(T, wins, v->in[i], v->in[1 - i]), tie = emit2(T, OP_EQ, X, Z),
            half = MUL(NUMBER(0.5), G);
        int shared = tape_emit(T, OP_WHERE, NULL, (int[]){tie, half, NUMBER(0)}, 3);
        v->xbar[i] = tape_emit(T, OP_WHERE, NULL, (int[]){won, G, shared}, 3);
    }
}
RULE(maximum) { vjp_select(v, OP_GT); }
RULE(minimum) { vjp_select(v, OP_LT); }

RULE(relu_grad)
{
    if (v->need[1]) v->xbar[1] = emit2(T, OP_RELU_GRAD, X, G);
}

/* z (1 - x^2) */
RULE(tanh_grad)
{
    if (v->need[0]) v->xbar[0] = MUL(G, MUL(NUMBER(-2), MUL(X, Z)));
    if (v->need[1]) v->xbar[1] = emit2(T, OP_TANH_GRAD, X, G);
}

/* z x (1 - x) */
RULE(sigmoid_grad)
{
    if (v->need[0]) v->xbar[0] = MUL(G, MUL(Z, emit2(T, OP_SUB, NUMBER(1), MUL(NUMBER(2), X))));
    if (v->need[1]) v->xbar[1] = emit2(T, OP_SIGMOID_GRAD, X, G);
}
