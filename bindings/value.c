/* Values on Lua's stack, and what its collector has to know of them. */
#include "value.h"

#include "base/memory.h"
#include "binding.h"
#include "recording.h"

#define MIN_DEBT ((size_t)128 << 20) /* collect at the latest after so many bytes of new tensors */

struct value *value_push_empty(lua_State *L)
{
    struct value *v = lua_newuserdatauv(L, sizeof *v, 0);
    *v = (struct value){0};
    luaL_setmetatable(L, TENSOR_TYPE);
    return v;
}

static void collect(lua_State *L, struct session *s)
{
    s->debt = 0;
    lua_gc(L, LUA_GCCOLLECT, 0);
    s->live = (size_t)memory_get_stats().live_bytes;
}

/* Tensor memory is invisible to Lua's collector, which would let garbage pile up; so its debt is kept
 * here. */
void value_account(lua_State *L, const struct value *v)
{
    if (!v->tensor || !tensor_is_sole_owner(v->tensor)) return;
    struct session *s = session_get(L);
    s->debt += tensor_storage_bytes(v->tensor);
    if (s->debt >= MIN_DEBT && s->debt >= (size_t)memory_get_stats().live_bytes / 2) collect(L, s);
}

void program_account(lua_State *L)
{
    struct session *s = session_get(L);
    size_t live = (size_t)memory_get_stats().live_bytes;
    if (live >= s->live + MIN_DEBT && live >= s->live + s->live / 2) collect(L, s);
}

void symbol_push(lua_State *L, struct tape *t, int node)
{
    struct value *v = value_push_empty(L);
    v->tape = tape_retain(t);
    v->node = node;
}

struct value *value_test(lua_State *L, int arg) { return luaL_testudata(L, arg, TENSOR_TYPE); }

struct value *value_open(lua_State *L, int arg) { return value_test(L, arg) ? value_check(L, arg) : NULL; }

struct value *value_check(lua_State *L, int arg)
{
    struct value *v = value_test(L, arg);
    if (!v)
        binding_error(L, "expected a tensor as argument #%d, got %s; make one with tide.tensor(...)", arg,
                      luaL_typename(L, arg));
    if (!v->tensor && !v->tape) binding_error(L, "tensor is closed");
    return v;
}

const struct array *value_spec(const struct value *v)
{
    return v->tensor ? &v->tensor->array : tape_spec(v->tape, v->node);
}

const char recording_ended[] =
    "this symbolic tensor belongs to a recording that has ended; return values from the recorded function "
    "instead of storing them outside";

struct tensor *tensor_check(lua_State *L, int arg)
{
    struct value *v = value_check(L, arg);
    if (!v->tensor && !recording_get(L)) binding_error(L, "%s", recording_ended);
    if (!v->tensor)
        binding_error(L, "a symbolic tensor has no value while it is being recorded (inside tide.grad, "
                         "tide.compile, tide.odeint, ...); "
                         "compute with the tensor itself in place of its numbers, choose with tide.where in "
                         "place of if, or, in a field, "
                         "solve with eager = true");
    return v->tensor;
}
