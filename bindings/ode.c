/* ODE solves for scripts/tide/ode, which checks the options and flattens the state. */
#include <stdio.h>
#include <string.h>

#include "apply.h"
#include "call_lua.h"
#include "cfield.h"
#include "compiled.h"
#include "entry.h"
#include "failure.h"
#include "modules.h"
#include "ode.h"
#include "recording.h"
#include "solver/family.h"
#include "solver/odeint.h"
#include "solver/times.h"

#define SOLVE_TYPE "tide.Solve"

/* ---- what a solve is given ---- */

const struct array *vector_check(lua_State *L, const struct array *a, const char *what, int float64)
{
    if (a->rank != 1 || !dtype_is_float(a->dtype) || (float64 && a->dtype != FLOAT64) ||
        (a->data && !array_is_contiguous(a)))
        binding_error(L, "odeint: %s must be a dense %s tensor with one axis", what,
                      float64 ? "float64" : "float");
    return a;
}

/* The sizes of the parts of a state of n numbers, behind them its batch; names are in the options, or not. */
static void read_layout(lua_State *L, int table, int options, int64_t n, struct state_layout *l)
{
    memset(l, 0, sizeof *l);
    l->n_parts = integers_check(L, table, "state", l->size, MAX_PARTS);
    l->batch = luaL_optinteger(L, table + 1, 0);
    for (int i = 0; i < l->n_parts && l->controlled >= 0; i++)
        l->controlled = l->size[i] < 0 || l->size[i] > n - l->controlled ? -1 : l->controlled + l->size[i];
    if (l->n_parts < 1 || l->controlled != n || l->batch < 0) l->batch = -1;
    lua_getfield(L, options, "uncontrolled"); /* of the last part: none of its elements, or all */
    l->controlled -= lua_tointeger(L, -1);
    lua_pop(L, 1);
    if (l->batch < 0 || l->controlled < 0 || (l->batch > 0 && l->controlled % l->batch != 0))
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

static void read_halves(lua_State *L, struct problem *p)
{
    struct method *m = &p->options.method;
    if (!m->family->parts) return;
    if (p->layout.n_parts != 2 || p->layout.size[0] != p->layout.size[1])
        binding_error(L, "odeint: %s takes a state of two parts of one size", m->rk.name);
    m->half = p->layout.size[0];
    if (p->options.per_sample && p->layout.batch > 0) m->half /= p->layout.batch; /* sample by sample */
}

void problem_read(lua_State *L, struct problem *p)
{
    lua_settop(L, 7);
    p->y0 = vector_check(L, value_spec(value_check(L, 3)), "the state", 0);
    p->times = vector_check(L, value_spec(value_check(L, 4)), "t", 1);
    solve_options_read(L, 5, &p->options);
    read_layout(L, 6, 5, p->y0->shape[0], &p->layout);
    read_halves(L, p);
    solve_keep_read(L, 5, p->y0->shape[0], &p->options, &p->layout);
    lua_getfield(L, 5, "stepping");
    p->stepping = lua_toboolean(L, -1);
    lua_pop(L, 1);
    p->options.in_order = p->stepping || p->options.on_step;
}

static void push_switches(lua_State *L, const struct turns *turns)
{
    lua_createtable(L, (int)turns->n, 0);
    for (int64_t i = 0; i < turns->n; i++) {
        lua_createtable(L, 0, 3);
        entry_number(L, "t", turns->at[i].t);
        entry_integer(L, "step", turns->at[i].step);
        entry_text(L, "method", turns->at[i].to);
        lua_rawseti(L, -2, i + 1);
    }
}

void stats_push(lua_State *L, const struct solve_stats *s)
{
    const struct {
        const char *name;
        int64_t value;
    } fields[] = {{"nfe", s->nfe},
                  {"steps", s->steps},
                  {"accepted", s->accepted},
                  {"rejected", s->rejected},
                  {"nfe_backward", s->nfe_backward},
                  {"jacobians", s->jacobians},
                  {"factorizations", s->factorizations}};
    size_t count = sizeof fields / sizeof *fields - (s->implicit ? 0 : 2);
    lua_createtable(L, 0, 8);
    for (size_t i = 0; i < count; i++) {
        entry_integer(L, fields[i].name, fields[i].value);
    }
    if (s->unrefined > 0) {
        entry_integer(L, "unrefined", s->unrefined);
    }
    if (s->has_defect) {
        entry_number(L, "defect", s->defect);
    }
    if (s->has_reconstruction) {
        entry_number(L, "reconstruction_error", s->reconstruction);
    }
    if (s->has_reconstruction || s->made_again) {
        entry_flag(L, "made_again", s->made_again);
    }
    if (s->stopped) {
        entry_number(L, "t_end", s->t_end);
    }
    if (s->switches) {
        push_switches(L, s->switches);
        lua_setfield(L, -2, "switches");
    }
    if (!s->failure) return;
    failure_push_value(L, s->failure);
    lua_setfield(L, -2, "failure");
}

/* An int64 tensor of one count of each sample. */
static void push_counts(lua_State *L, const struct solve_stats *samples, int64_t n, size_t offset)
{
    struct value *v = value_push_empty(L);
    binding_check(L, tensor_new(&v->tensor, INT64, 1, &n));
    int64_t *count = v->tensor->array.data;
    memset(count, 0, (size_t)n * sizeof *count);
    for (int64_t i = 0; samples && i < n; i++)
        memcpy(&count[i], (const char *)&samples[i] + offset, sizeof *count);
    value_account(L, v);
}

void samples_push(lua_State *L, const struct solve_stats *samples, int64_t n, int switches)
{
    lua_createtable(L, 0, 3);
    push_counts(L, samples, n, offsetof(struct solve_stats, nfe));
    lua_setfield(L, -2, "nfe");
    push_counts(L, samples, n, offsetof(struct solve_stats, accepted));
    lua_setfield(L, -2, "accepted");
    push_counts(L, samples, n, offsetof(struct solve_stats, rejected));
    lua_setfield(L, -2, "rejected");
    if (switches) {
        push_counts(L, samples, n, offsetof(struct solve_stats, n_switches));
        lua_setfield(L, -2, "switches");
    }
    lua_setfield(L, -2, "samples");
}

/* ---- solves as ops ---- */

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

static int solve_stats_lua(lua_State *L)
{
    struct solve_box *box = luaL_checkudata(L, 1, SOLVE_TYPE);
    int64_t n;
    const struct solve_stats *samples;
    const struct event_log *logs;
    stats_push(L, odeint_stats(box->op));
    if (odeint_events(box->op)) events_push_of(L, box->op);
    if (!odeint_samples(box->op, &n, &samples, &logs)) return 1;
    samples_push(L, samples, n, odeint_changes_method(box->op));
    if (odeint_stats(box->op)->stopped) ends_push(L, samples, n);
    return 1;
}

/* Pushes a handle without a solve, so that whatever fails later, the solve is freed. */
static struct solve_box *push_box(lua_State *L)
{
    struct solve_box *box = lua_newuserdatauv(L, sizeof *box, 0);
    box->op = NULL;
    luaL_setmetatable(L, SOLVE_TYPE);
    return box;
}

static void push_run_at_once(lua_State *L, struct odeint *op, struct tensor *y0, struct tensor *times)
{
    struct value *v = value_push_empty(L);
    struct attrs attrs = {.n = 0, .object = odeint_object(op)};
    call_lua_in(L);
    binding_check(L, op_apply(OP_CUSTOM, &attrs, (struct tensor *[]){y0, times}, 2, &v->tensor));
    value_account(L, v);
}

/* The field takes what it captured from the tape around it. */
static void push_recorded(lua_State *L, struct odeint *op, struct tape *outer, struct tape *field)
{
    int y0 = value_node(L, outer, value_check(L, 3)), times = value_node(L, outer, value_check(L, 4));
    int result = odeint_emit(outer, op, y0, times, field->captured + 2, field->n_inputs - 2);
    if (result < 0) binding_check(L, tape_take_status(outer));
    symbol_push(L, outer, result);
}

/* Another output of the tape that the field is recorded on. */
struct recorded_events {
    struct tape *tape;
    int64_t batch; /* of solves sample by sample, else 0 */
};
static struct field *field_of_value(lua_State *L, void *context, int n)
{
    const struct recorded_events *r = context;
    struct field *field = NULL;
    int node = value_node(L, r->tape, value_check(L, lua_gettop(L)));
    (void)n;
    binding_check(L, field_from_tape(&field, r->tape, node, r->batch));
    lua_pop(L, 1);
    return field;
}

/* A state of several tensors, one after the other, with as many samples each. */
static void note_parts(struct field *f, const struct state_layout *l)
{
    struct field_parts parts = {l->n_parts, l->batch, {0}};
    if (f->batch > 1 || l->batch < 2 || l->n_parts > FIELD_PARTS) return;
    for (int i = 0; i < l->n_parts; i++) {
        if (l->size[i] == 0 || l->size[i] % l->batch != 0) return;
        parts.size[i] = l->size[i];
    }
    f->parts = parts;
}

/* odeint(field tape, dy, y0, times, options, sizes, batch) -> flat states, stats handle. */
static int odeint_lua(lua_State *L)
{
    struct problem p;
    struct tape *t = recorder_check(L, 1)->tape, *outer;
    struct value *dy = value_check(L, 2), *y0 = value_check(L, 3), *times = value_check(L, 4);
    struct field *field;
    problem_read(L, &p);
    int node = value_node(L, t, dy), captured = 0;
    struct recorded_events recorded = {t, p.options.per_sample ? p.layout.batch : 0};
    struct events **events =
        events_read(L, 5, &(struct event_source){.make = field_of_value, .context = &recorded});
    if (events) p.options.events = *events;
    for (int i = 2; i < t->n_inputs; i++) captured += t->captured[i] >= 0;
    if (p.stepping && captured > 0) return binding_error(L, "%s", recording_ended);
    struct field **step_field;
    struct stepper *stepper = p.stepping ? stepper_push(L, &p, &step_field) : NULL;
    struct solve_box *box = stepper ? NULL : push_box(L);
    binding_check(L, field_from_tape(stepper ? step_field : &field, t, node,
                                     p.layout.n_parts == 1 || p.options.per_sample ? p.layout.batch : 0));
    note_parts(stepper ? *step_field : field, &p.layout);
    /* the recording that this solve will be a node of: with it the solve would own itself */
    tape_release(t->parent);
    t->parent = NULL;
    if (stepper) return stepper_finish(L, stepper, 1, NULL);
    binding_check(L, odeint_new(&box->op, field, &p.options, &p.layout));
    if (events) *events = NULL;
    if ((outer = recording_get(L)))
        push_recorded(L, box->op, outer, t);
    else if (y0->tensor && times->tensor && !captured)
        push_run_at_once(L, box->op, y0->tensor, times->tensor);
    else
        return binding_error(L, "odeint: symbolic tensors can be used only while they are being recorded");
    lua_insert(L, -2);
    return 2;
}

/* odeint_cfield(code, theta or nil, y0, times, options, sizes, batch) -> flat states, stats handle. */
static int odeint_cfield(lua_State *L)
{
    struct problem p;
    int has_theta = !lua_isnoneornil(L, 2);
    problem_read(L, &p);
    if (p.stepping) {
        struct field **step_field;
        struct stepper *stepper = stepper_push(L, &p, &step_field);
        *step_field = cfield_new(L, 1, 2, p.y0);
        if (p.options.per_sample) (*step_field)->batch = p.layout.batch;
        return stepper_finish(L, stepper, 1, has_theta ? tensor_check(L, 2)->array.data : NULL);
    }
    struct solve_box *box = push_box(L);
    struct field *field = cfield_new(L, 1, 2, p.y0);
    if (p.options.per_sample) field->batch = p.layout.batch;
    binding_check(L, odeint_new(&box->op, field, &p.options, &p.layout));
    int first = lua_gettop(L) + 1;
    lua_pushvalue(L, 3);
    lua_pushvalue(L, 4);
    if (has_theta) lua_pushvalue(L, 2);
    struct attrs attrs = {.n = 0, .object = odeint_object(box->op)};
    value_apply(L, OP_CUSTOM, &attrs, first, 2 + has_theta);
    lua_pushvalue(L, first - 1);
    return 2;
}

static int check_times(lua_State *L) /* a dense float64 tensor of rank 1 */
{
    const struct array *times = vector_check(L, &tensor_check(L, 1)->array, "t", 1);
    binding_check(L, times_check(times->data, times->shape[0]));
    return 0;
}

/* program_stats(program) -> the sum over the solves of its latest run */
static int program_stats(lua_State *L)
{
    struct program **box = luaL_checkudata(L, 1, PROGRAM_TYPE);
    if (!*box) return binding_error(L, "the program is closed");
    struct solve_stats stats = odeint_program_stats(*box);
    stats_push(L, &stats);
    return 1;
}

static const luaL_Reg functions[] = {{"odeint", odeint_lua},
                                     {"odeint_cfield", odeint_cfield},
                                     {"check_times", check_times},
                                     {"program_stats", program_stats},
                                     {NULL, NULL}};

void open_ode(lua_State *L)
{
    luaL_setfuncs(L, functions, 0);
    binding_type(L, SOLVE_TYPE, solve_collect, solve_stats_lua);
}
