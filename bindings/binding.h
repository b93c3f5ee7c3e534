/* binding.h -- what the files of bindings/ share: the session, errors, checks of arguments. */
#ifndef BINDINGS_BINDING_H
#define BINDINGS_BINDING_H

#include <lauxlib.h>
#include <lua.h>

#include "autodiff/op.h" /* struct generator */
#include "base/status.h"
#include "tensor/tensor.h"

#define LIBRARY_ROOTS "tide.library_roots" /* registry: list of folder prefixes */

#define MAX_NESTING 100 /* tables and functions nested deeper are taken for a circle */

/* Is this chunk (lua_Debug's source) part of the library: does its file lie under one of the registered
 * folders? */
int is_library(lua_State *L, const char *source);

struct recorder;
/* One per Lua universe, in the registry. */
struct session {
    struct recorder *recorder;  /* the innermost one; see recording.h */
    size_t debt;                /* bytes of tensors made since the last full collection */
    size_t live;                /* bytes of the engine that were alive after it */
    struct generator generator; /* the default one */
    enum dtype default_dtype;   /* of what is made of numbers alone */
};
struct session *session_get(lua_State *L);

/* Raise a Lua error when status is not STATUS_OK; binding_error raises a message of its own. Both put the
 * position of the innermost caller that is not part of Tide's library in front, so that the user sees a line
 * of their own; a message that does not name the function they called there gets its name. */
void binding_check(lua_State *L, enum status status);
int binding_error(lua_State *L, const char *format, ...);

/* A class of userdata: its methods, what the collector calls, what a variable that goes out of scope calls.
 */
void binding_class(lua_State *L, const char *name, const luaL_Reg *methods, lua_CFunction collect,
                   lua_CFunction close);

/* Userdata without methods: what the collector calls, and what a call of it does, or NULL. */
void binding_type(lua_State *L, const char *name, lua_CFunction collect, lua_CFunction call);

/* That position, "file:line: " or "". */
void position_push(lua_State *L);

/* The name of the function of Tide's that was called there, "nn.linear: ", where the message does not have
 * it; else "". */
void caller_push(lua_State *L, const char *message);

/* The number for a message: NaN without its sign, which printf would show as "-nan". */
double unsigned_nan(double v);

/* A dtype name or nil (then `fallback`) at `arg`. */
enum dtype dtype_check(lua_State *L, int arg, int fallback);

/* The number, or an error when a tensor of that dtype cannot hold it (floats hold every number). Integers
 * from 2^53 on may have been rounded on their way into a double and are refused. */
double number_check(lua_State *L, double value, enum dtype dtype);

/* The number at `arg` for a tensor of that dtype: `whole` is exact, and what an int64 tensor takes. */
struct number {
    double value;
    int64_t whole;
};
struct number number_at(lua_State *L, int arg, enum dtype dtype);
void number_put(const struct array *a, int64_t i, struct number x);

/* Is the argument true? Anything but true, false, nil and none is an error in the name of `what`. */
int flag_check(lua_State *L, int arg, const char *what);

/* The table of whole numbers at `arg` into out[]; returns how many (at most `most`). `what` names it in
 * errors. */
int integers_check(lua_State *L, int arg, const char *what, int64_t *out, int most);

#endif
