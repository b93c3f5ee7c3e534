/* call_lua.h -- functions of Lua that are called while an op runs: a norm, on_step.
 *
 * An op may not be left by Lua's longjmp. So whoever runs ops says in which state of Lua it does; functions
 * are called there, protected, and an error of theirs waits until the op has ended with STATUS_CALLBACK, and
 * is then raised as it came (binding_check). Work that threads of the engine do cannot call Lua. */
#ifndef BINDINGS_CALL_LUA_H
#define BINDINGS_CALL_LUA_H

#include <lua.h>

#include "base/status.h"

/* Ops run in this state from here on, in this thread. */
void call_lua_in(lua_State *L);

/* That state; NULL in a thread that runs no Lua. */
lua_State *call_lua_state(void);

/* body(L) with `context` as its only argument, a light userdata. Errors: STATUS_CALLBACK; STATUS_UNSUPPORTED
 * in a thread that runs no Lua, `what` names the caller. */
enum status call_lua(const char *what, lua_CFunction body, void *context);

/* Raise the error that waits, if this thread's last status is that of a function of Lua. */
void call_lua_raise(lua_State *L);

void call_lua_open(lua_State *L);

#endif
