/* Winograd's convolutions against the direct way in float64: every kind, tile, instruction set, and any
 * number of threads. */
#include "check.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/rng.h"
#include "base/threads.h"
#include "kernels/blas.h"
#include "kernels/conv.h"
#include "kernels/conv_winograd.h"
#include "kernels/gemm.h"
#include "kernels/loops.h"

static struct rng generator = {.seed = 11};

static struct conv shape(int64_t n, int64_t c, int64_t o, int64_t h, int64_t w, int64_t ph, int64_t pw,
                         enum precision precision)
{
    return (struct conv){.dtype = FLOAT32,
                         .n = n,
                         .c = c,
                         .h = h,
                         .w = w,
                         .o = o,
                         .kh = 3,
                         .kw = 3,
                         .sh = 1,
                         .sw = 1,
                         .ph = ph,
                         .pw = pw,
                         .dh = 1,
                         .dw = 1,
                         .groups = 1,
                         .oh = h + 2 * ph - 2,
                         .ow = w + 2 * pw - 2,
                         .lanes = 4,
                         .precision = precision};
}

struct operands {
    int64_t n[3]; /* of a, b, the result */
    float *a, *b, *out;
    double *exact;
};

/* Normal numbers, and the result in float64 from the same. */
static struct operands make(const struct conv *s, enum conv_kind kind)
{
    int64_t x = s->n * s->c * s->h * s->w, y = s->n * s->o * s->oh * s->ow, w = s->o * s->c * 9;
    struct operands p = {{kind == CONV_INPUT_GRADIENT ? y : x, kind == CONV_WEIGHT_GRADIENT ? y : w,
                          kind == CONV_FORWARD          ? y
                          : kind == CONV_INPUT_GRADIENT ? x
                                                        : w},
                         0,
                         0,
                         0,
                         0};
    struct conv d = *s;
    double *a = memory_alloc((size_t)p.n[0] * 8), *b = memory_alloc((size_t)p.n[1] * 8);
    p.a = memory_alloc((size_t)p.n[0] * 4);
    p.b = memory_alloc((size_t)p.n[1] * 4);
    p.out = memory_alloc((size_t)p.n[2] * 4);
    p.exact = memory_alloc((size_t)p.n[2] * 8);
    rng_normal_f32(&generator, p.n[0], p.a);
    rng_normal_f32(&generator, p.n[1], p.b);
    for (int64_t i = 0; i < p.n[0]; i++) a[i] = p.a[i];
    for (int64_t i = 0; i < p.n[1]; i++) b[i] = p.b[i];
    d.dtype = FLOAT64;
    void *scratch = memory_alloc(conv_scratch(&d, kind));
    conv_run(&d, kind, a, b, p.exact, scratch);
    memory_free(scratch);
    memory_free(a);
    memory_free(b);
    return p;
}

static void release(struct operands *p)
{
    memory_free(p->a);
    memory_free(p->b);
    memory_free(p->out);
    memory_free(p->exact);
}

static void run(const struct conv *s, enum conv_kind kind, struct operands *p)
{
    void *scratch = memory_alloc(conv_winograd_scratch(s, kind));
    for (int64_t i = 0; i < p->n[2]; i++) p->out[i] = NAN; /* every element is written */
    conv_winograd_run(s, kind, p->a, p->b, p->out, scratch);
    memory_free(scratch);
}

/* Relative error in the Frobenius norm. */
static double error_of(const struct operands *p)
{
    double error = 0, size = 0;
    for (int64_t i = 0; i < p->n[2]; i++) {
        double d = p->out[i] - p->exact[i];
        error += d * d;
        size += p->exact[i] * p->exact[i];
    }
    return sqrt(error / size);
}

static double bound(enum precision precision) { return precision == PRECISION_HIGHEST ? 6e-7 : 2e-6; }

static void random_shapes(void)
{
    static const char *const sets[] = {"generic", "avx2", "avx512"};
    const char *before = loops->name;
    for (int set = 0; set < 3; set++) {
        if (loops_select(sets[set]) != STATUS_OK) continue;
        for (int trial = 0; trial < 40; trial++) {
            int64_t size[4], pad[2];
            for (int i = 0; i < 2; i++) size[i] = 16 + (int64_t)rng_below(&generator, 25);
            for (int i = 2; i < 4; i++) size[i] = 7 + (int64_t)rng_below(&generator, 27);
            for (int i = 0; i < 2; i++) pad[i] = (int64_t)rng_below(&generator, 3);
            struct conv s = shape(1 + trial % 6, size[0], size[1], size[2], size[3], pad[0], pad[1],
                                  trial % 2 ? PRECISION_HIGH : PRECISION_HIGHEST);
            if (!conv_winograd_fits(&s)) continue;
            for (int kind = 0; kind < 3; kind++) {
                struct operands p = make(&s, (enum conv_kind)kind);
                run(&s, (enum conv_kind)kind, &p);
                CHECK(error_of(&p) < bound(s.precision));
                release(&p);
            }
        }
    }
    CHECK_OK(loops_select(before));
}

/* The sizes that papers use: "highest" is as exact as the direct sum of 864 or 1152 terms, "high" keeps 18
 * bits and more. */
static void errors_of_common_sizes(void)
{
    static const int64_t sizes[][3] = {{96, 28, 1}, {128, 32, 1}, {64, 14, 1}};
    for (int i = 0; i < 3; i++)
        for (int precision = 0; precision < 3; precision++)
            for (int kind = 0; kind < 3; kind++) {
                struct conv s = shape(2, sizes[i][0], sizes[i][0], sizes[i][1], sizes[i][1], sizes[i][2],
                                      sizes[i][2], (enum precision)precision);
                struct operands p = make(&s, (enum conv_kind)kind);
                CHECK(conv_winograd_fits(&s));
                run(&s, (enum conv_kind)kind, &p);
                CHECK(error_of(&p) < (precision == PRECISION_HIGHEST ? 5e-7 : 1.5e-6));
                release(&p);
            }
}

static void same_bits_for_any_threads(void)
{
    for (int kind = 0; kind < 3; kind++) {
        struct conv s = shape(19, 24, 33, 21, 17, 1, 0, kind % 2 ? PRECISION_HIGH : PRECISION_HIGHEST);
        struct operands p = make(&s, (enum conv_kind)kind);
        float *first = memory_alloc((size_t)p.n[2] * 4);
        for (int threads = 1; threads <= 4; threads++) {
            threads_set(threads);
            run(&s, (enum conv_kind)kind, &p);
            if (threads == 1) memcpy(first, p.out, (size_t)p.n[2] * 4);
            CHECK(memcmp(first, p.out, (size_t)p.n[2] * 4) == 0);
        }
        memory_free(first);
        release(&p);
    }
    threads_set(2);
}

/* What it is not for is left to the other ways. */
static void other_shapes(void)
{
    struct conv s = shape(1, 32, 32, 28, 28, 1, 1, PRECISION_HIGHEST), t;
    CHECK(conv_winograd_fits(&s));
    t = s, t.dtype = FLOAT64;
    CHECK(!conv_winograd_fits(&t));
    t = s, t.sh = 2;
    CHECK(!conv_winograd_fits(&t));
    t = s, t.kw = 1;
    CHECK(!conv_winograd_fits(&t));
    t = s, t.dw = 2;
    CHECK(!conv_winograd_fits(&t));
    t = s, t.groups = 2;
    CHECK(!conv_winograd_fits(&t));
    t = s, t.c = 3;
    CHECK(!conv_winograd_fits(&t));
    t = s, t.ph = 3;
    CHECK(!conv_winograd_fits(&t));
    t = s, t.n = 0;
    CHECK(!conv_winograd_fits(&t));
}

/* NaN and infinities reach the results that depend on them, and nothing is lost in zeros. */
static void special_values(void)
{
    struct conv s = shape(1, 16, 16, 16, 16, 1, 1, PRECISION_HIGHEST);
    struct operands p = make(&s, CONV_FORWARD);
    p.a[5 * 256 + 8 * 16 + 8] = NAN;
    run(&s, CONV_FORWARD, &p);
    for (int i = 7; i <= 9; i++)
        for (int j = 7; j <= 9; j++) CHECK(isnan(p.out[i * 16 + j]));
    CHECK(!isnan(p.out[0]) && !isnan(p.out[15 * 16 + 15]));
    memset(p.a, 0, (size_t)p.n[0] * 4);
    run(&s, CONV_FORWARD, &p);
    for (int64_t i = 0; i < p.n[2]; i++) CHECK(p.out[i] == 0);
    release(&p);
}

int main(int argc, char **argv)
{
    if (blas_open() != STATUS_OK) return 1;
    static const struct check_test tests[] = {
        {"random shapes", random_shapes},
        {"errors of common sizes", errors_of_common_sizes},
        {"same bits for any number of threads", same_bits_for_any_threads},
        {"other shapes", other_shapes},
        {"special values", special_values}};
    return check_main(tests, sizeof tests / sizeof *tests, argc, argv);
}
