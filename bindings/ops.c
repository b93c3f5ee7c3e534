/* Ops as Lua functions, methods and metamethods of tensors. */
#include <string.h>

#include "apply.h"
#include "binding.h"
#include "modules.h"
#include "truth.h"

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

static int op_truth(lua_State *L, int n)
{
    enum op_id op = (enum op_id)lua_tointeger(L, lua_upvalueindex(1));
    lua_settop(L, n);
    apply_op(L, op, n);
    return truth_settle(L, op_table[op].name, (int)op);
}

static int op_compare(lua_State *L) { return op_truth(L, 2); }
static int op_predicate(lua_State *L) { return op_truth(L, 1); }

/* x & y, x | y and x ~ y of masks: what they are for bits of any other dtype is not what they are for truths.
 */
static int op_mask(lua_State *L)
{
    enum op_id op = (enum op_id)lua_tointeger(L, lua_upvalueindex(1));
    for (int i = 1; i <= op_table[op].max_in; i++) {
        struct value *v = value_open(L, i);
        if (!v || value_spec(v)->dtype != UINT8)
            return binding_error(L,
                                 "&, | and ~ take masks, uint8 as comparisons give, got %s; x:%s(...) takes "
                                 "any dtype",
                                 v ? dtype_name(value_spec(v)->dtype) : luaL_typename(L, i),
                                 op_table[op].name);
    }
    lua_settop(L, op_table[op].max_in);
    return apply_op(L, op, op_table[op].max_in);
}

static int op_order(lua_State *L) /* x < y, x <= y, of which Lua makes booleans */
{
    enum op_id op = (enum op_id)lua_tointeger(L, lua_upvalueindex(1));
    lua_settop(L, 2);
    apply_op(L, op, 2);
    return truth_force(L, op == OP_LT ? "x < y" : "x <= y", op_table[op].name);
}

/* Integers to the power n stay integers: squares of squares, multiplied where n has a bit. */
static int whole_power(lua_State *L, lua_Integer n)
{
    int result = 0;
    lua_settop(L, 1);
    for (; n > 0; n >>= 1) {
        if (n & 1) {
            if (result) lua_pushvalue(L, result);
            lua_pushvalue(L, 1);
            if (result) value_apply(L, OP_MUL, NULL, lua_gettop(L) - 1, 2);
            result = lua_gettop(L);
        }
        if (n == 1) break;
        value_apply(L, OP_SQUARE, NULL, 1, 1);
        lua_replace(L, 1);
        luaL_checkstack(L, 8, "power");
    }
    return 1;
}

/* x^2 and x^0.5 are common enough to have ops of their own. */
static int op_power(lua_State *L)
{
    lua_settop(L, 2);
    int whole = 0;
    struct value *base = value_open(L, 1);
    lua_Integer n = lua_type(L, 2) == LUA_TNUMBER ? lua_tointegerx(L, 2, &whole) : 0;
    if (base && whole && n > 0 && !dtype_is_float(value_spec(base)->dtype)) return whole_power(L, n);
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

/* names[]: op table names, as functions of both the methods table and (through scripts/tide/tensor) the
 * module. */
void open_ops(lua_State *L)
{
    int module = lua_gettop(L);
    lua_getfield(L, module, "methods");
    int methods = lua_gettop(L);
    static const lua_CFunction elementwise[] = {[ELEMENTWISE_UNARY] = op_unary,
                                                [ELEMENTWISE_PREDICATE] = op_predicate,
                                                [ELEMENTWISE_BINARY] = op_binary,
                                                [ELEMENTWISE_COMPARE] = op_compare};
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
    } arithmetic[] = {{"__add", OP_ADD}, {"__sub", OP_SUB},       {"__mul", OP_MUL},
                      {"__div", OP_DIV}, {"__mod", OP_REMAINDER}, {"__idiv", OP_FLOOR_DIVIDE}};
    for (size_t i = 0; i < sizeof arithmetic / sizeof *arithmetic; i++)
        set_op(L, meta, arithmetic[i].event, op_binary, arithmetic[i].op);
    static const struct {
        const char *event;
        int op;
    } masks[] = {{"__band", OP_LOGICAL_AND},
                 {"__bor", OP_LOGICAL_OR},
                 {"__bxor", OP_LOGICAL_XOR},
                 {"__bnot", OP_LOGICAL_NOT}};
    for (size_t i = 0; i < sizeof masks / sizeof *masks; i++)
        set_op(L, meta, masks[i].event, op_mask, masks[i].op);
    set_op(L, meta, "__lt", op_order, OP_LT);
    set_op(L, meta, "__le", op_order, OP_LE);
    set_op(L, meta, "__pow", op_power, OP_POW);
    set_op(L, meta, "__unm", op_unary, OP_NEG);
    lua_settop(L, module);
}
