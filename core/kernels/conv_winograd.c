#include "kernels/conv_winograd.h"

#include <stdatomic.h>
#include <string.h>

#include "base/interrupt.h"
#include "base/memory.h"
#include "base/threads.h"
#include "base/tuning.h"
#include "kernels/loops.h"

enum transform { INPUT, OUTPUT, OUTPUT_BAR, WEIGHT, WEIGHT_BAR };

/* A convolution of `from` channels (h x w) into `to` channels (oh x ow), for the input gradient that of the
 * cotangent; the weight gradient has the shape of the forward one. */
struct plan {
    const struct conv *s;
    enum conv_kind kind;
    int m, size, places; /* results of a tile's side; m + 2; its square */
    int64_t from, to, h, w, oh, ow, ph, pw;
    int64_t from_lanes, to_lanes; /* channels rounded up to whole vectors */
    int64_t across, down;         /* tiles */
    int64_t strip_rows, strips, strip_tiles;
    int64_t pitch; /* pixels of a row of the padded input */
    int64_t tasks, lanes;
    size_t frame, values, products, results,
        lane; /* bytes: padded input, transformed input, products, results, all of a lane */
    size_t raw_weights, weights; /* bytes: transposed and transformed weights */
};

static int64_t up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }
static size_t bytes_of(int64_t floats)
{
    return ((size_t)floats * sizeof(float) + MEMORY_SLACK + 63) & ~(size_t)63;
}

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

static struct plan make_plan(const struct conv *s, enum conv_kind kind)
{
    int back = kind == CONV_INPUT_GRADIENT;
    struct plan p = {.s = s, .kind = kind, .m = tile_side(s)};
    p.size = p.m + 2;
    p.places = p.size * p.size;
    p.from = back ? s->o : s->c;
    p.to = back ? s->c : s->o;
    p.h = back ? s->oh : s->h;
    p.w = back ? s->ow : s->w;
    p.oh = back ? s->h : s->oh;
    p.ow = back ? s->w : s->ow;
    p.ph = back ? 2 - s->ph : s->ph;
    p.pw = back ? 2 - s->pw : s->pw;
    p.from_lanes = up(p.from, 16);
    p.to_lanes = up(p.to, 16);
    p.across = (p.ow + p.m - 1) / p.m;
    p.down = (p.oh + p.m - 1) / p.m;
    int64_t row = p.places * p.across * (p.from_lanes + p.to_lanes) * (int64_t)sizeof(float),
            most = CONV_WINOGRAD_STRIP_BYTES / row;
    p.strip_rows = most < 1 ? 1 : most > p.down ? p.down : most;
    p.strips = (p.down + p.strip_rows - 1) / p.strip_rows;
    p.strip_rows = (p.down + p.strips - 1) / p.strips; /* strips of about the same size */
    p.strip_tiles = p.strip_rows * p.across;
    p.pitch = p.across * p.m + 2;
    p.frame = bytes_of((p.strip_rows * p.m + 2) * p.pitch * p.from_lanes);
    p.values = bytes_of(p.places * p.strip_tiles * p.from_lanes);
    p.products = bytes_of(p.places * p.strip_tiles * p.to_lanes);
    p.results = bytes_of(p.strip_rows * p.m * p.across * p.m * p.to_lanes);
    p.lane = p.frame + p.values + p.products + p.results;
    p.raw_weights = bytes_of(p.from * 9 * p.to_lanes);
    p.weights = bytes_of(p.places * p.from * p.to_lanes);
    p.tasks = s->n * p.strips;
    if (kind == CONV_WEIGHT_GRADIENT)
        p.tasks = s->n / 4 < 1 ? 1 : s->n / 4 > CONV_CHUNKS ? CONV_CHUNKS : s->n / 4;
    p.lanes = s->lanes < p.tasks ? s->lanes : p.tasks;
    return p;
}

size_t conv_winograd_scratch(const struct conv *s, enum conv_kind kind)
{
    struct plan p = make_plan(s, kind);
    return p.raw_weights + p.weights * (size_t)(kind == CONV_WEIGHT_GRADIENT ? p.tasks : 1) +
           p.lane * (size_t)p.lanes;
}

struct job {
    struct plan p;
    const float *x, *other; /* what is transformed; the cotangent of the weight gradient */
    float *out;
    char *raw_weights, *weights, *lanes;
    const float *w;
    _Atomic int64_t next;
};

static void transform(const struct plan *p, enum transform which, int64_t channels, const float *in,
                      int64_t in_row, int64_t in_column, float *out, int64_t out_row, int64_t out_column)
{
    loops->winograd->transform[p->m == 4][which](channels, in, in_row, in_column, out, out_row, out_column);
}

/* ---- weights: raw[from][tap][to], transformed[place][from][to] ---- */

static void weights_task(void *context, int64_t task)
{
    struct job *j = context;
    const struct plan *p = &j->p;
    float *raw = (float *)j->raw_weights, *u = (float *)j->weights;
    int64_t end = (task + 1) * CONV_WINOGRAD_WEIGHT_CHANNELS < p->from
                      ? (task + 1) * CONV_WINOGRAD_WEIGHT_CHANNELS
                      : p->from;
    for (int64_t c = task * CONV_WINOGRAD_WEIGHT_CHANNELS; c < end; c++) {
        float *taps = raw + c * 9 * p->to_lanes;
        /* The input gradient's weights are mirrored: tap t in place of 8 - t. */
        if (p->kind == CONV_INPUT_GRADIENT)
            loops->winograd->transpose(p->to, 9, j->w + c * p->to * 9, 9, taps + 8 * p->to_lanes,
                                       -p->to_lanes);
        else
            loops->winograd->transpose(p->to, 9, j->w + c * 9, p->from * 9, taps, p->to_lanes);
        transform(p, WEIGHT, p->to_lanes, taps, 3 * p->to_lanes, p->to_lanes, u + c * p->to_lanes,
                  p->size * p->from * p->to_lanes, p->from * p->to_lanes);
    }
}

/* dw[to][from][tap] from the sums over tiles. */
static void weights_back_task(void *context, int64_t task)
{
    struct job *j = context;
    const struct plan *p = &j->p;
    float *raw = (float *)j->raw_weights, *u = (float *)j->weights;
    int64_t end = (task + 1) * CONV_WINOGRAD_WEIGHT_CHANNELS < p->from
                      ? (task + 1) * CONV_WINOGRAD_WEIGHT_CHANNELS
                      : p->from;
    for (int64_t c = task * CONV_WINOGRAD_WEIGHT_CHANNELS; c < end; c++) {
        float *taps = raw + c * 9 * p->to_lanes;
        transform(p, WEIGHT_BAR, p->to_lanes, u + c * p->to_lanes, p->size * p->from * p->to_lanes,
                  p->from * p->to_lanes, taps, 3 * p->to_lanes, p->to_lanes);
        loops->winograd->transpose(9, p->to, taps, p->to_lanes, j->out + c * 9, p->from * 9);
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
static int64_t transform_strip(const struct job *j, int64_t image, int64_t strip, float *frame, float *values)
{
    const struct plan *p = &j->p;
    int64_t first = strip * p->strip_rows,
            rows = p->down - first < p->strip_rows ? p->down - first : p->strip_rows,
            tiles = rows * p->across;
    turn_rows(j->x + image * p->from * p->h * p->w, p->from, p->from_lanes, p->h, p->w, first * p->m - p->ph,
              p->pw, rows * p->m + 2, p->pitch, frame);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t k = 0; k < p->across; k++)
            transform(p, INPUT, p->from_lanes, frame + (i * p->m * p->pitch + k * p->m) * p->from_lanes,
                      p->pitch * p->from_lanes, p->from_lanes, values + (i * p->across + k) * p->from_lanes,
                      p->size * tiles * p->from_lanes, tiles * p->from_lanes);
    return tiles;
}

static void strip_forward(const struct job *j, int64_t image, int64_t strip, char *lane)
{
    const struct plan *p = &j->p;
    float *frame = (float *)lane, *values = (float *)(lane + p->frame),
          *products = (float *)(lane + p->frame + p->values);
    float *results = (float *)(lane + p->frame + p->values + p->products);
    int64_t tiles = transform_strip(j, image, strip, frame, values), rows = tiles / p->across,
            width = p->across * p->m;
    for (int64_t f = 0; f < p->places; f++)
        loops->product[FLOAT32](tiles, p->to_lanes, p->from, values + f * tiles * p->from_lanes,
                                p->from_lanes, 1, (float *)j->weights + f * p->from * p->to_lanes, NULL,
                                p->to_lanes, products + f * tiles * p->to_lanes, p->to_lanes, 0);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t k = 0; k < p->across; k++)
            transform(p, OUTPUT, p->to_lanes, products + (i * p->across + k) * p->to_lanes,
                      p->size * tiles * p->to_lanes, tiles * p->to_lanes,
                      results + (i * p->m * width + k * p->m) * p->to_lanes, width * p->to_lanes,
                      p->to_lanes);
    int64_t first = strip * p->strip_rows * p->m;
    turn_back(results, p->to, p->to_lanes, p->oh, p->ow, first, rows * p->m, width,
              j->out + image * p->to * p->oh * p->ow);
    conv_finish_rows(p->s, j->out, image, p->to, p->oh, p->ow, first, least(rows * p->m, p->oh - first));
}

/* sums[place][from][to] += values^T (A dy A^T) over the tiles of a strip. */
static void strip_weights(const struct job *j, int64_t image, int64_t strip, char *lane, float *sums,
                          int first)
{
    const struct plan *p = &j->p;
    float *frame = (float *)lane, *values = (float *)(lane + p->frame),
          *products = (float *)(lane + p->frame + p->values);
    float *results = (float *)(lane + p->frame + p->values + p->products);
    int64_t tiles = transform_strip(j, image, strip, frame, values), rows = tiles / p->across,
            width = p->across * p->m;
    turn_rows(j->other + image * p->to * p->oh * p->ow, p->to, p->to_lanes, p->oh, p->ow,
              strip * p->strip_rows * p->m, 0, rows * p->m, width, results);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t k = 0; k < p->across; k++)
            transform(p, OUTPUT_BAR, p->to_lanes, results + (i * p->m * width + k * p->m) * p->to_lanes,
                      width * p->to_lanes, p->to_lanes, products + (i * p->across + k) * p->to_lanes,
                      p->size * tiles * p->to_lanes, tiles * p->to_lanes);
    for (int64_t f = 0; f < p->places; f++)
        loops->product[FLOAT32](p->from, p->to_lanes, tiles, values + f * tiles * p->from_lanes, 1,
                                p->from_lanes, products + f * tiles * p->to_lanes, NULL, p->to_lanes,
                                sums + f * p->from * p->to_lanes, p->to_lanes, !first);
}

static void lane_task(void *context, int64_t index)
{
    struct job *j = context;
    const struct plan *p = &j->p;
    char *lane = j->lanes + (size_t)index * p->lane;
    for (int64_t task; (task = atomic_fetch_add(&j->next, 1)) < p->tasks && !interrupt_stop();) {
        if (p->kind != CONV_WEIGHT_GRADIENT) {
            strip_forward(j, task / p->strips, task % p->strips, lane);
            continue;
        }
        int64_t first = task * p->s->n / p->tasks, end = (task + 1) * p->s->n / p->tasks;
        for (int64_t image = first; image < end; image++)
            for (int64_t strip = 0; strip < p->strips && !interrupt_stop(); strip++)
                strip_weights(j, image, strip, lane, (float *)(j->weights + (size_t)task * p->weights),
                              image == first && strip == 0);
    }
}

static void add_chunks(const struct job *j)
{
    const struct plan *p = &j->p;
    const void *parts[CONV_CHUNKS];
    double ones[CONV_CHUNKS];
    for (int64_t task = 1; task < p->tasks; task++) {
        parts[task - 1] = j->weights + (size_t)task * p->weights;
        ones[task - 1] = 1;
    }
    loops->combine[FLOAT32](p->places * p->from * p->to_lanes, j->weights, (int)p->tasks - 1, ones, parts,
                            j->weights);
}

void conv_winograd_run(const struct conv *s, enum conv_kind kind, const void *a, const void *b, void *out,
                       void *scratch)
{
    struct job j = {.p = make_plan(s, kind), .x = a, .out = out, .raw_weights = scratch};
    const struct plan *p = &j.p;
    int64_t weight_tasks = (p->from + CONV_WINOGRAD_WEIGHT_CHANNELS - 1) / CONV_WINOGRAD_WEIGHT_CHANNELS;
    j.weights = j.raw_weights + p->raw_weights;
    j.lanes = j.weights + p->weights * (size_t)(kind == CONV_WEIGHT_GRADIENT ? p->tasks : 1);
    if (kind == CONV_WEIGHT_GRADIENT) {
        j.other = b;
        threads_for(p->lanes, lane_task, &j);
        if (p->tasks > 1) add_chunks(&j);
        threads_for(weight_tasks, weights_back_task, &j);
    } else {
        j.w = b;
        threads_for(weight_tasks, weights_task, &j);
        threads_for(p->lanes, lane_task, &j);
    }
}
