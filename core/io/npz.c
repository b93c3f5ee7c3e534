#include "io/npz.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/memory.h"
#include "io/npy.h"
#include "io/text.h"

#define SUFFIX ".npy"
#define SUFFIX_SIZE 4

/* Signatures and fixed sizes of the records. */
#define LOCAL 0x04034b50u
#define LOCAL_SIZE 30
#define CENTRAL 0x02014b50u
#define CENTRAL_SIZE 46
#define END 0x06054b50u
#define END_SIZE 22
#define END64 0x06064b50u
#define END64_SIZE 56
#define LOCATOR64 0x07064b50u
#define LOCATOR64_SIZE 20

#define IS_ZIP64 0xffffffffu /* this 32-bit field stands in the zip64 extra field */
#define FLAG_ENCRYPTED 1u
#define FLAG_DESCRIPTOR 8u /* checksum and sizes follow the data */
#define FLAG_UTF8 0x800u

struct npz_entry {
    const char *name;
    size_t name_length;
    unsigned flags, method;
    uint32_t crc;
    uint64_t packed, size, offset;
    enum entry_kind kind; /* as its comment says */
};

struct directory {
    uint64_t offset, size, count;
};

static enum status malformed(const char *what)
{
    return status_set(STATUS_FORMAT, "malformed .npz (zip) file: %s", what);
}

static uint16_t get16(const unsigned char *p) { return (uint16_t)raw_little(p, 2); }
static uint32_t get32(const unsigned char *p) { return (uint32_t)raw_little(p, 4); }
static uint64_t get64(const unsigned char *p) { return raw_little(p, 8); }

/* ---- reading ---- */

static enum entry_kind kind_of(const unsigned char *comment, size_t n)
{
    if (n == strlen(NPZ_NUMBER) && memcmp(comment, NPZ_NUMBER, n) == 0) return ENTRY_NUMBER;
    if (n == strlen(NPZ_BOOLEAN) && memcmp(comment, NPZ_BOOLEAN, n) == 0) return ENTRY_BOOLEAN;
    return ENTRY_TENSOR;
}

/* The 64-bit end record and its locator stand before the end record at `end`. */
static enum status find_directory64(const unsigned char *bytes, size_t end, struct directory *d,
                                    size_t *directory_end)
{
    if (end < LOCATOR64_SIZE + END64_SIZE || get32(bytes + end - LOCATOR64_SIZE) != LOCATOR64)
        return malformed("the zip64 end record is missing");
    uint64_t at = get64(bytes + end - LOCATOR64_SIZE + 8);
    if (at != end - LOCATOR64_SIZE - END64_SIZE || get32(bytes + at) != END64 ||
        get64(bytes + at + 4) != END64_SIZE - 12)
        return malformed("the zip64 end record is not where its locator says");
    if (get32(bytes + at + 16) || get32(bytes + at + 20) || get64(bytes + at + 24) != get64(bytes + at + 32))
        return malformed("it is one part of several");
    *d = (struct directory){get64(bytes + at + 48), get64(bytes + at + 40), get64(bytes + at + 32)};
    *directory_end = (size_t)at;
    return STATUS_OK;
}

static enum status find_directory(const unsigned char *bytes, size_t size, struct directory *d)
{
    if (size < END_SIZE) return malformed("too short");
    size_t end = size - END_SIZE, first = end > 65535 ? end - 65535 : 0;
    while (get32(bytes + end) != END || get16(bytes + end + 20) != size - END_SIZE - end) {
        if (end == first) return malformed("it has no end record; it is truncated or no zip file");
        end--;
    }
    const unsigned char *p = bytes + end;
    size_t directory_end = end;
    *d = (struct directory){get32(p + 16), get32(p + 12), get16(p + 10)};
    /* Python writes the 64-bit records and yet fills the short fields when the numbers fit. */
    int locator =
        end >= LOCATOR64_SIZE && get32(p - LOCATOR64_SIZE) == LOCATOR64 && d->offset + d->size != end;
    if (locator || d->offset == IS_ZIP64 || d->size == IS_ZIP64 || d->count == 0xffff)
        TRY(find_directory64(bytes, end, d, &directory_end));
    else if (get16(p + 4) || get16(p + 6) || get16(p + 8) != get16(p + 10))
        return malformed("it is one part of several");
    if (d->offset > directory_end || d->size != directory_end - d->offset)
        return malformed("the central directory does not lie before the end record");
    if (d->count > d->size / CENTRAL_SIZE || d->count > TENSOR_LIST_MAX)
        return status_set(STATUS_FORMAT, "malformed .npz (zip) file: it claims %llu entries",
                          (unsigned long long)d->count);
    return STATUS_OK;
}

/* The zip64 extra field holds, in this order, those of the values whose 32-bit field is all ones. */
static enum status read_extra(struct npz_entry *e, const unsigned char *p, size_t n)
{
    uint64_t *values[] = {&e->size, &e->packed, &e->offset};
    while (n >= 4) {
        size_t length = get16(p + 2);
        if (length > n - 4) return malformed("an extra field is longer than its room");
        const unsigned char *at = p + 4, *end = at + length;
        for (int i = 0; i < 3 && get16(p) == 1; i++) {
            if (*values[i] != IS_ZIP64) continue;
            if (end - at < 8) return malformed("a zip64 field is too short");
            *values[i] = get64(at);
            at += 8;
        }
        p += 4 + length;
        n -= 4 + length;
    }
    return STATUS_OK;
}

static enum status read_entries(const unsigned char *bytes, const struct directory *d,
                                struct npz_entry *entries)
{
    const unsigned char *p = bytes + d->offset, *end = p + d->size;
    for (uint64_t i = 0; i < d->count; i++) {
        if (end - p < CENTRAL_SIZE || get32(p) != CENTRAL)
            return malformed("the central directory is broken");
        size_t name = get16(p + 28), extra = get16(p + 30), comment = get16(p + 32);
        if ((size_t)(end - p) < CENTRAL_SIZE + name + extra + comment)
            return malformed("the central directory is too short");
        struct npz_entry *e = &entries[i];
        *e = (struct npz_entry){(const char *)p + CENTRAL_SIZE,
                                name,
                                get16(p + 8),
                                get16(p + 10),
                                get32(p + 16),
                                get32(p + 20),
                                get32(p + 24),
                                get32(p + 42),
                                ENTRY_TENSOR};
        e->kind = kind_of(p + CENTRAL_SIZE + name + extra, comment);
        TRY(read_extra(e, p + CENTRAL_SIZE + name, extra));
        p += CENTRAL_SIZE + name + extra + comment;
    }
    return p == end ? STATUS_OK : malformed("the central directory is longer than its entries");
}

static int by_offset(const void *a, const void *b)
{
    uint64_t x = ((const struct npz_entry *)a)->offset, y = ((const struct npz_entry *)b)->offset;
    return (x > y) - (x < y);
}

/* Check the local header of an entry that must fill the bytes from its offset to `next`, and find its
 * data. */
static enum status locate(const unsigned char *bytes, uint64_t next, const struct npz_entry *e,
                          const unsigned char **data)
{
    const unsigned char *p = bytes + e->offset;
    if (e->offset > next || next - e->offset < LOCAL_SIZE || get32(p) != LOCAL)
        return malformed("no local header where the directory says");
    uint64_t room = next - e->offset - LOCAL_SIZE, head = (uint64_t)get16(p + 26) + get16(p + 28);
    if (head > room || e->packed > room - head) return malformed("its data overlap what follows");
    if (get16(p + 26) != e->name_length || memcmp(p + LOCAL_SIZE, e->name, e->name_length) != 0 ||
        get16(p + 8) != e->method)
        return malformed("its two headers differ in name or method");
    if ((e->flags | get16(p + 6)) & FLAG_ENCRYPTED) return malformed("it is encrypted");
    uint64_t rest = room - head - e->packed;
    if (e->flags & FLAG_DESCRIPTOR) {
        if (rest < 12 || rest > 24 || rest % 4) return malformed("a data descriptor is missing");
    } else {
        uint32_t packed = get32(p + 18), size = get32(p + 22);
        if (rest) return malformed("bytes that belong to no entry follow it");
        if (get32(p + 14) != e->crc || (packed != IS_ZIP64 && packed != e->packed) ||
            (size != IS_ZIP64 && size != e->size))
            return malformed("its two headers differ in size or checksum");
    }
    *data = p + LOCAL_SIZE + head;
    return STATUS_OK;
}

/* Is the array what its comment says? (Other programs may have put another one under the name.) */
static int is_value(const struct array *a, enum entry_kind kind)
{
    if (a->rank) return 0;
    if (kind == ENTRY_BOOLEAN) return a->dtype == UINT8 && array_get(a, 0) <= 1;
    return a->dtype == INT64 || a->dtype == FLOAT64;
}

static enum status check_and_read(struct tensor **out, struct npz_entry *e, const unsigned char *data,
                                  size_t limit)
{
    uint32_t crc = (uint32_t)crc32_z(0, data, (size_t)e->size);
    if (crc != e->crc)
        return status_set(STATUS_FORMAT, "the checksum is %08x, the file says %08x: the data are damaged",
                          (unsigned)crc, (unsigned)e->crc);
    if (text_npy_is(data, (size_t)e->size)) {
        e->kind = ENTRY_TEXT;
        return text_npy_read(out, data, (size_t)e->size);
    }
    TRY(npy_read(out, data, (size_t)e->size, limit));
    if (e->kind != ENTRY_TENSOR && !is_value(&(*out)->array, e->kind)) e->kind = ENTRY_TENSOR;
    return STATUS_OK;
}

/* Larger entries are unpacked only when their header says the same size; of smaller ones the checksum tells
 * damage better. */
#define TRUSTED ((size_t)16 << 20)

static enum status check_head(const struct npz_entry *e, const unsigned char *data, size_t limit)
{
    if (e->size <= TRUSTED) return STATUS_OK;
    unsigned char *head = memory_alloc(NPY_HEADER_LIMIT);
    if (!head) return memory_status();
    enum status status = file_inflate_head(head, NPY_HEADER_LIMIT, data, (size_t)e->packed);
    if (status == STATUS_OK) status = npy_check(head, (size_t)e->size, limit);
    memory_free(head);
    return status;
}

static enum status read_array(struct tensor **out, struct npz_entry *e, const unsigned char *data,
                              size_t *budget)
{
    if (e->method == 0)
        return e->packed == e->size ? check_and_read(out, e, data, SIZE_MAX)
                                    : malformed("a stored entry has two sizes");
    if (e->method != 8)
        return status_set(STATUS_FORMAT,
                          "compression method %u is not supported; readable are stored and deflated",
                          e->method);
    if (e->size / FILE_RATIO_LIMIT > e->packed)
        return status_set(STATUS_FORMAT, "%llu packed bytes cannot unpack to the %llu that the header says",
                          (unsigned long long)e->packed, (unsigned long long)e->size);
    if (e->size > *budget)
        return status_set(STATUS_FORMAT, "it would unpack to %llu bytes; %zu are left of the limit",
                          (unsigned long long)e->size, *budget);
    TRY(check_head(e, data, *budget));
    unsigned char *unpacked = memory_alloc((size_t)e->size);
    if (!unpacked) return memory_status();
    enum status status = file_inflate(unpacked, (size_t)e->size, data, (size_t)e->packed);
    if (status == STATUS_OK) status = check_and_read(out, e, unpacked, *budget);
    memory_free(unpacked);
    if (status != STATUS_OK) return status;
    size_t widened = array_bytes(&(*out)->array);
    *budget -= widened > e->size ? widened : (size_t)e->size;
    return STATUS_OK;
}

/* Length of the name without ".npy", of the whole name when it has another end. */
static size_t stem_length(const struct npz_entry *e)
{
    int array = e->name_length >= SUFFIX_SIZE &&
                memcmp(e->name + e->name_length - SUFFIX_SIZE, SUFFIX, SUFFIX_SIZE) == 0;
    return e->name_length - (array ? SUFFIX_SIZE : 0);
}

/* The entries but one, for messages. */
static struct name_listing list_names(const struct npz_entry *entries, uint64_t n, uint64_t except)
{
    struct name_listing listing = {0};
    for (uint64_t i = 0; i < n && !listing.full; i++)
        if (i != except) name_listing_add(&listing, entries[i].name, stem_length(&entries[i]));
    return listing;
}

static enum status read_entry(struct tensor_list *list, const unsigned char *bytes, uint64_t next,
                              struct npz_entry *e, size_t *budget)
{
    const unsigned char *data = NULL;
    struct tensor *t = NULL;
    TRY(locate(bytes, next, e, &data));
    if (!tensor_list_wants(list, e->name, stem_length(e))) return STATUS_OK;
    if (stem_length(e) == e->name_length) return status_set(STATUS_UNSUPPORTED, "it is no " SUFFIX " array");
    TRY(read_array(&t, e, data, budget));
    enum status status = tensor_list_add_kind(list, e->name, stem_length(e), t, e->kind);
    if (status != STATUS_OK) tensor_release(t);
    return status;
}

static enum status read_all(struct tensor_list *list, const unsigned char *bytes, const struct directory *d,
                            struct npz_entry *entries, size_t budget)
{
    if ((d->count ? entries[0].offset : d->offset) != 0)
        return malformed("bytes that belong to no entry stand at its start");
    if (d->count && entries[d->count - 1].offset > d->offset)
        return malformed("an entry lies behind the central directory");
    for (uint64_t i = 0; i < d->count; i++) {
        struct npz_entry *e = &entries[i];
        enum status status =
            read_entry(list, bytes, i + 1 < d->count ? entries[i + 1].offset : d->offset, e, &budget);
        if (status == STATUS_OK) continue;
        status_prefix(status, "entry \"%.*s\"", e->name_length > 100 ? 100 : (int)e->name_length, e->name);
        struct name_listing others = list_names(entries, d->count, i);
        return status == STATUS_UNSUPPORTED && others.used ? status_append(status, NAMES_HINT, others.text)
                                                           : status;
    }
    TRY(tensor_list_check_unique(list));
    struct name_listing all = list_names(entries, d->count, d->count);
    return tensor_list_check_found(list, &all);
}

enum status npz_read(struct tensor_list *list, const unsigned char *bytes, size_t size, size_t limit)
{
    struct directory d = {0};
    TRY(find_directory(bytes, size, &d));
    struct npz_entry *entries = memory_alloc((size_t)d.count * sizeof *entries);
    if (!entries) return memory_status();
    enum status status = read_entries(bytes, &d, entries);
    if (status == STATUS_OK) {
        qsort(entries, (size_t)d.count, sizeof *entries, by_offset);
        status = read_all(list, bytes, &d, entries, limit);
    }
    memory_free(entries);
    return status;
}
