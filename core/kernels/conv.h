/* conv.h -- two-dimensional cross-correlation and its two derivatives, on dense row-major arrays of one float
 * dtype.
 *
 *   y[n,o,i,j] = sum over c,a,b of x[n, c, i sh - ph + a dh, j sw - pw + b dw] w[o,c,a,b]
 *   (zero padding, c within o's group)
 *
 * x: N,C,H,W   w: O,C/groups,KH,KW   y: N,O,OH,OW with OH = (H + 2 ph - dh (KH - 1) - 1) / sh + 1
 * rounded down. conv1d is H = KH = 1. */
#ifndef KERNELS_CONV_H
#define KERNELS_CONV_H

#include <stddef.h>

#include "kernels/conv_finish.h"
#include "kernels/conv_shape.h"

/* Name of the way that serves this shape: "planes", "winograd", ... */
const char *conv_way(const struct conv *s);

/* Make ready what conv_run may need for this shape; see blas_open. */
enum status conv_open(const struct conv *s, enum conv_kind kind);

/* Bytes of scratch memory that conv_run needs for this shape. */
size_t conv_scratch(const struct conv *s, enum conv_kind kind);

/* FORWARD: a = x, b = w, out = y. INPUT_GRADIENT: a = dy, b = w, out = dx. WEIGHT_GRADIENT: a = x, b = dy,
 * out = dw. */
void conv_run(const struct conv *s, enum conv_kind kind, const void *a, const void *b, void *out,
              void *scratch);

#endif
