/* vjp.h -- reverse mode as a transformation of tapes.
 *
 * Source of the names: the vector-Jacobian product of y = f(x) maps the cotangent ybar to xbar = ybar^T
 * df/dx. */
#ifndef AUTODIFF_VJP_H
#define AUTODIFF_VJP_H

#include "autodiff/tape.h"

/* What a rule sees: node y with cotangent ybar; it writes xbar[i] for each i with need[i], or leaves -1 where
 * the derivative is zero. xbar[i] may have the broadcast shape; the driver sums it down to the shape of
 * in[i]. */
struct vjp {
    struct tape *tape;
    int y, ybar, n_in;
    const int *in;
    const struct attrs *attrs;
    const char *need;
    int *xbar;
};

/* Emit the vector-Jacobian products of outputs y[0..n_y) with cotangents ybar[..] (same shapes and dtypes)
 * with respect to the nodes x[0..n_x) onto the same tape. xbar[i] is a node of x[i]'s shape and dtype (zeros
 * where y does not depend on x[i]). Errors: x[i] of an integer dtype, a custom op that has no such
 * derivative. */
enum status tape_vjp(struct tape *t, const int *y, const int *ybar, int n_y, const int *x, int n_x,
                     int *xbar);

/* Emit the Jacobian-vector product: tangents of y given tangents v of x. The vjp is linear in its cotangent;
 * this is its transpose. */
enum status tape_jvp(struct tape *t, const int *y, int n_y, const int *x, const int *v, int n_x, int *ydot);

#endif
