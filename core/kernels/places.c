#include "kernels/places.h"

int places_inside(const struct places *p, int64_t n)
{
    uint64_t worst = 0;
    for (int64_t i = 0; i < p->count; i++) {
        uint64_t at = (uint64_t)p->position[i] - 1;
        worst = at > worst ? at : worst;
    }
    return p->count == 0 || worst < (uint64_t)n;
}

#define PLACES(TYPE, STATEMENT)                                                                              \
    const int64_t *position = p->position;                                                                   \
    if (p->inner == 1)                                                                                       \
        for (int64_t i = 0; i < p->count; i++) {                                                             \
            TYPE *one = x + position[i] - 1;                                                                 \
            STATEMENT;                                                                                       \
        }                                                                                                    \
    else                                                                                                     \
        for (int64_t i = 0; i < p->count; i++) {                                                             \
            TYPE *one = x + (position[i] - 1) * p->inner + (p->first + i) % p->inner;                        \
            STATEMENT;                                                                                       \
        }
#define GATHER(TYPE)                                                                                         \
    static void gather_##TYPE(const struct places *p, TYPE *x, TYPE *some) { PLACES(TYPE, some[i] = *one) }
#define SCATTER(TYPE)                                                                                        \
    static void scatter_##TYPE(const struct places *p, TYPE *x, const TYPE *some)                            \
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

void places_gather(const struct places *p, void *x, void *some, enum dtype dtype)
{
    switch (dtype_size(dtype)) {
    case 8: gather_uint64_t(p, x, some); break;
    case 4: gather_uint32_t(p, x, some); break;
    default: gather_uint8_t(p, x, some); break;
    }
}

void places_scatter(const struct places *p, void *x, void *some, enum dtype dtype)
{
    switch (dtype) {
    case FLOAT64: scatter_double(p, x, some); break;
    case FLOAT32: scatter_float(p, x, some); break;
    case INT64: scatter_uint64_t(p, x, some); break;
    default: scatter_uint8_t(p, x, some); break;
    }
}
