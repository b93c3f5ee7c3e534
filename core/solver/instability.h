/* instability.h -- has y become nonsense?
 *
 * An error estimate of small weights, fehlberg21's (k_3 - k_1) h / 512, lets steps pass that are far beyond
 * the boundary of stability. Then |y| grows from step to step although f pulls back: h y.f < -|y|^2 / 2. Of a
 * solution that is resolved neither is true for long; a solve in which |y| has grown 1000-fold so has failed,
 * and nothing else would say it. */
#ifndef SOLVER_INSTABILITY_H
#define SOLVER_INSTABILITY_H

#include "solver/observer.h"
#include "solver/options.h"

struct instability {
    struct observer base;
    double size, calm; /* |y|; what it was before it began to grow so */
    int steps;         /* in a row that did */
};

/* Do solves with these options need it? */
int instability_looks(const struct solve_options *o);
void instability_begin(struct instability *d);

#endif
