/* raw.h -- the bare elements of a file <-> a tensor.
 *
 * Every format here is a small header in front of plain elements. Headers differ, elements do not: a
 * raw_layout says how they lie, and one function turns them into a row-major tensor. Element types that the
 * engine lacks are widened (bool -> uint8, the other integers -> int64, half precision and bfloat16 ->
 * float32), so that no value is ever lost. */
#ifndef IO_RAW_H
#define IO_RAW_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "tensor/tensor.h"

enum raw_kind {
    RAW_BOOL,
    RAW_U8,
    RAW_I8,
    RAW_I16,
    RAW_U16,
    RAW_I32,
    RAW_U32,
    RAW_I64,
    RAW_U64,
    RAW_F16,
    RAW_BF16,
    RAW_F32,
    RAW_F64,
    RAW_KIND_COUNT
};

struct raw_layout {
    enum raw_kind kind;
    int big_endian;
    int fortran; /* column-major */
    int rank;
    int64_t shape[MAX_RANK];
};

/* The kind of a name in one of the formats; each format reads its own column. -1 when unknown. */
enum raw_format { RAW_NPY, RAW_SAFETENSORS };
int raw_find(enum raw_format format, const char *name, size_t length);
const char *raw_name(enum raw_format format, enum dtype dtype);
/* The names of the column that can be read, for error messages: "f4, f8, ...". */
const char *raw_names(enum raw_format format);

/* Bytes of the elements in the file and in the tensor. Errors: STATUS_FORMAT for rank > MAX_RANK, an extent
 * outside 0..MAX_DIM, a product beyond 2^63. */
enum status raw_bytes(const struct raw_layout *layout, size_t *bytes, size_t *widened);

/* Are these the `size` bytes that the layout needs, and has the tensor at most `limit`? Errors: those of
 * raw_bytes; STATUS_FORMAT, the message says both numbers. */
enum status raw_check(const struct raw_layout *layout, size_t size, size_t limit);

/* A new row-major tensor of at most `limit` bytes from exactly `size` bytes. Allocates nothing before the
 * sizes have been found right. Errors: those of raw_check; STATUS_UNSUPPORTED: a uint64 beyond int64;
 * STATUS_MEMORY. */
enum status raw_read(struct tensor **out, const struct raw_layout *layout, const unsigned char *bytes,
                     size_t size, size_t limit);

/* Where written bytes go; also used for checksums and for counting. */
typedef enum status raw_sink(void *context, const void *bytes, size_t n);

/* The elements in row-major order, little-endian, whatever the strides of `a`. Allocates nothing. */
enum status raw_write(const struct array *a, raw_sink *sink, void *context);

/* Little- and big-endian unsigned integers of 1 to 8 bytes. */
uint64_t raw_little(const unsigned char *p, int bytes);
uint64_t raw_big(const unsigned char *p, int bytes);
void raw_put_little(unsigned char *p, int bytes, uint64_t value);

#endif
