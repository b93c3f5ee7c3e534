/* tiles.h -- a batch in tiles: how it is cut, and how its tiles run over the threads.
 *
 * Two things are worked on tile by tile: whole solves (solver/tiled.h) and evaluations of a field
 * (tape_field.h). Both say what a tile does; where the cuts lie, who works on which tile, what a failure ends
 * and in which order gradients are added up stands here.
 *
 * Cuts follow from shapes alone. The parameters' gradients are added up over the tiles of a chunk, then over
 * the chunks, in order. So results do not depend on the number of threads. */
#ifndef AUTODIFF_TILES_H
#define AUTODIFF_TILES_H

#include "tensor/tensor.h"

struct field_cost;

/* `batch` samples are n tiles of `rows` samples each, but for a smaller last one of `rest` if that is not 0.
 * n 1: the batch stays whole. */
struct tiling {
    int64_t batch, rows, rest, n;
};
struct tiling tiling_whole(int64_t batch);
struct tiling tiling_of_samples(int64_t batch); /* one by one */
struct tiling tiling_of_solve(int64_t batch, const struct field_cost *cost);
struct tiling tiling_of_evaluation(int64_t batch, const struct field_cost *cost);
struct tiling tiling_of_parts(int64_t batch, const struct field_cost *cost); /* of a state that has parts */

/* Work on one tile. */
struct tile {
    int64_t lane, index;
    int size;            /* 0: a whole tile, 1: the smaller last one */
    int64_t first, rows; /* samples */
    void *thetabar;      /* where its gradient of the parameters goes, overwritten; NULL: not wanted */
    int64_t steps;       /* how far it has come, for tiles that come to several steps; see tiles_run */
};

struct tiles_job {
    enum status (*run)(void *context, struct tile *tile);
    /* What a lane needs before its first tile, or NULL; of every lane, also of one that finds no tile. */
    enum status (*enter)(void *context, int64_t lane);
    void *context;
};

struct tiles_lane;

/* Zero-initialise, begin, reserve, release. At most one thread works in a lane at a time, so each lane needs
 * parts of its own for both sizes of tiles, and nothing has to be made or locked under a run. */
struct tiles {
    struct tiling cut;
    int64_t n_lanes, n_theta;
    enum dtype dtype;
    struct tiles_lane *lanes;
    char *sums;     /* a gradient of the parameters for each chunk */
    int64_t failed; /* tile whose failure the latest run returned, else 0 */
    _Atomic int64_t next;
    _Atomic int cancelled; /* a failure ends the work of all tiles; may be read by those that take long */
};
void tiles_begin(struct tiles *t, struct tiling cut); /* decides on the number of lanes */
enum status tiles_reserve(struct tiles *t, int64_t n_theta, enum dtype dtype);
void tiles_release(struct tiles *t);

/* All tiles over the threads; allocates nothing. thetabar: the sum over the tiles, NULL where none is wanted.
 * Of several failures with STATUS_NUMERIC the one after the fewest steps is returned, then that of the first
 * tile, whatever the threads did; any other failure ends the work of all. */
enum status tiles_run(struct tiles *t, const struct tiles_job *job, void *thetabar);

#endif
