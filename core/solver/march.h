/* march.h -- a solve that is under way, for the loop (solve.c), those who look at its steps (observer.h) and
 * what explains its failures (failure.c). */
#ifndef SOLVER_MARCH_H
#define SOLVER_MARCH_H

#include "solver/automatic.h"
#include "solver/clock.h"
#include "solver/instability.h"
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
    struct instability instability;
    struct tangent_watch tangent;
    struct automatic automatic;
    int again; /* an observer asks for the step at hand once more, as the clock knows */
    int turns; /* the next step is of the other method of a pair */
    struct observer *observers;
    const void *after; /* y with which the next step begins, where an observer has changed it; else NULL */
    int ended;         /* outputs that are left are the state where the step at hand ends */
    struct step p;     /* the step at hand, which ends at theta */
    double theta;
    int waits; /* it is accepted, and the carry has not moved on yet */
};

/* A solve begins: the state is y0, the clock is at the first of the times and goes to the last. The march is
 * zero but for s, f, o and layout; observers come afterwards, the record, which may be NULL, among them. */
enum status march_begin(struct march *m, const void *y0, const double *times, int64_t n_times,
                        struct solve_record *record);
/* One more observer, behind the others. */
struct observer **march_observe(struct march *m, struct observer *o);
/* What a method asks for by itself: the detection of stiffness. */
void march_watch(struct march *m);
/* The first evaluations of f, and what can be said against the solve before a step is tried. */
enum status march_first(struct march *m);
/* On to the next step that is accepted and seen by the observers: CLOCK_ACCEPTED, it is in m->p; CLOCK_END,
 * there is none. */
enum status march_step(struct march *m, enum clock_says *says);
/* y at theta of the step at hand, 0 < theta < 1; out may be the spare vector. f at the end of the step, which
 * may be a part of that, has perhaps not been looked at before: where y is not finite that is a failure. */
enum status march_inside(struct march *m, double theta, void *out);
/* y where the step at hand ends: what the next one begins with. It may be the spare vector. */
enum status march_end_state(struct march *m, const void **y);
/* The solve ends at the end of the step at hand. */
void march_stop(struct march *m);
/* Norm of the error of the step at hand, which adapts. */
enum status march_error(const struct march *m, double *norm);
/* Norm of sum_j w_j v_j, j < n, as an error of the step at hand. */
enum status march_norm(const struct march *m, int n, const double *w, const char *const *v, double *norm);

/* Each sets the message, with t, h, the steps so far and a remedy for what appears to be the cause. */
enum status failure_of_clock(const struct march *m, enum clock_says what, double h);
enum status failure_not_finite(const struct march *m, double h, const void *y, const char *what);
enum status failure_unresolved(const struct march *m);
enum status failure_no_event(const struct march *m);
enum status failure_unstable(const struct march *m);
/* Where the solve stood, for a failure that it ended with and that does not say so yet: returns 0 where it
 * does, for it is that of a solve inside the field. */
int failure_complete(const struct march *m);

#endif
