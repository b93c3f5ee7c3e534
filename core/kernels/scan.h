/* scan.h -- sums and linear recurrences along an axis. */
#ifndef KERNELS_SCAN_H
#define KERNELS_SCAN_H

#include <stdint.h>

#include "tensor/tensor.h"

/* out[i] = a[i] out[i - 1] + b[i] for i = 0 .. n - 1 (the first is b[0]), or backwards: out[i] = a[i]
 * out[i + 1] + b[i]. a NULL: all of it is 1, and these are sums. Dense arrays {outer, n, inner} of float32
 * (carried in float64), float64 or int64 (modulo 2^64). */
void scan_run(enum dtype dtype, int64_t outer, int64_t n, int64_t inner, int backwards, const void *a,
              const void *b, void *out);

#endif
