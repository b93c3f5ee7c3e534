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
#include "modules.h"
#include "value.h"

#define MAX_SLOTS 2

struct group {
    enum dtype dtype;
    int64_t n;
    void *p, *slot[MAX_SLOTS];
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
        binding_error(L,
                      "%s: the model has %d float tensors, the gradient %d; pass what tide.grad returned for "
                      "this model",
                      name, n, got);
    for (int s = 0; s < slots; s++)
        if ((int)lua_rawlen(L, 4 + s) != n) binding_error(L, "optimiser: state does not fit the parameter");
}

/* The parameters with their gradients and `slots` lists of state from index 4 on, checked, in a block that
 * Lua owns (pushed on the stack). Shapes come first: a wrong one is the likely mistake. */
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

/* Largest magnitudes of one parameter's numbers, or bounds of them. */
struct peaks {
    double p, g, slot[MAX_SLOTS];
};

/* The numbers of one dtype: nothing that is computed may exceed `most`. A slot is in its usual range when it
 * does not exceed `usual`, or `most` where it holds squares. */
struct range {
    double most, usual;
};
static const struct range ranges[] = {[FLOAT32] = {FLT_MAX / 16, 4e18}, [FLOAT64] = {DBL_MAX / 16, 3e153}};

struct rule {
    int slots;
    const void *options;
    void (*update)(const struct group *u, const void *options);
    /* Can it be told from the peaks that the update stays below `most` and leaves the slots in their usual
     * range? */
    int (*is_safe)(const struct peaks *k, struct range r, const void *options);
    int is_square[MAX_SLOTS];
};

static void update_all(const struct group *groups, int n, const struct rule *rule)
{
    for (const struct group *u = groups; u < groups + n; u++) rule->update(u, rule->options);
}

/* ---- what is not finite ---- */

struct fault {
    const char *what; /* NULL: none */
    int parameter;
    int64_t index;
    double value;
};

/* The peak of one parameter's array x; the first fault is kept. */
static double inspect(const struct group *u, int parameter, const void *x, const char *what,
                      struct fault *fault)
{
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

static struct fault inspect_update(const struct group *groups, int n, const struct rule *rule)
{
    struct fault fault = {NULL, 0, 0, 0};
    for (int i = 0; i < n; i++) {
        inspect(&groups[i], i, groups[i].p, "update", &fault);
        for (int s = 0; s < rule->slots; s++) inspect(&groups[i], i, groups[i].slot[s], "moment", &fault);
    }
    return fault;
}

/* Copies of all that an update writes go to `save`, or come back from it. */
static void copy_all(const struct group *groups, int n, int slots, char *save, int back)
{
    for (const struct group *u = groups; u < groups + n; u++)
        for (int s = -1; s < slots; s++) {
            size_t bytes = (size_t)u->n * dtype_size(u->dtype);
            void *x = s < 0 ? u->p : u->slot[s];
            memcpy(back ? x : save, back ? save : x, bytes);
            save += bytes;
        }
}

/* An update that may overflow: tried, and taken back when it did. The copies are no memory of Lua's: its
 * collector, which may close tensors, must not run while their addresses are in use. */
static enum status update_cautiously(const struct group *groups, int n, const struct rule *rule,
                                     struct fault *fault)
{
    size_t bytes = 1;
    for (const struct group *u = groups; u < groups + n; u++)
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
static struct peaks measure(const struct group *u, int parameter, const struct rule *rule, int known,
                            struct fault *fault)
{
    struct peaks k = {.g = inspect(u, parameter, u->g, "gradient", fault),
                      .p = inspect(u, parameter, u->p, "parameter", fault)};
    for (int s = 0; s < rule->slots; s++) {
        struct range r = ranges[u->dtype];
        k.slot[s] =
            known ? rule->is_square[s] ? r.most : r.usual : inspect(u, parameter, u->slot[s], "state", fault);
    }
    return k;
}

/* The optimisers' step, with the tables of arguments at 2, 3, 4 ...; returns true when the slots now lie in
 * their usual range, false when that is not known, or a fault. */
static int step(lua_State *L, int known, const struct rule *rule)
{
    int n, safe = 1;
    struct fault fault = {NULL, 0, 0, 0};
    const struct group *groups = groups_check(L, rule->slots, &n);
    for (int i = 0; i < n && !fault.what; i++) {
        struct peaks k = measure(&groups[i], i, rule, known, &fault);
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

/* ---- the rules ---- */

static void adam_update(const struct group *u, const void *options)
{
    loops->adam[u->dtype](u->n, u->p, u->g, u->slot[0], u->slot[1], options);
}

/* lr m / (sqrt(v) + eps) <= lr m / eps */
static int is_small_ratio(double lr, double m, double eps, double most)
{
    return eps > 1e-30 && lr <= most && lr * fmax(m, m / eps) <= most;
}

/* Both moments are means: they do not exceed what they are means of. */
static int adam_is_safe(const struct peaks *k, struct range r, const void *options)
{
    const struct adam_step *o = options;
    double g = k->g + o->weight_decay * k->p, m = fmax(g, k->slot[0]),
           keep = fabs(1 - o->lr * o->decoupled_decay);
    return o->weight_decay <= r.most && m <= r.usual && g * g <= r.most && k->slot[1] <= r.most &&
           keep <= r.most && keep * k->p <= r.most &&
           is_small_ratio(o->lr / o->correction1, m, o->eps, r.most);
}

/* adam(name, {p}, {g}, {m}, {v}, known, step, lr, beta1, beta2, eps, weight_decay, decoupled_decay) */
static int adam(lua_State *L)
{
    double t = luaL_checknumber(L, 7);
    struct adam_step s = {.lr = luaL_checknumber(L, 8),
                          .beta1 = luaL_checknumber(L, 9),
                          .beta2 = luaL_checknumber(L, 10),
                          .eps = luaL_checknumber(L, 11),
                          .weight_decay = luaL_checknumber(L, 12),
                          .decoupled_decay = luaL_checknumber(L, 13)};
    s.correction1 = 1 - pow(s.beta1, t);
    s.correction2 = 1 - pow(s.beta2, t);
    return step(L, lua_toboolean(L, 6), &(struct rule){2, &s, adam_update, adam_is_safe, {0, 1}});
}

struct sgd_step {
    int first; /* the buffer is empty */
    double lr, momentum, decay;
};

/* buffer = momentum buffer + (g + decay p), p -= lr buffer; without a buffer p -= lr (g + decay p) */
static void sgd_update(const struct group *u, const void *options)
{
    const struct sgd_step *o = options;
    void *p = u->p, *buffer = u->slot[0];
    const void *k[3] = {u->g, p, buffer};
    if (buffer) {
        loops->combine[u->dtype](u->n, NULL, o->first ? 2 : 3, (double[]){1, o->decay, o->momentum}, k,
                                 buffer);
        loops->combine[u->dtype](u->n, p, 1, (double[]){-o->lr}, (const void *[]){buffer}, p);
    } else {
        loops->combine[u->dtype](u->n, p, 2, (double[]){-o->lr, -o->lr * o->decay}, k, p);
    }
}

static int sgd_is_safe(const struct peaks *k, struct range r, const void *options)
{
    const struct sgd_step *o = options;
    double g = k->g + o->decay * k->p, buffer = g + o->momentum * k->slot[0];
    if (o->momentum > 0 && o->momentum < 1 && k->slot[0] <= r.usual && g <= (1 - o->momentum) * r.usual)
        buffer = r.usual;
    return o->lr <= r.most && o->decay <= r.most && o->lr * o->decay <= r.most && o->momentum <= r.most &&
           buffer <= r.usual && k->p + o->lr * buffer <= r.most;
}

/* sgd(name, {p}, {g}, {buffer} or nil, known, first, lr, momentum, weight_decay) */
static int sgd(lua_State *L)
{
    struct sgd_step s = {lua_toboolean(L, 6), luaL_checknumber(L, 7), luaL_checknumber(L, 8),
                         luaL_checknumber(L, 9)};
    return step(L, lua_toboolean(L, 5),
                &(struct rule){!lua_isnoneornil(L, 4), &s, sgd_update, sgd_is_safe, {0}});
}

struct rmsprop_step {
    double lr, alpha, eps, decay;
};

/* square = alpha square + (1 - alpha) g^2, p -= lr g / (sqrt(square) + eps) */
static void rmsprop_update(const struct group *u, const void *options)
{
    const struct rmsprop_step *o = options;
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

static int rmsprop_is_safe(const struct peaks *k, struct range r, const void *options)
{
    const struct rmsprop_step *o = options;
    double g = k->g + o->decay * k->p;
    return o->decay <= r.most && k->p <= r.most && g * g <= r.most && k->slot[0] <= r.most &&
           is_small_ratio(o->lr, g, o->eps, r.most);
}

/* rmsprop(name, {p}, {g}, {square}, known, lr, alpha, eps, weight_decay) */
static int rmsprop(lua_State *L)
{
    struct rmsprop_step s = {luaL_checknumber(L, 6), luaL_checknumber(L, 7), luaL_checknumber(L, 8),
                             luaL_checknumber(L, 9)};
    return step(L, lua_toboolean(L, 5), &(struct rule){1, &s, rmsprop_update, rmsprop_is_safe, {1}});
}

static const luaL_Reg functions[] = {{"adam", adam}, {"sgd", sgd}, {"rmsprop", rmsprop}, {NULL, NULL}};

void open_optim(lua_State *L) { luaL_setfuncs(L, functions, 0); }
