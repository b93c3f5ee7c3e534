/* file.h -- whole files in and out, safely.
 *
 * In: only regular files, only up to a limit, never blocking on a FIFO or a device. gzip is unpacked in a
 * stream whose output is bounded. Out: bytes go to a temporary file in the same folder, which takes the
 * target's name in one step after it has reached the disk: a reader, a crash or a full disk sees the old file
 * or the new one, never a part. Messages do not repeat the path; callers prefix it. */
#ifndef IO_FILE_H
#define IO_FILE_H

#include <stddef.h>

#include "base/status.h"

/* Largest file that is read whole, and the usual bound of what a compressed file may unpack to. */
#define FILE_READ_LIMIT ((size_t)64 << 30)
#define FILE_UNPACK_LIMIT ((size_t)2 << 30)
/* Deflate cannot shrink by more than 1032:1, so whoever claims more lies. */
#define FILE_RATIO_LIMIT 1100

struct file_bytes {
    unsigned char *data; /* owned, from memory_alloc */
    size_t size;
};

/* The whole file. Errors: STATUS_IO: cannot be opened or read, is no regular file, changes while it is read;
 * STATUS_FORMAT: larger than `limit`; STATUS_MEMORY. Symbolic links are followed. */
enum status file_read(struct file_bytes *out, const char *path, size_t limit);
void file_bytes_free(struct file_bytes *bytes);

/* Does it start with 1f 8b? */
int file_is_gzip(const struct file_bytes *bytes);

/* Unpack gzip (RFC 1952, any number of members). Errors: STATUS_FORMAT: broken, truncated, bytes after the
 * end, or more than `limit` bytes come out; STATUS_MEMORY. */
enum status file_gunzip(struct file_bytes *out, const struct file_bytes *packed, size_t limit);

/* Unpack no more than the first `n` bytes, or all when there are fewer: out->size tells. For headers, which
 * say how much there is to come: whoever trusts the data instead pays gigabytes for a small file that lies.
 * Errors: as above. */
enum status file_gunzip_head(struct file_bytes *out, const struct file_bytes *packed, size_t n);

/* Unpack a raw deflate stream of `n` bytes into exactly `size` bytes at `to`. Errors: STATUS_FORMAT,
 * STATUS_MEMORY. */
enum status file_inflate(unsigned char *to, size_t size, const unsigned char *from, size_t n);
/* The first `size` bytes of it; there must be so many. */
enum status file_inflate_head(unsigned char *to, size_t size, const unsigned char *from, size_t n);

/* ---- writing: open, write..., close ----
 *
 * A writer remembers its first failure: whatever is asked of it afterwards fails with the same words, and
 * nothing is installed. */
struct file_writer;

/* Errors: STATUS_IO: the folder is missing or not writable, the target is write-protected or no regular file;
 * STATUS_MEMORY. A symbolic link to a file is written through. A new file gets mode 0666 less the umask, an
 * old one keeps its mode. */
enum status file_writer_open(struct file_writer **out, const char *path);

/* A raw_sink; the context is the writer. */
enum status file_writer_write(void *writer, const void *bytes, size_t n);

/* Hand what was written so far to the system: it stands in the temporary file then. */
enum status file_writer_flush(struct file_writer *writer);
/* Path of the temporary file; borrowed. */
const char *file_writer_temporary(const struct file_writer *writer);

/* Free the writer. With STATUS_OK (all went well so far) first flush, fsync, rename and fsync the folder;
 * otherwise remove the temporary and return `status`. A program that ends by exit() removes it too. On any
 * failure the old file is untouched; only when the folder's fsync fails is the new one in place already. */
enum status file_writer_close(struct file_writer *writer, enum status status);

#endif
