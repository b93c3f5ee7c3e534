#include "base/rng.h"

#include <math.h>

#include "base/interrupt.h"
#include "base/threads.h"
#include "base/tuning.h"

void rng_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4])
{
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3], k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c1 = (uint32_t)p1;
        c3 = (uint32_t)p0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

/* The next block as two 64-bit words. */
static void next_block(struct rng *rng, uint64_t out[2])
{
    uint32_t counter[4] = {(uint32_t)rng->block, (uint32_t)(rng->block >> 32), 0, 0}, word[4];
    uint32_t key[2] = {(uint32_t)rng->seed, (uint32_t)(rng->seed >> 32)};
    rng_philox(counter, key, word);
    rng->block++;
    out[0] = (uint64_t)word[1] << 32 | word[0];
    out[1] = (uint64_t)word[3] << 32 | word[2];
}

static double unit_f64(uint64_t word) { return (double)(word >> 11) * 0x1p-53; }
static float unit_f32(uint64_t word) { return (float)(word >> 40) * 0x1p-24f; }

static void normal_pair(struct rng *rng, double out[2])
{
    uint64_t word[2];
    next_block(rng, word);
    double radius = sqrt(-2.0 * log(1.0 - unit_f64(word[0]))),
           angle = 6.283185307179586476925 * unit_f64(word[1]);
    out[0] = radius * cos(angle);
    out[1] = radius * sin(angle);
}

struct fill {
    const struct rng *rng;
    int64_t n;
    void *out;
};

#define FILL(NAME, TYPE, PAIR_TYPE, DRAW, VALUE)                                                             \
    static void NAME##_task(void *context, int64_t task)                                                     \
    {                                                                                                        \
        const struct fill *f = context;                                                                      \
        int64_t first = task * RNG_TASK_NUMBERS,                                                             \
                end = f->n - first < RNG_TASK_NUMBERS ? f->n : first + RNG_TASK_NUMBERS;                     \
        struct rng rng = {f->rng->seed, f->rng->block + (uint64_t)first / 2};                                \
        PAIR_TYPE pair[2];                                                                                   \
        for (int64_t i = first; i < end; i++) {                                                              \
            if (i % 2 == 0) DRAW(&rng, pair);                                                                \
            ((TYPE *)f->out)[i] = (TYPE)VALUE(pair[i % 2]);                                                  \
        }                                                                                                    \
    }                                                                                                        \
    void NAME(struct rng *rng, int64_t n, TYPE *out)                                                         \
    {                                                                                                        \
        struct fill f = {rng, n, out};                                                                       \
        threads_for((n + RNG_TASK_NUMBERS - 1) / RNG_TASK_NUMBERS, NAME##_task, &f);                         \
        rng->block += ((uint64_t)n + 1) / 2;                                                                 \
    }

FILL(rng_uniform_f64, double, uint64_t, next_block, unit_f64)
FILL(rng_uniform_f32, float, uint64_t, next_block, unit_f32)
FILL(rng_normal_f64, double, double, normal_pair, )
FILL(rng_normal_f32, float, double, normal_pair, )

uint64_t rng_below(struct rng *rng, uint64_t n)
{
    uint64_t limit = UINT64_MAX - UINT64_MAX % n, word[2];
    do next_block(rng, word);
    while (word[0] >= limit && word[1] >= limit);
    return (word[0] < limit ? word[0] : word[1]) % n;
}

struct integers {
    const struct rng *rng;
    int64_t n, low, high;
    int64_t *out;
};

static void integers_task(void *context, int64_t task)
{
    const struct integers *f = context;
    int64_t first = task * RNG_TASK_NUMBERS,
            end = f->n - first < RNG_TASK_NUMBERS ? f->n : first + RNG_TASK_NUMBERS;
    struct rng rng = {f->rng->seed, f->rng->block + (uint64_t)first};
    uint64_t count = (uint64_t)f->high - (uint64_t)f->low + 1, word[2]; /* 0: all 2^64 */
    for (int64_t i = first; i < end; i++) {
        next_block(&rng, word);
        unsigned __int128 low = (unsigned __int128)word[0] * count, high = (unsigned __int128)word[1] * count;
        uint64_t offset = count == 0 ? word[1] : (uint64_t)((high + (low >> 64)) >> 64);
        f->out[i] = (int64_t)((uint64_t)f->low + offset);
    }
}

void rng_integers(struct rng *rng, int64_t n, int64_t low, int64_t high, int64_t *out)
{
    struct integers f = {rng, n, low, high, out};
    threads_for((n + RNG_TASK_NUMBERS - 1) / RNG_TASK_NUMBERS, integers_task, &f);
    rng->block += (uint64_t)n;
}

void rng_permutation(struct rng *rng, int64_t n, int64_t first, int64_t *out)
{
    for (int64_t i = 0; i < n; i++) {
        if (i % RNG_TASK_NUMBERS == 0 && interrupt_stop()) return;
        int64_t j = (int64_t)rng_below(rng, (uint64_t)i + 1);
        out[i] = out[j];
        out[j] = first + i;
    }
}
