/* Options of solves: the table of core/solver/options.c for Lua, and a Lua table as a struct. */
#include <string.h>

#include "entry.h"
#include "modules.h"
#include "ode.h"
#include "value.h"

static void *member(const struct solve_option *row, const struct solve_options *o)
{
    return (char *)o + row->offset;
}

/* ---- Lua table to struct ---- */

static int place_of(const char *word, const char *const *choices)
{
    for (int i = 0; word && choices[i]; i++)
        if (strcmp(choices[i], word) == 0) return i;
    return -1;
}

/* The option at the top of the stack. */
static void read_option(lua_State *L, const struct solve_option *row, void *at)
{
    int place;
    if (row->also && !lua_isnumber(L, -1) && !lua_isstring(L, -1)) return; /* code of its own does */
    switch (row->kind) {
    case OPTION_NUMBER: *(double *)at = lua_tonumber(L, -1); return;
    case OPTION_INTEGER: *(int64_t *)at = lua_tointeger(L, -1); return;
    case OPTION_FLAG: *(int *)at = lua_toboolean(L, -1); return;
    case OPTION_CHOICE:
        place = place_of(lua_tostring(L, -1), row->choices);
        if (place < 0) binding_error(L, "odeint: option %s has no such value", row->name);
        memcpy(at, &place, row->size);
        return;
    case OPTION_OTHER: return;
    }
}

/* The times that must be hit, sorted by scripts/tide/ode/options.lua; they stay on the stack, which keeps
 * them. */
static void read_stops(lua_State *L, int table, struct solve_options *o)
{
    lua_getfield(L, table, "hit_times");
    lua_getfield(L, table, "hit_jumps");
    size_t n = lua_istable(L, -2) ? lua_rawlen(L, -2) : 0;
    struct stop *stops = lua_newuserdatauv(L, n * sizeof *stops, 0);
    for (size_t i = 0; i < n; i++) {
        lua_rawgeti(L, -3, (lua_Integer)i + 1);
        lua_rawgeti(L, -3, (lua_Integer)i + 1);
        stops[i] = (struct stop){lua_tonumber(L, -2), lua_toboolean(L, -1)};
        lua_pop(L, 2);
    }
    o->stops = stops;
    o->n_stops = (int64_t)n;
}

/* The order of a named multistep method, and the states that it begins with, which stay on the stack. */
static void read_multistep(lua_State *L, int table, struct method *m)
{
    if (m->multistep.kind == MULTISTEP_NONE) return;
    if (lua_getfield(L, table, "order") == LUA_TNUMBER && m->multistep.kind != MULTISTEP_GIVEN)
        binding_check(L, method_order(m, (int)lua_tointeger(L, -1)));
    lua_pop(L, 1);
    if (lua_getfield(L, table, "start_states") == LUA_TNIL) return;
    m->multistep.start = tensor_check(L, lua_gettop(L))->array.data;
}

/* A controller that is numbers. */
static void read_controller(lua_State *L, int table, struct controller *c)
{
    if (lua_getfield(L, table, "controller") == LUA_TTABLE) {
        c->kind = CONTROLLER_OWN;
        for (int i = 0; i < 3; i++) {
            lua_rawgeti(L, -1, i + 1);
            c->k[i] = lua_tonumber(L, -1);
            lua_pop(L, 1);
        }
    }
    lua_pop(L, 1);
}

/* The method and the norm of a continuous adjoint that has its own. */
static void read_adjoint(lua_State *L, int table, struct solve_options *o)
{
    static const char *const norms[] = {[ADJOINT_NORM_SEMINORM] = "seminorm",
                                        [ADJOINT_NORM_PART] = "part",
                                        [ADJOINT_NORM_BATCH] = "batch",
                                        [ADJOINT_NORM_SAMPLE] = "sample"};
    int top = lua_gettop(L);
    if (lua_getfield(L, table, "adjoint") == LUA_TTABLE) {
        if (lua_getfield(L, top + 1, "method") != LUA_TNIL) {
            method_read(L, top + 2, &o->adjoint_method);
            if (o->adaptive) method_vary(&o->adjoint_method);
        }
        lua_settop(L, top + 1);
        lua_getfield(L, top + 1, "norm");
        for (int i = ADJOINT_NORM_SEMINORM; i <= ADJOINT_NORM_SAMPLE; i++)
            if (lua_isstring(L, -1) && strcmp(lua_tostring(L, -1), norms[i]) == 0) o->adjoint_norm = i;
    }
    lua_settop(L, top);
}

void solve_options_read(lua_State *L, int table, struct solve_options *o)
{
    const struct solve_option *row;
    memset(o, 0, sizeof *o);
    lua_getfield(L, table, "method");
    int method = lua_gettop(L);
    method_read(L, method, &o->method);
    lua_settop(L, method - 1);
    read_multistep(L, table, &o->method);
    for (int i = 0; (row = solve_option(i)); i++) {
        if (row->size == 0) continue;
        if (lua_getfield(L, table, row->name) != LUA_TNIL)
            read_option(L, row, member(row, o));
        else if (row->preset || row->same_as)
            binding_error(L, "odeint: option %s is missing: the options were not checked", row->name);
        lua_pop(L, 1);
    }
    read_controller(L, table, &o->controller);
    lua_getfield(L, table, "ends_at_event");
    o->ends_at_event = lua_toboolean(L, -1);
    lua_pop(L, 1);
    if (o->step_size == 0 && o->steps == 0) method_vary(&o->method);
    solve_options_derive(o);
    read_adjoint(L, table, o);
    read_stops(L, table, o);
}

/* ---- struct to Lua table ---- */

/* Returns 0, with nothing pushed, for a number, or a choice without a preset, that was not given. */
static int push_option(lua_State *L, const struct solve_option *row, const void *at)
{
    double number = row->kind == OPTION_NUMBER    ? *(const double *)at
                    : row->kind == OPTION_INTEGER ? (double)*(const int64_t *)at
                    : row->kind == OPTION_CHOICE  ? *(const int *)at
                                                  : 1;
    if (number == 0 && !row->preset && !row->same_as) return 0;
    switch (row->kind) {
    case OPTION_NUMBER: lua_pushnumber(L, number); break;
    case OPTION_INTEGER: lua_pushinteger(L, *(const int64_t *)at); break;
    case OPTION_FLAG: lua_pushboolean(L, *(const int *)at); break;
    case OPTION_CHOICE: lua_pushstring(L, row->choices[*(const int *)at]); break; /* nil: one of its own */
    case OPTION_OTHER: return 0;
    }
    return 1;
}

void solve_options_push(lua_State *L, const struct solve_options *o)
{
    const struct solve_option *row;
    lua_createtable(L, 0, 24);
    entry_text(L, "method", o->method.rk.name);
    for (int i = 0; (row = solve_option(i)); i++)
        if (row->size > 0 && push_option(L, row, member(row, o))) lua_setfield(L, -2, row->name);
}

/* ---- the table ---- */

static void set_preset(lua_State *L, const char *name, const struct solve_option *row, const char *text)
{
    if (!text) return;
    if (row->kind == OPTION_FLAG)
        lua_pushboolean(L, strcmp(text, "true") == 0);
    else if (row->kind == OPTION_CHOICE || row->kind == OPTION_OTHER || !lua_stringtonumber(L, text))
        lua_pushstring(L, text);
    lua_setfield(L, -2, name);
}

static void set_range(lua_State *L, const struct solve_option *row)
{
    if (row->low == row->high) return;
    entry_number(L, "low", row->low);
    entry_number(L, "high", row->high);
    entry_flag(L, "open", row->open);
}

static void set_choices(lua_State *L, const struct solve_option *row)
{
    if (!row->choices) return;
    lua_newtable(L);
    for (int i = 0; row->choices[i]; i++) {
        lua_pushstring(L, row->choices[i]);
        lua_rawseti(L, -2, i + 1);
    }
    lua_setfield(L, -2, "choices");
}

/* solve_options() -> list of {name, heading, help, type, also, default, default_fixed, same_as, low, high,
 * open, choices, grid = "uses", "ignores" or "refuses"} */
static int solve_options(lua_State *L)
{
    static const char *const types[] = {[OPTION_NUMBER] = "number",
                                        [OPTION_INTEGER] = "integer",
                                        [OPTION_FLAG] = "boolean",
                                        [OPTION_CHOICE] = "string"};
    static const char *const grids[] = {
        [GRID_USES] = "uses", [GRID_IGNORES] = "ignores", [GRID_REFUSES] = "refuses"};
    const struct solve_option *row;
    lua_newtable(L);
    for (int i = 0; (row = solve_option(i)); i++) {
        lua_createtable(L, 0, 13);
        entry_text(L, "name", row->name);
        entry_text(L, "heading", row->heading);
        entry_text(L, "help", row->help);
        entry_text(L, "type", row->kind == OPTION_OTHER ? row->type : types[row->kind]);
        set_preset(L, "default", row, row->preset);
        set_preset(L, "default_fixed", row, row->preset_fixed);
        entry_text(L, "also", row->also);
        entry_text(L, "same_as", row->same_as);
        set_range(L, row);
        set_choices(L, row);
        entry_text(L, "grid", grids[row->grid]);
        lua_rawseti(L, -2, i + 1);
    }
    return 1;
}

/* smallest_rtol(dtype) */
static int smallest_rtol(lua_State *L)
{
    lua_pushnumber(L, norm_smallest_rtol(dtype_check(L, 1, FLOAT32)));
    return 1;
}

static const luaL_Reg functions[] = {
    {"solve_options", solve_options}, {"smallest_rtol", smallest_rtol}, {NULL, NULL}};

void open_ode_options(lua_State *L) { luaL_setfuncs(L, functions, 0); }
