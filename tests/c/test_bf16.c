/* Products and convolutions by bfloat16 parts: the kernels that the processor has and the plain one, against
 * float64. */
#include "check.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/rng.h"
#include "base/threads.h"
#include "kernels/bf16.h"
#include "kernels/blas.h"
#include "kernels/conv.h"
#include "kernels/conv_bf16.h"
#include "kernels/gemm.h"
#include "kernels/loops.h"

static struct rng generator = {.seed = 5};
static const double bound[4] = {0, 4e-3, 1e-5,
                                8e-7}; /* relative error in the Frobenius norm, by the number of parts */

static int kernels(bf16_kernel *out)
{
    int n = 0;
    out[n++] = bf16_block_plain;
    if (bf16_kernel_avx512()) out[n++] = bf16_kernel_avx512();
    if (bf16_kernel_amx()) out[n++] = bf16_kernel_amx();
    return n;
}

static float value_of(uint16_t x)
{
    uint32_t bits = (uint32_t)x << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static void parts_add_up(void)
{
    float x[1000];
    uint16_t part[3 * 1000];
    rng_normal_f32(&generator, 1000, x);
    x[0] = FLT_MAX, x[1] = -FLT_MAX, x[2] = 0, x[3] = 1e-30f, x[4] = 3.3895314e38f;
    for (int parts = 1; parts <= 3; parts++) {
        bf16_split(parts, 1000, x, 1, part, 1000);
        for (int i = parts == 1 ? 5 : 0; i < 1000; i++) {
            double sum = 0;
            for (int p = 0; p < parts; p++) sum += value_of(part[p * 1000 + i]);
            CHECK(fabs(sum - x[i]) <= fabs(x[i]) * pow(2, -8 * parts), "part %d of %g: %g", parts, x[i], sum);
        }
    }
    float special[3] = {INFINITY, -INFINITY, NAN};
    bf16_split(3, 3, special, 1, part, 3);
    CHECK(value_of(part[0]) == INFINITY && value_of(part[1]) == -INFINITY && isnan(value_of(part[2])));
    for (int i = 3; i < 9; i++) CHECK(value_of(part[i]) == 0);
}

/* A product of m x k and k x n with operands as they come. */
static void check_product(bf16_kernel kernel, int parts, int64_t m, int64_t n, int64_t k, int accumulate)
{
    int64_t steps = (k + BF16_DEPTH - 1) / BF16_DEPTH, pitch = steps * BF16_DEPTH,
            rows = (m + BF16_ROWS - 1) / BF16_ROWS * BF16_ROWS;
    float *a = memory_alloc((size_t)(m * k) * 4), *b = memory_alloc((size_t)(k * n) * 4),
          *c = memory_alloc((size_t)(m * n) * 4);
    uint16_t *split = memory_zalloc((size_t)(parts * rows * pitch), 2),
             *packed = memory_alloc((size_t)bf16_packed_size(parts, k, n) * 2);
    int64_t *offset = memory_alloc((size_t)steps * sizeof *offset);
    double error = 0, size = 0;
    rng_normal_f32(&generator, m * k, a);
    rng_normal_f32(&generator, k * n, b);
    for (int64_t i = 0; i < m * n; i++) c[i] = 1;
    for (int64_t s = 0; s < steps; s++) offset[s] = s * BF16_DEPTH;
    for (int64_t i = 0; i < m; i++) bf16_split(parts, k, a + i * k, 1, split + i * pitch, rows * pitch);
    bf16_pack(parts, k, n, b, n, 1, packed);
    bf16_product(kernel, parts, m, n, steps, split, pitch, rows * pitch, offset, packed, c, n, accumulate);
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) {
            double sum = accumulate;
            for (int64_t q = 0; q < k; q++) sum += (double)a[i * k + q] * (double)b[q * n + j];
            error += (c[i * n + j] - sum) * (c[i * n + j] - sum);
            size += sum * sum;
        }
    CHECK(sqrt(error / size) < bound[parts], "%d parts, %d x %d x %d: %g", parts, (int)m, (int)n, (int)k,
          sqrt(error / size));
    void *blocks[] = {a, b, c, split, packed, offset};
    for (int i = 0; i < 6; i++) memory_free(blocks[i]);
}

static void products(void)
{
    bf16_kernel list[3];
    int n = kernels(list);
    for (int which = 0; which < n; which++)
        for (int parts = 1; parts <= 3; parts++) {
            for (int trial = 0; trial < 12; trial++)
                check_product(list[which], parts, 1 + (int64_t)rng_below(&generator, 70),
                              1 + (int64_t)rng_below(&generator, 70), 1 + (int64_t)rng_below(&generator, 100),
                              trial % 2);
            check_product(list[which], parts, 32, 32, 64, 0);
        }
}

/* The processor's kernels do what the plain one does, up to the order of additions. */
static void kernels_agree(void)
{
    enum { STEPS = 3 };
    static uint16_t a[2 * 32 * 32 * STEPS], b[2 * 2 * 512 * STEPS];
    static _Alignas(64) float plain[1024], got[1024];
    static const int64_t offset[STEPS] = {0, 32, 64};
    bf16_kernel list[3];
    int n = kernels(list);
    for (size_t i = 0; i < sizeof a / sizeof *a; i++) {
        float x;
        rng_normal_f32(&generator, 1, &x);
        bf16_split(1, 1, &x, 1, &a[i], 0);
    }
    for (size_t i = 0; i < sizeof b / sizeof *b; i++) {
        float x;
        rng_normal_f32(&generator, 1, &x);
        bf16_split(1, 1, &x, 1, &b[i], 0);
    }
    struct bf16_block q = {.parts = 2,
                           .steps = STEPS,
                           .a = a,
                           .b = b,
                           .offset = offset,
                           .a_pitch = 96,
                           .a_part = 32 * 96,
                           .b_half = STEPS * 2 * 512,
                           .out = plain};
    bf16_block_plain(&q);
    q.out = got;
    for (int which = 1; which < n; which++) {
        list[which](&q);
        for (int i = 0; i < 1024; i++) CHECK(fabsf(got[i] - plain[i]) <= 1e-4f);
    }
}

static double relative_error(int64_t n, const float *out, const double *exact)
{
    double error = 0, size = 0;
    for (int64_t i = 0; i < n; i++) {
        error += (out[i] - exact[i]) * (out[i] - exact[i]);
        size += exact[i] * exact[i];
    }
    return sqrt(error / size);
}

static void check_conv(const struct conv *s, int parts, int first_kind)
{
    for (int kind = first_kind; kind < 3; kind++) {
        int64_t x = s->n * s->c * s->h * s->w, y = s->n * s->o * s->oh * s->ow,
                w = s->o * s->c * s->kh * s->kw;
        int64_t na = kind == CONV_INPUT_GRADIENT ? y : x, nb = kind == CONV_WEIGHT_GRADIENT ? y : w,
                n = kind == CONV_FORWARD          ? y
                    : kind == CONV_INPUT_GRADIENT ? x
                                                  : w;
        float *a = memory_alloc((size_t)na * 4), *b = memory_alloc((size_t)nb * 4),
              *out = memory_alloc((size_t)n * 4), *again = memory_alloc((size_t)n * 4);
        double *da = memory_alloc((size_t)na * 8), *db = memory_alloc((size_t)nb * 8),
               *exact = memory_alloc((size_t)n * 8);
        rng_normal_f32(&generator, na, a);
        rng_normal_f32(&generator, nb, b);
        for (int64_t i = 0; i < na; i++) da[i] = a[i];
        for (int64_t i = 0; i < nb; i++) db[i] = b[i];
        struct conv d = *s;
        d.dtype = FLOAT64;
        void *scratch = memory_alloc(conv_scratch(&d, (enum conv_kind)kind));
        conv_run(&d, (enum conv_kind)kind, da, db, exact, scratch);
        memory_free(scratch);
        size_t bytes = conv_bf16_parts_scratch(s, (enum conv_kind)kind, parts);
        unsigned char guard[64];
        scratch = memory_alloc(bytes + sizeof guard);
        memset(guard, 0x5a, sizeof guard);
        memcpy((char *)scratch + bytes, guard, sizeof guard);
        for (int64_t i = 0; i < n; i++) out[i] = NAN;
        conv_bf16_parts_run(s, (enum conv_kind)kind, parts, a, b, out, scratch);
        threads_set(1);
        conv_bf16_parts_run(s, (enum conv_kind)kind, parts, a, b, again, scratch);
        threads_set(3);
        CHECK(memcmp((char *)scratch + bytes, guard, sizeof guard) == 0, "kind %d: scratch overrun", kind);
        memory_free(scratch);
        double error = relative_error(n, out, exact);
        CHECK(error < bound[parts] + 2e-7, "kind %d, %d parts: %g", kind, parts, error);
        CHECK(memcmp(out, again, (size_t)n * 4) == 0);
        void *blocks[] = {a, b, out, again, da, db, exact};
        for (int i = 0; i < 7; i++) memory_free(blocks[i]);
    }
}

static void convolutions(void)
{
    static const char *const sets[] = {"generic", "avx512", "amx"};
    const char *before = loops->name;
    for (int set = 0; set < 3; set++) {
        if (loops_select(sets[set]) != STATUS_OK) continue;
        for (int trial = 0; trial < 8; trial++) {
            struct conv s = {.dtype = FLOAT32,
                             .n = 1 + trial,
                             .c = 16 + (int64_t)rng_below(&generator, 30),
                             .o = 16 + (int64_t)rng_below(&generator, 30),
                             .h = 8 + (int64_t)rng_below(&generator, 8),
                             .w = 8 + (int64_t)rng_below(&generator, 8),
                             .kh = 1 + 2 * (trial % 2),
                             .kw = 3,
                             .sh = 1,
                             .sw = 1,
                             .dh = 1,
                             .dw = 1 + trial % 2,
                             .groups = 1,
                             .lanes = 3};
            s.ph = s.kh / 2;
            s.pw = trial % 3 % 2;
            s.oh = s.h + 2 * s.ph - s.kh + 1;
            s.ow = s.w + 2 * s.pw - s.dw * (s.kw - 1);
            check_conv(&s, 1 + trial % 3, 0);
        }
        struct conv wide = {FLOAT32, 1,  16, 8, 8, 16, 31, 31, 1, 1,
                            30,      30, 1,  1, 1, 38, 38, 1,  0, NULL}; /* sums larger than an image */
        check_conv(&wide, 1, CONV_WEIGHT_GRADIENT); /* alone: the float64 reference is slow */
    }
    CHECK_OK(loops_select(before));
}

/* A level never takes what the processor lacks, and "highest" never takes parts. */
static void levels(void)
{
    const char *before = loops->name;
    CHECK(bf16_parts(PRECISION_HIGHEST) == 0);
    CHECK_OK(loops_select("generic"));
    CHECK(bf16_parts(PRECISION_HIGH) == 0 && bf16_parts(PRECISION_MEDIUM) == 0 &&
          bf16_conv_parts(PRECISION_MEDIUM) == 0);
    if (loops_select("amx") == STATUS_OK)
        CHECK(bf16_parts(PRECISION_HIGH) == 2 && bf16_conv_parts(PRECISION_MEDIUM) == 1);
    else
        CHECK(strstr(status_message(), "lacks the instructions of TIDE_ISA=amx") != NULL);
    CHECK_OK(loops_select(before));
}

int main(int argc, char **argv)
{
    if (blas_open() != STATUS_OK) return 1;
    static const struct check_test tests[] = {{"parts add up", parts_add_up},
                                              {"products", products},
                                              {"kernels agree", kernels_agree},
                                              {"convolutions", convolutions},
                                              {"levels", levels}};
    return check_main(tests, sizeof tests / sizeof *tests, argc, argv);
}
