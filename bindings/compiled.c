/* Programs: what tide.compile runs. */
#include "compiled.h"

#include "apply.h"
#include "binding.h"
#include "call_lua.h"
#include "kernels/elementwise.h"
#include "entry.h"
#include "modules.h"
#include "recording.h"

struct program **compiled_push_empty(lua_State *L)
{
    struct program **box = lua_newuserdatauv(L, sizeof *box, 0);
    *box = NULL;
    luaL_setmetatable(L, PROGRAM_TYPE);
    return box;
}

static struct program *program_check(lua_State *L, int arg)
{
    struct program **box = luaL_checkudata(L, arg, PROGRAM_TYPE);
    if (!*box) binding_error(L, "the program is closed");
    return *box;
}

static int program_collect(lua_State *L)
{
    struct program **box = luaL_checkudata(L, 1, PROGRAM_TYPE);
    program_free(*box);
    *box = NULL;
    return 0;
}

/* program(tape, {outputs}) */
static int program_make(lua_State *L)
{
    struct tape *t = recorder_check(L, 1)->tape;
    int n;
    int *outputs = value_nodes(L, t, 2, &n);
    program_account(L);
    struct program **box = compiled_push_empty(L);
    binding_check(L, program_new(box, t, outputs, n));
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
    call_lua_in(L);
    binding_check(L, program_run(p, inputs, addresses + n_in));
    return 1;
}

void open_compiled(lua_State *L)
{
    static const luaL_Reg methods[] = {{"run", program_run_lua}, {NULL, NULL}};
    binding_class(L, PROGRAM_TYPE, methods, program_collect, program_collect);
    lua_pushcfunction(L, program_make);
    lua_setfield(L, -2, "program");
}
