/* format.h -- what saving and loading share: formats by extension, names and keys. */
#ifndef BINDINGS_FORMAT_H
#define BINDINGS_FORMAT_H

#include <lauxlib.h>
#include <lua.h>

#include "base/status.h"
#include "tensor/tensor.h"

struct tensor_list;

/* A file holds one tensor without a name, or a list. What has neither save_one nor save is only read. */
struct format {
    const char *extension;
    enum status (*read_one)(struct tensor **out, const unsigned char *bytes, size_t size, size_t limit);
    enum status (*save_one)(const char *path, const struct array *a);
    enum status (*read)(struct tensor_list *list, const unsigned char *bytes, size_t size, size_t limit);
    enum status (*save)(const char *path, const struct tensor_list *list);
    int texts_only; /* plain values are kept as texts: plain_value.h */
};

/* The path at argument 1 and its format; both raise an error of `who`. */
const char *format_path(lua_State *L, const char *who);
const struct format *format_of(lua_State *L, const char *who, const char *path);

/* Raise an error with file and function when status is not STATUS_OK. verb: "read" or "write". */
void format_check(lua_State *L, enum status status, const char *who, const char *verb, const char *path);

/* Push a list that Lua owns, so that an error of Lua cannot leak it. */
struct tensor_list *format_push_list(lua_State *L);

/* Push one part (n bytes) of a dotted name as the key that it stands for. */
void format_push_key(lua_State *L, const char *part, size_t n);

#endif
