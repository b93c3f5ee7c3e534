/* conv_dense.h -- convolution of tiny signals as one matrix product.
 *
 * A sample of N,C,H,W is a row of C H W numbers, and so is its result. Between them the convolution is a
 * matrix: entry ((c, pixel in), (o, pixel out)) is the weight of the tap that connects the two pixels, or
 * zero. For signals of a few pixels that matrix is small and mostly full, and the product needs no
 * rearrangement of the data at all. */
#ifndef KERNELS_CONV_DENSE_H
#define KERNELS_CONV_DENSE_H

#include <stddef.h>

#include "kernels/conv_shape.h"

int conv_dense_fits(const struct conv *s);

size_t conv_dense_scratch(const struct conv *s, enum conv_kind kind);

/* The matrix, C H W rows of O OH OW numbers, or its transpose. */
void conv_dense_matrix(const struct conv *s, const void *w, int transpose, void *matrix);
/* The other way: each weight's sum over its entries, which turns a gradient of the matrix into one of the
 * weights. */
void conv_dense_gather(const struct conv *s, const void *matrix, void *dw);

void conv_dense_run(const struct conv *s, enum conv_kind kind, const void *a, const void *b, void *out,
                    void *scratch);

#endif
