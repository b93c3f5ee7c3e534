/* implicit.h -- steps of implicit Runge-Kutta methods and what they are made of, for families that use
 * them. */
#ifndef SOLVER_IMPLICIT_H
#define SOLVER_IMPLICIT_H

#include "solver/backward.h"
#include "solver/family.h"
#include "solver/linear.h"
#include "solver/newton.h"

#define IMPLICIT_WORK 2 /* k behind the stages that are work space */

/* The Y with Y = base + g f(t, Y), by Newton's method down to rounding, from Y as it is given; slope, work:
 * space. The result depends on nothing but the arguments. STATUS_RETRY: it does not converge. */
enum status implicit_solve(struct solver *s, struct field *f, enum linear_set set, double t, double g,
                           const void *base, void *y, void *slope, void *work);
/* The same to a tolerance, by iterations that have begun, with the factors that are there. */
enum status implicit_solve_loosely(struct solver *s, struct field *f, enum linear_set set, struct newton *n,
                                   double t, double g, const void *base, void *y, void *slope, void *work);

/* Weights of a carry of n_carry vectors and of the stages for y at theta; returns how many. */
int implicit_weights(const struct method *m, const struct step *p, int n_carry, double theta, double *w);

#endif
