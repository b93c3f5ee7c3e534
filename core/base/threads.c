#include "base/threads.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/interrupt.h"
#include "base/tuning.h"

#define MAX_THREADS 256
#define CLOSED ((uint64_t)1 << 15) /* of a gate: all tasks of its job are taken */
#define INSIDE (CLOSED - 1)

static struct {
    int wanted; /* 0: not decided yet */
    int running;
    pthread_t worker[MAX_THREADS];
    pthread_mutex_t lock;
    pthread_cond_t wake;
    _Atomic uint64_t job; /* number of the current job; workers wait for a change */
    _Atomic int stop;
    threads_task task;
    void *context;
    int64_t n;
    _Atomic int64_t next;
    /* Number of the job, closed or not, how many workers are in it: who comes too late, because the machine
     * runs other programs, is not waited for */
    _Atomic uint64_t gate;
    _Atomic int sleepers;
    int may_stop;
    _Atomic int undone; /* a worker has skipped a task */
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER};

static _Thread_local int inside_task;

static void run_tasks(void)
{
    inside_task = 1;
    for (int64_t i; (i = atomic_fetch_add(&pool.next, 1)) < pool.n && !interrupt_stop();)
        pool.task(pool.context, i);
    inside_task = 0;
}

static void run_tasks_as_worker(void)
{
    if (pool.may_stop) interrupt_begin();
    run_tasks();
    if (pool.may_stop && interrupt_end_quietly()) pool.undone = 1;
}

static void wait_for_job(uint64_t seen)
{
    for (int spin = 0; spin < THREADS_SPINS; spin++) {
        if (atomic_load_explicit(&pool.job, memory_order_acquire) != seen) return;
#if defined(__x86_64__) || defined(__i386__)
        __builtin_ia32_pause();
#endif
    }
    pthread_mutex_lock(&pool.lock);
    atomic_fetch_add(&pool.sleepers, 1);
    while (atomic_load(&pool.job) == seen) pthread_cond_wait(&pool.wake, &pool.lock);
    atomic_fetch_sub(&pool.sleepers, 1);
    pthread_mutex_unlock(&pool.lock);
}

/* Once inside, the job stays what it is until leave. */
static int enter(uint64_t job)
{
    uint64_t gate = atomic_load(&pool.gate);
    do {
        if (gate / (2 * CLOSED) != job || (gate & CLOSED)) return 0;
    } while (!atomic_compare_exchange_weak(&pool.gate, &gate, gate + 1));
    return 1;
}

static void *worker_main(void *first_job)
{
    uint64_t seen = (uint64_t)(uintptr_t)first_job;
    for (;;) {
        wait_for_job(seen);
        seen = atomic_load(&pool.job);
        if (pool.stop) return NULL;
        if (!enter(seen)) continue;
        run_tasks_as_worker();
        atomic_fetch_sub_explicit(&pool.gate, 1, memory_order_release);
    }
}

/* A worker with a task may have lost its core to another program, so after a while this one is offered. */
static void close_and_wait(void)
{
    atomic_fetch_or(&pool.gate, CLOSED);
    for (int spin = 0; atomic_load_explicit(&pool.gate, memory_order_acquire) & INSIDE;) {
        if (spin < THREADS_SPINS)
            spin++;
        else
            sched_yield();
#if defined(__x86_64__) || defined(__i386__)
        __builtin_ia32_pause();
#endif
    }
}

static void publish_job(void)
{
    pthread_mutex_lock(&pool.lock);
    atomic_fetch_add(&pool.job, 1);
    if (pool.sleepers) pthread_cond_broadcast(&pool.wake);
    pthread_mutex_unlock(&pool.lock);
}

static void start_workers(void)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old); /* signals belong to the main thread */
    uint64_t job = pool.job;
    while (pool.running < pool.wanted - 1 &&
           pthread_create(&pool.worker[pool.running], NULL, worker_main, (void *)(uintptr_t)job) == 0)
        pool.running++;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
}

static void stop_workers(void)
{
    if (pool.running == 0) return;
    pool.stop = 1;
    publish_job();
    for (int i = 0; i < pool.running; i++) pthread_join(pool.worker[i], NULL);
    pool.running = 0;
    pool.stop = 0;
}

int threads_count(void)
{
    if (pool.wanted == 0) {
        const char *text = getenv("TIDE_THREADS");
        long n = text ? strtol(text, NULL, 10) : 0;
        if (n < 1) n = sysconf(_SC_NPROCESSORS_ONLN);
        pool.wanted = n < 1 ? 1 : n > MAX_THREADS ? MAX_THREADS : (int)n;
    }
    return pool.wanted;
}

void threads_set(int n)
{
    stop_workers();
    pool.wanted = n < 1 ? 1 : n > MAX_THREADS ? MAX_THREADS : n;
}

/* The module may be unloaded (dlclose by lua_close): no worker may run its code after that. */
__attribute__((destructor)) static void threads_shutdown(void) { stop_workers(); }

void threads_for(int64_t n, threads_task task, void *context)
{
    if (n <= 1 || inside_task || threads_count() == 1) {
        int outer = inside_task;
        inside_task = 1;
        for (int64_t i = 0; i < n && !interrupt_stop(); i++) task(context, i);
        inside_task = outer;
        return;
    }
    if (pool.running < pool.wanted - 1) start_workers();
    pool.task = task;
    pool.context = context;
    pool.n = n;
    pool.may_stop = interrupt_may_stop();
    pool.undone = 0;
    atomic_store(&pool.next, 0);
    atomic_store(&pool.gate, (pool.job + 1) * (2 * CLOSED));
    publish_job();
    run_tasks();
    close_and_wait();
    if (pool.undone) interrupt_left_undone();
}
