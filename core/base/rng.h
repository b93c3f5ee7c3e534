/* rng.h -- Philox4x32-10, a counter-based generator.
 *
 * Block i of the stream with seed s is a pure function of (s, i), so results do not depend on threads or on
 * the order of evaluation. Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3",
 * SC 2011; test vectors from its Random123 kit. */
#ifndef BASE_RNG_H
#define BASE_RNG_H

#include <stdint.h>

struct rng {
    uint64_t seed;
    uint64_t block; /* next unused block of the stream */
};

/* Four 32-bit words for a 128-bit counter and a 64-bit key. */
void rng_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

/* n uniform deviates in [0, 1): multiples of 2^-53 (double) or of 2^-24 (float, the same deviates
 * truncated). */
void rng_uniform_f64(struct rng *rng, int64_t n, double *out);
void rng_uniform_f32(struct rng *rng, int64_t n, float *out);

/* n standard normal deviates (Box and Muller 1958, both of each pair are used); float ones are the double
 * ones rounded. */
void rng_normal_f64(struct rng *rng, int64_t n, double *out);
void rng_normal_f32(struct rng *rng, int64_t n, float *out);

/* Uniform integer in [0, n), without bias (rejection). */
uint64_t rng_below(struct rng *rng, uint64_t n);

/* n integers in [low, high], low <= high, without bias but for 2^-64: the high part of a block's 128 bits
 * times the number of integers. */
void rng_integers(struct rng *rng, int64_t n, int64_t low, int64_t high, int64_t *out);

/* A random permutation of first, first + 1, ..., first + n - 1 (Fisher and Yates). */
void rng_permutation(struct rng *rng, int64_t n, int64_t first, int64_t *out);

#endif
