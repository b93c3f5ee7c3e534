/* cfield.h -- fields in C from shared objects. */
#ifndef BINDINGS_CFIELD_H
#define BINDINGS_CFIELD_H

#include <lua.h>

#include "tensor/tensor.h"

/* A new field of the C code at `code` for states like y, its parameters at `theta` (nil: none). */
struct field;
struct field *cfield_new(lua_State *L, int code, int theta, const struct array *y);

#endif
