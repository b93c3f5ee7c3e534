#include "io/bytes.h"

#include "io/raw.h"

enum status bytes_load(struct tensor **out, const char *path, size_t limit)
{
    struct file_bytes bytes, unpacked = {0};
    TRY(file_read(&bytes, path, FILE_READ_LIMIT));
    enum status status = STATUS_OK;
    if (file_is_gzip(&bytes)) {
        status = file_gunzip(&unpacked, &bytes, limit);
        file_bytes_free(&bytes);
        bytes = unpacked;
    }
    struct raw_layout layout = {.kind = RAW_U8, .rank = 1, .shape = {(int64_t)bytes.size}};
    if (status == STATUS_OK) status = raw_read(out, &layout, bytes.data, bytes.size, SIZE_MAX);
    file_bytes_free(&bytes);
    return status;
}
