/* Optimiser updates in place; the formulas are PyTorch's. scripts/tide/optim.lua keeps the lists: parameters, gradients and what an optimiser
 * remembers of each. Everything is checked before anything changes. */
#include <math.h>

#include "binding.h"
#include "kernels/loops.h"

struct group {
    struct array p;
    const void *g, *slot[2];
    int64_t n;
};

static struct array element(lua_State *L, int list, int i)
{
    lua_rawgeti(L, list, i);
    struct array a = tensor_check(L, -1)->array;
    lua_pop(L, 1); /* the list keeps it */
    return a;
}

/* Parameter i with its gradient, and the slots, lists at the arguments from 4 on. */
static struct group group_check(lua_State *L, int i, int n_slots)
{
    const char *kind = lua_tostring(L, 1);
    struct group u = {.p = element(L, 2, i)};
    struct array g = element(L, 3, i);
    char a[SHAPE_TEXT], b[SHAPE_TEXT];
    if (!array_same_shape(&u.p, &g) || u.p.dtype != g.dtype)
        binding_error(L, "%s: parameter %d has shape %s (%s), its gradient %s (%s)", kind, i, array_shape_text(&u.p, a), dtype_name(u.p.dtype),
                      array_shape_text(&g, b), dtype_name(g.dtype));
    if (!array_is_contiguous(&u.p) || !array_is_contiguous(&g)) binding_error(L, "%s: parameters and gradients must be dense; use x:clone()", kind);
    u.n = array_numel(&u.p);
    u.g = g.data;
    for (int s = 0; s < n_slots; s++) {
        struct array m = element(L, 4 + s, i);
        if (!array_same_shape(&m, &u.p) || m.dtype != u.p.dtype || !array_is_contiguous(&m)) binding_error(L, "%s: state does not fit parameter %d", kind, i);
        u.slot[s] = m.data;
    }
    return u;
}

/* Arguments: kind (for messages), parameters, gradients, slots...; returns how many parameters there are. */
static int check_lists(lua_State *L, int n_slots)
{
    for (int i = 2; i < 4 + n_slots; i++) luaL_checktype(L, i, LUA_TTABLE);
    int n = (int)lua_rawlen(L, 2);
    if ((int)lua_rawlen(L, 3) != n)
        binding_error(L, "%s: the model has %d float tensors, the gradient %d; pass what tide.grad returned for this model", lua_tostring(L, 1), n,
                      (int)lua_rawlen(L, 3));
    for (int i = 1; i <= n; i++) group_check(L, i, n_slots);
    return n;
}

static void *memory_of(const void *p) { return (void *)(uintptr_t)p; }

/* adam(kind, p, g, m, v, step, lr, beta1, beta2, eps, weight_decay, decoupled_decay) */
static int adam(lua_State *L)
{
    int n = check_lists(L, 2);
    double t = luaL_checknumber(L, 6);
    struct adam_step s = {.lr = luaL_checknumber(L, 7), .beta1 = luaL_checknumber(L, 8), .beta2 = luaL_checknumber(L, 9),
                          .eps = luaL_checknumber(L, 10), .weight_decay = luaL_checknumber(L, 11), .decoupled_decay = luaL_checknumber(L, 12)};
    s.correction1 = 1 - pow(s.beta1, t);
    s.correction2 = 1 - pow(s.beta2, t);
    for (int i = 1; i <= n; i++) {
        struct group u = group_check(L, i, 2);
        loops->adam[u.p.dtype](u.n, u.p.data, u.g, memory_of(u.slot[0]), memory_of(u.slot[1]), &s);
    }
    return 0;
}

/* sgd(kind, p, g, buffers or nil, first, lr, momentum, weight_decay): buffer = momentum buffer + (g + decay p), p -= lr buffer */
static int sgd(lua_State *L)
{
    int buffers = !lua_isnil(L, 4), n = check_lists(L, buffers), first = lua_toboolean(L, 5);
    double lr = luaL_checknumber(L, 6), momentum = luaL_checknumber(L, 7), decay = luaL_checknumber(L, 8);
    for (int i = 1; i <= n; i++) {
        struct group u = group_check(L, i, buffers);
        const void *k[3] = {u.g, u.p.data, u.slot[0]};
        if (buffers) {
            loops->combine[u.p.dtype](u.n, NULL, first ? 2 : 3, (double[]){1, decay, momentum}, k, memory_of(u.slot[0]));
            loops->combine[u.p.dtype](u.n, u.p.data, 1, (double[]){-lr}, &u.slot[0], u.p.data);
        } else {
            loops->combine[u.p.dtype](u.n, u.p.data, 2, (double[]){-lr, -lr * decay}, k, u.p.data);
        }
    }
    return 0;
}

#define RMSPROP_BODY(T, SQRT)                                                                                                 \
    static void rmsprop_##T(int64_t n, T *p, const T *gradient, T *square, T lr, T alpha, T rest, T eps, T decay)             \
    {                                                                                                                         \
        for (int64_t i = 0; i < n; i++) {                                                                                     \
            T g = gradient[i] + decay * p[i];                                                                                 \
            square[i] = alpha * square[i] + rest * g * g;                                                                     \
            p[i] -= lr * g / (SQRT(square[i]) + eps);                                                                         \
        }                                                                                                                     \
    }
RMSPROP_BODY(float, sqrtf)
RMSPROP_BODY(double, sqrt)

/* rmsprop(kind, p, g, squares, lr, alpha, eps, weight_decay): square = alpha square + (1 - alpha) g^2, p -= lr g / (sqrt(square) + eps) */
static int rmsprop(lua_State *L)
{
    int n = check_lists(L, 1);
    double lr = luaL_checknumber(L, 5), alpha = luaL_checknumber(L, 6), eps = luaL_checknumber(L, 7), decay = luaL_checknumber(L, 8);
    for (int i = 1; i <= n; i++) {
        struct group u = group_check(L, i, 1);
        if (u.p.dtype == FLOAT32)
            rmsprop_float(u.n, u.p.data, u.g, memory_of(u.slot[0]), (float)lr, (float)alpha, (float)(1 - alpha), (float)eps, (float)decay);
        else rmsprop_double(u.n, u.p.data, u.g, memory_of(u.slot[0]), lr, alpha, 1 - alpha, eps, decay);
    }
    return 0;
}

static const luaL_Reg functions[] = {{"adam", adam}, {"sgd", sgd}, {"rmsprop", rmsprop}, {NULL, NULL}};

void open_optim(lua_State *L) { luaL_setfuncs(L, functions, 0); }
