/* loops.h -- the innermost loops, compiled once per instruction set (generic, avx2, avx512) and chosen at run
 * time; "amx" is avx512 with products of bfloat16 parts on the matrix unit (bf16.h).
 *
 * TIDE_ISA=generic|avx2|avx512|amx forces a choice that the processor supports. Results may differ between
 * instruction sets in the last bits (fused multiply-add); on one of them they are always the same. */
#ifndef KERNELS_LOOPS_H
#define KERNELS_LOOPS_H

#include <stdint.h>

#include "tensor/tensor.h"

#define UNARY(NAME, name, dtypes, expression) UNARY_##NAME,
#define BINARY(NAME, name, dtypes, expression)
#define PREDICATE(NAME, name, expression) UNARY_##NAME,
#define COMPARE(NAME, name, expression)
enum unary {
#include "kernels/elementwise.def"
    UNARY_COUNT
};
#undef UNARY
#undef BINARY
#undef PREDICATE
#undef COMPARE
#define UNARY(NAME, name, dtypes, expression)
#define PREDICATE(NAME, name, expression)
#define BINARY(NAME, name, dtypes, expression) BINARY_##NAME,
#define COMPARE(NAME, name, expression) BINARY_##NAME,
enum binary {
#include "kernels/elementwise.def"
    BINARY_COUNT
};
#undef UNARY
#undef BINARY
#undef PREDICATE
#undef COMPARE

/* Two nested loops n[0] x n[1]; operand p has strides s[0], s[1] in elements; the output is dense. */
typedef void (*unary_loop)(const int64_t n[2], const void *x, const int64_t sx[2], void *out);
typedef void (*binary_loop)(const int64_t n[2], const void *x, const int64_t sx[2], const void *y,
                            const int64_t sy[2], void *out);

typedef void product_loop(int64_t m, int64_t n, int64_t k, const void *a, int64_t rs, int64_t ks,
                          const void *b, const int64_t *offset, int64_t ldb, void *c, int64_t ldc,
                          int accumulate);
typedef void product_row_loop(int64_t m, int64_t n, int64_t k, const void *a, int64_t rs, int64_t ks,
                              const void *b, int64_t ldb, void *c, int64_t ldc, const void *row);

typedef void recurrent_loop(int64_t rows, int64_t n, const void *const in[], void *out);

/* Hyper-parameters of one step of Adam; corrections are 1 - beta^t. */
struct adam_step {
    double lr, beta1, beta2, eps, weight_decay, decoupled_decay, correction1, correction2;
};

/* Winograd's convolutions (conv_winograd.c, winograd_loops.c), float32. */
struct winograd_loops {
    /* out[j out_pitch + i] = x[i pitch + j] */
    void (*transpose)(int64_t rows, int64_t columns, const float *x, int64_t pitch, float *out,
                      int64_t out_pitch);
    /* Of tiles of 2 and of 4 results: input, output, their transposes... (enum transform). Element (i, j), so
     * many channels, of the square that is transformed is at in + i in_row + j in_column, that of the result
     * at out + i out_row + j out_column. */
    void (*transform[2][5])(int64_t channels, const float *in, int64_t in_row, int64_t in_column, float *out,
                            int64_t out_row, int64_t out_column);
};

/* Splitting into bfloat16 parts (bf16.c, bf16_loops.c). */
struct packing_loops {
    void (*split)(int parts, int64_t n, const float *x, int64_t stride, uint16_t *out, int64_t part);
    void (*pack_tile)(int parts, int64_t rows, int64_t columns, const float *b, int64_t rs, int64_t cs,
                      uint16_t *tile);
};
struct bf16_block;
struct sort_loops;

struct loops {
    const char *name;
    const struct sort_loops *sort; /* sort_loops.h */
    const struct winograd_loops *winograd;
    const struct packing_loops *packing;
    void (*bf16)(const struct bf16_block
                     *q); /* products of bfloat16 parts (bf16.h), NULL where float32 is the best there is */
    unary_loop unary[UNARY_COUNT][DTYPE_COUNT];    /* NULL: not for this dtype; predicates write uint8 */
    binary_loop binary[BINARY_COUNT][DTYPE_COUNT]; /* comparisons as well */
    unary_loop cast[DTYPE_COUNT][DTYPE_COUNT];     /* [from][to] */
    binary_loop where[DTYPE_COUNT]; /* writes into out, which holds the values for "false"; x is the uint8
                                       condition, y the values */

    /* out[i out_row + j out_step] = x[i x_row + j x_step], float32 and float64. */
    void (*copy[2])(int64_t rows, int64_t columns, const void *x, int64_t x_row, int64_t x_step, void *out,
                    int64_t out_row, int64_t out_step);

    /* Sum, largest, smallest of n elements with a stride, as double (float32 sums are carried in double,
     * float64 sums are pairwise); of int64 by the functions below, as a double would not hold them. */
    double (*sum[DTYPE_COUNT])(int64_t n, const void *x, int64_t stride);
    double (*max[DTYPE_COUNT])(int64_t n, const void *x, int64_t stride);
    double (*min[DTYPE_COUNT])(int64_t n, const void *x, int64_t stride);
    int64_t (*sum_whole)(int64_t n, const int64_t *x, int64_t stride); /* modulo 2^64 */
    int64_t (*max_whole)(int64_t n, const int64_t *x, int64_t stride);
    int64_t (*min_whole)(int64_t n, const int64_t *x, int64_t stride);
    /* out[j] = sum over i of x[i*pitch + j], 0 <= j < width <= SUM_ROWS_WIDTH, carried as above. */
    void (*sum_rows[DTYPE_COUNT])(int64_t rows, int64_t width, const void *x, int64_t pitch, void *out);

    /* Solver arithmetic, float32 and float64. out = y + sum_j c[j] k[j] (y may be NULL for zero; out may be
     * y). */
    void (*combine[2])(int64_t n, const void *y, int count, const double *c, const void *const *k, void *out);
    /* The same with weights h[i] c[j], of the bits that combine gives where h c[j] is what it is told. */
    void (*combine_each[2])(int64_t n, const void *y, const double *h, int count, const double *c,
                            const void *const *k, void *out);
    /* Sum over i of ((sum_j c[j] k[j][i]) / (atol + rtol max(|y0[i]|, |y1[i]|)))^2. */
    double (*error_sum[2])(int64_t n, int count, const double *c, const void *const *k, const void *y0,
                           const void *y1, double rtol, double atol);
    /* Its terms, with weights h[i] c[j]. */
    void (*error_squares[2])(int64_t n, const double *h, int count, const double *c, const void *const *k,
                             const void *y0, const void *y1, double rtol, double atol, double *square);
    /* Sum over i of (x[i] / (atol + rtol |y[i]|))^2. */
    double (*scaled_sum[2])(int64_t n, const void *x, const void *y, double rtol, double atol);

    /* C (m x n, rows ldc apart) = A B, or += when `accumulate`. A(i, k) is a[i rs + k ks]; row k of B starts
     * at b + offset[k], or at b + k ldb when offset is NULL. One thread, the sum over k in order; no limits
     * on the sizes, but made for operands that fit the caches. Up to 128 bytes behind the last element of a
     * row of A or B may be read (memory_alloc leaves room for that). */
    product_loop *product[2];

    /* The same with `row`, n numbers, added to every row of the product; NULL: none. */
    product_row_loop *product_row[2];
    /* The same, where each row has the bits that it has alone, however many there are. */
    product_row_loop *product_alike[2];

    /* Adam on n values of parameter p, gradient g, moments m and v. */
    void (*adam[2])(int64_t n, void *p, const void *g, void *m, void *v, const struct adam_step *step);
    /* The largest magnitude of n values; NaN when there is one, 0 for none. */
    double (*peak[2])(int64_t n, const void *x);
    /* Of n numbers of a channel (ops_moments.c): sum of (x - mean)^2; out = (x - mean) scale + bias; sums of
     * g and g (x - mean) are added to sum[2]; out = scale (g - ab[0] - (x - mean) ab[1]). */
    double (*deviations[2])(int64_t n, const void *x, double mean);
    void (*normalise[2])(int64_t n, const void *x, double mean, double scale, double bias, void *out);
    void (*normalise_sums[2])(int64_t n, const void *x, const void *g, double mean, double sum[2]);
    void (*normalise_back[2])(int64_t n, const void *x, const void *g, double mean, double scale,
                              const double ab[2], void *out);
    /* Steps of recurrent cells with n units for some rows of a batch, and their gradients (ops_recurrent.c).
     */
    recurrent_loop *gru_cell[2], *gru_cell_grad[2], *lstm_cell[2], *lstm_cell_grad[2];
};

/* The table in force. */
extern const struct loops *loops;

/* Switch to a named table ("generic", "avx2", "avx512", "amx"); STATUS_ARGUMENT when the processor lacks
 * it. */
enum status loops_select(const char *name);

#endif
