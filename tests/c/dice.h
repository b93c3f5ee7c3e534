/* dice.h -- random numbers and arrays for tests of kernels. */
#ifndef TESTS_DICE_H
#define TESTS_DICE_H

#include "base/memory.h"
#include "base/rng.h"
#include "tensor/tensor.h"

static struct rng dice = {.seed = 20260101};

static inline int64_t pick(int64_t low, int64_t high)
{
    return (int64_t)((uint64_t)low + rng_below(&dice, (uint64_t)high - (uint64_t)low + 1));
}

static inline void *fresh(enum dtype dtype, int64_t n)
{
    void *x = memory_alloc((size_t)n * dtype_size(dtype));
    if (dtype == FLOAT32)
        rng_normal_f32(&dice, n, x);
    else if (dtype == FLOAT64)
        rng_normal_f64(&dice, n, x);
    else if (dtype == INT64)
        for (int64_t i = 0; i < n; i++) ((int64_t *)x)[i] = pick(-1000, 1000);
    else
        for (int64_t i = 0; i < n; i++) ((uint8_t *)x)[i] = (uint8_t)pick(0, 255);
    return x;
}

static inline double at(enum dtype dtype, const void *x, int64_t i)
{
    return dtype == FLOAT32 ? (double)((const float *)x)[i] : ((const double *)x)[i];
}

#endif
