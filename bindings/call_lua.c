#include "call_lua.h"

#include <lauxlib.h>

static const char error_key; /* in the registry, always there: the error that waits, or false */
static const char word[] = "callback";
static _Thread_local lua_State *running;

void call_lua_in(lua_State *L) { running = L; }

lua_State *call_lua_state(void) { return running; }

enum status call_lua(const char *what, lua_CFunction body, void *context)
{
    lua_State *L = running;
    if (!L)
        return status_set(STATUS_UNSUPPORTED,
                          "odeint: %s: it would be called from several threads, for this solve is inside of "
                          "the field of another one; give it to the outer solve, or solve with eager = true",
                          what);
    if (!lua_checkstack(L, 16)) return status_set(STATUS_MEMORY, "odeint: %s: too many nested calls", what);
    lua_pushcfunction(L, body);
    lua_pushlightuserdata(L, context);
    int code = lua_pcall(L, 1, 0, 0);
    running = L; /* what was called may have run ops in another coroutine */
    if (code == LUA_OK) return STATUS_OK;
    lua_rawsetp(L, LUA_REGISTRYINDEX, &error_key);
    return status_fail(STATUS_CALLBACK, word, "", "odeint: an error in %s", what);
}

void call_lua_raise(lua_State *L)
{
    if (status_failure()->code != STATUS_CALLBACK || status_failure()->word != word) return;
    lua_rawgetp(L, LUA_REGISTRYINDEX, &error_key);
    lua_pushboolean(L, 0);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &error_key);
    lua_error(L);
}

void call_lua_open(lua_State *L)
{
    lua_pushboolean(L, 0);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &error_key);
}
