#include "solver/odeint.h"

#include <stddef.h>
#include <string.h>

#include "autodiff/program.h"
#include "autodiff/vjp.h"
#include "base/memory.h"
#include "solver/family.h"
#include "solver/gradient.h"
#include "solver/linear.h"
#include "solver/tiled.h"
#include "solver/times.h"

#define FEW_INPUTS 34 /* of a solve, for which no memory is asked */

struct odeint {
    struct custom solve; /* the object of the forward node */
    struct custom vjp;   /* the object of the gradient node; its life is this object's */
    struct field *field;
    struct solve_options options;
    struct state_layout layout;
    int recording;       /* someone wants the gradient */
    unsigned works;      /* that field or tiles are ready for */
    struct tiled *tiled; /* where the batch is solved tile by tile; the field itself is then not made ready */
    struct solver solver;
    struct solve_record record;
    struct solve_stats stats;
    char *own_thetabar;     /* gradients of the field's own parameters */
    const void **addresses; /* of the parameters */
    struct stop *stops;     /* the options' own */
    char *states;           /* of adjoint_with_record */
};

static struct odeint *from_vjp(struct custom *vjp)
{
    return (struct odeint *)((char *)vjp - offsetof(struct odeint, vjp));
}

static void odeint_free(struct object *self)
{
    struct odeint *op = (struct odeint *)self;
    tiled_free(op->tiled);
    field_free(op->field);
    solver_release(&op->solver);
    record_free(&op->record);
    memory_free(op->own_thetabar);
    memory_free(op->addresses);
    memory_free(op->states);
    memory_free(op->stops);
    memory_free(op);
}

/* The gradient node's object is part of the solve's: when the last gradient node goes, it gives back the
 * reference it holds on the whole. */
static void vjp_free(struct object *self)
{
    struct odeint *op = from_vjp((struct custom *)self);
    object_release(&op->solve.base);
}

const struct solve_stats *odeint_stats(const struct odeint *op) { return &op->stats; }
struct object *odeint_object(struct odeint *op) { return &op->solve.base; }

/* ---- forward: inputs y0, times, theta... ---- */

static enum status solve_infer(struct custom *self, struct call *c)
{
    (void)self;
    return array_init(&c->out, c->in[0].dtype, 1, (int64_t[]){c->in[1].shape[0] * c->in[0].shape[0]});
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
    };
    unsigned implicit = op->options.method.family->implicit ? FIELD_MASK(linear_work(op->field)) : 0;
    return FIELD_MASK(FIELD_EVAL) | implicit | (op->recording ? backward[op->options.gradient] : 0);
}

/* Everything that a run needs: nothing is made under it. A gradient may come to be wanted later. */
static enum status make_ready(struct odeint *op)
{
    unsigned works = field_works(op);
    if ((works & ~op->works) == 0) return STATUS_OK;
    if (op->tiled || !op->works) {
        tiled_free(op->tiled);
        op->tiled = NULL;
        TRY(tiled_new(&op->tiled, op->field, &op->options, works));
    }
    if (!op->tiled) {
        TRY(field_prepare(op->field, works));
        if (!op->own_thetabar &&
            !(op->own_thetabar = memory_alloc((size_t)op->field->n_theta * dtype_size(op->field->dtype))))
            return memory_status();
    }
    op->works = works;
    return STATUS_OK;
}

/* Note where the parameters are. Returns whether they were elsewhere. */
static int note_addresses(struct odeint *op, const struct array *theta, int n)
{
    int moved = 0;
    for (int i = 0; i < n; i++) {
        moved |= op->addresses[i] != theta[i].data;
        op->addresses[i] = theta[i].data;
    }
    return moved;
}

static enum status run_solve(struct call *c)
{
    struct odeint *op = (struct odeint *)c->attrs->object;
    int keep = op->recording && op->options.gradient != GRADIENT_ADJOINT;
    const double *times = c->in[1].data;
    int64_t n_times = c->in[1].shape[0];
    TRY(times_check(times, n_times));
    note_addresses(op, c->in + 2, c->n_in - 2);
    if (op->tiled)
        return tiled_solve(op->tiled, &op->options, op->addresses, c->in[0].data, times, n_times, c->out.data,
                           keep, &op->stats);
    TRY(field_bind(op->field, op->addresses));
    return solve(&op->solver, op->field, &op->options, &op->layout, c->in[0].data, times, n_times,
                 c->out.data, keep ? &op->record : NULL, &op->stats);
}

static enum status solve_prepare(struct custom *self, struct call *c)
{
    struct odeint *op = (struct odeint *)self;
    if (!op->addresses && !(op->addresses = memory_alloc((size_t)c->n_in * sizeof *op->addresses)))
        return memory_status();
    TRY(make_ready(op));
    c->run = run_solve;
    return STATUS_OK;
}

/* The part of a flat node (in the state's dtype) that belongs to a parameter of the given shape and dtype. */
static int part_of(struct tape *t, int flat, int64_t at, const struct array *spec)
{
    return emit_cast(
        t, emit_reshape(t, emit_slice_flat(t, flat, at, array_numel(spec)), spec->rank, spec->shape),
        spec->dtype);
}

/* Slices of the flat gradient node: y0bar, then each float parameter, in its shape. */
static void unpack(struct vjp *v, int flat, int first_input)
{
    int64_t at = 0;
    for (int i = first_input; i < v->n_in; i++) {
        if (i == first_input + 1) continue; /* times */
        struct array spec = *tape_spec(v->tape, v->in[i]);
        if (!dtype_is_float(spec.dtype)) continue;
        if (v->need[i]) v->xbar[i] = part_of(v->tape, flat, at, &spec);
        at += array_numel(&spec);
    }
}

static int refuse_time_gradient(struct vjp *v, int times)
{
    if (!v->need[times]) return 0;
    if (v->tape->status == STATUS_OK) {
        v->tape->status = status_set(
            STATUS_UNSUPPORTED,
            "odeint has no derivative with respect to its times; wrap them in tide.stop_gradient, or "
            "rescale time so that the span is fixed");
        v->tape->message = memory_strdup(status_message());
    }
    return 1;
}

/* A rule that emits nothing means a derivative of zero, so a failure has to be noted on the tape. */
static int out_of_memory(struct tape *t)
{
    if (t->status == STATUS_OK) t->status = memory_status();
    return -1;
}

static int emit_vjp(struct tape *t, struct odeint *op, int states, int statesbar, const int *inputs,
                    int n_inputs)
{
    int *in = memory_alloc((size_t)(n_inputs + 2) * sizeof *in);
    if (!in) return out_of_memory(t);
    in[0] = states;
    in[1] = statesbar;
    memcpy(in + 2, inputs, (size_t)n_inputs * sizeof *in);
    op->recording = 1;
    if (op->vjp.base.refs == 0)
        object_retain(&op->solve.base); /* for the nodes that will hold the vjp object */
    op->vjp.base.refs++;
    int node = tape_emit(t, OP_CUSTOM, &(struct attrs){.n = 0, .object = &op->vjp.base}, in, n_inputs + 2);
    object_release(&op->vjp.base);
    memory_free(in);
    return node;
}

static void solve_vjp(struct custom *self, struct vjp *v)
{
    if (refuse_time_gradient(v, 1)) return;
    unpack(v, emit_vjp(v->tape, (struct odeint *)self, v->y, v->ybar, v->in, v->n_in), 0);
}

/* ---- gradient: inputs states, statesbar, y0, times, theta... ---- */

static enum status vjp_infer(struct custom *self, struct call *c)
{
    (void)self;
    int64_t n = c->in[2].shape[0];
    for (int i = 4; i < c->n_in; i++)
        if (dtype_is_float(c->in[i].dtype)) n += array_numel(&c->in[i]);
    return array_init(&c->out, c->in[0].dtype, 1, &n);
}

/* Where y cannot be reconstructed backwards, the flow contracts and the plain adjoint would be wrong: solve
 * forwards once more, keeping the steps this time, and take y from them. */
static enum status adjoint_with_record(struct odeint *op, const struct call *c, char *y0bar, char *thetabar)
{
    struct solve_stats forward, backward = {0};
    struct solve_options o =
        op->options; /* a decade tighter, because the gradient of such a flow is sensitive to y */
    o.rtol /= 10;
    o.atol /= 10;
    o.adjoint_rtol /= 10;
    o.adjoint_atol /= 10;
    const double *times = c->in[3].data;
    int64_t n_times = c->in[3].shape[0];
    if (!op->states && !(op->states = memory_alloc(array_bytes(&c->in[0])))) return memory_status();
    enum status status = solve(&op->solver, op->field, &o, &op->layout, c->in[2].data, times, n_times,
                               op->states, &op->record, &forward);
    if (status == STATUS_OK)
        status = gradient_adjoint(&op->solver, op->field, &o, &op->layout, &op->record, times, n_times,
                                  op->states, c->in[1].data, y0bar, thetabar, &backward);
    op->stats.nfe_backward += forward.nfe + backward.nfe_backward;
    return status;
}

/* The gradient by the field's own parameters, then by those that were given. */
static enum status gradient(struct odeint *op, const struct call *c, int moved, char *y0bar, char *thetabar)
{
    const double *times = c->in[3].data;
    int64_t n_times = c->in[3].shape[0];
    enum gradient_kind kind = op->options.gradient;
    int adjoint = kind == GRADIENT_ADJOINT || kind == GRADIENT_INTERPOLATED;
    if (op->tiled)
        return tiled_gradient(op->tiled, &op->options, moved ? op->addresses : NULL, c->in[1].data, n_times,
                              y0bar, thetabar, &op->stats);
    if (moved) TRY(field_bind(op->field, op->addresses));
    enum status status =
        adjoint ? gradient_adjoint(&op->solver, op->field, &op->options, &op->layout,
                                   kind == GRADIENT_ADJOINT ? NULL : &op->record, times, n_times,
                                   c->in[0].data, c->in[1].data, y0bar, op->own_thetabar, &op->stats)
                : gradient_direct(&op->solver, op->field, &op->options, &op->record, c->in[1].data, n_times,
                                  y0bar, op->own_thetabar, &op->stats);
    if (status == STATUS_NUMERIC && kind == GRADIENT_ADJOINT)
        status = adjoint_with_record(op, c, y0bar, op->own_thetabar);
    return status == STATUS_OK ? field_theta_gradient(op->field, op->own_thetabar, thetabar) : status;
}

static enum status run_vjp(struct call *c)
{
    struct odeint *op = from_vjp((struct custom *)c->attrs->object);
    char *y0bar = c->out.data;
    op->stats.nfe_backward = 0;
    /* The solve ran just before, with the same parameters. But where they are views it had dense copies of
     * its own, which are gone. */
    int moved = note_addresses(op, c->in + 4, c->n_in - 4);
    enum status status = gradient(op, c, moved, y0bar, y0bar + array_bytes(&c->in[2]));
    if (status == STATUS_NUMERIC) status_failure()->backward = 1;
    return status;
}

static enum status vjp_prepare(struct custom *self, struct call *c)
{
    (void)self;
    c->run = run_vjp;
    return STATUS_OK;
}

/* ---- the derivative of the gradient ----
 *
 * With G(y0, theta, sbar) = J^T sbar and a cotangent u = (u_y, u_theta) of G, <u, G> = <J u, sbar>. J u is
 * the solution v of the tangent equation v' = f_y v + f_theta u_theta, v(t0) = u_y. So the derivative with
 * respect to sbar is v at the times, and that with respect to (y0, theta) is the vjp of the tangent solve
 * with cotangent (0, sbar). */

static enum status tangent_odeint(const struct odeint *op, struct odeint **out)
{
    struct field *tangent;
    struct state_layout layout = op->layout;
    if (layout.n_parts >= MAX_PARTS)
        return status_set(STATUS_UNSUPPORTED, "odeint: too many state tensors (%d) for a second derivative",
                          MAX_PARTS);
    TRY(field_tangent(op->field, &tangent));
    layout.size[layout.n_parts++] = op->field->n;
    return odeint_new(out, tangent, &op->options, &layout);
}

/* From pairs at each time, flat T x 2n, the halves: `second` picks v. */
static int half_of_pairs(struct tape *t, int pairs, int64_t times, int64_t n, int second)
{
    int matrix = emit_reshape(t, pairs, 2, (int64_t[]){times, 2 * n});
    int half =
        tape_emit(t, OP_SLICE, &(struct attrs){.n = 6, .v = {0, 1, times, second ? n : 0, 1, n}}, &matrix, 1);
    return emit_reshape(t, half, 1, (int64_t[]){times * n});
}

static int pairs_of_halves(struct tape *t, int first, int second, int64_t times, int64_t n)
{
    int a = emit_reshape(t, first, 2, (int64_t[]){times, n}),
        b = emit_reshape(t, second, 2, (int64_t[]){times, n});
    return emit_reshape(t, tape_emit(t, OP_CAT, &(struct attrs){.n = 1, .v = {1}}, (int[]){a, b}, 2), 1,
                        (int64_t[]){times * 2 * n});
}

static void vjp_vjp(struct custom *self, struct vjp *v)
{
    struct odeint *op = from_vjp(self), *tangent;
    struct tape *t = v->tape;
    if (refuse_time_gradient(v, 3)) return;
    enum status status = tangent_odeint(op, &tangent);
    if (status != STATUS_OK) {
        t->status = status;
        t->message = memory_strdup(status_message());
        return;
    }
    int64_t n = tape_spec(t, v->in[2])->shape[0], times = tape_spec(t, v->in[3])->shape[0], at = n;
    int n_theta = v->n_in - 4, n_inputs = 2,
        *inputs = memory_alloc((size_t)(2 + 2 * n_theta) * sizeof *inputs);
    int zero = -1;
    if (!inputs) {
        out_of_memory(t);
        goto done;
    }
    int uy = emit_slice_flat(t, v->ybar, 0, n);
    inputs[0] = tape_emit(t, OP_CAT, &(struct attrs){.n = 1, .v = {0}}, (int[]){v->in[2], uy}, 2);
    inputs[1] = v->in[3];
    for (int i = 0; i < n_theta; i++) inputs[n_inputs++] = v->in[4 + i];
    for (int i = 0; i < n_theta; i++) {
        struct array spec = *tape_spec(t, v->in[4 + i]);
        if (!dtype_is_float(spec.dtype)) continue;
        inputs[n_inputs++] = part_of(t, v->ybar, at, &spec);
        at += array_numel(&spec);
    }
    int pairs = odeint_emit(t, tangent, inputs[0], inputs[1], inputs + 2, n_inputs - 2);
    if (v->need[1]) v->xbar[1] = half_of_pairs(t, pairs, times, n, 1);
    zero = emit_broadcast(t, emit_like(t, v->ybar, 0), 1, (int64_t[]){times * n});
    int flat = emit_vjp(t, tangent, pairs, pairs_of_halves(t, zero, v->in[1], times, n), inputs, n_inputs);
    if (v->need[2]) v->xbar[2] = emit_slice_flat(t, flat, 0, n);
    at = 2 * n; /* y0bar of the pair */
    for (int i = 0; i < n_theta; i++) {
        struct array spec = *tape_spec(t, v->in[4 + i]);
        if (!dtype_is_float(spec.dtype)) continue;
        if (v->need[4 + i]) v->xbar[4 + i] = part_of(t, flat, at, &spec);
        at += array_numel(&spec);
    }
done:
    memory_free(inputs);
    object_release(odeint_object(tangent));
}

/* ---- making ---- */

enum status odeint_new(struct odeint **out, struct field *field, const struct solve_options *o,
                       const struct state_layout *layout)
{
    struct odeint *op = memory_zalloc(1, sizeof *op);
    struct stop *stops = memory_zalloc((size_t)o->n_stops, sizeof *stops);
    if (!op || !stops) {
        memory_free(op);
        memory_free(stops);
        field_free(field);
        return memory_status();
    }
    if (o->n_stops > 0) memcpy(stops, o->stops, (size_t)o->n_stops * sizeof *stops);
    op->solve = (struct custom){{1, odeint_free}, "odeint", solve_infer, solve_prepare, solve_vjp, NULL};
    op->vjp = (struct custom){{0, vjp_free}, "odeint_vjp", vjp_infer, vjp_prepare, vjp_vjp, NULL};
    op->field = field;
    op->options = *o;
    op->options.stops = op->stops = stops;
    op->layout = *layout;
    *out = op;
    return STATUS_OK;
}

struct odeint *odeint_of(struct object *o, int *backward)
{
    struct custom *custom = (struct custom *)o;
    *backward = custom && custom->infer == vjp_infer;
    return *backward                                ? from_vjp(custom)
           : custom && custom->infer == solve_infer ? (struct odeint *)custom
                                                    : NULL;
}

enum status odeint_explain(struct odeint *op, struct odeint_plan *out)
{
    TRY(make_ready(op));
    *out = (struct odeint_plan){.options = &op->options,
                                .field = op->field,
                                .n_tiles = 1,
                                .batch = op->field->batch,
                                .gradient = op->recording};
    if (op->tiled) {
        out->field = tiled_field(op->tiled);
        out->n_tiles = tiled_cut(op->tiled)->n;
        out->rows = tiled_cut(op->tiled)->rows;
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
    }
    return sum;
}

int odeint_emit(struct tape *t, struct odeint *op, int y0, int times, const int *theta, int n_theta)
{
    int few[FEW_INPUTS],
        *in = n_theta + 2 <= FEW_INPUTS ? few : memory_alloc((size_t)(n_theta + 2) * sizeof *in);
    if (!in) return out_of_memory(t);
    in[0] = y0;
    in[1] = times;
    if (n_theta > 0) memcpy(in + 2, theta, (size_t)n_theta * sizeof *in);
    int node = tape_emit(t, OP_CUSTOM, &(struct attrs){.n = 0, .object = &op->solve.base}, in, n_theta + 2);
    if (in != few) memory_free(in);
    return node;
}
