#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/tuning.h"
#include "kernels/loops.h"
#include "solver/augmented.h"
#include "solver/backward.h"
#include "solver/event.h"
#include "solver/family.h"
#include "solver/march.h"
#include "solver/retrace.h"

/* How far y is from the stored state, in tolerances, by the norm of the solve. */
static double reconstruction_error(const struct field *f, const struct solve_options *o,
                                   const struct state_layout *layout, const void *y, const void *stored,
                                   void *difference)
{
    struct state_layout one = *layout;
    one.copies = 1;
    one.extra = 0;
    one.rtols = one.atols = NULL;
    loops->combine[f->dtype](f->n, y, 1, (double[]){-1}, &stored, difference);
    return norm_scaled(&one, o->norm, f->dtype, difference, stored, o->adjoint_rtol, o->adjoint_atol);
}

static enum status off(const char *by, double t)
{
    return status_fail(
        STATUS_NUMERIC, "reconstruction",
        "use gradient = \"direct\" or \"interpolated\", or tighter tolerances",
        "continuous adjoint: backward reconstruction of y off by %s at t = %.6g; the flow cannot be run "
        "backwards accurately, so this gradient would be wrong",
        by, t);
}

/* A flow that contracts explodes on its way back; there is no need to wait until it has left all numbers. */
struct growth {
    struct observer base;
    struct augmented *g;
};

static enum status growth_step(struct observer *self, struct march *m, const struct step *p, double *theta)
{
    const struct augmented *g = ((struct growth *)self)->g;
    const struct field *f = g->inner;
    (void)p, (void)theta;
    if (!(retrace_distance(f->n, f->dtype, m->s->next[0], NULL) > g->largest)) return STATUS_OK;
    return off("orders of magnitude", m->clock.goal);
}

/* By how many tolerances the steps of a "seminorm" may be off in the gradient of the parameters. */
struct watch {
    struct observer base;
    struct state_layout layout; /* of that part alone */
    double sum;
};

static enum status watch_step(struct observer *self, struct march *m, const struct step *p, double *theta)
{
    struct watch *w = (struct watch *)self;
    const struct state_layout *all = m->layout;
    double error;
    (void)p, (void)theta;
    m->layout = &w->layout;
    enum status status = march_error(m, &error);
    m->layout = all;
    w->sum += error;
    return status;
}

/* Explicit steps are as short as the others ask for, and quadratures along them good. Implicit ones may be so
 * long that nothing is left of the gradient of the parameters: then they look at it as well. Of such steps
 * the estimate is up to ten times too small. */
static enum status solve_back(struct solver *s, struct augmented *g, const struct solve_options *o,
                              const struct state_layout *layout, double from, double to, const char *z,
                              char *out)
{
    struct solve_stats part;
    struct watch watch = {.base = {.accepted = watch_step}, .layout = *layout};
    struct growth growth = {.base = {.accepted = growth_step}, .g = g};
    struct solve_options watched = *o;
    double times[] = {from, to};
    watch.layout.controlled = 0;
    watch.layout.extra = g->inner->n_theta;
    int looks = o->adaptive && layout->extra == 0 && g->inner->n_theta > 0 && method_implicit(&o->method);
    if (!g->record) watched.observers = &growth.base;
    if (looks) {
        watch.base.next = watched.observers;
        watched.observers = &watch.base;
    }
    enum status status = solve(s, &g->base, &watched, layout, z, times, 2, out, NULL, &part);
    if (status != STATUS_OK || !looks || 10 * watch.sum <= o->reconstruction_limit) return status;
    struct state_layout whole = *layout;
    whole.extra = g->inner->n_theta;
    watched.observers = watch.base.next;
    return solve(s, &g->base, &watched, &whole, z, times, 2, out, NULL, &part);
}

static struct solve_options backward_options(const struct solve_options *o, const double *times,
                                             int64_t n_times)
{
    struct solve_options back = *o;
    if (o->adjoint_norm >= ADJOINT_NORM_PART)
        back.norm = (enum norm_kind)(o->adjoint_norm - ADJOINT_NORM_PART);
    back.rtol = o->adjoint_rtol;
    back.atol = o->adjoint_atol;
    back.overshoot = 0;
    back.observers = NULL;
    back.own_norm = NULL;
    if (back.own_jacobian) back.jacobian = LINEAR_AUTO; /* it is of another state */
    back.own_jacobian = NULL;
    back.on_step = NULL;
    back.path = NULL;
    back.return_failures = 0;
    back.events = NULL;
    back.ends_at_event = 0;
    back.method.multistep.start = NULL; /* they are on the way forwards */
    if (o->steps > 0) {                 /* the grid of the forward solve, whatever the output times are */
        back.step_size = fabs(times[n_times - 1] - times[0]) / (double)o->steps;
        back.steps = 0;
    }
    if (o->adjoint_method.family) {
        back.method = o->adjoint_method;
        solve_options_derive(&back);
    }
    return back;
}

/* y and its cotangent alike; theta by itself, so that it does not drown them. */
static struct state_layout backward_layout(const struct state_layout *layout, const struct augmented *g,
                                           enum adjoint_norm norm)
{
    struct state_layout parts = *layout;
    parts.controlled = g->inner->n;
    parts.copies = g->record ? 1 : 2;
    parts.extra = norm == ADJOINT_NORM_SEMINORM ? 0 : g->inner->n_theta;
    parts.rtols = parts.atols = NULL; /* adjoint_rtol and adjoint_atol are numbers */
    return parts;
}

/* A gradient on its way back. */
struct way {
    struct solver *s;
    struct augmented *g;
    struct solve_options back;
    struct state_layout parts;
    struct events *events; /* NULL: there are none */
    int64_t event;         /* so many of them are still to come */
    struct backward jump;  /* for those */
    const char *ybar;
    size_t own; /* bytes of y in z */
    double at;  /* the time of z */
    char *z, *out;
};

/* Is y, solved backwards, where it was on the way forwards? before: how large it was where that began. */
static enum status check_reconstruction(const struct way *w, const void *stored, double before)
{
    struct augmented *g = w->g;
    const struct field *f = g->inner;
    const struct solve_options *o = &w->back;
    double error = reconstruction_error(f, o, &w->parts, w->z, stored, w->out);
    double relative = retrace_relative(retrace_distance(f->n, f->dtype, w->z, stored),
                                       retrace_distance(f->n, f->dtype, stored, NULL), before);
    if (!(relative <= g->reconstruction)) g->reconstruction = relative;
    if (!(error <= (o->adaptive ? 1 : ADJOINT_FIXED_STEP_ALLOWANCE) * o->reconstruction_limit)) {
        char by[64];
        snprintf(by, sizeof by, "%.3g tolerances", error);
        return off(by, w->at);
    }
    return STATUS_OK;
}

/* Cotangents that arrive at a late time may change faster than that time resolves. min_step is no such case.
 */
static enum status adjoint_failed(enum status status, double from, double to)
{
    struct failure *now = status_failure(), failure = *now;
    double near = ADJOINT_TRANSIENT * clock_smallest_step(from);
    if (status != STATUS_NUMERIC || !status_is("underflow") ||
        !(fabs(failure.t - from) <= near && fabs(failure.h) <= near))
        return status_prefix(status, "continuous adjoint, from t = %.6g to %.6g", from, to);
    status_fail(
        status, failure.word,
        "use gradient = \"direct\", which solves nothing backwards; or let the adjoint be solved by a method "
        "that takes longer steps through it, as adjoint = {method = \"radau5\"}, or with looser tolerances; "
        "or shift t towards 0, where it resolves more",
        "continuous adjoint, from t = %.6g to %.6g: step size underflow at t = %.9g: behind the loss at t = "
        "%.6g the cotangents change within less than t resolves there (no step is shorter than %.3g), and "
        "steps so long do not meet the tolerances of the adjoint",
        from, to, failure.t, from, clock_smallest_step(from));
    now->t = failure.t;
    now->h = failure.h;
    now->steps = failure.steps;
    now->accepted = failure.accepted;
    now->nfe = failure.nfe;
    return status;
}

/* From where z stands to an earlier time. Where both are one but for rounding, as outputs and events may be,
 * z stays as it is: no solve resolves so short a span. */
static enum status one_interval(struct way *w, double to, const void *stored)
{
    struct augmented *g = w->g;
    const struct field *f = g->inner;
    const struct solve_options *o = &w->back;
    double from = w->at;
    if (fabs(from - to) < clock_smallest_step(fmax(fabs(from), fabs(to)))) return STATUS_OK;
    size_t z_bytes = (size_t)g->base.n * dtype_size(f->dtype);
    double before = g->record ? 0 : retrace_distance(f->n, f->dtype, w->z, NULL);
    enum status status = solve_back(w->s, g, o, &w->parts, from, to, w->z, w->out);
    if (status != STATUS_OK && g->record) return adjoint_failed(status, from, to);
    if (status != STATUS_OK)
        return status_prefix(
            status,
            "continuous adjoint: backward reconstruction of y from t = %.6g to %.6g failed (gradient = "
            "\"direct\" needs none)",
            from, to);
    w->at = to;
    memcpy(w->z, w->out + z_bytes, z_bytes);
    return g->record ? STATUS_OK : check_reconstruction(w, stored, before);
}

static void add_cotangent(const struct way *w, int64_t i)
{
    const struct field *f = w->g->inner;
    const void *bar = w->ybar + (size_t)i * w->g->pitch;
    loops->combine[f->dtype](f->n, w->z + w->own, 1, (double[]){1}, &bar, w->z + w->own);
}

/* The next events that cut a step, as one goes back: the first of n, NULL: there are none. */
static const struct event *next_cut(struct way *w, int *n)
{
    const struct event *log = w->events ? w->events->log : NULL;
    *n = 0;
    while (w->event > 0 && !log[w->event - 1].cuts) w->event--;
    if (w->event <= 0) return NULL;
    int64_t step = log[w->event - 1].step, i = w->event;
    while (i > 0 && log[i - 1].cuts && log[i - 1].step == step) i--, ++*n;
    return &log[i];
}

/* Through events; z is then what it is before them. */
static enum status through(struct way *w, const struct event *event, int n, int ended)
{
    TRY(times_jump(&w->jump, event, n, ended));
    w->event = event - w->events->log;
    memcpy(w->z, w->events->states + (size_t)w->event * w->events->bytes, w->own);
    const struct event *before = NULL;
    w->g->highest = event->step;
    before = next_cut(w, &n);
    w->g->lowest = before ? before->step + 1 : 0;
    return STATUS_OK;
}

/* To an earlier time, and through the events between. */
static enum status go_back(struct way *w, double to, const void *stored)
{
    const struct event *event;
    int n;
    double direction = w->at > to ? 1 : -1;
    while ((event = next_cut(w, &n)) && (event->t - to) * direction > event->rounding) {
        const char *y;
        TRY(times_behind(w->events, event, n, &y));
        TRY(one_interval(w, event->t, y));
        w->at = event->t;
        TRY(through(w, event, n, 0));
    }
    return one_interval(w, to, stored);
}

/* Outputs behind an event that ended the solve are its state. Returns the last one before. */
static enum status begin_at_end(struct way *w, const struct gradient_times *given, int64_t *last)
{
    int n;
    const struct event *event = next_cut(w, &n);
    double direction = given->t[given->n - 1] > given->t[0] ? 1 : -1;
    *last = given->n - 1;
    w->at = given->t[*last];
    if (event) w->g->lowest = event->step + 1;
    if (!event || !w->events->ended) return STATUS_OK;
    for (; *last > 0 && (given->t[*last] - event->t) * direction >= -event->rounding; --*last)
        add_cotangent(w, *last);
    w->at = event->t;
    return through(w, event, n, 1);
}

/* The solves of all intervals, the last first. z begins as zeros and ends as what it is at times[0], without
 * the cotangent that arrives there. */
static enum status all_intervals(struct way *w, const struct gradient_times *given, const char *y)
{
    struct augmented *g = w->g;
    int64_t last;
    TRY(begin_at_end(w, given, &last));
    if (last < given->n - 1) TRY(go_back(w, given->t[last], y + (size_t)last * g->pitch));
    for (int64_t i = last; i > 0; i--) {
        const char *state = y + (size_t)i * g->pitch;
        if (given->bar)
            TRY(augmented_by_time(g, given->t[i], state, w->ybar + (size_t)i * g->pitch, w->out,
                                  &given->bar[i]));
        memcpy(w->z, state, w->own);
        add_cotangent(w, i);
        TRY(go_back(w, given->t[i - 1], y + (size_t)(i - 1) * g->pitch));
    }
    if (!given->bar) return STATUS_OK;
    TRY(augmented_by_time(g, given->t[0], y, w->z + w->own, w->out, &given->bar[0]));
    given->bar[0] = -given->bar[0];
    return STATUS_OK;
}

/* s, g, ybar, z and out are given. */
static void begin_way(struct way *w, const struct solve_options *o, const struct state_layout *layout,
                      const struct gradient_times *times)
{
    struct field *f = w->g->inner;
    size_t bytes = (size_t)f->n * dtype_size(f->dtype);
    if (times->bar) memset(times->bar, 0, (size_t)times->n * sizeof *times->bar);
    w->back = backward_options(o, times->t, times->n);
    w->parts = backward_layout(layout, w->g, o->adjoint_norm);
    w->events = o->events;
    w->event = o->events ? o->events->count : 0;
    w->own = w->g->record ? 0 : bytes;
    w->jump = (struct backward){.s = w->g->s, .f = f, .o = o, .bytes = bytes};
    w->jump.carry_bar[0] = w->z + w->own;
    w->jump.times = (struct backward_times){
        .given = times, .slope = w->out, .event_bar = w->out + (size_t)w->g->base.n * dtype_size(f->dtype)};
}

enum status gradient_adjoint(struct solver *forward, struct field *f, const struct solve_options *o,
                             const struct state_layout *layout, const struct solve_record *record,
                             const struct gradient_times *times, const void *y, const void *ybar, void *y0bar,
                             void *thetabar, struct solve_stats *stats)
{
    if (o->adaptive && o->adjoint_atol == 0)
        return status_set(
            STATUS_ARGUMENT,
            "odeint: the cotangents of a continuous adjoint begin as zeros, which a relative tolerance alone "
            "cannot judge; give adjoint_atol > 0 (or atol > 0)");
    int64_t before = f->nfe + f->nfe_vjp;
    struct augmented g;
    augmented_begin(&g, forward, f, &o->method, record);
    g.largest = ADJOINT_GROWTH * augmented_largest(&g, times->n, y);
    size_t size = dtype_size(f->dtype), bytes = (size_t)f->n * size, theta_bytes = (size_t)f->n_theta * size,
           z_bytes = (size_t)g.base.n * size;
    memset(thetabar, 0, theta_bytes);
    if (f->n == 0) return STATUS_OK;
    if (record) TRY(solver_reserve(forward, f->n, f->dtype, &o->method));
    if (record && o->method.family->begin) TRY(o->method.family->begin(forward, f, o, layout));
    if (!forward->adjoint && !(forward->adjoint = memory_zalloc(1, sizeof *forward->adjoint)))
        return memory_status();
    char *z = solver_backward(forward, 3 * z_bytes);
    if (!z) return memory_status();
    memset(z, 0, 3 * z_bytes);
    struct way w = {.s = forward->adjoint, .g = &g, .ybar = ybar, .z = z, .out = z + z_bytes};
    begin_way(&w, o, layout, times);
    enum status status = all_intervals(&w, times, y);
    stats->nfe_backward = f->nfe + f->nfe_vjp - before;
    stats->has_reconstruction = !record;
    stats->reconstruction = g.reconstruction;
    stats->made_again = 0;
    augmented_end(&g);
    TRY(status);
    const char *a = z + (record ? 0 : bytes);
    loops->combine[f->dtype](f->n, a, 1, (double[]){1}, &ybar, y0bar);
    memcpy(thetabar, a + bytes, theta_bytes);
    return STATUS_OK;
}
