/* Tapes for scripts/tide/tensor/autodiff.lua, which knows about functions and tables of tensors. */
#include "autodiff/passes.h"
#include "autodiff/separate.h"
#include "autodiff/vjp.h"
#include "apply.h"
#include "binding.h"
#include "modules.h"
#include "recording.h"

/* tape_begin(kind): a new tape becomes the one that operations are recorded on, until it is closed.
 * "nothing": none is. */
static int tape_begin(lua_State *L)
{
    static const char *const kinds[] = {"once", "program", "field", "nothing", NULL};
    enum recorder_kind kind = (enum recorder_kind)luaL_checkoption(L, 1, NULL, kinds);
    struct session *s = session_get(L);
    struct recorder *r = lua_newuserdatauv(L, sizeof *r, 1);
    *r = (struct recorder){.kind = kind, .thread = L};
    luaL_setmetatable(L, TAPE_TYPE);
    lua_pushthread(L);
    lua_setiuservalue(L, -2, 1);
    if (kind != RECORD_NOTHING) binding_check(L, tape_new(&r->tape, recording_get(L)));
    r->previous = s->recorder;
    r->active = 1;
    s->recorder = r;
    return 1;
}

static int tape_end(lua_State *L)
{
    struct recorder *r = luaL_checkudata(L, 1, TAPE_TYPE);
    if (!r->active) return 0;
    struct recorder **link = &session_get(L)->recorder;
    while (*link != r) link = &(*link)->previous;
    *link = r->previous;
    r->active = 0;
    return 0;
}

static int tape_collect(lua_State *L)
{
    struct recorder *r = luaL_checkudata(L, 1, TAPE_TYPE);
    tape_end(L);
    tape_release(r->tape);
    r->tape = NULL;
    return 0;
}

static int is_recording(lua_State *L)
{
    lua_pushboolean(L, recording_get(L) != NULL);
    return 1;
}

/* tape:input(tensor) or tape:input(dtype, shape, weak): a symbolic input of that dtype and shape. */
static int tape_add_input(lua_State *L)
{
    struct recorder *r = recorder_check(L, 1);
    int node;
    if (value_test(L, 2)) {
        const struct array *a = value_spec(value_check(L, 2));
        node = tape_input(r->tape, a->dtype, a->rank, a->shape);
    } else {
        int64_t shape[MAX_RANK];
        enum dtype dtype = dtype_check(L, 2, FLOAT32);
        int rank = integers_check(L, 3, "shape", shape, MAX_RANK);
        node = tape_input(r->tape, dtype, rank, shape);
    }
    if (node < 0) binding_check(L, tape_take_status(r->tape));
    r->tape->nodes[node].weak = lua_toboolean(L, 4);
    symbol_push(L, r->tape, node);
    return 1;
}

static void push_symbols(lua_State *L, struct tape *t, const int *nodes, int n)
{
    lua_createtable(L, n, 0);
    for (int i = 0; i < n; i++) {
        symbol_push(L, t, nodes[i]);
        lua_rawseti(L, -2, i + 1);
    }
}

/* The tape to work on: an explicit one at index 1, else the one being recorded. */
static struct tape *working_tape(lua_State *L)
{
    struct tape *t = luaL_testudata(L, 1, TAPE_TYPE) ? recorder_check(L, 1)->tape : recording_get(L);
    if (!t) binding_error(L, "nothing is being recorded");
    return t;
}

static void check_cotangents(lua_State *L, struct tape *t, const int *y, const int *ybar, int n, int n_bar,
                             const char *what)
{
    if (n != n_bar) binding_error(L, "%s: %d tensors were expected, got %d", what, n, n_bar);
    for (int i = 0; i < n; i++) {
        const struct array *a = tape_spec(t, y[i]), *b = tape_spec(t, ybar[i]);
        char ta[SHAPE_TEXT], tb[SHAPE_TEXT];
        if (!array_same_shape(a, b) || a->dtype != b->dtype)
            binding_error(L, "%s %d has shape %s (%s), expected %s (%s)", what, i + 1,
                          array_shape_text(b, tb), dtype_name(b->dtype), array_shape_text(a, ta),
                          dtype_name(a->dtype));
    }
}

/* vjp(tape or nil, {y}, {ybar}, {x}) -> {xbar}, whether some of it is of a flow, not of the steps of a grid
 */
static int tape_vjp_lua(lua_State *L)
{
    struct tape *t = working_tape(L);
    int n_y, n_bar, n_x;
    int *y = value_nodes(L, t, 2, &n_y), *ybar = value_nodes(L, t, 3, &n_bar),
        *x = value_nodes(L, t, 4, &n_x);
    check_cotangents(L, t, y, ybar, n_y, n_bar, "cotangent");
    int *xbar = lua_newuserdatauv(L, (size_t)(n_x + 1) * sizeof *xbar, 0);
    int64_t flows = t->flows;
    enum status status = tape_vjp(t, y, ybar, n_y, x, n_x, xbar);
    if (t->status != STATUS_OK) status = tape_take_status(t);
    binding_check(L, status);
    for (int i = 0; i < n_x; i++) t->nodes[xbar[i]].weak = t->nodes[x[i]].weak;
    push_symbols(L, t, xbar, n_x);
    lua_pushboolean(L, t->flows > flows);
    return 2;
}

/* jvp(tape or nil, {y}, {x}, {v}) -> {ydot} */
static int tape_jvp_lua(lua_State *L)
{
    struct tape *t = working_tape(L);
    int n_y, n_x, n_v;
    int *y = value_nodes(L, t, 2, &n_y), *x = value_nodes(L, t, 3, &n_x), *v = value_nodes(L, t, 4, &n_v);
    check_cotangents(L, t, x, v, n_x, n_v, "tangent");
    int *ydot = lua_newuserdatauv(L, (size_t)(n_y + 1) * sizeof *ydot, 0);
    enum status status = tape_jvp(t, y, n_y, x, v, n_x, ydot);
    if (t->status != STATUS_OK) status = tape_take_status(t);
    binding_check(L, status);
    push_symbols(L, t, ydot, n_y);
    return 1;
}

/* samples_meet(x, y) -> nil, or the op in which samples of x, along its first axis, meet on the way to y, or
 * may, as far as can be seen. */
static int samples_meet(lua_State *L)
{
    struct tape *t = working_tape(L);
    int n, *x = value_nodes(L, t, 1, &n), *y = value_nodes(L, t, 2, &n), where;
    binding_check(L, tape_separate(t, x[0], tape_spec(t, x[0])->shape[0], y[0], &where));
    if (where < 0) return 0;
    const struct node *node = &t->nodes[where];
    lua_pushstring(L, node->op == OP_CUSTOM ? ((struct custom *)node->attrs->object)->name
                                            : op_table[node->op].name);
    return 1;
}

/* tape:inline({inputs}, {outputs}) -> {symbols}: everything recorded on `tape`, which has ended, again on the
 * one being recorded. */
static int tape_inline_lua(lua_State *L)
{
    struct tape *source = recorder_check(L, 1)->tape, *t = recording_get(L);
    if (!t) return binding_error(L, "nothing is being recorded");
    int n_out, n_in;
    int *inputs = value_nodes(L, t, 2, &n_in), *outputs = value_nodes(L, source, 3, &n_out);
    if (n_in != source->n_inputs)
        return binding_error(L, "the recorded function has %d inputs, got %d", source->n_inputs, n_in);
    int *nodes = lua_newuserdatauv(L, (size_t)(n_out + 1) * sizeof *nodes, 0);
    enum status status = tape_inline_outputs(t, source, inputs, outputs, n_out, nodes);
    if (t->status != STATUS_OK) status = tape_take_status(t);
    binding_check(L, status);
    push_symbols(L, t, nodes, n_out);
    return 1;
}

static const luaL_Reg tape_methods[] = {{"input", tape_add_input},   {"vjp", tape_vjp_lua},
                                        {"jvp", tape_jvp_lua},       {"finish", tape_end},
                                        {"inline", tape_inline_lua}, {NULL, NULL}};
static const luaL_Reg functions[] = {{"tape_begin", tape_begin},     {"is_recording", is_recording},
                                     {"vjp", tape_vjp_lua},          {"jvp", tape_jvp_lua},
                                     {"samples_meet", samples_meet}, {NULL, NULL}};

void open_autodiff(lua_State *L)
{
    luaL_setfuncs(L, functions, 0);
    binding_class(L, TAPE_TYPE, tape_methods, tape_collect, tape_end);
}
