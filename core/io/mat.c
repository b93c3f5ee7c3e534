#include "io/mat.h"

#include <string.h>
#include <zlib.h>

#include "base/memory.h"
#include "io/raw.h"

#define HEADER 128
#define TAG 8
#define HEAD_LIMIT 512 /* of a packed array: enough for its flags, sizes and name */
#define COMPLEX 0x08

enum { MI_INT8 = 1, MI_INT32 = 5, MI_UINT32 = 6, MI_MATRIX = 14, MI_COMPRESSED = 15 };

/* How the elements of a type lie, and which dtype MATLAB's classes have; by their codes. */
static const struct {
    int known;
    enum raw_kind kind;
} types[] = {
    [1] = {1, RAW_I8},  [2] = {1, RAW_U8},  [3] = {1, RAW_I16}, [4] = {1, RAW_U16},  [5] = {1, RAW_I32},
    [6] = {1, RAW_U32}, [7] = {1, RAW_F32}, [9] = {1, RAW_F64}, [12] = {1, RAW_I64}, [13] = {1, RAW_U64},
};
static const struct {
    const char *name;
    int known;
    enum dtype dtype;
} classes[] = {
    [1] = {"a cell array", 0, 0}, [2] = {"a structure", 0, 0},    [3] = {"an object", 0, 0},
    [4] = {"a text", 0, 0},       [5] = {"a sparse array", 0, 0}, [6] = {"double", 1, FLOAT64},
    [7] = {"single", 1, FLOAT32}, [8] = {"int8", 1, INT64},       [9] = {"uint8", 1, UINT8},
    [10] = {"int16", 1, INT64},   [11] = {"uint16", 1, INT64},    [12] = {"int32", 1, INT64},
    [13] = {"uint32", 1, INT64},  [14] = {"int64", 1, INT64},     [15] = {"uint64", 1, INT64},
    [16] = {"a function", 0, 0},  [17] = {"an object", 0, 0},
};

#define COUNT(table) (sizeof(table) / sizeof *(table))

struct cursor {
    const unsigned char *at;
    size_t left;
    int big_endian;
};

/* An element: its type, where its bytes begin and how many there are by its tag. */
struct element {
    uint32_t type;
    size_t size;
    const unsigned char *bytes;
};

struct array_head {
    unsigned class, flags;
    struct raw_layout layout; /* rank and shape */
    const char *name;
    size_t name_length;
};

static uint32_t word(const struct cursor *c, size_t at)
{
    return (uint32_t)(c->big_endian ? raw_big(c->at + at, 4) : raw_little(c->at + at, 4));
}

/* The tag of the next element; up to four bytes may stand in the tag itself. *whole: bytes with tag and
 * padding. */
static enum status read_tag(const struct cursor *c, struct element *e, size_t *whole)
{
    if (c->left < TAG) return status_set(STATUS_FORMAT, "%zu bytes are no element", c->left);
    uint32_t first = word(c, 0), small = first >> 16;
    *e = (struct element){first & (small ? 0xffff : 0xffffffff), small ? small : word(c, 4),
                          c->at + (small ? 4 : TAG)};
    if (small > 4) return status_set(STATUS_FORMAT, "an element of four bytes says %u", small);
    *whole = small ? TAG : TAG + e->size + (e->type == MI_COMPRESSED ? 0 : (8 - e->size % 8) % 8);
    return STATUS_OK;
}

/* The next element within an array, all of whose bytes are there. */
static enum status take(struct cursor *c, struct element *e, const char *what)
{
    size_t whole;
    enum status status = read_tag(c, e, &whole);
    if (status != STATUS_OK) return status_prefix(status, "its %s", what);
    size_t needed = (size_t)(e->bytes - c->at) + e->size;
    if (needed > c->left)
        return status_set(STATUS_FORMAT, "its %s needs %zu bytes, %zu are left", what, needed, c->left);
    if (whole > c->left) whole = c->left; /* the padding of the last element */
    c->at += whole;
    c->left -= whole;
    return STATUS_OK;
}

static enum status wrong(const char *what, uint32_t type, size_t size)
{
    return status_set(STATUS_FORMAT, "its %s has the type %u and %zu bytes", what, type, size);
}

/* Flags, sizes and name, which come first. */
static enum status take_head(struct cursor *c, struct array_head *h)
{
    struct element e;
    *h = (struct array_head){.layout = {.fortran = 1, .big_endian = c->big_endian}};
    TRY(take(c, &e, "flags"));
    if (e.type != MI_UINT32 || e.size != 8) return wrong("flags", e.type, e.size);
    struct cursor inside = {e.bytes, e.size, c->big_endian};
    h->class = word(&inside, 0) & 0xff;
    h->flags = word(&inside, 0) >> 8 & 0xff;
    TRY(take(c, &e, "size"));
    if (e.type != MI_INT32 || e.size % 4 != 0 || e.size == 0) return wrong("size", e.type, e.size);
    if (e.size / 4 > MAX_RANK)
        return status_set(STATUS_FORMAT, "it has %zu axes; at most %d are possible", e.size / 4, MAX_RANK);
    inside.at = e.bytes;
    h->layout.rank = (int)(e.size / 4);
    for (int i = 0; i < h->layout.rank; i++) h->layout.shape[i] = (int32_t)word(&inside, 4 * (size_t)i);
    TRY(take(c, &e, "name"));
    if (e.type != MI_INT8 || memchr(e.bytes, 0, e.size)) return wrong("name", e.type, e.size);
    h->name = (const char *)e.bytes;
    h->name_length = e.size;
    return STATUS_OK;
}

/* The elements as MATLAB's class says, which may be wider than they are kept. */
static enum status widen(struct tensor **t, enum dtype dtype)
{
    struct tensor *wide = NULL;
    if ((*t)->array.dtype == dtype) return STATUS_OK;
    if ((*t)->array.dtype == INT64 && dtype == UINT8)
        return status_set(STATUS_FORMAT, "its elements do not fit its class uint8");
    TRY(tensor_new(&wide, dtype, (*t)->array.rank, (*t)->array.shape));
    for (int64_t i = 0, n = array_numel(&wide->array); i < n; i++)
        array_set(&wide->array, i, array_get(&(*t)->array, i));
    tensor_release(*t);
    *t = wide;
    return STATUS_OK;
}

/* Can the elements of a type be those of a class without a change of value? */
static int fits(enum raw_kind kind, enum dtype dtype)
{
    int real = kind == RAW_F32 || kind == RAW_F64, wide = kind == RAW_I64 || kind == RAW_U64;
    if (dtype == FLOAT64) return !wide;
    if (dtype == FLOAT32)
        return kind == RAW_F32 || kind == RAW_U8 || kind == RAW_I8 || kind == RAW_I16 || kind == RAW_U16;
    return dtype == UINT8 ? kind == RAW_U8 : !real;
}

/* The rest of an array after its head. */
static enum status read_elements(struct tensor_list *list, struct cursor *c, struct array_head *h,
                                 size_t limit)
{
    struct element e;
    struct tensor *t = NULL;
    if (h->class >= COUNT(classes) || !classes[h->class].known || (h->flags & COMPLEX))
        return status_set(STATUS_UNSUPPORTED, "it is %s; only real arrays of numbers can be read",
                          h->class < COUNT(classes) && classes[h->class].name && !classes[h->class].known
                              ? classes[h->class].name
                          : h->flags & COMPLEX ? "complex"
                                               : "of an unknown class");
    TRY(take(c, &e, "elements"));
    enum dtype dtype = classes[h->class].dtype;
    if (e.type >= COUNT(types) || !types[e.type].known || !fits(types[e.type].kind, dtype))
        return status_set(STATUS_FORMAT, "its class is %s, its elements have the type %u",
                          classes[h->class].name, e.type);
    if (c->left >= TAG) return status_set(STATUS_FORMAT, "%zu bytes follow its elements", c->left);
    h->layout.kind = types[e.type].kind;
    TRY(raw_read(&t, &h->layout, e.bytes, e.size, limit));
    enum status status = (size_t)array_numel(&t->array) > limit / dtype_size(dtype)
                             ? status_set(STATUS_FORMAT, "it needs more than the limit of %zu bytes", limit)
                             : widen(&t, dtype);
    if (status == STATUS_OK) status = tensor_list_add(list, h->name, h->name_length, t);
    if (status != STATUS_OK) tensor_release(t);
    return status;
}

static enum status named(enum status status, const struct array_head *h)
{
    return status_prefix(status, "array \"%.*s\"", h->name_length > 100 ? 100 : (int)h->name_length, h->name);
}

static enum status read_array(struct tensor_list *list, struct cursor c, size_t limit,
                              struct name_listing *there)
{
    struct array_head h;
    TRY(take_head(&c, &h));
    name_listing_add(there, h.name, h.name_length);
    if (!tensor_list_wants(list, h.name, h.name_length)) return STATUS_OK;
    enum status status = read_elements(list, &c, &h, limit);
    return status == STATUS_OK ? STATUS_OK : named(status, &h);
}

/* ---- packed arrays ---- */

/* The array's name and size from its first bytes, for the message about a file that ends too early. */
static enum status cut_off(const unsigned char *packed, size_t n, const struct element *e, int big_endian)
{
    unsigned char head[HEAD_LIMIT];
    struct array_head h;
    struct element inside;
    size_t whole, given = n < 2 ? 0 : n - 2, length = HEAD_LIMIT;
    char text[SHAPE_TEXT];
    while (length > TAG && file_inflate_head(head, length, packed + 2, given) != STATUS_OK) length /= 2;
    struct cursor c = {head, length, big_endian};
    if (length > TAG && read_tag(&c, &inside, &whole) == STATUS_OK) {
        c = (struct cursor){head + TAG, length - TAG, big_endian};
        if (take_head(&c, &h) == STATUS_OK) {
            struct array a = {.rank = h.layout.rank};
            for (int i = 0; i < a.rank; i++) a.shape[i] = h.layout.shape[i];
            return named(
                status_set(STATUS_FORMAT,
                           "it has shape %s and is cut off: the file holds %zu of its %zu packed bytes",
                           array_shape_text(&a, text), n, e->size),
                &h);
        }
    }
    return status_set(STATUS_FORMAT, "a packed array is cut off: the file holds %zu of its %zu bytes", n,
                      e->size);
}

/* zlib's frame (RFC 1950): two bytes before the deflated data, their checksum behind. */
static enum status check_frame(const struct element *e)
{
    const unsigned char *b = e->bytes;
    if (e->size < 6 || (b[0] & 15) != 8 || (b[0] * 256 + b[1]) % 31 != 0 || (b[1] & 32))
        return status_set(STATUS_FORMAT, "its packed data are not those of zlib");
    return STATUS_OK;
}

static uint32_t sum_of(const unsigned char *bytes, size_t n)
{
    uLong sum = adler32(0, NULL, 0);
    for (size_t at = 0; at < n; at += 1 << 30)
        sum = adler32(sum, bytes + at, (uInt)(n - at < 1 << 30 ? n - at : 1 << 30));
    return (uint32_t)sum;
}

/* The tag of the array inside says how much there is; that much is unpacked. */
static enum status read_packed(struct tensor_list *list, const struct element *e, int big_endian,
                               size_t limit, struct name_listing *there)
{
    unsigned char tag[TAG];
    struct element array;
    size_t whole;
    TRY(check_frame(e));
    const unsigned char *packed = e->bytes + 2;
    size_t n = e->size - 6;
    TRY(file_inflate_head(tag, TAG, packed, n));
    TRY(read_tag(&(struct cursor){tag, TAG, big_endian}, &array, &whole));
    if (array.type != MI_MATRIX)
        return status_set(STATUS_FORMAT, "a packed element of type %u is no array", array.type);
    whole = TAG + array.size;
    if (whole > limit)
        return status_set(STATUS_FORMAT, "an array of %zu bytes; the limit is %zu", whole, limit);
    if (whole / FILE_RATIO_LIMIT > n)
        return status_set(STATUS_FORMAT, "%zu packed bytes cannot unpack to the %zu of an array", n, whole);
    unsigned char *bytes = memory_alloc(whole);
    if (!bytes) return memory_status();
    enum status status = file_inflate(bytes, whole, packed, n);
    if (status == STATUS_OK && sum_of(bytes, whole) != raw_big(packed + n, 4))
        status = status_set(STATUS_FORMAT, "the checksum of the packed data is wrong");
    if (status == STATUS_OK)
        status = read_array(list, (struct cursor){bytes + TAG, array.size, big_endian}, limit, there);
    memory_free(bytes);
    return status;
}

/* ---- the file ---- */

static enum status check_header(const unsigned char *bytes, size_t size, int *big_endian)
{
    static const char hdf5[] = "\x89HDF\r\n\x1a\n";
    if (size >= 520 && memcmp(bytes + 512, hdf5, 8) == 0)
        return status_set(STATUS_UNSUPPORTED, "it is of version 7.3 (HDF5), which cannot be read; in MATLAB, "
                                              "save it with the option -v7");
    if (size < HEADER)
        return status_set(STATUS_FORMAT, "it is no MATLAB 5 file (%zu bytes are too short)", size);
    *big_endian = memcmp(bytes + 126, "MI", 2) == 0;
    if (!*big_endian && memcmp(bytes + 126, "IM", 2) != 0)
        return status_set(STATUS_FORMAT, "it is no MATLAB 5 file (its header lacks the mark IM)");
    unsigned version = (unsigned)(*big_endian ? raw_big(bytes + 124, 2) : raw_little(bytes + 124, 2));
    return version == 0x100
               ? STATUS_OK
               : status_set(STATUS_UNSUPPORTED, "it has the version 0x%04x; 0x0100 can be read", version);
}

static enum status read_element(struct tensor_list *list, struct cursor *c, size_t limit,
                                struct name_listing *there)
{
    struct element e;
    size_t whole;
    TRY(read_tag(c, &e, &whole));
    if (e.bytes != c->at + TAG || (e.type != MI_MATRIX && e.type != MI_COMPRESSED))
        return status_set(STATUS_FORMAT, "the element of type %u is no array", e.type);
    size_t there_is = c->left - TAG;
    if (e.size > there_is && e.type == MI_COMPRESSED) return cut_off(e.bytes, there_is, &e, c->big_endian);
    if (e.size > there_is)
        return status_set(STATUS_FORMAT, "an array is cut off: the file holds %zu of its %zu bytes", there_is,
                          e.size);
    TRY(e.type == MI_COMPRESSED
            ? read_packed(list, &e, c->big_endian, limit, there)
            : read_array(list, (struct cursor){e.bytes, e.size, c->big_endian}, limit, there));
    if (whole > c->left) whole = c->left;
    c->at += whole;
    c->left -= whole;
    return STATUS_OK;
}

enum status mat_read(struct tensor_list *list, const unsigned char *bytes, size_t size, size_t limit)
{
    struct cursor c = {.at = bytes};
    struct name_listing there = {0};
    TRY(check_header(bytes, size, &c.big_endian));
    c.at += HEADER;
    c.left = size - HEADER;
    if (c.left == 0) return status_set(STATUS_FORMAT, "it holds no arrays");
    while (c.left > 0) {
        size_t at = size - c.left;
        enum status status = read_element(list, &c, limit, &there);
        if (status != STATUS_OK) return status_prefix(status, "at byte %zu", at);
    }
    TRY(tensor_list_check_found(list, &there));
    return tensor_list_check_unique(list);
}
