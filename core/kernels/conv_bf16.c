#include "kernels/conv_bf16.h"

#include <string.h>

#include "base/tuning.h"
#include "kernels/bf16.h"
#include "kernels/blocks.h"
#include "kernels/conv_finish.h"
#include "kernels/conv_tasks.h"
#include "kernels/loops.h"

/* Frames are images in margins: rows of `pitch` positions, of which a result uses the first ow. */
struct bf16_plan {
    const struct conv *s;
    struct conv_pass c;
    int parts;
    int64_t taps, depth, pitch, positions; /* depth: `from` rounded up */
    int64_t plane, steps;                  /* positions of a frame and what loads run over */
    size_t frame, packed, offsets, raw;    /* bytes */
    struct conv_tasks tasks;
};

struct bf16_job {
    struct bf16_plan p;
    bf16_kernel kernel;
    const float *x, *other;
    float *out;
    int64_t *offset;
    char *weights;
};

int conv_bf16_fits(const struct conv *s)
{
    return s->dtype == FLOAT32 && bf16_conv_parts(s->precision) > 0 && s->sh == 1 && s->sw == 1 &&
           s->groups == 1 && s->n > 0 && s->c >= CONV_BF16_LEAST_CHANNELS &&
           s->o >= CONV_BF16_LEAST_CHANNELS && s->oh * s->ow >= CONV_BF16_LEAST_PIXELS &&
           s->h * s->w >= CONV_BF16_LEAST_PIXELS && s->ph <= s->dh * (s->kh - 1) &&
           s->pw <= s->dw * (s->kw - 1);
}

static void bf16_image_result(const void *context, int64_t image, char *lane);
static void bf16_image_gradient(const void *context, int64_t image, int64_t count, char *lane, char *sums,
                                int first);

/* Forward and input gradient: an image as pixels, and packed weights. */
static void plan_result(struct bf16_plan *p)
{
    const struct conv_pass *c = &p->c;
    int64_t rows = p->taps * p->depth;
    p->steps = rows / BF16_DEPTH;
    p->frame = blocks_bytes(p->parts * p->plane * p->depth, sizeof(uint16_t));
    p->raw = blocks_bytes(rows * c->to, sizeof(float));
    p->tasks.weights = blocks_bytes(bf16_packed_size(p->parts, rows, c->to), sizeof(uint16_t));
    p->tasks.lane = p->frame + blocks_bytes(p->positions * c->to, sizeof(float));
}

/* Weight gradient: an image in planes, the cotangent in rows of the frame's pitch and packed. */
static void plan_gradient(struct bf16_plan *p)
{
    const struct conv_pass *c = &p->c;
    p->steps = blocks_of(p->positions, BF16_DEPTH);
    p->frame = blocks_bytes(p->parts * blocks_up(c->from, BF16_ROWS) * p->plane, sizeof(uint16_t));
    p->packed = blocks_bytes(bf16_packed_size(p->parts, p->positions, c->to), sizeof(uint16_t));
    p->tasks.weights = blocks_bytes(p->taps * c->from * c->to, sizeof(float));
    p->tasks.lane = p->frame + p->packed + blocks_bytes(c->to * p->positions, sizeof(float));
    if (p->tasks.lane < p->tasks.weights) p->tasks.lane = p->tasks.weights; /* finish_weights */
}

static struct bf16_plan plan_bf16(const struct conv *s, enum conv_kind kind, int parts)
{
    struct bf16_plan p = {.s = s, .c = conv_pass_of(s, kind), .parts = parts, .taps = s->kh * s->kw};
    const struct conv_pass *c = &p.c;
    int64_t chunks = s->n < CONV_CHUNK_IMAGES ? 1 : s->n / CONV_CHUNK_IMAGES;
    int64_t framed = (c->h + 2 * c->ph) * (c->w + 2 * c->pw);
    p.depth = blocks_up(c->from, BF16_DEPTH);
    p.pitch = c->w + 2 * c->pw;
    p.positions = (c->oh - 1) * p.pitch + c->ow;
    p.plane =
        blocks_up(p.positions, BF16_DEPTH) + (s->kh - 1) * s->dh * p.pitch + (s->kw - 1) * s->dw + BF16_ROWS;
    if (p.plane < framed) p.plane = framed;
    if (kind == CONV_WEIGHT_GRADIENT)
        plan_gradient(&p);
    else
        plan_result(&p);
    p.offsets = blocks_bytes(p.steps, sizeof(int64_t));
    p.tasks.at_once = 1;
    p.tasks.result = bf16_image_result;
    p.tasks.gradient = bf16_image_gradient;
    conv_tasks_share(&p.tasks, s, kind, kind == CONV_WEIGHT_GRADIENT ? chunks : s->n);
    return p;
}

size_t conv_bf16_parts_scratch(const struct conv *s, enum conv_kind kind, int parts)
{
    struct bf16_plan p = plan_bf16(s, kind, parts);
    return p.offsets + p.raw + conv_tasks_bytes(&p.tasks);
}

size_t conv_bf16_scratch(const struct conv *s, enum conv_kind kind)
{
    return conv_bf16_parts_scratch(s, kind, bf16_conv_parts(s->precision));
}

static int64_t shift_of(const struct bf16_plan *p, int64_t tap)
{
    return tap / p->s->kw * p->s->dh * p->pitch + tap % p->s->kw * p->s->dw;
}

/* Weights as rows (tap, from) of `to` numbers, packed. The input gradient's are mirrored. */
static void pack_weights(const struct bf16_job *j, const float *w, float *raw)
{
    const struct bf16_plan *p = &j->p;
    memset(raw, 0, (size_t)(p->taps * p->depth * p->c.to) * sizeof *raw);
    for (int64_t tap = 0; tap < p->taps; tap++)
        for (int64_t c = 0; c < p->c.from; c++)
            for (int64_t o = 0; o < p->c.to; o++)
                raw[(tap * p->depth + c) * p->c.to + o] =
                    p->tasks.kind == CONV_INPUT_GRADIENT ? w[(c * p->c.to + o) * p->taps + p->taps - 1 - tap]
                                                         : w[(o * p->c.from + c) * p->taps + tap];
    bf16_pack(p->parts, p->taps * p->depth, p->c.to, raw, p->c.to, 1, (uint16_t *)j->weights);
    for (int64_t step = 0; step < p->steps; step++) {
        int64_t k = step * BF16_DEPTH;
        j->offset[step] = shift_of(p, k / p->depth) * p->depth + k % p->depth;
    }
}

/* results[position][to] of one image, then out in planes. */
static void bf16_image_result(const void *context, int64_t image, char *lane)
{
    const struct bf16_job *j = context;
    const struct bf16_plan *p = &j->p;
    uint16_t *frame = (uint16_t *)lane;
    float *results = (float *)(lane + p->frame);
    const float *x = j->x + image * p->c.from * p->c.h * p->c.w;
    int64_t part = p->plane * p->depth;
    memset(frame, 0, (size_t)(p->parts * part) * sizeof *frame);
    for (int64_t i = 0; i < p->c.h; i++)
        for (int64_t k = 0; k < p->c.w; k++)
            bf16_split(p->parts, p->c.from, x + i * p->c.w + k, p->c.h * p->c.w,
                       frame + ((i + p->c.ph) * p->pitch + k + p->c.pw) * p->depth, part);
    bf16_product(j->kernel, p->parts, p->positions, p->c.to, p->steps, frame, p->depth, part, j->offset,
                 (const uint16_t *)j->weights, results, p->c.to, 0);
    for (int64_t i = 0; i < p->c.oh; i++)
        loops->winograd->transpose(p->c.ow, p->c.to, results + i * p->pitch * p->c.to, p->c.to,
                                   j->out + (image * p->c.to * p->c.oh + i) * p->c.ow, p->c.oh * p->c.ow);
    conv_finish_rows(p->s, &p->c, j->out, image, 0, p->c.oh);
}

/* sums[tap][from][to] += over positions. */
static void bf16_image_gradient(const void *context, int64_t image, int64_t count, char *lane, char *sums,
                                int first)
{
    (void)count; /* 1 */
    const struct bf16_job *j = context;
    const struct bf16_plan *p = &j->p;
    uint16_t *frame = (uint16_t *)lane, *packed = (uint16_t *)(lane + p->frame);
    float *wide = (float *)(lane + p->frame + p->packed);
    const float *x = j->x + image * p->c.from * p->c.h * p->c.w,
                *dy = j->other + image * p->c.to * p->c.oh * p->c.ow;
    int64_t part = blocks_up(p->c.from, BF16_ROWS) * p->plane;
    memset(frame, 0, (size_t)(p->parts * part) * sizeof *frame);
    for (int64_t c = 0; c < p->c.from; c++)
        for (int64_t i = 0; i < p->c.h; i++)
            bf16_split(p->parts, p->c.w, x + (c * p->c.h + i) * p->c.w, 1,
                       frame + c * p->plane + (i + p->c.ph) * p->pitch + p->c.pw, part);
    memset(wide, 0, (size_t)(p->c.to * p->positions) * sizeof *wide);
    for (int64_t o = 0; o < p->c.to; o++)
        for (int64_t i = 0; i < p->c.oh; i++)
            memcpy(wide + o * p->positions + i * p->pitch, dy + (o * p->c.oh + i) * p->c.ow,
                   (size_t)p->c.ow * sizeof *wide);
    bf16_pack(p->parts, p->positions, p->c.to, wide, 1, p->positions, packed);
    for (int64_t tap = 0; tap < p->taps; tap++)
        bf16_product(j->kernel, p->parts, p->c.from, p->c.to, p->steps, frame + shift_of(p, tap), p->plane,
                     part, j->offset, packed, (float *)sums + tap * p->c.from * p->c.to, p->c.to, !first);
}

/* dw[to][from][tap] from the sums of the chunks, added in order. */
static void finish_weights(const struct bf16_job *j)
{
    const struct bf16_plan *p = &j->p;
    float *turned = (float *)conv_tasks_lanes(&p->tasks, j->weights);
    conv_tasks_sum(&p->tasks, FLOAT32, p->taps * p->c.from * p->c.to, j->weights);
    loops->winograd->transpose(p->taps * p->c.from, p->c.to, (const float *)j->weights, p->c.to, turned,
                               p->taps * p->c.from);
    for (int64_t o = 0; o < p->c.to; o++) /* [to][tap][from] to [to][from][tap] */
        loops->winograd->transpose(p->taps, p->c.from, turned + o * p->taps * p->c.from, p->c.from,
                                   j->out + o * p->taps * p->c.from, p->taps);
}

void conv_bf16_parts_run(const struct conv *s, enum conv_kind kind, int parts, const void *a, const void *b,
                         void *out, void *scratch)
{
    struct bf16_job j = {.p = plan_bf16(s, kind, parts),
                         .kernel = loops->bf16 ? loops->bf16 : bf16_block_plain,
                         .x = a,
                         .out = out,
                         .offset = scratch};
    const struct bf16_plan *p = &j.p;
    char *raw = (char *)scratch + p->offsets;
    j.weights = raw + p->raw;
    if (kind == CONV_WEIGHT_GRADIENT) {
        j.other = b;
        for (int64_t step = 0; step < p->steps; step++) j.offset[step] = step * BF16_DEPTH;
    } else {
        pack_weights(&j, b, (float *)raw);
    }
    conv_tasks_run(&p->tasks, &j, j.weights);
    if (kind == CONV_WEIGHT_GRADIENT) finish_weights(&j);
}

void conv_bf16_run(const struct conv *s, enum conv_kind kind, const void *a, const void *b, void *out,
                   void *scratch)
{
    conv_bf16_parts_run(s, kind, bf16_conv_parts(s->precision), a, b, out, scratch);
}
