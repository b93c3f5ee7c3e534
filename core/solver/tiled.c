#include "solver/tiled.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/seconds.h"
#include "solver/path.h"
#include "solver/tiled_lanes.h"

struct tiled_run {
    struct tiled *t;
    const struct solve_options *o;
    const void *const *parameters; /* NULL: bound already */
    const double *times;
    int64_t n_times;
    int record;
    const char *y0;
    char *out;
    const struct gradient *gradient;
    void *thetabar;     /* of the parameters, all of it */
    double *times_bars; /* of the tiles, one after the other */
    int abreast;        /* samples have gone so, but for those left */
};

static enum status bind(struct tiled *t, struct tiled_lane *lane, int64_t sample)
{
    for (int k = 0; k < 2; k++) {
        if (!lane->field[k]) continue;
        lane->field[k]->first = sample;
        TRY(field_bind(lane->field[k], t->parameters));
    }
    return lane->events ? events_bind(lane->events, t->parameters, sample) : STATUS_OK;
}

/* Does a sample see options that are not those of all? */
static int has_own(const struct tiled_run *r, const struct tiled_lane *lane)
{
    return lane->events || (r->o && r->o->path);
}

static enum status enter_lane(void *context, int64_t i)
{
    const struct tiled_run *r = context;
    struct tiled_lane *lane = &r->t->lanes[i];
    if (has_own(r, lane)) {
        lane->options = *(r->gradient ? r->gradient->o : r->o);
        lane->options.events = lane->events;
    }
    return r->parameters && !r->t->entries ? bind(r->t, lane, 0) : STATUS_OK;
}

/* Around what is done with a sample: its entries, its events. */
static enum status enter_sample(struct tiled *t, const struct tile *tile)
{
    struct tiled_lane *lane = &t->lanes[tile->lane];
    if (lane->events) events_swap(lane->events, &t->logs[tile->index]);
    return t->entries ? bind(t, lane, tile->index) : STATUS_OK;
}

static void leave_sample(struct tiled *t, const struct tile *tile)
{
    struct tiled_lane *lane = &t->lanes[tile->lane];
    if (lane->events) events_swap(lane->events, &t->logs[tile->index]);
}

/* The solver that goes through a tile, the layout of its state, and the bytes before that. */
static struct solver *solver_at(const struct tiled *t, const struct tile *tile,
                                const struct state_layout **out, size_t *at)
{
    struct tiled_lane *lane = &t->lanes[tile->lane];
    struct solver *s = &lane->solver[tile->size];
    struct state_layout *layout = &lane->layout[tile->size];
    *out = layout;
    s->first = tile->first * t->share;
    *at = (size_t)s->first * dtype_size(s->dtype);
    if (t->by_sample) {
        *layout = t->layout;
        int64_t tolerances = tile->index * (layout->toleranced > 0 ? layout->toleranced : t->share);
        if (layout->rtols) layout->rtols += tolerances;
        if (layout->atols) layout->atols += tolerances;
    } else
        *layout =
            (struct state_layout){.n_parts = 1, .size = {s->n}, .batch = tile->rows, .controlled = s->n};
    return s;
}

static enum status solve_tile(void *context, struct tile *tile)
{
    const struct tiled_run *r = context;
    struct tiled *t = r->t;
    const struct state_layout *layout;
    size_t at;
    if (r->abreast && !t->left[tile->index]) return STATUS_OK;
    struct solver *s = solver_at(t, tile, &layout, &at);
    struct tiled_lane *lane = &t->lanes[tile->lane];
    enum status status = enter_sample(t, tile);
    if (r->o->path) lane->options.path = r->o->path + tile->index;
    if (status == STATUS_OK)
        status = solve(s, lane->field[tile->size], has_own(r, lane) ? &lane->options : r->o, layout,
                       r->y0 + at, r->times, r->n_times, r->out + at,
                       r->record ? &t->records[tile->index] : NULL, &t->stats[tile->index]);
    leave_sample(t, tile);
    const struct report *failure = t->stats[tile->index].failure; /* in memory of a lane */
    if (status == STATUS_OK && failure) status = status_again(STATUS_NUMERIC, failure);
    t->stats[tile->index].failure = NULL;
    t->stats[tile->index].switches = NULL;
    tile->steps = t->stats[tile->index].steps;
    t->failed[tile->index] = status == STATUS_NUMERIC;
    return status;
}

/* Gradients of parameters, by each field, to where they belong. */
static enum status differentiate_entries(const struct tiled_run *r, const struct tile *tile,
                                         struct gradient *g)
{
    struct tiled *t = r->t;
    struct tiled_lane *lane = &t->lanes[tile->lane];
    const struct tiled_theta *by = &t->by_entries;
    struct events *e = lane->events;
    g->thetabar = lane->own;
    TRY(gradient_of_solve(g, &t->stats[tile->index]));
    memset(tile->thetabar, 0, (size_t)by->shared * dtype_size(g->f->dtype));
    TRY(tiled_theta_add(by, g->f, lane->own, tile->thetabar, r->thetabar, lane->scratch));
    if (!e || e->count == 0) return STATUS_OK;
    for (int i = 0; i < 2 * e->n; i++) {
        const struct event_change *change = events_change(e, i);
        if (!change->apply) continue;
        TRY(tiled_theta_add(by, change->apply, change->theta, tile->thetabar, r->thetabar, lane->scratch));
    }
    return tiled_theta_add(by, e->g, e->g_theta, tile->thetabar, r->thetabar, lane->scratch);
}

static enum status differentiate_tile(void *context, struct tile *tile)
{
    const struct tiled_run *r = context;
    struct tiled *t = r->t;
    const struct state_layout *layout;
    size_t at;
    struct gradient g = *r->gradient;
    struct gradient_times times = *g.times;
    if (times.bar) times.bar = r->times_bars + tile->index * times.n;
    if (t->stats[tile->index].stopped) times.n = t->stats[tile->index].reached;
    if (times.end_bar) times.end_bar += tile->index;
    g.times = &times;
    g.s = solver_at(t, tile, &layout, &at);
    char *again = *g.again ? *g.again + at : NULL;
    g.f = t->lanes[tile->lane].field[tile->size];
    g.layout = layout;
    g.record = &t->records[tile->index];
    g.y0 += at;
    g.y += at;
    g.ybar += at;
    g.again = &again;
    g.y0bar = (char *)g.y0bar + at;
    g.thetabar = tile->thetabar;
    enum status status = enter_sample(t, tile);
    if (t->lanes[tile->lane].events) {
        g.o = &t->lanes[tile->lane].options;
        events_gradient_begin(t->lanes[tile->lane].events);
    }
    if (status == STATUS_OK)
        status = t->by_entries.n > 0 ? differentiate_entries(r, tile, &g)
                                     : gradient_of_solve(&g, &t->stats[tile->index]);
    leave_sample(t, tile);
    t->failed[tile->index] = status == STATUS_NUMERIC;
    return status;
}

/* Of tiles that all do the same; samples have steps of their own, and an evaluation of the batch moves all of
 * them that are not done. */
void tiled_sum(const struct tiled *t, struct solve_stats *sum)
{
    *sum = t->stats[t->tiles.failed];
    for (int64_t i = 0; t->by_sample && i < t->tiles.cut.n; i++) {
        const struct solve_stats *s = &t->stats[i];
        if (i == 0) *sum = (struct solve_stats){0};
        sum->nfe = s->nfe > sum->nfe ? s->nfe : sum->nfe;
        sum->nfe_backward = s->nfe_backward > sum->nfe_backward ? s->nfe_backward : sum->nfe_backward;
        sum->steps += s->steps;
        sum->accepted += s->accepted;
        sum->rejected += s->rejected;
        sum->implicit |= s->implicit;
        sum->stopped |= s->stopped;
        sum->jacobians += s->jacobians;
        sum->factorizations += s->factorizations;
        sum->unrefined += s->unrefined;
    }
}

/* The failure of one sample says which others failed. */
static enum status name_samples(const struct tiled *t, enum status status)
{
    if (!t->by_sample || status != STATUS_NUMERIC) return status;
    struct failure *f = status_failure();
    char list[128] = "";
    size_t length = 0;
    f->n_samples = 0;
    for (int64_t i = 0; i < t->tiles.cut.n; i++) {
        if (!t->failed[i]) continue;
        if (f->n_samples < FAILURE_SAMPLES) f->sample[f->n_samples] = i + 1;
        if (f->n_samples++ < 8)
            length += (size_t)snprintf(list + length, sizeof list - length, "%s%lld", length > 0 ? ", " : "",
                                       (long long)i + 1);
    }
    return status_prefix(status, "odeint, sample %lld of %lld (%lld failed: %s%s)",
                         (long long)t->tiles.failed + 1, (long long)t->tiles.cut.n, (long long)f->n_samples,
                         list, f->n_samples > 8 ? ", ..." : "");
}

/* ---- samples whose steps somebody else makes ---- */

enum status tiled_enter(struct tiled *t, const struct solve_options *o, const void *const *parameters,
                        int64_t sample, struct tiled_sample *out)
{
    struct tiled_run run = {.t = t, .o = o, .parameters = parameters};
    struct tile tile = {.index = sample, .first = sample, .rows = 1};
    t->parameters = parameters;
    TRY(enter_lane(&run, 0));
    out->s = solver_at(t, &tile, &out->layout, &out->at);
    out->f = t->lanes[0].field[0];
    out->o = has_own(&run, &t->lanes[0]) ? &t->lanes[0].options : o;
    return enter_sample(t, &tile);
}

void tiled_note(struct tiled *t, int64_t sample, const struct solve_stats *stats)
{
    t->stats[sample] = *stats;
    t->stats[sample].failure = NULL;
    t->stats[sample].switches = NULL;
}

enum status tiled_leave(struct tiled *t, int64_t sample, enum status status)
{
    leave_sample(t, &(struct tile){.index = sample});
    t->failed[sample] = status == STATUS_NUMERIC;
    t->tiles.failed = sample;
    return name_samples(t, status);
}

enum status tiled_solve(struct tiled *t, const struct solve_options *o, const void *const *parameters,
                        const void *y0, const double *times, int64_t n_times, void *out, int record,
                        struct solve_stats *stats)
{
    struct tiled_run run = {.t = t,
                            .o = o,
                            .parameters = parameters,
                            .times = times,
                            .n_times = n_times,
                            .record = record,
                            .y0 = y0,
                            .out = out};
    double begun = o->max_seconds > 0 ? monotonic_seconds() : 0;
    for (int64_t i = 0; i < t->tiles.n_lanes; i++) t->lanes[i].solver[0].begun = begun;
    t->parameters = parameters;
    t->bound = 1;
    enum status status = STATUS_OK;
    int left = 1;
    if (t->convoy && (!record || convoy_records(t->convoy[0], o)) && n_times > 1) {
        struct convoy_trip trip = {.o = o,
                                   .parameters = parameters,
                                   .y0 = y0,
                                   .out = out,
                                   .times = times,
                                   .n_times = n_times,
                                   .records = record ? t->records : NULL};
        status = tiled_go(t, &trip, &left);
        run.abreast = 1;
    }
    if (status == STATUS_OK && left)
        status = tiles_run(
            &t->tiles, &(struct tiles_job){.run = solve_tile, .enter = enter_lane, .context = &run}, NULL);
    tiled_sum(t, stats);
    status = name_samples(t, status);
    if (status != STATUS_NUMERIC || !o->return_failures) return status;
    t->failure = *status_report();
    stats->failure = &t->failure;
    return STATUS_OK;
}

/* Derivatives by the times, where somebody asks, are the sums over the tiles. */
static enum status make_times_bars(struct tiled_run *run, const struct gradient_times *times)
{
    if (!times->bar) return STATUS_OK;
    run->times_bars = memory_zalloc((size_t)run->t->tiles.cut.n * (size_t)times->n, sizeof *run->times_bars);
    return run->times_bars ? STATUS_OK : memory_status();
}

static void add_times_bars(const struct tiled_run *run, const struct gradient_times *times)
{
    for (int64_t i = 0; times->bar && i < times->n; i++) {
        times->bar[i] = 0;
        for (int64_t k = 0; k < run->t->tiles.cut.n; k++) times->bar[i] += run->times_bars[k * times->n + i];
    }
}

static void worst_reconstruction(const struct tiled *t, struct solve_stats *sum)
{
    for (int64_t i = 0; i < t->tiles.cut.n; i++) {
        const struct solve_stats *s = &t->stats[i];
        sum->has_reconstruction |= s->has_reconstruction;
        sum->made_again |= s->made_again;
        if (i == 0 || !(s->reconstruction <= sum->reconstruction)) sum->reconstruction = s->reconstruction;
    }
}

/* What it needs was prepared by the solve with a record. */
enum status tiled_gradient(struct tiled *t, const struct gradient *whole, const void *const *parameters,
                           void *thetabar, struct solve_stats *stats)
{
    struct tiled_run run = {.t = t, .gradient = whole, .thetabar = thetabar};
    enum dtype dtype = t->lanes[0].field[0]->dtype;
    if (parameters) t->parameters = parameters;
    if (parameters || !t->bound) run.parameters = t->parameters;
    memset(thetabar, 0, (size_t)t->by_entries.whole * dtype_size(dtype));
    if (whole->o->gradient == GRADIENT_ADJOINT && !*whole->again &&
        !(*whole->again = memory_alloc(whole->again_bytes)))
        return memory_status();
    int left = 1;
    TRY(make_times_bars(&run, whole->times));
    enum status status = tiled_returns(t, whole) ? tiled_return(t, whole, thetabar, &left) : STATUS_OK;
    if (status == STATUS_OK && left)
        status = tiles_run(
            &t->tiles, &(struct tiles_job){.run = differentiate_tile, .enter = enter_lane, .context = &run},
            t->theta);
    if (status == STATUS_OK) add_times_bars(&run, whole->times);
    memory_free(run.times_bars);
    TRY(name_samples(t, status));
    tiled_sum(t, stats);
    worst_reconstruction(t, stats);
    stats->has_defect = whole->o->defect;
    stats->defect = 0;
    for (int64_t i = 0; i < t->tiles.cut.n; i++) stats->defect += t->stats[i].defect;
    if (t->by_entries.n == 0) return field_theta_gradient(t->lanes[0].field[0], t->theta, thetabar);
    tiled_theta_end(&t->by_entries, dtype, t->theta, thetabar);
    return STATUS_OK;
}
