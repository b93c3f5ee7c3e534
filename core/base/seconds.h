/* seconds.h -- time that passes, for limits on it. */
#ifndef BASE_SECONDS_H
#define BASE_SECONDS_H

/* Seconds of a clock that never goes back. Async-signal-safe. */
double monotonic_seconds(void);

#endif
