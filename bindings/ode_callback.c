/* Fields that call Lua at each evaluation (eager, plain).
 *
 * An error in the callback unwinds through the solver by Lua's longjmp, so that its value and traceback stay
 * as they are; that is safe because everything a solve allocates is owned by the userdata below. */
#include <string.h>

#include "kernels/elementwise.h"
#include "call_lua.h"
#include "modules.h"
#include "ode.h"
#include "solver/times.h"
#include "value.h"

#define CALLBACK_TYPE "tide.CallbackField"

/* The function is in the registry, at the address of its field: calls come from other frames, too. */
struct callback_field {
    struct field base;
    const char *what; /* it is called in messages */
    int n_values;     /* it returns so many numbers; 0: something like the state */
    int plain;        /* plain arrays of numbers rather than tensors */
    struct solver solver;
};

static int callback_collect(lua_State *L)
{
    struct callback_field *f = luaL_checkudata(L, 1, CALLBACK_TYPE);
    solver_release(&f->solver);
    lua_pushnil(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, f);
    return 0;
}

static void push_state(struct callback_field *f, const void *y)
{
    lua_State *L = call_lua_state();
    if (f->plain) {
        lua_createtable(L, (int)f->base.n, 0);
        for (int64_t i = 0; i < f->base.n; i++) {
            lua_pushnumber(L, ((const double *)y)[i]);
            lua_rawseti(L, -2, i + 1);
        }
        return;
    }
    struct value *v = value_push_empty(L);
    binding_check(L, tensor_new(&v->tensor, f->base.dtype, 1, &f->base.n));
    memcpy(v->tensor->array.data, y, array_bytes(&v->tensor->array));
    value_account(L, v);
}

static void read_plain(struct callback_field *f, double t, double *dy)
{
    lua_State *L = call_lua_state();
    if (!lua_istable(L, -1) || (int64_t)lua_rawlen(L, -1) != f->base.n)
        binding_error(
            L, "odeint: %s must return an array of %d numbers, got %s at t = %f after %d evaluations%s",
            f->what, (int)f->base.n, lua_istable(L, -1) ? "one of another length" : luaL_typename(L, -1), t,
            (int)f->base.nfe,
            lua_isnil(L, -1)      ? "; does f end with return?"
            : lua_isnumber(L, -1) ? "; with plain = true write return {value}"
                                  : "");
    for (int64_t i = 0; i < f->base.n; i++) {
        if (lua_rawgeti(L, -1, i + 1) != LUA_TNUMBER)
            binding_error(L,
                          "odeint: element %d of what %s returned is a %s, not a number, at t = %f after %d "
                          "evaluations",
                          (int)i + 1, f->what, luaL_typename(L, -1), t, (int)f->base.nfe);
        dy[i] = lua_tonumber(L, -1);
        lua_pop(L, 1);
    }
}

static enum status callback_eval(struct field *self, double t, const void *y, void *dy)
{
    struct callback_field *f = (struct callback_field *)self;
    lua_State *L = call_lua_state();
    luaL_checkstack(L, 8, "odeint");
    lua_rawgetp(L, LUA_REGISTRYINDEX, f);
    lua_pushnumber(L, t);
    push_state(f, y);
    lua_call(L, 2, 1);
    call_lua_in(L);
    if (f->plain) {
        read_plain(f, t, dy);
    } else { /* ode.lua's wrapper has flattened and checked it */
        const struct array *a = &tensor_check(L, -1)->array;
        if (a->dtype != f->base.dtype || array_numel(a) != f->base.n)
            binding_error(L, "odeint: %s returned %d elements of %s, expected %d of %s", f->what,
                          (int)array_numel(a), dtype_name(a->dtype), (int)f->base.n,
                          dtype_name(f->base.dtype));
        array_copy_dense(a, dy);
    }
    lua_pop(L, 1);
    return STATUS_OK;
}

/* The functions of all events at once, as scripts/tide/ode/events.lua has joined them. */
static enum status callback_values(struct field *self, double t, const void *y, void *values)
{
    struct callback_field *f = (struct callback_field *)self;
    lua_State *L = call_lua_state();
    luaL_checkstack(L, 8 + f->n_values, "odeint: events");
    lua_rawgetp(L, LUA_REGISTRYINDEX, f);
    lua_pushnumber(L, t);
    push_state(f, y);
    lua_call(L, 2, f->n_values);
    call_lua_in(L);
    for (int i = 0; i < f->n_values; i++) ((double *)values)[i] = lua_tonumber(L, i - f->n_values);
    lua_pop(L, f->n_values);
    return STATUS_OK;
}

static void callback_free(struct field *self) { (void)self; } /* the userdata is the collector's */

static struct callback_field *push_callback(lua_State *L, int function, int plain, const struct array *y0)
{
    struct callback_field *f = lua_newuserdatauv(L, sizeof *f, 0);
    memset(f, 0, sizeof *f);
    luaL_setmetatable(L, CALLBACK_TYPE);
    static const struct field_type type = {
        .name = "a callback (eager or plain)", .eval = callback_eval, .free = callback_free};
    f->base = (struct field){.type = &type, .n = y0->shape[0], .dtype = y0->dtype};
    lua_pushvalue(L, function);
    lua_rawsetp(L, LUA_REGISTRYINDEX, f);
    f->plain = plain;
    f->what = "f";
    return f;
}

/* The function at the top, and above it the userdata of its field. */
struct callback_problem {
    const struct array *y0;
    int plain;
};
static struct field *field_of_function(lua_State *L, void *context, int n)
{
    static const struct field_type values = {
        .name = "functions of events", .eval = callback_values, .free = callback_free};
    const struct callback_problem *p = context;
    struct callback_field *f = push_callback(L, lua_gettop(L), p->plain, p->y0);
    f->what = "apply of an event";
    f->n_values = n;
    if (n > 0) f->base.type = &values;
    return &f->base;
}

/* odeint_callback(f, plain, y0, times, options, sizes, batch) -> flat states, stats. y0 is float64 when
 * plain. */
static int odeint_callback(lua_State *L)
{
    struct problem p;
    struct solve_stats stats;
    tensor_check(L, 3);
    tensor_check(L, 4);
    problem_read(L, &p);
    const double *times = p.times->data;
    int64_t n = p.y0->shape[0], n_times = p.times->shape[0];
    binding_check(L, p.options.ends_at_event ? times_check_open(times) : times_check(times, n_times));
    int result = lua_gettop(L) + 1;
    struct value *v = value_push_empty(L);
    binding_check(L, tensor_new(&v->tensor, p.y0->dtype, 1, (int64_t[]){n_times * n}));
    value_account(L, v);
    struct callback_problem problem = {p.y0, lua_toboolean(L, 2)};
    struct events **events =
        events_read(L, 5, &(struct event_source){.make = field_of_function, .context = &problem, .keeps = 2});
    if (events) p.options.events = *events;
    struct callback_field *f = push_callback(L, 1, problem.plain, p.y0);
    if (p.stepping) {
        struct field **field;
        struct stepper *stepper = stepper_push(L, &p, &field);
        *field = &f->base;
        return stepper_finish(L, stepper, 0, NULL);
    }
    call_lua_in(L);
    binding_check(L, solve(&f->solver, &f->base, &p.options, &p.layout, p.y0->data, times, n_times,
                           v->tensor->array.data, NULL, &stats));
    lua_pushvalue(L, result);
    stats_push(L, &stats);
    if (events) events_push(L, *events, &stats);
    return 2;
}

/* initial_step(f, t0, y0, p, rtol, atol): Hairer's starting step for an error estimate of order p; f runs on
 * concrete tensors. */
static int initial_step(lua_State *L)
{
    const struct array *y0 = vector_check(L, &tensor_check(L, 3)->array, "the state", 0);
    struct solve_options o = {.rtol = luaL_checknumber(L, 5),
                              .atol = luaL_checknumber(L, 6),
                              .controller = {.exponent = 1 / (luaL_checknumber(L, 4) + 1)}};
    struct state_layout layout = {.n_parts = 1, .size = {y0->shape[0]}, .controlled = y0->shape[0]};
    double t0 = luaL_checknumber(L, 2), h;
    struct callback_field *f = push_callback(L, 1, 0, y0);
    struct method two_slopes;
    binding_check(L, method_find("heun", &two_slopes));
    binding_check(L, solver_reserve(&f->solver, y0->shape[0], y0->dtype, &two_slopes));
    struct solver *s = &f->solver;
    memcpy(s->carry[0], y0->data, array_bytes(y0));
    call_lua_in(L);
    binding_check(L, field_eval(&f->base, t0, s->carry[0], s->k[0].v));
    binding_check(L, solve_initial_step(&f->base, &layout, &o, t0, s->carry[0], s->k[0].v, 1, NULL,
                                        s->next[0], s->k[1].v, &h));
    lua_pushnumber(L, h);
    return 1;
}

static const luaL_Reg functions[] = {
    {"odeint_callback", odeint_callback}, {"initial_step", initial_step}, {NULL, NULL}};

void open_ode_callback(lua_State *L)
{
    luaL_setfuncs(L, functions, 0);
    binding_type(L, CALLBACK_TYPE, callback_collect, NULL);
}
