/* tableau.h -- explicit Runge-Kutta methods as constant data.
 *
 *   k_i = f(t + c_i h, y + h sum_j a_ij k_j),   y_next = y + h sum_i b_i k_i,   error = h sum_i e_i k_i
 *
 * (Hairer, Norsett, Wanner, Solving ODEs I, II.1 and II.4.) Everything else is derived: whether the last stage is the first one of the
 * next step (FSAL), whether there is an error estimate, how to interpolate. A new method is one more row in tableau.c. */
#ifndef SOLVER_TABLEAU_H
#define SOLVER_TABLEAU_H

#include "base/status.h"

#define MAX_STAGES 16

enum interpolation {
    INTERPOLATE_QUADRATIC, /* y + h (theta k_1 + theta^2 (sum b k - k_1)): methods up to order 2 */
    INTERPOLATE_HERMITE,   /* cubic through both ends with their slopes, plus h theta^2 (1 - theta)^2 sum_j d_j k_j */
    INTERPOLATE_STEP,      /* a step of its own from the last grid point: as accurate as the method, costs its stages */
};

struct tableau {
    char name[24];
    int order;       /* of y_next */
    int error_order; /* of the error estimate (the lower order of the pair); 0: no estimate */
    int stages;
    enum interpolation interpolation;
    double a[MAX_STAGES][MAX_STAGES], b[MAX_STAGES], c[MAX_STAGES];
    double e[MAX_STAGES]; /* b minus the weights of the embedded method */
    double d[MAX_STAGES]; /* quartic part of the interpolant */
    /* derived by tableau_derive */
    int fsal;     /* row a[stages-1] equals b and c = 1 */
    int adaptive; /* some e is not zero */
    int weighted; /* stages with b != 0 or that later weighted stages use: those that y_next needs */
};

int tableau_count(void);
/* Method number i, 0 <= i < tableau_count(). */
const struct tableau *tableau_get(int i);
/* By name; STATUS_ARGUMENT when unknown. */
enum status tableau_find(const char *name, struct tableau *out);
/* Fill the derived fields of a user's tableau. */
void tableau_derive(struct tableau *t);

/* Weights w[0..stages] with y(t + theta h) = y + h (sum_{j<stages} w_j k_j + w_stages f(t + h, y_next)). For FSAL methods the last one is
 * folded into stage stages-1, so w[stages] = 0. Not for INTERPOLATE_STEP. Returns whether w[stages] is used. */
int tableau_interpolate(const struct tableau *t, double theta, double w[MAX_STAGES + 1]);

#endif
