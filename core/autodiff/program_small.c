#include "autodiff/program_small.h"

#include "autodiff/op_rules.h"
#include "base/interrupt.h"
#include "base/memory.h"
#include "base/tuning.h"

enum what { CALL, COPY, NEGATE, SQUARE, INVERT, PLUS, MINUS, TIMES, OVER, NOT_SMALL };

/* What is done to one number. Addresses are looked up at each run: those in the caller's memory change. */
struct small_step {
    enum what what;
    struct call *call;
    void *const *of[3]; /* the two operands, the result */
    int64_t at[3];      /* bytes from there */
};

static enum what kind_of(const struct call *c)
{
    static const struct {
        enum op_id op;
        enum what what;
    } kinds[] = {{OP_NEG, NEGATE}, {OP_SQUARE, SQUARE}, {OP_RECIPROCAL, INVERT}, {OP_ADD, PLUS},
                 {OP_SUB, MINUS},  {OP_MUL, TIMES},     {OP_DIV, OVER}};
    int64_t n = array_numel(&c->out);
    if (n == 0 || n > PROGRAM_FEW_NUMBERS || c->out.dtype != FLOAT64) return NOT_SMALL;
    if (c->op == &op_table[OP_CAT]) {
        for (int j = 0; j < c->attrs->v[0]; j++)
            if (c->out.shape[j] != 1) return NOT_SMALL;
        return COPY;
    }
    if (c->op->prepare == prepare_copy) return COPY;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (c->op == &op_table[kinds[i].op]) return kinds[i].what;
    return NOT_SMALL;
}

/* Bytes from the first element of x to the one that element i of `shape` is made of; x is broadcast to it. */
static int64_t offset_of(const struct array *x, const struct array *shape, int64_t i)
{
    int64_t at = 0;
    for (int axis = shape->rank - 1; axis >= 0; axis--) {
        int own = axis - (shape->rank - x->rank);
        if (own >= 0 && x->shape[own] > 1) at += i % shape->shape[axis] * x->stride[own];
        i /= shape->shape[axis];
    }
    return at * (int64_t)sizeof(double);
}

static void add_copies(struct program *p, struct call *c)
{
    int64_t at = 0;
    for (int j = 0; j < c->n_in; j++)
        for (int64_t i = 0; i < array_numel(&c->in[j]); i++, at += (int64_t)sizeof(double))
            p->small[p->n_small++] = (struct small_step){.what = COPY,
                                                         .of = {&c->in[j].data, NULL, &c->out.data},
                                                         .at = {offset_of(&c->in[j], &c->in[j], i), 0, at}};
}

static void add_steps(struct program *p, struct call *c)
{
    enum what what = kind_of(c);
    if (what == NOT_SMALL)
        p->small[p->n_small++] = (struct small_step){.what = CALL, .call = c};
    else if (what == COPY)
        add_copies(p, c);
    else
        for (int64_t i = 0; i < array_numel(&c->out); i++)
            p->small[p->n_small++] = (struct small_step){
                .what = what,
                .of = {&c->in[0].data, &c->in[c->n_in - 1].data, &c->out.data},
                .at = {offset_of(&c->in[0], &c->out, i), offset_of(&c->in[c->n_in - 1], &c->out, i),
                       i * (int64_t)sizeof(double)}};
}

enum status program_make_small(struct program *p)
{
    int64_t steps = 0, few = 0;
    for (int i = 0; i < p->n_calls; i++) {
        int small = kind_of(&p->calls[i]) != NOT_SMALL;
        few += small;
        steps += small ? array_numel(&p->calls[i].out) : 1;
    }
    if (few == 0) return STATUS_OK;
    if (!(p->small = memory_alloc((size_t)steps * sizeof *p->small))) return memory_status();
    for (int i = 0; i < p->n_calls; i++) add_steps(p, &p->calls[i]);
    return STATUS_OK;
}

static inline double number(const struct small_step *s, int i)
{
    return *(const double *)((const char *)*s->of[i] + s->at[i]);
}

enum status program_run_small(struct program *p)
{
    const struct small_step *end = p->small + p->n_small;
    for (const struct small_step *s = p->small; s < end; s++) {
        double r;
        switch (s->what) {
        case CALL:
            if (interrupt_stop()) return STATUS_OK;
            TRY(s->call->run(s->call));
            continue;
        case COPY: r = number(s, 0); break;
        case NEGATE: r = -number(s, 0); break;
        case SQUARE: r = number(s, 0) * number(s, 0); break;
        case INVERT: r = 1 / number(s, 0); break;
        case PLUS: r = number(s, 0) + number(s, 1); break;
        case MINUS: r = number(s, 0) - number(s, 1); break;
        case TIMES: r = number(s, 0) * number(s, 1); break;
        case OVER: r = number(s, 0) / number(s, 1); break;
        default: continue;
        }
        *(double *)((char *)*s->of[2] + s->at[2]) = r;
    }
    return STATUS_OK;
}
