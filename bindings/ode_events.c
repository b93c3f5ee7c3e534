/* Events of solves: from the options that scripts/tide/ode/events.lua has checked, and what happened as a
 * list. */
#include <stdio.h>
#include <string.h>

#include "ode.h"
#include "solver/event.h"
#include "value.h"

#define EVENTS_TYPE "tide.Events"

static int events_collect(lua_State *L)
{
    struct events **box = luaL_checkudata(L, 1, EVENTS_TYPE);
    events_free(*box);
    *box = NULL;
    return 0;
}

static struct events **push_box(lua_State *L)
{
    struct events **box = lua_newuserdatauv(L, sizeof *box, 0);
    *box = NULL;
    if (luaL_newmetatable(L, EVENTS_TYPE)) {
        lua_pushcfunction(L, events_collect);
        lua_setfield(L, -2, "__gc");
    }
    lua_setmetatable(L, -2);
    return box;
}

/* The rule at the top of the stack, which is taken off it; what its function lives in stays there. */
static void read_rule(lua_State *L, struct event_rule *rule, const struct event_source *source)
{
    lua_getfield(L, -1, "direction");
    lua_getfield(L, -2, "terminal");
    lua_getfield(L, -3, "name");
    rule->direction = (int)lua_tointeger(L, -3);
    rule->terminal = lua_tointeger(L, -2);
    snprintf(rule->name, sizeof rule->name, "%s", lua_isnil(L, -1) ? "" : lua_tostring(L, -1));
    lua_pop(L, 3);
    lua_getfield(L, -1, "apply");
    lua_remove(L, -2);
    if (lua_isnil(L, -1))
        lua_pop(L, 1);
    else
        rule->apply = source->make(L, source->context, 0);
}

struct events **events_read(lua_State *L, int options, const struct event_source *source)
{
    if (lua_getfield(L, options, "event_rules") != LUA_TTABLE) {
        lua_pop(L, 1);
        return NULL;
    }
    int rules = lua_gettop(L), n = (int)lua_rawlen(L, rules);
    struct events **box = push_box(L);
    luaL_checkstack(L, 8 + n * (1 + source->keeps), "odeint: events");
    binding_check(L, events_new(box, n));
    for (int i = 0; i < n; i++) {
        lua_rawgeti(L, rules, i + 1);
        read_rule(L, &(*box)->rules[i], source);
    }
    lua_getfield(L, options, "event_values");
    (*box)->g = source->make(L, source->context, n);
    return box;
}

/* ---- what happened ---- */

static void push_event(lua_State *L, const struct events *e, int64_t i)
{
    const struct event *event = &e->log[i];
    lua_createtable(L, 0, 5);
    struct value *v = value_push_empty(L);
    binding_check(L, tensor_new(&v->tensor, e->dtype, 1, &e->n_state));
    memcpy(v->tensor->array.data, e->states + (size_t)i * e->bytes, e->bytes);
    value_account(L, v);
    lua_setfield(L, -2, "y");
    lua_pushnumber(L, event->t);
    lua_setfield(L, -2, "t");
    lua_pushinteger(L, event->rule + 1);
    lua_setfield(L, -2, "event");
    lua_pushinteger(L, event->direction);
    lua_setfield(L, -2, "direction");
    if (!e->rules[event->rule].name[0]) return;
    lua_pushstring(L, e->rules[event->rule].name);
    lua_setfield(L, -2, "name");
}

void events_push(lua_State *L, const struct events *e, const struct solve_stats *stats)
{
    lua_pushnumber(L, stats->t_end);
    lua_setfield(L, -2, "t_end");
    lua_newtable(L);
    for (int64_t i = 0; i < e->count; i++) {
        push_event(L, e, i);
        lua_rawseti(L, -2, i + 1);
    }
    lua_setfield(L, -2, "events");
}
