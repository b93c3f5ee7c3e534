/* Optimiser updates in place; the formulas are PyTorch's. scripts/tide/optim.lua walks the model. */
#include <math.h>

#include "binding.h"
#include "kernels/loops.h"

struct group {
    struct array p, g;
    int64_t n;
};

static struct group group_check(lua_State *L)
{
    struct group u = {tensor_check(L, 1)->array, tensor_check(L, 2)->array, 0};
    char a[SHAPE_TEXT], b[SHAPE_TEXT];
    if (!array_same_shape(&u.p, &u.g) || u.p.dtype != u.g.dtype || !dtype_is_float(u.p.dtype))
        binding_error(L, "optimiser: the parameter has shape %s (%s), its gradient %s (%s)", array_shape_text(&u.p, a), dtype_name(u.p.dtype),
                      array_shape_text(&u.g, b), dtype_name(u.g.dtype));
    if (!array_is_contiguous(&u.p) || !array_is_contiguous(&u.g)) binding_error(L, "optimiser: parameters and gradients must be dense; use x:clone()");
    u.n = array_numel(&u.p);
    return u;
}

static void *moment_check(lua_State *L, int arg, const struct group *u)
{
    const struct array *m = &tensor_check(L, arg)->array;
    if (!array_same_shape(m, &u->p) || m->dtype != u->p.dtype || !array_is_contiguous(m)) binding_error(L, "optimiser: state does not fit the parameter");
    return m->data;
}

/* adam(p, g, m, v, step, lr, beta1, beta2, eps, weight_decay, decoupled_decay) */
static int adam(lua_State *L)
{
    struct group u = group_check(L);
    void *m = moment_check(L, 3, &u), *v = moment_check(L, 4, &u);
    double t = luaL_checknumber(L, 5);
    struct adam_step s = {.lr = luaL_checknumber(L, 6), .beta1 = luaL_checknumber(L, 7), .beta2 = luaL_checknumber(L, 8),
                          .eps = luaL_checknumber(L, 9), .weight_decay = luaL_checknumber(L, 10), .decoupled_decay = luaL_checknumber(L, 11)};
    s.correction1 = 1 - pow(s.beta1, t);
    s.correction2 = 1 - pow(s.beta2, t);
    loops->adam[u.p.dtype](u.n, u.p.data, u.g.data, m, v, &s);
    return 0;
}

/* sgd(p, g, buffer or nil, first, lr, momentum, weight_decay): buffer = momentum buffer + (g + decay p), p -= lr buffer */
static int sgd(lua_State *L)
{
    struct group u = group_check(L);
    void *buffer = lua_isnil(L, 3) ? NULL : moment_check(L, 3, &u);
    int first = lua_toboolean(L, 4);
    double lr = luaL_checknumber(L, 5), momentum = luaL_checknumber(L, 6), decay = luaL_checknumber(L, 7);
    const void *k[3] = {u.g.data, u.p.data, buffer};
    if (buffer) {
        loops->combine[u.p.dtype](u.n, NULL, first ? 2 : 3, (double[]){1, decay, momentum}, k, buffer);
        loops->combine[u.p.dtype](u.n, u.p.data, 1, (double[]){-lr}, (const void *[]){buffer}, u.p.data);
    } else {
        loops->combine[u.p.dtype](u.n, u.p.data, 2, (double[]){-lr, -lr * decay}, k, u.p.data);
    }
    return 0;
}

/* rmsprop(p, g, square, lr, alpha, eps, weight_decay): square = alpha square + (1 - alpha) g^2, p -= lr g / (sqrt(square) + eps) */
static int rmsprop(lua_State *L)
{
    struct group u = group_check(L);
    void *square = moment_check(L, 3, &u);
    double lr = luaL_checknumber(L, 4), alpha = luaL_checknumber(L, 5), eps = luaL_checknumber(L, 6), decay = luaL_checknumber(L, 7);
    for (int64_t i = 0; i < u.n; i++) {
        if (u.p.dtype == FLOAT32) {
            float *p = u.p.data, *s = square, g = ((float *)u.g.data)[i] + (float)decay * p[i];
            s[i] = (float)alpha * s[i] + (float)(1 - alpha) * g * g;
            p[i] -= (float)lr * g / (sqrtf(s[i]) + (float)eps);
        } else {
            double *p = u.p.data, *s = square, g = ((double *)u.g.data)[i] + decay * p[i];
            s[i] = alpha * s[i] + (1 - alpha) * g * g;
            p[i] -= lr * g / (sqrt(s[i]) + eps);
        }
    }
    return 0;
}

static const luaL_Reg functions[] = {{"adam", adam}, {"sgd", sgd}, {"rmsprop", rmsprop}, {NULL, NULL}};

void open_optim(lua_State *L) { luaL_setfuncs(L, functions, 0); }
