/* The userdata "tide.Tensor": life and access. Creation is in creation.c, the ops are in ops.c, composites in
 * scripts/tide/tensor/init.lua. */
#include <string.h>

#include "apply.h"
#include "base/interrupt.h"
#include "base/memory.h"
#include "binding.h"
#include "kernels/elementwise.h"
#include "entry.h"
#include "modules.h"
#include "recording.h"

static int value_close(lua_State *L)
{
    struct value *v = luaL_checkudata(L, 1, TENSOR_TYPE);
    tensor_release(v->tensor);
    tape_release(v->tape);
    *v = (struct value){0};
    return 0;
}

/* ---- reading ---- */

static int tensor_shape(lua_State *L)
{
    const struct array *a = value_spec(value_check(L, 1));
    lua_createtable(L, a->rank, 0);
    for (int i = 0; i < a->rank; i++) {
        lua_pushinteger(L, a->shape[i]);
        lua_rawseti(L, -2, i + 1);
    }
    return 1;
}

static int tensor_dtype(lua_State *L)
{
    lua_pushstring(L, dtype_name(value_spec(value_check(L, 1))->dtype));
    return 1;
}

static int tensor_numel(lua_State *L)
{
    lua_pushinteger(L, array_numel(value_spec(value_check(L, 1))));
    return 1;
}

static int tensor_rank(lua_State *L)
{
    lua_pushinteger(L, value_spec(value_check(L, 1))->rank);
    return 1;
}

static int tensor_len(lua_State *L)
{
    const struct array *a = value_spec(value_check(L, 1));
    if (a->rank == 0) return binding_error(L, "a scalar tensor (shape {}) has no length; use x:item()");
    lua_pushinteger(L, a->shape[0]);
    return 1;
}

static int tensor_is_weak(lua_State *L)
{
    struct value *v = value_check(L, 1);
    lua_pushboolean(L, v->tape && v->tape->nodes[v->node].weak);
    return 1;
}

static int tensor_is_symbolic(lua_State *L)
{
    struct value *v = value_test(L, 1);
    lua_pushboolean(L, v && v->tape);
    return 1;
}

static void push_element(lua_State *L, const struct array *a, int64_t i)
{
    if (a->dtype == INT64)
        lua_pushinteger(L, *(const int64_t *)array_at(a, i));
    else if (a->dtype == UINT8)
        lua_pushinteger(L, *(const uint8_t *)array_at(a, i));
    else
        lua_pushnumber(L, array_get(a, i));
}

static int tensor_item(lua_State *L)
{
    const struct tensor *t = tensor_check(L, 1);
    char text[SHAPE_TEXT];
    if (array_numel(&t->array) != 1)
        return binding_error(L, "item: the tensor must have exactly one element, it has shape %s",
                             array_shape_text(&t->array, text));
    push_element(L, &t->array, 0);
    return 1;
}

/* Nested tables of the elements; of an axis longer than 2 edge only the first and last `edge` entries (0:
 * all). */
static void push_nested(lua_State *L, const struct array *a, int axis, int64_t first, int64_t edge)
{
    if (axis == a->rank) {
        push_element(L, a, first);
        return;
    }
    int64_t inner = 1, n = a->shape[axis];
    for (int i = axis + 1; i < a->rank; i++) inner *= a->shape[i];
    int64_t skipped = edge > 0 && n > 2 * edge ? n - 2 * edge : 0;
    luaL_checkstack(L, 3, "totable");
    lua_createtable(L, (int)(n - skipped), 0);
    for (int64_t i = 0; i < n - skipped; i++) {
        if ((first + i) % 65536 == 65535) binding_check(L, interrupt_poll());
        push_nested(L, a, axis + 1, first + (i < edge ? i : i + skipped) * inner, edge);
        lua_rawseti(L, -2, i + 1);
    }
}

static int tensor_totable(lua_State *L)
{
    push_nested(L, &tensor_check(L, 1)->array, 0, 0, 0);
    return 1;
}

/* edges(x, edge): what is shown of a large tensor; an op for each row would be part of a recording. */
static int tensor_edges(lua_State *L)
{
    lua_Integer edge = luaL_checkinteger(L, 2);
    luaL_argcheck(L, edge >= 1 && edge <= INT32_MAX, 2, "must be in 1..2147483647");
    push_nested(L, &tensor_check(L, 1)->array, 0, 0, edge);
    return 1;
}

/* ---- elements: x[i] and x[i] = v; other keys are methods ---- */

static int64_t element_index(lua_State *L, const struct array *a)
{
    int64_t i = lua_tointeger(L, 2), n = a->rank > 0 ? a->shape[0] : 0;
    char text[SHAPE_TEXT];
    if (a->rank == 0) binding_error(L, "a scalar tensor (shape {}) cannot be indexed; use x:item()");
    if (i < -n || i > n || i == 0)
        binding_error(L, "index %d out of range [1, %d] for a tensor of shape %s%s",
                      (int)(i > 2147483647    ? 2147483647
                            : i < -2147483647 ? -2147483647
                                              : i),
                      (int)n, array_shape_text(a, text),
                      i == n + 1 && n > 0 ? "; a loop over it is for i = 1, #x, not ipairs(x)" : "");
    return i < 0 ? n + i : i - 1;
}

static void select_attrs(const struct array *a, int64_t i, struct attrs *slice, struct attrs *shape)
{
    *slice = (struct attrs){.n = 3 * a->rank};
    *shape = (struct attrs){.n = a->rank - 1};
    for (int axis = 0; axis < a->rank; axis++) {
        slice->v[3 * axis] = axis == 0 ? i : 0;
        slice->v[3 * axis + 1] = 1;
        slice->v[3 * axis + 2] = axis == 0 ? 1 : a->shape[axis];
        if (axis > 0) shape->v[axis - 1] = a->shape[axis];
    }
}

/* x[positions], x[mask]: a method of the library. */
static int tensor_index_tensor(lua_State *L)
{
    lua_getfield(L, lua_upvalueindex(1), "_at");
    lua_pushvalue(L, 1);
    lua_pushvalue(L, 2);
    lua_call(L, 2, 1);
    return 1;
}

static int tensor_index(lua_State *L)
{
    int whole = 0;
    if (lua_type(L, 2) != LUA_TNUMBER) {
        if (value_test(L, 2) || lua_istable(L, 2)) return tensor_index_tensor(L);
        lua_pushvalue(L, 2);
        if (lua_rawget(L, lua_upvalueindex(1)) == LUA_TNIL && lua_type(L, 2) != LUA_TSTRING)
            return binding_error(L,
                                 "a tensor is indexed by integers, got a %s; see x:slice, tide.take and "
                                 "tide.masked_select",
                                 luaL_typename(L, 2));
        return 1;
    }
    lua_tointegerx(L, 2, &whole);
    if (!whole)
        return binding_error(L, "a tensor is indexed by integers, got %f", unsigned_nan(lua_tonumber(L, 2)));
    struct value *v = value_check(L, 1);
    struct array a = *value_spec(v);
    int64_t i = element_index(L, &a);
    if (v->tensor && a.rank == 1) {
        push_element(L, &a, i);
        return 1;
    }
    struct attrs slice, shape;
    select_attrs(&a, i, &slice, &shape);
    lua_settop(L, 1);
    void (*run)(lua_State *, enum op_id, const struct attrs *, int, int) =
        v->tensor ? value_apply_now : value_apply; /* reading is no op */
    run(L, OP_SLICE, &slice, 1, 1);
    run(L, OP_RESHAPE, &shape, 2, 1);
    return 1;
}

/* Elements of a view that broadcasting made lie in one place: to set one would set others. */
static void check_writable(lua_State *L, const char *where, const struct array *a)
{
    char text[SHAPE_TEXT];
    for (int axis = 0; axis < a->rank; axis++)
        if (a->stride[axis] == 0 && a->shape[axis] > 1)
            binding_error(L,
                          "%s: the elements of this view of shape %s share memory along axis %d, as "
                          "broadcasting leaves them; change x:clone(), or the tensor that it is a view of",
                          where, array_shape_text(a, text), axis + 1);
}

/* The number at index 3 into every element. */
static void assign_number(lua_State *L, const struct array *part, int64_t n)
{
    struct number x = number_at(L, 3, part->dtype);
    for (int64_t j = 0; j < n; j++) number_put(part, j, x);
}

/* The elements of `view`, which has part's shape, converted to part's dtype, by way of a copy: both may lie
 * in one storage. */
static void assign_tensor(lua_State *L, const struct array *part, const struct array *view, int64_t n)
{
    int64_t one[2] = {1, n}, unit[2] = {0, 1};
    size_t size = dtype_size(part->dtype);
    struct array from = *part;
    char *dense = lua_newuserdatauv(L, (size_t)n * dtype_size(view->dtype) + 1, 0), *converted = dense;
    array_copy_dense(view, dense);
    if (view->dtype != part->dtype) {
        converted = lua_newuserdatauv(L, (size_t)n * size + 1, 0);
        loops->cast[view->dtype][part->dtype](one, dense, unit, converted);
    }
    from.data = converted;
    for (int64_t i = from.rank - 1, stride = 1; i >= 0; stride *= from.shape[i--]) from.stride[i] = stride;
    array_copy_strided(&from, part);
}

/* x[positions] = v, x[mask] = v: a method of the library. */
static int tensor_put(lua_State *L)
{
    luaL_getmetafield(L, 1, "methods");
    lua_getfield(L, -1, "_put");
    lua_replace(L, -2);
    lua_insert(L, 1);
    lua_call(L, 3, 0);
    return 0;
}

static int tensor_newindex(lua_State *L)
{
    int whole = 0;
    if (lua_type(L, 2) == LUA_TNUMBER) lua_tointegerx(L, 2, &whole);
    if (!whole && !value_test(L, 2) && !lua_istable(L, 2))
        return binding_error(L,
                             "only elements x[i], x[positions] and x[mask] of a tensor can be assigned; the "
                             "key was a %s",
                             luaL_typename(L, 2));
    if (recording_get(L))
        return binding_error(
            L, "x[i] = v: a tensor cannot be changed while a function is being recorded (inside tide.grad, "
               "tide.compile, tide.odeint, ...); "
               "build the result from its parts with tide.stack, tide.cat or tide.where, or fill the tensor "
               "outside");
    if (!whole) return tensor_put(L);
    struct array a = tensor_check(L, 1)->array, part = a;
    int64_t i = element_index(L, &a);
    check_writable(L, "x[i] = v", &a);
    part.rank--;
    memmove(part.shape, a.shape + 1, (size_t)part.rank * sizeof *part.shape);
    memmove(part.stride, a.stride + 1, (size_t)part.rank * sizeof *part.stride);
    part.data = (char *)a.data + i * a.stride[0] * (int64_t)dtype_size(a.dtype);
    int64_t n = array_numel(&part);
    if (lua_type(L, 3) == LUA_TNUMBER) {
        assign_number(L, &part, n);
        return 0;
    }
    if (!value_test(L, 3))
        return binding_error(L, "an element of a tensor is set to a number or a tensor, got %s",
                             luaL_typename(L, 3));
    struct array source = tensor_check(L, 3)->array, view;
    char to[SHAPE_TEXT], from[SHAPE_TEXT];
    int rank;
    int64_t shape[MAX_RANK];
    if (broadcast_shapes(&source, &part, &rank, shape) != STATUS_OK || rank != part.rank ||
        memcmp(shape, part.shape, (size_t)rank * sizeof *shape) != 0)
        return binding_error(L, "cannot assign a tensor of shape %s to an element of shape %s",
                             array_shape_text(&source, from), array_shape_text(&part, to));
    broadcast_view(&source, rank, shape, &view);
    assign_tensor(L, &part, &view, n);
    return 0;
}

/* copy_(x, y): the numbers of y into x's memory, shapes and dtypes equal. Used by optimisers' load_state and
 * by readers. */
static int tensor_copy_into(lua_State *L)
{
    if (recording_get(L))
        return binding_error(L, "copy_: a tensor cannot be changed while a function is being recorded "
                                "(inside tide.grad, tide.compile, tide.odeint, "
                                "...); return the new values and copy them outside");
    struct array x = tensor_check(L, 1)->array, y = tensor_check(L, 2)->array;
    int one_storage = tensor_check(L, 1)->storage == tensor_check(L, 2)->storage;
    char to[SHAPE_TEXT], from[SHAPE_TEXT];
    check_writable(L, "copy_", &x);
    if (!array_same_shape(&x, &y) || x.dtype != y.dtype)
        return binding_error(L, "copy_: the tensor has shape %s (%s), the source %s (%s)",
                             array_shape_text(&x, to), dtype_name(x.dtype), array_shape_text(&y, from),
                             dtype_name(y.dtype));
    int64_t n = array_numel(&x);
    if (one_storage)
        assign_tensor(L, &x, &y, n);
    else if (array_is_contiguous(&x))
        array_copy_dense(&y, x.data);
    else
        for (int64_t i = 0; i < n; i++) memcpy(array_at(&x, i), array_at(&y, i), dtype_size(x.dtype));
    lua_settop(L, 1);
    return 1;
}

/* ---- memory ---- */

static int memory_report(lua_State *L)
{
    int reset = flag_check(L, 1, "tide.memory: reset_peak");
    struct memory_stats m = memory_get_stats();
    lua_createtable(L, 0, 5);
    entry_integer(L, "live_bytes", m.live_bytes);
    entry_integer(L, "peak_bytes", m.peak_bytes);
    entry_integer(L, "allocations", m.allocations);
    entry_integer(L, "live_blocks", m.live_blocks);
    entry_integer(L, "system_allocations", m.system_allocations);
    if (reset) memory_reset_peak();
    return 1;
}

static int memory_inject_failure(lua_State *L) /* after, sticky; for tests */
{
    memory_fail_after(luaL_checkinteger(L, 1), lua_toboolean(L, 2));
    return 0;
}

static const luaL_Reg methods[] = {
    {"shape", tensor_shape},     {"dtype", tensor_dtype}, {"numel", tensor_numel},
    {"rank", tensor_rank},       {"item", tensor_item},   {"totable", tensor_totable},
    {"copy_", tensor_copy_into}, {"close", value_close},  {NULL, NULL},
};

static const luaL_Reg metamethods[] = {
    {"__gc", value_close}, {"__close", value_close}, {"__len", tensor_len}, {"__newindex", tensor_newindex},
    {NULL, NULL},
};

static const luaL_Reg functions[] = {
    {"memory", memory_report},
    {"memory_fail_after", memory_inject_failure},
    {"is_symbolic", tensor_is_symbolic},
    {"is_weak", tensor_is_weak},
    {"edges", tensor_edges},
    {NULL, NULL},
};

void open_tensor(lua_State *L)
{
    luaL_setfuncs(L, functions, 0);
    luaL_newmetatable(L, TENSOR_TYPE);
    luaL_setfuncs(L, metamethods, 0);
    lua_newtable(L);
    luaL_setfuncs(L, methods, 0);
    lua_pushvalue(L, -1);
    lua_setfield(L, -3, "methods"); /* for completion: __index is a function */
    lua_pushvalue(L, -1);
    lua_setfield(L, -4, "methods"); /* core.methods: ops.c and tensor.lua add to it */
    lua_pushcclosure(L, tensor_index, 1);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}
