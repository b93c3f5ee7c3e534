/* files.c -- whole files for the Lua library: text in, and a writer whose file appears whole or not at all.
 *
 * What the system refuses comes back as nil and a message ("path: reason"), as in Lua's io library. */
#include <errno.h>
#include <string.h>

#include "binding.h"
#include "io/calls.h"
#include "io/file.h"
#include "modules.h"

#define WRITER_TYPE "tide.FileWriter"

struct writer {
    struct file_writer *file; /* NULL when closed */
};

static const char *check_path(lua_State *L, const char *who)
{
    size_t n;
    const char *path = luaL_checklstring(L, 1, &n);
    if (strlen(path) != n) binding_error(L, "%s: the path \"%s\" has a NUL byte inside", who, path);
    return path;
}

/* The value at the top on success; nil and a message when the system refused, an error when memory ran out or
 * the user interrupted. */
static int result(lua_State *L, enum status status, const char *path)
{
    if (status == STATUS_OK) return 1;
    if (status != STATUS_IO && status != STATUS_FORMAT) binding_check(L, status);
    lua_pushnil(L);
    lua_pushfstring(L, "%s: %s", path, status_message());
    return 2;
}

/* read_file(path, limit) -> text; regular files only */
static int read_file(lua_State *L)
{
    const char *path = check_path(L, "read_file");
    lua_Integer limit = luaL_optinteger(L, 2, (lua_Integer)FILE_UNPACK_LIMIT);
    struct file_bytes bytes, *owned = lua_newuserdatauv(L, sizeof *owned, 0);
    *owned = (struct file_bytes){0};
    luaL_setmetatable(L, "tide.FileBytes");
    enum status status = file_read(&bytes, path, limit > 0 ? (size_t)limit : 0);
    if (status == STATUS_OK) {
        *owned = bytes;
        lua_pushlstring(L, (const char *)bytes.data, bytes.size);
        file_bytes_free(owned);
    }
    return result(L, status, path);
}

static int bytes_gc(lua_State *L)
{
    file_bytes_free(luaL_checkudata(L, 1, "tide.FileBytes"));
    return 0;
}

/* file_writer(path) -> writer; its user value is the path */
static int open_writer(lua_State *L)
{
    const char *path = check_path(L, "file_writer");
    struct writer *w = lua_newuserdatauv(L, sizeof *w, 1);
    w->file = NULL;
    luaL_setmetatable(L, WRITER_TYPE);
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, 1);
    return result(L, file_writer_open(&w->file, path), path);
}

static struct writer *check_writer(lua_State *L)
{
    struct writer *w = luaL_checkudata(L, 1, WRITER_TYPE);
    if (!w->file) binding_error(L, "the file is closed");
    return w;
}

/* The path of the writer at 1, kept on the stack below what comes next. */
static const char *writer_path(lua_State *L)
{
    lua_getiuservalue(L, 1, 1);
    return lua_tostring(L, -1);
}

static int writer_write(lua_State *L)
{
    struct writer *w = check_writer(L);
    int n = lua_gettop(L);
    enum status status = STATUS_OK;
    for (int i = 2; i <= n && status == STATUS_OK; i++) {
        size_t size;
        const char *text = luaL_checklstring(L, i, &size);
        status = file_writer_write(w->file, text, size);
    }
    const char *path = writer_path(L);
    lua_pushvalue(L, 1);
    return result(L, status, path);
}

static int writer_flush(lua_State *L)
{
    struct writer *w = check_writer(L);
    enum status status = file_writer_flush(w->file);
    const char *path = writer_path(L);
    lua_pushvalue(L, 1);
    return result(L, status, path);
}

static int writer_close(lua_State *L)
{
    struct writer *w = check_writer(L);
    const char *path = writer_path(L);
    struct file_writer *file = w->file;
    w->file = NULL;
    enum status status = file_writer_close(file, STATUS_OK);
    lua_pushboolean(L, 1);
    return result(L, status, path);
}

/* Also when it is garbage. A second time does nothing. */
static int writer_discard(lua_State *L)
{
    struct writer *w = luaL_checkudata(L, 1, WRITER_TYPE);
    struct file_writer *file = w->file;
    w->file = NULL;
    if (file) file_writer_close(file, STATUS_INTERRUPTED);
    return 0;
}

static int writer_temporary(lua_State *L)
{
    lua_pushstring(L, file_writer_temporary(check_writer(L)->file));
    return 1;
}

/* ---- for tests: calls_inject{fail_at=, error=, sticky=, die_at=, partial=, interrupts=} ---- */

static const struct {
    const char *name;
    int code;
} errors[] = {{"ENOSPC", ENOSPC}, {"EIO", EIO}, {"EMFILE", EMFILE}, {"EACCES", EACCES}, {"EROFS", EROFS}};

static lua_Integer integer_field(lua_State *L, const char *name, lua_Integer otherwise)
{
    lua_getfield(L, 1, name);
    lua_Integer value = luaL_optinteger(L, -1, otherwise);
    lua_pop(L, 1);
    return value;
}

static int flag_field(lua_State *L, const char *name)
{
    lua_getfield(L, 1, name);
    int value = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return value;
}

/* calls_inject(table), calls_inject() to end it -> calls since it began */
static int inject(lua_State *L)
{
    struct call_faults faults = {0};
    int64_t calls = calls_count();
    if (lua_isnoneornil(L, 1)) {
        calls_inject(NULL);
    } else {
        luaL_checktype(L, 1, LUA_TTABLE);
        faults.fail_at = integer_field(L, "fail_at", -1);
        faults.die_at = integer_field(L, "die_at", -1);
        faults.sticky = flag_field(L, "sticky");
        faults.partial = flag_field(L, "partial");
        faults.interrupts = flag_field(L, "interrupts");
        lua_getfield(L, 1, "error");
        const char *name = luaL_optstring(L, -1, errors[0].name);
        for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++)
            if (strcmp(name, errors[i].name) == 0) faults.error = errors[i].code;
        calls_inject(&faults);
    }
    lua_pushinteger(L, calls);
    return 1;
}

static const luaL_Reg functions[] = {
    {"read_file", read_file}, {"file_writer", open_writer}, {"calls_inject", inject}, {NULL, NULL}};

static const luaL_Reg methods[] = {{"write", writer_write},         {"flush", writer_flush},
                                   {"close", writer_close},         {"discard", writer_discard},
                                   {"temporary", writer_temporary}, {NULL, NULL}};

void open_files(lua_State *L)
{
    if (luaL_newmetatable(L, "tide.FileBytes")) {
        lua_pushcfunction(L, bytes_gc);
        lua_setfield(L, -2, "__gc");
    }
    lua_pop(L, 1);
    if (luaL_newmetatable(L, WRITER_TYPE)) {
        lua_pushcfunction(L, writer_discard);
        lua_setfield(L, -2, "__gc");
        luaL_newlib(L, methods);
        lua_setfield(L, -2, "__index");
    }
    lua_pop(L, 1);
    luaL_setfuncs(L, functions, 0);
}
