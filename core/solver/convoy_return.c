/* The way back of a convoy: who goes with whom, from the last steps to the first ones. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/interrupt.h"
#include "base/memory.h"
#include "kernels/loops.h"
#include "solver/convoy_places.h"

/* ---- who goes with whom ---- */

static int more_steps(const void *x, const void *y)
{
    const struct convoy_turn *a = x, *b = y;
    if (a->steps != b->steps) return a->steps > b->steps ? -1 : 1;
    return a->sample < b->sample ? -1 : a->sample > b->sample;
}

/* Is enough of so many places in use, of samples in order? */
static int fills(const struct convoy_turn *turn, int64_t n, int64_t places)
{
    int64_t steps = 0;
    for (int64_t i = 0; i < n; i++) steps += turn[i].steps;
    return CONVOY_FILLED * steps >= places * turn[0].steps;
}

int64_t convoy_groups(const struct convoy *c, struct convoy_turn *turn, int64_t n, struct convoy_group *out)
{
    int64_t count = 0;
    qsort(turn, (size_t)n, sizeof *turn, more_steps);
    for (int64_t at = 0, taken; at < n; at += taken) {
        int w = 0;
        for (;; w++) {
            taken = n - at < c->width[w].places ? n - at : c->width[w].places;
            if (w + 1 == c->n_widths || fills(turn + at, taken, c->width[w].places)) break;
        }
        out[count++] = (struct convoy_group){turn + at, taken, w};
    }
    return count;
}

/* ---- a group ---- */

static enum status depart(struct convoy *c, const struct convoy_home *home, const struct convoy_group *g)
{
    struct way_back *b = &c->back;
    struct width *w = &c->width[c->at];
    for (int64_t i = 0; i < w->places; i++) {
        const struct convoy_turn *turn = &g->turn[i < g->n ? i : 0];
        struct solve_record *record = &home->records[turn->sample];
        struct returner *r = &b->rider[i];
        *r = (struct returner){.sample = turn->sample, .steps = turn->steps, .output = home->n_times - 1};
        c->samples[i] = turn->sample;
        if (!record->some || i >= g->n) continue;
        r->carry = &b->retriever[i];
        TRY(backward_retriever(&r->carry->b, &r->carry->s, c->alone, home->o, record));
    }
    if (!w->bound || c->entries) TRY(field_bind(w->field, home->parameters));
    if (b->retriever && !c->entries && !b->alone_bound) TRY(field_bind(c->alone, home->parameters));
    w->bound = b->alone_bound = 1;
    memset(b->lambda, 0, (size_t)w->places * c->bytes);
    memset(b->theta, 0, (size_t)w->field->n_theta * dtype_size(c->dtype));
    return STATUS_OK;
}

static int is_finite(enum dtype dtype, int64_t n, const void *x)
{
    return n == 0 || isfinite(loops->sum[dtype](n, x, 1));
}

static int has_numbers(const struct convoy *c, const struct convoy_home *home, const struct convoy_group *g)
{
    int finite = is_finite(c->dtype, c->width[c->at].field->n_theta, c->back.theta);
    for (int64_t i = 0; i < g->n; i++)
        finite &= is_finite(c->dtype, c->share, home->y0bar + (size_t)g->turn[i].sample * c->bytes);
    return finite;
}

enum status convoy_return(struct convoy *c, struct convoy_home *home, const struct convoy_group *g,
                          struct convoy_gradient *out)
{
    c->at = g->width;
    TRY(depart(c, home, g));
    for (int64_t n = g->n, first = 1; n > 0 && !home->lost; first = 0) {
        if (*home->cancelled) return STATUS_INTERRUPTED;
        TRY(interrupt_poll());
        TRY(convoy_step_back(c, home, &n, (int)first));
    }
    *out = (struct convoy_gradient){c->width[c->at].field, c->back.theta, c->back.scratch};
    if (!home->lost && !has_numbers(c, home, g)) home->lost = 1;
    return STATUS_OK;
}

/* ---- making ---- */

void convoy_begin_return(struct convoy *c)
{
    for (int i = 0; i < c->n_widths; i++) c->width[i].bound = 0;
    c->back.alone_bound = 0;
}

int convoy_returns(const struct convoy *c) { return c->back.block != NULL; }

static enum status make_retrievers(struct convoy *c, const struct method *m)
{
    int64_t n = c->width[0].places;
    if (!(c->back.retriever = memory_zalloc((size_t)n, sizeof *c->back.retriever))) return memory_status();
    for (int64_t i = 0; i < n; i++) TRY(solver_reserve(&c->back.retriever[i].s, c->share, c->dtype, m));
    return STATUS_OK;
}

void convoy_free_back(struct convoy *c)
{
    for (int64_t i = 0; c->back.retriever && i < c->width[0].places; i++)
        solver_release(&c->back.retriever[i].s);
    memory_free(c->back.retriever);
    memory_free(c->back.rider);
    memory_free(c->back.block);
    memory_free(c->back.scratch);
}

enum status convoy_make_back(struct convoy *c, const struct solve_options *o)
{
    struct way_back *b = &c->back;
    int64_t places = c->width[0].places, theta = 0, all = 0;
    int n_k = c->rk->stages + c->rk->extra;
    size_t vector = ((size_t)places * c->bytes + MEMORY_SLACK + 63) & ~(size_t)63;
    for (int i = 0; i < c->n_widths; i++) {
        const struct field *f = c->width[i].field;
        int64_t n = 0;
        for (int j = 0; j < f->n_sources; j++) n += f->sources[j].n;
        theta = f->n_theta > theta ? f->n_theta : theta;
        all = n > all ? n : all;
    }
    size_t size = dtype_size(c->dtype), thetas = ((size_t)theta * size + MEMORY_SLACK + 63) & ~(size_t)63;
    b->rider = memory_zalloc((size_t)places, sizeof *b->rider);
    b->scratch = memory_alloc((size_t)all * size);
    b->block = memory_zalloc(1, (size_t)(2 * n_k + 4) * vector + 2 * thetas);
    if (!b->rider || !b->scratch || !b->block) return memory_status();
    char *at = b->block;
    b->lambda = at;
    b->kbar = at += vector;
    b->start = at += vector;
    b->none = at += vector;
    for (int i = 0; i < n_k; i++) b->k_bar[i] = at += vector;
    for (int i = 0; i < n_k; i++) b->outside[i] = at += vector;
    b->theta = at += vector;
    b->part = at + thetas;
    return o->gradient == GRADIENT_CHECKPOINT ? make_retrievers(c, &o->method) : STATUS_OK;
}
