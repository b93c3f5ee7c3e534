/* conv_winograd.h -- 3 x 3 convolutions of stride 1 by Winograd's minimal filtering (Lavin and Gray 2016,
 * arXiv:1509.09308).
 *
 * The convolution of a tile of m x m results is a bilinear form of rank (m + 2)^2: y = A^T [(G w G^T) * (B^T
 * x B)] A, with * elementwise. Summed over channels, each of the (m + 2)^2 places is a matrix product: 2.25
 * (m = 2) or 4 (m = 4) times fewer multiplications than directly. The derivatives are the other contractions
 * of the same trilinear form.
 *
 * m = 2 loses nothing against the direct sum, which is longer; m = 4 loses about a digit, well within the 16
 * bits of precision "high". The errors are measured in tests/c/test_winograd.c. float32 only. */
#ifndef KERNELS_CONV_WINOGRAD_H
#define KERNELS_CONV_WINOGRAD_H

#include <stddef.h>

#include "kernels/conv_shape.h"

int conv_winograd_fits(const struct conv *s);

size_t conv_winograd_scratch(const struct conv *s, enum conv_kind kind);

void conv_winograd_run(const struct conv *s, enum conv_kind kind, const void *a, const void *b, void *out,
                       void *scratch);

#endif
