/* plain_value.h -- numbers, strings and booleans of Lua as entries of a file: see io/tensor_list.h.
 *
 * Where a file keeps texts only (.safetensors), numbers are written with as many digits as they need,
 * booleans as true and false, and a string that would be read as one of these, or begins with a quote, stands
 * in quotes; so each comes back as what it was. */
#ifndef BINDINGS_PLAIN_VALUE_H
#define BINDINGS_PLAIN_VALUE_H

#include <lua.h>

#include "base/status.h"
#include "io/tensor_list.h"

/* Can the value at `index` be an entry? */
int plain_value_is(lua_State *L, int index);

/* Append it. Errors: those of tensor_list_add; STATUS_FORMAT: a string that is no UTF-8 or holds NUL. */
enum status plain_value_add(lua_State *L, int index, struct tensor_list *list, const char *name,
                            int texts_only);

/* Push what entry i of a list is in Lua; it must be none of ENTRY_TENSOR. */
void plain_value_push(lua_State *L, const struct tensor_list *list, int i, int texts_only);

/* number_text(x) -> the shortest text that reads back as x; a float's has a point or an exponent. */
int plain_value_number_text(lua_State *L);

#endif
