#include "io/idx.h"

static const struct {
    int code;
    enum raw_kind kind;
} types[] = {{0x08, RAW_U8},  {0x09, RAW_I8},  {0x0b, RAW_I16},
             {0x0c, RAW_I32}, {0x0d, RAW_F32}, {0x0e, RAW_F64}};

#define TYPE_COUNT (sizeof types / sizeof types[0])
#define HEADER_LIMIT (4 + 4 * MAX_RANK)

/* The header of a file whose first `size` bytes are given, and where its elements start. */
static enum status read_header(struct raw_layout *layout, size_t *start, const unsigned char *bytes,
                               size_t size)
{
    *layout = (struct raw_layout){.big_endian = 1};
    if (size < 4 || bytes[0] != 0 || bytes[1] != 0)
        return status_set(STATUS_FORMAT, "it is no idx file (%s)",
                          size < 4 ? "too short" : "the first two bytes are not 0");
    size_t type = 0;
    while (type < TYPE_COUNT && types[type].code != bytes[2]) type++;
    if (type == TYPE_COUNT)
        return status_set(STATUS_FORMAT, "unknown idx element type 0x%02x; known are 08, 09, 0b, 0c, 0d, 0e",
                          (unsigned)bytes[2]);
    layout->kind = types[type].kind;
    layout->rank = bytes[3];
    if (layout->rank < 1 || layout->rank > MAX_RANK)
        return status_set(STATUS_FORMAT, "the idx header says %d axes; 1 to %d are possible", layout->rank,
                          MAX_RANK);
    *start = 4 + 4 * (size_t)layout->rank;
    if (size < *start)
        return status_set(STATUS_FORMAT, "the idx header needs %zu bytes, the file holds %zu", *start, size);
    for (int i = 0; i < layout->rank; i++) layout->shape[i] = (int64_t)raw_big(bytes + 4 + 4 * i, 4);
    return STATUS_OK;
}

enum status idx_read(struct tensor **out, const unsigned char *bytes, size_t size, size_t limit)
{
    struct raw_layout layout;
    size_t start;
    TRY(read_header(&layout, &start, bytes, size));
    return raw_read(out, &layout, bytes + start, size - start, limit);
}

/* The header is unpacked first; it says how many bytes there must be, and at most one more is unpacked. */
static enum status unpack(struct file_bytes *out, const struct file_bytes *packed, size_t limit)
{
    struct file_bytes head;
    struct raw_layout layout;
    size_t start, size, widened;
    TRY(file_gunzip_head(&head, packed, HEADER_LIMIT));
    enum status status = read_header(&layout, &start, head.data, head.size);
    file_bytes_free(&head);
    TRY(status);
    TRY(raw_bytes(&layout, &size, &widened));
    size += start;
    if (size > limit || widened > limit)
        return status_set(STATUS_FORMAT,
                          "header says %zu bytes: the gzip data unpack to more than %zu bytes (the limit)",
                          size > widened ? size : widened, limit);
    if (size / FILE_RATIO_LIMIT > packed->size)
        return status_set(STATUS_FORMAT, "%zu packed bytes cannot unpack to the %zu that the header says",
                          packed->size, size);
    status = file_gunzip(out, packed, size + 1);
    return status == STATUS_FORMAT ? status_prefix(status, "header says %zu bytes", size) : status;
}

enum status idx_load(struct tensor **out, const char *path, size_t limit)
{
    struct file_bytes bytes, unpacked = {0};
    TRY(file_read(&bytes, path, FILE_READ_LIMIT));
    enum status status = STATUS_OK;
    int packed = file_is_gzip(&bytes);
    if (packed) {
        status = unpack(&unpacked, &bytes, limit);
        file_bytes_free(&bytes);
        bytes = unpacked;
    }
    if (status == STATUS_OK) status = idx_read(out, bytes.data, bytes.size, packed ? limit : SIZE_MAX);
    file_bytes_free(&bytes);
    return status;
}
