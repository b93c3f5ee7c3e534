/* tiled_theta.h -- gradients of parameters of a solve sample by sample, where fields were cut whose
 * parameters have entries for the samples, or where there are several fields (those of events).
 *
 * What all samples share is added up over the tiles, as tiles.h does; entries of samples go straight to their
 * place. */
#ifndef SOLVER_TILED_THETA_H
#define SOLVER_TILED_THETA_H

#include "solver/event.h"

struct tiled_theta {
    int n;            /* parameters that are bound */
    int64_t whole;    /* numbers of the gradient of all of them */
    int64_t shared;   /* of those that a field shares among the samples, which tiles add up */
    int64_t *at, *of; /* of each where it stands in these; -1: nowhere */
    int64_t *size;
};

/* Of a solve by `f`, which has been cut from `whole`, with events or NULL. Nothing to do (n 0) where there
 * are none and nothing was cut but y. */
enum status tiled_theta_new(struct tiled_theta *t, const struct field *f, const struct events *e);
void tiled_theta_free(struct tiled_theta *t);

/* own: the gradient of a field as it makes it, at its sample; part: of the tile, is added to; out: of the
 * whole. scratch: tiled_theta_scratch numbers. */
enum status tiled_theta_add(const struct tiled_theta *t, struct field *f, const void *own, void *part,
                            void *out, void *scratch);
int64_t tiled_theta_scratch(const struct field *f);
/* Behind all tiles. */
void tiled_theta_end(const struct tiled_theta *t, enum dtype dtype, const void *shared, void *out);

#endif
