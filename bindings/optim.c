/* Optimiser updates in place, all parameters in one call; the formulas are PyTorch's. scripts/tide/optim.lua walks the model.
 *
 * Every function takes the optimiser's name, the list of parameters and the list of their gradients, then lists of what it keeps for each.
 * Everything is checked before anything changes. */
#include <math.h>

#include "binding.h"
#include "kernels/loops.h"

struct group {
    enum dtype dtype;
    int64_t n;
    void *p, *slot[2];
    const void *g;
};

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
    if (!array_is_contiguous(a)) binding_error(L, "optimiser: parameters and gradients must be dense; use x:clone()");
    return a;
}

static int same_spec(const struct array *a, const struct array *b) { return a->dtype == b->dtype && array_same_shape(a, b); }

static void check_gradient(lua_State *L, const char *name, int i)
{
    const struct array *p = value_spec(entry(L, 2, i)), *g = value_spec(entry(L, 3, i));
    char tp[SHAPE_TEXT], tg[SHAPE_TEXT];
    if (!same_spec(p, g))
        binding_error(L, "%s: parameter %d has shape %s (%s), its gradient %s (%s)", name, i + 1, array_shape_text(p, tp), dtype_name(p->dtype),
                      array_shape_text(g, tg), dtype_name(g->dtype));
    if (!dtype_is_float(p->dtype)) binding_error(L, "%s: parameter %d must be float, it is %s", name, i + 1, dtype_name(p->dtype));
}

static struct group read_group(lua_State *L, int i, int slots)
{
    const struct array *p = dense_entry(L, 2, i), *g = dense_entry(L, 3, i);
    struct group u = {.dtype = p->dtype, .n = array_numel(p), .p = p->data, .g = g->data};
    for (int s = 0; s < slots; s++) {
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
        binding_error(L, "%s: the model has %d float tensors, the gradient %d; pass what tide.grad returned for this model", name, n, got);
    for (int s = 0; s < slots; s++)
        if ((int)lua_rawlen(L, 4 + s) != n) binding_error(L, "optimiser: state does not fit the parameter");
}

/* The parameters with their gradients and `slots` lists of state from index 4 on, checked, in a block that Lua owns (pushed on the stack).
 * Shapes come first: a wrong one is the likely mistake. */
static const struct group *groups_check(lua_State *L, int slots, int *n)
{
    const char *name = luaL_checkstring(L, 1);
    for (int i = 0; i < 2 + slots; i++) luaL_checktype(L, 2 + i, LUA_TTABLE);
    check_lists(L, name, slots);
    *n = (int)lua_rawlen(L, 2);
    struct group *groups = lua_newuserdatauv(L, (size_t)(*n + 1) * sizeof *groups, 0);
    for (int i = 0; i < *n; i++) check_gradient(L, name, i);
    for (int i = 0; i < *n; i++) groups[i] = read_group(L, i, slots);
    return groups;
}

/* adam(name, {p}, {g}, {m}, {v}, step, lr, beta1, beta2, eps, weight_decay, decoupled_decay) */
static int adam(lua_State *L)
{
    double t = luaL_checknumber(L, 6);
    struct adam_step s = {.lr = luaL_checknumber(L, 7), .beta1 = luaL_checknumber(L, 8), .beta2 = luaL_checknumber(L, 9),
                          .eps = luaL_checknumber(L, 10), .weight_decay = luaL_checknumber(L, 11), .decoupled_decay = luaL_checknumber(L, 12)};
    int n;
    const struct group *groups = groups_check(L, 2, &n);
    s.correction1 = 1 - pow(s.beta1, t);
    s.correction2 = 1 - pow(s.beta2, t);
    for (const struct group *u = groups; u < groups + n; u++) loops->adam[u->dtype](u->n, u->p, u->g, u->slot[0], u->slot[1], &s);
    return 0;
}

/* sgd(name, {p}, {g}, {buffer} or nil, first, lr, momentum, weight_decay): buffer = momentum buffer + (g + decay p), p -= lr buffer */
static int sgd(lua_State *L)
{
    int first = lua_toboolean(L, 5), has_buffer = !lua_isnoneornil(L, 4), n;
    double lr = luaL_checknumber(L, 6), momentum = luaL_checknumber(L, 7), decay = luaL_checknumber(L, 8);
    const struct group *groups = groups_check(L, has_buffer, &n);
    for (const struct group *u = groups; u < groups + n; u++) {
        void *p = u->p, *buffer = has_buffer ? u->slot[0] : NULL;
        const void *k[3] = {u->g, p, buffer};
        if (buffer) {
            loops->combine[u->dtype](u->n, NULL, first ? 2 : 3, (double[]){1, decay, momentum}, k, buffer);
            loops->combine[u->dtype](u->n, p, 1, (double[]){-lr}, (const void *[]){buffer}, p);
        } else {
            loops->combine[u->dtype](u->n, p, 2, (double[]){-lr, -lr * decay}, k, p);
        }
    }
    return 0;
}

struct rmsprop_step {
    double lr, alpha, eps, decay;
};

static void rmsprop_update(const struct group *u, const struct rmsprop_step *o)
{
    for (int64_t i = 0; i < u->n; i++) {
        if (u->dtype == FLOAT32) {
            float *p = u->p, *s = u->slot[0], g = ((const float *)u->g)[i] + (float)o->decay * p[i];
            s[i] = (float)o->alpha * s[i] + (float)(1 - o->alpha) * g * g;
            p[i] -= (float)o->lr * g / (sqrtf(s[i]) + (float)o->eps);
        } else {
            double *p = u->p, *s = u->slot[0], g = ((const double *)u->g)[i] + o->decay * p[i];
            s[i] = o->alpha * s[i] + (1 - o->alpha) * g * g;
            p[i] -= o->lr * g / (sqrt(s[i]) + o->eps);
        }
    }
}

/* rmsprop(name, {p}, {g}, {square}, lr, alpha, eps, weight_decay): square = alpha square + (1 - alpha) g^2, p -= lr g / (sqrt(square) + eps) */
static int rmsprop(lua_State *L)
{
    struct rmsprop_step o = {.lr = luaL_checknumber(L, 5), .alpha = luaL_checknumber(L, 6), .eps = luaL_checknumber(L, 7),
                             .decay = luaL_checknumber(L, 8)};
    int n;
    const struct group *groups = groups_check(L, 1, &n);
    for (const struct group *u = groups; u < groups + n; u++) rmsprop_update(u, &o);
    return 0;
}

static const luaL_Reg functions[] = {{"adam", adam}, {"sgd", sgd}, {"rmsprop", rmsprop}, {NULL, NULL}};

void open_optim(lua_State *L) { luaL_setfuncs(L, functions, 0); }
