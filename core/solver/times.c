#include "solver/times.h"

#include <math.h>

enum status times_check(const double *times, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (!isfinite(times[i]))
            return status_set(STATUS_ARGUMENT, "odeint: t[%lld] must be a finite number, got %g",
                              (long long)i + 1, isnan(times[i]) ? fabs(times[i]) : times[i]);
    for (int64_t i = 1; i < n; i++)
        if (times[i] == times[i - 1] || (times[i] > times[i - 1]) != (times[1] > times[0]))
            return status_set(STATUS_ARGUMENT,
                              "odeint: times must be strictly increasing or strictly decreasing; t[%lld] = "
                              "%g does not follow t[%lld] = %g",
                              (long long)i + 1, times[i], (long long)i, times[i - 1]);
    if (n > 0 && !isfinite(times[n - 1] - times[0]))
        return status_set(STATUS_ARGUMENT, "odeint: the span from %g to %g is too long", times[0],
                          times[n - 1]);
    return STATUS_OK;
}

enum status times_check_open(const double *times)
{
    if (!isfinite(times[0]))
        return status_set(STATUS_ARGUMENT, "event: t0 must be a finite number, got %g",
                          isnan(times[0]) ? fabs(times[0]) : times[0]);
    if (isnan(times[1]) || times[1] == times[0])
        return status_set(STATUS_ARGUMENT, "event: max_time must be another time than t0 = %g, got %g",
                          times[0], isnan(times[1]) ? fabs(times[1]) : times[1]);
    return STATUS_OK;
}
