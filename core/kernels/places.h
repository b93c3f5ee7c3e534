/* places.h -- elements from and to places that other numbers name. */
#ifndef KERNELS_PLACES_H
#define KERNELS_PLACES_H

#include <stdint.h>

#include "tensor/tensor.h"

#define PLACES_AT_ONCE 2048 /* 16 KiB of positions: half of a first-level cache */

/* Neighbours of a line {n, inner}: element i of them lies at {position[i], (first + i) % inner}, 1-based. */
struct places {
    const int64_t *position;
    int64_t count, first, inner;
};

/* Are all positions in 1..n? */
int places_inside(const struct places *p, int64_t n);

/* some[i] = line[place i]; line[place i] += some[i], one after the other. */
typedef void places_function(const struct places *p, void *line, void *some, enum dtype dtype);
places_function places_gather, places_scatter;

#endif
