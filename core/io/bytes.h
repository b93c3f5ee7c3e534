/* bytes.h -- a whole file as a tensor of bytes, for formats that are parsed in Lua. */
#ifndef IO_BYTES_H
#define IO_BYTES_H

#include "io/file.h"
#include "tensor/tensor.h"

/* uint8, one axis. The file may be gzip (told by its first bytes) of at most `limit` unpacked bytes. Errors:
 * those of file_read and file_gunzip. */
enum status bytes_load(struct tensor **out, const char *path, size_t limit);

#endif
