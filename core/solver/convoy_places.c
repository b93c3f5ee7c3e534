#include "solver/convoy_places.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "solver/family.h"
#include "solver/instability.h"

enum status convoy_evaluate(struct convoy *c, const void *input, void *slope)
{
    struct width *w = &c->width[c->at];
    if (!w->bound) TRY(field_bind(w->field, c->trip->parameters));
    w->bound = 1;
    return field_eval(w->field, 0, input, slope);
}

/* ---- riders come and go ---- */

int convoy_is_finite(const struct convoy *c, const void *v)
{
    int finite = 1;
    for (int64_t i = 0; i < c->share; i++)
        finite &= isfinite(c->dtype == FLOAT32 ? (double)((const float *)v)[i] : ((const double *)v)[i]) != 0;
    return finite;
}

void convoy_leave(struct convoy *c, struct rider *r)
{
    r->sample = NOBODY;
    c->n--;
}

static void arrive(struct convoy *c, struct rider *r)
{
    const struct convoy_trip *t = c->trip;
    t->stats[r->sample] = (struct solve_stats){.nfe = r->nfe,
                                               .steps = r->clock.steps,
                                               .accepted = r->clock.accepted,
                                               .rejected = r->clock.rejected,
                                               .t_begin = t->times[0],
                                               .t_end = r->clock.t,
                                               .stopped = r->next < t->n_times,
                                               .reached = r->next};
    t->left[r->sample] = r->next < t->n_times || (t->records && t->records[r->sample].lacks_room);
    convoy_leave(c, r);
}

void convoy_next_step(struct convoy *c, struct rider *r)
{
    r->clock.nfe = r->nfe;
    enum clock_says says = clock_next(&r->clock, &r->p);
    if (says == CLOCK_END) arrive(c, r);
    if (says != CLOCK_STEP && says != CLOCK_END) convoy_leave(c, r);
}

static enum status begin_record(struct convoy *c, int64_t sample)
{
    const struct convoy_trip *t = c->trip;
    struct solve_record *r = &t->records[sample];
    TRY(record_begin_copies(r, &c->like, c->alone, t->o, t->n_times));
    record_output(r, 0, -1, 0);
    return STATUS_OK;
}

static enum status board(struct convoy *c, int64_t i)
{
    const struct convoy_trip *t = c->trip;
    struct rider *r = &c->rider[i];
    int64_t w = c->waiting.at++, sample = c->waiting.first + w;
    if (!(c->waiting.h[w] > 0)) return STATUS_OK; /* it has not begun well */
    if (t->records) TRY(begin_record(c, sample));
    *r = (struct rider){.sample = sample, .next = 1, .nfe = t->o->first_step > 0 ? 1 : 2, .ready = 1};
    c->n++;
    c->samples[i] = sample;
    c->width[c->at].bound &= !c->entries;
    memcpy(convoy_place(c, c->y, i), t->y0 + (size_t)sample * c->bytes, c->bytes);
    memcpy(convoy_place(c, c->k[0], i), convoy_place(c, c->waiting.slope, w), c->bytes);
    memcpy(t->out + (size_t)sample * c->bytes, convoy_place(c, c->y, i), c->bytes);
    clock_begin(&r->clock, t->o, t->times[0], t->times[t->n_times - 1]);
    if (t->o->first_step > 0)
        r->clock.h = t->o->first_step;
    else
        clock_first(&r->clock, c->waiting.h[w]);
    convoy_next_step(c, r);
    return STATUS_OK;
}

/* ---- beginnings: f(t0, y0) and the first steps of those that wait, evaluated together ---- */

static void start_at(struct convoy *c, double t)
{
    for (int64_t i = 0; i < c->width[0].places; i++) c->moments[i] = t;
}

static enum status probe(struct convoy *c, const struct clock *clock)
{
    const struct convoy_trip *t = c->trip;
    struct step room = clock_room(clock);
    for (int64_t i = 0; i < c->waiting.n; i++) {
        c->waiting.probe[i] =
            solve_probe(&c->layout, t->o, c->dtype, c->share, clock->t, convoy_place(c, c->input, i),
                        convoy_place(c, c->waiting.slope, i), clock->direction,
                        t->o->overshoot ? NULL : &room, convoy_place(c, c->next, i));
        c->moments[i] = c->waiting.probe[i].t1;
    }
    TRY(convoy_evaluate(c, c->next, c->k[1]));
    for (int64_t i = 0; i < c->waiting.n; i++)
        if (c->waiting.h[i] > 0)
            c->waiting.h[i] = solve_probed(&c->waiting.probe[i], &c->layout, t->o, c->dtype, c->share,
                                           convoy_place(c, c->input, i), convoy_place(c, c->waiting.slope, i),
                                           convoy_place(c, c->k[1], i));
    return STATUS_OK;
}

/* Take samples; their places in the field are free for that, but for what k[0] holds. */
static enum status call_next(struct convoy *c)
{
    struct convoy_trip *t = c->trip;
    int64_t most = c->width[0].places, first = atomic_fetch_add(&t->next, most);
    c->waiting.first = first;
    c->waiting.at = 0;
    c->waiting.n = first >= t->samples ? 0 : t->samples - first < most ? t->samples - first : most;
    if (c->waiting.n == 0) return STATUS_OK;
    struct clock clock;
    clock_begin(&clock, t->o, t->times[0], t->times[t->n_times - 1]);
    int64_t riders[CONVOY_PLACES];
    memcpy(riders, c->samples, (size_t)most * sizeof *riders);
    for (int64_t i = 0; i < most; i++) c->samples[i] = first + (i < c->waiting.n ? i : 0);
    c->width[0].bound &= !c->entries;
    memcpy(c->input, t->y0 + (size_t)first * c->bytes, (size_t)c->waiting.n * c->bytes);
    start_at(c, clock_room(&clock).t);
    TRY(convoy_evaluate(c, c->input, c->waiting.slope));
    for (int64_t i = 0; i < c->waiting.n; i++)
        c->waiting.h[i] = convoy_is_finite(c, convoy_place(c, c->input, i)) &&
                          convoy_is_finite(c, convoy_place(c, c->waiting.slope, i));
    if (!(t->o->first_step > 0)) TRY(probe(c, &clock));
    memcpy(c->samples, riders, (size_t)most * sizeof *riders);
    c->width[0].bound &= !c->entries;
    return STATUS_OK;
}

/* The riders that are left move up to the first places. */
static void close_up(struct convoy *c, int64_t places)
{
    int64_t to = 0;
    for (int64_t i = 0; i < c->width[c->at].places; i++) {
        if (c->rider[i].sample == NOBODY) continue;
        if (to < i) {
            memcpy(convoy_place(c, c->y, to), convoy_place(c, c->y, i), c->bytes);
            memcpy(convoy_place(c, c->k[0], to), convoy_place(c, c->k[0], i), c->bytes);
            c->rider[to] = c->rider[i];
            c->samples[to] = c->samples[i];
            c->rider[i].sample = NOBODY;
        }
        to++;
    }
    for (; to < places; to++) c->samples[to] = c->samples[0];
}

enum status convoy_fill(struct convoy *c)
{
    int all = 0;
    for (int64_t i = 0; c->at == 0 && i < c->width[0].places && !all; i++)
        while (c->rider[i].sample == NOBODY && !all) {
            if (c->waiting.at == c->waiting.n) TRY(call_next(c));
            if (!(all = c->waiting.n == 0)) TRY(board(c, i));
        }
    int at = c->at;
    while (at + 1 < c->n_widths && c->n <= c->width[at + 1].places) at++;
    if (at == c->at || c->n == 0) return STATUS_OK;
    close_up(c, c->width[at].places);
    c->at = at;
    c->width[at].bound &= !c->entries;
    return STATUS_OK;
}

/* ---- making ---- */

/* An option that is about more than the steps of a sample and its states at the output times. */
static int is_simple(const struct solve_options *o, const struct state_layout *l, int64_t share)
{
    return o->per_sample && o->adaptive && o->method.family == &family_explicit && !o->method.pair[0] &&
           !instability_looks(o) && o->method.half == 0 && !o->events && !o->observers && !o->in_order &&
           !o->path && !o->own_norm && !(o->max_seconds > 0) && !l->rtols && !l->atols && l->copies <= 1 &&
           l->extra == 0 && share > 0 && share <= SOLVER_BLOCK_ELEMENTS;
}

/* As many places as the field can be cut to, and two lesser widths for the last samples. */
static enum status make_widths(struct convoy *c, const struct field *f, const struct field *alone,
                               unsigned works, int64_t most)
{
    int64_t places = most < CONVOY_PLACES ? most : CONVOY_PLACES;
    while (places >= CONVOY_LEAST && c->n_widths < CONVOY_WIDTHS) {
        struct width *w = &c->width[c->n_widths];
        TRY(field_abreast(f, places, alone, works, &w->field));
        w->places = places;
        if (w->field) {
            w->field->samples = c->samples;
            w->field->times = c->moments;
            c->n_widths++;
        }
        places /= CONVOY_NARROWER;
    }
    return STATUS_OK;
}

static enum status make_vectors(struct convoy *c)
{
    int64_t places = c->width[0].places;
    int n_k = c->rk->stages + (c->rk->extra > 0 ? c->rk->extra : 1);
    size_t vector = ((size_t)places * c->bytes + MEMORY_SLACK + 63) & ~(size_t)63;
    c->rider = memory_zalloc((size_t)places, sizeof *c->rider);
    c->h = memory_zalloc((size_t)(places * c->share), 3 * sizeof *c->h);
    c->waiting.h = memory_zalloc((size_t)places, sizeof *c->waiting.h);
    c->waiting.probe = memory_zalloc((size_t)places, sizeof *c->waiting.probe);
    c->block = memory_zalloc((size_t)n_k + 4, vector);
    if (!c->rider || !c->h || !c->waiting.h || !c->waiting.probe || !c->block) return memory_status();
    c->square = c->h + places * c->share;
    c->square_low = c->rk->two_errors ? c->square + places * c->share : NULL;
    char *at = c->block;
    c->y = at;
    c->next = at += vector;
    c->input = at += vector;
    c->waiting.slope = at += vector;
    for (int i = 0; i < n_k; i++) c->k[i] = at += vector;
    return STATUS_OK;
}

/* For both ways; else forwards alone. */
static enum status make(struct convoy *c, const struct field *f, struct field *alone,
                        const struct solve_options *o, int64_t most, int back)
{
    unsigned works = FIELD_MASK(FIELD_EVAL);
    c->samples = memory_zalloc(CONVOY_PLACES, sizeof *c->samples);
    c->moments = memory_zalloc(CONVOY_PLACES, sizeof *c->moments);
    if (!c->samples || !c->moments) return memory_status();
    if (back) TRY(make_widths(c, f, alone, works | FIELD_MASK(FIELD_VJP), most));
    if (!(back = c->n_widths > 0)) TRY(make_widths(c, f, alone, works, most));
    if (c->n_widths == 0) return STATUS_OK;
    const struct field *widest = c->width[0].field;
    for (int i = 0; i < widest->n_sources; i++) c->entries |= widest->sources[i].batch > 0;
    TRY(make_vectors(c));
    return back ? convoy_make_back(c, o) : STATUS_OK;
}

enum status convoy_new(struct convoy **out, const struct field *f, struct field *alone,
                       const struct solve_options *o, const struct state_layout *layout, int64_t most,
                       int back)
{
    *out = NULL;
    if (!is_simple(o, layout, alone->n) || most < CONVOY_LEAST) return STATUS_OK;
    struct convoy *c = memory_zalloc(1, sizeof *c);
    if (!c) return memory_status();
    c->rk = &o->method.rk;
    c->layout = *layout;
    c->share = alone->n;
    c->dtype = alone->dtype;
    c->bytes = (size_t)c->share * dtype_size(c->dtype);
    c->alone = alone;
    enum status status = solver_reserve(&c->like, c->share, c->dtype, &o->method);
    if (status == STATUS_OK) status = make(c, f, alone, o, most, back);
    if (status == STATUS_OK && c->n_widths > 0)
        *out = c;
    else
        convoy_free(c);
    return status;
}

int convoy_records(const struct convoy *c, const struct solve_options *o)
{
    return convoy_returns(c) || (o->gradient == GRADIENT_DIRECT && c->alone->kept_bytes == 0);
}

int64_t convoy_places(const struct convoy *c) { return c->width[0].places; }

void convoy_free(struct convoy *c)
{
    if (!c) return;
    solver_release(&c->like);
    convoy_free_back(c);
    for (int i = 0; i < c->n_widths; i++) field_free(c->width[i].field);
    void *blocks[] = {c->rider, c->samples, c->moments, c->h, c->waiting.h, c->waiting.probe, c->block, c};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) memory_free(blocks[i]);
}
