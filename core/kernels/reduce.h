/* reduce.h -- sums and extremes over sets of axes, planned once. Order of addition depends on the shape
 * only. */
#ifndef KERNELS_REDUCE_H
#define KERNELS_REDUCE_H

#include "kernels/loops.h"
#include "tensor/tensor.h"

enum reduction { REDUCE_SUM, REDUCE_MAX, REDUCE_MIN };

struct reduce_plan {
    enum reduction kind;
    enum dtype dtype;
    int kept, reduced; /* numbers of merged axes of each sort, outermost first; reduced >= 1 */
    int64_t kept_size[MAX_RANK + 1], kept_stride[MAX_RANK + 1];
    int64_t reduced_size[MAX_RANK + 1], reduced_stride[MAX_RANK + 1];
    int64_t outputs, count; /* outputs; inputs per output */
    int by_rows;            /* one reduced axis, and the last kept axis is contiguous: add whole rows */
    int few;                /* one kept axis, and few numbers to add up for each of it */
    int64_t fold; /* not 0: rows of outputs, each with so many neighbours to add up (a bias gradient of short
                     signals) */
};

/* The dtype of the result: sums of uint8 are counted in int64. */
enum dtype reduce_dtype(enum reduction kind, enum dtype in);

/* Reduce the axes in `mask` (bit i: axis i) of `in`; the result is dense with those axes kept at size 1. */
void reduce_plan(struct reduce_plan *plan, enum reduction kind, const struct array *in, unsigned mask);
void reduce_run(const struct reduce_plan *plan, const void *in, void *out);

/* 1-based position of the first largest (or smallest) element along one axis; out is dense int64 with that
 * axis at size 1. NaN wins. */
void arg_extreme(const struct array *in, int axis, int largest, int64_t *out);

#endif
