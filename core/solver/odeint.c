#include "solver/odeint.h"

#include <stddef.h>
#include <string.h>

#include "autodiff/vjp.h"
#include "base/memory.h"
#include "solver/gradient.h"
#include "solver/tiled.h"
#include "solver/times.h"

struct odeint {
    struct custom solve; /* the object of the forward node */
    struct custom vjp;   /* the object of the gradient node; its life is this object's */
    struct tape *tape;
    int dy;
    struct solve_options options;
    struct state_layout layout;
    int recording; /* someone wants the gradient */
    struct tiled *tiled; /* where the batch is solved tile by tile; the rest of this is then not used */
    int tiles_chosen;
    struct field *field;
    struct solver solver;
    struct solve_record record;
    struct solve_stats stats;
    char *own_thetabar; /* gradients of the field's own parameters */
    const void **addresses; /* of the parameters */
    char *states; /* of adjoint_with_record */
    struct stop *stops; /* the options' own */
};

static struct solve_stats totals;

struct solve_stats odeint_totals(void) { return totals; }

void odeint_count(const struct solve_stats *stats)
{
    totals.nfe += stats->nfe;
    totals.steps += stats->steps;
    totals.accepted += stats->accepted;
    totals.rejected += stats->rejected;
    totals.nfe_backward += stats->nfe_backward;
}

static struct odeint *from_vjp(struct custom *vjp) { return (struct odeint *)((char *)vjp - offsetof(struct odeint, vjp)); }

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
    tape_release(op->tape);
    memory_free(op);
}

/* The gradient node's object is part of the solve's: when the last gradient node goes, it gives back the reference it holds on the whole. */
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

static enum status ensure_field(struct odeint *op)
{
    int64_t batch = op->layout.n_parts == 1 ? op->layout.batch : 0;
    if (!op->tiles_chosen) TRY(tiled_new(&op->tiled, op->tape, op->dy, batch, &op->options));
    op->tiles_chosen = 1;
    return op->tiled || op->field ? STATUS_OK : field_from_tape(&op->field, op->tape, op->dy, batch);
}

static enum status set_parameters(struct odeint *op, const void *const *addresses)
{
    TRY(ensure_field(op));
    return op->tiled ? tiled_set_parameters(op->tiled, addresses) : field_set_parameters(op->field, addresses);
}

static enum status bind_parameters(struct odeint *op, const struct array *theta, int n)
{
    if (!op->addresses && !(op->addresses = memory_alloc((size_t)(n + 1) * sizeof *op->addresses))) return memory_status();
    for (int i = 0; i < n; i++) op->addresses[i] = theta[i].data;
    return set_parameters(op, op->addresses);
}

static enum status run_solve(struct call *c)
{
    struct odeint *op = (struct odeint *)c->attrs->object;
    TRY(bind_parameters(op, c->in + 2, c->n_in - 2));
    int keep = op->recording && op->options.gradient != GRADIENT_ADJOINT;
    const double *times = c->in[1].data;
    int64_t n_times = c->in[1].shape[0];
    TRY(times_check(times, n_times));
    enum status status = op->tiled ? tiled_solve(op->tiled, &op->options, c->in[0].data, times, n_times, c->out.data, keep, &op->stats)
                                   : solve(&op->solver, op->field, &op->options, &op->layout, c->in[0].data, times, n_times, c->out.data,
                                           keep ? &op->record : NULL, &op->stats);
    odeint_count(&op->stats);
    return status;
}

static enum status solve_prepare(struct custom *self, struct call *c)
{
    (void)self;
    c->run = run_solve;
    return STATUS_OK;
}

/* Slices of the flat gradient node: y0bar, then each float parameter, in its shape. */
static void unpack(struct vjp *v, int flat, int first_input)
{
    int64_t at = 0;
    for (int i = first_input; i < v->n_in; i++) {
        if (i == first_input + 1) continue; /* times */
        struct array spec = *tape_spec(v->tape, v->in[i]);
        if (!dtype_is_float(spec.dtype)) continue;
        int64_t n = array_numel(&spec);
        if (v->need[i]) v->xbar[i] = emit_reshape(v->tape, emit_slice_flat(v->tape, flat, at, n), spec.rank, spec.shape);
        at += n;
    }
}

static int refuse_time_gradient(struct vjp *v, int times)
{
    if (!v->need[times]) return 0;
    if (v->tape->status == STATUS_OK) {
        v->tape->status = status_set(STATUS_UNSUPPORTED, "odeint has no derivative with respect to its times; wrap them in tide.stop_gradient, or "
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

static int emit_vjp(struct tape *t, struct odeint *op, int states, int statesbar, const int *inputs, int n_inputs)
{
    int *in = memory_alloc((size_t)(n_inputs + 2) * sizeof *in);
    if (!in) return out_of_memory(t);
    in[0] = states;
    in[1] = statesbar;
    memcpy(in + 2, inputs, (size_t)n_inputs * sizeof *in);
    op->recording = 1;
    if (op->vjp.base.refs == 0) object_retain(&op->solve.base); /* for the nodes that will hold the vjp object */
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

/* Where y cannot be reconstructed backwards, the flow contracts and the plain adjoint would be wrong: solve forwards once more, keeping the
 * steps this time, and take y from them. */
static enum status adjoint_with_record(struct odeint *op, const struct call *c, char *y0bar, char *thetabar)
{
    struct solve_stats forward, backward = {0};
    struct solve_options o = op->options; /* a decade tighter, because the gradient of such a flow is sensitive to y */
    o.rtol /= 10;
    o.atol /= 10;
    o.adjoint_rtol /= 10;
    o.adjoint_atol /= 10;
    const double *times = c->in[3].data;
    int64_t n_times = c->in[3].shape[0];
    if (!op->states && !(op->states = memory_alloc(array_bytes(&c->in[0])))) return memory_status();
    enum status status = solve(&op->solver, op->field, &o, &op->layout, c->in[2].data, times, n_times, op->states, &op->record, &forward);
    if (status == STATUS_OK)
        status = gradient_adjoint(&op->solver, op->field, &o, &op->layout, &op->record, times, n_times, op->states, c->in[1].data, y0bar, thetabar, &backward);
    op->stats.nfe_backward += forward.nfe + backward.nfe_backward;
    return status;
}

/* The gradient by the field's own parameters, then by those that were given. */
static enum status gradient(struct odeint *op, const struct call *c, char *y0bar, char *thetabar)
{
    const double *times = c->in[3].data;
    int64_t n_times = c->in[3].shape[0];
    enum gradient_kind kind = op->options.gradient;
    int adjoint = kind == GRADIENT_ADJOINT || kind == GRADIENT_INTERPOLATED;
    if (op->tiled) return tiled_gradient(op->tiled, &op->options, c->in[1].data, n_times, y0bar, thetabar, &op->stats);
    if (!op->own_thetabar && !(op->own_thetabar = memory_alloc((size_t)op->field->n_theta * dtype_size(op->field->dtype)))) return memory_status();
    enum status status =
        adjoint ? gradient_adjoint(&op->solver, op->field, &op->options, &op->layout, kind == GRADIENT_ADJOINT ? NULL : &op->record, times, n_times,
                                   c->in[0].data, c->in[1].data, y0bar, op->own_thetabar, &op->stats)
                : gradient_direct(&op->solver, op->field, &op->options, &op->record, c->in[1].data, n_times, y0bar, op->own_thetabar, &op->stats);
    if (status == STATUS_NUMERIC && kind == GRADIENT_ADJOINT) status = adjoint_with_record(op, c, y0bar, op->own_thetabar);
    return status == STATUS_OK ? field_theta_gradient(op->field, op->own_thetabar, thetabar) : status;
}

static enum status run_vjp(struct call *c)
{
    struct odeint *op = from_vjp((struct custom *)c->attrs->object);
    TRY(bind_parameters(op, c->in + 4, c->n_in - 4));
    char *y0bar = c->out.data;
    op->stats.nfe_backward = 0;
    enum status status = gradient(op, c, y0bar, y0bar + array_bytes(&c->in[2]));
    totals.nfe_backward += op->stats.nfe_backward;
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
 * With G(y0, theta, sbar) = J^T sbar and a cotangent u = (u_y, u_theta) of G, <u, G> = <J u, sbar>. J u is the solution v of the tangent
 * equation v' = f_y v + f_theta u_theta, v(t0) = u_y. So the derivative with respect to sbar is v at the times, and that with respect to
 * (y0, theta) is the vjp of the tangent solve with cotangent (0, sbar). */

/* Tape of the field (y, v) -> (f, f_y v + f_theta u): inputs t, the flat pair, theta..., then u for each float theta. */
static enum status tangent_tape(const struct odeint *op, struct tape **out, int *dy)
{
    const struct tape *src = op->tape;
    struct tape *t;
    int n_theta = src->n_inputs - 2, count = 0, f, fdot;
    struct array y = *tape_spec(src, src->inputs[1]);
    int *nodes = memory_alloc((size_t)(3 * src->n_inputs + 3) * sizeof *nodes);
    if (!nodes) return memory_status();
    int *inputs = nodes, *x = inputs + src->n_inputs, *v = x + src->n_inputs + 1;
    enum status status = tape_new(&t, NULL);
    if (status != STATUS_OK) {
        memory_free(nodes);
        return status;
    }
    inputs[0] = tape_input(t, tape_spec(src, src->inputs[0])->dtype, 0, NULL);
    int pair = tape_input(t, y.dtype, 1, (int64_t[]){2 * y.shape[0]});
    for (int i = 0; i < n_theta; i++) {
        const struct array *spec = tape_spec(src, src->inputs[2 + i]);
        inputs[2 + i] = tape_input(t, spec->dtype, spec->rank, spec->shape);
    }
    inputs[1] = emit1(t, OP_ALIAS, emit_slice_flat(t, pair, 0, y.shape[0]));
    x[count] = inputs[1];
    v[count++] = emit_slice_flat(t, pair, y.shape[0], y.shape[0]);
    for (int i = 0; i < n_theta; i++) {
        const struct array *spec = tape_spec(src, src->inputs[2 + i]);
        if (!dtype_is_float(spec->dtype)) continue;
        x[count] = inputs[2 + i];
        v[count++] = tape_input(t, spec->dtype, spec->rank, spec->shape);
    }
    f = tape_inline(t, src, inputs, op->dy);
    status = f < 0 && t->status == STATUS_OK ? memory_status() : tape_status(t);
    if (status == STATUS_OK) status = tape_jvp(t, &f, 1, x, v, count, &fdot);
    if (status == STATUS_OK) {
        *dy = tape_emit(t, OP_CAT, &(struct attrs){.n = 1, .v = {0}}, (int[]){f, fdot}, 2);
        status = tape_status(t);
    }
    memory_free(nodes);
    if (status == STATUS_OK) *out = t;
    else tape_release(t);
    return status;
}

static enum status tangent_odeint(const struct odeint *op, struct odeint **out)
{
    struct tape *t = NULL;
    int dy = -1;
    struct state_layout layout = op->layout;
    if (layout.n_parts >= MAX_PARTS)
        return status_set(STATUS_UNSUPPORTED, "odeint: too many state tensors (%d) for a second derivative", MAX_PARTS);
    TRY(tangent_tape(op, &t, &dy));
    layout.size[layout.n_parts++] = tape_spec(op->tape, op->tape->inputs[1])->shape[0];
    enum status status = odeint_new(out, t, dy, &op->options, &layout);
    tape_release(t);
    return status;
}

/* From pairs at each time, flat T x 2n, the halves: `second` picks v. */
static int half_of_pairs(struct tape *t, int pairs, int64_t times, int64_t n, int second)
{
    int matrix = emit_reshape(t, pairs, 2, (int64_t[]){times, 2 * n});
    int half = tape_emit(t, OP_SLICE, &(struct attrs){.n = 6, .v = {0, 1, times, second ? n : 0, 1, n}}, &matrix, 1);
    return emit_reshape(t, half, 1, (int64_t[]){times * n});
}

static int pairs_of_halves(struct tape *t, int first, int second, int64_t times, int64_t n)
{
    int a = emit_reshape(t, first, 2, (int64_t[]){times, n}), b = emit_reshape(t, second, 2, (int64_t[]){times, n});
    return emit_reshape(t, tape_emit(t, OP_CAT, &(struct attrs){.n = 1, .v = {1}}, (int[]){a, b}, 2), 1, (int64_t[]){times * 2 * n});
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
    int n_theta = v->n_in - 4, n_inputs = 2, *inputs = memory_alloc((size_t)(2 + 2 * n_theta) * sizeof *inputs);
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
        int64_t length = array_numel(&spec);
        inputs[n_inputs++] = emit_reshape(t, emit_slice_flat(t, v->ybar, at, length), spec.rank, spec.shape);
        at += length;
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
        int64_t length = array_numel(&spec);
        if (v->need[4 + i]) v->xbar[4 + i] = emit_reshape(t, emit_slice_flat(t, flat, at, length), spec.rank, spec.shape);
        at += length;
    }
done:
    memory_free(inputs);
    object_release(odeint_object(tangent));
}

/* ---- making ---- */

enum status odeint_new(struct odeint **out, struct tape *tape, int dy, const struct solve_options *o, const struct state_layout *layout)
{
    struct odeint *op = memory_zalloc(1, sizeof *op);
    if (!op) return memory_status();
    if (!(op->stops = memory_zalloc((size_t)o->n_stops, sizeof *op->stops))) {
        memory_free(op);
        return memory_status();
    }
    if (o->n_stops > 0) memcpy(op->stops, o->stops, (size_t)o->n_stops * sizeof *op->stops);
    op->solve = (struct custom){{1, odeint_free}, "odeint", solve_infer, solve_prepare, solve_vjp};
    op->vjp = (struct custom){{0, vjp_free}, "odeint_vjp", vjp_infer, vjp_prepare, vjp_vjp};
    op->tape = tape_retain(tape);
    tape_release(tape->parent); /* the recording that this solve will be a node of: with it the solve would own itself */
    tape->parent = NULL;
    op->dy = dy;
    op->options = *o;
    op->options.stops = op->stops;
    op->layout = *layout;
    *out = op;
    return STATUS_OK;
}

struct odeint *odeint_of(struct object *o, int *backward)
{
    struct custom *custom = (struct custom *)o;
    *backward = custom && custom->infer == vjp_infer;
    return *backward ? from_vjp(custom) : custom && custom->infer == solve_infer ? (struct odeint *)custom : NULL;
}

enum status odeint_explain(struct odeint *op, struct odeint_plan *out)
{
    TRY(ensure_field(op));
    *out = (struct odeint_plan){.tape = op->tape, .dy = op->dy, .options = &op->options, .field = op->field, .n_tiles = 1,
                                .batch = op->layout.n_parts == 1 ? op->layout.batch : 0, .gradient = op->recording};
    if (op->tiled) out->field = tiled_field(op->tiled, &out->n_tiles, &out->rows);
    return STATUS_OK;
}

int odeint_emit(struct tape *t, struct odeint *op, int y0, int times, const int *theta, int n_theta)
{
    int few[34], *in = n_theta <= 32 ? few : memory_alloc((size_t)(n_theta + 2) * sizeof *in);
    if (!in) return out_of_memory(t);
    in[0] = y0;
    in[1] = times;
    if (n_theta > 0) memcpy(in + 2, theta, (size_t)n_theta * sizeof *in);
    int node = tape_emit(t, OP_CUSTOM, &(struct attrs){.n = 0, .object = &op->solve.base}, in, n_theta + 2);
    if (in != few) memory_free(in);
    return node;
}
