#include "kernels/nonzero.h"

#include "base/interrupt.h"

#define PIECE (1 << 20)

#define EACH(TYPE, STATEMENT)                                                                                \
    for (int64_t first = 0; first < n && !interrupt_stop(); first += PIECE)                                  \
        for (int64_t i = first; i < n && i < first + PIECE; i++) {                                           \
            int is = ((const TYPE *)x->data)[i] != 0;                                                        \
            STATEMENT;                                                                                       \
        }                                                                                                    \
    break;
#define OF_DTYPE(STATEMENT)                                                                                  \
    switch (x->dtype) {                                                                                      \
    case FLOAT32: EACH(float, STATEMENT)                                                                     \
    case FLOAT64: EACH(double, STATEMENT)                                                                    \
    case INT64: EACH(int64_t, STATEMENT)                                                                     \
    default: EACH(uint8_t, STATEMENT)                                                                        \
    }

int64_t nonzero_count(const struct array *x)
{
    int64_t n = array_numel(x), count = 0;
    OF_DTYPE(count += is)
    return count;
}

void nonzero_positions(const struct array *x, int64_t *out)
{
    int64_t n = array_numel(x), count = 0;
    OF_DTYPE(if (is) out[count++] = i + 1)
}
