/* What a solve needs of Lua while it runs: functions that it calls, and numbers in tensors. They are kept as
 * long as a solve with these options exists, and nothing else is: what else the checked options hold, a
 * quadrature say, may know the recording that the solve is a part of, and would keep it for ever. */
#include <math.h>
#include <string.h>

#include "autodiff/op.h"
#include "base/memory.h"
#include "call_lua.h"
#include "kernels/elementwise.h"
#include "modules.h"
#include "ode.h"
#include "solver/march.h"
#include "value.h"

#define KEEP_TYPE "tide.SolveKeep"
#define VIEW_TYPE "tide.StepView"

static const char *const kept_names[] = {"norm_function", "jacobian_function", "rtol_each",
                                         "atol_each",     "step_function",     "path_handle"};
enum { KEPT = sizeof kept_names / sizeof *kept_names };

struct keep {
    struct object base;
    lua_State *main;
    int options; /* reference to the table of what is kept, in the registry */
    struct norm_own norm;
    struct jacobian_own jacobian;
    struct observer on_step;
    struct step_call *call; /* on_step is being called */
    int64_t calls;
};

static void keep_free(struct object *self)
{
    struct keep *k = (struct keep *)self;
    luaL_unref(k->main, LUA_REGISTRYINDEX, k->options);
    memory_free(k);
}

static int keep_collect(lua_State *L)
{
    struct keep **box = luaL_checkudata(L, 1, KEEP_TYPE);
    if (*box) object_release(&(*box)->base);
    *box = NULL;
    return 0;
}

/* Pushes a userdata that owns a new one, of the table at index `options`. */
static struct keep *push_keep(lua_State *L, int options)
{
    struct keep **box = lua_newuserdatauv(L, sizeof(struct keep *), 0);
    *box = NULL;
    luaL_setmetatable(L, KEEP_TYPE);
    lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
    lua_State *main = lua_tothread(L, -1);
    lua_pop(L, 1);
    lua_createtable(L, 0, KEPT);
    for (int i = 0; i < KEPT; i++) {
        lua_getfield(L, options, kept_names[i]);
        lua_setfield(L, -2, kept_names[i]);
    }
    int reference = luaL_ref(L, LUA_REGISTRYINDEX);
    *box = memory_zalloc(1, sizeof **box);
    if (!*box) {
        luaL_unref(L, LUA_REGISTRYINDEX, reference);
        binding_check(L, memory_status());
    }
    (*box)->base = (struct object){1, keep_free};
    (*box)->main = main;
    (*box)->options = reference;
    return *box;
}

/* ---- a norm ---- */

struct norm_call {
    const struct keep *keep;
    int64_t n;
    enum dtype dtype;
    const void *error, *scale;
    double *norm;
};

static void push_vector(lua_State *L, enum dtype dtype, int64_t n, const void *numbers)
{
    struct value *v = value_push_empty(L);
    binding_check(L, tensor_new(&v->tensor, dtype, 1, &n));
    memcpy(v->tensor->array.data, numbers, array_bytes(&v->tensor->array));
    value_account(L, v);
}

static int call_norm(lua_State *L)
{
    const struct norm_call *c = lua_touserdata(L, 1);
    lua_rawgeti(L, LUA_REGISTRYINDEX, c->keep->options);
    lua_getfield(L, -1, "norm_function");
    push_vector(L, c->dtype, c->n, c->error);
    push_vector(L, c->dtype, c->n, c->scale);
    lua_call(L, 2, 1);
    *c->norm = lua_tonumber(L, -1);
    return 0;
}

static enum status norm_of_lua(struct norm_own *self, int64_t n, enum dtype dtype, const void *error,
                               const void *scale, double *norm)
{
    const struct keep *k = (const struct keep *)((const char *)self - offsetof(struct keep, norm));
    struct norm_call call = {k, n, dtype, error, scale, norm};
    return call_lua("norm", call_norm, &call);
}

/* ---- a Jacobian ---- */

struct jacobian_call {
    const struct keep *keep;
    int64_t n;
    enum dtype dtype;
    double t;
    const void *y;
    void *out;
};

static int call_jacobian(lua_State *L)
{
    const struct jacobian_call *c = lua_touserdata(L, 1);
    lua_rawgeti(L, LUA_REGISTRYINDEX, c->keep->options);
    lua_getfield(L, -1, "jacobian_function");
    lua_pushnumber(L, c->t);
    push_vector(L, c->dtype, c->n, c->y);
    lua_call(L, 2, 1);
    const struct array *a = &tensor_check(L, -1)->array; /* scripts/tide/ode/jacobian.lua has checked it */
    if (a->dtype != c->dtype || array_numel(a) != c->n * c->n)
        binding_error(L, "odeint: jacobian gave %d numbers for %d unknowns", (int)array_numel(a), (int)c->n);
    array_copy_dense(a, c->out);
    return 0;
}

static enum status jacobian_of_lua(struct jacobian_own *self, int64_t n, enum dtype dtype, double t,
                                   const void *y, void *out)
{
    const struct keep *k = (const struct keep *)((const char *)self - offsetof(struct keep, jacobian));
    struct jacobian_call call = {k, n, dtype, t, y, out};
    return call_lua("jacobian", call_jacobian, &call);
}

/* ---- on_step ---- */

struct step_call {
    struct keep *keep;
    struct march *m;
    double end; /* of the step */
    int stop;
};

/* What a function on_step sees of the step at hand, while it is called: y in it. */
struct step_view {
    struct keep *keep;
    int64_t call;
};

static int view_collect(lua_State *L)
{
    struct step_view *view = luaL_checkudata(L, 1, VIEW_TYPE);
    if (view->keep) object_release(&view->keep->base);
    view->keep = NULL;
    return 0;
}

static void push_view(lua_State *L, struct keep *keep)
{
    struct step_view *view = lua_newuserdatauv(L, sizeof *view, 0);
    *view = (struct step_view){NULL, keep->calls};
    luaL_setmetatable(L, VIEW_TYPE);
    object_retain(&keep->base);
    view->keep = keep;
}

void step_state_push(lua_State *L, struct march *m, double t)
{
    const void *y = m->s->carry[0];
    enum status status = STATUS_OK;
    if (t == clock_time(&m->clock, &m->p, m->theta)) {
        status = march_end_state(m, &y);
    } else if (t != m->clock.t) {
        y = m->s->spare;
        status = march_inside(m, (t - m->clock.t) / m->p.h, m->s->spare);
    }
    if (status == STATUS_NUMERIC) failure_complete(m);
    binding_check(L, status);
    push_vector(L, m->s->dtype, m->layout->controlled, y);
}

static int view_at(lua_State *L) /* view(t) -> the flat state, or nothing: the step is over */
{
    const struct step_view *view = luaL_checkudata(L, 1, VIEW_TYPE);
    double t = luaL_checknumber(L, 2);
    if (!view->keep || !view->keep->call || view->keep->calls != view->call) return 0;
    step_state_push(L, view->keep->call->m, t);
    return 1;
}

int step_push(lua_State *L, struct march *m)
{
    const struct clock *c = &m->clock;
    double end = clock_time(c, &m->p, m->theta);
    lua_pushnumber(L, c->t);
    lua_pushnumber(L, end);
    lua_pushnumber(L, m->theta * m->p.h);
    if (m->o->adaptive)
        lua_pushnumber(L, c->error);
    else
        lua_pushnil(L);
    step_state_push(L, m, end);
    if (!m->o->per_sample) return 5;
    lua_pushinteger(L, m->s->first / m->s->n + 1);
    return 6;
}

static int call_on_step(lua_State *L)
{
    struct step_call *c = lua_touserdata(L, 1);
    lua_rawgeti(L, LUA_REGISTRYINDEX, c->keep->options);
    lua_getfield(L, -1, "step_function");
    push_view(L, c->keep);
    lua_call(L, 1 + step_push(L, c->m), 1);
    c->stop = lua_toboolean(L, -1);
    return 0;
}

static enum status on_step_accepted(struct observer *self, struct march *m, const struct step *p,
                                    double *theta)
{
    struct keep *k = (struct keep *)((char *)self - offsetof(struct keep, on_step));
    struct step_call call = {.keep = k, .m = m};
    (void)p, (void)theta;
    k->call = &call;
    k->calls++;
    enum status status = call_lua("on_step", call_on_step, &call);
    k->call = NULL;
    if (status == STATUS_OK && call.stop) march_stop(m);
    return status;
}

/* ---- reading ---- */

static int has_field(lua_State *L, int table, const char *name)
{
    int there = lua_getfield(L, table, name) != LUA_TNIL;
    lua_pop(L, 1);
    return there;
}

/* The numbers of a tensor of checked options, one for each of the n of the state; NULL: there is none. */
static const double *each(lua_State *L, int table, const char *name, int64_t n)
{
    const double *numbers = NULL;
    if (lua_getfield(L, table, name) != LUA_TNIL) {
        const struct array *a = vector_check(L, &tensor_check(L, -1)->array, name, 1);
        if (a->shape[0] != n) binding_error(L, "odeint: %s does not fit the state", name);
        numbers = a->data;
    }
    lua_pop(L, 1);
    return numbers;
}

void solve_keep_read(lua_State *L, int table, int64_t n, struct solve_options *o, struct state_layout *layout)
{
    int64_t solves = o->per_sample ? layout->batch : 1;
    int wanted = 0;
    for (int i = 0; i < KEPT; i++) wanted |= has_field(L, table, kept_names[i]);
    if (!wanted) return;
    struct keep *k = push_keep(L, table);
    o->keep = &k->base;
    layout->rtols = each(L, table, "rtol_each", n);
    layout->atols = each(L, table, "atol_each", n);
    k->norm.of = norm_of_lua;
    k->jacobian.of = jacobian_of_lua;
    k->on_step.accepted = on_step_accepted;
    if (has_field(L, table, "norm_function")) o->own_norm = &k->norm;
    if (has_field(L, table, "jacobian_function")) o->own_jacobian = &k->jacobian;
    if (has_field(L, table, "step_function")) o->on_step = &k->on_step;
    if (lua_getfield(L, table, "path_handle") != LUA_TNIL)
        o->path = path_handle_fill(L, lua_gettop(L), solves);
    lua_pop(L, 1);
}

void open_ode_keep(lua_State *L)
{
    binding_type(L, KEEP_TYPE, keep_collect, NULL);
    binding_type(L, VIEW_TYPE, view_collect, view_at);
    call_lua_open(L);
}
