/* times.h -- the times at which a solution is asked for. */
#ifndef SOLVER_TIMES_H
#define SOLVER_TIMES_H

#include <stdint.h>

#include "base/status.h"

/* STATUS_ARGUMENT unless they are finite, strictly increasing or strictly decreasing, and span a finite
 * length. The message counts from 1. */
enum status times_check(const double *times, int64_t n);
/* Of a solve that ends at an event: the second of two may be infinite. */
enum status times_check_open(const double *times);

#endif
