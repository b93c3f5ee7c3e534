/* io.c -- tide.save, tide.load, tide.read_idx, tide.read_bytes: files <-> tensors and nested tables of
 * tensors.
 *
 * In a file a nested table is flat: layers[1].weight has the name "layers.1.weight". On the way back a part
 * that looks like an integer becomes an integer key, so keys must not contain "." and strings must not look
 * like integers: what is saved comes back equal or is refused. A file of others, where one name goes through
 * another ("a" and "a.b"), comes back flat: its names are the keys. Tables with a metatable are models; their
 * other fields (sizes, functions) are configuration and are not saved, while in a plain table whatever is no
 * tensor would be lost silently and is an error. */
#include "io/bytes.h"
#include "io/idx.h"
#include "io/jpeg.h"
#include "io/mat.h"
#include "io/npy.h"
#include "io/npz.h"
#include "io/png.h"
#include "io/safetensors.h"

#include <string.h>
#include <strings.h>

#include "binding.h"
#include "modules.h"
#include "value.h"

#define LIST_TYPE "tide.TensorList"
#define KEY_SYMBOLS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"

static enum status load_safetensors(struct tensor_list *list, const char *path, size_t limit)
{
    (void)limit; /* nothing is compressed */
    return safetensors_load(list, path);
}

static enum status load_npy(struct tensor **out, const char *path, size_t limit)
{
    (void)limit;
    return npy_load(out, path);
}

/* A file holds one tensor without a name, or a list. What has neither save_one nor save is only read. */
static const struct format {
    const char *extension;
    enum status (*load_one)(struct tensor **out, const char *path, size_t limit);
    enum status (*save_one)(const char *path, const struct array *a);
    enum status (*load)(struct tensor_list *list, const char *path, size_t limit);
    enum status (*save)(const char *path, const struct tensor_list *list);
} formats[] = {
    {".npy", load_npy, npy_save, NULL, NULL},
    {".npz", NULL, NULL, npz_load, npz_save},
    {".safetensors", NULL, NULL, load_safetensors, safetensors_save},
    {".png", png_load, png_save, NULL, NULL},
    {".jpg", jpeg_load, NULL, NULL, NULL},
    {".jpeg", jpeg_load, NULL, NULL, NULL},
    {".mat", NULL, NULL, mat_load, NULL},
};

#define FORMAT_COUNT (sizeof formats / sizeof formats[0])

/* ---- arguments ---- */

static const char *check_path(lua_State *L, const char *who)
{
    size_t n;
    if (lua_type(L, 1) != LUA_TSTRING)
        luaL_error(L, "%s: the path must be a string, got %s", who, luaL_typename(L, 1));
    const char *path = lua_tolstring(L, 1, &n);
    if (strlen(path) != n) luaL_error(L, "%s: the path \"%s\" has a NUL byte inside", who, path);
    if (n == 0) luaL_error(L, "%s: the path is empty", who);
    return path;
}

/* What to do about a file of another kind. */
static const char *extension_hint(const char *extension)
{
    static const char pickle[] = "; pickles run code and are never read: in Python, save with "
                                 "safetensors.torch.save_file(model.state_dict(), path)";
    static const struct {
        const char *extension, *hint;
    } hints[] = {{".pt", pickle},
                 {".pth", pickle},
                 {".ckpt", pickle},
                 {".pkl", pickle},
                 {".bin", "; tide.read_bytes gives the bytes of any file"},
                 {".csv", "; tables of numbers are read by tide.csv.read, written by tide.csv.write"},
                 {".gz", "; idx files are read by tide.read_idx, packed or not"}};
    for (size_t i = 0; i < sizeof hints / sizeof hints[0]; i++)
        if (strcasecmp(extension, hints[i].extension) == 0) return hints[i].hint;
    return "";
}

static const struct format *check_format(lua_State *L, const char *who, const char *path)
{
    const char *dot = strrchr(path, '.');
    for (size_t i = 0; dot && i < FORMAT_COUNT; i++)
        if (strcasecmp(dot, formats[i].extension) == 0) return &formats[i];
    luaL_error(
        L, "%s: \"%s\" has no known extension; valid are \".npy\", \".npz\", \".safetensors\", \".png\"%s%s",
        who, path, strcmp(who, "load") == 0 ? ", \".jpg\", \".jpeg\", \".mat\"" : "",
        dot ? extension_hint(dot) : "");
    return NULL;
}

static void check_file(lua_State *L, enum status status, const char *who, const char *verb, const char *path)
{
    if (status != STATUS_OK) status_prefix(status, "%s: cannot %s \"%.200s\"", who, verb, path);
    binding_check(L, status);
}

/* ---- a list that Lua owns, so that an error of Lua cannot leak it ---- */

static struct tensor_list *push_list(lua_State *L)
{
    struct tensor_list *list = lua_newuserdatauv(L, sizeof *list, 0);
    *list = (struct tensor_list){0};
    luaL_setmetatable(L, LIST_TYPE);
    return list;
}

static int list_gc(lua_State *L)
{
    tensor_list_free(luaL_checkudata(L, 1, LIST_TYPE));
    return 0;
}

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
        luaL_error(L, "%s: option names must be a list of names, got %s", who, luaL_typename(L, names));
    struct tensor_list *list = push_list(L);
    lua_Unsigned n = lua_rawlen(L, names);
    for (lua_Unsigned i = 1; i <= n; i++) {
        size_t length;
        if (lua_rawgeti(L, names, (lua_Integer)i) != LUA_TSTRING)
            luaL_error(L, "%s: option names must be a list of names, got %s at %d", who, luaL_typename(L, -1),
                       (int)i);
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
            luaL_error(L, "%s: option limit must be a number of bytes, got %s", who,
                       luaL_tolstring(L, -1, NULL));
        o->limit = (size_t)value;
    } else if (lists && which == 1) {
        o->wanted = push_wanted(L, who);
        lua_insert(L, 3); /* below the walk through the options */
    } else if (lists && which == 2) {
        if (!lua_isboolean(L, -1))
            luaL_error(L, "%s: option flat must be true or false, got %s", who, luaL_tolstring(L, -1, NULL));
        o->flat = lua_toboolean(L, -1);
    } else {
        lua_pushvalue(L, -2); /* the text of a number must not replace the key */
        luaL_error(L, "%s: unknown option %s; valid %s", who, luaL_tolstring(L, -1, NULL),
                   lists ? "are \"limit\", \"names\", \"flat\"" : "is \"limit\"");
    }
}

static struct options check_options(lua_State *L, const char *who, int lists)
{
    struct options o = {.limit = FILE_UNPACK_LIMIT};
    if (lua_gettop(L) > 2)
        luaL_error(L, "%s: a path and options are expected, got %d arguments", who, lua_gettop(L));
    lua_settop(L, 2);
    if (lua_isnil(L, 2)) return o;
    if (!lua_istable(L, 2)) luaL_error(L, "%s: options must be a table, got %s", who, luaL_typename(L, 2));
    for (lua_pushnil(L); lua_next(L, 2); lua_pop(L, 1)) take_option(L, who, &o, lists);
    return o;
}

/* Push one part of a dotted name as the key that it stands for. */
static void push_key(lua_State *L, const char *part, size_t n)
{
    int top = lua_gettop(L);
    const char *text = lua_pushlstring(L, part, n);
    if (lua_stringtonumber(L, text) == 0) return;
    /* Only the form that save writes counts: "01" and "0x1" remain strings. */
    if (lua_isinteger(L, -1) &&
        strcmp(lua_pushfstring(L, "%I", (LUAI_UACINT)lua_tointeger(L, -1)), text) == 0) {
        lua_pop(L, 1);
        lua_replace(L, top + 1);
    }
    lua_settop(L, top + 1);
}

/* ---- saving ---- */

struct saving {
    struct tensor_list *list;
    const char *path;
};

/* The tensor of a userdata that is one; what it is called is needed for the message only. */
static struct tensor *saved_tensor(lua_State *L, const struct value *v, const char *name)
{
    if (v->tape)
        luaL_error(L, "save: %s is symbolic; save works outside tide.grad, tide.compile and the like", name);
    if (!v->tensor) luaL_error(L, "save: %s is closed", name);
    return v->tensor;
}

/* Push the text of the key at `key`, which must be an integer or an identifier-like string. */
static const char *push_key_text(lua_State *L, int key, const char *prefix)
{
    const char *inside = *prefix ? prefix : "the table";
    if (lua_isinteger(L, key)) return lua_pushfstring(L, "%I", (LUAI_UACINT)lua_tointeger(L, key));
    if (lua_type(L, key) != LUA_TSTRING)
        luaL_error(L, "save: key %s in %s must be a string or an integer", luaL_tolstring(L, key, NULL),
                   inside);
    size_t n;
    const char *text = lua_tolstring(L, key, &n);
    if (n == 0 || strspn(text, KEY_SYMBOLS) != n)
        luaL_error(L, "save: key \"%s\" in %s: keys are made of letters, digits, \"_\" and \"-\"", text,
                   inside);
    push_key(L, text, n);
    if (lua_isinteger(L, -1))
        luaL_error(L, "save: key \"%s\" in %s would come back as an integer; use [%s]", text, inside, text);
    return lua_tostring(L, -1);
}

static void flatten(lua_State *L, const struct saving *s, int table, const char *prefix, int in_model,
                    int depth);

/* The entry with the key at -2 and the value at -1; leaves the stack as it was. */
static void flatten_entry(lua_State *L, const struct saving *s, const char *prefix, int in_model, int depth)
{
    int value = lua_gettop(L);
    const struct value *v = value_test(L, value);
    int is_table = lua_istable(L, value);
    if (!v && !is_table && in_model) return;
    const char *key = push_key_text(L, value - 1, prefix);
    const char *name = *prefix ? lua_pushfstring(L, "%s.%s", prefix, key) : key;
    if (v) {
        struct tensor *t = tensor_retain(saved_tensor(L, v, name));
        enum status status = tensor_list_add(s->list, name, strlen(name), t);
        if (status != STATUS_OK) tensor_release(t);
        check_file(L, status, "save", "write", s->path);
    } else if (is_table) {
        flatten(L, s, value, name, in_model, depth + 1);
    } else {
        luaL_error(L, "save: %s is a %s; a file holds tensors and tables of tensors only", name,
                   luaL_typename(L, value));
    }
    lua_settop(L, value);
}

static void flatten(lua_State *L, const struct saving *s, int table, const char *prefix, int in_model,
                    int depth)
{
    if (depth > MAX_NESTING)
        luaL_error(L, "save: tables nested deeper than %d at %s (a cycle?)", MAX_NESTING, prefix);
    luaL_checkstack(L, 12, "save: tables nested too deep");
    if (lua_getmetatable(L, table)) {
        in_model = 1;
        lua_pop(L, 1);
    }
    for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1)) flatten_entry(L, s, prefix, in_model, depth);
}

/* save(path, tensor) for .npy and .png, save(path, table) for the others */
static int io_save(lua_State *L)
{
    const char *path = check_path(L, "save");
    const struct format *format = check_format(L, "save", path);
    const struct value *v = value_test(L, 2);
    if (lua_gettop(L) > 2) return luaL_error(L, "save: 2 arguments are expected, got %d", lua_gettop(L));
    if (!format->save && !format->save_one)
        return luaL_error(L, "save: %s files are only read; use %s", format->extension,
                          format->load ? ".npz or .safetensors" : ".png, which keeps every value");
    if (!v && !lua_istable(L, 2))
        return luaL_error(L, "save: a tensor or a table of tensors is expected, got %s", luaL_typename(L, 2));
    if (!format->save && !v)
        return luaL_error(L, "save: a %s file holds one tensor; use .npz or .safetensors for a table",
                          format->extension);
    if (format->save && v)
        return luaL_error(
            L, "save: a %s file holds a table of tensors, got a tensor; use .npy or a table {x = tensor}",
            format->extension);
    if (v) {
        check_file(L, format->save_one(path, &saved_tensor(L, v, "the tensor")->array), "save", "write",
                   path);
        return 0;
    }
    struct saving s = {push_list(L), path};
    flatten(L, &s, 2, "", 0, 1);
    tensor_list_sort(s.list);
    check_file(L, format->save(path, s.list), "save", "write", path);
    tensor_list_free(s.list);
    return 0;
}

/* checksum(table of tensors) -> integer: over what save would write */
static int io_checksum(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    struct saving s = {push_list(L), "checksum"};
    flatten(L, &s, 1, "", 0, 1);
    tensor_list_sort(s.list);
    lua_pushinteger(L, tensor_list_checksum(s.list));
    tensor_list_free(s.list);
    return 1;
}

/* ---- loading ---- */

/* Replace the table at the top by the one under its key (n bytes at part), which is made if need be. */
static void descend(lua_State *L, const char *part, size_t n)
{
    push_key(L, part, n);
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
        lua_pushboolean(L, 1);
        lua_setfield(L, -2, list->names[i]);
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

/* Put the tensor at its place below the table at the top; the slot gives its reference away. */
static void insert(lua_State *L, const char *name, struct tensor **slot, int flat)
{
    const char *part = name;
    lua_pushvalue(L, -1);
    if (flat) {
        lua_pushstring(L, name);
    } else {
        for (const char *dot; (dot = strchr(part, '.')) != NULL; part = dot + 1)
            descend(L, part, (size_t)(dot - part));
        push_key(L, part, strlen(part));
    }
    struct value *v = value_push_empty(L);
    v->tensor = *slot;
    *slot = NULL;
    value_account(L, v);
    lua_rawset(L, -3);
    lua_pop(L, 1);
}

/* load(path, {limit=, names=, flat=}) -> a tensor for .npy, .png and .jpg, else a table of tensors, nested if
 * the names allow it */
static int io_load(lua_State *L)
{
    const char *path = check_path(L, "load");
    const struct format *format = check_format(L, "load", path);
    struct options o = check_options(L, "load", format->load != NULL);
    if (!format->load) {
        struct value *v = value_push_empty(L);
        check_file(L, format->load_one(&v->tensor, path, o.limit), "load", "read", path);
        value_account(L, v);
        return 1;
    }
    struct tensor_list *list = push_list(L);
    list->wanted = o.wanted;
    check_file(L, format->load(list, path, o.limit), "load", "read", path);
    int flat = o.flat || names_clash(L, list);
    lua_newtable(L);
    for (int i = 0; i < list->n; i++) insert(L, list->names[i], &list->tensors[i], flat);
    tensor_list_free(list);
    return 1;
}

/* One tensor from a file of the kind that `load` reads. */
static int read_one(lua_State *L, const char *name,
                    enum status (*load)(struct tensor **out, const char *path, size_t limit))
{
    const char *path = check_path(L, name);
    size_t limit = check_options(L, name, 0).limit;
    struct value *v = value_push_empty(L);
    check_file(L, load(&v->tensor, path, limit), name, "read", path);
    value_account(L, v);
    return 1;
}

/* read_idx(path, {limit=}), read_bytes(path, {limit=}) -> tensor; the file may be gzip */
static int io_read_idx(lua_State *L) { return read_one(L, "read_idx", idx_load); }
static int io_read_bytes(lua_State *L) { return read_one(L, "read_bytes", bytes_load); }

static const luaL_Reg functions[] = {{"save", io_save},
                                     {"load", io_load},
                                     {"checksum", io_checksum},
                                     {"read_idx", io_read_idx},
                                     {"read_bytes", io_read_bytes},
                                     {NULL, NULL}};

void open_io(lua_State *L)
{
    if (luaL_newmetatable(L, LIST_TYPE)) {
        lua_pushcfunction(L, list_gc);
        lua_setfield(L, -2, "__gc");
    }
    lua_pop(L, 1);
    luaL_setfuncs(L, functions, 0);
}
