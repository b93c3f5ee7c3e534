#include "autodiff/tiles.h"

#include <stdatomic.h>
#include <string.h>

#include "autodiff/field.h"
#include "base/memory.h"
#include "base/threads.h"
#include "base/tuning.h"
#include "kernels/loops.h"

/* ---- where the cuts lie ---- */

static struct tiling cut_into(int64_t batch, int64_t rows)
{
    if (rows >= batch) return tiling_whole(batch);
    return (struct tiling){batch, rows, batch % rows, (batch + rows - 1) / rows};
}

static int64_t cached_rows(int64_t batch, const struct field_cost *cost)
{
    return TILES_BYTES / (cost->bytes / batch + 1);
}

struct tiling tiling_whole(int64_t batch) { return (struct tiling){batch, batch, 0, 1}; }

struct tiling tiling_of_samples(int64_t batch) { return (struct tiling){batch, 1, 0, batch}; }

/* As many tiles as threads may want, while each has work enough. */
struct tiling tiling_of_solve(int64_t batch, const struct field_cost *cost)
{
    int64_t tiles = 1, most = cached_rows(batch, cost);
    while (tiles < TILES_CHUNKS && 2 * tiles * cost->least_rows <= batch &&
           cost->work / (double)(2 * tiles) >= TILES_LEAST_WORK)
        tiles *= 2;
    int64_t rows = (batch + tiles - 1) / tiles;
    return cut_into(batch, rows <= most ? rows : most < 1 ? 1 : most);
}

/* Threads meet at each evaluation, which only those of much data are worth. */
struct tiling tiling_of_evaluation(int64_t batch, const struct field_cost *cost)
{
    if (cost->bytes < TILES_WORTH_BYTES) return tiling_whole(batch);
    int64_t rows = cached_rows(batch, cost), most = (batch + TILES_CHUNKS - 1) / TILES_CHUNKS;
    rows = rows > most ? most : rows;
    return cut_into(batch, rows < cost->least_rows ? cost->least_rows : rows);
}

/* As many as fill a part of the second-level cache each. */
struct tiling tiling_of_parts(int64_t batch, const struct field_cost *cost)
{
    int64_t tiles = 1;
    if (cost->bytes < TILES_WORTH_BYTES) return tiling_whole(batch);
    while (cost->bytes / (2 * tiles) >= TILES_PART_BYTES && batch / (2 * tiles) >= cost->least_rows)
        tiles *= 2;
    return cut_into(batch, (batch + tiles - 1) / tiles);
}

/* ---- memory ---- */

struct tile_failure {
    enum status status;
    int64_t tile, steps;
    struct report report; /* which is kept per thread */
};

struct tiles_lane {
    char *part; /* the gradient of one tile */
    struct tile_failure failure;
};

static int64_t n_chunks(const struct tiles *t) { return t->cut.n < TILES_CHUNKS ? t->cut.n : TILES_CHUNKS; }

void tiles_begin(struct tiles *t, struct tiling cut)
{
    t->cut = cut;
    t->n_lanes = threads_count() < cut.n ? threads_count() : cut.n;
}

enum status tiles_reserve(struct tiles *t, int64_t n_theta, enum dtype dtype)
{
    size_t bytes = (size_t)n_theta * dtype_size(dtype);
    t->n_theta = n_theta;
    t->dtype = dtype;
    if (t->cut.n == 1) return STATUS_OK;
    t->lanes = memory_zalloc((size_t)t->n_lanes, sizeof *t->lanes);
    t->sums = memory_alloc((size_t)n_chunks(t) * bytes);
    if (!t->lanes || !t->sums) return memory_status();
    for (int64_t i = 0; i < t->n_lanes; i++)
        if (!(t->lanes[i].part = memory_alloc(bytes))) return memory_status();
    return STATUS_OK;
}

void tiles_release(struct tiles *t)
{
    for (int64_t i = 0; t->lanes && i < t->n_lanes; i++) memory_free(t->lanes[i].part);
    memory_free(t->lanes);
    memory_free(t->sums);
    *t = (struct tiles){0};
}

/* ---- running ---- */

struct crew {
    struct tiles *t;
    const struct tiles_job *job;
    int gradient;
    int64_t n_chunks; /* that the lanes take: where nothing is added up, each tile by itself */
};

static struct tile tile_at(const struct tiles *t, int64_t lane, int64_t index, void *thetabar)
{
    int last = t->cut.rest > 0 && index == t->cut.n - 1;
    return (struct tile){.lane = lane,
                         .index = index,
                         .size = last,
                         .first = index * t->cut.rows,
                         .rows = last ? t->cut.rest : t->cut.rows,
                         .thetabar = thetabar};
}

/* Does a count before b? Failures of the numbers are ranked, any other stands before them. */
static int stands_before(const struct tile_failure *a, const struct tile_failure *b)
{
    if (b->status == STATUS_OK || a->status == STATUS_OK) return a->status != STATUS_OK;
    if (a->status != STATUS_NUMERIC || b->status != STATUS_NUMERIC) return b->status == STATUS_NUMERIC;
    return a->steps < b->steps || (a->steps == b->steps && a->tile < b->tile);
}

/* What comes after the failure that ended the work is its consequence, or chance. */
static void note_failure(struct tiles *t, const struct tile *tile, enum status status)
{
    struct tile_failure new = {.status = status, .tile = tile->index, .steps = tile->steps},
                        *noted = &t->lanes[tile->lane].failure;
    if (status != STATUS_NUMERIC && atomic_exchange(&t->cancelled, 1)) return;
    if (!stands_before(&new, noted)) return;
    new.report = *status_report();
    *noted = new;
}

static void work_on_chunk(const struct crew *r, int64_t lane, int64_t chunk)
{
    struct tiles *t = r->t;
    int64_t first = chunk * t->cut.n / r->n_chunks, end = (chunk + 1) * t->cut.n / r->n_chunks;
    char *part = r->gradient ? t->lanes[lane].part : NULL,
         *sum = r->gradient ? t->sums + (size_t)(chunk * t->n_theta) * dtype_size(t->dtype) : NULL;
    for (int64_t i = first; i < end && !t->cancelled; i++) {
        struct tile tile = tile_at(t, lane, i, i == first ? sum : part);
        enum status status = r->job->run(r->job->context, &tile);
        if (status != STATUS_OK)
            note_failure(t, &tile, status);
        else if (r->gradient && i > first)
            loops->combine[t->dtype](t->n_theta, sum, 1, (double[]){1}, (const void *[]){part}, sum);
    }
}

static void work_in_lane(void *context, int64_t lane)
{
    const struct crew *r = context;
    struct tiles *t = r->t;
    enum status status = r->job->enter ? r->job->enter(r->job->context, lane) : STATUS_OK;
    if (status != STATUS_OK) note_failure(t, &(struct tile){.lane = lane}, status);
    for (int64_t chunk; !t->cancelled && (chunk = atomic_fetch_add(&t->next, 1)) < r->n_chunks;)
        work_on_chunk(r, lane, chunk);
}

static void add_up(const struct tiles *t, void *thetabar)
{
    double ones[TILES_CHUNKS];
    const void *sums[TILES_CHUNKS];
    for (int64_t i = 0; i < n_chunks(t); i++) {
        ones[i] = 1;
        sums[i] = t->sums + (size_t)(i * t->n_theta) * dtype_size(t->dtype);
    }
    loops->combine[t->dtype](t->n_theta, NULL, (int)n_chunks(t), ones, sums, thetabar);
}

static enum status run_whole(struct tiles *t, const struct tiles_job *job, void *thetabar)
{
    struct tile all = tile_at(t, 0, 0, thetabar);
    if (job->enter) TRY(job->enter(job->context, 0));
    return job->run(job->context, &all);
}

enum status tiles_run(struct tiles *t, const struct tiles_job *job, void *thetabar)
{
    struct crew r = {t, job, thetabar != NULL, thetabar ? n_chunks(t) : t->cut.n};
    static const struct tile_failure none = {.status = STATUS_OK};
    const struct tile_failure *worst = &none;
    t->failed = 0;
    if (t->cut.n == 1) return run_whole(t, job, thetabar);
    t->next = t->cancelled = 0;
    for (int64_t i = 0; i < t->n_lanes; i++) t->lanes[i].failure.status = STATUS_OK;
    threads_for(t->n_lanes, work_in_lane, &r);
    for (int64_t i = 0; i < t->n_lanes; i++)
        if (stands_before(&t->lanes[i].failure, worst)) worst = &t->lanes[i].failure;
    t->failed = worst->tile;
    if (worst->status != STATUS_OK) return status_again(worst->status, &worst->report);
    if (thetabar) add_up(t, thetabar);
    return STATUS_OK;
}
