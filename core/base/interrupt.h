/* interrupt.h -- one flag that says "the user asked to stop".
 *
 * Whoever receives the wish (the SIGINT handler of bindings/system.c, a test) calls interrupt_request. Every
 * loop of the engine that may run long asks once per solver step, block of rows or file chunk (at least every
 * 10 ms or so). One request gives exactly one error: whoever reports it takes it away. The flag is a
 * lock-free atomic, which C11 allows in signal handlers and which worker threads may read as well. */
#ifndef BASE_INTERRUPT_H
#define BASE_INTERRUPT_H

#include "base/status.h"

/* Ask to stop. Async-signal-safe, any thread. */
void interrupt_request(void);

/* Forget a request that nobody has answered (a prompt does so before it runs the next line). */
void interrupt_clear(void);

/* Is a request waiting? Takes nothing away: this is what worker threads ask, so that all of them see it and
 * leave their loop early; the thread that joins them reports with interrupt_poll. */
int interrupt_pending(void);

/* Take the request: 1 for exactly one caller per request, else 0. */
int interrupt_take(void);

/* STATUS_OK, or STATUS_INTERRUPTED with the message "interrupted" once per request (the request is taken). */
enum status interrupt_poll(void);

/* ---- work that may be left half done ----
 *
 * Between interrupt_begin and interrupt_end (they nest) the result is of no use unless interrupt_end says so.
 * There a loop over pieces of work of a few milliseconds asks interrupt_stop before each piece and returns at
 * once when it answers 1, leaving what it should have computed undefined; threads_for does so between tasks.
 * Loops that change what the user can see (optimisers, copy_) run outside and to their end. */
void interrupt_begin(void);
int interrupt_stop(void);

/* `status`; STATUS_INTERRUPTED, with the request taken, where this thread has left work undone since the
 * outermost interrupt_begin. */
enum status interrupt_end(enum status status);

/* For threads_for: does this thread's work stop on request? Begin on a worker what its master has begun; end
 * there: was work left undone? Tell the master. */
int interrupt_may_stop(void);
int interrupt_end_quietly(void);
void interrupt_left_undone(void);

#endif
