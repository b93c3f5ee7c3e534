/* sort_loops.h -- sorting of 32-bit keys in vectors (sort.c), a part of loops.h's table. */
#ifndef KERNELS_SORT_LOOPS_H
#define KERNELS_SORT_LOOPS_H

#include <stdint.h>
#include <string.h>

/* Unsigned integers in the order of the numbers: NaN last, -0 before 0. */
static inline uint32_t key_float32(float x)
{
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    return x != x ? UINT32_MAX : u ^ (UINT32_C(1) << 31 | (0 - (u >> 31)));
}
static inline float of_key_float32(uint32_t key)
{
    uint32_t u = key ^ (UINT32_C(1) << 31 | ((key >> 31) - 1));
    float x;
    memcpy(&x, &u, sizeof x);
    return x;
}

/* Of eight lanes those whose bit in the mask is 0, then the others, each in their order: made by sort.c. */
extern uint8_t sort_lanes[256][8];

#define SORT_NETWORK 64 /* keys of a network at most */

struct sort_loops {
    /* Keys of n numbers, `stride` apart, and numbers of keys; their order is turned by a flip of all bits.
     */
    void (*keys)(int64_t n, const float *x, int64_t stride, uint32_t flip, uint32_t *keys);
    void (*numbers)(int64_t n, const uint32_t *keys, uint32_t flip, float *out, int64_t stride);

    /* Of a quicksort; NULL on processors that cannot permute the lanes of a vector by an index. */

    /* The n keys of a, those below `bound` to *low, which grows, the others before *high, which falls. The
     * room between them must be as large as n and what is yet to come, which is whole vectors of 8 keys;
     * where n is not, it is as large as three. 128 bytes behind a are read. */
    void (*partition)(int64_t n, const uint32_t *a, uint32_t bound, uint32_t **low, uint32_t **high);
    /* The n <= SORT_NETWORK keys of a in order, to b, which may be a. 128 bytes behind a are read. */
    void (*network)(int64_t n, const uint32_t *a, uint32_t *b);
};

#endif
