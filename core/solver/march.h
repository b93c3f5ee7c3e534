/* march.h -- a solve that is under way, for the loop (solve.c), those who look at its steps (observer.h) and
 * what explains its failures (failure.c). */
#ifndef SOLVER_MARCH_H
#define SOLVER_MARCH_H

#include "solver/clock.h"
#include "solver/observer.h"
#include "solver/solve.h"
#include "solver/stiffness.h"

struct march {
    struct solver *s;
    struct field *f;
    const struct solve_options *o;
    const struct family *family;
    const struct state_layout *layout;
    const void *y0;
    int64_t nfe;  /* evaluations of the field before this solve */
    double begun; /* when, where there is a limit of time */
    struct clock clock;
    struct stiffness stiffness;
    struct observer *observers;
    const void *after; /* y with which the next step begins, where an observer has changed it; else NULL */
    int ended;         /* outputs that are left are the state where the step at hand ends */
};

/* Each sets the message, with t, h, the steps so far and a remedy for what appears to be the cause. */
enum status failure_of_clock(const struct march *m, enum clock_says what, double h);
enum status failure_not_finite(const struct march *m, double h, const void *y, const char *what);
enum status failure_unresolved(const struct march *m);
enum status failure_no_event(const struct march *m);
/* Where the solve stood, for a failure that it ended with and that does not say so yet: returns 0 where it
 * does, for it is that of a solve inside the field. */
int failure_complete(const struct march *m);

#endif
