/* automatic.h -- methods that are a pair, one for nonstiff and one for stiff problems, and when a solve
 * changes from one to the other (Petzold 1983; Hairer, Wanner, Solving ODEs II, IV.2).
 *
 * From the nonstiff to the stiff one: when the step is held down by stability, see stiffness.h. Back: when
 * the nonstiff one would be stable with steps of the size at hand, for so many in a row as `patience` says.
 * What that takes is h rho, rho the spectral radius of the Jacobian that Newton's method works with; it comes
 * from the power method, one product a step. Who goes back and has to turn again soon was wrong, and waits
 * twice as long the next time.
 *
 * A step says by which method it was made (step.h), so that gradients decide nothing. */
#ifndef SOLVER_AUTOMATIC_H
#define SOLVER_AUTOMATIC_H

#include "solver/observer.h"

struct solve_options;

/* A change of the method, at a step's end. */
struct turn {
    double t;
    int64_t step;   /* accepted until then */
    const char *to; /* the name of the method that goes on */
};

/* Of a solve; memory that is reused. Zero-initialise, release. */
struct turns {
    int64_t n, capacity;
    struct turn *at;
};
void turns_release(struct turns *t);

/* An observer. */
struct automatic {
    struct observer base;
    int products;  /* with the Jacobian since the last turn */
    int calm;      /* steps in a row with which the nonstiff method would be stable */
    int patience;  /* so many of them make it turn */
    int64_t began; /* accepted steps before the last turn */
};

/* Returns whether the method is a pair. */
int automatic_begin(struct automatic *a, const struct solve_options *o);

#endif
