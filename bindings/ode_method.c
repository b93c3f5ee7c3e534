/* Methods: the list for Lua, and those that come from Lua. */
#include <stdio.h>

#include "entry.h"
#include "modules.h"
#include "ode.h"
#include "solver/family.h"
#include "solver/options.h"

/* ---- from Lua ---- */

static int integer_field(lua_State *L, int table, const char *name)
{
    lua_getfield(L, table, name);
    int value = (int)lua_tointeger(L, -1);
    lua_pop(L, 1);
    return value;
}

/* The table at the top of the stack. */
static void row_values(lua_State *L, double *out, int n)
{
    for (int i = 0; i < n && lua_istable(L, -1); i++) {
        lua_rawgeti(L, -1, i + 1);
        out[i] = lua_tonumber(L, -1);
        lua_pop(L, 1);
    }
}

static void row_field(lua_State *L, int table, const char *name, double *out, int n)
{
    lua_getfield(L, table, name);
    row_values(L, out, n);
    lua_pop(L, 1);
}

/* A tableau checked by scripts/tide/ode/tableau.lua: {name, order, error_order, A, b, c, b_error}. */
static void user_tableau(lua_State *L, int table, struct method *method)
{
    struct tableau *m = &method->rk;
    *m = (struct tableau){.name = "user"};
    if (lua_getfield(L, table, "name") == LUA_TSTRING)
        snprintf(m->name, sizeof m->name, "%s", lua_tostring(L, -1));
    lua_pop(L, 1);
    m->order = integer_field(L, table, "order");
    m->error_order = integer_field(L, table, "error_order");
    row_field(L, table, "b", m->b, MAX_STAGES);
    row_field(L, table, "c", m->c, MAX_STAGES);
    row_field(L, table, "b_error", m->e, MAX_STAGES);
    lua_getfield(L, table, "b");
    m->stages = (int)lua_rawlen(L, -1);
    lua_pop(L, 1);
    if (m->stages < 1 || m->stages > MAX_STAGES)
        binding_error(L, "a tableau has 1 to %d stages, got %d", MAX_STAGES, m->stages);
    if (lua_getfield(L, table, "A") != LUA_TTABLE) binding_error(L, "a tableau has a table of rows A");
    for (int i = 0; i < m->stages; i++) {
        lua_rawgeti(L, -1, i + 1);
        row_values(L, m->a[i], MAX_STAGES);
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    method_of_tableau(method); /* is it implicit? */
    m->interpolation = m->implicit     ? INTERPOLATE_FITTED
                       : m->order <= 2 ? INTERPOLATE_QUADRATIC
                       : m->order <= 4 ? INTERPOLATE_HERMITE
                                       : INTERPOLATE_BOOTSTRAP;
    m->rounds = 4;
    if (m->implicit && !m->coupled && m->a[0][0] == 0) m->filter = m->a[m->stages - 1][m->stages - 1];
    method_of_tableau(method);
}

/* {alpha, beta, order} as scripts/tide/ode/multistep.lua found them; a_0 first, a_k is 1. */
static void user_multistep(lua_State *L, int table, struct method *method)
{
    struct multistep *m = &method->multistep;
    *method = (struct method){.rk = {.name = "user"}, .multistep = {.kind = MULTISTEP_GIVEN}};
    m->order = integer_field(L, table, "order");
    m->steps = integer_field(L, table, "steps");
    if (m->steps < 1 || m->steps > MULTISTEP_STEPS)
        binding_error(L, "a multistep method has 1 to %d steps, got %d", MULTISTEP_STEPS, m->steps);
    row_field(L, table, "alpha", m->alpha, MULTISTEP_STEPS + 1);
    row_field(L, table, "beta", m->beta, MULTISTEP_STEPS + 1);
    binding_check(L, method_of_multistep(method));
}

void method_read(lua_State *L, int index, struct method *method)
{
    if (!lua_istable(L, index))
        binding_check(L, method_find(luaL_checkstring(L, index), method));
    else if (lua_getfield(L, index, "alpha") == LUA_TTABLE)
        user_multistep(L, index, method);
    else
        user_tableau(L, index, method);
}

/* ---- the list ---- */

static void push_row(lua_State *L, const char *name, const double *values, int n)
{
    lua_createtable(L, n, 0);
    for (int i = 0; i < n; i++) {
        lua_pushnumber(L, values[i]);
        lua_rawseti(L, -2, i + 1);
    }
    if (name) lua_setfield(L, -2, name);
}

/* What the interpolant adds, {c =, A =}; f at the end is a stage with the weights b. Rows behind coupled
 * stages are implicit. */
static void push_extra(lua_State *L, const struct tableau *m)
{
    int end = !m->fsal && !m->coupled && m->extra > 0;
    lua_createtable(L, 0, 2);
    push_row(L, "c", m->extra_c, m->extra);
    lua_createtable(L, m->extra, 0);
    for (int e = 0; e < m->extra; e++) {
        push_row(L, NULL, m->extra_a[e], m->stages + e + m->coupled);
        lua_rawseti(L, -2, e + 1);
    }
    if (end) {
        push_row(L, NULL, m->b, m->stages);
        lua_rawseti(L, -2, 1);
    }
    lua_setfield(L, -2, "A");
    lua_setfield(L, -2, "extra");
}

static void push_coefficients(lua_State *L, const struct tableau *m, int multistep)
{
    if (!multistep) {
        push_row(L, "b", m->b, m->stages);
        push_row(L, "c", m->c, m->stages);
        push_extra(L, m);
    }
    if (m->adaptive) push_row(L, "b_error", m->e, m->stages);
    if (m->two_errors) push_row(L, "b_error_low", m->e_low, m->stages);
    if (m->e_start != 0) push_row(L, "b_error_start", &m->e_start, 1);
    if (m->gamma[0][0] != 0) {
        lua_createtable(L, m->stages, 0);
        for (int j = 0; j < m->stages; j++) {
            push_row(L, NULL, m->gamma[j], j + 1);
            lua_rawseti(L, -2, j + 1);
        }
        lua_setfield(L, -2, "gamma");
    }
    lua_createtable(L, m->stages, 0);
    for (int j = 0; j < m->stages; j++) {
        push_row(L, NULL, m->a[j], m->implicit ? m->stages : j);
        lua_rawseti(L, -2, j + 1);
    }
    lua_setfield(L, -2, multistep ? "begins" : "A");
}

/* The highest is the order of a row; of a method that comes in several also the least, and what it has unless
 * told. */
static void push_orders(lua_State *L, const struct method *m)
{
    int least, highest;
    method_orders(m, &least, &highest);
    entry_integer(L, "order", highest);
    entry_flag(L, "varies", m->multistep.kind == MULTISTEP_ADAMS || m->pair[1]);
    if (m->multistep.kind == MULTISTEP_NONE) return;
    if (m->multistep.kind == MULTISTEP_ADAMS) return;
    if (m->multistep.kind == MULTISTEP_BDF) entry_integer(L, "varying_order", 5);
    entry_integer(L, "least_order", least);
    entry_integer(L, "default_order", m->multistep.order);
}

/* What the method can do, from its family and its coefficients. */
static void push_abilities(lua_State *L, const struct method *m)
{
    entry_flag(L, "implicit", method_implicit(m));
    entry_flag(L, "adaptive", m->rk.adaptive);
    entry_text(L, "kind", m->rk.adaptive ? "adaptive" : "fixed");
    entry_flag(L, "dense", m->rk.dense_order > 0);
    entry_integer(L, "dense_order", m->rk.dense_order);
    entry_text(L, "stability", m->rk.stability[0] ? m->rk.stability : m->family->stability);
    lua_newtable(L);
    for (int kind = 0, n = 0; solve_gradient_name(kind); kind++) {
        if (!solve_has_gradient(m, kind)) continue;
        lua_pushstring(L, solve_gradient_name(kind));
        lua_rawseti(L, -2, ++n);
    }
    lua_setfield(L, -2, "gradients");
}

/* Evaluations of a step. */
static int stages_of(const struct method *m)
{
    return m->multistep.kind == MULTISTEP_NONE ? m->rk.stages : 1 + m->multistep.predicts;
}

/* ode_methods() -> list of methods; those of multistep methods have no tableau. */
static int ode_methods(lua_State *L)
{
    lua_createtable(L, method_count(), 0);
    for (int i = 0; i < method_count(); i++) {
        struct method method;
        method_get(i, &method);
        lua_createtable(L, 0, 16);
        entry_text(L, "family", method.family->name);
        entry_text(L, "name", method.rk.name);
        push_orders(L, &method);
        entry_integer(L, "error_order", method.rk.error_order);
        entry_integer(L, "stages", stages_of(&method));
        entry_flag(L, "fsal", method.rk.fsal);
        push_abilities(L, &method);
        if (method.rk.carries == 0 && !method.family->parts && !method.pair[1])
            push_coefficients(L, &method.rk, method.multistep.kind != MULTISTEP_NONE);
        lua_rawseti(L, -2, i + 1);
    }
    return 1;
}

/* ode_dense_weights(a method with a tableau, theta) -> weights of its stages and extra rows, per h. */
static int ode_dense_weights(lua_State *L)
{
    struct method method;
    double w[MAX_K];
    method_read(L, 1, &method);
    push_row(L, NULL, w, tableau_interpolate(&method.rk, luaL_checknumber(L, 2), w));
    return 1;
}

/* multistep_past(method, order or nil) -> how many states behind y0 its formula has to begin with */
static int multistep_past(lua_State *L)
{
    struct method method;
    method_read(L, 1, &method);
    if (!lua_isnoneornil(L, 2)) binding_check(L, method_order(&method, (int)luaL_checkinteger(L, 2)));
    lua_pushinteger(L, method.multistep.past);
    return 1;
}

static const luaL_Reg functions[] = {{"ode_methods", ode_methods},
                                     {"ode_dense_weights", ode_dense_weights},
                                     {"multistep_past", multistep_past},
                                     {NULL, NULL}};

void open_ode_method(lua_State *L) { luaL_setfuncs(L, functions, 0); }
