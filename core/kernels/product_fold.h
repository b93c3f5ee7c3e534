/* product_fold.h -- many sums at once, for the dot products of product_body.h; see FOLD_f32 and FOLD_f64. */
#ifndef KERNELS_PRODUCT_FOLD_H
#define KERNELS_PRODUCT_FOLD_H

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

#endif
