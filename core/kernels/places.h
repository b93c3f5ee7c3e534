/* places.h -- elements from and to places that other numbers name. */
#ifndef KERNELS_PLACES_H
#define KERNELS_PLACES_H

#include <stdint.h>

#include "tensor/tensor.h"

#define PLACES_AT_ONCE 65536 /* between two looks at the flag of interrupts */

/* Elements of a line {n, inner}: i of `count` lies at {position[i] - 1, (first + i) % inner}. */
struct places {
    const int64_t *position;
    int64_t count, first, n, inner;
};

/* some[i] = line[place i]; line[place i] += some[i], one after the other. Returns how many positions from the
 * first one on lie in 1..n; what follows one that does not is left undone. */
typedef int64_t places_function(const struct places *p, void *line, void *some, enum dtype dtype);
places_function places_gather, places_scatter;

#endif
