/* npy.h -- NumPy's array format (numpy.lib.format, versions 1.0 to 3.0): magic, version, header length, a Python dict, raw
 * elements.
 *
 * Read: f4 f8 i1 i2 i4 i8 u1 u2 u4 b1 of either byte order, C or Fortran order; bool becomes uint8, the other integers int64.
 * Written: version 1.0, C order, little-endian, elements at a multiple of 64 bytes. The header is parsed by a strict grammar and
 * never executed; objects (pickles), structured and complex types are refused. */
#ifndef IO_NPY_H
#define IO_NPY_H

#include "io/file.h"
#include "io/raw.h"

/* One array from the bytes of a whole .npy file. Errors: STATUS_FORMAT, STATUS_MEMORY. */
enum status npy_read(struct tensor **out, const unsigned char *bytes, size_t size);

/* Does the header fit a file of `size` bytes? Looks at the first NPY_HEADER_LIMIT bytes at most. Errors: STATUS_FORMAT. */
#define NPY_HEADER_LIMIT ((size_t)65548)
enum status npy_check(const unsigned char *bytes, size_t size);

/* Header and elements to a sink. */
enum status npy_write(const struct array *a, raw_sink *sink, void *context);
/* Bytes that npy_write produces. */
size_t npy_size(const struct array *a);

/* Whole files; save is atomic. Errors: those above and STATUS_IO. */
enum status npy_load(struct tensor **out, const char *path);
enum status npy_save(const char *path, const struct array *a);

#endif
