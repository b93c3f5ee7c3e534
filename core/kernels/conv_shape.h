/* conv_shape.h -- what a convolution is, below those who ask for one (conv.h) and the ways to make it
 * (conv_*.c). */
#ifndef KERNELS_CONV_SHAPE_H
#define KERNELS_CONV_SHAPE_H

#include "kernels/precision.h"
#include "tensor/tensor.h"

struct conv_finish;

/* Shapes as in conv.h: n, c, h, w and o, oh, ow of x and y, kh, kw of the kernel, then stride, padding,
 * dilation. */
struct conv {
    enum dtype dtype;
    int64_t n, c, h, w, o, kh, kw, sh, sw, ph, pw, dh, dw, groups, oh, ow;
    int64_t lanes; /* work spaces, hence the most threads, to use: fixed when the scratch memory is sized */
    enum precision precision;         /* of float32 */
    const struct conv_finish *finish; /* NULL: nothing */
};

enum conv_kind { CONV_FORWARD, CONV_INPUT_GRADIENT, CONV_WEIGHT_GRADIENT };

/* Of stride 1, the input gradient is a convolution, too: of the cotangent, with mirrored weights and the
 * padding that the other one lacks (which may be negative). Channels `from` (h x w) become `to` (oh x ow);
 * the weight gradient has the shape of the forward one. */
struct conv_pass {
    int64_t from, to, h, w, oh, ow, ph, pw;
};
struct conv_pass conv_pass_of(const struct conv *s, enum conv_kind kind);

#endif
