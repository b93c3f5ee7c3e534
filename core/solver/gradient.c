#include "solver/gradient.h"

#include "base/memory.h"
#include "solver/event.h"

/* Where y cannot be reconstructed backwards, the flow contracts and the plain adjoint would be wrong: solve
 * forwards once more, keeping the steps this time, and take y from them. */
static enum status adjoint_with_record(const struct gradient *g, struct solve_stats *stats)
{
    struct solve_stats forward, backward = {0};
    struct solve_options o =
        *g->o; /* a decade tighter, because the gradient of such a flow is sensitive to y */
    o.return_failures = 0;
    o.on_step = NULL;
    o.rtol /= 10;
    o.atol /= 10;
    o.adjoint_rtol /= 10;
    o.adjoint_atol /= 10;
    if (!*g->again && !(*g->again = memory_alloc(g->again_bytes))) return memory_status();
    enum status status =
        solve(g->s, g->f, &o, g->layout, g->y0, g->times->t, g->times->n, *g->again, g->record, &forward);
    if (g->o->events) events_gradient_begin(g->o->events);
    if (status == STATUS_OK)
        status = gradient_adjoint(g->s, g->f, &o, g->layout, g->record, g->times, *g->again, g->ybar,
                                  g->y0bar, g->thetabar, &backward);
    stats->nfe_backward += forward.nfe + backward.nfe_backward;
    stats->made_again = 1;
    return status;
}

/* Are the steps unstable, and is there what "interpolated" takes? */
static int can_interpolate(const struct gradient *g, enum status status)
{
    return status == STATUS_NUMERIC && status_is(UNSTABLE_GRADIENT) && !g->record->some && !g->o->defect &&
           g->o->adjoint_atol > 0;
}

static enum status discrete(const struct gradient *g, struct solve_stats *stats)
{
    enum status status = gradient_direct(g->s, g->f, g->o, g->layout, g->record, g->ybar, g->times, g->y0bar,
                                         g->thetabar, stats);
    if (!can_interpolate(g, status)) return status;
    int64_t spent = stats->nfe_backward;
    if (g->o->events) events_gradient_begin(g->o->events);
    status = gradient_adjoint(g->s, g->f, g->o, g->layout, g->record, g->times, g->y, g->ybar, g->y0bar,
                              g->thetabar, stats);
    stats->nfe_backward += spent;
    stats->made_again = 1;
    return status;
}

enum status gradient_of_solve(const struct gradient *g, struct solve_stats *stats)
{
    enum gradient_kind kind = g->o->gradient;
    if (solve_gradient_is_discrete(kind)) return discrete(g, stats);
    enum status status =
        gradient_adjoint(g->s, g->f, g->o, g->layout, kind == GRADIENT_ADJOINT ? NULL : g->record, g->times,
                         g->y, g->ybar, g->y0bar, g->thetabar, stats);
    return status == STATUS_NUMERIC && kind == GRADIENT_ADJOINT ? adjoint_with_record(g, stats) : status;
}
