/* ODE solves for scripts/tide/ode.lua, which checks the options and flattens the state. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "binding.h"
#include "kernels/elementwise.h"
#include "solver/family.h"
#include "solver/odeint.h"
#include "solver/times.h"

#define SOLVE_TYPE "tide.Solve"

/* ---- options ---- */

static double number_field(lua_State *L, int table, const char *name, double fallback)
{
    double value = lua_getfield(L, table, name) == LUA_TNUMBER ? lua_tonumber(L, -1) : fallback;
    lua_pop(L, 1);
    return value;
}

/* Whole numbers come as integers: a double cannot hold all of them. */
static int64_t integer_field(lua_State *L, int table, const char *name, int64_t fallback)
{
    int whole = 0;
    lua_getfield(L, table, name);
    int64_t value = lua_tointegerx(L, -1, &whole);
    lua_pop(L, 1);
    return whole ? value : fallback;
}

static int choice_field(lua_State *L, int table, const char *name, const char *const *choices)
{
    int found = 0;
    if (lua_getfield(L, table, name) == LUA_TSTRING)
        for (int i = 0; choices[i]; i++)
            if (strcmp(choices[i], lua_tostring(L, -1)) == 0) found = i;
    lua_pop(L, 1);
    return found;
}

static void row_field(lua_State *L, int table, const char *name, double *out)
{
    lua_getfield(L, table, name);
    if (lua_istable(L, -1))
        for (int i = 0; i < MAX_STAGES; i++) {
            lua_rawgeti(L, -1, i + 1);
            out[i] = lua_tonumber(L, -1);
            lua_pop(L, 1);
        }
    lua_pop(L, 1);
}

/* A tableau checked by scripts/tide/tableau.lua: {name, order, error_order, A, b, c, b_error}. */
static void user_tableau(lua_State *L, int table, struct method *method)
{
    struct tableau *m = &method->rk;
    *m = (struct tableau){.name = "user"};
    m->order = (int)integer_field(L, table, "order", 1);
    m->error_order = (int)integer_field(L, table, "error_order", 0);
    row_field(L, table, "b", m->b);
    row_field(L, table, "c", m->c);
    row_field(L, table, "b_error", m->e);
    lua_getfield(L, table, "b");
    m->stages = (int)lua_rawlen(L, -1);
    lua_pop(L, 1);
    if (m->stages < 1 || m->stages > MAX_STAGES)
        binding_error(L, "a tableau has 1 to %d stages, got %d", MAX_STAGES, m->stages);
    lua_getfield(L, table, "A");
    int rows = lua_gettop(L);
    for (int i = 0; i < m->stages; i++) {
        lua_rawgeti(L, rows, i + 1);
        for (int j = 0; j < i && lua_istable(L, -1); j++) {
            lua_rawgeti(L, -1, j + 1);
            m->a[i][j] = lua_tonumber(L, -1);
            lua_pop(L, 1);
        }
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    m->interpolation = m->order <= 2   ? INTERPOLATE_QUADRATIC
                       : m->order <= 4 ? INTERPOLATE_HERMITE
                                       : INTERPOLATE_BOOTSTRAP;
    method_of_tableau(method);
}

/* The times that must be hit, as scripts/tide/ode.lua sorted them; they stay on the stack, which keeps
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

/* Leaves values on the stack that the options borrow. */
static void read_options(lua_State *L, int table, struct solve_options *o)
{
    static const char *const norms[] = {"part", "batch", "sample", NULL},
                             *const gradients[] = {"direct", "adjoint", "checkpoint", "interpolated", NULL},
                             *const finals[] = {"clip", "interpolate", NULL};
    memset(o, 0, sizeof *o);
    if (lua_getfield(L, table, "method") == LUA_TTABLE)
        user_tableau(L, lua_gettop(L), &o->method);
    else
        binding_check(L, method_find(luaL_checkstring(L, -1), &o->method));
    lua_pop(L, 1);
    o->step_size = number_field(L, table, "step_size", 0);
    o->steps = integer_field(L, table, "steps", 0);
    o->adaptive = o->step_size == 0 && o->steps == 0;
    o->rtol = number_field(L, table, "rtol", 1e-3);
    o->atol = number_field(L, table, "atol", 1e-6);
    o->first_step = number_field(L, table, "first_step", 0);
    o->min_step = number_field(L, table, "min_step", 0);
    o->max_step = number_field(L, table, "max_step", 0);
    o->max_steps = integer_field(L, table, "max_steps", 100000);
    o->norm = (enum norm_kind)choice_field(L, table, "norm", norms);
    o->overshoot = choice_field(L, table, "final", finals);
    o->gradient = (enum gradient_kind)choice_field(L, table, "gradient", gradients);
    o->checkpoint_steps = integer_field(L, table, "checkpoint_steps", 10);
    o->adjoint_rtol = number_field(L, table, "adjoint_rtol", o->rtol);
    o->adjoint_atol = number_field(L, table, "adjoint_atol", o->atol);
    o->reconstruction_limit = number_field(L, table, "reconstruction_limit", 10);
    o->controller = (struct controller){.safety = number_field(L, table, "safety", 0.9),
                                        .min_factor = number_field(L, table, "min_factor", 0.2),
                                        .max_factor = number_field(L, table, "max_factor", 10),
                                        .exponent = 1.0 / (o->method.rk.error_order + 1)};
    o->controller.min_after_accept = o->overshoot ? 1 : o->controller.min_factor;
    o->controller.max_after_reject = o->overshoot ? o->controller.max_factor : 1;
    double gains[MAX_STAGES] = {1, 0, 0};
    row_field(L, table, "controller_gains", gains);
    memcpy(o->controller.k, gains, sizeof o->controller.k);
    read_stops(L, table, o);
}

/* The solver sees bare memory: what ode.lua has made of its arguments is what it takes, nothing else. */
static const struct array *vector_check(lua_State *L, const struct array *a, const char *what, int float64)
{
    if (a->rank != 1 || !dtype_is_float(a->dtype) || (float64 && a->dtype != FLOAT64) ||
        (a->data && !array_is_contiguous(a)))
        binding_error(L, "odeint: %s must be a dense %s tensor with one axis", what,
                      float64 ? "float64" : "float");
    return a;
}

static const struct array *state_check(lua_State *L, int arg)
{
    return vector_check(L, &tensor_check(L, arg)->array, "the state", 0);
}
static const struct array *times_vector(lua_State *L, int arg)
{
    return vector_check(L, &tensor_check(L, arg)->array, "t", 1);
}

/* sizes of the parts of a state of n numbers, and of its batch; their names are in the options, or not */
static void read_layout(lua_State *L, int table, int options, int64_t n, struct state_layout *l)
{
    memset(l, 0, sizeof *l);
    l->n_parts = integers_check(L, table, "state", l->size, MAX_PARTS);
    l->batch = luaL_optinteger(L, table + 1, 0);
    for (int i = 0; i < l->n_parts && l->controlled >= 0; i++)
        l->controlled = l->size[i] < 0 || l->size[i] > n - l->controlled ? -1 : l->controlled + l->size[i];
    if (l->n_parts < 1 || l->controlled != n || l->batch < 0 || (l->batch > 0 && n % l->batch != 0))
        binding_error(L, "odeint: the parts and the batch do not make up the state of %I numbers",
                      (LUAI_UACINT)n);
    if (lua_getfield(L, options, "part_names") == LUA_TTABLE)
        for (int i = 0; i < l->n_parts; i++) {
            if (lua_rawgeti(L, -1, i + 1) == LUA_TSTRING)
                snprintf(l->name[i], PART_NAME, "%s", lua_tostring(L, -1));
            lua_pop(L, 1);
        }
    lua_pop(L, 1);
}

/* ---- recorded fields ---- */

struct solve_box {
    struct odeint *op;
};

static int solve_collect(lua_State *L)
{
    struct solve_box *box = luaL_checkudata(L, 1, SOLVE_TYPE);
    if (box->op) object_release(odeint_object(box->op));
    box->op = NULL;
    return 0;
}

static void push_stats(lua_State *L, const struct solve_stats *s)
{
    const struct {
        const char *name;
        int64_t value;
    } fields[] = {{"nfe", s->nfe},
                  {"steps", s->steps},
                  {"accepted", s->accepted},
                  {"rejected", s->rejected},
                  {"nfe_backward", s->nfe_backward}};
    lua_createtable(L, 0, 5);
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        lua_pushinteger(L, fields[i].value);
        lua_setfield(L, -2, fields[i].name);
    }
}

static int solve_stats_lua(lua_State *L)
{
    struct solve_box *box = luaL_checkudata(L, 1, SOLVE_TYPE);
    push_stats(L, odeint_stats(box->op));
    return 1;
}

/* The tape userdata's tape; see struct recorder in autodiff.c, whose first field it is. */
static struct tape *field_tape(lua_State *L, int arg)
{
    return *(struct tape **)luaL_checkudata(L, arg, TAPE_TYPE);
}

static enum status run_at_once(struct odeint *op, struct value *y0, struct value *times, struct tensor **out)
{
    struct tensor *in[2] = {y0->tensor, times->tensor};
    return op_apply(OP_CUSTOM, &(struct attrs){.n = 0, .object = odeint_object(op)}, in, 2, out);
}

/* odeint(field tape, dy, y0, times, options, sizes, batch) -> flat states, stats handle. y0 rank 1, times
 * rank 1 float64. */
static int odeint_lua(lua_State *L)
{
    struct solve_options options;
    struct state_layout layout;
    struct tape *t = field_tape(L, 1);
    struct value *dy = value_check(L, 2), *y0 = value_check(L, 3), *times = value_check(L, 4);
    read_options(L, 5, &options);
    vector_check(L, value_spec(times), "t", 1);
    read_layout(L, 6, 5, vector_check(L, value_spec(y0), "the state", 0)->shape[0], &layout);
    int node = value_node(L, t, dy), captured = 0;
    for (int i = 2; i < t->n_inputs; i++) captured += t->captured[i] >= 0;
    struct solve_box *box = lua_newuserdatauv(L, sizeof *box, 0);
    box->op = NULL;
    luaL_setmetatable(L, SOLVE_TYPE);
    struct field *field;
    binding_check(L, field_from_tape(&field, t, node, layout.n_parts == 1 ? layout.batch : 0));
    tape_release(
        t->parent); /* the recording that this solve will be a node of: with it the solve would own itself */
    t->parent = NULL;
    binding_check(L, odeint_new(&box->op, field, &options, &layout));
    struct tape *outer = recording_get(L);
    if (!outer) {
        if (!y0->tensor || !times->tensor || captured)
            return binding_error(L,
                                 "odeint: symbolic tensors can be used only while they are being recorded");
        struct value *v = value_push_empty(L);
        binding_check(L, run_at_once(box->op, y0, times, &v->tensor));
        value_account(L, v);
    } else {
        int a = value_node(L, outer, y0), b = value_node(L, outer, times);
        int result = odeint_emit(outer, box->op, a, b, t->captured + 2, t->n_inputs - 2);
        if (result < 0) binding_check(L, tape_take_status(outer));
        symbol_push(L, outer, result);
    }
    lua_insert(L, -2);
    return 2;
}

/* odeint_cfield(code, theta or nil, y0, times, options, sizes, batch) -> flat states, stats handle. */
static int odeint_cfield(lua_State *L)
{
    struct solve_options options;
    struct state_layout layout;
    int has_theta = !lua_isnoneornil(L, 2);
    const struct array *y0 = vector_check(L, value_spec(value_check(L, 3)), "the state", 0);
    lua_settop(L, 7);
    vector_check(L, value_spec(value_check(L, 4)), "t", 1);
    read_options(L, 5, &options);
    read_layout(L, 6, 5, y0->shape[0], &layout);
    struct solve_box *box = lua_newuserdatauv(L, sizeof *box, 0);
    box->op = NULL;
    luaL_setmetatable(L, SOLVE_TYPE);
    struct field *field = cfield_new(L, 1, 2, y0);
    binding_check(L, odeint_new(&box->op, field, &options, &layout));
    int first = lua_gettop(L) + 1;
    lua_pushvalue(L, 3);
    lua_pushvalue(L, 4);
    if (has_theta) lua_pushvalue(L, 2);
    value_apply(L, OP_CUSTOM, &(struct attrs){.n = 0, .object = odeint_object(box->op)}, first,
                2 + has_theta);
    lua_pushvalue(L, first - 1);
    return 2;
}

/* ---- callback fields ----
 *
 * An error in the callback unwinds through the solver by Lua's longjmp, so that its value and traceback stay
 * as they are; that is safe because everything a solve allocates is owned by the userdata below. */

#define CALLBACK_TYPE "tide.CallbackField"

struct callback_field {
    struct field base;
    lua_State *L;
    int function; /* stack index */
    int plain;    /* plain arrays of numbers rather than tensors */
    struct solver solver;
};

static int callback_collect(lua_State *L)
{
    struct callback_field *f = luaL_checkudata(L, 1, CALLBACK_TYPE);
    solver_release(&f->solver);
    return 0;
}

static void push_state(struct callback_field *f, const void *y)
{
    lua_State *L = f->L;
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
    lua_State *L = f->L;
    if (!lua_istable(L, -1) || (int64_t)lua_rawlen(L, -1) != f->base.n)
        binding_error(L,
                      "odeint: f must return an array of %d numbers, got %s at t = %f after %d evaluations%s",
                      (int)f->base.n, lua_istable(L, -1) ? "one of another length" : luaL_typename(L, -1), t,
                      (int)f->base.nfe,
                      lua_isnil(L, -1)      ? "; does f end with return?"
                      : lua_isnumber(L, -1) ? "; with plain = true write return {value}"
                                            : "");
    for (int64_t i = 0; i < f->base.n; i++) {
        if (lua_rawgeti(L, -1, i + 1) != LUA_TNUMBER)
            binding_error(
                L,
                "odeint: element %d of what f returned is a %s, not a number, at t = %f after %d evaluations",
                (int)i + 1, luaL_typename(L, -1), t, (int)f->base.nfe);
        dy[i] = lua_tonumber(L, -1);
        lua_pop(L, 1);
    }
}

static enum status callback_eval(struct field *self, double t, const void *y, void *dy)
{
    struct callback_field *f = (struct callback_field *)self;
    lua_State *L = f->L;
    luaL_checkstack(L, 8, "odeint");
    lua_pushvalue(L, f->function);
    lua_pushnumber(L, t);
    push_state(f, y);
    lua_call(L, 2, 1);
    if (f->plain) {
        read_plain(f, t, dy);
    } else { /* ode.lua's wrapper has flattened and checked it */
        const struct array *a = &tensor_check(L, -1)->array;
        if (a->dtype != f->base.dtype || array_numel(a) != f->base.n)
            binding_error(L, "odeint: f returned %d elements of %s, expected %d of %s", (int)array_numel(a),
                          dtype_name(a->dtype), (int)f->base.n, dtype_name(f->base.dtype));
        array_copy_dense(a, dy);
    }
    lua_pop(L, 1);
    return STATUS_OK;
}

static struct callback_field *push_callback(lua_State *L, int function, int plain, const struct array *y0)
{
    struct callback_field *f = lua_newuserdatauv(L, sizeof *f, 0);
    memset(f, 0, sizeof *f);
    luaL_setmetatable(L, CALLBACK_TYPE);
    static const struct field_type type = {.name = "a callback (eager or plain)", .eval = callback_eval};
    f->base = (struct field){.type = &type, .n = y0->shape[0], .dtype = y0->dtype};
    f->L = L;
    f->function = function;
    f->plain = plain;
    return f;
}

/* odeint_callback(f, plain, y0, times, options, sizes, batch) -> flat states, stats. y0 is dense, rank 1,
 * float64 when plain. */
static int odeint_callback(lua_State *L)
{
    struct solve_options options;
    struct solve_stats stats;
    struct state_layout layout;
    const struct array *y0 = state_check(L, 3), *times = times_vector(L, 4);
    read_options(L, 5, &options);
    read_layout(L, 6, 5, y0->shape[0], &layout);
    binding_check(L, times_check(times->data, times->shape[0]));
    struct value *v = value_push_empty(L);
    binding_check(L, tensor_new(&v->tensor, y0->dtype, 1, (int64_t[]){times->shape[0] * y0->shape[0]}));
    value_account(L, v);
    struct callback_field *f = push_callback(L, 1, lua_toboolean(L, 2), y0);
    enum status status = solve(&f->solver, &f->base, &options, &layout, y0->data, times->data,
                               times->shape[0], v->tensor->array.data, NULL, &stats);
    binding_check(L, status);
    lua_pop(L, 1);
    push_stats(L, &stats);
    return 2;
}

/* initial_step(f, t0, y0, p, rtol, atol): Hairer's starting step for an error estimate of order p; f runs on
 * concrete tensors. */
static int initial_step(lua_State *L)
{
    const struct array *y0 = state_check(L, 3);
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
    binding_check(L, field_eval(&f->base, t0, s->carry[0], s->k[0]));
    binding_check(L, solve_initial_step(&f->base, &layout, &o, t0, s->carry[0], s->k[0], 1, NULL, s->next[0],
                                        s->k[1], &h));
    lua_pushnumber(L, h);
    return 1;
}

static int check_times(lua_State *L) /* a dense float64 tensor of rank 1 */
{
    const struct array *times = times_vector(L, 1);
    binding_check(L, times_check(times->data, times->shape[0]));
    return 0;
}

/* ---- information ---- */

static void push_row(lua_State *L, const char *name, const double *values, int n)
{
    lua_createtable(L, n, 0);
    for (int i = 0; i < n; i++) {
        lua_pushnumber(L, values[i]);
        lua_rawseti(L, -2, i + 1);
    }
    if (name) lua_setfield(L, -2, name);
}

static void push_integer_field(lua_State *L, const char *name, lua_Integer value)
{
    lua_pushinteger(L, value);
    lua_setfield(L, -2, name);
}

/* ode_methods() -> list of methods; those of multistep methods have no tableau. */
static int ode_methods(lua_State *L)
{
    lua_createtable(L, method_count(), 0);
    for (int i = 0; i < method_count(); i++) {
        struct method method;
        method_get(i, &method);
        const struct tableau *m = &method.rk;
        int multistep = method.family == &family_multistep;
        lua_createtable(L, 0, 12);
        lua_pushstring(L, method.family->name);
        lua_setfield(L, -2, "family");
        lua_pushboolean(L, method.family->implicit);
        lua_setfield(L, -2, "implicit");
        lua_pushstring(L, m->name);
        lua_setfield(L, -2, "name");
        push_integer_field(L, "order", m->order);
        push_integer_field(L, "error_order", m->error_order);
        push_integer_field(L, "stages", m->stages);
        lua_pushboolean(L, m->fsal);
        lua_setfield(L, -2, "fsal");
        lua_pushstring(L, m->adaptive ? "adaptive" : "fixed");
        lua_setfield(L, -2, "kind");
        if (!multistep) {
            push_row(L, "b", m->b, m->stages);
            push_row(L, "c", m->c, m->stages);
        }
        if (m->adaptive) push_row(L, "b_error", m->e, m->stages);
        lua_createtable(L, m->stages, 0);
        for (int j = 0; j < m->stages; j++) {
            push_row(L, NULL, m->a[j], m->implicit ? m->stages : j);
            lua_rawseti(L, -2, j + 1);
        }
        lua_setfield(L, -2, multistep ? "begins" : "A");
        lua_rawseti(L, -2, i + 1);
    }
    return 1;
}

/* program_stats(program) -> the sum over the solves of its latest run */
static int program_stats(lua_State *L)
{
    struct program **box = luaL_checkudata(L, 1, PROGRAM_TYPE);
    if (!*box) return binding_error(L, "the program is closed");
    struct solve_stats stats = odeint_program_stats(*box);
    push_stats(L, &stats);
    return 1;
}

static const luaL_Reg functions[] = {{"odeint", odeint_lua},
                                     {"odeint_cfield", odeint_cfield},
                                     {"odeint_callback", odeint_callback},
                                     {"initial_step", initial_step},
                                     {"check_times", check_times},
                                     {"ode_methods", ode_methods},
                                     {"program_stats", program_stats},
                                     {NULL, NULL}};

void open_ode(lua_State *L)
{
    luaL_setfuncs(L, functions, 0);
    luaL_newmetatable(L, SOLVE_TYPE);
    lua_pushcfunction(L, solve_collect);
    lua_setfield(L, -2, "__gc");
    lua_pushcfunction(L, solve_stats_lua);
    lua_setfield(L, -2, "__call");
    lua_pop(L, 1);
    luaL_newmetatable(L, CALLBACK_TYPE);
    lua_pushcfunction(L, callback_collect);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
}
