/* pendulum.c -- an example of a field in C: pendulums with friction, each a sample (angle, speed).
 *
 *   angle' = speed,  speed' = -g sin(angle) - friction speed,  theta = (g, friction)
 *
 * README.md beside this file says how it is compiled and used. From an installation, include
 * <tide/field.h>. */
#include "autodiff/tide_field.h"

#include <math.h>

static int f(const struct tide_field_call *call, double t, const double *y, double *dy)
{
    const double g = call->theta[0], friction = call->theta[1];
    (void)t;
    for (int64_t i = 0; i < call->rows; i++, y += 2, dy += 2) {
        dy[0] = y[1];
        dy[1] = -g * sin(y[0]) - friction * y[1];
    }
    return 0;
}

/* ybar = a^T df/dy, thetabar = a^T df/dtheta. Results are written, not added to; thetabar is the sum over the
 * samples. */
static int vjp(const struct tide_field_call *call, double t, const double *y, const double *a, double *ybar,
               double *thetabar)
{
    const double g = call->theta[0], friction = call->theta[1];
    (void)t;
    thetabar[0] = thetabar[1] = 0;
    for (int64_t i = 0; i < call->rows; i++, y += 2, a += 2, ybar += 2) {
        ybar[0] = -g * cos(y[0]) * a[1];
        ybar[1] = a[0] - friction * a[1];
        thetabar[0] -= sin(y[0]) * a[1];
        thetabar[1] -= y[1] * a[1];
    }
    return 0;
}

/* ydot = df/dy v, for methods that need the Jacobian. */
static int jvp(const struct tide_field_call *call, double t, const double *y, const double *v, double *ydot)
{
    const double g = call->theta[0], friction = call->theta[1];
    (void)t;
    for (int64_t i = 0; i < call->rows; i++, y += 2, v += 2, ydot += 2) {
        ydot[0] = v[1];
        ydot[1] = -g * cos(y[0]) * v[0] - friction * v[1];
    }
    return 0;
}

TIDE_FIELD(pendulum) = {TIDE_FIELD_HEAD, .width = 2, .n_theta = 2, .f = f, .vjp = vjp, .jvp = jvp};
