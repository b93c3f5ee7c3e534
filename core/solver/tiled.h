/* tiled.h -- a solve with fixed steps where samples do not know of each other: each tile of the batch goes
 * through the whole solve, forwards and backwards, by itself. Its values stay in the cache, and threads meet
 * once per solve instead of once per evaluation. Cuts and threads are those of autodiff/tiles.h.
 *
 * Adaptive solves cannot do so: their step depends on all samples. Nor do those with an option that is about
 * the batch as a whole: a limit of time, failures that are returned.
 *
 * per_sample: each sample is a tile, with steps of its own, whatever the method, gradient and options are. It
 * is the solve of that sample alone, to the last bit. */
#ifndef SOLVER_TILED_H
#define SOLVER_TILED_H

#include "autodiff/tiles.h"
#include "solver/event.h"
#include "solver/gradient.h"

struct tiled;

/* *out is NULL where this does not apply: samples are connected, or one tile is best. works: kinds of work
 * that the fields of tiles, which are made here, will be asked for, event_works: those of events. */
enum status tiled_new(struct tiled **out, const struct field *f, const struct solve_options *o,
                      const struct state_layout *layout, unsigned works, unsigned event_works);
void tiled_free(struct tiled *t);

/* As field_bind, then solve; with `record`, for tiled_gradient. */
enum status tiled_solve(struct tiled *t, const struct solve_options *o, const void *const *parameters,
                        const void *y0, const double *times, int64_t n_times, void *out, int record,
                        struct solve_stats *stats);

/* As gradient_direct after the last tiled_solve with a record, but thetabar is that of the parameters bound
 * (field_theta_gradient is done). parameters: where they are now, or NULL where they have not moved. */
enum status tiled_gradient(struct tiled *t, const struct gradient *whole, const void *const *parameters,
                           void *thetabar, struct solve_stats *stats);

/* A sample as a solve by itself, for who makes its steps himself: of a tiled by samples and in_order. They
 * are entered and left one after the other; what a sample has come to is noted while it is entered, or
 * before. */
struct tiled_sample {
    struct solver *s;
    struct field *f;
    const struct solve_options *o;
    const struct state_layout *layout;
    size_t at; /* bytes of the state before it */
};
enum status tiled_enter(struct tiled *t, const struct solve_options *o, const void *const *parameters,
                        int64_t sample, struct tiled_sample *out);
void tiled_note(struct tiled *t, int64_t sample, const struct solve_stats *stats);
/* status: how it ended; it is returned, a failure with the names of all samples that have failed so far. */
enum status tiled_leave(struct tiled *t, int64_t sample, enum status status);
/* Of all samples, as they are noted. */
void tiled_sum(const struct tiled *t, struct solve_stats *sum);

/* Of the latest run, for each tile; logs: NULL where there are no events. */
const struct solve_stats *tiled_counts(const struct tiled *t);
const struct event_log *tiled_logs(const struct tiled *t);

/* The field that a whole tile goes through; how the batch is cut. */
struct field *tiled_field(const struct tiled *t);
const struct tiling *tiled_cut(const struct tiled *t);
/* Samples that step together (convoy.h); 0: each goes by itself. *back: they go back so, too. */
int64_t tiled_abreast(const struct tiled *t, int *back);

#endif
