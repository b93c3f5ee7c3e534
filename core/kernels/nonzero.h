/* nonzero.h -- where numbers are not 0. */
#ifndef KERNELS_NONZERO_H
#define KERNELS_NONZERO_H

#include <stdint.h>

#include "tensor/tensor.h"

/* How many elements of a dense array are not 0 (NaN is not), and their 1-based positions in row-major order.
 */
int64_t nonzero_count(const struct array *x);
void nonzero_positions(const struct array *x, int64_t *out);

#endif
