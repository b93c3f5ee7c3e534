/* jpeg.h -- photographs: a JPEG file (ISO/IEC 10918-1, JFIF) as a tensor of bytes C,H,W.
 *
 * C is 1 (grey) or 3 (RGB). Baseline and progressive files of 8 bits with Huffman coding are read, as they
 * are stored (a rotation that EXIF asks for is not applied); four colours (CMYK) and arithmetic coding are
 * refused. Whatever the decoder would warn about and guess (missing data, broken codes) is an error. There is
 * no checksum in the format: damage that leaves valid codes is not seen. Bytes after the end of the picture
 * are ignored, since cameras put previews there. Values are those of libjpeg's accurate integer transform.
 * The decoder allocates by malloc, not by base/memory.h, and frees it whatever happens. */
#ifndef IO_JPEG_H
#define IO_JPEG_H

#include "io/file.h"
#include "tensor/tensor.h"

/* One picture from the bytes of a whole file, of at most `limit` bytes of pixels. Errors: STATUS_FORMAT,
 * STATUS_MEMORY. */
enum status jpeg_read(struct tensor **out, const unsigned char *bytes, size_t size, size_t limit);

#endif
