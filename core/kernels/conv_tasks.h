/* conv_tasks.h -- how the ways that go image by image share out their work: tasks are fixed by the shape,
 * each thread has a work space, and weight gradients add up over fixed chunks of images, then over the chunks
 * in order. So the result does not depend on the number of threads. */
#ifndef KERNELS_CONV_TASKS_H
#define KERNELS_CONV_TASKS_H

#include <stddef.h>

#include "kernels/conv_shape.h"

struct conv_tasks {
    enum conv_kind kind;
    int64_t n, at_once; /* images, and how many of them weight gradients take at once */
    int64_t tasks, lanes;
    size_t weights, lane; /* bytes of the weights, or of each task's sums of a weight gradient; of a lane */

    /* Task `task` of a result. */
    void (*result)(const void *job, int64_t task, char *lane);
    /* What `count` images from `image` on give to the sums, which the first of a chunk writes. */
    void (*gradient)(const void *job, int64_t image, int64_t count, char *lane, char *sums, int first);
};

/* Set tasks and lanes for at most `tasks` tasks, or chunks of a weight gradient. */
void conv_tasks_share(struct conv_tasks *t, const struct conv *s, enum conv_kind kind, int64_t tasks);

/* Bytes of weights and lanes. */
size_t conv_tasks_bytes(const struct conv_tasks *t);

/* The lanes in memory of that size, behind the weights. */
char *conv_tasks_lanes(const struct conv_tasks *t, char *weights);

void conv_tasks_run(const struct conv_tasks *t, const void *job, char *weights);

/* The sums of all chunks, of `numel` numbers, in the first one's place. */
void conv_tasks_sum(const struct conv_tasks *t, enum dtype dtype, int64_t numel, char *weights);

#endif
