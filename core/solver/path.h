/* path.h -- a solve as a function of time: y along each accepted step, as the solver interpolates it.
 *
 * Of whatever family a step is, y along it is a polynomial. So a step is kept as what y is there, less y at
 * its beginning, at as many points as make the polynomial up; y and its slope anywhere are combinations of
 * these. The differences are what a step makes, so that slopes lose no digits to the size of y. */
#ifndef SOLVER_PATH_H
#define SOLVER_PATH_H

#include "solver/observer.h"
#include "solver/pool.h"
#include "tensor/tensor.h"

#define PATH_DEGREE 15 /* at most */

struct path_step {
    double t, h; /* where it begins; a step that was cut ends where the next one begins */
    int degree;
    char *y, *rise[PATH_DEGREE]; /* y at the beginning; at the points 1, 2, ... above that */
};

/* An observer. A solve empties it with its first step. */
struct path {
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

/* So many in a row, without steps: of one solve, or of each sample of one. */
enum status paths_new(struct path **out, int64_t n);
void paths_free(struct path *paths, int64_t n);
/* y at t (derivative: its slope); at a time at which a step ends or begins, what the next one begins with, to
 * the bit; NaN before the first time and behind the last. Needs a step. */
void path_at(const struct path *path, double t, int derivative, void *out);

#endif
