/* test_threads.c -- the pool: every task runs once, and the workers are no burden where they have no core. */
#include "base/threads.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

#include "check.h"

#define TASKS 16

struct counts {
    _Atomic int done[TASKS];
};

static void count(void *context, int64_t task)
{
    struct counts *c = context;
    atomic_fetch_add(&c->done[task], 1);
}

/* Jobs one after another, of any number of tasks; the next one may come while a worker still looks at the
 * last. */
static void all_tasks_once(int jobs)
{
    for (int job = 0; job < jobs; job++) {
        struct counts c = {0};
        int n = job % (TASKS + 1);
        threads_for(n, count, &c);
        for (int i = 0; i < TASKS; i++)
            CHECK(c.done[i] == (i < n), "job %d: task %d ran %d times", job, i, c.done[i]);
        if (job % 1000 == 999) threads_set(1 + job / 1000 % 5);
    }
}

#ifdef __linux__
/* Four threads on one core: the caller takes all tasks while the workers wait for the core, and does not wait
 * for them. */
static void one_core(void)
{
    cpu_set_t before, one;
    if (sched_getaffinity(0, sizeof before, &before) != 0) return;
    CPU_ZERO(&one);
    for (int i = 0; i < CPU_SETSIZE; i++)
        if (CPU_ISSET(i, &before)) {
            CPU_SET(i, &one);
            break;
        }
    threads_set(4);
    if (sched_setaffinity(0, sizeof one, &one) != 0) return;
    struct timespec start, end;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
    all_tasks_once(999);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
    double seconds = (double)(end.tv_sec - start.tv_sec) + 1e-9 * (double)(end.tv_nsec - start.tv_nsec);
    CHECK(seconds < 1.5, "999 small jobs took %.2f s", seconds);
    sched_setaffinity(0, sizeof before, &before);
}
#endif

static void many_jobs(void)
{
    threads_set(4);
    all_tasks_once(20000);
}

int main(int argc, char **argv)
{
    static const struct check_test tests[] = {
        {"many jobs", many_jobs},
#ifdef __linux__
        {"one core", one_core},
#endif
    };
    return check_main(tests, sizeof tests / sizeof *tests, argc, argv);
}
