/* Splitting float32 into bfloat16 parts, compiled once per instruction set like loops.c. See bf16.h. */
#include "kernels/bf16.h"
#include "kernels/loops.h"
#include "kernels/paste.h"

static inline uint32_t bits_of(float x)
{
    uint32_t bits;
    __builtin_memcpy(&bits, &x, sizeof bits);
    return bits;
}

static inline float value_of(uint32_t bits)
{
    float x;
    __builtin_memcpy(&x, &bits, sizeof x);
    return x;
}

/* Nearest, ties to even; NaN stays one. Unless it is the last part, values beyond the largest bfloat16 are
 * cut off and not rounded up to infinity. Without branches, so that loops become vector loops. */
static inline uint32_t narrow(float x, int last)
{
    uint32_t bits = bits_of(x), magnitude = bits & 0x7fffffff,
             nearest = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
    uint32_t cut = bits >> 16, huge = magnitude >= 0x7f7f8000 && !last ? cut : nearest;
    return magnitude > 0x7f800000 ? cut | 0x40 : magnitude == 0x7f800000 ? cut : huge;
}

/* What a part leaves; nothing of infinities and NaN. */
static inline float rest(float x, uint32_t part)
{
    return (bits_of(x) & 0x7f800000) == 0x7f800000 ? 0 : x - value_of(part << 16);
}

static void split(int parts, int64_t n, const float *x, int64_t stride, uint16_t *out, int64_t part)
{
    float left[256];
    for (int64_t first = 0; first < n; first += 256) {
        int64_t count = n - first < 256 ? n - first : 256;
        if (stride == 1)
            for (int64_t i = 0; i < count; i++) left[i] = x[first + i];
        else
            for (int64_t i = 0; i < count; i++) left[i] = x[(first + i) * stride];
        for (int p = 0; p < parts; p++) {
            uint16_t *to = out + p * part + first;
            for (int64_t i = 0; i < count; i++) {
                uint32_t bits = narrow(left[i], p == parts - 1);
                to[i] = (uint16_t)bits;
                left[i] = rest(left[i], bits);
            }
        }
    }
}

/* Up to 32 rows of up to 16 columns, element (i, j) at b[i rs + j cs], as pairs of rows; the rest of the tile
 * is zero. */
static void pack_tile(int parts, int64_t rows, int64_t columns, const float *b, int64_t rs, int64_t cs,
                      uint16_t *tile)
{
    for (int pair = 0; pair < 16; pair++) {
        float even[16] = {0}, odd[16] = {0};
        if (2 * pair < rows)
            for (int64_t j = 0; j < columns; j++) even[j] = b[2 * pair * rs + j * cs];
        if (2 * pair + 1 < rows)
            for (int64_t j = 0; j < columns; j++) odd[j] = b[(2 * pair + 1) * rs + j * cs];
        for (int p = 0; p < parts; p++) {
            uint32_t both[16];
            for (int j = 0; j < 16; j++) {
                uint32_t low = narrow(even[j], p == parts - 1), high = narrow(odd[j], p == parts - 1);
                both[j] = low | high << 16;
                even[j] = rest(even[j], low);
                odd[j] = rest(odd[j], high);
            }
            __builtin_memcpy(tile + p * BF16_TILE + pair * 32, both, sizeof both);
        }
    }
}

const struct packing_loops LOOPED(packing_loops) = {split, pack_tile};
