#include "solver/tiled.h"

#include "base/memory.h"
#include "solver/gradient.h"

/* Of both sizes of tiles. */
struct tiled_lane {
    struct field *field[2];
    struct solver solver[2];
};

struct tiled {
    struct tiles tiles;
    int64_t n, share; /* elements of the state, and of a sample */
    struct tiled_lane *lanes;
    struct solve_record *records; /* of each tile */
    struct solve_stats *stats;
    char *theta; /* gradient of the fields' own parameters */
};

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
    if (works & FIELD_MASK(FIELD_VJP)) TRY(gradient_direct_reserve(s, part, o, o->steps));
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
    t->theta = memory_alloc((size_t)part->n_theta * dtype_size(part->dtype));
    if (!t->records || !t->stats || !t->theta) return memory_status();
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

enum status tiled_new(struct tiled **out, const struct field *f, const struct solve_options *o,
                      unsigned works)
{
    int gradient = o->gradient == GRADIENT_DIRECT || o->gradient == GRADIENT_CHECKPOINT, fit = 0;
    struct field_cost cost;
    *out = NULL;
    int whole = o->return_failures || o->max_seconds > 0 || o->events || o->on_step ||
                o->path; /* what is of all tiles at once */
    if (o->adaptive || !gradient || whole || f->batch < 2 || f->n == 0 || f->n % f->batch != 0 ||
        !f->type->cut)
        return STATUS_OK;
    field_cost(f, &cost);
    struct tiling cut = tiling_of_solve(f->batch, &cost);
    if (cut.n == 1) return STATUS_OK;
    struct tiled *t = memory_zalloc(1, sizeof *t);
    if (!t) return memory_status();
    t->n = f->n;
    t->share = f->n / f->batch;
    tiles_begin(&t->tiles, cut);
    enum status status = make(t, f, o, works, &fit);
    if (status == STATUS_OK && fit)
        *out = t;
    else
        tiled_free(t);
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
    void *blocks[] = {t->lanes, t->records, t->stats, t->theta, t};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) memory_free(blocks[i]);
}

struct field *tiled_field(const struct tiled *t) { return t->lanes[0].field[0]; }
const struct tiling *tiled_cut(const struct tiled *t) { return &t->tiles.cut; }

/* ---- running ---- */

struct tiled_run {
    struct tiled *t;
    const struct solve_options *o;
    const void *const *parameters; /* NULL: bound already */
    const double *times;
    int64_t n_times;
    const struct gradient_times *given;
    int record;
    const char *y0, *ybar;
    char *out, *y0bar;
};

static enum status bind_lane(void *context, int64_t lane)
{
    const struct tiled_run *r = context;
    for (int k = 0; k < 2 && r->parameters; k++)
        if (r->t->lanes[lane].field[k]) TRY(field_bind(r->t->lanes[lane].field[k], r->parameters));
    return STATUS_OK;
}

/* The solver that goes through a tile, and the bytes before the tile's state. */
static struct solver *solver_at(const struct tiled_run *r, const struct tile *tile, size_t *at)
{
    struct solver *s = &r->t->lanes[tile->lane].solver[tile->size];
    s->first = tile->first * r->t->share;
    *at = (size_t)s->first * dtype_size(s->dtype);
    return s;
}

static enum status solve_tile(void *context, struct tile *tile)
{
    const struct tiled_run *r = context;
    struct tiled *t = r->t;
    size_t at;
    struct solver *s = solver_at(r, tile, &at);
    struct state_layout layout = {.n_parts = 1, .size = {s->n}, .batch = tile->rows, .controlled = s->n};
    enum status status =
        solve(s, t->lanes[tile->lane].field[tile->size], r->o, &layout, r->y0 + at, r->times, r->n_times,
              r->out + at, r->record ? &t->records[tile->index] : NULL, &t->stats[tile->index]);
    tile->steps = t->stats[tile->index].steps;
    return status;
}

static enum status differentiate_tile(void *context, struct tile *tile)
{
    const struct tiled_run *r = context;
    struct tiled *t = r->t;
    size_t at;
    struct solver *s = solver_at(r, tile, &at);
    return gradient_direct(s, t->lanes[tile->lane].field[tile->size], r->o, &t->records[tile->index],
                           r->ybar + at, r->given, r->y0bar + at, tile->thetabar, &t->stats[tile->index]);
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
    enum status status = tiles_run(
        &t->tiles, &(struct tiles_job){.run = solve_tile, .enter = bind_lane, .context = &run}, NULL);
    *stats = t->stats[t->tiles.failed];
    return status;
}

/* What it needs was prepared by the solve with a record. */
enum status tiled_gradient(struct tiled *t, const struct solve_options *o, const void *const *parameters,
                           const void *ybar, const struct gradient_times *times, void *y0bar, void *thetabar,
                           struct solve_stats *stats)
{
    struct tiled_run run = {
        .t = t, .o = o, .parameters = parameters, .given = times, .ybar = ybar, .y0bar = y0bar};
    TRY(tiles_run(&t->tiles,
                  &(struct tiles_job){.run = differentiate_tile, .enter = bind_lane, .context = &run},
                  t->theta));
    stats->nfe_backward = t->stats[0].nfe_backward;
    stats->has_defect = o->defect;
    stats->defect = 0;
    for (int64_t i = 0; i < t->tiles.cut.n; i++) stats->defect += t->stats[i].defect;
    return field_theta_gradient(t->lanes[0].field[0], t->theta, thetabar);
}
