#include "kernels/conv_planes.h"

#include <string.h>

#include "base/interrupt.h"
#include "base/tuning.h"
#include "kernels/blocks.h"
#include "kernels/bounded.h"
#include "kernels/conv_finish.h"
#include "kernels/conv_tasks.h"
#include "kernels/loops.h"

/* Images lie inside zero margins. A stride splits them: a tap reads one of stride x stride subgrids, the one
 * that the tap after `period` others reads as well, one row or column further on. Forward it is the image
 * that is split, into planes for those that are read; back it is the result, into parts. */
struct planes_axis {
    int64_t stride, dilation, taps, padding, period;
    int64_t margin, skip, phases, size; /* of what is read: margin in front, distance of the numbers of a
                                           plane, planes, and their rows or columns */
    int64_t parts, length;              /* of the result */
    int64_t runs;                       /* of taps whose numbers follow each other: 0, period, 2 period... */
};

struct planes_plan {
    const struct conv *s;
    struct conv_pass c;
    int back; /* the input gradient */
    struct planes_axis down, across;
    int64_t from, to, taps; /* channels of a group; places of the kernel */
    int64_t plane;          /* numbers of a channel in all its planes */
    int64_t length, depth;  /* used length of rows of the result; length of the sums */
    int64_t parts;          /* of the result */
    int padded, gaps;       /* what is read is not the image itself; parts do not make all of the result */
    size_t size, offsets, image; /* bytes of an element, of the offsets, of an image's planes */
    struct conv_tasks tasks;
};

struct planes_job {
    struct planes_plan p;
    const char *a, *b;
    char *out, *weights;
    int64_t *offsets;
};

int conv_planes_fits(const struct conv *s) { return s->oh * s->ow >= CONV_PLANES_LEAST_PIXELS; }

static void planes_image_result(const void *context, int64_t image, char *lane);
static void planes_image_gradient(const void *context, int64_t image, int64_t count, char *lane, char *sums,
                                  int first);

/* ---- axes ---- */

static int64_t above_zero(int64_t a) { return a > 0 ? a : 0; }

static int64_t common_divisor(int64_t a, int64_t b)
{
    for (int64_t rest; b > 0; b = rest) {
        rest = a % b;
        a = b;
    }
    return a;
}

/* a: stride, dilation, taps and padding are filled in. from, to: lengths of what is read, of the result. */
static void plan_axis(struct planes_axis *a, int back, int64_t from, int64_t to)
{
    int64_t common = common_divisor(a->stride, a->dilation);
    a->period = a->stride / common;
    int64_t kept = a->taps < a->period ? a->taps : a->period;
    a->length = to;
    a->runs = a->dilation == common ? kept : a->taps;
    a->skip = a->phases = a->parts = 1;
    if (back) { /* dx(i) needs dy((i + padding - tap dilation) / stride) */
        a->parts = kept;
        a->margin = above_zero((a->taps - 1) * a->dilation - a->padding) / a->stride;
        a->size = a->margin + from + above_zero((to - 1 + a->padding) / a->stride + 1 - from);
    } else {
        a->phases = kept;
        a->skip = a->stride;
        a->margin = a->padding;
        a->size = blocks_of(from + 2 * a->padding, a->stride);
    }
}

/* What every `step`th tap from `tap` on makes: numbers first, first + stride, ... of the result. */
struct planes_part {
    int64_t tap, step, taps, first, stride, count;
};

static struct planes_part part_of(const struct planes_axis *a, int back, int64_t part)
{
    if (!back) return (struct planes_part){0, 1, a->taps, 0, 1, a->length};
    int64_t first = (part * a->dilation - a->padding) % a->stride;
    if (first < 0) first += a->stride;
    return (struct planes_part){part,  a->period, blocks_of(a->taps - part, a->period),
                                first, a->stride, above_zero(blocks_of(a->length - first, a->stride))};
}

/* The row or column of its plane where the numbers begin that a tap reads; *phase: which plane. */
static int64_t tap_begins(const struct planes_axis *a, int back, int64_t first, int64_t tap, int64_t *phase)
{
    *phase = back ? 0 : tap % a->period;
    return back ? (first + a->padding - tap * a->dilation) / a->stride + a->margin
                : tap * a->dilation / a->stride;
}

/* ---- the plan ---- */

static struct planes_plan plan_planes(const struct conv *s, enum conv_kind kind)
{
    struct planes_plan p = {.s = s,
                            .c = conv_pass_of(s, kind),
                            .back = kind == CONV_INPUT_GRADIENT,
                            .down = {s->sh, s->dh, s->kh, s->ph},
                            .across = {s->sw, s->dw, s->kw, s->pw},
                            .taps = s->kh * s->kw,
                            .size = dtype_size(s->dtype)};
    const struct conv_pass *c = &p.c;
    p.from = c->from / s->groups;
    p.to = c->to / s->groups;
    plan_axis(&p.down, p.back, c->h, c->oh);
    plan_axis(&p.across, p.back, c->w, c->ow);
    p.plane = p.down.phases * p.across.phases * p.down.size * p.across.size;
    p.padded = p.plane != c->h * c->w || p.down.skip > 1 || p.across.skip > 1;
    p.parts = p.down.parts * p.across.parts;
    p.gaps = p.back && p.parts < s->sh * s->sw;
    p.length =
        (blocks_of(c->oh, p.back ? s->sh : 1) - 1) * p.across.size + blocks_of(c->ow, p.back ? s->sw : 1);
    p.depth = kind == CONV_WEIGHT_GRADIENT ? c->oh * c->ow : p.from * p.taps;
    p.offsets = blocks_bytes(p.depth, sizeof(int64_t));
    p.image = blocks_bytes(c->from * p.plane, p.size);
    p.tasks = (struct conv_tasks){
        .at_once = 1,
        .weights = blocks_bytes(p.from * c->to * p.taps, p.size),
        .lane = p.image + (kind == CONV_WEIGHT_GRADIENT ? p.image : blocks_bytes(c->to * p.length, p.size)),
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

/* Rows and columns of part `index`, those of the last axis first; 0: there are no more. */
static int find_part(const struct planes_plan *p, int64_t index, struct planes_part part[2])
{
    part[0] = part_of(&p->down, p->back, index / p->across.parts);
    part[1] = part_of(&p->across, p->back, index % p->across.parts);
    return index < p->parts;
}

/* Where the numbers begin that tap (y, x) reads of a channel. */
static int64_t tap_offset(const struct planes_plan *p, const struct planes_part part[2], int64_t y, int64_t x)
{
    int64_t down, across, row = tap_begins(&p->down, p->back, part[0].first, y, &down),
                          column = tap_begins(&p->across, p->back, part[1].first, x, &across);
    return ((down * p->across.phases + across) * p->down.size + row) * p->across.size + column;
}

/* Where row k of the right operand starts, part by part. */
static void fill_offsets(const struct planes_plan *p, int64_t *offset)
{
    struct planes_part part[2];
    for (int64_t index = 0; find_part(p, index, part); index++)
        for (int64_t k = 0; k < p->from; k++)
            for (int64_t y = part[0].tap; y < p->down.taps; y += part[0].step)
                for (int64_t x = part[1].tap; x < p->across.taps; x += part[1].step)
                    *offset++ = k * p->plane + tap_offset(p, part, y, x);
}

static void fill_pixel_offsets(const struct planes_plan *p, int64_t *offset)
{
    for (int64_t k = 0; k < p->depth; k++) offset[k] = (k / p->c.ow * p->across.size + k % p->c.ow) * p->from;
}

/* ---- numbers on their way ---- */

/* w[o][c][tap] of each group as w[c][o][tap], part by part, for the input gradient. */
static void swap_channels(const struct planes_plan *p, const char *w, char *swapped)
{
    struct planes_part part[2];
    for (int64_t index = 0; find_part(p, index, part); index++)
        for (int64_t to = 0; to < p->c.to; to++)
            for (int64_t o = 0; o < p->from; o++) {
                int64_t at = (to / p->to * p->from + o) * p->to + to % p->to;
                loops->copy[p->s->dtype](
                    part[0].taps, part[1].taps,
                    w + (size_t)(at * p->taps + part[0].tap * p->across.taps + part[1].tap) * p->size,
                    part[0].step * p->across.taps, part[1].step, swapped, part[1].taps, 1);
                swapped += (size_t)(part[0].taps * part[1].taps) * p->size;
            }
}

/* Number k of plane `phase` is number k skip + shift of the image: shift, and the k that are inside. */
struct planes_inside {
    int64_t shift, first, end;
};

static struct planes_inside inside_of(const struct planes_axis *a, int64_t phase, int64_t length)
{
    int64_t shift = phase * a->dilation % a->skip - a->margin, end = blocks_of(length - shift, a->skip);
    return (struct planes_inside){shift, shift < 0 ? blocks_of(-shift, a->skip) : 0,
                                  end < a->size ? end : a->size};
}

static void pad_image(const struct planes_plan *p, const char *x, char *padded)
{
    const struct conv_pass *c = &p->c;
    int64_t across = p->across.phases, plane = p->down.size * p->across.size;
    bounded_zero(padded, (size_t)(c->from * p->plane) * p->size);
    for (int64_t k = 0; k < c->from * p->down.phases * across; k++) {
        struct planes_inside rows = inside_of(&p->down, k / across % p->down.phases, c->h),
                             columns = inside_of(&p->across, k % across, c->w);
        int64_t from = (k / across / p->down.phases * c->h + rows.first * p->down.skip + rows.shift) * c->w +
                       columns.first * p->across.skip + columns.shift,
                to = k * plane + rows.first * p->across.size + columns.first;
        if (interrupt_stop()) return;
        loops->copy[p->s->dtype](rows.end - rows.first, columns.end - columns.first,
                                 x + (size_t)from * p->size, p->down.skip * c->w, p->across.skip,
                                 padded + (size_t)to * p->size, p->across.size, 1);
    }
}

/* Planes of a group with the channels of a pixel side by side. */
static void turn_image(const struct planes_plan *p, const char *planes, char *turned)
{
    for (int64_t k = 0; k < p->from; k += CONV_PLANES_TURNED)
        for (int64_t i = 0; i < p->plane && !interrupt_stop(); i += CONV_PLANES_TURNED) {
            int64_t rows = p->from - k < CONV_PLANES_TURNED ? p->from - k : CONV_PLANES_TURNED,
                    columns = p->plane - i < CONV_PLANES_TURNED ? p->plane - i : CONV_PLANES_TURNED;
            const char *from = planes + (size_t)(k * p->plane + i) * p->size;
            char *to = turned + (size_t)(i * p->from + k) * p->size;
            if (p->size == sizeof(float))
                loops->winograd->transpose(rows, columns, (const float *)from, p->plane, (float *)to,
                                           p->from);
            else
                loops->copy[FLOAT64](columns, rows, from, 1, p->plane, to, p->from, 1);
        }
}

/* A part of the result, in rows as wide as those of a plane, to its places. */
static void spread_part(const struct planes_plan *p, const struct planes_part part[2], int64_t length,
                        const char *wide, char *out)
{
    const struct conv_pass *c = &p->c;
    for (int64_t k = 0; k < c->to && !interrupt_stop(); k++) {
        int64_t to = (k * c->oh + part[0].first) * c->ow + part[1].first;
        loops->copy[p->s->dtype](part[0].count, part[1].count, wide + (size_t)(k * length) * p->size,
                                 p->across.size, 1, out + (size_t)to * p->size, part[0].stride * c->ow,
                                 part[1].stride);
    }
}

/* ---- images ---- */

/* `to` channels of a part, of all groups, from shifted planes. */
static void part_result(const struct planes_plan *p, const struct planes_part part[2], const char *planes,
                        const char *weights, const int64_t *offsets, char *wide, char *out)
{
    int64_t depth = p->from * part[0].taps * part[1].taps,
            length = (part[0].count - 1) * p->across.size + part[1].count;
    if (part[0].count == 0 || part[1].count == 0) return;
    if (p->across.size == p->c.ow && part[0].stride == 1 && part[1].stride == 1)
        wide = out; /* nothing to drop */
    for (int64_t group = 0; group < p->s->groups; group++)
        bounded_product(p->s->dtype, p->to, length, depth,
                        weights + (size_t)(group * p->to * depth) * p->size, depth, 1,
                        planes + (size_t)(group * p->from * p->plane) * p->size, offsets, 0,
                        wide + (size_t)(group * p->to * length) * p->size, length, 0);
    if (wide != out) spread_part(p, part, length, wide, out);
}

/* y of one image from x and w, or dx from dy and the swapped w. */
static void planes_image_result(const void *context, int64_t image, char *lane)
{
    const struct planes_job *j = context;
    const struct planes_plan *p = &j->p;
    const struct conv_pass *c = &p->c;
    const char *planes = j->a + (size_t)(image * c->from * c->h * c->w) * p->size,
               *weights = p->back ? j->weights : j->b;
    const int64_t *offsets = j->offsets;
    size_t bytes = (size_t)(c->to * c->oh * c->ow) * p->size;
    char *out = j->out + (size_t)image * bytes;
    struct planes_part part[2];
    if (p->padded) {
        pad_image(p, planes, lane);
        planes = lane;
    }
    if (p->gaps) memset(out, 0, bytes);
    for (int64_t index = 0; find_part(p, index, part); index++) {
        int64_t depth = p->from * part[0].taps * part[1].taps;
        part_result(p, part, planes, weights, offsets, lane + p->image, out);
        weights += (size_t)(c->to * depth) * p->size;
        offsets += depth;
    }
    conv_finish_rows(p->s, c, j->out, image, 0, c->oh);
}

/* Taps of run `run`, 0 beyond the last one. */
static int64_t run_taps(const struct planes_plan *p, int64_t run)
{
    if (run >= p->down.taps * p->across.runs) return 0;
    return p->across.runs == p->across.taps
               ? 1
               : blocks_of(p->across.taps - run % p->across.runs, p->across.period);
}

/* dw[run][o][tap][c] += sum over pixels of dy[o][pixel] turned[pixel + tap][c]. */
static void planes_image_gradient(const void *context, int64_t image, int64_t count, char *lane, char *sums,
                                  int first)
{
    (void)count; /* 1 */
    const struct planes_job *j = context;
    const struct planes_plan *p = &j->p;
    const struct conv *s = p->s;
    const char *planes = j->a + (size_t)(image * s->c * s->h * s->w) * p->size;
    struct planes_part part[2];
    find_part(p, 0, part);
    if (p->padded) {
        pad_image(p, planes, lane);
        planes = lane;
    }
    for (int64_t group = 0; group < s->groups; group++, planes += (size_t)(p->from * p->plane) * p->size) {
        const char *turned = p->from == 1 ? planes : lane + p->image;
        if (p->from > 1) turn_image(p, planes, lane + p->image);
        for (int64_t run = 0, before = 0, taps; (taps = run_taps(p, run)) > 0; run++, before += taps) {
            int64_t shift = tap_offset(p, part, run / p->across.runs, run % p->across.runs) * p->from,
                    to = (before * s->o + group * p->to * taps) * p->from;
            bounded_product(s->dtype, p->to, taps * p->from, p->depth,
                            j->b + (size_t)((image * s->o + group * p->to) * p->depth) * p->size, p->depth, 1,
                            turned + (size_t)shift * p->size, j->offsets, 0, sums + (size_t)to * p->size,
                            taps * p->from, !first);
        }
    }
}

/* From dw[run][o][tap of the run][c] to dw[o][c][tap]. */
static void gather_taps(const struct planes_plan *p, const char *from, char *to)
{
    for (int64_t run = 0, taps; (taps = run_taps(p, run)) > 0; run++) {
        int64_t tap = run / p->across.runs * p->across.taps + run % p->across.runs;
        for (int64_t o = 0; o < p->s->o; o++, from += (size_t)(taps * p->from) * p->size)
            loops->copy[p->s->dtype](p->from, taps, from, 1, p->from,
                                     to + (size_t)(o * p->from * p->taps + tap) * p->size, p->taps,
                                     p->across.period);
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
