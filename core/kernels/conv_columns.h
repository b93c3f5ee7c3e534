/* conv_columns.h -- convolutions of any shape by im2col, a few images at a time, so that tiny signals still
 * give products of useful size. */
#ifndef KERNELS_CONV_COLUMNS_H
#define KERNELS_CONV_COLUMNS_H

#include <stddef.h>

#include "kernels/conv_shape.h"

int conv_columns_fits(const struct conv *s); /* always */

enum status conv_columns_open(const struct conv *s, enum conv_kind kind);

size_t conv_columns_scratch(const struct conv *s, enum conv_kind kind);

void conv_columns_run(const struct conv *s, enum conv_kind kind, const void *a, const void *b, void *out,
                      void *scratch);

#endif
