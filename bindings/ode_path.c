/* Paths of solves for scripts/tide/ode/solution.lua. */
#include "kernels/elementwise.h"
#include "modules.h"
#include "ode.h"
#include "solver/path.h"
#include "value.h"

static int path_collect(lua_State *L)
{
    struct path **box = luaL_checkudata(L, 1, PATH_TYPE);
    if (*box) object_release(&(*box)->object);
    *box = NULL;
    return 0;
}

static struct path *path_check(lua_State *L, int arg)
{
    struct path **box = luaL_checkudata(L, arg, PATH_TYPE);
    if (!*box) binding_error(L, "the path is closed");
    return *box;
}

/* solve_path() -> an empty path, for the option path_handle of one solve */
static int solve_path(lua_State *L)
{
    struct path **box = lua_newuserdatauv(L, sizeof *box, 0);
    *box = NULL;
    luaL_setmetatable(L, PATH_TYPE);
    binding_check(L, path_new(box));
    return 1;
}

/* path:times() -> where steps begin and the last one ends, float64; nothing where there is no step */
static int path_times(lua_State *L)
{
    const struct path *path = path_check(L, 1);
    int64_t n = path->n + 1;
    if (path->n == 0) return 0;
    struct value *v = value_push_empty(L);
    binding_check(L, tensor_new(&v->tensor, FLOAT64, 1, &n));
    double *t = v->tensor->array.data;
    for (int64_t i = 0; i < path->n; i++) t[i] = path->steps[i].t;
    t[path->n] = path->end;
    value_account(L, v);
    return 1;
}

/* path:at(times, derivative) -> flat states; times: float64, within those of the path, which has a step */
static int path_read(lua_State *L)
{
    const struct path *path = path_check(L, 1);
    const struct array *times = vector_check(L, &tensor_check(L, 2)->array, "t", 1);
    int64_t n = times->shape[0];
    if (path->n == 0) return binding_error(L, "the path has no step");
    struct value *v = value_push_empty(L);
    binding_check(L, tensor_new(&v->tensor, path->dtype, 1, (int64_t[]){n * path->n_state}));
    char *out = v->tensor->array.data;
    for (int64_t i = 0; i < n; i++, out += (size_t)path->n_state * dtype_size(path->dtype))
        path_at(path, ((const double *)times->data)[i], lua_toboolean(L, 3), out);
    value_account(L, v);
    return 1;
}

void open_ode_path(lua_State *L)
{
    static const luaL_Reg functions[] = {{"solve_path", solve_path}, {NULL, NULL}};
    static const luaL_Reg methods[] = {{"times", path_times}, {"at", path_read}, {NULL, NULL}};
    luaL_setfuncs(L, functions, 0);
    binding_class(L, PATH_TYPE, methods, path_collect, path_collect);
}
