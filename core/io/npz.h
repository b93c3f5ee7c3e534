/* npz.h -- NumPy's archive: a zip file whose entry "name.npy" is one array (APPNOTE.TXT 6.3.3 of PKWARE,
 * numpy.savez).
 *
 * Read: stored and deflated entries, zip64 records, data descriptors; the central directory, the local
 * headers and the checksums must agree and the entries must fill the file without gap or overlap. Written:
 * stored, dates fixed, so that equal tensors make equal files; below 4 GiB. Entry names are names of tensors,
 * never paths.
 *
 * Plain values: a text is what numpy.savez makes of a str, a 0-d array '<U7'; numbers and booleans are 0-d
 * arrays as well, whose entries have the comment "number" or "boolean", so that an array of no axes remains
 * one. */
#ifndef IO_NPZ_H
#define IO_NPZ_H

#include "io/file.h"
#include "io/raw.h"
#include "io/tensor_list.h"

#define NPZ_NUMBER "number"
#define NPZ_BOOLEAN "boolean"

/* Append the arrays of a whole file (those that list->wanted names) to `list` in the order in which they lie
 * in it. All deflated entries together may unpack to at most `limit` bytes, in the file's dtypes and in the
 * tensors'. On failure the list may hold some of the arrays. Errors: STATUS_FORMAT (naming the entry),
 * STATUS_UNSUPPORTED: an entry that is no array or has a dtype that cannot be read, STATUS_ARGUMENT: a wanted
 * name is not there, STATUS_MEMORY. */
enum status npz_read(struct tensor_list *list, const unsigned char *bytes, size_t size, size_t limit);

/* Errors: STATUS_FORMAT: names that are empty, double or too long; STATUS_UNSUPPORTED: 4 GiB or 65535 entries
 * and more. */
enum status npz_write(const struct tensor_list *list, raw_sink *sink, void *context);

/* A whole file, atomically. Errors: those above and STATUS_IO. */
enum status npz_save(const char *path, const struct tensor_list *list);

#endif
