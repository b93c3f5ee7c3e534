#include "solver/convoy.h"

#include <math.h>
#include <string.h>

#include "base/interrupt.h"
#include "kernels/loops.h"
#include "solver/convoy_places.h"

/* ---- evaluations ---- */

/* At the same time of every rider's step. */
static enum status stage(struct convoy *c, double at, const void *input, int i)
{
    for (int64_t j = 0; !c->width[c->at].field->autonomous && j < c->width[c->at].places; j++)
        if (c->rider[j].sample != NOBODY) c->moments[j] = step_time(&c->rider[j].p, at);
    return convoy_evaluate(c, input, c->k[i]);
}

void convoy_combine(struct convoy *c, const double *w, int count, void *out)
{
    const void *k[MAX_K];
    double weight[MAX_K];
    int n = 0;
    for (int j = 0; j < count; j++) {
        if (w[j] == 0) continue;
        weight[n] = w[j];
        k[n++] = c->k[j];
    }
    loops->combine_each[c->dtype](c->width[c->at].places * c->share, c->y, c->h, n, weight, k, out);
}

/* ---- a step of all ---- */

/* The stages and y at the end, as in explicit_step. */
static enum status step(struct convoy *c)
{
    const struct tableau *m = c->rk;
    int last = m->fsal ? m->stages - 1 : m->stages, ready = 1;
    for (int64_t i = 0; i < c->width[c->at].places; i++) {
        struct rider *r = &c->rider[i];
        double h = r->sample == NOBODY ? 0 : r->p.h;
        for (int64_t j = i * c->share; j < (i + 1) * c->share; j++) c->h[j] = h;
        if (r->sample == NOBODY) continue;
        ready &= r->ready;
        r->nfe += m->stages - r->ready;
        r->ready = 1;
    }
    if (!ready) TRY(stage(c, 0, c->y, 0)); /* again, of the others, with the same bits */
    for (int i = 1; i < last; i++) {
        convoy_combine(c, m->a[i], i, c->input);
        TRY(stage(c, m->c[i], c->input, i));
    }
    convoy_combine(c, m->b, m->stages, c->next);
    return m->fsal ? stage(c, 1, c->next, last) : STATUS_OK;
}

static void scale_errors(struct convoy *c)
{
    const struct solve_options *o = c->trip->o;
    const void *k[MAX_STAGES];
    double e[MAX_STAGES], low[MAX_STAGES], rtol = norm_rtol(o->rtol, c->dtype);
    int64_t all = c->width[c->at].places * c->share;
    int n = 0;
    for (int j = 0; j < c->rk->stages; j++) {
        if (c->rk->e[j] == 0 && c->rk->e_low[j] == 0) continue;
        e[n] = c->rk->e[j];
        low[n] = c->rk->e_low[j];
        k[n++] = c->k[j];
    }
    loops->error_squares[c->dtype](all, c->h, n, e, k, c->y, c->next, rtol, o->atol, c->square);
    if (c->square_low)
        loops->error_squares[c->dtype](all, c->h, n, low, k, c->y, c->next, rtol, o->atol, c->square_low);
}

/* Does an output time lie in the step, or at its end? See output.c. */
static int output_in(const struct convoy *c, const struct rider *r, double *at)
{
    const struct clock *k = &r->clock;
    double rounding = clock_rounding(k);
    if (r->next == c->trip->n_times) return 0;
    double t = c->trip->times[r->next];
    *at = (k->goal - t) * k->direction <= rounding ? 1 : (t - k->t) / r->p.h;
    return (t - k->goal) * k->direction <= rounding;
}

/* A tangent beside it? It is left to a solve of its own, which has the words. */
static int tangent_fails(struct convoy *c, int64_t i)
{
    int64_t n = c->layout.tangents;
    size_t at = (size_t)(c->share - n) * dtype_size(c->dtype);
    struct rider *r = &c->rider[i];
    return n > 0 && tangent_unstable(&r->growth, c->dtype, n, r->p.h, convoy_place(c, c->y, i) + at,
                                     convoy_place(c, c->k[0], i) + at, convoy_place(c, c->next, i) + at);
}

/* Which steps are good enough? Returns whether the interpolant is wanted somewhere. */
static int judge(struct convoy *c)
{
    int dense = 0;
    scale_errors(c);
    for (int64_t i = 0; i < c->width[c->at].places; i++) {
        struct rider *r = &c->rider[i];
        double at;
        if (r->sample == NOBODY) continue;
        double error = norm_of_squares(&c->layout, c->trip->o->norm, c->square + i * c->share,
                                       c->square_low ? c->square_low + i * c->share : NULL);
        enum clock_says says = clock_judge(&r->clock, &r->p, 1, error);
        r->made = says == CLOCK_ACCEPTED && convoy_is_finite(c, convoy_place(c, c->next, i)) &&
                  !tangent_fails(c, i);
        r->writes = r->made && output_in(c, r, &at);
        r->inside = r->writes && at < 1;
        dense |= r->inside;
        if (!r->made && says != CLOCK_REJECTED) convoy_leave(c, r);
    }
    return dense && c->rk->extra > 0;
}

/* The rows of the interpolant, as in explicit.c; f at the end is the first of them. */
static enum status extra_rows(struct convoy *c)
{
    const struct tableau *m = c->rk;
    int end = !m->fsal;
    if (end) TRY(stage(c, 1, c->next, m->stages));
    for (int e = end; e < m->extra; e++) {
        convoy_combine(c, m->extra_a[e], m->stages + e, c->input);
        TRY(stage(c, m->extra_c[e], c->input, m->stages + e));
    }
    return STATUS_OK;
}

static void interpolate(const struct convoy *c, int64_t i, double theta, void *out)
{
    double w[MAX_K], weight[MAX_K];
    const void *k[MAX_K];
    int count = 0, n = tableau_interpolate(c->rk, theta, w);
    for (int j = 0; j < n; j++) {
        if (w[j] * c->rider[i].p.h == 0) continue;
        weight[count] = w[j] * c->rider[i].p.h;
        k[count++] = convoy_place(c, c->k[j], i);
    }
    loops->combine[c->dtype](c->share, convoy_place(c, c->y, i), count, weight, k, out);
}

/* Returns 0 where one of them is not finite. */
static int write_outputs(const struct convoy *c, int64_t i, struct rider *r)
{
    const struct convoy_trip *t = c->trip;
    size_t pitch = (size_t)t->samples * c->bytes;
    for (double at; output_in(c, r, &at); r->next++) {
        char *out = t->out + (size_t)r->next * pitch + (size_t)r->sample * c->bytes;
        if (at < 1)
            interpolate(c, i, at, out);
        else
            memcpy(out, convoy_place(c, c->next, i), c->bytes);
        if (at < 1 && !convoy_is_finite(c, out)) return 0;
        if (t->records) record_output(&t->records[r->sample], r->next, r->clock.accepted, at);
    }
    return 1;
}

static enum status keep(const struct convoy *c, int64_t i)
{
    const struct rider *r = &c->rider[i];
    char *k[MAX_K];
    for (int j = 0; j < c->rk->stages; j++) k[j] = convoy_place(c, c->k[j], i);
    return record_copy(&c->trip->records[r->sample], c->trip->o, &c->like, &r->p, convoy_place(c, c->y, i),
                       k);
}

/* An accepted step is behind its rider; f at its end, where it is known, is the next first slope. */
static enum status move(struct convoy *c, int64_t i)
{
    const struct tableau *m = c->rk;
    struct rider *r = &c->rider[i];
    int dense = r->inside && m->extra > 0, end = m->fsal ? m->stages - 1 : dense ? m->stages : 0;
    r->nfe += dense ? m->extra : 0;
    if (r->writes && !write_outputs(c, i, r)) {
        convoy_leave(c, r);
        return STATUS_OK;
    }
    if (c->trip->records) TRY(keep(c, i));
    memcpy(convoy_place(c, c->y, i), convoy_place(c, c->next, i), c->bytes);
    if (end > 0) memcpy(convoy_place(c, c->k[0], i), convoy_place(c, c->k[end], i), c->bytes);
    clock_move(&r->clock, &r->p, 1);
    r->ready = end > 0 && !r->clock.behind_jump;
    return STATUS_OK;
}

enum status convoy_run(struct convoy *c, struct convoy_trip *trip)
{
    double begin = trip->times[0], end = trip->times[trip->n_times - 1];
    c->trip = trip;
    c->n = c->at = 0;
    c->waiting.at = c->waiting.n = 0;
    if (fabs(end - begin) < clock_smallest_step(fmax(fabs(begin), fabs(end)))) return STATUS_OK;
    for (int i = 0; i < c->n_widths; i++) c->width[i].bound = 0;
    for (int64_t i = 0; i < c->width[0].places; i++) c->rider[i].sample = NOBODY;
    for (;;) {
        TRY(convoy_fill(c));
        if (c->n == 0) return STATUS_OK;
        if (*trip->cancelled) return STATUS_INTERRUPTED;
        TRY(interrupt_poll());
        TRY(step(c));
        if (judge(c)) TRY(extra_rows(c));
        for (int64_t i = 0; i < c->width[c->at].places; i++) {
            struct rider *r = &c->rider[i];
            if (r->sample == NOBODY) continue;
            if (r->made) TRY(move(c, i));
            if (r->sample != NOBODY) convoy_next_step(c, r);
        }
    }
}
