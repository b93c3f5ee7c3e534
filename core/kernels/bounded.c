#include "kernels/bounded.h"

#include <string.h>

#include "base/interrupt.h"
#include "base/tuning.h"

/* Rows or columns of a piece when `each` is the work of one: multiples of `least`. */
static int64_t piece_of(double each, int64_t least)
{
    int64_t n = (int64_t)(BOUNDED_PIECE_WORK / each) / least * least;
    return n < least ? least : n;
}

void bounded_product(enum dtype dtype, int64_t m, int64_t n, int64_t k, const void *a, int64_t rs, int64_t ks,
                     const void *b, const int64_t *offset, int64_t ldb, void *c, int64_t ldc, int accumulate)
{
    int64_t size = (int64_t)dtype_size(dtype);
    if ((double)m * (double)n * (double)k <= BOUNDED_PIECE_WORK) {
        loops->product[dtype](m, n, k, a, rs, ks, b, offset, ldb, c, ldc, accumulate);
    } else if (k >= 2 * BOUNDED_LONG_SUM) {
        for (int64_t i = 0, part; i < k && !interrupt_stop(); i += part) {
            part = k - i < 2 * BOUNDED_LONG_SUM ? k - i : BOUNDED_LONG_SUM;
            bounded_product(dtype, m, n, part, (const char *)a + i * ks * size, rs, ks,
                            (const char *)b + (offset ? 0 : i * ldb * size), offset ? offset + i : NULL, ldb,
                            (char *)c, ldc, accumulate || i > 0);
        }
    } else if (n >= 2 * BOUNDED_LEAST_COLUMNS) {
        int64_t columns = piece_of((double)m * (double)k, BOUNDED_LEAST_COLUMNS);
        for (int64_t j = 0, part; j < n && !interrupt_stop(); j += part) {
            part = n - j < columns + BOUNDED_LEAST_COLUMNS ? n - j : columns;
            loops->product[dtype](m, part, k, a, rs, ks, (const char *)b + j * size, offset, ldb,
                                  (char *)c + j * size, ldc, accumulate);
        }
    } else {
        int64_t least = n > 8 ? 8 : 64, rows = piece_of((double)n * (double)k, least);
        for (int64_t i = 0, part; i < m && !interrupt_stop(); i += part) {
            part = m - i < rows + least ? m - i : rows;
            loops->product[dtype](part, n, k, (const char *)a + i * rs * size, rs, ks, b, offset, ldb,
                                  (char *)c + i * ldc * size, ldc, accumulate);
        }
    }
}

void bounded_zero(void *to, size_t bytes)
{
    for (size_t at = 0; at < bytes && !interrupt_stop(); at += BOUNDED_PIECE_BYTES)
        memset((char *)to + at, 0, bytes - at < BOUNDED_PIECE_BYTES ? bytes - at : BOUNDED_PIECE_BYTES);
}

void bounded_copy(void *to, const void *from, size_t bytes)
{
    for (size_t at = 0; at < bytes && !interrupt_stop(); at += BOUNDED_PIECE_BYTES)
        memcpy((char *)to + at, (const char *)from + at,
               bytes - at < BOUNDED_PIECE_BYTES ? bytes - at : BOUNDED_PIECE_BYTES);
}
