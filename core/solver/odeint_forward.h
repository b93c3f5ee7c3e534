/* odeint_forward.h -- the gradient of a solve forwards: one solve of the tangent equation for each number
 * that it is taken by.
 *
 * With the tangent v' = f_y v + f_theta u, v(t0) = u_y, of a unit vector (u_y, u), one entry of the gradient
 * is the sum over the outputs of ybar . v. y steps beside v and alone controls the steps, so they are those
 * of the solve and the result is the exact derivative of them, as that of "direct" is; but on a grid through
 * events that act, where v jumps as that of the flow. Nothing is kept of the solve, whatever its length; the
 * price is a solve, of twice the state, for each number. */
#ifndef SOLVER_ODEINT_FORWARD_H
#define SOLVER_ODEINT_FORWARD_H

#include "solver/odeint_op.h"

struct odeint_forward;

/* For the gradient node `c` (states, statesbar, y0, times, theta...) of a solve; wanted: of y0, the times and
 * each theta, whether anybody asks. Errors: STATUS_UNSUPPORTED where these are too many numbers. */
enum status odeint_forward_new(struct odeint_forward **out, const struct odeint *op, const char *wanted,
                               const struct call *c);
void odeint_forward_free(struct odeint_forward *w);
/* After the solve. c->out becomes the gradient, with zeros where nobody asks. */
enum status odeint_forward_run(struct odeint_forward *w, struct odeint *op, const struct call *c);

#endif
