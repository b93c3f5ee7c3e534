/* value.h -- the payload of the userdata "tide.Tensor": either a concrete tensor or a symbolic one, that is a
 * node of a tape that is being recorded. Push the empty userdata first, fill it second, so that an
 * out-of-memory error of Lua leaks nothing. */
#ifndef BINDINGS_VALUE_H
#define BINDINGS_VALUE_H

#include <lua.h>

#include "autodiff/tape.h"
#include "tensor/tensor.h"

#define TENSOR_TYPE "tide.Tensor"

struct value {
    struct tensor *tensor; /* concrete: owned reference; NULL when symbolic or closed */
    struct tape *tape;     /* symbolic: owned reference to the tape; NULL when concrete */
    int node;              /* symbolic: node of that tape */
};

/* Push an empty tensor userdata; the caller fills value->tensor with a reference that it gives away, then
 * calls value_account, so that the collector learns about the bytes. */
struct value *value_push_empty(lua_State *L);
void value_account(lua_State *L, const struct value *v);

/* The same for programs, which take memory when they are made and when they first run: to be called before
 * one is made. */
void program_account(lua_State *L);

/* Push node `node` of tape `t` as a symbolic tensor. */
void symbol_push(lua_State *L, struct tape *t, int node);

/* The value at stack index `arg`; errors name the function's argument. value_test returns NULL when it is no
 * tensor, and one that is closed as it is; value_open refuses that. */
struct value *value_check(lua_State *L, int arg);
extern const char recording_ended[]; /* the error of a symbolic tensor that is left over */
struct value *value_test(lua_State *L, int arg);
struct value *value_open(lua_State *L, int arg);

/* dtype and shape of a concrete or symbolic value. */
const struct array *value_spec(const struct value *v);

/* The concrete tensor at stack index `arg` (borrowed). A symbolic tensor is an error that says what to do. */
struct tensor *tensor_check(lua_State *L, int arg);

#endif
