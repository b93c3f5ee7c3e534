#include "solver/backward_times.h"

#include <math.h>
#include <string.h>

#include "kernels/loops.h"
#include "solver/backward.h"
#include "solver/clock.h"
#include "solver/event.h"
#include "solver/family.h"

double backward_dot(const struct backward *b, const void *x, const void *y)
{
    double sum = 0;
    for (int64_t i = 0; i < b->s->n; i++)
        sum += b->s->dtype == FLOAT32 ? (double)((const float *)x)[i] * (double)((const float *)y)[i]
                                      : ((const double *)x)[i] * ((const double *)y)[i];
    return sum;
}

double backward_number(const struct backward *b, const void *x, int64_t i)
{
    return b->s->dtype == FLOAT32 ? (double)((const float *)x)[i] : ((const double *)x)[i];
}

char *times_begin(struct backward *b, const struct gradient_times *given, char *memory)
{
    const struct solve_options *o = b->o;
    int events = o->events && o->events->count > 0, even = o->steps > 0 && !events;
    b->times = (struct backward_times){.given = given,
                                       .active = given->bar != NULL || events,
                                       .exact = !o->adaptive && b->f->by_time &&
                                                o->method.family->by_times >= 2 - even,
                                       .slope = memory,
                                       .event_bar = memory + b->vector};
    if (given->bar) memset(given->bar, 0, (size_t)given->n * sizeof *given->bar);
    b->times.exact &= b->times.active;
    return memory + TIMES_VECTORS * b->vector;
}

enum status times_vjp(struct backward *b, double t, const void *input, const void *a, void *ybar)
{
    struct backward_times *times = &b->times;
    int64_t n = b->f->n_theta;
    TRY(field_vjp(b->f, t, input, a, times->slope, ybar, b->theta_part));
    double by_time = backward_number(b, b->theta_part, n - 1);
    times->scale += backward_dot(b, a, times->slope);
    times->shift += by_time;
    times->moment += (t - times->t0) * by_time;
    backward_add(b, n, 1, b->theta_part, b->thetabar);
    return STATUS_OK;
}

/* ---- the grid ---- */

/* The cotangent of a time of the grid goes on to the ends of the span. */
static void to_grid(struct backward *b, double t, double bar)
{
    const struct gradient_times *g = b->times.given;
    if (!g->bar) return;
    double first = g->t[0], last = g->t[g->n - 1], share = (t - first) / (last - first);
    if (b->o->steps == 0) share = isfinite(last) && fabs(t - last) <= clock_smallest_step(last);
    g->bar[0] += (1 - share) * bar;
    g->bar[g->n - 1] += share * bar;
}

/* ---- a step ---- */

int times_is_cut(const struct events *e, int64_t step)
{
    for (int64_t i = e ? e->count : 0; i > 0 && e->log[i - 1].step >= step; i--)
        if (e->log[i - 1].step == step && e->log[i - 1].cuts) return 1;
    return 0;
}

void times_begin_step(struct backward *b, int64_t step)
{
    struct backward_times *times = &b->times;
    times->cut = times_is_cut(b->o->events, step);
    times->moves = times->exact && step > 0 && times_is_cut(b->o->events, step - 1);
    times->scale = times->shift = times->moment = times->start = times->size = 0;
    times->t0 = b->p.t;
}

static enum status slope_at(struct backward *b, double theta)
{
    return solver_slope(b->s, b->f, &b->o->method, &b->p, theta, b->times.slope);
}

/* source . dy/dt. Where steps adapt it is that of the flow: f, which is as near to the solution's slope as y
 * is to the solution, where the interpolant's is off by an order of h more. On a grid it is the
 * interpolant's. Where steps meet that may have a kink; the mean of its sides is what central differences
 * see. The other side is f where a step begins with it, else f is between the two. */
static enum status slope_of_output(struct backward *b, double t, double theta, const void *source,
                                   double *bar)
{
    const struct step *p = &b->p;
    if (b->o->adaptive) {
        void *y = theta < 1 ? b->times.event_bar : b->s->next[0];
        if (theta < 1) TRY(solver_interpolate(b->s, b->f, &b->o->method, p, theta, y));
        TRY(field_eval(b->f, theta < 1 ? t : p->end, y, b->times.slope));
        *bar = backward_dot(b, source, b->times.slope);
        return STATUS_OK;
    }
    TRY(slope_at(b, theta));
    *bar = backward_dot(b, source, b->times.slope) / p->h;
    if (theta < 1) return STATUS_OK;
    TRY(field_eval(b->f, p->end, b->s->next[0], b->times.slope));
    double other = backward_dot(b, source, b->times.slope);
    *bar = b->o->method.family->slope ? (*bar + other) / 2 : other;
    return STATUS_OK;
}

enum status times_outputs(struct backward *b, int64_t first, int64_t last, const char *ybar)
{
    struct backward_times *times = &b->times;
    const struct gradient_times *g = times->given;
    const struct step *p = &b->p;
    for (int64_t i = first; i <= last && (g->bar || times->moves); i++) {
        const void *source = ybar + (size_t)i * b->pitch;
        double theta = b->r->output_theta[i];
        if (theta == 1 && (times->cut || !g->bar)) continue; /* times_event */
        if (theta == 1 && i == g->n - 1) { /* the end of the span itself, which the grid moves with */
            if (times->exact) continue;
            TRY(field_eval(b->f, p->end, b->s->next[0], times->slope));
            g->bar[i] += backward_dot(b, source, times->slope);
            continue;
        }
        double bar;
        TRY(slope_of_output(b, g->t[i], theta, source, &bar));
        if (g->bar) g->bar[i] += bar;
        if (theta == 1 && times->exact) to_grid(b, p->t + p->h, -bar);
        if (theta == 1) continue;
        times->start -= bar;
        times->size -= theta * bar;
    }
    return STATUS_OK;
}

void times_end_step(struct backward *b)
{
    struct backward_times *times = &b->times;
    const struct step *p = &b->p;
    if (!times->exact) return;
    double size = times->size + (times->scale + times->moment) / p->h,
           start = times->start + times->shift - size;
    to_grid(b, p->t + p->h, size);
    times->after = times->moves ? start : 0;
    if (!times->moves) to_grid(b, p->t, start);
}

enum status times_end(struct backward *b)
{
    struct backward_times *times = &b->times;
    if (!times->given->bar || times->exact || b->r->n == 0) return STATUS_OK;
    TRY(field_eval(b->f, record_time(b->r, 0), b->s->carry[0], times->slope));
    for (int c = 0; c < b->s->n_carry; c++) /* copies of y0 */
        times->given->bar[0] -= backward_dot(b, b->carry_bar[c], times->slope);
    return STATUS_OK;
}

/* ---- events ---- */

static double end_bar(const struct backward *b)
{
    const double *bar = b->times.given->end_bar;
    return bar ? *bar : 0;
}

/* y behind the first n changes of the state, from the one before: in e->y[1] or e->y[2], or where it was. */
static enum status changed(const struct events *e, const struct event *event, int n, const char **y)
{
    for (int i = 0, at = 1; i < n; i++) {
        struct field *apply = event_change(e, &event[i])->apply;
        if (!apply) continue;
        TRY(field_eval(apply, event[i].t, *y, e->y[at]));
        *y = e->y[at];
        at = 3 - at;
    }
    return STATUS_OK;
}

/* The events that cut a step, in the log: the first, and how many. */
static const struct event *cut_of(const struct events *e, int64_t step, int *n)
{
    int64_t i = e->count;
    while (i > 0 && e->log[i - 1].step > step) i--;
    *n = 0;
    while (i > 0 && e->log[i - 1].step == step && e->log[i - 1].cuts) i--, ++*n;
    return &e->log[i];
}

enum status times_cut_again(struct backward *b, int64_t step)
{
    const struct events *e = b->o->events;
    int n;
    const struct event *event = cut_of(e, step, &n);
    const char *y = e->states + (size_t)(event - e->log) * e->bytes;
    TRY(changed(e, event, n, &y));
    memcpy(b->s->next[0], y, b->bytes); /* the rest of the carry is not looked at by the step behind */
    return STATUS_OK;
}

/* What the time of the event gets from the solution behind it: it would begin later. Outputs at that time are
 * such solutions, too. */
static enum status behind(struct backward *b, const struct event *event, int n, int64_t first, int64_t last,
                          const char *ybar, double *bar)
{
    struct backward_times *times = &b->times;
    const struct gradient_times *g = times->given;
    const struct events *e = b->o->events;
    const char *y = e->states + (size_t)(event - e->log) * e->bytes;
    *bar = times->exact ? times->after : 0;
    TRY(changed(e, event, n, &y));
    TRY(field_eval(b->f, event->t, y, times->slope));
    if (!times->exact) *bar -= backward_dot(b, b->carry_bar[0], times->slope);
    for (int64_t i = first; i <= last; i++) {
        if (b->r->output_theta[i] != 1) continue;
        double at = backward_dot(b, ybar + (size_t)i * b->pitch, times->slope);
        if (times->exact) *bar -= at;
        if (g->bar) g->bar[i] += at;
    }
    return STATUS_OK;
}

/* The cotangent behind the changes of the state becomes that before them. */
static enum status changes_back(struct backward *b, const struct event *event, int n, double *bar)
{
    struct events *e = b->o->events;
    for (int i = n - 1; i >= 0; i--) {
        const struct event_change *change = event_change(e, &event[i]);
        struct field *apply = change->apply;
        const char *y = e->states + (size_t)(event - e->log) * e->bytes;
        if (!apply) continue;
        TRY(changed(e, event, i, &y));
        TRY(field_vjp(apply, event->t, y, b->carry_bar[0], NULL, b->times.event_bar, e->part));
        memcpy(b->carry_bar[0], b->times.event_bar, b->bytes);
        backward_add(b, apply->n_theta, 1, e->part, change->theta);
        *bar += backward_number(b, e->part, apply->n_theta - 1);
    }
    return STATUS_OK;
}

/* g(t, Y(t)) = 0 makes t a function of what Y is made of: dt = - dg/dy dY / (dg/dt + dg/dy Y'). */
static enum status constraint_back(struct backward *b, const struct event *event, double bar, double slope)
{
    struct events *e = b->o->events;
    struct backward_times *times = &b->times;
    const char *y = e->states + (size_t)(event - e->log) * e->bytes;
    memset(e->values, 0, (size_t)e->n * sizeof *e->values);
    e->values[event->rule] = 1;
    bar += backward_dot(b, b->carry_bar[0], times->slope) * slope;
    TRY(field_vjp(e->g, event->t, y, e->values, NULL, times->event_bar, e->part));
    double rate = backward_number(b, e->part, e->g->n_theta - 1) +
                  backward_dot(b, times->event_bar, times->slope) * slope;
    if (bar != 0 && (rate == 0 || !isfinite(bar / rate)))
        return status_fail(STATUS_NUMERIC, "not_finite", "the time of such an event has no derivative",
                           "odeint: g of event %d touches 0 at t = %.9g without a slope", event->rule + 1,
                           event->t);
    double share = bar == 0 ? 0 : -bar / rate;
    backward_add(b, b->s->n, share, times->event_bar, b->carry_bar[0]);
    backward_add(b, e->g->n_theta, share, e->part, e->g_theta);
    return STATUS_OK;
}

enum status times_behind(const struct events *e, const struct event *event, int n, const char **y)
{
    *y = e->states + (size_t)(event - e->log) * e->bytes;
    return changed(e, event, n, y);
}

enum status times_jump(struct backward *b, const struct event *event, int n, int ended)
{
    const struct events *e = b->o->events;
    double bar = end_bar(b);
    if (!ended) TRY(behind(b, event, n, 1, 0, NULL, &bar));
    TRY(changes_back(b, event, n, &bar));
    TRY(field_eval(b->f, event->t, e->states + (size_t)(event - e->log) * e->bytes, b->times.slope));
    return constraint_back(b, event, bar, 1);
}

enum status times_event(struct backward *b, int64_t step, int64_t first, int64_t last, const char *ybar)
{
    struct backward_times *times = &b->times;
    struct solver *s = b->s;
    const struct step *p = &b->p;
    int n, n_weights;
    const struct event *event = cut_of(b->o->events, step, &n);
    double bar = end_bar(b), w[MAX_CARRY + MAX_K];
    for (int c = 1; c < s->n_carry; c++) { /* copies of y */
        backward_add(b, s->n, 1, b->carry_bar[c], b->carry_bar[0]);
        memset(b->carry_bar[c], 0, b->bytes);
    }
    if (!b->o->events->ended || step < b->r->n - 1) TRY(behind(b, event, n, first, last, ybar, &bar));
    TRY(changes_back(b, event, n, &bar));
    double unit = 1;
    if (b->o->adaptive) { /* as at an output */
        TRY(field_eval(b->f, event->t,
                       b->o->events->states + (size_t)(event - b->o->events->log) * b->o->events->bytes,
                       times->slope));
    } else {
        unit = p->h;
        TRY(slope_at(b, event->theta));
    }
    TRY(constraint_back(b, event, bar, 1 / unit));
    if (event->theta == 1) return STATUS_OK;
    double inside = backward_dot(b, b->carry_bar[0], times->slope) / unit;
    times->start -= inside;
    times->size -= event->theta * inside;
    memcpy(times->event_bar, b->carry_bar[0], b->bytes);
    memset(b->carry_bar[0], 0, b->bytes);
    TRY(b->o->method.family->dense(s, b->f, &b->o->method, p, event->theta, 0, w, &n_weights));
    for (int c = 0; c < s->n_carry; c++)
        if (w[c] != 0) backward_add(b, s->n, w[c], times->event_bar, b->at_start[c]);
    return backward_from(b, times->event_bar, w + s->n_carry, n_weights - s->n_carry);
}
