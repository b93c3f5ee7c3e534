/* test_conv_accuracy.c -- each way of a convolution on every instruction set of this machine; see accuracy.h.
 */
#include "accuracy.h"
#include "kernels/conv.h"
#include "kernels/conv_dense.h"

/* The trilinear form, each product added to what it belongs to: y, dx or dw, with the sizes of the terms. */
static void conv_reference(const struct conv *s, enum conv_kind kind, const void *a, const void *b,
                           long double *out, long double *scale)
{
    int64_t cg = s->c / s->groups, og = s->o / s->groups;
    for (int64_t n = 0; n < s->n; n++)
        for (int64_t o = 0; o < s->o; o++)
            for (int64_t i = 0; i < s->oh; i++)
                for (int64_t j = 0; j < s->ow; j++)
                    for (int64_t c = 0; c < cg; c++)
                        for (int64_t t = 0; t < s->kh * s->kw; t++) {
                            int64_t row = i * s->sh - s->ph + t / s->kw * s->dh,
                                    column = j * s->sw - s->pw + t % s->kw * s->dw;
                            if (row < 0 || row >= s->h || column < 0 || column >= s->w) continue;
                            int64_t x = ((n * s->c + o / og * cg + c) * s->h + row) * s->w + column,
                                    w = (o * cg + c) * s->kh * s->kw + t;
                            int64_t y = ((n * s->o + o) * s->oh + i) * s->ow + j;
                            int64_t left = kind == CONV_INPUT_GRADIENT ? y : x,
                                    right = kind == CONV_WEIGHT_GRADIENT ? y : w;
                            int64_t to = kind == CONV_FORWARD ? y : kind == CONV_INPUT_GRADIENT ? x : w;
                            long double term = (long double)at(s->dtype, a, left) * at(s->dtype, b, right);
                            out[to] += term;
                            scale[to] += fabsl(term);
                        }
}

static int conv_complete(struct conv *s)
{
    int64_t h = s->h + 2 * s->ph - s->dh * (s->kh - 1) - 1, w = s->w + 2 * s->pw - s->dw * (s->kw - 1) - 1;
    s->precision = PRECISION_HIGHEST;
    s->oh = h / s->sh + 1;
    s->ow = w / s->sw + 1;
    return h >= 0 && w >= 0;
}

static void conv_case(const struct conv *s)
{
    int64_t nx = s->n * s->c * s->h * s->w, nw = s->o * (s->c / s->groups) * s->kh * s->kw,
            ny = s->n * s->o * s->oh * s->ow;
    struct operand x = random_operand(s->dtype, nx), w = random_operand(s->dtype, nw),
                   dy = random_operand(s->dtype, ny);
    char what[200];
    for (int kind = CONV_FORWARD; kind <= CONV_WEIGHT_GRADIENT; kind++) {
        snprintf(what, sizeof what,
                 "conv kind %d: n%d c%d %dx%d o%d kernel %dx%d stride %d,%d pad %d,%d dilation %d,%d groups "
                 "%d lanes %d",
                 kind, (int)s->n, (int)s->c, (int)s->h, (int)s->w, (int)s->o, (int)s->kh, (int)s->kw,
                 (int)s->sh, (int)s->sw, (int)s->ph, (int)s->pw, (int)s->dh, (int)s->dw, (int)s->groups,
                 (int)s->lanes);
        int64_t n = kind == CONV_FORWARD ? ny : kind == CONV_INPUT_GRADIENT ? nx : nw;
        const void *a = kind == CONV_INPUT_GRADIENT ? dy.x : x.x,
                   *b = kind == CONV_WEIGHT_GRADIENT ? dy.x : w.x;
        struct operand out = blank_operand(s->dtype, n);
        size_t bytes = conv_scratch(s, (enum conv_kind)kind);
        char *scratch = memory_alloc(bytes + 64);
        memset(scratch, 0xff, bytes + 64);
        conv_run(s, (enum conv_kind)kind, a, b, out.x, scratch);
        int kept = 1;
        for (int i = 0; i < 64; i++) kept &= scratch[bytes + (size_t)i] == (char)0xff;
        CHECK(kept, "%s, %s: written behind the scratch memory", loops->name, what);
        long double *want = memory_zalloc((size_t)n + 1, sizeof *want),
                    *scale = memory_zalloc((size_t)n + 1, sizeof *scale);
        conv_reference(s, (enum conv_kind)kind, a, b, want, scale);
        for (int64_t i = 0; i < n; i++) measure(s->dtype, at(s->dtype, out.x, i), want[i], scale[i], 4, what);
        memory_free(want);
        memory_free(scale);
        memory_free(scratch);
        release(&out);
    }
    release(&x);
    release(&w);
    release(&dy);
}

/* Multiply-adds of the reference, so that none of the random cases takes long. */
static int64_t conv_work(const struct conv *s)
{
    return s->n * s->o * s->oh * s->ow * (s->c / s->groups) * s->kh * s->kw;
}

static void conv_trials(int count, void (*draw)(struct conv *s), int dense)
{
    for (int done = 0, tries = 0; done < count && tries < 1000 * count; tries++) {
        struct conv s = {.dtype = (enum dtype)(done % 2),
                         .n = pick(1, 5),
                         .kh = pick(1, 4),
                         .kw = pick(1, 4),
                         .sh = 1,
                         .sw = 1,
                         .ph = pick(0, 2),
                         .pw = pick(0, 2),
                         .dh = pick(1, 2),
                         .dw = pick(1, 3),
                         .groups = pick(0, 2) ? 1 : pick(2, 3),
                         .lanes = pick(1, 4)};
        draw(&s);
        if (!conv_complete(&s) || conv_work(&s) > 400000 || (dense >= 0 && conv_dense_fits(&s) != dense))
            continue;
        conv_case(&s);
        done++;
    }
}

static void draw_planes(struct conv *s) /* 9 or more pixels of the result, mostly */
{
    s->h = pick(4, 17);
    s->w = pick(8, 19);
    s->sh = pick(0, 1) ? 1 : pick(1, 4);
    s->sw = pick(0, 1) ? 1 : pick(1, 4);
    s->c = s->groups * edge(20);
    s->o = s->groups * edge(20);
}

static void draw_columns(struct conv *s) /* few pixels of the result, mostly, of strides or of groups */
{
    s->h = pick(1, 6);
    s->w = pick(1, 6);
    if (pick(0, 2)) {
        s->sh = pick(1, 3);
        s->sw = pick(2, 3);
        s->groups = 1;
    } else {
        s->groups = pick(2, 3);
    }
    s->c = s->groups * pick(1, 12);
    s->o = s->groups * pick(1, 12);
}

static void draw_one_pixel(struct conv *s) /* the kernel covers the image; either way */
{
    s->ph = s->pw = 0;
    s->h = s->dh * (s->kh - 1) + 1;
    s->w = s->dw * (s->kw - 1) + 1;
    s->n = pick(1, 300);
    s->c = s->groups * edge(30);
    s->o = s->groups * edge(30);
}

static void draw_dense(struct conv *s)
{
    s->groups = 1;
    s->h = pick(1, 8);
    s->w = pick(1, 8);
    s->sh = pick(1, 2);
    s->sw = pick(1, 2);
    s->n = pick(1, 400);
    s->c = edge(20);
    s->o = edge(20);
}

/* What experiments use: 1x1 and 3x3 over 28 x 28 and 32 x 32 or a part of it, and channels enough for whole
 * blocks. */
static void draw_fields(struct conv *s)
{
    int64_t sizes[] = {7, 14, 16, 28, 32}, channels[] = {1, 3, 16, 32, 33};
    s->h = s->w = sizes[pick(0, 4)];
    s->kh = s->kw = pick(0, 1) ? 3 : 1;
    s->ph = s->pw = s->kh / 2;
    s->dh = s->dw = s->groups = 1;
    s->n = pick(1, 3);
    s->c = channels[pick(0, 4)];
    s->o = channels[pick(0, 4)];
}

static void planes_on_one_set(void) { conv_trials(200, draw_planes, 0); }
static void columns_on_one_set(void) { conv_trials(150, draw_columns, 0); }
static void dense_on_one_set(void) { conv_trials(150, draw_dense, 1); }
static void one_pixel_on_one_set(void) { conv_trials(80, draw_one_pixel, -1); }
static void fields_on_one_set(void)
{
    conv_trials(30, draw_fields, -1);
    struct conv large = {.dtype = FLOAT32,
                         .n = 2,
                         .c = 96,
                         .h = 28,
                         .w = 28,
                         .o = 40,
                         .kh = 3,
                         .kw = 3,
                         .sh = 1,
                         .sw = 1,
                         .ph = 1,
                         .pw = 1,
                         .dh = 1,
                         .dw = 1,
                         .groups = 1,
                         .lanes = 2};
    conv_complete(&large);
    conv_case(&large);
}

static void conv_planes(void) { for_each_set(planes_on_one_set); }
static void conv_columns(void) { for_each_set(columns_on_one_set); }
static void conv_dense(void) { for_each_set(dense_on_one_set); }
static void conv_one_pixel(void) { for_each_set(one_pixel_on_one_set); }
static void conv_fields(void) { for_each_set(fields_on_one_set); }

int main(int argc, char **argv)
{
    static const struct check_test tests[] = {
        {"convolution by planes", conv_planes},    {"convolution by columns", conv_columns},
        {"convolution as one matrix", conv_dense}, {"convolution to one pixel", conv_one_pixel},
        {"convolution of fields", conv_fields},
    };
    return check_main(tests, sizeof tests / sizeof *tests, argc, argv);
}
