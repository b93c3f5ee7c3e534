/* plain_value.c -- see plain_value.h. */
#include "plain_value.h"

#include <lauxlib.h>
#include <math.h>
#include <string.h>

#include "io/decimal.h"
#include "io/text.h"

int plain_value_is(lua_State *L, int index)
{
    int type = lua_type(L, index);
    return type == LUA_TNUMBER || type == LUA_TSTRING || type == LUA_TBOOLEAN;
}

/* ---- values as texts ---- */

/* Push a float with as many digits as it needs and a point. */
static void push_float_text(lua_State *L, double v)
{
    char text[DECIMAL_TEXT + 2];
    if (!isfinite(v)) {
        lua_pushstring(L, isnan(v) ? "nan" : v > 0 ? "inf" : "-inf");
        return;
    }
    int n = decimal_shortest(v, text);
    if (!strpbrk(text, ".e")) { /* an integer would come back */
        memcpy(text + n, ".0", 2);
        n += 2;
    }
    lua_pushlstring(L, text, (size_t)n);
}

int plain_value_number_text(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TNUMBER);
    if (lua_isinteger(L, 1))
        lua_pushfstring(L, "%I", (LUAI_UACINT)lua_tointeger(L, 1));
    else
        push_float_text(L, lua_tonumber(L, 1));
    return 1;
}

/* Push the text of the value at `index`; of a string the string itself. */
static void push_text(lua_State *L, int index)
{
    if (lua_isinteger(L, index))
        lua_pushfstring(L, "%I", (LUAI_UACINT)lua_tointeger(L, index));
    else if (lua_type(L, index) == LUA_TNUMBER)
        push_float_text(L, lua_tonumber(L, index));
    else if (lua_isboolean(L, index))
        lua_pushstring(L, lua_toboolean(L, index) ? "true" : "false");
    else
        lua_pushvalue(L, index);
}

/* Push the number that a text is in the very form that push_text gives it; 0 when it is none. */
static int push_number_of(lua_State *L, const char *text, size_t n)
{
    int top = lua_gettop(L);
    if (strcmp(text, "nan") == 0 || strcmp(text, "inf") == 0 || strcmp(text, "-inf") == 0) {
        lua_pushnumber(L, *text == 'n' ? (lua_Number)NAN : *text == '-' ? -HUGE_VAL : HUGE_VAL);
        return 1;
    }
    if (n == 0 || n > 40 || !strchr("-0123456789", *text) || lua_stringtonumber(L, text) != n + 1) return 0;
    push_text(L, top + 1);
    int same = strcmp(lua_tostring(L, -1), text) == 0;
    lua_settop(L, same ? top + 1 : top);
    return same;
}

/* Push the value that a text stands for. */
static void push_value_of(lua_State *L, const char *text, size_t n)
{
    if (n >= 2 && text[0] == '"' && text[n - 1] == '"')
        lua_pushlstring(L, text + 1, n - 2);
    else if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)
        lua_pushboolean(L, *text == 't');
    else if (strlen(text) != n || !push_number_of(L, text, n))
        lua_pushlstring(L, text, n);
}

/* Push the text from which push_value_of makes the value at `index`. */
static void push_safe_text(lua_State *L, int index)
{
    size_t n;
    push_text(L, index);
    if (lua_type(L, index) != LUA_TSTRING) return;
    const char *text = lua_tolstring(L, index, &n);
    push_value_of(L, text, n);
    int same = lua_rawequal(L, -1, index);
    lua_pop(L, 1);
    if (same && *text != '"') return;
    lua_pop(L, 1);
    lua_pushliteral(L, "\"");
    lua_pushvalue(L, index);
    lua_pushliteral(L, "\"");
    lua_concat(L, 3);
}

/* ---- entries ---- */

static enum status new_scalar(lua_State *L, int index, struct tensor **out)
{
    enum dtype dtype = lua_isboolean(L, index) ? UINT8 : lua_isinteger(L, index) ? INT64 : FLOAT64;
    TRY(tensor_new(out, dtype, 0, NULL));
    if (dtype == UINT8)
        *(uint8_t *)(*out)->array.data = (uint8_t)lua_toboolean(L, index);
    else if (dtype == INT64)
        *(int64_t *)(*out)->array.data = lua_tointeger(L, index);
    else
        *(double *)(*out)->array.data = lua_tonumber(L, index);
    return STATUS_OK;
}

enum status plain_value_add(lua_State *L, int index, struct tensor_list *list, const char *name,
                            int texts_only)
{
    struct tensor *t = NULL;
    enum entry_kind kind = ENTRY_TEXT;
    if (texts_only || lua_type(L, index) == LUA_TSTRING) {
        size_t n;
        if (texts_only) push_safe_text(L, index);
        const char *text = lua_tolstring(L, texts_only ? -1 : index, &n);
        enum status status = text_check((const unsigned char *)text, n);
        if (status == STATUS_OK) status = text_new(&t, text, n);
        if (texts_only) lua_pop(L, 1);
        TRY(status);
    } else {
        kind = lua_isboolean(L, index) ? ENTRY_BOOLEAN : ENTRY_NUMBER;
        TRY(new_scalar(L, index, &t));
    }
    enum status status = tensor_list_add_kind(list, name, strlen(name), t, kind);
    if (status != STATUS_OK) tensor_release(t);
    return status;
}

void plain_value_push(lua_State *L, const struct tensor_list *list, int i, int texts_only)
{
    const struct array *a = &list->tensors[i]->array;
    if (list->kinds[i] == ENTRY_TEXT) {
        lua_pushlstring(L, a->data, array_bytes(a)); /* with a NUL behind it */
        if (!texts_only) return;
        size_t n;
        const char *text = lua_tolstring(L, -1, &n);
        push_value_of(L, text, n);
        lua_remove(L, -2);
    } else if (list->kinds[i] == ENTRY_BOOLEAN) {
        lua_pushboolean(L, *(const uint8_t *)a->data);
    } else if (a->dtype == INT64) {
        lua_pushinteger(L, *(const int64_t *)a->data);
    } else {
        lua_pushnumber(L, *(const double *)a->data);
    }
}
