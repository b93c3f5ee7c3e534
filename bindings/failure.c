#include "failure.h"

#include <lauxlib.h>
#include <lualib.h>
#include <math.h>
#include <stdio.h>

#include "base/status.h"
#include "entry.h"

#define FAILURE_TYPE "tide.Failure"

static const char hook_key; /* in the registry: the function that on_failure was given last */

/* ---- a table that passes for its message ---- */

int failure_is(lua_State *L, int at)
{
    if (lua_type(L, at) != LUA_TTABLE || !lua_getmetatable(L, at)) return 0;
    luaL_getmetatable(L, FAILURE_TYPE);
    int same = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return same;
}

int failure_is_lua(lua_State *L)
{
    luaL_checkany(L, 1);
    lua_pushboolean(L, failure_is(L, 1));
    return 1;
}

static void push_text(lua_State *L, int at)
{
    if (!failure_is(L, at))
        lua_pushvalue(L, at);
    else if (lua_getfield(L, at, "message") != LUA_TSTRING) { /* somebody wrote into it */
        lua_pop(L, 1);
        lua_pushliteral(L, "a failure whose message was taken away");
    }
}

static int to_text(lua_State *L)
{
    push_text(L, 1);
    return 1;
}

static int join(lua_State *L)
{
    for (int i = 1; i <= 2; i++) {
        push_text(L, i);
        if (!lua_isstring(L, -1))
            return luaL_error(L, "attempt to concatenate a %s value", luaL_typename(L, -1));
    }
    lua_concat(L, 2);
    return 1;
}

static int length(lua_State *L)
{
    push_text(L, 1);
    lua_pushinteger(L, (lua_Integer)lua_rawlen(L, -1));
    return 1;
}

/* A function of the string library, called as a method. */
static int call_on_text(lua_State *L)
{
    if (lua_gettop(L) > 0) {
        push_text(L, 1);
        lua_replace(L, 1);
    }
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    return lua_gettop(L);
}

static int index_string(lua_State *L) /* upvalue: the string library */
{
    lua_settop(L, 2);
    lua_gettable(L, lua_upvalueindex(1));
    if (lua_isfunction(L, -1)) lua_pushcclosure(L, call_on_text, 1);
    return 1;
}

static void make_failure(lua_State *L)
{
    if (luaL_newmetatable(L, FAILURE_TYPE)) {
        static const luaL_Reg functions[] = {
            {"__tostring", to_text}, {"__concat", join}, {"__len", length}, {NULL, NULL}};
        luaL_setfuncs(L, functions, 0);
        luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
        lua_getfield(L, -1, LUA_STRLIBNAME);
        lua_pushcclosure(L, index_string, 1);
        lua_setfield(L, -3, "__index");
        lua_pop(L, 1);
    }
    lua_setmetatable(L, -2);
}

/* ---- making and raising ---- */

static void set_number(lua_State *L, const char *name, double x)
{
    if (isnan(x)) return;
    entry_number(L, name, x);
}

static void set_text(lua_State *L, const char *name, const char *text)
{
    if (!text[0]) return;
    entry_text(L, name, text);
}

/* The part's key in the table of the state: paths in nested tables, and numbers in lists, came as text. */
static void set_part(lua_State *L, const char *part)
{
    int number, length = 0;
    if (sscanf(part, "[%d]%n", &number, &length) == 1 && length > 0 && !part[length])
        entry_integer(L, "part", number);
    else
        set_text(L, "part", part);
}

static void set_samples(lua_State *L, const struct failure *f)
{
    lua_newtable(L);
    for (int i = 0; i < f->n_samples && i < FAILURE_SAMPLES; i++) {
        lua_pushinteger(L, f->sample[i]);
        lua_rawseti(L, -2, i + 1);
    }
    lua_setfield(L, -2, "sample");
}

/* The function of on_failure sees the table on top; what it looks into may fail as well. */
static void let_add(lua_State *L)
{
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &hook_key) == LUA_TFUNCTION) {
        lua_pushnil(L);
        lua_rawsetp(L, LUA_REGISTRYINDEX, &hook_key);
        lua_pushvalue(L, -2);
        if (lua_pcall(L, 1, 0, 0) == LUA_OK) return;
    }
    lua_pop(L, 1);
}

/* A position and the table on the stack become the table, with the position in front of its message. */
static void put_position(lua_State *L)
{
    lua_insert(L, -2);
    lua_getfield(L, -2, "message");
    lua_concat(L, 2);
    lua_setfield(L, -2, "message");
}

void failure_push_value(lua_State *L, const struct report *r)
{
    struct failure f = r->failure;
    lua_createtable(L, 0, 12);
    set_text(L, "message", r->message);
    set_text(L, "status", f.word);
    set_text(L, "kind", f.code == STATUS_NUMERIC ? "numeric" : f.word);
    set_text(L, "remedy", f.remedy);
    set_part(L, f.part);
    set_number(L, "t", f.t);
    set_number(L, "h", f.h);
    if (f.steps >= 0) {
        entry_integer(L, "steps", f.steps);
        entry_integer(L, "accepted", f.accepted);
        entry_integer(L, "nfe", f.nfe);
    }
    if (f.element > 0) entry_integer(L, "element", f.element);
    if (f.n_samples > 0) set_samples(L, &f);
    if (f.backward) {
        entry_flag(L, "backward", 1);
    }
    make_failure(L);
}

void failure_push(lua_State *L)
{
    const struct report r = *status_report();
    failure_push_value(L, &r);
    if (r.failure.code == STATUS_NUMERIC) let_add(L);
    put_position(L);
}

int failure_interrupted(lua_State *L)
{
    lua_createtable(L, 0, 3);
    lua_insert(L, -2);
    lua_setfield(L, -2, "message");
    set_text(L, "status", "interrupted");
    set_text(L, "kind", "interrupted");
    make_failure(L);
    return lua_error(L);
}

int failure_raise(lua_State *L)
{
    make_failure(L);
    put_position(L);
    return lua_error(L);
}

static int clear_hook(lua_State *L)
{
    lua_pushnil(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &hook_key);
    return 0;
}

int failure_on_raise(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_pushvalue(L, 1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &hook_key);
    lua_newtable(L);
    if (luaL_newmetatable(L, "tide.FailureHook")) {
        lua_pushcfunction(L, clear_hook);
        lua_setfield(L, -2, "__close");
    }
    lua_setmetatable(L, -2);
    return 1;
}
