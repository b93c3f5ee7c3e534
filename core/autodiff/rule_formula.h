/* rule_formula.h -- the derivative of an op as that of its formula. */
#ifndef AUTODIFF_RULE_FORMULA_H
#define AUTODIFF_RULE_FORMULA_H

#include "autodiff/vjp.h"

/* Derivatives of an op of up to five operands that are those of other ops: formula(tape, operands) emits them
 * and returns the node of the result. It sees fresh names of the operands, so that one that is given twice
 * counts twice. */
void vjp_formula(struct vjp *v, int (*formula)(struct tape *t, const int *in));

#endif
