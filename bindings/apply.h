/* apply.h -- ops on values: recorded while something is being recorded, else at once. */
#ifndef BINDINGS_APPLY_H
#define BINDINGS_APPLY_H

#include "autodiff/op.h"
#include "value.h"

/* Node of the tape being recorded for a value: symbolic ones are imported, concrete ones become constants.
 * Raises on failure. */
int value_node(lua_State *L, struct tape *t, struct value *v);

/* The nodes of the list of tensors at `arg`, in a block that Lua owns (pushed on the stack). */
int *value_nodes(lua_State *L, struct tape *t, int arg, int *n);

/* Apply an op to the n values at stack indices first .. first + n - 1 (tensors, or numbers beside a tensor)
 * and push the result. While something is recorded the op becomes part of the recording, whether an operand
 * is symbolic or not; else it runs at once. Brings dtypes together as the op's flags say. */
void value_apply(lua_State *L, enum op_id op, const struct attrs *attrs, int first, int n);
/* The same, at once: operands are concrete. */
void value_apply_now(lua_State *L, enum op_id op, const struct attrs *attrs, int first, int n);
/* The op on numbers alone, in float64: pushes a number, of a comparison a boolean. */
void number_apply(lua_State *L, enum op_id op, int first, int n);

#endif
