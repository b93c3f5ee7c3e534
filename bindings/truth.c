/* Comparisons in conditions. Lua has no truth metamethod: in `if x:gt(0) then` a tensor is true whatever it
 * holds. So a comparison looks at the instruction that waits for its result. Where that provably is a test
 * (if, while, until, not, and, or, assert), the result becomes what is meant: a boolean for one element, an
 * error for more, an error for a tensor that is being recorded. Where nothing is proven nothing is done.
 *
 * What call_site.c finds is kept by function and line, so that it costs two look-ups. A trial at the first
 * use switches all of it off for a Lua whose instructions are not those of 5.4. */
#include "truth.h"

#include <string.h>

#include "binding.h"
#include "call_site.h"
#include "entry.h"
#include "modules.h"
#include "value.h"

/* ---- the trial ---- */

static int trial_fits(lua_State *L, const char *code, enum verdict expected)
{
    enum verdict got = AMBIGUOUS;
    if (luaL_loadbufferx(L, code, strlen(code), "=trial", "t") == LUA_OK)
        got = call_site_judge(L, &(struct call_site){"gt", 2, -1});
    lua_pop(L, 1);
    return got == expected;
}

static int is_lua_known(lua_State *L)
{
    return trial_fits(L, "local x, y = ...\nif x:gt(y) then return x end\nreturn y", CONDITION) &&
           trial_fits(L, "local x, y = ...\nlocal z = y.m and not y.gt(x)\nreturn z", CONDITION) &&
           trial_fits(L, "local x, y = ...\nlocal z = x:gt(y) or y\nreturn z", CONDITION) &&
           trial_fits(L, "local x, y = ...\nlocal z = x.lt(gt, 1) and x:gt(y)\nif z then return x end",
                      UNKNOWN) &&
           trial_fits(L, "local x, y = ...\nassert(x:gt(y))\nreturn x", ASSERTED) &&
           trial_fits(L, "local x, y = ...\nreturn x:gt(y)", RETURNED) &&
           trial_fits(L, "local x, y = ...\ny(2, x:gt(y))", UNKNOWN);
}

/* ---- what is known, by function ---- */

static const char cache_key, assert_key;

/* Push the table that leads from functions, which it does not keep alive, to what is known of their lines;
 * nil when this Lua is not known. */
static void push_cache(lua_State *L)
{
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &cache_key) != LUA_TNIL) return;
    lua_pop(L, 1);
    if (is_lua_known(L)) {
        lua_newtable(L);
        lua_createtable(L, 0, 1);
        entry_text(L, "__mode", "k");
        lua_setmetatable(L, -2);
    } else {
        lua_pushboolean(L, 0);
    }
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &cache_key);
}

/* The register of the running call in this frame: the values that lie below it are the frame's variables. */
static int call_register(lua_State *L, const lua_Debug *frame)
{
    int low = 0, high = 256; /* lua_getlocal finds `low`, not `high` */
    while (high - low > 1) {
        int middle = (low + high) / 2;
        if (lua_getlocal(L, frame, middle)) {
            lua_pop(L, 1);
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

/* The verdict about a site of the function on top, with the table of its lines below it; comparisons have an
 * id, which is quick to look up. */
static enum verdict recall(lua_State *L, const struct call_site *s, int id)
{
    int function = lua_gettop(L), lines = function - 1;
    if (id >= 0 && s->reg < 0)
        lua_pushinteger(L, (lua_Integer)s->line * TRUTH_IDS + id);
    else
        lua_pushfstring(L, "%d %s %d", s->line, s->name ? s->name : "", s->reg);
    lua_pushvalue(L, -1);
    if (lua_rawget(L, lines) != LUA_TNUMBER) {
        lua_pushvalue(L, function);
        lua_pushinteger(L, call_site_judge(L, s));
        lua_replace(L, -3);
        lua_settop(L, function + 2);
        lua_pushvalue(L, -2);
        lua_pushvalue(L, -2);
        lua_rawset(L, lines);
    }
    enum verdict verdict = (enum verdict)lua_tointeger(L, function + 2);
    lua_settop(L, function);
    return verdict;
}

static enum verdict look_up(lua_State *L, const lua_Debug *frame, const char *name, int id)
{
    struct call_site s = {name, frame->currentline, -1};
    enum verdict verdict = recall(L, &s, id);
    if (verdict != AMBIGUOUS) return verdict;
    s.reg = call_register(L, frame);
    return recall(L, &s, id);
}

static enum verdict verdict_of(lua_State *L, lua_Debug *frame, const char *name, int id)
{
    int top = lua_gettop(L);
    enum verdict verdict = UNKNOWN;
    if (!lua_checkstack(L, 16) || !lua_getinfo(L, "lf", frame)) return UNKNOWN;
    if (frame->currentline > 0 && !lua_iscfunction(L, -1)) {
        push_cache(L); /* function, cache */
        if (lua_istable(L, -1)) {
            lua_pushvalue(L, -2);
            if (lua_rawget(L, -2) != LUA_TTABLE) {
                lua_pop(L, 1);
                lua_newtable(L);
                lua_pushvalue(L, -3);
                lua_pushvalue(L, -2);
                lua_rawset(L, -4);
            }
            lua_pushvalue(L, top + 1);
            verdict = look_up(L, frame, name, id);
        }
    }
    lua_settop(L, top);
    return verdict;
}

/* Is the function that gets the result as its argument Lua's assert? */
static int is_assert(lua_State *L, const lua_Debug *frame)
{
    if (!lua_getlocal(L, frame, call_register(L, frame))) return 0;
    lua_rawgetp(L, LUA_REGISTRYINDEX, &assert_key);
    int same = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return same;
}

static int is_condition(lua_State *L, const char *name, int id)
{
    lua_Debug frame;
    for (int level = 1; level < 8 && lua_getstack(L, level, &frame); level++) {
        switch (verdict_of(L, &frame, name, id)) {
        case CONDITION: return 1;
        case ASSERTED: return is_assert(L, &frame);
        case RETURNED: break; /* then ask who called the function that returns it */
        default: return 0;
        }
        if (!lua_getinfo(L, "nu", &frame) || frame.isvararg)
            return 0; /* such a frame hides the register of its call */
        name = frame.name;
        id = -1;
    }
    return 0;
}

int truth_settle(lua_State *L, const char *name, int id)
{
    if (value_test(L, -1) && is_condition(L, name, id)) truth_force(L, name, name);
    return 1;
}

int truth_force(lua_State *L, const char *what, const char *name)
{
    const struct value *v = value_test(L, -1);
    char text[SHAPE_TEXT];
    if (!v) return 1;
    const struct array *a = &tensor_check(L, lua_gettop(L))->array;
    if (array_numel(a) != 1)
        return binding_error(L,
                             "%s: a condition (if, while, not, and, or) needs one truth value, and this "
                             "comparison gives a tensor of shape %s; "
                             "compare element by element with x:%s(y) and ask :all() or :any() of that, or "
                             "choose with tide.where(x:%s(y), a, b)",
                             what, array_shape_text(a, text), name, name);
    lua_pushboolean(L, array_get(a, 0) != 0);
    return 1;
}

void open_truth(lua_State *L)
{
    lua_getglobal(L, "assert");
    lua_rawsetp(L, LUA_REGISTRYINDEX, &assert_key);
}
