/* keys.h -- the keys of a Lua table in one order: the array part first, then the other keys by type and
 * name. */
#ifndef BINDINGS_KEYS_H
#define BINDINGS_KEYS_H

#include <lauxlib.h>
#include <lua.h>

#define FEW_KEYS 24 /* held on the Lua stack with their values; more of them in a table */
#define KEYS_SLOTS                                                                                           \
    (3 * FEW_KEYS + 16) /* of the Lua stack that keys_begin takes, with some for what comes above; the       \
                           caller asks for them */

enum key_kind {
    BOOLEAN_KEY,
    FUNCTION_KEY,
    NUMBER_KEY,
    STRING_KEY,
    TABLE_KEY,
    THREAD_KEY,
    USERDATA_KEY
}; /* as their names are sorted */

struct key {
    enum key_kind kind;
    int at;    /* place among the collected keys, from 1 */
    int whole; /* is the number an integer? */
    union {
        lua_Integer i; /* of an integer or a boolean */
        lua_Number f;
        const void *address; /* of those that have no name, so that there is an order in any case */
    } is;
    const char *text; /* of a string; of others what tostring gives */
    size_t length;
};

struct keys {
    lua_Integer array; /* 1..array come first */
    int n;             /* other keys */
    int base;          /* stack index below everything here */
    int held; /* stack index of the table that holds many keys; 0 when few lie on the stack, each below its
                 value */
    struct key *order, few[FEW_KEYS];
};

/* The ordered keys of the table at index t (absolute), which is read as it is stored. They lie above what is
 * on the stack now, until keys_end; until then what they refer to stays alive. */
void keys_begin(lua_State *L, int t, struct keys *k);
void keys_end(lua_State *L, const struct keys *k);

/* Push key i, counted from 0: the array part, then the others. */
void keys_push(lua_State *L, const struct keys *k, lua_Integer i);

/* Push the value of key i of the table at index t. */
void keys_push_value(lua_State *L, int t, const struct keys *k, lua_Integer i);

/* tree_keys(table) -> list of its keys, in order */
int tree_keys(lua_State *L);

#endif
