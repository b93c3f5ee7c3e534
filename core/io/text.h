/* text.h -- texts among arrays: the bytes of UTF-8 as a uint8 tensor of one axis, and NumPy's way to store
 * one in a .npy file, a 0-d array of 32-bit code points ('<U7'). */
#ifndef IO_TEXT_H
#define IO_TEXT_H

#include "io/raw.h"

/* A tensor of n bytes. Errors: STATUS_MEMORY; STATUS_FORMAT: more than MAX_DIM. */
enum status text_new(struct tensor **out, const char *bytes, size_t n);

/* STATUS_FORMAT: the bytes are no UTF-8, or one of them is NUL, which neither format keeps. */
enum status text_check(const unsigned char *bytes, size_t n);

/* Is this a whole .npy file, of version 1.0, that holds one text? */
int text_npy_is(const unsigned char *bytes, size_t size);
/* The text of such a file; NULs at its end are padding. Errors: STATUS_FORMAT: no code point; STATUS_MEMORY.
 */
enum status text_npy_read(struct tensor **out, const unsigned char *bytes, size_t size);

/* The file of a text that text_check finds good, and its size. */
size_t text_npy_size(const struct array *text);
enum status text_npy_write(const struct array *text, raw_sink *sink, void *context);

#endif
