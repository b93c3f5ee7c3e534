/* coupled_rows.h -- of coupled Runge-Kutta methods: stages behind the others that the interpolant alone
 * needs, and so steps alone in which somebody looks.
 *
 * A row is y at extra_c[e] by an implicit stage of its own, Y = y + h (sum_(j < i) a_ij k_j + a_ii k_i). Not
 * f at y: of a y that is off by d, that is off by df/dy d, in a stiff step many times as much, while h k_i of
 * an implicit stage stays as large as Y - y is. It is solved for from where the polynomial of the stages has
 * it, in a step that was just made with the Jacobian at hand, and where that does not do with one of its own;
 * in a step that is made again for a gradient down to rounding, with its own, because what the step took is
 * not kept. Where neither does (f has a jump there), k_i is the slope of the polynomial of the stages, and y
 * has the order that this has.
 *
 * Backwards a row is as any implicit stage: a transposed solve and a vjp. */
#ifndef SOLVER_COUPLED_ROWS_H
#define SOLVER_COUPLED_ROWS_H

#include "solver/backward.h"
#include "solver/family.h"

enum { START, ERROR, CORRECTION }; /* behind the rows; corrections as many as there are stages */

static inline char *coupled_work(const struct solver *s, const struct method *m, int i)
{
    return s->k[m->rk.stages + m->rk.extra + i].v;
}

/* The rows of the step at hand. Its corrections are work space. */
enum status coupled_rows(struct solver *s, struct field *f, const struct method *m, const struct step *p);

/* What went back to each row: in b->k_bar the cotangent of Y, or of k where that is a sum of other k. */
struct coupled_bars {
    enum { ROW_IDLE, ROW_SOLVED, ROW_PLAIN } row[MAX_EXTRA];
};
/* From b->from to the rows; thetabar grows. */
enum status coupled_rows_back(struct backward *b, const struct step *p, struct coupled_bars *bars);
/* And from these: to y, and to k_j, a sum that has begun. */
void coupled_bars_carry(const struct coupled_bars *bars, struct backward *b);
void coupled_bars_add(const struct coupled_bars *bars, struct backward *b, const struct step *p, int j,
                      struct backward_sum *sum);

#endif
