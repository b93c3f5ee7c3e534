/* The vjp of a solve, an op by itself: inputs states, statesbar, y0, times, theta... */
#include "base/memory.h"
#include "solver/gradient.h"
#include "solver/odeint_op.h"

static enum status gradient_infer(struct custom *self, struct call *c)
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
    o.return_failures = 0;
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

/* States that were not reached are NaN, and nothing is known of what they depend on. */
static enum status refuse(const struct report *failure)
{
    status_again(STATUS_NUMERIC, failure);
    status_failure()->backward = 1;
    return status_prefix(STATUS_NUMERIC, "there is no gradient through a solve that failed; on_failure = "
                                         "\"return\" gave back what there was");
}

static enum status run_gradient(struct call *c)
{
    struct odeint *op = ((struct odeint_gradient *)c->attrs->object)->solve;
    char *y0bar = c->out.data;
    op->stats.nfe_backward = 0;
    op->stats.has_defect = 0;
    if (op->stats.failure) return refuse(op->stats.failure);
    /* The solve ran just before, with the same parameters. But where they are views it had dense copies of
     * its own, which are gone. */
    int moved = odeint_note_addresses(op, c->in + 4, c->n_in - 4);
    enum status status = gradient(op, c, moved, y0bar, y0bar + array_bytes(&c->in[2]));
    if (status == STATUS_NUMERIC) status_failure()->backward = 1;
    return status;
}

static enum status gradient_prepare(struct custom *self, struct call *c)
{
    (void)self;
    c->run = run_gradient;
    return STATUS_OK;
}

/* ---- the object and its nodes ---- */

static void gradient_free(struct object *self)
{
    struct odeint_gradient *g = (struct odeint_gradient *)self;
    g->solve->gradient = NULL;
    object_release(&g->solve->custom.base);
    memory_free(g);
}

/* The gradient's object, with a reference for the caller; NULL: out of memory. */
static struct odeint_gradient *gradient_of(struct odeint *op)
{
    struct odeint_gradient *g = op->gradient;
    if (g) {
        object_retain(&g->custom.base);
    } else if ((g = memory_zalloc(1, sizeof *g))) {
        g->custom = (struct custom){{1, gradient_free}, "odeint_vjp",        gradient_infer,
                                    gradient_prepare,   odeint_gradient_vjp, NULL};
        object_retain(&op->custom.base);
        g->solve = op;
        op->gradient = g;
    }
    return g;
}

struct odeint *odeint_of_gradient(const struct custom *object)
{
    return object->infer == gradient_infer ? ((const struct odeint_gradient *)object)->solve : NULL;
}

int odeint_emit_gradient(struct tape *t, struct odeint *op, int states, int statesbar, const int *inputs,
                         int n_inputs)
{
    struct odeint_gradient *g = gradient_of(op);
    if (!g) return tape_fail(t, memory_status());
    op->recording = 1;
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

int odeint_refuse_times(struct vjp *v, int times)
{
    if (!v->need[times]) return 0;
    if (v->tape->status == STATUS_OK)
        tape_fail(v->tape, status_set(STATUS_UNSUPPORTED,
                                      "odeint has no derivative with respect to its times; wrap them in "
                                      "tide.stop_gradient, or rescale time so that the span is fixed"));
    return 1;
}
