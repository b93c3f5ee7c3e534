/* field_op.h -- an evaluation of a field as one op of a tape: (t, y, theta...) -> dy, with the field's vjp as
 * its derivative. So code that is no tape (a C field) can stand anywhere in a recording, in the field of a
 * solve for instance. */
#ifndef AUTODIFF_FIELD_OP_H
#define AUTODIFF_FIELD_OP_H

#include "autodiff/field.h"

/* The object of an OP_CUSTOM with inputs t (a float64 scalar), y (n numbers, any shape) and the field's
 * parameters; the result has y's shape. One reference is returned; the field is given away, also in case of
 * failure. */
enum status field_op_new(struct object **out, struct field *field);

#endif
