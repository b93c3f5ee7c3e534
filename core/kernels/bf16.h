/* bf16.h -- float32 products by bfloat16 parts, on processors that multiply bfloat16 faster than float32
 * (AMX, AVX512-BF16).
 *
 * A number is split into parts, each the bfloat16 nearest to what the parts before leave: x = x1 + x2 + ...
 * One part keeps 8 bits, two keep 16, three 24. Of the products of parts those are kept that matter: 1 of one
 * part, 3 of two (11, 12, 21), 6 of three (11, 12, 21, 22, 13, 31). Sums are float32. Facts of the format:
 * subnormal parts count as zero; infinities and NaN go into the first part alone. */
#ifndef KERNELS_BF16_H
#define KERNELS_BF16_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/precision.h"

#define BF16_ROWS 32  /* of the left operand, and columns of the right one, in one block of the result */
#define BF16_DEPTH 32 /* numbers of the sum in one step */
#define BF16_TILE 512 /* numbers of a tile: 16 rows of 32, or 16 pairs of rows of 16 columns */

/* Parts that a level of precision is to be computed with on this processor; 0: float32 arithmetic is better
 * (or all there is). For convolutions only where that beats Winograd's way. */
int bf16_parts(enum precision level);
int bf16_conv_parts(enum precision level);

/* One block: out[32][32] = sum over steps of A (32 x 32) B (32 x 32). Part p of row i of A at step s starts
 * at a + p a_part + i a_pitch + offset[s]; B is packed, its second sixteen columns b_half further. */
struct bf16_block {
    int parts;
    int64_t steps;
    const uint16_t *a, *b;
    const int64_t *offset;
    int64_t a_pitch, a_part, b_half;
    float *out;
};
typedef void (*bf16_kernel)(const struct bf16_block *q);

/* The same in plain C, which stands for the others in tests. */
void bf16_block_plain(const struct bf16_block *q);

/* The processor's kernels, NULL where it or the compiler lacks them. amx: asks the system for permission and
 * checks a result first. */
bf16_kernel bf16_kernel_amx(void);
bf16_kernel bf16_kernel_avx512(void);

/* Split n floats that are `stride` apart into parts `part` numbers apart. */
void bf16_split(int parts, int64_t n, const float *x, int64_t stride, uint16_t *out, int64_t part);

/* Packed right operand of depth k and n columns, element (i, j) at b[i rs + j cs]; its size in numbers. */
int64_t bf16_packed_size(int parts, int64_t k, int64_t n);
void bf16_pack(int parts, int64_t k, int64_t n, const float *b, int64_t rs, int64_t cs, uint16_t *packed);

/* C (m x n, rows ldc apart) = A B, or += when `accumulate`. A as in bf16_block, its rows rounded up to 32
 * readable; B packed for `steps` of depth. */
void bf16_product(bf16_kernel kernel, int parts, int64_t m, int64_t n, int64_t steps, const uint16_t *a,
                  int64_t a_pitch, int64_t a_part, const int64_t *offset, const uint16_t *packed, float *c,
                  int64_t ldc, int accumulate);

#endif
