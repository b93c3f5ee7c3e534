#include "io/npy.h"

#include <stdio.h>
#include <string.h>

#define MAGIC "\x93NUMPY"
#define MAGIC_SIZE 6
#define HEADER_LIMIT 65536
_Static_assert(NPY_HEADER_LIMIT == HEADER_LIMIT + MAGIC_SIZE + 6, "the longest start and the longest text");
#define HEADER_SIZE                                                                                          \
    320 /* longest that is written: 8 sizes of 10 digits and the fixed words, padded to 64                   \
         */

/* ---- the header: {'descr': '<f8', 'fortran_order': False, 'shape': (3, 4), } ---- */

struct npy_cursor {
    const char *at, *end;
};

static enum status malformed(const char *what)
{
    return status_set(STATUS_FORMAT, "malformed .npy header: %s", what);
}

static void skip_spaces(struct npy_cursor *c)
{
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\t' || *c->at == '\n')) c->at++;
}

/* Take `symbol` if it is the next one. */
static int take(struct npy_cursor *c, char symbol)
{
    skip_spaces(c);
    if (c->at == c->end || *c->at != symbol) return 0;
    c->at++;
    return 1;
}

static int take_word(struct npy_cursor *c, const char *word)
{
    size_t n = strlen(word);
    skip_spaces(c);
    if ((size_t)(c->end - c->at) < n || memcmp(c->at, word, n) != 0) return 0;
    c->at += n;
    return 1;
}

/* A quoted string without escapes. */
static enum status take_string(struct npy_cursor *c, const char **text, size_t *length)
{
    char quote = take(c, '\'') ? '\'' : take(c, '"') ? '"' : 0;
    if (!quote) return malformed("a quoted string is expected");
    *text = c->at;
    while (c->at < c->end && *c->at != quote && *c->at != '\\' && (unsigned char)*c->at >= 32) c->at++;
    if (c->at == c->end || *c->at != quote) return malformed("a string does not end");
    *length = (size_t)(c->at++ - *text);
    return STATUS_OK;
}

static enum status take_descr(struct npy_cursor *c, struct raw_layout *layout)
{
    const char *text;
    size_t n;
    skip_spaces(c);
    if (c->at < c->end && *c->at == '[')
        return status_set(STATUS_UNSUPPORTED,
                          "structured dtypes are not supported; save each field by itself");
    TRY(take_string(c, &text, &n));
    int kind = n > 1 ? raw_find(RAW_NPY, text + 1, n - 1) : -1;
    char order = n ? text[0] : 0;
    int ordered =
        order == '<' || order == '>' || ((order == '|' || order == '=') && n == 3 && text[2] == '1');
    if (kind < 0 || !ordered) {
        const char *hint = n > 1 && text[1] == 'O'   ? " (Python objects are never loaded)"
                           : n > 1 && text[1] == 'c' ? " (save the real and the imaginary part by themselves)"
                                                     : "";
        return status_set(STATUS_UNSUPPORTED, "unknown dtype '%.*s'%s; readable are %s with < or > in front",
                          n > 40 ? 40 : (int)n, text, hint, raw_names(RAW_NPY));
    }
    layout->kind = (enum raw_kind)kind;
    layout->big_endian = order == '>';
    return STATUS_OK;
}

static enum status take_size(struct npy_cursor *c, int64_t *size)
{
    skip_spaces(c);
    if (c->at == c->end || *c->at < '0' || *c->at > '9')
        return malformed("'shape' holds something that is no size >= 0");
    for (*size = 0; c->at < c->end && *c->at >= '0' && *c->at <= '9'; c->at++) {
        *size = *size * 10 + (*c->at - '0');
        if (*size > MAX_DIM)
            return status_set(STATUS_FORMAT, "header says a size above %lld", (long long)MAX_DIM);
    }
    if (c->at < c->end && *c->at == 'L') c->at++; /* Python 2 wrote long integers so */
    return STATUS_OK;
}

static enum status take_shape(struct npy_cursor *c, struct raw_layout *layout)
{
    if (!take(c, '(')) return malformed("'shape' is not a tuple");
    layout->rank = 0;
    int comma = 1;
    while (!take(c, ')')) {
        if (!comma) return malformed("'shape' lacks a comma");
        if (layout->rank == MAX_RANK)
            return status_set(STATUS_FORMAT, "header says more than %d axes", MAX_RANK);
        TRY(take_size(c, &layout->shape[layout->rank++]));
        comma = take(c, ',');
    }
    /* (3) is a number in Python; only (3,) is a tuple. */
    if (layout->rank == 1 && !comma) return malformed("'shape' is not a tuple");
    return STATUS_OK;
}

static enum status parse_header(const char *text, size_t length, struct raw_layout *layout)
{
    static const char *const keys[] = {"descr", "fortran_order", "shape"};
    struct npy_cursor c = {text, text + length};
    unsigned seen = 0;
    int comma = 1;
    if (!take(&c, '{')) return malformed("it does not start with {");
    while (!take(&c, '}')) {
        const char *key;
        size_t n;
        unsigned i = 0;
        if (!comma) return malformed("a comma is missing");
        TRY(take_string(&c, &key, &n));
        while (i < 3 && (strlen(keys[i]) != n || memcmp(keys[i], key, n) != 0)) i++;
        if (i == 3 || (seen & 1U << i))
            return status_set(STATUS_FORMAT, "malformed .npy header: key '%.*s' is %s", n > 40 ? 40 : (int)n,
                              key, i == 3 ? "unknown" : "there twice");
        seen |= 1U << i;
        if (!take(&c, ':')) return malformed("a colon is missing");
        if (i == 0) TRY(take_descr(&c, layout));
        if (i == 1) {
            layout->fortran = take_word(&c, "True");
            if (!layout->fortran && !take_word(&c, "False"))
                return malformed("'fortran_order' is neither True nor False");
        }
        if (i == 2) TRY(take_shape(&c, layout));
        comma = take(&c, ',');
    }
    skip_spaces(&c);
    if (c.at != c.end) return malformed("something follows the }");
    if (seen != 7) return malformed("'descr', 'fortran_order' and 'shape' must all be there");
    return STATUS_OK;
}

/* The header and where the elements start. */
static enum status read_header(struct raw_layout *layout, size_t *data, const unsigned char *bytes,
                               size_t size)
{
    *layout = (struct raw_layout){0};
    if (size < MAGIC_SIZE + 4 || memcmp(bytes, MAGIC, MAGIC_SIZE) != 0)
        return status_set(STATUS_FORMAT, "it is no .npy file (%s)",
                          size < MAGIC_SIZE + 4 ? "too short" : "wrong magic");
    int major = bytes[MAGIC_SIZE], minor = bytes[MAGIC_SIZE + 1];
    if (major < 1 || major > 3 || minor != 0)
        return status_set(STATUS_FORMAT, ".npy version %d.%d is unknown; readable are 1.0, 2.0 and 3.0",
                          major, minor);
    size_t start = MAGIC_SIZE + (major == 1 ? 4 : 6);
    if (size < start) return status_set(STATUS_FORMAT, "the file ends inside the .npy header");
    size_t length = (size_t)raw_little(bytes + MAGIC_SIZE + 2, major == 1 ? 2 : 4);
    if (length > HEADER_LIMIT)
        return status_set(STATUS_FORMAT, "the .npy header claims %zu bytes; the limit is %d", length,
                          HEADER_LIMIT);
    if (length > size - start)
        return status_set(STATUS_FORMAT,
                          "the .npy header claims %zu bytes, the file holds %zu after its start", length,
                          size - start);
    *data = start + length;
    return parse_header((const char *)bytes + start, length, layout);
}

enum status npy_read(struct tensor **out, const unsigned char *bytes, size_t size, size_t limit)
{
    struct raw_layout layout;
    size_t data;
    TRY(read_header(&layout, &data, bytes, size));
    return raw_read(out, &layout, bytes + data, size - data, limit);
}

enum status npy_check(const unsigned char *bytes, size_t size, size_t limit)
{
    struct raw_layout layout;
    size_t data;
    TRY(read_header(&layout, &data, bytes, size));
    return raw_check(&layout, size - data, limit);
}

/* ---- writing ---- */

static size_t make_header(const struct array *a, const char *name, char header[HEADER_SIZE])
{
    size_t text = MAGIC_SIZE + 4, n = text;
    n += (size_t)snprintf(header + n, HEADER_SIZE - n, "{'descr': '%c%s', 'fortran_order': False, 'shape': (",
                          dtype_size(a->dtype) == 1 ? '|' : '<', name);
    for (int i = 0; i < a->rank; i++)
        n += (size_t)snprintf(header + n, HEADER_SIZE - n, i ? ", %lld" : "%lld", (long long)a->shape[i]);
    n += (size_t)snprintf(header + n, HEADER_SIZE - n, a->rank == 1 ? ",), }" : "), }");
    size_t total = (n + 1 + 63) / 64 * 64;
    memset(header + n, ' ', total - n);
    header[total - 1] = '\n';
    memcpy(header, MAGIC "\x01\x00", MAGIC_SIZE + 2);
    raw_put_little((unsigned char *)header + MAGIC_SIZE + 2, 2, total - text);
    return total;
}

enum status npy_write_as(const struct array *a, const char *name, raw_sink *sink, void *context)
{
    char header[HEADER_SIZE];
    TRY(sink(context, header, make_header(a, name, header)));
    return raw_write(a, sink, context);
}

enum status npy_write(const struct array *a, raw_sink *sink, void *context)
{
    return npy_write_as(a, raw_name(RAW_NPY, a->dtype), sink, context);
}

size_t npy_size(const struct array *a)
{
    char header[HEADER_SIZE];
    return make_header(a, raw_name(RAW_NPY, a->dtype), header) + array_bytes(a);
}

/* ---- files ---- */

enum status npy_save(const char *path, const struct array *a)
{
    struct file_writer *writer;
    TRY(file_writer_open(&writer, path));
    return file_writer_close(writer, npy_write(a, file_writer_write, writer));
}
