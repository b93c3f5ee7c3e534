/* Optimiser updates in place, all parameters in one call; the formulas are PyTorch's.
 * scripts/tide/train/optim.lua walks the model.
 *
 * Every function takes the optimiser's name, the list of parameters and the list of their gradients, then
 * lists of what it keeps for each. Everything is checked before anything changes, that all numbers are finite
 * as well, before and after. A step that would write another one changes nothing and returns what is wrong:
 * "gradient", "parameter", "state" (before), "moment" or "update" (after), which parameter, which of its
 * elements, and the number there. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "binding.h"
#include "kernels/loops.h"
#include "optim.h"
#include "value.h"

/* The tensor at place i of the list at index `list`; it may be symbolic. */
static const struct value *entry(lua_State *L, int list, int i)
{
    lua_rawgeti(L, list, i + 1);
    const struct value *v = value_check(L, -1);
    lua_pop(L, 1);
    return v;
}

static const struct array *dense_entry(lua_State *L, int list, int i)
{
    lua_rawgeti(L, list, i + 1);
    const struct array *a = &tensor_check(L, -1)->array;
    lua_pop(L, 1);
    if (!array_is_contiguous(a))
        binding_error(L, "optimiser: parameters and gradients must be dense; use x:clone()");
    return a;
}

static int same_spec(const struct array *a, const struct array *b)
{
    return a->dtype == b->dtype && array_same_shape(a, b);
}

static void check_gradient(lua_State *L, const char *name, int i)
{
    const struct array *p = value_spec(entry(L, 2, i)), *g = value_spec(entry(L, 3, i));
    char tp[SHAPE_TEXT], tg[SHAPE_TEXT];
    if (!same_spec(p, g))
        binding_error(L, "%s: parameter %d has shape %s (%s), its gradient %s (%s)", name, i + 1,
                      array_shape_text(p, tp), dtype_name(p->dtype), array_shape_text(g, tg),
                      dtype_name(g->dtype));
    if (!dtype_is_float(p->dtype))
        binding_error(L, "%s: parameter %d must be float, it is %s", name, i + 1, dtype_name(p->dtype));
}

static struct optim_group read_group(lua_State *L, int i, int slots)
{
    const struct array *p = dense_entry(L, 2, i), *g = dense_entry(L, 3, i);
    struct optim_group u = {.dtype = p->dtype, .n = array_numel(p), .p = p->data, .g = g->data};
    for (int s = 0; s < slots; s++) {
        if (lua_isnoneornil(L, 4 + s)) continue;
        const struct array *a = dense_entry(L, 4 + s, i);
        if (!same_spec(a, p)) binding_error(L, "optimiser: state does not fit the parameter");
        u.slot[s] = a->data;
    }
    return u;
}

static void check_lists(lua_State *L, const char *name, int slots)
{
    int n = (int)lua_rawlen(L, 2), got = (int)lua_rawlen(L, 3);
    if (got != n)
        binding_error(L,
                      "%s: the model has %d float tensors, the gradient %d; pass what tide.grad returned for "
                      "this model",
                      name, n, got);
    for (int s = 0; s < slots; s++)
        if (!lua_isnoneornil(L, 4 + s) && (int)lua_rawlen(L, 4 + s) != n)
            binding_error(L, "optimiser: state does not fit the parameter");
}

/* The parameters with their gradients and `slots` lists of state (or nil) from index 4 on, checked, in a
 * block that Lua owns (pushed on the stack). Shapes come first: a wrong one is the likely mistake. */
static const struct optim_group *groups_check(lua_State *L, int slots, int *n)
{
    const char *name = luaL_checkstring(L, 1);
    for (int i = 0; i < 2 + slots; i++)
        if (i < 2 || !lua_isnoneornil(L, 2 + i)) luaL_checktype(L, 2 + i, LUA_TTABLE);
    check_lists(L, name, slots);
    *n = (int)lua_rawlen(L, 2);
    struct optim_group *groups = lua_newuserdatauv(L, (size_t)(*n + 1) * sizeof *groups, 0);
    for (int i = 0; i < *n; i++) check_gradient(L, name, i);
    for (int i = 0; i < *n; i++) groups[i] = read_group(L, i, slots);
    return groups;
}

/* Nothing that is computed may exceed the first; a slot is in its usual range below the second. */
static const struct optim_range ranges[] = {
    [FLOAT32] = {FLT_MAX / 16, 4e18}, [FLOAT64] = {DBL_MAX / 16, 3e153}};

static void update_all(const struct optim_group *groups, int n, const struct optim_rule *rule)
{
    for (const struct optim_group *u = groups; u < groups + n; u++) rule->update(u, rule->options);
}

/* ---- what is not finite ---- */

struct fault {
    const char *what; /* NULL: none */
    int parameter;
    int64_t index;
    double value;
};

/* The peak of one parameter's array x; the first fault is kept. */
static double inspect(const struct optim_group *u, int parameter, const void *x, const char *what,
                      struct fault *fault)
{
    if (!x) return 0;
    double top = loops->peak[u->dtype](u->n, x), v = 0;
    if (isfinite(top) || fault->what) return top;
    int64_t i = 0;
    for (; i < u->n; i++) {
        v = u->dtype == FLOAT32 ? (double)((const float *)x)[i] : ((const double *)x)[i];
        if (!isfinite(v)) break;
    }
    *fault = (struct fault){what, parameter, i, v};
    return top;
}

static struct fault inspect_update(const struct optim_group *groups, int n, const struct optim_rule *rule)
{
    struct fault fault = {NULL, 0, 0, 0};
    for (int i = 0; i < n; i++) {
        inspect(&groups[i], i, groups[i].p, "update", &fault);
        for (int s = 0; s < rule->slots; s++) inspect(&groups[i], i, groups[i].slot[s], "moment", &fault);
    }
    return fault;
}

/* Copies of all that an update writes go to `save`, or come back from it. */
static void copy_all(const struct optim_group *groups, int n, int slots, char *save, int back)
{
    for (const struct optim_group *u = groups; u < groups + n; u++)
        for (int s = -1; s < slots; s++) {
            size_t bytes = (size_t)u->n * dtype_size(u->dtype);
            void *x = s < 0 ? u->p : u->slot[s];
            if (x) memcpy(back ? x : save, back ? save : x, bytes);
            save += bytes;
        }
}

/* An update that may overflow: tried, and taken back when it did. The copies are no memory of Lua's: its
 * collector, which may close tensors, must not run while their addresses are in use. */
static enum status update_cautiously(const struct optim_group *groups, int n, const struct optim_rule *rule,
                                     struct fault *fault)
{
    size_t bytes = 1;
    for (const struct optim_group *u = groups; u < groups + n; u++)
        bytes += (size_t)(1 + rule->slots) * (size_t)u->n * dtype_size(u->dtype);
    char *save = memory_alloc(bytes);
    if (!save) return memory_status();
    copy_all(groups, n, rule->slots, save, 0);
    update_all(groups, n, rule);
    *fault = inspect_update(groups, n, rule);
    if (fault->what) copy_all(groups, n, rule->slots, save, 1);
    memory_free(save);
    return STATUS_OK;
}

/* Slots that are known to lie in their usual range are not read. */
static struct optim_peaks measure(const struct optim_group *u, int parameter, const struct optim_rule *rule,
                                  int known, struct fault *fault)
{
    struct optim_peaks k = {.g = inspect(u, parameter, u->g, "gradient", fault),
                            .p = inspect(u, parameter, u->p, "parameter", fault)};
    for (int s = 0; s < rule->slots; s++) {
        struct optim_range r = ranges[u->dtype];
        if (!u->slot[s]) continue;
        k.slot[s] =
            known ? rule->is_square[s] ? r.most : r.usual : inspect(u, parameter, u->slot[s], "state", fault);
    }
    return k;
}

int optim_step(lua_State *L, int known, const struct optim_rule *rule)
{
    int n, safe = 1;
    struct fault fault = {NULL, 0, 0, 0};
    const struct optim_group *groups = groups_check(L, rule->slots, &n);
    for (int i = 0; i < n && !fault.what; i++) {
        struct optim_peaks k = measure(&groups[i], i, rule, known, &fault);
        safe = safe && rule->is_safe(&k, ranges[groups[i].dtype], rule->options);
    }
    if (!fault.what && safe)
        update_all(groups, n, rule);
    else if (!fault.what)
        binding_check(L, update_cautiously(groups, n, rule, &fault));
    if (!fault.what) {
        lua_pushboolean(L, safe);
        return 1;
    }
    lua_pushstring(L, fault.what);
    lua_pushinteger(L, fault.parameter + 1);
    lua_pushinteger(L, fault.index);
    lua_pushnumber(L, unsigned_nan(fault.value));
    return 4;
}
