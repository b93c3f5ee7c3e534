/* entry.h -- entries of the Lua table on top of the stack. */
#ifndef BINDINGS_ENTRY_H
#define BINDINGS_ENTRY_H

#include <lua.h>
#include <stdint.h>

void entry_integer(lua_State *L, const char *name, int64_t value);
void entry_number(lua_State *L, const char *name, double value);
void entry_text(lua_State *L, const char *name, const char *text); /* NULL: nil */
void entry_flag(lua_State *L, const char *name, int flag);

#endif
