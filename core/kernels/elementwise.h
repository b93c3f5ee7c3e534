/* elementwise.h -- broadcast loops over strided arrays, planned once and run many times. */
#ifndef KERNELS_ELEMENTWISE_H
#define KERNELS_ELEMENTWISE_H

#include "kernels/loops.h"
#include "tensor/tensor.h"

/* A loop nest over a dense output, with neighbouring axes merged wherever all operands allow it. */
struct loop_plan {
    int rank; /* >= 2; the two innermost axes are the kernel's */
    int64_t size[MAX_RANK + 1];
    int64_t stride[2][MAX_RANK + 1]; /* per input, in elements */
    size_t in_size[2], out_size;     /* bytes of one element */
    int64_t numel;
    int at_once; /* one call of the kernel does it all */
};

/* out: shape of the result (dense). in[i]: broadcastable to it. n_in is 1 or 2. */
void loop_plan(struct loop_plan *plan, const struct array *out, const struct array *const *in, int n_in);

/* Run on data pointers of the planned arrays; split over the threads when large. */
void loop_run_unary(const struct loop_plan *plan, unary_loop loop, const void *x, void *out);
void loop_run_binary(const struct loop_plan *plan, binary_loop loop, const void *x, const void *y, void *out);

/* NumPy's broadcasting rule; STATUS_SHAPE names both shapes. */
enum status broadcast_shapes(const struct array *a, const struct array *b, int *rank,
                             int64_t shape[MAX_RANK]);

/* View of `a` with the given larger shape, stride 0 where it is repeated (the shapes must be compatible). */
void broadcast_view(const struct array *a, int rank, const int64_t *shape, struct array *view);

/* Copy a strided array into dense memory of the same dtype and shape. */
void array_copy_dense(const struct array *a, void *out);

/* Copy between arrays of one shape and dtype, both strided, that do not overlap. */
void array_copy_strided(const struct array *from, const struct array *to);

#endif
