/* The recorders of a session. */
#include "recording.h"

#include "binding.h"

struct recorder *recorder_check(lua_State *L, int arg)
{
    struct recorder *r = luaL_checkudata(L, arg, TAPE_TYPE);
    if (!r->tape) binding_error(L, "the tape is closed");
    return r;
}

/* A recorder whose coroutine waits in a yield, or died by an error, does not record what others do. */
static struct recorder *recorder_running(struct recorder *r)
{
    while (r && lua_status(r->thread) != LUA_OK) r = r->previous;
    return r;
}

struct tape *recording_get(lua_State *L)
{
    struct recorder *r = recorder_running(session_get(L)->recorder);
    return r ? r->tape : NULL;
}

struct tape *recording_random(lua_State *L)
{
    struct recorder *r = recorder_running(session_get(L)->recorder), *outermost = NULL;
    for (; r && r->kind != RECORD_NOTHING; r = recorder_running(r->previous)) outermost = r;
    return outermost && outermost->kind == RECORD_PROGRAM ? outermost->tape : NULL;
}
