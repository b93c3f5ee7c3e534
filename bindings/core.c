/* The module tide.core: everything that the engine offers to the Lua library in scripts/tide. */
#include "base/memory.h"
#include "base/threads.h"
#include "binding.h"
#include "entry.h"
#include "failure.h"
#include "kernels/blas.h"
#include "kernels/loops.h"
#include "kernels/precision.h"
#include "modules.h"
#include "plain_value.h"
#include "standard_files.h"

#ifndef TIDE_VERSION
#define TIDE_VERSION "0.1.0"
#endif

static int threads(lua_State *L) /* () -> count; (n) sets it */
{
    if (!lua_isnoneornil(L, 1)) {
        int whole = 0;
        lua_Integer n = lua_type(L, 1) == LUA_TNUMBER ? lua_tointegerx(L, 1, &whole) : 0;
        if (!whole || n < 1 || n > 256)
            return binding_error(L, "threads: the count must lie in 1..256, got %s",
                                 luaL_tolstring(L, 1, NULL));
        threads_set((int)n);
    }
    lua_pushinteger(L, threads_count());
    return 1;
}

static int library_root(
    lua_State *L) /* add a folder whose Lua files are skipped when an error looks for the user's line */
{
    luaL_checkstring(L, 1);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LIBRARY_ROOTS);
    lua_pushvalue(L, 1);
    lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
    return 0;
}

static int raise(lua_State *L) /* error(message) with the user's position */
{
    if (failure_is(L, 1)) return lua_settop(L, 1), lua_error(L); /* it has one */
    return binding_error(L, "%s", luaL_checkstring(L, 1));
}

static int fail(lua_State *L) /* fail(fields): a failure that can be asked, with the user's position */
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    position_push(L);
    lua_insert(L, 1);
    return failure_raise(L);
}

static int build_info(lua_State *L)
{
    lua_createtable(L, 0, 4);
    entry_text(L, "version", TIDE_VERSION);
    entry_text(L, "isa", loops->name);
    entry_text(L, "compiler", __VERSION__);
    return 1;
}

static int blas(lua_State *L) /* -> {library, version, core, why} */
{
    struct blas_choice choice = blas_choice();
    const char *fields[][2] = {
        {"library", choice.library}, {"version", choice.version}, {"core", choice.core}, {"why", choice.why}};
    lua_createtable(L, 0, 4);
    for (int i = 0; i < 4; i++) {
        entry_text(L, fields[i][0], fields[i][1]);
    }
    return 1;
}

static int matmul_precision(lua_State *L) /* () -> level; (level) sets it: 0 highest, 1 high, 2 medium */
{
    if (!lua_isnoneornil(L, 1)) precision_set((enum precision)luaL_checkinteger(L, 1));
    lua_pushinteger(L, precision_get());
    return 1;
}

static const luaL_Reg functions[] = {{"threads", threads},
                                     {"library_root", library_root},
                                     {"raise", raise},
                                     {"number_text", plain_value_number_text},
                                     {"build_info", build_info},
                                     {"blas", blas},
                                     {"matmul_precision", matmul_precision},
                                     {"fail", fail},
                                     {"is_failure", failure_is_lua},
                                     {"on_failure", failure_on_raise},
                                     {NULL, NULL}};

/* tensor first: ops add to its methods. */
static void (*const parts[])(lua_State *L) = {
    open_tensor,     open_creation,    open_ops,          open_autodiff, open_compiled, open_ode,
    open_ode_method, open_ode_options, open_ode_callback, open_ode_keep, open_ode_path, open_ode_stepper,
    open_cfield,     open_explain,     open_load,         open_save,     open_files,    open_optim,
    open_system,     open_signals,     open_keyboard,     open_lineedit, open_process,  open_terminal,
    open_tree,       open_truth};

__attribute__((visibility("default"))) int luaopen_tide_core(lua_State *L);
int luaopen_tide_core(lua_State *L)
{
    luaL_checkversion(L);
    standard_files_open(); /* our launcher has done so; another program may not */
    memory_keep_pages();
    luaL_newlib(L, functions);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) parts[i](L);
    return 1;
}
