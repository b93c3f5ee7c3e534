/* The derivative of a solve's gradient.
 *
 * With G(y0, theta, sbar) = J^T sbar and a cotangent u = (u_y, u_theta) of G, <u, G> = <J u, sbar>. J u is
 * the solution v of the tangent equation v' = f_y v + f_theta u_theta, v(t0) = u_y. So the derivative with
 * respect to sbar is v at the times, and that with respect to (y0, theta) is the vjp of the tangent solve
 * with cotangent (0, sbar). */
#include "base/memory.h"
#include "solver/event.h"
#include "solver/odeint_op.h"

int64_t odeint_pairs(const struct odeint *op)
{
    return op->options.per_sample && op->layout.batch > 0 ? op->layout.batch : 1;
}

/* Does any of them end a solve or change its state? */
static int events_cut_steps(const struct events *e)
{
    int cut = 0;
    for (int i = 0; e && i < e->n; i++) cut |= e->rules[i].terminal > 0 || e->rules[i].apply;
    return cut;
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
    if (events_cut_steps(op->options.events))
        return status_set(STATUS_UNSUPPORTED,
                          "odeint: a solve with events that end it or change its state has first derivatives "
                          "only, of pullbacks: tide.grad, tide.vjp, and tide.jacobian by rows; for second "
                          "ones, and for tide.jvp, take differences of gradients and of solves");
    options.events = NULL; /* those that are noted alone */
    TRY(field_tangent(op->field, odeint_pairs(op), &tangent));
    layout.size[layout.n_parts++] = op->field->n;
    return odeint_new(out, tangent, &options, &layout);
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

/* What the tangent's solve takes: (y0, u_y), the times, theta..., u of each float theta. */
static int tangent_inputs(struct vjp *v, int64_t n, int64_t samples, int *inputs)
{
    struct tape *t = v->tape;
    int count = 2, uy = emit_slice_flat(t, v->ybar, 0, n);
    int64_t at = n;
    inputs[0] = samples == 1
                    ? tape_emit(t, OP_CAT, &(struct attrs){.n = 1, .v = {0}}, (int[]){v->in[2], uy}, 2)
                    : pairs_of_halves(t, v->in[2], uy, samples, n / samples);
    inputs[1] = v->in[3];
    for (int i = 4; i < v->n_in; i++) inputs[count++] = v->in[i];
    for (int i = 4; i < v->n_in; i++)
        if (dtype_is_float(tape_spec(t, v->in[i])->dtype))
            inputs[count++] = odeint_emit_part(t, v->ybar, &at, v->in[i], 1);
    return count;
}

static void emit_derivative(struct vjp *v, struct odeint *tangent, int64_t samples, int *inputs, char *wanted)
{
    struct tape *t = v->tape;
    int64_t n = tape_spec(t, v->in[2])->shape[0], times = tape_spec(t, v->in[3])->shape[0], at = 2 * n;
    int n_inputs = tangent_inputs(v, n, samples, inputs);
    int pairs = odeint_emit(t, tangent, inputs[0], inputs[1], inputs + 2, n_inputs - 2);
    if (v->need[1]) v->xbar[1] = halves(t, pairs, 1, times * samples, n / samples);
    wanted[0] = v->need[2];
    for (int i = 4; i < v->n_in; i++) wanted[i - 2] = v->need[i];
    int zero = emit_broadcast(t, emit_like(t, v->ybar, 0), 1, (int64_t[]){times * n});
    int flat = odeint_emit_gradient(t, tangent, wanted, pairs,
                                    pairs_of_halves(t, zero, v->in[1], times * samples, n / samples), inputs,
                                    n_inputs);
    if (v->need[2])
        v->xbar[2] = samples == 1 ? emit_slice_flat(t, flat, 0, n)
                                  : halves(t, emit_slice_flat(t, flat, 0, 2 * n), 0, samples, n / samples);
    for (int i = 4; i < v->n_in; i++) /* behind y0bar of the pair */
        v->xbar[i] = odeint_emit_part(t, flat, &at, v->in[i], v->need[i]);
}

void odeint_gradient_vjp(struct custom *self, struct vjp *v)
{
    struct odeint *tangent;
    const struct odeint *op = odeint_of_gradient(self);
    int by_times = v->need[3] || ((struct odeint_gradient *)self)->by_times;
    enum status status =
        by_times
            ? status_set(STATUS_UNSUPPORTED,
                         "odeint has first derivatives by its times only, of pullbacks: tide.grad, "
                         "tide.vjp, and tide.jacobian by rows; wrap the times in tide.stop_gradient, or "
                         "make them parameters: the solve of (t1 - t0) f(t0 + s (t1 - t0), y) for s from "
                         "0 to 1 has all derivatives")
            : odeint_tangent(op, &tangent);
    if (status != STATUS_OK) {
        tape_fail(v->tape, status);
        return;
    }
    int *inputs = memory_alloc((size_t)(2 * v->n_in) * sizeof *inputs);
    char *wanted = memory_zalloc(2, (size_t)v->n_in);
    if (inputs && wanted)
        emit_derivative(v, tangent, odeint_pairs(op), inputs, wanted);
    else
        tape_fail(v->tape, memory_status());
    memory_free(inputs);
    memory_free(wanted);
    object_release(odeint_object(tangent));
}
