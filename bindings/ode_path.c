/* Paths of solves for scripts/tide/ode/solution.lua. */
#include <math.h>

#include "kernels/elementwise.h"
#include "kernels/loops.h"
#include "modules.h"
#include "ode.h"
#include "solver/path.h"
#include "value.h"

#define PATH_TYPE "tide.Path"

/* Of a solve, or of each sample of it; n 0: there is none yet. */
struct path_box {
    struct path *paths;
    int64_t n;
};

static int path_collect(lua_State *L)
{
    struct path_box *box = luaL_checkudata(L, 1, PATH_TYPE);
    paths_free(box->paths, box->n);
    *box = (struct path_box){0};
    return 0;
}

/* solve_path() -> an empty handle, for the option path_handle of one solve */
static int solve_path(lua_State *L)
{
    struct path_box *box = lua_newuserdatauv(L, sizeof *box, 0);
    *box = (struct path_box){0};
    luaL_setmetatable(L, PATH_TYPE);
    return 1;
}

struct path *path_handle_fill(lua_State *L, int index, int64_t n)
{
    struct path_box *box = luaL_checkudata(L, index, PATH_TYPE);
    struct path *paths;
    binding_check(L, paths_new(&paths, n));
    paths_free(box->paths, box->n);
    *box = (struct path_box){paths, n};
    return paths;
}

/* path:times(i) -> where the steps of sample i begin and the last one ends, float64; nothing where there is
 * no step. i: from 1; of a solve as a whole 1. */
static int path_times(lua_State *L)
{
    const struct path_box *box = luaL_checkudata(L, 1, PATH_TYPE);
    int64_t i = luaL_checkinteger(L, 2);
    const struct path *path = i >= 1 && i <= box->n ? &box->paths[i - 1] : NULL;
    if (!path || path->n == 0) return 0;
    int64_t n = path->n + 1;
    struct value *v = value_push_empty(L);
    binding_check(L, tensor_new(&v->tensor, FLOAT64, 1, &n));
    double *t = v->tensor->array.data;
    for (int64_t k = 0; k < path->n; k++) t[k] = path->steps[k].t;
    t[path->n] = path->end;
    value_account(L, v);
    return 1;
}

/* Of a solve without steps y is known where it begins. */
static void read_beginning(const struct array *y0, int64_t first, int64_t n, int known, char *out)
{
    size_t size = dtype_size(y0->dtype);
    const char *y = (const char *)y0->data + (size_t)first * size;
    loops->combine[y0->dtype](n, NULL, 1, (double[]){known ? 1 : NAN}, (const void *[]){y}, out);
}

/* path:at(times, derivative, y0, begin) -> flat states, of a sample NaN where it did not come to; times:
 * float64; y0: the flat state at the time `begin` */
static int path_read(lua_State *L)
{
    const struct path_box *box = luaL_checkudata(L, 1, PATH_TYPE);
    const struct array *times = vector_check(L, &tensor_check(L, 2)->array, "t", 1);
    const struct array *y0 = vector_check(L, &tensor_check(L, 4)->array, "y0", 0);
    int derivative = lua_toboolean(L, 3);
    double begin = luaL_checknumber(L, 5);
    int64_t n = times->shape[0], share = box->n > 0 ? y0->shape[0] / box->n : 0;
    for (int64_t k = 0; k < box->n; k++)
        if (box->paths[k].n > 0 && (box->paths[k].dtype != y0->dtype || box->paths[k].n_state != share))
            return binding_error(L, "path:at: y0 has to be a state of the solve");
    struct value *v = value_push_empty(L);
    binding_check(L, tensor_new(&v->tensor, y0->dtype, 1, (int64_t[]){n * share * box->n}));
    char *out = v->tensor->array.data;
    for (int64_t i = 0; i < n; i++) {
        double t = ((const double *)times->data)[i];
        for (int64_t k = 0; k < box->n; k++, out += (size_t)share * dtype_size(y0->dtype))
            if (box->paths[k].n > 0)
                path_at(&box->paths[k], t, derivative, out);
            else
                read_beginning(y0, k * share, share, !derivative && t == begin, out);
    }
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
