/* The vjp of a solve, an op by itself: inputs states, statesbar, y0, times, theta... */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "kernels/loops.h"
#include "solver/event.h"
#include "solver/gradient.h"
#include "solver/odeint_forward.h"
#include "solver/odeint_op.h"

static enum status gradient_infer(struct custom *self, struct call *c)
{
    int64_t n = c->in[2].shape[0];
    for (int i = 4; i < c->n_in; i++)
        if (dtype_is_float(c->in[i].dtype)) n += array_numel(&c->in[i]);
    if (((struct odeint_gradient *)self)->by_times) n += c->in[3].shape[0];
    return array_init(&c->out, c->in[2].dtype, 1, &n);
}

/* The gradient by the field's own parameters, then by those that were given. theta_bytes: of thetabar. */
static enum status gradient(struct odeint *op, const struct call *c, const struct gradient_times *times,
                            int moved, char *y0bar, char *thetabar, size_t theta_bytes)
{
    struct events *e = op->options.events;
    struct gradient g = {.s = &op->solver,
                         .f = op->field,
                         .o = &op->options,
                         .layout = &op->layout,
                         .record = &op->record,
                         .times = times,
                         .y0 = c->in[2].data,
                         .y = op->options.ends_at_event ? op->states : c->in[0].data,
                         .ybar = op->options.ends_at_event ? op->states_bar : c->in[1].data,
                         .again = &op->states,
                         .again_bytes = array_bytes(&c->in[0]),
                         .y0bar = y0bar,
                         .thetabar = op->own_thetabar};
    if (op->tiled) return tiled_gradient(op->tiled, &g, moved ? op->addresses : NULL, thetabar, &op->stats);
    if (moved) TRY(field_bind(op->field, op->addresses));
    if (moved && e) TRY(events_bind(e, op->addresses, 0));
    if (e) events_gradient_begin(e);
    TRY(gradient_of_solve(&g, &op->stats));
    TRY(field_theta_gradient(op->field, op->own_thetabar, thetabar));
    return e && e->count > 0 ? events_gradient_end(e, thetabar, theta_bytes, op->event_theta) : STATUS_OK;
}

/* States that were not reached are NaN, and nothing is known of what they depend on. */
static enum status refuse(const struct report *failure)
{
    status_again(STATUS_NUMERIC, failure);
    status_failure()->backward = 1;
    return status_prefix(STATUS_NUMERIC, "there is no gradient through a solve that failed; on_failure = "
                                         "\"return\" gave back what there was");
}

/* Of the gradients of the parameters that were given, which stand behind that of y0. */
static size_t theta_bytes(const struct call *c, int by_times)
{
    int64_t n = array_numel(&c->out) - c->in[2].shape[0] - (by_times ? c->in[3].shape[0] : 0);
    return (size_t)n * dtype_size(c->out.dtype);
}

/* Of a solve that ends at an event: the cotangents of its states, in their dtype, and those of its ends. */
static const double *take_end(struct odeint *op, const struct call *c)
{
    const double *bar = c->in[1].data;
    int64_t n = array_numel(&c->in[1]) - odeint_ends(op);
    for (int64_t i = 0; i < n; i++)
        if (op->field->dtype == FLOAT32)
            ((float *)op->states_bar)[i] = (float)bar[i];
        else
            ((double *)op->states_bar)[i] = bar[i];
    return bar + n;
}

/* The first of n numbers that is NaN or Inf; n: there is none. */
static int64_t first_fault(enum dtype dtype, const void *x, int64_t n)
{
    int64_t i = 0;
    if (isfinite(loops->sum[dtype](n, x, 1))) return n;
    while (i < n && isfinite(dtype == FLOAT32 ? (double)((const float *)x)[i] : ((const double *)x)[i])) i++;
    return i; /* the sum of finite numbers may overflow */
}

/* Are all cotangents numbers? Those of states that on_step has kept from being reached do not count. */
static int has_numbers(const struct odeint *op, const struct call *c)
{
    enum dtype dtype = c->in[1].dtype;
    const char *bar = c->in[1].data;
    if (!op->stats.stopped) return first_fault(dtype, bar, array_numel(&c->in[1])) == array_numel(&c->in[1]);
    const struct solve_stats *each = op->tiled ? tiled_counts(op->tiled) : &op->stats;
    int64_t n = c->in[2].shape[0], share = n / odeint_pairs(op);
    for (int64_t i = 0; i * share < n; i++)
        for (int64_t k = 0; k < each[i].reached; k++)
            if (first_fault(dtype, bar + (size_t)(k * n + i * share) * dtype_size(dtype), share) < share)
                return 0;
    return 1;
}

/* NaN or Inf comes from the loss: then the gradient is NaN as well, whatever the kind. */
static int comes_without_number(const struct odeint *op, const struct call *c)
{
    if (has_numbers(op, c)) return 0;
    int64_t n = array_numel(&c->out);
    for (int64_t i = 0; i < n; i++)
        if (c->out.dtype == FLOAT32)
            ((float *)c->out.data)[i] = NAN;
        else
            ((double *)c->out.data)[i] = NAN;
    return 1;
}

/* NaN or Inf that came of finite cotangents is wrong without a word where somebody masks it. */
static enum status check_result(const struct call *c)
{
    int64_t n = array_numel(&c->out), i = first_fault(c->out.dtype, c->out.data, n);
    if (i == n) return STATUS_OK;
    return backward_not_finite(
        i < c->in[2].shape[0] ? "the gradient by y0" : "the gradient by parameters or times", NAN, NAN);
}

static enum status way_back(struct odeint *op, struct call *c, int by_times, struct gradient_times *times)
{
    /* The solve ran just before, with the same parameters. But where they are views it had dense copies of
     * its own, which are gone. */
    int moved = odeint_note_addresses(op, c->in + 4, c->n_in - 4);
    size_t bytes = theta_bytes(c, by_times);
    char *y0bar = c->out.data, *thetabar = y0bar + array_bytes(&c->in[2]);
    TRY(gradient(op, c, times, moved, y0bar, thetabar, bytes));
    for (int64_t i = 0; by_times && i < times->n; i++)
        if (c->out.dtype == FLOAT32)
            ((float *)(thetabar + bytes))[i] = (float)times->bar[i];
        else
            ((double *)(thetabar + bytes))[i] = times->bar[i];
    return STATUS_OK;
}

static enum status run_gradient(struct call *c)
{
    struct odeint_gradient *self = (struct odeint_gradient *)c->attrs->object;
    struct odeint *op = self->solve;
    int by_times = self->by_times;
    struct gradient_times times = {c->in[3].data, c->in[3].shape[0], by_times ? op->times_bar : NULL, NULL};
    if (op->options.ends_at_event && !self->forward) times.end_bar = take_end(op, c);
    op->stats.nfe_backward = 0;
    op->stats.has_defect = op->stats.has_reconstruction = op->stats.made_again = 0;
    if (op->stats.failure) return refuse(op->stats.failure);
    if (op->stats.stopped && by_times)
        return status_set(STATUS_UNSUPPORTED, "odeint: a solve that on_step has stopped has no derivative by "
                                              "its times; wrap them in tide.stop_gradient");
    if (op->stats.stopped && !op->tiled) times.n = op->stats.reached; /* the others are constants */
    if (comes_without_number(op, c)) return STATUS_OK;
    enum status status =
        self->forward ? odeint_forward_run(self->forward, op, c) : way_back(op, c, by_times, &times);
    if (status == STATUS_OK) status = check_result(c);
    if (status == STATUS_NUMERIC) status_failure()->backward = 1;
    return status;
}

static enum status gradient_prepare(struct custom *self, struct call *c)
{
    struct odeint_gradient *g = (struct odeint_gradient *)self;
    struct odeint *op = g->solve;
    c->run = run_gradient;
    odeint_forward_free(g->forward);
    g->forward = NULL;
    if (g->wanted) return odeint_forward_new(&g->forward, op, g->wanted, c);
    memory_free(op->event_theta);
    op->event_theta = memory_alloc(theta_bytes(c, g->by_times));
    if (!op->event_theta) return memory_status();
    if (op->options.ends_at_event) {
        memory_free(op->states_bar);
        if (!(op->states_bar = memory_alloc(array_bytes(&c->in[1])))) return memory_status();
    }
    if (g->by_times) {
        memory_free(op->times_bar);
        op->times_bar = memory_alloc((size_t)c->in[3].shape[0] * sizeof *op->times_bar);
        if (!op->times_bar) return memory_status();
    }
    return STATUS_OK;
}

/* ---- the object and its nodes ---- */

static void gradient_free(struct object *self)
{
    struct odeint_gradient *g = (struct odeint_gradient *)self;
    if (!g->wanted) g->solve->gradient[g->by_times] = NULL;
    odeint_forward_free(g->forward);
    memory_free(g->wanted);
    object_release(&g->solve->custom.base);
    memory_free(g);
}

/* With a reference for the caller; NULL: out of memory. */
static struct odeint_gradient *new_gradient(struct odeint *op, int by_times)
{
    struct odeint_gradient *g = memory_zalloc(1, sizeof *g);
    if (!g) return NULL;
    g->custom = (struct custom){{1, gradient_free}, "odeint_vjp",        gradient_infer,
                                gradient_prepare,   odeint_gradient_vjp, NULL};
    object_retain(&op->custom.base);
    g->solve = op;
    g->by_times = by_times;
    return g;
}

/* The one that nodes share. */
static struct odeint_gradient *gradient_of(struct odeint *op, int by_times)
{
    struct odeint_gradient *g = op->gradient[by_times];
    if (g) {
        object_retain(&g->custom.base);
        return g;
    }
    return op->gradient[by_times] = new_gradient(op, by_times);
}

static struct odeint_gradient *forward_gradient(struct odeint *op, const char *wanted, int n_inputs)
{
    struct odeint_gradient *g = new_gradient(op, 0);
    if (!g || (g->wanted = memory_alloc((size_t)n_inputs))) {
        if (g) memcpy(g->wanted, wanted, (size_t)n_inputs);
        return g;
    }
    memory_free(g);
    object_release(&op->custom.base);
    return NULL;
}

struct odeint *odeint_of_gradient(const struct custom *object)
{
    return object->infer == gradient_infer ? ((const struct odeint_gradient *)object)->solve : NULL;
}

int odeint_emit_gradient(struct tape *t, struct odeint *op, const char *wanted, int states, int statesbar,
                         const int *inputs, int n_inputs)
{
    int forward = op->options.gradient == GRADIENT_FORWARD;
    if (forward && wanted[1])
        return tape_fail(t, status_set(STATUS_UNSUPPORTED,
                                       "odeint: gradient = \"forward\" has no derivative by times; take "
                                       "\"direct\" or \"checkpoint\", or wrap them in tide.stop_gradient"));
    struct odeint_gradient *g =
        forward ? forward_gradient(op, wanted, n_inputs) : gradient_of(op, wanted[1] != 0);
    if (!g) return tape_fail(t, memory_status());
    op->recording = 1;
    op->by_times |= g->by_times;
    int node = odeint_emit_node(t, &g->custom, states, statesbar, inputs, n_inputs);
    object_release(&g->custom.base);
    return node;
}

int odeint_emit_part(struct tape *t, int flat, int64_t *at, int like, int wanted)
{
    struct array spec = *tape_spec(t, like);
    int64_t first = *at, n = array_numel(&spec);
    if (!dtype_is_float(spec.dtype)) return -1;
    *at += n;
    if (!wanted) return -1;
    int part = emit_reshape(t, emit_slice_flat(t, flat, first, n), spec.rank, spec.shape);
    return emit_cast(t, part, spec.dtype);
}
