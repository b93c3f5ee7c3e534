#include "base/interrupt.h"

#include <stdatomic.h>

/* An int that needed a lock could deadlock inside a signal handler. */
_Static_assert(ATOMIC_INT_LOCK_FREE == 2, "atomic_int must be lock-free");

static atomic_int requested;

void interrupt_request(void) { atomic_store_explicit(&requested, 1, memory_order_relaxed); }

void interrupt_clear(void) { atomic_store_explicit(&requested, 0, memory_order_relaxed); }

int interrupt_pending(void) { return atomic_load_explicit(&requested, memory_order_relaxed); }

/* Reads before it exchanges: the plain read is what loops pay nearly always. */
int interrupt_take(void)
{
    return interrupt_pending() && atomic_exchange_explicit(&requested, 0, memory_order_relaxed);
}

static enum status interrupted(void)
{
    return status_fail(STATUS_INTERRUPTED, "interrupted", "", "interrupted");
}

enum status interrupt_poll(void) { return interrupt_take() ? interrupted() : STATUS_OK; }

static _Thread_local int depth, undone;

void interrupt_begin(void) { depth++; }
int interrupt_may_stop(void) { return depth > 0; }
void interrupt_left_undone(void) { undone = 1; }

int interrupt_stop(void)
{
    if (!interrupt_pending() || depth == 0) return 0;
    undone = 1;
    return 1;
}

int interrupt_end_quietly(void)
{
    int left = undone;
    depth--;
    undone = 0;
    return left;
}

enum status interrupt_end(enum status status)
{
    if (!interrupt_end_quietly()) return status;
    if (status != STATUS_OK && status != STATUS_INTERRUPTED) return status;
    interrupt_take();
    return interrupted();
}
