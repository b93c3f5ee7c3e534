#include "solver/event.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/tuning.h"
#include "kernels/loops.h"
#include "solver/event_scan.h"
#include "solver/family.h"
#include "solver/march.h"

/* ---- memory ---- */

struct event_change *events_change(const struct events *e, int i) { return &e->rules[i / 2].change[i % 2]; }

const struct event_change *event_change(const struct events *e, const struct event *event)
{
    const struct event_change *change = e->rules[event->rule].change;
    return &change[event->ends && change[1].apply];
}

enum status events_new(struct events **out, int n)
{
    struct events *e = memory_zalloc(1, sizeof *e);
    if (!e) return memory_status();
    *out = e;
    e->n = n;
    e->rules = memory_zalloc((size_t)n, sizeof *e->rules);
    e->track = memory_zalloc(2 * (size_t)n, sizeof *e->track);
    e->hits = memory_zalloc((size_t)n, sizeof *e->hits);
    e->start = memory_zalloc((size_t)n, sizeof *e->start);
    e->values = memory_zalloc((size_t)n * EVENT_POINTS, sizeof *e->values);
    e->before = e->track + (e->track ? n : 0);
    if (e->rules && e->track && e->hits && e->start && e->values) return STATUS_OK;
    events_free(e);
    *out = NULL;
    return memory_status();
}

void events_free(struct events *e)
{
    if (!e) return;
    for (int i = 0; e->rules && i < 2 * e->n; i++) field_free(events_change(e, i)->apply);
    field_free(e->g);
    void *blocks[] = {e->rules, e->track,  e->hits,  e->start,       e->values,
                      e->log,   e->states, e->block, e->theta_block, e};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) memory_free(blocks[i]);
}

/* Room for the gradients of the fields' own parameters. */
static enum status make_theta(struct events *e)
{
    int64_t most = e->g->n_theta, sum = most;
    for (int i = 0; i < 2 * e->n; i++) {
        const struct field *apply = events_change(e, i)->apply;
        int64_t n = apply ? apply->n_theta : 0;
        most = n > most ? n : most;
        sum += n;
    }
    size_t size = dtype_size(e->g->dtype);
    memory_free(e->theta_block);
    e->theta_bytes = (size_t)(sum + most) * size;
    if (!(e->theta_block = memory_alloc(e->theta_bytes))) return memory_status();
    e->g_theta = e->theta_block;
    e->part = e->g_theta + (size_t)e->g->n_theta * size;
    char *at = e->part + (size_t)most * size;
    for (int i = 0; i < 2 * e->n; i++) {
        struct event_change *change = events_change(e, i);
        change->theta = at;
        if (change->apply) at += (size_t)change->apply->n_theta * size;
    }
    return STATUS_OK;
}

enum status events_prepare(struct events *e, unsigned works)
{
    for (int i = 0; i < 2 * e->n; i++)
        if (events_change(e, i)->apply) TRY(field_prepare(events_change(e, i)->apply, works));
    TRY(field_prepare(e->g, works));
    return works & FIELD_MASK(FIELD_VJP) ? make_theta(e) : STATUS_OK;
}

void events_gradient_begin(struct events *e) { memset(e->theta_block, 0, e->theta_bytes); }

static enum status add_theta(struct field *f, const char *own, void *thetabar, size_t bytes, void *scratch)
{
    const void *part = scratch;
    TRY(field_theta_gradient(f, own, scratch));
    loops->combine[f->dtype]((int64_t)(bytes / dtype_size(f->dtype)), thetabar, 1, (double[]){1}, &part,
                             thetabar);
    return STATUS_OK;
}

enum status events_gradient_end(struct events *e, void *thetabar, size_t bytes, void *scratch)
{
    if (bytes == 0) return STATUS_OK;
    for (int i = 0; i < 2 * e->n; i++) {
        const struct event_change *change = events_change(e, i);
        if (change->apply) TRY(add_theta(change->apply, change->theta, thetabar, bytes, scratch));
    }
    return add_theta(e->g, e->g_theta, thetabar, bytes, scratch);
}

static enum status bind(struct field *f, const void *const *parameters, int64_t first)
{
    f->first = first;
    return field_bind(f, parameters);
}

enum status events_bind(struct events *e, const void *const *parameters, int64_t first)
{
    for (int i = 0; i < 2 * e->n; i++)
        if (events_change(e, i)->apply) TRY(bind(events_change(e, i)->apply, parameters, first));
    return bind(e->g, parameters, first);
}

static enum status cut_fields(const struct events *e, int64_t rows, struct events *out, int *possible)
{
    TRY(field_cut(e->g, rows, 1, &out->g));
    *possible = out->g != NULL;
    for (int i = 0; i < e->n; i++) {
        out->rules[i] = e->rules[i];
        memset(out->rules[i].change, 0, sizeof out->rules[i].change);
    }
    for (int i = 0; i < 2 * e->n && *possible; i++) {
        const struct field *apply = events_change(e, i)->apply;
        if (!apply) continue;
        TRY(field_cut(apply, rows, 1, &events_change(out, i)->apply));
        *possible = events_change(out, i)->apply != NULL;
    }
    return STATUS_OK;
}

enum status events_cut(const struct events *e, int64_t rows, struct events **out)
{
    int possible = 0;
    TRY(events_new(out, e->n));
    enum status status = cut_fields(e, rows, *out, &possible);
    if (status == STATUS_OK && possible) return STATUS_OK;
    events_free(*out);
    *out = NULL;
    return status;
}

void events_swap(struct events *e, struct event_log *log)
{
    struct event_log of = {e->count, e->capacity, e->log, e->states, e->states_bytes, e->ended};
    e->count = log->count;
    e->capacity = log->capacity;
    e->log = log->log;
    e->states = log->states;
    e->states_bytes = log->states_bytes;
    e->ended = log->ended;
    *log = of;
}

void event_log_free(struct event_log *log)
{
    memory_free(log->log);
    memory_free(log->states);
    *log = (struct event_log){0};
}

/* Room for one more event. */
static enum status grow(struct events *e)
{
    if (e->count < e->capacity && (size_t)(e->count + 1) * e->bytes <= e->states_bytes) return STATUS_OK;
    int64_t next = 2 * e->count + 8;
    struct event *log = memory_realloc(e->log, (size_t)next * sizeof *log);
    if (!log) return memory_status();
    e->log = log;
    char *states = memory_realloc(e->states, (size_t)next * e->bytes);
    if (!states) return memory_status();
    e->states = states;
    e->states_bytes = (size_t)next * e->bytes;
    e->capacity = next;
    return STATUS_OK;
}

/* ---- what happens at a zero ---- */

static enum status pile_up(const struct events *e, const struct march *m, const struct event_hit *hit,
                           double t)
{
    const struct event_rule *rule = &e->rules[hit->rule];
    return status_fail(STATUS_NUMERIC, "underflow",
                       "let apply bring the state to rest when little is left of it, end the solve there "
                       "(terminal = n), or choose an earlier end",
                       "odeint: step size underflow: event %d%s%s happens again and again, %.3g apart at t = "
                       "%.9g, which t does not resolve (after %lld of them)",
                       hit->rule + 1, rule->name[0] ? " " : "", rule->name,
                       fabs(t - e->track[hit->rule].last), m->clock.t, (long long)e->count);
}

static int ends_solve(const struct events *e, int rule)
{
    return e->rules[rule].terminal > 0 && e->track[rule].counted >= e->rules[rule].terminal;
}

/* And would the next one? */
static int next_ends(const struct events *e, int rule)
{
    return e->rules[rule].terminal > 0 && e->track[rule].counted + 1 >= e->rules[rule].terminal;
}

static int cuts(const struct events *e, int rule)
{
    return e->rules[rule].change[0].apply || next_ends(e, rule);
}

static enum status note(struct events *e, struct march *m, const struct step *p, const struct event_hit *hit,
                        double theta, int cut)
{
    TRY(grow(e));
    TRY(event_state(e, m, theta, e->states + (size_t)e->count * e->bytes));
    e->log[e->count++] = (struct event){.t = clock_time(&m->clock, p, theta),
                                        .theta = theta,
                                        .rounding = clock_rounding(&m->clock),
                                        .step = m->clock.accepted,
                                        .rule = hit->rule,
                                        .direction = hit->direction,
                                        .cuts = cut,
                                        .ends = next_ends(e, hit->rule)};
    e->track[hit->rule].counted++;
    return STATUS_OK;
}

/* The states behind the changes at a cut: one event's after the other's. */
static enum status change_state(struct events *e, struct march *m, const struct event_hit *hits, int n,
                                double t)
{
    const char *y = e->states + (size_t)(e->count - 1) * e->bytes;
    int at = 1;
    for (int i = 0; i < n; i++) {
        struct event_track *track = &e->track[hits[i].rule];
        track->sign = 0;
        track->noise = 2 * hits[i].noise;
        if (ends_solve(e, hits[i].rule)) {
            m->clock.end = t;
            m->ended = e->ended = 1;
        }
        struct field *apply = event_change(e, &e->log[e->count - n + i])->apply;
        if (!apply) continue;
        if (fabs(t - track->last) < EVENT_PILE_UP * clock_smallest_step(t)) return pile_up(e, m, &hits[i], t);
        track->last = t;
        TRY(field_eval(apply, t, y, e->y[at]));
        if (!solver_is_finite(m->s, e->y[at]))
            return failure_not_finite(m, 0, e->y[at], "what apply returned");
        y = m->after = e->y[at];
        at = 3 - at;
    }
    e->t = NAN;
    return STATUS_OK;
}

/* Behind those that fall together with hit i, which are then in the order of their numbers: what t hardly
 * tells apart has no other. */
static int together(const struct march *m, const struct step *p, struct event_hit *hits, int i, int n)
{
    double far = hits[i].theta + 4 * event_resolution(m, p, hits[i].theta);
    int end = i + 1;
    for (; end < n && hits[end].theta <= far; end++) {
        struct event_hit hit = hits[end];
        int k = end;
        for (; k > i && hits[k - 1].rule > hit.rule; k--) hits[k] = hits[k - 1];
        hits[k] = hit;
    }
    return end;
}

/* Is the step worth to be made once more, to end just behind theta? Interpolants an order below the method
 * that have no evaluations of their own are off in the middle of a step, and not near its ends. */
static int lands(const struct march *m, const struct step *p, double theta)
{
    const struct method *by = made_by(&m->o->method, p);
    int coarse = by->rk.dense_order < by->rk.order && by->rk.extra <= 1 && !by->family->adapt;
    return m->o->adaptive && coarse && isnan(m->clock.landing) && m->clock.error > EVENT_EXACT &&
           4 * theta * (1 - theta) > EVENT_MIDDLE;
}

/* The step begins anew. */
static void take_back(struct events *e, struct march *m, const struct step *p, double theta, int64_t count)
{
    memcpy(e->track, e->before, (size_t)e->n * sizeof *e->track);
    e->count = count;
    clock_land(&m->clock, p, theta);
    m->again = 1;
}

/* The zeros of an interval, in order; those that fall together are at one time, and the first of these times
 * at which something changes cuts the step. */
static enum status happen(struct events *e, struct march *m, const struct step *p, int n, double *theta,
                          int *cut)
{
    struct event_hit *hits = e->hits;
    *cut = 0;
    for (int i = 0, end; i < n && !*cut; i = end) {
        double at = hits[i].theta,
               beyond = (clock_time(&m->clock, p, at) - m->clock.end) * m->clock.direction;
        if (at > *theta || beyond > 0) return STATUS_OK;
        end = together(m, p, hits, i, n);
        for (int k = i; k < end; k++) {
            at = fmax(at, hits[k].theta);
            *cut |= cuts(e, hits[k].rule);
        }
        *theta = *cut ? at : *theta;
        if (*cut && lands(m, p, at)) return STATUS_OK;
        for (int k = i; k < end; k++) TRY(note(e, m, p, &hits[k], at, *cut));
        if (!*cut) continue;
        TRY(change_state(e, m, hits + i, end - i, clock_time(&m->clock, p, at)));
    }
    return STATUS_OK;
}

static enum status events_accepted(struct observer *self, struct march *m, const struct step *p,
                                   double *theta)
{
    struct events *e = (struct events *)self;
    int cut = 0, hits;
    int64_t count = e->count;
    memcpy(e->before, e->track, (size_t)e->n * sizeof *e->track);
    TRY(event_points(e, m, p));
    TRY(event_refine(e, m, p));
    for (int i = 0; i + 1 < e->points && !cut; i++) {
        TRY(event_hits(e, m, p, i, &hits));
        TRY(happen(e, m, p, hits, theta, &cut));
    }
    if (cut && lands(m, p, *theta)) take_back(e, m, p, *theta, count);
    if (cut) return STATUS_OK;
    e->t = *theta < 1 ? NAN : m->clock.goal;
    memcpy(e->start, event_row(e, e->points - 1), (size_t)e->n * sizeof *e->start);
    return STATUS_OK;
}

enum status events_reserve(struct events *e, const struct solver *s)
{
    size_t bytes = solver_bytes(s);
    if (!e->block || e->bytes != bytes) {
        memory_free(e->block);
        if (!(e->block = memory_alloc(3 * bytes))) return memory_status();
    }
    e->n_state = s->n;
    e->dtype = s->dtype;
    e->bytes = bytes;
    for (int i = 0; i < 3; i++) e->y[i] = e->block + (size_t)i * bytes;
    return STATUS_OK;
}

enum status events_begin(struct events *e, const struct solver *s)
{
    TRY(events_reserve(e, s));
    for (int i = 0; i < e->n; i++) e->track[i] = (struct event_track){.last = NAN};
    e->base = (struct observer){.accepted = events_accepted};
    e->count = 0;
    e->ended = 0;
    e->t = NAN;
    return STATUS_OK;
}
