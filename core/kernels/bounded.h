/* bounded.h -- long serial work in pieces of a few milliseconds that ask in between whether the user wants to
 * stop (base/interrupt.h); then they return early and leave the rest undefined. */
#ifndef KERNELS_BOUNDED_H
#define KERNELS_BOUNDED_H

#include <stddef.h>

#include "kernels/loops.h"

/* loops->product in pieces of columns, or of rows where the columns are few: each sum keeps its order. Sums
 * of more than 2^21 products are made of parts. */
void bounded_product(enum dtype dtype, int64_t m, int64_t n, int64_t k, const void *a, int64_t rs, int64_t ks,
                     const void *b, const int64_t *offset, int64_t ldb, void *c, int64_t ldc, int accumulate);

void bounded_zero(void *to, size_t bytes);
void bounded_copy(void *to, const void *from, size_t bytes);

#endif
