/* The part of file.h that needs zlib. */
#include "base/tuning.h"
#include "io/file.h"

#include <stdint.h>
#include <zlib.h>

#include "base/interrupt.h"
#include "base/memory.h"

/* zlib's own allocations go through the counted allocator, so that tests can make them fail. */
static void *zlib_alloc(void *opaque, unsigned count, unsigned size)
{
    (void)opaque;
    return memory_zalloc(count, size);
}

static void zlib_free(void *opaque, void *block)
{
    (void)opaque;
    memory_free(block);
}

static enum status start(z_stream *z, int window_bits)
{
    *z = (z_stream){.zalloc = zlib_alloc, .zfree = zlib_free};
    return inflateInit2(z, window_bits) == Z_OK ? STATUS_OK : memory_status();
}

/* Input and output are handed out in pieces: the counters of z_stream have 32 bits, and Ctrl-C is looked for
 * between them. */
#define STOPPED 1000 /* beside the codes of zlib */

struct span {
    const unsigned char *from;
    unsigned char *to;
    size_t left_in, left_out;
};

/* Run until the stream ends (Z_STREAM_END), the output is full or the input is used up (Z_BUF_ERROR), or an
 * error. */
static int inflate_piece(z_stream *z, struct span *s)
{
    for (;;) {
        if (interrupt_take()) return STOPPED;
        uInt in = (uInt)(s->left_in < INFLATE_PIECE_BYTES ? s->left_in : INFLATE_PIECE_BYTES),
             out = (uInt)(s->left_out < INFLATE_PIECE_BYTES ? s->left_out : INFLATE_PIECE_BYTES);
        z->next_in = (unsigned char *)(uintptr_t)s->from; /* zlib does not write here */
        z->next_out = s->to;
        z->avail_in = in;
        z->avail_out = out;
        int code = inflate(z, Z_NO_FLUSH);
        in -= z->avail_in;
        out -= z->avail_out;
        s->from += in;
        s->to += out;
        s->left_in -= in;
        s->left_out -= out;
        if (code != Z_OK) return code;
    }
}

static enum status broken(int code, const z_stream *z)
{
    if (code == Z_MEM_ERROR) return memory_status();
    if (code == STOPPED) return status_set(STATUS_INTERRUPTED, "interrupted");
    return status_set(STATUS_FORMAT, "the compressed data are broken: %s",
                      z->msg ? z->msg : "not a deflate stream");
}

enum status file_inflate(unsigned char *to, size_t size, const unsigned char *from, size_t n)
{
    z_stream z;
    struct span s = {from, to, n, size};
    TRY(start(&z, -15));
    int code = inflate_piece(&z, &s);
    enum status status = STATUS_OK;
    if (code == Z_STREAM_END && s.left_out == 0 && s.left_in == 0)
        status = STATUS_OK;
    else if (code == Z_STREAM_END || code == Z_BUF_ERROR)
        status =
            status_set(STATUS_FORMAT,
                       "the compressed data do not unpack to the %zu bytes that the header says (%zu came)",
                       size, size - s.left_out);
    else
        status = broken(code, &z);
    inflateEnd(&z);
    return status;
}

int file_is_gzip(const struct file_bytes *bytes)
{
    return bytes->size >= 2 && bytes->data[0] == 0x1f && bytes->data[1] == 0x8b;
}

/* Room that is taken on the word of a header, beside three times the packed size. */
#define FIRST_ROOM ((size_t)32 << 20)

/* The first room is full, so the claim that there is more is not idle: all the room that there may be, at
 * once. */
static enum status grow_bytes(struct file_bytes *b, struct span *s, size_t cap)
{
    size_t used = b->size - s->left_out;
    unsigned char *data = memory_realloc(b->data, cap);
    if (!data) return memory_status();
    *b = (struct file_bytes){data, cap};
    s->to = data + used;
    s->left_out = cap - used;
    return STATUS_OK;
}

/* `beyond` says what is wrong with more than `cap` bytes; NULL: nothing, the rest is not wanted. */
static enum status gunzip_members(z_stream *z, struct file_bytes *b, struct span *s, size_t cap,
                                  const char *beyond)
{
    for (;;) {
        int code = inflate_piece(z, s);
        if (code == Z_STREAM_END) {
            if (s->left_in == 0) return STATUS_OK;
            if (s->left_in < 2 || s->from[0] != 0x1f || s->from[1] != 0x8b)
                return status_set(STATUS_FORMAT, "%zu bytes follow the end of the gzip data", s->left_in);
            if (inflateReset(z) != Z_OK) return broken(Z_DATA_ERROR, z);
        } else if (code != Z_BUF_ERROR) {
            return broken(code, z);
        } else if (s->left_out > 0) {
            return status_set(STATUS_FORMAT, "the gzip data end too early, after %zu bytes of content",
                              b->size - s->left_out);
        } else if (b->size < cap) {
            TRY(grow_bytes(b, s, cap));
        } else {
            return beyond ? status_set(STATUS_FORMAT, "the gzip data unpack to more than %zu bytes%s", cap,
                                       beyond)
                          : STATUS_OK;
        }
    }
}

static enum status gunzip(struct file_bytes *out, const struct file_bytes *packed, size_t cap,
                          const char *beyond)
{
    z_stream z;
    struct file_bytes b = {NULL, packed->size < cap / 3 ? 3 * packed->size : cap};
    b.size = cap - b.size < FIRST_ROOM ? cap : b.size + FIRST_ROOM;
    b.data = memory_alloc(b.size);
    if (!b.data) return memory_status();
    struct span s = {packed->data, b.data, packed->size, b.size};
    enum status status = start(&z, 15 + 16);
    if (status == STATUS_OK) {
        status = gunzip_members(&z, &b, &s, cap, beyond);
        inflateEnd(&z);
    }
    if (status != STATUS_OK) {
        memory_free(b.data);
        return status;
    }
    *out = (struct file_bytes){b.data, b.size - s.left_out};
    return STATUS_OK;
}

enum status file_gunzip(struct file_bytes *out, const struct file_bytes *packed, size_t limit)
{
    if (packed->size >= limit / FILE_RATIO_LIMIT) return gunzip(out, packed, limit, " (the limit)");
    return gunzip(out, packed, packed->size * FILE_RATIO_LIMIT,
                  ", which no honest deflate stream of this length does");
}

enum status file_gunzip_head(struct file_bytes *out, const struct file_bytes *packed, size_t n)
{
    return gunzip(out, packed, n, NULL);
}

enum status file_inflate_head(unsigned char *to, size_t size, const unsigned char *from, size_t n)
{
    z_stream z;
    struct span s = {from, to, n, size};
    TRY(start(&z, -15));
    int code = inflate_piece(&z, &s);
    enum status status = STATUS_OK;
    if (s.left_out > 0 && (code == Z_STREAM_END || code == Z_BUF_ERROR))
        status = status_set(STATUS_FORMAT, "the compressed data end too early, after %zu bytes of content",
                            size - s.left_out);
    else if (code != Z_STREAM_END && code != Z_BUF_ERROR)
        status = broken(code, &z);
    inflateEnd(&z);
    return status;
}
