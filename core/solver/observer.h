/* observer.h -- who looks at each accepted step before the carry moves on: events, outputs, the detection of
 * stiffness, the record.
 *
 * They are asked in the order of their list. What they may read is the march: its clock (the step goes from
 * clock.t to clock.goal), the carry, the basis and the next carry of its solver; y at any point of the step
 * is solver_interpolate. An observer that needs room of its own has it in a struct that begins with this
 * one. */
#ifndef SOLVER_OBSERVER_H
#define SOLVER_OBSERVER_H

#include "base/status.h"
#include "solver/step.h"

struct march;

struct observer {
    /* The step that was made. *theta: where it shall end, 1: at its end; who sets it lower cuts the step
     * there, and the family starts anew from y at that time. Any status but STATUS_OK ends the solve. One
     * that sets m->again has told the clock what step to make instead; those behind it do not see this one.
     */
    enum status (*accepted)(struct observer *self, struct march *m, const struct step *p, double *theta);
    struct observer *next; /* NULL: the last */
};

#endif
