/* Matrix products, compiled once per instruction set like loops.c. */
#include "base/tuning.h"
#include "kernels/loops.h"
#include "kernels/paste.h"

/* ---- matrix products: a register block of MR x two vectors of C, fed by one row of B and MR scalars of A
 * per k ---- */
#if defined(__AVX512F__)
#define VECTOR_BYTES 64
#define MR 12
#elif defined(__AVX__)
#define VECTOR_BYTES 32
#define MR 6
#else
#define VECTOR_BYTES 16
#define MR 6
#endif
typedef float vector_f32 __attribute__((vector_size(VECTOR_BYTES), aligned(4), may_alias));
typedef double vector_f64 __attribute__((vector_size(VECTOR_BYTES), aligned(8), may_alias));

#include "kernels/product_fold.h"

#define UNROLLED _Pragma("GCC unroll 16")

/* A switch over the rows of a block, so that their number is a constant in each case. */
#define PRODUCT_CASE(ROWS, WIDE)                                                                             \
    case ROWS:                                                                                               \
        TYPED(block)(ROWS, WIDE, count, a, rs, ks, b, offset, ldb, c, ldc, start, pitch);                    \
        break;
#define PRODUCT_CASES_6(WIDE)                                                                                \
    PRODUCT_CASE(1, WIDE)                                                                                    \
    PRODUCT_CASE(2, WIDE)                                                                                    \
    PRODUCT_CASE(3, WIDE)                                                                                    \
    PRODUCT_CASE(4, WIDE) PRODUCT_CASE(5, WIDE) PRODUCT_CASE(6, WIDE)
#if MR == 12
#define PRODUCT_CASES(WIDE)                                                                                  \
    PRODUCT_CASES_6(WIDE)                                                                                    \
    PRODUCT_CASE(7, WIDE)                                                                                    \
    PRODUCT_CASE(8, WIDE)                                                                                    \
    PRODUCT_CASE(9, WIDE)                                                                                    \
    PRODUCT_CASE(10, WIDE) PRODUCT_CASE(11, WIDE) PRODUCT_CASE(12, WIDE)
#else
#define PRODUCT_CASES(WIDE) PRODUCT_CASES_6(WIDE)
#endif
#define T float
#define SUFFIX f32
#include "kernels/product_body.h"
#define T double
#define SUFFIX f64
#include "kernels/product_body.h"
