#include "io/json.h"

#include <string.h>

#include "base/memory.h"

enum status json_error(const struct json_cursor *c, const char *expected)
{
    return status_set(STATUS_FORMAT, "malformed header at byte %lld: %s", (long long)(c->at - c->start),
                      expected);
}

int json_take(struct json_cursor *c, char symbol)
{
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\t' || *c->at == '\n' || *c->at == '\r')) c->at++;
    if (c->at == c->end || *c->at != symbol) return 0;
    c->at++;
    return 1;
}

/* RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF. */
size_t json_utf8_length(const unsigned char *p, const unsigned char *end)
{
    size_t n = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : p[0] < 0xf5 ? 4 : 0;
    if (n > (size_t)(end - p)) return 0;
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xc0) != 0x80) return 0;
    if (n == 3 && ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f))) return 0;
    if (n == 4 && ((p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))) return 0;
    return n;
}

char *json_put_utf8(char *to, uint32_t code)
{
    if (code < 0x80) {
        *to++ = (char)code;
    } else if (code < 0x800) {
        *to++ = (char)(0xc0 | code >> 6);
        *to++ = (char)(0x80 | (code & 63));
    } else if (code < 0x10000) {
        *to++ = (char)(0xe0 | code >> 12);
        *to++ = (char)(0x80 | (code >> 6 & 63));
        *to++ = (char)(0x80 | (code & 63));
    } else {
        *to++ = (char)(0xf0 | code >> 18);
        *to++ = (char)(0x80 | (code >> 12 & 63));
        *to++ = (char)(0x80 | (code >> 6 & 63));
        *to++ = (char)(0x80 | (code & 63));
    }
    return to;
}

static enum status take_hex4(struct json_cursor *c, uint32_t *code)
{
    *code = 0;
    for (int i = 0; i < 4; i++, c->at++) {
        char x = c->at < c->end ? *c->at : 0;
        int digit = x >= '0' && x <= '9'   ? x - '0'
                    : x >= 'a' && x <= 'f' ? x - 'a' + 10
                    : x >= 'A' && x <= 'F' ? x - 'A' + 10
                                           : -1;
        if (digit < 0) return json_error(c, "four hexadecimal digits are expected");
        *code = *code << 4 | (uint32_t)digit;
    }
    return STATUS_OK;
}

/* What follows a backslash. */
static enum status take_escape(struct json_cursor *c, char **to)
{
    static const char symbols[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    const char *known = c->at < c->end && *c->at ? strchr(symbols, *c->at) : NULL;
    if (known) {
        *(*to)++ = values[known - symbols];
        c->at++;
        return STATUS_OK;
    }
    if (c->at == c->end || *c->at != 'u') return json_error(c, "unknown escape");
    uint32_t code, low = 0;
    c->at++;
    TRY(take_hex4(c, &code));
    if (code >= 0xd800 && code < 0xdc00) {
        if (c->end - c->at < 2 || c->at[0] != '\\' || c->at[1] != 'u')
            return json_error(c, "half of a surrogate pair");
        c->at += 2;
        TRY(take_hex4(c, &low));
        if (low < 0xdc00 || low > 0xdfff) return json_error(c, "half of a surrogate pair");
        code = 0x10000 + ((code - 0xd800) << 10 | (low - 0xdc00));
    } else if (code >= 0xdc00 && code <= 0xdfff) {
        return json_error(c, "half of a surrogate pair");
    }
    if (code == 0) return json_error(c, "a name has a NUL character inside");
    *to = json_put_utf8(*to, code);
    return STATUS_OK;
}

static enum status decode(struct json_cursor *c, char **to)
{
    while (c->at < c->end && *c->at != '"') {
        if (*c->at == '\\') {
            c->at++;
            TRY(take_escape(c, to));
            continue;
        }
        size_t n = json_utf8_length((const unsigned char *)c->at, (const unsigned char *)c->end);
        if (n == 0 || (unsigned char)*c->at < 32)
            return json_error(c, "a string holds a control character or no UTF-8");
        memcpy(*to, c->at, n);
        *to += n;
        c->at += n;
    }
    return c->at < c->end ? STATUS_OK : json_error(c, "a string does not end");
}

enum status json_string(struct json_cursor *c, char **text, size_t *n)
{
    if (!json_take(c, '"')) return json_error(c, "a string is expected");
    /* Escapes only shrink: the raw length, up to a quote that no backslash hides, is enough. */
    size_t raw = 0, left = (size_t)(c->end - c->at);
    while (raw < left && c->at[raw] != '"') raw += c->at[raw] == '\\' ? 2 : 1;
    if (raw >= left) return json_error(c, "a string does not end");
    char *copy = memory_alloc(raw + 1), *to = copy;
    if (!copy) return memory_status();
    enum status status = decode(c, &to);
    if (status != STATUS_OK) {
        memory_free(copy);
        return status;
    }
    c->at++;
    *to = 0;
    *text = copy;
    *n = (size_t)(to - copy);
    return STATUS_OK;
}

enum status json_whole(struct json_cursor *c, int64_t *value)
{
    int zero = json_take(c, '0'), digits = zero; /* also skips white space */
    int64_t whole = 0;
    for (; c->at < c->end && *c->at >= '0' && *c->at <= '9'; c->at++, digits++)
        if (zero || __builtin_mul_overflow(whole, 10, &whole) ||
            __builtin_add_overflow(whole, *c->at - '0', &whole))
            return json_error(c, "a whole number 0..2^63-1 is expected");
    if (!digits) return json_error(c, "a whole number 0..2^63-1 is expected");
    *value = whole;
    return STATUS_OK;
}
