/* path.h -- a solve as a function of time: y along each accepted step, as the solver interpolates it.
 *
 * Of whatever family a step is, y along it is a polynomial. So a step is kept as what y is there, less y at
 * its beginning, at as many points as make the polynomial up; y and its slope anywhere are combinations of
 * these. The differences are what a step makes, so that slopes lose no digits to the size of y. */
#ifndef SOLVER_PATH_H
#define SOLVER_PATH_H

#include "autodiff/op.h"
#include "solver/observer.h"
#include "solver/pool.h"
#include "tensor/tensor.h"

#define PATH_DEGREE 15 /* at most */

struct path_step {
    double t, h; /* where it begins; a step that was cut ends where the next one begins */
    int degree;
    char *y, *rise[PATH_DEGREE]; /* y at the beginning; at the points 1, 2, ... above that */
};

/* An observer. Zero-initialised by path_new; a solve empties it with its first step. */
struct path {
    struct object object;
    struct observer base;
    int64_t n, capacity;
    struct path_step *steps;
    struct pool vectors;
    double end; /* where the last step ends */
    char *last; /* y there */
    int64_t n_state;
    enum dtype dtype;
    int degree; /* of the step before */
};

enum status path_new(struct path **out);
/* y at t (derivative: its slope), which lies between the first time and the last; at a time at which a step
 * ends or begins, what the next one begins with, to the bit. Needs a step. */
void path_at(const struct path *path, double t, int derivative, void *out);

#endif
