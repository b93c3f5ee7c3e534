/* test_conv.c -- convolutions of random shapes against plain loops. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "dice.h"
#include "kernels/blas.h"
#include "kernels/conv.h"

static void naive_conv(const struct conv *s, const double *x, const double *w, double *y)
{
    int64_t cg = s->c / s->groups, og = s->o / s->groups;
    for (int64_t n = 0; n < s->n; n++)
        for (int64_t o = 0; o < s->o; o++)
            for (int64_t i = 0; i < s->oh; i++)
                for (int64_t j = 0; j < s->ow; j++) {
                    double sum = 0;
                    for (int64_t c = 0; c < cg; c++)
                        for (int64_t a = 0; a < s->kh; a++)
                            for (int64_t b = 0; b < s->kw; b++) {
                                int64_t row = i * s->sh - s->ph + a * s->dh,
                                        column = j * s->sw - s->pw + b * s->dw;
                                if (row < 0 || row >= s->h || column < 0 || column >= s->w) continue;
                                sum += x[((n * s->c + o / og * cg + c) * s->h + row) * s->w + column] *
                                       w[((o * cg + c) * s->kh + a) * s->kw + b];
                            }
                    y[((n * s->o + o) * s->oh + i) * s->ow + j] = sum;
                }
}

static double dot(enum dtype dtype, const void *a, const double *b, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += at(dtype, a, i) * b[i];
    return sum;
}

/* Forward against the loop; the gradients by <y, conv(x, w)> = <dx, x> = <dw, w> with fresh x and w, so that
 * each entry counts. */
static double tolerance(const struct conv *s) { return s->dtype == FLOAT32 ? 1e-5 : 1e-13; }

static void check_forward(const struct conv *s, const double *x, const double *w, double *want,
                          const void *out)
{
    double terms = (double)(s->kh * s->kw * s->c);
    naive_conv(s, x, w, want);
    for (int64_t i = 0; i < s->n * s->o * s->oh * s->ow; i++)
        CHECK(fabs(at(s->dtype, out, i) - want[i]) <= tolerance(s) * (1 + fabs(want[i]) + terms));
}

/* <gradient, other operand> = <y of the other operand, dy>: the conv is linear in each. */
static void check_gradient(const struct conv *s, enum conv_kind kind, const void *out, const double *x,
                           const double *w, double *y, const double *dy)
{
    int64_t nx = s->n * s->c * s->h * s->w, nw = s->o * (s->c / s->groups) * s->kh * s->kw,
            ny = s->n * s->o * s->oh * s->ow;
    double scale = 1 + sqrt((double)(nx + nw + ny)) * (double)(s->kh * s->kw * s->c);
    naive_conv(s, x, w, y);
    double got = kind == CONV_INPUT_GRADIENT ? dot(s->dtype, out, x, nx) : dot(s->dtype, out, w, nw),
           expected = dot(FLOAT64, y, dy, ny);
    CHECK(fabs(got - expected) <= tolerance(s) * scale,
          "kind %d: n%d c%d h%d w%d o%d k%dx%d s%d,%d p%d,%d d%d,%d g%d: %g, want %g", (int)kind, (int)s->n,
          (int)s->c, (int)s->h, (int)s->w, (int)s->o, (int)s->kh, (int)s->kw, (int)s->sh, (int)s->sw,
          (int)s->ph, (int)s->pw, (int)s->dh, (int)s->dw, (int)s->groups, got, expected);
}

static void conv_case(struct conv s)
{
    s.oh = (s.h + 2 * s.ph - s.dh * (s.kh - 1) - 1) / s.sh + 1;
    s.ow = (s.w + 2 * s.pw - s.dw * (s.kw - 1) - 1) / s.sw + 1;
    int64_t nx = s.n * s.c * s.h * s.w, nw = s.o * (s.c / s.groups) * s.kh * s.kw,
            ny = s.n * s.o * s.oh * s.ow, counts[3] = {ny, nx, nw};
    double *x = fresh(FLOAT64, nx), *w = fresh(FLOAT64, nw), *dy = fresh(FLOAT64, ny),
           *other_x = fresh(FLOAT64, nx);
    double *other_w = fresh(FLOAT64, nw), *y = fresh(FLOAT64, ny), *want = fresh(FLOAT64, ny);
    void *xs = memory_alloc((size_t)nx * 8), *ws = memory_alloc((size_t)nw * 8),
         *dys = memory_alloc((size_t)ny * 8);
    int64_t one[2] = {1, 0}, unit[2] = {0, 1};
    const struct {
        const double *from;
        void *to;
        int64_t n;
    } copies[] = {{x, xs, nx}, {w, ws, nw}, {dy, dys, ny}};
    for (int i = 0; i < 3; i++) {
        one[1] = copies[i].n;
        loops->cast[FLOAT64][s.dtype](one, copies[i].from, unit, copies[i].to);
        loops->cast[s.dtype][FLOAT64](one, copies[i].to, unit,
                                      (void *)(uintptr_t)copies[i].from); /* rounded alike */
    }
    for (int kind = CONV_FORWARD; kind <= CONV_WEIGHT_GRADIENT; kind++) {
        void *scratch = memory_alloc(conv_scratch(&s, (enum conv_kind)kind)),
             *out = memory_alloc((size_t)counts[kind] * 8);
        memset(out, 0xff, (size_t)counts[kind] * 8); /* NaN: every entry must be written */
        memset(scratch, 0xff, conv_scratch(&s, (enum conv_kind)kind));
        conv_run(&s, (enum conv_kind)kind, kind == CONV_INPUT_GRADIENT ? dys : xs,
                 kind == CONV_WEIGHT_GRADIENT ? dys : ws, out, scratch);
        if (kind == CONV_FORWARD)
            check_forward(&s, x, w, want, out);
        else
            check_gradient(&s, (enum conv_kind)kind, out, kind == CONV_INPUT_GRADIENT ? other_x : x,
                           kind == CONV_INPUT_GRADIENT ? w : other_w, y, dy);
        memory_free(scratch);
        memory_free(out);
    }
    void *blocks[] = {x, w, dy, other_x, other_w, y, want, xs, ws, dys};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) memory_free(blocks[i]);
}

static int conv_fits(const struct conv *s)
{
    return s->c % s->groups == 0 && s->o % s->groups == 0 && s->h + 2 * s->ph >= s->dh * (s->kh - 1) + 1 &&
           s->w + 2 * s->pw >= s->dw * (s->kw - 1) + 1;
}

static void conv_sweep(void)
{
    CHECK_OK(blas_open());
    for (int trial = 0; trial < 250000; trial++) {
        struct conv s = {.dtype = trial % 4 == 0 ? FLOAT32 : FLOAT64,
                         .n = pick(1, 3),
                         .c = pick(1, 3),
                         .o = pick(1, 3),
                         .h = pick(1, 6),
                         .w = pick(1, 6),
                         .kh = pick(1, 4),
                         .kw = pick(1, 4),
                         .sh = pick(1, 3),
                         .sw = pick(1, 3),
                         .ph = pick(0, 3),
                         .pw = pick(0, 3),
                         .dh = pick(1, 2),
                         .dw = pick(1, 2),
                         .groups = pick(1, 3),
                         .lanes = pick(1, 4)};
        if (conv_fits(&s)) conv_case(s);
    }
}

/* 9 or more pixels of the result: the way by planes; and larger cases of the other one. */
static void conv_planes(void)
{
    CHECK_OK(blas_open());
    for (int trial = 0; trial < 250; trial++) {
        int64_t groups = pick(1, 2), most = trial % 2 == 0 ? 4 : 1;
        struct conv s = {.dtype = (enum dtype)pick(0, 1),
                         .n = pick(1, 10),
                         .c = 8 * groups + groups * pick(0, 3),
                         .o = 8 * groups + groups * pick(0, 3),
                         .h = pick(1, 14),
                         .w = pick(1, 14),
                         .kh = pick(1, 4),
                         .kw = pick(1, 4),
                         .sh = pick(1, most),
                         .sw = pick(1, most),
                         .ph = pick(0, 3),
                         .pw = pick(0, 3),
                         .dh = pick(1, 2),
                         .dw = pick(1, 3),
                         .groups = groups,
                         .lanes = pick(1, 4)};
        if (conv_fits(&s)) conv_case(s);
    }
}

static void conv_empty(void)
{
    CHECK_OK(blas_open());
    for (int kind = 0; kind < 3; kind++) {
        struct conv s = {FLOAT32, 0, 8, 9, 9, 8, 3, 3, 1, 1, 1, 1, 1, 1, 1, 9, 9, 2, PRECISION_HIGHEST, NULL};
        float w[8 * 8 * 9];
        void *scratch = memory_alloc(conv_scratch(&s, (enum conv_kind)kind) + 1);
        conv_run(&s, (enum conv_kind)kind, w, w, w, scratch);
        if (kind == CONV_WEIGHT_GRADIENT) CHECK(w[0] == 0 && w[8 * 8 * 9 - 1] == 0);
        memory_free(scratch);
    }
}

int main(int argc, char **argv)
{
    static const struct check_test tests[] = {
        {"conv sweep", conv_sweep},
        {"conv planes", conv_planes},
        {"conv of an empty batch", conv_empty},
    };
    return check_main(tests, sizeof tests / sizeof *tests, argc, argv);
}
