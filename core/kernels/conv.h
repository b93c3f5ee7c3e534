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

#include "kernels/loops.h"
#include "kernels/precision.h"
#include "tensor/tensor.h"

/* What is done to each piece of the result of FORWARD and INPUT_GRADIENT as soon as it is there: y = post(y +
 * bias), in this order. */
struct conv_finish {
    const void *bias;   /* one number per channel of the result, or NULL */
    unary_loop unary;   /* post(y), or NULL */
    binary_loop binary; /* post(y, other), or post(other, y) with `second`; NULL: none */
    int second;
    const void *other; /* of the result's shape */
};

struct conv {
    enum dtype dtype;
    int64_t n, c, h, w, o, kh, kw, sh, sw, ph, pw, dh, dw, groups, oh, ow;
    int64_t lanes; /* work spaces, hence the most threads, to use: fixed when the scratch memory is sized */
    enum precision precision;         /* of float32 */
    const struct conv_finish *finish; /* NULL: nothing */
};

enum conv_kind { CONV_FORWARD, CONV_INPUT_GRADIENT, CONV_WEIGHT_GRADIENT };

/* Make ready what conv_run may need for this shape; see blas_open. */
enum status conv_open(const struct conv *s, enum conv_kind kind);

/* Bytes of scratch memory that conv_run needs for this shape. */
size_t conv_scratch(const struct conv *s, enum conv_kind kind);

/* Finish rows first .. first + rows - 1 of image `image` of `out`, which has `channels` planes of h x w; for
 * the ways of conv_run. */
void conv_finish_rows(const struct conv *s, void *out, int64_t image, int64_t channels, int64_t h, int64_t w,
                      int64_t first, int64_t rows);

/* FORWARD: a = x, b = w, out = y. INPUT_GRADIENT: a = dy, b = w, out = dx. WEIGHT_GRADIENT: a = x, b = dy,
 * out = dw. */
void conv_run(const struct conv *s, enum conv_kind kind, const void *a, const void *b, void *out,
              void *scratch);

#endif
