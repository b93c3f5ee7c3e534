/* compiled.h -- the userdata of a program. */
#ifndef BINDINGS_COMPILED_H
#define BINDINGS_COMPILED_H

#include <lua.h>

#include "autodiff/program.h"

#define PROGRAM_TYPE "tide.Program" /* a struct program *, NULL: closed */

/* Push a userdata for a program that is still to be made; it is freed whatever happens. */
struct program **compiled_push_empty(lua_State *L);

#endif
