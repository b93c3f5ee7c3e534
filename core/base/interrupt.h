/* interrupt.h -- one flag that says "the user asked to stop".
 *
 * Whoever receives the wish (the SIGINT handler of bindings/system.c, a test) calls interrupt_request. Every loop of the engine
 * that may run long asks once per solver step, block of rows or file chunk (at least every 10 ms or so). One request gives exactly
 * one error: whoever reports it takes it away. The flag is a lock-free atomic, which C11 allows in signal handlers and which worker
 * threads may read as well. */
#ifndef BASE_INTERRUPT_H
#define BASE_INTERRUPT_H

#include "base/status.h"

/* Ask to stop. Async-signal-safe, any thread. */
void interrupt_request(void);

/* Forget a request that nobody has answered (a prompt does so before it runs the next line). */
void interrupt_clear(void);

/* Is a request waiting? Takes nothing away: this is what worker threads ask, so that all of them see it and leave their loop early;
 * the thread that joins them reports with interrupt_poll. */
int interrupt_pending(void);

/* Take the request: 1 for exactly one caller per request, else 0. */
int interrupt_take(void);

/* STATUS_OK, or STATUS_INTERRUPTED with the message "interrupted" once per request (the request is taken). */
enum status interrupt_poll(void);

#endif
