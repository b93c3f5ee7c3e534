/* json.h -- a cursor over the small part of JSON (RFC 8259) that file headers use: objects, arrays, strings,
 * whole numbers.
 *
 * The caller knows what must come next and asks for it; nothing is stored and nothing recurses, so hostile
 * nesting costs nothing. */
#ifndef IO_JSON_H
#define IO_JSON_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

struct json_cursor {
    const char *start, *at, *end;
};

/* STATUS_FORMAT: "malformed header at byte 12: <expected> is expected". */
enum status json_error(const struct json_cursor *c, const char *expected);

/* Take `symbol` (after white space) if it is the next one. */
int json_take(struct json_cursor *c, char symbol);

/* A string that is strict UTF-8 without control characters; escapes are decoded. *text (n bytes and a NUL) is
 * owned by the caller. Errors: STATUS_FORMAT, also for \u0000 and lone surrogates; STATUS_MEMORY. */
enum status json_string(struct json_cursor *c, char **text, size_t *n);

/* A whole number 0..2^63-1 without sign, fraction, exponent or leading zeros. */
enum status json_whole(struct json_cursor *c, int64_t *value);

/* Write a code point as UTF-8, at most 4 bytes; the place behind it. */
char *json_put_utf8(char *to, uint32_t code);

/* Length of the UTF-8 sequence at p (before end), 0 when it is none. */
size_t json_utf8_length(const unsigned char *p, const unsigned char *end);

#endif
