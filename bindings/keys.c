/* The order of a table's keys. Few keys, the usual case, are sorted where they lie on the stack; nothing is
 * allocated then. */
#include "keys.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "binding.h"

static int compare_integers(lua_Integer a, lua_Integer b) { return a < b ? -1 : a > b; }

/* A key that is a float is no whole number that an integer can hold: Lua would have made it one. */
static int compare_mixed(lua_Integer i, lua_Number f)
{
    if (f >= 0x1p63) return -1;
    if (f < -0x1p63) return 1;
    return i <= (lua_Integer)floor(f) ? -1 : 1;
}

static int compare_numbers(const struct key *a, const struct key *b)
{
    if (a->whole && b->whole) return compare_integers(a->is.i, b->is.i);
    if (a->whole) return compare_mixed(a->is.i, b->is.f);
    if (b->whole) return -compare_mixed(b->is.i, a->is.f);
    return a->is.f < b->is.f ? -1 : a->is.f > b->is.f;
}

static int compare_texts(const struct key *a, const struct key *b)
{
    int order = memcmp(a->text, b->text, a->length < b->length ? a->length : b->length);
    if (order != 0) return order;
    return a->length < b->length ? -1 : a->length > b->length;
}

static int compare_keys(const void *pa, const void *pb)
{
    const struct key *a = pa, *b = pb;
    if (a->kind != b->kind) return a->kind < b->kind ? -1 : 1;
    if (a->kind == BOOLEAN_KEY) return compare_integers(a->is.i, b->is.i);
    if (a->kind == NUMBER_KEY) return compare_numbers(a, b);
    int order = compare_texts(a, b);
    if (order != 0 || a->kind == STRING_KEY) return order;
    uintptr_t first = (uintptr_t)a->is.address, second = (uintptr_t)b->is.address;
    return first < second ? -1 : first > second;
}

static void sort_keys(struct key *k, int n)
{
    if (n > FEW_KEYS) {
        qsort(k, (size_t)n, sizeof *k, compare_keys);
        return;
    }
    for (int i = 1; i < n; i++) {
        struct key moving = k[i];
        int j = i;
        for (; j > 0 && compare_keys(&moving, &k[j - 1]) < 0; j--) k[j] = k[j - 1];
        k[j] = moving;
    }
}

/* What the key at stack index `at` is; a key without a name of its own has no text yet. */
static void read_key(lua_State *L, int at, struct key *key)
{
    static const enum key_kind kinds[] = {[LUA_TBOOLEAN] = BOOLEAN_KEY,   [LUA_TLIGHTUSERDATA] = USERDATA_KEY,
                                          [LUA_TNUMBER] = NUMBER_KEY,     [LUA_TSTRING] = STRING_KEY,
                                          [LUA_TTABLE] = TABLE_KEY,       [LUA_TFUNCTION] = FUNCTION_KEY,
                                          [LUA_TUSERDATA] = USERDATA_KEY, [LUA_TTHREAD] = THREAD_KEY};
    key->kind = kinds[lua_type(L, at)];
    key->text = NULL;
    if (key->kind == STRING_KEY)
        key->text = lua_tolstring(L, at, &key->length);
    else if (key->kind == BOOLEAN_KEY)
        key->is.i = lua_toboolean(L, at);
    else if (key->kind != NUMBER_KEY)
        key->is.address = lua_topointer(L, at);
    else if ((key->whole = lua_isinteger(L, at)))
        key->is.i = lua_tointeger(L, at);
    else
        key->is.f = lua_tonumber(L, at);
}

static int needs_name(const struct key *key)
{
    return !key->text && key->kind != NUMBER_KEY && key->kind != BOOLEAN_KEY;
}

static int is_array_key(lua_State *L, const struct keys *k, int at)
{
    return k->array > 0 && lua_isinteger(L, at) &&
           (lua_Unsigned)lua_tointeger(L, at) - 1 < (lua_Unsigned)k->array;
}

/* The keys of the table at index t that are not of its array part, with their values, on the stack; 0 when
 * there are too many. */
static int collect_few(lua_State *L, int t, struct keys *k)
{
    lua_pushnil(L);
    while (lua_next(L, t)) {
        if (is_array_key(L, k, -2)) {
            lua_pop(L, 1);
            continue;
        }
        if (k->n == FEW_KEYS) {
            lua_settop(L, k->base);
            return 0;
        }
        read_key(L, -2, &k->few[k->n]);
        k->few[k->n].at = k->n + 1;
        k->n++;
        lua_pushvalue(L, -2); /* for lua_next */
    }
    for (int i = 0; i < k->n; i++)
        if (needs_name(&k->few[i]))
            k->few[i].text = luaL_tolstring(L, k->base + 2 * i + 1, &k->few[i].length);
    return 1;
}

static int count_keys(lua_State *L, int t, const struct keys *k)
{
    int n = 0;
    for (lua_pushnil(L); lua_next(L, t); lua_pop(L, 1)) {
        n += !is_array_key(L, k, -2);
        if (n > INT32_MAX / 2) binding_error(L, "a table has more than %d keys", n - 1);
    }
    return n;
}

/* The same when they are many: a table holds them, and after them the names that tostring made. */
static void collect_many(lua_State *L, int t, struct keys *k)
{
    int n = count_keys(L, t, k), named = 0;
    lua_createtable(L, n, 0);
    k->held = lua_gettop(L);
    k->order = lua_newuserdatauv(L, (size_t)n * sizeof *k->order, 0);
    k->n = 0;
    for (lua_pushnil(L); k->n < n && lua_next(L, t);) {
        lua_pop(L, 1);
        if (is_array_key(L, k, -1)) continue;
        lua_pushvalue(L, -1);
        lua_rawseti(L, k->held, ++k->n);
    }
    lua_settop(L, k->held + 1);
    for (int i = 0; i < k->n; i++) {
        struct key *key = &k->order[i];
        lua_rawgeti(L, k->held, i + 1);
        read_key(L, -1, key);
        key->at = i + 1;
        if (needs_name(key)) {
            key->text = luaL_tolstring(L, -1, &key->length);
            lua_rawseti(L, k->held, n + ++named);
        }
        lua_pop(L, 1);
    }
}

void keys_begin(lua_State *L, int t, struct keys *k)
{
    k->array = (lua_Integer)lua_rawlen(L, t);
    k->n = k->held = 0;
    k->base = lua_gettop(L);
    k->order = k->few;
    if (!collect_few(L, t, k)) collect_many(L, t, k);
    sort_keys(k->order, k->n);
}

void keys_end(lua_State *L, const struct keys *k) { lua_settop(L, k->base); }

void keys_push(lua_State *L, const struct keys *k, lua_Integer i)
{
    if (i < k->array)
        lua_pushinteger(L, i + 1);
    else if (k->held)
        lua_rawgeti(L, k->held, k->order[i - k->array].at);
    else
        lua_pushvalue(L, k->base + 2 * k->order[i - k->array].at - 1);
}

void keys_push_value(lua_State *L, int t, const struct keys *k, lua_Integer i)
{
    if (i < k->array) {
        lua_rawgeti(L, t, i + 1);
    } else if (k->held) {
        lua_rawgeti(L, k->held, k->order[i - k->array].at);
        lua_rawget(L, t);
    } else {
        lua_pushvalue(L, k->base + 2 * k->order[i - k->array].at);
    }
}

int tree_keys(lua_State *L)
{
    struct keys k;
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    lua_newtable(L);
    luaL_checkstack(L, KEYS_SLOTS, "keys");
    keys_begin(L, 1, &k);
    for (lua_Integer i = 0; i < k.array + k.n; i++) {
        keys_push(L, &k, i);
        lua_rawseti(L, 2, i + 1);
    }
    keys_end(L, &k);
    return 1;
}
