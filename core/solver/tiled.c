#include "solver/tiled.h"

#include <stdatomic.h>
#include <string.h>

#include "base/memory.h"
#include "base/threads.h"
#include "kernels/loops.h"
#include "solver/gradient.h"

#define CHUNKS 16            /* what threads take, and partial sums of the gradient */
#define TILE_WORK (1 << 16)  /* multiply-adds of an evaluation from which on a tile is worth its calls */
#define TILE_BYTES (8 << 20) /* values of an evaluation: they should stay in the second-level cache */

struct lane {
    struct field *field[2]; /* whole tiles, and the rest if there is one */
    struct solver solver[2];
    char *part; /* gradient of one tile */
};

struct tiled {
    int64_t n, rows, rest, share, n_tiles, n_chunks,
        n_lanes; /* n: elements of the state; rest: samples of a smaller last tile, or 0 */
    enum dtype dtype;
    struct lane *lanes;
    struct solve_record *records; /* of each tile */
    struct solve_stats *stats;
    char *chunks; /* sums over the tiles of a chunk */
};

static int64_t tile_rows(const struct field *f)
{
    struct field_cost cost;
    field_cost(f, &cost);
    int64_t tiles = 1, most = TILE_BYTES / (cost.bytes / f->batch + 1);
    while (tiles < CHUNKS && 2 * tiles * cost.least_rows <= f->batch &&
           cost.work / (double)(2 * tiles) >= TILE_WORK)
        tiles *= 2;
    int64_t rows = (f->batch + tiles - 1) / tiles;
    return rows <= most ? rows : most < 1 ? 1 : most;
}

/* The fields of a lane, NULL where samples are connected. */
static enum status cut_fields(struct tiled *t, const struct field *f, struct lane *lane, int *connected)
{
    TRY(field_cut(f, t->rows, &lane->field[0]));
    if (t->rest) TRY(field_cut(f, t->rest, &lane->field[1]));
    *connected = !lane->field[0] || (t->rest && !lane->field[1]);
    return STATUS_OK;
}

/* Fields and solvers of both sizes for every lane, ready to run: workers make no programs and need no
 * memory. */
static enum status make_lanes(struct tiled *t, const struct field *f, const struct solve_options *o,
                              unsigned works, int *refused)
{
    if (!(t->lanes = memory_zalloc((size_t)t->n_lanes, sizeof *t->lanes))) return memory_status();
    for (int64_t i = 0; i < t->n_lanes; i++) {
        struct lane *lane = &t->lanes[i];
        TRY(cut_fields(t, f, lane, refused));
        if (*refused) return STATUS_OK;
        for (int k = 0; k < 2; k++) {
            if (!lane->field[k]) continue;
            TRY(field_prepare(lane->field[k], works));
            TRY(solver_reserve(&lane->solver[k], lane->field[k]->n, t->dtype, &o->method));
            if (works & FIELD_MASK(FIELD_VJP))
                TRY(gradient_direct_reserve(&lane->solver[k], lane->field[k], o, o->steps));
        }
        /* the rules that simplify a field may make other parameters of one sample than of several */
        *refused = lane->field[1] && !field_same_parameters(lane->field[0], lane->field[1]);
        if (*refused) return STATUS_OK;
        if (!(lane->part = memory_alloc((size_t)lane->field[0]->n_theta * dtype_size(t->dtype))))
            return memory_status();
    }
    return STATUS_OK;
}

static enum status make_sums(struct tiled *t)
{
    t->records = memory_zalloc((size_t)t->n_tiles, sizeof *t->records);
    t->stats = memory_zalloc((size_t)t->n_tiles, sizeof *t->stats);
    t->chunks = memory_alloc((size_t)(t->n_chunks * t->lanes[0].field[0]->n_theta) * dtype_size(t->dtype));
    if (!t->records || !t->stats || !t->chunks) return memory_status();
    for (int64_t i = 0; i < t->n_tiles; i++) t->records[i].share = t->n_tiles;
    return STATUS_OK;
}

enum status tiled_new(struct tiled **out, const struct field *f, const struct solve_options *o,
                      unsigned works)
{
    int gradient = o->gradient == GRADIENT_DIRECT || o->gradient == GRADIENT_CHECKPOINT, refused = 0;
    *out = NULL;
    if (o->adaptive || !gradient || f->batch < 2 || f->n == 0 || f->n % f->batch != 0 || !f->type->cut)
        return STATUS_OK;
    int64_t rows = tile_rows(f);
    if (rows >= f->batch) return STATUS_OK;
    struct tiled *t = memory_zalloc(1, sizeof *t);
    if (!t) return memory_status();
    *t = (struct tiled){.n = f->n,
                        .rows = rows,
                        .rest = f->batch % rows,
                        .share = f->n / f->batch,
                        .n_tiles = (f->batch + rows - 1) / rows,
                        .dtype = f->dtype};
    t->n_chunks = t->n_tiles < CHUNKS ? t->n_tiles : CHUNKS;
    t->n_lanes = threads_count() < t->n_chunks ? threads_count() : t->n_chunks;
    enum status status = make_lanes(t, f, o, works, &refused);
    if (status == STATUS_OK && !refused) status = make_sums(t);
    if (status == STATUS_OK && !refused)
        *out = t;
    else
        tiled_free(t);
    return status;
}

void tiled_free(struct tiled *t)
{
    if (!t) return;
    for (int64_t i = 0; t->lanes && i < t->n_lanes; i++) {
        for (int k = 0; k < 2; k++) {
            field_free(t->lanes[i].field[k]);
            solver_release(&t->lanes[i].solver[k]);
        }
        memory_free(t->lanes[i].part);
    }
    for (int64_t i = 0; t->records && i < t->n_tiles; i++) record_free(&t->records[i]);
    void *blocks[] = {t->lanes, t->records, t->stats, t->chunks, t};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) memory_free(blocks[i]);
}

struct field *tiled_field(const struct tiled *t, int64_t *n_tiles, int64_t *rows)
{
    *n_tiles = t->n_tiles;
    *rows = t->rows;
    return t->lanes[0].field[0];
}

/* ---- running ---- */

struct job {
    struct tiled *t;
    const struct solve_options *o;
    int backward, record;
    const double *times;
    int64_t n_times;
    const void *const *parameters;
    const char *y0, *ybar;
    char *out, *y0bar;
    _Atomic int64_t next;
    _Atomic int cancelled;
    atomic_flag reporting; /* held while a failure is noted */
    enum status status;
    int64_t failed_tile;
    char message[1024];
};

/* Note a failure. Of several the one after the fewest steps counts, then the first tile: the same whatever
 * the threads did. Others than those of the numbers end the work of all. */
static void fail(struct job *job, int64_t tile, enum status status)
{
    const struct solve_stats *stats = job->t->stats;
    while (atomic_flag_test_and_set(&job->reporting)) {
    }
    int first = job->status == STATUS_OK || (job->status == STATUS_NUMERIC && status != STATUS_NUMERIC);
    int earlier = job->status == status && !job->cancelled &&
                  (stats[tile].steps < stats[job->failed_tile].steps ||
                   (stats[tile].steps == stats[job->failed_tile].steps && tile < job->failed_tile));
    if (first || earlier) {
        job->status = status;
        job->failed_tile = tile;
        strncpy(job->message, status_message(), sizeof job->message - 1); /* messages are kept per thread */
    }
    if (status != STATUS_NUMERIC) job->cancelled = 1;
    atomic_flag_clear(&job->reporting);
}

static enum status run_tile(struct job *job, struct lane *lane, int64_t tile, char *thetabar)
{
    struct tiled *t = job->t;
    int k = t->rest && tile == t->n_tiles - 1;
    int64_t first = tile * t->rows * t->share, rows = k ? t->rest : t->rows;
    size_t at = (size_t)first * dtype_size(t->dtype);
    struct solver *s = &lane->solver[k];
    s->first = first;
    s->whole = t->n;
    s->cancelled = &job->cancelled;
    if (job->backward)
        return gradient_direct(s, lane->field[k], job->o, &t->records[tile], job->ybar + at, job->n_times,
                               job->y0bar + at, thetabar, &t->stats[tile]);
    struct state_layout layout = {
        .n_parts = 1, .size = {rows * t->share}, .batch = rows, .controlled = rows * t->share};
    return solve(s, lane->field[k], job->o, &layout, job->y0 + at, job->times, job->n_times, job->out + at,
                 job->record ? &t->records[tile] : NULL, &t->stats[tile]);
}

static void run_chunk(struct job *job, struct lane *lane, int64_t chunk)
{
    struct tiled *t = job->t;
    int64_t n_theta = lane->field[0]->n_theta, first = chunk * t->n_tiles / t->n_chunks,
            end = (chunk + 1) * t->n_tiles / t->n_chunks;
    char *sum = t->chunks + (size_t)(chunk * n_theta) * dtype_size(t->dtype);
    for (int64_t tile = first; tile < end && !job->cancelled; tile++) {
        enum status status = run_tile(job, lane, tile, tile == first ? sum : lane->part);
        if (status != STATUS_OK)
            fail(job, tile, status);
        else if (job->backward && tile > first)
            loops->combine[t->dtype](n_theta, sum, 1, (double[]){1}, (const void *[]){lane->part}, sum);
    }
}

static void lane_task(void *context, int64_t index)
{
    struct job *job = context;
    struct tiled *t = job->t;
    struct lane *lane = &t->lanes[index];
    for (int k = 0; k < 2 && job->parameters;
         k++) { /* every lane, also one that finds nothing to do: the gradient may need it */
        enum status status = lane->field[k] ? field_bind(lane->field[k], job->parameters) : STATUS_OK;
        if (status != STATUS_OK) fail(job, 0, status);
    }
    for (int64_t chunk; !job->cancelled && (chunk = atomic_fetch_add(&job->next, 1)) < t->n_chunks;)
        run_chunk(job, lane, chunk);
}

static enum status run_job(struct job *job)
{
    threads_for(job->t->n_lanes, lane_task, job);
    return job->status == STATUS_OK ? STATUS_OK : status_set(job->status, "%s", job->message);
}

enum status tiled_solve(struct tiled *t, const struct solve_options *o, const void *const *parameters,
                        const void *y0, const double *times, int64_t n_times, void *out, int record,
                        struct solve_stats *stats)
{
    struct job job = {.t = t,
                      .o = o,
                      .record = record,
                      .times = times,
                      .n_times = n_times,
                      .parameters = parameters,
                      .y0 = y0,
                      .out = out,
                      .reporting = ATOMIC_FLAG_INIT};
    enum status status = run_job(&job);
    *stats = t->stats[status == STATUS_OK ? 0 : job.failed_tile];
    return status;
}

enum status tiled_gradient(struct tiled *t, const struct solve_options *o, const void *const *parameters,
                           const void *ybar, int64_t n_times, void *y0bar, void *thetabar,
                           struct solve_stats *stats)
{
    struct job job = {.t = t,
                      .o = o,
                      .backward = 1,
                      .n_times = n_times,
                      .parameters = parameters,
                      .ybar = ybar,
                      .y0bar = y0bar,
                      .reporting = ATOMIC_FLAG_INIT};
    TRY(run_job(&job)); /* what it needs was prepared by the solve with a record */
    stats->nfe_backward = t->stats[0].nfe_backward;
    struct field *f = t->lanes[0].field[0];
    double ones[CHUNKS];
    const void *parts[CHUNKS];
    for (int64_t i = 0; i < t->n_chunks; i++) {
        ones[i] = 1;
        parts[i] = t->chunks + (size_t)(i * f->n_theta) * dtype_size(t->dtype);
    }
    loops->combine[t->dtype](f->n_theta, NULL, (int)t->n_chunks, ones, parts, t->lanes[0].part);
    return field_theta_gradient(f, t->lanes[0].part, thetabar);
}
