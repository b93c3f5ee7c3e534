/* precision.h -- how exactly float32 products and convolutions are to be computed; PyTorch's vocabulary
 * (torch.set_float32_matmul_precision).
 *
 *   highest  float32 accuracy (24 bits)
 *   high     at least 16 bits: two bfloat16 parts of each factor, three products; or anything exact enough
 *            and faster
 *   medium   at least 8 bits: factors rounded to bfloat16, sums in float32
 *
 * A level is what may be lost, not what will be: a kernel that is both faster and more exact serves the lower
 * levels too. float64 is never affected. Compiled programs take the level that holds when they are made. */
#ifndef KERNELS_PRECISION_H
#define KERNELS_PRECISION_H

enum precision { PRECISION_HIGHEST, PRECISION_HIGH, PRECISION_MEDIUM };

/* The level of this process; highest at the start. */
enum precision precision_get(void);
void precision_set(enum precision level);

#endif
