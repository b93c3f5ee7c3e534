/* npy.h -- NumPy's array format (numpy.lib.format, versions 1.0 to 3.0): magic, version, header length, a
 * Python dict, raw elements.
 *
 * Read: f2 f4 f8 i1 i2 i4 i8 u1 u2 u4 u8 b1 of either byte order, C or Fortran order, widened as raw.h says.
 * Written: version 1.0, C order, little-endian, elements at a multiple of 64 bytes. The header is parsed by a
 * strict grammar and never executed; objects (pickles), structured and complex types are refused. */
#ifndef IO_NPY_H
#define IO_NPY_H

#include "io/file.h"
#include "io/raw.h"

/* One array of at most `limit` bytes from the bytes of a whole .npy file. Errors: STATUS_FORMAT,
 * STATUS_MEMORY; STATUS_UNSUPPORTED: a dtype that is not in the list above, a uint64 beyond int64. */
enum status npy_read(struct tensor **out, const unsigned char *bytes, size_t size, size_t limit);

/* Does the header fit a file of `size` bytes and a tensor of at most `limit`? Looks at the first
 * NPY_HEADER_LIMIT bytes at most. Errors: STATUS_FORMAT, STATUS_UNSUPPORTED. */
#define NPY_HEADER_LIMIT ((size_t)65548)
enum status npy_check(const unsigned char *bytes, size_t size, size_t limit);

/* Header and elements to a sink. */
enum status npy_write(const struct array *a, raw_sink *sink, void *context);
/* The same with elements of one byte called by another name: "b1" makes booleans of a uint8. */
enum status npy_write_as(const struct array *a, const char *name, raw_sink *sink, void *context);
/* Bytes that npy_write produces. */
size_t npy_size(const struct array *a);

/* A whole file, atomically. Errors: those above and STATUS_IO. */
enum status npy_save(const char *path, const struct array *a);

#endif
