/* threads.h -- one pool of workers for the whole process.
 *
 * Work is cut into numbered tasks whose boundaries depend on the problem only, never on the number of
 * threads; each task writes its own part of the result. So results are the same, bit for bit, for any thread
 * count. */
#ifndef BASE_THREADS_H
#define BASE_THREADS_H

#include <stdint.h>

typedef void (*threads_task)(void *context, int64_t task);

/* Run tasks 0 .. n-1 on the pool and the calling thread; returns when all are done. Calls from inside a task
 * run serially. Where work may be left half done (base/interrupt.h) and the user asks to stop, the tasks that
 * have not begun are skipped; a task should take a few milliseconds. */
void threads_for(int64_t n, threads_task task, void *context);

/* Number of threads used (default: TIDE_THREADS, else all cores). Setting it stops and restarts the pool; n
 * >= 1. */
int threads_count(void);
void threads_set(int n);

#endif
