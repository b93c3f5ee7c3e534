/* The derivative of a solve's gradient.
 *
 * With G(y0, theta, sbar) = J^T sbar and a cotangent u = (u_y, u_theta) of G, <u, G> = <J u, sbar>. J u is
 * the solution v of the tangent equation v' = f_y v + f_theta u_theta, v(t0) = u_y. So the derivative with
 * respect to sbar is v at the times, and that with respect to (y0, theta) is the vjp of the tangent solve
 * with cotangent (0, sbar).
 *
 * Where times are among what is differentiated by, the solve is taken for the same from 0 to 1 with two more
 * parameters, t0 and t1 (field_rescaled); a grid of equal steps is the same grid there. */
#include <string.h>

#include "base/memory.h"
#include "solver/event.h"
#include "solver/odeint_op.h"

int64_t odeint_pairs(const struct odeint *op)
{
    return op->options.per_sample && op->layout.batch > 0 ? op->layout.batch : 1;
}

/* Does any of them end a solve, or change its state? */
static int events_end(const struct events *e)
{
    int ends = 0;
    for (int i = 0; e && i < e->n; i++) ends |= e->rules[i].terminal > 0;
    return ends;
}
static int events_change(const struct events *e)
{
    int change = 0;
    for (int i = 0; e && i < e->n; i++) change |= e->rules[i].apply != NULL;
    return change;
}

#define FIRST_ONES                                                                                           \
    " has first derivatives only, of pullbacks: tide.grad, tide.vjp, and tide.jacobian by rows; for second " \
    "ones, and for tide.jvp, take differences of gradients and of solves"

static enum status check_events(const struct odeint *op)
{
    if (events_end(op->options.events))
        return status_set(STATUS_UNSUPPORTED, "odeint: a solve with events that end it" FIRST_ONES);
    if (!op->options.adaptive && events_change(op->options.events)) /* jump as the flow does, not the grid */
        return status_set(STATUS_UNSUPPORTED, "odeint: a solve on a fixed grid with events that change its "
                                              "state" FIRST_ONES);
    if (op->options.per_sample && events_change(op->options.events))
        return status_set(STATUS_UNSUPPORTED, "odeint: a solve with per_sample = true and events that change "
                                              "its state" FIRST_ONES);
    return STATUS_OK;
}

/* The same events of pairs of y and v. Those that are noted alone change nothing. */
static enum status make_events(const struct odeint *op, struct events *to)
{
    const struct events *e = op->options.events;
    TRY(field_of_pairs(op->field, e->g, &to->g));
    for (int i = 0; i < e->n; i++) {
        to->rules[i].direction = e->rules[i].direction;
        memcpy(to->rules[i].name, e->rules[i].name, sizeof to->rules[i].name);
        if (e->rules[i].apply)
            TRY(field_tangent_jump(op->field, e->g, i, e->rules[i].apply, &to->rules[i].apply));
    }
    return STATUS_OK;
}

static enum status tangent_events(const struct odeint *op, struct events **out)
{
    *out = NULL;
    if (!events_change(op->options.events)) return STATUS_OK;
    TRY(events_new(out, op->options.events->n));
    enum status status = make_events(op, *out);
    if (status == STATUS_OK) return STATUS_OK;
    events_free(*out);
    *out = NULL;
    return status;
}

enum status odeint_tangent(const struct odeint *op, struct odeint **out)
{
    struct field *tangent;
    struct state_layout layout = op->layout;
    struct solve_options options = op->options;
    if (options.own_jacobian) options.jacobian = LINEAR_AUTO; /* it is of another state */
    options.own_jacobian = NULL;
    options.defect = 0; /* what goes back through the tangent's solve is no cotangent of a loss */
    if (layout.n_parts >= MAX_PARTS)
        return status_set(STATUS_UNSUPPORTED, "odeint: too many state tensors (%d) for a second derivative",
                          MAX_PARTS);
    TRY(check_events(op));
    TRY(field_tangent(op->field, odeint_pairs(op), &tangent));
    enum status status = tangent_events(op, &options.events);
    if (status != STATUS_OK) {
        field_free(tangent);
        return status;
    }
    layout.size[layout.n_parts++] = op->field->n;
    status = odeint_new(out, tangent, &options, &layout);
    if (status != STATUS_OK) events_free(options.events);
    return status;
}

/* Halves number `which` of `rows` pairs of n numbers each. */
static int halves(struct tape *t, int pairs, int which, int64_t rows, int64_t n)
{
    int matrix = emit_reshape(t, pairs, 2, (int64_t[]){rows, 2 * n});
    int half =
        tape_emit(t, OP_SLICE, &(struct attrs){.n = 6, .v = {0, 1, rows, which * n, 1, n}}, &matrix, 1);
    return emit_reshape(t, half, 1, (int64_t[]){rows * n});
}

static int pairs_of_halves(struct tape *t, int first, int second, int64_t rows, int64_t n)
{
    int a = emit_reshape(t, first, 2, (int64_t[]){rows, n}),
        b = emit_reshape(t, second, 2, (int64_t[]){rows, n});
    return emit_reshape(t, tape_emit(t, OP_CAT, &(struct attrs){.n = 1, .v = {1}}, (int[]){a, b}, 2), 1,
                        (int64_t[]){rows * 2 * n});
}

/* What a gradient is differentiated by. */
struct second {
    struct vjp *v;
    struct odeint *tangent;
    int64_t samples, n, n_times;
    int by_times; /* t0 and t1 are parameters in front of theta */
    int *inputs;
    char *wanted;
};

/* Number i of the times as a scalar. */
static int time_at(struct tape *t, int times, int64_t i)
{
    return emit_reshape(t, emit_slice_flat(t, times, i, 1), 0, (int64_t[]){1});
}

static int zero_and_one(struct tape *t)
{
    int in[2];
    for (int i = 0; i < 2; i++) in[i] = emit_reshape(t, tape_literal(t, FLOAT64, i), 1, (int64_t[]){1});
    return tape_emit(t, OP_CAT, &(struct attrs){.n = 1, .v = {0}}, in, 2);
}

/* What the tangent's solve takes: (y0, u_y), the times, theta..., u of each float theta. */
static int tangent_inputs(const struct second *d)
{
    struct vjp *v = d->v;
    struct tape *t = v->tape;
    int count = 2, uy = emit_slice_flat(t, v->ybar, 0, d->n), times = v->in[3], *inputs = d->inputs;
    int64_t at = d->n, samples = d->samples;
    inputs[0] = samples == 1
                    ? tape_emit(t, OP_CAT, &(struct attrs){.n = 1, .v = {0}}, (int[]){v->in[2], uy}, 2)
                    : pairs_of_halves(t, v->in[2], uy, samples, d->n / samples);
    inputs[1] = d->by_times ? zero_and_one(t) : times;
    for (int i = 0; i < 2 && d->by_times; i++) inputs[count++] = time_at(t, times, i);
    for (int i = 4; i < v->n_in; i++) inputs[count++] = v->in[i];
    int first = count;
    for (int i = 4; i < v->n_in; i++)
        if (dtype_is_float(tape_spec(t, v->in[i])->dtype)) count++;
    int *u = inputs + first + 2 * d->by_times;
    for (int i = 4; i < v->n_in; i++)
        if (dtype_is_float(tape_spec(t, v->in[i])->dtype))
            *u++ = odeint_emit_part(t, v->ybar, &at, v->in[i], 1);
    int whole = at < tape_spec(t, v->ybar)->shape[0]; /* that of the times stands behind them */
    int ut = whole && d->by_times ? emit_cast(t, emit_slice_flat(t, v->ybar, at, 2), FLOAT64) : -1;
    for (int i = 0; i < 2 && d->by_times; i++)
        inputs[first + i] = whole ? time_at(t, ut, i) : tape_literal(t, FLOAT64, 0);
    return count + 2 * d->by_times;
}

/* Gradients by the parameters, which stand in `flat` behind that of the pair. */
static void give_parts(const struct second *d, int flat)
{
    struct vjp *v = d->v;
    struct tape *t = v->tape;
    int64_t at = 2 * d->n;
    int ends[2];
    for (int i = 0; i < 2 && d->by_times; i++)
        ends[i] = emit_reshape(t, odeint_emit_part(t, flat, &at, d->inputs[2 + i], 1), 1, (int64_t[]){1});
    if (d->by_times && v->need[3])
        v->xbar[3] = tape_emit(t, OP_CAT, &(struct attrs){.n = 1, .v = {0}}, ends, 2);
    for (int i = 4; i < v->n_in; i++) v->xbar[i] = odeint_emit_part(t, flat, &at, v->in[i], v->need[i]);
}

static void emit_derivative(const struct second *d)
{
    struct vjp *v = d->v;
    struct tape *t = v->tape;
    int64_t n = d->n, samples = d->samples, rows = d->n_times * samples;
    int n_inputs = tangent_inputs(d), *inputs = d->inputs;
    int pairs = odeint_emit(t, d->tangent, inputs[0], inputs[1], inputs + 2, n_inputs - 2);
    if (v->need[1]) v->xbar[1] = halves(t, pairs, 1, rows, n / samples);
    d->wanted[0] = v->need[2];
    for (int i = 0; i < 2 && d->by_times; i++) d->wanted[2 + i] = v->need[3];
    for (int i = 4; i < v->n_in; i++) d->wanted[i - 2 + 2 * d->by_times] = v->need[i];
    int zero = emit_broadcast(t, emit_like(t, v->in[1], 0), 1, (int64_t[]){d->n_times * n});
    int flat = odeint_emit_gradient(t, d->tangent, d->wanted, pairs,
                                    pairs_of_halves(t, zero, v->in[1], rows, n / samples), inputs, n_inputs);
    if (v->need[2])
        v->xbar[2] = samples == 1 ? emit_slice_flat(t, flat, 0, n)
                                  : halves(t, emit_slice_flat(t, flat, 0, 2 * n), 0, samples, n / samples);
    give_parts(d, flat);
}

/* ---- by times ---- */

/* What hangs on t itself is not the same from 0 to 1. */
static const char *hangs_on_time(const struct solve_options *o)
{
    if (o->step_size > 0) return "step_size";
    if (o->n_stops > 0) return "stops or jumps";
    if (o->first_step > 0) return "first_step";
    if (o->min_step > 0) return "min_step";
    return o->max_step > 0 ? "max_step" : NULL;
}

#define OTHERWISE                                                                                            \
    "; first ones of pullbacks (tide.grad, tide.vjp, tide.jacobian by rows) there are. Wrap the times in "   \
    "tide.stop_gradient, or make them parameters: the solve of (t1 - t0) f(t0 + s (t1 - t0), y) for s from " \
    "0 to 1 has all derivatives"

static enum status check_times(const struct odeint *op, int64_t n)
{
    const char *option = hangs_on_time(&op->options);
    if (n != 2)
        return status_set(STATUS_UNSUPPORTED,
                          "odeint has second derivatives by its times, and tide.jvp, where these are two, "
                          "{t0, t1}, not %lld" OTHERWISE,
                          (long long)n);
    return option ? status_set(STATUS_UNSUPPORTED,
                               "odeint has no second derivatives by its times, and no tide.jvp, with %s, "
                               "which hangs on t" OTHERWISE,
                               option)
                  : STATUS_OK;
}

/* The same solve from 0 to 1. */
static enum status rescaled_tangent(const struct odeint *op, int64_t n_times, struct odeint **out)
{
    struct field *field;
    struct odeint *rescaled;
    struct solve_options options = op->options;
    TRY(check_events(op));
    if (events_change(options.events))
        return status_set(STATUS_UNSUPPORTED,
                          "odeint: by its times a solve with events that change its state" FIRST_ONES);
    TRY(check_times(op, n_times));
    options.events = NULL;
    TRY(field_rescaled(op->field, &field));
    TRY(odeint_new(&rescaled, field, &options, &op->layout));
    enum status status = odeint_tangent(rescaled, out);
    object_release(odeint_object(rescaled));
    return status;
}

void odeint_gradient_vjp(struct custom *self, struct vjp *v)
{
    const struct odeint *op = odeint_of_gradient(self);
    struct second d = {.v = v,
                       .samples = odeint_pairs(op),
                       .n = tape_spec(v->tape, v->in[2])->shape[0],
                       .n_times = tape_spec(v->tape, v->in[3])->shape[0],
                       .by_times = v->need[3] || ((struct odeint_gradient *)self)->by_times};
    enum status status =
        d.by_times ? rescaled_tangent(op, d.n_times, &d.tangent) : odeint_tangent(op, &d.tangent);
    if (status != STATUS_OK) {
        tape_fail(v->tape, status);
        return;
    }
    d.inputs = memory_alloc((size_t)(2 * v->n_in + 4) * sizeof *d.inputs);
    d.wanted = memory_zalloc(2, (size_t)v->n_in + 4);
    if (d.inputs && d.wanted)
        emit_derivative(&d);
    else
        tape_fail(v->tape, memory_status());
    memory_free(d.inputs);
    memory_free(d.wanted);
    object_release(odeint_object(d.tangent));
}
