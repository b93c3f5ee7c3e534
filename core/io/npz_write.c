/* The writing half of npz.h. */
#include "io/npz.h"

#include <string.h>
#include <zlib.h>

#include "base/memory.h"
#include "io/npy.h"
#include "io/text.h"

#define SUFFIX ".npy"
#define SUFFIX_SIZE 4
#define LOCAL_SIZE 30
#define CENTRAL_SIZE 46
#define END_SIZE 22
#define FLAG_UTF8 0x800u
#define FIRST_DAY 0x21 /* 1980-01-01: equal tensors make equal files */

/* What an entry of the list is in the file: its comment, its size, its bytes. */
static const char *comment_of(const struct tensor_list *list, int i)
{
    return list->kinds[i] == ENTRY_NUMBER ? NPZ_NUMBER : list->kinds[i] == ENTRY_BOOLEAN ? NPZ_BOOLEAN : "";
}

static size_t size_of(const struct tensor_list *list, int i)
{
    const struct array *a = &list->tensors[i]->array;
    return list->kinds[i] == ENTRY_TEXT ? text_npy_size(a) : npy_size(a);
}

static enum status write_entry(const struct tensor_list *list, int i, raw_sink *sink, void *context)
{
    const struct array *a = &list->tensors[i]->array;
    if (list->kinds[i] == ENTRY_TEXT) return text_npy_write(a, sink, context);
    if (list->kinds[i] == ENTRY_BOOLEAN) return npy_write_as(a, "b1", sink, context);
    return npy_write(a, sink, context);
}

static enum status check(const struct tensor_list *list)
{
    uint64_t total = END_SIZE;
    if (list->n >= 65535)
        return status_set(STATUS_UNSUPPORTED,
                          "a .npz file holds at most 65534 arrays, got %d; use .safetensors", list->n);
    for (int i = 0; i < list->n; i++) {
        size_t name = strlen(list->names[i]);
        if (name == 0 || name > 65535 - SUFFIX_SIZE)
            return status_set(STATUS_FORMAT, "a name in a .npz file has 1 to %d bytes, \"%.60s\" has %zu",
                              65535 - SUFFIX_SIZE, list->names[i], name);
        total += LOCAL_SIZE + CENTRAL_SIZE + 2 * (name + SUFFIX_SIZE) + strlen(comment_of(list, i)) +
                 size_of(list, i);
    }
    if (total >= 0xffffffffu)
        return status_set(
            STATUS_UNSUPPORTED,
            "a .npz file is written below 4 GiB only, this one needs %llu bytes; use .safetensors",
            (unsigned long long)total);
    return tensor_list_check_unique(list);
}

static enum status add_crc(void *context, const void *bytes, size_t n)
{
    uLong *crc = context;
    *crc = crc32_z(*crc, bytes, n);
    return STATUS_OK;
}

static unsigned name_flags(const char *name)
{
    for (; *name; name++)
        if ((unsigned char)*name >= 0x80) return FLAG_UTF8;
    return 0;
}

/* The 26 bytes that the local and the central header share, from "version needed" on. */
static void put_common(unsigned char *p, const char *name, size_t size, uint32_t crc)
{
    raw_put_little(p, 2, 20);
    raw_put_little(p + 2, 2, name_flags(name));
    raw_put_little(p + 4, 2, 0); /* stored */
    raw_put_little(p + 6, 2, 0);
    raw_put_little(p + 8, 2, FIRST_DAY);
    raw_put_little(p + 10, 4, crc);
    raw_put_little(p + 14, 4, size);
    raw_put_little(p + 18, 4, size);
    raw_put_little(p + 22, 2, strlen(name) + SUFFIX_SIZE);
    raw_put_little(p + 24, 2, 0);
}

static enum status put_header(raw_sink *sink, void *context, const unsigned char *header, size_t n,
                              const char *name)
{
    TRY(sink(context, header, n));
    TRY(sink(context, name, strlen(name)));
    return sink(context, SUFFIX, SUFFIX_SIZE);
}

static enum status put_entry(raw_sink *sink, void *context, const struct tensor_list *list, int i,
                             uint32_t *crc)
{
    unsigned char header[LOCAL_SIZE] = "PK\x03\x04";
    uLong sum = 0;
    TRY(write_entry(list, i, add_crc, &sum)); /* the header comes first and holds the checksum */
    *crc = (uint32_t)sum;
    put_common(header + 4, list->names[i], size_of(list, i), *crc);
    TRY(put_header(sink, context, header, sizeof header, list->names[i]));
    return write_entry(list, i, sink, context);
}

static enum status put_directory(raw_sink *sink, void *context, const struct tensor_list *list,
                                 const uint32_t *crcs)
{
    uint64_t offset = 0, size = 0;
    for (int i = 0; i < list->n; i++) {
        unsigned char header[CENTRAL_SIZE] = "PK\x01\x02\x14\x03"; /* made by version 2.0 under Unix */
        size_t name = strlen(list->names[i]) + SUFFIX_SIZE, bytes = size_of(list, i);
        const char *comment = comment_of(list, i);
        put_common(header + 6, list->names[i], bytes, crcs[i]);
        raw_put_little(header + 32, 2, strlen(comment));
        raw_put_little(header + 38, 4, 0100644u << 16); /* a plain file, for those who unzip it */
        raw_put_little(header + 42, 4, offset);
        TRY(put_header(sink, context, header, sizeof header, list->names[i]));
        TRY(sink(context, comment, strlen(comment)));
        offset += LOCAL_SIZE + name + bytes;
        size += CENTRAL_SIZE + name + strlen(comment);
    }
    unsigned char end[END_SIZE] = "PK\x05\x06";
    raw_put_little(end + 8, 2, (uint64_t)list->n);
    raw_put_little(end + 10, 2, (uint64_t)list->n);
    raw_put_little(end + 12, 4, size);
    raw_put_little(end + 16, 4, offset);
    return sink(context, end, sizeof end);
}

enum status npz_write(const struct tensor_list *list, raw_sink *sink, void *context)
{
    TRY(check(list));
    uint32_t *crcs = memory_alloc((size_t)list->n * sizeof *crcs);
    if (!crcs) return memory_status();
    enum status status = STATUS_OK;
    for (int i = 0; i < list->n && status == STATUS_OK; i++)
        status = put_entry(sink, context, list, i, &crcs[i]);
    if (status == STATUS_OK) status = put_directory(sink, context, list, crcs);
    memory_free(crcs);
    return status;
}

enum status npz_save(const char *path, const struct tensor_list *list)
{
    struct file_writer *writer;
    TRY(file_writer_open(&writer, path));
    return file_writer_close(writer, npz_write(list, file_writer_write, writer));
}
