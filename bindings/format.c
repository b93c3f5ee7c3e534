/* format.c -- files of tensors by their extension: see format.h. */
#include "format.h"

#include "io/jpeg.h"
#include "io/mat.h"
#include "io/npy.h"
#include "io/npz.h"
#include "io/png.h"
#include "io/safetensors.h"

#include <string.h>
#include <strings.h>

#include "binding.h"

#define LIST_TYPE "tide.TensorList"

/* The limit is for what was compressed. */
static enum status read_safetensors(struct tensor_list *list, const unsigned char *bytes, size_t size,
                                    size_t limit)
{
    (void)limit;
    return safetensors_read(list, bytes, size);
}

static enum status read_npy(struct tensor **out, const unsigned char *bytes, size_t size, size_t limit)
{
    (void)limit;
    return npy_read(out, bytes, size, SIZE_MAX);
}

static const struct format formats[] = {
    {".npy", read_npy, npy_save, NULL, NULL, 0},
    {".npz", NULL, NULL, npz_read, npz_save, 0},
    {".safetensors", NULL, NULL, read_safetensors, safetensors_save, 1},
    {".png", png_read, png_save, NULL, NULL, 0},
    {".jpg", jpeg_read, NULL, NULL, NULL, 0},
    {".jpeg", jpeg_read, NULL, NULL, NULL, 0},
    {".mat", NULL, NULL, mat_read, NULL, 0},
};

#define FORMAT_COUNT (sizeof formats / sizeof formats[0])

const char *format_path(lua_State *L, const char *who)
{
    size_t n;
    if (lua_type(L, 1) != LUA_TSTRING)
        binding_error(L, "%s: the path must be a string, got %s", who, luaL_typename(L, 1));
    const char *path = lua_tolstring(L, 1, &n);
    if (strlen(path) != n) binding_error(L, "%s: the path \"%s\" has a NUL byte inside", who, path);
    if (n == 0) binding_error(L, "%s: the path is empty", who);
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

const struct format *format_of(lua_State *L, const char *who, const char *path)
{
    const char *dot = strrchr(path, '.');
    for (size_t i = 0; dot && i < FORMAT_COUNT; i++)
        if (strcasecmp(dot, formats[i].extension) == 0) return &formats[i];
    binding_error(
        L, "%s: \"%s\" has no known extension; valid are \".npy\", \".npz\", \".safetensors\", \".png\"%s%s",
        who, path, strcmp(who, "load") == 0 ? ", \".jpg\", \".jpeg\", \".mat\"" : "",
        dot ? extension_hint(dot) : "");
    return NULL;
}

void format_check(lua_State *L, enum status status, const char *who, const char *verb, const char *path)
{
    if (status != STATUS_OK) status_prefix(status, "%s: cannot %s \"%.200s\"", who, verb, path);
    binding_check(L, status);
}

static int list_gc(lua_State *L)
{
    tensor_list_free(luaL_checkudata(L, 1, LIST_TYPE));
    return 0;
}

struct tensor_list *format_push_list(lua_State *L)
{
    struct tensor_list *list = lua_newuserdatauv(L, sizeof *list, 0);
    *list = (struct tensor_list){0};
    if (luaL_newmetatable(L, LIST_TYPE)) {
        lua_pushcfunction(L, list_gc);
        lua_setfield(L, -2, "__gc");
    }
    lua_setmetatable(L, -2);
    return list;
}

void format_push_key(lua_State *L, const char *part, size_t n)
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
