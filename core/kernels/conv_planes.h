/* conv_planes.h -- convolutions by the product kernel on a padded image, without im2col.
 *
 * An image is padded once; row (c, tap) of the right operand is the padded plane of channel c shifted by the
 * tap, read in place. Rows of the result are as wide as those of the padded image; the surplus is dropped.
 * The input gradient is the same product with the padded cotangent and mirrored shifts; the weight gradient
 * is a sum over pixels, with the padded image turned so that its channels are contiguous.
 *
 * With strides the padded image is split into the subgrids that taps read; the input gradient is made one
 * subgrid after the other, each from the taps that reach it. */
#ifndef KERNELS_CONV_PLANES_H
#define KERNELS_CONV_PLANES_H

#include <stddef.h>

#include "kernels/conv_shape.h"

int conv_planes_fits(const struct conv *s);

size_t conv_planes_scratch(const struct conv *s, enum conv_kind kind);

void conv_planes_run(const struct conv *s, enum conv_kind kind, const void *a, const void *b, void *out,
                     void *scratch);

#endif
