#include "io/text.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "io/json.h"

#define HEADER_SIZE 128 /* of every file with one text: 69 to 80 bytes, padded to 64 */
#define WIDTH 4         /* bytes of a code point */

enum status text_new(struct tensor **out, const char *bytes, size_t n)
{
    struct raw_layout layout = {.kind = RAW_U8, .rank = 1, .shape = {(int64_t)n}};
    return raw_read(out, &layout, (const unsigned char *)bytes, n, SIZE_MAX);
}

enum status text_check(const unsigned char *bytes, size_t n)
{
    for (size_t at = 0, step; at < n; at += step) {
        step = json_utf8_length(bytes + at, bytes + n);
        if (step == 0) return status_set(STATUS_FORMAT, "a text in a file is UTF-8, this one is none");
        if (bytes[at] == 0) return status_set(STATUS_FORMAT, "a text in a file has no NUL bytes");
    }
    return STATUS_OK;
}

/* ---- .npy ---- */

/* The file's start for `count` code points. */
static void make_header(char header[HEADER_SIZE], size_t count)
{
    int n = snprintf(header + 10, HEADER_SIZE - 10,
                     "{'descr': '<U%zu', 'fortran_order': False, 'shape': (), }", count);
    memset(header + 10 + n, ' ', (size_t)(HEADER_SIZE - 10 - n));
    header[HEADER_SIZE - 1] = '\n';
    memcpy(header, "\x93NUMPY\x01\x00", 8);
    raw_put_little((unsigned char *)header + 8, 2, HEADER_SIZE - 10);
}

int text_npy_is(const unsigned char *bytes, size_t size)
{
    char header[HEADER_SIZE];
    if (size < HEADER_SIZE || (size - HEADER_SIZE) % WIDTH) return 0;
    make_header(header, (size - HEADER_SIZE) / WIDTH);
    return memcmp(bytes, header, HEADER_SIZE) == 0;
}

enum status text_npy_read(struct tensor **out, const unsigned char *bytes, size_t size)
{
    size_t count = (size - HEADER_SIZE) / WIDTH;
    const unsigned char *codes = bytes + HEADER_SIZE;
    while (count && raw_little(codes + WIDTH * (count - 1), WIDTH) == 0) count--;
    char *text = memory_alloc(4 * count + 1), *to = text;
    if (!text) return memory_status();
    enum status status = STATUS_OK;
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        uint32_t code = (uint32_t)raw_little(codes + WIDTH * i, WIDTH);
        if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
            status = status_set(STATUS_FORMAT, "character %zu of its text is no code point", i + 1);
        else
            to = json_put_utf8(to, code);
    }
    if (status == STATUS_OK) status = text_new(out, text, (size_t)(to - text));
    memory_free(text);
    return status;
}

/* Code points of UTF-8; NumPy has no text of none. */
static size_t code_points(const unsigned char *bytes, size_t n)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++) count += (bytes[i] & 0xc0) != 0x80;
    return count ? count : 1;
}

static const unsigned char *bytes_of(const struct array *text, size_t *n)
{
    *n = array_bytes(text);
    return text->data;
}

size_t text_npy_size(const struct array *text)
{
    size_t n;
    const unsigned char *bytes = bytes_of(text, &n);
    return HEADER_SIZE + WIDTH * code_points(bytes, n);
}

/* The code point that starts at p and has n bytes. */
static uint32_t code_at(const unsigned char *p, size_t n)
{
    uint32_t code = n == 1 ? p[0] : p[0] & (0x7fu >> n);
    for (size_t i = 1; i < n; i++) code = code << 6 | (p[i] & 0x3f);
    return code;
}

enum status text_npy_write(const struct array *text, raw_sink *sink, void *context)
{
    size_t n;
    const unsigned char *bytes = bytes_of(text, &n), *end = bytes + n;
    char header[HEADER_SIZE];
    make_header(header, code_points(bytes, n));
    TRY(sink(context, header, HEADER_SIZE));
    if (n == 0) return sink(context, "\0\0\0", WIDTH);
    for (size_t step; bytes < end; bytes += step) {
        unsigned char code[WIDTH];
        step = json_utf8_length(bytes, end);
        raw_put_little(code, WIDTH, code_at(bytes, step));
        TRY(sink(context, code, WIDTH));
    }
    return STATUS_OK;
}
