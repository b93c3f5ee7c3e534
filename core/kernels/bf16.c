#include "kernels/bf16.h"

#include <string.h>

#include "kernels/loops.h"

int bf16_parts(enum precision level)
{
    if (!loops->bf16 || level == PRECISION_HIGHEST) return 0;
    if (level == PRECISION_MEDIUM) return 1;
    return strcmp(loops->name, "amx") == 0 ? 2
                                           : 0; /* three products at twice the speed of float32 are no gain */
}

int bf16_conv_parts(enum precision level) { return strcmp(loops->name, "amx") == 0 ? bf16_parts(level) : 0; }

static inline float widen(uint16_t x)
{
    uint32_t bits = (uint32_t)x << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

void bf16_split(int parts, int64_t n, const float *x, int64_t stride, uint16_t *out, int64_t part)
{
    loops->packing->split(parts, n, x, stride, out, part);
}

static int64_t blocks(int64_t n, int64_t size) { return (n + size - 1) / size; }

int64_t bf16_packed_size(int parts, int64_t k, int64_t n)
{
    return blocks(n, BF16_ROWS) * 2 * blocks(k, BF16_DEPTH) * parts * BF16_TILE;
}

/* Sixteen columns after the other: for each step and part a tile of 16 pairs of rows by 16 columns. */
void bf16_pack(int parts, int64_t k, int64_t n, const float *b, int64_t rs, int64_t cs, uint16_t *packed)
{
    int64_t steps = blocks(k, BF16_DEPTH), halves = 2 * blocks(n, BF16_ROWS);
    for (int64_t half = 0; half < halves; half++)
        for (int64_t step = 0; step < steps; step++) {
            int64_t i = step * BF16_DEPTH, j = 16 * half, rows = k - i < BF16_DEPTH ? k - i : BF16_DEPTH,
                    columns = n - j < 16 ? n - j : 16;
            loops->packing->pack_tile(parts, rows, columns, b + i * rs + j * cs, rs, cs,
                                      packed + (half * steps + step) * parts * BF16_TILE);
        }
}

/* ---- blocks ---- */

static const struct pair {
    int a, b;
} pairs[6] = {{0, 0}, {0, 1}, {1, 0}, {1, 1}, {0, 2}, {2, 0}};

static int n_pairs(int parts) { return parts == 1 ? 1 : parts == 2 ? 3 : 6; }

void bf16_block_plain(const struct bf16_block *q)
{
    memset(q->out, 0, BF16_ROWS * BF16_ROWS * sizeof *q->out);
    for (int64_t s = 0; s < q->steps; s++)
        for (int p = 0; p < n_pairs(q->parts); p++)
            for (int i = 0; i < BF16_ROWS; i++) {
                const uint16_t *a = q->a + pairs[p].a * q->a_part + i * q->a_pitch + q->offset[s];
                for (int j = 0; j < BF16_ROWS; j++) {
                    const uint16_t *b =
                        q->b + j / 16 * q->b_half + (s * q->parts + pairs[p].b) * BF16_TILE + j % 16 * 2;
                    float sum = q->out[i * BF16_ROWS + j];
                    for (int k = 0; k < BF16_DEPTH; k++) sum += widen(a[k]) * widen(b[k / 2 * 32 + k % 2]);
                    q->out[i * BF16_ROWS + j] = sum;
                }
            }
}

void bf16_product(bf16_kernel kernel, int parts, int64_t m, int64_t n, int64_t steps, const uint16_t *a,
                  int64_t a_pitch, int64_t a_part, const int64_t *offset, const uint16_t *packed, float *c,
                  int64_t ldc, int accumulate)
{
    _Alignas(64) float out[BF16_ROWS * BF16_ROWS];
    struct bf16_block q = {.parts = parts,
                           .steps = steps,
                           .offset = offset,
                           .a_pitch = a_pitch,
                           .a_part = a_part,
                           .b_half = steps * parts * BF16_TILE,
                           .out = out};
    for (int64_t j = 0; j < n; j += BF16_ROWS)
        for (int64_t i = 0; i < m; i += BF16_ROWS) {
            int64_t rows = m - i < BF16_ROWS ? m - i : BF16_ROWS,
                    columns = n - j < BF16_ROWS ? n - j : BF16_ROWS;
            q.a = a + i * a_pitch;
            q.b = packed + j / 16 * q.b_half;
            kernel(&q);
            for (int64_t r = 0; r < rows; r++) {
                float *to = c + (i + r) * ldc + j;
                const float *from = out + r * BF16_ROWS;
                if (accumulate)
                    for (int64_t k = 0; k < columns; k++) to[k] += from[k];
                else
                    memcpy(to, from, (size_t)columns * sizeof *to);
            }
        }
}

/* ---- the processor's kernels ---- */

#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__)
#include <cpuid.h>
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>

static unsigned leaf7(int subleaf, int reg)
{
    unsigned a = 0, b = 0, c = 0, d = 0;
    if (!__get_cpuid_count(7, (unsigned)subleaf, &a, &b, &c, &d)) return 0;
    return reg == 0 ? a : d;
}

__attribute__((target("avx512f,avx512bf16"))) static void block_avx512(const struct bf16_block *q)
{
    for (int first = 0; first < BF16_ROWS; first += 8) {
        __m512 sum[8][2];
        for (int i = 0; i < 8; i++) sum[i][0] = sum[i][1] = _mm512_setzero_ps();
        for (int64_t s = 0; s < q->steps; s++)
            for (int p = 0; p < n_pairs(q->parts); p++) {
                const uint16_t *a = q->a + pairs[p].a * q->a_part + first * q->a_pitch + q->offset[s];
                const uint16_t *b = q->b + (s * q->parts + pairs[p].b) * BF16_TILE;
                for (int k = 0; k < BF16_DEPTH / 2; k++) {
                    __m512i b0 = _mm512_loadu_si512(b + k * 32),
                            b1 = _mm512_loadu_si512(b + q->b_half + k * 32);
                    _Pragma("GCC unroll 8") for (int i = 0; i < 8; i++)
                    {
                        int32_t pair;
                        memcpy(&pair, a + i * q->a_pitch + 2 * k, sizeof pair);
                        __m512i x = _mm512_set1_epi32(pair);
                        sum[i][0] = _mm512_dpbf16_ps(sum[i][0], (__m512bh)x, (__m512bh)b0);
                        sum[i][1] = _mm512_dpbf16_ps(sum[i][1], (__m512bh)x, (__m512bh)b1);
                    }
                }
            }
        for (int i = 0; i < 8; i++) {
            _mm512_storeu_ps(q->out + (first + i) * BF16_ROWS, sum[i][0]);
            _mm512_storeu_ps(q->out + (first + i) * BF16_ROWS + 16, sum[i][1]);
        }
    }
}

bf16_kernel bf16_kernel_avx512(void)
{
    return __builtin_cpu_supports("avx512f") && (leaf7(1, 0) >> 5 & 1) ? block_avx512 : NULL;
}

/* Tiles 0..3 are the sums, 4 and 5 the rows, 6 and 7 the columns. The configuration is the thread's: it is
 * given back at the end, because other code of the thread pays for tiles in use. */
__attribute__((target("amx-tile,amx-bf16"))) static void block_amx(const struct bf16_block *q)
{
    static const struct {
        uint8_t palette, start_row, reserved[14];
        uint16_t bytes[16];
        uint8_t rows[16];
    } config __attribute__((aligned(64))) = {
        .palette = 1, .bytes = {64, 64, 64, 64, 64, 64, 64, 64}, .rows = {16, 16, 16, 16, 16, 16, 16, 16}};
    _tile_loadconfig(&config);
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    for (int64_t s = 0; s < q->steps; s++) {
        int have_a = -1, have_b = -1;
        for (int p = 0; p < n_pairs(q->parts); p++) {
            if (pairs[p].a != have_a) {
                have_a = pairs[p].a;
                const uint16_t *a = q->a + have_a * q->a_part + q->offset[s];
                _tile_loadd(4, a, (size_t)q->a_pitch * sizeof *a);
                _tile_loadd(5, a + 16 * q->a_pitch, (size_t)q->a_pitch * sizeof *a);
            }
            if (pairs[p].b != have_b) {
                have_b = pairs[p].b;
                const uint16_t *b = q->b + (s * q->parts + have_b) * BF16_TILE;
                _tile_loadd(6, b, 64);
                _tile_loadd(7, b + q->b_half, 64);
            }
            _tile_dpbf16ps(0, 4, 6);
            _tile_dpbf16ps(1, 4, 7);
            _tile_dpbf16ps(2, 5, 6);
            _tile_dpbf16ps(3, 5, 7);
        }
    }
    _tile_stored(0, q->out, BF16_ROWS * sizeof(float));
    _tile_stored(1, q->out + 16, BF16_ROWS * sizeof(float));
    _tile_stored(2, q->out + 16 * BF16_ROWS, BF16_ROWS * sizeof(float));
    _tile_stored(3, q->out + 16 * BF16_ROWS + 16, BF16_ROWS * sizeof(float));
    _tile_release();
}

static uint16_t whole_number(int n)
{
    float x = (float)n;
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return (uint16_t)(bits >> 16);
}

/* Whole numbers small enough that every sum is exact must come out exactly, before anyone relies on it. */
static int amx_is_right(void)
{
    static uint16_t a[2 * 32 * 32], b[4 * 2 * BF16_TILE]; /* two steps of one part */
    _Alignas(64) static float got[32 * 32], wanted[32 * 32];
    static const int64_t offset[2] = {0, 32 * 32};
    struct bf16_block q = {.parts = 1,
                           .steps = 2,
                           .a = a,
                           .b = b,
                           .offset = offset,
                           .a_pitch = 32,
                           .b_half = 2 * BF16_TILE,
                           .out = wanted};
    for (int i = 0; i < 2 * 32 * 32; i++) a[i] = whole_number((i * 7 + i / 32) % 11 - 5);
    for (int i = 0; i < 4 * BF16_TILE; i++) b[i] = whole_number((i * 5 + i / 16) % 13 - 6);
    bf16_block_plain(&q);
    q.out = got;
    block_amx(&q);
    return memcmp(got, wanted, sizeof got) == 0;
}

#define GET_XCR0_TILES 0x60000 /* XTILECFG and XTILEDATA in XCR0 */
#define ARCH_REQ_XCOMP_PERM 0x1023
#define XFEATURE_XTILEDATA 18

bf16_kernel bf16_kernel_amx(void)
{
    static int state; /* 0: not asked yet, 1: yes, -1: no */
    if (state == 0) {
        unsigned features = leaf7(0, 3), low, high, a, b, c, d;
        state = -1;
        if ((features >> 22 & 1) && (features >> 24 & 1) && __get_cpuid(1, &a, &b, &c, &d) &&
            (c >> 27 & 1)) { /* amx-bf16, amx-tile, osxsave */
            __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
            if ((low & GET_XCR0_TILES) == GET_XCR0_TILES &&
                syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0 && amx_is_right())
                state = 1;
        }
    }
    return state > 0 ? block_amx : NULL;
}
#else
bf16_kernel bf16_kernel_amx(void) { return NULL; }
bf16_kernel bf16_kernel_avx512(void) { return NULL; }
#endif
