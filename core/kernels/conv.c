/* Five ways to make matrix products of a convolution, chosen by shape:
 *
 *   planes   (stride 1, enough pixels): an image is padded once; row (c, tap) of the right operand is the
 *            padded plane of channel c shifted by the tap, read in place: no im2col. Rows of the result are
 *            as wide as those of the padded image; the surplus is dropped. The input gradient is the same
 *            product with the padded cotangent and mirrored shifts; the weight gradient is a sum over pixels,
 *            with the padded image turned so that its channels are contiguous.
 *   columns  (everything else): im2col of a few images at a time, so that tiny signals still give products of
 *            useful size.
 *
 *   dense    (a few pixels): the whole convolution as one matrix, see conv_dense.h.
 *
 *   bf16     (levels below "highest" on a processor with a matrix unit): see conv_bf16.h.
 *
 *   winograd (3 x 3, stride 1, float32, enough channels): fewer multiplications, see conv_winograd.h.
 *
 * Images are independent, and so are tasks. Weight gradients add up over fixed chunks of images, then over
 * the chunks in order, so the result does not depend on the number of threads. */
#include "kernels/conv.h"

#include <stdatomic.h>
#include <string.h>

#include "base/interrupt.h"
#include "base/memory.h"
#include "base/threads.h"
#include "base/tuning.h"
#include "kernels/bf16.h"
#include "kernels/bounded.h"
#include "kernels/conv_bf16.h"
#include "kernels/conv_dense.h"
#include "kernels/conv_winograd.h"
#include "kernels/gemm.h"
#include "kernels/loops.h"

/* An image of `channels` planes inside zero margins, for the planes way. */
struct frame {
    int64_t channels, h, w, top, left, pitch,
        plane; /* pitch: elements from row to row; plane: from channel to channel */
};

struct geometry {
    int planes;
    int64_t cg, og, taps, images; /* channels per group in and out, kernel taps, images per task */
    int64_t pixels;               /* OH x OW */
    struct frame frame;           /* what the planes way pads: x, or, for the input gradient, the cotangent */
    int64_t length;               /* used length of rows of its result */
    int64_t depth;                /* length of the sum in its products */
    size_t size;                  /* bytes of an element */
    size_t offsets, weights, lane; /* scratch: offsets and weights (shared), work space of one lane */
    int64_t tasks, lanes;
};

static size_t round_up(size_t bytes) { return (bytes + MEMORY_SLACK + 63) & ~(size_t)63; }

/* Margins and result of the planes way. Forward and weight gradient: x with the convolution's padding,
 * results OH x OW. Input gradient: dx(i, j) needs dy(i + ph - a dh, j + pw - b dw), so dy gets margins of dh
 * (KH - 1) - ph where that is positive; results H x W. */
static void plan_planes(const struct conv *s, enum conv_kind kind, struct geometry *g)
{
    int back = kind == CONV_INPUT_GRADIENT;
    int64_t top = back ? s->dh * (s->kh - 1) - s->ph : s->ph,
            left = back ? s->dw * (s->kw - 1) - s->pw : s->pw;
    struct frame f = {.channels = back ? s->o : s->c, .h = back ? s->oh : s->h, .w = back ? s->ow : s->w};
    f.top = top > 0 ? top : 0;
    f.left = left > 0 ? left : 0;
    f.pitch = f.w + 2 * f.left;
    f.plane = (f.h + 2 * f.top) * f.pitch;
    g->frame = f;
    g->length = back ? (s->h - 1) * f.pitch + s->w : (s->oh - 1) * f.pitch + s->ow;
    g->depth = kind == CONV_FORWARD ? g->cg * g->taps : back ? g->og * g->taps : g->pixels;
    g->lane = round_up((size_t)(f.channels * f.plane) * g->size) +
              round_up((size_t)((back ? s->c : s->o) * g->length) * g->size);
    g->offsets = round_up((size_t)g->depth * sizeof(int64_t));
}

static struct geometry geometry(const struct conv *s, enum conv_kind kind)
{
    struct geometry g = {
        .cg = s->c / s->groups, .og = s->o / s->groups, .taps = s->kh * s->kw, .size = dtype_size(s->dtype)};
    g.pixels = s->oh * s->ow;
    g.planes = s->sh == 1 && s->sw == 1 && g.pixels >= CONV_PLANES_LEAST_PIXELS;
    g.images = g.planes || g.pixels >= CONV_COLUMNS_PIXELS ? 1 : CONV_COLUMNS_PIXELS / g.pixels;
    if (g.images > s->n) g.images = s->n > 0 ? s->n : 1;
    if (g.planes) {
        plan_planes(s, kind, &g);
    } else {
        size_t pixels = (size_t)(g.images * g.pixels);
        g.lane =
            round_up((size_t)(g.cg * g.taps) * pixels * g.size) + round_up((size_t)g.og * pixels * g.size);
    }
    g.weights = round_up((size_t)(s->o * g.cg * g.taps) * g.size);
    g.tasks = (s->n + g.images - 1) / g.images;
    if (kind == CONV_WEIGHT_GRADIENT && g.tasks > CONV_CHUNKS) g.tasks = CONV_CHUNKS;
    g.lanes = s->lanes < g.tasks ? s->lanes : g.tasks;
    return g;
}

enum status conv_open(const struct conv *s, enum conv_kind kind)
{
    if (s->n == 0 || s->c == 0 || s->o == 0) return STATUS_OK;
    struct geometry g = geometry(s, kind);
    int64_t rows = g.cg * g.taps, pixels = g.images * g.pixels;
    if (g.planes) return STATUS_OK;
    if (kind == CONV_FORWARD) return gemm_open(0, g.og, pixels, rows);
    if (kind == CONV_INPUT_GRADIENT) return gemm_open(0, rows, pixels, g.og);
    return gemm_open(1, g.og, rows, pixels);
}

size_t conv_scratch(const struct conv *s, enum conv_kind kind)
{
    if (conv_dense_fits(s)) return conv_dense_scratch(s);
    if (conv_bf16_fits(s)) return conv_bf16_scratch(s, kind, bf16_conv_parts(s->precision));
    if (conv_winograd_fits(s)) return conv_winograd_scratch(s, kind);
    struct geometry g = geometry(s, kind);
    return g.offsets + g.weights * (size_t)(kind == CONV_WEIGHT_GRADIENT ? g.tasks : 1) +
           g.lane * (size_t)g.lanes;
}

struct conv_job {
    const struct conv *s;
    struct geometry g;
    enum conv_kind kind;
    const char *a, *b;
    char *out, *weights, *lanes;
    int64_t *offsets;
    _Atomic int64_t next;
};

void conv_finish_rows(const struct conv *s, void *out, int64_t image, int64_t channels, int64_t h, int64_t w,
                      int64_t first, int64_t rows)
{
    const struct conv_finish *f = s->finish;
    if (!f) return;
    size_t size = dtype_size(s->dtype);
    int whole = rows == h; /* planes follow each other */
    const int64_t dense[2] = {0, 1}, one[2] = {1, 0}, n[2] = {1, rows * w * (whole ? channels : 1)};
    for (int64_t c = 0; c < channels; c++) {
        size_t at = (size_t)(((image * channels + c) * h + first) * w) * size;
        char *y = (char *)out + at;
        const char *other = f->other ? (const char *)f->other + at : NULL;
        if (f->bias && (!whole || c == 0)) {
            const int64_t bias_n[2] = {whole ? channels : 1, rows * w}, planes[2] = {h * w, 1};
            loops->binary[BINARY_ADD][s->dtype](bias_n, y, planes, (const char *)f->bias + (size_t)c * size,
                                                one, y);
        }
        if (f->unary) f->unary(n, y, dense, y);
        if (f->binary && f->second)
            f->binary(n, other, dense, y, dense, y);
        else if (f->binary)
            f->binary(n, y, dense, other, dense, y);
        if (whole) break;
    }
}

/* ---- planes ---- */

/* Where row k of the right operand starts; see the comment at the top. */
static void fill_offsets(const struct conv *s, const struct geometry *g, enum conv_kind kind, int64_t *offset)
{
    const struct frame *f = &g->frame;
    int64_t n = kind == CONV_FORWARD ? g->cg : g->og;
    if (kind == CONV_WEIGHT_GRADIENT) {
        for (int64_t p = 0; p < g->pixels; p++) offset[p] = (p / s->ow * f->pitch + p % s->ow) * g->cg;
        return;
    }
    for (int64_t k = 0; k < n * g->taps; k++) {
        int64_t a = k % g->taps / s->kw * s->dh, b = k % s->kw * s->dw;
        offset[k] =
            k / g->taps * f->plane +
            (kind == CONV_FORWARD ? a * f->pitch + b : (s->ph - a + f->top) * f->pitch + s->pw - b + f->left);
    }
}

/* w[o][c][tap] of each group as w[c][o][tap], for the input gradient. */
static void swap_channels(const struct conv *s, const struct geometry *g, const char *w, char *swapped)
{
    size_t run = (size_t)g->taps * g->size;
    for (int64_t group = 0; group < s->groups; group++)
        for (int64_t o = 0; o < g->og; o++)
            for (int64_t c = 0; c < g->cg; c++)
                memcpy(swapped + (size_t)((group * g->cg + c) * g->og + o) * run,
                       w + (size_t)((group * g->og + o) * g->cg + c) * run, run);
}

static void pad_image(const struct frame *f, size_t size, const char *x, char *padded)
{
    bounded_zero(padded, (size_t)(f->channels * f->plane) * size);
    for (int64_t c = 0; c < f->channels; c++)
        for (int64_t i = 0; i < f->h && !interrupt_stop(); i++)
            memcpy(padded + (size_t)(c * f->plane + (i + f->top) * f->pitch + f->left) * size,
                   x + (size_t)((c * f->h + i) * f->w) * size, (size_t)f->w * size);
}

/* Channels c0 .. c0 + count - 1 of row i of an image as pixels of `channels` numbers. */
static void turn_row(const struct frame *f, size_t size, int64_t channels, int64_t c0, int64_t count,
                     int64_t i, const char *x, char *turned)
{
    int64_t to = ((i + f->top) * f->pitch + f->left) * channels + c0, from = (c0 * f->h + i) * f->w;
    if (size == sizeof(float)) {
        loops->winograd->transpose(count, f->w, (const float *)x + from, f->h * f->w, (float *)turned + to,
                                   channels);
        return;
    }
    for (int64_t j = 0; j < f->w; j++)
        for (int64_t c = 0; c < count; c++)
            ((double *)turned)[to + j * channels + c] = ((const double *)x)[from + c * f->h * f->w + j];
}

/* The padded image of each group with its channels contiguous: turned[group][pixel][c]. */
static void turn_image(const struct conv *s, const struct geometry *g, const char *x, char *turned)
{
    const struct frame *f = &g->frame;
    if (f->plane != f->h * f->w) memset(turned, 0, (size_t)(f->channels * f->plane) * g->size);
    for (int64_t group = 0; group < s->groups; group++) {
        for (int64_t c = 0; c < g->cg; c += 16)
            for (int64_t i = 0; i < f->h; i++)
                turn_row(f, g->size, g->cg, c, g->cg - c < 16 ? g->cg - c : 16, i, x, turned);
        x += (size_t)(g->cg * f->h * f->w) * g->size;
        turned += (size_t)(g->cg * f->plane) * g->size;
    }
}

/* Rows `pitch` apart to dense rows of w. */
static void narrow_image(const char *wide, int64_t channels, int64_t length, int64_t pitch, int64_t h,
                         int64_t w, size_t size, char *out)
{
    for (int64_t c = 0; c < channels; c++)
        for (int64_t i = 0; i < h && !interrupt_stop(); i++)
            memcpy(out + (size_t)((c * h + i) * w) * size, wide + (size_t)(c * length + i * pitch) * size,
                   (size_t)w * size);
}

/* y of one image from x and w, or dx from dy and the swapped w: `rows` channels of h x w pixels from `depth`
 * shifted planes. */
static void planes_product(struct conv_job *job, int64_t image, char *lane)
{
    const struct conv *s = job->s;
    const struct geometry *g = &job->g;
    const struct frame *f = &g->frame;
    int back = job->kind == CONV_INPUT_GRADIENT;
    int64_t rows = back ? g->cg : g->og, inner = back ? g->og : g->cg, h = back ? s->h : s->oh,
            w = back ? s->w : s->ow;
    size_t size = g->size;
    const char *in = job->a + (size_t)(image * f->channels * f->h * f->w) * size, *source = in;
    char *out = job->out + (size_t)(image * rows * s->groups * h * w) * size,
         *wide = lane + round_up((size_t)(f->channels * f->plane) * size);
    if (f->plane != f->h * f->w) {
        pad_image(f, size, in, lane);
        source = lane;
    }
    if (f->pitch == w) wide = out; /* nothing to drop */
    for (int64_t group = 0; group < s->groups; group++)
        bounded_product(s->dtype, rows, g->length, g->depth,
                        (back ? job->weights : job->b) + (size_t)(group * rows * g->depth) * size, g->depth,
                        1, source + (size_t)(group * inner * f->plane) * size, job->offsets, 0,
                        wide + (size_t)(group * rows * g->length) * size, g->length, 0);
    if (wide != out) narrow_image(wide, rows * s->groups, g->length, f->pitch, h, w, size, out);
    conv_finish_rows(s, job->out, image, rows * s->groups, h, w, 0, h);
}

/* dw[tap][o][c] += sum over pixels of dy[o][pixel] turned[pixel + tap][c]. */
static void planes_weights(struct conv_job *job, int64_t image, char *lane, char *accumulator, int first)
{
    const struct conv *s = job->s;
    const struct geometry *g = &job->g;
    const struct frame *f = &g->frame;
    turn_image(s, g, job->a + (size_t)(image * s->c * s->h * s->w) * g->size, lane);
    for (int64_t group = 0; group < s->groups; group++)
        for (int64_t tap = 0; tap < g->taps; tap++) {
            int64_t shift = (tap / s->kw * s->dh * f->pitch + tap % s->kw * s->dw) * g->cg;
            bounded_product(
                s->dtype, g->og, g->cg, g->pixels,
                job->b + (size_t)((image * s->o + group * g->og) * g->pixels) * g->size, g->pixels, 1,
                lane + (size_t)(group * g->cg * f->plane + shift) * g->size, job->offsets, 0,
                accumulator + (size_t)((tap * s->o + group * g->og) * g->cg) * g->size, g->cg, !first);
        }
}

static void planes_image(struct conv_job *job, int64_t image, char *lane, char *accumulator, int first)
{
    if (job->kind == CONV_WEIGHT_GRADIENT)
        planes_weights(job, image, lane, accumulator, first);
    else
        planes_product(job, image, lane);
}

/* ---- columns: col[(c, tap)][image, pixel] of one group ---- */

#define COLUMN_LOOP(BODY)                                                                                    \
    for (int64_t c = 0; c < g->cg; c++)                                                                      \
        for (int64_t tap = 0; tap < g->taps; tap++)                                                          \
            for (int64_t m = 0; m < images; m++)                                                             \
                for (int64_t i = 0; i < s->oh && !interrupt_stop(); i++) {                                   \
                    int64_t row = i * s->sh - s->ph + tap / s->kw * s->dh,                                   \
                            left = tap % s->kw * s->dw - s->pw;                                              \
                    T *col = (T *)columns + ((c * g->taps + tap) * images + m) * g->pixels + i * s->ow;      \
                    int inside = row >= 0 && row < s->h;                                                     \
                    T *x = (T *)(uintptr_t)image + (m * s->c + c) * s->h * s->w + (inside ? row * s->w : 0); \
                    for (int64_t j = 0; j < s->ow; j++) {                                                    \
                        int64_t at = j * s->sw + left;                                                       \
                        int valid = inside && at >= 0 && at < s->w;                                          \
                        BODY;                                                                                \
                    }                                                                                        \
                }

static void to_columns(const struct conv *s, const struct geometry *g, int64_t images, const char *image,
                       char *columns)
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

static void add_columns(const struct conv *s, const struct geometry *g, int64_t images, const char *columns,
                        char *image)
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
static void gather_pixels(const struct conv *s, const struct geometry *g, int64_t images, const char *y,
                          char *matrix)
{
    for (int64_t m = 0; m < images; m++)
        for (int64_t o = 0; o < g->og && !interrupt_stop(); o++)
            memcpy(matrix + (size_t)((o * images + m) * g->pixels) * g->size,
                   y + (size_t)((m * s->o + o) * g->pixels) * g->size, (size_t)g->pixels * g->size);
}

static void scatter_pixels(const struct conv *s, const struct geometry *g, int64_t images, const char *matrix,
                           char *y)
{
    for (int64_t m = 0; m < images; m++)
        for (int64_t o = 0; o < g->og && !interrupt_stop(); o++)
            memcpy(y + (size_t)((m * s->o + o) * g->pixels) * g->size,
                   matrix + (size_t)((o * images + m) * g->pixels) * g->size, (size_t)g->pixels * g->size);
}

static void columns_images(struct conv_job *job, int64_t image, int64_t images, char *lane, char *accumulator,
                           int first)
{
    const struct conv *s = job->s;
    const struct geometry *g = &job->g;
    int64_t rows = g->cg * g->taps, pixels = images * g->pixels;
    char *columns = lane, *matrix = lane + round_up((size_t)(rows * g->images * g->pixels) * g->size);
    size_t x_image = (size_t)(image * s->c * s->h * s->w) * g->size,
           y_image = (size_t)(image * s->o * g->pixels) * g->size;
    if (job->kind == CONV_INPUT_GRADIENT)
        memset(job->out + x_image, 0, (size_t)(images * s->c * s->h * s->w) * g->size);
    for (int64_t group = 0; group < s->groups; group++) {
        size_t x_at = x_image + (size_t)(group * g->cg * s->h * s->w) * g->size;
        size_t y_at = y_image + (size_t)(group * g->og * g->pixels) * g->size,
               w_at = (size_t)(group * g->og * rows) * g->size;
        if (job->kind == CONV_FORWARD) {
            to_columns(s, g, images, job->a + x_at, columns);
            gemm(s->dtype, 0, 0, g->og, pixels, rows, 1, job->b + w_at, rows, columns, pixels, 0, matrix,
                 pixels);
            scatter_pixels(s, g, images, matrix, job->out + y_at);
        } else if (job->kind == CONV_INPUT_GRADIENT) {
            gather_pixels(s, g, images, job->a + y_at, matrix);
            gemm(s->dtype, 1, 0, rows, pixels, g->og, 1, job->b + w_at, rows, matrix, pixels, 0, columns,
                 pixels);
            add_columns(s, g, images, columns, job->out + x_at);
        } else {
            to_columns(s, g, images, job->a + x_at, columns);
            gather_pixels(s, g, images, job->b + y_at, matrix);
            gemm(s->dtype, 0, 1, g->og, rows, pixels, 1, matrix, pixels, columns, pixels, !first,
                 accumulator + w_at, rows);
        }
    }
}

/* ---- tasks ---- */

/* From dw[tap][o][c] to dw[o][c][tap]. */
static void gather_taps(const struct conv *s, const struct geometry *g, const char *from, char *to)
{
    int64_t n = s->o * g->cg;
    for (int64_t oc = 0; oc < n; oc++)
        for (int64_t tap = 0; tap < g->taps; tap++) {
            if (s->dtype == FLOAT32)
                ((float *)to)[oc * g->taps + tap] = ((const float *)from)[tap * n + oc];
            else
                ((double *)to)[oc * g->taps + tap] = ((const double *)from)[tap * n + oc];
        }
}

static void finish_images(const struct conv_job *job, int64_t image, int64_t images)
{
    const struct conv *s = job->s;
    int back = job->kind == CONV_INPUT_GRADIENT;
    for (int64_t i = image; i < image + images; i++)
        conv_finish_rows(s, job->out, i, back ? s->c : s->o, back ? s->h : s->oh, back ? s->w : s->ow, 0,
                         back ? s->h : s->oh);
}

static void run_images(struct conv_job *job, int64_t first, int64_t end, char *lane, char *accumulator)
{
    const struct geometry *g = &job->g;
    for (int64_t image = first; image < end && !interrupt_stop(); image += g->images) {
        if (g->planes)
            planes_image(job, image, lane, accumulator, image == first);
        else
            columns_images(job, image, end - image < g->images ? end - image : g->images, lane, accumulator,
                           image == first);
        if (!g->planes && job->kind != CONV_WEIGHT_GRADIENT)
            finish_images(job, image, end - image < g->images ? end - image : g->images);
    }
}

static void conv_lane(void *context, int64_t index)
{
    struct conv_job *job = context;
    const struct geometry *g = &job->g;
    char *lane = job->lanes + (size_t)index * g->lane;
    for (int64_t task; (task = atomic_fetch_add(&job->next, 1)) < g->tasks && !interrupt_stop();) {
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
    const void *parts[CONV_CHUNKS];
    double ones[CONV_CHUNKS];
    for (int64_t task = 1; task < g->tasks; task++) {
        parts[task - 1] = job->weights + (size_t)task * g->weights;
        ones[task - 1] = 1;
    }
    loops->combine[job->s->dtype](n, job->weights, (int)g->tasks - 1, ones, parts, job->weights);
    if (g->planes)
        gather_taps(job->s, g, job->weights, job->out);
    else
        memcpy(job->out, job->weights, (size_t)n * g->size);
}

void conv_run(const struct conv *s, enum conv_kind kind, const void *a, const void *b, void *out,
              void *scratch)
{
    struct conv_job job = {
        .s = s, .g = geometry(s, kind), .kind = kind, .a = a, .b = b, .out = out, .offsets = scratch};
    const struct geometry *g = &job.g;
    int64_t out_numel = kind == CONV_FORWARD          ? s->n * s->o * s->oh * s->ow
                        : kind == CONV_INPUT_GRADIENT ? s->n * s->c * s->h * s->w
                                                      : s->o * g->cg * g->taps;
    if (s->n == 0 || s->c == 0 || s->o == 0) {
        bounded_zero(out, (size_t)out_numel * g->size);
        return;
    }
    job.weights = (char *)scratch + g->offsets;
    if (conv_dense_fits(s)) {
        conv_dense_run(s, kind, a, b, out, scratch);
        return;
    }
    if (conv_bf16_fits(s)) {
        conv_bf16_run(s, kind, bf16_conv_parts(s->precision), a, b, out, scratch);
        return;
    }
    if (conv_winograd_fits(s)) {
        conv_winograd_run(s, kind, a, b, out, scratch);
        return;
    }
    job.lanes = job.weights + g->weights * (size_t)(kind == CONV_WEIGHT_GRADIENT ? g->tasks : 1);
    if (g->planes) fill_offsets(s, g, kind, job.offsets);
    if (g->planes && kind == CONV_INPUT_GRADIENT) swap_channels(s, g, b, job.weights);
    threads_for(g->lanes, conv_lane, &job);
    if (kind == CONV_WEIGHT_GRADIENT) add_chunks(&job);
}
