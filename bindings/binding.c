/* Sessions, how errors are raised, and argument checks. */
#include "binding.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "call_lua.h"
#include "failure.h"

static const char session_key;

/* The generator is part of the session, whose memory outlives every program: it goes after the last finalizer
 * has run. */
static void session_keep(struct object *generator) { (void)generator; }

struct session *session_get(lua_State *L)
{
    struct session *s;
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &session_key) == LUA_TUSERDATA) {
        s = lua_touserdata(L, -1);
        lua_pop(L, 1);
        return s;
    }
    lua_pop(L, 1);
    s = lua_newuserdatauv(L, sizeof *s, 0);
    memset(s, 0, sizeof *s);
    s->generator.base = (struct object){1, session_keep};
    lua_rawsetp(L, LUA_REGISTRYINDEX, &session_key);
    return s;
}

int binding_error(lua_State *L, const char *format, ...)
{
    va_list args;
    position_push(L);
    va_start(args, format);
    lua_pushvfstring(L, format, args);
    va_end(args);
    caller_push(L, lua_tostring(L, -1));
    lua_insert(L, -2);
    lua_concat(L, 3);
    return lua_error(L);
}

void binding_class(lua_State *L, const char *name, const luaL_Reg *methods, lua_CFunction collect,
                   lua_CFunction close)
{
    luaL_newmetatable(L, name);
    lua_pushcfunction(L, collect);
    lua_setfield(L, -2, "__gc");
    lua_pushcfunction(L, close);
    lua_setfield(L, -2, "__close");
    lua_newtable(L);
    luaL_setfuncs(L, methods, 0);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}

void binding_type(lua_State *L, const char *name, lua_CFunction collect, lua_CFunction call)
{
    luaL_newmetatable(L, name);
    lua_pushcfunction(L, collect);
    lua_setfield(L, -2, "__gc");
    if (call) {
        lua_pushcfunction(L, call);
        lua_setfield(L, -2, "__call");
    }
    lua_pop(L, 1);
}

double unsigned_nan(double v) { return isnan(v) ? fabs(v) : v; }

void binding_check(lua_State *L, enum status status)
{
    if (status == STATUS_OK) return;
    if (status == STATUS_CALLBACK) call_lua_raise(L);
    if (status_failure()->code != status) binding_error(L, "%s", status_message());
    position_push(L);
    failure_push(L);
    lua_error(L);
}

enum dtype dtype_check(lua_State *L, int arg, int fallback)
{
    enum dtype dtype = (enum dtype)fallback;
    if (lua_isnoneornil(L, arg)) return dtype;
    if (lua_type(L, arg) != LUA_TSTRING)
        binding_error(L, "dtype must be a string (\"float32\", \"float64\", \"int64\", \"uint8\"), got a %s",
                      luaL_typename(L, arg));
    binding_check(L, dtype_find(lua_tostring(L, arg), &dtype));
    return dtype;
}

double number_check(lua_State *L, double value, enum dtype dtype)
{
    if (!dtype_is_float(dtype) &&
        (value != floor(value) || fabs(value) >= 0x1p53 || (dtype == UINT8 && (value < 0 || value > 255))))
        binding_error(L,
                      "the number %f does not fit a tensor of dtype %s, and numbers never change a dtype; "
                      "convert with x:to(\"float32\")",
                      unsigned_nan(value), dtype_name(dtype));
    return value;
}

struct number number_at(lua_State *L, int arg, enum dtype dtype)
{
    int whole;
    struct number x = {lua_tonumber(L, arg), lua_tointegerx(L, arg, &whole)};
    if (dtype != INT64 || !whole) number_check(L, x.value, dtype);
    return x;
}

void number_put(const struct array *a, int64_t i, struct number x)
{
    if (a->dtype == INT64)
        *(int64_t *)array_at(a, i) = x.whole;
    else
        array_set(a, i, x.value);
}

int flag_check(lua_State *L, int arg, const char *what)
{
    if (!lua_isnoneornil(L, arg) && !lua_isboolean(L, arg))
        binding_error(L, "%s must be true or false, got a %s", what, luaL_typename(L, arg));
    return lua_toboolean(L, arg);
}

int integers_check(lua_State *L, int arg, const char *what, int64_t *out, int most)
{
    if (lua_type(L, arg) != LUA_TTABLE)
        return binding_error(L, "%s must be a table of integers, got a %s", what, luaL_typename(L, arg));
    lua_Unsigned n = lua_rawlen(L, arg);
    if (n > (lua_Unsigned)most)
        return binding_error(L, "%s has %d entries, at most %d are possible", what,
                             (int)(n > 1000000 ? 1000000 : n), most);
    for (int i = 0; i < (int)n; i++) {
        int whole = 0;
        lua_rawgeti(L, arg, i + 1);
        out[i] = lua_tointegerx(L, -1, &whole);
        if (!whole || lua_type(L, -1) != LUA_TNUMBER) {
            if (lua_type(L, -1) == LUA_TNUMBER) lua_pushnumber(L, unsigned_nan(lua_tonumber(L, -1)));
            luaL_tolstring(L, -1, NULL);
            return binding_error(L, "%s: entry %d must be an integer, got %s", what, i + 1,
                                 lua_tostring(L, -1));
        }
        lua_pop(L, 1);
    }
    for (lua_pushnil(L); lua_next(L, arg < 0 ? arg - 1 : arg); lua_pop(L, 1))
        if (!lua_isinteger(L, -2) || lua_tointeger(L, -2) < 1 || (lua_Unsigned)lua_tointeger(L, -2) > n) {
            luaL_tolstring(L, -2, NULL);
            return binding_error(L, "%s must be a list {n1, n2, ...} without holes or names; it has a key %s",
                                 what, lua_tostring(L, -1));
        }
    return (int)n;
}
