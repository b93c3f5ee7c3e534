#include "kernels/conv_winograd.h"

#include <string.h>

#include "base/interrupt.h"
#include "base/threads.h"
#include "base/tuning.h"
#include "kernels/blocks.h"
#include "kernels/conv_finish.h"
#include "kernels/conv_tasks.h"
#include "kernels/loops.h"

enum transform { INPUT, OUTPUT, OUTPUT_BAR, WEIGHT, WEIGHT_BAR };

struct winograd_plan {
    const struct conv *s;
    struct conv_pass c;
    int m, size, places;          /* results of a tile's side; m + 2; its square */
    int64_t from_lanes, to_lanes; /* channels rounded up to whole vectors */
    int64_t across, down;         /* tiles */
    int64_t strip_rows, strips;
    int64_t pitch;                               /* pixels of a row of the padded input */
    size_t frame, values, products, raw_weights; /* bytes: padded input, transformed input, products (results
                                                    lie behind them); transposed weights */
    struct conv_tasks tasks;                     /* their weights are transformed ones */
};

struct winograd_job {
    struct winograd_plan p;
    const float *x, *other; /* what is transformed; the cotangent of the weight gradient */
    float *out;
    char *raw_weights, *weights;
    const float *w;
};

static int tile_side(const struct conv *s) { return s->precision == PRECISION_HIGHEST ? 2 : 4; }

int conv_winograd_fits(const struct conv *s)
{
    int64_t m = tile_side(s);
    return s->dtype == FLOAT32 && s->kh == 3 && s->kw == 3 && s->sh == 1 && s->sw == 1 && s->dh == 1 &&
           s->dw == 1 && s->groups == 1 && s->ph <= 2 && s->pw <= 2 && s->c >= CONV_WINOGRAD_LEAST_CHANNELS &&
           s->o >= CONV_WINOGRAD_LEAST_CHANNELS && s->n > 0 &&
           ((s->oh + m - 1) / m) * ((s->ow + m - 1) / m) >= CONV_WINOGRAD_LEAST_TILES &&
           ((s->h + m - 1) / m) * ((s->w + m - 1) / m) >= CONV_WINOGRAD_LEAST_TILES;
}

static void strip_result(const void *context, int64_t task, char *lane);
static void winograd_image_gradient(const void *context, int64_t image, int64_t count, char *lane, char *sums,
                                    int first);

/* Rows of tiles that are done together: strips of about the same size. */
static void plan_strips(struct winograd_plan *p)
{
    int64_t row = p->places * p->across * (p->from_lanes + p->to_lanes) * (int64_t)sizeof(float),
            most = CONV_WINOGRAD_STRIP_BYTES / row;
    p->strips = blocks_of(p->down, most < 1 ? 1 : most > p->down ? p->down : most);
    p->strip_rows = blocks_of(p->down, p->strips);
}

static size_t floats(int64_t n) { return blocks_bytes(n, sizeof(float)); }

static struct winograd_plan plan_winograd(const struct conv *s, enum conv_kind kind)
{
    struct winograd_plan p = {.s = s, .c = conv_pass_of(s, kind), .m = tile_side(s)};
    const struct conv_pass *c = &p.c;
    p.size = p.m + 2;
    p.places = p.size * p.size;
    p.from_lanes = blocks_up(c->from, 16);
    p.to_lanes = blocks_up(c->to, 16);
    p.across = blocks_of(c->ow, p.m);
    p.down = blocks_of(c->oh, p.m);
    plan_strips(&p);
    int64_t tiles = p.strip_rows * p.across, chunks = s->n / CONV_CHUNK_IMAGES;
    p.pitch = p.across * p.m + 2;
    p.frame = floats((p.strip_rows * p.m + 2) * p.pitch * p.from_lanes);
    p.values = floats(p.places * tiles * p.from_lanes);
    p.products = floats(p.places * tiles * p.to_lanes);
    p.raw_weights = floats(c->from * 9 * p.to_lanes);
    p.tasks =
        (struct conv_tasks){.at_once = 1,
                            .weights = floats(p.places * c->from * p.to_lanes),
                            .lane = p.frame + p.values + p.products + floats(tiles * p.m * p.m * p.to_lanes),
                            .result = strip_result,
                            .gradient = winograd_image_gradient};
    conv_tasks_share(&p.tasks, s, kind,
                     kind != CONV_WEIGHT_GRADIENT ? s->n * p.strips
                     : chunks > 1                 ? chunks
                                                  : 1);
    return p;
}

size_t conv_winograd_scratch(const struct conv *s, enum conv_kind kind)
{
    struct winograd_plan p = plan_winograd(s, kind);
    return p.raw_weights + conv_tasks_bytes(&p.tasks);
}

static void transform(const struct winograd_plan *p, enum transform which, int64_t channels, const float *in,
                      int64_t in_row, int64_t in_column, float *out, int64_t out_row, int64_t out_column)
{
    loops->winograd->transform[p->m == 4][which](channels, in, in_row, in_column, out, out_row, out_column);
}

/* ---- weights: raw[from][tap][to], transformed[place][from][to] ---- */

static void weights_task(void *context, int64_t task)
{
    struct winograd_job *j = context;
    const struct winograd_plan *p = &j->p;
    float *raw = (float *)j->raw_weights, *u = (float *)j->weights;
    int64_t end = (task + 1) * CONV_WINOGRAD_WEIGHT_CHANNELS < p->c.from
                      ? (task + 1) * CONV_WINOGRAD_WEIGHT_CHANNELS
                      : p->c.from;
    for (int64_t c = task * CONV_WINOGRAD_WEIGHT_CHANNELS; c < end; c++) {
        float *taps = raw + c * 9 * p->to_lanes;
        /* The input gradient's weights are mirrored: tap t in place of 8 - t. */
        if (p->tasks.kind == CONV_INPUT_GRADIENT)
            loops->winograd->transpose(p->c.to, 9, j->w + c * p->c.to * 9, 9, taps + 8 * p->to_lanes,
                                       -p->to_lanes);
        else
            loops->winograd->transpose(p->c.to, 9, j->w + c * 9, p->c.from * 9, taps, p->to_lanes);
        transform(p, WEIGHT, p->to_lanes, taps, 3 * p->to_lanes, p->to_lanes, u + c * p->to_lanes,
                  p->size * p->c.from * p->to_lanes, p->c.from * p->to_lanes);
    }
}

/* dw[to][from][tap] from the sums over tiles. */
static void weights_back_task(void *context, int64_t task)
{
    struct winograd_job *j = context;
    const struct winograd_plan *p = &j->p;
    float *raw = (float *)j->raw_weights, *u = (float *)j->weights;
    int64_t end = (task + 1) * CONV_WINOGRAD_WEIGHT_CHANNELS < p->c.from
                      ? (task + 1) * CONV_WINOGRAD_WEIGHT_CHANNELS
                      : p->c.from;
    for (int64_t c = task * CONV_WINOGRAD_WEIGHT_CHANNELS; c < end; c++) {
        float *taps = raw + c * 9 * p->to_lanes;
        transform(p, WEIGHT_BAR, p->to_lanes, u + c * p->to_lanes, p->size * p->c.from * p->to_lanes,
                  p->c.from * p->to_lanes, taps, 3 * p->to_lanes, p->to_lanes);
        loops->winograd->transpose(9, p->c.to, taps, p->to_lanes, j->out + c * 9, p->c.from * 9);
    }
}

/* ---- pixels ---- */

/* Both turn images sixteen channels at a time: their rows are read or written one after the other, and a
 * pixel's sixteen are one cache line. */
#define TURNED 16

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

/* `rows` rows of an image of planes, from row `first` (which may lie outside) on, as pixels of `lanes`
 * channels; margins are zero. */
static void turn_rows(const float *planes, int64_t channels, int64_t lanes, int64_t h, int64_t w,
                      int64_t first, int64_t left, int64_t rows, int64_t pitch, float *frame)
{
    int64_t inside = least(w, pitch - left), right = left + inside;
    for (int64_t i = 0; i < rows; i++) {
        float *row = frame + i * pitch * lanes;
        int outside = first + i < 0 || first + i >= h;
        memset(row, 0, (size_t)((outside ? pitch : left) * lanes) * sizeof *row);
        if (!outside) memset(row + right * lanes, 0, (size_t)((pitch - right) * lanes) * sizeof *row);
    }
    for (int64_t c = 0; c < channels; c += TURNED)
        for (int64_t i = first < 0 ? -first : 0; i < rows && first + i < h; i++)
            loops->winograd->transpose(least(TURNED, channels - c), inside, planes + (c * h + first + i) * w,
                                       h * w, frame + (i * pitch + left) * lanes + c, lanes);
}

/* Back to planes: the first rows x w pixels of `frame`, whose rows are `pitch` pixels, to the rows from
 * `first` on. */
static void turn_back(const float *frame, int64_t channels, int64_t lanes, int64_t h, int64_t w,
                      int64_t first, int64_t rows, int64_t pitch, float *planes)
{
    for (int64_t c = 0; c < channels; c += TURNED)
        for (int64_t i = 0; i < rows && first + i < h; i++)
            loops->winograd->transpose(w, least(TURNED, channels - c), frame + i * pitch * lanes + c, lanes,
                                       planes + (c * h + first + i) * w, h * w);
}

/* Transform the input of a strip: values[place][tile][channel]. Returns the number of tiles. */
static int64_t transform_strip(const struct winograd_job *j, int64_t image, int64_t strip, float *frame,
                               float *values)
{
    const struct winograd_plan *p = &j->p;
    int64_t first = strip * p->strip_rows,
            rows = p->down - first < p->strip_rows ? p->down - first : p->strip_rows,
            tiles = rows * p->across;
    turn_rows(j->x + image * p->c.from * p->c.h * p->c.w, p->c.from, p->from_lanes, p->c.h, p->c.w,
              first * p->m - p->c.ph, p->c.pw, rows * p->m + 2, p->pitch, frame);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t k = 0; k < p->across; k++)
            transform(p, INPUT, p->from_lanes, frame + (i * p->m * p->pitch + k * p->m) * p->from_lanes,
                      p->pitch * p->from_lanes, p->from_lanes, values + (i * p->across + k) * p->from_lanes,
                      p->size * tiles * p->from_lanes, tiles * p->from_lanes);
    return tiles;
}

static void strip_result(const void *context, int64_t task, char *lane)
{
    const struct winograd_job *j = context;
    const struct winograd_plan *p = &j->p;
    int64_t image = task / p->strips, strip = task % p->strips;
    float *frame = (float *)lane, *values = (float *)(lane + p->frame),
          *products = (float *)(lane + p->frame + p->values);
    float *results = (float *)(lane + p->frame + p->values + p->products);
    int64_t tiles = transform_strip(j, image, strip, frame, values), rows = tiles / p->across,
            width = p->across * p->m;
    for (int64_t f = 0; f < p->places; f++)
        loops->product[FLOAT32](tiles, p->to_lanes, p->c.from, values + f * tiles * p->from_lanes,
                                p->from_lanes, 1, (float *)j->weights + f * p->c.from * p->to_lanes, NULL,
                                p->to_lanes, products + f * tiles * p->to_lanes, p->to_lanes, 0);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t k = 0; k < p->across; k++)
            transform(p, OUTPUT, p->to_lanes, products + (i * p->across + k) * p->to_lanes,
                      p->size * tiles * p->to_lanes, tiles * p->to_lanes,
                      results + (i * p->m * width + k * p->m) * p->to_lanes, width * p->to_lanes,
                      p->to_lanes);
    int64_t first = strip * p->strip_rows * p->m;
    turn_back(results, p->c.to, p->to_lanes, p->c.oh, p->c.ow, first, rows * p->m, width,
              j->out + image * p->c.to * p->c.oh * p->c.ow);
    conv_finish_rows(p->s, &p->c, j->out, image, first, least(rows * p->m, p->c.oh - first));
}

/* sums[place][from][to] += values^T (A dy A^T) over the tiles of a strip. */
static void strip_gradient(const struct winograd_job *j, int64_t image, int64_t strip, char *lane,
                           float *sums, int first)
{
    const struct winograd_plan *p = &j->p;
    float *frame = (float *)lane, *values = (float *)(lane + p->frame),
          *products = (float *)(lane + p->frame + p->values);
    float *results = (float *)(lane + p->frame + p->values + p->products);
    int64_t tiles = transform_strip(j, image, strip, frame, values), rows = tiles / p->across,
            width = p->across * p->m;
    turn_rows(j->other + image * p->c.to * p->c.oh * p->c.ow, p->c.to, p->to_lanes, p->c.oh, p->c.ow,
              strip * p->strip_rows * p->m, 0, rows * p->m, width, results);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t k = 0; k < p->across; k++)
            transform(p, OUTPUT_BAR, p->to_lanes, results + (i * p->m * width + k * p->m) * p->to_lanes,
                      width * p->to_lanes, p->to_lanes, products + (i * p->across + k) * p->to_lanes,
                      p->size * tiles * p->to_lanes, tiles * p->to_lanes);
    for (int64_t f = 0; f < p->places; f++)
        loops->product[FLOAT32](p->c.from, p->to_lanes, tiles, values + f * tiles * p->from_lanes, 1,
                                p->from_lanes, products + f * tiles * p->to_lanes, NULL, p->to_lanes,
                                sums + f * p->c.from * p->to_lanes, p->to_lanes, !first);
}

static void winograd_image_gradient(const void *context, int64_t image, int64_t count, char *lane, char *sums,
                                    int first)
{
    (void)count; /* 1 */
    const struct winograd_job *j = context;
    for (int64_t strip = 0; strip < j->p.strips && !interrupt_stop(); strip++)
        strip_gradient(j, image, strip, lane, (float *)sums, first && strip == 0);
}

void conv_winograd_run(const struct conv *s, enum conv_kind kind, const void *a, const void *b, void *out,
                       void *scratch)
{
    struct winograd_job j = {.p = plan_winograd(s, kind), .x = a, .out = out, .raw_weights = scratch};
    const struct winograd_plan *p = &j.p;
    int64_t weight_tasks = blocks_of(p->c.from, CONV_WINOGRAD_WEIGHT_CHANNELS);
    j.weights = j.raw_weights + p->raw_weights;
    if (kind == CONV_WEIGHT_GRADIENT) {
        j.other = b;
        conv_tasks_run(&p->tasks, &j, j.weights);
        conv_tasks_sum(&p->tasks, FLOAT32, p->places * p->c.from * p->to_lanes, j.weights);
        threads_for(weight_tasks, weights_back_task, &j);
    } else {
        j.w = b;
        threads_for(weight_tasks, weights_task, &j);
        conv_tasks_run(&p->tasks, &j, j.weights);
    }
}
