#include "kernels/conv_planes.h"

#include <string.h>

#include "base/interrupt.h"
#include "base/tuning.h"
#include "kernels/blocks.h"
#include "kernels/bounded.h"
#include "kernels/conv_finish.h"
#include "kernels/conv_tasks.h"
#include "kernels/loops.h"

/* Images lie inside zero margins: rows `pitch` apart, channels `plane` apart. */
struct planes_plan {
    const struct conv *s;
    struct conv_pass c;
    int64_t from, to, taps; /* channels of a group; places of the kernel */
    int64_t top, left, pitch, plane;
    int64_t length, depth; /* used length of rows of the result; length of the sums */
    size_t size, offsets;  /* bytes of an element, of the offsets */
    struct conv_tasks tasks;
};

struct planes_job {
    struct planes_plan p;
    const char *a, *b;
    char *out, *weights;
    int64_t *offsets;
};

int conv_planes_fits(const struct conv *s)
{
    return s->sh == 1 && s->sw == 1 && s->oh * s->ow >= CONV_PLANES_LEAST_PIXELS;
}

static void planes_image_result(const void *context, int64_t image, char *lane);
static void planes_image_gradient(const void *context, int64_t image, int64_t count, char *lane, char *sums,
                                  int first);

/* dx(i, j) needs dy(i + ph - a dh, j + pw - b dw), so dy gets margins where that is outside. */
static struct planes_plan plan_planes(const struct conv *s, enum conv_kind kind)
{
    struct planes_plan p = {
        .s = s, .c = conv_pass_of(s, kind), .taps = s->kh * s->kw, .size = dtype_size(s->dtype)};
    const struct conv_pass *c = &p.c;
    p.from = c->from / s->groups;
    p.to = c->to / s->groups;
    p.top = c->ph > 0 ? c->ph : 0;
    p.left = c->pw > 0 ? c->pw : 0;
    p.pitch = c->w + 2 * p.left;
    p.plane = (c->h + 2 * p.top) * p.pitch;
    p.length = (c->oh - 1) * p.pitch + c->ow;
    p.depth = kind == CONV_WEIGHT_GRADIENT ? c->oh * c->ow : p.from * p.taps;
    p.offsets = blocks_bytes(p.depth, sizeof(int64_t));
    p.tasks = (struct conv_tasks){.at_once = 1,
                                  .weights = blocks_bytes(p.from * c->to * p.taps, p.size),
                                  .lane = blocks_bytes(c->from * p.plane, p.size) +
                                          blocks_bytes(c->to * p.length, p.size),
                                  .result = planes_image_result,
                                  .gradient = planes_image_gradient};
    conv_tasks_share(&p.tasks, s, kind, s->n);
    return p;
}

size_t conv_planes_scratch(const struct conv *s, enum conv_kind kind)
{
    struct planes_plan p = plan_planes(s, kind);
    return p.offsets + conv_tasks_bytes(&p.tasks);
}

/* Where row k of the right operand starts. */
static void fill_offsets(const struct planes_plan *p, int64_t *offset)
{
    const struct conv *s = p->s;
    int back = p->tasks.kind == CONV_INPUT_GRADIENT;
    for (int64_t k = 0; k < p->depth; k++) {
        int64_t a = k % p->taps / s->kw * s->dh, b = k % s->kw * s->dw;
        int64_t shift = back ? (s->ph - a + p->top) * p->pitch + s->pw - b + p->left : a * p->pitch + b;
        offset[k] = k / p->taps * p->plane + shift;
    }
}

static void fill_pixel_offsets(const struct planes_plan *p, int64_t *offset)
{
    for (int64_t k = 0; k < p->depth; k++) offset[k] = (k / p->c.ow * p->pitch + k % p->c.ow) * p->from;
}

/* w[o][c][tap] of each group as w[c][o][tap], for the input gradient. */
static void swap_channels(const struct planes_plan *p, const char *w, char *swapped)
{
    size_t run = (size_t)p->taps * p->size;
    for (int64_t group = 0; group < p->s->groups; group++)
        for (int64_t o = 0; o < p->from; o++)
            for (int64_t c = 0; c < p->to; c++)
                memcpy(swapped + (size_t)((group * p->to + c) * p->from + o) * run,
                       w + (size_t)((group * p->from + o) * p->to + c) * run, run);
}

static void pad_image(const struct planes_plan *p, const char *x, char *padded)
{
    const struct conv_pass *c = &p->c;
    bounded_zero(padded, (size_t)(c->from * p->plane) * p->size);
    for (int64_t k = 0; k < c->from; k++)
        for (int64_t i = 0; i < c->h && !interrupt_stop(); i++)
            memcpy(padded + (size_t)(k * p->plane + (i + p->top) * p->pitch + p->left) * p->size,
                   x + (size_t)((k * c->h + i) * c->w) * p->size, (size_t)c->w * p->size);
}

/* Channels k0 .. k0 + count - 1 of row i of a group's image as pixels of all its channels. */
static void turn_row(const struct planes_plan *p, int64_t k0, int64_t count, int64_t i, const char *x,
                     char *turned)
{
    int64_t h = p->c.h, w = p->c.w, channels = p->from;
    int64_t to = ((i + p->top) * p->pitch + p->left) * channels + k0, from = (k0 * h + i) * w;
    if (p->size == sizeof(float)) {
        loops->winograd->transpose(count, w, (const float *)x + from, h * w, (float *)turned + to, channels);
        return;
    }
    for (int64_t j = 0; j < w; j++)
        for (int64_t k = 0; k < count; k++)
            ((double *)turned)[to + j * channels + k] = ((const double *)x)[from + k * h * w + j];
}

/* The padded image of each group with its channels contiguous: turned[group][pixel][channel]. */
static void turn_image(const struct planes_plan *p, const char *x, char *turned)
{
    const struct conv_pass *c = &p->c;
    if (p->plane != c->h * c->w) memset(turned, 0, (size_t)(c->from * p->plane) * p->size);
    for (int64_t group = 0; group < p->s->groups; group++) {
        for (int64_t k = 0; k < p->from; k += 16)
            for (int64_t i = 0; i < c->h; i++)
                turn_row(p, k, p->from - k < 16 ? p->from - k : 16, i, x, turned);
        x += (size_t)(p->from * c->h * c->w) * p->size;
        turned += (size_t)(p->from * p->plane) * p->size;
    }
}

/* Rows `pitch` apart to dense ones. */
static void narrow_image(const struct planes_plan *p, const char *wide, char *out)
{
    const struct conv_pass *c = &p->c;
    for (int64_t k = 0; k < c->to; k++)
        for (int64_t i = 0; i < c->oh && !interrupt_stop(); i++)
            memcpy(out + (size_t)((k * c->oh + i) * c->ow) * p->size,
                   wide + (size_t)(k * p->length + i * p->pitch) * p->size, (size_t)c->ow * p->size);
}

/* y of one image from x and w, or dx from dy and the swapped w: `to` channels from `depth` shifted planes. */
static void planes_image_result(const void *context, int64_t image, char *lane)
{
    const struct planes_job *j = context;
    const struct planes_plan *p = &j->p;
    const struct conv_pass *c = &p->c;
    const char *in = j->a + (size_t)(image * c->from * c->h * c->w) * p->size, *source = in;
    char *out = j->out + (size_t)(image * c->to * c->oh * c->ow) * p->size,
         *wide = lane + blocks_bytes(c->from * p->plane, p->size);
    if (p->plane != c->h * c->w) {
        pad_image(p, in, lane);
        source = lane;
    }
    if (p->pitch == c->ow) wide = out; /* nothing to drop */
    for (int64_t group = 0; group < p->s->groups; group++)
        bounded_product(p->s->dtype, p->to, p->length, p->depth,
                        (p->tasks.kind == CONV_FORWARD ? j->b : j->weights) +
                            (size_t)(group * p->to * p->depth) * p->size,
                        p->depth, 1, source + (size_t)(group * p->from * p->plane) * p->size, j->offsets, 0,
                        wide + (size_t)(group * p->to * p->length) * p->size, p->length, 0);
    if (wide != out) narrow_image(p, wide, out);
    conv_finish_rows(p->s, c, j->out, image, 0, c->oh);
}

/* dw[tap][o][c] += sum over pixels of dy[o][pixel] turned[pixel + tap][c]. */
static void planes_image_gradient(const void *context, int64_t image, int64_t count, char *lane, char *sums,
                                  int first)
{
    (void)count; /* 1 */
    const struct planes_job *j = context;
    const struct planes_plan *p = &j->p;
    const struct conv *s = p->s;
    turn_image(p, j->a + (size_t)(image * s->c * s->h * s->w) * p->size, lane);
    for (int64_t group = 0; group < s->groups; group++)
        for (int64_t tap = 0; tap < p->taps; tap++) {
            int64_t shift = (tap / s->kw * s->dh * p->pitch + tap % s->kw * s->dw) * p->from;
            bounded_product(s->dtype, p->to, p->from, p->depth,
                            j->b + (size_t)((image * s->o + group * p->to) * p->depth) * p->size, p->depth, 1,
                            lane + (size_t)(group * p->from * p->plane + shift) * p->size, j->offsets, 0,
                            sums + (size_t)((tap * s->o + group * p->to) * p->from) * p->size, p->from,
                            !first);
        }
}

/* From dw[tap][o][c] to dw[o][c][tap]. */
static void gather_taps(const struct planes_plan *p, const char *from, char *to)
{
    int64_t n = p->s->o * p->from;
    for (int64_t oc = 0; oc < n; oc++)
        for (int64_t tap = 0; tap < p->taps; tap++) {
            if (p->s->dtype == FLOAT32)
                ((float *)to)[oc * p->taps + tap] = ((const float *)from)[tap * n + oc];
            else
                ((double *)to)[oc * p->taps + tap] = ((const double *)from)[tap * n + oc];
        }
}

void conv_planes_run(const struct conv *s, enum conv_kind kind, const void *a, const void *b, void *out,
                     void *scratch)
{
    struct planes_job j = {.p = plan_planes(s, kind), .a = a, .b = b, .out = out, .offsets = scratch};
    const struct planes_plan *p = &j.p;
    j.weights = (char *)scratch + p->offsets;
    if (kind == CONV_WEIGHT_GRADIENT)
        fill_pixel_offsets(p, j.offsets);
    else
        fill_offsets(p, j.offsets);
    if (kind == CONV_INPUT_GRADIENT) swap_channels(p, b, j.weights);
    conv_tasks_run(&p->tasks, &j, j.weights);
    if (kind != CONV_WEIGHT_GRADIENT) return;
    conv_tasks_sum(&p->tasks, s->dtype, s->o * p->from * p->taps, j.weights);
    gather_taps(p, j.weights, out);
}
