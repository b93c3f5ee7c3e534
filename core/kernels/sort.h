/* sort.h -- numbers in order along one axis, or the positions that put them so. Stable: equal ones keep their
 * order, whether small ones come first or large ones. NaN counts as larger than all, -0 as equal to 0.
 *
 * Sorting is by the digits of keys, whose order as unsigned integers is that of the numbers. */
#ifndef KERNELS_SORT_H
#define KERNELS_SORT_H

#include <stddef.h>
#include <stdint.h>

#include "tensor/tensor.h"

struct sort_plan {
    enum dtype dtype;
    int positions, descending;
    int64_t outer, n, inner; /* lines of n numbers, `inner` apart */
    int64_t wanted;          /* of the result, the first ones of each line */
    int64_t chunks;          /* of lines, for threads */
    size_t line_bytes;       /* scratch memory of a chunk */
};

/* positions: 1-based int64 ones, not the numbers. */
void sort_plan(struct sort_plan *p, enum dtype dtype, int positions, int descending, int64_t outer, int64_t n,
               int64_t inner, int64_t wanted);
size_t sort_scratch(const struct sort_plan *p);
void sort_run(const struct sort_plan *p, const void *x, void *out, void *scratch);

/* How many of n growing numbers come before the number at v: are less, or (`right`) no larger. */
int64_t sort_place(enum dtype dtype, int64_t n, const void *sorted, const void *v, int right);

#endif
