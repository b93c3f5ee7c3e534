/* Tapes and programs for scripts/tide/tensor/autodiff.lua, which knows about functions and tables of tensors.
 */
#include <string.h>

#include "autodiff/passes.h"
#include "autodiff/program.h"
#include "autodiff/vjp.h"
#include "base/memory.h"
#include "binding.h"
#include "kernels/elementwise.h"

/* ---- tapes ---- */

static struct recorder *recorder_check(lua_State *L, int arg)
{
    struct recorder *r = luaL_checkudata(L, arg, TAPE_TYPE);
    if (!r->tape) binding_error(L, "the tape is closed");
    return r;
}

/* A recorder whose coroutine waits in a yield, or died by an error, does not record what others do. */
static struct recorder *recorder_running(struct recorder *r)
{
    while (r && lua_status(r->thread) != LUA_OK) r = r->previous;
    return r;
}

struct tape *recording_get(lua_State *L)
{
    struct recorder *r = recorder_running(session_get(L)->recorder);
    return r ? r->tape : NULL;
}

struct tape *recording_random(lua_State *L)
{
    struct recorder *r = recorder_running(session_get(L)->recorder), *outermost = NULL;
    for (; r && r->kind != RECORD_NOTHING; r = recorder_running(r->previous)) outermost = r;
    return outermost && outermost->kind == RECORD_PROGRAM ? outermost->tape : NULL;
}

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

/* The nodes of the list of tensors at `arg`, in a block that Lua owns (pushed on the stack). */
static int *nodes_check(lua_State *L, struct tape *t, int arg, int *n)
{
    luaL_checktype(L, arg, LUA_TTABLE);
    *n = (int)lua_rawlen(L, arg);
    int *nodes = lua_newuserdatauv(L, (size_t)(*n + 1) * sizeof *nodes, 0);
    for (int i = 0; i < *n; i++) {
        lua_rawgeti(L, arg, i + 1);
        nodes[i] = value_node(L, t, value_check(L, -1));
        lua_pop(L, 1);
    }
    return nodes;
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

/* vjp(tape or nil, {y}, {ybar}, {x}) -> {xbar} */
static int tape_vjp_lua(lua_State *L)
{
    struct tape *t = working_tape(L);
    int n_y, n_bar, n_x;
    int *y = nodes_check(L, t, 2, &n_y), *ybar = nodes_check(L, t, 3, &n_bar),
        *x = nodes_check(L, t, 4, &n_x);
    check_cotangents(L, t, y, ybar, n_y, n_bar, "cotangent");
    int *xbar = lua_newuserdatauv(L, (size_t)(n_x + 1) * sizeof *xbar, 0);
    enum status status = tape_vjp(t, y, ybar, n_y, x, n_x, xbar);
    if (t->status != STATUS_OK) status = tape_take_status(t);
    binding_check(L, status);
    for (int i = 0; i < n_x; i++) t->nodes[xbar[i]].weak = t->nodes[x[i]].weak;
    push_symbols(L, t, xbar, n_x);
    return 1;
}

/* jvp(tape or nil, {y}, {x}, {v}) -> {ydot} */
static int tape_jvp_lua(lua_State *L)
{
    struct tape *t = working_tape(L);
    int n_y, n_x, n_v;
    int *y = nodes_check(L, t, 2, &n_y), *x = nodes_check(L, t, 3, &n_x), *v = nodes_check(L, t, 4, &n_v);
    check_cotangents(L, t, x, v, n_x, n_v, "tangent");
    int *ydot = lua_newuserdatauv(L, (size_t)(n_y + 1) * sizeof *ydot, 0);
    enum status status = tape_jvp(t, y, n_y, x, v, n_x, ydot);
    if (t->status != STATUS_OK) status = tape_take_status(t);
    binding_check(L, status);
    push_symbols(L, t, ydot, n_y);
    return 1;
}

/* tape:inline({inputs}, {outputs}) -> {symbols}: everything recorded on `tape`, which has ended, again on the
 * one being recorded. */
static int tape_inline_lua(lua_State *L)
{
    struct tape *source = recorder_check(L, 1)->tape, *t = recording_get(L);
    if (!t) return binding_error(L, "nothing is being recorded");
    int n_out, n_in;
    int *inputs = nodes_check(L, t, 2, &n_in), *outputs = nodes_check(L, source, 3, &n_out);
    if (n_in != source->n_inputs)
        return binding_error(L, "the recorded function has %d inputs, got %d", source->n_inputs, n_in);
    int *nodes = lua_newuserdatauv(L, (size_t)(n_out + 1) * sizeof *nodes, 0);
    enum status status = tape_inline_outputs(t, source, inputs, outputs, n_out, nodes);
    if (t->status != STATUS_OK) status = tape_take_status(t);
    binding_check(L, status);
    push_symbols(L, t, nodes, n_out);
    return 1;
}

/* ---- programs ---- */

struct program_box {
    struct program *program;
};

static struct program *program_check(lua_State *L, int arg)
{
    struct program_box *box = luaL_checkudata(L, arg, PROGRAM_TYPE);
    if (!box->program) binding_error(L, "the program is closed");
    return box->program;
}

static int program_collect(lua_State *L)
{
    struct program_box *box = luaL_checkudata(L, 1, PROGRAM_TYPE);
    program_free(box->program);
    box->program = NULL;
    return 0;
}

/* program(tape, {outputs}) */
static int program_make(lua_State *L)
{
    struct tape *t = recorder_check(L, 1)->tape;
    int n;
    int *outputs = nodes_check(L, t, 2, &n);
    program_account(L);
    struct program_box *box = lua_newuserdatauv(L, sizeof *box, 0);
    box->program = NULL;
    luaL_setmetatable(L, PROGRAM_TYPE);
    binding_check(L, program_new(&box->program, t, outputs, n));
    return 1;
}

/* Entry i of the list of inputs, at index 2, which must have the shape and dtype that the program was
 * recorded for. */
static struct tensor *input_check(lua_State *L, const struct program *p, int i)
{
    lua_rawgeti(L, 2, i + 1);
    struct tensor *t = tensor_check(L, -1);
    lua_pop(L, 1);
    const struct array *wanted = program_input(p, i), *a = &t->array;
    char tw[SHAPE_TEXT], ta[SHAPE_TEXT];
    if (!array_same_shape(wanted, a) || wanted->dtype != a->dtype)
        binding_error(L, "input %d has shape %s (%s), the program was recorded for %s (%s)", i + 1,
                      array_shape_text(a, ta), dtype_name(a->dtype), array_shape_text(wanted, tw),
                      dtype_name(wanted->dtype));
    return t;
}

/* Push a table with dense copies of the inputs that are strided, each at its place; or nil when all are
 * dense. */
static void push_dense_copies(lua_State *L, const struct program *p)
{
    lua_pushnil(L);
    int at = lua_gettop(L);
    for (int i = 0; i < program_n_inputs(p); i++) {
        if (array_is_contiguous(&input_check(L, p, i)->array)) continue;
        if (lua_isnil(L, at)) {
            lua_newtable(L);
            lua_replace(L, at);
        }
        struct value *copy = value_push_empty(L);
        const struct array *a = &input_check(L, p, i)->array;
        binding_check(L, tensor_new(&copy->tensor, a->dtype, a->rank, a->shape));
        array_copy_dense(a, copy->tensor->array.data);
        lua_rawseti(L, at, i + 1);
    }
}

/* Where the numbers of input i are: in its dense copy, if the table at `copies` has one. */
static const void *input_address(lua_State *L, const struct program *p, int i, int copies)
{
    const struct tensor *t = NULL;
    if (lua_istable(L, copies)) {
        lua_rawgeti(L, copies, i + 1);
        if (!lua_isnil(L, -1)) t = value_test(L, -1)->tensor;
        lua_pop(L, 1);
    }
    if (!t) t = input_check(L, p, i);
    if (!array_is_contiguous(&t->array))
        binding_error(L, "input %d was changed while the program was being started", i + 1);
    return t->array.data;
}

static void push_outputs(lua_State *L, const struct program *p, void **addresses)
{
    int n = program_n_outputs(p);
    lua_createtable(L, n, 0);
    for (int i = 0; i < n; i++) {
        const struct array *a = program_output(p, i);
        struct value *v = value_push_empty(L);
        binding_check(L, tensor_new(&v->tensor, a->dtype, a->rank, a->shape));
        value_account(L, v);
        addresses[i] = v->tensor->array.data;
        lua_rawseti(L, -2, i + 1);
    }
}

/* program:run({inputs}) -> {outputs}. Making results may run Lua's collector, and with it finalisers that
 * close tensors, so the inputs' addresses are taken last; from there on nothing of Lua runs until the program
 * is through. */
static int program_run_lua(lua_State *L)
{
    enum { FEW = 64 };
    void *few[FEW], **addresses = few;
    struct program *p = program_check(L, 1);
    luaL_checktype(L, 2, LUA_TTABLE);
    int n_in = program_n_inputs(p), n_out = program_n_outputs(p);
    if ((int)lua_rawlen(L, 2) != n_in)
        return binding_error(L, "the program takes %d inputs, got %d", n_in, (int)lua_rawlen(L, 2));
    lua_settop(L, 2);
    if (n_in + n_out > FEW) addresses = lua_newuserdatauv(L, (size_t)(n_in + n_out) * sizeof *addresses, 0);
    const void **inputs = (const void **)addresses;
    push_dense_copies(L, p);
    int copies = lua_gettop(L);
    push_outputs(L, p, addresses + n_in);
    for (int i = 0; i < n_in; i++) inputs[i] = input_address(L, p, i, copies);
    binding_check(L, program_run(p, inputs, addresses + n_in));
    return 1;
}

static int program_describe(lua_State *L)
{
    struct program *p = program_check(L, 1);
    lua_createtable(L, 0, 2);
    lua_pushinteger(L, program_n_calls(p));
    lua_setfield(L, -2, "calls");
    lua_pushinteger(L, (lua_Integer)program_arena_bytes(p));
    lua_setfield(L, -2, "arena_bytes");
    return 1;
}

static const luaL_Reg tape_methods[] = {{"input", tape_add_input},   {"vjp", tape_vjp_lua},
                                        {"jvp", tape_jvp_lua},       {"finish", tape_end},
                                        {"inline", tape_inline_lua}, {NULL, NULL}};
static const luaL_Reg program_methods[] = {
    {"run", program_run_lua}, {"describe", program_describe}, {NULL, NULL}};
static const luaL_Reg functions[] = {{"tape_begin", tape_begin}, {"is_recording", is_recording},
                                     {"vjp", tape_vjp_lua},      {"jvp", tape_jvp_lua},
                                     {"program", program_make},  {NULL, NULL}};

static void new_class(lua_State *L, const char *name, const luaL_Reg *methods, lua_CFunction collect,
                      lua_CFunction close)
{
    luaL_newmetatable(L, name);
    lua_pushcfunction(L, collect);
    lua_setfield(L, -2, "__gc");
    lua_pushcfunction(L, close);
    lua_setfield(L, -2, "__close");
    lua_newtable(L);
    luaL_setfuncs(L, methods, 0);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}

void open_autodiff(lua_State *L)
{
    luaL_setfuncs(L, functions, 0);
    new_class(L, TAPE_TYPE, tape_methods, tape_collect, tape_end);
    new_class(L, PROGRAM_TYPE, program_methods, program_collect, program_collect);
}
