/* stiffness.h -- is the step held down by stability rather than by accuracy? (Hairer, Wanner, Solving ODEs
 * II, IV.2)
 *
 * Two evaluations of f at the same time, at states Y and Y', tell how large the Jacobian is where it matters:
 *
 *   rho = |f(t, Y) - f(t, Y')| / |Y - Y'|
 *
 * When h rho stays near the boundary of the method's stability region, in a direction in which f pulls back,
 * the step cannot grow however loose the tolerances are. As in DOPRI5, 15 such steps say so and 6 others in a
 * row take it back; fewer others in between count against. Nothing is evaluated for it, and results do not
 * change. The two evaluations are
 *   PAIR: two stages with the same c (dopri5, tsit5, dopri8);
 *   NEXT: the last stage, with c = 1, and the first of the next step (heun_euler, fehlberg21, dop853);
 *   DIFFERENCE: for others (bosh3) differences of stages at several times, of an order at which what
 *   depends on t alone cancels. */
#ifndef SOLVER_STIFFNESS_H
#define SOLVER_STIFFNESS_H

#include "solver/observer.h"
#include "solver/solve.h"

enum stiffness_kind {
    STIFFNESS_NOT_LOOKED,
    STIFFNESS_NONE,
    STIFFNESS_PAIR,
    STIFFNESS_NEXT,
    STIFFNESS_DIFFERENCE
};

struct stiffness {
    struct observer base;
    int every, say_so; /* steps between looks; suspicious ones until it is said */
    enum stiffness_kind kind;
    double f[MAX_STAGES]; /* weights of the stages: difference of f, of the states / h */
    double y[MAX_STAGES];
    int last;         /* NEXT: the stage with c = 1 */
    double boundary;  /* of the stability region on the negative real axis */
    int above, below; /* steps near the boundary, and others in a row since */
    int looks;        /* in a row */
    double waiting;   /* NEXT: size of the step before, of which the solver holds the difference of states
                         and the last stage; 0: none */
    int stiff;
    int64_t stiff_since,
        stiff_steps; /* accepted steps: when it was said, and how many before that were stiff */
    double h_rho;    /* of the last step that was near the boundary */
};

/* An observer of steps with an error estimate; returns whether there is anything for it to see. */
int stiffness_begin(struct stiffness *d, const struct solve_options *o);
/* The method changes: what was seen does not count any more. */
void stiffness_forget(struct stiffness *d);
/* So many elements of the state are looked at. */
int64_t stiffness_elements(const struct march *m);
/* Does the solve, `accepted` steps long, look stiff: now, or over half of its steps? */
int stiffness_seen(const struct stiffness *d, int64_t accepted);
/* Did it look stiff at any time? */
int stiffness_ever(const struct stiffness *d);

#endif
