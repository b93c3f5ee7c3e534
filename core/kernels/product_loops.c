/* Matrix products, compiled once per instruction set like loops.c. */
#include "base/tuning.h"
#include "kernels/loops.h"

#ifndef LOOPS_NAME
#define LOOPS_NAME generic
#endif
#define PASTE2(a, b) a##_##b
#define PASTE(a, b) PASTE2(a, b)

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

/* Sums of W vectors of W lanes as one vector: lane r is the sum over vector r. Each step adds halves of
 * groups and packs two vectors in one. */
#if defined(__has_builtin)
#if __has_builtin(__builtin_shufflevector)
#define HAVE_SHUFFLES
#endif
#endif
#ifdef HAVE_SHUFFLES
#define HALVES_16_8(u, v)                                                                                    \
    (__builtin_shufflevector(u, v, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23) +                 \
     __builtin_shufflevector(u, v, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31))
#define HALVES_16_4(u, v)                                                                                    \
    (__builtin_shufflevector(u, v, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27) +               \
     __builtin_shufflevector(u, v, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31))
#define HALVES_16_2(u, v)                                                                                    \
    (__builtin_shufflevector(u, v, 0, 1, 4, 5, 8, 9, 12, 13, 16, 17, 20, 21, 24, 25, 28, 29) +               \
     __builtin_shufflevector(u, v, 2, 3, 6, 7, 10, 11, 14, 15, 18, 19, 22, 23, 26, 27, 30, 31))
#define HALVES_16_1(u, v)                                                                                    \
    (__builtin_shufflevector(u, v, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30) +              \
     __builtin_shufflevector(u, v, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31))
#define HALVES_8_4(u, v)                                                                                     \
    (__builtin_shufflevector(u, v, 0, 1, 2, 3, 8, 9, 10, 11) +                                               \
     __builtin_shufflevector(u, v, 4, 5, 6, 7, 12, 13, 14, 15))
#define HALVES_8_2(u, v)                                                                                     \
    (__builtin_shufflevector(u, v, 0, 1, 4, 5, 8, 9, 12, 13) +                                               \
     __builtin_shufflevector(u, v, 2, 3, 6, 7, 10, 11, 14, 15))
#define HALVES_8_1(u, v)                                                                                     \
    (__builtin_shufflevector(u, v, 0, 2, 4, 6, 8, 10, 12, 14) +                                              \
     __builtin_shufflevector(u, v, 1, 3, 5, 7, 9, 11, 13, 15))
#define HALVES_4_2(u, v)                                                                                     \
    (__builtin_shufflevector(u, v, 0, 1, 4, 5) + __builtin_shufflevector(u, v, 2, 3, 6, 7))
#define HALVES_4_1(u, v)                                                                                     \
    (__builtin_shufflevector(u, v, 0, 2, 4, 6) + __builtin_shufflevector(u, v, 1, 3, 5, 7))
#define HALVES_2_1(u, v) (__builtin_shufflevector(u, v, 0, 2) + __builtin_shufflevector(u, v, 1, 3))
#define FOLD_2 s[0] = HALVES_2_1(s[0], s[1]);
#define FOLD_4                                                                                               \
    for (int q = 0; q < 2; q++) s[q] = HALVES_4_2(s[2 * q], s[2 * q + 1]);                                   \
    s[0] = HALVES_4_1(s[0], s[1]);
#define FOLD_8                                                                                               \
    for (int q = 0; q < 4; q++) s[q] = HALVES_8_4(s[2 * q], s[2 * q + 1]);                                   \
    for (int q = 0; q < 2; q++) s[q] = HALVES_8_2(s[2 * q], s[2 * q + 1]);                                   \
    s[0] = HALVES_8_1(s[0], s[1]);
#define FOLD_16                                                                                              \
    for (int q = 0; q < 8; q++) s[q] = HALVES_16_8(s[2 * q], s[2 * q + 1]);                                  \
    for (int q = 0; q < 4; q++) s[q] = HALVES_16_4(s[2 * q], s[2 * q + 1]);                                  \
    for (int q = 0; q < 2; q++) s[q] = HALVES_16_2(s[2 * q], s[2 * q + 1]);                                  \
    s[0] = HALVES_16_1(s[0], s[1]);
#if VECTOR_BYTES == 64
#define FOLD_f32 FOLD_16
#define FOLD_f64 FOLD_8
#elif VECTOR_BYTES == 32
#define FOLD_f32 FOLD_8
#define FOLD_f64 FOLD_4
#else
#define FOLD_f32 FOLD_4
#define FOLD_f64 FOLD_2
#endif
#else
#define FOLD_f32                                                                                             \
    for (int q = 0; q < VECTOR_BYTES / 4; q++)                                                               \
        for (int l = 1; l < VECTOR_BYTES / 4; l++) s[q][0] += s[q][l];                                       \
    for (int q = 1; q < VECTOR_BYTES / 4; q++) s[0][q] = s[q][0];
#define FOLD_f64                                                                                             \
    for (int q = 0; q < VECTOR_BYTES / 8; q++)                                                               \
        for (int l = 1; l < VECTOR_BYTES / 8; l++) s[q][0] += s[q][l];                                       \
    for (int q = 1; q < VECTOR_BYTES / 8; q++) s[0][q] = s[q][0];
#endif

/* `rows` and `wide` (two vectors of columns rather than one) are constants where this is inlined, so the
 * accumulators live in registers. start: added at the end, rows `pitch` apart (0: one row for all), or
 * NULL. */
#define PRODUCT_BODY(SUFFIX, T)                                                                              \
    __attribute__((always_inline)) static inline void block_##SUFFIX(                                        \
        int rows, int wide, int64_t count, const T *a, int64_t rs, int64_t ks, const T *b,                   \
        const int64_t *offset, int64_t ldb, T *c, int64_t ldc, const T *start, int64_t pitch)                \
    {                                                                                                        \
        enum { W = VECTOR_BYTES / sizeof(T) };                                                               \
        vector_##SUFFIX sum[MR][2];                                                                          \
        _Pragma("GCC unroll 16") for (int i = 0; i < rows; i++) sum[i][0] = sum[i][1] =                      \
            (vector_##SUFFIX){0};                                                                            \
        for (int64_t k = 0; k < count; k++) {                                                                \
            const T *row = b + (offset ? offset[k] : k * ldb), *ak = a + k * ks;                             \
            vector_##SUFFIX b0 = *(const vector_##SUFFIX *)row,                                              \
                            b1 = wide ? *(const vector_##SUFFIX *)(row + W) : b0;                            \
            _Pragma("GCC unroll 16") for (int i = 0; i < rows; i++)                                          \
            {                                                                                                \
                vector_##SUFFIX x = ak[i * rs] - (vector_##SUFFIX){0};                                       \
                sum[i][0] += x * b0;                                                                         \
                if (wide) sum[i][1] += x * b1;                                                               \
            }                                                                                                \
        }                                                                                                    \
        _Pragma("GCC unroll 16") for (int i = 0; i < rows; i++)                                              \
        {                                                                                                    \
            vector_##SUFFIX *out = (vector_##SUFFIX *)(c + i * ldc),                                         \
                            *from = (vector_##SUFFIX *)(uintptr_t)(start + i * pitch);                       \
            if (start) sum[i][0] += from[0];                                                                 \
            out[0] = sum[i][0];                                                                              \
            if (!wide) continue;                                                                             \
            if (start) sum[i][1] += from[1];                                                                 \
            out[1] = sum[i][1];                                                                              \
        }                                                                                                    \
    }                                                                                                        \
    static void rows_##SUFFIX(int rows, int64_t count, const T *a, int64_t rs, int64_t ks, const T *b,       \
                              const int64_t *offset, int64_t ldb, T *c, int64_t ldc, const T *start,         \
                              int64_t pitch)                                                                 \
    {                                                                                                        \
        switch (rows) {                                                                                      \
            PRODUCT_CASES(SUFFIX, 1)                                                                         \
        }                                                                                                    \
    }                                                                                                        \
    static void narrow_rows_##SUFFIX(int rows, int64_t count, const T *a, int64_t rs, int64_t ks,            \
                                     const T *b, const int64_t *offset, int64_t ldb, T *c, int64_t ldc,      \
                                     const T *start, int64_t pitch)                                          \
    {                                                                                                        \
        switch (rows) {                                                                                      \
            PRODUCT_CASES(SUFFIX, 0)                                                                         \
        }                                                                                                    \
    }                                                                                                        \
    static void product_from_##SUFFIX(int64_t m, int64_t n, int64_t count, const T *av, int64_t rs,          \
                                      int64_t ks, const T *b, const int64_t *offset, int64_t ldb, T *cv,     \
                                      int64_t ldc, const T *from, int64_t pitch)                             \
    {                                                                                                        \
        enum { W = VECTOR_BYTES / sizeof(T) };                                                               \
        T edge[MR * 2 * W];                                                                                  \
        int64_t blocks = (m + MR - 1) / MR; /* of about the same number of rows */                           \
        for (int64_t block = 0; block < blocks; block++) {                                                   \
            int64_t i = block * m / blocks;                                                                  \
            int rows = (int)((block + 1) * m / blocks - i);                                                  \
            const T *a = av + i * rs, *start = from ? from + i * pitch : NULL;                               \
            T *c = cv + i * ldc;                                                                             \
            int64_t j = 0;                                                                                   \
            for (; j + 2 * W <= n; j += 2 * W)                                                               \
                rows_##SUFFIX(rows, count, a, rs, ks, b + j, offset, ldb, c + j, ldc,                        \
                              start ? start + j : NULL, pitch);                                              \
            if (j + W <= n) {                                                                                \
                narrow_rows_##SUFFIX(rows, count, a, rs, ks, b + j, offset, ldb, c + j, ldc,                 \
                                     start ? start + j : NULL, pitch);                                       \
                j += W;                                                                                      \
            }                                                                                                \
            if (j == n) continue;                                                                            \
            narrow_rows_##SUFFIX(rows, count, a, rs, ks, b + j, offset, ldb, edge, W, NULL, 0);              \
            for (int r = 0; r < rows; r++)                                                                   \
                for (int64_t q = 0; q < n - j; q++)                                                          \
                    c[r * ldc + j + q] = edge[r * W + q] + (start ? start[r * pitch + j + q] : 0);           \
        }                                                                                                    \
    }                                                                                                        \
    /* Few columns and A by columns: the transpose of the result has long rows. */                           \
    static void turned_##SUFFIX(int64_t m, int64_t n, int64_t count, const T *a, int64_t ks, const T *b,     \
                                int64_t ldb, T *c, int64_t ldc, const T *start, int64_t pitch)               \
    {                                                                                                        \
        T turned[PRODUCT_FEW_COLUMNS * PRODUCT_FEW_ROWS];                                                    \
        for (int64_t first = 0; first < m; first += PRODUCT_FEW_ROWS) {                                      \
            int64_t rows = m - first < PRODUCT_FEW_ROWS ? m - first : PRODUCT_FEW_ROWS;                      \
            product_from_##SUFFIX(n, rows, count, b, 1, ldb, a + first, NULL, ks, turned, rows, NULL, 0);    \
            for (int64_t i = 0; i < rows; i++)                                                               \
                for (int64_t j = 0; j < n; j++)                                                              \
                    c[(first + i) * ldc + j] =                                                               \
                        turned[j * rows + i] + (start ? start[(first + i) * pitch + j] : 0);                 \
        }                                                                                                    \
    }                                                                                                        \
    /* Few columns and A by rows: dot products, as many rows at once as a vector has lanes. */               \
    static void dots_##SUFFIX(int64_t m, int64_t n, int64_t count, const T *a, int64_t rs, const T *b,       \
                              int64_t ldb, T *c, int64_t ldc, const T *start, int64_t pitch)                 \
    {                                                                                                        \
        enum { W = VECTOR_BYTES / sizeof(T) };                                                               \
        T columns[PRODUCT_FEW_COLUMNS][PRODUCT_FEW_DEPTH + W], tail[W][W];                                   \
        int64_t whole = count / W * W;                                                                       \
        for (int64_t j = 0; j < n; j++)                                                                      \
            for (int64_t k = 0; k < count + W; k++) columns[j][k] = k < count ? b[k * ldb + j] : 0;          \
        for (int r = 0; r < W; r++)                                                                          \
            for (int l = 0; l < W; l++) tail[r][l] = 0;                                                      \
        for (int64_t i = 0; i < m; i += W) {                                                                 \
            const T *row[W];                                                                                 \
            for (int r = 0; r < W; r++) row[r] = a + (i + r < m ? i + r : m - 1) * rs;                       \
            for (int r = 0; r < W; r++)                                                                      \
                for (int64_t k = whole; k < count; k++) tail[r][k - whole] = row[r][k];                      \
            for (int64_t j = 0; j < n; j++) {                                                                \
                vector_##SUFFIX s[W];                                                                        \
                _Pragma("GCC unroll 16") for (int r = 0; r < W; r++) s[r] = (vector_##SUFFIX){0};            \
                for (int64_t k = 0; k < whole; k += W) {                                                     \
                    vector_##SUFFIX x = *(const vector_##SUFFIX *)(columns[j] + k);                          \
                    _Pragma("GCC unroll 16") for (int r = 0; r < W; r++) s[r] +=                             \
                        x * *(const vector_##SUFFIX *)(row[r] + k);                                          \
                }                                                                                            \
                if (whole < count) {                                                                         \
                    vector_##SUFFIX x = *(const vector_##SUFFIX *)(columns[j] + whole);                      \
                    _Pragma("GCC unroll 16") for (int r = 0; r < W; r++) s[r] +=                             \
                        x * *(const vector_##SUFFIX *)tail[r];                                               \
                }                                                                                            \
                FOLD_##SUFFIX for (int r = 0; r < W && i + r < m; r++) c[(i + r) * ldc + j] =                \
                    s[0][r] + (start ? start[(i + r) * pitch + j] : 0);                                      \
            }                                                                                                \
        }                                                                                                    \
    }                                                                                                        \
    static void start_product_##SUFFIX(int64_t m, int64_t n, int64_t count, const void *a, int64_t rs,       \
                                       int64_t ks, const void *b, const int64_t *offset, int64_t ldb,        \
                                       void *c, int64_t ldc, const void *start, int64_t pitch)               \
    {                                                                                                        \
        enum { W = VECTOR_BYTES / sizeof(T) };                                                               \
        if (n <= PRODUCT_FEW_COLUMNS && !offset && rs == 1 && m >= W)                                        \
            turned_##SUFFIX(m, n, count, a, ks, b, ldb, c, ldc, start, pitch);                               \
        else if (n <= PRODUCT_FEW_COLUMNS && !offset && ks == 1 && m >= W && count >= W &&                   \
                 count <= PRODUCT_FEW_DEPTH)                                                                 \
            dots_##SUFFIX(m, n, count, a, rs, b, ldb, c, ldc, start, pitch);                                 \
        else                                                                                                 \
            product_from_##SUFFIX(m, n, count, a, rs, ks, b, offset, ldb, c, ldc, start, pitch);             \
    }                                                                                                        \
    product_loop PASTE(product_##SUFFIX, LOOPS_NAME);                                                        \
    void PASTE(product_##SUFFIX, LOOPS_NAME)(int64_t m, int64_t n, int64_t count, const void *a, int64_t rs, \
                                             int64_t ks, const void *b, const int64_t *offset, int64_t ldb,  \
                                             void *c, int64_t ldc, int accumulate)                           \
    {                                                                                                        \
        start_product_##SUFFIX(m, n, count, a, rs, ks, b, offset, ldb, c, ldc, accumulate ? c : NULL, ldc);  \
    }                                                                                                        \
    product_row_loop PASTE(product_row_##SUFFIX, LOOPS_NAME);                                                \
    void PASTE(product_row_##SUFFIX, LOOPS_NAME)(int64_t m, int64_t n, int64_t count, const void *a,         \
                                                 int64_t rs, int64_t ks, const void *b, int64_t ldb,         \
                                                 void *c, int64_t ldc, const void *row)                      \
    {                                                                                                        \
        start_product_##SUFFIX(m, n, count, a, rs, ks, b, NULL, ldb, c, ldc, row, 0);                        \
    }
#define PRODUCT_CASE(SUFFIX, ROWS, WIDE)                                                                     \
    case ROWS:                                                                                               \
        block_##SUFFIX(ROWS, WIDE, count, a, rs, ks, b, offset, ldb, c, ldc, start, pitch);                  \
        break;
#define PRODUCT_CASES_6(SUFFIX, WIDE)                                                                        \
    PRODUCT_CASE(SUFFIX, 1, WIDE)                                                                            \
    PRODUCT_CASE(SUFFIX, 2, WIDE)                                                                            \
    PRODUCT_CASE(SUFFIX, 3, WIDE)                                                                            \
    PRODUCT_CASE(SUFFIX, 4, WIDE) PRODUCT_CASE(SUFFIX, 5, WIDE) PRODUCT_CASE(SUFFIX, 6, WIDE)
#if MR == 12
#define PRODUCT_CASES(SUFFIX, WIDE)                                                                          \
    PRODUCT_CASES_6(SUFFIX, WIDE)                                                                            \
    PRODUCT_CASE(SUFFIX, 7, WIDE)                                                                            \
    PRODUCT_CASE(SUFFIX, 8, WIDE)                                                                            \
    PRODUCT_CASE(SUFFIX, 9, WIDE)                                                                            \
    PRODUCT_CASE(SUFFIX, 10, WIDE) PRODUCT_CASE(SUFFIX, 11, WIDE) PRODUCT_CASE(SUFFIX, 12, WIDE)
#else
#define PRODUCT_CASES(SUFFIX, WIDE) PRODUCT_CASES_6(SUFFIX, WIDE)
#endif
PRODUCT_BODY(f32, float)
PRODUCT_BODY(f64, double)
