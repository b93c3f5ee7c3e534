/* conv_bf16.h -- convolutions of stride 1 by bfloat16 parts (bf16.h), for processors with a matrix unit.
 *
 * An image is split once, as pixels with their channels side by side inside zero margins; a tap of the kernel
 * is then a shift of the address, and nothing is packed per tap. The weight gradient sums over pixels: there
 * the image stays in planes, and the cotangent is the packed operand. */
#ifndef KERNELS_CONV_BF16_H
#define KERNELS_CONV_BF16_H

#include <stddef.h>

#include "kernels/conv_shape.h"

int conv_bf16_fits(const struct conv *s);

size_t conv_bf16_scratch(const struct conv *s, enum conv_kind kind);

/* On the kernel of the loops table in force or, where it has none, in plain C. */
void conv_bf16_run(const struct conv *s, enum conv_kind kind, const void *a, const void *b, void *out,
                   void *scratch);

/* The same with so many parts, whatever the precision. */
size_t conv_bf16_parts_scratch(const struct conv *s, enum conv_kind kind, int parts);
void conv_bf16_parts_run(const struct conv *s, enum conv_kind kind, int parts, const void *a, const void *b,
                         void *out, void *scratch);

#endif
