/* Events of solves: from the options that scripts/tide/ode/events.lua has checked, and what happened as a
 * list. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "entry.h"
#include "ode.h"
#include "solver/event.h"
#include "solver/odeint.h"
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
        rule->change[0].apply = source->make(L, source->context, 0);
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

static void push_event(lua_State *L, const struct events *e, const struct event *event, enum dtype dtype,
                       const char *y, int64_t n)
{
    lua_createtable(L, 0, 6);
    struct value *v = value_push_empty(L);
    binding_check(L, tensor_new(&v->tensor, dtype, 1, &n));
    memcpy(v->tensor->array.data, y, array_bytes(&v->tensor->array));
    value_account(L, v);
    lua_setfield(L, -2, "y");
    entry_number(L, "t", event->t);
    entry_integer(L, "event", event->rule + 1);
    entry_integer(L, "direction", event->direction);
    if (!e->rules[event->rule].name[0]) return;
    entry_text(L, "name", e->rules[event->rule].name);
}

/* One event of a sample's, with what it is ordered by. */
struct happened {
    double when;
    int64_t sample, index;
};

static int by_time(const void *a, const void *b)
{
    const struct happened *x = a, *y = b;
    if (x->when != y->when) return x->when < y->when ? -1 : 1;
    if (x->sample != y->sample) return x->sample < y->sample ? -1 : 1;
    return x->index < y->index ? -1 : 1;
}

/* A list of the events of n samples, in order, in a userdata that is left on the stack. */
static struct happened *order_samples(lua_State *L, const struct solve_stats *stats,
                                      const struct event_log *logs, int64_t n, int64_t *count)
{
    int64_t at = *count = 0;
    for (int64_t i = 0; i < n; i++) *count += logs[i].count;
    struct happened *list = lua_newuserdatauv(L, (size_t)(*count + 1) * sizeof *list, 0);
    for (int64_t i = 0; i < n; i++) {
        double way = stats[i].t_end < stats[i].t_begin ? -1 : 1;
        for (int64_t k = 0; k < logs[i].count; k++)
            list[at++] = (struct happened){way * logs[i].log[k].t, i, k};
    }
    qsort(list, (size_t)*count, sizeof *list, by_time);
    return list;
}

void ends_push(lua_State *L, const struct solve_stats *stats, int64_t n)
{
    struct value *v = value_push_empty(L);
    binding_check(L, tensor_new(&v->tensor, FLOAT64, 1, &n));
    double *t = v->tensor->array.data;
    for (int64_t i = 0; i < n; i++) t[i] = stats ? stats[i].t_end : NAN;
    value_account(L, v);
    lua_setfield(L, -2, "t_end");
}

void events_push_samples(lua_State *L, const struct events *e, const struct solve_stats *stats,
                         const struct event_log *logs, int64_t n, int64_t width)
{
    int64_t count = 0;
    ends_push(L, stats, n);
    struct happened *list = logs ? order_samples(L, stats, logs, n, &count) : NULL;
    lua_newtable(L);
    for (int64_t i = 0; i < count; i++) {
        const struct event_log *log = &logs[list[i].sample];
        size_t at = (size_t)(list[i].index * width) * dtype_size(e->g->dtype);
        push_event(L, e, &log->log[list[i].index], e->g->dtype, log->states + at, width);
        entry_integer(L, "sample", list[i].sample + 1);
        lua_rawseti(L, -2, i + 1);
    }
    if (list) lua_remove(L, -2);
    lua_setfield(L, -2, "events");
}

void events_push(lua_State *L, const struct events *e, const struct solve_stats *stats)
{
    entry_number(L, "t_end", stats->t_end);
    lua_newtable(L);
    for (int64_t i = 0; i < e->count; i++) {
        push_event(L, e, &e->log[i], e->dtype, e->states + (size_t)i * e->bytes, e->n_state);
        lua_rawseti(L, -2, i + 1);
    }
    lua_setfield(L, -2, "events");
}

void events_push_of(lua_State *L, const struct odeint *op)
{
    const struct events *e = odeint_events(op);
    const struct solve_stats *counts;
    const struct event_log *logs;
    int64_t n;
    if (odeint_samples(op, &n, &counts, &logs))
        events_push_samples(L, e, counts, logs, n, n > 0 ? e->g->n / n : 0);
    else
        events_push(L, e, odeint_stats(op));
}
