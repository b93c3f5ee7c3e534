/* Walks over nested tables of tensors: what a compiled function does with its arguments and results at each call. scripts/tide/tree.lua has
 * the rest. Order: the array part first, then other keys by type and name. Tables are read and written raw: their metatables are kept, but
 * not asked. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "binding.h"

#define MAX_DEPTH 100
#define SCRATCH_TYPE "tide.Scratch"

static void check_depth(lua_State *L, int depth)
{
    if (depth > MAX_DEPTH) binding_error(L, "a table is nested more than %d deep (or contains itself)", MAX_DEPTH);
    luaL_checkstack(L, 8, "nested tables");
}

/* ---- order of keys ---- */

struct key {
    int at; /* place on the Lua stack */
    int type;
    lua_Number number;
    const char *text; /* of strings: lives while the key is on the stack */
    size_t length;
    const void *address;
};

static int compare_text(const struct key *a, const struct key *b)
{
    size_t n = a->length < b->length ? a->length : b->length;
    int order = n > 0 ? memcmp(a->text, b->text, n) : 0;
    return order ? order : (a->length > b->length) - (a->length < b->length);
}

static int compare(const void *first, const void *second)
{
    const struct key *a = first, *b = second;
    if (a->type != b->type) return a->type - b->type;
    if (a->type == LUA_TSTRING) return compare_text(a, b);
    if (a->type == LUA_TNUMBER || a->type == LUA_TBOOLEAN) return (a->number > b->number) - (a->number < b->number);
    return ((uintptr_t)a->address > (uintptr_t)b->address) - ((uintptr_t)a->address < (uintptr_t)b->address);
}

static struct key describe_key(lua_State *L, int at)
{
    struct key key = {.at = at, .type = lua_type(L, at)};
    if (key.type == LUA_TSTRING) key.text = lua_tolstring(L, at, &key.length);
    else if (key.type == LUA_TNUMBER) key.number = lua_tonumber(L, at);
    else if (key.type == LUA_TBOOLEAN) key.number = lua_toboolean(L, at);
    else key.address = lua_topointer(L, at);
    return key;
}

static void sort_few(struct key *keys, int n)
{
    for (int i = 1; i < n; i++) {
        struct key key = keys[i];
        int j = i;
        for (; j > 0 && compare(&keys[j - 1], &key) > 0; j--) keys[j] = keys[j - 1];
        keys[j] = key;
    }
}

#define FEW_KEYS 16

/* The keys of the table at `t` outside its array part of n elements, pushed in order; returns how many. */
static int push_keys(lua_State *L, int t, lua_Integer n)
{
    int first = lua_gettop(L) + 1, count = 0;
    lua_pushnil(L);
    while (lua_next(L, t)) {
        lua_pop(L, 1);
        if (lua_isinteger(L, -1)) {
            lua_Integer i = lua_tointeger(L, -1);
            if (i >= 1 && i <= n) continue;
        }
        luaL_checkstack(L, 4, "a table with very many keys");
        lua_pushvalue(L, -1); /* the lower one stays, the upper one goes on */
        count++;
    }
    if (count < 2) return count;
    struct key few[FEW_KEYS], *keys = few;
    if (count > FEW_KEYS) keys = lua_newuserdatauv(L, (size_t)count * sizeof *keys, 0);
    for (int i = 0; i < count; i++) keys[i] = describe_key(L, first + i);
    if (count > FEW_KEYS) qsort(keys, (size_t)count, sizeof *keys, compare);
    else sort_few(keys, count);
    int sorted = 1;
    for (int i = 0; i < count; i++) sorted = sorted && keys[i].at == first + i;
    if (!sorted) {
        luaL_checkstack(L, count + 4, "a table with very many keys");
        int top = lua_gettop(L);
        for (int i = 0; i < count; i++) lua_pushvalue(L, keys[i].at);
        for (int i = count - 1; i >= 0; i--) lua_replace(L, first + i);
        lua_settop(L, top);
    }
    lua_settop(L, first + count - 1);
    return count;
}

/* keys(t) -> list of all keys, in order */
static int keys(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    lua_Integer n = (lua_Integer)lua_rawlen(L, 1);
    int count = push_keys(L, 1, n);
    lua_createtable(L, (int)n + count, 0);
    for (lua_Integer i = 1; i <= n; i++) {
        lua_pushinteger(L, i);
        lua_rawseti(L, -2, i);
    }
    for (int i = 0; i < count; i++) {
        lua_pushvalue(L, 2 + i);
        lua_rawseti(L, -2, n + 1 + i);
    }
    return 1;
}

static struct value *tensor_at(lua_State *L, int at)
{
    if (lua_type(L, at) != LUA_TUSERDATA) return NULL;
    struct value *v = value_test(L, at);
    return v ? value_check(L, at) : NULL; /* a closed one is an error */
}

/* ---- signature ---- */

/* Bytes collected in memory of the module, so that nothing is allocated once it is large enough. */
struct scratch {
    char *data;
    size_t length, capacity;
};

static int scratch_collect(lua_State *L)
{
    struct scratch *s = luaL_checkudata(L, 1, SCRATCH_TYPE);
    memory_free(s->data);
    s->data = NULL;
    return 0;
}

static void add(lua_State *L, struct scratch *s, const void *bytes, size_t n)
{
    if (s->length + n > s->capacity) {
        size_t capacity = 2 * (s->length + n) + 1024;
        char *fresh = memory_realloc(s->data, capacity);
        if (!fresh) binding_check(L, memory_status());
        s->data = fresh;
        s->capacity = capacity;
    }
    memcpy(s->data + s->length, bytes, n);
    s->length += n;
}

static void add_tag(lua_State *L, struct scratch *s, char tag) { add(L, s, &tag, 1); }

/* Each value begins with a tag and has a length that its tag or a count tells, so that no two structures give the same bytes. */
static void add_atom(lua_State *L, struct scratch *s, int at)
{
    size_t length;
    const char *text;
    const void *address;
    lua_Integer integer;
    lua_Number number;
    switch (lua_type(L, at)) {
    case LUA_TSTRING:
        text = lua_tolstring(L, at, &length);
        add_tag(L, s, 's');
        add(L, s, &length, sizeof length);
        add(L, s, text, length);
        break;
    case LUA_TNUMBER:
        add_tag(L, s, lua_isinteger(L, at) ? 'i' : 'f');
        integer = lua_tointeger(L, at);
        number = lua_tonumber(L, at);
        if (lua_isinteger(L, at)) add(L, s, &integer, sizeof integer);
        else add(L, s, &number, sizeof number);
        break;
    case LUA_TNIL: add_tag(L, s, 'n'); break;
    case LUA_TBOOLEAN: add_tag(L, s, lua_toboolean(L, at) ? 't' : 'u'); break;
    default:
        address = lua_topointer(L, at);
        add_tag(L, s, 'p');
        add(L, s, &address, sizeof address);
    }
}

static void add_tensor(lua_State *L, struct scratch *s, const struct array *a)
{
    char head[3] = {'x', (char)a->dtype, (char)a->rank};
    add(L, s, head, sizeof head);
    add(L, s, a->shape, (size_t)a->rank * sizeof *a->shape);
}

struct walk {
    struct scratch *scratch;
    int list, count, symbolic, float_only; /* list: stack index of the list of tensors */
};

static void sign(lua_State *L, struct walk *w, int at, int depth)
{
    struct value *v = tensor_at(L, at);
    if (v) {
        add_tensor(L, w->scratch, value_spec(v));
        w->symbolic |= v->tensor == NULL;
        lua_pushvalue(L, at);
        lua_rawseti(L, w->list, ++w->count);
        return;
    }
    if (lua_type(L, at) != LUA_TTABLE) {
        add_atom(L, w->scratch, at);
        return;
    }
    check_depth(L, depth);
    int top = lua_gettop(L);
    add_tag(L, w->scratch, '{');
    if (lua_getmetatable(L, at)) add_atom(L, w->scratch, -1);
    lua_settop(L, top);
    lua_Integer n = (lua_Integer)lua_rawlen(L, at);
    add(L, w->scratch, &n, sizeof n);
    for (lua_Integer i = 1; i <= n; i++) {
        lua_rawgeti(L, at, i);
        sign(L, w, top + 1, depth + 1);
        lua_settop(L, top);
    }
    int count = push_keys(L, at, n);
    for (int i = 1; i <= count; i++) {
        add_atom(L, w->scratch, top + i);
        lua_pushvalue(L, top + i);
        lua_rawget(L, at);
        sign(L, w, top + count + 1, depth + 1);
        lua_settop(L, top + count);
    }
    lua_settop(L, top);
    add_tag(L, w->scratch, '}');
}

/* signature(t, list) -> bytes that tell the structure of t apart, whether a tensor is symbolic; the tensors are appended to list */
static int signature(lua_State *L)
{
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 2);
    struct scratch *s = lua_touserdata(L, lua_upvalueindex(1));
    s->length = 0;
    struct walk w = {.scratch = s, .list = 2, .count = (int)lua_rawlen(L, 2)};
    sign(L, &w, 1, 0);
    lua_pushlstring(L, s->data, s->length);
    lua_pushboolean(L, w.symbolic);
    return 2;
}

/* ---- tensors ---- */

static int wanted(const struct value *v, int float_only) { return !float_only || dtype_is_float(value_spec(v)->dtype); }

static void collect(lua_State *L, struct walk *w, int at, int depth)
{
    struct value *v = tensor_at(L, at);
    if (v && wanted(v, w->float_only)) {
        lua_pushvalue(L, at);
        lua_rawseti(L, w->list, ++w->count);
    }
    if (v || lua_type(L, at) != LUA_TTABLE) return;
    check_depth(L, depth);
    int top = lua_gettop(L);
    lua_Integer n = (lua_Integer)lua_rawlen(L, at);
    for (lua_Integer i = 1; i <= n; i++) {
        lua_rawgeti(L, at, i);
        collect(L, w, top + 1, depth + 1);
        lua_settop(L, top);
    }
    int count = push_keys(L, at, n);
    for (int i = 1; i <= count; i++) {
        lua_pushvalue(L, top + i);
        lua_rawget(L, at);
        collect(L, w, top + count + 1, depth + 1);
        lua_settop(L, top + count);
    }
    lua_settop(L, top);
}

/* tensors(t, float_only) -> list of the tensors of t, in order; float_only: those that can have a gradient */
static int tensors(lua_State *L)
{
    lua_settop(L, 2);
    struct walk w = {.list = 3, .float_only = lua_toboolean(L, 2)};
    lua_newtable(L);
    collect(L, &w, 1, 0);
    return 1;
}

/* ---- replace ---- */

/* Push the copy of the value at `at`. */
static void rebuild(lua_State *L, struct walk *w, int at, int depth)
{
    struct value *v = tensor_at(L, at);
    if (v && wanted(v, w->float_only)) {
        lua_rawgeti(L, w->list, ++w->count);
        return;
    }
    if (v || lua_type(L, at) != LUA_TTABLE) {
        lua_pushvalue(L, at);
        return;
    }
    check_depth(L, depth);
    if (luaL_getmetafield(L, at, "__snapshot") != LUA_TNIL) { /* what changes with each run is read now */
        lua_pushvalue(L, at);
        lua_call(L, 1, 1);
        return;
    }
    lua_Integer n = (lua_Integer)lua_rawlen(L, at);
    int out = lua_gettop(L) + 1;
    lua_createtable(L, (int)n, 0);
    for (lua_Integer i = 1; i <= n; i++) {
        lua_rawgeti(L, at, i);
        rebuild(L, w, out + 1, depth + 1);
        lua_rawseti(L, out, i);
        lua_settop(L, out);
    }
    int count = push_keys(L, at, n);
    for (int i = 1; i <= count; i++) {
        lua_pushvalue(L, out + i);
        lua_pushvalue(L, out + i);
        lua_rawget(L, at);
        rebuild(L, w, out + count + 2, depth + 1);
        lua_remove(L, out + count + 2);
        lua_rawset(L, out);
    }
    lua_settop(L, out);
    if (lua_getmetatable(L, at)) lua_setmetatable(L, out);
}

/* replace(t, list, float_only) -> a copy of t with its tensors (or its float tensors) replaced by those of list, in order */
static int replace(lua_State *L)
{
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 3);
    struct walk w = {.list = 2, .float_only = lua_toboolean(L, 3)};
    rebuild(L, &w, 1, 0);
    return 1;
}

void open_tree(lua_State *L)
{
    static const luaL_Reg functions[] = {{"tree_keys", keys}, {"tree_tensors", tensors}, {"tree_replace", replace}, {NULL, NULL}};
    luaL_setfuncs(L, functions, 0);
    struct scratch *s = lua_newuserdatauv(L, sizeof *s, 0);
    *s = (struct scratch){0};
    luaL_newmetatable(L, SCRATCH_TYPE);
    lua_pushcfunction(L, scratch_collect);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    lua_pushcclosure(L, signature, 1);
    lua_setfield(L, -2, "tree_signature");
}
