/* load.c -- tide.load, tide.read_idx, tide.read_bytes: files into tensors and nested tables of tensors; how
 * names become keys: save.c. */
#include "io/bytes.h"
#include "io/file.h"
#include "io/idx.h"
#include "io/tensor_list.h"

#include <string.h>

#include "binding.h"
#include "entry.h"
#include "format.h"
#include "modules.h"
#include "plain_value.h"
#include "value.h"

/* ---- options of the readers ---- */

struct options {
    size_t limit;               /* bytes that a compressed file may unpack to */
    int flat;                   /* names as keys, no nested tables */
    struct tensor_list *wanted; /* on the stack of Lua, or NULL */
};

/* The list of names at the top, sorted, as a new value above it. */
static struct tensor_list *push_wanted(lua_State *L, const char *who)
{
    int names = lua_gettop(L);
    if (!lua_istable(L, names))
        binding_error(L, "%s: option names must be a list of names, got %s", who, luaL_typename(L, names));
    struct tensor_list *list = format_push_list(L);
    lua_Unsigned n = lua_rawlen(L, names);
    for (lua_Unsigned i = 1; i <= n; i++) {
        size_t length;
        if (lua_rawgeti(L, names, (lua_Integer)i) != LUA_TSTRING)
            binding_error(L, "%s: option names must be a list of names, got %s at %d", who,
                          luaL_typename(L, -1), (int)i);
        const char *name = lua_tolstring(L, -1, &length);
        enum status status = tensor_list_add(list, name, length, NULL);
        if (status != STATUS_OK) binding_check(L, status_prefix(status, "%s: option names", who));
        lua_pop(L, 1);
    }
    tensor_list_sort(list);
    enum status status = tensor_list_check_unique(list);
    if (status != STATUS_OK) binding_check(L, status_prefix(status, "%s: option names", who));
    return list;
}

/* The option whose name is at -2 and whose value is at -1; leaves what it must keep on the stack above
 * them. */
static void take_option(lua_State *L, const char *who, struct options *o, int lists)
{
    static const char *const valid[] = {"limit", "names", "flat"};
    const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "";
    int which = 0;
    while (which < (lists ? 3 : 1) && strcmp(key, valid[which]) != 0) which++;
    if (which == 0) {
        int whole;
        lua_Integer value = lua_tointegerx(L, -1, &whole);
        if (lua_type(L, -1) != LUA_TNUMBER || !whole || value < 0)
            binding_error(L, "%s: option limit must be a number of bytes, got %s", who,
                          luaL_tolstring(L, -1, NULL));
        o->limit = (size_t)value;
    } else if (lists && which == 1) {
        o->wanted = push_wanted(L, who);
        lua_insert(L, 3); /* below the walk through the options */
    } else if (lists && which == 2) {
        if (!lua_isboolean(L, -1))
            binding_error(L, "%s: option flat must be true or false, got %s", who,
                          luaL_tolstring(L, -1, NULL));
        o->flat = lua_toboolean(L, -1);
    } else {
        lua_pushvalue(L, -2); /* the text of a number must not replace the key */
        binding_error(L, "%s: unknown option %s; valid %s", who, luaL_tolstring(L, -1, NULL),
                      lists ? "are \"limit\", \"names\", \"flat\"" : "is \"limit\"");
    }
}

static struct options check_options(lua_State *L, const char *who, int lists)
{
    struct options o = {.limit = FILE_UNPACK_LIMIT};
    if (lua_gettop(L) > 2)
        binding_error(L, "%s: a path and options are expected, got %d arguments", who, lua_gettop(L));
    lua_settop(L, 2);
    if (lua_isnil(L, 2)) return o;
    if (!lua_istable(L, 2)) binding_error(L, "%s: options must be a table, got %s", who, luaL_typename(L, 2));
    for (lua_pushnil(L); lua_next(L, 2); lua_pop(L, 1)) take_option(L, who, &o, lists);
    return o;
}

/* ---- loading ---- */

/* Replace the table at the top by the one under its key (n bytes at part), which is made if need be. */
static void descend(lua_State *L, const char *part, size_t n)
{
    format_push_key(L, part, n);
    lua_pushvalue(L, -1);
    if (lua_rawget(L, -3) == LUA_TNIL) {
        lua_pop(L, 1);
        lua_newtable(L);
        lua_pushvalue(L, -2);
        lua_pushvalue(L, -2);
        lua_rawset(L, -5);
    }
    lua_replace(L, -3);
    lua_pop(L, 1);
}

/* Does a name go through another one, as "a.b" through "a"? */
static int names_clash(lua_State *L, const struct tensor_list *list)
{
    int clash = 0;
    lua_createtable(L, 0, list->n);
    for (int i = 0; i < list->n; i++) {
        entry_flag(L, list->names[i], 1);
    }
    for (int i = 0; i < list->n && !clash; i++)
        for (const char *dot = list->names[i]; !clash && (dot = strchr(dot, '.')) != NULL; dot++) {
            lua_pushlstring(L, list->names[i], (size_t)(dot - list->names[i]));
            clash = lua_rawget(L, -2) != LUA_TNIL;
            lua_pop(L, 1);
        }
    lua_pop(L, 1);
    return clash;
}

/* Put entry i at its place below the table at the top; a tensor's slot gives its reference away. */
static void insert(lua_State *L, struct tensor_list *list, int i, int flat, int texts_only)
{
    const char *name = list->names[i], *part = name;
    lua_pushvalue(L, -1);
    if (flat) {
        lua_pushstring(L, name);
    } else {
        for (const char *dot; (dot = strchr(part, '.')) != NULL; part = dot + 1)
            descend(L, part, (size_t)(dot - part));
        format_push_key(L, part, strlen(part));
    }
    if (list->kinds[i] == ENTRY_TENSOR) {
        struct value *v = value_push_empty(L);
        v->tensor = list->tensors[i];
        list->tensors[i] = NULL;
        value_account(L, v);
    } else {
        plain_value_push(L, list, i, texts_only);
    }
    lua_rawset(L, -3);
    lua_pop(L, 1);
}

/* A whole file, into one of both. */
static enum status read_file(const struct format *format, const char *path, size_t limit, struct tensor **one,
                             struct tensor_list *list)
{
    struct file_bytes bytes;
    TRY(file_read(&bytes, path, FILE_READ_LIMIT));
    enum status status = one ? format->read_one(one, bytes.data, bytes.size, limit)
                             : format->read(list, bytes.data, bytes.size, limit);
    file_bytes_free(&bytes);
    return status;
}

/* load(path, {limit=, names=, flat=}) -> a tensor for .npy, .png and .jpg, else a table of tensors, nested if
 * the names allow it */
static int io_load(lua_State *L)
{
    const char *path = format_path(L, "load");
    const struct format *format = format_of(L, "load", path);
    struct options o = check_options(L, "load", format->read != NULL);
    if (!format->read) {
        struct value *v = value_push_empty(L);
        format_check(L, read_file(format, path, o.limit, &v->tensor, NULL), "load", "read", path);
        value_account(L, v);
        return 1;
    }
    struct tensor_list *list = format_push_list(L);
    list->wanted = o.wanted;
    format_check(L, read_file(format, path, o.limit, NULL, list), "load", "read", path);
    int flat = o.flat || names_clash(L, list);
    lua_newtable(L);
    for (int i = 0; i < list->n; i++) insert(L, list, i, flat, format->texts_only);
    tensor_list_free(list);
    return 1;
}

/* One tensor from a file of the kind that `load` reads. */
static int read_one(lua_State *L, const char *name,
                    enum status (*load)(struct tensor **out, const char *path, size_t limit))
{
    const char *path = format_path(L, name);
    size_t limit = check_options(L, name, 0).limit;
    struct value *v = value_push_empty(L);
    format_check(L, load(&v->tensor, path, limit), name, "read", path);
    value_account(L, v);
    return 1;
}

/* read_idx(path, {limit=}), read_bytes(path, {limit=}) -> tensor; the file may be gzip */
static int io_read_idx(lua_State *L) { return read_one(L, "read_idx", idx_load); }
static int io_read_bytes(lua_State *L) { return read_one(L, "read_bytes", bytes_load); }

static const luaL_Reg functions[] = {
    {"load", io_load}, {"read_idx", io_read_idx}, {"read_bytes", io_read_bytes}, {NULL, NULL}};

void open_load(lua_State *L) { luaL_setfuncs(L, functions, 0); }
