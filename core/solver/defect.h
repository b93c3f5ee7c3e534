/* defect.h -- what the errors of the steps do to a loss, read off its direct gradient.
 *
 * The gradient goes back through the steps with a = dL/dy at the end of each. Where two formulas of different
 * order end a step at y and at y + d, the loss by the better one differs from the loss by the other by
 *
 *   sum over the steps of a . d
 *
 * to leading order: the residual of the steps weighted by the dual solution (Becker and Rannacher, Acta
 * Numerica 10, 2001, section 2). It is the better formula minus the other: positive where the loss gains by
 * the errors of the steps.
 *
 *   euler                    d = h/2 (f at the end - f at the start): the trapezoidal rule minus Euler
 *   with an error estimate   d = h sum_j e_j k_j: the method minus its embedded one (dop853: of order 5)
 *
 * f at the end of a step is f at the start of the next, so that this costs no evaluation but at the end of
 * the solve (one; two of euler) and where f jumps. Errors of interpolated outputs are not in it. */
#ifndef SOLVER_DEFECT_H
#define SOLVER_DEFECT_H

#include "solver/backward.h"

#define DEFECT_VECTORS 3 /* of memory */

struct defect {
    double sum;
    char *slope, *start; /* f and y at the start of the step behind */
    char *work;
    const char *end; /* f at the end of the step at hand */
};

/* Returns the first byte behind the vectors, each of so many bytes, that begin at `memory`. */
char *defect_begin(struct defect *d, char *memory, size_t vector);
/* As again() of the family with AGAIN_BACK, and what defect_add reads. */
enum status defect_basis(struct backward *b, int64_t step, int have);
/* The step at hand is added; b->carry_bar[0] is the cotangent of its end. */
void defect_add(struct backward *b);

#endif
