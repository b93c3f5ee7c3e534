/* Shared objects with fields in C, for scripts/tide/ode/cfield.lua, which checks arguments. */
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "apply.h"
#include "autodiff/c_field.h"
#include "autodiff/field_op.h"
#include "base/memory.h"
#include "binding.h"
#include "cfield.h"
#include "kernels/elementwise.h"
#include "entry.h"
#include "modules.h"

#define CFIELD_TYPE "tide.CField"
#define LOADED "tide.cfield_files" /* registry: by handle, which file it was when it was loaded */

/* The code stays loaded while a field of it lives, in a compiled function for instance. */
struct library {
    struct c_code code;
    void *handle;
    char *name;
    double *constants;
};

struct cfield_box {
    struct library *library;
};

static void library_free(struct object *self)
{
    struct library *l = (struct library *)self;
    if (l->handle) dlclose(l->handle);
    memory_free(l->name);
    memory_free(l->constants);
    memory_free(l);
}

static int cfield_collect(lua_State *L)
{
    struct cfield_box *box = luaL_checkudata(L, 1, CFIELD_TYPE);
    if (box->library) object_release(&box->library->code.base);
    box->library = NULL;
    return 0;
}

static struct library *library_check(lua_State *L, int arg)
{
    struct cfield_box *box = luaL_checkudata(L, arg, CFIELD_TYPE);
    if (!box->library) binding_error(L, "the C field is closed");
    return box->library;
}

static const struct array *float64_check(lua_State *L, const struct array *a, const char *what)
{
    if (a->dtype != FLOAT64) binding_error(L, "%s must be float64, got %s", what, dtype_name(a->dtype));
    return a;
}

/* ---- loading ---- */

/* Which file this is: changes when it is compiled anew. */
static void push_identity(lua_State *L, const char *path, const char *resolved)
{
    struct stat st;
    if (stat(resolved, &st) != 0) binding_error(L, "cfield: %s: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode)) binding_error(L, "cfield: %s is no file", path);
    lua_pushfstring(L, "%I %I %I %I %I", (LUAI_UACINT)st.st_dev, (LUAI_UACINT)st.st_ino,
                    (LUAI_UACINT)st.st_size, (LUAI_UACINT)st.st_mtim.tv_sec, (LUAI_UACINT)st.st_mtim.tv_nsec);
}

/* The system would give the old code again where a file of that name is loaded already. identity: on the
 * stack. */
static int is_outdated(lua_State *L, const char *resolved, int identity)
{
    void *loaded = dlopen(resolved, RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD);
    if (!loaded) return 0;
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LOADED);
    int outdated = lua_rawgetp(L, -1, loaded) == LUA_TSTRING && !lua_rawequal(L, -1, identity);
    lua_pop(L, 2);
    dlclose(loaded);
    return outdated;
}

static void open_library(lua_State *L, struct library *l, const char *path, const char *symbol)
{
    char resolved[PATH_MAX]; /* with a slash, so that no folders are searched for it */
    if (!realpath(path, resolved)) binding_error(L, "cfield: %s: %s", path, strerror(errno));
    push_identity(L, path, resolved);
    int identity = lua_gettop(L);
    if (is_outdated(L, resolved, identity)) {
        lua_gc(L, LUA_GCCOLLECT, 0); /* what holds the old code may be garbage */
        if (is_outdated(L, resolved, identity))
            binding_error(
                L,
                "cfield: %s has changed since it was loaded, and what it was is still in use; let go of it "
                "(the field and what was "
                "compiled with it = nil, then collectgarbage()), or give the new one another file name",
                path);
    }
    if (!(l->handle = dlopen(resolved, RTLD_NOW | RTLD_LOCAL))) {
        const char *why = dlerror(); /* begins with the path */
        size_t length = strlen(resolved);
        if (strncmp(why, resolved, length) == 0 && why[length] == ':')
            why += length + 1 + (why[length + 1] == ' ');
        binding_error(L, "cfield: %s cannot be loaded: %s", path, why);
    }
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LOADED);
    lua_pushvalue(L, identity);
    lua_rawsetp(L, -2, l->handle);
    lua_pop(L, 2);
    const void *exported = dlsym(l->handle, symbol);
    if (!exported)
        binding_error(L, "cfield: %s exports no symbol \"%s\"; TIDE_FIELD(%s) = {...} does", path, symbol,
                      symbol);
    if (c_code_read(&l->code, exported) != STATUS_OK)
        binding_error(L, "cfield: %s: %s", path, status_message());
}

/* cfield_open(path, symbol, constants or nil) -> code; constants: a dense float64 tensor */
static int cfield_open(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1), *symbol = luaL_checkstring(L, 2);
    const struct array *constants =
        lua_isnoneornil(L, 3) ? NULL : float64_check(L, &tensor_check(L, 3)->array, "constants");
    struct cfield_box *box = lua_newuserdatauv(L, sizeof *box, 0);
    box->library = NULL;
    luaL_setmetatable(L, CFIELD_TYPE);
    struct library *l = memory_zalloc(1, sizeof *l);
    if (!l) binding_check(L, memory_status());
    l->code.base = (struct object){1, library_free};
    box->library = l;
    if (!(l->name = memory_strdup(symbol))) binding_check(L, memory_status());
    l->code.name = l->name;
    if (constants && array_numel(constants) > 0) {
        if (!(l->constants = memory_alloc(array_bytes(constants)))) binding_check(L, memory_status());
        array_copy_dense(constants, l->constants);
        l->code.constants = l->constants;
        l->code.n_constants = array_numel(constants);
    }
    open_library(L, l, path, symbol);
    return 1;
}

/* cfield_describe(code) -> {name, width or nil, n_theta or nil, vjp, jvp} */
static int cfield_describe(lua_State *L)
{
    const struct library *l = library_check(L, 1);
    const struct tide_field *f = &l->code.functions;
    lua_createtable(L, 0, 5);
    entry_text(L, "name", l->name);
    if (f->width != TIDE_ANY) lua_pushinteger(L, f->width), lua_setfield(L, -2, "width");
    if (f->n_theta != TIDE_ANY) lua_pushinteger(L, f->n_theta), lua_setfield(L, -2, "n_theta");
    entry_flag(L, "vjp", f->vjp != NULL);
    entry_flag(L, "jvp", f->jvp != NULL);
    return 1;
}

/* ---- fields ---- */

struct field *cfield_new(lua_State *L, int code, int theta, const struct array *y)
{
    struct field *f;
    int64_t n_theta = 0;
    if (!lua_isnoneornil(L, theta))
        n_theta = array_numel(float64_check(L, value_spec(value_check(L, theta)), "theta"));
    float64_check(L, y, "the state");
    binding_check(L, field_from_c(&f, &library_check(L, code)->code, array_numel(y), n_theta));
    return f;
}

struct op_box {
    struct object *op;
};
#define FIELD_OP_TYPE "tide.FieldOp"

static int op_collect(lua_State *L)
{
    struct op_box *box = luaL_checkudata(L, 1, FIELD_OP_TYPE);
    object_release(box->op);
    box->op = NULL;
    return 0;
}

/* cfield_eval(code, theta or nil, t, y) -> dy; t: a float64 scalar, y: float64 */
static int cfield_eval(lua_State *L)
{
    int has_theta = !lua_isnoneornil(L, 2);
    const struct array *y = value_spec(value_check(L, 4));
    value_check(L, 3);
    lua_settop(L, 4);
    struct op_box *box = lua_newuserdatauv(L, sizeof *box, 0);
    box->op = NULL;
    luaL_setmetatable(L, FIELD_OP_TYPE);
    binding_check(L, field_op_new(&box->op, cfield_new(L, 1, 2, y)));
    lua_pushvalue(L, 3);
    lua_pushvalue(L, 4);
    if (has_theta) lua_pushvalue(L, 2);
    value_apply(L, OP_CUSTOM, &(struct attrs){.n = 0, .object = box->op}, 6, 2 + has_theta);
    return 1;
}

static const luaL_Reg functions[] = {{"cfield_open", cfield_open},
                                     {"cfield_describe", cfield_describe},
                                     {"cfield_eval", cfield_eval},
                                     {NULL, NULL}};

void open_cfield(lua_State *L)
{
    luaL_setfuncs(L, functions, 0);
    binding_type(L, CFIELD_TYPE, cfield_collect, NULL);
    binding_type(L, FIELD_OP_TYPE, op_collect, NULL);
}
