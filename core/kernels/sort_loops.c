/* Sorting of 32-bit keys, compiled once per instruction set like loops.c: a quicksort's parts with AVX2,
 * whose instructions serve where there is AVX-512 as well. */
#include "kernels/sort_loops.h"

#include <stddef.h>

#include "kernels/paste.h"

static void keys(int64_t n, const float *restrict x, int64_t stride, uint32_t flip, uint32_t *restrict out)
{
    if (stride == 1)
        for (int64_t i = 0; i < n; i++) out[i] = key_float32(x[i]) ^ flip;
    else
        for (int64_t i = 0; i < n; i++) out[i] = key_float32(x[i * stride]) ^ flip;
}

static void numbers(int64_t n, const uint32_t *restrict key, uint32_t flip, float *restrict out,
                    int64_t stride)
{
    if (stride == 1)
        for (int64_t i = 0; i < n; i++) out[i] = of_key_float32(key[i] ^ flip);
    else
        for (int64_t i = 0; i < n; i++) out[i * stride] = of_key_float32(key[i] ^ flip);
}

#ifdef __AVX2__
#include <immintrin.h>

#define INLINE static inline __attribute__((always_inline))
#define UNROLLED _Pragma("GCC unroll 8")
#define LANES 8

INLINE __m256i load(const uint32_t *a) { return _mm256_loadu_si256((const __m256i *)(const void *)a); }
INLINE void store(uint32_t *a, __m256i v) { _mm256_storeu_si256((__m256i *)(void *)a, v); }

/* ---- partition ---- */

/* A bit for each lane that is no less than the bound. */
INLINE unsigned above(__m256i v, __m256i bound)
{
    __m256i least = _mm256_cmpeq_epi32(_mm256_max_epu32(v, bound), v);
    return (unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(least));
}

INLINE __m256i arranged(__m256i v, unsigned mask)
{
    const __m128i *order = (const __m128i *)(const void *)sort_lanes[mask];
    return _mm256_permutevar8x32_epi32(v, _mm256_cvtepu8_epi32(_mm_loadl_epi64(order)));
}

static void partition(int64_t n, const uint32_t *a, uint32_t bound, uint32_t **low, uint32_t **high)
{
    uint32_t *l = *low, *h = *high;
    __m256i bounds = _mm256_set1_epi32((int)bound);
    int some = (int)(n % LANES);
    if (some > 0) {
        __m256i v = load(a);
        unsigned valid = (1U << some) - 1, mask = above(v, bounds) & valid;
        int count = __builtin_popcount(mask);
        store(l, arranged(v, mask | (~valid & 255)));
        store(h - LANES, arranged(v, mask));
        l += some - count;
        h -= count;
    }
    for (int64_t i = some; i < n; i += LANES) { /* the same twice, which lies together or wholly apart */
        __m256i v = load(a + i);
        unsigned mask = above(v, bounds);
        int count = __builtin_popcount(mask);
        v = arranged(v, mask);
        store(l, v);
        store(h - LANES, v);
        l += LANES - count;
        h -= count;
    }
    *low = l;
    *high = h;
}

/* ---- a network ----
 *
 * The vectors are rows of a matrix. Each column is sorted by exchanges of whole vectors; then neighbouring
 * columns are merged until one is left, by Batcher's bitonic merging (Sorting networks and their
 * applications, 1968), where a column follows the other and lanes are exchanged. */

/* Lane i takes what is in lane i ^ x. */
INLINE __m256i exchanged(__m256i v, int x)
{
    switch (x) {
    case 1: return _mm256_shuffle_epi32(v, 0xb1);
    case 2: return _mm256_shuffle_epi32(v, 0x4e);
    case 3: return _mm256_shuffle_epi32(v, 0x1b);
    default: return _mm256_permute4x64_epi64(_mm256_shuffle_epi32(v, 0x1b), 0x4e); /* 7 */
    }
}

/* Lanes whose number has this bit from b, others from a. */
INLINE __m256i chosen(__m256i a, __m256i b, int bit)
{
    return bit == 1   ? _mm256_blend_epi32(a, b, 0xaa)
           : bit == 2 ? _mm256_blend_epi32(a, b, 0xcc)
                      : _mm256_blend_epi32(a, b, 0xf0);
}

/* a becomes the lesser ones, b the greater ones. */
INLINE void in_order(__m256i *a, __m256i *b)
{
    __m256i low = _mm256_min_epu32(*a, *b);
    *b = _mm256_max_epu32(*a, *b);
    *a = low;
}

INLINE void sort_columns(__m256i *v, int rows)
{
    static const uint8_t pairs[][2] = {{0, 1}, {2, 3}, {0, 2}, {1, 3}, {1, 2}, /* of the first four */
                                       {4, 5}, {6, 7}, {4, 6}, {5, 7}, {5, 6}, /* of the others */
                                       {0, 4}, {1, 5}, {2, 6}, {3, 7}, {2, 4},
                                       {3, 5}, {1, 2}, {3, 4}, {5, 6}};
    int count = rows == 8 ? 19 : rows == 4 ? 5 : 1;
    _Pragma("GCC unroll 19") for (int i = 0; i < count; i++) in_order(&v[pairs[i][0]], &v[pairs[i][1]]);
}

/* Groups of `width` columns, of which each half is in order. */
INLINE void merge_columns(__m256i *v, int rows, int width)
{
    UNROLLED for (int i = 0; i < rows / 2; i++)
    {
        __m256i a = v[i], b = exchanged(v[rows - 1 - i], width - 1);
        in_order(&a, &b);
        v[i] = chosen(a, b, width / 2);
        v[rows - 1 - i] = exchanged(chosen(b, a, width / 2), width - 1);
    }
    UNROLLED for (int far = width / 4; far > 0; far /= 2)
    {
        UNROLLED for (int i = 0; i < rows; i++)
        {
            __m256i a = v[i], b = exchanged(a, far);
            in_order(&a, &b);
            v[i] = chosen(a, b, far);
        }
    }
    UNROLLED for (int far = rows / 2; far > 0; far /= 2)
    {
        UNROLLED for (int i = 0; i < rows; i++)
        {
            if ((i & far) == 0) in_order(&v[i], &v[i + far]);
        }
    }
}

INLINE void network_of(int n, const uint32_t *a, uint32_t *b, int rows)
{
    __m256i v[SORT_NETWORK / LANES], lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    uint32_t sorted[SORT_NETWORK];
    UNROLLED for (int i = 0; i < rows; i++)
    {
        __m256i behind = _mm256_cmpgt_epi32(lane, _mm256_set1_epi32(n - 1 - i * LANES));
        v[i] = _mm256_or_si256(load(a + i * LANES), behind);
    }
    sort_columns(v, rows);
    merge_columns(v, rows, 2);
    merge_columns(v, rows, 4);
    merge_columns(v, rows, 8);
    UNROLLED for (int i = 0; i < rows; i++) store(sorted + i * LANES, v[i]);
    for (int i = 0; i < n; i++) b[i] = sorted[i % rows * LANES + i / rows];
}

static void network(int64_t n, const uint32_t *a, uint32_t *b)
{
    if (n > SORT_NETWORK / 2)
        network_of((int)n, a, b, 8);
    else if (n > SORT_NETWORK / 4)
        network_of((int)n, a, b, 4);
    else
        network_of((int)n, a, b, 2);
}

#else
#define partition NULL
#define network NULL
#endif

extern const struct sort_loops LOOPED(sort_loops);
const struct sort_loops LOOPED(sort_loops) = {keys, numbers, partition, network};
