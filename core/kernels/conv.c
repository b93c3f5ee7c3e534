/* Two ways to make matrix products of a convolution, chosen by shape:
 *
 *   planes   (stride 1, enough channels and pixels): pad each image once; then the product of tap (a, b) reads the padded image shifted
 *            by a Wp + b, with rows as wide as the padded image; no im2col copy. The Wp - OW surplus columns are dropped at the end.
 *   columns  (everything else): im2col of a few images at a time, so that tiny signals still give products of useful size.
 *
 * Images are independent, and so are tasks. Weight gradients add up over fixed chunks of images, then over the chunks in order, so the
 * result does not depend on the number of threads. */
#include "kernels/conv.h"

#include <stdatomic.h>
#include <string.h>

#include "base/threads.h"
#include "kernels/gemm.h"
#include "kernels/loops.h"

#define CHUNKS 8          /* partial sums of a weight gradient */
#define COLUMN_PIXELS 256 /* pixels that the columns way wants in one product */

struct geometry {
    int planes;
    int64_t cg, og, taps, images; /* channels per group in and out, kernel taps, images per task */
    int64_t wp, plane, length;    /* padded width, padded plane, used length of wide rows */
    int64_t pixels;               /* OH x OW */
    size_t size;                  /* bytes of an element */
    size_t weights, lane;         /* scratch: repacked weights (shared), work space of one lane */
    int64_t tasks, lanes;
};

static size_t round_up(size_t bytes) { return (bytes + 63) & ~(size_t)63; }

static struct geometry geometry(const struct conv *s, enum conv_kind kind)
{
    struct geometry g = {.cg = s->c / s->groups, .og = s->o / s->groups, .taps = s->kh * s->kw, .size = dtype_size(s->dtype)};
    g.pixels = s->oh * s->ow;
    g.planes = s->sh == 1 && s->sw == 1 && g.cg >= 8 && g.og >= 8 && g.pixels >= 64;
    g.wp = s->w + 2 * s->pw;
    g.plane = (s->h + 2 * s->ph) * g.wp;
    g.length = (s->oh - 1) * g.wp + s->ow;
    g.images = g.planes || g.pixels >= COLUMN_PIXELS ? 1 : COLUMN_PIXELS / g.pixels;
    if (g.images > s->n) g.images = s->n > 0 ? s->n : 1;
    if (g.planes) {
        g.lane = round_up((size_t)(s->c * g.plane) * g.size) + round_up((size_t)(s->o * g.length) * g.size);
    } else {
        size_t pixels = (size_t)(g.images * g.pixels);
        g.lane = round_up((size_t)(g.cg * g.taps) * pixels * g.size) + round_up((size_t)g.og * pixels * g.size);
    }
    g.weights = round_up((size_t)(s->o * g.cg * g.taps) * g.size);
    g.tasks = (s->n + g.images - 1) / g.images;
    if (kind == CONV_WEIGHT_GRADIENT && g.tasks > CHUNKS) g.tasks = CHUNKS;
    g.lanes = s->lanes < g.tasks ? s->lanes : g.tasks;
    return g;
}

size_t conv_scratch(const struct conv *s, enum conv_kind kind)
{
    struct geometry g = geometry(s, kind);
    return g.weights * (size_t)(kind == CONV_WEIGHT_GRADIENT ? g.tasks : 1) + g.lane * (size_t)g.lanes;
}

struct conv_job {
    const struct conv *s;
    struct geometry g;
    enum conv_kind kind;
    const char *a, *b;
    char *out, *weights, *lanes;
    _Atomic int64_t next;
};

/* ---- planes ---- */

/* Copy one image into the middle of a zeroed padded image. */
static void pad_image(const struct conv *s, const struct geometry *g, const char *x, char *padded)
{
    memset(padded, 0, (size_t)(s->c * g->plane) * g->size);
    for (int64_t c = 0; c < s->c; c++)
        for (int64_t i = 0; i < s->h; i++)
            memcpy(padded + (size_t)(c * g->plane + (i + s->ph) * g->wp + s->pw) * g->size,
                   x + (size_t)((c * s->h + i) * s->w) * g->size, (size_t)s->w * g->size);
}

static void unpad_image(const struct conv *s, const struct geometry *g, const char *padded, char *x)
{
    for (int64_t c = 0; c < s->c; c++)
        for (int64_t i = 0; i < s->h; i++)
            memcpy(x + (size_t)((c * s->h + i) * s->w) * g->size,
                   padded + (size_t)(c * g->plane + (i + s->ph) * g->wp + s->pw) * g->size, (size_t)s->w * g->size);
}

/* Between an image of OH x OW and one whose rows are wp apart; the surplus of the last row does not exist. */
static void widen_image(const struct conv *s, const struct geometry *g, const char *y, char *wide)
{
    memset(wide, 0, (size_t)(s->o * g->length) * g->size);
    for (int64_t o = 0; o < s->o; o++)
        for (int64_t i = 0; i < s->oh; i++)
            memcpy(wide + (size_t)(o * g->length + i * g->wp) * g->size, y + (size_t)((o * s->oh + i) * s->ow) * g->size,
                   (size_t)s->ow * g->size);
}

static void narrow_image(const struct conv *s, const struct geometry *g, const char *wide, char *y)
{
    for (int64_t o = 0; o < s->o; o++)
        for (int64_t i = 0; i < s->oh; i++)
            memcpy(y + (size_t)((o * s->oh + i) * s->ow) * g->size, wide + (size_t)(o * g->length + i * g->wp) * g->size,
                   (size_t)s->ow * g->size);
}

static void planes_image(struct conv_job *job, int64_t image, char *lane, char *accumulator, int first)
{
    const struct conv *s = job->s;
    const struct geometry *g = &job->g;
    size_t size = g->size, x_bytes = (size_t)(s->c * s->h * s->w) * size, y_bytes = (size_t)(s->o * g->pixels) * size;
    char *padded = lane, *wide = lane + round_up((size_t)(s->c * g->plane) * size);
    int narrow = g->wp == s->ow; /* then an image is its own wide form */
    int no_pad = s->ph == 0 && s->pw == 0;
    const char *x = job->a + (size_t)image * x_bytes, *dy = NULL;
    if (job->kind != CONV_INPUT_GRADIENT) {
        if (!no_pad) pad_image(s, g, x, padded);
        else padded = (char *)(uintptr_t)x;
    }
    if (job->kind == CONV_FORWARD && narrow) wide = job->out + (size_t)image * y_bytes;
    if (job->kind != CONV_FORWARD) {
        dy = (job->kind == CONV_INPUT_GRADIENT ? job->a : job->b) + (size_t)image * y_bytes;
        if (!narrow) widen_image(s, g, dy, wide);
        else wide = (char *)(uintptr_t)dy;
    }
    if (job->kind == CONV_INPUT_GRADIENT) {
        if (no_pad) padded = job->out + (size_t)image * x_bytes;
        memset(padded, 0, (size_t)(s->c * g->plane) * size);
    }
    for (int64_t group = 0; group < s->groups; group++)
        for (int64_t tap = 0; tap < g->taps; tap++) {
            int64_t shift = tap / s->kw * s->dh * g->wp + tap % s->kw * s->dw;
            char *xg = padded + (size_t)(group * g->cg * g->plane + shift) * size, *yg = wide + (size_t)(group * g->og * g->length) * size;
            size_t w_offset = (size_t)((tap * s->o + group * g->og) * g->cg) * size;
            if (job->kind == CONV_FORWARD)
                gemm(s->dtype, 0, 0, g->og, g->length, g->cg, 1, job->weights + w_offset, g->cg, xg, g->plane, tap > 0, yg, g->length);
            else if (job->kind == CONV_INPUT_GRADIENT)
                gemm(s->dtype, 1, 0, g->cg, g->length, g->og, 1, job->weights + w_offset, g->cg, yg, g->length, 1, xg, g->plane);
            else
                gemm(s->dtype, 0, 1, g->og, g->cg, g->length, 1, yg, g->length, xg, g->plane, !first, accumulator + w_offset, g->cg);
        }
    if (job->kind == CONV_FORWARD && !narrow) narrow_image(s, g, wide, job->out + (size_t)image * y_bytes);
    if (job->kind == CONV_INPUT_GRADIENT && !no_pad) unpad_image(s, g, padded, job->out + (size_t)image * x_bytes);
}

/* ---- columns: col[(c, tap)][image, pixel] of one group ---- */

#define COLUMN_LOOP(BODY)                                                                                                     \
    for (int64_t c = 0; c < g->cg; c++)                                                                                       \
        for (int64_t tap = 0; tap < g->taps; tap++)                                                                           \
            for (int64_t m = 0; m < images; m++)                                                                              \
                for (int64_t i = 0; i < s->oh; i++) {                                                                         \
                    int64_t row = i * s->sh - s->ph + tap / s->kw * s->dh, left = tap % s->kw * s->dw - s->pw;                \
                    T *col = (T *)columns + ((c * g->taps + tap) * images + m) * g->pixels + i * s->ow;                       \
                    int inside = row >= 0 && row < s->h;                                                                      \
                    T *x = (T *)(uintptr_t)image + (m * s->c + c) * s->h * s->w + (inside ? row * s->w : 0);                  \
                    for (int64_t j = 0; j < s->ow; j++) {                                                                     \
                        int64_t at = j * s->sw + left;                                                                        \
                        int valid = inside && at >= 0 && at < s->w;                                                           \
                        BODY;                                                                                                 \
                    }                                                                                                         \
                }

static void to_columns(const struct conv *s, const struct geometry *g, int64_t images, const char *image, char *columns)
{
    if (s->dtype == FLOAT32) {
#define T float
        COLUMN_LOOP(col[j] = valid ? x[at] : 0)
#undef T
    } else {
#define T double
        COLUMN_LOOP(col[j] = valid ? x[at] : 0)
#undef T
    }
}

static void add_columns(const struct conv *s, const struct geometry *g, int64_t images, const char *columns, char *image)
{
    if (s->dtype == FLOAT32) {
#define T float
        COLUMN_LOOP(if (valid) x[at] += col[j])
#undef T
    } else {
#define T double
        COLUMN_LOOP(if (valid) x[at] += col[j])
#undef T
    }
}

/* Between y[m][o][pixel] of one group and a matrix [o][m, pixel]. */
static void gather_pixels(const struct conv *s, const struct geometry *g, int64_t images, const char *y, char *matrix)
{
    for (int64_t m = 0; m < images; m++)
        for (int64_t o = 0; o < g->og; o++)
            memcpy(matrix + (size_t)((o * images + m) * g->pixels) * g->size, y + (size_t)((m * s->o + o) * g->pixels) * g->size,
                   (size_t)g->pixels * g->size);
}

static void scatter_pixels(const struct conv *s, const struct geometry *g, int64_t images, const char *matrix, char *y)
{
    for (int64_t m = 0; m < images; m++)
        for (int64_t o = 0; o < g->og; o++)
            memcpy(y + (size_t)((m * s->o + o) * g->pixels) * g->size, matrix + (size_t)((o * images + m) * g->pixels) * g->size,
                   (size_t)g->pixels * g->size);
}

static void columns_images(struct conv_job *job, int64_t image, int64_t images, char *lane, char *accumulator, int first)
{
    const struct conv *s = job->s;
    const struct geometry *g = &job->g;
    int64_t rows = g->cg * g->taps, pixels = images * g->pixels;
    char *columns = lane, *matrix = lane + round_up((size_t)(rows * g->images * g->pixels) * g->size);
    size_t x_image = (size_t)(image * s->c * s->h * s->w) * g->size, y_image = (size_t)(image * s->o * g->pixels) * g->size;
    if (job->kind == CONV_INPUT_GRADIENT) memset(job->out + x_image, 0, (size_t)(images * s->c * s->h * s->w) * g->size);
    for (int64_t group = 0; group < s->groups; group++) {
        size_t x_at = x_image + (size_t)(group * g->cg * s->h * s->w) * g->size;
        size_t y_at = y_image + (size_t)(group * g->og * g->pixels) * g->size, w_at = (size_t)(group * g->og * rows) * g->size;
        if (job->kind == CONV_FORWARD) {
            to_columns(s, g, images, job->a + x_at, columns);
            gemm(s->dtype, 0, 0, g->og, pixels, rows, 1, job->b + w_at, rows, columns, pixels, 0, matrix, pixels);
            scatter_pixels(s, g, images, matrix, job->out + y_at);
        } else if (job->kind == CONV_INPUT_GRADIENT) {
            gather_pixels(s, g, images, job->a + y_at, matrix);
            gemm(s->dtype, 1, 0, rows, pixels, g->og, 1, job->b + w_at, rows, matrix, pixels, 0, columns, pixels);
            add_columns(s, g, images, columns, job->out + x_at);
        } else {
            to_columns(s, g, images, job->a + x_at, columns);
            gather_pixels(s, g, images, job->b + y_at, matrix);
            gemm(s->dtype, 0, 1, g->og, rows, pixels, 1, matrix, pixels, columns, pixels, !first, accumulator + w_at, rows);
        }
    }
}

/* ---- tasks ---- */

/* Between w[o][c][tap] and taps of matrices w[tap][o][c]. */
static void transpose_taps(const struct conv *s, const struct geometry *g, const char *from, char *to, int to_matrices)
{
    for (int64_t oc = 0; oc < s->o * g->cg; oc++)
        for (int64_t tap = 0; tap < g->taps; tap++) {
            int64_t dense = oc * g->taps + tap, matrices = tap * s->o * g->cg + oc;
            int64_t source = to_matrices ? dense : matrices, target = to_matrices ? matrices : dense;
            if (s->dtype == FLOAT32) ((float *)to)[target] = ((const float *)from)[source];
            else ((double *)to)[target] = ((const double *)from)[source];
        }
}

static void run_images(struct conv_job *job, int64_t first, int64_t end, char *lane, char *accumulator)
{
    const struct geometry *g = &job->g;
    for (int64_t image = first; image < end; image += g->images) {
        if (g->planes) planes_image(job, image, lane, accumulator, image == first);
        else columns_images(job, image, end - image < g->images ? end - image : g->images, lane, accumulator, image == first);
    }
}

static void conv_lane(void *context, int64_t index)
{
    struct conv_job *job = context;
    const struct geometry *g = &job->g;
    char *lane = job->lanes + (size_t)index * g->lane;
    for (int64_t task; (task = atomic_fetch_add(&job->next, 1)) < g->tasks;) {
        if (job->kind == CONV_WEIGHT_GRADIENT) {
            run_images(job, task * job->s->n / g->tasks, (task + 1) * job->s->n / g->tasks, lane,
                       job->weights + (size_t)task * g->weights);
        } else {
            int64_t first = task * g->images, end = first + g->images;
            run_images(job, first, end < job->s->n ? end : job->s->n, lane, NULL);
        }
    }
}

static void add_chunks(const struct conv_job *job)
{
    const struct geometry *g = &job->g;
    int64_t n = job->s->o * g->cg * g->taps;
    const void *parts[CHUNKS];
    double ones[CHUNKS];
    for (int64_t task = 1; task < g->tasks; task++) {
        parts[task - 1] = job->weights + (size_t)task * g->weights;
        ones[task - 1] = 1;
    }
    loops->combine[job->s->dtype](n, job->weights, (int)g->tasks - 1, ones, parts, job->weights);
    if (g->planes) transpose_taps(job->s, g, job->weights, job->out, 0);
    else memcpy(job->out, job->weights, (size_t)n * g->size);
}

void conv_run(const struct conv *s, enum conv_kind kind, const void *a, const void *b, void *out, void *scratch)
{
    struct conv_job job = {.s = s, .g = geometry(s, kind), .kind = kind, .a = a, .b = b, .out = out, .weights = scratch};
    int64_t out_numel = kind == CONV_FORWARD          ? s->n * s->o * s->oh * s->ow
                        : kind == CONV_INPUT_GRADIENT ? s->n * s->c * s->h * s->w
                                                      : s->o * job.g.cg * job.g.taps;
    if (s->n == 0 || s->c == 0 || s->o == 0) {
        memset(out, 0, (size_t)out_numel * job.g.size);
        return;
    }
    job.lanes = job.weights + job.g.weights * (size_t)(kind == CONV_WEIGHT_GRADIENT ? job.g.tasks : 1);
    if (job.g.planes && kind != CONV_WEIGHT_GRADIENT) transpose_taps(s, &job.g, b, job.weights, 1);
    threads_for(job.g.lanes, conv_lane, &job);
    if (kind == CONV_WEIGHT_GRADIENT) add_chunks(&job);
}
