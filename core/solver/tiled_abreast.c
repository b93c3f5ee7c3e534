/* A solve in tiles that are samples, where these go abreast (convoy.h). */
#include <string.h>

#include "solver/tiled_lanes.h"

/* ---- forwards ---- */

struct ride {
    struct tiled *t;
    struct convoy_trip *trip;
};

static enum status ride(void *context, struct tile *tile)
{
    const struct ride *r = context;
    return convoy_run(r->t->convoy[tile->lane], r->trip);
}

enum status tiled_go(struct tiled *t, struct convoy_trip *trip, int *left)
{
    int64_t n = t->tiles.cut.n, convoys = t->crew.n_lanes;
    struct ride r = {t, trip};
    trip->samples = n;
    trip->stats = t->stats;
    trip->left = t->left;
    trip->cancelled = &t->crew.cancelled;
    t->bound = 0;
    t->crew.cut = (struct tiling){convoys, 1, 0, convoys};
    memset(t->left, 1, (size_t)n);
    memset(t->failed, 0, (size_t)n);
    TRY(tiles_run(&t->crew, &(struct tiles_job){.run = ride, .context = &r}, NULL));
    *left = memchr(t->left, 1, (size_t)n) != NULL;
    t->bound = *left;
    t->tiles.failed = 0;
    return STATUS_OK;
}

/* ---- backwards ---- */

int tiled_returns(const struct tiled *t, const struct gradient *whole)
{
    int can = t->convoy && convoy_returns(t->convoy[0]) && !whole->times->bar && !whole->o->defect &&
              (whole->o->gradient == GRADIENT_DIRECT || whole->o->gradient == GRADIENT_CHECKPOINT);
    for (int64_t i = 0; can && i < t->tiles.cut.n; i++) can = t->records[i].n > 0;
    return can;
}

struct homeward {
    struct tiled *t;
    struct convoy_home *home;
    char *thetabar; /* of the parameters, all of it */
};

static enum status begin(void *context, int64_t lane)
{
    const struct homeward *r = context;
    convoy_begin_return(r->t->convoy[lane]);
    return STATUS_OK;
}

static enum status come_home(void *context, struct tile *tile)
{
    const struct homeward *r = context;
    struct tiled *t = r->t;
    const struct tiled_theta *by = &t->by_entries;
    struct convoy_gradient g;
    TRY(convoy_return(t->convoy[tile->lane], r->home, &t->group[tile->index], &g));
    size_t size = dtype_size(g.f->dtype);
    if (by->n == 0) {
        memcpy(tile->thetabar, g.theta, (size_t)g.f->n_theta * size);
        return STATUS_OK;
    }
    memset(tile->thetabar, 0, (size_t)by->shared * size);
    return tiled_theta_add(by, g.f, g.theta, tile->thetabar, r->thetabar, g.scratch);
}

/* The fields of the lanes have not been needed; one of them is, to go on from its parameters. */
static enum status bind_first(struct tiled *t)
{
    struct field *f = t->lanes[0].field[0];
    f->first = 0;
    return field_bind(f, t->parameters);
}

enum status tiled_return(struct tiled *t, const struct gradient *whole, void *thetabar, int *left)
{
    int64_t n = t->tiles.cut.n;
    struct convoy_home home = {.o = whole->o,
                               .parameters = t->parameters,
                               .records = t->records,
                               .ybar = whole->ybar,
                               .y0bar = whole->y0bar,
                               .n_times = whole->times->n,
                               .samples = n,
                               .stats = t->stats,
                               .cancelled = &t->crew.cancelled};
    struct homeward r = {t, &home, thetabar};
    for (int64_t i = 0; i < n; i++) t->turn[i] = (struct convoy_turn){i, t->records[i].n};
    int64_t groups = convoy_groups(t->convoy[0], t->turn, n, t->group);
    t->crew.cut = (struct tiling){groups, 1, 0, groups};
    memset(t->failed, 0, (size_t)n);
    TRY(tiles_run(&t->crew, &(struct tiles_job){.run = come_home, .enter = begin, .context = &r}, t->theta));
    *left = home.lost;
    t->bound = 0;
    if (*left) memset(thetabar, 0, (size_t)t->by_entries.whole * dtype_size(t->lanes[0].field[0]->dtype));
    return *left ? STATUS_OK : bind_first(t);
}
