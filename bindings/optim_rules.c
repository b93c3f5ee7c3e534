/* The rules of optimisers: PyTorch's formulas, and how far a step can go at most. See optim.c. */
#include <math.h>

#include "binding.h"
#include "kernels/loops.h"
#include "modules.h"
#include "optim.h"

struct rmsprop_step {
    double lr, alpha, eps, decay, momentum;
    int centered;
};

/* Of adagrad and adadelta. */
struct ada_step {
    double lr, rho, eps, decay;
};

#define T float
#define TYPED(name) name##_f32
#define ROOT sqrtf
#include "optim_rules_body.h"

#define T double
#define TYPED(name) name##_f64
#define ROOT sqrt
#include "optim_rules_body.h"

static void amsgrad_update(const struct optim_group *u, const void *options)
{
    (u->dtype == FLOAT32 ? amsgrad_f32 : amsgrad_f64)(u, options);
}

static void adam_update(const struct optim_group *u, const void *options)
{
    if (u->slot[2])
        amsgrad_update(u, options);
    else
        loops->adam[u->dtype](u->n, u->p, u->g, u->slot[0], u->slot[1], options);
}

/* lr m / (sqrt(v) + eps) <= lr m / eps */
static int is_small_ratio(double lr, double m, double eps, double most)
{
    return eps > 1e-30 && lr <= most && lr * fmax(m, m / eps) <= most;
}

/* Both moments are means: they do not exceed what they are means of. */
static int adam_is_safe(const struct optim_peaks *k, struct optim_range r, const void *options)
{
    const struct adam_step *o = options;
    double g = k->g + o->weight_decay * k->p, m = fmax(g, k->slot[0]),
           keep = fabs(1 - o->lr * o->decoupled_decay);
    return o->weight_decay <= r.most && m <= r.usual && g * g <= r.most && k->slot[1] <= r.most &&
           keep <= r.most && keep * k->p <= r.most &&
           is_small_ratio(o->lr / o->correction1, m, o->eps, r.most);
}

/* adam(name, {p}, {g}, {m}, {v}, {largest v} or nil, known, step, lr, beta1, beta2, eps, weight_decay,
 * decoupled_decay) */
static int adam(lua_State *L)
{
    double t = luaL_checknumber(L, 8);
    struct adam_step s = {.lr = luaL_checknumber(L, 9),
                          .beta1 = luaL_checknumber(L, 10),
                          .beta2 = luaL_checknumber(L, 11),
                          .eps = luaL_checknumber(L, 12),
                          .weight_decay = luaL_checknumber(L, 13),
                          .decoupled_decay = luaL_checknumber(L, 14)};
    s.correction1 = 1 - pow(s.beta1, t);
    s.correction2 = 1 - pow(s.beta2, t);
    return optim_step(L, lua_toboolean(L, 7),
                      &(struct optim_rule){3, &s, adam_update, adam_is_safe, {0, 1, 1}});
}

struct sgd_step {
    int first; /* the buffer is empty */
    double lr, momentum, decay;
    int nesterov;
};

/* buffer = momentum buffer + (g + decay p), p -= lr buffer, by Nesterov p -= lr (g + decay p + momentum
 * buffer); without a buffer p -= lr (g + decay p) */
static void sgd_update(const struct optim_group *u, const void *options)
{
    const struct sgd_step *o = options;
    void *p = u->p, *buffer = u->slot[0];
    const void *k[3] = {u->g, p, buffer};
    if (buffer) {
        loops->combine[u->dtype](u->n, NULL, o->first ? 2 : 3, (double[]){1, o->decay, o->momentum}, k,
                                 buffer);
        if (o->nesterov)
            loops->combine[u->dtype](u->n, p, 3, (double[]){-o->lr, -o->lr * o->decay, -o->lr * o->momentum},
                                     k, p);
        else
            loops->combine[u->dtype](u->n, p, 1, (double[]){-o->lr}, (const void *[]){buffer}, p);
    } else {
        loops->combine[u->dtype](u->n, p, 2, (double[]){-o->lr, -o->lr * o->decay}, k, p);
    }
}

static int sgd_is_safe(const struct optim_peaks *k, struct optim_range r, const void *options)
{
    const struct sgd_step *o = options;
    double g = k->g + o->decay * k->p, buffer = g + o->momentum * k->slot[0];
    if (o->momentum > 0 && o->momentum < 1 && k->slot[0] <= r.usual && g <= (1 - o->momentum) * r.usual)
        buffer = r.usual;
    double move = o->nesterov ? g + o->momentum * buffer : buffer;
    return o->lr <= r.most && o->decay <= r.most && o->lr * o->decay <= r.most && o->momentum <= r.most &&
           buffer <= r.usual && o->lr * o->momentum <= r.most && k->p + o->lr * move <= r.most;
}

/* sgd(name, {p}, {g}, {buffer} or nil, known, first, lr, momentum, weight_decay, nesterov) */
static int sgd(lua_State *L)
{
    struct sgd_step s = {lua_toboolean(L, 6), luaL_checknumber(L, 7), luaL_checknumber(L, 8),
                         luaL_checknumber(L, 9), lua_toboolean(L, 10)};
    return optim_step(L, lua_toboolean(L, 5), &(struct optim_rule){1, &s, sgd_update, sgd_is_safe, {0}});
}

static void rmsprop_update(const struct optim_group *u, const void *options)
{
    (u->dtype == FLOAT32 ? rmsprop_f32 : rmsprop_f64)(u, options);
}

/* Without a mean and a buffer alone it is known how far a step goes. */
static int rmsprop_is_safe(const struct optim_peaks *k, struct optim_range r, const void *options)
{
    const struct rmsprop_step *o = options;
    double g = k->g + o->decay * k->p;
    return !o->centered && o->momentum == 0 && o->decay <= r.most && k->p <= r.most && g * g <= r.most &&
           k->slot[0] <= r.most && is_small_ratio(o->lr, g, o->eps, r.most);
}

/* rmsprop(name, {p}, {g}, {square}, {mean} or nil, {buffer} or nil, known, lr, alpha, eps, weight_decay,
 * momentum) */
static int rmsprop(lua_State *L)
{
    struct rmsprop_step s = {.lr = luaL_checknumber(L, 8),
                             .alpha = luaL_checknumber(L, 9),
                             .eps = luaL_checknumber(L, 10),
                             .decay = luaL_checknumber(L, 11),
                             .momentum = luaL_checknumber(L, 12),
                             .centered = !lua_isnoneornil(L, 5)};
    return optim_step(L, lua_toboolean(L, 7),
                      &(struct optim_rule){3, &s, rmsprop_update, rmsprop_is_safe, {1, 0, 0}});
}

static void adagrad_update(const struct optim_group *u, const void *options)
{
    (u->dtype == FLOAT32 ? adagrad_f32 : adagrad_f64)(u, options);
}

static int adagrad_is_safe(const struct optim_peaks *k, struct optim_range r, const void *options)
{
    const struct ada_step *o = options;
    double g = k->g + o->decay * k->p;
    return o->decay <= r.most && k->p <= r.most && k->slot[0] <= r.usual && g * g <= r.usual &&
           k->slot[0] + g * g <= r.usual && is_small_ratio(o->lr, g, o->eps, r.most);
}

/* adagrad(name, {p}, {g}, {sum}, known, lr, eps, weight_decay); lr has fallen already */
static int adagrad(lua_State *L)
{
    struct ada_step s = {
        .lr = luaL_checknumber(L, 6), .eps = luaL_checknumber(L, 7), .decay = luaL_checknumber(L, 8)};
    return optim_step(L, lua_toboolean(L, 5),
                      &(struct optim_rule){1, &s, adagrad_update, adagrad_is_safe, {0}});
}

static void adadelta_update(const struct optim_group *u, const void *options)
{
    (u->dtype == FLOAT32 ? adadelta_f32 : adadelta_f64)(u, options);
}

/* |delta| <= sqrt(moved + eps) / sqrt(eps) |g| */
static int adadelta_is_safe(const struct optim_peaks *k, struct optim_range r, const void *options)
{
    const struct ada_step *o = options;
    double g = k->g + o->decay * k->p;
    double delta = o->eps > 1e-30 ? sqrt(k->slot[1] / o->eps + 1) * g : r.most;
    return o->decay <= r.most && k->p <= r.most && k->slot[0] <= r.most && k->slot[1] <= r.usual &&
           g * g <= r.most && delta * delta <= r.usual && o->lr <= r.most && k->p + o->lr * delta <= r.most;
}

/* adadelta(name, {p}, {g}, {square}, {moved}, known, lr, rho, eps, weight_decay) */
static int adadelta(lua_State *L)
{
    struct ada_step s = {.lr = luaL_checknumber(L, 7),
                         .rho = luaL_checknumber(L, 8),
                         .eps = luaL_checknumber(L, 9),
                         .decay = luaL_checknumber(L, 10)};
    return optim_step(L, lua_toboolean(L, 6),
                      &(struct optim_rule){2, &s, adadelta_update, adadelta_is_safe, {1, 0}});
}

static const luaL_Reg functions[] = {{"adam", adam},       {"sgd", sgd},           {"rmsprop", rmsprop},
                                     {"adagrad", adagrad}, {"adadelta", adadelta}, {NULL, NULL}};

void open_optim(lua_State *L) { luaL_setfuncs(L, functions, 0); }
