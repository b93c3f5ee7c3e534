#include "kernels/conv_columns.h"

#include <string.h>

#include "base/interrupt.h"
#include "base/tuning.h"
#include "kernels/blocks.h"
#include "kernels/conv_finish.h"
#include "kernels/conv_tasks.h"
#include "kernels/gemm.h"
#include "kernels/paste.h"

struct columns_plan {
    const struct conv *s;
    int64_t cg, og, taps; /* channels of a group in and out; places of the kernel */
    int64_t pixels;       /* OH x OW */
    int64_t images;       /* of a task */
    size_t size;          /* bytes of an element */
    struct conv_tasks tasks;
};

struct columns_job {
    struct columns_plan p;
    enum conv_kind kind;
    const char *a, *b;
    char *out;
};

int conv_columns_fits(const struct conv *s)
{
    (void)s;
    return 1;
}

static void images_result(const void *context, int64_t task, char *lane);
static void images_gradient(const void *context, int64_t image, int64_t count, char *lane, char *sums,
                            int first);

static struct columns_plan plan_columns(const struct conv *s, enum conv_kind kind)
{
    struct columns_plan p = {.s = s,
                             .cg = s->c / s->groups,
                             .og = s->o / s->groups,
                             .taps = s->kh * s->kw,
                             .pixels = s->oh * s->ow,
                             .size = dtype_size(s->dtype)};
    p.images = p.pixels >= CONV_COLUMNS_PIXELS ? 1 : CONV_COLUMNS_PIXELS / p.pixels;
    if (p.images > s->n) p.images = s->n;
    p.tasks = (struct conv_tasks){.at_once = p.images,
                                  .weights = blocks_bytes(s->o * p.cg * p.taps, p.size),
                                  .lane = blocks_bytes(p.cg * p.taps * p.images * p.pixels, p.size) +
                                          blocks_bytes(p.og * p.images * p.pixels, p.size),
                                  .result = images_result,
                                  .gradient = images_gradient};
    conv_tasks_share(&p.tasks, s, kind, blocks_of(s->n, p.images));
    return p;
}

enum status conv_columns_open(const struct conv *s, enum conv_kind kind)
{
    struct columns_plan p = plan_columns(s, kind);
    int64_t rows = p.cg * p.taps, pixels = p.images * p.pixels;
    if (kind == CONV_FORWARD) return gemm_open(0, p.og, pixels, rows);
    if (kind == CONV_INPUT_GRADIENT) return gemm_open(0, rows, pixels, p.og);
    return gemm_open(1, p.og, rows, pixels);
}

size_t conv_columns_scratch(const struct conv *s, enum conv_kind kind)
{
    struct columns_plan p = plan_columns(s, kind);
    return conv_tasks_bytes(&p.tasks);
}

/* col[(c, tap)][image, pixel] of one group: row i of the pixels of image m there, and in the image. */
struct columns_row {
    int64_t x, left; /* elements from the image's first; column of x at the first pixel, perhaps outside */
    int inside;      /* is the row of x inside the image? */
    int64_t column;
};

static inline struct columns_row row_of(const struct columns_plan *p, int64_t images, int64_t c, int64_t tap,
                                        int64_t m, int64_t i)
{
    const struct conv *s = p->s;
    int64_t row = i * s->sh - s->ph + tap / s->kw * s->dh;
    int inside = row >= 0 && row < s->h;
    return (struct columns_row){.x = (m * s->c + c) * s->h * s->w + (inside ? row * s->w : 0),
                                .left = tap % s->kw * s->dw - s->pw,
                                .inside = inside,
                                .column = ((c * p->taps + tap) * images + m) * p->pixels + i * s->ow};
}

#define T float
#define SUFFIX f32
#include "kernels/conv_columns_body.h"
#define T double
#define SUFFIX f64
#include "kernels/conv_columns_body.h"

static void to_columns(const struct columns_plan *p, int64_t images, const char *image, char *columns)
{
    if (p->s->dtype == FLOAT32)
        to_columns_f32(p, images, (const float *)image, (float *)columns);
    else
        to_columns_f64(p, images, (const double *)image, (double *)columns);
}

static void add_columns(const struct columns_plan *p, int64_t images, const char *columns, char *image)
{
    if (p->s->dtype == FLOAT32)
        add_columns_f32(p, images, (const float *)columns, (float *)image);
    else
        add_columns_f64(p, images, (const double *)columns, (double *)image);
}

/* Between y[m][o][pixel] of one group and a matrix [o][m, pixel]. */
static void gather_pixels(const struct columns_plan *p, int64_t images, const char *y, char *matrix)
{
    for (int64_t m = 0; m < images; m++)
        for (int64_t o = 0; o < p->og && !interrupt_stop(); o++)
            memcpy(matrix + (size_t)((o * images + m) * p->pixels) * p->size,
                   y + (size_t)((m * p->s->o + o) * p->pixels) * p->size, (size_t)p->pixels * p->size);
}

static void scatter_pixels(const struct columns_plan *p, int64_t images, const char *matrix, char *y)
{
    for (int64_t m = 0; m < images; m++)
        for (int64_t o = 0; o < p->og && !interrupt_stop(); o++)
            memcpy(y + (size_t)((m * p->s->o + o) * p->pixels) * p->size,
                   matrix + (size_t)((o * images + m) * p->pixels) * p->size, (size_t)p->pixels * p->size);
}

/* Where group `group` of image `image` begins: of x, of y. */
static size_t x_place(const struct columns_plan *p, int64_t image, int64_t group)
{
    return (size_t)((image * p->s->c + group * p->cg) * p->s->h * p->s->w) * p->size;
}
static size_t y_place(const struct columns_plan *p, int64_t image, int64_t group)
{
    return (size_t)((image * p->s->o + group * p->og) * p->pixels) * p->size;
}

static char *matrix_of(const struct columns_plan *p, char *lane)
{
    return lane + blocks_bytes(p->cg * p->taps * p->images * p->pixels, p->size);
}

static void images_result(const void *context, int64_t task, char *columns)
{
    const struct columns_job *j = context;
    const struct columns_plan *p = &j->p;
    const struct conv *s = p->s;
    int64_t image = task * p->images, images = s->n - image < p->images ? s->n - image : p->images;
    int64_t rows = p->cg * p->taps, pixels = images * p->pixels;
    char *matrix = matrix_of(p, columns);
    struct conv_pass pass = conv_pass_of(s, j->kind);
    if (j->kind == CONV_INPUT_GRADIENT)
        memset(j->out + x_place(p, image, 0), 0, (size_t)(images * s->c * s->h * s->w) * p->size);
    for (int64_t group = 0; group < s->groups; group++) {
        const char *w = j->b + (size_t)(group * p->og * rows) * p->size;
        if (j->kind == CONV_FORWARD) {
            to_columns(p, images, j->a + x_place(p, image, group), columns);
            gemm(s->dtype, 0, 0, p->og, pixels, rows, 1, w, rows, columns, pixels, 0, matrix, pixels);
            scatter_pixels(p, images, matrix, j->out + y_place(p, image, group));
        } else {
            gather_pixels(p, images, j->a + y_place(p, image, group), matrix);
            gemm(s->dtype, 1, 0, rows, pixels, p->og, 1, w, rows, matrix, pixels, 0, columns, pixels);
            add_columns(p, images, columns, j->out + x_place(p, image, group));
        }
    }
    for (int64_t i = image; i < image + images; i++) conv_finish_rows(s, &pass, j->out, i, 0, pass.oh);
}

static void images_gradient(const void *context, int64_t image, int64_t images, char *columns, char *sums,
                            int first)
{
    const struct columns_job *j = context;
    const struct columns_plan *p = &j->p;
    int64_t rows = p->cg * p->taps, pixels = images * p->pixels;
    char *matrix = matrix_of(p, columns);
    for (int64_t group = 0; group < p->s->groups; group++) {
        to_columns(p, images, j->a + x_place(p, image, group), columns);
        gather_pixels(p, images, j->b + y_place(p, image, group), matrix);
        gemm(p->s->dtype, 0, 1, p->og, rows, pixels, 1, matrix, pixels, columns, pixels, !first,
             sums + (size_t)(group * p->og * rows) * p->size, rows);
    }
}

void conv_columns_run(const struct conv *s, enum conv_kind kind, const void *a, const void *b, void *out,
                      void *scratch)
{
    struct columns_job j = {.p = plan_columns(s, kind), .kind = kind, .a = a, .b = b, .out = out};
    int64_t n = s->o * j.p.cg * j.p.taps;
    conv_tasks_run(&j.p.tasks, &j, scratch);
    if (kind != CONV_WEIGHT_GRADIENT) return;
    conv_tasks_sum(&j.p.tasks, s->dtype, n, scratch);
    memcpy(out, scratch, (size_t)n * j.p.size);
}
