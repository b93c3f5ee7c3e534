/* idx.h -- the format of MNIST: 00 00, element type, number of axes, one big-endian uint32 per axis,
 * big-endian elements.
 *
 * Element types: 08 uint8, 09 int8, 0B int16, 0C int32, 0D float32, 0E float64. */
#ifndef IO_IDX_H
#define IO_IDX_H

#include "io/file.h"
#include "io/raw.h"

/* One array of at most `limit` bytes from those of a whole (unpacked) file. Errors: STATUS_FORMAT,
 * STATUS_MEMORY. */
enum status idx_read(struct tensor **out, const unsigned char *bytes, size_t size, size_t limit);

/* From a file, which may be gzip (told by its first bytes, not by its name): then neither the unpacked bytes
 * nor the tensor may be more than `limit`. */
enum status idx_load(struct tensor **out, const char *path, size_t limit);

#endif
