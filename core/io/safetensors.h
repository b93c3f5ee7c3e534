/* safetensors.h -- the format of Hugging Face (github.com/huggingface/safetensors, README "Format"): 8 bytes
 * header length, a JSON header {"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [begin, end]},
 * ...}, raw little-endian elements.
 *
 * Read: F16 BF16 F32 F64 I8 I16 I32 I64 U8 U16 U32 U64 BOOL (widened as raw.h says); the tensors must fill
 * the data part without gap or overlap. Written: F32 F64 I64 U8, the wide elements first so that all are
 * aligned, the header padded with spaces to 8. Texts are written as "__metadata__", an object of strings,
 * with the mark "tide:values": "1" among them, and read where this mark is; other metadata are checked and
 * skipped. */
#ifndef IO_SAFETENSORS_H
#define IO_SAFETENSORS_H

#include "io/file.h"
#include "io/raw.h"
#include "io/tensor_list.h"

#define SAFETENSORS_HEADER_LIMIT 100000000
#define SAFETENSORS_METADATA "__metadata__"
#define SAFETENSORS_MARK "tide:values"

/* Append the tensors of a whole file (those that list->wanted names) to `list` in the order of their data. On
 * failure the list may hold some of them. Errors: STATUS_FORMAT (naming the tensor or the byte),
 * STATUS_UNSUPPORTED: a dtype that cannot be read, a uint64 beyond int64, STATUS_ARGUMENT: a wanted name is
 * not there, STATUS_MEMORY. */
enum status safetensors_read(struct tensor_list *list, const unsigned char *bytes, size_t size);

/* Numbers and booleans must have been made texts. Errors: STATUS_FORMAT: names that are empty, double,
 * "__metadata__" or no UTF-8, a header above the limit; STATUS_MEMORY. */
enum status safetensors_write(const struct tensor_list *list, raw_sink *sink, void *context);

/* A whole file, atomically. Errors: those above and STATUS_IO. */
enum status safetensors_save(const char *path, const struct tensor_list *list);

#endif
