#include "kernels/scan.h"

#include "base/interrupt.h"
#include "base/threads.h"
#include "base/tuning.h"
#include "kernels/blocks.h"
#include "kernels/paste.h"

struct scan_job {
    enum dtype dtype;
    int64_t outer, n, inner, strips, strips_per_task; /* a strip: some columns of one of `outer` */
    int backwards;
    const void *a, *b;
    void *out;
};

#define T float
#define CARRIED double
#define SUFFIX float32
#include "kernels/scan_body.h"

#define T double
#define CARRIED double
#define SUFFIX float64
#include "kernels/scan_body.h"

#define T uint64_t
#define CARRIED uint64_t
#define SUFFIX int64
#include "kernels/scan_body.h"

static void scan_strip(const struct scan_job *j, int64_t first, int64_t columns)
{
    switch (j->dtype) {
    case FLOAT32: (j->a ? recurrence_float32 : sums_float32)(j, first, columns); break;
    case FLOAT64: (j->a ? recurrence_float64 : sums_float64)(j, first, columns); break;
    default: (j->a ? recurrence_int64 : sums_int64)(j, first, columns); break;
    }
}

static void scan_task(void *context, int64_t task)
{
    const struct scan_job *j = context;
    int64_t across = blocks_of(j->inner, SCAN_COLUMNS), end = (task + 1) * j->strips_per_task;
    if (end > j->strips) end = j->strips;
    for (int64_t strip = task * j->strips_per_task; strip < end && !interrupt_stop(); strip++) {
        int64_t column = strip % across * SCAN_COLUMNS, left = j->inner - column;
        scan_strip(j, strip / across * j->n * j->inner + column, left < SCAN_COLUMNS ? left : SCAN_COLUMNS);
    }
}

void scan_run(enum dtype dtype, int64_t outer, int64_t n, int64_t inner, int backwards, const void *a,
              const void *b, void *out)
{
    struct scan_job job = {dtype, outer,     n, inner, outer * blocks_of(inner, SCAN_COLUMNS),
                           1,     backwards, a, b,     out};
    if (n == 0 || job.strips == 0) return;
    int64_t numbers = n * (inner < SCAN_COLUMNS ? inner : SCAN_COLUMNS);
    if (numbers < ELEMENTWISE_TASK_ELEMENTS) job.strips_per_task = ELEMENTWISE_TASK_ELEMENTS / numbers;
    threads_for(blocks_of(job.strips, job.strips_per_task), scan_task, &job);
}
