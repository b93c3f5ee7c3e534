/* png.h -- pictures: PNG (ISO/IEC 15948) <-> a tensor of bytes C,H,W.
 *
 * C is 1 (grey), 2 (grey, alpha), 3 (RGB) or 4 (RGBA); palettes are resolved, 1, 2 and 4 bits are stretched
 * to 8, 16 bits are refused because they would lose values. A file that states another gamma than sRGB's is
 * converted to sRGB. The chunks of a file must carry right checksums and fill it. Decoding is libpng's
 * simplified interface, which allocates (some 100 KB and a few rows) by malloc, not by base/memory.h, and
 * frees it whatever happens. */
#ifndef IO_PNG_H
#define IO_PNG_H

#include "io/file.h"
#include "io/raw.h"

/* One picture from the bytes of a whole file, of at most `limit` bytes of pixels. Errors: STATUS_FORMAT,
 * STATUS_MEMORY. */
enum status png_read(struct tensor **out, const unsigned char *bytes, size_t size, size_t limit);

/* `a` is H,W or C,H,W of uint8, or of floats that stand for [0, 1]: outside they are clamped. Errors:
 * STATUS_SHAPE; STATUS_DTYPE; STATUS_ARGUMENT: NaN; STATUS_UNSUPPORTED: too large; STATUS_MEMORY. */
enum status png_write(const struct array *a, raw_sink *sink, void *context);

/* A whole file, atomically. Errors: those above and STATUS_IO. */
enum status png_save(const char *path, const struct array *a);

#endif
