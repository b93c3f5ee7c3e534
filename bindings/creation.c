/* New tensors: filled, random, from Lua's nested tables; and the state of the default generator. */
#include <math.h>
#include <string.h>

#include "apply.h"
#include "base/interrupt.h"
#include "binding.h"
#include "kernels/bounded.h"
#include "kernels/elementwise.h"
#include "kernels/nonzero.h"
#include "modules.h"
#include "recording.h"

#define POLL 65536 /* elements between two looks at the flag of interrupts */

static int tensor_full(lua_State *L) /* shape, value, dtype */
{
    int64_t shape[MAX_RANK];
    int rank = integers_check(L, 1, "shape", shape, MAX_RANK);
    enum dtype dtype = dtype_check(L, 3, FLOAT32);
    luaL_checknumber(L, 2);
    struct number x = number_at(L, 2, dtype);
    struct value *v = value_push_empty(L);
    enum status status = tensor_new(&v->tensor, dtype, rank, shape);
    if (status == STATUS_MEMORY) {
        lua_gc(L, LUA_GCCOLLECT, 0);
        status = tensor_new(&v->tensor, dtype, rank, shape);
    }
    binding_check(L, status);
    interrupt_begin();
    if (x.value == 0 && !signbit(x.value)) {
        bounded_zero(v->tensor->array.data, array_bytes(&v->tensor->array));
    } else {
        struct array one;
        double number[1];
        array_init(&one, dtype, 0, NULL);
        one.data = number;
        number_put(&one, 0, x);
        broadcast_view(&one, rank, shape, &one);
        array_copy_dense(&one, v->tensor->array.data);
    }
    binding_check(L, interrupt_end(STATUS_OK));
    value_account(L, v);
    return 1;
}

/* Draw from the default generator, or, with a seed at index `seed`, from one of its own: then the numbers are
 * the same at each run, so that a recording has no part in it. */
static int draw(lua_State *L, struct attrs *attrs, int seed)
{
    struct tape *t = lua_isnoneornil(L, seed) ? recording_random(L) : NULL;
    struct generator own = {.base = {1, NULL}};
    attrs->object = lua_isnoneornil(L, seed) ? &session_get(L)->generator.base : &own.base;
    own.rng.seed = (uint64_t)luaL_optinteger(L, seed, 0);
    if (!t) {
        value_apply_now(L, OP_RANDOM, attrs, lua_gettop(L) + 1, 0);
        return 1;
    }
    int node = tape_emit(t, OP_RANDOM, attrs, NULL, 0);
    if (node < 0) binding_check(L, tape_take_status(t));
    symbol_push(L, t, node);
    return 1;
}

static int tensor_random(lua_State *L) /* "uniform" | "normal", shape, dtype, seed or nil */
{
    int normal = strcmp(luaL_checkstring(L, 1), "normal") == 0;
    enum dtype dtype = dtype_check(L, 3, FLOAT32);
    if (!dtype_is_float(dtype))
        return binding_error(L, "random numbers are float32 or float64, got dtype \"%s\"", dtype_name(dtype));
    struct attrs attrs = {.v = {normal ? RANDOM_NORMAL : RANDOM_UNIFORM, dtype}};
    attrs.n = 2 + integers_check(L, 2, "shape", attrs.v + 2, MAX_RANK);
    return draw(L, &attrs, 4);
}

static int tensor_permutation(lua_State *L) /* n, seed or nil -> int64 tensor of 1..n */
{
    int64_t n = luaL_checkinteger(L, 1);
    if (n < 0 || n > MAX_DIM)
        return binding_error(L, "randperm: n must lie in 0..%d, got %d", (int)MAX_DIM, (int)n);
    struct attrs attrs = {.n = 3, .v = {RANDOM_PERMUTATION, INT64, n}};
    return draw(L, &attrs, 2);
}

static int tensor_integers(lua_State *L) /* low, high, shape, seed or nil: int64, both included */
{
    struct attrs attrs = {.v = {RANDOM_INTEGER, INT64, luaL_checkinteger(L, 1), luaL_checkinteger(L, 2)}};
    attrs.n = 4 + integers_check(L, 3, "shape", attrs.v + 4, MAX_RANK);
    return draw(L, &attrs, 4);
}

/* Positions of the elements that are not 0, 1-based in row-major order: how many there are depends on the
 * numbers, so it is no op. */
static int tensor_nonzero(lua_State *L)
{
    struct tensor *x = tensor_check(L, 1), *dense = NULL;
    struct value *v = value_push_empty(L);
    interrupt_begin();
    enum status status =
        op_apply(OP_RESHAPE, &(struct attrs){.n = 1, .v = {array_numel(&x->array)}}, &x, 1, &dense);
    if (status == STATUS_OK) {
        int64_t count = nonzero_count(&dense->array);
        status = tensor_new(&v->tensor, INT64, 1, &count);
    }
    if (status == STATUS_OK && !interrupt_stop()) nonzero_positions(&dense->array, v->tensor->array.data);
    if (dense) tensor_release(dense);
    binding_check(L, interrupt_end(status));
    value_account(L, v);
    return 1;
}

/* Does the recording that runs become a program, which is run many times? */
static int is_program(lua_State *L)
{
    lua_pushboolean(L, recording_random(L) != NULL);
    return 1;
}

/* int64 numbers first + i step exactly, as they need not be doubles; 0: these are none. */
static int whole_range(lua_State *L, int64_t n, int64_t range[2])
{
    int whole[2];
    int64_t last;
    for (int i = 0; i < 2; i++) range[i] = lua_tointegerx(L, i + 1, &whole[i]);
    return whole[0] && whole[1] && !__builtin_mul_overflow(n - 1, range[1], &last) &&
           !__builtin_add_overflow(last, range[0], &last);
}

static int tensor_arange(
    lua_State *L) /* first, step, n, dtype, last or nil: element i is first + i step, the last one `last` */
{
    lua_settop(L, 5);
    double first = luaL_checknumber(L, 1), step = luaL_checknumber(L, 2);
    int64_t n = luaL_checkinteger(L, 3), range[2];
    enum dtype dtype = dtype_check(L, 4, FLOAT32);
    int whole = dtype == INT64 && n > 0 && whole_range(L, n, range);
    if (n > 0 && !whole) {
        number_check(L, first, dtype);
        number_check(L, first + (double)(n - 1) * step, dtype);
        if (!dtype_is_float(dtype) && n > 1) number_check(L, step, INT64);
    }
    struct value *v = value_push_empty(L);
    binding_check(L, tensor_new(&v->tensor, dtype, 1, &n));
    struct array *a = &v->tensor->array;
    if (whole)
        for (int64_t i = 0; i < n; i++) ((int64_t *)a->data)[i] = range[0] + i * range[1];
    else
        for (int64_t i = 0; i < n; i++) array_set(a, i, first + (double)i * step);
    if (n > 0 && !whole && !lua_isnoneornil(L, 5)) array_set(a, n - 1, luaL_checknumber(L, 5));
    value_account(L, v);
    return 1;
}

/* Shape of a nested table, from its first elements. */
static int nested_shape(lua_State *L, int64_t *shape)
{
    int rank = 0;
    lua_pushvalue(L, 1);
    while (lua_type(L, -1) == LUA_TTABLE) {
        if (rank == MAX_RANK)
            return binding_error(L, "tensor: the table is nested more than %d deep", MAX_RANK);
        shape[rank++] = (int64_t)lua_rawlen(L, -1);
        lua_rawgeti(L, -1, 1);
        lua_remove(L, -2);
        if (shape[rank - 1] == 0) break;
    }
    lua_pop(L, 1);
    return rank;
}

static void fill_nested(lua_State *L, const struct array *a, int axis, int64_t *at)
{
    if (axis == a->rank) {
        if (*at % POLL == POLL - 1) binding_check(L, interrupt_poll());
        if (lua_isinteger(L, -1) && a->dtype == INT64) {
            *(int64_t *)array_at(a, (*at)++) = lua_tointeger(L, -1);
            return;
        }
        if (value_test(L, -1))
            binding_error(L,
                          "tensor: element %d is a tensor, not a number; join tensors with tide.stack{...}",
                          (int)*at + 1);
        if (lua_type(L, -1) != LUA_TNUMBER && !lua_isboolean(L, -1))
            binding_error(L, "tensor: element %d must be a number, got a %s", (int)*at + 1,
                          luaL_typename(L, -1));
        double value = lua_isboolean(L, -1) ? lua_toboolean(L, -1) : lua_tonumber(L, -1);
        if (!dtype_is_float(a->dtype) &&
            (value != floor(value) || (a->dtype == UINT8 && (value < 0 || value > 255)) || value < -0x1p63 ||
             value >= 0x1p63))
            binding_error(L, "tensor: element %d is %f, which %s cannot hold", (int)*at + 1,
                          unsigned_nan(value), dtype_name(a->dtype));
        array_set(a, (*at)++, value);
        return;
    }
    if (lua_type(L, -1) != LUA_TTABLE || (int64_t)lua_rawlen(L, -1) != a->shape[axis])
        binding_error(
            L, "tensor: the table is ragged: at depth %d a list of %d elements was expected, got %s%s",
            axis + 1, (int)a->shape[axis], lua_type(L, -1) == LUA_TTABLE ? "one of another length" : "a ",
            lua_type(L, -1) == LUA_TTABLE ? "" : luaL_typename(L, -1));
    if (a->shape[axis] == 0) {
        lua_pushnil(L);
        if (lua_next(L, -2))
            binding_error(L, "tensor: a list of numbers was expected, got a table with the key %s",
                          luaL_tolstring(L, -2, NULL));
    }
    for (int64_t i = 1; i <= a->shape[axis]; i++) {
        lua_rawgeti(L, -1, i);
        fill_nested(L, a, axis + 1, at);
        lua_pop(L, 1);
    }
}

static int tensor_from(lua_State *L) /* nested table, number or boolean; dtype */
{
    int64_t shape[MAX_RANK], at = 0;
    enum dtype dtype = dtype_check(L, 2, FLOAT32);
    luaL_checkstack(L, MAX_RANK + 4, "tensor");
    int rank = nested_shape(L, shape);
    struct value *v = value_push_empty(L);
    binding_check(L, tensor_new(&v->tensor, dtype, rank, shape));
    lua_pushvalue(L, 1);
    fill_nested(L, &v->tensor->array, 0, &at);
    lua_pop(L, 1);
    value_account(L, v);
    return 1;
}

/* ---- the default generator ---- */

static int rng_state(lua_State *L) /* () -> seed, block; (seed, block) sets it */
{
    struct rng *rng = &session_get(L)->generator.rng;
    if (lua_gettop(L) > 0) {
        rng->seed = (uint64_t)luaL_checkinteger(L, 1);
        rng->block = (uint64_t)luaL_optinteger(L, 2, 0);
    }
    lua_pushinteger(L, (lua_Integer)rng->seed);
    lua_pushinteger(L, (lua_Integer)rng->block);
    return 2;
}

static int default_dtype(lua_State *L) /* () -> name; (name) sets it */
{
    struct session *s = session_get(L);
    enum dtype dtype = dtype_check(L, 1, (int)s->default_dtype);
    if (!dtype_is_float(dtype))
        return binding_error(L, "the default dtype is float32 or float64, got \"%s\"", dtype_name(dtype));
    s->default_dtype = dtype;
    lua_pushstring(L, dtype_name(dtype));
    return 1;
}

static const luaL_Reg functions[] = {
    {"default_dtype", default_dtype},
    {"full", tensor_full},
    {"random", tensor_random},
    {"permutation", tensor_permutation},
    {"arange", tensor_arange},
    {"tensor_from", tensor_from},
    {"rng_state", rng_state},
    {"integers", tensor_integers},
    {"nonzero", tensor_nonzero},
    {"is_program", is_program},
    {NULL, NULL},
};

void open_creation(lua_State *L) { luaL_setfuncs(L, functions, 0); }
