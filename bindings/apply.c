/* Ops on values: dtypes are brought together, numbers beside tensors become tensors. */
#include "apply.h"

#include "base/memory.h"
#include "binding.h"
#include "call_lua.h"
#include "recording.h"

int value_node(lua_State *L, struct tape *t, struct value *v)
{
    int node = v->tape ? tape_import(t, v->tape, v->node) : tape_constant(t, v->tensor);
    if (node < 0) binding_check(L, tape_take_status(t));
    return node;
}

int *value_nodes(lua_State *L, struct tape *t, int arg, int *n)
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

static enum status apply_recorded(lua_State *L, struct tape *t, enum op_id op, const struct attrs *attrs,
                                  int first, int n, int common, int weak)
{
    int few[16], *in = n <= 16 ? few : lua_newuserdatauv(L, (size_t)n * sizeof(int), 0);
    for (int i = 0; i < n; i++) {
        struct value *v = value_test(L, first + i);
        if (!v) {
            struct number x = number_at(L, first + i, (enum dtype)common);
            in[i] = common == INT64 ? tape_whole(t, x.whole) : tape_literal(t, (enum dtype)common, x.value);
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
        number_put(&(*out)->array, 0, number_at(L, arg, (enum dtype)common));
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
            number_at(L, first + i, (enum dtype)common); /* takes the dtype of the tensors beside it */
        }
    return common;
}

void value_apply_now(lua_State *L, enum op_id op, const struct attrs *attrs, int first, int n)
{
    int symbolic, weak, common = operands_dtype(L, op, first, n, &symbolic, &weak);
    if (symbolic) binding_error(L, "%s", recording_ended);
    struct value *v = value_push_empty(L);
    call_lua_in(L);
    operands_check(L, op, first, n); /* again: the collector may just have run a finalizer that closed one */
    enum status status = apply_at_once(L, op, attrs, first, n, common, &v->tensor);
    if (status == STATUS_MEMORY) { /* garbage may be holding it */
        lua_gc(L, LUA_GCCOLLECT, 0);
        call_lua_in(L);
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
