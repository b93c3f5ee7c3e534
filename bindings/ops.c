/* Ops as Lua functions: recorded while something is being recorded, else at once. */
#include <string.h>

#include "base/memory.h"
#include "binding.h"
#include "truth.h"

int value_node(lua_State *L, struct tape *t, struct value *v)
{
    int node = v->tape ? tape_import(t, v->tape, v->node) : tape_constant(t, v->tensor);
    if (node < 0) binding_check(L, tape_take_status(t));
    return node;
}

/* The condition of an op takes no part in bringing dtypes together. */
static int is_condition(enum op_id op, int i) { return i == 0 && (op_table[op].flags & OP_CONDITION) != 0; }

/* Operands may be tensors and numbers. Returns whether one is symbolic. */
static int operands_check(lua_State *L, enum op_id op, int first, int n)
{
    int symbolic = 0;
    for (int i = 0; i < n; i++) {
        if (is_condition(op, i) && !value_test(L, first))
            binding_error(L, "%s: the condition must be a tensor (a comparison gives one), got %s",
                          op_table[op].name, luaL_typename(L, first));
        if (lua_type(L, first + i) == LUA_TNUMBER) continue;
        if (!value_test(L, first + i))
            binding_error(L, "%s: operand %d must be a tensor%s, got %s", op_table[op].name, i + 1,
                          n > 1 ? " or a number" : "", luaL_typename(L, first + i));
        symbolic |= value_check(L, first + i)->tape != NULL;
    }
    return symbolic;
}

static int is_weak(const struct value *v) { return v->tape && v->tape->nodes[v->node].weak; }

/* The dtype that the operands are brought to, or -1 to leave each as it is. A weak operand counts where no
 * other is a float; then *weak says that the result is weak as well. */
static int common_dtype(lua_State *L, enum op_id id, int first, int n, int *weak)
{
    const struct op *op = &op_table[id];
    int common = -1, yielding = -1;
    for (int i = is_condition(id, 0); i < n; i++) {
        struct value *v = value_test(L, first + i);
        if (!v) continue;
        int *of = is_weak(v) ? &yielding : &common;
        *of =
            *of < 0 ? (int)value_spec(v)->dtype : (int)dtype_promote((enum dtype) * of, value_spec(v)->dtype);
    }
    *weak = yielding >= 0 && (common < 0 || !dtype_is_float((enum dtype)common));
    if (*weak) common = common < 0 ? yielding : (int)dtype_promote((enum dtype)common, (enum dtype)yielding);
    if (common >= 0 && (op->flags & OP_FLOAT) && !dtype_is_float((enum dtype)common))
        return (int)session_get(L)->default_dtype;
    return op->flags & OP_PROMOTE ? common : -1;
}

/* A number takes the dtype of the tensors beside it; it must fit. */
static double number_operand(lua_State *L, int arg, enum dtype dtype)
{
    return number_check(L, lua_tonumber(L, arg), dtype);
}

static enum status apply_recorded(lua_State *L, struct tape *t, enum op_id op, const struct attrs *attrs,
                                  int first, int n, int common, int weak)
{
    int few[16], *in = n <= 16 ? few : lua_newuserdatauv(L, (size_t)n * sizeof(int), 0);
    for (int i = 0; i < n; i++) {
        struct value *v = value_test(L, first + i);
        if (!v) {
            in[i] = tape_literal(t, (enum dtype)common, number_operand(L, first + i, (enum dtype)common));
            continue;
        }
        in[i] = value_node(L, t, v);
        if (common >= 0 && !is_condition(op, i)) in[i] = emit_strong(t, in[i], (enum dtype)common);
    }
    int node = tape_emit(t, op, attrs, in, n);
    if (node < 0) return tape_take_status(t);
    t->nodes[node].weak = weak && t->nodes[node].spec.dtype == FLOAT64 && op != OP_CAST;
    symbol_push(L, t, node);
    return STATUS_OK;
}

/* A concrete operand in the wanted dtype, as a new reference. */
static enum status operand_tensor(lua_State *L, int arg, int common, struct tensor **out)
{
    struct value *v = value_test(L, arg);
    if (!v) {
        TRY(tensor_new(out, (enum dtype)common, 0, NULL));
        array_set(&(*out)->array, 0, lua_tonumber(L, arg));
        return STATUS_OK;
    }
    if (common < 0 || (int)v->tensor->array.dtype == common) {
        *out = tensor_retain(v->tensor);
        return STATUS_OK;
    }
    return op_apply(OP_CAST, &(struct attrs){.n = 1, .v = {common}}, &v->tensor, 1, out);
}

static enum status apply_at_once(lua_State *L, enum op_id op, const struct attrs *attrs, int first, int n,
                                 int common, struct tensor **out)
{
    struct tensor *few[8] = {NULL}, **in = few;
    if (n > 8 && !(in = memory_zalloc((size_t)n, sizeof *in))) return memory_status();
    enum status status = STATUS_OK;
    for (int i = 0; i < n && status == STATUS_OK; i++)
        status = operand_tensor(L, first + i, is_condition(op, i) ? -1 : common, &in[i]);
    if (status == STATUS_OK) status = op_apply(op, attrs, in, n, out);
    for (int i = 0; i < n; i++) tensor_release(in[i]);
    if (in != few) memory_free(in);
    return status;
}

/* Checks that do not depend on whether the op is recorded; the dtype to bring operands to, see
 * common_dtype. */
static int operands_dtype(lua_State *L, enum op_id op, int first, int n, int *symbolic, int *weak)
{
    *symbolic = operands_check(L, op, first, n);
    int common = common_dtype(L, op, first, n, weak);
    for (int i = 0; i < n; i++)
        if (!value_test(L, first + i)) {
            if (common < 0)
                binding_error(L, "%s needs at least one tensor among its operands", op_table[op].name);
            number_operand(L, first + i, (enum dtype)common);
        }
    return common;
}

void value_apply_now(lua_State *L, enum op_id op, const struct attrs *attrs, int first, int n)
{
    int symbolic, weak, common = operands_dtype(L, op, first, n, &symbolic, &weak);
    if (symbolic) binding_error(L, "%s", recording_ended);
    struct value *v = value_push_empty(L);
    operands_check(L, op, first, n); /* again: the collector may just have run a finalizer that closed one */
    enum status status = apply_at_once(L, op, attrs, first, n, common, &v->tensor);
    if (status == STATUS_MEMORY) { /* garbage may be holding it */
        lua_gc(L, LUA_GCCOLLECT, 0);
        operands_check(L, op, first, n);
        status = apply_at_once(L, op, attrs, first, n, common, &v->tensor);
    }
    binding_check(L, status);
    value_account(L, v);
}

void value_apply(lua_State *L, enum op_id op, const struct attrs *attrs, int first, int n)
{
    struct tape *t = recording_get(L);
    if (!t) {
        value_apply_now(L, op, attrs, first, n);
        return;
    }
    int symbolic, weak, common = operands_dtype(L, op, first, n, &symbolic, &weak);
    binding_check(L, apply_recorded(L, t, op, attrs, first, n, common, weak));
}

void number_apply(lua_State *L, enum op_id op, int first, int n)
{
    struct tensor *in[2] = {NULL}, *out = NULL;
    enum status status = STATUS_OK;
    for (int i = 0; i < n && status == STATUS_OK; i++) {
        status = tensor_new(&in[i], FLOAT64, 0, NULL);
        if (status == STATUS_OK) array_set(&in[i]->array, 0, lua_tonumber(L, first + i));
    }
    if (status == STATUS_OK) status = op_apply(op, NULL, in, n, &out);
    double result = out ? array_get(&out->array, 0) : 0;
    int truth = out && out->array.dtype == UINT8;
    for (int i = 0; i < n; i++) tensor_release(in[i]);
    tensor_release(out);
    binding_check(L, status);
    if (truth)
        lua_pushboolean(L, result != 0);
    else
        lua_pushnumber(L, result);
}

/* ---- Lua functions ---- */

static int all_numbers(lua_State *L, int n)
{
    int all = 1;
    for (int i = 1; i <= n; i++) all &= lua_type(L, i) == LUA_TNUMBER;
    return all;
}

static int apply_op(lua_State *L, enum op_id op, int n)
{
    (all_numbers(L, n) ? number_apply(L, op, 1, n) : value_apply(L, op, NULL, 1, n));
    return 1;
}

static int op_unary(lua_State *L)
{
    lua_settop(L, 1);
    return apply_op(L, (enum op_id)lua_tointeger(L, lua_upvalueindex(1)), 1);
}

static int op_binary(lua_State *L)
{
    lua_settop(L, 2);
    return apply_op(L, (enum op_id)lua_tointeger(L, lua_upvalueindex(1)), 2);
}

_Static_assert(OP_COUNT <= TRUTH_IDS, "comparisons are told apart by their number in the op table");

static int op_compare(lua_State *L)
{
    enum op_id op = (enum op_id)lua_tointeger(L, lua_upvalueindex(1));
    lua_settop(L, 2);
    apply_op(L, op, 2);
    return truth_settle(L, op_table[op].name, (int)op);
}

static int op_order(lua_State *L) /* x < y, x <= y, of which Lua makes booleans */
{
    enum op_id op = (enum op_id)lua_tointeger(L, lua_upvalueindex(1));
    lua_settop(L, 2);
    apply_op(L, op, 2);
    return truth_force(L, op == OP_LT ? "x < y" : "x <= y", op_table[op].name);
}

/* x^2 and x^0.5 are common enough to have ops of their own. */
static int op_power(lua_State *L)
{
    lua_settop(L, 2);
    double exponent = lua_type(L, 2) == LUA_TNUMBER ? lua_tonumber(L, 2) : 0;
    if (exponent == 2) return apply_op(L, OP_SQUARE, 1);
    return exponent == 0.5 ? apply_op(L, OP_SQRT, 1) : apply_op(L, OP_POW, 2);
}

static int op_id_check(lua_State *L, const char *name)
{
    for (int i = 0; i < OP_COUNT; i++)
        if (strcmp(op_table[i].name, name) == 0) return i;
    return binding_error(L, "unknown op \"%s\"", name);
}

/* apply(name, {integers}, inputs ...): the general form, for the wrappers of scripts/tide/tensor/init.lua;
 * everything is 0-based here. */
static int op_general(lua_State *L)
{
    struct attrs attrs = {0};
    int id = op_id_check(L, luaL_checkstring(L, 1)), n = lua_gettop(L) - 2;
    attrs.n = integers_check(L, 2, op_table[id].name, attrs.v, MAX_ATTRS);
    if (op_table[id].flags & OP_INTERNAL)
        return binding_error(L, "%s is made by the engine alone", op_table[id].name);
    if (n < op_table[id].min_in || n > op_table[id].max_in || n < 1)
        return binding_error(L, "%s takes %d to %d tensors, got %d", op_table[id].name, op_table[id].min_in,
                             op_table[id].max_in, n);
    value_apply(L, (enum op_id)id, &attrs, 3, n);
    return 1;
}

static int op_to(lua_State *L) /* x:to(dtype): x itself when it has the dtype */
{
    struct value *v = value_check(L, 1);
    if (lua_isnoneornil(L, 2)) return binding_error(L, "to: a dtype is missing: x:to(\"float64\")");
    enum dtype dtype = dtype_check(L, 2, FLOAT32);
    lua_settop(L, 1);
    if (value_spec(v)->dtype != dtype) value_apply(L, OP_CAST, &(struct attrs){.n = 1, .v = {dtype}}, 1, 1);
    return 1;
}

static void set_op(lua_State *L, int table, const char *name, lua_CFunction function, int id)
{
    lua_pushinteger(L, id);
    lua_pushcclosure(L, function, 1);
    lua_setfield(L, table, name);
}

/* names[]: op table names, as functions of both the methods table and (through tensor.lua) the module. */
void open_ops(lua_State *L)
{
    int module = lua_gettop(L);
    lua_getfield(L, module, "methods");
    int methods = lua_gettop(L);
    static const lua_CFunction elementwise[] = {
        [ELEMENTWISE_UNARY] = op_unary, [ELEMENTWISE_BINARY] = op_binary, [ELEMENTWISE_COMPARE] = op_compare};
    for (int i = 0; i < OP_COUNT; i++)
        if (op_table[i].elementwise)
            set_op(L, methods, op_table[i].name, elementwise[op_table[i].elementwise], i);
    set_op(L, methods, "pow", op_power, OP_POW);
    set_op(L, methods, "clone", op_unary, OP_COPY);
    set_op(L, methods, "stop_gradient", op_unary, OP_STOP_GRADIENT);
    set_op(L, methods, "to", op_to, OP_CAST);
    lua_pushcfunction(L, op_general);
    lua_setfield(L, module, "apply");
    luaL_getmetatable(L, TENSOR_TYPE);
    int meta = lua_gettop(L);
    static const struct {
        const char *event;
        int op;
    } arithmetic[] = {{"__add", OP_ADD}, {"__sub", OP_SUB}, {"__mul", OP_MUL}, {"__div", OP_DIV}};
    for (size_t i = 0; i < sizeof arithmetic / sizeof *arithmetic; i++)
        set_op(L, meta, arithmetic[i].event, op_binary, arithmetic[i].op);
    set_op(L, meta, "__lt", op_order, OP_LT);
    set_op(L, meta, "__le", op_order, OP_LE);
    set_op(L, meta, "__pow", op_power, OP_POW);
    set_op(L, meta, "__unm", op_unary, OP_NEG);
    lua_settop(L, module);
}
