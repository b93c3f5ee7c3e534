/* layer.h -- a matrix product with what follows it: out = post(op(A) B + c), row by row while the rows are in
 * the cache. */
#ifndef KERNELS_LAYER_H
#define KERNELS_LAYER_H

#include "kernels/loops.h"
#include "tensor/tensor.h"

struct layer {
    enum dtype dtype;
    int ta, tb; /* use the transposes; A is m x k and B k x n after that, both dense */
    int64_t m, n, k;
    unary_loop unary;   /* post(z), or NULL */
    binary_loop binary; /* post(z, e), or post(e, z) with `second`; NULL: none */
    int second;
    int64_t finish; /* multiply-adds that finishing a number takes as long as */
    int alike;      /* rows come out alike, however many there are; tb 0 */
};

/* c: a row of n numbers, or NULL. e: m x n, dense, or NULL. out must not overlap the operands. The product
 * goes to the threads when large. */
void layer_run(const struct layer *l, const void *a, const void *b, const void *c, const void *e, void *out);

#endif
