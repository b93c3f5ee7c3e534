/* mat.h -- the arrays of a MATLAB 5 file (version 5 to 7, "MAT-File Format" by MathWorks), as MATLAB, Octave
 * and scipy.io.savemat write them.
 *
 * Read: real numeric and logical arrays, packed by zlib or not, of either byte order. An array that MATLAB
 * calls double is float64 also where its file keeps small whole numbers in fewer bytes; integers that the
 * engine lacks are int64. The axes are those of MATLAB: a size of 32 x 32 x 3 x 73257 is a tensor of that
 * shape. Cells, structures, texts, sparse and complex arrays are errors when they are to be read. Version 7.3
 * is HDF5, and refused. */
#ifndef IO_MAT_H
#define IO_MAT_H

#include "io/file.h"
#include "io/tensor_list.h"

/* Append the arrays of a whole file (those that list->wanted names) to `list` in the order in which they lie
 * in it. A packed array may unpack to at most `limit` bytes, in the file and as a tensor. On failure the list
 * may hold some of the arrays. Errors: STATUS_FORMAT (naming the array where its name is known),
 * STATUS_UNSUPPORTED: an array of a kind that cannot be read, STATUS_ARGUMENT: a wanted name is not there,
 * STATUS_MEMORY. */
enum status mat_read(struct tensor_list *list, const unsigned char *bytes, size_t size, size_t limit);

#endif
