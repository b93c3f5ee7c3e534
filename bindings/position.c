/* Where in the user's code an error comes from, and which function of Tide they called there. */
#include <ctype.h>
#include <string.h>

#include "binding.h"

int is_library(lua_State *L, const char *source)
{
    int inside = 0;
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LIBRARY_ROOTS);
    for (lua_Integer i = 1; !inside && lua_rawgeti(L, -1, i) == LUA_TSTRING; i++) {
        const char *root = lua_tostring(L, -1);
        inside = source[0] == '@' && strncmp(source + 1, root, strlen(root)) == 0;
        lua_pop(L, 1);
    }
    lua_settop(L, inside ? -2 : -3);
    return inside;
}

/* The level of the innermost caller that is not part of the library; 0: there is none. */
static int user_level(lua_State *L, lua_Debug *frame)
{
    for (int level = 1; lua_getstack(L, level, frame); level++) {
        lua_getinfo(L, "Sl", frame);
        if (frame->currentline > 0 && !is_library(L, frame->source)) return level;
    }
    return 0;
}

void position_push(lua_State *L)
{
    lua_Debug frame;
    if (user_level(L, &frame))
        lua_pushfstring(L, "%s:%d: ", frame.short_src, frame.currentline);
    else
        lua_pushliteral(L, "");
}

/* The key of the function at `function` in the table on top, which stays; NULL: it is not there, or private.
 */
static const char *key_of(lua_State *L, int function)
{
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
        const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "_";
        if (key[0] == '_' || !lua_rawequal(L, -1, function)) continue;
        lua_pop(L, 2);
        return key;
    }
    return NULL;
}

/* Push the name by which users call the function on top, which goes: "tide.stack", "nn.linear"; or nothing.
 * last: what is behind the dot. */
static int push_name(lua_State *L, const char **last)
{
    int function = lua_gettop(L), found = 0;
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    if (lua_getfield(L, -1, "tide") == LUA_TTABLE) {
        if ((*last = key_of(L, function))) found = lua_pushfstring(L, "tide.%s", *last) != NULL;
        if (!found) lua_pushnil(L);
        while (!found && lua_next(L, function + 2)) {
            const char *module = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "_";
            int is_one = lua_type(L, -1) == LUA_TTABLE && module[0] != '_' && strcmp(module, "core") != 0;
            if (is_one && (*last = key_of(L, function)))
                found = lua_pushfstring(L, "%s.%s", module, *last) != NULL;
            else
                lua_pop(L, 1);
        }
    }
    if (found) lua_replace(L, function);
    lua_settop(L, found ? function : function - 1);
    return found;
}

static int is_letter(char c) { return isalnum((unsigned char)c) || c == '_'; }

/* Is the word in the text, and not as a part of a longer one? */
static int has_word(const char *text, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = text; (at = strstr(at, word)); at++)
        if ((at == text || !is_letter(at[-1])) && !is_letter(at[length])) return 1;
    return 0;
}

void caller_push(lua_State *L, const char *message)
{
    lua_Debug frame;
    const char *last;
    int level = user_level(L, &frame);
    luaL_checkstack(L, 12, NULL);
    while (--level >= 0 && lua_getstack(L, level, &frame)) {
        lua_getinfo(L, "f", &frame);
        if (!push_name(L, &last)) continue;
        int there = has_word(message, last);
        lua_pushstring(L, there ? "" : ": ");
        if (there) lua_remove(L, -2);
        if (!there) lua_concat(L, 2);
        return;
    }
    lua_pushliteral(L, "");
}
