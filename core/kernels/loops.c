/* Compiled once per instruction set: LOOPS_NAME is the name of the table, and the compiler's flags are the
 * instruction set. */
#include "kernels/loops.h"

#include <math.h>
#include <stddef.h>

#include "base/tuning.h"
#include "kernels/loops_elementwise.h"
#include "kernels/loops_reduce.h"
#include "kernels/paste.h"

#define T float
#define SUFFIX f32
#define FABS fabsf
#include "kernels/loops_solver_body.h"
#define T double
#define SUFFIX f64
#define FABS fabs
#include "kernels/loops_solver_body.h"

#define T float
#define SUFFIX f32
#define MATH FN_float
#include "kernels/loops_recurrent_body.h"
#define T double
#define SUFFIX f64
#define MATH FN_double
#include "kernels/loops_recurrent_body.h"

#if defined(__AVX512F__)
#define VECTOR_BYTES 64
#elif defined(__AVX__)
#define VECTOR_BYTES 32
#else
#define VECTOR_BYTES 16
#endif
#define UNROLLED _Pragma("GCC unroll 8")
#define T float
#define SUFFIX f32
#include "kernels/loops_copy_body.h"
#define T double
#define SUFFIX f64
#include "kernels/loops_copy_body.h"

#define T float
#define SUFFIX f32
#include "kernels/loops_moments_body.h"
#define T double
#define SUFFIX f64
#include "kernels/loops_moments_body.h"

/* Magnitudes in the order of their bits without the sign: infinity comes after every number, NaN after
 * infinity. */
#define PEAK(SUFFIX, T, BITS, MASK)                                                                          \
    typedef BITS __attribute__((may_alias)) bits_##SUFFIX;                                                   \
    static double peak_##SUFFIX(int64_t n, const void *xv)                                                   \
    {                                                                                                        \
        const bits_##SUFFIX *x = xv;                                                                         \
        BITS top = 0;                                                                                        \
        T value;                                                                                             \
        for (int64_t i = 0; i < n; i++) {                                                                    \
            BITS b = x[i] & MASK;                                                                            \
            top = b > top ? b : top;                                                                         \
        }                                                                                                    \
        __builtin_memcpy(&value, &top, sizeof value);                                                        \
        return (double)value;                                                                                \
    }
PEAK(f32, float, int32_t, INT32_MAX)
PEAK(f64, double, int64_t, INT64_MAX)

/* ---- the table ---- */
#define TABLE_F(name) [FLOAT32] = PASTE(name, f32), [FLOAT64] = PASTE(name, f64)
#define TABLE_A(name) TABLE_F(name), [INT64] = PASTE(name, i64), [UINT8] = PASTE(name, u8)
#define TABLE_D TABLE_A

/* Those of other files. */
#define EXTERNAL(name) [FLOAT32] = LOOPED(name##_f32), [FLOAT64] = LOOPED(name##_f64)
extern product_loop LOOPED(product_f32), LOOPED(product_f64);
extern product_row_loop LOOPED(product_row_f32), LOOPED(product_row_f64), LOOPED(product_alike_f32),
    LOOPED(product_alike_f64);
extern const struct winograd_loops LOOPED(winograd_loops);
extern const struct packing_loops LOOPED(packing_loops);
extern const struct sort_loops LOOPED(sort_loops);

/* A copy, which is worth blocks where it turns rows into columns. */
static void turned_f32(const int64_t n[2], const void *x, const int64_t sx[2], void *out)
{
    if (sx[0] == 1 && sx[1] > 1)
        LOOPED(winograd_loops).transpose(n[1], n[0], x, sx[1], out, n[1]);
    else
        cast_f32_f32(n, x, sx, out);
}

const struct loops LOOPED(loops) = {
    .name = TEXT(LOOPS_NAME),
    .sort = &LOOPED(sort_loops),
    .winograd = &LOOPED(winograd_loops),
    .packing = &LOOPED(packing_loops),
#define UNARY(NAME, name, dtypes, expression) .unary[UNARY_##NAME] = {TABLE_##dtypes(name)},
#define BINARY(NAME, name, dtypes, expression) .binary[BINARY_##NAME] = {TABLE_##dtypes(name)},
#define PREDICATE(NAME, name, expression) .unary[UNARY_##NAME] = {TABLE_A(name)},
#define COMPARE(NAME, name, expression) .binary[BINARY_##NAME] = {TABLE_A(name)},
#include "kernels/elementwise.def"
    .cast[FLOAT32] = {turned_f32, cast_f32_f64, cast_f32_i64, cast_f32_u8},
    .cast[FLOAT64] = {TABLE_A(cast_f64)},
    .cast[INT64] = {TABLE_A(cast_i64)},
    .cast[UINT8] = {TABLE_A(cast_u8)},
    .where = {TABLE_A(where)},
    .sum = {TABLE_F(sum), [UINT8] = sum_u8},
    .max = {TABLE_F(max), [UINT8] = max_u8},
    .min = {TABLE_F(min), [UINT8] = min_u8},
    .sum_whole = sum_whole,
    .max_whole = max_whole,
    .min_whole = min_whole,
    .sum_rows = {TABLE_A(sum_rows)},
    .combine = {TABLE_F(combine)},
    .combine_each = {TABLE_F(combine_each)},
    .error_sum = {TABLE_F(error_sum)},
    .error_squares = {TABLE_F(error_squares)},
    .scaled_sum = {TABLE_F(scaled_sum)},
    .product = {EXTERNAL(product)},
    .product_row = {EXTERNAL(product_row)},
    .product_alike = {EXTERNAL(product_alike)},
    .adam = {TABLE_F(adam)},
    .peak = {TABLE_F(peak)},
    .deviations = {TABLE_F(deviations)},
    .copy = {TABLE_F(copy)},
    .normalise = {TABLE_F(normalise)},
    .normalise_sums = {TABLE_F(normalise_sums)},
    .normalise_back = {TABLE_F(normalise_back)},
    .gru_cell = {TABLE_F(gru_cell)},
    .gru_cell_grad = {TABLE_F(gru_cell_grad)},
    .lstm_cell = {TABLE_F(lstm_cell)},
    .lstm_cell_grad = {TABLE_F(lstm_cell_grad)},
};
