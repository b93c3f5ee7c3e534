#include "kernels/image_pool.h"

#include <math.h>

#include "base/interrupt.h"
#include "base/threads.h"
#include "base/tuning.h"
#include "kernels/paste.h"

/* The pixels from .. to - 1 of a window; returns how many it has with padding. */
static int64_t window(const struct image_pool_axis *a, int64_t i, int64_t *from, int64_t *to)
{
    if (a->adaptive) {
        *from = i * a->n / a->out;
        *to = ((i + 1) * a->n + a->out - 1) / a->out;
        return *to - *from;
    }
    int64_t first = i * a->stride - a->pad, end = first + a->kernel;
    if (end > a->n + a->pad) end = a->n + a->pad;
    *from = first < 0 ? 0 : first;
    *to = end > a->n ? a->n : end;
    return end - first;
}

static int64_t divisor_of(const struct image_pool *p, int64_t whole, int64_t pixels)
{
    return p->divisor ? p->divisor : p->counts_padding ? whole : pixels;
}

struct image_pool_job {
    const struct image_pool *p;
    const void *in;
    const int64_t *position;
    void *out;
    int64_t windows, per_task;
};

#define T float
#define SUFFIX f32
#include "kernels/image_pool_body.h"
#define T double
#define SUFFIX f64
#include "kernels/image_pool_body.h"

static void run(struct image_pool_job *job, threads_task f32, threads_task f64)
{
    const struct image_pool *p = job->p;
    int64_t size = p->rows.n * p->columns.n + job->windows;
    job->per_task = size >= ELEMENTWISE_TASK_ELEMENTS ? 1 : ELEMENTWISE_TASK_ELEMENTS / (size + 1) + 1;
    threads_for((p->planes + job->per_task - 1) / job->per_task, p->dtype == FLOAT32 ? f32 : f64, job);
}

static int64_t windows_of(const struct image_pool *p) { return p->rows.out * p->columns.out; }

void image_pool_positions(const struct image_pool *p, const void *x, int64_t *position)
{
    struct image_pool_job job = {.p = p, .in = x, .out = position, .windows = windows_of(p)};
    run(&job, positions_f32, positions_f64);
}

void image_pool_pick(const struct image_pool *p, int64_t windows, const void *x, const int64_t *position,
                     void *y)
{
    struct image_pool_job job = {.p = p, .in = x, .position = position, .out = y, .windows = windows};
    run(&job, pick_f32, pick_f64);
}

void image_pool_put(const struct image_pool *p, int64_t windows, const void *y, const int64_t *position,
                    void *x)
{
    struct image_pool_job job = {.p = p, .in = y, .position = position, .out = x, .windows = windows};
    run(&job, put_f32, put_f64);
}

void image_pool_average(const struct image_pool *p, const void *x, void *y)
{
    struct image_pool_job job = {.p = p, .in = x, .out = y, .windows = windows_of(p)};
    run(&job, average_f32, average_f64);
}

void image_pool_spread(const struct image_pool *p, const void *y, void *x)
{
    struct image_pool_job job = {.p = p, .in = y, .out = x, .windows = windows_of(p)};
    run(&job, spread_f32, spread_f64);
}
