/* linear.h -- systems (I - g df/dy) x = b of implicit methods, and their transposes: a dense Jacobian and its
 * LU factors.
 *
 * The Jacobian comes by rows from the field's vjp; where it has none by columns, from its jvp or from
 * differences. */
#ifndef SOLVER_LINEAR_H
#define SOLVER_LINEAR_H

#include "autodiff/field.h"

struct linear;

/* The kind of work of the field that its Jacobian comes from; FIELD_EVAL: differences. */
enum field_work linear_work(const struct field *f);
/* Factors of I - g df/dy at (t, y); *l is made if it is NULL. Errors: those of the field, STATUS_NUMERIC when
 * the matrix is singular, STATUS_UNSUPPORTED when the state is too long for a dense matrix. */
enum status linear_set(struct linear **l, struct field *f, double t, const void *y, double g);
/* x = (I - g df/dy)^-1 x, or with the transpose, in place. */
void linear_solve(const struct linear *l, int transpose, void *x);
void linear_free(struct linear *l);

#endif
