/* instability.h -- has y become nonsense? Or a derivative?
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

/* The sizes of adaptive steps are constants of derivatives. Where an explicit method steps along the boundary
 * of its stability, it is the controller that holds y: it answers to what a step too long does. A derivative
 * has nobody to answer, and may grow without bound although f pulls it back. Of a flow that is resolved such
 * a run of steps, h v.f_y v < -|v|^2 / 2 at each and yet |v| larger, does not exist; where it has become
 * INSTABILITY_DERIVATIVE times larger in INSTABILITY_RUN or more, and than ever before, the derivative of
 * these steps says nothing about the solution. For cotangents on their way back, and tangents. */
struct derivative_growth {
    double size, most; /* |v| behind the last step; before the run, at most */
    double first;      /* at the least of the run, and what has come to it since */
    int steps;         /* in a row that should have made it smaller */
};
/* A step from |v| = before to after. Returns whether somebody has to look at how f pulls. */
int derivative_suspect(struct derivative_growth *g, double before, double after);
/* Then: pull is h v.f_y v / |v|^2. Returns whether it has come to that. */
int derivative_unstable(struct derivative_growth *g, double pull);
double derivative_pull(enum dtype dtype, int64_t n, double h, const void *v, const void *slope);
double derivative_size(enum dtype dtype, int64_t n, const void *v);
/* Of a tangent of n numbers, from the beginning of a step, with its slope there, to the end. */
int tangent_unstable(struct derivative_growth *g, enum dtype dtype, int64_t n, double h, const void *y,
                     const void *slope, const void *next);

struct tangent_watch {
    struct observer base;
    struct derivative_growth growth;
};
int tangent_watch_looks(const struct march *m);
void tangent_watch_begin(struct tangent_watch *w);

/* Do solves with these options need it? */
int instability_looks(const struct solve_options *o);
void instability_begin(struct instability *d);

#endif
