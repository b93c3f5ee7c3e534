/* step.h -- one step and the times of its stages.
 *
 * Every time lies between that of the first stage and that of the last, which are kept as they are rather
 * than as sums: a field may be defined on the span alone, and t + h may be past its end by rounding. */
#ifndef SOLVER_STEP_H
#define SOLVER_STEP_H

#include <float.h>
#include <math.h>
#include <stdint.h>

#define MAX_PAST 12

/* Of a recorded step that was solved for to a tolerance: the Jacobian that served, and what else has to be
 * known to make the step again (newton.h, multistep_bdf.c). */
struct step_newton {
    double t;       /* when the Jacobian was taken */
    int64_t number; /* in which step ... */
    double h, g;    /* ... by an attempt of this size, for the matrix I - g df/dy; */
    int order;
    int iterations;
};

/* A record keeps what stands above `newton`, that too where it is needed, and finds `before` in the others.
 */
struct step {
    double t, h,
        end;        /* time of a stage with c = 0; size; time of a stage with c = 1: t + h but for rounding */
    int64_t number; /* accepted steps before it */
    int order;      /* of a family that varies it */
    int stiff;      /* of a pair of methods: by which of them */
    int past;       /* so many steps before it count (nothing has cut the solution since) ... */
    struct step_newton newton;
    double before[MAX_PAST]; /* ... and these are their sizes, the last one first */
};

static inline double step_time(const struct step *p, double c)
{
    double at = p->t + c * p->h;
    if (c < -4 * DBL_EPSILON || c > 1 + 4 * DBL_EPSILON)
        return at; /* a user's tableau may look outside of the step */
    if (c >= 1 - 4 * DBL_EPSILON || (at - p->end) * p->h > 0) return p->end;
    return (at - p->t) * p->h < 0 ? p->t : at;
}

#endif
