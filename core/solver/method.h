/* method.h -- a method is a family and its coefficients: a row of explicit_tableaus.c, implicit_tableaus.c or
 * method.c.
 *
 * A family (family.h) is how methods of one kind step and how a step is differentiated; the loop, the record
 * and the gradients know families, never methods. */
#ifndef SOLVER_METHOD_H
#define SOLVER_METHOD_H

#include "solver/tableau.h"

struct family;

struct method {
    const struct family *family;
    struct tableau rk; /* its name and orders are the method's; of a multistep method: the one-step method
                          that begins it */
};

int method_count(void);
/* Method number i, 0 <= i < method_count(). */
void method_get(int i, struct method *out);
/* By name; STATUS_ARGUMENT when unknown. */
enum status method_find(const char *name, struct method *out);
/* Of a user's Runge-Kutta coefficients: fills what is derived. */
void method_of_tableau(struct method *m);

#endif
