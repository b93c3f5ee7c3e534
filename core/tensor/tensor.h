/* tensor.h -- numbers: dtype, shape, strides, and a counted reference to storage.
 *
 * `struct array` is the plain description that kernels see: where the numbers are and how they are laid out.
 * Strides count elements and may be zero (broadcast) or negative (reversed). `struct tensor` is an array that
 * owns a reference to its storage; views share it. Row-major order; in C, axes and indices are 0-based. */
#ifndef TENSOR_TENSOR_H
#define TENSOR_TENSOR_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

#define MAX_RANK 8
#define MAX_DIM INT64_C(2147483647) /* largest extent of one axis */

enum dtype { FLOAT32, FLOAT64, INT64, UINT8, DTYPE_COUNT };

struct array {
    enum dtype dtype;
    int rank;
    int64_t shape[MAX_RANK];
    int64_t stride[MAX_RANK]; /* in elements */
    void *data;
};

struct storage;

struct tensor {
    int refs;
    struct array array;
    struct storage *storage;
};

/* ---- dtypes ---- */
const char *dtype_name(enum dtype dtype); /* "float32", ... */
size_t dtype_size(enum dtype dtype);      /* bytes of one element */
int dtype_is_float(enum dtype dtype);
/* Find by name; STATUS_DTYPE with the list of names when unknown. */
enum status dtype_find(const char *name, enum dtype *out);
/* Result of mixing two dtypes: float64 over float32 over int64 over uint8. */
enum dtype dtype_promote(enum dtype a, enum dtype b);

/* ---- arrays (layout only, nothing is allocated) ---- */
/* Fill dtype, shape and row-major strides; data = NULL. Errors: rank > MAX_RANK, extent < 0 or > MAX_DIM,
 * byte size overflow. */
enum status array_init(struct array *a, enum dtype dtype, int rank, const int64_t *shape);
int64_t array_numel(const struct array *a);
size_t array_bytes(const struct array *a); /* numel x element size */
int array_is_contiguous(const struct array *a);
int array_same_shape(const struct array *a, const struct array *b);
/* "{2, 3}" into buf; returns buf. */
#define SHAPE_TEXT 200
char *array_shape_text(const struct array *a, char buf[SHAPE_TEXT]);
/* Element at linear row-major position i, converted to double / int64. */
double array_get(const struct array *a, int64_t i);
void array_set(const struct array *a, int64_t i, double value);
/* Address of the element at linear row-major position i. */
void *array_at(const struct array *a, int64_t i);

/* ---- tensors: each returns one reference that the caller releases ---- */
/* Row-major, contents undefined. */
enum status tensor_new(struct tensor **out, enum dtype dtype, int rank, const int64_t *shape);
/* A view with the given layout (its data pointer must lie in base's storage). */
enum status tensor_view(struct tensor **out, struct tensor *base, const struct array *layout);
struct tensor *tensor_retain(struct tensor *t);
void tensor_release(struct tensor *t);
/* Bytes of the whole storage that t refers to (what the collector should know about). */
size_t tensor_storage_bytes(const struct tensor *t);
/* Is t the only reference to its storage? */
int tensor_is_sole_owner(const struct tensor *t);

#endif
