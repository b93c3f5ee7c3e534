/* Walks over nested tables of tensors (models, states, arguments), for scripts/tide/base/tree.lua: a compiled
 * function makes three of them at each call.
 *
 * Every walk goes through a table's keys in one order: the array part first, then the other keys by type and
 * name. Tables are read as they are stored, whatever their metatables pretend. A walk holds the value it is
 * at on top of the Lua stack. */
#include <math.h>
#include <string.h>

#include "binding.h"
#include "keys.h"
#include "modules.h"
#include "value.h"

struct walk {
    lua_State *L;
    const void *meta; /* of tensors */
    int list;         /* stack index of the list of tensors */
    lua_Integer n;    /* tensors met so far */
    int float_only;
    uint64_t structure; /* tells the places of the tensors apart */
    int symbolic;       /* has a symbolic tensor been met? */
    struct text *text;  /* signature only */
};

static struct walk walk_start(lua_State *L, int list)
{
    luaL_getmetatable(L, TENSOR_TYPE);
    struct walk w = {.L = L, .meta = lua_topointer(L, -1), .list = list};
    lua_pop(L, 1);
    return w;
}

/* The tensor on top of the stack, whose type is `type`, or NULL. */
static struct value *tensor_at_top(const struct walk *w, int type)
{
    if (type != LUA_TUSERDATA || !lua_getmetatable(w->L, -1)) return NULL;
    const void *meta = lua_topointer(w->L, -1);
    lua_pop(w->L, 1);
    return meta == w->meta ? lua_touserdata(w->L, -1) : NULL;
}

static const struct array *open_spec(const struct walk *w, const struct value *v)
{
    if (!v->tensor && !v->tape) binding_error(w->L, "tensor is closed");
    return value_spec(v);
}

static void check_depth(lua_State *L, int depth)
{
    if (depth > MAX_NESTING)
        binding_error(L, "a table is nested more than %d deep (or contains itself)", MAX_NESTING);
    luaL_checkstack(L, KEYS_SLOTS, "nested tables");
}

/* ---- tensors ---- */

static uint64_t mixed(uint64_t place, const void *bytes, size_t n) /* FNV-1a */
{
    const unsigned char *p = bytes;
    for (size_t i = 0; i < n; i++) place = (place ^ p[i]) * UINT64_C(0x100000001b3);
    return place ^ place >> 29;
}

/* The place of what key i of a table leads to; of keys that are no text and no integer only that there is
 * one. */
static uint64_t below(uint64_t place, const struct keys *k, lua_Integer i)
{
    const struct key *key = i < k->array ? NULL : &k->order[i - k->array];
    if (key && key->kind == STRING_KEY) return mixed(place ^ key->length, key->text, key->length);
    lua_Integer whole = !key ? i + 1 : key->kind == NUMBER_KEY && key->whole ? key->is.i : 0;
    return mixed(place ^ 1, &whole, sizeof whole);
}

/* Push what the metatable of the table at index t says of its buffers, tensors that are no parameters: true
 * (all there is below), a table with their names as keys, or nil. */
static void push_buffers(const struct walk *w, int t)
{
    if (!w->float_only || !lua_getmetatable(w->L, t)) {
        lua_pushnil(w->L);
        return;
    }
    lua_getfield(w->L, -1, "__buffers");
    lua_remove(w->L, -2);
}

/* Is key i one of them? buffers: index of what was pushed. */
static int is_buffer(const struct walk *w, int buffers, const struct keys *k, lua_Integer i)
{
    lua_State *L = w->L;
    if (!lua_istable(L, buffers)) return lua_toboolean(L, buffers);
    keys_push(L, k, i);
    lua_rawget(L, buffers);
    int found = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return found;
}

static void collect(struct walk *w, int depth, uint64_t place)
{
    lua_State *L = w->L;
    int type = lua_type(L, -1);
    const struct value *v = tensor_at_top(w, type);
    if (v && (!w->float_only || dtype_is_float(open_spec(w, v)->dtype))) {
        w->structure = mixed(w->structure, &place, sizeof place);
        lua_pushvalue(L, -1);
        lua_rawseti(L, w->list, ++w->n);
    }
    if (type != LUA_TTABLE) return;
    struct keys k;
    int t = lua_gettop(L);
    check_depth(L, depth);
    push_buffers(w, t);
    keys_begin(L, t, &k);
    for (lua_Integer i = 0; i < k.array + k.n; i++) {
        if (is_buffer(w, t + 1, &k, i)) continue;
        keys_push_value(L, t, &k, i);
        collect(w, depth + 1, below(place, &k, i));
        lua_pop(L, 1);
    }
    keys_end(L, &k);
    lua_settop(L, t);
}

/* tree_tensors(t, float_only) -> list; float_only: float tensors that are no buffers */
static int tree_tensors(lua_State *L)
{
    lua_settop(L, 2);
    lua_newtable(L);
    struct walk w = walk_start(L, 3);
    w.float_only = flag_check(L, 2, "tree.tensors: float_only");
    lua_pushvalue(L, 1);
    collect(&w, 0, 0);
    lua_pop(L, 1);
    return 1;
}

/* tree_structure(t) -> list of its float tensors, an integer that tells the places of theirs apart from those
 * of another tree */
static int tree_structure(lua_State *L)
{
    lua_settop(L, 1);
    lua_newtable(L);
    struct walk w = walk_start(L, 2);
    w.float_only = 1;
    lua_pushvalue(L, 1);
    collect(&w, 0, 0);
    lua_pop(L, 1);
    lua_pushinteger(L, (lua_Integer)w.structure);
    return 2;
}

/* ---- replace ---- */

/* The table at index t, which is on top, becomes what its metatable's __snapshot makes of it, if there is
 * one: what changes with each run is read now. Otherwise leaves the metatable, or nil, on the stack. */
static int snapshot(lua_State *L, int t)
{
    if (!lua_getmetatable(L, t)) {
        lua_pushnil(L);
        return 0;
    }
    lua_getfield(L, -1, "__snapshot");
    int is_one = lua_toboolean(L, -1);
    if (is_one) {
        lua_pushvalue(L, t);
        lua_call(L, 1, 1);
        lua_replace(L, t);
    }
    lua_settop(L, is_one ? t : t + 1);
    return is_one;
}

static void take_replacement(struct walk *w)
{
    if (!lua_istable(w->L, w->list))
        binding_error(w->L, "tree.replace: expected a list of tensors, got %s", luaL_typename(w->L, w->list));
    lua_geti(w->L, w->list, ++w->n);
    lua_replace(w->L, -2);
}

/* The value on top of the stack becomes its copy. */
static void rebuild(struct walk *w, int depth)
{
    lua_State *L = w->L;
    int type = lua_type(L, -1);
    const struct value *v = tensor_at_top(w, type);
    if (v && (!w->float_only || dtype_is_float(open_spec(w, v)->dtype)))
        take_replacement(w);
    else if (type == LUA_TTABLE) {
        struct keys k;
        int t = lua_gettop(L);
        check_depth(L, depth);
        if (snapshot(L, t)) return;
        push_buffers(w, t);
        keys_begin(L, t, &k);
        lua_createtable(L, (int)(k.array < INT32_MAX ? k.array : INT32_MAX), k.n);
        int out = lua_gettop(L);
        for (lua_Integer i = 0; i < k.array + k.n; i++) {
            if (i >= k.array) keys_push(L, &k, i);
            keys_push_value(L, t, &k, i);
            if (!is_buffer(w, t + 2, &k, i)) rebuild(w, depth + 1);
            if (i < k.array)
                lua_rawseti(L, out, i + 1);
            else
                lua_rawset(L, out);
        }
        lua_pushvalue(L, t + 1);
        lua_setmetatable(L, out);
        lua_copy(L, out, t);
        lua_settop(L, t);
    }
}

/* tree_replace(t, list, float_only) -> copy */
static int tree_replace(lua_State *L)
{
    lua_settop(L, 3);
    struct walk w = walk_start(L, 2);
    w.float_only = flag_check(L, 3, "tree.replace: float_only");
    lua_pushvalue(L, 1);
    rebuild(&w, 0);
    return 1;
}

/* ---- signature ----
 *
 * Each part tells where it ends, so that no two structures can have the same text: strings come with their
 * length, numbers and extents end in a semicolon, floats and addresses have 16 digits. */
struct text {
    char *data;
    size_t n, size;
    int index; /* stack index for the block, when `first` is too small */
    char first[2048];
};

static void put(struct walk *w, const void *bytes, size_t n)
{
    struct text *t = w->text;
    if (n > t->size - t->n) {
        size_t size = 2 * t->size + n;
        char *data = lua_newuserdatauv(w->L, size, 0);
        memcpy(data, t->data, t->n);
        t->data = data;
        t->size = size;
        lua_replace(w->L, t->index);
    }
    memcpy(t->data + t->n, bytes, n);
    t->n += n;
}

static void put_char(struct walk *w, char c) { put(w, &c, 1); }

static void put_integer(struct walk *w, lua_Integer i, char end)
{
    char digits[24], *p = digits + sizeof digits;
    lua_Unsigned rest = i < 0 ? 0 - (lua_Unsigned)i : (lua_Unsigned)i;
    *--p = end;
    do *--p = (char)('0' + rest % 10);
    while (rest /= 10);
    if (i < 0) *--p = '-';
    put(w, p, (size_t)(digits + sizeof digits - p));
}

static void put_bits(struct walk *w, char tag, uint64_t bits)
{
    char digits[17];
    digits[0] = tag;
    for (int i = 16; i > 0; i--, bits >>= 4) digits[i] = "0123456789abcdef"[bits & 15];
    put(w, digits, sizeof digits);
}

static void put_string(struct walk *w, char tag, const char *s, size_t n)
{
    put_char(w, tag);
    put_integer(w, (lua_Integer)n, ':');
    put(w, s, n);
}

static void put_float(struct walk *w, double f)
{
    uint64_t bits = UINT64_C(0x7ff8) << 48; /* one NaN stands for all */
    if (!isnan(f)) memcpy(&bits, &f, sizeof bits);
    put_bits(w, 'f', bits);
}

/* The key or leaf on top of the stack, no tensor. What Lua compares by identity is told by its address: who
 * keeps a signature keeps what it was made of as well. A userdata that is a leaf may be a number of another
 * library: it is told by what tostring gives. */
static void put_atom(struct walk *w, int is_key)
{
    lua_State *L = w->L;
    size_t n;
    int type = lua_type(L, -1);
    if (type == LUA_TNIL)
        put_char(w, 'n');
    else if (type == LUA_TBOOLEAN)
        put_char(w, lua_toboolean(L, -1) ? '+' : '-');
    else if (type == LUA_TSTRING) {
        const char *s = lua_tolstring(L, -1, &n);
        put_string(w, 's', s, n);
    } else if (lua_isinteger(L, -1)) {
        put_char(w, 'i');
        put_integer(w, lua_tointeger(L, -1), ';');
    } else if (type == LUA_TNUMBER)
        put_float(w, lua_tonumber(L, -1));
    else if (type == LUA_TUSERDATA && !is_key) {
        const char *s = luaL_tolstring(L, -1, &n);
        put_string(w, 'u', s, n);
        lua_pop(L, 1);
    } else {
        put_char(w, (char)('A' + type));
        put_bits(w, '@', (uint64_t)(uintptr_t)lua_topointer(L, -1));
    }
}

static void put_key(struct walk *w, const struct keys *k, lua_Integer i)
{
    const struct key *key = i < k->array ? NULL : &k->order[i - k->array];
    if (key && key->kind == STRING_KEY) {
        put_string(w, 's', key->text, key->length);
        return;
    }
    keys_push(w->L, k, i);
    put_atom(w, 1);
    lua_pop(w->L, 1);
}

static void put_tensor(struct walk *w, const struct value *v)
{
    const struct array *a = open_spec(w, v);
    char head[3] = {'t', (char)('0' + a->dtype), (char)('0' + a->rank)};
    put(w, head, sizeof head);
    for (int i = 0; i < a->rank; i++) put_integer(w, a->shape[i], ';');
    w->symbolic |= v->tape != NULL;
    lua_pushvalue(w->L, -1);
    lua_rawseti(w->L, w->list, ++w->n);
}

static void describe(struct walk *w, int depth)
{
    lua_State *L = w->L;
    int type = lua_type(L, -1);
    const struct value *v = tensor_at_top(w, type);
    if (v)
        put_tensor(w, v);
    else if (type != LUA_TTABLE)
        put_atom(w, 0);
    else {
        struct keys k;
        int t = lua_gettop(L);
        check_depth(L, depth);
        put_char(w, '{');
        if (lua_getmetatable(L, t)) {
            put_bits(w, 'm', (uint64_t)(uintptr_t)lua_topointer(L, -1));
            lua_pop(L, 1);
        }
        keys_begin(L, t, &k);
        for (lua_Integer i = 0; i < k.array + k.n; i++) {
            put_key(w, &k, i);
            keys_push_value(L, t, &k, i);
            describe(w, depth + 1);
            lua_pop(L, 1);
        }
        keys_end(L, &k);
        put_char(w, '}');
    }
}

/* tree_signature(t, list) -> string, is any tensor symbolic? The tensors are appended to the list. */
static int tree_signature(lua_State *L)
{
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 2);
    lua_pushnil(L);
    struct text text = {.n = 0, .size = sizeof text.first, .index = 3};
    text.data = text.first;
    struct walk w = walk_start(L, 2);
    w.text = &text;
    w.n = (lua_Integer)lua_rawlen(L, 2);
    lua_pushvalue(L, 1);
    describe(&w, 0);
    lua_pushlstring(L, text.data, text.n);
    lua_pushboolean(L, w.symbolic);
    return 2;
}

static const luaL_Reg functions[] = {{"tree_keys", tree_keys},           {"tree_tensors", tree_tensors},
                                     {"tree_structure", tree_structure}, {"tree_replace", tree_replace},
                                     {"tree_signature", tree_signature}, {NULL, NULL}};

void open_tree(lua_State *L) { luaL_setfuncs(L, functions, 0); }
