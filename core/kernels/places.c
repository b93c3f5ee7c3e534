#include "kernels/places.h"

/* All places, until one lies outside. The check costs nothing beside the wait for what lies far away. */
#define PLACES(TYPE, STATEMENT)                                                                              \
    const int64_t *position = p->position, inner = p->inner;                                                 \
    uint64_t n = (uint64_t)p->n;                                                                             \
    if (inner == 1)                                                                                          \
        for (int64_t i = 0; i < p->count; i++) {                                                             \
            uint64_t at = (uint64_t)position[i] - 1;                                                         \
            if (at >= n) return i;                                                                           \
            TYPE *one = x + at;                                                                              \
            STATEMENT;                                                                                       \
        }                                                                                                    \
    else                                                                                                     \
        for (int64_t i = 0, k = p->first % inner; i < p->count; i++) {                                       \
            uint64_t at = (uint64_t)position[i] - 1;                                                         \
            if (at >= n) return i;                                                                           \
            TYPE *one = x + (int64_t)at * inner + k;                                                         \
            STATEMENT;                                                                                       \
            if (++k == inner) k = 0;                                                                         \
        }                                                                                                    \
    return p->count;
#define GATHER(TYPE)                                                                                         \
    static int64_t gather_##TYPE(const struct places *p, const TYPE *x, TYPE *some)                          \
    {                                                                                                        \
        PLACES(const TYPE, some[i] = *one)                                                                   \
    }
#define SCATTER(TYPE)                                                                                        \
    static int64_t scatter_##TYPE(const struct places *p, TYPE *x, const TYPE *some)                         \
    {                                                                                                        \
        PLACES(TYPE, *one = (TYPE)(*one + some[i]))                                                          \
    }

GATHER(uint64_t)
GATHER(uint32_t)
GATHER(uint8_t)
SCATTER(double)
SCATTER(float)
SCATTER(uint64_t)
SCATTER(uint8_t)

int64_t places_gather(const struct places *p, void *x, void *some, enum dtype dtype)
{
    switch (dtype_size(dtype)) {
    case 8: return gather_uint64_t(p, x, some);
    case 4: return gather_uint32_t(p, x, some);
    default: return gather_uint8_t(p, x, some);
    }
}

int64_t places_scatter(const struct places *p, void *x, void *some, enum dtype dtype)
{
    switch (dtype) {
    case FLOAT64: return scatter_double(p, x, some);
    case FLOAT32: return scatter_float(p, x, some);
    case INT64: return scatter_uint64_t(p, x, some);
    default: return scatter_uint8_t(p, x, some);
    }
}
