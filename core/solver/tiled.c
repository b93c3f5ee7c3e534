#include "solver/tiled.h"

#include <stdio.h>

#include "base/memory.h"
#include "base/seconds.h"
#include "solver/gradient.h"

/* Of both sizes of tiles. */
struct tiled_lane {
    struct field *field[2];
    struct solver solver[2];
    struct state_layout layout[2]; /* of the tile at hand; solvers keep pointers to it */
};

struct tiled {
    struct tiles tiles;
    int64_t n, share;           /* elements of the state, and of a sample */
    int by_sample;              /* tiles are samples, each with steps of its own */
    struct state_layout layout; /* of a sample, by_sample */
    struct tiled_lane *lanes;
    struct solve_record *records; /* of each tile */
    struct solve_stats *stats;
    char *failed;          /* which samples, in the latest run */
    struct report failure; /* the one that is shown, where they are returned */
    char *theta;           /* gradient of the fields' own parameters */
};

#define SAMPLES_CONNECTED                                                                                    \
    "odeint: per_sample = true: f must treat the samples of the first axis independently, and here it "      \
    "cannot "                                                                                                \
    "be seen to: no sums or means over the first axis, no captured tensor with one entry per sample (let "   \
    "it be "                                                                                                 \
    "part of the state, with derivative 0), no random numbers or solves inside"

/* ---- making ---- */

static enum status make_part(struct tiled *t, const struct field *f, const struct solve_options *o,
                             unsigned works, struct tiled_lane *lane, int size)
{
    TRY(field_cut(f, size == 0 ? t->tiles.cut.rows : t->tiles.cut.rest, &lane->field[size]));
    struct field *part = lane->field[size];
    struct solver *s = &lane->solver[size];
    if (!part) return STATUS_OK;
    TRY(field_prepare(part, works));
    TRY(solver_reserve(s, part->n, part->dtype, &o->method));
    if (works & FIELD_MASK(FIELD_VJP) && !o->adaptive) TRY(gradient_direct_reserve(s, part, o, o->steps));
    s->whole = t->n;
    s->cancelled = &t->tiles.cancelled;
    return STATUS_OK;
}

static enum status make_lane(struct tiled *t, const struct field *f, const struct solve_options *o,
                             unsigned works, struct tiled_lane *lane)
{
    TRY(make_part(t, f, o, works, lane, 0));
    return t->tiles.cut.rest > 0 ? make_part(t, f, o, works, lane, 1) : STATUS_OK;
}

/* Can the field be cut, into tiles whose gradients can be added? The rules that simplify a field may make
 * other parameters of one sample than of several. */
static int fits(const struct tiled *t, const struct tiled_lane *lane)
{
    if (!lane->field[0] || t->tiles.cut.rest == 0) return lane->field[0] != NULL;
    return lane->field[1] && field_same_parameters(lane->field[0], lane->field[1]);
}

static enum status make_sums(struct tiled *t, const struct field *part)
{
    int64_t n = t->tiles.cut.n;
    t->records = memory_zalloc((size_t)n, sizeof *t->records);
    t->stats = memory_zalloc((size_t)n, sizeof *t->stats);
    t->failed = memory_zalloc((size_t)n, 1);
    t->theta = memory_alloc((size_t)part->n_theta * dtype_size(part->dtype));
    if (!t->records || !t->stats || !t->failed || !t->theta) return memory_status();
    for (int64_t i = 0; i < n; i++) t->records[i].share = n;
    return tiles_reserve(&t->tiles, part->n_theta, part->dtype);
}

/* The first lane shows whether all of them fit. */
static enum status make(struct tiled *t, const struct field *f, const struct solve_options *o, unsigned works,
                        int *fit)
{
    t->lanes = memory_zalloc((size_t)t->tiles.n_lanes, sizeof *t->lanes);
    if (!t->lanes) return memory_status();
    TRY(make_lane(t, f, o, works, &t->lanes[0]));
    if (!(*fit = fits(t, &t->lanes[0]))) return STATUS_OK;
    for (int64_t i = 1; i < t->tiles.n_lanes; i++) TRY(make_lane(t, f, o, works, &t->lanes[i]));
    return make_sums(t, t->lanes[0].field[0]);
}

/* The cut of the batch; n 1 where it stays whole. */
static struct tiling choose_cut(const struct field *f, const struct solve_options *o)
{
    int gradient = o->gradient == GRADIENT_DIRECT || o->gradient == GRADIENT_CHECKPOINT;
    int whole = o->return_failures || o->max_seconds > 0 || o->events || o->on_step || o->path ||
                o->method.half > 0; /* what is of all tiles at once */
    struct field_cost cost;
    if (o->per_sample) return tiling_of_samples(f->batch);
    if (o->adaptive || !gradient || whole || f->batch < 2 || f->n % f->batch != 0 || !f->type->cut)
        return tiling_whole(f->batch);
    field_cost(f, &cost);
    return tiling_of_solve(f->batch, &cost);
}

static struct state_layout layout_of_sample(const struct state_layout *whole)
{
    struct state_layout l = *whole;
    for (int p = 0; p < l.n_parts; p++) l.size[p] /= whole->batch;
    l.controlled /= whole->batch;
    l.batch = 1;
    return l;
}

enum status tiled_new(struct tiled **out, const struct field *f, const struct solve_options *o,
                      const struct state_layout *layout, unsigned works)
{
    int fit = 0;
    *out = NULL;
    if (f->n == 0) return STATUS_OK;
    struct tiling cut = choose_cut(f, o);
    if (cut.n == 1 && !o->per_sample) return STATUS_OK;
    struct tiled *t = memory_zalloc(1, sizeof *t);
    if (!t) return memory_status();
    t->n = f->n;
    t->share = f->n / f->batch;
    t->by_sample = o->per_sample;
    if (t->by_sample) t->layout = layout_of_sample(layout);
    tiles_begin(&t->tiles, cut);
    if (f->type->one_thread) t->tiles.n_lanes = 1;
    enum status status = make(t, f, o, works, &fit);
    if (status == STATUS_OK && fit)
        *out = t;
    else
        tiled_free(t);
    if (status == STATUS_OK && !fit && o->per_sample)
        return status_set(STATUS_UNSUPPORTED, SAMPLES_CONNECTED);
    return status;
}

void tiled_free(struct tiled *t)
{
    if (!t) return;
    for (int64_t i = 0; t->lanes && i < t->tiles.n_lanes; i++)
        for (int k = 0; k < 2; k++) {
            field_free(t->lanes[i].field[k]);
            solver_release(&t->lanes[i].solver[k]);
        }
    for (int64_t i = 0; t->records && i < t->tiles.cut.n; i++) record_free(&t->records[i]);
    tiles_release(&t->tiles);
    void *blocks[] = {t->lanes, t->records, t->stats, t->failed, t->theta, t};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) memory_free(blocks[i]);
}

const struct solve_stats *tiled_counts(const struct tiled *t) { return t->stats; }
struct field *tiled_field(const struct tiled *t) { return t->lanes[0].field[0]; }
const struct tiling *tiled_cut(const struct tiled *t) { return &t->tiles.cut; }

/* ---- running ---- */

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
    double *times_bars; /* of the tiles, one after the other */
};

static enum status bind_lane(void *context, int64_t lane)
{
    const struct tiled_run *r = context;
    for (int k = 0; k < 2 && r->parameters; k++)
        if (r->t->lanes[lane].field[k]) TRY(field_bind(r->t->lanes[lane].field[k], r->parameters));
    return STATUS_OK;
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
        if (layout->rtols) layout->rtols += tile->index * layout->controlled;
        if (layout->atols) layout->atols += tile->index * layout->controlled;
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
    struct solver *s = solver_at(t, tile, &layout, &at);
    enum status status =
        solve(s, t->lanes[tile->lane].field[tile->size], r->o, layout, r->y0 + at, r->times, r->n_times,
              r->out + at, r->record ? &t->records[tile->index] : NULL, &t->stats[tile->index]);
    const struct report *failure = t->stats[tile->index].failure; /* in memory of a lane */
    if (status == STATUS_OK && failure) status = status_again(STATUS_NUMERIC, failure);
    t->stats[tile->index].failure = NULL;
    tile->steps = t->stats[tile->index].steps;
    t->failed[tile->index] = status == STATUS_NUMERIC;
    return status;
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
    enum status status = gradient_of_solve(&g, &t->stats[tile->index]);
    t->failed[tile->index] = status == STATUS_NUMERIC;
    return status;
}

/* Of tiles that all do the same; samples have steps of their own, and an evaluation of the batch moves all of
 * them that are not done. */
static void sum_up(const struct tiled *t, struct solve_stats *sum)
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
    enum status status = tiles_run(
        &t->tiles, &(struct tiles_job){.run = solve_tile, .enter = bind_lane, .context = &run}, NULL);
    sum_up(t, stats);
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

/* What it needs was prepared by the solve with a record. */
enum status tiled_gradient(struct tiled *t, const struct gradient *whole, const void *const *parameters,
                           void *thetabar, struct solve_stats *stats)
{
    struct tiled_run run = {.t = t, .parameters = parameters, .gradient = whole};
    if (whole->o->gradient == GRADIENT_ADJOINT && !*whole->again &&
        !(*whole->again = memory_alloc(whole->again_bytes)))
        return memory_status();
    TRY(make_times_bars(&run, whole->times));
    enum status status = tiles_run(
        &t->tiles, &(struct tiles_job){.run = differentiate_tile, .enter = bind_lane, .context = &run},
        t->theta);
    if (status == STATUS_OK) add_times_bars(&run, whole->times);
    memory_free(run.times_bars);
    TRY(name_samples(t, status));
    sum_up(t, stats);
    stats->has_defect = whole->o->defect;
    stats->defect = 0;
    for (int64_t i = 0; i < t->tiles.cut.n; i++) stats->defect += t->stats[i].defect;
    return field_theta_gradient(t->lanes[0].field[0], t->theta, thetabar);
}
