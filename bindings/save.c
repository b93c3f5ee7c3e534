/* save.c -- tide.save: tensors and nested tables of tensors and plain values into files.
 *
 * In a file a nested table is flat: layers[1].weight has the name "layers.1.weight". On the way back a
 * part that looks like an integer becomes an integer key, so keys must not contain "." and strings must
 * not look like integers: what is saved comes back equal or is refused. A file of others, where one name
 * goes through another ("a" and "a.b"), comes back flat: its names are the keys. Tables with a metatable
 * are models; their other fields (sizes, functions) are configuration and are not saved, while in a plain
 * table numbers, strings and booleans are (plain_value.h), and whatever else is no tensor would be lost
 * silently and is an error. */
#include "io/tensor_list.h"

#include <string.h>

#include "binding.h"
#include "format.h"
#include "modules.h"
#include "plain_value.h"
#include "value.h"

#define KEY_SYMBOLS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"

struct saving {
    struct tensor_list *list;
    const char *path;
    int texts_only; /* of plain values */
};

/* The tensor of a userdata that is one; what it is called is needed for the message only. */
static struct tensor *saved_tensor(lua_State *L, const struct value *v, const char *name)
{
    if (v->tape)
        binding_error(L, "save: %s is symbolic; save works outside tide.grad, tide.compile and the like",
                      name);
    if (!v->tensor) binding_error(L, "save: %s is closed", name);
    return v->tensor;
}

/* Push the text of the key at `key`, which must be an integer or an identifier-like string. */
static const char *push_key_text(lua_State *L, int key, const char *prefix)
{
    const char *inside = *prefix ? prefix : "the table";
    if (lua_isinteger(L, key)) return lua_pushfstring(L, "%I", (LUAI_UACINT)lua_tointeger(L, key));
    if (lua_type(L, key) != LUA_TSTRING)
        binding_error(L, "save: key %s in %s must be a string or an integer", luaL_tolstring(L, key, NULL),
                      inside);
    size_t n;
    const char *text = lua_tolstring(L, key, &n);
    if (n == 0 || strspn(text, KEY_SYMBOLS) != n)
        binding_error(L, "save: key \"%s\" in %s: keys are made of letters, digits, \"_\" and \"-\"", text,
                      inside);
    format_push_key(L, text, n);
    if (lua_isinteger(L, -1))
        binding_error(L, "save: key \"%s\" in %s would come back as an integer; use [%s]", text, inside,
                      text);
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
        format_check(L, status, "save", "write", s->path);
    } else if (is_table) {
        flatten(L, s, value, name, in_model, depth + 1);
    } else if (plain_value_is(L, value)) {
        enum status status = plain_value_add(L, value, s->list, name, s->texts_only);
        if (status != STATUS_OK) status_prefix(status, "%.100s", name);
        format_check(L, status, "save", "write", s->path);
    } else {
        binding_error(
            L, "save: %s is a %s; a file holds tensors, numbers, strings, booleans and tables of them only",
            name, luaL_typename(L, value));
    }
    lua_settop(L, value);
}

static void flatten(lua_State *L, const struct saving *s, int table, const char *prefix, int in_model,
                    int depth)
{
    if (depth > MAX_NESTING)
        binding_error(L, "save: tables nested deeper than %d at %s (a cycle?)", MAX_NESTING, prefix);
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
    const char *path = format_path(L, "save");
    const struct format *format = format_of(L, "save", path);
    const struct value *v = value_test(L, 2);
    if (lua_gettop(L) > 2) return binding_error(L, "save: 2 arguments are expected, got %d", lua_gettop(L));
    if (!format->save && !format->save_one)
        return binding_error(L, "save: %s files are only read; use %s", format->extension,
                             format->read ? ".npz or .safetensors" : ".png, which keeps every value");
    if (!v && !lua_istable(L, 2))
        return binding_error(L, "save: a tensor or a table of tensors is expected, got %s",
                             luaL_typename(L, 2));
    if (!format->save && !v)
        return binding_error(L, "save: a %s file holds one tensor; use .npz or .safetensors for a table",
                             format->extension);
    if (format->save && v)
        return binding_error(
            L, "save: a %s file holds a table of tensors, got a tensor; use .npy or a table {x = tensor}",
            format->extension);
    if (v) {
        format_check(L, format->save_one(path, &saved_tensor(L, v, "the tensor")->array), "save", "write",
                     path);
        return 0;
    }
    struct saving s = {format_push_list(L), path, format->texts_only};
    flatten(L, &s, 2, "", 0, 1);
    tensor_list_sort(s.list);
    format_check(L, format->save(path, s.list), "save", "write", path);
    tensor_list_free(s.list);
    return 0;
}

/* checksum(table of tensors) -> integer: over what save would write */
static int io_checksum(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    struct saving s = {format_push_list(L), "checksum", 0};
    flatten(L, &s, 1, "", 0, 1);
    tensor_list_sort(s.list);
    lua_pushinteger(L, tensor_list_checksum(s.list));
    tensor_list_free(s.list);
    return 1;
}

static const luaL_Reg functions[] = {{"save", io_save}, {"checksum", io_checksum}, {NULL, NULL}};

void open_save(lua_State *L) { luaL_setfuncs(L, functions, 0); }
