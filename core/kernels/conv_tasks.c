#include "kernels/conv_tasks.h"

#include <stdatomic.h>

#include "base/interrupt.h"
#include "base/threads.h"
#include "base/tuning.h"
#include "kernels/loops.h"

void conv_tasks_share(struct conv_tasks *t, const struct conv *s, enum conv_kind kind, int64_t tasks)
{
    if (kind == CONV_WEIGHT_GRADIENT && tasks > CONV_CHUNKS) tasks = CONV_CHUNKS;
    t->kind = kind;
    t->n = s->n;
    t->tasks = tasks;
    t->lanes = s->lanes < tasks ? s->lanes : tasks;
}

static size_t weight_bytes(const struct conv_tasks *t)
{
    return t->weights * (size_t)(t->kind == CONV_WEIGHT_GRADIENT ? t->tasks : 1);
}

size_t conv_tasks_bytes(const struct conv_tasks *t) { return weight_bytes(t) + t->lane * (size_t)t->lanes; }

char *conv_tasks_lanes(const struct conv_tasks *t, char *weights) { return weights + weight_bytes(t); }

struct conv_lanes {
    const struct conv_tasks *t;
    const void *job;
    char *weights, *lanes;
    _Atomic int64_t next;
};

static void add_chunk(const struct conv_tasks *t, const void *job, int64_t task, char *lane, char *sums)
{
    int64_t first = task * t->n / t->tasks, end = (task + 1) * t->n / t->tasks;
    for (int64_t image = first; image < end && !interrupt_stop(); image += t->at_once)
        t->gradient(job, image, end - image < t->at_once ? end - image : t->at_once, lane, sums,
                    image == first);
}

static void conv_lane(void *context, int64_t index)
{
    struct conv_lanes *l = context;
    const struct conv_tasks *t = l->t;
    char *lane = l->lanes + (size_t)index * t->lane;
    for (int64_t task; (task = atomic_fetch_add(&l->next, 1)) < t->tasks && !interrupt_stop();) {
        if (t->kind == CONV_WEIGHT_GRADIENT)
            add_chunk(t, l->job, task, lane, l->weights + (size_t)task * t->weights);
        else
            t->result(l->job, task, lane);
    }
}

void conv_tasks_run(const struct conv_tasks *t, const void *job, char *weights)
{
    struct conv_lanes l = {.t = t, .job = job, .weights = weights, .lanes = conv_tasks_lanes(t, weights)};
    threads_for(t->lanes, conv_lane, &l);
}

void conv_tasks_sum(const struct conv_tasks *t, enum dtype dtype, int64_t numel, char *weights)
{
    const void *parts[CONV_CHUNKS];
    double ones[CONV_CHUNKS];
    for (int64_t task = 1; task < t->tasks; task++) {
        parts[task - 1] = weights + (size_t)task * t->weights;
        ones[task - 1] = 1;
    }
    if (t->tasks > 1) loops->combine[dtype](numel, weights, (int)t->tasks - 1, ones, parts, weights);
}
