/* truth.h -- comparisons of tensors in conditions. */
#ifndef BINDINGS_TRUTH_H
#define BINDINGS_TRUTH_H

#include <lua.h>

#define TRUTH_IDS 256

/* The result of the running C function, a comparison called `name` with a number `id` < TRUTH_IDS of its own,
 * is on top of the stack. When the caller provably uses it as a condition, a tensor becomes a boolean or an
 * error. Returns 1, the number of results. */
int truth_settle(lua_State *L, const char *name, int id);

/* The same where Lua makes a boolean of the result in any case: `what` was written, `name` is the method that
 * does the same. */
int truth_force(lua_State *L, const char *what, const char *name);

#endif
