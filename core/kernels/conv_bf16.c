#include "kernels/conv_bf16.h"

#include <stdatomic.h>
#include <string.h>

#include "base/interrupt.h"
#include "base/memory.h"
#include "base/threads.h"
#include "base/tuning.h"
#include "kernels/bf16.h"
#include "kernels/loops.h"

/* A convolution of `from` channels (h x w) into `to` (oh x ow); for the input gradient that of the cotangent.
 * Frames are images in margins: rows of `pitch` positions, of which a result uses the first ow. */
struct plan {
    const struct conv *s;
    enum conv_kind kind;
    int parts;
    int64_t from, to, h, w, oh, ow, ph, pw, taps;
    int64_t depth, pitch, positions, plane, steps, tasks,
        lanes; /* depth: `from` rounded up; plane: positions of a frame and what loads run over */
    size_t frame, packed, results, lane, offsets, raw, weights; /* bytes */
};

static int64_t up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }
static size_t room(size_t bytes) { return (bytes + MEMORY_SLACK + 63) & ~(size_t)63; }

int conv_bf16_fits(const struct conv *s)
{
    return s->dtype == FLOAT32 && bf16_conv_parts(s->precision) > 0 && s->sh == 1 && s->sw == 1 &&
           s->groups == 1 && s->n > 0 && s->c >= CONV_BF16_LEAST_CHANNELS &&
           s->o >= CONV_BF16_LEAST_CHANNELS && s->oh * s->ow >= CONV_BF16_LEAST_PIXELS &&
           s->h * s->w >= CONV_BF16_LEAST_PIXELS && s->ph <= s->dh * (s->kh - 1) &&
           s->pw <= s->dw * (s->kw - 1);
}

static struct plan make_plan(const struct conv *s, enum conv_kind kind, int parts)
{
    int back = kind == CONV_INPUT_GRADIENT;
    struct plan p = {.s = s,
                     .kind = kind,
                     .parts = parts,
                     .from = back ? s->o : s->c,
                     .to = back ? s->c : s->o,
                     .h = back ? s->oh : s->h,
                     .w = back ? s->ow : s->w,
                     .oh = back ? s->h : s->oh,
                     .ow = back ? s->w : s->ow,
                     .taps = s->kh * s->kw};
    p.ph = back ? s->dh * (s->kh - 1) - s->ph : s->ph;
    p.pw = back ? s->dw * (s->kw - 1) - s->pw : s->pw;
    p.depth = up(p.from, BF16_DEPTH);
    p.pitch = p.w + 2 * p.pw;
    p.positions = (p.oh - 1) * p.pitch + p.ow;
    p.plane = up(p.positions, BF16_DEPTH) + (s->kh - 1) * s->dh * p.pitch + (s->kw - 1) * s->dw + BF16_ROWS;
    if (p.plane < (p.h + 2 * p.ph) * p.pitch) p.plane = (p.h + 2 * p.ph) * p.pitch;
    size_t number = sizeof(uint16_t);
    if (kind == CONV_WEIGHT_GRADIENT) {
        p.steps = up(p.positions, BF16_DEPTH) / BF16_DEPTH;
        p.frame = room((size_t)(parts * up(p.from, BF16_ROWS) * p.plane) * number);
        p.packed = room((size_t)bf16_packed_size(parts, p.positions, p.to) * number);
        p.results = room((size_t)(p.to * p.positions) *
                         sizeof(float)); /* the cotangent in rows of the frame's pitch */
        p.weights = room((size_t)(p.taps * p.from * p.to) * sizeof(float));
        p.tasks = s->n / 4 < 1 ? 1 : s->n / 4 > CONV_CHUNKS ? CONV_CHUNKS : s->n / 4;
    } else {
        p.steps = p.taps * p.depth / BF16_DEPTH;
        p.frame = room((size_t)(parts * p.plane * p.depth) * number);
        p.results = room((size_t)(p.positions * p.to) * sizeof(float));
        p.weights = room((size_t)bf16_packed_size(parts, p.taps * p.depth, p.to) * number);
        p.raw = room((size_t)(p.taps * p.depth * p.to) * sizeof(float));
        p.tasks = s->n;
    }
    p.offsets = room((size_t)p.steps * sizeof(int64_t));
    p.lane = p.frame + p.packed + p.results;
    p.lanes = s->lanes < p.tasks ? s->lanes : p.tasks;
    return p;
}

size_t conv_bf16_scratch(const struct conv *s, enum conv_kind kind, int parts)
{
    struct plan p = make_plan(s, kind, parts);
    return p.offsets + p.raw + p.weights * (size_t)(kind == CONV_WEIGHT_GRADIENT ? p.tasks : 1) +
           p.lane * (size_t)p.lanes;
}

struct job {
    struct plan p;
    bf16_kernel kernel;
    const float *x, *other;
    float *out;
    int64_t *offset;
    char *weights, *lanes;
    _Atomic int64_t next;
};

static int64_t shift_of(const struct plan *p, int64_t tap)
{
    return tap / p->s->kw * p->s->dh * p->pitch + tap % p->s->kw * p->s->dw;
}

/* Weights as rows (tap, from) of `to` numbers, packed. The input gradient's are mirrored. */
static void pack_weights(const struct job *j, const float *w, float *raw)
{
    const struct plan *p = &j->p;
    memset(raw, 0, (size_t)(p->taps * p->depth * p->to) * sizeof *raw);
    for (int64_t tap = 0; tap < p->taps; tap++)
        for (int64_t c = 0; c < p->from; c++)
            for (int64_t o = 0; o < p->to; o++)
                raw[(tap * p->depth + c) * p->to + o] = p->kind == CONV_INPUT_GRADIENT
                                                            ? w[(c * p->to + o) * p->taps + p->taps - 1 - tap]
                                                            : w[(o * p->from + c) * p->taps + tap];
    bf16_pack(p->parts, p->taps * p->depth, p->to, raw, p->to, 1, (uint16_t *)j->weights);
    for (int64_t step = 0; step < p->steps; step++) {
        int64_t k = step * BF16_DEPTH;
        j->offset[step] = shift_of(p, k / p->depth) * p->depth + k % p->depth;
    }
}

/* results[position][to] of one image, then out in planes. */
static void image_forward(const struct job *j, int64_t image, char *lane)
{
    const struct plan *p = &j->p;
    uint16_t *frame = (uint16_t *)lane;
    float *results = (float *)(lane + p->frame);
    const float *x = j->x + image * p->from * p->h * p->w;
    int64_t part = p->plane * p->depth;
    memset(frame, 0, (size_t)(p->parts * part) * sizeof *frame);
    for (int64_t i = 0; i < p->h; i++)
        for (int64_t k = 0; k < p->w; k++)
            bf16_split(p->parts, p->from, x + i * p->w + k, p->h * p->w,
                       frame + ((i + p->ph) * p->pitch + k + p->pw) * p->depth, part);
    bf16_product(j->kernel, p->parts, p->positions, p->to, p->steps, frame, p->depth, part, j->offset,
                 (const uint16_t *)j->weights, results, p->to, 0);
    for (int64_t i = 0; i < p->oh; i++)
        loops->winograd->transpose(p->ow, p->to, results + i * p->pitch * p->to, p->to,
                                   j->out + (image * p->to * p->oh + i) * p->ow, p->oh * p->ow);
    conv_finish_rows(p->s, j->out, image, p->to, p->oh, p->ow, 0, p->oh);
}

/* sums[tap][from][to] += over positions. */
static void image_weights(const struct job *j, int64_t image, char *lane, float *sums, int first)
{
    const struct plan *p = &j->p;
    uint16_t *frame = (uint16_t *)lane, *packed = (uint16_t *)(lane + p->frame);
    float *wide = (float *)(lane + p->frame + p->packed);
    const float *x = j->x + image * p->from * p->h * p->w, *dy = j->other + image * p->to * p->oh * p->ow;
    int64_t part = up(p->from, BF16_ROWS) * p->plane;
    memset(frame, 0, (size_t)(p->parts * part) * sizeof *frame);
    for (int64_t c = 0; c < p->from; c++)
        for (int64_t i = 0; i < p->h; i++)
            bf16_split(p->parts, p->w, x + (c * p->h + i) * p->w, 1,
                       frame + c * p->plane + (i + p->ph) * p->pitch + p->pw, part);
    memset(wide, 0, (size_t)(p->to * p->positions) * sizeof *wide);
    for (int64_t o = 0; o < p->to; o++)
        for (int64_t i = 0; i < p->oh; i++)
            memcpy(wide + o * p->positions + i * p->pitch, dy + (o * p->oh + i) * p->ow,
                   (size_t)p->ow * sizeof *wide);
    bf16_pack(p->parts, p->positions, p->to, wide, 1, p->positions, packed);
    for (int64_t tap = 0; tap < p->taps; tap++)
        bf16_product(j->kernel, p->parts, p->from, p->to, p->steps, frame + shift_of(p, tap), p->plane, part,
                     j->offset, packed, sums + tap * p->from * p->to, p->to, !first);
}

static void lane_task(void *context, int64_t index)
{
    struct job *j = context;
    const struct plan *p = &j->p;
    char *lane = j->lanes + (size_t)index * p->lane;
    for (int64_t task; (task = atomic_fetch_add(&j->next, 1)) < p->tasks && !interrupt_stop();) {
        if (p->kind != CONV_WEIGHT_GRADIENT) {
            image_forward(j, task, lane);
            continue;
        }
        int64_t first = task * p->s->n / p->tasks, end = (task + 1) * p->s->n / p->tasks;
        for (int64_t image = first; image < end && !interrupt_stop(); image++)
            image_weights(j, image, lane, (float *)(j->weights + (size_t)task * p->weights), image == first);
    }
}

/* dw[to][from][tap] from the sums of the chunks, added in order. */
static void finish_weights(const struct job *j)
{
    const struct plan *p = &j->p;
    for (int64_t task = 1; task < p->tasks; task++) {
        const void *more = j->weights + (size_t)task * p->weights;
        loops->combine[FLOAT32](p->taps * p->from * p->to, j->weights, 1, (double[]){1}, &more, j->weights);
    }
    loops->winograd->transpose(p->taps * p->from, p->to, (const float *)j->weights, p->to, (float *)j->lanes,
                               p->taps * p->from);
    for (int64_t o = 0; o < p->to; o++) /* [to][tap][from] to [to][from][tap] */
        loops->winograd->transpose(p->taps, p->from, (const float *)j->lanes + o * p->taps * p->from, p->from,
                                   j->out + o * p->taps * p->from, p->taps);
}

void conv_bf16_run(const struct conv *s, enum conv_kind kind, int parts, const void *a, const void *b,
                   void *out, void *scratch)
{
    struct job j = {.p = make_plan(s, kind, parts),
                    .kernel = loops->bf16 ? loops->bf16 : bf16_block_plain,
                    .x = a,
                    .out = out,
                    .offset = scratch};
    const struct plan *p = &j.p;
    char *raw = (char *)scratch + p->offsets;
    j.weights = raw + p->raw;
    j.lanes = j.weights + p->weights * (size_t)(kind == CONV_WEIGHT_GRADIENT ? p->tasks : 1);
    if (kind == CONV_WEIGHT_GRADIENT) {
        j.other = b;
        for (int64_t step = 0; step < p->steps; step++) j.offset[step] = step * BF16_DEPTH;
        threads_for(p->lanes, lane_task, &j);
        finish_weights(&j);
    } else {
        pack_weights(&j, b, (float *)raw);
        threads_for(p->lanes, lane_task, &j);
    }
}
