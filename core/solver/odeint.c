#include "solver/odeint.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "solver/event.h"
#include "solver/family.h"
#include "solver/newton.h"
#include "solver/odeint_op.h"
#include "solver/times.h"

const struct solve_stats *odeint_stats(const struct odeint *op) { return &op->stats; }
int odeint_samples(const struct odeint *op, int64_t *n, const struct solve_stats **counts,
                   const struct event_log **logs)
{
    *n = op->layout.batch;
    *counts = op->tiled ? tiled_counts(op->tiled) : NULL;
    *logs = op->tiled ? tiled_logs(op->tiled) : NULL;
    return op->options.per_sample;
}
int odeint_changes_method(const struct odeint *op) { return op->options.method.pair[1] != NULL; }
struct object *odeint_object(struct odeint *op) { return &op->custom.base; }
const struct events *odeint_events(const struct odeint *op) { return op->options.events; }

int64_t odeint_ends(const struct odeint *op)
{
    return !op->options.ends_at_event ? 0 : op->options.per_sample ? op->layout.batch : 1;
}

/* ---- the op: inputs y0, times, theta... ---- */

static enum status solve_infer(struct custom *self, struct call *c)
{
    const struct odeint *op = (const struct odeint *)self;
    int64_t n = c->in[1].shape[0] * c->in[0].shape[0] + odeint_ends(op);
    return array_init(&c->out, op->options.ends_at_event ? FLOAT64 : c->in[0].dtype, 1, &n);
}

static int is_direct(const struct odeint *op) { return solve_gradient_is_discrete(op->options.gradient); }

/* What the fields of events will be asked for. */
static unsigned event_works(const struct odeint *op)
{
    return FIELD_MASK(FIELD_EVAL) | (op->recording ? FIELD_MASK(FIELD_VJP) | FIELD_BY_TIME : 0);
}

/* What the field will be asked for: by the solve, and by its gradient if somebody wants it. */
static unsigned field_works(const struct odeint *op)
{
    static const unsigned backward[] = {
        [GRADIENT_DIRECT] = FIELD_MASK(FIELD_EVAL_KEEP) | FIELD_MASK(FIELD_VJP_KEPT) | FIELD_MASK(FIELD_VJP),
        [GRADIENT_CHECKPOINT] = FIELD_MASK(FIELD_VJP),
        [GRADIENT_ADJOINT] =
            FIELD_MASK(FIELD_VJP_AND_EVAL) | FIELD_MASK(FIELD_VJP), /* the latter where y cannot be rebuilt */
        [GRADIENT_INTERPOLATED] = FIELD_MASK(FIELD_VJP),
        [GRADIENT_REVERSIBLE] = FIELD_MASK(FIELD_VJP),
        [GRADIENT_FORWARD] = 0,
    };
    unsigned implicit = newton_works(op->field, &op->options, op->recording);
    unsigned by_time = !op->options.adaptive && (op->by_times || op->options.events)
                           ? FIELD_BY_TIME | FIELD_MASK(FIELD_VJP_AND_EVAL)
                           : 0;
    return FIELD_MASK(FIELD_EVAL) | implicit |
           (op->recording ? backward[op->options.gradient] | (is_direct(op) ? by_time : 0) : 0);
}

/* Everything that a run needs: nothing is made under it. A gradient may come to be wanted later. */
enum status odeint_ready(struct odeint *op)
{
    unsigned works = field_works(op);
    if ((works & ~op->works) == 0) return STATUS_OK;
    if (op->tiled || !op->works) {
        tiled_free(op->tiled);
        op->tiled = NULL;
        if (!op->by_times || op->options.per_sample)
            TRY(tiled_new(&op->tiled, op->field, &op->options, &op->layout, works, event_works(op)));
    }
    if (!op->tiled) {
        TRY(field_prepare(op->field, works));
        if (op->options.events) TRY(events_prepare(op->options.events, event_works(op)));
        memory_free(op->own_thetabar);
        op->own_thetabar = memory_alloc((size_t)op->field->n_theta * dtype_size(op->field->dtype));
        if (!op->own_thetabar) return memory_status();
    }
    op->works = works;
    return STATUS_OK;
}

int odeint_note_addresses(struct odeint *op, const struct array *theta, int n)
{
    int moved = 0;
    for (int i = 0; i < n; i++) {
        moved |= op->addresses[i] != theta[i].data;
        op->addresses[i] = theta[i].data;
    }
    return moved;
}

/* The states in float64, and where the solve ended, or each sample of it. */
static void give_end(const struct odeint *op, const struct call *c)
{
    double *out = c->out.data;
    int64_t ends = odeint_ends(op), n = array_numel(&c->out) - ends;
    const struct solve_stats *each = op->tiled ? tiled_counts(op->tiled) : &op->stats;
    for (int64_t i = 0; i < n; i++)
        out[i] = op->field->dtype == FLOAT32 ? (double)((const float *)op->states)[i]
                                             : ((const double *)op->states)[i];
    for (int64_t i = 0; i < ends; i++) out[n + i] = each[i].reached > 1 ? each[i].t_end : NAN;
}

enum status odeint_run(struct odeint *op, const void *const *parameters, const void *y0, const double *times,
                       int64_t n_times, void *states)
{
    enum gradient_kind kind = op->options.gradient;
    int keep = op->recording && kind != GRADIENT_ADJOINT && kind != GRADIENT_FORWARD;
    if (op->tiled)
        return tiled_solve(op->tiled, &op->options, parameters, y0, times, n_times, states, keep, &op->stats);
    TRY(field_bind(op->field, parameters));
    if (op->options.events) TRY(events_bind(op->options.events, parameters, 0));
    return solve(&op->solver, op->field, &op->options, &op->layout, y0, times, n_times, states,
                 keep ? &op->record : NULL, &op->stats);
}

static enum status run_solve(struct call *c)
{
    struct odeint *op = (struct odeint *)c->attrs->object;
    const double *times = c->in[1].data;
    int64_t n_times = c->in[1].shape[0];
    TRY(op->options.ends_at_event ? times_check_open(times) : times_check(times, n_times));
    odeint_note_addresses(op, c->in + 2, c->n_in - 2);
    int ends = op->options.ends_at_event;
    TRY(odeint_run(op, op->addresses, c->in[0].data, times, n_times, ends ? op->states : c->out.data));
    if (ends) give_end(op, c);
    return STATUS_OK;
}

static enum status solve_prepare(struct custom *self, struct call *c)
{
    struct odeint *op = (struct odeint *)self;
    if (!op->addresses && !(op->addresses = memory_alloc((size_t)c->n_in * sizeof *op->addresses)))
        return memory_status();
    if (op->options.ends_at_event) {
        memory_free(op->states);
        if (!(op->states = memory_alloc(array_bytes(&c->out)))) return memory_status();
    }
    TRY(odeint_ready(op));
    c->run = run_solve;
    return STATUS_OK;
}

static void solve_vjp(struct custom *self, struct vjp *v)
{
    int64_t at = 0;
    int flat = odeint_emit_gradient(v->tape, (struct odeint *)self, v->need, v->y, v->ybar, v->in, v->n_in);
    for (int i = 0; i < v->n_in; i++)
        if (i != 1) v->xbar[i] = odeint_emit_part(v->tape, flat, &at, v->in[i], v->need[i]);
    if (v->need[1]) v->xbar[1] = odeint_emit_part(v->tape, flat, &at, v->in[1], 1);
}

static void solve_free(struct object *self)
{
    struct odeint *op = (struct odeint *)self;
    tiled_free(op->tiled);
    field_free(op->field);
    events_free(op->options.events);
    solver_release(&op->solver);
    record_free(&op->record);
    object_release(op->options.keep);
    void *blocks[] = {op->times_bar,    op->states_bar, op->event_theta,
                      op->own_thetabar, op->addresses,  op->states,
                      op->stops,        op->start,      op};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) memory_free(blocks[i]);
}

/* ---- making ---- */

enum status odeint_new(struct odeint **out, struct field *field, const struct solve_options *o,
                       const struct state_layout *layout)
{
    struct odeint *op = memory_zalloc(1, sizeof *op);
    struct stop *stops = memory_zalloc((size_t)o->n_stops, sizeof *stops);
    const struct multistep *multistep = &o->method.multistep;
    size_t given =
        multistep->start ? (size_t)multistep->past * (size_t)field->n * dtype_size(field->dtype) : 0;
    char *start = memory_zalloc(1, given);
    if (!op || !stops || !start) {
        void *blocks[] = {op, stops, start};
        for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) memory_free(blocks[i]);
        field_free(field);
        return memory_status();
    }
    if (o->n_stops > 0) memcpy(stops, o->stops, (size_t)o->n_stops * sizeof *stops);
    if (given > 0) memcpy(start, multistep->start, given);
    op->custom = (struct custom){{1, solve_free}, "odeint", solve_infer, solve_prepare, solve_vjp, NULL};
    op->field = field;
    op->options = *o;
    op->options.stops = op->stops = stops;
    op->start = start;
    if (multistep->start) op->options.method.multistep.start = start;
    op->options.keep = object_retain(o->keep);
    op->layout = *layout;
    *out = op;
    return STATUS_OK;
}

int odeint_emit_node(struct tape *t, struct custom *object, int a, int b, const int *rest, int n)
{
    int *in = memory_alloc((size_t)(n + 2) * sizeof *in);
    if (!in) return tape_fail(t, memory_status());
    in[0] = a;
    in[1] = b;
    if (n > 0) memcpy(in + 2, rest, (size_t)n * sizeof *in);
    int node = tape_emit(t, OP_CUSTOM, &(struct attrs){.n = 0, .object = &object->base}, in, n + 2);
    memory_free(in);
    return node;
}

int odeint_emit(struct tape *t, struct odeint *op, int y0, int times, const int *theta, int n_theta)
{
    return odeint_emit_node(t, &op->custom, y0, times, theta, n_theta);
}

/* ---- reading ---- */

struct odeint *odeint_of(struct object *o, int *backward)
{
    struct custom *custom = (struct custom *)o;
    struct odeint *op = custom ? odeint_of_gradient(custom) : NULL;
    *backward = op != NULL;
    return op || !custom || custom->infer != solve_infer ? op : (struct odeint *)custom;
}

enum status odeint_explain(struct odeint *op, struct odeint_plan *out)
{
    TRY(odeint_ready(op));
    *out = (struct odeint_plan){.options = &op->options,
                                .field = op->field,
                                .n_tiles = 1,
                                .batch = op->field->batch,
                                .gradient = op->recording && op->options.gradient != GRADIENT_FORWARD};
    if (op->tiled) {
        out->field = tiled_field(op->tiled);
        out->n_tiles = tiled_cut(op->tiled)->n;
        out->rows = tiled_cut(op->tiled)->rows;
        out->abreast = tiled_abreast(op->tiled, &out->returns);
    }
    return field_explain(op->field, FIELD_EVAL, &out->recorded);
}

struct solve_stats odeint_program_stats(const struct program *p)
{
    struct solve_stats sum = {0};
    for (int i = 0; i < program_n_calls(p); i++) {
        const int *in;
        int written, over, backward = 0;
        const struct call *c = program_call(p, i, &in, &written, &over);
        const struct odeint *op =
            c->op == &op_table[OP_CUSTOM] ? odeint_of(c->attrs->object, &backward) : NULL;
        if (!op || backward) continue; /* the solve knows of its gradient */
        sum.nfe += op->stats.nfe;
        sum.steps += op->stats.steps;
        sum.accepted += op->stats.accepted;
        sum.rejected += op->stats.rejected;
        sum.nfe_backward += op->stats.nfe_backward;
        if (op->stats.has_reconstruction && !(op->stats.reconstruction <= sum.reconstruction))
            sum.reconstruction = op->stats.reconstruction;
        sum.has_reconstruction |= op->stats.has_reconstruction;
        sum.made_again |= op->stats.made_again;
        sum.has_defect |= op->stats.has_defect;
        sum.defect += op->stats.has_defect ? op->stats.defect : 0;
    }
    return sum;
}
