/* conv_finish.h -- what is done to each piece of a convolution's result as soon as it is there. */
#ifndef KERNELS_CONV_FINISH_H
#define KERNELS_CONV_FINISH_H

#include "kernels/conv_shape.h"
#include "kernels/loops.h"

/* Of FORWARD and INPUT_GRADIENT: y = post(y + bias), in this order. */
struct conv_finish {
    const void *bias;   /* one number per channel of the result, or NULL */
    unary_loop unary;   /* post(y), or NULL */
    binary_loop binary; /* post(y, other), or post(other, y) with `second`; NULL: none */
    int second;
    const void *other; /* of the result's shape */
};

/* Finish rows first .. first + rows - 1 of each plane of image `image` of `out`. */
void conv_finish_rows(const struct conv *s, const struct conv_pass *c, void *out, int64_t image,
                      int64_t first, int64_t rows);

#endif
