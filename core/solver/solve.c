#include "solver/solve.h"

#include <math.h>
#include <string.h>

#include "base/seconds.h"
#include "kernels/loops.h"
#include "solver/event.h"
#include "solver/family.h"
#include "solver/linear.h"
#include "solver/march.h"
#include "solver/output.h"
#include "solver/path.h"

/* ---- the first step ---- */

struct probe solve_probe(const struct state_layout *layout, const struct solve_options *o, enum dtype dtype,
                         int64_t n, double t0, const void *y0, const void *f0, double direction,
                         const struct step *room, void *y1)
{
    double d0 = norm_scaled(layout, o->norm, dtype, y0, y0, o->rtol, o->atol);
    double d1 = norm_scaled(layout, o->norm, dtype, f0, y0, o->rtol, o->atol);
    double h0 = d0 < 1e-5 || d1 < 1e-5 ? 1e-6 : 0.01 * d0 / d1, t1 = t0 + direction * h0;
    if (room && !(h0 < fabs(room->h))) {
        h0 = fabs(room->h);
        t1 = room->end;
    }
    loops->combine[dtype](n, y0, 1, (double[]){direction * h0}, (const void *[]){f0}, y1);
    return (struct probe){h0, t1, d1};
}

double solve_probed(const struct probe *p, const struct state_layout *layout, const struct solve_options *o,
                    enum dtype dtype, int64_t n, const void *y0, const void *f0, void *f1)
{
    loops->combine[dtype](n, f1, 1, (double[]){-1}, (const void *[]){f0}, f1);
    double d2 = norm_scaled(layout, o->norm, dtype, f1, y0, o->rtol, o->atol) / p->h0,
           slope = fmax(p->slope, d2);
    double h1 = slope <= 1e-15 ? fmax(1e-6, p->h0 * 1e-3) : pow(0.01 / slope, o->controller.exponent);
    return fmin(100 * p->h0, h1);
}

enum status solve_initial_step(struct field *f, const struct state_layout *layout,
                               const struct solve_options *o, double t0, const void *y0, const void *f0,
                               double direction, const struct step *room, void *y1, void *f1, double *h)
{
    struct probe p = solve_probe(layout, o, f->dtype, f->n, t0, y0, f0, direction, room, y1);
    TRY(field_eval(f, p.t1, y1, f1));
    *h = solve_probed(&p, layout, o, f->dtype, f->n, y0, f0, f1);
    return STATUS_OK;
}

static enum status first_step(struct march *m)
{
    struct solver *s = m->s;
    struct clock *c = &m->clock;
    struct step room = clock_room(c);
    double h;
    TRY(solver_eval(s, m->f, room.t, s->carry[0], 0));
    s->slope_ready = m->family->slope;
    if (!solver_is_finite(s, s->k[0].v)) return failure_not_finite(m, 0, s->k[0].v, "f(t0, y0)");
    c->h = m->o->first_step;
    if (c->h > 0) return STATUS_OK;
    TRY(solve_initial_step(m->f, m->layout, m->o, c->t, s->carry[0], s->k[0].v, c->direction,
                           m->o->overshoot ? NULL : &room, s->stage_input, s->k[1].v, &h));
    clock_first(c, h);
    return STATUS_OK;
}

/* ---- the loop ---- */

/* By a norm of somebody else's. */
static enum status own_norm(const struct march *m, int count, const double *c, const char *const *k,
                            double *norm)
{
    struct solver *s = m->s;
    const struct solve_options *o = m->o;
    loops->combine[s->dtype](s->n, NULL, count, c, (const void *const *)k, s->spare);
    norm_scale(m->layout, s->dtype, s->carry[0], s->next[0], o->rtol, o->atol, s->stage_input);
    return o->own_norm->of(o->own_norm, m->layout->controlled, s->dtype, s->spare, s->stage_input, norm);
}

static enum status norm_of_pair(const struct march *m, int n, const double *w, const double *low,
                                const char *const *v, double *norm)
{
    const struct solve_options *o = m->o;
    double lower;
    if (!o->own_norm) {
        *norm = norm_error(m->layout, o->norm, m->s->dtype, n, w, low, v, m->s->carry[0], m->s->next[0],
                           o->rtol, o->atol);
        return STATUS_OK;
    }
    TRY(own_norm(m, n, w, v, norm));
    if (!low) return STATUS_OK;
    TRY(own_norm(m, n, low, v, &lower));
    *norm = norm_of_two(*norm, lower);
    return STATUS_OK;
}

enum status march_norm(const struct march *m, int n, const double *w, const char *const *v, double *norm)
{
    return norm_of_pair(m, n, w, NULL, v, norm);
}

enum status march_error(const struct march *m, double *norm)
{
    const struct step *p = &m->p;
    const struct method *method = made_by(&m->o->method, p);
    const struct family *family = method->family;
    if (family->adapt) return family->norm(m, p, norm);
    double w[MAX_K], low[MAX_K];
    const char *k[MAX_K];
    int count = 0, n = family->error(method, p, w);
    int two = method->rk.two_errors && family->error_low && family->error_low(method, p, low) > 0;
    for (int j = 0; j < n; j++) {
        if (w[j] == 0 && !(two && low[j] != 0)) continue;
        w[count] = w[j];
        if (two) low[count] = low[j];
        k[count++] = m->s->k[j].v;
    }
    return norm_of_pair(m, count, w, two ? low : NULL, k, norm);
}

enum status march_inside(struct march *m, double theta, void *out)
{
    TRY(solver_interpolate(m->s, m->f, &m->o->method, &m->p, theta, out));
    if (solver_is_finite(m->s, out)) return STATUS_OK;
    return failure_not_finite(m, m->p.h, out, "y inside the step, which takes f up to its end");
}

/* The carry moves on. A step that was cut ends with its interpolant; behind it, and behind a change of y,
 * there is no past. */
static enum status move(struct march *m)
{
    struct solver *s = m->s;
    const struct method *method = &m->o->method;
    const struct step *p = &m->p;
    double theta = m->theta;
    int anew = theta < 1 || m->after;
    if (m->after) {
        memcpy(s->next[0], m->after, solver_bytes(s));
    } else if (anew) {
        TRY(march_inside(m, theta, s->spare));
        memcpy(s->next[0], s->spare, solver_bytes(s));
    }
    TRY(solver_move(s));
    clock_move(&m->clock, p, theta);
    if (m->after) clock_forget(&m->clock);
    if (!anew && m->family->moved) m->family->moved(s, method, p);
    if (anew || m->clock.behind_jump) s->slope_ready = 0;
    if (m->turns) {
        clock_turn(&m->clock);
        s->slope_ready = 0;
    }
    m->after = NULL;
    m->turns = m->waits = 0;
    return STATUS_OK;
}

enum status march_end_state(struct march *m, const void **y)
{
    *y = m->after ? m->after : m->theta < 1 ? m->s->spare : m->s->next[0];
    if (*y != m->s->spare) return STATUS_OK;
    return march_inside(m, m->theta, m->s->spare);
}

void march_stop(struct march *m) { m->clock.end = clock_time(&m->clock, &m->p, m->theta); }

static enum clock_says next_step(struct march *m, struct step *p)
{
    m->clock.nfe = m->f->nfe - m->nfe;
    if (m->begun > 0) m->clock.seconds = monotonic_seconds() - m->begun;
    return clock_next(&m->clock, p);
}

static enum status show(struct march *m)
{
    if (!solver_is_finite(m->s, m->s->next[0])) return failure_not_finite(m, m->p.h, m->s->next[0], "y");
    m->theta = 1;
    m->again = 0;
    for (struct observer *o = m->observers; o && !m->again; o = o->next)
        TRY(o->accepted(o, m, &m->p, &m->theta));
    m->waits = !m->again;
    return STATUS_OK;
}

enum status march_step(struct march *m, enum clock_says *says)
{
    const struct step *p = &m->p;
    if (m->waits) TRY(move(m));
    while ((*says = next_step(m, &m->p)) == CLOCK_STEP) {
        TRY(solver_poll(m->s));
        enum status made = m->family->step(m->s, m->f, &m->o->method, p);
        if (made != STATUS_OK && made != STATUS_RETRY) return made;
        double error = INFINITY, wanted = m->clock.h;
        if (m->o->adaptive && made == STATUS_OK) TRY(march_error(m, &error));
        *says = clock_judge(&m->clock, p, made == STATUS_OK, error);
        const struct family *family = made_by(&m->o->method, p)->family;
        if (m->o->adaptive && family->adapt && (*says == CLOCK_ACCEPTED || *says == CLOCK_REJECTED))
            TRY(family->adapt(m, p, *says == CLOCK_ACCEPTED, wanted));
        if (*says == CLOCK_REJECTED) continue;
        if (*says != CLOCK_ACCEPTED) return failure_of_clock(m, *says, p->h);
        TRY(show(m));
        if (!m->again) return STATUS_OK;
    }
    return *says == CLOCK_END ? STATUS_OK : failure_of_clock(m, *says, p->h);
}

/* Behind the others; returns the place, which is emptied when the solve is over. */
struct observer **march_observe(struct march *m, struct observer *o)
{
    struct observer **last = &m->observers;
    while (*last) last = &(*last)->next;
    o->next = NULL;
    *last = o;
    return last;
}

void march_watch(struct march *m)
{
    if (stiffness_begin(&m->stiffness, m->o)) march_observe(m, &m->stiffness.base);
    instability_begin(&m->instability);
    if (instability_looks(m->o)) march_observe(m, &m->instability.base);
    tangent_watch_begin(&m->tangent);
    if (tangent_watch_looks(m)) march_observe(m, &m->tangent.base);
    if (automatic_begin(&m->automatic, m->o)) march_observe(m, &m->automatic.base);
}

/* ---- a solve ---- */

enum status march_begin(struct march *m, const void *y0, const double *times, int64_t n_times,
                        struct solve_record *record)
{
    struct solver *s = m->s;
    const struct solve_options *o = m->o;
    m->family = o->method.family;
    m->y0 = y0;
    m->nfe = m->f->nfe;
    m->begun = s->begun > 0 || !(o->max_seconds > 0) ? s->begun : monotonic_seconds();
    m->observers = o->observers;
    s->march = m;
    s->turns.n = 0;
    TRY(solver_reserve(s, m->f->n, m->f->dtype, &o->method));
    if (m->family->begin) TRY(m->family->begin(s, m->f, o, m->layout));
    if (record) TRY(record_begin(record, s, m->f, o, n_times));
    clock_begin(&m->clock, o, times[0], times[n_times - 1]);
    memcpy(s->carry[0], y0, solver_bytes(s));
    return o->events ? events_begin(o->events, s) : STATUS_OK;
}

enum status march_first(struct march *m)
{
    struct clock *c = &m->clock;
    if (!solver_is_finite(m->s, m->y0)) return failure_not_finite(m, 0, m->y0, "y0");
    if (fabs(c->end - c->t) < clock_smallest_step(fmax(fabs(c->t), fabs(c->end))))
        return failure_unresolved(m);
    TRY(m->o->adaptive ? first_step(m) : clock_grid(m->o, c->t, c->end, &c->n));
    const struct multistep *multistep = &m->o->method.multistep;
    if (multistep->start && c->n <= multistep->past)
        return status_set(
            STATUS_ARGUMENT,
            "odeint: start gives the ends of %d steps, but the grid has only %lld; take more steps",
            multistep->past, (long long)c->n);
    return STATUS_OK;
}

static enum status march_to_end(struct march *m, int64_t n_times)
{
    enum clock_says says;
    if (m->f->n == 0) return STATUS_OK; /* nothing to integrate */
    if (n_times < 2 && solver_is_finite(m->s, m->y0)) return STATUS_OK;
    TRY(march_first(m));
    do TRY(march_step(m, &says));
    while (says == CLOCK_ACCEPTED);
    return STATUS_OK;
}

/* A batch without samples has none that could miss its event. */
static int is_nobodys(const struct solve_options *o, const struct state_layout *layout)
{
    return o->per_sample && layout->batch == 0;
}

/* A failure of this solve as a part of its result. */
static enum status give_back(const struct march *m, struct output *output, struct solve_stats *stats)
{
    output_lacks_rest(output, m->s);
    m->s->failure = *status_report();
    stats->failure = &m->s->failure;
    return STATUS_OK;
}

enum status solve(struct solver *s, struct field *f, const struct solve_options *o,
                  const struct state_layout *layout, const void *y0, const double *times, int64_t n_times,
                  void *out, struct solve_record *record, struct solve_stats *stats)
{
    struct output output;
    struct march m = {.s = s, .f = f, .o = o, .layout = layout};
    *stats = (struct solve_stats){0};
    TRY(march_begin(&m, y0, times, n_times, record));
    output_begin(&output, s, times, n_times, out, record);
    struct observer **own = march_observe(&m, o->events ? &o->events->base : &output.base);
    if (o->events) march_observe(&m, &output.base);
    if (o->path) march_observe(&m, &o->path->base);
    if (o->on_step) march_observe(&m, o->on_step);
    march_watch(&m);
    if (record) march_observe(&m, &record->base);
    enum status status = march_to_end(&m, n_times);
    if (status == STATUS_OK && o->ends_at_event && !m.ended && !is_nobodys(o, layout)) {
        output.next = 1; /* what was asked for is no state at that time */
        status = failure_no_event(&m);
    }
    if (status == STATUS_OK && record) status = record_end(record, s, o);
    s->kept = NULL;
    *own = NULL;
    int implicit = method_implicit(&o->method);
    struct linear_counts counts = implicit ? linear_counted(s->linear) : (struct linear_counts){0};
    *stats = (struct solve_stats){.nfe = f->nfe - m.nfe,
                                  .steps = m.clock.steps,
                                  .accepted = m.clock.accepted,
                                  .rejected = m.clock.rejected,
                                  .implicit = implicit,
                                  .jacobians = counts.jacobians,
                                  .factorizations = counts.factorizations,
                                  .unrefined = implicit ? s->newton.unrefined : 0,
                                  .t_begin = times[0],
                                  .t_end = m.clock.t,
                                  .switches = o->method.pair[1] ? &s->turns : NULL,
                                  .n_switches = s->turns.n,
                                  .reached = output.next};
    if (status == STATUS_NUMERIC && failure_complete(&m) && o->return_failures)
        status = give_back(&m, &output, stats);
    stats->stopped = status == STATUS_OK && !stats->failure && f->n > 0 && output.next < n_times;
    if (stats->stopped) output_lacks_rest(&output, s);
    return status;
}
